/*
 * state.c - what a packet does with dynamic rules.
 *
 *	check-state, keep-state, limit -> fw_state_hit		one look-up, either direction
 *	a keep-state or limit that matched -> fw_state_add	limit: counted by a parent
 *
 * A parent stands for what a limit tells apart (one source address, say) and counts the states that
 * were made for it. It is found by its key when one of them ends, so nobody points to it.
 *
 * An echo's identifier stands for the port of both ends: two hosts behind NAT that ping a third are
 * two flows. Fragments behind the first have no ports: their flow is that of ports 0, as is that of
 * protocols that have none. ICMP errors are no packets of the flow that they quote.
 */
#include "ipfw/state_lookup.h"

#include "base/log.h"
#include "ipfw/check.h"
#include "kern/sysctl.h"
#include "kern/vnet.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE_STATIC(uint32_t, dyn_max) = 4096;
SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_max, "net.inet.ip.fw.dyn_max", SYSCTL_RW, dyn_max, 0,
    16 * 1024 * 1024, "dynamic rules at most; beyond, a packet that would make one is dropped");

/* Warnings come once a second; time of the next one. */
VNET_DEFINE_STATIC(uint64_t, dyn_warn_ns);

static bool
may_warn(void)
{
	if (clock_now() < VNET(dyn_warn_ns))
		return false;
	VNET(dyn_warn_ns) = clock_now() + NS_PER_SEC;
	return true;
}

/* --- keys ---------------------------------------------------------------------------------- */

static inline uint64_t
word_of(uint16_t first_port, uint16_t second_port, uint8_t proto, unsigned kind)
{
	return (uint64_t)kind << STATE_KIND_SHIFT | (uint64_t)proto << STATE_PROTO_SHIFT |
	    (uint64_t)second_port << 16 | first_port;
}

/* Of what has neither port nor identifier 0; nothing has both. */
static inline uint16_t
from_port(const struct fw_packet *p)
{
	return p->sport | p->echo_id;
}

static inline uint16_t
to_port(const struct fw_packet *p)
{
	return p->dport | p->echo_id;
}

/* Both ends in order, without a branch: which way a packet goes can't be foretold. */
static inline void
key4(struct state_key *k, const struct fw_packet *p)
{
	const uint64_t from = (uint64_t)p->src << 16 | from_port(p);
	const uint64_t to = (uint64_t)p->dst << 16 | to_port(p);
	const uint64_t low = from < to ? from : to, high = from < to ? to : from;

	k->swapped = from > to;
	k->addr4 = low >> 16 << 32 | high >> 16;
	k->word = word_of((uint16_t)low, (uint16_t)high, p->proto, 0);
}

static inline void
key6(struct state_key *k, const struct fw_packet *p)
{
	const int order = memcmp(&p->src6, &p->dst6, sizeof(p->src6));

	k->swapped = order > 0 || (order == 0 && from_port(p) > to_port(p));
	k->addr4 = 0;
	k->addr6[k->swapped] = p->src6;
	k->addr6[!k->swapped] = p->dst6;
	k->word = k->swapped ? word_of(to_port(p), from_port(p), p->proto, STATE_V6) :
			       word_of(from_port(p), to_port(p), p->proto, STATE_V6);
}

/* False: not IP, so no flow. */
static inline bool
key_of(struct state_key *k, const struct fw_packet *p)
{
	if (p->ip == 4)
		key4(k, p);
	else if (p->ip == 6)
		key6(k, p);
	else
		return false;
	return true;
}

void
state_flow_of(const struct fw_state *s, struct state_flow *f)
{
	const int began = s->swapped;

	*f = (struct state_flow){ .v6 = state_is_v6(s), .proto = state_proto(s), .fib = s->fib };
	f->port[began] = (uint16_t)s->word;
	f->port[!began] = (uint16_t)(s->word >> 16);
	f->addr4[began] = (uint32_t)(s->addr4 >> 32);
	f->addr4[!began] = (uint32_t)s->addr4;
	f->addr6[began] = s->addr6[0];
	f->addr6[!began] = s->addr6[1];
}

