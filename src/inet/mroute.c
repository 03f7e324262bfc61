/*
 * mroute.c - multicast forwarding: interfaces that take part (vifs) and the forwarding cache, of
 * both families.
 *
 *	mroute_vif_add	the first one switches the family on (struct mroute), the last one off
 *	mroute_add	an entry for a source and a group; what waits for it is sent
 *	mroute_pend	packets have come that no entry is for: one without an answer, for a while
 *
 * Packets find entries in a hash (in_hash.h) by a keyed digest of both addresses: who sends from
 * many sources can't choose where they fall. What an entry says is published in one piece. Vifs and
 * entries are freed late; so a packet's walk may go on with what it has found, whatever a daemon
 * changes in the middle of it.
 */
#include "inet/mroute_internal.h"

#include "base/hash.h"
#include "base/rng.h"
#include "kern/eventhandler.h"
#include "kern/sysctl.h"
#include "net/if_multi.h"

#include <errno.h>
#include <string.h>

enum { THRESHOLD_FIRST = 1 };

#define LIMITS_FIRST                                                                               \
	{                                                                                          \
		.maxentries = 16384, .maxpending = 1024, .maxqueued = 4, .pending_ms = 1500,       \
		.wrongvif_interval = 3                                                             \
	}
VNET_DEFINE(struct mroute_states, mroute);
VNET_DEFINE(struct mroute_limits, mroute_limits) = { { LIMITS_FIRST, LIMITS_FIRST } };

#define MROUTE_LIMIT(name, lo, hi, text)                                                           \
	SYSCTL_VNET_UINT(net_inet_ip_mroute_##name, "net.inet.ip.mroute." #name, SYSCTL_RW,        \
	    mroute_limits.of[AF_SLOT_INET].name, lo, hi, text);                                    \
	SYSCTL_VNET_UINT(net_inet6_ip6_mroute_##name, "net.inet6.ip6.mroute." #name, SYSCTL_RW,    \
	    mroute_limits.of[AF_SLOT_INET6].name, lo, hi, text)
MROUTE_LIMIT(maxentries, 1, 1 << 24, "entries of the multicast forwarding cache");
MROUTE_LIMIT(maxpending, 0, 1 << 20, "sources and groups without an entry for which packets wait");
MROUTE_LIMIT(maxqueued, 0, 4096, "packets that wait for one entry of the forwarding cache");
MROUTE_LIMIT(pending_ms, 1, 600000, "how long packets wait for an entry, in ms");
MROUTE_LIMIT(wrongvif_interval, 0, 86400,
    "seconds between two upcalls of an entry whose packets come in by another interface");

LINKERSET_DECLARE(mroute_proto, const struct mroute_proto);

static uint64_t vifs_live, entries_live; /* until their memory goes */
AUDIT_COUNTER(mroute_vif, "mroute_vif", vifs_live);
AUDIT_COUNTER(mroute_entry, "mroute_entry", entries_live);

static int
entry_compare(const struct mroute_entry *a, const struct mroute_entry *b)
{
	int c = ipaddr_compare(&a->group, &b->group);

	return c != 0 ? c : ipaddr_compare(&a->source, &b->source);
}

RB_TREE_STATIC(mroute_entries, mroute_entry, node, entry_compare)

/* --- the hash --------------------------------------------------------------------------------- */

/* With a key (as in lltable.c); odd, as in_hash.h wants digests to be. */
static inline uint64_t
digest(const struct mroute *mr, const struct ipaddr *source, const struct ipaddr *group)
{
	uint64_t s = hash_fold(load64(source->b) ^ mr->key[0], load64(source->b + 8) ^ mr->key[1]);
	uint64_t g = hash_fold(load64(group->b) ^ mr->key[1], load64(group->b + 8) ^ mr->key[0]);

	return hash_fold(s ^ mr->key[0], g ^ mr->key[1]) | 1;
}

struct mroute_entry *
mroute_find(const struct mroute *mr, const struct ipaddr *source, const struct ipaddr *group)
{
	struct in_hash_node *node = in_hash_find(rcu_deref(&mr->table), digest(mr, source, group));

	for (; node != NULL; node = rcu_deref(&node->next)) {
		struct mroute_entry *e = (void *)node; /* first in its entry */

		if (ipaddr_equal(&e->source, source) && ipaddr_equal(&e->group, group))
			return e;
	}
	return NULL;
}

/* --- a family on and off ---------------------------------------------------------------------- */

static const struct mroute_proto *
proto_of(int family)
{
	const struct mroute_proto *const *p;

	LINKERSET_FOREACH(p, mroute_proto)
		if ((*p)->family == family)
			return *p;
	return NULL;
}

