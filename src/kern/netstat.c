/*
 * netstat.c - the tool netstat: parses its words once and calls the mode or the blocks that rooms
 * have registered; its own are -m (mbufs) and the block of drop counters.
 */
#include "kern/netstat.h"

#include "base/mbuf.h"
#include "kern/drop.h"
#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

LINKERSET_DECLARE(netstat_mode, const struct netstat_mode);
LINKERSET_DECLARE(netstat_stats, const struct netstat_stats);

static struct sorted_set blocks;

/* Families in the order in which the field prints them. */
static int
family_rank(int family)
{
	switch (family) {
	case AF_INET:
		return 0;
	case AF_INET6:
		return 1;
	case AF_LINK_:
		return 2;
	default:
		return 3;
	}
}

static int
block_compare(const void *a, const void *b)
{
	const struct netstat_stats *x = a, *y = b;
	int c = family_rank(x->family) - family_rank(y->family);

	return c != 0 ? c : strcmp(x->proto, y->proto);
}

/* "# packet{s} received" with n, into line. Braces as netstat.h says. */
static void
expand(char *line, size_t len, uint64_t n, const char *text)
{
	FILE *f = fmemopen(line, len, "w");

	if (f == NULL)
		return;
	for (; *text != '\0'; text++) {
		const char *bar, *close;

		if (*text == '#') {
			fprintf(f, "%" PRIu64, n);
			continue;
		}
		if (*text != '{' || (close = strchr(text, '}')) == NULL) {
			fputc(*text, f);
			continue;
		}
		bar = memchr(text, '|', (size_t)(close - text));
		if (n == 1 && bar != NULL)
			fprintf(f, "%.*s", (int)(bar - text - 1), text + 1);
		else if (n != 1 && bar != NULL)
			fprintf(f, "%.*s", (int)(close - bar - 1), bar + 1);
		else if (n != 1)
			fprintf(f, "%.*s", (int)(close - text - 1), text + 1);
		text = close;
	}
	fclose(f);
}

void
netstat_value(struct emitter *e, const struct netstat_opts *o, const char *json, uint64_t value,
    const char *text)
{
	char line[256] = "";

	if (json != NULL)
		emit_uint(e, json, NULL, value);
	if ((o->stats >= 2 && value == 0) || emitter_form(e) != EMIT_TEXT)
		return;
	expand(line, sizeof(line), value, text);
	emit_text(e, "\t%s\n", line);
}

void
netstat_counter(struct emitter *e, const struct netstat_opts *o, const char *json,
    uint64_t *counter, const char *text)
{
	netstat_value(e, o, json, *counter, text);
	if (o->zero)
		*counter = 0;
}

void
netstat_histogram(struct emitter *e, const struct netstat_opts *o, const char *json,
    const char *title, const char *const *names, uint64_t *hist, unsigned n)
{
	bool first = true;

	emit_object(e, json);
	for (unsigned i = 0; i < n; i++) {
		const char *name = names != NULL ? names[i] : NULL;
		char number[12];

		if (hist[i] == 0)
			continue;
		if (name == NULL) {
			snprintf(number, sizeof(number), "#%u", i);
			name = number;
		}
		if (first)
			emit_text(e, "\t%s histogram:\n", title);
		first = false;
		emit_text(e, "\t\t%s: ", name);
		emit_uint(e, name, "%" PRIu64 "\n", hist[i]);
		if (o->zero)
			hist[i] = 0;
	}
	emit_end(e);
}

static void
drop_block(struct verb_run *v, const struct netstat_opts *o)
{
	if (o->image != NULL) {
		drop_show_saved(v->out, o->image, o->stats < 2);
		return;
	}
	drop_show(v->out, o->stats < 2);
	if (o->zero)
		drop_zero();
}
NETSTAT_IMAGE_STATS_DEFINE(drop, "drop", AF_UNSPEC, drop_block);

