/*
 * chain.c - the map of rules: searched by packets, replaced as a whole by the upper half.
 *
 *	fw_change_begin		nothing yet
 *	fw_add, fw_delete, …	the first one copies the map into a struct fw_change and works on that
 *	fw_change_end		the last one makes a map of it, publishes it, and lets go of what went
 *
 * A rule that is in the chain has one reference from it, however many maps it is in: maps of the past
 * are read only by packets that were on their way, and both a map and a rule are freed behind them
 * (base/rcu.h). If there is no memory, the chain stays as it was.
 *
 * The first change in a stack makes the default rule and has the hooks attached; before it, packets
 * don't meet the firewall at all.
 */
#include "ipfw/chain_internal.h"

#include "base/rcu.h"
#include "ipfw/check.h"
#include "ipfw/classify.h"
#include "ipfw/hook.h"
#include "ipfw/state.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * With fewer rules than this, trying them one by one (3 to 5 ns each) costs little more than asking a
 * classifier, which takes 0.8 MB at least: a thousand small routers in one process have none.
 */
enum { CLASSIFY_FROM = 64 };
enum { CHANGE_ROOM = 16 }; /* entries of a change at first */

VNET_DEFINE(struct fw_map *, fw_map);
VNET_DEFINE(uint32_t, fw_last_rule_id);
VNET_DEFINE_STATIC(uint32_t, fw_last_map_id);
VNET_DEFINE_STATIC(struct fw_change *, fw_change);
VNET_DEFINE_STATIC(uint32_t, fw_change_depth);
VNET_DEFINE_STATIC(uint32_t, fw_autoinc_step) = 100;

static bool fw_default_to_accept;
static uint32_t fw_default_rule = FW_NUMBER_MAX;
static uint64_t maps_live;

__thread uint64_t chain_steps;

SYSCTL_VNET_UINT(net_inet_ip_fw_autoinc_step, "net.inet.ip.fw.autoinc_step", SYSCTL_RW,
    fw_autoinc_step, 1, 1000, "what is added to the last rule's number for one without a number");
SYSCTL_UINT(net_inet_ip_fw_default_rule, "net.inet.ip.fw.default_rule", SYSCTL_RD, fw_default_rule,
    FW_NUMBER_MAX, FW_NUMBER_MAX, "number of the default rule");
SYSCTL_BOOL(net_inet_ip_fw_default_to_accept, "net.inet.ip.fw.default_to_accept", SYSCTL_RDTUN,
    fw_default_to_accept, "the default rule lets packets pass");

AUDIT_COUNTER(fw_map, "fw_map", maps_live);

/* --- packets search ------------------------------------------------------- */

