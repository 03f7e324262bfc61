/*
 * Unit tests of a pipe in an interface's way out (dummynet/dn_if.c).
 */
#include "dn_fixture.h"

#include "dummynet/pipe.h"
#include "net/epair.h"

/* A datagram of len bytes at IP, from this stack to lan's neighbour. */
static void
send_one(uint32_t len)
{
	struct mbuf *m = m_get(len - 20);

	memset(m->data, 0, m->len);
	ip_output(m, 0, a4("10.0.0.2"), IPPROTO_UDP_, &(struct ip_opts_out){ 0 });
	while (netisr_run())
		continue;
}

static void
test_frames_take_their_time_and_leave_by_the_driver(void **state)
{
	(void)state;
	lay_pipe(1, 8000000, 5 * NS_PER_MS, 50);
	command("ifconfig mem0 pipe 1");
	for (int i = 0; i < 3; i++)
		send_one(1000 - ETHER_HDR_LEN_);
	assert_int_equal(lan.sent.len, 0);
	sched_run(NS_NEVER);
	assert_int_equal(lan.sent.len, 3);
	assert_int_equal(lan.sent.head->len, 1000);
	assert_int_equal(lan.sent.head->when_ns, 6 * NS_PER_MS);
	assert_int_equal(sent_one_of(3)->when_ns, 8 * NS_PER_MS);
	command("ifconfig mem0 -pipe");
	send_one(1000);
	assert_int_equal(lan.sent.len, 4);
}

/* The flow is read behind the Ethernet header. */
static void
test_frames_have_flows(void **state)
{
	struct dn_change c = { .set = DN_SET_SCHED_MASK, .sched.mask.dst = 0xffffffff };
	struct dn_sched_view v;

	(void)state;
	lay_pipe(1, 8000000, 0, 50);
	pipe_config_ok(1, &c);
	command("ifconfig mem0 pipe 1");
	neighbour(&lan, "10.0.0.3");
	send_one(100);
	struct mbuf *m = m_get(80);
	memset(m->data, 0, m->len);
	ip_output(m, 0, a4("10.0.0.3"), IPPROTO_UDP_, &(struct ip_opts_out){ 0 });
	assert_true(dn_sched_look(1 + DN_HIDDEN_SCHED, &v));
	assert_int_equal(v.instances, 2);
}

static void
test_without_its_pipe_an_interface_sends_nothing(void **state)
{
	(void)state;
	command("ifconfig mem0 pipe 9");
	send_one(100);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("dummynet.none"), 1);
	assert_int_equal(lan.ifp->if_data.oqdrops, 1);
}

static void
test_an_interface_that_leaves_takes_its_frames_along(void **state)
{
	struct memif other;

	(void)state;
	memif_open(&other, 5);
	command("ifconfig mem5 inet 10.5.0.1/24");
	neighbour(&other, "10.5.0.2");
	lay_pipe(1, 8000, 5 * NS_PER_MS, 50);
	command("ifconfig mem5 pipe 1");
	memif_clear(&other);
	for (int i = 0; i < 3; i++) {
		struct mbuf *m = m_get(100);

		memset(m->data, 0, m->len);
		ip_output(m, 0, a4("10.5.0.2"), IPPROTO_UDP_, &(struct ip_opts_out){ 0 });
	}
	memif_close(&other);
	sched_run(NS_NEVER);
	assert_int_equal(drops("dummynet.gone"), 3);
}

static void
test_an_interface_that_goes_down_drops_what_comes_out(void **state)
{
	(void)state;
	lay_pipe(1, 8000, 0, 50);
	command("ifconfig mem0 pipe 1");
	send_one(100);
	command("ifconfig mem0 down");
	sched_run(NS_NEVER);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("if.down"), 1);
}

static void
test_a_renamed_interface_keeps_its_pipe_and_a_moved_one_not(void **state)
{
	(void)state;
	command("ifconfig epair1 create");
	command("ifconfig epair1a pipe 1");
	command("ifconfig epair1a name wan0");
	assert_non_null(if_byname("wan0")->if_shaper);
	command("jail -c name=n1 vnet persist");
	command("ifconfig wan0 vnet n1");
	VNET_SCOPE(vnet_of("n1"));
	assert_non_null(if_byname("wan0"));
	assert_null(if_byname("wan0")->if_shaper);
}

static int
status_of(const char *line)
{
	char *out = NULL, *err = NULL;
	int status = verb_line(NULL, line, false, &out, &err);

	free(out);
	free(err);
	return status;
}

static void
test_a_link_and_a_pipe_do_not_share_an_interface(void **state)
{
	(void)state;
	command("ifconfig epair1 create");
	command("ifconfig epair1a link rate 1Mbit/s");
	assert_int_not_equal(status_of("ifconfig epair1a pipe 1"), 0);
	command("ifconfig epair1a -link pipe 1");
	assert_int_not_equal(status_of("ifconfig epair1a link rate 1Mbit/s"), 0);
	assert_int_not_equal(status_of("ifconfig epair1b -pipe"), 0);
	assert_int_not_equal(status_of("ifconfig epair1b pipe 0"), 0);
	assert_int_not_equal(status_of("ifconfig epair1b pipe 65536"), 0);
	command("ifconfig epair1a destroy");
}

static void
test_ifconfig_shows_the_pipe(void **state)
{
	char *out = NULL, *err = NULL;

	(void)state;
	command("ifconfig mem0 pipe 12");
	assert_int_equal(verb_line(NULL, "ifconfig mem0", false, &out, &err), 0);
	assert_non_null(strstr(out, "\tpipe: 12\n"));
	free(out);
	free(err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DN_TEST(test_frames_take_their_time_and_leave_by_the_driver),
		DN_TEST(test_frames_have_flows),
		DN_TEST(test_without_its_pipe_an_interface_sends_nothing),
		DN_TEST(test_an_interface_that_leaves_takes_its_frames_along),
		DN_TEST(test_an_interface_that_goes_down_drops_what_comes_out),
		DN_TEST(test_a_renamed_interface_keeps_its_pipe_and_a_moved_one_not),
		DN_TEST(test_a_link_and_a_pipe_do_not_share_an_interface),
		DN_TEST(test_ifconfig_shows_the_pipe),
	};

	return cmocka_run_group_tests_name("dummynet/if", tests, NULL, NULL);
}
