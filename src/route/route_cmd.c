/*
 * route_cmd.c - the tool `route`: add, delete, change, flush, files of such lines; get is in
 * route_get.c, monitor in route_monitor.c.
 *
 * Words are read into a struct first (route_words.c); nothing is changed before all of them are
 * understood. -expire counts seconds from now: a stack's clock knows no year.
 */
#include "route/rib.h"
#include "route/route_cmd.h"

#include "base/bytes.h"
#include "kern/jail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- add, delete, change ------------------------------------------------- */

/* ESRCH has two causes: the route is not there, or several are and none was named. */
static bool
is_ambiguous(const struct route_words *w)
{
	const struct rtentry *rt = w->rq.mask == NULL ? rib_exact(w->rq.fib, &w->rq.dst) : NULL;

	return w->rq.gateway.family == 0 && rt != NULL && rib_next_path(rt) != NULL;
}

static const char *
change_strerror(const struct route_words *w, int error)
{
	switch (-error) {
	case EEXIST:
		return "route already in table";
	case ESRCH:
		return is_ambiguous(w) ? "several gateways: name one" : "not in table";
	case ENOSPC:
		return "too many gateways: net.route.maxpaths";
	case ENETUNREACH:
		return "Network is unreachable";
	case ENOMEM:
		return "not enough memory";
	case EADDRINUSE:
		return strcmp(w->command, "add") == 0 ? "gateway uses the same route" :
							"belongs to an interface's address";
	default:
		return verb_strerror(error);
	}
}

static int
change_say(const struct route_words *w, int error)
{
	struct emitter *e = w->v->out;

	if (w->quiet && w->where[0] != '\0' && error != 0)
		return verb_error(w->v, 1, "%s%s: %s", w->where, w->dst, change_strerror(w, error));
	if (w->quiet)
		return error == 0 ? 0 : 1;
	emit_str(e, "command", "%s", w->command);
	emit_str(e, "kind", " %s", w->is_host ? "host" : "net");
	emit_str(e, "destination", " %s", w->dst_text);
	emit_uint(e, "prefixlen", NULL, w->rq.dst.plen);
	if (w->gw != NULL)
		emit_str(e, "gateway", ": gateway %s", w->gw);
	if (error != 0)
		emit_str(e, "error", ": %s", change_strerror(w, error));
	emit_text(e, "\n");
	return error == 0 ?
	    0 :
	    verb_error(w->v, 1, "%swriting to routing socket: %s", w->where, verb_strerror(error));
}

static int
route_change(struct route_words *w, int argc, char **argv)
{
	int status, error = 0;

	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(w->v, EXIT_NOPERM_, "must be root to alter routing table");
	w->rq.multipath = strcmp(w->command, "add") == 0;
	if (strcmp(w->command, "delete") != 0)
		w->rq.flags |= RTF_STATIC_;
	if ((status = route_words_parse(w, argc, argv)) != 0)
		return status;
	if (strcmp(w->command, "delete") == 0)
		error = w->test ? 0 : rib_delete(&w->rq);
	else if (strcmp(w->command, "change") == 0)
		error = w->test ? 0 : rib_change(&w->rq, NULL);
	else if (w->gw == NULL && w->rq.ifp == NULL &&
	    !(w->rq.flags & (RTF_REJECT_ | RTF_BLACKHOLE_)))
		return route_usage(w, "no gateway");
	else
		error = w->test ? 0 : rib_add(&w->rq, NULL);
	return change_say(w, error);
}

/* --- flush --------------------------------------------------------------- */

static int
flush_one(struct rtentry *rt, void *ctx)
{
	struct route_words *w = ctx;
	struct emitter *e = w->v->out;
	char text[RT_ADDR_TEXT], dst[RIB_DST_TEXT];

	if (!(rt->nh.flags & RTF_GATEWAY_) || (rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)))
		return 0;
	if (!w->quiet) {
		emit_object(e, NULL);
		emit_str(e, "destination", "%-20s ", rib_dst_text(rt, dst));
		emit_str(e, "gateway", "%-20s done\n", rib_gateway_text(rt, text));
		emit_end(e);
	}
	/* the walk knows its next one already */
	if (!w->test)
		rib_remove(rt);
	return 0;
}

