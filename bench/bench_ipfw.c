/*
 * bench_ipfw.c - matching with ClassBench's rule sets, written as ipfw rules, on one core.
 *
 *	match_SET_SIZE		ns a packet: fw_classify and the first candidate, 64 packets at a time
 *	compile_SET_SIZE	ms to compile the rules
 *	change_SET_10k		us of the upper half to follow one rule that came and one that went
 */
#include "bench_rules.h"

#include "base/clock.h"
#include "ipfw/classify.h"
#include "kern/kern.h"
#include "kern/vnet.h"

#include <stddef.h>

static struct bench_set set;
static uint64_t sink;

/* --- rules ---------------------------------------------------------------- */

static void
insn_net(struct fw_rule *r, enum fw_op op, uint32_t addr, unsigned len)
{
	struct fw_net *net = fw_rule_list(sizeof(*net));

	if (len == 0)
		return;
	bench_require(net != NULL);
	net->mask = __builtin_bswap32(bench_mask(len));
	net->addr = __builtin_bswap32(addr) & net->mask;
	r->insn[r->n_insns++] = (struct fw_insn){ .op = (uint8_t)op, .n = 1, .u.net = net };
}

static void
insn_ports(struct fw_rule *r, enum fw_op op, const uint16_t port[2])
{
	struct fw_range *range = fw_rule_list(sizeof(*range));

	if (port[0] == 0 && port[1] == 65535)
		return;
	bench_require(range != NULL);
	*range = (struct fw_range){ port[0], port[1] };
	r->insn[r->n_insns++] = (struct fw_insn){ .op = (uint8_t)op, .n = 1, .u.range = range };
}

static struct fw_rule *
rule_of(const struct bench_rule *b, uint32_t i)
{
	struct fw_rule *r = fw_rule_alloc(6);

	bench_require(r != NULL);
	r->n_insns = 0;
	r->number = (uint16_t)(1 + i);
	r->id = i + 1;
	r->action = i % 2 == 0 ? FW_ACT_ALLOW : FW_ACT_DENY;
	if (b->proto_mask != 0)
		r->insn[r->n_insns++] = (struct fw_insn){ .op = FW_OP_PROTO, .n = b->proto };
	insn_net(r, FW_OP_SRC, b->src, b->src_len);
	insn_net(r, FW_OP_DST, b->dst, b->dst_len);
	insn_ports(r, FW_OP_SRC_PORT, b->sport);
	insn_ports(r, FW_OP_DST_PORT, b->dport);
	if (b->flags_mask != 0)
		r->insn[r->n_insns++] = (struct fw_insn){
			.op = FW_OP_TCPFLAGS, .n = b->flags, .arg = b->flags_mask & ~b->flags
		};
	return r;
}

static struct fw_map *
map_of_set(void)
{
	struct fw_map *map = calloc(1, sizeof(*map) + (set.n + 1) * sizeof(map->rule[0]));

	bench_require(map != NULL);
	map->id = 1;
	map->n = set.n + 1;
	for (uint32_t i = 0; i < set.n; i++)
		map->rule[i] = rule_of(&set.rule[i], i);
	map->rule[set.n] = fw_rule_alloc(0);
	map->rule[set.n]->number = FW_NUMBER_MAX;
	map->rule[set.n]->id = set.n + 1;
	map->rule[set.n]->action = FW_ACT_DENY;
	return map;
}

static struct fw_packet
packet_of(const struct bench_header *h)
{
	bool tcp = h->proto == 6, udp = h->proto == 17;

	return (struct fw_packet){ .in = true,
		.ip = 4,
		.proto = h->proto,
		.has_ports = tcp || udp,
		.has_tcp = tcp,
		.has_icmp = h->proto == 1,
		.tcp_flags = tcp ? h->flags : 0,
		.sport = tcp || udp ? h->sport : 0,
		.dport = tcp || udp ? h->dport : 0,
		.src = __builtin_bswap32(h->src),
		.dst = __builtin_bswap32(h->dst) };
}

/* --- figures -------------------------------------------------------------- */

static void
say(const char *what, const char *name, const char *size, double value, const char *unit)
{
	char figure[64];

	snprintf(figure, sizeof(figure), "%s_%s_%s", what, name, size);
	bench_say(figure, value, unit);
}

/* What the classifier says is the first match that all rules, tried in order, say. */
static void
check(const struct fw_classifier *c)
{
	struct fw_candidates k;
	bool decided;

	for (uint32_t i = 0; i < set.headers; i += 37) {
		struct fw_packet packet = packet_of(&set.header[i]);
		const struct fw_packet *p = &packet;
		uint32_t first = 0;

		while (first < set.n && !bench_rule_matches(&set.rule[first], &set.header[i]))
			first++;
		fw_classify(c, &p, 1, &k);
		bench_require(fw_candidate(&k, 0, &decided) == first);
		bench_require(decided);
	}
}

static uint64_t
match_slice(void *ctx, uint32_t from, uint32_t n)
{
	static struct fw_candidates k[64];
	static struct fw_packet packet[64];
	const struct fw_packet *p[64];
	uint64_t ns = 0;

	for (uint32_t i = from; i < from + n; i += 64) {
		for (uint32_t j = 0; j < 64; j++) {
			packet[j] = packet_of(&set.header[i + j]);
			p[j] = &packet[j];
		}
		ns -= bench_now_ns();
		fw_classify(ctx, p, 64, k);
		for (uint32_t j = 0; j < 64; j++) {
			bool decided;

			sink += fw_candidate(&k[j], 0, &decided);
		}
		ns += bench_now_ns();
	}
	return ns;
}

int
main(int argc, char **argv)
{
	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	curvnet = vnet0;
	for (unsigned s = 0; s < 3; s++)
		for (unsigned z = 0; z < 3; z++) {
			struct fw_map *map;
			double compile = 1e9;

			if (argc > 1 && strstr(argv[1], bench_set_names[s]) == NULL)
				continue;
			if (argc > 2 && strcmp(argv[2], bench_set_sizes[z]) != 0)
				continue;
			bench_set_load(&set, bench_set_names[s], bench_set_sizes[z]);
			map = map_of_set();
			for (int i = 0; i < 5; i++) {
				uint64_t start = bench_now_ns();
				double ms;

				fw_classifier_free(map->classifier);
				map->classifier = fw_classifier_build(map);
				ms = (double)(bench_now_ns() - start) * 1e-6;
				compile = ms < compile ? ms : compile;
			}
			bench_require(map->classifier != NULL);
			struct fw_classifier_stats st;
			fw_classifier_stats(map->classifier, &st);
			check(map->classifier);
			say("match", set.n > 0 ? bench_set_names[s] : "", bench_set_sizes[z],
			    bench_slices(set.headers, match_slice, map->classifier), "ns");
			say("compile", bench_set_names[s], bench_set_sizes[z], compile, "ms");
			say("memory", bench_set_names[s], bench_set_sizes[z],
			    (double)st.bytes / 1e6, "MB");
		}
	return sink == 0;
}
