/*
 * Tests of inet/multicast.c: memberships, the merge of source filters against a slow reference,
 * limits, interfaces that go, and IPv4's groups on their way in and out.
 */
#include "inet_fixture.h"

#include "base/rng.h"
#include "inet/multicast.h"
#include "net/if_multi.h"

static struct ipaddr
ip(const char *text)
{
	struct ipaddr a;

	assert_true(ipaddr_aton(text, AF_UNSPEC, &a));
	return a;
}

static struct mcast_member *
join(const char *group)
{
	const struct ipaddr g = ip(group);
	struct mcast_member *mm = mcast_join(lan.ifp, &g);

	assert_non_null(mm);
	return mm;
}

static bool
accepts(const char *group, const char *source)
{
	const struct ipaddr g = ip(group), s = ip(source);

	return mcast_accepts(lan.ifp, &g, &s);
}

/* The groups as text: "224.0.0.1 ex {} 239.1.1.1 in {10.0.0.5}". */
struct text {
	char s[4096];
	size_t used;
};

static int
add_text(const struct mcast_info *info, void *ctx)
{
	struct text *t = ctx;
	char addr[IPADDR_TEXT];

#define ADD(...) t->used += (size_t)snprintf(t->s + t->used, sizeof(t->s) - t->used, __VA_ARGS__)
	ADD("%s%s %s*%u {", t->used > 0 ? " " : "", ipaddr_ntoa(&info->group, addr),
	    info->mode == MCAST_MODE_INCLUDE ? "in" : "ex", info->members);
	for (unsigned i = 0; i < info->nsources; i++)
		ADD("%s%s", i > 0 ? "," : "", ipaddr_ntoa(&info->sources[i], addr));
	ADD("}");
#undef ADD
	return 0;
}

static void
expect_groups(const char *expected)
{
	struct text t = { "", 0 };

	mcast_foreach(lan.ifp, AF_INET, add_text, &t);
	assert_string_equal(t.s, expected);
}

static bool
link_has(const char *mac_text)
{
	uint8_t mac[6];

	assert_true(ether_aton_(mac_text, mac));
	return if_multi_has(lan.ifp, mac);
}

/* --- memberships ------------------------------------------------------------------------------ */

static void
test_an_interface_with_an_address_is_in_all_hosts(void **state)
{
	(void)state;
	expect_groups("224.0.0.1 ex*1 {}");
	assert_true(link_has("01:00:5e:00:00:01"));
	command("ifconfig mem0 inet 10.0.0.1 -alias");
	expect_groups("");
	assert_false(link_has("01:00:5e:00:00:01"));
	command("ifconfig mem0 inet 10.0.0.3/24");
	expect_groups("224.0.0.1 ex*1 {}");
}

static void
test_members_come_and_go(void **state)
{
	struct mcast_member *a, *b;

	(void)state;
	assert_false(accepts("239.1.2.3", "10.0.0.9"));
	a = join("239.1.2.3");
	b = join("239.1.2.3");
	expect_groups("224.0.0.1 ex*1 {} 239.1.2.3 ex*2 {}");
	assert_true(accepts("239.1.2.3", "10.0.0.9"));
	/* 23 bits of the group are its link address (RFC 1112 6.4) */
	assert_true(link_has("01:00:5e:01:02:03"));
	assert_false(accepts("239.129.2.3", "10.0.0.9"));
	mcast_leave(a);
	assert_true(accepts("239.1.2.3", "10.0.0.9"));
	mcast_leave(b);
	assert_false(accepts("239.1.2.3", "10.0.0.9"));
	assert_false(link_has("01:00:5e:01:02:03"));
	expect_groups("224.0.0.1 ex*1 {}");
	mcast_leave(NULL);
}

/* Two groups with one link address: the link lets it in while one is left. */
static void
test_groups_that_share_a_link_address(void **state)
{
	struct mcast_member *a = join("239.1.2.3"), *b = join("239.129.2.3");

	(void)state;
	mcast_leave(a);
	assert_true(link_has("01:00:5e:01:02:03"));
	mcast_leave(b);
	assert_false(link_has("01:00:5e:01:02:03"));
}

