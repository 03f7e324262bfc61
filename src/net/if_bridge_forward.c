/*
 * if_bridge_forward.c - the way of frames through a bridge.
 *
 *	bridge_input	what a member has received: its source is learned, then it is sorted:
 *			for us, for a station, for all
 *	bridge_filter*	where filters are, frames go by their stations (if_bridge_filter.c)
 *	bridge_switch	in runs, in order: those for stations by member, those for all to all
 *	bridge_emit	out by one member
 *
 * A frame costs one look-up for its source and one for its destination, each spared if it is the
 * same as of the frame before. What is for all is not copied: each member but the last gets a clone
 * that shares the buffer (mbuf.h).
 *
 * Order: frames of one batch never overtake each other on a member. Whatever is for the stack
 * itself may be answered at once, so what came before it has gone on by then, and nothing that came
 * behind.
 *
 * A loop of bridges has no end by itself: an Ethernet frame has no time to live. So a bridge takes
 * no more than net.link.bridge.storm frames within a millisecond, more than any machine moves; in
 * virtual time, where a loop without delay is one instant, this ends it.
 */
#include "net/if_bridge_internal.h"

#include "base/log.h"
#include "kern/sysctl.h"
#include "net/bpf.h"

#include <errno.h>

DROP_DEFINE(DROP_BRIDGE_OWN, "bridge", "own", "from or to an address of our own: is there a loop?");
DROP_DEFINE(DROP_BRIDGE_STORM, "bridge", "storm",
    "more frames within a millisecond than net.link.bridge.storm: is there a loop?");
DROP_DEFINE(DROP_BRIDGE_ADDRS, "bridge", "addrs", "its member has as many stations as it may have");
DROP_DEFINE(DROP_BRIDGE_PRIVATE, "bridge", "private", "from a private member to another");
DROP_DEFINE(DROP_BRIDGE_MTU, "bridge", "mtu", "frame is longer than the member's MTU");
DROP_DEFINE(DROP_BRIDGE_NOMEM, "bridge", "nomem", "no memory for a copy of a frame for all");
DROP_DEFINE_IGNORED(DROP_BRIDGE_HERE, "bridge", "here", "its station is where it came from");
DROP_DEFINE_IGNORED(DROP_BRIDGE_NOBODY, "bridge", "nobody", "no other member to send it by");
DROP_DEFINE_IGNORED(
    DROP_BRIDGE_LINK_LOCAL, "bridge", "link-local", "to a group that no bridge passes on");

VNET_DEFINE(uint32_t, bridge_storm) = 1 << 16;
SYSCTL_VNET_UINT(net_link_bridge_storm, "net.link.bridge.storm", SYSCTL_RW, bridge_storm, 1,
    1 << 24, "frames that a bridge takes from its members within a millisecond; more are a loop's");

enum { VLAN_TAG_LEN = 4, STORM_WARN_S = 60 };

/* --- what a frame says ------------------------------------------------------------------------ */

static inline bool
is_tagged(const struct mbuf *m)
{
	return load16(m->data + 12) == __builtin_bswap16(ETHERTYPE_VLAN_);
}

/* The upper part of a key. */
static inline uint64_t
vlan_of(const struct mbuf *m)
{
	uint64_t vlan;

	if (__builtin_expect(!is_tagged(m) || m->len < ETHER_HDR_LEN_ + VLAN_TAG_LEN, 1))
		return BRIDGE_UNTAGGED;
	vlan = __builtin_bswap16(load16(m->data + ETHER_HDR_LEN_)) & 0xfff;
	return vlan == 0 ? BRIDGE_UNTAGGED : vlan << BRIDGE_VLAN_SHIFT;
}

static inline uint64_t
dst_of(const struct mbuf *m)
{
	return load64(m->data) & BRIDGE_ADDR_MASK;
}

