/*
 * test_flowtable.c - the flow cache says what the FIB would say, and nothing else, at once; it takes
 * new flows by the numbers of behaviours 13; and counts (behaviours 19).
 */
#include "inet6_fixture.h"

#include "base/rng.h"
#include "inet/ip_flow.h"
#include "net/generation.h"
#include "route/flowtable.h"
#include "route/rib.h"

#include <pthread.h>

enum { MAX = 1024 };

static struct flowtable *
table(const char *name, int family, unsigned flags)
{
	struct flowtable *ft = flowtable_new(name, family, flags, MAX);

	assert_non_null(ft);
	return ft;
}

/* Flow n: from 10.9.x.y to 10.1.x.y. */
static struct flow_key
key_of(uint32_t n)
{
	struct flow_key k;
	uint32_t low = (n & 0xff) << 24 | (n >> 8 & 0xff) << 16;

	flow_key4(&k, 0, 0x0000090a | low, 0x0000010a | low, 0);
	return k;
}

static struct flow_key
key4(const char *src, const char *dst)
{
	struct flow_key k;

	flow_key4(&k, 0, a4(src), a4(dst), 0);
	return k;
}

static struct flow_key
key6(const char *src, const char *dst)
{
	const struct in6 s = a6(src), d = a6(dst);
	struct flow_key k;

	flow_key6(&k, 0, &s, &d, 0);
	return k;
}

static struct nexthop *
look(struct flowtable *ft, struct flow_key k)
{
	struct nexthop *nh = NULL;

	flowtable_lookup_batch(ft, &k, &nh, 1);
	return nh;
}

static bool
is_current(struct flowtable *ft, struct flow_key k)
{
	struct flow_way way;

	return flowtable_lookup(ft, &k, &way);
}

static struct flow_stats
stats(const struct flowtable *ft)
{
	struct flow_stats st;

	flowtable_stats(ft, &st);
	return st;
}

static void
set(const char *name, const char *value)
{
	char why[128];

	assert_int_equal(sysctl_write(sysctl_find(name), value, why, sizeof(why)), 0);
}

/* Another interface, by which 10.2.0.0/16 and its gateway 10.0.1.2 lie. */
static void
wan_open(void)
{
	memif_open(&wan, 1);
	command("ifconfig mem1 inet 10.0.1.1/24 up");
	neighbour(&wan, "10.0.1.2");
}

static void
routes(void)
{
	command("route add 10.1.0.0/16 10.0.0.2");
}

/* --- the answers ---------------------------------------------------------- */

static void
test_a_flow_is_looked_up_in_the_fib_once(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct nexthop *want;

	(void)state;
	routes();
	want = fib_lookup4(0, a4("10.1.2.3"));
	assert_ptr_equal(look(ft, key4("10.9.0.1", "10.1.2.3")), want);
	assert_ptr_equal(look(ft, key4("10.9.0.1", "10.1.2.3")), want);
	assert_int_equal(stats(ft).lookups, 2);
	assert_int_equal(stats(ft).misses, 1);
	assert_int_equal(stats(ft).hits, 1);
	assert_int_equal(stats(ft).allocated, 1);
	assert_int_equal(flowtable_count(ft), 1);
}

static void
test_a_batch_gets_what_the_fib_says_packet_by_packet(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct flow_key key[BATCH_MAX];
	struct nexthop *nh[BATCH_MAX];

	(void)state;
	routes();
	command("route add 10.1.3.0/24 10.0.0.9");
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < BATCH_MAX; i++)
			/* each flow twice; one in four has another way, one in eight has none */
			key[i] = i % 8 == 7 ? key4("10.9.0.1", "11.1.1.1") :
					      key_of((i / 2 % 4) * 256 + i / 8);
		assert_false(flowtable_lookup_batch(ft, key, nh, BATCH_MAX));
		for (unsigned i = 0; i < BATCH_MAX; i++)
			assert_ptr_equal(nh[i], fib_lookup4(0, (uint32_t)key[i].word[1]));
	}
	/* 8 flows by four by ... as one by one: a second packet of a flow is a hit */
	assert_int_equal(stats(ft).allocated, flowtable_count(ft));
	assert_int_equal(stats(ft).lookups, 2 * BATCH_MAX);
	assert_int_equal(stats(ft).misses, flowtable_count(ft) + 2 * BATCH_MAX / 8);
	assert_int_equal(stats(ft).hits + stats(ft).misses, 2 * BATCH_MAX);
}

static void
test_one_answer_for_all_is_told(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct flow_key key[3] = { key_of(1), key_of(2), key_of(3) };
	struct nexthop *nh[3];

	(void)state;
	routes();
	assert_true(flowtable_lookup_batch(ft, key, nh, 3));
	assert_true(flowtable_lookup_batch(ft, key, nh, 1));
}

static void
test_no_route_is_not_remembered(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	assert_null(look(ft, key4("10.9.0.1", "11.0.0.1")));
	assert_int_equal(flowtable_count(ft), 0);
	command("route add 11.0.0.0/8 10.0.0.2");
	assert_non_null(look(ft, key4("10.9.0.1", "11.0.0.1")));
}

static void
test_what_is_refused_is_not_remembered(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	command("route add 12.0.0.0/8 10.0.0.2 -reject");
	command("route add 13.0.0.0/8 10.0.0.2 -blackhole");
	assert_non_null(look(ft, key4("10.9.0.1", "12.0.0.1")));
	assert_non_null(look(ft, key4("10.9.0.1", "13.0.0.1")));
	assert_non_null(look(ft, key4("10.9.0.1", "10.0.0.1"))); /* ourselves */
	assert_int_equal(flowtable_count(ft), 0);
}

