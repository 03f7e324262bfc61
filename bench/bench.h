/*
 * bench.h - what a benchmark program says: one JSON line a figure, read by bench/run.py.
 */
#ifndef WARREN_BENCH_H
#define WARREN_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t
bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void
bench_say(const char *name, double value, const char *unit)
{
	printf("{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"}\n", name, value, unit);
	fflush(stdout);
}

static inline int
bench_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The middle one of n values, which are put in order. */
static inline double
bench_median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), bench_order);
	return values[n / 2];
}

/* End with a message: a benchmark that did not do its work must not print a figure. */
#define bench_require(cond)                                                                        \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#endif
