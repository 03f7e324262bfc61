/*
 * lab_expect.c - what a lab's author expects, and the verdict.
 *
 * During the run the counters are read at the ends of each window, and commands are started that
 * have a time; at the end figures are judged first and then the commands without a time are run,
 * one after the other, each to its end.
 */
#include "kern/drop.h"
#include "lab/lab_metric.h"
#include "lab/lab_model.h"

#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
lab_expect_build(struct lab *lab, char **why)
{
	struct lab_expect *x;

	STAILQ_FOREACH(x, &lab->expects, next) {
		if (x->drop_name == NULL)
			continue;
		x->drop = drop_find(x->drop_name);
		if (x->drop == NULL)
			return lab_fail(lab, why, -EINVAL, x->line,
			    "that: %s: there is no drop counter '%s'", x->that, x->drop_name);
	}
	return 0;
}

uint64_t
lab_expect_next(const struct lab *lab, uint64_t now)
{
	const struct lab_expect *x;
	uint64_t next = NS_NEVER;

	STAILQ_FOREACH(x, &lab->expects, next) {
		const uint64_t times[] = { x->from_ns, x->until_ns, x->at_ns };

		for (unsigned i = 0; i < 3; i++)
			if (times[i] > now && times[i] < next)
				next = times[i];
	}
	return next;
}

void
lab_expect_read(struct lab *lab, uint64_t now)
{
	struct lab_expect *x;

	STAILQ_FOREACH(x, &lab->expects, next) {
		if (x->metric == NULL)
			continue;
		if (x->from_ns <= now && !x->from_read) {
			lab_metric_read(x, &x->at_from);
			x->from_read = true;
		}
		if (x->until_ns <= now && !x->until_read) {
			lab_metric_read(x, &x->at_until);
			x->until_read = true;
		}
	}
}

void
lab_expect_start(struct lab *lab, uint64_t now)
{
	struct lab_expect *x;

	STAILQ_FOREACH(x, &lab->expects, next)
		if (x->run != NULL && x->at_ns <= now && x->exec == NULL)
			x->exec = lab_exec_start(lab, x->node, x->run, x->line, -1);
}

void
lab_expect_end(struct lab *lab)
{
	struct lab_expect *x;

	STAILQ_FOREACH(x, &lab->expects, next)
		if (x->metric != NULL && x->until_ns == NS_NEVER)
			lab_metric_read(x, &x->at_until);
}

