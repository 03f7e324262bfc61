/*
 * mroute_forward.c - the way of packets to groups through a stack that forwards them, in both
 * families.
 *
 *	mroute_forward	one look-up for packets of one source to one group: (S,G), else (*,G)
 *		no entry	they wait in a pending one, and its owner is asked (NOCACHE)
 *		another vif	they end here; a daemon is told now and then (WRONGVIF)
 *		else		a copy, one hop older, out of each vif whose threshold it is above
 *
 * Nothing of this makes an ICMP error but that which IPv6 allows, "packet too big" (RFC 4443 2.4).
 */
#include "inet/mroute_internal.h"

#include "kern/eventhandler.h"

DROP_DEFINE(DROP_MROUTE_UNRESOLVED, "mroute", "unresolved",
    "waited for an entry of the multicast forwarding cache that did not come");
DROP_DEFINE(DROP_MROUTE_MAXPENDING, "mroute", "maxpending",
    "packets of too many sources and groups wait for entries (maxpending)");
DROP_DEFINE(DROP_MROUTE_MAXQUEUED, "mroute", "maxqueued",
    "too many packets wait for one entry (maxqueued)");
DROP_DEFINE(DROP_MROUTE_WRONGVIF, "mroute", "wrongvif",
    "came in by another interface than the forwarding cache says");
DROP_DEFINE(DROP_MROUTE_NOVIF, "mroute", "novif",
    "no entry, and the interface takes no part in multicast forwarding");
DROP_DEFINE(DROP_MROUTE_NOWAY, "mroute", "noway", "the forwarding cache says: no way out");
DROP_DEFINE(
    DROP_MROUTE_TTL, "mroute", "ttl", "time to live is not above the threshold of any way out");
DROP_DEFINE(DROP_MROUTE_NOBUFS, "mroute", "nobufs", "no memory for a copy or an entry");

/* Packets on their way. */
struct run {
	struct mroute *mr;
	struct ifnet *ifp; /* by which they came in */
	const struct ipaddr *source, *group;
	struct batch *b;
	bool keep;
};

static struct mrtstat *
stat_of(const struct run *run)
{
	return &mroute_state(run->group->family)->stat;
}

/* They end here; those that are only borrowed go on elsewhere. */
static void
discard(const struct run *run, const struct drop_reason *why)
{
	if (run->keep)
		return;
	batch_foreach(run->b, m)
		m_drop(m, why);
	run->b->n = 0;
}

/* --- upcalls ---------------------------------------------------------------------------------- */

static struct event_list *upcall_event;

const char *
mroute_upcall_name(enum mroute_upcall_type type)
{
	static const char *const names[] = { "nocache", "wrongvif", "wholepkt" };

	return names[type];
}

bool
mroute_tell(const struct mroute_upcall *u)
{
	struct mroute_state *st = mroute_state(u->group.family);
	const bool owned = st->owner != NULL;

	st->stat.upcalls++;
	event_invoke(upcall_event, (void *)(uintptr_t)u, NULL);
	if (owned)
		st->owner(st->owner_ctx, u);
	return owned;
}

static void
tell(const struct run *run, enum mroute_upcall_type type, const struct mroute_vif *vif,
    const struct mbuf *m)
{
	const struct mroute_upcall u = { .type = type,
		.source = *run->source,
		.group = *run->group,
		.ifp = run->ifp,
		.vif = vif->number,
		.m = m };

	(void)mroute_tell(&u);
}

static void
upcall_init(void *arg)
{
	(void)arg;
	upcall_event = event_find("mroute_upcall");
}
VNET_SYSINIT(mroute_upcall, SI_SUB_INET, SI_ORDER_SECOND, upcall_init, NULL);

/* --- no entry --------------------------------------------------------------------------------- */

static void
wait_one(const struct run *run, struct mroute_entry *e, struct mbuf *m)
{
	if (e->waiting.len >= mroute_limit(run->group->family)->maxqueued) {
		stat_of(run)->overflows++;
		if (!run->keep)
			m_drop(m, &DROP_MROUTE_MAXQUEUED);
		return;
	}
	if (run->keep && (m = m_dup(m)) == NULL) {
		drop_count(&DROP_MROUTE_NOBUFS, 1);
		return;
	}
	m->rcvif = run->ifp;
	mbufq_push(&e->waiting, m);
}

/* The first packet, for the upcall: m itself may be sent in the middle of it. */
static void
ask(const struct run *run, const struct mroute_entry *e)
{
	struct mbuf *first = e->waiting.head != NULL ? m_clone(e->waiting.head) : NULL;

	tell(run, MROUTE_NOCACHE, e->asked, first);
	m_free(first);
}

static void
wait(const struct run *run, struct mroute_entry *e)
{
	batch_foreach(run->b, m)
		wait_one(run, e, m);
	if (!run->keep)
		run->b->n = 0;
}

static void
miss(const struct run *run)
{
	struct mroute_vif *vif = mroute_vif_find(run->mr, run->ifp);
	const struct drop_reason *why;
	struct mroute_entry *e;

	clock_at(run->b->m[0]->when_ns);
	stat_of(run)->misses++;
	if (vif == NULL) {
		discard(run, &DROP_MROUTE_NOVIF);
		return;
	}
	if ((e = mroute_pend(run->mr, vif, run->source, run->group, &why)) == NULL) {
		stat_of(run)->notfound++;
		discard(run, why);
		return;
	}
	wait(run, e);
	ask(run, e);
}

