/*
 * dn_sim.h - a link with senders that give way, in a time of its own: for tests of queues that work
 * by telling senders to slow down.
 *
 * Each sender has a window of packets: it grows by a packet each time it has got round (in the
 * beginning, with each packet that arrives), and is halved, once a round, when a packet is lost or
 * comes marked. What leaves the link arrives at once and is acknowledged rtt_ns later; of a loss the
 * sender hears after the same time. This is a TCP with all that isn't its window left away.
 */
#ifndef WARREN_TESTS_DN_SIM_H
#define WARREN_TESTS_DN_SIM_H

#include "base/clock.h"
#include "dn_packets.h"
#include "dummynet/dn_sched.h"

#include <stdlib.h>

enum { SIM_SENDERS = 64, SIM_NOTICES = 65536, SIM_PACKET = 1500 };

struct sim_sender {
	double window;
	bool slow_start;
	uint32_t on_the_way;
	uint64_t halved_ns;
	uint64_t delivered;
};
/* What a sender hears of a packet. */
struct sim_notice {
	uint64_t when_ns;
	uint32_t sender;
	bool bad;
};

struct sim {
	struct dn_sched_instance si; /* first: the drop callback finds the simulation */
	uint64_t rate_bps, rtt_ns, now_ns, free_ns;
	uint8_t ecn;
	uint32_t limit; /* packets; behind it the tail is dropped */
	/* One packet comes; true: it was taken. The queue's, or a part's enqueue. */
	void (*enqueue)(struct sim *s, struct mbuf *m);
	struct mbuf *(*dequeue)(struct sim *s);
	uint32_t senders;
	struct sim_sender sender[SIM_SENDERS];
	struct sim_notice notice[SIM_NOTICES];
	uint32_t first, last;
	/* of packets that left since measure_from_ns */
	uint64_t measure_from_ns, left, waited_sum_ns, waited_max_ns, marked, lost;
	uint64_t waits[1024]; /* histogram, ms */
};

static inline void
sim_tell(struct sim *s, uint32_t sender, bool bad)
{
	s->notice[s->last++ % SIM_NOTICES] = (struct sim_notice){ s->now_ns + s->rtt_ns, sender,
		bad };
	assert(s->last - s->first <= SIM_NOTICES);
}

/* Takes m: the si->drop of the instance, and what enqueue says of a packet that it refuses. */
static inline void
sim_drop(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	struct sim *s = (void *)si;

	(void)q;
	s->lost += s->now_ns >= s->measure_from_ns;
	sim_tell(s, m->flowid, true);
	m_free(m);
}

static inline void
sim_send(struct sim *s, uint32_t i)
{
	struct sim_sender *x = &s->sender[i];

	while (x->on_the_way < (uint32_t)x->window) {
		struct mbuf *m = dn_udp4(i, SIM_PACKET, s->ecn);

		m->flowid = i;
		m->when_ns = s->now_ns;
		x->on_the_way++;
		if (s->si.packets >= s->limit)
			sim_drop(&s->si, NULL, m);
		else
			s->enqueue(s, m);
	}
}

static inline void
sim_hear(struct sim *s, const struct sim_notice *n)
{
	struct sim_sender *x = &s->sender[n->sender];

	x->on_the_way--;
	if (!n->bad) {
		x->window += x->slow_start ? 1 : 1 / x->window;
	} else if (s->now_ns >= x->halved_ns + s->rtt_ns) {
		x->halved_ns = s->now_ns;
		x->slow_start = false;
		x->window = x->window < 4 ? 2 : x->window / 2;
	}
	sim_send(s, n->sender);
}

static inline void
sim_leave(struct sim *s)
{
	struct mbuf *m = s->dequeue(s);
	uint64_t waited;
	bool marked;

	if (m == NULL)
		return;
	waited = s->now_ns - m->when_ns;
	marked = (m->data[1] & 3) == DN_CE;
	s->free_ns = s->now_ns + m->len * UINT64_C(8000000000) / s->rate_bps;
	s->sender[m->flowid].delivered++;
	sim_tell(s, m->flowid, marked);
	if (s->now_ns >= s->measure_from_ns) {
		s->left++;
		s->marked += marked;
		s->waited_sum_ns += waited;
		if (waited > s->waited_max_ns)
			s->waited_max_ns = waited;
		s->waits[waited / NS_PER_MS < 1023 ? waited / NS_PER_MS : 1023]++;
	}
	m_free(m);
}

static inline void
sim_run(struct sim *s, uint64_t until_ns)
{
	for (uint32_t i = 0; i < s->senders; i++) {
		if (s->sender[i].window < 1)
			s->sender[i] = (struct sim_sender){ .window = 2, .slow_start = true };
		sim_send(s, i);
	}
	while (s->now_ns < until_ns) {
		const uint64_t leave = s->si.packets == 0 ? NS_NEVER :
		    s->free_ns > s->now_ns                ? s->free_ns :
							    s->now_ns;
		const uint64_t hear = s->first == s->last ?
		    NS_NEVER :
		    s->notice[s->first % SIM_NOTICES].when_ns;

		if (leave == NS_NEVER && hear == NS_NEVER)
			return;
		s->now_ns = hear <= leave ? hear : leave;
		if (hear <= leave)
			sim_hear(s, &s->notice[s->first++ % SIM_NOTICES]);
		else
			sim_leave(s);
	}
}

static inline double
sim_mean_ms(const struct sim *s)
{
	return s->left == 0 ? 0 : (double)s->waited_sum_ns / (double)s->left / 1e6;
}

/* The waiting time below which q (0 … 1) of the packets were. */
static inline uint32_t
sim_quantile_ms(const struct sim *s, double q)
{
	uint64_t seen = 0;
	uint32_t ms = 0;

	while (ms < 1023 && (double)(seen += s->waits[ms]) < q * (double)s->left)
		ms++;
	return ms;
}

/* Share of the link that was used since measure_from_ns. */
static inline double
sim_used(const struct sim *s)
{
	return (double)s->left * SIM_PACKET * 8 * 1e9 /
	    ((double)(s->now_ns - s->measure_from_ns) * (double)s->rate_bps);
}

#endif
