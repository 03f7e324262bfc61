/*
 * classify_walk.c - packets ask which rules can match them.
 *
 *	fw_classify	fields -> classes -> summaries -> lines that can have a match -> rules
 *	fw_candidate	the lowest slot from there on, out of those that were found
 *
 * Nearly always a packet has a few matches, which are found all at once and not sorted: the first of
 * them is the verdict as a rule. If there are more than there is room for, the lowest ones are kept,
 * and whoever asks for more has them looked for again from there on.
 */
#include "ipfw/classify_internal.h"

enum { ITEMS = 512 };

/* A line of one packet that is worth a look. */
struct item {
	const struct fw_line *side[2];
	uint32_t packet, line;
};

/* Packets on their way. */
struct job {
	uint32_t n;
	const struct fw_packet *const *p;
	struct fw_walk *walk[FW_BATCH];
	uint32_t key[2][FW_BATCH]; /* addresses, host order */
	uint64_t not4;
};

typedef uint64_t vector __attribute__((vector_size(64), may_alias));

/* --- fields of a packet --------------------------------------------------- */

static inline uint32_t
packet_shape(const struct fw_packet *p)
{
	return (p->in ? FW_SHAPE_IN : 0) | (p->layer2 ? FW_SHAPE_LAYER2 : 0) |
	    (p->later_fragment ? FW_SHAPE_LATER : 0) |
	    (p->ip == 4        ? FW_SHAPE_IP4 :
		    p->ip == 6 ? FW_SHAPE_IP6 :
				 0);
}

static inline uint32_t
packet_icmp(const struct fw_packet *p)
{
	return !p->has_icmp ? 512 : p->ip == 6 ? 256u + p->icmp_type : p->icmp_type;
}

static inline uint32_t
packet_kind(const struct fw_compiled *c, const struct fw_packet *p)
{
	return c->kind[c->proto[p->ip == 0 ? 256 : p->proto] + c->shape[packet_shape(p)] +
	    c->tcp[p->has_tcp ? p->tcp_flags : 256] + c->icmp[packet_icmp(p)]];
}

static uint32_t
iface_class(const struct fw_compiled *c, const struct ifnet *ifp)
{
	return ifp == NULL ? c->n_names + 1 : fw_name_class(c->names, c->n_names, ifp->if_xname);
}

static uint32_t
packet_way(const struct fw_compiled *c, const struct fw_packet *p)
{
	uint32_t recv = iface_class(c, p->recv), xmit = iface_class(c, p->xmit);

	return c->way[c->recv[recv] + c->xmit[xmit] + c->via[p->in ? recv : xmit]];
}

/* Packets that go the same way, of which a batch has many, ask for it once. */
struct last_way {
	const struct ifnet *recv, *xmit;
	bool in, known;
	uint32_t class;
};

static uint32_t
packet_way_again(const struct fw_compiled *c, const struct fw_packet *p, struct last_way *last)
{
	if (!last->known || last->recv != p->recv || last->xmit != p->xmit || last->in != p->in)
		*last = (struct last_way){ p->recv, p->xmit, p->in, true, packet_way(c, p) };
	return last->class;
}

static inline void
packet_dense(const struct fw_compiled *c, const struct fw_packet *p, struct fw_walk *walk,
    struct last_way *last)
{
	uint32_t d = 0;

	if (c->has_sport)
		walk->dense[d++] = c->sport[p->has_ports ? p->sport : FW_NO_PORT];
	if (c->has_dport)
		walk->dense[d++] = c->dport[p->has_ports ? p->dport : FW_NO_PORT];
	if (c->has_kind)
		walk->dense[d++] = packet_kind(c, p);
	if (c->has_way)
		walk->dense[d++] = packet_way_again(c, p, last);
}

/* The classes of addresses that are not IPv4. */
static void
classes_not4(const struct fw_compiled *c, const struct fw_packet *p, struct fw_walk *walk)
{
	if (p->ip == 6) {
		walk->class[0] = fw_addresses_find6(c->src, &p->src6);
		walk->class[1] = fw_addresses_find6(c->dst, &p->dst6);
	} else {
		walk->class[0] = c->src->none;
		walk->class[1] = c->dst->none;
	}
}

/* Where a class has this line; nowhere: where the rules are that say nothing of addresses. */
static inline const struct fw_line *
class_line(const struct fw_addresses *a, const struct fw_class *k, uint32_t bit, uint32_t line)
{
	uint32_t before = (uint32_t)__builtin_popcountll(k->sum & ((1ull << bit) - 1));

	return k->sum >> bit & 1 ? a->line + k->first + before : a->wild + line;
}

/* --- one way for each kind of machine ------------------------------------- */

