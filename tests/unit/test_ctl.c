/*
 * test_ctl.c - the control socket: the conversation byte by byte, then the socket and its bounds.
 */
#include "control/ctl_server.h"

#include "base/clock.h"
#include "control/ctl_proto.h"
#include "control/process.h"
#include "kern/jail.h"
#include "kern/verb.h"
#include "port/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* --- tools of these tests ------------------------------------------------ */

static struct verb_run *waiting;
static int cancels;

static void
wait_cancel(struct verb_run *v)
{
	cancels++;
	waiting = NULL;
	verb_finish(v, 7);
}

/* Waits until it is cancelled, or until a test ends it. */
static int
wait_run(struct verb_run *v)
{
	v->cancel = wait_cancel;
	waiting = v;
	return VERB_PENDING;
}
VERB_DEFINE(testwait, .name = "testwait", .run = wait_run);

/* Writes as many bytes as it is told. */
static int
loud_run(struct verb_run *v)
{
	uint64_t n = 0;

	assert_true(verb_number(v->argv[1], 0, UINT32_MAX, &n));
	for (uint64_t i = 0; i < n; i++)
		emit_text(v->out, "%c", (char)('a' + i % 26));
	return 0;
}
VERB_DEFINE(testloud, .name = "testloud", .run = loud_run);

/* Says its words, its FIB and its folder. */
static int
words_run(struct verb_run *v)
{
	char *cwd = getcwd(NULL, 0);

	for (int i = 0; i < v->argc; i++)
		emit_text(v->out, "[%s]", v->argv[i]);
	emit_text(v->out, " fib %u in %s\n", v->fib, cwd);
	free(cwd);
	return verb_error(v, 3, "an error");
}
VERB_DEFINE(testwords, .name = "testwords", .run = words_run);

/* --- what came back ------------------------------------------------------ */

struct heard {
	uint8_t bytes[4 << 20];
	size_t len, at;
};
static struct heard heard;
static struct ctl_conn *conn;

static void
hear(void *ctx, const void *bytes, unsigned len)
{
	struct heard *h = ctx;

	assert_true(h->len + len <= sizeof(h->bytes));
	memcpy(h->bytes + h->len, bytes, len);
	h->len += len;
}

/* The next frame; 0 when there is none. */
static uint32_t
next_frame(const uint8_t **payload, size_t *len)
{
	const uint8_t *at = heard.bytes + heard.at;
	uint32_t type;

	if (heard.len - heard.at < CTL_HEADER)
		return 0;
	*len = __builtin_bswap32(load32(at));
	if (heard.len - heard.at < CTL_HEADER + *len)
		return 0;
	type = __builtin_bswap32(load32(at + 4));
	*payload = at + CTL_HEADER;
	heard.at += CTL_HEADER + *len;
	return type;
}

struct answer {
	bool done;
	uint32_t status;
	uint64_t out_made, err_made;
	size_t out_len, err_len;
	char out[2048], err[2048]; /* their beginnings */
};

static void
keep(char *to, size_t *have, const uint8_t *bytes, size_t len)
{
	size_t room = 2047 > *have ? 2047 - *have : 0;

	memcpy(to + (*have < 2047 ? *have : 2047), bytes, len < room ? len : room);
	*have += len;
}

/* All frames up to DONE. */
static struct answer
answer(void)
{
	struct answer a = {};
	const uint8_t *p = NULL;
	size_t len = 0;
	uint32_t type;

	while (!a.done && (type = next_frame(&p, &len)) != 0) {
		struct ctl_reader r = { p, p + len, false };

		if (type == CTL_OUT)
			keep(a.out, &a.out_len, p, len);
		else if (type == CTL_ERR)
			keep(a.err, &a.err_len, p, len);
		else if (type == CTL_DONE) {
			a.done = true;
			a.status = ctl_read32(&r);
			a.out_made = ctl_read64(&r);
			a.err_made = ctl_read64(&r);
			assert_false(r.bad);
		} else
			assert_int_equal(type, CTL_HELLO);
	}
	return a;
}

/* --- what is said -------------------------------------------------------- */

struct said {
	uint8_t bytes[CTL_FRAME_MAX + 64];
	size_t len;
};
static struct said said;

