/*
 * reass.c - putting fragments together again (RFC 791 3.2, RFC 815, RFC 8200 4.5), within bounds.
 *
 *	reass_input	the datagram's queue, in order of offset -> complete? -> one packet
 *
 * Queues hang in a hash by source address, so that a source's share is the length of its chain. All
 * have the same time to live, hence the list by age is also the list by expiry and one callout per
 * table is enough. The first fragment of a stack allocates the table; an idle stack has a pointer.
 *
 * Fragments that overlap end their datagram at once, and what still comes of it is dropped until
 * its time is over. RFC 5722 asks this of IPv6. It is right for IPv4 as well: no sender makes
 * overlaps, systems disagree about which bytes win, and the disagreement is what lets an attack
 * past a filter (RFC 1858, RFC 3128). An exact copy is harmless: the network duplicates packets.
 *
 * Bounds: datagrams per stack, per source and per bucket, fragments per stack and per datagram. A
 * new datagram pushes out the oldest of its source, of its bucket or, last, of all: a flood of
 * never completed datagrams can't shut out the others for the whole time, and costs as little as
 * its chain is short.
 */
#include "inet/reass.h"

#include "base/bytes.h"
#include "base/callout.h"
#include "base/rng.h"
#include "kern/eventhandler.h"

enum { HASH_LOG2 = 6, HASH_SIZE = 1 << HASH_LOG2 };
enum { ECN_MASK = 3, ECN_NOT_ECT = 0, ECN_CE = 3 };

/*
 * Where a waiting fragment belongs: its next hop is over, so this stands in m->nh. m->data is at
 * the IP header as it came, for an error may have to quote it.
 */
struct piece {
	uint16_t off, len, hdr, last;
};
_Static_assert(sizeof(struct piece) == sizeof(void *), "a piece fits into m->nh");

/* A datagram in parts. */
struct reassq {
	TAILQ_ENTRY(reassq) age;
	struct reassq *hnext; /* newest first */
	struct reass_key key;
	bool dead; /* overlapped: takes no more part, keeps its name occupied */
	uint32_t nfrags;
	uint32_t have; /* payload bytes that are there */
	uint32_t end;  /* payload bytes of the whole; 0 = the last fragment is missing */
	uint64_t expire_ns;
	struct mbuf *frags; /* by m->next, in order of offset */
};

TAILQ_HEAD(reassq_head, reassq);

struct reass_table {
	const struct reass_family *family;
	struct reass *home; /* who points here, and has the limits */
	SLIST_ENTRY(reass_table) link;
	struct reassq_head age; /* oldest first */
	uint32_t packets, frags;
	struct callout timer; /* for the oldest */
	uint64_t seed;        /* keeps other machines from choosing the bucket */
	struct reassq *hash[HASH_SIZE];
};

SLIST_HEAD(reass_tables, reass_table);
VNET_DEFINE_STATIC(struct reass_tables, reass_tables);
#define V_reass_tables VNET(reass_tables)

static uint64_t reass_live; /* queues of all stacks; atomic */
static struct event_tag *departure_tag;

AUDIT_COUNTER(reass, "reassembly queue", reass_live);

static inline struct piece
piece_of(const struct mbuf *m)
{
	struct piece p;

	memcpy(&p, &m->nh, sizeof(p));
	return p;
}

static inline struct reassq **
bucket_of(struct reass_table *t, const struct reass_key *key)
{
	const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = (load64(key->src) ^ t->seed) * golden;

	/* Fibonacci hashing: the upper bits are the good ones. */
	h = (h ^ h >> 32 ^ load64(key->src + 8)) * golden;
	return &t->hash[h >> (64 - HASH_LOG2)];
}

static void
reass_arm(struct reass_table *t)
{
	const struct reassq *oldest = TAILQ_FIRST(&t->age);
	uint64_t now = clock_now();

	if (oldest == NULL)
		callout_stop(&t->timer);
	else
		callout_reset(&t->timer, oldest->expire_ns > now ? oldest->expire_ns - now : 0);
}

