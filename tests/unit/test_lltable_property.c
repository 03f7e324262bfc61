/*
 * Neighbours of both families through random operations (behaviours 10): whatever makes, refreshes,
 * caches and ends entries in whatever order, each has exactly the references that can be seen, and
 * when all is gone nothing is left.
 *
 *	host: epair0a 10.7.0.1, 2001:db8:7::1 ---- epair0b: jail b 10.7.0.2-5, 2001:db8:7::2-5
 *
 * Hosts 6 to 9 are nobody. Routes to 10.(100 + h).0.0/16 and 2001:db8:h00::/40 lead through host h.
 */
#include "inet6_fixture.h"

#include "base/log.h"
#include "base/rng.h"
#include "inet/arp_internal.h"
#include "inet6/nd6_internal.h"
#include "net/epair.h"

enum { OPERATIONS = 10000, FIRST_HOST = 2, LIVING = 4, HOSTS = 8 };

static struct rng rng;

/* What the operations came to, so that none of them is idle by mistake. */
static struct {
	uint32_t most[2]; /* entries of a family in a table */
	uint32_t by_routes, by_hand, deleted_but_held;
} seen;

static void
log_nothing(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

/* True once in n times. */
static bool
once_in(unsigned n)
{
	return rng_below(&rng, n) == 0;
}

static unsigned
some_host(void)
{
	return FIRST_HOST + (unsigned)rng_below(&rng, HOSTS);
}

/* Run what may be refused: a route that is there, an entry that isn't. */
static void
attempt(const char *jail, const char *fmt, ...)
{
	char line[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	verb_line(jail != NULL ? prison_find(&prison0, jail) : NULL, line, false, NULL, NULL);
}

static struct in6
host_in6(unsigned host)
{
	char text[32];

	snprintf(text, sizeof(text), "2001:db8:7::%u", host);
	return a6(text);
}

static struct in_addr
host_in(unsigned host)
{
	char text[32];
	struct in_addr addr;

	snprintf(text, sizeof(text), "10.7.0.%u", host);
	addr.s_addr = a4(text);
	return addr;
}

/* --- the two stacks ----------------------------------------------------------------------------- */

static void
addresses_of_a(void)
{
	attempt(NULL, "ifconfig epair0a inet 10.7.0.1/24 alias");
	attempt(NULL, "ifconfig epair0a inet6 2001:db8:7::1/64 alias");
}

static void
link_up(void)
{
	char line[96];

	command("ifconfig epair0 create");
	command("ifconfig epair0b vnet b");
	addresses_of_a();
	command("ifconfig epair0a up");
	for (unsigned h = FIRST_HOST; h < FIRST_HOST + LIVING; h++) {
		snprintf(line, sizeof(line), "ifconfig epair0b inet 10.7.0.%u/24 alias", h);
		command_in("b", line);
		snprintf(line, sizeof(line), "ifconfig epair0b inet6 2001:db8:7::%u/64 alias", h);
		command_in("b", line);
	}
}

static void
stack_up(void)
{
	command("jail -c name=b vnet persist");
	command_in("b", "sysctl net.inet6.ip6.dad_count=0");
}

/* --- operations --------------------------------------------------------------------------------- */

static void
send_to(struct vnet *vnet, uint32_t dst4, const struct in6 *dst6)
{
	VNET_SCOPE(vnet);

	if (once_in(2))
		(void)ip_output(m_get(8), 0, dst4, 200, NULL);
	else
		(void)ip6_output(m_get(8), &in6_any_, dst6, 200, NULL);
}

static void
traffic(void)
{
	unsigned host = some_host();
	struct in6 dst6 = host_in6(host);

	send_to(vnet0, host_in(host).s_addr, &dst6);
}

static void
traffic_of_b(void)
{
	struct in6 dst6 = host_in6(1);

	send_to(vnet_of("b"), host_in(1).s_addr, &dst6);
}

static void
traffic_by_gateway(void)
{
	unsigned host = some_host();
	char text[32];
	struct in6 dst6;

	snprintf(text, sizeof(text), "2001:db8:%u00::1", host);
	dst6 = a6(text);
	snprintf(text, sizeof(text), "10.%u.0.1", 100 + host);
	send_to(vnet0, a4(text), &dst6);
}

static void
route_change(void)
{
	unsigned host = some_host();
	const char *what = once_in(2) ? "add" : "delete";

	attempt(NULL, "route %s 10.%u.0.0/16 10.7.0.%u", what, 100 + host, host);
	attempt(NULL, "route %s -6 2001:db8:%u00::/40 2001:db8:7::%u", what, host, host);
}

/* A host says something, or somebody says it in its name. */
static void
heard(void)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 7, (uint8_t)rng_below(&rng, 2) };
	struct ifnet *ifp = if_byname("epair0a");
	unsigned host = some_host();
	struct in6 addr = host_in6(host);
	struct llentry *lle;

	if (ifp == NULL)
		return;
	if (once_in(2)) {
		struct arp_packet body = { .sip = host_in(host).s_addr, .tip = host_in(1).s_addr };
		struct ifnet *peer = epair_peer(ifp);
		struct vnet *vnet = peer->if_vnet;
		VNET_SCOPE(vnet);

		memcpy(body.sha, mac, 6);
		arp_send(peer, once_in(2) ? ARP_REQUEST : ARP_REPLY, ether_broadcast, &body);
		return;
	}
	lle = nd6_heard(ifp, &addr, once_in(4) ? NULL : mac,
	    once_in(2) ? ND6_FROM_NS : ND6_FROM_REDIRECT, once_in(2));
	if (lle != NULL && once_in(2))
		nd6_advertised(lle,
		    &(struct nd6_advert){ .lladdr = once_in(3) ? NULL : mac,
			.router = once_in(2),
			.solicited = once_in(2),
			.override = once_in(2) });
}

