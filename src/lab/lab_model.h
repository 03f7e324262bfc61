/*
 * lab_model.h - a lab in memory: what the file says, and beside it what was built of it.
 *
 * Everything lies in one arena and lives as long as the lab. Lists are in the order of the file,
 * and everything that is done walks lists, never a hash: order is part of "same file, same bytes".
 */
#ifndef WARREN_LAB_LAB_MODEL_H
#define WARREN_LAB_LAB_MODEL_H

#include "base/emitter.h"
#include "dummynet/pipe.h"
#include "inet/ping.h"
#include "inet/udp_traffic.h"
#include "kern/jail.h"
#include "lab/lab.h"
#include "port/pcap.h"

#include <bsd/sys/queue.h>
#include <inttypes.h>
#include <uthash.h>

/* Beyond these a file is refused. */
enum { LAB_MAX_NODES = 100000, LAB_MAX_LINKS = 200000, LAB_MAX_ITEMS = 100000 };

/* Times within a run: a hundred years are enough for anybody. */
#define LAB_TIME_MAX (UINT64_C(876000) * 3600 * NS_PER_SEC)

/* After the traffic's end a lab runs on for so long, so that what is under way arrives. */
#define LAB_SETTLE_NS NS_PER_SEC

/* A word or line of the file, with its place. */
struct lab_words {
	const char *text;
	unsigned line;
	STAILQ_ENTRY(lab_words) next;
};
STAILQ_HEAD(lab_wordlist, lab_words);

/* Pipes that are links' `shaper` have numbers from here on, in the order of a node's links. */
enum { LAB_SHAPER_FIRST = 60001 };

enum lab_switch { LAB_DEFAULT, LAB_OFF, LAB_ON };

enum { LAB_INET, LAB_INET6, LAB_FAMILIES };

/* An address with its network's length, or a network. */
struct lab_net {
	struct ipaddr addr; /* family 0 = none */
	uint8_t plen;
};

struct lab_node {
	const char *name;
	unsigned line;
	uint32_t index;
	enum lab_switch forwarding;
	bool is_switch;             /* its links' ends are members of one bridge */
	struct lab_wordlist run;    /* command lines */
	struct lab_wordlist sysctl; /* "name=value" */
	STAILQ_HEAD(, lab_end) ends;
	uint32_t nends;
	STAILQ_ENTRY(lab_node) next;
	UT_hash_handle hh; /* lab->node_by_name */
	/* built */
	struct prison *prison;
	struct sched_domain *domain; /* shared by nodes of one group */
	uint32_t group;              /* union-find: nodes coupled without delay */
};

enum lab_shape_key {
	LAB_SHAPE_RATE = 1,
	LAB_SHAPE_DELAY = 2,
	LAB_SHAPE_JITTER = 4,
	LAB_SHAPE_LOSS = 8,
	LAB_SHAPE_QUEUE = 16
};
struct lab_shape {
	unsigned keys; /* enum lab_shape_key: which were given */
	struct pipe_config c;
};

/*
 * What a way out was asked to do for a part of the run, and the counters when that part began; a
 * change in the timeline begins the next part.
 */
struct lab_phase {
	uint64_t from_ns;
	struct pipe_config c;
	struct pipe_stats start,
	    end; /* end: valid when the next phase has begun or the run is over */
	uint64_t to_ns;
	STAILQ_ENTRY(lab_phase) next;
};

struct lab_end {
	struct lab_node *node;
	const char *name; /* "gw:wan" */
	const char *ifname;
	struct lab_link *link;
	struct lab_net net[LAB_FAMILIES]; /* addresses, given or automatic */
	struct lab_shape shape;           /* of the way from here to the other end */
	STAILQ_ENTRY(lab_end) of_node;
	STAILQ_ENTRY(lab_end) of_segment;
	UT_hash_handle hh; /* lab->end_by_name */
	/* built */
	struct ifnet *ifp;
	bool shaped;
	STAILQ_HEAD(, lab_phase) phases;
	struct pipe_stats final; /* when everything has arrived */
};

