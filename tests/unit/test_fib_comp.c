/*
 * Unit tests of compiled tables (route/fib_comp.c, fib_form.c): the same routes in stacks whose
 * tables have all forms, each answer against the radix tree and against a list that is searched from
 * one end to the other.
 */
#include "kern_fixture.h"

#include "base/rng.h"
#include "kern/sysctl.h"
#include "route/fib_trie.h"

#include <stdio.h>

enum { N = 1500, FORMS = 3, HOPS = 40 };

static struct nexthop hop[HOPS];

/* A route of the test: in the radix tree, in the list if `in`, and in every stack. */
struct route {
	struct radix_node rn;
	struct rt_addr dst;
	struct nexthop *nh;
	bool in;
};

struct world {
	int family;
	struct vnet *form[FORMS]; /* trie, compiled, compiled with 2^24 answers */
	struct radix_tree *tree;
	struct route *route;
	struct rng rng;
};

static void
set_sysctl(const char *name, const char *value)
{
	char why[80];

	assert_int_equal(sysctl_write(sysctl_find(name), value, why, sizeof(why)), 0);
}

static void
world_open(struct world *w, int family)
{
	static const char *const compile_at[FORMS] = { "4294967295", "1", "1" };

	w->family = family;
	w->tree = radix_new(family == AF_INET ? 32 : 128);
	w->route = calloc(N, sizeof(*w->route));
	rng_seed(&w->rng, 1, "fib_comp");
	for (int f = 0; f < FORMS; f++) {
		assert_non_null(w->form[f] = vnet_alloc());
		VNET_SCOPE(w->form[f]);
		set_sysctl("net.route.fib_compile", compile_at[f]);
		set_sysctl("net.route.fib_direct", f == 2 ? "1" : "0");
	}
}

static void
route_add(struct world *w, struct route *r, struct nexthop *nh)
{
	r->nh = nh;
	if (!r->in)
		assert_int_equal(radix_insert(w->tree, &r->rn, r->dst.addr, r->dst.plen, false), 0);
	r->in = true;
	for (int f = 0; f < FORMS; f++) {
		VNET_SCOPE(w->form[f]);
		assert_int_equal(fib_set(0, &r->dst, nh), 0);
	}
}

static void
route_delete(struct world *w, struct route *r)
{
	radix_delete(w->tree, &r->rn);
	r->in = false;
	for (int f = 0; f < FORMS; f++) {
		VNET_SCOPE(w->form[f]);
		fib_clear(0, &r->dst);
	}
}

static void
world_close(struct world *w)
{
	for (unsigned i = 0; i < N; i++)
		if (w->route[i].in)
			route_delete(w, &w->route[i]);
	for (int f = 0; f < FORMS; f++)
		vnet_destroy(w->form[f]);
	radix_free(w->tree);
	free(w->route);
}

static bool
covers(const struct rt_addr *net, const struct rt_addr *host)
{
	struct rt_addr cut = rt_addr_make(net->family, host->addr, net->plen);

	return memcmp(cut.addr, net->addr, sizeof(cut.addr)) == 0;
}

/* The answer by searching everything. */
static struct nexthop *
scan(const struct world *w, const struct rt_addr *host)
{
	const struct route *best = NULL;

	for (const struct route *r = w->route; r < w->route + N; r++)
		if (r->in && (best == NULL || r->dst.plen > best->dst.plen) &&
		    covers(&r->dst, host))
			best = r;
	return best == NULL ? NULL : best->nh;
}

static struct nexthop *
tree(const struct world *w, const struct rt_addr *host)
{
	struct radix_node *n = radix_match(w->tree, host->addr);

	return n == NULL ?
	    NULL :
	    ((struct route *)(void *)((uint8_t *)n - offsetof(struct route, rn)))->nh;
}

