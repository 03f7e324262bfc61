/*
 * classify_internal.h - what rules are compiled to, for the files classify*.c.
 *
 * Lakshman and Stiliadis (SIGCOMM 1998): each field of a packet is looked up by itself and gives a
 * vector with a bit for each rule that this field lets match; their AND is the rules that match.
 * Baboescu and Varghese (SIGCOMM 2001): a summary with a bit for each piece of the vector says which
 * pieces are worth a look. Here a piece is a line of 512 bits, what the cache and the widest
 * instructions work with, so that 32,768 rules have one word of summary.
 *
 * The bits do not stand in the order of the rules: rules with like addresses stand side by side
 * (classify_order.c), so that a packet's matches are in few lines, whatever the order in which the
 * rules were written; key[] leads back. In a line they stand in the order of the chain, so that the
 * first bit is the first match.
 *
 *	src, dst	addresses: thousands of classes with few lines each. Each class has its lines
 *			that are not empty; rules that say nothing of the field are in `wild`.
 *			With few rules each class has all lines, those of `wild` put in: then there
 *			is nothing to choose from, and no summary is asked.
 *	dense fields	ports, what kind of packet, interfaces: few classes, full vectors.
 */
#ifndef WARREN_IPFW_CLASSIFY_INTERNAL_H
#define WARREN_IPFW_CLASSIFY_INTERNAL_H

#include "ipfw/classify.h"

enum {
	FW_LINE_WORDS = 8,
	FW_LINE_BITS = 512,
	FW_BATCH = 64,      /* packets whose look-ups overlap */
	FW_SMALL_LINES = 2, /* up to so many, each class of addresses has all of them */
	FW_DOMAIN_PORT = 65537,
	FW_NO_PORT = 65536,
};

struct fw_line {
	uint64_t w[FW_LINE_WORDS];
} __attribute__((aligned(64)));

/* --- conditions of rules (classify_plan.c) -------------------------------- */

/* What of a packet decides an instruction. */
enum fw_field {
	FW_FIELD_SPORT,
	FW_FIELD_DPORT,
	FW_FIELD_PROTO, /* value: protocol; 256 = not IP */
	FW_FIELD_SHAPE, /* in, layer2, later fragment, half of the IP version: enum fw_shape */
	FW_FIELD_TCP,   /* flags; 256 = no TCP header */
	FW_FIELD_ICMP,  /* type; 256 + type of ICMPv6; 512 = neither */
	FW_FIELD_RECV,  /* name class (classify_iface.c) */
	FW_FIELD_XMIT,
	FW_FIELD_VIA,
	FW_FIELDS_SMALL,
	FW_FIELD_SRC = FW_FIELDS_SMALL,
	FW_FIELD_DST,
	FW_FIELDS,
	FW_FIELD_NONE = FW_FIELDS, /* only the interpreter can say */
};
enum fw_shape {
	FW_SHAPE_IN = 1,
	FW_SHAPE_LAYER2 = 2,
	FW_SHAPE_LATER = 4,
	FW_SHAPE_IP4 = 2 << 3,
	FW_SHAPE_IP6 = 3 << 3,
	FW_SHAPE_IP = 3 << 3, /* the bits of both */
	FW_SHAPES = 32
};
/* Those that nearly all rules use stand first. */
enum fw_dense_field {
	FW_DENSE_DPORT,
	FW_DENSE_KIND,
	FW_DENSE_SPORT,
	FW_DENSE_WAY,
	FW_DENSE_FIELDS
};
enum { FW_PROTOS = 257, FW_TCPS = 257, FW_ICMPS = 513 };
/* As packets say them: flags | has_tcp << 8; type | has_icmp << 8 | IPv6 << 9. */
enum { FW_TCP_INDEX = 512, FW_ICMP_INDEX = 1024 };

/*
 * All that one rule says of one field: instructions of which each block of ORs must match. Rules
 * that say the same share it.
 */
enum { FW_BLOCKS_MAX = 4 };
struct fw_cond {
	const struct fw_rule *rule; /* one of those that say it */
	uint16_t block[FW_BLOCKS_MAX], len[FW_BLOCKS_MAX];
	uint8_t blocks;
	uint32_t rules, first; /* how many say it, where their list begins (struct fw_conds) */
};

/* A rule taken apart. */
struct fw_plan {
	const struct fw_rule *rule;
	uint16_t used;                     /* fields with a condition, by bit */
	bool exact;                        /* the conditions are all that the rule says */
	uint16_t address[2], address_n[2]; /* block of instructions of FW_FIELD_SRC, FW_FIELD_DST */
};

