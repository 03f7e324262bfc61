/*
 * rule.h - what a rule is: instructions that must all match, then an action.
 *
 * fw_rule_parse() makes one from words, fw_rule_print() makes words of it that parse to the same
 * rule. In between everybody reads it and nobody writes, but its counters. A rule is one piece of
 * memory and the lists that its instructions point to; it lives as long as somebody holds it (the
 * chain, a state that it made).
 *
 * Instructions stand in the order in which they were written: protocol, source, destination,
 * options. They are joined by AND; those with FW_OR belong to a block with the one behind them, of
 * which one must match. FW_NOT inverts one instruction. What matches anything ("ip", "any", "proto
 * ip") makes no instruction, and a block that holds such a word makes none at all. "prob" is the
 * first one, wherever there is one.
 */
#ifndef WARREN_IPFW_RULE_H
#define WARREN_IPFW_RULE_H

#include "base/emitter.h"
#include "base/rcu.h"
#include "net/in6addr.h"

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FW_NUMBER_MAX = 65535, /* the default rule's */
	FW_SETS = 32,
	FW_SET_RESERVED = 31, /* survives flush */
	FW_RANGES_MAX = 30,   /* ports in one list */
};

/*
 * What an instruction holds. "LIST": u.range[0..n-1], at most FW_RANGES_MAX, numbers in host order.
 * Bits that are "set" must all be there, those that are "clear" must all be missing.
 */
enum fw_op {
	FW_OP_PROTO, /* n = protocol number 1..255; as option ("proto tcp") too */
	FW_OP_IP4,   /* the packet is IPv4 ("ip4" as protocol or option) */
	FW_OP_IP6,
	FW_OP_SRC, /* IPv4 source in u.net[0..n-1]; the mask 0 stands for any IPv4 address */
	FW_OP_DST,
	FW_OP_SRC6, /* IPv6 source in u.net6[0..n-1]; masks may have gaps; no zones */
	FW_OP_DST6,
	FW_OP_SRC_SET, /* address set 192.0.2.0/24{1,5-9}: u.set */
	FW_OP_DST_SET,
	FW_OP_SRC_ME, /* any address of this stack; n: 0 either family, 6 IPv6 only */
	FW_OP_DST_ME,
	FW_OP_SRC_TABLE, /* u.table: found, or found with the value asked for; sets tablearg */
	FW_OP_DST_TABLE,
	FW_OP_SRC_PORT, /* LIST; never a later fragment */
	FW_OP_DST_PORT,
	FW_OP_LOOKUP,   /* u.table with key: found; sets tablearg */
	FW_OP_FLOW,     /* u.table of flows: the packet's is found; sets tablearg */
	FW_OP_IN,       /* "out" is FW_NOT of it */
	FW_OP_LAYER2,   /* "layer2", "bridged" */
	FW_OP_MAC,      /* u.mac: (address & mask) is equal, destination and source */
	FW_OP_MAC_TYPE, /* LIST of Ethernet types */
	FW_OP_RECV,     /* u.iface */
	FW_OP_XMIT,
	FW_OP_VIA,
	FW_OP_FRAG,         /* not the first fragment */
	FW_OP_IPID,         /* LIST */
	FW_OP_IPLEN,        /* LIST */
	FW_OP_IPTTL,        /* LIST */
	FW_OP_IPVER,        /* n = version, 0..15 */
	FW_OP_IPPRECEDENCE, /* n = 0..7: the upper three bits of tos */
	FW_OP_IPTOS,        /* n = bits that are set, arg = bits that are clear (enum fw_tos) */
	FW_OP_DSCP,         /* u.num: bit map of the 64 code points (tos >> 2) */
	FW_OP_IPOPTIONS,    /* n = set, arg = clear (enum fw_ipopt) */
	FW_OP_ICMPTYPE,     /* u.num: bit map of the types 0..63; IPv4 only */
	FW_OP_ICMP6TYPE,    /* u.bits[0..3]: bit map of 256, type t is bit t % 64 of bits[t / 64] */
	FW_OP_ESTABLISHED,  /* RST or ACK */
	FW_OP_TCPFLAGS,   /* n = set, arg = clear (the header's bits); "setup" is n SYN, arg ACK */
	FW_OP_TCPOPTIONS, /* n = set, arg = clear (enum fw_tcpopt) */
	FW_OP_TCPSEQ,     /* arg, host order */
	FW_OP_TCPACK,     /* arg, host order */
	FW_OP_TCPWIN,     /* LIST */
	FW_OP_TCPDATALEN, /* LIST */
	FW_OP_TCPMSS,     /* LIST */
	FW_OP_EXT6HDR,    /* n: enum fw_ext6 bits, any of them */
	FW_OP_FLOWID,     /* u.num32[0..n-1]: IPv6 flow labels, host order */
	FW_OP_FIB,        /* arg */
	FW_OP_TAGGED,     /* LIST; or FW_TABLEARG, n = 0 */
	FW_OP_DIVERTED,   /* n: 1 loopback, 2 output, 3 either */
	FW_OP_IPSEC,
	FW_OP_VERREVPATH,
	FW_OP_VERSRCREACH,
	FW_OP_ANTISPOOF,
	FW_OP_UID,  /* arg */
	FW_OP_GID,  /* arg */
	FW_OP_JAIL, /* arg: jid */
	FW_OP_SOCKARG,
	FW_OP_PROB,       /* arg, 0..1 << 31: matches when a random number of 31 bits is below */
	FW_OP_KEEP_STATE, /* u.limit (mask 0); always matches, makes a state */
	FW_OP_LIMIT,      /* u.limit; matches while there are fewer; FW_TABLEARG: max is tablearg */
	FW_OP_DEFER, /* always matches: makes its state, but the action waits for the next packet */
	FW_OP_COUNT_ /* how many there are */
};

