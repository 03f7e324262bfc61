/*
 * Unit tests of the Forwarding Plane Manager protocol (port/fpm.c, fpm_msg.c, fpm_table.c): a
 * daemon's messages become routes, however the stream is cut, and leave when they should.
 *
 *	mem0 10.0.0.1/24 2001:db8::1/64, mem1 10.1.0.1/24 2001:db8:1::1/64
 *
 * In the guest their indexes are 2 and 3; 4 is an interface that isn't here.
 */
#include "kern_fixture.h"

#include "base/log.h"
#include "fpm_messages.h"
#include "base/sched.h"
#include "kern/eventhandler.h"
#include "memif.h"
#include "port/fpm.h"

#include <errno.h>
#include <stdio.h>

static struct fpm *fpm;
static struct fpm_stream stream;

static bool
guest_name(void *ctx, uint32_t index, char *name)
{
	static const char *const names[] = { "", "lo", "mem0", "mem1", "mem7" };

	(void)ctx;
	if (index == 0 || index >= sizeof(names) / sizeof(names[0]))
		return false;
	strcpy(name, names[index]);
	return true;
}

static void
quiet(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

static struct memif lan, wan;

static int
setup(void **state)
{
	kern_setup(state);
	log_set_sink(quiet, NULL);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, NULL, NULL);
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, NULL, NULL);
	expect_line("ifconfig mem0 inet6 2001:db8::1/64 no_dad", 0, NULL, NULL);
	expect_line("ifconfig mem1 inet6 2001:db8:1::1/64 no_dad", 0, NULL, NULL);
	fpm = fpm_new(0, guest_name, NULL);
	assert_non_null(fpm);
	fpm_begin(fpm);
	stream.len = 0;
	return 0;
}

static int
teardown(void **state)
{
	if (fpm != NULL)
		fpm_free(fpm);
	memif_close(&lan);
	memif_close(&wan);
	log_set_sink(NULL, NULL);
	return kern_teardown(state);
}

/* --- what a daemon says ----------------------------------------------------------------------- */

static struct rt_addr
addr(const char *text)
{
	struct rt_addr a;

	assert_true(rt_addr_parse(text, 0, &a));
	return a;
}

/* A route by a gateway and an interface ("" and 0: not said). */
static void
say_route(const char *dst, const char *gateway, uint32_t index)
{
	struct rt_addr d = addr(dst), g;
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);

	if (gateway[0] != '\0') {
		g = addr(gateway);
		fpm_put_addr(nlh, RTA_GATEWAY, &g);
	}
	if (index != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, index);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
}

static void
say_route_by_id(const char *dst, uint32_t id)
{
	struct rt_addr d = addr(dst);
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);

	mnl_attr_put_u32(nlh, RTA_NH_ID, id);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
}

static void
say_drop(const char *dst, uint8_t how)
{
	struct rt_addr d = addr(dst);
	struct fpm_header *h = fpm_open(&stream);

	fpm_done(&stream, fpm_route_begin(&stream, RTM_NEWROUTE, &d, how));
	fpm_close(&stream, h);
}

static void
say_gone(const char *dst)
{
	struct rt_addr d = addr(dst);
	struct fpm_header *h = fpm_open(&stream);

	fpm_done(&stream, fpm_route_begin(&stream, RTM_DELROUTE, &d, RTN_UNSPEC));
	fpm_close(&stream, h);
}

static void
say_nexthop(uint32_t id, const char *gateway, uint32_t index)
{
	struct rt_addr g = addr(gateway);
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_nexthop_begin(&stream, RTM_NEWNEXTHOP, g.family, id);

	fpm_put_addr(nlh, NHA_GATEWAY, &g);
	mnl_attr_put_u32(nlh, NHA_OIF, index);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
}

static void
say_group(uint32_t id, uint32_t a, uint32_t b)
{
	struct nexthop_grp grp[] = { { .id = a }, { .id = b, .weight = 2 } };
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_nexthop_begin(&stream, RTM_NEWNEXTHOP, AF_UNSPEC, id);

	mnl_attr_put(nlh, NHA_GROUP, b != 0 ? sizeof(grp) : sizeof(grp[0]), grp);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
}

