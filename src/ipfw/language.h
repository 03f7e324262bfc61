/*
 * language.h - inside the rule language: what the files that read words and write words share.
 *
 *	parse_words.c	the words of a command
 *	parse.c		their order; blocks
 *	action.c	what a rule does: its words, both ways
 *	addr.c		addresses, both ways
 *	ports.c		lists of numbers and ranges, both ways
 *	option.c	the table of options, and the plain ones; option_bits.c: sets of named bits;
 *			option_link.c: interfaces, MAC; option_state.c: states, look-ups
 *	print.c		a rule as a line
 *	rule.c		its life
 *
 * Nobody but these includes it.
 */
#ifndef WARREN_IPFW_LANGUAGE_H
#define WARREN_IPFW_LANGUAGE_H

#include "ipfw/names.h"
#include "ipfw/rule.h"
#include "ipfw/table.h"

#include <stddef.h>

/* Most instructions of a rule, and most addresses (or labels) of one list. */
enum { FW_INSNS_MAX = 256, FW_LIST_MAX = 1024, FW_COMMENT_MAX = 80 };

/* Text that is cut at its end, but counted in full. */
struct fw_text {
	char *text;
	size_t room, len;
	unsigned flags; /* enum fw_print_flag */
};

/* --- reading -------------------------------------------------------------- */

struct fw_parse {
	/* the words, braces apart, lists in one piece; see parse_words.c */
	char **word;
	char *line, *text;   /* all as it came; what the words point into */
	unsigned n, at;      /* how many; the next one */
	const char *comment; /* NULL: none, or an empty one */
	bool has_comment;
	/* the rule so far: what is fixed, and its instructions, whose lists are owned */
	struct fw_rule *rule;
	struct fw_insn *insn;
	unsigned n_insns;
	/* the innermost block: where it began; some word in it matches anything */
	bool in_block, block_always;
	bool negated;   /* the thing that is being read */
	uint8_t proto;  /* the last protocol named: for names of services */
	bool ip6_only;  /* "ip6 from" */
	bool has_state; /* keep-state or limit were said */
	char *why;
	size_t why_len;
};

