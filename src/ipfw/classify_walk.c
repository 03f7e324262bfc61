/*
 * classify_walk.c - packets ask which rules can match them.
 *
 *	fw_classify	fields -> classes -> summaries -> lines that can have a match -> of each the first
 *	fw_candidate	the lowest of those; from a later slot on: the lines are looked at again
 *
 * Nearly always a packet has matches in two or three lines, and the lowest of their first ones is the
 * verdict. If there are more lines than there is room for, those with the lowest matches are kept, and
 * whoever gets as far as what was not kept has all lines looked at again from there on.
 */
#include "ipfw/classify_internal.h"

/* Packets on their way: 64 lines each at most in one word of summary, and room to write past them. */
struct job {
	uint32_t n;
	const struct fw_packet *const *p;
	struct fw_candidates *out;
	uint64_t key[FW_BATCH]; /* IPv4 addresses, host order: source << 32 | destination */
	uint64_t not4;          /* packets that have none, by bit */
	uint32_t word[2][FW_BATCH];
	/* lines that can have a match */
	uint8_t packet[FW_BATCH * 64 + 64], bit[FW_BATCH * 64 + 64];
	const struct fw_line *line[2][FW_BATCH * 64];
};

static inline struct fw_walk *
job_walk(const struct job *job, uint32_t i)
{
	return fw_walk_of(&job->out[i]);
}

typedef uint64_t vector __attribute__((vector_size(64), may_alias));

/* One of two, without a branch: what packets are can't be foretold. */
static inline uint32_t
choose32(bool first, uint32_t a, uint32_t b)
{
	return b ^ ((a ^ b) & -(uint32_t)first);
}

static inline const void *
choose(bool first, const void *a, const void *b)
{
	uintptr_t mask = -(uintptr_t)first;

	return (const void *)(((uintptr_t)a & mask) | ((uintptr_t)b & ~mask));
}

/* --- fields of packets: each is looked up for all of them, without a branch -- */

/* in, layer2, later_fragment, ip: four bytes to the bits of enum fw_shape, by one multiplication. */
static inline uint32_t
packet_shape(const struct fw_packet *p)
{
	_Static_assert(offsetof(struct fw_packet, layer2) == offsetof(struct fw_packet, in) + 1 &&
		offsetof(struct fw_packet, later_fragment) == offsetof(struct fw_packet, in) + 2 &&
		offsetof(struct fw_packet, ip) == offsetof(struct fw_packet, in) + 3,
	    "they are read at once");
	return load32(&p->in) * (UINT64_C(1) << 24 | 1 << 17 | 1 << 10 | 1 << 2) >> 24 &
	    (FW_SHAPES - 1);
}

static inline uint32_t
packet_kind(const struct fw_compiled *c, const struct fw_packet *p)
{
	_Static_assert(
	    offsetof(struct fw_packet, has_tcp) == offsetof(struct fw_packet, tcp_flags) + 1 &&
		offsetof(struct fw_packet, has_icmp) == offsetof(struct fw_packet, icmp_type) + 1,
	    "they are read at once");
	return c->kind[c->proto[p->proto | (p->ip == 0) << 8] + c->shape[packet_shape(p)] +
	    c->tcp[load16(&p->tcp_flags)] + c->icmp[load16(&p->icmp_type) | (p->ip & 2u) << 8]];
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

static void
job_dports(const struct job *job, const struct fw_compiled *c)
{
	const uint32_t n = job->n, base = c->base[FW_DENSE_DPORT], stride = c->stride;

	for (uint32_t i = 0; i < n; i++) {
		const struct fw_packet *p = job->p[i];

		job_walk(job, i)->dense[FW_DENSE_DPORT] = base +
		    stride * c->dport[choose32(p->has_ports, p->dport, FW_NO_PORT)];
	}
}

static void
job_sports(const struct job *job, const struct fw_compiled *c)
{
	const uint32_t n = job->n, base = c->base[FW_DENSE_SPORT], stride = c->stride;

	for (uint32_t i = 0; i < n; i++) {
		const struct fw_packet *p = job->p[i];

		job_walk(job, i)->dense[FW_DENSE_SPORT] = base +
		    stride * c->sport[choose32(p->has_ports, p->sport, FW_NO_PORT)];
	}
}

static void
job_kinds(const struct job *job, const struct fw_compiled *c)
{
	const uint32_t n = job->n, base = c->base[FW_DENSE_KIND], stride = c->stride;

	for (uint32_t i = 0; i < n; i++)
		job_walk(job, i)->dense[FW_DENSE_KIND] = base + stride * packet_kind(c, job->p[i]);
}

/* Packets that go the same way, of which a batch has many, ask for it once. */
static void
job_ways(const struct job *job, const struct fw_compiled *c)
{
	const struct fw_packet *last = NULL;
	const uint32_t n = job->n;
	uint32_t block = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct fw_packet *p = job->p[i];

		if (last == NULL || last->recv != p->recv || last->xmit != p->xmit ||
		    last->in != p->in)
			block = c->base[FW_DENSE_WAY] + c->stride * packet_way(c, p);
		job_walk(job, i)->dense[FW_DENSE_WAY] = block;
		last = p;
	}
}