static void
test_what_can_not_be_joined(void **state)
{
	const struct ipaddr unicast = ip("10.0.0.5"), group = ip("239.1.1.1"),
			    group6 = ip("ff02::5");
	struct ipaddr zoned = group6;

	(void)state;
	assert_null(mcast_join(lan.ifp, &unicast));
	assert_int_equal(errno, EINVAL);
	lan.ifp->if_flags &= ~(uint32_t)IFF_MULTICAST_;
	assert_null(mcast_join(lan.ifp, &group));
	assert_int_equal(errno, EADDRNOTAVAIL);
	lan.ifp->if_flags |= IFF_MULTICAST_;
	/* no IPv6 on this floor */
	assert_null(mcast_join(lan.ifp, &group6));
	assert_int_equal(errno, EADDRNOTAVAIL);
	zoned.b[3] = 99;
	assert_null(mcast_join(NULL, &zoned));
	assert_int_equal(errno, EADDRNOTAVAIL);
}

static void
test_without_an_interface_the_route_chooses(void **state)
{
	const struct ipaddr group = ip("239.1.1.1");
	struct memif other;
	struct mcast_member *mm;

	(void)state;
	memif_open(&other, 1);
	command("ifconfig mem1 inet 10.1.0.1/24");
	mm = mcast_join(NULL, &group);
	assert_ptr_equal(mcast_member_ifp(mm), lan.ifp);
	mcast_leave(mm);
	command("route -q add 239.0.0.0/8 10.1.0.9");
	mm = mcast_join(NULL, &group);
	assert_ptr_equal(mcast_member_ifp(mm), other.ifp);
	mcast_leave(mm);
	memif_close(&other);
}

static void
test_limits_are_kept(void **state)
{
	const struct ipaddr g3 = ip("239.0.0.3"),
			    s[3] = { ip("10.0.0.5"), ip("10.0.0.6"), ip("10.0.0.7") };
	struct mcast_member *a, *b;

	(void)state;
	command("sysctl net.inet.ip.mcast.maxgroups=3");
	a = join("239.0.0.1");
	b = join("239.0.0.2");
	assert_null(mcast_join(lan.ifp, &g3));
	assert_int_equal(errno, ENOBUFS);
	command("sysctl net.inet.ip.mcast.maxsocksrc=2");
	assert_int_equal(mcast_set_filter(a, MCAST_MODE_INCLUDE, s, 3), -ENOBUFS);
	assert_int_equal(mcast_set_filter(a, MCAST_MODE_INCLUDE, s, 2), 0);
	mcast_leave(b);
	b = join("239.0.0.1");
	command("sysctl net.inet.ip.mcast.maxgrpsrc=2");
	assert_int_equal(mcast_set_filter(b, MCAST_MODE_INCLUDE, s + 1, 2), -ENOBUFS);
	/* nothing has changed: b hears all, a two */
	expect_groups("224.0.0.1 ex*1 {} 239.0.0.1 ex*2 {}");
	assert_int_equal(mcast_set_filter(b, MCAST_MODE_INCLUDE, s + 1, 1), 0);
	expect_groups("224.0.0.1 ex*1 {} 239.0.0.1 in*2 {10.0.0.5,10.0.0.6}");
	mcast_leave(a);
	mcast_leave(b);
}

static void
test_many_groups_are_found(void **state)
{
	static struct mcast_member *mm[2000];

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		const struct ipaddr g = ipaddr4(__builtin_bswap32(0xef000000 + i * 77));

		mm[i] = mcast_join(lan.ifp, &g);
		assert_non_null(mm[i]);
		if (i % 3 == 0) {
			mcast_leave(mm[i]);
			mm[i] = NULL;
		}
	}
	for (uint32_t i = 0; i < 2000; i++) {
		const struct ipaddr g = ipaddr4(__builtin_bswap32(0xef000000 + i * 77));

		assert_int_equal(mcast_accepts(lan.ifp, &g, &g), i % 3 != 0);
		mcast_leave(mm[i]);
	}
}

