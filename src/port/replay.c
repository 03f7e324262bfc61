/*
 * replay.c - the packets of a capture as traffic of a lab.
 *
 * The whole file is read once through libpcap (so: pcap and pcapng, any link type that carries IPv4), filtered
 * and mapped, into a list of ready packets; an event source then sends them when their times come.
 * Checksums are mended incrementally (RFC 1624), so that a packet that was right stays right and one
 * that was wrong stays wrong.
 */
#include "port/pcap.h"

#include "base/sched.h"
#include "inet/icmp.h"
#include "inet/udp.h"
#include "net/ethernet.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Limits of what one replay keeps in memory. */
enum { REPLAY_PACKETS_MAX = 4000000, REPLAY_FRAME_MAX = 65535 };

struct replay_packet {
	uint64_t offset_ns;	/* since the first */
	uint32_t len;
	uint8_t *bytes;
};

struct replay {
	struct sched_source source; /* first */
	struct replay_config c;
	struct vnet *vnet;
	struct ifnet *ifp;	/* referenced */
	struct replay_packet *packet;
	size_t n, room;
	size_t next;		/* of the loop that is on */
	uint32_t loop;
	uint64_t loop_start_ns;
	uint64_t length_ns;	/* from the first packet to the last, and one mean gap */
	struct replay_stats st;
};

/* Bytes before the network layer by link type; -1: unknown here. *ether tells that it is an Ethernet frame. */
static int
link_header(int dlt, const uint8_t *p, uint32_t len, unsigned *type)
{
	uint32_t skip = 14;

	switch (dlt) {
	case DLT_EN10MB:
		if (len < 14)
			return -1;
		*type = (unsigned)p[12] << 8 | p[13];
		while ((*type == ETHERTYPE_VLAN_ || *type == 0x88a8) && len >= skip + 4) {
			*type = (unsigned)p[skip + 2] << 8 | p[skip + 3];
			skip += 4;
		}
		return (int)skip;
	case DLT_NULL:
	case DLT_LOOP:
		skip = 4;
		break;
	case DLT_RAW:
	case DLT_IPV4:
		skip = 0;
		break;
	case DLT_LINUX_SLL:
		if (len < 16)
			return -1;
		*type = (unsigned)p[14] << 8 | p[15];
		return 16;
	default:
		return -1;
	}
	if (len <= skip)
		return -1;
	*type = p[skip] >> 4 == 4 ? ETHERTYPE_IP_ : p[skip] >> 4 == 6 ? ETHERTYPE_IPV6_ : 0;
	return (int)skip;
}

