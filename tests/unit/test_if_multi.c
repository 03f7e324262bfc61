/*
 * Tests of net/if_multi.c: the counted filter, what it does to frames, and stacked interfaces
 * (behaviours 37).
 */
#include "net_fixture.h"

#include "net/if_multi.h"

static const uint8_t g1[6] = { 0x01, 0, 0x5e, 0, 0, 1 };
static const uint8_t g2[6] = { 0x33, 0x33, 0, 0, 0, 2 };
static const uint8_t g3[6] = { 0x33, 0x33, 0xff, 1, 2, 3 };

/* The filter as text: "01:00:5e:00:00:01*2 …", sorted. */
struct text {
	char s[512];
};

static int
add_text(const uint8_t group[6], unsigned holders, void *ctx)
{
	struct text *t = ctx;
	size_t used = strlen(t->s);
	char mac[18];

	snprintf(t->s + used, sizeof(t->s) - used, "%s%s*%u", used > 0 ? " " : "",
	    ether_ntoa_(group, mac), holders);
	return 0;
}

static void
expect_filter(const struct ifnet *ifp, const char *expected)
{
	struct text t = { "" };

	assert_int_equal(if_multi_foreach(ifp, add_text, &t), 0);
	assert_string_equal(t.s, expected);
}

/* Three stations on their own: a trunk and two that stand on it. */
static struct ifnet *trunk, *upper, *other;

static int
multi_setup(void **state)
{
	struct ifnet *peer;

	net_setup(state);
	pair_up(&trunk, &peer);
	pair_up(&upper, &peer);
	pair_up(&other, &peer);
	return 0;
}

static int
multi_teardown(void **state)
{
	if (trunk != NULL)
		if_clone_destroy(trunk);
	if (upper != NULL)
		if_clone_destroy(upper);
	if_clone_destroy(other);
	return net_teardown(state);
}

#define MULTI_TEST(fn) cmocka_unit_test_setup_teardown(fn, multi_setup, multi_teardown)

static void
arrive(struct ifnet *ifp, const uint8_t dst[6])
{
	struct batch b = { .n = 1, .m = { frame(dst, somebody, ETHERTYPE_IP_, 0x45, 46) } };

	if_receive(ifp, &b);
	while (netisr_run())
		continue;
}

static void
test_a_group_goes_with_its_last_holder(void **state)
{
	(void)state;
	assert_false(if_multi_has(trunk, g1));
	assert_int_equal(if_multi_add(trunk, g1), 0);
	assert_int_equal(if_multi_add(trunk, g1), 0);
	assert_int_equal(if_multi_add(trunk, g2), 0);
	expect_filter(trunk, "01:00:5e:00:00:01*2 33:33:00:00:00:02*1");
	assert_int_equal(if_multi_delete(trunk, g1), 0);
	assert_true(if_multi_has(trunk, g1));
	assert_int_equal(if_multi_delete(trunk, g1), 0);
	assert_false(if_multi_has(trunk, g1));
	assert_true(if_multi_has(trunk, g2));
	assert_int_equal(if_multi_delete(trunk, g1), -ENOENT);
	assert_int_equal(if_multi_delete(trunk, g2), 0);
	expect_filter(trunk, "");
}

static void
test_only_groups_can_be_let_in(void **state)
{
	(void)state;
	assert_int_equal(if_multi_add(trunk, somebody), -EINVAL);
	assert_int_equal(if_multi_add(trunk, ether_broadcast), -EINVAL);
}

static void
test_frames_to_other_groups_are_named_drops_and_no_errors(void **state)
{
	(void)state;
	arrive(trunk, g1);
	assert_int_equal(sink.n, 0);
	assert_int_equal(drop_get(curvnet, &DROP_ETHER_NOT_MEMBER), 1);
	assert_int_equal(trunk->if_data.ierrors, 0);
	assert_int_equal(trunk->if_data.imcasts, 0);
	assert_int_equal(if_multi_add(trunk, g1), 0);
	arrive(trunk, g1);
	assert_int_equal(sink.n, 1);
	assert_int_equal(sink.flags[0], M_MCAST);
	arrive(trunk, g2);
	assert_int_equal(sink.n, 1);
	arrive(trunk, ether_broadcast);
	assert_int_equal(sink.n, 2);
	assert_int_equal(sink.flags[1], M_BCAST);
}

