/*
 * Dynamic rules against a slow, obvious list: random packets of random flows, random pauses, rules
 * that go. What is found, what is refused and how many there are must be the same at every step.
 */
#include "fw_fixture.h"

#include "base/rng.h"

enum { FLOWS = 48, RULES = 6, STEPS = 60000, STATES_MAX = 400, PARENTS_MAX = 64 };
enum { MAX = 60, SHORT_MS = 5000 };

/* A flow between ends 0 and 1. */
struct flow {
	const char *addr[2];
	uint16_t port[2];
	uint8_t proto;
};
static struct flow flows[FLOWS];
static struct fw_rule *rules[RULES];
static const struct {
	unsigned mask;
	uint32_t max;
	const char *name;
} kinds[RULES] = {
	{ 0, 0, "" },
	{ 0, 0, "" },
	{ 0, 0, "A" },
	{ FW_LIMIT_SRC_ADDR, 3, "" },
	{ FW_LIMIT_DST_ADDR | FW_LIMIT_DST_PORT, 2, "A" },
	{ FW_LIMIT_SRC_PORT, 1, "" },
};

/* --- the reference ------------------------------------------------------------------------- */

struct slow_state {
	unsigned flow, began, rule;
	const char *name;
	int64_t expire_ms;
	unsigned flags[2];
	uint32_t ack[2];
};
static struct slow_state slow[STATES_MAX];
static unsigned n_slow;

struct slow_parent {
	unsigned rule, flow, began; /* of the first child */
	int64_t empty_ms;           /* since when it has none */
	bool has_children;
};
static struct slow_parent parents[PARENTS_MAX];
static unsigned n_parents;

static int64_t
now_ms(void)
{
	return (int64_t)(clock_now() / NS_PER_MS);
}

/* The wheel comes by at whole seconds. */
static int64_t
gone_ms(int64_t expire_ms)
{
	return (expire_ms + 999) / 1000 * 1000;
}

/* Has the limit of this rule one parent for both? */
static bool
same_parent(unsigned rule, unsigned f, unsigned f_began, unsigned g, unsigned g_began)
{
	const struct flow *a = &flows[f], *b = &flows[g];
	const unsigned mask = kinds[rule].mask;

	if (a->proto != b->proto ||
	    (strchr(a->addr[0], ':') == NULL) != (strchr(b->addr[0], ':') == NULL))
		return false;
	return (!(mask & FW_LIMIT_SRC_ADDR) || strcmp(a->addr[f_began], b->addr[g_began]) == 0) &&
	    (!(mask & FW_LIMIT_DST_ADDR) || strcmp(a->addr[!f_began], b->addr[!g_began]) == 0) &&
	    (!(mask & FW_LIMIT_SRC_PORT) || a->port[f_began] == b->port[g_began]) &&
	    (!(mask & FW_LIMIT_DST_PORT) || a->port[!f_began] == b->port[!g_began]);
}

static unsigned
children_of(unsigned rule, unsigned flow, unsigned began)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_slow; i++)
		n += slow[i].rule == rule &&
		    same_parent(rule, slow[i].flow, slow[i].began, flow, began);
	return n;
}

/* Time has come to now: what the wheel has taken, and when. */
static void
slow_expire(void)
{
	const int64_t now = now_ms();
	int64_t latest;

	for (unsigned p = 0; p < n_parents; p++) {
		struct slow_parent *parent = &parents[p];
		bool left = false;

		latest = 0;
		for (unsigned i = 0; i < n_slow; i++) {
			if (slow[i].rule != parent->rule ||
			    !same_parent(parent->rule, slow[i].flow, slow[i].began, parent->flow,
				parent->began))
				continue;
			left |= gone_ms(slow[i].expire_ms) >= now;
			if (gone_ms(slow[i].expire_ms) > latest)
				latest = gone_ms(slow[i].expire_ms);
		}
		if (parent->has_children && !left) {
			parent->has_children = false;
			parent->empty_ms = latest;
		}
	}
	for (unsigned p = 0; p < n_parents;)
		if (!parents[p].has_children && gone_ms(parents[p].empty_ms + SHORT_MS) < now)
			parents[p] = parents[--n_parents];
		else
			p++;
	for (unsigned i = 0; i < n_slow;)
		if (gone_ms(slow[i].expire_ms) < now)
			slow[i] = slow[--n_slow];
		else
			i++;
}

