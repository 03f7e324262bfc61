/*
 * capture.c - what passes interfaces, filtered, in order of time, as pcapng or for a reader of our
 * own.
 *
 *	capture_tap	a frame that the filter lets pass becomes a record
 *	record_add	live: out at once, unless drops are told; else it waits
 *	capture_flush	records whose time is certainly over go out, sorted by (time, interface, order of arrival)
 *
 * Why they wait: one window of the scheduler does a stack's packets before its neighbour's, and
 * inside a stack a batch passes the first tap whole before it comes to the second. Who flushes: the
 * owner (a lab), or with `flush` a timer, since what happened before a callout is complete when it
 * runs.
 *
 * A packet that the stack drops while its record waits gets the reason as comment on that record
 * (its latest, found by a tag on the packet, which goes with the packet); one whose record is gone
 * already (it waited long for a neighbour, say) is written once more with the comment.
 */
#include "port/pcap.h"

#include "base/callout.h"
#include "base/log.h"
#include "kern/drop.h"
#include "net/ethernet.h"
#include "port/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum { SNAPLEN_DEFAULT = 262144, COMMENT_MAX = 200, FRAME_MAX = M_MAXLEN + ETHER_HDR_LEN_ };

/* Bytes that make a write; bytes that a reader (a FIFO's) may be behind. */
enum { WRITE_BYTES = 1 << 18, BEHIND_BYTES = 1 << 24 };

/* With `flush`: how long a record waits at most in virtual time. Live ones wait one callout. */
#define FLUSH_NS (20 * NS_PER_MS)

/* How long the end of a capture waits for a reader that does not read. */
enum { LAST_WRITE_MS = 2000 };

/* Tags of packets: this and the capture's number. */
#define TAG_CAPTURE UINT32_C(0x43000000)

struct record {
	uint64_t when_ns, seq;
	struct capture_if *ci;
	char *comment;
	uint32_t caplen, wirelen;
	enum bpf_dir dir;
	bool is_note;      /* of a drop whose packet has no record (any more) */
	UT_hash_handle hh; /* by seq, while pending, where drops are told */
	uint8_t bytes[];
};

struct capture_if {
	struct bpf_listener listener;
	struct capture *cap;
	struct capture_if *next;
	uint32_t id;
	int dlt;
	bool attached;
	bool bare; /* its packets have no link header */
	enum { PASS_ALL, PASS_FILTER, PASS_NOTHING } pass;
	struct bpf_program filter;
	char name[128]; /* "stack:ifname" */
	char ifname[IFNAMSIZ_];
};

struct capture {
	struct capture_config c; /* its strings are not kept, but for the filter's copy */
	char *filter;
	int fd;    /* -1: sink or packet */
	int error; /* of the first write that failed, negative */
	bool is_over, told;
	struct capture_if *ifs, **ifs_tail;
	uint32_t nifs, attached;
	struct record **pending;
	size_t npending, room;
	struct record *by_seq;
	uint64_t seq, seen, written, dropped;
	uint32_t tag;
	struct callout timer;
	struct pcapng_buf buf;
	uint8_t frame[FRAME_MAX]; /* where a frame gets a header before it */
};

static uint64_t captures_live;
AUDIT_COUNTER(capture, "capture", captures_live);

/* --- out ----------------------------------------------------------------- */

static void
capture_over(struct capture *cap)
{
	if (cap->is_over)
		return;
	cap->is_over = true;
	if (cap->c.over != NULL)
		callout_reset(&cap->timer, CALLOUT_MIN_NS);
}

/* Hand over what is in the buffer. What a slow reader does not take yet stays there. */
static void
capture_put(struct capture *cap)
{
	const uint8_t *p = cap->buf.bytes;
	size_t left = cap->buf.len;

	if (left > 0 && cap->c.sink != NULL) {
		cap->c.sink(cap->c.ctx, p, left);
		left = 0;
	}
	while (left > 0 && cap->error == 0) {
		ssize_t n = write(cap->fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			cap->error = -errno;
			log_msg(LOG_LVL_ERR, "capture: write: %s", strerror(errno));
			capture_over(cap);
			break;
		}
		p += n;
		left -= (size_t)n;
	}
	if (cap->error != 0)
		left = 0;
	if (left > 0)
		memmove(cap->buf.bytes, p, left);
	cap->buf.len = left;
}

static void
record_free(struct record *r)
{
	free(r->comment);
	free(r);
}

static bool
capture_is_full(const struct capture *cap)
{
	return cap->c.max_packets != 0 && cap->written >= cap->c.max_packets;
}

