/*
 * api.c - include/warren.h: stacks inside somebody's program.
 *
 * The words of the command line are the interface, so there is little here: start and end of the
 * process's floors, a command to its end with its text collected, and time.
 */
#include "warren.h"

#include "base/sched.h"
#include "control/api.h"
#include "control/ctl_server.h"
#include "control/process.h"
#include "control/run_line.h"
#include "kern/jail.h"
#include "port/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct warren {
	bool open;
	enum clock_mode mode;
};

/* The floors are the process's, so there is one. */
static struct warren instance;

/* Frame handlers on the stack: see api.h. */
unsigned api_in_handler;

/* A text that grows; what does not fit into memory any more is left out. */
struct text {
	char *bytes;
	size_t len, room;
};

static void
text_add(struct text *t, const char *bytes, size_t len)
{
	if (t->room - t->len <= len) {
		size_t room = (t->len + len + 1) * 2;
		char *grown = realloc(t->bytes, room);

		if (grown == NULL)
			return;
		t->bytes = grown;
		t->room = room;
	}
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
	t->bytes[t->len] = '\0';
}

/* Hand the text to the caller, or free it. Never NULL but without memory. */
static void
text_give(struct text *t, char **to)
{
	if (to == NULL)
		free(t->bytes);
	else
		*to = t->bytes != NULL ? t->bytes : strdup("");
}

struct streams {
	struct text out, err;
};

static void
streams_out(void *ctx, const char *bytes, size_t len)
{
	text_add(&((struct streams *)ctx)->out, bytes, len);
}

static void
streams_err(void *ctx, const char *bytes, size_t len)
{
	text_add(&((struct streams *)ctx)->err, bytes, len);
}

static struct warren *
open_failed(const struct warren_options *o, int error, const char *what, const char *why)
{
	static char text[640];

	snprintf(
	    text, sizeof(text), "%s%s%s", what != NULL ? what : "", what != NULL ? ": " : "", why);
	if (o->error != NULL)
		*o->error = text;
	errno = error;
	return NULL;
}

struct warren *
warren_open(const struct warren_options *o)
{
	enum clock_mode mode = o->clock == WARREN_VIRTUAL ? CLOCK_VIRTUAL : CLOCK_LIVE;
	const char *why = NULL;
	int error;

	if (o->control_socket != NULL && mode == CLOCK_VIRTUAL)
		return open_failed(
		    o, EINVAL, o->control_socket, "a control socket needs live time");
	error = process_start(mode, o->seed, o->tunables, &why);
	if (error != 0)
		return open_failed(o, -error, NULL, why);
	if (o->control_socket != NULL && (error = ctl_server_start(o->control_socket)) != 0) {
		process_stop();
		return open_failed(o, -error, o->control_socket, strerror(-error));
	}
	instance.open = true;
	instance.mode = mode;
	return &instance;
}

void
warren_close(struct warren *w)
{
	if (w == NULL || !w->open)
		return;
	ctl_server_stop();
	api_ports_close();
	api_diverts_close();
	process_stop();
	w->open = false;
}

static int
exec_words(int argc, char *const argv[], const char *jail, bool json, struct streams *s)
{
	const struct verb_io io = {
		.out = streams_out, .err = streams_err, .ctx = s, .json = json
	};
	struct prison *prison = NULL;
	char line[256];
	int n;

	if (jail != NULL && jail[0] != '\0' && (prison = prison_find(&prison0, jail)) == NULL) {
		n = snprintf(line, sizeof(line), "warren: jail \"%.200s\" not found\n", jail);
		text_add(&s->err, line, (size_t)n);
		return -ENOENT;
	}
	return run_words(argc, argv, prison, &io, NULL);
}

static int
exec_line(struct warren *w, const char *jail, const char *line, bool json, char **out, char **err)
{
	struct streams s = {};
	const char *why = NULL;
	char **argv = NULL;
	int argc = 0, status;

	/* A handler runs in the middle of a packet's walk, where no table may change. */
	if (!w->open || api_in_handler > 0) {
		status = w->open ? -EBUSY : -EINVAL;
	} else if (verb_split(line, &argc, &argv, &why) != 0) {
		text_add(&s.err, "warren: ", 8);
		text_add(&s.err, why, strlen(why));
		text_add(&s.err, "\n", 1);
		status = -EINVAL;
	} else {
		clock_update();
		status = argc == 0 ? 0 : exec_words(argc, argv, jail, json, &s);
		verb_split_free(argc, argv);
		loop_arm();
	}
	text_give(&s.out, out);
	text_give(&s.err, err);
	return status;
}

int
warren_exec(struct warren *w, const char *jail, const char *line, char **out, char **err)
{
	return exec_line(w, jail, line, false, out, err);
}

int
warren_exec_json(struct warren *w, const char *jail, const char *line, char **out, char **err)
{
	return exec_line(w, jail, line, true, out, err);
}

int
warren_run_for(struct warren *w, uint64_t ns)
{
	uint64_t until;

	if (!w->open || api_in_handler > 0)
		return w->open ? -EBUSY : -EINVAL;
	until = clock_update() + ns;
	if (until < ns)
		return -EINVAL;
	if (w->mode == CLOCK_VIRTUAL) {
		sched_run(until);
		return 0;
	}
	do {
		uint64_t now = clock_update();

		loop_turn(now < until ? until - now : 0);
	} while (clock_now() < until);
	return 0;
}

uint64_t
warren_now(const struct warren *w)
{
	return w->open ? clock_update() : 0;
}

int
warren_fd(struct warren *w)
{
	return w->open && w->mode == CLOCK_LIVE ? loop_fd() : -1;
}

void
warren_process(struct warren *w)
{
	if (w->open && w->mode == CLOCK_LIVE && api_in_handler == 0)
		loop_turn(0);
}
