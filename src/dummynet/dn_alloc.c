/*
 * dn_alloc.c - a scheduler's memory is its stack's. A test bench, which has no stacks, brings its own
 * two functions.
 */
#include "dummynet/dn_sched.h"

#include "kern/vnet.h"

void *
dn_alloc(size_t bytes)
{
	return vnet_malloc(bytes);
}

void
dn_free(void *p)
{
	vnet_free(p);
}
