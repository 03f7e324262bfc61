/*
 * up.c - the daemon: a live process with a control socket, and its end.
 *
 * In the background the parent waits until the child says how it went, so that `warren up -d` is
 * done only when the socket answers, and what goes wrong before is said on the terminal.
 */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/emitter.h"
#include "control/ctl_client.h"
#include "control/ctl_server.h"
#include "lab/lab.h"
#include "port/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* `warren down` waits so long for the socket to fall silent. */
enum { DOWN_WAIT_MS = 10000, DOWN_STEP_MS = 10 };

static void
signal_event(void *ctx, uint32_t events)
{
	const int *fd = ctx;
	struct signalfd_siginfo info;

	(void)events;
	if (read(*fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop_stop();
}

static int
signals_open(sigset_t *saved)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, saved);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
serve_error(const struct cli_words *w, const char *path, int error)
{
	const char *hint = "";

	if (error == -EADDRINUSE)
		hint = ": a daemon answers there already";
	else if (error == -EPERM)
		hint = ": its folder is not ours alone";
	else if (error == -EEXIST)
		hint = ": it is no socket";
	return cli_error(w, CLI_ENVIRONMENT, "%s: %s%s", path, strerror(-error), hint);
}

/* Where the daemon is, for the one who started it. */
static void
say_where(const struct cli_lab_words *lw, pid_t pid, const char *textfmt)
{
	struct emitter *e = emitter_new(lw->json ? EMIT_JSON : EMIT_TEXT, cli_stdout, NULL);

	if (e == NULL)
		return;
	emit_object(e, NULL);
	emit_int(e, "pid", textfmt, pid);
	emit_str(e, "socket", lw->daemon ? NULL : " answers at %s\n", lw->socket);
	emitter_free(e);
	fflush(stdout);
}

/* Tell whoever started us: a line in the foreground, a byte through the pipe in the background. */
static void
say_ready(const struct cli_lab_words *lw, int ready)
{
	char log[512];
	int fd;

	if (ready < 0) {
		if (lw->json || !lw->quiet)
			say_where(lw, getpid(), "warren: process %" PRId64);
		return;
	}
	/* From here on what the stacks have to say stands beside the socket. */
	snprintf(log, sizeof(log), "%s.log", lw->socket);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	(void)!write(ready, "", 1);
	close(ready);
}

static int
serve(const struct cli_words *w, const struct cli_lab_words *lw, int ready)
{
	const char *file = lw->nfiles > 0 ? lw->files[0] : NULL;
	struct loop_watch *watch = NULL;
	struct lab *lab = NULL;
	sigset_t saved;
	int signals = signals_open(&saved), status, error;

	status = cli_lab_start(w, lw, file, lw->out_dir == NULL, &lab);
	if (status == 0 &&
	    (signals < 0 ||
		(watch = loop_watch_add(signals, EPOLLIN, signal_event, &signals)) == NULL))
		status = cli_error(w, CLI_ENVIRONMENT, "signals: %s", strerror(errno));
	if (status == 0 && (error = ctl_server_start(lw->socket)) != 0)
		status = serve_error(w, lw->socket, error);
	if (status == 0) {
		say_ready(lw, ready);
		/*
		 * Whether expectations hold is a question to `warren run`: this network has no end.
		 */
		if (lab == NULL)
			loop_run();
		else if (lab_run(lab) > CLI_NO)
			status = CLI_FAULT;
		ctl_server_stop();
	}
	if (watch != NULL)
		loop_watch_remove(watch);
	cli_lab_end(lab);
	if (signals >= 0)
		close(signals);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	return status;
}

/* The child's answer: its number is printed when it is ready; else its exit status is ours. */
static int
await_child(const struct cli_words *w, const struct cli_lab_words *lw, pid_t child, int ready)
{
	int status;
	char byte;
	ssize_t n;

	do
		n = read(ready, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1) {
		say_where(lw, child, "%" PRId64 "\n");
		return CLI_YES;
	}
	if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		return WEXITSTATUS(status);
	return cli_error(w, CLI_FAULT, "the daemon ended before it was ready");
}

static int
serve_in_background(const struct cli_words *w, const struct cli_lab_words *lw)
{
	int ready[2], null, status;
	pid_t child;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return cli_error(w, CLI_ENVIRONMENT, "pipe: %s", strerror(errno));
	fflush(stdout);
	child = fork();
	if (child < 0) {
		status = cli_error(w, CLI_ENVIRONMENT, "fork: %s", strerror(errno));
	} else if (child > 0) {
		close(ready[1]);
		ready[1] = -1;
		status = await_child(w, lw, child, ready[0]);
	} else {
		close(ready[0]);
		setsid();
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
		return serve(w, lw, ready[1]);
	}
	close(ready[0]);
	if (ready[1] >= 0)
		close(ready[1]);
	return status;
}

int
cli_up(const struct cli_words *w)
{
	struct cli_lab_words lw;
	int status = cli_lab_words(w, "sOqodS", &lw);

	if (status != 0)
		return status;
	if (lw.nfiles > 1)
		return cli_usage(w);
	lw.live = true;
	lw.for_ns = NS_NEVER;
	return lw.daemon ? serve_in_background(w, &lw) : serve(w, &lw, -1);
}

int
cli_down(const struct cli_words *w)
{
	static char word[] = "shutdown";
	const struct timespec step = { .tv_nsec = DOWN_STEP_MS * 1000000L };
	char *argv[] = { word, NULL };
	struct cli_lab_words lw;
	int status = cli_lab_words(w, "S", &lw);

	if (status != 0)
		return status;
	if (lw.nfiles > 0)
		return cli_usage(w);
	status = ctl_client_run(lw.socket, NULL, 0, lw.json, 1, argv);
	if (status != 0)
		return status;
	for (int ms = 0; ctl_client_probe(lw.socket); ms += DOWN_STEP_MS) {
		if (ms >= DOWN_WAIT_MS)
			return cli_error(w, CLI_FAULT, "%s: the daemon still answers", lw.socket);
		nanosleep(&step, NULL);
	}
	return CLI_YES;
}