static void pending_expire(void *arg);

/* The family's first vif is about to come. NULL without memory. */
static struct mroute *
mroute_new(const struct mroute_proto *proto)
{
	struct mroute *mr = vnet_malloc(sizeof(*mr));
	struct rng rng;

	if (mr == NULL)
		return NULL;
	mr->proto = proto;
	mr->table = IN_HASH_EMPTY;
	rng_seed(&rng, rng_process_seed + curvnet->id, "mroute");
	mr->key[0] = rng_u64(&rng);
	mr->key[1] = rng_u64(&rng);
	RB_INIT(&mr->entries);
	TAILQ_INIT(&mr->pending);
	callout_init(&mr->expiry, curvnet, pending_expire, mr);
	return mr;
}

static void
mroute_free_late(struct rcu_head *h)
{
	vnet_free((uint8_t *)h - offsetof(struct mroute, rcu));
}

/* The last vif has gone, and so have all entries. */
static void
mroute_end(struct mroute *mr)
{
	callout_drain(&mr->expiry);
	rcu_publish(&mroute_state(mr->proto->family)->mr, NULL);
	rcu_call(&mr->rcu, mroute_free_late);
}

/* --- entries ---------------------------------------------------------------------------------- */

static void
ways_free_late(struct rcu_head *h)
{
	vnet_free(h); /* first in its ways */
}

static void
ways_free(struct mroute_ways *w)
{
	if (w != NULL)
		rcu_call(&w->rcu, ways_free_late);
}

static struct mroute_ways *
ways_new(const struct mroute *mr, const struct mroute_route *r)
{
	unsigned n = (unsigned)__builtin_popcountll(r->out);
	struct mroute_ways *w = vnet_malloc(sizeof(*w) + n * sizeof(w->out[0]));

	if (w == NULL)
		return NULL;
	w->in = mr->vif[r->in];
	for (unsigned i = 0; i < MROUTE_VIFS; i++)
		if (r->out >> i & 1)
			w->out[w->n++] = (struct mroute_out){ mr->vif[i], r->ttl[i] };
	return w;
}

static void
entry_free_late(struct rcu_head *h)
{
	entries_live--;
	vnet_free((uint8_t *)h - offsetof(struct mroute_entry, rcu));
}

/* It is in the cache, and says nothing yet. NULL without memory. */
static struct mroute_entry *
entry_new(struct mroute *mr, const struct ipaddr *source, const struct ipaddr *group)
{
	struct mroute_entry *e = vnet_malloc(sizeof(*e));

	if (e == NULL)
		return NULL;
	e->source = *source;
	e->group = *group;
	mbufq_init(&e->waiting);
	if (in_hash_add(&mr->table, &e->hash, digest(mr, source, group)) != 0) {
		vnet_free(e);
		return NULL;
	}
	RB_INSERT(mroute_entries, &mr->entries, e);
	entries_live++;
	return e;
}

/* It waits no longer; its packets stay with it. */
static void
entry_answered(struct mroute *mr, struct mroute_entry *e)
{
	if (e->asked == NULL)
		return;
	e->asked = NULL;
	TAILQ_REMOVE(&mr->pending, e, pending);
	mr->npending--;
}

static void
entry_free(struct mroute *mr, struct mroute_entry *e)
{
	struct mbuf *m;

	if (e->ways != NULL) {
		mr->nentries--;
		mr->nstars -= ipaddr_is_any(&e->source);
	}
	entry_answered(mr, e);
	in_hash_remove(&mr->table, &e->hash);
	RB_REMOVE(mroute_entries, &mr->entries, e);
	while ((m = mbufq_pop(&e->waiting)) != NULL)
		m_drop(m, &DROP_MROUTE_UNRESOLVED);
	ways_free(e->ways);
	rcu_call(&e->rcu, entry_free_late);
}

/* --- pending ones ----------------------------------------------------------------------------- */

static void
pending_arm(struct mroute *mr)
{
	const struct mroute_entry *first = TAILQ_FIRST(&mr->pending);

	if (first == NULL)
		(void)callout_stop(&mr->expiry);
	else if (!callout_armed(&mr->expiry))
		callout_reset(&mr->expiry,
		    first->expires_ns > clock_now() ? first->expires_ns - clock_now() : 0);
}

static void
pending_expire(void *arg)
{
	struct mroute *mr = arg;
	struct mroute_entry *e;

	while ((e = TAILQ_FIRST(&mr->pending)) != NULL && e->expires_ns <= clock_now()) {
		mroute_state(mr->proto->family)->stat.cleanups++;
		entry_free(mr, e);
	}
	pending_arm(mr);
}

