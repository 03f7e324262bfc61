/*
 * warren-divert.h - what goes through a door of the firewall (`ipfw door`), both ways.
 *
 * A program connects to the door's path, a unix socket of type SOCK_SEQPACKET. What it reads are
 * datagrams: this header, then the packet from its IP header on (with WARREN_FRAME: from its
 * Ethernet header on). To let the packet go on it writes the datagram back, changed or not; to lose
 * it, it writes nothing. docs/ipfw-programs.md has the whole story, examples/divert/ a program.
 *
 * Numbers are in network order. The layout never changes within a version.
 */
#ifndef WARREN_DIVERT_H
#define WARREN_DIVERT_H

#include <stdint.h>

#define WARREN_DATAGRAM_VERSION 1

enum warren_datagram_kind {
	WARREN_PACKET = 1,   /* divert, netgraph: written back it goes on, else it is lost */
	WARREN_COPY = 2,     /* tee, ngtee: the packet itself has gone on */
	WARREN_QUESTION = 3, /* auth: it is held; the answer is this header with a verdict */
};
enum warren_datagram_direction { WARREN_IN = 1, WARREN_OUT = 2 };
enum warren_datagram_verdict { WARREN_NO_ANSWER = 0, WARREN_PASS = 1, WARREN_BLOCK = 2 };
enum warren_datagram_flag {
	WARREN_FRAME = 1 << 0,     /* begins with the Ethernet header */
	WARREN_BROADCAST = 1 << 1, /* came as the link's broadcast */
	WARREN_MULTICAST = 1 << 2, /* came as a multicast of the link */
	WARREN_FORWARDED = 1 << 3, /* out: not made in this stack */
	WARREN_LOOPED = 1 << 4,    /* came through a loopback interface */
	WARREN_ON_LINK = 1 << 5,   /* out: to a destination on the link of xmit, not by a route */
	WARREN_BRIDGED = 1 << 6, /* a frame on its way through a bridge; xmit says where, in too */
	WARREN_AS_IPV4 = 1 << 7, /* bridged: the rules saw the IPv4 packet in it */
	WARREN_AS_IPV6 = 1 << 8, /* … the IPv6 packet */
};

struct warren_datagram {
	uint8_t version;   /* WARREN_DATAGRAM_VERSION */
	uint8_t kind;      /* enum warren_datagram_kind */
	uint8_t direction; /* enum warren_datagram_direction */
	uint8_t verdict;   /* enum warren_datagram_verdict: of an answer */
	uint16_t flags;    /* enum warren_datagram_flag */
	uint16_t number;   /* divert port, or number of the hook */
	uint16_t rule; /* that sent it; written back: it goes on at the rule behind that number */
	uint8_t fib;   /* routing table */
	uint8_t zero;  /* 0 */
	uint32_t rule_id;  /* of several rules with the number this one; 0: behind all of them */
	uint64_t question; /* names the packet that is held */
	uint32_t length;   /* bytes of the packet; of a question more than follow, maybe */
	uint32_t stack;    /* number of the stack; for people */
	char recv[16];     /* interface that it came in by; "" = made in this stack */
	char xmit[16];     /* out: interface that it leaves by; "" = as the routes say */
};
_Static_assert(sizeof(struct warren_datagram) == 64, "the layout is a promise");

/* More than this is in no datagram. */
#define WARREN_DATAGRAM_MAX (sizeof(struct warren_datagram) + 65535 + 18)

#endif
