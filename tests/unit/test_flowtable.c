/*
 * test_flowtable.c - the flow cache says what the FIB would say, and nothing else, at once; it
 * takes new flows by the numbers of behaviours 13, and lets idle ones go.
 */
#include "flow_fixture.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(test_a_flow_is_looked_up_in_the_fib_once),
		FLOW_TEST(test_a_batch_gets_what_the_fib_says_packet_by_packet),
		FLOW_TEST(test_one_answer_for_all_is_told),
		FLOW_TEST(test_no_route_is_not_remembered),
		FLOW_TEST(test_what_is_refused_is_not_remembered),
		FLOW_TEST(test_fibs_have_flows_of_their_own),
		FLOW_TEST(test_ipv6_flows_differ_in_every_word_of_their_addresses),
		FLOW_TEST(test_a_route_change_is_seen_at_once),
		FLOW_TEST(test_a_neighbour_that_changes_or_leaves_is_seen_at_once),
		FLOW_TEST(test_the_gateways_neighbour_comes_with_the_next_hop),
		FLOW_TEST(test_a_link_that_goes_down_is_seen_at_once),
		FLOW_TEST(test_an_interface_that_is_destroyed_leaves_nothing_to_find),
		FLOW_TEST(test_what_was_looked_up_before_a_change_is_not_filed_behind_it),
		FLOW_TEST(test_a_path_is_kept_and_left_with_its_link),
		FLOW_TEST(test_without_ports_a_group_stays_a_group),
		FLOW_TEST(test_whatever_happens_the_answer_is_the_fibs),
		FLOW_TEST(test_b13_no_new_flows_within_3_percent_of_the_limit),
		FLOW_TEST(test_b13_new_flows_again_only_12_5_percent_below_the_limit),
		FLOW_TEST(test_b13_the_cleaner_comes_sooner_and_takes_more_when_full),
		FLOW_TEST(test_a_full_table_serves_the_packets_of_a_router),
		FLOW_TEST(test_an_idle_flow_goes_when_its_protocol_says),
		FLOW_TEST(test_packets_keep_a_flow),
		FLOW_TEST(test_what_is_not_current_goes_with_the_cleaners_next_round),
		FLOW_TEST(test_entries_are_used_again),
		FLOW_TEST(test_the_limit_can_be_raised_and_not_lowered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