struct lab_link {
	unsigned line;
	uint32_t index;
	uint32_t mtu; /* 0 = the default */
	struct lab_end end[2];
	/*
	 * Links that switches join are one segment, which its first link stands for; without a switch a
	 * link is one by itself. Ends at switches are not among its ends.
	 */
	struct lab_link *segment;
	STAILQ_HEAD(, lab_end) ends;
	uint32_t nends;
	bool down; /* taken down by the timeline */
	STAILQ_ENTRY(lab_link) next;
};

enum lab_flow_kind { LAB_FLOW_NONE, LAB_FLOW_UDP, LAB_FLOW_PING, LAB_FLOW_REPLAY };

struct lab_reply {
	uint64_t at_ns, rtt_ns;
};

struct lab_flow {
	const char *name;
	unsigned line;
	enum lab_flow_kind kind;
	struct lab_node *from;
	const char *to; /* as the file says: an address or a node's name */
	int family;     /* AF_INET, AF_INET6: which address of the node `to`; 0 = IPv4 first */
	/* nodes where sinks are, several for a group; empty: on the node that has the address */
	struct lab_wordlist sinks;
	bool no_sink;
	uint64_t start_ns, for_ns;   /* for_ns 0: no end of its own */
	uint64_t rate_bps, rate_pps; /* one of them */
	uint64_t count, every_ns, wait_ns;
	uint32_t size, flows, tos, ttl, port, loops;
	enum udp_pattern pattern;
	bool df;
	/* replay */
	const char *file, *filter, *on, *way, *speed_text;
	double speed;
	unsigned nmaps;
	struct replay_map map[16];
	STAILQ_ENTRY(lab_flow) next;
	UT_hash_handle hh; /* lab->flow_by_name */
	/* built */
	struct ipaddr dst;
	struct lab_node *to_node; /* who has the address; NULL = nobody */
	uint64_t stop_ns;         /* absolute; NS_NEVER: ends by itself, unknown when */
	bool unbounded;           /* goes on as long as the run */
	struct udp_sender *sender;
	struct udp_sink **sink; /* malloc'd */
	uint32_t nsinks;
	struct delay_hist *all_delays; /* of several sinks together */
	struct ping *ping;
	bool ping_done;
	struct replay *replay;
	struct lab_reply *reply; /* pings, one by one: percentiles of a part of the run */
	size_t nreplies, replies_room;
};

/* A command that runs in a node's stack, perhaps for some time. */
struct lab_exec {
	struct lab *lab;
	struct lab_node *node;
	const char *line;
	unsigned at_line;
	uint64_t at_ns, end_ns;
	struct verb_run *run; /* pending */
	bool done;
	int status;
	int want_status; /* -1: any */
	bool bad_words;  /* could not even be started */
	char *out, *err; /* malloc'd */
	size_t out_len, err_len;
	STAILQ_ENTRY(lab_exec) next;
};

enum lab_event_kind { LAB_EVENT_RUN, LAB_EVENT_SET, LAB_EVENT_DOWN, LAB_EVENT_UP, LAB_EVENT_NOTE };

struct lab_event {
	unsigned line;
	uint32_t index; /* order in the file */
	uint64_t at_ns;
	enum lab_event_kind kind;
	struct lab_node *node;
	struct lab_wordlist run;
	int want_status;
	struct lab_link *link;
	struct lab_shape shape[2]; /* by direction */
	const char *note;
	struct callout *callout; /* live runs */
	struct lab *lab;
	STAILQ_ENTRY(lab_event) next;
};

struct lab_capture {
	unsigned line;
	const char *file, *filter;
	uint32_t snaplen;
	uint64_t max_packets;
	bool drops, everything; /* everything: on "*" */
	struct lab_wordlist on;
	STAILQ_ENTRY(lab_capture) next;
	struct capture *cap;
	uint64_t seen, written, dropped; /* after its end */
	int error;
};

