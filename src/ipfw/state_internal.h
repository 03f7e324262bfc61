/*
 * state_internal.h - a dynamic rule, and the table of them. For the files state*.c.
 *
 * Who reads and who writes: a look-up takes no lock and waits for nobody. A state's names (its word
 * and addresses) never change while it is in the table; it is put into its chain with one store,
 * and what was taken out is used again when no reader's section of then is left (base/rcu.h). What
 * a packet writes (end of life, counters) is the flow's own. All else (new states, ends, growth) is
 * done by the one worker that the stack has; with several, it wants one lock for a state's making,
 * ending, or shorter life, about 50 ns, which look-ups don't take.
 */
#ifndef WARREN_IPFW_STATE_INTERNAL_H
#define WARREN_IPFW_STATE_INTERNAL_H

#include "ipfw/state.h"
#include "ipfw/wheel.h"

/* Of state_key.word, from the lowest bit: port 16, port 16, protocol 8, kind 8, name 16. */
enum {
	STATE_PROTO_SHIFT = 32,
	STATE_KIND_SHIFT = 40,
	STATE_NAME_SHIFT = 48,
	STATE_V6 = 1,     /* kind: IPv6 */
	STATE_PARENT = 2, /* kind: counts the states of a limit */
};
/* Ids of names: "" is 0; all that states were made with follow. */
enum { STATE_NAME_ANY = 0xffff, STATE_NAMES_MAX = 256 };

/*
 * What names a flow, in either direction the same: the end with the lower address and port comes
 * first, and `swapped` says that the sender is the second. A parent's key isn't swapped: source
 * first, and what its limit doesn't tell apart is zero.
 */
struct state_key {
	uint64_t word;
	uint64_t addr4;      /* first << 32 | second, network order each; IPv6: 0 */
	struct in6 addr6[2]; /* IPv4: unset */
	bool swapped;
};

struct fw_state {
	/* One cache line: all that a packet of an IPv4 flow reads and writes. */
	struct fw_state *next; /* of a bucket's chain, or of those that are free */
	struct fw_rule *rule;
	uint64_t word, addr4; /* as in the key */
	uint64_t packets, bytes;
	uint32_t expire_ms;
	uint8_t tcp;     /* flags seen: FIN, SYN, RST; << 4 those of the other direction */
	uint8_t swapped; /* who began was the second end */
	uint8_t limit;   /* enum fw_limit_mask, if its making was counted by a parent */
	uint8_t fib;
	union {
		uint32_t ack[2];   /* highest seen, from who began and from the other; 0 = none */
		uint32_t children; /* of a parent */
	};
	/* The other line. */
	struct in6 addr6[2];
	struct fw_wheel_entry due;
	TAILQ_ENTRY(fw_state) of_rule;
};
_Static_assert(offsetof(struct fw_state, addr6) == 64, "a line of its own");
_Static_assert(sizeof(struct fw_state) == 128, "two lines");

/*
 * One cache line: where to look for a state, by 8 more bits of its hash. What doesn't find a place
 * (one state in fifteen) hangs in a chain.
 */
enum { STATE_PLACES = 6 };
struct state_bucket {
	uint64_t tags; /* a byte for each place; 0 = empty */
	struct fw_state *place[STATE_PLACES];
	struct fw_state *more;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct state_bucket) == 64, "a cache line");

/*
 * Buckets by linear hashing (Litwin, VLDB 1980): one bucket is split with every few states that are
 * made beyond STATE_LOAD a bucket, so that growth never stops anybody. Segments hold the first
 * 1 << base_log2 buckets, then as many, then twice as many …; nothing is copied.
 */
enum { STATE_LOAD = 4, STATE_SEGMENTS = 26 };
struct state_segment {
	struct state_bucket *bucket;
	void *memory;
};
struct fw_states {
	struct fw_wheel wheel;
	struct state_segment segment[STATE_SEGMENTS];
	uint32_t buckets;
	uint8_t base_log2;
	uint32_t splits; /* odd while a bucket is split: a look-up that missed looks again */
	uint32_t count;
	uint64_t seed[2];
	uint64_t epoch_ns;                  /* clock_epoch_ns() */
	struct fw_state *free;              /* have been used */
	struct fw_state *fresh, *fresh_end; /* of the latest chunk: never used */
	struct fw_state *waiting, *flying;  /* until no reader can be at them */
	bool grace;                         /* `flying` is under way */
	bool ending;
	struct state_chunk *chunks;
	uint32_t chunk_states; /* in the next chunk */
	uint32_t names;
	char name[STATE_NAMES_MAX][16];
	struct rcu_head grace_rcu, free_rcu;
};

VNET_DECLARE(struct fw_states *, fw_states);
#define V_fw_states VNET(fw_states)

/* --- state_table.c -------------------------------------------------------------------------- */

/* The rule's parent for a key; NULL. */
struct fw_state *state_find_parent(
    const struct fw_states *t, const struct state_key *k, const struct fw_rule *r);
/* The table of curvnet, made if need be; NULL without memory. */
struct fw_states *state_table(void);
/* A state of r in the table, at its end, not yet in the wheel. NULL without memory. */
struct fw_state *state_make(struct fw_states *t, const struct state_key *k, struct fw_rule *r);
void state_end(struct fw_states *t, struct fw_state *s);
/* Id of a name, STATE_NAME_ANY of "any"; -1: no state has it. With make, -ENOSPC too many names. */
int state_name(struct fw_states *t, const char *name, bool make);

/* --- state_life.c --------------------------------------------------------------------------- */

static inline uint32_t
state_now_ms(void)
{
	return (uint32_t)(clock_now() / NS_PER_MS);
}

/* Numbers of ms come round; lives are shorter than half of them. */
static inline bool
state_is_live(const struct fw_state *s, uint32_t now_ms)
{
	return (int32_t)(__atomic_load_n(&s->expire_ms, __ATOMIC_RELAXED) - now_ms) > 0;
}

static inline bool
state_is_parent(const struct fw_state *s)
{
	return s->word >> STATE_KIND_SHIFT & STATE_PARENT;
}

static inline bool
state_is_v6(const struct fw_state *s)
{
	return s->word >> STATE_KIND_SHIFT & STATE_V6;
}

static inline uint8_t
state_proto(const struct fw_state *s)
{
	return (uint8_t)(s->word >> STATE_PROTO_SHIFT);
}

/* p has come, from who began the flow or from the other: how long does s live now? */
void state_prolong(
    struct fw_states *t, struct fw_state *s, const struct fw_packet *p, bool back, uint32_t now_ms);
/* A parent's count has changed, or it is new. */
void state_prolong_parent(struct fw_states *t, struct fw_state *parent);
/* A new state with its first end: into the wheel. */
void state_watch(struct fw_states *t, struct fw_state *s);
/* The wheel's question. */
void state_due(struct fw_wheel *w, struct fw_wheel_entry *e);

/* --- state_keepalive.c ---------------------------------------------------------------------- */

/* What is told to both ends; told when s is back in the wheel. */
struct state_flow {
	bool v6;
	uint8_t proto, fib;
	uint16_t port[2]; /* of who began, of the other; host order */
	uint32_t addr4[2];
	struct in6 addr6[2];
};
/* Ends of s: who began first. Of a parent: source first. */
void state_flow_of(const struct fw_state *s, struct state_flow *f);
void state_keepalive(const struct state_flow *f, const uint32_t ack[2]);

/* --- state.c -------------------------------------------------------------------------------- */

/* The last child of a limit's parent may have gone with s. */
void state_leave_parent(struct fw_states *t, const struct fw_state *s);

#endif