/* A name that rules ask interfaces for. */
struct fw_name {
	char name[16];
	uint8_t len;
	bool prefix;
};

struct fw_plans {
	uint32_t n;
	struct fw_plan *plan;  /* by slot */
	uint32_t *order;       /* position -> slot */
	uint16_t compiled;     /* fields that stayed, by bit */
	struct fw_name *names; /* sorted: a name behind its prefixes */
	uint32_t n_names;
};

/* --- compiled ------------------------------------------------------------- */

/* A class of addresses: for each word of summary, which lines are there and where they lie. */
struct fw_class {
	uint64_t sum;
	uint32_t first;
	uint32_t pad_;
};

/*
 * Intervals of IPv4 addresses by their first 16 bits. A leaf is up to 256 starts of intervals in the
 * order of addresses; the place of a start is the number of the interval. word: first << 9 | more <<
 * 8 | n - 1; with `more`, first is that of 256 words by the next 8 bits.
 */
struct fw_addresses {
	uint32_t root[65536];
	uint32_t *more;
	bool has_more, has_wide; /* are there such words; leaves of more than 32 starts */
	uint16_t *start;         /* low 16 bits */
	struct fw_class *class;  /* of interval i, n_sums of them */
	uint32_t n_classes;
	/* IPv6: intervals from base6 on, by their first 16 bits, then by halves */
	uint32_t *root6; /* 65537; NULL = one interval */
	uint64_t (*start6)[2];
	uint32_t base6, n6;
	uint32_t none; /* class of packets that are not IP */
	struct fw_line *line, *wild;
	uint64_t *wild_sum;
};

enum { FW_LEAF_BITS = 9, FW_LEAF_MORE = 1 << 8 };

/* Where a word with FW_LEAF_MORE sends an address. */
static inline uint32_t
fw_more_at(uint32_t word, uint32_t address)
{
	return (word >> FW_LEAF_BITS) + (address >> 8 & 0xff);
}

/*
 * Fields with few classes: one piece of memory for all of them, in which a class is a block of its
 * summary and its lines. Block 0 lets all rules match, for fields that tell no rules apart.
 */
struct fw_dense {
	struct fw_line *line;
	uint32_t used, room; /* lines */
	uint32_t head;       /* lines of a block's summary */
	uint32_t stride;     /* lines of a block */
};

struct fw_compiled {
	uint32_t refs; /* classifiers; upper half and builder; atomic */
	uint32_t n;    /* rules */
	uint32_t lines, sums;
	uint64_t bytes, build_ns;

	struct fw_addresses *src, *dst;
	struct fw_dense dense;
	/*
	 * Values -> class, whose block begins at base + class * stride. The kind of packet and its
	 * way (interfaces) are looked up by sums of what their fields' values say.
	 */
	uint32_t base[FW_DENSE_FIELDS], stride; /* bytes */
	bool has_sport, has_dport, has_kind, has_way;
	uint16_t sport[FW_DOMAIN_PORT], dport[FW_DOMAIN_PORT];
	uint32_t proto[FW_PROTOS], shape[FW_SHAPES];
	uint32_t tcp[FW_TCP_INDEX], icmp[FW_ICMP_INDEX];
	uint32_t *kind;
	uint32_t *recv, *xmit, *via; /* by name class; the last is "no interface" */
	uint32_t *way;
	struct fw_name *names;
	uint32_t n_names;
	/*
	 * position -> slot of the map that it was built for, << 1 | not decided; behind the lines those
	 * of no rule
	 */
	uint32_t *key;
};

/* Has each class of addresses all lines, those that are empty too? */
static inline bool
fw_is_small(const struct fw_compiled *c)
{
	return c->lines <= FW_SMALL_LINES;
}

/*
 * How many keys there are: of each bit, and so many of no rule that whatever the search for the first
 * bit of an empty line says finds one.
 */
static inline uint32_t
fw_keys(const struct fw_compiled *c)
{
	return c->lines * FW_LINE_BITS + 64 + 1;
}

/* How an interface is known: the last (so longest) name that fits, n_names if none does. */
uint32_t fw_name_class(const struct fw_name *names, uint32_t n, const char *ifname);

/* classify_plan.c. False without memory. */
bool fw_plans_make(struct fw_plans *plans, const struct fw_map *map);
void fw_plans_free(struct fw_plans *plans);
/* classify_order.c: which rule gets which bit. */
bool fw_plans_order(struct fw_plans *plans);