/* What a limit with this mask tells apart of a flow. */
static void
parent_key(struct state_key *k, const struct state_flow *f, unsigned mask)
{
	const uint32_t src = mask & FW_LIMIT_SRC_ADDR ? f->addr4[0] : 0;
	const uint32_t dst = mask & FW_LIMIT_DST_ADDR ? f->addr4[1] : 0;

	*k = (struct state_key){ .addr4 = (uint64_t)src << 32 | dst };
	if (f->v6 && (mask & FW_LIMIT_SRC_ADDR))
		k->addr6[0] = f->addr6[0];
	if (f->v6 && (mask & FW_LIMIT_DST_ADDR))
		k->addr6[1] = f->addr6[1];
	k->word = word_of(mask & FW_LIMIT_SRC_PORT ? f->port[0] : 0,
	    mask & FW_LIMIT_DST_PORT ? f->port[1] : 0, f->proto,
	    STATE_PARENT | (f->v6 ? STATE_V6 : 0));
}

/* --- a hit --------------------------------------------------------------------------------- */

static inline void
count_packet(struct fw_state *s, const struct fw_packet *p)
{
	s->packets++;
	s->bytes += p->ip_len;
}

/* p is a packet of s: what both count, and who made s. */
static inline struct fw_rule *
hit(struct fw_states *t, struct fw_state *s, struct fw_packet *p, bool swapped, uint32_t now_ms)
{
	struct fw_rule *r = s->rule;

	p->state_reverse = swapped != s->swapped;
	if (p->dry)
		return r;
	count_packet(s, p);
	state_prolong(t, s, p, p->state_reverse, now_ms);
	fw_rule_count(r, 1, p->ip_len, t->epoch_ns + clock_now());
	return r;
}

/* Looked for in the table; NULL. */
static __attribute__((noinline)) struct fw_rule *
hit_in_table(struct fw_states *t, struct fw_packet *p, const char *name, uint32_t now_ms)
{
	struct fw_state *s = p->state_guess;
	struct state_wanted wanted;
	struct state_key k;
	int id = 0;

	if (!key_of(&k, p))
		return NULL;
	if (name[0] != '\0' && (id = state_name(t, name, false)) < 0)
		return NULL;
	wanted = state_want(&k, id, now_ms);
	if ((s == NULL || !state_is_it(s, &wanted)) && (s = state_find(t, &wanted)) == NULL)
		return NULL;
	return hit(t, s, p, k.swapped, now_ms);
}

/* Nearly always the guess is right, and the key needs no memory to be compared with it. */
struct fw_rule *
fw_state_hit(struct fw_packet *p, const char *name)
{
	struct fw_states *t = rcu_deref(&V_fw_states);
	const uint32_t now_ms = state_now_ms();
	struct fw_state *s = p->state_guess;
	struct state_key k;

	if (t == NULL)
		return NULL;
	if (s != NULL && p->ip == 4 && name[0] == '\0') {
		key4(&k, p);
		if (((s->word ^ k.word) | (s->addr4 ^ k.addr4)) == 0 && state_is_live(s, now_ms))
			return hit(t, s, p, k.swapped, now_ms);
	}
	return hit_in_table(t, p, name, now_ms);
}

uint64_t
fw_state_left_ns(const struct fw_packet *p, const char *name)
{
	struct fw_states *t = rcu_deref(&V_fw_states);
	const uint32_t now_ms = state_now_ms();
	const struct fw_state *s = NULL;
	struct state_wanted wanted;
	struct state_key k;
	int id = 0;

	if (t == NULL || !key_of(&k, p))
		return 0;
	if (name[0] == '\0' || (id = state_name(t, name, false)) >= 0) {
		wanted = state_want(&k, id, now_ms);
		s = state_find(t, &wanted);
	}
	return s == NULL ? 0 : (uint64_t)(s->expire_ms - now_ms) * NS_PER_MS;
}

