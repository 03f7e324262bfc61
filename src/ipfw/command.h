/*
 * command.h - the tool ipfw: its options, and how rooms add sub-commands (pipe, queue, sched …).
 */
#ifndef WARREN_IPFW_COMMAND_H
#define WARREN_IPFW_COMMAND_H

#include "base/linkerset.h"
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
	bool names;         /* -N */
	bool quiet;         /* -q */
	bool sets;          /* -S */
	bool time;          /* -t */
	bool epoch;         /* -T */
	int sort;           /* -s field */
	uint32_t only_sets; /* "set N list": by bit; 0 = all */
};

/*
 * A sub-command: name and the words behind it, exit status. Unambiguous prefixes of names are taken
 * with a warning.
 */
struct fw_subcommand {
	const char *name;
	int (*run)(struct verb_run *v, const struct fw_options *o, int argc, char **argv);
	const char *usage; /* lines for `ipfw -h`, "" */
};
#define FW_SUBCOMMAND_DEFINE(ident, ...)                                                           \
	static const struct fw_subcommand fwsub_of_##ident = { __VA_ARGS__ };                      \
	LINKERSET_ADD(fw_subcommand, fwsub_of_##ident)

/* Run one command line (words without "ipfw"): what a rule file's line is too. Exit status. */
int fw_command(struct verb_run *v, const struct fw_options *inherited, int argc, char **argv);

enum { EX_USAGE_ = 64, EX_DATAERR_ = 65, EX_UNAVAILABLE_ = 69, EX_OSERR_ = 71 };

#endif