/* --- source filters --------------------------------------------------------------------------- */

static void
test_a_member_hears_whom_it_wants(void **state)
{
	const struct ipaddr s[2] = { ip("10.0.0.5"), ip("10.0.0.6") }, other = ip("10.0.0.7"),
			    bad = ip("224.0.0.9"), none = ip("0.0.0.0");
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	assert_int_equal(mcast_set_filter(mm, MCAST_MODE_INCLUDE, s, 2), 0);
	assert_true(mcast_member_accepts(mm, &s[1]));
	assert_false(mcast_member_accepts(mm, &other));
	assert_true(accepts("239.1.1.1", "10.0.0.5"));
	assert_false(accepts("239.1.1.1", "10.0.0.7"));
	assert_int_equal(mcast_set_filter(mm, MCAST_MODE_EXCLUDE, s, 1), 0);
	assert_false(mcast_member_accepts(mm, &s[0]));
	assert_true(mcast_member_accepts(mm, &other));
	assert_int_equal(mcast_set_filter(mm, MCAST_MODE_INCLUDE, NULL, 0), 0);
	assert_false(mcast_member_accepts(mm, &other));
	assert_false(accepts("239.1.1.1", "10.0.0.5"));
	assert_int_equal(mcast_set_filter(mm, MCAST_MODE_INCLUDE, &bad, 1), -EINVAL);
	assert_int_equal(mcast_set_filter(mm, MCAST_MODE_INCLUDE, &none, 1), -EINVAL);
	mcast_leave(mm);
}

/* RFC 3376 3.2's own examples. */
static void
test_filters_merge_as_the_rfc_says(void **state)
{
	const struct ipaddr a = ip("10.0.0.10"), b = ip("10.0.0.11"), c = ip("10.0.0.12"),
			    d = ip("10.0.0.13"), e = ip("10.0.0.14"), f = ip("10.0.0.15");
	struct mcast_member *s1 = join("239.9.9.9"), *s2 = join("239.9.9.9"),
			    *s3 = join("239.9.9.9");

	(void)state;
	assert_int_equal(
	    mcast_set_filter(s1, MCAST_MODE_EXCLUDE, (struct ipaddr[]){ a, b, c, d }, 4), 0);
	assert_int_equal(
	    mcast_set_filter(s2, MCAST_MODE_EXCLUDE, (struct ipaddr[]){ b, c, d, e }, 4), 0);
	assert_int_equal(
	    mcast_set_filter(s3, MCAST_MODE_INCLUDE, (struct ipaddr[]){ d, e, f }, 3), 0);
	expect_groups("224.0.0.1 ex*1 {} 239.9.9.9 ex*3 {10.0.0.11,10.0.0.12}");
	assert_int_equal(
	    mcast_set_filter(s1, MCAST_MODE_INCLUDE, (struct ipaddr[]){ c, b, a }, 3), 0);
	assert_int_equal(
	    mcast_set_filter(s2, MCAST_MODE_INCLUDE, (struct ipaddr[]){ b, b, d }, 3), 0);
	expect_groups("224.0.0.1 ex*1 {} 239.9.9.9 in*3 "
		      "{10.0.0.10,10.0.0.11,10.0.0.12,10.0.0.13,10.0.0.14,10.0.0.15}");
	mcast_leave(s1);
	mcast_leave(s2);
	expect_groups("224.0.0.1 ex*1 {} 239.9.9.9 in*1 {10.0.0.13,10.0.0.14,10.0.0.15}");
	mcast_leave(s3);
}

/* Random operations of many members; the reference asks each member for each source. */
enum { MEMBERS = 12, SOURCES = 9 };

