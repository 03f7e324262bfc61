/*
 * nd6_rtsol.c - router solicitations (RFC 4861 6.3.7), and the tool rtsol.
 *
 * An interface that accepts advertisements and whose link comes up asks for routers: up to three
 * times, four seconds apart, the first time after a random part of a second. It asks from its
 * link-local address, so it waits for that one's duplicate detection; without one it asks from ::.
 * An advertisement of a default router ends it.
 *
 * The tool begins anew on the interfaces named and stays until each has got an advertisement, or
 * has asked in vain.
 */
#include "inet6/nd6_rtr.h"

#include "inet6/nd6_internal.h"
#include "kern/eventhandler.h"
#include "kern/jail.h"

#include <errno.h>

enum { MAX_SOLICITATIONS = 3 };
static const uint64_t solicitation_interval_ns = 4 * NS_PER_SEC;
static const uint64_t max_delay_ns = NS_PER_SEC;

/* in6_if.rtsol, while it asks. */
struct rtsol_if {
	struct ifnet *ifp;
	struct callout timer;
	unsigned sent;
	bool waiting; /* for the link-local address */
};

/* One call of the tool. */
struct rtsol_run {
	LIST_ENTRY(rtsol_run) link; /* the stack's */
	struct verb_run *v;
	struct callout
	    end; /* not inside the packet that ends it: who hears of the end may do anything */
	bool debug;
	int status;
	unsigned n, waiting;
	struct ifnet *ifp[]; /* NULL when it has its answer */
};
LIST_HEAD(rtsol_runs, rtsol_run);
VNET_DEFINE_STATIC(struct rtsol_runs, rtsol_runs);

static uint64_t rtsols_live;
AUDIT_COUNTER(rtsol, "rtsol", rtsols_live);

/* --- who waits -------------------------------------------------------------------------------- */

/* The run has its answer for one interface: `text` of it, if it failed. */
static void
run_answered(struct rtsol_run *run, unsigned i, const char *failure)
{
	if (failure != NULL)
		run->status = verb_error(run->v, 1, "%s: %s", run->ifp[i]->if_xname, failure);
	run->ifp[i] = NULL;
	if (--run->waiting == 0)
		callout_reset(&run->end, 0);
}

static void
tell_end(const struct ifnet *ifp, const char *failure)
{
	struct rtsol_run *run;

	LIST_FOREACH(run, &VNET(rtsol_runs), link)
		for (unsigned i = 0; i < run->n; i++)
			if (run->ifp[i] == ifp)
				run_answered(run, i, failure);
}

