/*
 * cli.c - from words to an exit status: the program's own verbs run here, every tool in the daemon.
 */
#include "cli/cli.h"
#include "cli/confirm.h"
#include "cli/stdin_file.h"

#include "control/ctl_client.h"
#include "control/process.h"
#include "control/run_line.h"
#include "kern/state.h"
#include "kern/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char lab_options[] =
    "--for TIME       run for so long (5s, 200ms) instead of what the file says\n"
    "--seed N         the seed of all chance, instead of the file's\n"
    "--out DIR        where captures and report.json go\n"
    "-o NAME=VALUE    a tunable, set before the start\n"
    "-q               no status line\n";
static const char replay_options[] =
    "-r RULES         the rule file, as ipfw reads it\n"
    "--diff           two rule files, OLD and NEW, instead of -r\n"
    "--in IF          packets come in by this interface ...\n"
    "--out IF         ... and go out by this one\n"
    "--net CIDR=IF    addresses of this network are behind this interface; any number\n"
    "-c COMMAND       for the stack, before the rules: ifconfig, route, sysctl; any number\n"
    "--layer2         Ethernet frames meet the rules too\n"
    "--packets        each packet, and the rules that it met\n"
    "-v               ... and why a rule did not match\n"
    "--only WHICH     passed, dropped, or the number of a rule that it matched\n"
    "--write FILE     pcapng whose comments say what became of each packet\n"
    "--seed N         the seed of all chance\n";
static const char up_options[] = "-d               in the background; prints the process's number\n"
				 "--socket PATH    the control socket\n"
				 "-o NAME=VALUE    a tunable, set before the start\n";

const struct cli_verb cli_verbs[] = {
	{ "run", "run [--for TIME] [--seed N] [--out DIR] [--live] [-o NAME=VALUE] [-q] FILE",
	    "run a lab file in virtual time and report", lab_options, cli_run },
	{ "test", "test [--for TIME] [--seed N] [--out DIR] [-o NAME=VALUE] FILE ...",
	    "run lab files and say which expectations hold (TAP)", lab_options, cli_test },
	{ "check", "check FILE ...", "read and build lab files without running them", NULL,
	    cli_check },
	{ "replay", "replay [option ...] {-r RULES | --diff OLD NEW} FILE",
	    "try a firewall's rules on a capture, or compare two rule files on it", replay_options,
	    cli_replay },
	{ "up", "up [-d] [--socket PATH] [-o NAME=VALUE] [FILE]",
	    "start the daemon, with the network of a lab file if given", up_options, cli_up },
	{ "down", "down [--socket PATH]", "end the daemon", NULL, cli_down },
	{ "console", "console [-o NAME=VALUE] [--seed N] [FILE]",
	    "a command line to the daemon, or to a lab file in virtual time", NULL, cli_console },
	{ "env", "env [--shell sh|csh|fish]",
	    "shell words that put the tools on PATH: eval \"$(warren env)\"", NULL, cli_env },
	{ "help", "help [TOOL]", "what there is, or how a tool is called", NULL, cli_help },
	{ "version", "version", "which warren this is", NULL, cli_version },
	{ .name = NULL },
};

const struct cli_verb *
cli_verb_find(const char *name)
{
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

int
cli_error(const struct cli_words *w, int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "warren %s: ", w->argv[0]);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

int
cli_usage(const struct cli_words *w)
{
	const struct cli_verb *v = cli_verb_find(w->argv[0]);

	fprintf(stderr, "usage: warren %s\n", v != NULL ? v->usage : w->argv[0]);
	return CLI_WORDS;
}

void
cli_stdout(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	fwrite(bytes, 1, len, stdout);
}

void
cli_stderr(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	fflush(stdout);
	fwrite(bytes, 1, len, stderr);
}

/* How far apart two words are (Levenshtein), for words of up to 31 letters. */
static unsigned
word_distance(const char *a, const char *b)
{
	unsigned row[32], la = (unsigned)strlen(a), lb = (unsigned)strlen(b);

	if (la > 31 || lb > 31)
		return 32;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

struct nearest {
	const char *word, *name;
	unsigned distance;
};

static void
nearest_try(struct nearest *n, const char *name)
{
	unsigned distance = word_distance(n->word, name);

	if (distance < n->distance) {
		n->distance = distance;
		n->name = name;
	}
}

static void
nearest_verb(const struct verb *verb, void *ctx)
{
	nearest_try(ctx, verb->name);
}

static int
unknown_tool(const char *word)
{
	/* Two slips at most, and never a whole other word. */
	struct nearest n = { .word = word, .distance = strlen(word) < 4 ? 2 : 3 };

	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		nearest_try(&n, v->name);
	verb_foreach(nearest_verb, &n);
	fprintf(stderr, "warren: no tool '%s'", word);
	if (n.name != NULL)
		fprintf(stderr, " (did you mean %s?)", n.name);
	fprintf(stderr, "; see: warren help\n");
	return CLI_WORDS;
}

/* A tool that reads a saved state (-M FILE) needs no daemon: it runs in this process. */
static int
run_on_saved_state(const struct cli_words *w)
{
	const struct verb_io io = { .out = cli_stdout,
		.err = cli_stderr,
		.json = w->json,
		.is_tty = isatty(STDOUT_FILENO) };
	char **argv = calloc((size_t)w->argc + 3, sizeof(*argv));
	const char *why = "no memory";
	int n = 0, status;

	if (argv == NULL || process_start(CLOCK_VIRTUAL, 0, NULL, &why) != 0) {
		free(argv);
		return cli_error(w, CLI_FAULT, "%s", why);
	}
	argv[n++] = w->argv[0];
	if (w->jail != NULL) {
		argv[n++] = (char *)(uintptr_t) "-j";
		argv[n++] = (char *)(uintptr_t)w->jail;
	}
	for (int i = 1; i < w->argc; i++)
		argv[n++] = w->argv[i];
	status = run_words(n, argv, NULL, &io, NULL);
	free(argv);
	process_stop();
	return status;
}

/* A full pipe or disk must not look like success. */
static int
flush_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	perror("warren: standard output");
	return status == CLI_YES ? CLI_ENVIRONMENT : status;
}

static int
run_in_daemon(const struct cli_words *w)
{
	int status;
	char *input;

	if (!confirmed(w->argc, w->argv))
		return CLI_YES;
	input = stdin_file_make(w->argc, w->argv, &status);
	if (status == 0)
		status = ctl_client_run(w->socket, w->jail, w->fib, w->json, w->argc, w->argv);
	stdin_file_remove(input);
	return status;
}

int
cli_main(int argc, char **argv)
{
	const struct cli_verb *own;
	const struct verb *verb;
	struct cli_words w;
	char *why = NULL;

	if (cli_words(argc, argv, &w, &why) != 0) {
		fprintf(stderr, "warren: %s; see: warren help\n", why != NULL ? why : "no memory");
		free(why);
		return CLI_WORDS;
	}
	if (w.argc == 0) {
		fprintf(stderr,
		    "usage: warren [--json] [-j JAIL] [--socket PATH] TOOL [word ...]\n"
		    "       warren help\n");
		return CLI_WORDS;
	}
	own = cli_verb_find(w.argv[0]);
	if (own != NULL)
		return flush_output(own->run(&w));
	if (strcmp(w.argv[0], "complete") == 0)
		return flush_output(cli_complete(&w));
	verb = verb_find(w.argv[0]);
	if (verb == NULL)
		return unknown_tool(w.argv[0]);
	if (state_asked(verb, w.argc, w.argv))
		return flush_output(run_on_saved_state(&w));
	return run_in_daemon(&w);
}
