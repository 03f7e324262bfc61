/*
 * option.c - the table of options, and those that are a word, a number, a list or an address.
 *
 * One line an option, for reading and writing both. Of several words for a thing the first is
 * printed.
 */
#include "ipfw/language.h"

#include "kern/verb.h"

#include <stdlib.h>
#include <string.h>

/* --- numbers --------------------------------------------------------------- */

/* o->arg is the highest. */
static bool
number(struct fw_parse *p, const struct fw_option *o, uint64_t *n)
{
	return fw_need_number(p, o->word, 0, o->arg, n);
}

static enum fw_made
parse_small(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	uint64_t n;

	if (!number(p, o, &n))
		return FW_MADE_FAULT;
	in->n = (uint16_t)n;
	in->arg = 0;
	return FW_MADE_INSN;
}

static void
print_small(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	fw_put(t, "%u", in->n);
}

static enum fw_made
parse_number(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	uint64_t n;

	if (!number(p, o, &n))
		return FW_MADE_FAULT;
	in->arg = (uint32_t)n;
	return FW_MADE_INSN;
}

static void
print_number(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	fw_put(t, "%u", in->arg);
}

static const struct fw_word *
names_of(const struct fw_insn *in)
{
	return in->op == FW_OP_UID ? fw_users : fw_groups;
}

static enum fw_made
parse_owner(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);
	uint64_t n;

	if (word == NULL)
		return FW_MADE_FAULT;
	in->arg = 0;
	if (fw_name_find(names_of(in), word, &in->arg))
		return FW_MADE_INSN;
	if (!verb_number(word, 0, UINT32_MAX, &n)) {
		fw_fail(p, "unknown %s \"%s\"", o->word, word);
		return FW_MADE_FAULT;
	}
	in->arg = (uint32_t)n;
	return FW_MADE_INSN;
}

static void
print_owner(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	const char *name = (t->flags & FW_PRINT_NAMES) != 0 ? fw_name_of(names_of(in), in->arg) :
							      NULL;

	if (name != NULL)
		fw_put(t, "%s", name);
	else
		print_number(t, in, proto);
}

/* --- lists ----------------------------------------------------------------- */

static enum fw_list_kind
kind_of(const struct fw_insn *in)
{
	return in->op == FW_OP_MAC_TYPE                          ? FW_LIST_ETHER_TYPES :
	    in->op == FW_OP_SRC_PORT || in->op == FW_OP_DST_PORT ? FW_LIST_PORTS :
								   FW_LIST_NUMBERS;
}

static enum fw_made
parse_list(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);
	bool is_port = kind_of(in) == FW_LIST_PORTS;

	if (word == NULL)
		return FW_MADE_FAULT;
	if (is_port && strcmp(word, "any") == 0)
		return FW_MADE_ALWAYS;
	return fw_parse_list(p, word, kind_of(in), is_port ? "port" : o->word, in) ? FW_MADE_INSN :
										     FW_MADE_FAULT;
}

static void
print_list(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	fw_print_list(t, in, kind_of(in), proto);
}

static enum fw_made
parse_tagged(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	if (!fw_take(p, "tablearg"))
		return parse_list(p, o, in);
	in->flags |= FW_TABLEARG;
	return FW_MADE_INSN;
}

static void
print_tagged(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	if ((in->flags & FW_TABLEARG) != 0)
		fw_put(t, "tablearg");
	else
		print_list(t, in, proto);
}

enum { FLOW_LABEL_MAX = 0xfffff };

static enum fw_made
parse_flow_ids(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);
	uint32_t *label;
	uint64_t value;
	unsigned n = 1;
	char text[16];

	for (const char *c = word; c != NULL && *c != '\0'; c++)
		n += *c == ',';
	if (word == NULL || n > FW_LIST_MAX) {
		fw_fail(p, "more than %d flow labels", FW_LIST_MAX);
		return FW_MADE_FAULT;
	}
	label = fw_rule_list(n * sizeof(*label));
	if (label == NULL) {
		fw_no_memory(p);
		return FW_MADE_FAULT;
	}
	in->n = (uint16_t)n;
	in->u.num32 = label;
	for (unsigned i = 0; i < n; i++) {
		size_t len = strcspn(word, ",");

		memcpy(text, word, len < sizeof(text) ? len : 0);
		text[len < sizeof(text) ? len : 0] = '\0';
		if (!verb_number(text, 0, FLOW_LABEL_MAX, &value)) {
			fw_fail(p, "bad flow label \"%.*s\"", (int)(len < 60 ? len : 60), word);
			return FW_MADE_FAULT;
		}
		label[i] = (uint32_t)value;
		word += len + 1;
	}
	return FW_MADE_INSN;
}

static void
print_flow_ids(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	for (unsigned i = 0; i < in->n; i++)
		fw_put(t, i > 0 ? ",%u" : "%u", in->u.num32[i]);
}

