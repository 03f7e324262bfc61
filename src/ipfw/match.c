/*
 * match.c - one instruction, one rule against a packet: the reference for all that is faster.
 *
 * What a packet does not have (ports of a later fragment, a link header at layer 3) an instruction
 * that asks for it does not match; `not` in front makes it match then.
 *
 * A rule costs a few nanoseconds: most are decided by their first or second instruction, so there is
 * nothing between the loop and the comparison but one jump.
 */
#include "ipfw/check.h"
#include "ipfw/mark.h"
#include "ipfw/match_internal.h"
#include "ipfw/state.h"

#include "base/rng.h"

#include <errno.h>

enum { TH_RST = 0x04, TH_ACK = 0x10 };

VNET_DEFINE_STATIC(uint64_t, fw_chance_seed);

/* --- chance ----------------------------------------------------------------------------------- */

/* splitmix64's finisher (Steele, Lea and Flood 2014): every bit of x in every bit of the result. */
static uint64_t
scatter(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t
chance_seed(void)
{
	struct rng rng;

	if (VNET(fw_chance_seed) == 0) {
		rng_seed(&rng, rng_process_seed, vnet_name(curvnet));
		VNET(fw_chance_seed) = rng_u64(&rng) | 1;
	}
	return VNET(fw_chance_seed);
}

/*
 * A number of 31 bits for this packet and this rule: the same whichever other rules were tried, so
 * that the order in which a classifier looks at them has no part in chance.
 */
static uint32_t
chance(const struct fw_rule *r, const struct fw_packet *p)
{
	return (
	    uint32_t)(scatter(chance_seed() + scatter((uint64_t)p->serial << 32 | r->id)) >> 33);
}

/* --- one instruction -------------------------------------------------------------------------- */

static inline bool
match_nets6(const struct fw_insn *insn, const struct in6 *addr)
{
	uint64_t hi = load64(addr->b), lo = load64(addr->b + 8);

	for (unsigned i = 0; i < insn->n; i++) {
		const struct fw_net6 *net = &insn->u.net6[i];

		if ((((hi ^ load64(net->addr.b)) & load64(net->mask.b)) |
			((lo ^ load64(net->addr.b + 8)) & load64(net->mask.b + 8))) == 0)
			return true;
	}
	return false;
}

static bool
match_set(const struct fw_set *set, uint32_t addr)
{
	uint32_t i = __builtin_bswap32(addr) - __builtin_bswap32(set->base);

	return i < UINT32_C(1) << (32 - set->len) && (set->bits[i / 64] >> i % 64 & 1);
}

static bool
match_mac(const struct fw_mac *mac, const struct fw_packet *p)
{
	const uint8_t *eh = p->m->data;

	if (!p->layer2)
		return false;
	for (unsigned i = 0; i < 6; i++)
		if ((eh[i] & mac->dst_mask[i]) != mac->dst[i] ||
		    (eh[6 + i] & mac->src_mask[i]) != mac->src[i])
			return false;
	return true;
}

static bool
match_icmp6type(const struct fw_insn *insn, const struct fw_packet *p)
{
	return p->ip == 6 && p->has_icmp &&
	    (insn->u.bits[p->icmp_type / 64] >> p->icmp_type % 64 & 1);
}

static bool
match_flowid(const struct fw_insn *insn, const struct fw_packet *p)
{
	for (unsigned i = 0; p->ip == 6 && i < insn->n; i++)
		if (insn->u.num32[i] == p->flowid)
			return true;
	return false;
}

/* A field of 32 bits in the TCP header. */
static bool
match_tcp32(const struct fw_insn *insn, const struct fw_packet *p, unsigned off)
{
	return p->has_tcp && __builtin_bswap32(load32(p->m->data + p->l4 + off)) == insn->arg;
}

static bool
match_tcpwin(const struct fw_insn *insn, const struct fw_packet *p)
{
	enum { WINDOW = 14 };

	return p->has_tcp &&
	    fw_in_ranges(
		insn->u.range, insn->n, __builtin_bswap16(load16(p->m->data + p->l4 + WINDOW)));
}

static bool
match_tagged(const struct fw_insn *insn, const struct fw_packet *p)
{
	struct fw_range r = { (uint16_t)p->tablearg, (uint16_t)p->tablearg };

	if (!(insn->flags & FW_TABLEARG))
		return fw_mark_find(p->m, insn->u.range, insn->n);
	return p->has_tablearg && p->tablearg <= UINT16_MAX && fw_mark_find(p->m, &r, 1);
}

/* fw_insn_match, of its one caller that counts a part. */
static inline __attribute__((always_inline)) bool
insn_match(const struct fw_insn *insn, const struct fw_rule *r, struct fw_packet *p)
{
	switch ((enum fw_op)insn->op) {
	case FW_OP_PROTO:
		return p->ip != 0 && p->proto == insn->n;
	case FW_OP_IP4:
		return p->ip == 4;
	case FW_OP_IP6:
		return p->ip == 6;
	case FW_OP_SRC:
		return p->ip == 4 && fw_in_nets(insn, p->src);
	case FW_OP_DST:
		return p->ip == 4 && fw_in_nets(insn, p->dst);
	case FW_OP_SRC6:
		return p->ip == 6 && match_nets6(insn, &p->src6);
	case FW_OP_DST6:
		return p->ip == 6 && match_nets6(insn, &p->dst6);
	case FW_OP_SRC_SET:
		return p->ip == 4 && match_set(insn->u.set, p->src);
	case FW_OP_DST_SET:
		return p->ip == 4 && match_set(insn->u.set, p->dst);
	case FW_OP_SRC_ME:
		return fw_match_me(insn, p, true);
	case FW_OP_DST_ME:
		return fw_match_me(insn, p, false);
	case FW_OP_SRC_TABLE:
		return fw_match_table(insn->u.table, p, true);
	case FW_OP_DST_TABLE:
		return fw_match_table(insn->u.table, p, false);
	case FW_OP_SRC_PORT:
		return p->has_ports && fw_in_ranges(insn->u.range, insn->n, p->sport);
	case FW_OP_DST_PORT:
		return p->has_ports && fw_in_ranges(insn->u.range, insn->n, p->dport);
	case FW_OP_LOOKUP:
		return fw_match_lookup(insn->u.table, p);
	case FW_OP_FLOW:
		return fw_match_flow(insn->u.table, p);
	case FW_OP_IN:
		return p->in;
	case FW_OP_LAYER2:
		return p->layer2;
	case FW_OP_MAC:
		return match_mac(insn->u.mac, p);
	case FW_OP_MAC_TYPE:
		return p->layer2 && fw_in_ranges(insn->u.range, insn->n, p->ether_type);
	case FW_OP_RECV:
		return fw_match_iface(insn->u.iface, p, p->recv);
	case FW_OP_XMIT:
		return fw_match_iface(insn->u.iface, p, p->xmit);
	case FW_OP_VIA:
		return fw_match_iface(insn->u.iface, p, p->in ? p->recv : p->xmit);
	case FW_OP_FRAG:
		return p->later_fragment;
	case FW_OP_IPID:
		return p->ip == 4 && fw_in_ranges(insn->u.range, insn->n, p->frag_id);
	case FW_OP_IPLEN:
		return p->ip != 0 && fw_in_ranges(insn->u.range, insn->n, p->ip_len);
	case FW_OP_IPTTL:
		return p->ip == 4 && fw_in_ranges(insn->u.range, insn->n, p->ttl);
	case FW_OP_IPVER:
		return p->ip != 0 && p->ip == insn->n;
	case FW_OP_IPPRECEDENCE:
		return p->ip == 4 && p->tos >> 5 == insn->n;
	case FW_OP_IPTOS:
		return p->ip == 4 && (p->tos & insn->n) == insn->n && (p->tos & insn->arg) == 0;
	case FW_OP_DSCP:
		return p->ip != 0 && (insn->u.num >> (p->tos >> 2) & 1);
	case FW_OP_IPOPTIONS:
		return fw_match_ipoptions(insn, p);
	case FW_OP_ICMPTYPE:
		return p->ip == 4 && p->has_icmp && p->icmp_type < 64 &&
		    (insn->u.num >> p->icmp_type & 1);
	case FW_OP_ICMP6TYPE:
		return match_icmp6type(insn, p);
	case FW_OP_ESTABLISHED:
		return p->has_tcp && (p->tcp_flags & (TH_RST | TH_ACK));
	case FW_OP_TCPFLAGS:
		return p->has_tcp && (p->tcp_flags & insn->n) == insn->n &&
		    (p->tcp_flags & insn->arg) == 0;
	case FW_OP_TCPOPTIONS:
		return fw_match_tcpoptions(insn, p);
	case FW_OP_TCPSEQ:
		return match_tcp32(insn, p, 4);
	case FW_OP_TCPACK:
		return match_tcp32(insn, p, 8);
	case FW_OP_TCPWIN:
		return match_tcpwin(insn, p);
	case FW_OP_TCPDATALEN:
		return fw_match_tcpdatalen(insn, p);
	case FW_OP_TCPMSS:
		return fw_match_tcpmss(insn, p);
	case FW_OP_EXT6HDR:
		return (p->ext6 & insn->n) != 0;
	case FW_OP_FLOWID:
		return match_flowid(insn, p);
	case FW_OP_FIB:
		return p->m->fib == insn->arg;
	case FW_OP_TAGGED:
		return match_tagged(insn, p);
	case FW_OP_DIVERTED:
		return (p->diverted & insn->n) != 0;
	case FW_OP_IPSEC: /* nothing here is ever encrypted */
		return false;
	case FW_OP_VERREVPATH:
		return fw_match_verrevpath(p);
	case FW_OP_VERSRCREACH:
		return fw_match_versrcreach(p);
	case FW_OP_ANTISPOOF:
		return fw_match_antispoof(p);
	case FW_OP_UID:
		return insn->arg == FW_OWNER_UID && fw_packet_has_owner(p);
	case FW_OP_GID:
		return insn->arg == FW_OWNER_GID && fw_packet_has_owner(p);
	case FW_OP_JAIL:
		return insn->arg == (uint32_t)fw_owner_jail() && fw_packet_has_owner(p);
	case FW_OP_SOCKARG: /* endpoints have no cookie */
		return false;
	case FW_OP_PROB:
		return chance(r, p) < insn->arg;
	case FW_OP_KEEP_STATE:
	case FW_OP_LIMIT:
	case FW_OP_DEFER:
		return true;
	case FW_OP_COUNT_:
		break;
	}
	return false;
}

bool
fw_insn_match(const struct fw_insn *insn, const struct fw_rule *r, struct fw_packet *p)
{
	return insn_match(insn, r, p);
}

/* --- one rule --------------------------------------------------------------------------------- */

/* Those that do something when all others have matched. */
static inline bool
is_last(const struct fw_insn *insn)
{
	return insn->op == FW_OP_KEEP_STATE || insn->op == FW_OP_LIMIT || insn->op == FW_OP_DEFER;
}

/*
 * The instruction that the rule fails at, or NULL. *last is set if there are some that are to be
 * done behind all others.
 */
static inline const struct fw_insn *
rule_fails(const struct fw_rule *r, struct fw_packet *p, bool *last)
{
	const struct fw_insn *i = r->insn, *end = r->insn + r->n_insns;

	p->has_tablearg = false;
	p->tablearg = 0;
	for (; i < end; i++) {
		if (__builtin_expect(is_last(i), 0)) {
			*last = true;
			continue;
		}
		if (insn_match(i, r, p) != ((i->flags & FW_NOT) != 0)) {
			while (i->flags & FW_OR)
				i++;
		} else if (!(i->flags & FW_OR)) {
			return i;
		}
	}
	return NULL;
}

/* The rule matches: the states that it makes. */
static enum fw_match
rule_keep_state(struct fw_rule *r, struct fw_packet *p)
{
	enum fw_match match = FW_YES;

	for (const struct fw_insn *i = r->insn; i < r->insn + r->n_insns; i++) {
		int error;

		if (i->op == FW_OP_DEFER)
			match = FW_LATER;
		if (i->op != FW_OP_KEEP_STATE && i->op != FW_OP_LIMIT)
			continue;
		error = fw_state_add(r, i, p);
		/* What is no flow has no state, and goes its way without. */
		if (error != 0 && error != -EINVAL)
			return FW_REFUSE;
	}
	return match;
}

enum fw_match
fw_rule_match(struct fw_rule *r, struct fw_packet *p)
{
	bool last = false;

	if (rule_fails(r, p, &last) != NULL)
		return FW_NO;
	return __builtin_expect(last, 0) ? rule_keep_state(r, p) : FW_YES;
}

const struct fw_insn *
fw_rule_failed(const struct fw_rule *r, struct fw_packet *p)
{
	bool last;

	return rule_fails(r, p, &last);
}

const char *
fw_rule_state_name(const struct fw_rule *r)
{
	if (r->action == FW_ACT_CHECK_STATE)
		return r->state_name;
	for (const struct fw_insn *i = r->insn; i < r->insn + r->n_insns; i++)
		if ((i->op == FW_OP_KEEP_STATE || i->op == FW_OP_LIMIT) && !i->u.limit->no_check)
			return i->u.limit->name;
	return NULL;
}