/* Says why, as one line; the first one said stays. Returns false. */
bool fw_fail(struct fw_parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool fw_no_memory(struct fw_parse *p);

bool fw_words(struct fw_parse *p, int argc, char *const argv[]);
/* The next word, NULL at the end; the one behind it; take it. */
const char *fw_peek(const struct fw_parse *p);
const char *fw_peek_behind(const struct fw_parse *p);
const char *fw_next(struct fw_parse *p);
/* Take it if it is this one. */
bool fw_take(struct fw_parse *p, const char *word);
/* The argument of `of`: NULL, with the message, if there is none. */
const char *fw_need(struct fw_parse *p, const char *of);
/* The next word is a number: decimal or 0x, in [min, max]. */
bool fw_need_number(struct fw_parse *p, const char *of, uint64_t min, uint64_t max, uint64_t *n);

/* ACTION [log …] [altq Q] [tag N] … */
bool fw_parse_action(struct fw_parse *p);

/* What became of a word that stands for an instruction. */
enum fw_made {
	FW_MADE_INSN,
	FW_MADE_ALWAYS, /* it matches anything: no instruction */
	FW_MADE_FAULT   /* the reason is said */
};
enum fw_side { FW_SRC, FW_DST };
enum fw_family { FW_EITHER, FW_ONLY4, FW_ONLY6 };
enum fw_made fw_parse_protocol(struct fw_parse *p, const char *word, struct fw_insn *in);
enum fw_made fw_parse_address(struct fw_parse *p, const char *word, enum fw_side side,
    enum fw_family family, struct fw_insn *in);
/* A host by address or name; false without a message. */
bool fw_parse_host(const char *word, enum fw_family family, struct in6 *addr, uint8_t *af);
/* "table(N)" and "table(N,value)": NULL: it is something else, or a fault (said). */
struct fw_table_match *fw_parse_table(struct fw_parse *p, const char *word);
bool fw_is_table(const char *word);
bool fw_parse_table_name(struct fw_parse *p, const char *name, uint16_t *table);

/* How the numbers of a list are said. */
enum fw_list_kind { FW_LIST_NUMBERS, FW_LIST_PORTS, FW_LIST_ETHER_TYPES };
bool fw_parse_list(struct fw_parse *p, const char *word, enum fw_list_kind kind, const char *of,
    struct fw_insn *in);
/* Does a word behind an address mean ports? */
bool fw_looks_like_ports(const char *word, uint8_t proto);

struct fw_option;
typedef enum fw_made fw_option_parse(
    struct fw_parse *p, const struct fw_option *o, struct fw_insn *in);
/* The operand, without a space before it. proto: what services are named for. */
typedef void fw_option_print(struct fw_text *t, const struct fw_insn *in, uint8_t proto);

struct fw_option {
	const char *word;
	uint8_t op;    /* enum fw_op */
	bool inverted; /* "out" is "not in" */
	bool
	    by_n; /* n tells words of one op apart; so it does, with arg, where nothing is parsed */
	uint16_t n;             /* of the instruction, to begin with */
	uint32_t arg;           /* likewise; where something is parsed, that function's parameter */
	fw_option_parse *parse; /* NULL: the word is all */
	fw_option_print *print;
};
const struct fw_option *fw_option_find(const char *word);

fw_option_parse fw_parse_bits, fw_parse_map, fw_parse_icmp6types;
fw_option_parse fw_parse_iface, fw_parse_mac;
fw_option_parse fw_parse_state, fw_parse_limit, fw_parse_defer, fw_parse_lookup, fw_parse_flow;
/* ":name" behind keep-state, limit, check-state; none: "". */
bool fw_parse_state_name(struct fw_parse *p, bool any_allowed, char name[16]);

/* --- writing -------------------------------------------------------------- */

void fw_put(struct fw_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void fw_print_action(struct fw_text *t, const struct fw_rule *r);
/* log, altq, tag, untag */
void fw_print_parameters(struct fw_text *t, const struct fw_rule *r);
/* The operand alone: "10.0.0.0/8,10.1.2.3", "me", "table(1)". */
void fw_print_address(struct fw_text *t, const struct fw_insn *in);
void fw_print_protocol(struct fw_text *t, const struct fw_insn *in);
void fw_print_host(struct fw_text *t, const struct in6 *addr, uint8_t af);
void fw_print_table(struct fw_text *t, const struct fw_table_match *m);
void fw_print_list(
    struct fw_text *t, const struct fw_insn *in, enum fw_list_kind kind, uint8_t proto);
fw_option_print fw_print_bits, fw_print_map, fw_print_icmp6types;
fw_option_print fw_print_iface, fw_print_mac;
fw_option_print fw_print_state, fw_print_limit, fw_print_lookup, fw_print_flow;
/* "not src-ip 10.0.0.1": keyword and operand. */
fw_option_print fw_print_option;

/* --- instructions --------------------------------------------------------- */

/* What u of an instruction is: a value in itself, or points to. */
enum fw_operand {
	FW_OPERAND_VALUE,
	FW_OPERAND_NETS,
	FW_OPERAND_NETS6,
	FW_OPERAND_SET,
	FW_OPERAND_TABLE,
	FW_OPERAND_RANGES,
	FW_OPERAND_MAC,
	FW_OPERAND_IFACE,
	FW_OPERAND_BITS, /* 256 of them */
	FW_OPERAND_LABELS,
	FW_OPERAND_LIMIT
};
enum fw_operand fw_insn_operand(const struct fw_insn *in);
/* Bytes of one of the n that a list has; of the whole, if it is no list. */
size_t fw_operand_bytes(enum fw_operand operand);
/* Bytes that u points to. */
size_t fw_insn_bytes(const struct fw_insn *in);
/* Lets its tables go. */
void fw_insn_release_tables(const struct fw_insn *in);
void fw_insn_free(const struct fw_insn *in);
/*
 * A rule of its fixed part and instructions, in one piece of memory. On success what the instructions
 * pointed to is freed; NULL without memory, and nothing has changed.
 */
struct fw_rule *fw_rule_seal(
    const struct fw_rule *fixed, const struct fw_insn *insn, unsigned n_insns);

#endif
