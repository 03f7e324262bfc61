/*
 * sched_fq.c - fair queuing with a policy in each flow's queue (RFC 8290), without configuration of
 * flows: they are told apart by a hash of addresses, protocol and ports.
 *
 *	enqueue		hash -> flow; the flow's policy -> its queue; an idle flow is fresh;
 *			too many packets -> the fattest flow loses some at its head
 *	dequeue		fresh flows first, then seasoned ones, in turns of a quantum each
 *
 * A flow that sends less than its share is idle again before its turn is over, and so is always
 * fresh: its packets pass the queues of all that fill the link. A fresh flow that has run empty is
 * seasoned before it is idle, or it could come back fresh at once and starve the others (RFC 8290 4.2).
 */
#include "dummynet/sched_fq.h"

#include "base/clock.h"
#include "kern/verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum fq_state { FQ_IDLE, FQ_FRESH, FQ_SEASONED };

/* Its policy's state stands behind it. */
struct fq_flow {
	struct dn_queue q;
	struct fq_flow *next; /* in its list */
	int64_t credit;       /* bytes */
	enum fq_state state;
};

enum { LOSE_AT_ONCE = 64 };

/* --- parameters ------------------------------------------------------------------------------- */

void
fq_param_init(struct fq_param *p, enum dn_aqm_kind kind)
{
	dn_aqm_defaults(&p->aqm, kind);
	p->quantum = 1514;
	p->limit = 10240;
	p->flows = 1024;
}

/* Small quanta cost a round of turns for each packet, many flows a scan when the limit is reached. */
static const struct {
	const char *name;
	size_t offset;
	uint64_t min, max;
	const char *why;
} numbers[] = {
	{ "quantum", offsetof(struct fq_param, quantum), 64, 65535,
	    "quantum must be from 64 to 65535 bytes" },
	{ "limit", offsetof(struct fq_param, limit), 1, 65536,
	    "limit must be from 1 to 65536 packets" },
	{ "flows", offsetof(struct fq_param, flows), 1, 65536, "flows must be from 1 to 65536" },
};

int
fq_param_word(void *param, int argc, char **argv, const char **why)
{
	struct fq_param *p = param;
	uint64_t n;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcasecmp(argv[0], numbers[i].name) != 0)
			continue;
		if (argc < 2 || !verb_number(argv[1], numbers[i].min, numbers[i].max, &n)) {
			*why = numbers[i].why;
			return -1;
		}
		*(uint32_t *)(void *)((uint8_t *)p + numbers[i].offset) = (uint32_t)n;
		return 2;
	}
	return dn_aqm_word(&p->aqm, argc, argv, why);
}

void
fq_param_text(const void *param, char *text, size_t len)
{
	const struct fq_param *p = param;
	char aqm[200];

	dn_aqm_text(&p->aqm, aqm, sizeof(aqm));
	snprintf(text, len, "%s quantum %u limit %u flows %u", aqm, p->quantum, p->limit, p->flows);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void
list_append(struct fq_list *list, struct fq_flow *f, enum fq_state state)
{
	f->state = state;
	f->next = NULL;
	if (list->head == NULL)
		list->head = f;
	else
		list->tail->next = f;
	list->tail = f;
}

static void
list_remove_head(struct fq_list *list)
{
	list->head->state = FQ_IDLE;
	list->head = list->head->next;
}

/* --- flows ------------------------------------------------------------------------------------ */

static struct fq_flow *
flow_at(const struct fq *fq, uint32_t i)
{
	return (void *)(fq->table + i * fq->stride);
}

/* A table of its own for n flows; the old one, with what waits in it, is the caller's. */
static int
table_new(struct fq *fq, const struct fq_param *p, uint64_t now_ns)
{
	const size_t stride = (sizeof(struct fq_flow) + dn_aqm_size() + 7) & ~(size_t)7;
	uint8_t *table = dn_alloc(p->flows * stride);

	if (table == NULL)
		return -ENOMEM;
	fq->table = table;
	fq->stride = stride;
	fq->n = p->flows;
	fq->fresh = fq->seasoned = (struct fq_list){ NULL, NULL };
	for (uint32_t i = 0; i < fq->n; i++) {
		struct fq_flow *f = flow_at(fq, i);

		f->q.aqm = (void *)(f + 1);
		dn_aqm_init(f->q.aqm, &p->aqm, &fq->rng, now_ns);
	}
	return 0;
}

int
fq_instance_new(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);

	rng_seed(&fq->rng, si->seed, "fq");
	return table_new(fq, si->param, clock_now());
}