/*
 * Their walks begin: with their addresses, of which the first table's entries are on their way here,
 * and with block 0, which lets all rules match, for fields that tell no rules apart.
 */
static void
job_begin(struct job *job, const struct fw_classifier *k)
{
	const uint32_t *root0 = k->compiled->src->root, *root1 = k->compiled->dst->root;
	const uint32_t known = k->n_pending == 0 ? FW_WALK_HEADS : 0, n = job->n;
	unsigned odd = 0;

	_Static_assert(
	    offsetof(struct fw_packet, dst) == offsetof(struct fw_packet, src) + sizeof(uint32_t),
	    "both are read at once");
	for (uint32_t i = 0; i < n; i++) {
		const struct fw_packet *p = job->p[i];
		struct fw_walk *walk = job_walk(job, i);
		uint64_t key = __builtin_bswap64(load64(&p->src));

		job->key[i] = key;
		__builtin_prefetch(&root0[key >> 48]);
		__builtin_prefetch(&root1[key >> 16 & 0xffff]);
		odd |= p->ip ^ 4u;
		walk->c = k;
		walk->lo = 0;
		walk->first = FW_SLOT_NONE;
		walk->n = 0;
		walk->known = known;
		memset(walk->dense, 0, sizeof(walk->dense));
		walk->hi = FW_SLOT_NONE;
	}
	job->not4 = 0;
	for (uint32_t i = 0; odd != 0 && i < n; i++)
		job->not4 |= (uint64_t)(job->p[i]->ip != 4) << i;
}

static void
job_dense(const struct job *job, const struct fw_compiled *c)
{
	if (c->has_dport)
		job_dports(job, c);
	if (c->has_kind)
		job_kinds(job, c);
	if (c->has_sport)
		job_sports(job, c);
	if (c->has_way)
		job_ways(job, c);
}

/* The classes of addresses that are not IPv4. */
static void
classes_not4(const struct fw_compiled *c, struct job *job)
{
	for (uint64_t rest = job->not4; rest != 0; rest &= rest - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(rest);
		const struct fw_packet *p = job->p[i];
		bool ip6 = p->ip == 6;

		job_walk(job, i)->class[0] = ip6 ? fw_addresses_find6(c->src, &p->src6) :
						   c->src->none;
		job_walk(job, i)->class[1] = ip6 ? fw_addresses_find6(c->dst, &p->dst6) :
						   c->dst->none;
	}
}

/*
 * Where a class has the line of a bit of its summary; nowhere: where the rules are that say nothing of
 * addresses.
 */
static inline const struct fw_line *
class_line(
    const struct fw_line *line, const struct fw_line *wild, const struct fw_class *k, uint32_t bit)
{
	uint32_t before = (uint32_t)__builtin_popcountll(k->sum & ((1ull << bit) - 1));

	return choose(k->sum >> bit & 1, line + (k->first + before), wild + bit);
}

static const struct fw_line *
walk_line(const struct fw_compiled *c, const struct fw_addresses *a, uint32_t class, uint32_t line)
{
	uint32_t s = line / 64;

	return class_line(
	    a->line, a->wild + s * 64, &a->class[(size_t) class * c->sums + s], line % 64);
}

