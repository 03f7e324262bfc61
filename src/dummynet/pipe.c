/*
 * pipe.c - a link's one direction in virtual and in live time.
 *
 *	pipe_enqueue	the shaper of the sending interface: loss · queue limit · serialisation ·
 *			the frame's time becomes that of its delivery, and it goes into flight
 *	pipe_run	the event source: frames that are due leave in batches to the peer
 *
 * A frame's fate is known when it enters: nothing happens when its serialisation ends, so there is
 * one event per batch of deliveries and none else. What the queue limit needs, how many frames are
 * still waiting at a time t, is read from a ring of the times at which they have left, which the
 * limit itself bounds. Frames in flight lie in another ring and are in nobody's way: a delay never
 * costs throughput.
 *
 * Time: the end of serialisation is kept exactly, as whole ns and a remainder in units of 1/rate
 * ns, so that a thousand frames back to back take exactly a thousand times as long as one.
 */
#include "dummynet/pipe.h"

#include "kern/eventhandler.h"
#include "net/epair.h"
#include "net/ethernet.h"

#include <errno.h>
#include <stdio.h>

DROP_DEFINE(DROP_PIPE_QUEUE, "pipe", "queue", "queue of the link is full");
DROP_DEFINE(DROP_PIPE_LOSS, "pipe", "loss", "lost on the link");
DROP_DEFINE(DROP_PIPE_GONE, "pipe", "gone", "link was removed while the frame was in flight");
DROP_DEFINE(DROP_PIPE_NOBUF, "pipe", "nobuf", "no memory for frames in flight");

enum { QUEUE_DEFAULT = 50, FLIGHT_MIN = 16 };

/*
 * Frames that are fetched this many places before they are due: half a batch covers a miss to
 * memory (6.4 -> 14 million packet-hops/s, bench chain).
 */
enum { PREFETCH = 32 };

/* A frame in flight. The time stands here too, so that asking for it doesn't touch the frame. */
struct flying {
	uint64_t when_ns; /* = m->when_ns, delivery */
	struct mbuf *m;
};

/* A frame that waits or is being serialised. */
struct waiting {
	uint64_t gone_ns; /* its last bit has left */
	uint32_t len;
};

struct pipe {
	struct sched_source src; /* next_ns: delivery of the oldest frame in flight */
	struct ifnet *from;
	struct pipe_config c;

	/* serialisation; written by the sender's side */
	uint64_t busy_ns, busy_rem; /* the last frame ends at busy_ns + busy_rem / rate ns */
	uint64_t last_ns;           /* delivery of the frame before: order is kept */
	uint32_t ser_len;           /* serialisation of a frame of this length: computed once */
	uint64_t ser_ns, ser_rem;
	uint64_t loss_below; /* 53-bit random numbers below this are losses */
	uint32_t queue_limit;

	/* waiting frames: a ring of at least queue_limit places */
	struct waiting *wait;
	uint32_t wait_head, wait_tail, wait_mask;
	uint64_t wait_bytes;

	struct flying *flight;
	uint32_t head, tail, mask;
	bool running; /* in pipe_run: it will say itself what comes next */

	struct pipe_stats st;
	struct delay_hist *queueing; /* NULL until a frame has entered */
	struct rng rng;
	LIST_ENTRY(pipe) link;
};

static uint64_t pipe_live; /* atomic */
static struct event_tag *arrival_tag, *departure_tag;

AUDIT_COUNTER(pipe, "pipe", pipe_live);

/* --- the sender's side ------------------------------------------------------------------------ */

/*
 * Time for len bytes at the pipe's rate: whole ns and remainder, kept for the next frame of that
 * length.
 */
static void
serialisation_set(struct pipe *p, uint32_t len)
{
	unsigned __int128 bits_ns = (unsigned __int128)len * 8 * NS_PER_SEC;

	p->ser_len = len;
	p->ser_ns = (uint64_t)(bits_ns / p->c.rate_bps);
	p->ser_rem = (uint64_t)(bits_ns % p->c.rate_bps);
}

/* Forget those whose last bit has left by t. */
static inline void
wait_pop(struct pipe *p, uint64_t t)
{
	while (p->wait_head != p->wait_tail && p->wait[p->wait_head & p->wait_mask].gone_ns <= t)
		p->wait_bytes -= p->wait[p->wait_head++ & p->wait_mask].len;
}

static inline bool
queue_is_full(const struct pipe *p, uint32_t len)
{
	if (p->c.queue_bytes != 0 && p->wait_bytes + len > p->c.queue_bytes)
		return true;
	return p->wait_tail - p->wait_head >= p->queue_limit;
}