static void
record_hand_over(struct capture *cap, const struct record *r)
{
	const struct capture_packet p = {
		.ifname = r->ci->ifname,
		.dlt = r->ci->dlt,
		.when_ns = r->when_ns,
		.frame = r->bytes,
		.caplen = r->caplen,
		.wirelen = r->wirelen,
		.dir = r->dir,
		.comment = r->comment,
	};

	cap->c.packet(cap->c.ctx, &p);
}

static void
record_put(struct capture *cap, const struct record *r)
{
	const struct pcapng_packet p = {
		.iface = r->ci->id,
		.when_ns = clock_epoch_ns() + r->when_ns,
		.bytes = r->bytes,
		.caplen = r->caplen,
		.wirelen = r->wirelen,
		.inbound = r->dir == BPF_IN,
		.comment = r->comment,
	};

	pcapng_put_packet(&cap->buf, &p);
	if (cap->buf.len > WRITE_BYTES)
		capture_put(cap);
}

/* Takes r. */
static void
record_write(struct capture *cap, struct record *r)
{
	if (capture_is_full(cap)) {
		record_free(r);
		return;
	}
	if (cap->buf.len > BEHIND_BYTES) {
		cap->dropped++;
	} else if (cap->c.packet != NULL) {
		record_hand_over(cap, r);
		cap->written++;
	} else {
		record_put(cap, r);
		if (cap->buf.no_memory)
			cap->dropped++;
		else
			cap->written++;
	}
	record_free(r);
	if (capture_is_full(cap))
		capture_over(cap);
}

/*
 * At one instant, on one interface: what came, what was dropped, what went. How many packets of
 * that instant a batch held would show otherwise.
 */
static int
record_rank(const struct record *r)
{
	return r->is_note ? 1 : r->dir == BPF_IN ? 0 : 2;
}