static void
test_fibs_have_flows_of_their_own(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct flow_key k;

	(void)state;
	routes();
	flow_key4(&k, 1, a4("10.9.0.1"), a4("10.1.0.1"), 0);
	assert_non_null(look(ft, key4("10.9.0.1", "10.1.0.1")));
	assert_null(look(ft, k));
}

static void
test_ipv6_flows_differ_in_every_word_of_their_addresses(void **state)
{
	struct flowtable *ft = table("t6", AF_INET6, 0);
	static const char *const from[] = { "2001:db8:9::1", "2001:db8:9::2", "2001:db9:9::1" };
	static const char *const to[] = { "2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::1" };
	unsigned flows = 0;

	(void)state;
	address6(&lan, "2001:db8::1", 64, 0);
	command("route add -6 2001:db8:1::/48 2001:db8::2");
	command("route add -6 2001:db8:2::/48 2001:db8::3");
	for (unsigned f = 0; f < 3; f++)
		for (unsigned t = 0; t < 3; t++) {
			const struct in6 dst = a6(to[t]);

			assert_ptr_equal(look(ft, key6(from[f], to[t])), fib_lookup6(0, &dst));
			assert_int_equal(flowtable_count(ft), ++flows);
		}
}

/* --- staleness: at once, whatever changes ------------------------------------ */

static void
test_a_route_change_is_seen_at_once(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	const struct flow_key k = key4("10.9.0.1", "10.1.3.3");
	struct nexthop *before, *host;

	(void)state;
	routes();
	before = look(ft, k);
	command("route add 10.1.3.0/24 10.0.0.9");
	assert_false(is_current(ft, k));
	assert_ptr_not_equal(look(ft, k), before);
	command("route add 10.1.3.3 10.0.0.8");
	host = look(ft, k);
	assert_true(host->flags & RTF_HOST_);
	command("route change 10.1.3.3 10.0.0.7");
	assert_false(is_current(ft, k));
	assert_int_equal(look(ft, k)->gw4, a4("10.0.0.7"));
	command("route delete 10.1.3.3");
	command("route delete 10.1.3.0/24");
	assert_ptr_equal(look(ft, k), before);
	command("route delete 10.1.0.0/16");
	assert_null(look(ft, k));
	/* the entry is the same one all the time */
	assert_int_equal(stats(ft).allocated, 1);
}

static void
test_a_neighbour_that_changes_or_leaves_is_seen_at_once(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	const struct flow_key k = key4("10.9.0.1", "10.0.0.2");
	struct flow_way way;

	(void)state;
	look(ft, k);
	assert_true(flowtable_lookup(ft, &k, &way));
	assert_non_null(way.lle);
	assert_int_equal(way.lle->header[5], 9);
	command("arp -s 10.0.0.2 02:00:00:00:09:77");
	assert_true(!flowtable_lookup(ft, &k, &way) || way.lle->header[5] == 0x77);
	look(ft, k);
	assert_true(flowtable_lookup(ft, &k, &way));
	assert_int_equal(way.lle->header[5], 0x77);
	command("arp -d 10.0.0.2");
	assert_false(flowtable_lookup(ft, &k, &way));
	rcu_synchronize(); /* its memory is gone */
	look(ft, k);
	assert_true(flowtable_lookup(ft, &k, &way));
	assert_null(way.lle);
	neighbour(&lan, "10.0.0.2");
	assert_true(flowtable_lookup(ft, &k, &way));
	assert_true(lle_is_ready(way.lle));
}

static void
test_the_gateways_neighbour_comes_with_the_next_hop(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	const struct flow_key k = key4("10.9.0.1", "10.1.0.2");
	struct nexthop *nh;
	struct flow_way way;

	(void)state;
	routes();
	nh = look(ft, k);
	assert_true(flowtable_lookup(ft, &k, &way));
	assert_null(way.lle);
	nexthop_set_lle(nh, arp_entry(lan.ifp, a4("10.0.0.2")));
	assert_true(flowtable_lookup(ft, &k, &way));
	assert_ptr_equal(way.lle, nh->lle);
}

static void
test_a_link_that_goes_down_is_seen_at_once(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	routes();
	look(ft, key_of(1));
	if_link_state_change(lan.ifp, LINK_STATE_DOWN);
	assert_false(is_current(ft, key_of(1)));
	look(ft, key_of(1));
	assert_true(is_current(ft, key_of(1)));
	if_link_state_change(lan.ifp, LINK_STATE_UP);
	assert_false(is_current(ft, key_of(1)));
	look(ft, key_of(1));
	command("ifconfig mem0 down");
	assert_false(is_current(ft, key_of(1)));
}

static void
test_an_interface_that_is_destroyed_leaves_nothing_to_find(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	wan_open();
	command("route add 10.1.0.0/16 10.0.1.2");
	assert_ptr_equal(look(ft, key_of(1))->ifp, wan.ifp);
	look(ft, key4("10.9.0.1", "10.0.1.2"));
	memif_close(&wan);
	rcu_synchronize();
	assert_false(is_current(ft, key_of(1)));
	assert_null(look(ft, key_of(1)));
	assert_null(look(ft, key4("10.9.0.1", "10.0.1.2")));
}

static void
test_what_was_looked_up_before_a_change_is_not_filed_behind_it(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	routes();
	look(ft, key_of(1));
	/* nothing has changed that packets see, and yet nobody can know: not believed */
	generation_bump();
	assert_false(is_current(ft, key_of(1)));
}

