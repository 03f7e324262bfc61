/*
 * classify_addr.c - addresses: prefixes of rules to classes, and from an address to its class.
 *
 * The prefixes of a side, sorted, are a tree written down in pre-order. A walk over it keeps the lines
 * of the prefixes it is in: a node has its parent's lines and the bits of its own rules. Where a
 * prefix begins or ends, an interval of addresses begins, and with it a class.
 *
 * NOT of a prefix has its rule's bit everywhere but inside the prefix: in the roots of both families
 * and in the class of packets that are not IP.
 */
#include "ipfw/classify_internal.h"

#include <stdlib.h>

enum { LEAF_LINE = 32, LEAF_MAX = 2 * LEAF_LINE, FIRST_MAX = 1 << 23 };
enum { START_PAD = 2 * LEAF_LINE }; /* wide compares read past the end */
enum { OPEN_MAX = 129 };            /* prefixes that contain each other: of each length one */

/* A rule's bit changes inside of a prefix. */
struct edge {
	uint64_t hi, lo; /* host order; IPv4 in the upper half of hi */
	uint32_t position;
	uint8_t len;
	bool clear;
};
struct edges {
	struct edge *e;
	uint32_t n, room;
};

/* An interval of addresses begins. */
struct interval {
	uint64_t hi, lo;
	uint32_t node;
};

/* The walk over one family's tree. */
struct tree {
	struct fw_compiled *c;
	const struct fw_line *wild; /* rules that say nothing of addresses */
	struct interval *interval;
	uint32_t n, room;
	struct fw_class *node; /* sums each */
	uint32_t n_nodes, nodes_room;
	struct fw_line *line;
	uint32_t n_lines, lines_room;
	bool failed;
};

/* --- what rules say ------------------------------------------------------- */

static bool
edge_add(struct edges *es, struct edge e)
{
	if (es->n == es->room) {
		uint32_t room = es->room == 0 ? 1024 : 2 * es->room;
		struct edge *now = realloc(es->e, room * sizeof(*now));

		if (now == NULL)
			return false;
		es->e = now;
		es->room = room;
	}
	es->e[es->n++] = e;
	return true;
}

static bool
edge_add4(struct edges *es, uint32_t addr, unsigned len, uint32_t position, bool clear)
{
	uint32_t mask = len == 0 ? 0 : ~0u << (32 - len);

	return edge_add(es,
	    (struct edge){ .hi = (uint64_t)(addr & mask) << 32,
		.len = (uint8_t)len,
		.position = position,
		.clear = clear });
}

static bool
edge_add6(struct edges *es, const struct fw_net6 *net, uint32_t position, bool clear)
{
	uint64_t hi = __builtin_bswap64(load64(net->mask.b));
	uint64_t lo = __builtin_bswap64(load64(net->mask.b + 8));
	unsigned len = ~hi != 0 ? (unsigned)__builtin_clzll(~hi) :
	    ~lo != 0            ? 64 + (unsigned)__builtin_clzll(~lo) :
				  128;

	hi = len == 0 ? 0 : len >= 64 ? ~0ull : ~0ull << (64 - len);
	lo = len <= 64 ? 0 : ~0ull << (128 - len);
	return edge_add(es,
	    (struct edge){ .hi = __builtin_bswap64(load64(net->addr.b)) & hi,
		.lo = __builtin_bswap64(load64(net->addr.b + 8)) & lo,
		.len = (uint8_t)len,
		.position = position,
		.clear = clear });
}

/* The bits at the front of a mask: what is no prefix is widened to one. */
static unsigned
mask_len(uint32_t mask)
{
	return ~mask == 0 ? 32 : (unsigned)__builtin_clz(~mask);
}

static bool
insn_edges(const struct fw_insn *insn, uint32_t position, struct edges es[2])
{
	bool not = insn->flags & FW_NOT, ok = true;

	if (insn->op == FW_OP_SRC_SET || insn->op == FW_OP_DST_SET)
		return edge_add4(&es[0], __builtin_bswap32(insn->u.set->base), insn->u.set->len,
		    position, false);
	for (uint32_t i = 0; i < insn->n && ok; i++)
		if (insn->op == FW_OP_SRC6 || insn->op == FW_OP_DST6)
			ok = edge_add6(&es[1], &insn->u.net6[i], position, not );
		else
			ok = edge_add4(&es[0], __builtin_bswap32(insn->u.net[i].addr),
			    mask_len(__builtin_bswap32(insn->u.net[i].mask)), position, not );
	return ok;
}

