/*
 * Unit tests of the neighbours' states (inet6/nd6.c) and the way out (nd6_output.c) in virtual
 * time.
 */
#include "nd6_fixture.h"

/* --- resolution ------------------------------------------------------------------------------- */

static void
test_packets_wait_for_the_answer_and_leave_in_order(void **state)
{
	const struct mbuf *ns;

	(void)state;
	send6("2001:db8::5", 5);
	assert_int_equal(lan.sent.len, 1);
	ns = sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0);
	assert_in6(&frame_nd(ns)->target, "2001:db8::5");
	assert_in6(&frame_ip6(ns)->src, "2001:db8::1");
	assert_in6(&frame_ip6(ns)->dst, "ff02::1:ff00:5");
	assert_memory_equal(ns->data, ((uint8_t[]){ 0x33, 0x33, 0xff, 0, 0, 5 }), 6);
	assert_option(ns, ND_OPT_SOURCE_LL, lan.ifp->if_lladdr);
	memif_clear(&lan);

	hear_na("2001:db8::5", ND_NA_SOLICITED | ND_NA_OVERRIDE, peer_mac);
	assert_int_equal(lan.sent.len, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct mbuf *m = mbufq_pop(&lan.sent);

		assert_memory_equal(m->data, peer_mac, 6);
		assert_memory_equal(m->data + 6, lan.ifp->if_lladdr, 6);
		assert_in6(&frame_ip6(m)->dst, "2001:db8::5");
		assert_int_equal(m->data[ETHER_HDR_LEN_ + IP6_HDRLEN], i);
		m_free(m);
	}
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_REACHABLE);
	send6("2001:db8::5", 3);
	assert_int_equal(lan.sent.len, 3);
}

static void
test_the_question_comes_from_the_waiting_packets_source(void **state)
{
	struct in6 src, dst = a6("2001:db8::5");

	(void)state;
	more_address("2001:db8::77", 0);
	src = a6("2001:db8::77");
	assert_int_equal(ip6_output(m_get(8), &src, &dst, 200, NULL), 0);
	assert_in6(&frame_ip6(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0))->src, "2001:db8::77");
}

static void
test_a_link_local_neighbour_is_found_by_its_zone(void **state)
{
	(void)state;
	send6("fe80::5%mem0", 1);
	assert_in6(&frame_nd(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0))->target, "fe80::5");
	assert_in6(&frame_ip6(lan.sent.head)->src, "fe80::1");
	memif_clear(&lan);
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, ND_NA_SOLICITED | ND_NA_OVERRIDE, "fe80::5",
	    "fe80::1", "fe80::5", peer_mac));
	assert_int_equal(lan.sent.len, 1);
	assert_in6(&frame_ip6(lan.sent.head)->dst, "fe80::5");
	assert_int_equal(entry6(&lan, "fe80::5%mem0")->state, ND6_REACHABLE);
}

static void
test_the_newest_packets_are_kept(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.nd6_maxqueuelen=4");
	send6("2001:db8::5", 10);
	assert_int_equal(drops("nd6.hold"), 6);
	memif_clear(&lan);
	hear_na("2001:db8::5", ND_NA_SOLICITED | ND_NA_OVERRIDE, peer_mac);
	assert_int_equal(lan.sent.len, 4);
	assert_int_equal(lan.sent.head->data[ETHER_HDR_LEN_ + IP6_HDRLEN], 6);
}

static void
test_three_questions_a_second_apart_then_the_sender_is_told(void **state)
{
	uint64_t told = V_icmp6stat.errhist[ICMP6_ERR_ADDR];

	(void)state;
	send6("2001:db8::5", 2);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), i);
		assert_int_equal(entry6(&lan, "2001:db8::5")->asked, i);
		run_for(NS_PER_SEC + NS_PER_MS);
	}
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 3);
	assert_null(entry6(&lan, "2001:db8::5"));
	assert_int_equal(drops("nd6.timeout"), 2);
	assert_int_equal(V_icmp6stat.errhist[ICMP6_ERR_ADDR], told + 2);
	/* the next packet begins anew */
	memif_clear(&lan);
	send6("2001:db8::5", 1);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 1);
}

static void
test_the_sender_of_a_forwarded_packet_is_told(void **state)
{
	const struct mbuf *m;
	struct icmp6_hdr *icmp;

	(void)state;
	router6();
	receive6_by(&wan, packet6("2001:db8:1::2", "2001:db8::5", 200, 16));
	run_for(3 * NS_PER_SEC + NS_PER_MS);
	m = sent_icmp6(&wan, ICMP6_DST_UNREACH_, 0);
	assert_non_null(m);
	icmp = frame_icmp6(m);
	assert_int_equal(icmp->code, ICMP6_UNREACH_ADDR);
	assert_in6(&frame_ip6(m)->dst, "2001:db8:1::2");
	assert_in6(&((struct ip6_hdr *)(void *)(icmp + 1))->dst, "2001:db8::5");
}