static void
say_nexthop_gone(uint32_t id)
{
	struct fpm_header *h = fpm_open(&stream);

	fpm_done(&stream, fpm_nexthop_begin(&stream, RTM_DELNEXTHOP, AF_UNSPEC, id));
	fpm_close(&stream, h);
}

/* What was said arrives. */
static void
hear(void)
{
	const char *why = NULL;

	assert_int_equal(fpm_input(fpm, stream.bytes, stream.len, &why), 0);
	stream.len = 0;
}

static void
wait_ms(uint64_t ms)
{
	sched_run(clock_now() + ms * NS_PER_MS);
}

/* --- what came of it -------------------------------------------------------------------------- */

/* "10.0.0.9 mem0", "link mem1", "-": the first path to a prefix. */
static const char *
way(const char *dst)
{
	static char text[2 * RT_ADDR_TEXT];
	struct rt_addr d = addr(dst);
	const struct rtentry *rt = rib_exact(0, &d);
	char gateway[RT_ADDR_TEXT];

	if (rt == NULL)
		return "-";
	if (rt->nh.flags & RTF_BLACKHOLE_)
		return "blackhole";
	if (rt->nh.flags & RTF_REJECT_)
		return "reject";
	snprintf(text, sizeof(text), "%s %s",
	    rt->gateway.family == 0 ? "link" : rt_addr_text(&rt->gateway, gateway),
	    rt->nh.ifp->if_xname);
	return text;
}

static unsigned
paths(const char *dst)
{
	struct rt_addr d = addr(dst);
	unsigned n = 0;

	for (struct rtentry *rt = rib_exact(0, &d); rt != NULL; rt = rib_next_path(rt))
		n++;
	return n;
}

static const struct fpm_stats *
stats(void)
{
	return fpm_table_stats(fpm_table(fpm));
}

/* --- routes ----------------------------------------------------------------------------------- */

static void
test_routes_of_both_families_enter_the_fib(void **state)
{
	struct rt_addr d = addr("192.0.2.0/24");

	(void)state;
	say_route("192.0.2.0/24", "10.0.0.9", 2);
	say_route("192.0.3.0/24", "", 3);
	say_route("2001:db8:a::/48", "2001:db8:1::9", 3);
	say_route("default", "10.1.0.9", 3);
	say_route("203.0.113.0/24", "10.1.0.9", 0);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	assert_string_equal(way("192.0.3.0/24"), "link mem1");
	assert_string_equal(way("2001:db8:a::/48"), "2001:db8:1::9 mem1");
	assert_string_equal(way("default"), "10.1.0.9 mem1");
	assert_string_equal(way("203.0.113.0/24"), "10.1.0.9 mem1");
	assert_true(rib_exact(0, &d)->nh.flags & RTF_PROTO1_);
	say_gone("192.0.2.0/24");
	say_gone("2001:db8:a::/48");
	say_gone("198.51.100.0/24");
	hear();
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_string_equal(way("2001:db8:a::/48"), "-");
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 3);
	assert_int_equal(stats()->added, 5);
	assert_int_equal(stats()->deleted, 2);
}

static void
test_a_gateway_of_link_scope_is_on_its_interface(void **state)
{
	(void)state;
	say_route("2001:db8:b::/48", "fe80::9", 3);
	hear();
	assert_string_equal(way("2001:db8:b::/48"), "fe80::9%mem1 mem1");
	/* the same again is no change */
	say_route("2001:db8:b::/48", "fe80::9", 3);
	hear();
	assert_int_equal(paths("2001:db8:b::/48"), 1);
	say_route("2001:db8:b::/48", "fe80::9", 2);
	hear();
	assert_string_equal(way("2001:db8:b::/48"), "fe80::9%mem0 mem0");
	assert_int_equal(paths("2001:db8:b::/48"), 1);
}

static void
test_blackhole_and_unreachable_routes_drop(void **state)
{
	(void)state;
	say_drop("192.0.2.0/24", RTN_BLACKHOLE);
	say_drop("192.0.3.0/24", RTN_UNREACHABLE);
	say_drop("192.0.4.0/24", RTN_PROHIBIT);
	say_drop("2001:db8:c::/48", RTN_BLACKHOLE);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "blackhole");
	assert_string_equal(way("192.0.3.0/24"), "reject");
	assert_string_equal(way("192.0.4.0/24"), "reject");
	assert_string_equal(way("2001:db8:c::/48"), "blackhole");
	/* and back to a way, and the other way round */
	say_route("192.0.2.0/24", "10.0.0.9", 2);
	say_drop("192.0.3.0/24", RTN_BLACKHOLE);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	assert_string_equal(way("192.0.3.0/24"), "blackhole");
}

