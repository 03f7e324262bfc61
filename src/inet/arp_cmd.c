/*
 * arp_cmd.c - the tool `arp`: see, make and delete neighbours.
 *
 *	arp [-n] [-i IF] HOST			arp [-n] [-i IF] -a
 *	arp -d [-i IF] HOST [pub]		arp -d [-i IF] -a
 *	arp -s HOST MAC [temp] [reject | blackhole] [pub [only]]	(-S: deletes what was there first)
 *	arp -f FILE				lines as behind -s
 *
 * The stack's own addresses are listed as permanent; they are no entries and can't be deleted here.
 */
#include "inet/arp_internal.h"

#include "kern/jail.h"
#include "net/ethernet.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct arp_run {
	struct verb_run *v;
	bool numeric, all, del, set, replace;
	bool published;     /* -d HOST pub: only what answers for others */
	struct ifnet *only; /* -i */
	const char *file;
	unsigned found;
};

/* --- lines --------------------------------------------------------------- */

static const char *
link_kind(const struct ifnet *ifp)
{
	if (strcmp(ifp->if_dname, "vlan") == 0 || strcmp(ifp->if_dname, "bridge") == 0)
		return ifp->if_dname;
	return "ethernet";
}

static void
line_begin(const struct arp_run *r, uint32_t addr, const char *lladdr, const struct ifnet *ifp)
{
	struct emitter *e = r->v->out;
	const char *name = r->numeric ? NULL : in_hosts_name(addr);
	char ip[16];

	emit_object(e, NULL);
	emit_text(e, "%s ", name != NULL ? name : "?");
	emit_str(e, "hostname", NULL, name != NULL ? name : "?");
	emit_str(e, "ip-address", "(%s)", in_ntoa(addr, ip));
	if (lladdr != NULL)
		emit_str(e, "mac-address", " at %s", lladdr);
	else
		emit_text(e, " at (incomplete)");
	emit_bool(e, "incomplete", lladdr == NULL);
	emit_str(e, "interface", " on %s", ifp->if_xname);
}

static void
line_end(const struct arp_run *r, const struct ifnet *ifp)
{
	emit_str(r->v->out, "type", " [%s]\n", link_kind(ifp));
	emit_end(r->v->out);
}

static void
print_own(struct arp_run *r, const struct in_ifaddr *ia)
{
	const struct ifnet *ifp = ia->ifa.ifp;
	char mac[18];

	line_begin(r, ia->addr, ether_ntoa_(ifp->if_lladdr, mac), ifp);
	emit_text(r->v->out, " permanent");
	emit_bool(r->v->out, "permanent", true);
	line_end(r, ifp);
	r->found++;
}

static void
print_entry(struct arp_run *r, const struct llentry *lle)
{
	const struct ifnet *ifp = lle->table->ifp;
	struct emitter *e = r->v->out;
	uint64_t now = clock_now();
	char mac[18];

	line_begin(r, load32(lle->addr),
	    lle->flags & LLE_VALID ? ether_ntoa_(lle->header, mac) : NULL, ifp);
	if (lle->expire_ns == 0) {
		emit_text(e, " permanent");
		emit_bool(e, "permanent", true);
	} else if (lle->expire_ns > now) {
		emit_uint(e, "expires", " expires in %" PRIu64 " seconds",
		    (lle->expire_ns - now + NS_PER_SEC - 1) / NS_PER_SEC);
	} else {
		emit_text(e, " expired");
		emit_uint(e, "expires", NULL, 0);
	}
	if (lle->flags & LLE_REJECT) {
		emit_text(e, " reject");
		emit_bool(e, "reject", true);
	}
	if (lle->flags & LLE_BLACKHOLE) {
		emit_text(e, " blackhole");
		emit_bool(e, "blackhole", true);
	}
	if (lle->flags & LLE_PUB) {
		emit_text(e, lle->flags & LLE_PROXYONLY ? " published (proxy only)" : " published");
		emit_bool(e, "published", true);
		emit_bool(e, "proxy-only", lle->flags & LLE_PROXYONLY);
	}
	line_end(r, ifp);
	r->found++;
}

/* --- walks --------------------------------------------------------------- */

/* Classic jails see their own addresses only (behaviours 46). */
static bool
visible(uint32_t addr)
{
	return prison_ip4_ok(curprison, addr);
}

/*
 * Calls own for our addresses and entry for neighbours, of all ARP interfaces or the one asked for.
 * addr 0 = all.
 */
