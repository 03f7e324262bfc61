/*
 * What concerns the house as a whole: every room is linked, and each test is a behaviour of all of
 * them.
 */
#include "kern_fixture.h"

#include "base/mbuf.h"
#include "base/rcu.h"
#include "base/sched.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "net/if.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The host's stack keeps a table that grew until its end: so the audit stands around that. */
static int
house_setup(void **state)
{
	(void)state;
	worker_attach(0, CLOCK_VIRTUAL);
	audit_take(&fixture_before);
	assert_int_equal(sysctl_tune("net.fibs", "2", NULL, 0), 0);
	kern_init();
	return 0;
}

static int
house_teardown(void **state)
{
	char leaks[256];
	int differ;

	(void)state;
	verb_line(NULL, "jail -r all", false, NULL, NULL);
	while (netisr_run())
		continue;
	kern_fini();
	rcu_synchronize();
	differ = audit_compare(&fixture_before, leaks, sizeof(leaks));
	if (differ != 0)
		print_error("leaked: %s\n", leaks);
	worker_detach();
	return differ;
}
#define HOUSE_TEST(fn) cmocka_unit_test_setup_teardown(fn, house_setup, house_teardown)

static struct prison *
jail_named(const char *name)
{
	return name == NULL ? NULL : prison_find(&prison0, name);
}

/* In a jail, to its end; a command that stays is cancelled. */
static int
run_in(const char *jail, const char *line, char **out, char **err)
{
	int status = verb_line(jail_named(jail), line, false, out, err);

	assert_ptr_equal(curvnet, vnet0);
	assert_ptr_equal(curprison, &prison0);
	return status;
}

static void
must(const char *jail, const char *line)
{
	char *err;

	if (run_in(jail, line, NULL, &err) != 0)
		fail_msg("%s: %s", line, err);
	free(err);
}

/* --- 5: initial values --------------------------------------------------- */

static void
list_value(const struct sysctl_oid *oid, void *ctx)
{
	char text[512];

	if (!(oid->flags & SYSCTL_VNET) || oid->type == SYSCTL_T_OPAQUE)
		return;
	if (sysctl_read(oid, text, sizeof(text)) != 0)
		snprintf(text, sizeof(text), "?");
	fprintf(ctx, "%s=%s\n", oid->name, text);
}

/* Every per-stack value of a stack, a line each; free(). */
static char *
values_of(struct vnet *vnet)
{
	char *list;
	size_t len;
	FILE *f = open_memstream(&list, &len);
	VNET_SCOPE(vnet);

	sysctl_foreach("", list_value, f);
	fclose(f);
	return list;
}

static char *
read_file(const char *name)
{
	const char *source = getenv("WARREN_SOURCE");
	char path[512], *text = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", source != NULL ? source : ".", name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s is not there: run me by meson test", path);
	assert_true(fread(text, 1, 65535, f) < 65535);
	fclose(f);
	return text;
}

/* The first line in which two lists differ. */
static void
expect_list(const char *list, const char *golden)
{
	while (*list != '\0' && *list == *golden) {
		size_t n = strcspn(list, "\n") + 1;

		if (strncmp(list, golden, n) != 0)
			break;
		list += n;
		golden += n;
	}
	if (*list != '\0' || *golden != '\0')
		fail_msg("tests/data/stack-sysctls.txt has '%.*s' and the stack '%.*s'",
		    (int)strcspn(golden, "\n"), golden, (int)strcspn(list, "\n"), list);
}

static uint32_t changed;

/* Another value within the bounds. */
static void
change_value(const struct sysctl_oid *oid, void *ctx)
{
	char was[512], value[32];

	(void)ctx;
	if (!(oid->flags & SYSCTL_VNET) || !(oid->flags & SYSCTL_RW) ||
	    oid->type == SYSCTL_T_OPAQUE || sysctl_read(oid, was, sizeof(was)) != 0)
		return;
	if (oid->type == SYSCTL_T_STRING || oid->type == SYSCTL_T_U64)
		snprintf(value, sizeof(value), "%d", strcmp(was, "1") == 0 ? 2 : 1);
	else
		snprintf(value, sizeof(value), "%lld",
		    (long long)(strtoll(was, NULL, 10) == oid->max ? oid->min : oid->max));
	if (sysctl_write(oid, value, NULL, 0) == 0)
		changed++;
}

