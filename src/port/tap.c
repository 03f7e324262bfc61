/*
 * tap.c - a door to Linux: an Ethernet interface of ours whose other end is a Linux tap.
 *
 * What we send is written to the tap's descriptor and appears as received by the Linux interface;
 * what Linux sends there is read in batches when the loop says so. The Linux interface being up is
 * our carrier, which a netlink socket tells; ours being up is Linux's (TUNSETCARRIER). Our MTU is
 * set on the Linux side too, so that neither sends what the other can't take.
 *
 * The Linux interface may be moved to another network namespace (a guest's); the tap goes on, and
 * the netlink socket is opened anew over there. Where that isn't allowed the carrier is taken for
 * granted.
 *
 *	ifconfig tap0 create			a Linux tap of the same name
 *	ifconfig tap0 create linux home0	of another name
 */
#include "port/tap.h"

#include "base/log.h"
#include "base/rcu.h"
#include "kern/module.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"
#include "net/if_clone.h"
#include "port/loop.h"
#include "port/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The kernel's own bounds for a tap (drivers/net/tun.c: MIN_MTU, and 65535 less the Ethernet
 * header).
 */
enum { TAP_MTU_MIN = 72, TAP_MTU_MAX = 65521, TAP_VLAN_TAG = 4 };

/* Since Linux 5.0 and 5.2; older headers don't have them. */
#ifndef TUNSETCARRIER
#define TUNSETCARRIER _IOW('T', 226, int)
#endif
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

struct tap {
	struct ifnet *ifp;
	int fd;
	unsigned linux_index;
	char linux_name[IFNAMSIZ];
	struct loop_watch *watch;
	struct mnl_socket *links; /* tells of the Linux interface; NULL = can't be watched */
	struct loop_watch *links_watch;
	bool moved;      /* it has left the namespace that links listens in */
	uint64_t giants; /* frames from Linux longer than our MTU allows */
	struct rcu_head rcu;
};

MODULE_DEFINE(if_tap, "if_tap");

/*
 * A tap is opened when it is made, by whoever runs the process: two of the field's variables only
 * say so.
 */
static bool tap_cloning = true, tap_user_open = false;
static bool tap_up_on_open = false, tap_debug = false;

SYSCTL_BOOL(net_link_tap_devfs_cloning, "net.link.tap.devfs_cloning", SYSCTL_RD, tap_cloning,
    "taps are made when they are asked for");
SYSCTL_BOOL(net_link_tap_user_open, "net.link.tap.user_open", SYSCTL_RD, tap_user_open,
    "taps can be opened by others than who runs the process");
SYSCTL_BOOL(net_link_tap_up_on_open, "net.link.tap.up_on_open", SYSCTL_RW, tap_up_on_open,
    "a tap that is made is set up at once");
SYSCTL_BOOL(net_link_tap_debug, "net.link.tap.debug", SYSCTL_RW, tap_debug,
    "log when a tap's Linux side goes up or down");

DROP_DEFINE(DROP_TAP_WRITE, "tap", "write", "Linux did not take the frame");
DROP_DEFINE(DROP_TAP_GIANT, "tap", "giant", "frame from Linux is longer than the MTU");

static int __attribute__((format(printf, 2, 3))) tap_why(int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(if_clone_why, sizeof(if_clone_why), fmt, ap);
	va_end(ap);
	return error;
}

/* --- the Linux side's place and state ------------------------------------ */

/* A socket in the network namespace where the Linux interface is now. -1 with errno. */
static int
linux_socket(const struct tap *tap, int domain, int type, int protocol)
{
	int there = ioctl(tap->fd, TUNGETDEVNETNS), fd, error;

	/* Not allowed, or an old kernel: most likely it is where we are. */
	if (there < 0)
		return socket(domain, type | SOCK_CLOEXEC, protocol);
	fd = netns_socket(there, domain, type, protocol);
	error = errno;
	close(there);
	errno = error;
	return fd;
}

