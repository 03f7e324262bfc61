/*
 * lab_yaml.c - from text to a document, and typed access to it.
 *
 * libyaml's document keeps for each node the place where it began; that is where faults point to.
 * An alias is the same node again, so a document is as big as its text, however often it refers
 * to itself; readers walk only as deep as the form of a lab file goes, which bounds their work too.
 */
#include "lab/lab_yaml.h"

#include "kern/verb.h"
#include "lab/lab_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct ly_fault {
	unsigned line;
	size_t seq; /* keeps the order among faults of one line */
	char *text;
};

static void
fault_add(struct ly *y, unsigned line, const char *fmt, va_list ap)
{
	struct ly_fault *f;
	char *text;

	if (y->nfaults >= LY_MAX_FAULTS) {
		y->nfaults++;
		return;
	}
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	f = reallocarray(y->fault, y->nfaults + 1, sizeof(*f));
	if (f == NULL) {
		free(text);
		return;
	}
	y->fault = f;
	f[y->nfaults] = (struct ly_fault){ .line = line, .seq = y->nfaults, .text = text };
	y->nfaults++;
}

void
ly_fault_line(struct ly *y, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_add(y, line, fmt, ap);
	va_end(ap);
}

void
ly_fault(struct ly *y, int id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_add(y, ly_line(y, id), fmt, ap);
	va_end(ap);
}

static int
fault_compare(const void *a, const void *b)
{
	const struct ly_fault *f = a, *g = b;

	if (f->line != g->line)
		return f->line < g->line ? -1 : 1;
	return f->seq < g->seq ? -1 : f->seq > g->seq;
}

char *
ly_faults(const struct ly *y)
{
	size_t kept = y->nfaults < LY_MAX_FAULTS ? y->nfaults : LY_MAX_FAULTS, len;
	char *all = NULL;
	FILE *out;

	if (y->nfaults == 0 || (out = open_memstream(&all, &len)) == NULL)
		return NULL;
	qsort(y->fault, kept, sizeof(y->fault[0]), fault_compare);
	for (size_t i = 0; i < kept; i++)
		fprintf(out, "%s%s:%u: %s", i > 0 ? "\n" : "", y->file, y->fault[i].line,
		    y->fault[i].text != NULL ? y->fault[i].text : "no memory");
	if (y->nfaults > kept)
		fprintf(out, "\n%s: and %zu more", y->file, y->nfaults - kept);
	fclose(out);
	return all;
}

/* libyaml says where it stumbled in several fields; which of them count depends on who stumbled. */
static void
syntax_fault(struct ly *y, const yaml_parser_t *p)
{
	if (p->error == YAML_READER_ERROR) {
		ly_fault_line(y, (unsigned)p->mark.line + 1, "not YAML: %s at byte %zu",
		    p->problem != NULL ? p->problem : "unreadable", p->problem_offset);
		return;
	}
	if (p->error == YAML_MEMORY_ERROR || p->problem == NULL) {
		ly_fault_line(y, (unsigned)p->mark.line + 1, "not YAML: no memory to read it");
		return;
	}
	ly_fault_line(y, (unsigned)p->problem_mark.line + 1, "not YAML: %s%s%s", p->problem,
	    p->context != NULL ? ", " : "", p->context != NULL ? p->context : "");
}

/* A parent stands before its children in the document, so one walk finds how deep each lies. */
static void
depth_check(struct ly *y)
{
	size_t n = (size_t)(y->doc.nodes.top - y->doc.nodes.start);
	uint8_t *depth = calloc(n + 1, 1);

	for (size_t i = 1; depth != NULL && i <= n; i++) {
		const yaml_node_t *nd = &y->doc.nodes.start[i - 1];

		if (depth[i] == LY_MAX_DEPTH) {
			ly_fault(y, (int)i, "nested too deep: at most %d levels", LY_MAX_DEPTH);
			break;
		}
		if (nd->type == YAML_SEQUENCE_NODE)
			for (const int *c = nd->data.sequence.items.start;
			     c < nd->data.sequence.items.top; c++)
				if ((size_t)*c > i)
					depth[*c] = (uint8_t)(depth[i] + 1);
		if (nd->type == YAML_MAPPING_NODE)
			for (const yaml_node_pair_t *p = nd->data.mapping.pairs.start;
			     p < nd->data.mapping.pairs.top; p++)
				if ((size_t)p->value > i)
					depth[p->value] = (uint8_t)(depth[i] + 1);
	}
	free(depth);
}

