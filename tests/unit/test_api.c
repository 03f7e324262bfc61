/*
 * test_api.c - include/warren.h, as a program uses it that embeds stacks.
 */
#include "warren.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct warren *w;

static int
open_virtual(void **state)
{
	(void)state;
	w = warren_open(&(struct warren_options){ .clock = WARREN_VIRTUAL, .seed = 1 });
	assert_non_null(w);
	return 0;
}

static int
open_live(void **state)
{
	(void)state;
	w = warren_open(&(struct warren_options){ .clock = WARREN_LIVE });
	assert_non_null(w);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	warren_close(w);
	return 0;
}

/* Run a line that must succeed. */
static void
must(const char *jail, const char *line)
{
	char *err = NULL;
	int status = warren_exec(w, jail, line, NULL, &err);

	if (status != 0)
		print_error("%s: status %d: %s\n", line, status, err);
	assert_int_equal(status, 0);
	free(err);
}

static void
test_api_runs_a_command_and_hands_out_its_text(void **state)
{
	char *out, *err;

	(void)state;
	assert_int_equal(warren_exec(w, NULL, "sysctl -n kern.features.vimage", &out, &err), 0);
	assert_string_equal(out, "1\n");
	assert_string_equal(err, "");
	free(out);
	free(err);
}

static void
test_api_says_what_was_wrong(void **state)
{
	char *out, *err;

	(void)state;
	assert_int_equal(warren_exec(w, NULL, "sysctl no.such.name", &out, &err), 1);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, "no.such.name"));
	free(out);
	free(err);
	assert_int_equal(warren_exec(w, NULL, "nosuchtool", NULL, &err), 2);
	free(err);
	assert_int_equal(warren_exec(w, NULL, "sysctl 'open", NULL, &err), -EINVAL);
	assert_true(strlen(err) > 0);
	free(err);
	assert_int_equal(warren_exec(w, "nojail", "sysctl -a", NULL, &err), -ENOENT);
	assert_string_equal(err, "warren: jail \"nojail\" not found\n");
	free(err);
}

static void
test_api_answers_in_json(void **state)
{
	char *out;

	(void)state;
	assert_int_equal(warren_exec_json(w, NULL, "complete sysct", &out, NULL), 0);
	assert_string_equal(out, "{\"words\":[\"sysctl\"]}\n");
	free(out);
}

static void
test_api_has_one_instance_and_can_be_opened_again(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_null(
	    warren_open(&(struct warren_options){ .clock = WARREN_VIRTUAL, .error = &why }));
	assert_int_equal(errno, EBUSY);
	assert_string_equal(why, "already started");
	warren_close(w);
	open_virtual(state);
}

static void
test_api_tunables_last_until_the_end_and_bad_ones_are_named(void **state)
{
	static const char *const good[] = { "net.link.ifqmaxlen=7", NULL };
	static const char *const bad[] = { "net.link.ifqmaxlen=9", "no.such=1", NULL };
	static const char *const none[] = { "net.link.ifqmaxlen", NULL };
	const char *why = NULL;
	char *before, *out;

	warren_exec(w, NULL, "sysctl -n net.link.ifqmaxlen", &before, NULL);
	warren_close(w);
	w = warren_open(&(struct warren_options){ .clock = WARREN_VIRTUAL, .tunables = good });
	assert_non_null(w);
	warren_exec(w, NULL, "sysctl -n net.link.ifqmaxlen", &out, NULL);
	assert_string_equal(out, "7\n");
	free(out);
	warren_close(w);
	assert_null(warren_open(
	    &(struct warren_options){ .clock = WARREN_VIRTUAL, .tunables = bad, .error = &why }));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(why, "no.such=1"));
	assert_null(warren_open(
	    &(struct warren_options){ .clock = WARREN_VIRTUAL, .tunables = none, .error = &why }));
	assert_non_null(strstr(why, "NAME=VALUE"));
	open_virtual(state);
	warren_exec(w, NULL, "sysctl -n net.link.ifqmaxlen", &out, NULL);
	assert_string_equal(out, before);
	free(out);
	free(before);
}

static void
test_api_virtual_time_passes_only_when_asked(void **state)
{
	(void)state;
	assert_int_equal(warren_now(w), 0);
	assert_int_equal(warren_run_for(w, UINT64_C(5000000000)), 0);
	assert_int_equal(warren_now(w), UINT64_C(5000000000));
}