enum lab_unit { LAB_NUMBER, LAB_TIME, LAB_RATE, LAB_SHARE, LAB_SIZE };
enum { LAB_UNIT_TEXT = 40 };

struct lab_metric;

/* Raw counters of a metric at one moment; a metric's value is made of the difference of two. */
struct lab_reading {
	uint64_t a, b;
};

struct lab_expect {
	unsigned line;
	/* a figure */
	const char *that;
	const struct lab_metric *metric;
	struct lab_flow *flow;
	struct lab_end *end;
	struct lab_node *node;
	const struct drop_reason *drop; /* found at build */
	const char *drop_name;
	enum lab_stat { LAB_STAT_MIN, LAB_STAT_MAX, LAB_STAT_MEAN, LAB_STAT_QUANTILE } stat;
	double quantile;
	uint64_t from_ns, until_ns; /* NS_NEVER: not given */
	bool has_low, has_high, low_open, high_open;
	double low, high;
	const char *low_text, *high_text;
	struct lab_reading at_from, at_until;
	bool from_read, until_read;
	/* a command */
	const char *run;
	uint64_t at_ns; /* NS_NEVER: at the end */
	bool has_status;
	uint32_t status;
	const char *output, *contains, *lacks, *matches;
	struct lab_exec *exec;
	/* the verdict */
	bool judged, holds;
	char *why; /* malloc'd: what was found */
	STAILQ_ENTRY(lab_expect) next;
};

/* A difference between requested and achieved that is beyond its bound. */
struct lab_diff {
	char *text;
	STAILQ_ENTRY(lab_diff) next;
};

enum lab_built { LAB_NOT_BUILT, LAB_BUILT, LAB_RAN };

struct lab {
	struct lab_chunk *arena;
	const char *file;   /* as given, for messages */
	const char *folder; /* where it lies, which its files' names are relative to; "" = here */
	const char *name;
	uint64_t seed, for_ns;
	const char **tunables; /* "name=value", NULL-terminated */
	size_t ntunables;
	struct lab_wordlist tunable_words;
	struct lab_wordlist sysctl;
	bool auto_routes;
	struct lab_net pool[LAB_FAMILIES]; /* automatic addresses are taken from; none: manual */
	struct lab_shape link_shape[2];    /* `defaults` of links */
	STAILQ_HEAD(, lab_node) nodes;
	STAILQ_HEAD(, lab_link) links;
	STAILQ_HEAD(, lab_flow) flows;
	STAILQ_HEAD(, lab_event) events;
	STAILQ_HEAD(, lab_capture) captures;
	STAILQ_HEAD(, lab_expect) expects;
	struct lab_wordlist notes; /* what the report tells besides: keys without a meaning here */
	uint32_t nnodes, nlinks, nflows, nevents, nexpects;
	struct lab_node *node_by_name;
	struct lab_end *end_by_name;
	struct lab_flow *flow_by_name;

	/* built and run */
	struct lab_options opt;
	char *out_dir; /* malloc'd; NULL = no files */
	enum lab_built built;
	uint64_t end_ns;             /* traffic ends here; NS_NEVER: when the flows are done */
	uint64_t known_end_ns;       /* what is known of it beforehand */
	uint64_t now_ns, stopped_ns; /* of the run's end */
	volatile bool interrupted;
	struct lab_event **event; /* sorted */
	STAILQ_HEAD(, lab_exec) execs;
	STAILQ_HEAD(, lab_diff) diffs;
	/* lab_series.c: pipes over time; points so far, and how often two became one */
	STAILQ_HEAD(, lab_series) series;
	uint32_t nlooks;
	unsigned joins, nseries;
	bool series_left_out;
	uint32_t nfailed;
	uint64_t hops, drops;
	uint64_t status_real_ns; /* when the status line was last written */
	uint32_t next_event;
	struct callout *tick, *stopper; /* live runs */
};