static void
check_merge(struct mcast_member *const mm[], const bool exclude[], const uint32_t set[])
{
	const struct ipaddr group = ip("239.5.5.5");
	bool any = false;

	for (uint32_t s = 0; s < SOURCES + 1; s++) {
		const struct ipaddr source = ipaddr4(__builtin_bswap32(0x0a000010 + s));
		bool heard = false, all_exclude = true, include = false, some = false;

		for (int i = 0; i < MEMBERS; i++) {
			bool listed = set[i] >> s & 1;

			if (mm[i] == NULL)
				continue;
			heard |= listed != exclude[i];
			assert_int_equal(
			    mcast_member_accepts(mm[i], &source), listed != exclude[i]);
			some |= exclude[i];
			all_exclude &= !exclude[i] || listed;
			include |= !exclude[i] && listed;
		}
		/* RFC 3376 3.2 in its own words: it must be the same as "somebody wants it" */
		assert_int_equal(heard, some ? !(all_exclude && !include) : include);
		assert_int_equal(mcast_accepts(lan.ifp, &group, &source), heard);
		any |= heard;
	}
	assert_int_equal(mcast_accepts(lan.ifp, &group, NULL), any);
}

static void
test_merges_agree_with_a_slow_reference(void **state)
{
	const struct ipaddr group = ip("239.5.5.5");
	struct mcast_member *mm[MEMBERS] = { NULL };
	uint32_t set[MEMBERS] = { 0 };
	bool exclude[MEMBERS] = { false };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7, "merge");
	for (int round = 0; round < 5000; round++) {
		unsigned i = (unsigned)rng_below(&rng, MEMBERS), n = 0;
		struct ipaddr sources[SOURCES];

		if (mm[i] != NULL && rng_below(&rng, 4) == 0) {
			mcast_leave(mm[i]);
			mm[i] = NULL;
			check_merge(mm, exclude, set);
			continue;
		}
		exclude[i] = rng_below(&rng, 3) == 0;
		/* few or many, so that merges of all kinds come about */
		set[i] = (uint32_t)(rng_u64(&rng) & rng_u64(&rng)) & ((1u << SOURCES) - 1);
		if (exclude[i])
			set[i] = ~set[i] & ((1u << SOURCES) - 1);
		for (uint32_t s = 0; s < SOURCES; s++)
			if (set[i] >> s & 1)
				sources[n++] = ipaddr4(__builtin_bswap32(0x0a000010 + s));
		if (mm[i] == NULL)
			mm[i] = mcast_join_filter(lan.ifp, &group,
			    exclude[i] ? MCAST_MODE_EXCLUDE : MCAST_MODE_INCLUDE, sources, n);
		else
			assert_int_equal(
			    mcast_set_filter(mm[i],
				exclude[i] ? MCAST_MODE_EXCLUDE : MCAST_MODE_INCLUDE, sources, n),
			    0);
		assert_non_null(mm[i]);
		check_merge(mm, exclude, set);
	}
	for (int i = 0; i < MEMBERS; i++)
		mcast_leave(mm[i]);
}