static int
netstat_statistics(struct verb_run *v, const struct netstat_opts *o)
{
	bool known = false, saved = false;

	SORTED_SET_MAKE(&blocks, netstat_stats, block_compare);
	for (size_t i = 0; i < blocks.n && o->proto != NULL; i++) {
		const struct netstat_stats *block = blocks.object[i];

		if (strcmp(block->proto, o->proto) == 0) {
			known = true;
			saved |= block->image;
		}
	}
	if (o->proto != NULL && !known)
		return verb_error(v, 1, "%s: unknown or uninstrumented protocol", o->proto);
	if (o->proto != NULL && o->image != NULL && !saved)
		return verb_error(v, 1, "-M: %s is not in a saved state", o->proto);

	emit_object(v->out, "statistics");
	for (size_t i = 0; i < blocks.n; i++) {
		const struct netstat_stats *block = blocks.object[i];

		if ((o->proto == NULL || strcmp(block->proto, o->proto) == 0) &&
		    (o->family == AF_UNSPEC || o->family == block->family) &&
		    (o->image == NULL || block->image))
			block->run(v, o);
	}
	emit_end(v->out);
	return 0;
}

static int
netstat_mode_run(struct verb_run *v, const struct netstat_opts *o, char flag)
{
	const struct netstat_mode *const *p;

	LINKERSET_FOREACH(p, netstat_mode) {
		if ((*p)->flag != flag)
			continue;
		if (o->image != NULL && !(*p)->image)
			break;
		return (*p)->run(v, o);
	}
	if (o->image != NULL)
		return verb_error(
		    v, 1, "-M: only -i, -m, -Q, -r and -s are read from a saved state");
	if (flag == 0)
		return verb_usage(v, "there are no endpoints to list");
	return verb_error(v, 1, "-%c: not in this program", flag);
}

static bool
parse_family(const char *word, int *family)
{
	static const struct {
		const char *name;
		int family;
	} names[] = {
		{ "inet", AF_INET },
		{ "inet4", AF_INET },
		{ "inet6", AF_INET6 },
		{ "link", AF_LINK_ },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(word, names[i].name) == 0) {
			*family = names[i].family;
			return true;
		}
	return false;
}

/* What was asked for by the mode's letters. */
struct modes {
	bool i, r, B, g, m, Q;
	const char *file; /* -M */
	const char *jail; /* -j, beside -M: one in the file */
};

static const char netstat_options[] = "46aBbdf:ghI:ij:LM:mN:np:Qq:rSsTuWw:xz";

/* Read the options. 0, or an exit status. */
static int
netstat_parse(struct verb_run *v, struct netstat_opts *o, struct modes *mode)
{
	uint64_t number;
	struct verb_opts opts;
	int c;

	verb_opts_init(&opts, v, v->argc, v->argv, netstat_options);
	while ((c = verb_opts_next(&opts)) != -1) {
		switch (c) {
		case '4':
			o->family = AF_INET;
			break;
		case '6':
			o->family = AF_INET6;
			break;
		case 'a':
			o->all = true;
			break;
		case 'B':
			mode->B = true;
			break;
		case 'b':
			o->bytes = true;
			break;
		case 'd':
			o->drops = true;
			break;
		case 'f':
			if (!parse_family(opts.arg, &o->family))
				return verb_error(v, 1, "%s: unknown address family", opts.arg);
			break;
		case 'g':
			mode->g = true;
			break;
		case 'I':
			o->ifname = opts.arg;
			mode->i = true;
			break;
		case 'i':
			mode->i = true;
			break;
		case 'L':
			o->listening = true;
			break;
		case 'j':
			mode->jail = opts.arg;
			break;
		case 'M':
			mode->file = opts.arg;
			break;
		case 'N':
			return verb_error(v, 1, "-N: a saved state (-M) needs no name list");
		case 'm':
			mode->m = true;
			break;
		case 'n':
		case 'S': /* ports as numbers: names of ports are not printed at all */
			o->numeric = true;
			break;
		case 'p':
			o->proto = opts.arg;
			break;
		case 'Q':
			mode->Q = true;
			break;
		case 'q':
			if (!verb_number(opts.arg, 1, UINT32_MAX, &number))
				return verb_error(v, 1, "%s: not a number of lines", opts.arg);
			o->wait_times = (uint32_t)number;
			break;
		case 'r':
			mode->r = true;
			break;
		case 's':
			o->stats++;
			break;
		case 'T':
			o->timers = true;
			break;
		case 'W':
			o->wide = true;
			break;
		case 'w':
			if (!verb_number(opts.arg, 1, UINT32_MAX, &number))
				return verb_error(v, 1, "%s: not a number of seconds", opts.arg);
			o->wait_s = (uint32_t)number;
			mode->i = true;
			break;
		case 'x':
			o->buffers = true;
			break;
		case 'z':
			o->zero = true;
			break;
		case 'h': /* -h and -u are what is printed anyway, or nothing that exists here */
		case 'u':
			break;
		default:
			return verb_usage(v, NULL);
		}
	}
	if (opts.ind != v->argc)
		return verb_usage(
		    v, "no operands are taken: -w N repeats, -I IF names an interface");
	return 0;
}