/* Serialise a frame that enters at t: returns when its last bit has left. */
static inline uint64_t
serialise(struct pipe *p, uint64_t t, uint32_t len)
{
	uint64_t start = p->busy_ns, queued;

	if (t > start) {
		start = t;
		p->busy_rem = 0;
	}
	if (__builtin_expect(len != p->ser_len, 0))
		serialisation_set(p, len);
	p->busy_ns = start + p->ser_ns;
	p->busy_rem += p->ser_rem;
	if (p->busy_rem >= p->c.rate_bps) {
		p->busy_rem -= p->c.rate_bps;
		p->busy_ns++;
	}
	p->st.busy_ns += p->busy_ns - start;
	delay_hist_add(p->queueing, start - t);
	p->wait[p->wait_tail++ & p->wait_mask] = (struct waiting){ p->busy_ns, len };
	p->wait_bytes += len;
	queued = p->wait_tail - p->wait_head;
	if (queued > p->st.max_queue)
		p->st.max_queue = (uint32_t)queued;
	return p->busy_ns;
}

/* Twice as many places in flight; false without memory. */
static bool
flight_grow(struct pipe *p)
{
	uint32_t size = p->flight == NULL ? FLIGHT_MIN : (p->mask + 1) * 2;
	struct flying *flight = vnet_malloc(size * sizeof(*flight));

	if (flight == NULL)
		return false;
	for (uint32_t i = p->head; i != p->tail; i++)
		flight[i & (size - 1)] = p->flight[i & p->mask];
	vnet_free(p->flight);
	p->flight = flight;
	p->mask = size - 1;
	return true;
}

static void
pipe_drop(struct pipe *p, struct mbuf *m, const struct drop_reason *why)
{
	p->from->if_data.oqdrops++;
	m_drop(m, why);
}

static inline void
transit_add(struct pipe_stats *st, uint64_t ns)
{
	if (ns < st->transit_min_ns || st->transit_packets == 0)
		st->transit_min_ns = ns;
	if (ns > st->transit_max_ns)
		st->transit_max_ns = ns;
	st->transit_packets++;
	st->transit_sum_ns += ns;
}

/* The shaper of the sending interface. Takes the batch. */
static void
pipe_enqueue(struct ifnet *ifp, struct batch *b, void *ctx)
{
	struct pipe *p = ctx;
	bool was_idle = p->head == p->tail;

	(void)ifp;
	batch_foreach(b, m) {
		uint64_t t = m->when_ns, at = t;

		p->st.in_packets++;
		p->st.in_bytes += m->len;
		if (p->loss_below != 0 && rng_u64(&p->rng) >> 11 < p->loss_below) {
			p->st.drop_loss++;
			pipe_drop(p, m, &DROP_PIPE_LOSS);
			continue;
		}
		if (__builtin_expect(p->tail - p->head == p->mask + 1 || p->flight == NULL, 0) &&
		    !flight_grow(p)) {
			p->st.drop_queue++;
			pipe_drop(p, m, &DROP_PIPE_NOBUF);
			continue;
		}
		if (p->c.rate_bps != 0) {
			wait_pop(p, t);
			if (__builtin_expect(queue_is_full(p, m->len), 0)) {
				p->st.drop_queue++;
				pipe_drop(p, m, &DROP_PIPE_QUEUE);
				continue;
			}
			at = serialise(p, t, m->len);
		}
		at += p->c.delay_ns;
		if (p->c.jitter_ns != 0)
			at += rng_below(&p->rng, p->c.jitter_ns);
		if (__builtin_expect(at < p->last_ns, 0))
			at = p->last_ns;
		p->last_ns = at;
		transit_add(&p->st, at - t);
		m->when_ns = at;
		/*
		 * What it was to this stack ends here; the interface may be gone when it arrives.
		 */
		m->rcvif = NULL;
		p->flight[p->tail++ & p->mask] = (struct flying){ at, m };
	}
	b->n = 0;
	if (was_idle && p->head != p->tail && !p->running)
		sched_update(&p->src, p->flight[p->head & p->mask].when_ns);
}

/* --- the receiver's side ---------------------------------------------------------------------- */

