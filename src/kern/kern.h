/*
 * kern.h - how the rooms of this floor start and end; for kern/ only.
 */
#ifndef WARREN_KERN_KERN_H
#define WARREN_KERN_KERN_H

#include "base/linkerset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prison;
struct vnet;

/*
 * A linker set in an order of its own: the addresses of its objects, sorted by `compare` (which is
 * given two objects). Made at the first use, freed by kern_fini.
 */
struct sorted_set {
	const void **object;
	size_t n;
	bool made;
	struct sorted_set *next; /* all that are made */
};
void sorted_set_make(struct sorted_set *set, const void *const *start, const void *const *stop,
    int (*compare)(const void *a, const void *b));

#define SORTED_SET_MAKE(set, name, compare)                                                        \
	sorted_set_make(set, (const void *const *)__start_set_##name,                              \
	    (const void *const *)__stop_set_##name, compare)

/* Between kern_init and kern_fini. */
extern bool kern_running;

/* Stacks that have ended so far: a walk over vnet_head looks whether its place still exists. */
extern uint64_t vnet_ends;

/* vnet_alloc for a jail, which is the stack's owner before the first init function runs. */
struct vnet *vnet_alloc_for(struct prison *prison);

void vnet_init(void);
void vnet_fini(void);
void prison_init(void);
void prison_fini(void);
void event_fini(void);
void netisr_init(void);
void netisr_fini(void);
void sysctl_fini(void);
void verb_fini(void);
void drop_fini(void);

#endif