static struct nexthop *
packet(int family, const struct rt_addr *host)
{
	return family == AF_INET ? fib_lookup4(0, load32(host->addr)) :
				   fib_lookup6(0, rt_addr_in6(host));
}

/* One by one, in all forms. */
static void
check(const struct world *w, const struct rt_addr *host)
{
	struct nexthop *right = tree(w, host);

	for (int f = 0; f < FORMS; f++) {
		VNET_SCOPE(w->form[f]);
		assert_ptr_equal(packet(w->family, host), right);
	}
}

static void
batch(int family, const struct rt_addr *host, struct nexthop **nh, unsigned n)
{
	const struct in6 *dst6[64];
	uint32_t dst4[64];

	for (unsigned i = 0; i < n; i++) {
		dst4[i] = load32(host[i].addr);
		dst6[i] = rt_addr_in6(&host[i]);
	}
	if (family == AF_INET)
		fib_lookup4_batch(0, dst4, nh, n);
	else
		fib_lookup6_batch(0, dst6, nh, n);
}

static void
check_batch(const struct world *w, const struct rt_addr *host, unsigned n)
{
	struct nexthop *nh[64];

	for (int f = 0; f < FORMS; f++) {
		VNET_SCOPE(w->form[f]);
		batch(w->family, host, nh, n);
		for (unsigned i = 0; i < n; i++)
			assert_ptr_equal(nh[i], tree(w, &host[i]));
	}
}

/* The address before (-1) or behind (1) another one. */
static struct rt_addr
beside(const struct rt_addr *host, int step)
{
	unsigned bytes = host->family == AF_INET ? 4 : 16;
	struct rt_addr a = *host;

	for (unsigned i = bytes; i-- > 0;) {
		a.addr[i] = (uint8_t)(a.addr[i] + step);
		if (a.addr[i] != (step > 0 ? 0 : 0xff))
			break;
	}
	return a;
}

static struct rt_addr
first_of(const struct rt_addr *net)
{
	return rt_addr_make(net->family, net->addr, 128);
}

static struct rt_addr
last_of(const struct rt_addr *net)
{
	struct rt_addr mask = rt_mask(net->family, net->plen), a = first_of(net);

	for (unsigned i = 0; i < (net->family == AF_INET ? 4u : 16u); i++)
		a.addr[i] |= (uint8_t)~mask.addr[i];
	return a;
}

/* A prefix's first and last address, and those beside it: wrapped round at the ends. */
static void
check_edges(const struct world *w, const struct rt_addr *net)
{
	struct rt_addr edge[4] = { first_of(net), last_of(net) };

	edge[2] = beside(&edge[0], -1);
	edge[3] = beside(&edge[1], 1);
	for (unsigned i = 0; i < 4; i++)
		check(w, &edge[i]);
	check_batch(w, edge, 4);
}

/* Prefixes of all lengths in few bits of the address, so that they meet; and some long as usual. */
static struct rt_addr
random_prefix(struct world *w)
{
	static const uint8_t usual6[] = { 29, 32, 36, 40, 42, 44, 48, 48, 48, 56, 64, 128 };
	uint64_t bits[2] = { rng_u64(&w->rng), rng_u64(&w->rng) };
	unsigned most = w->family == AF_INET ? 32 : 128;
	unsigned plen = (unsigned)rng_below(&w->rng, most + 1);
	uint8_t *b = (uint8_t *)bits;

	for (unsigned i = 0; i < 16; i++)
		b[i] &= i % 3 == 0 ? 0x81 : 0xc1;
	if (w->family == AF_INET6) {
		b[0] = (uint8_t)(0x20 | (b[0] & 1));
		b[1] = 0;
		if (plen & 1)
			plen = usual6[rng_below(&w->rng, sizeof(usual6))];
	}
	return rt_addr_make(w->family, b, plen);
}