static void
pipe_run(struct sched_source *src, uint64_t until_ns)
{
	struct pipe *p = (struct pipe *)(void *)src;
	struct batch b;
	uint64_t bytes = 0;

	b.n = 0;
	do {
		const struct flying *f = &p->flight[p->head & p->mask];

		if (f->when_ns >= until_ns && b.n > 0)
			break;
		/*
		 * Frames in flight have left the caches: header, and where the frame as a rule
		 * begins.
		 */
		if (p->tail - p->head > PREFETCH) {
			const struct mbuf *ahead = p->flight[(p->head + PREFETCH) & p->mask].m;

			__builtin_prefetch(ahead);
			__builtin_prefetch(
			    (const uint8_t *)(ahead + 1) + M_HEADROOM - ETHER_HDR_LEN_);
		}
		p->head++;
		bytes += f->m->len;
		batch_add(&b, f->m);
	} while (p->head != p->tail && b.n < sched_max_batch);
	p->st.out_packets += b.n;
	p->st.out_bytes += bytes;

	p->running = true;
	epair_deliver(p->from, &b);
	p->running = false;
	src->next_ns = p->head != p->tail ? p->flight[p->head & p->mask].when_ns : NS_NEVER;
}

/* --- configuration ---------------------------------------------------------------------------- */

/* Where what `from` sends happens. */
static struct sched_domain *
receiver_domain(struct ifnet *from)
{
	struct ifnet *peer = epair_peer(from);

	return peer != NULL && peer->if_vnet != NULL ? peer->if_vnet->domain : NULL;
}

uint64_t
pipe_lookahead(const struct pipe *p)
{
	uint64_t ser_ns = p->c.rate_bps == 0 ?
	    0 :
	    (uint64_t)((unsigned __int128)ETHER_HDR_LEN_ * 8 * NS_PER_SEC / p->c.rate_bps);

	return p->c.delay_ns + ser_ns;
}

/* A pipe that joins two domains must not be quicker than what the scheduler relies on. */
static void
lookahead_lower(struct ifnet *from, uint64_t lookahead_ns)
{
	const struct ifnet *peer = epair_peer(from);

	if (from->if_vnet != NULL && peer->if_vnet != NULL &&
	    from->if_vnet->domain != peer->if_vnet->domain && lookahead_ns < sched_lookahead())
		sched_set_lookahead(lookahead_ns);
}

struct pipe *
pipe_of(const struct ifnet *from)
{
	return from->if_shaper == pipe_enqueue ? from->if_shaper_ctx : NULL;
}

/* Room for `limit` waiting frames, those that wait kept. 0 or -ENOMEM. */
static int
wait_resize(struct pipe *p, uint32_t limit)
{
	uint32_t size = 16;
	struct waiting *wait;

	/* Frames that wait already stay when the limit is lowered. */
	if (limit < p->wait_tail - p->wait_head)
		limit = p->wait_tail - p->wait_head;
	while (size < limit)
		size *= 2;
	if (p->wait != NULL && size == p->wait_mask + 1)
		return 0;
	wait = vnet_malloc(size * sizeof(*wait));
	if (wait == NULL)
		return -ENOMEM;
	for (uint32_t i = p->wait_head; i != p->wait_tail; i++)
		wait[i & (size - 1)] = p->wait[i & p->wait_mask];
	vnet_free(p->wait);
	p->wait = wait;
	p->wait_mask = size - 1;
	return 0;
}

static void
pipe_free(struct pipe *p)
{
	delay_hist_free(p->queueing);
	vnet_free(p->wait);
	vnet_free(p->flight);
	vnet_free(p);
	__atomic_fetch_sub(&pipe_live, 1, __ATOMIC_RELAXED);
}

static struct pipe *
pipe_new(struct ifnet *from)
{
	struct pipe *p = vnet_malloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	__atomic_fetch_add(&pipe_live, 1, __ATOMIC_RELAXED);
	p->queueing = delay_hist_new();
	if (p->queueing == NULL) {
		pipe_free(p);
		return NULL;
	}
	p->from = from;
	p->src.next_ns = NS_NEVER;
	p->src.run = pipe_run;
	return p;
}

/* The stream of a link's chance: its stack and interface, whatever else there is. */
static void
pipe_seed(struct pipe *p)
{
	char stream[96];

	snprintf(stream, sizeof(stream), "pipe %s %s",
	    p->from->if_vnet != NULL ? vnet_name(p->from->if_vnet) : "", p->from->if_xname);
	rng_seed(&p->rng, rng_process_seed, stream);
}

