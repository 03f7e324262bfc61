/*
 * hook.c - the firewall on the packets' way: a batch meets the rules, and each verdict is carried
 * out.
 *
 *	fw_hook		a batch at a hook: read, checked, and as a rule let through as it is
 *	fw_carry_out	the others, one by one: dropped, answered, sent elsewhere, translated
 *
 * Packets never overtake each other: whoever has to be answered, or leaves and may be back at once,
 * is dealt with when what came before it in the batch has gone on (pfil_go_on). What passes behind
 * it is collected anew; the rest goes back to the walk as the hook's batch.
 *
 * The hooks are attached when a stack's first rule comes. A stack without rules has none.
 */
#include "ipfw/hook_internal.h"

#include "base/log.h"
#include "inet/ip.h"
#include "ipfw/nat.h"
#include "kern/sysctl.h"

#include <errno.h>

DROP_DEFINE(DROP_FW_DENY, "ipfw", "deny", "a rule denies it");
DROP_DEFINE(DROP_FW_STATE, "ipfw", "state", "too many dynamic rules, or a limit reached");
DROP_DEFINE(DROP_FW_SHORT, "ipfw", "short", "headers that rules look at are cut off");
DROP_DEFINE(DROP_FW_TCP_OFFSET1, "ipfw", "tcpoffset1", "fragment that overwrites a TCP header");
DROP_DEFINE(DROP_FW_EXTHDR, "ipfw", "exthdr",
    "unknown IPv6 extension header (net.inet6.ip6.fw.deny_unknown_exthdrs)");
DROP_DEFINE(DROP_FW_NAT, "ipfw", "nat", "address translation refuses it");
DROP_DEFINE(DROP_FW_NO_OUTLET, "ipfw", "nooutlet",
    "no pipe, divert socket, hook or NAT instance for it to leave by");
DROP_DEFINE(DROP_FW_NOMEM, "ipfw", "nomem", "no memory for what a rule does to it");

VNET_DEFINE(bool, fw_one_pass) = true;
VNET_DEFINE_STATIC(bool, fw_enable) = true;
VNET_DEFINE_STATIC(bool, fw6_enable) = true;
VNET_DEFINE_STATIC(bool, fw_link_enable) = false;
VNET_DEFINE_STATIC(bool, fw_attached) = false; /* somebody has asked for the firewall */

static int hooks_follow(void);

static void
enable_changed(const struct sysctl_oid *oid)
{
	int error = hooks_follow();

	if (error != 0)
		log_msg(LOG_LVL_ERR, "ipfw: %s: no room for a hook", oid->name);
}

SYSCTL_VNET_BOOL(net_inet_ip_fw_one_pass, "net.inet.ip.fw.one_pass", SYSCTL_RW, fw_one_pass,
    "packets that come back from a pipe, a hook or NAT meet no more rules");
SYSCTL_DEFINE_(net_inet_ip_fw_enable, .name = "net.inet.ip.fw.enable", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_fw_enable, .min = 0, .max = 1,
    .changed = enable_changed, .descr = "IPv4 packets meet the firewall's rules");
SYSCTL_DEFINE_(net_inet6_ip6_fw_enable, .name = "net.inet6.ip6.fw.enable", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_fw6_enable, .min = 0, .max = 1,
    .changed = enable_changed, .descr = "IPv6 packets meet the firewall's rules");
SYSCTL_DEFINE_(net_link_ether_ipfw, .name = "net.link.ether.ipfw", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_fw_link_enable, .min = 0, .max = 1,
    .changed = enable_changed, .descr = "Ethernet frames meet the firewall's rules");

/* --- a round ---------------------------------------------------------------------------------- */

static void
round_log(struct fw_doer *d, const struct fw_map *map, struct fw_rule *r, uint32_t arg,
    const struct fw_packet *p)
{
	(void)d, (void)map;
	fw_log(r, arg, p);
}

void
fw_round_begin(struct fw_round *round, const struct fw_map *map, enum pfil_point point,
    enum pfil_dir dir, struct ifnet *ifp)
{
	round->doer = (struct fw_doer){ .effect = fw_effect, .log = round_log };
	round->point = point;
	round->dir = dir;
	round->ifp = ifp;
	round->map = map;
	round->out.n = 0;
	mbufq_init(&round->copies);
}