static void
say32(uint32_t v)
{
	ctl_put32(said.bytes + said.len, v);
	said.len += 4;
}

static void
say_string(const char *s)
{
	say32((uint32_t)strlen(s));
	memcpy(said.bytes + said.len, s, strlen(s));
	said.len += strlen(s);
}

static size_t
frame_begin(uint32_t type)
{
	size_t at = said.len;

	say32(0);
	say32(type);
	return at;
}

static void
frame_end(size_t at)
{
	ctl_put32(said.bytes + at, (uint32_t)(said.len - at - CTL_HEADER));
}

static void
say_hello(uint32_t version)
{
	size_t at = frame_begin(CTL_HELLO);

	say32(CTL_MAGIC);
	say32(version);
	frame_end(at);
}

static void
say_run_in(uint32_t flags, const char *jail, const char *cwd, const char *line)
{
	size_t at = frame_begin(CTL_RUN);
	const char *why;
	char **argv;
	int argc;

	say32(flags);
	say32(0);
	say_string(jail);
	say_string(cwd);
	assert_int_equal(verb_split(line, &argc, &argv, &why), 0);
	say32((uint32_t)argc);
	for (int i = 0; i < argc; i++)
		say_string(argv[i]);
	verb_split_free(argc, argv);
	frame_end(at);
}

static void
say_run(const char *line)
{
	say_run_in(0, "", "", line);
}

static void
say_cancel(void)
{
	frame_end(frame_begin(CTL_CANCEL));
}

/* Hand what was said to the conversation. */
static int
feed(void)
{
	int error = ctl_conn_input(conn, said.bytes, (unsigned)said.len);

	said.len = 0;
	return error;
}

static int
setup(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(process_start(CLOCK_LIVE, 1, NULL, &why), 0);
	heard.len = heard.at = said.len = 0;
	cancels = 0;
	waiting = NULL;
	conn = ctl_conn_new(hear, &heard);
	assert_non_null(conn);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ctl_conn_free(conn);
	conn = NULL;
	process_stop();
	return 0;
}

/* --- the conversation ---------------------------------------------------- */

static void
test_ctl_runs_words_and_says_output_errors_and_status(void **state)
{
	struct answer a;
	char *cwd = getcwd(NULL, 0), want[1024];

	(void)state;
	say_hello(CTL_VERSION);
	say_run("testwords one 'two words' \"\"");
	assert_int_equal(feed(), 0);
	a = answer();
	snprintf(want, sizeof(want), "[testwords][one][two words][] fib 0 in %.800s\n", cwd);
	free(cwd);
	assert_true(a.done);
	assert_int_equal(a.status, 3);
	assert_string_equal(a.out, want);
	assert_string_equal(a.err, "testwords: an error\n");
	assert_int_equal(a.out_made, strlen(want));
	assert_int_equal(a.err_made, strlen("testwords: an error\n"));
}

static void
test_ctl_answers_the_same_when_bytes_come_one_at_a_time(void **state)
{
	size_t len;

	(void)state;
	say_hello(CTL_VERSION);
	say_run("testloud 100");
	say_run("testwords x");
	len = said.len;
	assert_int_equal(feed(), 0);
	{
		struct heard *whole = malloc(sizeof(*whole));

		memcpy(whole, &heard, sizeof(heard));
		ctl_conn_free(conn);
		conn = ctl_conn_new(hear, &heard);
		heard.len = 0;
		for (size_t i = 0; i < len; i++)
			assert_int_equal(ctl_conn_input(conn, said.bytes + i, 1), 0);
		assert_int_equal(heard.len, whole->len);
		assert_memory_equal(heard.bytes, whole->bytes, heard.len);
		free(whole);
	}
}

