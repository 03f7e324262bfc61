/*
 * ndp_cmd.c - the tool `ndp`: see, make and delete IPv6 neighbours.
 *
 *	ndp [-nt] HOST			ndp [-nt] -a		ndp [-nt] -A SECONDS
 *	ndp -d HOST			ndp -c			all that traffic made
 *	ndp -s HOST MAC [temp] [proxy]	ndp -f FILE		lines as behind -s
 *
 * The stack's own addresses are listed as permanent; they are no entries and can't be deleted here.
 * What concerns interfaces and routers (-i -I -p -r -H -P -R) is in ndp_lists.c.
 */
#include "inet6/ndp_internal.h"

#include "inet6/nd6_rtr.h"
#include "kern/jail.h"
#include "net/ethernet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the list. */
enum { W_ADDR = 36, W_LL = 17, W_IF = 6 };

struct ndp_run {
	struct verb_run *v;
	bool numeric, stamps;
	char mode; /* the option that says what to do; 0 = show a host */
	char *arg; /* its argument */
	uint64_t every_s;
	unsigned found;
};

const char *
ndp_time_text(uint64_t ns, char text[NDP_TIME])
{
	const uint64_t s = (ns + NS_PER_SEC - 1) / NS_PER_SEC;
	const uint64_t parts[] = { s / 86400, s / 3600 % 24, s / 60 % 60, s % 60 };
	size_t at = 0;

	for (int i = 0; i < 4; i++)
		if (at > 0 || parts[i] > 0 || i == 3)
			at += (size_t)snprintf(
			    text + at, NDP_TIME - at, "%" PRIu64 "%c", parts[i], "dhms"[i]);
	return text;
}

const char *
ndp_host_text(const struct in6 *addr, bool numeric, char text[IN6_TEXT])
{
	const struct ipaddr a = ipaddr6(addr);
	const char *name = numeric ? NULL : ip_hosts_name(&a);

	return name != NULL ? name : in6_ntoa(addr, text);
}

