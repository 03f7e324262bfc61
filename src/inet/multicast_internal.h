/*
 * multicast_internal.h - what the rooms of multicast share: multicast.c (who listens),
 * multicast_report.c (saying so), multicast_input.c (what others say), igmp.c and inet6/mld.c (in
 * which messages).
 */
#ifndef WARREN_INET_MULTICAST_INTERNAL_H
#define WARREN_INET_MULTICAST_INTERNAL_H

#include "base/callout.h"
#include "base/rcu.h"
#include "base/tree.h"
#include "inet/multicast.h"

struct emitter;
struct netstat_opts;

/*
 * A source filter, never changed once it is published: packets read it. The sources are sorted.
 * What nobody and what everybody may send to are two constants, so that the usual groups cost
 * nothing here.
 */
struct mcast_filter {
	struct rcu_head rcu;
	enum mcast_mode mode;
	unsigned n;
	struct ipaddr source[];
};
extern const struct mcast_filter mcast_nobody;    /* INCLUDE {}: no membership */
extern const struct mcast_filter mcast_everybody; /* EXCLUDE {} */

struct mcast_member {
	struct mcast_group *g; /* NULL: the interface has gone */
	struct ifnet *ifp;     /* with a reference; NULL with g */
	struct ipaddr group;
	const struct mcast_filter *filter; /* published; ours */
	LIST_ENTRY(mcast_member) link;     /* of g->members */
	struct rcu_head rcu;
};

/* How many members of a group include and exclude a source, and how many exclude at all. */
struct mcast_count {
	RB_ENTRY(mcast_count) node;
	struct ipaddr source;
	unsigned in, ex;
};
RB_HEAD(mcast_counts, mcast_count);
struct mcast_merge {
	struct mcast_counts counts;
	unsigned nexclude;
};

/* A source whose change is still to be told (RFC 3376 5.1): in so many more reports. */
struct mcast_retx {
	struct ipaddr source;
	unsigned left;
};

/* What a group has to say: multicast_report.c's. */
struct mcast_saying {
	/* an answer to a query; in the old versions each report (RFC 2236's group timer) */
	struct callout answer;
	struct ipaddr *asked; /* sources that were asked for, sorted; none: the group as such */
	unsigned nasked;
	/* changes of state: in mi->changing while mode_left > 0 or nretx > 0 */
	TAILQ_ENTRY(mcast_group) changing;
	bool is_changing;
	unsigned mode_left;      /* reports that are to say the filter mode */
	struct mcast_retx *retx; /* sorted */
	unsigned nretx;
	/* old versions */
	unsigned repeats;   /* unsolicited reports still to come */
	bool last_reporter; /* nobody has reported it behind us: we say when we leave */
};

/* A group of an interface: it lives while it has members, or reports of its end are due. */
struct mcast_group {
	struct mcast_if *mi;
	struct ipaddr group;
	const struct mcast_filter *filter; /* published: the merge of its members' */
	RB_ENTRY(mcast_group) node;        /* of mi->groups, by address */
	LIST_HEAD(, mcast_member) members;
	unsigned nmembers;
	struct mcast_merge merge;
	struct mcast_saying say;
	struct rcu_head rcu;
};
RB_HEAD(mcast_groups, mcast_group);

struct mcast_table;
enum { MCAST_VERSIONS = 4 };

/* A family's memberships on an interface: ifp->if_mcast[slot]. */
struct mcast_if {
	struct ifnet *ifp;
	int family;
	struct mcast_table *table; /* published: packets find the group */
	struct mcast_groups groups;
	unsigned ngroups;
	struct mcast_member *allhosts; /* IPv4: while the interface has an address (RFC 1112 7.2) */

	/* multicast_report.c's */
	const struct mcast_proto *proto; /* NULL: the family has none */
	bool up;                         /* reports can be sent */
	bool from_nowhere;               /* MLD: something was said from ::, so it is said again */
	unsigned version;                /* that we speak: the oldest querier's */
	uint64_t old_until_ns[MCAST_VERSIONS]; /* a querier of that version is present till then */
	struct callout old_gone, general, change;
	TAILQ_HEAD(, mcast_group) changing;
	unsigned robustness; /* as the last query said */
	uint32_t query_interval_s;
	uint64_t response_ns;
	uint64_t limit_second; /* queries in this second of the clock */
	uint32_t limit_count;
	struct rcu_head rcu;
};

/* --- multicast_filter.c ----------------------------------------------------------------------- */

/* Sorted and without doubles; one of the constants for none. NULL without memory. */
const struct mcast_filter *mcast_filter_new(
    enum mcast_mode mode, const struct ipaddr *sources, unsigned n);
