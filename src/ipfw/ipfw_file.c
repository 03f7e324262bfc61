/*
 * ipfw_file.c - files of ipfw's commands, and the programs that they go through first (cpp, m4).
 *
 * Each line is a command, with or without "ipfw" before it, with options of its own if it wants. All
 * lines are read, whatever becomes of them; packets meet the outcome as one change. A message begins
 * with the file and the line that it is about.
 *
 * A program's output is taken as a whole, since it might end badly: it is limited in size and time.
 */
#include "ipfw/command.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_BYTES_MAX = 1 << 16,
	PREPROC_BYTES_MAX = 64 << 20,
	PREPROC_SECONDS = 10,
	PREPROC_CHUNK = 1 << 16,
};

/* --- lines ---------------------------------------------------------------- */

struct file_run {
	struct verb_run *v;
	const struct fw_options *o;
	char where[300]; /* file of the line; of cpp's output, what it says that it comes from */
	const char *path;
	unsigned long line;
	int status; /* the first that was not 0 */
};

/*
 * `# 12 "rules.inc"`, by which cpp says where the next line is from: it calls standard input, our file,
 * <stdin>.
 */
static bool
line_marker(struct file_run *f, const char *text)
{
	unsigned long line;
	char name[256];

	if (sscanf(text, "# %lu \"%255[^\"]\"", &line, name) != 2)
		return false;
	f->line = line - 1;
	snprintf(f->where, sizeof(f->where), "%s", strcmp(name, "<stdin>") == 0 ? f->path : name);
	return true;
}

static void
run_line(struct file_run *f, char *text)
{
	struct verb_run *v = f->v;
	char *tool = v->argv[0], where[340];
	int status;

	/* so that every message of whoever carries it out begins with the place */
	snprintf(where, sizeof(where), "ipfw: %s:%lu", f->where, f->line);
	v->argv[0] = where;
	emit_object(v->out, NULL);
	status = fw_command_line(v, f->o, text);
	emit_end(v->out);
	v->argv[0] = tool;
	if (f->status == 0)
		f->status = status;
}

static int
run_lines(struct verb_run *v, const struct fw_options *o, const char *path, FILE *in, bool markers)
{
	struct file_run f = { .v = v, .o = o, .path = path };
	char *text = malloc(LINE_BYTES_MAX);
	int error;

	if (text == NULL)
		return verb_error(v, EX_OSERR_, "%s: %s", path, verb_strerror(ENOMEM));
	snprintf(f.where, sizeof(f.where), "%s", path);
	emit_list(v->out, "line");
	fw_change_begin();
	while (fgets(text, LINE_BYTES_MAX, in) != NULL) {
		f.line++;
		if (strchr(text, '\n') == NULL && !feof(in)) {
			f.status = verb_error(
			    v, EX_DATAERR_, "%s:%lu: this is no line of text", path, f.line);
			break;
		}
		if (!(markers && line_marker(&f, text)))
			run_line(&f, text);
	}
	error = fw_change_end();
	emit_end(v->out);
	free(text);
	if (error != 0)
		return verb_error(v, EX_OSERR_, "%s: %s", path, verb_strerror(error));
	return f.status;
}

/* --- through a program ---------------------------------------------------- */

struct output {
	char *bytes;
	size_t len, room;
};

static bool
output_grow(struct output *out)
{
	char *grown;

	if (out->room - out->len >= PREPROC_CHUNK)
		return true;
	if (out->room >= PREPROC_BYTES_MAX)
		return false;
	grown = realloc(out->bytes, out->room * 2 + PREPROC_CHUNK);
	if (grown == NULL)
		return false;
	out->bytes = grown;
	out->room = out->room * 2 + PREPROC_CHUNK;
	return true;
}

/* Everything that comes from fd. NULL, or why not. */
static const char *
output_read(struct output *out, int fd)
{
	uint64_t until = clock_real_ns() + PREPROC_SECONDS * NS_PER_SEC;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_real_ns();
		ssize_t n;

		if (now >= until)
			return "takes too long";
		if (!output_grow(out))
			return "says too much";
		if (poll(&p, 1, (int)((until - now) / NS_PER_MS) + 1) <= 0)
			continue;
		n = read(fd, out->bytes + out->len, out->room - out->len);
		if (n == 0)
			return NULL;
		if (n > 0)
			out->len += (size_t)n;
		else if (errno != EINTR)
			return strerror(errno);
	}
}