static void
test_b05_golden_list_of_every_stacks_initial_values(void **state)
{
	char *golden = read_file("tests/data/stack-sysctls.txt"), *list;

	(void)state;
	list = values_of(vnet0);
	expect_list(list, golden);
	free(list);
	/* Whatever the host has now, the next stack has what was compiled in. */
	changed = 0;
	sysctl_foreach("", change_value, NULL);
	assert_true(changed > 10);
	assert_non_null(prison_create(NULL, "fresh", true));
	list = values_of(jail_named("fresh")->vnet);
	expect_list(list, golden);
	free(list);
	free(golden);
}

/* --- 6: whichever allocation fails --------------------------------------- */

/* Where, and what. The host's are the first, so that all floors have something to lose. */
static const struct {
	const char *jail, *line;
	bool ends; /* at once, with yes */
} corpus[] = {
	{ NULL, "jail -c name=a vnet persist", true },
	{ NULL, "jail -c name=b vnet persist vnet.interface=lo9", false },
	{ NULL, "ifconfig epair7 create", true },
	{ NULL, "ifconfig epair7a inet 10.7.0.1/24 up", true },
	{ NULL, "ifconfig epair7b vnet a", true },
	{ "a", "ifconfig epair7b inet 10.7.0.2/24 up", true },
	{ "a", "ifconfig lo0 inet 127.0.0.1/8", true },
	{ "a", "ifconfig epair7b inet 10.7.1.2/24 alias", true },
	{ "a", "ifconfig epair7b name wan description uplink", true },
	{ "a", "ifconfig wan link rate 10Mbit/s delay 1ms", true },
	{ "a", "route add default 10.7.0.1", true },
	{ "a", "setfib 1 route add 10.8.0.0/16 10.7.0.1", true },
	{ "a", "route change default 10.7.0.9", true },
	{ "a", "route -n get 10.9.9.9", true },
	{ "a", "arp -s 10.7.0.77 02:00:00:00:00:77", true },
	{ "a", "arp -an", true },
	{ "a", "ping -c 1 -t 1 127.0.0.1", false },
	{ NULL, "ping -c 1 -t 1 10.7.0.2", false },
	{ NULL, "traceroute -n -m 1 -q 1 -w 1 10.7.0.2", false },
	{ "a", "netstat -rn", true },
	{ "a", "netstat -i", true },
	{ "a", "netstat -s", true },
	{ "a", "netstat -Q", true },
	{ "a", "sysctl net.inet.ip.forwarding=1", true },
	{ "a", "show ifnets", true },
	{ "a", "show all lltables", true },
	{ NULL, "savecore -", true },
	{ NULL, "sysctl -a", true },
	{ NULL, "netstat -m", true },
	{ "a", "route flush", true },
	{ "a", "arp -ad", true },
	{ "a", "ifconfig wan inet 10.7.1.2 delete", true },
	{ NULL, "jail -r a", true },
	{ NULL, "ifconfig epair7a destroy", true },
};

/* `all`: every line must say yes (but those that wait are cancelled). */
static void
run_corpus(bool all)
{
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		if (corpus[i].jail != NULL && jail_named(corpus[i].jail) == NULL)
			continue;
		if (all && corpus[i].ends)
			must(corpus[i].jail, corpus[i].line);
		else
			run_in(corpus[i].jail, corpus[i].line, NULL, NULL);
	}
	/* What waits: ARP's answers, pings in flight, late frees. */
	sched_run(clock_now() + 30 * NS_PER_SEC);
	verb_line(NULL, "jail -r all", false, NULL, NULL);
	verb_line(NULL, "ifconfig epair7a destroy", false, NULL, NULL);
	sched_run(clock_now() + 1800 * NS_PER_SEC);
}

static void
test_b06_every_room_restores_the_stack_whichever_allocation_fails(void **state)
{
	struct audit_counts before;
	char leaks[200];
	bool more = true;
	uint64_t n;

	(void)state;
	run_corpus(true); /* the host keeps tables that grew; from here on nothing grows */
	audit_take(&before);
	for (n = 1; more; n++) {
		vnet_malloc_fail_at(n);
		run_corpus(false);
		more = !vnet_malloc_fail_pending();
		vnet_malloc_fail_at(0);
		if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
			fail_msg("allocation %d: %s", (int)n, leaks);
	}
	assert_true(n > 40);
}

