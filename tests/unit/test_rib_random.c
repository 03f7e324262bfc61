/*
 * Random changes of routes, of both families, with several paths and with masks that are no
 * prefixes: after each of them the tree, the FIB and a scan of a plain list give the same answers.
 *
 * LONG=1 makes it a million changes.
 */
#include "kern_fixture.h"

#include "base/rng.h"
#include "inet/in.h"
#include "memif.h"
#include "route/rib.h"

#include <errno.h>

enum { IFS = 3, GATEWAYS = 5, MODEL_MAX = 400 };

static struct memif mem[IFS];

/* A route as the model has it. */
struct item {
	uint8_t addr[16], mask[16];
	int gateway;
	uint64_t order;
};

struct model {
	int family;
	unsigned len; /* bytes */
	struct item item[MODEL_MAX];
	size_t n;
	uint64_t orders;
	struct rng rng;
};

static int
setup(void **state)
{
	kern_setup(state);
	for (int i = 0; i < IFS; i++)
		memif_open(&mem[i], i);
	return 0;
}

static int
teardown(void **state)
{
	for (int i = 0; i < IFS; i++)
		memif_close(&mem[i]);
	rcu_synchronize();
	return kern_teardown(state);
}

/* --- the list ------------------------------------------------------------ */

static bool
same_net(const struct item *a, const struct item *b)
{
	return memcmp(a->addr, b->addr, 16) == 0 && memcmp(a->mask, b->mask, 16) == 0;
}

static unsigned
lead_of(const struct item *it)
{
	bool prefix;

	return rt_mask_lead(AF_INET6, it->mask, &prefix);
}

static bool
has_gaps(const struct item *it)
{
	bool prefix;

	(void)rt_mask_lead(AF_INET6, it->mask, &prefix);
	return !prefix;
}

static unsigned
ones_of(const struct item *it)
{
	unsigned n = 0;

	for (int i = 0; i < 16; i++)
		n += (unsigned)__builtin_popcount(it->mask[i]);
	return n;
}

/* > 0: a's net is matched before b's. 0: it is as good. */
static int
net_order(const struct item *a, const struct item *b)
{
	if (lead_of(a) != lead_of(b))
		return (int)lead_of(a) - (int)lead_of(b);
	if (ones_of(a) != ones_of(b))
		return (int)ones_of(a) - (int)ones_of(b);
	return memcmp(a->mask, b->mask, 16);
}

static bool
covers(const struct item *it, const uint8_t *addr)
{
	for (int i = 0; i < 16; i++)
		if ((addr[i] ^ it->addr[i]) & it->mask[i])
			return false;
	return true;
}

static size_t
paths_of(const struct model *m, const struct item *net, size_t at[], int gateway)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (same_net(&m->item[i], net) && (gateway < 0 || m->item[i].gateway == gateway))
			at[n++] = i;
	return n;
}

/* --- what is drawn ------------------------------------------------------- */

static void
draw_addr(struct model *m, uint8_t addr[16])
{
	memset(addr, 0, 16);
	for (unsigned i = 0; i < m->len; i++)
		addr[i] = (uint8_t)(rng_u64(&m->rng) & 0x83);
	/* a global address: those of link scope have zones */
	addr[0] = (uint8_t)(addr[0] & 3) | 0x20;
}

static struct item
draw_net(struct model *m)
{
	struct item it = { .gateway = (int)rng_below(&m->rng, GATEWAYS) };
	unsigned plen = (unsigned)rng_below(&m->rng, 8 * m->len + 1);

	draw_addr(m, it.addr);
	for (unsigned i = 0; i < plen; i++)
		it.mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (rng_below(&m->rng, 5) == 0)
		it.mask[1] &= rng_below(&m->rng, 2) ? 0x0f : 0;
	for (int i = 0; i < 16; i++)
		it.addr[i] &= it.mask[i];
	return it;
}

/* One that is there, more often than not. */
static struct item
draw_known(struct model *m)
{
	struct item it;

	if (m->n == 0 || rng_below(&m->rng, 4) == 0)
		return draw_net(m);
	it = m->item[rng_below(&m->rng, m->n)];
	if (rng_below(&m->rng, 3) == 0)
		it.gateway = (int)rng_below(&m->rng, GATEWAYS);
	return it;
}

static struct rt_request
request_of(const struct model *m, const struct item *it)
{
	struct rt_request rq = { .flags = RTF_STATIC_, .ifp = mem[it->gateway % IFS].ifp };
	bool prefix;
	unsigned plen = rt_mask_lead(m->family, it->mask, &prefix);
	const uint8_t gw4[4] = { 10, 1, 0, (uint8_t)(it->gateway + 1) };
	struct in6 gw6 = { { 0x20, 1, [15] = (uint8_t)(it->gateway + 1) } };

	rq.dst = rt_addr_make(m->family, it->addr, prefix ? plen : 8 * m->len);
	if (!prefix)
		rq.mask = it->mask;
	rq.gateway = m->family == AF_INET ? rt_addr_make(AF_INET, gw4, 32) :
					    rt_addr_make(AF_INET6, gw6.b, 128);
	return rq;
}

static int
gateway_of(const struct nexthop *nh)
{
	const struct rt_addr *gw = &nh->rt->gateway;

	return gw->addr[gw->family == AF_INET ? 3 : 15] - 1;
}

/* --- changes, in both ---------------------------------------------------- */