static void
arp_walk(struct arp_run *r, uint32_t addr, void (*own)(struct arp_run *, const struct in_ifaddr *),
    void (*entry)(struct arp_run *, struct llentry *))
{
	struct llentry *lle, *next;
	struct ifaddr *ifa;
	struct ifnet *ifp;

	IF_FOREACH(ifp) {
		struct lltable *t = in_lltable(ifp);

		if (t == NULL || ifp->if_output[AF_SLOT_INET] != arp_output ||
		    (r->only != NULL && r->only != ifp))
			continue;
		TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
			if (own != NULL && ifa->family == AF_INET &&
			    visible(in_ifaddr_of(ifa)->addr) &&
			    (addr == 0 || in_ifaddr_of(ifa)->addr == addr))
				own(r, in_ifaddr_of(ifa));
		TAILQ_FOREACH_SAFE(lle, &t->entries, link, next)
			if (visible(load32(lle->addr)) && (addr == 0 || load32(lle->addr) == addr))
				entry(r, lle);
	}
}

static void
print_walked(struct arp_run *r, struct llentry *lle)
{
	print_entry(r, lle);
}

static void
delete_walked(struct arp_run *r, struct llentry *lle)
{
	if (r->published && !(lle->flags & LLE_PUB))
		return;
	r->found++;
	lla_delete(lle);
}

/* A host as typed; exit status for what is none. */
static int
host_of(struct arp_run *r, const char *word, uint32_t *addr)
{
	if (in_resolve(word, addr) && *addr != 0)
		return 0;
	return verb_error(r->v, 1, "%s: Unknown host", word);
}

static void
say_no_entry(struct arp_run *r, const char *host, uint32_t addr)
{
	struct emitter *e = r->v->out;
	char ip[16];

	emit_str(e, "hostname", "%s", host);
	emit_str(e, "ip-address", " (%s) -- no entry", in_ntoa(addr, ip));
	if (r->only != NULL)
		emit_str(e, "interface", " on %s", r->only->if_xname);
	emit_str(e, "error", NULL, "no entry");
	emit_text(e, "\n");
}

static int
arp_show(struct arp_run *r, const char *host)
{
	uint32_t addr;
	int status = host_of(r, host, &addr);

	if (status != 0)
		return status;
	emit_list(r->v->out, "arp-cache");
	arp_walk(r, addr, print_own, print_walked);
	emit_end(r->v->out);
	if (r->found > 0)
		return 0;
	say_no_entry(r, host, addr);
	return 1;
}

static int
arp_delete(struct arp_run *r, const char *host, bool quiet)
{
	uint32_t addr;
	char ip[16];
	int status = host_of(r, host, &addr);

	if (status != 0)
		return status;
	r->found = 0;
	arp_walk(r, addr, NULL, delete_walked);
	if (quiet)
		return 0;
	if (r->found == 0) {
		say_no_entry(r, host, addr);
		return 1;
	}
	emit_str(r->v->out, "hostname", "%s", host);
	emit_str(r->v->out, "ip-address", " (%s) deleted\n", in_ntoa(addr, ip));
	return 0;
}

/* --- set ----------------------------------------------------------------- */

struct arp_set {
	uint8_t mac[6];
	bool is_auto, temp, pub, only;
	uint16_t refuse; /* LLE_REJECT, LLE_BLACKHOLE */
};

/*
 * The interface on whose link host is: by its prefixes, never by host routes, so that a host behind
 * a point-to-point link can be stood for on the LAN that its address belongs to (behaviours 41).
 */
static struct ifnet *
interface_for(const struct arp_run *r, uint32_t host)
{
	struct in_ifaddr *ia;
	struct ifnet *ifp, *best = NULL;
	unsigned longest = 0;

	if (r->only != NULL)
		return r->only;
	IF_FOREACH(ifp) {
		if (in_lltable(ifp) == NULL || ifp->if_output[AF_SLOT_INET] != arp_output ||
		    (ia = in_ifaddr_for(ifp, host)) == NULL)
			continue;
		if (best == NULL || in_mask_plen(ia->mask) > longest) {
			best = ifp;
			longest = in_mask_plen(ia->mask);
		}
	}
	return best;
}

/* Words behind HOST. `where` is put before messages ("FILE:3: " or ""). 0 or an exit status. */
static int
set_parse(struct arp_run *r, const char *where, int argc, char **argv, struct arp_set *s)
{
	if (strcmp(argv[0], "auto") == 0)
		s->is_auto = true;
	else if (!ether_aton_(argv[0], s->mac) || (s->mac[0] & 1))
		return verb_error(r->v, 1, "%sinvalid link-level address '%s'", where, argv[0]);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "temp") == 0)
			s->temp = true;
		else if (strcmp(argv[i], "pub") == 0)
			s->pub = true;
		else if (strcmp(argv[i], "only") == 0 && s->pub)
			s->only = true;
		else if (strcmp(argv[i], "reject") == 0 && s->refuse == 0)
			s->refuse = LLE_REJECT;
		else if (strcmp(argv[i], "blackhole") == 0 && s->refuse == 0)
			s->refuse = LLE_BLACKHOLE;
		else
			return verb_error(r->v, 1, "%sinvalid parameter '%s'", where, argv[i]);
	}
	if (s->is_auto && !s->pub)
		return verb_error(r->v, 1, "%s'auto' needs 'pub'", where);
	return 0;
}

