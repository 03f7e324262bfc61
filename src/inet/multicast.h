/*
 * multicast.h - who listens to which group: memberships of sockets and interfaces with source
 * filters, for both families (RFC 3376 and 3810 describe one thing).
 *
 * A member (a socket, an address of ours, a tool) joins a group on an interface and has a source
 * filter; the interface's filter is the merge of its members' (RFC 3376 3.2). From its changes come
 * the reports: the state machine stands once, in multicast_report.c, and igmp.c and mld.c build and
 * read its messages. A group's link address goes into the interface's filter (net/if_multi.h) while
 * the group has members. A membership holds a reference to its interface until it leaves or the
 * interface detaches (behaviours 37); then it is deaf, and freed by its holder.
 */
#ifndef WARREN_INET_MULTICAST_H
#define WARREN_INET_MULTICAST_H

#include "inet/ipaddr.h"
#include "net/if.h"

enum mcast_mode { MCAST_MODE_INCLUDE, MCAST_MODE_EXCLUDE };

struct mcast_member;

/*
 * The interface of the route to the group, else the first that can, if possible one that is up and
 * no loopback; NULL. In curvnet.
 */
struct ifnet *mcast_default_if(uint8_t fib, const struct ipaddr *group);
/*
 * Join: exclude nobody. ifp NULL = the interface of the group's zone, or mcast_default_if's. A
 * group of link scope gets the interface's zone. The interface may be down: it is reported when it
 * comes up. NULL with errno: EINVAL (no group, or another zone), EADDRNOTAVAIL (no interface, or
 * one without multicast, or whose family is not attached yet or leaves), ENOBUFS
 * (net.inet.ip.mcast.maxgroups …), ENOMEM.
 */
struct mcast_member *mcast_join(struct ifnet *ifp, const struct ipaddr *group);
/* The same with a filter from the beginning, as mcast_set_filter; its errors too. */
struct mcast_member *mcast_join_filter(struct ifnet *ifp, const struct ipaddr *group,
    enum mcast_mode mode, const struct ipaddr *sources, unsigned n);
/* Leave and free (late: packets may be reading it); the interface reports the change. NULL is
 * allowed. */
void mcast_leave(struct mcast_member *mm);
/*
 * The member's filter from now on: INCLUDE these sources only (none = hears nothing) or EXCLUDE
 * them. 0, -EINVAL (a source is no unicast address of the family), -ENOBUFS (maxsrc), -ENOMEM.
 */
int mcast_set_filter(
    struct mcast_member *mm, enum mcast_mode mode, const struct ipaddr *sources, unsigned n);
/* Would this member hear the source? For delivery to sockets. */
bool mcast_member_accepts(const struct mcast_member *mm, const struct ipaddr *source);
/* NULL when the interface has gone. Borrowed. */
struct ifnet *mcast_member_ifp(const struct mcast_member *mm);
const struct ipaddr *mcast_member_group(const struct mcast_member *mm);

/* Does this stack hear what it sends to groups (net.inet.ip.mcast.loop, net.inet6.ip6…)? */
bool mcast_loops(int family);
/*
 * Packet side: does anybody here listen to group (with its zone) on ifp, to this source? NULL: to
 * any source (messages about groups are not subject to the filters: RFC 3376 3.1). All-hosts and
 * all-nodes always. No locks, one probe whatever the number of groups.
 */
bool mcast_accepts(
    const struct ifnet *ifp, const struct ipaddr *group, const struct ipaddr *source);

/* Groups of an interface for ifmcstat, netstat; fn non-zero stops. */
struct mcast_info {
	struct ipaddr group;
	enum mcast_mode mode;
	const struct ipaddr *sources; /* borrowed */
	unsigned nsources, members;
	bool reports; /* all-hosts and interface-local groups are not reported */
};
int mcast_foreach(const struct ifnet *ifp, int family,
    int (*fn)(const struct mcast_info *info, void *ctx), void *ctx);

#endif
