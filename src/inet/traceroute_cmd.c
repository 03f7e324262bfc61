/*
 * traceroute_cmd.c - the words of traceroute and traceroute6, and the tool traceroute, in FreeBSD's
 * way. The engine is traceroute.c; the tool for IPv6 is inet6/traceroute6.c.
 */
#include "inet/traceroute.h"

#include "inet/udp.h"
#include "kern/jail.h"
#include "net/if.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { PORT_DEFAULT = 33434, LEN_MAX = 32768 };

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

/* -P */
static int
option_protocol(struct trace *t, const char *arg)
{
	if (strcasecmp(arg, "icmp") == 0)
		t->w.icmp = true;
	else if (strcasecmp(arg, "udp") == 0)
		t->w.icmp = false;
	else
		return verb_error(t->v, EXIT_TRACE, "%s: unsupported protocol: udp or icmp", arg);
	return 0;
}

static int
option_gateway(struct trace *t, const char *arg)
{
	if (t->w.ngateways == TRACE_GATEWAYS_MAX)
		return verb_error(t->v, EXIT_TRACE, "No more than %d gateways", TRACE_GATEWAYS_MAX);
	if (!ipaddr_resolve(arg, t->tool->af, &t->w.gateway[t->w.ngateways]))
		return verb_error(t->v, EXIT_TRACE, "unknown host %s", arg);
	t->w.ngateways++;
	return 0;
}

/* Options that both tools have. */
static int
option(struct trace *t, int opt, const char *arg)
{
	struct trace_words *w = &t->w;
	uint32_t n = 0;
	int status = 0;

	switch (opt) {
	case 'd':
	case 'v':
		return 0;
	case 'e':
		w->fixed_port = true;
		return 0;
	case 'f':
		return number(t, "first ttl", arg, 1, 255, &w->first_ttl);
	case 'I':
		w->icmp = true;
		return 0;
	case 'i':
		w->ifname = arg;
		return 0;
	case 'm':
		return number(t, "max ttl", arg, 1, 255, &w->max_ttl);
	case 'n':
		w->numeric = true;
		return 0;
	case 'p':
		return number(t, "port", arg, 1, 65535, &w->port);
	case 'q':
		return number(t, "nprobes", arg, 1, 255, &w->nprobes);
	case 'r':
		w->dont_route = true;
		return 0;
	case 's':
		w->source = arg;
		return 0;
	case 't':
		status = number(t, "tos", arg, 0, 255, &n);
		w->tos = (uint8_t)n;
		return status;
	case 'w':
		status = number(t, "wait time", arg, 1, 86400, &n);
		w->wait_ns = n * NS_PER_SEC;
		return status;
	case 'z':
		status = number(t, "pause msecs", arg, 0, 3600000, &n);
		w->pause_ns = n * NS_PER_MS;
		return status;
	case 'a':
	case 'A':
		return verb_error(t->v, EXIT_TRACE,
		    "-%c: numbers of autonomous systems come from a server outside, which isn't "
		    "asked",
		    opt);
	case '?':
		return verb_usage(t->v, NULL);
	default:
		return t->tool->option(t, opt, arg);
	}
}

