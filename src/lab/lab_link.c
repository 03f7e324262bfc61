/*
 * lab_link.c - links: a pair of interfaces in two stacks, with a pipe in each way that is shaped.
 *
 * A pipe's requests are kept as phases: from a change of the timeline on, what is asked is
 * something else, and the report compares each phase with what was achieved in it.
 *
 * A link that is down has lost its carrier: both ends stop running, so that what is sent, and what
 * was in flight and arrives, is dropped under the counter if.down.
 */
#include "kern/jail.h"
#include "lab/lab_metric.h"
#include "lab/lab_model.h"
#include "net/epair.h"
#include "net/ethernet.h"

#include <errno.h>
#include <string.h>

/* A command may have destroyed it. */
bool
lab_end_is_alive(const struct lab_end *e)
{
	return e->ifp != NULL && !(e->ifp->if_flags & IFF_DYING_);
}

static void
phase_begin(struct lab *lab, struct lab_end *e)
{
	struct lab_phase *ph = lab_alloc(lab, sizeof(*ph)),
			 *last = STAILQ_LAST(&e->phases, lab_phase, next);

	if (last != NULL) {
		lab_way_stats(e, &last->end);
		last->to_ns = clock_now();
	}
	ph->from_ns = clock_now();
	ph->to_ns = NS_NEVER;
	lab_way_stats(e, &ph->start);
	if (pipe_of(e->ifp) != NULL)
		pipe_config_get(pipe_of(e->ifp), &ph->c);
	STAILQ_INSERT_TAIL(&e->phases, ph, next);
}

static int
end_shape(struct lab *lab, struct lab_end *e, const struct pipe_config *c)
{
	int error = pipe_attach(e->ifp, c);

	if (error == 0) {
		e->shaped = true;
		phase_begin(lab, e);
	}
	return error;
}

/*
 * The other end of a link that has no delay in one way is in the same stack's domain; see
 * lab_build.c.
 */
static int
pair_make(struct lab_link *l)
{
	struct ifnet *a, *b;
	int error;

	VNET_SCOPE(l->end[0].node->prison->vnet);
	error = epair_create(&a, &b);
	if (error != 0)
		return error;
	l->end[0].ifp = if_ref(a);
	l->end[1].ifp = if_ref(b);
	return l->end[0].node != l->end[1].node ? if_vmove(b, l->end[1].node->prison->vnet) : 0;
}

static int
end_setup(struct lab_link *l, unsigned side)
{
	struct lab_end *e = &l->end[side];
	/* Addresses are the link's number, so that they depend on the file alone. 77 is a w. */
	const uint8_t lladdr[6] = { 0x02, 0x77, (uint8_t)(l->index >> 16), (uint8_t)(l->index >> 8),
		(uint8_t)l->index, (uint8_t)(0x0a + side) };
	int error;

	VNET_SCOPE(e->node->prison->vnet);
	error = if_rename(e->ifp, e->ifname);
	if (error == 0)
		error = if_set_lladdr(e->ifp, lladdr);
	if (error == 0 && l->mtu != 0)
		error = if_set_mtu(e->ifp, l->mtu);
	return error;
}

int
lab_link_build(struct lab *lab, struct lab_link *l, char **why)
{
	int error = pair_make(l);

	for (unsigned side = 0; error == 0 && side < 2; side++)
		error = end_setup(l, side);
	for (unsigned side = 0; error == 0 && side < 2; side++)
		if (l->end[side].shape.keys != 0)
			error = end_shape(lab, &l->end[side], &l->end[side].shape.c);
	if (error != 0)
		return lab_fail(lab, why, error, l->line, "link %s - %s: %s", l->end[0].name,
		    l->end[1].name, strerror(-error));
	return 0;
}

static void
config_merge(struct pipe_config *c, const struct lab_shape *s)
{
	if (s->keys & LAB_SHAPE_RATE)
		c->rate_bps = s->c.rate_bps;
	if (s->keys & LAB_SHAPE_DELAY)
		c->delay_ns = s->c.delay_ns;
	if (s->keys & LAB_SHAPE_JITTER)
		c->jitter_ns = s->c.jitter_ns;
	if (s->keys & LAB_SHAPE_LOSS)
		c->loss = s->c.loss;
	if (s->keys & LAB_SHAPE_QUEUE) {
		c->queue_packets = s->c.queue_packets;
		c->queue_bytes = s->c.queue_bytes;
	}
}

void
lab_link_set(struct lab *lab, struct lab_link *l, const struct lab_shape shape[2])
{
	for (unsigned side = 0; side < 2; side++) {
		struct lab_end *e = &l->end[side];
		struct pipe_config c = {};
		int error = -ENXIO;

		if (shape[side].keys == 0)
			continue;
		if (lab_end_is_alive(e)) {
			if (pipe_of(e->ifp) != NULL)
				pipe_config_get(pipe_of(e->ifp), &c);
			config_merge(&c, &shape[side]);
			error = end_shape(lab, e, &c);
		}
		if (error != 0)
			lab_differ(lab, "%s: the change of the timeline could not be made: %s",
			    e->name, error == -ENXIO ? "the interface is gone" : strerror(-error));
	}
	lab_update_lookahead(lab);
}

void
lab_link_carrier(struct lab *lab, struct lab_link *l, bool up)
{
	l->down = !up;
	if (!lab_end_is_alive(&l->end[0])) {
		lab_differ(lab,
		    "%s: the change of the timeline could not be made: the interface is gone",
		    l->end[0].name);
		return;
	}
	for (unsigned side = 0; side < 2; side++) {
		struct ifnet *ifp = l->end[side].ifp;
		const struct ifnet *other = l->end[1 - side].ifp;

		VNET_SCOPE(ifp->if_vnet);
		if (!up) {
			ifp->if_flags &= ~(uint32_t)IFF_RUNNING_;
			if_link_state_change(ifp, LINK_STATE_DOWN);
		} else {
			if (ifp->if_flags & IFF_UP_)
				ifp->if_flags |= IFF_RUNNING_;
			/* An end is the other's carrier if it is up. */
			if_link_state_change(
			    ifp, other->if_flags & IFF_UP_ ? LINK_STATE_UP : LINK_STATE_DOWN);
		}
	}
}

void
lab_link_close(struct lab *lab)
{
	struct lab_link *l;

	STAILQ_FOREACH(l, &lab->links, next) {
		for (unsigned side = 0; side < 2; side++) {
			struct lab_end *e = &l->end[side];
			struct lab_phase *last = STAILQ_LAST(&e->phases, lab_phase, next);

			if (last == NULL)
				continue;
			lab_way_stats(e, &last->end);
			last->to_ns = clock_now();
		}
	}
}