static void
test_a_path_is_kept_and_left_with_its_link(void **state)
{
	struct flowtable *ft = table("t", AF_INET, FL_HASH_ALL);
	struct nexthop *nh[64];
	unsigned by_wan = 0;

	(void)state;
	wan_open();
	lan.ifp->if_capabilities |= IFCAP_LINKSTATE;
	wan.ifp->if_capabilities |= IFCAP_LINKSTATE;
	if_link_state_change(lan.ifp, LINK_STATE_UP);
	if_link_state_change(wan.ifp, LINK_STATE_UP);
	command("route add 10.1.0.0/16 10.0.0.2");
	command("route add 10.1.0.0/16 10.0.1.2");
	for (uint32_t i = 0; i < 64; i++) {
		struct flow_key k;

		flow_key4(&k, 0, a4("10.9.0.1"), a4("10.1.0.1"), flow_l4(17, i << 8, FLOW_UDP));
		nh[i] = look(ft, k);
		/* what the same packet gets without the cache */
		assert_ptr_equal(nh[i],
		    route_to4(
			0, a4("10.1.0.1"), flow_hash4(a4("10.9.0.1"), a4("10.1.0.1"), 17, i << 8)));
		by_wan += nh[i]->ifp == wan.ifp;
	}
	assert_in_range(by_wan, 16, 48);
	if_link_state_change(wan.ifp, LINK_STATE_DOWN);
	for (uint32_t i = 0; i < 64; i++) {
		struct flow_key k;

		flow_key4(&k, 0, a4("10.9.0.1"), a4("10.1.0.1"), flow_l4(17, i << 8, FLOW_UDP));
		assert_ptr_equal(look(ft, k)->ifp, lan.ifp);
	}
	if_link_state_change(wan.ifp, LINK_STATE_UP);
	for (uint32_t i = 0; i < 64; i++) {
		struct flow_key k;

		flow_key4(&k, 0, a4("10.9.0.1"), a4("10.1.0.1"), flow_l4(17, i << 8, FLOW_UDP));
		assert_ptr_equal(look(ft, k), nh[i]);
	}
	/* one member of the group leaves in its place */
	command("route delete 10.1.0.0/16 10.0.1.2");
	for (uint32_t i = 0; i < 64; i++) {
		struct flow_key k;

		flow_key4(&k, 0, a4("10.9.0.1"), a4("10.1.0.1"), flow_l4(17, i << 8, FLOW_UDP));
		assert_ptr_equal(look(ft, k)->ifp, lan.ifp);
	}
	memif_close(&wan);
}

static void
test_without_ports_a_group_stays_a_group(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct nexthop *nh;

	(void)state;
	wan_open();
	command("route add 10.1.0.0/16 10.0.0.2");
	command("route add 10.1.0.0/16 10.0.1.2");
	look(ft, key_of(1));
	nh = look(ft, key_of(1));
	assert_int_equal(stats(ft).hits, 1);
	assert_true(nh->flags & RTF_MULTIPATH_);
	command("route delete 10.1.0.0/16 10.0.0.2");
	assert_ptr_equal(look(ft, key_of(1))->ifp, wan.ifp);
	memif_close(&wan);
}

/* 20,000 random changes and look-ups, always the FIB's answer. */
static void
test_whatever_happens_the_answer_is_the_fibs(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct flow_key key[BATCH_MAX];
	struct nexthop *nh[BATCH_MAX];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5, "flowtable");
	for (int step = 0; step < 20000; step++) {
		uint32_t n = (uint32_t)rng_below(&rng, 512), dst = (uint32_t)key_of(n).word[1];
		struct rt_request rq = {
			.dst = rt_addr_make(AF_INET, &dst, 16 + (unsigned)rng_below(&rng, 17)),
			.ifp = lan.ifp,
		};

		switch (rng_below(&rng, 4)) {
		case 0:
			rib_add(&rq, NULL);
			break;
		case 1:
			rib_delete(&rq);
			break;
		default:
			for (unsigned i = 0; i < BATCH_MAX; i++)
				key[i] = key_of((uint32_t)rng_below(&rng, 512));
			flowtable_lookup_batch(ft, key, nh, BATCH_MAX);
			for (unsigned i = 0; i < BATCH_MAX; i++)
				assert_ptr_equal(nh[i], fib_lookup4(0, (uint32_t)key[i].word[1]));
		}
		if (step % 64 == 0)
			rcu_synchronize();
	}
	assert_true(stats(ft).hits > 1000);
	assert_true(stats(ft).misses > 1000);
}

/* --- behaviours 13: near the limit --------------------------------------------- */

static void
test_b13_no_new_flows_within_3_percent_of_the_limit(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	struct nexthop *want;

	(void)state;
	routes();
	want = fib_lookup4(0, a4("10.1.0.1"));
	for (uint32_t i = 0; i < MAX; i++)
		assert_ptr_equal(look(ft, key_of(i)), want);
	assert_int_equal(flowtable_count(ft), 993);
	assert_int_equal(stats(ft).allocated, 993);
	assert_int_equal(stats(ft).misses, MAX);
	assert_true(is_current(ft, key_of(992)));
	/* the 994th is looked up each time, and served */
	assert_ptr_equal(look(ft, key_of(993)), want);
	assert_int_equal(stats(ft).misses, MAX + 1);
	struct flow_key k = key_of(993);
	assert_int_equal(flowtable_insert(ft, &k, NULL), -ENOSPC);
}