/* The program with `path` as its standard input, its output to *fd. 0 or an errno. */
static int
program_start(const char *path, char **words, int *fd, pid_t *pid)
{
	posix_spawn_file_actions_t act;
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	error = posix_spawn_file_actions_init(&act);
	if (error == 0) {
		error = posix_spawn_file_actions_addopen(&act, 0, path, O_RDONLY, 0);
		if (error == 0)
			error = posix_spawn_file_actions_adddup2(&act, ends[1], 1);
		if (error == 0)
			error = posix_spawnp(pid, words[0], &act, NULL, words, environ);
		posix_spawn_file_actions_destroy(&act);
	}
	close(ends[1]);
	if (error != 0)
		close(ends[0]);
	*fd = ends[0];
	return error;
}

/* Names that may be looked for in PATH; of others the user says exactly which one he means. */
static bool
is_program(const char *name)
{
	return name[0] == '/' || strcmp(name, "cpp") == 0 || strcmp(name, "m4") == 0;
}

/* Its exit status as wait(2) gives it; a program that goes on after its output is ended. */
static int
program_wait(pid_t pid, bool kill_it)
{
	uint64_t until = clock_real_ns() + PREPROC_SECONDS * NS_PER_SEC;
	int how = 0;
	pid_t got;

	while ((got = waitpid(pid, &how, kill_it ? 0 : WNOHANG)) != pid) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (clock_real_ns() >= until)
			kill_it = true;
		if (kill_it)
			kill(pid, SIGKILL);
		else
			nanosleep(&(struct timespec){ .tv_nsec = (long)NS_PER_MS }, NULL);
	}
	return how;
}

/* All that the program makes of the file. 0, or an exit status after a message. */
static int
preprocess(struct verb_run *v, const char *path, char **words, struct output *out)
{
	const char *why;
	int fd = -1, error, how;
	pid_t pid;

	if (!is_program(words[0]))
		return verb_error(
		    v, EX_USAGE_, "-p: %s: cpp, m4 or the whole path of a program", words[0]);
	error = program_start(path, words, &fd, &pid);
	if (error != 0)
		return verb_error(v, EX_OSERR_, "%s: %s", words[0], strerror(error));
	why = output_read(out, fd);
	close(fd);
	if (why != NULL)
		kill(pid, SIGKILL);
	how = program_wait(pid, why != NULL);
	if (why != NULL)
		return verb_error(v, EX_UNAVAILABLE_, "%s: the program %s", words[0], why);
	if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
		return verb_error(v, EX_UNAVAILABLE_, "%s: the program failed", words[0]);
	return 0;
}

static int
run_preprocessed(struct verb_run *v, const struct fw_options *o, const char *path, char **words)
{
	struct output out = { 0 };
	int status = preprocess(v, path, words, &out);
	FILE *in = NULL;

	if (status == 0 && out.len > 0) {
		in = fmemopen(out.bytes, out.len, "r");
		status = in == NULL ? verb_error(v, EX_OSERR_, "%s: %s", path, strerror(errno)) :
				      run_lines(v, o, path, in, true);
	}
	if (in != NULL)
		fclose(in);
	free(out.bytes);
	return status;
}

/* What has an end, and makes nobody wait: no device, no pipe. */
static FILE *
file_open(const char *path)
{
	struct stat st;

	if (strcmp(path, "/dev/stdin") != 0) {
		if (stat(path, &st) != 0)
			return NULL;
		if (!S_ISREG(st.st_mode)) {
			errno = S_ISDIR(st.st_mode) ? EISDIR : ENODEV;
			return NULL;
		}
	}
	return fopen(path, "re");
}

int
fw_command_file(struct verb_run *v, const struct fw_options *o, const char *path, int preproc_argc,
    char **preproc_argv)
{
	const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
	struct fw_options lines = *o;
	int status;
	FILE *in = file_open(file);

	if (in == NULL)
		return verb_error(v, EX_UNAVAILABLE_, "%s: %s", path, strerror(errno));
	lines.force = true;
	if (preproc_argc == 0) {
		status = run_lines(v, &lines, path, in, false);
		fclose(in);
		return status;
	}
	fclose(in);
	return run_preprocessed(v, &lines, file, preproc_argv);
}