static bool
is_nd_interface(const struct ifnet *ifp)
{
	return in6_lltable(ifp) != NULL && ifp->if_output[AF_SLOT_INET6] == nd6_output;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void
print_head(const struct ndp_run *r)
{
	emit_text(r->v->out, "%-*s %-*s %*s %-9s %s %s\n", W_ADDR, "Neighbor", W_LL,
	    "Linklayer Address", W_IF, "Netif", "Expire", "S", "Flags");
}

/* Of the day, as the log has it. */
static void
print_stamp(const struct ndp_run *r)
{
	const uint64_t us = (clock_epoch_ns() + clock_now()) / NS_PER_US % UINT64_C(86400000000);

	if (r->stamps)
		emit_text(r->v->out, "%02u:%02u:%02u.%06u ", (unsigned)(us / 3600000000u),
		    (unsigned)(us / 60000000u % 60), (unsigned)(us / 1000000u % 60),
		    (unsigned)(us % 1000000u));
}

/* A wide column takes from those behind it. */
static int
width(const char *text, int left)
{
	const int len = (int)strlen(text);

	return len > left ? len : left;
}

static void
line_begin(
    const struct ndp_run *r, const struct in6 *addr, const uint8_t *lladdr, const struct ifnet *ifp)
{
	struct emitter *e = r->v->out;
	char text[IN6_TEXT], mac[18];
	const char *host = ndp_host_text(addr, r->numeric, text);
	const char *ll = lladdr != NULL ? ether_ntoa_(lladdr, mac) : "(incomplete)";
	const int w_addr = width(host, W_ADDR);
	const int w_ll = width(ll, W_ADDR + W_LL - w_addr);
	const int w_if = width(ifp->if_xname, W_ADDR + W_LL + W_IF - w_addr - w_ll);

	print_stamp(r);
	emit_object(e, NULL);
	emit_text(e, "%-*s %-*s %*s", w_addr, host, w_ll, ll, w_if, ifp->if_xname);
	emit_str(e, "address", NULL, in6_ntoa(addr, text));
	if (lladdr != NULL)
		emit_str(e, "mac-address", NULL, ll);
	emit_bool(e, "incomplete", lladdr == NULL);
	emit_str(e, "interface", NULL, ifp->if_xname);
}

static void
line_end(const struct ndp_run *r, const char *state, bool router, bool proxy, unsigned probes)
{
	struct emitter *e = r->v->out;
	const char letter[2] = { (char)(state[0] - 'a' + 'A'), '\0' };

	emit_text(e, " %s %s%s", letter, router ? "R" : "", proxy ? "p" : "");
	emit_str(e, "state", NULL, state);
	emit_bool(e, "router", router);
	emit_bool(e, "proxy", proxy);
	emit_uint(e, "probes", probes != 0 ? " %" PRIu64 : NULL, probes);
	emit_text(e, "\n");
	emit_end(e);
}

static void
print_own(struct ndp_run *r, const struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ifa.ifp;

	line_begin(r, &ia->addr, ifp->if_lladdr, ifp);
	emit_text(r->v->out, " %-9s", "permanent");
	emit_bool(r->v->out, "permanent", true);
	line_end(r, "reachable", false, false, 0);
	r->found++;
}

static void
print_expiry(const struct ndp_run *r, const struct llentry *lle)
{
	struct emitter *e = r->v->out;
	const uint64_t now = clock_now();
	char text[NDP_TIME];

	if (lle->expire_ns > now) {
		emit_text(e, " %-9.9s", ndp_time_text(lle->expire_ns - now, text));
		emit_uint(e, "expires", NULL, (lle->expire_ns - now + NS_PER_SEC - 1) / NS_PER_SEC);
	} else if (lle->expire_ns == 0 && (lle->flags & LLE_STATIC)) {
		emit_text(e, " %-9s", "permanent");
		emit_bool(e, "permanent", true);
	} else {
		emit_text(e, " %-9s", "expired");
		emit_uint(e, "expires", NULL, 0);
	}
}

static void
print_entry(struct ndp_run *r, struct llentry *lle)
{
	struct in6 addr;

	memcpy(&addr, lle->addr, sizeof(addr));
	line_begin(r, &addr, lle->flags & LLE_VALID ? lle->header : NULL, lle->table->ifp);
	print_expiry(r, lle);
	line_end(
	    r, lle->table->state_text(lle), nd6_is_router(lle), lle->flags & LLE_PUB, lle->asked);
	r->found++;
}

/* --- walks ------------------------------------------------------------------------------------ */

/* Classic jails see their own addresses only (behaviours 46). */
static bool
is_visible(const uint8_t addr[16])
{
	return prison_ip6_ok(curprison, addr);
}

/* wanted NULL = all; one of link scope without a zone is meant on any link. */
static bool
is_wanted(const struct in6 *wanted, const uint8_t addr[16])
{
	struct in6 a;

	if (!is_visible(addr))
		return false;
	if (wanted == NULL)
		return true;
	memcpy(&a, addr, sizeof(a));
	if (in6_zone(wanted) == 0)
		in6_clear(&a);
	return in6_equal(wanted, &a);
}

/* Calls own for our addresses and entry for neighbours, of all interfaces with ND. */
static void
ndp_walk(struct ndp_run *r, const struct in6 *wanted,
    void (*own)(struct ndp_run *, const struct in6_ifaddr *),
    void (*entry)(struct ndp_run *, struct llentry *))
{
	struct llentry *lle, *next;
	struct in6_ifaddr *ia;
	struct ifnet *ifp;

	IF_FOREACH(ifp) {
		if (!is_nd_interface(ifp))
			continue;
		for (ia = in6_ifaddr_first(ifp); ia != NULL && own != NULL;
		     ia = in6_ifaddr_next(ifp, ia))
			if (is_wanted(wanted, ia->addr.b))
				own(r, ia);
		TAILQ_FOREACH_SAFE(lle, &in6_lltable(ifp)->entries, link, next)
			if (is_wanted(wanted, lle->addr))
				entry(r, lle);
	}
}

static void
print_list(struct ndp_run *r, const struct in6 *wanted)
{
	if (!r->stamps)
		print_head(r);
	emit_list(r->v->out, "neighbor-cache");
	ndp_walk(r, wanted, print_own, print_entry);
	emit_end(r->v->out);
}

/* A host as typed; exit status for what is none. */
static int
host_of(struct verb_run *v, const char *where, const char *word, struct in6 *addr)
{
	struct ipaddr a;

	if (!ipaddr_resolve(word, AF_INET6, &a) || ipaddr_is_any(&a) || ipaddr_is_multicast(&a))
		return verb_error(v, 1, "%s%s: Unknown host", where, word);
	*addr = *ipaddr_in6(&a);
	return 0;
}

static void
say(const struct ndp_run *r, const char *host, const struct in6 *addr, const char *what)
{
	struct emitter *e = r->v->out;
	char text[IN6_TEXT];

	emit_str(e, "hostname", "%s", host);
	emit_str(e, "address", " (%s)", in6_ntoa(addr, text));
	emit_text(e, " %s\n", what);
}

static void
count_own(struct ndp_run *r, const struct in6_ifaddr *ia)
{
	(void)ia;
	r->found++;
}

static void
count_entry(struct ndp_run *r, struct llentry *lle)
{
	(void)lle;
	r->found++;
}

static int
ndp_show(struct ndp_run *r, const char *host)
{
	struct in6 addr;
	int status = host_of(r->v, "", host, &addr);

	if (status != 0)
		return status;
	ndp_walk(r, &addr, count_own, count_entry);
	if (r->found == 0) {
		say(r, host, &addr, "-- no entry");
		return 1;
	}
	print_list(r, &addr);
	return 0;
}

static void
delete_walked(struct ndp_run *r, struct llentry *lle)
{
	r->found++;
	nd6_proxy_end(lle);
	lla_delete(lle);
}

static int
ndp_delete(struct ndp_run *r, const char *host)
{
	struct in6 addr;
	int status = host_of(r->v, "", host, &addr);

	if (status != 0)
		return status;
	ndp_walk(r, &addr, NULL, delete_walked);
	say(r, host, &addr, r->found > 0 ? "deleted" : "-- no entry");
	return r->found > 0 ? 0 : 1;
}

static void
clear_walked(struct ndp_run *r, struct llentry *lle)
{
	struct emitter *e = r->v->out;
	char text[IN6_TEXT], host[IN6_TEXT];
	struct in6 addr;

	if (lle->flags & LLE_STATIC)
		return;
	memcpy(&addr, lle->addr, sizeof(addr));
	emit_object(e, NULL);
	emit_str(e, "hostname", "%s", ndp_host_text(&addr, r->numeric, host));
	emit_str(e, "address", " (%s) deleted\n", in6_ntoa(&addr, text));
	emit_end(e);
	lla_delete(lle);
}

static int
ndp_clear(struct ndp_run *r)
{
	emit_list(r->v->out, "deleted");
	ndp_walk(r, NULL, NULL, clear_walked);
	emit_end(r->v->out);
	return 0;
}

/* --- set -------------------------------------------------------------------------------------- */

/* As in BSD. */
static const uint64_t temp_life_ns = 20 * 60 * NS_PER_SEC;

struct ndp_set {
	struct in6 addr;
	uint8_t mac[6];
	bool temp, proxy;
};

/*
 * HOST MAC [temp] [proxy]. `where` is put before messages ("FILE:3: " or ""). 0 or an exit status.
 */
static int
set_parse(struct verb_run *v, const char *where, int argc, char **argv, struct ndp_set *s)
{
	int status = host_of(v, where, argv[0], &s->addr);

	if (status != 0)
		return status;
	if (!ether_aton_(argv[1], s->mac) || (s->mac[0] & 1))
		return verb_error(v, 1, "%sinvalid link-level address '%s'", where, argv[1]);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "temp") == 0)
			s->temp = true;
		else if (strcmp(argv[i], "proxy") == 0)
			s->proxy = true;
		else
			return verb_error(v, 1, "%sinvalid parameter '%s'", where, argv[i]);
	}
	return 0;
}