struct mroute_entry *
mroute_pend(struct mroute *mr, struct mroute_vif *vif, const struct ipaddr *source,
    const struct ipaddr *group, const struct drop_reason **why)
{
	const struct mroute_limit *limit = mroute_limit(mr->proto->family);
	struct mroute_entry *e;

	*why = mr->npending >= limit->maxpending ? &DROP_MROUTE_MAXPENDING : &DROP_MROUTE_NOBUFS;
	if (mr->npending >= limit->maxpending || (e = entry_new(mr, source, group)) == NULL)
		return NULL;
	e->asked = vif;
	e->expires_ns = clock_now() + limit->pending_ms * NS_PER_MS;
	TAILQ_INSERT_TAIL(&mr->pending, e, pending);
	mr->npending++;
	pending_arm(mr);
	return e;
}

/*
 * There is a (*,G) entry now: what waits for the group goes its way. One at a time from the
 * beginning: who gets the packets may change the cache.
 */
static void
release_group(struct mroute *mr, const struct ipaddr *group)
{
	struct mroute_entry *e, *found;
	struct ipaddr source;
	struct mbufq q;

	do {
		found = NULL;
		TAILQ_FOREACH(e, &mr->pending, pending)
			if (ipaddr_equal(&e->group, group)) {
				found = e;
				break;
			}
		if (found == NULL)
			return;
		source = found->source;
		mbufq_init(&q);
		for (struct mbuf *m; (m = mbufq_pop(&found->waiting)) != NULL;)
			mbufq_push(&q, m);
		entry_free(mr, found);
		mroute_release(&q, &source, group);
	} while (mroute_state(group->family)->mr == mr);
}

/* --- what is said of them --------------------------------------------------------------------- */

/* 0 or -errno. */
static int
route_check(const struct mroute *mr, const struct mroute_route *r)
{
	if (!ipaddr_is_multicast(&r->group) || r->source.family != r->group.family ||
	    !mr->proto->group_ok(&r->group) ||
	    (!ipaddr_is_any(&r->source) && !mr->proto->source_ok(&r->source)))
		return -EINVAL;
	if (r->in >= MROUTE_VIFS || mr->vif[r->in] == NULL)
		return -ENXIO;
	if (r->out >> r->in & 1)
		return -EINVAL;
	for (unsigned i = 0; i < MROUTE_VIFS; i++)
		if ((r->out >> i & 1) && mr->vif[i] == NULL)
			return -ENXIO;
	return 0;
}

int
mroute_add(const struct mroute_route *r)
{
	struct mroute *mr = mroute_state(r->group.family)->mr;
	struct mroute_ways *ways, *old;
	struct mroute_entry *e;
	struct mbufq q;
	int error;

	if (mr == NULL)
		return proto_of(r->group.family) == NULL ? -EAFNOSUPPORT : -ENXIO;
	if ((error = route_check(mr, r)) != 0)
		return error;
	e = mroute_find(mr, &r->source, &r->group);
	if ((e == NULL || e->ways == NULL) &&
	    mr->nentries >= mroute_limit(r->group.family)->maxentries)
		return -ENOBUFS;
	if ((ways = ways_new(mr, r)) == NULL)
		return -ENOMEM;
	if (e == NULL && (e = entry_new(mr, &r->source, &r->group)) == NULL) {
		vnet_free(ways);
		return -ENOMEM;
	}
	old = e->ways;
	if (old == NULL) {
		mr->nentries++;
		mr->nstars += ipaddr_is_any(&e->source);
	}
	entry_answered(mr, e);
	pending_arm(mr);
	rcu_publish(&e->ways, ways);
	ways_free(old);
	mbufq_init(&q);
	for (struct mbuf *m; (m = mbufq_pop(&e->waiting)) != NULL;)
		mbufq_push(&q, m);
	mroute_release(&q, &r->source, &r->group);
	if (ipaddr_is_any(&r->source) && mroute_state(r->group.family)->mr == mr)
		release_group(mr, &r->group);
	return 0;
}

int
mroute_delete(const struct ipaddr *source, const struct ipaddr *group)
{
	struct mroute *mr = mroute_state(group->family)->mr;
	struct mroute_entry *e;

	if (mr == NULL || (e = mroute_find(mr, source, group)) == NULL)
		return -ENOENT;
	entry_free(mr, e);
	pending_arm(mr);
	return 0;
}

static void
entries_flush(struct mroute *mr)
{
	struct mroute_entry *e;

	while ((e = RB_MIN(mroute_entries, &mr->entries)) != NULL)
		entry_free(mr, e);
	pending_arm(mr);
}

