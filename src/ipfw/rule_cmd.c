/*
 * rule_cmd.c - the sub-commands of `ipfw` that change rules and what they count: add, delete, flush, zero,
 * resetlog; and enable and disable.
 */
#include "ipfw/command.h"

#include "base/log.h"
#include "ipfw/rule.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- add ------------------------------------------------------------------ */

static void
added_print(struct verb_run *v, const struct fw_options *o, const struct fw_rule *r)
{
	unsigned flags = fw_print_flags(o) & ~(unsigned)FW_PRINT_COUNTERS;

	if (o->quiet)
		return;
	emit_object(v->out, "rule");
	fw_rule_print(v->out, r, flags, 0, 0);
	emit_text(v->out, "\n");
	emit_end(v->out);
}

static int
add_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	char why[300];
	struct fw_rule *r = fw_rule_parse(argc, argv, why, sizeof(why));
	int error = 0;

	if (r == NULL)
		return verb_error(v, EX_DATAERR_, "%s", why);
	/* The chain takes one reference; ours keeps the rule for printing. */
	fw_rule_ref(r);
	if (!o->test_only)
		error = fw_add(r);
	else
		fw_rule_rele(r);
	if (error == 0)
		added_print(v, o, r);
	fw_rule_rele(r);
	if (error == -EINVAL)
		return verb_error(v, EX_UNAVAILABLE_, "add: 65535 is the default rule's number");
	return error == 0 ? 0 : fw_refuse(v, error, "add");
}
FW_SUBCOMMAND_DEFINE(add, .name = "add", .run = add_run,
    .usage = "ipfw [-cnNqS] add [number] [set N] [prob P] action [log [logamount N]] [altq Q]\n"
	     "     [{tag | untag} N] [proto from src to dst] [options] [// comment]");

/* --- delete, flush -------------------------------------------------------- */

/* 0, also if there was nothing; -1 after a message: the exit status is 69. */
static int
delete_one(
    struct verb_run *v, const struct fw_options *o, const struct fw_selection *s, const char *word)
{
	int n = o->test_only ? 1 : fw_delete(s);

	if (n < 0)
		return fw_refuse(v, n, word);
	if (n > 0 || o->quiet)
		return 0;
	if (s->lo == FW_NUMBER_MAX)
		return verb_error(v, EX_UNAVAILABLE_, "rule %s is the default rule", word);
	if (s->hi == 0)
		return verb_error(v, EX_UNAVAILABLE_, "set %s has no rules", word);
	if (s->lo != s->hi)
		return verb_error(v, EX_UNAVAILABLE_, "no rules in range %s", word);
	return verb_error(v, EX_UNAVAILABLE_, "rule %s does not exist", word);
}

/* Call fn for each rule number or range of argv, also of comma lists; the first bad status. */
static int
each_selection(struct verb_run *v, const struct fw_options *o, int argc, char **argv,
    int (*fn)(struct verb_run *v, const struct fw_options *o, const struct fw_selection *s,
	const char *word))
{
	int status = 0;

	for (int i = 0; i < argc; i++) {
		char *rest = argv[i], *word;

		while ((word = strsep(&rest, ",")) != NULL) {
			struct fw_selection s;
			int one;

			if (!fw_selection_parse(word, o, &s))
				one = verb_error(v, EX_DATAERR_,
				    "%s: rule numbers are 1 to 65535, ranges A-B", word);
			else
				one = fn(v, o, &s, word);
			status = status == 0 ? one : status;
		}
	}
	return status;
}

static int
delete_sets(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	int status = 0, one;
	uint8_t set;

	if (argc == 0)
		return verb_error(v, EX_USAGE_, "delete set: which one?");
	for (int i = 0; i < argc; i++) {
		if (!fw_set_parse(v, argv[i], FW_SET_RESERVED, &set))
			return EX_DATAERR_;
		one = delete_one(
		    v, o, &(struct fw_selection){ .sets = UINT32_C(1) << set }, argv[i]);
		status = status == 0 ? one : status;
	}
	return status;
}

static int
delete_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	int status, end;

	if (argc == 0)
		return verb_error(v, EX_USAGE_, "delete: which rules?");
	fw_change_begin();
	if (strcmp(argv[0], "set") == 0)
		status = delete_sets(v, o, argc - 1, argv + 1);
	else
		status = each_selection(v, o, argc, argv, delete_one);
	end = fw_change_end();
	return end != 0 ? fw_refuse(v, end, "delete") : status;
}
FW_SUBCOMMAND_DEFINE(delete, .name = "delete", .run = delete_run,
    .usage = "ipfw [-q] delete number | range ... | set N ...");

static int
flush_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	const struct fw_selection s = { .sets = o->only_sets };
	int n;

	if (argc > 0)
		verb_error(v, 0, "warning: flush: '%s' is ignored", argv[0]);
	n = o->test_only ? 0 : fw_delete(&s);
	if (n < 0)
		return fw_refuse(v, n, "flush");
	if (!o->quiet)
		emit_str(v->out, "flushed", "Flushed all %s.\n", "rules");
	return 0;
}
FW_SUBCOMMAND_DEFINE(flush, .name = "flush", .run = flush_run, .usage = "ipfw [-fq] flush");

