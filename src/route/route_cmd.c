/*
 * route_cmd.c - the tool `route`: add, delete, change, get, flush; monitor is in route_monitor.c.
 *
 * Words are read into a struct first; nothing is changed before all of them are understood. -expire
 * counts seconds from now: a stack's clock knows no year.
 */
#include "route/rib.h"
#include "route/route_cmd.h"

#include "base/bytes.h"
#include "kern/jail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct route_words {
	struct verb_run *v;
	const char *command; /* "add" … */
	bool numeric, quiet, verbose, test;
	bool force_host, force_net, interface;
	const char *dst, *gw; /* as typed; dst without its "/len" */
	char dst_text[64];
	bool is_host, has_mask;
	struct rt_request rq;
	int family; /* 0 = not said */
};

/* --- words --------------------------------------------------------------- */

/* "255.255.255.0" or "0xffffff00" -> length; false if it is not contiguous. */
static bool
parse_mask(const char *word, unsigned *plen)
{
	struct rt_addr a;
	uint64_t number;
	uint32_t mask;

	if (strncmp(word, "0x", 2) == 0) {
		if (!verb_number(word, 0, UINT32_MAX, &number))
			return false;
		mask = (uint32_t)number;
	} else {
		if (strchr(word, '/') != NULL || !rt_addr_parse(word, AF_INET, &a) || a.plen != 32)
			return false;
		mask = __builtin_bswap32(load32(a.addr));
	}
	*plen = (unsigned)__builtin_popcount(mask);
	return (~mask & (~mask + 1)) == 0;
}

/* "10", "10.1", "10.1.2": the parts of a network number. False for anything else. */
static bool
parse_short_net(const char *word, uint32_t *net)
{
	char text[16], *part, *rest = text;
	uint32_t value = 0;
	uint64_t n;
	int parts = 0;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return false;
	while ((part = strsep(&rest, ".")) != NULL) {
		if (parts == 4 || !verb_number(part, 0, 255, &n))
			return false;
		value = value << 8 | (uint32_t)n;
		parts++;
	}
	*net = value << 8 * (4 - parts);
	return parts < 4;
}

/* The length that a network number has by its class and its zeros, as the tool always guessed. */
static unsigned
guess_plen(uint32_t net)
{
	if (net == 0)
		return 0;
	if (net >> 31 == 0 && (net & 0x00ffffff) == 0)
		return 8;
	if (net >> 30 < 3 && (net & 0x0000ffff) == 0)
		return 16;
	return (net & 0xff) == 0 ? 24 : 32;
}

/* Bits behind the class's network part: none of them set makes it a network. */
static bool
has_host_part(uint32_t addr)
{
	uint32_t host = addr >> 31 == 0 ? 0x00ffffff : addr >> 30 == 2 ? 0x0000ffff : 0x000000ff;

	return (addr & host) != 0;
}

/* The destination with what was said about its length. 0 or an exit status. */
static int
parse_dst(struct route_words *w, unsigned mask_plen)
{
	char *slash;
	uint32_t net;
	struct rt_addr a;
	unsigned plen;

	if (snprintf(w->dst_text, sizeof(w->dst_text), "%s", w->dst) >= (int)sizeof(w->dst_text))
		return verb_error(w->v, EXIT_NOHOST_, "bad address: %s", w->dst);
	if ((slash = strchr(w->dst_text, '/')) != NULL)
		*slash = '\0';
	if (rt_addr_parse(w->dst, w->family, &a)) {
		plen = a.plen;
		w->is_host = slash == NULL && plen != 0;
		if (w->is_host && a.family == AF_INET && !w->force_host && !w->has_mask) {
			net = __builtin_bswap32(load32(a.addr));
			if (w->force_net || !has_host_part(net)) {
				plen = guess_plen(net);
				w->is_host = false;
			}
		}
	} else if (w->family != AF_INET6 && parse_short_net(w->dst_text, &net) && !w->force_host) {
		uint64_t n = guess_plen(net);

		if (slash != NULL && !verb_number(slash + 1, 0, 32, &n))
			return verb_error(w->v, EXIT_NOHOST_, "bad address: %s", w->dst);
		plen = (unsigned)n;
		net = __builtin_bswap32(net);
		a = rt_addr_make(AF_INET, &net, 32);
	} else if (slash == NULL && rt_resolve_name != NULL && rt_resolve_name(w->dst, &net)) {
		a = rt_addr_make(AF_INET, &net, 32);
		plen = 32;
		w->is_host = true;
	} else {
		return verb_error(w->v, EXIT_NOHOST_, "bad address: %s", w->dst);
	}
	if (w->has_mask) {
		plen = mask_plen;
		w->is_host = false;
	}
	if (w->force_host) {
		plen = a.family == AF_INET ? 32 : 128;
		w->is_host = true;
	}
	if (plen > (a.family == AF_INET ? 32u : 128u))
		return verb_error(w->v, 1, "prefixlen %u: too long for %s", plen, w->dst);
	w->rq.dst = rt_addr_make(a.family, a.addr, plen);
	return 0;
}

