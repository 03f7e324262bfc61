/* Stacks: what they start with, in which order they live and die, what they leave behind. */
#include "kern_fixture.h"

#include "base/callout.h"
#include "base/sched.h"
#include "kern/sysctl.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

VNET_DEFINE_STATIC(uint32_t, colour) = 7;
#define V_colour VNET(colour)
VNET_DEFINE_STATIC(char, motto[16]) = "burrow";
VNET_DEFINE_STATIC(void *, table);
#define V_table VNET(table)
SYSCTL_VNET_UINT(colour, "test.colour", SYSCTL_RW, colour, 0, 100, "a per-stack number");
SYSCTL_STRING(motto, "test.motto", SYSCTL_RW | SYSCTL_VNET, vnet_entry_motto, "a per-stack text");

/* Rooms of a stack, declared out of order on purpose. */
static char ran[512];
static bool top_has_no_memory;

static void
note(void *arg)
{
	assert_non_null(curvnet);
	strcat(ran, arg);
	strcat(ran, " ");
}

static void
top_start(void *arg)
{
	note(arg);
	if (top_has_no_memory)
		vnet_alloc_fail();
	else
		V_table = vnet_malloc(100);
}

static void
top_end(void *arg)
{
	note(arg);
	vnet_free(V_table);
}

VNET_SYSINIT(top, SI_SUB_TOP, SI_ORDER_ANY, top_start, "top");
VNET_SYSINIT(net_second, SI_SUB_NET, SI_ORDER_SECOND, note, "net2");
VNET_SYSINIT(net_first, SI_SUB_NET, SI_ORDER_FIRST, note, "net1");
VNET_SYSINIT(inet, SI_SUB_INET, SI_ORDER_FIRST, note, "inet");
VNET_SYSUNINIT(net_first, SI_SUB_NET, SI_ORDER_FIRST, note, "-net1");
VNET_SYSUNINIT(top, SI_SUB_TOP, SI_ORDER_ANY, top_end, "-top");
VNET_SYSUNINIT(inet, SI_SUB_INET, SI_ORDER_FIRST, note, "-inet");

static int
rooms_setup(void **state)
{
	kern_setup(state);
	ran[0] = '\0';
	top_has_no_memory = false;
	return 0;
}
#define ROOMS_TEST(fn) cmocka_unit_test_setup_teardown(fn, rooms_setup, kern_teardown)

static void
test_b05_new_stack_starts_with_initial_values_not_the_hosts_current_ones(void **state)
{
	struct vnet *vnet;

	(void)state;
	V_colour = 99;
	expect_line("sysctl test.motto=changed", 0, "test.motto: burrow -> changed\n", "");
	vnet = vnet_alloc();
	assert_non_null(vnet);
	assert_int_equal(VNET_OF(vnet, colour), 7);
	assert_string_equal(VNET_OF(vnet, motto), "burrow");
	VNET_OF(vnet, colour) = 8;
	assert_int_equal(V_colour, 99);
	vnet_destroy(vnet);
}

/* Every node's value, as `sysctl -a` prints it. */
static char *
sysctl_all(struct prison *pr)
{
	char *out;

	assert_int_equal(verb_line(pr, "sysctl test", false, &out, NULL), 0);
	return out;
}

static void
test_b05_fresh_stacks_list_equals_the_hosts_list_before_any_change(void **state)
{
	char *golden = sysctl_all(NULL), *fresh;
	struct prison *pr;

	(void)state;
	V_colour = 55;
	pr = prison_create(NULL, "fresh", true);
	assert_non_null(pr);
	fresh = sysctl_all(pr);
	assert_string_equal(fresh, golden);
	free(golden);
	free(fresh);
}

static void
test_rooms_start_bottom_up_and_end_top_down(void **state)
{
	struct vnet *vnet = vnet_alloc();

	(void)state;
	assert_string_equal(ran, "net1 net2 inet top ");
	ran[0] = '\0';
	vnet_destroy(vnet);
	assert_string_equal(ran, "-top -inet -net1 ");
}

static char traced[2048];

static void
trace(const struct vnet_sysinit *s, bool uninit)
{
	char line[128];

	(void)uninit;
	snprintf(line, sizeof(line), "%s(%p)\n", s->name, (const void *)s);
	strcat(traced, line);
}

