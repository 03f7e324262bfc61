/*
 * auth.c - the packets that wait for their judge, in the manner of ipfilter's auth rules.
 *
 *	auth_out	held, numbered, asked about
 *	fw_auth_answer	on its way, or dropped
 *	auth_tick	the oldest have waited too long
 *
 * Numbers rise with time and all wait equally long, so one tree by number is the queue too. Nothing
 * of a stack is allocated before its first `auth` rule is met.
 */
#include "ipfw/auth.h"

#include "kern/sysctl.h"
#include "ipfw/hook_internal.h"

#include <errno.h>

DROP_DEFINE(DROP_FW_AUTH_NOBODY, "ipfw", "authnobody", "to be judged, and nobody listens");
DROP_DEFINE(DROP_FW_AUTH_FULL, "ipfw", "authfull",
    "to be judged, and too many wait already (net.inet.ip.fw.auth_max)");
DROP_DEFINE(DROP_FW_AUTH_LATE, "ipfw", "authlate",
    "nobody has judged it in time (net.inet.ip.fw.auth_timeout_ms)");
DROP_DEFINE(DROP_FW_AUTH_BLOCK, "ipfw", "authblock", "judged: block");

RB_HEAD(fw_held_tree, fw_held);
struct fw_auth {
	struct fw_held_tree held;
	uint32_t n;
	uint64_t last_question;
	struct callout late; /* armed while something waits */
	struct fw_auth_stats stats;
};

VNET_DEFINE_STATIC(struct fw_auth *, fw_auth); /* NULL until something is to be held */
VNET_DEFINE_STATIC(uint32_t, fw_auth_max) = 256;
VNET_DEFINE_STATIC(uint32_t, fw_auth_timeout_ms) = 10000;
VNET_DEFINE_STATIC(uint32_t, fw_auth_bytes) = 128;
#define V_fw_auth VNET(fw_auth)

static void auth_arm(struct fw_auth *a);

static void
timeout_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	if (V_fw_auth != NULL)
		auth_arm(V_fw_auth);
}

SYSCTL_VNET_UINT(net_inet_ip_fw_auth_max, "net.inet.ip.fw.auth_max", SYSCTL_RW, fw_auth_max, 0,
    65536, "packets that may wait to be judged");
SYSCTL_DEFINE_(net_inet_ip_fw_auth_timeout_ms, .name = "net.inet.ip.fw.auth_timeout_ms",
    .type = SYSCTL_T_UINT, .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_fw_auth_timeout_ms,
    .min = 1, .max = 3600000, .changed = timeout_changed,
    .descr = "milliseconds that a packet waits to be judged, then it is dropped");
SYSCTL_VNET_UINT(net_inet_ip_fw_auth_bytes, "net.inet.ip.fw.auth_bytes", SYSCTL_RW, fw_auth_bytes,
    1, 65535, "bytes of a packet that its judge sees");

static uint64_t held_live; /* of all stacks; atomic */
AUDIT_COUNTER(fw_held, "fw_held", held_live);

static int
held_compare(const struct fw_held *a, const struct fw_held *b)
{
	return a->question < b->question ? -1 : a->question > b->question;
}
RB_TREE_STATIC(fw_held_tree, fw_held, link, held_compare)

/* --- holding ---------------------------------------------------------------------------------- */

/* The packet with its tag; h is gone. */
static struct mbuf *
held_release(struct fw_auth *a, struct fw_held *h)
{
	struct mbuf *m = h->m;

	RB_REMOVE(fw_held_tree, &a->held, h);
	a->n--;
	vnet_free(h);
	__atomic_fetch_sub(&held_live, 1, __ATOMIC_RELAXED);
	if (a->n == 0)
		callout_stop(&a->late);
	return m;
}

/* The timer stands at the oldest one's end. */
static void
auth_arm(struct fw_auth *a)
{
	const uint64_t wait_ns = VNET(fw_auth_timeout_ms) * NS_PER_MS;
	const struct fw_held *oldest = RB_MIN(fw_held_tree, &a->held);
	uint64_t waited;

	if (oldest == NULL)
		return;
	waited = clock_now() - oldest->since_ns;
	callout_reset(&a->late, waited < wait_ns ? wait_ns - waited : 0);
}

static void
auth_tick(void *arg)
{
	struct fw_auth *a = arg;
	struct fw_held *h;

	while ((h = RB_MIN(fw_held_tree, &a->held)) != NULL &&
	    clock_now() - h->since_ns >= VNET(fw_auth_timeout_ms) * NS_PER_MS) {
		a->stats.late++;
		m_drop(held_release(a, h), &DROP_FW_AUTH_LATE);
	}
	auth_arm(a);
}

static struct fw_auth *
auth_get(void)
{
	struct fw_auth *a = V_fw_auth;

	if (a != NULL || (a = vnet_malloc(sizeof(*a))) == NULL)
		return a;
	RB_INIT(&a->held);
	callout_init(&a->late, curvnet, auth_tick, a);
	return V_fw_auth = a;
}

