/*
 * check.c - the walk of a packet over the rules, and what each action does to the walk.
 *
 *	fw_walk		from a slot on: the next rule that can match -> meet_rule
 *	meet_rule	is its state known? -> the parent's action; does the rule match? -> its action
 *	act		count, log, tag; then go on, jump, or end with a verdict
 *
 * A packet's state is looked for once, at the first rule that makes or checks states. The classifier
 * names rules whose fields fit the packet; the place where states are looked for may be at another
 * one, which the map knows (state_slot).
 *
 * The walk ends: rules are tried in ascending order, and what may lead backwards (call, return, a
 * state whose parent jumps) does so a limited number of times.
 */
#include "ipfw/check.h"

#include "ipfw/classify.h"
#include "ipfw/match_internal.h"
#include "ipfw/state.h"

#include <string.h>
#include <sys/socket.h>

/* Ways back that one packet may be led; more are passed over as if the stack of calls were full. */
enum { WAYS_BACK_MAX = 200 };
enum { AHEAD = 8 };

VNET_DEFINE(uint32_t, fw_packet_serial);

struct walk {
	const struct fw_map *map;
	struct fw_packet *p;
	struct fw_doer *d;
	struct fw_tracer *t;
	struct fw_verdict *v;
	uint32_t start; /* slot at which it began */
	uint32_t place; /* next slot at which states are looked for; FW_SLOT_NONE */
};

/* --- places where states are looked for ------------------------------------------------------- */

/* The first at slot or behind it, whose set is enabled. */
static uint32_t
next_place(const struct fw_map *map, uint32_t slot)
{
	uint32_t lo = 0, hi = map->n_state_slots;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (map->state_slot[mid] < slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo < map->n_state_slots && !fw_slot_is_enabled(map, map->state_slot[lo]))
		lo++;
	return lo < map->n_state_slots ? map->state_slot[lo] : FW_SLOT_NONE;
}

/* The same for a walk that goes on at slot: none if there is nothing more to look for. */
static void
find_place(struct walk *w, uint32_t slot)
{
	if (w->map->n_state_slots == 0 || (w->p->state_checked && w->map->one_state_name))
		w->place = FW_SLOT_NONE;
	else
		w->place = next_place(w->map, slot);
}

/* A rule that is left to chance looks for states only when it is its turn. */
static bool
chance_is_against(const struct fw_rule *r, struct fw_packet *p)
{
	return r->n_insns > 0 && r->insn[0].op == FW_OP_PROB && !fw_insn_match(&r->insn[0], r, p);
}

/* Where r is in the map. False: it has left it, and *slot is of the first rule behind it. */
static bool
slot_of(const struct fw_map *map, const struct fw_rule *r, uint32_t *slot)
{
	const struct fw_ref ref = { .rule_id = r->id, .number = r->number };
	uint32_t after = fw_map_after(map, &ref);

	if (after + 1 == map->n && map->rule[after] == r)
		*slot = after; /* the default rule has none behind it */
	else if (after > 0 && map->rule[after - 1] == r)
		*slot = after - 1;
	else
		*slot = after;
	return map->rule[*slot] == r;
}

/* Does the action send the packet away, to come back at the rule behind? */
static bool
leads_out(const struct fw_rule *r)
{
	switch ((enum fw_action)r->action) {
	case FW_ACT_PIPE:
	case FW_ACT_QUEUE:
	case FW_ACT_DIVERT:
	case FW_ACT_TEE:
	case FW_ACT_NETGRAPH:
	case FW_ACT_NGTEE:
	case FW_ACT_NAT:
	case FW_ACT_AUTH:
		return true;
	default:
		return false;
	}
}

/*
 * Has the packet been sent out by this state's parent, or passed it, before it came back to where the
 * walk began? The state would send it out for ever.
 */
static bool
is_behind_us(const struct walk *w, const struct fw_rule *parent)
{
	uint32_t slot;

	return w->start > 0 && leads_out(parent) && slot_of(w->map, parent, &slot) &&
	    slot < w->start;
}

