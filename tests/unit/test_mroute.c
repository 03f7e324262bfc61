/*
 * Tests of inet/mroute.c, mroute_forward.c, mroute_cmd.c, mroute_stat.c and inet6/mroute6.c:
 * multicast forwarding.
 */
#include "mroute_fixture.h"

#include "inet/multicast.h"
#include "net/if_multi.h"

/* --- the forwarding cache --------------------------------------------------------------------- */

static void
test_a_packet_goes_out_of_each_way_one_hop_older(void **state)
{
	struct mroute_info info;

	(void)state;
	add();
	hear(&lan, F->source, F->group, 9, 7);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(dmz.sent.len, 1);
	assert_sent(&wan, 0, 7);
	assert_sent(&dmz, 0, 7);
	assert_int_equal(ttl_of(wan.sent.head), 8);
	if (F->af == AF_INET)
		assert_int_equal(ip_cksum(frame_ip(dmz.sent.head)), 0);
	/* to the group's address on the link, from ours */
	assert_int_equal(wan.sent.head->data[0] & 1, 1);
	assert_memory_equal(wan.sent.head->data + 6, wan.ifp->if_lladdr, 6);
	info = info_of(F->source, F->group);
	assert_int_equal(info.packets, 1);
	assert_int_equal(info.bytes, wan.sent.head->len - ETHER_HDR_LEN_);
}

static void
test_nothing_is_forwarded_without_a_vif(void **state)
{
	const char *drop = F->af == AF_INET ? "ip.notmember" : "ip6.notmember";

	(void)state;
	hear(&lan, F->source, F->group, 9, 0);
	/* the link's filter has not let it in */
	assert_int_equal(drops("ether.not-member"), 1);
	add();
	cmd("mroute flush all");
	assert_int_equal(if_allmulti(lan.ifp, true), 0);
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops(drop), 1);
	assert_int_equal(if_allmulti(lan.ifp, false), 0);
}

static void
test_a_vif_hears_all_groups_while_it_is_one(void **state)
{
	static const uint8_t mac[6] = { 1, 0, 0x5e, 9, 9, 9 };

	(void)state;
	assert_false(if_multi_has(dmz.ifp, mac));
	add();
	assert_true(if_multi_has(dmz.ifp, mac));
	cmd("mroute vif mem2 off");
	assert_false(if_multi_has(dmz.ifp, mac));
	assert_true(if_multi_has(wan.ifp, mac));
	assert_int_equal(info_of(F->source, F->group).route.out, 2);
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(dmz.sent.len, 0);
}

static void
test_a_time_to_live_has_to_be_above_the_threshold(void **state)
{
	(void)state;
	add();
	hear(&lan, F->source, F->group, 1, 0);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("mroute.ttl"), 1);
	assert_int_equal(stats()->selected, 1);
	/* nothing is said to who sends to a group (RFC 1122 3.2.2) */
	assert_int_equal(lan.sent.len, 0);
	cmd("mroute vif mem1 threshold 16");
	hear(&lan, F->source, F->group, 16, 0);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(dmz.sent.len, 1);
	hear(&lan, F->source, F->group, 17, 0);
	assert_int_equal(wan.sent.len, 1);
	/* the entry's own comes before the vif's */
	cmd("mroute add %s %s from mem0 to mem1,mem2 ttl 32", F->source, F->group);
	hear(&lan, F->source, F->group, 32, 0);
	assert_int_equal(wan.sent.len, 1);
	hear(&lan, F->source, F->group, 33, 0);
	assert_int_equal(wan.sent.len, 2);
	assert_int_equal(ttl_of(dmz.sent.head), 15);
}

static void
test_what_belongs_to_the_link_stays_there(void **state)
{
	uint64_t lookups;

	(void)state;
	add();
	lookups = stats()->lookups;
	hear(&lan, F->source, F->link_group, 9, 0);
	hear(&lan, F->link_source, F->group, 9, 0);
	assert_int_equal(stats()->lookups, lookups);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops(F->af == AF_INET ? "ip.notmember" : "ip6.notmember"), 2);
	refused(
	    1, "never forwarded", "mroute add %s %s from mem0 to mem1", F->source, F->link_group);
	refused(
	    1, "never forwarded", "mroute add %s %s from mem0 to mem1", F->link_source, F->group);
}

struct listener {
	struct ip_raw raw;
	unsigned n;
};