static inline uint64_t
src_of(const struct mbuf *m)
{
	return load64(m->data + 6) & BRIDGE_ADDR_MASK;
}

static inline bool
is_group(uint64_t address)
{
	return address & 1;
}

/*
 * 01:80:c2:00:00:01 to 0f: between neighbours only (IEEE 802.1Q-2014 8.6.3). Spanning tree's 00
 * passes, since this bridge doesn't speak it: others shall see that there is a way through.
 */
static inline bool
is_link_local(uint64_t address)
{
	return (address & UINT64_C(0xf0ffffffffff)) == UINT64_C(0x0000c28001) &&
	    address != UINT64_C(0x0000c28001);
}

/* --- out -------------------------------------------------------------------------------------- */

/* Takes the batch; returns how many bytes it were. */
static uint32_t
emit(struct bridge_port *to, struct batch *b)
{
	const uint32_t most = ETHER_HDR_LEN_ + to->ifp->if_mtu;
	struct batch out = { .n = 0 };
	uint32_t bytes = 0;

	batch_foreach(b, m) {
		bytes += m->len;
		if (__builtin_expect(
			m->len > most && !(is_tagged(m) && m->len <= most + VLAN_TAG_LEN), 0))
			m_drop(m, &DROP_BRIDGE_MTU);
		else
			batch_add(&out, m);
	}
	b->n = 0;
	if (out.n > 0)
		if_transmit_frames(to->ifp, &out);
	return bytes;
}

void
bridge_emit(struct bridge_port *to, struct batch *b)
{
	struct if_counters *c = &to->bridge->ifp->if_data;

	c->opackets += b->n;
	c->obytes += emit(to, b);
}

/* From one member, or from the stack itself (NULL), to another. */
static void
send_to(struct bridge_port *from, struct bridge_port *to, struct batch *b)
{
	if (from == NULL)
		emit(to, b); /* if_transmit has counted it */
	else if (bridge_is_filtered())
		bridge_filter_output(to, b);
	else
		bridge_emit(to, b);
}

static inline bool
is_between_private(const struct bridge_port *from, const struct bridge_port *to)
{
	return from != NULL && (from->flags & to->flags & BRIDGE_PRIVATE);
}

/* To stations, n frames: by member, each member's in order. Changes the array. */
static void
send_by_port(struct bridge_port *from, struct mbuf **m, uint32_t n)
{
	while (n > 0) {
		struct bridge_port *to = m[0]->nh;
		struct batch out = { .n = 0 };
		uint32_t left = 0;

		for (uint32_t i = 0; i < n; i++) {
			if (m[i]->nh == to)
				batch_add(&out, m[i]);
			else
				m[left++] = m[i];
		}
		if (__builtin_expect(is_between_private(from, to), 0))
			bridge_drop(&out, &DROP_BRIDGE_PRIVATE);
		else
			send_to(from, to, &out);
		n = left;
	}
}

/*
 * Does a frame for all reach it? Stations that nobody knows are looked for where they may be found.
 */
static inline bool
flood_reaches(const struct bridge_port *from, const struct bridge_port *to, bool group)
{
	return to != from && if_is_usable(to->ifp) && !is_between_private(from, to) &&
	    (group || (to->flags & BRIDGE_DISCOVER));
}

static void
send_clones(struct bridge_port *from, struct bridge_port *to, struct mbuf *const *m, uint32_t n)
{
	struct batch out = { .n = 0 };

	for (uint32_t i = 0; i < n; i++) {
		struct mbuf *clone;

		if (m[i]->len < ETHER_HDR_LEN_) /* for a span: no frame, it will be dropped */
			continue;
		clone = m_clone(m[i]);

		if (clone != NULL)
			batch_add(&out, clone);
		else
			drop_count(&DROP_BRIDGE_NOMEM, 1);
	}
	if (out.n > 0)
		send_to(from, to, &out);
}