static void
test_ctl_runs_in_the_folder_of_the_client_and_comes_back(void **state)
{
	char *before = getcwd(NULL, 0), *after;
	struct answer a;

	(void)state;
	say_hello(CTL_VERSION);
	say_run_in(0, "", "/proc", "testwords");
	assert_int_equal(feed(), 0);
	a = answer();
	after = getcwd(NULL, 0);
	assert_string_equal(a.out, "[testwords] fib 0 in /proc\n");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
test_ctl_runs_in_a_jail_and_says_when_there_is_none(void **state)
{
	struct answer a;

	(void)state;
	assert_non_null(prison_create(&prison0, "r1", true));
	say_hello(CTL_VERSION);
	say_run_in(0, "r1", "", "sysctl -n security.jail.jailed");
	say_run_in(0, "r2", "", "sysctl -n security.jail.jailed");
	assert_int_equal(feed(), 0);
	a = answer();
	assert_string_equal(a.out, "1\n");
	a = answer();
	assert_int_equal(a.status, 1);
	assert_string_equal(a.err, "sysctl: jail \"r2\" not found\n");
}

static void
test_ctl_answers_in_json_when_asked(void **state)
{
	struct answer a;

	(void)state;
	say_hello(CTL_VERSION);
	say_run_in(CTL_RUN_JSON, "", "", "complete sysct");
	assert_int_equal(feed(), 0);
	a = answer();
	assert_string_equal(a.out, "{\"words\":[\"sysctl\"]}\n");
}

static void
test_ctl_refuses_another_version_with_a_reason(void **state)
{
	const uint8_t *p = NULL;
	size_t len = 0;

	(void)state;
	say_hello(CTL_VERSION + 1);
	assert_int_equal(feed(), -EPROTO);
	assert_int_equal(next_frame(&p, &len), CTL_REFUSED);
	assert_true(len > 0);
}

static void
test_ctl_wants_a_greeting_first(void **state)
{
	(void)state;
	say_run("testwords");
	assert_int_equal(feed(), -EPROTO);
	assert_int_equal(heard.len, 0);
}

static void
test_ctl_refuses_frames_that_are_not_what_they_say(void **state)
{
	static const struct {
		uint32_t length, type;
	} bad[] = {
		{ CTL_FRAME_MAX + 1, CTL_RUN },
		{ UINT32_MAX, CTL_RUN },
		{ 0, CTL_RUN },
		{ 0, 99 },
		{ 0, CTL_DONE },
		{ 0, CTL_HELLO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ctl_conn_free(conn);
		conn = ctl_conn_new(hear, &heard);
		say_hello(CTL_VERSION);
		say32(bad[i].length);
		say32(bad[i].type);
		assert_int_equal(feed(), -EPROTO);
	}
}

static void
test_ctl_refuses_a_word_with_a_nul_and_bytes_behind_the_words(void **state)
{
	size_t at;

	(void)state;
	say_hello(CTL_VERSION);
	say_run("testwords abc");
	said.bytes[said.len - 2] = '\0';
	assert_int_equal(feed(), -EPROTO);
	ctl_conn_free(conn);
	conn = ctl_conn_new(hear, &heard);
	say_hello(CTL_VERSION);
	at = said.len;
	say_run("testwords abc");
	say32(0);
	frame_end(at);
	assert_int_equal(feed(), -EPROTO);
}

static void
test_ctl_cancel_ends_a_command_that_waits(void **state)
{
	struct answer a;

	(void)state;
	say_hello(CTL_VERSION);
	say_run("testwait");
	assert_int_equal(feed(), 0);
	assert_true(ctl_conn_busy(conn));
	assert_false(answer().done);
	say_cancel();
	assert_int_equal(feed(), 0);
	a = answer();
	assert_true(a.done);
	assert_int_equal(a.status, 7);
	assert_int_equal(cancels, 1);
	assert_false(ctl_conn_busy(conn));
}

static void
test_ctl_cancel_without_a_command_is_no_error(void **state)
{
	(void)state;
	say_hello(CTL_VERSION);
	say_cancel();
	say_run("testloud 3");
	say_cancel();
	assert_int_equal(feed(), 0);
	assert_string_equal(answer().out, "abc");
}

static void
test_ctl_refuses_a_second_command_while_one_waits(void **state)
{
	(void)state;
	say_hello(CTL_VERSION);
	say_run("testwait");
	say_run("testloud 3");
	assert_int_equal(feed(), -EPROTO);
	assert_non_null(waiting);
}

static void
test_ctl_client_that_leaves_cancels_its_command(void **state)
{
	(void)state;
	say_hello(CTL_VERSION);
	say_run("testwait");
	assert_int_equal(feed(), 0);
	ctl_conn_free(conn);
	conn = NULL;
	assert_int_equal(cancels, 1);
}

static size_t
room_up_to_100(void *ctx)
{
	const struct heard *h = ctx;

	/* The greeting stands there already. */
	return h->len < 100 ? 100 - h->len : 0;
}

/* However little room: the answer is no error, it ends, and it says how much there was. */
static void
test_b08_ctl_output_that_has_no_room_is_cut_and_its_size_said(void **state)
{
	struct answer a;

	(void)state;
	ctl_conn_set_room(conn, room_up_to_100);
	say_hello(CTL_VERSION);
	say_run("testloud 100000");
	assert_int_equal(feed(), 0);
	a = answer();
	assert_true(a.done);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.out_made, 100000);
	assert_in_range(a.out_len, 1, 100);
	assert_memory_equal(a.out, "abcdefghij", 10);
	/* The room is used up now. */
	say_run("testloud 201");
	assert_int_equal(feed(), 0);
	a = answer();
	assert_true(a.done);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.out_made, 201);
	assert_int_equal(a.out_len, 0);
}

