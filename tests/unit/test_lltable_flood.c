/*
 * Floods of neighbours (net/lltable.c, inet/arp.c, inet6/nd6.c; RFC 6583): a million senders that
 * speak to us, a million destinations that traffic goes to. The tables never go over their limit,
 * the counters name what was dropped, a packet costs the same when the table is full, and whoever
 * answers gets in.
 */
#include "inet6_fixture.h"

#include "inet/arp_internal.h"
#include "inet6/nd6_internal.h"

#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FLOOD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FLOOD_SANITIZED 1
#endif
#endif
#ifdef FLOOD_SANITIZED
enum { FLOOD = 200000, LIMIT = 20000 };
#else
enum { FLOOD = 1000000, LIMIT = 50000 };
#endif

/* The hosts of a family's flood have numbers, from 0. */
struct flood {
	const char *maxentries;
	struct lltable *(*table)(const struct ifnet *ifp);
	struct llentry *(*find)(uint32_t host);
	void (*ask_us)(uint32_t host); /* the host asks for our address */
	void (*answer)(uint32_t host); /* it answers what we asked */
	void (*send)(uint32_t host);   /* a packet of ours to it */
	const char *limit;             /* the drop */
};

static uint64_t frames_sent;

static void
count_and_forget(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	frames_sent += b->n;
	batch_free(b);
	b->n = 0;
}

static void
mac_of(uint32_t host, uint8_t mac[6])
{
	mac[0] = mac[1] = 2;
	store32(mac + 2, host);
}

/* --- IPv4: 11.0.0.0/8 on lan ------------------------------------------------------------------- */

static uint32_t
host4(uint32_t host)
{
	return __builtin_bswap32(UINT32_C(11) << 24 | (host + 2));
}

static struct llentry *
find4(uint32_t host)
{
	uint32_t addr = host4(host);

	return lla_find(in_lltable(lan.ifp), &addr);
}

static void
arp_frame(uint16_t op, uint32_t host)
{
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + sizeof(struct arp_packet));
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);
	struct arp_packet *ap = (struct arp_packet *)(void *)(eh + 1);

	memcpy(eh->dst, op == ARP_REQUEST ? ether_broadcast : lan.ifp->if_lladdr, 6);
	mac_of(host, eh->src);
	eh->type = to_be16(ETHERTYPE_ARP_);
	*ap = (struct arp_packet){
		.htype = to_be16(1),
		.ptype = to_be16(ETHERTYPE_IP_),
		.hlen = 6,
		.plen = 4,
		.op = to_be16(op),
		.sip = host4(host),
		.tip = a4("11.0.0.1"),
	};
	mac_of(host, ap->sha);
	memif_receive(&lan, m);
	while (netisr_run())
		continue;
}

static void
ask_us4(uint32_t host)
{
	arp_frame(ARP_REQUEST, host);
}

static void
answer4(uint32_t host)
{
	arp_frame(ARP_REPLY, host);
}

static void
send4(uint32_t host)
{
	assert_int_equal(ip_output(m_get(8), 0, host4(host), 200, NULL), 0);
}

/* --- IPv6: 2001:db8::/64 on lan ---------------------------------------------------------------- */

static struct in6
host6(uint32_t host)
{
	struct in6 addr = wire6("2001:db8::1:0:0:0");

	store32(addr.b + 12, __builtin_bswap32(host));
	return addr;
}

static struct llentry *
find6(uint32_t host)
{
	struct in6 addr = host6(host);

	return lla_find(in6_lltable(lan.ifp), &addr);
}

/* A solicitation for us, or an advertisement of the host, with its link address. */
static void
nd_frame(uint8_t type, uint32_t host)
{
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", type, 0, 24);
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);
	struct nd_neighbor *nd = (struct nd_neighbor *)(void *)(ip6 + 1);
	struct nd_opt_lladdr *opt = (struct nd_opt_lladdr *)(void *)(nd + 1);
	bool ask = type == ND_NEIGHBOR_SOLICIT_;

	ip6->hlim = ND6_HOP_LIMIT;
	ip6->src = host6(host);
	nd->icmp.data = to_be32(ask ? 0 : ND_NA_SOLICITED | ND_NA_OVERRIDE);
	nd->target = ask ? ip6->dst : ip6->src;
	*opt = (struct nd_opt_lladdr){ .type = ask ? ND_OPT_SOURCE_LL : ND_OPT_TARGET_LL,
		.len = 1 };
	mac_of(host, opt->lladdr);
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
}

static void
ask_us6(uint32_t host)
{
	nd_frame(ND_NEIGHBOR_SOLICIT_, host);
}

static void
answer6(uint32_t host)
{
	nd_frame(ND_NEIGHBOR_ADVERT_, host);
}

static void
send6(uint32_t host)
{
	struct in6 dst = host6(host);

	assert_int_equal(ip6_output(m_get(8), &in6_any_, &dst, 200, NULL), 0);
}

static const struct flood inet = { "net.link.ether.inet.maxentries", in_lltable, find4, ask_us4,
	answer4, send4, "arp.limit" };
static const struct flood inet6 = { "net.inet6.ip6.nd6_maxentries", in6_lltable, find6, ask_us6,
	answer6, send6, "nd6.limit" };

