/*
 * in6_ifconfig.c - the family "inet6" of ifconfig, and an address's lines there and in netstat -i.
 *
 *	ifconfig IF [inet6] A[/len] [prefixlen N] [D] [alias | add | -alias | delete | remove]
 *		[anycast] [tentative] [deprecated] [autoconf] [no_dad] [prefer_source] [eui64]
 *		[pltime S | infty] [vltime S | infty]
 *	ifconfig IF inet6 accept_rtadv | nud | ifdisabled | auto_linklocal | no_radr | no_dad |
 *		prefer_source	(or with - before it)
 *
 * An address is added beside those that are there, as BSD does; one that is there becomes what the
 * words say. The words behind the family are read to their end before the first acts. `up` may
 * stand among them: scripts write `inet6 A/64 up no_dad`.
 */
#include "inet6/in6_internal.h"

#include "net/ifconfig.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- what is printed ------------------------------------------------------ */

static const struct {
	uint32_t flag;
	const char *name;
} state_names[] = {
	{ IN6_IFF_ANYCAST, "anycast" },
	{ IN6_IFF_TENTATIVE, "tentative" },
	{ IN6_IFF_DUPLICATED, "duplicated" },
	{ IN6_IFF_DETACHED, "detached" },
	{ IN6_IFF_DEPRECATED, "deprecated" },
	{ IN6_IFF_AUTOCONF, "autoconf" },
	{ IN6_IFF_TEMPORARY, "temporary" },
	{ IN6_IFF_PREFER_SOURCE, "prefer_source" },
};

/* Seconds left, or "infty". */
static void
emit_lifetime(struct emitter *e, const char *key, const char *text, uint64_t until_ns)
{
	uint64_t now = clock_now();

	if (until_ns == NS_NEVER) {
		emit_text(e, " %s infty", key);
		return;
	}
	emit_uint(e, key, text, until_ns > now ? (until_ns - now) / NS_PER_SEC : 0);
}

void
in6_ifaddr_ifconfig(struct emitter *e, const struct ifaddr *ifa)
{
	const struct in6_ifaddr *ia = (const struct in6_ifaddr *)(const void *)ifa;
	char text[IN6_TEXT];

	emit_str(e, "family", NULL, "inet6");
	emit_str(e, "address", "\tinet6 %s", in6_ntoa(&ia->addr, text));
	if (!in6_is_any(&ia->dst))
		emit_str(e, "destination", " --> %s", in6_ntoa(&ia->dst, text));
	emit_uint(e, "prefixlen", " prefixlen %" PRIu64, ia->plen);
	emit_list(e, "flags");
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
		if (ia->flags & state_names[i].flag)
			emit_str(e, "", " %s", state_names[i].name);
	emit_end(e);
	if (in6_zone(&ia->addr) != 0)
		emit_uint(e, "scopeid", " scopeid 0x%" PRIx64, in6_zone(&ia->addr));
	if (ia->expire_ns != NS_NEVER || ia->deprecate_ns != NS_NEVER) {
		emit_lifetime(e, "pltime", " pltime %" PRIu64, ia->deprecate_ns);
		emit_lifetime(e, "vltime", " vltime %" PRIu64, ia->expire_ns);
	}
	emit_text(e, "\n");
}

void
in6_ifaddr_netstat(const struct ifaddr *ifa, char *network, size_t nlen, char *address, size_t alen)
{
	const struct in6_ifaddr *ia = (const struct in6_ifaddr *)(const void *)ifa;
	struct in6 net = in6_mask(&ia->addr, ia->plen);
	char text[IN6_TEXT];

	snprintf(network, nlen, "%s/%u", in6_ntoa(&net, text), ia->plen);
	snprintf(address, alen, "%s", in6_ntoa(&ia->addr, text));
}

/* By bit, from 0: enum nd6_iff. */
static const char *const option_names[] = { "PERFORMNUD", "ACCEPT_RTADV", "PREFER_SOURCE",
	"IFDISABLED", NULL, "AUTO_LINKLOCAL", "NO_RADR", NULL, "NO_DAD" };

static void
in6_status(const struct ifnet *ifp, struct emitter *e)
{
	const struct in6_if *i = in6_if_of(ifp);

	if (i == NULL || i->nd.flags == 0)
		return;
	emit_text(e, "\tnd6 options=");
	emit_uint(e, "nd6-flags", NULL, i->nd.flags);
	ifconfig_print_bits(e, "nd6-options", i->nd.flags, option_names,
	    sizeof(option_names) / sizeof(option_names[0]));
	emit_text(e, "\n");
}

/* --- words ---------------------------------------------------------------- */

enum { PLEN_DEFAULT = 64 };

struct in6_words {
	struct in6_addr_request rq;
	bool has_address, has_plen, is_delete, eui64, up;
	/* words that are of the address if there is one, else of the interface */
	uint32_t nd_set, nd_clear;
};

