/*
 * punt_service.h - what guests serve: which packets are theirs, and the groups they listen to.
 */
#ifndef WARREN_PORT_PUNT_SERVICE_H
#define WARREN_PORT_PUNT_SERVICE_H

#include "inet/ipaddr.h"

/* The numbers of IP protocols that are looked at; of some, only a part is served. */
enum { PUNT_PROTOCOLS = 4 };
extern const uint8_t punt_protocols[PUNT_PROTOCOLS];

/* UDP ports beyond those of the routing protocols. */
struct punt_ports {
	const uint16_t *port;
	unsigned n;
};

/*
 * Is a packet for this stack one for the guest; may a guest send it? upper: len bytes from the
 * header of protocol proto on.
 */
bool punt_serves(const struct punt_ports *more, uint8_t proto, const uint8_t *upper, uint32_t len);
bool punt_may_send(
    const struct punt_ports *more, uint8_t proto, const uint8_t *upper, uint32_t len);

/* The groups of these services, of both families. */
enum { PUNT_GROUPS = 12 };
extern const char *const punt_groups[PUNT_GROUPS];

#endif
