/*
 * ring.h - bounded queues of pointers between threads.
 *
 * One consumer; one producer (RING_SP) or many (RING_MP). What does not fit is
 * refused and counted, never lost silently. Order per producer is kept.
 */
#ifndef WARREN_BASE_RING_H
#define WARREN_BASE_RING_H

#include <stdbool.h>
#include <stdint.h>

enum ring_kind { RING_SP, RING_MP };

struct ring;

/* A ring that holds `capacity` pointers (any number >= 1; exact). NULL without memory. */
struct ring *ring_new(enum ring_kind kind, uint32_t capacity);
/* Free an empty ring. */
void ring_free(struct ring *r);

/* false and counted as refused when full. p is not NULL. */
bool ring_put(struct ring *r, void *p);
/* The oldest, or NULL. Consumer only. */
void *ring_get(struct ring *r);
/* Up to n at once; returns how many. Consumer only. */
uint32_t ring_get_many(struct ring *r, void **out, uint32_t n);
/* Look at the oldest without taking it. Consumer only. */
void *ring_peek(struct ring *r);

/* As seen by the caller now; exact for the consumer of an idle ring. */
uint32_t ring_len(const struct ring *r);
uint32_t ring_capacity(const struct ring *r);
uint64_t ring_refused(const struct ring *r);

#endif
