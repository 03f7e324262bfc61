/*
 * Unit tests of doors (port/divert_door.c, divert_cmd.c): a program in live time, which is the test
 * itself, at the other end of a socket.
 */
#include "fw_taker.h"

#include "ipfw/auth.h"
#include "port/loop.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64];

static int
setup(void **state)
{
	(void)state;
	if (worker_attach(0, CLOCK_LIVE) == NULL)
		return -1;
	audit_take(&inet_before);
	kern_init();
	log_set_sink(catch_log, NULL);
	memif_open(&lan, 0);
	command("ifconfig mem0 inet 10.0.0.1/24");
	neighbour(&lan, "10.0.0.2");
	linklocal6(&lan);
	router();
	snprintf(path, sizeof(path), "/tmp/warren-door-%d", (int)getpid());
	return 0;
}

static int
teardown(void **state)
{
	char text[256];
	int differ;

	(void)state;
	command("jail -r all");
	settle();
	if (wan.ifp != NULL)
		memif_close(&wan);
	memif_close(&lan);
	rcu_synchronize();
	curvnet = NULL;
	kern_fini();
	rcu_synchronize();
	loop_fini();
	differ = audit_compare(&inet_before, text, sizeof(text));
	if (differ != 0)
		print_error("left behind: %s\n", text);
	worker_detach();
	return differ + (access(path, F_OK) == 0);
}
#define DOOR_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void
open_for(const char *what)
{
	char line[128];

	snprintf(line, sizeof(line), "ipfw door open %s %s", what, path);
	command(line);
}

/* What the command says, its status checked. */
static void
expect(const char *line, int status, const char *text)
{
	char *out, *err;

	assert_int_equal(verb_line(NULL, line, false, &out, &err), status);
	if (strstr(status == 0 ? out : err, text) == NULL)
		fail_msg("%s: no '%s' in '%s%s'", line, text, out, err);
	free(out);
	free(err);
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_turn(0);
	settle();
}

/* A program comes. */
static int
program(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, path, strlen(path) + 1);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const void *)&sun, sizeof(sun)), 0);
	turn();
	return fd;
}

static bool
reads(int fd, struct datagram *d)
{
	uint8_t bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n < (ssize_t)sizeof(d->h))
		return false;
	memcpy(&d->h, bytes, sizeof(d->h));
	d->len = (uint32_t)n - (uint32_t)sizeof(d->h);
	memcpy(d->packet, bytes + sizeof(d->h), d->len);
	return true;
}

static void
writes(int fd, const struct datagram *d)
{
	assert_int_equal(send(fd, d, sizeof(d->h) + d->len, 0), sizeof(d->h) + d->len);
	turn();
}

/* --- */

