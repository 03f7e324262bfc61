/*
 * udp_traffic.c - UDP senders, echoes and sinks with their measurement.
 *
 * A sender is an event source: its next packet has an exact time. At a constant rate, packet k goes
 * out at start + k * bits / rate, the fraction of a ns carried along; in the Poisson pattern the
 * gaps are exponential with that mean, from a stream of random numbers of the flow's name.
 *
 * A payload begins with 24 bytes, in network order:
 *
 *	 0	magic "WRN1"
 *	 4	flow id: a hash of the name and the number of the flow
 *	 8	sequence number of the flow, from 0
 *	16	time of sending, ns of the sender's clock
 *
 * The rest is zero: what a run puts on the wire must not depend on old memory.
 */
#include "inet/udp_traffic.h"

#include "base/sched.h"

#include <errno.h>
#include <stdlib.h>

DROP_DEFINE(DROP_UDP_SINK, "udp", "sink", "datagram for a sink that has no traffic header");

enum { MAGIC = 0x57524e31 /* "WRN1" */, HEADER = UDP_TRAFFIC_MIN, FLOWS_MAX = 16384 };

static inline void
store_be64(void *p, uint64_t v)
{
	store64(p, __builtin_bswap64(v));
}

static inline uint64_t
load_be64(const void *p)
{
	return __builtin_bswap64(load64(p));
}

/* --- sender ----------------------------------------------------------------------------------- */

struct flow {
	struct udp_endpoint *ep;
	uint64_t seq;
	bool connected;
};

struct udp_sender {
	struct sched_source src;
	struct udp_flow_config c;
	struct vnet *vnet;           /* NULL when the stack has ended */
	LIST_ENTRY(udp_sender) link; /* the stack's senders */
	uint32_t id;                 /* flow id of the first flow */
	uint64_t gap_ns, gap_rem;    /* bits * 1e9 / rate, and the remainder */
	uint64_t rem;                /* carried so far, below rate_bps */
	uint64_t packets, bytes, errors;
	struct rng rng;
	void (*end_fn)(void *ctx);
	void *end_ctx;
	struct flow *flow;
};

LIST_HEAD(udp_sender_list, udp_sender);
VNET_DEFINE_STATIC(struct udp_sender_list, udp_senders);

static uint64_t traffic_live; /* senders and sinks of all stacks; atomic */
AUDIT_COUNTER(udp_traffic, "udp traffic", traffic_live);