void
mroute_flush(int family, bool vifs)
{
	struct mroute *mr = mroute_state(family)->mr;

	if (mr == NULL)
		return;
	entries_flush(mr);
	for (unsigned i = 0; vifs && i < MROUTE_VIFS && mroute_state(family)->mr == mr; i++)
		if (mr->vif[i] != NULL)
			(void)mroute_vif_delete(family, mr->vif[i]->ifp);
}

static void
entry_info(const struct mroute_entry *e, struct mroute_info *info)
{
	const struct mroute_ways *w = e->ways;

	*info = (struct mroute_info){
		.route = { .source = e->source, .group = e->group },
		.pending = w == NULL,
		.waiting = e->waiting.len,
		.packets = e->packets,
		.bytes = e->bytes,
		.wrong = e->wrong,
	};
	info->route.in = w != NULL ? w->in->number : e->asked->number;
	for (unsigned i = 0; w != NULL && i < w->n; i++) {
		const struct mroute_vif *vif = w->out[i].vif;

		if (vif == NULL)
			continue;
		info->route.out |= UINT64_C(1) << vif->number;
		info->route.ttl[vif->number] = w->out[i].ttl != 0 ? w->out[i].ttl : vif->threshold;
	}
}

int
mroute_foreach(int family, int (*fn)(const struct mroute_info *info, void *ctx), void *ctx)
{
	struct mroute *mr = mroute_state(family)->mr;
	struct mroute_info info;
	struct mroute_entry *e;
	int stop;

	if (mr == NULL)
		return 0;
	RB_FOREACH(e, mroute_entries, &mr->entries) {
		entry_info(e, &info);
		if ((stop = fn(&info, ctx)) != 0)
			return stop;
	}
	return 0;
}

bool
mroute_get(const struct ipaddr *source, const struct ipaddr *group, struct mroute_info *info)
{
	const struct mroute *mr = mroute_state(group->family)->mr;
	const struct mroute_entry *e = mr != NULL ? mroute_find(mr, source, group) : NULL;

	if (e != NULL)
		entry_info(e, info);
	return e != NULL;
}

/* --- vifs ------------------------------------------------------------------------------------- */

struct mroute_vif *
mroute_vif_find(const struct mroute *mr, const struct ifnet *ifp)
{
	for (unsigned i = 0; i < MROUTE_VIFS; i++)
		if (mr->vif[i] != NULL && mr->vif[i]->ifp == ifp)
			return mr->vif[i];
	return NULL;
}

int
mroute_vif_of(int family, const struct ifnet *ifp)
{
	const struct mroute *mr = mroute_state(family)->mr;
	const struct mroute_vif *vif = mr != NULL ? mroute_vif_find(mr, ifp) : NULL;

	return vif != NULL ? (int)vif->number : -1;
}

static void
vif_free_late(struct rcu_head *h)
{
	struct mroute_vif *vif = (void *)((uint8_t *)h - offsetof(struct mroute_vif, rcu));

	vifs_live--;
	if_rele(vif->ifp);
	vnet_free(vif);
}

/* In a free number of mr. The number, or -errno. */
static int
vif_new(struct mroute *mr, struct ifnet *ifp, uint8_t threshold)
{
	struct mroute_vif *vif;
	unsigned number = 0;
	int error;

	while (number < MROUTE_VIFS && mr->vif[number] != NULL)
		number++;
	if (number == MROUTE_VIFS)
		return -ENOSPC;
	if ((error = if_allmulti(ifp, true)) != 0)
		return error;
	if ((vif = vnet_malloc(sizeof(*vif))) == NULL) {
		(void)if_allmulti(ifp, false);
		return -ENOMEM;
	}
	vif->ifp = if_ref(ifp);
	vif->number = number;
	vif->threshold = threshold != 0 ? threshold : (uint8_t)THRESHOLD_FIRST;
	vifs_live++;
	mr->nvifs++;
	rcu_publish(&mr->vif[number], vif);
	return (int)number;
}

int
mroute_vif_add(int family, struct ifnet *ifp, uint8_t threshold)
{
	const struct mroute_proto *proto = proto_of(family);
	struct mroute *mr = mroute_state(family)->mr;
	struct mroute_vif *vif = mr != NULL ? mroute_vif_find(mr, ifp) : NULL;
	bool first = mr == NULL;
	int number;

	if (proto == NULL)
		return -EAFNOSUPPORT;
	if (vif != NULL) {
		if (threshold != 0)
			vif->threshold = threshold;
		return (int)vif->number;
	}
	if (ifp->if_flags & IFF_LOOPBACK_)
		return -EINVAL;
	if (!(ifp->if_flags & IFF_MULTICAST_) && !mroute_is_register(ifp))
		return -EOPNOTSUPP;
	if (first && (mr = mroute_new(proto)) == NULL)
		return -ENOMEM;
	number = vif_new(mr, ifp, threshold);
	if (first && number >= 0)
		rcu_publish(&mroute_state(family)->mr, mr);
	else if (first)
		vnet_free(mr);
	return number;
}

