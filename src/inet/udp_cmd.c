/*
 * udp_cmd.c - the tool udp: traffic by hand, and what came of it.
 *
 *	udp send to HOST:PORT rate 10Mbit/s [size 1200] [for 10s] [count N] [flows N] …
 *	udp echo [ADDR:]PORT [for 10s]
 *	udp sink [ADDR:]PORT [for 10s]
 *
 * An IPv6 address with a port stands in brackets: [2001:db8::1]:5001. ADDR may be a group, which is
 * joined: on `via IF`, from `source ADDR` only. The words are those of a lab file's `traffic`. A
 * sender ends with its last packet; an echo and a sink stay until ^C or the end of `for`. All print
 * what they counted.
 */
#include "inet/udp_traffic.h"

#include "kern/verb.h"
#include "net/if.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* UDP's length field; over IPv4 the IP header takes 20 bytes more, which the sender says. */
enum { SIZE_DEFAULT = 1200, SIZE_MAX_ = 65527, SOURCES_MAX = 64 };

struct udp_cmd {
	struct verb_run *v;
	struct udp_sender *sender;
	struct udp_sink *sink;
	struct callout end;
	struct udp_flow_config c;
	int family;         /* -4, -6; AF_UNSPEC = by the words */
	struct ipaddr addr; /* of a sink */
	struct ipaddr source[SOURCES_MAX];
	unsigned nsources;
	struct ifnet *ifp; /* via */
	uint16_t port;
	uint64_t for_ns;
};

/* --- what was counted ------------------------------------------------------------------------- */

static void
print_sender(struct udp_cmd *c)
{
	struct emitter *e = c->v->out;
	uint64_t packets, bytes, errors;

	udp_sender_stats(c->sender, &packets, &bytes, &errors);
	emit_uint(e, "packets", "%" PRIu64 " packets", packets);
	emit_uint(e, "bytes", " %" PRIu64 " bytes sent", bytes);
	emit_uint(e, "errors", ", %" PRIu64 " errors\n", errors);
}

static void
print_sink(struct udp_cmd *c)
{
	struct emitter *e = c->v->out;
	struct udp_sink_stats st;
	uint64_t span;

	udp_sink_stats(c->sink, &st);
	emit_uint(e, "packets", "%" PRIu64 " packets", st.packets);
	emit_uint(e, "bytes", " %" PRIu64 " bytes received", st.bytes);
	emit_uint(e, "ip-bytes", NULL, st.ip_bytes);
	emit_uint(e, "lost", ", %" PRIu64 " lost", st.lost);
	emit_uint(e, "reordered", " %" PRIu64 " reordered", st.reordered);
	emit_uint(e, "duplicated", " %" PRIu64 " duplicated\n", st.duplicated);
	if (st.packets == 0)
		return;
	span = st.last_ns - st.first_ns;
	/* The first packet opens the time that is measured; what it carries is not part of it. */
	if (span > 0 && st.packets > 1) {
		double share = (double)(st.packets - 1) / (double)st.packets;

		emit_num(e, "rate-mbit-s", "rate %.3f Mbit/s at IP\n",
		    (double)st.ip_bytes * share * 8e3 / (double)span, 6);
	}
	if (delay_hist_count(st.delay) == 0)
		return;
	emit_num(e, "delay-min-ms", "delay min/p50/p99/max = %.3f/",
	    (double)delay_hist_min(st.delay) / 1e6, 6);
	emit_num(e, "delay-p50-ms", "%.3f/", (double)delay_hist_quantile(st.delay, 0.5) / 1e6, 6);
	emit_num(e, "delay-p99-ms", "%.3f/", (double)delay_hist_quantile(st.delay, 0.99) / 1e6, 6);
	emit_num(e, "delay-max-ms", "%.3f ms\n", (double)delay_hist_max(st.delay) / 1e6, 6);
}

static void
cmd_finish(void *arg)
{
	struct udp_cmd *c = arg;
	struct verb_run *v = c->v;

	if (c->sender != NULL)
		print_sender(c);
	else
		print_sink(c);
	callout_drain(&c->end);
	udp_sender_free(c->sender);
	udp_sink_free(c->sink);
	free(c);
	verb_finish(v, 0);
}

static void
cmd_cancel(struct verb_run *v)
{
	cmd_finish(v->state);
}

/* --- words ------------------------------------------------------------------------------------ */

/*
 * "HOST:PORT"; "[ADDRESS]:PORT", as an IPv6 address must be written here; or "PORT" where no host
 * is needed.
 */
