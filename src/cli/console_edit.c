/*
 * console_edit.c - the console's lines: libedit on a terminal, plain reading elsewhere.
 *
 * Tab completes: the only candidate whole, of several what they have in common, and when that adds
 * nothing they are listed. The history is kept in $XDG_STATE_HOME/warren/history (~/.local/state).
 */
#include "cli/console.h"

#include "kern/verb.h"

#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * libedit 3.1 keeps copies of the name and the help text of a function that EL_ADDFN adds, and
 * el_end doesn't free them. Nobody else here calls wcsdup.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:wcsdup\n";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

enum { HISTORY_LINES = 1000, LISTED_MAX = 200 };

struct console_input {
	struct console *console;
	EditLine *el; /* NULL: standard input is no terminal */
	History *history;
	char *history_file; /* NULL = not kept */
	char *line;         /* the line that was handed out */
	size_t room;
	char prompt[128];
};

/* --- Tab ----------------------------------------------------------------- */

struct matches {
	char *word[LISTED_MAX];
	size_t n, all;
	char *common; /* what all begin with */
};

static void
match_add(void *ctx, const char *word)
{
	struct matches *m = ctx;
	size_t i = 0;

	m->all++;
	if (m->n < LISTED_MAX && (m->word[m->n] = strdup(word)) != NULL)
		m->n++;
	if (m->common == NULL) {
		m->common = strdup(word);
		return;
	}
	while (m->common[i] != '\0' && m->common[i] == word[i])
		i++;
	m->common[i] = '\0';
}

static void
matches_list(const struct matches *m)
{
	size_t widest = 0, column = 0;

	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->word[i]) > widest)
			widest = strlen(m->word[i]);
	putchar('\n');
	for (size_t i = 0; i < m->n; i++) {
		if (column > 0 && column + widest > 78) {
			putchar('\n');
			column = 0;
		}
		printf("%-*s  ", (int)widest, m->word[i]);
		column += widest + 2;
	}
	if (m->all > m->n)
		printf("… and %zu more", m->all - m->n);
	putchar('\n');
	fflush(stdout);
}

/* The words before the cursor, the last one being what is typed so far. NULL inside of a quote. */
static char **
words_before(const char *text, size_t len, int *argc)
{
	static char empty[] = "";
	char *part = calloc(1, len + 1), **argv = NULL, **more;
	const char *why;

	if (part != NULL)
		memcpy(part, text, len);
	if (part == NULL || verb_split(part, argc, &argv, &why) != 0) {
		free(part);
		return NULL;
	}
	free(part);
	if (len > 0 && text[len - 1] != ' ' && text[len - 1] != '\t' && *argc > 0)
		return argv;
	more = calloc((size_t)*argc + 2, sizeof(*more));
	if (more != NULL) {
		for (int i = 0; i < *argc; i++)
			more[i] = strdup(argv[i]);
		more[*argc] = strdup(empty);
	}
	verb_split_free(*argc, argv);
	(*argc)++;
	return more;
}

static void
words_free(char **argv, int argc)
{
	for (int i = 0; argv != NULL && i < argc; i++)
		free(argv[i]);
	free(argv);
}

static unsigned char
tab(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);
	struct console_input *in = NULL;
	struct matches m = {};
	unsigned char result = CC_ERROR;
	size_t typed;
	char **argv;
	int argc;

	(void)ch;
	if (el_get(el, EL_CLIENTDATA, &in) != 0 || in == NULL)
		return CC_ERROR;
	argv = words_before(li->buffer, (size_t)(li->cursor - li->buffer), &argc);
	if (argv == NULL)
		return CC_ERROR;
	typed = strlen(argv[argc - 1]);
	console_complete(in->console, argc, argv, match_add, &m);
	if (m.common != NULL && strlen(m.common) > typed && el_insertstr(el, m.common + typed) == 0)
		result = CC_REFRESH;
	if (m.all == 1 && el_insertstr(el, " ") == 0)
		result = CC_REFRESH;
	if (m.all > 1 && result == CC_ERROR) {
		matches_list(&m);
		result = CC_REDISPLAY;
	}
	for (size_t i = 0; i < m.n; i++)
		free(m.word[i]);
	free(m.common);
	words_free(argv, argc);
	return result;
}

