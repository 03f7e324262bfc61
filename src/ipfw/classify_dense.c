/*
 * classify_dense.c - fields with few classes: ports, kind of packet, interfaces.
 *
 * A sweep over the values of a field: at each value where a condition begins or ends to hold, its
 * rules' bits are set or cleared in one vector, and the vector is filed as a class, or found to be one
 * already. What a packet is (protocol, shape, TCP flags, ICMP type) and which way it goes (interfaces)
 * are several fields each, with few classes: they are multiplied into one, so that a packet has one
 * vector for all of them (Gupta and McKeown, SIGCOMM 1999).
 */
#include "ipfw/classify_internal.h"

#include <stdlib.h>

/* More than this a field or a product does not get; its rules are then left to the interpreter. */
enum { BYTES_MAX = 64 << 20, CLASSES_MAX = 65535, CELLS_MAX = 65536 };

/* Classes under construction: vectors, each once. */
struct classes {
	uint32_t lines, n, room;
	struct fw_line *line;
	uint64_t *hash;
	uint32_t *table; /* numbers + 1 */
	uint32_t mask;
};

/* A field: the class of each of its values. */
struct small {
	struct classes classes;
	uint32_t domain;
	uint32_t *of;
};

struct toggle {
	uint32_t value, cond;
};

/* --- vectors, each once --------------------------------------------------- */

static void
classes_free(struct classes *k)
{
	fw_lines_free(k->line);
	free(k->hash);
	free(k->table);
}

static bool
classes_grow(struct classes *k)
{
	uint32_t room = k->room == 0 ? 16 : 2 * k->room;
	size_t bytes = (size_t)k->lines * sizeof(struct fw_line);
	struct classes now = { .lines = k->lines, .n = k->n, .room = room, .mask = 4 * room - 1 };

	if (bytes * room > BYTES_MAX && room > 16)
		return false;
	now.line = fw_lines_alloc(NULL, bytes * room);
	now.hash = calloc(room, sizeof(*now.hash));
	now.table = calloc(4 * (size_t)room, sizeof(*now.table));
	if (now.line == NULL || now.hash == NULL || now.table == NULL) {
		classes_free(&now);
		return false;
	}
	if (k->n > 0) {
		memcpy(now.line, k->line, bytes * k->n);
		memcpy(now.hash, k->hash, k->n * sizeof(*k->hash));
	}
	for (uint32_t i = 0; i < k->n; i++) {
		uint32_t at = (uint32_t)now.hash[i] & now.mask;

		while (now.table[at] != 0)
			at = (at + 1) & now.mask;
		now.table[at] = i + 1;
	}
	classes_free(k);
	*k = now;
	return true;
}

/* The class with this vector; made if there is none. FW_SLOT_NONE: too many, or no memory. */
static uint32_t
classes_file(struct classes *k, uint64_t hash, const struct fw_line *v)
{
	size_t bytes = (size_t)k->lines * sizeof(*v);
	uint32_t at;

	if (k->n == CLASSES_MAX || (k->n == k->room && !classes_grow(k)))
		return FW_SLOT_NONE;
	at = (uint32_t)hash & k->mask;
	for (; k->table[at] != 0; at = (at + 1) & k->mask) {
		uint32_t i = k->table[at] - 1;

		if (k->hash[i] == hash && memcmp(k->line + (size_t)i * k->lines, v, bytes) == 0)
			return i;
	}
	memcpy(k->line + (size_t)k->n * k->lines, v, bytes);
	k->hash[k->n] = hash;
	k->table[at] = ++k->n;
	return k->n - 1;
}

