/*
 * vnet.h - a stack, and the variables that every stack has for itself.
 *
 * VNET_DEFINE(type, name) declares a per-stack variable in the file of the subsystem that owns it,
 * with its initial value; the linker gathers them in one section. A new stack gets a copy of that
 * section (so of the initial values, never of another stack's current ones), then the VNET_SYSINIT
 * functions run in the order (subsystem, order, name). Destruction runs the VNET_SYSUNINIT
 * functions in the reverse order and frees the copy; after it no byte is left.
 *
 * The current stack is curvnet, per thread. Whoever sets it restores it on every way out:
 *
 *	VNET_SCOPE(vnet);	until the end of the block, by the cleanup attribute
 *
 * Public entrances (verbs, callouts, events, netisr handlers) check in debug builds that they leave
 * with the curvnet that they found.
 */
#ifndef WARREN_KERN_VNET_H
#define WARREN_KERN_VNET_H

#include "base/linkerset.h"
#include "base/callout.h"

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prison;
struct emitter;

struct vnet {
	uint8_t *data;         /* the copy of the section; V_name reads from here */
	LIST_ENTRY(vnet) link; /* all stacks, in order of creation */
	uint32_t id;           /* 0 = the host stack; never reused */
	uint32_t ifcnt;        /* interfaces in it (net/if.c) */
	uint32_t sockcnt;      /* UDP endpoints and the like */
	struct prison *prison; /* the jail that owns it; the host's is prison0 */
	struct sched_domain
	    *domain; /* virtual time: where its events happen; NULL = common domain */
	bool dying;
	struct vnet_account *account; /* what vnet_malloc gave it */
};

LIST_HEAD(vnetlist, vnet);
extern struct vnetlist vnet_head;
extern struct vnet *vnet0; /* the host stack; made by kern_init() */
extern __thread struct vnet *curvnet;

#define VNET_SECTION __attribute__((used, section("set_vnet")))

extern uint8_t __start_set_vnet[], __stop_set_vnet[];

/* Define with an optional initialiser behind: VNET_DEFINE(uint32_t, ip_ttl) = 64; */
#define VNET_DEFINE(type, name) type vnet_entry_##name VNET_SECTION
#define VNET_DEFINE_STATIC(type, name) static type vnet_entry_##name VNET_SECTION
#define VNET_DECLARE(type, name) extern type vnet_entry_##name

#define VNET_OFFSET(name) ((size_t)((uint8_t *)&vnet_entry_##name - __start_set_vnet))
/*
 * Variable of a given stack, and of the current one. #define V_ip_ttl VNET(ip_ttl) where it is
 * declared.
 */