/* The first slot whose rule is (number, id) or behind it. The default rule ends every search. */
static uint32_t
map_search(const struct fw_map *map, uint16_t number, uint32_t id)
{
	uint32_t lo = 0, hi = map->n - 1;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct fw_rule *r = map->rule[mid];

		chain_steps++;
		if (r->number < number || (r->number == number && r->id < id))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
fw_map_find(const struct fw_map *map, uint16_t number)
{
	return map_search(map, number, 0);
}

uint32_t
fw_map_after(const struct fw_map *map, const struct fw_ref *ref)
{
	if (ref->chain_id != map->id)
		return ref->rule_id == UINT32_MAX ?
		    fw_map_find(map, fw_number_behind(ref->number)) :
		    map_search(map, ref->number, ref->rule_id + 1);
	chain_steps++;
	return ref->slot + 1 < map->n ? ref->slot + 1 : map->n - 1;
}

uint32_t
fw_map_jump(const struct fw_map *map, uint32_t slot, uint32_t number)
{
	struct fw_rule *r = map->rule[slot];
	uint64_t jump = __atomic_load_n(&r->jump, __ATOMIC_RELAXED);
	uint32_t to;

	if (!r->by_tablearg && (uint32_t)jump == map->id) {
		chain_steps++;
		return (uint32_t)(jump >> 32);
	}
	to = fw_map_find(map, fw_jump_number(r, number));
	/* Slot and map in one store: who reads it has both of one jump. */
	if (!r->by_tablearg)
		__atomic_store_n(&r->jump, (uint64_t)to << 32 | map->id, __ATOMIC_RELAXED);
	return to;
}

/* --- a change begins ------------------------------------------------------ */

static struct fw_rule *
default_rule(void)
{
	struct fw_rule *r = fw_rule_alloc(0);

	if (r == NULL)
		return NULL;
	r->number = FW_NUMBER_MAX;
	r->set = FW_SET_RESERVED;
	r->id = ++VNET(fw_last_rule_id);
	r->action = fw_default_to_accept ? FW_ACT_ALLOW : FW_ACT_DENY;
	r->is_plain = fw_rule_is_plain(r);
	return r;
}

/* The rules of the map, or the default rule alone. False without memory. */
static bool
change_fill(struct fw_change *c, const struct fw_map *map)
{
	c->room = (map != NULL ? map->n : 0) + CHANGE_ROOM;
	c->entry = vnet_malloc(c->room * sizeof(*c->entry));
	if (c->entry == NULL)
		return false;
	if (map == NULL) {
		c->entry[0] = (struct fw_entry){ default_rule(), true };
		c->n = 1;
		return c->entry[0].rule != NULL;
	}
	c->disabled = map->disabled;
	c->n = map->n;
	for (uint32_t i = 0; i < map->n; i++)
		c->entry[i] = (struct fw_entry){ map->rule[i], false };
	return true;
}

struct fw_change *
fw_change_open(void)
{
	struct fw_change *c = VNET(fw_change);

	if (c != NULL)
		return c;
	c = vnet_malloc(sizeof(*c));
	if (c == NULL || !change_fill(c, VNET(fw_map))) {
		if (c != NULL)
			vnet_free(c->entry);
		vnet_free(c);
		return NULL;
	}
	c->dirty = VNET(fw_map) == NULL;
	return VNET(fw_change) = c;
}

void
fw_change_begin(void)
{
	VNET(fw_change_depth)++;
}

static void
change_free(struct fw_change *c)
{
	vnet_free(c->entry);
	vnet_free(c);
}

/* It comes to nothing. */
static void
change_discard(struct fw_change *c)
{
	const struct fw_map *map = VNET(fw_map);

	for (uint32_t i = 0; map != NULL && i < map->n; i++)
		map->rule[i]->set = map->set[i];
	for (uint32_t i = 0; i < c->n; i++)
		if (c->entry[i].fresh)
			fw_rule_rele(c->entry[i].rule);
	change_free(c);
}

/* --- a change becomes the map --------------------------------------------- */

static bool
rule_has_states(const struct fw_rule *r)
{
	if (r->action == FW_ACT_CHECK_STATE)
		return true;
	for (uint32_t i = 0; i < r->n_insns; i++)
		if (r->insn[i].op == FW_OP_KEEP_STATE || r->insn[i].op == FW_OP_LIMIT)
			return true;
	return false;
}

/* Where packets look for their states: room for n slots. */
static void
map_find_states(struct fw_map *map, uint32_t *slot)
{
	const char *name, *first = NULL;

	map->state_slot = slot;
	map->one_state_name = true;
	for (uint32_t i = 0; i < map->n; i++) {
		if ((name = fw_rule_state_name(map->rule[i])) == NULL)
			continue;
		slot[map->n_state_slots++] = i;
		first = first == NULL ? name : first;
		map->one_state_name = map->one_state_name && strcmp(first, name) == 0;
	}
}

static uint32_t
count_state_places(const struct fw_change *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++)
		n += fw_rule_state_name(c->entry[i].rule) != NULL;
	return n;
}

/* Never 0; once in 2^32 maps what rules remember of the map of the same number is forgotten. */
static uint32_t
next_map_id(const struct fw_change *c)
{
	if (++VNET(fw_last_map_id) != 0)
		return VNET(fw_last_map_id);
	for (uint32_t i = 0; i < c->n; i++)
		__atomic_store_n(&c->entry[i].rule->jump, 0, __ATOMIC_RELAXED);
	return ++VNET(fw_last_map_id);
}

static void
map_free(struct fw_map *map)
{
	if (map->classifier != NULL)
		fw_classifier_free(map->classifier);
	vnet_free(map);
	__atomic_fetch_sub(&maps_live, 1, __ATOMIC_RELAXED);
}

static void
map_free_late(struct rcu_head *h)
{
	map_free((struct fw_map *)(void *)((char *)h - offsetof(struct fw_map, rcu)));
}

static struct fw_map *
map_make(const struct fw_change *c)
{
	const uint32_t places = count_state_places(c);
	struct fw_map *map = vnet_malloc(sizeof(*map) + c->n * sizeof(map->rule[0]) +
	    places * sizeof(map->state_slot[0]) + c->n * sizeof(map->set[0]));
	uint32_t *slot;
	uint8_t *set;

	if (map == NULL)
		return NULL;
	__atomic_fetch_add(&maps_live, 1, __ATOMIC_RELAXED);
	map->id = next_map_id(c);
	map->n = c->n;
	map->disabled = c->disabled;
	slot = (uint32_t *)(void *)&map->rule[c->n];
	map->set = set = (uint8_t *)(slot + places);
	for (uint32_t i = 0; i < c->n; i++) {
		map->rule[i] = c->entry[i].rule;
		set[i] = c->entry[i].rule->set;
		map->has_states = map->has_states || rule_has_states(c->entry[i].rule);
	}
	map_find_states(map, slot);
	return map;
}

