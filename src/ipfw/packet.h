/*
 * packet.h - what the rules see of a packet: its headers, read once, and where it is.
 *
 * fw_packet_read() fills it for a packet at a hook. Ports and numbers are in host order here, so
 * that ranges compare; addresses are in network order; the packet itself is never changed by
 * reading it: its lengths and offsets stay as they are on the wire.
 */
#ifndef WARREN_IPFW_PACKET_H
#define WARREN_IPFW_PACKET_H

#include "base/bytes.h"
#include "inet/ip.h"
#include "net/if.h"
#include "net/in6addr.h"
#include "net/pfil.h"

enum { FW_CALL_DEPTH = 16 };
enum { IPPROTO_SCTP_ = 132, IPPROTO_UDPLITE_ = 136 };

/* Do the headers of a protocol begin with ports? */
static inline bool
fw_protocol_has_ports(int proto)
{
	return proto == IPPROTO_TCP_ || proto == IPPROTO_UDP_ || proto == IPPROTO_SCTP_ ||
	    proto == IPPROTO_UDPLITE_;
}

struct fw_packet {
	struct mbuf *m;
	struct ifnet *recv; /* it came in by; NULL = made here (or the driver is gone) */
	struct ifnet *xmit; /* it leaves by; NULL on the way in */
	uint8_t point;      /* enum pfil_point */
	bool fragment;      /* part of a fragmented datagram at all */
	/* classify_walk.c reads these four at once … */
	bool in;
	bool layer2;         /* the rules see a frame */
	bool later_fragment; /* not the first: no ports */
	uint8_t ip;          /* 4, 6, or 0: not IP */
	/* … and these pairs, too */
	uint8_t tcp_flags;
	bool has_tcp; /* the header is there (20 bytes) */
	uint8_t icmp_type;
	bool has_icmp;     /* the header is there (4 bytes): of either family */
	uint8_t icmp_code; /* with has_icmp */
	uint8_t proto;     /* behind extension headers; 0 with ip == 0 */
	uint16_t echo_id;  /* of an echo or its answer, host order; else 0 */
	bool has_ports;    /* TCP, UDP, SCTP, UDP-Lite, not a later fragment, and they are there */
	uint8_t tos;       /* or traffic class */
	uint8_t ttl;       /* or hop limit */
	uint16_t ether_type; /* layer2, host order */
	uint16_t ext6;       /* enum fw_ext6: extension headers passed */
	/* offsets from m->data: IP header (0 at layer 3, but for bridged ones), header of proto */
	uint16_t l3, l4;
	uint16_t ip_len;   /* total length, host order; of IPv6 with its header */
	uint16_t frag_off; /* of the fragment, bytes */
	uint32_t frag_id;
	uint16_t sport, dport; /* host order, with has_ports, else 0 */
	uint32_t src, dst;     /* IPv4, network order */
	struct in6 src6, dst6; /* IPv6, as in the packet (no zones) */
	uint32_t flowid;       /* IPv6 flow label */
	/* while rules are evaluated */
	uint32_t serial;   /* in this stack: chance comes of it; 0 = fw_walk gives the next one */
	uint32_t tablearg; /* the last value that the rule at hand has found */
	bool has_tablearg;
	bool state_checked;
	bool state_reverse;           /* its state was met from the other side (state.c) */
	const char *state_name;       /* with state_checked: under which name */
	struct fw_state *state_guess; /* most probably its state (fw_state_prefetch); NULL */
	uint8_t diverted;             /* came back from a divert socket: 1 in, 2 out */
	uint8_t calls;                /* depth of `call` */
	uint8_t called;               /* how often it was called at all */
	bool dry; /* only asked about: nothing is counted, no state made or prolonged */
	struct in6 tablearg_addr; /* a value that is an IPv6 address; :: = it is none */
	/* what fw_packet_read leaves alone */
	uint16_t call[FW_CALL_DEPTH]; /* numbers of the rules that called */
};

enum fw_packet_fault {
	FW_PACKET_OK,
	FW_PACKET_SHORT /* truncated headers */,
	FW_PACKET_TCP_OFFSET1,
	FW_PACKET_EXTHDR /* unknown extension header */
};

/* Bytes of the datagram that are there, from its header of layer 4 on; less than it says if cut. */
static inline uint32_t
fw_packet_left(const struct fw_packet *p)
{
	uint32_t end = p->l3 + (uint32_t)p->ip_len;

	if (end > p->m->len)
		end = p->m->len;
	return end > p->l4 ? end - p->l4 : 0;
}

/*
 * Fill *p for m at a hook. What is said in p is safe to read from m. A fault means: drop before
 * any rule.
 */
enum fw_packet_fault fw_packet_read(struct fw_packet *p, struct mbuf *m, enum pfil_point point,
    enum pfil_dir dir, struct ifnet *ifp);

#endif