/* Of what `show vnet_sys…` prints, the lines that name an entry. */
static void
printed_entries(const char *line, char *entries)
{
	char *out, *rest, *text;
	int n = 0;

	assert_int_equal(verb_line(NULL, line, false, &out, NULL), 0);
	rest = out;
	entries[0] = '\0';
	while ((text = strsep(&rest, "\n")) != NULL && *text != '\0')
		if (n++ >= 3 && text[0] != ' ') {
			strcat(entries, text);
			strcat(entries, "\n");
		}
	free(out);
}

static void
test_b33_printed_lists_equal_what_runs_at_start_and_at_the_end(void **state)
{
	struct vnet *vnet;
	char entries[2048];

	(void)state;
	vnet_sysinit_trace = trace;
	traced[0] = '\0';
	vnet = vnet_alloc();
	printed_entries("show vnet_sysinit", entries);
	assert_string_equal(entries, traced);
	assert_true(says("show vnet_sysinit", false,
	    "VNET_SYSINIT vs Name(Ptr)\n"
	    "  Subsystem  Order\n  Function(Name)(Arg)\n"));
	assert_true(says("show vnet_sysinit", false, "  0x00002000 0x00000001\n"));

	traced[0] = '\0';
	vnet_destroy(vnet);
	printed_entries("show vnet_sysuninit", entries);
	assert_string_equal(entries, traced);
	vnet_sysinit_trace = NULL;
}

static void
test_creation_without_memory_undoes_what_was_done(void **state)
{
	(void)state;
	top_has_no_memory = true;
	assert_null(vnet_alloc());
	assert_string_equal(ran, "net1 net2 inet top -top -inet -net1 ");
	top_has_no_memory = false;
	expect_line("jail -c name=a vnet persist", 0, "", "");
}

static void
test_thousand_rounds_leave_no_byte(void **state)
{
	uint64_t before = vnet_memory();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct vnet *vnet = vnet_alloc();

		ran[0] = '\0';
		assert_non_null(vnet);
		vnet_destroy(vnet);
		ran[0] = '\0';
		assert_int_equal(vnet_memory(), before);
	}
}

static void
test_ten_thousand_jails_fit_and_idle_ones_are_small(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ran[0] = '\0';
		assert_non_null(prison_create(NULL, name, true));
	}
	assert_true(vnet_memory_of(prison_find(NULL, "n9999")->vnet) <= 16 * 1024);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ran[0] = '\0';
		assert_int_equal(prison_remove(prison_find(NULL, name)), 0);
	}
}

static void
test_list_is_in_order_of_creation_and_ids_are_not_reused(void **state)
{
	struct vnet *a = vnet_alloc(), *b = vnet_alloc(), *c = vnet_alloc(), *d, *v;
	uint32_t last = 0, last_id = c->id;
	int n = 0;

	(void)state;
	vnet_destroy(c);
	vnet_destroy(a);
	d = vnet_alloc();
	assert_true(d->id > last_id);
	VNET_FOREACH(v) {
		assert_true(v == vnet0 || v->id > last);
		last = v->id;
		n++;
	}
	assert_int_equal(n, 3);
	assert_ptr_equal(vnet_by_handle((uintptr_t)b), b);
	assert_null(vnet_by_handle((uintptr_t)b + 1));
	assert_ptr_equal(vnet_after(b->id), d);
	vnet_destroy(b);
	vnet_destroy(d);
}

static void
test_memory_of_a_stack_stays_on_its_account_after_its_end(void **state)
{
	uint64_t before = vnet_memory();
	struct vnet *vnet = vnet_alloc();
	void *moved;

	(void)state;
	{
		VNET_SCOPE(vnet);
		moved = vnet_malloc(1000);
	}
	assert_true(vnet_memory_of(vnet) >= 1000);
	vnet_destroy(vnet);
	assert_int_equal(vnet_memory(), before + 1000);
	vnet_free(moved);
	assert_int_equal(vnet_memory(), before);
}

static struct vnet *callout_saw;

static void
callout_look(void *arg)
{
	(void)arg;
	callout_saw = curvnet;
}

static void
test_callout_runs_in_its_own_stack(void **state)
{
	struct vnet *vnet = vnet_alloc();
	struct callout c;

	(void)state;
	callout_init(&c, vnet, callout_look, NULL);
	callout_reset(&c, NS_PER_SEC);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_ptr_equal(callout_saw, vnet);
	assert_ptr_equal(curvnet, vnet0);
	vnet_destroy(vnet);
}

static struct vnet *elsewhere;

static void
callout_strays(void *arg)
{
	(void)arg;
	curvnet = elsewhere;
}