static void
test_api_ping_runs_the_stacks_to_its_end(void **state)
{
	char *out;

	(void)state;
	must(NULL, "jail -c name=r1 vnet persist");
	must("r1", "ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(warren_exec(w, "r1", "ping -c 3 127.0.0.1", &out, NULL), 0);
	assert_non_null(strstr(out, "3 packets transmitted, 3 packets received, 0.0% packet loss"));
	assert_in_range(warren_now(w), UINT64_C(2000000000), UINT64_C(3100000000));
	free(out);
}

static void
test_api_takes_addresses_of_both_families(void **state)
{
	char *out;

	(void)state;
	must(NULL, "jail -c name=r1 vnet persist");
	must("r1", "ifconfig lo0 inet6 ::1/128 up");
	must("r1", "udp send to [::1]:9 rate 1Mbit/s count 1");
	assert_int_equal(warren_exec(w, "r1", "ping -c 1 ::1", &out, NULL), 0);
	assert_non_null(strstr(out, "16 bytes from ::1, icmp_seq=0 hlim=64 time="));
	free(out);
}

static void
test_api_command_that_waits_for_nothing_is_ended(void **state)
{
	char *out;

	(void)state;
	must(NULL, "ifconfig lo0 up");
	/* No packet will ever come. */
	warren_exec(w, NULL, "tcpdump -i lo0", &out, NULL);
	free(out);
}

/* --- the firewall's packets ---------------------------------------------- */

/* Lets every other packet go on. */
struct diverter {
	struct warren_divert *d;
	unsigned seen;
};

static void
every_other(void *ctx, const void *bytes, size_t len)
{
	struct diverter *t = ctx;

	assert_int_equal(warren_exec(w, NULL, "ipfw flush", NULL, NULL), -EBUSY);
	if (t->seen++ % 2 == 0)
		assert_int_equal(warren_divert_write(t->d, bytes, len), 0);
}

static void
test_api_diverts_packets_in_virtual_time(void **state)
{
	struct diverter t = { 0 };
	char *out;

	(void)state;
	must(NULL, "ifconfig lo0 inet 127.0.0.1/8 up");
	must(NULL, "ipfw add 100 divert 5 icmp from any to any out icmptypes 8");
	must(NULL, "ipfw add 200 allow ip from any to any");
	t.d = warren_divert_open(w, NULL, WARREN_FOR_DIVERT, 5, every_other, &t);
	assert_non_null(t.d);
	assert_null(warren_divert_open(w, NULL, WARREN_FOR_DIVERT, 5, every_other, &t));
	assert_int_equal(errno, EADDRINUSE);
	assert_null(warren_divert_open(w, "nojail", WARREN_FOR_HOOK, 5, every_other, &t));
	assert_int_equal(errno, ENOENT);
	assert_null(warren_divert_open(w, NULL, WARREN_FOR_AUTH, 5, every_other, &t));
	assert_int_equal(errno, EINVAL);
	warren_exec(w, NULL, "ping -c 4 127.0.0.1", &out, NULL);
	assert_non_null(strstr(out, "4 packets transmitted, 2 packets received"));
	free(out);
	assert_int_equal(t.seen, 4);
	assert_int_equal(warren_divert_write(t.d, "x", 1), -EINVAL);
	warren_divert_close(t.d);
}

/* Thousands of rules send to a handler that always writes back at once. */
static void
write_back(void *ctx, const void *bytes, size_t len)
{
	struct diverter *t = ctx;

	t->seen++;
	assert_int_equal(warren_divert_write(t->d, bytes, len), 0);
}

static void
test_api_what_is_written_back_at_once_does_not_nest(void **state)
{
	struct diverter t = { 0 };
	char line[64];

	(void)state;
	must(NULL, "ifconfig lo0 inet 127.0.0.1/8 up");
	for (int i = 0; i < 3000; i++) {
		snprintf(
		    line, sizeof(line), "ipfw -q add %d netgraph 7 ip from any to any out", i + 1);
		must(NULL, line);
	}
	must(NULL, "ipfw -q add 60000 allow ip from any to any");
	must(NULL, "sysctl net.inet.ip.fw.one_pass=0");
	t.d = warren_divert_open(w, NULL, WARREN_FOR_HOOK, 7, write_back, &t);
	assert_non_null(t.d);
	must(NULL, "ping -c 1 127.0.0.1");
	assert_int_equal(t.seen, 2 * 3000); /* there and back; warren_close closes it */
}

/* --- ports --------------------------------------------------------------- */

static struct {
	unsigned frames;
	uint8_t last[256];
	size_t len;
	int exec_status;
} seen;

static void
see(void *ctx, const void *frame, size_t len)
{
	assert_ptr_equal(ctx, &seen);
	seen.frames++;
	seen.len = len < sizeof(seen.last) ? len : sizeof(seen.last);
	memcpy(seen.last, frame, seen.len);
	seen.exec_status = warren_exec(w, NULL, "sysctl -n kern.features.vimage", NULL, NULL);
}

/* Who has 10.0.0.1? Tell 10.0.0.2, 02:00:00:00:00:02. */
static const uint8_t arp_request[42] = {
	0xff,
	0xff,
	0xff,
	0xff,
	0xff,
	0xff,
	0x02,
	0,
	0,
	0,
	0,
	0x02,
	0x08,
	0x06,
	0,
	1,
	8,
	0,
	6,
	4,
	0,
	1,
	0x02,
	0,
	0,
	0,
	0,
	0x02,
	10,
	0,
	0,
	2,
	0,
	0,
	0,
	0,
	0,
	0,
	10,
	0,
	0,
	1,
};

static void
test_api_port_gives_frames_and_takes_them(void **state)
{
	struct warren_port *p;

	(void)state;
	must(NULL, "jail -c name=r1 vnet persist");
	p = warren_port_open(w, "r1", "door", see, &seen);
	assert_non_null(p);
	assert_int_equal(warren_port_send(p, arp_request, sizeof(arp_request)), -ENETDOWN);
	must("r1", "ifconfig door inet 10.0.0.1/24 up");
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(warren_port_send(p, arp_request, sizeof(arp_request)), 0);
	assert_int_equal(seen.frames, 1);
	assert_int_equal(seen.last[21], 2); /* a reply */
	assert_memory_equal(seen.last + 28, arp_request + 38, 4);
	assert_memory_equal(seen.last, arp_request + 6, 6);
	/* A command in the middle of a packet's walk is refused. */
	assert_int_equal(seen.exec_status, -EBUSY);
	warren_port_close(p);
	assert_int_equal(warren_exec(w, "r1", "ifconfig door", NULL, NULL), 1);
}

static void
test_api_port_outlives_its_jail(void **state)
{
	struct warren_port *p;

	(void)state;
	must(NULL, "jail -c name=r1 vnet persist");
	p = warren_port_open(w, "r1", "door", see, &seen);
	assert_non_null(p);
	must(NULL, "jail -r r1");
	assert_int_equal(warren_port_send(p, arp_request, sizeof(arp_request)), -ENETDOWN);
	must(NULL, "ifconfig door");
	warren_port_close(p);
}

static void
test_api_port_that_cannot_be_says_why(void **state)
{
	static uint8_t big[70000];
	struct warren_port *p;

	(void)state;
	assert_null(warren_port_open(w, "nojail", "door", see, &seen));
	assert_int_equal(errno, ENOENT);
	assert_null(warren_port_open(w, NULL, "a-name-that-is-far-too-long", see, &seen));
	assert_int_equal(errno, EINVAL);
	p = warren_port_open(w, NULL, "door", see, &seen);
	assert_non_null(p);
	assert_null(warren_port_open(w, NULL, "door", see, &seen));
	assert_int_equal(errno, EEXIST);
	must(NULL, "ifconfig door up");
	assert_int_equal(warren_port_send(p, big, sizeof(big)), -EMSGSIZE);
	assert_int_equal(warren_port_send(p, big, 1519), -EMSGSIZE);
	/* Left open: warren_close closes it. */
}

static void
test_api_port_has_the_same_address_in_every_run(void **state)
{
	char *first = NULL, *second = NULL;

	(void)state;
	assert_non_null(warren_port_open(w, NULL, "door", see, &seen));
	warren_exec(w, NULL, "ifconfig door", &first, NULL);
	warren_close(w);
	open_virtual(state);
	assert_non_null(warren_port_open(w, NULL, "door", see, &seen));
	warren_exec(w, NULL, "ifconfig door", &second, NULL);
	assert_string_equal(first, second);
	free(first);
	free(second);
}

/* --- live ---------------------------------------------------------------- */

static void
test_api_live_runs_a_command_to_its_end(void **state)
{
	char *out;

	(void)state;
	must(NULL, "ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(warren_exec(w, NULL, "ping -c 2 -i 0.01 127.0.0.1", &out, NULL), 0);
	assert_non_null(strstr(out, "2 packets received"));
	free(out);
}

static void
test_api_live_descriptor_drives_the_stacks(void **state)
{
	struct pollfd pfd = { .events = POLLIN };

	(void)state;
	pfd.fd = warren_fd(w);
	assert_true(pfd.fd >= 0);
	must(NULL, "ifconfig lo0 inet 127.0.0.1/8 up");
	warren_process(w);
	/* Nothing, or a timer of the stacks: in neither case does a call wait. */
	poll(&pfd, 1, 0);
	warren_process(w);
	assert_int_equal(warren_run_for(w, 2000000), 0);
}

static void
test_api_live_serves_a_control_socket(void **state)
{
	char folder[] = "/tmp/warren-api-XXXXXX", path[64];

	warren_close(w);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/ctl", folder);
	w = warren_open(&(struct warren_options){ .clock = WARREN_LIVE, .control_socket = path });
	assert_non_null(w);
	assert_int_equal(access(path, F_OK), 0);
	warren_close(w);
	assert_int_equal(access(path, F_OK), -1);
	rmdir(folder);
	open_live(state);
}

/* A pipe as FreeBSD 7 on amd64 asks for it: struct dn_pipe is 352 bytes (docs/dummynet-compat.md). */
static void
test_api_takes_the_records_of_old_programs(void **state)
{
	uint8_t pipe[352] = { 0 };
	const uint32_t number = 9, rate = 64000;
	unsigned layout = 0;
	size_t len;
	void *answer;

	(void)state;
	memcpy(pipe + 8, &number, 4);
	memcpy(pipe + 12, &rate, 4);
	/* of which release it is nobody knows yet */
	assert_int_equal(
	    warren_dummynet_record(w, NULL, 64, true, NULL, 0, 4096, &layout, &answer, &len),
	    -EINVAL);
	must(NULL, "jail -c name=j vnet persist");
	assert_int_equal(warren_dummynet_record(
			     w, "j", 60, false, pipe, sizeof(pipe), 0, &layout, &answer, &len),
	    0);
	assert_null(answer);
	assert_int_equal(
	    warren_dummynet_record(w, "j", 64, true, NULL, 0, 4096, &layout, &answer, &len), 0);
	assert_int_equal(len, sizeof(pipe));
	assert_memory_equal((uint8_t *)answer + 8, pipe + 8, 8);
	free(answer);
	assert_int_equal(
	    warren_dummynet_record(w, "k", 64, true, NULL, 0, 4096, &layout, &answer, &len),
	    -ENOENT);
	must("j", "ipfw pipe 9 show");
}

int
main(void)
{
#define V(f) cmocka_unit_test_setup_teardown(f, open_virtual, end)
#define L(f) cmocka_unit_test_setup_teardown(f, open_live, end)
	const struct CMUnitTest tests[] = {
		V(test_api_runs_a_command_and_hands_out_its_text),
		V(test_api_says_what_was_wrong),
		V(test_api_answers_in_json),
		V(test_api_has_one_instance_and_can_be_opened_again),
		V(test_api_tunables_last_until_the_end_and_bad_ones_are_named),
		V(test_api_virtual_time_passes_only_when_asked),
		V(test_api_ping_runs_the_stacks_to_its_end),
		V(test_api_takes_addresses_of_both_families),
		V(test_api_command_that_waits_for_nothing_is_ended),
		V(test_api_diverts_packets_in_virtual_time),
		V(test_api_what_is_written_back_at_once_does_not_nest),
		V(test_api_takes_the_records_of_old_programs),
		V(test_api_port_gives_frames_and_takes_them),
		V(test_api_port_outlives_its_jail),
		V(test_api_port_that_cannot_be_says_why),
		V(test_api_port_has_the_same_address_in_every_run),
		L(test_api_live_runs_a_command_to_its_end),
		L(test_api_live_descriptor_drives_the_stacks),
		L(test_api_live_serves_a_control_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
