/*
 * imply.c - see imply.h.
 *
 * Instructions are sets of packets. a implies b if a's set lies in b's; with "not", the other way
 * round (contraposition). a excludes b if a implies "not b".
 */
#include "ipfw/imply.h"
#include "ipfw/language.h"
#include "ipfw/packet.h"

#include "inet/ip.h"
#include "inet6/ip6.h"

#include <string.h>

enum { TH_RST = 0x04, TH_ACK = 0x10 };

/* --- lists ------------------------------------------------------------------------------------ */

static bool
range_in(const void *x, const void *y)
{
	const struct fw_range *a = x, *b = y;

	return a->lo >= b->lo && a->hi <= b->hi;
}

static bool
range_apart(const void *x, const void *y)
{
	const struct fw_range *a = x, *b = y;

	return a->lo > b->hi || b->lo > a->hi;
}

/* Bytes under masks: is all that a matches among what b matches? */
static bool
masked_in(const void *a, const void *a_mask, const void *b, const void *b_mask, unsigned n)
{
	const uint8_t *x = a, *x_mask = a_mask, *y = b, *y_mask = b_mask;

	for (unsigned i = 0; i < n; i++)
		if ((y_mask[i] & ~x_mask[i]) != 0 || ((x[i] ^ y[i]) & y_mask[i]) != 0)
			return false;
	return true;
}

/* Is there a byte that both ask for, and differ in? */
static bool
masked_apart(const void *a, const void *a_mask, const void *b, const void *b_mask, unsigned n)
{
	const uint8_t *x = a, *x_mask = a_mask, *y = b, *y_mask = b_mask;

	for (unsigned i = 0; i < n; i++)
		if ((x[i] ^ y[i]) & x_mask[i] & y_mask[i])
			return true;
	return false;
}

static bool
net_in(const void *x, const void *y)
{
	const struct fw_net *a = x, *b = y;

	return masked_in(&a->addr, &a->mask, &b->addr, &b->mask, sizeof(a->addr));
}

static bool
net_apart(const void *x, const void *y)
{
	const struct fw_net *a = x, *b = y;

	return masked_apart(&a->addr, &a->mask, &b->addr, &b->mask, sizeof(a->addr));
}

static bool
net6_in(const void *x, const void *y)
{
	const struct fw_net6 *a = x, *b = y;

	return masked_in(&a->addr, &a->mask, &b->addr, &b->mask, sizeof(a->addr));
}

static bool
net6_apart(const void *x, const void *y)
{
	const struct fw_net6 *a = x, *b = y;

	return masked_apart(&a->addr, &a->mask, &b->addr, &b->mask, sizeof(a->addr));
}

static bool
label_in(const void *x, const void *y)
{
	return *(const uint32_t *)x == *(const uint32_t *)y;
}

/* How two elements of lists stand to each other. NULL: it is no list, or nobody asks. */
static const struct {
	bool (*in)(const void *x, const void *y);
	bool (*apart)(const void *x, const void *y);
} elements[] = {
	[FW_OPERAND_NETS] = { net_in, net_apart },
	[FW_OPERAND_NETS6] = { net6_in, net6_apart },
	[FW_OPERAND_RANGES] = { range_in, range_apart },
	[FW_OPERAND_LABELS] = { label_in, NULL },
};

static const void *
element(const struct fw_insn *list, unsigned i)
{
	return (const uint8_t *)list->u.net + i * fw_operand_bytes(fw_insn_operand(list));
}

static bool
lies_in_one(const void *x, const struct fw_insn *list)
{
	for (unsigned i = 0; i < list->n; i++)
		if (elements[fw_insn_operand(list)].in(x, element(list, i)))
			return true;
	return false;
}

/* Both are lists of one kind. */
static bool
each_lies_in_one(const struct fw_insn *a, const struct fw_insn *b)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!lies_in_one(element(a, i), b))
			return false;
	return true;
}

static bool
all_are_apart(const struct fw_insn *a, const struct fw_insn *b)
{
	for (unsigned i = 0; i < a->n; i++)
		for (unsigned j = 0; j < b->n; j++)
			if (!elements[fw_insn_operand(a)].apart(element(a, i), element(b, j)))
				return false;
	return true;
}

/* --- sets ------------------------------------------------------------------------------------- */

static bool
bits_in(const uint64_t *a, const uint64_t *b)
{
	return ((a[0] & ~b[0]) | (a[1] & ~b[1]) | (a[2] & ~b[2]) | (a[3] & ~b[3])) == 0;
}

