/*
 * Router advertisements out: what an interface says and when, and what comes of it at hosts that
 * listen. Stacks are joined by epairs, or by a hub of interfaces in memory.
 */
#include "nd6_frames.h"

#include "base/log.h"
#include "inet6/nd6_rtr.h"
#include "inet6/rtadvd.h"

static void
pass_s(uint64_t s)
{
	sched_run(clock_now() + s * NS_PER_SEC);
}

/* The fixture's stack forwards. */
static int
router_setup(void **state)
{
	if (inet6_setup(state) != 0)
		return -1;
	command("sysctl net.inet6.ip6.forwarding=1");
	settle6();
	return 0;
}
#define ROUTER_TEST(fn) cmocka_unit_test_setup_teardown(fn, router_setup, inet6_teardown)

static struct nd_router_advert *
sent_advert(unsigned n)
{
	struct mbuf *m = sent_icmp6(&lan, ND_ROUTER_ADVERT_, n);

	return m == NULL ? NULL : (struct nd_router_advert *)(void *)frame_icmp6(m);
}

/* The n-th option of a type in the n-th advertisement; NULL. */
static const uint8_t *
sent_option(unsigned advert, uint8_t type, unsigned n)
{
	const struct mbuf *m = sent_icmp6(&lan, ND_ROUTER_ADVERT_, advert);
	const uint8_t *p, *end;

	assert_non_null(m);
	p = (const uint8_t *)frame_icmp6(m) + sizeof(struct nd_router_advert);
	end = m->data + m->len;
	for (; p < end && p[1] != 0; p += p[1] * 8)
		if (*p == type && n-- == 0)
			return p;
	return NULL;
}

static const struct nd_opt_prefix *
sent_prefix(unsigned advert, const char *prefix)
{
	struct in6 want = a6(prefix);
	const struct nd_opt_prefix *o;

	for (unsigned i = 0; (o = (const void *)sent_option(advert, ND_OPT_PREFIX, i)) != NULL; i++)
		if (in6_equal(&o->prefix, &want))
			return o;
	return NULL;
}

/* Begin, and the first advertisement is out. */
static void
start(const char *words)
{
	char line[512];

	snprintf(line, sizeof(line), "rtadvd start mem0%s%s", words[0] != '\0' ? " " : "", words);
	command(line);
	pass_s(1);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
}

/* --- what it says ----------------------------------------------------------------------------- */

static void
test_an_advertisement_says_what_a_router_is(void **state)
{
	struct mbuf *m;
	struct nd_router_advert *ra;
	const struct nd_opt_prefix *p;

	(void)state;
	start("");
	m = sent_icmp6(&lan, ND_ROUTER_ADVERT_, 0);
	assert_in6(&frame_ip6(m)->src, "fe80::1");
	assert_in6(&frame_ip6(m)->dst, "ff02::1");
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_memory_equal(m->data, "\x33\x33\0\0\0\1", 6);
	ra = sent_advert(0);
	assert_int_equal(ra->hlim, 64);
	assert_int_equal(ra->flags, 0);
	assert_int_equal(from_be16(ra->lifetime_s), 1800);
	assert_memory_equal(sent_option(0, ND_OPT_SOURCE_LL, 0) + 2, lan.ifp->if_lladdr, 6);
	assert_null(sent_option(0, ND_OPT_MTU, 0));
	p = sent_prefix(0, "2001:db8::");
	assert_non_null(p);
	assert_int_equal(p->plen, 64);
	assert_int_equal(p->flags, ND_PREFIX_ONLINK | ND_PREFIX_AUTO);
	assert_int_equal(from_be32(p->vltime_s), 2592000);
	assert_int_equal(from_be32(p->pltime_s), 604800);
	assert_null(sent_option(0, ND_OPT_PREFIX, 1)); /* not the link-local one */
}

