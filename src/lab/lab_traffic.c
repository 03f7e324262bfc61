/*
 * lab_traffic.c - traffic of a lab: from its words to senders, sinks, pings and replays.
 *
 * All of it runs by itself once it is made. A sink is opened on the stack that has the flow's
 * destination address, one for each flow: what arrives is counted for the flow alone. A flow to a
 * group may have sinks on many.
 */
#include "inet/icmp.h"
#include "inet/in.h"
#include "inet6/in6.h"
#include "lab/lab_model.h"
#include "net/epair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first address of an interface that others can use: not a link-local one. */
static bool
interface_address(const struct ifnet *ifp, int af, struct ipaddr *a)
{
	const struct in_ifaddr *ia = in_ifaddr_first(ifp);
	const struct in6_ifaddr *ia6 = NULL;

	if (af == AF_INET) {
		if (ia != NULL)
			*a = ipaddr4(ia->addr);
		return ia != NULL;
	}
	while ((ia6 = in6_ifaddr_next(ifp, ia6)) != NULL)
		if (!in6_is_linklocal(&ia6->addr)) {
			*a = ipaddr6(&ia6->addr);
			return true;
		}
	return false;
}

bool
lab_node_address(const struct lab_node *n, int af, struct ipaddr *a)
{
	struct ifnet *ifp;

	VNET_SCOPE(n->prison->vnet);
	IF_FOREACH(ifp)
		if (!(ifp->if_flags & IFF_LOOPBACK_) && interface_address(ifp, af, a))
			return true;
	return false;
}

/* The address of `to` on a link with `from`, where they are neighbours: the nearest one. */
static bool
address_seen_from(const struct lab_node *from, const struct lab_node *to, int af, struct ipaddr *a)
{
	struct lab_end *e;

	STAILQ_FOREACH(e, &from->ends, of_node) {
		struct lab_end *peer = lab_end_peer(e);

		if (peer->node == to && peer->ifp != NULL && interface_address(peer->ifp, af, a))
			return true;
	}
	return lab_node_address(to, af, a);
}

static struct lab_node *
owner_of(const struct lab *lab, const struct ipaddr *addr)
{
	struct lab_node *n;

	STAILQ_FOREACH(n, &lab->nodes, next) {
		VNET_SCOPE(n->prison->vnet);
		if (addr->family == AF_INET ? in_local(ipaddr_in(addr)) != NULL :
					      in6_local(ipaddr_in6(addr)) != NULL)
			return n;
	}
	return NULL;
}

/* The text of an address as node n means it: its interfaces' names are zones. */
static bool
address_in(const struct lab_node *n, const char *text, int af, struct ipaddr *a)
{
	VNET_SCOPE(n->prison->vnet);
	return ipaddr_aton(text, af, a);
}

/* f->to -> f->dst, and the node that has it. */
static int
resolve(struct lab *lab, struct lab_flow *f, char **why)
{
	struct lab_node *n = lab_node_find(lab, f->to);

	if (address_in(f->from, f->to, f->family, &f->dst)) {
		if (f->dst.family == AF_INET6 && in6_is_linklocal(ipaddr_in6(&f->dst)) &&
		    in6_zone(ipaddr_in6(&f->dst)) == 0)
			return lab_fail(lab, why, -EINVAL, f->line,
			    "traffic %s: %s is on each link: say by which interface of %s it is "
			    "meant, %s%%eth0",
			    f->name, f->to, f->from->name, f->to);
		f->to_node = owner_of(lab, &f->dst);
		return 0;
	}
	if (n == NULL)
		return lab_fail(lab, why, -EINVAL, f->line,
		    "traffic %s: '%s' is neither an address%s nor a node", f->name, f->to,
		    f->family == AF_INET      ? " of IPv4" :
			f->family == AF_INET6 ? " of IPv6" :
						"");
	f->to_node = n;
	if (f->family != AF_INET6 && address_seen_from(f->from, n, AF_INET, &f->dst))
		return 0;
	if (f->family != AF_INET && address_seen_from(f->from, n, AF_INET6, &f->dst))
		return 0;
	return lab_fail(lab, why, -EINVAL, f->line, "traffic %s: node %s has no %saddress", f->name,
	    n->name,
	    f->family == AF_INET      ? "IPv4 " :
		f->family == AF_INET6 ? "IPv6 " :
					"");
}