void mcast_filter_free(const struct mcast_filter *f); /* late; NULL is allowed */
bool mcast_filter_equal(const struct mcast_filter *a, const struct mcast_filter *b);
bool mcast_filter_accepts(const struct mcast_filter *f, const struct ipaddr *source);

void mcast_merge_init(struct mcast_merge *mg);
/*
 * A member's filter was `from` and is `to` (mcast_nobody: not there). *merged is what all want now,
 * the caller's. 0; -ENOBUFS (more than max sources together), -ENOMEM, and nothing has changed.
 */
int mcast_merge_change(struct mcast_merge *mg, const struct mcast_filter *from,
    const struct mcast_filter *to, unsigned max, const struct mcast_filter **merged);
/* A member leaves, and there is no memory to say what the others want. */
void mcast_merge_leave(struct mcast_merge *mg, const struct mcast_filter *f);

/* --- multicast_table.c ------------------------------------------------------------------------ */

/* Borrowed; NULL. No locks. */
struct mcast_group *mcast_group_find(const struct mcast_if *mi, const struct ipaddr *group);
/* Room for one more: 0, -ENOMEM. Then one can be added. */
int mcast_table_reserve(struct mcast_if *mi);
void mcast_table_add(struct mcast_if *mi, struct mcast_group *g);
void mcast_table_remove(struct mcast_if *mi, struct mcast_group *g);
void mcast_table_free(struct mcast_if *mi);

/* --- multicast.c ------------------------------------------------------------------------------ */

/* Borrowed; NULL. */
struct mcast_if *mcast_if_of(const struct ifnet *ifp, int family);
/* All groups of an interface, in order. */
#define MCAST_GROUP_FOREACH(g, mi)                                                                 \
	for ((g) = mcast_group_next(mi, NULL); (g) != NULL; (g) = mcast_group_next(mi, g))
struct mcast_group *mcast_group_next(struct mcast_if *mi, struct mcast_group *g);
/* Reports of a group, or of an interface, are done: free it if nothing else holds it. */
void mcast_group_unused(struct mcast_group *g);
void mcast_if_unused(struct mcast_if *mi);
uint32_t mcast_maxgrpsrc(int family);
/* A group's address on the link (RFC 1112 6.4, RFC 2464 7); false on links that have none. */
bool mcast_link_address(const struct ifnet *ifp, const struct ipaddr *group, uint8_t mac[6]);

/* --- multicast_report.c ----------------------------------------------------------------------- */

void mcast_report_if_init(struct mcast_if *mi);
/* All timers off, nothing is due any more, and nothing will be said from now on. */
void mcast_report_if_stop(struct mcast_if *mi);
/* Does it remember what would be lost with it? */
bool mcast_report_if_busy(const struct mcast_if *mi);
void mcast_report_group_init(struct mcast_group *g);
void mcast_report_group_stop(struct mcast_group *g);
bool mcast_report_group_busy(const struct mcast_group *g);
/* Is the group one that is reported at all? */
bool mcast_is_reported(const struct mcast_group *g);
/* The group's filter was `old`. */
void mcast_report_change(struct mcast_group *g, const struct mcast_filter *old);
/* The interface may have come up or gone down. */
void mcast_report_link(struct mcast_if *mi);
/* Tell all groups anew, as if they had just been joined. */
void mcast_report_all(struct mcast_if *mi);
/* The version to speak has been set anew: all interfaces of curvnet. */
void mcast_report_versions(int family);

/* A query that the family has found right. */
struct mcast_query {
	unsigned version;
	struct ipaddr group;    /* any: a General Query */
	const uint8_t *sources; /* as they lie in the message */
	unsigned nsources;
	uint64_t max_ns;           /* answer within */
	unsigned robustness;       /* 0 = not told */
	uint32_t query_interval_s; /* 0 = not told */
};
/* False: too many queries in this second, it is to be dropped. */
bool mcast_query_heard(struct ifnet *ifp, const struct mcast_query *q);
/* Somebody else has reported the group, in an old version. */
void mcast_report_heard(struct ifnet *ifp, const struct ipaddr *group);

/* --- a family's messages (igmp.c, mld.c) ------------------------------------------------------ */