/* An ioctl on the Linux interface, by the name that it has now: somebody may have renamed it. */
static int
linux_ioctl(const struct tap *tap, unsigned long request, struct ifreq *ifr)
{
	struct ifreq name = {};
	int fd, error;

	if (ioctl(tap->fd, TUNGETIFF, &name) != 0)
		return -errno;
	fd = linux_socket(tap, AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		return -errno;
	memcpy(ifr->ifr_name, name.ifr_name, sizeof(ifr->ifr_name));
	error = ioctl(fd, request, ifr) == 0 ? 0 : -errno;
	close(fd);
	return error;
}

static void
tap_carrier(struct tap *tap, bool up)
{
	enum link_state state = up ? LINK_STATE_UP : LINK_STATE_DOWN;

	if (tap->ifp->if_link_state == state)
		return;
	VNET_SCOPE(tap->ifp->if_vnet);
	if (tap_debug)
		log_msg(LOG_LVL_NOTICE, "%s: Linux's %s is %s", tap->ifp->if_xname, tap->linux_name,
		    up ? "up" : "down");
	if_link_state_change(tap->ifp, state);
}

static int
links_message(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct tap *tap = ctx;
	struct ifreq ifr = {};

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    tap->linux_index != (unsigned)ifi->ifi_index)
		return MNL_CB_OK;
	/* Gone from here, but its descriptor still has it: it lives elsewhere now. */
	if (nlh->nlmsg_type == RTM_DELLINK && ioctl(tap->fd, TUNGETIFF, &ifr) == 0) {
		tap->moved = true;
		return MNL_CB_STOP;
	}
	tap_carrier(tap, nlh->nlmsg_type == RTM_NEWLINK && (ifi->ifi_flags & IFF_UP));
	return MNL_CB_OK;
}

/* Ask for the state: at the start, and when messages were lost. */
static void
links_request(const struct tap *tap)
{
	_Alignas(struct nlmsghdr) char buffer[64];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)tap->linux_index;
	(void)mnl_socket_sendto(tap->links, nlh, nlh->nlmsg_len);
}

static void
links_close(struct tap *tap)
{
	loop_watch_remove(tap->links_watch);
	tap->links_watch = NULL;
	if (tap->links != NULL)
		mnl_socket_close(tap->links);
	tap->links = NULL;
}

static void links_event(void *ctx, uint32_t events);

/* Listen where the Linux interface is now. 0 or -errno. */
static int
links_open(struct tap *tap)
{
	struct ifreq ifr = {};
	int fd, error = linux_ioctl(tap, SIOCGIFINDEX, &ifr);

	if (error != 0)
		return error;
	tap->linux_index = (unsigned)ifr.ifr_ifindex;
	fd = linux_socket(tap, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	tap->links = mnl_socket_fdopen(fd);
	if (tap->links == NULL) {
		close(fd);
		return -ENOMEM;
	}
	if (mnl_socket_bind(tap->links, RTMGRP_LINK, MNL_SOCKET_AUTOPID) == 0)
		tap->links_watch = loop_watch_add(fd, EPOLLIN, links_event, tap);
	if (tap->links_watch == NULL) {
		error = -errno;
		links_close(tap);
		return error;
	}
	links_request(tap);
	return 0;
}

static void
links_event(void *ctx, uint32_t events)
{
	_Alignas(struct nlmsghdr) char buffer[16384];
	struct tap *tap = ctx;

	(void)events;
	for (int i = 0; i < 16; i++) {
		ssize_t n = mnl_socket_recvfrom(tap->links, buffer, sizeof(buffer));

		if (n < 0 && errno == ENOBUFS) {
			links_request(tap);
			continue;
		}
		if (n <= 0)
			return;
		mnl_cb_run(buffer, (size_t)n, 0, 0, links_message, tap);
		if (!tap->moved)
			continue;
		tap->moved = false;
		links_close(tap);
		if (links_open(tap) != 0) {
			/* It can't be watched over there; what it doesn't take is counted. */
			tap_carrier(tap, true);
			return;
		}
	}
}

/* --- frames -------------------------------------------------------------- */

static void
tap_transmit(struct ifnet *ifp, struct batch *b)
{
	const struct tap *tap = ifp->if_softc;

	batch_foreach(b, m) {
		ssize_t n;

		do
			n = write(tap->fd, m->data, m->len);
		while (n < 0 && errno == EINTR);
		if (n == (ssize_t)m->len) {
			m_free(m);
			continue;
		}
		/* EIO: the Linux side is down; EAGAIN, ENOBUFS: it has no room. */
		ifp->if_data.oerrors++;
		m_drop(m, &DROP_TAP_WRITE);
	}
	b->n = 0;
}

/*
 * The next frame, at most `most` bytes, NULL when there is none. One byte more tells a longer one.
 */
static struct mbuf *
tap_read(struct tap *tap, uint32_t most)
{
	struct ifnet *ifp = tap->ifp;

	for (;;) {
		struct mbuf *m = m_get(most + 1);
		ssize_t n;

		if (m == NULL) {
			uint8_t scrap[1];

			/*
			 * No memory: take the frame away, else the loop would come back for it at
			 * once.
			 */
			if (read(tap->fd, scrap, sizeof(scrap)) <= 0)
				return NULL;
			ifp->if_data.iqdrops++;
			continue;
		}
		n = read(tap->fd, m->data, most + 1);
		if (n <= 0) {
			m_free(m);
			if (n < 0 && errno == EINTR)
				continue;
			return NULL;
		}
		m_trim(m, (uint32_t)n);
		if ((uint32_t)n <= most)
			return m;
		tap->giants++;
		ifp->if_data.ierrors++;
		VNET_SCOPE(ifp->if_vnet);
		m->rcvif = ifp;
		m_drop(m, &DROP_TAP_GIANT);
	}
}

static void
tap_event(void *ctx, uint32_t events)
{
	struct tap *tap = ctx;
	struct ifnet *ifp = tap->ifp;
	uint32_t most = ifp->if_mtu + ETHER_HDR_LEN_ + TAP_VLAN_TAG;
	struct batch b = {};
	struct mbuf *m;

	(void)events;
	while (!batch_full(&b) && (m = tap_read(tap, most)) != NULL)
		batch_add(&b, m);
	if (b.n == 0)
		return;
	rcu_read_lock();
	if_receive(ifp, &b);
	rcu_read_unlock();
}

/* --- control ------------------------------------------------------------- */

static int
tap_set_mtu(struct ifnet *ifp, uint32_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = (int)mtu };
	int error;

	if (mtu < TAP_MTU_MIN || mtu > TAP_MTU_MAX)
		return -EINVAL;
	error = linux_ioctl(ifp->if_softc, SIOCSIFMTU, &ifr);
	if (error == 0)
		ifp->if_mtu = mtu;
	return error;
}

