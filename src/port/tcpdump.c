/*
 * tcpdump.c - the verb `tcpdump`: a line for each packet of an interface, or a pcapng stream of
 * them.
 *
 * Both are captures (capture.c), which filter, hold back, sort and count; here are words and lines.
 * Decoding is one line; whoever wants more pipes: warren tcpdump -i em0 -w - | tcpdump -v -r -
 */
#include "port/pcap.h"

#include "kern/jail.h"
#include "kern/verb.h"
#include "net/ethernet.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_ROOM = 512, SNAPLEN_MAX = 262144, EXIT_FAILED = 1 };

/* -t once, twice, … */
enum time_form {
	TIME_OF_DAY,
	TIME_NONE,
	TIME_EPOCH,
	TIME_DELTA,
	TIME_DATE,
	TIME_SINCE_FIRST,
	TIME_FORMS
};

/* -x, -xx, -X, -XX */
enum dump_form { DUMP_NONE = 0, DUMP_HEX = 1, DUMP_LINK = 2, DUMP_ASCII = 4 };

struct tcpdump {
	struct verb_run *v;
	struct capture *cap;
	uint64_t first_ns, last_ns;
	enum time_form time;
	unsigned dump; /* enum dump_form */
	bool lines, link, any, begun;
};

/* --- lines --------------------------------------------------------------- */

static void
say_clock(struct emitter *e, uint64_t ns)
{
	uint64_t s = ns / NS_PER_SEC;

	emit_text(e, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64 " ", s / 3600,
	    s / 60 % 60, s % 60, ns % NS_PER_SEC / NS_PER_US);
}

