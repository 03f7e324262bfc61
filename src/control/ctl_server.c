/*
 * ctl_server.c - the control socket: who may come in, and what is kept for whom.
 *
 * Everything happens in the live loop. A client's answers wait in a queue of its own until it reads
 * them; the queue has a bound (kern.control.maxqueue), all queues together have one
 * (kern.control.maxtotal), and what does not fit is cut and said (ctl_conn.c). A client with more
 * answers waiting than QUEUE_HIGH and nothing running is not read from, so that it can't pile up
 * commands either.
 */
#include "control/ctl_server.h"

#include "base/log.h"
#include "control/ctl_client.h"
#include "control/ctl_proto.h"
#include "kern/jail.h"
#include "kern/sysctl.h"
#include "kern/verb.h"
#include "port/loop.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	QUEUE_HIGH = 64 * 1024, /* from here on a queue is written out at once, and input waits */
	READ_BYTES = 64 * 1024, /* read from one client in one turn */
	BACKLOG = 64,
};

static uint32_t control_maxclients = 256;
static uint32_t control_maxqueue = 16 << 20;
static uint32_t control_maxtotal = 64 << 20;
SYSCTL_UINT(kern_control_maxclients, "kern.control.maxclients", SYSCTL_RW, control_maxclients, 1,
    65536, "clients of the control socket at a time");
SYSCTL_UINT(kern_control_maxqueue, "kern.control.maxqueue", SYSCTL_RW, control_maxqueue, 4096,
    1 << 30, "bytes of answers that wait for one client");
SYSCTL_UINT(kern_control_maxtotal, "kern.control.maxtotal", SYSCTL_RW, control_maxtotal, 4096,
    INT32_MAX, "bytes of answers that wait for all clients together");

struct client {
	LIST_ENTRY(client) link;
	int fd;
	struct loop_watch *watch;
	struct ctl_conn *conn;
	uint8_t *queue; /* waits from head to tail */
	size_t head, tail, queue_room;
	uint32_t events; /* what the watch waits for now */
	bool broken;     /* the socket is, or memory was: close at the next chance */
};

static struct {
	int fd, spare_fd;
	struct loop_watch *watch;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st; /* our socket: what lies at path at the end may be another's */
	LIST_HEAD(, client) clients;
	uint32_t nclients;
	size_t queued; /* bytes in all queues */
} server = { .fd = -1, .spare_fd = -1 };

static void
client_flush(struct client *cl)
{
	while (!cl->broken && cl->head < cl->tail) {
		ssize_t n = send(
		    cl->fd, cl->queue + cl->head, cl->tail - cl->head, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			cl->broken = true;
			break;
		}
		cl->head += (size_t)n;
		server.queued -= (size_t)n;
	}
	/* A big answer's memory doesn't stay for the small ones after it. */
	if (!cl->broken && cl->queue_room > QUEUE_HIGH) {
		free(cl->queue);
		cl->queue = NULL;
		cl->queue_room = 0;
	}
	if (!cl->broken)
		cl->head = cl->tail = 0;
}

/* Wait for what makes sense now. */
static void
client_rearm(struct client *cl)
{
	size_t waiting = cl->tail - cl->head;
	uint32_t events = waiting > 0 || cl->broken ? EPOLLOUT : 0;

	if (ctl_conn_busy(cl->conn) || waiting <= QUEUE_HIGH)
		events |= EPOLLIN;
	if (events != cl->events) {
		cl->events = events;
		loop_watch_change(cl->watch, events);
	}
}

/* Room for len more bytes behind tail. */
static bool
client_reserve(struct client *cl, size_t len)
{
	size_t waiting = cl->tail - cl->head, room = cl->queue_room;
	uint8_t *grown;

	if (cl->queue_room - cl->tail >= len)
		return true;
	if (cl->head > 0) {
		memmove(cl->queue, cl->queue + cl->head, waiting);
		cl->head = 0;
		cl->tail = waiting;
		if (room - waiting >= len)
			return true;
	}
	room = room == 0 ? 4096 : room;
	while (room - waiting < len)
		room *= 2;
	grown = realloc(cl->queue, room);
	if (grown == NULL)
		return false;
	cl->queue = grown;
	cl->queue_room = room;
	return true;
}