/* A line for those who asked for more words. */
static void
tell(const struct ifnet *ifp, const char *what, const struct in6 *who)
{
	struct rtsol_run *run;
	char text[IN6_TEXT] = "";

	LIST_FOREACH(run, &VNET(rtsol_runs), link)
		for (unsigned i = 0; i < run->n; i++)
			if (run->ifp[i] == ifp && run->debug) {
				emit_text(run->v->out, "%s: %s%s\n", ifp->if_xname, what,
				    who != NULL ? in6_ntoa(who, text) : "");
				emit_flush(run->v->out);
			}
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The option with our link address; returns how many bytes it has: none on links without. */
unsigned
nd6_rtr_source_option(const struct ifnet *ifp, uint8_t *option)
{
	if (ifp->if_addrlen != 6)
		return 0;
	option[0] = ND_OPT_SOURCE_LL;
	option[1] = 1;
	memcpy(option + 2, ifp->if_lladdr, 6);
	return 8;
}

static void
solicit(struct ifnet *ifp, const struct in6 *src)
{
	struct mbuf *m = m_get(sizeof(struct icmp6_hdr) + 8);
	struct in6 all = in6_allrouters;

	if (m == NULL)
		return;
	*mtod(m, struct icmp6_hdr *) = (struct icmp6_hdr){ .type = ND_ROUTER_SOLICIT_ };
	m_trim(m, sizeof(struct icmp6_hdr));
	/* from :: nobody says whose the link address is (RFC 4861 4.1) */
	if (!in6_is_any(src))
		m->len += nd6_rtr_source_option(ifp, m->data + m->len);
	V_rtadvstat.rs_out++;
	tell(ifp, "router solicitation sent", NULL);
	in6_embed(&all, ifp->if_index);
	nd6_message_send(ifp, m, src, &all);
}

static void
rtsol_free(struct rtsol_if *rs)
{
	callout_stop(&rs->timer);
	vnet_free(rs);
	__atomic_fetch_sub(&rtsols_live, 1, __ATOMIC_RELAXED);
}

static void
rtsol_tick(void *arg)
{
	struct rtsol_if *rs = arg;
	struct ifnet *ifp = rs->ifp;
	const struct in6_ifaddr *linklocal = in6_linklocal(ifp);

	if (rs->sent == MAX_SOLICITATIONS) {
		in6_if_of(ifp)->rtsol = NULL;
		rtsol_free(rs);
		tell_end(ifp, "no router has answered");
		return;
	}
	rs->waiting = linklocal != NULL && (linklocal->flags & IN6_IFF_TENTATIVE);
	if (rs->waiting)
		return; /* address_changed() goes on */
	rs->sent++;
	callout_reset(&rs->timer, solicitation_interval_ns);
	solicit(ifp, linklocal != NULL ? &linklocal->addr : &in6_any_);
}

void
nd6_rtsol_start(struct ifnet *ifp)
{
	struct in6_if *i = in6_if_of(ifp);
	struct rtsol_if *rs;

	if (!nd6_rtr_accepts(ifp) || !if_is_usable(ifp))
		return;
	if ((rs = i->rtsol) == NULL) {
		if ((rs = vnet_malloc(sizeof(*rs))) == NULL)
			return;
		rs->ifp = ifp;
		callout_init(&rs->timer, curvnet, rtsol_tick, rs);
		__atomic_fetch_add(&rtsols_live, 1, __ATOMIC_RELAXED);
		i->rtsol = rs;
	}
	rs->sent = 0;
	rs->waiting = false;
	callout_reset(&rs->timer, nd6_random_ns(max_delay_ns));
}

static void
rtsol_end(struct in6_if *i, const char *failure)
{
	struct rtsol_if *rs = i->rtsol;
	struct ifnet *ifp;

	if (rs == NULL)
		return;
	ifp = rs->ifp;
	i->rtsol = NULL;
	rtsol_free(rs);
	tell_end(ifp, failure);
}

void
nd6_rtsol_stop(struct ifnet *ifp)
{
	struct in6_if *i = in6_if_of(ifp);

	if (i != NULL)
		rtsol_end(i, "the link is down, or no advertisements are accepted any more");
}

void
nd6_rtsol_ifdetach(struct in6_if *i)
{
	rtsol_end(i, "the interface has gone");
}

void
nd6_rtsol_answered(struct ifnet *ifp, const struct in6 *router, uint16_t lifetime_s)
{
	struct in6_if *i = in6_if_of(ifp);

	tell(ifp, "router advertisement from ", router);
	tell_end(ifp, NULL);
	if (lifetime_s > 0)
		rtsol_end(i, NULL);
}

/* The link-local address is ready, or has gone. */
static void
address_changed(void *ctx, void *arg1, void *arg2)
{
	const struct in6_if *i = in6_if_of(arg1);
	const struct ifaddr *ifa = arg2;

	(void)ctx;
	if (ifa->family == AF_INET6 && i != NULL && i->rtsol != NULL && i->rtsol->waiting)
		rtsol_tick(i->rtsol);
}

static struct event_tag *address_tag;

static void
rtsol_init(void *arg)
{
	(void)arg;
	LIST_INIT(&VNET(rtsol_runs));
	if (curvnet == vnet0)
		event_register(
		    &address_tag, "ifaddr_event", EVENT_HERE, address_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(rtsol, SI_SUB_INET6, SI_ORDER_FIRST, rtsol_init, NULL);

static void
rtsol_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&address_tag);
}
VNET_SYSUNINIT(rtsol, SI_SUB_INET6, SI_ORDER_FIRST, rtsol_uninit, NULL);

/* --- the tool --------------------------------------------------------------------------------- */

static void
run_end(void *arg)
{
	struct rtsol_run *run = arg;
	struct verb_run *v = run->v;
	int status = run->status;

	callout_stop(&run->end);
	LIST_REMOVE(run, link);
	vnet_free(run);
	verb_finish(v, status);
}

static void
run_cancel(struct verb_run *v)
{
	struct rtsol_run *run = v->state;

	if (run->waiting > 0)
		run->status = 1;
	run_end(run);
}

/* The named interface, if it can ask; NULL after a message. */
static struct ifnet *
named_interface(struct verb_run *v, const char *name)
{
	struct ifnet *ifp = if_byname(name);

	if (ifp == NULL)
		verb_error(v, 1, "interface %s does not exist", name);
	else if (!nd6_rtr_accepts(ifp))
		verb_error(v, 1,
		    "%s: router advertisements are not accepted (ifconfig %s inet6 accept_rtadv)",
		    name, name);
	else if (!if_is_usable(ifp))
		verb_error(v, 1, "%s: the link is down", name);
	else
		return ifp;
	return NULL;
}

static int
rtsol_run(struct verb_run *v)
{
	struct rtsol_run *run;
	struct verb_opts o;
	bool debug = false;
	unsigned n;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "d");
	while ((c = verb_opts_next(&o)) != -1) {
		if (c != 'd')
			return verb_usage(v, NULL);
		debug = true;
	}
	if (o.ind == v->argc)
		return verb_usage(v, NULL);
	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	n = (unsigned)(v->argc - o.ind);
	if ((run = vnet_malloc(sizeof(*run) + n * sizeof(run->ifp[0]))) == NULL)
		return verb_error(v, EXIT_OSERR_, "%s", verb_strerror(ENOMEM));
	for (run->n = 0; run->n < n; run->n++)
		if ((run->ifp[run->n] = named_interface(v, v->argv[o.ind + (int)run->n])) == NULL) {
			vnet_free(run);
			return 1;
		}
	run->v = v;
	run->debug = debug;
	run->waiting = n;
	callout_init(&run->end, curvnet, run_end, run);
	LIST_INSERT_HEAD(&VNET(rtsol_runs), run, link);
	for (unsigned i = 0; i < n; i++)
		nd6_rtsol_start(run->ifp[i]);
	v->state = run;
	v->cancel = run_cancel;
	return VERB_PENDING;
}

VERB_DEFINE(rtsol, .name = "rtsol", .usage = "rtsol [-d] interface ...",
    .summary = "ask for routers, and wait for an answer", .run = rtsol_run);
