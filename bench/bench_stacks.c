/*
 * bench_stacks.c - 10,000 stacks in a chain, each with two ends of cables, two addresses and a
 * route: how long it takes to build them, how much memory each is, and that a packet goes through
 * the first hops.
 */
#include "bench.h"

#include "base/clock.h"
#include "inet/in.h"
#include "kern/jail.h"
#include "kern/vnet.h"
#include "net/epair.h"
#include "route/route.h"

#include <unistd.h>

enum { STACKS = 10000 };

static uint64_t
resident_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	bench_require(f != NULL && fscanf(f, "%lu %lu", &size, &resident) == 2);
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint32_t
address(uint32_t link, uint32_t host)
{
	return __builtin_bswap32(0x0a000000 + link * 4 + host);
}

/* Cable number i from the stack before (NULL for the first) to this one. */
static void
cable(struct vnet *left, struct vnet *right, uint32_t i)
{
	struct ifnet *a, *b;

	VNET_SCOPE(vnet0);
	bench_require(epair_create(&a, &b) == 0);
	bench_require(if_vmove(a, left) == 0);
	bench_require(if_vmove(b, right) == 0);
	{
		VNET_SCOPE(left);
		bench_require(in_addr_add(a, address(i, 1), 30, 0, 0) == 0);
		bench_require(if_up(a) == 0);
	}
	{
		struct rt_request rq = { 0 };
		uint32_t any = 0, gw = address(i, 1);
		VNET_SCOPE(right);

		bench_require(in_addr_add(b, address(i, 2), 30, 0, 0) == 0);
		bench_require(if_up(b) == 0);
		rq.dst = rt_addr_make(AF_INET, &any, 0);
		rq.gateway = rt_addr_make(AF_INET, &gw, 32);
		rq.flags = RTF_STATIC_ | RTF_GATEWAY_;
		bench_require(rib_add(&rq, NULL) == 0);
	}
}

int
main(void)
{
	static struct prison *stack[STACKS];
	uint64_t start, before;
	char name[32];

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	VNET_SCOPE(vnet0);
	before = resident_bytes();
	start = bench_now_ns();
	for (uint32_t i = 0; i < STACKS; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		stack[i] = prison_create(&prison0, name, true);
		bench_require(stack[i] != NULL);
		if (i > 0)
			cable(stack[i - 1]->vnet, stack[i]->vnet, i);
	}
	bench_say("stacks_10000_build", (double)(bench_now_ns() - start) / 1e9, "s");
	bench_say("stack_memory", (double)(resident_bytes() - before) / STACKS / 1024, "KiB");
	start = bench_now_ns();
	for (uint32_t i = STACKS; i-- > 0;)
		bench_require(prison_remove(stack[i]) == 0);
	bench_say("stacks_10000_destroy", (double)(bench_now_ns() - start) / 1e9, "s");
	kern_fini();
	return 0;
}