static void
test_a_gateways_entry_stands_with_the_route(void **state)
{
	struct in6 far = a6("2001:db8:9::1");
	struct nexthop *nh;

	(void)state;
	command("route -6 -q add 2001:db8:9::/48 fe80::9%mem0");
	nh = fib_lookup6(0, &far);
	assert_non_null(nh);
	assert_null(nh->lle);
	send6("2001:db8:9::1", 1);
	assert_in6(&frame_nd(lan.sent.head)->target, "fe80::9");
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, ND_NA_SOLICITED | ND_NA_OVERRIDE, "fe80::9",
	    "2001:db8::1", "fe80::9", peer_mac));
	send6("2001:db8:9::1", 1);
	assert_ptr_equal(nh->lle, entry6(&lan, "fe80::9%mem0"));
	/* and is not used when it is gone */
	lla_delete(nh->lle);
	memif_clear(&lan);
	send6("2001:db8:9::1", 1);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 1);
	assert_true(nh->lle != NULL && !(nh->lle->flags & LLE_DELETED));
}

static void
test_groups_have_ethernet_groups(void **state)
{
	(void)state;
	send6("ff02::1:2%mem0", 1);
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(lan.sent.head->data, ((uint8_t[]){ 0x33, 0x33, 0, 1, 0, 2 }), 6);
}

/* --- time ------------------------------------------------------------------------------------- */

static void
test_reachable_lasts_a_random_time_around_the_base(void **state)
{
	struct in6_if *i = in6_if_of(lan.ifp);
	uint32_t least = UINT32_MAX, most = 0;

	(void)state;
	for (int n = 0; n < 200; n++) {
		nd6_set_basereachable(i, 30000);
		assert_in_range(i->nd.reachable_ms, 15000, 45000);
		least = i->nd.reachable_ms < least ? i->nd.reachable_ms : least;
		most = i->nd.reachable_ms > most ? i->nd.reachable_ms : most;
	}
	assert_true(least < 18000 && most > 42000);
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	run_for(i->nd.reachable_ms * NS_PER_MS - NS_PER_MS);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_REACHABLE);
	run_for(2 * NS_PER_MS);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_STALE);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_the_random_time_is_drawn_anew_every_two_hours(void **state)
{
	struct in6_if *i = in6_if_of(lan.ifp);
	uint32_t was;

	(void)state;
	was = i->nd.reachable_ms;
	run_for(7201 * NS_PER_SEC);
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	assert_int_not_equal(i->nd.reachable_ms, was);
}

static void
test_a_packet_through_a_stale_entry_leaves_and_starts_the_delay(void **state)
{
	struct batch b;
	struct in6 dst = a6("2001:db8::5");

	(void)state;
	neighbour_in(ND6_STALE, "2001:db8::5");
	b.n = 0;
	for (unsigned i = 0; i < 4; i++) {
		struct mbuf *m = packet6("2001:db8::1", "2001:db8::5", 200, 8);

		m->nh = fib_lookup6(0, &dst);
		m->data[IP6_HDRLEN] = (uint8_t)i;
		batch_add(&b, m);
	}
	nd6_output(lan.ifp, &b);
	assert_int_equal(lan.sent.len, 4);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next) {
		assert_memory_equal(m->data, peer_mac, 6);
		if (m->next != NULL)
			assert_true(m->data[ETHER_HDR_LEN_ + IP6_HDRLEN] <
			    m->next->data[ETHER_HDR_LEN_ + IP6_HDRLEN]);
	}
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_DELAY);
}

static void
test_a_stale_gateway_starts_the_delay_too(void **state)
{
	struct in6 gw = a6("fe80::9%mem0");

	(void)state;
	command("route -6 -q add 2001:db8:9::/48 fe80::9%mem0");
	(void)nd6_heard(lan.ifp, &gw, peer_mac, ND6_FROM_NS, false);
	send6("2001:db8:9::1", 1);
	assert_int_equal(entry6(&lan, "fe80::9%mem0")->state, ND6_DELAY);
	nd6_confirm(0, &(struct in6){ .b = { 0x20, 1, 0x0d, 0xb8, 0, 9 } });
	assert_int_equal(entry6(&lan, "fe80::9%mem0")->state, ND6_REACHABLE);
	run_for(46 * NS_PER_SEC);
	assert_int_equal(entry6(&lan, "fe80::9%mem0")->state, ND6_STALE);
	/* the header is cached with the next hop, and the packet is seen all the same */
	memif_clear(&lan);
	send6("2001:db8:9::1", 1);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(entry6(&lan, "fe80::9%mem0")->state, ND6_DELAY);
}