static struct rt_addr
noise_near(struct world *w, const struct rt_addr *net)
{
	struct rt_addr a = first_of(net);
	unsigned from = (unsigned)rng_below(&w->rng, 17);

	for (unsigned i = from; i < (w->family == AF_INET ? 4u : 16u); i++)
		a.addr[i] ^= (uint8_t)rng_u64(&w->rng);
	return a;
}

static void
change_one(struct world *w, struct route *r)
{
	if (r->in && rng_below(&w->rng, 3) > 0) {
		route_delete(w, r);
		return;
	}
	if (!r->in) {
		r->dst = random_prefix(w);
		if (radix_exact(w->tree, r->dst.addr, r->dst.plen) != NULL)
			return;
	}
	route_add(w, r, &hop[rng_below(&w->rng, HOPS)]);
}

static void
churn(int family)
{
	unsigned changes = getenv("LONG") != NULL ? 1000000 : 100000;
	struct rt_addr host[64];
	struct world w;

	world_open(&w, family);
	for (unsigned i = 0; i < changes; i++) {
		struct route *r = &w.route[rng_below(&w.rng, N)];

		change_one(&w, r);
		host[i % 64] = noise_near(&w, &r->dst);
		check_edges(&w, &r->dst);
		if (i % 64 == 63)
			check_batch(&w, host, 1 + i / 64 % 64);
		if (i % 16 == 0)
			assert_ptr_equal(scan(&w, &host[i % 64]), tree(&w, &host[i % 64]));
		rcu_poll();
	}
	for (unsigned i = 0; i < N; i++)
		if (w.route[i].in)
			check_edges(&w, &w.route[i].dst);
	world_close(&w);
}

static void
test_all_forms_answer_alike_through_random_changes(void **state)
{
	(void)state;
	churn(AF_INET);
}

static void
test_all_forms_answer_alike_for_ipv6(void **state)
{
	(void)state;
	churn(AF_INET6);
}

/* Nested prefixes of every length, put in and taken away from both ends. */
static void
nest(int family, const char *text, bool shortest_first)
{
	unsigned most = family == AF_INET ? 32 : 128;
	struct rt_addr host;
	struct world w;

	assert_true(rt_addr_parse(text, family, &host));
	world_open(&w, family);
	for (unsigned i = 0; i <= most; i++) {
		struct route *r = &w.route[shortest_first ? i : most - i];

		r->dst = rt_addr_make(family, host.addr, shortest_first ? i : most - i);
		route_add(&w, r, &hop[r->dst.plen % HOPS]);
		for (unsigned j = 0; j <= most; j++)
			if (w.route[j].in)
				check_edges(&w, &w.route[j].dst);
	}
	for (unsigned i = 0; i <= most; i++) {
		route_delete(&w, &w.route[shortest_first ? i : most - i]);
		for (unsigned j = 0; j <= most; j++)
			if (w.route[j].dst.family != 0)
				check_edges(&w, &w.route[j].dst);
	}
	world_close(&w);
}

static void
test_prefixes_of_every_length_nest(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		nest(AF_INET, "0.0.0.0", order);
		nest(AF_INET, "255.255.255.255", order);
		nest(AF_INET, "10.170.85.129", order);
		nest(AF_INET6, "2001:db8:5555:aaaa:1234:5678:9abc:def1", order);
		nest(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", order);
		nest(AF_INET6, "::", order);
	}
}

static struct rt_addr
p4(uint32_t host, unsigned plen)
{
	uint32_t wire = __builtin_bswap32(host);

	return rt_addr_make(AF_INET, &wire, plen);
}

static bool
is_compiled(uint8_t fib)
{
	uint64_t packets, control;

	fib_size(fib, AF_INET, &packets, &control);
	return packets > 0;
}