struct seen {
	unsigned added, deleted, changed;
};

static void
on_route(void *ctx, void *arg1, void *arg2)
{
	struct seen *seen = ctx;

	(void)arg1;
	seen->added += (uintptr_t)arg2 == RTM_ADD_;
	seen->deleted += (uintptr_t)arg2 == RTM_DELETE_;
	seen->changed += (uintptr_t)arg2 == RTM_CHANGE_;
}

/* FRR says a change as a deletion and an addition in one message. */
static void
test_a_changed_route_is_never_away(void **state)
{
	struct rt_addr d = addr("192.0.2.0/24"), g = addr("10.1.0.9");
	struct event_tag *tag = NULL;
	struct seen seen = { 0 };
	struct fpm_header *h;
	struct nlmsghdr *nlh;

	(void)state;
	say_route("192.0.2.0/24", "10.0.0.9", 2);
	hear();
	event_register(&tag, "route_event", EVENT_HERE, on_route, &seen, EVENT_PRI_ANY);
	h = fpm_open(&stream);
	fpm_done(&stream, fpm_route_begin(&stream, RTM_DELROUTE, &d, RTN_UNSPEC));
	nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);
	fpm_put_addr(nlh, RTA_GATEWAY, &g);
	mnl_attr_put_u32(nlh, RTA_OIF, 3);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
	hear();
	event_deregister(&tag);
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.9 mem1");
	assert_int_equal(seen.changed, 1);
	assert_int_equal(seen.added + seen.deleted, 0);
}

static void
test_the_guests_own_connected_routes_are_ignored(void **state)
{
	struct rt_addr d = addr("10.0.0.0/24"), other = addr("192.0.2.0/24");
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);

	(void)state;
	((struct rtmsg *)mnl_nlmsg_get_payload(nlh))->rtm_protocol = RTPROT_KERNEL;
	mnl_attr_put_u32(nlh, RTA_OIF, 2);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
	/* nor is another table this FIB */
	h = fpm_open(&stream);
	nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &other, RTN_UNICAST);
	mnl_attr_put_u32(nlh, RTA_TABLE, 1000);
	mnl_attr_put_u32(nlh, RTA_OIF, 2);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
	hear();
	assert_int_equal(stats()->ignored, 2);
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 0);
}

static void
test_somebody_elses_route_stays_and_is_waited_for(void **state)
{
	(void)state;
	expect_line("route -q add 192.0.2.0/24 10.0.0.5", 0, NULL, NULL);
	say_route("192.0.2.0/24", "10.1.0.9", 3);
	/* as it is with the prefix of an interface */
	say_route("10.0.0.0/24", "10.1.0.9", 3);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.5 mem0");
	assert_string_equal(way("10.0.0.0/24"), "link mem0");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 2);
	expect_line("route -q delete 192.0.2.0/24", 0, NULL, NULL);
	wait_ms(2);
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.9 mem1");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 1);
	say_gone("10.0.0.0/24");
	hear();
	assert_string_equal(way("10.0.0.0/24"), "link mem0");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 0);
}

static void
test_routes_wait_for_their_interface(void **state)
{
	struct memif late;

	(void)state;
	say_route("192.0.2.0/24", "10.7.0.9", 4);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 1);
	memif_open(&late, 7);
	expect_line("ifconfig mem7 inet 10.7.0.1/24", 0, NULL, NULL);
	wait_ms(2);
	assert_string_equal(way("192.0.2.0/24"), "10.7.0.9 mem7");
	memif_close(&late);
	wait_ms(2);
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 1);
}

static void
test_a_guests_interface_may_have_another_name(void **state)
{
	(void)state;
	assert_int_equal(fpm_map(fpm, "mem7", "mem1"), 0);
	assert_int_equal(fpm_map(fpm, "mem0", "mem1"), 0);
	say_route("192.0.2.0/24", "10.1.0.9", 4);
	say_route("192.0.3.0/24", "10.1.0.9", 2);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.9 mem1");
	assert_string_equal(way("192.0.3.0/24"), "10.1.0.9 mem1");
	/* also for what is there already */
	assert_int_equal(fpm_map(fpm, "mem0", NULL), 0);
	assert_string_equal(way("192.0.3.0/24"), "10.1.0.9 mem0");
	assert_int_equal(fpm_map(fpm, "mem7", NULL), 0);
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_int_equal(fpm_map(fpm, "mem7", NULL), -ENOENT);
	assert_int_equal(fpm_map(fpm, "a-name-that-is-too-long", "mem0"), -EINVAL);
}

