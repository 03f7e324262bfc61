/*
 * ip_reass.c - putting fragments together again (RFC 791 section 3.2, RFC 815), within bounds.
 *
 *	ip_reass	sane? -> the datagram's queue, in order of offset -> complete? -> one packet
 *
 * Queues hang in a hash by source address, so that a source's share is the length of its chain. All
 * have the same time to live, hence the list by age is also the list by expiry and one callout per
 * stack is enough. The first fragment of a stack allocates the hash; an idle stack has a pointer.
 *
 * Fragments that overlap end their datagram at once, and what still comes of it is dropped until
 * its time is over. RFC 5722 asks this of IPv6. It is right for IPv4 as well: no sender makes
 * overlaps, systems disagree about which bytes win, and the disagreement is what lets an attack
 * past a filter (RFC 1858, RFC 3128). An exact copy is harmless: the network duplicates packets.
 *
 * Bounds: datagrams per stack, per source and fragments per stack and per datagram, each a sysctl.
 * A new datagram pushes out the oldest of its source or, last, of all: a flood of never completed
 * datagrams can't shut out the others for the whole 30 s.
 */
#include "inet/icmp.h"
#include "inet/ip.h"

#include "base/rng.h"
#include "kern/eventhandler.h"
#include "kern/sysctl.h"

DROP_DEFINE(DROP_REASS_LENGTH, "ip", "fraglength",
    "fragment without data or, not the last, not a multiple of 8 bytes");
DROP_DEFINE(DROP_REASS_TOOLONG, "ip", "fragtoolong", "fragment ends behind 65535 bytes");
DROP_DEFINE(DROP_REASS_TINY, "ip", "fragtiny", "fragment cuts the TCP header (RFC 1858)");
DROP_DEFINE(
    DROP_REASS_OVERLAP, "ip", "fragoverlap", "fragments of the datagram overlap (RFC 5722)");
DROP_DEFINE(DROP_REASS_DUP, "ip", "fragdup", "copy of a fragment that is there already");
DROP_DEFINE(
    DROP_REASS_LIMIT, "ip", "fraglimit", "too many datagrams or fragments wait for the rest");
DROP_DEFINE(DROP_REASS_TIMEOUT, "ip", "fragtimeout", "rest of the datagram did not come in time");
DROP_DEFINE(DROP_REASS_ECN, "ip", "fragecn",
    "congestion mark on a datagram that can't carry it (RFC 3168)");
DROP_DEFINE(DROP_REASS_NOBUF, "ip", "fragreassnobuf", "no memory to put fragments together");
DROP_DEFINE(DROP_REASS_IFGONE, "ip", "fragifgone", "interface left while the rest was awaited");

VNET_DEFINE_STATIC(uint32_t, ip_maxfragpackets) = 256;
VNET_DEFINE_STATIC(uint32_t, ip_maxfragpersource) = 64;
VNET_DEFINE_STATIC(uint32_t, ip_maxfrags) = 4096;
/*
 * BSD's default is 16, which fits 24 KB. `ping -s 65507` has to work: the largest datagram has 45
 * fragments at an mtu of 1500; a router that goes on over 1280 makes two of each, one over 576
 * three.
 */
VNET_DEFINE_STATIC(uint32_t, ip_maxfragsperpacket) = 160;
VNET_DEFINE_STATIC(uint32_t, ip_fragttl) = 30;

SYSCTL_VNET_UINT(net_inet_ip_maxfragpackets, "net.inet.ip.maxfragpackets", SYSCTL_RW,
    ip_maxfragpackets, 0, 65536, "datagrams that wait for fragments; 0 = take no fragments");
SYSCTL_VNET_UINT(net_inet_ip_maxfragpersource, "net.inet.ip.maxfragpersource", SYSCTL_RW,
    ip_maxfragpersource, 1, 65536, "datagrams of one source that wait for fragments");