static void
test_an_unconfirmed_neighbour_is_probed_alone_and_forgotten(void **state)
{
	const struct mbuf *ns;

	(void)state;
	neighbour_in(ND6_DELAY, "2001:db8::5");
	run_for(5 * NS_PER_SEC - NS_PER_MS);
	assert_int_equal(lan.sent.len, 0);
	run_for(2 * NS_PER_MS);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_PROBE);
	ns = sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0);
	assert_in6(&frame_ip6(ns)->dst, "2001:db8::5");
	assert_memory_equal(ns->data, peer_mac, 6);
	assert_option(ns, ND_OPT_SOURCE_LL, lan.ifp->if_lladdr);
	/* packets go on meanwhile */
	send6("2001:db8::5", 1);
	assert_int_equal(lan.sent.len, 2);
	run_for(3 * NS_PER_SEC);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 3);
	assert_null(entry6(&lan, "2001:db8::5"));
}

static void
test_a_probed_neighbour_that_answers_is_reachable(void **state)
{
	(void)state;
	neighbour_in(ND6_PROBE, "2001:db8::5");
	hear_na("2001:db8::5", ND_NA_SOLICITED, NULL);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_REACHABLE);
	run_for(10 * NS_PER_SEC);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 0);
}

static void
test_upper_layers_save_the_probe(void **state)
{
	struct in6 dst = a6("2001:db8::5");

	(void)state;
	neighbour_in(ND6_DELAY, "2001:db8::5");
	nd6_confirm(0, &dst);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_REACHABLE);
	run_for(10 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 0);
	/* nothing can be confirmed that isn't known */
	neighbour_in(ND6_INCOMPLETE, "2001:db8::6");
	dst = a6("2001:db8::6");
	nd6_confirm(0, &dst);
	assert_int_equal(entry6(&lan, "2001:db8::6")->state, ND6_INCOMPLETE);
}

/* An echo request that was sent is answered. */
static void
answer_echo(const char *from)
{
	const struct mbuf *request = sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0);
	struct mbuf *m;

	assert_non_null(request);
	m = message6(from, "2001:db8::1", ICMP6_ECHO_REPLY_, 0,
	    request->len - ETHER_HDR_LEN_ - IP6_HDRLEN - 8);
	memcpy(m->data + IP6_HDRLEN + 4, request->data + ETHER_HDR_LEN_ + IP6_HDRLEN + 4,
	    m->len - IP6_HDRLEN - 4);
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
}

static void
test_an_answered_ping_confirms_the_neighbour(void **state)
{
	struct tool t;

	(void)state;
	neighbour_in(ND6_STALE, "2001:db8::5");
	tool_start(&t, NULL, "ping6 -c 1 2001:db8::5", false);
	run_for(2 * NS_PER_MS);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_DELAY);
	answer_echo("2001:db8::5");
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_REACHABLE);
}

static void
test_without_nud_nobody_is_probed(void **state)
{
	(void)state;
	in6_if_of(lan.ifp)->nd.flags &= ~(uint32_t)ND6_IFF_PERFORMNUD;
	neighbour_in(ND6_DELAY, "2001:db8::5");
	run_for(20 * NS_PER_SEC);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_STALE);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_a_stale_neighbour_is_forgotten_after_the_gc_time(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.nd6_gctimer=600");
	neighbour_in(ND6_STALE, "2001:db8::5");
	run_for(599 * NS_PER_SEC);
	assert_non_null(entry6(&lan, "2001:db8::5"));
	run_for(2 * NS_PER_SEC);
	assert_null(entry6(&lan, "2001:db8::5"));
}

static void
test_an_armed_timer_holds_one_reference(void **state)
{
	struct llentry *lle = neighbour_in(ND6_REACHABLE, "2001:db8::5");

	(void)state;
	for (int i = 0; i < 1000; i++) {
		hear_na(
		    "2001:db8::5", ND_NA_SOLICITED | ND_NA_OVERRIDE, i & 1 ? peer_mac : other_mac);
		assert_int_equal(lle->refs, 2);
	}
	lle_ref(lle);
	lla_delete(lle);
	assert_int_equal(lle->refs, 1);
	assert_false(callout_armed(&lle->timer));
	lle_rele(lle);
}

/* --- appendix C ------------------------------------------------------------------------------- */