/* --- history ------------------------------------------------------------- */

static char *
history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *folder = NULL, *path = NULL;
	int n;

	if (state != NULL && state[0] != '\0')
		n = asprintf(&folder, "%s/warren", state);
	else if (home != NULL && home[0] != '\0')
		n = asprintf(&folder, "%s/.local/state/warren", home);
	else
		return NULL;
	if (n < 0)
		return NULL;
	/* Only where the user has such a place: we make no more than our own folder in it. */
	if ((mkdir(folder, 0700) != 0 && errno != EEXIST) ||
	    asprintf(&path, "%s/history", folder) < 0)
		path = NULL;
	free(folder);
	return path;
}

static void
history_open(struct console_input *in)
{
	HistEvent ev;

	in->history = history_init();
	if (in->history == NULL)
		return;
	history(in->history, &ev, H_SETSIZE, HISTORY_LINES);
	history(in->history, &ev, H_SETUNIQUE, 1);
	in->history_file = history_path();
	if (in->history_file != NULL)
		history(in->history, &ev, H_LOAD, in->history_file);
	el_set(in->el, EL_HIST, history, in->history);
}

static void
history_close(struct console_input *in)
{
	HistEvent ev;
	mode_t saved;

	if (in->history == NULL)
		return;
	if (in->history_file != NULL) {
		saved = umask(077);
		history(in->history, &ev, H_SAVE, in->history_file);
		umask(saved);
	}
	free(in->history_file);
	history_end(in->history);
}

/* --- lines --------------------------------------------------------------- */

static char *
prompt(EditLine *el)
{
	static char none[] = "";
	struct console_input *in = NULL;

	if (el_get(el, EL_CLIENTDATA, &in) != 0 || in == NULL)
		return none;
	console_prompt(in->console, in->prompt, sizeof(in->prompt));
	return in->prompt;
}

struct console_input *
console_input_new(struct console *c)
{
	struct console_input *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	in->console = c;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return in;
	in->el = el_init("warren", stdin, stdout, stderr);
	if (in->el == NULL)
		return in;
	el_set(in->el, EL_CLIENTDATA, in);
	el_set(in->el, EL_PROMPT, prompt);
	el_set(in->el, EL_EDITOR, "emacs");
	el_set(in->el, EL_SIGNAL, 1);
	el_set(in->el, EL_ADDFN, "warren-complete", "complete the word", tab);
	el_set(in->el, EL_BIND, "^I", "warren-complete", NULL);
	el_set(in->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	history_open(in);
	el_source(in->el, NULL);
	return in;
}

/* Keep a copy without the newline. */
static const char *
hand_out(struct console_input *in, const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (len + 1 > in->room) {
		char *grown = realloc(in->line, len + 1);

		if (grown == NULL)
			return NULL;
		in->line = grown;
		in->room = len + 1;
	}
	memmove(in->line, line, len);
	in->line[len] = '\0';
	return in->line;
}

static const char *
edited_line(struct console_input *in)
{
	const char *line;
	HistEvent ev;
	int n = 0;

	console_interrupted = 0;
	line = el_gets(in->el, &n);
	if (line == NULL || n <= 0) {
		if (!console_interrupted) {
			putchar('\n');
			return NULL;
		}
		/* ^C: a new line, and what was typed is forgotten. */
		console_interrupted = 0;
		el_reset(in->el);
		putchar('\n');
		return hand_out(in, "", 0);
	}
	if (in->history != NULL && n > 1)
		history(in->history, &ev, H_ENTER, line);
	return hand_out(in, line, (size_t)n);
}

const char *
console_input_line(struct console_input *in)
{
	ssize_t n;

	if (in->el != NULL)
		return edited_line(in);
	do {
		clearerr(stdin);
		n = getline(&in->line, &in->room, stdin);
	} while (n < 0 && errno == EINTR && !feof(stdin));
	return n < 0 ? NULL : hand_out(in, in->line, (size_t)n);
}

void
console_input_free(struct console_input *in)
{
	if (in->el != NULL) {
		history_close(in);
		el_end(in->el);
	}
	free(in->line);
	free(in);
}
