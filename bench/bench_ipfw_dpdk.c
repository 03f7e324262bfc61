/*
 * bench_ipfw_dpdk.c - the peer of bench_ipfw.c: DPDK's rte_acl, of Debian's dpdk, with the same rules and
 * headers, in bursts of 256. Each figure is that of its best method. Its rules are those of five
 * fields; of ClassBench's TCP flags it sees nothing, which is less work for it.
 *
 *	rte_acl_SET_SIZE		ns a packet
 *	rte_acl_compile_SET_10k	ms to build
 */
#include "bench_rules.h"

#include <rte_acl.h>
#include <rte_eal.h>

enum { BURST = 256, FIELDS = 5 };

/* As rte_acl wants to find it: network order. */
struct key {
	uint8_t proto;
	uint8_t pad_[3];
	uint32_t src, dst;
	uint16_t sport, dport;
};
RTE_ACL_RULE_DEF(acl_rule, FIELDS);

static struct bench_set set;
static struct key key[HEADERS_MAX];
static uint64_t sink;

static const struct rte_acl_field_def field[FIELDS] = {
	{ RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, offsetof(struct key, proto) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, offsetof(struct key, src) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, offsetof(struct key, dst) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, offsetof(struct key, sport) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, offsetof(struct key, dport) },
};

static struct rte_acl_ctx *
acl_build(double *ms)
{
	struct rte_acl_param param = {
		.name = "peer", .rule_size = RTE_ACL_RULE_SZ(FIELDS), .max_rule_num = RULES_MAX + 1
	};
	struct rte_acl_config config = { .num_categories = 1, .num_fields = FIELDS };
	struct rte_acl_ctx *acl = rte_acl_create(&param);
	uint64_t start;

	bench_require(acl != NULL);
	for (uint32_t i = 0; i < set.n; i++) {
		const struct bench_rule *b = &set.rule[i];
		struct acl_rule r = { .data = { .category_mask = 1,
					  .priority = (int32_t)(set.n - i),
					  .userdata = i + 1 } };

		r.field[0].value.u8 = b->proto;
		r.field[0].mask_range.u8 = b->proto_mask;
		r.field[1].value.u32 = b->src;
		r.field[1].mask_range.u32 = b->src_len;
		r.field[2].value.u32 = b->dst;
		r.field[2].mask_range.u32 = b->dst_len;
		r.field[3].value.u16 = b->sport[0];
		r.field[3].mask_range.u16 = b->sport[1];
		r.field[4].value.u16 = b->dport[0];
		r.field[4].mask_range.u16 = b->dport[1];
		bench_require(rte_acl_add_rules(acl, (struct rte_acl_rule *)&r, 1) == 0);
	}
	memcpy(config.defs, field, sizeof(field));
	start = bench_now_ns();
	bench_require(rte_acl_build(acl, &config) == 0);
	*ms = (double)(bench_now_ns() - start) * 1e-6;
	return acl;
}

static uint64_t
classify_slice(void *ctx, uint32_t from, uint32_t n)
{
	static struct key burst[BURST];
	const uint8_t *data[BURST];
	uint32_t result[BURST];
	uint64_t ns = 0;

	for (uint32_t i = from; i < from + n; i += BURST) {
		uint32_t now = from + n - i < BURST ? from + n - i : BURST;

		for (uint32_t j = 0; j < now; j++) {
			burst[j] = key[i + j];
			data[j] = (const uint8_t *)&burst[j];
		}
		ns -= bench_now_ns();
		rte_acl_classify(ctx, data, result, now, 1);
		ns += bench_now_ns();
		sink += result[0] + result[now - 1];
	}
	return ns;
}

static double
best_ns(struct rte_acl_ctx *acl)
{
	double best = 0;

	for (int alg = RTE_ACL_CLASSIFY_SCALAR; alg <= RTE_ACL_CLASSIFY_AVX512X32; alg++) {
		double ns;

		if (rte_acl_set_ctx_classify(acl, (enum rte_acl_classify_alg)alg) != 0)
			continue;
		ns = bench_slices(set.headers, classify_slice, acl);
		best = best == 0 || ns < best ? ns : best;
	}
	return best;
}

static void
measure(const char *name, const char *size)
{
	struct rte_acl_ctx *acl;
	char figure[64];
	double ms;

	bench_set_load(&set, name, size);
	for (uint32_t i = 0; i < set.headers; i++) {
		const struct bench_header *h = &set.header[i];

		key[i] = (struct key){ .proto = h->proto,
			.src = __builtin_bswap32(h->src),
			.dst = __builtin_bswap32(h->dst),
			.sport = __builtin_bswap16(h->sport),
			.dport = __builtin_bswap16(h->dport) };
	}
	acl = acl_build(&ms);
	snprintf(figure, sizeof(figure), "rte_acl_%s_%s", name, size);
	bench_say(figure, best_ns(acl), "ns");
	snprintf(figure, sizeof(figure), "rte_acl_compile_%s_%s", name, size);
	bench_say(figure, ms, "ms");
	rte_acl_free(acl);
}

int
main(void)
{
	char *args[] = { "bench", "--no-huge", "--no-pci", "--no-shconf", "-l", "0", "--log-level",
		"1", "-m", "2048", NULL };

	bench_require(rte_eal_init((int)(sizeof(args) / sizeof(args[0])) - 1, args) >= 0);
	for (unsigned s = 0; s < sizeof(bench_set_names) / sizeof(bench_set_names[0]); s++)
		for (unsigned z = 0; z < sizeof(bench_set_sizes) / sizeof(bench_set_sizes[0]); z++)
			measure(bench_set_names[s], bench_set_sizes[z]);
	return sink == 0;
}
