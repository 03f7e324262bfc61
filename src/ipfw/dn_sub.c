/*
 * dn_sub.c - `ipfw pipe`, `ipfw queue`, `ipfw sched`: the shaper's commands (dummynet/dn_cmd.c)
 * among those of the firewall.
 */
#include "dummynet/dn_words.h"
#include "ipfw/command.h"

static int
run(struct verb_run *v, enum dn_kind kind, const struct fw_options *o, int argc, char **argv)
{
	const struct dn_options mine = {
		.test_only = o->test_only, .quiet = o->quiet, .sort = o->sort
	};

	if (o->sort > DN_SORT_MAX)
		return verb_error(
		    v, EX_USAGE_, "-s: %d: flows are sorted by 1 to %d", o->sort, DN_SORT_MAX);
	return dn_command(v, kind, &mine, argc, argv);
}

/* The same three functions for each of the objects. */
#define SUBCOMMAND(name_, kind_)                                                                   \
	static int name_##_run(                                                                    \
	    struct verb_run *v, const struct fw_options *o, int argc, char **argv)                 \
	{                                                                                          \
		return run(v, kind_, o, argc, argv);                                               \
	}                                                                                          \
	static void name_##_complete(                                                              \
	    int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)            \
	{                                                                                          \
		dn_command_complete(kind_, argc, argv, add, ctx);                                  \
	}

SUBCOMMAND(pipe, DN_PIPE)
SUBCOMMAND(queue, DN_QUEUE)
SUBCOMMAND(sched, DN_SCHED)

FW_SUBCOMMAND_DEFINE(
    pipe, .name = "pipe", .run = pipe_run, .complete = pipe_complete, .usage = dn_usage_pipe);
FW_SUBCOMMAND_DEFINE(
    queue, .name = "queue", .run = queue_run, .complete = queue_complete, .usage = dn_usage_queue);
FW_SUBCOMMAND_DEFINE(
    sched, .name = "sched", .run = sched_run, .complete = sched_complete, .usage = dn_usage_sched);