/* The parent of the packet's state, if r is a place to look for it and nobody has before. */
static struct fw_rule *
state_at(struct walk *w, const struct fw_rule *r)
{
	const char *name = fw_rule_state_name(r);
	struct fw_packet *p = w->p;
	struct fw_rule *parent;

	if (p->state_checked &&
	    (strcmp(p->state_name, "any") == 0 || strcmp(p->state_name, name) == 0))
		return NULL;
	if (chance_is_against(r, p) || p->called >= WAYS_BACK_MAX)
		return NULL;
	p->state_checked = true;
	p->state_name = name;
	parent = fw_state_hit(p, name);
	return parent == NULL || is_behind_us(w, parent) ? NULL : parent;
}

/* --- actions ---------------------------------------------------------------------------------- */

static inline void
count_match(struct fw_rule *r, const struct fw_packet *p)
{
	if (!p->dry)
		fw_rule_count(r, 1, fw_packet_bytes(p), clock_epoch_ns() + clock_now());
}

/* False: the packet has been taken. */
static bool
do_effect(struct walk *w, uint8_t action, uint32_t arg, uint32_t slot, const struct fw_rule *r)
{
	const struct fw_effect e = { action, arg, slot, r };

	if (w->d == NULL || w->d->effect == NULL)
		return true;
	w->d->effect(w->d, w->map, &e, w->p);
	return w->p->m != NULL;
}

/* What comes with any action. False: the packet has been taken. */
static bool
do_parameters(struct walk *w, uint32_t slot, struct fw_rule *r, uint32_t arg)
{
	if (r->log && w->d != NULL && w->d->log != NULL)
		w->d->log(w->d, w->map, r, arg, w->p);
	if (r->altq[0] != '\0' && w->v->altq == NULL)
		w->v->altq = r->altq;
	if ((r->tag != 0 || r->tag_by_tablearg) &&
	    !do_effect(w, FW_EFFECT_TAG, r->tag_by_tablearg ? w->p->tablearg : r->tag, slot, r))
		return false;
	return (r->untag == 0 && !r->untag_by_tablearg) ||
	    do_effect(
		w, FW_EFFECT_UNTAG, r->untag_by_tablearg ? w->p->tablearg : r->untag, slot, r);
}

/* The search ends here. */
static uint32_t
end_with(struct walk *w, uint8_t action, uint32_t slot, struct fw_rule *r, uint32_t arg)
{
	w->v->action = action;
	w->v->arg = arg;
	w->v->slot = slot;
	w->v->rule = r;
	return FW_SLOT_NONE;
}

static uint32_t
end_refused(struct walk *w, uint32_t slot, struct fw_rule *r, const char *why)
{
	w->v->why = why;
	return end_with(w, FW_ACT_DENY, slot, r, 0);
}

/*
 * A next hop for the packet, of its own family; what is met from the other side of its state goes
 * back to who began, which is not there.
 */
static uint32_t
end_with_forward(struct walk *w, uint32_t slot, struct fw_rule *r, bool by_state)
{
	const struct fw_packet *p = w->p;
	struct fw_verdict *v = w->v;

	v->fwd_port = r->fwd_port;
	v->fwd_family = r->fwd_family;
	v->fwd_addr = r->fwd_addr;
	if (r->fwd_family == 0 && p->has_tablearg && !in6_is_any(&p->tablearg_addr)) {
		v->fwd_family = AF_INET6;
		v->fwd_addr = p->tablearg_addr;
	} else if (r->fwd_family == 0 && p->has_tablearg && p->tablearg != 0) {
		v->fwd_family = AF_INET;
		store32(v->fwd_addr.b, __builtin_bswap32(p->tablearg));
	}
	if (v->fwd_family != (p->ip == 4 ? AF_INET : AF_INET6) || (by_state && p->state_reverse))
		v->fwd_family = 0;
	return end_with(w, FW_ACT_FWD, slot, r, 0);
}

static uint32_t
jump(struct walk *w, uint32_t slot, const struct fw_rule *r, uint32_t number)
{
	if (w->map->rule[slot] == r)
		return fw_map_jump(w->map, slot, number);
	/* the parent of a state has left the map meanwhile */
	return fw_map_find(w->map, fw_jump_number(r, number));
}

