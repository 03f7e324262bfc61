/*
 * pipe.h - a link's one direction: rate, delay, loss, a bounded queue.
 *
 * The first pipe of the shaper. A packet of n bytes that enters at t leaves at
 *	max(t, end of the one before) + n * 8 / rate + delay
 * exactly, to the ns (the fraction of a ns that serialisation leaves is carried to the next packet,
 * so that the rate is exact over any time); a delay never costs throughput, since packets in flight
 * are not in the queue. n counts the frame from its Ethernet header (no FCS, no preamble).
 */
#ifndef WARREN_DUMMYNET_PIPE_H
#define WARREN_DUMMYNET_PIPE_H

#include "base/mbuf.h"
#include "base/rng.h"
#include "base/sched.h"
#include "inet/udp_traffic.h"
#include "kern/drop.h"
#include "net/if.h"

struct pipe_config {
	uint64_t rate_bps; /* 0 = no limit */
	uint64_t delay_ns;
	uint64_t jitter_ns;     /* uniform in [0, jitter) on top, order kept; 0 */
	double loss;            /* probability 0..1 of each packet */
	uint32_t queue_packets; /* waiting or in serialisation; 0 = default 50 */
	uint64_t queue_bytes;   /* 0 = by packets */
};

struct pipe_stats {
	uint64_t in_packets, in_bytes, out_packets, out_bytes, drop_queue, drop_loss;
	uint64_t busy_ns; /* time in serialisation */
	/* from entering to delivery: waiting, serialisation and delay together */
	uint64_t transit_packets, transit_sum_ns, transit_min_ns, transit_max_ns;
	uint32_t max_queue;                /* packets, highest seen */
	const struct delay_hist *queueing; /* waiting before serialisation, ns */
};

struct pipe;

/*
 * Lay a pipe into the way from epair end `from` to its peer (in any stack). Replaces the
 * configuration if there is one. 0; -EINVAL, -ENOMEM.
 */
int pipe_attach(struct ifnet *from, const struct pipe_config *c);
void pipe_detach(struct ifnet *from); /* packets in flight are dropped, counted */
struct pipe *pipe_of(const struct ifnet *from);
/* As it was given to pipe_attach; the same with the queue's default filled in. */
const struct pipe_config *pipe_config(const struct pipe *p);
void pipe_config_get(const struct pipe *p, struct pipe_config *c);
void pipe_stats(const struct pipe *p, struct pipe_stats *st);

/*
 * Least time a packet needs through it: delay + serialisation of the shortest frame (14 bytes). The
 * links' minimum is the sched lookahead.
 */
uint64_t pipe_lookahead(const struct pipe *p);

DROP_DECLARE(DROP_PIPE_QUEUE);
DROP_DECLARE(DROP_PIPE_LOSS);
DROP_DECLARE(DROP_PIPE_GONE); /* in flight when the link was removed */

#endif
