/*
 * Unit tests of several routes to one prefix (route/nexthop.c, rib_path.c): which way flows go, what
 * a link that fails moves and what not, what the tools say. For both families.
 *
 *	mem0	in	10.0.0.1/24	2001:db8:0::1/64	senders
 *	mem1	one	10.1.0.1/24	2001:db8:1::1/64	gateway .254, ::fe
 *	mem2	two	10.2.0.1/24	2001:db8:2::1/64	gateway .254, ::fe
 *	mem3	three	10.3.0.1/24	2001:db8:3::1/64	gateway .254, ::fe
 */
#include "kern_fixture.h"

#include "inet6/ip6.h"
#include "inet/ip.h"
#include "inet/udp.h"
#include "kern/drop.h"
#include "memif.h"
#include "route/flow.h"
#include "route/rib.h"

#include <errno.h>
#include <stdio.h>

enum { IFS = 4, FLOWS = 1000, UDP_ = 17 };

static struct memif mem[IFS];

static void
command(const char *fmt, ...)
{
	char line[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	expect_line(line, 0, NULL, "");
}

static int
setup(void **state)
{
	kern_setup(state);
	command("sysctl net.inet6.ip6.dad_count=0 net.inet6.ip6.auto_linklocal=0");
	command("sysctl net.inet.ip.forwarding=1 net.inet6.ip6.forwarding=1");
	for (int i = 0; i < IFS; i++) {
		memif_open(&mem[i], i);
		command("ifconfig mem%d inet 10.%d.0.1/24", i, i);
		command("ifconfig mem%d inet6 2001:db8:%d::1/64", i, i);
		if (i == 0)
			continue;
		command("arp -s 10.%d.0.254 02:00:00:00:fe:%02x", i, i);
		command("ndp -s 2001:db8:%d::fe 02:00:00:00:fe:%02x", i, i);
		memif_clear(&mem[i]);
	}
	return 0;
}

static int
teardown(void **state)
{
	for (int i = 0; i < IFS; i++)
		if (mem[i].ifp != NULL)
			memif_close(&mem[i]);
	rcu_synchronize();
	return kern_teardown(state);
}

/* --- flows --------------------------------------------------------------- */

static struct mbuf *
frame4(unsigned flow)
{
	uint32_t src = 0x0200000a, dst = 0x0100090a; /* 10.0.0.2 -> 10.9.0.1 */
	struct mbuf *m = memif_frame(&mem[0], src, dst, UDP_, 60);
	struct udp_hdr *uh = (struct udp_hdr *)(void *)(frame_ip(m) + 1);

	uh->sport = to_be16((uint16_t)(1024 + flow));
	uh->dport = to_be16(5001);
	return m;
}

static struct mbuf *
frame6(unsigned flow)
{
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + 60);
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);
	struct ip6_hdr *ip6 = (struct ip6_hdr *)(void *)(eh + 1);
	struct udp_hdr *uh = (struct udp_hdr *)(void *)(ip6 + 1);

	memset(m->data, 0, m->len);
	memcpy(eh->dst, mem[0].ifp->if_lladdr, 6);
	memcpy(eh->src, (const uint8_t[6]){ 2, 0, 0, 0, 9, 9 }, 6);
	eh->type = to_be16(ETHERTYPE_IPV6_);
	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28), .plen = to_be16(20), .nxt = UDP_, .hlim = 64
	};
	assert_true(in6_aton("2001:db8::2", &ip6->src));
	assert_true(in6_aton("2001:db8:9::1", &ip6->dst));
	uh->sport = to_be16((uint16_t)(1024 + flow));
	uh->dport = to_be16(5001);
	return m;
}

/* The interface by which what was sent last has left; 0: none. */
static int
who_sent(void)
{
	int who = 0;

	for (int i = 1; i < IFS; i++) {
		if (mem[i].ifp == NULL)
			continue;
		if (mem[i].sent.len > 0) {
			assert_int_equal(who, 0);
			assert_int_equal(mem[i].sent.len, 1);
			who = i;
		}
		memif_clear(&mem[i]);
	}
	memif_clear(&mem[0]);
	return who;
}

/* By which interface a packet of the flow is forwarded. */
static int
way(int family, unsigned flow)
{
	memif_receive(&mem[0], family == AF_INET ? frame4(flow) : frame6(flow));
	return who_sent();
}