enum fw_insn_flag {
	FW_NOT = 1 << 0,
	FW_OR = 1 << 1,       /* joined with the next instruction */
	FW_OPTION = 1 << 2,   /* was written as an option behind the body ("src-ip 10.0.0.1") */
	FW_TABLEARG = 1 << 3, /* the number comes from the table entry found */
};

struct fw_net { /* any mask, also one that is no prefix; network order */
	uint32_t addr, mask;
};
struct fw_net6 {
	struct in6 addr, mask;
};
struct fw_set { /* hosts of base/len: base + i is in it if bit i % 64 of bits[i / 64] is set */
	uint32_t base; /* network order, the bits behind len are zero */
	uint8_t len;   /* 24..32 */
	uint64_t bits[4];
};
struct fw_range { /* host order, both ends in it */
	uint16_t lo, hi;
};
struct fw_iface {
	char name[16];  /* of NAME; of PREFIX without its star */
	uint8_t how;    /* enum fw_iface_how */
	uint32_t addr;  /* network order, FW_IFACE_ADDR */
	uint16_t table; /* FW_IFACE_TABLE: an entry is found; sets tablearg */
};
enum fw_iface_how {
	FW_IFACE_ANY,
	FW_IFACE_NAME,
	FW_IFACE_PREFIX /* "em*" */,
	FW_IFACE_ADDR,
	FW_IFACE_TABLE
};
struct fw_mac {
	uint8_t dst[6], dst_mask[6], src[6], src_mask[6];
};
enum fw_key {
	FW_KEY_DST_IP,
	FW_KEY_SRC_IP,
	FW_KEY_DST_PORT,
	FW_KEY_SRC_PORT,
	FW_KEY_UID,
	FW_KEY_JAIL,
	FW_KEY_DSCP
};
struct fw_table_match {
	uint16_t table; /* index (table.h) */
	bool by_value;
	uint8_t key; /* enum fw_key; of FW_OP_LOOKUP only */
	bool masked; /* lookup dst-ip:MASK: the key is ANDed with mask first (IPv4, numbers) */
	uint32_t value;
	uint32_t mask; /* of addresses in network order, else host order */
};
enum fw_limit_mask {
	FW_LIMIT_SRC_ADDR = 1,
	FW_LIMIT_SRC_PORT = 2,
	FW_LIMIT_DST_ADDR = 4,
	FW_LIMIT_DST_PORT = 8
};
struct fw_limit {
	uint8_t mask;  /* enum fw_limit_mask; 0 = keep-state */
	bool no_check; /* record-state, set-limit: the rule is no place where states are checked */
	uint32_t max;
	char name[16]; /* of the state, ":name"; "" = default */
};
enum fw_tos {
	FW_TOS_LOWDELAY = 0x10,
	FW_TOS_THROUGHPUT = 0x08,
	FW_TOS_RELIABILITY = 0x04,
	FW_TOS_MINCOST = 0x02,
	FW_TOS_CONGESTION = 0x01
};
enum fw_ipopt { FW_IPOPT_SSRR = 1, FW_IPOPT_LSRR = 2, FW_IPOPT_RR = 4, FW_IPOPT_TS = 8 };
enum fw_tcpopt {
	FW_TCPOPT_MSS = 1,
	FW_TCPOPT_WINDOW = 2,
	FW_TCPOPT_SACK = 4,
	FW_TCPOPT_TS = 8,
	FW_TCPOPT_CC = 16
};
enum fw_ext6 {
	FW_EXT_FRAG = 1,
	FW_EXT_HOPOPT = 2,
	FW_EXT_ROUTE = 4,
	FW_EXT_RTHDR0 = 8,
	FW_EXT_RTHDR2 = 16,
	FW_EXT_DSTOPT = 32,
	FW_EXT_AH = 64,
	FW_EXT_ESP = 128
};