void
fw_round_flush(struct fw_round *round)
{
	if (round->out.n > 0)
		pfil_go_on(round->point, round->dir, fw_hook, fw_hook_ctx(round->point), round->ifp,
		    &round->out);
	round->out.n = 0;
}

/* --- verdicts --------------------------------------------------------------------------------- */

static void
drop(struct fw_packet *p, const struct drop_reason *why)
{
	clock_at(p->m->when_ns);
	m_drop(p->m, why);
	p->m = NULL;
}

static void
deny(struct fw_packet *p, const struct fw_verdict *v)
{
	if (p->m == NULL) /* an effect has taken it */
		return;
	drop(p, v->why != NULL ? &DROP_FW_STATE : &DROP_FW_DENY);
}

/*
 * Let fn, which knows nothing of links, work on the packet at its IP header: the link's comes off
 * before and on behind. False: taken.
 */
static bool
at_layer3(struct fw_packet *p, bool (*fn)(struct fw_packet *p, uint32_t arg), uint32_t arg)
{
	const uint16_t l2 = p->l3;
	uint8_t header[16];

	memcpy(header, p->m->data, l2);
	m_adj(p->m, l2);
	p->l3 = 0;
	p->l4 = (uint16_t)(p->l4 - l2);
	if (!fn(p, arg))
		return false;
	if (l2 == 0)
		return true;
	p->m = m_prepend(p->m, l2);
	if (p->m == NULL) {
		drop_count(&DROP_FW_NOMEM, 1);
		return false;
	}
	memcpy(p->m->data, header, l2);
	return true;
}

static bool
translate(struct fw_packet *p, uint32_t instance)
{
	enum fw_nat_result result = fw_nat(instance, p);

	if (p->m == NULL) {
		drop_count(&DROP_FW_NOMEM, 1);
		return false;
	}
	if (result == FW_NAT_OK)
		return true;
	drop(p, result == FW_NAT_NONE ? &DROP_FW_NO_OUTLET : &DROP_FW_NAT);
	return false;
}

static bool
reassemble(struct fw_packet *p, uint32_t unused)
{
	(void)unused;
	clock_at(p->m->when_ns);
	p->m = ip_reass(p->m);
	return p->m != NULL;
}

static void
reject(struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v)
{
	fw_round_flush(round);
	clock_at(p->m->when_ns);
	fw_reject(p, (enum fw_action)v->action, v->arg);
	drop(p, &DROP_FW_DENY);
}

/* What becomes of a packet. */
enum fate { GONE, PASS, NEXT_RULE };

static enum fate
as_one_pass_says(void)
{
	return VNET(fw_one_pass) ? PASS : NEXT_RULE;
}

/* It goes elsewhere, and may be back at once. Diverted ones always meet the next rule. */
static enum fate
leave(struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v)
{
	fw_round_flush(round);
	if (!fw_leave(round, p, v))
		return GONE;
	return v->action == FW_ACT_DIVERT ? NEXT_RULE : as_one_pass_says();
}

static enum fate
carry_out(struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v)
{
	switch ((enum fw_action)v->action) {
	case FW_ACT_ALLOW:
		return PASS;
	case FW_ACT_UNREACH:
	case FW_ACT_UNREACH6:
	case FW_ACT_RESET:
	case FW_ACT_RESET6:
		reject(round, p, v);
		return GONE;
	case FW_ACT_FWD:
		if (v->fwd_family == 0)
			return PASS;
		fw_round_flush(round);
		fw_forward(round, p, v);
		return GONE;
	case FW_ACT_NAT:
		if (p->ip != 4)
			return as_one_pass_says();
		if (v->rule->by_tablearg && v->arg == FW_NAT_GLOBAL) {
			drop(p, &DROP_FW_NO_OUTLET); /* no table says "global" */
			return GONE;
		}
		if (p->later_fragment && fw_nat_must_wait(v->arg, p)) {
			fw_leave_for_first(round, p, v);
			return GONE;
		}
		return at_layer3(p, translate, v->arg) ? as_one_pass_says() : GONE;
	case FW_ACT_REASS:
		return at_layer3(p, reassemble, 0) ? as_one_pass_says() : GONE;
	case FW_ACT_PIPE:
	case FW_ACT_QUEUE:
	case FW_ACT_NETGRAPH:
	case FW_ACT_AUTH:
		return leave(round, p, v);
	case FW_ACT_DIVERT:
		/* A program can't do anything with fragments. */
		if (p->ip == 4 && p->fragment && !at_layer3(p, reassemble, 0))
			return GONE;
		return leave(round, p, v);
	default:
		deny(p, v);
		return GONE;
	}
}