/* Word w of a line: the rules that match. */
static uint64_t
line_word(const struct fw_compiled *c, const struct fw_walk *walk, uint32_t line, uint32_t w)
{
	const uint8_t *dense = (const uint8_t *)&c->dense.line[c->dense.head + line].w[w];
	uint64_t bits = (walk_line(c, c->src, walk->class[0], line)->w[w] |
			    c->src->wild[line].w[w]) &
	    (walk_line(c, c->dst, walk->class[1], line)->w[w] | c->dst->wild[line].w[w]);

	for (unsigned d = 0; d < FW_DENSE_FIELDS; d++)
		bits &= load64(dense + walk->dense[d]);
	return bits;
}

/*
 * The key of the first match of a line, of positions from *at on, whose slot is `from` or higher. *at
 * becomes its position. FW_SLOT_NONE: none.
 */
static __attribute__((noinline)) uint32_t
line_next(const struct fw_classifier *k, const struct fw_walk *walk, uint32_t *at, uint32_t from)
{
	uint32_t line = *at / FW_LINE_BITS;
	uint64_t mask = ~0ull << *at % 64;

	for (uint32_t w = *at / 64 % FW_LINE_WORDS; w < FW_LINE_WORDS; w++, mask = ~0ull) {
		uint64_t bits = line_word(k->compiled, walk, line, w) & mask;

		for (; bits != 0; bits &= bits - 1) {
			uint32_t pos = line * FW_LINE_BITS + w * 64 +
			    (uint32_t)__builtin_ctzll(bits);
			uint32_t key = k->key[pos];

			if (key != FW_SLOT_NONE && key >> 1 >= from) {
				*at = pos;
				return key;
			}
		}
	}
	return FW_SLOT_NONE;
}

/* The first rule of a line is gone: the one behind it. */
static __attribute__((noinline)) uint32_t
head_behind(const struct fw_classifier *k, const struct fw_walk *walk, uint32_t *first)
{
	uint32_t at = *first, key = line_next(k, walk, &at, 0);

	*first = at;
	return key;
}

/* --- one way for each kind of machine ------------------------------------- */

/*
 * How many of the n sorted numbers from `first` on, of which the first is one, are <= low. Only if
 * `wide` they are more than 32, and begin with a line.
 */
static inline uint32_t
rank_plain(const uint16_t *start, uint32_t first, uint32_t n, uint16_t low, bool wide)
{
	(void)wide;
	const uint16_t *base = start + first;

	while (n > 1) {
		uint32_t half = n / 2;

		base += base[half] <= low ? half : 0;
		n -= half;
	}
	return (uint32_t)(base - (start + first)) + 1;
}

/* Append the numbers of the bits that are set; how many there are then. */
static inline uint32_t
spread_plain(uint8_t *out, uint32_t n, uint64_t bits)
{
	for (; bits != 0; bits &= bits - 1)
		out[n++] = (uint8_t)__builtin_ctzll(bits);
	return n;
}

/* The number of a line's first bit; FW_LINE_BITS or more: none. */
static inline uint32_t
first_plain(const uint64_t *w)
{
	for (uint32_t i = 0; i < FW_LINE_WORDS; i++)
		if (w[i] != 0)
			return i * 64 + (uint32_t)__builtin_ctzll(w[i]);
	return FW_LINE_BITS;
}

#define LANES(name) name##_plain
#define LANES_TARGET
#include "ipfw/classify_lanes.h"
#undef LANES
#undef LANES_TARGET

static void (*match)(const struct fw_classifier *, struct job *) = match_plain;

#ifdef __x86_64__
#include <immintrin.h>

/* Machines of 2013, and of 2019. */
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#define TARGET_AVX512                                                                              \
	__attribute__((                                                                            \
	    target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt")))

TARGET_AVX2 static inline uint32_t
rank_avx2(const uint16_t *start, uint32_t first, uint32_t n, uint16_t low, bool wide)
{
	(void)wide;
	__m256i key = _mm256_set1_epi16((short)low);
	uint32_t rank = 0;

	for (uint32_t i = 0; i < n; i += 16) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(start + first + i));
		__m256i least = _mm256_min_epu16(x, key);
		uint32_t le = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi16(least, x));
		uint32_t here = n - i < 16 ? n - i : 16;

		rank += (uint32_t)__builtin_popcount(_bzhi_u32(le, 2 * here)) / 2;
	}
	return rank;
}