/* A link says something for itself when it changes: that is not what is looked at. */
static void
link_is(int i, enum link_state state)
{
	if_link_state_change(mem[i].ifp, state);
	for (i = 0; i < IFS; i++)
		memif_clear(&mem[i]);
}

static void
set_up(int i, bool up)
{
	assert_int_equal(up ? if_up(mem[i].ifp) : if_down(mem[i].ifp), 0);
	for (i = 0; i < IFS; i++)
		memif_clear(&mem[i]);
}

struct ways {
	int by[FLOWS];
	unsigned n[IFS];
};

static void
all_ways(int family, struct ways *w)
{
	memset(w, 0, sizeof(*w));
	for (unsigned flow = 0; flow < FLOWS; flow++)
		w->n[w->by[flow] = way(family, flow)]++;
}

static void
path(int family, const char *what, int i, const char *more)
{
	if (family == AF_INET)
		command("route %s -net 10.9.0.0/16 10.%d.0.254 %s", what, i, more);
	else
		command("route -6 %s 2001:db8:9::/48 2001:db8:%d::fe %s", what, i, more);
}

static void
assert_share(unsigned n, unsigned percent)
{
	/* 1,000 draws: four standard deviations are 6 % at most */
	if (n + 60 < 10 * percent || n > 10 * percent + 60)
		fail_msg("%u of %d, not %u %%", n, FLOWS, percent);
}

static const int families[] = { AF_INET, AF_INET6 };
#define FAMILIES(f) for (const int *f = families; f < families + 2; f++)

/* --- which way flows go -------------------------------------------------- */

static void
test_b21_flows_are_split_by_weight_and_each_stays_on_its_path(void **state)
{
	static struct ways first, again;

	(void)state;
	FAMILIES(f)
	{
		path(*f, "add", 1, "");
		path(*f, "add", 2, "");
		all_ways(*f, &first);
		assert_int_equal(first.n[0], 0);
		assert_share(first.n[1], 50);
		assert_share(first.n[2], 50);
		all_ways(*f, &again);
		assert_memory_equal(&first, &again, sizeof(first));

		path(*f, "change", 2, "-weight 3");
		all_ways(*f, &first);
		assert_share(first.n[1], 25);
		assert_share(first.n[2], 75);
		path(*f, "add", 3, "-weight 4");
		all_ways(*f, &first);
		assert_share(first.n[1], 12);
		assert_share(first.n[2], 37);
		assert_share(first.n[3], 50);
	}
}

static void
test_a_batch_is_split_as_single_packets_are(void **state)
{
	(void)state;
	FAMILIES(f)
	{
		struct batch b = { .n = 0 };
		unsigned n[IFS] = { 0 };

		path(*f, "add", 1, "");
		path(*f, "add", 2, "");
		for (unsigned flow = 0; flow < BATCH_MAX; flow++)
			n[way(*f, flow)]++;
		for (unsigned flow = 0; flow < BATCH_MAX; flow++)
			batch_add(&b, *f == AF_INET ? frame4(flow) : frame6(flow));
		if_receive(mem[0].ifp, &b);
		assert_int_equal(mem[1].sent.len, n[1]);
		assert_int_equal(mem[2].sent.len, n[2]);
		memif_clear(&mem[1]);
		memif_clear(&mem[2]);
	}
}

/* A flow's first fragment has its ports, the others have not: they may not part. */
static void
test_fragments_of_a_datagram_go_one_way(void **state)
{
	int by[2];

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	for (unsigned flow = 0; flow < 50; flow++) {
		for (int i = 0; i < 2; i++) {
			struct mbuf *m = frame4(i == 0 ? flow : 7777);
			struct ip_hdr *ip = frame_ip(m);

			ip->off = to_be16(i == 0 ? IP_MF_ : 185);
			ip->sum = 0;
			ip->sum = ip_cksum(ip);
			memif_receive(&mem[0], m);
			by[i] = who_sent();
		}
		assert_int_not_equal(by[0], 0);
		assert_int_equal(by[0], by[1]);
	}
}

static int
send_own(uint16_t port)
{
	struct mbuf *m = m_get(40);

	memset(m->data, 0, m->len);
	store16(m->data, port);
	assert_int_equal(ip_output(m, 0, 0x0100090a, UDP_, NULL), 0);
	return who_sent();
}