/* The edges of both families; everywhere[]: bits of NOTs. */
static bool
edges_make(struct edges es[2], struct fw_line *everywhere, const struct fw_plans *plans,
    enum fw_field field)
{
	unsigned side = field - FW_FIELD_SRC;
	bool ok = true;

	for (uint32_t pos = 0; pos < plans->n && ok; pos++) {
		const struct fw_plan *p = &plans->plan[plans->order[pos]];

		if (!(p->used >> field & 1))
			continue;
		for (uint16_t i = 0; i < p->address_n[side] && ok; i++) {
			const struct fw_insn *insn = &p->rule->insn[p->address[side] + i];

			if (insn->flags & FW_NOT)
				fw_bit_set(everywhere, pos);
			ok = insn_edges(insn, pos, es);
		}
	}
	return ok;
}

static int
edge_compare(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return (int)x->len - (int)y->len;
}

/* --- the tree ------------------------------------------------------------- */

/* Room for one more in an array of T; *failed without memory. */
static void *
grown(void *array, size_t used_bytes, size_t bytes, uint32_t *room, uint32_t need, bool *failed)
{
	uint32_t now = *room == 0 ? 256 : *room;
	void *p;

	if (need <= *room)
		return array;
	while (now < need)
		now *= 2;
	p = fw_lines_alloc(NULL, now * bytes);
	if (p == NULL) {
		*failed = true;
		return array;
	}
	if (used_bytes > 0)
		memcpy(p, array, used_bytes);
	fw_lines_free(array);
	*room = now;
	return p;
}

/*
 * A class: in word s of the summary the lines of v that are not empty (of few rules: all), with the
 * rules that say nothing of addresses put in.
 */
static void
node_fill(struct tree *t, struct fw_class *node, const struct fw_line *v, uint32_t s)
{
	const uint32_t lines = t->c->lines - s * 64 < 64 ? t->c->lines - s * 64 : 64;

	if (fw_is_small(t->c))
		node->sum = (1ull << lines) - 1;
	else
		fw_sum_make(&node[s].sum, v + s * 64, lines);
	node[s].first = t->n_lines;
	for (uint64_t sum = node[s].sum; sum != 0; sum &= sum - 1, t->n_lines++) {
		uint32_t line = s * 64 + (uint32_t)__builtin_ctzll(sum);

		for (unsigned w = 0; w < FW_LINE_WORDS; w++)
			t->line[t->n_lines].w[w] = v[line].w[w] | t->wild[line].w[w];
	}
}

/* A class whose rules are those of full vector v. Its number. */
static uint32_t
node_add(struct tree *t, const struct fw_line *v)
{
	struct fw_compiled *c = t->c;
	struct fw_class *node;

	t->node = grown(t->node, (size_t)t->n_nodes * c->sums * sizeof(*t->node),
	    c->sums * sizeof(*t->node), &t->nodes_room, t->n_nodes + 1, &t->failed);
	t->line = grown(t->line, t->n_lines * sizeof(*t->line), sizeof(*t->line), &t->lines_room,
	    t->n_lines + c->lines, &t->failed);
	if (t->failed)
		return 0;
	node = t->node + (size_t)t->n_nodes * c->sums;
	for (uint32_t s = 0; s < c->sums; s++)
		node_fill(t, node, v, s);
	return t->n_nodes++;
}

static void
interval_add(struct tree *t, uint64_t hi, uint64_t lo, uint32_t node)
{
	struct interval *last = t->n == 0 ? NULL : &t->interval[t->n - 1];

	if (last != NULL && last->hi == hi && last->lo == lo) {
		last->node = node;
		return;
	}
	if (last != NULL && last->node == node)
		return;
	t->interval = grown(t->interval, t->n * sizeof(*t->interval), sizeof(*t->interval),
	    &t->room, t->n + 1, &t->failed);
	if (!t->failed)
		t->interval[t->n++] = (struct interval){ hi, lo, node };
}

/* A prefix that the walk is in. */
struct open {
	uint64_t hi, lo;
	uint32_t node;
	uint32_t first, n; /* its edges */
	uint8_t len;
};