/*
 * The interface on whose link the address is: by its zone, else by the prefixes of our addresses,
 * never by host routes, so that a host behind a point-to-point link can be stood for on the LAN
 * that its address belongs to (behaviours 41).
 */
static struct ifnet *
interface_for(const struct in6 *addr)
{
	struct ifnet *ifp, *best = NULL;
	const struct in6_ifaddr *ia;
	int longest = -1;

	if (in6_is_scoped(addr)) {
		ifp = if_byindex(in6_zone(addr));
		return ifp != NULL && is_nd_interface(ifp) ? ifp : NULL;
	}
	IF_FOREACH(ifp) {
		if (!is_nd_interface(ifp))
			continue;
		for (ia = in6_ifaddr_first(ifp); ia != NULL; ia = in6_ifaddr_next(ifp, ia))
			if (!ia->no_prefix_route && ia->plen > longest &&
			    in6_match(&ia->addr, addr, ia->plen)) {
				longest = ia->plen;
				best = ifp;
			}
	}
	return best;
}

/* The entry as it is to be: static, published or not. 0 or -errno. */
static int
set_entry(struct ifnet *ifp, const struct ndp_set *s)
{
	struct llentry *lle = lla_create(in6_lltable(ifp), &s->addr, ETHERTYPE_IPV6_, false);
	int error = 0;

	if (lle == NULL)
		return -ENOMEM;
	if (!s->proxy)
		nd6_proxy_end(lle);
	else
		error = nd6_proxy_start(lle);
	if (error != 0) {
		lla_delete(lle);
		return error;
	}
	lle->flags = (uint16_t)((lle->flags & ~(LLE_PUB | LLE_ROUTER)) | (s->proxy ? LLE_PUB : 0));
	nd6_set_static(lle, s->mac, s->temp ? temp_life_ns : 0);
	return 0;
}

