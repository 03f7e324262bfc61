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

/*
 * A table of its own for n flows; the old one, with what waits in it, is the caller's. Flows are made
 * when they are needed: of a thousand that may be, most links ever see a few.
 */
static int
table_new(struct fq *fq, uint32_t n)
{
	struct fq_flow **table = dn_alloc(n * sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	fq->table = table;
	fq->n = n;
	fq->fresh = fq->seasoned = (struct fq_list){ NULL, NULL };
	return 0;
}

static void
table_free(struct fq *fq)
{
	for (uint32_t i = 0; i < fq->n; i++)
		dn_free(fq->table[i]);
	dn_free(fq->table);
}

static struct fq_flow *
flow_new(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;
	struct fq_flow *f = dn_alloc(sizeof(*f) + dn_aqm_size());

	if (f == NULL)
		return NULL;
	f->q.aqm = (void *)(f + 1);
	dn_aqm_init(f->q.aqm, &p->aqm, &fq->rng, clock_now());
	return f;
}

/* NULL: no memory. */
static struct fq_flow *
flow_of(struct dn_sched_instance *si, const struct mbuf *m)
{
	struct fq *fq = dn_sched_own(si);
	struct fq_flow **f =
	    &fq->table[((unsigned __int128)dn_flow_hash(m, si->seed) * fq->n) >> 64];

	if (*f == NULL)
		*f = flow_new(si);
	return *f;
}

int
fq_instance_new(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;

	rng_seed(&fq->rng, si->seed, "fq");
	return table_new(fq, p->flows);
}

void
fq_instance_free(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);

	table_free(fq);
	*fq = (struct fq){ 0 };
}

/* --- packets come ----------------------------------------------------------------------------- */

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
	const struct fq_param *p = si->param;
	struct fq_flow *f = flow_of(si, m);

	(void)none;
	if (f == NULL || !dn_aqm_admit(f->q.aqm, &f->q, m, now_ns)) {
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
 * memory for the table the old number stays.
 */
static void
spread_anew(struct dn_sched_instance *si, uint32_t n)
{
	struct fq *fq = dn_sched_own(si), old = *fq;

	if (table_new(fq, n) != 0)
		return;
	for (uint32_t i = 0; i < old.n; i++) {
		struct dn_queue *q = old.table[i] != NULL ? &old.table[i]->q : NULL;

		while (q != NULL && q->head != NULL) {
			struct mbuf *m = dn_queue_take(si, q);
			struct fq_flow *f = flow_of(si, m);

			if (f != NULL)
				append(si, f, m);
			else
				si->drop(si, NULL, m);
		}
	}
	table_free(&old);
}

void
fq_param_changed(struct dn_sched_instance *si)
{
	struct fq *fq = dn_sched_own(si);
	const struct fq_param *p = si->param;

	for (uint32_t i = 0; i < fq->n; i++) {
		if (fq->table[i] == NULL)
			continue;
		fq->table[i]->q.aqm->config = &p->aqm;
		dn_aqm_config_changed(fq->table[i]->q.aqm);
	}
	if (p->flows != fq->n)
		spread_anew(si, p->flows);
	while (si->packets > p->limit)
		make_room(si);
}
