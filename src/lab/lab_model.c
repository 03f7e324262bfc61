/*
 * lab_model.c - the arena in which a lab lies, its names, and how its numbers are written.
 */
#include "lab/lab_model.h"

#include "lab/lab_series.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 << 10 };

struct lab_chunk {
	struct lab_chunk *next;
	size_t used, room;
	_Alignas(16) unsigned char bytes[];
};

/*
 * A lab's text is at most a few megabytes: when even that is not to be had nothing else would work
 * either, so callers are spared the question.
 */
static _Noreturn void
no_memory(void)
{
	fputs("warren: no memory for the lab\n", stderr);
	abort();
}

void *
lab_alloc(struct lab *lab, size_t bytes)
{
	struct lab_chunk *c = lab->arena;
	void *p;

	bytes = (bytes + 15) & ~(size_t)15;
	if (c == NULL || c->room - c->used < bytes) {
		size_t room = bytes > CHUNK ? bytes : CHUNK;

		c = calloc(1, sizeof(*c) + room);
		if (c == NULL)
			no_memory();
		c->room = room;
		c->next = lab->arena;
		lab->arena = c;
	}
	p = c->bytes + c->used;
	c->used += bytes;
	return p;
}

const char *
lab_strdup(struct lab *lab, const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(lab_alloc(lab, n), text, n);
}

char *
lab_printf(struct lab *lab, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		no_memory();
	p = lab_alloc(lab, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void
lab_words_add(struct lab *lab, struct lab_wordlist *list, const char *text, unsigned line)
{
	struct lab_words *w = lab_alloc(lab, sizeof(*w));

	w->text = text;
	w->line = line;
	STAILQ_INSERT_TAIL(list, w, next);
}

struct lab_node *
lab_node_find(const struct lab *lab, const char *name)
{
	struct lab_node *n;

	HASH_FIND_STR(lab->node_by_name, name, n);
	return n;
}

struct lab_end *
lab_end_find(const struct lab *lab, const char *name)
{
	struct lab_end *e;

	HASH_FIND_STR(lab->end_by_name, name, e);
	return e;
}

struct lab_flow *
lab_flow_find(const struct lab *lab, const char *name)
{
	struct lab_flow *f;

	HASH_FIND_STR(lab->flow_by_name, name, f);
	return f;
}

/* value / unit with at most `decimals` digits behind the point, rounded, without trailing zeros. */
static void
scaled(char *text, uint64_t value, uint64_t unit, unsigned decimals, const char *suffix)
{
	uint64_t pow = 1, whole, part;
	char digits[24];
	int n;

	for (unsigned i = 0; i < decimals; i++)
		pow *= 10;
	whole = value / unit;
	part = (uint64_t)(((unsigned __int128)(value % unit) * pow + unit / 2) / unit);
	if (part >= pow) {
		whole++;
		part = 0;
	}
	n = snprintf(digits, sizeof(digits), "%0*" PRIu64, (int)decimals, part);
	while (n > 0 && digits[n - 1] == '0')
		digits[--n] = '\0';
	snprintf(text, LAB_UNIT_TEXT, "%" PRIu64 "%s%s%s", whole, n > 0 && decimals > 0 ? "." : "",
	    decimals > 0 ? digits : "", suffix);
}

static const struct {
	uint64_t from, unit;
	unsigned decimals;
	const char *suffix;
} steps[][4] = {
	[LAB_TIME] = { { NS_PER_SEC, NS_PER_SEC, 9, "s" }, { NS_PER_MS, NS_PER_MS, 6, "ms" },
	    { NS_PER_US, NS_PER_US, 3, "us" }, { 0, 1, 0, "ns" } },
	[LAB_RATE] = { { 1000000000, 1000000000, 3, "Gbit/s" }, { 1000000, 1000000, 3, "Mbit/s" },
	    { 1000, 1000, 3, "kbit/s" }, { 0, 1, 0, "bit/s" } },
	[LAB_SIZE] = { { 1000000000, 1000000000, 3, "GB" }, { 1000000, 1000000, 3, "MB" },
	    { 10000, 1000, 3, "KB" }, { 0, 1, 0, "B" } },
};

const char *
lab_unit_text(enum lab_unit unit, double value, char *text)
{
	uint64_t v;

	if (unit == LAB_SHARE) {
		/* A share is counted / counted: to a ten-thousandth of a per cent. */
		scaled(text, (uint64_t)(value * 1e6 + 0.5), 10000, 4, "%");
		return text;
	}
	if (value < 0)
		value = 0;
	v = value >= 18446744073709549568.0 ? UINT64_MAX : (uint64_t)(value + 0.5);
	if (unit == LAB_NUMBER) {
		snprintf(text, LAB_UNIT_TEXT, "%" PRIu64, v);
		return text;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (v >= steps[unit][i].from) {
			scaled(text, v, steps[unit][i].unit, steps[unit][i].decimals,
			    steps[unit][i].suffix);
			break;
		}
	}
	return text;
}

uint64_t
lab_rate_of(uint64_t bytes, uint64_t ns)
{
	if (ns == 0)
		return 0;
	return (uint64_t)(((unsigned __int128)bytes * 8 * NS_PER_SEC + ns / 2) / ns);
}

void
lab_free(struct lab *lab)
{
	struct lab_expect *x;
	struct lab_diff *d;
	struct lab_chunk *c;

	if (lab == NULL)
		return;
	lab_release(lab);
	lab_series_free(lab);
	STAILQ_FOREACH(x, &lab->expects, next)
		free(x->why);
	STAILQ_FOREACH(d, &lab->diffs, next)
		free(d->text);
	HASH_CLEAR(hh, lab->node_by_name);
	HASH_CLEAR(hh, lab->end_by_name);
	HASH_CLEAR(hh, lab->flow_by_name);
	while ((c = lab->arena) != NULL) {
		lab->arena = c->next;
		free(c);
	}
	free(lab);
}