enum lladdr { NONE, SAME, OTHER };
enum { ANY_STATE = -1 };

/* One advertisement to an entry in a state. */
struct na_row {
	enum nd6_state before;
	bool s, o;
	enum lladdr lladdr;
	enum nd6_state after;
	bool updated;   /* the link address is the other one */
	bool is_router; /* the R flag of the message was taken */
};

/* RFC 4861 appendix C, the rows "NA", and 7.2.5 where it is more exact. */
static const struct na_row na_rows[] = {
	/* INCOMPLETE: without address ignored; else S decides, O says nothing */
	{ ND6_INCOMPLETE, 0, 0, NONE, ND6_INCOMPLETE, 0, 0 },
	{ ND6_INCOMPLETE, 1, 1, NONE, ND6_INCOMPLETE, 0, 0 },
	{ ND6_INCOMPLETE, 0, 0, OTHER, ND6_STALE, 1, 1 },
	{ ND6_INCOMPLETE, 0, 1, OTHER, ND6_STALE, 1, 1 },
	{ ND6_INCOMPLETE, 1, 0, OTHER, ND6_REACHABLE, 1, 1 },
	{ ND6_INCOMPLETE, 1, 1, OTHER, ND6_REACHABLE, 1, 1 },
	/* S=1 O=0: same or no address: reachable; another one: REACHABLE doubts, others ignore */
	{ ND6_REACHABLE, 1, 0, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 1, 0, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 1, 0, OTHER, ND6_STALE, 0, 0 },
	{ ND6_STALE, 1, 0, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_STALE, 1, 0, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_STALE, 1, 0, OTHER, ND6_STALE, 0, 0 },
	{ ND6_DELAY, 1, 0, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_DELAY, 1, 0, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_DELAY, 1, 0, OTHER, ND6_DELAY, 0, 0 },
	{ ND6_PROBE, 1, 0, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_PROBE, 1, 0, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_PROBE, 1, 0, OTHER, ND6_PROBE, 0, 0 },
	/* S=1 O=1: reachable at the address that it says */
	{ ND6_REACHABLE, 1, 1, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 1, 1, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 1, 1, OTHER, ND6_REACHABLE, 1, 1 },
	{ ND6_STALE, 1, 1, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_STALE, 1, 1, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_STALE, 1, 1, OTHER, ND6_REACHABLE, 1, 1 },
	{ ND6_DELAY, 1, 1, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_DELAY, 1, 1, OTHER, ND6_REACHABLE, 1, 1 },
	{ ND6_PROBE, 1, 1, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_PROBE, 1, 1, OTHER, ND6_REACHABLE, 1, 1 },
	/* S=0 O=0 */
	{ ND6_REACHABLE, 0, 0, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 0, 0, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 0, 0, OTHER, ND6_STALE, 0, 0 },
	{ ND6_STALE, 0, 0, SAME, ND6_STALE, 0, 1 },
	{ ND6_STALE, 0, 0, NONE, ND6_STALE, 0, 1 },
	{ ND6_STALE, 0, 0, OTHER, ND6_STALE, 0, 0 },
	{ ND6_DELAY, 0, 0, SAME, ND6_DELAY, 0, 1 },
	{ ND6_DELAY, 0, 0, OTHER, ND6_DELAY, 0, 0 },
	{ ND6_PROBE, 0, 0, SAME, ND6_PROBE, 0, 1 },
	{ ND6_PROBE, 0, 0, OTHER, ND6_PROBE, 0, 0 },
	/* S=0 O=1: another address: stale there */
	{ ND6_REACHABLE, 0, 1, SAME, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 0, 1, NONE, ND6_REACHABLE, 0, 1 },
	{ ND6_REACHABLE, 0, 1, OTHER, ND6_STALE, 1, 1 },
	{ ND6_STALE, 0, 1, SAME, ND6_STALE, 0, 1 },
	{ ND6_STALE, 0, 1, OTHER, ND6_STALE, 1, 1 },
	{ ND6_DELAY, 0, 1, SAME, ND6_DELAY, 0, 1 },
	{ ND6_DELAY, 0, 1, NONE, ND6_DELAY, 0, 1 },
	{ ND6_DELAY, 0, 1, OTHER, ND6_STALE, 1, 1 },
	{ ND6_PROBE, 0, 1, SAME, ND6_PROBE, 0, 1 },
	{ ND6_PROBE, 0, 1, NONE, ND6_PROBE, 0, 1 },
	{ ND6_PROBE, 0, 1, OTHER, ND6_STALE, 1, 1 },
};

static const uint8_t *
mac_of(enum lladdr lladdr)
{
	return lladdr == NONE ? NULL : lladdr == SAME ? peer_mac : other_mac;
}

