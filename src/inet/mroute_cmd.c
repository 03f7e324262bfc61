/*
 * mroute_cmd.c - the tool mroute: multicast forwarding by hand, and what it asks for.
 *
 *	mroute add SOURCE|* GROUP from IF to IF[,IF]… [ttl N]	an entry; interfaces become vifs
 *	mroute delete SOURCE|* GROUP
 *	mroute vif IF [threshold N | off] [inet|inet6]
 *	mroute register RP|none [source ADDRESS] [inet|inet6]
 *	mroute show [inet|inet6]
 *	mroute flush [all] [inet|inet6]				entries; with all also vifs
 *	mroute monitor						upcalls, until ^C
 *
 * Where no family is named, both are meant.
 */
#include "inet/mroute.h"

#include "kern/eventhandler.h"
#include "kern/jail.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const int families[] = { AF_INET, AF_INET6 };
enum { FAMILIES = 2 };

/* "inet", "inet6"; AF_UNSPEC if it is neither. */
static int
family_word(const char *word)
{
	if (strcmp(word, "inet") == 0)
		return AF_INET;
	return strcmp(word, "inet6") == 0 ? AF_INET6 : AF_UNSPEC;
}

/* The last of the words from `at` on may be a family. False: there are others. */
static bool
only_family(const struct verb_run *v, int at, int *family)
{
	*family = AF_UNSPEC;
	if (v->argc == at)
		return true;
	*family = family_word(v->argv[at]);
	return v->argc == at + 1 && *family != AF_UNSPEC;
}

