/*
 * ping_cmd.c - the tool ping, in FreeBSD's words.
 *
 * Options are checked here, the engine in ping.c does the work, and what it reports becomes lines.
 * The command stays until the engine is done, the timeout (-t) is over, or the reader goes away or
 * types ^C; each of them prints the statistics.
 */
#include "inet/icmp.h"
#include "inet/ping.h"

#include "kern/jail.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE_DEFAULT = 56, SIZE_MAX_ = IP_MAXPACKET_ - 20 - 8, EXIT_NO_REPLY = 2 };

struct ping_cmd {
	struct verb_run *v;
	struct ping *ping;
	struct ping_config c;
	struct callout timeout; /* -t */
	const char *host;       /* in v->argv */
	bool audible, missed_audible, quiet, quieter, dots, size_given;
	uint64_t timeout_ns, missed_max;
	uint8_t pattern[16];
	uint8_t route[40]; /* -R: the route of the reply before */
	unsigned route_len;
};

/* --- lines ------------------------------------------------------------------------------------ */

static const char *
unreach_text(uint8_t code)
{
	static const char *const text[] = { "Destination Net Unreachable",
		"Destination Host Unreachable", "Destination Protocol Unreachable",
		"Destination Port Unreachable", "frag needed and DF set", "Source Route Failed" };

	if (code < sizeof(text) / sizeof(text[0]))
		return text[code];
	return code == ICMP_UNREACH_FILTER_PROHIB_ ? "Communication prohibited by filter" :
						     "Dest Unreachable, Bad Code";
}

static void
print_error(struct emitter *e, const struct icmp_hdr *icmp)
{
	static const char *const redirect[] = { "Redirect Network", "Redirect Host",
		"Redirect Type of Service and Network", "Redirect Type of Service and Host" };
	char gw[16];

	switch (icmp->type) {
	case ICMP_UNREACH_:
		emit_text(e, "%s", unreach_text(icmp->code));
		if (icmp->code == ICMP_UNREACH_NEEDFRAG_)
			emit_text(e, " (MTU %u)", from_be16(icmp->frag.mtu));
		break;
	case ICMP_SOURCEQUENCH_:
		emit_text(e, "Source Quench");
		break;
	case ICMP_REDIRECT_:
		emit_text(e, "%s(New addr: %s)",
		    icmp->code < 4 ? redirect[icmp->code] : "Redirect, Bad Code",
		    in_ntoa(icmp->gateway, gw));
		break;
	case ICMP_TIMXCEED_:
		emit_text(e, "%s",
		    icmp->code == 0 ? "Time to live exceeded" : "Frag reassembly time exceeded");
		break;
	default:
		emit_text(e, "Parameter problem: pointer = 0x%02x", icmp->param.pointer);
		break;
	}
	emit_text(e, "\n");
}

/* The packet that an error quotes. */
static void
print_quoted(struct emitter *e, const struct ip_hdr *ip)
{
	char src[16], dst[16];

	emit_text(e, "Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst\n");
	emit_text(e, " %1x  %1x  %02x %04x %04x", ip->vhl >> 4, ip->vhl & 0xf, ip->tos,
	    from_be16(ip->len), from_be16(ip->id));
	emit_text(e, "   %1x %04x  %02x  %02x %04x", from_be16(ip->off) >> 13,
	    from_be16(ip->off) & IP_OFFMASK_, ip->ttl, ip->proto, __builtin_bswap16(ip->sum));
	emit_text(e, " %s  %s \n\n", in_ntoa(ip->src, src), in_ntoa(ip->dst, dst));
}

/* -R: the addresses that the reply has collected. */
static void
print_route(struct ping_cmd *c, const struct ip_hdr *ip)
{
	struct emitter *e = c->v->out;
	const uint8_t *opt = (const uint8_t *)(ip + 1);
	unsigned left = ip_hlen(ip) - (unsigned)sizeof(*ip), end;
	char text[16];

	while (left >= 3 && opt[0] == 1) {
		opt++;
		left--;
	}
	if (left < 3 || opt[0] != 7 || opt[1] > left || opt[2] < 4 || opt[2] > opt[1] + 1u)
		return;
	end = opt[2] - 1u;
	if (end == c->route_len && memcmp(opt, c->route, end) == 0) {
		emit_text(e, "\t(same route)");
		return;
	}
	memcpy(c->route, opt, end);
	c->route_len = end;
	emit_text(e, "\nRR: ");
	emit_list(e, "route");
	for (unsigned at = 3; at + 4 <= end; at += 4) {
		emit_text(e, "%s", at > 3 ? "\n" : "");
		emit_str(e, "", "\t%s", in_ntoa(load32(opt + at), text));
	}
	emit_end(e);
}

