/*
 * check_batch.c - several packets meet the rules: what each can match is looked up for all of them at
 * once (classify.h), then each goes its way in order.
 *
 * Nearly every packet's way is short: the first rule that can match it does, lets it pass or drops it,
 * and that is all. Such packets need no walk (fw_walk).
 */
#include "ipfw/check.h"
#include "ipfw/classify.h"
#include "ipfw/state.h"

/* As many as a batch of packets has; more go in several turns. */
enum { TOGETHER = 64 };

/* --- the first rule --------------------------------------------------------------------------- */

/*
 * Does it alone say what becomes of the packet? Firewalls often begin with one for most of the traffic:
 * what comes from inside, or goes out, or by way of lo0. Trying it costs a tenth of a look-up; if it
 * asks for nothing but the way, packets that go the same way get the same answer.
 */
struct first_rule {
	const struct fw_rule *rule;
	bool may_end, asks_way;
	bool ends;                     /* the answer to … */
	const struct fw_packet *asked; /* … this packet; NULL = to none yet */
};

static bool
asks_for_way_alone(const struct fw_rule *r)
{
	for (const struct fw_insn *i = r->insn; i < r->insn + r->n_insns; i++)
		if (i->op != FW_OP_IN && i->op != FW_OP_LAYER2 && i->op != FW_OP_RECV &&
		    i->op != FW_OP_XMIT && i->op != FW_OP_VIA)
			return false;
	return true;
}

static struct first_rule
first_rule_of(const struct fw_map *map)
{
	const struct fw_rule *r = map->rule[0];

	return (struct first_rule){ .rule = r,
		.may_end = (r->action == FW_ACT_ALLOW || r->action == FW_ACT_DENY) &&
		    fw_slot_is_enabled(map, 0),
		.asks_way = asks_for_way_alone(r) };
}

static inline bool
goes_same_way(const struct fw_packet *a, const struct fw_packet *b)
{
	return a->recv == b->recv && a->xmit == b->xmit && a->in == b->in && a->layer2 == b->layer2;
}

static inline bool
first_rule_ends(struct first_rule *f, struct fw_packet *p)
{
	if (!f->may_end)
		return false;
	if (f->asks_way && f->asked != NULL && goes_same_way(f->asked, p))
		return f->ends;
	f->asked = p;
	f->ends = fw_rule_failed(f->rule, p) == NULL;
	return f->ends;
}

/* --- packets together ------------------------------------------------------------------------- */

/* What holds for all packets of a turn. */
struct turn {
	const struct fw_map *map;
	struct fw_doer *d;
	uint32_t place;   /* the first slot at which states are looked for */
	uint32_t *serial; /* of packets */
	/* the time since 1970 that clock 0 stands for; of packets in virtual time, or now */
	uint64_t epoch_ns, now_ns;
	bool is_virtual;
};

static struct turn
turn_begin(const struct fw_map *map, struct fw_doer *d)
{
	return (struct turn){ .map = map,
		.d = d,
		.place = map->n_state_slots > 0 ? map->state_slot[0] : FW_SLOT_NONE,
		.serial = &VNET(fw_packet_serial),
		.epoch_ns = clock_epoch_ns(),
		.now_ns = clock_now(),
		.is_virtual = curworker->mode == CLOCK_VIRTUAL };
}

static inline uint64_t
time_of(const struct turn *t, const struct fw_packet *p)
{
	return t->epoch_ns + (t->is_virtual ? p->m->when_ns : t->now_ns);
}

/* Does a packet that matches the rule in the slot need no walk? */
static inline bool
is_plain(const struct turn *t, uint32_t slot)
{
	return t->map->rule[slot]->is_plain && slot < t->place && fw_slot_is_enabled(t->map, slot);
}

/* What fw_walk does, of this case alone; but for counting. */
static inline void
end_plainly(const struct turn *t, struct fw_packet *p, uint32_t slot, struct fw_verdict *v)
{
	struct fw_rule *r = t->map->rule[slot];

	if (p->serial == 0)
		p->serial = ++*t->serial;
	*v = (struct fw_verdict){ .action = r->action, .arg = r->arg, .slot = slot, .rule = r };
}

/* The slot is the first of which the rule can match, or `decided` that it does; k: as of fw_walk. */
static inline void
check_one(const struct turn *t, struct fw_packet *p, uint32_t slot, bool decided,
    struct fw_candidates *k, struct fw_verdict *v)
{
	if (decided && is_plain(t, slot) && !p->dry) {
		fw_rule_count(t->map->rule[slot], 1, fw_packet_bytes(p), time_of(t, p));
		end_plainly(t, p, slot, v);
	} else {
		fw_walk(t->map, p, 0, k, t->d, NULL, v);
	}
}

/* All of them match the first rule, and it is plain. */
static void
end_together(const struct turn *t, struct fw_packet *p, uint32_t n, struct fw_verdict *v)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		bytes += fw_packet_bytes(&p[i]);
		end_plainly(t, &p[i], 0, &v[i]);
	}
	fw_rule_count(t->map->rule[0], n, bytes, time_of(t, &p[n - 1]));
}

static void
check_together(const struct turn *t, struct fw_packet *p, uint32_t n, struct fw_verdict *v)
{
	struct first_rule first = first_rule_of(t->map);
	const struct fw_packet *each[TOGETHER];
	struct fw_candidates k[TOGETHER], *next = k;
	uint64_t ended = 0;
	uint32_t asked = 0;
	bool dry = false;

	for (uint32_t i = 0; i < n; i++) {
		dry |= p[i].dry;
		if (first_rule_ends(&first, &p[i]))
			ended |= UINT64_C(1) << i;
		else
			each[asked++] = &p[i];
	}
	if (asked == 0 && is_plain(t, 0) && !dry) {
		end_together(t, p, n, v);
		return;
	}
	fw_classify(t->map->classifier, each, asked, k);
	for (uint32_t i = 0; i < n; i++) {
		bool decided = true;
		uint32_t slot = ended >> i & 1 ? 0 : fw_candidate(next, 0, &decided);

		check_one(t, &p[i], slot, decided, ended >> i & 1 ? NULL : next++, &v[i]);
	}
}

void
fw_check_batch(const struct fw_map *map, struct fw_packet *p, uint32_t n, struct fw_doer *d,
    struct fw_verdict *v)
{
	const uint64_t last_ns = n > 0 ? p[n - 1].m->when_ns : clock_now();
	struct turn turn;

	if (map->has_states)
		fw_state_prefetch(p, n);
	if (map->classifier == NULL) {
		for (uint32_t i = 0; i < n; i++)
			fw_walk(map, &p[i], 0, NULL, d, NULL, &v[i]);
		return;
	}
	turn = turn_begin(map, d);
	for (uint32_t i = 0; i < n; i += TOGETHER)
		check_together(&turn, p + i, n - i < TOGETHER ? n - i : TOGETHER, v + i);
	clock_at(last_ns);
}
