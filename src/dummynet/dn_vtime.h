/*
 * dn_vtime.h - virtual time, by which the fair schedulers order packets.
 *
 * The unit is one byte for each unit of weight: a packet of n bytes of a flow with weight w takes
 * n / w, and time passes by n / W when n bytes leave and the weights' sum is W. Fixed point with 40
 * bits of fraction: over 10^7 packets the roundings are less than a byte's service.
 *
 * The number wraps (after 16 MB of service, if the only weight is 1) and is never compared but by
 * vtime_before(). What is compared at one time lies within 2^60 of the present: the longest packet
 * of a flow with weight 1 takes 2^57.
 */
#ifndef WARREN_DUMMYNET_DN_VTIME_H
#define WARREN_DUMMYNET_DN_VTIME_H

#include <stdbool.h>
#include <stdint.h>

enum { VTIME_FRACTION = 40 };

static inline bool
vtime_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* One over a weight, or a sum of weights, as the next two functions want it. */
static inline uint64_t
vtime_inverse(uint64_t weight)
{
	return UINT64_MAX / weight;
}

/* What passes while len bytes leave: rounded down. */
static inline uint64_t
vtime_passed(uint32_t len, uint64_t inverse)
{
	return (uint64_t)(((unsigned __int128)len * inverse) >> (64 - VTIME_FRACTION));
}

/*
 * What a packet of len bytes takes: rounded up. Flows must never be slower to use time up than time
 * passes, or it would run away from them, and a flow that begins (at the present) would wait for
 * all that is behind.
 */
static inline uint64_t
vtime_cost(uint32_t len, uint64_t inverse)
{
	return vtime_passed(len, inverse) + 1;
}

#endif