static bool
set_in(const struct fw_set *a, const struct fw_set *b)
{
	return a->base == b->base && a->len == b->len && bits_in(a->bits, b->bits);
}

/* --- interfaces, tables, link addresses ------------------------------------------------------- */

static bool
iface_in(const struct fw_iface *a, const struct fw_iface *b)
{
	const bool named = a->how == FW_IFACE_NAME || a->how == FW_IFACE_PREFIX;

	switch ((enum fw_iface_how)b->how) {
	case FW_IFACE_ANY:
		return true;
	case FW_IFACE_NAME:
		return a->how == FW_IFACE_NAME && strcmp(a->name, b->name) == 0;
	case FW_IFACE_PREFIX:
		return named && strncmp(a->name, b->name, strlen(b->name)) == 0;
	case FW_IFACE_ADDR:
		return a->how == FW_IFACE_ADDR && a->addr == b->addr;
	case FW_IFACE_TABLE:
		return a->how == FW_IFACE_TABLE && a->table == b->table;
	}
	return false;
}

static bool
iface_apart(const struct fw_iface *a, const struct fw_iface *b)
{
	size_t len = strlen(b->name);

	if (a->how == FW_IFACE_NAME && b->how == FW_IFACE_NAME)
		return strcmp(a->name, b->name) != 0;
	if (a->how == FW_IFACE_NAME && b->how == FW_IFACE_PREFIX)
		return strncmp(a->name, b->name, len) != 0;
	if (a->how == FW_IFACE_PREFIX && b->how == FW_IFACE_PREFIX)
		return strncmp(a->name, b->name, len < strlen(a->name) ? len : strlen(a->name)) !=
		    0;
	return false;
}

static bool
table_in(const struct fw_table_match *a, const struct fw_table_match *b)
{
	return a->table == b->table && a->key == b->key && a->masked == b->masked &&
	    (!a->masked || a->mask == b->mask) &&
	    (!b->by_value || (a->by_value && a->value == b->value));
}

static bool
mac_in(const struct fw_mac *a, const struct fw_mac *b)
{
	return masked_in(a->dst, a->dst_mask, b->dst, b->dst_mask, sizeof(a->dst)) &&
	    masked_in(a->src, a->src_mask, b->src, b->src_mask, sizeof(a->src));
}

/* --- of one kind ------------------------------------------------------------------------------ */

/* What an instruction holds in itself. */
static bool
value_in(const struct fw_insn *a, const struct fw_insn *b)
{
	switch ((enum fw_op)a->op) {
	case FW_OP_SRC_ME:
	case FW_OP_DST_ME:
		return b->n != 6 || a->n == 6;
	case FW_OP_IPTOS:
	case FW_OP_IPOPTIONS:
	case FW_OP_TCPFLAGS:
	case FW_OP_TCPOPTIONS:
		return (a->n & b->n) == b->n && (a->arg & b->arg) == b->arg;
	case FW_OP_DSCP:
	case FW_OP_ICMPTYPE:
		return (a->u.num & ~b->u.num) == 0;
	case FW_OP_EXT6HDR:
	case FW_OP_DIVERTED:
		return (a->n & ~b->n) == 0;
	case FW_OP_PROB: /* each rule's chance is its own */
	case FW_OP_DEFER:
	case FW_OP_COUNT_:
		return false;
	default: /* those that hold a number, or nothing */
		return a->n == b->n && a->arg == b->arg;
	}
}

/* a and b have one op and no NOT: does a's set lie in b's? */
static bool
same_in(const struct fw_insn *a, const struct fw_insn *b)
{
	switch (fw_insn_operand(a)) {
	case FW_OPERAND_NETS:
	case FW_OPERAND_NETS6:
	case FW_OPERAND_RANGES:
	case FW_OPERAND_LABELS:
		return !((a->flags | b->flags) & FW_TABLEARG) && each_lies_in_one(a, b);
	case FW_OPERAND_SET:
		return set_in(a->u.set, b->u.set);
	case FW_OPERAND_TABLE:
		return table_in(a->u.table, b->u.table);
	case FW_OPERAND_MAC:
		return mac_in(a->u.mac, b->u.mac);
	case FW_OPERAND_IFACE:
		return iface_in(a->u.iface, b->u.iface);
	case FW_OPERAND_BITS:
		return bits_in(a->u.bits, b->u.bits);
	case FW_OPERAND_LIMIT:
		return false;
	case FW_OPERAND_VALUE:
		break;
	}
	return value_in(a, b);
}

