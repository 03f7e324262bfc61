/*
 * divert_door.c - the socket that a program connects to for the firewall's packets.
 *
 *	door_input	a packet: a datagram at once, or in the queue while the program is slow
 *	door_event	what the program sends comes in; what waited goes out; or it has left
 *
 * Type SOCK_SEQPACKET: it keeps datagrams apart as SOCK_DGRAM does, and besides tells each side at
 * once when the other has gone. So nobody is listening when nobody is there, and packets don't wait
 * for a program that has died. The socket's own buffer is the first queue, ours the second; behind
 * both packets are dropped and counted.
 */
#include "port/divert_door.h"

#include "base/log.h"
#include "ipfw/auth.h"
#include "ipfw/datagram.h"
#include "kern/sysctl.h"
#include "kern/verb.h"
#include "port/loop.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* Datagrams of one turn of the loop: then others have theirs. */
enum { READ_DATAGRAMS = 64 };

struct divert_door {
	struct fw_listener listener; /* first; listens while a program is connected */
	TAILQ_ENTRY(divert_door) link;
	struct vnet *vnet;
	int listen_fd, fd; /* fd: -1 = nobody is connected */
	struct loop_watch *listen_watch, *watch;
	struct mbufq queue; /* with their tags */
	uint64_t sent, lost;
	struct sockaddr_un address;
	struct stat st; /* of the path, when it was made: is it still ours? */
};
TAILQ_HEAD(divert_doors, divert_door);
VNET_DEFINE_STATIC(struct divert_doors *, divert_doors); /* NULL: there are none */
#define V_divert_doors VNET(divert_doors)

VNET_DEFINE_STATIC(uint32_t, divert_door_queue) = 256;
SYSCTL_VNET_UINT(net_inet_ip_fw_door_queue, "net.inet.ip.fw.door_queue", SYSCTL_RW,
    divert_door_queue, 0, 65536,
    "packets that wait for a program behind a door of the firewall, its socket being full");

static uint64_t doors_live; /* of all stacks; atomic */
AUDIT_COUNTER(divert_door, "divert_door", doors_live);

/* --- to the program --------------------------------------------------------------------------- */