static void
test_every_word_stands_in_the_advertisement(void **state)
{
	struct nd_router_advert *ra;
	const struct nd_opt_prefix *p;
	const uint8_t *o;

	(void)state;
	start(
	    "maxinterval 30s mininterval 10s lifetime 90s hoplimit 17 reachable 30s retrans 500ms "
	    "mtu 1400 managed other preference high noprefix "
	    "prefix 2001:db8:5::7/64 valid 2h preferred 1h noauto prefix 2001:db8:6::/64 valid 1min "
	    "prefix 2001:db8:7::/64 valid infinite preferred infinite noonlink "
	    "route 2001:db8:8::/48 lifetime 5min preference low route 2001:db8:9::1/128 "
	    "rdnss 2001:db8::53,2001:db8::54 lifetime 1h dnssl example.org,lab.example.net");
	ra = sent_advert(0);
	assert_int_equal(ra->hlim, 17);
	assert_int_equal(ra->flags, 0x80 | 0x40 | 0x08);
	assert_int_equal(from_be16(ra->lifetime_s), 90);
	assert_int_equal(from_be32(ra->reachable_ms), 30000);
	assert_int_equal(from_be32(ra->retrans_ms), 500);
	assert_int_equal(sent_option(0, ND_OPT_MTU, 0)[6], 1400 >> 8);
	assert_null(sent_prefix(0, "2001:db8::"));
	p = sent_prefix(0, "2001:db8:5::");
	assert_int_equal(p->flags, ND_PREFIX_ONLINK);
	assert_int_equal(from_be32(p->vltime_s), 7200);
	assert_int_equal(from_be32(p->pltime_s), 3600);
	p = sent_prefix(0, "2001:db8:6::");
	assert_int_equal(p->flags, ND_PREFIX_ONLINK | ND_PREFIX_AUTO);
	assert_int_equal(from_be32(p->vltime_s), 60);
	assert_int_equal(from_be32(p->pltime_s), 60);
	p = sent_prefix(0, "2001:db8:7::");
	assert_int_equal(p->flags, ND_PREFIX_AUTO);
	assert_int_equal(from_be32(p->vltime_s), UINT32_MAX);
	o = sent_option(0, ND_OPT_ROUTE, 0);
	assert_memory_equal(o, "\x18\x02\x30\x18\0\0\x01\x2c\x20\x01\x0d\xb8\0\x08\0\0", 16);
	o = sent_option(0, ND_OPT_ROUTE, 1);
	assert_memory_equal(o, "\x18\x03\x80\0\0\0\0\x5a\x20\x01\x0d\xb8\0\x09", 14);
	o = sent_option(0, ND_OPT_RDNSS, 0);
	assert_memory_equal(o, "\x19\x05\0\0\0\0\x0e\x10\x20\x01\x0d\xb8", 12);
	assert_int_equal(o[23], 0x53);
	assert_int_equal(o[39], 0x54);
	o = sent_option(0, ND_OPT_DNSSL, 0);
	assert_memory_equal(
	    o, "\x1f\x05\0\0\0\0\0\x5a\7example\3org\0\3lab\7example\3net\0\0\0", 40);
}

static void
test_who_does_not_forward_is_no_default_router(void **state)
{
	struct tool t;

	(void)state;
	command("sysctl net.inet6.ip6.forwarding=0");
	assert_int_equal(tool(&t, NULL, "rtadvd start mem0 preference high"), 0);
	assert_non_null(strstr(t.err, "net.inet6.ip6.forwarding is 0"));
	pass_s(1);
	assert_int_equal(from_be16(sent_advert(0)->lifetime_s), 0);
	assert_int_equal(sent_advert(0)->flags, 0); /* RFC 4191 2.2 */
	assert_non_null(sent_prefix(0, "2001:db8::"));
	/* it becomes one: hosts hear of it soon */
	command("sysctl net.inet6.ip6.forwarding=1");
	pass_s(4);
	assert_int_equal(from_be16(sent_advert(1)->lifetime_s), 1800);
	assert_int_equal(sent_advert(1)->flags, 0x08);
	command("sysctl net.inet6.ip6.forwarding=0");
	pass_s(4);
	assert_int_equal(from_be16(sent_advert(2)->lifetime_s), 0);
}

