/*
 * mbuf.h - packets and batches of packets.
 *
 * A packet is one mbuf: a header of 64 bytes, then its buffer, in one piece of memory. The data is
 * contiguous, with headroom before it so that a layer can prepend its header without copying.
 * There are three size classes. A clone is a header alone that shares the buffer of another mbuf,
 * counted by references; whoever wants to write to a packet asks for m_writable() first.
 *
 * Each worker (see clock.h) has a cache of free mbufs per class and takes no lock to allocate; an
 * mbuf freed by another worker goes into that worker's cache, surplus goes to the shared pool in
 * chunks. A hard limit on the bytes of all buffers is never passed: m_get returns NULL and counts.
 *
 * Buffers never start at multiples of 2,048 bytes from each other: cache sets would collide (three
 * times slower with cold caches). The stride of a class is an odd number of 64-byte lines.
 */
#ifndef WARREN_BASE_MBUF_H
#define WARREN_BASE_MBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ifnet;
struct m_tag;
struct emitter;

enum m_class {
	M_CLASS_2K,    /* an Ethernet frame */
	M_CLASS_10K,   /* a jumbo frame */
	M_CLASS_64K,   /* a reassembled IP datagram or a TSO frame */
	M_CLASS_CLONE, /* a header without a buffer */
	M_NCLASSES
};

/* Room before the data of a fresh mbuf: Ethernet, two vlan tags and a tunnel's headers fit. */
enum { M_HEADROOM = 128 };

enum m_flag {
	M_BCAST = 1 << 0,       /* came as, or goes to, the link's broadcast address */
	M_MCAST = 1 << 1,       /* the same for a multicast address */
	M_PROMISC = 1 << 2,     /* not for us: only promiscuous listeners may see it */
	M_FRAG = 1 << 3,        /* a fragment of a datagram, or put together of such */
	M_LOOP = 1 << 4,        /* came back through a loopback interface */
	M_FORWARDED = 1 << 5,   /* passed ip_forward in this stack */
	M_CSUM_OK = 1 << 6,     /* the transport checksum needs no check */
	M_PASSED_PFIL = 1 << 7, /* not for the firewall: it has made or passed it itself */
	M_NEXTHOP = 1 << 8,     /* a filter has chosen where it goes: no redirects about it */
	M_FWTAGS = 1 << 9,      /* has marks of the firewall's rules (ipfw/mark.c) */
};

struct mbuf {
	uint8_t *data;  /* first byte of the packet */
	uint32_t len;   /* bytes of the packet, all contiguous from data */
	uint16_t flags; /* enum m_flag */
	uint8_t class
	    ; /* enum m_class of this piece of memory; mbuf.c's: the top bit says that it has tags */
	uint8_t fib;         /* FIB for look-ups */
	uint64_t when_ns;    /* the time at which the packet is where it is (clock.h, sched.h) */
	struct ifnet *rcvif; /* interface it came in by; NULL if it was made here */
	struct mbuf *next;   /* for queues (struct mbufq) and free lists */
	void *nh;            /* the walk's scratch: nexthop or llentry, valid in one batch only */
	struct mbuf *owner;  /* whose buffer this is: the mbuf itself, or another for a clone */
	uint32_t flowid;     /* flow hash, 0 = not computed */
	uint32_t refs;       /* of an owner: itself, while not freed, and its clones; atomic */
};
/* The hot header is one cache line; the cold part follows in the same piece of memory. */
_Static_assert(sizeof(struct mbuf) == 64, "mbuf header is one cache line");

/* A packet's rarely used companions live in tags: see m_tag_add(). */
struct m_tag {
	struct m_tag *next;
	uint32_t type; /* a room's own number */
	uint32_t len;  /* bytes behind this header */
};

/*
 * Make a packet of len bytes with M_HEADROOM bytes before it (contents undefined), from the
 * smallest class that holds it. when_ns is the worker's clock_now(); the rest is zero. Returns NULL
 * when the limit is hit or len is over M_MAXLEN (both counted). The caller owns it.
 */
enum { M_MAXLEN = 65535 + 64 };
struct mbuf *m_get(uint32_t len);

/* The same with the bytes copied in. Borrows bytes. */
struct mbuf *m_from(const void *bytes, uint32_t len);

/* Free a packet (takes it); NULL is allowed. A clone gives its reference back. */
void m_free(struct mbuf *m);

/*
 * A second header on the same buffer; borrows m. Header fields are copied, tags are not. NULL at
 * the limit.
 */
struct mbuf *m_clone(struct mbuf *m);

/* A full copy, tags too, with a buffer of its own. Borrows m. NULL at the limit. */
struct mbuf *m_dup(const struct mbuf *m);