static void
test_without_memory_a_filter_stays(void **state)
{
	const struct ipaddr s[2] = { ip("10.0.0.5"), ip("10.0.0.6") }, group = ip("239.7.7.7");
	struct mcast_member *mm;
	uint64_t n;

	(void)state;
	mm = mcast_join_filter(lan.ifp, &group, MCAST_MODE_INCLUDE, s, 1);
	sched_run(clock_now() + 10 * NS_PER_SEC);
	for (n = 1;; n++) {
		int error;

		vnet_malloc_fail_at(n);
		error = mcast_set_filter(mm, MCAST_MODE_INCLUDE, s, 2);
		if (vnet_malloc_fail_pending() || error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		expect_groups("224.0.0.1 ex*1 {} 239.7.7.7 in*1 {10.0.0.5}");
	}
	vnet_malloc_fail_at(0);
	assert_in_range(n, 3, 10);
	expect_groups("224.0.0.1 ex*1 {} 239.7.7.7 in*1 {10.0.0.5,10.0.0.6}");
	/* leaving can't fail */
	vnet_malloc_fail_at(1);
	mcast_leave(mm);
	vnet_malloc_fail_at(0);
	expect_groups("224.0.0.1 ex*1 {}");
}

static void
test_without_memory_nobody_joins(void **state)
{
	const struct ipaddr s = ip("10.0.0.5"), group = ip("239.7.7.7");
	struct mcast_member *mm;

	(void)state;
	for (uint64_t n = 1;; n++) {
		vnet_malloc_fail_at(n);
		mm = mcast_join_filter(lan.ifp, &group, MCAST_MODE_INCLUDE, &s, 1);
		if (mm != NULL)
			break;
		assert_int_equal(errno, ENOMEM);
		expect_groups("224.0.0.1 ex*1 {}");
		assert_false(link_has("01:00:5e:07:07:07"));
	}
	vnet_malloc_fail_at(0);
	mcast_leave(mm);
}

/* --- interfaces that go ----------------------------------------------------------------------- */

static void
test_members_of_an_interface_that_goes_are_deaf(void **state)
{
	const struct ipaddr group = ip("239.1.1.1"), source = ip("10.0.0.5");
	struct memif other;
	struct mcast_member *a, *b;

	(void)state;
	memif_open(&other, 1);
	command("ifconfig mem1 inet 10.1.0.1/24");
	a = mcast_join(other.ifp, &group);
	b = mcast_join(other.ifp, &group);
	memif_close(&other);
	assert_null(mcast_member_ifp(a));
	assert_false(mcast_member_accepts(a, &source));
	assert_int_equal(mcast_set_filter(a, MCAST_MODE_INCLUDE, &source, 1), -EADDRNOTAVAIL);
	mcast_leave(a);
	mcast_leave(b);
}

static void
test_a_move_to_another_stack_ends_memberships_and_a_rename_does_not(void **state)
{
	const struct ipaddr group = ip("239.1.1.1"), source = ip("10.0.0.5");
	struct mcast_member *mm;
	struct ifnet *ifp;

	(void)state;
	command("jail -c name=away vnet persist");
	command("ifconfig epair7 create");
	command("ifconfig epair7a inet 10.7.0.1/24");
	ifp = if_byname("epair7a");
	mm = mcast_join(ifp, &group);
	command("ifconfig epair7a name wan");
	assert_ptr_equal(mcast_member_ifp(mm), ifp);
	assert_true(mcast_accepts(ifp, &group, &source));
	command("ifconfig wan vnet away");
	assert_null(mcast_member_ifp(mm));
	assert_false(mcast_accepts(ifp, &group, &source));
	mcast_leave(mm);
	command("ifconfig epair7b destroy");
}

/* The stack ends under its members: they are freed by their holder, later. */
static void
test_a_stack_may_end_before_its_members(void **state)
{
	const struct ipaddr group = ip("239.1.1.1");
	struct mcast_member *mm;

	(void)state;
	command("jail -c name=brief vnet persist");
	command("ifconfig epair7 create");
	command("ifconfig epair7a vnet brief");
	command_in("brief", "ifconfig epair7a inet 10.7.0.1/24");
	{
		VNET_SCOPE(vnet_of("brief"));
		mm = mcast_join(NULL, &group);
	}
	assert_non_null(mm);
	command("jail -r brief");
	assert_null(mcast_member_ifp(mm));
	mcast_leave(mm);
	command("ifconfig epair7a destroy");
}

/* --- packets ---------------------------------------------------------------------------------- */

static struct ip_raw listener;
static unsigned heard;
static uint16_t heard_flags;
static struct ifnet *heard_on;

static bool
on_packet(struct ip_raw *r, const struct mbuf *m, unsigned hlen)
{
	(void)r, (void)hlen;
	heard++;
	heard_flags = m->flags;
	heard_on = m->rcvif;
	return true;
}

static void
listening(uint8_t proto)
{
	heard = 0;
	listener = (struct ip_raw){ .proto = proto, .input = on_packet };
	ip_raw_attach(&listener);
}

/* A frame to a group comes in by lan. */
static void
arrive(const char *group, const char *source)
{
	uint32_t g = a4(group);
	struct mbuf *m = memif_frame(&lan, a4(source), g, 200, 40);
	const uint8_t *b = (const uint8_t *)&g;

	memcpy(m->data, (const uint8_t[]){ 0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3] }, 6);
	memif_receive(&lan, m);
	while (netisr_run())
		continue;
}

