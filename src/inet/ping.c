/*
 * ping.c - the engine behind ping: echo requests at exact times, and what comes back.
 *
 *	ping_run	an event source: the next request is due
 *	ping_input	a raw listener for ICMP: replies, and errors that quote a request of ours
 *	ping_timeout	a callout: all is sent, and the last reply does not come any more
 *
 * The time of sending travels in the first eight bytes of the data, as in every ping; requests too
 * small for it are not timed.
 */
#include "inet/ping.h"

#include "base/sched.h"
#include "inet/icmp.h"

#include <errno.h>
#include <math.h>

enum { STAMP_LEN = 8, SIZE_MAX_ = IP_MAXPACKET_ - 20 - 8, PATTERN_MAX = 16, TSTAMP_LEN = 12 };
/* Between two requests of a flood, so that time goes on even where a reply takes none. */
static const uint64_t flood_gap_ns = 10 * NS_PER_US;

struct ping {
	struct sched_source src;
	struct callout timer;
	struct ip_raw raw;
	struct ping_config c;
	struct vnet *vnet;     /* NULL when the stack has ended */
	LIST_ENTRY(ping) link; /* the stack's pings */
	uint16_t id;
	uint32_t size; /* of the next request */
	uint64_t left; /* requests still to send; UINT64_MAX = no limit */
	bool all_sent, done;
	uint64_t last_sent_ns, max_rtt_ns;
	double sum_ns, sum_sq_ns;
	struct ping_stats st;
	struct delay_hist *rtt;
	uint64_t *answered; /* a bit per sequence number, modulo its length */
	uint32_t answered_mask;
	uint8_t pattern[PATTERN_MAX];
	void (*on_reply)(void *ctx, const struct ping_reply *r);
	void (*on_done)(void *ctx);
	void (*on_sent)(void *ctx, uint16_t seq);
	void (*on_failed)(void *ctx, int err);
	void *ctx;
};

LIST_HEAD(ping_list, ping);
VNET_DEFINE_STATIC(struct ping_list, pings);
VNET_DEFINE_STATIC(uint16_t, ping_next_id);

static uint64_t ping_live; /* atomic */

