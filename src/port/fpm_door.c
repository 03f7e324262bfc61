/*
 * fpm_door.c - the socket that a routing daemon connects to.
 *
 * The daemon lives in a guest's network namespace as a rule, and connects to its own loopback: so
 * the listening socket is made over there, and works from here. The same socket tells the names of
 * the interfaces over there. A daemon that connects while another connection is open has started
 * again: the newer one counts.
 */
#include "port/fpm.h"

#include "base/clock.h"
#include "base/log.h"
#include "port/loop.h"
#include "port/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of one turn of the loop, a thousand routes: then packets have theirs. */
enum { READ_BYTES = 65536 };
enum { ADDRESS_TEXT = INET6_ADDRSTRLEN + 16, NETNS_TEXT = 256 };

struct fpm_door {
	struct fpm *f;
	struct vnet *vnet;
	int listen_fd, fd; /* fd: -1 = nobody is connected */
	struct loop_watch *listen_watch, *watch;
	char address[ADDRESS_TEXT], peer[ADDRESS_TEXT], netns[NETNS_TEXT];
};

static void
address_text(const struct sockaddr_storage *ss, char text[ADDRESS_TEXT])
{
	char addr[INET6_ADDRSTRLEN] = "";

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const void *)ss;

		inet_ntop(AF_INET, &sin->sin_addr, addr, sizeof(addr));
		snprintf(text, ADDRESS_TEXT, "%s:%u", addr, ntohs(sin->sin_port));
	} else {
		const struct sockaddr_in6 *sin6 = (const void *)ss;

		inet_ntop(AF_INET6, &sin6->sin6_addr, addr, sizeof(addr));
		snprintf(text, ADDRESS_TEXT, "[%s]:%u", addr, ntohs(sin6->sin6_port));
	}
}