/* A word that sets a flag, or clears it with a - before it. */
static const struct flag_word {
	const char *word;
	uint32_t address; /* enum in6_iff, if an address stands before it */
	uint32_t nd;      /* enum nd6_iff, if none does */
} flag_words[] = {
	{ "anycast", IN6_IFF_ANYCAST, 0 },
	{ "tentative", IN6_IFF_TENTATIVE, 0 },
	{ "deprecated", IN6_IFF_DEPRECATED, 0 },
	{ "autoconf", IN6_IFF_AUTOCONF, 0 },
	{ "no_dad", IN6_IFF_NODAD, ND6_IFF_NO_DAD },
	{ "prefer_source", IN6_IFF_PREFER_SOURCE, ND6_IFF_PREFER_SOURCE },
	{ "accept_rtadv", 0, ND6_IFF_ACCEPT_RTADV },
	{ "nud", 0, ND6_IFF_PERFORMNUD },
	{ "ifdisabled", 0, ND6_IFF_IFDISABLED },
	{ "auto_linklocal", 0, ND6_IFF_AUTO_LINKLOCAL },
	{ "no_radr", 0, ND6_IFF_NO_RADR },
};

static const struct {
	const char *word;
	bool is_delete;
} op_words[] = {
	{ "alias", false },
	{ "add", false },
	{ "-alias", true },
	{ "delete", true },
	{ "remove", true },
};

/* "A", "A/len"; names of the hosts table where the family was said. */
static bool
parse_address(const char *word, bool names, struct in6_words *w)
{
	char text[80], *slash;
	struct ipaddr a;
	uint64_t n;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return false;
	if ((slash = strchr(text, '/')) != NULL) {
		*slash = '\0';
		if (!verb_number(slash + 1, 0, 128, &n))
			return false;
		w->rq.plen = (unsigned)n;
		w->has_plen = true;
	}
	if (!(names ? ipaddr_resolve : ipaddr_aton)(text, AF_INET6, &a))
		return false;
	w->rq.addr = *ipaddr_in6(&a);
	return true;
}

static bool
in6_is_address(const char *word)
{
	struct in6_words w = { .has_plen = false };

	return parse_address(word, false, &w);
}

static bool
parse_lifetime(const char *word, uint32_t *lifetime_s)
{
	uint64_t n;

	if (strcmp(word, "infty") == 0 || strcmp(word, "infinity") == 0) {
		*lifetime_s = (uint32_t)ND6_INFINITE_LIFETIME;
		return true;
	}
	if (!verb_number(word, 0, UINT32_MAX - 1, &n))
		return false;
	*lifetime_s = (uint32_t)n;
	return true;
}

/* One word that stands alone. False: not ours. */
static bool
parse_flag(const char *word, struct in6_words *w)
{
	bool off = word[0] == '-';

	for (size_t i = 0; i < sizeof(op_words) / sizeof(op_words[0]); i++)
		if (strcmp(word, op_words[i].word) == 0) {
			w->is_delete = op_words[i].is_delete;
			return true;
		}
	if (strcmp(word, "eui64") == 0)
		return w->eui64 = true;
	if (strcmp(word, "up") == 0)
		return w->up = true;
	for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
		const struct flag_word *f = &flag_words[i];

		if (strcmp(word + off, f->word) != 0)
			continue;
		if (w->has_address && f->address != 0) {
			w->rq.flags = off ? w->rq.flags & ~f->address : w->rq.flags | f->address;
			return true;
		}
		if (f->nd == 0)
			return false;
		w->nd_set = off ? w->nd_set & ~f->nd : w->nd_set | f->nd;
		w->nd_clear = off ? w->nd_clear | f->nd : w->nd_clear & ~f->nd;
		return true;
	}
	return false;
}

/* A word with a value; *at moves behind both. 0, an exit status, or -1: not ours. */
static int
parse_value(struct verb_run *v, int argc, char **argv, int *at, struct in6_words *w)
{
	const char *word = argv[*at], *value = *at + 1 < argc ? argv[*at + 1] : NULL;
	bool is_plen = strcmp(word, "prefixlen") == 0, is_vltime = strcmp(word, "vltime") == 0;
	uint64_t n = 0;
	bool ok;

	if (!is_plen && !is_vltime && strcmp(word, "pltime") != 0)
		return -1;
	if (value == NULL)
		return verb_error(v, 1, "'%s' requires argument", word);
	if (is_plen)
		ok = verb_number(value, 0, 128, &n);
	else
		ok = parse_lifetime(value, is_vltime ? &w->rq.vltime_s : &w->rq.pltime_s);
	if (!ok)
		return verb_error(v, 1, "%s %s: bad value", word, value);
	if (is_plen)
		w->rq.plen = (unsigned)n;
	w->has_plen |= is_plen;
	*at += 2;
	return 0;
}

/* The address, and the peer behind it. Exit status. */
static int
parse_addresses(struct verb_run *v, const struct ifnet *ifp, int argc, char **argv, int *at,
    struct in6_words *w)
{
	struct ipaddr peer;

