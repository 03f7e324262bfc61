/*
 * Unit tests of netgraph and ngtee: the hooks of the node ipfw (ipfw/ng.c).
 */
#include "fw_taker.h"

#include "ipfw/ng.h"

static void
attach(struct taker *t, const char *name)
{
	taker_make(t, 0, 0);
	assert_int_equal(fw_ng_attach(&t->l, name), 0);
}

static void
test_packets_leave_by_the_hook_of_their_cookie(void **state)
{
	struct taker a, b;

	(void)state;
	router();
	attach(&a, "60");
	attach(&b, "61");
	add("100 netgraph 60 udp from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(a.got.len, 1);
	assert_int_equal(b.got.len, 0);
	assert_int_equal(wan.sent.len, 0);
	taker_give_back(&a);
	assert_int_equal(wan.sent.len, 1);
	taker_end(&a);
	taker_end(&b);
}

static void
test_names_of_hooks_are_numbers(void **state)
{
	static const char *const bad[] = { "", "0", "060", "0x3c", "65536", "60x", "-1", "upper" };
	struct taker t, second;

	(void)state;
	taker_make(&t, 0, 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(fw_ng_attach(&t.l, bad[i]), -EINVAL);
	attach(&t, "65535");
	taker_make(&second, 0, 0);
	assert_int_equal(fw_ng_attach(&second.l, "65535"), -EADDRINUSE);
	taker_end(&t);
}

static void
test_no_such_hook_means_discarded(void **state)
{
	struct taker divert;

	(void)state;
	router();
	taker_listen(&divert, FW_ACT_DIVERT, 60); /* something else */
	add("100 netgraph 60 ip from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(drops("ipfw.nooutlet"), 1);
	assert_int_equal(divert.got.len, 0);
	flush_rules();
	add("100 ngtee 60 ip from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(drops("ipfw.nooutlet"), 2); /* the copy */
	assert_int_equal(wan.sent.len, 1);
	taker_end(&divert);
}

static void
test_one_pass_decides_about_what_comes_back_by_a_hook(void **state)
{
	struct fw_rule *behind;
	struct taker t;
	struct datagram d;

	(void)state;
	router();
	attach(&t, "60");
	add("100 netgraph 60 ip from any to any in");
	behind = add("150 count ip from any to any in");
	add("160 count ip from any to any diverted");
	add("200 allow ip from any to any");
	passes_through(12);
	taker_give_back(&t);
	assert_int_equal(behind->count.packets, 0);
	assert_int_equal(wan.sent.len, 1);
	passes_through(12);
	d = datagram_of(&t);
	assert_true(datagram_write(&t, &d)); /* a program's too */
	assert_int_equal(behind->count.packets, 0);
	assert_int_equal(wan.sent.len, 2);
	command("sysctl net.inet.ip.fw.one_pass=0");
	passes_through(12);
	taker_give_back(&t);
	assert_int_equal(behind->count.packets, 1);
	passes_through(12);
	d = datagram_of(&t);
	assert_true(datagram_write(&t, &d));
	assert_int_equal(behind->count.packets, 2);
	assert_int_equal(wan.sent.len, 4);
	taker_end(&t);
}

static void
test_hooks_get_copies_of_what_goes_on(void **state)
{
	struct taker t;

	(void)state;
	router();
	attach(&t, "60");
	add("100 ngtee 60 ip from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(t.l.copies, 1);
	assert_int_equal(datagram_of(&t).h.kind, WARREN_COPY);
	taker_end(&t);
}

/* A module that only looks gives packets back before it returns. */
static void
test_a_hook_may_give_back_at_once(void **state)
{
	struct taker t;

	(void)state;
	router();
	attach(&t, "60");
	t.at_once = true;
	add("100 netgraph 60 ip from any to any");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(t.l.packets, 2);
	assert_int_equal(wan.sent.len, 1);
	taker_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_packets_leave_by_the_hook_of_their_cookie),
		INET6_TEST(test_names_of_hooks_are_numbers),
		INET6_TEST(test_no_such_hook_means_discarded),
		INET6_TEST(test_one_pass_decides_about_what_comes_back_by_a_hook),
		INET6_TEST(test_hooks_get_copies_of_what_goes_on),
		INET6_TEST(test_a_hook_may_give_back_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