/* --- protocols and addresses ----------------------------------------------- */

static enum fw_made
parse_proto(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);

	return word == NULL ? FW_MADE_FAULT : fw_parse_protocol(p, word, in);
}

static void
print_proto(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	fw_print_protocol(t, in);
}

/* o->arg is the family. */
static enum fw_made
parse_address(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);
	enum fw_side side = in->op == FW_OP_SRC || in->op == FW_OP_SRC6 ? FW_SRC : FW_DST;

	if (word == NULL)
		return FW_MADE_FAULT;
	in->arg = 0;
	return fw_parse_address(p, word, side, (enum fw_family)o->arg, in);
}

static void
print_address(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	fw_print_address(t, in);
}

/* --- the table ------------------------------------------------------------- */

#define WORD(w, o, ...)                                                                            \
	{                                                                                          \
		.word = w, .op = o, ##__VA_ARGS__                                                  \
	}
#define LIST(w, o)                                                                                 \
	{                                                                                          \
		.word = w, .op = o, .parse = parse_list, .print = print_list                       \
	}
#define SMALL(w, o, max)                                                                           \
	{                                                                                          \
		.word = w, .op = o, .arg = max, .parse = parse_small, .print = print_small         \
	}
#define NUMBER(w, o, max)                                                                          \
	{                                                                                          \
		.word = w, .op = o, .arg = max, .parse = parse_number, .print = print_number       \
	}
#define ADDRESS(w, o, family)                                                                      \
	{                                                                                          \
		.word = w, .op = o, .arg = family, .parse = parse_address, .print = print_address  \
	}
#define OTHER(w, o, name, ...)                                                                     \
	{                                                                                          \
		.word = w, .op = o, .parse = fw_parse_##name, .print = fw_print_##name,            \
		##__VA_ARGS__                                                                      \
	}

enum { TCP_SYN = 0x02, TCP_ACK = 0x10 };

static const struct fw_option options[] = {
	WORD("out", FW_OP_IN, .inverted = true),
	WORD("in", FW_OP_IN),
	WORD("layer2", FW_OP_LAYER2),
	WORD("bridged", FW_OP_LAYER2),
	OTHER("MAC", FW_OP_MAC, mac),
	OTHER("mac", FW_OP_MAC, mac),
	LIST("mac-type", FW_OP_MAC_TYPE),
	OTHER("recv", FW_OP_RECV, iface),
	OTHER("xmit", FW_OP_XMIT, iface),
	OTHER("via", FW_OP_VIA, iface),
	{ .word = "proto", .op = FW_OP_PROTO, .parse = parse_proto, .print = print_proto },
	WORD("ip4", FW_OP_IP4),
	WORD("ipv4", FW_OP_IP4),
	WORD("ip6", FW_OP_IP6),
	WORD("ipv6", FW_OP_IP6),
	ADDRESS("src-ip", FW_OP_SRC, FW_EITHER),
	ADDRESS("src-ip4", FW_OP_SRC, FW_ONLY4),
	ADDRESS("src-ipv4", FW_OP_SRC, FW_ONLY4),
	ADDRESS("src-ip6", FW_OP_SRC6, FW_ONLY6),
	ADDRESS("src-ipv6", FW_OP_SRC6, FW_ONLY6),
	ADDRESS("dst-ip", FW_OP_DST, FW_EITHER),
	ADDRESS("dst-ip4", FW_OP_DST, FW_ONLY4),
	ADDRESS("dst-ipv4", FW_OP_DST, FW_ONLY4),
	ADDRESS("dst-ip6", FW_OP_DST6, FW_ONLY6),
	ADDRESS("dst-ipv6", FW_OP_DST6, FW_ONLY6),
	LIST("src-port", FW_OP_SRC_PORT),
	LIST("dst-port", FW_OP_DST_PORT),
	OTHER("lookup", FW_OP_LOOKUP, lookup),
	OTHER("flow", FW_OP_FLOW, flow),
	WORD("frag", FW_OP_FRAG),
	WORD("fragment", FW_OP_FRAG),
	LIST("ipid", FW_OP_IPID),
	LIST("iplen", FW_OP_IPLEN),
	LIST("ipttl", FW_OP_IPTTL),
	SMALL("ipver", FW_OP_IPVER, 15),
	SMALL("ipversion", FW_OP_IPVER, 15),
	SMALL("ipprecedence", FW_OP_IPPRECEDENCE, 7),
	OTHER("iptos", FW_OP_IPTOS, bits),
	OTHER("dscp", FW_OP_DSCP, map),
	OTHER("ipoptions", FW_OP_IPOPTIONS, bits),
	OTHER("ipopts", FW_OP_IPOPTIONS, bits),
	OTHER("icmptypes", FW_OP_ICMPTYPE, map),
	OTHER("icmptype", FW_OP_ICMPTYPE, map),
	OTHER("icmp6types", FW_OP_ICMP6TYPE, icmp6types),
	OTHER("icmp6type", FW_OP_ICMP6TYPE, icmp6types),
	WORD("established", FW_OP_ESTABLISHED),
	WORD("estab", FW_OP_ESTABLISHED),
	WORD("setup", FW_OP_TCPFLAGS, .n = TCP_SYN, .arg = TCP_ACK),
	OTHER("tcpflags", FW_OP_TCPFLAGS, bits),
	OTHER("tcpflgs", FW_OP_TCPFLAGS, bits),
	OTHER("tcpoptions", FW_OP_TCPOPTIONS, bits),
	OTHER("tcpopts", FW_OP_TCPOPTIONS, bits),
	NUMBER("tcpseq", FW_OP_TCPSEQ, UINT32_MAX),
	NUMBER("tcpack", FW_OP_TCPACK, UINT32_MAX),
	LIST("tcpwin", FW_OP_TCPWIN),
	LIST("tcpdatalen", FW_OP_TCPDATALEN),
	LIST("tcpmss", FW_OP_TCPMSS),
	OTHER("ext6hdr", FW_OP_EXT6HDR, bits),
	{ .word = "flow-id", .op = FW_OP_FLOWID, .parse = parse_flow_ids, .print = print_flow_ids },
	NUMBER("fib", FW_OP_FIB, UINT16_MAX),
	{ .word = "tagged", .op = FW_OP_TAGGED, .parse = parse_tagged, .print = print_tagged },
	WORD("diverted", FW_OP_DIVERTED, .n = 3),
	WORD("diverted-loopback", FW_OP_DIVERTED, .n = 1),
	WORD("diverted-output", FW_OP_DIVERTED, .n = 2),
	WORD("ipsec", FW_OP_IPSEC),
	WORD("verrevpath", FW_OP_VERREVPATH),
	WORD("versrcreach", FW_OP_VERSRCREACH),
	WORD("antispoof", FW_OP_ANTISPOOF),
	{ .word = "uid", .op = FW_OP_UID, .parse = parse_owner, .print = print_owner },
	{ .word = "gid", .op = FW_OP_GID, .parse = parse_owner, .print = print_owner },
	NUMBER("jail", FW_OP_JAIL, UINT32_MAX),
	WORD("sockarg", FW_OP_SOCKARG),
	OTHER("keep-state", FW_OP_KEEP_STATE, state, .by_n = true),
	OTHER("record-state", FW_OP_KEEP_STATE, state, .by_n = true, .n = 1),
	OTHER("limit", FW_OP_LIMIT, limit, .by_n = true),
	OTHER("set-limit", FW_OP_LIMIT, limit, .by_n = true, .n = 1),
	WORD("defer-immediate-action", FW_OP_DEFER, .parse = fw_parse_defer),
	WORD("defer-action", FW_OP_DEFER, .parse = fw_parse_defer),
	WORD("skip-action", FW_OP_DEFER, .parse = fw_parse_defer),
};
enum { OPTION_WORDS = sizeof(options) / sizeof(options[0]) };

