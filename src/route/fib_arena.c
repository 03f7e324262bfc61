/*
 * fib_arena.c - places for the nodes of a compiled table, in the arena that packets read.
 *
 * A change writes a node into a new place; the old one is given back, but packets may still be
 * there. So what is given back is gathered, and when there is a handful, it goes behind the readers
 * (base/rcu.h) and then into lists of free places, one for each size; a free place holds where the
 * next one is. Numbers of next hops wait in the same way (fib_hop.c).
 *
 * A node takes a place of its size, or the next one behind all that were ever taken, or what is
 * left of a greater one. So changes that go on and on find room in what changes before them have
 * given back. Whoever finds none has everything compiled into a new arena.
 */
#include "route/fib_comp_internal.h"

enum {
	LINE = 8,        /* words of a cache line */
	HANDFUL = 250,   /* places that wait together: 1.3 KiB */
	NUMBER_SIZE = 0, /* instead of a place: the number of a next hop */
};

enum waste_state { FLYING, RIPE, FORGOTTEN };

/* Given back together. */
struct fib_waste {
	struct rcu_head rcu;
	struct fib_waste *next;
	enum waste_state state; /* atomic: its call may run on another thread than the changes */
	uint32_t n;
	uint32_t place[HANDFUL];
	uint8_t words[HANDFUL];
};

/* --- free places ---------------------------------------------------------- */

static void
list_push(struct fib_comp *c, uint32_t place, unsigned words)
{
	struct fib_arena *a = &c->places;

	c->pop->arena[place] = a->free[words];
	a->free[words] = place;
	a->sizes |= UINT64_C(1) << words;
}

static uint32_t
list_pop(struct fib_comp *c, unsigned words)
{
	struct fib_arena *a = &c->places;
	uint32_t place = a->free[words];

	a->free[words] = (uint32_t)c->pop->arena[place];
	if (a->free[words] == 0)
		a->sizes &= ~(UINT64_C(1) << words);
	return place;
}

/* Nobody reads these words: they may be taken. A node that fits a line shall not get two. */
static void
put_free(struct fib_comp *c, uint32_t place, unsigned words)
{
	unsigned left_of_line = LINE - place % LINE;

	if (words <= LINE && words > left_of_line) {
		list_push(c, place, left_of_line);
		place += left_of_line;
		words -= left_of_line;
	}
	list_push(c, place, words);
}

/* At the arena's end; 0 = it is full. */
static uint32_t
take_new(struct fib_comp *c, unsigned words)
{
	struct fib_pop *p = c->pop;
	unsigned left_of_line = LINE - p->used % LINE;
	unsigned gap = words <= LINE && words > left_of_line ? left_of_line : 0;

	if (p->used + gap + words + FIB_NODE_MOST > p->room)
		return 0;
	if (gap != 0)
		put_free(c, p->used, gap);
	p->used += gap + words;
	return p->used - words;
}

/* Cut at the ends of lines. */
static void
put_lines(struct fib_comp *c, uint32_t place, unsigned words)
{
	while (words > 0) {
		unsigned left_of_line = LINE - place % LINE;
		unsigned some = words < left_of_line ? words : left_of_line;

		list_push(c, place, some);
		place += some;
		words -= some;
	}
}

/* The beginning of a greater place; 0 = there is none. */
static uint32_t
take_part(struct fib_comp *c, unsigned words)
{
	uint64_t greater;

	while ((greater = c->places.sizes >> words) != 0) {
		unsigned size = words + (unsigned)__builtin_ctzll(greater);
		uint32_t place = list_pop(c, size);

		if (size > LINE && words <= LINE) {
			put_lines(c, place, size);
			continue;
		}
		if (size > words)
			put_free(c, place + words, size - words);
		return place;
	}
	return 0;
}

/* --- what waits ----------------------------------------------------------- */

static void
waste_is_ripe(struct rcu_head *h)
{
	struct fib_waste *w = (struct fib_waste *)(void *)h;

	if (__atomic_exchange_n(&w->state, RIPE, __ATOMIC_ACQ_REL) == FORGOTTEN)
		vnet_free(w);
}

static void
waste_forget(struct fib_waste *w)
{
	if (__atomic_exchange_n(&w->state, FORGOTTEN, __ATOMIC_ACQ_REL) == RIPE)
		vnet_free(w);
}

static void
gather(struct fib_comp *c, uint32_t place, unsigned words)
{
	struct fib_arena *a = &c->places;
	struct fib_waste *w = a->open;

	/* without memory it is lost until everything is compiled anew */
	if (a->closed || (w == NULL && (w = vnet_malloc(sizeof(*w))) == NULL))
		return;
	a->open = w;
	w->place[w->n] = place;
	w->words[w->n++] = (uint8_t)words;
	if (w->n < HANDFUL)
		return;
	a->open = NULL;
	if (a->first == NULL)
		a->first = w;
	else
		a->last->next = w;
	a->last = w;
	rcu_call(&w->rcu, waste_is_ripe);
}

void
fib_arena_give(struct fib_comp *c, uint32_t place, unsigned words)
{
	if (place != 0 && c->pop != NULL)
		gather(c, place, words);
}

void
fib_arena_give_hop(struct fib_comp *c, uint16_t number)
{
	gather(c, number, NUMBER_SIZE);
}

static void
waste_use(struct fib_comp *c, const struct fib_waste *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->words[i] == NUMBER_SIZE)
			fib_hop_free(&c->hops, (uint16_t)w->place[i]);
		else
			put_free(c, w->place[i], w->words[i]);
}

void
fib_arena_collect(struct fib_comp *c)
{
	struct fib_arena *a = &c->places;
	struct fib_waste *w;

	while ((w = a->first) != NULL && __atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == RIPE) {
		a->first = w->next;
		waste_use(c, w);
		vnet_free(w);
	}
}

/* --- the whole arena ------------------------------------------------------ */

uint32_t
fib_arena_take(struct fib_comp *c, unsigned words)
{
	uint32_t place;

	if (c->places.free[words] != 0)
		return list_pop(c, words);
	if ((place = take_new(c, words)) != 0)
		return place;
	return take_part(c, words);
}

static void
forget_all(struct fib_arena *a)
{
	struct fib_waste *w;

	vnet_free(a->open);
	while ((w = a->first) != NULL) {
		a->first = w->next;
		waste_forget(w);
	}
	*a = (struct fib_arena){ .closed = true };
}

void
fib_arena_close(struct fib_comp *c)
{
	forget_all(&c->places);
}

void
fib_arena_open(struct fib_comp *c)
{
	forget_all(&c->places);
	c->places.closed = false;
}
