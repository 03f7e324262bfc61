/*
 * traceroute.c - the engine of traceroute and traceroute6: which routers a packet passes.
 *
 * Probes with a growing time to live go out one by one; the router where one expires answers with
 * "time exceeded", the destination with "port unreachable" (UDP) or an echo reply (-I). A raw
 * listener sees the answers. The next probe goes out as soon as the one before is answered or given
 * up:
 *
 *	trace_next	print what is due, send the next probe, or end
 *	trace_input	an answer to the probe that is out -> trace_next
 *	trace_timeout	none came, or the pause is over -> trace_next
 *
 * Probes are made whole here, UDP's header too: so they may go as no endpoint sends (IP options, no
 * fragments).
 */
#include "inet/traceroute.h"

#include "inet/udp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

VNET_DEFINE_STATIC(uint16_t, trace_next_id);

static uint64_t trace_live; /* atomic */
AUDIT_COUNTER(traceroute, "traceroute", trace_live);

static void trace_next(struct trace *t);

/* Never 0, and no id of a ping, which count from 1. */
uint16_t
trace_new_id(void)
{
	return (uint16_t)(++VNET(trace_next_id) | 0x8000);
}

void
trace_end(struct trace *t, int status)
{
	struct verb_run *v = t->v;

	ip_raw_detach(&t->raw);
	callout_drain(&t->timer);
	udp_close(t->ep);
	if (t->line_open) {
		emit_end(v->out);
		emit_end(v->out);
		emit_text(v->out, "\n");
	}
	emit_end(v->out);
	free(t);
	__atomic_fetch_sub(&trace_live, 1, __ATOMIC_RELAXED);
	verb_finish(v, status);
}

/* --- probes out ------------------------------------------------------------------------------- */

/* The port that the probe seq goes to. */
static uint16_t
probe_port(const struct trace *t)
{
	return (uint16_t)(t->w.port + (t->w.fixed_port ? 0 : t->seq));
}

/* The source, which sums over a pseudo-header need. 0 or -errno. */
static int
find_source(const struct trace *t, const struct ipaddr *dst, struct ipaddr *src)
{
	*src = t->w.src;
	if (!ipaddr_is_any(src) || (t->w.icmp && !t->family->icmp_pseudo))
		return 0;
	return t->family->source_for(t->v->fib, NULL, dst, src);
}

static void
fill_udp(const struct trace *t, struct mbuf *m, const struct ipaddr *src)
{
	struct udp_hdr *uh = mtod(m, struct udp_hdr *);
	uint8_t *data = (uint8_t *)(uh + 1);

	uh->sport = to_be16(udp_port(t->ep));
	uh->dport = to_be16(probe_port(t));
	uh->len = to_be16((uint16_t)m->len);
	if (m->len >= sizeof(*uh) + 2) {
		data[0] = (uint8_t)t->seq;
		data[1] = (uint8_t)t->ttl;
	}
	/* On a source route, too, it is about the last destination. */
	uh->sum = cksum_fold(cksum_add(
	    t->family->pseudo_sum(src, &t->w.dst, IPPROTO_UDP_, m->len), m->data, m->len));
	if (uh->sum == 0)
		uh->sum = UINT16_MAX;
}

static void
fill_icmp(const struct trace *t, struct mbuf *m, const struct ipaddr *src)
{
	struct icmp_hdr *icmp = mtod(m, struct icmp_hdr *);

	icmp->type = t->family->echo;
	icmp->echo.id = to_be16(t->id);
	icmp->echo.seq = to_be16(t->seq);
	icmp->sum = ip_icmp_sum(t->family, src, &t->w.dst, icmp, m->len);
}

