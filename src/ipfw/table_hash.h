/*
 * table_hash.h - entries of one look-up table, found by key: written by the upper half while packets
 * read.
 */
#ifndef WARREN_IPFW_TABLE_HASH_H
#define WARREN_IPFW_TABLE_HASH_H

#include "base/rcu.h"
#include "ipfw/table.h"

enum fw_key_kind { FW_KEYED_IP4, FW_KEYED_IP6, FW_KEYED_NUMBER, FW_KEYED_NAME, FW_KEYED_FLOW };
enum { FW_KEY_WORDS = 5 };

/*
 * Words in host order, the first byte of an address or a name on top, so that keys compare in the order
 * in which people expect them. Bits behind plen are zero.
 */
struct fw_table_key {
	uint8_t kind, plen, words;
	uint64_t w[FW_KEY_WORDS];
};

struct fw_table_entry {
	struct rcu_head rcu;
	struct fw_value value;
	uint8_t kind, plen, words;
	uint64_t w[];
};

struct fw_hash;

/* Without memory NULL. The audit counts it as fw_table_entry. */
struct fw_table_entry *fw_entry_new(const struct fw_table_key *key, const struct fw_value *value);
/* At once, or behind the readers. */
void fw_entry_free(struct fw_table_entry *e);
void fw_entry_free_late(struct fw_table_entry *e);
/* -1, 0, 1: addresses of IPv4 first, then by key, short prefixes before the longer ones in them. */
int fw_entry_compare(const struct fw_table_entry *a, const struct fw_table_entry *b);

/* With room for so many; NULL without memory. */
struct fw_hash *fw_hash_new(uint32_t entries);
/* The same entries in other slots, with room for so many. */
struct fw_hash *fw_hash_copy(const struct fw_hash *h, uint32_t entries);
uint32_t fw_hash_count(const struct fw_hash *h); /* NULL: 0 */
uint32_t fw_hash_size(const struct fw_hash *h);  /* bytes */
/* Is there a slot for one more? */
bool fw_hash_has_room(const struct fw_hash *h);
/* In place; there is room, and no such key. */
void fw_hash_insert(struct fw_hash *h, struct fw_table_entry *e);
/* e takes the place of the one with the same key, which is the caller's again. */
void fw_hash_replace(struct fw_hash *h, struct fw_table_entry *old, struct fw_table_entry *e);
void fw_hash_remove(struct fw_hash *h, struct fw_table_entry *e);
/* Behind the readers; with the entries that are in it, or without. */
void fw_hash_free_late(struct fw_hash *h, bool with_entries);
/* At once: nobody has seen it. */
void fw_hash_free(struct fw_hash *h);
/* The i-th entry in no order, i < fw_hash_slots(); NULL: none there. */
uint32_t fw_hash_slots(const struct fw_hash *h);
struct fw_table_entry *fw_hash_at(const struct fw_hash *h, uint32_t i);

/* For packets and everybody; h may be NULL. */
struct fw_table_entry *fw_hash_find(const struct fw_hash *h, const struct fw_table_key *key);
struct fw_table_entry *fw_hash_longest4(const struct fw_hash *h, uint32_t addr); /* host order */
/* The value alone, for packets: nearly always without a look at the entry. False: there is none. */
bool fw_hash_value4(const struct fw_hash *h, uint32_t addr, struct fw_value *v);
struct fw_table_entry *fw_hash_longest6(const struct fw_hash *h, uint64_t high, uint64_t low);
/* plen of the flows that are in it. */
unsigned fw_hash_flow_fields(const struct fw_hash *h);

#endif
