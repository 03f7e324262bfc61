/*
 * lab_exec.c - commands of a lab: the words of a run line or of the timeline, in a node's stack.
 *
 * A command that takes time (ping -c 3) goes on while the lab runs; it and what it wrote stay in
 * the lab's list for the report. One that is over at once and was silent leaves no trace.
 *
 * Names of files in commands are relative to the folder of the lab file, wherever it is run from.
 */
#include "kern/verb.h"
#include "kern/verb_folder.h"
#include "lab/lab_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a command may write; more is cut, and the report says so. */
enum { OUTPUT_MAX = 1 << 20 };

static void
text_add(char **text, size_t *len, const char *bytes, size_t n)
{
	char *bigger;

	if (*len + n > OUTPUT_MAX)
		n = OUTPUT_MAX - *len;
	if (n == 0)
		return;
	/* In steps of powers of two, so that a long output is not copied line by line. */
	if (*text == NULL || ((*len + n) ^ *len) > *len) {
		size_t room = 256;

		while (room < *len + n + 1)
			room *= 2;
		bigger = realloc(*text, room);
		if (bigger == NULL)
			return;
		*text = bigger;
	}
	memcpy(*text + *len, bytes, n);
	*len += n;
	(*text)[*len] = '\0';
}

static void
exec_out(void *ctx, const char *bytes, size_t len)
{
	struct lab_exec *x = ctx;

	text_add(&x->out, &x->out_len, bytes, len);
}

static void
exec_err(void *ctx, const char *bytes, size_t len)
{
	struct lab_exec *x = ctx;

	text_add(&x->err, &x->err_len, bytes, len);
}

static void
exec_done(void *ctx, int status)
{
	struct lab_exec *x = ctx;

	x->run = NULL;
	x->done = true;
	x->status = status;
	x->end_ns = clock_now();
}

struct lab_exec *
lab_exec_start(
    struct lab *lab, struct lab_node *node, const char *line, unsigned at_line, int want_status)
{
	struct lab_exec *x = lab_alloc(lab, sizeof(*x));
	const struct verb_io io = { .out = exec_out, .err = exec_err, .done = exec_done, .ctx = x };
	struct verb_run *run;
	const char *why = NULL;
	char **argv;
	int argc, back;

	x->lab = lab;
	x->node = node;
	x->line = line;
	x->at_line = at_line;
	x->at_ns = x->end_ns = clock_now();
	x->want_status = want_status;
	STAILQ_INSERT_TAIL(&lab->execs, x, next);
	if (verb_split(line, &argc, &argv, &why) != 0) {
		x->done = x->bad_words = true;
		x->status = 2;
		exec_err(x, why, strlen(why));
		return x;
	}
	back = verb_folder_enter(lab->folder);
	run = verb_exec(argc, argv, node->prison, 0, &io);
	verb_folder_leave(back);
	if (!x->done)
		x->run = run;
	verb_split_free(argc, argv);
	return x;
}

bool
lab_exec_ok(const struct lab_exec *x)
{
	return !x->bad_words && (x->want_status < 0 || (x->done && x->status == x->want_status));
}

const char *
lab_exec_why(const struct lab_exec *x)
{
	if (x->err_len == 0)
		return "";
	return lab_printf(x->lab, "%.*s", (int)strcspn(x->err, "\n"), x->err);
}

void
lab_exec_end(struct lab *lab)
{
	struct lab_exec *x;

	STAILQ_FOREACH(x, &lab->execs, next)
		if (x->run != NULL)
			verb_cancel(x->run);
}

void
lab_exec_free(struct lab *lab)
{
	struct lab_exec *x;

	lab_exec_end(lab);
	STAILQ_FOREACH(x, &lab->execs, next) {
		free(x->out);
		free(x->err);
		x->out = x->err = NULL;
	}
	STAILQ_INIT(&lab->execs);
}
