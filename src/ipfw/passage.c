/*
 * passage.c - see passage.h.
 */
#include "ipfw/passage.h"

#include "inet/ip.h"
#include "inet/in.h"
#include "ipfw/hook_internal.h"
#include "ipfw/nat.h"

#include <stdio.h>
#include <string.h>

/* --- verdicts --------------------------------------------------------------------------------- */

/* Where a packet goes that has come back from what a rule did to it. */
enum onward { ENDS, NEXT_RULE };

static enum onward
ends(struct fw_passage *pg, enum fw_fate fate, const char *why)
{
	pg->fate = fate;
	if (why != NULL)
		pg->why = why;
	return ENDS;
}

/* one_pass: no more rules. */
static enum onward
goes_on(struct fw_passage *pg)
{
	return VNET(fw_one_pass) ? ends(pg, FW_FATE_PASS, NULL) : NEXT_RULE;
}

static enum onward
translate(struct fw_passage *pg, struct fw_packet *p)
{
	pg->was_translated = p->ip == 4 && !p->layer2;
	if (!pg->was_translated || pg->dry)
		return goes_on(pg);
	switch (fw_nat(pg->arg, p)) {
	case FW_NAT_OK:
		return goes_on(pg);
	case FW_NAT_NONE:
		return ends(pg, FW_FATE_DROP, "there is no such nat");
	default:
		return ends(pg, FW_FATE_DROP, p->m != NULL ? "nat refuses it" : "no memory");
	}
}

static enum onward
reassemble(struct fw_passage *pg, struct fw_packet *p)
{
	if (pg->dry || p->layer2)
		return ends(pg, FW_FATE_WAIT, "for the other fragments");
	p->m = ip_reass(p->m);
	return p->m != NULL ? goes_on(pg) : ends(pg, FW_FATE_WAIT, "for the other fragments");
}

/* What the verdict leads to; p->m may be another one behind. */
static enum onward
carry_out(struct fw_passage *pg, struct fw_packet *p, const struct fw_verdict *v)
{
	switch ((enum fw_action)v->action) {
	case FW_ACT_ALLOW:
		return ends(pg, FW_FATE_PASS, NULL);
	case FW_ACT_FWD:
		pg->fwd_family = v->fwd_family;
		pg->fwd_port = v->fwd_port;
		pg->fwd_addr = v->fwd_addr;
		return ends(pg, FW_FATE_PASS, NULL);
	case FW_ACT_NAT:
		return translate(pg, p);
	case FW_ACT_REASS:
		return reassemble(pg, p);
	case FW_ACT_PIPE:
	case FW_ACT_QUEUE:
		pg->pipe = v->arg;
		return goes_on(pg);
	case FW_ACT_DIVERT:
	case FW_ACT_NETGRAPH:
	case FW_ACT_AUTH:
		return ends(pg, FW_FATE_LEAVE, NULL);
	default:
		return ends(pg, FW_FATE_DROP, v->why);
	}
}

/* --- the walk --------------------------------------------------------------------------------- */

/* A copy for a program is nobody's here. */
static void
effect(struct fw_doer *d, const struct fw_map *map, const struct fw_effect *e, struct fw_packet *p)
{
	if (e->action != FW_ACT_TEE && e->action != FW_ACT_NGTEE)
		fw_effect(d, map, e, p);
}

static const char *
fault_text(enum fw_packet_fault fault)
{
	switch (fault) {
	case FW_PACKET_TCP_OFFSET1:
		return "fragment that overwrites a TCP header";
	case FW_PACKET_EXTHDR:
		return "unknown IPv6 extension header";
	default:
		return "headers that rules look at are cut off";
	}
}

static void
note_verdict(struct fw_passage *pg, const struct fw_verdict *v)
{
	pg->rule = v->rule;
	pg->slot = v->slot;
	pg->action = v->action;
	pg->arg = v->arg;
	pg->by_state = v->by_state;
	pg->why = v->why;
}

/* The packet as it is now. False: no rule can judge it. */
static bool
read_packet(struct fw_passage *pg, struct fw_packet *p, struct mbuf *m)
{
	enum fw_packet_fault fault = fw_packet_read(p, m, pg->point, pg->dir, pg->ifp);

	p->dry = pg->dry;
	if (fault == FW_PACKET_OK)
		return true;
	pg->rule = NULL;
	ends(pg, FW_FATE_DROP, fault_text(fault));
	return false;
}

