/*
 * ndp_lists.c - what the tool `ndp` says of interfaces and routers.
 *
 *	ndp -i IF [WORDS]	parameters of an interface; nud, -nud, retrans=1000 … set them
 *	ndp -p			prefixes that routers advertised (nd6_prefix.c)
 *	ndp -r			default routers (nd6_defrtr.c)
 *	ndp -I [IF | delete]	where packets go when there is none
 */
#include "inet6/ndp_internal.h"

#include "inet6/nd6_rtr.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct ifnet *
ndp_interface(struct verb_run *v, const char *word)
{
	struct ifnet *ifp = if_byname(word);

	if (ifp != NULL && in6_if_of(ifp) != NULL)
		return ifp;
	verb_error(v, 1, "interface %s %s", word, ifp == NULL ? "does not exist" : "has no IPv6");
	return NULL;
}

/* --- an interface ----------------------------------------------------------------------------- */

static const struct {
	uint32_t flag;
	const char *name;
} flag_words[] = {
	{ ND6_IFF_IFDISABLED, "disabled" },
	{ ND6_IFF_PERFORMNUD, "nud" },
	{ ND6_IFF_ACCEPT_RTADV, "accept_rtadv" },
	{ ND6_IFF_AUTO_LINKLOCAL, "auto_linklocal" },
	{ ND6_IFF_PREFER_SOURCE, "prefer_source" },
	{ ND6_IFF_NO_RADR, "no_radr" },
	{ ND6_IFF_NO_DAD, "no_dad" },
};
enum { NFLAGS = sizeof(flag_words) / sizeof(flag_words[0]) };

static void
print_ms(struct emitter *e, const char *name, uint32_t ms)
{
	emit_text(e, ", %s=%" PRIu32 "s%" PRIu32 "ms", name, ms / 1000, ms % 1000);
	emit_uint(e, name, NULL, ms);
}

static void
print_interface(struct emitter *e, const struct ifnet *ifp)
{
	const struct nd_ifinfo *nd = &in6_if_of(ifp)->nd;

	emit_object(e, "interface");
	emit_str(e, "name", NULL, ifp->if_xname);
	emit_uint(e, "linkmtu", "linkmtu=%" PRIu64, nd->linkmtu);
	emit_uint(e, "maxmtu", ", maxmtu=%" PRIu64, ifp->if_mtu);
	emit_uint(e, "curhlim", ", curhlim=%" PRIu64, nd->chlim != 0 ? nd->chlim : V_ip6_defhlim);
	print_ms(e, "basereachable", nd->basereachable_ms);
	emit_uint(e, "reachable", ", reachable=%" PRIu64 "s", (nd->reachable_ms + 500) / 1000);
	print_ms(e, "retrans", nd->retrans_ms);
	if (nd->flags != 0)
		emit_text(e, "\nFlags: ");
	emit_list(e, "flags");
	for (unsigned i = 0; i < NFLAGS; i++)
		if (nd->flags & flag_words[i].flag)
			emit_str(e, "", "%s ", flag_words[i].name);
	emit_end(e);
	emit_text(e, "\n");
	emit_end(e);
}

/* "nud", "-nud" */
static bool
set_flag(const char *word, uint32_t *flags)
{
	const bool off = word[0] == '-';

	for (unsigned i = 0; i < NFLAGS; i++) {
		if (strcmp(word + off, flag_words[i].name) != 0)
			continue;
		*flags = off ? *flags & ~flag_words[i].flag : *flags | flag_words[i].flag;
		return true;
	}
	return false;
}

/* "retrans=1000": in ms; 0 or an exit status. */
static int
set_number(struct verb_run *v, const char *word, struct nd_ifinfo *nd)
{
	static const struct {
		const char *name;
		uint32_t least, most;
	} numbers[] = { { "basereachable=", 1, 3600000 }, { "retrans=", 1, 3600000 },
		{ "curhlim=", 0, 255 } };
	uint64_t n;

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t len = strlen(numbers[i].name);

		if (strncmp(word, numbers[i].name, len) != 0)
			continue;
		if (!verb_number(word + len, numbers[i].least, numbers[i].most, &n))
			return verb_error(v, 1, "%s: not a number from %" PRIu32 " to %" PRIu32,
			    word, numbers[i].least, numbers[i].most);
		if (i == 0)
			nd->basereachable_ms = (uint32_t)n;
		else if (i == 1)
			nd->retrans_ms = (uint32_t)n;
		else
			nd->chlim = (uint8_t)n;
		return 0;
	}
	return verb_error(v, 1, "invalid flag or parameter '%s'", word);
}

int
ndp_show_interface(struct verb_run *v, const char *name, int argc, char **argv)
{
	struct ifnet *ifp = ndp_interface(v, name);
	struct in6_if *i;
	struct nd_ifinfo nd;
	int status;

	if (ifp == NULL)
		return 1;
	i = in6_if_of(ifp);
	nd = i->nd;
	for (int n = 0; n < argc; n++)
		if (!set_flag(argv[n], &nd.flags) && (status = set_number(v, argv[n], &nd)) != 0)
			return status;
	i->nd.retrans_ms = nd.retrans_ms;
	i->nd.chlim = nd.chlim;
	if (nd.basereachable_ms != i->nd.basereachable_ms)
		nd6_set_basereachable(i, nd.basereachable_ms);
	in6_flags_set(ifp, nd.flags);
	print_interface(v->out, ifp);
	return 0;
}

/* --- routers ---------------------------------------------------------------------------------- */

struct list_run {
	struct emitter *e;
	bool numeric;
};