static const struct drop_reason *
reason_of(enum fw_packet_fault fault)
{
	return fault == FW_PACKET_EXTHDR   ? &DROP_FW_EXTHDR :
	    fault == FW_PACKET_TCP_OFFSET1 ? &DROP_FW_TCP_OFFSET1 :
					     &DROP_FW_SHORT;
}

/* No rule could judge it. */
static void
drop_faulty(struct fw_packet *p, enum fw_packet_fault fault)
{
	clock_at(p->m->when_ns);
	fw_log(NULL, 0, p);
	drop(p, reason_of(fault));
}

/* Once more from the rule behind v's, as the packet is now. False: taken. */
static bool
check_on(struct fw_round *round, struct fw_packet *p, struct fw_verdict *v)
{
	const struct fw_ref ref = v->rule == round->map->rule[v->slot] ?
	    fw_ref_of(round->map, v->slot) :
	    (struct fw_ref){ .rule_id = v->rule->id, .number = v->rule->number };
	const uint8_t calls = p->calls, called = p->called;
	enum fw_packet_fault fault;

	fault = fw_packet_read(p, p->m, round->point, round->dir, round->ifp);
	p->calls = calls;
	p->called = called;
	if (fault != FW_PACKET_OK) {
		drop_faulty(p, fault);
		return false;
	}
	fw_check(round->map, p, fw_map_after(round->map, &ref), &round->doer, NULL, v);
	return true;
}

/* Copies that were made of p: they leave before it does. */
static void
send_copies(struct fw_round *round, const struct fw_packet *p)
{
	while (round->copies.head != NULL && round->copies.head->nh == p) {
		fw_round_flush(round);
		fw_leave_copy(mbufq_pop(&round->copies));
	}
}

void
fw_carry_out(struct fw_round *round, struct fw_packet *p, struct fw_verdict *v)
{
	enum fate fate;

	do {
		send_copies(round, p);
		fate = carry_out(round, p, v);
	} while (fate == NEXT_RULE && check_on(round, p, v));
	if (fate == PASS)
		batch_add(&round->out, p->m);
	if (fw_nat_has_ripe()) {
		fw_round_flush(round);
		fw_nat_release();
	}
}

/* --- the hook --------------------------------------------------------------------------------- */

/* Is it all as nearly always: let through, and nothing has been done to it? */
static bool
all_pass(const struct fw_round *round, const struct fw_packet *p, const struct fw_verdict *v,
    struct mbuf *const *m, uint32_t n)
{
	bool pass = round->copies.len == 0;

	for (uint32_t i = 0; i < n; i++)
		pass &= v[i].action == FW_ACT_ALLOW && p[i].m == m[i];
	return pass;
}

/*
 * The packets from the first on that are to meet the rules, read into p. Returns how many; *fault says
 * why the next one is none of them, FW_PACKET_OK: it is not for the firewall, or there is none.
 */
static uint32_t
read_run(const struct fw_round *round, struct mbuf *const *m, uint32_t n, struct fw_packet *p,
    enum fw_packet_fault *fault)
{
	uint32_t i;

	*fault = FW_PACKET_OK;
	for (i = 0; i < n && !(m[i]->flags & M_PASSED_PFIL); i++) {
		*fault = fw_packet_read(&p[i], m[i], round->point, round->dir, round->ifp);
		if (*fault != FW_PACKET_OK)
			break;
	}
	return i;
}