/* How many of n sorted numbers, of which the first is one, are <= low. */
static inline uint32_t
rank_plain(const uint16_t *start, uint32_t n, uint16_t low)
{
	const uint16_t *base = start;

	while (n > 1) {
		uint32_t half = n / 2;

		base += base[half] <= low ? half : 0;
		n -= half;
	}
	return (uint32_t)(base - start) + 1;
}

/* Which words are not zero. */
static inline uint32_t
words_plain(const uint64_t *w)
{
	uint32_t words = 0;

	for (uint32_t i = 0; i < FW_LINE_WORDS; i++)
		words |= (uint32_t)(w[i] != 0) << i;
	return words;
}

#define LANES(name) name##_plain
#define LANES_TARGET
#include "ipfw/classify_lanes.h"
#undef LANES
#undef LANES_TARGET

static void (*match)(const struct fw_classifier *, struct job *) = match_plain;

#ifdef __x86_64__
#include <immintrin.h>

/* What compilers call by these names: the machines of 2013 and of 2017. */
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#define TARGET_AVX512                                                                              \
	__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,popcnt,lzcnt")))

TARGET_AVX2 static inline uint32_t
rank_avx2(const uint16_t *start, uint32_t n, uint16_t low)
{
	__m256i key = _mm256_set1_epi16((short)low);
	uint32_t rank = 0;

	for (uint32_t i = 0; i < n; i += 16) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(start + i));
		__m256i least = _mm256_min_epu16(x, key);
		uint32_t le = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi16(least, x));
		uint32_t here = n - i < 16 ? n - i : 16;

		rank += (uint32_t)__builtin_popcount(_bzhi_u32(le, 2 * here)) / 2;
	}
	return rank;
}

TARGET_AVX2 static inline uint32_t
words_avx2(const uint64_t *w)
{
	__m256i zero = _mm256_setzero_si256();
	__m256i a = _mm256_load_si256((const __m256i *)(const void *)w);
	__m256i b = _mm256_load_si256((const __m256i *)(const void *)(w + 4));
	uint32_t none = (uint32_t)_mm256_movemask_pd(
			    _mm256_castsi256_pd(_mm256_cmpeq_epi64(a, zero))) |
	    (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(b, zero))) << 4;

	return none ^ 0xff;
}

#define LANES(name) name##_avx2
#define LANES_TARGET TARGET_AVX2
#include "ipfw/classify_lanes.h"
#undef LANES
#undef LANES_TARGET

TARGET_AVX512 static inline uint32_t
rank_avx512(const uint16_t *start, uint32_t n, uint16_t low)
{
	__m512i key = _mm512_set1_epi16((short)low);
	uint32_t rank = 0;

	for (uint32_t i = 0; i < n; i += 32) {
		__m512i x = _mm512_loadu_si512(start + i);
		uint32_t le = _mm512_cmple_epu16_mask(x, key);

		rank += (uint32_t)__builtin_popcount(_bzhi_u32(le, n - i < 32 ? n - i : 32));
	}
	return rank;
}

TARGET_AVX512 static inline uint32_t
words_avx512(const uint64_t *w)
{
	__m512i x = _mm512_load_si512(w);

	return _mm512_test_epi64_mask(x, x);
}

#define LANES(name) name##_avx512
#define LANES_TARGET TARGET_AVX512
#include "ipfw/classify_lanes.h"
#undef LANES
#undef LANES_TARGET

__attribute__((constructor)) static void
match_choose(void)
{
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi2"))
		match = match_avx512;
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		match = match_avx2;
}
#endif

/* --- more matches than there is room for ---------------------------------- */

/* Those seen so far with the lowest slots: a heap, the highest of them first. */
static void
heap_down(uint32_t *key, uint32_t n, uint32_t at)
{
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		uint32_t t = key[at];

		child += child + 1 < n && key[child + 1] > key[child];
		if (key[child] <= t)
			return;
		key[at] = key[child];
		key[child] = t;
	}
}

static void
heap_add(struct fw_walk *walk, uint32_t key)
{
	if (walk->n < FW_WALK_KEYS) {
		walk->key[walk->n++] = key;
		if (walk->n == FW_WALK_KEYS)
			for (uint32_t i = FW_WALK_KEYS / 2; i-- > 0;)
				heap_down(walk->key, walk->n, i);
		return;
	}
	/* The highest is not kept, and whatever is above it is not known. */
	if (key < walk->key[0]) {
		walk->hi = walk->key[0] >> 1;
		walk->key[0] = key;
		heap_down(walk->key, walk->n, 0);
	} else if (key >> 1 < walk->hi) {
		walk->hi = key >> 1;
	}
}