/* To all, n frames, which the last member gets itself. */
static void
flood(struct bridge *sc, struct bridge_port *from, struct mbuf *const *m, uint32_t n)
{
	const bool group = m[0]->flags & (M_BCAST | M_MCAST);
	struct bridge_port *to, *last = NULL;
	struct batch out = { .n = n };

	memcpy(out.m, m, n * sizeof(m[0]));
	TAILQ_FOREACH(to, &sc->members, link) {
		if (!flood_reaches(from, to, group))
			continue;
		if (last != NULL)
			send_clones(from, last, m, n);
		last = to;
	}
	if (last != NULL)
		send_to(from, last, &out);
	else
		bridge_drop(&out, &DROP_BRIDGE_NOBODY);
}

/* What frames have in common that go on together. */
enum kind { FOR_STATION, FOR_GROUP, FOR_UNKNOWN };

static inline enum kind
kind_of(const struct mbuf *m)
{
	if (m->nh != NULL)
		return FOR_STATION;
	return m->flags & (M_BCAST | M_MCAST) ? FOR_GROUP : FOR_UNKNOWN;
}

void
bridge_switch(struct bridge *sc, struct bridge_port *from, struct batch *b)
{
	for (uint32_t i = 0, end; i < b->n; i = end) {
		const enum kind kind = kind_of(b->m[i]);

		for (end = i + 1; end < b->n && kind_of(b->m[end]) == kind;)
			end++;
		if (kind == FOR_STATION)
			send_by_port(from, &b->m[i], end - i);
		else
			flood(sc, from, &b->m[i], end - i);
	}
	b->n = 0;
}

/* --- where to --------------------------------------------------------------------------------- */

static inline void
mark_group(struct mbuf *m, uint64_t dst)
{
	m->flags |= dst == BRIDGE_ADDR_MASK ? M_BCAST : M_MCAST;
}

static inline struct bridge_entry *
find_station(const struct bridge *sc, const struct mbuf *m, uint64_t dst)
{
	const uint64_t vlan = vlan_of(m);
	struct bridge_entry *en;

	en = bridge_table_find(&sc->table, dst | BRIDGE_UNTAGGED, m->when_ns);
	if (vlan == BRIDGE_UNTAGGED || (en != NULL && (en->flags & BRIDGE_OUR_OWN)))
		return en;
	return bridge_table_find(&sc->table, dst | vlan, m->when_ns);
}

static inline struct ifnet *
owner_of(const struct bridge *sc, const struct bridge_entry *en)
{
	return en->port != NULL ? en->port->ifp : sc->ifp;
}

struct ifnet *
bridge_resolve(struct bridge *sc, struct mbuf *m)
{
	const uint64_t dst = dst_of(m);
	const struct bridge_entry *en;

	m->nh = NULL;
	if (is_group(dst)) {
		mark_group(m, dst);
		return NULL;
	}
	if ((en = find_station(sc, m, dst)) == NULL)
		return NULL;
	if (en->flags & BRIDGE_OUR_OWN)
		return owner_of(sc, en);
	m->nh = en->port;
	return NULL;
}

/* --- for the stack itself --------------------------------------------------------------------- */

void
bridge_deliver(struct ifnet *to, struct batch *b)
{
	to->if_heard = true;
	batch_foreach(b, m) {
		m->rcvif = to;
		m->fib = to->if_fib;
		m->nh = NULL;
	}
	ether_deliver(to, b);
}

/*
 * Is there anything in the stack that could hear a frame for many by it? An interface without an
 * address is a switch's: nobody there answers, and what would be dropped need not be copied.
 */
static inline bool
has_ears(const struct ifnet *ifp)
{
	return !TAILQ_EMPTY(&ifp->if_addrs) && (ifp->if_flags & IFF_UP_);
}

static void
deliver_one(struct ifnet *to, struct mbuf *m)
{
	struct batch one = { .n = 1, .m = { m } };

	if (m != NULL)
		bridge_deliver(to, &one);
}

