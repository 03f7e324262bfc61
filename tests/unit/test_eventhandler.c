/* Events: whom they reach, in which stack, in which order, and what handlers may do meanwhile. */
#include "kern_fixture.h"

#include "kern/eventhandler.h"

#include <stdio.h>

static char seen[256];

static void
note_stack(void *ctx, void *arg1, void *arg2)
{
	(void)arg2;
	assert_string_equal(arg1, "argument");
	strcat(seen, ctx);
	strcat(seen, vnet_name(curvnet));
	strcat(seen, " ");
}

static void
raise_event(const char *name)
{
	static char argument[] = "argument";

	seen[0] = '\0';
	event_invoke(event_find(name), argument, NULL);
	assert_ptr_equal(curvnet, vnet0);
}

static char no_prefix[] = "";

static void
test_b14_event_handler_registered_once_runs_for_every_stack(void **state)
{
	static struct event_tag *tag;
	struct event_tag *first;

	(void)state;
	first = event_register(
	    &tag, "test_each", EVENT_EACH_VNET, note_stack, no_prefix, EVENT_PRI_ANY);
	assert_non_null(first);
	for (const char *name = "abcd"; *name != '\0'; name++)
		assert_non_null(prison_create(NULL, (char[]){ *name, '\0' }, true));
	raise_event("test_each");
	assert_string_equal(seen, "host a b c d ");

	/* A sixth stack whose start registers again: still once, and the tag stays. */
	assert_non_null(prison_create(NULL, "e", true));
	{
		VNET_SCOPE(prison_find(NULL, "e")->vnet);
		assert_ptr_equal(event_register(&tag, "test_each", EVENT_EACH_VNET, note_stack,
				     no_prefix, EVENT_PRI_ANY),
		    first);
		assert_ptr_equal(tag, first);
	}
	raise_event("test_each");
	assert_string_equal(seen, "host a b c d e ");
	prison_remove(prison_find(NULL, "b"));
	raise_event("test_each");
	assert_string_equal(seen, "host a c d e ");
	event_deregister(&tag);
	assert_null(tag);
	raise_event("test_each");
	assert_string_equal(seen, "");
}

static void
test_handler_of_here_runs_in_the_raisers_stack_only(void **state)
{
	static struct event_tag *tag;

	(void)state;
	prison_create(NULL, "a", true);
	event_register(&tag, "test_here", EVENT_HERE, note_stack, no_prefix, EVENT_PRI_ANY);
	raise_event("test_here");
	assert_string_equal(seen, "host ");
	event_deregister(&tag);
	event_deregister(&tag);
}

static void
test_priorities_then_registration_order_the_calls(void **state)
{
	static struct event_tag *tag[5];
	static char names[5][8] = { "any1=", "last=", "first=", "any2=", "any3=" };
	static const int priorities[5] = { EVENT_PRI_ANY, EVENT_PRI_LAST, EVENT_PRI_FIRST,
		EVENT_PRI_ANY, EVENT_PRI_ANY };

	(void)state;
	for (int i = 0; i < 5; i++)
		event_register(
		    &tag[i], "test_order", EVENT_HERE, note_stack, names[i], priorities[i]);
	raise_event("test_order");
	assert_string_equal(seen, "first=host any1=host any2=host any3=host last=host ");
	assert_true(says("show events", false, "test_order"));
	for (int i = 0; i < 5; i++)
		event_deregister(&tag[i]);
}

static struct event_tag *once_tag, *other_tag, *late_tag;

static void
run_once(void *ctx, void *arg1, void *arg2)
{
	note_stack(ctx, arg1, arg2);
	event_deregister(&once_tag);
	event_deregister(&other_tag);
	event_register(&late_tag, "test_once", EVENT_HERE, note_stack, no_prefix, EVENT_PRI_LAST);
}

static void
test_b14_handler_may_deregister_itself_and_others_while_it_runs(void **state)
{
	static char once[] = "once=", other[] = "other=";

	(void)state;
	event_register(&once_tag, "test_once", EVENT_EACH_VNET, run_once, once, EVENT_PRI_FIRST);
	event_register(&other_tag, "test_once", EVENT_HERE, note_stack, other, EVENT_PRI_ANY);
	prison_create(NULL, "a", true);
	raise_event("test_once");
	/* Neither the other stack, nor the other handler, nor the one that came meanwhile. */
	assert_string_equal(seen, "once=host ");
	raise_event("test_once");
	assert_string_equal(seen, "host ");
	event_deregister(&late_tag);
}

static void
destroy_next(void *ctx, void *arg1, void *arg2)
{
	note_stack(ctx, arg1, arg2);
	if (strcmp(vnet_name(curvnet), "a") == 0) {
		VNET_SCOPE(vnet0);
		prison_remove(prison_find(NULL, "b"));
	}
}

static void
test_handler_may_destroy_the_stack_that_comes_next(void **state)
{
	static struct event_tag *tag;

	(void)state;
	prison_create(NULL, "a", true);
	prison_create(NULL, "b", true);
	prison_create(NULL, "c", true);
	event_register(
	    &tag, "test_destroy", EVENT_EACH_VNET, destroy_next, no_prefix, EVENT_PRI_ANY);
	raise_event("test_destroy");
	assert_string_equal(seen, "host a c ");
	event_deregister(&tag);
}

static struct event_tag *left_tag;

static void
test_handlers_that_were_left_are_gone_after_the_end(void **state)
{
	(void)state;
	event_register(
	    &left_tag, "test_left", EVENT_EACH_VNET, note_stack, no_prefix, EVENT_PRI_ANY);
	kern_fini();
	assert_null(left_tag);
	kern_init();
	assert_int_equal(event_live(), 0);
	raise_event("test_left");
	assert_string_equal(seen, "");
	audit_take(&fixture_before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_b14_event_handler_registered_once_runs_for_every_stack),
		KERN_TEST(test_handler_of_here_runs_in_the_raisers_stack_only),
		KERN_TEST(test_priorities_then_registration_order_the_calls),
		KERN_TEST(test_b14_handler_may_deregister_itself_and_others_while_it_runs),
		KERN_TEST(test_handler_may_destroy_the_stack_that_comes_next),
		KERN_TEST(test_handlers_that_were_left_are_gone_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