static void
test_the_form_follows_the_size(void **state)
{
	struct rt_addr a;

	(void)state;
	for (uint32_t i = 0; i < 512; i++) {
		a = p4(i << 20, 24);
		assert_int_equal(fib_set(2, &a, &hop[i % HOPS]), 0);
	}
	assert_false(is_compiled(2));
	a = p4(0xffffffff, 32);
	assert_int_equal(fib_set(2, &a, &hop[1]), 0);
	assert_true(is_compiled(2));
	for (uint32_t i = 0; i < 256; i++) {
		a = p4(i << 20, 24);
		fib_clear(2, &a);
		assert_true(is_compiled(2));
	}
	a = p4(256u << 20, 24);
	fib_clear(2, &a);
	assert_false(is_compiled(2));
	assert_ptr_equal(fib_lookup4(2, 0xffffffff), &hop[1]);
	for (uint32_t i = 257; i < 512; i++) {
		a = p4(i << 20, 24);
		assert_ptr_equal(fib_lookup4(2, load32(a.addr)), &hop[i % HOPS]);
		fib_clear(2, &a);
	}
	a = p4(0xffffffff, 32);
	fib_clear(2, &a);
}

static void
test_routes_in_bulk_are_there_at_the_end(void **state)
{
	struct rt_addr a;

	(void)state;
	set_sysctl("net.route.fib_compile", "4");
	for (unsigned n = 8; n <= 40000; n *= 5000) {
		fib_bulk_begin();
		for (uint32_t i = 0; i < n; i++) {
			a = p4(i << 15, 17 + i % 16);
			assert_int_equal(fib_set(0, &a, &hop[i % HOPS]), 0);
		}
		/* what is replaced or taken away is not found any more even before the end */
		a = p4(1 << 15, 18);
		assert_int_equal(fib_set(0, &a, &hop[30]), 0);
		assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[30]);
		fib_clear(0, &a);
		assert_null(fib_lookup4(0, load32(a.addr)));
		assert_int_equal(fib_bulk_end(), 0);
		for (uint32_t i = 0; i < n; i++) {
			a = p4(i << 15, 17 + i % 16);
			if (i != 1)
				assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[i % HOPS]);
			fib_clear(0, &a);
		}
	}
}

static void
test_more_next_hops_than_numbers_make_it_a_trie(void **state)
{
	enum { MANY = 40000 };
	struct nexthop *many = aligned_alloc(64, MANY * sizeof(*many));
	struct rt_addr a;

	(void)state;
	memset(many, 0, MANY * sizeof(*many));
	for (uint32_t i = 0; i < MANY; i++) {
		a = p4(i << 8, 24);
		assert_int_equal(fib_set(0, &a, &many[i]), 0);
		assert_int_equal(is_compiled(0), i >= 512 && i < 32767);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		a = p4(i << 8, 24);
		assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &many[i]);
		fib_clear(0, &a);
	}
	free(many);
}

static void
test_without_memory_a_route_is_not_there_and_the_others_are(void **state)
{
	struct rt_addr a, b = p4(0x0a000000, 8);

	(void)state;
	set_sysctl("net.route.fib_compile", "2");
	assert_int_equal(fib_set(0, &b, &hop[1]), 0);
	for (uint32_t i = 0; i < 4000; i++) {
		a = p4(0x0a000000 | i << 8 | (i & 1) << 4, 20 + i % 13);
		vnet_malloc_fail_at(1 + i % 3);
		if (fib_set(0, &a, &hop[2]) != 0)
			assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[1]);
		else
			assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[2]);
		vnet_malloc_fail_at(1);
		fib_clear(0, &a);
		vnet_malloc_fail_at(0);
		/* it may be lost with all others if there was no memory to take it away */
		assert_ptr_not_equal(fib_lookup4(0, load32(a.addr)), &hop[2]);
		assert_int_equal(fib_set(0, &a, &hop[3]), 0);
		assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[3]);
		assert_ptr_equal(fib_lookup4(0, 0xffffff0a), &hop[1]);
		fib_clear(0, &a);
	}
	fib_clear(0, &b);
}

