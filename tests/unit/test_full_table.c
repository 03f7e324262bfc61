/*
 * The full Internet table of shared/data, IPv4 and IPv6: for every prefix and its neighbours, and
 * through a million random changes, the radix tree, the compiled table, the table of 2^24 answers,
 * the flow cache and a search of plain lists give one answer. Runs with LONG=1; a minute.
 *
 * The lists: the prefixes of each length in order, those that are not there now marked. The longest
 * length whose list has the address, cut to that length, has the answer. Every some thousand
 * questions a scan of all prefixes, from one end to the other, is asked besides.
 */
#include "kern_fixture.h"

#include "../../bench/bench_rib.h"
#include "base/mbuf.h"
#include "inet/in.h"
#include "kern/sysctl.h"
#include "memif.h"
#include "route/flowtable.h"
#include "route/rib.h"

enum {
	CHANGES = 1000000,
	ABSENT = 0xffff,    /* for a gateway: the prefix is not in the table */
	OTHERS = 8,         /* of so many prefixes one gets a longer or shorter one that may come */
	SCAN_EVERY = 20011, /* questions */
	FLOWS = 1 << 16,
};

typedef unsigned __int128 bits;

struct world {
	int family;
	unsigned most; /* bits of an address */
	struct rib_prefix *item;
	uint32_t n;
	uint32_t first[130]; /* where the prefixes of each length begin, in order of length */
	struct flowtable *flows;
	uint64_t seed, questions, present;
	struct memif mem;
	/* questions that wait for their batch */
	struct in6 ask[BATCH_MAX];
	unsigned asked;
};

/* --- the lists ------------------------------------------------------------ */

static bits
bits_of(const uint8_t *addr)
{
	return (bits)__builtin_bswap64(load64(addr)) << 64 | __builtin_bswap64(load64(addr + 8));
}

static void
bits_put(bits b, uint8_t *addr)
{
	store64(addr, __builtin_bswap64((uint64_t)(b >> 64)));
	store64(addr + 8, __builtin_bswap64((uint64_t)b));
}

static bits
cut(bits b, unsigned plen)
{
	return plen == 0 ? 0 : b >> (128 - plen) << (128 - plen);
}

/* The bits that a prefix leaves open. */
static bits
open_bits(unsigned plen)
{
	return plen == 128 ? 0 : ~(bits)0 >> plen;
}

static int
item_order(const void *a, const void *b)
{
	const struct rib_prefix *x = a, *y = b;

	return x->plen != y->plen ? x->plen - y->plen : memcmp(x->addr, y->addr, 16);
}

