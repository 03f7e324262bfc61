/*
 * netisr.c - the scheduler of packet work.
 *
 * A batch comes to netisr_dispatch and is either handled at once or queued on a workstream. A
 * workstream is a worker; it has one queue of packets, in the order of queueing over all protocols,
 * and a bound and counters per protocol. Another worker's packets come through a ring, which the
 * owner empties into its queue. What a queued packet needs to know (its protocol and stack) is kept
 * in m->nh, which has no meaning outside of a walk.
 *
 * Who touches what: the queue and its counters belong to the worker, under the workstream's lock
 * once there are several workers (netisr_purge comes from the upper half); the ring and the fields
 * named remote are for the others.
 */
#include "kern/netisr.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/sched.h"
#include "kern/drop.h"
#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/netisr_internal.h"
#include "kern/sysctl.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RING_CAPACITY = 4096,
	/*
	 * Live: how many packets netisr_run works off before the loop may look at something else.
	 */
	LIVE_QUANTUM = 4096,
};
/*
 * Virtual time doesn't move while packets wait: so many of them at one instant are a loop of wires.
 */
#define LOOP_SUSPECT (UINT64_C(1) << 24)

DROP_DEFINE(DROP_NETISR_QUEUE, "netisr", "queue", "protocol queue of the workstream is full");
DROP_DEFINE(DROP_NETISR_PROTO, "netisr", "proto", "no handler for the protocol");

const struct netisr_handler *netisr_proto[NETISR_MAXPROT];
struct netisr_workstream *netisr_workstream[WORKERS_MAX];
uint32_t netisr_proto_qlimit[NETISR_MAXPROT];
struct vnet *(*netisr_rcvif_vnet)(const struct ifnet *ifp);
void (*netisr_wakeup)(uint32_t worker_id);

/* Workstreams in the order of their workers' ids: what a flow's hash chooses from. */
static struct netisr_workstream *active[WORKERS_MAX];
static uint32_t active_n;

static bool direct = true, direct_force = true;
static uint32_t maxqlimit = 10240, defaultqlimit = 256;

/* Protocol and stack in one word: a stack's address has its low 6 bits free. */
_Static_assert(NETISR_MAXPROT <= 64, "the protocol fits below a stack's alignment");

static void *
mark_make(const struct vnet *vnet, enum netisr_proto_id proto)
{
	return (void *)((uintptr_t)vnet | (uintptr_t)proto);
}

static enum netisr_proto_id
mark_proto(const struct mbuf *m)
{
	return (enum netisr_proto_id)((uintptr_t)m->nh & 63);
}

static struct vnet *
mark_vnet(const struct mbuf *m)
{
	return (struct vnet *)((uintptr_t)m->nh & ~(uintptr_t)63);
}

static struct vnet *
packet_vnet(const struct mbuf *m)
{
	if (m->rcvif == NULL || netisr_rcvif_vnet == NULL)
		return curvnet;
	return netisr_rcvif_vnet(m->rcvif);
}

static const struct netisr_handler *
handler_of(enum netisr_proto_id proto)
{
	return (unsigned)proto < NETISR_MAXPROT ? netisr_proto[proto] : NULL;
}

/* With one worker there is nobody to lock out. */
static void
ws_lock(struct netisr_workstream *ws)
{
	if (active_n > 1)
		while (atomic_flag_test_and_set_explicit(&ws->lock, memory_order_acquire))
			continue;
}

static void
ws_unlock(struct netisr_workstream *ws)
{
	atomic_flag_clear_explicit(&ws->lock, memory_order_release);
}

static struct netisr_workstream *
ws_mine(void)
{
	return curworker->netisr;
}

