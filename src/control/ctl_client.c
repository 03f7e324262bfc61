/*
 * ctl_client.c - the other end of the control socket: one command, its output, its status.
 *
 * The command's words go out in one frame together with where the user stands (jail, FIB, folder);
 * what comes back is copied as it comes. ^C asks the daemon to end the command, so that ping still
 * prints its sums; a second one doesn't wait for that.
 */
#include "control/ctl_client.h"

#include "control/ctl_proto.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STATUS_WORDS = 2, STATUS_ENVIRONMENT = 3, STATUS_INTERRUPTED = 130 };

struct call {
	const char *path;
	const struct ctl_sink *sink;
	int fd;
	bool ended; /* DONE was read, or there is nothing more to come */
	int status;
	uint64_t out_read, err_read;
	uint8_t *in;
	size_t in_len, in_room;
	sigset_t mask;  /* the user's, for the times at which ^C may come */
	int interrupts; /* those we have acted on */
};

static volatile sig_atomic_t interrupts;

static void
interrupted(int sig)
{
	(void)sig;
	interrupts++;
}

const char *
ctl_default_folder(void)
{
	static char folder[256];
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (run != NULL && run[0] != '\0')
		snprintf(folder, sizeof(folder), "%s/warren", run);
	else if (geteuid() == 0)
		snprintf(folder, sizeof(folder), "/run/warren");
	else
		snprintf(folder, sizeof(folder), "/tmp/warren-%u", geteuid());
	return folder;
}

const char *
ctl_default_path(void)
{
	static char path[256 + 8];
	const char *env = getenv("WARREN_SOCKET");

	if (env != NULL && env[0] != '\0')
		return env;
	snprintf(path, sizeof(path), "%s/ctl", ctl_default_folder());
	return path;
}

static void __attribute__((format(printf, 2, 3)))
complain(const struct call *call, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	if (call->sink->err == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	call->sink->err(call->sink->ctx, line, (size_t)n);
}

/* A connected socket whose other end is ours or root's; negative (said) otherwise. */
static int
call_connect(const struct call *call)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	int fd, saved;

	if (strlen(call->path) >= sizeof(sun.sun_path)) {
		complain(call, "warren: %s: %s", call->path, strerror(ENAMETOOLONG));
		return -1;
	}
	memcpy(sun.sun_path, call->path, strlen(call->path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		complain(call, "warren: socket: %s", strerror(errno));
		return -1;
	}
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		saved = errno;
		if (saved == ENOENT || saved == ECONNREFUSED || saved == ENOTDIR)
			complain(call,
			    "warren: no daemon answers at %s (start one with: warren up)",
			    call->path);
		else
			complain(call, "warren: %s: %s", call->path, strerror(saved));
		close(fd);
		return -1;
	}
	/* In a place where everybody can make sockets somebody else's could wait for our words. */
	if (geteuid() != 0 &&
	    (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
		(peer.uid != 0 && peer.uid != geteuid()))) {
		complain(
		    call, "warren: %s: the daemon there belongs to user %u", call->path, peer.uid);
		close(fd);
		return -1;
	}
	return fd;
}

static bool
send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
send_frame(int fd, enum ctl_type type, const uint8_t *payload, size_t len)
{
	struct ctl_header h = { to_be32((uint32_t)len), to_be32(type) };

	return send_all(fd, (const uint8_t *)&h, sizeof(h)) && send_all(fd, payload, len);
}

static uint8_t *
put_string(uint8_t *p, const char *s)
{
	size_t len = strlen(s);

	ctl_put32(p, (uint32_t)len);
	memcpy(p + 4, s, len);
	return p + 4 + len;
}

