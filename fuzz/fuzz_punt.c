/*
 * Bytes as packets on both sides of a punt: from the link, from a link without one, from the guest.
 *
 * An input is a series of packets, each behind two bytes: where it comes from and what is mended of
 * it, then its length. What the guest gets is whole and of a protocol that it serves, what goes out
 * comes from an address of the stack, and at the end nothing is left.
 */
#include "fuzz_stack.h"

#include "inet/icmp.h"
#include "inet/ip.h"
#include "inet6/ip6.h"
#include "port/punt.h"

enum { LAN, WAN, GUEST, INTERFACES };
enum how { FROM = 3, SIX = 4, MEND_HEADER = 8, MEND_ICMP = 16, LINK_MCAST = 32, PASS_TIME = 64 };

static bool
is_served(uint8_t proto)
{
	return proto == IPPROTO_TCP_ || proto == IPPROTO_UDP_ || proto == 88 || proto == 89;
}

static void
check(bool good)
{
	if (!good)
		abort();
}

/* The guest's side, or the wire's: of what the stack itself says there only the headers are looked at. */
static void
check_packet(const uint8_t *frame, uint32_t len, bool to_guest)
{
	const struct ip_hdr *ip = (const void *)(frame + ETHER_HDR_LEN_);
	const struct ip6_hdr *ip6 = (const void *)ip;
	const uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);

	len -= ETHER_HDR_LEN_;
	if (type == ETHERTYPE_IP_) {
		check(len >= sizeof(*ip) && from_be16(ip->len) == len && ip_hlen(ip) <= len);
		check(ip_cksum(ip) == 0);
		check(to_guest ? is_served(ip->proto) || ip->proto == IPPROTO_ICMP_ :
				 ip->src == 0 || in_local(ip->src) != NULL);
	} else if (type == ETHERTYPE_IPV6_) {
		check(len >= IP6_HDRLEN && from_be16(ip6->plen) == len - IP6_HDRLEN);
	} else {
		check(!to_guest);
	}
}

static void
transmit(struct ifnet *ifp, struct batch *b)
{
	batch_foreach(b, m) {
		check(m->len >= ETHER_HDR_LEN_ && m->len <= ETHER_HDR_LEN_ + ifp->if_mtu);
		check_packet(m->data, m->len, false);
	}
	batch_free(b);
}

static void
transmit_to_guest(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m) {
		check(m->len >= ETHER_HDR_LEN_);
		check_packet(m->data, m->len, true);
	}
	batch_free(b);
}

static void
mend_header4(uint8_t *p, uint32_t len)
{
	struct ip_hdr *ip = (void *)p;

	if (len < sizeof(*ip))
		return;
	ip->vhl = (uint8_t)(0x40 | (ip->vhl & 0xf));
	ip->len = to_be16((uint16_t)len);
	if (ip_hlen(ip) < sizeof(*ip) || ip_hlen(ip) > len)
		ip->vhl = 0x45;
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
}

static void
mend_header6(uint8_t *p, uint32_t len)
{
	struct ip6_hdr *ip6 = (void *)p;

	if (len < IP6_HDRLEN)
		return;
	ip6->flow.b[0] = (uint8_t)(0x60 | (ip6->flow.b[0] & 0xf));
	ip6->plen = to_be16((uint16_t)(len - IP6_HDRLEN));
}

/* The sum of an ICMP message that comes right behind the header. */
static void
mend_icmp(uint8_t *p, uint32_t len, bool six)
{
	const struct ip6_hdr *ip6 = (const void *)p;
	const uint32_t hlen = six ? (uint32_t)IP6_HDRLEN : (p[0] & 0xfu) * 4;
	uint64_t sum = 0;

	if (len < hlen + 8)
		return;
	if (six)
		sum = ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_ICMPV6_, len - hlen);
	store16(p + hlen + 2, 0);
	store16(p + hlen + 2, cksum_fold(cksum_add(sum, p + hlen, len - hlen)));
}

static void
packet(struct ifnet *ifp, const uint8_t *bytes, uint32_t len, unsigned how)
{
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + len);
	uint8_t *p = m->data + ETHER_HDR_LEN_;
	const bool six = how & SIX;

	memcpy(m->data, ifp->if_lladdr, ETHER_ADDR_LEN_);
	if (how & LINK_MCAST)
		memcpy(m->data, six ? "\x33\x33\0\0\0\x05" : "\x01\0\x5e\0\0\x05", 6);
	memcpy(m->data + 6, six ? "\x02\0\0\0\x09\x09\x86\xdd" : "\x02\0\0\0\x09\x09\x08\0", 8);
	memcpy(p, bytes, len);
	if (how & MEND_HEADER)
		(six ? mend_header6 : mend_header4)(p, len);
	if (len > 0 && (how & MEND_ICMP))
		mend_icmp(p, len, six);
	fuzz_receive(ifp, m);
	if (how & PASS_TIME)
		sched_run(clock_now() + 5 * NS_PER_SEC);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct punt_ports more = { (const uint16_t[]){ 123 }, 1 };
	struct fuzz_stack stack;
	struct ifnet *ifp[INTERFACES];
	unsigned n = 0;

	fuzz_begin(&stack);
	for (int i = 0; i < INTERFACES; i++)
		ifp[i] = fuzz_interface(i, i == GUEST ? transmit_to_guest : transmit);
	fuzz_command("sysctl net.inet6.ip6.dad_count=0");
	fuzz_command("sysctl net.inet6.ip6.auto_linklocal=0");
	fuzz_command("ifconfig lo0 up");
	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
	fuzz_command("ifconfig mem0 inet6 fe80::1/64");
	fuzz_command("ifconfig mem0 inet6 2001:db8::1/64");
	fuzz_command("ifconfig mem1 inet 10.1.0.1/24 mtu 100"); /* small: some don't fit */
	fuzz_command("arp -s 10.0.0.2 02:00:00:00:09:09");
	fuzz_command("arp -s 10.1.0.2 02:00:00:00:09:0a");
	check(punt_join(ifp[LAN], ifp[GUEST], &more) == 0);

	while (len >= 2 && n++ < 16) {
		const unsigned from = data[0] & FROM;
		uint32_t take = data[1];

		if (take > len - 2)
			take = (uint32_t)len - 2;
		packet(ifp[from % INTERFACES], data + 2, take, data[0]);
		data += 2 + take;
		len -= 2 + take;
	}

	for (int i = 0; i < INTERFACES; i++)
		fuzz_end_interface(ifp[i]);
	fuzz_end(&stack);
	return 0;
}
