/*
 * sched_gps.h - generalised processor sharing: the fluid that fair schedulers are compared with
 * (Parekh and Gallager, 1993).
 *
 * All flows that have something are served at once, each in proportion to its weight. Time is
 * counted in bytes of the link, as in sched_rig.h. Floating point: this judges, nothing goes by it.
 */
#ifndef WARREN_TOOLS_SCHED_GPS_H
#define WARREN_TOOLS_SCHED_GPS_H

#include <stdbool.h>
#include <stdint.h>

struct gps_flow {
	double weight;
	double finish; /* virtual time at which all that has come is served */
	uint64_t arrived;
	bool busy;
};

struct gps {
	struct gps_flow *flow;
	uint32_t flows;
	double virtual_now; /* 0 when a busy period begins */
	double now;
	double weights; /* of the busy ones */
	/* The busy ones, a heap by the finish that they had when they were put there. */
	struct gps_entry {
		double finish;
		uint32_t flow;
	} * heap;
	uint32_t busy;
};

bool gps_init(struct gps *g, uint32_t flows);
void gps_end(struct gps *g);
void gps_weight(struct gps *g, uint32_t flow, double weight); /* before it has anything */
/* Go on to this time. */
void gps_to(struct gps *g, double at);
/* Bytes for a flow come now. */
void gps_arrive(struct gps *g, uint32_t flow, uint32_t len);
/* Bytes of a flow served until now. */
double gps_served(const struct gps *g, uint32_t flow);

#endif
