/*
 * nexthop.c - the choice of a packet's next hop in a group.
 *
 * By flow: rendezvous hashing (Thaler and Ravishankar 1998; RFC 2991 calls it highest random
 * weight). Each path draws a number from the flow and its own name, and the best usable one wins.
 * So a flow stays where it is whatever happens to other paths: one that goes takes nobody along but
 * its own flows, and when it comes back it gets just these again. Nothing is stored, and nothing has
 * to be told: whether a path's link is up is asked for each packet (behaviours 16).
 *
 * With weights, path i wins with probability w_i over their sum if its number is -log(u) / w_i, u
 * uniform, and the least wins: an exponential deviate of rate w_i (Efraimidis and Spirakis 2006).
 */
#include "route/nexthop.h"

#include "base/bytes.h"

#include <string.h>

/* 32 bits from a flow and a path: the finalizer of splitmix64 (Steele, Lea and Flood 2014). */
static inline uint32_t
draw(uint64_t seed, uint32_t path, uint32_t flow)
{
	uint64_t z = seed + ((uint64_t)path << 32 | flow);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* log2(1 + i/64), in 2^-26. No libm: every machine is to choose alike. */
static const uint32_t log2_table[65] = {
	0,
	1501079,
	2979239,
	4435170,
	5869532,
	7282953,
	8676036,
	10049359,
	11403474,
	12738911,
	14056177,
	15355762,
	16638134,
	17903742,
	19153019,
	20386381,
	21604229,
	22806948,
	23994909,
	25168470,
	26327977,
	27473761,
	28606143,
	29725435,
	30831934,
	31925930,
	33007703,
	34077521,
	35135648,
	36182335,
	37217828,
	38242363,
	39256169,
	40259469,
	41252479,
	42235408,
	43208457,
	44171825,
	45125701,
	46070271,
	47005714,
	47932205,
	48849915,
	49759007,
	50659643,
	51551977,
	52436163,
	53312346,
	54180672,
	55041278,
	55894303,
	56739877,
	57578130,
	58409188,
	59233172,
	60050204,
	60860398,
	61663868,
	62460725,
	63251078,
	64035030,
	64812686,
	65584145,
	66349506,
	67108864,
};

/* -log2(u / 2^32) in 2^-26, by straight lines between the table's points (within 1 %). */
static uint32_t
minus_log2(uint32_t u)
{
	unsigned lead = (unsigned)__builtin_clz(u |= 1);
	uint32_t fraction = u << lead << 1, i = fraction >> 26;
	uint64_t step = log2_table[i + 1] - log2_table[i];

	return ((lead + 1) << 26) - log2_table[i] - (uint32_t)(step * (fraction & 0x3ffffff) >> 26);
}

/* The winner among the usable paths, or among all of them; NULL if there is none. */
static struct nexthop *
by_flow_among(const struct nexthop_group *g, uint32_t flow, bool usable_only)
{
	struct nexthop *best = NULL;
	uint64_t best_cost = UINT64_MAX, cost;

	for (uint32_t i = 0; i < g->n; i++) {
		struct nexthop *nh = rcu_deref(&g->path[i]);

		if (nh == NULL || (usable_only && !if_is_usable(nh->ifp)))
			continue;
		cost = draw(g->seed, nh->path, flow);
		if (__atomic_load_n(&g->weighted, __ATOMIC_RELAXED))
			cost = (uint64_t)minus_log2((uint32_t)cost) * nh->per_weight;
		if (best == NULL || cost < best_cost) {
			best = nh;
			best_cost = cost;
		}
	}
	return best;
}

static struct nexthop *
by_flow(const struct nexthop_group *g, uint32_t flow)
{
	struct nexthop *nh = by_flow_among(g, flow, true);

	return nh != NULL ? nh : by_flow_among(g, flow, false);
}

static bool
is_under(const struct nexthop_masked *m, const uint8_t *dst, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if ((dst[i] ^ m->key[i]) & m->mask[i])
			return false;
	return true;
}

static struct nexthop *
by_mask(const struct nexthop_bymask *c, const uint8_t *dst)
{
	const unsigned len = c->dst.family == AF_INET ? 4 : 16;
	struct nexthop *nh;

	for (uint32_t i = 0; i < c->n; i++) {
		nh = rcu_deref(&c->by[i].nh);
		if (nh != NULL && is_under(&c->by[i], dst, len))
			return nh;
	}
	nh = rcu_deref(&c->base);
	return nh != NULL ? nh : rcu_deref(&c->behind);
}

struct nexthop *
nexthop_choose(struct nexthop *nh, const void *dst, uint32_t flow)
{
	while (nh != NULL && (nh->flags & RTF_BYMASK_))
		nh = by_mask(nexthop_bymask_of(nh), dst);
	return nh != NULL && (nh->flags & RTF_MULTIPATH_) ? by_flow(nexthop_group_of(nh), flow) :
							    nh;
}

struct nexthop *
nexthop_path(struct nexthop *nh, const void *dst, unsigned *at)
{
	const struct nexthop_group *g;
	struct nexthop *path = NULL;

	while (nh != NULL && (nh->flags & RTF_BYMASK_))
		nh = by_mask(nexthop_bymask_of(nh), dst);
	if (nh == NULL || !(nh->flags & RTF_MULTIPATH_))
		return (*at)++ == 0 ? nh : NULL;
	g = nexthop_group_of(nh);
	while (path == NULL && *at < g->n)
		path = rcu_deref(&g->path[(*at)++]);
	return path;
}

bool
rib_reverse_path_ok(uint8_t fib, const struct rt_addr *src, const struct ifnet *ifp)
{
	struct nexthop *found = src->family == AF_INET ? fib_lookup4(fib, load32(src->addr)) :
							 fib_lookup6(fib, rt_addr_in6(src));
	const struct nexthop *nh;
	unsigned at = 0;

	while ((nh = nexthop_path(found, src->addr, &at)) != NULL)
		if (!(nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_)) &&
		    (ifp == NULL || nh->ifp == ifp))
			return true;
	return false;
}

/* Of the interface's index and the gateway, never of an address in memory. */
static uint32_t
path_name(const struct nexthop *nh, const struct rt_addr *gateway)
{
	uint32_t name = draw(0, nh->ifp->if_index, gateway->family);

	for (unsigned i = 0; i < sizeof(gateway->addr); i += 4)
		name = draw(i, name, load32(gateway->addr + i));
	return name;
}

void
nexthop_set_path(struct nexthop *nh, const struct rt_addr *gateway, uint32_t weight)
{
	nh->path = path_name(nh, gateway);
	nh->per_weight = UINT32_MAX / weight;
}