/* --- next hop objects ------------------------------------------------------------------------- */

static void
test_routes_follow_the_next_hop_that_they_go_by(void **state)
{
	(void)state;
	say_nexthop(7, "10.0.0.9", 2);
	say_route_by_id("192.0.2.0/24", 7);
	say_route_by_id("192.0.3.0/24", 7);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	say_nexthop(7, "10.1.0.9", 3);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.9 mem1");
	assert_string_equal(way("192.0.3.0/24"), "10.1.0.9 mem1");
	assert_int_equal(fpm_table_nexthops(fpm_table(fpm)), 1);
}

static void
test_a_group_may_come_before_its_members(void **state)
{
	(void)state;
	say_group(9, 7, 0);
	say_route_by_id("192.0.2.0/24", 9);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 1);
	say_nexthop(7, "10.0.0.9", 2);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	assert_int_equal(fpm_table_waiting(fpm_table(fpm)), 0);
}

static void
test_a_route_may_come_before_its_next_hop(void **state)
{
	(void)state;
	say_route_by_id("192.0.2.0/24", 7);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "-");
	say_nexthop(7, "10.0.0.9", 2);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	/* one that nobody told goes with its last route */
	say_route_by_id("192.0.3.0/24", 8);
	say_gone("192.0.3.0/24");
	hear();
	assert_int_equal(fpm_table_nexthops(fpm_table(fpm)), 1);
}

static void
test_the_paths_of_a_group_are_all_there(void **state)
{
	struct rt_addr d = addr("192.0.2.0/24");
	const struct rtentry *rt;

	(void)state;
	say_nexthop(7, "10.0.0.9", 2);
	say_nexthop(8, "10.1.0.9", 3);
	say_group(9, 7, 8);
	say_route_by_id("192.0.2.0/24", 9);
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 2);
	rt = rib_exact(0, &d);
	assert_int_equal(rt->weight + rib_next_path(rt)->weight, 1 + 3);
	/* a member changes: the other one stays */
	say_nexthop(8, "10.1.0.10", 3);
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 2);
	say_nexthop_gone(7);
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 1);
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.10 mem1");
	say_gone("192.0.2.0/24");
	hear();
	assert_string_equal(way("192.0.2.0/24"), "-");
}

static void
test_multipath_without_objects(void **state)
{
	const struct rt_addr gateway[] = { addr("10.0.0.9"), addr("10.1.0.9") };
	const uint32_t index[] = { 2, 3 };
	const uint8_t weight[] = { 1, 5 };
	struct rt_addr d = addr("192.0.2.0/24");
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);
	const struct rtentry *rt;

	(void)state;
	fpm_put_hops(nlh, gateway, index, weight, 2);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 2);
	rt = rib_exact(0, &d);
	assert_int_equal(rt->weight + rib_next_path(rt)->weight, 6);
	/* one of them remains */
	say_route("192.0.2.0/24", "10.1.0.9", 3);
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 1);
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.9 mem1");
}

/* On the link itself and by a gateway there: two paths of one interface. */
static void
test_a_path_with_a_gateway_and_one_without_both_leave(void **state)
{
	struct rt_addr d = addr("192.0.2.0/24"), g = addr("10.0.0.9");
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);
	struct nlattr *nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rtnexthop *hop = (void *)((uint8_t *)nlh + nlh->nlmsg_len);

		*hop = (struct rtnexthop){ .rtnh_ifindex = 2, .rtnh_len = sizeof(*hop) };
		nlh->nlmsg_len += (uint32_t)sizeof(*hop);
		if (i == 0) {
			fpm_put_addr(nlh, RTA_GATEWAY, &g);
			hop->rtnh_len = sizeof(*hop) + 8;
		}
	}
	mnl_attr_nest_end(nlh, nest);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 2);
	say_gone("192.0.2.0/24");
	hear();
	assert_int_equal(paths("192.0.2.0/24"), 0);
}

