/*
 * table.c - look-up tables: by name for the upper half, by index for packets.
 *
 *	directory[index] -> hash -> entry
 *
 * Packets read the directory, one pointer to an array of hashes (table_hash.c). Entries come and go in
 * a hash in place, one store each. A hash that grows, a flush and an atomic change of many entries put a
 * new hash in the directory; a swap of two tables, and a table more, a new directory. What was there
 * before is freed behind the readers (base/rcu.h). A stack that has no tables has no directory.
 */
#include "ipfw/table_internal.h"

#include "base/bytes.h"
#include "base/log.h"
#include "kern/sysctl.h"
#include "net/if.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 65535, DIRECTORY_ROOM = 8 };

struct directory {
	struct rcu_head rcu;
	uint32_t n;
	struct fw_hash *hash[]; /* NULL = no such table, or no entries */
};

VNET_DEFINE_STATIC(struct directory *, fw_directory);
/* The upper half's: as long as the directory. */
VNET_DEFINE_STATIC(struct fw_table **, fw_tables);
VNET_DEFINE_STATIC(struct fw_table *, fw_table_last); /* found by name last */
VNET_DEFINE_STATIC(uint32_t, fw_tables_n);
VNET_DEFINE_STATIC(uint32_t, fw_tables_max) = 128;
VNET_DEFINE_STATIC(uint32_t, fw_entries_max) = 1 << 21;
VNET_DEFINE_STATIC(uint64_t, fw_table_refused);

SYSCTL_VNET_UINT(net_inet_ip_fw_tables_max, "net.inet.ip.fw.tables_max", SYSCTL_RW, fw_tables_max,
    1, TABLES_MAX, "look-up tables that there may be");
SYSCTL_VNET_UINT(net_inet_ip_fw_table_entries_max, "net.inet.ip.fw.table_entries_max", SYSCTL_RW,
    fw_entries_max, 1, 1 << 30, "entries of a look-up table");
SYSCTL_VNET_U64(net_inet_ip_fw_table_refused, "net.inet.ip.fw.table_refused", SYSCTL_RD,
    fw_table_refused, "entries refused because a look-up table was full");

static uint64_t tables_live;
AUDIT_COUNTER(fw_table, "fw_table", tables_live);

/* --- packets look up ------------------------------------------------------- */

static inline const struct fw_hash *
hash_of(uint16_t table)
{
	struct directory *d = rcu_deref(&VNET(fw_directory));

	return d != NULL && table < d->n ? rcu_deref(&d->hash[table]) : NULL;
}

static bool
found(const struct fw_table_entry *e, struct fw_value *v)
{
	if (e == NULL)
		return false;
	*v = e->value;
	return true;
}

bool
fw_table_find4(uint16_t table, uint32_t key, struct fw_value *v)
{
	return fw_hash_value4(hash_of(table), __builtin_bswap32(key), v);
}

bool
fw_table_find6(uint16_t table, const struct in6 *key, struct fw_value *v)
{
	return found(fw_hash_longest6(hash_of(table), __builtin_bswap64(load64(key->b)),
			 __builtin_bswap64(load64(key->b + 8))),
	    v);
}

bool
fw_table_find_number(uint16_t table, uint32_t key, struct fw_value *v)
{
	const struct fw_hash *h = hash_of(table);
	const struct fw_table_key number = { .kind = FW_KEYED_NUMBER, .words = 1, .w = { key } };

	/* 80 among addresses is 0.0.0.80: the same 32 bits, the highest first */
	return found(fw_hash_find(h, &number), v) || fw_hash_value4(h, key, v);
}

bool
fw_table_find_iface(uint16_t table, const struct ifnet *ifp, struct fw_value *v)
{
	const struct fw_hash *h = hash_of(table);
	struct fw_table_key key;

	if (h == NULL)
		return false;
	fw_key_of_name(&key, ifp->if_xname);
	return found(fw_hash_find(h, &key), v);
}

bool
fw_table_find_flow(uint16_t table, const struct fw_flow *flow, struct fw_value *v)
{
	const struct fw_hash *h = hash_of(table);
	struct fw_table_key key;

	if (h == NULL)
		return false;
	/* which fields count is in every key of the table */
	fw_key_of_flow(&key, flow, fw_hash_flow_fields(h));
	return found(fw_hash_find(h, &key), v);
}

/* --- tables by name --------------------------------------------------------- */

bool
fw_table_is_number(const char *name)
{
	return name[strspn(name, "0123456789")] == '\0';
}

