/*
 * sched_judge.h - watches a part at work (sched_rig.h) and compares it with what was promised.
 *
 * Always: no packet is lost or comes twice, and those of a flow keep their order. And by part, for
 * shares that stay as they are, and where AQM drops nothing (bounds are not asked for otherwise):
 *
 *	WF2Q+	B-WFI, delay		QFQ	B-WFI, T-WFI
 *	RR	latency, fairness	PRIO	nobody waits above who is served
 *	FIFO	order of all
 *
 * L_i is a flow's longest packet, L the longest of all, w_i its weight and W the sum of all
 * weights; times are in bytes of the link (R = 1).
 *
 * B-WFI (Bennett and Zhang): the most by which a flow, in any time in which it waits, gets less
 * than w_i / W of what is sent. T-WFI: the most by which a packet leaves later than its flow's
 * queue, when it came, takes at the rate w_i / W. Delay: the most by which a packet leaves later
 * than by a link of its flow's own with that rate (Goyal's guaranteed rate clock). Latency
 * (Stiliadis and Varma): the most by which a flow that waits is later than with its rate from the
 * beginning. Fairness (Golestani): how far two flows that wait get apart in quanta.
 */
#ifndef WARREN_TOOLS_SCHED_JUDGE_H
#define WARREN_TOOLS_SCHED_JUDGE_H

#include "sched_gps.h"
#include "sched_rig.h"

/* How near the worst flow came to a bound. */
struct measure {
	const char *name;
	bool promised; /* by this part */
	double worst;  /* of what was measured, as a part of the bound: > 1 breaks it */
	double value, bound;
	uint32_t flow;
};

enum measures { M_BWFI, M_TWFI, M_DELAY, M_LATENCY, M_FAIRNESS, M_COUNT };

struct judged {
	double share;                       /* w_i / W, or quantum over their sum */
	double bwfi, twfi, latency, quanta; /* bounds */
	uint64_t served, packets, waiting;
	uint64_t last_number; /* + 1 */
	double lowest;        /* of what it is behind, in this time of waiting */
	double deadline;      /* of its last packet, by the guaranteed rate clock */
	uint64_t busy_since, busy_served;
	double apart_min, apart_max; /* from the next flow, both waiting, in quanta */
	double lag, lead;            /* worst, compared with GPS */
};

struct judge {
	struct rig_watch watch;
	const struct rig *rig;
	const struct dn_sched_part *part;
	struct judged *flow;
	uint32_t flows;
	uint32_t longest;
	double weights, quanta;
	uint64_t sent; /* bytes */
	uint64_t arrived, gone;
	uint64_t levels[64]; /* packets that wait */
	uint64_t next_number;
	struct gps gps;
	bool with_gps;
	struct measure measure[M_COUNT];
	const char *fault; /* a sentence; NULL: nothing was lost, doubled or out of order */
};

/* Before rig_init(r, …, &j->watch). False: no memory. */
bool judge_init(struct judge *j, uint32_t flows, bool with_gps);
/* After it: takes the bounds from r's flows. */
void judge_begin(struct judge *j, const struct rig *r);
void judge_end(struct judge *j);
bool measure_is_kept(const struct measure *m);
/* All that was promised was kept. */
bool judge_is_content(const struct judge *j);

#endif