static int
strays_verb(struct verb_run *v)
{
	curvnet = elsewhere;
	(void)v;
	return 0;
}
VERB_DEFINE(strays, .name = "strays", .run = strays_verb);

static void
run_stray_callout(void)
{
	struct callout c;

	callout_init(&c, vnet0, callout_strays, NULL);
	callout_reset(&c, NS_PER_SEC);
	sched_run(clock_now() + 2 * NS_PER_SEC);
}

static void
run_stray_verb(void)
{
	verb_line(NULL, "strays", false, NULL, NULL);
}

static void
expect_abort(void (*fn)(void))
{
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
test_b06_who_leaves_in_another_stack_is_stopped(void **state)
{
	(void)state;
	elsewhere = vnet_alloc();
	expect_abort(run_stray_callout);
	expect_abort(run_stray_verb);
	vnet_destroy(elsewhere);
}

/* Each allocation of these fails once, in turn. */
static const char *const corpus[] = {
	"jail -c name=a vnet persist host.hostname=h path=/p",
	"jail -c name=b persist ip4.addr=10.0.0.1",
	"jexec a sysctl test.colour=3",
	"jail -m name=a host.hostname=other children.max=5",
	"jexec a jail -c name=c persist",
	"jail -c name=d vnet command=sysctl -n test.colour",
	"jls -n",
	"netstat -Q",
	"netstat -s",
	"show all vnets",
	"jail -r b",
};

static void
test_b06_stack_is_restored_whichever_allocation_fails(void **state)
{
	struct audit_counts before;
	char leaks[200];
	bool more = true;

	(void)state;
	audit_take(&before);
	for (uint64_t n = 1; more; n++) {
		assert_true(n < 10000);
		ran[0] = '\0';
		vnet_malloc_fail_at(n);
		for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
			verb_line(NULL, corpus[i], false, NULL, NULL);
			assert_ptr_equal(curvnet, vnet0);
			assert_ptr_equal(curprison, &prison0);
			ran[0] = '\0';
		}
		more = !vnet_malloc_fail_pending();
		vnet_malloc_fail_at(0);
		expect_line("jail -r all", 0, "", "");
		if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
			fail_msg("allocation %d: %s", (int)n, leaks);
	}
}

static void
test_audit_says_what_was_left(void **state)
{
	struct audit_counts before;
	char text[100];
	void *p;

	(void)state;
	audit_take(&before);
	assert_int_equal(audit_compare(&before, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	p = vnet_malloc(5);
	assert_int_equal(audit_compare(&before, text, sizeof(text)), 1);
	assert_string_equal(text, "vnet memory +5");
	assert_int_equal(audit_compare(&before, text, 6), 1);
	assert_string_equal(text, "vnet ");
	assert_int_equal(audit_compare(&before, NULL, 0), 1);
	vnet_free(p);
}

static void
test_floor_comes_up_again_after_it_went_down(void **state)
{
	(void)state;
	kern_init();
	kern_fini();
	kern_fini();
	assert_null(curvnet);
	kern_init();
	assert_int_equal(vnet0->id, 0);
	assert_ptr_equal(curvnet, vnet0);
	audit_take(&fixture_before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROOMS_TEST(
		    test_b05_new_stack_starts_with_initial_values_not_the_hosts_current_ones),
		ROOMS_TEST(test_b05_fresh_stacks_list_equals_the_hosts_list_before_any_change),
		ROOMS_TEST(test_rooms_start_bottom_up_and_end_top_down),
		ROOMS_TEST(test_b33_printed_lists_equal_what_runs_at_start_and_at_the_end),
		ROOMS_TEST(test_creation_without_memory_undoes_what_was_done),
		ROOMS_TEST(test_thousand_rounds_leave_no_byte),
		ROOMS_TEST(test_ten_thousand_jails_fit_and_idle_ones_are_small),
		ROOMS_TEST(test_list_is_in_order_of_creation_and_ids_are_not_reused),
		ROOMS_TEST(test_memory_of_a_stack_stays_on_its_account_after_its_end),
		ROOMS_TEST(test_callout_runs_in_its_own_stack),
		ROOMS_TEST(test_b06_who_leaves_in_another_stack_is_stopped),
		ROOMS_TEST(test_b06_stack_is_restored_whichever_allocation_fails),
		ROOMS_TEST(test_audit_says_what_was_left),
		ROOMS_TEST(test_floor_comes_up_again_after_it_went_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