/* --- the floods -------------------------------------------------------------------------------- */

static void
flood_begin(const struct flood *f, uint32_t limit)
{
	char line[80];

	lan.ifp->if_transmit = count_and_forget;
	command("ifconfig mem0 inet 11.0.0.1/8 alias");
	snprintf(line, sizeof(line), "sysctl %s=%u", f->maxentries, limit);
	command(line);
	frames_sent = 0;
}

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/*
 * n hosts from `from` on do something, one each. The table stays within its limit, and once it is
 * full a packet costs no more than a small factor of what it cost before: were it a walk of the
 * table, it would be hundreds of times as much.
 */
static void
flood(const struct flood *f, void (*one)(uint32_t host), uint32_t from, uint32_t n)
{
	const struct lltable *t = f->table(lan.ifp);
	const uint32_t tenth = LIMIT / 2;
	double start = cpu_ns(), before = 0, full = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (i == tenth)
			before = (cpu_ns() - start) / tenth;
		if (i == n - tenth)
			start = cpu_ns();
		one(from + i);
		assert_true(t->from_traffic <= t->limit);
		if (i % 64 == 0)
			rcu_poll();
	}
	full = (cpu_ns() - start) / tenth;
	if (n > LIMIT + tenth && full > 10 * before + 2000)
		fail_msg("a packet costs %.0f ns, %.0f when the table is full", before, full);
}

static void
a_million_senders(const struct flood *f)
{
	flood_begin(f, LIMIT);
	/* one with whom we speak */
	f->send(0);
	f->answer(0);
	frames_sent = 0;
	flood(f, f->ask_us, 1, FLOOD);
	assert_int_equal(f->table(lan.ifp)->from_traffic, LIMIT);
	/* each got its answer, and the one is still there, ready */
	assert_int_equal(frames_sent, FLOOD);
	assert_non_null(f->find(0));
	assert_true(f->find(0)->flags & LLE_VALID);
	assert_int_equal(drops("lltable.evicted"), 0);
}

static void
a_million_destinations(const struct flood *f)
{
	flood_begin(f, LIMIT);
	f->send(0);
	f->answer(0);
	flood(f, f->send, 1, FLOOD);
	assert_int_equal(f->table(lan.ifp)->from_traffic, LIMIT);
	/* each packet waits, or its drop has a name */
	assert_int_equal(drops("lltable.evicted"), FLOOD - (LIMIT - 1));
	assert_int_equal(drops(f->limit), 0);
	assert_non_null(f->find(0));
	/* who answers gets in, in the middle of it */
	f->send(FLOOD + 1);
	flood(f, f->send, FLOOD + 2, 100);
	f->answer(FLOOD + 1);
	flood(f, f->send, FLOOD + 200, LIMIT);
	frames_sent = 0;
	f->send(FLOOD + 1);
	assert_int_equal(frames_sent, 1);
	assert_true(f->find(FLOOD + 1)->flags & LLE_VALID);
	/* and when nobody answers, it all ends */
	sched_run(clock_now() + 3000 * NS_PER_SEC);
	assert_true(f->table(lan.ifp)->from_traffic <= 4);
}

static void
a_table_full_of_neighbours_that_answer(const struct flood *f)
{
	enum { FEW = 1000, MORE = 100000 };

	flood_begin(f, FEW);
	for (uint32_t i = 0; i < FEW; i++) {
		f->send(i);
		f->answer(i);
	}
	flood(f, f->send, FEW, MORE);
	assert_int_equal(drops(f->limit), MORE);
	flood(f, f->ask_us, FEW, MORE);
	assert_int_equal(drops("lltable.evicted"), 0);
	for (uint32_t i = 0; i < FEW; i++)
		assert_true(f->find(i)->flags & LLE_VALID);
}

static void
test_a_million_arp_senders_fill_no_more_than_the_table(void **state)
{
	(void)state;
	a_million_senders(&inet);
}

static void
test_a_million_nd_senders_fill_no_more_than_the_table(void **state)
{
	(void)state;
	a_million_senders(&inet6);
}

static void
test_traffic_to_a_million_ipv4_destinations_leaves_room_for_who_answers(void **state)
{
	(void)state;
	a_million_destinations(&inet);
}

static void
test_traffic_to_a_million_ipv6_destinations_leaves_room_for_who_answers(void **state)
{
	(void)state;
	a_million_destinations(&inet6);
}

static void
test_a_table_full_of_ipv4_neighbours_drops_by_name(void **state)
{
	(void)state;
	a_table_full_of_neighbours_that_answer(&inet);
}

static void
test_a_table_full_of_ipv6_neighbours_drops_by_name(void **state)
{
	(void)state;
	a_table_full_of_neighbours_that_answer(&inet6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_million_arp_senders_fill_no_more_than_the_table),
		INET6_TEST(test_a_million_nd_senders_fill_no_more_than_the_table),
		INET6_TEST(test_traffic_to_a_million_ipv4_destinations_leaves_room_for_who_answers),
		INET6_TEST(test_traffic_to_a_million_ipv6_destinations_leaves_room_for_who_answers),
		INET6_TEST(test_a_table_full_of_ipv4_neighbours_drops_by_name),
		INET6_TEST(test_a_table_full_of_ipv6_neighbours_drops_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