static bool
name_is_good(const char *name)
{
	if (name[0] == '\0' || strlen(name) >= FW_TABLE_NAME)
		return false;
	if (strcmp(name, "all") == 0)
		return false;
	if (fw_table_is_number(name))
		return strlen(name) < 10 && strtoul(name, NULL, 10) < VNET(fw_tables_max);
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name > '~' || strchr("(),/\"'{}", *name) != NULL)
			return false;
	return true;
}

/* Numbers as they are counted: 007 is 7. */
static const char *
name_tidy(const char *name)
{
	if (fw_table_is_number(name))
		while (name[0] == '0' && name[1] != '\0')
			name++;
	return name;
}

struct fw_table *
fw_table_by_name(const char *name)
{
	struct fw_table *t = VNET(fw_table_last);

	name = name_tidy(name);
	if (t != NULL && strcmp(t->name, name) == 0)
		return t;
	for (t = fw_table_next(NULL); t != NULL; t = fw_table_next(t))
		if (strcmp(t->name, name) == 0)
			return VNET(fw_table_last) = t;
	return NULL;
}

struct fw_table *
fw_table_next(const struct fw_table *after)
{
	uint32_t n = VNET(fw_directory) != NULL ? VNET(fw_directory)->n : 0;

	for (uint32_t i = after == NULL ? 0 : after->index + 1u; i < n; i++)
		if (VNET(fw_tables)[i] != NULL)
			return VNET(fw_tables)[i];
	return NULL;
}

static void
directory_free(struct rcu_head *h)
{
	vnet_free((char *)h - offsetof(struct directory, rcu));
}

/* The same one with room for n tables, which packets don't read yet. */
static struct directory *
directory_copy(const struct directory *d, uint32_t n)
{
	struct directory *copy = vnet_malloc(sizeof(*copy) + n * sizeof(copy->hash[0]));

	if (copy == NULL)
		return NULL;
	copy->n = n;
	if (d != NULL)
		memcpy(copy->hash, d->hash, d->n * sizeof(d->hash[0]));
	return copy;
}

static void
directory_publish(struct directory *d)
{
	struct directory *old = VNET(fw_directory);

	rcu_publish(&VNET(fw_directory), d);
	if (old != NULL)
		rcu_call(&old->rcu, directory_free);
}

/* The lowest index without a table; there is room for one behind it. -ENOMEM. */
static int
index_free(void)
{
	uint32_t n = VNET(fw_directory) != NULL ? VNET(fw_directory)->n : 0, i;
	struct fw_table **tables;
	struct directory *d;

	for (i = 0; i < n; i++)
		if (VNET(fw_tables)[i] == NULL)
			return (int)i;
	d = directory_copy(VNET(fw_directory), n * 2 + DIRECTORY_ROOM);
	tables = d == NULL ? NULL : vnet_malloc(d->n * sizeof(struct fw_table *));
	if (tables == NULL) {
		vnet_free(d);
		return -ENOMEM;
	}
	if (n > 0)
		memcpy(tables, VNET(fw_tables), n * sizeof(struct fw_table *));
	vnet_free(VNET(fw_tables));
	VNET(fw_tables) = tables;
	directory_publish(d);
	return (int)n;
}

