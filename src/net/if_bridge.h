/*
 * if_bridge.h - a learning bridge of Ethernet interfaces: what others need of it.
 *
 * A bridge is an interface itself (`ifconfig bridge create`), with an address of its own on the
 * link that its members make up. docs/bridge.md says what it does, if_bridge_internal.h how its
 * files share the work.
 */
#ifndef WARREN_NET_IF_BRIDGE_H
#define WARREN_NET_IF_BRIDGE_H

#include "net/if.h"

struct bridge_port;

/* Frames that a member has received; if_receive has counted them. Takes the batch. */
void bridge_input(struct bridge_port *from, struct batch *b);
/*
 * Frames that the stack sends by a member: by the member that leads to their station. False: the
 * bridge is down, they go by the interface itself. Takes the batch if true.
 */
bool bridge_output(struct bridge_port *port, struct batch *b);

bool bridge_is(const struct ifnet *ifp);
/*
 * In the bridge's stack: 0; -EINVAL (no Ethernet interface, a bridge, another MTU), -EEXIST, -EBUSY
 * (is in another bridge), -ENOMEM. Nothing has changed on error.
 */
int bridge_member_add(struct ifnet *bridge, struct ifnet *ifp);

#endif
