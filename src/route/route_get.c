/*
 * route_get.c - `route get`: which route an address has; of several paths, which one a flow takes.
 *
 * The flow is what -src, -proto, -sport and -dport say of it, and its destination; what is not said
 * counts as zero, as it does in packets that have none.
 */
#include "route/flow.h"
#include "route/rib.h"
#include "route/route_cmd.h"

#include <inttypes.h>
#include <string.h>

const char *
route_addr_text(const struct rt_addr *a, char text[RT_ADDR_TEXT])
{
	struct rt_addr host = rt_addr_make(a->family, a->addr, 128);

	return rt_addr_text(a->plen == 0 ? a : &host, text);
}

const char *
route_dst_text(const struct rtentry *rt, char text[RT_ADDR_TEXT])
{
	struct rt_addr key;

	if (radix_mask_of(&rt->rn) == NULL)
		return route_addr_text(&rt->dst, text);
	key = rt_addr_make(rt->dst.family, rt->rn.key, 128);
	return rt_addr_text(&key, text);
}

const char *
route_mask_text(const struct rtentry *rt, char text[RT_ADDR_TEXT])
{
	const uint8_t *bytes = radix_mask_of(&rt->rn);
	const int family = rt->dst.family;
	struct rt_addr mask = rt_mask(family, rt->dst.plen);

	if (bytes == NULL && rt->dst.plen == 0)
		return strcpy(text, "default");
	if (bytes != NULL)
		mask = rt_addr_make(family, bytes, 128);
	return rt_addr_text(&mask, text);
}

static uint32_t
flow_of(const struct route_words *w)
{
	uint32_t ports = (uint32_t)__builtin_bswap16(w->flow_dport) << 16 |
	    __builtin_bswap16(w->flow_sport);

	if (!flow_has_ports(w->flow_proto))
		ports = 0;
	if (w->rq.dst.family == AF_INET)
		return flow_hash4(
		    load32(w->flow_src.addr), load32(w->rq.dst.addr), w->flow_proto, ports);
	return flow_hash6(rt_addr_in6(&w->flow_src), rt_addr_in6(&w->rq.dst), w->flow_proto, ports);
}

/* All paths of a prefix, the one that was chosen marked. */
static void
paths_say(const struct route_words *w, const struct rtentry *first, const struct rtentry *chosen)
{
	struct emitter *e = w->v->out;
	char text[RT_ADDR_TEXT];

	emit_list(e, "paths");
	for (const struct rtentry *rt = first; rt != NULL; rt = rib_next_path(rt)) {
		bool usable = if_is_usable(rt->nh.ifp);

		emit_object(e, NULL);
		emit_str(e, "gateway", "       path: %s", rib_gateway_text(rt, text));
		emit_str(e, "interface", " by %s", rt->nh.ifp->if_xname);
		emit_uint(e, "weight", ", weight %" PRIu64, rt->weight);
		emit_bool(e, "usable", usable);
		emit_bool(e, "chosen", rt == chosen);
		emit_text(e, "%s%s\n", usable ? "" : ", link down", rt == chosen ? ", chosen" : "");
		emit_end(e);
	}
	emit_end(e);
}

static void
get_say(const struct route_words *w, const struct rtentry *rt, const struct rtentry *first)
{
	struct emitter *e = w->v->out;
	char text[RT_ADDR_TEXT], flags[RIB_FLAG_NAMES];

	emit_str(e, "route-to", "   route to: %s\n", route_addr_text(&w->rq.dst, text));
	emit_str(e, "destination", "destination: %s\n", route_dst_text(rt, text));
	if (!(rt->nh.flags & RTF_HOST_))
		emit_str(e, "mask", "       mask: %s\n", route_mask_text(rt, text));
	if (rt->nh.flags & RTF_GATEWAY_)
		emit_str(e, "gateway", "    gateway: %s\n", rib_gateway_text(rt, text));
	emit_uint(e, "fib", w->rq.fib != 0 ? "        fib: %" PRIu64 "\n" : NULL, w->rq.fib);
	emit_str(e, "interface", "  interface: %s\n", rt->nh.ifp->if_xname);
	emit_str(
	    e, "flags", "      flags: <%s>\n", rib_flag_names(rt->nh.flags | RTF_DONE_, flags));
	emit_text(e, " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n");
	emit_text(e, "%8d  %8d  %8d  %8d  ", 0, 0, 0, 0);
	emit_uint(e, "mtu", "%8" PRIu64 "  ", rt->nh.mtu != 0 ? rt->nh.mtu : rt->nh.ifp->if_mtu);
	emit_uint(e, "weight", "%8" PRIu64 "  ", rt->weight);
	emit_uint(e, "expire", "%8" PRIu64 " \n", rib_expires_in(rt));
	if (rib_next_path(first) != NULL)
		paths_say(w, first, rt);
}

/* The route that the words name, by its prefix or by an address that it leads to. */
static struct rtentry *
route_named(const struct route_words *w)
{
	if (w->rq.mask != NULL)
		return rib_exact_masked(w->rq.fib, &w->rq.dst, w->rq.mask);
	if (w->has_mask || strchr(w->dst, '/') != NULL)
		return rib_exact(w->rq.fib, &w->rq.dst);
	return rib_match(w->rq.fib, &w->rq.dst);
}

int
route_get(struct route_words *w, int argc, char **argv)
{
	struct rtentry *first, *rt;
	int status;

	if ((status = route_words_parse(w, argc, argv)) != 0)
		return status;
	rt = first = route_named(w);
	if (rt != NULL && rt->group != NULL)
		rt = nexthop_choose(rib_hop(rt), w->rq.dst.addr, flow_of(w))->rt;
	if (rt == NULL || !rib_visible(rt))
		return w->quiet ? 1 : verb_error(w->v, 1, "%sroute has not been found", w->where);
	if (!w->quiet)
		get_say(w, rt, first);
	return 0;
}