/* The address of a host as typed, or by name. */
static bool
parse_host(const struct route_words *w, const char *word, int family, struct rt_addr *a)
{
	uint32_t addr;

	(void)w;
	if (strchr(word, '/') == NULL && strcmp(word, "default") != 0 &&
	    rt_addr_parse(word, family, a))
		return true;
	if (family == AF_INET6 || rt_resolve_name == NULL || !rt_resolve_name(word, &addr))
		return false;
	*a = rt_addr_make(AF_INET, &addr, 32);
	return true;
}

/* An address of ours of any family, by looking for its host route. */
static struct ifaddr *
find_ifa(const struct route_words *w, const char *word)
{
	struct rt_addr a;
	struct rtentry *rt;

	if (!parse_host(w, word, 0, &a))
		return NULL;
	rt = rib_exact(w->rq.fib, &a);
	return rt != NULL && (rt->nh.flags & RTF_LOCAL_) ? rt->nh.ifa : NULL;
}

/* The gateway, or with -interface the interface's name or address. 0 or an exit status. */
static int
parse_gateway(struct route_words *w)
{
	struct ifaddr *ifa;

	if (w->gw == NULL)
		return 0;
	if (w->interface) {
		w->rq.ifp = if_byname(w->gw);
		if (w->rq.ifp == NULL && (ifa = find_ifa(w, w->gw)) != NULL) {
			w->rq.ifp = ifa->ifp;
			w->rq.ifa = ifa;
		}
		if (w->rq.ifp == NULL)
			return verb_error(w->v, 1, "%s: no such interface", w->gw);
		return 0;
	}
	if (!parse_host(w, w->gw, w->rq.dst.family, &w->rq.gateway))
		return verb_error(w->v, EXIT_NOHOST_, "bad address: %s", w->gw);
	return 0;
}

enum word_kind { WORD_FLAG, WORD_CLEAR, WORD_OTHER, WORD_NOT_HERE };

static const struct {
	const char *word;
	enum word_kind kind;
	uint32_t flag; /* FLAG sets, CLEAR clears it */
	bool argument;
} route_keywords[] = {
	{ "static", WORD_FLAG, RTF_STATIC_, false },
	{ "nostatic", WORD_CLEAR, RTF_STATIC_, false },
	{ "reject", WORD_FLAG, RTF_REJECT_, false },
	{ "noreject", WORD_CLEAR, RTF_REJECT_, false },
	{ "blackhole", WORD_FLAG, RTF_BLACKHOLE_, false },
	{ "noblackhole", WORD_CLEAR, RTF_BLACKHOLE_, false },
	{ "proto1", WORD_FLAG, RTF_PROTO1_, false },
	{ "proto2", WORD_FLAG, RTF_PROTO2_, false },
	{ "proto3", WORD_FLAG, RTF_PROTO3_, false },
	{ "sticky", WORD_FLAG, RTF_STICKY_, false },
	{ "nosticky", WORD_CLEAR, RTF_STICKY_, false },
	{ "llinfo", WORD_FLAG, RTF_LLINFO_, false },
	{ "net", WORD_OTHER, 0, false },
	{ "host", WORD_OTHER, 0, false },
	{ "inet", WORD_OTHER, 0, false },
	{ "4", WORD_OTHER, 0, false },
	{ "inet6", WORD_OTHER, 0, false },
	{ "6", WORD_OTHER, 0, false },
	{ "iface", WORD_OTHER, 0, false },
	{ "interface", WORD_OTHER, 0, false },
	{ "link", WORD_OTHER, 0, false },
	{ "gateway", WORD_OTHER, 0, true },
	{ "netmask", WORD_OTHER, 0, true },
	{ "prefixlen", WORD_OTHER, 0, true },
	{ "ifa", WORD_OTHER, 0, true },
	{ "ifp", WORD_OTHER, 0, true },
	{ "mtu", WORD_OTHER, 0, true },
	{ "expire", WORD_OTHER, 0, true },
	{ "weight", WORD_OTHER, 0, true },
	{ "fib", WORD_OTHER, 0, true },
	/* nothing here would heed them */
	{ "xresolve", WORD_NOT_HERE, 0, false },
	{ "cloning", WORD_NOT_HERE, 0, false },
	{ "genmask", WORD_NOT_HERE, 0, true },
	{ "hopcount", WORD_NOT_HERE, 0, true },
	{ "recvpipe", WORD_NOT_HERE, 0, true },
	{ "sendpipe", WORD_NOT_HERE, 0, true },
	{ "ssthresh", WORD_NOT_HERE, 0, true },
	{ "rtt", WORD_NOT_HERE, 0, true },
	{ "rttvar", WORD_NOT_HERE, 0, true },
	{ "lock", WORD_NOT_HERE, 0, false },
	{ "lockrest", WORD_NOT_HERE, 0, false },
};

