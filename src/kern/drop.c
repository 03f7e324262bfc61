/*
 * drop.c - every drop has a name, a counter in its stack and, on request, a trace.
 */
#include "kern/drop.h"

#include "base/emitter.h"
#include "kern/kern.h"
#include "kern/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TRACERS_MAX = 8 };

LINKERSET_DECLARE(drop, const struct drop_reason);

static struct sorted_set drops;
static struct tracer {
	drop_tracer *fn;
	void *ctx;
} tracer[TRACERS_MAX];
static unsigned tracer_n; /* slots in use lie below; free ones among them have no fn */

static int
drop_compare(const void *a, const void *b)
{
	const struct drop_reason *x = a, *y = b;
	int c = strcmp(x->layer, y->layer);

	return c != 0 ? c : strcmp(x->name, y->name);
}

static const struct sorted_set *
drop_list(void)
{
	SORTED_SET_MAKE(&drops, drop, drop_compare);
	return &drops;
}

static uint64_t *
drop_counter(const struct vnet *vnet, const struct drop_reason *why)
{
	return (uint64_t *)(void *)(vnet->data + ((uint8_t *)why->entry - __start_set_vnet));
}

static void
drop_trace(const struct mbuf *m, const struct drop_reason *why)
{
	for (unsigned i = 0; i < tracer_n; i++)
		if (tracer[i].fn != NULL)
			tracer[i].fn(tracer[i].ctx, m, why);
}

void
m_drop(struct mbuf *m, const struct drop_reason *why)
{
	/* A packet that no stack is at work on (a driver's, in between) is the host's loss. */
	const struct vnet *vnet = curvnet != NULL ? curvnet : vnet0;

	++*drop_counter(vnet, why);
	if (__builtin_expect(tracer_n > 0, 0))
		drop_trace(m, why);
	m_free(m);
}

void
drop_count(const struct drop_reason *why, uint64_t n)
{
	*drop_counter(curvnet != NULL ? curvnet : vnet0, why) += n;
	for (; tracer_n > 0 && n > 0; n--)
		drop_trace(NULL, why);
}

uint64_t
drop_get(const struct vnet *vnet, const struct drop_reason *why)
{
	return *drop_counter(vnet, why);
}

uint64_t
drop_total(const struct vnet *vnet)
{
	const struct sorted_set *list = drop_list();
	uint64_t sum = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct drop_reason *why = list->object[i];

		if (!why->ignored)
			sum += drop_get(vnet, why);
	}
	return sum;
}

const struct drop_reason *
drop_find(const char *dotted)
{
	const struct sorted_set *list = drop_list();

	for (size_t i = 0; i < list->n; i++) {
		const struct drop_reason *why = list->object[i];
		size_t n = strlen(why->layer);

		if (strncmp(dotted, why->layer, n) == 0 && dotted[n] == '.' &&
		    strcmp(dotted + n + 1, why->name) == 0)
			return why;
	}
	return NULL;
}

int
drop_trace_add(drop_tracer *fn, void *ctx)
{
	for (unsigned i = 0; i < TRACERS_MAX; i++) {
		if (tracer[i].fn != NULL)
			continue;
		tracer[i] = (struct tracer){ fn, ctx };
		if (i >= tracer_n)
			tracer_n = i + 1;
		return 0;
	}
	return -ENOSPC;
}

void
drop_trace_remove(drop_tracer *fn, void *ctx)
{
	for (unsigned i = 0; i < tracer_n; i++)
		if (tracer[i].fn == fn && tracer[i].ctx == ctx) {
			tracer[i] = (struct tracer){};
			break;
		}
	while (tracer_n > 0 && tracer[tracer_n - 1].fn == NULL)
		tracer_n--;
}

static void
drop_line(struct emitter *e, const char *dotted, const char *text, uint64_t n)
{
	emit_uint(e, dotted, "\t%" PRIu64, n);
	emit_text(e, " %s (%s)\n", dotted, text);
}

void
drop_show(struct emitter *e, bool all)
{
	const struct sorted_set *list = drop_list();

	emit_object(e, "drop");
	emit_text(e, "drop:\n");
	for (size_t i = 0; i < list->n; i++) {
		const struct drop_reason *why = list->object[i];
		uint64_t n = drop_get(curvnet, why);
		char dotted[96];

		if (n == 0 && !all)
			continue;
		snprintf(dotted, sizeof(dotted), "%s.%s", why->layer, why->name);
		drop_line(e, dotted, why->text, n);
	}
	emit_end(e);
}

/* All reasons with their texts, once: another build has others. */
static json_t *
drop_save_reasons(void)
{
	const struct sorted_set *list = drop_list();
	json_t *saved = json_object();

	for (size_t i = 0; i < list->n; i++) {
		const struct drop_reason *why = list->object[i];
		char dotted[96];

		snprintf(dotted, sizeof(dotted), "%s.%s", why->layer, why->name);
		json_object_set_new(saved, dotted, json_string(why->text));
	}
	return saved;
}
STATE_SECTION_DEFINE(drop_reasons, "drop-reasons", false, drop_save_reasons);

/* A stack's counters that are not zero: there may be very many stacks. */
static json_t *
drop_save(void)
{
	const struct sorted_set *list = drop_list();
	json_t *saved = json_object();

	for (size_t i = 0; i < list->n; i++) {
		const struct drop_reason *why = list->object[i];
		uint64_t n = drop_get(curvnet, why);
		char dotted[96];

		if (n == 0)
			continue;
		snprintf(dotted, sizeof(dotted), "%s.%s", why->layer, why->name);
		json_object_set_new(saved, dotted, json_integer((json_int_t)n));
	}
	return saved;
}
STATE_SECTION_DEFINE(drop, "drop", true, drop_save);

void
drop_show_saved(struct emitter *e, const struct state *image, bool all)
{
	const json_t *reasons = state_section(image, "drop-reasons");
	const json_t *counts = state_section(image, "drop");
	const char *dotted;
	json_t *text;

	emit_object(e, "drop");
	emit_text(e, "drop:\n");
	json_object_foreach((json_t *)(uintptr_t)reasons, dotted, text) {
		uint64_t n = state_uint(counts, dotted);

		if (n != 0 || all)
			drop_line(e, dotted, state_text(reasons, dotted), n);
	}
	emit_end(e);
}

void
drop_zero(void)
{
	const struct sorted_set *list = drop_list();

	for (size_t i = 0; i < list->n; i++)
		*drop_counter(curvnet, list->object[i]) = 0;
}

void
drop_fini(void)
{
	memset(tracer, 0, sizeof(tracer));
	tracer_n = 0;
}