static bool
parse_host_port(const char *word, int family, bool host_needed, struct ipaddr *addr, uint16_t *port)
{
	const char *colon = strrchr(word, ':');
	char host[256];
	size_t len;
	uint64_t n;

	if (!verb_number(colon != NULL ? colon + 1 : word, 1, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	if (colon == NULL) {
		*addr = (struct ipaddr){ .family = family == AF_INET6 ? AF_INET6 : AF_INET };
		return !host_needed;
	}
	len = (size_t)(colon - word);
	if (len >= sizeof(host))
		return false;
	memcpy(host, word, len);
	host[len] = '\0';
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		return ipaddr_aton(host + 1, family, addr) && addr->family == AF_INET6;
	}
	/* Which of the colons of 2001:db8::1:53 is the last one's? */
	return strchr(host, ':') == NULL && ipaddr_resolve(host, family, addr);
}

static bool
parse_u32(const char *value, uint64_t min, uint64_t max, uint32_t *to)
{
	uint64_t n;

	if (!verb_number(value, min, max, &n))
		return false;
	*to = (uint32_t)n;
	return true;
}

static bool
parse_u8(const char *value, uint64_t max, uint8_t *to)
{
	uint64_t n;

	if (!verb_number(value, 0, max, &n))
		return false;
	*to = (uint8_t)n;
	return true;
}

/* A key of all and its value. False: unknown, or not a value for it. */
static bool
parse_pair(struct udp_cmd *c, const char *key, const char *value)
{
	if (strcmp(key, "for") == 0)
		return verb_duration(value, &c->for_ns) && c->for_ns > 0;
	if (strcmp(key, "via") == 0)
		return (c->ifp = if_byname(value)) != NULL;
	return false;
}

/* "ADDR[,ADDR]…", more than once if somebody likes. */
static bool
parse_sources(struct udp_cmd *c, const char *value)
{
	char word[256];
	size_t len;

	for (;; value += len + 1) {
		len = strcspn(value, ",");
		if (len >= sizeof(word) || c->nsources == SOURCES_MAX)
			return false;
		memcpy(word, value, len);
		word[len] = '\0';
		if (!ipaddr_resolve(word, c->addr.family, &c->source[c->nsources++]))
			return false;
		if (value[len] == '\0')
			return true;
	}
}

/* One of `udp sink` and `udp echo`. */
static bool
parse_sink_pair(struct udp_cmd *c, const char *key, const char *value)
{
	if (strcmp(key, "source") == 0)
		return parse_sources(c, value);
	return parse_pair(c, key, value);
}

/* One of `udp send`. */
static bool
parse_send_pair(struct udp_cmd *c, const char *key, const char *value)
{
	struct udp_flow_config *f = &c->c;
	uint64_t n;
	uint8_t dscp;

	if (strcmp(key, "to") == 0)
		return parse_host_port(value, c->family, true, &f->dst, &f->dport);
	if (strcmp(key, "from") == 0)
		return ipaddr_resolve(value, c->family, &f->src);
	if (strcmp(key, "rate") == 0)
		return verb_rate(value, &f->rate_bps) && f->rate_bps > 0;
	if (strcmp(key, "size") == 0)
		return (verb_number(value, UDP_TRAFFIC_MIN, SIZE_MAX_, &n) ||
			   (verb_size(value, &n) && n >= UDP_TRAFFIC_MIN && n <= SIZE_MAX_)) &&
		    (f->size = (uint32_t)n, true);
	if (strcmp(key, "count") == 0)
		return verb_number(value, 1, UINT64_MAX, &f->count);
	if (strcmp(key, "flows") == 0)
		return parse_u32(value, 1, 16384, &f->flows);
	if (strcmp(key, "port") == 0)
		return verb_number(value, 1, UINT16_MAX, &n) && (f->sport = (uint16_t)n, true);
	if (strcmp(key, "ttl") == 0 || strcmp(key, "hlim") == 0)
		return parse_u8(value, 255, &f->ttl);
	if (strcmp(key, "tos") == 0)
		return parse_u8(value, 255, &f->tos);
	if (strcmp(key, "dscp") == 0)
		return parse_u8(value, 63, &dscp) && (f->tos = (uint8_t)(dscp << 2), true);
	if (strcmp(key, "pattern") == 0) {
		f->pattern = strcmp(value, "poisson") == 0 ? UDP_POISSON : UDP_CONSTANT;
		return f->pattern == UDP_POISSON || strcmp(value, "constant") == 0;
	}
	if (strcmp(key, "loop") == 0) {
		f->no_loop = strcmp(value, "off") == 0;
		return f->no_loop || strcmp(value, "on") == 0;
	}
	return parse_pair(c, key, value);
}

/* Words from `at` on in pairs. Status. */
static int
parse_pairs(
    struct udp_cmd *c, int at, bool (*pair)(struct udp_cmd *c, const char *key, const char *value))
{
	struct verb_run *v = c->v;

	for (; at < v->argc; at += 2) {
		if (at + 1 == v->argc)
			return verb_error(v, EXIT_USAGE_, "%s: a value is missing", v->argv[at]);
		if (!pair(c, v->argv[at], v->argv[at + 1]))
			return verb_error(v, EXIT_USAGE_,
			    "%s %s: unknown word, or not a value for it", v->argv[at],
			    v->argv[at + 1]);
	}
	return 0;
}

static void
sender_ended(void *ctx)
{
	cmd_finish(ctx);
}

static int
start_sender(struct udp_cmd *c, int at)
{
	struct verb_run *v = c->v;
	int status = parse_pairs(c, at, parse_send_pair);

	if (status != 0)
		return status;
	if (ipaddr_is_any(&c->c.dst))
		return verb_error(v, EXIT_USAGE_, "send: no destination (to HOST:PORT)");
	if (c->c.rate_bps == 0)
		return verb_error(v, EXIT_USAGE_, "send: no rate (rate 10Mbit/s)");
	if (c->ifp != NULL && !ipaddr_is_multicast(&c->c.dst))
		return verb_error(v, EXIT_USAGE_, "send: via: the destination is not a group");
	c->c.mcast_ifp = c->ifp;
	c->c.start_ns = clock_now();
	c->c.stop_ns = c->for_ns != 0 ? clock_now() + c->for_ns : NS_NEVER;
	c->sender = udp_sender_new(&c->c);
	if (c->sender == NULL)
		return verb_error(v, 1, "send: %s", strerror(errno));
	udp_sender_on_end(c->sender, sender_ended, c);
	return 0;
}

static int
start_sink(struct udp_cmd *c, int at, bool echo)
{
	struct verb_run *v = c->v;
	int status;

	if (v->argc <= at)
		return verb_usage(v, NULL);
	if (!parse_host_port(v->argv[at], c->family, false, &c->addr, &c->port))
		return verb_error(v, EXIT_USAGE_,
		    "%s: not a port, nor an address of ours and a port", v->argv[at]);
	if ((status = parse_pairs(c, at + 1, parse_sink_pair)) != 0)
		return status;
	if (!ipaddr_is_multicast(&c->addr) && (c->ifp != NULL || c->nsources > 0))
		return verb_error(
		    v, EXIT_USAGE_, "%s: not a group: via and source are for groups", v->argv[at]);
	c->sink = udp_sink_new_member(&c->addr, c->port, echo, c->ifp, c->source, c->nsources);
	if (c->sink == NULL)
		return verb_error(v, 1, "%s: %s: %s", v->argv[1], v->argv[at], strerror(errno));
	if (c->for_ns != 0)
		callout_reset(&c->end, c->for_ns);
	return 0;
}

/* "send", "echo" or "sink", an option for the family, and the rest. Status. */
static int
start(struct udp_cmd *c)
{
	struct verb_run *v = c->v;
	struct verb_opts o;
	int opt, at;

	verb_opts_init(&o, v, v->argc - 1, v->argv + 1, "46");
	while ((opt = verb_opts_next(&o)) != -1) {
		if (opt == '?')
			return verb_usage(v, NULL);
		c->family = opt == '6' ? AF_INET6 : AF_INET;
	}
	at = 1 + o.ind;
	if (strcmp(v->argv[1], "send") == 0)
		return start_sender(c, at);
	if (strcmp(v->argv[1], "echo") == 0)
		return start_sink(c, at, true);
	if (strcmp(v->argv[1], "sink") == 0)
		return start_sink(c, at, false);
	return verb_usage(v, NULL);
}

static int
udp_verb_run(struct verb_run *v)
{
	struct udp_cmd *c;
	int status;

	if (v->argc < 2)
		return verb_usage(v, NULL);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return verb_error(v, 1, "Cannot allocate memory");
	c->v = v;
	c->c = (struct udp_flow_config){
		.size = SIZE_DEFAULT, .flows = 1, .fib = v->fib, .name = "udp send"
	};
	callout_init(&c->end, curvnet, cmd_finish, c);
	if ((status = start(c)) != 0) {
		free(c);
		return status;
	}
	v->state = c;
	v->cancel = cmd_cancel;
	return VERB_PENDING;
}
VERB_DEFINE(udp, .name = "udp",
    .usage =
	"udp send [-46] to HOST:PORT rate RATE [size BYTES] [for TIME] [count N] [flows N]\n"
	"                [pattern constant|poisson] [from ADDR] [port N] [dscp N | tos N] [ttl N]\n"
	"                [via IF] [loop on|off]\n"
	"       udp echo [-46] [ADDR:]PORT [for TIME] [via IF] [source ADDR[,ADDR]...]\n"
	"       udp sink [-46] [ADDR:]PORT [for TIME] [via IF] [source ADDR[,ADDR]...]",
    .summary = "send UDP traffic, echo it, or measure what arrives", .run = udp_verb_run);
