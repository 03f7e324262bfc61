/*
 * ip_flow.h - an IPv4 packet's flow (route/flow.h), read once and kept in m->flowid.
 */
#ifndef WARREN_INET_IP_FLOW_H
#define WARREN_INET_IP_FLOW_H

#include "inet/ip.h"
#include "route/flow.h"

/* m is at a complete header. */
static inline uint32_t
ip_flow(struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const unsigned hlen = ip_hlen(ip);
	uint32_t ports = 0;

	if (m->flowid != 0)
		return m->flowid;
	if (flow_has_ports(ip->proto) && m->len >= hlen + 4 &&
	    !(from_be16(ip->off) & (IP_MF_ | IP_OFFMASK_)))
		ports = load32(m->data + hlen);
	return m->flowid = flow_hash4(ip->src, ip->dst, ip->proto, ports);
}

#endif