/*
 * A conversation has something to say. It may be in the middle of a command: the client is not
 * freed here.
 */
static void
client_out(void *ctx, const void *bytes, unsigned len)
{
	struct client *cl = ctx;

	if (cl->broken)
		return;
	if (!client_reserve(cl, len)) {
		cl->broken = true;
	} else {
		memcpy(cl->queue + cl->tail, bytes, len);
		cl->tail += len;
		server.queued += len;
		if (cl->tail - cl->head > QUEUE_HIGH)
			client_flush(cl);
	}
	client_rearm(cl);
}

static size_t
client_room(void *ctx)
{
	const struct client *cl = ctx;
	size_t waiting = cl->tail - cl->head;
	size_t own = waiting < control_maxqueue ? control_maxqueue - waiting : 0;
	size_t all = server.queued < control_maxtotal ? control_maxtotal - server.queued : 0;

	return own < all ? own : all;
}

static void
client_close(struct client *cl)
{
	LIST_REMOVE(cl, link);
	server.nclients--;
	client_flush(cl);
	server.queued -= cl->tail - cl->head;
	loop_watch_remove(cl->watch);
	ctl_conn_free(cl->conn);
	close(cl->fd);
	free(cl->queue);
	free(cl);
}

static void
client_event(void *ctx, uint32_t events)
{
	static uint8_t buffer[READ_BYTES];
	struct client *cl = ctx;
	ssize_t n;

	if (events & EPOLLOUT)
		client_flush(cl);
	if (events & EPOLLIN) {
		n = recv(cl->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n > 0) {
			if (ctl_conn_input(cl->conn, buffer, (unsigned)n) != 0)
				goto gone;
			client_flush(cl);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			goto gone;
		}
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		goto gone;
	}
	if (cl->broken)
		goto gone;
	client_rearm(cl);
	return;
gone:
	client_close(cl);
}

