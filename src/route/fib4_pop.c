/*
 * fib4_pop.c - IPv4 look-ups in the compiled form of a large table (fib_pop.h), a batch at a time.
 *
 * First the words of the root are read, of the whole batch, so that the processor has many reads under
 * way at once, and the nodes' lines are asked for; then the nodes. Every word of the root leads to a
 * node: no branch depends on the table but that for kids, which are behind /24.
 */
#include "base/mbuf.h"
#include "route/fib_pop.h"

#define INLINE static inline __attribute__((always_inline))

INLINE struct nexthop *
answer(const struct fib_pop *p, uint32_t dst, uint32_t value)
{
	if (__builtin_expect(value & FIB_KID, 0))
		value = fib_pop_find(p, fib4_key(__builtin_bswap32(dst)));
	return fib_pop_hop(p, value);
}

INLINE void
look_compact(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n)
{
	uint32_t place[BATCH_MAX];

#pragma GCC unroll 8
	for (unsigned i = 0; i < n; i++) {
		uint32_t first = __builtin_bswap32(dst[i]) >> (32 - FIB_ROOT_BITS);

		place[i] = __atomic_load_n(&p->root[first], __ATOMIC_CONSUME);
		__builtin_prefetch(p->arena + place[i]);
	}
#pragma GCC unroll 8
	for (unsigned i = 0; i < n; i++) {
		/* the last 6 bits of 24 */
		unsigned slot = dst[i] >> 16 & (FIB_SLOTS - 1);

		nh[i] = answer(p, dst[i], fib_node_value(p->arena + place[i], slot));
	}
}

INLINE void
look_direct(const struct fib_pop *p, const struct fib_direct *d, const uint32_t *dst,
    struct nexthop **nh, unsigned n)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&d->value[__builtin_bswap32(dst[i]) >> 8]);
#pragma GCC unroll 8
	for (unsigned i = 0; i < n; i++) {
		uint32_t first = __builtin_bswap32(dst[i]) >> 8;

		nh[i] = answer(p, dst[i], __atomic_load_n(&d->value[first], __ATOMIC_CONSUME));
	}
}

/* At most BATCH_MAX look-ups. */
INLINE bool
look_some(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n)
{
	const struct fib_direct *d = rcu_deref(&p->direct);
	uintptr_t differ = 0;

	if (d != NULL)
		look_direct(p, d, dst, nh, n);
	else
		look_compact(p, dst, nh, n);
	for (unsigned i = 0; i < n; i++)
		differ |= (uintptr_t)nh[i] ^ (uintptr_t)nh[0];
	return differ == 0;
}

static bool
look_plain(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n)
{
	/* of a number that it knows the compiler makes vectors */
	return n == BATCH_MAX ? look_some(p, dst, nh, BATCH_MAX) : look_some(p, dst, nh, n);
}

/* What this machine does best: counting bits is one instruction on every x86 since 2008. */
static bool (*look_best)(
    const struct fib_pop *, const uint32_t *, struct nexthop **, unsigned) = look_plain;

#ifdef __x86_64__
__attribute__((target("popcnt,bmi,bmi2,avx2"))) static bool
look_avx2(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n)
{
	return n == BATCH_MAX ? look_some(p, dst, nh, BATCH_MAX) : look_some(p, dst, nh, n);
}

__attribute__((target("popcnt,bmi,bmi2,avx2,avx512f,avx512bw,avx512dq,avx512vl"))) static bool
look_avx512(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n)
{
	return n == BATCH_MAX ? look_some(p, dst, nh, BATCH_MAX) : look_some(p, dst, nh, n);
}

__attribute__((constructor)) static void
choose(void)
{
	if (__builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx2"))
		look_best = look_avx2;
	if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
		look_best = look_avx512;
}
#endif

bool
fib4_pop_batch(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n)
{
	bool one = true;

	for (unsigned i = 0; i < n; i += BATCH_MAX) {
		one &= look_best(p, dst + i, nh + i, n - i < BATCH_MAX ? n - i : BATCH_MAX);
		one &= nh[i] == nh[0];
	}
	return one;
}
