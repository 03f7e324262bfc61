/*
 * replay.c - the packets of a capture as traffic of a lab.
 *
 * The whole file is read once through libpcap (so: pcap and pcapng, any link type that carries
 * IP), filtered and mapped (replay_map.c), into a list of ready packets; an event source then sends
 * them when their times come, in batches whose packets each have their own time.
 */
#include "port/capture_file.h"
#include "port/replay_map.h"

#include "base/log.h"
#include "base/sched.h"
#include "inet/icmp.h"
#include "inet/ip_flow.h"
#include "inet/udp.h"
#include "inet6/ip6_flow.h"
#include "kern/eventhandler.h"
#include "net/ethernet.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one replay keeps in memory; a capture with more wants a filter or a count. */
enum { REPLAY_PACKETS_MAX = 16000000, REPLAY_FRAME_MAX = 65535 };
#define REPLAY_BYTES_MAX (UINT64_C(4) << 30)

/* No time of a replay is farther away: what a broken time stamp says can't overflow. */
#define REPLAY_FAR_NS (UINT64_C(1) << 61)

/* Longer captures are told of: a broken time stamp looks like that. */
#define REPLAY_LONG_NS (24 * 3600 * NS_PER_SEC)

struct replay_packet {
	uint64_t offset_ns; /* since the first */
	size_t at;          /* in replay.bytes */
	uint32_t len;
};

struct replay {
	struct sched_source source; /* first */
	struct replay_config c;
	struct vnet *vnet;
	struct ifnet *ifp; /* referenced; NULL when it has left */
	struct event_tag *departure;
	struct replay_packet *packet;
	size_t n, room;
	uint8_t *bytes;
	size_t nbytes, bytes_room;
	size_t next; /* of the loop that is on */
	uint32_t loop;
	uint64_t loop_start_ns;
	uint64_t length_ns; /* from the first packet to the last, and one mean gap */
	struct replay_stats st;
	char note[PCAP_ERRBUF_SIZE];
};

static uint64_t replays_live;
AUDIT_COUNTER(replay, "replay", replays_live);

/* --- reading ------------------------------------------------------------- */

static int
replay_keep(struct replay *r, uint64_t offset_ns, const uint8_t *frame, uint32_t len)
{
	void *p;

	if (r->n == r->room) {
		size_t room = r->room != 0 ? r->room * 2 : 64;

		if ((p = realloc(r->packet, room * sizeof(*r->packet))) == NULL)
			return -ENOMEM;
		r->packet = p;
		r->room = room;
	}
	if (r->bytes_room - r->nbytes < len) {
		size_t room = (r->bytes_room + len) * 2;

		if ((p = realloc(r->bytes, room)) == NULL)
			return -ENOMEM;
		r->bytes = p;
		r->bytes_room = room;
	}
	memcpy(r->bytes + r->nbytes, frame, len);
	r->packet[r->n++] = (struct replay_packet){ offset_ns, r->nbytes, len };
	r->nbytes += len;
	return 0;
}

/*
 * The header of a frame of ours: the capture's own, or one made for a packet that had no Ethernet.
 */
static void
frame_address(const struct replay *r, struct ether_header_ *eh, bool has_own)
{
	static const uint8_t none[6];

	if (!has_own) {
		memcpy(eh->dst, r->c.transmit ? none : r->c.ifp->if_lladdr, 6);
		memcpy(eh->src, none, 6);
	}
	if (r->c.set_dst_mac) {
		if (!has_own || !(eh->dst[0] & 1))
			memcpy(eh->dst, r->c.next_mac, 6);
		memcpy(eh->src, r->c.ifp->if_lladdr, 6);
	}
}