/*
 * Takes m and returns a packet with the same contents that may be written to: m itself if nobody
 * shares its buffer, else a copy (m's reference is given back). NULL at the limit, m is freed then.
 */
struct mbuf *m_unshare(struct mbuf *m);

/* True if the buffer is m's alone. */
static inline bool
m_writable(const struct mbuf *m)
{
	return m->owner == m && __atomic_load_n(&m->refs, __ATOMIC_RELAXED) == 1;
}

/* Bytes free before and behind the data. */
uint32_t m_headroom(const struct mbuf *m);
uint32_t m_tailroom(const struct mbuf *m);

/*
 * Make room for n bytes before the data; takes m, returns it, or a bigger copy if the headroom is
 * too small or the buffer is shared; NULL (m freed) if there is no memory. The new bytes are
 * undefined.
 */
struct mbuf *m_prepend(struct mbuf *m, uint32_t n);

/* Drop n bytes at the front. n <= len. */
static inline void
m_adj(struct mbuf *m, uint32_t n)
{
	m->data += n;
	m->len -= n;
}

/* Cut the packet to len bytes. len <= m->len. */
static inline void
m_trim(struct mbuf *m, uint32_t len)
{
	m->len = len;
}

#define mtod(m, type) ((type)(void *)(m)->data)

/*
 * Tags. m_tag_add returns len zeroed bytes, freed with the packet; m_tag_find returns them or NULL.
 */
void *m_tag_add(struct mbuf *m, uint32_t type, uint32_t len);
void *m_tag_find(const struct mbuf *m, uint32_t type);
void m_tag_delete(struct mbuf *m, uint32_t type);

/* Hard limit of all buffers together, in bytes; returns the old one. 0 asks only. */
uint64_t m_set_limit(uint64_t bytes);

struct m_stats {
	struct {
		uint64_t in_use;    /* packets handed out and not yet freed (live now) */
		uint64_t cached;    /* free, in a worker's cache or the shared pool */
		uint64_t denied;    /* m_get calls refused by the limit */
		uint32_t buf_bytes; /* usable bytes of one buffer */
	} class[M_NCLASSES];
	uint64_t bytes; /* memory taken from the system for buffers */
	uint64_t limit_bytes;
	uint64_t too_long; /* m_get calls for more than M_MAXLEN */
};
/* Fill *st, summed over the workers. */
void m_stats(struct m_stats *st);

/* Live packets of all classes: the leak audit's number. */
uint64_t m_live(void);

/* A FIFO of packets linked by m->next. */
struct mbufq {
	struct mbuf *head, **tail;
	uint32_t len;
	uint64_t bytes;
};

static inline void
mbufq_init(struct mbufq *q)
{
	q->head = NULL;
	q->tail = &q->head;
	q->len = 0;
	q->bytes = 0;
}

static inline void
mbufq_push(struct mbufq *q, struct mbuf *m)
{
	m->next = NULL;
	*q->tail = m;
	q->tail = &m->next;
	q->len++;
	q->bytes += m->len;
}

static inline struct mbuf *
mbufq_pop(struct mbufq *q)
{
	struct mbuf *m = q->head;

	if (m == NULL)
		return NULL;
	if ((q->head = m->next) == NULL)
		q->tail = &q->head;
	m->next = NULL;
	q->len--;
	q->bytes -= m->len;
	return m;
}

/* Free everything queued. */
void mbufq_drain(struct mbufq *q);

/*
 * A batch: up to BATCH_MAX packets that go the same way, in the order of their when_ns. Whoever is
 * given a batch owns its packets, not the struct itself, which usually lies on the giver's stack;
 * when the callee returns, the batch is empty.
 */
enum { BATCH_MAX = 64 };

struct batch {
	uint32_t n;
	struct mbuf *m[BATCH_MAX];
};

/*
 * Walk a batch: declares m. Removing while walking is done by building another batch; the end is
 * that of the beginning (read once: 3 instructions a packet and pass).
 */
#define batch_foreach(b, m)                                                                        \
	for (struct mbuf *const *m##_slot = (b)->m, *const *const m##_end = m##_slot + (b)->n, *m; \
	     m##_slot < m##_end && (m = *m##_slot, 1); m##_slot++)

/* Append; the batch must not be full. */
static inline void
batch_add(struct batch *b, struct mbuf *m)
{
	b->m[b->n++] = m;
}

static inline bool
batch_full(const struct batch *b)
{
	return b->n == BATCH_MAX;
}

/* Free all packets of a batch and empty it. */
void batch_free(struct batch *b);

#endif