static void
test_packets_reach_members_of_their_group_only(void **state)
{
	const struct ipaddr source = ip("10.0.0.9");
	struct mcast_member *mm = join("239.1.2.3");

	(void)state;
	listening(200);
	arrive("239.1.2.3", "10.0.0.9");
	assert_int_equal(heard, 1);
	/* the link lets it in: IP doesn't */
	arrive("239.129.2.3", "10.0.0.9");
	assert_int_equal(heard, 1);
	assert_int_equal(drops("ip.notmember"), 1);
	arrive("239.1.2.4", "10.0.0.9");
	assert_int_equal(drops("ether.not-member"), 1);
	assert_int_equal(mcast_set_filter(mm, MCAST_MODE_EXCLUDE, &source, 1), 0);
	arrive("239.1.2.3", "10.0.0.9");
	assert_int_equal(heard, 1);
	arrive("239.1.2.3", "10.0.0.8");
	assert_int_equal(heard, 2);
	arrive("224.0.0.1", "10.0.0.8");
	assert_int_equal(heard, 3);
	ip_raw_detach(&listener);
	mcast_leave(mm);
}

static int
send_to(const char *group, const struct ip_opts_out *o)
{
	int error = ip_output(m_get(20), 0, a4(group), 200, o);

	while (netisr_run())
		continue;
	return error;
}

static void
test_what_is_sent_to_a_group_comes_back_to_members(void **state)
{
	struct mcast_member *mm = join("239.1.2.3");
	const struct ip_opts_out o = { .ifp = lan.ifp },
				 quiet = { .ifp = lan.ifp, .no_loop = true };

	(void)state;
	sched_run(clock_now() + 10 * NS_PER_SEC);
	memif_clear(&lan);
	listening(200);
	assert_int_equal(send_to("239.1.2.3", &o), 0);
	assert_int_equal(heard, 1);
	assert_int_equal(heard_flags & (M_MCAST | M_LOOP), M_MCAST | M_LOOP);
	assert_ptr_equal(heard_on, lan.ifp);
	/* and goes out, with a ttl of 1, to the group's link address */
	assert_int_equal(frame_ip(sent_one_of(1))->ttl, 1);
	assert_int_equal(frame_ip(sent_one_of(1))->src, a4("10.0.0.1"));
	assert_memory_equal(sent_one_of(1)->data, "\x01\x00\x5e\x01\x02\x03", 6);
	assert_int_equal(send_to("239.1.2.4", &o), 0);
	assert_int_equal(heard, 1);
	assert_int_equal(send_to("239.1.2.3", &quiet), 0);
	assert_int_equal(heard, 1);
	command("sysctl net.inet.ip.mcast.loop=0");
	assert_int_equal(send_to("239.1.2.3", &o), 0);
	assert_int_equal(heard, 1);
	assert_int_equal(lan.sent.len, 4);
	ip_raw_detach(&listener);
	mcast_leave(mm);
}

static void
test_the_route_chooses_where_a_group_goes(void **state)
{
	(void)state;
	assert_int_equal(send_to("239.1.2.3", NULL), -EHOSTUNREACH);
	command("route -q add default 10.0.0.2");
	assert_int_equal(send_to("239.1.2.3", NULL), 0);
	/* to the group, not to the gateway */
	assert_memory_equal(sent_one_of(1)->data, "\x01\x00\x5e\x01\x02\x03", 6);
	lan.ifp->if_flags &= ~(uint32_t)IFF_MULTICAST_;
	assert_int_equal(send_to("239.1.2.3", NULL), -ENETUNREACH);
	lan.ifp->if_flags |= IFF_MULTICAST_;
}