/* 0 or -errno. */
static int
send_probe(struct trace *t)
{
	const struct ip_opts_out o = {
		.tos = t->w.tos,
		.ttl = (uint8_t)t->ttl,
		.df = t->w.df,
		.dont_route = t->w.dont_route,
		.options = t->options_len > 0 ? t->options : NULL,
		.options_len = t->options_len,
	};
	const struct ipaddr *to = t->w.ngateways > 0 ? &t->w.gateway[0] : &t->w.dst;
	uint32_t headers = t->w.icmp ? t->tool->headers_icmp : t->tool->headers_udp;
	struct ipaddr src;
	struct mbuf *m;
	int error = find_source(t, to, &src);

	if (error != 0)
		return error;
	m = m_get(t->w.len - headers + (uint32_t)sizeof(struct udp_hdr));
	if (m == NULL)
		return -ENOBUFS;
	memset(m->data, 0, m->len);
	m->fib = t->v->fib;
	if (t->w.icmp)
		fill_icmp(t, m, &src);
	else
		fill_udp(t, m, &src);
	return t->family->output(m, &src, to, t->w.icmp ? t->family->icmp_proto : IPPROTO_UDP_, &o);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void
line_begin(struct trace *t)
{
	emit_object(t->v->out, NULL);
	emit_uint(t->v->out, "ttl", "%2" PRIu64 " ", t->ttl);
	emit_list(t->v->out, "probe");
	t->line_open = true;
	t->any_from = t->got_there = false;
	t->unreachable = t->lost = 0;
}

static void
line_end(struct trace *t)
{
	emit_end(t->v->out);
	if (t->w.summary)
		emit_text(t->v->out, " (%u%% loss)", t->lost * 100 / t->w.nprobes);
	emit_end(t->v->out);
	emit_text(t->v->out, "\n");
	emit_flush(t->v->out);
	t->line_open = false;
}

static void
print_lost(struct trace *t)
{
	t->lost++;
	emit_text(t->v->out, " *");
	emit_object(t->v->out, NULL);
	emit_null(t->v->out, "from");
	emit_end(t->v->out);
	emit_flush(t->v->out);
}

/* An "unreachable": its letter; counts those that end the way. */
static void
print_unreach(struct trace *t, const struct icmp_hdr *icmp)
{
	const char *mark = icmp->code < t->tool->nmarks ? t->tool->mark[icmp->code] : NULL;

	t->unreachable++;
	if (mark != NULL)
		emit_str(t->v->out, "unreachable", " %s", mark);
	else
		emit_text(t->v->out, " !<%u>", icmp->code);
}

/* What the answer says of the way beside where it came from. */
static void
print_verdict(struct trace *t, const struct icmp_hdr *icmp)
{
	const struct ip_family *f = t->family;
	uint32_t mtu;

	if (icmp->type == f->timxceed)
		return;
	if (icmp->type == f->reply || (icmp->type == f->unreach && icmp->code == f->unreach_port)) {
		t->got_there = true;
		return;
	}
	/* The destination itself has no such protocol: as good as a port. */
	if (t->tool->is_no_protocol(icmp))
		t->got_there = true;
	if (t->tool->is_too_big(icmp, &mtu)) {
		t->unreachable++;
		emit_text(t->v->out, " !F-%u", mtu);
		emit_uint(t->v->out, "mtu", NULL, mtu);
	} else {
		print_unreach(t, icmp);
	}
}

/* Where an answer came from, unless the one before came from there too. */
static void
print_from(struct trace *t, const struct ipaddr *addr, const char *name, const char *from)
{
	struct emitter *e = t->v->out;

	if (t->any_from && ipaddr_equal(addr, &t->last_from))
		return;
	if (t->any_from && !t->w.numeric)
		emit_text(e, "\n   ");
	emit_text(e, " %s", name != NULL ? name : from);
	if (t->w.both && !t->w.numeric)
		emit_text(e, " (%s)", from);
	t->last_from = *addr;
	t->any_from = true;
}

static void
print_answer(struct trace *t, const struct ip_info *info, const struct icmp_hdr *icmp)
{
	struct emitter *e = t->v->out;
	const char *name = t->w.numeric ? NULL : ip_hosts_name(&info->src);
	char from[IPADDR_TEXT];

	ipaddr_ntoa(&info->src, from);
	emit_object(e, NULL);
	print_from(t, &info->src, name, from);
	emit_str(e, "from", NULL, from);
	if (name != NULL)
		emit_str(e, "name", NULL, name);
	emit_num(e, "time-ms", "  %.3f ms", (double)(clock_update() - t->sent_ns) / 1e6, 6);
	print_verdict(t, icmp);
	/*
	 * A time to live of one in what arrives: the other side sent it with what was left of ours.
	 */
	if (t->got_there && info->ttl <= 1)
		emit_text(e, " !");
	emit_end(e);
	emit_flush(e);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* One step; false if it was the last: t is gone. */
static bool
trace_step(struct trace *t)
{
	int error;

	if (t->line_open && t->probe == t->w.nprobes) {
		bool over = t->got_there ||
		    (t->unreachable > 0 && t->unreachable + 1 >= t->w.nprobes) ||
		    t->ttl >= t->w.max_ttl;

		line_end(t);
		if (over) {
			trace_end(t, 0);
			return false;
		}
		t->ttl++;
		t->probe = 0;
	}
	if (!t->line_open)
		line_begin(t);
	t->probe++;
	t->seq++;
	t->sent_ns = clock_update();
	t->waiting = true;
	error = send_probe(t);
	if (error != 0) {
		verb_error(t->v, 0, "sendto: %s", strerror(-error));
		t->waiting = false;
		print_lost(t);
		/* Not at once: there may be no way for some time, and time must go on. */
		callout_reset(&t->timer, t->w.wait_ns);
	} else if (t->waiting) {
		callout_reset(&t->timer, t->w.wait_ns);
	}
	return true;
}

/*
 * Go on. An answer may come while the probe is still being sent (our own address); so this doesn't
 * nest but goes round.
 */
static void
trace_next(struct trace *t)
{
	if (t->stepping) {
		t->again = true;
		return;
	}
	do {
		t->stepping = true;
		t->again = false;
		if (!trace_step(t))
			return;
		t->stepping = false;
	} while (t->again);
}

static void
trace_timeout(void *arg)
{
	struct trace *t = arg;

	if (t->waiting) {
		t->waiting = false;
		print_lost(t);
	}
	trace_next(t);
}

/* Does an error quote the probe that is out? */
static bool
quotes_probe(const struct trace *t, const struct mbuf *m, unsigned hlen)
{
	const uint8_t *probe;
	struct ip_quoted q;

	/* On a source route the destination changes under way. */
	if (!t->family->quoted(m, hlen, &q) ||
	    (t->w.ngateways == 0 && !ipaddr_equal(&q.dst, &t->w.dst)) ||
	    q.proto != (t->w.icmp ? t->family->icmp_proto : IPPROTO_UDP_))
		return false;
	probe = m->data + q.upper;
	if (t->w.icmp) {
		const struct icmp_hdr *echo = (const void *)probe;

		return from_be16(echo->echo.id) == t->id && from_be16(echo->echo.seq) == t->seq;
	} else {
		const struct udp_hdr *uh = (const void *)probe;

		return from_be16(uh->sport) == udp_port(t->ep) &&
		    from_be16(uh->dport) == probe_port(t);
	}
}

/* Does this ICMP message answer the probe that is out? */
static bool
is_answer(const struct trace *t, const struct mbuf *m, unsigned hlen)
{
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	const struct ip_family *f = t->family;
	uint32_t mtu;

	if (icmp->type == f->reply)
		return t->w.icmp && from_be16(icmp->echo.id) == t->id &&
		    from_be16(icmp->echo.seq) == t->seq;
	/* Time exceeded in reassembly is no hop. */
	if (!(icmp->type == f->timxceed && icmp->code == 0) && icmp->type != f->unreach &&
	    !t->tool->is_no_protocol(icmp) && !t->tool->is_too_big(icmp, &mtu))
		return false;
	return quotes_probe(t, m, hlen);
}

static bool
trace_input(struct ip_raw *raw, const struct mbuf *m, unsigned hlen)
{
	struct trace *t = (struct trace *)(void *)((uint8_t *)raw - offsetof(struct trace, raw));
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	struct ip_info info;

	if (!t->waiting || m->len < hlen + sizeof(*icmp))
		return false;
	t->family->info(m, hlen, &info);
	if (ip_icmp_sum(t->family, &info.src, &info.dst, icmp, m->len - hlen) != 0 ||
	    !is_answer(t, m, hlen))
		return false;
	t->waiting = false;
	callout_stop(&t->timer);
	print_answer(t, &info, icmp);
	if (t->w.pause_ns != 0)
		callout_reset(&t->timer, t->w.pause_ns);
	else
		trace_next(t);
	return false; /* a look at it */
}

void
trace_start(struct trace *t)
{
	__atomic_fetch_add(&trace_live, 1, __ATOMIC_RELAXED);
	t->ttl = t->w.first_ttl;
	callout_init(&t->timer, curvnet, trace_timeout, t);
	t->raw = (struct ip_raw){
		.proto = t->family->icmp_proto,
		.family = (uint8_t)t->tool->af,
		.input = trace_input,
	};
	ip_raw_attach(&t->raw);
	/* Not from here: the run is not pending yet, and must not end before it is. */
	callout_reset(&t->timer, 0);
}
