/*
 * verb.c - running one command: from its words to its exit status.
 *
 * verb_exec peels off what stands before the tool (`jexec J`, `setfib N`) and the options that all
 * tools share, makes an emitter, and calls the tool's function in its stack and jail. What the
 * function returns is the end, unless it is VERB_PENDING: then the run waits in a list until
 * verb_finish.
 */
#include "kern/verb.h"

#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/state.h"
#include "kern/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_INTERRUPTED = 130, STATUS_NO_TOOL = 2, FIBS_MAX = 16 };

#define JEXEC_USAGE "jexec [-l] jail command ..."
#define SETFIB_USAGE "setfib [-F] number command ..."

LINKERSET_DECLARE(verb, const struct verb);

/* A run as its tool sees it (first, so that one is found from the other), and what only we know. */
struct verb_job {
	struct verb_run run;
	LIST_ENTRY(verb_job) link;
	bool in_run;   /* the tool's function has not returned yet */
	bool finished; /* verb_finish was called in there */
	int status;
	char **words; /* what argv was made of, to free */
};

static LIST_HEAD(, verb_job) jobs = LIST_HEAD_INITIALIZER(jobs); /* all runs that have not ended */
static uint64_t job_count;
static struct sorted_set verbs;

static int
verb_compare(const void *a, const void *b)
{
	const struct verb *x = a, *y = b;

	return strcmp(x->name, y->name);
}

