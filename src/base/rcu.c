/*
 * rcu.c - a shim over ck_epoch.
 *
 * Each thread gets a record at its first use. ck's own lists of deferred calls run backwards, so
 * a thread keeps its calls in a queue of its own, and hands ck one mark that stands for all of them
 * up to here: one mark is under way, what is registered meanwhile waits for the next one.
 *
 *	rcu_call -> waiting -> (mark set: rcu_poll) flying -> (mark back: rcu_poll) run in order
 *
 * Calls run on the thread that registered them, so what they free may be that worker's own.
 */
#include "base/rcu.h"

#include "base/worker.h"

#include <assert.h>
#include <ck_epoch.h>
#include <pthread.h>
#include <stdlib.h>

/* ThreadSanitizer can't see the order that ck's assembly makes; say it in its own words. */
#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#ifdef RCU_TSAN
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_acquire(p) ((void)(p))
#define __tsan_release(p) ((void)(p))
#endif

struct rcu_queue {
	struct rcu_head *first, **end;
};

struct rcu_thread {
	ck_epoch_record_t record; /* first: ck hands it back when a record is used again */
	ck_epoch_entry_t mark;
	bool mark_out;
	bool polling; /* a call polls: what is ripe runs in the poll that is under way */
	struct rcu_queue flying, waiting;
};

_Static_assert(sizeof(struct rcu_head) == 4 * sizeof(void *), "rcu_head: link and function");

static ck_epoch_t epoch;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* for threads that end without worker_detach() */
static __thread struct rcu_thread *self;

static void
queue_init(struct rcu_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

/* The link of a queue lies in the room that the header keeps for ck. */
static struct rcu_head **
head_next(struct rcu_head *h)
{
	return (struct rcu_head **)&h->ck[0];
}

static void
thread_ends(void *arg)
{
	self = arg;
	rcu_thread_leave();
}

static void
start(void)
{
	ck_epoch_init(&epoch);
	pthread_key_create(&key, thread_ends);
}

__attribute__((noinline)) static struct rcu_thread *
thread_enter(void)
{
	ck_epoch_record_t *old;
	struct rcu_thread *t;

	pthread_once(&once, start);
	old = ck_epoch_recycle(&epoch, NULL);
	if (old != NULL) {
		__tsan_acquire(&epoch);
		t = (struct rcu_thread *)(void *)old;
	} else {
		t = aligned_alloc(_Alignof(struct rcu_thread), sizeof(*t));
		if (t == NULL)
			abort();
		ck_epoch_register(&epoch, &t->record, NULL);
	}
	t->mark_out = t->polling = false;
	queue_init(&t->flying);
	queue_init(&t->waiting);
	pthread_setspecific(key, t);
	return self = t;
}

static inline struct rcu_thread *
thread_self(void)
{
	return __builtin_expect(self != NULL, 1) ? self : thread_enter();
}

void
rcu_read_lock(void)
{
	struct rcu_thread *t = thread_self();

	ck_epoch_begin(&t->record, NULL);
	__tsan_acquire(&epoch);
}

void
rcu_read_unlock(void)
{
	struct rcu_thread *t = self;

	assert(t != NULL && t->record.active > 0);
	__tsan_release(&epoch);
	ck_epoch_end(&t->record, NULL);
}

void
rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *))
{
	struct rcu_thread *t = thread_self();

	h->fn = fn;
	*head_next(h) = NULL;
	*t->waiting.end = h;
	t->waiting.end = head_next(h);
}

static void
mark_back(ck_epoch_entry_t *mark)
{
	struct rcu_thread *t = (struct rcu_thread *)(void *)((char *)mark -
	    offsetof(struct rcu_thread, mark));

	t->mark_out = false;
}

/* Run what has flown. A call may register more, or poll. */
static void
run_ripe(struct rcu_thread *t)
{
	struct rcu_head *h, *next;

	__tsan_acquire(&epoch);
	h = t->flying.first;
	queue_init(&t->flying);
	for (; h != NULL; h = next) {
		next = *head_next(h);
		h->fn(h);
	}
}

static void
set_mark(struct rcu_thread *t)
{
	t->flying.first = t->waiting.first;
	queue_init(&t->waiting);
	t->mark_out = true;
	ck_epoch_call(&t->record, &t->mark, mark_back);
}

void
rcu_poll(void)
{
	struct rcu_thread *t = self;

	/* The usual case: nothing at all. */
	if (t == NULL || (!t->mark_out && t->waiting.first == NULL) || t->polling)
		return;
	t->polling = true;
	if (!t->mark_out)
		set_mark(t);
	ck_epoch_poll(&t->record);
	if (!t->mark_out)
		run_ripe(t);
	t->polling = false;
}

void
rcu_synchronize(void)
{
	struct rcu_thread *t = thread_self();
	bool again;

	assert(t->record.active == 0);
	assert(!t->polling);
	t->polling = true;
	/* At least one wait; a second one for what was registered after the mark under way. */
	do {
		again = t->mark_out && t->waiting.first != NULL;
		if (!t->mark_out && t->waiting.first != NULL)
			set_mark(t);
		ck_epoch_barrier(&t->record);
		assert(!t->mark_out);
		run_ripe(t);
	} while (again);
	t->polling = false;
}

void
rcu_thread_leave(void)
{
	struct rcu_thread *t = self;

	if (t == NULL)
		return;
	/* Calls may register calls. */
	while (t->mark_out || t->waiting.first != NULL)
		rcu_synchronize();
	self = NULL;
	pthread_setspecific(key, NULL);
	__tsan_release(&epoch);
	ck_epoch_unregister(&t->record); /* never freed: ck keeps it for the next thread */
}
