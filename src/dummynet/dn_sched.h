/*
 * dn_sched.h - what a scheduler is: a part that can be loaded, and that knows nothing of networks.
 *
 * A scheduler is asked which packet of many queues leaves next. It sees queues with weights and
 * packets with lengths, and nothing else of the shaper: no link, no rate, no rules, no stack. So
 * every part builds and runs alone on the floor base/, in a test bench (tools: schedbench) as well
 * as in a stack.
 *
 *	engine (dn_instance.c)          part (sched_NAME.c)
 *	  queue_new  -------------->    its own bytes behind the queue
 *	  enqueue    -------------->    dn_queue_append(q, m), and q into its own order
 *	  dequeue    -------------->    chooses q, dn_queue_pop(si, q)
 *
 * A part keeps no packets of its own: they wait in struct dn_queue, so that whatever the engine
 * does with queues (limits, AQM, counting, keeping packets when objects change) is done once for
 * all parts.
 *
 * One thread has an instance: the workstream of its stack. Nothing here locks.
 */
#ifndef WARREN_DUMMYNET_DN_SCHED_H
#define WARREN_DUMMYNET_DN_SCHED_H

#include "base/linkerset.h"
#include "base/mbuf.h"

struct dn_sched_instance;
struct dn_aqm_queue;

/* What a flowset says of its queues' service; how a part reads it is the part's. */
struct dn_share {
	uint32_t weight;   /* 1 … the part's max_weight */
	uint32_t max_len;  /* lmax: longest packet, or quantum, bytes */
	uint32_t priority; /* 0 first */
};

/*
 * One flow's packets, in the order in which they came. The part's own bytes (queue_size) stand
 * right behind it: dn_queue_own().
 */
struct dn_queue {
	struct mbuf *head, *tail;
	uint32_t packets;
	uint32_t bytes;
	struct dn_share share;    /* may change while packets wait: then share_changed */
	struct dn_aqm_queue *aqm; /* dn_aqm.h; NULL: a plain queue */
	uint64_t dropped;         /* behind enqueue: by AQM, by a part that makes room */
};

static inline void *
dn_queue_own(struct dn_queue *q)
{
	return q + 1;
}

/*
 * One scheduler at work: one per link, or per tuple of a sched_mask. The part's own bytes
 * (instance_size) stand behind it. The engine embeds it.
 */
struct dn_sched_instance {
	const struct dn_sched_part *part;
	const void *param; /* of the sched object: the part's own (param_size), NULL without */
	/*
	 * Waiting, in all queues; kept by append and pop. Not side by side, or compilers change both
	 * at once in one register, whose load must wait until two stores are in the cache: 1 ns.
	 */
	uint64_t packets;
	uint64_t seed; /* for a part that needs chance or a hash nobody can aim at */
	uint64_t bytes;
	/*
	 * A packet that waited is dropped: takes m. q is its queue, already without it. Set by
	 * whoever drives the instance.
	 */
	void (*drop)(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m);
	void *own;
};

enum dn_sched_flag {
	DN_SCHED_FLOWS = 1 << 0, /* has a queue per flow (flow_mask); else one queue for all */
	DN_SCHED_OWN_QUEUES =
	    1 << 1, /* makes its own queues inside (FQ_CODEL): limits and AQM are its own too */
};

struct dn_sched_part {
	const char *name; /* "WF2Q+"; compared without regard to case */
	uint32_t
	    number; /* FIFO 1, WF2Q+ 2, RR 3, QFQ 4, PRIO 5, FQ_CODEL 6, FQ_PIE 7; others from 64 */
	unsigned flags;                                 /* enum dn_sched_flag */
	uint32_t instance_size, queue_size, param_size; /* bytes of its own, zeroed */
	/* Limits of what may be configured; 0: the word means nothing to this part. */
	uint32_t max_weight, max_max_len, max_priority;
	uint32_t default_max_len;

