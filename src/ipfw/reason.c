/*
 * reason.c - see reason.h.
 *
 * What a packet has is asked of the instructions themselves wherever that is possible: a number by
 * halving the range that matches, bits one by one. So the reason can't say anything else than the
 * evaluation does.
 */
#include "ipfw/reason.h"

#include "inet/ip.h"
#include "inet/ip_names.h"
#include "ipfw/check.h"
#include "ipfw/language.h"
#include "ipfw/match_internal.h"

#include <stdio.h>
#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

/* The number that an instruction with a list compares; false: the packet has none. */
static bool
number_of(uint8_t op, struct fw_packet *p, uint16_t *number)
{
	struct fw_range range = { 0, UINT16_MAX };
	const struct fw_insn all = { .op = op, .n = 1, .u.range = &range };

	if (!fw_insn_match(&all, NULL, p))
		return false;
	while (range.lo < range.hi) {
		const uint16_t hi = range.hi;

		range.hi = (uint16_t)(range.lo + (hi - range.lo) / 2);
		if (fw_insn_match(&all, NULL, p))
			continue;
		range.lo = (uint16_t)(range.hi + 1);
		range.hi = hi;
	}
	*number = range.lo;
	return true;
}

/* The bits that an instruction of `n` sees in the packet. */
static uint16_t
bits_of(uint8_t op, struct fw_packet *p)
{
	uint16_t bits = 0;

	for (unsigned i = 0; i < 8; i++) {
		const struct fw_insn one = { .op = op, .n = (uint16_t)(1u << i) };

		if (fw_insn_match(&one, NULL, p))
			bits |= one.n;
	}
	return bits;
}

static void
put_number(struct fw_text *t, uint8_t op, struct fw_packet *p, const char *none)
{
	uint16_t number;

	if (number_of(op, p, &number))
		fw_put(t, "it is %u", number);
	else
		fw_put(t, "%s", none);
}

static void
put_bits(struct fw_text *t, uint8_t op, uint16_t bits)
{
	const struct fw_insn seen = { .op = op, .n = bits };

	if (bits == 0) {
		fw_put(t, "it has none");
		return;
	}
	fw_put(t, "it has ");
	fw_print_option(t, &seen, 0);
}

static void
put_address(struct fw_text *t, const struct fw_packet *p, bool src)
{
	char text[IN6_TEXT];

	if (p->ip == 4)
		fw_put(t, "%s", in_ntoa(src ? p->src : p->dst, text));
	else if (p->ip == 6)
		fw_put(t, "%s", in6_ntoa(src ? &p->src6 : &p->dst6, text));
}

static void
put_address_is(struct fw_text *t, const struct fw_packet *p, bool src)
{
	fw_put(t, p->ip != 0 ? "it is " : "it is not IP");
	put_address(t, p, src);
}

static void
put_protocol(struct fw_text *t, const struct fw_packet *p)
{
	const char *name = ip_protocol_name(p->proto);

	if (p->ip == 0)
		fw_put(t, "it is not IP");
	else if (name != NULL)
		fw_put(t, "it is %s", name);
	else
		fw_put(t, "it is %u", p->proto);
}

static void
put_port(struct fw_text *t, struct fw_packet *p, uint8_t op)
{
	put_number(
	    t, op, p, p->later_fragment ? "a later fragment has no ports" : "it has no ports");
}

static void
put_icmp(struct fw_text *t, const struct fw_packet *p, bool v6)
{
	if (p->has_icmp && (p->ip == 6) == v6)
		fw_put(t, "it is type %u", p->icmp_type);
	else
		fw_put(t, v6 ? "it is no ICMPv6" : "it is no ICMP");
}

static void
put_tcp_flags(struct fw_text *t, const struct fw_packet *p)
{
	enum { NAMED = 0x3f }; /* those that have a word */

	if (!p->has_tcp)
		fw_put(
		    t, p->proto == IPPROTO_TCP_ ? "its TCP header is elsewhere" : "it is no TCP");
	else
		put_bits(t, FW_OP_TCPFLAGS, p->tcp_flags & NAMED);
}

static void
put_tcp32(struct fw_text *t, const struct fw_packet *p, unsigned off)
{
	if (p->has_tcp)
		fw_put(t, "it is %u", __builtin_bswap32(load32(p->m->data + p->l4 + off)));
	else
		fw_put(t, "it is no TCP");
}

static void
put_six(struct fw_text *t, const uint8_t six[6])
{
	fw_put(t, "%02x:%02x:%02x:%02x:%02x:%02x", six[0], six[1], six[2], six[3], six[4], six[5]);
}

static void
put_mac(struct fw_text *t, const struct fw_packet *p)
{
	if (!p->layer2) {
		fw_put(t, "there is no link header here");
		return;
	}
	fw_put(t, "it is ");
	put_six(t, p->m->data);
	fw_put(t, " ");
	put_six(t, p->m->data + 6);
}