	if (!parse_address(argv[*at], true, w))
		return 0;
	w->has_address = true;
	*at += 1;
	if (*at >= argc || !ipaddr_resolve(argv[*at], AF_INET6, &peer))
		return 0;
	if (!(ifp->if_flags & IFF_POINTOPOINT_))
		return verb_error(v, 1, "%s: %s: Invalid argument: the interface has no other end",
		    ifp->if_xname, argv[*at]);
	w->rq.dst = *ipaddr_in6(&peer);
	*at += 1;
	return 0;
}

static int
parse_words(struct verb_run *v, const struct ifnet *ifp, int argc, char **argv, int *used,
    struct in6_words *w)
{
	int status = parse_addresses(v, ifp, argc, argv, used, w);

	while (status == 0 && *used < argc) {
		if (parse_flag(argv[*used], w)) {
			*used += 1;
			continue;
		}
		status = parse_value(v, argc, argv, used, w);
		if (status == -1)
			break;
	}
	if (status > 0)
		return status;
	if (*used == 0)
		return verb_error(v, 1, "%s: bad value", argv[0]);
	if (!w->has_address && !w->up && w->nd_set == 0 && w->nd_clear == 0)
		return verb_error(v, 1, "'%s' requires argument", argv[*used - 1]);
	return 0;
}

/* --- what the words do ---------------------------------------------------- */

/* The interface's identifier, as its link-local address has it, behind the prefix. */
static int
apply_eui64(struct verb_run *v, const struct ifnet *ifp, struct in6_words *w)
{
	const struct in6_ifaddr *ll = in6_linklocal(ifp);

	if (load64(w->rq.addr.b + 8) != 0 || w->rq.plen > 64)
		return verb_error(v, 1, "eui64: the lower 64 bits of the address are in use");
	if (ll != NULL)
		memcpy(w->rq.addr.b + 8, ll->addr.b + 8, 8);
	else if (ifp->if_addrlen == 6)
		in6_eui64(&w->rq.addr, ifp->if_lladdr);
	else
		return verb_error(v, 1, "eui64: %s has no interface identifier", ifp->if_xname);
	return 0;
}

/* What was not said: the prefix length of the address that is there, of a peer, or 64. */
static unsigned
default_plen(const struct ifnet *ifp, const struct in6_addr_request *rq)
{
	struct in6 addr = rq->addr;
	const struct in6_ifaddr *ia;

	if (in6_zone(&addr) == 0)
		in6_embed(&addr, ifp->if_index);
	ia = in6_ifaddr_exact(ifp, &addr);
	if (ia != NULL)
		return ia->plen;
	return in6_is_any(&rq->dst) ? PLEN_DEFAULT : 128;
}

static int
change_address(struct verb_run *v, struct ifnet *ifp, struct in6_words *w)
{
	char text[IN6_TEXT];
	int error;

	if (!w->has_plen)
		w->rq.plen = default_plen(ifp, &w->rq);
	if (w->eui64 && apply_eui64(v, ifp, w) != 0)
		return 1;
	error = w->is_delete ? in6_addr_delete(ifp, &w->rq.addr) : in6_addr_add(ifp, &w->rq);
	if (error == 0)
		return 0;
	return verb_error(v, 1, "%s: inet6 %s: ioctl (%s): %s", ifp->if_xname,
	    in6_ntoa(&w->rq.addr, text), w->is_delete ? "SIOCDIFADDR_IN6" : "SIOCAIFADDR_IN6",
	    verb_strerror(error));
}

static int
in6_address(struct verb_run *v, struct ifnet *ifp, int argc, char **argv, int *used)
{
	struct in6_words w = {
		.rq = { .vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		    .pltime_s = (uint32_t)ND6_INFINITE_LIFETIME },
	};
	int error, status;

	*used = 0;
	if (argc == 0)
		return 0;
	status = parse_words(v, ifp, argc, argv, used, &w);
	if (status != 0)
		return status;
	if (ifp->if_afstate[AF_SLOT_INET6] != AF_READY)
		return verb_error(
		    v, 1, "%s: inet6: %s", ifp->if_xname, verb_strerror(EAFNOSUPPORT));
	if (w.has_address && change_address(v, ifp, &w) != 0)
		return 1;
	in6_flags_set(ifp, (in6_if_of(ifp)->nd.flags & ~w.nd_clear) | w.nd_set);
	error = w.up ? if_up(ifp) : 0;
	if (error != 0)
		return verb_error(v, 1, "ioctl (SIOCSIFFLAGS): %s", verb_strerror(error));
	return 0;
}

static uint32_t
in6_flags(const struct ifnet *ifp)
{
	const struct in6_if *i = in6_if_of(ifp);

	return i == NULL ? 0 : i->nd.flags;
}

IFCONFIG_FAMILY_DEFINE(inet6, .name = "inet6", .af = AF_INET6, .address = in6_address,
    .is_address = in6_is_address, .status = in6_status, .flags = in6_flags,
    .set_flags = in6_flags_set);
