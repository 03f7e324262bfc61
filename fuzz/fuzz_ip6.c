/*
 * Bytes as IPv6 packets into a stack that has addresses, two interfaces and forwards.
 *
 * An input is a series of packets, each behind two bytes: where it comes from and what is done to
 * it, then its length. Version, length, hop limit and ICMPv6 checksum are mended on request, so
 * that what lies behind the first checks is reached: packets of one input meet in reassembly, in
 * neighbour discovery, in redirects, in memberships and at a UDP port. At the end the stack is gone
 * and nothing of it is left.
 */
#include "fuzz_stack.h"

#include "inet/udp.h"
#include "inet6/icmp6.h"
#include "inet6/ip6.h"

enum how {
	FROM_SECOND = 1,
	MEND_SUM = 2,
	MEND_LEN = 4,
	MEND_HLIM = 8, /* 255, as neighbour discovery wants it */
	PASS_TIME = 16,
	LINK_MCAST = 32,
	HOST = 64
};

static void
echo(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	udp_send(*(struct udp_endpoint **)ctx, m, &info->src, from_port);
}

/* The sum of the packet's ICMPv6 message, if it has one that is whole. */
static void
mend_sum(struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	uint8_t proto;
	int off = ip6_upper(m->data, m->len, &proto);
	uint32_t len;

	if (off < 0 || proto != IPPROTO_ICMPV6_ || (uint32_t)off + 8 > m->len)
		return;
	len = m->len - (uint32_t)off;
	store16(m->data + off + 2, 0);
	store16(m->data + off + 2,
	    cksum_fold(
		cksum_add(ip6_pseudo_sum(&ip6->src, &ip6->dst, proto, len), m->data + off, len)));
}

static void
packet(struct ifnet *ifp, const uint8_t *bytes, uint32_t len, unsigned how)
{
	struct mbuf *m = m_from(bytes, len);
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);
	struct batch b = { .n = 1, .m = { m } };

	if (len >= sizeof(*ip6)) {
		if (how & MEND_LEN) {
			ip6->flow.b[0] = (uint8_t)(0x60 | (ip6->flow.b[0] & 0xf));
			ip6->plen = to_be16((uint16_t)(len - sizeof(*ip6)));
		}
		if (how & MEND_HLIM)
			ip6->hlim = 255;
		if (how & MEND_SUM)
			mend_sum(m);
	}
	m->rcvif = ifp;
	m->when_ns = clock_now();
	if (how & LINK_MCAST)
		m->flags |= M_MCAST;
	ip6_input(&b);
	while (netisr_run())
		continue;
	/* Ten minutes at most in one input: what times out must have its turn. */
	if (how & PASS_TIME)
		sched_run(clock_now() + 35 * NS_PER_SEC);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct ipaddr any = { .family = AF_INET6 };
	struct udp_endpoint *ep;
	struct fuzz_stack stack;
	struct ifnet *ifp[2];
	unsigned n = 0;

	fuzz_begin(&stack);
	for (int i = 0; i < 2; i++)
		ifp[i] = fuzz_interface(i, fuzz_swallow);
	fuzz_command("sysctl net.inet6.ip6.dad_count=0");
	fuzz_command("sysctl net.inet6.ip6.accept_rtadv=1");
	fuzz_command("ifconfig lo0 inet6 ::1/128");
	fuzz_command("ifconfig mem0 inet6 accept_rtadv");
	fuzz_command("ifconfig mem0 inet6 2001:db8::1/64");
	fuzz_command("ifconfig mem1 inet6 2001:db8:1::1/64");
	fuzz_command("route -6 add default 2001:db8:1::2");
	ep = udp_open(&any, 7, echo, &ep);
	if (ep == NULL)
		abort();

	/* A router unless the first packet says host: hosts listen to routers. */
	fuzz_command(len > 0 && (data[0] & HOST) ? "sysctl net.inet6.ip6.forwarding=0" :
						   "sysctl net.inet6.ip6.forwarding=1");
	while (len >= 2 && n++ < 16) {
		uint32_t take = data[1];

		if (take > len - 2)
			take = (uint32_t)len - 2;
		packet(ifp[data[0] & FROM_SECOND], data + 2, take, data[0]);
		data += 2 + take;
		len -= 2 + take;
	}

	udp_close(ep);
	for (int i = 0; i < 2; i++)
		fuzz_end_interface(ifp[i]);
	fuzz_end(&stack);
	return 0;
}
