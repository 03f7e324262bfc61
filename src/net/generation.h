/*
 * generation.h - a number of each stack that is another one after every change of where packets go:
 * routes, links, neighbours.
 *
 * Who remembers the outcome of a look-up (route/flowtable.c) remembers the number with it, and
 * believes what he remembers only while it is the same. For this to be safe without locks:
 *
 *	who changes	takes the thing out of what packets look up; then generation_bump(); then
 *			rcu_call() for what is to be freed
 *	who remembers	reads the number; then looks up
 *	who believes	reads the number inside his section (base/rcu.h), and uses what he remembers
 *			in this section only
 *
 * A reader who finds the old number has begun his section before the change was told, so before the
 * rcu_call: what he uses outlives his section. What was looked up while a change was made is filed
 * under the old number, and never believed.
 */
#ifndef WARREN_NET_GENERATION_H
#define WARREN_NET_GENERATION_H

#include "kern/vnet.h"

/* Odd, so never 0. */
VNET_DECLARE(uint32_t, generation);

static inline uint32_t
generation_now(void)
{
	return __atomic_load_n(&VNET(generation), __ATOMIC_ACQUIRE);
}

static inline void
generation_bump_in(struct vnet *vnet)
{
	__atomic_fetch_add(&VNET_OF(vnet, generation), 2, __ATOMIC_SEQ_CST);
}

static inline void
generation_bump(void)
{
	generation_bump_in(curvnet);
}

#endif
