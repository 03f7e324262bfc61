/*
 * lab_parse_expect.c - expectations: figures with their bounds, commands with what they should say.
 */
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(x) (UINT64_C(1) << (x))

struct expect_entry {
	struct lab_expect *x;
	int that, node, between, above, below, is, run, status;
	uint64_t at_ns, from_ns, until_ns;
	const char *node_name;
};

#define EXPECT_PLACE(key)                                                                          \
	static void expect_##key(struct ly *y, int id, void *obj)                                  \
	{                                                                                          \
		(void)y;                                                                           \
		((struct expect_entry *)obj)->key = id;                                            \
	}
EXPECT_PLACE(that)
EXPECT_PLACE(node)
EXPECT_PLACE(between)
EXPECT_PLACE(above)
EXPECT_PLACE(below)
EXPECT_PLACE(is)
EXPECT_PLACE(run)
EXPECT_PLACE(status)

static void
expect_output(struct ly *y, int id, void *obj)
{
	ly_value(y, id, "output", LY_STRING, 0, 0, &((struct expect_entry *)obj)->x->output);
}

static void
expect_contains(struct ly *y, int id, void *obj)
{
	ly_value(y, id, "contains", LY_STRING, 0, 0, &((struct expect_entry *)obj)->x->contains);
}

static void
expect_lacks(struct ly *y, int id, void *obj)
{
	ly_value(y, id, "lacks", LY_STRING, 0, 0, &((struct expect_entry *)obj)->x->lacks);
}