/* Drop what is there of q. */
static void
queue_empty(struct reass_table *t, struct reassq *q, const struct drop_reason *why)
{
	struct mbuf *m;

	while ((m = q->frags) != NULL) {
		q->frags = m->next;
		m->next = NULL;
		m->nh = NULL;
		t->frags--;
		m_drop(m, why);
	}
	q->nfrags = 0;
}

/* Forget q; its fragments are dropped for the reason given. */
static void
queue_free(struct reass_table *t, struct reassq *q, const struct drop_reason *why)
{
	struct reassq **slot = bucket_of(t, &q->key);

	while (*slot != q)
		slot = &(*slot)->hnext;
	*slot = q->hnext;
	TAILQ_REMOVE(&t->age, q, age);
	t->packets--;
	queue_empty(t, q, why);
	vnet_free(q);
	__atomic_fetch_sub(&reass_live, 1, __ATOMIC_RELAXED);
}

/* The datagram's fragments contradict each other: drop them, and remember its name. */
static void
queue_kill(struct reass_table *t, struct reassq *q)
{
	q->dead = true;
	t->family->lost(t->family->overlap, q->nfrags);
	queue_empty(t, q, t->family->overlap);
}

/* The oldest datagram's time is over. */
static void
queue_expire(struct reass_table *t, struct reassq *q)
{
	struct mbuf *first = q->frags;

	t->family->lost(t->family->timeout, q->nfrags);
	/* RFC 1122 3.3.2, RFC 8200 4.5: if the first fragment is there to be quoted. */
	if (first != NULL && piece_of(first).off == 0) {
		first->when_ns = clock_now();
		t->family->timed_out(first);
	}
	queue_free(t, q, t->family->timeout);
}

static void
reass_timer(void *arg)
{
	struct reass_table *t = arg;
	struct reassq *q;

	while ((q = TAILQ_FIRST(&t->age)) != NULL && q->expire_ns <= clock_now())
		queue_expire(t, q);
	reass_arm(t);
}

static struct reass_table *
table_get(struct reass *r, const struct reass_family *family)
{
	struct reass_table *t = r->table;

	if (t == NULL && (t = vnet_malloc(sizeof(*t))) != NULL) {
		*t = (struct reass_table){
			.family = family,
			.home = r,
			.seed = rng_process_seed * UINT64_C(0x9e3779b97f4a7c15),
		};
		TAILQ_INIT(&t->age);
		callout_init(&t->timer, curvnet, reass_timer, t);
		SLIST_INSERT_HEAD(&V_reass_tables, t, link);
		r->table = t;
	}
	return t;
}

/*
 * Make room for a datagram: the oldest of that source goes, or the oldest of its bucket, or of all.
 */
static void
table_make_room(struct reass_table *t, const struct reass_key *key)
{
	const struct reass_limits *max = &t->home->limits;
	struct reassq *of_source = NULL, *of_bucket = NULL, *oldest;
	uint32_t n_source = 0, n_bucket = 0;

	for (struct reassq *q = *bucket_of(t, key); q != NULL; q = q->hnext) {
		of_bucket = q;
		n_bucket++;
		if (memcmp(q->key.src, key->src, sizeof(key->src)) == 0) {
			of_source = q;
			n_source++;
		}
	}
	if (n_source >= max->per_source)
		oldest = of_source;
	else if (n_bucket >= max->per_bucket)
		oldest = of_bucket;
	else if (t->packets >= max->packets)
		oldest = TAILQ_FIRST(&t->age);
	else
		return;
	t->family->lost(t->family->limit, oldest->nfrags);
	queue_free(t, oldest, t->family->limit);
}

static struct reassq *
queue_find(struct reass_table *t, const struct reass_key *key)
{
	struct reassq *q;

	for (q = *bucket_of(t, key); q != NULL; q = q->hnext)
		if (memcmp(&q->key, key, sizeof(*key)) == 0)
			break;
	return q;
}

