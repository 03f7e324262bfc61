/*
 * dn_link.c - time on an instance's link: serialisation, and what an idle link has saved (burst).
 *
 * A link that is always busy is free again after the sum of 8 n / rate of its packets; the instance
 * keeps that time exactly, as whole ns and a remainder in units of 1 / rate ns. An idle link's time of
 * being free lies in the past, and how far is its credit: at most what the burst takes at the rate. So
 * what leaves in any time t is at most rate x t + burst, and the packet being sent at its begin.
 */
#include "dummynet/dn_internal.h"
#include "net/if.h"

static uint64_t
bits_ns(uint64_t bytes, uint64_t rate_bps, uint64_t *rem)
{
	const unsigned __int128 ns = (unsigned __int128)bytes * 8 * NS_PER_SEC;

	/* More than a century is a century: at 1 bit/s a burst of 2^48 bytes saves longer. */
	if (ns / rate_bps >= (uint64_t)INT64_MAX / 4) {
		*rem = 0;
		return (uint64_t)INT64_MAX / 4;
	}
	*rem = (uint64_t)(ns % rate_bps);
	return (uint64_t)(ns / rate_bps);
}

/* --- as configured ---------------------------------------------------------------------------- */

/* A tick, ns: what a link saves at once if io_fast says so. */
static uint64_t
tick_ns(void)
{
	return VNET(dn_hz) != 0 ? NS_PER_SEC / VNET(dn_hz) : 0;
}

uint64_t
dn_link_tick(uint64_t t)
{
	const uint32_t hz = VNET(dn_hz);
	unsigned __int128 ticks;

	if (hz == 0)
		return t;
	ticks = ((unsigned __int128)t * hz + NS_PER_SEC - 1) / NS_PER_SEC;
	return (uint64_t)((ticks * NS_PER_SEC + hz - 1) / hz);
}

/* Its interface's rate; none of that name, or nobody knows: no limit. */
static uint64_t
rate_of(const struct dn_scheduler *s, const struct ifnet *leaves)
{
	const struct ifnet *ifp;

	if (s->config.link.rate_of[0] == '\0')
		return s->config.link.rate_bps;
	ifp = if_byname(s->config.link.rate_of);
	return ifp != NULL && ifp != leaves ? ifp->if_baudrate_bps : 0;
}

void
dn_link_follow(struct dn_scheduler *s, const struct ifnet *leaves)
{
	s->rate_bps = rate_of(s, leaves);
	s->credit_ns = s->credit_rem = 0;
	if (s->rate_bps == 0)
		return;
	s->credit_ns = bits_ns(s->config.link.burst_bytes, s->rate_bps, &s->credit_rem);
	if (VNET(dn_io_fast))
		s->credit_ns += tick_ns();
}

/* --- at work ---------------------------------------------------------------------------------- */

static void
serialisation_set(struct dn_instance *inst, uint32_t len)
{
	inst->ser_len = len;
	inst->ser_ns = bits_ns(len, inst->sched->rate_bps, &inst->ser_rem);
}

uint64_t
dn_link_send(struct dn_instance *inst, uint32_t len, uint64_t extra_ns, uint64_t t)
{
	const uint64_t rate = inst->sched->rate_bps;

	if (rate != 0) {
		if (__builtin_expect(len != inst->ser_len, 0))
			serialisation_set(inst, len);
		inst->free_ns += (int64_t)inst->ser_ns;
		inst->free_rem += inst->ser_rem;
		if (inst->free_rem >= rate) {
			inst->free_rem -= rate;
			inst->free_ns++;
		}
	}
	inst->free_ns += (int64_t)extra_ns;
	return inst->free_ns > (int64_t)t ? (uint64_t)inst->free_ns : t;
}

/* The time at which a link must have been free to have saved its whole burst at t. */
static void
rested_since(const struct dn_scheduler *s, uint64_t t, int64_t *ns, uint64_t *rem)
{
	*ns = (int64_t)t - (int64_t)s->credit_ns;
	*rem = 0;
	if (s->credit_rem != 0) {
		--*ns;
		*rem = s->rate_bps - s->credit_rem;
	}
}

bool
dn_link_is_rested(const struct dn_instance *inst, uint64_t now)
{
	int64_t ns;
	uint64_t rem;

	rested_since(inst->sched, now, &ns, &rem);
	return inst->free_ns < ns || (inst->free_ns == ns && inst->free_rem <= rem);
}

void
dn_link_wake(struct dn_instance *inst, uint64_t t)
{
	inst->ready_ns = t;
	if (dn_link_is_rested(inst, t))
		rested_since(inst->sched, t, &inst->free_ns, &inst->free_rem);
}

void
dn_link_reset(struct dn_instance *inst, uint64_t now)
{
	inst->ser_len = 0;
	inst->ser_ns = inst->ser_rem = 0;
	inst->free_rem = 0;
	if (inst->free_ns > (int64_t)now)
		inst->free_ns -= (int64_t)inst->sched->credit_ns;
	else
		inst->free_ns = (int64_t)now - (int64_t)inst->sched->credit_ns;
}
