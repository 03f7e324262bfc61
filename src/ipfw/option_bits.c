/*
 * option_bits.c - options that name bits: flags that are set or clear, and lists kept as maps.
 *
 *	tcpflags syn,!ack	iptos lowdelay		ext6hdr frag,rthdr0
 *	icmptypes 0,8		dscp ef,af11,12		icmp6types 135,136
 */
#include "ipfw/language.h"

#include "kern/verb.h"

#include <string.h>

/* Cut the next item of a comma list; false if it is longer than any name. */
static bool
next_item(const char **list, char item[32])
{
	size_t len = strcspn(*list, ",");
	bool fits = len < 32;

	memcpy(item, *list, fits ? len : 31);
	item[fits ? len : 31] = '\0';
	*list += len;
	return fits;
}

/* --- set and clear --------------------------------------------------------- */

static const struct fw_word tcp_flags[] = {
	{ "fin", 0x01 },
	{ "syn", 0x02 },
	{ "rst", 0x04 },
	{ "psh", 0x08 },
	{ "ack", 0x10 },
	{ "urg", 0x20 },
	{ NULL, 0 },
};

static const struct fw_word tcp_options[] = {
	{ "mss", FW_TCPOPT_MSS },
	{ "maxseg", FW_TCPOPT_MSS },
	{ "window", FW_TCPOPT_WINDOW },
	{ "sack", FW_TCPOPT_SACK },
	{ "ts", FW_TCPOPT_TS },
	{ "timestamp", FW_TCPOPT_TS },
	{ "cc", FW_TCPOPT_CC },
	{ NULL, 0 },
};

static const struct fw_word ip_options[] = {
	{ "ssrr", FW_IPOPT_SSRR },
	{ "lsrr", FW_IPOPT_LSRR },
	{ "rr", FW_IPOPT_RR },
	{ "ts", FW_IPOPT_TS },
	{ NULL, 0 },
};

/* RFC 1349; the lowest two bits mean congestion since RFC 3168. */
static const struct fw_word ip_tos[] = {
	{ "lowdelay", FW_TOS_LOWDELAY },
	{ "throughput", FW_TOS_THROUGHPUT },
	{ "reliability", FW_TOS_RELIABILITY },
	{ "mincost", FW_TOS_MINCOST },
	{ "ecntransport", FW_TOS_MINCOST },
	{ "congestion", FW_TOS_CONGESTION },
	{ NULL, 0 },
};

static const struct fw_word ext6_headers[] = {
	{ "frag", FW_EXT_FRAG },
	{ "hopopt", FW_EXT_HOPOPT },
	{ "route", FW_EXT_ROUTE },
	{ "rthdr0", FW_EXT_RTHDR0 },
	{ "rthdr2", FW_EXT_RTHDR2 },
	{ "dstopt", FW_EXT_DSTOPT },
	{ "ah", FW_EXT_AH },
	{ "esp", FW_EXT_ESP },
	{ NULL, 0 },
};

static const struct fw_word *
names_of(const struct fw_insn *in)
{
	switch ((enum fw_op)in->op) {
	case FW_OP_TCPFLAGS:
		return tcp_flags;
	case FW_OP_TCPOPTIONS:
		return tcp_options;
	case FW_OP_IPOPTIONS:
		return ip_options;
	case FW_OP_IPTOS:
		return ip_tos;
	default:
		return ext6_headers;
	}
}

static bool
parse_bit(struct fw_parse *p, const char *of, const char *item, struct fw_insn *in)
{
	bool clear = item[0] == '!' && in->op != FW_OP_EXT6HDR;
	uint32_t bit;

	if (!fw_name_find(names_of(in), item + clear, &bit))
		return fw_fail(p, "unknown %s \"%s\"", of, item);
	if (((clear ? in->n : in->arg) & bit) != 0)
		return fw_fail(p, "%s \"%s\" both set and clear", of, item + clear);
	if (clear)
		in->arg |= bit;
	else
		in->n = (uint16_t)(in->n | bit);
	return true;
}

enum fw_made
fw_parse_bits(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *list = fw_need(p, o->word);
	char item[32];

	while (list != NULL) {
		if (!next_item(&list, item) || !parse_bit(p, o->word, item, in)) {
			fw_fail(p, "unknown %s \"%s\"", o->word, item);
			return FW_MADE_FAULT;
		}
		if (*list++ == '\0')
			return FW_MADE_INSN;
	}
	return FW_MADE_FAULT;
}

void
fw_print_bits(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	const char *comma = "";
	uint32_t said = 0;

	(void)proto;
	for (const struct fw_word *name = names_of(in); name->word != NULL; name++) {
		/* the first of a bit's names is enough */
		if ((said & name->value) != 0 || ((in->n | in->arg) & name->value) == 0)
			continue;
		said |= name->value;
		fw_put(t, "%s%s%s", comma, (in->arg & name->value) != 0 ? "!" : "", name->word);
		comma = ",";
	}
}

/* --- maps ------------------------------------------------------------------ */

static bool
parse_member(struct fw_parse *p, const char *of, const char *item, const struct fw_word *names,
    unsigned max, uint64_t *map)
{
	uint64_t number;
	uint32_t value;

	if (names != NULL && fw_name_find(names, item, &value))
		number = value;
	else if (!verb_number(item, 0, UINT64_MAX, &number))
		return fw_fail(p, "bad %s \"%s\"", of, item);
	if (number > max)
		return fw_fail(p, "%s %s out of range", of, item);
	map[number / 64] |= UINT64_C(1) << number % 64;
	return true;
}

static bool
parse_members(
    struct fw_parse *p, const char *of, const struct fw_word *names, unsigned max, uint64_t *map)
{
	const char *list = fw_need(p, of);
	char item[32];

	while (list != NULL) {
		if (!next_item(&list, item))
			return fw_fail(p, "bad %s \"%s\"", of, item);
		if (!parse_member(p, of, item, names, max, map))
			return false;
		if (*list++ == '\0')
			return true;
	}
	return false;
}

static void
print_members(struct fw_text *t, const uint64_t *map, unsigned max, const struct fw_word *names)
{
	const char *comma = "";

	for (unsigned i = 0; i <= max; i++) {
		const char *name = names != NULL ? fw_name_of(names, i) : NULL;

		if ((map[i / 64] >> i % 64 & 1) == 0)
			continue;
		if (name != NULL)
			fw_put(t, "%s%s", comma, name);
		else
			fw_put(t, "%s%u", comma, i);
		comma = ",";
	}
}

static const struct fw_word *
member_names(const struct fw_insn *in)
{
	return in->op == FW_OP_DSCP ? fw_dscps : NULL;
}

enum fw_made
fw_parse_map(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	return parse_members(p, o->word, member_names(in), 63, &in->u.num) ? FW_MADE_INSN :
									     FW_MADE_FAULT;
}

void
fw_print_map(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	print_members(t, &in->u.num, 63, member_names(in));
}

enum fw_made
fw_parse_icmp6types(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	uint64_t *bits = fw_rule_list(4 * sizeof(*bits));

	if (bits == NULL) {
		fw_no_memory(p);
		return FW_MADE_FAULT;
	}
	in->u.bits = bits;
	return parse_members(p, o->word, NULL, 255, bits) ? FW_MADE_INSN : FW_MADE_FAULT;
}

void
fw_print_icmp6types(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	print_members(t, in->u.bits, 255, NULL);
}