static int
set_one(struct arp_run *r, const char *where, int argc, char **argv)
{
	struct arp_set s = { 0 };
	struct llentry *lle;
	struct ifnet *ifp;
	uint32_t addr;
	int status;

	if (!in_resolve(argv[0], &addr) || addr == 0)
		return verb_error(r->v, 1, "%s%s: Unknown host", where, argv[0]);
	if ((status = set_parse(r, where, argc - 1, argv + 1, &s)) != 0)
		return status;
	ifp = interface_for(r, addr);
	if (ifp == NULL)
		return verb_error(
		    r->v, 1, "%scannot intuit interface index and type for %s", where, argv[0]);
	if (in_ifaddr_exact(ifp, addr) != NULL)
		return verb_error(r->v, 1, "%s%s: File exists: it is an address of %s", where,
		    argv[0], ifp->if_xname);
	if (r->replace)
		(void)arp_delete(r, argv[0], true);
	lle = lla_create(in_lltable(ifp), &addr, ETHERTYPE_IP_, false);
	if (lle == NULL)
		return verb_error(r->v, 1, "%s%s: %s", where, argv[0], verb_strerror(ENOMEM));
	lle->flags =
	    (uint16_t)((lle->flags &
			   ~(LLE_STATIC | LLE_PUB | LLE_PROXYONLY | LLE_REJECT | LLE_BLACKHOLE)) |
		s.refuse | (s.temp ? 0 : LLE_STATIC) | (s.pub ? LLE_PUB : 0) |
		(s.only ? LLE_PROXYONLY : 0));
	lle_timer(lle, 0, NULL);
	lle->expire_ns = 0;
	arp_learned(lle, s.is_auto ? ifp->if_lladdr : s.mac);
	return 0;
}

static int
set_line(void *ctx, const char *where, int argc, char **argv)
{
	struct arp_run *r = ctx;

	if (argc == 1)
		return verb_error(r->v, 1, "%sbad line: %s", where, argv[0]);
	return set_one(r, where, argc, argv);
}

/* --- the tool ------------------------------------------------------------ */

static int
arp_options(struct arp_run *r, int *ind)
{
	struct verb_opts o;
	int c;

	verb_opts_init(&o, r->v, r->v->argc, r->v->argv, "andsSf:i:");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'a':
			r->all = true;
			break;
		case 'n':
			r->numeric = true;
			break;
		case 'd':
			r->del = true;
			break;
		case 's':
			r->set = true;
			break;
		case 'S':
			r->set = r->replace = true;
			break;
		case 'f':
			r->file = o.arg;
			break;
		case 'i':
			r->only = if_byname(o.arg);
			if (r->only == NULL || in_lltable(r->only) == NULL ||
			    r->only->if_output[AF_SLOT_INET] != arp_output)
				return verb_error(
				    r->v, 1, "interface %s does not exist or does no ARP", o.arg);
			break;
		default:
			return verb_usage(r->v, NULL);
		}
	}
	*ind = o.ind;
	if (r->del + r->set + (r->file != NULL) > 1 || (r->all && (r->set || r->file != NULL)))
		return verb_usage(r->v, "these options exclude each other");
	return 0;
}

static int
arp_run(struct verb_run *v)
{
	struct arp_run r = { .v = v };
	int ind = 0, status = arp_options(&r, &ind), argc;
	char **argv = v->argv + ind;

	if (status != 0)
		return status;
	argc = v->argc - ind;
	if ((r.del || r.set || r.file != NULL) && priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	if (r.file != NULL)
		return argc != 0 ? verb_usage(v, NULL) : verb_file(v, r.file, set_line, &r);
	if (r.set)
		return argc < 2 ? verb_usage(v, NULL) : set_one(&r, "", argc, argv);
	if (r.all) {
		if (argc != 0)
			return verb_usage(v, NULL);
		if (r.del) {
			arp_walk(&r, 0, NULL, delete_walked);
			return 0;
		}
		emit_list(v->out, "arp-cache");
		arp_walk(&r, 0, print_own, print_walked);
		emit_end(v->out);
		return 0;
	}
	if (argc < 1 || argc > (r.del ? 2 : 1) || (argc == 2 && strcmp(argv[1], "pub") != 0))
		return verb_usage(v, NULL);
	r.published = argc == 2;
	return r.del ? arp_delete(&r, argv[0], false) : arp_show(&r, argv[0]);
}

VERB_DEFINE(arp, .name = "arp",
    .usage = "arp [-n] [-i interface] hostname\n"
	     "arp [-n] [-i interface] -a\n"
	     "arp -d [-i interface] hostname [pub]\n"
	     "arp -d [-i interface] -a\n"
	     "arp -s hostname ether_addr [temp] [reject | blackhole] [pub [only]]\n"
	     "arp -S hostname ether_addr [temp] [reject | blackhole] [pub [only]]\n"
	     "arp -f filename",
    .summary = "see and change the neighbours on the links", .run = arp_run,
    .flags = VERB_HAS_JAIL);