/* A number for a condition, such that those of several, XORed, tell sets of conditions apart. */
static uint64_t
cond_number(uint32_t i)
{
	uint64_t z = (i + 1) * 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* --- the sweep ------------------------------------------------------------ */

static int
value_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int
toggle_compare(const void *a, const void *b)
{
	const struct toggle *x = a, *y = b;

	return x->value != y->value ? (x->value > y->value) - (x->value < y->value) :
				      (x->cond > y->cond) - (x->cond < y->cond);
}

struct toggles {
	struct toggle *t;
	uint32_t n, room;
};

static bool
toggle_add(struct toggles *ts, uint32_t value, uint32_t cond)
{
	if (ts->n == ts->room) {
		uint32_t room = ts->room == 0 ? 256 : 2 * ts->room;
		struct toggle *t = realloc(ts->t, room * sizeof(*t));

		if (t == NULL)
			return false;
		ts->t = t;
		ts->room = room;
	}
	ts->t[ts->n++] = (struct toggle){ value, cond };
	return true;
}

/* Ports where a condition may begin or end to hold. */
static uint32_t
port_edges(const struct fw_cond *c, uint32_t *edge, uint32_t room)
{
	uint32_t n = 0;

	edge[n++] = 0;
	edge[n++] = FW_NO_PORT;
	for (unsigned b = 0; b < c->blocks; b++)
		for (uint16_t i = 0; i < c->len[b]; i++) {
			const struct fw_insn *insn = &c->rule->insn[c->block[b] + i];

			for (uint32_t r = 0; r < insn->n && n + 2 <= room; r++) {
				edge[n++] = insn->u.range[r].lo;
				edge[n++] = insn->u.range[r].hi + 1u;
			}
		}
	qsort(edge, n, sizeof(*edge), value_compare);
	return n;
}

static uint32_t
cond_ranges(const struct fw_cond *c)
{
	uint32_t n = 0;

	for (unsigned b = 0; b < c->blocks; b++)
		for (uint16_t i = 0; i < c->len[b]; i++)
			n += c->rule->insn[c->block[b] + i].n;
	return n;
}

static bool
port_toggles(
    struct toggles *ts, const struct fw_conds *conds, const struct fw_plans *plans, uint32_t i)
{
	uint32_t room = 2 * cond_ranges(&conds->cond[i]) + 2, n;
	uint32_t *edge = calloc(room, sizeof(*edge));
	bool holds = false, ok = edge != NULL;

	n = ok ? port_edges(&conds->cond[i], edge, room) : 0;
	for (uint32_t e = 0; e < n && ok; e++)
		if (fw_cond_holds(&conds->cond[i], plans, edge[e]) != holds) {
			holds = !holds;
			ok = toggle_add(ts, edge[e], i);
		}
	free(edge);
	return ok;
}

static bool
value_toggles(struct toggles *ts, const struct fw_conds *conds, const struct fw_plans *plans,
    uint32_t i, uint32_t domain)
{
	bool holds = false;

	for (uint32_t v = 0; v < domain; v++)
		if (fw_cond_holds(&conds->cond[i], plans, v) != holds) {
			holds = !holds;
			if (!toggle_add(ts, v, i))
				return false;
		}
	return true;
}

static bool
toggles_make(
    struct toggles *ts, const struct fw_conds *conds, const struct fw_plans *plans, uint32_t domain)
{
	*ts = (struct toggles){ 0 };
	for (uint32_t i = 0; i < conds->n; i++)
		if (!(domain == FW_DOMAIN_PORT ? port_toggles(ts, conds, plans, i) :
						 value_toggles(ts, conds, plans, i, domain)))
			return false;
	if (ts->n > 0)
		qsort(ts->t, ts->n, sizeof(*ts->t), toggle_compare);
	return true;
}

static void
cond_flip(struct fw_line *v, const struct fw_conds *conds, uint32_t i)
{
	const struct fw_cond *c = &conds->cond[i];

	for (uint32_t k = 0; k < c->rules; k++) {
		uint32_t pos = conds->position[c->first + k];

		v[pos / FW_LINE_BITS].w[pos / 64 % FW_LINE_WORDS] ^= 1ull << pos % 64;
	}
}

/* Rules that say nothing of the field. */
static void
wild_vector(struct fw_line *v, const struct fw_plans *plans, enum fw_field field)
{
	for (uint32_t pos = 0; pos < plans->n; pos++)
		if (!(plans->plan[plans->order[pos]].used >> field & 1) ||
		    !(plans->compiled >> field & 1))
			fw_bit_set(v, pos);
}

static bool
small_sweep(
    struct small *s, const struct fw_conds *conds, const struct toggles *ts, struct fw_line *v)
{
	uint64_t hash = 0;
	uint32_t t = 0;

	for (uint32_t value = 0; value < s->domain;) {
		uint32_t next, class;

		for (; t < ts->n && ts->t[t].value == value; t++) {
			cond_flip(v, conds, ts->t[t].cond);
			hash ^= cond_number(ts->t[t].cond);
		}
		class = classes_file(&s->classes, hash, v);
		if (class == FW_SLOT_NONE)
			return false;
		next = t < ts->n ? ts->t[t].value : s->domain;
		while (value < next)
			s->of[value++] = class;
	}
	return true;
}

static void
small_free(struct small *s)
{
	classes_free(&s->classes);
	free(s->of);
	*s = (struct small){ 0 };
}

/* The field's classes; false: too many, or no memory. */
static bool
small_fill(struct small *s, const struct fw_plans *plans, enum fw_field field)
{
	struct fw_conds conds;
	struct toggles ts = { 0 };
	struct fw_line *v = fw_lines_alloc(NULL, s->classes.lines * sizeof(*v));
	bool ok = v != NULL && s->of != NULL && fw_conds_make(&conds, plans, field);

	if (!ok) {
		fw_lines_free(v);
		return false;
	}
	if (!(plans->compiled >> field & 1))
		conds.n = 0;
	wild_vector(v, plans, field);
	ok = toggles_make(&ts, &conds, plans, s->domain) && small_sweep(s, &conds, &ts, v);
	free(ts.t);
	fw_conds_free(&conds);
	fw_lines_free(v);
	return ok;
}

/* The same; a field with too many classes is given up, then it has one. False: no memory. */
static bool
small_make(
    struct small *s, struct fw_plans *plans, enum fw_field field, uint32_t domain, uint32_t lines)
{
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		*s = (struct small){ .classes.lines = lines,
			.domain = domain,
			.of = calloc(domain, sizeof(*s->of)) };
		if (small_fill(s, plans, field))
			return true;
		small_free(s);
		plans->compiled &= (uint16_t) ~(1u << field);
	}
	return false;
}