bool
ly_load(struct ly *y, struct lab *lab, const char *file, const char *text, size_t len)
{
	yaml_parser_t p;
	bool more = false;

	*y = (struct ly){ .file = file, .lab = lab };
	if (len > LY_MAX_BYTES) {
		ly_fault_line(
		    y, 1, "the file is too big: %zu bytes, at most %d", len, LY_MAX_BYTES);
		return false;
	}
	if (!yaml_parser_initialize(&p)) {
		ly_fault_line(y, 1, "no memory to read it");
		return false;
	}
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	if (!yaml_parser_load(&p, &y->doc)) {
		syntax_fault(y, &p);
	} else {
		yaml_document_t next;

		y->have_doc = true;
		if (!yaml_parser_load(&p, &next)) {
			syntax_fault(y, &p);
		} else {
			yaml_node_t *root = yaml_document_get_root_node(&next);

			if (root != NULL) {
				more = true;
				ly_fault_line(y, (unsigned)root->start_mark.line + 1,
				    "a second document: a lab file holds one");
			}
			yaml_document_delete(&next);
		}
	}
	yaml_parser_delete(&p);
	if (y->have_doc && ly_root(y) == 0 && !more)
		ly_fault_line(y, 1, "the file is empty");
	if (y->nfaults == 0)
		depth_check(y);
	return y->have_doc && ly_root(y) != 0 && y->nfaults == 0;
}

void
ly_free(struct ly *y)
{
	size_t kept = y->nfaults < LY_MAX_FAULTS ? y->nfaults : LY_MAX_FAULTS;

	if (y->have_doc)
		yaml_document_delete(&y->doc);
	for (size_t i = 0; i < kept; i++)
		free(y->fault[i].text);
	free(y->fault);
	*y = (struct ly){};
}

static yaml_node_t *
node(const struct ly *y, int id)
{
	/* libyaml's getter wants a document that it may write to; it doesn't. */
	return yaml_document_get_node((yaml_document_t *)(uintptr_t)&y->doc, id);
}

int
ly_root(const struct ly *y)
{
	return y->doc.nodes.start != y->doc.nodes.top ? 1 : 0;
}

unsigned
ly_line(const struct ly *y, int id)
{
	yaml_node_t *n = id > 0 ? node(y, id) : NULL;

	return n != NULL ? (unsigned)n->start_mark.line + 1 : 1;
}

enum ly_shape
ly_shape(const struct ly *y, int id)
{
	switch (node(y, id)->type) {
	case YAML_SEQUENCE_NODE:
		return LY_LIST;
	case YAML_MAPPING_NODE:
		return LY_MAP;
	default:
		return LY_SCALAR;
	}
}

size_t
ly_len(const struct ly *y, int id)
{
	const yaml_node_t *n = node(y, id);

	return n->type == YAML_SEQUENCE_NODE ?
	    (size_t)(n->data.sequence.items.top - n->data.sequence.items.start) :
	    0;
}

int
ly_item(const struct ly *y, int id, size_t i)
{
	return node(y, id)->data.sequence.items.start[i];
}

/* Text of a scalar; NULL with a fault for anything else. Borrowed from the document. */
static const char *
scalar(struct ly *y, int id, const char *what)
{
	const yaml_node_t *n = node(y, id);
	const char *text;

	if (n->type != YAML_SCALAR_NODE) {
		ly_fault(y, id, "%s: one value is wanted here, not a %s", what,
		    n->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
		return NULL;
	}
	text = (const char *)n->data.scalar.value;
	if (strlen(text) != n->data.scalar.length) {
		ly_fault(y, id, "%s: holds a NUL byte", what);
		return NULL;
	}
	return text;
}

/* Keys seen in one mapping. */
struct seen {
	const char *key;
	unsigned line;
	UT_hash_handle hh;
};

struct pairs {
	struct ly_pair *v;
	size_t n;
	struct seen *seen;
};

static void
pairs_of(struct ly *y, int id, const char *what, struct pairs *ps, bool merged, unsigned depth)
{
	const yaml_node_t *n = node(y, id);

	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		const char *key = scalar(y, p->key, "a key");
		struct seen *s;
		void *bigger;

		if (key == NULL)
			continue;
		if (strcmp(key, "<<") == 0) {
			/*
			 * What is merged in gives way to what stands here: see the second round
			 * below.
			 */
			continue;
		}
		HASH_FIND_STR(ps->seen, key, s);
		if (s != NULL) {
			if (!merged)
				ly_fault(y, p->key, "%s: '%s' is there twice (first on line %u)",
				    what, key, s->line);
			continue;
		}
		s = malloc(sizeof(*s));
		bigger = reallocarray(ps->v, ps->n + 1, sizeof(*ps->v));
		if (bigger != NULL)
			ps->v = bigger;
		if (s == NULL || bigger == NULL) {
			free(s);
			ly_fault(y, p->key, "no memory");
			return;
		}
		*s = (struct seen){ .key = key, .line = ly_line(y, p->key) };
		HASH_ADD_KEYPTR(hh, ps->seen, s->key, strlen(s->key), s);
		ps->v[ps->n++] =
		    (struct ly_pair){ .key = key, .key_id = p->key, .value = p->value };
	}
	/*
	 * One `<<` a mapping: with more, a few lines that refer to each other would be walked for
	 * ever.
	 */
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = node(y, p->key);

		if (k->type != YAML_SCALAR_NODE ||
		    strcmp((const char *)k->data.scalar.value, "<<") != 0)
			continue;
		if (depth >= 4)
			ly_fault(y, p->key, "%s: '<<' is nested too deep", what);
		else if (ly_shape(y, p->value) != LY_MAP)
			ly_fault(y, p->value, "%s: '<<' wants a mapping (an alias of one)", what);
		else
			pairs_of(y, p->value, what, ps, true, depth + 1);
		return;
	}
}

