/*
 * divert_cmd.c - `ipfw door …`: programs outside take part in the firewall.
 *
 *	ipfw door open divert 8668 /run/warren/divert
 *	ipfw door open hook 60 /run/warren/hook
 *	ipfw door open auth /run/warren/judge
 *	ipfw door close divert 8668
 *	ipfw door show
 */
#include "port/divert_door.h"

#include "ipfw/command.h"
#include "ipfw/ng.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { WHY = 512 };

/* What doors are for. */
static const struct purpose {
	const char *word;
	uint8_t kind; /* of a listener */
	bool has_number;
	const char *numbers; /* when it is none */
} purposes[] = {
	{ "divert", FW_ACT_DIVERT, true, "divert ports are 1 to 65535" },
	{ "hook", FW_ACT_NETGRAPH, true, "hooks of the node ipfw are 1 to 65535" },
	{ "auth", FW_ACT_AUTH, false, "" },
};
enum { PURPOSES = sizeof(purposes) / sizeof(purposes[0]) };

static const struct purpose *
purpose_of(uint8_t kind)
{
	const struct purpose *p = purposes;

	while (p->kind != kind)
		p++;
	return p;
}

static const struct purpose *
purpose_find(const char *word)
{
	for (int i = 0; i < PURPOSES; i++)
		if (strcmp(purposes[i].word, word) == 0)
			return &purposes[i];
	return NULL;
}

/* --- open, close ------------------------------------------------------------------------------ */

static int
usage(struct verb_run *v)
{
	return verb_error(
	    v, EX_USAGE_, "door: open {divert N | hook N | auth} path, close …, show");
}

static int
door_open(struct verb_run *v, const struct purpose *p, uint16_t number, const char *path)
{
	char why[WHY] = "";
	int error = divert_door_open(p->kind, number, path, why, sizeof(why));

	if (error == 0)
		return 0;
	return verb_error(
	    v, error == -ENOMEM ? EX_OSERR_ : EX_UNAVAILABLE_, "door open %s: %s", p->word, why);
}

static int
door_close(struct verb_run *v, const struct purpose *p, uint16_t number)
{
	if (divert_door_close(p->kind, number) == 0)
		return 0;
	if (!p->has_number)
		return verb_error(v, EX_UNAVAILABLE_, "door close %s: there is none", p->word);
	return verb_error(v, EX_UNAVAILABLE_, "door close %s %u: there is none", p->word, number);
}

/* {open | close} PURPOSE [NUMBER] [PATH] */
static int
door_change(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	const bool open = strcmp(argv[0], "open") == 0;
	const struct purpose *p = argc > 1 ? purpose_find(argv[1]) : NULL;
	uint16_t number = 0;

	if (p == NULL || argc != 2 + p->has_number + open)
		return usage(v);
	if (p->has_number && !fw_ng_hook_number(argv[2], &number))
		return verb_error(v, EX_DATAERR_, "%s: %s", argv[2], p->numbers);
	if (o->test_only)
		return 0;
	return open ? door_open(v, p, number, argv[argc - 1]) : door_close(v, p, number);
}

/* --- show ------------------------------------------------------------------------------------- */

static void
show_door(const struct divert_door_info *d, void *ctx)
{
	const struct purpose *p = purpose_of(d->kind);
	struct emitter *e = ctx;

	emit_object(e, NULL);
	emit_str(e, "for", "%s", p->word);
	if (p->has_number)
		emit_uint(e, "number", " %" PRIu64, d->number);
	emit_str(e, "path", " %s", d->path);
	emit_bool(e, "connected", d->connected);
	emit_text(e, d->connected ? ": connected\n" : ": nobody is connected\n");
	emit_uint(e, "to-program", "\t%" PRIu64 " to the program", d->to_program);
	emit_uint(e, "from-program", ", %" PRIu64 " from it", d->from_program);
	emit_uint(e, "queued", ", %" PRIu64 " wait", d->queued);
	emit_uint(e, "lost", ", %" PRIu64 " lost", d->lost);
	emit_uint(e, "malformed", ", %" PRIu64 " malformed\n", d->malformed);
	emit_end(e);
}

static int
door_show(struct verb_run *v)
{
	emit_list(v->out, "door");
	divert_door_foreach(show_door, v->out);
	emit_end(v->out);
	return 0;
}

static int
door_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "show") == 0)
		return door_show(v);
	if (argc > 0 && (strcmp(argv[0], "open") == 0 || strcmp(argv[0], "close") == 0))
		return door_change(v, o, argc, argv);
	return usage(v);
}

static void
door_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "close", "open", "show" };

	if (argc == 0)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			add(ctx, words[i]);
	else if (argc == 1 && strcmp(argv[0], "show") != 0)
		for (int i = 0; i < PURPOSES; i++)
			add(ctx, purposes[i].word);
}

FW_SUBCOMMAND_DEFINE(door, .name = "door", .run = door_run,
    .usage = "ipfw door open {divert port | hook number | auth} path\n"
	     "ipfw door close {divert port | hook number | auth}\n"
	     "ipfw door show",
    .complete = door_complete);