/* --- zero, resetlog ------------------------------------------------------- */

enum { LINE_MAX_ = 80 };

/* What has been done goes to the log too, as the original's kernel says it. */
static void
zero_say(struct verb_run *v, const struct fw_options *o, const char *line)
{
	log_msg(LOG_LVL_NOTICE, "ipfw: %s", line);
	if (!o->quiet)
		emit_str(v->out, "done", "%s\n", line);
}

static int
zero_selected(struct verb_run *v, const struct fw_options *o, const struct fw_selection *s,
    const char *word, bool log_only)
{
	char line[LINE_MAX_];

	if (o->test_only)
		return 0;
	if (fw_zero(s, log_only) == 0)
		return verb_error(v, EX_UNAVAILABLE_, "rule %s does not exist", word);
	snprintf(line, sizeof(line),
	    log_only ? "Entry %s logging count reset." : "Entry %s cleared.", word);
	zero_say(v, o, line);
	return 0;
}

static int
zero_one(
    struct verb_run *v, const struct fw_options *o, const struct fw_selection *s, const char *word)
{
	return zero_selected(v, o, s, word, false);
}

static int
resetlog_one(
    struct verb_run *v, const struct fw_options *o, const struct fw_selection *s, const char *word)
{
	return zero_selected(v, o, s, word, true);
}

static int
zero_all(struct verb_run *v, const struct fw_options *o, bool log_only)
{
	const struct fw_selection s = { .sets = o->only_sets };

	if (!o->test_only)
		fw_zero(&s, log_only);
	zero_say(v, o, log_only ? "Logging counts reset." : "Accounting cleared.");
	return 0;
}

static int
zero_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	return argc == 0 ? zero_all(v, o, false) : each_selection(v, o, argc, argv, zero_one);
}
FW_SUBCOMMAND_DEFINE(zero, .name = "zero", .run = zero_run, .usage = "ipfw [-q] zero [number ...]");

static int
resetlog_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	return argc == 0 ? zero_all(v, o, true) : each_selection(v, o, argc, argv, resetlog_one);
}
FW_SUBCOMMAND_DEFINE(
    resetlog, .name = "resetlog", .run = resetlog_run, .usage = "ipfw [-q] resetlog [number ...]");

/* --- enable, disable ------------------------------------------------------ */

/*
 * The original's debug has had nothing behind it since 2009, but scripts switch it; ALTQ is not here,
 * and a script that relies on it must hear so.
 */
static const struct {
	const char *word, *variable;
} switches[] = {
	{ "firewall", "net.inet.ip.fw.enable" },
	{ "one_pass", "net.inet.ip.fw.one_pass" },
	{ "debug", NULL },
	{ "verbose", "net.inet.ip.fw.verbose" },
	{ "dyn_keepalive", "net.inet.ip.fw.dyn_keepalive" },
	{ "altq", "net.inet.ip.fw.altq" },
};

static void
switch_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	(void)argv;
	for (size_t i = 0; argc == 0 && i < sizeof(switches) / sizeof(switches[0]); i++)
		add(ctx, switches[i].word);
}

static int
switch_to(struct verb_run *v, const struct fw_options *o, int argc, char **argv, const char *value)
{
	enum { SWITCHES = sizeof(switches) / sizeof(switches[0]) };
	const struct sysctl_oid *oid;
	char why[80] = "";
	int i = 0;

	if (argc != 1)
		return verb_error(v, EX_USAGE_,
		    "%s: one word: firewall, one_pass, debug, verbose, "
		    "dyn_keepalive or altq",
		    *value == '1' ? "enable" : "disable");
	while (i < SWITCHES && strcmp(argv[0], switches[i].word) != 0)
		i++;
	if (i == SWITCHES)
		return verb_error(v, EX_USAGE_, "'%s' can't be enabled or disabled", argv[0]);
	if (switches[i].variable == NULL)
		return verb_error(v, 0, "warning: %s does nothing", argv[0]);
	oid = sysctl_find(switches[i].variable);
	if (oid == NULL)
		return verb_error(v, EX_UNAVAILABLE_, "%s: there is none here", argv[0]);
	if (!o->test_only && sysctl_write(oid, value, why, sizeof(why)) != 0)
		return verb_error(v, EX_UNAVAILABLE_, "%s: %s", argv[0], why);
	return 0;
}

static int
enable_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	return switch_to(v, o, argc, argv, "1");
}
FW_SUBCOMMAND_DEFINE(enable, .name = "enable", .run = enable_run, .complete = switch_complete,
    .usage = "ipfw enable {firewall | altq | one_pass | debug | verbose | dyn_keepalive}");

static int
disable_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	return switch_to(v, o, argc, argv, "0");
}
FW_SUBCOMMAND_DEFINE(disable, .name = "disable", .run = disable_run, .complete = switch_complete,
    .usage = "ipfw disable {firewall | altq | one_pass | debug | verbose | dyn_keepalive}");
