/* Hooks: in which order, until who took the last packet. */
#include "net_fixture.h"

#include "net/pfil.h"

static char order[32];

static void
write_letter(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	(void)b, (void)ifp, (void)dir;
	strncat(order, ctx, 1);
}

static void
take_all(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	(void)ctx, (void)ifp, (void)dir;
	strcat(order, "!");
	batch_free(b);
}

static void
run(enum pfil_dir dir)
{
	struct batch b = { .n = 1, .m = { m_get(20) } };

	order[0] = '\0';
	pfil_run(PFIL_INET, &b, V_loif, dir);
	batch_free(&b);
}

static void
test_lower_orders_come_first_on_the_way_in_and_last_on_the_way_out(void **state)
{
	static char *const letters[] = { "b", "a", "c" };
	static const int orders[] = { 10, 0, 20 };

	(void)state;
	for (int dir = PFIL_IN; dir <= PFIL_OUT; dir++)
		for (int i = 0; i < 3; i++)
			assert_int_equal(
			    pfil_add(PFIL_INET, dir, write_letter, letters[i], orders[i]), 0);
	run(PFIL_IN);
	assert_string_equal(order, "abc");
	run(PFIL_OUT);
	assert_string_equal(order, "cba");
	assert_int_equal(pfil_add(PFIL_INET, PFIL_IN, write_letter, letters[0], 5), -EEXIST);
	assert_int_equal(pfil_add(PFIL_INET, PFIL_IN, take_all, NULL, 5), 0);
	assert_int_equal(pfil_add(PFIL_INET, PFIL_IN, take_all, "fifth", 5), -ENOSPC);
	run(PFIL_IN);
	assert_string_equal(order, "a!"); /* nothing is left for the others */
	pfil_remove(PFIL_INET, PFIL_IN, take_all, NULL);
	pfil_remove(PFIL_INET, PFIL_IN, take_all, "never there");
	run(PFIL_IN);
	assert_string_equal(order, "abc");
}

static void
test_each_stack_has_its_own_hooks(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);

	(void)state;
	assert_int_equal(pfil_add(PFIL_INET, PFIL_IN, write_letter, "h", 0), 0);
	{
		VNET_SCOPE(jail->vnet);
		run(PFIL_IN);
		assert_string_equal(order, "");
	}
	run(PFIL_IN);
	assert_string_equal(order, "h");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_lower_orders_come_first_on_the_way_in_and_last_on_the_way_out),
		NET_TEST(test_each_stack_has_its_own_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
