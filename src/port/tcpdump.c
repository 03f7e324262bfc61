/*
 * tcpdump.c - the verb `tcpdump`: a line for each packet of an interface, or a pcapng stream of them.
 *
 * Decoding here is one line; whoever wants more pipes: warren tcpdump -i em0 -w - | tcpdump -v -r -
 */
#include "port/pcap.h"

#include "base/callout.h"
#include "kern/jail.h"
#include "kern/verb.h"
#include "net/ethernet.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_ = 512, WIRE_MAX = M_MAXLEN + 4 };

/* How often a capture into a file looks whether it has enough. */
#define ENOUGH_CHECK_NS (20 * NS_PER_MS)

enum time_form { TIME_OF_DAY, TIME_NONE, TIME_EPOCH, TIME_DELTA, TIME_DATE, TIME_SINCE_FIRST, TIME_FORMS };

struct tcpdump {
	struct verb_run *v;
	struct capture *cap;	/* -w; NULL = lines */
	struct tcpdump_if *ifs;
	uint64_t limit, captured, seen;
	uint64_t first_ns, last_ns;
	struct callout end;
	enum time_form time;
	bool link, hex, several, ended;
};

struct tcpdump_if {
	struct bpf_listener listener;
	struct tcpdump *t;
	struct tcpdump_if *next;
	struct bpf_program filter;
	bool has_filter, attached;
	int dlt;
};

static void
tcpdump_free(struct tcpdump *t)
{
	struct tcpdump_if *ti;

	callout_drain(&t->end);
	while ((ti = t->ifs) != NULL) {
		t->ifs = ti->next;
		if (ti->attached)
			bpf_detach(&ti->listener);
		if (ti->has_filter)
			pcap_freecode(&ti->filter);
		free(ti);
	}
	if (t->cap != NULL)
		capture_free(t->cap);
	free(t);
}

/* ^C, or enough: say how it went. */
static void
tcpdump_end(struct verb_run *v)
{
	struct tcpdump *t = v->state;
	uint64_t dropped = 0;
	char text[160];
	int n;

	if (t->cap != NULL)
		capture_counts(t->cap, &t->seen, &t->captured, &dropped);
	n = snprintf(text, sizeof(text),
	    "%" PRIu64 " packets captured\n%" PRIu64 " packets received by filter\n%" PRIu64
	    " packets dropped by kernel\n", t->captured, t->seen, dropped);
	tcpdump_free(t);
	v->err(v->ctx, text, (size_t)n);
	verb_finish(v, 0);
}

/* The number of packets asked for is there, or (a capture into a file) may be there. */
static void
tcpdump_enough(void *arg)
{
	struct tcpdump *t = arg;
	uint64_t seen, written = 0, dropped;

	if (t->cap != NULL)
		capture_counts(t->cap, &seen, &written, &dropped);
	if (t->ended || written >= t->limit)
		tcpdump_end(t->v);
	else
		callout_reset(&t->end, ENOUGH_CHECK_NS);
}

static void
say_time(struct tcpdump *t, uint64_t when_ns)
{
	struct emitter *e = t->v->out;
	uint64_t at = clock_epoch_ns() + when_ns, since;
	uint64_t s = at / NS_PER_SEC, us = at % NS_PER_SEC / 1000;

	switch (t->time) {
	case TIME_NONE:
	case TIME_FORMS:
		break;
	case TIME_OF_DAY:
	case TIME_DATE:
		emit_text(e, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64 " ",
		    s / 3600 % 24, s / 60 % 60, s % 60, us);
		break;
	case TIME_EPOCH:
		emit_text(e, "%" PRIu64 ".%06" PRIu64 " ", s, us);
		break;
	case TIME_DELTA:
	case TIME_SINCE_FIRST:
		since = when_ns - (t->time == TIME_DELTA ? t->last_ns : t->first_ns);
		emit_text(e, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64 " ",
		    since / NS_PER_SEC / 3600, since / NS_PER_SEC / 60 % 60, since / NS_PER_SEC % 60,
		    since % NS_PER_SEC / 1000);
		break;
	}
}

static void
say_hex(struct emitter *e, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i += 2) {
		if (i % 16 == 0)
			emit_text(e, "%s\t0x%04x: ", i > 0 ? "\n" : "", i);
		emit_text(e, i + 1 < len ? " %02x%02x" : " %02x", p[i], i + 1 < len ? p[i + 1] : 0);
	}
	if (len > 0)
		emit_text(e, "\n");
}