/* We are Linux's carrier. A kernel without the ioctl always shows one. */
static void
tap_set_flags(struct ifnet *ifp)
{
	const struct tap *tap = ifp->if_softc;
	int up = (ifp->if_flags & IFF_UP_) != 0;

	if (up)
		ifp->if_flags |= IFF_RUNNING_;
	else
		ifp->if_flags &= ~(uint32_t)IFF_RUNNING_;
	(void)ioctl(tap->fd, TUNSETCARRIER, &up);
}

static void
tap_status(struct ifnet *ifp, struct emitter *e)
{
	const struct tap *tap = ifp->if_softc;
	struct ifreq now = {};

	if (ioctl(tap->fd, TUNGETIFF, &now) == 0)
		emit_str(e, "linux", "\tlinux: %s\n", now.ifr_name);
	else
		emit_str(e, "linux", "\tlinux: %s (gone)\n", tap->linux_name);
	if (tap->giants > 0)
		emit_uint(e, "giants", "\tframes longer than the mtu: %" PRIu64 "\n", tap->giants);
}

/* Open /dev/net/tun as NAME of this network namespace. A descriptor, or -errno (said). */
static int
linux_tap_open(struct tap *tap)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), error;

	if (fd < 0) {
		const char *hint = "";

		error = errno;
		if (error == ENOENT || error == ENODEV || error == ENXIO)
			hint = ": the kernel has no tap driver here (modprobe tun)";
		else if (error == EACCES || error == EPERM)
			hint =
			    ": needs access to the device and CAP_NET_ADMIN in this network namespace";
		return tap_why(-error, "/dev/net/tun: %s%s", strerror(error), hint);
	}
	memcpy(ifr.ifr_name, tap->linux_name, sizeof(ifr.ifr_name));
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	error = errno;
	close(fd);
	if (error == EPERM)
		return tap_why(-error,
		    "/dev/net/tun: %s: needs CAP_NET_ADMIN in this network namespace",
		    strerror(error));
	return tap_why(
	    -error, "/dev/net/tun: Linux interface %s: %s", tap->linux_name, strerror(error));
}

/*
 * 00:bd, three bytes of chance, the unit: the field's scheme. Chance is the machine's, not the
 * seed's: two processes may stand on one Linux bridge, and what happens in live time is not
 * repeated anyway.
 */
static void
tap_lladdr(int unit, uint8_t lladdr[6])
{
	uint8_t chance[3] = {};

	(void)!getrandom(chance, sizeof(chance), GRND_NONBLOCK);
	lladdr[0] = 0x00;
	lladdr[1] = 0xbd;
	memcpy(lladdr + 2, chance, sizeof(chance));
	lladdr[5] = (uint8_t)unit;
}

static void
tap_free(struct rcu_head *h)
{
	struct tap *tap = (struct tap *)(void *)((uint8_t *)h - offsetof(struct tap, rcu));

	close(tap->fd);
	free(tap);
}

static struct ifnet *
tap_ifnet(struct tap *tap, int unit)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "tap", unit);

	if (ifp == NULL)
		return NULL;
	ifp->if_softc = tap;
	ifp->if_transmit = tap_transmit;
	ifp->if_set_mtu = tap_set_mtu;
	ifp->if_set_flags = tap_set_flags;
	ifp->if_status = tap_status;
	ifp->if_capabilities = ifp->if_capenable = IFCAP_VLAN_MTU | IFCAP_JUMBO_MTU |
	    IFCAP_LINKSTATE;
	ifp->if_link_state = LINK_STATE_DOWN;
	return ifp;
}

