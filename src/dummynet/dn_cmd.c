/*
 * dn_cmd.c - the commands around pipes, queues and schedulers, and the tool `dnctl`.
 *
 *	dnctl pipe 1 config bw 2Mbit/s delay 10ms	the words: dn_parse.c
 *	dnctl queue 1,4-7 delete
 *	dnctl pipe show 1-10				dn_print.c
 *	dnctl sched load ./sched_mine.so
 *	dnctl FILE					lines of such words
 *
 * `ipfw pipe`, `ipfw queue` and `ipfw sched` are the same function (ipfw/dn_sub.c). As ever the
 * number stands before the command or behind it.
 */
#include "dummynet/dn_words.h"
#include "kern/jail.h"
#include "kern/module.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EX_USAGE_ = 64, EX_DATAERR_ = 65, EX_UNAVAILABLE_ = 69, EX_OSERR_ = 71 };
enum { RANGES_MAX = 256 };

MODULE_DEFINE(dummynet, "dummynet");

const char dn_usage_pipe[] =
    "ipfw pipe N config [bw RATE|IFACE] [delay TIME] [burst SIZE] [profile FILE] [plr P]\n"
    "         [queue SLOTS|SIZE] [mask ...] [buckets N] [noerror]\n"
    "         [red|gred W/MIN/MAX/P | codel ... | pie ...] [ecn]\n"
    "ipfw [-s FIELD] pipe [N[-M][,...]] {show | list | delete}\n"
    "ipfw [-f] pipe flush";
const char dn_usage_queue[] =
    "ipfw queue N config pipe|sched M [weight W] [lmax BYTES] [pri P] [plr P]\n"
    "         [queue SLOTS|SIZE] [mask ...] [buckets N] [noerror]\n"
    "         [red|gred W/MIN/MAX/P | codel ... | pie ...] [ecn]\n"
    "ipfw [-s FIELD] queue [N[-M][,...]] {show | list | delete}";
const char dn_usage_sched[] = "ipfw sched N config [type NAME [its words]] [mask ...] [buckets N]\n"
			      "         [bw RATE|IFACE] [delay TIME] [burst SIZE] [profile FILE]\n"
			      "ipfw sched [N[-M][,...]] {show | list | delete}\n"
			      "ipfw sched {types | load NAME|FILE.so | unload NAME}";

/* --- which ones ------------------------------------------------------------------------------- */

struct ranges {
	struct dn_range at[RANGES_MAX];
	unsigned n;
};