static void
test_the_last_word_is_lifetime_0(void **state)
{
	const uint8_t *o;

	(void)state;
	start("route 2001:db8:8::/48 rdnss 2001:db8::53");
	memif_clear(&lan);
	command("rtadvd stop mem0");
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
	assert_int_equal(from_be16(sent_advert(0)->lifetime_s), 0);
	o = sent_option(0, ND_OPT_ROUTE, 0);
	assert_int_equal(load32(o + 4), 0);
	o = sent_option(0, ND_OPT_RDNSS, 0);
	assert_int_equal(load32(o + 4), 0);
	/* hosts keep their addresses */
	assert_int_equal(from_be32(sent_prefix(0, "2001:db8::")->vltime_s), 2592000);
	pass_s(4000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
}

static void
test_a_prefix_that_is_no_more_is_withdrawn_three_times(void **state)
{
	const struct nd_opt_prefix *p;
	unsigned n = 0, total;

	(void)state;
	command("ifconfig mem0 inet6 2001:db8:5::1 prefixlen 64");
	pass_s(2);
	start("maxinterval 4s");
	assert_non_null(sent_prefix(0, "2001:db8:5::"));
	memif_clear(&lan);
	command("ifconfig mem0 inet6 2001:db8:5::1 delete");
	command("ifconfig mem0 inet6 2001:db8:6::1 prefixlen 64");
	pass_s(60);
	total = count_icmp6(&lan, ND_ROUTER_ADVERT_);
	assert_true(total > 10);
	for (unsigned i = 0; i < total; i++) {
		p = sent_prefix(i, "2001:db8:5::");
		if (p != NULL) {
			assert_int_equal(from_be32(p->vltime_s), 0);
			assert_int_equal(from_be32(p->pltime_s), 0);
			n++;
		}
		assert_non_null(sent_prefix(i, "2001:db8:6::"));
	}
	assert_int_equal(n, 3);
	/* it is back */
	memif_clear(&lan);
	command("ifconfig mem0 inet6 2001:db8:5::1 prefixlen 64");
	pass_s(10);
	assert_int_equal(from_be32(sent_prefix(0, "2001:db8:5::")->vltime_s), 2592000);
}

static void
test_what_is_too_long_for_the_link_goes_out_in_pieces(void **state)
{
	char words[4096] = "noprefix";
	unsigned prefixes = 0, messages;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words),
		    " prefix 2001:db8:%x::/64", 0x100 + i);
	char line[4200];
	snprintf(line, sizeof(line), "rtadvd start mem0 %s", words);
	command(line);
	pass_s(1);
	messages = count_icmp6(&lan, ND_ROUTER_ADVERT_);
	assert_int_equal(messages, 3); /* 3,200 bytes of options */
	for (unsigned i = 0; i < messages; i++) {
		assert_true(sent_icmp6(&lan, ND_ROUTER_ADVERT_, i)->len <= 1514);
		assert_int_equal(from_be16(sent_advert(i)->lifetime_s), 1800);
		for (unsigned n = 0; sent_option(i, ND_OPT_PREFIX, n) != NULL; n++)
			prefixes++;
	}
	assert_int_equal(prefixes, 100);
}

/* --- when ------------------------------------------------------------------------------------- */

static void
test_the_first_three_come_soon_the_others_by_chance(void **state)
{
	uint64_t last = 0, when, gap;
	struct mbuf *m;

	(void)state;
	start("");
	pass_s(10000);
	assert_in_range(count_icmp6(&lan, ND_ROUTER_ADVERT_), 10000 / 600, 10000 / 200 + 3);
	for (unsigned i = 0; (m = sent_icmp6(&lan, ND_ROUTER_ADVERT_, i)) != NULL; i++) {
		when = m->when_ns;
		gap = when - last;
		if (i > 0 && i < 3)
			assert_int_equal(gap, 16 * NS_PER_SEC);
		else if (i > 0)
			assert_in_range(gap, 200 * NS_PER_SEC, 600 * NS_PER_SEC);
		last = when;
	}
}

static void
ask(void)
{
	receive6(with_lladdr(nd_message("fe80::7", "ff02::2", ND_ROUTER_SOLICIT_, 0, 0),
	    ND_OPT_SOURCE_LL, other_mac));
}

static void
test_who_asks_is_answered_within_half_a_second(void **state)
{
	struct in6 asker = a6("fe80::7");
	struct llentry *lle;
	uint64_t asked;

	(void)state;
	start("");
	pass_s(100);
	memif_clear(&lan);
	asked = clock_now();
	ask();
	pass_s(1);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
	assert_in_range(sent_icmp6(&lan, ND_ROUTER_ADVERT_, 0)->when_ns - asked, 0, NS_PER_SEC / 2);
	in6_embed(&asker, lan.ifp->if_index);
	lle = lla_find(in6_lltable(lan.ifp), &asker);
	assert_non_null(lle);
	assert_int_equal(lle->state, ND6_STALE);
	assert_false(nd6_is_router(lle));
	assert_int_equal(V_rtadvstat.rs_in, 1);
}

static void
test_a_flood_of_solicitations_gets_an_answer_every_three_seconds(void **state)
{
	uint64_t last = 0;
	struct mbuf *m;

	(void)state;
	start("");
	pass_s(100);
	memif_clear(&lan);
	for (int i = 0; i < 100000; i++) {
		ask();
		if (i % 100 == 0)
			pass_ms(60);
	}
	/* 60 s */
	assert_in_range(count_icmp6(&lan, ND_ROUTER_ADVERT_), 15, 21);
	for (unsigned i = 0; (m = sent_icmp6(&lan, ND_ROUTER_ADVERT_, i)) != NULL; i++) {
		if (i > 0)
			assert_true(m->when_ns - last >= 3 * NS_PER_SEC);
		last = m->when_ns;
	}
}