/* Where a packet belongs by its protocol's policy. Fills m->flowid where that is asked for. */
static struct netisr_workstream *
ws_select(const struct netisr_handler *h, struct mbuf *m)
{
	uint32_t key;

	if (__builtin_expect(active_n == 1, 1))
		return active[0];
	switch (h->policy) {
	case NETISR_POLICY_CPU:
		if (h->m2cpu != NULL) {
			key = h->m2cpu(m);
			break;
		}
		/* FALLTHROUGH */
	case NETISR_POLICY_FLOW:
		if (m->flowid == 0 && h->m2flow != NULL)
			h->m2flow(m);
		if (m->flowid != 0) {
			key = m->flowid;
			break;
		}
		/* FALLTHROUGH */
	default: /* the source: its stack, since an interface's address differs from run to run */
		key = packet_vnet(m)->id;
		break;
	}
	return active[key % active_n];
}

/* Put a packet that is already marked into a workstream, ours or another's. False if it is full. */
static bool
ws_put(struct netisr_workstream *ws, enum netisr_proto_id proto, struct mbuf *m)
{
	struct netisr_work *w = &ws->work[proto];
	uint64_t len;

	if (ws == ws_mine()) {
		ws_lock(ws);
		len = w->len + atomic_load_explicit(&w->remote_len, memory_order_relaxed);
		if (len >= netisr_proto_qlimit[proto]) {
			count_add(&w->qdrops, 1);
			ws_unlock(ws);
			return false;
		}
		mbufq_push(&ws->queue, m);
		count_add(&w->len, 1);
		count_add(&w->queued, 1);
		count_top(&w->watermark, len + 1);
		ws_unlock(ws);
		return true;
	}
	len = atomic_fetch_add_explicit(&w->remote_len, 1, memory_order_relaxed) +
	    count_get(&w->len);
	if (len >= netisr_proto_qlimit[proto] || !ring_put(ws->ring, m)) {
		atomic_fetch_sub_explicit(&w->remote_len, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&w->remote_qdrops, 1, memory_order_relaxed);
		return false;
	}
	atomic_fetch_add_explicit(&w->remote_queued, 1, memory_order_relaxed);
	if (netisr_wakeup != NULL)
		netisr_wakeup(ws->id);
	return true;
}

/* Owner, or the upper half, under the lock: what others have sent joins the queue. */
static void
ws_take_ring(struct netisr_workstream *ws)
{
	struct mbuf *m;

	while ((m = ring_get(ws->ring)) != NULL) {
		struct netisr_work *w = &ws->work[mark_proto(m)];

		atomic_fetch_sub_explicit(&w->remote_len, 1, memory_order_relaxed);
		count_add(&w->len, 1);
		count_top(&w->watermark, w->len);
		mbufq_push(&ws->queue, m);
	}
}

/* Call the handler in the current stack. */
static void
handle(const struct netisr_handler *h, struct batch *b)
{
	VNET_ENTRANCE(h->name);

	h->handler(b);
}

static void
drop_batch(struct batch *b, const struct drop_reason *why)
{
	batch_foreach(b, m)
		m_drop(m, why);
	b->n = 0;
}

static void
queue_batch(const struct netisr_handler *h, struct netisr_workstream *ws, struct batch *b)
{
	struct ifnet *rcvif = b->m[0]->rcvif;
	uint32_t refused = 0;

	batch_foreach(b, m) {
		m->nh = mark_make(curvnet, h->proto);
		if (!ws_put(ws != NULL ? ws : ws_select(h, m), h->proto, m)) {
			m_drop(m, &DROP_NETISR_QUEUE);
			refused++;
		}
	}
	b->n = 0;
	if (refused > 0 && h->drained != NULL)
		h->drained(rcvif, refused);
}

/* Hybrid: at once where the packet already is where it belongs and nothing waits before it. */
static void
dispatch_hybrid(const struct netisr_handler *h, struct batch *b)
{
	struct netisr_workstream *mine = ws_mine(), *ws = ws_select(h, b->m[0]);
	uint32_t n = b->n;

	if (active_n > 1)
		for (uint32_t i = 1; i < b->n; i++)
			if (ws_select(h, b->m[i]) != ws) {
				queue_batch(h, NULL, b);
				return;
			}
	if (ws != mine || mine->running || mine->work[h->proto].len > 0) {
		queue_batch(h, ws, b);
		return;
	}
	count_add(&mine->work[h->proto].hybrid_dispatched, n);
	count_add(&mine->work[h->proto].handled, n);
	handle(h, b);
}