static bool
heard(struct ip_raw *r, const struct mbuf *m, unsigned hlen)
{
	(void)m, (void)hlen;
	((struct listener *)(void *)r)->n++;
	return false;
}

static void
test_members_here_and_the_ways_out_both_get_it(void **state)
{
	struct listener l = {
		.raw = { .proto = IPPROTO_UDP_, .family = (uint8_t)F->af, .input = heard }
	};
	const struct ipaddr g = addr_of(F->group);
	struct mcast_member *mm = mcast_join(lan.ifp, &g);

	(void)state;
	ip_raw_attach(&l.raw);
	add();
	memif_clear(&lan);
	hear(&lan, F->source, F->group, 9, 3);
	assert_int_equal(l.n, 1);
	assert_int_equal(wan.sent.len, 1);
	assert_sent(&dmz, 0, 3);
	/* without an entry the member hears it, too, and a copy waits */
	hear(&lan, F->source2, F->group, 9, 4);
	assert_int_equal(l.n, 2);
	assert_int_equal(info_of(F->source2, F->group).waiting, 1);
	ip_raw_detach(&l.raw);
	mcast_leave(mm);
}

static void
test_a_batch_of_one_source_and_group_costs_one_look_up(void **state)
{
	struct batch b = { .n = 0 };

	(void)state;
	add();
	for (uint8_t i = 0; i < 8; i++)
		batch_add(&b, framed(&lan, datagram(F->source, F->group, 9, i)));
	if_receive(lan.ifp, &b);
	while (netisr_run())
		continue;
	assert_int_equal(wan.sent.len, 8);
	for (uint8_t i = 0; i < 8; i++)
		assert_sent(&dmz, i, i);
	assert_int_equal(stats()->lookups, 1);
	assert_int_equal(info_of(F->source, F->group).packets, 8);
}

static void
test_a_mixed_batch_keeps_its_order(void **state)
{
	struct batch b = { .n = 0 };

	(void)state;
	add();
	cmd("mroute add %s %s from mem0 to mem1", F->source2, F->group2);
	for (uint8_t i = 0; i < 6; i++)
		batch_add(&b,
		    framed(&lan,
			datagram(i & 1 ? F->source2 : F->source, i & 1 ? F->group2 : F->group,
			    (uint8_t)(i == 4 ? 1 : 9), i)));
	if_receive(lan.ifp, &b);
	while (netisr_run())
		continue;
	assert_int_equal(wan.sent.len, 5);
	for (uint8_t i = 0; i < 5; i++)
		assert_sent(&wan, i, i < 4 ? i : 5);
	assert_int_equal(dmz.sent.len, 2);
}

static void
test_an_entry_without_ways_ends_packets(void **state)
{
	(void)state;
	cmd("mroute add %s %s from mem0", F->source, F->group);
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(drops("mroute.noway"), 1);
	assert_int_equal(stats()->upcalls, 0);
}

static void
test_a_changed_entry_keeps_its_counters(void **state)
{
	(void)state;
	add();
	hear(&lan, F->source, F->group, 9, 0);
	cmd("mroute add %s %s from mem0 to mem2", F->source, F->group);
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(dmz.sent.len, 2);
	assert_int_equal(info_of(F->source, F->group).packets, 2);
	cmd("mroute delete %s %s", F->source, F->group);
	assert_false(is_there(F->source, F->group));
	refused(1, "not in the forwarding cache", "mroute delete %s %s", F->source, F->group);
}

static void
test_a_star_serves_sources_without_an_entry_of_their_own(void **state)
{
	(void)state;
	cmd("mroute add %s %s from mem0 to mem1", F->source, F->group);
	hear(&lan, F->source2, F->group, 9, 1);
	assert_int_equal(wan.sent.len, 0);
	/* what waits goes its way, too */
	cmd("mroute add * %s from mem0 to mem2", F->group);
	assert_int_equal(dmz.sent.len, 1);
	assert_sent(&dmz, 0, 1);
	assert_false(is_there(F->source2, F->group));
	hear(&lan, F->source, F->group, 9, 2);
	hear(&lan, F->source2, F->group, 9, 3);
	assert_sent(&wan, 0, 2);
	assert_sent(&dmz, 1, 3);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(info_of(NULL, F->group).packets, 2);
	cmd("mroute delete * %s", F->group);
	hear(&lan, F->source2, F->group, 9, 4);
	assert_int_equal(dmz.sent.len, 2);
	assert_true(info_of(F->source2, F->group).pending);
}

