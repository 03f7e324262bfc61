/*
 * bench_rib.h - a full Internet table and traces of destinations for benchmarks of look-ups; what
 * ours and their peers are both given.
 *
 * The table is shared/data/rib/bart-fulltable-v4v6.prefixes.txt.gz (901,899 and 160,147 prefixes),
 * or the file that WARREN_RIB names; looked for beside the working directory, or beside the sources
 * that WARREN_SOURCE names. It has no next hops: each prefix gets one of RIB_HOPS by a seeded draw,
 * the worst case for what merges neighbours.
 */
#ifndef WARREN_BENCH_RIB_H
#define WARREN_BENCH_RIB_H

#include "bench.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum { RIB_HOPS = 300, TRACE = 1 << 20, TRACE_SLICE = 1 << 14 };

struct rib_prefix {
	uint8_t addr[16]; /* network order */
	uint8_t plen;
	uint16_t hop; /* 0 .. RIB_HOPS - 1 */
};

struct rib_table {
	struct rib_prefix *p4, *p6;
	uint32_t n4, n6;
};

/* xorshift64* (Vigna 2016). */
static inline uint64_t
rib_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline void
rib_table_line(struct rib_table *t, char *line, uint64_t *seed)
{
	bool six = strchr(line, ':') != NULL;
	struct rib_prefix *p = six ? &t->p6[t->n6] : &t->p4[t->n4];
	char *slash = strchr(line, '/');

	if (slash == NULL)
		return;
	*slash = '\0';
	bench_require(inet_pton(six ? AF_INET6 : AF_INET, line, p->addr) == 1);
	p->plen = (uint8_t)strtoul(slash + 1, NULL, 10);
	p->hop = (uint16_t)(rib_random(seed) % RIB_HOPS);
	*(six ? &t->n6 : &t->n4) += 1;
}

/* False if there is no such file. */
static inline bool
rib_table_read(struct rib_table *t)
{
	static const char name[] = "data/rib/bart-fulltable-v4v6.prefixes.txt.gz";
	static const char *const beside[] = { "shared", "../shared", "../../shared" };
	const char *given = getenv("WARREN_RIB"), *source = getenv("WARREN_SOURCE");
	char line[128], path[512];
	uint64_t seed = 1;
	gzFile f = given != NULL ? gzopen(given, "r") : NULL;

	for (size_t i = 0; f == NULL && given == NULL && i < sizeof(beside) / sizeof(beside[0]);
	     i++) {
		snprintf(
		    path, sizeof(path), "%s/%s/%s", source == NULL ? "." : source, beside[i], name);
		f = gzopen(path, "r");
	}
	if (f == NULL)
		return false;
	*t = (struct rib_table){ .p4 = calloc(1 << 20, sizeof(*t->p4)),
		.p6 = calloc(1 << 20, sizeof(*t->p6)) };
	bench_require(t->p4 != NULL && t->p6 != NULL);
	while (gzgets(f, line, sizeof(line)) != NULL)
		rib_table_line(t, line, &seed);
	gzclose(f);
	return true;
}

/* What main returns without it: skipped (run.py). */
static inline int
bench_no_table(void)
{
	fprintf(stderr, "no shared/data/rib beside this, and WARREN_RIB is not set\n");
	return 77;
}

/* A random address in a prefix of either family (bytes: 4, 16). */
static inline void
rib_address_in(const struct rib_prefix *p, unsigned bytes, uint64_t *seed, uint8_t *addr)
{
	uint64_t noise[2] = { rib_random(seed), rib_random(seed) };
	const uint8_t *n = (const uint8_t *)noise;

	for (unsigned i = 0; i < bytes; i++) {
		unsigned fixed = p->plen > 8 * i ? p->plen - 8 * i : 0;
		uint8_t mask = fixed >= 8 ? 0xff : (uint8_t)(0xff00 >> fixed);

		addr[i] = (uint8_t)((p->addr[i] & mask) | (n[i] & ~mask));
	}
}

/* Where a trace's destinations lie. */
enum rib_trace { RIB_UNIFORM, RIB_IN_PREFIXES, RIB_ZIPF, RIB_TRACES };
static const char *const rib_trace_name[RIB_TRACES] = { "uniform", "in_prefixes", "zipf" };

/*
 * TRACE addresses of `bytes` each. Uniform: over all addresses (IPv6: all of 2000::/3). Zipf: the
 * prefix of rank i is drawn with weight 1/i, ranks at random; an address at random within.
 */
static inline void
rib_trace_make(
    const struct rib_prefix *p, uint32_t n, unsigned bytes, enum rib_trace kind, uint8_t *addr)
{
	struct rib_prefix all = { .plen = bytes == 4 ? 0 : 3, .addr = { bytes == 4 ? 0 : 0x20 } };
	uint32_t *rank = malloc(n * sizeof(*rank));
	uint64_t seed = 7 + (uint64_t)kind;

	bench_require(rank != NULL);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = (uint32_t)(rib_random(&seed) % (i + 1));

		rank[i] = rank[j];
		rank[j] = i;
	}
	for (uint32_t i = 0; i < TRACE; i++, addr += bytes) {
		double u = (double)(rib_random(&seed) >> 11) * 0x1p-53;
		/* the continuous Zipf law of exponent 1: ln(rank) is uniform */
		uint32_t zipf = (uint32_t)exp(u * log((double)n)) - 1;

		if (kind == RIB_UNIFORM)
			rib_address_in(&all, bytes, &seed, addr);
		else
			rib_address_in(&p[kind == RIB_ZIPF ? rank[zipf % n] :
							     (uint32_t)(rib_random(&seed) % n)],
			    bytes, &seed, addr);
	}
	free(rank);
}

/*
 * ns per look-up over a whole trace: it goes in slices of about 100 us, each of which counts with
 * the least of `rounds` runs, so that what else the machine does stays out. look(ctx, first, n).
 */
static inline double
rib_trace_time(void (*look)(void *ctx, uint32_t first, uint32_t n), void *ctx, unsigned rounds)
{
	static uint64_t best[TRACE / TRACE_SLICE];
	uint64_t start, took, sum = 0;

	memset(best, 0xff, sizeof(best));
	for (unsigned r = 0; r < rounds; r++)
		for (uint32_t s = 0; s < TRACE / TRACE_SLICE; s++) {
			start = bench_now_ns();
			look(ctx, s * TRACE_SLICE, TRACE_SLICE);
			took = bench_now_ns() - start;
			best[s] = took < best[s] ? took : best[s];
		}
	for (uint32_t s = 0; s < TRACE / TRACE_SLICE; s++)
		sum += best[s];
	return (double)sum / TRACE;
}

#endif
