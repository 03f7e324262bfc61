/* Drops: counted in the stack in which they happen, traced, listed by name. */
#include "kern_fixture.h"

#include "base/mbuf.h"
#include "kern/drop.h"

#include <errno.h>

DROP_DEFINE(DROP_T_SHORT, "test", "short", "packet is too short");
DROP_DEFINE(DROP_T_ALIEN, "test", "alien", "packet is from elsewhere");
DROP_DEFINE_IGNORED(DROP_T_OTHERS, "test", "others", "packet is for somebody else");

static void
test_drop_is_counted_in_its_stack_and_frees_the_packet(void **state)
{
	struct prison *pr = prison_create(NULL, "a", true);

	(void)state;
	m_drop(m_get(10), &DROP_T_SHORT);
	{
		VNET_SCOPE(pr->vnet);
		m_drop(m_get(10), &DROP_T_SHORT);
		drop_count(&DROP_T_ALIEN, 5);
	}
	assert_int_equal(m_live(), 0);
	assert_int_equal(drop_get(vnet0, &DROP_T_SHORT), 1);
	assert_int_equal(drop_get(pr->vnet, &DROP_T_SHORT), 1);
	assert_int_equal(drop_get(pr->vnet, &DROP_T_ALIEN), 5);
	assert_int_equal(drop_total(pr->vnet), 6);
	assert_int_equal(drop_total(vnet0), 1);
}

static void
test_what_a_stack_ignores_is_counted_but_no_loss(void **state)
{
	(void)state;
	m_drop(m_get(10), &DROP_T_OTHERS);
	m_drop(m_get(10), &DROP_T_SHORT);
	assert_int_equal(drop_get(vnet0, &DROP_T_OTHERS), 1);
	assert_int_equal(drop_total(vnet0), 1);
}

static void
test_drops_are_found_by_layer_and_name(void **state)
{
	(void)state;
	assert_ptr_equal(drop_find("test.short"), &DROP_T_SHORT);
	assert_null(drop_find("test.shor"));
	assert_null(drop_find("test"));
	assert_null(drop_find("testshort"));
}

static void
test_listing_hides_zeros_unless_all_are_asked_for(void **state)
{
	(void)state;
	m_drop(m_get(10), &DROP_T_SHORT);
	expect_line("show drops", 0, "drop:\n\t1 test.short (packet is too short)\n", "");
	expect_line("netstat -ss -p drop", 0, "drop:\n\t1 test.short (packet is too short)\n", "");
	assert_true(says("show drops all", false, "\t0 test.alien (packet is from elsewhere)\n"));
	assert_true(says("netstat -s", false, "\t0 test.alien"));
	assert_true(says("show drops", true, "{\"drop\":{\"test.short\":1}}"));
	expect_line("netstat -ssz -p drop", 0, NULL, "");
	expect_line("netstat -ss -p drop", 0, "drop:\n", "");
	expect_line(
	    "netstat -p nope", 1, "", "netstat: nope: unknown or uninstrumented protocol\n");
}

static int traced;
static uint32_t traced_len;

static void
trace(void *ctx, const struct mbuf *m, const struct drop_reason *why)
{
	*(int *)ctx += 1;
	assert_ptr_equal(why, &DROP_T_SHORT);
	traced_len = m != NULL ? m->len : 0;
}

static void
test_tracers_see_the_packet_before_it_is_freed(void **state)
{
	int other = 0;

	(void)state;
	traced = 0;
	assert_int_equal(drop_trace_add(trace, &traced), 0);
	m_drop(m_get(33), &DROP_T_SHORT);
	assert_int_equal(traced, 1);
	assert_int_equal(traced_len, 33);
	drop_count(&DROP_T_SHORT, 2);
	assert_int_equal(traced, 3);
	assert_int_equal(traced_len, 0);
	for (int i = 1; i < 8; i++)
		assert_int_equal(drop_trace_add(trace, &other), 0);
	assert_int_equal(drop_trace_add(trace, &other), -ENOSPC);
	drop_trace_remove(trace, &traced);
	m_drop(m_get(1), &DROP_T_SHORT);
	assert_int_equal(traced, 3);
	assert_int_equal(other, 7);
	for (int i = 1; i < 8; i++)
		drop_trace_remove(trace, &other);
	m_drop(m_get(1), &DROP_T_SHORT);
	assert_int_equal(other, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_drop_is_counted_in_its_stack_and_frees_the_packet),
		KERN_TEST(test_what_a_stack_ignores_is_counted_but_no_loss),
		KERN_TEST(test_drops_are_found_by_layer_and_name),
		KERN_TEST(test_listing_hides_zeros_unless_all_are_asked_for),
		KERN_TEST(test_tracers_see_the_packet_before_it_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