static int
set_one(void *ctx, const char *where, int argc, char **argv)
{
	struct verb_run *v = ctx;
	struct ndp_set s = { 0 };
	struct ifnet *ifp;
	int error, status;

	if (argc < 2)
		return verb_error(v, 1, "%sbad line: %s", where, argv[0]);
	if ((status = set_parse(v, where, argc, argv, &s)) != 0)
		return status;
	ifp = interface_for(&s.addr);
	if (ifp == NULL)
		return verb_error(
		    v, 1, "%scannot intuit interface index and type for %s", where, argv[0]);
	if (in6_ifaddr_exact(ifp, &s.addr) != NULL)
		return verb_error(v, 1, "%s%s: File exists: it is an address of %s", where, argv[0],
		    ifp->if_xname);
	if ((error = set_entry(ifp, &s)) != 0)
		return verb_error(v, 1, "%s%s: %s", where, argv[0], verb_strerror(error));
	return 0;
}

/* --- again and again -------------------------------------------------------------------------- */

struct watch {
	struct ndp_run r;
	struct callout tick;
};

static void
watch_tick(void *arg)
{
	struct watch *w = arg;

	print_list(&w->r, NULL);
	emit_text(w->r.v->out, "\n");
	emit_flush(w->r.v->out);
	callout_reset(&w->tick, w->r.every_s * NS_PER_SEC);
}

static void
watch_cancel(struct verb_run *v)
{
	struct watch *w = v->state;

	callout_stop(&w->tick);
	free(w);
	v->state = NULL;
	verb_finish(v, 130);
}

static int
watch_start(const struct ndp_run *r)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return verb_error(r->v, EXIT_OSERR_, "%s", verb_strerror(ENOMEM));
	w->r = *r;
	r->v->state = w;
	r->v->cancel = watch_cancel;
	callout_init(&w->tick, r->v->vnet, watch_tick, w);
	watch_tick(w);
	return VERB_PENDING;
}

