/*
 * rng.c - xoshiro256** and what is drawn from it. Integers only, so that every machine and every
 * compiler draws the same.
 */
#include "base/rng.h"

#include <assert.h>
#include <stddef.h>

uint64_t rng_process_seed = 1;

static inline uint64_t
rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static uint64_t
splitmix64(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
rng_seed(struct rng *r, uint64_t seed, const char *stream)
{
	/*
	 * FNV-1a of the name. The seed is mixed first: seeds 1 and 2 must not differ in one bit
	 * only.
	 */
	uint64_t h = UINT64_C(0xcbf29ce484222325), x = seed;

	for (const char *p = stream; p != NULL && *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	x = splitmix64(&x) ^ h;
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&x);
}

uint64_t
rng_u64(struct rng *r)
{
	const uint64_t result = rotl(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotl(r->s[3], 45);
	return result;
}

uint64_t
rng_below(struct rng *r, uint64_t n)
{
	unsigned __int128 product;

	assert(n > 0);
	product = (unsigned __int128)rng_u64(r) * n;
	if ((uint64_t)product < n) {
		uint64_t threshold = -n % n;

		while ((uint64_t)product < threshold)
			product = (unsigned __int128)rng_u64(r) * n;
	}
	return (uint64_t)(product >> 64);
}

double
rng_double(struct rng *r)
{
	return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

/* Sum of (ln 2)^i / i! for i = 1 .. k + 1, as fractions of 2^64. */
static const uint64_t exp_q[] = {
	UINT64_C(0xb17217f7d1cf79ab),
	UINT64_C(0xeef193f6d75a96fc),
	UINT64_C(0xfd27186259aaf6c2),
	UINT64_C(0xff9d6dd050f4c5a7),
	UINT64_C(0xfff4cfcfef1e626b),
	UINT64_C(0xfffee81886e1c62f),
	UINT64_C(0xffffe7fe850e0bb5),
	UINT64_C(0xfffffe2a8731b17d),
	UINT64_C(0xffffffdfac6eeadc),
	UINT64_C(0xfffffffdf9640067),
	UINT64_C(0xffffffffe22ec79c),
	UINT64_C(0xfffffffffe6a9ded),
	UINT64_C(0xffffffffffebff81),
	UINT64_C(0xffffffffffff1417),
	UINT64_C(0xfffffffffffff5ce),
	UINT64_C(0xffffffffffffff95),
	UINT64_C(0xfffffffffffffffb),
	UINT64_C(0xffffffffffffffff),
};
static const uint64_t ln2 = UINT64_C(0xb17217f7d1cf79ab); /* of 2^64 */

/*
 * Knuth, The Art of Computer Programming 3.4.1, algorithm S: an exact exponential deviate out of
 * uniform ones by comparisons alone.
 */
uint64_t
rng_exp(struct rng *r, uint64_t mean)
{
	uint64_t u = rng_u64(r), whole = 0, v, x_high, x_low;
	unsigned __int128 x, low, high;
	unsigned k;

	/* The leading ones are the multiples of ln 2; the bit behind them is spent. */
	while (u == UINT64_MAX) {
		whole += 64;
		u = rng_u64(r);
	}
	k = (unsigned)__builtin_clzll(~u);
	whole += k;
	u = k < 63 ? u << (k + 1) : 0;

	if (u < ln2) {
		x = (unsigned __int128)ln2 * whole + u;
	} else {
		size_t i = 1;

		v = rng_u64(r);
		do {
			uint64_t other = rng_u64(r);

			v = other < v ? other : v;
		} while (u >= exp_q[i] && i++ < sizeof(exp_q) / sizeof(exp_q[0]) - 1);
		x = (unsigned __int128)ln2 * whole + (uint64_t)(((unsigned __int128)ln2 * v) >> 64);
	}

	/*
	 * x is the deviate in 2^-64 with mean 1; times the mean, rounded, and never over the top.
	 */
	x_high = (uint64_t)(x >> 64);
	x_low = (uint64_t)x;
	low = (unsigned __int128)x_low * mean + (UINT64_C(1) << 63);
	high = (unsigned __int128)x_high * mean + (uint64_t)(low >> 64);
	return high > UINT64_MAX ? UINT64_MAX : (uint64_t)high;
}
