/*
 * udp_internal.h - what UDP's rooms share: the endpoint and the ways to find it.
 */
#ifndef WARREN_INET_UDP_INTERNAL_H
#define WARREN_INET_UDP_INTERNAL_H

#include "inet/udp.h"

struct udp_group;

struct udp_endpoint {
	struct udp_endpoint *hnext;
	struct vnet *vnet; /* NULL when the stack has ended */
	const struct ip_family *family;
	struct ipaddr laddr, faddr; /* of the family; zeros = any */
	uint16_t lport, fport;
	uint8_t ttl, tos, fib;
	/* groups (udp_group.c) */
	uint8_t mcast_ttl;
	bool mcast_noloop;
	struct ifnet *mcast_ifp;  /* a reference; NULL = by route */
	struct udp_group *groups; /* memberships; NULL = none */
	udp_recv_fn *recv;
	void *ctx;
	void (*error_fn)(void *ctx, int err);
};

/* Is a datagram from faddr to laddr, of one family, for ep? */
static inline bool
udp_endpoint_fits(const struct udp_endpoint *ep, const struct ipaddr *laddr,
    const struct ipaddr *faddr, uint16_t fport)
{
	return ep->laddr.family == laddr->family &&
	    (ipaddr_is_any(&ep->laddr) || ipaddr_equal(&ep->laddr, laddr)) &&
	    (ipaddr_is_any(&ep->faddr) || (ep->fport == fport && ipaddr_equal(&ep->faddr, faddr)));
}

/*
 * The endpoint for a datagram: connected to its sender before bound to its address before any.
 */
struct udp_endpoint *udp_endpoint_for(
    const struct ipaddr *laddr, uint16_t lport, const struct ipaddr *faddr, uint16_t fport);

/* A walk over the endpoints of a port's chain in which endpoints may be closed; walks may nest. */
struct udp_walk {
	struct udp_endpoint *next; /* what it looks at next */
	struct udp_walk *outer;
};
void udp_walk_begin(struct udp_walk *w, uint16_t lport);
struct udp_endpoint *udp_walk_next(struct udp_walk *w); /* of any port; NULL at the end */
void udp_walk_end(const struct udp_walk *w);

/* Does ep listen to the group that m came to? */
bool udp_group_accepts(
    const struct udp_endpoint *ep, const struct mbuf *m, const struct ip_info *info);
/* How ep sends to a group: fills in o, and dst's zone. 0 or -errno. */
int udp_group_way(const struct udp_endpoint *ep, struct ipaddr *dst, struct ip_opts_out *o);
/* ep leaves its stack. */
void udp_groups_end(struct udp_endpoint *ep);

#endif