static void
put_iface(struct fw_text *t, const struct fw_packet *p, uint8_t op)
{
	const struct ifnet *ifp = op == FW_OP_RECV ? p->recv :
	    op == FW_OP_XMIT                       ? p->xmit :
	    p->in                                  ? p->recv :
						     p->xmit;

	if (ifp != NULL)
		fw_put(t, "it is %s", ifp->if_xname);
	else if (op == FW_OP_XMIT && p->in)
		fw_put(t, "on its way in it has none");
	else if (op == FW_OP_RECV && !p->in)
		fw_put(t, "it was made here");
	else
		fw_put(t, "there is none");
}

static void
put_fragment(struct fw_text *t, const struct fw_packet *p)
{
	fw_put(t,
	    p->later_fragment ? "it is a later fragment" :
		p->fragment   ? "it is a first fragment" :
				"it is no fragment");
}

static const char *
family_of(const struct fw_packet *p)
{
	return p->ip == 4 ? "it is IPv4" : p->ip == 6 ? "it is IPv6" : "it is not IP";
}

/* --- tables ----------------------------------------------------------------------------------- */

/* What the table says about the packet, whatever value the rule wants of it. */
static void
put_entry(struct fw_text *t, const struct fw_insn *insn, struct fw_packet *p)
{
	struct fw_table_match any = *insn->u.table;
	struct fw_insn ask = *insn;

	any.by_value = false;
	ask.u.table = &any;
	if (!fw_insn_match(&ask, NULL, p))
		fw_put(t, "is not in it");
	else if (!in6_is_any(&p->tablearg_addr))
		fw_put(t, "is in it");
	else
		fw_put(t, "has the value %u", p->tablearg);
}

static void
put_table(struct fw_text *t, const struct fw_insn *insn, struct fw_packet *p)
{
	if (insn->op == FW_OP_LOOKUP || insn->op == FW_OP_FLOW || p->ip == 0)
		fw_put(t, "it");
	else
		put_address(t, p, insn->op == FW_OP_SRC_TABLE);
	fw_put(t, " ");
	put_entry(t, insn, p);
}

/* --- one instruction -------------------------------------------------------------------------- */

static void
put_sender(struct fw_text *t, const struct fw_packet *p, const char *before, const char *behind)
{
	if (p->ip == 0) {
		fw_put(t, "it is not IP");
		return;
	}
	fw_put(t, "%s", before);
	put_address(t, p, true);
	fw_put(t, "%s", behind);
}

