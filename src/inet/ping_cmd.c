/*
 * ping_cmd.c - the tool ping, in FreeBSD's words, for hosts of either family; what it shares with
 * ping6 (inet6/ping6.c).
 *
 * Options are checked here, the engine in ping.c does the work, and what it reports becomes lines
 * (ping_lines.c, inet6/ping6.c). The command stays until the engine is done, the timeout (-t) is
 * over, or the reader goes away or types ^C; each of them prints the statistics.
 */
#include "inet/ping_cmd.h"

#include "kern/jail.h"
#include "net/if.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

LINKERSET_DECLARE(ping_lines, const struct ping_lines);

enum { EXIT_NO_WAY = 1, EXIT_NO_REPLY = 2, ICMP_HDRLEN = 8 };

/* --- lines ------------------------------------------------------------------------------------ */

static const struct ping_lines *
lines_of(int af)
{
	const struct ping_lines *const *l;

	LINKERSET_FOREACH(l, ping_lines)
		if ((*l)->af == af)
			return *l;
	return NULL;
}

void
ping_print_difference(struct ping_cmd *c, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 8; i < len; i++) {
		uint8_t should = c->c.pattern_len > 0 ? c->pattern[(i - 8) % c->c.pattern_len] :
							(uint8_t)i;

		if (data[i] == should)
			continue;
		emit_text(c->v->out, "\nwrong data byte #%u should be 0x%x but was 0x%x", i, should,
		    data[i]);
		emit_uint(c->v->out, "wrong-data-byte", NULL, i);
		return;
	}
}

static void
cmd_on_reply(void *ctx, const struct ping_reply *r)
{
	struct ping_cmd *c = ctx;
	if (c->quiet || r->late)
		return;
	if (r->is_error) {
		if (!c->quieter)
			c->lines->error(c, r);
	} else if (c->dots) {
		emit_text(c->v->out, "\b");
		emit_flush(c->v->out);
	} else {
		c->lines->reply(c, r);
	}
}

static void
cmd_on_sent(void *ctx, uint16_t seq)
{
	struct ping_cmd *c = ctx;
	struct ping_stats st;

	(void)seq;
	if (c->dots && !c->quiet)
		emit_text(c->v->out, ".");
	if (!c->missed_audible)
		return;
	ping_stats(c->ping, &st);
	if (st.sent > st.received + 1 && st.sent - st.received - 1 > c->missed_max) {
		c->missed_max = st.sent - st.received - 1;
		emit_text(c->v->out, "\a");
	}
}

static void
cmd_on_failed(void *ctx, int err)
{
	struct ping_cmd *c = ctx;

	/* A flood that fills its own queue is no news. */
	if (!(c->dots && err == ENOBUFS) && !c->quieter)
		verb_error(c->v, 0, "sendto: %s", strerror(err));
}

static void
print_statistics(struct ping_cmd *c, const struct ping_stats *st)
{
	struct emitter *e = c->v->out;
	double min = (double)delay_hist_min(st->rtt) / 1e6,
	       max = (double)delay_hist_max(st->rtt) / 1e6;

	emit_end(e);
	emit_text(e, "\n--- %s %s statistics ---\n", c->host, c->lines->tool);
	emit_uint(e, "transmitted", "%" PRIu64 " packets transmitted, ", st->sent);
	emit_uint(e, "received", "%" PRIu64 " packets received, ", st->received);
	emit_uint(e, "duplicates", NULL, st->duplicates);
	if (st->duplicates != 0)
		emit_text(e, "+%" PRIu64 " duplicates, ", st->duplicates);
	if (st->sent != 0) {
		uint64_t lost = st->received > st->sent ? 0 : st->sent - st->received;

		emit_num(e, "loss-percent", "%.1f%% packet loss",
		    (double)lost * 100 / (double)st->sent, 3);
	}
	emit_uint(e, "late", NULL, st->late);
	if (st->late != 0)
		emit_text(e, ", %" PRIu64 " packets out of wait time", st->late);
	emit_text(e, "\n");
	if (delay_hist_count(st->rtt) == 0)
		return;
	emit_text(e, "round-trip min/avg/max/%s = ", c->lines->stddev);
	emit_num(e, "rtt-min-ms", "%.3f/", min, 6);
	emit_num(e, "rtt-avg-ms", "%.3f/", st->rtt_mean_ns / 1e6, 6);
	emit_num(e, "rtt-max-ms", "%.3f/", max, 6);
	emit_num(e, "rtt-stddev-ms", "%.3f ms\n", st->rtt_stddev_ns / 1e6, 6);
}

/* --- end -------------------------------------------------------------------------------------- */

