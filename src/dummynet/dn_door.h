/*
 * dn_door.h - by which way a packet came into the shaper, and so goes back.
 *
 * While a packet is inside, m->nh points to its door and m->rcvif is NULL: it is here, and what it
 * was to its stack the door's room has written into a tag.
 */
#ifndef WARREN_DUMMYNET_DN_DOOR_H
#define WARREN_DUMMYNET_DN_DOOR_H

#include "base/mbuf.h"

struct dn_door {
	const char *name; /* "ipfw", "ifconfig" */
	/*
	 * Packets that are due, of this door and in its stack, in the order of their when_ns, each
	 * with its time in when_ns; m->nh is NULL again. Takes them.
	 */
	void (*deliver)(const struct dn_door *door, struct batch *b);
	bool frame; /* an Ethernet header stands before the IP header */
	void *ctx;
};

static inline const struct dn_door *
dn_door_of(const struct mbuf *m)
{
	return m->nh;
}

#endif