static void
test_groups_are_not_forwarded(void **state)
{
	struct mcast_member *mm = join("239.1.2.3");

	(void)state;
	command("sysctl net.inet.ip.forwarding=1");
	command("route -q add default 10.0.0.2");
	sched_run(clock_now() + 10 * NS_PER_SEC);
	memif_clear(&lan);
	arrive("224.0.0.1", "10.0.0.9");
	arrive("239.1.2.3", "10.0.0.9");
	assert_int_equal(lan.sent.len, 0);
	mcast_leave(mm);
}

/* --- tools ------------------------------------------------------------------------------------ */

static void
test_mcast_join_is_in_the_group_for_its_time(void **state)
{
	static struct tool t;
	uint64_t start = clock_now();

	(void)state;
	tool_start(&t, NULL, "mcast join 239.1.2.3 via mem0 source 10.0.0.5 source 10.0.0.6 for 5s",
	    false);
	assert_string_equal(t.out, "joined 239.1.2.3 on mem0 from 10.0.0.5,10.0.0.6\n");
	assert_true(accepts("239.1.2.3", "10.0.0.5"));
	assert_false(accepts("239.1.2.3", "10.0.0.7"));
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	assert_in_range(clock_now() - start, 5 * NS_PER_SEC, 5 * NS_PER_SEC + NS_PER_MS);
	assert_false(accepts("239.1.2.3", "10.0.0.5"));
}

static void
test_mcast_join_ends_when_it_is_cancelled(void **state)
{
	static struct tool t;

	(void)state;
	tool_start(&t, NULL, "mcast join 239.1.2.3 except 10.0.0.5", false);
	assert_string_equal(t.out, "joined 239.1.2.3 on mem0 except 10.0.0.5\n");
	assert_false(accepts("239.1.2.3", "10.0.0.5"));
	assert_true(accepts("239.1.2.3", "10.0.0.6"));
	assert_false(t.done);
	verb_cancel(t.run);
	assert_true(t.done);
	assert_int_equal(t.status, 0);
	assert_false(accepts("239.1.2.3", "10.0.0.6"));
}

