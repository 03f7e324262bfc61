/*
 * packet_line.h - what the rooms that put a packet into words share: a line that fills up, and the
 * words that both families have.
 */
#ifndef WARREN_PORT_PACKET_LINE_H
#define WARREN_PORT_PACKET_LINE_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* What does not fit is cut. */
struct line {
	char *at;
	size_t len, room;
};

void say(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline uint16_t
wire16(const uint8_t *p)
{
	return __builtin_bswap16(load16(p));
}

static inline uint32_t
wire32(const uint8_t *p)
{
	return __builtin_bswap32(load32(p));
}

/* From one end to the other, with ports if the payload at p, caplen bytes of it there, has them. */
void say_ends(struct line *l, uint8_t proto, const char *from, const char *to, const uint8_t *p,
    uint32_t caplen);
/* A payload of len bytes, caplen of them there (not more than len): what both families carry. */
void say_upper(struct line *l, uint8_t proto, const uint8_t *p, uint32_t caplen, uint32_t len);
/* An IPv6 packet, caplen bytes of it there. */
void say_ip6(struct line *l, const uint8_t *p, uint32_t caplen);

#endif
