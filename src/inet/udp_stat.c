/*
 * udp_stat.c - UDP as netstat and sockstat show it: the endpoints and the counters.
 */
#include "inet/udp.h"

#include "kern/netstat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENDPOINT_TEXT = IPADDR_TEXT + 6 };

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

struct list {
	struct emitter *e;
	const struct netstat_opts *o;
	bool header;
};

static int
endpoint_line(const struct udp_info *info, void *ctx)
{
	struct list *l = ctx;
	char local[ENDPOINT_TEXT], foreign[ENDPOINT_TEXT];

	/* Without -a only those that talk to somebody. */
	if (!l->o->all && ipaddr_is_any(&info->faddr))
		return 0;
	if (!l->header) {
		l->header = true;
		emit_text(l->e, "Active Internet connections%s\n",
		    l->o->all ? " (including servers)" : "");
		emit_text(l->e, "%-5.5s %-6.6s %-6.6s  %-22.22s %-22.22s %s\n", "Proto", "Recv-Q",
		    "Send-Q", "Local Address", "Foreign Address", "(state)");
	}
	endpoint_text(&info->laddr, info->lport, local, sizeof(local));
	endpoint_text(&info->faddr, info->fport, foreign, sizeof(foreign));
	emit_object(l->e, NULL);
	emit_str(l->e, "protocol", "%-5.5s ", proto_name(info));
	emit_uint(l->e, "receive-bytes-waiting", "%6" PRIu64 " ", 0);
	emit_uint(l->e, "send-bytes-waiting", "%6" PRIu64 "  ", 0);
	emit_str(l->e, "local", "%-22.22s ", local);
	emit_str(l->e, "remote", "%-22.22s ", foreign);
	emit_text(l->e, "\n");
	emit_end(l->e);
	return 0;
}

static int
udp_netstat(struct verb_run *v, const struct netstat_opts *o)
{
	struct list l = { .e = v->out, .o = o };

	/* Queues of listeners (-L) are TCP's; datagrams are handed on at once. */
	emit_list(v->out, "socket");
	if (!o->listening && (o->family == AF_UNSPEC || o->family == AF_INET) &&
	    (o->proto == NULL || strcmp(o->proto, "udp") == 0))
		udp_foreach(endpoint_line, &l);
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

/* --- sockstat --------------------------------------------------------------------------------- */

struct socks {
	struct emitter *e;
	bool connected, listening;
};

static int
sockstat_line(const struct udp_info *info, void *ctx)
{
	const struct socks *s = ctx;
	char local[ENDPOINT_TEXT], foreign[ENDPOINT_TEXT], a[IPADDR_TEXT];

	/* -c and -l choose; none or both mean all. */
	if (s->connected != s->listening && s->connected != (!ipaddr_is_any(&info->faddr)))
		return 0;
	snprintf(local, sizeof(local), "%s:%u",
	    ipaddr_is_any(&info->laddr) ? "*" : ipaddr_ntoa(&info->laddr, a), info->lport);
	if (ipaddr_is_any(&info->faddr))
		snprintf(foreign, sizeof(foreign), "*:*");
	else
		snprintf(
		    foreign, sizeof(foreign), "%s:%u", ipaddr_ntoa(&info->faddr, a), info->fport);
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
	bool inet = false, inet6 = false, quiet = false;
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "46clnq");
	while ((c = verb_opts_next(&o)) != -1)
		switch (c) {
		case '4':
			inet = true;
			break;
		case '6':
			inet6 = true;
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
	if (inet || !inet6)
		udp_foreach(sockstat_line, &s);
	emit_end(v->out);
	return 0;
}
VERB_DEFINE(sockstat, .name = "sockstat", .usage = "sockstat [-46clnq]",
    .summary = "list open sockets", .run = sockstat_run, .flags = VERB_UNPRIVILEGED);