static void
test_b13_new_flows_again_only_12_5_percent_below_the_limit(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	uint32_t n = 993;

	(void)state;
	routes();
	for (uint32_t i = 0; i < MAX; i++)
		look(ft, key_of(i));
	while (n > 896) {
		const struct flow_key k = key_of(--n);

		assert_true(flowtable_remove(ft, &k));
		look(ft, key_of(MAX));
		assert_int_equal(flowtable_count(ft), n);
	}
	const struct flow_key k = key_of(--n);
	assert_true(flowtable_remove(ft, &k));
	look(ft, key_of(MAX));
	assert_int_equal(flowtable_count(ft), 896);
	/* and now up to the limit again, not from 896 on */
	for (uint32_t i = 0; i < 98; i++)
		look(ft, key_of(MAX + 1 + i));
	assert_int_equal(flowtable_count(ft), 993);
}

static void
test_b13_the_cleaner_comes_sooner_and_takes_more_when_full(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);
	uint64_t checks;

	(void)state;
	routes();
	for (uint32_t i = 0; i < 500; i++)
		look(ft, key_of(i));
	sched_run(clock_now() + 20 * NS_PER_SEC + 1);
	checks = stats(ft).free_checks;
	/* one round in 20 s */
	assert_in_range(checks, 500, 530);
	assert_int_equal(stats(ft).frees, 0);
	for (uint32_t i = 500; i < MAX; i++)
		look(ft, key_of(i));
	/*
	 * The first 500 are idle for 20 s now, more than a full table allows; it is looked through
	 * in slices of 63, 16 in 4 s, until there is room.
	 */
	sched_run(clock_now() + NS_PER_SEC / 4 + 1);
	assert_int_equal(stats(ft).frees, 63);
	assert_int_equal(stats(ft).free_checks - checks, 63);
	sched_run(clock_now() + NS_PER_SEC / 4);
	assert_int_equal(flowtable_count(ft), 895);
	/* those that are left live as long as ever, and new ones come in */
	sched_run(clock_now() + 20 * NS_PER_SEC);
	assert_int_equal(flowtable_count(ft), 895);
	look(ft, key_of(MAX));
	assert_true(is_current(ft, key_of(MAX)));
	assert_true(is_current(ft, key_of(992)));
}

static void
test_a_full_table_serves_the_packets_of_a_router(void **state)
{
	(void)state;
	routes();
	command("sysctl net.inet.ip.forwarding=1");
	command("sysctl net.inet.flowtable.enable=1");
	wan_open();
	struct flowtable *ft = flowtable_find("ipv4");
	assert_non_null(ft);
	memif_clear(&lan);
	for (uint32_t i = 0; i < 64; i++) {
		struct batch b = { .n = 0 };

		for (uint32_t j = 0; j < 32; j++) {
			const struct flow_key k = key_of(i * 32 + j);

			batch_add(&b,
			    memif_frame(
				&wan, (uint32_t)(k.word[1] >> 32), (uint32_t)k.word[1], 17, 60));
		}
		if_receive(wan.ifp, &b);
		while (netisr_run())
			continue;
	}
	assert_int_equal(lan.sent.len, 64 * 32);
	assert_int_equal(stats(ft).lookups, 64 * 32);
	assert_int_equal(stats(ft).allocated, 64 * 32);
	memif_close(&wan);
}

/* --- ageing -------------------------------------------------------------------- */

static void
put_tcp(struct flowtable *ft, uint32_t n, enum flow_class class)
{
	struct flow_key k;

	flow_key4(&k, 0, a4("10.9.0.1"), a4("10.1.0.1"), flow_l4(6, n, class));
	assert_non_null(look(ft, k));
}

/* Seconds until nothing is left, to within the cleaner's round. */
static void
lives_for(struct flowtable *ft, uint64_t s)
{
	sched_run(clock_now() + (s - 1) * NS_PER_SEC);
	assert_int_equal(flowtable_count(ft), 1);
	sched_run(clock_now() + 22 * NS_PER_SEC);
	assert_int_equal(flowtable_count(ft), 0);
}

static void
test_an_idle_flow_goes_when_its_protocol_says(void **state)
{
	struct flowtable *ft = table("t", AF_INET, FL_HASH_ALL);

	(void)state;
	routes();
	put_tcp(ft, 1, FLOW_SYN);
	lives_for(ft, 300);
	put_tcp(ft, 1, FLOW_SYN);
	put_tcp(ft, 1, FLOW_TCP);
	lives_for(ft, 86400);
	put_tcp(ft, 1, FLOW_TCP);
	put_tcp(ft, 1, FLOW_FIN);
	/* the last acknowledgements don't bring it back to life; a new SYN does */
	put_tcp(ft, 1, FLOW_TCP);
	lives_for(ft, 600);
	put_tcp(ft, 1, FLOW_FIN);
	put_tcp(ft, 1, FLOW_SYN);
	put_tcp(ft, 1, FLOW_TCP);
	lives_for(ft, 86400);
	set("net.inet.flowtable.udp_expire", "30");
	put_tcp(ft, 1, FLOW_UDP);
	lives_for(ft, 30);
}

static void
test_packets_keep_a_flow(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	routes();
	for (int i = 0; i < 10; i++) {
		look(ft, key_of(1));
		sched_run(clock_now() + 250 * NS_PER_SEC);
	}
	assert_int_equal(stats(ft).allocated, 1);
	assert_int_equal(flowtable_count(ft), 1);
}

static void
test_what_is_not_current_goes_with_the_cleaners_next_round(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	routes();
	for (uint32_t i = 0; i < 100; i++)
		look(ft, key_of(i));
	command("route delete 10.1.0.0/16");
	assert_int_equal(flowtable_count(ft), 100);
	sched_run(clock_now() + 20 * NS_PER_SEC);
	assert_int_equal(flowtable_count(ft), 0);
	assert_int_equal(stats(ft).frees, 100);
	/* nothing to clean: virtual time can end */
	sched_run(NS_NEVER);
}