/* Options, host, packet length. Status. */
static int
parse(struct trace *t)
{
	struct trace_words *w = &t->w;
	struct verb_run *v = t->v;
	uint32_t headers;
	struct verb_opts o;
	int opt, status;

	verb_opts_init(&o, v, v->argc, v->argv, t->tool->opts);
	while ((opt = verb_opts_next(&o)) != -1)
		if ((status = option(t, opt, o.arg)) != 0)
			return status;
	if (o.ind != v->argc - 1 && o.ind != v->argc - 2)
		return verb_usage(v, NULL);
	if (w->first_ttl > w->max_ttl)
		return verb_error(v, EXIT_TRACE,
		    "first ttl (%u) may not be greater than max ttl (%u)", w->first_ttl,
		    w->max_ttl);
	w->host = v->argv[o.ind];
	w->len = w->icmp ? t->tool->len_icmp : t->tool->len_udp;
	headers = w->icmp ? t->tool->headers_icmp : t->tool->headers_udp;
	if (o.ind == v->argc - 2)
		return number(t, "packet length", v->argv[o.ind + 1], headers, LEN_MAX, &w->len);
	return 0;
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

/* --- start ------------------------------------------------------------------------------------ */

/* Destination, interface, source: from words to addresses. Status. */
static int
resolve(struct trace *t)
{
	struct trace_words *w = &t->w;
	struct ifnet *ifp = NULL;
	int af = t->tool->af;

	if (!ipaddr_resolve(w->host, af, &w->dst) || ipaddr_is_any(&w->dst))
		return verb_error(t->v, EXIT_TRACE, "unknown host %s", w->host);
	if (w->ifname != NULL && (ifp = if_byname(w->ifname)) == NULL)
		return verb_error(t->v, EXIT_TRACE, "Can't find interface %s", w->ifname);
	/* An interface gives source and zone; the way is the route's. */
	if (ifp != NULL) {
		ipaddr_set_zone(&w->dst, ifp->if_index);
		if (t->family->source_for(t->v->fib, ifp, &w->dst, &w->src) != 0)
			return verb_error(
			    t->v, EXIT_TRACE, "interface %s has no address", w->ifname);
	}
	if (w->source != NULL && !ipaddr_resolve(w->source, af, &w->src))
		return verb_error(t->v, EXIT_TRACE, "unknown host %s", w->source);
	return 0;
}

/* Rights, source, id and port. Status. */
static int
trace_open(struct trace *t)
{
	struct trace_words *w = &t->w;
	const struct ipaddr *to = w->ngateways > 0 ? &w->gateway[0] : &w->dst;
	int error = 0;

	if (priv_check(PRIV_NET_RAW) != 0)
		return verb_error(t->v, EXIT_TRACE, "icmp socket: Operation not permitted");
	w->src.family = (uint8_t)t->tool->af;
	if (ipaddr_bind(t->v->prison, &w->src) != 0)
		return verb_error(t->v, EXIT_TRACE, "bind: Can't assign requested address");
	if (t->tool->source_shown && ipaddr_is_any(&w->src))
		error = t->family->source_for(t->v->fib, NULL, to, &w->src);
	if (error != 0)
		return verb_error(t->v, EXIT_TRACE, "connect: %s", verb_strerror(-error));
	t->id = trace_new_id();
	return 0;
}

/* IPv4's loose source route (RFC 791 3.1): to the first gateway, then the others, then the host. */
static void
make_source_route(struct trace *t)
{
	const struct trace_words *w = &t->w;
	unsigned at = 3;

	if (w->ngateways == 0)
		return;
	for (unsigned i = 1; i < w->ngateways; i++, at += 4)
		memcpy(t->options + at, w->gateway[i].b, 4);
	memcpy(t->options + at, w->dst.b, 4);
	at += 4;
	t->options[0] = 131;
	t->options[1] = (uint8_t)at;
	t->options[2] = 4;       /* the pointer counts from 1 */
	t->options_len = at + 1; /* an end of list makes it a multiple of 4 */
}

/* UDP probes come from a port that nobody else may take. Status. */
static int
take_port(struct trace *t)
{
	if (t->w.icmp)
		return 0;
	t->ep = udp_open(&t->w.src, 0, trace_udp_recv, t);
	return t->ep != NULL ? 0 : verb_error(t->v, EXIT_TRACE, "bind: %s", strerror(errno));
}

static void
print_head(struct trace *t)
{
	struct emitter *e = t->v->out;
	char dst[IPADDR_TEXT], src[IPADDR_TEXT];

	emit_text(e, "%s to ", t->tool->name);
	emit_str(e, "host", "%s", t->w.host);
	emit_str(e, "address", " (%s)", ipaddr_ntoa(&t->w.dst, dst));
	if (!ipaddr_is_any(&t->w.src))
		emit_str(e, "source", " from %s", ipaddr_ntoa(&t->w.src, src));
	emit_uint(e, "max-hops", ", %" PRIu64 " hops max", t->w.max_ttl);
	emit_uint(e, "packet-bytes", ", %" PRIu64 " byte packets\n", t->w.len);
	emit_list(e, "hop");
}

static void
trace_cancel(struct verb_run *v)
{
	trace_end(v->state, EXIT_TRACE);
}

int
trace_tool_run(struct verb_run *v, const struct trace_tool *tool)
{
	struct trace *t = calloc(1, sizeof(*t));
	int status;

	if (t == NULL)
		return verb_error(v, EXIT_TRACE, "Cannot allocate memory");
	t->v = v;
	t->tool = tool;
	t->family = ip_family(tool->af);
	t->w = (struct trace_words){
		.first_ttl = 1,
		.max_ttl = tool->max_hops(),
		.nprobes = 3,
		.port = PORT_DEFAULT,
		.wait_ns = 5 * NS_PER_SEC,
		.both = !tool->source_shown,
	};
	if ((status = parse(t)) != 0 || (status = resolve(t)) != 0 ||
	    (status = trace_open(t)) != 0 || (status = take_port(t)) != 0) {
		free(t);
		return status;
	}
	make_source_route(t);
	v->state = t;
	v->cancel = trace_cancel;
	print_head(t);
	trace_start(t);
	return VERB_PENDING;
}

/* --- the tool traceroute ---------------------------------------------------------------------- */

static int
option4(struct trace *t, int opt, const char *arg)
{
	switch (opt) {
	case 'D':
		return verb_error(t->v, EXIT_TRACE,
		    "-D: what was sent is not kept: the stack makes the IP header");
	case 'F':
		t->w.df = true;
		return 0;
	case 'g':
		return option_gateway(t, arg);
	case 'M':
		return number(t, "first ttl", arg, 1, 255, &t->w.first_ttl);
	case 'P':
		return option_protocol(t, arg);
	case 'S':
		t->w.summary = true;
		return 0;
	case 'x': /* checksums are always right */
		return 0;
	default:
		return verb_usage(t->v, NULL);
	}
}

static uint32_t
max_hops4(void)
{
	return V_ip_defttl;
}

static bool
is_no_protocol4(const struct icmp_hdr *icmp)
{
	return icmp->type == ICMP_UNREACH_ && icmp->code == ICMP_UNREACH_PROTOCOL_;
}

static bool
is_too_big4(const struct icmp_hdr *icmp, uint32_t *mtu)
{
	*mtu = from_be16(icmp->frag.mtu);
	return icmp->type == ICMP_UNREACH_ && icmp->code == ICMP_UNREACH_NEEDFRAG_;
}

static const char *const marks4[] = { "!N", "!H", "!P", NULL, NULL, "!S", "!U", "!W", "!I", "!A",
	"!Z", "!Q", "!T", "!X", "!V", "!C" };

/* Packet lengths are those of IP. */
static const struct trace_tool traceroute4 = {
	.af = AF_INET,
	.name = "traceroute",
	.opts = "aA:DdeFf:g:Ii:M:m:nP:p:q:rSs:t:vw:xz:",
	.len_udp = 52,
	.len_icmp = 48,
	.headers_udp = 20 + 8,
	.headers_icmp = 20 + 8,
	.max_hops = max_hops4,
	.mark = marks4,
	.nmarks = sizeof(marks4) / sizeof(marks4[0]),
	.is_no_protocol = is_no_protocol4,
	.is_too_big = is_too_big4,
	.option = option4,
};

static int
traceroute_run(struct verb_run *v)
{
	return trace_tool_run(v, &traceroute4);
}
VERB_DEFINE(traceroute, .name = "traceroute",
    .usage = "traceroute [-deFInrSvx] [-f first_ttl] [-g gateway] [-i iface] [-M first_ttl]\n"
	     "                  [-m max_ttl] [-P udp|icmp] [-p port] [-q nqueries] [-s src_addr]\n"
	     "                  [-t tos] [-w waittime] [-z pausemsecs] host [packetlen]",
    .summary = "print the routers on the way to a host", .run = traceroute_run);
