/*
 * Bytes as router advertisements and solicitations, behind right IPv6 headers and with right sums,
 * to a stack that believes them on one interface and advertises on it, too. Between them time
 * passes, so that what was learned also ends.
 */
#include "fuzz_stack.h"

#include "inet6/nd6_rtr.h"

enum { LIMIT = 4, MESSAGE_MAX = 300 };

/* n bytes: the sender's last byte, whose top bit says which message, then all behind its sum. */
static void
receive(struct ifnet *ifp, const uint8_t *data, size_t n)
{
	const uint32_t message = n - 1 < 4 ? 8 : (uint32_t)(4 + n - 1);
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + IP6_HDRLEN + message);
	struct ip6_hdr *ip6 = (void *)(m->data + ETHER_HDR_LEN_);
	struct icmp6_hdr *icmp = (void *)(ip6 + 1);
	struct in6 src = { { 0xfe, 0x80 } }, dst = { { 0xff, 2 } };

	memcpy(m->data, "\x33\x33\0\0\0\1\2\0\0\0\x09\x09\x86\xdd", ETHER_HDR_LEN_);
	src.b[15] = data[0];
	dst.b[15] = 1;
	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28),
		.plen = to_be16((uint16_t)message),
		.nxt = IPPROTO_ICMPV6_,
		.hlim = 255,
		.src = src,
		.dst = dst,
	};
	memset(icmp, 0, message);
	memcpy(&icmp->data, data + 1, n - 1);
	icmp->type = data[0] & 0x80 ? ND_ROUTER_SOLICIT_ : ND_ROUTER_ADVERT_;
	icmp->sum = cksum_fold(
	    cksum_add(ip6_pseudo_sum(&src, &dst, IPPROTO_ICMPV6_, message), icmp, message));
	fuzz_receive(ifp, m);
}

static void
check(const struct ifnet *ifp)
{
	const struct nd6_router *r;
	const struct nd6_prefix *pr;
	const struct nd6_route *way;
	struct in6_ifaddr *ia = NULL;
	unsigned routers = 0, prefixes = 0, routes = 0, addresses = 0;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		routers++;
	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		prefixes++;
	TAILQ_FOREACH(way, &V_nd6_routes, link)
		routes += way->plen > 0;
	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL)
		addresses += (ia->flags & (IN6_IFF_AUTOCONF | IN6_IFF_TEMPORARY)) ==
		    IN6_IFF_AUTOCONF;
	if (routers > LIMIT || prefixes > LIMIT || routes > LIMIT || addresses > LIMIT)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_stack stack;
	struct ifnet *ifp;

	fuzz_begin(&stack);
	ifp = fuzz_interface(0, fuzz_swallow);
	fuzz_command("sysctl net.inet6.ip6.maxifdefrouters=4 net.inet6.ip6.maxifprefixes=4 "
		     "net.inet6.ip6.maxifroutes=4 net.inet6.ip6.use_tempaddr=1");
	fuzz_command("ifconfig mem0 inet6 accept_rtadv up");
	fuzz_command("rtadvd start mem0 prefix 2001:db8::/64");
	/* a byte says how long the message is, and how much time passes */
	while (len > 1) {
		size_t n = data[0] < len - 1 ? data[0] : len - 1;

		if (n > MESSAGE_MAX)
			n = MESSAGE_MAX;
		if (n > 0)
			receive(ifp, data + 1, n);
		check(ifp);
		sched_run(clock_now() + (UINT64_C(1) << (data[0] & 31)) * NS_PER_US);
		check(ifp);
		data += n + 1;
		len -= n + 1;
	}
	fuzz_end_interface(ifp);
	fuzz_require_bare(&stack);
	fuzz_end(&stack);
	return 0;
}