static int
route_flush(struct route_words *w, int argc, char **argv)
{
	struct route_late late = { 0 };
	int status;

	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(w->v, EXIT_NOPERM_, "must be root to alter routing table");
	for (int at = 0; at < argc; at++) {
		if (argv[at][0] != '-')
			return verb_usage(w->v, NULL);
		if ((status = route_keyword(w, argc, argv, &at, &late)) != 0)
			return status;
	}
	emit_list(w->v->out, "flushed");
	if (w->family != AF_INET6)
		rib_walk(w->rq.fib, AF_INET, flush_one, w);
	if (w->family != AF_INET)
		rib_walk(w->rq.fib, AF_INET6, flush_one, w);
	emit_end(w->v->out);
	return 0;
}

/* --- files of lines ------------------------------------------------------ */

static const struct {
	const char *word, *command;
	int (*run)(struct route_words *w, int argc, char **argv);
} commands[] = {
	{ "add", "add", route_change },
	{ "delete", "delete", route_change },
	{ "del", "delete", route_change },
	{ "change", "change", route_change },
	{ "get", "get", route_get },
	{ "show", "get", route_get },
	{ "flush", "flush", route_flush },
};

/* argv begins with the command's word. */
static int
route_command(struct route_words *w, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 0 && strcmp(argv[0], commands[i].word) == 0) {
			w->command = commands[i].command;
			return commands[i].run(w, argc - 1, argv + 1);
		}
	return route_usage(w, "no such command");
}

/* One line, with the options of the tool: they hold for all of them. */
static int
file_line(void *ctx, const char *where, int argc, char **argv)
{
	const struct route_words *tool = ctx;
	struct route_words w = *tool;
	int status;

	w.where = where;
	/* lines as one types them are as good */
	if (strcmp(argv[0], "route") == 0) {
		argc--;
		argv++;
	}
	if (!w.quiet)
		emit_object(w.v->out, NULL);
	status = route_command(&w, argc, argv);
	if (!w.quiet)
		emit_end(w.v->out);
	return status;
}

static int
route_file(struct route_words *w, const char *path)
{
	int status;

	emit_list(w->v->out, "line");
	fib_bulk_begin();
	status = verb_file(w->v, strcmp(path, "-") == 0 ? "/dev/stdin" : path, file_line, w);
	/* without memory for all at once, packets see them with the next change */
	(void)fib_bulk_end();
	emit_end(w->v->out);
	return status;
}

/* --- the tool ------------------------------------------------------------ */

static int
route_run(struct verb_run *v)
{
	struct route_words w = { .v = v, .where = "", .rq = { .fib = v->fib } };
	const char *file = NULL;
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "46df:nqtv");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case '4':
			w.family = AF_INET;
			break;
		case '6':
			w.family = AF_INET6;
			break;
		case 'f':
			file = o.arg;
			break;
		case 'n':
			w.numeric = true;
			break;
		case 'q':
			w.quiet = true;
			break;
		case 'd': /* both change nothing */
		case 't':
			w.test = true;
			break;
		case 'v':
			w.verbose = true;
			break;
		default:
			return verb_usage(v, NULL);
		}
	}
	if ((o.ind >= v->argc) != (file != NULL))
		return verb_usage(v, NULL);
	if (v->fib >= rt_numfibs)
		return verb_error(v, 1, "fib %u: FIBs are 0 to %u", v->fib, rt_numfibs - 1);
	if (file != NULL)
		return route_file(&w, file);
	if (strcmp(v->argv[o.ind], "monitor") == 0)
		return o.ind + 1 < v->argc ? verb_usage(v, NULL) : route_monitor(v);
	return route_command(&w, v->argc - o.ind, v->argv + o.ind);
}

static void
route_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "add", "delete", "change", "get", "flush", "monitor" };

	(void)argv;
	if (argc != 1) {
		route_keyword_complete(add, ctx);
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		add(ctx, words[i]);
}

VERB_DEFINE(route, .name = "route",
    .usage =
	"route [-46dnqtv] add | delete | change [-net | -host] destination gateway [netmask] [modifiers]\n"
	"route [-46nqv] get [-net | -host] destination [-src address] [-proto protocol] [-sport port] [-dport port]\n"
	"route [-46nqt] flush\n"
	"route [-46dnqtv] -f file\n"
	"route [-n] monitor",
    .summary = "change and question the routing tables", .run = route_run,
    .complete = route_complete, .flags = VERB_HAS_JAIL);