/* A stack's counters of a family's messages. What is one family's alone is 0 in the other. */
struct mcast_stat {
	uint64_t rcv_total, rcv_tooshort, rcv_badttl, rcv_nora;
	uint64_t rcv_badsum;                          /* IGMP's: MLD's sums are ICMPv6's */
	uint64_t rcv_badsrc;                          /* MLD's */
	uint64_t rcv_old_queries, rcv_newest_queries; /* by version */
	uint64_t rcv_badqueries, rcv_gen_queries, rcv_group_queries, rcv_gsr_queries, drop_queries;
	uint64_t rcv_reports, rcv_badreports, rcv_ourreports;
	uint64_t snd_reports;
	uint64_t snd_dones; /* MLD's */
};

struct mcast_proto {
	int family;
	unsigned newest;     /* version with source filters: 3, 2 */
	uint8_t addrlen;     /* 4, 16 */
	uint8_t report_type; /* of the newest version's report */
	unsigned overhead;   /* bytes before a report: IP header and router alert */
	uint64_t unsolicited_ns, old_unsolicited_ns; /* Unsolicited Report Intervals */
	const struct drop_reason *tooshort, *badquery, *badreport, *limit;
	struct mcast_stat *(*stat)(void);
	/* the newest version that may be spoken; how many queries a second are listened to */
	unsigned (*version)(void);
	uint32_t (*query_limit)(void);
	/* is the group ever reported? */
	bool (*reported)(const struct ipaddr *group);
	/* send a report of the newest version, complete but for its sum; takes m */
	void (*send)(struct mcast_if *mi, struct mbuf *m);
	/* send a report, and a leave, of the version that is spoken now */
	void (*send_old)(struct mcast_if *mi, const struct ipaddr *group);
	void (*send_leave)(struct mcast_if *mi, const struct ipaddr *group);
};
#define MCAST_PROTO_DEFINE(ident, ...)                                                             \
	static const struct mcast_proto mcast_proto_of_##ident = { __VA_ARGS__ };                  \
	LINKERSET_ADD(mcast_proto, mcast_proto_of_##ident)

/* --- multicast_input.c: messages that come ---------------------------------------------------- */

/*
 * A code of a response time or an interval: as it is, or from the top bit on a mantissa of so many
 * bits and an exponent (RFC 3376 4.1.1, RFC 3810 5.1.3 and 5.1.9).
 */
uint32_t mcast_code(uint16_t code, unsigned bits);
/* These four return why the message is to be dropped, and have counted it; NULL: it is not. */
/*
 * The len bytes behind the group of a query that is longer than those of the old versions: fills in
 * all of q but group and max_ns, which the caller has.
 */
const struct drop_reason *mcast_query_newest(
    const struct mcast_proto *proto, const void *tail, uint32_t len, struct mcast_query *q);
/* Is it about no group, or about sources of all groups? mcast_query_newest has asked. */
const struct drop_reason *mcast_query_fault(
    const struct mcast_proto *proto, const struct mcast_query *q);
/* The query is right, and we listen to its version. */
const struct drop_reason *mcast_query_input(
    const struct mcast_proto *proto, struct ifnet *ifp, const struct mcast_query *q);
/* A report of an old version about group, that was sent to dst. */
const struct drop_reason *mcast_report_input(const struct mcast_proto *proto, struct ifnet *ifp,
    const struct ipaddr *group, const struct ipaddr *dst, bool from_us);
/* Lines of netstat -s that are the same in both. */
void mcast_stats_queries(struct emitter *e, const struct netstat_opts *o, struct mcast_stat *st);
void mcast_stats_reports(struct emitter *e, const struct netstat_opts *o, struct mcast_stat *st);

/* --- multicast_record.c: reports of the newest version ---------------------------------------- */

enum mcast_record {
	MCAST_IS_IN = 1,
	MCAST_IS_EX = 2,
	MCAST_TO_IN = 3,
	MCAST_TO_EX = 4,
	MCAST_ALLOW = 5,
	MCAST_BLOCK = 6,
};
/* A report that is being written; what is full is sent. */
struct mcast_report {
	struct mcast_if *mi;
	struct mbuf *m;    /* NULL: nothing yet */
	unsigned nrecords; /* in m */
	uint32_t limit;    /* bytes of a report */
	uint32_t record;   /* offset of the record that is open */
	unsigned nsources; /* in it */
	enum mcast_record type;
	const struct ipaddr *group;
	bool lost; /* no memory, or no more room in a record that can't go on in another report */
};
void mcast_report_begin(struct mcast_report *r, struct mcast_if *mi);
/* A record of n sources, which follow one by one. */
void mcast_record_begin(
    struct mcast_report *r, enum mcast_record type, const struct ipaddr *group, unsigned n);
void mcast_record_source(struct mcast_report *r, const struct ipaddr *source);
void mcast_record_end(struct mcast_report *r);
/* Send what is there. */
void mcast_report_end(struct mcast_report *r);

#endif