void
netisr_dispatch(enum netisr_proto_id proto, struct batch *b)
{
	const struct netisr_handler *h = handler_of(proto);
	struct netisr_work *w;

	if (b->n == 0)
		return;
	if (__builtin_expect(h == NULL, 0)) {
		drop_batch(b, &DROP_NETISR_PROTO);
		return;
	}
	if (__builtin_expect(direct && direct_force, 1)) {
		w = &ws_mine()->work[proto];
		count_add(&w->dispatched, b->n);
		count_add(&w->handled, b->n);
		handle(h, b);
	} else if (direct) {
		dispatch_hybrid(h, b);
	} else {
		queue_batch(h, NULL, b);
	}
}

bool
netisr_queue(enum netisr_proto_id proto, struct mbuf *m)
{
	const struct netisr_handler *h = handler_of(proto);
	void *nh = m->nh;

	if (h == NULL)
		return false;
	m->nh = mark_make(packet_vnet(m), proto);
	if (ws_put(ws_select(h, m), proto, m))
		return true;
	m->nh = nh;
	return false;
}

/* The next packets of one protocol, stack and interface that follow each other in the queue. */
static bool
next_batch(struct netisr_workstream *ws, struct batch *b)
{
	struct netisr_work *w;
	struct mbuf *m;
	void *mark;

	b->n = 0;
	ws_lock(ws);
	if (ws->queue.head == NULL || active_n > 1)
		ws_take_ring(ws);
	m = ws->queue.head;
	if (m == NULL) {
		ws_unlock(ws);
		return false;
	}
	mark = m->nh;
	w = &ws->work[mark_proto(m)];
	while (m != NULL && m->nh == mark && !batch_full(b) &&
	    (b->n == 0 || m->rcvif == b->m[0]->rcvif)) {
		batch_add(b, mbufq_pop(&ws->queue));
		m = ws->queue.head;
	}
	count_add(&w->len, -(uint64_t)b->n);
	count_add(&w->handled, b->n);
	ws_unlock(ws);
	return true;
}

bool
netisr_run(void)
{
	struct netisr_workstream *ws = ws_mine();
	bool live = curworker->mode == CLOCK_LIVE;
	uint64_t done = 0, suspect = LOOP_SUSPECT;
	struct batch b;

	/* A handler that comes here again would overtake itself. */
	if (ws == NULL || ws->running)
		return false;
	ws->running = true;
	while ((!live || done < LIVE_QUANTUM) && next_batch(ws, &b)) {
		const struct netisr_handler *h = netisr_proto[mark_proto(b.m[0])];
		struct ifnet *rcvif = b.m[0]->rcvif;
		uint32_t n = b.n;

		done += n;
		if (done >= suspect) {
			suspect *= 2;
			log_msg(LOG_LVL_ERR,
			    "netisr: %llu packets at one instant: is there a loop?",
			    (unsigned long long)done);
		}
		VNET_SCOPE(mark_vnet(b.m[0]));
		/* What waits between two stacks takes time, live: a ping over an epair shows it. */
		if (live)
			clock_update();
		batch_foreach(&b, m) {
			m->nh = NULL;
			if (live)
				m->when_ns = clock_now();
		}
		if (h == NULL) {
			drop_batch(&b, &DROP_NETISR_PROTO);
			continue;
		}
		handle(h, &b);
		if (h->drained != NULL)
			h->drained(rcvif, n);
	}
	ws->running = false;
	return done > 0;
}

/*
 * Take packets out of a workstream's queue: all of rcvif, or of vnet, or of proto. Never calls out
 * locked.
 */
struct purge {
	const struct ifnet *rcvif;
	const struct vnet *vnet;
	enum netisr_proto_id proto;
};

