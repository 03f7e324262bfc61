/*
 * tap.h - a door to Linux: an Ethernet interface of ours whose other end is a Linux tap of the
 * process's own network namespace (`ifconfig tap0 create`).
 *
 * Works live only. Needs /dev/net/tun and CAP_NET_ADMIN in the namespace (root, or a user namespace
 * of the user's own): without, `ifconfig tap0 create` says so and exits 1... status 3 in `warren
 * up`. Link state is up while the Linux side is (behaviours 20).
 */
#ifndef WARREN_PORT_TAP_H
#define WARREN_PORT_TAP_H

#include "net/if.h"

/*
 * Make interface tapN in curvnet backed by the Linux tap `linux_name` (NULL = same name). *made
 * borrowed. 0 or -errno.
 */
int tap_create(int unit, const char *linux_name, struct ifnet **made);
bool tap_is(const struct ifnet *ifp);
/*
 * The Linux side stands for another interface: it gets that one's link address, and asks nobody for
 * those of neighbours (IFF_NOARP). 0 or -errno.
 */
int tap_stand_for(struct ifnet *tap_ifp, const uint8_t lladdr[6]);

#endif