/* What is left until then. */
static void
print_expire(struct emitter *e, uint64_t expire_ns)
{
	const uint64_t now = clock_now();
	char text[NDP_TIME];

	if (expire_ns == NS_NEVER) {
		emit_text(e, ", expire=Never");
		return;
	}
	if (expire_ns <= now)
		emit_text(e, ", expired");
	else
		emit_text(e, ", expire=%s", ndp_time_text(expire_ns - now, text));
	emit_uint(e, "expires", NULL,
	    expire_ns <= now ? 0 : (expire_ns - now + NS_PER_SEC - 1) / NS_PER_SEC);
}

static int
print_router(const struct nd6_route *way, void *ctx)
{
	const struct list_run *l = ctx;
	struct emitter *e = l->e;
	char text[IN6_TEXT], flags[3] = "";

	if (way->router->flags & ND_RA_MANAGED)
		strcat(flags, "M");
	if (way->router->flags & ND_RA_OTHER)
		strcat(flags, "O");
	emit_object(e, NULL);
	emit_text(e, "%s", ndp_host_text(&way->router->addr, l->numeric, text));
	emit_str(e, "address", NULL, in6_ntoa(&way->router->addr, text));
	emit_str(e, "interface", " if=%s", way->router->ifp->if_xname);
	emit_str(e, "flags", ", flags=%s", flags);
	emit_str(e, "preference", ", pref=%s", nd6_pref_name((enum nd6_pref)way->pref));
	print_expire(e, way->expire_ns);
	emit_bool(e, "installed", way->installed);
	emit_bool(e, "reachable", nd6_router_is_reachable(way->router));
	emit_text(e, "\n");
	emit_end(e);
	return 0;
}

int
ndp_show_routers(struct verb_run *v, bool numeric)
{
	struct list_run l = { v->out, numeric };

	emit_list(v->out, "router");
	(void)nd6_default_router_foreach(print_router, &l);
	emit_end(v->out);
	return 0;
}

/* --- prefixes --------------------------------------------------------------------------------- */

static int
print_advertiser(const struct nd6_router *r, void *ctx)
{
	const struct list_run *l = ctx;
	char text[IN6_TEXT];

	emit_object(l->e, NULL);
	emit_text(l->e, "    %s", ndp_host_text(&r->addr, l->numeric, text));
	emit_str(l->e, "address", NULL, in6_ntoa(&r->addr, text));
	emit_text(l->e, nd6_router_is_reachable(r) ? " (reachable)\n" : " (unreachable)\n");
	emit_bool(l->e, "reachable", nd6_router_is_reachable(r));
	emit_end(l->e);
	return 0;
}

static void
print_lifetime(struct emitter *e, const char *name, const char *before, uint32_t s)
{
	if (s == (uint32_t)ND6_INFINITE_LIFETIME) {
		emit_text(e, "%s%s=infinity", before, name);
		return;
	}
	emit_text(e, "%s%s=%" PRIu32, before, name, s);
	emit_uint(e, name, NULL, s);
}

/* How many addresses were made of it. */
static unsigned
prefix_users(const struct nd6_prefix *pr)
{
	const struct in6_ifaddr *ia = NULL;
	unsigned n = 0;

	while ((ia = in6_ifaddr_next(pr->ifp, ia)) != NULL)
		n += nd6_slaac_owns(pr, ia);
	return n;
}

static int
print_prefix(const struct nd6_prefix *pr, void *ctx)
{
	struct list_run *l = ctx;
	struct emitter *e = l->e;
	char text[IN6_TEXT], flags[5] = "";

	strcat(flags, pr->onlink ? "L" : "");
	strcat(flags, pr->autonomous ? "A" : "");
	strcat(flags, pr->has_route ? "O" : "");
	strcat(flags, pr->detached ? "D" : "");
	emit_object(e, NULL);
	emit_str(e, "prefix", "%s", in6_ntoa(&pr->prefix, text));
	emit_uint(e, "prefixlen", "/%" PRIu64, pr->plen);
	emit_str(e, "interface", " if=%s\n", pr->ifp->if_xname);
	emit_str(e, "flags", "flags=%s", flags);
	print_lifetime(e, "vltime", " ", pr->vltime_s);
	print_lifetime(e, "pltime", ", ", pr->pltime_s);
	print_expire(e, pr->expire_ns);
	emit_uint(e, "references", ", ref=%" PRIu64 "\n", prefix_users(pr));
	emit_text(e, pr->routers != 0 ? "  advertised by\n" : "  No advertising router\n");
	emit_list(e, "advertised-by");
	(void)nd6_prefix_router_foreach(pr, print_advertiser, l);
	emit_end(e);
	emit_end(e);
	return 0;
}

int
ndp_show_prefixes(struct verb_run *v, bool numeric)
{
	struct list_run l = { v->out, numeric };

	emit_list(v->out, "prefix");
	(void)nd6_prefix_foreach(print_prefix, &l);
	emit_end(v->out);
	return 0;
}

/* --- without routers -------------------------------------------------------------------------- */

int
ndp_default_interface(struct verb_run *v, int argc, char **argv)
{
	const bool away = argc > 0 && strcmp(argv[0], "delete") == 0;
	struct ifnet *ifp;
	int error;

	if (argc > 0) {
		ifp = away ? NULL : ndp_interface(v, argv[0]);
		if (ifp == NULL && !away)
			return 1;
		if ((error = nd6_default_interface_set(ifp)) != 0)
			return verb_error(v, 1, "%s: %s", argv[0], verb_strerror(error));
	}
	ifp = nd6_default_interface();
	if (ifp == NULL)
		emit_text(v->out, "No default interface.\n");
	else
		emit_str(v->out, "interface", "ND default interface = %s\n", ifp->if_xname);
	return 0;
}
