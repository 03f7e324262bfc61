/*
 * punt_service.c - what guests serve: by protocol number, and of UDP by port.
 *
 * A packet for the router is the guest's if its destination port is served. A guest may send from
 * or to such a port: BFD's come from a port that is chosen for each session (RFC 5881 4).
 */
#include "port/punt_service.h"

#include "inet/udp.h"

enum { IPPROTO_EIGRP_ = 88, IPPROTO_OSPF_ = 89 };

const uint8_t punt_protocols[PUNT_PROTOCOLS] = {
	IPPROTO_TCP_,
	IPPROTO_UDP_,
	IPPROTO_EIGRP_,
	IPPROTO_OSPF_,
};

static const uint16_t udp_ports[] = {
	520,  /* RIP (RFC 2453) */
	521,  /* RIPng (RFC 2080) */
	646,  /* LDP's hellos (RFC 5036) */
	3784, /* BFD over one hop (RFC 5881) */
	4784, /* over several (RFC 5883) */
	6696, /* Babel (RFC 8966) */
};

const char *const punt_groups[PUNT_GROUPS] = {
	"224.0.0.2", "ff02::2",     /* LDP */
	"224.0.0.5", "ff02::5",     /* OSPF (RFC 2328, 5340) */
	"224.0.0.6", "ff02::6",     /* its designated routers */
	"224.0.0.9", "ff02::9",     /* RIP, RIPng */
	"224.0.0.10", "ff02::a",    /* EIGRP (RFC 7868) */
	"224.0.0.111", "ff02::1:6", /* Babel */
};

static bool
is_port_served(const struct punt_ports *more, uint16_t port)
{
	for (size_t i = 0; i < sizeof(udp_ports) / sizeof(udp_ports[0]); i++)
		if (udp_ports[i] == port)
			return true;
	for (unsigned i = 0; i < more->n; i++)
		if (more->port[i] == port)
			return true;
	return false;
}

static bool
is_protocol_served(uint8_t proto)
{
	for (unsigned i = 0; i < PUNT_PROTOCOLS; i++)
		if (punt_protocols[i] == proto)
			return true;
	return false;
}

bool
punt_serves(const struct punt_ports *more, uint8_t proto, const uint8_t *upper, uint32_t len)
{
	const struct udp_hdr *uh = (const void *)upper;

	if (proto != IPPROTO_UDP_)
		return is_protocol_served(proto);
	return len >= sizeof(*uh) && is_port_served(more, from_be16(uh->dport));
}

bool
punt_may_send(const struct punt_ports *more, uint8_t proto, const uint8_t *upper, uint32_t len)
{
	const struct udp_hdr *uh = (const void *)upper;

	if (punt_serves(more, proto, upper, len))
		return true;
	return proto == IPPROTO_UDP_ && len >= sizeof(*uh) &&
	    is_port_served(more, from_be16(uh->sport));
}
