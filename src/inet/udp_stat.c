/*
 * udp_stat.c - UDP as netstat and sockstat show it: the endpoints and the counters.
 */
#include "inet/udp.h"

#include "kern/netstat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENDPOINT_TEXT = IPADDR_TEXT + 8 };

static inline const char *
proto_name(const struct udp_info *info)
{
	return info->laddr.family == AF_INET6 ? "udp6" : "udp4";
}

/* --- netstat, netstat -a ---------------------------------------------------------------------- */

/* "10.0.0.1.5000", "*.5000", "*.*" */
static void
endpoint_text(const struct ipaddr *addr, uint16_t port, char *text, size_t len)
{
	char a[IPADDR_TEXT], p[8];

	if (port == 0)
		snprintf(p, sizeof(p), "*");
	else
		snprintf(p, sizeof(p), "%u", port);
	snprintf(text, len, "%s.%s", ipaddr_is_any(addr) ? "*" : ipaddr_ntoa(addr, a), p);
}

/* A column is as wide as its widest entry: a part of an address is no address. */
enum { COLUMN_MIN = 22 };

struct list {
	struct emitter *e;
	const struct netstat_opts *o;
	int family; /* of the pass: the BSDs list one protocol behind the other */
	int width;  /* of the columns of addresses */
	bool header;
};

/* Without -a only those that talk to somebody. */
static bool
is_wanted(const struct list *l, const struct udp_info *info)
{
	return (l->o->all || !ipaddr_is_any(&info->faddr)) &&
	    (l->o->family == AF_UNSPEC || l->o->family == info->laddr.family);
}

static int
endpoint_width(const struct udp_info *info, void *ctx)
{
	char local[ENDPOINT_TEXT], foreign[ENDPOINT_TEXT];
	struct list *l = ctx;
	size_t len;

	if (!is_wanted(l, info))
		return 0;
	endpoint_text(&info->laddr, info->lport, local, sizeof(local));
	endpoint_text(&info->faddr, info->fport, foreign, sizeof(foreign));
	len = strlen(local) > strlen(foreign) ? strlen(local) : strlen(foreign);
	if (len > (size_t)l->width)
		l->width = (int)len;
	return 0;
}

static void
list_header(struct list *l)
{
	if (l->header)
		return;
	l->header = true;
	emit_text(l->e, "Active Internet connections%s\n", l->o->all ? " (including servers)" : "");
	emit_text(l->e, "%-5.5s %-6.6s %-6.6s  %-*s %-*s %s\n", "Proto", "Recv-Q", "Send-Q",
	    l->width, "Local Address", l->width, "Foreign Address", "(state)");
}

static int
endpoint_line(const struct udp_info *info, void *ctx)
{
	char local[ENDPOINT_TEXT], foreign[ENDPOINT_TEXT];
	struct list *l = ctx;

	if (!is_wanted(l, info) || info->laddr.family != l->family)
		return 0;
	list_header(l);
	endpoint_text(&info->laddr, info->lport, local, sizeof(local));
	endpoint_text(&info->faddr, info->fport, foreign, sizeof(foreign));
	emit_object(l->e, NULL);
	emit_str(l->e, "protocol", "%-5.5s ", proto_name(info));
	emit_uint(l->e, "receive-bytes-waiting", "%6" PRIu64 " ", 0);
	emit_uint(l->e, "send-bytes-waiting", "%6" PRIu64 "  ", 0);
	emit_str(l->e, "local", NULL, local);
	emit_str(l->e, "remote", NULL, foreign);
	emit_text(l->e, "%-*s %-*s \n", l->width, local, l->width, foreign);
	emit_end(l->e);
	return 0;
}

static int
udp_netstat(struct verb_run *v, const struct netstat_opts *o)
{
	struct list l = { .e = v->out, .o = o, .family = AF_INET, .width = COLUMN_MIN };

	/* Queues of listeners (-L) are TCP's; datagrams are handed on at once. */
	emit_list(v->out, "socket");
	if (!o->listening && (o->proto == NULL || strcmp(o->proto, "udp") == 0)) {
		udp_foreach(endpoint_width, &l);
		udp_foreach(endpoint_line, &l);
		l.family = AF_INET6;
		udp_foreach(endpoint_line, &l);
	}
	emit_end(v->out);
	return 0;
}
NETSTAT_MODE_DEFINE(udp, 0, "connection", udp_netstat);

/* --- netstat -s -p udp ------------------------------------------------------------------------ */

