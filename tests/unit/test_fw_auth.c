/*
 * Unit tests of packets that are held until they are judged (ipfw/auth.c) and of `ipfw auth`.
 */
#include "fw_taker.h"

#include "ipfw/auth.h"

/* A router whose rule 100 wants datagrams judged, and a judge. */
static void
court(struct taker *t)
{
	router();
	taker_make(t, FW_ACT_AUTH, 0);
	assert_int_equal(fw_auth_listen(&t->l), 0);
	add("100 auth udp from any to any in");
	add("200 allow ip from any to any");
}

/* The number of the question that the judge got first; it has no other use for it. */
static uint64_t
question(struct taker *t)
{
	struct mbuf *m = mbufq_pop(&t->got);
	uint64_t n;

	assert_non_null(m);
	n = fw_tag_find(m)->question;
	m_free(m);
	return n;
}

static bool
judge(uint64_t number, bool pass)
{
	bool known = fw_auth_answer(number, pass);

	settle();
	return known;
}

static void
test_a_packet_waits_until_it_is_judged(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	passes_through(12);
	passes_through(12);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(fw_auth_held(), 2);
	assert_true(judge(question(&t), true));
	assert_int_equal(wan.sent.len, 1);
	assert_true(judge(question(&t), false));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(drops("ipfw.authblock"), 1);
	assert_int_equal(fw_auth_held(), 0);
	taker_end(&t);
}

static void
test_an_answer_counts_once(void **state)
{
	struct taker t;
	uint64_t n;

	(void)state;
	court(&t);
	passes_through(12);
	n = question(&t);
	assert_false(judge(0, true));
	assert_false(judge(n + 1, true));
	assert_true(judge(n, true));
	assert_false(judge(n, true));
	assert_int_equal(wan.sent.len, 1);
	taker_end(&t);
}

static void
test_one_pass_decides_about_what_passes(void **state)
{
	struct fw_rule *behind;
	struct taker t;

	(void)state;
	court(&t);
	behind = add("150 count udp from any to any in");
	passes_through(12);
	judge(question(&t), true);
	assert_int_equal(behind->count.packets, 0);
	command("sysctl net.inet.ip.fw.one_pass=0");
	passes_through(12);
	judge(question(&t), true);
	assert_int_equal(behind->count.packets, 1);
	assert_int_equal(wan.sent.len, 2);
	taker_end(&t);
}

static void
test_nobody_listens_means_blocked(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	taker_end(&t);
	passes_through(12);
	assert_int_equal(drops("ipfw.authnobody"), 1);
	assert_int_equal(fw_auth_stats().nobody, 1);
	assert_int_equal(fw_auth_held(), 0);
	assert_int_equal(wan.sent.len, 0);
}

static void
test_no_more_are_held_than_the_limit(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	command("sysctl net.inet.ip.fw.auth_max=3");
	for (int i = 0; i < 5; i++)
		passes_through(12);
	assert_int_equal(fw_auth_held(), 3);
	assert_int_equal(t.got.len, 3);
	assert_int_equal(drops("ipfw.authfull"), 2);
	judge(question(&t), true);
	passes_through(12);
	assert_int_equal(fw_auth_held(), 3);
	taker_end(&t);
}

static void
test_no_packet_is_held_longer_than_the_limit(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	command("sysctl net.inet.ip.fw.auth_timeout_ms=500");
	passes_through(12);
	sched_run(clock_now() + 200 * NS_PER_MS);
	passes_through(12);
	sched_run(clock_now() + 299 * NS_PER_MS);
	assert_int_equal(fw_auth_held(), 2);
	sched_run(clock_now() + 2 * NS_PER_MS);
	assert_int_equal(fw_auth_held(), 1);
	assert_int_equal(drops("ipfw.authlate"), 1);
	assert_false(judge(question(&t), true)); /* too late */
	assert_true(judge(question(&t), true));
	assert_int_equal(wan.sent.len, 1);
	sched_run(clock_now() + NS_PER_SEC);
	assert_int_equal(fw_auth_stats().late, 1);
	taker_end(&t);
}