/* --- of several kinds ------------------------------------------------------------------------- */

/* The IP version of all packets that a matches; 0 = it doesn't say. */
static unsigned
version_of(const struct fw_insn *a)
{
	switch ((enum fw_op)a->op) {
	case FW_OP_IP4:
	case FW_OP_SRC:
	case FW_OP_DST:
	case FW_OP_SRC_SET:
	case FW_OP_DST_SET:
	case FW_OP_IPID:
	case FW_OP_IPTTL:
	case FW_OP_IPPRECEDENCE:
	case FW_OP_IPTOS:
	case FW_OP_IPOPTIONS:
	case FW_OP_ICMPTYPE:
		return 4;
	case FW_OP_IP6:
	case FW_OP_SRC6:
	case FW_OP_DST6:
	case FW_OP_ICMP6TYPE:
	case FW_OP_EXT6HDR:
	case FW_OP_FLOWID:
		return 6;
	case FW_OP_SRC_ME:
	case FW_OP_DST_ME:
		return a->n == 6 ? 6 : 0;
	case FW_OP_IPVER:
		return a->n == 4 || a->n == 6 ? a->n : 0;
	default:
		return 0;
	}
}

/* Their protocol; -1 = it doesn't say. */
static int
protocol_of(const struct fw_insn *a)
{
	switch ((enum fw_op)a->op) {
	case FW_OP_PROTO:
		return a->n;
	case FW_OP_ESTABLISHED:
	case FW_OP_TCPFLAGS:
	case FW_OP_TCPOPTIONS:
	case FW_OP_TCPSEQ:
	case FW_OP_TCPACK:
	case FW_OP_TCPWIN:
	case FW_OP_TCPDATALEN:
	case FW_OP_TCPMSS:
		return IPPROTO_TCP_;
	case FW_OP_ICMPTYPE:
		return IPPROTO_ICMP_;
	case FW_OP_ICMP6TYPE:
		return IPPROTO_ICMPV6_;
	default:
		return -1;
	}
}

static bool
has_ports(const struct fw_insn *a)
{
	return a->op == FW_OP_SRC_PORT || a->op == FW_OP_DST_PORT;
}

/* Does it match only packets whose upper header is there? Later fragments have none. */
static bool
needs_upper(const struct fw_insn *a)
{
	return has_ports(a) || (a->op != FW_OP_PROTO && protocol_of(a) >= 0);
}

/* Is b one that any IPv4 packet matches, or any IPv6 packet (0.0.0.0/0, ::/0)? */
static unsigned
version_all(const struct fw_insn *b)
{
	static const struct in6 none;

	switch ((enum fw_op)b->op) {
	case FW_OP_IP4:
	case FW_OP_IP6:
	case FW_OP_IPVER:
		return version_of(b);
	case FW_OP_SRC:
	case FW_OP_DST:
		for (unsigned i = 0; i < b->n; i++)
			if (b->u.net[i].mask == 0)
				return 4;
		return 0;
	case FW_OP_SRC6:
	case FW_OP_DST6:
		for (unsigned i = 0; i < b->n; i++)
			if (memcmp(&b->u.net6[i].mask, &none, sizeof(none)) == 0)
				return 6;
		return 0;
	default:
		return 0;
	}
}

/* A set of hosts lies in a net that its base lies in. */
static bool
set_in_nets(const struct fw_insn *a, const struct fw_insn *b)
{
	const struct fw_net base = { a->u.set->base,
		__builtin_bswap32(UINT32_MAX << (32 - a->u.set->len)) };

	if (!(a->op == FW_OP_SRC_SET && b->op == FW_OP_SRC) &&
	    !(a->op == FW_OP_DST_SET && b->op == FW_OP_DST))
		return false;
	return lies_in_one(&base, b);
}

