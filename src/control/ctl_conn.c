/*
 * ctl_conn.c - one conversation on the control socket, without the socket.
 *
 * Bytes come in by ctl_conn_input in any pieces; a frame that is whole is acted on. One command
 * runs at a time: its output leaves as OUT and ERR frames, its end as DONE. Nothing that a client
 * sends can do more than run a verb, and nothing that it leaves undone can make us wait or grow:
 * the input of a frame has a bound, and output is asked for room first (behaviours 8: what was cut
 * is said with the size that was needed).
 *
 * A command may outlive its conversation (verb_cancel need not end it at once), so a freed
 * connection stays until its command is done.
 */
#include "control/ctl_server.h"

#include "control/ctl_proto.h"
#include "kern/jail.h"
#include "kern/verb.h"
#include "kern/verb_folder.h"
#include "warren.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ctl_conn {
	void (*out)(void *ctx, const void *bytes, unsigned len);
	size_t (*room)(void *ctx);
	void *ctx;
	uint8_t *in; /* bytes of a frame that is not whole yet */
	size_t in_len, in_room;
	struct verb_run *run; /* pending; NULL while verb_exec has not returned */
	bool busy;            /* a command runs */
	bool greeted;
	bool gone;                   /* freed by its owner, waits for its command */
	bool cut;                    /* some of this command's output was left out */
	uint64_t out_made, err_made; /* bytes the command has written, sent or not */
};

static void
conn_send(struct ctl_conn *c, enum ctl_type type, const void *payload, size_t len)
{
	struct ctl_header h = { to_be32((uint32_t)len), to_be32(type) };

	if (c->gone)
		return;
	c->out(c->ctx, &h, sizeof(h));
	if (len > 0)
		c->out(c->ctx, payload, (unsigned)len);
}

/* Output of a command: in frames of bounded length, as far as there is room. */
static void
conn_stream(struct ctl_conn *c, enum ctl_type type, const char *bytes, size_t len)
{
	/* Once something was left out, what follows would stand in a wrong place. */
	while (len > 0 && !c->gone && !c->cut) {
		size_t n = len < CTL_CHUNK ? len : CTL_CHUNK;

		if (c->room != NULL) {
			size_t room = c->room(c->ctx);

			if (room <= CTL_HEADER) {
				c->cut = true;
				return;
			}
			if (n > room - CTL_HEADER)
				n = room - CTL_HEADER;
		}
		conn_send(c, type, bytes, n);
		bytes += n;
		len -= n;
	}
}

static void
conn_out(void *ctx, const char *bytes, size_t len)
{
	struct ctl_conn *c = ctx;

	conn_stream(c, CTL_OUT, bytes, len);
	c->out_made += len;
}

static void
conn_err(void *ctx, const char *bytes, size_t len)
{
	struct ctl_conn *c = ctx;

	conn_stream(c, CTL_ERR, bytes, len);
	c->err_made += len;
}

static void
conn_done(void *ctx, int status)
{
	struct ctl_conn *c = ctx;
	uint8_t payload[CTL_DONE_LEN];

	ctl_put32(payload, (uint32_t)status);
	ctl_put64(payload + 4, c->out_made);
	ctl_put64(payload + 12, c->err_made);
	conn_send(c, CTL_DONE, payload, sizeof(payload));
	c->busy = false;
	c->run = NULL;
	if (c->gone)
		free(c);
}

/* The words of a RUN frame. */
struct ctl_request {
	uint32_t flags, fib, argc;
	char *jail, *cwd;
	char **argv;
};

static void
request_free(struct ctl_request *rq)
{
	for (uint32_t i = 0; rq->argv != NULL && i < rq->argc; i++)
		free(rq->argv[i]);
	free(rq->argv);
	free(rq->jail);
	free(rq->cwd);
}

/*
 * A string with its length before it, copied and terminated; NULL (and bad) when it is not whole or
 * holds a NUL.
 */
static char *
request_string(struct ctl_reader *r)
{
	uint32_t len = ctl_read32(r);
	const uint8_t *bytes = ctl_read(r, len);
	char *s;

	if (bytes == NULL)
		return NULL;
	s = memchr(bytes, '\0', len) == NULL ? malloc((size_t)len + 1) : NULL;
	if (s == NULL) {
		r->bad = true;
		return NULL;
	}
	memcpy(s, bytes, len);
	s[len] = '\0';
	return s;
}

static int
request_parse(struct ctl_request *rq, const uint8_t *payload, size_t len)
{
	struct ctl_reader r = { payload, payload + len, false };

	rq->flags = ctl_read32(&r);
	rq->fib = ctl_read32(&r);
	rq->jail = request_string(&r);
	rq->cwd = request_string(&r);
	rq->argc = ctl_read32(&r);
	if (r.bad || rq->flags & ~(uint32_t)CTL_RUN_FLAGS || rq->fib > UINT8_MAX || rq->argc == 0 ||
	    rq->argc > CTL_WORDS_MAX) {
		rq->argc = 0;
		return -EPROTO;
	}
	rq->argv = calloc(rq->argc + 1, sizeof(*rq->argv));
	if (rq->argv == NULL) {
		rq->argc = 0;
		return -EPROTO;
	}
	for (uint32_t i = 0; i < rq->argc; i++)
		rq->argv[i] = request_string(&r);
	return r.bad || r.at != r.end ? -EPROTO : 0;
}