static void
delete_entry(void)
{
	unsigned host = some_host();

	attempt(NULL, "arp -d 10.7.0.%u", host);
	attempt(NULL, "ndp -d 2001:db8:7::%u", host);
	if (once_in(20))
		attempt(NULL, "arp -d -a");
	if (once_in(20))
		attempt(NULL, "ndp -c");
}

static void
entry_by_hand(void)
{
	unsigned host = some_host();
	const char *temp = once_in(2) ? " temp" : "";

	attempt(NULL, "arp -s 10.7.0.%u 02:00:00:00:08:%02x%s%s", host, host, temp,
	    once_in(3) ? " pub" : "");
	attempt(NULL, "ndp -s 2001:db8:7::%u 02:00:00:00:08:%02x%s%s", host, host, temp,
	    once_in(3) ? " proxy" : "");
}

static void
time_passes(void)
{
	uint64_t most = once_in(10) ? 100000 : once_in(3) ? 2000 : 10;

	sched_run(clock_now() + rng_below(&rng, most * NS_PER_SEC));
}

static void
address_leaves_or_comes(void)
{
	if (!once_in(4))
		addresses_of_a();
	else if (once_in(2))
		attempt(NULL, "ifconfig epair0a inet 10.7.0.1 -alias");
	else
		attempt(NULL, "ifconfig epair0a inet6 2001:db8:7::1 -alias");
}

static void
interface_ends(void)
{
	if (!once_in(10))
		return;
	command("ifconfig epair0a destroy");
	link_up();
}

static void
stack_ends(void)
{
	if (!once_in(10))
		return;
	/* with its end of the link, or without */
	if (once_in(2))
		command("ifconfig epair0a destroy");
	command("jail -r b");
	attempt(NULL, "ifconfig epair0a destroy");
	stack_up();
	link_up();
}

static void
limit_moves(void)
{
	unsigned limit = 1 + (unsigned)rng_below(&rng, 12);

	attempt(NULL, "sysctl net.link.ether.inet.maxentries=%u", limit);
	attempt(NULL, "sysctl net.inet6.ip6.nd6_maxentries=%u", limit);
}

static void
interface_changes(void)
{
	if (once_in(2))
		attempt(NULL, "ifconfig epair0a ether 02:00:00:00:09:%02x",
		    (unsigned)rng_below(&rng, 9));
	else
		attempt(NULL, "ifconfig epair0a %s", once_in(8) ? "down" : "up");
}