/* A call that finds the stack full, or leads on and on, is passed over. */
static uint32_t
call(struct walk *w, uint32_t slot, const struct fw_rule *r, uint32_t number)
{
	struct fw_packet *p = w->p;

	if (p->calls == FW_CALL_DEPTH || p->called >= WAYS_BACK_MAX)
		return slot + 1;
	p->called++;
	p->call[p->calls++] = r->number;
	return jump(w, slot, r, number);
}

/* To the first rule behind the number that called. */
static uint32_t
call_return(struct walk *w, uint32_t slot)
{
	struct fw_packet *p = w->p;
	uint16_t number;

	if (p->calls == 0)
		return slot + 1;
	number = p->call[--p->calls];
	return fw_map_find(w->map, fw_number_behind(number));
}

/* Is it an action that this packet has no use for: then the rule doesn't match? */
static bool
is_pointless(const struct fw_rule *r, const struct fw_packet *p)
{
	return r->action == FW_ACT_CHECK_STATE || (r->action == FW_ACT_FWD && p->l3 != 0);
}

/*
 * The action of r, which is in the slot (or was, just before it). Returns where the walk goes on,
 * FW_SLOT_NONE: nowhere.
 */
static uint32_t
act(struct walk *w, uint32_t slot, struct fw_rule *r, bool by_state)
{
	uint32_t next = slot + (w->map->rule[slot] == r);
	uint32_t arg = r->by_tablearg ? w->p->tablearg : r->arg;

	if (is_pointless(r, w->p))
		return next;
	if (!by_state) /* else the state has counted */
		count_match(r, w->p);
	if (!do_parameters(w, slot, r, arg))
		return end_refused(w, slot, r, "no memory");
	switch ((enum fw_action)r->action) {
	case FW_ACT_COUNT:
		return next;
	case FW_ACT_SKIPTO:
		return jump(w, slot, r, arg);
	case FW_ACT_CALL:
		return call(w, slot, r, arg);
	case FW_ACT_RETURN:
		return call_return(w, slot);
	case FW_ACT_TEE:
	case FW_ACT_NGTEE:
	case FW_ACT_SETFIB:
	case FW_ACT_SETDSCP:
	case FW_ACT_TCP_SETMSS:
		return do_effect(w, r->action, arg, slot, r) ? next :
							       end_refused(w, slot, r, "no memory");
	case FW_ACT_REASS:
		if (w->p->ip != 4 || !w->p->fragment)
			return next;
		return end_with(w, r->action, slot, r, arg);
	case FW_ACT_FWD:
		return end_with_forward(w, slot, r, by_state);
	default:
		return end_with(w, r->action, slot, r, arg);
	}
}

bool
fw_rule_is_plain(const struct fw_rule *r)
{
	if (r->action != FW_ACT_ALLOW && r->action != FW_ACT_DENY)
		return false;
	for (const struct fw_insn *i = r->insn; i < r->insn + r->n_insns; i++)
		if (i->op == FW_OP_PROB || i->op == FW_OP_KEEP_STATE || i->op == FW_OP_LIMIT ||
		    i->op == FW_OP_DEFER)
			return false;
	return !r->log && r->altq[0] == '\0' && r->tag == 0 && !r->tag_by_tablearg &&
	    r->untag == 0 && !r->untag_by_tablearg && !r->by_tablearg;
}

/* --- rules ------------------------------------------------------------------------------------ */

static void
trace(struct walk *w, uint32_t slot, struct fw_rule *r, enum fw_match match)
{
	const struct fw_insn *failed = match == FW_NO ? fw_rule_failed(r, w->p) : NULL;

	w->t->met(w->t, w->map, slot, w->p, match, failed);
}

static void
trace_state(struct walk *w, uint32_t slot, const struct fw_rule *parent)
{
	if (w->t != NULL && w->t->state != NULL)
		w->t->state(w->t, w->map, slot, w->p, parent);
}

