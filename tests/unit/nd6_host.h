/*
 * nd6_host.h - tests of what a host learns from advertisements: a host that believes them, and
 * forged ones that come in by its interface in memory.
 */
#ifndef WARREN_TESTS_UNIT_ND6_HOST_H
#define WARREN_TESTS_UNIT_ND6_HOST_H

#include "nd6_frames.h"

#include "base/log.h"
#include "inet6/nd6_rtr.h"

enum { HOUR_S = 3600 };

static inline void
be_quiet(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

/* The fixture's host, which believes advertisements from now on. */
static inline int
host_setup(void **state)
{
	if (inet6_setup(state) != 0)
		return -1;
	log_set_sink(be_quiet, NULL);
	command("ifconfig mem0 inet6 accept_rtadv");
	settle6();
	return 0;
}

static inline int
host_teardown(void **state)
{
	log_set_sink(NULL, NULL);
	return inet6_teardown(state);
}
#define HOST_TEST(fn) cmocka_unit_test_setup_teardown(fn, host_setup, host_teardown)

/* An advertisement that makes its sender a default router for so long. */
static inline struct mbuf *
advertisement(const char *from, uint16_t lifetime_s)
{
	return with_lladdr(
	    router_advert(from, 0, 0, lifetime_s, 0, 0), ND_OPT_SOURCE_LL, other_mac);
}

static inline struct mbuf *
preferring(const char *from, uint8_t flags, uint16_t lifetime_s)
{
	return with_lladdr(
	    router_advert(from, 0, flags, lifetime_s, 0, 0), ND_OPT_SOURCE_LL, other_mac);
}

static inline struct rtentry *
entry(const char *dst, unsigned plen)
{
	struct in6 a = a6(dst);
	struct rt_addr to = rt_addr_make(AF_INET6, &a, plen);

	return rib_exact(0, &to);
}

/* Packets to anywhere go to this router; NULL = nowhere. */
static inline void
assert_default(const char *router)
{
	struct rtentry *rt = entry("::", 0);
	struct in6 gw;

	if (router == NULL) {
		assert_null(rt);
		return;
	}
	assert_non_null(rt);
	assert_true(rt->nh.flags & RTF_GATEWAY_);
	memcpy(&gw, rt->gateway.addr, sizeof(gw));
	in6_clear(&gw);
	assert_in6(&gw, router);
}

static inline struct in6_ifaddr *
address_of(const char *text)
{
	struct in6 a = a6(text);

	return in6_ifaddr_exact(lan.ifp, &a);
}

/* What autoconfiguration makes of fe80::1 and these prefixes. */
#define made "2001:db8:77::1"
#define made2 "2001:db8:88::1"

/* Seconds for which it is valid; 0 = it is not there. */
static inline uint64_t
valid_s(const char *text)
{
	struct in6_ifaddr *ia = address_of(text);

	return ia == NULL ? 0 : (ia->expire_ns - clock_now()) / NS_PER_SEC;
}

static inline void
pass_s(uint64_t s)
{
	sched_run(clock_now() + s * NS_PER_SEC);
}

static inline unsigned
count_prefixes(void)
{
	const struct nd6_prefix *pr;
	unsigned n = 0;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		n++;
	return n;
}

static inline unsigned
count_routers(void)
{
	const struct nd6_router *r;
	unsigned n = 0;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		n++;
	return n;
}

static inline unsigned
count_autoconf(void)
{
	struct in6_ifaddr *ia = NULL;
	unsigned n = 0;

	while ((ia = in6_ifaddr_next(lan.ifp, ia)) != NULL)
		n += (ia->flags & IN6_IFF_AUTOCONF) != 0;
	return n;
}

static inline void
zone(struct in6 *a)
{
	in6_embed(a, lan.ifp->if_index);
}

static inline struct mbuf *
with_route(
    struct mbuf *m, const char *dst, uint8_t plen, uint8_t flags, uint32_t lifetime_s, uint8_t len)
{
	struct {
		uint8_t type, len, plen, flags;
		be32 lifetime;
		struct in6 dst;
	} option = { ND_OPT_ROUTE, len, plen, flags, to_be32(lifetime_s), wire6(dst) };

	return with_nd_option(m, &option, len * 8u);
}

static inline void
say(const char *prefix, uint8_t flags, uint32_t valid, uint32_t preferred)
{
	receive6(with_prefix(advertisement("fe80::99", 9000), prefix, 64, flags, valid, preferred));
}

#endif