/* Dates and times of day are UTC: the same everywhere. */
static void
say_time(const struct tcpdump *t, uint64_t when_ns)
{
	struct emitter *e = t->v->out;
	uint64_t at = clock_epoch_ns() + when_ns;
	time_t s = (time_t)(at / NS_PER_SEC);
	struct tm tm;

	switch (t->time) {
	case TIME_NONE:
	case TIME_FORMS:
		break;
	case TIME_DATE:
		gmtime_r(&s, &tm);
		emit_text(e, "%04d-%02d-%02d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
		say_clock(e, at % (86400 * NS_PER_SEC));
		break;
	case TIME_OF_DAY:
		say_clock(e, at % (86400 * NS_PER_SEC));
		break;
	case TIME_EPOCH:
		emit_text(
		    e, "%" PRIu64 ".%06" PRIu64 " ", at / NS_PER_SEC, at % NS_PER_SEC / NS_PER_US);
		break;
	case TIME_DELTA:
		say_clock(e, when_ns - t->last_ns);
		break;
	case TIME_SINCE_FIRST:
		say_clock(e, when_ns - t->first_ns);
		break;
	}
}

static void
say_bytes(struct emitter *e, const uint8_t *p, uint32_t len, bool ascii)
{
	for (uint32_t at = 0; at < len; at += 16) {
		char hex[16 * 5 / 2 + 1] = "", text[17] = "";
		uint32_t n = len - at < 16 ? len - at : 16;
		size_t used = 0;

		for (uint32_t i = 0; i < n; i++) {
			used += (size_t)snprintf(hex + used, sizeof(hex) - used,
			    i % 2 == 0 ? " %02x" : "%02x", p[at + i]);
			text[i] = p[at + i] > ' ' && p[at + i] < 0x7f ? (char)p[at + i] : '.';
		}
		if (ascii)
			emit_text(e, "\t0x%04x: %-40s  %s\n", at, hex, text);
		else
			emit_text(e, "\t0x%04x: %s\n", at, hex);
	}
}

static void
say_dump(const struct tcpdump *t, const struct capture_packet *p)
{
	uint32_t skip = t->dump & DUMP_LINK ? 0 : p->dlt == DLT_EN10MB ? ETHER_HDR_LEN_ : 4;

	if (t->dump != DUMP_NONE && skip < p->caplen)
		say_bytes(t->v->out, p->frame + skip, p->caplen - skip, t->dump & DUMP_ASCII);
}

static void
say_link(struct emitter *e, const struct capture_packet *p)
{
	char src[18], dst[18];

	if (p->dlt == DLT_EN10MB && p->caplen >= ETHER_HDR_LEN_)
		emit_text(e,
		    "%s > %s, ethertype 0x%02x%02x, length %u: ", ether_ntoa_(p->frame + 6, src),
		    ether_ntoa_(p->frame, dst), p->frame[12], p->frame[13], p->wirelen);
}

static void
say_packet(void *ctx, const struct capture_packet *p)
{
	struct tcpdump *t = ctx;
	struct emitter *e = t->v->out;
	char line[LINE_ROOM];

	if (!t->begun)
		t->first_ns = t->last_ns = p->when_ns;
	t->begun = true;
	packet_line(line, sizeof(line), p->dlt, p->frame, p->caplen, p->wirelen);
	emit_object(e, NULL);
	emit_uint(e, "time-ns", NULL, clock_epoch_ns() + p->when_ns);
	say_time(t, p->when_ns);
	emit_str(e, "interface", t->any ? "%s " : NULL, p->ifname);
	emit_str(e, "direction", t->any ? "%-3s " : NULL, p->dir == BPF_IN ? "In" : "Out");
	emit_uint(e, "length", NULL, p->wirelen);
	if (t->link)
		say_link(e, p);
	emit_str(e, "text", "%s", line);
	if (p->comment != NULL)
		emit_str(e, "comment", " [%s]", p->comment);
	emit_text(e, "\n");
	say_dump(t, p);
	emit_end(e);
	emit_flush(e);
	t->last_ns = p->when_ns;
}

static void
say_stream(void *ctx, const void *bytes, size_t len)
{
	struct tcpdump *t = ctx;

	emit_bytes(t->v->out, bytes, len);
	emit_flush(t->v->out);
}

/* --- the run ------------------------------------------------------------- */

/* ^C, or enough, or nothing left to listen to: say how it went. */
static void
tcpdump_end(struct verb_run *v)
{
	struct tcpdump *t = v->state;
	uint64_t seen, captured, dropped;
	char text[160];
	int n, error;

	capture_counts(t->cap, &seen, &captured, &dropped);
	error = capture_free(t->cap);
	if (t->lines)
		emit_end(v->out);
	free(t);
	v->state = NULL;
	n = snprintf(text, sizeof(text),
	    "%" PRIu64 " packet%s captured\n%" PRIu64 " packet%s received by filter\n%" PRIu64
	    " packet%s dropped by kernel\n",
	    captured, captured == 1 ? "" : "s", seen, seen == 1 ? "" : "s", dropped,
	    dropped == 1 ? "" : "s");
	v->err(v->ctx, text, (size_t)n);
	if (error != 0)
		verb_error(v, EXIT_FAILED, "the file is not complete: %s", strerror(-error));
	verb_finish(v, error != 0 ? EXIT_FAILED : 0);
}

static void
tcpdump_over(void *ctx)
{
	struct tcpdump *t = ctx;
	VNET_SCOPE(t->v->vnet);

	tcpdump_end(t->v);
}

struct tcpdump_words {
	const char *ifname, *file;
	char filter[4096];
	struct tcpdump t;
	struct capture_config c;
	bool code; /* -d: print the filter's program */
};

/* Is it one of those asked for? Without a name: the first that is up and no loopback. */
static bool
tcpdump_takes(const struct tcpdump_words *w, const struct ifnet *ifp)
{
	if (w->ifname == NULL)
		return (ifp->if_flags & IFF_UP_) && !(ifp->if_flags & IFF_LOOPBACK_);
	return w->t.any || strcmp(ifp->if_xname, w->ifname) == 0;
}

static struct ifnet *
tcpdump_first(const struct tcpdump_words *w)
{
	struct ifnet *ifp;

	IF_FOREACH(ifp)
		if (tcpdump_takes(w, ifp))
			return ifp;
	return NULL;
}

static int
tcpdump_no_device(struct verb_run *v, const struct tcpdump_words *w)
{
	if (w->ifname == NULL || w->t.any)
		return verb_error(v, EXIT_FAILED, "no suitable device found");
	return verb_error(v, EXIT_FAILED, "%s: No such device exists", w->ifname);
}

/* -d: the program of the filter, as libpcap writes it. */
static int
tcpdump_code(struct verb_run *v, const struct tcpdump_words *w, int dlt)
{
	char why[PCAP_ERRBUF_SIZE];
	struct bpf_program prog;

	if (!capture_compile(dlt, w->filter, &prog, why))
		return verb_error(v, EXIT_FAILED, "%s", why);
	emit_list(v->out, "instruction");
	for (unsigned i = 0; i < prog.bf_len; i++) {
		emit_object(v->out, NULL);
		emit_str(v->out, "text", "%s\n", bpf_image(&prog.bf_insns[i], (int)i));
		emit_end(v->out);
	}
	emit_end(v->out);
	pcap_freecode(&prog);
	return 0;
}

/* Everything is checked before a file is made. */
static int
tcpdump_start(struct verb_run *v, struct tcpdump_words *w)
{
	struct ifnet *ifp = tcpdump_first(w);
	struct bpf_program prog;
	struct tcpdump *t;
	char reason[PCAP_ERRBUF_SIZE];
	const char *why;
	int error = 0;

	if (ifp == NULL)
		return tcpdump_no_device(v, w);
	if (w->code)
		return tcpdump_code(v, w, bpf_dlt(ifp));
	if (!w->t.any && w->filter[0] != '\0') {
		if (!capture_compile(bpf_dlt(ifp), w->filter, &prog, reason))
			return verb_error(v, EXIT_FAILED, "%s", reason);
		pcap_freecode(&prog);
	}
	if ((t = malloc(sizeof(*t))) == NULL)
		return verb_error(v, EXIT_FAILED, "%s", strerror(ENOMEM));
	*t = w->t;
	t->v = v;
	t->lines = w->file == NULL;
	w->c.ctx = t;
	w->c.file = w->file;
	w->c.filter = w->filter;
	w->c.flush = true;
	w->c.over = tcpdump_over;
	if (t->lines)
		w->c.packet = say_packet;
	else if (strcmp(w->file, "-") == 0)
		w->c.sink = say_stream;
	if ((t->cap = capture_new(&w->c, &why)) == NULL) {
		free(t);
		return verb_error(v, EXIT_FAILED, "%s", why);
	}
	for (; ifp != NULL && error == 0; ifp = TAILQ_NEXT(ifp, if_link)) {
		if (tcpdump_takes(w, ifp))
			error = capture_add(t->cap, ifp);
		if (!w->t.any)
			break;
	}
	if (error != 0) {
		capture_free(t->cap);
		free(t);
		return verb_error(v, EXIT_FAILED, "%s", strerror(-error));
	}
	if (t->lines)
		emit_list(v->out, "packet");
	v->state = t;
	v->cancel = tcpdump_end;
	return VERB_PENDING;
}

static int
tcpdump_list(struct verb_run *v)
{
	struct ifnet *ifp;
	uint64_t n = 0;

	emit_list(v->out, "interface");
	IF_FOREACH(ifp) {
		emit_object(v->out, NULL);
		emit_uint(v->out, "number", "%" PRIu64 ".", ++n);
		emit_str(v->out, "name", "%s", ifp->if_xname);
		emit_text(v->out, "%s%s\n", ifp->if_flags & IFF_UP_ ? " [Up]" : "",
		    ifp->if_flags & IFF_LOOPBACK_ ? " [Loopback]" : "");
		emit_bool(v->out, "up", ifp->if_flags & IFF_UP_);
		emit_end(v->out);
	}
	emit_end(v->out);
	return 0;
}

/* The words behind the options are one expression. */
static int
tcpdump_filter(struct verb_run *v, struct tcpdump_words *w, int first)
{
	size_t len = 0;

	for (int i = first; i < v->argc; i++) {
		len += (size_t)snprintf(w->filter + len, sizeof(w->filter) - len, "%s%s",
		    i > first ? " " : "", v->argv[i]);
		if (len >= sizeof(w->filter))
			return verb_error(v, EXIT_FAILED, "filter expression is too long");
	}
	return 0;
}

static int
tcpdump_direction(struct verb_run *v, struct tcpdump_words *w, const char *word)
{
	if (strcmp(word, "in") == 0)
		w->c.only = 1 + BPF_IN;
	else if (strcmp(word, "out") == 0)
		w->c.only = 1 + BPF_OUT;
	else if (strcmp(word, "inout") == 0)
		w->c.only = 0;
	else
		return verb_error(v, EXIT_FAILED, "unknown capture direction '%s'", word);
	return 0;
}

/* One option. 0, or an exit status. */
static int
tcpdump_option(struct verb_run *v, struct tcpdump_words *w, int c, const char *arg)
{
	uint64_t number;

	switch (c) {
	case 'd':
		w->code = true;
		break;
	case 'e':
		w->t.link = true;
		break;
	case 'i':
		w->ifname = arg;
		w->t.any = w->c.as_ethernet = strcmp(arg, "any") == 0;
		break;
	case 'k':
		w->c.drops = true;
		break;
	case 'w':
		w->file = arg;
		break;
	case 'x':
	case 'X':
		if (w->t.dump & (c == 'x' ? DUMP_HEX : DUMP_ASCII))
			w->t.dump |= DUMP_LINK;
		w->t.dump |= c == 'x' ? DUMP_HEX : DUMP_ASCII;
		break;
	case 't':
		if (++w->t.time == TIME_FORMS)
			return verb_usage(v, "too many -t");
		break;
	case 'l':
	case 'n':
	case 'p':
	case 'U':
		break; /* always so */
	case 'c':
		if (!verb_number(arg, 1, UINT64_MAX, &w->c.max_packets))
			return verb_error(v, EXIT_FAILED, "invalid packet count %s", arg);
		break;
	case 'Q':
		return tcpdump_direction(v, w, arg);
	case 's':
		if (!verb_number(arg, 0, SNAPLEN_MAX, &number))
			return verb_error(v, EXIT_FAILED, "invalid snaplen %s", arg);
		w->c.snaplen = (uint32_t)number;
		break;
	default:
		return verb_usage(v, NULL);
	}
	return 0;
}

static int
tcpdump_run(struct verb_run *v)
{
	struct tcpdump_words w = { 0 };
	struct verb_opts o;
	int c, status;

	verb_opts_init(&o, v, v->argc, v->argv, "Dc:dei:klnpQ:s:tUw:xX");
	while ((c = verb_opts_next(&o)) != -1) {
		if (c == 'D')
			return tcpdump_list(v);
		if ((status = tcpdump_option(v, &w, c, o.arg)) != 0)
			return status;
	}
	if ((status = tcpdump_filter(v, &w, o.ind)) != 0)
		return status;
	if (w.file != NULL && strcmp(w.file, "-") == 0 && emitter_form(v->out) == EMIT_JSON)
		return verb_error(v, EXIT_FAILED, "-w - is pcapng, not JSON");
	if (priv_check(PRIV_NET_RAW) != 0)
		return verb_error(v, EXIT_FAILED, "%s", strerror(EPERM));
	return tcpdump_start(v, &w);
}

VERB_DEFINE(tcpdump, .name = "tcpdump", .run = tcpdump_run,
    .usage = "tcpdump [-deklnpUxX] [-t[tttt]] [-c count] [-i interface|any] [-Q in|out|inout]\n"
	     "        [-s snaplen] [-w file|-] [expression]\n"
	     "tcpdump -D",
    .summary = "show the packets of an interface, or write them as pcapng",
    .flags = VERB_UNPRIVILEGED);