const struct verb *
verb_find(const char *name)
{
	size_t lo = 0, hi;

	SORTED_SET_MAKE(&verbs, verb, verb_compare);
	hi = verbs.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct verb *verb = verbs.object[mid];
		int c = strcmp(name, verb->name);

		if (c == 0)
			return verb;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

void
verb_foreach(void (*fn)(const struct verb *verb, void *ctx), void *ctx)
{
	SORTED_SET_MAKE(&verbs, verb, verb_compare);
	for (size_t i = 0; i < verbs.n; i++)
		fn(verbs.object[i], ctx);
}

enum { SAY_MAX = 500, SAY_END = 200 };

/*
 * One line, whatever words it quotes: what would move the cursor becomes '?', and of a very long
 * text the middle goes, since the reason stands at its end.
 */
static void
say_tidy(char *text)
{
	static const char gap[] = " ... ";
	size_t len = strlen(text);

	if (len > SAY_MAX) {
		memcpy(text + SAY_MAX - SAY_END - (sizeof(gap) - 1), gap, sizeof(gap) - 1);
		memmove(text + SAY_MAX - SAY_END, text + len - SAY_END, SAY_END + 1);
	}
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

/* `text` behind the tool's name on somebody's standard error. */
static void __attribute__((format(printf, 4, 0)))
say(void (*err)(void *ctx, const char *bytes, size_t len), void *ctx, const char *tool,
    const char *fmt, va_list ap)
{
	char *text = NULL, *line = NULL;
	int n;

	if (err == NULL || vasprintf(&text, fmt, ap) < 0)
		return;
	say_tidy(text);
	n = asprintf(&line, "%s: %s\n", tool, text);
	if (n > 0)
		err(ctx, line, (size_t)n);
	free(line);
	free(text);
}

int
verb_error(struct verb_run *v, int status, const char *fmt, ...)
{
	va_list ap;

	/* What was said before stands before it, also where both streams end in one place. */
	if (emitter_form(v->out) == EMIT_TEXT)
		emit_flush(v->out);
	va_start(ap, fmt);
	say(v->err, v->ctx, v->argv[0], fmt, ap);
	va_end(ap);
	return status;
}

int
verb_usage(struct verb_run *v, const char *why)
{
	const char *line = v->verb->usage == NULL ? v->verb->name : v->verb->usage;
	const char *head = "usage: ";

	if (why != NULL)
		verb_error(v, 0, "%s", why);
	for (;;) {
		size_t n = strcspn(line, "\n");
		char *text;
		int len = asprintf(&text, "%s%.*s\n", head, (int)n, line);

		if (len > 0 && v->err != NULL)
			v->err(v->ctx, text, (size_t)len);
		if (len >= 0)
			free(text);
		if (line[n] == '\0' || line[n + 1] == '\0')
			return EXIT_USAGE_;
		line += n + 1;
		head = "       ";
	}
}

static void
job_end(struct verb_job *job)
{
	void (*done)(void *ctx, int status) = job->run.done;
	void *ctx = job->run.ctx;
	int status = job->status;

	LIST_REMOVE(job, link);
	job_count--;
	if (emitter_form(job->run.out) == EMIT_JSON && !(job->run.verb->flags & VERB_OWN_EXIT))
		emit_end(job->run.out);
	emitter_free(job->run.out);
	for (int i = 0; job->words[i] != NULL; i++)
		free(job->words[i]);
	free(job->words);
	free(job->run.argv);
	free(job);
	/* Last, since it may end a jail, or everything. */
	if (done != NULL)
		done(ctx, status);
}

void
verb_finish(struct verb_run *v, int status)
{
	struct verb_job *job = (struct verb_job *)v;

	job->status = status;
	job->finished = true;
	if (!job->in_run)
		job_end(job);
}

/* In the run's stack and jail, as its own function was called. */
static void
run_cancel(struct verb_run *v)
{
	VNET_ENTRANCE("verb cancel");
	VNET_SCOPE(v->vnet);
	struct prison *saved = curprison;

	curprison = v->prison;
	if (v->cancel != NULL)
		v->cancel(v);
	else
		verb_finish(v, STATUS_INTERRUPTED);
	curprison = saved;
}

void
verb_cancel(struct verb_run *v)
{
	run_cancel(v);
}

/* Is it still in the list? */
static bool
job_lives(const struct verb_job *job)
{
	struct verb_job *other;

	LIST_FOREACH(other, &jobs, link)
		if (other == job)
			return true;
	return false;
}

/* Cancel one pending run of the stack or the jail (NULL = whatever). False if there is none. */
static bool
cancel_one(const struct vnet *vnet, const struct prison *prison)
{
	struct verb_job *job;

	LIST_FOREACH(job, &jobs, link)
		if (!job->in_run && job->run.prison != NULL &&
		    (vnet == NULL || job->run.vnet == vnet) &&
		    (prison == NULL || job->run.prison == prison))
			break;
	if (job == NULL)
		return false;
	run_cancel(&job->run);
	if (job_lives(job)) {
		job->run.vnet = NULL;
		job->run.prison = NULL;
	}
	return true;
}

void
verb_cancel_vnet(struct vnet *vnet)
{
	while (cancel_one(vnet, NULL))
		continue;
}

void
verb_cancel_prison(struct prison *prison)
{
	while (cancel_one(NULL, prison))
		continue;
}

void
verb_fini(void)
{
	struct verb_job *job;

	while (cancel_one(NULL, NULL))
		continue;
	/* Those that wanted more time don't get it. */
	while ((job = LIST_FIRST(&jobs)) != NULL) {
		job->in_run = false;
		verb_finish(&job->run, STATUS_INTERRUPTED);
	}
}

AUDIT_COUNTER(jobs, "verb", job_count);

/* The words of one command while verb_exec works out what they ask for. */
struct request {
	int argc;
	char **argv;
	struct prison *prison;
	uint8_t fib;
	bool json;
	const struct verb_io *io;
};

static int __attribute__((format(printf, 4, 5)))
refuse(const struct request *rq, int status, const char *tool, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(rq->io->err, rq->io->ctx, tool, fmt, ap);
	va_end(ap);
	return status;
}

static int
refuse_usage(const struct request *rq, const char *usage)
{
	if (rq->io->err != NULL) {
		rq->io->err(rq->io->ctx, "usage: ", 7);
		rq->io->err(rq->io->ctx, usage, strlen(usage));
		rq->io->err(rq->io->ctx, "\n", 1);
	}
	return EXIT_USAGE_;
}

/* How many words at `w` (n are left) ask for JSON; 0 if they don't. */
static int
json_words(char **w, int n)
{
	if (n >= 1 &&
	    (strcmp(w[0], "--json") == 0 || strcmp(w[0], "--libxo=json") == 0 ||
		strcmp(w[0], "--libxo:json") == 0))
		return 1;
	if (n >= 2 && strcmp(w[0], "--libxo") == 0 && strncmp(w[1], "json", 4) == 0)
		return 2;
	return 0;
}

/* Take n words out at index `at`. */
static void
words_cut(struct request *rq, int at, int n)
{
	for (int i = at; i + n <= rq->argc; i++)
		rq->argv[i] = rq->argv[i + n]; /* the NULL behind the last one too */
	rq->argc -= n;
}

static void
take_json(struct request *rq)
{
	int n;

	while ((n = json_words(rq->argv + 1, rq->argc - 1)) > 0) {
		rq->json = true;
		words_cut(rq, 1, n);
	}
	for (n = 2; n >= 1; n--)
		if (rq->argc > n && json_words(rq->argv + rq->argc - n, n) == n) {
			rq->json = true;
			words_cut(rq, rq->argc - n, n);
			break;
		}
}

static bool
enter_jail(struct request *rq, const char *name)
{
	struct prison *pr = prison_find(rq->prison, name);

	if (pr != NULL)
		rq->prison = pr;
	return pr != NULL;
}

/* -j JAIL or -jJAIL behind the tool. 0 or an exit status. */
static int
take_jail(struct request *rq)
{
	const char *name;
	int n;

	while (rq->argc > 1 && strncmp(rq->argv[1], "-j", 2) == 0) {
		n = rq->argv[1][2] == '\0' ? 2 : 1;
		if (rq->argc <= n - 1)
			break;
		name = n == 1 ? rq->argv[1] + 2 : rq->argv[2];
		if (name == NULL)
			return refuse(
			    rq, EXIT_USAGE_, rq->argv[0], "option requires an argument -- j");
		if (!enter_jail(rq, name))
			return refuse(rq, 1, rq->argv[0], "jail \"%s\" not found", name);
		words_cut(rq, 1, n);
	}
	return 0;
}

/*
 * jexec [-l] [-u USER | -U USER] JAIL COMMAND…: what is left is the command. 0 or an exit status.
 */
static int
take_jexec(struct request *rq)
{
	int at = 1;

	for (; at < rq->argc && rq->argv[at][0] == '-'; at++) {
		if (strcmp(rq->argv[at], "-l") == 0)
			continue; /* a clean environment: ours has none */
		if (strcmp(rq->argv[at], "-u") == 0 || strcmp(rq->argv[at], "-U") == 0)
			return refuse(
			    rq, 1, "jexec", "%s: there are no users in a jail", rq->argv[at]);
		return refuse(rq, EXIT_USAGE_, "jexec", "illegal option -- %s", rq->argv[at] + 1);
	}
	if (rq->argc - at < 2)
		return refuse_usage(rq, JEXEC_USAGE);
	if (!enter_jail(rq, rq->argv[at]))
		return refuse(rq, 1, "jexec", "jail \"%s\" not found", rq->argv[at]);
	words_cut(rq, 0, at + 1);
	return 0;
}

/* setfib [-F] N COMMAND…, also setfib -N COMMAND…. 0 or an exit status. */
static int
take_setfib(struct request *rq)
{
	const struct sysctl_oid *oid = sysctl_find("net.fibs");
	uint64_t fibs = FIBS_MAX, fib;
	const char *word;
	char text[32];
	int at = 1;

	if (at < rq->argc && strcmp(rq->argv[at], "-F") == 0)
		at++;
	if (rq->argc - at < 2)
		return refuse_usage(rq, SETFIB_USAGE);
	word = rq->argv[at][0] == '-' ? rq->argv[at] + 1 : rq->argv[at];
	if (oid != NULL && sysctl_read(oid, text, sizeof(text)) == 0)
		(void)verb_number(text, 1, UINT8_MAX, &fibs);
	if (!verb_number(word, 0, fibs - 1, &fib))
		return refuse(rq, EXIT_USAGE_, "setfib", "%s: Invalid argument: FIBs are 0 to %llu",
		    word, (unsigned long long)(fibs - 1));
	rq->fib = (uint8_t)fib;
	words_cut(rq, 0, at + 1);
	return 0;
}

/* Peel off everything before the tool's own words. 0 and *verb, or an exit status. */
static int
request_resolve(struct request *rq, const struct verb **verb)
{
	int status = 0;

	while (rq->argc > 0) {
		bool jexec = strcmp(rq->argv[0], "jexec") == 0;

		if (!jexec && strcmp(rq->argv[0], "setfib") != 0)
			break;
		for (int n; (n = json_words(rq->argv + 1, rq->argc - 1)) > 0; words_cut(rq, 1, n))
			rq->json = true;
		{
			VNET_SCOPE(rq->prison->vnet);
			status = jexec ? take_jexec(rq) : take_setfib(rq);
		}
		if (status != 0)
			return status;
	}
	if (rq->argc == 0)
		return refuse(rq, STATUS_NO_TOOL, "warren", "no command");
	*verb = verb_find(rq->argv[0]);
	if (*verb == NULL)
		return refuse(rq, STATUS_NO_TOOL, "warren", "no tool '%s'", rq->argv[0]);
	if (!((*verb)->flags & VERB_OWN_EXIT))
		take_json(rq);
	/* In a saved state -j names one of its jails. */
	if ((*verb)->flags & VERB_HAS_JAIL && !state_asked(*verb, rq->argc, rq->argv)) {
		status = take_jail(rq);
		if (status == 0 && !((*verb)->flags & VERB_OWN_EXIT))
			take_json(rq);
	}
	return status;
}

__thread uint8_t verb_fib;

static int
job_run(struct verb_job *job)
{
	struct verb_run *v = &job->run;
	struct prison *saved = curprison;
	uint8_t saved_fib = verb_fib;
	int status;

	VNET_SCOPE(v->vnet);
	curprison = v->prison;
	verb_fib = v->fib;
	{
		VNET_ENTRANCE(v->verb->name);
		status = v->verb->run(v);
	}
	verb_fib = saved_fib;
	curprison = saved;
	return status;
}

/*
 * Start the tool. Takes `words`. NULL when there is no memory (then the words stay with the
 * caller).
 */
static struct verb_job *
job_new(const struct request *rq, const struct verb *verb, char **words)
{
	struct verb_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->run = (struct verb_run){
		.verb = verb,
		.out = emitter_new(rq->json ? EMIT_JSON : EMIT_TEXT, rq->io->out, rq->io->ctx),
		.argc = rq->argc,
		.argv = calloc((size_t)rq->argc + 1, sizeof(char *)),
		.vnet = rq->prison->vnet,
		.prison = rq->prison,
		.fib = rq->fib,
		.is_tty = rq->io->is_tty,
		.err = rq->io->err,
		.done = rq->io->done,
		.ctx = rq->io->ctx,
	};
	if (job->run.out == NULL || job->run.argv == NULL) {
		if (job->run.out != NULL)
			emitter_free(job->run.out);
		free(job->run.argv);
		free(job);
		return NULL;
	}
	memcpy(job->run.argv, rq->argv, (size_t)rq->argc * sizeof(char *));
	job->words = words;
	LIST_INSERT_HEAD(&jobs, job, link);
	job_count++;
	return job;
}

static void
words_free(char **words)
{
	for (int i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

static char **
words_copy(int argc, char *const argv[])
{
	char **words = calloc((size_t)argc + 1, sizeof(*words));

	for (int i = 0; words != NULL && i < argc; i++) {
		words[i] = strdup(argv[i]);
		if (words[i] == NULL) {
			words_free(words);
			return NULL;
		}
	}
	return words;
}

struct verb_run *
verb_exec(
    int argc, char *const argv[], struct prison *prison, uint8_t fib, const struct verb_io *io)
{
	struct request rq = {
		.argc = argc,
		.prison = prison != NULL ? prison : &prison0,
		.fib = fib,
		.json = io->json,
		.io = io,
	};
	const struct verb *verb = NULL;
	struct verb_job *job = NULL;
	char **words = words_copy(argc, argv);
	int status;

	/* rq.argv shrinks as words are taken; `words` keeps them all, to be freed. */
	rq.argv = calloc((size_t)argc + 1, sizeof(char *));
	if (words == NULL || rq.argv == NULL) {
		status = refuse(&rq, EXIT_OSERR_, "warren", "%s", verb_strerror(ENOMEM));
	} else {
		memcpy(rq.argv, words, (size_t)argc * sizeof(char *));
		status = request_resolve(&rq, &verb);
		if (status == 0 && (job = job_new(&rq, verb, words)) == NULL)
			status = refuse(&rq, EXIT_OSERR_, argv[0], "%s", verb_strerror(ENOMEM));
	}
	free(rq.argv);
	if (job == NULL) {
		words_free(words);
		if (io->done != NULL)
			io->done(io->ctx, status);
		return NULL;
	}

	if (rq.json && !(verb->flags & VERB_OWN_EXIT))
		emit_object(job->run.out, NULL);
	job->in_run = true;
	status = job_run(job);
	job->in_run = false;
	if (status == VERB_PENDING && !job->finished)
		return &job->run;
	if (!job->finished)
		job->status = status;
	job_end(job);
	return NULL;
}

/* What verb_line collects. It lives on when a cancelled run takes its time to end. */
struct collector {
	struct text {
		char *bytes;
		size_t len, room;
	} out, err;
	int status;
	bool done;
	bool abandoned;
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

static void
collect_out(void *ctx, const char *bytes, size_t len)
{
	text_add(&((struct collector *)ctx)->out, bytes, len);
}

static void
collect_err(void *ctx, const char *bytes, size_t len)
{
	text_add(&((struct collector *)ctx)->err, bytes, len);
}

static void
collector_free(struct collector *c)
{
	free(c->out.bytes);
	free(c->err.bytes);
	free(c);
}

static void
collect_done(void *ctx, int status)
{
	struct collector *c = ctx;

	c->status = status;
	c->done = true;
	if (c->abandoned)
		collector_free(c);
}

/* The text so far; "" rather than NULL. */
static char *
text_copy(const struct text *t)
{
	return strdup(t->bytes == NULL ? "" : t->bytes);
}

int
verb_line(struct prison *prison, const char *line, bool json, char **out, char **err)
{
	struct collector *c = calloc(1, sizeof(*c));
	struct verb_io io = { collect_out, collect_err, collect_done, c, json, false };
	struct verb_run *run;
	char **argv = NULL;
	const char *why;
	int argc, status;

	if (c == NULL)
		return EXIT_OSERR_;
	if (verb_split(line, &argc, &argv, &why) != 0) {
		text_add(&c->err, "warren: ", 8);
		text_add(&c->err, why, strlen(why));
		text_add(&c->err, "\n", 1);
		collect_done(c, STATUS_NO_TOOL);
	} else if (argc == 0) {
		collect_done(c, 0);
	} else {
		run = verb_exec(argc, argv, prison, 0, &io);
		if (run != NULL)
			verb_cancel(run);
	}
	verb_split_free(argc, argv);

	if (out != NULL)
		*out = text_copy(&c->out);
	if (err != NULL)
		*err = text_copy(&c->err);
	status = c->done ? c->status : STATUS_INTERRUPTED;
	if (c->done)
		collector_free(c);
	else
		c->abandoned = true;
	return status;
}

/* verb_exec takes these two itself; they are registered so that help and completion know them. */
static int
peeled(struct verb_run *v)
{
	return verb_usage(v, NULL);
}

VERB_DEFINE(jexec, .name = "jexec", .usage = JEXEC_USAGE, .summary = "run a command in a jail",
    .run = peeled);
VERB_DEFINE(setfib, .name = "setfib", .usage = SETFIB_USAGE,
    .summary = "run a command with another default FIB", .run = peeled);