/* Does the reply carry what was sent? */
static void
print_difference(struct ping_cmd *c, const uint8_t *data, uint32_t len)
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
print_timestamps(struct emitter *e, const uint8_t *t)
{
	static const char *const name[] = { "tso", "tsr", "tst" };

	for (unsigned i = 0; i < 3; i++) {
		uint32_t ms = __builtin_bswap32(load32(t + 4 * i));

		emit_text(e, " %s=%02u:%02u:%02u", name[i], ms / 3600000 % 24, ms / 60000 % 60,
		    ms / 1000 % 60);
		emit_uint(e, name[i], NULL, ms);
	}
}

static void
print_reply(struct ping_cmd *c, const struct ping_reply *r)
{
	struct emitter *e = c->v->out;
	const struct ip_hdr *ip = mtod(r->m, const struct ip_hdr *);
	const uint8_t *data = r->m->data + ip_hlen(ip) + sizeof(struct icmp_hdr);
	char from[IPADDR_TEXT];

	emit_object(e, NULL);
	emit_uint(e, "bytes", "%" PRIu64 " bytes", r->bytes);
	emit_str(e, "from", " from %s:", ipaddr_ntoa(&r->from, from));
	emit_uint(e, "icmp_seq", " icmp_seq=%" PRIu64, r->seq);
	emit_uint(e, "ttl", " ttl=%" PRIu64, r->ttl);
	if (r->timed)
		emit_num(e, "time-ms", " time=%.3f ms", (double)r->rtt_ns / 1e6, 6);
	if (r->dup)
		emit_text(e, " (DUP!)");
	if (c->audible)
		emit_text(e, "\a");
	emit_bool(e, "duplicate", r->dup);
	if (r->icmp_type == ICMP_TSTAMPREPLY_)
		print_timestamps(e, data);
	else
		print_difference(c, data, r->bytes - (uint32_t)sizeof(struct icmp_hdr));
	if (c->c.record_route)
		print_route(c, ip);
	emit_text(e, "\n");
	emit_end(e);
	emit_flush(e);
}

static void
print_icmp_error(struct ping_cmd *c, const struct ping_reply *r)
{
	struct emitter *e = c->v->out;
	const struct ip_hdr *ip = mtod(r->m, const struct ip_hdr *);
	const struct icmp_hdr *icmp = (const void *)(r->m->data + ip_hlen(ip));
	char from[IPADDR_TEXT];

	emit_object(e, NULL);
	emit_uint(e, "bytes", "%" PRIu64 " bytes", r->bytes);
	emit_str(e, "from", " from %s: ", ipaddr_ntoa(&r->from, from));
	emit_uint(e, "icmp_seq", NULL, r->seq);
	emit_uint(e, "icmp-type", NULL, r->icmp_type);
	emit_uint(e, "icmp-code", NULL, r->icmp_code);
	print_error(e, icmp);
	print_quoted(e, (const void *)(icmp + 1));
	emit_end(e);
	emit_flush(e);
}

