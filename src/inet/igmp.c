/*
 * igmp.c - IGMP, the messages of IPv4's groups, hosts' part: version 1 (RFC 1112 appendix I), 2
 * (RFC 2236), 3 (RFC 3376). When something is said decides multicast_report.c; here it is put into
 * messages, and what comes is checked and read; what is the same in MLD does multicast_input.c.
 *
 *	igmp_send…	ttl 1, internetwork control, router alert
 *	igmp_input	sum, length, ttl · query -> mcast_query_input
 *			somebody's report of an old version -> mcast_report_input
 *
 * What is for routers only, reports of version 3 and leaves, ends here.
 */
#include "inet/ip.h"
#include "inet/multicast_internal.h"
#include "kern/netstat.h"
#include "kern/sysctl.h"

VNET_DEFINE_STATIC(struct mcast_stat, igmpstat);

VNET_DEFINE_STATIC(bool, igmp_v1enable) = true;
VNET_DEFINE_STATIC(bool, igmp_v2enable) = true;
VNET_DEFINE_STATIC(uint32_t, igmp_default_version) = 3;
VNET_DEFINE_STATIC(bool, igmp_sendra) = true;
VNET_DEFINE_STATIC(bool, igmp_sendlocal) = true;
VNET_DEFINE_STATIC(uint32_t, igmp_maxqueries) = 100;

SYSCTL_VNET_BOOL(net_inet_igmp_v1enable, "net.inet.igmp.v1enable", SYSCTL_RW, igmp_v1enable,
    "listen to IGMPv1 queriers");
SYSCTL_VNET_BOOL(net_inet_igmp_v2enable, "net.inet.igmp.v2enable", SYSCTL_RW, igmp_v2enable,
    "listen to IGMPv2 queriers");
SYSCTL_VNET_BOOL(net_inet_igmp_sendra, "net.inet.igmp.sendra", SYSCTL_RW, igmp_sendra,
    "send IGMP with the router alert option");
SYSCTL_VNET_BOOL(net_inet_igmp_sendlocal, "net.inet.igmp.sendlocal", SYSCTL_RW, igmp_sendlocal,
    "report groups of 224.0.0.0/24 too");
SYSCTL_VNET_UINT(net_inet_igmp_maxqueries, "net.inet.igmp.maxqueries", SYSCTL_RW, igmp_maxqueries,
    0, 1000000, "queries that are answered in a second on one interface; the others are dropped");

static void
default_version_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	mcast_report_versions(AF_INET);
}
SYSCTL_DEFINE_(net_inet_igmp_default_version, .name = "net.inet.igmp.default_version",
    .type = SYSCTL_T_UINT, .flags = SYSCTL_RW | SYSCTL_VNET,
    .ptr = &vnet_entry_igmp_default_version, .min = 1, .max = 3, .changed = default_version_changed,
    .descr = "newest version of IGMP that is spoken");

DROP_DEFINE(DROP_IGMP_TOOSHORT, "igmp", "tooshort", "message is shorter than it says");
DROP_DEFINE(DROP_IGMP_BADSUM, "igmp", "badsum", "checksum is wrong");
DROP_DEFINE(DROP_IGMP_BADTTL, "igmp", "badttl", "time to live is not 1: not from this link");
DROP_DEFINE(DROP_IGMP_BADQUERY, "igmp", "badquery", "query about no group, or badly formed");
DROP_DEFINE(DROP_IGMP_BADREPORT, "igmp", "badreport", "report of no group, or of another one");
DROP_DEFINE(DROP_IGMP_NORA, "igmp", "nora", "query without the router alert option");
DROP_DEFINE(DROP_IGMP_VERSION, "igmp", "version", "query of a version that is switched off");
DROP_DEFINE(DROP_IGMP_LIMIT, "igmp", "limit", "too many queries (net.inet.igmp.maxqueries)");

struct igmp_hdr {
	uint8_t type, code;
	uint16_t sum;
	uint32_t group;
} __attribute__((packed));
_Static_assert(sizeof(struct igmp_hdr) == 8, "wire");

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};
/* Network order: 224.0.0.1, .2, .22. */
enum { ALL_HOSTS = 0x010000e0, ALL_ROUTERS = 0x020000e0, V3_ROUTERS = 0x160000e0 };
enum { TENTHS_V1 = 100, CODE_BITS = 4, TOS_INTERNETWORK_CONTROL = 0xc0, OPT_ROUTER_ALERT = 148 };

static const uint8_t router_alert[4] = { OPT_ROUTER_ALERT, 4, 0, 0 };

