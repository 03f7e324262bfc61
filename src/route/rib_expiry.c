/*
 * rib_expiry.c - routes that go by themselves when their time is up.
 *
 * One timer a stack, at the earliest deadline; made with the first route that has one.
 */
#include "route/rib.h"

VNET_DEFINE_STATIC(struct callout, rib_expiry);
VNET_DEFINE_STATIC(bool, rib_expiry_made);
VNET_DEFINE_STATIC(uint32_t, rib_expiring); /* routes that have a deadline */

struct deadline {
	uint64_t now, next;
};

static int
expire_one(struct rtentry *rt, void *ctx)
{
	struct deadline *d = ctx;

	if (rt->expire_ns == 0)
		return 0;
	if (rt->expire_ns <= d->now)
		rib_remove(rt);
	else if (rt->expire_ns < d->next)
		d->next = rt->expire_ns;
	return 0;
}

static void expiry_arm(uint64_t when_ns);

static void
rib_expire(void *arg)
{
	struct deadline d = { .now = clock_now(), .next = NS_NEVER };

	(void)arg;
	rib_walk_all(expire_one, &d);
	if (d.next != NS_NEVER)
		expiry_arm(d.next);
}

static void
expiry_arm(uint64_t when_ns)
{
	struct callout *c = &VNET(rib_expiry);
	uint64_t now = clock_now();

	if (!VNET(rib_expiry_made)) {
		callout_init(c, curvnet, rib_expire, NULL);
		VNET(rib_expiry_made) = true;
	}
	if (!callout_armed(c) || c->when_ns > when_ns)
		callout_reset(c, when_ns > now ? when_ns - now : 0);
}

void
rib_expiry_enter(const struct rtentry *rt)
{
	if (rt->expire_ns == 0)
		return;
	VNET(rib_expiring)++;
	expiry_arm(rt->expire_ns);
}

void
rib_expiry_leave(const struct rtentry *rt)
{
	if (rt->expire_ns != 0 && --VNET(rib_expiring) == 0)
		callout_stop(&VNET(rib_expiry));
}

void
rib_expiry_drain(void)
{
	if (VNET(rib_expiry_made))
		callout_drain(&VNET(rib_expiry));
}

void
rib_set_expiry(struct rtentry *rt, uint64_t expire_ns)
{
	if (rt->expire_ns == expire_ns)
		return;
	rib_expiry_leave(rt);
	rt->expire_ns = expire_ns;
	rib_expiry_enter(rt);
}

uint64_t
rib_expires_in(const struct rtentry *rt)
{
	uint64_t now = clock_now();

	if (rt->expire_ns == 0)
		return 0;
	/* rounded up: what has not gone yet never shows 0 */
	return rt->expire_ns <= now ? 1 : (rt->expire_ns - now + NS_PER_SEC - 1) / NS_PER_SEC;
}