static bool
purge_wants(const struct purge *p, const struct mbuf *m)
{
	return (p->rcvif != NULL && m->rcvif == p->rcvif) ||
	    (p->vnet != NULL && mark_vnet(m) == p->vnet) ||
	    (p->proto != 0 && mark_proto(m) == p->proto);
}

static void
ws_purge(struct netisr_workstream *ws, const struct purge *p)
{
	struct mbufq keep, gone;
	struct mbuf *m;

	mbufq_init(&keep);
	mbufq_init(&gone);
	ws_lock(ws);
	ws_take_ring(ws);
	while ((m = mbufq_pop(&ws->queue)) != NULL) {
		if (purge_wants(p, m)) {
			count_add(&ws->work[mark_proto(m)].len, -UINT64_C(1));
			mbufq_push(&gone, m);
		} else {
			mbufq_push(&keep, m);
		}
	}
	while ((m = mbufq_pop(&keep)) != NULL)
		mbufq_push(&ws->queue, m);
	ws_unlock(ws);

	while ((m = mbufq_pop(&gone)) != NULL) {
		const struct netisr_handler *h = netisr_proto[mark_proto(m)];
		struct ifnet *rcvif = m->rcvif;

		m_free(m);
		if (h != NULL && h->drained != NULL)
			h->drained(rcvif, 1);
	}
}

static void
purge_all(const struct purge *p)
{
	for (uint32_t i = 0; i < active_n; i++)
		ws_purge(active[i], p);
}

void
netisr_purge(struct ifnet *rcvif)
{
	purge_all(&(struct purge){ .rcvif = rcvif });
}

void
netisr_purge_vnet(const struct vnet *vnet)
{
	purge_all(&(struct purge){ .vnet = vnet });
}

int
netisr_register(const struct netisr_handler *h)
{
	uint32_t qlimit = h->qlimit != 0 ? h->qlimit : defaultqlimit;

	if (h->proto <= 0 || h->proto >= NETISR_MAXPROT || h->handler == NULL)
		return -EINVAL;
	if (netisr_proto[h->proto] != NULL)
		return -EEXIST;
	if (qlimit > maxqlimit) {
		log_msg(LOG_LVL_WARNING,
		    "netisr: %s: queue limit %u lowered to net.isr.maxqlimit %u", h->name, qlimit,
		    maxqlimit);
		qlimit = maxqlimit;
	}
	netisr_proto_qlimit[h->proto] = qlimit;
	netisr_proto[h->proto] = h;
	return 0;
}

void
netisr_unregister(const struct netisr_handler *h)
{
	if (h->proto <= 0 || h->proto >= NETISR_MAXPROT || netisr_proto[h->proto] != h)
		return;
	purge_all(&(struct purge){ .proto = h->proto });
	netisr_proto[h->proto] = NULL;
	netisr_proto_qlimit[h->proto] = 0;
	/* The next owner of the number starts with counters of its own. */
	for (uint32_t i = 0; i < active_n; i++)
		memset(&active[i]->work[h->proto], 0, sizeof(active[i]->work[0]));
}

uint32_t
netisr_qlimit(enum netisr_proto_id proto)
{
	return (unsigned)proto < NETISR_MAXPROT ? netisr_proto_qlimit[proto] : 0;
}

int
netisr_set_qlimit(enum netisr_proto_id proto, uint32_t qlimit)
{
	if ((unsigned)proto >= NETISR_MAXPROT || netisr_proto[proto] == NULL)
		return -ENOENT;
	if (qlimit == 0 || qlimit > maxqlimit)
		return -EINVAL;
	netisr_proto_qlimit[proto] = qlimit;
	return 0;
}

/* Under workers_lock: the list of active ones, by id. */
static pthread_mutex_t workers_lock = PTHREAD_MUTEX_INITIALIZER;

static void
active_rebuild(void)
{
	active_n = 0;
	for (uint32_t id = 0; id < WORKERS_MAX; id++)
		if (netisr_workstream[id] != NULL)
			active[active_n++] = netisr_workstream[id];
}