/* A state that is known takes the walk over: the action is its parent's. */
static uint32_t
act_by_state(struct walk *w, struct fw_rule *parent)
{
	uint32_t slot;

	slot_of(w->map, parent, &slot);
	w->p->called++;
	w->p->has_tablearg = false;
	w->p->tablearg = 0;
	w->v->by_state = true;
	slot = act(w, slot, parent, true);
	if (slot != FW_SLOT_NONE)
		w->v->by_state = false;
	return slot;
}

/* The rule in an enabled slot; returns where the walk goes on. */
static inline uint32_t
meet_rule(struct walk *w, uint32_t slot, bool decided)
{
	struct fw_rule *r = w->map->rule[slot], *parent;
	enum fw_match match;

	if (__builtin_expect(slot == w->place, 0)) {
		parent = state_at(w, r);
		if (parent != NULL) {
			trace_state(w, slot, parent);
			return act_by_state(w, parent);
		}
	}
	if (decided) {
		w->p->has_tablearg = false;
		w->p->tablearg = 0;
	}
	match = decided ? FW_YES : fw_rule_match(r, w->p);
	if (__builtin_expect(w->t != NULL, 0))
		trace(w, slot, r, match);
	if (match == FW_YES)
		return act(w, slot, r, false);
	return match == FW_REFUSE ? end_refused(w, slot, r, "no room for a state") : slot + 1;
}

/* The next slot at which there is something to do, a candidate or a place of states. */
static inline uint32_t
next_slot(struct walk *w, uint32_t slot, struct fw_candidates *k, bool *decided)
{
	*decided = false;
	if (k != NULL)
		slot = fw_candidate(k, slot, decided);
	if (__builtin_expect(w->place < slot, 0)) {
		*decided = false;
		return w->place;
	}
	return slot;
}

/* The first slot from this one on whose rule has to be asked in full: in a walk over all rules. */
static inline uint32_t
pass_over(const struct walk *w, uint32_t slot)
{
	const uint32_t last = w->map->n - 1, end = w->place < last ? w->place : last;

	for (; slot < end && fw_rule_plainly_fails(w->map->rule[slot], w->p); slot++)
		/* rules ahead, when there are more than fit the caches (8.1 -> 5.0 ns at 10,000) */
		__builtin_prefetch(
		    &w->map->rule[slot + AHEAD <= last ? slot + AHEAD : last]->number);
	return slot;
}

void
fw_walk(const struct fw_map *map, struct fw_packet *p, uint32_t slot, struct fw_candidates *k,
    struct fw_doer *d, struct fw_tracer *t, struct fw_verdict *v)
{
	struct walk w = { .map = map, .p = p, .d = d, .t = t, .v = v, .start = slot };
	bool decided;

	clock_at(p->m->when_ns);
	*v = (struct fw_verdict){ 0 };
	if (p->serial == 0)
		p->serial = p->dry ? VNET(fw_packet_serial) + 1 : ++VNET(fw_packet_serial);
	find_place(&w, slot);
	while (slot != FW_SLOT_NONE) {
		const uint32_t from = k == NULL && t == NULL ? pass_over(&w, slot) : slot;
		const uint32_t at = next_slot(&w, from, k, &decided);

		slot = fw_slot_is_enabled(map, at) ? meet_rule(&w, at, decided) : at + 1;
		if (__builtin_expect(map->n_state_slots != 0, 0) && slot != at + 1 &&
		    slot != FW_SLOT_NONE)
			find_place(&w, slot); /* a jump, forwards or backwards */
		else if (__builtin_expect(at == w.place, 0))
			find_place(&w, slot);
	}
}

void
fw_check(const struct fw_map *map, struct fw_packet *p, uint32_t slot, struct fw_doer *d,
    struct fw_tracer *t, struct fw_verdict *v)
{
	const struct fw_packet *one = p;
	struct fw_candidates k;

	if (map->classifier == NULL || t != NULL) {
		fw_walk(map, p, slot, NULL, d, t, v);
		return;
	}
	fw_classify(map->classifier, &one, 1, &k);
	fw_walk(map, p, slot, &k, d, NULL, v);
}