/* sum (as on the wire) after a 32-bit word changed from `old` to `new`: RFC 1624, eqn. 3. */
static uint16_t
cksum_replace32(uint16_t sum, uint32_t old, uint32_t new)
{
	uint64_t s = (uint64_t)(uint16_t)~sum + (uint16_t)~old + (uint16_t)~(old >> 16) +
	    (uint16_t)new + (uint16_t)(new >> 16);

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static uint32_t
map_address(const struct replay_config *c, uint32_t addr)
{
	for (unsigned i = 0; i < c->nmaps; i++) {
		uint32_t mask = in_plen_mask(c->map[i].plen);

		if ((addr & mask) == (c->map[i].from & mask))
			return (c->map[i].to & mask) | (addr & ~mask);
	}
	return addr;
}

/* Change both addresses of an IPv4 packet as the maps say, and the checksums that cover them. */
static void
map_packet(const struct replay_config *c, uint8_t *p, uint32_t len)
{
	struct ip_hdr *ip = (struct ip_hdr *)(void *)p;
	uint8_t *field[2] = { p + 12, p + 16 };
	unsigned hlen, sum_at;

	if (c->nmaps == 0 || len < sizeof(*ip) || ip->vhl >> 4 != 4)
		return;
	hlen = ip_hlen(ip);
	sum_at = ip->proto == IPPROTO_TCP_ ? 16 : ip->proto == IPPROTO_UDP_ ? 6 : 0;
	for (int i = 0; i < 2; i++) {
		uint32_t old = load32(field[i]), new = map_address(c, old);

		if (new == old)
			continue;
		store32(field[i], new);
		ip->sum = cksum_replace32(ip->sum, old, new);
		if (sum_at == 0 || (from_be16(ip->off) & IP_OFFMASK_) != 0 ||
		    len < hlen + sum_at + 2)
			continue;
		if (ip->proto == IPPROTO_UDP_ && load16(p + hlen + sum_at) == 0)
			continue;
		store16(p + hlen + sum_at, cksum_replace32(load16(p + hlen + sum_at), old, new));
	}
}

static int
replay_keep(struct replay *r, uint64_t offset_ns, const uint8_t *frame, uint32_t len)
{
	struct replay_packet *rp;

	if (r->n == r->room) {
		size_t room = r->room != 0 ? r->room * 2 : 1024;

		if ((rp = realloc(r->packet, room * sizeof(*rp))) == NULL)
			return -ENOMEM;
		r->packet = rp;
		r->room = room;
	}
	rp = &r->packet[r->n];
	rp->offset_ns = offset_ns;
	rp->len = len;
	if ((rp->bytes = malloc(len)) == NULL)
		return -ENOMEM;
	memcpy(rp->bytes, frame, len);
	r->n++;
	return 0;
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
	int skip = link_header(dlt, bytes, h->caplen, &type);
	uint32_t head = c->route ? 0 : (uint32_t)sizeof(*eh), len;

	r->st.read++;
	if (skip < 0 || (c->route && type != ETHERTYPE_IP_) ||
	    h->caplen - (uint32_t)skip + head > REPLAY_FRAME_MAX) {
		r->st.skipped_type++;
		return 0;
	}
	len = h->caplen - (uint32_t)skip;
	memcpy(frame + head, bytes + skip, len);
	if (type == ETHERTYPE_IP_)
		map_packet(c, frame + head, len);
	if (!c->route) {
		if (dlt == DLT_EN10MB)
			memcpy(frame, bytes, 12);
		else
			memset(frame, 0, 12);
		eh->type = to_be16((uint16_t)type);
		if (c->set_dst_mac) {
			memcpy(eh->dst, c->next_mac, 6);
			memcpy(eh->src, c->ifp->if_lladdr, 6);
		}
	}
	return replay_keep(r, offset_ns, frame, len + head);
}

/* Read the file. 0, or -1 with *why. A file that ends in the middle of a record gives what came before. */
static int
replay_read(struct replay *r, const char **why)
{
	static char text[PCAP_ERRBUF_SIZE + 256];
	char err[PCAP_ERRBUF_SIZE];
	struct bpf_program filter;
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	uint64_t first = 0;
	bool has_filter = false;
	int dlt, error = 0, got;
	FILE *file = fopen(r->c.file, "rbe");
	pcap_t *p = NULL;

	if (file == NULL)
		snprintf(err, sizeof(err), "%s", strerror(errno));
	else if ((p = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO,
	    err)) == NULL)
		fclose(file);
	if (p == NULL) {
		snprintf(text, sizeof(text), "%s: %s", r->c.file, err);
		*why = text;
		return -1;
	}
	dlt = pcap_datalink(p);
	if (r->c.filter != NULL && r->c.filter[0] != '\0') {
		if (pcap_compile(p, &filter, r->c.filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
			snprintf(text, sizeof(text), "filter \"%s\": %s", r->c.filter, pcap_geterr(p));
			*why = text;
			pcap_close(p);
			return -1;
		}
		has_filter = true;
	}
	while ((got = pcap_next_ex(p, &h, &bytes)) == 1 && r->n < REPLAY_PACKETS_MAX &&
	    (r->c.count == 0 || r->n < r->c.count)) {
		uint64_t when = (uint64_t)h->ts.tv_sec * NS_PER_SEC + (uint64_t)h->ts.tv_usec;

		if (has_filter && pcap_offline_filter(&filter, h, bytes) == 0) {
			r->st.read++;
			r->st.skipped_filter++;
			continue;
		}
		if (r->n == 0)
			first = when;
		/* a capture's times may step back: such a packet goes at once behind the one before */
		if ((error = replay_take(r, dlt, h, bytes, when > first ? when - first : 0)) != 0)
			break;
	}
	if (got == PCAP_ERROR)
		r->st.errors++;
	if (has_filter)
		pcap_freecode(&filter);
	pcap_close(p);
	if (error != 0)
		*why = "no memory";
	return error != 0 ? -1 : 0;
}

/* When packet i of this loop goes. */
static uint64_t
replay_when(const struct replay *r, size_t i)
{
	if (r->c.rate_pps != 0)
		return r->loop_start_ns + (uint64_t)((unsigned __int128)i * NS_PER_SEC / r->c.rate_pps);
	if (r->c.speed == 1.0)
		return r->loop_start_ns + r->packet[i].offset_ns;
	return r->loop_start_ns + (uint64_t)((double)r->packet[i].offset_ns / r->c.speed);
}

/* One packet through the stack's routing, as a router behind ifp would hand it over. Takes m. */
static void
replay_route(struct replay *r, struct mbuf *m)
{
	struct batch b = { .n = 1, .m = { m } };
	struct nexthop *nh;

	m->fib = r->ifp->if_fib;
	nh = m->len >= sizeof(struct ip_hdr) ?
	    fib_lookup4(m->fib, mtod(m, struct ip_hdr *)->dst) : NULL;
	if (nh == NULL || (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_ | RTF_LOCAL_))) {
		r->st.errors++;
		m_drop(m, &DROP_IP_NOROUTE);
		return;
	}
	m->nh = nh;
	nh->use++;
	ip_send(nh->ifp, &b);
}

