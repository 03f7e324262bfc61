/*
 * replay_map.h - other addresses for a capture's packets; for port/replay*.c only.
 */
#ifndef WARREN_PORT_REPLAY_MAP_H
#define WARREN_PORT_REPLAY_MAP_H

#include "port/pcap.h"

/* Change source and destination of the packet at p as the maps say, and the sums that cover them. */
void replay_map_packet(const struct replay_config *c, uint8_t *p, uint32_t len);
/* Could a stack have sent this? Padding behind the packet is cut off: *len. */
bool replay_is_sound(const uint8_t *p, uint32_t *len);

#endif
