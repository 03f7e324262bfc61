/*
 * multicast_input.c - what a host makes of the messages of IGMP and MLD that come: the same in both
 * but for where the fields lie, which igmp.c and mld.c know.
 *
 *	mcast_query_newest	a query of the version with sources: its end is one format
 *	mcast_query_fault	may it be believed?
 *	mcast_query_input	count it, and say it to multicast_report.c
 *	mcast_report_input	somebody's report of an old version: ours need not be said
 */
#include "inet/multicast_internal.h"

#include "kern/netstat.h"

/* Behind a query's group (RFC 3376 4.1, RFC 3810 5.1); then the sources. */
struct query_tail {
	uint8_t flags; /* suppress (0x08), robustness (0x07) */
	uint8_t qqic;
	be16 nsources;
} __attribute__((packed));
_Static_assert(sizeof(struct query_tail) == 4, "wire");

enum { ROBUSTNESS_MASK = 7, QQIC_BITS = 4 };

uint32_t
mcast_code(uint16_t code, unsigned bits)
{
	const uint32_t implied = UINT32_C(1) << bits;

	if (code < implied << 3)
		return code;
	return ((code & (implied - 1)) | implied) << ((code >> bits & 7) + 3);
}

static const struct drop_reason *
bad_query(const struct mcast_proto *proto)
{
	proto->stat()->rcv_badqueries++;
	return proto->badquery;
}

const struct drop_reason *
mcast_query_fault(const struct mcast_proto *proto, const struct mcast_query *q)
{
	if (ipaddr_is_any(&q->group) ? q->nsources > 0 : !ipaddr_is_multicast(&q->group))
		return bad_query(proto);
	return NULL;
}

const struct drop_reason *
mcast_query_newest(
    const struct mcast_proto *proto, const void *tail, uint32_t len, struct mcast_query *q)
{
	const struct query_tail *t = tail;

	if (len < sizeof(*t))
		return bad_query(proto);
	proto->stat()->rcv_newest_queries++;
	q->version = proto->newest;
	q->robustness = t->flags & ROBUSTNESS_MASK;
	q->query_interval_s = mcast_code(t->qqic, QQIC_BITS);
	q->nsources = from_be16(t->nsources);
	q->sources = (const uint8_t *)(t + 1);
	if (len < sizeof(*t) + (uint32_t)proto->addrlen * q->nsources) {
		proto->stat()->rcv_tooshort++;
		return proto->tooshort;
	}
	return mcast_query_fault(proto, q);
}

static void
count_query(struct mcast_stat *st, const struct mcast_query *q)
{
	if (ipaddr_is_any(&q->group))
		st->rcv_gen_queries++;
	else if (q->nsources == 0)
		st->rcv_group_queries++;
	else
		st->rcv_gsr_queries++;
}

const struct drop_reason *
mcast_query_input(const struct mcast_proto *proto, struct ifnet *ifp, const struct mcast_query *q)
{
	count_query(proto->stat(), q);
	if (mcast_query_heard(ifp, q))
		return NULL;
	proto->stat()->drop_queries++;
	return proto->limit;
}

const struct drop_reason *
mcast_report_input(const struct mcast_proto *proto, struct ifnet *ifp, const struct ipaddr *group,
    const struct ipaddr *dst, bool from_us)
{
	struct mcast_stat *st = proto->stat();

	st->rcv_reports++;
	if (!ipaddr_is_multicast(group) || !ipaddr_equal(group, dst)) {
		st->rcv_badreports++;
		return proto->badreport;
	}
	if (from_us || !mcast_accepts(ifp, group, NULL))
		return NULL;
	st->rcv_ourreports++;
	mcast_report_heard(ifp, group);
	return NULL;
}

/* --- netstat -s ------------------------------------------------------------------------------- */

void
mcast_stats_queries(struct emitter *e, const struct netstat_opts *o, struct mcast_stat *st)
{
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
}

void
mcast_stats_reports(struct emitter *e, const struct netstat_opts *o, struct mcast_stat *st)
{
	netstat_counter(e, o, "received-membership-reports", &st->rcv_reports,
	    "# membership report{s} received");
	netstat_counter(e, o, "dropped-membership-reports", &st->rcv_badreports,
	    "# membership report{s} received with invalid field(s)");
	netstat_counter(e, o, "received-membership-reports-matching", &st->rcv_ourreports,
	    "# membership report{s} received for groups to which we belong");
	netstat_counter(
	    e, o, "sent-membership-reports", &st->snd_reports, "# membership report{s} sent");
}