/* The same without packets: every m_get is refused. */
static void
test_b06_every_room_restores_the_stack_without_packets(void **state)
{
	struct audit_counts before;
	uint64_t limit;
	char leaks[200];

	(void)state;
	run_corpus(true);
	audit_take(&before);
	limit = m_set_limit(1);
	run_corpus(false);
	m_set_limit(limit);
	if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
		fail_msg("%s", leaks);
}

/* --- 11: who waits must not hold others up ------------------------------- */

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
wait_inside_a_section(void)
{
	rcu_read_lock();
	rcu_synchronize();
}

static void
test_b11_who_waits_inside_a_readers_section_is_stopped(void **state)
{
	(void)state;
	expect_abort(wait_inside_a_section);
}

/* --- 12: a family that is not ready -------------------------------------- */

/* As if attaching were under way and could not go on: nobody may look at the family's data. */
static void
test_b12_an_interface_whose_family_is_not_ready_is_as_not_attached(void **state)
{
	static const char *const lines[] = { "ifconfig epair0a inet 10.0.0.1/24",
		"ifconfig epair0a inet 10.0.0.2/24 alias", "ifconfig epair0a",
		"arp -s 10.0.0.7 02:00:00:00:00:07", "arp -an", "arp -d 10.0.0.7", "arp -ad",
		"route add 10.9.0.0/16 -interface epair0a", "ping -c 1 -t 1 10.9.0.1",
		"route delete 10.9.0.0/16", "ifconfig epair0a down", "ifconfig epair0a up",
		"ifconfig epair0a ether 02:00:00:00:00:99", "ifconfig epair0a mtu 1400",
		"netstat -i", "netstat -rn", "show all lltables", "savecore -",
		"ifconfig epair0a inet 10.0.0.1 delete" };
	struct ifnet *ifp;
	char *out;
	void *data;

	(void)state;
	must(NULL, "ifconfig epair0 create");
	must(NULL, "ifconfig epair0b up");
	ifp = if_byname("epair0a");
	data = ifp->if_afdata[AF_SLOT_INET];
	ifp->if_afstate[AF_SLOT_INET] = AF_ATTACHING;
	ifp->if_afdata[AF_SLOT_INET] = NULL;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		run_in(NULL, lines[i], NULL, NULL);
		sched_run(clock_now() + NS_PER_SEC);
	}
	run_in(NULL, "ifconfig epair0a", &out, NULL);
	assert_null(strstr(out, "inet "));
	free(out);
	assert_int_equal(ifp->if_afstate[AF_SLOT_INET], AF_ATTACHING);
	ifp->if_afdata[AF_SLOT_INET] = data;
	ifp->if_afstate[AF_SLOT_INET] = AF_READY;
	must(NULL, "ifconfig epair0a inet 10.0.0.1/24");
	must(NULL, "arp -s 10.0.0.7 02:00:00:00:00:07");
	must(NULL, "ifconfig epair0a destroy");
}

/* --- 22: a stack's tables end with it ------------------------------------ */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
enum { STACKS = 2000 };
#else
enum { STACKS = 10000 };
#endif

static void
live_and_end(int round, uint32_t fibs)
{
	char name[16], line[80];

	snprintf(name, sizeof(name), "n%d", round);
	assert_non_null(prison_create(NULL, name, true));
	must(name, "ifconfig lo0 inet 127.0.0.1/8");
	for (uint32_t fib = 0; fib < fibs; fib++) {
		snprintf(
		    line, sizeof(line), "setfib %u route add 10.%u.0.0/16 127.0.0.1", fib, fib);
		must(name, line);
	}
	assert_int_equal(prison_remove(jail_named(name)), 0);
}

static void
check_memory_is_flat(uint32_t fibs)
{
	struct audit_counts before;
	uint64_t vnet_bytes = 0;
	size_t heap = 0;
	char leaks[200];

	for (int i = 0; i < STACKS; i++) {
		live_and_end(i, fibs);
		if (i % 100 != 99)
			continue;
		sched_run(clock_now() + NS_PER_SEC);
		rcu_synchronize();
		if (i == 99) {
			audit_take(&before);
			vnet_bytes = vnet_memory();
			heap = mallinfo2().uordblks;
		}
	}
	if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
		fail_msg("%s", leaks);
	assert_int_equal(vnet_memory(), vnet_bytes);
	/* Nor in what rooms take elsewhere: less than 4 bytes for a stack. */
	if (mallinfo2().uordblks > heap + 4 * STACKS)
		fail_msg("the heap grew by %zu bytes", mallinfo2().uordblks - heap);
}