static void
test_entries_are_used_again(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	routes();
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 900; i++)
			look(ft, key_of((uint32_t)round * 1000 + i));
		assert_int_equal(flowtable_count(ft), 900);
		for (uint32_t i = 0; i < 900; i++)
			assert_true(is_current(ft, key_of((uint32_t)round * 1000 + i)));
		assert_int_equal(flowtable_flush(ft), 900);
	}
	assert_int_equal(stats(ft).frees, 20 * 900);
	assert_true(stats(ft).max_depth > 1);
	assert_true(stats(ft).collisions > 0);
}

static void
test_the_limit_can_be_raised_and_not_lowered(void **state)
{
	struct flowtable *ft = flowtable_packets_make(AF_INET);
	char why[128], text[64];

	(void)state;
	routes();
	for (uint32_t i = 0; i < 30000; i++)
		look(ft, key_of(i));
	/* 25,600 less a thirty-second part */
	assert_int_equal(flowtable_count(ft), 24801);
	set("net.inet.flowtable.nmbflows", "40000");
	look(ft, key_of(30000));
	assert_int_equal(flowtable_count(ft), 24802);
	assert_int_equal(stats(ft).allocated, 24802);
	for (uint32_t i = 0; i < 24801; i++)
		assert_true(is_current(ft, key_of(i)));
	assert_int_equal(
	    sysctl_write(sysctl_find("net.inet.flowtable.nmbflows"), "30000", why, sizeof(why)),
	    -EINVAL);
	assert_int_equal(
	    sysctl_read(sysctl_find("net.inet.flowtable.nmbflows"), text, sizeof(text)), 0);
	assert_string_equal(text, "40000");
}

/* --- behaviours 18: keys --------------------------------------------------------- */

static void
test_b18_ports_and_padding_take_no_part_in_the_route(void **state)
{
	struct flowtable *ft = table("t", AF_INET, FL_HASH_ALL);
	struct flow_key k;
	struct nexthop *host;

	(void)state;
	routes();
	command("route add 10.1.0.1 10.0.0.7");
	host = fib_lookup4(0, a4("10.1.0.1"));
	assert_true(host->flags & RTF_HOST_);
	for (uint16_t port = 1; port <= 50; port++)
		for (int poison = 0; poison < 2; poison++) {
			/* what a key does not say is not read */
			memset(&k, poison ? 0xa5 : 0, sizeof(k));
			flow_key4(&k, 0, a4("10.9.0.1"), a4("10.1.0.1"),
			    flow_l4(17, (uint32_t)port << 24, FLOW_UDP));
			assert_ptr_equal(look(ft, k), host);
			assert_int_equal(flowtable_count(ft), port);
		}
}

/* --- behaviours 19: names, counters, by call ---------------------------------------- */

static void
test_b19_tables_have_names_and_print_destination_or_tuple(void **state)
{
	static struct tool t;

	(void)state;
	routes();
	address6(&lan, "2001:db8::1", 64, 0);
	command("route add -6 2001:db8:1::/48 2001:db8::2");
	command("sysctl net.inet.flowtable.enable=1");
	command("flow insert 10.9.0.1 10.1.0.77");
	command("flow insert 2001:db8:9::1 2001:db8:1::5");
	assert_int_equal(tool(&t, NULL, "show flowtables"), 0);
	assert_non_null(strstr(t.out, "table ipv4 (inet)"));
	assert_non_null(strstr(t.out, "table ipv6 (inet6)"));
	assert_non_null(strstr(t.out, "  10.1.0.77\n"));
	assert_non_null(strstr(t.out, "  2001:db8:1::5\n"));
	assert_null(strstr(t.out, "10.9.0.1"));
	assert_non_null(strstr(t.out, "RTF_UP|RTF_GATEWAY|RTF_STATIC IFF_UP|IFF_RUNNING"));
	assert_non_null(strstr(t.out, "worker 0: 1 of 25600 flows"));
	assert_non_null(strstr(t.out, " depth of buckets: 1:1\n"));
	assert_null(strstr(t.out, "FL_STALE"));
	command("sysctl net.inet.flowtable.ports=1");
	command("flow insert 10.9.0.1 10.1.0.77 udp 5000 53");
	command("flow insert 10.9.0.1 10.1.0.77 tcp 5000 80");
	command("flow insert 2001:db8:9::1 2001:db8:1::5 tcp 5001 443");
	command("route add 10.7.0.0/16 10.0.0.2");
	command("flow insert 10.9.0.1 10.1.0.78 udp 5000 53");
	assert_int_equal(tool(&t, NULL, "show flowtables"), 0);
	assert_non_null(
	    strstr(t.out, "10.9.0.1:5000 -> 10.1.0.77:53 proto 17\n    FL_STALE FL_UDP\n"));
	assert_non_null(
	    strstr(t.out, "10.9.0.1:5000 -> 10.1.0.77:80 proto 6\n    FL_STALE FL_TCP\n"));
	assert_non_null(strstr(t.out, "2001:db8:9::1:5001 -> 2001:db8:1::5:443 proto 6\n"));
	assert_non_null(strstr(t.out, "10.9.0.1:5000 -> 10.1.0.78:53 proto 17\n    FL_UDP RTF_UP"));
	assert_non_null(strstr(t.out, "idle=0 fib=0"));
	tool_start(&t, NULL, "show flowtables", true);
	assert_non_null(strstr(t.out, "\"destination-port\":53"));
}

