/*
 * igmp.c - IGMP, the messages of IPv4's groups, hosts' part: version 1 (RFC 1112 appendix I), 2
 * (RFC 2236), 3 (RFC 3376). When something is said decides multicast_report.c; here it is put into
 * messages, and what comes is checked and read.
 *
 *	igmp_input	sum, length, ttl · query -> mcast_query_heard
 *			somebody's report of an old version -> mcast_report_heard
 *	igmp_send…	ttl 1, internetwork control, router alert
 *
 * What is for routers only, reports of version 3 and leaves, ends here.
 */
#include "inet/igmp.h"

#include "inet/ip.h"
#include "inet/multicast_internal.h"
#include "kern/netstat.h"
#include "kern/sysctl.h"

VNET_DEFINE(struct igmpstat, igmpstat);

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

struct igmp_query3 {
	struct igmp_hdr h;
	uint8_t flags; /* suppress (0x08), robustness (0x07) */
	uint8_t qqic;
	be16 nsources;
} __attribute__((packed));
_Static_assert(sizeof(struct igmp_query3) == 12, "wire");

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};
/* Network order: 224.0.0.1, .2, .22. */
enum { ALL_HOSTS = 0x010000e0, ALL_ROUTERS = 0x020000e0, V3_ROUTERS = 0x160000e0 };
enum { TENTHS_V1 = 100, TOS_INTERNETWORK_CONTROL = 0xc0, OPT_ROUTER_ALERT = 148 };

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
	struct igmp_hdr *igmp = mtod(m, struct igmp_hdr *);

	igmp->sum = 0;
	igmp->sum = cksum_fold(cksum_add(0, igmp, m->len));
	if (igmp->type != IGMP_V2_LEAVE)
		V_igmpstat.snd_reports++;
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

/* --- in --------------------------------------------------------------------------------------- */

/* Max Resp Code and QQIC: from 128 on a mantissa and an exponent (RFC 3376 4.1.1). */
static uint32_t
igmp_code(uint8_t code)
{
	return code < 128 ? code : (uint32_t)((code & 0xf) | 0x10) << (((code >> 4) & 7) + 3);
}

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

/* A query with sources, of version 3. What is wrong with it; NULL = q is filled. */
static const struct drop_reason *
read_query3(const struct mbuf *m, unsigned hlen, struct mcast_query *q)
{
	const struct igmp_query3 *igmp = (const void *)(m->data + hlen);
	uint32_t len = m->len - hlen;

	V_igmpstat.rcv_v3_queries++;
	q->nsources = from_be16(igmp->nsources);
	if (len < sizeof(*igmp) + 4u * q->nsources)
		return V_igmpstat.rcv_tooshort++, &DROP_IGMP_TOOSHORT;
	q->version = 3;
	q->max_ns = igmp_code(igmp->h.code) * 100 * NS_PER_MS;
	q->robustness = igmp->flags & 7;
	q->query_interval_s = igmp_code(igmp->qqic);
	q->sources = (const uint8_t *)(igmp + 1);
	return NULL;
}

/* RFC 3376 7.1 tells the versions apart. */
static const struct drop_reason *
read_query(const struct mbuf *m, unsigned hlen, struct mcast_query *q)
{
	const struct igmp_hdr *igmp = (const void *)(m->data + hlen);
	uint32_t len = m->len - hlen;
	const struct drop_reason *why = NULL;

	*q = (struct mcast_query){ .group = ipaddr4(igmp->group) };
	if (len == sizeof(*igmp)) {
		V_igmpstat.rcv_v1v2_queries++;
		q->version = igmp->code == 0 ? 1 : 2;
		q->max_ns = (igmp->code == 0 ? TENTHS_V1 : igmp->code) * 100 * NS_PER_MS;
		/* version 1 asks for all, whatever stands there (RFC 1112 appendix I) */
		if (q->version == 1)
			q->group = ipaddr4(0);
	} else if (len >= sizeof(struct igmp_query3)) {
		why = read_query3(m, hlen, q);
	} else {
		why = &DROP_IGMP_BADQUERY;
	}
	if (why == NULL &&
	    (ipaddr_is_any(&q->group) ? q->nsources > 0 : !ipaddr_is_multicast(&q->group)))
		why = &DROP_IGMP_BADQUERY;
	return why;
}

static void
count_query(const struct mcast_query *q)
{
	if (ipaddr_is_any(&q->group))
		V_igmpstat.rcv_gen_queries++;
	else if (q->nsources == 0)
		V_igmpstat.rcv_group_queries++;
	else
		V_igmpstat.rcv_gsr_queries++;
}