static void
test_a_shorter_limit_holds_for_what_waits_already(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	passes_through(12);
	sched_run(clock_now() + 100 * NS_PER_MS);
	command("sysctl net.inet.ip.fw.auth_timeout_ms=50");
	sched_run(clock_now() + 10 * NS_PER_MS);
	assert_int_equal(fw_auth_stats().late, 1);
	taker_end(&t);
}

static void
test_a_judge_that_hears_nothing_costs_the_packet(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	t.full = true;
	passes_through(12);
	assert_int_equal(fw_auth_held(), 0);
	assert_int_equal(fw_auth_stats().unheard, 1);
	assert_int_equal(fw_auth_stats().asked, 0);
	assert_int_equal(drops("ipfw.listener"), 1);
	taker_end(&t);
}

/* What a judge has left undone the next one is asked about, in order. */
static void
test_a_new_judge_is_asked_about_what_waits(void **state)
{
	struct taker t, next;

	(void)state;
	court(&t);
	passes_through(12);
	passes_through(12);
	taker_end(&t);
	taker_make(&next, FW_ACT_AUTH, 0);
	assert_int_equal(fw_auth_listen(&next.l), 0);
	assert_int_equal(next.got.len, 2);
	assert_int_equal(question(&next), 1);
	assert_int_equal(question(&next), 2);
	taker_end(&next);
}

/* A judge in the process, who knows at once. */
static bool
pass_at_once(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag)
{
	uint64_t number = tag->question;

	(void)l;
	m_free(m);
	assert_true(fw_auth_answer(number, number % 2 == 0));
	return true;
}

static void
test_a_judge_may_answer_at_once(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	t.l.input = pass_at_once;
	for (int i = 0; i < 4; i++)
		passes_through(12);
	assert_int_equal(wan.sent.len, 2);
	assert_int_equal(drops("ipfw.authblock"), 2);
	assert_int_equal(fw_auth_stats().asked, 4);
	taker_end(&t);
}

static void
test_a_judge_sees_the_first_bytes(void **state)
{
	struct taker t;
	struct datagram d;

	(void)state;
	court(&t);
	command("sysctl net.inet.ip.fw.auth_bytes=30");
	passes_through(100);
	d = datagram_of(&t);
	assert_int_equal(d.len, 30);
	assert_int_equal(d.h.kind, WARREN_QUESTION);
	assert_int_equal(__builtin_bswap32(d.h.length), 128);
	assert_int_equal(__builtin_bswap64(d.h.question), 1);
	assert_string_equal(d.h.recv, "mem0");
	assert_int_equal(__builtin_bswap16(d.h.rule), 100);
	d.len = 0;
	assert_false(datagram_write(&t, &d)); /* no verdict */
	d.h.verdict = 3;
	assert_false(datagram_write(&t, &d));
	d.h.kind = WARREN_PACKET;
	d.h.verdict = WARREN_PASS;
	assert_false(datagram_write(&t, &d)); /* a judge sends no packets */
	assert_int_equal(fw_auth_held(), 1);
	d.h.kind = WARREN_QUESTION;
	assert_true(datagram_write(&t, &d));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip(wan.sent.head)->proto, IPPROTO_UDP_);
	assert_int_equal(wan.sent.head->len, 14 + 128); /* the packet is whole */
	taker_end(&t);
}

static void
test_each_stack_has_its_own_court(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	passes_through(12);
	command("jail -c name=r1 vnet persist");
	{
		VNET_SCOPE(prison_find(&prison0, "r1")->vnet);
		assert_int_equal(fw_auth_held(), 0);
		assert_false(fw_auth_answer(1, true));
		assert_null(fw_listener_of(FW_ACT_AUTH, 0));
	}
	assert_true(judge(question(&t), true));
	taker_end(&t);
}

