/*
 * sched_rr.c - RR: deficit round robin (Shreedhar and Varghese, 1995).
 *
 * Queues with packets stand in a ring. Who has the turn sends while its credit pays for the packet
 * at its head; when it doesn't, the queue gets its quantum, weight x lmax bytes, and the turn goes
 * on. A queue that begins has one quantum; one that runs empty leaves its credit behind.
 *
 * O(1) for quanta not below the longest packet. Shares are exact in the long run; the delay grows
 * with the number of flows: latency (3 F - 2 phi) / R for F the sum of the quanta, phi the flow's
 * own and R the link's rate (Stiliadis and Varma, 1998).
 */
#include "dummynet/dn_ring.h"
#include "dummynet/dn_sched.h"

enum {
	RR_MAX_WEIGHT = 65536,
	RR_MAX_LEN = 2048,
	RR_DEFAULT_LEN = 1500,
};

struct rr_flow {
	struct dn_ring_node node;
	int64_t credit; /* below 0 when AQM gave a longer packet than was paid for */
	uint32_t quantum;
};

struct rr {
	struct dn_ring_node *turn;
	uint32_t flows;  /* in the ring */
	uint32_t passed; /* turns since the last packet that nobody could pay for */
};

static inline struct dn_queue *
queue_of(struct dn_ring_node *n)
{
	return (struct dn_queue *)(void *)n - 1;
}

static void
join(struct rr *rr, struct rr_flow *f)
{
	f->credit = f->quantum;
	dn_ring_join(&rr->turn, &f->node);
	rr->flows++;
}

static void
leave(struct rr *rr, struct rr_flow *f)
{
	dn_ring_leave(&rr->turn, &f->node);
	rr->flows--;
	rr->passed = 0;
}

static int
rr_queue_new(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct rr_flow *f = dn_queue_own(q);
	const uint32_t weight = q->share.weight != 0 ? q->share.weight : 1;
	const uint32_t len = q->share.max_len != 0 ? q->share.max_len : RR_DEFAULT_LEN;

	(void)si;
	f->quantum = weight * len;
	return 0;
}

static void
rr_share_changed(struct dn_sched_instance *si, struct dn_queue *q, const struct dn_share *old)
{
	struct rr_flow *f = dn_queue_own(q);

	(void)old;
	rr_queue_new(si, q);
	/* Credit of a large quantum would go on as a burst. */
	if (f->credit > f->quantum)
		f->credit = f->quantum;
}

static void
rr_queue_free(struct dn_sched_instance *si, struct dn_queue *q)
{
	if (q->head != NULL)
		leave(dn_sched_own(si), dn_queue_own(q));
}

static void
rr_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	(void)now_ns;
	if (dn_queue_append(si, q, m))
		join(dn_sched_own(si), dn_queue_own(q));
}

/* Rounds in which f can't pay. */
static uint64_t
rounds_without(struct rr_flow *f)
{
	const int64_t missing = queue_of(&f->node)->head->len - f->credit;

	return missing > 0 ? ((uint64_t)missing + f->quantum - 1) / f->quantum : 0;
}

/*
 * A whole round has passed and nobody could pay: quanta are smaller than packets. All rounds at
 * once in which this stays so; one by one they could be a thousand (packets of 64 KB, quanta of
 * 64).
 */
static void
skip_rounds(struct rr *rr)
{
	struct dn_ring_node *n = rr->turn;
	uint64_t rounds = UINT64_MAX, mine;

	do {
		mine = rounds_without((struct rr_flow *)n);
		rounds = mine < rounds ? mine : rounds;
		n = n->next;
	} while (n != rr->turn);
	do {
		struct rr_flow *f = (struct rr_flow *)n;

		f->credit += (int64_t)(rounds * f->quantum);
		n = n->next;
	} while (n != rr->turn);
	rr->passed = 0;
}

static void
pass_turn(struct rr *rr, struct rr_flow *f)
{
	f->credit += f->quantum;
	rr->turn = f->node.next;
	if (++rr->passed > rr->flows)
		skip_rounds(rr);
}

static struct mbuf *
rr_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct rr *rr = dn_sched_own(si);
	struct mbuf *m;

	while (rr->turn != NULL) {
		struct rr_flow *f = (struct rr_flow *)rr->turn;
		struct dn_queue *q = queue_of(&f->node);

		if (q->head->len > f->credit) {
			pass_turn(rr, f);
			continue;
		}
		m = dn_queue_pop(si, q, now_ns);
		rr->passed = 0;
		if (q->head == NULL)
			leave(rr, f);
		if (m != NULL) {
			f->credit -= m->len;
			return m;
		}
	}
	return NULL;
}

static const struct dn_sched_part rr_part = {
	.name = "RR",
	.number = 3,
	.flags = DN_SCHED_FLOWS,
	.instance_size = sizeof(struct rr),
	.queue_size = sizeof(struct rr_flow),
	.max_weight = RR_MAX_WEIGHT,
	.max_max_len = RR_MAX_LEN,
	.default_max_len = RR_DEFAULT_LEN,
	.queue_new = rr_queue_new,
	.queue_free = rr_queue_free,
	.share_changed = rr_share_changed,
	.enqueue = rr_enqueue,
	.dequeue = rr_dequeue,
};
DN_SCHED_DEFINE(rr_part);
