/*
 * ping.h - the engine behind the verb `ping` and a lab's ping traffic.
 */
#ifndef WARREN_INET_PING_H
#define WARREN_INET_PING_H

#include "inet/udp_traffic.h"

struct ping_config {
	uint32_t src, dst;
	uint64_t count;		/* 0 = until ping_free */
	uint64_t interval_ns;
	uint64_t wait_ns;	/* for a reply */
	uint64_t start_ns;	/* absolute */
	uint64_t stop_ns;	/* no request at or after; NS_NEVER */
	uint32_t size;		/* data bytes, default 56 */
	uint8_t ttl, tos, fib;
	bool df;
	const uint8_t *pattern; unsigned pattern_len;
};
struct ping;
struct ping_reply { uint32_t from; uint16_t seq; uint8_t ttl; uint32_t bytes; uint64_t rtt_ns; bool dup; uint8_t icmp_type, icmp_code; /* != echo reply: an error came */ };
/* on_reply (may be NULL) for each answer, on_done (may be NULL) once when all is answered or waited for; ping_free is allowed in on_done. In curvnet. NULL with errno. */
struct ping *ping_new(const struct ping_config *c, void (*on_reply)(void *ctx, const struct ping_reply *r), void (*on_done)(void *ctx), void *ctx);
void ping_free(struct ping *p);
struct ping_stats { uint64_t sent, received, duplicates, errors; const struct delay_hist *rtt; };
void ping_stats(const struct ping *p, struct ping_stats *st);

#endif