static void
test_what_is_made_here_goes_its_other_ways(void **state)
{
	const struct ipaddr source = addr_of(F->here), group = addr_of(F->group);
	const struct ip_opts_out o = { .ttl = 5, .ifp = lan.ifp };
	struct mbuf *m = m_get(16);

	(void)state;
	cmd("mroute add %s %s from mem0 to mem1", F->here, F->group);
	memset(m->data, 5, 16);
	assert_int_equal(ip_family(F->af)->output(m, &source, &group, 17, &o), 0);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(ttl_of(lan.sent.head), 5);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(ttl_of(wan.sent.head), 4);
}

/* IPv4 cuts the copy for that way; IPv6 tells the source, even of a group (RFC 4443 2.4). */
static void
test_what_is_too_big_for_one_way_out(void **state)
{
	struct mbuf *m;

	(void)state;
	cmd("ifconfig mem2 mtu 1280");
	add();
	if (F->af == AF_INET)
		m = packet(a4(F->source), a4(F->group), IPPROTO_UDP_, 1380);
	else
		m = packet6(F->source, F->group, IPPROTO_UDP_, 1380);
	receive(&lan, m);
	assert_int_equal(wan.sent.len, 1);
	if (F->af == AF_INET) {
		assert_int_equal(dmz.sent.len, 2);
		assert_int_equal(lan.sent.len, 0);
	} else {
		assert_int_equal(dmz.sent.len, 0);
		m = sent_icmp6(&lan, ICMP6_PACKET_TOO_BIG_, 0);
		assert_non_null(m);
		assert_in6(&frame_ip6(m)->dst, F->source);
	}
}

static void
test_many_entries_are_found(void **state)
{
	char group[32];

	(void)state;
	for (unsigned i = 1; i <= 300; i++) {
		snprintf(group, sizeof(group), F->af == AF_INET ? "239.2.%u.%u" : "ff1e::%u:%u",
		    i >> 7, i & 127);
		cmd("mroute add %s %s from mem0 to mem1", F->source, group);
	}
	for (unsigned i = 1; i <= 300; i += 2) {
		snprintf(group, sizeof(group), F->af == AF_INET ? "239.2.%u.%u" : "ff1e::%u:%u",
		    i >> 7, i & 127);
		cmd("mroute delete %s %s", F->source, group);
		assert_false(is_there(F->source, group));
	}
	for (unsigned i = 2; i <= 300; i += 2) {
		snprintf(group, sizeof(group), F->af == AF_INET ? "239.2.%u.%u" : "ff1e::%u:%u",
		    i >> 7, i & 127);
		hear(&lan, F->source, group, 9, (uint8_t)i);
		assert_int_equal(wan.sent.len, i / 2);
	}
}

static void
test_the_cache_has_a_limit(void **state)
{
	(void)state;
	cmd("sysctl %s.mroute.maxentries=1", F->hdr);
	add();
	refused(1, "full", "mroute add %s %s from mem0 to mem1", F->source2, F->group);
	add();
	cmd("mroute delete %s %s", F->source, F->group);
	cmd("mroute add %s %s from mem0 to mem1", F->source2, F->group);
}

/* --- without an entry ------------------------------------------------------------------------- */

static void
test_packets_wait_for_their_entry_in_order(void **state)
{
	struct owner o = { 0 };

	(void)state;
	cmd("mroute vif mem0");
	assert_int_equal(mroute_attach(F->af, on_upcall, &o), 0);
	assert_int_equal(mroute_attach(F->af, on_upcall, &o), -EBUSY);
	for (uint8_t i = 0; i < 6; i++)
		hear(&lan, F->source, F->group, 9, i);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.last.type, MROUTE_NOCACHE);
	assert_ptr_equal(o.last.ifp, lan.ifp);
	assert_int_equal(o.last.vif, mroute_vif_of(F->af, lan.ifp));
	assert_true(ipaddr_equal(&o.last.group, &(struct ipaddr[1]){ addr_of(F->group) }[0]));
	assert_int_equal(info_of(F->source, F->group).waiting, 4);
	assert_int_equal(drops("mroute.maxqueued"), 2);
	add();
	assert_int_equal(wan.sent.len, 4);
	for (uint8_t i = 0; i < 4; i++)
		assert_sent(&wan, i, i);
	assert_false(info_of(F->source, F->group).pending);
	mroute_detach(F->af);
}