static void
test_flows_made_here_are_split_too(void **state)
{
	unsigned n[IFS] = { 0 };

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	for (uint16_t port = 0; port < FLOWS; port++) {
		int by = send_own(port);

		n[by]++;
		assert_int_equal(send_own(port), by);
	}
	assert_share(n[1], 50);
	assert_share(n[2], 50);
}

/* Routers in a row: what the first one sends one way, the second splits again. */
static void
test_two_stacks_do_not_choose_alike(void **state)
{
	static struct ways here;
	struct vnet *other;
	unsigned n[IFS] = { 0 };

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	all_ways(AF_INET, &here);
	other = vnet_alloc();
	assert_non_null(other);
	{
		VNET_SCOPE(other);
		struct rt_addr dst;
		struct memif mi[2];

		assert_true(rt_addr_parse("10.9.0.0/16", 0, &dst));
		for (int i = 0; i < 2; i++) {
			struct rt_request rq = { .dst = dst, .multipath = true };

			memif_open(&mi[i], i);
			rq.ifp = mi[i].ifp;
			assert_int_equal(rib_add(&rq, NULL), 0);
			assert_int_equal(if_up(mi[i].ifp), 0);
		}
		for (unsigned flow = 0; flow < FLOWS; flow++) {
			uint32_t ports = (uint32_t)__builtin_bswap16(5001) << 16 |
			    __builtin_bswap16((uint16_t)(1024 + flow));
			uint32_t id = flow_hash4(0x0200000a, 0x0100090a, UDP_, ports);

			if (here.by[flow] == 1)
				n[route_to4(0, 0x0100090a, id)->ifp == mi[1].ifp]++;
		}
		for (int i = 0; i < 2; i++)
			memif_close(&mi[i]);
	}
	vnet_destroy(other);
	assert_share(1000 * n[0] / (n[0] + n[1]), 50);
}

/* --- what moves, and what stays ------------------------------------------ */