static void
expect_matches(struct ly *y, int id, void *obj)
{
	struct expect_entry *ee = obj;
	regex_t re;
	int error;

	if (!ly_value(y, id, "matches", LY_STRING, 0, 0, &ee->x->matches))
		return;
	error = strlen(ee->x->matches) > 1000 ?
	    REG_ESPACE :
	    regcomp(&re, ee->x->matches, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
	if (error == 0)
		regfree(&re);
	else
		ly_fault(y, id, "matches: '%s' is no regular expression (extended, as of grep -E)",
		    ee->x->matches);
}

enum { EXPECT_AT, EXPECT_FROM, EXPECT_UNTIL };
static const struct ly_field expect_fields[] = {
	[EXPECT_AT] = { "at", LY_DURATION, offsetof(struct expect_entry, at_ns), 0, LAB_TIME_MAX,
	    NULL },
	[EXPECT_FROM] = { "from", LY_DURATION, offsetof(struct expect_entry, from_ns), 0,
	    LAB_TIME_MAX, NULL },
	[EXPECT_UNTIL] = { "until", LY_DURATION, offsetof(struct expect_entry, until_ns), 1,
	    LAB_TIME_MAX, NULL },
	{ "that", .type = LY_CUSTOM, .fn = expect_that },
	{ "between", .type = LY_CUSTOM, .fn = expect_between },
	{ "above", .type = LY_CUSTOM, .fn = expect_above },
	{ "below", .type = LY_CUSTOM, .fn = expect_below },
	{ "is", .type = LY_CUSTOM, .fn = expect_is },
	{ "node", .type = LY_CUSTOM, .fn = expect_node },
	{ "run", .type = LY_CUSTOM, .fn = expect_run },
	{ "status", .type = LY_CUSTOM, .fn = expect_status },
	{ "output", .type = LY_CUSTOM, .fn = expect_output },
	{ "contains", .type = LY_CUSTOM, .fn = expect_contains },
	{ "lacks", .type = LY_CUSTOM, .fn = expect_lacks },
	{ "matches", .type = LY_CUSTOM, .fn = expect_matches },
};

/* A figure in the unit of its metric. */
static bool
read_figure(
    struct ly *y, int id, const char *what, enum lab_unit unit, double *value, const char **text)
{
	uint64_t number;

	if (!ly_value(y, id, what, LY_STRING, 0, 0, text))
		return false;
	switch (unit) {
	case LAB_NUMBER:
		if (!ly_value(y, id, what, LY_COUNT, 0, 0, &number))
			return false;
		break;
	case LAB_TIME:
		if (!ly_value(y, id, what, LY_DURATION, 0, 0, &number))
			return false;
		break;
	case LAB_RATE:
		if (!ly_value(y, id, what, LY_RATE, 0, 0, &number))
			return false;
		break;
	case LAB_SIZE:
		if (!ly_value(y, id, what, LY_SIZE, 0, 0, &number))
			return false;
		break;
	case LAB_SHARE:
		return ly_value(y, id, what, LY_PERCENT, 0, 0, value);
	}
	*value = (double)number;
	return true;
}

static void
expect_figures(struct ly *y, int id, struct expect_entry *ee)
{
	struct lab_expect *x = ee->x;
	enum lab_unit unit = lab_metric_unit(x->metric);

	if ((ee->between != 0) + (ee->above != 0 || ee->below != 0) + (ee->is != 0) != 1) {
		ly_fault(
		    y, id, "expect: %s: one of between, is, and above / below is wanted", x->that);
		return;
	}
	if (ee->between != 0) {
		if (ly_shape(y, ee->between) != LY_LIST || ly_len(y, ee->between) != 2) {
			ly_fault(y, ee->between, "between: a list of two is wanted");
			return;
		}
		x->has_low = read_figure(
		    y, ly_item(y, ee->between, 0), "between", unit, &x->low, &x->low_text);
		x->has_high = read_figure(
		    y, ly_item(y, ee->between, 1), "between", unit, &x->high, &x->high_text);
		if (x->has_low && x->has_high && x->low > x->high)
			ly_fault(y, ee->between, "between: %s is more than %s", x->low_text,
			    x->high_text);
	}
	if (ee->is != 0 && read_figure(y, ee->is, "is", unit, &x->low, &x->low_text)) {
		x->has_low = x->has_high = true;
		x->high = x->low;
		x->high_text = x->low_text;
	}
	if (ee->above != 0) {
		x->has_low = read_figure(y, ee->above, "above", unit, &x->low, &x->low_text);
		x->low_open = true;
	}
	if (ee->below != 0) {
		x->has_high = read_figure(y, ee->below, "below", unit, &x->high, &x->high_text);
		x->high_open = true;
	}
}

static void
expect_command(struct ly *y, int id, struct expect_entry *ee, uint64_t seen)
{
	struct lab_expect *x = ee->x;
	const char *name;
	int status = 0;

	if (ee->that != 0) {
		ly_fault(y, id, "expect: either 'that' or 'run'");
		return;
	}
	if (ee->node == 0)
		ly_fault(y, id, "expect: 'run' needs a 'node'");
	else if (ly_value(y, ee->node, "node", LY_STRING, 0, 0, &name))
		x->node = lab_parse_node(y, ee->node, "node", name);
	ly_value(y, ee->run, "run", LY_STRING, 0, 0, &x->run);
	if (seen & (BIT(EXPECT_FROM) | BIT(EXPECT_UNTIL)))
		ly_fault(y, id, "expect: a command has 'at', not from and until");
	if (seen & BIT(EXPECT_AT))
		x->at_ns = ee->at_ns;
	if (ee->status != 0 && lab_parse_status(y, ee->status, &status)) {
		x->has_status = status >= 0;
		x->status = (uint32_t)status;
	} else if (ee->status == 0) {
		/* A command that is expected to say something is expected to succeed, too. */
		x->has_status = true;
	}
	if (ee->between != 0 || ee->above != 0 || ee->below != 0 || ee->is != 0)
		ly_fault(y, id,
		    "expect: a command is judged by status, output, contains, lacks and matches");
}

static void
expect_parse(struct ly *y, int id)
{
	struct lab *lab = y->lab;
	struct lab_expect *x = lab_alloc(lab, sizeof(*x));
	struct expect_entry ee = { .x = x };
	uint64_t seen;

	x->line = ly_line(y, id);
	x->from_ns = x->until_ns = x->at_ns = NS_NEVER;
	seen = ly_map(y, id, "expect", expect_fields, COUNT_OF(expect_fields), &ee, NULL);
	if (ee.run != 0) {
		expect_command(y, id, &ee, seen);
	} else if (ee.that != 0) {
		if (seen & BIT(EXPECT_FROM))
			x->from_ns = ee.from_ns;
		if (seen & BIT(EXPECT_UNTIL))
			x->until_ns = ee.until_ns;
		if (x->from_ns != NS_NEVER && x->from_ns >= x->until_ns)
			ly_fault(y, id, "expect: from is not before until");
		if (x->output != NULL || x->contains != NULL || x->lacks != NULL ||
		    x->matches != NULL || ee.status != 0 || ee.node != 0 || seen & BIT(EXPECT_AT))
			ly_fault(
			    y, id, "expect: a figure is judged by between, is, above and below");
		if (ly_value(y, ee.that, "that", LY_STRING, 0, 0, &x->that) &&
		    lab_expect_parse_that(y, ee.that, x))
			expect_figures(y, id, &ee);
	} else {
		ly_fault(y, id, "expect: 'that' or 'run' is missing");
	}
	STAILQ_INSERT_TAIL(&lab->expects, x, next);
	lab->nexpects++;
}

void
lab_parse_expects(struct ly *y, int id, void *obj)
{
	(void)obj;
	if (lab_parse_is_list(y, id, "expect"))
		for (size_t i = 0; i < ly_len(y, id) && i < LAB_MAX_ITEMS; i++)
			expect_parse(y, ly_item(y, id, i));
}