struct fw_insn {
	uint8_t op;    /* enum fw_op */
	uint8_t flags; /* enum fw_insn_flag */
	uint16_t n;
	uint32_t arg;
	union {
		uint64_t num;
		const struct fw_net
		    *net; /* n == 1 too; what the lists point to belongs to the rule */
		const struct fw_net6 *net6;
		const struct fw_set *set;
		const struct fw_range *range;
		const struct fw_iface *iface;
		const struct fw_mac *mac;
		const struct fw_table_match *table;
		const struct fw_limit *limit;
		const uint32_t *num32;
		const uint64_t *bits;
	} u;
};
_Static_assert(sizeof(struct fw_insn) == 16, "four of them in a cache line");

enum fw_action {
	FW_ACT_ALLOW,
	FW_ACT_DENY,
	FW_ACT_UNREACH,  /* arg = ICMP code; "reject" is host unreachable (1) */
	FW_ACT_UNREACH6, /* arg = ICMPv6 code */
	FW_ACT_RESET,
	FW_ACT_RESET6,
	FW_ACT_COUNT,
	FW_ACT_SKIPTO, /* arg = rule number; so on for all that have a number */
	FW_ACT_CALL,
	FW_ACT_RETURN,
	FW_ACT_CHECK_STATE, /* name of the states in `state_name`: "" = default, "any" = all */
	FW_ACT_PIPE,
	FW_ACT_QUEUE,
	FW_ACT_DIVERT,
	FW_ACT_TEE,
	FW_ACT_FWD, /* fwd_*; by tablearg: an address, fwd_port still holds */
	FW_ACT_NAT,
	FW_ACT_NETGRAPH,
	FW_ACT_NGTEE,
	FW_ACT_SETFIB,
	FW_ACT_SETDSCP,
	FW_ACT_TCP_SETMSS,
	FW_ACT_REASS,
	FW_ACT_AUTH, /* held until a program answers */
	FW_ACTIONS
};

/* Written by the worker that evaluates; a line of its own, apart from what all read. */
struct fw_counters {
	uint64_t packets, bytes;
	uint64_t last_ns;  /* clock_epoch_ns() based time of the last match; 0 = never */
	uint64_t log_left; /* messages until the limit; counts down */
} __attribute__((aligned(64)));