static void
slow_prolong(struct slow_state *s, unsigned from, unsigned flags, uint32_t ack)
{
	const unsigned back = from != s->began;
	unsigned fin, syn, rst;

	if (flows[s->flow].proto != 6) {
		s->expire_ms = now_ms() + (flows[s->flow].proto == 17 ? 10000 : 5000);
		return;
	}
	s->flags[back] |= flags;
	fin = (s->flags[0] & FIN ? 1 : 0) + (s->flags[1] & FIN ? 1 : 0);
	syn = (s->flags[0] & SYN ? 1 : 0) + (s->flags[1] & SYN ? 1 : 0);
	rst = (s->flags[0] | s->flags[1]) & RST;
	if (!rst && syn == 2 && fin < 2) {
		if (!(flags & ACK) || (s->ack[back] != 0 && (int32_t)(ack - s->ack[back]) < 0))
			return;
		s->ack[back] = ack;
		s->expire_ms = now_ms() + 300000;
	} else if (!rst && syn == 1 && (s->flags[0] & SYN) && fin == 0) {
		s->expire_ms = now_ms() + 20000;
	} else {
		s->expire_ms = now_ms() + 1000;
	}
}

static struct slow_state *
slow_find(unsigned flow, const char *name)
{
	for (unsigned i = 0; i < n_slow; i++)
		if (slow[i].flow == flow && slow[i].expire_ms > now_ms() &&
		    strcmp(slow[i].name, name) == 0)
			return &slow[i];
	return NULL;
}

static int
slow_add(unsigned rule, unsigned flow, unsigned from, unsigned flags, uint32_t ack)
{
	const bool limited = kinds[rule].mask != 0;
	bool has_parent = false;

	if (n_slow + n_parents >= MAX)
		return -ENOSPC;
	if (limited && children_of(rule, flow, from) >= kinds[rule].max)
		return -EDQUOT;
	for (unsigned p = 0; limited && p < n_parents; p++)
		if (parents[p].rule == rule &&
		    same_parent(rule, parents[p].flow, parents[p].began, flow, from)) {
			parents[p].has_children = true;
			has_parent = true;
		}
	if (limited && !has_parent) {
		if (n_slow + n_parents + 1 >= MAX)
			return -ENOSPC;
		parents[n_parents++] = (struct slow_parent){
			.rule = rule, .flow = flow, .began = from, .has_children = true
		};
	}
	slow[n_slow] = (struct slow_state){
		.flow = flow, .began = from, .rule = rule, .name = kinds[rule].name
	};
	slow_prolong(&slow[n_slow++], from, flags, ack);
	return 0;
}

static void
slow_forget(unsigned rule)
{
	for (unsigned i = 0; i < n_slow;)
		if (slow[i].rule == rule)
			slow[i] = slow[--n_slow];
		else
			i++;
	for (unsigned p = 0; p < n_parents;)
		if (parents[p].rule == rule)
			parents[p] = parents[--n_parents];
		else
			p++;
}

/* --- both ---------------------------------------------------------------------------------- */

static void
make_flows(struct rng *rng)
{
	static const char *const v4[] = { "10.0.0.1", "10.0.0.9", "10.0.0.3", "192.0.2.200",
		"9.0.0.1" };
	static const char *const v6[] = { "2001:db8::1", "2001:db8::ffff", "fe80::1",
		"2001:db8:1::" };
	static const uint8_t protos[] = { 6, 6, 17, 1, 47 };

	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow *f = &flows[i];
		const bool six = i % 3 == 2;

		/* no two alike, also the other way round */
		f->proto = six && i % 5 == 3 ? 58 : protos[i % 5];
		f->addr[0] = six ? v6[rng_below(rng, 4)] : v4[rng_below(rng, 5)];
		f->addr[1] = six ? v6[rng_below(rng, 4)] : v4[rng_below(rng, 5)];
		f->port[0] = (uint16_t)(1000 + i);
		f->port[1] = (uint16_t)(i % 4 == 0 ? 1000 + i : 53 + i % 2);
	}
}