static void
cmd_on_reply(void *ctx, const struct ping_reply *r)
{
	struct ping_cmd *c = ctx;
	bool is_error = r->icmp_type != ICMP_ECHOREPLY_ && r->icmp_type != ICMP_TSTAMPREPLY_;

	if (c->quiet || r->late)
		return;
	if (is_error) {
		if (!c->quieter)
			print_icmp_error(c, r);
	} else if (c->dots) {
		emit_text(c->v->out, "\b");
		emit_flush(c->v->out);
	} else {
		print_reply(c, r);
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
print_head(struct ping_cmd *c)
{
	struct emitter *e = c->v->out;
	char dst[IPADDR_TEXT], src[IPADDR_TEXT];

	emit_str(e, "host", "PING %s", c->host);
	emit_str(e, "address", " (%s)", ipaddr_ntoa(&c->c.dst, dst));
	if (!ipaddr_is_any(&c->c.src))
		emit_str(e, "source", " from %s", ipaddr_ntoa(&c->c.src, src));
	if (c->c.sweep_max != 0)
		emit_text(e, ": (%u ... %u) data bytes\n", c->c.size, c->c.sweep_max);
	else
		emit_text(e, ": %u data bytes\n", c->c.size);
	emit_uint(e, "data-bytes", NULL, c->c.size);
	emit_list(e, "reply");
	emit_flush(e);
}

static void
print_statistics(struct ping_cmd *c, const struct ping_stats *st)
{
	struct emitter *e = c->v->out;
	double min = (double)delay_hist_min(st->rtt) / 1e6,
	       max = (double)delay_hist_max(st->rtt) / 1e6;

	emit_end(e);
	emit_text(e, "\n--- %s ping statistics ---\n", c->host);
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
	emit_num(e, "rtt-min-ms", "round-trip min/avg/max/stddev = %.3f/", min, 6);
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

static int
option_size(struct verb_run *v, const char *word, uint32_t *size)
{
	uint64_t n;

	if (!verb_number(word, 0, UINT32_MAX, &n))
		return verb_error(v, EXIT_USAGE_, "invalid packet size: `%s'", word);
	if (n > SIZE_MAX_)
		return verb_error(
		    v, EXIT_USAGE_, "packet size too large: %" PRIu64 " > %u", n, SIZE_MAX_);
	*size = (uint32_t)n;
	return 0;
}

/* One option with an argument. Status. */
static int
option_value(struct ping_cmd *c, int opt, const char *arg, bool *interval_given)
{
	struct verb_run *v = c->v;
	uint64_t n = 0;
	int status = 0;

	switch (opt) {
	case 'c':
		status = number(v, "count of packets to transmit", arg, 1, UINT32_MAX, &c->c.count);
		break;
	case 'G':
		return option_size(v, arg, &c->c.sweep_max);
	case 'g':
	case 's':
		c->size_given = true;
		return option_size(v, arg, &c->c.size);
	case 'h':
		status = number(v, "increment size", arg, 1, SIZE_MAX_, &n);
		c->c.sweep_step = (uint32_t)n;
		break;
	case 'i':
		if (!parse_seconds(arg, &c->c.interval_ns) || c->c.interval_ns == 0)
			return verb_error(v, EXIT_USAGE_, "invalid timing interval: `%s'", arg);
		*interval_given = true;
		break;
	case 'l':
		status = number(v, "preload value", arg, 0, 65536, &n);
		c->c.preload = (uint32_t)n;
		break;
	case 'M':
		if (strcmp(arg, "time") != 0)
			return verb_error(
			    v, EXIT_USAGE_, "invalid message: `%s': only time is offered", arg);
		c->c.timestamp = true;
		break;
	case 'm':
	case 'T':
		status = number(v, opt == 'm' ? "TTL" : "multicast TTL", arg, 1, 255, &n);
		c->c.ttl = (uint8_t)n;
		break;
	case 'p':
		if (!parse_pattern(c, arg))
			return verb_error(
			    v, EXIT_USAGE_, "patterns must be specified as hex digits");
		break;
	case 'S':
		if (!ipaddr_resolve(arg, AF_INET, &c->c.src))
			return verb_error(v, EXIT_NOHOST_, "cannot resolve %s: Unknown host", arg);
		break;
	case 't':
		status = number(v, "timeout", arg, 1, 86400 * 365, &n);
		c->timeout_ns = n * NS_PER_SEC;
		break;
	case 'W':
		status = number(v, "timing interval", arg, 1, UINT32_MAX, &n);
		c->c.wait_ns = n * NS_PER_MS;
		break;
	case 'z':
		status = number(v, "TOS", arg, 0, 255, &n);
		c->c.tos = (uint8_t)n;
		break;
	}
	return status;
}

/* All options; the word behind them is the host. Status. */
static int
parse(struct ping_cmd *c, const char **host)
{
	struct verb_run *v = c->v;
	struct verb_opts o;
	bool interval_given = false;
	int opt, status;

	verb_opts_init(&o, v, v->argc, v->argv, "4AaDdfG:g:h:c:i:l:M:m:nop:QqRrS:s:T:t:vW:z:");
	while ((opt = verb_opts_next(&o)) != -1) {
		switch (opt) {
		case '4':
		case 'd':
		case 'n': /* addresses are always printed as numbers */
		case 'v': /* all that concerns us is printed anyway */
			break;
		case 'A':
			c->missed_audible = true;
			break;
		case 'a':
			c->audible = true;
			break;
		case 'D':
			c->c.df = true;
			break;
		case 'f':
			c->c.flood = c->dots = true;
			break;
		case 'o':
			c->c.stop_at_first = true;
			break;
		case 'Q':
			c->quieter = true;
			break;
		case 'q':
			c->quiet = true;
			break;
		case 'R':
			c->c.record_route = true;
			break;
		case 'r':
			c->c.dont_route = true;
			break;
		case '?':
			return verb_usage(v, NULL);
		default:
			status = option_value(c, opt, o.arg, &interval_given);
			if (status != 0)
				return status;
		}
	}
	if (o.ind != v->argc - 1)
		return verb_usage(v, NULL);
	if (c->c.flood && interval_given)
		return verb_error(v, EXIT_USAGE_, "-f and -i: incompatible options");
	if (c->c.flood)
		c->c.interval_ns = 10 * NS_PER_MS;
	if (c->c.sweep_max != 0) {
		uint64_t sizes;

		if (!c->size_given)
			c->c.size = 0;
		if (c->c.size > c->c.sweep_max)
			return verb_error(v, EXIT_USAGE_, "invalid packet size: `%u'", c->c.size);
		/* With a sweep, -c says how many requests of each size. */
		sizes = (c->c.sweep_max - c->c.size) / c->c.sweep_step + 1;
		c->c.sweep_each = c->c.count != 0 ? (uint32_t)c->c.count : 1;
		c->c.count = sizes * c->c.sweep_each;
	}
	*host = v->argv[o.ind];
	return 0;
}

/* May this jail send, and from which address? Status. */
static int
check_rights(struct ping_cmd *c)
{
	const struct prison *pr = c->v->prison;

	if (priv_check(PRIV_NET_RAW) != 0)
		return verb_error(c->v, EXIT_NOPERM_, "socket: Operation not permitted");
	c->c.src.family = c->c.dst.family;
	if (ipaddr_bind(pr, &c->c.src) != 0)
		return verb_error(c->v, EXIT_OSERR_, "bind: Can't assign requested address");
	return 0;
}

static int
ping_verb_run(struct verb_run *v)
{
	struct ping_cmd *c = calloc(1, sizeof(*c));
	int status;

	if (c == NULL)
		return verb_error(v, EXIT_OSERR_, "Cannot allocate memory");
	c->v = v;
	c->c = (struct ping_config){
		.interval_ns = NS_PER_SEC,
		.wait_ns = 10 * NS_PER_SEC,
		.stop_ns = NS_NEVER,
		.size = SIZE_DEFAULT,
		.fib = v->fib,
		.sweep_step = 1,
		.short_wait = true,
		.pattern = c->pattern,
	};
	status = parse(c, &c->host);
	if (status == 0 &&
	    (!ipaddr_resolve(c->host, AF_INET, &c->c.dst) || ipaddr_is_any(&c->c.dst)))
		status = verb_error(v, EXIT_NOHOST_, "cannot resolve %s: Unknown host", c->host);
	if (status == 0)
		status = check_rights(c);
	if (status != 0) {
		free(c);
		return status;
	}
	c->c.start_ns = clock_now();
	c->ping = ping_new(&c->c, cmd_on_reply, cmd_finish, c);
	if (c->ping == NULL) {
		status = verb_error(v, EXIT_OSERR_, "%s", strerror(errno));
		free(c);
		return status;
	}
	ping_on_send(c->ping, cmd_on_sent, cmd_on_failed);
	print_head(c);
	callout_init(&c->timeout, curvnet, cmd_finish, c);
	if (c->timeout_ns != 0)
		callout_reset(&c->timeout, c->timeout_ns);
	v->state = c;
	v->cancel = cmd_cancel;
	return VERB_PENDING;
}
VERB_DEFINE(ping, .name = "ping",
    .usage = "ping [-4AaDdfnoQqRrv] [-c count] [-G sweepmaxsize] [-g sweepminsize]\n"
	     "            [-h sweepincrsize] [-i wait] [-l preload] [-M time] [-m ttl]\n"
	     "            [-p pattern] [-S src_addr] [-s packetsize] [-T ttl] [-t timeout]\n"
	     "            [-W waittime] [-z tos] host",
    .summary = "send ICMP echo requests and print what comes back", .run = ping_verb_run);
