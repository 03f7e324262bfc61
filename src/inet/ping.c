/*
 * ping.c - the engine behind ping: echo requests of either family at exact times, and what comes
 * back.
 *
 *	ping_run	an event source: the next request is due
 *	ping_input	a raw listener for ICMP or ICMPv6: replies, errors that quote a request
 *	ping_timeout	a callout: all is sent, and the last reply does not come any more
 *
 * The time of sending travels in the first eight bytes of the data, as in every ping; requests too
 * small for it are not timed.
 */
#include "inet/ping.h"

#include "base/sched.h"
#include "inet/icmp.h"
#include "net/if.h"

#include <errno.h>
#include <math.h>

enum { STAMP_LEN = 8, PATTERN_MAX = 16 };

/* What the kinds of requests have behind the eight bytes that all have (RFC 792, 950). */
static const struct {
	uint8_t request, reply; /* IPv4; echoes have the family's */
	uint8_t extra;          /* bytes before the data */
} kinds[] = {
	[PING_ECHO] = { 0, 0, 0 },
	[PING_TIMESTAMP] = { ICMP_TSTAMP_, ICMP_TSTAMPREPLY_, 12 },
	[PING_MASK] = { ICMP_MASKREQ_, ICMP_MASKREPLY_, 4 },
};

/* Between two requests of a flood, so that time goes on even where a reply takes none. */
static const uint64_t flood_gap_ns = 10 * NS_PER_US;

struct ping {
	struct sched_source src;
	struct callout timer;
	struct ip_raw raw;
	struct ping_config c; /* ifp is a reference */
	const struct ip_family *family;
	uint8_t request, reply, extra; /* of the kind */
	struct vnet *vnet;             /* NULL when the stack has ended */
	LIST_ENTRY(ping) link;         /* the stack's pings */
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
AUDIT_COUNTER(ping, "ping", ping_live);

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

/* The source, which the sum of ICMPv6 covers; IPv4's output finds it for itself. 0 or -errno. */
static int
find_source(const struct ping *p, struct ipaddr *src)
{
	*src = p->c.src;
	if (!p->family->icmp_pseudo || !ipaddr_is_any(src))
		return 0;
	return p->family->source_for(p->c.fib, p->c.ifp, &p->c.dst, src);
}

/* The request, without its IP header; NULL without memory. */
static struct mbuf *
make_request(const struct ping *p, const struct ipaddr *src, uint16_t seq)
{
	struct mbuf *m = m_get((uint32_t)sizeof(struct icmp_hdr) + p->extra + p->size);
	struct icmp_hdr *icmp;

	if (m == NULL)
		return NULL;
	m->fib = p->c.fib;
	icmp = mtod(m, struct icmp_hdr *);
	*icmp = (struct icmp_hdr){
		.type = p->request,
		.echo = { to_be16(p->id), to_be16(seq) },
	};
	memset(icmp + 1, 0, p->extra);
	if (p->c.kind == PING_TIMESTAMP) {
		be32 now = to_be32(icmp_ms_of_day());

		memcpy(icmp + 1, &now, sizeof(now));
	}
	fill_data(p, (uint8_t *)(icmp + 1) + p->extra, p->size);
	icmp->sum = ip_icmp_sum(p->family, src, &p->c.dst, icmp, m->len);
	return m;
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
		.ifp = p->c.ifp,
		.no_loop = p->c.no_loop,
		.options = p->c.record_route ? record_route : NULL,
		.options_len = p->c.record_route ? sizeof(record_route) : 0,
	};
	struct ipaddr src;
	struct mbuf *m;
	int error;

	if (p->c.ifp != NULL && !if_is_in(p->c.ifp, p->vnet))
		return ENXIO;
	if ((error = find_source(p, &src)) != 0)
		return -error;
	if ((m = make_request(p, &src, seq)) == NULL)
		return ENOBUFS;
	return -p->family->output(m, &src, &p->c.dst, p->family->icmp_proto, &o);
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
		if (p->family->confirm != NULL)
			p->family->confirm(p->c.fib, &p->c.dst);
	}
}

/* An error: does it quote a request of ours? */
static bool
error_is_ours(const struct ping *p, const struct mbuf *m, unsigned hlen, uint16_t *seq)
{
	const struct icmp_hdr *request;
	struct ip_quoted q;

	if (!p->family->quoted(m, hlen, &q))
		return false;
	request = (const void *)(m->data + q.upper);
	if (q.proto != p->family->icmp_proto || !ipaddr_equal(&q.dst, &p->c.dst) ||
	    request->type != p->request || from_be16(request->echo.id) != p->id)
		return false;
	*seq = from_be16(request->echo.seq);
	return true;
}

/* Replies are counted by their number, errors as such. False: none of our business. */
static bool
count_answer(struct ping *p, struct ping_reply *r)
{
	const struct icmp_hdr *icmp = (const void *)(r->m->data + r->hlen);
	uint32_t head = (uint32_t)sizeof(*icmp) + p->extra;

	if (icmp->type == p->reply) {
		if (r->bytes < head || from_be16(icmp->echo.id) != p->id)
			return false;
		r->seq = from_be16(icmp->echo.seq);
		reply_count(p, r, (const uint8_t *)icmp + head, r->bytes - head);
		return true;
	}
	if (!error_is_ours(p, r->m, r->hlen, &r->seq))
		return false;
	r->is_error = true;
	/* A redirect is a hint: the request goes on its way. */
	if (p->family->af != AF_INET || icmp->type != ICMP_REDIRECT_)
		p->st.errors++;
	return true;
}

