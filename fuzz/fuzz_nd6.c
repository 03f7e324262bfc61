/*
 * Bytes as messages of Neighbour Discovery: frames with ICMPv6 messages come in by an Ethernet
 * interface of a small stack, in which an address is tentative, one is anycast, an entry waits, one
 * is published and one is cached by a route. The first byte of a message says of what sort it is
 * and what is right about it; the rest is the message.
 */
#include "fuzz_stack.h"

#include "inet6/icmp6.h"
#include "inet6/nd6.h"

enum { LIMIT = 16, MESSAGE = 64 };

/* ours, somebody's on the link, the router, nobody */
static const char *const sources[] = { "2001:db8::9", "fe80::9", "fe80::5", "::" };
static const char *const destinations[] = { "2001:db8::1", "ff02::1", "ff02::1:ff00:1", "fe80::1" };

static struct in6
address(const char *text)
{
	struct in6 a;

	if (!in6_aton(text, &a))
		abort();
	return a;
}

static void
send_to(const char *text)
{
	struct in6 dst = address(text);
	struct mbuf *m = m_get(8);

	if (m != NULL)
		(void)ip6_output(m, &in6_any_, &dst, 200, NULL);
}

/* A frame with a message of type 133 to 137. how: bits for source, destination and type. */
static struct mbuf *
frame(const struct ifnet *ifp, uint8_t how, const uint8_t *body, size_t len)
{
	struct mbuf *m = m_get((uint32_t)(ETHER_HDR_LEN_ + IP6_HDRLEN + 4 + len));
	struct ip6_hdr *ip6 = (void *)(m->data + ETHER_HDR_LEN_);
	struct icmp6_hdr *icmp = (void *)(ip6 + 1);
	uint64_t sum;

	memcpy(m->data, ifp->if_lladdr, 6);
	memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x86\xdd", 8);
	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28),
		.plen = to_be16((uint16_t)(4 + len)),
		.nxt = IPPROTO_ICMPV6_,
		.hlim = 255,
		.src = address(sources[how & 3]),
		.dst = address(destinations[how >> 2 & 3]),
	};
	if (in6_is_multicast(&ip6->dst))
		in6_ether_group(&ip6->dst, m->data);
	icmp->type = (uint8_t)(ND_ROUTER_SOLICIT_ + (how >> 4) % 5);
	icmp->code = 0;
	icmp->sum = 0;
	memcpy((uint8_t *)icmp + 4, body, len);
	sum = ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_ICMPV6_, (uint32_t)(4 + len));
	icmp->sum = cksum_fold(cksum_add(sum, icmp, 4 + len));
	return m;
}

static struct ifnet *
interface(void)
{
	struct ifnet *ifp = fuzz_interface(0, fuzz_swallow);

	fuzz_command("sysctl net.inet6.ip6.nd6_maxentries=16");
	fuzz_command("ifconfig mem0 inet6 fe80::1/64 no_dad");
	fuzz_command("ifconfig mem0 inet6 2001:db8::1/64 no_dad");
	fuzz_command("ifconfig mem0 inet6 2001:db8::a/64 anycast");
	fuzz_command("ifconfig mem0 inet6 accept_rtadv");
	fuzz_command("ndp -s 2001:db8::55 02:00:00:00:05:05 proxy");
	fuzz_command("route -6 -q add 2001:db8:9::/48 fe80::5%mem0");
	/* tentative from now on */
	fuzz_command("ifconfig mem0 inet6 2001:db8::b/64");
	return ifp;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_stack stack;
	struct ifnet *ifp;

	fuzz_begin(&stack);
	ifp = interface();
	while (len > 1) {
		size_t n = len - 1 < MESSAGE ? len - 1 : MESSAGE;
		struct mbuf *m = frame(ifp, data[0], data + 1, n);

		/* now and then a wrong hop limit, or time passes */
		if (data[0] == 0xff)
			m->data[ETHER_HDR_LEN_ + 7] = data[1];
		if (data[0] == 0xfe)
			sched_run(clock_now() + data[1] * NS_PER_SEC / 4);
		fuzz_receive(ifp, m);
		send_to("2001:db8:9::1");
		send_to("2001:db8::9");
		if (in6_lltable(ifp)->from_traffic > LIMIT)
			abort();
		data += 1 + n;
		len -= 1 + n;
	}
	fuzz_end_interface(ifp);
	fuzz_require_bare(&stack);
	fuzz_end(&stack);
	return 0;
}
