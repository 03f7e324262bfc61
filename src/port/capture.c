/*
 * capture.c - what passes interfaces, filtered, in order of time, as pcapng.
 *
 * A tap copies a frame into a record; in virtual time records wait until capture_flush says that the
 * scheduler has passed their time, then go out sorted by (time, order of arrival), since one window of the scheduler does a
 * stack's packets before its neighbour's. A packet that the stack drops while its record waits gets the reason as
 * comment on that record; one whose record is gone already (live captures, packets that waited long) is written once more
 * with the comment.
 */
#include "port/pcap.h"

#include "base/clock.h"
#include "base/log.h"
#include "kern/drop.h"
#include "net/ethernet.h"
#include "port/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum { SNAPLEN_DEFAULT = 262144, COMMENT_MAX = 160, DLT_NULL_HDR = 4 };

struct record {
	uint64_t when_ns, seq;
	const struct mbuf *key; /* whose record this is, for comments; meaningful while pending */
	char *comment;
	uint32_t iface, caplen, wirelen;
	enum bpf_dir dir;
	bool written;
	UT_hash_handle hh;	/* by key: the packet's latest record */
	uint8_t bytes[];
};

struct capture_if {
	struct bpf_listener listener;
	struct capture *cap;
	struct capture_if *next;
	uint32_t id;
	int dlt;
	bool attached;
	bool has_filter;
	struct bpf_program filter;
};

struct capture {
	int fd;			/* -1: sink */
	void (*sink)(void *ctx, const void *bytes, size_t len);
	void *ctx;
	char *filter;
	uint32_t snaplen;
	uint64_t max_packets;
	bool drops, flush;
	int error;		/* of the first write that failed, negative */
	struct capture_if *ifs, **ifs_tail;
	uint32_t nifs;
	struct record **pending;
	size_t npending, room;
	struct record *latest;	/* hash by mbuf */
	uint64_t seq, seen, written, dropped;
	struct pcapng_buf buf;
};

static void
capture_put(struct capture *cap)
{
	const uint8_t *p = cap->buf.bytes;
	size_t left = cap->buf.len;

	if (cap->fd < 0) {
		cap->sink(cap->ctx, p, left);
		left = 0;
	}
	while (left > 0 && cap->error == 0) {
		ssize_t n = write(cap->fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			cap->error = -errno;
			log_msg(LOG_LVL_ERR, "capture: write: %s", strerror(errno));
			break;
		}
		p += n;
		left -= (size_t)n;
	}
	cap->buf.len = 0;
}

static void
record_free(struct capture *cap, struct record *r)
{
	struct record *latest;

	if (r->key != NULL) {
		HASH_FIND_PTR(cap->latest, &r->key, latest);
		if (latest == r)
			HASH_DEL(cap->latest, r);
	}
	free(r->comment);
	free(r);
}

static void
record_write(struct capture *cap, const struct record *r)
{
	const struct pcapng_packet p = {
		.iface = r->iface,
		.when_ns = clock_epoch_ns() + r->when_ns,
		.bytes = r->bytes,
		.caplen = r->caplen,
		.wirelen = r->wirelen,
		.inbound = r->dir == BPF_IN,
		.comment = r->comment,
	};

	pcapng_put_packet(&cap->buf, &p);
	cap->written++;
	if (cap->buf.len > (1 << 18))
		capture_put(cap);
}