void
fw_state_prefetch(struct fw_packet *p, uint32_t n)
{
	const struct fw_states *t = rcu_deref(&V_fw_states);
	const struct state_bucket *bucket[BATCH_MAX];
	uint64_t hash[BATCH_MAX];

	if (t == NULL)
		return;
	if (n > BATCH_MAX)
		n = BATCH_MAX;
	for (uint32_t i = 0; i < n; i++) {
		struct state_key k;

		bucket[i] = NULL;
		if (__builtin_expect(p[i].ip == 4, 1)) {
			key4(&k, &p[i]);
			hash[i] = state_hash_of(t, k.word, k.addr4, NULL);
		} else if (key_of(&k, &p[i])) {
			hash[i] = state_hash(t, &k);
		} else {
			continue;
		}
		bucket[i] = state_bucket(t, hash[i]);
		__builtin_prefetch(bucket[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (bucket[i] == NULL)
			continue;
		p[i].state_guess = state_guess(bucket[i], hash[i]);
		__builtin_prefetch(p[i].state_guess, 1);
	}
}

/* --- a new state --------------------------------------------------------------------------- */

static int
refuse_full(const struct fw_packet *p)
{
	if (!p->dry && may_warn())
		log_msg(LOG_LVL_WARNING,
		    "ipfw: too many dynamic rules: %u (net.inet.ip.fw.dyn_max)", VNET(dyn_max));
	return -ENOSPC;
}

static int
refuse_limit(const struct fw_rule *r, uint32_t max, const struct fw_packet *p)
{
	if (!p->dry && may_warn())
		log_msg(LOG_LVL_NOTICE, "ipfw: rule %u: too many entries: the limit is %u",
		    r->number, max);
	return -EDQUOT;
}

/* A new state of r and its first packet. NULL without memory. */
static struct fw_state *
add_flow(struct fw_states *t, const struct state_key *k, struct fw_rule *r, uint8_t limit,
    const struct fw_packet *p)
{
	struct fw_state *s = state_make(t, k, r);

	if (s == NULL)
		return NULL;
	s->limit = limit;
	s->fib = p->m != NULL ? p->m->fib : 0;
	count_packet(s, p);
	state_prolong(t, s, p, false, state_now_ms());
	state_watch(t, s);
	return s;
}

static int
add_limited(struct fw_states *t, const struct state_key *k, struct fw_rule *r,
    const struct fw_insn *insn, const struct fw_packet *p)
{
	const struct fw_limit *l = insn->u.limit;
	const uint32_t max = insn->flags & FW_TABLEARG ? p->tablearg : l->max;
	const struct state_flow flow = {
		.v6 = p->ip == 6,
		.proto = p->proto,
		.port = { from_port(p), to_port(p) },
		.addr4 = { p->src, p->dst },
		.addr6 = { p->src6, p->dst6 },
	};
	struct state_key parents;
	struct fw_state *parent;

	parent_key(&parents, &flow, l->mask);
	parent = state_find_parent(t, &parents, r);
	if ((parent != NULL ? parent->children : 0) >= max)
		return refuse_limit(r, max, p);
	if (parent == NULL && t->count + 1 >= VNET(dyn_max))
		return refuse_full(p);
	if (p->dry)
		return 0;
	if (parent == NULL) {
		if ((parent = state_make(t, &parents, r)) == NULL)
			return -ENOMEM;
		state_prolong_parent(t, parent);
		state_watch(t, parent);
	}
	if (add_flow(t, k, r, l->mask, p) == NULL)
		return -ENOMEM;
	parent->children++;
	state_prolong_parent(t, parent);
	return 0;
}

void
state_leave_parent(struct fw_states *t, const struct fw_state *s)
{
	struct state_flow flow;
	struct state_key parents;
	struct fw_state *parent;

	if (s->limit == 0)
		return;
	state_flow_of(s, &flow);
	parent_key(&parents, &flow, s->limit);
	parent = state_find_parent(t, &parents, s->rule);
	if (parent != NULL && --parent->children == 0)
		state_prolong_parent(t, parent);
}

int
fw_state_add(struct fw_rule *r, const struct fw_insn *insn, struct fw_packet *p)
{
	struct state_wanted wanted;
	struct fw_states *t;
	struct state_key k;
	int name;

	if (!key_of(&k, p))
		return -EINVAL;
	if ((t = state_table()) == NULL)
		return -ENOMEM;
	if ((name = state_name(t, insn->u.limit->name, !p->dry)) < 0)
		return p->dry ? 0 : name;
	wanted = state_want(&k, name, state_now_ms());
	if (state_find(t, &wanted) != NULL)
		return 0;
	if (t->count >= VNET(dyn_max))
		return refuse_full(p);
	k.word |= (uint64_t)name << STATE_NAME_SHIFT;
	if (insn->op == FW_OP_LIMIT)
		return add_limited(t, &k, r, insn, p);
	if (p->dry)
		return 0;
	return add_flow(t, &k, r, 0, p) != NULL ? 0 : -ENOMEM;
}