SYSCTL_VNET_UINT(net_inet_ip_maxfrags, "net.inet.ip.maxfrags", SYSCTL_RW, ip_maxfrags, 0, 1048576,
    "fragments that wait for others");
SYSCTL_VNET_UINT(net_inet_ip_maxfragsperpacket, "net.inet.ip.maxfragsperpacket", SYSCTL_RW,
    ip_maxfragsperpacket, 0, 8192, "fragments of one datagram");
SYSCTL_VNET_UINT(net_inet_ip_fragttl, "net.inet.ip.fragttl", SYSCTL_RW, ip_fragttl, 1, 255,
    "seconds that a datagram waits for its fragments");

enum { HASH_LOG2 = 6, HASH_SIZE = 1 << HASH_LOG2, TCP_MIN_FIRST = 16 };
enum { ECN_MASK = 3, ECN_NOT_ECT = 0, ECN_CE = 3 };

/* A datagram in parts. */
struct ipq {
	TAILQ_ENTRY(ipq) age;
	struct ipq *hnext;
	uint32_t src, dst;
	be16 id;
	uint8_t proto;
	bool dead; /* overlapped: takes no more part, keeps its name occupied */
	uint32_t nfrags;
	uint32_t have; /* payload bytes that are there */
	uint32_t end;  /* payload bytes of the whole; 0 = the last fragment is missing */
	uint64_t expire_ns;
	struct mbuf *frags; /* by m->next, in order of offset; m->data at the IP header */
};

TAILQ_HEAD(ipq_head, ipq);

struct reass {
	struct ipq_head age; /* oldest first */
	uint32_t packets, frags;
	struct callout timer; /* for the oldest */
	uint32_t seed;        /* keeps other machines from choosing the bucket */
	struct ipq *hash[HASH_SIZE];
};

VNET_DEFINE_STATIC(struct reass *, ip_reass_state); /* NULL before the first fragment */
#define V_reass VNET(ip_reass_state)

static uint64_t reass_live; /* queues of all stacks; atomic */
static struct event_tag *departure_tag;

