/*
 * mld.c - MLD, the messages of IPv6's groups, hosts' part: version 1 (RFC 2710) and 2 (RFC 3810).
 * When something is said decides inet/multicast_report.c; here it is put into messages, and what
 * comes is checked and read; what is the same in IGMP does inet/multicast_input.c. The sibling of
 * inet/igmp.c.
 *
 *	mld_send…	hop limit 1, router alert, from the link-local address
 *	mld_input	link-local source, hop limit, router alert · query -> mcast_query_input
 *			somebody's report of version 1 -> mcast_report_input
 *
 * While an interface's link-local address is being tested, reports come from :: (RFC 3590), so that
 * switches let the test through; routers don't take them. When the address is ready all groups are
 * said again.
 */
#include "inet/multicast_internal.h"
#include "inet6/icmp6.h"
#include "inet6/in6.h"
#include "kern/eventhandler.h"
#include "kern/netstat.h"
#include "kern/sysctl.h"

VNET_DEFINE_STATIC(struct mcast_stat, mldstat);

VNET_DEFINE_STATIC(bool, mld_v1enable) = true;
VNET_DEFINE_STATIC(bool, mld_v2enable) = true;
VNET_DEFINE_STATIC(uint32_t, mld_maxqueries) = 100;

SYSCTL_VNET_BOOL(net_inet6_mld_v1enable, "net.inet6.mld.v1enable", SYSCTL_RW, mld_v1enable,
    "listen to MLDv1 queriers");
SYSCTL_VNET_UINT(net_inet6_mld_maxqueries, "net.inet6.mld.maxqueries", SYSCTL_RW, mld_maxqueries, 0,
    1000000, "queries that are answered in a second on one interface; the others are dropped");

static void
v2enable_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	mcast_report_versions(AF_INET6);
}
SYSCTL_DEFINE_(net_inet6_mld_v2enable, .name = "net.inet6.mld.v2enable", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_mld_v2enable, .min = 0, .max = 1,
    .changed = v2enable_changed, .descr = "speak MLDv2; else version 1 only");

DROP_DEFINE(DROP_MLD_TOOSHORT, "mld", "tooshort", "message is shorter than it says");
DROP_DEFINE(DROP_MLD_BADHLIM, "mld", "badhlim", "hop limit is not 1: not from this link");
DROP_DEFINE(DROP_MLD_BADSRC, "mld", "badsrc", "source is no link-local address");
DROP_DEFINE(DROP_MLD_NORA, "mld", "nora", "no router alert option");
DROP_DEFINE(DROP_MLD_BADQUERY, "mld", "badquery", "query about no group, or badly formed");
DROP_DEFINE(DROP_MLD_BADREPORT, "mld", "badreport", "report of no group, or of another one");
DROP_DEFINE(DROP_MLD_VERSION, "mld", "version", "query of a version that is switched off");
DROP_DEFINE(DROP_MLD_LIMIT, "mld", "limit", "too many queries (net.inet6.mld.maxqueries)");

struct mld_hdr {
	uint8_t type, code;
	uint16_t sum;
	be16 delay; /* maximum response delay or code */
	be16 reserved;
	struct in6 group;
} __attribute__((packed));
_Static_assert(sizeof(struct mld_hdr) == 24, "wire");

enum { OPT_PAD1 = 0, OPT_PADN = 1, OPT_ROUTER_ALERT = 5, DELAY_BITS = 12 };

/* Hop-by-hop options: router alert with value 0, MLD (RFC 2711), and padding. */
static const uint8_t router_alert[8] = { 0, 0, OPT_ROUTER_ALERT, 2, 0, 0, OPT_PADN, 0 };
static const struct in6 v2_routers = { .b = { 0xff, 2, [15] = 0x16 } };

/* --- out -------------------------------------------------------------------------------------- */

/* The link-local address that may be used now; ::, and it is noted. */
static struct in6
mld_source(struct mcast_if *mi)
{
	const struct in6_ifaddr *ia = in6_linklocal(mi->ifp);

	if (ia != NULL && !(ia->flags & IN6_IFF_NOTREADY))
		return ia->addr;
	mi->from_nowhere = true;
	return in6_any_;
}

/* Takes m, a message but for its sum. */
static void
mld_send(struct mcast_if *mi, const struct in6 *to, struct mbuf *m)
{
	const struct ip_opts_out o = {
		.ttl = 1,
		.ifp = mi->ifp,
		.options = router_alert,
		.options_len = sizeof(router_alert),
		.options_proto = IPPROTO_HOPOPTS_,
		.src_unspecified = true,
		.no_loop = true,
	};
	struct in6 src = mld_source(mi), dst = *to;

	in6_embed(&dst, mi->ifp->if_index);
	icmp6_finish(m, &src, &dst);
	(void)ip6_output(m, &src, &dst, IPPROTO_ICMPV6_, &o);
}

static void
mld_send_report(struct mcast_if *mi, struct mbuf *m)
{
	VNET(mldstat).snd_reports++;
	mld_send(mi, &v2_routers, m);
}

