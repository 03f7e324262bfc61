/*
 * Bytes as messages about groups: each is an IGMP or an MLD message of up to 48 bytes that comes in
 * by an Ethernet interface of a small stack, whose memberships change meanwhile. What the stack
 * says in answer is well formed, and nothing of it is left behind.
 */
#include "fuzz_stack.h"

#include "inet/ip.h"
#include "inet/multicast.h"
#include "inet6/icmp6.h"
#include "inet6/in6.h"

static const char *const groups[] = { "239.1.1.1", "232.1.1.1", "ff15::1", "ff35::1", "ff02::77" };
enum { GROUPS = 5, MESSAGE_MAX = 48 };

/* A message that goes out: its lengths agree and its sums are right. */
static void
check_igmp(const uint8_t *p, size_t len)
{
	const struct ip_hdr *ip = (const void *)p;

	if (len < sizeof(*ip) || ip->proto != IPPROTO_IGMP_)
		return;
	if (from_be16(ip->len) != len || ip_cksum(ip) != 0 || ip->ttl != 1 ||
	    cksum_fold(cksum_add(0, p + ip_hlen(ip), len - ip_hlen(ip))) != 0)
		abort();
}

static void
transmit(struct ifnet *ifp, struct batch *b)
{
	batch_foreach(b, m) {
		if (m->len < ETHER_HDR_LEN_ || m->len > ifp->if_mtu + ETHER_HDR_LEN_)
			abort();
		if (load16(m->data + 12) == __builtin_bswap16(ETHERTYPE_IP_))
			check_igmp(m->data + ETHER_HDR_LEN_, m->len - ETHER_HDR_LEN_);
	}
	batch_free(b);
}

static void
hear_igmp(struct ifnet *ifp, uint32_t dst, const uint8_t *bytes, size_t n)
{
	struct mbuf *m = m_get((uint32_t)(ETHER_HDR_LEN_ + 24 + n));
	struct ip_hdr *ip = (void *)(m->data + ETHER_HDR_LEN_);
	uint8_t *p = (uint8_t *)(ip + 1) + 4;

	memcpy(m->data, ifp->if_lladdr, 6);
	memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x08", 8);
	*ip = (struct ip_hdr){ .vhl = 0x46,
		.len = to_be16((uint16_t)(24 + n)),
		.ttl = 1,
		.proto = IPPROTO_IGMP_,
		.src = 0x0900000a,
		.dst = dst };
	memcpy(ip + 1, "\x94\x04\0\0", 4);
	ip->sum = ip_cksum(ip);
	memcpy(p, bytes, n);
	if (n >= 8) {
		store16(p + 2, 0);
		store16(p + 2, cksum_fold(cksum_add(0, p, n)));
	}
	fuzz_receive(ifp, m);
}

static void
hear_mld(struct ifnet *ifp, const struct in6 *dst, const uint8_t *bytes, size_t n)
{
	struct mbuf *m = m_get((uint32_t)(ETHER_HDR_LEN_ + IP6_HDRLEN + 8 + n));
	struct ip6_hdr *ip6 = (void *)(m->data + ETHER_HDR_LEN_);
	uint8_t *p = (uint8_t *)(ip6 + 1) + 8;

	memcpy(m->data, ifp->if_lladdr, 6);
	memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x86\xdd", 8);
	*ip6 = (struct ip6_hdr){ .flow = to_be32(UINT32_C(6) << 28),
		.plen = to_be16((uint16_t)(8 + n)),
		.nxt = IPPROTO_HOPOPTS_,
		.hlim = 1,
		.src = { { 0xfe, 0x80, [15] = 9 } },
		.dst = *dst };
	memcpy(ip6 + 1, "\x3a\0\5\2\0\0\1", 8);
	memcpy(p, bytes, n);
	if (n >= 8) {
		store16(p + 2, 0);
		store16(p + 2,
		    cksum_fold(cksum_add(
			ip6_pseudo_sum(&ip6->src, dst, IPPROTO_ICMPV6_, (uint32_t)n), p, n)));
	}
	fuzz_receive(ifp, m);
}

/* The last bit of a byte decides the family, the next ones whether it is made a likely message. */
static void
hear(struct ifnet *ifp, const uint8_t *data, size_t n)
{
	uint8_t how = data[0], bytes[MESSAGE_MAX];
	struct in6 dst6 = in6_allnodes;
	struct ipaddr group;

	memcpy(bytes, data, n);
	ipaddr_aton(groups[how % GROUPS], AF_UNSPEC, &group);
	if (how & 1) {
		static const uint8_t types[] = { 0x11, 0x11, 0x16, 0x12 };

		if (how & 2)
			bytes[0] = types[how >> 2 & 3];
		if ((how & 0x10) && n >= 8 && group.family == AF_INET)
			memcpy(bytes + 4, group.b, 4);
		hear_igmp(ifp,
		    how & 0x20 && group.family == AF_INET ? ipaddr_in(&group) : 0x010000e0, bytes,
		    n);
		return;
	}
	if (how & 2)
		bytes[0] = (uint8_t)(MLD_QUERY + (how >> 2 & 1));
	if ((how & 0x10) && n >= 24 && group.family == AF_INET6)
		memcpy(bytes + 8, group.b, 16);
	if ((how & 0x20) && group.family == AF_INET6)
		dst6 = *ipaddr_in6(&group);
	hear_mld(ifp, &dst6, bytes, n);
}

static void
change(struct ifnet *ifp, struct mcast_member **mm, uint8_t how)
{
	enum mcast_mode mode = how & 0x40 ? MCAST_MODE_INCLUDE : MCAST_MODE_EXCLUDE;
	struct ipaddr group, source[2];
	unsigned n = how >> 4 & 3;

	ipaddr_aton(groups[how % GROUPS], AF_UNSPEC, &group);
	ipaddr_aton(group.family == AF_INET ? "10.0.0.5" : "2001:db8::5", AF_UNSPEC, &source[0]);
	source[1] = source[0];
	source[1].b[group.family == AF_INET ? 3 : 15] = how;
	if (*mm == NULL) {
		*mm = mcast_join(ifp, &group);
	} else if (how & 0x80) {
		(void)mcast_set_filter(*mm, mode, source, n > 2 ? 2 : n);
	} else {
		mcast_leave(*mm);
		*mm = NULL;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct mcast_member *mm[GROUPS] = { NULL };
	struct fuzz_stack stack;
	struct ifnet *ifp;

	fuzz_begin(&stack);
	ifp = fuzz_interface(0, transmit);
	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
	fuzz_command("ifconfig mem0 inet6 2001:db8::1/64");
	while (len > 0) {
		size_t n = len < MESSAGE_MAX ? len : MESSAGE_MAX;
		uint8_t last = data[n - 1];

		hear(ifp, data, n);
		change(ifp, &mm[last % GROUPS], last);
		sched_run(clock_now() + ((uint64_t)last << (data[0] & 31)));
		data += n;
		len -= n;
	}
	sched_run(clock_now() + 300 * NS_PER_SEC);
	for (unsigned i = 0; i < GROUPS; i++)
		mcast_leave(mm[i]);
	fuzz_end_interface(ifp);
	fuzz_require_bare(&stack);
	fuzz_end(&stack);
	return 0;
}
