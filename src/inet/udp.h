/*
 * udp.h - UDP endpoints (RFC 768), used by programs inside the process: labs' traffic, tools, the C
 * API.
 */
#ifndef WARREN_INET_UDP_H
#define WARREN_INET_UDP_H

#include "inet/ip.h"

struct udp_hdr {
	be16 sport, dport, len;
	uint16_t sum;
} __attribute__((packed));
_Static_assert(sizeof(struct udp_hdr) == 8, "wire");

struct udp_endpoint;

/*
 * m->data at the payload; from: network order, port host order. Takes m. curvnet is the endpoint's,
 * clock_now() the packet's time.
 */
typedef void udp_recv_fn(void *ctx, struct mbuf *m, uint32_t from, uint16_t from_port, uint32_t to);

/*
 * In curvnet. addr 0 = any, port 0 = an ephemeral one (net.inet.ip.portrange.first … last). NULL
 * with errno: EADDRINUSE, EADDRNOTAVAIL, ENOMEM.
 */
struct udp_endpoint *udp_open(uint32_t addr, uint16_t port, udp_recv_fn *recv, void *ctx);
/*
 * Allowed in recv and error_fn. An endpoint whose stack has ended is deaf and mute (-ENETDOWN)
 * until it is closed.
 */
void udp_close(struct udp_endpoint *ep);
/*
 * Default destination; then only its packets are received, and ICMP errors of it reach error_fn
 * (may be NULL) as a negative errno value. 0 or -errno.
 */
int udp_connect(
    struct udp_endpoint *ep, uint32_t addr, uint16_t port, void (*error_fn)(void *ctx, int err));
/* Send a payload; dst 0 = connected. Takes m. 0 or the errors of ip_output. */
int udp_send(struct udp_endpoint *ep, struct mbuf *m, uint32_t dst, uint16_t port);
uint16_t udp_port(const struct udp_endpoint *ep);
void udp_set_ttl(struct udp_endpoint *ep, uint8_t ttl);
void udp_set_tos(struct udp_endpoint *ep, uint8_t tos);
void udp_set_fib(struct udp_endpoint *ep, uint8_t fib);

/* Endpoints of curvnet in order of port and address, as netstat lists them; fn non-zero stops. */
struct udp_info {
	uint32_t laddr, faddr; /* network order, 0 = any */
	uint16_t lport, fport; /* 0 = any */
};
int udp_foreach(int (*fn)(const struct udp_info *info, void *ctx), void *ctx);

DROP_DECLARE(DROP_UDP_NOPORT); /* nobody listens */
DROP_DECLARE(DROP_UDP_BADSUM);

struct udpstat {
	uint64_t ipackets, hdrops, badsum, nosum, badlen, noport, noportbcast, fullsock, opackets,
	    delivered;
};
VNET_DECLARE(struct udpstat, udpstat);
#define V_udpstat VNET(udpstat)

#endif
