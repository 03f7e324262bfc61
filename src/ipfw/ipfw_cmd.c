/*
 * ipfw_cmd.c - the tool `ipfw`: its options, and the way from words to a sub-command.
 *
 *	ipfw [options] sub-command words		fw_command
 *	ipfw [options] [-p program words] /path	fw_command_file (ipfw_file.c): lines of the same kind
 *
 * Sub-commands come from the linker set: those that change rules are in rule_cmd.c, list and show in
 * ipfw_list.c, sets in set_cmd.c, others beside what they are for (table, nat, pipe …). What ipfw says and its exit statuses are those of the original:
 * 64 words, 65 what they mean, 69 not there or not to be had, 71 no memory.
 */
#include "ipfw/command.h"

#include "ipfw/rule.h"
#include "kern/jail.h"
#include "kern/kern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

LINKERSET_DECLARE(fw_subcommand, const struct fw_subcommand);
static struct sorted_set subcommands;

static int
subcommand_compare(const void *a, const void *b)
{
	const struct fw_subcommand *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The i-th by name; NULL behind the last. */
static const struct fw_subcommand *
subcommand_at(size_t i)
{
	SORTED_SET_MAKE(&subcommands, fw_subcommand, subcommand_compare);
	return i < subcommands.n ? subcommands.object[i] : NULL;
}

/* --- options -------------------------------------------------------------- */

static const struct {
	char letter;
	size_t place; /* of the bool in struct fw_options */
} option_letters[] = {
	{ 'a', offsetof(struct fw_options, counters) },
	{ 'b', offsetof(struct fw_options, brief) },
	{ 'c', offsetof(struct fw_options, compact) },
	{ 'd', offsetof(struct fw_options, dynamic) },
	{ 'D', offsetof(struct fw_options, only_dynamic) },
	{ 'e', offsetof(struct fw_options, expired) },
	{ 'f', offsetof(struct fw_options, force) },
	{ 'i', offsetof(struct fw_options, as_ip) },
	{ 'n', offsetof(struct fw_options, test_only) },
	{ 'N', offsetof(struct fw_options, names) },
	{ 'q', offsetof(struct fw_options, quiet) },
	{ 'S', offsetof(struct fw_options, sets) },
	{ 't', offsetof(struct fw_options, time) },
	{ 'T', offsetof(struct fw_options, epoch) },
};

static bool
option_set(struct fw_options *o, int letter)
{
	for (size_t i = 0; i < sizeof(option_letters) / sizeof(option_letters[0]); i++)
		if (option_letters[i].letter == letter) {
			*(bool *)(void *)((char *)o + option_letters[i].place) = true;
			return true;
		}
	return false;
}

/* Where the options ended, and what stood among them that is no switch. */
struct option_end {
	int words;           /* passed over */
	bool help;           /* -h */
	const char *preproc; /* -p */
};

/* Options at the front of argv into *o. 0 or an exit status. */
static int
options_parse(
    struct verb_run *v, struct fw_options *o, int argc, char **argv, struct option_end *end)
{
	struct verb_opts opts = {
		.v = v, .argc = argc, .argv = argv, .spec = "abcdDefhinNp:qSs:tT"
	};
	uint64_t field;
	int c;

	*end = (struct option_end){ 0 };
	while ((c = verb_opts_next(&opts)) != -1) {
		if (c == '?')
			return verb_usage(v, NULL);
		if (c == 'h')
			end->help = true;
		if (c == 's' && !verb_number(opts.arg, 0, 32, &field))
			return verb_error(v, EX_USAGE_, "-s: %s: fields are 0 to 32", opts.arg);
		if (c == 's')
			o->sort = (int)field;
		option_set(o, c);
		if (c == 'p') {
			/* what follows are the program's own options */
			end->preproc = opts.arg;
			break;
		}
	}
	end->words = opts.ind;
	return 0;
}

unsigned
fw_print_flags(const struct fw_options *o)
{
	return (o->counters ? FW_PRINT_COUNTERS : 0u) | (o->compact ? FW_PRINT_COMPACT : 0u) |
	    (o->brief ? FW_PRINT_BRIEF : 0u) | (o->sets ? FW_PRINT_SET : 0u) |
	    (o->time ? FW_PRINT_TIME : 0u) | (o->epoch ? FW_PRINT_EPOCH : 0u) |
	    (o->names ? FW_PRINT_NAMES : 0u);
}

/* --- words that several sub-commands read ---------------------------------- */

bool
fw_selection_parse(const char *word, const struct fw_options *o, struct fw_selection *s)
{
	const char *dash = strchr(word, '-');
	char first[16];
	uint64_t lo, hi;

	if (dash == NULL) {
		if (!verb_number(word, 1, FW_NUMBER_MAX, &lo))
			return false;
		hi = lo;
	} else {
		if (snprintf(first, sizeof(first), "%.*s", (int)(dash - word), word) >=
		    (int)sizeof(first))
			return false;
		if (!verb_number(first, 1, FW_NUMBER_MAX, &lo) ||
		    !verb_number(dash + 1, lo, FW_NUMBER_MAX, &hi))
			return false;
	}
	*s = (struct fw_selection){ (uint16_t)lo, (uint16_t)hi, o->only_sets };
	return true;
}

bool
fw_set_parse(struct verb_run *v, const char *word, unsigned max, uint8_t *set)
{
	uint64_t n;

	if (word == NULL || !verb_number(word, 0, max, &n)) {
		verb_error(v, 0, "%s: sets are 0 to %u", word == NULL ? "set" : word, max);
		return false;
	}
	*set = (uint8_t)n;
	return true;
}

int
fw_refuse(struct verb_run *v, int error, const char *what)
{
	return verb_error(v, error == -ENOMEM ? EX_OSERR_ : EX_UNAVAILABLE_, "%s: %s", what,
	    verb_strerror(error));
}

/* --- from words to a sub-command ------------------------------------------ */

/* By its name, else by the beginning of one; NULL after a message. */
static const struct fw_subcommand *
subcommand_find(struct verb_run *v, const char *word)
{
	const struct fw_subcommand *sub, *found = NULL;

	for (size_t i = 0; (sub = subcommand_at(i)) != NULL; i++)
		if (strcmp(sub->name, word) == 0)
			return sub;
	for (size_t i = 0; (sub = subcommand_at(i)) != NULL; i++) {
		if (strncmp(sub->name, word, strlen(word)) != 0)
			continue;
		if (found != NULL) {
			verb_error(v, 0, "bad command '%s': it could be more than one", word);
			return NULL;
		}
		found = sub;
	}
	if (found == NULL)
		verb_error(v, 0, "bad command '%s'", word);
	else
		verb_error(v, 0, "warning: '%s' is taken for '%s'; short forms are deprecated",
		    word, found->name);
	return found;
}

/* Words -> words, those that end with a comma joined with the next, up to a comment. */
static int
join_commas(int argc, char **argv, char **joined, char *room)
{
	bool open = false, comment = false;
	int n = 0;

	for (int i = 0; i < argc; i++) {
		size_t len = strlen(argv[i]);

		comment = comment || strncmp(argv[i], "//", 2) == 0;
		if (open && !comment) {
			room--; /* over the NUL of what went before */
		} else {
			joined[n++] = room;
		}
		memcpy(room, argv[i], len + 1);
		room += len + 1;
		open = len > 1 && argv[i][len - 1] == ',';
	}
	joined[n] = NULL;
	return n;
}

static int
help(struct verb_run *v)
{
	const struct fw_subcommand *sub;

	for (size_t i = 0; (sub = subcommand_at(i)) != NULL; i++)
		if (sub->usage != NULL && sub->usage[0] != '\0')
			emit_text(v->out, "%s\n", sub->usage);
	return 0;
}

/* The words behind the options, joined already. */
static int
subcommand_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	const struct fw_subcommand *sub;

	if (argc == 0)
		return verb_usage(v, NULL);
	if (priv_check(PRIV_FIREWALL) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	sub = subcommand_find(v, argv[0]);
	return sub == NULL ? EX_USAGE_ : sub->run(v, o, argc - 1, argv + 1);
}

int
fw_command(struct verb_run *v, const struct fw_options *inherited, int argc, char **argv)
{
	struct fw_options o = *inherited;
	struct option_end end;
	size_t bytes = 0;
	char **joined, *text;
	int status = options_parse(v, &o, argc, argv, &end);

	if (status != 0)
		return status;
	if (end.help)
		return help(v);
	if (end.preproc != NULL)
		return verb_error(v, EX_USAGE_, "-p: a program is for a file's name");
	argc -= end.words;
	argv += end.words;
	for (int i = 0; i < argc; i++)
		bytes += strlen(argv[i]) + 1;
	joined = malloc(((size_t)argc + 1) * sizeof(*joined));
	text = malloc(bytes + 1);
	if (joined == NULL || text == NULL)
		status = fw_refuse(v, -ENOMEM, "words");
	else
		status = subcommand_run(v, &o, join_commas(argc, argv, joined, text), joined);
	free(joined);
	free(text);
	return status;
}

int
fw_command_line(struct verb_run *v, const struct fw_options *inherited, char *line)
{
	char **argv, *word;
	int argc = 0, status;

	line[strcspn(line, "#")] = '\0';
	/* no line has more words than every second byte */
	argv = malloc((strlen(line) / 2 + 2) * sizeof(*argv));
	if (argv == NULL)
		return fw_refuse(v, -ENOMEM, "words");
	while ((word = strsep(&line, " \t\r\n")) != NULL)
		if (*word != '\0')
			argv[argc++] = word;
	/* lines as one types them are as good */
	status = argc > 0 && strcmp(argv[0], "ipfw") == 0 ?
	    fw_command(v, inherited, argc - 1, argv + 1) :
	    argc > 0 ? fw_command(v, inherited, argc, argv) :
		       0;
	free(argv);
	return status;
}

/* --- the tool ------------------------------------------------------------- */

/* ipfw -p PROGRAM [its words] FILE, ipfw FILE: the words behind the options. */
static int
run_file(struct verb_run *v, const struct fw_options *o, const char *preproc, int argc, char **argv)
{
	char **words;
	int status;

	if (argc == 0)
		return verb_error(v, EX_USAGE_, "-p: of which file?");
	if (preproc == NULL)
		return fw_command_file(v, o, argv[0], 0, NULL);
	words = calloc((size_t)argc + 1, sizeof(*words));
	if (words == NULL)
		return fw_refuse(v, -ENOMEM, "words");
	words[0] = (char *)(uintptr_t)preproc;
	memcpy(words + 1, argv, ((size_t)argc - 1) * sizeof(*words));
	status = fw_command_file(v, o, argv[argc - 1], argc, words);
	free(words);
	return status;
}

static bool
is_file(const char *word)
{
	return strcmp(word, "-") == 0 || strchr(word, '/') != NULL;
}

/* A whole command in one word. */
static int
run_text(struct verb_run *v, const struct fw_options *o, const char *word)
{
	char *text = strdup(word);
	int status;

	if (text == NULL)
		return fw_refuse(v, -ENOMEM, "words");
	status = fw_command_line(v, o, text);
	free(text);
	return status;
}

static bool
is_text(const char *word)
{
	return word[0] != '/' && strpbrk(word, " \t") != NULL;
}

static int
ipfw_run(struct verb_run *v)
{
	const struct fw_options none = { 0 };
	struct fw_options o = none;
	struct option_end end;
	int argc, status;
	char **argv;

	if (v->argc == 2 && is_text(v->argv[1]))
		return run_text(v, &none, v->argv[1]);
	status = options_parse(v, &o, v->argc - 1, v->argv + 1, &end);
	if (status != 0)
		return status;
	argc = v->argc - 1 - end.words;
	argv = v->argv + 1 + end.words;
	if (end.preproc != NULL || (argc == 1 && !is_text(argv[0]) && is_file(argv[0])))
		return run_file(v, &o, end.preproc, argc, argv);
	if (argc == 1 && is_text(argv[0]))
		return run_text(v, &o, argv[0]);
	return fw_command(v, &none, v->argc - 1, v->argv + 1);
}

static void
ipfw_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	const struct fw_subcommand *sub;
	int at = 1;

	while (at < argc && argv[at][0] == '-')
		at++;
	for (size_t i = 0; (sub = subcommand_at(i)) != NULL; i++) {
		if (at == argc)
			add(ctx, sub->name);
		else if (strcmp(argv[at], sub->name) == 0 && sub->complete != NULL)
			sub->complete(argc - at - 1, argv + at + 1, add, ctx);
	}
}

/* `flush` of rules, of one set, of pipes: what -f, -q and -n spare. */
static const char *
ipfw_question(int argc, char **argv)
{
	static const char *const flushed[] = { "set", "pipe", "queue", "sched" };
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++)
		if (strpbrk(argv[at], "fqn") != NULL)
			return NULL;
	if (at == argc || strcmp(argv[argc - 1], "flush") != 0)
		return NULL;
	if (at == argc - 1)
		return "Are you sure?";
	for (size_t i = 0; i < sizeof(flushed) / sizeof(flushed[0]); i++)
		if (strcmp(argv[at], flushed[i]) == 0)
			return "Are you sure?";
	return NULL;
}

VERB_DEFINE(ipfw, .name = "ipfw",
    .usage = "ipfw [-abcdDefhinNqSstT] command words\n"
	     "ipfw [-cfnNqS] [-p program [words]] file",
    .summary = "change and question the firewall's rules, sets, tables", .run = ipfw_run,
    .complete = ipfw_complete, .question = ipfw_question, .flags = VERB_HAS_JAIL);