/* HELLO and RUN. 0, or an exit status (said). */
static int
call_request(struct call *call, const char *jail, int fib, uint32_t flags, int argc, char **argv)
{
	char *cwd = getcwd(NULL, 0);
	const char *folder = cwd == NULL ? "" : cwd;
	uint8_t hello[8], *payload = NULL, *p;
	size_t len = 20 + strlen(folder);
	int status = STATUS_WORDS;

	if (jail == NULL)
		jail = "";
	len += strlen(jail);
	for (int i = 0; i < argc; i++)
		len += 4 + strlen(argv[i]);
	if (argc > CTL_WORDS_MAX || len > CTL_FRAME_MAX) {
		complain(call, "warren: %s: the command is too long", argv[0]);
		goto out;
	}
	status = STATUS_ENVIRONMENT;
	payload = malloc(len);
	if (payload == NULL) {
		complain(call, "warren: %s", strerror(errno));
		goto out;
	}
	ctl_put32(payload, flags);
	ctl_put32(payload + 4, (uint32_t)fib);
	p = put_string(payload + 8, jail);
	p = put_string(p, folder);
	ctl_put32(p, (uint32_t)argc);
	p += 4;
	for (int i = 0; i < argc; i++)
		p = put_string(p, argv[i]);
	ctl_put32(hello, CTL_MAGIC);
	ctl_put32(hello + 4, CTL_VERSION);
	/*
	 * A daemon that refuses us may have closed by now: what it said is still there to be read.
	 */
	(void)(send_frame(call->fd, CTL_HELLO, hello, sizeof(hello)) &&
	    send_frame(call->fd, CTL_RUN, payload, (size_t)(p - payload)));
	status = 0;
out:
	free(payload);
	free(cwd);
	return status;
}

static void
call_end(struct call *call, int status)
{
	call->ended = true;
	call->status = status;
}

static void
call_done(struct call *call, const uint8_t *payload, size_t len)
{
	struct ctl_reader r = { payload, payload + len, false };
	int status = (int)ctl_read32(&r);
	uint64_t out_made = ctl_read64(&r), err_made = ctl_read64(&r);

	if (r.bad) {
		complain(call, "warren: %s: bad answer", call->path);
		status = STATUS_ENVIRONMENT;
	} else if (out_made != call->out_read || err_made != call->err_read) {
		complain(call,
		    "warren: answer cut: %" PRIu64 " of %" PRIu64 " bytes came "
		    "(see sysctl kern.control)",
		    call->out_read + call->err_read, out_made + err_made);
		status = STATUS_ENVIRONMENT;
	}
	call_end(call, status);
}

static void
call_frame(struct call *call, uint32_t type, const uint8_t *payload, size_t len)
{
	const struct ctl_sink *sink = call->sink;

	switch (type) {
	case CTL_HELLO:
		break;
	case CTL_OUT:
		call->out_read += len;
		if (sink->out != NULL)
			sink->out(sink->ctx, (const char *)payload, len);
		break;
	case CTL_ERR:
		call->err_read += len;
		if (sink->err != NULL)
			sink->err(sink->ctx, (const char *)payload, len);
		break;
	case CTL_DONE:
		call_done(call, payload, len);
		break;
	case CTL_REFUSED:
		complain(call, "warren: %s: refused: %.*s", call->path,
		    (int)(len < 512 ? len : 512), (const char *)payload);
		call_end(call, STATUS_ENVIRONMENT);
		break;
	default:
		complain(call, "warren: %s: unknown answer %u", call->path, type);
		call_end(call, STATUS_ENVIRONMENT);
		break;
	}
}

/* Act on all frames that are whole. */
static void
call_frames(struct call *call)
{
	size_t at = 0;

	while (!call->ended && call->in_len - at >= CTL_HEADER) {
		size_t len = __builtin_bswap32(load32(call->in + at));
		uint32_t type = __builtin_bswap32(load32(call->in + at + 4));

		if (len > CTL_FRAME_MAX) {
			complain(call, "warren: %s: bad answer", call->path);
			call_end(call, STATUS_ENVIRONMENT);
			return;
		}
		if (call->in_len - at < CTL_HEADER + len)
			break;
		call_frame(call, type, call->in + at + CTL_HEADER, len);
		at += CTL_HEADER + len;
	}
	call->in_len -= at;
	memmove(call->in, call->in + at, call->in_len);
}