TARGET_AVX2 static inline uint32_t
spread_avx2(uint8_t *out, uint32_t n, uint64_t bits)
{
	return spread_plain(out, n, bits);
}

TARGET_AVX2 static inline uint32_t
first_avx2(const uint64_t *w)
{
	__m256i zero = _mm256_setzero_si256();
	__m256i a = _mm256_load_si256((const __m256i *)(const void *)w);
	__m256i b = _mm256_load_si256((const __m256i *)(const void *)(w + 4));
	uint32_t none = (uint32_t)_mm256_movemask_pd(
			    _mm256_castsi256_pd(_mm256_cmpeq_epi64(a, zero))) |
	    (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(b, zero))) << 4;
	uint32_t i = (uint32_t)__builtin_ctz((none ^ 0xff) | 0x100);

	return i * 64 + (uint32_t)_tzcnt_u64(w[i & 7]);
}

#define LANES(name) name##_avx2
#define LANES_TARGET TARGET_AVX2
#include "ipfw/classify_lanes.h"
#undef LANES
#undef LANES_TARGET

/* Nearly always in two lines at most. */
TARGET_AVX512 static inline uint32_t
rank_avx512(const uint16_t *start, uint32_t first, uint32_t n, uint16_t low, bool wide)
{
	__m512i key = _mm512_set1_epi16((short)low);
	const uint16_t *line = start + (first & ~31u);
	uint64_t le = _mm512_cmple_epu16_mask(_mm512_load_si512(line), key), rank;

	if (!wide)
		return (uint32_t)__builtin_popcount(_bzhi_u32((uint32_t)le >> (first & 31), n));
	le |= (uint64_t)_mm512_cmple_epu16_mask(_mm512_load_si512(line + 32), key) << 32;
	/* the instruction sees the low 8 bits of a number only: 256 would be none */
	rank = (uint64_t)__builtin_popcountll(_bzhi_u64(le >> (first & 31), n - (n >> 8)));
	for (uint32_t i = 64; __builtin_expect(i < n, 0); i += 32) {
		le = _mm512_cmple_epu16_mask(_mm512_load_si512(line + i), key);
		rank += (uint32_t)__builtin_popcount(_bzhi_u32((uint32_t)le, n - i));
	}
	return (uint32_t)rank;
}

TARGET_AVX512 static inline uint32_t
spread_avx512(uint8_t *out, uint32_t n, uint64_t bits)
{
	static const uint8_t number[64] __attribute__((aligned(64))) = { 0, 1, 2, 3, 4, 5, 6, 7, 8,
		9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
		30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
		51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63 };

	_mm512_storeu_si512(out + n, _mm512_maskz_compress_epi8(bits, _mm512_load_si512(number)));
	return n + (uint32_t)__builtin_popcountll(bits);
}

TARGET_AVX512 static inline uint32_t
first_avx512(const uint64_t *w)
{
	__m512i x = _mm512_load_si512(w);
	__mmask8 some = _mm512_test_epi64_mask(x, x);
	__m512i front = _mm512_maskz_compress_epi64(some, x);
	uint64_t word = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(front));

	return (uint32_t)_tzcnt_u32(some | 0x100u) * 64 + (uint32_t)_tzcnt_u64(word);
}

#define LANES(name) name##_avx512
#define LANES_TARGET TARGET_AVX512
#include "ipfw/classify_lanes.h"
#undef LANES
#undef LANES_TARGET

static bool
machine_has(enum fw_lanes lanes)
{
	bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");

	return lanes == FW_LANES_PLAIN || (lanes == FW_LANES_AVX2 && avx2) ||
	    (avx2 && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"));
}

bool
fw_lanes_choose(enum fw_lanes lanes)
{
	static void (*const ways[])(const struct fw_classifier *, struct job *) = {
		[FW_LANES_PLAIN] = match_plain,
		[FW_LANES_AVX2] = match_avx2,
		[FW_LANES_AVX512] = match_avx512,
	};

	if (!machine_has(lanes))
		return false;
	match = ways[lanes];
	return true;
}

__attribute__((constructor)) static void
match_choose(void)
{
	if (!fw_lanes_choose(FW_LANES_AVX512))
		fw_lanes_choose(FW_LANES_AVX2);
}
#else
bool
fw_lanes_choose(enum fw_lanes lanes)
{
	return lanes == FW_LANES_PLAIN;
}
#endif

/* --- later matches -------------------------------------------------------- */

/* Lines with the lowest matches: a heap, the highest of them first. */
static void
heap_down(struct fw_head *head, uint32_t n, uint32_t at)
{
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		struct fw_head t = head[at];

		child += child + 1 < n && head[child + 1].key > head[child].key;
		if (head[child].key <= t.key)
			return;
		head[at] = head[child];
		head[child] = t;
	}
}

