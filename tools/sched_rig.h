/*
 * sched_rig.h - a scheduler part alone, with flows that send to it and a link that takes from it.
 *
 * What the part asks of its surroundings (memory, AQM) is here, so that nothing of Warren is linked
 * but the parts and the floor base/. Time is counted in bytes of the link: a packet of n bytes
 * takes n. Packets are handed to the part between two packets on the link, as a part that knows no
 * rate must take them; their arrival counts from then.
 */
#ifndef WARREN_TOOLS_SCHED_RIG_H
#define WARREN_TOOLS_SCHED_RIG_H

#include "base/rng.h"
#include "dummynet/dn_sched.h"

enum rig_sizes {
	SIZES_RANGE, /* uniform in min_len … max_len */
	SIZES_EACH,  /* the same, but each flow has a longest packet of its own in that range */
	SIZES_IMIX,  /* 40, 576 and 1,500 bytes, seven to four to one */
};

enum rig_arrivals {
	ARRIVE_SATURATED, /* each flow always has `backlog` packets */
	ARRIVE_BURSTS,    /* flows at random send 1 … 2 x burst - 1 packets, at Poisson times */
};

struct rig_spec {
	const struct dn_sched_part *part; /* NULL: the null scheduler, a ring of pointers */
	const void *param;                /* its own, or NULL = defaults */
	uint32_t flows;
	const uint32_t *weights; /* flow i has weights[i % nweights]; NULL: at random in … */
	uint32_t nweights, min_weight, max_weight;
	uint32_t levels;  /* priorities at random below this; 0: all 0 */
	uint32_t max_len; /* of RR's quantum; 0: the part's default. QFQ gets the flow's longest. */
	enum rig_sizes sizes;
	uint32_t min_size, max_size;
	enum rig_arrivals arrivals;
	uint32_t backlog; /* packets of each flow, if saturated */
	uint32_t burst;
	double load;      /* of the link, by bursts */
	uint32_t limit;   /* packets that may wait in a queue: bursts are cut */
	double aqm_drops; /* probability with which a stand-in for AQM drops a packet that leaves */
	uint64_t seed;
};

struct rig_packet {
	struct mbuf m; /* flowid: its flow; when_ns: when it came, in bytes */
	uint64_t number;
	uint64_t ahead; /* bytes of its flow when it came, with its own */
} __attribute__((aligned(64)));

struct rig_flow {
	struct dn_share share;
	uint32_t shortest, longest; /* packets */
};

/* Is told what happens; every function is set. */
struct rig_watch {
	void *ctx;
	void (*arrived)(void *ctx, const struct rig_packet *p, uint64_t at);
	void (*served)(void *ctx, const struct rig_packet *p, uint64_t from, uint64_t to);
	void (*dropped)(void *ctx, const struct rig_packet *p); /* by AQM */
};

struct rig {
	struct rig_spec spec;
	struct dn_sched_instance si;
	struct rig_flow *flow;
	uint8_t *queues;
	size_t queue_stride;
	uint32_t nqueues;
	const struct rig_watch *watch; /* or NULL */
	struct rng rng;                /* sizes and arrivals */
	struct rng aqm_rng;
	uint64_t now, next_burst; /* in bytes */
	uint64_t mean_gap;        /* between bursts */
	uint64_t numbers;         /* given to packets */
	uint64_t sent, dropped, refused;
	/* all packets, in use or not */
	struct rig_packet *pool;
	uint64_t npool;
	struct mbuf *unused;
	/* the null scheduler's */
	struct mbuf **ring;
	uint64_t ring_head, ring_tail, ring_mask;
};

/* False: no memory. *spec is copied, what it points to is borrowed. */
bool rig_init(struct rig *r, const struct rig_spec *spec, const struct rig_watch *watch);
void rig_end(struct rig *r);
/* Until this many more packets were sent (or dropped), with arrivals going on. */
void rig_run(struct rig *r, uint64_t packets);
/* No more arrivals: until nothing waits. */
void rig_drain(struct rig *r);
struct dn_queue *rig_queue(struct rig *r, uint32_t flow);
/* Its share becomes another one, in the middle of all. */
void rig_share(struct rig *r, uint32_t flow, const struct dn_share *share);
/* Free its queue, with all that waits (given back without a word), and make a new one. */
void rig_renew_queue(struct rig *r, uint32_t flow);
/* A packet for a flow, now; len 0: at random. False: the pool is empty. */
bool rig_send(struct rig *r, uint32_t flow, uint32_t len);
/* The next packet goes over the link: its flow, or -1. */
int64_t rig_step(struct rig *r);

/* Parts by name, any case; NULL. */
const struct dn_sched_part *rig_part(const char *name);

#endif
