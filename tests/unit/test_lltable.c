/* Neighbour tables: finding, holding, and the count of references in every way an entry can end. */
#include "net_fixture.h"

#include "base/rng.h"
#include "net/in6addr.h"
#include "net/lltable.h"

DROP_DEFINE(DROP_TEST_HOLD, "test", "hold", "hold queue full");

static struct ifnet *wire, *peer;
static struct lltable *table;

static int
ll_setup(void **state)
{
	net_setup(state);
	pair_up(&wire, &peer);
	table = lltable_new(wire, AF_INET, 1000);
	return 0;
}

static int
ll_teardown(void **state)
{
	if (table != NULL)
		lltable_free(table);
	if (wire != NULL)
		if_clone_destroy(wire);
	return net_teardown(state);
}
#define LL_TEST(fn) cmocka_unit_test_setup_teardown(fn, ll_setup, ll_teardown)

static uint32_t
address(uint32_t n)
{
	return __builtin_bswap32(0x0a000000u + n);
}

static struct llentry *
make(uint32_t n)
{
	uint32_t addr = address(n);

	return lla_create(table, &addr, ETHERTYPE_IP_, true);
}

static struct llentry *
find(uint32_t n)
{
	uint32_t addr = address(n);

	return lla_find(table, &addr);
}

static int expired;

/* What a family's timer does at the end of an entry's life. */
static void
expire(void *arg)
{
	struct llentry *lle = arg;

	expired++;
	lla_delete(lle);
	lle_rele(lle);
}

static void
test_entries_are_found_while_the_hash_grows_and_after_deletions(void **state)
{
	(void)state;
	assert_null(find(1));
	for (uint32_t i = 0; i < 1000; i++)
		assert_non_null(make(i));
	assert_null(make(1000)); /* at the limit for traffic */
	uint32_t extra = address(1000);
	assert_non_null(lla_create(table, &extra, ETHERTYPE_IP_, false));
	for (uint32_t i = 0; i < 1000; i += 2)
		lla_delete(find(i));
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(find(i) != NULL, i % 2);
	assert_ptr_equal(make(1), find(1));
	assert_int_equal(table->count, 501);
}

static void
test_a_resolved_entry_has_its_link_header_ready(void **state)
{
	struct llentry *lle = make(1);
	uint8_t expect[14];

	(void)state;
	assert_false(lle->flags & LLE_VALID);
	lle_resolve(lle, somebody);
	memcpy(expect, somebody, 6);
	memcpy(expect + 6, wire->if_lladdr, 6);
	expect[12] = 8;
	expect[13] = 0;
	assert_true(lle->flags & LLE_VALID);
	assert_memory_equal(lle->header, expect, 14);
	/* The interface's address changes: so does the source. */
	assert_int_equal(if_set_lladdr(wire, (const uint8_t[6]){ 2, 9, 9, 9, 9, 9 }), 0);
	assert_memory_equal(lle->header + 6, wire->if_lladdr, 6);
	lle_unresolve(lle);
	assert_false(lle->flags & LLE_VALID);
}

static void
test_b10_an_entry_refreshed_many_times_has_one_timers_reference(void **state)
{
	struct llentry *lle = make(1);

	(void)state;
	expired = 0;
	for (int i = 0; i < 1000; i++)
		lle_timer(lle, NS_PER_SEC, expire);
	assert_int_equal(lle->refs, 2);
	lle_timer(lle, 0, NULL);
	assert_int_equal(lle->refs, 1);
	lle_timer(lle, 0, NULL);
	assert_int_equal(lle->refs, 1);
	lle_timer(lle, NS_PER_SEC, expire);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_int_equal(expired, 1);
	assert_null(find(1));
	rcu_synchronize();
	assert_int_equal(lle_live(), 0);
}

static void
test_b10_an_entry_that_a_route_holds_outlives_its_table(void **state)
{
	struct llentry *lle = lle_ref(make(1));

	(void)state;
	lle_timer(lle, NS_PER_SEC, expire);
	lltable_free(table);
	table = NULL;
	rcu_synchronize();
	assert_int_equal(lle->refs, 1);
	assert_true(lle->flags & LLE_DELETED);
	assert_false(lle->flags & LLE_LINKED);
	assert_null(lle->table->ifp);
	lle_rele(lle);
	rcu_synchronize();
	assert_int_equal(lle_live(), 0);
}