static void
test_bad_solicitations_are_dropped_and_counted(void **state)
{
	struct mbuf *m;

	(void)state;
	start("");
	m = nd_message("fe80::7", "ff02::2", ND_ROUTER_SOLICIT_, 0, 0);
	mtod(m, struct ip6_hdr *)->hlim = 64;
	receive6(m);
	receive6(with_lladdr(
	    nd_message("::", "ff02::2", ND_ROUTER_SOLICIT_, 0, 0), ND_OPT_SOURCE_LL, other_mac));
	assert_int_equal(drops("nd6.rs-source"), 1);
	receive6(with_nd_option(
	    nd_message("fe80::7", "ff02::2", ND_ROUTER_SOLICIT_, 0, 0), "\1\0\0\0\0\0\0\0", 8));
	assert_int_equal(V_icmp6stat.badrs, 3);
	assert_int_equal(V_rtadvstat.rs_in, 0);
	/* from :: without a link address is right */
	receive6(nd_message("::", "ff02::2", ND_ROUTER_SOLICIT_, 0, 0));
	assert_int_equal(V_rtadvstat.rs_in, 1);
	command("rtadvd stop mem0");
	ask();
	assert_int_equal(V_rtadvstat.rs_ignored, 1);
}

static void
test_advertising_begins_when_the_link_local_address_is_ready(void **state)
{
	struct in6 a = a6("fe80::1");
	uint64_t before;

	(void)state;
	in6_embed(&a, lan.ifp->if_index);
	assert_int_equal(in6_addr_delete(lan.ifp, &a), 0);
	command("rtadvd start mem0");
	pass_s(100);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 0);
	before = clock_now();
	command("ifconfig mem0 inet6 fe80::5 prefixlen 64");
	pass_s(5);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
	assert_true(sent_icmp6(&lan, ND_ROUTER_ADVERT_, 0)->when_ns > before + NS_PER_SEC);
	assert_in6(&frame_ip6(sent_icmp6(&lan, ND_ROUTER_ADVERT_, 0))->src, "fe80::5");
}

static void
test_a_link_that_comes_back_is_told_at_once(void **state)
{
	(void)state;
	start("");
	command("ifconfig mem0 down");
	pass_s(1000);
	memif_clear(&lan);
	command("ifconfig mem0 up");
	pass_s(40);
	assert_in_range(count_icmp6(&lan, ND_ROUTER_ADVERT_), 3, 4);
}

static void
test_a_disabled_interface_is_silent_until_it_is_enabled(void **state)
{
	(void)state;
	start("");
	memif_clear(&lan);
	command("ifconfig mem0 inet6 ifdisabled");
	pass_s(1000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 0);
	command("ifconfig mem0 inet6 -ifdisabled");
	pass_s(40);
	assert_in_range(count_icmp6(&lan, ND_ROUTER_ADVERT_), 3, 4);
}

static void
test_an_interface_that_leaves_advertises_no_more(void **state)
{
	(void)state;
	command("ifconfig epair7 create");
	command("ifconfig epair7a inet6 2001:db8:9::1 prefixlen 64 up");
	command("ifconfig epair7b up");
	command("rtadvd start epair7a");
	pass_s(5);
	command("ifconfig epair7a destroy");
	pass_s(5);
}

/* --- other routers ---------------------------------------------------------------------------- */

struct logged {
	unsigned n;
	char line[256];
};

static void
take_line(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	struct logged *l = ctx;

	(void)level, (void)now_ns, (void)who;
	l->n++;
	snprintf(l->line, sizeof(l->line), "%s", line);
}

static void
test_a_router_that_contradicts_us_is_logged_once_a_minute(void **state)
{
	struct logged log = { 0 };

	(void)state;
	start("");
	log_set_sink(take_line, &log);
	receive6(router_advert("fe80::2", 64, 0, 9000, 0, 0));
	receive6(with_prefix(router_advert("fe80::2", 0, 0, 0, 5, 5), "2001:db8::", 64, PI_L | PI_A,
	    2592000, 604800));
	receive6(with_prefix(
	    router_advert("fe80::2", 0, 0, 0, 0, 0), "2001:db8:4::", 64, PI_L | PI_A, 1, 1));
	assert_int_equal(log.n, 0);
	receive6(with_prefix(
	    router_advert("fe80::2", 0, 0, 0, 0, 0), "2001:db8::", 64, PI_L | PI_A, 3600, 604));
	assert_int_equal(log.n, 1);
	assert_string_equal(log.line,
	    "rtadvd: mem0: router fe80::2%mem0 advertises valid lifetime of 2001:db8::/64 3600, we advertise 2592000");
	for (int i = 0; i < 1000; i++)
		receive6(router_advert("fe80::2", 63, 0, 9000, 0, 0));
	assert_int_equal(log.n, 1);
	assert_int_equal(V_rtadvstat.inconsistent, 1001);
	pass_s(61);
	receive6(router_advert("fe80::2", 0, ND_RA_MANAGED, 9000, 0, 0));
	log_set_sink(NULL, NULL);
	assert_int_equal(log.n, 2);
	assert_string_equal(log.line,
	    "rtadvd: mem0: router fe80::2%mem0 advertises managed flag 1, we advertise 0");
}

