/*
 * eventhandler.c - the event bus.
 *
 * An event is a list of handlers by priority. While an event is being raised, handlers may come and
 * go: one that goes is only marked, and swept when the outermost raiser is done; one that comes is
 * not called by raisers that began before it.
 */
#include "kern/eventhandler.h"

#include "base/emitter.h"
#include "kern/kern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event_tag {
	TAILQ_ENTRY(event_tag) link;
	struct event_list *list;
	struct event_tag **holder; /* the caller's variable; NULL where it dies with a stack */
	event_fn *fn;              /* NULL = deregistered, waits to be swept */
	void *ctx;
	enum event_scope scope;
	int priority;
	uint64_t born;
};

struct event_list {
	LIST_ENTRY(event_list) link;
	char *name;
	TAILQ_HEAD(event_taglist, event_tag) tags;
	unsigned depth; /* raisers at work */
	bool dirty;     /* has marked tags */
};

static LIST_HEAD(, event_list) event_lists = LIST_HEAD_INITIALIZER(event_lists);
static uint64_t event_births;
static uint64_t event_count;

struct event_list *
event_find(const char *name)
{
	struct event_list *l, *last = NULL;
	int c;

	/* Sorted by name, for `show events`. */
	LIST_FOREACH(l, &event_lists, link) {
		c = strcmp(l->name, name);
		if (c == 0)
			return l;
		if (c > 0)
			break;
		last = l;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL || (l->name = strdup(name)) == NULL) {
		/* Events are few and made at start; without them nothing works. */
		fprintf(stderr, "no memory for event %s\n", name);
		abort();
	}
	TAILQ_INIT(&l->tags);
	if (last == NULL)
		LIST_INSERT_HEAD(&event_lists, l, link);
	else
		LIST_INSERT_AFTER(last, l, link);
	return l;
}

/* Does the variable lie in a stack's section? Then it is gone before kern_fini could clear it. */
static bool
in_stack(const void *p)
{
	const uint8_t *at = p;

	return curvnet != NULL && at >= curvnet->data &&
	    at < curvnet->data + (__stop_set_vnet - __start_set_vnet);
}

struct event_tag *
event_register(struct event_tag **tag, const char *name, enum event_scope scope, event_fn *fn,
    void *ctx, int priority)
{
	struct event_tag *t, *after;

	if (*tag != NULL)
		return *tag;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	*t = (struct event_tag){
		.list = event_find(name),
		.holder = in_stack(tag) ? NULL : tag,
		.fn = fn,
		.ctx = ctx,
		.scope = scope,
		.priority = priority,
		.born = ++event_births,
	};
	TAILQ_FOREACH_REVERSE(after, &t->list->tags, event_taglist, link)
		if (after->priority <= priority)
			break;
	if (after == NULL)
		TAILQ_INSERT_HEAD(&t->list->tags, t, link);
	else
		TAILQ_INSERT_AFTER(&t->list->tags, after, t, link);
	event_count++;
	return *tag = t;
}

static void
event_sweep(struct event_list *l)
{
	struct event_tag *t, *next;

	TAILQ_FOREACH_SAFE(t, &l->tags, link, next)
		if (t->fn == NULL) {
			TAILQ_REMOVE(&l->tags, t, link);
			free(t);
		}
	l->dirty = false;
}

void
event_deregister(struct event_tag **tag)
{
	struct event_tag *t = *tag;

	if (t == NULL)
		return;
	*tag = NULL;
	t->fn = NULL;
	event_count--;
	t->list->dirty = true;
	if (t->list->depth == 0)
		event_sweep(t->list);
}

static void
event_call(const struct event_tag *t, void *arg1, void *arg2)
{
	VNET_ENTRANCE(t->list->name);

	t->fn(t->ctx, arg1, arg2);
}

/* A handler may make and destroy stacks: then the next one is found by its id. */
static void
event_call_each(const struct event_tag *t, void *arg1, void *arg2)
{
	struct vnet *vnet = LIST_FIRST(&vnet_head);

	while (vnet != NULL && t->fn != NULL) {
		uint32_t id = vnet->id;
		uint64_t ends = vnet_ends;

		{
			VNET_SCOPE(vnet);
			event_call(t, arg1, arg2);
		}
		vnet = vnet_ends == ends ? LIST_NEXT(vnet, link) : vnet_after(id);
	}
}

void
event_invoke(struct event_list *l, void *arg1, void *arg2)
{
	uint64_t newest = event_births;
	struct event_tag *t;

	l->depth++;
	TAILQ_FOREACH(t, &l->tags, link) {
		if (t->fn == NULL || t->born > newest)
			continue;
		if (t->scope == EVENT_EACH_VNET)
			event_call_each(t, arg1, arg2);
		else
			event_call(t, arg1, arg2);
	}
	if (--l->depth == 0 && l->dirty)
		event_sweep(l);
}

uint64_t
event_live(void)
{
	return event_count;
}
AUDIT_DEFINE(events, "eventhandler", event_live);

void
event_show(struct emitter *e)
{
	struct event_list *l;
	struct event_tag *t;

	emit_text(e, "%-28s %8s %-5s %s\n", "Event", "Priority", "Scope", "Handler");
	emit_list(e, "event");
	LIST_FOREACH(l, &event_lists, link)
		TAILQ_FOREACH(t, &l->tags, link) {
			if (t->fn == NULL)
				continue;
			emit_object(e, NULL);
			emit_str(e, "name", "%-28s", l->name);
			emit_int(e, "priority", " %8" PRId64, t->priority);
			emit_str(
			    e, "scope", " %-5s", t->scope == EVENT_EACH_VNET ? "each" : "here");
			emit_text(e, " %p\n", (void *)t);
			emit_end(e);
		}
	emit_end(e);
}

void
event_fini(void)
{
	struct event_list *l;
	struct event_tag *t;

	/* The lists stay, few and reachable: raisers have looked them up once for all time. */
	LIST_FOREACH(l, &event_lists, link)
		while ((t = TAILQ_FIRST(&l->tags)) != NULL) {
			TAILQ_REMOVE(&l->tags, t, link);
			if (t->fn != NULL && t->holder != NULL)
				*t->holder = NULL;
			free(t);
		}
	event_count = 0;
}