void
mroute_release(struct mbufq *q, const struct ipaddr *source, const struct ipaddr *group)
{
	struct mbuf *m;

	while ((m = mbufq_pop(q)) != NULL) {
		struct batch one = { .n = 1, .m = { m } };

		if (m->when_ns < clock_now())
			m->when_ns = clock_now();
		if (mroute_state(group->family)->mr == NULL)
			m_drop(m, &DROP_MROUTE_UNRESOLVED);
		else
			mroute_forward(m->rcvif, source, group, &one, false);
	}
}

/* --- by another vif --------------------------------------------------------------------------- */

/* Is a daemon to be told once more? */
static bool
wrong_is_news(const struct run *run, struct mroute_entry *e)
{
	uint64_t interval = mroute_limit(run->group->family)->wrongvif_interval * NS_PER_SEC;

	if (e->wrong_told && clock_now() < e->wrong_told_ns + interval)
		return false;
	e->wrong_told = true;
	e->wrong_told_ns = clock_now();
	return true;
}

static void
wrong(const struct run *run, struct mroute_entry *e)
{
	const struct mroute_vif *vif = mroute_vif_find(run->mr, run->ifp);
	const struct mbuf *m = run->b->m[0];

	clock_at(m->when_ns);
	e->wrong += run->b->n;
	stat_of(run)->wrongif += run->b->n;
	if (vif != NULL && wrong_is_news(run, e))
		tell(run, MROUTE_WRONGVIF, vif, m);
	discard(run, &DROP_MROUTE_WRONGVIF);
}

/* --- on they go ------------------------------------------------------------------------------- */

/* m, or a copy, one hop older and ready for the way out; NULL without memory. */
static struct mbuf *
hop(const struct run *run, struct mbuf *m, bool copy)
{
	if (copy)
		m = m_dup(m);
	else if (!m_writable(m))
		m = m_unshare(m);
	if (m == NULL) {
		drop_count(&DROP_MROUTE_NOBUFS, 1);
		return NULL;
	}
	run->mr->proto->hop(m);
	m->rcvif = run->ifp;
	m->nh = NULL;
	m->flags = (uint16_t)((m->flags & ~(M_BCAST | M_LOOP)) | M_MCAST | M_FORWARDED);
	return m;
}

/*
 * Out of one vif. With `last` the packets themselves go, and their places become NULL; sent[i]: the
 * i-th has gone some way.
 */
static void
send_by(const struct run *run, struct mroute_vif *vif, uint8_t threshold, bool last, bool *sent)
{
	const unsigned ttl_at = run->mr->proto->ttl_at;
	struct batch out;

	out.n = 0;
	for (uint32_t i = 0; i < run->b->n; i++) {
		struct mbuf *m = run->b->m[i];

		if (m->data[ttl_at] <= threshold)
			continue;
		sent[i] = true;
		if (last)
			run->b->m[i] = NULL;
		if ((m = hop(run, m, !last)) == NULL)
			continue;
		vif->opackets++;
		vif->obytes += m->len;
		batch_add(&out, m);
	}
	if (out.n > 0)
		run->mr->proto->send(vif->ifp, &out);
}

/* What no way out has taken. */
static void
send_rest(const struct run *run, const bool *sent, const struct drop_reason *why)
{
	for (uint32_t i = 0; i < run->b->n; i++) {
		struct mbuf *m = run->b->m[i];

		if (!sent[i])
			stat_of(run)->selected++;
		if (run->keep || m == NULL)
			continue;
		if (sent[i])
			m_free(m);
		else
			m_drop(m, why);
	}
	if (!run->keep)
		run->b->n = 0;
}

static void
pass(const struct run *run, struct mroute_entry *e, const struct mroute_ways *w)
{
	const struct drop_reason *why = &DROP_MROUTE_NOWAY;
	bool sent[BATCH_MAX] = { false };
	uint64_t bytes = 0;

	batch_foreach(run->b, m)
		bytes += m->len;
	e->packets += run->b->n;
	e->bytes += bytes;
	w->in->ipackets += run->b->n;
	w->in->ibytes += bytes;
	for (unsigned i = 0; i < w->n; i++) {
		struct mroute_vif *vif = rcu_deref(&w->out[i].vif);

		if (vif == NULL)
			continue;
		why = &DROP_MROUTE_TTL;
		send_by(run, vif, w->out[i].ttl != 0 ? w->out[i].ttl : vif->threshold,
		    !run->keep && i + 1 == w->n, sent);
	}
	send_rest(run, sent, why);
}

void
mroute_forward(struct ifnet *ifp, const struct ipaddr *source, const struct ipaddr *group,
    struct batch *b, bool keep)
{
	const struct ipaddr any = { .family = source->family };
	struct mroute *mr = rcu_deref(&mroute_state(source->family)->mr);
	const struct run run = { mr, ifp, source, group, b, keep };
	const struct mroute_ways *w;
	struct mroute_entry *e;

	stat_of(&run)->lookups++;
	e = mroute_find(mr, source, group);
	if (e == NULL && mr->nstars > 0)
		e = mroute_find(mr, &any, group);
	if (e == NULL)
		miss(&run);
	else if ((w = rcu_deref(&e->ways)) == NULL)
		wait(&run, e);
	else if (w->in->ifp != ifp)
		wrong(&run, e);
	else
		pass(&run, e, w);
}
