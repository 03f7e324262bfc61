/*
 * traceroute.c - the tool traceroute, in FreeBSD's words: which routers a packet passes.
 *
 * Probes with a growing time to live go out one by one; the router where one expires answers with
 * "time exceeded", the destination with "port unreachable" (UDP) or an echo reply (-I). A raw
 * listener sees the answers. The next probe goes out as soon as the one before is answered or given
 * up:
 *
 *	trace_next	print what is due, send the next probe, or end
 *	trace_input	an answer to the probe that is out -> trace_next
 *	trace_timeout	none came, or the pause is over -> trace_next
 */
#include "inet/icmp.h"
#include "inet/udp.h"

#include "kern/jail.h"
#include "kern/sysctl.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { LEN_UDP = 52, LEN_ICMP = 48, PORT_DEFAULT = 33434, EXIT_TRACE = 1 };

struct trace {
	struct verb_run *v;
	struct ip_raw raw;
	struct callout timer;
	struct udp_endpoint *ep; /* NULL with -I */
	const char *host;
	uint32_t src, dst;
	/* words */
	uint32_t first_ttl, max_ttl, nprobes, port, len;
	uint64_t wait_ns, pause_ns;
	uint8_t tos;
	bool icmp, numeric, summary, df, fixed_port, dont_route;
	/* where we are */
	uint32_t ttl, probe; /* the next probe */
	uint16_t id, seq;    /* of the probe that is out */
	uint64_t sent_ns;
	bool waiting;         /* a probe is out */
	bool stepping, again; /* trace_next is running, and is wanted once more */
	bool line_open;
	/* of this line */
	uint32_t last_from, unreachable, lost;
	bool got_there, any_from;
};

VNET_DEFINE_STATIC(uint16_t, trace_next_id);

static uint64_t trace_live; /* atomic */