/* One record of the file: keep it in the form in which it will be sent. 0, or -errno. */
static int
replay_take(struct replay *r, int dlt, const struct pcap_pkthdr *h, const uint8_t *bytes,
    uint64_t offset_ns)
{
	static uint8_t frame[REPLAY_FRAME_MAX];
	const struct replay_config *c = &r->c;
	struct ether_header_ *eh = (struct ether_header_ *)(void *)frame;
	unsigned type = 0;
	int skip = capture_link_header(dlt, bytes, h->caplen, &type);
	uint32_t head = 0, len;

	if (skip < 0 || (c->route && type != ETHERTYPE_IP_ && type != ETHERTYPE_IPV6_) ||
	    h->caplen > REPLAY_FRAME_MAX - sizeof(*eh)) {
		r->st.skipped_type++;
		return 0;
	}
	if (!c->route)
		head = dlt == DLT_EN10MB ? (uint32_t)skip : (uint32_t)sizeof(*eh);
	len = h->caplen - (uint32_t)skip;
	memcpy(frame + head, bytes + skip, len);
	if (c->route && !replay_is_sound(frame, &len)) {
		r->st.errors++;
		return 0;
	}
	if (type == ETHERTYPE_IP_ || type == ETHERTYPE_IPV6_)
		replay_map_packet(c, frame + head, len);
	if (!c->route) {
		if (dlt == DLT_EN10MB)
			memcpy(frame, bytes, head);
		else
			eh->type = to_be16((uint16_t)type);
		frame_address(r, eh, dlt == DLT_EN10MB);
	}
	return replay_keep(r, offset_ns, frame, len + head);
}

/*
 * All packets of an open capture. 0, or -1 with a text in err. A file that is damaged gives what
 * came before.
 */
static int
replay_read_packets(struct replay *r, pcap_t *p, const struct bpf_program *filter, char *err)
{
	int dlt = pcap_datalink(p), got = 1;
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	uint64_t first = 0;

	while ((r->c.count == 0 || r->n < r->c.count) && (got = pcap_next_ex(p, &h, &bytes)) == 1) {
		uint64_t when = (uint64_t)h->ts.tv_sec * NS_PER_SEC + (uint64_t)h->ts.tv_usec,
			 offset;

		r->st.read++;
		if (filter != NULL && pcap_offline_filter(filter, h, bytes) == 0) {
			r->st.skipped_filter++;
			continue;
		}
		if (r->n == 0)
			first = when;
		/*
		 * a capture's times may step back: such a packet goes at once behind the one before
		 */
		offset = when > first ? when - first : 0;
		if (replay_take(
			r, dlt, h, bytes, offset < REPLAY_FAR_NS ? offset : REPLAY_FAR_NS) != 0) {
			snprintf(err, PCAP_ERRBUF_SIZE, "no memory");
			return -1;
		}
		if (r->n >= REPLAY_PACKETS_MAX || r->nbytes >= REPLAY_BYTES_MAX) {
			snprintf(err, PCAP_ERRBUF_SIZE,
			    "too big to keep in memory: a filter or a count can choose");
			return -1;
		}
	}
	if (got == PCAP_ERROR)
		snprintf(r->note, sizeof(r->note), "%s", pcap_geterr(p));
	return 0;
}

