/*
 * dn_door.c - the firewall's door to pipes and queues: what rules send there comes back to them.
 */
#include "dummynet/dn.h"
#include "ipfw/hook.h"
#include "net/pfil.h"

static void
come_back(const struct dn_door *door, struct batch *b)
{
	(void)door;
	batch_foreach(b, m)
		fw_reinject(m);
	b->n = 0;
}

static const struct dn_door packets = { .name = "ipfw", .deliver = come_back };
static const struct dn_door frames = { .name = "ipfw", .deliver = come_back, .frame = true };

static void
go_in(struct mbuf *m, struct fw_tag *tag, uint32_t number, bool queue)
{
	const bool framed = pfil_is_framed((enum pfil_point)tag->point);

	dn_input(m, number, queue, framed ? &frames : &packets);
}

static void
door_init(void *arg)
{
	(void)arg;
	if (fw_outlets.dummynet == NULL)
		fw_outlets.dummynet = go_in;
}
VNET_SYSINIT(fw_dn_door, SI_SUB_FIREWALL, SI_ORDER_SECOND, door_init, NULL);