static void
test_advertisements_follow_appendix_c(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(na_rows) / sizeof(na_rows[0]); i++) {
		const struct na_row *row = &na_rows[i];
		struct llentry *lle = neighbour_in(row->before, "2001:db8::5");
		bool ok;

		hear_na("2001:db8::5",
		    ND_NA_ROUTER | (row->s ? (uint32_t)ND_NA_SOLICITED : 0) |
			(row->o ? (uint32_t)ND_NA_OVERRIDE : 0),
		    mac_of(row->lladdr));
		ok = lle->state == row->after && nd6_is_router(lle) == row->is_router &&
		    (memcmp(lle->header, other_mac, 6) == 0) == row->updated &&
		    ((lle->flags & LLE_VALID) != 0) == (row->after != ND6_INCOMPLETE) &&
		    ((lle->flags & LLE_STALE) != 0) == (row->after == ND6_STALE);
		if (!ok)
			fail_msg("row %u: state %u, router %u", i, lle->state, nd6_is_router(lle));
		lla_delete(lle);
	}
}

/* What else makes or changes entries: NS, RS, RA, redirect. */
struct heard_row {
	int before; /* enum nd6_state; ANY_STATE = no entry */
	enum nd6_source source;
	bool is_router; /* redirects: to a router */
	enum lladdr lladdr;
	int after; /* ANY_STATE = no entry */
	bool updated;
	bool was_router, router;
};
static const struct heard_row heard_rows[] = {
	/* none there: made stale if the link address is said */
	{ ANY_STATE, ND6_FROM_NS, 0, NONE, ANY_STATE, 0, 0, 0 },
	{ ANY_STATE, ND6_FROM_NS, 0, OTHER, ND6_STALE, 1, 0, 0 },
	{ ANY_STATE, ND6_FROM_RS, 0, NONE, ANY_STATE, 0, 0, 0 },
	{ ANY_STATE, ND6_FROM_RS, 0, OTHER, ND6_STALE, 1, 0, 0 },
	{ ANY_STATE, ND6_FROM_RA, 1, NONE, ANY_STATE, 0, 0, 0 },
	{ ANY_STATE, ND6_FROM_RA, 1, OTHER, ND6_STALE, 1, 0, 1 },
	{ ANY_STATE, ND6_FROM_REDIRECT, 0, NONE, ANY_STATE, 0, 0, 0 },
	{ ANY_STATE, ND6_FROM_REDIRECT, 0, OTHER, ND6_STALE, 1, 0, 0 },
	{ ANY_STATE, ND6_FROM_REDIRECT, 1, OTHER, ND6_STALE, 1, 0, 1 },
	/* INCOMPLETE: what waited is sent, stale */
	{ ND6_INCOMPLETE, ND6_FROM_NS, 0, NONE, ND6_INCOMPLETE, 0, 0, 0 },
	{ ND6_INCOMPLETE, ND6_FROM_NS, 0, OTHER, ND6_STALE, 1, 0, 0 },
	{ ND6_INCOMPLETE, ND6_FROM_RS, 0, OTHER, ND6_STALE, 1, 1, 0 },
	{ ND6_INCOMPLETE, ND6_FROM_RA, 1, OTHER, ND6_STALE, 1, 0, 1 },
	{ ND6_INCOMPLETE, ND6_FROM_REDIRECT, 0, OTHER, ND6_STALE, 1, 1, 1 },
	/* the same address changes nothing, another one is stale */
	{ ND6_REACHABLE, ND6_FROM_NS, 0, SAME, ND6_REACHABLE, 0, 0, 0 },
	{ ND6_REACHABLE, ND6_FROM_NS, 0, NONE, ND6_REACHABLE, 0, 1, 1 },
	{ ND6_REACHABLE, ND6_FROM_NS, 0, OTHER, ND6_STALE, 1, 1, 1 },
	{ ND6_STALE, ND6_FROM_NS, 0, SAME, ND6_STALE, 0, 0, 0 },
	{ ND6_STALE, ND6_FROM_RA, 1, OTHER, ND6_STALE, 1, 0, 1 },
	{ ND6_DELAY, ND6_FROM_NS, 0, SAME, ND6_DELAY, 0, 0, 0 },
	{ ND6_DELAY, ND6_FROM_RS, 0, OTHER, ND6_STALE, 1, 0, 0 },
	{ ND6_PROBE, ND6_FROM_NS, 0, SAME, ND6_PROBE, 0, 0, 0 },
	{ ND6_PROBE, ND6_FROM_REDIRECT, 1, OTHER, ND6_STALE, 1, 0, 1 },
	/* IsRouter: RA says yes, RS no, a redirect to the destination itself nothing */
	{ ND6_REACHABLE, ND6_FROM_RA, 1, SAME, ND6_REACHABLE, 0, 0, 1 },
	{ ND6_REACHABLE, ND6_FROM_RA, 1, NONE, ND6_REACHABLE, 0, 0, 1 },
	{ ND6_REACHABLE, ND6_FROM_RS, 0, SAME, ND6_REACHABLE, 0, 1, 0 },
	{ ND6_REACHABLE, ND6_FROM_RS, 0, NONE, ND6_REACHABLE, 0, 1, 0 },
	{ ND6_REACHABLE, ND6_FROM_REDIRECT, 0, SAME, ND6_REACHABLE, 0, 1, 1 },
	{ ND6_REACHABLE, ND6_FROM_REDIRECT, 1, SAME, ND6_REACHABLE, 0, 0, 1 },
};

