/*
 * bench_rules.h - ClassBench's rule sets and packet headers, for us and for those beside us. They are
 * looked for in $WARREN_CLASSBENCH, else in the folder of shared data beside the source.
 */
#ifndef WARREN_BENCH_RULES_H
#define WARREN_BENCH_RULES_H

#include "bench.h"

#include <string.h>

enum { RULES_MAX = 10000, HEADERS_MAX = 100000, RULES_SKIPPED = 77 };

struct bench_rule { /* host order; flags and mask are the header's byte */
	uint32_t src, dst;
	uint8_t src_len, dst_len, proto, proto_mask, flags, flags_mask;
	uint16_t sport[2], dport[2];
};
struct bench_header {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t proto, flags;
};
struct bench_set {
	uint32_t n, headers;
	struct bench_rule rule[RULES_MAX];
	struct bench_header header[HEADERS_MAX];
};

static const char *const bench_set_names[] = { "acl1", "fw1", "ipc1" };
static const char *const bench_set_sizes[] = { "100", "1k", "10k" };

static inline FILE *
bench_set_open(const char *name, const char *size, const char *kind)
{
	const char *folder = getenv("WARREN_CLASSBENCH");
	char path[512], command[2 * sizeof(path) + 64];

	snprintf(path, sizeof(path), "%s/%s_%s.%s", folder != NULL ? folder : BENCH_CLASSBENCH,
	    name, size, kind);
	snprintf(command, sizeof(command), "cat %s 2>&- || xz -dcq %s.xz 2>&-", path, path);
	return popen(command, "r");
}

static inline uint32_t
bench_ip(const unsigned b[4])
{
	return b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* A line of a rule file: @src/len dst/len lo : hi lo : hi proto/mask flags/mask. */
static inline int
bench_rule_scan(struct bench_rule *r, const char *line)
{
	unsigned s[5], d[5], sp[2], dp[2], proto[2], flags[2];

	if (sscanf(line, "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u %x/%x %x/%x", s, s + 1,
		s + 2, s + 3, s + 4, d, d + 1, d + 2, d + 3, d + 4, sp, sp + 1, dp, dp + 1, proto,
		proto + 1, flags, flags + 1) != 18)
		return 0;
	*r = (struct bench_rule){ bench_ip(s), bench_ip(d), (uint8_t)s[4], (uint8_t)d[4],
		(uint8_t)proto[0], (uint8_t)proto[1], (uint8_t)(flags[0] >> 8),
		(uint8_t)(flags[1] >> 8), { (uint16_t)sp[0], (uint16_t)sp[1] },
		{ (uint16_t)dp[0], (uint16_t)dp[1] } };
	/* the upper byte of ClassBench's word is the header's; of it six bits are flags */
	r->flags_mask &= 0x3f;
	r->flags &= r->flags_mask;
	if (r->proto_mask == 0)
		r->proto = 0;
	return 1;
}

/* Both files; ends with RULES_SKIPPED where they are not there. */
static inline void
bench_set_load(struct bench_set *set, const char *name, const char *size)
{
	FILE *f = bench_set_open(name, size, "rules");
	char line[256];

	set->n = set->headers = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL && set->n < RULES_MAX)
		set->n += (uint32_t)bench_rule_scan(&set->rule[set->n], line);
	if (f != NULL)
		pclose(f);
	f = bench_set_open(name, size, "trace");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL && set->headers < HEADERS_MAX) {
		struct bench_header *h = &set->header[set->headers];
		unsigned v[6];

		if (sscanf(line, "%u %u %u %u %u %u", v, v + 1, v + 2, v + 3, v + 4, v + 5) != 6)
			continue;
		*h = (struct bench_header){ v[0], v[1], (uint16_t)v[2], (uint16_t)v[3],
			(uint8_t)v[4], (uint8_t)(v[5] >> 8 & 0x3f) };
		set->headers++;
	}
	if (f != NULL)
		pclose(f);
	if (set->n == 0 || set->headers == 0) {
		fprintf(stderr, "no ClassBench sets\n");
		exit(RULES_SKIPPED);
	}
}

enum { SLICE_HEADERS = 512, SLICES_MAX = HEADERS_MAX / SLICE_HEADERS + 1, SLICE_ROUNDS = 60 };

/*
 * ns a packet: the trace in short slices, several times over, of each slice the least. Who else runs
 * on the machine disturbs some slices of some rounds, not the same one every time. run() says how long
 * it took, without the making of its keys: whoever received the packets has just read them.
 */
static inline double
bench_slices(uint32_t headers, uint64_t (*run)(void *ctx, uint32_t from, uint32_t n), void *ctx)
{
	static uint64_t least[SLICES_MAX];
	uint32_t slices = headers / SLICE_HEADERS, slice = SLICE_HEADERS;
	uint64_t sum = 0;

	if (slices == 0) {
		slices = 1;
		slice = headers / 64 * 64;
	}
	for (uint32_t round = 0; round < SLICE_ROUNDS; round++)
		for (uint32_t s = 0; s < slices; s++) {
			uint64_t ns = run(ctx, s * slice, slice);

			if (round == 0 || ns < least[s])
				least[s] = ns;
		}
	for (uint32_t s = 0; s < slices; s++)
		sum += least[s];
	return (double)sum / slices / slice;
}

static inline uint32_t
bench_mask(unsigned len)
{
	return len == 0 ? 0 : ~0u << (32 - len);
}

/* Does a header with ports match? The slow, obvious way. */
static inline int
bench_rule_matches(const struct bench_rule *r, const struct bench_header *h)
{
	int ports = h->proto == 6 || h->proto == 17;
	int any = r->sport[0] == 0 && r->sport[1] == 65535 && r->dport[0] == 0 &&
	    r->dport[1] == 65535;

	if (((h->src ^ r->src) & bench_mask(r->src_len)) != 0 ||
	    ((h->dst ^ r->dst) & bench_mask(r->dst_len)) != 0 ||
	    ((h->proto ^ r->proto) & r->proto_mask) != 0)
		return 0;
	if (r->flags_mask != 0 && (h->proto != 6 || (h->flags & r->flags_mask) != r->flags))
		return 0;
	return any ||
	    (ports && h->sport >= r->sport[0] && h->sport <= r->sport[1] &&
		h->dport >= r->dport[0] && h->dport <= r->dport[1]);
}

#endif