static void
test_routes_go_with_their_next_hop(void **state)
{
	(void)state;
	say_nexthop(7, "10.0.0.9", 2);
	say_route_by_id("192.0.2.0/24", 7);
	say_nexthop_gone(7);
	say_nexthop_gone(8);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 0);
	assert_int_equal(fpm_table_nexthops(fpm_table(fpm)), 0);
}

/* --- connections ------------------------------------------------------------------------------ */

static void
test_what_a_new_connection_does_not_say_again_goes(void **state)
{
	(void)state;
	expect_line("sysctl -q net.route.fpm_hold=10", 0, NULL, NULL);
	say_nexthop(7, "10.0.0.9", 2);
	say_route_by_id("192.0.2.0/24", 7);
	say_route_by_id("192.0.3.0/24", 7);
	hear();
	fpm_end(fpm);
	wait_ms(5000);
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	fpm_begin(fpm);
	assert_int_equal(fpm_table_stale(fpm_table(fpm)), 2);
	/* the same number means something else in the new daemon's life */
	say_nexthop(7, "10.1.0.9", 3);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	say_route_by_id("192.0.3.0/24", 7);
	hear();
	assert_int_equal(fpm_table_stale(fpm_table(fpm)), 1);
	wait_ms(9999);
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	wait_ms(10);
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_string_equal(way("192.0.3.0/24"), "10.1.0.9 mem1");
	assert_int_equal(stats()->swept, 1);
}

static void
test_routes_of_a_daemon_that_does_not_return_go(void **state)
{
	(void)state;
	say_route("192.0.2.0/24", "10.0.0.9", 2);
	hear();
	fpm_end(fpm);
	wait_ms(59999);
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	wait_ms(10);
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 0);
}

/* A full table goes in slices: packets don't wait for it. */
static void
test_many_stale_routes_go_little_by_little(void **state)
{
	char dst[32];

	(void)state;
	for (unsigned i = 0; i < 2500; i++) {
		snprintf(dst, sizeof(dst), "172.%u.%u.0/24", 16 + i / 256, i % 256);
		say_route(dst, "10.0.0.9", 2);
		hear();
	}
	fpm_end(fpm);
	wait_ms(59999);
	for (int i = 0; i < 5 && fpm_table_routes(fpm_table(fpm)) == 2500; i++)
		wait_ms(1);
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 1500);
	wait_ms(5);
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 0);
	assert_string_equal(way("172.16.0.0/24"), "-");
}