/* --- products ------------------------------------------------------------- */

static uint64_t
vector_hash(const struct fw_line *v, uint32_t lines)
{
	const uint64_t *w = v->w;
	uint64_t h[4] = { 1, 2, 3, 4 };

	for (uint32_t i = 0; i < lines * FW_LINE_WORDS; i += 4)
		for (unsigned k = 0; k < 4; k++)
			h[k] = (h[k] ^ w[i + k]) * 0x9e3779b97f4a7c15;
	h[0] ^= h[1] >> 29 ^ h[2] >> 17 ^ h[3] >> 43;
	return (h[0] ^ h[0] >> 32) * 0x94d049bb133111eb >> 13;
}

/* Every class of a with every class of b: of[class of a + class of b * a's]. Takes a. */
static bool
small_multiply(struct small *a, const struct small *b)
{
	uint32_t lines = a->classes.lines, na = a->classes.n, nb = b->classes.n;
	struct small out = { .classes.lines = lines, .domain = na * nb };
	struct fw_line *v = fw_lines_alloc(NULL, lines * sizeof(*v));
	bool ok;

	out.of = calloc(out.domain, sizeof(*out.of));
	ok = v != NULL && out.of != NULL;
	for (uint32_t cell = 0; cell < out.domain && ok; cell++) {
		const uint64_t *x = a->classes.line[(size_t)(cell % na) * lines].w;
		const uint64_t *y = b->classes.line[(size_t)(cell / na) * lines].w;
		uint64_t *both = v->w;

		for (uint32_t i = 0; i < lines * FW_LINE_WORDS; i++)
			both[i] = x[i] & y[i];
		out.of[cell] = classes_file(&out.classes, vector_hash(v, lines), v);
		ok = out.of[cell] != FW_SLOT_NONE;
	}
	fw_lines_free(v);
	small_free(a);
	*a = out;
	return ok;
}

/*
 * The product of n fields. part[i][value] becomes what a value adds to the index of *index, which
 * leads to the class in *product.
 */
static bool
product_make(
    struct small *field, unsigned n, struct small *product, uint32_t **index, uint32_t *cells)
{
	uint32_t stride[4], total = 1;
	uint32_t *at;