static void
test_a_program_sees_and_returns_packets(void **state)
{
	struct datagram d;
	int fd;

	(void)state;
	open_for("divert 8668");
	add("100 divert 8668 udp from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(drops("ipfw.nooutlet"), 1); /* nobody is connected yet */
	fd = program();
	passes_through(12);
	assert_int_equal(wan.sent.len, 0);
	assert_true(reads(fd, &d));
	assert_string_equal(d.h.recv, "mem0");
	assert_int_equal(d.len, 40);
	writes(fd, &d);
	assert_int_equal(wan.sent.len, 1);
	assert_false(reads(fd, &d));
	expect("ipfw door show", 0, ": connected\n\t1 to the program, 1 from it, 0 wait, 0 lost");
	close(fd);
	turn();
	passes_through(12);
	assert_int_equal(drops("ipfw.nooutlet"), 2);
	expect("ipfw door show", 0, ": nobody is connected\n");
	fd = program(); /* and another comes */
	passes_through(12);
	assert_true(reads(fd, &d));
	close(fd);
}

static void
test_the_second_program_is_sent_away(void **state)
{
	int first, second;
	char byte;

	(void)state;
	open_for("hook 60");
	first = program();
	second = program();
	assert_int_equal(recv(second, &byte, 1, 0), 0);
	assert_int_equal(recv(first, &byte, 1, 0), -1);
	close(first);
	close(second);
}

static void
test_a_slow_program_costs_packets_not_memory(void **state)
{
	const uint32_t queue = 16;
	uint64_t sent = 0, seen = 0;
	struct datagram d;
	int fd;

	(void)state;
	open_for("divert 8668");
	command("sysctl net.inet.ip.fw.door_queue=16");
	add("100 tee 8668 udp from any to any in");
	add("200 allow ip from any to any");
	fd = program();
	while (drops("ipfw.listener") == 0 && sent++ < 10000)
		passes_through(1000);
	assert_true(sent > queue && sent < 10000);
	assert_int_equal(wan.sent.len, sent);
	passes_through(1000);
	assert_int_equal(drops("ipfw.listener"), 2);
	/* it wakes up, and has what waited in order */
	for (int i = 0; i < 100; i++) {
		while (reads(fd, &d))
			seen++;
		turn();
	}
	assert_int_equal(seen, sent - 1);
	passes_through(1000);
	assert_true(reads(fd, &d));
	close(fd);
}

static void
test_what_waits_goes_with_the_program(void **state)
{
	int fd;

	(void)state;
	open_for("divert 8668");
	command("sysctl net.inet.ip.fw.door_queue=16");
	add("100 divert 8668 udp from any to any in");
	fd = program();
	while (drops("ipfw.listener") == 0)
		passes_through(1000);
	close(fd);
	turn();
	assert_int_equal(drops("ipfw.listener"), 17);
	expect("ipfw door show", 0, "0 wait, 17 lost");
}

static void
test_a_program_judges_packets(void **state)
{
	struct datagram d;
	int fd;

	(void)state;
	open_for("auth");
	add("100 auth udp from any to any in");
	add("200 allow ip from any to any");
	fd = program();
	for (int i = 0; i < 2; i++) {
		passes_through(12);
		assert_true(reads(fd, &d));
		assert_int_equal(d.h.kind, WARREN_QUESTION);
		d.h.verdict = i == 0 ? WARREN_PASS : WARREN_BLOCK;
		d.len = 0;
		writes(fd, &d);
	}
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(fw_auth_stats().blocked, 1);
	passes_through(12);
	close(fd); /* it leaves with one undone: the next one is asked */
	turn();
	fd = program();
	assert_true(reads(fd, &d));
	close(fd);
}

static void
test_nonsense_of_a_program_is_counted(void **state)
{
	static uint8_t long_one[WARREN_DATAGRAM_MAX + 1];
	int fd;

	(void)state;
	open_for("divert 8668");
	fd = program();
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(send(fd, long_one, sizeof(long_one), 0), sizeof(long_one));
	turn();
	assert_int_equal(drops("ipfw.datagram"), 2);
	expect("ipfw door show", 0, "2 malformed");
	close(fd);
}

static void
test_doors_are_opened_and_closed(void **state)
{
	char line[256];

	(void)state;
	open_for("divert 8668");
	snprintf(line, sizeof(line), "ipfw door open divert 8668 %s.2", path);
	expect(line, 69, "has it already");
	snprintf(line, sizeof(line), "ipfw door open divert 8669 %s", path);
	expect(line, 69, "Address already in use");
	expect("ipfw door open divert 0 /tmp/x", 65, "divert ports are 1 to 65535");
	expect("ipfw door open hook x /tmp/x", 65, "hooks of the node ipfw");
	expect("ipfw door open socket 5 /tmp/x", 64, "door: open");
	expect("ipfw door open auth", 64, "door: open");
	expect("ipfw door open auth /nowhere/at/all", 69, "No such file or directory");
	expect("ipfw door open auth /dev/null", 69, "File exists");
	expect("ipfw door close hook 5", 69, "close hook 5: there is none");
	expect("ipfw door close auth", 69, "close auth: there is none");
	expect("ipfw -n door close divert 8668", 0, "");
	assert_int_equal(access(path, F_OK), 0);
	command("ipfw door close divert 8668");
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_a_door_is_for_its_owner_and_replaces_a_dead_one(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct stat st;

	(void)state;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (const void *)&sun, sizeof(sun)), 0);
	close(fd); /* the path stays */
	open_for("divert 8668");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* The end of a stack takes doors and programs with it; teardown looks. */
static void
test_doors_end_with_their_stack(void **state)
{
	char line[128], byte;
	int fd;

	(void)state;
	command("jail -c name=r1 vnet persist");
	snprintf(line, sizeof(line), "jexec r1 ipfw door open divert 8668 %s", path);
	command(line);
	expect("ipfw door show", 0, "");
	fd = program();
	command("jail -r r1");
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DOOR_TEST(test_a_program_sees_and_returns_packets),
		DOOR_TEST(test_the_second_program_is_sent_away),
		DOOR_TEST(test_a_slow_program_costs_packets_not_memory),
		DOOR_TEST(test_what_waits_goes_with_the_program),
		DOOR_TEST(test_a_program_judges_packets),
		DOOR_TEST(test_nonsense_of_a_program_is_counted),
		DOOR_TEST(test_doors_are_opened_and_closed),
		DOOR_TEST(test_a_door_is_for_its_owner_and_replaces_a_dead_one),
		DOOR_TEST(test_doors_end_with_their_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