/* The packet's value of what the instruction looks at. */
static void
put_value(struct fw_text *t, const struct fw_insn *insn, struct fw_packet *p)
{
	switch ((enum fw_op)insn->op) {
	case FW_OP_PROTO:
		put_protocol(t, p);
		return;
	case FW_OP_IP4:
	case FW_OP_IP6:
	case FW_OP_IPVER:
		fw_put(t, "%s", family_of(p));
		return;
	case FW_OP_SRC:
	case FW_OP_SRC6:
	case FW_OP_SRC_SET:
	case FW_OP_SRC_ME:
		put_address_is(t, p, true);
		return;
	case FW_OP_DST:
	case FW_OP_DST6:
	case FW_OP_DST_SET:
	case FW_OP_DST_ME:
		put_address_is(t, p, false);
		return;
	case FW_OP_SRC_TABLE:
	case FW_OP_DST_TABLE:
	case FW_OP_LOOKUP:
	case FW_OP_FLOW:
		put_table(t, insn, p);
		return;
	case FW_OP_SRC_PORT:
	case FW_OP_DST_PORT:
		put_port(t, p, insn->op);
		return;
	case FW_OP_IN:
		fw_put(t, p->in ? "it comes in" : "it goes out");
		return;
	case FW_OP_LAYER2:
		fw_put(t, p->layer2 ? "it is a frame" : "it is met at layer 3");
		return;
	case FW_OP_MAC:
		put_mac(t, p);
		return;
	case FW_OP_MAC_TYPE:
		fw_put(
		    t, p->layer2 ? "it is 0x%04x" : "there is no link header here", p->ether_type);
		return;
	case FW_OP_RECV:
	case FW_OP_XMIT:
	case FW_OP_VIA:
		put_iface(t, p, insn->op);
		return;
	case FW_OP_FRAG:
		put_fragment(t, p);
		return;
	case FW_OP_IPID:
	case FW_OP_IPLEN:
	case FW_OP_IPTTL:
		put_number(t, insn->op, p, family_of(p));
		return;
	case FW_OP_IPPRECEDENCE:
		fw_put(t, p->ip == 4 ? "it is %u" : "it is not IPv4", p->tos >> 5);
		return;
	case FW_OP_IPTOS:
		fw_put(t, p->ip == 4 ? "it is 0x%02x" : "it is not IPv4", p->tos);
		return;
	case FW_OP_DSCP:
		fw_put(t, p->ip != 0 ? "it is %u" : "it is not IP", p->tos >> 2);
		return;
	case FW_OP_ICMPTYPE:
	case FW_OP_ICMP6TYPE:
		put_icmp(t, p, insn->op == FW_OP_ICMP6TYPE);
		return;
	case FW_OP_ESTABLISHED:
	case FW_OP_TCPFLAGS:
		put_tcp_flags(t, p);
		return;
	case FW_OP_IPOPTIONS:
	case FW_OP_TCPOPTIONS:
	case FW_OP_EXT6HDR:
		put_bits(t, insn->op, bits_of(insn->op, p));
		return;
	case FW_OP_TCPSEQ:
		put_tcp32(t, p, 4);
		return;
	case FW_OP_TCPACK:
		put_tcp32(t, p, 8);
		return;
	case FW_OP_TCPWIN:
	case FW_OP_TCPDATALEN:
		put_number(t, insn->op, p, "it is no TCP");
		return;
	case FW_OP_TCPMSS:
		put_number(t, insn->op, p, "it announces none");
		return;
	case FW_OP_FLOWID:
		fw_put(t, p->ip == 6 ? "it is %u" : "it is not IPv6", p->flowid);
		return;
	case FW_OP_FIB:
		fw_put(t, "it is %u", p->m->fib);
		return;
	case FW_OP_TAGGED:
		put_number(t, insn->op, p, "it has no tag");
		return;
	case FW_OP_DIVERTED:
		fw_put(t, p->diverted != 0 ? "it was" : "it was not");
		return;
	case FW_OP_VERREVPATH:
		put_sender(t, p, "the way back to ", " leads elsewhere");
		return;
	case FW_OP_VERSRCREACH:
		put_sender(t, p, "there is no route to ", "");
		return;
	case FW_OP_ANTISPOOF:
		put_sender(t, p, "", " is of another interface's network");
		return;
	case FW_OP_UID:
	case FW_OP_GID:
	case FW_OP_JAIL:
		fw_put(t,
		    fw_packet_has_owner(p) ? "it is somebody else's" : "it is of no endpoint here");
		return;
	case FW_OP_IPSEC:
		fw_put(t, "nothing here is ever encrypted");
		return;
	case FW_OP_SOCKARG:
		fw_put(t, "endpoints here have none");
		return;
	case FW_OP_PROB:
		fw_put(t, "chance was against it");
		return;
	case FW_OP_KEEP_STATE:
	case FW_OP_LIMIT:
	case FW_OP_DEFER:
	case FW_OP_COUNT_:
		return;
	}
}

/* Names of services are said for the packet's protocol. */
static void
put_insn(struct fw_text *t, const struct fw_insn *insn, const struct fw_packet *p)
{
	if (insn->op == FW_OP_PROB)
		fw_put(t, "prob");
	else
		fw_print_option(t, insn, p->proto);
}

/* "not verrevpath" fails where the way back is right: the value says the contrary. */
static bool
is_about_failure(const struct fw_insn *insn)
{
	switch ((enum fw_op)insn->op) {
	case FW_OP_VERREVPATH:
	case FW_OP_VERSRCREACH:
	case FW_OP_ANTISPOOF:
	case FW_OP_UID:
	case FW_OP_GID:
	case FW_OP_JAIL:
	case FW_OP_PROB:
		return true;
	default:
		return false;
	}
}

static void
put_part(struct fw_text *t, const struct fw_insn *insn, struct fw_packet *p)
{
	put_insn(t, insn, p);
	fw_put(t, ": ");
	if ((insn->flags & FW_NOT) && is_about_failure(insn))
		fw_put(t, "it is so");
	else
		put_value(t, insn, p);
}

void
fw_reason_failed(const struct fw_rule *r, const struct fw_insn *failed, struct fw_packet *p,
    char *text, size_t len)
{
	struct fw_text t = { .text = text, .room = len };
	const struct fw_insn *first = failed;

	text[0] = '\0';
	while (first > r->insn && (first[-1].flags & FW_OR))
		first--;
	for (const struct fw_insn *i = first; i <= failed; i++) {
		if (i > first)
			fw_put(&t, "; ");
		put_part(&t, i, p);
	}
}

void
fw_reason_found(const struct fw_rule *r, struct fw_packet *p, char *text, size_t len)
{
	struct fw_text t = { .text = text, .room = len };

	text[0] = '\0';
	for (const struct fw_insn *i = r->insn; i < r->insn + r->n_insns; i++) {
		if (fw_insn_operand(i) != FW_OPERAND_TABLE)
			continue;
		if (t.len > 0)
			fw_put(&t, "; ");
		put_part(&t, i, p);
	}
}