	for (unsigned f = 0; f < n; f++) {
		stride[f] = total;
		total *= field[f].classes.n;
	}
	at = calloc(total, sizeof(*at));
	*index = at;
	*cells = total;
	*product = field[0];
	field[0] = (struct small){ 0 };
	if (at == NULL)
		return false;
	for (uint32_t i = 0; i < product->classes.n; i++)
		at[i] = i;
	for (unsigned f = 1; f < n; f++) {
		uint32_t before = product->classes.n, nf = field[f].classes.n;

		if (!small_multiply(product, &field[f]))
			return false;
		/* From the back: what stands in front is still the product of the fields before. */
		for (uint32_t k = nf; k-- > 0;)
			for (uint32_t i = 0; i < stride[f]; i++)
				at[k * stride[f] + i] = product->of[k * before + at[i]];
	}
	return true;
}

/* While the product would have too many cells, give up the field that has the most classes. */
static bool
fields_fit(struct small *s, unsigned n, const enum fw_field *fields, struct fw_plans *plans)
{
	for (;;) {
		uint32_t domain, lines;
		uint64_t cells = 1;
		unsigned most = 0;

		for (unsigned f = 0; f < n; f++) {
			cells *= s[f].classes.n;
			if (s[f].classes.n > s[most].classes.n)
				most = f;
		}
		if (cells <= CELLS_MAX)
			return true;
		plans->compiled &= (uint16_t) ~(1u << fields[most]);
		domain = s[most].domain;
		lines = s[most].classes.lines;
		small_free(&s[most]);
		if (!small_make(&s[most], plans, fields[most], domain, lines))
			return false;
	}
}

/* --- into what packets read ----------------------------------------------- */

static bool
all_rules(const struct fw_line *v, uint32_t lines, uint32_t n)
{
	const uint64_t *w = v->w;
	uint32_t bits = 0;

	for (uint32_t i = 0; i < lines * FW_LINE_WORDS; i++)
		bits += (uint32_t)__builtin_popcountll(w[i]);
	return bits == n;
}

static bool
dense_reserve(struct fw_compiled *c, uint32_t blocks)
{
	struct fw_dense *d = &c->dense;
	uint64_t need = d->used + (uint64_t)blocks * d->stride, room = d->room;
	struct fw_line *line;

	while (room < need)
		room = room == 0 ? 64 : 2 * room;
	if (room == d->room)
		return true;
	if (room * sizeof(*line) > UINT32_MAX ||
	    (line = fw_lines_alloc(NULL, room * sizeof(*line))) == NULL)
		return false;
	if (d->used > 0)
		memcpy(line, d->line, d->used * sizeof(*line));
	fw_lines_free(d->line);
	d->line = line;
	d->room = (uint32_t)room;
	return true;
}

static void
dense_block(struct fw_compiled *c, const struct fw_line *v)
{
	struct fw_dense *d = &c->dense;
	struct fw_line *block = d->line + d->used;

	if (d->head > 0)
		fw_sum_make(block->w, v, c->lines);
	memcpy(block + d->head, v, c->lines * sizeof(*v));
	d->used += d->stride;
}

static bool
dense_begin(struct fw_compiled *c)
{
	struct fw_dense *d = &c->dense;
	struct fw_line *all = fw_lines_alloc(NULL, c->lines * sizeof(*all));

	d->head = fw_is_small(c) ? 0 : (c->sums + FW_LINE_WORDS - 1) / FW_LINE_WORDS;
	d->stride = d->head + c->lines;
	c->stride = d->stride * (uint32_t)sizeof(struct fw_line);
	if (all == NULL || !dense_reserve(c, 1)) {
		fw_lines_free(all);
		return false;
	}
	for (uint32_t pos = 0; pos < c->n; pos++)
		fw_bit_set(all, pos);
	dense_block(c, all);
	fw_lines_free(all);
	return true;
}

/* The vectors become the compiled rules'; a field with one class of all rules tells nothing. */
static bool
dense_take(struct fw_compiled *c, const struct small *s, enum fw_dense_field field, bool *has)
{
	const struct classes *k = &s->classes;

	*has = k->n > 1 || !all_rules(k->line, c->lines, c->n);
	if (!*has)
		return true;
	if (!dense_reserve(c, k->n))
		return false;
	c->base[field] = c->dense.used * (uint32_t)sizeof(struct fw_line);
	for (uint32_t i = 0; i < k->n; i++)
		dense_block(c, k->line + (size_t)i * c->lines);
	return true;
}

