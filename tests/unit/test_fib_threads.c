/*
 * Look-ups on one thread while another changes the table (route/fib_comp.c, fib_form.c): each answer
 * is one that the table has had, and no next hop is read behind its end. Runs under ThreadSanitizer.
 */
#include "kern_fixture.h"

#include "base/rng.h"
#include "kern/sysctl.h"
#include "route/rib.h"

#include <pthread.h>
#include <stdio.h>

enum { PREFIXES = 700, CHANGES = 30000, BATCH = 64 };

/* A next hop that says what it is of; freed behind the readers, and scribbled over then. */
struct late {
	struct nexthop nh; /* .mtu: the number of the prefix + 1, 0 when it is gone */
	struct rcu_head rcu;
};

struct shared {
	int family;
	struct vnet *vnet;
	bool stop;
	uint64_t found;
};

/* Prefix number i: /16s, and within each some longer ones up to hosts. */
static struct rt_addr
prefix(int family, uint32_t i)
{
	static const uint8_t lens4[] = { 16, 24, 32, 20, 28 }, lens6[] = { 32, 48, 128, 44, 64 };
	uint8_t b[16] = { 0x20 };
	unsigned kind = i % 5;

	b[1] = (uint8_t)(i / 5);
	if (family == AF_INET)
		b[3] = kind == 2 ? 1 : 0;
	return rt_addr_make(family, b, family == AF_INET ? lens4[kind] : lens6[kind]);
}

static struct late *
late_new(uint32_t i)
{
	struct late *l = aligned_alloc(64, (sizeof(*l) + 63) & ~(size_t)63);

	memset(l, 0, sizeof(*l));
	l->nh.mtu = i + 1;
	return l;
}

static void
late_free(struct rcu_head *h)
{
	struct late *l = (struct late *)(void *)((uint8_t *)h - offsetof(struct late, rcu));

	l->nh.mtu = 0;
	free(l);
}

/* May the next hop of prefix number i be the answer for an address in the group of number j? */
static void
check(const struct nexthop *nh, uint32_t group)
{
	if (nh == NULL)
		return;
	assert_true(nh->mtu > 0);
	assert_int_equal((nh->mtu - 1) / 5, group);
}

static void
look(struct shared *s, uint32_t first)
{
	struct rt_addr host[BATCH];
	const struct in6 *dst6[BATCH];
	uint32_t dst4[BATCH];
	struct nexthop *nh[BATCH];

	for (uint32_t i = 0; i < BATCH; i++) {
		host[i] = prefix(s->family, (first + i * 7) % PREFIXES);
		host[i].addr[s->family == AF_INET ? 3 : 15] |= (uint8_t)(i % 3);
		dst4[i] = load32(host[i].addr);
		dst6[i] = rt_addr_in6(&host[i]);
	}
	rcu_read_lock();
	if (s->family == AF_INET)
		fib_lookup4_batch(0, dst4, nh, BATCH);
	else
		fib_lookup6_batch(0, dst6, nh, BATCH);
	for (uint32_t i = 0; i < BATCH; i++) {
		check(nh[i], (first + i * 7) % PREFIXES / 5);
		s->found += nh[i] != NULL;
	}
	rcu_read_unlock();
}

static void *
reader(void *arg)
{
	struct shared *s = arg;

	VNET_SCOPE(s->vnet);
	for (uint32_t i = 0; !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); i++)
		look(s, i);
	return NULL;
}

static void
set_sysctl(const char *name, const char *value)
{
	char why[80];

	assert_int_equal(sysctl_write(sysctl_find(name), value, why, sizeof(why)), 0);
}

static void
change_one(struct shared *s, struct late **have, uint32_t i)
{
	struct rt_addr dst = prefix(s->family, i);
	struct late *old = have[i];

	have[i] = NULL;
	if (old == NULL || old->nh.flags++ == 0) {
		have[i] = late_new(i);
		have[i]->nh.flags = old != NULL;
		assert_int_equal(fib_set(0, &dst, &have[i]->nh), 0);
	} else {
		fib_clear(0, &dst);
	}
	if (old != NULL)
		rcu_call(&old->rcu, late_free);
}

/* Changes all over the table, which grows, shrinks, and changes its form meanwhile. */
static void
writer(struct shared *s)
{
	static struct late *have[PREFIXES];
	struct rng rng;

	rng_seed(&rng, 1, "fib_threads");
	for (uint32_t n = 0; n < CHANGES; n++) {
		uint32_t within = n / 3000 % 2 ? 100 : PREFIXES;

		change_one(s, have, (uint32_t)rng_below(&rng, within));
		if (n % 5000 == 2500)
			set_sysctl("net.route.fib_direct", n % 10000 < 5000 ? "1" : "0");
		if (n % 4000 == 0)
			set_sysctl("net.route.fib_compile", n % 8000 ? "100000" : "50");
		rcu_poll();
	}
	for (uint32_t i = 0; i < PREFIXES; i++) {
		struct rt_addr dst = prefix(s->family, i);

		if (have[i] == NULL)
			continue;
		fib_clear(0, &dst);
		rcu_call(&have[i]->rcu, late_free);
		have[i] = NULL;
	}
}

static void
read_and_write(int family)
{
	struct shared s = { .family = family, .vnet = vnet0 };
	pthread_t thread;

	set_sysctl("net.route.fib_direct", "0");
	assert_int_equal(pthread_create(&thread, NULL, reader, &s), 0);
	writer(&s);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	rcu_synchronize();
	assert_true(s.found > 0);
}

static void
test_readers_of_ipv4_never_wait_and_never_see_a_torn_table(void **state)
{
	(void)state;
	read_and_write(AF_INET);
}

static void
test_readers_of_ipv6_never_wait_and_never_see_a_torn_table(void **state)
{
	(void)state;
	read_and_write(AF_INET6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_readers_of_ipv4_never_wait_and_never_see_a_torn_table),
		KERN_TEST(test_readers_of_ipv6_never_wait_and_never_see_a_torn_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