/* "127.0.0.1:2620", "[::1]:2620", "2620". Its length, or 0: it is none. */
static socklen_t
address_parse(const char *text, struct sockaddr_storage *ss)
{
	struct sockaddr_in *sin = (void *)ss;
	struct sockaddr_in6 *sin6 = (void *)ss;
	char host[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':'), *start = text, *end = colon;
	uint64_t port;

	memset(ss, 0, sizeof(*ss));
	if (!verb_number(colon != NULL ? colon + 1 : text, 1, 65535, &port))
		return 0;
	if (colon == NULL)
		start = "127.0.0.1", end = start + 9;
	if (*start == '[' && end > start && end[-1] == ']')
		start++, end--;
	if ((size_t)(end - start) >= sizeof(host))
		return 0;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	if (inet_pton(AF_INET, host, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons((uint16_t)port);
		return sizeof(*sin);
	}
	if (start == text || inet_pton(AF_INET6, host, &sin6->sin6_addr) != 1)
		return 0;
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons((uint16_t)port);
	return sizeof(*sin6);
}

/* --- the connection --------------------------------------------------------------------------- */

static void
connection_close(struct fpm_door *d, const char *why)
{
	if (d->fd < 0)
		return;
	log_msg(LOG_LVL_NOTICE, "fpm: %s: connection from %s ended: %s", d->address, d->peer, why);
	loop_watch_remove(d->watch);
	d->watch = NULL;
	close(d->fd);
	d->fd = -1;
	d->peer[0] = '\0';
	fpm_end(d->f);
}

static void
connection_event(void *ctx, uint32_t events)
{
	struct fpm_door *d = ctx;
	uint8_t bytes[READ_BYTES];
	const char *why = NULL;
	ssize_t n = read(d->fd, bytes, sizeof(bytes));

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		why = n == 0 ? "closed by the other side" : strerror(errno);
	VNET_SCOPE(d->vnet);
	if (why != NULL || fpm_input(d->f, bytes, (size_t)n, &why) != 0)
		connection_close(d, why);
}

static void
listen_event(void *ctx, uint32_t events)
{
	struct fpm_door *d = ctx;
	struct sockaddr_storage ss = {};
	socklen_t len = sizeof(ss);
	int fd = accept4(d->listen_fd, (void *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	VNET_SCOPE(d->vnet);
	connection_close(d, "there is a newer one");
	d->watch = loop_watch_add(fd, EPOLLIN, connection_event, d);
	if (d->watch == NULL) {
		log_msg(LOG_LVL_ERR, "fpm: %s: %s", d->address, strerror(errno));
		close(fd);
		return;
	}
	d->fd = fd;
	address_text(&ss, d->peer);
	log_msg(LOG_LVL_NOTICE, "fpm: %s: connection from %s", d->address, d->peer);
	fpm_begin(d->f);
}

/* --- the door --------------------------------------------------------------------------------- */

/* The listening socket knows the interfaces of its own namespace. */
static bool
door_linux_name(void *ctx, uint32_t linux_index, char *name)
{
	const struct fpm_door *d = ctx;
	struct ifreq ifr = { .ifr_ifindex = (int)linux_index };

	if (ioctl(d->listen_fd, SIOCGIFNAME, &ifr) != 0)
		return false;
	memcpy(name, ifr.ifr_name, IFNAMSIZ_);
	return true;
}

static int
listening_socket(const struct sockaddr_storage *ss, socklen_t len, const char *netns)
{
	const int one = 1;
	int there = -1, fd, error;

	if (netns != NULL && (there = netns_open(netns)) < 0)
		return there;
	fd = there >= 0 ? netns_socket(there, ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0) :
			  socket(ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	error = errno;
	if (there >= 0)
		close(there);
	if (fd < 0)
		return -error;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const void *)ss, len) == 0 && listen(fd, 4) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

void
fpm_door_close(struct fpm_door *d)
{
	if (d == NULL)
		return;
	connection_close(d, "told to stop");
	loop_watch_remove(d->listen_watch);
	close(d->listen_fd);
	vnet_free(d);
}

static int
door_open(struct fpm_door *d, uint8_t fib)
{
	d->f = fpm_new(fib, door_linux_name, d);
	if (d->f == NULL)
		return -errno;
	d->listen_watch = loop_watch_add(d->listen_fd, EPOLLIN, listen_event, d);
	if (d->listen_watch == NULL) {
		int error = -errno;

		fpm_free(d->f);
		return error;
	}
	fpm_set_door(d->f, d);
	return 0;
}

int
fpm_listen(uint8_t fib, const char *address, const char *netns, char *why, size_t why_len)
{
	struct sockaddr_storage ss;
	socklen_t len = address_parse(address, &ss);
	struct fpm_door *d;
	int error;

	if (curworker->mode != CLOCK_LIVE) {
		snprintf(why, why_len, "a routing daemon needs live time (warren up)");
		return -EOPNOTSUPP;
	}
	if (len == 0) {
		snprintf(why, why_len, "%s: not ADDRESS:PORT, [ADDRESS]:PORT or PORT", address);
		return -EINVAL;
	}
	if (fpm_of(fib) != NULL) {
		snprintf(why, why_len, "fib %u: listens at %s already", fib,
		    fpm_door_address(fpm_door(fpm_of(fib))));
		return -EEXIST;
	}
	if (netns != NULL && strlen(netns) >= NETNS_TEXT) {
		snprintf(why, why_len, "netns: %s", verb_strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	if ((d = vnet_malloc(sizeof(*d))) == NULL)
		return -ENOMEM;
	d->vnet = curvnet;
	d->fd = -1;
	address_text(&ss, d->address);
	snprintf(d->netns, sizeof(d->netns), "%s", netns != NULL ? netns : "");
	error = d->listen_fd = listening_socket(&ss, len, netns);
	if (error >= 0 && (error = door_open(d, fib)) != 0)
		close(d->listen_fd);
	if (error < 0) {
		snprintf(why, why_len, "%s%s%s: %s", d->address, netns != NULL ? " in netns " : "",
		    d->netns, verb_strerror(error));
		vnet_free(d);
		return error;
	}
	return 0;
}

const char *
fpm_door_address(const struct fpm_door *d)
{
	return d == NULL ? "" : d->address;
}

const char *
fpm_door_peer(const struct fpm_door *d)
{
	return d == NULL ? "" : d->peer;
}

const char *
fpm_door_netns(const struct fpm_door *d)
{
	return d == NULL ? "" : d->netns;
}