static uint64_t
reass_audit(void)
{
	return __atomic_load_n(&reass_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(ip_reass, "reassembly queue", reass_audit);

static inline unsigned
frag_offset(const struct mbuf *m)
{
	return (from_be16(mtod(m, const struct ip_hdr *)->off) & IP_OFFMASK_) * 8u;
}

static inline unsigned
frag_len(const struct mbuf *m)
{
	return m->len - ip_hlen(mtod(m, const struct ip_hdr *));
}

static inline struct ipq **
bucket_of(struct reass *r, uint32_t src)
{
	/* Fibonacci hashing: the upper bits are the good ones. */
	return &r->hash[((src ^ r->seed) * 0x9e3779b1u) >> (32 - HASH_LOG2)];
}

static void
reass_arm(struct reass *r)
{
	const struct ipq *oldest = TAILQ_FIRST(&r->age);
	uint64_t now = clock_now();

	if (oldest == NULL)
		callout_stop(&r->timer);
	else
		callout_reset(&r->timer, oldest->expire_ns > now ? oldest->expire_ns - now : 0);
}

/*
 * Forget q; its fragments are dropped for the reason given, or kept by the caller who took them
 * off.
 */
static void
ipq_free(struct reass *r, struct ipq *q, const struct drop_reason *why)
{
	struct ipq **slot = bucket_of(r, q->src);
	struct mbuf *m;

	while (*slot != q)
		slot = &(*slot)->hnext;
	*slot = q->hnext;
	TAILQ_REMOVE(&r->age, q, age);
	r->packets--;
	while ((m = q->frags) != NULL) {
		q->frags = m->next;
		m->next = NULL;
		r->frags--;
		m_drop(m, why);
	}
	vnet_free(q);
	__atomic_fetch_sub(&reass_live, 1, __ATOMIC_RELAXED);
}

/* The datagram's fragments contradict each other: drop them, and remember its name. */
static void
ipq_kill(struct reass *r, struct ipq *q)
{
	struct mbuf *m;

	q->dead = true;
	while ((m = q->frags) != NULL) {
		q->frags = m->next;
		m->next = NULL;
		r->frags--;
		V_ipstat.fragdropped++;
		m_drop(m, &DROP_REASS_OVERLAP);
	}
	q->nfrags = 0;
}

/* The oldest datagram's time is over. */
static void
ipq_expire(struct reass *r, struct ipq *q)
{
	struct mbuf *first = q->frags;

	V_ipstat.fragtimeout += q->nfrags;
	/*
	 * RFC 792, RFC 1122 3.3.2: the sender is told if the first fragment is there to be quoted.
	 */
	if (first != NULL && frag_offset(first) == 0) {
		first->when_ns = clock_now();
		icmp_error(first, ICMP_TIMXCEED_, 1, 0);
	}
	ipq_free(r, q, &DROP_REASS_TIMEOUT);
}

static void
reass_timer(void *arg)
{
	struct reass *r = arg;
	struct ipq *q;

	while ((q = TAILQ_FIRST(&r->age)) != NULL && q->expire_ns <= clock_now())
		ipq_expire(r, q);
	reass_arm(r);
}

static struct reass *
reass_get(void)
{
	struct reass *r = V_reass;

	if (r == NULL && (r = vnet_malloc(sizeof(*r))) != NULL) {
		TAILQ_INIT(&r->age);
		r->seed = (uint32_t)(rng_process_seed * UINT64_C(0x9e3779b97f4a7c15) >> 32);
		callout_init(&r->timer, curvnet, reass_timer, r);
		V_reass = r;
	}
	return r;
}

/* Make room for a datagram from src: the oldest of that source goes, or the oldest of all. */
static void
reass_make_room(struct reass *r, uint32_t src)
{
	struct ipq *oldest = NULL;
	uint32_t n = 0;

	for (struct ipq *q = *bucket_of(r, src); q != NULL; q = q->hnext)
		if (q->src == src) {
			oldest = q; /* chains are newest first */
			n++;
		}
	if (n < VNET(ip_maxfragpersource)) {
		if (r->packets < VNET(ip_maxfragpackets))
			return;
		oldest = TAILQ_FIRST(&r->age);
	}
	V_ipstat.fragdropped += oldest->nfrags;
	ipq_free(r, oldest, &DROP_REASS_LIMIT);
}

static struct ipq *
ipq_find(struct reass *r, const struct ip_hdr *ip)
{
	struct ipq *q;

	for (q = *bucket_of(r, ip->src); q != NULL; q = q->hnext)
		if (q->src == ip->src && q->dst == ip->dst && q->proto == ip->proto &&
		    load16(&q->id) == load16(&ip->id))
			break;
	return q;
}

/* A queue for the datagram that ip belongs to; NULL if there may be none. */
static struct ipq *
ipq_new(struct reass *r, const struct ip_hdr *ip, uint64_t now)
{
	struct ipq **slot = bucket_of(r, ip->src), *q;

	if (VNET(ip_maxfragpackets) == 0)
		return NULL;
	reass_make_room(r, ip->src);
	q = vnet_malloc(sizeof(*q));
	if (q == NULL)
		return NULL;
	*q = (struct ipq){
		.src = ip->src,
		.dst = ip->dst,
		.id = ip->id,
		.proto = ip->proto,
		.expire_ns = now + VNET(ip_fragttl) * NS_PER_SEC,
		.hnext = *slot,
	};
	*slot = q;
	/* The list stays in order of expiry when the sysctl has been lowered meanwhile. */
	if (!TAILQ_EMPTY(&r->age) && TAILQ_LAST(&r->age, ipq_head)->expire_ns > q->expire_ns)
		q->expire_ns = TAILQ_LAST(&r->age, ipq_head)->expire_ns;
	TAILQ_INSERT_TAIL(&r->age, q, age);
	r->packets++;
	__atomic_fetch_add(&reass_live, 1, __ATOMIC_RELAXED);
	if (!callout_armed(&r->timer))
		reass_arm(r);
	return q;
}

/* What is wrong with a fragment by itself; NULL = nothing. */
static const struct drop_reason *
frag_fault(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	unsigned off = frag_offset(m), len = frag_len(m);
	bool more = (from_be16(ip->off) & IP_MF_) != 0;

	if (len == 0 || (more && len % 8 != 0))
		return &DROP_REASS_LENGTH;
	if (off + len > IP_MAXPACKET_ - ip_hlen(ip)) {
		V_ipstat.toolong++;
		return &DROP_REASS_TOOLONG;
	}
	/* RFC 1858 section 3: the ports and flags must be in the first fragment, and stay there. */
	if (ip->proto == IPPROTO_TCP_ && ((off == 0 && len < TCP_MIN_FIRST) || off == 8))
		return &DROP_REASS_TINY;
	return NULL;
}

/*
 * Put m at its place. NULL if it is there, else the reason for which it is not (and q is dead if
 * that reason is an overlap).
 */
static const struct drop_reason *
ipq_insert(struct ipq *q, struct mbuf *m)
{
	unsigned off = frag_offset(m), len = frag_len(m);
	bool last = (from_be16(mtod(m, struct ip_hdr *)->off) & IP_MF_) == 0;
	struct mbuf **slot = &q->frags, *prev = NULL, *next;

	while ((next = *slot) != NULL && frag_offset(next) < off) {
		prev = next;
		slot = &next->next;
	}
	if (next != NULL && frag_offset(next) == off && frag_len(next) == len &&
	    ((from_be16(mtod(next, struct ip_hdr *)->off) & IP_MF_) == 0) == last &&
	    memcmp(m->data + ip_hlen(mtod(m, struct ip_hdr *)),
		next->data + ip_hlen(mtod(next, struct ip_hdr *)), len) == 0)
		return &DROP_REASS_DUP;
	if ((prev != NULL && frag_offset(prev) + frag_len(prev) > off) ||
	    (next != NULL && off + len > frag_offset(next)) ||
	    (last && (next != NULL || q->end != 0)) || (q->end != 0 && off + len > q->end))
		return &DROP_REASS_OVERLAP;
	if (q->nfrags >= VNET(ip_maxfragsperpacket))
		return &DROP_REASS_LIMIT;

	m->next = next;
	*slot = m;
	q->nfrags++;
	q->have += len;
	if (last)
		q->end = off + len;
	return NULL;
}

/* ECN of the whole (RFC 3168 5.3): CE if any part has it; -1 if parts disagree whether they may. */
static int
ecn_of(const struct mbuf *m)
{
	unsigned first = mtod(m, const struct ip_hdr *)->tos & ECN_MASK;
	bool ce = false, not_ect = false;

	for (; m != NULL; m = m->next) {
		unsigned ecn = mtod(m, const struct ip_hdr *)->tos & ECN_MASK;

		ce |= ecn == ECN_CE;
		not_ect |= ecn == ECN_NOT_ECT;
	}
	return ce && not_ect ? -1 : ce ? ECN_CE : (int)first;
}

/* All parts of q are there: make one packet of them and forget q. NULL if it had to be dropped. */
static struct mbuf *
ipq_join(struct reass *r, struct ipq *q, const struct mbuf *arrived)
{
	struct mbuf *first = q->frags, *f, *m;
	unsigned hlen = ip_hlen(mtod(first, struct ip_hdr *));
	struct ip_hdr *ip;
	int ecn = ecn_of(first);

	/* Options of the first fragment may not fit any more. */
	if (hlen + q->end > IP_MAXPACKET_ || ecn < 0 || (m = m_get(hlen + q->end)) == NULL) {
		const struct drop_reason *why = ecn < 0 ? &DROP_REASS_ECN :
		    hlen + q->end > IP_MAXPACKET_       ? &DROP_REASS_TOOLONG :
							  &DROP_REASS_NOBUF;

		V_ipstat.fragdropped += q->nfrags;
		ipq_free(r, q, why);
		return NULL;
	}
	/* Where and when the datagram is: at the fragment that made it whole. */
	m->rcvif = arrived->rcvif;
	m->when_ns = arrived->when_ns;
	m->fib = first->fib;
	memcpy(m->data, first->data, hlen);
	while ((f = q->frags) != NULL) {
		memcpy(m->data + hlen + frag_offset(f), f->data + ip_hlen(mtod(f, struct ip_hdr *)),
		    frag_len(f));
		m->flags |= f->flags & (M_BCAST | M_MCAST | M_LOOP | M_PROMISC);
		q->frags = f->next;
		f->next = NULL;
		r->frags--;
		m_free(f);
	}
	ipq_free(r, q, NULL);
	ip = mtod(m, struct ip_hdr *);
	ip->tos = (uint8_t)((ip->tos & ~ECN_MASK) | ecn);
	ip->len = to_be16((uint16_t)m->len);
	ip->off = to_be16(0);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	V_ipstat.reassembled++;
	return m;
}

/* Drop a fragment that can't be used. Takes m. */
static struct mbuf *
frag_drop(struct mbuf *m, const struct drop_reason *why)
{
	V_ipstat.fragdropped++;
	m_drop(m, why);
	return NULL;
}

struct mbuf *
ip_reass(struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct drop_reason *why;
	struct reass *r;
	struct ipq *q;

	V_ipstat.fragments++;
	if (from_be16(ip->len) < m->len)
		m_trim(m, from_be16(ip->len));
	if ((why = frag_fault(m)) != NULL)
		return frag_drop(m, why);
	if ((r = reass_get()) == NULL)
		return frag_drop(m, &DROP_REASS_NOBUF);
	q = ipq_find(r, ip);
	if (q != NULL && q->dead)
		return frag_drop(m, &DROP_REASS_OVERLAP);
	if (r->frags >= VNET(ip_maxfrags))
		return frag_drop(m, &DROP_REASS_LIMIT);
	if (q == NULL && (q = ipq_new(r, ip, m->when_ns)) == NULL)
		return frag_drop(m, &DROP_REASS_LIMIT);

	why = ipq_insert(q, m);
	if (why != NULL) {
		if (why == &DROP_REASS_OVERLAP)
			ipq_kill(r, q);
		return frag_drop(m, why);
	}
	r->frags++;
	if (q->end == 0 || q->have != q->end)
		return NULL;
	return ipq_join(r, q, m);
}

/* An interface leaves: nothing may keep pointing to it. */
static void
reass_if_departs(void *ctx, void *arg1, void *arg2)
{
	struct reass *r = V_reass;
	struct ipq *q, *next;

	(void)ctx;
	(void)arg2;
	if (r == NULL)
		return;
	for (q = TAILQ_FIRST(&r->age); q != NULL; q = next) {
		const struct mbuf *m = q->frags;

		next = TAILQ_NEXT(q, age);
		while (m != NULL && m->rcvif != arg1)
			m = m->next;
		if (m != NULL)
			ipq_free(r, q, &DROP_REASS_IFGONE);
	}
	reass_arm(r);
}

static void
reass_init(void *arg)
{
	(void)arg;
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, reass_if_departs, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(ip_reass, SI_SUB_INET, SI_ORDER_SECOND, reass_init, NULL);

static void
reass_uninit(void *arg)
{
	struct reass *r = V_reass;
	struct ipq *q;

	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&departure_tag);
	if (r == NULL)
		return;
	callout_drain(&r->timer);
	while ((q = TAILQ_FIRST(&r->age)) != NULL)
		ipq_free(r, q, &DROP_REASS_IFGONE);
	V_reass = NULL;
	vnet_free(r);
}
VNET_SYSUNINIT(ip_reass, SI_SUB_INET, SI_ORDER_SECOND, reass_uninit, NULL);