static void
refill_line(const struct fw_classifier *k, struct fw_walk *walk, uint32_t line,
    const struct fw_line *side[2])
{
	const struct fw_compiled *c = k->compiled;

	for (uint32_t w = 0; w < FW_LINE_WORDS; w++) {
		uint64_t bits = (side[0]->w[w] | c->src->wild[line].w[w]) &
		    (side[1]->w[w] | c->dst->wild[line].w[w]);

		for (uint32_t d = 0; d < c->n_dense; d++)
			bits &= c->dense[d].line[(size_t)walk->dense[d] * c->lines + line].w[w];
		for (; bits != 0; bits &= bits - 1) {
			uint32_t pos = line * FW_LINE_BITS + w * 64 +
			    (uint32_t)__builtin_ctzll(bits);

			if (k->key[pos] >> 1 >= walk->lo && k->key[pos] != FW_SLOT_NONE)
				heap_add(walk, k->key[pos]);
		}
	}
}

/* Look again, for the lowest matches from `lo` on. */
static void
refill(const struct fw_classifier *k, struct fw_walk *walk, uint32_t lo)
{
	const struct fw_compiled *c = k->compiled;

	walk->lo = lo;
	walk->hi = FW_SLOT_NONE;
	walk->n = 0;
	for (uint32_t line = 0; line < c->lines; line++) {
		uint32_t s = line / 64, bit = line % 64;
		struct fw_class x = c->src->class[(size_t)walk->class[0] * c->sums + s];
		struct fw_class y = c->dst->class[(size_t)walk->class[1] * c->sums + s];
		const struct fw_line *side[2] = { class_line(c->src, &x, bit, line),
			class_line(c->dst, &y, bit, line) };

		if (k->line_last[line] >= lo && k->line_first[line] < walk->hi)
			refill_line(k, walk, line, side);
	}
}

/* --- the entrances -------------------------------------------------------- */

static void
job_add(struct job *job, const struct fw_compiled *c, const struct fw_packet *p,
    struct fw_candidates *out, struct last_way *last)
{
	uint32_t i = job->n++;
	struct fw_walk *walk = job->walk[i] = fw_walk_of(out);

	walk->lo = 0;
	walk->hi = FW_SLOT_NONE;
	walk->n = 0;
	job->key[0][i] = __builtin_bswap32(p->src);
	job->key[1][i] = __builtin_bswap32(p->dst);
	job->not4 |= (uint64_t)(p->ip != 4) << i;
	__builtin_prefetch(&c->src->root[job->key[0][i] >> 16]);
	__builtin_prefetch(&c->dst->root[job->key[1][i] >> 16]);
	packet_dense(c, p, walk, last);
}

void
fw_classify(const struct fw_classifier *c, const struct fw_packet *const *p, uint32_t n,
    struct fw_candidates *out)
{
	struct last_way last = { .known = false };

	while (n > 0) {
		struct job job = { .p = p };
		uint32_t now = n < FW_BATCH ? n : FW_BATCH;

		for (uint32_t i = 0; i < now; i++) {
			out[i].c = c;
			job_add(&job, c->compiled, p[i], &out[i], &last);
		}
		match(c, &job);
		p += now;
		out += now;
		n -= now;
	}
}

/* The lowest key of those found with a slot from `from` on. */
static inline uint32_t
lowest(const struct fw_walk *walk, uint32_t from)
{
	uint32_t best = FW_SLOT_NONE, least = from << 1;

	for (uint32_t i = 0; i < walk->n; i++)
		if (walk->key[i] >= least && walk->key[i] < best)
			best = walk->key[i];
	return best;
}

static uint32_t
found(const struct fw_classifier *c, struct fw_walk *walk, uint32_t from)
{
	uint32_t key;

	if (walk->n > FW_WALK_KEYS || from < walk->lo || from >= walk->hi)
		refill(c, walk, from);
	key = lowest(walk, from);
	if (key == FW_SLOT_NONE && walk->hi != FW_SLOT_NONE) {
		refill(c, walk, walk->hi);
		key = lowest(walk, from);
	}
	return key;
}

/* The first rule from `from` on that came after the others were compiled. */
static uint32_t
pending(const struct fw_classifier *c, uint32_t from)
{
	uint32_t lo = 0, hi = c->n_pending;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->pending[mid] < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n_pending ? c->pending[lo] : FW_SLOT_NONE;
}

uint32_t
fw_candidate(struct fw_candidates *k, uint32_t from, bool *decided)
{
	uint32_t key = found(k->c, fw_walk_of(k), from), came;

	*decided = !(key & 1);
	if (k->c->n_pending != 0) {
		came = pending(k->c, from);
		if (came < key >> 1) {
			*decided = false;
			return came;
		}
	}
	return key == FW_SLOT_NONE ? key : key >> 1;
}