/* --- out -------------------------------------------------------------------------------------- */

/* Takes m, a message but for its sum. */
static void
igmp_send(struct mcast_if *mi, uint32_t dst, struct mbuf *m)
{
	const struct ip_opts_out o = {
		.tos = TOS_INTERNETWORK_CONTROL,
		.ttl = 1,
		.ifp = mi->ifp,
		.options = router_alert,
		.options_len = VNET(igmp_sendra) ? sizeof(router_alert) : 0,
		.no_loop = true,
	};
	struct igmp_hdr *h = mtod(m, struct igmp_hdr *);

	h->sum = 0;
	h->sum = cksum_fold(cksum_add(0, h, m->len));
	if (h->type != IGMP_V2_LEAVE)
		VNET(igmpstat).snd_reports++;
	(void)ip_output(m, 0, dst, IPPROTO_IGMP_, &o);
}

static void
igmp_send_report(struct mcast_if *mi, struct mbuf *m)
{
	igmp_send(mi, V3_ROUTERS, m);
}

static void
send_short(struct mcast_if *mi, uint8_t type, uint32_t dst, uint32_t group)
{
	struct mbuf *m = m_get(sizeof(struct igmp_hdr));

	if (m == NULL)
		return;
	*mtod(m, struct igmp_hdr *) = (struct igmp_hdr){ .type = type, .group = group };
	igmp_send(mi, dst, m);
}

static void
igmp_send_old(struct mcast_if *mi, const struct ipaddr *group)
{
	uint32_t addr = ipaddr_in(group);

	send_short(mi, mi->version == 1 ? IGMP_V1_REPORT : IGMP_V2_REPORT, addr, addr);
}

/* Version 1 has no word for it: routers find out. */
static void
igmp_send_leave(struct mcast_if *mi, const struct ipaddr *group)
{
	if (mi->version > 1)
		send_short(mi, IGMP_V2_LEAVE, ALL_ROUTERS, ipaddr_in(group));
}

/* --- its place among the families ------------------------------------------------------------- */

static unsigned
igmp_version(void)
{
	return VNET(igmp_default_version);
}

static uint32_t
igmp_query_limit(void)
{
	return VNET(igmp_maxqueries);
}

/* All-hosts never (RFC 3376 5); the rest of 224.0.0.0/24 because switches look at reports. */
static bool
igmp_reported(const struct ipaddr *group)
{
	uint32_t addr = ipaddr_in(group);

	return addr != ALL_HOSTS && (VNET(igmp_sendlocal) || (addr & 0xffffff) != 0x0000e0);
}

static struct mcast_stat *
igmp_stat(void)
{
	return &VNET(igmpstat);
}

MCAST_PROTO_DEFINE(igmp, .family = AF_INET, .newest = 3, .addrlen = 4,
    .report_type = IGMP_V3_REPORT, .overhead = sizeof(struct ip_hdr) + sizeof(router_alert),
    .unsolicited_ns = NS_PER_SEC, .old_unsolicited_ns = 10 * NS_PER_SEC,
    .tooshort = &DROP_IGMP_TOOSHORT, .badquery = &DROP_IGMP_BADQUERY,
    .badreport = &DROP_IGMP_BADREPORT, .limit = &DROP_IGMP_LIMIT, .stat = igmp_stat,
    .version = igmp_version, .query_limit = igmp_query_limit, .reported = igmp_reported,
    .send = igmp_send_report, .send_old = igmp_send_old, .send_leave = igmp_send_leave);

static const struct mcast_proto *const igmp = &mcast_proto_of_igmp;

/* --- in --------------------------------------------------------------------------------------- */

static bool
has_router_alert(const struct mbuf *m, unsigned hlen)
{
	const uint8_t *opt = m->data + sizeof(struct ip_hdr), *end = m->data + hlen;

	while (opt < end && *opt != 0) {
		if (*opt == OPT_ROUTER_ALERT)
			return true;
		if (*opt == 1)
			opt++;
		else if (end - opt < 2 || opt[1] < 2)
			return false;
		else
			opt += opt[1];
	}
	return false;
}