/* The one thing that was asked for. Exit status or VERB_PENDING. */
static int
netstat_choose(struct verb_run *v, const struct netstat_opts *o, const struct modes *mode)
{
	/* -s belongs to -r where both stand; -p alone means -s. */
	if (mode->m)
		return netstat_mode_run(v, o, 'm');
	if (mode->Q)
		return netstat_mode_run(v, o, 'Q');
	if (mode->B)
		return netstat_mode_run(v, o, 'B');
	if (mode->r)
		return netstat_mode_run(v, o, o->stats > 0 ? 'R' : 'r');
	if (mode->g)
		return netstat_mode_run(v, o, 'g');
	if (mode->i && o->stats == 0)
		return netstat_mode_run(v, o, 'i');
	if (o->stats > 0 || (o->proto != NULL && !o->all))
		return netstat_statistics(v, o);
	return netstat_mode_run(v, o, 0);
}

static int
netstat_run(struct verb_run *v)
{
	struct netstat_opts o = { .family = AF_UNSPEC };
	struct modes mode = {};
	struct state *image;
	int status = netstat_parse(v, &o, &mode);

	if (status != 0)
		return status;
	if (mode.jail != NULL && mode.file == NULL)
		return verb_usage(v, "-j jail stands before the other words");
	if (mode.file != NULL && (o.zero || o.wait_s != 0))
		return verb_error(v, 1, "-M: a saved state stays as it is: no -z, no -w");
	if (o.zero && priv_check(PRIV_NET_CONFIG) != 0)
		return verb_error(v, 1, "-z: %s", verb_strerror(EPERM));
	if (mode.file == NULL)
		return netstat_choose(v, &o, &mode);
	image = state_open(v, mode.file, mode.jail);
	if (image == NULL)
		return 1;
	o.image = image;
	status = netstat_choose(v, &o, &mode);
	state_free(image);
	return status;
}

VERB_DEFINE(netstat, .name = "netstat",
    .usage = "netstat [-j jail] [-aLnSWx] [-f family] [-p protocol]\n"
	     "netstat [-j jail] -i | -I interface [-bdnW] [-f family]\n"
	     "netstat [-j jail] -w seconds [-I interface] [-d] [-q times]\n"
	     "netstat [-j jail] -s [-s] [-z] [-f family] [-p protocol]\n"
	     "netstat [-j jail] -r [-anW] [-f family]\n"
	     "netstat [-j jail] -rs\n"
	     "netstat -B [-I interface]\n"
	     "netstat [-j jail] -g [-s] [-f family]\n"
	     "netstat -m | -Q\n"
	     "netstat -M file [-j jail] -i | -m | -Q | -s",
    .summary = "interfaces, routes, counters and queues of a stack", .run = netstat_run,
    .flags = VERB_HAS_JAIL, .state_options = netstat_options);

static json_t *
mbufs_save(void)
{
	json_t *classes = json_array();
	struct m_stats st;

	m_stats(&st);
	for (int i = 0; i < M_NCLASSES; i++)
		json_array_append_new(classes,
		    json_pack("{s:I, s:I, s:I, s:I}", "buffer-bytes",
			(json_int_t)st.class[i].buf_bytes, "current",
			(json_int_t)st.class[i].in_use, "cache", (json_int_t)st.class[i].cached,
			"denied", (json_int_t)st.class[i].denied));
	return json_pack("{s:I, s:I, s:I, s:o}", "bytes", (json_int_t)st.bytes, "limit-bytes",
	    (json_int_t)st.limit_bytes, "too-long", (json_int_t)st.too_long, "class", classes);
}
STATE_SECTION_DEFINE(mbuf, "mbuf", false, mbufs_save);

