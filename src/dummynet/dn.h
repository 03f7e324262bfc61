/*
 * dn.h - dummynet: pipes, queues and schedulers of a stack.
 *
 *	dn_input	flowset by its number -> scheduler instance (sched_mask) -> queue (flow_mask)
 *			-> plr, AQM, limit -> the scheduler's enqueue
 *	the instance	serves a packet when the link is free: profile, serialisation, delay line;
 *			its stack has one event source for all of them (dn_clock.c). What is due
 *			goes back through its door, in batches.
 *
 * Objects (ipfw3's): a link (rate, delay, burst, profile) belongs to a scheduler; flowsets give
 * packets to it. `pipe N` makes scheduler N with its link, and a hidden FIFO scheduler N + 65536
 * (with the same link parameters) with flowset N + 131072, which `pipe N` in a rule means; `queue
 * N` is flowset N.
 *
 * Time is in ns and exact: a packet of n bytes that is served at t has left at t + 8 n / rate (the
 * fraction of a ns is carried, so that rates hold over any time) and is delivered that + delay.
 * Credit (burst): a link idle for a time has saved min(burst, idle time x rate) bits, which packets
 * may use at once; idle from the end of what it has sent at its rate on, so that no more than the
 * burst ever passes beside the rate. A new link, or one that is configured anew, has all of it.
 *
 * All functions work on curvnet and belong to the upper half, except dn_input.
 */
#ifndef WARREN_DUMMYNET_DN_H
#define WARREN_DUMMYNET_DN_H

#include "dummynet/dn_aqm.h"
#include "dummynet/dn_door.h"
#include "dummynet/dn_sched.h"
#include "kern/drop.h"
#include "kern/vnet.h"
#include "net/in6addr.h"

enum {
	DN_NUMBER_MAX = 65535,
	DN_HIDDEN_SCHED = 65536,    /* + N: the FIFO scheduler of pipe N */
	DN_HIDDEN_FLOWSET = 131072, /* + N: its flowset */
};

/* --- the packets' way ------------------------------------------------------------------------- */

/*
 * A packet for pipe or queue `number` of curvnet, at m->when_ns. What the door says stands before
 * its IP header (or what is none: then it is a flow of its own kind). Takes it; it comes back by
 * door->deliver, perhaps before this returns (no rate, no delay, nothing waiting: spec 11.3 and
 * edge case 20). False: dropped, counted, and the flowset does not say noerror (an interface with
 * a pipe counts it as its own drop).
 */
bool dn_input(struct mbuf *m, uint32_t number, bool queue, const struct dn_door *door);

/* A door goes: what came by it and is inside is dropped. Returns when the door may be freed. */
void dn_door_close(const struct dn_door *door);

DROP_DECLARE(DROP_DN_LOSS);    /* plr */
DROP_DECLARE(DROP_DN_AQM);     /* RED, CoDel … */
DROP_DECLARE(DROP_DN_QUEUE);   /* the queue is full */
DROP_DECLARE(DROP_DN_NONE);    /* no such pipe or queue, or a queue whose scheduler isn't there */
DROP_DECLARE(DROP_DN_PROFILE); /* lost by the profile */
DROP_DECLARE(DROP_DN_GONE);    /* its pipe or door was deleted meanwhile */
DROP_DECLARE(DROP_DN_NOMEM);

/* --- masks and flows -------------------------------------------------------------------------- */

/* A flow's identity, and a mask of the same form (ones = looked at). Network order. */
struct dn_flow {
	uint8_t family; /* 4, 6; 0 = no IP */
	uint8_t proto;
	uint16_t sport, dport;
	uint32_t flow_id; /* IPv6 flow label */
	union {
		struct {
			uint32_t src, dst;
		};
		struct {
			struct in6 src6, dst6;
		};
	};
};
/*
 * A packet's; no fragment has ports, so that none overtakes the others of its datagram (dn_flow.c).
 */
void dn_flow_read(const struct mbuf *m, struct dn_flow *f);
/* A mask for both families at once. */
struct dn_mask {
	uint8_t proto;
	uint16_t sport, dport;
	uint32_t src, dst, flow_id;
	struct in6 src6, dst6;
	bool per_queue; /* the word `queue`: each flowset a flow */
};
bool dn_mask_is_empty(const struct dn_mask *mask);

/* --- objects, as configured ------------------------------------------------------------------- */

struct dn_profile; /* dn_profile.h: refcounted */

struct dn_link_config {
	uint64_t rate_bps;          /* 0 = no limit */
	char rate_of[16];           /* an interface whose if_baudrate_bps is the rate; "" */
	uint64_t delay_ns;          /* <= 10 s (spec 11.2) */
	uint64_t burst_bytes;       /* < 2^48 */
	struct dn_profile *profile; /* NULL; a reference of the config's holder */
};

struct dn_sched_config {
	const struct dn_sched_part *part; /* NULL = WF2Q+, or as it is */
	void
	    *param; /* the part's own parameters (param_size bytes), or NULL = defaults; borrowed */
	struct dn_mask mask;
	uint32_t buckets; /* 0 = hash_size */
	struct dn_link_config link;
};

