/*
 * ng.h - the node `ipfw` and its hooks, to which `netgraph N` and `ngtee N` deliver.
 *
 * A hook's name is a number in decimal, the cookie of the rules. Whoever attaches to it is a
 * listener of the kind FW_ACT_NETGRAPH (listener.h): a module's function, or a program behind a
 * door.
 */
#ifndef WARREN_IPFW_NG_H
#define WARREN_IPFW_NG_H

#include "ipfw/listener.h"

/* "60" -> 60. False: no hook of the node can have this name. */
bool fw_ng_hook_number(const char *name, uint16_t *number);
/* Attach l to the hook of this name. 0; -EINVAL: no such name; -EADDRINUSE. */
int fw_ng_attach(struct fw_listener *l, const char *name);

#endif