static bool
ping_input(struct ip_raw *raw, const struct mbuf *m, unsigned hlen)
{
	struct ping *p = (struct ping *)(void *)((uint8_t *)raw - offsetof(struct ping, raw));
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	struct ping_reply r;
	struct ip_info info;

	if (p->done || m->len < hlen + sizeof(*icmp))
		return false;
	p->family->info(m, hlen, &info);
	if (ip_icmp_sum(p->family, &info.src, &info.dst, icmp, m->len - hlen) != 0)
		return false;
	r = (struct ping_reply){
		.from = info.src,
		.to = info.dst,
		.ttl = info.ttl,
		.bytes = m->len - hlen,
		.icmp_type = icmp->type,
		.icmp_code = icmp->code,
		.m = m,
		.hlen = hlen,
	};
	if (!count_answer(p, &r))
		return false;
	if (p->on_reply != NULL)
		p->on_reply(p->ctx, &r);
	if (p->done)
		return false;
	if (p->st.received > 0 &&
	    (p->c.stop_at_first || (p->all_sent && p->st.received >= p->st.sent))) {
		ping_finish(p);
	} else if (p->c.flood && !p->all_sent) {
		uint64_t next = p->last_sent_ns + flood_gap_ns;

		sched_update(&p->src, next > clock_now() ? next : clock_now());
	}
	return false; /* a look at it */
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

/* 0 or a positive errno. */
static int
config_check(const struct ping_config *c)
{
	const struct ip_family *f = ip_family(c->dst.family);
	uint32_t max;

	if (f == NULL)
		return EAFNOSUPPORT;
	max = f->maxpayload - (uint32_t)sizeof(struct icmp_hdr) - kinds[c->kind].extra;
	if (c->size > max || c->sweep_max > max || c->pattern_len > PATTERN_MAX ||
	    c->interval_ns == 0 ||
	    (c->sweep_max != 0 && (c->sweep_step == 0 || c->sweep_each == 0)) ||
	    (c->src.family != 0 && c->src.family != c->dst.family) ||
	    (f->af != AF_INET && (c->kind != PING_ECHO || c->record_route)))
		return EINVAL;
	return 0;
}

/* A ping with its tables, not yet in its stack; NULL without memory. */
static struct ping *
ping_alloc(const struct ping_config *c)
{
	uint64_t window = c->count == 0 || c->count > 65536 ? 65536 : c->count;
	struct ping *p = vnet_malloc(sizeof(*p));
	uint32_t bits = 64;

	while (bits < window)
		bits *= 2;
	if (p == NULL)
		return NULL;
	p->answered = vnet_malloc(bits / 8);
	p->rtt = delay_hist_new();
	if (p->answered == NULL || p->rtt == NULL) {
		delay_hist_free(p->rtt);
		vnet_free(p->answered);
		vnet_free(p);
		return NULL;
	}
	p->answered_mask = bits - 1;
	__atomic_fetch_add(&ping_live, 1, __ATOMIC_RELAXED);
	return p;
}

static void
take_config(struct ping *p, const struct ping_config *c)
{
	p->c = *c;
	p->family = ip_family(c->dst.family);
	p->c.src.family = c->dst.family;
	if (c->ifp != NULL) {
		if_ref(c->ifp);
		ipaddr_set_zone(&p->c.dst, c->ifp->if_index);
	}
	p->request = c->kind == PING_ECHO ? p->family->echo : kinds[c->kind].request;
	p->reply = c->kind == PING_ECHO ? p->family->reply : kinds[c->kind].reply;
	p->extra = kinds[c->kind].extra;
	if (c->pattern_len > 0)
		memcpy(p->pattern, c->pattern, c->pattern_len);
	p->c.pattern = p->pattern;
	p->size = c->size;
	p->left = c->count == 0 ? UINT64_MAX : c->count;
}

struct ping *
ping_new(const struct ping_config *c, void (*on_reply)(void *, const struct ping_reply *),
    void (*on_done)(void *), void *ctx)
{
	int error = config_check(c);
	struct ping *p = error == 0 ? ping_alloc(c) : NULL;

	if (p == NULL) {
		errno = error != 0 ? error : ENOMEM;
		return NULL;
	}
	take_config(p, c);
	p->id = new_id();
	p->on_reply = on_reply;
	p->on_done = on_done;
	p->ctx = ctx;
	p->vnet = curvnet;
	callout_init(&p->timer, curvnet, ping_timeout, p);
	LIST_INSERT_HEAD(&VNET(pings), p, link);
	p->raw = (struct ip_raw){
		.proto = p->family->icmp_proto,
		.family = c->dst.family,
		.input = ping_input,
	};
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
	if (p->c.ifp != NULL)
		if_rele(p->c.ifp);
	p->c.ifp = NULL;
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