/* "5", "5-9". */
static bool
range_read(const char *text, size_t len, struct dn_range *range)
{
	const char *dash = memchr(text, '-', len);
	uint64_t low, high;
	char copy[16];

	if (len >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
	if (dash != NULL)
		copy[dash - text] = '\0';
	if (!verb_number(copy, 1, DN_NUMBER_MAX, &low))
		return false;
	high = low;
	if (dash != NULL && !verb_number(copy + (dash - text) + 1, low, DN_NUMBER_MAX, &high))
		return false;
	*range = (struct dn_range){ (uint32_t)low, (uint32_t)high };
	return true;
}

/* "1,3-5": behind what is there. */
static bool
ranges_add(struct ranges *r, const char *word)
{
	for (;; word++) {
		const size_t len = strcspn(word, ",");

		if (r->n == RANGES_MAX || !range_read(word, len, &r->at[r->n]))
			return false;
		r->n++;
		word += len;
		if (*word == '\0' || word[1] == '\0')
			return true;
	}
}

/* Is it meant as numbers? */
static bool
is_numeric(const char *word)
{
	return word[0] >= '0' && word[0] <= '9';
}

static bool
is_one_number(const struct ranges *r)
{
	return r->n == 1 && r->at[0].low == r->at[0].high;
}

/* --- config ----------------------------------------------------------------------------------- */

static int
configure(struct verb_run *v, const struct dn_options *o, struct dn_words *w)
{
	int (*const config[])(uint32_t, const struct dn_change *, const char **) = { dn_pipe_config,
		dn_queue_config, dn_sched_config };
	const char *why = NULL, *name = dn_kind_names[w->kind];
	int error = o->test_only ? 0 : config[w->kind](w->number, &w->change, &why);

	if (error == 0)
		return 0;
	return verb_error(v, error == -ENOMEM ? EX_OSERR_ : EX_DATAERR_, "%s %" PRIu32 ": %s", name,
	    w->number, why != NULL ? why : verb_strerror(error));
}

static int
run_config(struct verb_run *v, enum dn_kind kind, const struct dn_options *o,
    const struct ranges *which, int argc, char **argv)
{
	const char *name = dn_kind_names[kind];
	struct dn_words w;
	int status;

	if (!is_one_number(which))
		return verb_error(v, EX_USAGE_, "%s config: needs one number", name);
	if (dn_words_read(&w, kind, which->at[0].low, argc, argv) != 0)
		status = verb_error(v, EX_DATAERR_, "%s %" PRIu32 ": %s", name, w.number, w.why);
	else
		status = configure(v, o, &w);
	dn_words_free(&w);
	return status;
}

/* --- delete, flush, show ---------------------------------------------------------------------- */

static int
run_delete(
    struct verb_run *v, enum dn_kind kind, const struct dn_options *o, const struct ranges *which)
{
	int (*const del[])(uint32_t) = { dn_pipe_delete, dn_queue_delete, dn_sched_delete };
	const char *name = dn_kind_names[kind];
	unsigned deleted = 0;

	if (which->n == 0)
		return verb_error(v, EX_USAGE_, "%s delete: which one?", name);
	if (o->test_only)
		return 0;
	for (unsigned i = 0; i < which->n; i++)
		for (uint32_t n = which->at[i].low; n <= which->at[i].high; n++)
			deleted += del[kind](n) == 0;
	if (deleted > 0)
		return 0;
	return verb_error(
	    v, EX_UNAVAILABLE_, "%s %" PRIu32 " does not exist", name, which->at[0].low);
}

static int
run_flush(struct verb_run *v, const struct dn_options *o)
{
	if (o->test_only)
		return 0;
	dn_flush();
	if (!o->quiet)
		emit_text(v->out, "Flushed all pipes.\n");
	return 0;
}

static int
run_show(
    struct verb_run *v, enum dn_kind kind, const struct dn_options *o, const struct ranges *which)
{
	const struct dn_show what = {
		.kind = kind, .range = which->at, .nranges = which->n, .sort = o->sort
	};
	unsigned shown = dn_show(v->out, &what);

	if (shown > 0 || !is_one_number(which))
		return 0;
	return verb_error(v, EX_UNAVAILABLE_, "%s %" PRIu32 " does not exist", dn_kind_names[kind],
	    which->at[0].low);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* A part is code for the whole process: no jail's business. */
static int
run_part(struct verb_run *v, const struct dn_options *o, bool load, const char *name)
{
	const char *verb = load ? "load" : "unload", *why = NULL;
	int error;

	if (name == NULL)
		return verb_error(v, EX_USAGE_, "sched %s: needs a scheduler's name", verb);
	if (curprison != &prison0)
		return verb_error(v, EXIT_NOPERM_, "sched %s: %s", verb, verb_strerror(EPERM));
	if (o->test_only)
		return 0;
	error = load ? dn_sched_load(name, &why) : dn_sched_unload(name);
	if (error == 0)
		return 0;
	if (error == -EBUSY)
		why = "schedulers of this type are there";
	if (error == -EEXIST)
		why = "it is there already";
	return verb_error(v, EX_UNAVAILABLE_, "sched %s %s: %s", verb, name,
	    why != NULL ? why : verb_strerror(error));
}

/* --- the command ------------------------------------------------------------------------------ */

/* Words that stand alone behind `sched`. 0 with *status if it was one. */
static bool
run_sched_word(struct verb_run *v, const struct dn_options *o, int argc, char **argv, int *status)
{
	const bool load = strcmp(argv[0], "load") == 0;

	if (strcmp(argv[0], "types") == 0 && argc == 1) {
		dn_show_types(v->out);
		*status = 0;
		return true;
	}
	if ((!load && strcmp(argv[0], "unload") != 0) || argc > 2)
		return false;
	*status = run_part(v, o, load, argc == 2 ? argv[1] : NULL);
	return true;
}

/*
 * The command, wherever it stands, and the numbers before and behind it; of `config` only one is a
 * number, the rest are words. The index of the first word that is left; -1 after a message.
 */
static int
numbers_read(struct verb_run *v, enum dn_kind kind, int argc, char **argv, const char **command,
    struct ranges *which)
{
	const bool first = is_numeric(argv[0]);
	const int at = first ? 1 : 0;
	int i = at + 1;
	bool one;

	if (at == argc) {
		verb_error(v, 0, "%s %s: config, show or delete?", dn_kind_names[kind], argv[0]);
		return -1;
	}
	*command = argv[at];
	one = strcmp(*command, "config") == 0;
	if (first && !ranges_add(which, argv[0]))
		i = -1;
	for (; i > 0 && i < argc && is_numeric(argv[i]) && (!one || which->n == 0); i++)
		if (!ranges_add(which, argv[i])) {
			argv[0] = argv[i];
			i = -1;
			break;
		}
	if (i < 0)
		verb_error(v, 0, "%s %s: numbers are 1 to %d, as 5 or 1,4-7", dn_kind_names[kind],
		    argv[0], DN_NUMBER_MAX);
	return i;
}

static int
run_command(struct verb_run *v, enum dn_kind kind, const struct dn_options *o, struct ranges *which,
    int argc, char **argv)
{
	const char *name = dn_kind_names[kind], *command;
	const int left = numbers_read(v, kind, argc, argv, &command, which);

	if (left < 0)
		return EX_USAGE_;
	if (strcmp(command, "config") == 0)
		return run_config(v, kind, o, which, argc - left, argv + left);
	if (left < argc)
		return verb_error(v, EX_USAGE_, "%s %s: what is '%s'?", name, command, argv[left]);
	if (strcmp(command, "show") == 0 || strcmp(command, "list") == 0)
		return run_show(v, kind, o, which);
	if (strcmp(command, "delete") == 0)
		return run_delete(v, kind, o, which);
	if (strcmp(command, "flush") == 0 && which->n == 0)
		return run_flush(v, o);
	return verb_error(v, EX_USAGE_, "%s: bad command '%s'", name, command);
}

int
dn_command(struct verb_run *v, enum dn_kind kind, const struct dn_options *o, int argc, char **argv)
{
	struct ranges *which;
	int status;

	if (argc == 0)
		return verb_error(
		    v, EX_USAGE_, "%s: config, show, delete or flush?", dn_kind_names[kind]);
	if (kind == DN_SCHED && run_sched_word(v, o, argc, argv, &status))
		return status;
	which = calloc(1, sizeof(*which));
	if (which == NULL)
		return verb_error(v, EX_OSERR_, "%s", verb_strerror(ENOMEM));
	status = run_command(v, kind, o, which, argc, argv);
	free(which);
	return status;
}

/* --- completion ------------------------------------------------------------------------------- */

struct completion {
	void (*add)(void *ctx, const char *word);
	void *ctx;
	enum dn_kind kind;
};

static void
complete_number(const struct completion *c, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, number);
	c->add(c->ctx, text);
}

static bool
complete_sched(void *ctx, const struct dn_sched_view *s)
{
	if (s->number <= DN_NUMBER_MAX)
		complete_number(ctx, s->number);
	return true;
}

static bool
complete_queue(void *ctx, const struct dn_flowset_view *f)
{
	if (f->number <= DN_NUMBER_MAX)
		complete_number(ctx, f->number);
	return true;
}

static void
complete_type(void *ctx, const struct dn_sched_part *part, bool registered, uint32_t used)
{
	const struct completion *c = ctx;

	(void)used;
	if (registered)
		c->add(c->ctx, part->name);
}

static void
complete_first(struct completion *c)
{
	static const char *const words[] = { "show", "list", "delete", "flush", "config" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		c->add(c->ctx, words[i]);
	if (c->kind == DN_QUEUE)
		dn_flowset_walk(complete_queue, c);
	else
		dn_sched_walk(complete_sched, c);
	if (c->kind != DN_SCHED)
		return;
	c->add(c->ctx, "types");
	c->add(c->ctx, "load");
	c->add(c->ctx, "unload");
}

void
dn_command_complete(
    enum dn_kind kind, int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	struct completion c = { add, ctx, kind };

	if (argc == 0) {
		complete_first(&c);
	} else if (argc == 1 && is_numeric(argv[0])) {
		add(ctx, "config");
		add(ctx, "show");
		add(ctx, "delete");
	} else if (strcmp(argv[argc - 1], "type") == 0 || strcmp(argv[0], "unload") == 0) {
		dn_sched_foreach(complete_type, &c);
	} else if (argc > 1 && (strcmp(argv[0], "config") == 0 || strcmp(argv[1], "config") == 0)) {
		dn_words_each(kind, add, ctx);
	}
}

/* --- dnctl ------------------------------------------------------------------------------------ */

/* The object that a word names; DN_KINDS: none. */
static enum dn_kind
kind_of(const char *word)
{
	enum dn_kind kind = DN_PIPE;

	while (kind < DN_KINDS && strcmp(word, dn_kind_names[kind]) != 0)
		kind++;
	return kind;
}

static int
dnctl_words(struct verb_run *v, const struct dn_options *o, int argc, char **argv)
{
	enum dn_kind kind = kind_of(argv[0]);

	if (kind == DN_KINDS && strcmp(argv[0], "record") == 0)
		return dn_record_command(v, argc - 1, argv + 1);
	if (kind == DN_KINDS)
		return verb_error(v, EX_USAGE_, "%s: pipe, queue or sched?", argv[0]);
	return dn_command(v, kind, o, argc - 1, argv + 1);
}

struct file_run {
	struct verb_run *v;
	const struct dn_options *o;
	int status; /* the first that was not 0 */
};

/* A line of a file, with or without "dnctl"; messages begin with its place. */
static int
dnctl_line(void *ctx, const char *where, int argc, char **argv)
{
	struct file_run *f = ctx;
	char *tool = f->v->argv[0], place[340];
	const int skip = strcmp(argv[0], "dnctl") == 0;
	int status = 0;

	snprintf(place, sizeof(place), "dnctl: %.*s", (int)strlen(where) - 2, where);
	f->v->argv[0] = place;
	emit_object(f->v->out, NULL);
	if (argc > skip)
		status = dnctl_words(f->v, f->o, argc - skip, argv + skip);
	emit_end(f->v->out);
	f->v->argv[0] = tool;
	if (f->status == 0)
		f->status = status;
	return status;
}

static int
dnctl_file(struct verb_run *v, const struct dn_options *o, const char *path)
{
	struct file_run f = { .v = v, .o = o };
	int status;

	emit_list(v->out, "line");
	status = verb_file(v, path, dnctl_line, &f);
	emit_end(v->out);
	return f.status != 0 ? f.status : status;
}

/* "3", "-1". */
static bool
sort_read(const char *word, int *sort)
{
	uint64_t field;

	if (!verb_number(word + (word[0] == '-'), 1, DN_SORT_MAX, &field))
		return false;
	*sort = word[0] == '-' ? -(int)field : (int)field;
	return true;
}

static int
dnctl_run(struct verb_run *v)
{
	struct dn_options o = { 0 };
	struct verb_opts opts;
	char **argv;
	int c;

	verb_opts_init(&opts, v, v->argc, v->argv, "fnqs:");
	while ((c = verb_opts_next(&opts)) != -1) {
		if (c == '?')
			return verb_usage(v, NULL);
		o.test_only = o.test_only || c == 'n';
		o.quiet = o.quiet || c == 'q';
		if (c == 's' && !sort_read(opts.arg, &o.sort))
			return verb_error(v, EX_USAGE_, "-s: %s: fields are 1 to %d, or -1 to -%d",
			    opts.arg, DN_SORT_MAX, DN_SORT_MAX);
	}
	argv = v->argv + opts.ind;
	if (opts.ind == v->argc)
		return verb_usage(v, NULL);
	if (priv_check(PRIV_FIREWALL) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	if (opts.ind + 1 == v->argc && strchr(argv[0], '/') != NULL)
		return dnctl_file(v, &o, argv[0]);
	return dnctl_words(v, &o, v->argc - opts.ind, argv);
}

static void
dnctl_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	enum dn_kind kind;
	int at = 1;

	while (at < argc && argv[at][0] == '-')
		at++;
	if (at == argc)
		for (kind = DN_PIPE; kind < DN_KINDS; kind++)
			add(ctx, dn_kind_names[kind]);
	else if ((kind = kind_of(argv[at])) != DN_KINDS)
		dn_command_complete(kind, argc - at - 1, argv + at + 1, add, ctx);
}

/* What -f, -q and -n spare. */
static const char *
dnctl_question(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-'; i++)
		if (strpbrk(argv[i], "fqn") != NULL)
			return NULL;
	return argc > 2 && strcmp(argv[argc - 1], "flush") == 0 ? "Are you sure?" : NULL;
}

VERB_DEFINE(dnctl, .name = "dnctl",
    .usage = "dnctl [-fnq] [-s field] {pipe | queue | sched} words\n"
	     "dnctl [-nq] file\n"
	     "dnctl record [-l layout] file",
    .summary = "make and look at the shaper's pipes, queues and schedulers", .run = dnctl_run,
    .complete = dnctl_complete, .question = dnctl_question, .flags = VERB_HAS_JAIL);