static int
config_check(const struct pipe_config *c)
{
	/*
	 * A queue of a million frames is beyond any link; more would only hide a slip of the pen.
	 */
	if (!(c->loss >= 0 && c->loss <= 1) || c->queue_packets > 1000000 ||
	    c->delay_ns > 3600 * NS_PER_SEC || c->jitter_ns > 3600 * NS_PER_SEC ||
	    c->rate_bps > UINT64_C(1000000000000000))
		return -EINVAL;
	return 0;
}

int
pipe_attach(struct ifnet *from, const struct pipe_config *c)
{
	struct pipe *p = pipe_of(from), *made = NULL;
	uint32_t limit = c->queue_packets != 0 ? c->queue_packets :
	    c->queue_bytes != 0                ? (uint32_t)(c->queue_bytes / ETHER_HDR_LEN_ + 1) :
						 QUEUE_DEFAULT;
	int error;

	if (epair_peer(from) == NULL || (p == NULL && from->if_shaper != NULL))
		return -EINVAL;
	if ((error = config_check(c)) != 0)
		return error;
	if (limit > 1000000)
		limit = 1000000;
	if (p == NULL && (p = made = pipe_new(from)) == NULL)
		return -ENOMEM;
	if (c->rate_bps != 0 && (error = wait_resize(p, limit)) != 0) {
		if (made != NULL)
			pipe_free(made);
		return error;
	}
	/* The remainder is in units of the old rate; less than a ns is lost once. */
	if (c->rate_bps != p->c.rate_bps) {
		p->busy_rem = 0;
		p->ser_len = 0;
		p->ser_ns = p->ser_rem = 0;
	}
	if (c->rate_bps == 0) {
		p->wait_head = p->wait_tail = 0;
		p->wait_bytes = 0;
		p->busy_ns = 0;
	}
	p->c = *c;
	p->queue_limit = limit;
	p->loss_below = (uint64_t)(c->loss * 9007199254740992.0 /* 2^53 */);
	if (made != NULL) {
		pipe_seed(p);
		sched_add(&p->src, receiver_domain(from));
		from->if_shaper_ctx = p;
		from->if_shaper = pipe_enqueue;
	}
	lookahead_lower(from, pipe_lookahead(p));
	return 0;
}

/* Take the pipe out of the cable, and what is in flight with it. */
static void
pipe_remove(struct ifnet *from, struct pipe *p)
{
	from->if_shaper = NULL;
	from->if_shaper_ctx = NULL;
	sched_remove(&p->src);
	VNET_SCOPE(from->if_vnet);
	for (; p->head != p->tail; p->head++)
		m_drop(p->flight[p->head & p->mask].m, &DROP_PIPE_GONE);
	pipe_free(p);
}

void
pipe_detach(struct ifnet *from)
{
	struct pipe *p = pipe_of(from);

	if (p == NULL)
		return;
	pipe_remove(from, p);
	lookahead_lower(from, 0);
}

const struct pipe_config *
pipe_config(const struct pipe *p)
{
	return &p->c;
}

void
pipe_config_get(const struct pipe *p, struct pipe_config *c)
{
	*c = p->c;
	if (c->queue_packets == 0 && c->queue_bytes == 0)
		c->queue_packets = QUEUE_DEFAULT;
}

void
pipe_stats(const struct pipe *p, struct pipe_stats *st)
{
	*st = p->st;
	st->queueing = p->queueing;
}

/* --- interfaces that move and go -------------------------------------------------------------- */

/* An end has come to another stack: what its partner sends happens in that stack's domain now. */
static void
pipe_if_arrives(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1, *peer = epair_peer(ifp);
	struct pipe *p = peer != NULL ? pipe_of(peer) : NULL;

	(void)ctx;
	(void)arg2;
	if (p != NULL) {
		sched_remove(&p->src);
		sched_add(&p->src, receiver_domain(peer));
		lookahead_lower(peer, pipe_lookahead(p));
	}
	if ((p = pipe_of(ifp)) != NULL)
		lookahead_lower(ifp, pipe_lookahead(p));
}

/* An end that goes for good takes the link with it; one that moves keeps it. */
static void
pipe_if_departs(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	struct pipe *p = pipe_of(ifp);

	(void)ctx;
	(void)arg2;
	if (p != NULL && (ifp->if_flags & IFF_DYING_))
		pipe_remove(ifp, p);
}

static void
pipe_init(void *arg)
{
	(void)arg;
	event_register(
	    &arrival_tag, "ifnet_arrival", EVENT_HERE, pipe_if_arrives, NULL, EVENT_PRI_ANY);
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, pipe_if_departs, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(pipe, SI_SUB_NET, SI_ORDER_ANY, pipe_init, NULL);