static void
call_read(struct call *call)
{
	ssize_t n = recv(call->fd, call->in + call->in_len, call->in_room - call->in_len, 0);

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		complain(call, "warren: %s: the daemon has ended", call->path);
		call_end(call, STATUS_ENVIRONMENT);
		return;
	}
	call->in_len += (size_t)n;
	call_frames(call);
}

static void
call_wait(struct call *call)
{
	struct pollfd pfd = { .fd = call->fd, .events = POLLIN };

	while (!call->ended) {
		if (interrupts > call->interrupts) {
			call->interrupts++;
			if (call->interrupts > 1 || !send_frame(call->fd, CTL_CANCEL, NULL, 0)) {
				call_end(call, STATUS_INTERRUPTED);
				break;
			}
		}
		if (ppoll(&pfd, 1, NULL, &call->mask) > 0)
			call_read(call);
	}
}

static int
call_run(struct call *call, const char *jail, int fib, uint32_t flags, int argc, char **argv)
{
	call->in_room = CTL_HEADER + CTL_FRAME_MAX;
	call->in = malloc(call->in_room);
	call->status = STATUS_ENVIRONMENT;
	if (call->in == NULL) {
		complain(call, "warren: %s", strerror(errno));
	} else if ((call->fd = call_connect(call)) >= 0) {
		call->status = call_request(call, jail, fib, flags, argc, argv);
		if (call->status == 0)
			call_wait(call);
		close(call->fd);
	}
	free(call->in);
	return call->status;
}

/* To a descriptor of ours. ^C may come while a slow reader keeps us waiting. */
static void
copy_out(const struct call *call, int fd, const char *bytes, size_t len)
{
	sigset_t saved;

	sigprocmask(SIG_SETMASK, &call->mask, &saved);
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && (errno != EINTR || interrupts > call->interrupts))
			break;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

static void
copy_stdout(void *ctx, const char *bytes, size_t len)
{
	copy_out(ctx, STDOUT_FILENO, bytes, len);
}

static void
copy_stderr(void *ctx, const char *bytes, size_t len)
{
	copy_out(ctx, STDERR_FILENO, bytes, len);
}

int
ctl_client_run(const char *path, const char *jail, int fib, bool json, int argc, char **argv)
{
	struct call call = { .path = path, .fd = -1 };
	const struct ctl_sink sink = { copy_stdout, copy_stderr, &call };
	struct sigaction action = { .sa_handler = interrupted }, saved;
	uint32_t flags = (json ? CTL_RUN_JSON : 0) | (isatty(STDOUT_FILENO) ? CTL_RUN_TTY : 0);
	sigset_t interrupt;
	int status;

	call.sink = &sink;
	interrupts = 0;
	sigemptyset(&action.sa_mask);
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, &call.mask);
	sigaction(SIGINT, &action, &saved);
	status = call_run(&call, jail, fib, flags, argc, argv);
	sigaction(SIGINT, &saved, NULL);
	sigprocmask(SIG_SETMASK, &call.mask, NULL);
	return status;
}

int
ctl_client_capture(const char *path, const char *jail, bool json, int argc, char **argv,
    const struct ctl_sink *sink)
{
	struct call call = { .path = path, .sink = sink, .fd = -1 };

	interrupts = 0;
	sigprocmask(SIG_SETMASK, NULL, &call.mask);
	return call_run(&call, jail, 0, json ? CTL_RUN_JSON : 0, argc, argv);
}

bool
ctl_client_probe(const char *path)
{
	const struct ctl_sink silent = { NULL, NULL, NULL };
	struct call call = { .path = path, .sink = &silent };
	int fd = call_connect(&call);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
