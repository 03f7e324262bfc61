/*
 * console.c - warren console: commands typed by people.
 *
 * Without a file the daemon runs them. With one the stacks are here, in virtual time, which stands
 * still while nobody asks for it: `run 5s` lets five seconds pass, and a command that waits (ping)
 * runs the stacks until it has ended.
 */
#include "cli/console.h"

#include "base/sched.h"
#include "cli/cli.h"
#include "cli/confirm.h"
#include "control/complete.h"
#include "control/ctl_client.h"
#include "control/run_line.h"
#include "kern/jail.h"
#include "lab/lab.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile int console_interrupted;

const char *const console_words[] = { "cd", "exit", "help", "json", "quit", "run", NULL };

static const char console_help[] =
    "  cd [JAIL]     go into a jail; without a word back to the host\n"
    "  run [TIME]    let virtual time pass (5s, 200ms); without a word until nothing is left to do\n"
    "  json on|off   answers as JSON\n"
    "  help [TOOL]   this, or how a tool is called\n"
    "  exit          end\n"
    "Everything else is a tool's words: ifconfig, jail -c name=r1 vnet persist, jexec r1 netstat -rn …\n";

static void
interrupt(int sig)
{
	(void)sig;
	console_interrupted = 1;
	/* A store to the worker of this thread: the only one in virtual time. */
	if (curworker != NULL)
		sched_stop();
}

static void __attribute__((format(printf, 3, 4)))
complain(struct console *c, int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	c->status = status;
}

void
console_prompt(const struct console *c, char *text, size_t len)
{
	const char *where = c->jail != NULL ? c->jail : "host";

	if (c->local)
		snprintf(text, len, "[%" PRIu64 ".%03" PRIu64 "s] %s# ", clock_now() / NS_PER_SEC,
		    clock_now() % NS_PER_SEC / NS_PER_MS, where);
	else
		snprintf(text, len, "%s# ", where);
}

/* --- where the stacks are ------------------------------------------------ */

/* The jail that the console stands in; the host when it has gone meanwhile. */
static struct prison *
local_prison(struct console *c)
{
	struct prison *pr = c->jail != NULL ? prison_find(&prison0, c->jail) : &prison0;

	if (pr != NULL)
		return pr;
	complain(c, 1, "warren: jail \"%s\" not found: back to the host", c->jail);
	free(c->jail);
	c->jail = NULL;
	return &prison0;
}

static void
out_line(void *ctx, const char *bytes, size_t len)
{
	cli_stdout(ctx, bytes, len);
	fflush(stdout);
}

static void
run_tool(struct console *c, int argc, char **argv)
{
	const struct verb_io io = {
		.out = out_line, .err = cli_stderr, .json = c->json, .is_tty = true
	};

	fflush(stdout);
	if (!confirmed(argc, argv))
		return;
	if (c->local)
		c->status = run_words(argc, argv, local_prison(c), &io, &console_interrupted);
	else
		c->status = ctl_client_run(c->socket, c->jail, 0, c->json, argc, argv);
}

static bool
jail_exists(const struct console *c, const char *name)
{
	static char jls[] = "jls", option[] = "-j", format[] = "jid";
	char *argv[] = { jls, option, (char *)(uintptr_t)name, format, NULL };
	const struct ctl_sink silent = { NULL, NULL, NULL };

	if (c->local)
		return prison_find(&prison0, name) != NULL;
	return ctl_client_capture(c->socket, NULL, false, 4, argv, &silent) == 0;
}

/* Words of the daemon's answer, one a line. */
struct word_lines {
	void (*add)(void *ctx, const char *word);
	void *ctx;
	char line[256];
	size_t len;
};

static void
word_bytes(void *ctx, const char *bytes, size_t len)
{
	struct word_lines *w = ctx;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n') {
			w->line[w->len] = '\0';
			w->add(w->ctx, w->line);
			w->len = 0;
		} else if (w->len < sizeof(w->line) - 1) {
			w->line[w->len++] = bytes[i];
		}
	}
}

void
console_complete(
    struct console *c, int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static char complete[] = "complete", jexec[] = "jexec", empty[] = "";
	struct word_lines w = { .add = add, .ctx = ctx };
	const struct ctl_sink sink = { .out = word_bytes, .ctx = &w };
	char *in_jail[] = { jexec, argc == 2 ? argv[1] : empty, NULL };
	char **words;

	for (int i = 0; argc == 1 && console_words[i] != NULL; i++)
		if (strncmp(console_words[i], argv[0], strlen(argv[0])) == 0)
			add(ctx, console_words[i]);
	/* What may follow `cd` is what may follow `jexec`. */
	if (argc == 2 && strcmp(argv[0], "cd") == 0)
		argv = in_jail;
	if (argc == 2 && strcmp(argv[0], "help") == 0) {
		argc = 1;
		argv++;
	}
	if (c->local) {
		VNET_SCOPE(local_prison(c)->vnet);
		complete_words(argc, argv, add, ctx);
		return;
	}
	words = calloc((size_t)argc + 2, sizeof(*words));
	if (words == NULL)
		return;
	words[0] = complete;
	memcpy(words + 1, argv, (size_t)argc * sizeof(*words));
	(void)ctl_client_capture(c->socket, c->jail, false, argc + 1, words, &sink);
	free(words);
}