static void
test_the_hold_queue_drops_the_oldest(void **state)
{
	struct llentry *lle = make(1);

	(void)state;
	for (uint8_t i = 0; i < 5; i++) {
		struct mbuf *m = m_get(1);

		m->data[0] = i;
		m->rcvif = peer;
		lle_hold(lle, m, 3, &DROP_TEST_HOLD);
	}
	assert_int_equal(lle->hold.len, 3);
	assert_int_equal(lle->hold.head->data[0], 2);
	assert_int_equal(drop_get(curvnet, &DROP_TEST_HOLD), 2);
	lle_hold(lle, m_get(1), 0, &DROP_TEST_HOLD);
	assert_int_equal(drop_get(curvnet, &DROP_TEST_HOLD), 3);
	lla_delete(lle);
	assert_int_equal(drop_get(curvnet, drop_find("lltable.gone")), 3);
}

static void
test_held_packets_forget_an_interface_that_left(void **state)
{
	struct llentry *lle = make(1);
	struct ifnet *a, *b;
	struct mbuf *m = m_get(1);

	(void)state;
	pair_up(&a, &b);
	m->rcvif = a;
	lle_hold(lle, m, 3, &DROP_TEST_HOLD);
	if_clone_destroy(a);
	assert_null(m->rcvif);
}

/* Whatever is done in whatever order: the count is what the model says, and nothing is left. */
static void
test_b10_random_operations_never_miscount(void **state)
{
	enum { ADDRESSES = 24 };
	struct llentry *held[ADDRESSES] = {};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "lltable");
	for (int step = 0; step < 20000; step++) {
		uint32_t n = (uint32_t)rng_below(&rng, ADDRESSES);
		struct llentry *lle = find(n);

		switch (rng_below(&rng, 7)) {
		case 0:
		case 1:
			lle = make(n);
			break;
		case 2:
			if (lle != NULL)
				lla_delete(lle);
			lle = NULL;
			break;
		case 3:
			if (lle != NULL)
				lle_timer(lle, NS_PER_MS * (1 + rng_below(&rng, 50)), expire);
			break;
		case 4:
			if (lle != NULL)
				lle_timer(lle, 0, NULL);
			break;
		case 5:
			if (held[n] != NULL) {
				lle_rele(held[n]);
				held[n] = NULL;
			} else if (lle != NULL) {
				held[n] = lle_ref(lle);
			}
			break;
		default:
			sched_run(clock_now() + NS_PER_MS);
			lle = find(n);
			break;
		}
		if (lle != NULL)
			assert_int_equal(
			    lle->refs, 1 + callout_armed(&lle->timer) + (held[n] == lle));
	}
	for (int i = 0; i < ADDRESSES; i++)
		if (held[i] != NULL)
			lle_rele(held[i]);
}

static void
test_b15_tables_and_entries_are_shown_and_their_handles_taken(void **state)
{
	struct llentry *lle = make(1);
	char line[64];

	(void)state;
	lle_resolve(lle, somebody);
	lle_timer(lle, NS_PER_SEC, expire);
	assert_true(says("show all lltables", false, "(epair0a)"));
	/* the table's own reference and its entry's */
	assert_true(says("show lltables", false, "entries=1 traffic=1/1000 refs=2"));
	assert_true(says("show all lltables verbose", false, "l3_addr=10.0.0.1"));
	snprintf(line, sizeof(line), "show lltable %p", (void *)table);
	assert_true(says(line, false, "ll_addr=02:00:00:00:ee:01"));
	snprintf(line, sizeof(line), "show llentry %p", (void *)lle);
	assert_true(says(line, false, "la_flags=0x1081"));
	assert_true(says(line, false, "lle_refcnt=2"));
	assert_true(says(line, false, "(armed)"));
	assert_true(says("show lltable", false, "usage: show lltable HANDLE"));
	assert_true(says("show llentry", false, "usage: show llentry HANDLE"));
	assert_true(says("show llentry 0x1", false, "no such llentry"));
}