/* What stands behind the keywords that need more than a flag. */
struct late_words {
	const char *ifa, *ifp;
	unsigned plen;
};

static int
keyword_other(struct route_words *w, const char *word, const char *arg, struct late_words *late)
{
	uint64_t n = 0;

	if (strcmp(word, "net") == 0)
		w->force_net = true;
	else if (strcmp(word, "host") == 0)
		w->force_host = true;
	else if (strcmp(word, "inet") == 0 || strcmp(word, "4") == 0)
		w->family = AF_INET;
	else if (strcmp(word, "inet6") == 0 || strcmp(word, "6") == 0)
		w->family = AF_INET6;
	else if (strcmp(word, "iface") == 0 || strcmp(word, "interface") == 0 ||
	    strcmp(word, "link") == 0)
		w->interface = true;
	else if (strcmp(word, "gateway") == 0)
		w->gw = arg;
	else if (strcmp(word, "ifa") == 0)
		late->ifa = arg;
	else if (strcmp(word, "ifp") == 0)
		late->ifp = arg;
	else if (strcmp(word, "netmask") == 0) {
		if (!parse_mask(arg, &late->plen))
			return verb_error(w->v, 1, "netmask %s: not a contiguous mask", arg);
		w->has_mask = true;
	} else if (strcmp(word, "prefixlen") == 0) {
		if (!verb_number(arg, 0, 128, &n))
			return verb_error(w->v, 1, "prefixlen %s: bad value", arg);
		late->plen = (unsigned)n;
		w->has_mask = true;
	} else if (strcmp(word, "mtu") == 0) {
		if (!verb_number(arg, 72, 65535, &n))
			return verb_error(w->v, 1, "mtu %s: bad value: 72 to 65535", arg);
		w->rq.mtu = (uint32_t)n;
	} else if (strcmp(word, "expire") == 0) {
		if (!verb_number(arg, 1, UINT32_MAX, &n))
			return verb_error(w->v, 1, "expire %s: bad value: seconds from now", arg);
		w->rq.expire_ns = clock_now() + n * NS_PER_SEC;
	} else if (strcmp(word, "weight") == 0) {
		if (!verb_number(arg, 1, 0xffffff, &n))
			return verb_error(w->v, 1, "weight %s: bad value", arg);
		w->rq.weight = (uint32_t)n;
	} else {
		if (!verb_number(arg, 0, rt_numfibs - 1, &n))
			return verb_error(
			    w->v, 1, "fib %s: bad value: FIBs are 0 to %u", arg, rt_numfibs - 1);
		w->rq.fib = (uint8_t)n;
	}
	return 0;
}

/* One keyword at argv[*at]; *at moves to its last word. 0 or an exit status. */
static int
keyword(struct route_words *w, int argc, char **argv, int *at, struct late_words *late)
{
	const size_t n = sizeof(route_keywords) / sizeof(route_keywords[0]);
	const char *word = argv[*at] + 1, *arg = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(word, route_keywords[i].word) == 0)
			break;
	if (i == n) {
		char why[80];

		snprintf(why, sizeof(why), "bad keyword: %.60s", word);
		return verb_usage(w->v, why);
	}
	if (route_keywords[i].argument) {
		if (*at + 1 >= argc)
			return verb_error(w->v, EXIT_USAGE_, "-%s requires argument", word);
		arg = argv[++*at];
	}
	switch (route_keywords[i].kind) {
	case WORD_FLAG:
		w->rq.flags |= route_keywords[i].flag;
		return 0;
	case WORD_CLEAR:
		w->rq.flags &= ~route_keywords[i].flag;
		return 0;
	case WORD_OTHER:
		return keyword_other(w, word, arg, late);
	default:
		return verb_error(w->v, 1, "-%s: not supported here", word);
	}
}

