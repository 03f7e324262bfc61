/*
 * icmp6.h - ICMPv6 (RFC 4443): errors, echo; the way in for ND and MLD messages.
 */
#ifndef WARREN_INET6_ICMP6_H
#define WARREN_INET6_ICMP6_H

#include "inet6/ip6.h"

struct icmp6_hdr {
	uint8_t type, code;
	uint16_t sum;
	union {
		be32 data; /* mtu, pointer */
		struct {
			be16 id, seq;
		} echo;
		uint8_t bytes[4];
	};
} __attribute__((packed));
_Static_assert(sizeof(struct icmp6_hdr) == 8, "wire");

enum icmp6_type {
	ICMP6_DST_UNREACH_ = 1,
	ICMP6_PACKET_TOO_BIG_ = 2,
	ICMP6_TIME_EXCEEDED_ = 3,
	ICMP6_PARAM_PROB_ = 4,
	ICMP6_ECHO_REQUEST_ = 128,
	ICMP6_ECHO_REPLY_ = 129,
	MLD_QUERY = 130,
	MLDV1_REPORT = 131,
	MLD_DONE = 132,
	ND_ROUTER_SOLICIT_ = 133,
	ND_ROUTER_ADVERT_ = 134,
	ND_NEIGHBOR_SOLICIT_ = 135,
	ND_NEIGHBOR_ADVERT_ = 136,
	ND_REDIRECT_ = 137,
	MLDV2_REPORT = 143,
};
enum { ICMP6_INFORMATIONAL_ = 0x80 }; /* in the type: a message that is no error */
enum icmp6_unreach {
	ICMP6_UNREACH_NOROUTE,
	ICMP6_UNREACH_ADMIN,
	ICMP6_UNREACH_BEYONDSCOPE,
	ICMP6_UNREACH_ADDR,
	ICMP6_UNREACH_PORT,
	ICMP6_UNREACH_POLICY,
	ICMP6_UNREACH_REJECT,
};
enum { ICMP6_TIMX_TRANSIT, ICMP6_TIMX_REASS };
enum { ICMP6_PARAM_HEADER, ICMP6_PARAM_NEXTHEADER, ICMP6_PARAM_OPTION, ICMP6_PARAM_CHAIN };

/*
 * Answer packet m with an error (RFC 4443 2.4 says when not; rate limited by
 * net.inet6.icmp6.errppslimit). m->data at its IPv6 header, as it was received; m->rcvif says on
 * which link its sender is: for a packet made here with a link-local source, set it first. arg:
 * MTU, or pointer (offset). Borrows m.
 */
void icmp6_error(const struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg);
/*
 * May one more error (or redirect: RFC 4861 8.2) of the type and code go out now? For those that
 * build theirs themselves. Counts it among the errors to be generated, and if it is refused as a
 * drop.
 */
bool icmp6_rate_ok(uint8_t type, uint8_t code);

/*
 * Complete an ICMPv6 message made here (m->data at its header) between these addresses: fills in
 * the sum, counts it as sent.
 */
void icmp6_finish(struct mbuf *m, const struct in6 *src, const struct in6 *dst);

/*
 * Messages of other rooms, by type: nd6_nbr.c (135, 136, 137), nd6_rtr.c (133, 134), mld.c (130 to
 * 132, 143). Called with a message whose sum and length (at least 8 bytes) are right and that was
 * counted. m->data at the IPv6 header, off to the ICMPv6 header; info has addresses, hop limit.
 * Takes m.
 */
struct icmp6_message {
	uint8_t type;
	void (*input)(struct mbuf *m, unsigned off, const struct ip_info *info);
};
#define ICMP6_MESSAGE_DEFINE(ident, ...)                                                           \
	static const struct icmp6_message icmp6msg_of_##ident = { __VA_ARGS__ };                   \
	LINKERSET_ADD(icmp6_message, icmp6msg_of_##ident)

/* Kinds of errors, as netstat -s counts those that are to be generated. */
enum icmp6_errkind {
	ICMP6_ERR_NOROUTE,
	ICMP6_ERR_ADMIN,
	ICMP6_ERR_BEYONDSCOPE,
	ICMP6_ERR_ADDR,
	ICMP6_ERR_PORT,
	ICMP6_ERR_TOOBIG,
	ICMP6_ERR_TRANSIT,
	ICMP6_ERR_REASS,
	ICMP6_ERR_HEADER,
	ICMP6_ERR_NEXTHEADER,
	ICMP6_ERR_OPTION,
	ICMP6_ERR_REDIRECT,
	ICMP6_ERR_OTHER,
	ICMP6_ERR_KINDS
};

struct icmp6stat {
	uint64_t error, canterror, toofreq, badcode, tooshort, checksum, badlen, reflect, badns,
	    badna, badrs, badra, badredirect, pmtuchg, noroute;
	uint64_t errhist[ICMP6_ERR_KINDS]; /* to be generated, before the limit */
	uint64_t outhist[256], inhist[256];
};
VNET_DECLARE(struct icmp6stat, icmp6stat);
#define V_icmp6stat VNET(icmp6stat)

#endif