static bool
open_has(const struct open *o, const struct edge *e)
{
	uint64_t hi = o->len == 0 ? 0 : o->len >= 64 ? ~0ull : ~0ull << (64 - o->len);
	uint64_t lo = o->len <= 64 ? 0 : ~0ull << (128 - o->len);

	return ((o->hi ^ e->hi) & hi) == 0 && ((o->lo ^ e->lo) & lo) == 0;
}

/* The address behind the prefix; false: there is none. */
static bool
open_end(const struct open *o, uint64_t *hi, uint64_t *lo)
{
	uint64_t step;

	*hi = o->hi;
	*lo = o->lo;
	if (o->len == 0)
		return false;
	if (o->len <= 64) {
		step = 1ull << (64 - o->len);
		*hi += step;
		return *hi != 0;
	}
	step = 1ull << (128 - o->len);
	*lo += step;
	*hi += *lo == 0;
	return *hi != 0 || *lo != 0;
}

/* The vector inside of a prefix: that around it, and what its edges change. */
static void
open_vector(const struct open *o, const struct edges *es, const struct fw_line *around,
    struct fw_line *v, uint32_t lines)
{
	memcpy(v, around, lines * sizeof(*v));
	for (uint32_t i = o->first; i < o->first + o->n; i++)
		if (es->e[i].clear)
			fw_bit_clear(v, es->e[i].position);
		else
			fw_bit_set(v, es->e[i].position);
}

static unsigned
close_prefix(struct tree *t, const struct open *stack, unsigned depth, uint32_t root)
{
	uint64_t hi, lo;

	if (open_end(&stack[depth - 1], &hi, &lo))
		interval_add(t, hi, lo, depth > 1 ? stack[depth - 2].node : root);
	return depth - 1;
}

/* v: room for the vectors of all prefixes that are open, the first is that of the root. */
static void
tree_make(struct tree *t, const struct edges *es, struct fw_line *v)
{
	struct open stack[OPEN_MAX];
	unsigned depth = 0;
	uint32_t lines = t->c->lines, root;

	if (es->n > 0)
		qsort(es->e, es->n, sizeof(*es->e), edge_compare);
	root = node_add(t, v);
	interval_add(t, 0, 0, root);
	for (uint32_t i = 0; i < es->n && !t->failed;) {
		const struct edge *e = &es->e[i];
		struct open *o;

		while (depth > 0 && !open_has(&stack[depth - 1], e))
			depth = close_prefix(t, stack, depth, root);
		o = &stack[depth++];
		*o = (struct open){ e->hi, e->lo, 0, i, 0, e->len };
		while (i < es->n && edge_compare(e, &es->e[i]) == 0)
			i++;
		o->n = i - o->first;
		open_vector(o, es, v + (depth - 1) * lines, v + depth * lines, lines);
		o->node = node_add(t, v + depth * lines);
		interval_add(t, o->hi, o->lo, o->node);
	}
	while (depth > 0)
		depth = close_prefix(t, stack, depth, root);
}

static void
tree_free(struct tree *t)
{
	fw_lines_free(t->interval);
	fw_lines_free(t->node);
	fw_lines_free(t->line);
}

/* --- look-up of IPv4 ------------------------------------------------------ */

/* The table under construction; the first pass counts only. */
struct leaves {
	struct fw_addresses *a;
	const struct tree *t;
	uint32_t n, more;
	uint32_t *uniform; /* by node: leaf of one interval + 1 */
	bool count_only;
};

static uint32_t
start_of(const struct tree *t, uint32_t i)
{
	return (uint32_t)(t->interval[i].hi >> 32);
}

static void
leaf_put(struct leaves *l, uint32_t node, uint32_t start)
{
	uint32_t sums = l->t->c->sums;

	if (!l->count_only) {
		l->a->start[l->n] = (uint16_t)start;
		memcpy(l->a->class + (size_t)l->n * sums, l->t->node + (size_t)node * sums,
		    sums * sizeof(*l->a->class));
	}
	l->n++;
}

