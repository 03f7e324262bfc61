/*
 * test_flowtable_show.c - the flow cache from outside: keys (behaviours 18), names, counters,
 * flows by hand (behaviours 19), several workers, and packets that go through it.
 */
#include "flow_fixture.h"

#include <pthread.h>

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
test_b19_a_jail_without_a_stack_neither_sees_nor_changes_flows(void **state)
{
	struct tool t;

	(void)state;
	routes();
	command("flow insert 10.9.0.1 10.1.0.77");
	command("jail -c name=classic persist ip4.addr=10.0.0.1");
	assert_int_equal(tool(&t, "classic", "show flowtables"), 0);
	assert_string_equal(t.out, "");
	assert_int_equal(tool(&t, "classic", "flow flush"), EXIT_NOPERM_);
	assert_int_equal(flowtable_count(flowtable_find("ipv4")), 1);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(test_b18_ports_and_padding_take_no_part_in_the_route),
		FLOW_TEST(test_b19_tables_have_names_and_print_destination_or_tuple),
		FLOW_TEST(test_b19_flows_can_be_inserted_and_deleted_by_hand),
		FLOW_TEST(test_b19_a_jail_without_a_stack_neither_sees_nor_changes_flows),
		FLOW_TEST(test_b19_loopback_never_enters),
		FLOW_TEST(test_b19_ports_are_read_only_if_the_table_asks),
		FLOW_TEST(test_b19_four_workers_counters_are_summed),
#ifndef UNDER_TSAN
		FLOW_TEST(test_a_worker_looks_up_while_routes_change),
#endif
		FLOW_TEST(test_packets_leave_the_same_with_and_without),
		FLOW_TEST(test_ipv6_packets_go_through_the_table),
		FLOW_TEST(test_a_table_is_made_of_a_name_once),
		FLOW_TEST(test_without_memory_packets_are_looked_up_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
