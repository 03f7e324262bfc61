/* Interfaces made by name: units, races, failures. */
#include "net_fixture.h"

#include "base/worker.h"

#include <pthread.h>

static void
test_the_lowest_free_unit_is_given(void **state)
{
	struct ifnet *lo[5], *ifp;

	(void)state;
	for (int i = 1; i < 5; i++) {
		assert_int_equal(if_clone_create("lo", NULL, &lo[i]), 0);
		assert_int_equal(lo[i]->if_dunit, i);
	}
	assert_int_equal(if_clone_destroy(lo[2]), 0);
	assert_int_equal(if_clone_create("lo", NULL, &lo[2]), 0);
	assert_string_equal(lo[2]->if_xname, "lo2");
	assert_int_equal(if_clone_create("lo100", NULL, &ifp), 0);
	assert_int_equal(if_clone_destroy(ifp), 0);
	for (int i = 1; i < 5; i++)
		assert_int_equal(if_clone_destroy(lo[i]), 0);
}

static void
test_names_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = { "", "0", "lo01", "nosuch0", "lo-1", "lo99999999999",
		"lo32768", "epair0a", "l0" };
	struct ifnet *ifp;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(if_clone_create(bad[i], NULL, &ifp), -EINVAL);
	assert_int_equal(if_clone_create("lo0", NULL, &ifp), -EEXIST);
}

static void
test_a_renamed_interface_keeps_its_unit_and_a_stolen_name_is_stepped_over(void **state)
{
	struct ifnet *lo1, *lo2, *lo3;

	(void)state;
	assert_int_equal(if_clone_create("lo1", NULL, &lo1), 0);
	assert_int_equal(if_rename(lo1, "lo2"), 0);
	assert_int_equal(
	    if_clone_create("lo1", NULL, &lo2), -EEXIST); /* the unit is in use, not the name */
	assert_int_equal(if_clone_create("lo2", NULL, &lo2), -EEXIST);
	assert_int_equal(if_clone_create("lo", NULL, &lo3), 0);
	assert_string_equal(lo3->if_xname, "lo3");
	if_clone_destroy(lo1);
	if_clone_destroy(lo3);
}

static void
test_either_of_a_pairs_names_blocks_its_unit(void **state)
{
	struct ifnet *lo1, *a;

	(void)state;
	assert_int_equal(if_clone_create("lo1", NULL, &lo1), 0);
	assert_int_equal(if_rename(lo1, "epair0b"), 0);
	assert_int_equal(if_clone_create("epair0", NULL, &a), -EEXIST);
	assert_int_equal(if_clone_create("epair", NULL, &a), 0);
	assert_string_equal(a->if_xname, "epair1a");
	if_clone_destroy(a);
	if_clone_destroy(lo1);
}

static int refusals;

static int
refusing_create(int unit, char **params, struct ifnet **made)
{
	struct ifnet *ifp = if_alloc(IFT_PROPVIRTUAL_, "refuse", unit);

	(void)params;
	if (refusals > 0) {
		refusals--;
		if_free(ifp);
		return -EIO;
	}
	if (if_attach(ifp) != 0)
		return -ENOMEM;
	*made = ifp;
	return 0;
}

static int
refusing_destroy(struct ifnet *ifp)
{
	if (refusals > 0) {
		refusals--;
		return -EBUSY;
	}
	if_detach(ifp);
	if_free(ifp);
	return 0;
}
IF_CLONE_DEFINE(
    refuse, .name = "refuse", .maxunit = 1, .create = refusing_create, .destroy = refusing_destroy);

static void
test_b09_a_driver_that_refuses_to_destroy_keeps_its_place(void **state)
{
	struct ifnet *ifp, *other;

	(void)state;
	refusals = 1;
	assert_int_equal(if_clone_create("refuse", NULL, &ifp), -EIO);
	assert_int_equal(if_clone_create("refuse", NULL, &ifp), 0);
	assert_string_equal(ifp->if_xname, "refuse0");
	refusals = 1;
	assert_int_equal(if_clone_destroy(ifp), -EBUSY);
	assert_ptr_equal(if_byname("refuse0"), ifp);
	assert_true(if_in_group(ifp, "refuse"));
	assert_int_equal(if_clone_create("refuse", NULL, &other), 0);
	assert_int_equal(if_clone_create("refuse", NULL, &other), -ENOSPC);
	assert_int_equal(if_clone_destroy(if_byname("refuse1")), 0);
	assert_int_equal(if_clone_destroy(ifp), 0);
}

enum { RACERS = 4, ROUNDS = 500 };
static struct ifnet *race_target[ROUNDS];
static pthread_barrier_t race_start;
static int race_result[RACERS][ROUNDS];

static void *
racer(void *arg)
{
	int id = *(int *)arg;

	worker_attach((uint32_t)id + 1, CLOCK_VIRTUAL);
	curvnet = vnet0;
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&race_start);
		race_result[id][round] = if_clone_destroy(race_target[round]);
		pthread_barrier_wait(&race_start);
	}
	rcu_synchronize();
	worker_detach();
	return NULL;
}

/* Everybody holds a reference, as a command does; one wins, nobody frees twice. */
static void
test_b09_of_several_threads_one_destroys_and_the_others_hear_enxio(void **state)
{
	pthread_t thread[RACERS];
	int ids[RACERS];

	(void)state;
	pthread_barrier_init(&race_start, NULL, RACERS + 1);
	for (int i = 0; i < RACERS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&thread[i], NULL, racer, &ids[i]), 0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct ifnet *ifp;
		int won = 0;

		assert_int_equal(if_clone_create("lo", NULL, &ifp), 0);
		race_target[round] = if_ref(ifp);
		pthread_barrier_wait(&race_start);
		pthread_barrier_wait(&race_start);
		for (int i = 0; i < RACERS; i++) {
			won += race_result[i][round] == 0;
			assert_true(race_result[i][round] == 0 || race_result[i][round] == -ENXIO);
		}
		assert_int_equal(won, 1);
		if_rele(ifp);
	}
	for (int i = 0; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&race_start);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_the_lowest_free_unit_is_given),
		NET_TEST(test_names_that_make_no_sense_are_refused),
		NET_TEST(test_a_renamed_interface_keeps_its_unit_and_a_stolen_name_is_stepped_over),
		NET_TEST(test_either_of_a_pairs_names_blocks_its_unit),
		NET_TEST(test_b09_a_driver_that_refuses_to_destroy_keeps_its_place),
		NET_TEST(test_b09_of_several_threads_one_destroys_and_the_others_hear_enxio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
