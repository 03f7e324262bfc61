/*
 * fpm_cmd.c - the verb `fpm`.
 *
 *	fpm listen 2620 netns 1234	a daemon in the namespace of process 1234 may come
 *	fpm map eth0 epair0a		its eth0 is our epair0a (else names are the same)
 *	fpm show			who is there, and what came of it
 *	fpm stop			its routes go
 */
#include "port/fpm.h"

#include "kern/jail.h"

#include <errno.h>
#include <inttypes.h>

enum { WHY = 512 };

static int
cmd_listen(struct verb_run *v, int argc, char **argv)
{
	const char *netns = NULL;
	char why[WHY] = "";
	int error;

	if (argc == 3 && strcmp(argv[1], "netns") == 0)
		netns = argv[2];
	else if (argc != 1)
		return verb_usage(v, NULL);
	error = fpm_listen(v->fib, argv[0], netns, why, sizeof(why));
	if (error == 0)
		return 0;
	return verb_error(v, 1, "listen: %s", why[0] != '\0' ? why : verb_strerror(error));
}

static int
cmd_stop(struct verb_run *v, struct fpm *f, int argc, char **argv)
{
	(void)argv;
	if (argc != 0)
		return verb_usage(v, NULL);
	fpm_free(f);
	return 0;
}

static int
cmd_map(struct verb_run *v, struct fpm *f, int argc, char **argv)
{
	int error;

	if (argc != 2)
		return verb_usage(v, NULL);
	error = fpm_map(f, argv[0], argv[1]);
	return error == 0 ? 0 : verb_error(v, 1, "map %s: %s", argv[0], verb_strerror(error));
}

static int
cmd_unmap(struct verb_run *v, struct fpm *f, int argc, char **argv)
{
	if (argc != 1)
		return verb_usage(v, NULL);
	return fpm_map(f, argv[0], NULL) == 0 ? 0 :
						verb_error(v, 1, "unmap %s: not mapped", argv[0]);
}

/* --- show ------------------------------------------------------------------------------------- */

static void
show_mapping(void *ctx, const char *linux_name, const char *ifname)
{
	struct emitter *e = ctx;

	emit_object(e, NULL);
	emit_str(e, "linux", "\tmap: %s", linux_name);
	emit_str(e, "interface", " is %s\n", ifname);
	emit_end(e);
}

static void
show_counts(struct emitter *e, const struct fpm *f)
{
	const struct fpm_counts *c = fpm_counts(f);
	const struct fpm_stats *s = fpm_table_stats(fpm_table(f));

	emit_uint(e, "connections", "\tconnections: %" PRIu64, c->connections);
	emit_uint(e, "broken", ", %" PRIu64 " broken\n", c->broken);
	emit_uint(e, "messages", "\tmessages: %" PRIu64, c->messages);
	emit_uint(e, "bytes", ", %" PRIu64 " bytes", c->bytes);
	emit_uint(e, "malformed", ", %" PRIu64 " malformed", c->malformed);
	emit_uint(e, "ignored", ", %" PRIu64 " ignored\n", s->ignored);
	emit_uint(e, "added", "\tchanges: %" PRIu64 " routes added", s->added);
	emit_uint(e, "deleted", ", %" PRIu64 " deleted", s->deleted);
	emit_uint(e, "swept", ", %" PRIu64 " not said again", s->swept);
	emit_uint(e, "nexthop-messages", ", %" PRIu64 " about next hops\n", s->nexthops);
	emit_uint(e, "refused", "\terrors: %" PRIu64 " beyond limits", s->refused);
	emit_uint(e, "rejected", ", %" PRIu64 " not taken by the FIB", s->rejected);
	emit_uint(e, "left-out", ", %" PRIu64 " paths too many", s->left_out);
	emit_uint(e, "unusable", ", %" PRIu64 " paths not for IP\n", s->unusable);
}

static void
show_one(struct emitter *e, const struct fpm *f)
{
	const struct fpm_door *d = fpm_door(f);
	const struct fpm_table *t = fpm_table(f);

	emit_object(e, NULL);
	emit_uint(e, "fib", "fib %" PRIu64, fpm_fib(f));
	emit_str(e, "listens", ": listens at %s", fpm_door_address(d));
	if (fpm_door_netns(d)[0] != '\0')
		emit_str(e, "netns", " in netns %s", fpm_door_netns(d));
	if (fpm_is_connected(f))
		emit_str(e, "peer", ", connected from %s\n", fpm_door_peer(d));
	else
		emit_text(e, ", nobody is connected\n");
	emit_uint(e, "routes", "\troutes: %" PRIu64 " held", fpm_table_routes(t));
	emit_uint(e, "waiting", ", %" PRIu64 " not in the FIB", fpm_table_waiting(t));
	emit_uint(e, "stale", ", %" PRIu64 " of an older connection", fpm_table_stale(t));
	emit_uint(e, "nexthops", ", %" PRIu64 " next hops\n", fpm_table_nexthops(t));
	show_counts(e, f);
	emit_list(e, "map");
	fpm_map_foreach(f, show_mapping, e);
	emit_end(e);
	emit_end(e);
}

static int
cmd_show(struct verb_run *v, int argc)
{
	if (argc != 0)
		return verb_usage(v, NULL);
	emit_list(v->out, "fpm");
	for (unsigned fib = 0; fib < rt_numfibs; fib++)
		if (fpm_of((uint8_t)fib) != NULL)
			show_one(v->out, fpm_of((uint8_t)fib));
	emit_end(v->out);
	return 0;
}

/* --- the tool --------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	int (*run)(struct verb_run *v, struct fpm *f, int argc, char **argv);
} commands[] = {
	{ "stop", cmd_stop },
	{ "map", cmd_map },
	{ "unmap", cmd_unmap },
};

static int
fpm_run(struct verb_run *v)
{
	const char *word = v->argc > 1 ? v->argv[1] : "show";
	int argc = v->argc > 1 ? v->argc - 2 : 0;
	char **argv = v->argv + v->argc - argc;

	if (strcmp(word, "show") == 0)
		return cmd_show(v, argc);
	if (v->fib >= rt_numfibs)
		return verb_error(v, 1, "fib %u: FIBs are 0 to %u", v->fib, rt_numfibs - 1);
	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	if (strcmp(word, "listen") == 0)
		return argc == 0 ? verb_usage(v, NULL) : cmd_listen(v, argc, argv);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(word, commands[i].word) != 0)
			continue;
		if (fpm_of(v->fib) == NULL)
			return verb_error(v, 1, "%s: nobody listens for fib %u", word, v->fib);
		return commands[i].run(v, fpm_of(v->fib), argc, argv);
	}
	return verb_usage(v, "no such command");
}

static void
fpm_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "listen", "map", "show", "stop", "unmap" };

	(void)argv;
	if (argc == 1)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			add(ctx, words[i]);
}

VERB_DEFINE(fpm, .name = "fpm",
    .usage = "fpm listen [address:]port [netns path|pid|name]\n"
	     "fpm map linux-interface interface\n"
	     "fpm unmap linux-interface\n"
	     "fpm stop\n"
	     "fpm show",
    .summary = "let a routing daemon fill a FIB (Forwarding Plane Manager protocol)",
    .run = fpm_run, .complete = fpm_complete);