/* The longest chain that a look-up may have to walk. */
static unsigned
longest_chain(const struct lltable *t)
{
	unsigned longest = 0;

	for (uint32_t i = 0; i <= t->hash_mask; i++) {
		unsigned n = 0;

		for (const struct llentry *lle = t->hash[i]; lle != NULL; lle = lle->hnext)
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

/* Neighbours differ in their last bytes, or in their last but few, or by a vendor's pattern. */
static void
test_addresses_in_a_row_spread_over_the_hash(void **state)
{
	(void)state;
	for (int family = 0; family < 2; family++) {
		for (unsigned at = 0; at <= 12; at += family == 0 ? 13 : 3) {
			struct lltable *t = lltable_new(
			    wire, family == 0 ? AF_INET : AF_INET6, 1 << 20);
			uint8_t addr[16] = { 0x20, 0x01 };

			for (uint32_t i = 0; i < 20000; i++) {
				be32 n = to_be32(i);

				memcpy(addr + at, &n, 4);
				assert_non_null(lla_create(t, addr, 0, true));
			}
			assert_in_range(longest_chain(t), 2, 12);
			lltable_free(t);
		}
	}
}

static const char *
state_name(const struct llentry *lle)
{
	return lle->state == 3 ? "stale" : "other";
}

static void
test_b15_a_router_of_ipv6_is_shown_with_its_zone_and_state(void **state)
{
	struct lltable *six = lltable_new(wire, AF_INET6, 10);
	struct llentry *lle;
	char line[64], text[64];
	struct in6 addr;

	(void)state;
	snprintf(text, sizeof(text), "fe80::1%%%s", wire->if_xname);
	assert_true(in6_aton(text, &addr));
	lle = lla_create(six, &addr, ETHERTYPE_IPV6_, true);
	lle->flags |= LLE_ROUTER;
	lle->state = 3;
	snprintf(line, sizeof(line), "show llentry %p", (void *)lle);
	assert_true(says(line, false, "l3_addr=fe80::1%epair0a\n"));
	assert_true(says(line, false, "ln_state=3  ln_router=1 "));
	six->state_text = state_name;
	assert_true(says(line, false, "ln_state=3(stale)  ln_router=1 "));
	assert_true(says(line, true, "\"state-name\""));
	lltable_free(six);
}

static void
test_made_by_hand_comes_on_top_of_the_limit_and_stays(void **state)
{
	uint32_t addr = address(0);

	(void)state;
	table->limit = 10;
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t a = address(100 + i);

		assert_non_null(lla_create(table, &a, ETHERTYPE_IP_, false));
	}
	for (uint32_t i = 0; i < 10; i++)
		lle_idle(make(i), true);
	assert_int_equal(table->count, 15);
	/* one of traffic's is taken over by hand: it counts no more and is no more evicted */
	assert_ptr_equal(lla_create(table, &addr, ETHERTYPE_IP_, false), find(0));
	assert_non_null(make(10));
	assert_int_equal(table->count, 16);
	lle_idle(find(0), true);
	assert_non_null(make(11));
	assert_non_null(find(0));
	assert_null(find(1));
	assert_non_null(find(2));
	assert_int_equal(table->from_traffic, 10);
	for (uint32_t i = 0; i < 5; i++)
		assert_non_null(find(100 + i));
}

static void
test_the_oldest_idle_entry_makes_room_and_its_packets_are_counted(void **state)
{
	(void)state;
	table->limit = 3;
	for (uint32_t i = 0; i < 3; i++) {
		lle_idle(make(i), true);
		lle_hold(find(i), m_get(1), 8, &DROP_TEST_HOLD);
	}
	/* used again: the youngest now */
	lle_idle(find(0), false);
	lle_idle(find(0), true);
	lle_idle(find(2), false);
	assert_non_null(make(3));
	assert_null(find(1));
	assert_int_equal(drop_get(curvnet, drop_find("lltable.evicted")), 1);
	assert_non_null(make(4));
	assert_null(find(0));
	/* all that is left is in use */
	assert_null(make(5));
	assert_non_null(find(2));
	/* a lower limit is reached by the next that comes */
	lle_idle(find(2), true);
	lle_idle(find(3), true);
	table->limit = 2;
	assert_non_null(make(6));
	assert_int_equal(table->from_traffic, 2);
	assert_int_equal(drop_get(curvnet, drop_find("lltable.evicted")), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LL_TEST(test_entries_are_found_while_the_hash_grows_and_after_deletions),
		LL_TEST(test_addresses_in_a_row_spread_over_the_hash),
		LL_TEST(test_a_resolved_entry_has_its_link_header_ready),
		LL_TEST(test_b10_an_entry_refreshed_many_times_has_one_timers_reference),
		LL_TEST(test_b10_an_entry_that_a_route_holds_outlives_its_table),
		LL_TEST(test_the_hold_queue_drops_the_oldest),
		LL_TEST(test_held_packets_forget_an_interface_that_left),
		LL_TEST(test_b10_random_operations_never_miscount),
		LL_TEST(test_b15_tables_and_entries_are_shown_and_their_handles_taken),
		LL_TEST(test_b15_a_router_of_ipv6_is_shown_with_its_zone_and_state),
		LL_TEST(test_made_by_hand_comes_on_top_of_the_limit_and_stays),
		LL_TEST(test_the_oldest_idle_entry_makes_room_and_its_packets_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