/* A queue for the datagram; NULL if there may be none. */
static struct reassq *
queue_new(struct reass_table *t, const struct reass_key *key, uint64_t now)
{
	const struct reass_limits *max = &t->home->limits;
	struct reassq **slot = bucket_of(t, key), *q;

	if (max->packets == 0)
		return NULL;
	table_make_room(t, key);
	q = vnet_malloc(sizeof(*q));
	if (q == NULL)
		return NULL;
	*q = (struct reassq){
		.key = *key,
		.expire_ns = now + max->ttl_s * NS_PER_SEC,
		.hnext = *slot,
	};
	*slot = q;
	/* The list stays in order of expiry when the sysctl has been lowered meanwhile. */
	if (!TAILQ_EMPTY(&t->age) && TAILQ_LAST(&t->age, reassq_head)->expire_ns > q->expire_ns)
		q->expire_ns = TAILQ_LAST(&t->age, reassq_head)->expire_ns;
	TAILQ_INSERT_TAIL(&t->age, q, age);
	t->packets++;
	__atomic_fetch_add(&reass_live, 1, __ATOMIC_RELAXED);
	if (!callout_armed(&t->timer))
		reass_arm(t);
	return q;
}

/* Is m, whose place is p, what is there already? */
static bool
is_copy(const struct mbuf *m, struct piece p, const struct mbuf *there)
{
	struct piece o = piece_of(there);

	return o.off == p.off && o.len == p.len && o.last == p.last &&
	    memcmp(m->data + p.hdr, there->data + o.hdr, p.len) == 0;
}

/* Put m at its place. NULL if it is there, else the reason for which it is not. */
static const struct drop_reason *
queue_insert(struct reass_table *t, struct reassq *q, struct mbuf *m, struct piece p)
{
	struct mbuf **slot = &q->frags, *prev = NULL, *next;
	uint32_t end = (uint32_t)p.off + p.len;

	while ((next = *slot) != NULL && piece_of(next).off < p.off) {
		prev = next;
		slot = &next->next;
	}
	if (next != NULL && is_copy(m, p, next))
		return t->family->dup;
	if ((prev != NULL && (uint32_t)piece_of(prev).off + piece_of(prev).len > p.off) ||
	    (next != NULL && end > piece_of(next).off) ||
	    (p.last && (next != NULL || q->end != 0)) || (q->end != 0 && end > q->end))
		return t->family->overlap;
	if (q->nfrags >= t->home->limits.per_packet)
		return t->family->limit;

	memcpy(&m->nh, &p, sizeof(p));
	m->next = next;
	*slot = m;
	q->nfrags++;
	q->have += p.len;
	if (p.last)
		q->end = end;
	return NULL;
}

/*
 * Traffic class of the whole with its ECN (RFC 3168 5.3): CE if any part has it; -1 if parts
 * disagree whether they may.
 */
static int
tos_of(const struct reass_table *t, const struct mbuf *m)
{
	unsigned first = t->family->tos(m);
	bool ce = false, not_ect = false;

	for (; m != NULL; m = m->next) {
		unsigned ecn = t->family->tos(m) & ECN_MASK;

		ce |= ecn == ECN_CE;
		not_ect |= ecn == ECN_NOT_ECT;
	}
	return ce && not_ect ? -1 : (int)(ce ? first | ECN_CE : first);
}

/* Move the pieces' data to their places in m, behind hdr bytes of headers. */
static void
queue_gather(struct reass_table *t, struct reassq *q, struct mbuf *m, unsigned hdr)
{
	struct mbuf *f;

	while ((f = q->frags) != NULL) {
		struct piece p = piece_of(f);

		memcpy(m->data + hdr + p.off, f->data + p.hdr, p.len);
		m->flags |= f->flags & (M_BCAST | M_MCAST | M_LOOP | M_PROMISC);
		q->frags = f->next;
		f->next = NULL;
		f->nh = NULL;
		t->frags--;
		m_free(f);
	}
}

