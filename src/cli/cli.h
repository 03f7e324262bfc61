/*
 * cli.h - the program warren: its own words, and the way from words to a tool.
 *
 *	warren [options] TOOL words…		a tool, run by the daemon
 *	TOOL words…				the same through a link named TOOL (warren env)
 *	warren run|test|check|up|down|…		the program's own verbs
 */
#ifndef WARREN_CLI_CLI_H
#define WARREN_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program's own verbs answer with; the tools keep theirs. */
enum cli_status { CLI_YES = 0, CLI_NO = 1, CLI_WORDS = 2, CLI_ENVIRONMENT = 3, CLI_FAULT = 4 };

/* The words before the tool, taken apart. */
struct cli_words {
	bool json;
	const char *jail;   /* NULL = the host */
	const char *socket; /* never NULL */
	uint8_t fib;
	int argc; /* the tool and its words; 0 = none were given */
	char **argv;
};

/* Borrows argv. 0, or -EINVAL with *why malloc'd. */
int cli_words(int argc, char **argv, struct cli_words *w, char **why);

/* A verb of the program itself. argv[0] is its name. */
struct cli_verb {
	const char *name;
	const char *usage;
	const char *summary;
	const char *options; /* for help, one a line; NULL = none */
	int (*run)(const struct cli_words *w);
};
const struct cli_verb *cli_verb_find(const char *name);
/* Sorted as they are told in help; ends with name NULL. */
extern const struct cli_verb cli_verbs[];

/* "warren VERB: text" on standard error; returns status. */
int cli_error(const struct cli_words *w, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "usage: …" on standard error; CLI_WORDS. */
int cli_usage(const struct cli_words *w);

int cli_run(const struct cli_words *w);
int cli_test(const struct cli_words *w);
int cli_check(const struct cli_words *w);
int cli_replay(const struct cli_words *w);
int cli_up(const struct cli_words *w);
int cli_down(const struct cli_words *w);
int cli_console(const struct cli_words *w);
int cli_env(const struct cli_words *w);
int cli_help(const struct cli_words *w);
int cli_version(const struct cli_words *w);
int cli_complete(const struct cli_words *w);

/* The program from its first word to its exit status. */
int cli_main(int argc, char **argv);

/* A sink for emitters: standard output. */
void cli_stdout(void *ctx, const char *bytes, size_t len);
void cli_stderr(void *ctx, const char *bytes, size_t len);

/* Options that the lab verbs share, and their files. */
enum { CLI_TUNABLES_MAX = 64 };
struct cli_lab_words {
	uint64_t for_ns, seed;
	const char *out_dir;
	const char *socket;
	bool json, live, quiet, daemon;
	const char *tunables[CLI_TUNABLES_MAX + 1]; /* NULL-terminated */
	unsigned ntunables;
	char **files;
	int nfiles;
};
/*
 * `allowed` holds the letters of the options a verb has: f(or) s(eed) O(ut) l(ive) q(uiet) o
 * d(aemon) S(ocket). 0, or CLI_WORDS (said).
 */
int cli_lab_words(const struct cli_words *w, const char *allowed, struct cli_lab_words *lw);

struct lab;
/*
 * Parse a file, start the process with its tunables and seed, build. 0 with *made, or an exit
 * status (said); the caller ends with cli_lab_end in both cases.
 */
int cli_lab_start(const struct cli_words *w, const struct cli_lab_words *lw, const char *file,
    bool no_files, struct lab **made);
void cli_lab_end(struct lab *lab);

#endif