/* Neither has NOT. */
static bool
plain_implies(const struct fw_insn *a, const struct fw_insn *b)
{
	if (a->op == b->op && same_in(a, b))
		return true;
	if (version_all(b) != 0 && version_of(a) == version_all(b))
		return true;
	switch ((enum fw_op)b->op) {
	case FW_OP_PROTO:
		return protocol_of(a) == b->n;
	case FW_OP_ESTABLISHED:
		return a->op == FW_OP_TCPFLAGS && (a->n & (TH_RST | TH_ACK));
	case FW_OP_LAYER2:
		return a->op == FW_OP_MAC || a->op == FW_OP_MAC_TYPE;
	case FW_OP_SRC:
	case FW_OP_DST:
		return (a->op == FW_OP_SRC_SET || a->op == FW_OP_DST_SET) && set_in_nets(a, b);
	default:
		return false;
	}
}

/* --- apart ------------------------------------------------------------------------------------ */

static bool
values_apart(const struct fw_insn *a, const struct fw_insn *b)
{
	switch ((enum fw_op)a->op) {
	case FW_OP_IPTOS:
	case FW_OP_IPOPTIONS:
	case FW_OP_TCPFLAGS:
	case FW_OP_TCPOPTIONS:
		return (a->n & b->arg) != 0 || (a->arg & b->n) != 0;
	case FW_OP_DSCP:
	case FW_OP_ICMPTYPE:
		return (a->u.num & b->u.num) == 0;
	case FW_OP_IPVER:
	case FW_OP_IPPRECEDENCE:
		return a->n != b->n;
	case FW_OP_TCPSEQ:
	case FW_OP_TCPACK:
	case FW_OP_FIB:
		return a->arg != b->arg;
	default:
		return false;
	}
}

/* a and b have one op and no NOT: is there no packet in both? */
static bool
same_apart(const struct fw_insn *a, const struct fw_insn *b)
{
	switch (fw_insn_operand(a)) {
	case FW_OPERAND_NETS:
	case FW_OPERAND_NETS6:
		return all_are_apart(a, b);
	case FW_OPERAND_RANGES: /* but a packet has many tags */
		return a->op != FW_OP_TAGGED && all_are_apart(a, b);
	case FW_OPERAND_IFACE:
		return iface_apart(a->u.iface, b->u.iface) || iface_apart(b->u.iface, a->u.iface);
	case FW_OPERAND_VALUE:
		return values_apart(a, b);
	default:
		return false;
	}
}

static bool
protocols_apart(const struct fw_insn *a, const struct fw_insn *b)
{
	const int x = protocol_of(a), y = protocol_of(b);

	if (x >= 0 && y >= 0)
		return x != y;
	return (x >= 0 && has_ports(b) && !fw_protocol_has_ports(x)) ||
	    (y >= 0 && has_ports(a) && !fw_protocol_has_ports(y));
}

/* ICMP's types are of IPv4, ICMPv6's of IPv6, whatever else a packet may hold. */
static bool
plain_excludes(const struct fw_insn *a, const struct fw_insn *b)
{
	const unsigned x = version_of(a), y = version_of(b);

	if (a->op == b->op && same_apart(a, b))
		return true;
	if (x != 0 && y != 0 && x != y)
		return true;
	if (protocols_apart(a, b))
		return true;
	if ((a->op == FW_OP_FRAG && needs_upper(b)) || (b->op == FW_OP_FRAG && needs_upper(a)))
		return true;
	/* on the way in nobody knows where it will go */
	return (a->op == FW_OP_IN && b->op == FW_OP_XMIT) ||
	    (a->op == FW_OP_XMIT && b->op == FW_OP_IN);
}

/* --- with NOT --------------------------------------------------------------------------------- */

/* States and deferred actions match always; chance never certainly. */
static bool
is_condition(const struct fw_insn *a)
{
	return a->op != FW_OP_PROB && a->op != FW_OP_KEEP_STATE && a->op != FW_OP_LIMIT &&
	    a->op != FW_OP_DEFER;
}

bool
fw_insn_implies(const struct fw_insn *a, const struct fw_insn *b)
{
	const bool not_a = a->flags & FW_NOT, not_b = b->flags & FW_NOT;

	if (!is_condition(a) || !is_condition(b))
		return false;
	if (not_a)
		return not_b && plain_implies(b, a);
	return not_b ? plain_excludes(a, b) : plain_implies(a, b);
}

bool
fw_insn_excludes(const struct fw_insn *a, const struct fw_insn *b)
{
	const bool not_a = a->flags & FW_NOT, not_b = b->flags & FW_NOT;

	if (!is_condition(a) || !is_condition(b) || (not_a && not_b))
		return false;
	if (not_a)
		return plain_implies(b, a);
	return not_b ? plain_implies(a, b) : plain_excludes(a, b);
}
