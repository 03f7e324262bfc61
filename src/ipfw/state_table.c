/*
 * state_table.c - where dynamic rules are: found by their flow, kept by their rule.
 *
 *	bucket -> state			two cache lines (asked for ahead: 80 -> 26 ns a hit)
 *	rule -> its states, oldest first	they end with it, and are listed so
 *
 * A stack's first state makes the table, and when the last is gone the table goes too. States lie
 * in chunks that only the table's end frees; one that ended waits until no reader's section can
 * still see it, then it is used again.
 */
#include "ipfw/state_lookup.h"

#include "base/rng.h"
#include "ipfw/huge.h"
#include "kern/sysctl.h"
#include "kern/vnet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

VNET_DEFINE(struct fw_states *, fw_states);
VNET_DEFINE_STATIC(uint32_t, dyn_buckets) = 256;

enum { BUCKETS_MAX = 65536, CHUNK_FIRST = 16, CHUNK_MAX = 65536, CACHE_LINE = 64 };

struct state_chunk {
	struct state_chunk *next;
	uint8_t room[]; /* states, at the first multiple of a cache line */
};

static uint64_t states_live; /* of all stacks; atomic */
AUDIT_COUNTER(fw_state, "fw_state", states_live);

/* The table has as many from its first state on; so it can be set at any time. */
static int
buckets_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	uint64_t value;

	(void)oid;
	if (req->set == NULL) {
		snprintf(req->text, req->text_len, "%u", VNET(dyn_buckets));
		return 0;
	}
	if (!verb_number(req->set, 1, BUCKETS_MAX, &value) || (value & (value - 1)) != 0)
		return -EINVAL;
	VNET(dyn_buckets) = (uint32_t)value;
	return 0;
}
SYSCTL_PROC(net_inet_ip_fw_dyn_buckets, "net.inet.ip.fw.dyn_buckets", SYSCTL_RW | SYSCTL_VNET,
    SYSCTL_T_UINT, buckets_sysctl,
    "dynamic rules that the table is made for when there is the first: a power of two, at most "
    "65536");

static int
curr_buckets_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	if (req->set != NULL)
		return -EPERM;
	snprintf(req->text, req->text_len, "%u",
	    V_fw_states != NULL ? V_fw_states->buckets * STATE_LOAD : VNET(dyn_buckets));
	return 0;
}
SYSCTL_PROC(net_inet_ip_fw_curr_dyn_buckets, "net.inet.ip.fw.curr_dyn_buckets",
    SYSCTL_RD | SYSCTL_VNET, SYSCTL_T_UINT, curr_buckets_sysctl,
    "dynamic rules that the table has room for now, without growing");

/* --- parents and names --------------------------------------------------------------------- */

/* Parents have no end as long as they are here. */
static bool
is_parent_of(const struct fw_state *s, const struct state_key *k, const struct fw_rule *r)
{
	const struct state_wanted l = { .key = k, .word = k->word, .now_ms = s->expire_ms - 1 };

	return s->rule == r && state_is_it(s, &l);
}

struct fw_state *
state_find_parent(const struct fw_states *t, const struct state_key *k, const struct fw_rule *r)
{
	const struct state_bucket *b = state_bucket(t, state_hash(t, k));
	struct fw_state *s;

	for (unsigned i = 0; i < STATE_PLACES; i++)
		if (b->place[i] != NULL && is_parent_of(b->place[i], k, r))
			return b->place[i];
	for (s = b->more; s != NULL && !is_parent_of(s, k, r); s = s->next)
		continue;
	return s;
}

int
state_name(struct fw_states *t, const char *name, bool make)
{
	if (name[0] == '\0')
		return 0;
	if (!make && strcmp(name, "any") == 0)
		return STATE_NAME_ANY;
	for (uint32_t i = 0; i < t->names; i++)
		if (strncmp(t->name[i], name, sizeof(t->name[i])) == 0)
			return (int)i + 1;
	if (!make)
		return -1;
	if (t->names == STATE_NAMES_MAX)
		return -ENOSPC;
	memcpy(t->name[t->names], name, strnlen(name, sizeof(t->name[0])));
	return (int)++t->names;
}

/* --- the table ----------------------------------------------------------------------------- */

static void
table_free(struct rcu_head *h)
{
	struct fw_states *t = (struct fw_states *)(void *)((uint8_t *)h -
	    offsetof(struct fw_states, free_rcu));
	struct state_chunk *c;

	while ((c = t->chunks) != NULL) {
		t->chunks = c->next;
		vnet_free(c);
	}
	for (unsigned i = 0; i < STATE_SEGMENTS; i++)
		vnet_free(t->segment[i].memory);
	vnet_free(t);
}

/* Nothing is in it. Behind the grace that may be under way: calls run in order. */
static void
table_end(struct fw_states *t)
{
	fw_wheel_end(&t->wheel);
	t->ending = true;
	rcu_publish(&V_fw_states, NULL);
	rcu_call(&t->free_rcu, table_free);
}

