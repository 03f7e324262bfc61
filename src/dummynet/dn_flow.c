/*
 * dn_flow.c - which flow a packet belongs to.
 *
 * All fragments of a datagram are one flow, the first one too, which alone has ports: a queue of its
 * own would let the others overtake it. So no fragment has ports here.
 */
#include "dummynet/dn.h"
#include "dummynet/dn_ip.h"

#include "inet6/ip6_ext.h"
#include "route/flow.h"

enum { PORTS_LEN = 4 };

static void
read_ports(struct dn_flow *f, const uint8_t *header, uint32_t left, uint32_t off)
{
	if (!flow_has_ports(f->proto) || left < off + PORTS_LEN)
		return;
	f->sport = load16(header + off);
	f->dport = load16(header + off + 2);
}

static void
read_ip4(struct dn_flow *f, const struct dn_ip *ip)
{
	const struct ip_hdr *h = (const void *)ip->header;

	f->proto = h->proto;
	f->src = h->src;
	f->dst = h->dst;
	if (!(from_be16(h->off) & (IP_MF_ | IP_OFFMASK_)))
		read_ports(f, ip->header, ip->left, ip_hlen(h));
}

/* Along the extension headers; each step goes on by eight bytes or more, so this ends. */
static void
read_ip6(struct dn_flow *f, const struct dn_ip *ip)
{
	const struct ip6_hdr *h = (const void *)ip->header;
	unsigned off = sizeof(*h), n;

	f->proto = h->nxt;
	f->flow_id = load32(&h->flow) & __builtin_bswap32(0xfffff);
	f->src6 = h->src;
	f->dst6 = h->dst;
	while ((n = ip6_ext_len(ip->header, ip->left, off, f->proto)) != 0) {
		const bool fragment = f->proto == IPPROTO_FRAGMENT_;

		f->proto = ip->header[off];
		if (fragment)
			return;
		off += n;
	}
	read_ports(f, ip->header, ip->left, off);
}

void
dn_flow_read(const struct mbuf *m, struct dn_flow *f)
{
	const struct dn_ip ip = dn_ip_of(m);

	*f = (struct dn_flow){ .family = (uint8_t)ip.family };
	if (ip.family == 4)
		read_ip4(f, &ip);
	else if (ip.family == 6)
		read_ip6(f, &ip);
}

uint64_t
dn_flow_hash(const struct mbuf *m, uint64_t seed)
{
	struct dn_flow f;
	uint64_t h;

	dn_flow_read(m, &f);
	h = flow_mix(seed,
	    (uint64_t)f.family << 40 | (uint64_t)f.proto << 32 | (uint64_t)f.sport << 16 | f.dport);
	if (f.family == 6) {
		h = flow_mix(h ^ load64(f.src6.b), load64(f.src6.b + 8));
		h = flow_mix(h ^ load64(f.dst6.b), load64(f.dst6.b + 8));
	} else {
		h = flow_mix(h, (uint64_t)f.src << 32 | f.dst);
	}
	return h;
}