static void
test_what_is_lost_without_memory_comes_back_by_itself(void **state)
{
	struct rt_addr a, b = p4(0x0a000000, 8), beside = p4(0x0a000200, 24);
	bool lost = false;

	(void)state;
	set_sysctl("net.route.fib_compile", "1");
	set_sysctl("net.route.fib_direct", "1");
	assert_int_equal(fib_set(0, &b, &hop[1]), 0);
	assert_int_equal(fib_set(0, &beside, &hop[3]), 0);
	/* until there is no room for a removal */
	for (uint32_t i = 0; !lost && i < 100000; i++) {
		a = p4(0x0a000100, 24 + (i + i / 100) % 8);
		assert_int_equal(fib_set(0, &a, &hop[2]), 0);
		vnet_malloc_fail_at(1);
		fib_clear(0, &a);
		lost = fib_lookup4(0, 0xffffff0a) == NULL;
		vnet_malloc_fail_at(0);
	}
	assert_true(lost);
	/* the first try finds no memory either */
	vnet_malloc_fail_at(1);
	callout_run(clock_now() + NS_PER_SEC);
	assert_false(vnet_malloc_fail_pending());
	assert_ptr_equal(fib_lookup4(0, 0xffffff0a), &hop[1]);
	assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[1]);
	assert_ptr_equal(fib_lookup4(0, load32(beside.addr)), &hop[3]);
	fib_clear(0, &b);
	fib_clear(0, &beside);
}

static void
test_the_direct_table_comes_and_goes_with_its_sysctl(void **state)
{
	uint64_t compact, direct, control;
	struct rt_addr a = p4(0x0a000000, 8), b = p4(0x0a000001, 32);

	(void)state;
	set_sysctl("net.route.fib_compile", "1");
	assert_int_equal(fib_set(0, &a, &hop[1]), 0);
	assert_int_equal(fib_set(0, &b, &hop[2]), 0);
	fib_size(0, AF_INET, &compact, &control);
	set_sysctl("net.route.fib_direct", "1");
	fib_size(0, AF_INET, &direct, &control);
	assert_int_equal(direct - compact, sizeof(uint16_t) << 24);
	for (int on = 1; on >= 0; on--) {
		uint32_t dst[2] = { 0x0100000a, 0x0200000a };
		struct nexthop *nh[2];

		fib_lookup4_batch(0, dst, nh, 2);
		assert_ptr_equal(nh[0], &hop[2]);
		assert_ptr_equal(nh[1], &hop[1]);
		set_sysctl("net.route.fib_direct", "0");
	}
	fib_size(0, AF_INET, &direct, &control);
	assert_int_equal(direct, compact);
	fib_clear(0, &a);
	fib_clear(0, &b);
}

static void
test_routes_that_lead_one_way_share_a_next_hop(void **state)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", 0);
	struct rt_request rq = { .ifp = ifp };
	struct nexthop *one, *other;

	(void)state;
	set_sysctl("net.route.fib_compile", "4");
	for (uint32_t i = 1; i <= 10; i++) {
		rq.dst = p4(i << 24, 8);
		rq.mtu = i % 2 ? 1000 : 0;
		assert_int_equal(rib_add(&rq, NULL), 0);
	}
	one = fib_lookup4(0, 0x00000001);
	other = fib_lookup4(0, 0x00000002);
	assert_ptr_not_equal(one, other);
	assert_int_equal(one->mtu, 1000);
	assert_int_equal(other->mtu, 0);
	assert_ptr_equal(fib_lookup4(0, 0x00000003), one);
	assert_ptr_equal(fib_lookup4(0, 0x0000000a), other);
	rq.dst = p4(3u << 24, 8);
	rq.mtu = 2000;
	assert_int_equal(rib_change(&rq, NULL), 0);
	assert_int_equal(fib_lookup4(0, 0x00000003)->mtu, 2000);
	assert_ptr_equal(fib_lookup4(0, 0x00000005), one);
	/* as a trie again each has its own */
	for (uint32_t i = 1; i <= 8; i++) {
		rq.dst = p4(i << 24, 8);
		assert_int_equal(rib_delete(&rq), 0);
	}
	assert_false(is_compiled(0));
	rq.dst = p4(9u << 24, 8);
	assert_ptr_equal(fib_lookup4(0, 0x00000009), &rib_exact(0, &rq.dst)->nh);
	rib_purge_if(ifp);
	assert_null(fib_lookup4(0, 0x00000009));
	if_free(ifp);
}

