/*
 * match_header.c - instructions that read on in a packet's headers: options of IP and TCP, the
 * length of what TCP carries.
 *
 * Options that are malformed end the walk over them: what was seen until then counts.
 */
#include "ipfw/match_internal.h"

#include "inet/ip.h"

enum { OPT_EOL = 0, OPT_NOP = 1 }; /* of IP and TCP alike */
enum ip_option { IPOPT_RR = 7, IPOPT_TS = 68, IPOPT_LSRR = 131, IPOPT_SSRR = 137 };
enum tcp_option {
	TCPOPT_MSS = 2,
	TCPOPT_WINDOW = 3,
	TCPOPT_SACK_PERMITTED = 4,
	TCPOPT_SACK = 5,
	TCPOPT_TS = 8,
	TCPOPT_CC = 11,
	TCPOPT_CCNEW = 12,
	TCPOPT_CCECHO = 13
};
enum { TCP_HDRLEN = 20, TCP_OFF = 12 };

/* The options of a header: [at, end). */
struct options {
	const uint8_t *at, *end;
};

/* The next option that is not padding, whole; NULL behind the last. */
static const uint8_t *
options_next(struct options *o)
{
	while (o->at < o->end && *o->at != OPT_EOL) {
		const uint8_t *opt = o->at;

		if (*opt == OPT_NOP) {
			o->at++;
			continue;
		}
		if (o->end - opt < 2 || opt[1] < 2 || opt[1] > o->end - opt)
			return NULL;
		o->at += opt[1];
		return opt;
	}
	return NULL;
}

static unsigned
ip_option_bit(uint8_t type)
{
	switch (type) {
	case IPOPT_SSRR:
		return FW_IPOPT_SSRR;
	case IPOPT_LSRR:
		return FW_IPOPT_LSRR;
	case IPOPT_RR:
		return FW_IPOPT_RR;
	case IPOPT_TS:
		return FW_IPOPT_TS;
	default:
		return 0;
	}
}

static unsigned
tcp_option_bit(uint8_t type)
{
	switch (type) {
	case TCPOPT_MSS:
		return FW_TCPOPT_MSS;
	case TCPOPT_WINDOW:
		return FW_TCPOPT_WINDOW;
	case TCPOPT_SACK_PERMITTED:
	case TCPOPT_SACK:
		return FW_TCPOPT_SACK;
	case TCPOPT_TS:
		return FW_TCPOPT_TS;
	case TCPOPT_CC:
	case TCPOPT_CCNEW:
	case TCPOPT_CCECHO:
		return FW_TCPOPT_CC;
	default:
		return 0;
	}
}

static bool
bits_match(const struct fw_insn *insn, unsigned bits)
{
	return (bits & insn->n) == insn->n && (bits & insn->arg) == 0;
}

bool
fw_match_ipoptions(const struct fw_insn *insn, const struct fw_packet *p)
{
	const uint8_t *ip = p->m->data + p->l3, *opt;
	struct options o = { ip + sizeof(struct ip_hdr), p->m->data + p->l4 };
	unsigned bits = 0;

	if (p->ip != 4)
		return false;
	while ((opt = options_next(&o)) != NULL)
		bits |= ip_option_bit(opt[0]);
	return bits_match(insn, bits);
}

/* Bytes of the TCP header as it says itself; at least what fw_packet_read has seen. */
static uint32_t
tcp_hdrlen(const struct fw_packet *p)
{
	uint32_t len = (uint32_t)(p->m->data[p->l4 + TCP_OFF] >> 4) * 4;

	return len < TCP_HDRLEN ? TCP_HDRLEN : len;
}

static struct options
tcp_options(const struct fw_packet *p)
{
	const uint8_t *tcp = p->m->data + p->l4;
	uint32_t left = fw_packet_left(p), len = tcp_hdrlen(p);

	return (struct options){ tcp + TCP_HDRLEN, tcp + (len < left ? len : left) };
}

bool
fw_match_tcpoptions(const struct fw_insn *insn, const struct fw_packet *p)
{
	struct options o;
	const uint8_t *opt;
	unsigned bits = 0;

	if (!p->has_tcp)
		return false;
	o = tcp_options(p);
	while ((opt = options_next(&o)) != NULL)
		bits |= tcp_option_bit(opt[0]);
	return bits_match(insn, bits);
}

bool
fw_match_tcpmss(const struct fw_insn *insn, const struct fw_packet *p)
{
	struct options o;
	const uint8_t *opt;

	if (!p->has_tcp)
		return false;
	o = tcp_options(p);
	while ((opt = options_next(&o)) != NULL)
		if (opt[0] == TCPOPT_MSS && opt[1] == 4)
			return fw_in_ranges(
			    insn->u.range, insn->n, __builtin_bswap16(load16(opt + 2)));
	return false;
}

/* As the IP header says it, whatever the link has cut off. */
bool
fw_match_tcpdatalen(const struct fw_insn *insn, const struct fw_packet *p)
{
	uint32_t headers;

	if (!p->has_tcp)
		return false;
	headers = (uint32_t)(p->l4 - p->l3) + tcp_hdrlen(p);
	return p->ip_len >= headers && fw_in_ranges(insn->u.range, insn->n, p->ip_len - headers);
}
