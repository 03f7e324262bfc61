/*
 * match_internal.h - instructions against a packet: what match.c has from the rooms beside it.
 */
#ifndef WARREN_IPFW_MATCH_INTERNAL_H
#define WARREN_IPFW_MATCH_INTERNAL_H

#include "ipfw/packet.h"
#include "ipfw/rule.h"
#include "ipfw/table.h"

/* Is x in one of the n ranges? */
static inline bool
fw_in_ranges(const struct fw_range *r, unsigned n, uint32_t x)
{
	for (unsigned i = 0; i < n; i++)
		if (x >= r[i].lo && x <= r[i].hi)
			return true;
	return false;
}

/* Is the IPv4 address in one of the instruction's networks? */
static inline bool
fw_in_nets(const struct fw_insn *insn, uint32_t addr)
{
	for (unsigned i = 0; i < insn->n; i++)
		if (((addr ^ insn->u.net[i].addr) & insn->u.net[i].mask) == 0)
			return true;
	return false;
}

/*
 * Does the rule fail at its first instructions, as long as they are of the ordinary kind: a protocol,
 * IPv4 addresses, ports? What most rules say no by, without a call and a jump that nobody can
 * predict (8.5 -> 3.5 ns a rule). False: the rule has to be asked in full.
 */
static inline bool
fw_rule_plainly_fails(const struct fw_rule *r, const struct fw_packet *p)
{
	for (const struct fw_insn *i = r->insn, *end = i + r->n_insns; i < end; i++) {
		bool match;

		if (i->flags & (FW_NOT | FW_OR))
			return false;
		if (i->op == FW_OP_PROTO)
			match = p->ip != 0 && p->proto == i->n;
		else if (i->op == FW_OP_SRC)
			match = p->ip == 4 && fw_in_nets(i, p->src);
		else if (i->op == FW_OP_DST)
			match = p->ip == 4 && fw_in_nets(i, p->dst);
		else if (i->op == FW_OP_DST_PORT)
			match = p->has_ports && fw_in_ranges(i->u.range, i->n, p->dport);
		else if (i->op == FW_OP_SRC_PORT)
			match = p->has_ports && fw_in_ranges(i->u.range, i->n, p->sport);
		else
			return false;
		if (!match)
			return true;
	}
	return false;
}

/* Headers in detail (match_header.c). */
bool fw_match_ipoptions(const struct fw_insn *insn, const struct fw_packet *p);
bool fw_match_tcpoptions(const struct fw_insn *insn, const struct fw_packet *p);
bool fw_match_tcpmss(const struct fw_insn *insn, const struct fw_packet *p);
bool fw_match_tcpdatalen(const struct fw_insn *insn, const struct fw_packet *p);

/* What the stack knows (match_stack.c): its addresses, interfaces, routes, endpoints. */
bool fw_match_me(const struct fw_insn *insn, const struct fw_packet *p, bool src);
bool fw_match_iface(const struct fw_iface *i, struct fw_packet *p, const struct ifnet *ifp);
bool fw_match_verrevpath(const struct fw_packet *p);
bool fw_match_versrcreach(const struct fw_packet *p);
bool fw_match_antispoof(const struct fw_packet *p);
/* Is the packet from or to an endpoint of this stack? Then somebody owns it. */
bool fw_packet_has_owner(const struct fw_packet *p);
int fw_owner_jail(void);
enum { FW_OWNER_UID = 0, FW_OWNER_GID = 0 }; /* programs in a stack are its root's */

/* Tables (match_table.c): found, and what was found is the tablearg. */
bool fw_match_table(const struct fw_table_match *t, struct fw_packet *p, bool src);
bool fw_match_lookup(const struct fw_table_match *t, struct fw_packet *p);
bool fw_match_flow(const struct fw_table_match *t, struct fw_packet *p);
void fw_tablearg_set(struct fw_packet *p, const struct fw_value *v);

#endif