	/*
	 * Words of `sched N config type NAME …` that are its own: takes one or two words of argv,
	 * returns how many, 0 = not mine, -1 = mine, but wrong (*why is a sentence). param holds
	 * defaults first: param_init.
	 */
	void (*param_init)(void *param);
	int (*param_word)(void *param, int argc, char **argv, const char **why);
	/* The same back as words, for `sched show`; "" = nothing. */
	void (*param_text)(const void *param, char *text, size_t len);

	/* 0 or -ENOMEM. Bytes are zeroed. All of these are optional. */
	int (*instance_new)(struct dn_sched_instance *si);
	void (*instance_free)(struct dn_sched_instance *si);
	void (*param_changed)(struct dn_sched_instance *si);
	int (*queue_new)(struct dn_sched_instance *si, struct dn_queue *q);
	/* q leaves the order, with what waits in it (the engine drops that afterwards). */
	void (*queue_free)(struct dn_sched_instance *si, struct dn_queue *q);
	/*
	 * May an empty q be freed now without doing others wrong (WF2Q+: its finish time is past)?
	 * Absent: yes.
	 */
	bool (*queue_is_idle)(struct dn_sched_instance *si, struct dn_queue *q);
	/* q->share is another one now; packets may wait in it. old: as it was. */
	void (*share_changed)(
	    struct dn_sched_instance *si, struct dn_queue *q, const struct dn_share *old);

	/*
	 * m comes, admitted. Takes it. q is NULL for parts with DN_SCHED_OWN_QUEUES, which take it
	 * or give it to si->drop (with q NULL if it never waited).
	 */
	void (*enqueue)(
	    struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns);
	/*
	 * The packet that leaves next, at now_ns; NULL only when nothing waits. AQM may drop on the
	 * way, so that a queue which had packets has none when dn_queue_pop returns: then go on
	 * with the next one.
	 */
	struct mbuf *(*dequeue)(struct dn_sched_instance *si, uint64_t now_ns);
};

/*
 * Parts that come with Warren are found by themselves; loaded ones call dn_sched_register (dn.h).
 */
#define DN_SCHED_DEFINE(ident) LINKERSET_ADD(dn_sched_part, ident)

static inline void *
dn_sched_own(struct dn_sched_instance *si)
{
	return si->own;
}

/* --- what parts ask of their surroundings ----------------------------------------------------- */

/*
 * Memory, zeroed; NULL without. In a stack it is the stack's (dn_alloc.c), counted and given back
 * with it. dn_free takes NULL.
 */
void *dn_alloc(size_t bytes);
void dn_free(void *p);
/*
 * dn_flow.c: the same number for all packets of a flow (addresses, protocol, ports), that nobody who
 * doesn't know seed can aim at.
 */
uint64_t dn_flow_hash(const struct mbuf *m, uint64_t seed);

/* --- what parts do with queues ---------------------------------------------------------------- */

/* Append m; true: q was empty before. m->when_ns is the time at which it came. */
static inline bool
dn_queue_append(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	const bool was_empty = q->head == NULL;

	m->next = NULL;
	if (was_empty)
		q->head = m;
	else
		q->tail->next = m;
	q->tail = m;
	q->packets++;
	q->bytes += m->len;
	si->packets++;
	si->bytes += m->len;
	return was_empty;
}

/* Take the head off, whatever AQM says; q is not empty. */
static inline struct mbuf *
dn_queue_take(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct mbuf *m = q->head;

	q->head = m->next;
	m->next = NULL;
	q->packets--;
	q->bytes -= m->len;
	si->packets--;
	si->bytes -= m->len;
	return m;
}

/* dn_aqm.c: the same with the queue's AQM, which may drop. NULL: q has run empty. */
struct mbuf *dn_queue_pop_aqm(struct dn_sched_instance *si, struct dn_queue *q, uint64_t now_ns);

/* The head of q, which is not empty; NULL: AQM dropped all of them. */
static inline struct mbuf *
dn_queue_pop(struct dn_sched_instance *si, struct dn_queue *q, uint64_t now_ns)
{
	if (__builtin_expect(q->aqm != NULL, 0))
		return dn_queue_pop_aqm(si, q, now_ns);
	return dn_queue_take(si, q);
}

#endif