struct fw_rule {
	struct fw_counters count;
	/* its life */
	uint32_t refs;   /* upper half and states; atomic */
	uint32_t states; /* dynamic rules that it made; oldest first (state_table.c) */
	TAILQ_HEAD(, fw_state) state_list; /* set while there are any */
	struct rcu_head rcu;
	void *memory; /* what was allocated, for it lies at a cache line in there; its size */
	size_t bytes;
	/* fixed when the rule is in the chain, and read when it matches */
	const char *comment; /* NULL = none */
	char altq[16], state_name[16];
	uint32_t logamount; /* with log_limited; 0 = no limit. Else net.inet.ip.fw.verbose_limit */
	bool no_body;       /* check-state, comment only */
	/* fwd: family 0 = by tablearg */
	uint8_t fwd_family;
	uint16_t fwd_port;   /* 0 = as in the packet */
	struct in6 fwd_addr; /* IPv4 in the first four bytes */
	/*
	 * From here on, what a packet that meets the rule reads: with two instructions it is one cache
	 * line.
	 */
	uint16_t number __attribute__((aligned(64))); /* 0 = to be chosen */
	uint8_t set;
	uint8_t action; /* enum fw_action */
	uint32_t id;    /* serial number in its stack; never 0, never used again */
	uint32_t arg;   /* the action's number */
	bool by_tablearg, log, log_limited;
	bool
	    is_plain; /* all that it does is to let pass or drop (fw_rule_is_plain); of the chain */
	uint16_t n_insns;
	uint16_t tag, untag; /* 0 = none, 65535 = by tablearg */
	bool tag_by_tablearg, untag_by_tablearg;
	/*
	 * where skipto and call go, remembered: valid while jump_chain is the map's id (chain.h). One
	 * 64-bit word, so that a worker writes both at once: slot in the upper half
	 */
	uint64_t jump;
	struct fw_insn insn[];
};
_Static_assert(offsetof(struct fw_rule, insn) % 64 == 32, "two instructions in the line");

/*
 * Words of `ipfw add` behind "add" -> rule, one reference, the caller's. A word may hold several
 * ("allow ip from any to any" as one argument). Tables that it names are referenced (table.h) in
 * curvnet. NULL with a line in why that names the word.
 */
struct fw_rule *fw_rule_parse(int argc, char *const argv[], char *why, size_t why_len);

enum fw_print_flag {
	FW_PRINT_COUNTERS = 1 << 0,  /* -a */
	FW_PRINT_COMPACT = 1 << 1,   /* -c: no "ip from any to any" */
	FW_PRINT_BRIEF = 1 << 2,     /* -b: action and comment */
	FW_PRINT_SET = 1 << 3,       /* -S */
	FW_PRINT_TIME = 1 << 4,      /* -t */
	FW_PRINT_EPOCH = 1 << 5,     /* -T */
	FW_PRINT_NAMES = 1 << 6,     /* -N: names of hosts and services */
	FW_PRINT_DISABLED = 1 << 7,  /* the rule's set is disabled: "# DISABLED " before it */
	FW_PRINT_NO_NUMBER = 1 << 8, /* begins with the action */
};
/* One line without the newline, with the columns of -a as wide as said. JSON: fields of an object
 * that the caller opened. */
void fw_rule_print(
    struct emitter *e, const struct fw_rule *r, unsigned flags, int packets_width, int bytes_width);
/* The same as text, cut at len: returns bytes needed (as snprintf). */
int fw_rule_text(const struct fw_rule *r, unsigned flags, char *text, size_t len);

/* The action alone, as logs say it: "Deny", "SkipTo 500", "Forward to 10.0.0.1:80". */
int fw_action_text(const struct fw_rule *r, uint32_t arg, char *text, size_t len);

/* Same instructions, action and parameters (numbers, sets, counters don't matter). */
bool fw_rule_equal(const struct fw_rule *a, const struct fw_rule *b);

struct fw_rule *fw_rule_ref(struct fw_rule *r);
/* The last reference lets its tables go, in curvnet, and frees it after all readers. */
void fw_rule_rele(struct fw_rule *r);

/* Memory for a rule under construction: n instructions, all zero. NULL without memory. */
struct fw_rule *fw_rule_alloc(unsigned n_insns);
/* Memory for what u points to, zeroed; freed with the rule. For the parser and tests. */
void *fw_rule_list(size_t bytes);

#endif