/*
 * Addresses that no endpoint can be bound to when the lab begins: the broadcast address, those of a
 * link, whose zone stands in the sender's words, and those that are still looked for a twin of.
 */
static bool
is_unbindable(const struct ipaddr *a)
{
	const struct in6_ifaddr *ia;

	if (a->family == AF_INET)
		return ipaddr_in(a) == UINT32_MAX;
	ia = in6_local(ipaddr_in6(a));
	return in6_is_linklocal(ipaddr_in6(a)) || (ia != NULL && (ia->flags & IN6_IFF_TENTATIVE));
}

/* A sink that has not the address gets what is translated on the way. */
static bool
is_elsewhere(const struct ipaddr *a)
{
	if (ipaddr_is_multicast(a))
		return false;
	return a->family == AF_INET ? in_local(ipaddr_in(a)) == NULL :
				      in6_local(ipaddr_in6(a)) == NULL;
}

/* A group of the link of f's sender: where does n hear it? NULL = nowhere. */
static struct ifnet *
link_of_group(const struct lab_flow *f, const struct lab_node *n)
{
	uint32_t zone = in6_zone(ipaddr_in6(&f->dst));
	struct lab_end *e;

	STAILQ_FOREACH(e, &f->from->ends, of_node)
		if (e->ifp->if_index == zone && lab_end_peer(e)->node == n)
			return lab_end_peer(e)->ifp;
	return NULL;
}

static int
sink_open(struct lab *lab, struct lab_flow *f, const struct lab_node *n, char **why)
{
	struct ipaddr addr = f->dst;
	struct ifnet *ifp = NULL;
	struct in6 zoned;

	VNET_SCOPE(n->prison->vnet);
	if (is_unbindable(&addr) || is_elsewhere(&addr)) {
		memset(addr.b, 0, sizeof(addr.b)); /* any address of the node will do */
	} else if (addr.family == AF_INET6 && in6_zone(ipaddr_in6(&addr)) != 0) {
		if ((ifp = link_of_group(f, n)) == NULL)
			return lab_fail(lab, why, -EINVAL, f->line,
			    "traffic %s: %s is on no link with %s, where %s is sent", f->name,
			    n->name, f->from->name, f->to);
		zoned = *ipaddr_in6(&addr);
		in6_embed(&zoned, ifp->if_index);
		addr = ipaddr6(&zoned);
	}
	f->sink[f->nsinks] = ifp != NULL ?
	    udp_sink_new_member(&addr, (uint16_t)f->port, false, ifp, NULL, 0) :
	    udp_sink_new(&addr, (uint16_t)f->port, false);
	if (f->sink[f->nsinks] != NULL) {
		f->nsinks++;
		return 0;
	}
	return lab_fail(lab, why, -errno, f->line, "traffic %s: port %" PRIu32 " of %s: %s",
	    f->name, f->port, n->name,
	    errno == EADDRINUSE ? "in use: each flow to an address needs a port of its own" :
				  strerror(errno));
}

static int
sinks_build(struct lab *lab, struct lab_flow *f, char **why)
{
	const struct lab_words *w;
	size_t n = 1;
	int error = 0;

	if (f->no_sink)
		return 0;
	if (f->to_node == NULL && STAILQ_EMPTY(&f->sinks))
		return lab_fail(lab, why, -EINVAL, f->line,
		    "traffic %s: no node has the address %s: say on which "
		    "node the sink is (sink: NODE), or that there is none (sink: none)",
		    f->name, f->to);
	STAILQ_FOREACH(w, &f->sinks, next)
		n++;
	f->sink = calloc(n, sizeof(struct udp_sink *));
	if (f->sink == NULL || (n > 2 && (f->all_delays = delay_hist_new()) == NULL))
		return -ENOMEM;
	if (STAILQ_EMPTY(&f->sinks))
		return sink_open(lab, f, f->to_node, why);
	STAILQ_FOREACH(w, &f->sinks, next)
		if (error == 0)
			error = sink_open(lab, f, lab_node_find(lab, w->text), why);
	return error;
}

