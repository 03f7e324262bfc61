/*
 * dn_internal.h - the shaper's objects, between the rooms of the engine.
 *
 *	dn_object.c	schedulers and flowsets by their numbers: configured, linked, deleted
 *	dn_instance.c	a scheduler at work on a link, in time: service, delay line, delivery
 *	dn_clock.c	which of them is next
 *	dn_queue.c	a flow's queue: found by its packet, made by the first, forgotten when idle
 *	dn_rebuild.c	what waits is taken out and put back when what it waits in changes
 *	dn_input.c	a packet's way in
 *	dn_view.c	to look at
 */
#ifndef WARREN_DUMMYNET_DN_INTERNAL_H
#define WARREN_DUMMYNET_DN_INTERNAL_H

#include "base/hash.h"
#include "base/sched.h"
#include "dummynet/dn.h"

#include <bsd/sys/queue.h>

/* --- hash tables ------------------------------------------------------------------------------ */

/* In the object; several may have one hash. */
struct dn_node {
	struct dn_node *next;
	uint64_t hash;
};
/* Grows with what is in it. */
struct dn_hash {
	struct dn_node **slot; /* NULL while it is empty */
	uint32_t mask, n;
};
/* 0 or -ENOMEM */
int dn_hash_add(struct dn_hash *h, struct dn_node *node, uint64_t hash);
void dn_hash_remove(struct dn_hash *h, struct dn_node *node);

static inline struct dn_node *
dn_hash_first(const struct dn_hash *h, uint64_t hash)
{
	return h->slot != NULL ? h->slot[hash & h->mask] : NULL;
}

