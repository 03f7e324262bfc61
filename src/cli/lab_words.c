/*
 * lab_words.c - options and files of the verbs that read lab files, and the start of a process
 * as a file wants it.
 */
#include "cli/cli.h"

#include "control/process.h"
#include "kern/verb.h"
#include "lab/lab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_FOR = 256, OPT_SEED, OPT_OUT, OPT_JSON, OPT_LIBXO, OPT_LIVE, OPT_SOCKET };

static const struct option long_options[] = {
	{ "for", required_argument, NULL, OPT_FOR },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "libxo", required_argument, NULL, OPT_LIBXO },
	{ "live", no_argument, NULL, OPT_LIVE },
	{ "quiet", no_argument, NULL, 'q' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "daemon", no_argument, NULL, 'd' },
	{ NULL, 0, NULL, 0 },
};

/* The letter under which a verb's `allowed` holds an option; 0 = all have it. */
static char
option_letter(int c)
{
	switch (c) {
	case OPT_FOR:
		return 'f';
	case OPT_SEED:
		return 's';
	case OPT_OUT:
		return 'O';
	case OPT_LIVE:
		return 'l';
	case OPT_SOCKET:
		return 'S';
	case OPT_JSON:
	case OPT_LIBXO:
		return 0;
	default:
		return (char)c;
	}
}

static int
option_take(const struct cli_words *w, struct cli_lab_words *lw, int c)
{
	switch (c) {
	case OPT_FOR:
		if (!verb_duration(optarg, &lw->for_ns) || lw->for_ns == 0)
			return cli_error(
			    w, CLI_WORDS, "--for %s: not a time like 5s or 200ms", optarg);
		break;
	case OPT_SEED:
		if (!verb_number(optarg, 1, UINT64_MAX, &lw->seed))
			return cli_error(
			    w, CLI_WORDS, "--seed %s: not a number of 1 or more", optarg);
		break;
	case OPT_OUT:
		lw->out_dir = optarg;
		break;
	case OPT_LIBXO:
		if (strncmp(optarg, "json", 4) != 0)
			return cli_error(w, CLI_WORDS, "--libxo %s: only json is known", optarg);
		lw->json = true;
		break;
	case OPT_JSON:
		lw->json = true;
		break;
	case OPT_LIVE:
		lw->live = true;
		break;
	case OPT_SOCKET:
		lw->socket = optarg;
		break;
	case 'q':
		lw->quiet = true;
		break;
	case 'd':
		lw->daemon = true;
		break;
	case 'o':
		if (lw->ntunables == CLI_TUNABLES_MAX)
			return cli_error(w, CLI_WORDS, "-o: more than %d", CLI_TUNABLES_MAX);
		lw->tunables[lw->ntunables++] = optarg;
		break;
	}
	return 0;
}

int
cli_lab_words(const struct cli_words *w, const char *allowed, struct cli_lab_words *lw)
{
	int c, status;

	*lw = (struct cli_lab_words){ .json = w->json, .socket = w->socket };
	optind = 0; /* begin anew: glibc's way to say so */
	while ((c = getopt_long(w->argc, w->argv, ":qdo:", long_options, NULL)) != -1) {
		const char *word = w->argv[optind - 1];
		char letter = c == '?' || c == ':' ? 0 : option_letter(c);

		if (c == ':') {
			cli_error(w, CLI_WORDS, "%s: a value is missing", word);
			return cli_usage(w);
		}
		if (c == '?' || (letter != 0 && strchr(allowed, letter) == NULL)) {
			cli_error(w, CLI_WORDS, "unknown option %s", word);
			return cli_usage(w);
		}
		status = option_take(w, lw, c);
		if (status != 0)
			return status;
	}
	lw->files = w->argv + optind;
	lw->nfiles = w->argc - optind;
	return 0;
}

/*
 * A text of several lines, or one, each whole: "FILE:LINE: what is wrong" needs no name before it.
 */
static void
say_lines(char *why, const char *otherwise)
{
	const char *text = why != NULL ? why : otherwise;
	size_t len = strlen(text);

	fflush(stdout);
	fprintf(stderr, "%s%s", text, len > 0 && text[len - 1] == '\n' ? "" : "\n");
	free(why);
}

/* Our exit status for an error of the floors below. */
static int
status_of(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
	case -EOPNOTSUPP:
	case -ENODEV:
	case -EMFILE:
	case -ENOSPC:
	case -EROFS:
	case -ENOMEM:
		return CLI_ENVIRONMENT;
	default:
		return CLI_WORDS;
	}
}

/* The file's tunables, then the command line's, which so have the last word. */
static int
start_process(const struct cli_words *w, const struct cli_lab_words *lw, const struct lab *lab)
{
	const char *const *of_file = lab != NULL ? lab_tunables(lab) : NULL;
	enum clock_mode mode = lw->live ? CLOCK_LIVE : CLOCK_VIRTUAL;
	uint64_t seed = lw->seed != 0 ? lw->seed : lab != NULL ? lab_seed(lab) : 0;
	const char **all, *why = NULL;
	size_t n = 0;
	int error;

	while (of_file != NULL && of_file[n] != NULL)
		n++;
	all = calloc(n + lw->ntunables + 1, sizeof(*all));
	if (all == NULL)
		return cli_error(w, CLI_ENVIRONMENT, "%s", strerror(ENOMEM));
	if (n > 0)
		memcpy(all, of_file, n * sizeof(*all));
	memcpy(all + n, lw->tunables, lw->ntunables * sizeof(*all));
	error = process_start(mode, seed, all, &why);
	free(all);
	if (error == 0)
		return 0;
	return cli_error(w, error == -EINVAL ? CLI_WORDS : CLI_FAULT, "%s", why);
}

int
cli_lab_start(const struct cli_words *w, const struct cli_lab_words *lw, const char *file,
    bool no_files, struct lab **made)
{
	const struct lab_options o = {
		.out_dir = lw->out_dir,
		.for_ns = lw->for_ns,
		.seed = lw->seed,
		.live = lw->live,
		.quiet = lw->quiet || lw->json,
		.no_files = no_files,
	};
	char *why = NULL;
	int status, error;

	*made = NULL;
	if (file != NULL && (*made = lab_parse_file(file, &why)) == NULL) {
		say_lines(why, file);
		return CLI_WORDS;
	}
	status = start_process(w, lw, *made);
	if (status != 0 || file == NULL)
		return status;
	error = lab_build(*made, &o, &why);
	if (error != 0) {
		say_lines(why, strerror(-error));
		return status_of(error);
	}
	return 0;
}

void
cli_lab_end(struct lab *lab)
{
	if (lab != NULL)
		lab_free(lab);
	process_stop();
}