/* The Linux side is open: the interface, and who waits for its frames and its state. */
static int
tap_start(struct tap *tap, int unit)
{
	struct ifreq ifr = {};
	uint8_t lladdr[6];
	int error;

	tap->ifp = tap_ifnet(tap, unit);
	if (tap->ifp == NULL)
		return -ENOMEM;
	tap_lladdr(unit, lladdr);
	/* A Linux tap that was there before us has its own idea. */
	ifr.ifr_mtu = (int)tap->ifp->if_mtu;
	error = linux_ioctl(tap, SIOCSIFMTU, &ifr);
	if (error == 0)
		error = links_open(tap);
	if (error == 0)
		error = ether_attach(tap->ifp, lladdr);
	if (error == 0 && (tap->watch = loop_watch_add(tap->fd, EPOLLIN, tap_event, tap)) == NULL) {
		error = -errno;
		ether_detach(tap->ifp);
	}
	if (error != 0) {
		links_close(tap);
		if_free(tap->ifp);
		return error;
	}
	tap_set_flags(tap->ifp);
	return 0;
}

int
tap_create(int unit, const char *linux_name, struct ifnet **made)
{
	struct tap *tap;
	int error;

	if (curworker->mode != CLOCK_LIVE)
		return tap_why(-EOPNOTSUPP, "a tap needs live time (warren up)");
	if (linux_name != NULL && (linux_name[0] == '\0' || strlen(linux_name) >= IFNAMSIZ))
		return tap_why(
		    -EINVAL, "linux %s: not a name of 1 to %d bytes", linux_name, IFNAMSIZ - 1);
	tap = calloc(1, sizeof(*tap));
	if (tap == NULL)
		return -ENOMEM;
	if (linux_name != NULL)
		memcpy(tap->linux_name, linux_name, strlen(linux_name) + 1);
	else
		snprintf(tap->linux_name, sizeof(tap->linux_name), "tap%d", unit);
	error = tap->fd = linux_tap_open(tap);
	if (error >= 0 && (error = tap_start(tap, unit)) != 0)
		close(tap->fd);
	if (error < 0) {
		free(tap);
		return error;
	}
	if (tap_up_on_open)
		(void)if_up(tap->ifp);
	*made = tap->ifp;
	return 0;
}

bool
tap_is(const struct ifnet *ifp)
{
	return ifp->if_transmit == tap_transmit;
}

int
tap_stand_for(struct ifnet *tap_ifp, const uint8_t lladdr[6])
{
	const struct tap *tap = tap_ifp->if_softc;
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
	int error;

	memcpy(ifr.ifr_hwaddr.sa_data, lladdr, ETHER_ADDR_LEN_);
	/* the descriptor takes this one, wherever the Linux side is */
	if (ioctl(tap->fd, SIOCSIFHWADDR, &ifr) != 0)
		return -errno;
	ifr = (struct ifreq){};
	if ((error = linux_ioctl(tap, SIOCGIFFLAGS, &ifr)) != 0)
		return error;
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_NOARP);
	return linux_ioctl(tap, SIOCSIFFLAGS, &ifr);
}

static int
tap_clone_create(int unit, char **params, struct ifnet **made)
{
	const char *linux_name = NULL;

	for (; params != NULL && params[0] != NULL; params++)
		if (strcmp(params[0], "linux") == 0 && params[1] != NULL)
			linux_name = *++params;
	return tap_create(unit, linux_name, made);
}

static int
tap_clone_destroy(struct ifnet *ifp)
{
	struct tap *tap = ifp->if_softc;

	loop_watch_remove(tap->watch);
	links_close(tap);
	{
		VNET_SCOPE(ifp->if_vnet);
		ether_detach(ifp);
	}
	if_free(ifp);
	/* Behind the readers who may still be sending through it. */
	rcu_call(&tap->rcu, tap_free);
	return 0;
}

IF_CLONE_DEFINE(tap, .name = "tap", .maxunit = 0x7fff, .create = tap_clone_create,
    .destroy = tap_clone_destroy);

/* `linux NAME` is taken by create; said again later it is only checked. */
static int
tap_word_linux(struct verb_run *v, struct ifnet *ifp, char **args)
{
	const struct tap *tap = ifp->if_softc;

	if (!tap_is(ifp))
		return verb_error(
		    v, 1, "linux: %s: %s: not a tap", ifp->if_xname, strerror(EINVAL));
	if (strcmp(tap->linux_name, args[0]) != 0)
		return verb_error(v, 1, "linux: %s: %s: give the Linux name with create",
		    ifp->if_xname, strerror(EBUSY));
	return 0;
}
IFCONFIG_WORD_DEFINE(tap_linux, "linux", 1, tap_word_linux);