/* All conditions of one field, and which positions have them. */
struct fw_conds {
	struct fw_cond *cond;
	uint32_t n;
	uint32_t *position;
};
bool fw_conds_make(struct fw_conds *conds, const struct fw_plans *plans, enum fw_field field);
void fw_conds_free(struct fw_conds *conds);
/* Does the condition hold for this value of its field? */
bool fw_cond_holds(const struct fw_cond *c, const struct fw_plans *plans, uint32_t value);

/* classify_dense.c */
bool fw_dense_make(struct fw_compiled *c, struct fw_plans *plans);
/* classify_addr.c */
struct fw_addresses *fw_addresses_make(
    struct fw_compiled *c, const struct fw_plans *plans, enum fw_field field);
void fw_addresses_free(struct fw_addresses *a);
uint32_t fw_addresses_find6(const struct fw_addresses *a, const struct in6 *key);

/* classify_build.c */
struct fw_compiled *fw_compiled_make(const struct fw_map *map);
void fw_compiled_rele(struct fw_compiled *c);
/* Memory on a line's boundary, zeroed; counted in c->bytes. */
void *fw_lines_alloc(struct fw_compiled *c, size_t bytes);
void fw_lines_free(void *p);

/*
 * classify_walk.c: the code for one kind of machine, chosen at the start of the program. False: this
 * one is not of the kind. For tests.
 */
enum fw_lanes { FW_LANES_PLAIN, FW_LANES_AVX2, FW_LANES_AVX512 };
bool fw_lanes_choose(enum fw_lanes lanes);

/* classify_job.c. False: no thread, no memory. */
bool fw_job_start(const struct fw_map *map);
bool fw_job_is_running(void);
void fw_job_drop(void); /* wait for it, and forget what it has compiled */
/*
 * What the job has compiled, a reference, and the keys of the rules that it compiled, in order, to be
 * freed. NULL: there is no job, or it is not done (and need not be waited for), or it had no memory.
 */
struct fw_compiled *fw_job_take(bool wait, uint64_t **keys);

/* Of a rule as the chain sorts them. */
static inline uint64_t
fw_rule_key(const struct fw_rule *r)
{
	return (uint64_t)r->number << 32 | r->id;
}

static inline void
fw_bit_set(struct fw_line *line, uint32_t position)
{
	line[position / FW_LINE_BITS].w[position / 64 % FW_LINE_WORDS] |= 1ull << position % 64;
}

static inline void
fw_bit_clear(struct fw_line *line, uint32_t position)
{
	line[position / FW_LINE_BITS].w[position / 64 % FW_LINE_WORDS] &= ~(1ull << position % 64);
}

/* The summary of a full vector. */
void fw_sum_make(uint64_t *sum, const struct fw_line *line, uint32_t lines);

/* --- a classifier --------------------------------------------------------- */

/* What a map has: the compiled rules, and how its slots differ from those they were compiled from. */
struct fw_classifier {
	struct fw_compiled *compiled;
	const uint32_t *key; /* position -> slot << 1 | not decided; FW_SLOT_NONE: the rule went */
	uint32_t *own;       /* memory of all that follows and of key */
	const uint32_t *pending; /* slots of rules that came since, in order */
	uint32_t n_pending, gone;
	uint32_t *line_first, *line_last; /* of each line: its lowest and highest slot */
};

/*
 * What struct fw_candidates is: of each line that has a match the first with lo <= slot. Matches whose
 * slots are hi and above may be missing.
 */
enum { FW_WALK_HEADS = 16 };
struct fw_head {
	uint32_t key, position;
};
struct fw_walk {
	const struct fw_classifier *c;
	uint32_t lo, first, n;
	uint32_t known; /* FW_WALK_HEADS; 0 = rules that came later are to be looked at too */
	uint32_t class[2];
	uint32_t dense[FW_DENSE_FIELDS]; /* where their blocks begin */
	uint32_t hi;
	struct fw_head head[FW_WALK_HEADS];
};
_Static_assert(sizeof(struct fw_walk) <= sizeof(struct fw_candidates), "it fits");
_Static_assert(offsetof(struct fw_walk, n) == offsetof(struct fw_candidates, found), "the same");

static inline struct fw_walk *
fw_walk_of(struct fw_candidates *k)
{
	return (struct fw_walk *)(void *)k;
}

#endif