struct ly_pair *
ly_pairs(struct ly *y, int id, const char *what, size_t *n)
{
	struct pairs ps = {};
	struct seen *s, *next;

	*n = 0;
	if (ly_shape(y, id) != LY_MAP) {
		/* `key:` with nothing behind is an empty mapping to people. */
		if (ly_shape(y, id) == LY_SCALAR && node(y, id)->data.scalar.length == 0)
			return NULL;
		ly_fault(y, id, "%s: a mapping is wanted here (key: value)", what);
		return NULL;
	}
	pairs_of(y, id, what, &ps, false, 0);
	HASH_ITER(hh, ps.seen, s, next) {
		HASH_DEL(ps.seen, s);
		free(s);
	}
	*n = ps.n;
	return ps.v;
}

/* Edit distance with transpositions (Damerau 1964, optimal string alignment); words are short. */
static unsigned
distance(const char *a, const char *b)
{
	enum { MOST = 32 };
	unsigned d[MOST + 1][MOST + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > MOST || m > MOST)
		return UINT32_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;
			unsigned best = d[i - 1][j - 1] + cost;

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *
ly_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word);
	/* None in a letter or two, else one, two or three slips of the finger. */
	unsigned best = len <= 2 ? 1 : len <= 3 ? 2 : len <= 6 ? 3 : 4;
	const char *nearest = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, candidates[i]);

		if (d < best) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}

static bool
read_bool(const char *text, bool *value)
{
	static const char *const yes[] = { "true", "yes", "on" },
				 *const no[] = { "false", "no", "off" };

	for (unsigned i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*value = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* "1%", "0.05%": decimal digits, at most one point, and the sign of per cent. */
static bool
read_percent(const char *text, double *value)
{
	size_t len = strlen(text), points = 0;
	char *end;

	if (len < 2 || len > 24 || text[len - 1] != '%' || text[0] == '.')
		return false;
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '.')
			points++;
		else if (text[i] < '0' || text[i] > '9')
			return false;
	}
	if (points > 1)
		return false;
	*value = strtod(text, &end) / 100;
	return end == text + len - 1;
}

static const struct {
	const char *noun, *units, *example;
} unit_words[] = {
	[LY_DURATION] = { "a time", "ns, us, ms, s, min, h", "10ms" },
	[LY_RATE] = { "a rate", "bit/s, kbit/s, Mbit/s, Gbit/s, Byte/s …", "20Mbit/s" },
	[LY_SIZE] = { "a size", "B, KB, KiB, MB, MiB …", "64KiB" },
	[LY_PERCENT] = { "a share", "%", "1%" },
};

static bool
only_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0';
}

static void
unit_fault(struct ly *y, int id, const char *what, const char *text, enum ly_type type)
{
	if (only_digits(text))
		ly_fault(y, id, "%s: '%s' has no unit: write %s as %s (units: %s)", what, text,
		    unit_words[type].noun, unit_words[type].example, unit_words[type].units);
	else
		ly_fault(y, id, "%s: '%s' is not %s: write it as %s (units: %s)", what, text,
		    unit_words[type].noun, unit_words[type].example, unit_words[type].units);
}