static void
test_b19_flows_can_be_inserted_and_deleted_by_hand(void **state)
{
	struct tool t;
	struct flowtable *ft;

	(void)state;
	routes();
	command("flow insert 10.9.0.1 10.1.0.77");
	ft = flowtable_find("ipv4");
	assert_true(is_current(ft, key4("10.9.0.1", "10.1.0.77")));
	assert_int_equal(stats(ft).misses, 0);
	command("flow delete 10.9.0.1 10.1.0.77");
	assert_int_equal(flowtable_count(ft), 0);
	command("flow insert 10.9.0.1 10.1.0.77");
	assert_int_equal(tool(&t, NULL, "flow flush"), 0);
	assert_string_equal(t.out, "1 flows gone\n");
	assert_int_equal(tool(&t, NULL, "flow delete 10.9.0.1 10.1.0.77"), 1);
	assert_string_equal(t.err, "flow: no such flow\n");
	assert_int_equal(tool(&t, NULL, "flow insert 10.9.0.1 11.1.0.77"), 1);
	assert_string_equal(t.err, "flow: no route to the destination\n");
	assert_int_equal(tool(&t, NULL, "flow insert -t none 10.9.0.1 10.1.0.77"), 1);
	assert_string_equal(t.err, "flow: none: no such flow table\n");
	assert_int_equal(tool(&t, NULL, "flow insert 10.9.0.1 2001:db8::1"), 1);
	assert_int_equal(tool(&t, NULL, "flow insert 10.9.0.1 10.1.0.0/16"), 1);
	assert_int_equal(tool(&t, NULL, "flow insert 10.9.0.1 10.1.0.1 udp 1 2"), 1);
	assert_int_equal(tool(&t, NULL, "flow insert 10.9.0.1"), EXIT_USAGE_);
	assert_int_equal(tool(&t, NULL, "flow burn"), EXIT_USAGE_);
	assert_int_equal(tool(&t, NULL, "flow"), EXIT_USAGE_);
}

static void
test_b19_loopback_never_enters(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0), *ft6 = table("t6", AF_INET6, 0);
	static const char *const pairs[][2] = { { "10.9.0.1", "127.0.0.1" },
		{ "127.0.0.1", "10.1.0.1" }, { "127.1.2.3", "127.9.9.9" } };
	static const char *const pairs6[][2] = { { "2001:db8:9::1", "::1" },
		{ "::1", "2001:db8::2" } };
	struct tool t;

	(void)state;
	routes();
	command("route add 127.0.0.0/8 10.0.0.2");
	address6(&lan, "2001:db8::1", 64, 0);
	for (unsigned i = 0; i < 3; i++) {
		const struct flow_key k = key4(pairs[i][0], pairs[i][1]);

		look(ft, k);
		assert_int_equal(flowtable_insert(ft, &k, NULL), -EADDRNOTAVAIL);
		assert_int_equal(
		    flowtable_insert(ft, &k, fib_lookup4(0, a4("10.1.0.1"))), -EADDRNOTAVAIL);
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct flow_key k = key6(pairs6[i][0], pairs6[i][1]);

		look(ft6, k);
		assert_int_equal(flowtable_insert(ft6, &k, NULL), -EADDRNOTAVAIL);
	}
	assert_int_equal(stats(ft).allocated + stats(ft6).allocated, 0);
	command("sysctl net.inet.flowtable.enable=1");
	command("route delete 127.0.0.0/8");
	command("ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(tool(&t, NULL, "ping -c 3 127.0.0.1"), 0);
	assert_int_equal(stats(flowtable_find("ipv4")).allocated, 0);
}

static void
test_b19_ports_are_read_only_if_the_table_asks(void **state)
{
	struct flowtable *ft;

	(void)state;
	routes();
	command("sysctl net.inet.ip.forwarding=1");
	command("sysctl net.inet.flowtable.enable=1");
	ft = flowtable_find("ipv4");
	wan_open();
	for (int ports = 0; ports < 2; ports++) {
		set("net.inet.flowtable.ports", ports ? "1" : "0");
		for (uint8_t i = 0; i < 4; i++) {
			struct mbuf *m = memif_frame(&wan, a4("10.9.0.1"), a4("10.1.0.1"), 17, 60);

			frame_ip(m)[1].vhl = i; /* the source port's first byte */
			memif_receive(&wan, m);
		}
		/* fragments: of no port, the first one neither */
		for (uint8_t i = 0; i < 4; i++) {
			struct mbuf *m = memif_frame(&wan, a4("10.9.0.1"), a4("10.1.0.1"), 17, 60);
			struct ip_hdr *ip = frame_ip(m);

			ip[1].vhl = i;
			ip->off = to_be16((uint16_t)(IP_MF_ + i));
			ip->sum = 0;
			ip->sum = ip_cksum(ip);
			memif_receive(&wan, m);
		}
		while (netisr_run())
			continue;
		assert_int_equal(flowtable_count(ft), ports ? 1 + 4 + 1 : 1);
	}
	memif_close(&wan);
}

/* Four workers, each with packets of its own number. */
struct load {
	struct flowtable *ft;
	uint32_t worker, packets;
};