/* Intervals from..to - 1 are those of the addresses from `base` on. */
static uint32_t
leaf_make(struct leaves *l, uint32_t from, uint32_t to, uint32_t base)
{
	uint32_t first = l->n;

	if (to - from == 1) {
		uint32_t node = l->t->interval[from].node;

		if (l->uniform[node] == 0) {
			leaf_put(l, node, 0);
			l->uniform[node] = first + 1;
		}
		return (l->uniform[node] - 1) << FW_LEAF_BITS;
	}
	/* In one line of 32 starts, if it can be; else from the beginning of a line on. */
	if (first % LEAF_LINE + (to - from) > LEAF_LINE)
		l->n = first = (first + LEAF_LINE - 1) / LEAF_LINE * LEAF_LINE;
	l->a->has_wide = l->a->has_wide || to - from > LEAF_LINE;
	for (uint32_t i = from; i < to; i++)
		leaf_put(
		    l, l->t->interval[i].node, start_of(l->t, i) < base ? base : start_of(l->t, i));
	return first << FW_LEAF_BITS | (to - from - 1);
}

/* One past the last interval that begins before `end`; at least from + 1. */
static uint32_t
intervals_until(const struct tree *t, uint32_t from, uint64_t end)
{
	while (from + 1 < t->n && start_of(t, from + 1) < end)
		from++;
	return from + 1;
}

static uint32_t
more_make(struct leaves *l, uint32_t from, uint32_t base)
{
	uint32_t block = l->more++;

	for (uint32_t k = 0; k < 256; k++) {
		uint32_t begin = base + (k << 8), to, word;

		while (from + 1 < l->t->n && start_of(l->t, from + 1) <= begin)
			from++;
		to = intervals_until(l->t, from, (uint64_t)begin + 256);
		word = leaf_make(l, from, to, begin);
		if (!l->count_only)
			l->a->more[block * 256 + k] = word;
	}
	return (block * 256) << FW_LEAF_BITS | FW_LEAF_MORE;
}

static void
leaves_make(struct leaves *l)
{
	uint32_t from = 0;

	for (uint32_t k = 0; k < 65536; k++) {
		uint32_t base = k << 16, to;

		while (from + 1 < l->t->n && start_of(l->t, from + 1) <= base)
			from++;
		to = intervals_until(l->t, from, (uint64_t)base + 65536);
		l->a->root[k] = to - from <= LEAF_MAX ? leaf_make(l, from, to, base) :
							more_make(l, from, base);
	}
}

/* --- look-up of IPv6 ------------------------------------------------------ */

static void
table6_make(struct fw_addresses *a, const struct tree *t)
{
	uint32_t i = 0;

	for (uint32_t k = 0; k < t->n; k++) {
		a->start6[k][0] = t->interval[k].hi;
		a->start6[k][1] = t->interval[k].lo;
	}
	/* root6[k]: the interval that the first address of k is in */
	for (uint32_t k = 0; k < 65536; k++) {
		uint64_t hi = (uint64_t)k << 48;

		while (i + 1 < t->n &&
		    (t->interval[i + 1].hi < hi ||
			(t->interval[i + 1].hi == hi && t->interval[i + 1].lo == 0)))
			i++;
		a->root6[k] = i;
	}
	a->root6[65536] = t->n - 1;
}

uint32_t
fw_addresses_find6(const struct fw_addresses *a, const struct in6 *key)
{
	uint64_t hi = __builtin_bswap64(load64(key->b)), lo = __builtin_bswap64(load64(key->b + 8));
	uint32_t first, last;

	if (a->root6 == NULL)
		return a->base6;
	first = a->root6[hi >> 48];
	last = a->root6[(hi >> 48) + 1];
	while (first < last) {
		uint32_t mid = first + (last - first + 1) / 2;

		if (a->start6[mid][0] < hi || (a->start6[mid][0] == hi && a->start6[mid][1] <= lo))
			first = mid;
		else
			last = mid - 1;
	}
	return a->base6 + first;
}

/* --- both ----------------------------------------------------------------- */

static void
classes_put(struct fw_addresses *a, const struct tree *t, uint32_t at)
{
	uint32_t sums = t->c->sums;

	for (uint32_t i = 0; i < t->n; i++)
		memcpy(a->class + (size_t)(at + i) * sums,
		    t->node + (size_t)t->interval[i].node * sums, sums * sizeof(*a->class));
}

/*
 * The table for both trees. Trees share the lines: those of IPv6 were added behind those of IPv4, and
 * node 0 of IPv6's is the root, the class of what is not IP.
 */
static bool
table_make(
    struct fw_addresses *a, struct fw_compiled *c, const struct tree *t4, const struct tree *t6)
{
	struct leaves l = { .a = a, .t = t4, .count_only = true };
	uint32_t classes;