static void
cmd_finish(void *ctx)
{
	struct ping_cmd *c = ctx;
	struct verb_run *v = c->v;
	struct ping_stats st;

	ping_stats(c->ping, &st);
	print_statistics(c, &st);
	callout_drain(&c->timeout);
	ping_free(c->ping);
	free(c);
	verb_finish(v, st.received > 0 ? 0 : EXIT_NO_REPLY);
}

static void
cmd_cancel(struct verb_run *v)
{
	cmd_finish(v->state);
}

/* --- words ------------------------------------------------------------------------------------ */

/* "0.2", "1", "1.5": seconds in decimal, exact to the ns. */
static bool
parse_seconds(const char *word, uint64_t *ns)
{
	char text[48];

	return (size_t)snprintf(text, sizeof(text), "%ss", word) < sizeof(text) && word[0] >= '0' &&
	    word[0] <= '9' && verb_duration(text, ns);
}

static int
hex_digit(char ch)
{
	return ch >= '0' && ch <= '9' ? ch - '0' :
	    ch >= 'a' && ch <= 'f'    ? ch - 'a' + 10 :
	    ch >= 'A' && ch <= 'F'    ? ch - 'A' + 10 :
					-1;
}

/* Up to 16 bytes in hex; an odd last digit is a byte of its own. */
static bool
parse_pattern(struct ping_cmd *c, const char *word)
{
	unsigned n = 0;

	while (*word != '\0' && n < sizeof(c->pattern)) {
		int high = hex_digit(word[0]), low = word[1] != '\0' ? hex_digit(word[1]) : 0;

		if (high < 0 || low < 0)
			return false;
		c->pattern[n++] = (uint8_t)(word[1] != '\0' ? high << 4 | low : high);
		word += word[1] != '\0' ? 2 : 1;
	}
	c->c.pattern_len = n;
	return n > 0 && *word == '\0';
}

/* A number option, or the usage error that its absence is. Status. */
static int
number(struct verb_run *v, const char *what, const char *word, uint64_t min, uint64_t max,
    uint64_t *value)
{
	if (verb_number(word, min, max, value))
		return 0;
	return verb_error(v, EXIT_USAGE_, "invalid %s: `%s'", what, word);
}

/* Sizes are compared with what the family can carry when that is known: ping_cmd_start. */
static int
option_size(struct verb_run *v, const char *word, uint32_t *size)
{
	uint64_t n;

	if (!verb_number(word, 0, UINT32_MAX, &n))
		return verb_error(v, EXIT_USAGE_, "invalid packet size: `%s'", word);
	*size = (uint32_t)n;
	return 0;
}

static int
option_message(struct ping_cmd *c, const char *word)
{
	if (strcmp(word, "time") == 0)
		c->c.kind = PING_TIMESTAMP;
	else if (strcmp(word, "mask") == 0)
		c->c.kind = PING_MASK;
	else
		return verb_error(c->v, EXIT_USAGE_, "invalid message: `%s'", word);
	return 0;
}

/* One option with an argument. Status. */
static int
option_value(struct ping_cmd *c, int opt, const char *arg)
{
	struct verb_run *v = c->v;
	uint64_t n = 0;
	int status = 0;

	switch (opt) {
	case 'c':
		return number(v, "count of packets to transmit", arg, 1, UINT32_MAX, &c->c.count);
	case 'G':
		return option_size(v, arg, &c->c.sweep_max);
	case 'g':
	case 's':
		c->size_given = true;
		return option_size(v, arg, &c->c.size);
	case 'h':
		status = number(v, "increment size", arg, 1, UINT16_MAX, &n);
		c->c.sweep_step = (uint32_t)n;
		return status;
	case 'I':
		c->ifname = arg;
		return 0;
	case 'i':
		if (!parse_seconds(arg, &c->c.interval_ns) || c->c.interval_ns == 0)
			return verb_error(v, EXIT_USAGE_, "invalid timing interval: `%s'", arg);
		c->interval_given = true;
		return 0;
	case 'l':
		status = number(v, "preload value", arg, 0, 65536, &n);
		c->c.preload = (uint32_t)n;
		return status;
	case 'M':
		return option_message(c, arg);
	case 'm':
		status = number(v, "TTL", arg, 1, 255, &n);
		c->c.ttl = (uint8_t)n;
		return status;
	case 'P':
		return verb_error(v, EXIT_USAGE_, "-P %s: there is no IPsec here", arg);
	case 'p':
		return parse_pattern(c, arg) ?
		    0 :
		    verb_error(v, EXIT_USAGE_, "patterns must be specified as hex digits");
	case 'S':
		c->source = arg;
		return 0;
	case 'T':
		status = number(v, "multicast TTL", arg, 1, 255, &n);
		c->c.ttl = (uint8_t)n;
		c->mcast_ttl_given = true;
		return status;
	case 't':
		status = number(v, "timeout", arg, 1, 86400 * 365, &n);
		c->timeout_ns = n * NS_PER_SEC;
		return status;
	case 'W':
		status = number(v, "timing interval", arg, 1, UINT32_MAX, &n);
		c->c.wait_ns = n * NS_PER_MS;
		return status;
	case 'z':
		status = number(v, "TOS", arg, 0, 255, &n);
		c->c.tos = (uint8_t)n;
		return status;
	default:
		return verb_usage(v, NULL);
	}
}