/* Read the file. 0, or -1 with a text in err. */
static int
replay_read(struct replay *r, char *err)
{
	const char *expression = r->c.filter != NULL && r->c.filter[0] != '\0' ? r->c.filter : NULL;
	struct bpf_program filter;
	pcap_t *p = capture_file_open(r->c.file, err);
	int error;

	if (p == NULL)
		return -1;
	if (expression != NULL &&
	    pcap_compile(p, &filter, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		snprintf(
		    err, PCAP_ERRBUF_SIZE, "filter \"%.80s\": %.160s", expression, pcap_geterr(p));
		pcap_close(p);
		return -1;
	}
	error = replay_read_packets(r, p, expression != NULL ? &filter : NULL, err);
	if (expression != NULL)
		pcap_freecode(&filter);
	pcap_close(p);
	if (error == 0 && r->n == 0) {
		snprintf(err, PCAP_ERRBUF_SIZE, "%s",
		    r->note[0] != '\0'  ? r->note :
			r->st.read == 0 ? "no packet in it" :
					  "none of its packets can be sent");
		error = -1;
	}
	return error;
}

/* --- sending ------------------------------------------------------------- */

/* A stretch of the capture's time at the speed that was asked for. */
static uint64_t
replay_stretch(const struct replay *r, uint64_t ns)
{
	double stretched;

	if (r->c.speed == 1.0)
		return ns;
	stretched = (double)ns / r->c.speed;
	return stretched < (double)REPLAY_FAR_NS ? (uint64_t)stretched : REPLAY_FAR_NS;
}

/* When packet i of this loop goes. */
static uint64_t
replay_when(const struct replay *r, size_t i)
{
	if (r->c.rate_pps != 0)
		return r->loop_start_ns +
		    (uint64_t)((unsigned __int128)i * NS_PER_SEC / r->c.rate_pps);
	return r->loop_start_ns + replay_stretch(r, r->packet[i].offset_ns);
}

/* Go to the next packet; the last of the last loop ends it. */
static void
replay_step(struct replay *r)
{
	if (++r->next < r->n)
		return;
	r->next = 0;
	r->loop_start_ns = r->c.rate_pps != 0 ? replay_when(r, r->n) :
						r->loop_start_ns + replay_stretch(r, r->length_ns);
	if (++r->loop >= (r->c.loops != 0 ? r->c.loops : 1) || r->loop_start_ns > REPLAY_FAR_NS)
		r->st.done = true;
}

static inline bool
is_inet6(const struct mbuf *m)
{
	return m->data[0] >> 4 == 6;
}

static void
replay_route_out(struct ifnet *ifp, struct batch *b)
{
	if (b->n > 0)
		(is_inet6(b->m[0]) ? ip6_send : ip_send)(ifp, b);
	b->n = 0;
}

/* The packet's next hop; NULL if it has none to another stack. */
static struct nexthop *
replay_nexthop(struct mbuf *m)
{
	struct nexthop *nh = is_inet6(m) ?
	    route_to6(m->fib, &mtod(m, const struct ip6_hdr *)->dst, ip6_flow(m)) :
	    route_to4(m->fib, mtod(m, const struct ip_hdr *)->dst, ip_flow(m));

	return nh != NULL && (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_ | RTF_LOCAL_)) ? NULL : nh;
}

/*
 * Packets through the stack's routing, as a router behind ifp would hand them over. Takes the
 * batch.
 */
static void
replay_route(struct replay *r, struct batch *b)
{
	struct batch out = { .n = 0 };
	struct ifnet *ifp = NULL;

	batch_foreach(b, m) {
		struct nexthop *nh;

		m->fib = r->ifp->if_fib;
		nh = replay_nexthop(m);
		if (nh == NULL) {
			r->st.errors++;
			r->st.sent--;
			r->st.bytes -= m->len;
			clock_at(m->when_ns);
			m_drop(m, is_inet6(m) ? &DROP_IP6_NOROUTE : &DROP_IP_NOROUTE);
			continue;
		}
		if (out.n > 0 && (nh->ifp != ifp || is_inet6(m) != is_inet6(out.m[0])))
			replay_route_out(ifp, &out);
		ifp = nh->ifp;
		m->nh = nh;
		nh->use++;
		batch_add(&out, m);
	}
	replay_route_out(ifp, &out);
	b->n = 0;
}

static void
replay_hand_over(struct replay *r, struct batch *b)
{
	if (b->n == 0)
		return;
	if (r->c.route)
		replay_route(r, b);
	else if (r->c.transmit)
		if_transmit_batch(r->ifp, b);
	else
		if_receive(r->ifp, b);
}

static struct mbuf *
replay_packet(struct replay *r, uint64_t when_ns)
{
	const struct replay_packet *rp = &r->packet[r->next];
	struct mbuf *m = m_from(r->bytes + rp->at, rp->len);

	if (m == NULL) {
		r->st.errors++;
		return NULL;
	}
	m->when_ns = when_ns;
	r->st.sent++;
	r->st.bytes += m->len;
	return m;
}