struct dn_flowset_config {
	uint32_t sched; /* number of its scheduler, which may come later */
	struct dn_mask mask;
	uint32_t buckets;
	struct dn_share share;  /* 0 in a member: the part's default */
	uint32_t queue_packets; /* limit in slots … */
	uint32_t queue_bytes;   /* … or in bytes, if not 0 */
	uint32_t plr;           /* 2^31 = 1 */
	bool noerror;
	struct dn_aqm_config aqm;
};

/*
 * What a configuration command sets: `set` has a bit for each member that was said; others keep
 * their value in an object that is there, or get the default in a new one.
 */
enum dn_set {
	DN_SET_RATE = 1 << 0,
	DN_SET_DELAY = 1 << 1,
	DN_SET_BURST = 1 << 2,
	DN_SET_PROFILE = 1 << 3,
	DN_SET_TYPE = 1 << 4, /* part and param */
	DN_SET_SCHED_MASK = 1 << 5,
	DN_SET_FLOW_MASK = 1 << 6,
	DN_SET_SCHED = 1 << 7, /* which scheduler a flowset belongs to */
	DN_SET_BUCKETS = 1 << 8,
	DN_SET_WEIGHT = 1 << 9,
	DN_SET_MAX_LEN = 1 << 10,
	DN_SET_PRIORITY = 1 << 11,
	DN_SET_LIMIT = 1 << 12,
	DN_SET_PLR = 1 << 13,
	DN_SET_NOERROR = 1 << 14,
	DN_SET_AQM = 1 << 15,
};
struct dn_change {
	uint32_t set; /* enum dn_set */
	struct dn_sched_config sched;
	struct dn_flowset_config flowset;
};

/*
 * Configure, making what isn't there. Packets inside stay (of a new type or mask they are put into
 * the new instances; credit begins anew). A share's words that the part doesn't know mean nothing.
 * *why is a sentence for the user when -EINVAL. Also -ENOMEM.
 */
int dn_pipe_config(uint32_t number, const struct dn_change *c, const char **why);
int dn_sched_config(uint32_t number, const struct dn_change *c, const char **why);
int dn_queue_config(uint32_t number, const struct dn_change *c, const char **why);
/*
 * With the packets inside (DROP_DN_GONE); queues of a scheduler that goes are kept, unlinked. 0;
 * -ENOENT.
 */
int dn_pipe_delete(uint32_t number);
int dn_sched_delete(uint32_t number);
int dn_queue_delete(uint32_t number);
void dn_flush(void); /* everything */

/* --- parts ------------------------------------------------------------------------------------ */

/* By name (any case) or number, among those that are registered. NULL. */
const struct dn_sched_part *dn_sched_find(const char *name);
const struct dn_sched_part *dn_sched_bynumber(uint32_t number);
void dn_sched_foreach(
    void (*fn)(void *ctx, const struct dn_sched_part *part, bool registered, uint32_t used),
    void *ctx);
/*
 * `ipfw sched load NAME|/PATH.so`: a part that was unloaded, or a shared object whose symbol
 * `dn_sched_part_exported` is one. Process-wide. 0; -EEXIST there already, -ENOENT no such, -EINVAL
 * no part.
 */
int dn_sched_load(const char *name, const char **why);
/* 0; -EBUSY a scheduler of any stack has this type; -ENOENT. */
int dn_sched_unload(const char *name);

/* --- to look at ------------------------------------------------------------------------------- */

struct dn_counters {
	uint64_t packets, bytes, drops; /* since it is there */
	uint32_t queued_packets, queued_bytes;
};
/* A queue (flow) as `show` prints it. */
struct dn_flow_view {
	struct dn_flow flow; /* masked */
	uint32_t bucket;
	struct dn_counters count;
};
struct dn_flowset_view {
	uint32_t number; /* 1 …; hidden ones + DN_HIDDEN_FLOWSET */
	const struct dn_flowset_config *config;
	const struct dn_sched_part *part; /* NULL: unlinked */
	uint32_t flows, buckets;
	struct dn_counters count; /* of all its queues, those that expired too */
};
struct dn_sched_view {
	uint32_t number;
	const struct dn_sched_config *config;
	uint64_t rate_bps; /* in force: of the interface, if it is one's */
	uint32_t instances, buckets;
	struct dn_counters count;
};
/* Each in the order of their numbers; fn returns false to end. Views are valid in fn only. */
void dn_sched_walk(bool (*fn)(void *ctx, const struct dn_sched_view *s), void *ctx);
void dn_flowset_walk(bool (*fn)(void *ctx, const struct dn_flowset_view *f), void *ctx);
void dn_flow_walk(uint32_t flowset, bool (*fn)(void *ctx, const struct dn_flow_view *f), void *ctx);
/* Are there schedulers or flowsets in any stack? */
bool dn_is_used(void);
/* One by its number (hidden ones too). False: not there. */
bool dn_sched_look(uint32_t number, struct dn_sched_view *s);
bool dn_flowset_look(uint32_t number, struct dn_flowset_view *f);

/* net.inet.ip.dummynet.*, of curvnet */
VNET_DECLARE(uint32_t, dn_pipe_slot_limit);
VNET_DECLARE(uint32_t, dn_pipe_byte_limit);
VNET_DECLARE(uint32_t, dn_hash_size);
VNET_DECLARE(uint32_t, dn_red_lookup_depth);
VNET_DECLARE(uint32_t, dn_red_avg_pkt_size);
VNET_DECLARE(uint32_t, dn_red_max_pkt_size);

#endif
