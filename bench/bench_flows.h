/*
 * bench_flows.h - packets of many flows, in random order: what the flow cache and its peer are both
 * given. TRACE packets of n flows; the destinations lie at random in the table's prefixes.
 */
#ifndef WARREN_BENCH_FLOWS_H
#define WARREN_BENCH_FLOWS_H

#include "bench_rib.h"

static uint32_t flow_dst4[TRACE], flow_src4[TRACE];
static uint8_t flow_dst6[TRACE][16], flow_src6[TRACE][16];
static const uint32_t flow_counts[] = { 1000, 100000, 1000000 };
enum { FLOW_COUNTS = sizeof(flow_counts) / sizeof(flow_counts[0]) };

static inline void
flows_make(const struct rib_table *t, uint32_t n, bool six)
{
	static uint8_t drawn[TRACE * 16];
	uint64_t seed = 99;

	if (six)
		rib_trace_make(t->p6, t->n6, 16, RIB_IN_PREFIXES, drawn);
	else
		rib_trace_make(t->p4, t->n4, 4, RIB_IN_PREFIXES, drawn);
	for (uint32_t i = 0; i < TRACE; i++) {
		const uint32_t f = (uint32_t)(rib_random(&seed) % n);

		if (six) {
			memcpy(flow_dst6[i], drawn + 16 * (size_t)f, 16);
			memset(flow_src6[i], 0x20, 12);
			memcpy(flow_src6[i] + 12, &f, sizeof(f));
		} else {
			memcpy(&flow_dst4[i], drawn + 4 * (size_t)f, 4);
			flow_src4[i] = 0x0a + (f << 8);
		}
	}
}

static inline void
flow_say(const char *who, uint32_t n, const char *what, double value)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%u%s", who, n, what);
	bench_say(name, value, "ns/lookup");
}

#endif
