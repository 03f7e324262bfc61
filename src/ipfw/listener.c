/*
 * listener.c - the listeners of a stack, by what sends to them and by number.
 *
 * There are few, and a packet that leaves looks for one: a tree.
 */
#include "ipfw/listener.h"

#include <errno.h>

DROP_DEFINE(DROP_FW_LISTENER, "ipfw", "listener",
    "a program that takes packets of the firewall is too slow, or has just gone");

RB_HEAD(fw_listeners, fw_listener);
VNET_DEFINE_STATIC(struct fw_listeners, fw_listeners);
#define V_fw_listeners VNET(fw_listeners)

static uint64_t listeners_live;
AUDIT_COUNTER(fw_listener, "fw_listener", listeners_live);

static int
listener_compare(const struct fw_listener *a, const struct fw_listener *b)
{
	return a->kind != b->kind ? a->kind - b->kind : a->number - b->number;
}

RB_TREE_STATIC(fw_listeners, fw_listener, link, listener_compare)

struct fw_listener *
fw_listener_of(uint8_t kind, uint16_t number)
{
	struct fw_listener key = { .kind = kind, .number = number };

	return RB_FIND(fw_listeners, &V_fw_listeners, &key);
}

int
fw_listen(struct fw_listener *l)
{
	if (l->vnet != NULL || fw_listener_of(l->kind, l->number) != NULL)
		return -EADDRINUSE;
	l->vnet = curvnet;
	RB_INSERT(fw_listeners, &V_fw_listeners, l);
	__atomic_fetch_add(&listeners_live, 1, __ATOMIC_RELAXED);
	return 0;
}

void
fw_listen_end(struct fw_listener *l)
{
	if (l->vnet == NULL)
		return;
	RB_REMOVE(fw_listeners, &VNET_OF(l->vnet, fw_listeners), l);
	__atomic_fetch_sub(&listeners_live, 1, __ATOMIC_RELAXED);
	l->vnet = NULL;
}

void
fw_listener_foreach(void (*fn)(const struct fw_listener *l, void *ctx), void *ctx)
{
	struct fw_listener *l;

	RB_FOREACH(l, fw_listeners, &V_fw_listeners)
		fn(l, ctx);
}

bool
fw_listener_input(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag)
{
	uint64_t *count = tag->kind == l->kind ? &l->packets : &l->copies;

	/* before, for behind it the listener may have gone */
	++*count;
	if (l->input(l, m, tag))
		return true;
	--*count;
	return false;
}

void
fw_listener_give(uint8_t kind, uint32_t number, struct mbuf *m, struct fw_tag *tag)
{
	struct fw_listener *l = NULL;

	/* a number from a table may be any */
	if (number <= UINT16_MAX)
		l = fw_listener_of(kind, (uint16_t)number);
	if (l == NULL)
		m_drop(m, &DROP_FW_NO_OUTLET);
	else if (!fw_listener_input(l, m, tag))
		m_drop(m, &DROP_FW_LISTENER);
}

/* The hooks have gone: nothing comes here any more. */
static void
listeners_end(void *arg)
{
	struct fw_listener *l;

	(void)arg;
	while ((l = RB_MIN(fw_listeners, &V_fw_listeners)) != NULL) {
		fw_listen_end(l);
		if (l->gone != NULL)
			l->gone(l);
	}
}
VNET_SYSUNINIT(fw_listeners, SI_SUB_FIREWALL, SI_ORDER_SECOND, listeners_end, NULL);
