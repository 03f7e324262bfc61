/*
 * Tests of inet/mroute_register.c: packets to a rendezvous point in PIM Registers, and out of them.
 */
#include "mroute_fixture.h"

/* The PIM message in a frame; its sum over the first 8 bytes is right. */
static uint8_t *
frame_pim(const struct mbuf *m)
{
	const struct ip_family *f = ip_family(F->af);
	const struct ipaddr here = addr_of(F->af == AF_INET ? "10.0.1.1" : "2001:db8:1::1"),
			    rp = addr_of(F->rp);
	uint8_t *p = m->data + ETHER_HDR_LEN_ + f->hdrlen;

	assert_int_equal(F->af == AF_INET ? frame_ip(m)->proto : frame_ip6(m)->nxt, 103);
	assert_int_equal(
	    cksum_fold(cksum_add(F->af == AF_INET ? 0 : f->pseudo_sum(&here, &rp, 103, 8), p, 8)),
	    0);
	return p;
}

static void
test_registers_go_to_the_rendezvous_point(void **state)
{
	const unsigned hdrlen = ip_family(F->af)->hdrlen;
	struct mbuf *m;
	uint8_t *p;

	(void)state;
	cmd("mroute register %s", F->rp);
	cmd("mroute add %s %s from mem0 to mem2,pimreg0", F->source, F->group);
	m = datagram(F->source, F->group, 9, 7);
	if (F->af == AF_INET) {
		mtod(m, struct ip_hdr *)->tos = 0x48;
		resum(m);
	} else {
		mtod(m, struct ip6_hdr *)->flow = to_be32(UINT32_C(0x64800000));
	}
	receive(&lan, m);
	assert_int_equal(dmz.sent.len, 1);
	assert_int_equal(wan.sent.len, 1);
	p = frame_pim(wan.sent.head);
	assert_int_equal(p[0], 0x21);
	assert_int_equal(load32(p + 4), 0);
	/* inside is the packet, one hop older; outside its class of traffic */
	assert_memory_equal(p + 8, dmz.sent.head->data + ETHER_HDR_LEN_, hdrlen + PAYLOAD);
	assert_int_equal(
	    F->af == AF_INET ? frame_ip(wan.sent.head)->tos : ip6_class(frame_ip6(wan.sent.head)),
	    0x48);
	assert_int_equal(pim()->sent, 1);
	assert_int_equal(pim()->sent_bytes, 8 + hdrlen + PAYLOAD);
}

static void
test_without_a_rendezvous_point_packets_are_handed_up_whole(void **state)
{
	struct owner o = { 0 };

	(void)state;
	cmd("mroute register none %s", F->af == AF_INET ? "inet" : "inet6");
	cmd("mroute add %s %s from mem0 to pimreg0", F->source, F->group);
	hear(&lan, F->source, F->group, 9, 1);
	assert_int_equal(drops("pim.norp"), 1);
	assert_int_equal(mroute_attach(F->af, on_upcall, &o), 0);
	hear(&lan, F->source, F->group, 9, 2);
	assert_int_equal(drops("pim.norp"), 1);
	assert_int_equal(o.nwhole, 1);
	assert_int_equal(o.id, 2);
	assert_string_equal(o.last.ifp->if_xname, "pimreg0");
	mroute_detach(F->af);
}

/* A Register from the other router, about m. Its sum is of len bytes; 0 = wrong. */
static struct mbuf *
register_of(struct mbuf *m, uint32_t flags, uint32_t len)
{
	const struct ip_family *f = ip_family(F->af);
	const struct ipaddr from = addr_of(F->rp),
			    to = addr_of(F->af == AF_INET ? "10.0.1.1" : "2001:db8:1::1");
	struct mbuf *outer;
	uint8_t *p;

	m = m_prepend(m, 8);
	p = m->data;
	memset(p, 0, 8);
	p[0] = 0x21;
	store32(p + 4, __builtin_bswap32(flags));
	if (len > m->len)
		len = m->len;
	store16(p + 2,
	    cksum_fold(
		cksum_add(F->af == AF_INET ? 0 : f->pseudo_sum(&from, &to, 103, len), p, len)));
	if (len == 0)
		p[2] ^= 0x55;
	if (F->af == AF_INET)
		outer = packet(ipaddr_in(&from), ipaddr_in(&to), 103, m->len);
	else
		outer = packet6(F->rp, "2001:db8:1::1", 103, m->len);
	memcpy(outer->data + f->hdrlen, m->data, m->len);
	m_free(m);
	return outer;
}