/* --- words ------------------------------------------------------------------------------------ */

static void
test_words_that_are_wrong_change_nothing(void **state)
{
	static const struct {
		const char *words;
		int status;
		const char *says;
	} cases[] = {
		{ "rtadvd start", 64, "usage" },
		{ "rtadvd begin mem0", 64, "usage" },
		{ "rtadvd start em7", 1, "rtadvd: interface em7 does not exist\n" },
		{ "rtadvd start lo0", 1, "can't reach a group" },
		{ "rtadvd start mem0 often", 64, "rtadvd: mem0: often: no such word\n" },
		{ "rtadvd start mem0 maxinterval 600", 64,
		    "rtadvd: mem0: maxinterval 600: not a whole time from 4s to 1800s\n" },
		{ "rtadvd start mem0 maxinterval 1500ms", 64, "not a whole time" },
		{ "rtadvd start mem0 maxinterval 3s", 64, "not a whole time" },
		{ "rtadvd start mem0 maxinterval", 64, "a value is missing" },
		{ "rtadvd start mem0 mininterval 2s", 64, "not a whole time" },
		{ "rtadvd start mem0 maxinterval 10s mininterval 8s", 64, "three quarters" },
		{ "rtadvd start mem0 maxinterval 100s lifetime 99s", 64, "shorter than" },
		{ "rtadvd start mem0 lifetime 9001s", 64, "not a whole time" },
		{ "rtadvd start mem0 hoplimit 256", 64, "not a number from 0 to 255" },
		{ "rtadvd start mem0 reachable 3601s", 64, "not a whole time" },
		{ "rtadvd start mem0 mtu 1279", 64, "not a number" },
		{ "rtadvd start mem0 mtu 1501", 64, "the interface has 1500" },
		{ "rtadvd start mem0 preference best", 64, "not high, medium or low" },
		{ "rtadvd start mem0 prefix 2001:db8::", 64, "not a prefix" },
		{ "rtadvd start mem0 prefix 2001:db8::/129", 64, "not a prefix" },
		{ "rtadvd start mem0 prefix fe80::/64", 64, "not a prefix" },
		{ "rtadvd start mem0 prefix ff02::/16", 64, "not a prefix" },
		{ "rtadvd start mem0 prefix 10.0.0.0/8", 64, "not a prefix" },
		{ "rtadvd start mem0 prefix 2001:db8::/64 valid 1h preferred 2h", 64, "longer" },
		{ "rtadvd start mem0 prefix 2001:db8::/64 valid ever", 64, "not a whole time" },
		{ "rtadvd start mem0 route 2001:db8::/64 preference", 64, "missing" },
		{ "rtadvd start mem0 rdnss 2001:db8::1,", 64, "not addresses" },
		{ "rtadvd start mem0 rdnss 10.0.0.1", 64, "not addresses" },
		{ "rtadvd start mem0 dnssl .", 64, "not domains" },
		{ "rtadvd start mem0 dnssl a..b", 64, "not domains" },
		{ "rtadvd stop mem0", 1, "rtadvd: mem0: does not advertise\n" },
		{ "rtadvd stop em7", 1, "does not exist" },
		{ "rtadvd show mem0", 1, "does not advertise" },
		{ "rtadvd show em7", 1, "does not exist" },
		{ "rtadvd show mem0 mem0", 64, "usage" },
	};
	struct rtadv_info info;
	struct tool t;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = tool(&t, NULL, cases[i].words);

		if (status != cases[i].status || strstr(t.err, cases[i].says) == NULL)
			fail_msg("%s: %d, %s", cases[i].words, status, t.err);
		assert_false(rtadvd_info(lan.ifp, &info));
	}
}

