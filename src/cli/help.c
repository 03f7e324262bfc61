/*
 * help.c - what there is, and how it is called.
 */
#include "cli/cli.h"

#include "base/emitter.h"
#include "kern/verb.h"
#include "warren.h"

#include <stdio.h>
#include <string.h>

static bool
wants_json(const struct cli_words *w)
{
	for (int i = 1; i < w->argc; i++)
		if (strncmp(w->argv[i], "--json", 6) == 0 || strncmp(w->argv[i], "--libxo", 7) == 0)
			return true;
	return w->json;
}

/* The first word that is no option; NULL. */
static const char *
plain_word(const struct cli_words *w)
{
	for (int i = 1; i < w->argc; i++)
		if (strncmp(w->argv[i], "--", 2) != 0 && strcmp(w->argv[i], "json") != 0)
			return w->argv[i];
	return NULL;
}

static struct emitter *
answer(const struct cli_words *w)
{
	struct emitter *e = emitter_new(wants_json(w) ? EMIT_JSON : EMIT_TEXT, cli_stdout, NULL);

	if (e != NULL)
		emit_object(e, NULL);
	return e;
}

static void
line(struct emitter *e, const char *name, const char *summary)
{
	emit_object(e, NULL);
	emit_str(e, "name", "  %-12s ", name);
	emit_str(e, "summary", "%s\n", summary != NULL ? summary : "");
	emit_end(e);
}

static void
verb_line_out(const struct verb *verb, void *ctx)
{
	line(ctx, verb->name, verb->summary);
}

/* Every line of a text with something before it. */
static void
lines(struct emitter *e, const char *first, const char *rest, const char *text)
{
	while (text != NULL && *text != '\0') {
		int n = (int)strcspn(text, "\n");

		emit_text(e, "%s%.*s\n", first, n, text);
		first = rest;
		text += n + (text[n] == '\n');
	}
}

static int
help_tool(const struct cli_words *w, const char *name)
{
	const struct cli_verb *own = cli_verb_find(name);
	const struct verb *verb = own == NULL ? verb_find(name) : NULL;
	struct emitter *e;

	if (own == NULL && verb == NULL)
		return cli_error(w, CLI_NO, "no tool '%s'", name);
	e = answer(w);
	if (e == NULL)
		return CLI_ENVIRONMENT;
	emit_str(e, "name", NULL, name);
	if (own != NULL) {
		emit_str(e, "usage", "usage: warren %s\n", own->usage);
		emit_str(e, "summary", "%s\n", own->summary);
		lines(e, "\n  ", "  ", own->options);
	} else {
		emit_str(e, "usage", NULL, verb->usage != NULL ? verb->usage : verb->name);
		lines(e, "usage: ", "       ", verb->usage != NULL ? verb->usage : verb->name);
		emit_str(e, "summary", "%s\n", verb->summary != NULL ? verb->summary : "");
	}
	emitter_free(e);
	return CLI_YES;
}

int
cli_help(const struct cli_words *w)
{
	const char *tool = plain_word(w);
	struct emitter *e;

	if (tool != NULL)
		return help_tool(w, tool);
	e = answer(w);
	if (e == NULL)
		return CLI_ENVIRONMENT;
	emit_text(e, "usage: warren [--json] [-j JAIL] [--socket PATH] TOOL [word ...]\n\n");
	emit_list(e, "verbs");
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		line(e, v->name, v->summary);
	emit_end(e);
	emit_text(e, "\nTools, run by the daemon (warren up):\n");
	emit_list(e, "tools");
	verb_foreach(verb_line_out, e);
	emit_end(e);
	emit_text(e, "\nwarren help TOOL tells how one is called.\n");
	emitter_free(e);
	return CLI_YES;
}

int
cli_version(const struct cli_words *w)
{
	struct emitter *e = answer(w);

	if (e == NULL)
		return CLI_ENVIRONMENT;
	emit_str(e, "version", "warren %s\n", warren_version());
	emitter_free(e);
	return CLI_YES;
}