static void
test_what_is_heard_follows_appendix_c(void **state)
{
	struct in6 addr = a6("2001:db8::5");

	(void)state;
	for (unsigned i = 0; i < sizeof(heard_rows) / sizeof(heard_rows[0]); i++) {
		const struct heard_row *row = &heard_rows[i];
		struct llentry *lle = NULL;
		bool ok;

		if (row->before != ANY_STATE) {
			lle = neighbour_in((enum nd6_state)row->before, "2001:db8::5");
			if (row->was_router)
				lle->flags |= LLE_ROUTER;
		}
		lle = nd6_heard(lan.ifp, &addr, mac_of(row->lladdr), row->source, row->is_router);
		assert_ptr_equal(lle, entry6(&lan, "2001:db8::5"));
		ok = (lle == NULL) == (row->after == ANY_STATE);
		if (ok && lle != NULL)
			ok = lle->state == row->after && nd6_is_router(lle) == row->router &&
			    (memcmp(lle->header, other_mac, 6) == 0) == row->updated;
		if (!ok)
			fail_msg("row %u: state %d", i, lle == NULL ? ANY_STATE : lle->state);
		if (row->before == ND6_INCOMPLETE && row->after == ND6_STALE)
			assert_int_equal(lan.sent.len, 1);
		memif_clear(&lan);
		if (lle != NULL)
			lla_delete(lle);
	}
}

static void
test_a_static_entry_believes_nobody(void **state)
{
	struct llentry *lle;

	(void)state;
	command("ndp -s 2001:db8::5 02:00:00:00:09:09");
	lle = entry6(&lan, "2001:db8::5");
	hear_na("2001:db8::5", ND_NA_SOLICITED | ND_NA_OVERRIDE, other_mac);
	hear_ns("2001:db8::5", "2001:db8::1", other_mac);
	assert_memory_equal(lle->header, peer_mac, 6);
	run_for(2 * 86400 * NS_PER_SEC);
	assert_ptr_equal(entry6(&lan, "2001:db8::5"), lle);
	send6("2001:db8::5", 1);
	assert_int_equal(lle->state, ND6_REACHABLE);
}

static void
test_our_own_address_is_no_neighbour(void **state)
{
	struct in6 own = a6("2001:db8::1");

	(void)state;
	assert_null(nd6_heard(lan.ifp, &own, other_mac, ND6_FROM_NS, false));
	assert_null(entry6(&lan, "2001:db8::1"));
}

/* --- limits ----------------------------------------------------------------------------------- */

enum { FLOOD = 1000000, LIMIT = 4096 };

/* 2001:db8::1:0:0 and n. */
static struct in6
nth(uint32_t n)
{
	struct in6 a = a6("2001:db8::1:0:0");

	store32(a.b + 12, __builtin_bswap32(n));
	return a;
}

static void
limit_entries(void)
{
	char line[64];

	snprintf(line, sizeof(line), "sysctl net.inet6.ip6.nd6_maxentries=%d", LIMIT);
	command(line);
}

static void
test_a_flood_of_destinations_stays_in_its_limit(void **state)
{
	struct lltable *t = in6_lltable(lan.ifp);

	(void)state;
	limit_entries();
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	neighbour_in(ND6_STALE, "2001:db8::6");
	for (uint32_t n = 0; n < FLOOD; n++) {
		struct in6 dst = nth(n);

		assert_int_equal(ip6_output(m_get(8), &in6_any_, &dst, 200, NULL), 0);
		if (n % 64 == 0) {
			assert_true(t->from_traffic <= LIMIT);
			memif_clear(&lan);
			rcu_poll();
		}
	}
	assert_non_null(entry6(&lan, "2001:db8::5"));
	assert_null(entry6(&lan, "2001:db8::6"));
	assert_in_range(lle_live(), LIMIT - 1, LIMIT + 200);
	/* and somebody who answers gets in */
	memif_clear(&lan);
	send6("2001:db8::7", 1);
	assert_non_null(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0));
	hear_na("2001:db8::7", ND_NA_SOLICITED | ND_NA_OVERRIDE, peer_mac);
	assert_int_equal(entry6(&lan, "2001:db8::7")->state, ND6_REACHABLE);
	memif_clear(&lan);
	run_for(10 * NS_PER_SEC);
	assert_true(t->from_traffic <= 2);
}