static int
record_order(const void *a, const void *b)
{
	const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;

	if (x->when_ns != y->when_ns)
		return x->when_ns < y->when_ns ? -1 : 1;
	/* Which of two stacks the scheduler works on first is not part of what happens. */
	if (x->ci->id != y->ci->id)
		return x->ci->id < y->ci->id ? -1 : 1;
	if (record_rank(x) != record_rank(y))
		return record_rank(x) - record_rank(y);
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void
capture_flush(struct capture *cap, uint64_t before_ns)
{
	size_t n = 0;

	if (cap->npending > 1)
		qsort(cap->pending, cap->npending, sizeof(*cap->pending), record_order);
	for (; n < cap->npending && cap->pending[n]->when_ns < before_ns; n++) {
		if (cap->c.drops)
			HASH_DEL(cap->by_seq, cap->pending[n]);
		record_write(cap, cap->pending[n]);
	}
	if (n > 0) {
		cap->npending -= n;
		memmove(cap->pending, cap->pending + n, cap->npending * sizeof(*cap->pending));
	}
	if (cap->buf.len > 0)
		capture_put(cap);
}

/* Live, the packets of this instant were all there before a callout's turn. */
static void
capture_timer(void *arg)
{
	struct capture *cap = arg;
	bool live = curworker->mode == CLOCK_LIVE;

	capture_flush(cap, live ? NS_NEVER : clock_now());
	if ((cap->npending > 0 || cap->buf.len > 0) && !callout_armed(&cap->timer))
		callout_reset(&cap->timer, FLUSH_NS);
	if (cap->is_over && !cap->told) {
		cap->told = true;
		if (cap->c.over != NULL)
			cap->c.over(cap->c.ctx); /* may free cap */
	}
}

/* --- records ------------------------------------------------------------- */

/* Keep a record until it is certain to be next. Takes r. */
static void
record_hold(struct capture *cap, struct record *r)
{
	if (cap->npending == cap->room) {
		size_t room = cap->room != 0 ? cap->room * 2 : 256;
		struct record **p = realloc(cap->pending, room * sizeof(*p));

		if (p == NULL) {
			cap->dropped++;
			record_free(r);
			return;
		}
		cap->pending = p;
		cap->room = room;
	}
	cap->pending[cap->npending++] = r;
	if (cap->c.drops)
		HASH_ADD(hh, cap->by_seq, seq, sizeof(r->seq), r);
}

/* Takes r. */
static void
record_add(struct capture *cap, struct record *r)
{
	bool live = curworker->mode == CLOCK_LIVE;

	r->seq = cap->seq++;
	if (live && !cap->c.drops) {
		record_write(cap, r);
		if (cap->c.flush && cap->buf.len > 0)
			capture_put(cap);
		return;
	}
	record_hold(cap, r);
	if ((live || cap->c.flush) && !callout_armed(&cap->timer))
		callout_reset(&cap->timer, live ? CALLOUT_MIN_NS : FLUSH_NS);
}

static bool
filter_passes(const struct capture_if *ci, const uint8_t *frame, uint32_t len)
{
	const struct pcap_pkthdr h = { .caplen = len, .len = len };

	if (ci->pass != PASS_FILTER)
		return ci->pass == PASS_ALL;
	return pcap_offline_filter(&ci->filter, &h, frame) != 0;
}

/* A record of a complete frame; NULL: the filter says no, or no memory (counted). */
static struct record *
record_new(
    struct capture_if *ci, uint64_t when_ns, const uint8_t *frame, uint32_t len, enum bpf_dir dir)
{
	struct capture *cap = ci->cap;
	uint32_t caplen = len < cap->c.snaplen ? len : cap->c.snaplen;
	struct record *r;

	if (!filter_passes(ci, frame, len))
		return NULL;
	if ((r = malloc(sizeof(*r) + caplen)) == NULL) {
		cap->dropped++;
		return NULL;
	}
	*r = (struct record){
		.when_ns = when_ns, .ci = ci, .caplen = caplen, .wirelen = len, .dir = dir
	};
	if (caplen > 0)
		memcpy(r->bytes, frame, caplen);
	return r;
}

/* The packet with a link header of ours before it, in cap->frame; returns the frame's length. */
static uint32_t
frame_build(struct capture *cap, const void *header, uint32_t hlen, const struct mbuf *m)
{
	uint32_t len = m->len < FRAME_MAX - hlen ? m->len : FRAME_MAX - hlen;

	memcpy(cap->frame, header, hlen);
	if (len > 0)
		memcpy(cap->frame + hlen, m->data, len);
	return hlen + len;
}

/* A packet of an interface without a link header of its own: DLT_NULL's, or one like Ethernet's. */
static uint32_t
frame_build_null(const struct capture_if *ci, const struct mbuf *m)
{
	const bool ip6 = m->len > 0 && m->data[0] >> 4 == 6;
	/* BSD's numbers of the families, in host order */
	const uint32_t family = ip6 ? 30 : 2;
	const struct ether_header_ eh = { .type = to_be16(ip6 ? ETHERTYPE_IPV6_ : ETHERTYPE_IP_) };

	if (ci->dlt == DLT_NULL)
		return frame_build(ci->cap, &family, sizeof(family), m);
	return frame_build(ci->cap, &eh, sizeof(eh), m);
}

/* Remember on the packet which record is its latest. */
static void
record_tag(struct capture *cap, const struct mbuf *m, uint64_t seq)
{
	struct mbuf *tagged = (struct mbuf *)(uintptr_t)m; /* the packet itself is as it was */
	uint64_t *tag = m_tag_find(m, cap->tag);

	if (tag == NULL && (tag = m_tag_add(tagged, cap->tag, sizeof(*tag))) == NULL)
		return;
	*tag = seq;
}

static void
capture_tap(struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir)
{
	struct capture_if *ci = (struct capture_if *)(void *)l;
	struct capture *cap = ci->cap;
	const uint8_t *frame = m->data;
	uint32_t len = m->len;
	struct record *r;

	(void)ifp;
	if (cap->is_over || (cap->c.only != 0 && cap->c.only != 1u + dir))
		return;
	cap->seen++;
	if (ci->bare) {
		len = frame_build_null(ci, m);
		frame = cap->frame;
	}
	if ((r = record_new(ci, m->when_ns, frame, len, dir)) == NULL)
		return;
	if (cap->c.drops)
		record_tag(cap, m, cap->seq);
	record_add(cap, r);
}

static void
capture_gone(struct bpf_listener *l, struct ifnet *ifp)
{
	struct capture_if *ci = (struct capture_if *)(void *)l;

	(void)ifp;
	ci->attached = false;
	if (--ci->cap->attached == 0)
		capture_over(ci->cap);
}

/* --- drops --------------------------------------------------------------- */

/* Does this layer drop whole frames, or packets whose link header is gone? */
static bool
drop_is_of_frame(const struct drop_reason *why)
{
	static const char *const layer[] = { "ether", "if", "pipe", "tap", "epair" };

	if (strcmp(why->name, "no-output") == 0)
		return false;
	for (size_t i = 0; i < sizeof(layer) / sizeof(layer[0]); i++)
		if (strcmp(why->layer, layer[i]) == 0)
			return true;
	return false;
}

/*
 * A dropped packet whose record is gone: the layer's bytes behind a link header as it may have
 * been.
 */
static struct record *
record_of_drop(struct capture_if *ci, const struct mbuf *m, const struct drop_reason *why)
{
	struct ether_header_ eh = { .type = to_be16(ETHERTYPE_IP_) };
	uint32_t len;

	if (ci->bare) {
		len = frame_build_null(ci, m);
	} else if (drop_is_of_frame(why)) {
		return record_new(ci, clock_now(), m->data, m->len, BPF_IN);
	} else {
		memcpy(eh.dst, ci->listener.ifp->if_lladdr, sizeof(eh.dst));
		/* What waits for a neighbour is dropped by arp, and is IP. */
		if (strcmp(why->layer, "arp") == 0 && (m->len == 0 || m->data[0] >> 4 != 4))
			eh.type = to_be16(ETHERTYPE_ARP_);
		else if (m->len > 0 && m->data[0] >> 4 == 6)
			eh.type = to_be16(ETHERTYPE_IPV6_);
		len = frame_build(ci->cap, &eh, sizeof(eh), m);
	}
	return record_new(ci, clock_now(), ci->cap->frame, len, BPF_IN);
}

/* A packet is about to be freed: say why on its record. */
static void
capture_drop(void *ctx, const struct mbuf *m, const struct drop_reason *why)
{
	struct capture *cap = ctx;
	struct capture_if *ci;
	struct record *r = NULL;
	const uint64_t *tag;
	char comment[COMMENT_MAX];

	if (m == NULL || cap->is_over)
		return;
	snprintf(comment, sizeof(comment), "dropped by %s: %s.%s: %s",
	    curvnet != NULL ? vnet_name(curvnet) : "nobody", why->layer, why->name, why->text);
	if ((tag = m_tag_find(m, cap->tag)) != NULL)
		HASH_FIND(hh, cap->by_seq, tag, sizeof(*tag), r);
	if (r != NULL) {
		if (r->comment == NULL)
			r->comment = strdup(comment);
		return;
	}
	if (m->rcvif == NULL || cap->c.only == 1 + BPF_OUT)
		return;
	for (ci = cap->ifs; ci != NULL; ci = ci->next)
		if (ci->attached && ci->listener.ifp == m->rcvif)
			break;
	if (ci == NULL || (r = record_of_drop(ci, m, why)) == NULL)
		return;
	r->comment = strdup(comment);
	r->is_note = true;
	record_add(cap, r);
}

/* --- life ---------------------------------------------------------------- */

bool
capture_compile(int dlt, const char *filter, struct bpf_program *prog, char *why)
{
	pcap_t *dead = pcap_open_dead(dlt, SNAPLEN_DEFAULT);
	bool good;

	if (dead == NULL) {
		snprintf(why, PCAP_ERRBUF_SIZE, "%s", strerror(ENOMEM));
		return false;
	}
	good = pcap_compile(dead, prog, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
	if (!good)
		snprintf(why, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(dead));
	pcap_close(dead);
	return good;
}

/* Can the filter be compiled at all? Said before a file is made. */
static bool
filter_is_good(const char *filter, const char **why)
{
	static char text[PCAP_ERRBUF_SIZE + 512];
	char reason[PCAP_ERRBUF_SIZE];
	struct bpf_program prog;

	if (capture_compile(DLT_EN10MB, filter, &prog, reason) ||
	    capture_compile(DLT_NULL, filter, &prog, reason)) {
		pcap_freecode(&prog);
		return true;
	}
	snprintf(text, sizeof(text), "filter \"%.400s\": %s", filter, reason);
	*why = text;
	return false;
}

/*
 * A FIFO whose reader is not there, or does not read, must not stop the stacks: so, non-blocking.
 */
static bool
capture_open(struct capture *cap, const char *file, const char **why)
{
	static char text[512];

	cap->fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
	if (cap->fd >= 0)
		return true;
	snprintf(text, sizeof(text), "%s: %s", file,
	    errno == ENXIO ? "nobody reads from it" : strerror(errno));
	*why = text;
	return false;
}

/* What can fail of capture_new. False with *why; capture_discard tidies up. */
static bool
capture_set_up(struct capture *cap, const struct capture_config *c, const char **why)
{
	*why = "no memory";
	if (c->filter != NULL && c->filter[0] != '\0' && (cap->filter = strdup(c->filter)) == NULL)
		return false;
	*why = "too many captures tell why packets are dropped";
	if (c->drops && drop_trace_add(capture_drop, cap) != 0)
		return false;
	return c->sink != NULL || c->packet != NULL || capture_open(cap, c->file, why);
}

static void
capture_discard(struct capture *cap)
{
	if (cap->c.drops)
		drop_trace_remove(capture_drop, cap);
	free(cap->filter);
	free(cap);
}

struct capture *
capture_new(const struct capture_config *c, const char **why)
{
	static uint32_t number;
	struct capture *cap;

	if (c->filter != NULL && c->filter[0] != '\0' && !filter_is_good(c->filter, why))
		return NULL;
	*why = "no memory";
	if ((cap = calloc(1, sizeof(*cap))) == NULL)
		return NULL;
	cap->c = *c;
	cap->fd = -1;
	if (cap->c.snaplen == 0)
		cap->c.snaplen = SNAPLEN_DEFAULT;
	cap->ifs_tail = &cap->ifs;
	cap->tag = TAG_CAPTURE + number++ % 0x1000000;
	if (!capture_set_up(cap, c, why)) {
		capture_discard(cap);
		return NULL;
	}
	cap->c.file = cap->c.filter = NULL;
	callout_init(&cap->timer, NULL, capture_timer, cap);
	if (c->packet == NULL)
		pcapng_put_section(&cap->buf);
	captures_live++;
	return cap;
}

static void
capture_if_free(struct capture_if *ci)
{
	if (ci->attached)
		bpf_detach(&ci->listener);
	if (ci->pass == PASS_FILTER)
		pcap_freecode(&ci->filter);
	free(ci);
}

int
capture_add(struct capture *cap, struct ifnet *ifp)
{
	struct capture_if *ci = calloc(1, sizeof(*ci));
	char why[PCAP_ERRBUF_SIZE];
	int error;

	if (ci == NULL)
		return -ENOMEM;
	ci->cap = cap;
	ci->bare = bpf_dlt(ifp) == DLT_NULL;
	ci->dlt = cap->c.as_ethernet ? DLT_EN10MB : bpf_dlt(ifp);
	ci->listener.tap = capture_tap;
	ci->listener.gone = capture_gone;
	if (cap->filter != NULL)
		ci->pass = capture_compile(ci->dlt, cap->filter, &ci->filter, why) ? PASS_FILTER :
										     PASS_NOTHING;
	if ((error = bpf_attach(&ci->listener, ifp)) != 0) {
		capture_if_free(ci);
		return error;
	}
	ci->attached = true;
	cap->attached++;
	ci->id = cap->nifs++;
	*cap->ifs_tail = ci;
	cap->ifs_tail = &ci->next;
	snprintf(ci->ifname, sizeof(ci->ifname), "%s", ifp->if_xname);
	snprintf(ci->name, sizeof(ci->name), "%s:%s", vnet_name(ifp->if_vnet), ifp->if_xname);
	if (cap->c.packet == NULL) {
		pcapng_put_interface(
		    &cap->buf, ci->name, (uint16_t)ci->dlt, cap->c.snaplen, cap->filter);
		/*
		 * a reader that waits for the head of the file need not wait for the first packet
		 */
		if (cap->c.flush)
			capture_put(cap);
	}
	return 0;
}

void
capture_counts(const struct capture *cap, uint64_t *seen, uint64_t *written, uint64_t *dropped)
{
	*seen = cap->seen;
	*written = cap->written + cap->npending;
	if (cap->c.max_packets != 0 && *written > cap->c.max_packets)
		*written = cap->c.max_packets;
	*dropped = cap->dropped;
}

/* The last bytes: a reader gets some time to take them. */
static int
capture_close(struct capture *cap)
{
	struct pollfd pfd = { .fd = cap->fd, .events = POLLOUT };

	if (cap->fd < 0)
		return 0;
	while (cap->buf.len > 0 && cap->error == 0) {
		if (poll(&pfd, 1, LAST_WRITE_MS) <= 0)
			cap->error = -EAGAIN;
		capture_put(cap);
	}
	if (close(cap->fd) != 0 && cap->error == 0)
		cap->error = -errno;
	return cap->error;
}

int
capture_free(struct capture *cap)
{
	struct capture_if *ci;
	int error;

	if (cap == NULL)
		return 0;
	if (cap->c.drops)
		drop_trace_remove(capture_drop, cap);
	for (ci = cap->ifs; ci != NULL; ci = ci->next) {
		if (ci->attached)
			bpf_detach(&ci->listener);
		ci->attached = false;
	}
	capture_flush(cap, NS_NEVER);
	error = capture_close(cap);
	callout_drain(&cap->timer);
	while ((ci = cap->ifs) != NULL) {
		cap->ifs = ci->next;
		capture_if_free(ci);
	}
	pcapng_buf_free(&cap->buf);
	free(cap->pending);
	free(cap->filter);
	free(cap);
	captures_live--;
	return error;
}