/* What came in by an interface that goes has no way any more. */
static void
waiting_purge(struct mbufq *q, const struct ifnet *ifp)
{
	struct mbufq rest;
	struct mbuf *m;

	mbufq_init(&rest);
	while ((m = mbufq_pop(q)) != NULL)
		if (m->rcvif == ifp)
			m_drop(m, &DROP_IF_GONE);
		else
			mbufq_push(&rest, m);
	while ((m = mbufq_pop(&rest)) != NULL)
		mbufq_push(q, m);
}

/* The vif is out of what the entry says; an entry whose packets came by it goes. */
static void
entry_forget(struct mroute *mr, struct mroute_entry *e, const struct mroute_vif *vif)
{
	struct mroute_ways *w = e->ways;

	waiting_purge(&e->waiting, vif->ifp);
	if (e->asked == vif || (w != NULL && w->in == vif)) {
		entry_free(mr, e);
		return;
	}
	for (unsigned i = 0; w != NULL && i < w->n; i++)
		if (w->out[i].vif == vif)
			rcu_publish(&w->out[i].vif, NULL);
}

int
mroute_vif_delete(int family, const struct ifnet *ifp)
{
	struct mroute *mr = mroute_state(family)->mr;
	struct mroute_vif *vif = mr != NULL ? mroute_vif_find(mr, ifp) : NULL;
	struct mroute_entry *e, *next;

	if (vif == NULL)
		return -ENOENT;
	for (e = RB_MIN(mroute_entries, &mr->entries); e != NULL; e = next) {
		next = RB_NEXT(mroute_entries, &mr->entries, e);
		entry_forget(mr, e, vif);
	}
	pending_arm(mr);
	rcu_publish(&mr->vif[vif->number], NULL);
	/* nothing to give back where the interface has left: no fault */
	(void)if_allmulti(vif->ifp, false);
	rcu_call(&vif->rcu, vif_free_late);
	if (--mr->nvifs == 0)
		mroute_end(mr);
	return 0;
}

int
mroute_vif_foreach(int family, int (*fn)(const struct mroute_vif_info *info, void *ctx), void *ctx)
{
	const struct mroute *mr = mroute_state(family)->mr;
	int stop;

	for (unsigned i = 0; mr != NULL && i < MROUTE_VIFS; i++) {
		const struct mroute_vif *vif = mr->vif[i];

		if (vif == NULL)
			continue;
		const struct mroute_vif_info info = { vif->number, vif->ifp, vif->threshold,
			vif->ipackets, vif->ibytes, vif->opackets, vif->obytes };

		if ((stop = fn(&info, ctx)) != 0)
			return stop;
	}
	return 0;
}

/* --- who routes ------------------------------------------------------------------------------- */

int
mroute_attach(int family, mroute_upcall_fn *fn, void *ctx)
{
	struct mroute_state *st = mroute_state(family);

	if (st->owner != NULL)
		return -EBUSY;
	st->owner = fn;
	st->owner_ctx = ctx;
	return 0;
}

void
mroute_detach(int family)
{
	struct mroute_state *st = mroute_state(family);

	st->owner = NULL;
	st->owner_ctx = NULL;
}

/* --- interfaces and stacks go ----------------------------------------------------------------- */

static void
if_departs(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;

	(void)ctx, (void)arg2;
	if (ifp->if_flags & IFF_RENAMING_)
		return;
	(void)mroute_vif_delete(AF_INET, ifp);
	(void)mroute_vif_delete(AF_INET6, ifp);
}

static struct event_tag *departure_tag;

static void
mroute_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_register(
		    &departure_tag, "ifnet_departure", EVENT_HERE, if_departs, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(mroute, SI_SUB_INET, SI_ORDER_SECOND, mroute_init, NULL);

static void
mroute_uninit(void *arg)
{
	(void)arg;
	mroute_flush(AF_INET, true);
	mroute_flush(AF_INET6, true);
	if (curvnet == vnet0)
		event_deregister(&departure_tag);
}
VNET_SYSUNINIT(mroute, SI_SUB_INET, SI_ORDER_SECOND, mroute_uninit, NULL);
