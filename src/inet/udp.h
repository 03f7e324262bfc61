/*
 * udp.h - UDP endpoints (RFC 768) over both families, used by programs inside the process: labs'
 * traffic, tools, the C API.
 */
#ifndef WARREN_INET_UDP_H
#define WARREN_INET_UDP_H

#include "inet/ip.h"
#include "inet/ipaddr.h"
#include "inet/multicast.h"

struct udp_hdr {
	be16 sport, dport, len;
	uint16_t sum;
} __attribute__((packed));
_Static_assert(sizeof(struct udp_hdr) == 8, "wire");

struct udp_endpoint;

/*
 * m->data at the payload; info (borrowed) says from whom and to which address, ports in host order.
 * Takes m. curvnet is the endpoint's, clock_now() the packet's time.
 */
typedef void udp_recv_fn(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port);

/*
 * In curvnet. An endpoint belongs to the family of addr and hears that family only; zeros = any
 * address of it. Several may listen to one group and port. port 0 = an ephemeral one
 * (net.inet.ip.portrange.first … last). NULL with errno: EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT,
 * ENFILE, ENOMEM.
 */
struct udp_endpoint *udp_open(
    const struct ipaddr *addr, uint16_t port, udp_recv_fn *recv, void *ctx);
/*
 * Allowed in recv and error_fn. An endpoint whose stack has ended is deaf and mute (-ENETDOWN)
 * until it is closed.
 */
void udp_close(struct udp_endpoint *ep);
/*
 * Default destination; then only its packets are received, and ICMP errors of it reach error_fn
 * (may be NULL) as a negative errno value. 0 or -errno.
 */
int udp_connect(struct udp_endpoint *ep, const struct ipaddr *addr, uint16_t port,
    void (*error_fn)(void *ctx, int err));
/* Send a payload; dst NULL = connected. Takes m. 0 or the errors of the family's output. */
int udp_send(struct udp_endpoint *ep, struct mbuf *m, const struct ipaddr *dst, uint16_t port);
uint16_t udp_port(const struct udp_endpoint *ep);
void udp_set_ttl(struct udp_endpoint *ep, uint8_t ttl); /* or hop limit */
void udp_set_tos(struct udp_endpoint *ep, uint8_t tos); /* or traffic class */
void udp_set_fib(struct udp_endpoint *ep, uint8_t fib);

/*
 * Groups (inet/multicast.h). An endpoint that has joined none hears all that the stack listens to;
 * one that has, only those, from the interface (NULL = as mcast_join chooses) and the sources of its
 * filter. 0; -EADDRINUSE twice; -EADDRNOTAVAIL not a member; errors of mcast_join.
 */
int udp_join(struct udp_endpoint *ep, struct ifnet *ifp, const struct ipaddr *group);
int udp_leave(struct udp_endpoint *ep, struct ifnet *ifp, const struct ipaddr *group);
int udp_set_filter(struct udp_endpoint *ep, struct ifnet *ifp, const struct ipaddr *group,
    enum mcast_mode mode, const struct ipaddr *sources, unsigned n);
/* How it sends to groups: interface (NULL = by route), time to live (0 = 1), to itself too. */
void udp_set_multicast_if(struct udp_endpoint *ep, struct ifnet *ifp);
void udp_set_multicast_ttl(struct udp_endpoint *ep, uint8_t ttl);
void udp_set_multicast_loop(struct udp_endpoint *ep, bool on);

/* Endpoints of curvnet in order of port and address, as netstat lists them; fn non-zero stops. */
struct udp_info {
	struct ipaddr laddr, faddr; /* of one family; zeros = any */
	uint16_t lport, fport;      /* 0 = any */
};
int udp_foreach(int (*fn)(const struct udp_info *info, void *ctx), void *ctx);

/*
 * For the families. A datagram for us: m->data at the IP header, info->hlen bytes before UDP's.
 * Takes m.
 */
void udp_input(struct mbuf *m, const struct ip_info *info);
/* An ICMP error quotes uh, which we sent from src to dst; error: a positive errno. */
void udp_error(
    const struct ipaddr *src, const struct ipaddr *dst, const struct udp_hdr *uh, int error);

/*
 * A filter has a datagram delivered as if it were for another address and port (0 = its own):
 * M_NEXTHOP, and this as a tag. If nobody is there, it is for whom it was sent to.
 */
struct udp_instead {
	struct ipaddr addr;
	uint16_t port;
};
enum { UDP_TAG_INSTEAD = 0x55445049 }; /* "UDPI" */

/* Would a datagram from faddr:fport to laddr:lport, of one family, find an endpoint? */
bool udp_has_endpoint(
    const struct ipaddr *laddr, uint16_t lport, const struct ipaddr *faddr, uint16_t fport);

DROP_DECLARE(DROP_UDP_NOPORT); /* nobody listens */
DROP_DECLARE(DROP_UDP_BADSUM);

struct udpstat {
	uint64_t ipackets, hdrops, badsum, nosum, badlen, noport, noportbcast, fullsock, opackets,
	    delivered;
};
VNET_DECLARE(struct udpstat, udpstat);
#define V_udpstat VNET(udpstat)

#endif