#define VNET_OF(vnet, name)                                                                        \
	(*(__typeof__(vnet_entry_##name) *)(void *)((vnet)->data + VNET_OFFSET(name)))
#define VNET(name) VNET_OF(curvnet, name)

/*
 * Set the current stack until the end of the enclosing block; remembers where, for the check below.
 */
struct vnet_scope {
	struct vnet *saved;
	const char *saved_where;
};
extern __thread const char *curvnet_where; /* "net/if.c:123": the last VNET_SCOPE still open */
static inline void
vnet_scope_leave(struct vnet_scope *s)
{
	curvnet = s->saved;
	curvnet_where = s->saved_where;
}
#define VNET_SCOPE_(vnet, line)                                                                    \
	struct vnet_scope vnet_scope_##line                                                        \
	    __attribute__((cleanup(vnet_scope_leave), unused)) = { curvnet, curvnet_where };       \
	curvnet = (vnet);                                                                          \
	curvnet_where = __FILE__ ":" #line
#define VNET_SCOPE__(vnet, line) VNET_SCOPE_(vnet, line)
#define VNET_SCOPE(vnet) VNET_SCOPE__(vnet, __LINE__)

/*
 * At a public entrance: aborts, naming the place where the current stack was last set, if the block
 * is left with another curvnet than it was entered with (behaviours 6). `what` is a string for the
 * message.
 */
struct vnet_entrance {
	struct vnet *found;
	const char *what;
};
_Noreturn void vnet_entrance_failed(const struct vnet_entrance *en);
static inline void
vnet_entrance_leave(const struct vnet_entrance *en)
{
	if (__builtin_expect(curvnet != en->found, 0))
		vnet_entrance_failed(en);
}
#define VNET_ENTRANCE(what)                                                                        \
	const struct vnet_entrance vnet_entrance_                                                  \
	    __attribute__((cleanup(vnet_entrance_leave), unused)) = { curvnet, what }

#define VNET_FOREACH(v) LIST_FOREACH(v, &vnet_head, link)

/* Start-up order: subsystems bottom up, then `order` inside one. */
enum vnet_subsystem {
	SI_SUB_KERN = 0x1000,
	SI_SUB_EVENT = 0x1800,
	SI_SUB_NET = 0x2000,
	SI_SUB_LINK = 0x2800,
	SI_SUB_ROUTE = 0x3000,
	SI_SUB_INET = 0x4000,
	SI_SUB_INET6 = 0x5000,
	SI_SUB_FIREWALL = 0x6000,
	SI_SUB_TOP = 0x7000,
};
enum vnet_order {
	SI_ORDER_FIRST = 0,
	SI_ORDER_SECOND = 1,
	SI_ORDER_THIRD = 2,
	SI_ORDER_MIDDLE = 0x1000,
	SI_ORDER_ANY = 0xfff0
};

struct vnet_sysinit {
	enum vnet_subsystem subsystem;
	int order;
	void (*func)(void *arg);
	void *arg;
	const char *name; /* the function's */
};

/*
 * Run func(arg) in each new stack (curvnet is it), or at its end. Must not fail; a function without
 * memory aborts the creation through vnet_alloc_fail().
 */
#define VNET_SYSINIT(ident, sub, ord, fn, argument)                                                \
	static const struct vnet_sysinit vnet_init_of_##ident = { sub, ord, fn, argument, #fn };   \
	LINKERSET_ADD(vnet_sysinit, vnet_init_of_##ident)
#define VNET_SYSUNINIT(ident, sub, ord, fn, argument)                                              \
	static const struct vnet_sysinit vnet_uninit_of_##ident = { sub, ord, fn, argument, #fn }; \
	LINKERSET_ADD(vnet_sysuninit, vnet_uninit_of_##ident)

/*
 * Said by an init function that has no memory: the creation ends there. The VNET_SYSUNINIT
 * functions of all (subsystem, order) up to and with its own run, so they cope with a room that is
 * not or half set up.
 */
void vnet_alloc_fail(void);

/* A new stack, or NULL (ENOMEM). The caller owns it: vnet_destroy. */
struct vnet *vnet_alloc(void);

/*
 * End a stack: its callouts stopped, interfaces moved home or destroyed, tables freed. The caller
 * is in the upper half and not inside a walk of this stack's packets.
 */
void vnet_destroy(struct vnet *vnet);

/* Name for logs, captures and tables: the owning jail's, "host" for the host stack. */
const char *vnet_name(const struct vnet *vnet);

/* The ordered lists as `show vnet_sysinit` prints them (behaviours 33). */
void vnet_show_sysinit(struct emitter *e, bool uninit);

/*
 * Teardown log for tests: when set, called with each function's name as it runs (init true or
 * uninit).
 */
extern void (*vnet_sysinit_trace)(const struct vnet_sysinit *s, bool uninit);

/*
 * The leak audit (behaviours, "leak audit"): every kind of object that a stack owns registers a
 * counter of its live objects, process-wide. A test takes the counts before a scenario and after.
 */
struct audit {
	const char *name; /* "ifnet", "route", "llentry", "callout", "mbuf", … */
	uint64_t (*live)(void);
};
#define AUDIT_DEFINE(ident, label, fn)                                                             \
	static const struct audit audit_of_##ident = { label, fn };                                \
	LINKERSET_ADD(audit, audit_of_##ident)
/* The same for a room that keeps the number in a uint64_t, written atomically or by one thread. */
#define AUDIT_COUNTER(ident, label, counter)                                                       \
	static uint64_t audit_count_of_##ident(void)                                               \
	{                                                                                          \
		return __atomic_load_n(&(counter), __ATOMIC_RELAXED);                              \
	}                                                                                          \
	AUDIT_DEFINE(ident, label, audit_count_of_##ident)
/* Counting waits for late frees (rcu.h): upper half only, never in a reader's section. */
enum { AUDIT_MAX = 64 };
struct audit_counts {
	uint64_t n[AUDIT_MAX];
};
void audit_take(struct audit_counts *c);
/*
 * Compare with now; returns the number of kinds that differ and, with text != NULL, writes "route
 * +2, mbuf -1" (NUL-terminated, cut at len).
 */
int audit_compare(const struct audit_counts *before, char *text, size_t len);
/* Lists all counters: `show audit`. */
void audit_show(struct emitter *e);

/*
 * Memory of a stack: bytes of the section plus what rooms allocated through vnet_malloc (accounted
 * to curvnet).
 */
void *vnet_malloc(size_t bytes); /* zeroed; NULL without memory */
void vnet_free(void *p);
uint64_t vnet_memory(void); /* bytes live now, all stacks: an audit counter too */
uint64_t vnet_memory_of(const struct vnet *vnet); /* of one stack, struct and section included */

/* Fault injection: the n-th vnet_malloc from now on fails, once (1 = the next); 0 = none. */
void vnet_malloc_fail_at(uint64_t n);
/*
 * True while an ordered failure has not come yet: the corpus that just ran makes fewer allocations.
 */
bool vnet_malloc_fail_pending(void);

/*
 * Bring the kernel floor up: worker 0 attached by the caller, vnet0 and prison0 made. Idempotent.
 * Behind it the calling thread's curvnet is vnet0 and its curprison &prison0.
 * kern_fini destroys all stacks and frees everything, so that LeakSanitizer has nothing to say;
 * curvnet is NULL then.
 */
void kern_init(void);
void kern_fini(void);

/*
 * Address -> object handles that people type in `show X HANDLE`: printed with %p; these check that
 * a typed one is live.
 */
struct vnet *vnet_by_handle(uintptr_t handle);

/* The living stack with the lowest id above `id`: for walks whose body may destroy stacks. */
struct vnet *vnet_after(uint32_t id);

#endif
