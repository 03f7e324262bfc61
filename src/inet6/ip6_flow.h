/*
 * ip6_flow.h - an IPv6 packet's flow (route/flow.h), read once and kept in m->flowid.
 */
#ifndef WARREN_INET6_IP6_FLOW_H
#define WARREN_INET6_IP6_FLOW_H

#include "inet6/ip6.h"
#include "route/flow.h"

/*
 * m is at a complete header. Routers don't go through chains of extension headers: behind one, the
 * flow label stands for the ports.
 */
static inline uint32_t
ip6_flow(struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	bool ports = flow_has_ports(ip6->nxt) && m->len >= IP6_HDRLEN + 4;

	if (m->flowid == 0)
		m->flowid = flow_hash6(&ip6->src, &ip6->dst, ip6->nxt,
		    ports ? load32(m->data + IP6_HDRLEN) : ip6_flowlabel(ip6));
	return m->flowid;
}

#endif