static bool
read_unit(struct ly *y, int id, const char *what, const char *text, enum ly_type type, uint64_t min,
    uint64_t max, uint64_t *value)
{
	bool ok = type == LY_DURATION ? verb_duration(text, value) :
	    type == LY_RATE           ? verb_rate(text, value) :
					verb_size(text, value);

	if (!ok) {
		unit_fault(y, id, what, text, type);
		return false;
	}
	if ((min != 0 || max != 0) && (*value < min || *value > max)) {
		char lo[LAB_UNIT_TEXT], hi[LAB_UNIT_TEXT];
		enum lab_unit u = type == LY_DURATION ? LAB_TIME :
		    type == LY_RATE                   ? LAB_RATE :
							LAB_SIZE;

		ly_fault(y, id, "%s: '%s' is out of range: %s to %s", what, text,
		    lab_unit_text(u, (double)min, lo), lab_unit_text(u, (double)max, hi));
		return false;
	}
	return true;
}

bool
ly_value(struct ly *y, int id, const char *what, enum ly_type type, uint64_t min, uint64_t max,
    void *out)
{
	const char *text = scalar(y, id, what);
	uint64_t number;

	if (text == NULL)
		return false;
	switch (type) {
	case LY_STRING:
		if (text[0] == '\0') {
			ly_fault(y, id, "%s: nothing is there", what);
			return false;
		}
		*(const char **)out = lab_strdup(y->lab, text);
		return true;
	case LY_DURATION:
	case LY_RATE:
	case LY_SIZE:
		if (!read_unit(y, id, what, text, type, min, max, &number))
			return false;
		*(uint64_t *)out = number;
		return true;
	case LY_COUNT:
	case LY_U32:
		if (min == 0 && max == 0)
			max = type == LY_U32 ? UINT32_MAX : UINT64_MAX;
		if (!verb_number(text, 0, UINT64_MAX, &number)) {
			ly_fault(y, id, "%s: '%s' is not a whole number", what, text);
			return false;
		}
		if (number < min || number > max) {
			ly_fault(y, id, "%s: %s is out of range: %" PRIu64 " to %" PRIu64, what,
			    text, min, max);
			return false;
		}
		if (type == LY_U32)
			*(uint32_t *)out = (uint32_t)number;
		else
			*(uint64_t *)out = number;
		return true;
	case LY_BOOL:
		if (read_bool(text, out))
			return true;
		ly_fault(y, id, "%s: '%s' is neither true nor false", what, text);
		return false;
	case LY_PERCENT: {
		double share;

		if (!read_percent(text, &share)) {
			unit_fault(y, id, what, text, LY_PERCENT);
			return false;
		}
		if (share > 1) {
			ly_fault(y, id, "%s: %s is more than all", what, text);
			return false;
		}
		*(double *)out = share;
		return true;
	}
	case LY_CUSTOM:
		break;
	}
	return false;
}

static void
unknown_key(
    struct ly *y, const struct ly_pair *p, const char *what, const struct ly_field *f, size_t nf)
{
	const char *known[64], *nearest;
	size_t n = 0;

	for (size_t i = 0; i < nf && n < 64; i++)
		known[n++] = f[i].key;
	nearest = ly_nearest(p->key, known, n);
	if (nearest != NULL)
		ly_fault(y, p->key_id, "%s: unknown key '%s', did you mean '%s'?", what, p->key,
		    nearest);
	else
		ly_fault(y, p->key_id, "%s: unknown key '%s'", what, p->key);
}

uint64_t
ly_map(struct ly *y, int id, const char *what, const struct ly_field *f, size_t nf, void *obj,
    bool (*other)(struct ly *y, const struct ly_pair *p, void *obj))
{
	uint64_t seen = 0;
	size_t n;
	struct ly_pair *pair = ly_pairs(y, id, what, &n);

	for (size_t i = 0; i < n; i++) {
		const struct ly_pair *p = &pair[i];
		size_t k = 0;

		while (k < nf && strcmp(f[k].key, p->key) != 0)
			k++;
		if (k == nf) {
			if (other == NULL || !other(y, p, obj))
				unknown_key(y, p, what, f, nf);
			continue;
		}
		seen |= UINT64_C(1) << k;
		if (f[k].type == LY_CUSTOM)
			f[k].fn(y, p->value, obj);
		else
			ly_value(y, p->value, f[k].key, f[k].type, f[k].min, f[k].max,
			    (char *)obj + f[k].offset);
	}
	free(pair);
	return seen;
}