static void
test_show_says_what_is_said(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "rtadvd show"), 0);
	assert_string_equal(t.out, "");
	start("mtu 1400 managed prefix 2001:db8:6::/64 valid infinite preferred 1h noonlink "
	      "route 2001:db8:8::/48 preference high rdnss 2001:db8::53,2001:db8::54 "
	      "dnssl example.org,lab.example.net lifetime 1h");
	assert_int_equal(tool(&t, NULL, "rtadvd show mem0"), 0);
	*strstr(t.out, ", next") = '\0';
	assert_string_equal(t.out,
	    "mem0: maxinterval 600s mininterval 200s lifetime 1800s hoplimit 64 mtu 1400 managed preference medium\n"
	    "\tprefix 2001:db8::/64 valid 2592000s preferred 604800s\n"
	    "\tprefix 2001:db8:6::/64 valid infinite preferred 3600s noonlink\n"
	    "\troute 2001:db8:8::/48 lifetime 1800s preference high\n"
	    "\trdnss 2001:db8::53,2001:db8::54 lifetime 1800s\n"
	    "\tdnssl example.org,lab.example.net lifetime 3600s\n"
	    "\tsent 1, solicitations 0");
	tool_start(&t, NULL, "rtadvd show", true);
	assert_non_null(strstr(t.out, "\"prefixes\":[{\"prefix\":\"2001:db8:6::/64\""));
	assert_non_null(strstr(t.out, "\"servers\":[\"2001:db8::53\",\"2001:db8::54\"]"));
	assert_non_null(strstr(t.out, "\"domains\":[\"example.org\",\"lab.example.net\"]"));
	command("sysctl net.inet6.ip6.forwarding=0");
	assert_int_equal(tool(&t, NULL, "rtadvd show"), 0);
	assert_non_null(strstr(t.out, "\tno default router: net.inet6.ip6.forwarding is 0\n"));
}

static void
test_start_again_replaces_all_that_was_said(void **state)
{
	(void)state;
	start("managed prefix 2001:db8:6::/64 hoplimit 17");
	memif_clear(&lan);
	command("rtadvd start mem0 noprefix");
	pass_s(4);
	assert_int_equal(sent_advert(0)->flags, 0);
	assert_int_equal(sent_advert(0)->hlim, 64);
	assert_int_equal(from_be32(sent_prefix(0, "2001:db8:6::")->vltime_s), 0);
	assert_int_equal(from_be32(sent_prefix(0, "2001:db8::")->vltime_s), 0);
}

static void
test_no_memory_leaves_nothing_behind(void **state)
{
	struct tool t;

	(void)state;
	for (unsigned n = 1;; n++) {
		bool pending;

		vnet_malloc_fail_at(n);
		tool(&t, NULL, "rtadvd start mem0 prefix 2001:db8:6::/64");
		pending = vnet_malloc_fail_pending();
		vnet_malloc_fail_at(0);
		if (pending)
			break;
		if (t.status != 0)
			assert_null(in6_if_of(lan.ifp)->rtadv);
		else
			command("rtadvd stop mem0");
	}
	command("rtadvd stop mem0");
}

/* --- hosts that listen ------------------------------------------------------------------------ */

static void
router_and_host(void)
{
	command("jail -c name=r vnet persist");
	command("jail -c name=h vnet persist");
	command("ifconfig epair1 create");
	command("ifconfig epair1a vnet r");
	command("ifconfig epair1b vnet h");
	command_in("r", "sysctl net.inet6.ip6.forwarding=1");
	command_in("r", "ifconfig epair1a inet6 2001:db8:1::1 prefixlen 64 up");
	command_in("r", "ifconfig lo0 inet6 2001:db8:ff::1 prefixlen 128");
	command_in("h", "ifconfig epair1b inet6 accept_rtadv up");
}

static void
test_a_host_configures_itself_and_reaches_the_world(void **state)
{
	struct tool t;

	(void)state;
	router_and_host();
	command_in("r", "rtadvd start epair1a mtu 1400 hoplimit 33");
	pass_s(10);
	tool(&t, "h", "ifconfig epair1b");
	assert_non_null(strstr(t.out, "inet6 2001:db8:1:"));
	assert_non_null(strstr(t.out, "autoconf"));
	assert_int_equal(tool(&t, "h", "ping6 -c 1 2001:db8:ff::1"), 0);
	tool(&t, "h", "ndp -rn");
	assert_non_null(strstr(t.out, "if=epair1b, flags=, pref=medium, expire=29m"));
	tool(&t, "h", "ndp -i epair1b");
	assert_non_null(strstr(t.out, "linkmtu=1400"));
	assert_non_null(strstr(t.out, "curhlim=33"));
	tool(&t, "h", "netstat -rn -f inet6");
	assert_non_null(strstr(t.out, "default"));
	/* the router ends: so does the way */
	command_in("r", "rtadvd stop epair1a");
	pass_s(1);
	assert_int_not_equal(tool(&t, "h", "ping6 -c 1 -t 2 2001:db8:ff::1"), 0);
	tool(&t, "h", "ndp -rn");
	assert_string_equal(t.out, "");
}

static void
test_a_host_that_comes_later_asks_and_is_answered(void **state)
{
	struct tool t;

	(void)state;
	router_and_host();
	command_in("r", "rtadvd start epair1a");
	command_in("h", "ifconfig epair1b down");
	pass_s(100);
	command_in("h", "ifconfig epair1b up");
	/* its own duplicate detection, its delay, and the router's */
	pass_s(4);
	assert_int_equal(tool(&t, "h", "ndp -rn"), 0);
	assert_non_null(strstr(t.out, "if=epair1b"));
	assert_int_equal(tool(&t, "h", "rtsol epair1b"), 0);
}

