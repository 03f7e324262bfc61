/*
 * fpm_fib.h - what one held route wants of the FIB, and how it gets it.
 */
#ifndef WARREN_PORT_FPM_FIB_H
#define WARREN_PORT_FPM_FIB_H

#include "port/fpm_table.h"

struct fpm_wanted {
	struct rt_addr dst;
	uint8_t fib;
	unsigned n;       /* 0: it shall not be there */
	unsigned missing; /* paths that can't be asked for yet: no interface, next hop not told */
	struct rt_request rq[FPM_PATHS_MAX]; /* one a path: RTF_PROTO1, multipath */
};

/*
 * Make the FIB's routes to the prefix equal to what is wanted, new paths first, so that packets
 * always find one. Somebody else's route to it stays, and then none of ours is there. True if
 * nothing is left to wait for; paths that there is no room for are counted and forgotten.
 */
bool fpm_fib_follow(const struct fpm_wanted *w, struct fpm_stats *stats);

#endif