static void
replay_run(struct sched_source *src, uint64_t until_ns)
{
	struct replay *r = (struct replay *)(void *)src;
	struct batch b = { .n = 0 };
	uint64_t when_ns = src->next_ns, floor_ns;
	struct mbuf *m;
	VNET_SCOPE(r->vnet);

	for (uint32_t tries = 0; tries < sched_max_batch; tries++) {
		if ((m = replay_packet(r, when_ns)) != NULL)
			batch_add(&b, m);
		replay_step(r);
		if (r->st.done)
			break;
		floor_ns = when_ns;
		if ((when_ns = replay_when(r, r->next)) < floor_ns)
			when_ns = floor_ns; /* never back in time */
		if (when_ns >= until_ns)
			break;
	}
	src->next_ns = r->st.done ? NS_NEVER : when_ns;
	replay_hand_over(r, &b);
}

/* --- life ---------------------------------------------------------------- */

/* The interface leaves its stack, and perhaps the stack with it: that was it. */
static void
replay_departure(void *ctx, void *arg1, void *arg2)
{
	struct replay *r = ctx;

	(void)arg2;
	if (arg1 != r->ifp)
		return;
	sched_remove(&r->source);
	if_rele(r->ifp);
	r->ifp = NULL;
	r->st.done = true;
}

static void
replay_look_at_times(struct replay *r)
{
	uint64_t last_ns = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->packet[i].offset_ns > last_ns)
			last_ns = r->packet[i].offset_ns;
	r->length_ns = last_ns + (r->n > 1 ? last_ns / (r->n - 1) : NS_PER_SEC);
	if (r->note[0] == '\0' && r->c.rate_pps == 0 && last_ns > REPLAY_LONG_NS)
		snprintf(r->note, sizeof(r->note), "its times span %llu days",
		    (unsigned long long)(last_ns / REPLAY_LONG_NS));
}

struct replay *
replay_new(const struct replay_config *c, const char **why)
{
	static char text[PCAP_ERRBUF_SIZE + 512];
	struct replay *r = calloc(1, sizeof(*r));
	char err[PCAP_ERRBUF_SIZE];

	*why = "no memory";
	if (r == NULL)
		return NULL;
	replays_live++;
	r->c = *c;
	if (!(r->c.speed > 0))
		r->c.speed = 1.0;
	if (replay_read(r, err) != 0) {
		snprintf(text, sizeof(text), "%.500s: %s", c->file, err);
		*why = text;
		replay_free(r);
		return NULL;
	}
	replay_look_at_times(r);
	if (r->note[0] != '\0')
		log_msg(LOG_LVL_WARNING, "replay: %s: %s; %zu packets can be sent", c->file,
		    r->note, r->n);
	/* the file and the filter are the caller's; they are read */
	r->c.file = r->c.filter = NULL;
	r->vnet = c->ifp->if_vnet;
	r->ifp = if_ref(c->ifp);
	r->loop_start_ns = c->start_ns > clock_now() ? c->start_ns : clock_now();
	r->source.next_ns = replay_when(r, 0);
	r->source.run = replay_run;
	sched_add(&r->source, r->vnet->domain);
	event_register(
	    &r->departure, "ifnet_departure", EVENT_HERE, replay_departure, r, EVENT_PRI_ANY);
	return r;
}

void
replay_stats(const struct replay *r, struct replay_stats *st)
{
	*st = r->st;
}

const char *
replay_note(const struct replay *r)
{
	return r->note[0] != '\0' ? r->note : NULL;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	if (r->departure != NULL)
		event_deregister(&r->departure);
	if (r->ifp != NULL) {
		sched_remove(&r->source);
		if_rele(r->ifp);
	}
	free(r->packet);
	free(r->bytes);
	free(r);
	replays_live--;
}
