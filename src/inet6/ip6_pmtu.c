/*
 * ip6_pmtu.c - what is known of the MTUs of paths (RFC 8201).
 *
 *	ip6_pmtu_learn	a router's "packet too big" -> the destination's entry
 *	ip6_pmtu	asked for what is longer than 1,280 bytes, before it is cut (ip6_output.c)
 *
 * An entry holds for ten minutes (net.inet6.ip6.pmtu_expire), then larger packets try the path
 * again (section 5.3). An MTU never grows by a message, and never gets below 1,280: routers that
 * ask for less wanted a fragment header in every packet once, which RFC 8021 did away with. Entries
 * are few and bounded; the oldest makes room. `show pmtu` lists them.
 */
#include "inet6/ip6.h"

#include "base/rng.h"
#include "kern/show.h"
#include "kern/sysctl.h"

#include <inttypes.h>

VNET_DEFINE_STATIC(uint32_t, ip6_pmtu_max) = 1024;
VNET_DEFINE_STATIC(uint32_t, ip6_pmtu_expire_s) = 600;

SYSCTL_VNET_UINT(net_inet6_ip6_pmtu_max, "net.inet6.ip6.pmtu_max", SYSCTL_RW, ip6_pmtu_max, 0, 8192,
    "destinations whose path MTU is remembered");
SYSCTL_VNET_UINT(net_inet6_ip6_pmtu_expire, "net.inet6.ip6.pmtu_expire", SYSCTL_RW,
    ip6_pmtu_expire_s, 300, 86400, "seconds after which a path's MTU is tried anew");

enum { HASH_LOG2 = 8, HASH_SIZE = 1 << HASH_LOG2 };

struct pmtu {
	TAILQ_ENTRY(pmtu) age;
	struct pmtu *hnext;
	struct in6 dst;
	uint32_t mtu;
	uint64_t expire_ns;
};

TAILQ_HEAD(pmtu_head, pmtu);

struct pmtu_table {
	struct pmtu_head age; /* that which expires first, first */
	uint32_t n;
	struct callout timer; /* for the first */
	uint64_t seed;        /* keeps other machines from choosing the bucket */
	struct pmtu *hash[HASH_SIZE];
};

VNET_DEFINE_STATIC(struct pmtu_table *, ip6_pmtu_table); /* NULL before the first entry */
#define V_pmtu_table VNET(ip6_pmtu_table)

static uint64_t pmtu_live; /* entries of all stacks; atomic */
AUDIT_COUNTER(ip6_pmtu, "path MTU", pmtu_live);

static struct pmtu **
bucket_of(struct pmtu_table *t, const struct in6 *dst)
{
	const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = (load64(dst->b) ^ t->seed) * golden;

	/* Fibonacci hashing: the upper bits are the good ones. */
	h = (h ^ h >> 32 ^ load64(dst->b + 8)) * golden;
	return &t->hash[h >> (64 - HASH_LOG2)];
}

static struct pmtu *
pmtu_find(struct pmtu_table *t, const struct in6 *dst)
{
	struct pmtu *p = *bucket_of(t, dst);

	while (p != NULL && !in6_equal(&p->dst, dst))
		p = p->hnext;
	return p;
}

static void
pmtu_free(struct pmtu_table *t, struct pmtu *p)
{
	struct pmtu **slot = bucket_of(t, &p->dst);

	while (*slot != p)
		slot = &(*slot)->hnext;
	*slot = p->hnext;
	TAILQ_REMOVE(&t->age, p, age);
	t->n--;
	vnet_free(p);
	__atomic_fetch_sub(&pmtu_live, 1, __ATOMIC_RELAXED);
}

static void
pmtu_arm(struct pmtu_table *t)
{
	const struct pmtu *first = TAILQ_FIRST(&t->age);
	uint64_t now = clock_now();

	if (first == NULL)
		callout_stop(&t->timer);
	else
		callout_reset(&t->timer, first->expire_ns > now ? first->expire_ns - now : 0);
}

static void
pmtu_timer(void *arg)
{
	struct pmtu_table *t = arg;
	struct pmtu *p;

	while ((p = TAILQ_FIRST(&t->age)) != NULL && p->expire_ns <= clock_now())
		pmtu_free(t, p);
	pmtu_arm(t);
}

