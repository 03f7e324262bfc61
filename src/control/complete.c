/*
 * complete.c - the words that may follow.
 *
 * The first word is a tool; behind `jexec JAIL` and `setfib N` stands another first word; the rest
 * is the tool's own business (verb->complete). The verb `complete` asks from outside of the
 * process: interface names and jails are known only where the stacks are.
 */
#include "control/complete.h"

#include "kern/jail.h"
#include "kern/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct candidates {
	char **word;
	size_t n, room;
	const char *prefix;
};

static void
candidate_add(void *ctx, const char *word)
{
	struct candidates *c = ctx;

	if (strncmp(word, c->prefix, strlen(c->prefix)) != 0)
		return;
	if (c->n == c->room) {
		size_t room = c->room == 0 ? 64 : c->room * 2;
		char **grown = realloc(c->word, room * sizeof(*grown));

		if (grown == NULL)
			return;
		c->word = grown;
		c->room = room;
	}
	c->word[c->n] = strdup(word);
	if (c->word[c->n] != NULL)
		c->n++;
}

static void
add_verb(const struct verb *verb, void *ctx)
{
	candidate_add(ctx, verb->name);
}

static void
add_jails(struct candidates *c)
{
	struct prison *pr;

	TAILQ_FOREACH(pr, &prison_head, link)
		candidate_add(c, pr->name);
}

static void
add_of_words(struct candidates *c, int argc, char **argv)
{
	const struct verb *verb;

	/* What stands before the tool. */
	for (;;) {
		bool jexec = argc > 1 && strcmp(argv[0], "jexec") == 0;

		if (!jexec && (argc <= 1 || strcmp(argv[0], "setfib") != 0))
			break;
		if (argc == 2) {
			if (jexec)
				add_jails(c);
			return;
		}
		argc -= 2;
		argv += 2;
	}
	if (argc <= 1) {
		verb_foreach(add_verb, c);
		return;
	}
	if (strcmp(argv[argc - 2], "-j") == 0) {
		add_jails(c);
		return;
	}
	verb = verb_find(argv[0]);
	/* Its function sees the words before the one that is being typed. */
	if (verb != NULL && verb->complete != NULL)
		verb->complete(argc - 1, argv, candidate_add, c);
}

static int
word_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
complete_words(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	struct candidates c = { .prefix = argc > 0 ? argv[argc - 1] : "" };

	add_of_words(&c, argc, argv);
	if (c.n > 0)
		qsort(c.word, c.n, sizeof(*c.word), word_compare);
	for (size_t i = 0; i < c.n; i++) {
		if (i == 0 || strcmp(c.word[i], c.word[i - 1]) != 0)
			add(ctx, c.word[i]);
	}
	for (size_t i = 0; i < c.n; i++)
		free(c.word[i]);
	free(c.word);
}

static void
emit_word(void *ctx, const char *word)
{
	emit_str(ctx, "word", "%s\n", word);
}

static int
complete_run(struct verb_run *v)
{
	emit_list(v->out, "words");
	complete_words(v->argc - 1, v->argv + 1, emit_word, v->out);
	emit_end(v->out);
	return 0;
}
VERB_DEFINE(complete, .name = "complete", .usage = "complete [word ...]",
    .summary = "say which words may follow: for shells", .run = complete_run,
    .flags = VERB_UNPRIVILEGED);