/* --- the console's own words --------------------------------------------- */

static void
word_cd(struct console *c, int argc, char **argv)
{
	char *jail = NULL;

	if (argc > 2) {
		complain(c, CLI_WORDS, "usage: cd [JAIL]");
		return;
	}
	if (argc == 2 && strcmp(argv[1], "..") != 0 && strcmp(argv[1], "/") != 0 &&
	    strcmp(argv[1], "host") != 0) {
		if (!jail_exists(c, argv[1])) {
			complain(c, 1, "cd: jail \"%s\" not found", argv[1]);
			return;
		}
		jail = strdup(argv[1]);
	}
	free(c->jail);
	c->jail = jail;
	c->status = 0;
}

static void
word_run(struct console *c, int argc, char **argv)
{
	uint64_t ns;

	if (!c->local) {
		complain(c, CLI_WORDS, "run: the daemon's time passes by itself");
		return;
	}
	if (argc > 2 || (argc == 2 && !verb_duration(argv[1], &ns))) {
		complain(c, CLI_WORDS, "usage: run [TIME]: a time like 5s or 200ms");
		return;
	}
	sched_run(argc == 2 ? clock_now() + ns : NS_NEVER);
	c->status = console_interrupted ? 130 : 0;
}

static void
word_json(struct console *c, int argc, char **argv)
{
	if (argc != 2 || (strcmp(argv[1], "on") != 0 && strcmp(argv[1], "off") != 0)) {
		complain(c, CLI_WORDS, "usage: json on|off");
		return;
	}
	c->json = strcmp(argv[1], "on") == 0;
	c->status = 0;
}

static void
word_help(struct console *c, int argc, char **argv)
{
	const struct cli_words w = { .json = c->json, .argc = argc, .argv = argv };

	if (argc == 1 && !c->json)
		fputs(console_help, stdout);
	c->status = argc == 1 && !c->json ? 0 : cli_help(&w);
}

static void
run_line(struct console *c, const char *line)
{
	const char *why = NULL;
	char **argv;
	int argc;

	if (verb_split(line, &argc, &argv, &why) != 0) {
		complain(c, CLI_WORDS, "warren: %s", why);
		return;
	}
	if (argc == 0)
		;
	else if (strcmp(argv[0], "exit") == 0 || strcmp(argv[0], "quit") == 0)
		c->end = true;
	else if (strcmp(argv[0], "cd") == 0)
		word_cd(c, argc, argv);
	else if (strcmp(argv[0], "run") == 0)
		word_run(c, argc, argv);
	else if (strcmp(argv[0], "json") == 0)
		word_json(c, argc, argv);
	else if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "?") == 0)
		word_help(c, argc, argv);
	else
		run_tool(c, argc, argv);
	verb_split_free(argc, argv);
	fflush(stdout);
}

/* --- start and end ------------------------------------------------------- */

static int
talk(struct console *c)
{
	struct console_input *in = console_input_new(c);
	struct sigaction action = { .sa_handler = interrupt }, saved;
	const char *line;

	if (in == NULL) {
		free(c->jail);
		return CLI_ENVIRONMENT;
	}
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, &saved);
	while (!c->end && (line = console_input_line(in)) != NULL) {
		console_interrupted = 0;
		run_line(c, line);
	}
	sigaction(SIGINT, &saved, NULL);
	console_input_free(in);
	free(c->jail);
	return c->status;
}

int
cli_console(const struct cli_words *w)
{
	struct cli_lab_words lw;
	struct console c = {};
	struct lab *lab;
	int status = cli_lab_words(w, "sOqoS", &lw);

	if (status != 0)
		return status;
	if (lw.nfiles > 1)
		return cli_usage(w);
	c.json = lw.json;
	c.socket = lw.socket;
	c.jail = w->jail != NULL ? strdup(w->jail) : NULL;
	c.local = lw.nfiles == 1;
	if (!c.local) {
		if (ctl_client_probe(c.socket))
			return talk(&c);
		free(c.jail);
		fprintf(stderr, "warren: no daemon answers at %s (start one with: warren up)\n",
		    c.socket);
		return CLI_ENVIRONMENT;
	}
	status = cli_lab_start(w, &lw, lw.files[0], lw.out_dir == NULL, &lab);
	if (status == 0)
		status = talk(&c);
	else
		free(c.jail);
	cli_lab_end(lab);
	return status;
}