void
lab_flow_received(const struct lab_flow *f, struct udp_sink_stats *st)
{
	struct udp_sink_stats one;

	*st = (struct udp_sink_stats){};
	if (f->nsinks == 1)
		udp_sink_stats(f->sink[0], st);
	if (f->nsinks <= 1)
		return;
	delay_hist_clear(f->all_delays);
	for (uint32_t i = 0; i < f->nsinks; i++) {
		udp_sink_stats(f->sink[i], &one);
		st->packets += one.packets;
		st->bytes += one.bytes;
		st->ip_bytes += one.ip_bytes;
		st->lost += one.lost;
		st->reordered += one.reordered;
		st->duplicated += one.duplicated;
		delay_hist_merge(f->all_delays, one.delay);
	}
	st->delay = f->all_delays;
}

uint32_t
lab_flow_packet_len(const struct lab_flow *f)
{
	return f->size + (uint32_t)sizeof(struct udp_hdr) + ip_family(f->dst.family)->hdrlen;
}

static int
udp_build(struct lab *lab, struct lab_flow *f, char **why)
{
	struct udp_flow_config c = {
		.dport = (uint16_t)f->port,
		.flows = f->flows,
		.size = f->size,
		.pattern = f->pattern,
		.start_ns = f->start_ns,
		.stop_ns = f->stop_ns,
		.count = f->count,
		.tos = (uint8_t)f->tos,
		.ttl = (uint8_t)f->ttl,
		.name = f->name,
	};
	int error = resolve(lab, f, why);

	if (error == 0)
		error = sinks_build(lab, f, why);
	if (error != 0)
		return error;
	if (f->rate_pps != 0)
		f->rate_bps = f->rate_pps * lab_flow_packet_len(f) * 8;
	c.rate_bps = f->rate_bps;
	c.dst = f->dst;
	VNET_SCOPE(f->from->prison->vnet);
	f->sender = udp_sender_new(&c);
	if (f->sender == NULL)
		return lab_fail(
		    lab, why, -errno, f->line, "traffic %s: %s", f->name, strerror(errno));
	return 0;
}

static void
ping_reply(void *ctx, const struct ping_reply *r)
{
	struct lab_flow *f = ctx;

	if (r->icmp_type != ip_family(f->dst.family)->reply || r->dup || r->late)
		return;
	if (f->nreplies == f->replies_room) {
		size_t room = f->replies_room > 0 ? f->replies_room * 2 : 64;
		struct lab_reply *bigger = reallocarray(f->reply, room, sizeof(*bigger));

		if (bigger == NULL)
			return;
		f->reply = bigger;
		f->replies_room = room;
	}
	f->reply[f->nreplies++] = (struct lab_reply){ .at_ns = clock_now(), .rtt_ns = r->rtt_ns };
}

static void
ping_over(void *ctx)
{
	struct lab_flow *f = ctx;

	f->ping_done = true;
}

static int
ping_build(struct lab *lab, struct lab_flow *f, char **why)
{
	struct ping_config c = {
		.count = f->count,
		.interval_ns = f->every_ns,
		.wait_ns = f->wait_ns,
		.start_ns = f->start_ns,
		.stop_ns = f->stop_ns,
		.size = f->size,
		.ttl = (uint8_t)f->ttl,
		.tos = (uint8_t)f->tos,
		.df = f->df,
	};
	int error = resolve(lab, f, why);

	if (error != 0)
		return error;
	c.dst = f->dst;
	VNET_SCOPE(f->from->prison->vnet);
	f->ping = ping_new(&c, ping_reply, ping_over, f);
	if (f->ping == NULL)
		return lab_fail(
		    lab, why, -errno, f->line, "traffic %s: %s", f->name, strerror(errno));
	return 0;
}

/* A capture's path is relative to the lab file, wherever that is run from. */
static const char *
beside_lab(struct lab *lab, const char *file)
{
	if (file[0] == '/' || lab->folder[0] == '\0')
		return file;
	return lab_printf(lab, "%s/%s", lab->folder, file);
}