static void
say_packet(struct tcpdump *t, const struct tcpdump_if *ti, uint64_t when_ns, const uint8_t *frame,
    uint32_t len, enum bpf_dir dir)
{
	struct emitter *e = t->v->out;
	char line[LINE_MAX_], src[18], dst[18];

	if (t->captured == 0)
		t->first_ns = t->last_ns = when_ns;
	packet_line(line, sizeof(line), ti->dlt, frame, len, len);
	emit_object(e, NULL);
	emit_uint(e, "time-ns", NULL, clock_epoch_ns() + when_ns);
	say_time(t, when_ns);
	emit_str(e, "interface", t->several ? "%s " : NULL, ti->listener.ifp->if_xname);
	emit_str(e, "direction", t->several ? "%-3s " : NULL, dir == BPF_IN ? "In" : "Out");
	emit_uint(e, "length", NULL, len);
	if (t->link && ti->dlt == DLT_EN10MB && len >= 14)
		emit_text(e, "%s > %s, ethertype 0x%02x%02x, length %u: ", ether_ntoa_(frame + 6, src),
		    ether_ntoa_(frame, dst), frame[12], frame[13], len);
	emit_str(e, "text", "%s\n", line);
	if (t->hex)
		say_hex(e, frame, len);
	emit_end(e);
	emit_flush(e);
	t->last_ns = when_ns;
}

static void
tcpdump_tap(struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir)
{
	struct tcpdump_if *ti = (struct tcpdump_if *)(void *)l;
	struct tcpdump *t = ti->t;
	uint8_t with_family[WIRE_MAX];
	const uint8_t *frame = m->data;
	uint32_t len = m->len, family = len > 0 && frame[0] >> 4 == 6 ? 30 : 2;
	struct pcap_pkthdr h;

	(void)ifp;
	if (t->ended)
		return;
	if (ti->dlt == DLT_NULL && len + 4 <= sizeof(with_family)) {
		memcpy(with_family, &family, 4);
		memcpy(with_family + 4, m->data, len);
		frame = with_family;
		len += 4;
	}
	h = (struct pcap_pkthdr){ .caplen = len, .len = len };
	if (ti->has_filter && pcap_offline_filter(&ti->filter, &h, frame) == 0)
		return;
	t->seen++;
	say_packet(t, ti, m->when_ns, frame, len, dir);
	if (++t->captured == t->limit) {
		/* not from inside the tap, whose listener would go under its caller's feet */
		t->ended = true;
		callout_reset(&t->end, CALLOUT_MIN_NS);
	}
}

static void
tcpdump_gone(struct bpf_listener *l, struct ifnet *ifp)
{
	(void)ifp;
	((struct tcpdump_if *)(void *)l)->attached = false;
}