static void
test_what_waits_in_vain_is_dropped(void **state)
{
	(void)state;
	cmd("mroute vif mem0");
	hear(&lan, F->source, F->group, 9, 0);
	hear(&lan, F->source, F->group, 9, 1);
	assert_true(info_of(F->source, F->group).pending);
	sched_run(clock_now() + 1400 * NS_PER_MS);
	assert_true(is_there(F->source, F->group));
	sched_run(clock_now() + 200 * NS_PER_MS);
	assert_false(is_there(F->source, F->group));
	assert_int_equal(drops("mroute.unresolved"), 2);
	assert_int_equal(stats()->cleanups, 1);
	/* and asked for anew */
	hear(&lan, F->source, F->group, 9, 2);
	assert_int_equal(stats()->upcalls, 2);
}

static void
test_a_daemon_may_answer_in_the_middle_of_its_upcall(void **state)
{
	char line[160];
	struct owner o = { .answer = line };

	(void)state;
	snprintf(line, sizeof(line), "mroute add %s %s from mem0 to mem1", F->source, F->group);
	cmd("mroute vif mem0");
	assert_int_equal(mroute_attach(F->af, on_upcall, &o), 0);
	hear(&lan, F->source, F->group, 9, 1);
	hear(&lan, F->source, F->group, 9, 2);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.id, 1);
	assert_int_equal(wan.sent.len, 2);
	/* even with the end of all forwarding */
	snprintf(line, sizeof(line), "mroute flush all");
	hear(&lan, F->source2, F->group, 9, 3);
	assert_int_equal(o.n, 2);
	assert_int_equal(mroute_vif_of(F->af, lan.ifp), -1);
	assert_int_equal(drops("mroute.unresolved"), 1);
	mroute_detach(F->af);
}

static void
test_no_more_sources_wait_than_the_limit(void **state)
{
	char source[40];

	(void)state;
	cmd("mroute vif mem0");
	cmd("sysctl %s.mroute.maxpending=3", F->hdr);
	for (unsigned i = 1; i <= 5; i++) {
		snprintf(source, sizeof(source), F->af == AF_INET ? "10.0.0.%u" : "2001:db8::%x",
		    i + 10);
		hear(&lan, source, F->group, 9, 0);
	}
	assert_int_equal(drops("mroute.maxpending"), 2);
	assert_int_equal(stats()->notfound, 2);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	hear(&lan, source, F->group, 9, 0);
	assert_int_equal(drops("mroute.maxpending"), 2);
}

static void
test_an_interface_that_is_no_vif_asks_nobody(void **state)
{
	(void)state;
	cmd("mroute vif mem1");
	assert_int_equal(if_allmulti(lan.ifp, true), 0);
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(drops("mroute.novif"), 1);
	assert_int_equal(stats()->upcalls, 0);
	assert_int_equal(if_allmulti(lan.ifp, false), 0);
}

static void
test_the_wrong_interface_is_told_now_and_then(void **state)
{
	struct owner o = { 0 };

	(void)state;
	add();
	assert_int_equal(mroute_attach(F->af, on_upcall, &o), 0);
	for (uint8_t i = 0; i < 5; i++)
		hear(&dmz, F->source, F->group, 9, i);
	assert_int_equal(o.nwrong, 1);
	assert_int_equal(o.id, 0);
	assert_ptr_equal(o.last.ifp, dmz.ifp);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("mroute.wrongvif"), 5);
	assert_int_equal(info_of(F->source, F->group).wrong, 5);
	assert_int_equal(info_of(F->source, F->group).packets, 0);
	sched_run(clock_now() + 3 * NS_PER_SEC);
	hear(&dmz, F->source, F->group, 9, 5);
	assert_int_equal(o.nwrong, 2);
	mroute_detach(F->af);
}

/* --- interfaces go, memory ends --------------------------------------------------------------- */