/* The first packets of m: those that meet the rules, and one that doesn't. Returns how many. */
static uint32_t
check_run(struct fw_round *round, struct mbuf *const *m, uint32_t n)
{
	struct fw_packet p[BATCH_MAX];
	struct fw_verdict v[BATCH_MAX];
	enum fw_packet_fault fault;
	uint32_t run = read_run(round, m, n, p, &fault);

	if (run > 0)
		fw_check_batch(round->map, p, run, &round->doer, v);
	if (all_pass(round, p, v, m, run)) {
		memcpy(&round->out.m[round->out.n], m, run * sizeof(m[0]));
		round->out.n += run;
	} else {
		for (uint32_t i = 0; i < run; i++)
			fw_carry_out(round, &p[i], &v[i]);
	}
	if (run == n)
		return n;
	if (fault != FW_PACKET_OK)
		drop_faulty(&p[run], fault);
	else
		batch_add(&round->out, m[run]);
	return run + 1;
}

void
fw_hook(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	const struct fw_map *map;
	struct fw_round round;

	rcu_read_lock();
	map = V_fw_map;
	if (map != NULL) {
		fw_round_begin(&round, map, (enum pfil_point)(uintptr_t)ctx, dir, ifp);
		for (uint32_t i = 0; i < b->n;)
			i += check_run(&round, &b->m[i], b->n - i);
		memcpy(b->m, round.out.m, round.out.n * sizeof(b->m[0]));
		b->n = round.out.n;
	}
	rcu_read_unlock();
}

/* --- coming and going ------------------------------------------------------------------------- */

bool
fw_hook_is_on(enum pfil_point point)
{
	switch (point) {
	case PFIL_INET:
	case PFIL_BRIDGED_INET:
		return VNET(fw_attached) && VNET(fw_enable);
	case PFIL_INET6:
	case PFIL_BRIDGED_INET6:
		return VNET(fw_attached) && VNET(fw6_enable);
	case PFIL_BRIDGE: /* net.link.bridge.ipfw is the bridge's switch */
		return VNET(fw_attached);
	default:
		return VNET(fw_attached) && VNET(fw_link_enable);
	}
}

/* The one place where hooks come and go: as the switches stand. */
static int
hooks_follow(void)
{
	for (int point = 0; point < PFIL_POINTS; point++)
		for (int dir = PFIL_IN; dir <= PFIL_OUT; dir++) {
			void *ctx = fw_hook_ctx((enum pfil_point)point);
			int error = 0;

			if (fw_hook_is_on((enum pfil_point)point))
				error = pfil_add(
				    (enum pfil_point)point, (enum pfil_dir)dir, fw_hook, ctx, 0);
			else
				pfil_remove(
				    (enum pfil_point)point, (enum pfil_dir)dir, fw_hook, ctx);
			if (error != 0 && error != -EEXIST)
				return error;
		}
	return 0;
}

static void
hooks_detach(void *arg)
{
	(void)arg;
	VNET(fw_attached) = false;
	hooks_follow();
}
/* Before the chain goes. */
VNET_SYSUNINIT(fw_hooks, SI_SUB_FIREWALL, SI_ORDER_MIDDLE, hooks_detach, NULL);

int
fw_hooks_attach(void)
{
	int error;

	if (VNET(fw_attached))
		return 0;
	if ((error = fw_log_if_attach()) != 0)
		return error;
	VNET(fw_attached) = true;
	if ((error = hooks_follow()) != 0)
		hooks_detach(NULL);
	else
		log_msg(LOG_LVL_INFO,
		    "ipfw2 (+ipv6) initialized, divert %s, nat loadable, "
		    "rule-based forwarding enabled, logging %s",
		    fw_outlets.divert != NULL ? "loadable" : "disabled",
		    VNET(fw_verbose) ? "unlimited" : "disabled");
	return error;
}

static void
hook_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		fw_forward_init();
}
VNET_SYSINIT(fw_hooks, SI_SUB_FIREWALL, SI_ORDER_FIRST, hook_init, NULL);