static void (*const operations[])(void) = {
	traffic,
	traffic,
	traffic,
	traffic_of_b,
	traffic_by_gateway,
	traffic_by_gateway,
	route_change,
	route_change,
	heard,
	heard,
	delete_entry,
	entry_by_hand,
	time_passes,
	time_passes,
	address_leaves_or_comes,
	interface_ends,
	stack_ends,
	limit_moves,
	interface_changes,
};

/* --- what must hold ----------------------------------------------------------------------------- */

struct holders {
	const struct llentry *lle;
	uint32_t routes;
	uint64_t deleted; /* entries that only routes hold still, counted once a holder */
};

static int
count_holder(struct rtentry *rt, void *ctx)
{
	struct holders *h = ctx;

	h->routes += h->lle != NULL && rt->nh.lle == h->lle;
	h->deleted += rt->nh.lle != NULL && (rt->nh.lle->flags & LLE_DELETED) != 0;
	return 0;
}

static struct holders
holders_of(const struct llentry *lle)
{
	struct holders h = { .lle = lle };

	rib_walk(0, AF_INET, count_holder, &h);
	rib_walk(0, AF_INET6, count_holder, &h);
	return h;
}

/* Each entry: its table's reference, an armed timer's, and one of each route that caches it. */
static uint64_t
check_table(const struct lltable *t)
{
	struct llentry *lle;
	uint32_t n = 0, from_traffic = 0;

	TAILQ_FOREACH(lle, &t->entries, link) {
		uint32_t routes = holders_of(lle).routes;
		uint32_t expect = 1 + (uint32_t)callout_armed(&lle->timer) + routes;

		if (lle->refs != expect)
			fail_msg("an entry of family %d has %u references, not %u", t->family,
			    lle->refs, expect);
		assert_ptr_equal(lla_find(lle->table, lle->addr), lle);
		from_traffic += (lle->flags & LLE_TRAFFIC) != 0;
		seen.by_routes += routes;
		seen.by_hand += (lle->flags & LLE_TRAFFIC) == 0;
		n++;
	}
	if (n > seen.most[t->family == AF_INET6])
		seen.most[t->family == AF_INET6] = n;
	assert_int_equal(n, t->count);
	assert_int_equal(from_traffic, t->from_traffic);
	/* the table's own, those of its entries, and of some that left and are held or wait */
	assert_true(t->refs >= n + 1);
	return n;
}

static void
check_all(bool settled)
{
	uint64_t linked = 0, deleted = 0;
	struct vnet *vnet;

	VNET_FOREACH(vnet) {
		VNET_SCOPE(vnet);
		struct lltable *t;

		LIST_FOREACH(t, &V_lltable_head, all)
			linked += check_table(t);
		deleted += holders_of(NULL).deleted;
	}
	seen.deleted_but_held += (uint32_t)deleted;
	if (!settled)
		return;
	assert_true(lle_live() >= linked);
	assert_true(lle_live() <= linked + deleted);
}

static void
test_b10_ten_thousand_operations_on_both_families_leave_nothing(void **state)
{
	const size_t n = sizeof(operations) / sizeof(operations[0]);

	(void)state;
	rng_seed(&rng, 1, "lltable property");
	log_set_sink(log_nothing, NULL);
	command("sysctl net.inet6.ip6.dad_count=0");
	stack_up();
	link_up();
	for (int i = 0; i < OPERATIONS; i++) {
		operations[rng_below(&rng, n)]();
		while (netisr_run())
			continue;
		if (once_in(2))
			sched_run(clock_now() + NS_PER_MS);
		memif_clear(&lan);
		if (i % 100 == 0)
			rcu_synchronize();
		check_all(i % 100 == 0);
	}
	command("ifconfig epair0a destroy");
	command("jail -r b");
	command("arp -d -a");
	rcu_synchronize();
	assert_int_equal(lle_live(), 0);
	assert_in_range(seen.most[0], 6, 1000);
	assert_in_range(seen.most[1], 6, 1000);
	assert_true(seen.by_routes > 1000 && seen.by_hand > 1000 && seen.deleted_but_held > 100);
	assert_true(drops("lltable.evicted") > 10);
	log_set_sink(NULL, NULL);
	/* the rest is the fixture's: its audit comes to exactly nothing */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_b10_ten_thousand_operations_on_both_families_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