static void
test_a_renumbered_network_moves_its_hosts(void **state)
{
	struct tool t;

	(void)state;
	router_and_host();
	command_in("r", "rtadvd start epair1a");
	pass_s(10);
	command_in("r", "ifconfig epair1a inet6 2001:db8:1::1 delete");
	command_in("r", "ifconfig epair1a inet6 2001:db8:2::1 prefixlen 64");
	pass_s(10);
	tool(&t, "h", "ifconfig epair1b");
	assert_non_null(strstr(t.out, "inet6 2001:db8:2:"));
	assert_non_null(strstr(strstr(t.out, "inet6 2001:db8:1:"), "deprecated"));
	pass_s(7201);
	tool(&t, "h", "ifconfig epair1b");
	assert_null(strstr(t.out, "inet6 2001:db8:1:"));
	assert_int_equal(tool(&t, "h", "ping6 -c 1 2001:db8:ff::1"), 0);
}

/* --- a hub: several stacks on one link -------------------------------------------------------- */

enum { HUB_PORTS = 3 };
struct hub_port {
	struct memif mi;
	bool cut;
};

/* What each port has sent goes to all others. */
static bool
hub_carry(struct hub_port *port)
{
	bool any = false;
	struct mbuf *m;

	for (unsigned from = 0; from < HUB_PORTS; from++)
		while ((m = mbufq_pop(&port[from].mi.sent)) != NULL) {
			any = true;
			for (unsigned to = 0; to < HUB_PORTS; to++) {
				struct mbuf *copy;

				if (to == from || port[to].cut || port[from].cut)
					continue;
				copy = m_dup(m);
				copy->rcvif = NULL;
				copy->nh = NULL;
				copy->flags = 0;
				memif_receive(&port[to].mi, copy);
				while (netisr_run())
					continue;
			}
			m_free(m);
		}
	return any;
}

static void
hub_pass(struct hub_port *port, uint64_t s)
{
	uint64_t until = clock_now() + s * NS_PER_SEC;

	while (clock_now() < until) {
		sched_run(clock_now() + 50 * NS_PER_MS);
		while (hub_carry(port))
			continue;
	}
}

static const char *const hub_names[HUB_PORTS] = { "h", "r1", "r2" };

static void
hub_open(struct hub_port *port)
{
	char line[128];

	for (unsigned i = 0; i < HUB_PORTS; i++) {
		snprintf(line, sizeof(line), "jail -c name=%s vnet persist", hub_names[i]);
		command(line);
		VNET_SCOPE(vnet_of(hub_names[i]));
		memif_open(&port[i].mi, (int)i + 3);
		port[i].cut = false;
	}
	for (unsigned i = 1; i < HUB_PORTS; i++) {
		command_in(hub_names[i], "sysctl net.inet6.ip6.forwarding=1");
		command_in(hub_names[i], "ifconfig lo0 inet6 2001:db8:ff::1 prefixlen 128");
		snprintf(line, sizeof(line), "ifconfig mem%u inet6 2001:db8:%u::1 prefixlen 64 up",
		    i + 3, i);
		command_in(hub_names[i], line);
	}
	command_in("h", "ifconfig mem3 inet6 accept_rtadv up");
}

static void
hub_close(struct hub_port *port)
{
	for (unsigned i = 0; i < HUB_PORTS; i++) {
		VNET_SCOPE(vnet_of(hub_names[i]));
		memif_close(&port[i].mi);
	}
}

/* Echo requests to the far address, one a second; how many were answered. */
static unsigned
hub_ping(struct hub_port *port, unsigned n)
{
	struct tool t;
	char line[64];
	unsigned replies = 0;

	snprintf(line, sizeof(line), "ping6 -c %u -x 900 2001:db8:ff::1", n);
	tool_start(&t, "h", line, false);
	for (unsigned i = 0; i < n + 30 && !t.done; i++)
		hub_pass(port, 1);
	assert_true(t.done);
	assert_string_equal(t.err, "");
	for (const char *p = t.out; (p = strstr(p, "icmp_seq=")) != NULL; p++)
		replies++;
	return replies;
}