/* All parts of q are there: make one packet of them and forget q. NULL if it had to be dropped. */
static struct mbuf *
queue_join(struct reass_table *t, struct reassq *q, const struct mbuf *arrived)
{
	const struct reass_family *family = t->family;
	struct mbuf *first = q->frags, *m = NULL;
	unsigned hdr = piece_of(first).hdr;
	const struct drop_reason *why = NULL;
	int tos = tos_of(t, first);

	if (tos < 0)
		why = family->ecn;
	else if (hdr + q->end > family->maxlen)
		why = family->toolong; /* the first fragment's options don't fit any more */
	else if ((m = m_get(hdr + q->end)) == NULL)
		why = family->nobuf;
	if (why != NULL) {
		family->lost(why, q->nfrags);
		queue_free(t, q, why);
		return NULL;
	}
	/* Where and when the datagram is: at the fragment that made it whole. */
	m->rcvif = arrived->rcvif;
	m->when_ns = arrived->when_ns;
	m->fib = first->fib;
	memcpy(m->data, first->data, hdr);
	queue_gather(t, q, m, hdr);
	queue_free(t, q, NULL);
	family->finish(m, (uint8_t)tos);
	return m;
}

struct mbuf *
reass_drop(const struct reass_family *family, struct mbuf *m, const struct drop_reason *why)
{
	family->lost(why, 1);
	m_drop(m, why);
	return NULL;
}

struct mbuf *
reass_input(struct reass *r, const struct reass_family *family, const struct reass_frag *frag,
    struct mbuf *m)
{
	const struct piece p = { frag->off, frag->len, frag->hdr, frag->last };
	const struct drop_reason *why;
	struct reass_table *t = table_get(r, family);
	struct reassq *q;

	if (t == NULL)
		return reass_drop(family, m, family->nobuf);
	q = queue_find(t, &frag->key);
	if (q != NULL && q->dead)
		return reass_drop(family, m, family->overlap);
	if (t->frags >= r->limits.frags)
		return reass_drop(family, m, family->limit);
	if (q == NULL && (q = queue_new(t, &frag->key, m->when_ns)) == NULL)
		return reass_drop(family, m, family->limit);

	why = queue_insert(t, q, m, p);
	if (why != NULL) {
		if (why == family->overlap)
			queue_kill(t, q);
		return reass_drop(family, m, why);
	}
	t->frags++;
	if (q->end == 0 || q->have != q->end)
		return NULL;
	return queue_join(t, q, m);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool
came_by(const struct reassq *q, const struct ifnet *ifp)
{
	const struct mbuf *m = q->frags;

	while (m != NULL && m->rcvif != ifp)
		m = m->next;
	return m != NULL;
}

/* An interface leaves: nothing may keep pointing to it. */
static void
reass_if_departs(void *ctx, void *arg1, void *arg2)
{
	struct reass_table *t;
	struct reassq *q, *next;

	(void)ctx;
	(void)arg2;
	SLIST_FOREACH(t, &V_reass_tables, link) {
		for (q = TAILQ_FIRST(&t->age); q != NULL; q = next) {
			next = TAILQ_NEXT(q, age);
			if (came_by(q, arg1))
				queue_free(t, q, t->family->ifgone);
		}
		reass_arm(t);
	}
}

static void
reass_init(void *arg)
{
	(void)arg;
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, reass_if_departs, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(reass, SI_SUB_INET, SI_ORDER_SECOND, reass_init, NULL);

static void
reass_uninit(void *arg)
{
	struct reass_table *t;
	struct reassq *q;

	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&departure_tag);
	while ((t = SLIST_FIRST(&V_reass_tables)) != NULL) {
		SLIST_REMOVE_HEAD(&V_reass_tables, link);
		callout_drain(&t->timer);
		while ((q = TAILQ_FIRST(&t->age)) != NULL)
			queue_free(t, q, t->family->ifgone);
		t->home->table = NULL;
		vnet_free(t);
	}
}
VNET_SYSUNINIT(reass, SI_SUB_INET, SI_ORDER_SECOND, reass_uninit, NULL);