/* RFC 3376 7.1 tells the versions apart. What is wrong with it; NULL = q is filled. */
static const struct drop_reason *
read_query(const struct mbuf *m, unsigned hlen, struct mcast_query *q)
{
	const struct igmp_hdr *h = (const void *)(m->data + hlen);
	uint32_t len = m->len - hlen - (uint32_t)sizeof(*h);

	*q = (struct mcast_query){
		.group = ipaddr4(h->group),
		.max_ns = mcast_code(h->code, CODE_BITS) * 100 * NS_PER_MS,
	};
	if (len > 0)
		return mcast_query_newest(igmp, h + 1, len, q);
	VNET(igmpstat).rcv_old_queries++;
	q->version = h->code == 0 ? 1 : 2;
	q->max_ns = (h->code == 0 ? TENTHS_V1 : h->code) * 100 * NS_PER_MS;
	/* version 1 asks for all, whatever stands there (RFC 1112 appendix I) */
	if (q->version == 1)
		q->group = ipaddr4(0);
	return mcast_query_fault(igmp, q);
}

static const struct drop_reason *
query_input(const struct mbuf *m, unsigned hlen)
{
	struct mcast_query q;
	const struct drop_reason *why = read_query(m, hlen, &q);

	if (why != NULL)
		return why;
	if ((q.version == 1 && !VNET(igmp_v1enable)) || (q.version == 2 && !VNET(igmp_v2enable)))
		return &DROP_IGMP_VERSION;
	/* RFC 3376 9.1: else a query could come from beyond the link */
	if (q.version > 1 && !has_router_alert(m, hlen))
		return VNET(igmpstat).rcv_nora++, &DROP_IGMP_NORA;
	return mcast_query_input(igmp, m->rcvif, &q);
}

/* Somebody's report in version 1 or 2. */
static const struct drop_reason *
report_input(const struct mbuf *m, unsigned hlen)
{
	const struct igmp_hdr *h = (const void *)(m->data + hlen);
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct ipaddr group = ipaddr4(h->group), dst = ipaddr4(ip->dst);

	return mcast_report_input(igmp, m->rcvif, &group, &dst, in_local(ip->src) != NULL);
}

static const struct drop_reason *
igmp_fault(const struct mbuf *m, unsigned hlen)
{
	uint32_t len = m->len - hlen;

	if (len < sizeof(struct igmp_hdr))
		return VNET(igmpstat).rcv_tooshort++, &DROP_IGMP_TOOSHORT;
	if (cksum_fold(cksum_add(0, m->data + hlen, len)) != 0)
		return VNET(igmpstat).rcv_badsum++, &DROP_IGMP_BADSUM;
	if (mtod(m, const struct ip_hdr *)->ttl != 1)
		return VNET(igmpstat).rcv_badttl++, &DROP_IGMP_BADTTL;
	return NULL;
}

static void
igmp_input(struct mbuf *m, unsigned hlen)
{
	const struct drop_reason *why = igmp_fault(m, hlen);

	VNET(igmpstat).rcv_total++;
	if (why == NULL) {
		switch (m->data[hlen]) {
		case IGMP_QUERY:
			why = query_input(m, hlen);
			break;
		case IGMP_V1_REPORT:
		case IGMP_V2_REPORT:
			why = report_input(m, hlen);
			break;
		case IGMP_V3_REPORT:
			VNET(igmpstat).rcv_reports++;
			break;
		}
	}
	if (why != NULL)
		m_drop(m, why);
	else
		m_free(m);
}
IP_PROTOCOL_DEFINE(igmp, .proto = IPPROTO_IGMP_, .input = igmp_input);

/* --- netstat -s -p igmp ----------------------------------------------------------------------- */

static void
igmp_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct mcast_stat *st = &VNET(igmpstat);
	struct emitter *e = v->out;

	emit_object(e, "igmp");
	emit_text(e, "igmp:\n");
	netstat_counter(e, o, "received-messages", &st->rcv_total, "# message{s} received");
	netstat_counter(e, o, "dropped-too-short", &st->rcv_tooshort,
	    "# message{s} received with too few bytes");
	netstat_counter(
	    e, o, "dropped-wrong-ttl", &st->rcv_badttl, "# message{s} received with wrong TTL");
	netstat_counter(e, o, "dropped-bad-checksum", &st->rcv_badsum,
	    "# message{s} received with bad checksum");
	netstat_counter(e, o, "received-membership-queries", &st->rcv_old_queries,
	    "# V1/V2 membership quer{y|ies} received");
	netstat_counter(e, o, "received-v3-membership-queries", &st->rcv_newest_queries,
	    "# V3 membership quer{y|ies} received");
	mcast_stats_queries(e, o, st);
	netstat_counter(e, o, "dropped-queries-no-router-alert", &st->rcv_nora,
	    "# quer{y|ies} received without Router Alert");
	mcast_stats_reports(e, o, st);
	emit_end(e);
}
NETSTAT_STATS_DEFINE(igmp, "igmp", AF_INET, igmp_stats);