static uint64_t
ping_audit(void)
{
	return __atomic_load_n(&ping_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(ping, "ping", ping_audit);

/* --- out -------------------------------------------------------------------------------------- */

static void
fill_data(const struct ping *p, uint8_t *data, uint32_t size)
{
	uint32_t at = 0;

	if (size >= STAMP_LEN) {
		store64(data, __builtin_bswap64(clock_now()));
		at = STAMP_LEN;
	}
	for (uint32_t i = at; i < size; i++)
		data[i] = p->c.pattern_len > 0 ? p->pattern[(i - at) % p->c.pattern_len] :
						 (uint8_t)i;
}

/* 0 or a positive errno. */
static int
send_request(struct ping *p, uint16_t seq)
{
	/* Record route: room for nine addresses, and an end of list. */
	static const uint8_t record_route[40] = { 7, 39, 4 };
	struct ip_opts_out o = {
		.tos = p->c.tos,
		.ttl = p->c.ttl,
		.df = p->c.df,
		.dont_route = p->c.dont_route,
		.options = p->c.record_route ? record_route : NULL,
		.options_len = p->c.record_route ? sizeof(record_route) : 0,
	};
	uint32_t extra = p->c.timestamp ? TSTAMP_LEN : 0;
	struct mbuf *m = m_get((uint32_t)sizeof(struct icmp_hdr) + extra + p->size);
	struct icmp_hdr *icmp;

	if (m == NULL)
		return ENOBUFS;
	m->fib = p->c.fib;
	icmp = mtod(m, struct icmp_hdr *);
	*icmp = (struct icmp_hdr){
		.type = p->c.timestamp ? ICMP_TSTAMP_ : ICMP_ECHO_,
		.echo = { to_be16(p->id), to_be16(seq) },
	};
	if (extra > 0) {
		be32 now = to_be32(icmp_ms_of_day());

		memset(icmp + 1, 0, extra);
		memcpy(icmp + 1, &now, sizeof(now));
	}
	fill_data(p, (uint8_t *)(icmp + 1) + extra, p->size);
	icmp_finish(m);
	return -ip_output(m, ipaddr_in(&p->c.src), ipaddr_in(&p->c.dst), IPPROTO_ICMP_, &o);
}

/* The last reply's deadline. */
static void
wait_for_rest(struct ping *p)
{
	uint64_t wait_ns = p->c.wait_ns, until;

	if (p->c.short_wait && p->st.received > 0) {
		wait_ns = 2 * p->max_rtt_ns;
		if (wait_ns < NS_PER_SEC)
			wait_ns = NS_PER_SEC;
		if (wait_ns > p->c.wait_ns)
			wait_ns = p->c.wait_ns;
	}
	until = p->last_sent_ns + wait_ns;
	callout_reset(&p->timer, until > clock_now() ? until - clock_now() : 0);
}

static void
send_next(struct ping *p)
{
	uint16_t seq = (uint16_t)p->st.sent;
	int error;

	p->answered[(seq & p->answered_mask) / 64] &= ~(UINT64_C(1) << (seq % 64));
	p->st.sent++;
	if (p->left != UINT64_MAX)
		p->left--;
	/*
	 * Live, the clock stands still within a turn of the loop: what happened before is no part
	 * of the way.
	 */
	p->last_sent_ns = clock_update();
	error = send_request(p, seq);
	if (error != 0)
		p->st.send_errors++;
	if (error != 0 && p->on_failed != NULL)
		p->on_failed(p->ctx, error);
	else if (error == 0 && p->on_sent != NULL)
		p->on_sent(p->ctx, seq);
	if (p->c.sweep_max != 0 && p->st.sent % p->c.sweep_each == 0) {
		p->size += p->c.sweep_step;
		if (p->size > p->c.sweep_max)
			p->size = p->c.size;
	}
}

static void
ping_run(struct sched_source *src, uint64_t until_ns)
{
	struct ping *p = (struct ping *)(void *)src;
	uint64_t next = src->next_ns;
	unsigned n = 0;

	VNET_SCOPE(p->vnet);
	do {
		clock_at(next);
		send_next(p);
		while (p->st.sent < p->c.preload && p->left > 0)
			send_next(p);
		next += p->c.interval_ns;
	} while (p->left > 0 && next < p->c.stop_ns && next < until_ns && ++n < sched_max_batch &&
	    !p->c.flood);
	if (p->left > 0 && next < p->c.stop_ns) {
		src->next_ns = next;
		return;
	}
	src->next_ns = NS_NEVER;
	p->all_sent = true;
	wait_for_rest(p);
}

/* --- in --------------------------------------------------------------------------------------- */

/* The owner may free p in here. */
static void
ping_finish(struct ping *p)
{
	if (p->done)
		return;
	p->done = true;
	callout_stop(&p->timer);
	if (p->src.next_ns != NS_NEVER)
		sched_update(&p->src, NS_NEVER);
	if (p->on_done != NULL)
		p->on_done(p->ctx);
}

static void
ping_timeout(void *arg)
{
	ping_finish(arg);
}

/* A reply to the request seq has come; data is what it carries behind the header. */
static void
reply_count(struct ping *p, struct ping_reply *r, const uint8_t *data, uint32_t len)
{
	uint64_t bit = UINT64_C(1) << (r->seq % 64);
	uint64_t *word = &p->answered[(r->seq & p->answered_mask) / 64];

	if (len >= STAMP_LEN) {
		uint64_t sent = __builtin_bswap64(load64(data)), now = clock_update();

		r->timed = sent <= now;
		r->rtt_ns = r->timed ? now - sent : 0;
	}
	if (r->timed && r->rtt_ns > p->c.wait_ns) {
		r->late = true;
		p->st.late++;
		return;
	}
	if (r->timed) {
		delay_hist_add(p->rtt, r->rtt_ns);
		p->sum_ns += (double)r->rtt_ns;
		p->sum_sq_ns += (double)r->rtt_ns * (double)r->rtt_ns;
		if (r->rtt_ns > p->max_rtt_ns)
			p->max_rtt_ns = r->rtt_ns;
	}
	if (*word & bit) {
		r->dup = true;
		p->st.duplicates++;
	} else {
		*word |= bit;
		p->st.received++;
	}
}

/* An error: does it quote a request of ours? */
static bool
error_is_ours(const struct ping *p, const struct mbuf *m, unsigned hlen, uint16_t *seq)
{
	const struct ip_hdr *inner = (const void *)(m->data + hlen + sizeof(struct icmp_hdr));
	unsigned left = m->len - hlen - (unsigned)sizeof(struct icmp_hdr);
	const struct icmp_hdr *request;

	if (left < sizeof(*inner) || ip_hlen(inner) < sizeof(*inner) ||
	    left < ip_hlen(inner) + sizeof(*request))
		return false;
	request = (const void *)((const uint8_t *)inner + ip_hlen(inner));
	if (inner->proto != IPPROTO_ICMP_ || inner->dst != ipaddr_in(&p->c.dst) ||
	    request->type != (p->c.timestamp ? ICMP_TSTAMP_ : ICMP_ECHO_) ||
	    from_be16(request->echo.id) != p->id)
		return false;
	*seq = from_be16(request->echo.seq);
	return true;
}

static void
ping_input(struct ip_raw *raw, const struct mbuf *m, unsigned hlen)
{
	struct ping *p = (struct ping *)(void *)((uint8_t *)raw - offsetof(struct ping, raw));
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	uint32_t head = (uint32_t)sizeof(*icmp) + (p->c.timestamp ? TSTAMP_LEN : 0);
	struct ping_reply r;

	if (p->done || m->len < hlen + sizeof(*icmp) ||
	    cksum_fold(cksum_add(0, icmp, m->len - hlen)) != 0)
		return;
	r = (struct ping_reply){
		.from = ipaddr4(ip->src),
		.ttl = ip->ttl,
		.bytes = m->len - hlen,
		.icmp_type = icmp->type,
		.icmp_code = icmp->code,
		.m = m,
	};
	switch (icmp->type) {
	case ICMP_ECHOREPLY_:
	case ICMP_TSTAMPREPLY_:
		if ((icmp->type == ICMP_TSTAMPREPLY_) != p->c.timestamp || m->len < hlen + head ||
		    from_be16(icmp->echo.id) != p->id)
			return;
		r.seq = from_be16(icmp->echo.seq);
		reply_count(p, &r, (const uint8_t *)icmp + head, m->len - hlen - head);
		break;
	case ICMP_UNREACH_:
	case ICMP_SOURCEQUENCH_:
	case ICMP_REDIRECT_:
	case ICMP_TIMXCEED_:
	case ICMP_PARAMPROB_:
		if (!error_is_ours(p, m, hlen, &r.seq))
			return;
		if (icmp->type != ICMP_REDIRECT_)
			p->st.errors++;
		break;
	default:
		return;
	}
	if (p->on_reply != NULL)
		p->on_reply(p->ctx, &r);
	if (p->done)
		return;
	if (p->st.received > 0 &&
	    (p->c.stop_at_first || (p->all_sent && p->st.received >= p->st.sent))) {
		ping_finish(p);
	} else if (p->c.flood && !p->all_sent) {
		uint64_t next = p->last_sent_ns + flood_gap_ns;

		sched_update(&p->src, next > clock_now() ? next : clock_now());
	}
}

/* --- life ------------------------------------------------------------------------------------- */

static bool
id_in_use(uint16_t id)
{
	struct ping *p;

	LIST_FOREACH(p, &VNET(pings), link)
		if (p->id == id)
			return true;
	return false;
}

/* Identifiers are counted per stack: the same at every run, and no two pings share one. */
static uint16_t
new_id(void)
{
	uint16_t id;

	do {
		id = ++VNET(ping_next_id);
	} while (id_in_use(id));
	return id;
}

struct ping *
ping_new(const struct ping_config *c, void (*on_reply)(void *, const struct ping_reply *),
    void (*on_done)(void *), void *ctx)
{
	uint64_t window = c->count == 0 || c->count > 65536 ? 65536 : c->count;
	struct ping *p;
	uint32_t bits = 64;

	if (c->size > SIZE_MAX_ || c->sweep_max > SIZE_MAX_ || c->pattern_len > PATTERN_MAX ||
	    c->interval_ns == 0 ||
	    (c->sweep_max != 0 && (c->sweep_step == 0 || c->sweep_each == 0))) {
		errno = EINVAL;
		return NULL;
	}
	if (c->dst.family != AF_INET) {
		errno = EAFNOSUPPORT;
		return NULL;
	}
	while (bits < window)
		bits *= 2;
	p = vnet_malloc(sizeof(*p));
	if (p == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	p->answered = vnet_malloc(bits / 8);
	p->rtt = delay_hist_new();
	if (p->answered == NULL || p->rtt == NULL) {
		delay_hist_free(p->rtt);
		vnet_free(p->answered);
		vnet_free(p);
		errno = ENOMEM;
		return NULL;
	}
	__atomic_fetch_add(&ping_live, 1, __ATOMIC_RELAXED);
	p->answered_mask = bits - 1;
	p->c = *c;
	if (c->pattern_len > 0)
		memcpy(p->pattern, c->pattern, c->pattern_len);
	p->c.pattern = p->pattern;
	p->size = c->size;
	p->left = c->count == 0 ? UINT64_MAX : c->count;
	p->id = new_id();
	p->on_reply = on_reply;
	p->on_done = on_done;
	p->ctx = ctx;
	p->vnet = curvnet;
	callout_init(&p->timer, curvnet, ping_timeout, p);
	LIST_INSERT_HEAD(&VNET(pings), p, link);
	p->raw = (struct ip_raw){ .proto = IPPROTO_ICMP_, .input = ping_input };
	ip_raw_attach(&p->raw);

	p->src.run = ping_run;
	p->src.next_ns = c->start_ns > clock_now() ? c->start_ns : clock_now();
	if (p->src.next_ns >= c->stop_ns) {
		p->src.next_ns = NS_NEVER;
		p->all_sent = true;
		callout_reset(&p->timer, 0);
	}
	sched_add(&p->src, curvnet->domain);
	return p;
}

/* Take p out of its stack. */
static void
ping_leave(struct ping *p)
{
	VNET_SCOPE(p->vnet);
	sched_remove(&p->src);
	callout_drain(&p->timer);
	ip_raw_detach(&p->raw);
	LIST_REMOVE(p, link);
	p->vnet = NULL;
}

void
ping_free(struct ping *p)
{
	if (p == NULL)
		return;
	if (p->vnet != NULL)
		ping_leave(p);
	delay_hist_free(p->rtt);
	vnet_free(p->answered);
	vnet_free(p);
	__atomic_fetch_sub(&ping_live, 1, __ATOMIC_RELAXED);
}

void
ping_on_send(struct ping *p, void (*sent)(void *, uint16_t), void (*failed)(void *, int))
{
	p->on_sent = sent;
	p->on_failed = failed;
}

void
ping_stats(const struct ping *p, struct ping_stats *st)
{
	double n = (double)delay_hist_count(p->rtt), variance;

	*st = p->st;
	st->rtt = p->rtt;
	if (n > 0) {
		st->rtt_mean_ns = p->sum_ns / n;
		variance = p->sum_sq_ns / n - st->rtt_mean_ns * st->rtt_mean_ns;
		st->rtt_stddev_ns = variance > 0 ? sqrt(variance) : 0;
	}
}

/* The stack ends under its pings: they are silent until their owners free them. */
static void
pings_uninit(void *arg)
{
	struct ping *p;

	(void)arg;
	while ((p = LIST_FIRST(&VNET(pings))) != NULL)
		ping_leave(p);
}
VNET_SYSUNINIT(ping, SI_SUB_INET, SI_ORDER_ANY, pings_uninit, NULL);