static void
send_short(struct mcast_if *mi, uint8_t type, const struct in6 *to, const struct ipaddr *group)
{
	struct mbuf *m = m_get(sizeof(struct mld_hdr));
	struct mld_hdr *h;

	if (m == NULL)
		return;
	h = mtod(m, struct mld_hdr *);
	*h = (struct mld_hdr){ .type = type, .group = *ipaddr_in6(group) };
	in6_clear(&h->group);
	mld_send(mi, to, m);
}

static void
mld_send_old(struct mcast_if *mi, const struct ipaddr *group)
{
	VNET(mldstat).snd_reports++;
	send_short(mi, MLDV1_REPORT, ipaddr_in6(group), group);
}

static void
mld_send_done(struct mcast_if *mi, const struct ipaddr *group)
{
	VNET(mldstat).snd_dones++;
	send_short(mi, MLD_DONE, &in6_allrouters, group);
}

/* --- its place among the families ------------------------------------------------------------- */

static unsigned
mld_version(void)
{
	return VNET(mld_v2enable) ? 2 : 1;
}

static uint32_t
mld_query_limit(void)
{
	return VNET(mld_maxqueries);
}

/* RFC 3810 6: all nodes never, nor what doesn't leave the node. */
static bool
mld_reported(const struct ipaddr *group)
{
	struct in6 a = *ipaddr_in6(group);

	(void)in6_clear(&a);
	return in6_mc_scope(&a) > 1 && !in6_equal(&a, &in6_allnodes);
}

static struct mcast_stat *
mld_stat(void)
{
	return &VNET(mldstat);
}

MCAST_PROTO_DEFINE(mld, .family = AF_INET6, .newest = 2, .addrlen = 16, .report_type = MLDV2_REPORT,
    .overhead = IP6_HDRLEN + sizeof(router_alert), .unsolicited_ns = NS_PER_SEC,
    .old_unsolicited_ns = 10 * NS_PER_SEC, .tooshort = &DROP_MLD_TOOSHORT,
    .badquery = &DROP_MLD_BADQUERY, .badreport = &DROP_MLD_BADREPORT, .limit = &DROP_MLD_LIMIT,
    .stat = mld_stat, .version = mld_version, .query_limit = mld_query_limit,
    .reported = mld_reported, .send = mld_send_report, .send_old = mld_send_old,
    .send_leave = mld_send_done);

static const struct mcast_proto *const mld = &mcast_proto_of_mld;

/* --- in --------------------------------------------------------------------------------------- */

/* Is a router alert among the hop-by-hop options? ip6_input has found them well formed. */
static bool
has_router_alert(const struct mbuf *m, unsigned off)
{
	const uint8_t *ext = m->data + IP6_HDRLEN, *opt = ext + 2, *end;

	if (mtod(m, const struct ip6_hdr *)->nxt != IPPROTO_HOPOPTS_ || off < IP6_HDRLEN + 8u)
		return false;
	end = ext + 8 * (1u + ext[1]);
	if (end > m->data + off)
		return false;
	while (opt < end) {
		if (*opt == OPT_ROUTER_ALERT)
			return true;
		if (*opt == OPT_PAD1)
			opt++;
		else if (end - opt < 2)
			return false;
		else
			opt += 2 + opt[1];
	}
	return false;
}

/* A group's address in a message, with the zone of the link that it came by. */
static struct ipaddr
group_of(const struct mbuf *m, const struct mld_hdr *h)
{
	struct in6 group = h->group;

	(void)in6_clear(&group);
	in6_embed(&group, m->rcvif->if_index);
	return ipaddr6(&group);
}

/* RFC 3810 8.1 tells the versions apart. What is wrong with it; NULL = q is filled. */
static const struct drop_reason *
read_query(const struct mbuf *m, unsigned off, struct mcast_query *q)
{
	const struct mld_hdr *h = (const void *)(m->data + off);
	uint32_t len = m->len - off - (uint32_t)sizeof(*h);

	*q = (struct mcast_query){
		.group = group_of(m, h),
		.max_ns = mcast_code(from_be16(h->delay), DELAY_BITS) * NS_PER_MS,
	};
	if (len > 0)
		return mcast_query_newest(mld, h + 1, len, q);
	VNET(mldstat).rcv_old_queries++;
	q->version = 1;
	q->max_ns = from_be16(h->delay) * NS_PER_MS;
	return mcast_query_fault(mld, q);
}

static const struct drop_reason *
query_input(const struct mbuf *m, unsigned off, const struct ip_info *info)
{
	struct mcast_query q;
	const struct drop_reason *why = read_query(m, off, &q);

	(void)info;
	if (why != NULL)
		return why;
	if (q.version == 1 && !VNET(mld_v1enable))
		return &DROP_MLD_VERSION;
	return mcast_query_input(mld, m->rcvif, &q);
}