int
fw_table_make(const char *name, struct fw_table **table)
{
	struct fw_table *t = fw_table_by_name(name);
	int index;

	*table = t;
	if (t != NULL)
		return 0;
	if (!name_is_good(name))
		return -EINVAL;
	if (VNET(fw_tables_n) >= VNET(fw_tables_max))
		return -ENOSPC;
	index = index_free();
	t = index < 0 ? NULL : vnet_malloc(sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	__atomic_fetch_add(&tables_live, 1, __ATOMIC_RELAXED);
	snprintf(t->name, sizeof(t->name), "%s", name_tidy(name));
	snprintf(t->valtype_name, sizeof(t->valtype_name), "legacy");
	t->index = (uint16_t)index;
	t->flow = FW_FLOW_ALL;
	VNET(fw_tables)[index] = t;
	VNET(fw_tables_n)++;
	*table = t;
	return 0;
}

static void
table_free(struct fw_table *t)
{
	if (VNET(fw_table_last) == t)
		VNET(fw_table_last) = NULL;
	VNET(fw_tables)[t->index] = NULL;
	VNET(fw_tables_n)--;
	__atomic_fetch_sub(&tables_live, 1, __ATOMIC_RELAXED);
	vnet_free(t);
}

void
fw_table_tidy(struct fw_table *t)
{
	if (!t->created && t->refs == 0 && fw_hash_count(t->hash) == 0 && !t->locked) {
		(void)fw_table_flush(t);
		table_free(t);
	}
}

int
fw_table_ref(const char *name)
{
	struct fw_table *t;
	int error = fw_table_make(name, &t);

	if (error != 0)
		return error;
	t->refs++;
	return t->index;
}

static struct fw_table *
by_index(uint16_t table)
{
	if (VNET(fw_directory) == NULL || table >= VNET(fw_directory)->n)
		return NULL;
	return VNET(fw_tables)[table];
}

void
fw_table_rele(uint16_t table)
{
	struct fw_table *t = by_index(table);

	if (t == NULL)
		return;
	t->refs--;
	fw_table_tidy(t);
}

const char *
fw_table_name(uint16_t table)
{
	const struct fw_table *t = by_index(table);

	return t == NULL ? "?" : t->name;
}

/* --- entries ---------------------------------------------------------------- */

uint32_t
fw_table_limit(const struct fw_table *t)
{
	return t->limit != 0 && t->limit < VNET(fw_entries_max) ? t->limit : VNET(fw_entries_max);
}

/* Packets find h from now on. */
static void
table_publish(struct fw_table *t, struct fw_hash *h)
{
	t->hash = h;
	rcu_publish(&VNET(fw_directory)->hash[t->index], h);
}

static int
table_full(struct fw_table *t)
{
	VNET(fw_table_refused)++;
	if (!t->full_said)
		log_msg(LOG_LVL_WARNING, "ipfw: table %s is full: %u entries", t->name,
		    fw_table_limit(t));
	t->full_said = true;
	return -ENOSPC;
}

/* Changes of one command: in place, or in a copy of the slots that is published if all went well. */
struct work {
	struct fw_table *t;
	struct fw_hash *hash;
	bool is_copy; /* packets don't read it yet */
};

static int
work_room(struct work *w)
{
	struct fw_hash *grown;

	if (fw_hash_has_room(w->hash))
		return 0;
	grown = w->hash == NULL ? fw_hash_new(1) :
				  fw_hash_copy(w->hash, 2 * fw_hash_count(w->hash) + 1);
	if (grown == NULL)
		return -ENOMEM;
	if (w->is_copy) {
		fw_hash_free(w->hash);
	} else {
		struct fw_hash *old = w->hash;

		table_publish(w->t, grown);
		fw_hash_free_late(old, false);
	}
	w->hash = grown;
	return 0;
}

/* What the change takes out of the table, or in an atomic one what it would, goes to *out. */
static int
work_add(struct work *w, struct fw_table_change *c, bool replace, struct fw_table_entry **out,
    struct fw_table_entry **in)
{
	struct fw_table_entry *old = fw_hash_find(w->hash, &c->key), *e;
	int error;

	if (old != NULL && !replace)
		return -EEXIST;
	if (old == NULL && fw_hash_count(w->hash) >= fw_table_limit(w->t))
		return table_full(w->t);
	if (old == NULL && (error = work_room(w)) != 0)
		return error;
	e = fw_entry_new(&c->key, &c->value);
	if (e == NULL)
		return -ENOMEM;
	if (old != NULL)
		fw_hash_replace(w->hash, old, e);
	else
		fw_hash_insert(w->hash, e);
	*out = old;
	*in = e;
	return 0;
}

static int
work_delete(struct work *w, const struct fw_table_change *c, struct fw_table_entry **out)
{
	struct fw_table_entry *old = fw_hash_find(w->hash, &c->key);

	if (old == NULL)
		return -ESRCH;
	fw_hash_remove(w->hash, old);
	w->t->full_said = false;
	*out = old;
	return 0;
}

static int
work_one(struct work *w, enum fw_table_how how, struct fw_table_change *c,
    struct fw_table_entry **out, struct fw_table_entry **in)
{
	*out = *in = NULL;
	return how == FW_TABLE_DELETE ? work_delete(w, c, out) :
					work_add(w, c, how == FW_TABLE_SET, out, in);
}

static int
apply_each(struct fw_table *t, enum fw_table_how how, struct fw_table_change *c, uint32_t n)
{
	struct work w = { .t = t, .hash = t->hash };
	struct fw_table_entry *out, *in;
	int first = 0;

	for (uint32_t i = 0; i < n; i++) {
		c[i].error = work_one(&w, how, &c[i], &out, &in);
		if (out != NULL)
			fw_entry_free_late(out);
		if (first == 0)
			first = c[i].error;
	}
	return first;
}

/*
 * All or none: what comes is known by being new, what goes is kept until the end. An entry that one word
 * brings and another takes away again is in both lists.
 */
static int
apply_atomic(struct fw_table *t, enum fw_table_how how, struct fw_table_change *c, uint32_t n)
{
	struct fw_table_entry **moved = vnet_malloc(2 * (size_t)n * sizeof(*moved) + 1);
	struct work w = {
		.t = t, .hash = fw_hash_copy(t->hash, fw_hash_count(t->hash) + n), .is_copy = true
	};
	uint32_t done = 0;
	int error = moved == NULL || w.hash == NULL ? -ENOMEM : 0;

	for (; error == 0 && done < n; done++)
		error = c[done].error = work_one(
		    &w, how, &c[done], &moved[2 * done], &moved[2 * done + 1]);
	for (uint32_t i = 0; i < done; i++) {
		/* who leaves may still be read; who never came may not */
		if (error == 0 && moved[2 * i] != NULL)
			fw_entry_free_late(moved[2 * i]);
		if (error != 0 && moved[2 * i + 1] != NULL)
			fw_entry_free(moved[2 * i + 1]);
	}
	vnet_free(moved);
	if (error != 0) {
		fw_hash_free(w.hash);
		return error;
	}
	fw_hash_free_late(t->hash, false);
	table_publish(t, w.hash);
	return 0;
}

int
fw_table_apply(
    struct fw_table *t, enum fw_table_how how, struct fw_table_change *c, uint32_t n, bool atomic)
{
	if (t->locked)
		return -EACCES;
	return atomic ? apply_atomic(t, how, c, n) : apply_each(t, how, c, n);
}

static void
table_empty(struct fw_table *t)
{
	struct fw_hash *old = t->hash;

	table_publish(t, NULL);
	fw_hash_free_late(old, true);
	t->full_said = false;
}

int
fw_table_flush(struct fw_table *t)
{
	if (t->locked)
		return -EACCES;
	table_empty(t);
	return 0;
}

int
fw_table_destroy(struct fw_table *t)
{
	if (t->refs > 0)
		return -EBUSY;
	table_empty(t);
	table_free(t);
	return 0;
}

int
fw_table_swap(struct fw_table *a, struct fw_table *b)
{
	struct fw_hash *hash = a->hash;
	struct directory *d;

	if (a->type != b->type || a->flow != b->flow)
		return -EINVAL;
	if (fw_hash_count(a->hash) > fw_table_limit(b) ||
	    fw_hash_count(b->hash) > fw_table_limit(a))
		return -EFBIG;
	if (a->locked || b->locked)
		return -EACCES;
	d = directory_copy(VNET(fw_directory), VNET(fw_directory)->n);
	if (d == NULL)
		return -ENOMEM;
	a->hash = d->hash[a->index] = b->hash;
	b->hash = d->hash[b->index] = hash;
	directory_publish(d);
	return 0;
}

static int
entry_compare(const void *a, const void *b)
{
	return fw_entry_compare(
	    *(struct fw_table_entry *const *)a, *(struct fw_table_entry *const *)b);
}

struct fw_table_entry **
fw_table_sorted(const struct fw_table *t, uint32_t *n)
{
	struct fw_table_entry **list;

	*n = 0;
	if (fw_hash_count(t->hash) == 0)
		return NULL;
	list = malloc(fw_hash_count(t->hash) * sizeof(struct fw_table_entry *));
	if (list == NULL)
		return NULL;
	for (uint32_t i = 0; i < fw_hash_slots(t->hash); i++)
		if (fw_hash_at(t->hash, i) != NULL)
			list[(*n)++] = fw_hash_at(t->hash, i);
	qsort(list, *n, sizeof(struct fw_table_entry *), entry_compare);
	return list;
}

/* --- the stack ends ---------------------------------------------------------- */

/* Behind the chain, whose rules refer to tables. */
static void
tables_end(void *arg)
{
	struct fw_table *t;

	(void)arg;
	while ((t = fw_table_next(NULL)) != NULL) {
		table_empty(t);
		table_free(t);
	}
	vnet_free(VNET(fw_tables));
	VNET(fw_tables) = NULL;
	directory_publish(NULL);
}
VNET_SYSUNINIT(fw_tables, SI_SUB_FIREWALL, SI_ORDER_FIRST, tables_end, NULL);