	l.uniform = calloc(t4->n_nodes, sizeof(*l.uniform));
	if (l.uniform == NULL)
		return false;
	leaves_make(&l);
	a->base6 = l.n;
	a->has_more = l.more > 0;
	a->n6 = t6->n;
	a->none = a->base6 + a->n6;
	classes = a->none + 1;
	a->n_classes = classes;
	a->start = fw_lines_alloc(c, (l.n + START_PAD) * sizeof(*a->start));
	a->more = fw_lines_alloc(c, (l.more * 256 + 1) * sizeof(*a->more));
	a->class = fw_lines_alloc(c, (size_t)classes * c->sums * sizeof(*a->class));
	if (t6->n > 1) {
		a->root6 = fw_lines_alloc(c, 65537 * sizeof(*a->root6));
		a->start6 = fw_lines_alloc(c, t6->n * sizeof(*a->start6));
	}
	if (classes > FIRST_MAX || l.more * 256 > FIRST_MAX || a->start == NULL ||
	    a->more == NULL || a->class == NULL ||
	    (t6->n > 1 && (a->root6 == NULL || a->start6 == NULL))) {
		free(l.uniform);
		return false;
	}
	memset(l.uniform, 0, t4->n_nodes * sizeof(*l.uniform));
	l.n = l.more = 0;
	l.count_only = false;
	leaves_make(&l);
	free(l.uniform);
	if (t6->n > 1)
		table6_make(a, t6);
	classes_put(a, t6, a->base6);
	memcpy(a->class + (size_t)a->none * c->sums, t6->node, c->sums * sizeof(*a->class));
	return true;
}

static bool
addresses_fill(struct fw_addresses *a, struct fw_compiled *c, const struct fw_plans *plans,
    enum fw_field field)
{
	struct fw_line *v = fw_lines_alloc(NULL, (size_t)(OPEN_MAX + 1) * c->lines * sizeof(*v));
	struct edges es[2] = { 0 };
	struct tree t4 = { .c = c, .wild = a->wild }, t6 = t4;
	bool ok = v != NULL && edges_make(es, v, plans, field);

	if (ok) {
		tree_make(&t4, &es[0], v);
		t6.line = t4.line;
		t6.n_lines = t4.n_lines;
		t6.lines_room = t4.lines_room;
		t4.line = NULL;
		t6.failed = t4.failed;
		if (!t6.failed)
			tree_make(&t6, &es[1], v);
		ok = !t6.failed && table_make(a, c, &t4, &t6);
	}
	if (ok && (a->line = fw_lines_alloc(c, (t6.n_lines + 1) * sizeof(*a->line))) != NULL)
		memcpy(a->line, t6.line, t6.n_lines * sizeof(*a->line));
	free(es[0].e);
	free(es[1].e);
	tree_free(&t4);
	tree_free(&t6);
	fw_lines_free(v);
	return ok && a->line != NULL;
}

struct fw_addresses *
fw_addresses_make(struct fw_compiled *c, const struct fw_plans *plans, enum fw_field field)
{
	struct fw_addresses *a = fw_lines_alloc(c, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->wild = fw_lines_alloc(c, c->lines * sizeof(*a->wild));
	a->wild_sum = fw_lines_alloc(c, c->sums * sizeof(*a->wild_sum));
	if (a->wild == NULL || a->wild_sum == NULL) {
		fw_addresses_free(a);
		return NULL;
	}
	for (uint32_t pos = 0; pos < plans->n; pos++)
		if (!(plans->plan[plans->order[pos]].used >> field & 1))
			fw_bit_set(a->wild, pos);
	fw_sum_make(a->wild_sum, a->wild, c->lines);
	if (!addresses_fill(a, c, plans, field)) {
		fw_addresses_free(a);
		return NULL;
	}
	return a;
}

void
fw_addresses_free(struct fw_addresses *a)
{
	if (a == NULL)
		return;
	fw_lines_free(a->more);
	fw_lines_free(a->start);
	fw_lines_free(a->class);
	fw_lines_free(a->root6);
	fw_lines_free(a->start6);
	fw_lines_free(a->line);
	fw_lines_free(a->wild);
	fw_lines_free(a->wild_sum);
	fw_lines_free(a);
}