int
ping_cmd_option(struct ping_cmd *c, int opt, const char *arg)
{
	switch (opt) {
	case '4':
		c->family = AF_INET;
		return 0;
	case '6':
		c->family = AF_INET6;
		return 0;
	case 'A':
		c->missed_audible = true;
		return 0;
	case 'a':
		c->audible = true;
		return 0;
	case 'D':
		c->c.df = true;
		return 0;
	case 'd': /* the stack's own tracing is always on */
	case 'n': /* addresses are printed as numbers anyway */
		return 0;
	case 'f':
		c->c.flood = c->dots = true;
		return 0;
	case 'L':
		c->c.no_loop = true;
		return 0;
	case 'o':
		c->c.stop_at_first = true;
		return 0;
	case 'Q':
		c->quieter = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case 'R':
		c->c.record_route = true;
		return 0;
	case 'r':
		c->c.dont_route = true;
		return 0;
	case 'v':
		c->verbose = true;
		return 0;
	default:
		return option_value(c, opt, arg);
	}
}

/* --- start ------------------------------------------------------------------------------------ */

/* -f, -i, -g, -G, -h. Status. */
static int
check_times_and_sizes(struct ping_cmd *c)
{
	struct verb_run *v = c->v;
	const struct ip_family *f = ip_family(c->c.dst.family);
	uint32_t max = f->maxpayload - ICMP_HDRLEN, sizes;

	if (c->c.flood && c->interval_given)
		return verb_error(v, EXIT_USAGE_, "-f and -i: incompatible options");
	if (c->c.flood)
		c->c.interval_ns = 10 * NS_PER_MS;
	if (!c->size_given)
		c->c.size = c->c.sweep_max != 0 ? 0 : c->lines->size;
	if (c->c.size > max || c->c.sweep_max > max)
		return verb_error(v, EXIT_USAGE_, "packet size too large: %u > %u",
		    c->c.size > max ? c->c.size : c->c.sweep_max, max);
	if (c->c.sweep_max == 0)
		return 0;
	if (c->c.size > c->c.sweep_max)
		return verb_error(v, EXIT_USAGE_, "invalid packet size: `%u'", c->c.size);
	/* With a sweep, -c says how many requests of each size. */
	sizes = (c->c.sweep_max - c->c.size) / c->c.sweep_step + 1;
	c->c.sweep_each = c->c.count != 0 ? (uint32_t)c->c.count : 1;
	c->c.count = (uint64_t)sizes * c->c.sweep_each;
	return 0;
}

/* -I: a name, or, for IPv4 groups as in the BSDs, an address of the interface. Status. */
static int
find_interface(struct ping_cmd *c)
{
	const struct in_ifaddr *ia;
	uint32_t addr;

	if (c->ifname == NULL)
		return 0;
	c->c.ifp = if_byname(c->ifname);
	if (c->c.ifp == NULL && c->c.dst.family == AF_INET && in_aton(c->ifname, &addr) &&
	    (ia = in_local(addr)) != NULL)
		c->c.ifp = ia->ifa.ifp;
	if (c->c.ifp == NULL)
		return verb_error(c->v, EXIT_USAGE_, "invalid interface: `%s'", c->ifname);
	ipaddr_set_zone(&c->c.dst, c->c.ifp->if_index);
	return 0;
}

/* What one family or one kind of destination has, and others not. Status. */
static int
check_kind(const struct ping_cmd *c)
{
	bool group = ipaddr_is_multicast(&c->c.dst), inet = c->c.dst.family == AF_INET;

	if (!inet && (c->c.kind != PING_ECHO || c->c.record_route))
		return verb_error(c->v, EXIT_USAGE_, "-M and -R: IPv4 only");
	if (!group && (c->c.no_loop || c->mcast_ttl_given || (inet && c->ifname != NULL)))
		return verb_error(
		    c->v, EXIT_USAGE_, "-I, -L, -T flags cannot be used with unicast destination");
	return 0;
}

