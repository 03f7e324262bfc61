/*
 * init.c - the kernel floor comes up and goes down; the linker sets in their orders.
 *
 * Up: scheduler of packet work, the host's jail, the host's stack. Down: the reverse, behind the
 * end of all verbs that still run and of all other stacks.
 */
#include "kern/kern.h"

#include "base/clock.h"
#include "base/log.h"
#include "kern/jail.h"
#include "kern/vnet.h"

#include <assert.h>
#include <err.h>
#include <stdlib.h>

bool kern_running;
static struct sorted_set *sorted_sets;

/* qsort's comparison sees slots; the sets' see objects. Only the upper half sorts. */
static int (*sorted_compare)(const void *a, const void *b);

static int
slot_compare(const void *a, const void *b)
{
	return sorted_compare(*(const void *const *)a, *(const void *const *)b);
}

void
sorted_set_make(struct sorted_set *set, const void *const *start, const void *const *stop,
    int (*compare)(const void *a, const void *b))
{
	if (set->made)
		return;
	/* An empty set has no section and so null bounds. */
	set->n = start == NULL ? 0 : (size_t)(stop - start);
	set->object = calloc(set->n + 1, sizeof(*set->object));
	if (set->object == NULL)
		err(71, "linker set");
	for (size_t i = 0; i < set->n; i++)
		set->object[i] = start[i];
	sorted_compare = compare;
	qsort(set->object, set->n, sizeof(*set->object), slot_compare);
	set->made = true;
	set->next = sorted_sets;
	sorted_sets = set;
}

static void
sorted_sets_free(void)
{
	struct sorted_set *set;

	while ((set = sorted_sets) != NULL) {
		sorted_sets = set->next;
		free(set->object);
		*set = (struct sorted_set){};
	}
}

static const char *
current_stack_name(void)
{
	return curvnet == NULL ? "" : vnet_name(curvnet);
}

void
kern_init(void)
{
	if (kern_running)
		return;
	assert(curworker != NULL);
	log_who = current_stack_name;
	netisr_init();
	prison_init();
	vnet_init();
	kern_running = true;
}

void
kern_fini(void)
{
	if (!kern_running)
		return;
	verb_fini();
	prison_fini();
	vnet_fini();
	event_fini();
	netisr_fini();
	drop_fini();
	sysctl_fini();
	sorted_sets_free();
	log_who = NULL;
	kern_running = false;
}
