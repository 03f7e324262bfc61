/*
 * fib_comp.h - the control side of the compiled form (fib_pop.h): what fib_form.c tells it.
 */
#ifndef WARREN_ROUTE_FIB_COMP_H
#define WARREN_ROUTE_FIB_COMP_H

#include "route/fib_pop.h"

struct fib_comp;

/*
 * A table without routes, that publishes what packets are to read in *slot, marked by FIB_COMPILED
 * (fib_trie.h), from the first fib_comp_flush() on. NULL without memory.
 */
struct fib_comp *fib_comp_new(int family, uintptr_t *slot);
/* Its end, behind the readers; what is in *slot by now is not its own any more. */
void fib_comp_free(struct fib_comp *c);

/*
 * Add or replace: 0, -ENOMEM, -ENOSPC (FIB_HOPS next hops are there); never when it replaces one
 * and the next hop is known. Deferred: packets see it with the next fib_comp_flush().
 */
int fib_comp_set(struct fib_comp *c, const struct rt_addr *dst, struct nexthop *nh, bool defer);
void fib_comp_clear(struct fib_comp *c, const struct rt_addr *dst);
/* Let packets see all that was deferred. 0 or -ENOMEM. */
int fib_comp_flush(struct fib_comp *c);

uint64_t fib_comp_routes(const struct fib_comp *c);
/* All routes; stops with fn's first non-zero result and returns it. */
int fib_comp_walk(const struct fib_comp *c,
    int (*fn)(const struct rt_addr *dst, struct nexthop *nh, void *ctx), void *ctx);

/* IPv4: the table of 2^24 answers beside it, or no more. 0 or -ENOMEM. */
int fib_comp_direct(struct fib_comp *c, bool on);

/* Bytes that packets may read, and that the control side has. */
void fib_comp_size(const struct fib_comp *c, uint64_t *packets, uint64_t *control);

#endif