static void
mbufs_saved(const struct state *image, struct m_stats *st)
{
	const json_t *saved = state_section(image, "mbuf");
	const json_t *classes = json_object_get(saved, "class");

	*st = (struct m_stats){ .bytes = state_uint(saved, "bytes"),
		.limit_bytes = state_uint(saved, "limit-bytes"),
		.too_long = state_uint(saved, "too-long") };
	for (size_t i = 0; i < M_NCLASSES; i++) {
		const json_t *class = json_array_get(classes, i);

		st->class[i].buf_bytes = (uint32_t)state_uint(class, "buffer-bytes");
		st->class[i].in_use = state_uint(class, "current");
		st->class[i].cached = state_uint(class, "cache");
		st->class[i].denied = state_uint(class, "denied");
	}
}

static int
netstat_mbufs(struct verb_run *v, const struct netstat_opts *o)
{
	uint64_t used = 0, cached = 0, used_bytes = 0;
	struct emitter *e = v->out;
	struct m_stats st;

	if (o->image != NULL)
		mbufs_saved(o->image, &st);
	else
		m_stats(&st);
	for (int i = 0; i < M_NCLASSES; i++) {
		used += st.class[i].in_use;
		cached += st.class[i].cached;
		used_bytes += st.class[i].in_use * st.class[i].buf_bytes;
	}
	if (used_bytes > st.bytes)
		used_bytes = st.bytes;
	emit_text(e, "%" PRIu64 "/%" PRIu64 "/%" PRIu64 " mbufs in use (current/cache/total)\n",
	    used, cached, used + cached);
	for (int i = 0; i < M_NCLASSES; i++) {
		static const char *const names[M_NCLASSES] = { "mbuf clusters", "9k jumbo clusters",
			"64k jumbo clusters", "mbufs that share a cluster" };
		uint64_t n = st.class[i].in_use, c = st.class[i].cached;
		uint64_t most = st.class[i].buf_bytes != 0 ?
		    st.limit_bytes / st.class[i].buf_bytes :
		    0;

		emit_text(e,
		    "%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64
		    " %s in use (current/cache/total/max)\n",
		    n, c, n + c, most, names[i]);
	}
	emit_text(e,
	    "%" PRIu64 "K/%" PRIu64 "K/%" PRIu64
	    "K bytes allocated to network (current/cache/total)\n",
	    used_bytes / 1024, (st.bytes - used_bytes) / 1024, st.bytes / 1024);
	emit_text(e,
	    "%" PRIu64 "/%" PRIu64 "/%" PRIu64
	    " requests for mbufs denied (mbufs/clusters/mbuf+clusters)\n",
	    st.class[M_CLASS_CLONE].denied, st.class[M_CLASS_2K].denied, st.too_long);
	emit_text(e, "0/%" PRIu64 "/%" PRIu64 " requests for jumbo clusters denied (4k/9k/64k)\n",
	    st.class[M_CLASS_10K].denied, st.class[M_CLASS_64K].denied);
	emit_text(e, "0/0/0 sfbufs in use (current/peak/max)\n");
	emit_text(e, "0 requests for sfbufs denied\n0 requests for sfbufs delayed\n");
	emit_text(
	    e, "0 requests for I/O initiated by sendfile\n0 calls to protocol drain routines\n");

	emit_object(e, "mbuf");
	emit_uint(e, "current", NULL, used);
	emit_uint(e, "cache", NULL, cached);
	emit_uint(e, "bytes", NULL, st.bytes);
	emit_uint(e, "limit-bytes", NULL, st.limit_bytes);
	emit_uint(e, "too-long", NULL, st.too_long);
	emit_list(e, "class");
	for (int i = 0; i < M_NCLASSES; i++) {
		emit_object(e, NULL);
		emit_uint(e, "buffer-bytes", NULL, st.class[i].buf_bytes);
		emit_uint(e, "current", NULL, st.class[i].in_use);
		emit_uint(e, "cache", NULL, st.class[i].cached);
		emit_uint(e, "denied", NULL, st.class[i].denied);
		emit_end(e);
	}
	emit_end(e);
	emit_end(e);
	return 0;
}
NETSTAT_IMAGE_MODE_DEFINE(mbufs, 'm', "mbuf", netstat_mbufs);