static void
test_stop_takes_the_routes_away(void **state)
{
	(void)state;
	expect_line("route -q add -proto1 203.0.113.0/24 10.0.0.5", 0, NULL, NULL);
	say_nexthop(7, "10.0.0.9", 2);
	say_route_by_id("192.0.2.0/24", 7);
	say_route("2001:db8:a::/48", "2001:db8:1::9", 3);
	hear();
	expect_line("fpm stop", 0, "", "");
	fpm = NULL;
	assert_string_equal(way("192.0.2.0/24"), "-");
	assert_string_equal(way("2001:db8:a::/48"), "-");
	/* a person's route of the same flag is none of the daemon's */
	assert_string_equal(way("203.0.113.0/24"), "10.0.0.5 mem0");
	expect_line("fpm stop", 1, "", "fpm: stop: nobody listens for fib 0\n");
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void
test_a_stream_may_be_cut_anywhere(void **state)
{
	struct fpm_stream whole;
	const char *why = NULL;

	(void)state;
	say_nexthop(7, "10.0.0.9", 2);
	say_route_by_id("192.0.2.0/24", 7);
	say_route("2001:db8:a::/48", "2001:db8:1::9", 3);
	say_gone("192.0.2.0/24");
	say_route("192.0.2.0/24", "10.1.0.9", 3);
	whole = stream;
	for (size_t cut = 0; cut <= whole.len; cut++) {
		fpm_end(fpm);
		fpm_begin(fpm);
		assert_int_equal(fpm_input(fpm, whole.bytes, cut, &why), 0);
		assert_int_equal(fpm_input(fpm, whole.bytes + cut, whole.len - cut, &why), 0);
		assert_int_equal(fpm_table_stale(fpm_table(fpm)), 0);
	}
	for (size_t i = 0; i < whole.len; i++)
		assert_int_equal(fpm_input(fpm, whole.bytes + i, 1, &why), 0);
	assert_string_equal(way("192.0.2.0/24"), "10.1.0.9 mem1");
	assert_string_equal(way("2001:db8:a::/48"), "2001:db8:1::9 mem1");
	assert_int_equal(fpm_counts(fpm)->messages, 5 * (whole.len + 2));
	assert_int_equal(fpm_counts(fpm)->malformed, 0);
}

static void
test_what_is_not_the_protocol_ends_the_connection(void **state)
{
	static const struct {
		uint8_t bytes[4];
		const char *why;
	} cases[] = {
		{ { 2, 1, 0, 64 }, "not the protocol's version 1" },
		{ { 1, 2, 0, 64 }, "messages are not netlink's: zebra needs -M dplane_fpm_nl" },
		{ { 1, 1, 0, 3 }, "a message is shorter than its header" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;

		assert_int_equal(fpm_input(fpm, cases[i].bytes, 4, &why), -EPROTO);
		assert_string_equal(why, cases[i].why);
		fpm_end(fpm);
		fpm_begin(fpm);
	}
	assert_int_equal(fpm_counts(fpm)->broken, 3);
}

/* One message after the other is wrong in one point; those around them count. */
static void
test_malformed_messages_are_counted_and_passed_over(void **state)
{
	struct rt_addr d = addr("192.0.2.0/24");
	uint32_t malformed = 0;

	(void)state;
	for (int fault = 0; fault < 8; fault++, malformed++) {
		struct fpm_header *h = fpm_open(&stream);
		struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);
		struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

		switch (fault) {
		case 0: /* more bits than the address has */
			rtm->rtm_dst_len = 33;
			break;
		case 1: /* the other family's gateway */
			mnl_attr_put(nlh, RTA_GATEWAY, 16, &in6_any_);
			break;
		case 2:
			mnl_attr_put_u16(nlh, RTA_OIF, 2);
			break;
		case 3:
			mnl_attr_put(nlh, RTA_MULTIPATH, 4, &d);
			break;
		case 4: /* a member that reaches beyond its list */
			mnl_attr_put(nlh, RTA_MULTIPATH, sizeof(struct rtnexthop),
			    &(struct rtnexthop){ .rtnh_len = 200 });
			break;
		case 5: /* no header of a route */
			nlh->nlmsg_len = NLMSG_HDRLEN + 4;
			break;
		case 6: /* a next hop without a number */
			nlh->nlmsg_type = RTM_NEWNEXTHOP;
			nlh->nlmsg_len = NLMSG_HDRLEN + sizeof(struct nhmsg);
			break;
		default: /* an empty group */
			nlh->nlmsg_type = RTM_NEWNEXTHOP;
			nlh->nlmsg_len = NLMSG_HDRLEN + sizeof(struct nhmsg);
			mnl_attr_put_u32(nlh, NHA_ID, 3);
			mnl_attr_put(nlh, NHA_GROUP, 0, NULL);
			break;
		}
		fpm_done(&stream, nlh);
		fpm_close(&stream, h);
	}
	/* a netlink message that is longer than the one around it, a little and a lot */
	for (uint32_t len = 500; len != 0; len = len == 500 ? UINT32_MAX : 0, malformed++) {
		struct fpm_header *h = fpm_open(&stream);
		struct nlmsghdr *nlh = fpm_netlink(&stream, RTM_NEWROUTE);

		fpm_done(&stream, nlh);
		fpm_close(&stream, h);
		nlh->nlmsg_len = len;
	}
	say_route("192.0.3.0/24", "10.0.0.9", 2);
	hear();
	assert_int_equal(fpm_counts(fpm)->malformed, malformed);
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 1);
	assert_string_equal(way("192.0.3.0/24"), "10.0.0.9 mem0");
}

static void
test_paths_that_are_not_for_ip_are_counted(void **state)
{
	struct rt_addr d = addr("192.0.2.0/24"), g = addr("10.0.0.9");
	struct fpm_header *h = fpm_open(&stream);
	struct nlmsghdr *nlh = fpm_route_begin(&stream, RTM_NEWROUTE, &d, RTN_UNICAST);

	(void)state;
	fpm_put_addr(nlh, RTA_GATEWAY, &g);
	mnl_attr_put_u32(nlh, RTA_OIF, 2);
	mnl_attr_put_u32(nlh, RTA_ENCAP, 100);
	fpm_done(&stream, nlh);
	fpm_close(&stream, h);
	hear();
	assert_int_equal(stats()->unusable, 1);
	assert_string_equal(way("192.0.2.0/24"), "-");
}