static void
test_an_interface_that_leaves_takes_its_entries_along(void **state)
{
	(void)state;
	add();
	cmd("mroute add %s %s from mem2 to mem1", F->source, F->group2);
	/* one waits that came by it, and one that did not */
	hear(&dmz, F->source2, F->group, 9, 0);
	hear(&lan, F->source2, F->group2, 9, 0);
	memif_close(&dmz);
	assert_false(is_there(F->source, F->group2));
	assert_false(is_there(F->source2, F->group));
	assert_true(info_of(F->source2, F->group2).pending);
	assert_int_equal(info_of(F->source, F->group).route.out, 2);
	hear(&lan, F->source, F->group, 9, 1);
	assert_int_equal(wan.sent.len, 1);
}

static void
test_entries_survive_a_rename(void **state)
{
	(void)state;
	add();
	cmd("ifconfig mem2 name dmz0");
	hear(&lan, F->source, F->group, 9, 1);
	assert_int_equal(dmz.sent.len, 1);
}

static void
test_without_memory_nothing_has_changed(void **state)
{
	const struct ipaddr group = addr_of(F->group);
	const struct mroute_route r = {
		.source = addr_of(F->source), .group = group, .in = 0, .out = 2
	};
	int error = -ENOMEM;

	(void)state;
	for (uint64_t n = 1; error != 0; n++) {
		vnet_malloc_fail_at(n);
		error = mroute_vif_add(F->af, lan.ifp, 0);
		error = error > 0 ? 0 : error;
		if (error == 0 && (error = mroute_vif_add(F->af, wan.ifp, 0)) > 0)
			error = mroute_add(&r);
		assert_true(error == 0 || error == -ENOMEM);
		if (error != 0)
			assert_false(is_there(F->source, F->group));
		vnet_malloc_fail_at(0);
	}
	/* a packet that would have waited */
	vnet_malloc_fail_at(1);
	hear(&lan, F->source2, F->group, 9, 0);
	vnet_malloc_fail_at(0);
	assert_int_equal(drops("mroute.nobufs"), 1);
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(wan.sent.len, 1);
}

/* --- the tools -------------------------------------------------------------------------------- */

static void
expect_text(const char *line, bool json, const char *const *parts)
{
	char *out;

	assert_int_equal(verb_line(NULL, line, json, &out, NULL), 0);
	for (; *parts != NULL; parts++)
		if (strstr(out, *parts) == NULL)
			fail_msg("%s: no \"%s\" in:\n%s", line, *parts, out);
	free(out);
}
#define EXPECT(line, json, ...) expect_text(line, json, (const char *const[]){ __VA_ARGS__, NULL })

static void
test_netstat_g_prints_the_tables_of_the_bsds(void **state)
{
	(void)state;
	F = &inet;
	EXPECT("netstat -g", false, "\nIPv4 Virtual Interface Table is empty\n",
	    "\nIPv4 Multicast Forwarding Table is empty\n",
	    "\nIPv6 Multicast Interface Table is empty\n",
	    "\nIPv6 Multicast Forwarding Cache is empty\n");
	cmd("mroute add 10.0.0.2 239.1.1.1 from mem0 to mem1,mem2 ttl 4");
	cmd("mroute add 2001:db8::2 ff1e::1 from mem0 to mem1");
	hear(&lan, "10.0.0.2", "239.1.1.1", 9, 0);
	EXPECT("netstat -g -f inet", false,
	    "\nIPv4 Virtual Interface Table\n"
	    " Vif   Thresh   Local-Address   Remote-Address    Pkts-In   Pkts-Out\n"
	    "  0         1   10.0.0.1                                1          0\n"
	    "  1         1   10.0.1.1                                0          1\n",
	    "\nIPv4 Multicast Forwarding Table\n"
	    " Origin          Group             Packets In-Vif  Out-Vifs:Ttls\n"
	    " 10.0.0.2        239.1.1.1               1    0    1:4 2:4\n");
	F = &inet6;
	hear(&lan, "2001:db8::3", "ff1e::1", 9, 0);
	EXPECT("netstat -g -f inet6", false,
	    "\nIPv6 Multicast Interface Table\n"
	    " Mif   Rate   PhyIF   Pkts-In   Pkts-Out\n"
	    "   0      0    mem0         0          0\n",
	    " 2001:db8::2                 ff1e::1                 0     0    0    1\n",
	    " 2001:db8::3                 ff1e::1                 0     1   ---   \n");
	EXPECT("netstat -gs", false, "IPv4 multicast forwarding:\n",
	    "\t1 multicast forwarding cache lookup\n", "\t1 multicast forwarding cache miss\n");
	EXPECT("netstat -g", true, "\"origin-address\":", "\"local-address\":", "\"outgoing\":");
	EXPECT("netstat -s -p pim", false, "pim:\n\t0 messages received\n");
	EXPECT("mroute show inet", false, "10.0.0.2                239.1.1.1",
	    "mem0      mem1:4,mem2:4\n");
	EXPECT("mroute show", false, "mem0      (1 waiting)\n");
}