/* The leak audit looks whether they are. */
static void
test_what_waits_ends_with_the_stack(void **state)
{
	static struct taker t; /* outlives this function, as its stack does */

	(void)state;
	court(&t);
	passes_through(12);
	passes_through(12);
	assert_int_equal(fw_auth_held(), 2);
	mbufq_drain(&t.got);
}

static void
test_the_interface_may_leave_while_its_packet_waits(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	add("90 auth udp from any to any out");
	passes_through(12);
	assert_true(judge(question(&t), true));
	assert_int_equal(fw_auth_held(), 1); /* on its way out now */
	memif_close(&wan);
	assert_true(judge(question(&t), true));
	assert_int_equal(drops("if.gone"), 1);
	taker_end(&t);
}

/* --- by hand ---------------------------------------------------------------------------------- */

static void
expect(const char *line, int status, const char *text)
{
	char *out, *err;

	assert_int_equal(verb_line(NULL, line, false, &out, &err), status);
	assert_string_equal(status == 0 ? out : err, text);
	free(out);
	free(err);
}

static void
test_auth_show_lists_what_waits(void **state)
{
	struct taker t;
	char *out;

	(void)state;
	court(&t);
	passes_through(12);
	sched_run(clock_now() + 20 * NS_PER_MS);
	expect("ipfw auth show", 0,
	    "auth: somebody listens, 1 held\n"
	    "\tpackets: 1 asked about, 0 passed, 0 blocked\n"
	    "\tdropped: 0 not answered in time, 0 beyond the limit, 0 not heard of, "
	    "0 while nobody listened\n"
	    "1 (20 ms) rule 00100 in via mem0 udp 10.0.0.2 1030 -> 10.1.0.2 53 40 bytes\n");
	assert_int_equal(verb_line(NULL, "ipfw --json auth show", true, &out, NULL), 0);
	assert_non_null(strstr(out, "\"held\""));
	free(out);
	taker_end(&t);
}

static void
test_packets_are_judged_by_hand(void **state)
{
	struct taker t;

	(void)state;
	court(&t);
	for (int i = 0; i < 5; i++)
		passes_through(12);
	command("ipfw -n auth pass 1");
	assert_int_equal(fw_auth_held(), 5);
	command("ipfw auth pass 2");
	command("ipfw auth block 1");
	assert_int_equal(wan.sent.len, 1);
	command("ipfw auth pass all");
	assert_int_equal(wan.sent.len, 4);
	command("ipfw auth block all");
	expect("ipfw auth pass 1", 69, "ipfw: auth: packet 1 is not held\n");
	expect("ipfw auth pass one", 65, "ipfw: auth: one: not the number of a packet, nor all\n");
	expect("ipfw auth", 64, "ipfw: auth: show, pass ID, block ID\n");
	assert_int_equal(fw_auth_stats().passed, 4);
	assert_int_equal(fw_auth_stats().blocked, 1);
	taker_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_packet_waits_until_it_is_judged),
		INET6_TEST(test_an_answer_counts_once),
		INET6_TEST(test_one_pass_decides_about_what_passes),
		INET6_TEST(test_nobody_listens_means_blocked),
		INET6_TEST(test_no_more_are_held_than_the_limit),
		INET6_TEST(test_no_packet_is_held_longer_than_the_limit),
		INET6_TEST(test_a_shorter_limit_holds_for_what_waits_already),
		INET6_TEST(test_a_judge_that_hears_nothing_costs_the_packet),
		INET6_TEST(test_a_new_judge_is_asked_about_what_waits),
		INET6_TEST(test_a_judge_may_answer_at_once),
		INET6_TEST(test_a_judge_sees_the_first_bytes),
		INET6_TEST(test_each_stack_has_its_own_court),
		INET6_TEST(test_what_waits_ends_with_the_stack),
		INET6_TEST(test_the_interface_may_leave_while_its_packet_waits),
		INET6_TEST(test_auth_show_lists_what_waits),
		INET6_TEST(test_packets_are_judged_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