static struct fw_packet *
make_packet(struct test_packet *t, unsigned flow, unsigned from, unsigned flags, uint32_t ack)
{
	const struct flow *f = &flows[flow];

	tcp_packet(
	    t, f->addr[from], f->port[from], f->addr[!from], f->port[!from], (uint8_t)flags, ack);
	t->p.proto = f->proto;
	t->p.has_tcp = f->proto == 6;
	t->p.tcp_flags = f->proto == 6 ? (uint8_t)flags : 0;
	return &t->p;
}

/* Both ends of some flows are one: there the direction says nothing, so it is always the first. */
static unsigned
random_from(struct rng *rng, unsigned flow)
{
	const struct flow *f = &flows[flow];

	if (strcmp(f->addr[0], f->addr[1]) == 0 && f->port[0] == f->port[1])
		return 0;
	return (unsigned)rng_below(rng, 2);
}

static void
step_packet(struct rng *rng)
{
	static const unsigned all_flags[] = { SYN, SYN | ACK, ACK, ACK, ACK, ACK, FIN | ACK, RST,
		0 };
	const unsigned flow = (unsigned)rng_below(rng, FLOWS), from = random_from(rng, flow);
	const unsigned flags = all_flags[rng_below(rng, 9)], rule = (unsigned)rng_below(rng, RULES);
	const uint32_t ack = (uint32_t)rng_below(rng, 1000) + 0xfffffe00u;
	struct test_packet t;
	struct fw_packet *p = make_packet(&t, flow, from, flags, ack);
	struct slow_state *s = slow_find(flow, kinds[rule].name);
	struct fw_rule *hit;

	if (rng_below(rng, 2) == 0)
		fw_state_prefetch(p, 1);
	hit = fw_state_hit(p, kinds[rule].name);
	assert_ptr_equal(hit, s != NULL ? rules[s->rule] : NULL);
	if (s != NULL)
		slow_prolong(s, from, flags, ack);
	else
		assert_int_equal(fw_state_add(rules[rule], &rules[rule]->insn[0], p),
		    slow_add(rule, flow, from, flags, ack));
}

static void
test_random_packets_meet_the_states_that_a_list_would_find(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 42, "states");
	make_flows(&rng);
	log_catch();
	command("sysctl net.inet.ip.fw.dyn_max=60");
	command("sysctl net.inet.ip.fw.dyn_buckets=1");
	for (unsigned i = 0; i < RULES; i++)
		rules[i] = state_rule(
		    (uint16_t)(i + 1), kinds[i].mask, kinds[i].max, kinds[i].name);
	for (unsigned i = 0; i < STEPS; i++) {
		if (rng_below(&rng, 4) == 0) {
			sched_run(clock_now() +
			    rng_below(&rng, rng_below(&rng, 50) == 0 ? 300000 : 1500) * NS_PER_MS);
			slow_expire();
		}
		if (rng_below(&rng, 2000) == 0) {
			const unsigned rule = (unsigned)rng_below(&rng, RULES);

			fw_state_forget(rules[rule]);
			slow_forget(rule);
		}
		step_packet(&rng);
		assert_int_equal(fw_state_count(), n_slow + n_parents);
		if (i % 64 == 0)
			rcu_poll();
	}
	log_set_sink(NULL, NULL);
	for (unsigned i = 0; i < RULES; i++) {
		fw_state_forget(rules[i]);
		fw_rule_rele(rules[i]);
	}
	assert_int_equal(fw_state_count(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_random_packets_meet_the_states_that_a_list_would_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
