/*
 * divert.c - the outlet of `divert PORT` and `tee PORT`: to whoever listens at the stack's divert
 * port.
 *
 * Ports are a stack's own and have nothing to do with UDP's. A diverted packet that nobody listens
 * for is dropped; of a tee'd one only the copy is. Fragments of IPv4 are put together before
 * (hook.c): a program that rewrites packets needs whole ones; copies are as they came.
 */
#include "ipfw/listener.h"

static void
divert_out(struct mbuf *m, struct fw_tag *tag, uint16_t port, bool tee)
{
	(void)tee, (void)port;
	fw_listener_give(FW_ACT_DIVERT, tag->arg, m, tag);
}

static void
divert_init(void *arg)
{
	(void)arg;
	if (fw_outlets.divert == NULL)
		fw_outlets.divert = divert_out;
}
VNET_SYSINIT(fw_divert, SI_SUB_FIREWALL, SI_ORDER_ANY, divert_init, NULL);