/* Somebody's report in version 1. */
static const struct drop_reason *
report_input(const struct mbuf *m, unsigned off, const struct ip_info *info)
{
	const struct ipaddr group = group_of(m, (const void *)(m->data + off));

	return mcast_report_input(
	    mld, m->rcvif, &group, &info->dst, in6_local(ipaddr_in6(&info->src)) != NULL);
}

/* RFC 3810 6.2: what is wrong with a message whoever it is for. */
static const struct drop_reason *
mld_fault(const struct mbuf *m, unsigned off, const struct ip_info *info)
{
	if (m->len - off < sizeof(struct mld_hdr))
		return VNET(mldstat).rcv_tooshort++, &DROP_MLD_TOOSHORT;
	if (info->ttl != 1)
		return VNET(mldstat).rcv_badttl++, &DROP_MLD_BADHLIM;
	if (!in6_is_linklocal(ipaddr_in6(&info->src)))
		return VNET(mldstat).rcv_badsrc++, &DROP_MLD_BADSRC;
	if (!has_router_alert(m, off))
		return VNET(mldstat).rcv_nora++, &DROP_MLD_NORA;
	return NULL;
}

static void
mld_input(struct mbuf *m, unsigned off, const struct ip_info *info,
    const struct drop_reason *(*input)(
	const struct mbuf *m, unsigned off, const struct ip_info *info))
{
	const struct drop_reason *why = mld_fault(m, off, info);

	VNET(mldstat).rcv_total++;
	if (why == NULL)
		why = input(m, off, info);
	if (why != NULL)
		m_drop(m, why);
	else
		m_free(m);
}

static void
mld_query(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	mld_input(m, off, info, query_input);
}
ICMP6_MESSAGE_DEFINE(mld_query, .type = MLD_QUERY, .input = mld_query);

static void
mld_report(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	mld_input(m, off, info, report_input);
}
ICMP6_MESSAGE_DEFINE(mld_report, .type = MLDV1_REPORT, .input = mld_report);

/* Reports of version 2 and what is done are for routers. */
static void
mld_for_routers(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	(void)off, (void)info;
	VNET(mldstat).rcv_total++;
	m_free(m);
}
ICMP6_MESSAGE_DEFINE(mld_done, .type = MLD_DONE, .input = mld_for_routers);
ICMP6_MESSAGE_DEFINE(mld_report2, .type = MLDV2_REPORT, .input = mld_for_routers);

/* --- the link-local address ------------------------------------------------------------------- */

/* The link-local address is ready: what was said from :: is said again (RFC 3590 section 4). */
static void
addr_changed(void *ctx, void *arg1, void *arg2)
{
	const struct ifaddr *ifa = arg2;
	struct ifnet *ifp = arg1;
	struct mcast_if *mi = mcast_if_of(ifp, AF_INET6);
	const struct in6_ifaddr *ia;

	(void)ctx;
	if (ifa == NULL || ifa->family != AF_INET6 || mi == NULL || !mi->from_nowhere)
		return;
	ia = in6_linklocal(ifp);
	if (ia == NULL || (ia->flags & IN6_IFF_NOTREADY))
		return;
	mi->from_nowhere = false;
	mcast_report_all(mi);
}

static struct event_tag *addr_tag;

static void
mld_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_register(
		    &addr_tag, "ifaddr_event", EVENT_HERE, addr_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(mld, SI_SUB_INET6, SI_ORDER_SECOND, mld_init, NULL);

static void
mld_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&addr_tag);
}
VNET_SYSUNINIT(mld, SI_SUB_INET6, SI_ORDER_SECOND, mld_uninit, NULL);

/* --- netstat -s -p mld ------------------------------------------------------------------------ */

static void
mld_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct mcast_stat *st = &VNET(mldstat);
	struct emitter *e = v->out;

	emit_object(e, "mld");
	emit_text(e, "mld:\n");
	netstat_counter(e, o, "received-messages", &st->rcv_total, "# message{s} received");
	netstat_counter(e, o, "dropped-too-short", &st->rcv_tooshort,
	    "# message{s} received with too few bytes");
	netstat_counter(e, o, "dropped-wrong-hop-limit", &st->rcv_badttl,
	    "# message{s} received with wrong hop limit");
	netstat_counter(e, o, "dropped-bad-source", &st->rcv_badsrc,
	    "# message{s} received from no link-local address");
	netstat_counter(e, o, "dropped-no-router-alert", &st->rcv_nora,
	    "# message{s} received without Router Alert");
	netstat_counter(e, o, "received-v1-membership-queries", &st->rcv_old_queries,
	    "# V1 membership quer{y|ies} received");
	netstat_counter(e, o, "received-v2-membership-queries", &st->rcv_newest_queries,
	    "# V2 membership quer{y|ies} received");
	mcast_stats_queries(e, o, st);
	mcast_stats_reports(e, o, st);
	netstat_counter(e, o, "sent-dones", &st->snd_dones, "# done message{s} sent");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(mld, "mld", AF_INET6, mld_stats);
