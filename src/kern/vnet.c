/*
 * vnet.c - stacks: the copy of the section, the ordered life of its rooms, the memory that it
 * holds.
 *
 * A stack is one piece of memory: struct vnet, then the copy of the section "set_vnet" with the
 * initial values. What rooms allocate for it goes through vnet_malloc, which puts 16 bytes before
 * each piece that say how long it is and on whose account; so the leak audit can say that nothing
 * is left. An account outlives its stack as long as a piece of it lives (an interface that moved
 * away keeps what it got at home).
 */
#include "kern/vnet.h"

#include "base/log.h"
#include "base/rcu.h"
#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/netisr.h"
#include "kern/verb.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
/* Provider vnet: the line number first, then the stack (behaviours 34). */
#define VNET_PROBE(name, vnet) DTRACE_PROBE2(vnet, name, __LINE__, vnet)
#else
#define VNET_PROBE(name, vnet) ((void)0)
#endif

struct vnet_account {
	uint64_t bytes;
	uint64_t refs; /* the stack's own, and one for each piece */
};

struct piece {
	struct vnet_account *account;
	size_t bytes;
};
_Static_assert(sizeof(struct piece) == 16, "a piece stays aligned for every type");

LINKERSET_DECLARE(vnet_sysinit, const struct vnet_sysinit);
LINKERSET_DECLARE(vnet_sysuninit, const struct vnet_sysinit);

struct vnetlist vnet_head = LIST_HEAD_INITIALIZER(vnet_head);
struct vnet *vnet0;
__thread struct vnet *curvnet;
__thread const char *curvnet_where;
void (*vnet_sysinit_trace)(const struct vnet_sysinit *s, bool uninit);

/* The control side's: stacks are made and destroyed by the upper half only. */
static struct vnet *vnet_last;
static uint32_t vnet_next_id;
static uint64_t vnet_count;
uint64_t vnet_ends;
static bool alloc_failed;
static struct sorted_set sysinits, sysuninits;

static uint64_t memory_live;    /* atomic: workers allocate too */
static uint64_t fail_countdown; /* 0 = no failure ordered */

/* Atomic, relaxed: nothing is ordered by these numbers. */
static void
account_charge(struct vnet_account *account, uint64_t bytes)
{
	__atomic_fetch_add(&memory_live, bytes, __ATOMIC_RELAXED);
	if (account == NULL)
		return;
	__atomic_fetch_add(&account->bytes, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&account->refs, 1, __ATOMIC_RELAXED);
}