/* FNV-1a: short, and the same everywhere. */
static uint32_t
name_hash(const char *name)
{
	uint32_t h = 0x811c9dc5;

	for (; name != NULL && *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 0x01000193;
	return h;
}

static bool
sender_is_over(const struct udp_sender *s, uint64_t next_ns)
{
	return next_ns >= s->c.stop_ns || (s->c.count != 0 && s->packets >= s->c.count);
}

/* Time of the packet behind the one at t. */
static uint64_t
next_time(struct udp_sender *s, uint64_t t)
{
	if (s->c.pattern == UDP_POISSON)
		return t + rng_exp(&s->rng, s->gap_ns);
	s->rem += s->gap_rem;
	if (s->rem >= s->c.rate_bps) {
		s->rem -= s->c.rate_bps;
		t++;
	}
	return t + s->gap_ns;
}

static void
send_one(struct udp_sender *s)
{
	struct flow *f = &s->flow[s->packets % s->c.flows];
	struct mbuf *m = m_get(s->c.size);

	s->packets++;
	/* The route may come later than the sender: so the source address is asked for now. */
	if (!f->connected)
		f->connected = udp_connect(f->ep, &s->c.dst, s->c.dport, NULL) == 0;
	if (m == NULL) {
		s->errors++;
		f->seq++;
		return;
	}
	memset(m->data, 0, m->len);
	store32(m->data, __builtin_bswap32(MAGIC));
	store32(m->data + 4, __builtin_bswap32(s->id + (uint32_t)(f - s->flow)));
	store_be64(m->data + 8, f->seq++);
	store_be64(m->data + 16, clock_now());
	s->bytes += s->c.size;
	if (udp_send(f->ep, m, &s->c.dst, s->c.dport) != 0)
		s->errors++;
}

static void
sender_run(struct sched_source *src, uint64_t until_ns)
{
	struct udp_sender *s = (struct udp_sender *)(void *)src;
	uint64_t next = src->next_ns;
	unsigned n = 0;

	VNET_SCOPE(s->vnet);
	do {
		clock_at(next);
		send_one(s);
		next = next_time(s, next);
	} while (!sender_is_over(s, next) && next < until_ns && ++n < sched_max_batch);
	if (!sender_is_over(s, next)) {
		src->next_ns = next;
		return;
	}
	src->next_ns = NS_NEVER;
	if (s->end_fn != NULL)
		s->end_fn(s->end_ctx);
}

/* Bytes of the headers of a datagram at IP. */
static inline uint32_t
headers_of(const struct ip_family *f)
{
	return f->hdrlen + (uint32_t)sizeof(struct udp_hdr);
}

static int
config_check(const struct udp_flow_config *c)
{
	const struct ip_family *f = ip_family(c->dst.family);

	if (f == NULL)
		return EAFNOSUPPORT;
	if (c->size < HEADER || c->size > f->maxpayload - sizeof(struct udp_hdr) ||
	    c->rate_bps == 0 || c->flows == 0 || c->flows > FLOWS_MAX || ipaddr_is_any(&c->dst) ||
	    c->dport == 0 || (c->sport != 0 && c->sport + c->flows - 1 > UINT16_MAX) ||
	    (c->src.family != 0 && c->src.family != c->dst.family))
		return EINVAL;
	return 0;
}

/* Time between two packets, times the rate. */
static unsigned __int128
gap_times_rate(const struct udp_flow_config *c)
{
	uint32_t bytes = c->size + headers_of(ip_family(c->dst.family));

	return (unsigned __int128)bytes * 8 * NS_PER_SEC;
}

/* What answers to a sender: echoes, which nobody measures here. */
static void
sender_recv(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	(void)ctx;
	(void)info;
	(void)from_port;
	m_free(m);
}

struct udp_sender *
udp_sender_new(const struct udp_flow_config *c)
{
	struct udp_sender *s;
	unsigned __int128 bits_ns;
	int error = config_check(c);

	bits_ns = error == 0 ? gap_times_rate(c) : 0;
	/* A mean gap below 1 ns would stop the time. */
	if (error == 0 && c->pattern == UDP_POISSON && bits_ns < c->rate_bps)
		error = EINVAL;
	if (error != 0) {
		errno = error;
		return NULL;
	}
	s = vnet_malloc(sizeof(*s));
	if (s == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	s->c = *c;
	s->c.name = NULL;      /* the caller's */
	s->c.mcast_ifp = NULL; /* the endpoints hold it */
	s->c.src.family = c->dst.family;
	s->vnet = curvnet;
	s->src.next_ns = NS_NEVER;
	LIST_INSERT_HEAD(&VNET(udp_senders), s, link);
	__atomic_fetch_add(&traffic_live, 1, __ATOMIC_RELAXED);
	s->flow = vnet_malloc(c->flows * sizeof(s->flow[0]));
	if (s->flow == NULL) {
		s->c.flows = 0;
		udp_sender_free(s);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < c->flows; i++) {
		struct udp_endpoint *ep = udp_open(
		    &s->c.src, c->sport != 0 ? (uint16_t)(c->sport + i) : 0, sender_recv, s);

		if (ep == NULL) {
			error = errno;
			udp_sender_free(s);
			errno = error;
			return NULL;
		}
		udp_set_tos(ep, c->tos);
		udp_set_ttl(ep, c->ttl);
		udp_set_multicast_ttl(ep, c->ttl);
		udp_set_multicast_if(ep, c->mcast_ifp);
		udp_set_multicast_loop(ep, !c->no_loop);
		udp_set_fib(ep, c->fib);
		s->flow[i].ep = ep;
	}
	s->id = name_hash(c->name);
	s->gap_ns = (uint64_t)(bits_ns / c->rate_bps);
	s->gap_rem = (uint64_t)(bits_ns % c->rate_bps);
	rng_seed(&s->rng, rng_process_seed, c->name != NULL ? c->name : "");
	if (c->start_ns < c->stop_ns)
		s->src.next_ns = c->start_ns > clock_now() ? c->start_ns : clock_now();
	s->src.run = sender_run;
	sched_add(&s->src, curvnet->domain);
	return s;
}

void
udp_sender_free(struct udp_sender *s)
{
	if (s == NULL)
		return;
	if (s->vnet != NULL) {
		sched_remove(&s->src);
		LIST_REMOVE(s, link);
	}
	for (uint32_t i = 0; i < s->c.flows; i++)
		udp_close(s->flow[i].ep);
	vnet_free(s->flow);
	vnet_free(s);
	__atomic_fetch_sub(&traffic_live, 1, __ATOMIC_RELAXED);
}

void
udp_sender_on_end(struct udp_sender *s, void (*fn)(void *), void *ctx)
{
	s->end_fn = fn;
	s->end_ctx = ctx;
}

void
udp_sender_stats(const struct udp_sender *s, uint64_t *packets, uint64_t *bytes, uint64_t *errors)
{
	if (packets != NULL)
		*packets = s->packets;
	if (bytes != NULL)
		*bytes = s->bytes;
	if (errors != NULL)
		*errors = s->errors;
}

/* The stack ends under its senders: they fall silent until their owners free them. */
static void
traffic_uninit(void *arg)
{
	struct udp_sender *s;

	(void)arg;
	while ((s = LIST_FIRST(&VNET(udp_senders))) != NULL) {
		LIST_REMOVE(s, link);
		sched_remove(&s->src);
		s->vnet = NULL;
	}
}
VNET_SYSUNINIT(udp_traffic, SI_SUB_INET, SI_ORDER_ANY, traffic_uninit, NULL);

/* --- sink ------------------------------------------------------------------------------------- */

enum { WINDOW = 1024, BIN_MS = 100, BINS_MAX = 1 << 20, SINK_FLOWS_MAX = 1 << 16 };
static const uint64_t bin_ns = BIN_MS * NS_PER_MS;

/* What came of one flow. */
struct sink_flow {
	struct ipaddr from;
	uint32_t id;
	uint16_t port;
	uint64_t next; /* the highest sequence number seen, plus 1 */
	uint64_t unique;
	uint64_t seen[WINDOW / 64]; /* which of the last WINDOW numbers came: finds duplicates */
};

struct udp_sink {
	struct udp_endpoint *ep;
	bool echo;
	struct udp_sink_stats st; /* without lost, which is counted when asked for */
	struct delay_hist *delay;
	struct sink_flow **flow; /* hash with open addressing */
	uint32_t nflows, mask;
	uint64_t *bin; /* bytes at IP by time */
	uint64_t first_bin;
	uint32_t nbins;
};

static uint32_t
flow_hash(const struct ipaddr *from, uint16_t port, uint32_t id)
{
	uint64_t h = ((load64(from->b) ^ load64(from->b + 8) << 32) ^ (uint64_t)id << 32) *
	    UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)((h ^ port * UINT64_C(0xc2b2ae3d27d4eb4f)) >> 32);
}

static bool
flows_grow(struct udp_sink *s)
{
	uint32_t size = s->flow == NULL ? 8 : (s->mask + 1) * 2;
	struct sink_flow **flow = vnet_malloc(size * sizeof(struct sink_flow *));

	if (flow == NULL)
		return false;
	for (uint32_t i = 0; s->flow != NULL && i <= s->mask; i++) {
		struct sink_flow *f = s->flow[i];
		uint32_t at;

		if (f == NULL)
			continue;
		for (at = flow_hash(&f->from, f->port, f->id) & (size - 1); flow[at] != NULL;)
			at = (at + 1) & (size - 1);
		flow[at] = f;
	}
	vnet_free(s->flow);
	s->flow = flow;
	s->mask = size - 1;
	return true;
}

/* The flow's record, made if it is new; NULL without memory or when there are too many. */
static struct sink_flow *
flow_get(struct udp_sink *s, const struct ipaddr *from, uint16_t port, uint32_t id)
{
	struct sink_flow *f;
	uint32_t at;

	if ((s->flow == NULL || s->nflows * 2 > s->mask) && !flows_grow(s))
		return NULL;
	for (at = flow_hash(from, port, id) & s->mask; (f = s->flow[at]) != NULL;
	     at = (at + 1) & s->mask)
		if (f->id == id && f->port == port && ipaddr_equal(&f->from, from))
			return f;
	if (s->nflows >= SINK_FLOWS_MAX || (f = vnet_malloc(sizeof(*f))) == NULL)
		return NULL;
	f->from = *from;
	f->port = port;
	f->id = id;
	s->flow[at] = f;
	s->nflows++;
	return f;
}

/* Enter a sequence number: duplicate, out of order, or simply the next. */
static void
flow_count(struct udp_sink *s, struct sink_flow *f, uint64_t seq)
{
	uint64_t *word = &f->seen[seq % WINDOW / 64], bit = UINT64_C(1) << (seq % 64);

	if (seq >> 48 != 0)
		return; /* no sender gets there: forged */
	if (seq >= f->next) {
		/* Numbers between are not there yet: their places in the window become free. */
		if (seq - f->next >= WINDOW)
			memset(f->seen, 0, sizeof(f->seen));
		else
			for (uint64_t i = f->next; i < seq; i++)
				f->seen[i % WINDOW / 64] &= ~(UINT64_C(1) << (i % 64));
		*word |= bit;
		f->next = seq + 1;
		f->unique++;
		return;
	}
	if (f->next - seq <= WINDOW && (*word & bit)) {
		s->st.duplicated++;
		return;
	}
	/* Older than the window: late rather than twice, as far as anybody can tell. */
	if (f->next - seq <= WINDOW)
		*word |= bit;
	s->st.reordered++;
	f->unique++;
}

static void
bin_count(struct udp_sink *s, uint64_t t, uint64_t bytes)
{
	uint64_t at = t / bin_ns;

	if (s->bin == NULL)
		s->first_bin = at;
	if (at < s->first_bin)
		at = s->first_bin;
	at -= s->first_bin;
	if (at >= s->nbins) {
		uint64_t n = s->nbins == 0 ? 16 : s->nbins;
		uint64_t *bin;

		while (n <= at && n < BINS_MAX)
			n *= 2;
		if (at >= n || (bin = vnet_malloc(n * sizeof(*bin))) == NULL)
			return; /* a run of more than a day: later bytes are in the total only */
		if (s->bin != NULL)
			memcpy(bin, s->bin, s->nbins * sizeof(*bin));
		vnet_free(s->bin);
		s->bin = bin;
		s->nbins = (uint32_t)n;
	}
	s->bin[at] += bytes;
}

static void
sink_recv(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	struct udp_sink *s = ctx;
	struct sink_flow *f;
	uint64_t sent_ns, now = clock_now();
	uint32_t ip_len = m->len + headers_of(info->family);

	if (s->st.packets == 0)
		s->st.first_ns = now;
	s->st.last_ns = now;
	s->st.packets++;
	s->st.bytes += m->len;
	s->st.ip_bytes += ip_len;
	bin_count(s, now, ip_len);
	if (m->len >= HEADER && load32(m->data) == __builtin_bswap32(MAGIC)) {
		f = flow_get(s, &info->src, from_port, __builtin_bswap32(load32(m->data + 4)));
		if (f != NULL)
			flow_count(s, f, load_be64(m->data + 8));
		sent_ns = load_be64(m->data + 16);
		delay_hist_add(s->delay, now > sent_ns ? now - sent_ns : 0);
	} else if (!s->echo) {
		m_drop(m, &DROP_UDP_SINK);
		return;
	}
	if (s->echo)
		udp_send(s->ep, m, &info->src, from_port);
	else
		m_free(m);
}

/* 0 or -errno. */
static int
sink_open(struct udp_sink *s, const struct ipaddr *addr, uint16_t port, struct ifnet *ifp,
    const struct ipaddr *sources, unsigned n)
{
	int error;

	if ((s->delay = delay_hist_new()) == NULL)
		return -ENOMEM;
	if ((s->ep = udp_open(addr, port, sink_recv, s)) == NULL)
		return -errno;
	if (!ipaddr_is_multicast(addr))
		return 0;
	error = udp_join(s->ep, ifp, addr);
	if (error == 0 && n > 0)
		error = udp_set_filter(s->ep, ifp, addr, MCAST_MODE_INCLUDE, sources, n);
	return error;
}

struct udp_sink *
udp_sink_new_member(const struct ipaddr *group, uint16_t port, bool echo, struct ifnet *ifp,
    const struct ipaddr *sources, unsigned n)
{
	struct udp_sink *s = vnet_malloc(sizeof(*s));
	int error;

	if (s == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	__atomic_fetch_add(&traffic_live, 1, __ATOMIC_RELAXED);
	s->echo = echo;
	error = sink_open(s, group, port, ifp, sources, n);
	if (error == 0)
		return s;
	udp_sink_free(s);
	errno = -error;
	return NULL;
}

struct udp_sink *
udp_sink_new(const struct ipaddr *addr, uint16_t port, bool echo)
{
	return udp_sink_new_member(addr, port, echo, NULL, NULL, 0);
}

void
udp_sink_free(struct udp_sink *s)
{
	if (s == NULL)
		return;
	udp_close(s->ep);
	delay_hist_free(s->delay);
	for (uint32_t i = 0; s->flow != NULL && i <= s->mask; i++)
		vnet_free(s->flow[i]);
	vnet_free(s->flow);
	vnet_free(s->bin);
	vnet_free(s);
	__atomic_fetch_sub(&traffic_live, 1, __ATOMIC_RELAXED);
}

void
udp_sink_stats(const struct udp_sink *s, struct udp_sink_stats *st)
{
	*st = s->st;
	st->delay = s->delay;
	st->lost = 0;
	/* What is behind the last number that came, only the sender knows. */
	for (uint32_t i = 0; s->flow != NULL && i <= s->mask; i++)
		if (s->flow[i] != NULL)
			st->lost += s->flow[i]->next - s->flow[i]->unique;
}

uint64_t
udp_sink_bytes_between(const struct udp_sink *s, uint64_t from_ns, uint64_t to_ns)
{
	unsigned __int128 sum = 0;

	for (uint32_t i = 0; i < s->nbins; i++) {
		uint64_t begin = (s->first_bin + i) * bin_ns, end = begin + bin_ns;

		if (begin < from_ns)
			begin = from_ns;
		if (end > to_ns)
			end = to_ns;
		/* A bin that is cut counts by its share. */
		if (begin < end)
			sum += (unsigned __int128)s->bin[i] * (end - begin);
	}
	return (uint64_t)(sum / bin_ns);
}
