/*
 * rng.h - random numbers with a seed: the only source of chance that may reach a packet.
 * xoshiro256** (Blackman and Vigna 2018), seeded through splitmix64.
 */
#ifndef WARREN_BASE_RNG_H
#define WARREN_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/*
 * Start a stream; `stream` names it (a link's name, say), so that streams of one seed are
 * independent of the order in which they were made.
 */
void rng_seed(struct rng *r, uint64_t seed, const char *stream);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, n), without bias (Lemire 2019); n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Uniform in [0, 1), 53 bits. */
double rng_double(struct rng *r);
/*
 * Exponential with the given mean (Poisson traffic), rounded to whole units; the same on every
 * machine (no libm: a table or series of our own).
 */
uint64_t rng_exp(struct rng *r, uint64_t mean);

/* The process's seed (warren run --seed), default 1; rng_seed callers pass it. */
extern uint64_t rng_process_seed;

#endif
