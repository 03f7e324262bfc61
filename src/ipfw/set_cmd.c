/*
 * set_cmd.c - `ipfw set …`: sets switched on and off, moved, swapped, shown; and other commands kept to
 * one set (`ipfw set 5 list`).
 */
#include "ipfw/command.h"

#include <inttypes.h>
#include <string.h>

static int
set_status(struct verb_run *v, int error)
{
	return error == 0 ? 0 : fw_refuse(v, error, "set");
}

/* --- disable, enable, show ------------------------------------------------- */

/* `[disable N …] [enable N …]`: all of it at once. */
static int
set_switch(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	uint32_t sets[2] = { 0, 0 }; /* disable, enable */
	int which = 0;
	uint8_t set;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "disable") == 0 || strcmp(argv[i], "enable") == 0) {
			which = argv[i][0] == 'e';
			continue;
		}
		/* 31 may be named where it changes nothing */
		if (!fw_set_parse(v, argv[i], which == 1 ? FW_SETS - 1 : FW_SETS - 2, &set))
			return EX_DATAERR_;
		sets[which] |= UINT32_C(1) << set;
	}
	if ((sets[0] | sets[1]) == 0)
		return verb_error(v, EX_USAGE_, "set %s: which sets?", argv[0]);
	if (sets[0] & sets[1])
		return verb_error(v, EX_DATAERR_, "a set can't be both enabled and disabled");
	return o->test_only ? 0 : set_status(v, fw_set_enable(sets[0], sets[1]));
}

static void
sets_print(struct emitter *e, const char *name, const char *text, uint32_t sets)
{
	emit_list(e, name);
	if (sets != 0)
		emit_text(e, "%s", text);
	for (unsigned set = 0; set < FW_SET_RESERVED; set++)
		if (sets >> set & 1)
			emit_uint(e, "", " %" PRIu64, set);
	emit_end(e);
}

static int
set_show(struct verb_run *v)
{
	const uint32_t all = (UINT32_C(1) << FW_SET_RESERVED) - 1;
	uint32_t disabled = fw_sets_disabled() & all;

	sets_print(v->out, "disable", "disable", disabled);
	sets_print(v->out, "enable", disabled != 0 ? " enable" : "enable", all & ~disabled);
	emit_text(v->out, "\n");
	return 0;
}

/* --- move, swap ------------------------------------------------------------ */

/* `move [rule] X to Y`. */
static int
set_move(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	bool rule = argc > 0 && strcmp(argv[0], "rule") == 0;
	uint64_t number = 0;
	uint8_t from = 0, to;

	argc -= rule;
	argv += rule;
	if (argc != 3 || strcmp(argv[1], "to") != 0)
		return verb_error(v, EX_USAGE_, "set move: [rule] X to Y");
	if (rule && !verb_number(argv[0], 1, FW_NUMBER_MAX - 1, &number))
		return verb_error(
		    v, EX_DATAERR_, "%s: numbers of rules that move are 1 to 65534", argv[0]);
	if (!rule && !fw_set_parse(v, argv[0], FW_SETS - 1, &from))
		return EX_DATAERR_;
	if (!fw_set_parse(v, argv[2], FW_SETS - 1, &to))
		return EX_DATAERR_;
	if (o->test_only)
		return 0;
	return set_status(v, rule ? fw_move_rules((uint16_t)number, to) : fw_move_set(from, to));
}

static int
set_swap(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	uint8_t a, b;

	if (argc != 2)
		return verb_error(v, EX_USAGE_, "set swap: two sets");
	if (!fw_set_parse(v, argv[0], FW_SETS - 1, &a) ||
	    !fw_set_parse(v, argv[1], FW_SETS - 1, &b))
		return EX_DATAERR_;
	return o->test_only ? 0 : set_status(v, fw_swap_sets(a, b));
}

/* --- the sub-command ------------------------------------------------------- */

/* `set N command …`: the command, for that set only. */
static int
set_only(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	static const char *const allowed[] = { "list", "show", "delete", "zero", "resetlog",
		"flush" };
	struct fw_options only = *o;
	uint8_t set;

	if (!fw_set_parse(v, argv[0], FW_SETS - 1, &set))
		return EX_DATAERR_;
	if (argc < 2)
		return verb_error(v, EX_USAGE_, "set %s: what of it?", argv[0]);
	only.only_sets = UINT32_C(1) << set;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strcmp(argv[1], allowed[i]) == 0)
			return fw_command(v, &only, argc - 1, argv + 1);
	return verb_error(v, EX_USAGE_, "set %s: '%s' is not for sets", argv[0], argv[1]);
}

static int
set_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	if (argc == 0)
		return verb_error(
		    v, EX_USAGE_, "set: show, disable, enable, move, swap or a set's number");
	if (strcmp(argv[0], "show") == 0)
		return set_show(v);
	if (strcmp(argv[0], "disable") == 0 || strcmp(argv[0], "enable") == 0)
		return set_switch(v, o, argc, argv);
	if (strcmp(argv[0], "move") == 0)
		return set_move(v, o, argc - 1, argv + 1);
	if (strcmp(argv[0], "swap") == 0)
		return set_swap(v, o, argc - 1, argv + 1);
	return set_only(v, o, argc, argv);
}

static void
set_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "show", "disable", "enable", "move", "swap" };

	(void)argv;
	for (size_t i = 0; argc == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		add(ctx, words[i]);
}

FW_SUBCOMMAND_DEFINE(set, .name = "set", .run = set_run, .complete = set_complete,
    .usage = "ipfw set [disable N ...] [enable N ...]\n"
	     "ipfw set move [rule] X to Y\n"
	     "ipfw set swap X Y\n"
	     "ipfw set show\n"
	     "ipfw set N {list | show | delete | zero | resetlog | flush} ...");