static void
test_a_flood_of_senders_stays_in_its_limit(void **state)
{
	struct lltable *t = in6_lltable(lan.ifp);

	(void)state;
	limit_entries();
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	for (uint32_t n = 0; n < FLOOD; n++) {
		struct in6 src = nth(n);

		assert_non_null(nd6_heard(lan.ifp, &src, other_mac, ND6_FROM_NS, false));
		if (n % 64 == 0) {
			assert_true(t->from_traffic <= LIMIT);
			rcu_poll();
		}
	}
	assert_int_equal(t->from_traffic, LIMIT);
	assert_int_equal(entry6(&lan, "2001:db8::5")->state, ND6_REACHABLE);
}

static void
test_the_oldest_unused_one_makes_room(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.nd6_maxentries=3");
	/* the fixture's two neighbours were made by traffic, but are not idle */
	lle_idle(entry6(&lan, "2001:db8::2"), false);
	lle_idle(entry6(&lan, "fe80::2%mem0"), false);
	command("sysctl net.inet6.ip6.nd6_maxentries=5");
	neighbour_in(ND6_STALE, "2001:db8::a");
	neighbour_in(ND6_STALE, "2001:db8::b");
	neighbour_in(ND6_STALE, "2001:db8::c");
	send6("2001:db8::a", 1); /* used: now b is the oldest */
	neighbour_in(ND6_STALE, "2001:db8::d");
	assert_non_null(entry6(&lan, "2001:db8::a"));
	assert_null(entry6(&lan, "2001:db8::b"));
	assert_non_null(entry6(&lan, "2001:db8::c"));
}

static void
test_reachable_neighbours_fill_the_table(void **state)
{
	struct in6 dst = a6("2001:db8::99");
	uint64_t before;

	(void)state;
	lle_idle(entry6(&lan, "2001:db8::2"), false);
	lle_idle(entry6(&lan, "fe80::2%mem0"), false);
	command("sysctl net.inet6.ip6.nd6_maxentries=4");
	neighbour_in(ND6_REACHABLE, "2001:db8::a");
	neighbour_in(ND6_REACHABLE, "2001:db8::b");
	before = drops("nd6.limit");
	assert_int_equal(ip6_output(m_get(8), &in6_any_, &dst, 200, NULL), 0);
	assert_int_equal(drops("nd6.limit"), before + 1);
	assert_null(entry6(&lan, "2001:db8::99"));
	/* by hand there is always room */
	command("ndp -s 2001:db8::99 02:00:00:00:09:09");
	assert_non_null(entry6(&lan, "2001:db8::99"));
}

/* --- interfaces ------------------------------------------------------------------------------- */

static void
test_an_interface_without_arp_asks_nobody(void **state)
{
	(void)state;
	lan.ifp->if_flags |= IFF_NOARP_;
	send6("2001:db8::5", 1);
	run_for(4 * NS_PER_SEC);
	hear_ns("2001:db8::6", "2001:db8::1", other_mac);
	assert_int_equal(lan.sent.len, 0);
	assert_null(entry6(&lan, "2001:db8::6"));
	assert_int_equal(drops("nd6.inactive"), 1);
	/* those by hand are used */
	command("ndp -s 2001:db8::7 02:00:00:00:09:09");
	send6("2001:db8::7", 1);
	assert_int_equal(lan.sent.len, 1);
}

static void
test_a_disabled_interface_forgets_its_neighbours(void **state)
{
	uint32_t old = in6_if_of(lan.ifp)->nd.flags;

	(void)state;
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	neighbour_in(ND6_INCOMPLETE, "2001:db8::6");
	in6_if_of(lan.ifp)->nd.flags |= ND6_IFF_IFDISABLED;
	nd6_flags_changed(lan.ifp, old);
	assert_null(entry6(&lan, "2001:db8::5"));
	assert_null(entry6(&lan, "2001:db8::6"));
	assert_non_null(entry6(&lan, "2001:db8::2"));
}

