/*
 * flow_fixture.h - tests of the flow cache: two FIBs, inet_fixture.h's interface, flows by number.
 */
#ifndef WARREN_TESTS_UNIT_FLOW_FIXTURE_H
#define WARREN_TESTS_UNIT_FLOW_FIXTURE_H

#include "inet6_fixture.h"

#include "base/rng.h"
#include "inet/ip_flow.h"
#include "net/generation.h"
#include "route/flowtable.h"
#include "route/rib.h"

enum { MAX = 1024 };

static inline struct flowtable *
table(const char *name, int family, unsigned flags)
{
	struct flowtable *ft = flowtable_new(name, family, flags, MAX);

	assert_non_null(ft);
	return ft;
}

/* Flow n: from 10.9.x.y to 10.1.x.y. */
static inline struct flow_key
key_of(uint32_t n)
{
	struct flow_key k;
	uint32_t low = (n & 0xff) << 24 | (n >> 8 & 0xff) << 16;

	flow_key4(&k, 0, 0x0000090a | low, 0x0000010a | low, 0);
	return k;
}

static inline struct flow_key
key4(const char *src, const char *dst)
{
	struct flow_key k;

	flow_key4(&k, 0, a4(src), a4(dst), 0);
	return k;
}

static inline struct flow_key
key6(const char *src, const char *dst)
{
	const struct in6 s = a6(src), d = a6(dst);
	struct flow_key k;

	flow_key6(&k, 0, &s, &d, 0);
	return k;
}

static inline struct nexthop *
look(struct flowtable *ft, struct flow_key k)
{
	struct nexthop *nh = NULL;

	flowtable_lookup_batch(ft, &k, &nh, 1);
	return nh;
}

static inline bool
is_current(struct flowtable *ft, struct flow_key k)
{
	struct flow_way way;

	return flowtable_lookup(ft, &k, &way);
}

static inline struct flow_stats
stats(const struct flowtable *ft)
{
	struct flow_stats st;

	flowtable_stats(ft, &st);
	return st;
}

static inline void
set(const char *name, const char *value)
{
	char why[128];

	assert_int_equal(sysctl_write(sysctl_find(name), value, why, sizeof(why)), 0);
}

/* Another interface, by which 10.2.0.0/16 and its gateway 10.0.1.2 lie. */
static inline void
wan_open(void)
{
	memif_open(&wan, 1);
	command("ifconfig mem1 inet 10.0.1.1/24 up");
	neighbour(&wan, "10.0.1.2");
}

static inline void
routes(void)
{
	command("route add 10.1.0.0/16 10.0.0.2");
}

static inline int
flow_setup(void **state)
{
	rt_numfibs = 2;
	return inet_setup(state);
}

static inline int
flow_teardown(void **state)
{
	int error = inet_teardown(state);

	rt_numfibs = 1;
	return error;
}

#define FLOW_TEST(fn) cmocka_unit_test_setup_teardown(fn, flow_setup, flow_teardown)

#endif