/* May this jail send, and from which address? Status. */
static int
check_rights(struct ping_cmd *c)
{
	if (priv_check(PRIV_NET_RAW) != 0)
		return verb_error(c->v, EXIT_NOPERM_, "socket: Operation not permitted");
	c->c.src.family = c->c.dst.family;
	if (c->source != NULL && !ipaddr_resolve(c->source, c->c.dst.family, &c->c.src))
		return verb_error(c->v, EXIT_NOHOST_, "cannot resolve %s: Unknown host", c->source);
	if (ipaddr_bind(c->v->prison, &c->c.src) != 0)
		return verb_error(c->v, EXIT_OSERR_, "bind: Can't assign requested address");
	return 0;
}

/* The source to show, which IPv6's head line has. Status. */
static int
find_source(struct ping_cmd *c)
{
	const struct ip_family *f = ip_family(c->c.dst.family);
	int error;

	c->shown = c->c.src;
	if (f->af == AF_INET || !ipaddr_is_any(&c->shown))
		return 0;
	error = f->source_for(c->c.fib, c->c.ifp, &c->c.dst, &c->shown);
	if (error == 0)
		return 0;
	return verb_error(c->v, EXIT_NO_WAY, "UDP connect: %s", verb_strerror(-error));
}

static int
check(struct ping_cmd *c)
{
	int status;

	if (!ipaddr_resolve(c->host, c->family, &c->c.dst) || ipaddr_is_any(&c->c.dst))
		return verb_error(c->v, EXIT_NOHOST_, "cannot resolve %s: Unknown host", c->host);
	c->lines = lines_of(c->c.dst.family);
	if (c->lines == NULL)
		return verb_error(c->v, EXIT_OSERR_, "%s: no such protocol here", c->host);
	if ((status = check_times_and_sizes(c)) != 0 || (status = find_interface(c)) != 0 ||
	    (status = check_kind(c)) != 0 || (status = check_rights(c)) != 0)
		return status;
	return find_source(c);
}

struct ping_cmd *
ping_cmd_new(struct verb_run *v)
{
	struct ping_cmd *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->v = v;
	c->c = (struct ping_config){
		.interval_ns = NS_PER_SEC,
		.wait_ns = 10 * NS_PER_SEC,
		.stop_ns = NS_NEVER,
		.fib = v->fib,
		.sweep_step = 1,
		.short_wait = true,
		.pattern = c->pattern,
	};
	return c;
}

int
ping_cmd_start(struct ping_cmd *c, const char *host)
{
	struct verb_run *v = c->v;
	int status;

	c->host = host;
	c->c.start_ns = clock_now();
	if ((status = check(c)) == 0 &&
	    (c->ping = ping_new(&c->c, cmd_on_reply, cmd_finish, c)) == NULL)
		status = verb_error(v, EXIT_OSERR_, "%s", strerror(errno));
	if (status != 0) {
		free(c);
		return status;
	}
	ping_on_send(c->ping, cmd_on_sent, cmd_on_failed);
	c->lines->head(c);
	emit_uint(v->out, "data-bytes", NULL, c->c.size);
	emit_list(v->out, "reply");
	emit_flush(v->out);
	callout_init(&c->timeout, curvnet, cmd_finish, c);
	if (c->timeout_ns != 0)
		callout_reset(&c->timeout, c->timeout_ns);
	v->state = c;
	v->cancel = cmd_cancel;
	return VERB_PENDING;
}

static int
ping_verb_run(struct verb_run *v)
{
	struct ping_cmd *c = ping_cmd_new(v);
	struct verb_opts o;
	int opt, status;

	if (c == NULL)
		return verb_error(v, EXIT_OSERR_, "Cannot allocate memory");
	verb_opts_init(
	    &o, v, v->argc, v->argv, "46AaDdfG:g:h:I:c:i:Ll:M:m:noP:p:QqRrS:s:T:t:vW:z:");
	while ((opt = verb_opts_next(&o)) != -1)
		if ((status = ping_cmd_option(c, opt, o.arg)) != 0) {
			free(c);
			return status;
		}
	if (o.ind != v->argc - 1) {
		free(c);
		return verb_usage(v, NULL);
	}
	return ping_cmd_start(c, v->argv[o.ind]);
}
VERB_DEFINE(ping, .name = "ping",
    .usage = "ping [-46AaDdfLnoQqRrv] [-c count] [-G sweepmaxsize] [-g sweepminsize]\n"
	     "            [-h sweepincrsize] [-I interface] [-i wait] [-l preload]\n"
	     "            [-M mask|time] [-m ttl] [-p pattern] [-S src_addr] [-s packetsize]\n"
	     "            [-T ttl] [-t timeout] [-W waittime] [-z tos] host",
    .summary = "send ICMP echo requests and print what comes back", .run = ping_verb_run);