static void
replay_send(struct replay *r, const struct replay_packet *rp, uint64_t when_ns)
{
	struct mbuf *m = m_from(rp->bytes, rp->len);
	struct batch b = { .n = 1, .m = { m } };

	if (m == NULL) {
		r->st.errors++;
		return;
	}
	clock_at(when_ns);
	m->when_ns = when_ns;
	r->st.sent++;
	r->st.bytes += m->len;
	if (r->c.route)
		replay_route(r, m);
	else if (r->c.transmit)
		if_transmit_batch(r->ifp, &b);
	else
		if_receive(r->ifp, &b);
}

/* Go to the next packet; the last of the last loop ends it. */
static void
replay_step(struct replay *r)
{
	if (++r->next < r->n)
		return;
	r->next = 0;
	r->loop_start_ns += r->c.rate_pps != 0 ?
	    (uint64_t)((unsigned __int128)r->n * NS_PER_SEC / r->c.rate_pps) :
	    (uint64_t)((double)r->length_ns / r->c.speed);
	if (++r->loop >= (r->c.loops != 0 ? r->c.loops : 1))
		r->st.done = true;
}

static void
replay_run(struct sched_source *src, uint64_t until_ns)
{
	struct replay *r = (struct replay *)(void *)src;
	uint64_t floor_ns = src->next_ns, when = floor_ns;
	int sent = 0;
	VNET_SCOPE(r->vnet);

	do {
		if ((r->ifp->if_flags & IFF_DYING_) || r->ifp->if_vnet != r->vnet)
			r->st.done = true;
		else
			replay_send(r, &r->packet[r->next], when);
		if (!r->st.done)
			replay_step(r);
		if (!r->st.done && (when = replay_when(r, r->next)) < floor_ns)
			when = floor_ns;	/* never back in time */
		floor_ns = when;
	} while (!r->st.done && when < until_ns && ++sent < BATCH_MAX);
	src->next_ns = r->st.done ? NS_NEVER : when;
}

struct replay *
replay_new(const struct replay_config *c, const char **why)
{
	struct replay *r = calloc(1, sizeof(*r));

	*why = "no memory";
	if (r == NULL)
		return NULL;
	r->c = *c;
	if (!(r->c.speed > 0))
		r->c.speed = 1.0;
	if (replay_read(r, why) != 0 || (r->n == 0 && (*why = "no packet of the capture can be sent"))) {
		replay_free(r);
		return NULL;
	}
	/* the file and the filter are the caller's; they are read */
	r->c.file = r->c.filter = NULL;
	r->vnet = c->ifp->if_vnet;
	r->ifp = if_ref(c->ifp);
	r->length_ns = r->packet[r->n - 1].offset_ns;
	r->length_ns += r->n > 1 ? r->length_ns / (r->n - 1) : NS_PER_SEC;
	r->loop_start_ns = c->start_ns;
	r->source.next_ns = replay_when(r, 0);
	r->source.run = replay_run;
	sched_add(&r->source, r->vnet->domain);
	return r;
}

void
replay_stats(const struct replay *r, struct replay_stats *st)
{
	*st = r->st;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	if (r->ifp != NULL) {
		sched_remove(&r->source);
		if_rele(r->ifp);
	}
	for (size_t i = 0; i < r->n; i++)
		free(r->packet[i].bytes);
	free(r->packet);
	free(r);
}