static void
change_add(struct model *m)
{
	struct item it = rng_below(&m->rng, 3) == 0 ? draw_known(m) : draw_net(m);
	struct rt_request rq = request_of(m, &it);
	size_t at[MODEL_MAX], others = paths_of(m, &it, at, -1);
	bool may;
	int error;

	if (m->n == MODEL_MAX)
		return;
	rq.multipath = rng_below(&m->rng, 4) != 0;
	rq.weight = (uint32_t)rng_below(&m->rng, 3);
	may = others == 0 ||
	    (rq.multipath && !has_gaps(&it) && paths_of(m, &it, at, it.gateway) == 0);
	error = rib_add(&rq, NULL);
	assert_int_equal(error, may ? 0 : -EEXIST);
	if (!may)
		return;
	it.order = ++m->orders;
	m->item[m->n++] = it;
}

static void
change_delete(struct model *m)
{
	struct item it = draw_known(m);
	struct rt_request rq = request_of(m, &it);
	bool named = rng_below(&m->rng, 4) != 0;
	size_t at[MODEL_MAX], n = paths_of(m, &it, at, named ? it.gateway : -1);

	if (!named) {
		rq.gateway.family = 0;
		rq.ifp = NULL;
	}
	assert_int_equal(rib_delete(&rq), n == 1 ? 0 : -ESRCH);
	if (n == 1)
		m->item[at[0]] = m->item[--m->n];
}

static void
change_change(struct model *m)
{
	struct item it = draw_known(m);
	struct rt_request rq = request_of(m, &it);
	size_t at[MODEL_MAX], all = paths_of(m, &it, at, -1);

	rq.weight = 1 + (uint32_t)rng_below(&m->rng, 3);
	if (all > 1)
		all = paths_of(m, &it, at, it.gateway);
	assert_int_equal(rib_change(&rq, NULL), all == 1 ? 0 : -ESRCH);
	if (all == 1)
		m->item[at[0]].gateway = it.gateway;
}

/* --- questions, to all three --------------------------------------------- */

static void
compare(struct model *m)
{
	const struct item *best = NULL;
	const struct rtentry *rt;
	struct rt_addr probe;
	struct nexthop *found, *nh;
	unsigned want = 0, got = 0, at = 0;
	uint8_t addr[16];

	if (m->n > 0 && rng_below(&m->rng, 2) == 0) {
		memcpy(addr, m->item[rng_below(&m->rng, m->n)].addr, 16);
		addr[m->len - 1] ^= (uint8_t)rng_below(&m->rng, 3);
		addr[1] ^= (uint8_t)(rng_below(&m->rng, 2) << 7);
	} else {
		draw_addr(m, addr);
	}
	for (size_t i = 0; i < m->n; i++)
		if (covers(&m->item[i], addr) && (best == NULL || net_order(&m->item[i], best) > 0))
			best = &m->item[i];
	for (size_t i = 0; best != NULL && i < m->n; i++)
		if (same_net(&m->item[i], best))
			want |= 1u << m->item[i].gateway;

	probe = rt_addr_make(m->family, addr, 128);
	rt = rib_match(0, &probe);
	assert_int_equal(rt != NULL, best != NULL);
	for (; rt != NULL; rt = rib_next_path(rt))
		got |= 1u << gateway_of(&rt->nh);
	assert_int_equal(got, want);

	found = m->family == AF_INET ? fib_lookup4(0, load32(addr)) :
				       fib_lookup6(0, rt_addr_in6(&probe));
	got = 0;
	while ((nh = nexthop_path(found, addr, &at)) != NULL)
		got |= 1u << gateway_of(nh);
	assert_int_equal(got, want);
	nh = nexthop_for(found, addr, (uint32_t)rng_u64(&m->rng));
	assert_int_equal(nh != NULL, want != 0);
	if (nh != NULL) {
		assert_true(want & 1u << gateway_of(nh));
		assert_ptr_equal(nh->ifp, mem[gateway_of(nh) % IFS].ifp);
	}
}

static int
remove_all(struct rtentry *rt, void *ctx)
{
	(void)ctx;
	if (rt->nh.flags & RTF_GATEWAY_) {
		struct rt_request rq = { .dst = rt->dst, .gateway = rt->gateway };

		if (rt->rn.mask != NULL) {
			memcpy(rq.dst.addr, rt->rn.key, 16);
			rq.mask = radix_mask_of(&rt->rn);
		}
		assert_int_equal(rib_delete(&rq), 0);
	}
	return 0;
}

static void
random_life(int family)
{
	const char *is_long = getenv("LONG");
	uint64_t changes = is_long != NULL && is_long[0] != '\0' ? 1000000 : 30000, before;
	static struct model m;

	m = (struct model){ .family = family, .len = family == AF_INET ? 4 : 16 };
	rng_seed(&m.rng, 1, "routes");
	before = rib_count(0, family);
	for (uint64_t i = 0; i < changes; i++) {
		/* the table swells and shrinks */
		uint64_t grow = i / 3000 % 2 == 0 ? 6 : 3, what = rng_below(&m.rng, 10);

		if (what < grow)
			change_add(&m);
		else if (what < 8)
			change_delete(&m);
		else
			change_change(&m);
		compare(&m);
		assert_int_equal(rib_count(0, family), before + m.n);
		if (i % 64 == 0)
			rcu_poll();
	}
	rib_walk(0, family, remove_all, NULL);
	assert_int_equal(rib_count(0, family), before);
}

static void
test_ipv4_tree_fib_and_list_agree_through_random_changes(void **state)
{
	(void)state;
	random_life(AF_INET);
}

static void
test_ipv6_tree_fib_and_list_agree_through_random_changes(void **state)
{
	(void)state;
	random_life(AF_INET6);
}

#define RIB_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIB_TEST(test_ipv4_tree_fib_and_list_agree_through_random_changes),
		RIB_TEST(test_ipv6_tree_fib_and_list_agree_through_random_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