/* The prefix in its length's list, NULL if it has never been there. */
static struct rib_prefix *
list_find(const struct world *w, bits addr, unsigned plen)
{
	uint32_t low = w->first[plen], high = w->first[plen + 1];

	addr = cut(addr, plen);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		bits at = bits_of(w->item[middle].addr);

		if (at == addr)
			return &w->item[middle];
		if (at < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int
list_match(const struct world *w, bits addr)
{
	for (unsigned plen = w->most + 1; plen-- > 0;) {
		const struct rib_prefix *p = list_find(w, addr, plen);

		if (p != NULL && p->hop != ABSENT)
			return p->hop;
	}
	return ABSENT;
}

static int
scan_match(const struct world *w, bits addr)
{
	const struct rib_prefix *best = NULL;

	for (const struct rib_prefix *p = w->item; p < w->item + w->n; p++)
		if (p->hop != ABSENT && (best == NULL || p->plen > best->plen) &&
		    cut(addr, p->plen) == bits_of(p->addr))
			best = p;
	return best == NULL ? ABSENT : best->hop;
}

/* --- the questions -------------------------------------------------------- */

static int
hop_of(const struct nexthop *nh)
{
	const uint8_t *gw = nh == NULL ? NULL : nh->rt->gateway.addr;

	if (gw == NULL)
		return ABSENT;
	gw += nh->rt->gateway.family == AF_INET ? 2 : 14;
	return gw[0] << 8 | gw[1];
}

static struct nexthop *
find_one(const struct world *w, const struct in6 *addr)
{
	return w->family == AF_INET ? fib_lookup4(0, load32(addr->b)) : fib_lookup6(0, addr);
}

static void
find_batch(const struct world *w, struct nexthop **nh)
{
	const struct in6 *at[BATCH_MAX];
	uint32_t dst[BATCH_MAX];

	for (unsigned i = 0; i < w->asked; i++) {
		at[i] = &w->ask[i];
		dst[i] = load32(w->ask[i].b);
	}
	if (w->family == AF_INET)
		fib_lookup4_batch(0, dst, nh, w->asked);
	else
		fib_lookup6_batch(0, at, nh, w->asked);
}

/* The second time all are there already, if they may be in it at all. */
static void
find_flows(const struct world *w, struct nexthop **nh)
{
	static const struct in6 from = { { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	struct flow_key key[BATCH_MAX];

	if (flowtable_count(w->flows) > FLOWS / 2)
		flowtable_flush(w->flows);
	for (unsigned i = 0; i < w->asked; i++)
		if (w->family == AF_INET)
			flow_key4(&key[i], 0, load32(from.b), load32(w->ask[i].b), 0);
		else
			flow_key6(&key[i], 0, &from, &w->ask[i], 0);
	for (int round = 0; round < 2; round++)
		flowtable_lookup_batch(w->flows, key, nh, w->asked);
}

/* All say what the lists say. */
static void
answer_all(struct world *w)
{
	struct nexthop *batch[BATCH_MAX], *flow[BATCH_MAX];

	find_batch(w, batch);
	find_flows(w, flow);
	for (unsigned i = 0; i < w->asked; i++) {
		bits addr = bits_of(w->ask[i].b);
		struct rt_addr probe = rt_addr_make(w->family, w->ask[i].b, w->most);
		const struct rtentry *rt = rib_match(0, &probe);
		int want = list_match(w, addr);

		assert_int_equal(hop_of(rt == NULL ? NULL : &rt->nh), want);
		assert_int_equal(hop_of(find_one(w, &w->ask[i])), want);
		assert_int_equal(hop_of(batch[i]), want);
		assert_int_equal(hop_of(flow[i]), want);
		if (++w->questions % SCAN_EVERY == 0)
			assert_int_equal(scan_match(w, addr), want);
	}
	w->asked = 0;
}

static void
ask(struct world *w, bits addr)
{
	bits_put(cut(addr, w->most), w->ask[w->asked++].b);
	if (w->asked == BATCH_MAX)
		answer_all(w);
}

/* The first and the last address of a prefix, and those before and behind it. */
static void
ask_around(struct world *w, const struct rib_prefix *p)
{
	bits first = bits_of(p->addr), one = (bits)1 << (128 - w->most);
	bits last = first | open_bits(p->plen);

	ask(w, first);
	ask(w, last);
	ask(w, first - one);
	ask(w, last + one);
}

static void
ask_everything(struct world *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		ask_around(w, &w->item[i]);
	answer_all(w);
}

/* --- the table ------------------------------------------------------------ */

static struct rt_request
request_of(const struct world *w, const struct rib_prefix *p, int hop)
{
	const uint8_t gw4[4] = { 10, 1, (uint8_t)(hop >> 8), (uint8_t)hop };
	const uint8_t gw6[16] = { 0x20, 1, [14] = (uint8_t)(hop >> 8), [15] = (uint8_t)hop };

	return (struct rt_request){
		.dst = rt_addr_make(w->family, p->addr, p->plen),
		.gateway = rt_addr_make(w->family, w->family == AF_INET ? gw4 : gw6, w->most),
		.ifp = w->mem.ifp,
		.flags = RTF_STATIC_,
	};
}

static void
item_add(struct world *w, struct rib_prefix *p, int hop)
{
	struct rt_request rq = request_of(w, p, hop);

	assert_int_equal(rib_add(&rq, NULL), 0);
	p->hop = (uint16_t)hop;
	w->present++;
}

static void
item_delete(struct world *w, struct rib_prefix *p)
{
	struct rt_request rq = request_of(w, p, p->hop);

	assert_int_equal(rib_delete(&rq), 0);
	p->hop = ABSENT;
	w->present--;
}

static void
item_change(struct world *w, struct rib_prefix *p, int hop)
{
	struct rt_request rq = request_of(w, p, hop);

	assert_int_equal(rib_change(&rq, NULL), 0);
	p->hop = (uint16_t)hop;
}

/* A prefix that comes, goes, or leads elsewhere. */
static void
change_one(struct world *w)
{
	struct rib_prefix *p = &w->item[rib_random(&w->seed) % w->n];
	int hop = (int)(rib_random(&w->seed) % RIB_HOPS);

	if (p->hop == ABSENT)
		item_add(w, p, hop);
	else if (hop % 2 == 0)
		item_delete(w, p);
	else
		item_change(w, p, hop);
	ask_around(w, p);
	/* of what is asked later another change may be the answer */
	answer_all(w);
}

/* Prefixes near those of the table, which are not in it: a change may add them. */
static void
add_others(struct world *w)
{
	uint32_t n = w->n;

	for (uint32_t i = 0; i < n; i += OTHERS) {
		struct rib_prefix *p = &w->item[w->n++];
		unsigned plen = w->item[i].plen + (unsigned)(rib_random(&w->seed) % 12) - 5;
		bits noise = (bits)rib_random(&w->seed) << 64;

		p->hop = ABSENT;
		p->plen = (uint8_t)(plen < w->most ? plen : w->most);
		noise &= open_bits(w->item[i].plen);
		bits_put(cut(bits_of(w->item[i].addr) | noise, p->plen), p->addr);
	}
}

/* In order, each once: what is in the table before what only may come. */
static void
sort_items(struct world *w)
{
	uint32_t n = 0;

	qsort(w->item, w->n, sizeof(*w->item), item_order);
	for (uint32_t i = 0; i < w->n; i++)
		if (n > 0 && item_order(&w->item[n - 1], &w->item[i]) == 0)
			w->item[n - 1].hop &= w->item[i].hop;
		else
			w->item[n++] = w->item[i];
	w->n = n;
	for (uint32_t i = n; i-- > 0;)
		w->first[w->item[i].plen] = i;
	for (unsigned plen = 130, next = n; plen-- > 0;) {
		if (w->first[plen] == 0 && w->item[0].plen != plen)
			w->first[plen] = next;
		next = w->first[plen];
	}
}

static void
set_sysctl(const char *name, const char *value)
{
	char why[80];

	assert_int_equal(sysctl_write(sysctl_find(name), value, why, sizeof(why)), 0);
}

static void
world_open(struct world *w, int family, const struct rib_table *t)
{
	struct rib_prefix *from = family == AF_INET ? t->p4 : t->p6;

	*w = (struct world){ .family = family, .most = family == AF_INET ? 32 : 128, .seed = 1 };
	w->n = family == AF_INET ? t->n4 : t->n6;
	w->item = calloc(w->n + w->n / OTHERS + 1, sizeof(*w->item));
	assert_non_null(w->item);
	memcpy(w->item, from, w->n * sizeof(*w->item));
	add_others(w);
	sort_items(w);
	memif_open(&w->mem, 0);
	assert_non_null(w->flows = flowtable_new("check", family, 0, FLOWS));
	fib_bulk_begin();
	for (uint32_t i = 0; i < w->n; i++)
		if (w->item[i].hop != ABSENT)
			item_add(w, &w->item[i], w->item[i].hop);
	assert_int_equal(fib_bulk_end(), 0);
}

static void
world_close(struct world *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->item[i].hop != ABSENT)
			item_delete(w, &w->item[i]);
	flowtable_free(w->flows);
	memif_close(&w->mem);
	rcu_synchronize();
	free(w->item);
}

static void
full_table(int family)
{
	struct rib_table t;
	struct flow_stats st;
	struct world w;

	if (getenv("LONG") == NULL || !rib_table_read(&t)) {
		print_message("# asks for LONG=1, and the table of shared/data or of WARREN_RIB\n");
		skip();
	}
	world_open(&w, family, &t);
	assert_int_equal(rib_count(0, family), w.present);
	ask_everything(&w);
	/* a batch then looks into the table of 2^24 answers, one address into the compact form */
	set_sysctl("net.route.fib_direct", "1");
	ask_everything(&w);
	for (unsigned i = 0; i < CHANGES; i++) {
		if (i == CHANGES / 2)
			set_sysctl("net.route.fib_direct", "0");
		change_one(&w);
		if (i % 64 == 0)
			rcu_poll();
	}
	ask_everything(&w);
	assert_int_equal(rib_count(0, family), w.present);
	flowtable_stats(w.flows, &st);
	assert_true(st.hits > w.questions / 2);
	world_close(&w);
	free(t.p4);
	free(t.p6);
}

static void
test_the_full_ipv4_table_has_one_answer_everywhere(void **state)
{
	(void)state;
	full_table(AF_INET);
}

static void
test_the_full_ipv6_table_has_one_answer_everywhere(void **state)
{
	(void)state;
	full_table(AF_INET6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_the_full_ipv4_table_has_one_answer_everywhere),
		KERN_TEST(test_the_full_ipv6_table_has_one_answer_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