/* --- in --------------------------------------------------------------------------------------- */

/* A walk over frames of a member. What is collected goes one way. */
struct walk {
	struct bridge *sc;
	struct bridge_port *from;
	struct ifnet *to; /* whose the collected frames are; NULL = they pass */
	struct batch run;
	/* of the frame before */
	uint64_t src, dst;
	const struct bridge_entry *station;
};

static void
walk_flush(struct walk *w)
{
	if (w->run.n == 0)
		return;
	if (w->to == NULL) {
		if (bridge_is_filtered())
			bridge_filter_input(w->from, &w->run);
		else
			bridge_switch(w->sc, w->from, &w->run);
	} else if (w->to == w->sc->ifp && VNET(bridge_pfil_local_phys)) {
		bridge_filter_local(w->from, &w->run);
	} else {
		bridge_deliver(w->to, &w->run);
	}
	w->run.n = 0;
}

static inline void
walk_add(struct walk *w, struct ifnet *to, struct mbuf *m)
{
	if (w->to != to)
		walk_flush(w);
	w->to = to;
	batch_add(&w->run, m);
}

static void
storm_warn(struct bridge *sc, uint64_t now_ns)
{
	if (now_ns < sc->storm_quiet_until_ns)
		return;
	sc->storm_quiet_until_ns = now_ns + STORM_WARN_S * NS_PER_SEC;
	log_msg(LOG_LVL_WARNING,
	    "%s: more than %u frames within a millisecond (net.link.bridge.storm): is there a loop?",
	    sc->ifp->if_xname, VNET(bridge_storm));
}

/*
 * One frame more; is it one too many? Frames are counted by their own time, so however they come.
 */
static inline bool
is_storm(struct bridge *sc, const struct mbuf *m)
{
	if (m->when_ns > sc->storm_since_ns + NS_PER_MS) {
		sc->storm_since_ns = m->when_ns;
		sc->storm_frames = 0;
	}
	if (__builtin_expect(++sc->storm_frames <= VNET(bridge_storm), 1))
		return false;
	storm_warn(sc, m->when_ns);
	return true;
}

/* Learn where the frame's source is; false: it must not pass, and was dropped. */
static inline bool
learn_source(struct walk *w, struct mbuf *m, uint64_t key)
{
	int error;

	if (key == w->src)
		return true;
	error = bridge_table_learn(&w->sc->table, w->from, key, m->when_ns);
	if (__builtin_expect(error == 0, 1)) {
		w->src = key;
		w->dst = 0; /* a slot may have become another's */
		return true;
	}
	m_drop(m, error == -ENOSPC ? &DROP_BRIDGE_ADDRS : &DROP_BRIDGE_OWN);
	return false;
}

/* To many: it passes, and whoever has ears here gets a copy, behind everything that came before. */
static void
sort_group(struct walk *w, struct mbuf *m, uint64_t dst)
{
	struct ifnet *const here[] = { w->sc->ifp, w->from->ifp };
	struct mbuf *copy[] = { NULL, NULL };

	mark_group(m, dst);
	m->nh = NULL;
	w->sc->ifp->if_data.imcasts++;
	for (unsigned i = 0; i < 2; i++)
		if (has_ears(here[i]) && (copy[i] = m_clone(m)) == NULL)
			drop_count(&DROP_BRIDGE_NOMEM, 1);
	walk_add(w, NULL, m);
	if (copy[0] == NULL && copy[1] == NULL)
		return;
	walk_flush(w);
	for (unsigned i = 0; i < 2; i++)
		deliver_one(here[i], copy[i]);
	w->dst = 0;
}

