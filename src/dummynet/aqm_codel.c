/*
 * aqm_codel.c - CoDel (RFC 8289): a queue is bad when its packets' waiting time stays above a target
 * for a whole interval.
 *
 * Then one packet is dropped, and as long as the time stays above, the next ones after interval /
 * sqrt(2), interval / sqrt(3) … each, so that the drop rate grows linearly with time and with it a
 * TCP's throughput falls (RFC 8289 3.3). The RFC's dodeque and deque are one state machine here that is
 * asked packet by packet: a verdict "drop" is followed by the question about the next packet at the
 * same time.
 */
#include "dummynet/dn_aqm.h"

struct codel {
	uint64_t
	    first_above_ns;    /* when the time will have been above for an interval; 0: it isn't */
	uint64_t drop_next_ns; /* the next drop, while dropping; once behind, the last one's time */
	uint32_t count;        /* drops since dropping began */
	uint32_t last_count;   /* count as it was when dropping began last */
	uint32_t longest;      /* longest packet so far, bytes */
	bool dropping;
	bool
	    moves; /* a drop has been: drop_next moves on if the next packet's time is above, too */
};

/* floor(sqrt(n)), digit by digit. */
static uint64_t
square_root(uint64_t n)
{
	uint64_t root = 0, bit = UINT64_C(1) << 62;

	while (bit > n)
		bit >>= 2;
	for (; bit != 0; bit >>= 2) {
		if (n >= root + bit) {
			n -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/*
 * The control law (RFC 8289 5.6): interval / sqrt(count), as sqrt(interval^2 / count) to the ns. An
 * interval above 4.29 s, whose square has no room, to 4 ns.
 */
static uint64_t
control_law(uint64_t from_ns, uint64_t interval_ns, uint32_t count)
{
	const unsigned coarse = interval_ns > UINT32_MAX ? 2 : 0;
	const uint64_t interval = interval_ns >> coarse;

	return from_ns + (square_root(interval * interval / count) << coarse);
}

/* Has the time been above the target for an interval? A queue of one packet is never too long. */
static bool
may_drop(struct codel *s, const struct dn_aqm_config *c, const struct dn_queue *q,
    const struct mbuf *m, uint64_t now_ns)
{
	if (m->len > s->longest)
		s->longest = m->len;
	if (now_ns < m->when_ns + c->codel.target_ns || q->bytes <= s->longest) {
		s->first_above_ns = 0;
		return false;
	}
	if (s->first_above_ns == 0) {
		s->first_above_ns = now_ns + c->codel.interval_ns;
		return false;
	}
	return now_ns >= s->first_above_ns;
}

/*
 * Dropping begins; if it ended only lately, at about the rate that was right then: count is what it
 * had grown by (RFC 8289 5.5).
 */
static void
begin_dropping(struct codel *s, uint64_t interval_ns, uint64_t now_ns)
{
	const uint32_t grown = s->count - s->last_count;

	s->count = grown > 1 && now_ns < s->drop_next_ns + 16 * interval_ns ? grown : 1;
	s->last_count = s->count;
	s->drop_next_ns = control_law(now_ns, interval_ns, s->count);
	s->dropping = true;
	s->moves = false;
}

static enum dn_aqm_verdict
codel_dequeue(struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns)
{
	const struct dn_aqm_config *c = a->config;
	struct codel *s = dn_aqm_own(a);

	if (!may_drop(s, c, q, m, now_ns)) {
		s->dropping = false;
		return DN_AQM_PASS;
	}
	if (!s->dropping) {
		begin_dropping(s, c->codel.interval_ns, now_ns);
	} else {
		if (s->moves)
			s->drop_next_ns = control_law(
			    s->drop_next_ns, c->codel.interval_ns, s->count);
		s->moves = now_ns >= s->drop_next_ns;
		if (!s->moves)
			return DN_AQM_PASS;
		s->count++;
	}
	return c->ecn ? DN_AQM_MARK : DN_AQM_DROP;
}

static const struct dn_aqm_policy codel_policy = {
	.kind = DN_AQM_CODEL,
	.name = "codel",
	.queue_size = sizeof(struct codel),
	.dequeue = codel_dequeue,
};
DN_AQM_DEFINE(codel_policy);