static void
test_b16_b21_a_path_whose_link_fails_takes_only_its_own_flows_along(void **state)
{
	static struct ways before, down, after;

	(void)state;
	mem[2].ifp->if_capabilities |= IFCAP_LINKSTATE;
	link_is(2, LINK_STATE_UP);
	FAMILIES(f)
	{
		for (int i = 1; i < IFS; i++)
			path(*f, "add", i, "");
		all_ways(*f, &before);
		link_is(2, LINK_STATE_DOWN);
		all_ways(*f, &down);
		assert_int_equal(down.n[2], 0);
		assert_int_equal(down.n[0], 0);
		for (int i = 0; i < FLOWS; i++)
			if (before.by[i] != 2)
				assert_int_equal(down.by[i], before.by[i]);
		/* they spread over the two that are left */
		assert_share(down.n[1], 50);
		link_is(2, LINK_STATE_UP);
		all_ways(*f, &after);
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

static void
test_b16_an_interface_that_reports_no_link_state_is_used(void **state)
{
	static struct ways w;

	(void)state;
	assert_false(mem[2].ifp->if_capabilities & IFCAP_LINKSTATE);
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	link_is(2, LINK_STATE_DOWN);
	all_ways(AF_INET, &w);
	assert_share(w.n[2], 50);
	/* behaviours 20: loopback reports none, so it never counts as down */
	assert_false(V_loif->if_capabilities & IFCAP_LINKSTATE);
	/* bit 20, counting from 1, by its name */
	assert_int_equal(IFCAP_LINKSTATE, 1 << 19);
	mem[1].ifp->if_capabilities |= IFCAP_LINKSTATE;
	mem[1].ifp->if_capenable |= IFCAP_LINKSTATE;
	assert_true(says("ifconfig -m mem1", false, "LINKSTATE"));
}

static void
test_b21_an_interface_that_is_set_down_carries_nothing(void **state)
{
	static struct ways before, w;

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	all_ways(AF_INET, &before);
	set_up(1, false);
	all_ways(AF_INET, &w);
	assert_int_equal(w.n[2], FLOWS);
	set_up(1, true);
	command("arp -s 10.1.0.254 02:00:00:00:fe:01");
	all_ways(AF_INET, &w);
	assert_memory_equal(&before, &w, sizeof(before));
}

static void
test_with_all_links_down_packets_are_dropped_by_name(void **state)
{
	uint64_t before = drop_get(vnet0, &DROP_IF_DOWN);

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	set_up(1, false);
	set_up(2, false);
	assert_int_equal(way(AF_INET, 1), 0);
	assert_int_equal(drop_get(vnet0, &DROP_IF_DOWN), before + 1);
}

static void
test_b21_a_path_that_is_deleted_and_one_that_comes_move_only_their_own(void **state)
{
	static struct ways two, three, again;

	(void)state;
	FAMILIES(f)
	{
		path(*f, "add", 1, "");
		path(*f, "add", 2, "");
		all_ways(*f, &two);
		path(*f, "add", 3, "");
		all_ways(*f, &three);
		for (int i = 0; i < FLOWS; i++)
			assert_true(three.by[i] == two.by[i] || three.by[i] == 3);
		assert_share(three.n[3], 33);
		path(*f, "delete", 3, "");
		all_ways(*f, &again);
		assert_memory_equal(&two, &again, sizeof(two));
		path(*f, "delete", 1, "");
		all_ways(*f, &again);
		assert_int_equal(again.n[2], FLOWS);
		path(*f, "add", 1, "");
		all_ways(*f, &again);
		assert_memory_equal(&two, &again, sizeof(two));
	}
}

static void
test_an_interface_that_leaves_takes_its_path_along(void **state)
{
	static struct ways w;

	(void)state;
	for (int i = 1; i < IFS; i++)
		path(AF_INET, "add", i, "");
	memif_close(&mem[2]);
	all_ways(AF_INET, &w);
	assert_share(w.n[1], 50);
	memif_close(&mem[1]);
	all_ways(AF_INET, &w);
	assert_int_equal(w.n[3], FLOWS);
	memif_close(&mem[3]);
	assert_int_equal(way(AF_INET, 1), 0);
}

/* --- what the tools say -------------------------------------------------- */

static void
test_b21_deleting_one_of_several_needs_its_gateway_and_succeeds(void **state)
{
	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	expect_line("route add -net 10.9.0.0/16 10.2.0.254", 1,
	    "add net 10.9.0.0: gateway 10.2.0.254: route already in table\n", NULL);
	expect_line("route delete -net 10.9.0.0/16 10.3.0.254", 1,
	    "delete net 10.9.0.0: gateway 10.3.0.254: not in table\n",
	    "route: writing to routing socket: No such process\n");
	expect_line("route delete -net 10.9.0.0/16", 1,
	    "delete net 10.9.0.0: several gateways: name one\n", NULL);
	assert_true(says("netstat -rn", false,
	    "10.9.0.0/16        10.1.0.254         UGS         0        0   mem1\n"
	    "10.9.0.0/16        10.2.0.254         UGS         0        0   mem2\n"));
	expect_line("route delete -net 10.9.0.0/16 10.1.0.254", 0,
	    "delete net 10.9.0.0: gateway 10.1.0.254\n", "");
	assert_true(says("netstat -rn", false,
	    "10.3.0.1           link#5             UHS         0        0    lo0\n"
	    "10.9.0.0/16        10.2.0.254         UGS         0        0   mem2\n"));
	expect_line("route delete -net 10.9.0.0/16", 0, "delete net 10.9.0.0\n", "");
	assert_int_equal(way(AF_INET, 1), 0);
}

static void
test_get_shows_the_choice_for_a_flow_and_all_paths(void **state)
{
	char line[160], want[40];

	(void)state;
	FAMILIES(f)
	{
		path(*f, "add", 1, "");
		path(*f, "add", 2, "-weight 2");
		for (unsigned flow = 0; flow < 60; flow++) {
			snprintf(line, sizeof(line),
			    "route get %s -src %s -proto udp -sport %u -dport 5001",
			    *f == AF_INET ? "10.9.0.1" : "2001:db8:9::1",
			    *f == AF_INET ? "10.0.0.2" : "2001:db8::2", 1024 + flow);
			snprintf(want, sizeof(want), "  interface: mem%d\n", way(*f, flow));
			assert_true(says(line, false, want));
		}
	}
	mem[1].ifp->if_capabilities |= IFCAP_LINKSTATE;
	assert_true(says("route get 10.9.0.1", false,
	    "       path: 10.1.0.254 by mem1, weight 1, link down\n"
	    "       path: 10.2.0.254 by mem2, weight 2, chosen\n"));
	assert_true(says("route get 10.9.0.1", true, "\"usable\":false"));
	assert_true(says("route get 10.9.0.1", true, "\"paths\""));
}

static void
test_like_stands_beside_like_only_and_the_limit_is_kept(void **state)
{
	(void)state;
	path(AF_INET, "add", 1, "-blackhole");
	expect_line("route add -net 10.9.0.0/16 10.2.0.254", 1, NULL, NULL);
	path(AF_INET, "delete", 1, "");
	command("sysctl net.route.maxpaths=2");
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	expect_line("route add -net 10.9.0.0/16 10.3.0.254", 1,
	    "add net 10.9.0.0: gateway 10.3.0.254: too many gateways: net.route.maxpaths\n", NULL);
	expect_line("route change -net 10.9.0.0/16 10.2.0.254 -blackhole", 1, NULL, NULL);
	/* an interface's own prefix is no neighbour for a route by hand */
	expect_line("route add -net 10.1.0.0/24 10.2.0.254", 1,
	    "add net 10.1.0.0: gateway 10.2.0.254: route already in table\n", NULL);
	command("sysctl net.route.maxpaths=16");
}

/* --- several interfaces in one prefix ------------------------------------ */

static void
test_b21_two_interfaces_in_one_prefix_have_a_route_each(void **state)
{
	unsigned n[IFS] = { 0 };

	(void)state;
	command("ifconfig mem1 inet 10.7.0.1/24 alias");
	/* aliases never collide with it: the interface has one route, whatever the addresses */
	command("ifconfig mem1 inet 10.7.0.3/24 alias");
	command("ifconfig mem2 inet 10.7.0.2/24 alias");
	expect_line("ifconfig mem3 inet 10.7.0.2/24 alias", 1, NULL, NULL);
	assert_true(says("netstat -rn", false,
	    "10.7.0.0/24        link#3             U           0        0   mem1\n"
	    "10.7.0.0/24        link#4             U           0        0   mem2\n"
	    "10.7.0.1 "));
	for (uint32_t flow = 1; flow <= FLOWS; flow++)
		n[route_to4(0, 0x0900070a, flow * 2654435761u)->ifp == mem[2].ifp ? 2 : 1]++;
	assert_share(n[1], 50);
	assert_share(n[2], 50);
	/* a failing one loses nothing */
	mem[1].ifp->if_capabilities |= IFCAP_LINKSTATE;
	link_is(1, LINK_STATE_DOWN);
	for (uint32_t flow = 1; flow <= FLOWS; flow++)
		assert_ptr_equal(route_to4(0, 0x0900070a, flow)->ifp, mem[2].ifp);
	expect_line("route delete -net 10.7.0.0/24 -iface mem1", 0, NULL, "");
	assert_true(says("netstat -rn", false,
	    "10.3.0.1           link#5             UHS         0        0    lo0\n"
	    "10.7.0.0/24        link#4             U           0        0   mem2\n"));
	/* the last one belongs to the address */
	expect_line("route delete -net 10.7.0.0/24 -iface mem2", 1, NULL, NULL);
	command("ifconfig mem2 inet 10.7.0.2 -alias");
	assert_null(route_to4(0, 0x0900070a, 1));
}

/* --- reverse path -------------------------------------------------------- */

static int
from_to(int in, const char *src, int out)
{
	uint32_t addr;
	struct mbuf *m;

	assert_true(in_aton(src, &addr));
	m = memif_frame(&mem[in], addr, 0x0200000a, UDP_, 60); /* to 10.0.0.2 */
	command("arp -s 10.0.0.2 02:00:00:00:09:09");
	memif_clear(&mem[out]);
	memif_receive(&mem[in], m);
	in = (int)mem[out].sent.len;
	memif_clear(&mem[out]);
	return in;
}

static void
test_reverse_path_is_checked_against_all_paths(void **state)
{
	struct rt_addr src;

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	assert_int_equal(from_to(3, "10.9.0.1", 0), 1); /* off by default */
	command("sysctl net.inet.ip.rp_filter=1");
	assert_int_equal(from_to(1, "10.9.0.1", 0), 1);
	assert_int_equal(from_to(2, "10.9.0.1", 0), 1);
	assert_int_equal(from_to(3, "10.9.0.1", 0), 0);
	assert_true(drop_get(vnet0, drop_find("ip.rpfilter")) > 0);
	assert_int_equal(from_to(3, "192.0.2.1", 0), 0);
	command("sysctl net.inet.ip.rp_filter=2");
	assert_int_equal(from_to(3, "10.9.0.1", 0), 1);
	assert_int_equal(from_to(3, "192.0.2.1", 0), 0);
	command("route add -net 192.0.2.0/24 10.1.0.254 -blackhole");
	assert_int_equal(from_to(1, "192.0.2.1", 0), 0);
	path(AF_INET6, "add", 1, "");
	path(AF_INET6, "add", 2, "");
	assert_true(rt_addr_parse("2001:db8:9::5", 0, &src));
	assert_true(rib_reverse_path_ok(0, &src, mem[2].ifp));
	assert_false(rib_reverse_path_ok(0, &src, mem[3].ifp));
	assert_true(rib_reverse_path_ok(0, &src, NULL));
}

/* The same switch for IPv6, seen from the packets. */
static void
test_reverse_path_of_ipv6_packets(void **state)
{
	(void)state;
	path(AF_INET6, "add", 1, "");
	assert_int_equal(way(AF_INET6, 1), 1);
	command("sysctl net.inet6.ip6.rp_filter=1");
	assert_int_equal(way(AF_INET6, 1), 1);
	command("ifconfig mem0 inet6 2001:db8::1 -alias");
	assert_int_equal(way(AF_INET6, 1), 0);
	assert_int_equal(drop_get(vnet0, drop_find("ip6.rpfilter")), 1);
}

/* --- masks that are no prefixes ------------------------------------------ */

static int
by4(const char *dst)
{
	uint32_t addr;
	const struct nexthop *nh;

	assert_true(in_aton(dst, &addr));
	nh = route_to4(0, addr, 1);
	for (int i = 1; nh != NULL && i < IFS; i++)
		if (nh->ifp == mem[i].ifp)
			return i;
	return 0;
}

static void
test_b47_routes_with_gaps_in_their_masks(void **state)
{
	(void)state;
	expect_line("route add -net 11.0.7.0 -netmask 255.0.255.0 10.1.0.254", 0,
	    "add net 11.0.7.0: gateway 10.1.0.254\n", "");
	assert_int_equal(by4("11.200.7.9"), 1);
	assert_int_equal(by4("11.200.8.9"), 0);
	command("route add default 10.2.0.254");
	assert_int_equal(by4("11.200.8.9"), 2);
	command("route add -net 11.0.0.0/8 10.3.0.254");
	assert_int_equal(by4("11.200.8.9"), 3);
	assert_int_equal(by4("11.200.7.9"), 1);
	command("route add -net 11.200.0.0/16 10.2.0.254");
	assert_int_equal(by4("11.200.7.9"), 2);
	assert_int_equal(by4("11.201.7.9"), 1);
	assert_true(says("netstat -rn", false, "11.0.7.0&0xff00ff00 10.1.0.254"));
	assert_true(says("route get 11.3.7.1", false,
	    "destination: 11.0.7.0\n       mask: 255.0.255.0\n    gateway: 10.1.0.254\n"));
	expect_line("route add -net 11.0.7.0 -netmask 255.0.255.0 10.2.0.254", 1, NULL, NULL);
	command("route change -net 11.0.7.0 -netmask 255.0.255.0 10.2.0.254");
	assert_int_equal(by4("11.201.7.9"), 2);
	command("route delete -net 11.0.0.0/8");
	command("route delete -net 11.0.7.0 -netmask 255.0.255.0");
	assert_int_equal(by4("11.201.7.9"), 2);
	command("route delete default");
	assert_int_equal(by4("11.201.7.9"), 0);
	command("route -6 add 2001:db8:a:: -netmask ffff:ffff:0:ffff:: 2001:db8:1::fe");
	assert_true(says("netstat -rn -f inet6", false, "2001:db8::&ffff:ffff:0:ffff::"));
	command("route -6 delete 2001:db8:a:: -netmask ffff:ffff:0:ffff::");
}

static void
test_a_mask_with_a_gap_falls_back_to_several_paths(void **state)
{
	static struct ways before, w;

	(void)state;
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	all_ways(AF_INET, &before);
	/* at the prefix of the paths itself, and at a longer one */
	command("route add -net 10.9.0.77 -netmask 255.255.0.255 10.3.0.254");
	command("route add -net 10.9.0.77 -netmask 255.255.240.255 10.3.0.254");
	all_ways(AF_INET, &w);
	assert_memory_equal(&before, &w, sizeof(w));
	assert_int_equal(by4("10.9.55.77"), 3);
	path(AF_INET, "delete", 1, "");
	all_ways(AF_INET, &w);
	assert_int_equal(w.n[2], FLOWS);
	path(AF_INET, "delete", 2, "");
	assert_int_equal(way(AF_INET, 1), 0);
	assert_int_equal(by4("10.9.55.77"), 3);
	path(AF_INET, "add", 1, "");
	path(AF_INET, "add", 2, "");
	all_ways(AF_INET, &w);
	assert_memory_equal(&before, &w, sizeof(w));
}

/* Without memory nothing changes: neither a group nor a mask is half there. */
static void
test_each_allocation_may_fail_and_all_is_as_before(void **state)
{
	static const char *const lines[] = {
		"route -q add -net 10.9.0.0/16 10.1.0.254",
		"route -q add -net 10.9.0.0/16 10.2.0.254",
		"route -q add -net 10.9.0.0/16 10.3.0.254",
		"route -q add -net 11.0.7.0 -netmask 255.0.255.0 10.1.0.254",
		"route -q add -net 11.0.8.0 -netmask 255.0.255.0 10.1.0.254",
	};
	uint64_t routes = rib_count(0, AF_INET);

	(void)state;
	for (uint64_t at = 1; at < 40; at++) {
		unsigned done = 0;

		vnet_malloc_fail_at(at);
		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
			done += verb_line(NULL, lines[i], false, NULL, NULL) == 0;
		vnet_malloc_fail_at(0);
		assert_int_equal(rib_count(0, AF_INET), routes + done);
		(void)way(AF_INET, 1);
		(void)by4("11.3.7.1");
		verb_line(NULL, "route -q flush", false, NULL, NULL);
		assert_int_equal(rib_count(0, AF_INET), routes);
		assert_int_equal(way(AF_INET, 1), 0);
		rcu_synchronize();
	}
}

#define ECMP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ECMP_TEST(test_b21_flows_are_split_by_weight_and_each_stays_on_its_path),
		ECMP_TEST(test_a_batch_is_split_as_single_packets_are),
		ECMP_TEST(test_fragments_of_a_datagram_go_one_way),
		ECMP_TEST(test_flows_made_here_are_split_too),
		ECMP_TEST(test_two_stacks_do_not_choose_alike),
		ECMP_TEST(test_b16_b21_a_path_whose_link_fails_takes_only_its_own_flows_along),
		ECMP_TEST(test_b16_an_interface_that_reports_no_link_state_is_used),
		ECMP_TEST(test_b21_an_interface_that_is_set_down_carries_nothing),
		ECMP_TEST(test_with_all_links_down_packets_are_dropped_by_name),
		ECMP_TEST(test_b21_a_path_that_is_deleted_and_one_that_comes_move_only_their_own),
		ECMP_TEST(test_an_interface_that_leaves_takes_its_path_along),
		ECMP_TEST(test_b21_deleting_one_of_several_needs_its_gateway_and_succeeds),
		ECMP_TEST(test_get_shows_the_choice_for_a_flow_and_all_paths),
		ECMP_TEST(test_like_stands_beside_like_only_and_the_limit_is_kept),
		ECMP_TEST(test_b21_two_interfaces_in_one_prefix_have_a_route_each),
		ECMP_TEST(test_reverse_path_is_checked_against_all_paths),
		ECMP_TEST(test_reverse_path_of_ipv6_packets),
		ECMP_TEST(test_b47_routes_with_gaps_in_their_masks),
		ECMP_TEST(test_a_mask_with_a_gap_falls_back_to_several_paths),
		ECMP_TEST(test_each_allocation_may_fail_and_all_is_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