/* The words behind the command. 0 or an exit status. */
static int
parse_words(struct route_words *w, int argc, char **argv)
{
	struct late_words late = { 0 };
	int status;

	for (int at = 0; at < argc; at++) {
		if (argv[at][0] == '-') {
			if ((status = keyword(w, argc, argv, &at, &late)) != 0)
				return status;
		} else if (w->dst == NULL) {
			w->dst = argv[at];
		} else if (w->gw == NULL) {
			w->gw = argv[at];
		} else if (!w->has_mask && parse_mask(argv[at], &late.plen)) {
			w->has_mask = true;
		} else {
			return verb_error(w->v, EXIT_USAGE_, "%s: one word too many", argv[at]);
		}
	}
	if (w->dst == NULL)
		return verb_usage(w->v, "no destination");
	if ((status = parse_dst(w, late.plen)) != 0 || (status = parse_gateway(w)) != 0)
		return status;
	if (late.ifp != NULL && (w->rq.ifp = if_byname(late.ifp)) == NULL)
		return verb_error(w->v, 1, "%s: no such interface", late.ifp);
	if (late.ifa != NULL && (w->rq.ifa = find_ifa(w, late.ifa)) == NULL)
		return verb_error(w->v, 1, "%s: not an address of this stack", late.ifa);
	return 0;
}

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
	if ((status = parse_words(w, argc, argv)) != 0)
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
route_mask_text(const struct rt_addr *a, char *text, size_t len)
{
	uint32_t mask = a->plen == 0 ? 0 : UINT32_MAX << (32 - (a->plen & 63));

	if (a->plen == 0)
		snprintf(text, len, "default");
	else if (a->family == AF_INET)
		snprintf(text, len, "%u.%u.%u.%u", mask >> 24, mask >> 16 & 0xff, mask >> 8 & 0xff,
		    mask & 0xff);
	else
		snprintf(text, len, "/%u", a->plen);
	return text;
}

/* A destination without its length. */
const char *
route_dst_text(const struct rt_addr *a, char *text, size_t len)
{
	struct rt_addr host = *a;

	if (a->plen == 0)
		return rt_addr_text(a, text, len);
	host.plen = host.family == AF_INET ? 32 : 128;
	return rt_addr_text(&host, text, len);
}

static void
get_say(const struct route_words *w, const struct rtentry *rt)
{
	struct emitter *e = w->v->out;
	char text[64], flags[RIB_FLAG_NAMES];

	emit_str(
	    e, "route-to", "   route to: %s\n", route_dst_text(&w->rq.dst, text, sizeof(text)));
	emit_str(
	    e, "destination", "destination: %s\n", route_dst_text(&rt->dst, text, sizeof(text)));
	if (!(rt->nh.flags & RTF_HOST_))
		emit_str(
		    e, "mask", "       mask: %s\n", route_mask_text(&rt->dst, text, sizeof(text)));
	if (rt->nh.flags & RTF_GATEWAY_)
		emit_str(
		    e, "gateway", "    gateway: %s\n", rib_gateway_text(rt, text, sizeof(text)));
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

	if ((status = parse_words(w, argc, argv)) != 0)
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
	char text[64];

	if (!(rt->nh.flags & RTF_GATEWAY_) || (rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)))
		return 0;
	if (!w->quiet) {
		emit_object(e, NULL);
		emit_str(e, "destination", "%-20.20s ", rt_addr_text(&rt->dst, text, sizeof(text)));
		emit_str(e, "gateway", "%-20.20s done\n", rib_gateway_text(rt, text, sizeof(text)));
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
	struct late_words late = { 0 };
	int status;

	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(w->v, EXIT_NOPERM_, "must be root to alter routing table");
	for (int at = 0; at < argc; at++) {
		if (argv[at][0] != '-')
			return verb_usage(w->v, NULL);
		if ((status = keyword(w, argc, argv, &at, &late)) != 0)
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

	verb_opts_init(&o, v, v->argc, v->argv, "dnqtv");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
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
	if (argc == 1)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			add(ctx, words[i]);
	else
		for (size_t i = 0; i < sizeof(route_keywords) / sizeof(route_keywords[0]); i++) {
			char word[24];

			snprintf(word, sizeof(word), "-%s", route_keywords[i].word);
			if (route_keywords[i].kind != WORD_NOT_HERE)
				add(ctx, word);
		}
}

VERB_DEFINE(route, .name = "route",
    .usage =
	"route [-dnqtv] add | delete | change [-net | -host] destination gateway [netmask] [modifiers]\n"
	"route [-nqv] get [-net | -host] destination\n"
	"route [-nqt] flush [-inet | -inet6]\n"
	"route [-n] monitor",
    .summary = "change and question the routing tables", .run = route_run,
    .complete = route_complete, .flags = VERB_HAS_JAIL);