static void
test_packets_come_out_of_registers(void **state)
{
	struct mbuf *m;

	(void)state;
	cmd("mroute register none %s", F->af == AF_INET ? "inet" : "inet6");
	cmd("mroute add %s %s from pimreg0 to mem0,mem2", F->source, F->group);
	m = datagram(F->source, F->group, 9, 7);
	receive(&wan, register_of(m, 0, 8));
	assert_int_equal(lan.sent.len, 1);
	assert_sent(&dmz, 0, 7);
	assert_int_equal(ttl_of(dmz.sent.head), 8);
	/* summed as a whole */
	m = datagram(F->source, F->group, 9, 8);
	receive(&wan, register_of(m, 0, UINT32_MAX));
	assert_sent(&dmz, 1, 8);
	assert_int_equal(pim()->registers, 2);
	/* a register without data */
	m = datagram(F->source, F->group, 9, 9);
	receive(&wan, register_of(m, 0x40000000, 8));
	assert_int_equal(pim()->nulls, 1);
	assert_int_equal(dmz.sent.len, 2);
	/* the same packet by itself is one by the wrong way */
	cmd("mroute vif mem1");
	hear(&wan, F->source, F->group, 9, 0);
	assert_int_equal(info_of(F->source, F->group).wrong, 1);
}

static void
test_bad_registers_are_dropped(void **state)
{
	struct mbuf *m;

	(void)state;
	m = datagram(F->source, F->group, 9, 0);
	receive(&wan, register_of(m, 0, 8));
	assert_int_equal(drops("pim.novif"), 1);
	cmd("mroute register %s", F->rp);
	m = datagram(F->source, F->group, 9, 0);
	receive(&wan, register_of(m, 0, 0));
	assert_int_equal(drops("pim.badsum"), 1);
	/* to no group, of another family, cut off */
	m = datagram(F->source, F->here, 9, 0);
	receive(&wan, register_of(m, 0, 8));
	m = datagram(F->source, F->group, 9, 0);
	m->data[0] = (uint8_t)((F->af == AF_INET ? 0x60 : 0x40) | (m->data[0] & 15));
	receive(&wan, register_of(m, 0, 8));
	m = m_from("E", 1);
	receive(&wan, register_of(m, 0, 8));
	assert_int_equal(drops("pim.badregister"), 3);
	if (F->af == AF_INET) {
		receive(&wan, packet(a4(F->rp), a4("10.0.1.1"), 103, 3));
		m = packet(a4(F->rp), a4("10.0.1.1"), 103, 4);
	} else {
		receive(&wan, packet6(F->rp, "2001:db8:1::1", 103, 3));
		m = packet6(F->rp, "2001:db8:1::1", 103, 4);
	}
	m->data[m->len - 4] = 0x10; /* version 1, Hello */
	receive(&wan, m);
	assert_int_equal(drops("pim.tooshort"), 1);
	assert_int_equal(drops("pim.badversion"), 1);
}

static void
test_the_register_vif_goes_with_its_interface(void **state)
{
	(void)state;
	cmd("mroute register %s", F->rp);
	cmd("mroute add %s %s from mem0 to pimreg0,mem1", F->source, F->group);
	cmd("ifconfig pimreg0 destroy");
	assert_int_equal(
	    info_of(F->source, F->group).route.out, UINT64_C(1) << mroute_vif_of(F->af, wan.ifp));
	hear(&lan, F->source, F->group, 9, 0);
	assert_int_equal(wan.sent.len, 1);
}

/* A packet to a group out of a stack's interface. */
static void
send_in(const char *jail, const char *ifname, const char *group)
{
	VNET_SCOPE(vnet_of(jail));
	const struct ipaddr any = { .family = (uint8_t)F->af }, dst = addr_of(group);
	const struct ip_opts_out o = { .ttl = 9, .ifp = if_byname(ifname) };
	struct mbuf *m = m_get(16);

	assert_non_null(o.ifp);
	memset(m->data, 0, 16);
	assert_int_equal(ip_family(F->af)->output(m, &any, &dst, IPPROTO_UDP_, &o), 0);
}

/* With entries, packets that wait, and a register vif that is another stack's: the audit counts. */
static void
test_stacks_that_end_leave_nothing(void **state)
{
	(void)state;
	chain6(3);
	command_in("n2", "mroute add 10.1.0.1 239.1.1.1 from epair1b to epair2a,epair2a");
	command_in("n2", "mroute add 2001:db8:1::1 ff1e::1 from epair1b to epair2a");
	command("ifconfig pimreg5 create");
	command("ifconfig pimreg5 vnet n2");
	command_in("n2", "mroute register none");
	command_in("n2", "mroute add 10.1.0.1 239.1.1.3 from epair1b to pimreg5");
	command_in("n3", "mroute register none");
	send_in("n1", "epair1a", F->group2);
	sched_run(clock_now() + 100 * NS_PER_MS);
	{
		VNET_SCOPE(vnet_of("n2"));
		assert_int_equal(
		    info_of(F->af == AF_INET ? "10.1.0.1" : "2001:db8:1::1", F->group2).waiting, 1);
	}
	command("jail -r n2");
	/* what was only lent comes home */
	command("ifconfig pimreg5 destroy");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_registers_go_to_the_rendezvous_point),
		EACH(test_without_a_rendezvous_point_packets_are_handed_up_whole),
		EACH(test_packets_come_out_of_registers),
		EACH(test_bad_registers_are_dropped),
		EACH(test_the_register_vif_goes_with_its_interface),
		EACH(test_stacks_that_end_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