static void
test_allmulti_and_promisc_let_all_groups_in(void **state)
{
	(void)state;
	assert_int_equal(if_allmulti(trunk, true), 0);
	assert_int_equal(if_allmulti(trunk, true), 0);
	arrive(trunk, g1);
	assert_int_equal(sink.n, 1);
	assert_int_equal(if_allmulti(trunk, false), 0);
	arrive(trunk, g1);
	assert_int_equal(sink.n, 2);
	assert_int_equal(if_allmulti(trunk, false), 0);
	assert_int_equal(if_allmulti(trunk, false), -EINVAL);
	arrive(trunk, g1);
	assert_int_equal(sink.n, 2);
	assert_int_equal(if_set_promisc(trunk, true), 0);
	arrive(trunk, g1);
	assert_int_equal(sink.n, 3);
	assert_int_equal(if_set_promisc(trunk, false), 0);
}

/* Slots are used again, and a table that is full of deleted ones is rebuilt. */
static void
test_many_groups_come_and_go(void **state)
{
	uint8_t g[6] = { 0x33, 0x33 };

	(void)state;
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 3000; i++) {
			store32(g + 2, i * 2654435761u);
			assert_int_equal(if_multi_add(trunk, g), 0);
			if (i >= 1000) {
				store32(g + 2, (i - 1000) * 2654435761u);
				assert_int_equal(if_multi_delete(trunk, g), 0);
			}
		}
		for (uint32_t i = 0; i < 3000; i++) {
			store32(g + 2, i * 2654435761u);
			assert_int_equal(if_multi_has(trunk, g), i >= 2000);
			assert_int_equal(if_multi_delete(trunk, g), i >= 2000 ? 0 : -ENOENT);
		}
	}
}

static void
test_a_parent_lets_in_exactly_what_is_still_joined(void **state)
{
	(void)state;
	assert_int_equal(if_multi_add(upper, g1), 0);
	assert_int_equal(if_multi_stack(upper, trunk), 0);
	expect_filter(trunk, "01:00:5e:00:00:01*1");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(if_multi_add(upper, g2), 0);
		assert_int_equal(if_multi_add(upper, g2), 0);
		expect_filter(trunk, "01:00:5e:00:00:01*1 33:33:00:00:00:02*1");
		assert_int_equal(if_multi_delete(upper, g2), 0);
		assert_int_equal(if_multi_delete(upper, g2), 0);
		expect_filter(trunk, "01:00:5e:00:00:01*1");
	}
	/* the parent's own and another child's holders count apart */
	assert_int_equal(if_multi_add(trunk, g1), 0);
	assert_int_equal(if_multi_add(other, g1), 0);
	assert_int_equal(if_multi_stack(other, trunk), 0);
	expect_filter(trunk, "01:00:5e:00:00:01*3");
	if_multi_unstack(upper, trunk);
	if_multi_unstack(other, trunk);
	if_multi_unstack(other, trunk);
	expect_filter(trunk, "01:00:5e:00:00:01*1");
	expect_filter(upper, "01:00:5e:00:00:01*1");
}

static void
test_destroying_the_child_leaves_nothing_in_the_parent(void **state)
{
	(void)state;
	assert_int_equal(if_multi_stack(upper, trunk), 0);
	assert_int_equal(if_multi_add(upper, g1), 0);
	assert_int_equal(if_multi_add(upper, g3), 0);
	assert_int_equal(if_allmulti(upper, true), 0);
	assert_true(trunk->if_flags & IFF_ALLMULTI_);
	if_clone_destroy(upper);
	upper = NULL;
	expect_filter(trunk, "");
	assert_false(trunk->if_flags & IFF_ALLMULTI_);
}

static void
test_a_parent_that_goes_first_is_no_fault(void **state)
{
	(void)state;
	assert_int_equal(if_multi_stack(upper, trunk), 0);
	assert_int_equal(if_multi_add(upper, g1), 0);
	if_clone_destroy(trunk);
	trunk = NULL;
	expect_filter(upper, "01:00:5e:00:00:01*1");
	assert_int_equal(if_multi_add(upper, g2), 0);
	assert_int_equal(if_multi_delete(upper, g1), 0);
	assert_int_equal(if_multi_delete(upper, g2), 0);
}

