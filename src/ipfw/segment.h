/*
 * segment.h - empty segments of TCP that the firewall sends in another's name: resets, keepalives.
 */
#ifndef WARREN_IPFW_SEGMENT_H
#define WARREN_IPFW_SEGMENT_H

#include "base/bytes.h"
#include "net/in6addr.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_hdr {
	be16 sport, dport;
	be32 seq, ack;
	uint8_t off, flags;
	be16 window;
	uint16_t sum;
	be16 urgent;
} __attribute__((packed));
_Static_assert(sizeof(struct tcp_hdr) == 20, "wire");
enum { TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_ACK = 0x10 };

struct fw_segment {
	bool v6;
	uint8_t flags, fib;
	uint16_t port[2];    /* from, to; host order */
	uint32_t addr4[2];   /* network order */
	struct in6 addr6[2]; /* with zones */
	uint32_t seq, ack;
};

/*
 * Send it, at clock_now(). It meets no rules and no NAT on its way: who makes one for a flow that a
 * NAT translates asks that first (fw_nat_segment).
 */
void fw_segment_send(const struct fw_segment *s);

#endif