static void *
work(void *arg)
{
	struct load *l = arg;
	struct flow_key key[8];
	struct nexthop *nh[8];

	if (l->worker != 0) {
		assert_non_null(worker_attach(l->worker, CLOCK_VIRTUAL));
		curvnet = vnet0;
	}
	rcu_read_lock();
	for (uint32_t i = 0; i < l->packets; i += 8) {
		for (uint32_t j = 0; j < 8; j++)
			key[j] = key_of((i + j) % 100);
		flowtable_lookup_batch(l->ft, key, nh, 8);
	}
	rcu_read_unlock();
	if (l->worker != 0) {
		curvnet = NULL;
		worker_detach();
	}
	return NULL;
}

static void
test_b19_four_workers_counters_are_summed(void **state)
{
	struct load load[4];
	pthread_t thread[4];
	struct flowtable *ft = flowtable_packets_make(AF_INET);
	uint32_t packets = 0;
	char text[512], want[512];

	(void)state;
	routes();
	for (uint32_t w = 0; w < 4; w++) {
		load[w] = (struct load){ ft, w, 800 * (w + 1) };
		packets += load[w].packets;
		if (w > 0)
			assert_int_equal(pthread_create(&thread[w], NULL, work, &load[w]), 0);
	}
	work(&load[0]);
	for (uint32_t w = 1; w < 4; w++)
		pthread_join(thread[w], NULL);
	assert_int_equal(stats(ft).lookups, packets);
	assert_int_equal(stats(ft).misses, 400);
	assert_int_equal(stats(ft).hits, packets - 400);
	assert_int_equal(stats(ft).allocated, 400);
	assert_int_equal(flowtable_count(ft), 400);
	/* the greatest of four, not their sum */
	assert_in_range(stats(ft).max_depth, 1, 3);
	assert_int_equal(
	    sysctl_read(sysctl_find("net.inet.flowtable.stats"), text, sizeof(text)), 0);
	snprintf(want, sizeof(want),
	    "\ntable name: ipv4\ncollisions: %d allocated: 400 misses: 400 max_depth: %d free_checks: 0 "
	    "frees: 0 hits: %u lookups: %u",
	    (int)stats(ft).collisions, (int)stats(ft).max_depth, packets - 400, packets);
	assert_string_equal(text, want);
}

/* Look-ups on one worker while another changes routes: no answer is ever freed memory. */
static void *
read_on(void *arg)
{
	struct load *l = arg;
	uint64_t gateways = 0;

	assert_non_null(worker_attach(l->worker, CLOCK_VIRTUAL));
	curvnet = vnet0;
	for (uint32_t i = 0; i < l->packets; i++) {
		struct flow_key key[2] = { key_of(i % 7), key_of(256 + i % 5) };
		struct nexthop *nh[2];

		rcu_read_lock();
		flowtable_lookup_batch(l->ft, key, nh, 2);
		for (unsigned j = 0; j < 2; j++)
			gateways += nh[j] != NULL && nh[j]->gw4 == 0x0200000a;
		rcu_read_unlock();
	}
	assert_true(gateways > 0);
	curvnet = NULL;
	worker_detach();
	return NULL;
}

__attribute__((unused)) static void
test_a_worker_looks_up_while_routes_change(void **state)
{
	struct flowtable *ft = flowtable_packets_make(AF_INET);
	struct load load = { ft, 1, 50000 };
	uint32_t net = a4("10.1.0.0"), gw = a4("10.0.0.2");
	struct rt_request rq = { .dst = rt_addr_make(AF_INET, &net, 24),
		.gateway = rt_addr_make(AF_INET, &gw, 32) };
	pthread_t thread;

	(void)state;
	routes();
	assert_int_equal(pthread_create(&thread, NULL, read_on, &load), 0);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(rib_add(&rq, NULL), 0);
		assert_int_equal(rib_delete(&rq), 0);
		rcu_poll();
	}
	pthread_join(thread, NULL);
	rcu_synchronize();
}

/* --- packets ------------------------------------------------------------------------------ */

/* The frames that a router sends for the same packets, with the cache and without. */
static void
forward_all(uint32_t *hash, bool cached)
{
	struct rng rng;

	rng_seed(&rng, 9, "forward");
	set("net.inet.flowtable.enable", cached ? "1" : "0");
	*hash = 0;
	for (int i = 0; i < 200; i++) {
		struct batch b = { .n = 0 };

		for (int j = 0; j < 16; j++) {
			uint32_t n = (uint32_t)rng_below(&rng, 700);

			batch_add(&b,
			    memif_frame(&wan, (uint32_t)(key_of(n).word[1] >> 32),
				(uint32_t)key_of(n).word[1] + (n % 5 == 0), 17,
				60 + (uint32_t)rng_below(&rng, 40)));
		}
		if_receive(wan.ifp, &b);
		while (netisr_run())
			continue;
		if (i == 100)
			command("route add 10.1.1.0/24 10.0.0.3");
	}
	command("route delete 10.1.1.0/24");
	for (const struct mbuf *m = lan.sent.head; m != NULL; m = m->next)
		for (uint32_t i = 0; i < m->len; i++)
			*hash = *hash * 31 + m->data[i];
	memif_clear(&lan);
}

static void
test_packets_leave_the_same_with_and_without(void **state)
{
	uint32_t with, without, again;

	(void)state;
	routes();
	neighbour(&lan, "10.0.0.3");
	command("sysctl net.inet.ip.forwarding=1");
	wan_open();
	memif_clear(&lan);
	forward_all(&without, false);
	assert_null(flowtable_find("ipv4"));
	forward_all(&with, true);
	assert_true(stats(flowtable_find("ipv4")).hits > 100);
	forward_all(&again, true);
	assert_int_equal(with, without);
	assert_int_equal(again, without);
	memif_close(&wan);
}

