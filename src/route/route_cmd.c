/*
 * route_cmd.c - the tool `route`: add, delete, change, get, flush; monitor is in route_monitor.c.
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

static const char *
change_strerror(const char *command, int error)
{
	switch (-error) {
	case EEXIST:
		return "route already in table";
	case ESRCH:
		return "not in table";
	case ENETUNREACH:
		return "Network is unreachable";
	case ENOMEM:
		return "not enough memory";
	case EADDRINUSE:
		return strcmp(command, "add") == 0 ? "gateway uses the same route" :
						     "belongs to an interface's address";
	default:
		return verb_strerror(error);
	}
}

static int
change_say(const struct route_words *w, int error)
{
	struct emitter *e = w->v->out;

	if (w->quiet)
		return error == 0 ? 0 : 1;
	emit_str(e, "command", "%s", w->command);
	emit_str(e, "kind", " %s", w->is_host ? "host" : "net");
	emit_str(e, "destination", " %s", w->dst_text);
	emit_uint(e, "prefixlen", NULL, w->rq.dst.plen);
	if (w->gw != NULL)
		emit_str(e, "gateway", ": gateway %s", w->gw);
	if (error != 0)
		emit_str(e, "error", ": %s", change_strerror(w->command, error));
	emit_text(e, "\n");
	return error == 0 ?
	    0 :
	    verb_error(w->v, 1, "writing to routing socket: %s", verb_strerror(error));
}

static int
route_change(struct route_words *w, int argc, char **argv)
{
	int status, error = 0;

	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(w->v, EXIT_NOPERM_, "must be root to alter routing table");
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
		return verb_usage(w->v, "no gateway");
	else
		error = w->test ? 0 : rib_add(&w->rq, NULL);
	return change_say(w, error);
}

/* --- get ----------------------------------------------------------------- */

const char *
route_mask_text(const struct rt_addr *a, char text[RT_ADDR_TEXT])
{
	struct rt_addr mask = rt_mask(a->family, a->plen);

	return a->plen == 0 ? strcpy(text, "default") : rt_addr_text(&mask, text);
}

const char *
route_dst_text(const struct rt_addr *a, char text[RT_ADDR_TEXT])
{
	struct rt_addr host = rt_addr_make(a->family, a->addr, 128);

	return rt_addr_text(a->plen == 0 ? a : &host, text);
}

static void
get_say(const struct route_words *w, const struct rtentry *rt)
{
	struct emitter *e = w->v->out;
	char text[RT_ADDR_TEXT], flags[RIB_FLAG_NAMES];

	emit_str(e, "route-to", "   route to: %s\n", route_dst_text(&w->rq.dst, text));
	emit_str(e, "destination", "destination: %s\n", route_dst_text(&rt->dst, text));
	if (!(rt->nh.flags & RTF_HOST_))
		emit_str(e, "mask", "       mask: %s\n", route_mask_text(&rt->dst, text));
	if (rt->nh.flags & RTF_GATEWAY_)
		emit_str(e, "gateway", "    gateway: %s\n", rib_gateway_text(rt, text));
	emit_uint(e, "fib", w->rq.fib != 0 ? "        fib: %" PRIu64 "\n" : NULL, w->rq.fib);
	emit_str(e, "interface", "  interface: %s\n", rt->nh.ifp->if_xname);
	emit_str(
	    e, "flags", "      flags: <%s>\n", rib_flag_names(rt->nh.flags | RTF_DONE_, flags));
	emit_text(e, " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n");
	emit_text(e, "%8d  %8d  %8d  %8d  ", 0, 0, 0, 0);
	emit_uint(e, "mtu", "%8" PRIu64 "  ", rt->nh.mtu != 0 ? rt->nh.mtu : rt->nh.ifp->if_mtu);
	emit_uint(e, "weight", "%8" PRIu64 "  ", rt->weight);
	emit_uint(e, "expire", "%8" PRIu64 " \n", rib_expires_in(rt));
}

static int
route_get(struct route_words *w, int argc, char **argv)
{
	struct rtentry *rt;
	int status;

	if ((status = route_words_parse(w, argc, argv)) != 0)
		return status;
	rt = w->has_mask || strchr(w->dst, '/') != NULL ? rib_exact(w->rq.fib, &w->rq.dst) :
							  rib_match(w->rq.fib, &w->rq.dst);
	if (rt == NULL || !rib_visible(rt))
		return w->quiet ? 1 : verb_error(w->v, 1, "route has not been found");
	if (!w->quiet)
		get_say(w, rt);
	return 0;
}

/* --- flush --------------------------------------------------------------- */

static int
flush_one(struct rtentry *rt, void *ctx)
{
	struct route_words *w = ctx;
	struct emitter *e = w->v->out;
	char text[RT_ADDR_TEXT];

	if (!(rt->nh.flags & RTF_GATEWAY_) || (rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)))
		return 0;
	if (!w->quiet) {
		emit_object(e, NULL);
		emit_str(e, "destination", "%-20s ", rt_addr_text(&rt->dst, text));
		emit_str(e, "gateway", "%-20s done\n", rib_gateway_text(rt, text));
		emit_end(e);
	}
	if (w->test)
		return 0;
	/* rt goes within; the walk knows its next one already */
	return rib_delete(&(struct rt_request){ .dst = rt->dst, .fib = rt->fib });
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

/* --- the tool ------------------------------------------------------------ */

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

static int
route_run(struct verb_run *v)
{
	struct route_words w = { .v = v, .rq = { .fib = v->fib } };
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "46dnqtv");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case '4':
			w.family = AF_INET;
			break;
		case '6':
			w.family = AF_INET6;
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
	if (o.ind >= v->argc)
		return verb_usage(v, NULL);
	if (v->fib >= rt_numfibs)
		return verb_error(v, 1, "fib %u: FIBs are 0 to %u", v->fib, rt_numfibs - 1);
	if (strcmp(v->argv[o.ind], "monitor") == 0)
		return o.ind + 1 < v->argc ? verb_usage(v, NULL) : route_monitor(v);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(v->argv[o.ind], commands[i].word) == 0) {
			w.command = commands[i].command;
			return commands[i].run(&w, v->argc - o.ind - 1, v->argv + o.ind + 1);
		}
	return verb_usage(v, "no such command");
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
	"route [-46nqv] get [-net | -host] destination\n"
	"route [-46nqt] flush\n"
	"route [-n] monitor",
    .summary = "change and question the routing tables", .run = route_run,
    .complete = route_complete, .flags = VERB_HAS_JAIL);