/* Lines from one interface. 0 or an exit status. */
static int
tcpdump_listen(struct tcpdump *t, struct ifnet *ifp, const char *filter)
{
	struct tcpdump_if *ti = calloc(1, sizeof(*ti));
	pcap_t *dead;
	int error;

	if (ti == NULL)
		return verb_error(t->v, 1, "%s", strerror(ENOMEM));
	ti->t = t;
	ti->next = t->ifs;
	t->ifs = ti;
	ti->dlt = bpf_dlt(ifp);
	ti->listener.tap = tcpdump_tap;
	ti->listener.gone = tcpdump_gone;
	if (filter != NULL) {
		if ((dead = pcap_open_dead(ti->dlt, WIRE_MAX)) == NULL)
			return verb_error(t->v, 1, "%s", strerror(ENOMEM));
		if (pcap_compile(dead, &ti->filter, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
			verb_error(t->v, 1, "%s", pcap_geterr(dead));
			pcap_close(dead);
			return 1;
		}
		pcap_close(dead);
		ti->has_filter = true;
	}
	if ((error = bpf_attach(&ti->listener, ifp)) != 0)
		return verb_error(t->v, 1, "%s: %s", ifp->if_xname, strerror(-error));
	ti->attached = true;
	return 0;
}

static void
out_bytes(void *ctx, const void *bytes, size_t len)
{
	struct tcpdump *t = ctx;

	emit_bytes(t->v->out, bytes, len);
	emit_flush(t->v->out);
}

struct tcpdump_words {
	const char *ifname, *file;
	char filter[1024];
	uint32_t snaplen;
	uint64_t limit;
	bool drops;
};

/* One interface, or all for "any"; none given: the first that is up and no loopback. */
static int
tcpdump_start(struct tcpdump *t, const struct tcpdump_words *w)
{
	const char *filter = w->filter[0] != '\0' ? w->filter : NULL, *why;
	struct capture_config c = {
		.file = w->file, .filter = filter, .snaplen = w->snaplen, .max_packets = w->limit,
		.drops = w->drops, .flush = true, .ctx = t,
	};
	struct ifnet *ifp;
	bool any = w->ifname != NULL && strcmp(w->ifname, "any") == 0, found = false;
	int status = 0;

	if (w->file != NULL) {
		if (strcmp(w->file, "-") == 0)
			c.sink = out_bytes;
		if ((t->cap = capture_new(&c, &why)) == NULL)
			return verb_error(t->v, 1, "%s", why);
	}
	t->several = any;
	IF_FOREACH (ifp) {
		if (w->ifname != NULL ? !any && strcmp(ifp->if_xname, w->ifname) != 0 :
		    !(ifp->if_flags & IFF_UP_) || (ifp->if_flags & IFF_LOOPBACK_))
			continue;
		found = true;
		if (t->cap == NULL)
			status = tcpdump_listen(t, ifp, filter);
		else if (capture_add(t->cap, ifp) != 0)
			status = verb_error(t->v, 1, "%s: cannot capture with filter \"%s\"",
			    ifp->if_xname, w->filter);
		if (status != 0 || !any)
			break;
	}
	if (!found)
		return w->ifname != NULL ?
		    verb_error(t->v, 1, "%s: No such device exists", w->ifname) :
		    verb_error(t->v, 1, "no suitable device found");
	return status;
}

static int
tcpdump_list(struct verb_run *v)
{
	struct ifnet *ifp;
	uint64_t n = 0;

	emit_list(v->out, "interface");
	IF_FOREACH (ifp) {
		emit_object(v->out, NULL);
		emit_uint(v->out, "number", "%" PRIu64 ".", ++n);
		emit_str(v->out, "name", "%s\n", ifp->if_xname);
		emit_end(v->out);
	}
	emit_end(v->out);
	return 0;
}

static int
tcpdump_run(struct verb_run *v)
{
	struct tcpdump_words w = { 0 };
	struct tcpdump *t;
	struct verb_opts o;
	uint64_t number;
	int c, status, times = 0;
	bool link = false, hex = false;

	verb_opts_init(&o, v, v->argc, v->argv, "Dc:dei:lnpqs:tUvw:x");
	while ((c = verb_opts_next(&o)) != -1)
		switch (c) {
		case 'D': return tcpdump_list(v);
		case 'd': w.drops = true; break;
		case 'e': link = true; break;
		case 'i': w.ifname = o.arg; break;
		case 'w': w.file = o.arg; break;
		case 'x': hex = true; break;
		case 't': times++; break;
		case 'l': case 'n': case 'p': case 'q': case 'U': case 'v': break;
		case 'c':
			if (!verb_number(o.arg, 1, UINT64_MAX, &w.limit))
				return verb_error(v, 1, "invalid packet count %s", o.arg);
			break;
		case 's':
			if (!verb_number(o.arg, 0, 262144, &number))
				return verb_error(v, 1, "invalid snaplen %s", o.arg);
			w.snaplen = (uint32_t)number;
			break;
		default:
			return verb_usage(v, NULL);
		}
	if (w.drops && w.file == NULL)
		return verb_error(v, 1, "-d writes the reasons of drops into a capture: it needs -w");
	if (times >= TIME_FORMS)
		return verb_usage(v, "too many -t");
	for (int i = o.ind; i < v->argc; i++) {
		size_t len = strlen(w.filter);

		if (len + strlen(v->argv[i]) + 2 > sizeof(w.filter))
			return verb_error(v, 1, "filter expression is too long");
		snprintf(w.filter + len, sizeof(w.filter) - len, "%s%s", len > 0 ? " " : "", v->argv[i]);
	}
	if (priv_check(PRIV_NET_RAW) != 0)
		return verb_error(v, 1, "%s", strerror(EPERM));
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return verb_error(v, 1, "%s", strerror(ENOMEM));
	t->v = v;
	t->limit = w.limit;
	t->time = (enum time_form)times;
	t->link = link;
	t->hex = hex;
	callout_init(&t->end, curvnet, tcpdump_enough, t);
	if ((status = tcpdump_start(t, &w)) != 0) {
		tcpdump_free(t);
		return status;
	}
	if (t->cap == NULL)
		emit_list(v->out, "packet");
	else if (t->limit != 0)
		callout_reset(&t->end, ENOUGH_CHECK_NS);
	v->state = t;
	v->cancel = tcpdump_end;
	return VERB_PENDING;
}

VERB_DEFINE(tcpdump, .name = "tcpdump", .run = tcpdump_run,
    .usage = "tcpdump [-deltx] [-c count] [-i interface|any] [-s snaplen] [-w file|-] [expression]\n"
	     "       tcpdump -D",
    .summary = "show the packets of an interface, or write them as pcapng",
    .flags = VERB_UNPRIVILEGED);