static void
test_ipv6_packets_go_through_the_table(void **state)
{
	struct flowtable *ft;

	(void)state;
	address6(&lan, "2001:db8::1", 64, 0);
	neighbour6(&lan, "2001:db8::2");
	memif_open(&wan, 1);
	address6(&wan, "2001:db8:1::1", 64, 0);
	command("ifconfig mem1 up");
	command("route add -6 2001:db8:2::/48 2001:db8::2");
	command("sysctl net.inet6.ip6.forwarding=1");
	command("sysctl net.inet.flowtable.enable=1");
	command("sysctl net.inet.flowtable.ports=1");
	ft = flowtable_find("ipv6");
	memif_clear(&lan);
	for (uint8_t i = 0; i < 6; i++) {
		const struct in6 src = a6("2001:db8:1::2"), dst = a6("2001:db8:2::9");
		struct mbuf *m = m_get(14 + 40 + 20);
		struct ip6_hdr *ip6 = (struct ip6_hdr *)(void *)(m->data + 14);

		memcpy(m->data, wan.ifp->if_lladdr, 6);
		memcpy(m->data + 6, peer_mac, 6);
		memcpy(m->data + 12, (const uint8_t[]){ 0x86, 0xdd }, 2);
		memset(ip6, 0, 60);
		ip6->flow.b[0] = 0x60;
		ip6->plen = to_be16(20);
		ip6->nxt = 17;
		ip6->hlim = 64;
		ip6->src = src;
		ip6->dst = dst;
		((uint8_t *)(ip6 + 1))[1] = i % 3;
		memif_receive(&wan, m);
	}
	while (netisr_run())
		continue;
	assert_int_equal(lan.sent.len, 6);
	assert_int_equal(flowtable_count(ft), 3);
	assert_int_equal(stats(ft).hits, 3);
	memif_close(&wan);
}

static void
test_a_table_is_made_of_a_name_once(void **state)
{
	struct flowtable *ft = table("t", AF_INET, 0);

	(void)state;
	routes();
	assert_null(flowtable_new("t", AF_INET6, 0, 0));
	assert_null(flowtable_new("a name that is too long", AF_INET, 0, 0));
	look(ft, key_of(1));
	flowtable_free(ft);
	assert_null(flowtable_find("t"));
	assert_non_null(flowtable_new("t", AF_INET6, 0, 0));
}

static void
test_without_memory_packets_are_looked_up_all_the_same(void **state)
{
	struct flowtable *ft = table("t", AF_INET, FL_HASH_ALL);

	(void)state;
	routes();
	for (uint64_t nth = 1; nth <= 2; nth++) {
		vnet_malloc_fail_at(nth);
		assert_ptr_equal(look(ft, key_of(1)), fib_lookup4(0, (uint32_t)key_of(1).word[1]));
		assert_false(vnet_malloc_fail_pending());
	}
	vnet_malloc_fail_at(0);
	assert_int_equal(stats(ft).lookups, 0);
	look(ft, key_of(1));
	assert_int_equal(flowtable_count(ft), 1);
}

/* The trie's readers go by data dependencies, which ThreadSanitizer doesn't know. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN 1
#endif

static int
setup(void **state)
{
	rt_numfibs = 2;
	return inet_setup(state);
}

static int
teardown(void **state)
{
	int error = inet_teardown(state);

	rt_numfibs = 1;
	return error;
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_flow_is_looked_up_in_the_fib_once),
		T(test_a_batch_gets_what_the_fib_says_packet_by_packet),
		T(test_one_answer_for_all_is_told),
		T(test_no_route_is_not_remembered),
		T(test_what_is_refused_is_not_remembered),
		T(test_fibs_have_flows_of_their_own),
		T(test_ipv6_flows_differ_in_every_word_of_their_addresses),
		T(test_a_route_change_is_seen_at_once),
		T(test_a_neighbour_that_changes_or_leaves_is_seen_at_once),
		T(test_the_gateways_neighbour_comes_with_the_next_hop),
		T(test_a_link_that_goes_down_is_seen_at_once),
		T(test_an_interface_that_is_destroyed_leaves_nothing_to_find),
		T(test_what_was_looked_up_before_a_change_is_not_filed_behind_it),
		T(test_a_path_is_kept_and_left_with_its_link),
		T(test_without_ports_a_group_stays_a_group),
		T(test_whatever_happens_the_answer_is_the_fibs),
		T(test_b13_no_new_flows_within_3_percent_of_the_limit),
		T(test_b13_new_flows_again_only_12_5_percent_below_the_limit),
		T(test_b13_the_cleaner_comes_sooner_and_takes_more_when_full),
		T(test_a_full_table_serves_the_packets_of_a_router),
		T(test_an_idle_flow_goes_when_its_protocol_says),
		T(test_packets_keep_a_flow),
		T(test_what_is_not_current_goes_with_the_cleaners_next_round),
		T(test_entries_are_used_again),
		T(test_the_limit_can_be_raised_and_not_lowered),
		T(test_b18_ports_and_padding_take_no_part_in_the_route),
		T(test_b19_tables_have_names_and_print_destination_or_tuple),
		T(test_b19_flows_can_be_inserted_and_deleted_by_hand),
		T(test_b19_loopback_never_enters),
		T(test_b19_ports_are_read_only_if_the_table_asks),
		T(test_b19_four_workers_counters_are_summed),
#ifndef UNDER_TSAN
		T(test_a_worker_looks_up_while_routes_change),
#endif
		T(test_packets_leave_the_same_with_and_without),
		T(test_ipv6_packets_go_through_the_table),
		T(test_a_table_is_made_of_a_name_once),
		T(test_without_memory_packets_are_looked_up_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