static int
replay_build(struct lab *lab, struct lab_flow *f, char **why)
{
	const char *colon = strchr(f->on, ':'), *reason = NULL;
	struct lab_node *n = lab_node_find(
	    lab, lab_printf(lab, "%.*s", (int)(colon - f->on), f->on));
	struct replay_config c = {
		.file = beside_lab(lab, f->file),
		.speed = f->speed,
		.rate_pps = f->rate_pps,
		.start_ns = f->start_ns,
		.count = f->count,
		.loops = f->loops,
		.filter = f->filter,
		.nmaps = f->nmaps,
		.transmit = f->way != NULL && strcmp(f->way, "out") == 0,
		.route = f->way != NULL && strcmp(f->way, "route") == 0,
	};

	VNET_SCOPE(n->prison->vnet);
	c.ifp = if_byname(colon + 1);
	if (c.ifp == NULL)
		return lab_fail(lab, why, -EINVAL, f->line,
		    "traffic %s: on: node %s has no interface %s", f->name, n->name, colon + 1);
	memcpy(c.map, f->map, sizeof(c.map));
	/*
	 * Frames keep the addresses of the wire that they were captured on: here they go to who is
	 * there.
	 */
	if (!c.route) {
		struct ifnet *to = c.transmit ? epair_peer(c.ifp) : c.ifp;

		c.set_dst_mac = to != NULL && to->if_addrlen == 6;
		if (c.set_dst_mac)
			memcpy(c.next_mac, to->if_lladdr, 6);
	}
	f->from = n;
	f->replay = replay_new(&c, &reason);
	if (f->replay == NULL)
		return lab_fail(lab, why, -EINVAL, f->line, "traffic %s: %s", f->name, reason);
	return 0;
}

int
lab_traffic_build(struct lab *lab, char **why)
{
	struct lab_flow *f;
	int error = 0;

	STAILQ_FOREACH(f, &lab->flows, next) {
		/* Traffic ends with the run at the latest; what is under way then still arrives. */
		if (f->unbounded || f->stop_ns > lab->end_ns)
			f->stop_ns = lab->end_ns;
		if (f->for_ns != 0 && f->start_ns + f->for_ns < f->stop_ns)
			f->stop_ns = f->start_ns + f->for_ns;
		switch (f->kind) {
		case LAB_FLOW_UDP:
			error = udp_build(lab, f, why);
			break;
		case LAB_FLOW_PING:
			error = ping_build(lab, f, why);
			break;
		case LAB_FLOW_REPLAY:
			error = replay_build(lab, f, why);
			break;
		case LAB_FLOW_NONE:
			break;
		}
		if (error != 0)
			break;
	}
	return error;
}

static bool
flow_ended(const struct lab_flow *f)
{
	uint64_t packets, bytes, errors;
	struct replay_stats st;

	if (f->unbounded || f->stop_ns <= clock_now())
		return true;
	switch (f->kind) {
	case LAB_FLOW_UDP:
		udp_sender_stats(f->sender, &packets, &bytes, &errors);
		return f->count != 0 && packets + errors >= f->count;
	case LAB_FLOW_PING:
		return f->ping_done;
	case LAB_FLOW_REPLAY:
		replay_stats(f->replay, &st);
		return st.done;
	case LAB_FLOW_NONE:
		break;
	}
	return true;
}

bool
lab_traffic_ended(const struct lab *lab)
{
	const struct lab_flow *f;

	STAILQ_FOREACH(f, &lab->flows, next)
		if (!flow_ended(f))
			return false;
	return true;
}

void
lab_traffic_free(struct lab *lab)
{
	struct lab_flow *f;

	STAILQ_FOREACH(f, &lab->flows, next) {
		if (f->sender != NULL)
			udp_sender_free(f->sender);
		for (uint32_t i = 0; i < f->nsinks; i++)
			udp_sink_free(f->sink[i]);
		if (f->ping != NULL)
			ping_free(f->ping);
		if (f->replay != NULL)
			replay_free(f->replay);
		free(f->reply);
		free(f->sink);
		delay_hist_free(f->all_delays);
		f->sender = NULL;
		f->sink = NULL;
		f->nsinks = 0;
		f->all_delays = NULL;
		f->ping = NULL;
		f->replay = NULL;
		f->reply = NULL;
	}
}