static void
table_is_empty(struct fw_wheel *w)
{
	table_end((struct fw_states *)(void *)w);
}
_Static_assert(offsetof(struct fw_states, wheel) == 0, "the wheel is the table");

static void
table_seed(struct fw_states *t)
{
	struct rng rng;

	rng_seed(&rng, rng_process_seed, "ipfw dynamic rules");
	t->seed[0] = rng_u64(&rng) ^ curvnet->id;
	t->seed[1] = rng_u64(&rng);
}

static void *
at_cache_line(void *p)
{
	return (void *)(((uintptr_t)p + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
}

static bool
segment_make(struct state_segment *seg, uint32_t buckets)
{
	const size_t bytes = buckets * sizeof(struct state_bucket);

	seg->memory = vnet_malloc(bytes + CACHE_LINE);
	if (seg->memory == NULL)
		return false;
	seg->bucket = at_cache_line(seg->memory);
	fw_want_huge_pages(seg->bucket, bytes);
	return true;
}

struct fw_states *
state_table(void)
{
	struct fw_states *t = V_fw_states;

	if (__builtin_expect(t != NULL, 1))
		return t;
	t = vnet_malloc(sizeof(*t));
	if (t == NULL)
		return NULL;
	t->buckets = VNET(dyn_buckets) > STATE_LOAD ? VNET(dyn_buckets) / STATE_LOAD : 1;
	t->base_log2 = (uint8_t)__builtin_ctz(t->buckets);
	if (!segment_make(&t->segment[0], t->buckets)) {
		vnet_free(t);
		return NULL;
	}
	t->chunk_states = CHUNK_FIRST;
	table_seed(t);
	t->epoch_ns = clock_epoch_ns();
	t->wheel.due = state_due;
	t->wheel.empty = table_is_empty;
	fw_wheel_init(&t->wheel);
	rcu_publish(&V_fw_states, t);
	return t;
}

/* --- growth -------------------------------------------------------------------------------- */

/* Room for bucket number b; a big segment is pages of zeros that the system gives one by one. */
static bool
segment_is_there(struct fw_states *t, uint32_t b)
{
	const unsigned bits = 32 - (unsigned)__builtin_clz(b);
	const unsigned i = bits - t->base_log2;

	return i < STATE_SEGMENTS &&
	    (t->segment[i].bucket != NULL || segment_make(&t->segment[i], 1u << (bits - 1)));
}

static void
place_set(struct state_bucket *b, unsigned i, struct fw_state *s, uint8_t tag)
{
	const uint64_t mask = ~(UINT64_C(0xff) << i * 8);

	rcu_publish(&b->place[i], s);
	__atomic_store_n(&b->tags, (b->tags & mask) | (uint64_t)tag << i * 8, __ATOMIC_RELEASE);
}

static void
bucket_put(struct state_bucket *b, uint64_t hash, struct fw_state *s)
{
	for (unsigned i = 0; i < STATE_PLACES; i++)
		if (b->place[i] == NULL) {
			place_set(b, i, s, tag_of(hash));
			return;
		}
	rcu_publish(&s->next, b->more);
	rcu_publish(&b->more, s);
}

static void
bucket_take(struct state_bucket *b, struct fw_state *s)
{
	struct fw_state **at = &b->more;

	for (unsigned i = 0; i < STATE_PLACES; i++)
		if (b->place[i] == s) {
			place_set(b, i, NULL, 0);
			return;
		}
	while (*at != s)
		at = &(*at)->next;
	rcu_publish(at, s->next);
}

/* Half of what is in `from` moves to `to`, which is empty. */
static void
bucket_halve(struct fw_states *t, struct state_bucket *from, struct state_bucket *to)
{
	struct fw_state *s, *more = from->more;
	uint64_t hash;

	for (unsigned i = 0; i < STATE_PLACES; i++) {
		if ((s = from->place[i]) == NULL)
			continue;
		hash = state_hash_again(t, s);
		if (state_bucket(t, hash) == to) {
			bucket_put(to, hash, s);
			place_set(from, i, NULL, 0);
		}
	}
	rcu_publish(&from->more, NULL);
	while ((s = more) != NULL) {
		more = s->next;
		hash = state_hash_again(t, s);
		bucket_put(state_bucket(t, hash), hash, s);
	}
}

/*
 * One more bucket: half of those of one other move into it. A reader may miss its state meanwhile;
 * it sees by `splits` that it has to look again.
 */
static void
split_bucket(struct fw_states *t)
{
	const uint32_t n = t->buckets;

	if (!segment_is_there(t, n))
		return;
	__atomic_store_n(&t->splits, t->splits + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&t->buckets, n + 1, __ATOMIC_RELEASE);
	bucket_halve(
	    t, bucket_at(t, n ^ (1u << (31 - (unsigned)__builtin_clz(n)))), bucket_at(t, n));
	__atomic_store_n(&t->splits, t->splits + 1, __ATOMIC_RELEASE);
}

/*
 * More states to hand out; false without memory. A big chunk is not touched before its states are,
 * so it costs nothing to have it.
 */
static bool
chunk_add(struct fw_states *t)
{
	const uint32_t n = t->chunk_states;
	struct state_chunk *c = vnet_malloc(sizeof(*c) + (n + 1) * sizeof(struct fw_state));

	if (c == NULL)
		return false;
	c->next = t->chunks;
	t->chunks = c;
	t->fresh = at_cache_line(c->room);
	t->fresh_end = t->fresh + n;
	fw_want_huge_pages(t->fresh, n * sizeof(*t->fresh));
	if (t->chunk_states < CHUNK_MAX)
		t->chunk_states *= 4;
	return true;
}

/* One to be filled in; NULL without memory. */
static struct fw_state *
state_take(struct fw_states *t)
{
	struct fw_state *s = t->free;

	if (s != NULL) {
		t->free = s->next;
		return s;
	}
	if (t->fresh == t->fresh_end && !chunk_add(t))
		return NULL;
	return t->fresh++;
}

/* --- life of a state ----------------------------------------------------------------------- */

static void grace_begin(struct fw_states *t);

/* Readers that could see them are gone. */
static void
grace_over(struct rcu_head *h)
{
	struct fw_states *t = (struct fw_states *)(void *)((uint8_t *)h -
	    offsetof(struct fw_states, grace_rcu));
	struct fw_state *s;

	t->grace = false;
	if (t->ending)
		return;
	while ((s = t->flying) != NULL) {
		t->flying = s->of_rule.tqe_next;
		s->next = t->free;
		t->free = s;
	}
	grace_begin(t);
}

static void
grace_begin(struct fw_states *t)
{
	if (t->grace || t->waiting == NULL)
		return;
	t->flying = t->waiting;
	t->waiting = NULL;
	t->grace = true;
	rcu_call(&t->grace_rcu, grace_over);
}

static void
rule_takes(struct fw_rule *r, struct fw_state *s)
{
	if (r->states++ == 0) {
		TAILQ_INIT(&r->state_list);
		fw_rule_ref(r);
	}
	TAILQ_INSERT_TAIL(&r->state_list, s, of_rule);
}

static void
rule_loses(struct fw_rule *r, struct fw_state *s)
{
	TAILQ_REMOVE(&r->state_list, s, of_rule);
	if (--r->states == 0)
		fw_rule_rele(r);
}

struct fw_state *
state_make(struct fw_states *t, const struct state_key *k, struct fw_rule *r)
{
	const uint64_t hash = state_hash(t, k);
	struct fw_state *s;

	if ((s = state_take(t)) == NULL)
		return NULL;
	*s = (struct fw_state){ .rule = r,
		.word = k->word,
		.addr4 = k->addr4,
		.swapped = k->swapped,
		.expire_ms = state_now_ms() };
	if (state_is_v6(s))
		memcpy(s->addr6, k->addr6, sizeof(s->addr6));
	rule_takes(r, s);
	bucket_put(state_bucket(t, hash), hash, s);
	__atomic_fetch_add(&states_live, 1, __ATOMIC_RELAXED);
	if (++t->count / STATE_LOAD > t->buckets)
		split_bucket(t);
	return s;
}

void
state_end(struct fw_states *t, struct fw_state *s)
{
	bucket_take(state_bucket(t, state_hash_again(t, s)), s);
	fw_wheel_remove(&t->wheel, &s->due);
	rule_loses(s->rule, s);
	t->count--;
	/* for who has seen it ahead */
	__atomic_store_n(&s->expire_ms, state_now_ms(), __ATOMIC_RELAXED);
	__atomic_fetch_sub(&states_live, 1, __ATOMIC_RELAXED);
	/* a reader that is at s goes on to s->next: it stays as it is until the grace is over */
	s->of_rule.tqe_next = t->waiting;
	t->waiting = s;
	grace_begin(t);
}

void
fw_state_forget(struct fw_rule *r)
{
	while (r->states > 0)
		state_end(V_fw_states, TAILQ_FIRST(&r->state_list));
}

uint32_t
fw_state_count(void)
{
	return V_fw_states != NULL ? V_fw_states->count : 0;
}

static int
count_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	if (req->set != NULL)
		return -EPERM;
	snprintf(req->text, req->text_len, "%u", fw_state_count());
	return 0;
}
SYSCTL_PROC(net_inet_ip_fw_dyn_count, "net.inet.ip.fw.dyn_count", SYSCTL_RD | SYSCTL_VNET,
    SYSCTL_T_UINT, count_sysctl, "dynamic rules now");

/* The stack ends: what its rules have not taken with them goes. */
static void
states_end(void *arg)
{
	struct fw_states *t = V_fw_states;

	(void)arg;
	if (t == NULL)
		return;
	for (unsigned i = 0; i < FW_WHEEL_BUCKETS; i++)
		for (struct fw_wheel_entry *e; (e = LIST_FIRST(&t->wheel.bucket[i])) != NULL;)
			state_end(t,
			    (struct fw_state *)(void *)((uint8_t *)e -
				offsetof(struct fw_state, due)));
	table_end(t);
}
VNET_SYSUNINIT(fw_states, SI_SUB_FIREWALL, SI_ORDER_MIDDLE, states_end, NULL);
