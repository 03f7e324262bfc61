/*
 * ng.c - the outlet of `netgraph N` and `ngtee N`: out of the hook N of the node ipfw.
 *
 * A packet for a hook that nobody is attached to is discarded. What comes back by a hook passes, or
 * goes on at the next rule, as net.inet.ip.fw.one_pass says.
 */
#include "ipfw/ng.h"

#include "kern/verb.h"

#include <errno.h>

bool
fw_ng_hook_number(const char *name, uint16_t *number)
{
	uint64_t n;

	/* one name a hook: "060" and "0x3c" are none */
	if (name[0] < '1' || name[0] > '9' || !verb_number(name, 1, UINT16_MAX, &n))
		return false;
	*number = (uint16_t)n;
	return true;
}

int
fw_ng_attach(struct fw_listener *l, const char *name)
{
	if (!fw_ng_hook_number(name, &l->number))
		return -EINVAL;
	l->kind = FW_ACT_NETGRAPH;
	return fw_listen(l);
}

static void
ng_out(struct mbuf *m, struct fw_tag *tag, uint32_t cookie, bool tee)
{
	(void)tee;
	fw_listener_give(FW_ACT_NETGRAPH, cookie, m, tag);
}

static void
ng_init(void *arg)
{
	(void)arg;
	if (fw_outlets.netgraph == NULL)
		fw_outlets.netgraph = ng_out;
}
VNET_SYSINIT(fw_ng, SI_SUB_FIREWALL, SI_ORDER_ANY, ng_init, NULL);