static void
account_release(struct vnet_account *account, uint64_t bytes)
{
	__atomic_fetch_sub(&memory_live, bytes, __ATOMIC_RELAXED);
	if (account == NULL)
		return;
	__atomic_fetch_sub(&account->bytes, bytes, __ATOMIC_RELAXED);
	if (__atomic_sub_fetch(&account->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(account);
}

static bool
allocation_must_fail(void)
{
	if (__builtin_expect(fail_countdown == 0, 1))
		return false;
	return --fail_countdown == 0;
}

void *
vnet_malloc(size_t bytes)
{
	struct piece *piece;

	if (allocation_must_fail() || bytes > SIZE_MAX - sizeof(*piece))
		return NULL;
	piece = calloc(1, sizeof(*piece) + bytes);
	if (piece == NULL)
		return NULL;
	piece->account = curvnet == NULL ? NULL : curvnet->account;
	piece->bytes = bytes;
	account_charge(piece->account, bytes);
	return piece + 1;
}

void
vnet_free(void *p)
{
	struct piece *piece;

	if (p == NULL)
		return;
	piece = (struct piece *)p - 1;
	account_release(piece->account, piece->bytes);
	free(piece);
}

uint64_t
vnet_memory(void)
{
	return __atomic_load_n(&memory_live, __ATOMIC_RELAXED);
}

static size_t
section_bytes(void)
{
	return (size_t)(__stop_set_vnet - __start_set_vnet);
}

/*
 * Where the copy of the section lies behind the struct: as aligned as the linker may have aligned
 * it.
 */
enum { SECTION_ALIGN = 64 };
static const size_t section_at = (sizeof(struct vnet) + SECTION_ALIGN - 1) &
    ~(size_t)(SECTION_ALIGN - 1);

uint64_t
vnet_memory_of(const struct vnet *vnet)
{
	return section_at + section_bytes() +
	    __atomic_load_n(&vnet->account->bytes, __ATOMIC_RELAXED);
}

void
vnet_malloc_fail_at(uint64_t n)
{
	fail_countdown = n;
}

bool
vnet_malloc_fail_pending(void)
{
	return fail_countdown != 0;
}

static int
sysinit_compare(const void *a, const void *b)
{
	const struct vnet_sysinit *x = a, *y = b;

	if (x->subsystem != y->subsystem)
		return x->subsystem < y->subsystem ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int
sysuninit_compare(const void *a, const void *b)
{
	return sysinit_compare(b, a);
}

static const struct sorted_set *
sysinit_list(bool uninit)
{
	if (uninit)
		SORTED_SET_MAKE(&sysuninits, vnet_sysuninit, sysuninit_compare);
	else
		SORTED_SET_MAKE(&sysinits, vnet_sysinit, sysinit_compare);
	return uninit ? &sysuninits : &sysinits;
}

static void
sysinit_call(const struct vnet_sysinit *s, bool uninit)
{
	VNET_ENTRANCE(s->name);

	if (vnet_sysinit_trace != NULL)
		vnet_sysinit_trace(s, uninit);
	s->func(s->arg);
}

void
vnet_alloc_fail(void)
{
	alloc_failed = true;
}

/* Run the init functions; on failure returns the one that failed, else NULL. */
static const struct vnet_sysinit *
sysinit_run(void)
{
	const struct sorted_set *list = sysinit_list(false);

	alloc_failed = false;
	for (size_t i = 0; i < list->n; i++) {
		sysinit_call(list->object[i], false);
		if (alloc_failed)
			return list->object[i];
	}
	return NULL;
}

/* Run the uninit functions, those above `upto` (if given) excepted. */
static void
sysuninit_run(const struct vnet_sysinit *upto)
{
	const struct sorted_set *list = sysinit_list(true);

	for (size_t i = 0; i < list->n; i++) {
		const struct vnet_sysinit *s = list->object[i];

		if (upto != NULL &&
		    (s->subsystem > upto->subsystem ||
			(s->subsystem == upto->subsystem && s->order > upto->order)))
			continue;
		sysinit_call(s, true);
	}
}

static void
vnet_link(struct vnet *vnet)
{
	if (vnet_last == NULL)
		LIST_INSERT_HEAD(&vnet_head, vnet, link);
	else
		LIST_INSERT_AFTER(vnet_last, vnet, link);
	vnet_last = vnet;
	vnet_count++;
}

static void
vnet_unlink(struct vnet *vnet)
{
	if (vnet == vnet_last) {
		/* The list is singly headed: who precedes us is found through the pointer to us. */
		vnet_last = LIST_FIRST(&vnet_head) == vnet ?
		    NULL :
		    (struct vnet *)(void *)((uint8_t *)vnet->link.le_prev -
			offsetof(struct vnet, link.le_next));
	}
	LIST_REMOVE(vnet, link);
	vnet_count--;
	vnet_ends++;
}

/* A stack's memory, blank but for the section's initial values; NULL without memory. */
static struct vnet *
vnet_blank(void)
{
	size_t bytes = section_at + section_bytes();
	struct vnet *vnet;

	if (allocation_must_fail() || posix_memalign((void **)&vnet, SECTION_ALIGN, bytes) != 0)
		return NULL;
	memset(vnet, 0, sizeof(*vnet));
	vnet->account = calloc(1, sizeof(*vnet->account));
	if (vnet->account == NULL) {
		free(vnet);
		return NULL;
	}
	vnet->account->refs = 1;
	__atomic_fetch_add(&memory_live, bytes, __ATOMIC_RELAXED);
	vnet->data = (uint8_t *)vnet + section_at;
	memcpy(vnet->data, __start_set_vnet, section_bytes());
	return vnet;
}

static void
vnet_release(struct vnet *vnet)
{
	account_release(vnet->account, 0);
	__atomic_fetch_sub(&memory_live, section_at + section_bytes(), __ATOMIC_RELAXED);
	free(vnet);
}

/* The end of a stack that is not in the list any more; upto as in sysuninit_run. */
static void
vnet_end(struct vnet *vnet, const struct vnet_sysinit *upto)
{
	vnet->dying = true;
	{
		VNET_SCOPE(vnet);
		sysuninit_run(upto);
		netisr_purge_vnet(vnet);
		/* What rooms have handed to rcu_call may still look at the stack's variables. */
		rcu_synchronize();
	}
	vnet_release(vnet);
}

struct vnet *
vnet_alloc(void)
{
	return vnet_alloc_for(NULL);
}

struct vnet *
vnet_alloc_for(struct prison *prison)
{
	const struct vnet_sysinit *failed;
	struct vnet *vnet;

	VNET_PROBE(vnet_alloc__entry, NULL);
	vnet = vnet_blank();
	if (vnet == NULL) {
		errno = ENOMEM;
		VNET_PROBE(vnet_alloc__return, NULL);
		return NULL;
	}
	vnet->id = vnet_next_id++;
	vnet->prison = prison;
	/* The rooms of the first stack already ask whether they are in the host's. */
	if (vnet0 == NULL)
		vnet0 = vnet;
	VNET_PROBE(vnet_alloc__alloc, vnet);
	{
		VNET_SCOPE(vnet);
		failed = sysinit_run();
	}
	/* In the list only now: events for every stack don't meet a half made one. */
	if (failed == NULL) {
		vnet_link(vnet);
	} else {
		vnet_end(vnet, failed);
		if (vnet0 == vnet)
			vnet0 = NULL;
		vnet = NULL;
		errno = ENOMEM;
	}
	VNET_PROBE(vnet_alloc__return, vnet);
	return vnet;
}

void
vnet_destroy(struct vnet *vnet)
{
	VNET_PROBE(vnet_destroy__entry, vnet);
	assert(curvnet != vnet || vnet == vnet0);
	verb_cancel_vnet(vnet);
	vnet_unlink(vnet);
	vnet_end(vnet, NULL);
	VNET_PROBE(vnet_destroy__return, vnet);
}

const char *
vnet_name(const struct vnet *vnet)
{
	if (vnet == vnet0)
		return "host";
	/* A stack that no jail owns (yet): a test's, or one whose rooms are just starting. */
	return vnet->prison == NULL ? "unnamed" : vnet->prison->name;
}

struct vnet *
vnet_by_handle(uintptr_t handle)
{
	struct vnet *vnet;

	VNET_FOREACH(vnet)
		if ((uintptr_t)vnet == handle)
			return vnet;
	return NULL;
}

struct vnet *
vnet_after(uint32_t id)
{
	struct vnet *vnet;

	VNET_FOREACH(vnet)
		if (vnet->id > id)
			return vnet;
	return NULL;
}

void
vnet_show_sysinit(struct emitter *e, bool uninit)
{
	const struct sorted_set *list = sysinit_list(uninit);

	emit_text(e, "VNET_SYS%s vs Name(Ptr)\n  Subsystem  Order\n  Function(Name)(Arg)\n",
	    uninit ? "UNINIT" : "INIT");
	emit_list(e, uninit ? "vnet_sysuninit" : "vnet_sysinit");
	for (size_t i = 0; i < list->n; i++) {
		const struct vnet_sysinit *s = list->object[i];

		emit_text(e, "%s(%p)\n  0x%08x 0x%08x\n  0x%llx(%s)(%p)\n", s->name,
		    (const void *)s, (unsigned)s->subsystem, (unsigned)s->order,
		    (unsigned long long)(uintptr_t)s->func, s->name, s->arg);
		emit_object(e, NULL);
		emit_str(e, "function", NULL, s->name);
		emit_uint(e, "subsystem", NULL, s->subsystem);
		emit_uint(e, "order", NULL, (uint64_t)s->order);
		emit_end(e);
	}
	emit_end(e);
}

void
vnet_entrance_failed(const struct vnet_entrance *en)
{
	fprintf(stderr, "%s: entered in stack %s, left in stack %s, last set at %s\n", en->what,
	    en->found == NULL ? "none" : vnet_name(en->found),
	    curvnet == NULL ? "none" : vnet_name(curvnet),
	    curvnet_where == NULL ? "an unknown place" : curvnet_where);
	abort();
}

/* Callouts don't nest, so one saved stack a thread is enough. */
static __thread struct vnet_scope callout_saved;

static void
callout_enter(struct vnet *vnet)
{
	callout_saved = (struct vnet_scope){ curvnet, curvnet_where };
	curvnet = vnet;
	curvnet_where = "a callout's start";
}

static void
callout_leave(struct vnet *vnet)
{
	const struct vnet_entrance en = { vnet, "callout" };

	vnet_entrance_leave(&en);
	vnet_scope_leave(&callout_saved);
}

AUDIT_COUNTER(vnets, "vnet", vnet_count);
AUDIT_DEFINE(vnet_memory, "vnet memory", vnet_memory);

void
vnet_init(void)
{
	callout_enter_vnet = callout_enter;
	callout_leave_vnet = callout_leave;
	vnet0 = vnet_alloc_for(&prison0);
	if (vnet0 == NULL) {
		fprintf(stderr, "no memory for the host's stack\n");
		abort();
	}
	prison0.vnet = vnet0;
	curvnet = vnet0;
	curvnet_where = "kern_init";
	curprison = &prison0;
}

void
vnet_fini(void)
{
	/* Youngest first: what a stack borrowed from an older one goes home before that ends. */
	while (vnet_last != vnet0)
		vnet_destroy(vnet_last);
	vnet_destroy(vnet0);
	vnet0 = NULL;
	vnet_next_id = 0;
	curvnet = NULL;
	curvnet_where = NULL;
	curprison = NULL;
	prison0.vnet = NULL;
}