/* Rules from the first on, and again behind each that the packet has come back from. */
static struct mbuf *
meet_rules(struct fw_passage *pg, const struct fw_map *map, struct mbuf *m)
{
	struct fw_tracer *t = pg->story != NULL ? &pg->story->tracer : NULL;
	struct fw_doer doer = { .effect = effect };
	struct fw_verdict v;
	struct fw_packet p;
	uint32_t slot = 0;
	uint8_t calls = 0, called = 0;

	p.m = m;
	while (read_packet(pg, &p, p.m)) {
		p.calls = calls;
		p.called = called;
		fw_check(map, &p, slot, &doer, t, &v);
		note_verdict(pg, &v);
		if (p.m == NULL || carry_out(pg, &p, &v) == ENDS)
			break;
		calls = p.calls;
		called = p.called;
		slot = v.slot + (map->rule[v.slot] == v.rule);
	}
	return p.m;
}

struct mbuf *
fw_pass(struct fw_passage *pg, struct mbuf *m)
{
	const struct fw_map *map;

	pg->fate = FW_FATE_PASS;
	pg->rule = NULL;
	pg->action = FW_ACT_ALLOW;
	pg->arg = pg->slot = pg->pipe = 0;
	pg->by_state = pg->was_translated = false;
	pg->why = NULL;
	pg->fwd_family = 0;
	rcu_read_lock();
	map = V_fw_map;
	if (map == NULL || !fw_hook_is_on(pg->point))
		pg->why = "the firewall is off";
	else if ((m = meet_rules(pg, map, m)) == NULL && pg->fate != FW_FATE_WAIT)
		ends(pg, FW_FATE_DROP, "no memory");
	rcu_read_unlock();
	return m;
}

void
fw_pass_alone(void)
{
	const struct fw_selection all = { 0 };

	for (int point = 0; point < PFIL_POINTS; point++)
		for (int dir = PFIL_IN; dir <= PFIL_OUT; dir++)
			pfil_remove((enum pfil_point)point, (enum pfil_dir)dir, fw_hook,
			    fw_hook_ctx((enum pfil_point)point));
	fw_zero(&all, false);
}

/* --- words ------------------------------------------------------------------------------------ */

const char *
fw_fate_word(enum fw_fate fate)
{
	static const char *const words[] = {
		[FW_FATE_PASS] = "passes",
		[FW_FATE_DROP] = "dropped",
		[FW_FATE_LEAVE] = "leaves",
		[FW_FATE_WAIT] = "waits",
	};

	return words[fate];
}

void
fw_passage_action(const struct fw_passage *pg, char *text, size_t len)
{
	size_t n;

	text[0] = '\0';
	if (pg->rule == NULL)
		return;
	fw_action_text(pg->rule, pg->arg, text, len);
	n = strlen(text);
	if (pg->by_state)
		snprintf(text + n, len - n, " by state");
}

/* " to 10.0.0.2,8080", " to its receiver": of fwd. */
static void
put_next_hop(const struct fw_passage *pg, char *text, size_t len)
{
	char addr[IN6_TEXT];

	text[0] = '\0';
	if (pg->action != FW_ACT_FWD)
		return;
	if (pg->fwd_family == 0)
		snprintf(text, len, ", by its route");
	else if (pg->fwd_family == AF_INET)
		snprintf(text, len, ", next hop %s", in_ntoa(load32(pg->fwd_addr.b), addr));
	else
		snprintf(text, len, ", next hop %s", in6_ntoa(&pg->fwd_addr, addr));
}

void
fw_passage_text(const struct fw_passage *pg, char *text, size_t len)
{
	char action[96], hop[80];

	fw_passage_action(pg, action, sizeof(action));
	put_next_hop(pg, hop, sizeof(hop));
	if (pg->rule == NULL)
		snprintf(text, len, "%s: %s", fw_fate_word(pg->fate),
		    pg->why != NULL ? pg->why : "no rule");
	else
		snprintf(text, len, "%s by rule %u: %s%s%s%s", fw_fate_word(pg->fate),
		    pg->rule->number, action, hop, pg->why != NULL ? ", " : "",
		    pg->why != NULL ? pg->why : "");
}
