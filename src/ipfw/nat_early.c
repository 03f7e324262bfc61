/*
 * nat_early.c - fragments that have come before their first one, which alone says what becomes of them.
 *
 *	fw_nat_must_wait -> fw_nat_wait		held, with the tag of who leaves the rules
 *	nat_early_ripen				the first one has been translated
 *	fw_nat_release				behind it they come back, to the rule that had sent them
 *
 * A stack holds few, and not for long: when it is full the oldest one is dropped.
 */
#include "ipfw/hook.h"
#include "ipfw/nat_internal.h"

#include "kern/sysctl.h"

VNET_DEFINE_STATIC(uint32_t, nat_frag_ptr) = 30;
VNET_DEFINE_STATIC(uint32_t, nat_frag_max) = 64;
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_frag_ptr, "net.inet.ip.fw.nat_frag_ptr", SYSCTL_RW,
    nat_frag_ptr, 1, 86400,
    "seconds that NAT holds a fragment which has come before its first one");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_frag_max, "net.inet.ip.fw.nat_frag_max", SYSCTL_RW,
    nat_frag_max, 0, 65536, "fragments that NAT holds at most, all instances together");

DROP_DEFINE(DROP_FW_NAT_FRAGMENT, "ipfw", "natfragment",
    "NAT has not seen the first fragment, or would hold too many");

struct nat_early {
	TAILQ_ENTRY(nat_early) link; /* of those that wait, or are ripe; oldest first */
	struct mbuf *m;
	struct nat *nat;
	struct nat_key key;
	enum nat_side side;
	uint64_t expire_ns;
};

static uint64_t early_live; /* of all stacks; atomic */
AUDIT_COUNTER(nat_early, "nat_early", early_live);

/* It is on no list any more. The packet; takes e. */
static struct mbuf *
early_end(struct nat_early *e)
{
	struct mbuf *m = e->m;

	vnet_free(e);
	__atomic_fetch_sub(&early_live, 1, __ATOMIC_RELAXED);
	return m;
}

static void
early_drop(struct nat_early *e)
{
	struct nat_stack *s = V_nat_stack;

	TAILQ_REMOVE(&s->early, e, link);
	s->n_early--;
	e->nat->n_early--;
	m_drop(early_end(e), &DROP_FW_NAT_FRAGMENT);
}

static void
early_expire(void *arg)
{
	struct nat_stack *s = V_nat_stack;
	struct nat_early *e;

	(void)arg;
	while ((e = TAILQ_FIRST(&s->early)) != NULL && e->expire_ns <= clock_now())
		early_drop(e);
	if (e != NULL)
		callout_reset(&s->early_timer, e->expire_ns - clock_now());
}

void
nat_early_init(struct nat_stack *s)
{
	TAILQ_INIT(&s->early);
	TAILQ_INIT(&s->ripe);
	callout_init(&s->early_timer, curvnet, early_expire, NULL);
}

void
nat_early_forget(struct nat *n)
{
	struct nat_early *e, *next;

	TAILQ_FOREACH_SAFE(e, &V_nat_stack->early, link, next)
		if (e->nat == n)
			early_drop(e);
	if (V_nat_stack->n_early == 0)
		callout_stop(&V_nat_stack->early_timer);
}

/* --- in ------------------------------------------------------------------------------------ */

bool
fw_nat_must_wait(uint32_t instance, const struct fw_packet *p)
{
	const struct nat *n = nat_find(instance);
	struct nat_key k;
	enum nat_side side;

	if (n == NULL || !nat_is_concerned(n, p, &side))
		return false;
	k = nat_fragment_key(p, side);
	return nat_link_find(n, side, &k) == NULL && (side == NAT_OUT || nat_is_alias(n, p->dst));
}

void
fw_nat_wait(uint32_t instance, const struct fw_packet *p)
{
	struct nat *n = nat_find(instance);
	struct nat_stack *s = V_nat_stack;
	struct nat_early *e = NULL;

	if (VNET(nat_frag_max) > 0)
		e = vnet_malloc(sizeof(*e));
	if (e == NULL) {
		m_drop(p->m, &DROP_FW_NAT_FRAGMENT);
		return;
	}
	while (s->n_early >= VNET(nat_frag_max))
		early_drop(TAILQ_FIRST(&s->early));
	__atomic_fetch_add(&early_live, 1, __ATOMIC_RELAXED);
	e->m = p->m;
	e->nat = n;
	(void)nat_is_concerned(n, p, &e->side);
	e->key = nat_fragment_key(p, e->side);
	e->expire_ns = clock_now() + VNET(nat_frag_ptr) * NS_PER_SEC;
	TAILQ_INSERT_TAIL(&s->early, e, link);
	s->n_early++;
	n->n_early++;
	if (!callout_armed(&s->early_timer))
		callout_reset(&s->early_timer, VNET(nat_frag_ptr) * NS_PER_SEC);
}

/* --- out ----------------------------------------------------------------------------------- */

void
nat_early_ripen(struct nat *n, enum nat_side side, const struct nat_key *k)
{
	struct nat_stack *s = V_nat_stack;
	struct nat_early *e, *next;

	if (n->n_early == 0)
		return;
	TAILQ_FOREACH_SAFE(e, &s->early, link, next) {
		if (e->nat != n || e->side != side || !nat_key_equal(&e->key, k))
			continue;
		TAILQ_REMOVE(&s->early, e, link);
		s->n_early--;
		n->n_early--;
		TAILQ_INSERT_TAIL(&s->ripe, e, link);
	}
	if (s->n_early == 0)
		callout_stop(&s->early_timer);
}

bool
fw_nat_has_ripe(void)
{
	return V_nat_stack != NULL && !TAILQ_EMPTY(&V_nat_stack->ripe);
}

void
fw_nat_release(void)
{
	struct nat_early_list ripe = TAILQ_HEAD_INITIALIZER(ripe);
	struct nat_early *e;

	/* what a released one leads to finds none that is ripe */
	TAILQ_CONCAT(&ripe, &V_nat_stack->ripe, link);
	while ((e = TAILQ_FIRST(&ripe)) != NULL) {
		TAILQ_REMOVE(&ripe, e, link);
		fw_reinject(early_end(e));
	}
}
