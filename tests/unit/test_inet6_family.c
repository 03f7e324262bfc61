/*
 * Unit tests of IPv6 as a family (inet6/inet6_family.c).
 */
#include "inet6_fixture.h"

#include <errno.h>

static struct ipaddr
ip(const char *text)
{
	const struct in6 addr = a6(text);

	return ipaddr6(&addr);
}

static const struct ip_family *
inet6(void)
{
	const struct ip_family *f = ip_family(AF_INET6);

	assert_non_null(f);
	return f;
}

static void
test_the_pseudo_header_has_no_zones(void **state)
{
	struct ipaddr a = ip("fe80::1%mem0"), b = ip("ff02::1%mem0");
	struct ipaddr bare_a = ip("fe80::1"), bare_b = ip("ff02::1");

	(void)state;
	assert_int_equal(cksum_fold(inet6()->pseudo_sum(&a, &b, 58, 70000)),
	    cksum_fold(inet6()->pseudo_sum(&bare_a, &bare_b, 58, 70000)));
}

static void
test_the_pseudo_header_is_summed_as_rfc_8200_draws_it(void **state)
{
	struct ipaddr a = ip("2001:db8::1"), b = ip("2001:db8:ffff::fffe");
	uint8_t drawn[40] = { [39] = 17 };
	const be32 len = to_be32(0x10203);

	(void)state;
	memcpy(drawn, a.b, 16);
	memcpy(drawn + 16, b.b, 16);
	memcpy(drawn + 32, &len, 4);
	assert_int_equal(cksum_fold(inet6()->pseudo_sum(&a, &b, 17, 0x10203)),
	    cksum_fold(cksum_add(0, drawn, sizeof(drawn))));
}

static void
test_a_tentative_address_is_not_ours_yet(void **state)
{
	struct ipaddr ours = ip("2001:db8::1"), tentative = ip("2001:db8::5"),
		      strange = ip("2001:db8::2");

	(void)state;
	assert_true(inet6()->is_ours(&ours));
	assert_false(inet6()->is_ours(&strange));
	command("ifconfig mem0 inet6 2001:db8::5/64");
	assert_false(inet6()->is_ours(&tentative));
	settle6();
	assert_true(inet6()->is_ours(&tentative));
}

static void
test_a_link_local_address_is_ours_in_its_zone_only(void **state)
{
	struct ipaddr a = ip("fe80::1%mem0"), bare = ip("fe80::1");

	(void)state;
	assert_true(inet6()->is_ours(&a));
	assert_false(inet6()->is_ours(&bare));
}

static void
test_a_source_is_found_by_route_by_zone_or_by_interface(void **state)
{
	struct ipaddr src, near = ip("2001:db8::9"), far = ip("2001:db8:7::7"),
			   local = ip("fe80::9%mem0"), group = ip("ff0e::9");

	(void)state;
	assert_int_equal(inet6()->source_for(0, NULL, &near, &src), 0);
	assert_in6(ipaddr_in6(&src), "2001:db8::1");
	assert_int_equal(inet6()->source_for(0, NULL, &local, &src), 0);
	assert_int_equal(in6_zone(ipaddr_in6(&src)), lan.ifp->if_index);
	assert_int_equal(inet6()->source_for(0, lan.ifp, &group, &src), 0);
	assert_in6(ipaddr_in6(&src), "2001:db8::1");
	assert_int_equal(inet6()->source_for(0, NULL, &far, &src), -EHOSTUNREACH);
	command("route -6 add default fe80::2%mem0");
	assert_int_equal(inet6()->source_for(0, NULL, &far, &src), 0);
}

static void
test_a_way_without_a_ready_address_is_another_error_than_no_way(void **state)
{
	struct ipaddr src, near = ip("2001:db8::9");

	(void)state;
	command("ifconfig mem0 inet6 2001:db8::1 delete");
	command("ifconfig mem0 inet6 ifdisabled");
	command("route -6 add 2001:db8::/64 -iface mem0");
	assert_int_equal(inet6()->source_for(0, NULL, &near, &src), -EADDRNOTAVAIL);
}

/* RFC 4291 2.5.5.2: it is an IPv4 address in a program; a packet would come from nowhere. */
static void
test_a_mapped_address_is_sent_to_by_nobody(void **state)
{
	struct ipaddr src, mapped = ip("::ffff:10.0.0.1");

	(void)state;
	command("route -6 add default fe80::2%mem0");
	assert_int_equal(inet6()->source_for(0, NULL, &mapped, &src), -EHOSTUNREACH);
}

static void
test_a_classic_jail_has_its_own_addresses_only(void **state)
{
	struct ipaddr its = ip("2001:db8::5"), other = ip("2001:db8::1"), any = ip("::"), first;
	const struct prison *pr;

	(void)state;
	command("jail -c name=j persist ip6.addr=2001:db8::5");
	pr = prison_find(&prison0, "j");
	assert_true(inet6()->prison_ok(pr, &its));
	assert_false(inet6()->prison_ok(pr, &other));
	assert_false(inet6()->prison_ok(pr, &any));
	assert_true(inet6()->prison_first(pr, &first));
	assert_true(ipaddr_equal(&first, &its));
	assert_true(inet6()->prison_ok(&prison0, &other));
	assert_false(inet6()->prison_first(&prison0, &first));
}

static void
test_an_error_quotes_whose_packet_it_is_about(void **state)
{
	struct mbuf *m = message6("fe80::2", "fe80::1", ICMP6_TIME_EXCEEDED_, 0, 60),
		    *inner = packet6("fe80::1", "fe80::9", IPPROTO_UDP_, 20);
	struct ipaddr src = ip("fe80::1%mem0"), dst = ip("fe80::9%mem0");
	struct ip_quoted q;

	(void)state;
	memcpy(m->data + IP6_HDRLEN + 8, inner->data, 60);
	m_free(inner);
	m->rcvif = lan.ifp;
	assert_true(inet6()->quoted(m, IP6_HDRLEN, &q));
	assert_true(ipaddr_equal(&q.src, &src));
	assert_true(ipaddr_equal(&q.dst, &dst));
	assert_int_equal(q.proto, IPPROTO_UDP_);
	assert_int_equal(q.upper, IP6_HDRLEN + 8 + IP6_HDRLEN);
	m_trim(m, IP6_HDRLEN + 8 + IP6_HDRLEN + 7); /* its ports are no longer there */
	assert_false(inet6()->quoted(m, IP6_HDRLEN, &q));
	m->data[IP6_HDRLEN] = ICMP6_ECHO_REPLY_;
	assert_false(inet6()->quoted(m, IP6_HDRLEN, &q));
	m_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_the_pseudo_header_has_no_zones),
		INET6_TEST(test_the_pseudo_header_is_summed_as_rfc_8200_draws_it),
		INET6_TEST(test_a_tentative_address_is_not_ours_yet),
		INET6_TEST(test_a_link_local_address_is_ours_in_its_zone_only),
		INET6_TEST(test_a_source_is_found_by_route_by_zone_or_by_interface),
		INET6_TEST(test_a_way_without_a_ready_address_is_another_error_than_no_way),
		INET6_TEST(test_a_mapped_address_is_sent_to_by_nobody),
		INET6_TEST(test_a_classic_jail_has_its_own_addresses_only),
		INET6_TEST(test_an_error_quotes_whose_packet_it_is_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