static void
test_a_child_may_have_several_parents(void **state)
{
	(void)state;
	assert_int_equal(if_multi_stack(upper, trunk), 0);
	assert_int_equal(if_multi_add(upper, g1), 0);
	assert_int_equal(if_multi_stack(upper, other), 0);
	assert_int_equal(if_multi_add(upper, g2), 0);
	expect_filter(trunk, "01:00:5e:00:00:01*1 33:33:00:00:00:02*1");
	expect_filter(other, "01:00:5e:00:00:01*1 33:33:00:00:00:02*1");
	if_multi_unstack(upper, other);
	expect_filter(other, "");
	assert_int_equal(if_multi_delete(upper, g1), 0);
	expect_filter(trunk, "33:33:00:00:00:02*1");
}

static void
test_nothing_stands_on_itself(void **state)
{
	(void)state;
	assert_int_equal(if_multi_stack(upper, upper), -ELOOP);
	assert_int_equal(if_multi_stack(upper, trunk), 0);
	assert_int_equal(if_multi_stack(upper, trunk), -EEXIST);
	assert_int_equal(if_multi_stack(trunk, other), 0);
	assert_int_equal(if_multi_stack(other, upper), -ELOOP);
	/* what the uppermost lets in reaches the bottom */
	assert_int_equal(if_multi_add(upper, g2), 0);
	expect_filter(other, "33:33:00:00:00:02*1");
}

static void
test_without_memory_nothing_changes(void **state)
{
	(void)state;
	assert_int_equal(if_multi_stack(upper, trunk), 0);
	assert_int_equal(if_multi_stack(upper, other), 0);
	assert_int_equal(if_multi_add(upper, g1), 0);
	for (uint64_t n = 1;; n++) {
		int error;

		vnet_malloc_fail_at(n);
		error = if_multi_add(upper, g2);
		if (vnet_malloc_fail_pending()) {
			vnet_malloc_fail_at(0);
			assert_int_equal(error, 0);
			break;
		}
		if (error == 0) /* the failure hit what is not needed */
			break;
		assert_int_equal(error, -ENOMEM);
		expect_filter(upper, "01:00:5e:00:00:01*1");
		expect_filter(trunk, "01:00:5e:00:00:01*1");
		expect_filter(other, "01:00:5e:00:00:01*1");
	}
	expect_filter(other, "01:00:5e:00:00:01*1 33:33:00:00:00:02*1");
}

static void
test_an_interface_that_leaves_has_no_filter(void **state)
{
	struct prison *pr;

	(void)state;
	assert_int_equal(if_multi_add(upper, g1), 0);
	assert_int_equal(if_allmulti(upper, true), 0);
	expect_line("jail -c name=away vnet persist", 0, NULL, NULL);
	pr = prison_find(&prison0, "away");
	assert_int_equal(if_vmove(upper, pr->vnet), 0);
	expect_filter(upper, "");
	assert_false(upper->if_flags & IFF_ALLMULTI_);
	assert_int_equal(if_multi_delete(upper, g1), -ENOENT);
	assert_int_equal(if_multi_add(upper, g2), 0);
	expect_filter(upper, "33:33:00:00:00:02*1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MULTI_TEST(test_a_group_goes_with_its_last_holder),
		MULTI_TEST(test_only_groups_can_be_let_in),
		MULTI_TEST(test_frames_to_other_groups_are_named_drops_and_no_errors),
		MULTI_TEST(test_allmulti_and_promisc_let_all_groups_in),
		MULTI_TEST(test_many_groups_come_and_go),
		MULTI_TEST(test_a_parent_lets_in_exactly_what_is_still_joined),
		MULTI_TEST(test_destroying_the_child_leaves_nothing_in_the_parent),
		MULTI_TEST(test_a_parent_that_goes_first_is_no_fault),
		MULTI_TEST(test_a_child_may_have_several_parents),
		MULTI_TEST(test_nothing_stands_on_itself),
		MULTI_TEST(test_without_memory_nothing_changes),
		MULTI_TEST(test_an_interface_that_leaves_has_no_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
