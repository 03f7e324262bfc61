/*
 * icmp.h - ICMP for IPv4 (RFC 792, 1122, 1191, 1812).
 */
#ifndef WARREN_INET_ICMP_H
#define WARREN_INET_ICMP_H

#include "inet/ip.h"

struct icmp_hdr {
	uint8_t type, code;
	uint16_t sum;
	union {
		struct {
			be16 id, seq;
		} echo;
		uint32_t gateway; /* redirect, network order */
		struct {
			be16 unused, mtu;
		} frag;
		struct {
			uint8_t pointer, unused[3];
		} param;
	};
} __attribute__((packed));
_Static_assert(sizeof(struct icmp_hdr) == 8, "wire");

enum icmp_type {
	ICMP_ECHOREPLY_ = 0,
	ICMP_UNREACH_ = 3,
	ICMP_SOURCEQUENCH_ = 4,
	ICMP_REDIRECT_ = 5,
	ICMP_ECHO_ = 8,
	ICMP_TIMXCEED_ = 11,
	ICMP_PARAMPROB_ = 12,
	ICMP_TSTAMP_ = 13,
	ICMP_TSTAMPREPLY_ = 14,
	ICMP_MASKREQ_ = 17,
	ICMP_MASKREPLY_ = 18,
};
enum icmp_unreach {
	ICMP_UNREACH_NET_,
	ICMP_UNREACH_HOST_,
	ICMP_UNREACH_PROTOCOL_,
	ICMP_UNREACH_PORT_,
	ICMP_UNREACH_NEEDFRAG_,
	ICMP_UNREACH_SRCFAIL_,
	ICMP_UNREACH_FILTER_PROHIB_ = 13
};

/*
 * Answer packet m with an error (RFC 1122 3.2.2 says when not). m->data at its IP header, as it
 * was received. arg: next-hop MTU (host order) for NEEDFRAG, gateway (network order) for redirects,
 * pointer for PARAMPROB. Rate limited (net.inet.icmp.icmplim). Borrows m: the caller still drops or
 * forwards it.
 */
void icmp_error(const struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg);

struct icmpstat {
	uint64_t error, oldshort, oldicmp, badcode, tooshort, checksum, badlen, reflect, bmcastecho,
	    badaddr, noroute, limited;
	uint64_t outhist[41], inhist[41];
	uint64_t bmcasttstamp;
};
enum { ICMP_MAXTYPE_ = 40 };

/* One's complement sum over an ICMP message; fills in its sum field. m->data at the ICMP header. */
void icmp_finish(struct mbuf *m);
/* Milliseconds since midnight UTC, as timestamps of IP and ICMP count them. */
uint32_t icmp_ms_of_day(void);

VNET_DECLARE(struct icmpstat, icmpstat);
#define V_icmpstat VNET(icmpstat)

#endif