static void
map_classify(struct fw_map *map, const struct fw_map *before)
{
	if (map->n < CLASSIFY_FROM)
		return;
	map->classifier = before != NULL && before->classifier != NULL ?
	    fw_classifier_follow(before, map) :
	    fw_classifier_build(map);
}

/* Let go of the rules of `before` that the change has no more; both are in the same order. */
static void
release_gone(const struct fw_map *before, const struct fw_change *c)
{
	uint32_t j = 0;

	for (uint32_t i = 0; i < before->n; i++) {
		while (j < c->n && c->entry[j].fresh)
			j++;
		if (j < c->n && c->entry[j].rule == before->rule[i]) {
			j++;
			continue;
		}
		fw_state_forget(before->rule[i]);
		fw_rule_rele(before->rule[i]);
	}
}

/* 0, and the change's rules are the chain's; or -errno, and nothing has happened. */
static int
change_publish(struct fw_change *c)
{
	struct fw_map *before = VNET(fw_map), *map = map_make(c);
	int error = map == NULL ? -ENOMEM : before == NULL ? fw_hooks_attach() : 0;

	if (error != 0) {
		if (map != NULL)
			map_free(map);
		return error;
	}
	map_classify(map, before);
	rcu_publish(&VNET(fw_map), map);
	if (before == NULL)
		return 0;
	release_gone(before, c);
	rcu_call(&before->rcu, map_free_late);
	return 0;
}

int
fw_change_end(void)
{
	struct fw_change *c = VNET(fw_change);
	int error = 0;

	if (--VNET(fw_change_depth) > 0 || c == NULL)
		return 0;
	VNET(fw_change) = NULL;
	if (c->dirty && (error = change_publish(c)) == 0)
		change_free(c);
	else
		change_discard(c);
	return error;
}

int
fw_start(void)
{
	bool opened;
	int error;

	if (VNET(fw_map) != NULL)
		return 0;
	fw_change_begin();
	opened = fw_change_open() != NULL;
	error = fw_change_end();
	return opened ? error : -ENOMEM;
}

/* --- rules come and go ---------------------------------------------------- */

/* The chain as the upper half sees it: the open change, else the map, else nothing. */
static uint32_t
view_count(void)
{
	const struct fw_change *c = VNET(fw_change);

	return c != NULL ? c->n : VNET(fw_map) != NULL ? VNET(fw_map)->n : 0;
}

static struct fw_rule *
view_rule(uint32_t i)
{
	const struct fw_change *c = VNET(fw_change);

	return c != NULL ? c->entry[i].rule : VNET(fw_map)->rule[i];
}

uint32_t
fw_static_count(void)
{
	return view_count();
}

uint32_t
fw_sets_disabled(void)
{
	const struct fw_change *c = VNET(fw_change);

	return c != NULL ? c->disabled : VNET(fw_map) != NULL ? VNET(fw_map)->disabled : 0;
}

uint16_t
fw_next_number(void)
{
	uint32_t n = view_count(), step = VNET(fw_autoinc_step);
	uint32_t last = n < 2 ? 0 : view_rule(n - 2)->number;

	return (uint16_t)(last < FW_NUMBER_MAX - step ? last + step : last);
}

/* Ids grow, so that of one number the oldest rule is first. When none is left, all get new ones. */
static uint32_t
next_rule_id(const struct fw_change *c)
{
	if (VNET(fw_last_rule_id) == UINT32_MAX) {
		for (uint32_t i = 0; i < c->n; i++)
			c->entry[i].rule->id = i + 1;
		VNET(fw_last_rule_id) = c->n;
	}
	return ++VNET(fw_last_rule_id);
}