/* --- the tool --------------------------------------------------------------------------------- */

/*
 * Options that say what to do exclude each other. Behind -i IF come flags, "-nud" too, with or
 * without "--" before them.
 */
static int
ndp_options(struct ndp_run *r, int *ind)
{
	struct verb_opts o;
	int c;

	verb_opts_init(&o, r->v, r->v->argc, r->v->argv, "acd:f:Ii:nprstA:HPR");
	while (r->mode != 'i' && (c = verb_opts_next(&o)) != -1) {
		if (c == 'n')
			r->numeric = true;
		else if (c == 't')
			r->stamps = true;
		else if (c == '?' || r->mode != 0)
			return verb_usage(
			    r->v, c == '?' ? NULL : "these options exclude each other");
		else
			r->mode = (char)c, r->arg = o.arg;
	}
	if (r->mode == 'A' && !verb_number(r->arg, 1, 86400 * 365, &r->every_s))
		return verb_error(r->v, 1, "illegal repeat time '%s'", r->arg);
	*ind = o.ind;
	if (r->mode == 'i' && o.ind < r->v->argc && strcmp(r->v->argv[o.ind], "--") == 0)
		(*ind)++;
	return 0;
}

/* What needs no words behind the options. */
static int
ndp_do(struct ndp_run *r)
{
	switch (r->mode) {
	case 'a':
		print_list(r, NULL);
		return 0;
	case 'A':
		return watch_start(r);
	case 'c':
		return ndp_clear(r);
	case 'd':
		return ndp_delete(r, r->arg);
	case 'f':
		return verb_file(r->v, r->arg, set_one, r->v);
	case 'p':
		return ndp_show_prefixes(r->v, r->numeric);
	case 'r':
		return ndp_show_routers(r->v, r->numeric);
	case 'P':
		nd6_prefixes_flush(NULL);
		return 0;
	case 'R':
		nd6_routers_flush(NULL);
		return 0;
	default: /* H */
		nd6_routes_choose();
		return 0;
	}
}

static bool
changes_something(const struct ndp_run *r, int argc)
{
	return (r->mode != 0 && strchr("cdfsHPR", r->mode) != NULL) ||
	    (argc > 0 && (r->mode == 'i' || r->mode == 'I'));
}

static int
ndp_run(struct verb_run *v)
{
	struct ndp_run r = { .v = v };
	int ind = 0, status = ndp_options(&r, &ind), argc;
	char **argv = v->argv + ind;

	if (status != 0)
		return status;
	argc = v->argc - ind;
	if (changes_something(&r, argc) && priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	switch (r.mode) {
	case 0:
		return argc != 1 ? verb_usage(v, NULL) : ndp_show(&r, argv[0]);
	case 's':
		return argc < 2 || argc > 4 ? verb_usage(v, NULL) : set_one(v, "", argc, argv);
	case 'i':
		return ndp_show_interface(v, r.arg, argc, argv);
	case 'I':
		return argc > 1 ? verb_usage(v, NULL) : ndp_default_interface(v, argc, argv);
	default:
		return argc != 0 ? verb_usage(v, NULL) : ndp_do(&r);
	}
}

VERB_DEFINE(ndp, .name = "ndp",
    .usage = "ndp [-nt] hostname\n"
	     "ndp [-nt] -a | -c | -p | -r | -H | -P | -R\n"
	     "ndp [-nt] -A wait\n"
	     "ndp -d hostname\n"
	     "ndp -f filename\n"
	     "ndp -I [interface | delete]\n"
	     "ndp -i interface [[-]flag | name=value ...]\n"
	     "ndp -s nodename ether_addr [temp] [proxy]",
    .summary = "see and change the IPv6 neighbours, and what routers said", .run = ndp_run,
    .flags = VERB_HAS_JAIL);