static bool
port_make(
    struct fw_compiled *c, struct fw_plans *plans, enum fw_field field, uint16_t *of, bool *has)
{
	struct small s;
	bool ok;

	if (!small_make(&s, plans, field, FW_DOMAIN_PORT, c->lines))
		return false;
	for (uint32_t v = 0; v < FW_DOMAIN_PORT; v++)
		of[v] = (uint16_t)s.of[v];
	ok = dense_take(c, &s, field == FW_FIELD_SPORT ? FW_DENSE_SPORT : FW_DENSE_DPORT, has);
	small_free(&s);
	return ok;
}

/* Several fields, one vector: parts[] are tables of what each value adds to the index. */
static bool
fields_make(struct fw_compiled *c, struct fw_plans *plans, const enum fw_field *fields, unsigned n,
    uint32_t *const *parts, const uint32_t *domains, enum fw_dense_field field, uint32_t **index,
    bool *has)
{
	struct small s[4] = { 0 }, product = { 0 };
	uint32_t cells = 0, stride = 1;
	bool ok = true;

	for (unsigned f = 0; f < n && ok; f++)
		ok = small_make(&s[f], plans, fields[f], domains[f], c->lines);
	ok = ok && fields_fit(s, n, fields, plans);
	for (unsigned f = 0; f < n && ok; stride *= s[f++].classes.n)
		for (uint32_t v = 0; v < domains[f]; v++)
			parts[f][v] = s[f].of[v] * stride;
	ok = ok && product_make(s, n, &product, index, &cells) &&
	    dense_take(c, &product, field, has);
	c->bytes += cells * sizeof(**index);
	small_free(&product);
	for (unsigned f = 0; f < n; f++)
		small_free(&s[f]);
	return ok;
}

/* What flags and types add, to where packets look for it: those of no header, then the others. */
static void
upper_headers_spread(struct fw_compiled *c, const uint32_t *tcp, const uint32_t *icmp)
{
	for (uint32_t v = 0; v < 256; v++) {
		c->tcp[v] = tcp[256];
		c->tcp[256 + v] = tcp[v];
		c->icmp[v] = c->icmp[512 + v] = icmp[512];
		c->icmp[256 + v] = icmp[v];
		c->icmp[768 + v] = icmp[256 + v];
	}
}

bool
fw_dense_make(struct fw_compiled *c, struct fw_plans *plans)
{
	static const enum fw_field kind[] = { FW_FIELD_PROTO, FW_FIELD_SHAPE, FW_FIELD_TCP,
		FW_FIELD_ICMP };
	static const enum fw_field way[] = { FW_FIELD_RECV, FW_FIELD_XMIT, FW_FIELD_VIA };
	const uint32_t kind_domains[] = { FW_PROTOS, FW_SHAPES, FW_TCPS, FW_ICMPS };
	const uint32_t names = plans->n_names + 2, way_domains[] = { names, names, names };
	uint32_t tcp[FW_TCPS] = { 0 }, icmp[FW_ICMPS] = { 0 };
	uint32_t *kind_parts[] = { c->proto, c->shape, tcp, icmp };
	uint32_t *way_parts[3];

	c->recv = calloc(names, sizeof(*c->recv));
	c->xmit = calloc(names, sizeof(*c->xmit));
	c->via = calloc(names, sizeof(*c->via));
	if (c->recv == NULL || c->xmit == NULL || c->via == NULL)
		return false;
	way_parts[0] = c->recv;
	way_parts[1] = c->xmit;
	way_parts[2] = c->via;
	if (!dense_begin(c) || !port_make(c, plans, FW_FIELD_SPORT, c->sport, &c->has_sport) ||
	    !port_make(c, plans, FW_FIELD_DPORT, c->dport, &c->has_dport) ||
	    !fields_make(c, plans, kind, 4, kind_parts, kind_domains, FW_DENSE_KIND, &c->kind,
		&c->has_kind) ||
	    !fields_make(
		c, plans, way, 3, way_parts, way_domains, FW_DENSE_WAY, &c->way, &c->has_way))
		return false;
	upper_headers_spread(c, tcp, icmp);
	return true;
}