static void
test_the_tool_says_what_is_wrong(void **state)
{
	(void)state;
	refused(64, "not a group", "mroute add 10.0.0.2 10.0.0.3 from mem0 to mem1");
	refused(64, "not a source", "mroute add 2001:db8::1 239.1.1.1 from mem0 to mem1");
	refused(1, "mem9 does not exist", "mroute add 10.0.0.2 239.1.1.1 from mem9 to mem1");
	refused(64, "from which", "mroute add 10.0.0.2 239.1.1.1 to mem1");
	refused(64, "where they come from", "mroute add 10.0.0.2 239.1.1.1 from mem0 to mem0");
	refused(64, "1 to 255", "mroute add 10.0.0.2 239.1.1.1 from mem0 to mem1 ttl 256");
	refused(64, "value is missing", "mroute add 10.0.0.2 239.1.1.1 from");
	refused(1, "loopback", "mroute vif lo0");
	refused(1, "not a vif", "mroute vif mem0 off");
	refused(64, "not an address", "mroute register nowhere");
	refused(1, "one family", "mroute register 239.1.1.1");
	refused(64, "not an address of inet6", "mroute register 10.0.1.2 inet6");
	refused(1, "never forwarded", "mroute add 10.0.0.2 224.0.0.5 from mem0 to mem1");
	refused(1, "loopback", "mroute add 10.0.0.2 239.1.1.1 from mem0 to lo0");
	refused(64, "usage", "mroute");
	assert_int_equal(mroute_vif_of(AF_INET, lan.ifp), -1);
}

static void
test_the_monitor_prints_upcalls_until_it_is_cancelled(void **state)
{
	struct tool t;

	(void)state;
	cmd("mroute vif mem0");
	tool_start(&t, NULL, "mroute monitor", false);
	hear(&lan, F->source, F->group, 9, 0);
	assert_non_null(strstr(t.out, " nocache source "));
	assert_non_null(strstr(t.out, F->group));
	assert_non_null(strstr(t.out, " vif 0 (mem0) length "));
	verb_cancel(t.run);
	assert_true(t.done);
	assert_int_equal(t.status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_a_packet_goes_out_of_each_way_one_hop_older),
		EACH(test_nothing_is_forwarded_without_a_vif),
		EACH(test_a_vif_hears_all_groups_while_it_is_one),
		EACH(test_a_time_to_live_has_to_be_above_the_threshold),
		EACH(test_what_belongs_to_the_link_stays_there),
		EACH(test_members_here_and_the_ways_out_both_get_it),
		EACH(test_a_batch_of_one_source_and_group_costs_one_look_up),
		EACH(test_a_mixed_batch_keeps_its_order),
		EACH(test_an_entry_without_ways_ends_packets),
		EACH(test_a_changed_entry_keeps_its_counters),
		EACH(test_a_star_serves_sources_without_an_entry_of_their_own),
		EACH(test_what_is_made_here_goes_its_other_ways),
		EACH(test_what_is_too_big_for_one_way_out),
		EACH(test_many_entries_are_found),
		EACH(test_the_cache_has_a_limit),
		EACH(test_packets_wait_for_their_entry_in_order),
		EACH(test_what_waits_in_vain_is_dropped),
		EACH(test_a_daemon_may_answer_in_the_middle_of_its_upcall),
		EACH(test_no_more_sources_wait_than_the_limit),
		EACH(test_an_interface_that_is_no_vif_asks_nobody),
		EACH(test_the_wrong_interface_is_told_now_and_then),
		EACH(test_an_interface_that_leaves_takes_its_entries_along),
		EACH(test_entries_survive_a_rename),
		EACH(test_without_memory_nothing_has_changed),
		EACH(test_the_monitor_prints_upcalls_until_it_is_cancelled),
		cmocka_unit_test_setup_teardown(
		    test_netstat_g_prints_the_tables_of_the_bsds, setup_inet, teardown),
		cmocka_unit_test_setup_teardown(
		    test_the_tool_says_what_is_wrong, setup_inet, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