static void
conn_run(struct ctl_conn *c, const struct ctl_request *rq)
{
	const struct verb_io io = {
		.out = conn_out,
		.err = conn_err,
		.done = conn_done,
		.ctx = c,
		.json = rq->flags & CTL_RUN_JSON,
		.is_tty = rq->flags & CTL_RUN_TTY,
	};
	struct prison *prison = &prison0;
	struct verb_run *run;
	int back;

	c->busy = true;
	c->cut = false;
	c->out_made = c->err_made = 0;
	if (rq->jail[0] != '\0' && (prison = prison_find(&prison0, rq->jail)) == NULL) {
		char line[512];
		int n = snprintf(line, sizeof(line), "%.200s: jail \"%.200s\" not found\n",
		    rq->argv[0], rq->jail);

		conn_err(c, line, (size_t)n);
		conn_done(c, 1);
		return;
	}
	back = verb_folder_enter(rq->cwd);
	run = verb_exec((int)rq->argc, rq->argv, prison, (uint8_t)rq->fib, &io);
	verb_folder_leave(back);
	/* NULL: conn_done was called. */
	if (run != NULL)
		c->run = run;
}

static int
conn_hello(struct ctl_conn *c, const uint8_t *payload, size_t len)
{
	struct ctl_reader r = { payload, payload + len, false };
	uint8_t answer[12 + 64];
	size_t text = strnlen(warren_version(), 64);
	uint32_t magic = ctl_read32(&r), version = ctl_read32(&r);
	char why[80];

	if (r.bad || magic != CTL_MAGIC || c->greeted)
		return -EPROTO;
	if (version != CTL_VERSION) {
		snprintf(why, sizeof(why), "protocol version %u: this daemon (%s) speaks %d",
		    version, warren_version(), CTL_VERSION);
		conn_send(c, CTL_REFUSED, why, strlen(why));
		return -EPROTO;
	}
	c->greeted = true;
	ctl_put32(answer, CTL_MAGIC);
	ctl_put32(answer + 4, CTL_VERSION);
	ctl_put32(answer + 8, (uint32_t)getpid());
	memcpy(answer + 12, warren_version(), text);
	conn_send(c, CTL_HELLO, answer, 12 + text);
	return 0;
}

static int
conn_frame(struct ctl_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
	struct ctl_request rq = {};
	int error;

	if (type != CTL_HELLO && !c->greeted)
		return -EPROTO;
	switch (type) {
	case CTL_HELLO:
		return conn_hello(c, payload, len);
	case CTL_RUN:
		if (c->busy)
			return -EPROTO;
		error = request_parse(&rq, payload, len);
		if (error == 0)
			conn_run(c, &rq);
		request_free(&rq);
		return error;
	case CTL_CANCEL:
		/* It may cross with the DONE of a command that has just ended. */
		if (c->run != NULL)
			verb_cancel(c->run);
		return 0;
	default:
		return -EPROTO;
	}
}

/* Keep bytes of a frame that is not whole. */
static int
conn_keep(struct ctl_conn *c, const uint8_t *bytes, size_t len)
{
	if (c->in_len + len > c->in_room) {
		size_t room = (c->in_len + len) * 2;
		uint8_t *grown = realloc(c->in, room);

		if (grown == NULL)
			return -EPROTO;
		c->in = grown;
		c->in_room = room;
	}
	memcpy(c->in + c->in_len, bytes, len);
	c->in_len += len;
	return 0;
}

int
ctl_conn_input(struct ctl_conn *c, const void *bytes, unsigned len)
{
	const uint8_t *at = bytes;
	size_t left = len;

	while (left > 0) {
		size_t whole = CTL_HEADER, want;
		uint32_t type;
		int error;

		/*
		 * First the header, then, when that says how long it is, the rest: never more than
		 * a frame is kept.
		 */
		if (c->in_len >= CTL_HEADER)
			whole += __builtin_bswap32(load32(c->in));
		want = whole - c->in_len;
		if (want > left)
			want = left;
		error = conn_keep(c, at, want);
		if (error != 0)
			return error;
		at += want;
		left -= want;
		if (c->in_len < CTL_HEADER)
			return 0;
		whole = CTL_HEADER + (size_t)__builtin_bswap32(load32(c->in));
		if (whole > CTL_HEADER + CTL_FRAME_MAX)
			return -EPROTO;
		if (c->in_len < whole)
			continue;
		type = __builtin_bswap32(load32(c->in + 4));
		error = conn_frame(c, type, c->in + CTL_HEADER, whole - CTL_HEADER);
		c->in_len = 0;
		if (error != 0)
			return error;
	}
	return 0;
}

struct ctl_conn *
ctl_conn_new(void (*out)(void *ctx, const void *bytes, unsigned len), void *ctx)
{
	struct ctl_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->out = out;
	c->ctx = ctx;
	return c;
}

void
ctl_conn_set_room(struct ctl_conn *c, size_t (*room)(void *ctx))
{
	c->room = room;
}

bool
ctl_conn_busy(const struct ctl_conn *c)
{
	return c->busy;
}

void
ctl_conn_free(struct ctl_conn *c)
{
	if (c == NULL)
		return;
	c->gone = true;
	free(c->in);
	c->in = NULL;
	if (!c->busy)
		free(c);
	else if (c->run != NULL)
		verb_cancel(c->run); /* conn_done frees c, perhaps now */
}