/* A last word to somebody who does not come in. */
static void
refuse(int fd, const char *text)
{
	struct ctl_header h = { to_be32((uint32_t)strlen(text)), to_be32(CTL_REFUSED) };
	char frame[sizeof(h) + 128];

	memcpy(frame, &h, sizeof(h));
	memcpy(frame + sizeof(h), text, strnlen(text, 128));
	(void)!send(fd, frame, sizeof(h) + strnlen(text, 128), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool
peer_may(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	*uid = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}

/* 0, or -errno; fd stays the caller's then. */
static int
client_new(int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (cl == NULL)
		return -ENOMEM;
	cl->fd = fd;
	cl->conn = ctl_conn_new(client_out, cl);
	cl->events = EPOLLIN;
	if (cl->conn == NULL ||
	    (cl->watch = loop_watch_add(fd, EPOLLIN, client_event, cl)) == NULL) {
		ctl_conn_free(cl->conn);
		free(cl);
		return -ENOMEM;
	}
	ctl_conn_set_room(cl->conn, client_room);
	LIST_INSERT_HEAD(&server.clients, cl, link);
	server.nclients++;
	return 0;
}

/*
 * No descriptor left: take the spare one to turn the client away, else the loop would spin on it.
 */
static void
accept_none_left(void)
{
	int fd;

	close(server.spare_fd);
	fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		refuse(fd, "the daemon has no descriptor left");
		close(fd);
	}
	server.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
accept_event(void *ctx, uint32_t events)
{
	char why[96];
	uid_t uid;
	int fd;

	(void)ctx;
	(void)events;
	fd = accept4(server.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			accept_none_left();
		return;
	}
	if (!peer_may(fd, &uid)) {
		snprintf(
		    why, sizeof(why), "this daemon serves user %u, you are %u", geteuid(), uid);
		log_msg(LOG_LVL_WARNING, "control: user %u refused", uid);
	} else if (server.nclients >= control_maxclients) {
		snprintf(why, sizeof(why), "too many clients (%u)", server.nclients);
	} else if (client_new(fd) == 0) {
		return;
	} else {
		snprintf(why, sizeof(why), "no memory");
	}
	refuse(fd, why);
	close(fd);
}

/*
 * The folder of the socket, open and locked, so that two daemons that start at a time don't take
 * each other's socket for a dead one. A missing one is made, for us alone. The default folder may
 * lie in a place where everybody can make one (/tmp): then it must be ours and nobody else's.
 */
static int
folder_open(const char *path)
{
	char copy[sizeof(server.path)];
	const char *folder;
	struct stat st;
	int fd, error;

	snprintf(copy, sizeof(copy), "%s", path);
	folder = dirname(copy);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return -errno;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = fstat(fd, &st) != 0 ? -errno : 0;
	if (error == 0 && strcmp(folder, ctl_default_folder()) == 0 &&
	    (st.st_uid != geteuid() || (st.st_mode & 077) != 0))
		error = -EPERM;
	if (error == 0 && flock(fd, LOCK_EX) != 0)
		error = -errno;
	if (error != 0) {
		close(fd);
		return error;
	}
	return fd;
}

/* A socket that nobody answers on is the rest of a daemon that was killed. */
static int
remove_dead_socket(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, error;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : errno;
	close(fd);
	/* EAGAIN: it lives, and its backlog is full. */
	if (error != ECONNREFUSED)
		return error == 0 || error == EAGAIN ? -EADDRINUSE : -error;
	return unlink(sun->sun_path) == 0 ? 0 : -errno;
}

static int
server_bind(int fd, const struct sockaddr_un *sun)
{
	/* The mode is right from the first instant. */
	mode_t saved = umask(0177);
	int error = bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : -errno;

	umask(saved);
	if (error == 0 && lstat(sun->sun_path, &server.st) != 0)
		error = -errno;
	if (error == 0 && listen(fd, BACKLOG) != 0)
		error = -errno;
	return error;
}

int
ctl_server_start(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int folder, error;

	if (server.fd >= 0)
		return -EBUSY;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	folder = folder_open(path);
	if (folder < 0)
		return folder;
	error = remove_dead_socket(&sun);
	if (error == 0) {
		server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		error = server.fd < 0 ? -errno : server_bind(server.fd, &sun);
	}
	if (error == 0 &&
	    (server.watch = loop_watch_add(server.fd, EPOLLIN, accept_event, NULL)) == NULL)
		error = -errno;
	close(folder);
	if (error != 0) {
		if (server.fd >= 0)
			close(server.fd);
		server.fd = -1;
		return error;
	}
	memcpy(server.path, sun.sun_path, sizeof(server.path));
	server.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

void
ctl_server_stop(void)
{
	struct client *cl;
	struct stat st;

	if (server.fd < 0)
		return;
	if (lstat(server.path, &st) == 0 && st.st_ino == server.st.st_ino &&
	    st.st_dev == server.st.st_dev)
		unlink(server.path);
	loop_watch_remove(server.watch);
	close(server.fd);
	close(server.spare_fd);
	while ((cl = LIST_FIRST(&server.clients)) != NULL)
		client_close(cl);
	server.fd = server.spare_fd = -1;
}

static int
shutdown_run(struct verb_run *v)
{
	if (v->argc > 1)
		return verb_usage(v, NULL);
	if (jailed(v->prison))
		return verb_error(v, EXIT_NOPERM_, "%s", strerror(EPERM));
	if (server.fd < 0)
		return verb_error(v, 1, "no daemon runs here");
	loop_stop();
	return 0;
}
VERB_DEFINE(shutdown, .name = "shutdown", .usage = "shutdown",
    .summary = "end the daemon and all its stacks", .run = shutdown_run);
