/*
 * fpm_table.h - what a routing daemon has said about one FIB, and its being in that FIB.
 *
 * A table holds routes and numbered next hops as they came, and keeps the stack's routes equal to
 * them: flagged RTF_PROTO1, never in the place of anybody else's route to the same prefix. What
 * can't be in the FIB now (its interface isn't there, the prefix is taken) is held and waits.
 *
 * A connection that begins anew (fpm_table_begin) says everything again; fpm_table_sweep then takes
 * away what it did not say. Everything is done in the table's stack: curvnet is set by the caller.
 */
#ifndef WARREN_PORT_FPM_TABLE_H
#define WARREN_PORT_FPM_TABLE_H

#include "port/fpm_msg.h"

struct fpm_table;

struct fpm_stats {
	uint64_t added, deleted; /* routes; one that is said again is neither */
	uint64_t nexthops;       /* messages about them */
	uint64_t ignored;        /* other tables, the guest's own connected routes, labels, MACs */
	uint64_t refused;        /* beyond a limit, or no memory */
	uint64_t unusable;       /* paths that need labels, or a gateway of the other family */
	uint64_t left_out;       /* paths beyond FPM_PATHS_MAX, or that the FIB has no room for */
	uint64_t rejected;       /* tries that the FIB did not take (its gateway isn't there …) */
	uint64_t swept;          /* routes that a new connection did not say again */
};

/* The interface of ours that stands for one over there, by its index. NULL = none. Borrowed. */
typedef struct ifnet *fpm_interface(void *ctx, uint32_t linux_index);

/*
 * For FIB `fib` of curvnet; lost(ctx) is called when a held route has left the FIB, or might get
 * into it now: call fpm_table_retry soon, from outside. NULL without memory.
 */
struct fpm_table *fpm_table_new(
    uint8_t fib, fpm_interface *interface, void (*lost)(void *ctx), void *ctx);
/* Everything out of the FIB, and the table's end. */
void fpm_table_free(struct fpm_table *t);

void fpm_table_apply(struct fpm_table *t, const struct fpm_change *c);
/* A connection begins: next hops are forgotten, routes stay until they are said again or swept. */
void fpm_table_begin(struct fpm_table *t);
/* Take away at most so many of what was not said since fpm_table_begin. Returns how many went. */
uint64_t fpm_table_sweep(struct fpm_table *t, uint64_t most);
/* Try again to get what waits into the FIB. */
void fpm_table_retry(struct fpm_table *t);
/* Interfaces have got other meanings: everything anew. */
void fpm_table_resync(struct fpm_table *t);

const struct fpm_stats *fpm_table_stats(const struct fpm_table *t);
uint64_t fpm_table_routes(const struct fpm_table *t);
uint64_t fpm_table_waiting(const struct fpm_table *t);
uint64_t fpm_table_nexthops(const struct fpm_table *t);
/* Routes that a new connection has not said again yet. */
uint64_t fpm_table_stale(const struct fpm_table *t);

/* Routes and next hops of all stacks: the audit's number. */
uint64_t fpm_table_live(void);

#endif
