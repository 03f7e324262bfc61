/*
 * wheel.h - when what a packet made is looked at again: a wheel of buckets by second.
 *
 * Dynamic rules and NAT's links are many, and each packet of theirs moves the end of their life.
 * So a packet only writes the new end; the entry stays in the bucket where it is. When that
 * second comes, its owner looks: over, or back into the wheel at the end as it is then. Entries
 * that become due together are seen in portions, so that no walk holds up the packets.
 */
#ifndef WARREN_IPFW_WHEEL_H
#define WARREN_IPFW_WHEEL_H

#include "base/callout.h"

#include <bsd/sys/queue.h>

/* Part of what has an end. */
struct fw_wheel_entry {
	LIST_ENTRY(fw_wheel_entry) link; /* le_prev NULL: in no bucket */
};
LIST_HEAD(fw_wheel_bucket, fw_wheel_entry);

/* What is due later than the last bucket is looked at then, and goes back. */
enum { FW_WHEEL_BUCKETS = 512 };

struct fw_wheel {
	struct callout timer;
	/*
	 * e is due and in no bucket: free it, or fw_wheel_add it again, before anything that may
	 * bring packets back here. In the wheel's stack, clock_now() is the time.
	 */
	void (*due)(struct fw_wheel *w, struct fw_wheel_entry *e);
	/* Nothing is left; called by the timer, may end and free the wheel. */
	void (*empty)(struct fw_wheel *w);
	uint64_t second; /* the first bucket that is not done */
	uint32_t n;      /* entries */
	bool busy;       /* the timer's function runs */
	struct fw_wheel_bucket bucket[FW_WHEEL_BUCKETS];
};

/* w is zeroed memory of curvnet, with due and empty set. */
void fw_wheel_init(struct fw_wheel *w);
/* Nothing is due any more; entries stay where they are. */
void fw_wheel_end(struct fw_wheel *w);

/* Look at e at when_ns or up to a second later. e is in no bucket. */
void fw_wheel_add(struct fw_wheel *w, struct fw_wheel_entry *e, uint64_t when_ns);
/* Out of its bucket, if it is in one. */
void fw_wheel_remove(struct fw_wheel *w, struct fw_wheel_entry *e);

#endif