static void
test_b22_ten_thousand_stacks_leave_memory_flat(void **state)
{
	(void)state;
	check_memory_is_flat(2);
}

static void
test_b22_ten_thousand_stacks_with_16_fibs_leave_memory_flat(void **state)
{
	(void)state;
	kern_fini();
	assert_int_equal(sysctl_tune("net.fibs", "16", NULL, 0), 0);
	kern_init();
	expect_line("sysctl -n net.fibs", 0, "16\n", "");
	check_memory_is_flat(16);
}

/* --- 33: the order of starting and ending -------------------------------- */

static struct {
	const struct vnet_sysinit *entry[256];
	size_t n;
} ran;

static void
note_entry(const struct vnet_sysinit *s, bool uninit)
{
	(void)uninit;
	assert_true(ran.n < 256);
	ran.entry[ran.n++] = s;
}

/* What `show vnet_sys…` prints of an entry, line by line. */
static void
expect_listed(const char *line)
{
	char *out, *at;

	assert_int_equal(verb_line(NULL, line, false, &out, NULL), 0);
	at = out;
	for (size_t i = 0; i < ran.n; i++) {
		const struct vnet_sysinit *s = ran.entry[i];
		char expected[256];

		snprintf(expected, sizeof(expected), "\n%s(%p)\n  0x%08x 0x%08x\n  %p(%s)(%p)",
		    s->name, (const void *)s, (unsigned)s->subsystem, (unsigned)s->order,
		    (void *)(uintptr_t)s->func, s->name, s->arg);
		at = strstr(at, expected);
		if (at == NULL)
			fail_msg("%s: not there, or not in order:%s", line, expected);
		at++;
	}
	free(out);
}

static void
expect_sorted(int direction)
{
	assert_true(ran.n > 5);
	for (size_t i = 1; i < ran.n; i++) {
		const struct vnet_sysinit *a = ran.entry[i - 1], *b = ran.entry[i];
		long d = ((long)a->subsystem - (long)b->subsystem) * 0x10000 + a->order - b->order;

		assert_true(d * direction <= 0);
	}
}

static void
test_b33_teardown_of_the_whole_house_is_the_printed_list(void **state)
{
	(void)state;
	vnet_sysinit_trace = note_entry;
	ran.n = 0;
	assert_non_null(prison_create(NULL, "a", true));
	expect_sorted(1);
	expect_listed("show vnet_sysinit");
	ran.n = 0;
	assert_int_equal(prison_remove(jail_named("a")), 0);
	expect_sorted(-1);
	expect_listed("show vnet_sysuninit");
	vnet_sysinit_trace = NULL;
}

/* --- 46: who may do what ------------------------------------------------- */

enum { HOST, CLASSIC, VNET_JAIL, NESTED, PLACES };
static const char *const places[PLACES] = { NULL, "classic", "vnet", "vnet.nested" };

/*
 * An operation in each place: status 0 ('y'), else a text of its refusal: 'p' Operation not
 * permitted, 'r' must be root, 'f' not found, 'a' no such address, '!' any other.
 */
static const struct {
	const char *line;
	char expected[PLACES + 1];
} operations[] = {
	/* network route, own host route, another's host route */
	{ "route -n get 10.9.1.1", "yfyf" },
	{ "route -n get 10.0.0.1", "yyyy" },
	{ "route -n get 10.1.0.1", "yfff" },
	{ "ifconfig -l", "yyyy" },
	{ "ifconfig epair0a", "yyyy" },
	{ "netstat -in", "yyyy" },
	{ "netstat -rn", "yyyy" },
	{ "arp -an", "yyyy" },
	{ "sysctl net.inet.ip.ttl", "yyyy" },
	{ "ifconfig epair0a mtu 1400", "ypyp" },
	{ "ifconfig epair0a mtu 1500", "ypyp" },
	{ "ifconfig lo0 inet 127.0.0.1/8", "ypyp" },
	{ "ifconfig lo7 create", "ypyp" },
	{ "route add 10.8.0.0/16 10.0.0.9", "yryr" },
	{ "route delete 10.8.0.0/16", "yryr" },
	{ "arp -s 10.0.0.7 02:00:00:00:00:07", "ypyp" },
	{ "arp -d 10.0.0.7", "ypyp" },
	{ "sysctl net.inet.ip.ttl=63", "ypyp" },
	{ "sysctl net.ifdescr_maxlen=100", "yppp" },
	{ "netstat -sz -p drop", "ypyp" },
	{ "ping -c 1 -t 1 10.0.0.1", "ypyp" },
	{ "ping -c 1 -t 1 -S 10.1.0.1 10.0.0.1", "ypap" },
	{ "traceroute -n -m 1 -q 1 -w 1 10.0.0.1", "ypyp" },
	{ "jail -c name=inner persist", "ypyp" },
	{ "jail -r inner", "ypyp" },
	{ "savecore -", "yppp" },
};