/* 0; -EAGAIN: not now; else it can't be sent. Borrows m. */
static int
send_datagram(struct divert_door *d, const struct mbuf *m, const struct fw_tag *tag)
{
	struct warren_datagram h;
	struct iovec iov[2] = { { &h, sizeof(h) }, { m->data, m->len } };
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	fw_datagram_header(&h, m, tag, d->listener.number);
	if (sendmsg(d->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	d->sent++;
	return 0;
}

static void
watch_for_room(struct divert_door *d, bool room)
{
	loop_watch_change(d->watch, room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* The listener's input. A program that has gone is found out about by its event, not here. */
static bool
door_input(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag)
{
	struct divert_door *d = (struct divert_door *)(void *)l;
	int error = d->queue.len > 0 ? -EAGAIN : send_datagram(d, m, tag);

	if (error == -EAGAIN && d->queue.len < VNET(divert_door_queue)) {
		if (d->queue.len == 0)
			watch_for_room(d, true);
		mbufq_push(&d->queue, m);
		return true;
	}
	d->lost += error != 0;
	if (error == 0)
		m_free(m);
	return error == 0;
}

static void
send_queued(struct divert_door *d)
{
	int error = 0;

	while (d->queue.head != NULL) {
		error = send_datagram(d, d->queue.head, fw_tag_find(d->queue.head));
		if (error == -EAGAIN)
			return;
		d->lost += error != 0;
		if (error == 0)
			m_free(mbufq_pop(&d->queue));
		else
			m_drop(mbufq_pop(&d->queue), &DROP_FW_LISTENER);
	}
	watch_for_room(d, false);
}

/* --- the program comes and goes --------------------------------------------------------------- */

static void
program_leaves(struct divert_door *d)
{
	struct mbuf *m;

	if (d->fd < 0)
		return;
	fw_listen_end(&d->listener);
	loop_watch_remove(d->watch);
	close(d->fd);
	d->fd = -1;
	while ((m = mbufq_pop(&d->queue)) != NULL) {
		d->lost++;
		m_drop(m, &DROP_FW_LISTENER);
	}
	log_msg(LOG_LVL_NOTICE, "ipfw: door %s: the program has gone", d->address.sun_path);
}

/* What the program has sent; false: it has gone. */
static bool
receive_datagrams(struct divert_door *d)
{
	uint8_t bytes[WARREN_DATAGRAM_MAX + 1]; /* one byte more shows what is too long */

	for (int i = 0; i < READ_DATAGRAMS; i++) {
		ssize_t n = recv(d->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		fw_datagram_input(&d->listener, bytes, (size_t)n);
	}
	return true;
}

static void
door_event(void *ctx, uint32_t events)
{
	struct divert_door *d = ctx;

	VNET_SCOPE(d->vnet);
	if (!receive_datagrams(d))
		program_leaves(d);
	else if (events & EPOLLOUT)
		send_queued(d);
}

static int
door_listen(struct fw_listener *l)
{
	return l->kind == FW_ACT_AUTH ? fw_auth_listen(l) : fw_listen(l);
}

static void
listen_event(void *ctx, uint32_t events)
{
	struct divert_door *d = ctx;
	int fd = accept4(d->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), error = 0;

	(void)events;
	if (fd < 0)
		return;
	VNET_SCOPE(d->vnet);
	/* one that has died has left its event behind: first come, first served is no hindrance */
	if (d->fd >= 0) {
		log_msg(LOG_LVL_NOTICE, "ipfw: door %s: a second program was sent away",
		    d->address.sun_path);
		close(fd);
		return;
	}
	d->fd = fd;
	d->watch = loop_watch_add(fd, EPOLLIN, door_event, d);
	if (d->watch == NULL || (error = door_listen(&d->listener)) != 0) {
		log_msg(LOG_LVL_ERR, "ipfw: door %s: %s", d->address.sun_path,
		    error == -EADDRINUSE ? "somebody listens already" : "no memory");
		loop_watch_remove(d->watch);
		close(fd);
		d->fd = -1;
		return;
	}
	log_msg(LOG_LVL_NOTICE, "ipfw: door %s: a program has come", d->address.sun_path);
}

/* --- the path --------------------------------------------------------------------------------- */

/* A socket that nobody answers on is the rest of a process that was killed. */
static int
remove_dead_socket(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, error;

	if (lstat(address->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const void *)address, sizeof(*address)) == 0 ? 0 : errno;
	close(fd);
	if (error != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) == 0 ? 0 : -errno;
}

static int
bind_and_listen(struct divert_door *d, int fd)
{
	/* The mode is right from the first instant. */
	mode_t saved = umask(0177);
	int error = bind(fd, (const void *)&d->address, sizeof(d->address)) == 0 ? 0 : -errno;

	umask(saved);
	if (error == 0 && (lstat(d->address.sun_path, &d->st) != 0 || listen(fd, 4) != 0))
		error = -errno;
	return error;
}

/* A descriptor, or -errno. */
static int
listening_socket(struct divert_door *d)
{
	int error = remove_dead_socket(&d->address), fd;

	if (error != 0)
		return error;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if ((error = bind_and_listen(d, fd)) == 0)
		return fd;
	close(fd);
	return error;
}

/* If nobody else has made something there meanwhile. */
static void
path_remove(const struct divert_door *d)
{
	struct stat st;

	if (lstat(d->address.sun_path, &st) == 0 && st.st_ino == d->st.st_ino &&
	    st.st_dev == d->st.st_dev)
		unlink(d->address.sun_path);
}

/* --- doors ------------------------------------------------------------------------------------ */

static struct divert_door *
door_of(uint8_t kind, uint16_t number)
{
	struct divert_door *d;

	if (V_divert_doors == NULL)
		return NULL;
	TAILQ_FOREACH(d, V_divert_doors, link)
		if (d->listener.kind == kind && d->listener.number == number)
			return d;
	return NULL;
}

static bool
doors_get(void)
{
	if (V_divert_doors != NULL)
		return true;
	V_divert_doors = vnet_malloc(sizeof(*V_divert_doors));
	if (V_divert_doors != NULL)
		TAILQ_INIT(V_divert_doors);
	return V_divert_doors != NULL;
}

static void
doors_put(void)
{
	if (V_divert_doors == NULL || !TAILQ_EMPTY(V_divert_doors))
		return;
	vnet_free(V_divert_doors);
	V_divert_doors = NULL;
}

static void
door_free(struct divert_door *d)
{
	program_leaves(d);
	loop_watch_remove(d->listen_watch);
	path_remove(d);
	close(d->listen_fd);
	TAILQ_REMOVE(V_divert_doors, d, link);
	vnet_free(d);
	__atomic_fetch_sub(&doors_live, 1, __ATOMIC_RELAXED);
	doors_put();
}

/* 0 or -errno; then d is the caller's still. */
static int
door_start(struct divert_door *d)
{
	int error = d->listen_fd = listening_socket(d);

	if (error < 0)
		return error;
	d->listen_watch = loop_watch_add(d->listen_fd, EPOLLIN, listen_event, d);
	if (d->listen_watch == NULL) {
		error = -errno;
		path_remove(d);
		close(d->listen_fd);
		return error;
	}
	TAILQ_INSERT_TAIL(V_divert_doors, d, link);
	__atomic_fetch_add(&doors_live, 1, __ATOMIC_RELAXED);
	return 0;
}

static struct divert_door *
door_new(uint8_t kind, uint16_t number, const char *path)
{
	struct divert_door *d = doors_get() ? vnet_malloc(sizeof(*d)) : NULL;

	if (d == NULL)
		return NULL;
	d->listener = (struct fw_listener){ .kind = kind, .number = number, .input = door_input };
	d->vnet = curvnet;
	d->fd = -1;
	d->address.sun_family = AF_UNIX;
	strlcpy(d->address.sun_path, path, sizeof(d->address.sun_path));
	mbufq_init(&d->queue);
	return d;
}

/* What can be said before anything is done. */
static int
may_open(uint8_t kind, uint16_t number, const char *path, char *why, size_t why_len)
{
	const struct divert_door *d = door_of(kind, number);

	if (curworker->mode != CLOCK_LIVE) {
		snprintf(why, why_len, "a program outside needs live time (warren up)");
		return -EOPNOTSUPP;
	}
	if (strlen(path) >= sizeof(d->address.sun_path) || path[0] == '\0') {
		snprintf(why, why_len, "%s: a socket's path has 1 to %zu bytes", path,
		    sizeof(d->address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	if (d == NULL && fw_listener_of(kind, number) == NULL)
		return 0;
	snprintf(why, why_len, "%s has it already",
	    d != NULL ? d->address.sun_path : "a part of this program");
	return -EADDRINUSE;
}

int
divert_door_open(uint8_t kind, uint16_t number, const char *path, char *why, size_t why_len)
{
	int error = may_open(kind, number, path, why, why_len);
	struct divert_door *d;

	if (error != 0)
		return error;
	d = door_new(kind, number, path);
	error = d != NULL ? door_start(d) : -ENOMEM;
	if (error != 0) {
		vnet_free(d);
		doors_put();
		snprintf(why, why_len, "%s: %s", path, verb_strerror(error));
	}
	return error;
}

int
divert_door_close(uint8_t kind, uint16_t number)
{
	struct divert_door *d = door_of(kind, number);

	if (d == NULL)
		return -ENOENT;
	door_free(d);
	return 0;
}

void
divert_door_foreach(void (*fn)(const struct divert_door_info *info, void *ctx), void *ctx)
{
	const struct divert_door *d;

	if (V_divert_doors == NULL)
		return;
	TAILQ_FOREACH(d, V_divert_doors, link) {
		const struct divert_door_info info = {
			.kind = d->listener.kind,
			.number = d->listener.number,
			.path = d->address.sun_path,
			.connected = d->fd >= 0,
			.to_program = d->sent,
			.from_program = d->listener.back,
			.lost = d->lost,
			.malformed = d->listener.malformed,
			.queued = d->queue.len,
		};

		fn(&info, ctx);
	}
}

static void
doors_end(void *arg)
{
	(void)arg;
	while (V_divert_doors != NULL)
		door_free(TAILQ_FIRST(V_divert_doors));
}
VNET_SYSUNINIT(divert_doors, SI_SUB_TOP, SI_ORDER_SECOND, doors_end, NULL);