static bool
is_meant(int family, int asked)
{
	return asked == AF_UNSPEC || asked == family;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* SOURCE GROUP. Exit status. */
static int
parse_pair(struct verb_run *v, struct ipaddr *source, struct ipaddr *group)
{
	const char *cmd = v->argv[1];

	if (v->argc < 4)
		return verb_usage(v, "a source and a group are needed");
	if (!ipaddr_resolve(v->argv[3], AF_UNSPEC, group) || !ipaddr_is_multicast(group))
		return verb_error(v, EXIT_USAGE_, "%s: %s: not a group's address", cmd, v->argv[3]);
	*source = (struct ipaddr){ .family = group->family };
	if (strcmp(v->argv[2], "*") != 0 &&
	    (!ipaddr_resolve(v->argv[2], group->family, source) || ipaddr_is_multicast(source)))
		return verb_error(v, EXIT_USAGE_, "%s: %s: not a source's address for %s", cmd,
		    v->argv[2], v->argv[3]);
	return 0;
}

/* What the words of `add` name. */
struct add {
	struct verb_run *v;
	struct ipaddr source, group;
	struct ifnet *in, *out[MROUTE_VIFS];
	unsigned nout;
	uint8_t ttl;
};

static struct ifnet *
find_if(struct verb_run *v, const char *name)
{
	struct ifnet *ifp = if_byname(name);

	if (ifp == NULL)
		(void)verb_error(v, 1, "%s: interface %s does not exist", v->argv[1], name);
	return ifp;
}

/* "em1,em2". Exit status. */
static int
parse_out(struct add *a, const char *word)
{
	char *copy = strdup(word), *rest = copy, *one;
	int status = 0;

	if (copy == NULL)
		return verb_error(a->v, EXIT_OSERR_, "not enough memory");
	while (status == 0 && (one = strsep(&rest, ",")) != NULL) {
		if (a->nout == MROUTE_VIFS)
			status = verb_error(
			    a->v, 1, "add: %s: more than %d interfaces", word, MROUTE_VIFS);
		else if ((a->out[a->nout++] = find_if(a->v, one)) == NULL)
			status = 1;
	}
	free(copy);
	return status;
}

static int
parse_add_word(struct add *a, const char *key, const char *value)
{
	uint64_t number;

	if (strcmp(key, "from") == 0)
		return (a->in = find_if(a->v, value)) != NULL ? 0 : 1;
	if (strcmp(key, "to") == 0)
		return parse_out(a, value);
	if (strcmp(key, "ttl") != 0)
		return verb_error(a->v, EXIT_USAGE_, "add: %s: unknown word", key);
	if (!verb_number(value, 1, 255, &number))
		return verb_error(a->v, EXIT_USAGE_, "add: %s: not a threshold, 1 to 255", value);
	a->ttl = (uint8_t)number;
	return 0;
}

static int
parse_add(struct add *a)
{
	struct verb_run *v = a->v;
	int status = parse_pair(v, &a->source, &a->group);

	for (int at = 4; at < v->argc && status == 0; at += 2) {
		if (at + 1 == v->argc)
			return verb_error(
			    v, EXIT_USAGE_, "add: %s: a value is missing", v->argv[at]);
		status = parse_add_word(a, v->argv[at], v->argv[at + 1]);
	}
	if (status == 0 && a->in == NULL)
		return verb_usage(v, "add: from which interface?");
	for (unsigned i = 0; i < a->nout && status == 0; i++)
		if (a->out[i] == a->in)
			return verb_error(v, EXIT_USAGE_,
			    "add: %s: packets can't go on where they come from", a->in->if_xname);
	return status;
}

static const char *
vif_error(int error)
{
	switch (error) {
	case -EINVAL:
		return "a loopback interface";
	case -EOPNOTSUPP:
		return "the interface does no multicast";
	case -ENOSPC:
		return "there are 64 vifs already";
	default:
		return verb_strerror(error);
	}
}

/* Vifs that a command has made: if it fails, they go. */
struct made {
	struct vif_key {
		int family;
		struct ifnet *ifp;
	} vif[MROUTE_VIFS + 1];
	unsigned n;
};

static void
made_undo(const struct made *made)
{
	for (unsigned i = 0; i < made->n; i++)
		(void)mroute_vif_delete(made->vif[i].family, made->vif[i].ifp);
}

/* The interface's vif in the family, made if need be; negative: an error has been said. */
static int
vif_for(struct verb_run *v, int family, struct ifnet *ifp, uint8_t threshold, struct made *made)
{
	bool is_new = mroute_vif_of(family, ifp) < 0;
	int vif = mroute_vif_add(family, ifp, threshold);

	if (vif < 0)
		(void)verb_error(v, 1, "%s: %s: %s", v->argv[1], ifp->if_xname, vif_error(vif));
	else if (is_new)
		made->vif[made->n++] = (struct vif_key){ family, ifp };
	return vif;
}

static int
add_failed(struct verb_run *v, int error)
{
	const char *why = verb_strerror(error);

	if (error == -EINVAL)
		why = "it is never forwarded: a group of the link, or no source";
	else if (error == -ENOBUFS)
		why = "the forwarding cache is full (mroute.maxentries)";
	return verb_error(v, 1, "add: %s %s: %s", v->argv[2], v->argv[3], why);
}

static int
add_entry(const struct add *a, struct made *made)
{
	struct mroute_route r = { .source = a->source, .group = a->group };
	const int family = a->group.family;
	int vif, error;

	if ((vif = vif_for(a->v, family, a->in, 0, made)) < 0)
		return 1;
	r.in = (unsigned)vif;
	for (unsigned i = 0; i < a->nout; i++) {
		if ((vif = vif_for(a->v, family, a->out[i], 0, made)) < 0)
			return 1;
		r.out |= UINT64_C(1) << vif;
		r.ttl[vif] = a->ttl;
	}
	error = mroute_add(&r);
	return error == 0 ? 0 : add_failed(a->v, error);
}

static int
run_add(struct verb_run *v)
{
	struct add a = { .v = v };
	struct made made = { .n = 0 };
	int status = parse_add(&a);

	if (status == 0 && (status = add_entry(&a, &made)) != 0)
		made_undo(&made);
	return status;
}

static int
run_delete(struct verb_run *v)
{
	struct ipaddr source, group;
	int status = parse_pair(v, &source, &group);

	if (status != 0)
		return status;
	if (v->argc > 4)
		return verb_usage(v, "delete: too many words");
	if (mroute_delete(&source, &group) != 0)
		return verb_error(
		    v, 1, "delete: %s %s: not in the forwarding cache", v->argv[2], v->argv[3]);
	return 0;
}

static int
run_flush(struct verb_run *v)
{
	bool all = v->argc > 2 && strcmp(v->argv[2], "all") == 0;
	int asked;

	if (!only_family(v, all ? 3 : 2, &asked))
		return verb_usage(v, NULL);
	for (int i = 0; i < FAMILIES; i++)
		if (is_meant(families[i], asked))
			mroute_flush(families[i], all);
	return 0;
}

/* --- vifs ------------------------------------------------------------------------------------- */

static int
vif_off(struct verb_run *v, const struct ifnet *ifp, int asked)
{
	bool was = false;

	for (int i = 0; i < FAMILIES; i++)
		if (is_meant(families[i], asked))
			was |= mroute_vif_delete(families[i], ifp) == 0;
	return was ? 0 : verb_error(v, 1, "vif: %s: not a vif", ifp->if_xname);
}

static int
vif_on(struct verb_run *v, struct ifnet *ifp, int asked, uint8_t threshold)
{
	struct made made = { .n = 0 };

	for (int i = 0; i < FAMILIES; i++) {
		if (!is_meant(families[i], asked) || ip_family(families[i]) == NULL)
			continue;
		if (vif_for(v, families[i], ifp, threshold, &made) < 0) {
			made_undo(&made);
			return 1;
		}
	}
	return 0;
}

static int
run_vif(struct verb_run *v)
{
	uint64_t threshold = 0;
	struct ifnet *ifp;
	bool off = false;
	int at = 3, asked;

	if (v->argc < 3)
		return verb_usage(v, "vif: no interface");
	if ((ifp = find_if(v, v->argv[2])) == NULL)
		return 1;
	if (v->argc > at && strcmp(v->argv[at], "off") == 0) {
		off = true;
		at++;
	} else if (v->argc > at + 1 && strcmp(v->argv[at], "threshold") == 0) {
		if (!verb_number(v->argv[at + 1], 1, 255, &threshold))
			return verb_error(
			    v, EXIT_USAGE_, "vif: %s: not a threshold, 1 to 255", v->argv[at + 1]);
		at += 2;
	}
	if (!only_family(v, at, &asked))
		return verb_usage(v, NULL);
	if (off)
		return vif_off(v, ifp, asked);
	return vif_on(v, ifp, asked, (uint8_t)threshold);
}

static int
register_in(struct verb_run *v, int asked, const struct ipaddr *rp, const struct ipaddr *source)
{
	int error;

	for (int i = 0; i < FAMILIES; i++) {
		if (!is_meant(families[i], asked) || ip_family(families[i]) == NULL)
			continue;
		if ((error = mroute_register(families[i], rp, source)) < 0)
			return verb_error(v, 1, "register: %s: %s", v->argv[2],
			    error == -EINVAL ? "not addresses of one host and one family" :
					       verb_strerror(error));
	}
	return 0;
}

static int
run_register(struct verb_run *v)
{
	struct ipaddr rp = { 0 }, source = { 0 };
	int at = 3, asked;

	if (v->argc < 3)
		return verb_usage(v, "register: no rendezvous point");
	if (strcmp(v->argv[2], "none") != 0 && !ipaddr_resolve(v->argv[2], AF_UNSPEC, &rp))
		return verb_error(v, EXIT_USAGE_, "register: %s: not an address", v->argv[2]);
	if (v->argc > at + 1 && strcmp(v->argv[at], "source") == 0) {
		if (!ipaddr_resolve(v->argv[at + 1], rp.family, &source))
			return verb_error(v, EXIT_USAGE_,
			    "register: %s: not an address of %s's "
			    "family",
			    v->argv[at + 1], v->argv[2]);
		at += 2;
	}
	if (!only_family(v, at, &asked))
		return verb_usage(v, NULL);
	if (rp.family != AF_UNSPEC && !is_meant(rp.family, asked))
		return verb_error(
		    v, EXIT_USAGE_, "register: %s: not an address of %s", v->argv[2], v->argv[at]);
	return register_in(v, rp.family != AF_UNSPEC ? rp.family : asked, &rp, &source);
}

/* --- mroute show ------------------------------------------------------------------------------ */

/* Interface names by vif. */
struct names {
	struct emitter *e;
	const char *name[MROUTE_VIFS];
};

static int
show_vif(const struct mroute_vif_info *info, void *ctx)
{
	struct names *n = ctx;

	n->name[info->number] = info->ifp->if_xname;
	emit_object(n->e, NULL);
	emit_uint(n->e, "vif", "%3" PRIu64, info->number);
	emit_str(n->e, "interface", " %-15s", info->ifp->if_xname);
	emit_uint(n->e, "threshold", " %9" PRIu64, info->threshold);
	emit_uint(n->e, "received-packets", " %10" PRIu64, info->ipackets);
	emit_uint(n->e, "received-bytes", " %12" PRIu64, info->ibytes);
	emit_uint(n->e, "sent-packets", " %10" PRIu64, info->opackets);
	emit_uint(n->e, "sent-bytes", " %12" PRIu64 "\n", info->obytes);
	emit_end(n->e);
	return 0;
}

static void
show_out(const struct names *n, const struct mroute_route *r)
{
	bool first = true;

	emit_list(n->e, "to");
	for (unsigned i = 0; i < MROUTE_VIFS; i++) {
		if (!(r->out >> i & 1))
			continue;
		emit_text(n->e, "%s", first ? " " : ",");
		first = false;
		emit_object(n->e, NULL);
		emit_str(n->e, "interface", "%s", n->name[i]);
		emit_uint(n->e, "ttl", r->ttl[i] != 1 ? ":%" PRIu64 : NULL, r->ttl[i]);
		emit_end(n->e);
	}
	emit_end(n->e);
}

static int
show_entry(const struct mroute_info *info, void *ctx)
{
	const struct mroute_route *r = &info->route;
	const struct names *n = ctx;
	char source[IPADDR_TEXT], group[IPADDR_TEXT];

	emit_object(n->e, NULL);
	emit_str(n->e, "source", "%-23s",
	    ipaddr_is_any(&r->source) ? "*" : ipaddr_ntoa(&r->source, source));
	emit_str(n->e, "group", " %-23s", ipaddr_ntoa(&r->group, group));
	emit_uint(n->e, "packets", " %9" PRIu64, info->packets);
	emit_uint(n->e, "bytes", " %11" PRIu64, info->bytes);
	emit_uint(n->e, "wrong", " %7" PRIu64, info->wrong);
	emit_str(n->e, "from", " %-9s", n->name[r->in]);
	emit_bool(n->e, "pending", info->pending);
	if (info->pending)
		emit_uint(n->e, "waiting", " (%" PRIu64 " waiting)", info->waiting);
	else
		show_out(n, r);
	emit_text(n->e, "\n");
	emit_end(n->e);
	return 0;
}

static int
any_vif(const struct mroute_vif_info *info, void *ctx)
{
	(void)info, (void)ctx;
	return 1;
}

static void
show_family(struct emitter *e, int family)
{
	struct names n = { .e = e };
	bool on = mroute_vif_foreach(family, any_vif, NULL) != 0;

	emit_object(e, family == AF_INET ? "inet" : "inet6");
	if (on)
		emit_text(e, "%s: vifs\n%3s %-15s %9s %10s %12s %10s %12s\n",
		    family == AF_INET ? "inet" : "inet6", "Vif", "Interface", "Threshold",
		    "Pkts-In", "Bytes-In", "Pkts-Out", "Bytes-Out");
	emit_list(e, "vif");
	mroute_vif_foreach(family, show_vif, &n);
	emit_end(e);
	if (on)
		emit_text(e, "%s: forwarding cache\n%-23s %-23s %9s %11s %7s %-9s %s\n",
		    family == AF_INET ? "inet" : "inet6", "Source", "Group", "Packets", "Bytes",
		    "Wrong", "From", "To");
	emit_list(e, "entry");
	mroute_foreach(family, show_entry, &n);
	emit_end(e);
	emit_end(e);
}

static int
run_show(struct verb_run *v)
{
	int asked;

	if (!only_family(v, 2, &asked))
		return verb_usage(v, NULL);
	for (int i = 0; i < FAMILIES; i++)
		if (is_meant(families[i], asked))
			show_family(v->out, families[i]);
	return 0;
}

/* --- mroute monitor --------------------------------------------------------------------------- */

struct monitor {
	struct verb_run *v;
	struct event_tag *tag;
};

static void
on_upcall(void *ctx, void *arg1, void *arg2)
{
	const struct mroute_upcall *u = arg1;
	const struct monitor *mon = ctx;
	struct emitter *e = mon->v->out;
	char text[IPADDR_TEXT];

	(void)arg2;
	if (curvnet != mon->v->vnet)
		return;
	emit_object(e, NULL);
	emit_num(e, "time", "%.6f", (double)clock_now() / (double)NS_PER_SEC, 9);
	emit_str(e, "upcall", " %s", mroute_upcall_name(u->type));
	emit_str(e, "source", " source %s", ipaddr_ntoa(&u->source, text));
	emit_str(e, "group", " group %s", ipaddr_ntoa(&u->group, text));
	emit_uint(e, "vif", " vif %" PRIu64, u->vif);
	emit_str(e, "interface", " (%s)", u->ifp->if_xname);
	emit_uint(e, "length", " length %" PRIu64 "\n", u->m != NULL ? u->m->len : 0);
	emit_end(e);
	emit_flush(e);
}

static void
monitor_cancel(struct verb_run *v)
{
	struct monitor *mon = v->state;

	event_deregister(&mon->tag);
	free(mon);
	v->state = NULL;
	emit_end(v->out);
	verb_finish(v, 0);
}

static int
run_monitor(struct verb_run *v)
{
	struct monitor *mon;

	if (v->argc > 2)
		return verb_usage(v, NULL);
	if ((mon = calloc(1, sizeof(*mon))) == NULL)
		return verb_error(v, EXIT_OSERR_, "not enough memory");
	mon->v = v;
	event_register(&mon->tag, "mroute_upcall", EVENT_HERE, on_upcall, mon, EVENT_PRI_ANY);
	if (mon->tag == NULL) {
		free(mon);
		return verb_error(v, EXIT_OSERR_, "not enough memory");
	}
	v->state = mon;
	v->cancel = monitor_cancel;
	emit_list(v->out, "upcall");
	emit_flush(v->out);
	return VERB_PENDING;
}

/* --- the tool --------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	int (*run)(struct verb_run *v);
	bool changes;
} commands[] = {
	{ "add", run_add, true },
	{ "delete", run_delete, true },
	{ "vif", run_vif, true },
	{ "register", run_register, true },
	{ "flush", run_flush, true },
	{ "show", run_show, false },
	{ "monitor", run_monitor, false },
};

static int
mroute_run(struct verb_run *v)
{
	for (size_t i = 0; v->argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(v->argv[1], commands[i].word) != 0)
			continue;
		if (commands[i].changes && priv_check(PRIV_NET_ROUTE) != 0)
			return verb_error(
			    v, EXIT_NOPERM_, "%s: %s", v->argv[1], verb_strerror(EPERM));
		return commands[i].run(v);
	}
	return verb_usage(v, NULL);
}
VERB_DEFINE(mroute, .name = "mroute",
    .usage =
	"mroute [-j JAIL] add SOURCE|* GROUP from INTERFACE [to INTERFACE[,INTERFACE]...] [ttl N]\n"
	"       mroute [-j JAIL] delete SOURCE|* GROUP\n"
	"       mroute [-j JAIL] vif INTERFACE [threshold N | off] [inet|inet6]\n"
	"       mroute [-j JAIL] register ADDRESS|none [source ADDRESS] [inet|inet6]\n"
	"       mroute [-j JAIL] show [inet|inet6]\n"
	"       mroute [-j JAIL] flush [all] [inet|inet6]\n"
	"       mroute [-j JAIL] monitor",
    .summary = "forward multicast groups from interface to interface", .run = mroute_run,
    .flags = VERB_HAS_JAIL);