/* lab_model.c: the arena (zeroed memory; never NULL), and numbers for people. */
void *lab_alloc(struct lab *lab, size_t bytes);
const char *lab_strdup(struct lab *lab, const char *text);
char *lab_printf(struct lab *lab, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lab_words_add(struct lab *lab, struct lab_wordlist *list, const char *text, unsigned line);
struct lab_node *lab_node_find(const struct lab *lab, const char *name);
struct lab_end *lab_end_find(const struct lab *lab, const char *name);
struct lab_flow *lab_flow_find(const struct lab *lab, const char *name);
static inline struct lab_end *
lab_end_peer(struct lab_end *e)
{
	return &e->link->end[e == &e->link->end[0]];
}
/*
 * "19.73Mbit/s", "20.8336ms", "0.5%": the same everywhere; text needs LAB_UNIT_TEXT bytes. Returns
 * text.
 */
const char *lab_unit_text(enum lab_unit unit, double value, char *text);
/* bytes * 8 / ns in bit/s, exact to the unit. */
uint64_t lab_rate_of(uint64_t bytes, uint64_t ns);

/* lab_parse*.c */
struct ly;
void lab_parse_nodes(struct ly *y, int id, void *lab);
void lab_parse_links(struct ly *y, int id, void *lab);
void lab_parse_flows(struct ly *y, int id, void *lab);
void lab_parse_events(struct ly *y, int id, void *lab);
void lab_parse_captures(struct ly *y, int id, void *lab);
void lab_parse_expects(struct ly *y, int id, void *lab);
void lab_parse_ends(
    struct ly *y, struct lab *lab); /* when the run ends; what never would is a fault */
/* Keys of a link's shape in one direction or both; true if the key was one of them. */
struct ly_pair;
bool lab_parse_shape_key(struct ly *y, const struct ly_pair *p, struct lab_shape shape[2]);
/* "10.0.0.1/24", "2001:db8::1/64": an address of the family (AF_UNSPEC: of any), and its length. */
bool lab_parse_net(
    struct ly *y, int id, const char *what, int af, const char *text, struct lab_net *net);
/* A string or a list of strings, appended. */
void lab_parse_words(struct ly *y, int id, const char *what, struct lab_wordlist *list);

/* The node of that name, or NULL with a fault that names the nearest. */
struct lab_node *lab_parse_node(struct ly *y, int id, const char *what, const char *name);
/* Is it a list? Else a fault. */
bool lab_parse_is_list(struct ly *y, int id, const char *what);
/* An exit status: a number, or `any` (-1). */
bool lab_parse_status(struct ly *y, int id, int *status);

/*
 * lab_range.c: "r[1-100]" names many. False with a fault for a bad one. A plain name is a range of
 * one.
 */
struct lab_range {
	const char *before, *after; /* around the number; malloc'd in the arena */
	bool many;
	uint32_t first, last, digits;
};
bool lab_range_parse(struct ly *y, int id, const char *text, struct lab_range *r);
static inline uint32_t
lab_range_len(const struct lab_range *r)
{
	return r->many ? r->last - r->first + 1 : 1;
}
const char *lab_range_name(struct lab *lab, const struct lab_range *r, uint32_t i);
/* Replace {i}, {i+N}, {i-N} by numbers. Returns text of the arena. */
const char *lab_range_fill(struct lab *lab, const char *text, uint32_t i);

/* lab_address.c */
void lab_address_pool(struct ly *y, int id, const char *text); /* a network of `addresses` */
void lab_address_assign(struct ly *y, struct lab *lab);        /* at parsing */
int lab_address_apply(struct lab *lab, char **why); /* at building: addresses, then routes */

/* lab_build.c: a message "FILE:LINE: …" (arena) as *why, malloc'd; returns err. */
int lab_fail(struct lab *lab, char **why, int err, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
bool lab_node_forwards(const struct lab_node *n);
void lab_captures_end(struct lab *lab);
/* The links' least delay, from what is really there, told to the scheduler. */
void lab_update_lookahead(struct lab *lab);

/* lab_exec.c: start a command; it may be pending. Kept in lab->execs when `keep`. */
struct lab_exec *lab_exec_start(
    struct lab *lab, struct lab_node *node, const char *line, unsigned at_line, int want_status);
bool lab_exec_ok(const struct lab_exec *x);
/* Why it failed, first line of its standard error or its status; text of the arena. */
const char *lab_exec_why(const struct lab_exec *x);
void lab_exec_end(struct lab *lab); /* cancel what is pending */
void lab_exec_free(struct lab *lab);

/*
 * lab_build.c: everything that was built, in the reverse order; stacks of a process that has ended
 * are gone already.
 */
void lab_release(struct lab *lab);

/* lab_link.c: shaping, and its changes. */
int lab_link_build(struct lab *lab, struct lab_link *l, char **why);
void lab_link_set(struct lab *lab, struct lab_link *l, const struct lab_shape shape[2]);
void lab_link_carrier(struct lab *lab, struct lab_link *l, bool up);
void lab_link_close(struct lab *lab); /* end the last phases */

/* lab_timeline.c */
int lab_timeline_build(struct lab *lab, char **why);
void lab_timeline_fire(struct lab *lab, struct lab_event *ev);
void lab_timeline_free(struct lab *lab);

/* lab_traffic.c */
int lab_traffic_build(struct lab *lab, char **why);
bool lab_traffic_ended(const struct lab *lab);
/* Its first of the family, but for the loopback's and link-local ones; false = none. */
bool lab_node_address(const struct lab_node *n, int af, struct ipaddr *a);
void lab_traffic_free(struct lab *lab);

/* What the flow's sinks have received, together. delay is NULL without a sink, else borrowed. */
void lab_flow_received(const struct lab_flow *f, struct udp_sink_stats *st);
/* Bytes at IP of one of its packets. */
uint32_t lab_flow_packet_len(const struct lab_flow *f);

/* lab_expect.c */
bool lab_expect_parse_that(struct ly *y, int id, struct lab_expect *x); /* resolve `that` */
int lab_expect_build(struct lab *lab, char **why);
/*
 * Times before `end` at which counters must be read or a command started, after `now`: the
 * earliest.
 */
uint64_t lab_expect_next(const struct lab *lab, uint64_t now);
void lab_expect_read(struct lab *lab, uint64_t now);  /* read the counters that are due */
void lab_expect_start(struct lab *lab, uint64_t now); /* start the commands that are due */
void lab_expect_end(struct lab *lab);   /* the traffic has ended: windows without `until` */
void lab_expect_judge(struct lab *lab); /* verdicts of the figures */
void lab_expect_judge_command(struct lab *lab, struct lab_expect *x);
const char *lab_expect_text(struct lab *lab, const struct lab_expect *x);
enum lab_unit lab_metric_unit(const struct lab_metric *m);
struct lab_parse_expect;

/* lab_check.c: requested beside achieved: fills lab->diffs. */
void lab_check(struct lab *lab);
void lab_differ(struct lab *lab, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * A way's delay as it was: mean time in the pipe less queueing and serialisation, ns; negative when
 * not known.
 */
double lab_way_delay(const struct lab_end *e);
/* Packets of a flow that were sent and did not arrive; *sent may be NULL. */
uint64_t lab_flow_lost(const struct lab_flow *f, uint64_t *sent);

/* lab_run.c: packets received by all links' ends so far, and drops of all nodes. */
uint64_t lab_hops(const struct lab *lab);
uint64_t lab_drops(const struct lab *lab);
bool lab_end_is_alive(const struct lab_end *e);

#endif
