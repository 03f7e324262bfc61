/*
 * wheel.c - buckets by second, emptied in portions.
 *
 * Bucket s holds what is due in (s - 1, s] seconds and is looked at from s on. One callout a
 * wheel; none while it is empty.
 */
#include "ipfw/wheel.h"

#include "kern/vnet.h"

/* About 30 us of looking, then packets come first again. */
enum { PORTION = 1024 };

static inline struct fw_wheel_bucket *
bucket_of(struct fw_wheel *w, uint64_t second)
{
	return &w->bucket[second % FW_WHEEL_BUCKETS];
}

/* The timer was late by more than a turn: each bucket is looked at once, not once a turn. */
static void
skip_turns(struct fw_wheel *w, uint64_t now_s)
{
	if (now_s >= FW_WHEEL_BUCKETS && w->second < now_s - FW_WHEEL_BUCKETS + 1)
		w->second = now_s - FW_WHEEL_BUCKETS + 1;
}

static void
wheel_timer(void *arg)
{
	struct fw_wheel *w = arg;
	const uint64_t now_s = clock_now() / NS_PER_SEC;
	unsigned portion = PORTION;

	skip_turns(w, now_s);
	w->busy = true;
	while (w->second <= now_s && w->n > 0) {
		struct fw_wheel_entry *e = LIST_FIRST(bucket_of(w, w->second));

		if (e == NULL) {
			w->second++;
			continue;
		}
		if (portion-- == 0)
			break;
		fw_wheel_remove(w, e);
		w->due(w, e);
	}
	w->busy = false;
	if (w->n == 0)
		w->empty(w);
	else if (w->second <= now_s)
		callout_reset(&w->timer, CALLOUT_MIN_NS);
	else
		callout_reset(&w->timer, w->second * NS_PER_SEC - clock_now());
}

void
fw_wheel_init(struct fw_wheel *w)
{
	callout_init(&w->timer, curvnet, wheel_timer, w);
}

void
fw_wheel_end(struct fw_wheel *w)
{
	callout_stop(&w->timer);
}

void
fw_wheel_add(struct fw_wheel *w, struct fw_wheel_entry *e, uint64_t when_ns)
{
	uint64_t second = when_ns / NS_PER_SEC + (when_ns % NS_PER_SEC != 0);
	uint64_t first = w->second;

	if (w->busy) {
		/* the timer is on its way through the buckets up to now */
		first = clock_now() / NS_PER_SEC + 1;
	} else if (!callout_armed(&w->timer)) {
		first = w->second = clock_now() / NS_PER_SEC + 1;
		callout_reset(&w->timer, w->second * NS_PER_SEC - clock_now());
	}
	if (second < first)
		second = first;
	if (second >= w->second + FW_WHEEL_BUCKETS)
		second = w->second + FW_WHEEL_BUCKETS - 1;
	LIST_INSERT_HEAD(bucket_of(w, second), e, link);
	w->n++;
}

void
fw_wheel_remove(struct fw_wheel *w, struct fw_wheel_entry *e)
{
	if (e->link.le_prev == NULL)
		return;
	LIST_REMOVE(e, link);
	e->link.le_prev = NULL;
	w->n--;
}