/* Objects by their numbers. */
static inline uint64_t
dn_number_hash(uint32_t number)
{
	return number * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

/* --- objects ---------------------------------------------------------------------------------- */

struct dn_instance;
struct dn_flowq;

struct dn_scheduler {
	struct dn_node node; /* first */
	uint32_t number;
	bool masked;
	struct dn_sched_config config;  /* param and the profile's reference are its own */
	uint64_t rate_bps;              /* in force */
	uint64_t credit_ns, credit_rem; /* burst: most that a link saves, + rem / rate ns */
	uint64_t order_ns;              /* what comes later is delivered no earlier than this */
	LIST_HEAD(, dn_flowset) flowsets;
	TAILQ_HEAD(, dn_instance) instances; /* in the order in which they were made */
	uint32_t n_instances;
	struct dn_hash by_flow;   /* the same, with a mask */
	struct dn_instance *only; /* without one */
	struct dn_counters past;  /* of queues that have gone */
};

struct dn_flowset {
	struct dn_node node; /* first */
	uint32_t number;
	bool masked;                    /* it matters which flow a packet is of */
	struct dn_scheduler *sched;     /* NULL: not there (yet) */
	struct dn_flowq *only;          /* if it doesn't */
	uint64_t packets, bytes, drops; /* that came; drops of queues that are there are in them */
	struct dn_flowset_config config;
	LIST_ENTRY(dn_flowset) link; /* of sched's, or of those that wait for theirs */
	TAILQ_HEAD(, dn_flowq) queues;
	uint32_t n_queues;
	struct dn_hash by_flow; /* the same, if masked */
};

/* A flow's queue, and what has gone through it. */
struct dn_flowq {
	struct dn_node node; /* first */
	struct dn_flow flow; /* masked */
	TAILQ_ENTRY(dn_flowq) of_flowset;
	LIST_ENTRY(dn_flowq) of_instance;
	struct dn_flowset *fs;
	struct dn_instance *inst;
	uint64_t packets, bytes, drops;
	uint64_t last_ns;  /* its last packet came */
	struct dn_queue q; /* last: the part's bytes come behind */
};

/* A scheduler at work: one for each tuple of its mask. */
struct dn_instance {
	struct dn_sched_instance si;
	struct dn_scheduler *sched;
	/*
	 * The link is free from free_ns + free_rem / rate ns on. In the past: it has saved what it
	 * could have sent since.
	 */
	int64_t free_ns;
	uint64_t free_rem;
	uint64_t ready_ns; /* since then something waits */
	uint32_t ser_len;  /* a packet of this length needs … */
	uint32_t slot;     /* dn_clock.c's */
	bool running;      /* its event is at work */
	bool retired;      /* of another mask: only what is on the line is still delivered */
	uint64_t ser_ns, ser_rem;
	/* On the line, by m->next, each with its time of delivery - lag_ns in when_ns. */
	struct mbuf *head, *tail;
	uint64_t lag_ns;         /* the sum of the stalls since the line was empty */
	uint64_t last_ns;        /* delivery of the last one: order is kept */
	struct dn_flowq *shared; /* the one for all flows: parts without DN_SCHED_FLOWS */
	struct rng rng;          /* from here on: not needed for each packet (dn_clock.c) */
	LIST_HEAD(, dn_flowq) queues;
	TAILQ_ENTRY(dn_instance) link;
	struct dn_node node;
	struct dn_flow flow;
	uint32_t flowset; /* of masks with `queue`; 0 */
};

/* dn_object.c */
struct dn_scheduler *dn_scheduler_find(uint32_t number);
struct dn_flowset *dn_flowset_find(uint32_t number);
/* All of curvnet in no order; fn must not add or remove any. */
void dn_scheduler_foreach(void (*fn)(struct dn_scheduler *s, void *ctx), void *ctx);
void dn_flowset_foreach(void (*fn)(struct dn_flowset *fs, void *ctx), void *ctx);
/* What a queue of fs gets of its scheduler's part. */
struct dn_share dn_flowset_share(const struct dn_flowset *fs);

/* dn_check.c: 0, or -errno and a sentence. The part is that of the flowset's scheduler; NULL: unknown. */
enum { DN_QUEUE_DEFAULT = 50 };
int dn_check_number(uint32_t number, const char **why);
int dn_check_sched(const struct dn_change *c, const char **why);
int dn_check_flowset(const struct dn_change *c, const struct dn_sched_part *part, const char **why);

/* dn_mask.c */
bool dn_mask_equal(const struct dn_mask *a, const struct dn_mask *b);
void dn_flow_mask(struct dn_flow *f, const struct dn_mask *mask);
void dn_flow_mask_both(struct dn_flow *f, const struct dn_mask *a, const struct dn_mask *b);
bool dn_flow_equal(const struct dn_flow *a, const struct dn_flow *b);
uint64_t dn_flow_key(const struct dn_flow *f, uint64_t also);

/* dn_link.c: rate and credit of a scheduler's link, as configured and as its interface says. */
void dn_link_follow(struct dn_scheduler *s, const struct ifnet *leaves);
/* Serialise a packet that is served at t: returns when it has left. */
uint64_t dn_link_send(struct dn_instance *inst, uint32_t len, uint64_t extra_ns, uint64_t t);
/* Something begins to wait at t: no more is saved than the burst. */
void dn_link_wake(struct dn_instance *inst, uint64_t t);
/* As if it were new: all that it may save, behind what is being sent. */
void dn_link_reset(struct dn_instance *inst, uint64_t now);
bool dn_link_is_rested(const struct dn_instance *inst, uint64_t now);
/* The time of a delivery at t: t, or the next tick (net.inet.ip.dummynet.hz). */
uint64_t dn_link_tick(uint64_t t);
/* Packets take time on it. */
static inline bool
dn_link_has_cost(const struct dn_scheduler *s)
{
	return s->rate_bps != 0 || s->config.link.profile != NULL;
}

/* dn_clock.c: which instance is next. Set: its next event is at ns; NS_NEVER = it has none. */
int dn_clock_add(struct dn_instance *inst); /* 0 or -ENOMEM */
void dn_clock_remove(struct dn_instance *inst);
void dn_clock_set(struct dn_instance *inst, uint64_t ns);

/* dn_instance.c */
/* Its event, at clock_now(); it may be gone behind it. */
void dn_instance_run(struct dn_instance *inst);
/* The one for a flow of fs, made if it isn't there. NULL: no memory. */
struct dn_instance *dn_instance_get(struct dn_flowset *fs, const struct dn_flow *flow);
/* Its packets are gone or out; those on the line are dropped. */
void dn_instance_free(struct dn_instance *inst);
/* Its part's bytes, anew or no more; it has no queues. 0 or -ENOMEM: it has no part then. */
int dn_instance_part(struct dn_instance *inst, const struct dn_sched_part *part);
/* The link has done by now what it could. */
void dn_instance_catch_up(struct dn_instance *inst, uint64_t now);
/* Let m wait in fq, whatever limits say. Takes m. */
void dn_instance_enqueue(
    struct dn_instance *inst, struct dn_flowq *fq, struct mbuf *m, uint64_t now);
/* m goes through it without waiting: nothing costs time. Takes m. */
void dn_instance_pass(struct dn_instance *inst, struct mbuf *m, uint64_t now);
/* Its next event is another one, perhaps. */
void dn_instance_update(struct dn_instance *inst);
/* Gone as soon as its line is empty; it has no queues. */
void dn_instance_retire(struct dn_instance *inst);
bool dn_instance_is_idle(const struct dn_instance *inst, uint64_t now);
/* A part's only access to a packet that waits, when it has queues of its own. NULL: none left. */
struct mbuf *dn_instance_take(struct dn_instance *inst);
extern const struct dn_door dn_door_lost, dn_door_lost_frame, dn_door_gone, dn_door_gone_frame;

/* dn_rebuild.c */
struct dn_held {
	struct mbuf *m;
	struct dn_flowset *fs;
	uint64_t seq;
};
struct dn_holding {
	struct dn_held *held;
	size_t n, room;
};
/* Takes m; without memory it is dropped. */
void dn_hold(struct dn_holding *h, struct dn_flowset *fs, struct mbuf *m);
/* All that waits in the queues of fs, or of s, comes out and its queues go. */
void dn_take_flowset(struct dn_holding *h, struct dn_flowset *fs);
void dn_take_scheduler(struct dn_holding *h, struct dn_scheduler *s);
/* In the order in which it came, as the objects are now. h is empty behind it. */
void dn_put_back(struct dn_holding *h);

/* dn_queue.c */
struct dn_flowq *dn_flowq_get(struct dn_flowset *fs, struct mbuf *m);
/* What waits is held, or with h NULL dropped. */
void dn_flowq_free(struct dn_flowq *fq, struct dn_holding *h);
/* The flowset's share and AQM have become others. */
void dn_flowq_follow(struct dn_flowq *fq);
/* Another flowset of the scheduler has the queue that all share. */
void dn_flowq_give(struct dn_flowq *fq, struct dn_flowset *to);
void dn_expire_stop(void);

/* dn_parts.c: a scheduler of the part has come, or gone. */
void dn_part_ref(const struct dn_sched_part *part);
void dn_part_rele(const struct dn_sched_part *part);
/* What a new scheduler is. */
const struct dn_sched_part *dn_part_default(void);
const struct dn_sched_part *dn_part_fifo(void);

/* dn_sysctl.c */
VNET_DECLARE(uint32_t, dn_hz);
VNET_DECLARE(bool, dn_io_fast);
VNET_DECLARE(uint32_t, dn_expire);
VNET_DECLARE(uint32_t, dn_flows_max);
VNET_DECLARE(uint32_t, dn_catchup_us);
struct dn_stat {
	uint64_t io_pkt, io_pkt_fast, io_pkt_drop;
	uint32_t schedulers, flowsets, instances, queues;
};
VNET_DECLARE(struct dn_stat, dn_stat);
#define V_dn_stat VNET(dn_stat)

#endif