static struct pmtu_table *
table_get(void)
{
	struct pmtu_table *t = V_pmtu_table;

	if (t == NULL && (t = vnet_malloc(sizeof(*t))) != NULL) {
		*t = (struct pmtu_table){ .seed = rng_process_seed * UINT64_C(0x9e3779b97f4a7c15) };
		TAILQ_INIT(&t->age);
		callout_init(&t->timer, curvnet, pmtu_timer, t);
		V_pmtu_table = t;
	}
	return t;
}

/* From now on for its whole time. The list stays in order when the sysctl has been lowered. */
static void
pmtu_renew(struct pmtu_table *t, struct pmtu *p)
{
	const struct pmtu *last = TAILQ_LAST(&t->age, pmtu_head);

	p->expire_ns = clock_now() + VNET(ip6_pmtu_expire_s) * NS_PER_SEC;
	if (last != NULL && last->expire_ns > p->expire_ns)
		p->expire_ns = last->expire_ns;
	TAILQ_INSERT_TAIL(&t->age, p, age);
}

static struct pmtu *
pmtu_new(struct pmtu_table *t, const struct in6 *dst)
{
	struct pmtu **slot = bucket_of(t, dst), *p;

	if (VNET(ip6_pmtu_max) == 0)
		return NULL;
	while (t->n >= VNET(ip6_pmtu_max))
		pmtu_free(t, TAILQ_FIRST(&t->age));
	if ((p = vnet_malloc(sizeof(*p))) == NULL)
		return NULL;
	*p = (struct pmtu){ .dst = *dst, .hnext = *slot };
	*slot = p;
	t->n++;
	__atomic_fetch_add(&pmtu_live, 1, __ATOMIC_RELAXED);
	return p;
}

bool
ip6_pmtu_learn(const struct in6 *dst, uint32_t mtu)
{
	struct pmtu_table *t;
	struct pmtu *p;

	/* To what is on the link no router stands in the way. */
	if (mtu < IPV6_MMTU_ || in6_is_scoped(dst) || (t = table_get()) == NULL)
		return false;
	p = pmtu_find(t, dst);
	if (p != NULL && mtu >= p->mtu)
		return false; /* section 4: a message only lowers */
	if (p != NULL)
		TAILQ_REMOVE(&t->age, p, age);
	else if ((p = pmtu_new(t, dst)) == NULL)
		return false;
	p->mtu = mtu;
	pmtu_renew(t, p);
	pmtu_arm(t);
	return true;
}

uint32_t
ip6_pmtu(const struct in6 *dst)
{
	struct pmtu_table *t = V_pmtu_table;
	const struct pmtu *p;

	if (t == NULL || t->n == 0)
		return 0;
	p = pmtu_find(t, dst);
	return p == NULL ? 0 : p->mtu;
}

static void
pmtu_uninit(void *arg)
{
	struct pmtu_table *t = V_pmtu_table;
	struct pmtu *p;

	(void)arg;
	if (t == NULL)
		return;
	callout_drain(&t->timer);
	while ((p = TAILQ_FIRST(&t->age)) != NULL)
		pmtu_free(t, p);
	V_pmtu_table = NULL;
	vnet_free(t);
}
VNET_SYSUNINIT(ip6_pmtu, SI_SUB_INET6, SI_ORDER_SECOND, pmtu_uninit, NULL);

/* --- show pmtu -------------------------------------------------------------------------------- */

static int
show_pmtu(struct verb_run *v, int argc, char **argv)
{
	const struct pmtu_table *t = V_pmtu_table;
	struct emitter *e = v->out;
	char text[IN6_TEXT];
	const struct pmtu *p;

	(void)argv;
	if (argc != 0)
		return verb_error(v, EXIT_USAGE_, "usage: show pmtu");
	emit_text(e, "%-39s %6s %6s\n", "Destination", "Mtu", "Expire");
	emit_list(e, "pmtu");
	if (t != NULL) {
		TAILQ_FOREACH(p, &t->age, age) {
			emit_object(e, NULL);
			emit_str(e, "destination", "%-39s", in6_ntoa(&p->dst, text));
			emit_uint(e, "mtu", " %6" PRIu64, p->mtu);
			emit_uint(e, "expire", " %6" PRIu64 "\n",
			    (p->expire_ns - clock_now()) / NS_PER_SEC);
			emit_end(e);
		}
	}
	emit_end(e);
	return 0;
}
SHOW_DEFINE(pmtu, "pmtu", "", show_pmtu);
