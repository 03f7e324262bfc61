/*
 * divert_door.h - a path by which a program outside takes a stack's diverted packets, has a hook of
 * the node ipfw, or judges packets that are held.
 *
 * The door is a unix socket that listens; the program that connects to it is the listener
 * (ipfw/listener.h) as long as it stays. One program a door. What goes through is described in
 * include/warren-divert.h.
 */
#ifndef WARREN_PORT_DIVERT_DOOR_H
#define WARREN_PORT_DIVERT_DOOR_H

#include "ipfw/listener.h"

struct divert_door_info {
	uint8_t kind;    /* FW_ACT_DIVERT, FW_ACT_NETGRAPH, FW_ACT_AUTH */
	uint16_t number; /* of the last one 0 */
	const char *path;
	bool connected;
	uint64_t to_program, from_program; /* datagrams */
	uint64_t lost, malformed;          /* too slow, or gone; not a datagram */
	uint32_t queued;
};

/* In curvnet, in live time. 0, or -errno with a line in why. */
int divert_door_open(uint8_t kind, uint16_t number, const char *path, char *why, size_t why_len);
/* -ENOENT: there is none. */
int divert_door_close(uint8_t kind, uint16_t number);
/* Those of curvnet, as they were opened. */
void divert_door_foreach(void (*fn)(const struct divert_door_info *info, void *ctx), void *ctx);

#endif