void
fq_instance_free(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);

	dn_free(fq->table);
	fq->table = NULL;
}

/* --- packets come ----------------------------------------------------------------------------- */

static struct fq_flow *
flow_of(const struct fq *fq, const struct mbuf *m, uint64_t seed)
{
	return flow_at(fq, (uint32_t)(((unsigned __int128)dn_flow_hash(m, seed) * fq->n) >> 64));
}

static void
append(struct dn_sched_instance *si, struct fq_flow *f, struct mbuf *m)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;

	dn_queue_append(si, &f->q, m);
	if (f->state != FQ_IDLE)
		return;
	f->credit = p->quantum;
	list_append(&fq->fresh, f, FQ_FRESH);
}

static struct fq_flow *
fatter(struct fq_flow *fattest, const struct fq_list *list)
{
	for (struct fq_flow *f = list->head; f != NULL; f = f->next)
		if (f->q.head != NULL && (fattest == NULL || f->q.bytes > fattest->q.bytes))
			fattest = f;
	return fattest;
}

/*
 * The flow with the most bytes loses half of its packets, at most 64 of them, at its head, where its
 * sender learns of it soonest (RFC 8290 4.1); so the search is paid once for many packets.
 */
static void
make_room(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);
	struct fq_flow *f = fatter(fatter(NULL, &fq->fresh), &fq->seasoned);
	uint32_t n = (f->q.packets + 1) / 2;

	for (n = n < LOSE_AT_ONCE ? n : LOSE_AT_ONCE; n > 0; n--) {
		struct mbuf *m = dn_queue_take(si, &f->q);

		f->q.dropped++;
		si->drop(si, &f->q, m);
	}
}

void
fq_enqueue(struct dn_sched_instance *si, struct dn_queue *none, struct mbuf *m, uint64_t now_ns)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;
	struct fq_flow *f = flow_of(fq, m, si->seed);

	(void)none;
	if (!dn_aqm_admit(f->q.aqm, &f->q, m, now_ns)) {
		si->drop(si, NULL, m);
		return;
	}
	append(si, f, m);
	while (si->packets > p->limit)
		make_room(si);
}

/* --- packets leave ---------------------------------------------------------------------------- */

struct mbuf *
fq_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;

	for (;;) {
		struct fq_list *list = fq->fresh.head != NULL ? &fq->fresh : &fq->seasoned;
		struct fq_flow *f = list->head;
		struct mbuf *m;

		if (f == NULL)
			return NULL;
		if (f->credit <= 0) {
			f->credit += p->quantum;
			list_remove_head(list);
			list_append(&fq->seasoned, f, FQ_SEASONED);
			continue;
		}
		m = f->q.head != NULL ? dn_queue_pop(si, &f->q, now_ns) : NULL;
		if (m != NULL) {
			f->credit -= m->len;
			return m;
		}
		list_remove_head(list);
		if (list == &fq->fresh)
			list_append(&fq->seasoned, f, FQ_SEASONED);
	}
}

/* --- other parameters ------------------------------------------------------------------------- */

/*
 * Another number of flows: what waits is spread anew, each old flow's packets in their order. Without
 * memory the old number stays.
 */
static void
spread_anew(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si), old = *fq;

	if (table_new(fq, si->param, clock_now()) != 0)
		return;
	for (uint32_t i = 0; i < old.n; i++) {
		struct dn_queue *q = &flow_at(&old, i)->q;

		while (q->head != NULL) {
			struct mbuf *m = dn_queue_take(si, q);

			append(si, flow_of(fq, m, si->seed), m);
		}
	}
	dn_free(old.table);
}

void
fq_param_changed(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;

	for (uint32_t i = 0; i < fq->n; i++) {
		struct dn_aqm_queue *a = flow_at(fq, i)->q.aqm;

		a->config = &p->aqm;
		dn_aqm_config_changed(a);
	}
	if (p->flows != fq->n)
		spread_anew(si);
	while (si->packets > p->limit)
		make_room(si);
}