static bool
is_answer(char expected, int status, const char *err)
{
	static const struct {
		char code;
		const char *text;
	} texts[] = {
		{ 'p', "Operation not permitted" },
		{ 'r', "must be root" },
		{ 'f', "route has not been found" },
		{ 'a', "Can't assign requested address" },
	};

	if (expected == 'y')
		return status == 0 && err[0] == '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].code == expected)
			return status != 0 && strstr(err, texts[i].text) != NULL;
	return status != 0;
}

/* A line to its end, in virtual time. */
struct ending {
	char err[512];
	size_t len;
	int status;
	bool done;
};

static void
hear_err(void *ctx, const char *bytes, size_t len)
{
	struct ending *e = ctx;

	if (len >= sizeof(e->err) - e->len)
		len = sizeof(e->err) - e->len - 1;
	memcpy(e->err + e->len, bytes, len);
	e->len += len;
}

static void
hear_nothing(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
}

static void
hear_end(void *ctx, int status)
{
	struct ending *e = ctx;

	e->status = status;
	e->done = true;
}

static void
run_to_its_end(struct ending *e, const char *jail, const char *line)
{
	struct verb_io io = { .out = hear_nothing, .err = hear_err, .done = hear_end, .ctx = e };
	const char *why;
	char **argv;
	int argc;

	*e = (struct ending){};
	assert_int_equal(verb_split(line, &argc, &argv, &why), 0);
	verb_exec(argc, argv, jail_named(jail), 0, &io);
	verb_split_free(argc, argv);
	for (int i = 0; i < 10 && !e->done; i++)
		sched_run(clock_now() + NS_PER_SEC);
	assert_true(e->done);
}

static void
make_places(void)
{
	must(NULL, "jail -c name=classic persist ip4.addr=10.0.0.1");
	must(NULL, "jail -c name=vnet vnet persist children.max=2");
	must(NULL, "jail -c name=vnet.nested persist ip4.addr=10.0.0.1");
	for (int i = 0; i < 2; i++) {
		const char *jail = i == 0 ? NULL : "vnet";

		must(jail, "ifconfig epair0 create");
		must(jail, "ifconfig epair0a inet 10.0.0.1/24 up");
		must(jail, "ifconfig epair0b up");
		must(jail, "ifconfig lo0 up");
		must(jail, "route add 10.9.0.0/16 10.0.0.9");
	}
	must(NULL, "ifconfig epair1 create");
	must(NULL, "ifconfig epair1a inet 10.1.0.1/24 up");
}

static void
unmake_places(void)
{
	must(NULL, "jail -r all");
	must(NULL, "route delete 10.9.0.0/16");
	must(NULL, "ifconfig epair0a destroy");
	must(NULL, "ifconfig epair1a destroy");
	verb_line(NULL, "ifconfig lo7 destroy", false, NULL, NULL);
	verb_line(NULL, "ifconfig lo0 inet 127.0.0.1 delete", false, NULL, NULL);
	verb_line(NULL, "sysctl net.ifdescr_maxlen=1024", false, NULL, NULL);
	sched_run(clock_now() + 1800 * NS_PER_SEC);
}

static void
test_b46_operations_by_host_classic_jail_jail_with_a_stack_and_jail_in_it(void **state)
{
	struct ending e;
	int wrong = 0;

	(void)state;
	make_places();
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		for (int p = 0; p < PLACES; p++) {
			run_to_its_end(&e, places[p], operations[i].line);
			if (is_answer(operations[i].expected[p], e.status, e.err))
				continue;
			print_error("%s: %s: wanted '%c', got %d %s\n",
			    places[p] != NULL ? places[p] : "host", operations[i].line,
			    operations[i].expected[p], e.status, e.err);
			wrong++;
		}
	assert_int_equal(wrong, 0);
	unmake_places();
}