static inline void
sort_unicast(struct walk *w, struct mbuf *m, uint64_t dst)
{
	const uint64_t key = dst | vlan_of(m);
	const struct bridge_entry *en;

	if (key != w->dst) {
		w->station = find_station(w->sc, m, dst);
		w->dst = key;
	}
	en = w->station;
	if (en != NULL && (en->flags & BRIDGE_OUR_OWN)) {
		walk_add(w, owner_of(w->sc, en), m);
		return;
	}
	if (en != NULL && en->port == w->from) {
		m_drop(m, &DROP_BRIDGE_HERE);
		return;
	}
	m->nh = en != NULL ? en->port : NULL;
	walk_add(w, NULL, m);
}

static inline void
sort(struct walk *w, struct mbuf *m)
{
	uint64_t dst;

	if (__builtin_expect(m->len < ETHER_HDR_LEN_, 0)) {
		m_drop(m, &DROP_ETHER_SHORT);
		return;
	}
	dst = dst_of(m);
	if (__builtin_expect(m->data[6] & 1, 0)) {
		m_drop(m, &DROP_ETHER_SRC_MCAST);
		return;
	}
	if (__builtin_expect(is_storm(w->sc, m), 0)) {
		m_drop(m, &DROP_BRIDGE_STORM);
		return;
	}
	if (!learn_source(w, m, src_of(m) | vlan_of(m)))
		return;
	if (__builtin_expect(!is_group(dst), 1))
		sort_unicast(w, m, dst);
	else if (is_link_local(dst))
		m_drop(m, &DROP_BRIDGE_LINK_LOCAL);
	else
		sort_group(w, m, dst);
}

/* Everything that goes through the bridge, to those who watch. */
static void
send_to_spans(struct bridge *sc, const struct batch *b)
{
	struct bridge_port *span;

	TAILQ_FOREACH(span, &sc->spans, link)
		send_clones(NULL, span, b->m, b->n);
}

static void
count_in(struct bridge *sc, const struct batch *b)
{
	struct if_counters *c = &sc->ifp->if_data;

	c->ipackets += b->n;
	batch_foreach(b, m)
		c->ibytes += m->len;
	if (__builtin_expect(sc->ifp->if_bpf != NULL, 0))
		bpf_tap_batch(sc->ifp, b, BPF_IN);
}

void
bridge_input(struct bridge_port *from, struct batch *b)
{
	struct walk w = { .sc = from->bridge, .from = from };

	if ((from->flags & BRIDGE_SPAN) || !bridge_is_running(w.sc)) {
		ether_deliver(from->ifp, b);
		return;
	}
	count_in(w.sc, b);
	if (w.sc->ifp->if_flags & IFF_MONITOR_) {
		bridge_drop(b, &DROP_ETHER_MONITOR);
		return;
	}
	if (__builtin_expect(!TAILQ_EMPTY(&w.sc->spans), 0))
		send_to_spans(w.sc, b);
	batch_foreach(b, m)
		sort(&w, m);
	b->n = 0;
	walk_flush(&w);
}

/* --- the stack's own frames ------------------------------------------------------------------- */

/* Whichever of our interfaces they were sent by. Takes the batch. */
static void
send_own(struct bridge *sc, struct batch *b)
{
	struct batch out = { .n = 0 };

	if (!TAILQ_EMPTY(&sc->spans))
		send_to_spans(sc, b);
	batch_foreach(b, m) {
		if (m->len < ETHER_HDR_LEN_)
			m_drop(m, &DROP_ETHER_SHORT);
		else if (bridge_resolve(sc, m) != NULL)
			m_drop(m, &DROP_BRIDGE_OWN);
		else
			batch_add(&out, m);
	}
	b->n = 0;
	bridge_switch(sc, NULL, &out);
}

void
bridge_transmit(struct ifnet *ifp, struct batch *b)
{
	send_own(bridge_of(ifp), b);
}

bool
bridge_output(struct bridge_port *port, struct batch *b)
{
	if ((port->flags & BRIDGE_SPAN) || !bridge_is_running(port->bridge))
		return false;
	send_own(port->bridge, b);
	return true;
}