static void
test_changes_that_go_on_never_compile_all(void **state)
{
	uintptr_t table;
	struct rt_addr a;

	(void)state;
	set_sysctl("net.route.fib_compile", "1");
	for (uint32_t i = 0; i < 4000; i++) {
		a = p4(i * 0x10307 << 8, 20 + i % 13);
		assert_int_equal(fib_set(0, &a, &hop[i % HOPS]), 0);
	}
	table = VNET(fib4_table)[0];
	for (uint32_t i = 0; i < 200000; i++) {
		a = p4(i % 4000 * 0x10307 << 8, 20 + i % 4000 % 13);
		fib_clear(0, &a);
		assert_int_equal(fib_set(0, &a, &hop[i % 7 * 3]), 0);
		assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &hop[i % 7 * 3]);
		rcu_poll();
	}
	assert_int_equal(VNET(fib4_table)[0], table);
	for (uint32_t i = 0; i < 4000; i++) {
		a = p4(i * 0x10307 << 8, 20 + i % 13);
		fib_clear(0, &a);
	}
}

/* One route, that leads another way each time: numbers and places come back behind the readers. */
static void
test_next_hops_that_come_and_go_use_their_numbers_again(void **state)
{
	enum { MANY = 100000 };
	struct nexthop *many = aligned_alloc(64, MANY * sizeof(*many));
	struct rt_addr a = p4(0x0a000000, 24), b = p4(0x0b000000, 24);
	uintptr_t table;

	(void)state;
	memset(many, 0, MANY * sizeof(*many));
	set_sysctl("net.route.fib_compile", "1");
	assert_int_equal(fib_set(0, &a, &hop[0]), 0);
	assert_int_equal(fib_set(0, &b, &hop[1]), 0);
	table = VNET(fib4_table)[0];
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(fib_set(0, &a, &many[i]), 0);
		assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &many[i]);
		assert_ptr_equal(fib_lookup4(0, load32(b.addr)), &hop[1]);
		rcu_poll();
	}
	assert_int_equal(VNET(fib4_table)[0], table);
	/* nobody polls: the numbers that wait are to be had in a new block */
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(fib_set(0, &a, &many[i]), 0);
	assert_true(is_compiled(0));
	assert_ptr_equal(fib_lookup4(0, load32(a.addr)), &many[MANY - 1]);
	fib_clear(0, &a);
	fib_clear(0, &b);
	free(many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_all_forms_answer_alike_through_random_changes),
		KERN_TEST(test_all_forms_answer_alike_for_ipv6),
		KERN_TEST(test_prefixes_of_every_length_nest),
		KERN_TEST(test_the_form_follows_the_size),
		KERN_TEST(test_routes_in_bulk_are_there_at_the_end),
		KERN_TEST(test_more_next_hops_than_numbers_make_it_a_trie),
		KERN_TEST(test_without_memory_a_route_is_not_there_and_the_others_are),
		KERN_TEST(test_what_is_lost_without_memory_comes_back_by_itself),
		KERN_TEST(test_the_direct_table_comes_and_goes_with_its_sysctl),
		KERN_TEST(test_routes_that_lead_one_way_share_a_next_hop),
		KERN_TEST(test_changes_that_go_on_never_compile_all),
		KERN_TEST(test_next_hops_that_come_and_go_use_their_numbers_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