int
netisr_worker_attach(void)
{
	struct netisr_workstream *ws;

	if (curworker->netisr != NULL)
		return 0;
	ws = aligned_alloc(64, (sizeof(*ws) + 63) & ~(size_t)63);
	if (ws == NULL)
		return -ENOMEM;
	memset(ws, 0, sizeof(*ws));
	ws->id = curworker->id;
	mbufq_init(&ws->queue);
	ws->ring = ring_new(RING_MP, RING_CAPACITY);
	if (ws->ring == NULL) {
		free(ws);
		return -ENOMEM;
	}
	curworker->netisr = ws;
	pthread_mutex_lock(&workers_lock);
	netisr_workstream[ws->id] = ws;
	active_rebuild();
	pthread_mutex_unlock(&workers_lock);
	return 0;
}

void
netisr_worker_detach(void)
{
	struct netisr_workstream *ws = curworker->netisr;

	if (ws == NULL)
		return;
	pthread_mutex_lock(&workers_lock);
	netisr_workstream[ws->id] = NULL;
	active_rebuild();
	pthread_mutex_unlock(&workers_lock);
	ws_take_ring(ws);
	mbufq_drain(&ws->queue);
	ring_free(ws->ring);
	free(ws);
	curworker->netisr = NULL;
}

void
netisr_init(void)
{
	if (netisr_worker_attach() != 0)
		abort();
	sched_drain = netisr_run;
}

void
netisr_fini(void)
{
	sched_drain = NULL;
	netisr_worker_detach();
	memset(netisr_proto, 0, sizeof(netisr_proto));
	memset(netisr_proto_qlimit, 0, sizeof(netisr_proto_qlimit));
	direct = direct_force = true;
}

/* The dispatch policy in one word, and in the two flags of the field. */
static int
dispatch_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	if (req->set == NULL) {
		snprintf(req->text, req->text_len, "%s",
		    !direct          ? "deferred" :
			direct_force ? "direct" :
				       "hybrid");
		return 0;
	}
	if (strcmp(req->set, "direct") == 0)
		direct = direct_force = true;
	else if (strcmp(req->set, "hybrid") == 0)
		direct = true, direct_force = false;
	else if (strcmp(req->set, "deferred") == 0)
		direct = direct_force = false;
	else
		return -EINVAL;
	return 0;
}
SYSCTL_PROC(netisr_dispatch, "net.isr.dispatch", SYSCTL_RW, SYSCTL_T_STRING, dispatch_sysctl,
    "how packets reach their handler: direct, hybrid or deferred");
SYSCTL_BOOL(netisr_direct, "net.isr.direct", SYSCTL_RW, direct, "packets may be handled at once");
SYSCTL_BOOL(netisr_direct_force, "net.isr.direct_force", SYSCTL_RW, direct_force,
    "with net.isr.direct: packets are always handled at once");

static int32_t maxthreads = -1;
SYSCTL_INT(netisr_maxthreads, "net.isr.maxthreads", SYSCTL_RDTUN, maxthreads, -1, WORKERS_MAX,
    "most workers that move packets; -1 is 1");
static bool bindthreads;
SYSCTL_BOOL(netisr_bindthreads, "net.isr.bindthreads", SYSCTL_RDTUN, bindthreads,
    "workers are bound to CPUs");
SYSCTL_UINT(netisr_maxqlimit, "net.isr.maxqlimit", SYSCTL_RDTUN, maxqlimit, 1, 1 << 24,
    "highest queue limit a protocol can have");
SYSCTL_UINT(netisr_defaultqlimit, "net.isr.defaultqlimit", SYSCTL_RDTUN, defaultqlimit, 1, 1 << 24,
    "queue limit of protocols that don't ask for one");
static uint32_t maxprot = NETISR_MAXPROT;
SYSCTL_UINT(netisr_maxprot, "net.isr.maxprot", SYSCTL_RD, maxprot, 0, NETISR_MAXPROT,
    "number of protocol slots");
SYSCTL_UINT(netisr_numthreads, "net.isr.numthreads", SYSCTL_RD, active_n, 0, WORKERS_MAX,
    "workers that move packets now");