static void verdict(struct lab_expect *x, bool holds, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
verdict(struct lab_expect *x, bool holds, const char *fmt, ...)
{
	va_list ap;

	free(x->why);
	va_start(ap, fmt);
	if (vasprintf(&x->why, fmt, ap) < 0)
		x->why = NULL;
	va_end(ap);
	x->judged = true;
	x->holds = holds;
}

/* The length of a figure's window. */
static uint64_t
window_of(const struct lab *lab, const struct lab_expect *x)
{
	uint64_t from = x->from_ns, until = x->until_ns;

	if (from == NS_NEVER)
		from = x->flow != NULL ? x->flow->start_ns : 0;
	if (until == NS_NEVER)
		until = x->flow != NULL && x->flow->stop_ns < lab->end_ns ? x->flow->stop_ns :
									    lab->end_ns;
	return until > from ? until - from : 0;
}

static void
judge_figure(struct lab *lab, struct lab_expect *x)
{
	char text[LAB_UNIT_TEXT];
	enum lab_unit unit = lab_metric_unit(x->metric);
	double value = 0;
	bool holds;

	if ((x->until_ns != NS_NEVER && x->until_ns > lab->stopped_ns) ||
	    (x->from_ns != NS_NEVER && x->from_ns > lab->stopped_ns)) {
		verdict(x, false, "the run ended before, at %s",
		    lab_unit_text(LAB_TIME, (double)lab->stopped_ns, text));
		return;
	}
	/* What is counted of a flow, or altogether, is counted when everything has arrived. */
	if (x->until_ns == NS_NEVER &&
	    (x->flow != NULL || unit == LAB_NUMBER || unit == LAB_SIZE ||
		!lab_metric_counts(x->metric)))
		lab_metric_read(x, &x->at_until);
	if (!lab_metric_value(x, window_of(lab, x), &value)) {
		verdict(x, false, "there is nothing to measure: no packet");
		return;
	}
	holds = (!x->has_low || value > x->low || (!x->low_open && value >= x->low)) &&
	    (!x->has_high || value < x->high || (!x->high_open && value <= x->high));
	verdict(x, holds, "%s", lab_unit_text(unit, value, text));
}

/* Output without the newlines at its end: nobody writes them in a file. */
static size_t
trimmed(const char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	return len;
}

static bool
matches(const char *pattern, const char *text)
{
	regex_t re;
	bool found;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
		return false;
	found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

void
lab_expect_judge_command(struct lab *lab, struct lab_expect *x)
{
	const struct lab_exec *e = x->exec;
	const char *out;

	if (e == NULL) {
		verdict(x, false, "the run ended before");
		return;
	}
	out = e->out != NULL ? e->out : "";
	if (!e->done)
		verdict(x, false, "the command has not ended");
	else if (e->bad_words || (x->has_status && e->status != (int)x->status))
		verdict(x, false, "exit status %d%s%s", e->status, e->err_len > 0 ? ": " : "",
		    lab_exec_why(e));
	else if (x->output != NULL &&
	    (trimmed(out, strlen(out)) != trimmed(x->output, strlen(x->output)) ||
		strncmp(out, x->output, trimmed(out, strlen(out))) != 0))
		verdict(x, false, "the output differs: %.*s", (int)strcspn(out, "\n"), out);
	else if (x->contains != NULL && strstr(out, x->contains) == NULL)
		verdict(x, false, "'%s' is not in the output: %.*s", x->contains,
		    (int)strcspn(out, "\n"), out);
	else if (x->lacks != NULL && strstr(out, x->lacks) != NULL)
		verdict(x, false, "'%s' is in the output", x->lacks);
	else if (x->matches != NULL && !matches(x->matches, out))
		verdict(x, false, "no line matches: %.*s", (int)strcspn(out, "\n"), out);
	else
		verdict(x, true, "exit status %d", e->status);
	(void)lab;
}

void
lab_expect_judge(struct lab *lab)
{
	struct lab_expect *x;

	STAILQ_FOREACH(x, &lab->expects, next)
		if (x->metric != NULL)
			judge_figure(lab, x);
}

/* What is expected, in the words of the file. */
const char *
lab_expect_text(struct lab *lab, const struct lab_expect *x)
{
	char from[LAB_UNIT_TEXT], until[LAB_UNIT_TEXT];
	const char *what, *when = "";

	if (x->run != NULL)
		return lab_printf(lab, "%s: %s", x->node->name, x->run);
	if (x->has_low && x->has_high && x->low_text == x->high_text)
		what = lab_printf(lab, "is %s", x->low_text);
	else if (x->has_low && x->has_high && !x->low_open)
		what = lab_printf(lab, "between %s and %s", x->low_text, x->high_text);
	else
		what = lab_printf(lab, "%s%s%s%s%s", x->has_low ? "above " : "",
		    x->has_low ? x->low_text : "", x->has_low && x->has_high ? ", " : "",
		    x->has_high ? "below " : "", x->has_high ? x->high_text : "");
	if (x->from_ns != NS_NEVER || x->until_ns != NS_NEVER)
		when = lab_printf(lab, "%s%s%s%s", x->from_ns != NS_NEVER ? " from " : "",
		    x->from_ns != NS_NEVER ? lab_unit_text(LAB_TIME, (double)x->from_ns, from) : "",
		    x->until_ns != NS_NEVER ? " until " : "",
		    x->until_ns != NS_NEVER ? lab_unit_text(LAB_TIME, (double)x->until_ns, until) :
					      "");
	return lab_printf(lab, "%s %s%s", x->that, what, when);
}
