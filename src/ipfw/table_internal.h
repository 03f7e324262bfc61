/*
 * table_internal.h - look-up tables as the upper half knows them: table.c keeps them, table_key.c reads
 * and writes words, table_cmd.c is the sub-command.
 */
#ifndef WARREN_IPFW_TABLE_INTERNAL_H
#define WARREN_IPFW_TABLE_INTERNAL_H

#include "ipfw/table_hash.h"

enum { FW_TABLE_NAME = 64 };
enum { FW_TABLE_KEY_TEXT = 128, FW_TABLE_VALUE_TEXT = 64 };

/* Which fields of a flow count. */
enum fw_flow_field {
	FW_FLOW_SRC = 1,
	FW_FLOW_DST = 2,
	FW_FLOW_PROTO = 4,
	FW_FLOW_SPORT = 8,
	FW_FLOW_DPORT = 16,
	FW_FLOW_ALL = 31
};

/* How the values of a table are written; packets don't ask. */
enum fw_table_valtype {
	FW_VALUE_LEGACY, /* a number or an address, listed as a number */
	FW_VALUE_NUMBER, /* pipe, skipto, nat, fib, … */
	FW_VALUE_IP4,
	FW_VALUE_IP6
};

struct fw_table {
	char name[FW_TABLE_NAME];
	uint16_t index;
	uint8_t type;          /* enum fw_table_type */
	uint8_t flow;          /* enum fw_flow_field, of a table of flows */
	uint8_t valtype;       /* enum fw_table_valtype */
	char valtype_name[16]; /* as it was said */
	bool created;          /* `create` made it: it stays when nobody needs it */
	bool locked;           /* entries stay as they are */
	bool full_said;        /* that it is full is in the log already */
	uint32_t refs;         /* rules */
	uint32_t limit;        /* entries; 0 = as the sysctl says */
	struct fw_hash *hash;  /* what packets find in the directory; NULL = no entries */
};

/* By name; NULL. fw_table_make makes it if need be: 0, -EINVAL, -ENOSPC, -ENOMEM. */
struct fw_table *fw_table_by_name(const char *name);
int fw_table_make(const char *name, struct fw_table **table);
/* Tables in order of index; NULL behind the last one. */
struct fw_table *fw_table_next(const struct fw_table *after);
/* Is the name a number that exists by itself? */
bool fw_table_is_number(const char *name);
/* It is not needed any more: it goes, unless it was created, has entries or is referenced. */
void fw_table_tidy(struct fw_table *t);

/* One entry that comes or goes. */
struct fw_table_change {
	struct fw_table_key key;
	struct fw_value value;
	int error; /* what became of it */
};
enum fw_table_how {
	FW_TABLE_ADD,
	FW_TABLE_SET,    /* add or replace */
	FW_TABLE_DELETE, /* -ESRCH: not there */
};
/*
 * n changes. atomic: all or none, and packets see all at once; costs a copy of the table's slots. The
 * first error: -EEXIST, -ESRCH, -ENOSPC the table is full, -EACCES it is locked, -ENOMEM.
 */
int fw_table_apply(
    struct fw_table *t, enum fw_table_how how, struct fw_table_change *c, uint32_t n, bool atomic);
/* -EACCES: locked. */
int fw_table_flush(struct fw_table *t);
/* -EBUSY: rules refer to it. */
int fw_table_destroy(struct fw_table *t);
/* Entries, types and limits change places, in one store. -EINVAL types, -EFBIG limits, -EACCES. */
int fw_table_swap(struct fw_table *a, struct fw_table *b);
/* Entries that it may have. */
uint32_t fw_table_limit(const struct fw_table *t);
/* Entries in order (fw_entry_compare): malloc'd, free(); NULL without memory or entries. */
struct fw_table_entry **fw_table_sorted(const struct fw_table *t, uint32_t *n);

/* --- words (table_key.c) --- */

/* False with a reason in why. Host names are looked up. */
bool fw_table_key_parse(
    const struct fw_table *t, const char *word, struct fw_table_key *key, char *why, size_t len);
bool fw_table_value_parse(const struct fw_table *t, const char *word, struct fw_value *value);
const char *fw_table_key_text(const struct fw_table_entry *e, char text[FW_TABLE_KEY_TEXT]);
const char *fw_table_value_text(const struct fw_table *t, const struct fw_table_entry *e,
    bool as_ip, char text[FW_TABLE_VALUE_TEXT]);
/* A key that a packet would be looked up with (`lookup`): the entry that answers, NULL. */
struct fw_table_entry *fw_table_answer(const struct fw_table *t, const struct fw_table_key *key);

/* Keys of what is no prefix. */
void fw_key_of_name(struct fw_table_key *key, const char *name);
void fw_key_of_flow(struct fw_table_key *key, const struct fw_flow *flow, unsigned fields);

#endif
