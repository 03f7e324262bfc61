/*
 * eventhandler.h - events that rooms tell each other, global and per stack.
 *
 * A handler registered for a global event with EVENT_EACH_VNET is called once for every stack, with
 * curvnet set to it; it is registered once, whoever starts meanwhile (behaviours 14).
 */
#ifndef WARREN_KERN_EVENTHANDLER_H
#define WARREN_KERN_EVENTHANDLER_H

#include "kern/vnet.h"

/* The arguments of an event: the room that raises it says in its header what they are. */
typedef void event_fn(void *ctx, void *arg1, void *arg2);

enum event_scope {
	EVENT_HERE,      /* called with the raiser's current stack */
	EVENT_EACH_VNET, /* called for every stack */
};
enum { EVENT_PRI_FIRST = 0, EVENT_PRI_ANY = 10000, EVENT_PRI_LAST = 20000 };

struct event_tag;

/*
 * Register fn for the event `name` ("ifnet_arrival", …; a name is made by its first use). Returns a
 * tag, owned by the list. Called from a stack that is not the host's (a VNET_SYSINIT running again)
 * with *tag already set: nothing happens and *tag stays. Lower priorities are called first, equal
 * ones in order of registration.
 */
struct event_tag *event_register(struct event_tag **tag, const char *name, enum event_scope scope,
    event_fn *fn, void *ctx, int priority);
/* Safe inside the handler itself. *tag becomes NULL. */
void event_deregister(struct event_tag **tag);

/* An event's list, for raisers: look up once, keep. */
struct event_list *event_find(const char *name);
/* Call all handlers. */
void event_invoke(struct event_list *l, void *arg1, void *arg2);
/* Handlers registered now, all events: an audit counter. */
uint64_t event_live(void);
/* `show events`. */
void event_show(struct emitter *e);

#endif