const struct fw_option *
fw_option_find(const char *word)
{
	for (int i = 0; i < OPTION_WORDS; i++)
		if (strcmp(options[i].word, word) == 0)
			return &options[i];
	return NULL;
}

/* --- writing --------------------------------------------------------------- */

/* All kinds of addresses go by the words of the lists. */
static uint8_t
op_of_word(const struct fw_insn *in)
{
	switch ((enum fw_op)in->op) {
	case FW_OP_SRC_ME:
		return in->n == 6 ? FW_OP_SRC6 : FW_OP_SRC;
	case FW_OP_DST_ME:
		return in->n == 6 ? FW_OP_DST6 : FW_OP_DST;
	case FW_OP_SRC_SET:
	case FW_OP_SRC_TABLE:
		return FW_OP_SRC;
	case FW_OP_DST_SET:
	case FW_OP_DST_TABLE:
		return FW_OP_DST;
	default:
		return in->op;
	}
}

static bool
is_word_of(const struct fw_option *o, const struct fw_insn *in)
{
	if (o->op != op_of_word(in) || (o->inverted && (in->flags & FW_NOT) == 0))
		return false;
	if (o->parse == NULL)
		return o->n == in->n && o->arg == in->arg;
	return !o->by_n || o->n == in->n;
}

void
fw_print_option(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	const struct fw_option *o = options;

	while (o < options + OPTION_WORDS && !is_word_of(o, in))
		o++;
	if (o == options + OPTION_WORDS)
		return; /* "prob", which has been said */
	if ((in->flags & FW_NOT) != 0 && !o->inverted)
		fw_put(t, "not ");
	fw_put(t, "%s", o->word);
	if (o->print == NULL)
		return;
	if (o->op != FW_OP_KEEP_STATE && o->op != FW_OP_LIMIT)
		fw_put(t, " "); /* states' operands may be empty, and bring their own */
	o->print(t, in, proto);
}