static void
heap_add(struct fw_walk *walk, struct fw_head head)
{
	if (walk->n < FW_WALK_HEADS) {
		walk->head[walk->n++] = head;
		if (walk->n == FW_WALK_HEADS)
			for (uint32_t i = FW_WALK_HEADS / 2; i-- > 0;)
				heap_down(walk->head, walk->n, i);
		return;
	}
	/* The highest is not kept, and from it on matches may be missing. */
	if (head.key < walk->head[0].key) {
		struct fw_head highest = walk->head[0];

		walk->head[0] = head;
		heap_down(walk->head, walk->n, 0);
		head = highest;
	}
	walk->hi = head.key >> 1 < walk->hi ? head.key >> 1 : walk->hi;
}

/* Look at all lines again, for matches from `from` on. */
static void
refill(const struct fw_classifier *k, struct fw_walk *walk, uint32_t from)
{
	walk->lo = from;
	walk->hi = FW_SLOT_NONE;
	walk->n = 0;
	walk->first = FW_SLOT_NONE;
	for (uint32_t line = 0; line < k->compiled->lines; line++) {
		uint32_t at = line * FW_LINE_BITS, key;

		if (k->line_last[line] < from || k->line_first[line] >= walk->hi)
			continue;
		key = line_next(k, walk, &at, from);
		if (key == FW_SLOT_NONE)
			continue;
		heap_add(walk, (struct fw_head){ key, at });
		walk->first = key < walk->first ? key : walk->first;
	}
}

/* The next match of a head's line, from slot `from` on. */
static uint32_t
next_behind(
    const struct fw_classifier *k, const struct fw_walk *walk, struct fw_head *h, uint32_t from)
{
	h->position++;
	return h->position % FW_LINE_BITS == 0 ? FW_SLOT_NONE :
						 line_next(k, walk, &h->position, from);
}

/* Matches before `from` are done with; they are not known any more. */
static void
advance(const struct fw_classifier *k, struct fw_walk *walk, uint32_t from)
{
	uint32_t n = 0;

	walk->lo = from;
	walk->first = FW_SLOT_NONE;
	for (uint32_t i = 0; i < walk->n; i++) {
		struct fw_head *h = &walk->head[i];

		if (h->key >> 1 < from)
			h->key = next_behind(k, walk, h, from);
		if (h->key == FW_SLOT_NONE)
			continue;
		walk->first = h->key < walk->first ? h->key : walk->first;
		walk->head[n++] = *h;
	}
	walk->n = n;
}

/* --- the entrances -------------------------------------------------------- */

void
fw_classify(const struct fw_classifier *c, const struct fw_packet *const *p, uint32_t n,
    struct fw_candidates *out)
{
	struct job job;

	for (; n > 0; n -= job.n, p += job.n, out += job.n) {
		job.n = n < FW_BATCH ? n : FW_BATCH;
		job.p = p;
		job.out = out;
		job_begin(&job, c);
		job_dense(&job, c->compiled);
		match(c, &job);
	}
}

/* The key of the first match from `from` on. */
static uint32_t
found(const struct fw_classifier *k, struct fw_walk *walk, uint32_t from)
{
	if (walk->n > FW_WALK_HEADS || from < walk->lo || from >= walk->hi)
		refill(k, walk, from);
	else if (from > walk->lo)
		advance(k, walk, from);
	if (walk->first >> 1 >= walk->hi && walk->hi != FW_SLOT_NONE)
		refill(k, walk, from > walk->hi ? from : walk->hi);
	return walk->first;
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
fw_candidate_find(struct fw_candidates *k, uint32_t from, bool *decided)
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