static const struct drop_reason *
query_input(const struct mbuf *m, unsigned hlen)
{
	struct mcast_query q;
	const struct drop_reason *why = read_query(m, hlen, &q);

	if (why != NULL) {
		V_igmpstat.rcv_badqueries += why == &DROP_IGMP_BADQUERY;
		return why;
	}
	if ((q.version == 1 && !VNET(igmp_v1enable)) || (q.version == 2 && !VNET(igmp_v2enable)))
		return &DROP_IGMP_VERSION;
	/* RFC 3376 9.1: else a query could come from beyond the link */
	if (q.version > 1 && !has_router_alert(m, hlen))
		return V_igmpstat.rcv_nora++, &DROP_IGMP_NORA;
	count_query(&q);
	if (!mcast_query_heard(m->rcvif, &q))
		return V_igmpstat.drop_queries++, &DROP_IGMP_LIMIT;
	return NULL;
}

/* Somebody's report in version 1 or 2: ours need not be said. */
static const struct drop_reason *
report_input(const struct mbuf *m, unsigned hlen)
{
	const struct igmp_hdr *igmp = (const void *)(m->data + hlen);
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct ipaddr group = ipaddr4(igmp->group);

	V_igmpstat.rcv_reports++;
	if (!ipaddr_is_multicast(&group) || ip->dst != igmp->group)
		return V_igmpstat.rcv_badreports++, &DROP_IGMP_BADREPORT;
	if (!mcast_accepts(m->rcvif, &group, NULL) || in_local(ip->src) != NULL)
		return NULL;
	V_igmpstat.rcv_ourreports++;
	mcast_report_heard(m->rcvif, &group);
	return NULL;
}

static const struct drop_reason *
igmp_fault(const struct mbuf *m, unsigned hlen)
{
	uint32_t len = m->len - hlen;

	if (len < sizeof(struct igmp_hdr))
		return V_igmpstat.rcv_tooshort++, &DROP_IGMP_TOOSHORT;
	if (cksum_fold(cksum_add(0, m->data + hlen, len)) != 0)
		return V_igmpstat.rcv_badsum++, &DROP_IGMP_BADSUM;
	if (mtod(m, const struct ip_hdr *)->ttl != 1)
		return V_igmpstat.rcv_badttl++, &DROP_IGMP_BADTTL;
	return NULL;
}

static void
igmp_input(struct mbuf *m, unsigned hlen)
{
	const struct drop_reason *why = igmp_fault(m, hlen);

	V_igmpstat.rcv_total++;
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
			V_igmpstat.rcv_reports++;
			break;
		}
	}
	if (why != NULL)
		m_drop(m, why);
	else
		m_free(m);
}
IP_PROTOCOL_DEFINE(igmp, .proto = IPPROTO_IGMP_, .input = igmp_input);

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

MCAST_PROTO_DEFINE(igmp, .family = AF_INET, .newest = 3, .addrlen = 4,
    .report_type = IGMP_V3_REPORT, .overhead = sizeof(struct ip_hdr) + sizeof(router_alert),
    .unsolicited_ns = NS_PER_SEC, .old_unsolicited_ns = 10 * NS_PER_SEC, .version = igmp_version,
    .query_limit = igmp_query_limit, .reported = igmp_reported, .send = igmp_send_report,
    .send_old = igmp_send_old, .send_leave = igmp_send_leave);

/* --- netstat -s -p igmp ----------------------------------------------------------------------- */

static void
igmp_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct igmpstat *st = &V_igmpstat;
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
	netstat_counter(e, o, "received-membership-queries", &st->rcv_v1v2_queries,
	    "# V1/V2 membership quer{y|ies} received");
	netstat_counter(e, o, "received-v3-membership-queries", &st->rcv_v3_queries,
	    "# V3 membership quer{y|ies} received");
	netstat_counter(e, o, "dropped-membership-queries", &st->rcv_badqueries,
	    "# membership quer{y|ies} received with invalid field(s)");
	netstat_counter(e, o, "received-general-queries", &st->rcv_gen_queries,
	    "# general quer{y|ies} received");
	netstat_counter(
	    e, o, "received-group-queries", &st->rcv_group_queries, "# group quer{y|ies} received");
	netstat_counter(e, o, "received-group-source-queries", &st->rcv_gsr_queries,
	    "# group-source quer{y|ies} received");
	netstat_counter(e, o, "dropped-queries-limit", &st->drop_queries,
	    "# quer{y|ies} dropped by the rate limit");
	netstat_counter(e, o, "dropped-queries-no-router-alert", &st->rcv_nora,
	    "# quer{y|ies} received without Router Alert");
	netstat_counter(e, o, "received-membership-reports", &st->rcv_reports,
	    "# membership report{s} received");
	netstat_counter(e, o, "dropped-membership-reports", &st->rcv_badreports,
	    "# membership report{s} received with invalid field(s)");
	netstat_counter(e, o, "received-membership-reports-matching", &st->rcv_ourreports,
	    "# membership report{s} received for groups to which we belong");
	netstat_counter(
	    e, o, "sent-membership-reports", &st->snd_reports, "# membership report{s} sent");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(igmp, "igmp", AF_INET, igmp_stats);