static void
udp_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct udpstat *st = &V_udpstat;
	struct emitter *e = v->out;

	emit_object(e, "udp");
	emit_text(e, "udp:\n");
	netstat_counter(e, o, "received-datagrams", &st->ipackets, "# datagram{s} received");
	netstat_counter(
	    e, o, "dropped-incomplete-headers", &st->hdrops, "# with incomplete header");
	netstat_counter(
	    e, o, "dropped-bad-data-length", &st->badlen, "# with bad data length field");
	netstat_counter(e, o, "dropped-bad-checksum", &st->badsum, "# with bad checksum");
	netstat_counter(e, o, "received-no-checksum", &st->nosum, "# with no checksum");
	netstat_counter(e, o, "dropped-no-socket", &st->noport, "# dropped due to no socket");
	netstat_counter(e, o, "dropped-broadcast-multicast", &st->noportbcast,
	    "# broadcast/multicast datagram{s} undelivered");
	netstat_counter(e, o, "dropped-full-socket-buffer", &st->fullsock,
	    "# dropped due to full socket buffers");
	netstat_counter(e, o, "delivered-packets", &st->delivered, "# delivered");
	netstat_counter(e, o, "output-packets", &st->opackets, "# datagram{s} output");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(udp, "udp", AF_INET, udp_stats);

/* The counters are those of both families: with -f inet6 they stand there too. */
static void
udp6_stats(struct verb_run *v, const struct netstat_opts *o)
{
	if (o->family == AF_INET6)
		udp_stats(v, o);
}
NETSTAT_STATS_DEFINE(udp6, "udp", AF_INET6, udp6_stats);

/* --- sockstat --------------------------------------------------------------------------------- */

struct socks {
	struct emitter *e;
	bool inet, inet6, connected, listening;
};

/* "10.0.0.1:53", "[2001:db8::1]:53" as it is given to `udp`; "*:*" */
static void
socket_text(const struct ipaddr *addr, uint16_t port, char text[ENDPOINT_TEXT])
{
	char a[IPADDR_TEXT], p[8];
	bool brackets = addr->family == AF_INET6 && !ipaddr_is_any(addr);

	snprintf(p, sizeof(p), port == 0 ? "*" : "%u", port);
	snprintf(text, ENDPOINT_TEXT, "%s%s%s:%s", brackets ? "[" : "",
	    ipaddr_is_any(addr) ? "*" : ipaddr_ntoa(addr, a), brackets ? "]" : "", p);
}

static int
sockstat_line(const struct udp_info *info, void *ctx)
{
	const struct socks *s = ctx;
	char local[ENDPOINT_TEXT], foreign[ENDPOINT_TEXT];

	/* -c and -l, -4 and -6 choose; none or both mean all. */
	if ((s->connected != s->listening && s->connected != !ipaddr_is_any(&info->faddr)) ||
	    (s->inet != s->inet6 && s->inet6 != (info->laddr.family == AF_INET6)))
		return 0;
	socket_text(&info->laddr, info->lport, local);
	socket_text(&info->faddr, info->fport, foreign);
	emit_object(s->e, NULL);
	/*
	 * Endpoints belong to the stack's own programs: there is no user, process or descriptor to
	 * name.
	 */
	emit_text(s->e, "%-8s %-10s %-5s %-2s ", "?", "?", "?", "?");
	emit_str(s->e, "proto", "%-6s ", proto_name(info));
	emit_str(s->e, "local", "%-21s ", local);
	emit_str(s->e, "foreign", "%-21s\n", foreign);
	emit_end(s->e);
	return 0;
}

static int
sockstat_run(struct verb_run *v)
{
	struct socks s = { .e = v->out };
	bool quiet = false;
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "46clnq");
	while ((c = verb_opts_next(&o)) != -1)
		switch (c) {
		case '4':
			s.inet = true;
			break;
		case '6':
			s.inet6 = true;
			break;
		case 'c':
			s.connected = true;
			break;
		case 'l':
			s.listening = true;
			break;
		case 'n':
			break;
		case 'q':
			quiet = true;
			break;
		default:
			return verb_usage(v, NULL);
		}
	if (o.ind != v->argc)
		return verb_usage(v, NULL);
	if (!quiet)
		emit_text(v->out, "%-8s %-10s %-5s %-2s %-6s %-21s %-21s\n", "USER", "COMMAND",
		    "PID", "FD", "PROTO", "LOCAL ADDRESS", "FOREIGN ADDRESS");
	emit_list(v->out, "socket");
	udp_foreach(sockstat_line, &s);
	emit_end(v->out);
	return 0;
}
VERB_DEFINE(sockstat, .name = "sockstat", .usage = "sockstat [-46clnq]",
    .summary = "list open sockets", .run = sockstat_run, .flags = VERB_UNPRIVILEGED);