/* A classic jail sees the stack's interfaces and of addresses and routes only its own. */
static void
test_b46_a_classic_jail_lists_its_own_addresses_and_routes(void **state)
{
	char *out;

	(void)state;
	make_places();
	run_in("classic", "ifconfig", &out, NULL);
	assert_non_null(strstr(out, "inet 10.0.0.1"));
	assert_null(strstr(out, "10.1.0.1"));
	free(out);
	run_in("classic", "netstat -in", &out, NULL);
	assert_non_null(strstr(out, "10.0.0.1"));
	assert_null(strstr(out, "10.1.0.1"));
	free(out);
	run_in("classic", "netstat -rn", &out, NULL);
	assert_null(strstr(out, "10.9.0.0/16"));
	assert_null(strstr(out, "10.1.0"));
	free(out);
	run_in("vnet", "ifconfig -l", &out, NULL);
	assert_string_equal(out, "lo0 epair0a epair0b\n");
	free(out);
	run_in("vnet", "netstat -rn", &out, NULL);
	assert_non_null(strstr(out, "10.9.0.0/16"));
	free(out);
	unmake_places();
}

/* --- jail's own words for interfaces and commands ------------------------ */

static void
test_jail_takes_interfaces_along_and_they_come_home(void **state)
{
	char *out;

	(void)state;
	must(NULL, "ifconfig epair0 create");
	must(NULL, "ifconfig epair0a inet 10.0.0.1/24 up");
	must(NULL, "jail -c name=a vnet persist vnet.interface=epair0b");
	run_in("a", "ifconfig -l", &out, NULL);
	assert_string_equal(out, "lo0 epair0b\n");
	free(out);
	/* One that is not there: nothing moves, nothing is made, the address stays. */
	expect_line("jail -c name=b vnet persist vnet.interface=epair0a,nope0", 1, "",
	    "jail: vnet.interface: nope0: Device not configured\n");
	assert_null(jail_named("b"));
	assert_true(says("ifconfig epair0a", false, "inet 10.0.0.1"));
	expect_line("jail -c name=b vnet persist vnet.interface=lo0", 1, "",
	    "jail: vnet.interface: lo0: Invalid argument\n");
	/* Into a jail that is there. */
	expect_line("jail -m name=a vnet.interface=nope0", 1, "", NULL);
	must(NULL, "jail -m name=a vnet.interface=epair0a");
	expect_line("jexec a ifconfig -l", 0, "lo0 epair0b epair0a\n", "");
	must(NULL, "jail -r a");
	expect_line("ifconfig -l", 0, "lo0 epair0b epair0a\n", "");
	must(NULL, "ifconfig epair0a destroy");
}

static void
test_jail_runs_its_command_with_the_interface_in_it(void **state)
{
	(void)state;
	must(NULL, "ifconfig epair0 create");
	expect_line("jail -c name=a vnet vnet.interface=epair0b command=ifconfig -l", 0,
	    "lo0 epair0b\n", "");
	/* The jail ended with its command, and the interface is home. */
	assert_null(jail_named("a"));
	assert_true(says("ifconfig -l", false, "epair0b"));
	expect_line("jail -c name=a vnet vnet.interface=epair0b command=route add default 10.0.0.1",
	    1, NULL, NULL);
	assert_null(jail_named("a"));
	must(NULL, "ifconfig epair0a destroy");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOUSE_TEST(test_b05_golden_list_of_every_stacks_initial_values),
		HOUSE_TEST(test_b06_every_room_restores_the_stack_whichever_allocation_fails),
		HOUSE_TEST(test_b06_every_room_restores_the_stack_without_packets),
		HOUSE_TEST(test_b11_who_waits_inside_a_readers_section_is_stopped),
		HOUSE_TEST(test_b12_an_interface_whose_family_is_not_ready_is_as_not_attached),
		HOUSE_TEST(test_b22_ten_thousand_stacks_leave_memory_flat),
		HOUSE_TEST(test_b22_ten_thousand_stacks_with_16_fibs_leave_memory_flat),
		HOUSE_TEST(test_b33_teardown_of_the_whole_house_is_the_printed_list),
		HOUSE_TEST(
		    test_b46_operations_by_host_classic_jail_jail_with_a_stack_and_jail_in_it),
		HOUSE_TEST(test_b46_a_classic_jail_lists_its_own_addresses_and_routes),
		HOUSE_TEST(test_jail_takes_interfaces_along_and_they_come_home),
		HOUSE_TEST(test_jail_runs_its_command_with_the_interface_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