/* --- the socket ---------------------------------------------------------- */

static char folder[] = "/tmp/warren-test-XXXXXX", path[64];

static int
setup_server(void **state)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/ctl", folder);
	setup(state);
	assert_int_equal(ctl_server_start(path), 0);
	return 0;
}

static int
teardown_server(void **state)
{
	ctl_server_stop();
	assert_int_equal(access(path, F_OK), -1);
	rmdir(folder);
	return teardown(state);
}

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(sun.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* Send what was said; turn the loop until DONE, or until the server closes (then false). */
static bool
converse(int fd, struct answer *a)
{
	uint8_t bytes[65536];
	bool open = true;

	if (said.len > 0)
		assert_int_equal(send(fd, said.bytes, said.len, MSG_NOSIGNAL), said.len);
	said.len = 0;
	heard.len = heard.at = 0;
	do {
		size_t at = heard.at;
		ssize_t n;

		loop_turn(NS_PER_MS);
		while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
			hear(&heard, bytes, (unsigned)n);
		open = n < 0;
		heard.at = at;
		*a = answer();
		if (!a->done)
			heard.at = at;
	} while (!a->done && open);
	return a->done;
}

static void
test_ctl_socket_is_for_its_owner_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
test_ctl_socket_serves_many_clients_at_once(void **state)
{
	struct answer a;
	int fd[50];

	(void)state;
	for (int i = 0; i < 50; i++) {
		fd[i] = dial();
		say_hello(CTL_VERSION);
		say_run(i % 2 ? "testwait" : "testloud 5");
		assert_int_equal(send(fd[i], said.bytes, said.len, 0), said.len);
		said.len = 0;
	}
	for (int i = 0; i < 50; i += 2) {
		assert_true(converse(fd[i], &a));
		assert_string_equal(a.out, "abcde");
	}
	for (int i = 1; i < 50; i += 2) {
		say_cancel();
		assert_true(converse(fd[i], &a));
		assert_int_equal(a.status, 7);
	}
	for (int i = 0; i < 50; i++)
		close(fd[i]);
}

static void
test_ctl_socket_is_replaced_when_dead_and_left_when_alive(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct answer a;
	int fd;

	ctl_server_stop();
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(sun.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(ctl_server_start(path), -EADDRINUSE);
	close(fd);
	assert_int_equal(ctl_server_start(path), 0);
	fd = dial();
	say_hello(CTL_VERSION);
	say_run("testloud 2");
	assert_true(converse(fd, &a));
	close(fd);
	(void)state;
}

static void
test_ctl_file_in_the_socket_s_place_is_left_alone(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	ctl_server_stop();
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(ctl_server_start(path), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	close(fd);
	unlink(path);
}

static void
test_ctl_client_that_does_not_read_gets_a_cut_answer_and_nobody_waits(void **state)
{
	struct answer a;
	int deaf = dial(), other = dial();

	(void)state;
	assert_int_equal(
	    verb_line(NULL, "sysctl kern.control.maxqueue=100000", false, NULL, NULL), 0);
	say_hello(CTL_VERSION);
	say_run("testloud 3000000");
	assert_int_equal(send(deaf, said.bytes, said.len, 0), said.len);
	said.len = 0;
	loop_turn(0);
	loop_turn(0);
	say_hello(CTL_VERSION);
	say_run("testloud 3");
	assert_true(converse(other, &a));
	assert_string_equal(a.out, "abc");
	assert_true(converse(deaf, &a));
	assert_int_equal(a.out_made, 3000000);
	assert_true(a.out_len < 3000000);
	close(deaf);
	close(other);
	assert_int_equal(
	    verb_line(NULL, "sysctl kern.control.maxqueue=16777216", false, NULL, NULL), 0);
}

static void
test_ctl_clients_beyond_the_limit_are_told(void **state)
{
	struct answer a;
	uint8_t bytes[256];
	int one = dial(), two;

	(void)state;
	say_hello(CTL_VERSION);
	say_run("sysctl kern.control.maxclients=1");
	assert_true(converse(one, &a));
	two = dial();
	for (int i = 0; i < 3; i++)
		loop_turn(0);
	assert_true(recv(two, bytes, sizeof(bytes), 0) > CTL_HEADER);
	assert_int_equal(__builtin_bswap32(load32(bytes + 4)), CTL_REFUSED);
	assert_int_equal(recv(two, bytes, sizeof(bytes), 0), 0);
	close(two);
	say_run("sysctl kern.control.maxclients=256");
	assert_true(converse(one, &a));
	close(one);
}

static void
test_ctl_client_that_dies_frees_its_command(void **state)
{
	int fd = dial();

	(void)state;
	say_hello(CTL_VERSION);
	say_run("testwait");
	assert_int_equal(send(fd, said.bytes, said.len, 0), said.len);
	while (waiting == NULL)
		loop_turn(NS_PER_MS);
	close(fd);
	while (cancels == 0)
		loop_turn(NS_PER_MS);
	assert_int_equal(cancels, 1);
}

static void
test_ctl_shutdown_stops_the_loop_after_its_answer(void **state)
{
	struct answer a;
	int fd = dial();

	(void)state;
	say_hello(CTL_VERSION);
	say_run("shutdown");
	assert_true(converse(fd, &a));
	assert_int_equal(a.status, 0);
	loop_run(); /* returns at once */
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define S(f) cmocka_unit_test_setup_teardown(f, setup_server, teardown_server)
	const struct CMUnitTest tests[] = {
		T(test_ctl_runs_words_and_says_output_errors_and_status),
		T(test_ctl_answers_the_same_when_bytes_come_one_at_a_time),
		T(test_ctl_runs_in_the_folder_of_the_client_and_comes_back),
		T(test_ctl_runs_in_a_jail_and_says_when_there_is_none),
		T(test_ctl_answers_in_json_when_asked),
		T(test_ctl_refuses_another_version_with_a_reason),
		T(test_ctl_wants_a_greeting_first),
		T(test_ctl_refuses_frames_that_are_not_what_they_say),
		T(test_ctl_refuses_a_word_with_a_nul_and_bytes_behind_the_words),
		T(test_ctl_cancel_ends_a_command_that_waits),
		T(test_ctl_cancel_without_a_command_is_no_error),
		T(test_ctl_refuses_a_second_command_while_one_waits),
		T(test_ctl_client_that_leaves_cancels_its_command),
		T(test_b08_ctl_output_that_has_no_room_is_cut_and_its_size_said),
		S(test_ctl_socket_is_for_its_owner_alone),
		S(test_ctl_socket_serves_many_clients_at_once),
		S(test_ctl_socket_is_replaced_when_dead_and_left_when_alive),
		S(test_ctl_file_in_the_socket_s_place_is_left_alone),
		S(test_ctl_client_that_does_not_read_gets_a_cut_answer_and_nobody_waits),
		S(test_ctl_clients_beyond_the_limit_are_told),
		S(test_ctl_client_that_dies_frees_its_command),
		S(test_ctl_shutdown_stops_the_loop_after_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
