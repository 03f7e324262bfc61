/*
 * api_divert.c - the firewall's packets for the program that has the stacks inside: what a program
 * outside gets by a door (port/divert_door.c), without a socket, and in virtual time too.
 *
 * What the program writes from inside of its handler waits until the handler has returned: rules
 * that send to the same handler over and over don't nest.
 */
#include "warren.h"

#include "base/sched.h"
#include "control/api.h"
#include "ipfw/auth.h"
#include "ipfw/datagram.h"
#include "kern/jail.h"
#include "port/loop.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct written {
	STAILQ_ENTRY(written) link;
	size_t len;
	uint8_t bytes[];
};

struct warren_divert {
	struct fw_listener l; /* first */
	LIST_ENTRY(warren_divert) link;
	void (*on_datagram)(void *ctx, const void *bytes, size_t len);
	void *ctx;
	unsigned in_handler;
	bool draining;
	STAILQ_HEAD(, written) queue; /* what the handler wrote */
};

static LIST_HEAD(, warren_divert) diverts = LIST_HEAD_INITIALIZER(diverts);

/* What was written goes in, one after the other, with whatever that leads to. */
static void
drain(struct warren_divert *d)
{
	struct written *w;

	if (d->draining)
		return;
	d->draining = true;
	while ((w = STAILQ_FIRST(&d->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->queue, link);
		if (d->l.vnet != NULL) /* else its stack has ended */
			(void)fw_datagram_input(&d->l, w->bytes, w->len);
		free(w);
	}
	d->draining = false;
}

/* The listener's input. */
static bool
divert_input(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag)
{
	struct warren_divert *d = (struct warren_divert *)(void *)l;
	_Alignas(8) uint8_t bytes[WARREN_DATAGRAM_MAX];

	if (m->len > sizeof(bytes) - sizeof(struct warren_datagram))
		return false;
	fw_datagram_header((void *)bytes, m, tag, l->number);
	memcpy(bytes + sizeof(struct warren_datagram), m->data, m->len);
	api_in_handler++;
	d->in_handler++;
	d->on_datagram(d->ctx, bytes, sizeof(struct warren_datagram) + m->len);
	d->in_handler--;
	api_in_handler--;
	m_free(m);
	if (d->in_handler == 0)
		drain(d);
	return true;
}

static struct warren_divert *
divert_new(uint8_t kind, uint16_t number,
    void (*on_datagram)(void *ctx, const void *bytes, size_t len), void *ctx)
{
	struct warren_divert *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->l = (struct fw_listener){ .kind = kind, .number = number, .input = divert_input };
	d->on_datagram = on_datagram;
	d->ctx = ctx;
	STAILQ_INIT(&d->queue);
	return d;
}

/* 0 or -errno. In its stack. */
static int
divert_listen(struct warren_divert *d)
{
	int error = d->l.kind == FW_ACT_AUTH ? fw_auth_listen(&d->l) : fw_listen(&d->l);

	if (error == 0)
		LIST_INSERT_HEAD(&diverts, d, link);
	return error;
}

struct warren_divert *
warren_divert_open(struct warren *w, const char *jail, enum warren_divert_for what, unsigned number,
    void (*on_datagram)(void *ctx, const void *bytes, size_t len), void *ctx)
{
	static const uint8_t kinds[] = { FW_ACT_DIVERT, FW_ACT_NETGRAPH, FW_ACT_AUTH };
	const struct prison *prison = jail != NULL ? prison_find(&prison0, jail) : &prison0;
	struct warren_divert *d;

	(void)w;
	if (prison == NULL) {
		errno = ENOENT;
		return NULL;
	}
	if ((unsigned)what >= sizeof(kinds) || on_datagram == NULL || number > UINT16_MAX ||
	    (number == 0) != (what == WARREN_FOR_AUTH)) {
		errno = EINVAL;
		return NULL;
	}
	if ((d = divert_new(kinds[what], (uint16_t)number, on_datagram, ctx)) == NULL)
		return NULL;
	VNET_SCOPE(prison->vnet);
	int error = divert_listen(d);

	if (error == 0)
		return d;
	free(d);
	errno = -error;
	return NULL;
}

int
warren_divert_write(struct warren_divert *d, const void *bytes, size_t len)
{
	struct written *w;

	if (d->l.vnet == NULL)
		return -ENETDOWN;
	if (len < sizeof(struct warren_datagram) || len > WARREN_DATAGRAM_MAX)
		return -EINVAL;
	if ((w = malloc(sizeof(*w) + len)) == NULL)
		return -ENOMEM;
	w->len = len;
	memcpy(w->bytes, bytes, len);
	STAILQ_INSERT_TAIL(&d->queue, w, link);
	if (d->in_handler > 0)
		return 0;
	clock_update();
	VNET_SCOPE(d->l.vnet);
	drain(d);
	/* From inside of another handler the walk that called it drains. */
	if (api_in_handler == 0 && sched_drain != NULL)
		while (sched_drain())
			;
	loop_arm();
	return 0;
}

void
warren_divert_close(struct warren_divert *d)
{
	struct written *w;

	if (d == NULL)
		return;
	LIST_REMOVE(d, link);
	fw_listen_end(&d->l);
	while ((w = STAILQ_FIRST(&d->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->queue, link);
		free(w);
	}
	free(d);
}

void
api_diverts_close(void)
{
	struct warren_divert *d;

	while ((d = LIST_FIRST(&diverts)) != NULL)
		warren_divert_close(d);
}