static bool
hub_default_is(const char *router)
{
	struct tool t;

	tool(&t, "h", "netstat -rn -f inet6");
	for (char *line = strtok(t.out, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strncmp(line, "default", 7) == 0)
			return strstr(line, router) != NULL;
	return false;
}

static void
test_of_two_routers_the_preferred_one_is_used_and_its_death_healed(void **state)
{
	struct hub_port port[HUB_PORTS];
	struct tool t;

	(void)state;
	hub_open(port);
	command_in("r1", "rtadvd start mem4 preference high");
	command_in("r2", "rtadvd start mem5");
	hub_pass(port, 10);
	assert_true(hub_default_is("fe80::ff:fe00:105%mem3"));
	tool(&t, "h", "ifconfig mem3");
	assert_non_null(strstr(t.out, "inet6 2001:db8:1:"));
	assert_non_null(strstr(t.out, "inet6 2001:db8:2:"));
	assert_int_equal(hub_ping(port, 5), 5);
	/* the cable breaks: the host finds out, the other one takes over */
	port[1].cut = true;
	assert_in_range(hub_ping(port, 60), 10, 59);
	assert_true(hub_default_is("fe80::ff:fe00:106%mem3"));
	assert_int_equal(hub_ping(port, 5), 5);
	tool(&t, "h", "ndp -rn");
	assert_non_null(strstr(t.out, "fe80::ff:fe00:105%mem3"));
	/* and back again with the router's next advertisement */
	port[1].cut = false;
	hub_pass(port, 601);
	assert_true(hub_default_is("fe80::ff:fe00:105%mem3"));
	assert_int_equal(hub_ping(port, 5), 5);
	hub_close(port);
}

static void
test_a_router_that_stops_forwarding_leaves_its_hosts_to_the_other(void **state)
{
	struct hub_port port[HUB_PORTS];

	(void)state;
	hub_open(port);
	command_in("r1", "rtadvd start mem4 preference high");
	command_in("r2", "rtadvd start mem5");
	hub_pass(port, 10);
	assert_true(hub_default_is("fe80::ff:fe00:105%mem3"));
	command_in("r1", "sysctl net.inet6.ip6.forwarding=0");
	hub_pass(port, 5);
	assert_true(hub_default_is("fe80::ff:fe00:106%mem3"));
	assert_int_equal(hub_ping(port, 3), 3);
	hub_close(port);
}

/* When the router speaks next after 2,000 s, from its beginning on. */
static uint64_t
next_after_a_while(void)
{
	uint64_t before = clock_now();
	struct rtadv_info info;

	router_and_host();
	command_in("r", "rtadvd start epair1a");
	pass_s(2000);
	{
		VNET_SCOPE(vnet_of("r"));
		assert_true(rtadvd_info(if_byname("epair1a"), &info));
	}
	command("jail -r all");
	command("ifconfig epair1a destroy");
	return info.next_ns - before;
}

static void
test_the_same_seed_gives_the_same_times(void **state)
{
	uint64_t first = next_after_a_while();

	(void)state;
	assert_int_equal(next_after_a_while(), first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROUTER_TEST(test_an_advertisement_says_what_a_router_is),
		ROUTER_TEST(test_every_word_stands_in_the_advertisement),
		ROUTER_TEST(test_who_does_not_forward_is_no_default_router),
		ROUTER_TEST(test_the_last_word_is_lifetime_0),
		ROUTER_TEST(test_a_prefix_that_is_no_more_is_withdrawn_three_times),
		ROUTER_TEST(test_what_is_too_long_for_the_link_goes_out_in_pieces),
		ROUTER_TEST(test_the_first_three_come_soon_the_others_by_chance),
		ROUTER_TEST(test_who_asks_is_answered_within_half_a_second),
		ROUTER_TEST(test_a_flood_of_solicitations_gets_an_answer_every_three_seconds),
		ROUTER_TEST(test_bad_solicitations_are_dropped_and_counted),
		ROUTER_TEST(test_advertising_begins_when_the_link_local_address_is_ready),
		ROUTER_TEST(test_a_link_that_comes_back_is_told_at_once),
		ROUTER_TEST(test_a_disabled_interface_is_silent_until_it_is_enabled),
		ROUTER_TEST(test_an_interface_that_leaves_advertises_no_more),
		ROUTER_TEST(test_a_router_that_contradicts_us_is_logged_once_a_minute),
		ROUTER_TEST(test_words_that_are_wrong_change_nothing),
		ROUTER_TEST(test_show_says_what_is_said),
		ROUTER_TEST(test_start_again_replaces_all_that_was_said),
		ROUTER_TEST(test_no_memory_leaves_nothing_behind),
		ROUTER_TEST(test_a_host_configures_itself_and_reaches_the_world),
		ROUTER_TEST(test_a_host_that_comes_later_asks_and_is_answered),
		ROUTER_TEST(test_a_renumbered_network_moves_its_hosts),
		ROUTER_TEST(test_of_two_routers_the_preferred_one_is_used_and_its_death_healed),
		ROUTER_TEST(test_a_router_that_stops_forwarding_leaves_its_hosts_to_the_other),
		ROUTER_TEST(test_the_same_seed_gives_the_same_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