static int
record_order(const void *a, const void *b)
{
	const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;

	if (x->when_ns != y->when_ns)
		return x->when_ns < y->when_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void
capture_flush(struct capture *cap, uint64_t before_ns)
{
	size_t n = 0;

	if (cap->npending > 0) {
		qsort(cap->pending, cap->npending, sizeof(*cap->pending), record_order);
		while (n < cap->npending && cap->pending[n]->when_ns < before_ns) {
			record_write(cap, cap->pending[n]);
			record_free(cap, cap->pending[n]);
			n++;
		}
		cap->npending -= n;
		memmove(cap->pending, cap->pending + n, cap->npending * sizeof(*cap->pending));
	}
	if (cap->buf.len > 0)
		capture_put(cap);
}

/* Keep a record until it is certain to be next; live: write it now. */
static void
record_add(struct capture *cap, struct record *r)
{
	struct record *old;

	r->seq = cap->seq++;
	if (curworker->mode == CLOCK_LIVE) {
		record_write(cap, r);
		record_free(cap, r);
		if (cap->flush)
			capture_put(cap);
		return;
	}
	if (cap->npending == cap->room) {
		size_t room = cap->room != 0 ? cap->room * 2 : 256;
		struct record **p = realloc(cap->pending, room * sizeof(*p));

		if (p == NULL) {
			cap->dropped++;
			record_free(cap, r);
			return;
		}
		cap->pending = p;
		cap->room = room;
	}
	cap->pending[cap->npending++] = r;
	if (cap->drops && r->key != NULL) {
		HASH_FIND_PTR(cap->latest, &r->key, old);
		if (old != NULL) {
			HASH_DEL(cap->latest, old);
			old->key = NULL;
		}
		HASH_ADD_PTR(cap->latest, key, r);
	}
}

/* A record of a frame; DLT_NULL frames get their four bytes of family. NULL without memory (counted). */
static struct record *
record_new(struct capture_if *ci, uint64_t when_ns, const uint8_t *frame, uint32_t len,
    enum bpf_dir dir)
{
	struct capture *cap = ci->cap;
	uint32_t prefix = ci->dlt == DLT_NULL ? DLT_NULL_HDR : 0;
	uint32_t wirelen = len + prefix;
	uint32_t caplen = wirelen < cap->snaplen ? wirelen : cap->snaplen;
	struct record *r = malloc(sizeof(*r) + wirelen);
	uint32_t family;

	if (r == NULL) {
		cap->dropped++;
		return NULL;
	}
	*r = (struct record){
		.when_ns = when_ns, .iface = ci->id, .caplen = caplen, .wirelen = wirelen, .dir = dir
	};
	if (prefix != 0) {
		/* BSD's numbers of the families, in host order */
		family = len > 0 && frame[0] >> 4 == 6 ? 30 : 2;
		memcpy(r->bytes, &family, sizeof(family));
	}
	memcpy(r->bytes + prefix, frame, len);
	return r;
}

static bool
record_passes(const struct capture_if *ci, const struct record *r)
{
	const struct pcap_pkthdr h = { .caplen = r->wirelen, .len = r->wirelen };

	return !ci->has_filter || pcap_offline_filter(&ci->filter, &h, r->bytes) != 0;
}

static bool
capture_is_full(const struct capture *cap)
{
	return cap->max_packets != 0 && cap->written + cap->npending >= cap->max_packets;
}

static void
capture_tap(struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir)
{
	struct capture_if *ci = (struct capture_if *)(void *)l;
	struct capture *cap = ci->cap;
	struct record *r;

	(void)ifp;
	cap->seen++;
	if (capture_is_full(cap) || (r = record_new(ci, m->when_ns, m->data, m->len, dir)) == NULL)
		return;
	if (!record_passes(ci, r)) {
		record_free(cap, r);
		return;
	}
	r->key = m;
	record_add(cap, r);
}

static void
capture_gone(struct bpf_listener *l, struct ifnet *ifp)
{
	(void)ifp;
	((struct capture_if *)(void *)l)->attached = false;
}

/* The frame of a dropped packet whose record is gone: the layer's bytes behind a link header as it may have been. */
static struct record *
record_of_drop(struct capture_if *ci, const struct mbuf *m)
{
	struct ifnet *ifp = ci->listener.ifp;
	struct ether_header_ eh = { .type = to_be16(ETHERTYPE_IP_) };
	struct record *r;
	uint8_t *frame;

	if (ci->dlt == DLT_NULL)
		return record_new(ci, clock_now(), m->data, m->len, BPF_IN);
	if ((frame = malloc(sizeof(eh) + m->len)) == NULL)
		return NULL;
	memcpy(eh.dst, ifp->if_lladdr, sizeof(eh.dst));
	if (m->len > 0 && m->data[0] >> 4 == 6)
		eh.type = to_be16(ETHERTYPE_IPV6_);
	memcpy(frame, &eh, sizeof(eh));
	memcpy(frame + sizeof(eh), m->data, m->len);
	r = record_new(ci, clock_now(), frame, m->len + (uint32_t)sizeof(eh), BPF_IN);
	free(frame);
	return r;
}

/* A packet is about to be freed: say why on its record. */
static void
capture_drop(void *ctx, const struct mbuf *m, const struct drop_reason *why)
{
	struct capture *cap = ctx;
	struct capture_if *ci;
	struct record *r = NULL;
	char comment[COMMENT_MAX];

	if (m == NULL)
		return;
	snprintf(comment, sizeof(comment), "dropped by %s: %s.%s: %s", vnet_name(curvnet),
	    why->layer, why->name, why->text);
	HASH_FIND_PTR(cap->latest, &m, r);
	if (r != NULL && r->when_ns == m->when_ns && r->comment == NULL) {
		r->comment = strdup(comment);
		return;
	}
	if (m->rcvif == NULL || capture_is_full(cap) || strcmp(why->layer, "ether") == 0)
		return;
	for (ci = cap->ifs; ci != NULL; ci = ci->next)
		if (ci->attached && ci->listener.ifp == m->rcvif)
			break;
	if (ci == NULL || (r = record_of_drop(ci, m)) == NULL)
		return;
	if (!record_passes(ci, r)) {
		record_free(cap, r);
		return;
	}
	r->comment = strdup(comment);
	record_add(cap, r);
}

/* Can the filter be compiled at all? Said before a file is made. */
static bool
filter_is_good(const char *filter, const char **why)
{
	static char text[256];
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, SNAPLEN_DEFAULT);
	struct bpf_program prog;
	bool good = dead != NULL && pcap_compile(dead, &prog, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;

	if (good)
		pcap_freecode(&prog);
	else
		snprintf(text, sizeof(text), "filter \"%s\": %s", filter,
		    dead != NULL ? pcap_geterr(dead) : "no memory");
	if (dead != NULL)
		pcap_close(dead);
	*why = text;
	return good;
}

struct capture *
capture_new(const struct capture_config *c, const char **why)
{
	static char text[512];
	struct capture *cap;

	if (c->filter != NULL && c->filter[0] != '\0' && !filter_is_good(c->filter, why))
		return NULL;
	*why = "no memory";
	if ((cap = calloc(1, sizeof(*cap))) == NULL)
		return NULL;
	cap->fd = -1;
	cap->sink = c->sink;
	cap->ctx = c->ctx;
	cap->snaplen = c->snaplen != 0 ? c->snaplen : SNAPLEN_DEFAULT;
	cap->max_packets = c->max_packets;
	cap->drops = c->drops;
	cap->flush = c->flush;
	cap->ifs_tail = &cap->ifs;
	if (c->filter != NULL && c->filter[0] != '\0')
		cap->filter = strdup(c->filter);
	if (cap->sink == NULL) {
		cap->fd = open(c->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (cap->fd < 0) {
			snprintf(text, sizeof(text), "%s: %s", c->file, strerror(errno));
			*why = text;
			free(cap->filter);
			free(cap);
			return NULL;
		}
	}
	if (cap->drops && drop_trace_add(capture_drop, cap) != 0)
		log_msg(LOG_LVL_WARNING, "capture: too many drop tracers: drops get no comment");
	pcapng_put_section(&cap->buf);
	return cap;
}

static int
capture_compile(struct capture_if *ci)
{
	pcap_t *dead;
	int error = 0;

	if (ci->cap->filter == NULL)
		return 0;
	if ((dead = pcap_open_dead(ci->dlt, SNAPLEN_DEFAULT)) == NULL)
		return -ENOMEM;
	/* an Ethernet-only word ("ether host") on a loopback interface matches nothing there */
	if (pcap_compile(dead, &ci->filter, ci->cap->filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		error = -EINVAL;
	ci->has_filter = error == 0;
	pcap_close(dead);
	return error;
}

static void
capture_if_free(struct capture_if *ci)
{
	if (ci->attached)
		bpf_detach(&ci->listener);
	if (ci->has_filter)
		pcap_freecode(&ci->filter);
	free(ci);
}

int
capture_add(struct capture *cap, struct ifnet *ifp)
{
	struct capture_if *ci = calloc(1, sizeof(*ci));
	char name[128];
	int error;

	if (ci == NULL)
		return -ENOMEM;
	ci->cap = cap;
	ci->dlt = bpf_dlt(ifp);
	ci->listener.tap = capture_tap;
	ci->listener.gone = capture_gone;
	if ((error = capture_compile(ci)) == 0) {
		error = bpf_attach(&ci->listener, ifp);
		ci->attached = error == 0;
	}
	if (error != 0) {
		capture_if_free(ci);
		return error;
	}
	ci->id = cap->nifs++;
	*cap->ifs_tail = ci;
	cap->ifs_tail = &ci->next;
	snprintf(name, sizeof(name), "%s:%s", vnet_name(ifp->if_vnet), ifp->if_xname);
	pcapng_put_interface(&cap->buf, name, (uint16_t)ci->dlt, cap->snaplen, cap->filter);
	return 0;
}

void
capture_counts(const struct capture *cap, uint64_t *seen, uint64_t *written, uint64_t *dropped)
{
	*seen = cap->seen;
	*written = cap->written + cap->npending;
	*dropped = cap->dropped;
}

int
capture_free(struct capture *cap)
{
	struct capture_if *ci;
	int error;

	if (cap->drops)
		drop_trace_remove(capture_drop, cap);
	capture_flush(cap, NS_NEVER);
	while ((ci = cap->ifs) != NULL) {
		cap->ifs = ci->next;
		capture_if_free(ci);
	}
	if (cap->fd >= 0 && close(cap->fd) != 0 && cap->error == 0)
		cap->error = -errno;
	error = cap->error;
	pcapng_buf_free(&cap->buf);
	free(cap->pending);
	free(cap->filter);
	free(cap);
	return error;
}