static void
test_limits_refuse_what_is_beyond_them(void **state)
{
	(void)state;
	expect_line("sysctl -q net.route.fpm_maxroutes=2", 0, NULL, NULL);
	expect_line("sysctl -q net.route.fpm_maxnexthops=1", 0, NULL, NULL);
	say_nexthop(7, "10.0.0.9", 2);
	say_nexthop(8, "10.1.0.9", 3);
	say_route_by_id("192.0.2.0/24", 7);
	say_route_by_id("192.0.3.0/24", 8);
	say_route("192.0.4.0/24", "10.0.0.9", 2);
	say_route("192.0.5.0/24", "10.0.0.9", 2);
	hear();
	assert_string_equal(way("192.0.2.0/24"), "10.0.0.9 mem0");
	assert_string_equal(way("192.0.3.0/24"), "-");
	assert_string_equal(way("192.0.4.0/24"), "10.0.0.9 mem0");
	assert_string_equal(way("192.0.5.0/24"), "-");
	assert_int_equal(stats()->refused, 3);
	assert_int_equal(fpm_table_routes(fpm_table(fpm)), 2);
}

/* --- the verb --------------------------------------------------------------------------------- */

static void
test_the_verb_shows_what_is_held(void **state)
{
	(void)state;
	say_route("192.0.2.0/24", "10.0.0.9", 2);
	hear();
	expect_line("fpm map eth0 mem1", 0, "", "");
	assert_true(says("fpm show", false, "\troutes: 1 held, 0 not in the FIB"));
	assert_true(says("fpm show", false, "\tmap: eth0 is mem1\n"));
	assert_true(says("fpm show", true, "\"routes\":1,"));
	expect_line("fpm unmap eth0", 0, "", "");
	expect_line("fpm unmap eth0", 1, "", "fpm: unmap eth0: not mapped\n");
	expect_line("fpm listen 2621", 1, "",
	    "fpm: listen: a routing daemon needs live time (warren up)\n");
}

int
main(void)
{
#define FPM_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		FPM_TEST(test_routes_of_both_families_enter_the_fib),
		FPM_TEST(test_a_gateway_of_link_scope_is_on_its_interface),
		FPM_TEST(test_blackhole_and_unreachable_routes_drop),
		FPM_TEST(test_a_changed_route_is_never_away),
		FPM_TEST(test_the_guests_own_connected_routes_are_ignored),
		FPM_TEST(test_somebody_elses_route_stays_and_is_waited_for),
		FPM_TEST(test_routes_wait_for_their_interface),
		FPM_TEST(test_a_guests_interface_may_have_another_name),
		FPM_TEST(test_routes_follow_the_next_hop_that_they_go_by),
		FPM_TEST(test_a_group_may_come_before_its_members),
		FPM_TEST(test_a_route_may_come_before_its_next_hop),
		FPM_TEST(test_the_paths_of_a_group_are_all_there),
		FPM_TEST(test_multipath_without_objects),
		FPM_TEST(test_a_path_with_a_gateway_and_one_without_both_leave),
		FPM_TEST(test_routes_go_with_their_next_hop),
		FPM_TEST(test_what_a_new_connection_does_not_say_again_goes),
		FPM_TEST(test_routes_of_a_daemon_that_does_not_return_go),
		FPM_TEST(test_many_stale_routes_go_little_by_little),
		FPM_TEST(test_stop_takes_the_routes_away),
		FPM_TEST(test_a_stream_may_be_cut_anywhere),
		FPM_TEST(test_what_is_not_the_protocol_ends_the_connection),
		FPM_TEST(test_malformed_messages_are_counted_and_passed_over),
		FPM_TEST(test_paths_that_are_not_for_ip_are_counted),
		FPM_TEST(test_limits_refuse_what_is_beyond_them),
		FPM_TEST(test_the_verb_shows_what_is_held),
	};

	return cmocka_run_group_tests_name("fpm", tests, NULL, NULL);
}
