/*
 * command.h - the tool ipfw: its options, and how rooms add sub-commands (pipe, queue, sched …).
 */
#ifndef WARREN_IPFW_COMMAND_H
#define WARREN_IPFW_COMMAND_H

#include "base/linkerset.h"
#include "ipfw/chain.h"
#include "kern/verb.h"

/* The letters before the sub-command. */
struct fw_options {
	bool counters;      /* -a */
	bool brief;         /* -b */
	bool compact;       /* -c */
	bool dynamic;       /* -d */
	bool expired;       /* -e */
	bool force;         /* -f */
	bool as_ip;         /* -i */
	bool test_only;     /* -n */
	bool only_dynamic;  /* -D */
	bool names;         /* -N */
	bool quiet;         /* -q */
	bool sets;          /* -S */
	bool time;          /* -t */
	bool epoch;         /* -T */
	int sort;           /* -s field */
	uint32_t only_sets; /* "set N list": by bit; 0 = all */
};

/*
 * A sub-command: gets the words behind its name, returns an exit status (never VERB_PENDING). Names that
 * are cut short are taken with a warning if they can be only one.
 */
struct fw_subcommand {
	const char *name;
	int (*run)(struct verb_run *v, const struct fw_options *o, int argc, char **argv);
	const char *usage; /* lines for `ipfw -h` without newline at the end; "" = none */
	/* Words that may follow words argv[0..argc-1] behind the name, for the console; optional. */
	void (*complete)(
	    int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx);
};
#define FW_SUBCOMMAND_DEFINE(ident, ...)                                                           \
	static const struct fw_subcommand fwsub_of_##ident = { __VA_ARGS__ };                      \
	LINKERSET_ADD(fw_subcommand, fwsub_of_##ident)

/*
 * Run one command: options and words without "ipfw", which is what a line of a rule file is too.
 * Words that end with a comma go on in the next one. Exit status.
 */
int fw_command(struct verb_run *v, const struct fw_options *inherited, int argc, char **argv);
/*
 * The same from a line of text, which is cut into words in place: at blanks, up to a '#'; there are no
 * quotes.
 */
int fw_command_line(struct verb_run *v, const struct fw_options *inherited, char *line);
/*
 * A file of such lines, one change of the chain; "-" is standard input. With preproc_argc > 0 the file
 * goes through the program preproc_argv[0] first. Exit status: the first one that was not 0.
 */
int fw_command_file(struct verb_run *v, const struct fw_options *o, const char *path,
    int preproc_argc, char **preproc_argv);

/* "100", "100-200": with the sets that o names. False: neither. */
bool fw_selection_parse(const char *word, const struct fw_options *o, struct fw_selection *s);
/* A set's number, 0 to `max`; false after a message. */
bool fw_set_parse(struct verb_run *v, const char *word, unsigned max, uint8_t *set);
/* -errno of a change -> "ipfw: WHAT: why", an exit status. */
int fw_refuse(struct verb_run *v, int error, const char *what);
/* Which flags of fw_rule_print the options ask for. */
unsigned fw_print_flags(const struct fw_options *o);

enum { EX_USAGE_ = 64, EX_DATAERR_ = 65, EX_UNAVAILABLE_ = 69, EX_OSERR_ = 71 };

#endif