static void
test_entries_go_with_their_interface_while_timers_run(void **state)
{
	(void)state;
	neighbour_in(ND6_INCOMPLETE, "2001:db8::a");
	neighbour_in(ND6_REACHABLE, "2001:db8::b");
	neighbour_in(ND6_STALE, "2001:db8::c");
	neighbour_in(ND6_DELAY, "2001:db8::d");
	command("ndp -s 2001:db8::e 02:00:00:00:09:09 proxy");
	/* the teardown's audit counts */
}

static void
test_entries_of_another_prefix_stay_when_an_address_goes(void **state)
{
	struct in6 addr = a6("2001:db8:7::1");

	(void)state;
	more_address("2001:db8:7::1", 0);
	neighbour_in(ND6_STALE, "2001:db8::5");
	neighbour_in(ND6_STALE, "2001:db8:7::5");
	assert_int_equal(in6_addr_delete(lan.ifp, &addr), 0);
	assert_non_null(entry6(&lan, "2001:db8::5"));
	assert_null(entry6(&lan, "2001:db8:7::5"));
}

static void
test_a_new_link_address_of_ours_is_in_all_headers(void **state)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 7, 7 };

	(void)state;
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	assert_int_equal(if_set_lladdr(lan.ifp, mac), 0);
	memif_clear(&lan);
	send6("2001:db8::5", 1);
	assert_memory_equal(lan.sent.head->data + 6, mac, 6);
}

static void
test_without_useloopback_our_own_address_is_looked_for_on_the_link(void **state)
{
	struct in6 own = a6("2001:db8::a1");

	(void)state;
	command("sysctl net.inet6.icmp6.nd6_useloopback=0");
	more_address("2001:db8::a1", 0);
	assert_true(in6_ifaddr_exact(lan.ifp, &own) != NULL);
	assert_false(fib_lookup6(0, &own)->flags & RTF_LOCAL_);
	command("sysctl net.inet6.icmp6.nd6_useloopback=1");
	more_address("2001:db8::a2", 0);
	own = a6("2001:db8::a2");
	assert_true(fib_lookup6(0, &own)->flags & RTF_LOCAL_);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ND6_TEST(test_packets_wait_for_the_answer_and_leave_in_order),
		ND6_TEST(test_the_question_comes_from_the_waiting_packets_source),
		ND6_TEST(test_a_link_local_neighbour_is_found_by_its_zone),
		ND6_TEST(test_the_newest_packets_are_kept),
		ND6_TEST(test_three_questions_a_second_apart_then_the_sender_is_told),
		ND6_TEST(test_the_sender_of_a_forwarded_packet_is_told),
		ND6_TEST(test_a_gateways_entry_stands_with_the_route),
		ND6_TEST(test_groups_have_ethernet_groups),
		ND6_TEST(test_reachable_lasts_a_random_time_around_the_base),
		ND6_TEST(test_the_random_time_is_drawn_anew_every_two_hours),
		ND6_TEST(test_a_packet_through_a_stale_entry_leaves_and_starts_the_delay),
		ND6_TEST(test_a_stale_gateway_starts_the_delay_too),
		ND6_TEST(test_an_unconfirmed_neighbour_is_probed_alone_and_forgotten),
		ND6_TEST(test_a_probed_neighbour_that_answers_is_reachable),
		ND6_TEST(test_upper_layers_save_the_probe),
		ND6_TEST(test_an_answered_ping_confirms_the_neighbour),
		ND6_TEST(test_without_nud_nobody_is_probed),
		ND6_TEST(test_a_stale_neighbour_is_forgotten_after_the_gc_time),
		ND6_TEST(test_an_armed_timer_holds_one_reference),
		ND6_TEST(test_advertisements_follow_appendix_c),
		ND6_TEST(test_what_is_heard_follows_appendix_c),
		ND6_TEST(test_a_static_entry_believes_nobody),
		ND6_TEST(test_our_own_address_is_no_neighbour),
		ND6_TEST(test_a_flood_of_destinations_stays_in_its_limit),
		ND6_TEST(test_a_flood_of_senders_stays_in_its_limit),
		ND6_TEST(test_the_oldest_unused_one_makes_room),
		ND6_TEST(test_reachable_neighbours_fill_the_table),
		ND6_TEST(test_an_interface_without_arp_asks_nobody),
		ND6_TEST(test_a_disabled_interface_forgets_its_neighbours),
		ND6_TEST(test_entries_go_with_their_interface_while_timers_run),
		ND6_TEST(test_entries_of_another_prefix_stay_when_an_address_goes),
		ND6_TEST(test_a_new_link_address_of_ours_is_in_all_headers),
		ND6_TEST(test_without_useloopback_our_own_address_is_looked_for_on_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