static uint64_t
trace_audit(void)
{
	return __atomic_load_n(&trace_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(traceroute, "traceroute", trace_audit);

static void trace_next(struct trace *t);

static void
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

/* 0 or -errno. */
static int
send_udp(struct trace *t)
{
	uint32_t size = t->len - (uint32_t)sizeof(struct ip_hdr) - (uint32_t)sizeof(struct udp_hdr);
	const struct ipaddr dst = ipaddr4(t->dst);
	struct mbuf *m = m_get(size);

	if (m == NULL)
		return -ENOBUFS;
	memset(m->data, 0, size);
	if (size >= 2) {
		m->data[0] = (uint8_t)t->seq;
		m->data[1] = (uint8_t)t->ttl;
	}
	udp_set_ttl(t->ep, (uint8_t)t->ttl);
	return udp_send(t->ep, m, &dst, (uint16_t)(t->port + (t->fixed_port ? 0 : t->seq)));
}

static int
send_icmp(struct trace *t)
{
	struct ip_opts_out o = {
		.tos = t->tos, .ttl = (uint8_t)t->ttl, .df = t->df, .dont_route = t->dont_route
	};
	struct mbuf *m = m_get(t->len - (uint32_t)sizeof(struct ip_hdr));
	struct icmp_hdr *icmp;

	if (m == NULL)
		return -ENOBUFS;
	memset(m->data, 0, m->len);
	m->fib = t->v->fib;
	icmp = mtod(m, struct icmp_hdr *);
	icmp->type = ICMP_ECHO_;
	icmp->echo.id = to_be16(t->id);
	icmp->echo.seq = to_be16(t->seq);
	icmp_finish(m);
	return ip_output(m, t->src, t->dst, IPPROTO_ICMP_, &o);
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
	if (t->summary)
		emit_text(t->v->out, " (%u%% loss)", t->lost * 100 / t->nprobes);
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

/* What an "unreachable" says, as a letter; counts those that end the way. */
static void
print_unreach(struct trace *t, const struct icmp_hdr *icmp)
{
	static const char *const mark[] = { "!N", "!H", "!P", NULL, NULL, "!S", "!U", "!W", "!I",
		"!A", "!Z", "!Q", "!T", "!X", "!V", "!C" };
	struct emitter *e = t->v->out;

	if (icmp->code == ICMP_UNREACH_PORT_) {
		t->got_there = true;
		return;
	}
	/* The destination itself has no such protocol: as good as a port. */
	if (icmp->code == ICMP_UNREACH_PROTOCOL_)
		t->got_there = true;
	t->unreachable++;
	if (icmp->code == ICMP_UNREACH_NEEDFRAG_) {
		emit_text(e, " !F-%u", from_be16(icmp->frag.mtu));
		emit_uint(e, "mtu", NULL, from_be16(icmp->frag.mtu));
	} else if (icmp->code < sizeof(mark) / sizeof(mark[0]) && mark[icmp->code] != NULL) {
		emit_str(e, "unreachable", " %s", mark[icmp->code]);
	} else {
		emit_text(e, " !<%u>", icmp->code);
	}
}

static void
print_answer(struct trace *t, const struct mbuf *m, const struct icmp_hdr *icmp)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	struct emitter *e = t->v->out;
	const char *name = t->numeric ? NULL : in_hosts_name(ip->src);
	char from[16];

	in_ntoa(ip->src, from);
	emit_object(e, NULL);
	if (!t->any_from || ip->src != t->last_from) {
		if (t->any_from && !t->numeric)
			emit_text(e, "\n   ");
		emit_text(e, " %s", name != NULL ? name : from);
		if (!t->numeric)
			emit_text(e, " (%s)", from);
		t->last_from = ip->src;
		t->any_from = true;
	}
	emit_str(e, "from", NULL, from);
	if (name != NULL)
		emit_str(e, "name", NULL, name);
	emit_num(e, "time-ms", "  %.3f ms", (double)(clock_update() - t->sent_ns) / 1e6, 6);
	if (icmp->type == ICMP_ECHOREPLY_)
		t->got_there = true;
	else if (icmp->type == ICMP_UNREACH_)
		print_unreach(t, icmp);
	/*
	 * A time to live of one in what arrives: the other side sent it with what was left of ours.
	 */
	if (t->got_there && ip->ttl <= 1)
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

	if (t->line_open && t->probe == t->nprobes) {
		bool over = t->got_there ||
		    (t->unreachable > 0 && t->unreachable + 1 >= t->nprobes) ||
		    t->ttl >= t->max_ttl;

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
	error = t->icmp ? send_icmp(t) : send_udp(t);
	if (error != 0) {
		verb_error(t->v, 0, "sendto: %s", strerror(-error));
		t->waiting = false;
		print_lost(t);
		/* Not at once: there may be no way for some time, and time must go on. */
		callout_reset(&t->timer, t->wait_ns);
	} else if (t->waiting) {
		callout_reset(&t->timer, t->wait_ns);
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

/* Does this ICMP message answer the probe that is out? */
static bool
is_answer(const struct trace *t, const struct mbuf *m, unsigned hlen)
{
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	const struct ip_hdr *inner = (const void *)(icmp + 1);
	unsigned left = m->len - hlen - (unsigned)sizeof(*icmp);
	const uint8_t *probe;

	if (icmp->type == ICMP_ECHOREPLY_)
		return t->icmp && from_be16(icmp->echo.id) == t->id &&
		    from_be16(icmp->echo.seq) == t->seq;
	if (!(icmp->type == ICMP_TIMXCEED_ && icmp->code == 0) && icmp->type != ICMP_UNREACH_)
		return false;
	if (left < sizeof(*inner) || ip_hlen(inner) < sizeof(*inner) || left < ip_hlen(inner) + 8 ||
	    inner->dst != t->dst)
		return false;
	probe = (const uint8_t *)inner + ip_hlen(inner);
	if (t->icmp) {
		const struct icmp_hdr *echo = (const void *)probe;

		return inner->proto == IPPROTO_ICMP_ && from_be16(echo->echo.id) == t->id &&
		    from_be16(echo->echo.seq) == t->seq;
	} else {
		const struct udp_hdr *uh = (const void *)probe;

		return inner->proto == IPPROTO_UDP_ && from_be16(uh->sport) == udp_port(t->ep) &&
		    from_be16(uh->dport) == (uint16_t)(t->port + (t->fixed_port ? 0 : t->seq));
	}
}

static void
trace_input(struct ip_raw *raw, const struct mbuf *m, unsigned hlen)
{
	struct trace *t = (struct trace *)(void *)((uint8_t *)raw - offsetof(struct trace, raw));
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);

	if (!t->waiting || m->len < hlen + sizeof(*icmp) ||
	    cksum_fold(cksum_add(0, icmp, m->len - hlen)) != 0 || !is_answer(t, m, hlen))
		return;
	t->waiting = false;
	callout_stop(&t->timer);
	print_answer(t, m, icmp);
	if (t->pause_ns != 0)
		callout_reset(&t->timer, t->pause_ns);
	else
		trace_next(t);
}

/* The destination took the probe for its own and answers: no error to hear, so not our business. */
static void
trace_udp_recv(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	(void)ctx;
	(void)info;
	(void)from_port;
	m_free(m);
}

/* --- words ------------------------------------------------------------------------------------ */

static int
number(struct trace *t, const char *what, const char *word, uint64_t min, uint64_t max,
    uint32_t *value)
{
	uint64_t n;

	if (!verb_number(word, 0, UINT32_MAX, &n))
		return verb_error(t->v, EXIT_TRACE, "\"%s\" bad value for %s", word, what);
	if (n < min)
		return verb_error(t->v, EXIT_TRACE, "%s must be > %" PRIu64, what, min - 1);
	if (n > max)
		return verb_error(t->v, EXIT_TRACE, "%s must be <= %" PRIu64, what, max);
	*value = (uint32_t)n;
	return 0;
}

static int
option(struct trace *t, int opt, const char *arg)
{
	uint32_t n;
	int status = 0;

	switch (opt) {
	case 'd':
	case 'v':
	case 'x': /* checksums are always right */
		break;
	case 'e':
		t->fixed_port = true;
		break;
	case 'F':
		t->df = true;
		break;
	case 'f':
	case 'M':
		status = number(t, "first ttl", arg, 1, 255, &t->first_ttl);
		break;
	case 'I':
		t->icmp = true;
		break;
	case 'm':
		status = number(t, "max ttl", arg, 1, 255, &t->max_ttl);
		break;
	case 'n':
		t->numeric = true;
		break;
	case 'P':
		if (strcmp(arg, "icmp") == 0 || strcmp(arg, "ICMP") == 0)
			t->icmp = true;
		else if (strcmp(arg, "udp") != 0 && strcmp(arg, "UDP") != 0)
			status = verb_error(
			    t->v, EXIT_TRACE, "%s: unsupported protocol: udp or icmp", arg);
		break;
	case 'p':
		status = number(t, "port", arg, 1, 65535, &t->port);
		break;
	case 'q':
		status = number(t, "nprobes", arg, 1, 255, &t->nprobes);
		break;
	case 'r':
		t->dont_route = true;
		break;
	case 'S':
		t->summary = true;
		break;
	case 's':
		if (!in_resolve(arg, &t->src))
			status = verb_error(t->v, EXIT_TRACE, "unknown host %s", arg);
		break;
	case 't':
		if ((status = number(t, "tos", arg, 0, 255, &n)) == 0)
			t->tos = (uint8_t)n;
		break;
	case 'w':
		if ((status = number(t, "wait time", arg, 1, 86400, &n)) == 0)
			t->wait_ns = n * NS_PER_SEC;
		break;
	case 'z':
		if ((status = number(t, "pause msecs", arg, 0, 3600000, &n)) == 0)
			t->pause_ns = n * NS_PER_MS;
		break;
	default:
		return verb_usage(t->v, NULL);
	}
	return status;
}

static int
parse(struct trace *t)
{
	struct verb_run *v = t->v;
	uint32_t least;
	struct verb_opts o;
	int opt, status;

	verb_opts_init(&o, v, v->argc, v->argv, "deFf:IM:m:nP:p:q:rSs:t:vw:xz:");
	while ((opt = verb_opts_next(&o)) != -1)
		if ((status = option(t, opt, o.arg)) != 0)
			return status;
	if (o.ind != v->argc - 1 && o.ind != v->argc - 2)
		return verb_usage(v, NULL);
	if (t->first_ttl > t->max_ttl)
		return verb_error(v, EXIT_TRACE,
		    "first ttl (%u) may not be greater than max ttl (%u)", t->first_ttl,
		    t->max_ttl);
	t->host = v->argv[o.ind];
	least = (uint32_t)sizeof(struct ip_hdr) + 8;
	t->len = t->icmp ? LEN_ICMP : LEN_UDP;
	if (o.ind == v->argc - 2 &&
	    (status = number(t, "packet length", v->argv[o.ind + 1], least, 32768, &t->len)) != 0)
		return status;
	if (!in_resolve(t->host, &t->dst) || t->dst == 0)
		return verb_error(v, EXIT_TRACE, "unknown host %s", t->host);
	/* What UDP endpoints don't offer is not silently left out. */
	if (!t->icmp && (t->df || t->dont_route))
		return verb_error(v, EXIT_TRACE, "-F and -r need -I");
	return 0;
}

/* Source address and endpoint. Status. */
static int
trace_open(struct trace *t)
{
	const struct prison *pr = t->v->prison;
	struct ipaddr src;

	if (priv_check(PRIV_NET_RAW) != 0)
		return verb_error(t->v, EXIT_TRACE, "icmp socket: Operation not permitted");
	if (t->src == 0 && pr != NULL && pr->ip4_restricted && pr->ip4_n > 0)
		t->src = pr->ip4[0];
	if (t->src != 0 && (in_local(t->src) == NULL || (pr != NULL && !prison_ip4_ok(pr, t->src))))
		return verb_error(t->v, EXIT_TRACE, "bind: Can't assign requested address");
	do {
		t->id = ++VNET(trace_next_id) | 0x8000;
	} while (t->id == 0);
	if (t->icmp)
		return 0;
	src = ipaddr4(t->src);
	t->ep = udp_open(&src, 0, trace_udp_recv, t);
	if (t->ep == NULL)
		return verb_error(t->v, EXIT_TRACE, "bind: %s", strerror(errno));
	udp_set_tos(t->ep, t->tos);
	udp_set_fib(t->ep, t->v->fib);
	return 0;
}

static void
trace_cancel(struct verb_run *v)
{
	trace_end(v->state, EXIT_TRACE);
}

static int
trace_verb_run(struct verb_run *v)
{
	struct trace *t = calloc(1, sizeof(*t));
	char dst[16], src[16];
	int status;

	if (t == NULL)
		return verb_error(v, EXIT_TRACE, "Cannot allocate memory");
	t->v = v;
	t->first_ttl = 1;
	t->max_ttl = V_ip_defttl;
	t->nprobes = 3;
	t->port = PORT_DEFAULT;
	t->wait_ns = 5 * NS_PER_SEC;
	if ((status = parse(t)) != 0 || (status = trace_open(t)) != 0) {
		free(t);
		return status;
	}
	__atomic_fetch_add(&trace_live, 1, __ATOMIC_RELAXED);
	t->ttl = t->first_ttl;
	callout_init(&t->timer, curvnet, trace_timeout, t);
	t->raw = (struct ip_raw){ .proto = IPPROTO_ICMP_, .input = trace_input };
	ip_raw_attach(&t->raw);
	v->state = t;
	v->cancel = trace_cancel;

	emit_str(v->out, "host", "traceroute to %s", t->host);
	emit_str(v->out, "address", " (%s)", in_ntoa(t->dst, dst));
	if (t->src != 0)
		emit_str(v->out, "source", " from %s", in_ntoa(t->src, src));
	emit_uint(v->out, "max-hops", ", %" PRIu64 " hops max", t->max_ttl);
	emit_uint(v->out, "packet-bytes", ", %" PRIu64 " byte packets\n", t->len);
	emit_list(v->out, "hop");
	/* Not from here: the run is not pending yet, and must not end before it is. */
	callout_reset(&t->timer, 0);
	return VERB_PENDING;
}
VERB_DEFINE(traceroute, .name = "traceroute",
    .usage = "traceroute [-deFInrSvx] [-f first_ttl] [-M first_ttl] [-m max_ttl] [-P udp|icmp]\n"
	     "                  [-p port] [-q nqueries] [-s src_addr] [-t tos] [-w waittime]\n"
	     "                  [-z pausemsecs] host [packetlen]",
    .summary = "print the routers on the way to a host", .run = trace_verb_run);