/* Takes m unless there is no memory. */
static struct fw_held *
hold(struct fw_auth *a, struct mbuf *m)
{
	struct fw_held *h = vnet_malloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->question = ++a->last_question;
	h->since_ns = clock_now();
	h->m = m;
	RB_INSERT(fw_held_tree, &a->held, h);
	a->n++;
	__atomic_fetch_add(&held_live, 1, __ATOMIC_RELAXED);
	if (a->n == 1)
		auth_arm(a);
	return h;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The first bytes of the packet, with its tag and its number. NULL without memory. */
static struct mbuf *
question_of(const struct fw_held *h, struct fw_tag **tag)
{
	const uint32_t bytes = VNET(fw_auth_bytes);
	struct mbuf *q = m_from(h->m->data, h->m->len < bytes ? h->m->len : bytes);

	if (q == NULL || (*tag = fw_tag_make(q)) == NULL) {
		m_free(q);
		return NULL;
	}
	q->flags = h->m->flags & (M_BCAST | M_MCAST | M_LOOP | M_FORWARDED);
	q->fib = h->m->fib;
	**tag = *fw_tag_find(h->m);
	(*tag)->question = h->question;
	(*tag)->full_len = h->m->len;
	return q;
}

/* The answer may come before this returns: then h is gone. False: the judge has not heard of it. */
static bool
ask(struct fw_auth *a, struct fw_listener *judge, const struct fw_held *h)
{
	struct fw_tag *tag;
	struct mbuf *q = question_of(h, &tag);

	if (q == NULL)
		return false;
	a->stats.asked++;
	if (fw_listener_input(judge, q, tag))
		return true;
	a->stats.asked--;
	m_free(q);
	return false;
}

static void
auth_out(struct mbuf *m, struct fw_tag *tag)
{
	struct fw_listener *judge = fw_listener_of(FW_ACT_AUTH, 0);
	struct fw_auth *a = auth_get();
	struct fw_held *h;

	(void)tag;
	if (a == NULL) {
		m_drop(m, &DROP_FW_NOMEM);
	} else if (judge == NULL) {
		a->stats.nobody++;
		m_drop(m, &DROP_FW_AUTH_NOBODY);
	} else if (a->n >= VNET(fw_auth_max)) {
		a->stats.full++;
		m_drop(m, &DROP_FW_AUTH_FULL);
	} else if ((h = hold(a, m)) == NULL) {
		m_drop(m, &DROP_FW_NOMEM);
	} else if (!ask(a, judge, h)) {
		a->stats.unheard++;
		m_drop(held_release(a, h), &DROP_FW_LISTENER);
	}
}

/* --- answers ---------------------------------------------------------------------------------- */

static void
answer(struct fw_auth *a, struct fw_held *h, bool pass)
{
	struct mbuf *m = held_release(a, h);

	a->stats.passed += pass;
	a->stats.blocked += !pass;
	if (pass)
		fw_reinject(m);
	else
		m_drop(m, &DROP_FW_AUTH_BLOCK);
}

bool
fw_auth_answer(uint64_t question, bool pass)
{
	struct fw_held key = { .question = question };
	struct fw_auth *a = V_fw_auth;
	struct fw_held *h = a != NULL ? RB_FIND(fw_held_tree, &a->held, &key) : NULL;

	if (h == NULL)
		return false;
	answer(a, h, pass);
	return true;
}

/* The first one that waits behind a number; those that come meanwhile have higher ones. */
static struct fw_held *
held_after(struct fw_auth *a, uint64_t question)
{
	struct fw_held key = { .question = question + 1 };

	return RB_NFIND(fw_held_tree, &a->held, &key);
}

uint32_t
fw_auth_answer_all(bool pass)
{
	struct fw_auth *a = V_fw_auth;
	const uint64_t last = a != NULL ? a->last_question : 0;
	struct fw_held *h;
	uint32_t n = 0;

	while (a != NULL && (h = RB_MIN(fw_held_tree, &a->held)) != NULL && h->question <= last) {
		answer(a, h, pass);
		n++;
	}
	return n;
}

int
fw_auth_listen(struct fw_listener *l)
{
	struct fw_auth *a = V_fw_auth;
	const uint64_t last = a != NULL ? a->last_question : 0;
	struct fw_held *h;
	uint64_t question = 0;
	int error;

	l->kind = FW_ACT_AUTH;
	l->number = 0;
	if ((error = fw_listen(l)) != 0)
		return error;
	while (a != NULL && (h = held_after(a, question)) != NULL && h->question <= last) {
		question = h->question;
		if (!ask(a, l, h))
			break;
	}
	return 0;
}

/* --- for people ------------------------------------------------------------------------------- */

uint32_t
fw_auth_held(void)
{
	return V_fw_auth != NULL ? V_fw_auth->n : 0;
}

struct fw_auth_stats
fw_auth_stats(void)
{
	return V_fw_auth != NULL ? V_fw_auth->stats : (struct fw_auth_stats){ 0 };
}

void
fw_auth_foreach(void (*fn)(const struct fw_held *h, void *ctx), void *ctx)
{
	struct fw_held *h;

	if (V_fw_auth != NULL)
		RB_FOREACH(h, fw_held_tree, &V_fw_auth->held)
			fn(h, ctx);
}

/* --- life ------------------------------------------------------------------------------------- */

static void
auth_init(void *arg)
{
	(void)arg;
	if (fw_outlets.auth == NULL)
		fw_outlets.auth = auth_out;
}
VNET_SYSINIT(fw_auth, SI_SUB_FIREWALL, SI_ORDER_ANY, auth_init, NULL);

/* The hooks have gone: nothing comes here any more. */
static void
auth_end(void *arg)
{
	struct fw_auth *a = V_fw_auth;
	struct fw_held *h;

	(void)arg;
	if (a == NULL)
		return;
	while ((h = RB_MIN(fw_held_tree, &a->held)) != NULL)
		m_free(held_release(a, h));
	callout_drain(&a->late);
	V_fw_auth = NULL;
	vnet_free(a);
}
VNET_SYSUNINIT(fw_auth, SI_SUB_FIREWALL, SI_ORDER_SECOND, auth_end, NULL);