static void
test_mcast_says_in_one_line_what_is_wrong(void **state)
{
	static const struct {
		const char *line, *err;
	} wrong[] = {
		{ "mcast join 10.0.0.1", "mcast: join: 10.0.0.1: not a group's address\n" },
		{ "mcast join 239.1.1.1 via em9", "mcast: join: interface em9 does not exist\n" },
		{ "mcast join 239.1.1.1 for 5", "mcast: join: 5: not a time with its unit\n" },
		{ "mcast join 239.1.1.1 source", "mcast: join: source: a value is missing\n" },
		{ "mcast join 239.1.1.1 source 10.0.0.5,x",
		    "mcast: join: x: not a source's address\n" },
		{ "mcast join 239.1.1.1 source 10.0.0.5 except 10.0.0.6",
		    "mcast: join: either source or except\n" },
		{ "mcast join 239.1.1.1 source 224.0.0.5",
		    "mcast: join: 239.1.1.1: Invalid argument\n" },
		{ "mcast join 239.1.1.1 why not", "mcast: join: why: unknown word\n" },
		{ "mcast show em9", "mcast: show: interface em9 does not exist\n" },
		{ "ifmcstat -i em9", "ifmcstat: interface em9 does not exist\n" },
		{ "ifmcstat -f ipx", "ifmcstat: ipx: unknown address family\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		static struct tool t;

		tool_start(&t, NULL, wrong[i].line, false);
		assert_true(t.done);
		assert_int_not_equal(t.status, 0);
		assert_string_equal(t.err, wrong[i].err);
	}
	expect_groups("224.0.0.1 ex*1 {}");
}

static void
test_mcast_show_and_ifmcstat(void **state)
{
	const struct ipaddr group = ip("232.1.2.3"), s = ip("10.0.0.5");
	struct mcast_member *mm = mcast_join_filter(lan.ifp, &group, MCAST_MODE_INCLUDE, &s, 1);
	static struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "mcast show mem0"), 0);
	assert_string_equal(t.out,
	    "Interface       Group                                   Members Mode\n"
	    "mem0            224.0.0.1                                     1 exclude\n"
	    "mem0            232.1.2.3                                     1 include 10.0.0.5\n");
	assert_int_equal(tool(&t, NULL, "ifmcstat -i mem0"), 0);
	assert_string_equal(t.out,
	    "mem0:\n"
	    "\tinet 10.0.0.1\n"
	    "\tigmpv3 flags=0<> rv 2 qi 125 qri 10 uri 1\n"
	    "\t\tgroup 224.0.0.1 mode exclude\n"
	    "\t\t\tmcast-macaddr 01:00:5e:00:00:01\n"
	    "\t\tgroup 232.1.2.3 mode include\n"
	    "\t\t\tmcast-macaddr 01:00:5e:01:02:03\n");
	assert_int_equal(tool(&t, NULL, "ifmcstat -i mem0 -f inet -v"), 0);
	assert_non_null(
	    strstr(t.out, "\t\tgroup 232.1.2.3 mode include srcs 10.0.0.5 members 1\n"));
	assert_null(strstr(t.out, "link"));
	assert_int_equal(tool(&t, NULL, "ifmcstat -f link"), 0);
	assert_string_equal(t.out,
	    "mem0:\n"
	    "\tlink 02:00:00:00:01:01\n"
	    "\t\tgroup 01:00:5e:00:00:01 refcnt 1\n"
	    "\t\tgroup 01:00:5e:01:02:03 refcnt 1\n");
	tool_start(&t, NULL, "ifmcstat -i mem0", true);
	assert_string_equal(t.out,
	    "{\"interface\":[{\"name\":\"mem0\",\"inet\":{\"address\":\"10.0.0.1\","
	    "\"protocol\":\"igmp\",\"version\":3,\"flags\":\"0<>\",\"robustness\":2,"
	    "\"query-interval\":125,\"query-response-interval\":10,"
	    "\"unsolicited-report-interval\":1,\"group\":[{\"group\":\"224.0.0.1\","
	    "\"mode\":\"exclude\",\"source\":[],\"members\":1,\"reported\":false,"
	    "\"mcast-macaddr\":\"01:00:5e:00:00:01\"},{\"group\":\"232.1.2.3\","
	    "\"mode\":\"include\",\"source\":[\"10.0.0.5\"],\"members\":1,\"reported\":true,"
	    "\"mcast-macaddr\":\"01:00:5e:01:02:03\"}]}}]}\n");
	mcast_leave(mm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_an_interface_with_an_address_is_in_all_hosts),
		INET_TEST(test_members_come_and_go),
		INET_TEST(test_groups_that_share_a_link_address),
		INET_TEST(test_what_can_not_be_joined),
		INET_TEST(test_without_an_interface_the_route_chooses),
		INET_TEST(test_limits_are_kept),
		INET_TEST(test_many_groups_are_found),
		INET_TEST(test_a_member_hears_whom_it_wants),
		INET_TEST(test_filters_merge_as_the_rfc_says),
		INET_TEST(test_merges_agree_with_a_slow_reference),
		INET_TEST(test_without_memory_a_filter_stays),
		INET_TEST(test_without_memory_nobody_joins),
		INET_TEST(test_members_of_an_interface_that_goes_are_deaf),
		INET_TEST(test_a_move_to_another_stack_ends_memberships_and_a_rename_does_not),
		INET_TEST(test_a_stack_may_end_before_its_members),
		INET_TEST(test_packets_reach_members_of_their_group_only),
		INET_TEST(test_what_is_sent_to_a_group_comes_back_to_members),
		INET_TEST(test_the_route_chooses_where_a_group_goes),
		INET_TEST(test_groups_are_not_forwarded),
		INET_TEST(test_mcast_join_is_in_the_group_for_its_time),
		INET_TEST(test_mcast_join_ends_when_it_is_cancelled),
		INET_TEST(test_mcast_says_in_one_line_what_is_wrong),
		INET_TEST(test_mcast_show_and_ifmcstat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