/* Index of the first rule with a higher number. */
static uint32_t
change_place(const struct fw_change *c, uint16_t number)
{
	uint32_t lo = 0, hi = c->n - 1;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->entry[mid].rule->number <= number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
change_grow(struct fw_change *c)
{
	uint32_t room = c->room + c->room / 2 + CHANGE_ROOM;
	struct fw_entry *grown;

	if (c->n < c->room)
		return true;
	grown = vnet_malloc(room * sizeof(*grown));
	if (grown == NULL)
		return false;
	memcpy(grown, c->entry, c->n * sizeof(*grown));
	vnet_free(c->entry);
	c->entry = grown;
	c->room = room;
	return true;
}

/* How many lines a rule may log until somebody resets it. */
static uint64_t
rule_log_limit(const struct fw_rule *r)
{
	uint32_t limit = r->log_limited ? r->logamount : VNET(fw_verbose_limit);

	return limit != 0 ? limit : FW_LOG_UNLIMITED;
}

static int
change_add(struct fw_rule *r)
{
	struct fw_change *c = fw_change_open();
	uint32_t at;

	if (c == NULL || !change_grow(c))
		return -ENOMEM;
	if (r->number == FW_NUMBER_MAX || r->set >= FW_SETS)
		return -EINVAL;
	if (r->number == 0)
		r->number = fw_next_number();
	r->id = next_rule_id(c);
	r->count.log_left = rule_log_limit(r);
	r->is_plain = fw_rule_is_plain(r);
	at = change_place(c, r->number);
	memmove(&c->entry[at + 1], &c->entry[at], (c->n - at) * sizeof(*c->entry));
	c->entry[at] = (struct fw_entry){ r, true };
	c->n++;
	c->dirty = true;
	return 0;
}

int
fw_add(struct fw_rule *r)
{
	int error, end;

	fw_change_begin();
	error = change_add(r);
	if (error != 0)
		fw_rule_rele(r);
	end = fw_change_end();
	return error != 0 ? error : end;
}

static bool
is_selected(const struct fw_selection *s, const struct fw_rule *r)
{
	if (s->hi != 0 && (r->number < s->lo || r->number > s->hi))
		return false;
	return s->sets == 0 || s->sets >> r->set & 1;
}

/* The default rule never; those of set 31 only when they are asked for. */
static bool
is_deleted(const struct fw_selection *s, const struct fw_rule *r)
{
	if (r->number == FW_NUMBER_MAX || !is_selected(s, r))
		return false;
	return r->set != FW_SET_RESERVED || s->hi != 0 || s->sets != 0;
}

static int
change_delete(const struct fw_selection *s)
{
	struct fw_change *c = fw_change_open();
	uint32_t kept = 0, gone;

	if (c == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n; i++) {
		if (!is_deleted(s, c->entry[i].rule))
			c->entry[kept++] = c->entry[i];
		else if (c->entry[i].fresh)
			fw_rule_rele(c->entry[i].rule);
	}
	gone = c->n - kept;
	c->n = kept;
	c->dirty = c->dirty || gone > 0;
	return (int)gone;
}

int
fw_delete(const struct fw_selection *s)
{
	int gone, end;

	fw_change_begin();
	gone = change_delete(s);
	end = fw_change_end();
	return end != 0 ? end : gone;
}

int
fw_flush(void)
{
	return fw_delete(&(struct fw_selection){ 0 });
}

/* --- counters, walks ------------------------------------------------------ */

int
fw_foreach(
    const struct fw_selection *s, int (*fn)(struct fw_rule *r, bool enabled, void *ctx), void *ctx)
{
	uint32_t disabled = fw_sets_disabled(), n = view_count();
	int stop = 0;

	for (uint32_t i = 0; i < n && stop == 0; i++) {
		struct fw_rule *r = view_rule(i);

		if (is_selected(s, r))
			stop = fn(r, !(disabled >> r->set & 1), ctx);
	}
	return stop;
}

struct zero_run {
	bool log_only;
	int n;
};

/* Workers add to the counters meanwhile: each field is written at once. */
static int
zero_one(struct fw_rule *r, bool enabled, void *ctx)
{
	struct zero_run *z = ctx;

	(void)enabled;
	z->n++;
	__atomic_store_n(&r->count.log_left, rule_log_limit(r), __ATOMIC_RELAXED);
	if (z->log_only)
		return 0;
	__atomic_store_n(&r->count.packets, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->count.bytes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->count.last_ns, 0, __ATOMIC_RELAXED);
	return 0;
}

int
fw_zero(const struct fw_selection *s, bool log_only)
{
	struct zero_run z = { .log_only = log_only };

	fw_foreach(s, zero_one, &z);
	return z.n;
}

static int
static_count_read(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	snprintf(req->text, req->text_len, "%u", fw_static_count());
	return 0;
}
SYSCTL_PROC(net_inet_ip_fw_static_count, "net.inet.ip.fw.static_count", SYSCTL_RD | SYSCTL_VNET,
    SYSCTL_T_UINT, static_count_read, "rules, the default rule included");

/* --- the stack ends ------------------------------------------------------- */

static void
chain_end(void *arg)
{
	struct fw_map *map = VNET(fw_map);

	(void)arg;
	if (VNET(fw_change) != NULL)
		change_discard(VNET(fw_change));
	VNET(fw_change) = NULL;
	rcu_publish(&VNET(fw_map), NULL);
	if (map == NULL)
		return;
	for (uint32_t i = 0; i < map->n; i++) {
		fw_state_forget(map->rule[i]);
		fw_rule_rele(map->rule[i]);
	}
	rcu_call(&map->rcu, map_free_late);
}
VNET_SYSUNINIT(fw_chain, SI_SUB_FIREWALL, SI_ORDER_SECOND, chain_end, NULL);
