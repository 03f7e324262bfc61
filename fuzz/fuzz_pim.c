/*
 * Bytes as a multicast router's life: each piece of up to 64 bytes is a PIM message, a packet to a
 * group, or a command, for a stack with two interfaces, a register vif and a few entries, in both
 * families. Copies are well formed and one hop older, the cache keeps to its limits, and nothing is
 * left behind.
 */
#include "fuzz_stack.h"

#include "inet/mroute.h"
#include "inet6/ip6.h"


enum { PIECE_MAX = 64, TTL = 9, IFS = 2 };
static struct ifnet *ifs[IFS];
static unsigned upcalls;

static const char *const commands[] = {
	"mroute add 10.0.0.5 239.1.1.1 from mem0 to mem1",
	"mroute add 10.0.0.5 239.1.1.1 from pimreg0 to mem0,mem1",
	"mroute add * 239.1.1.1 from mem1 to pimreg0",
	"mroute delete 10.0.0.5 239.1.1.1",
	"mroute add 2001:db8::5 ff1e::1 from mem0 to mem1,pimreg0",
	"mroute add * ff1e::1 from pimreg0 to mem0",
	"mroute delete 2001:db8::5 ff1e::1",
	"mroute register 10.0.1.9",
	"mroute register 2001:db8:1::9",
	"mroute register none",
	"mroute vif mem1 off",
	"mroute vif mem1 threshold 8",
	"mroute flush",
	"mroute flush all",
	"ifconfig pimreg0 destroy",
	"sysctl net.inet.ip.mroute.maxqueued=1",
};

/* It may fail: the interface has gone, the entry is not there. */
static void
command(const char *line)
{
	char *err;

	(void)verb_line(NULL, line, false, NULL, &err);
	free(err);
}

static void
check4(const uint8_t *p, size_t len)
{
	const struct ip_hdr *ip = (const void *)p;

	if (len < sizeof(*ip) || from_be16(ip->len) != len || ip_cksum(ip) != 0)
		abort();
	if (ip->proto == IPPROTO_UDP_ && in_is_multicast(ip->dst) && ip->ttl != TTL - 1)
		abort();
}

static void
check6(const uint8_t *p, size_t len)
{
	const struct ip6_hdr *ip6 = (const void *)p;

	if (len < sizeof(*ip6) || from_be16(ip6->plen) != len - sizeof(*ip6))
		abort();
	if (ip6->nxt == IPPROTO_UDP_ && in6_is_multicast(&ip6->dst) && ip6->hlim != TTL - 1)
		abort();
}

static void
transmit(struct ifnet *ifp, struct batch *b)
{
	batch_foreach(b, m) {
		if (m->len < ETHER_HDR_LEN_ || m->len > ifp->if_mtu + ETHER_HDR_LEN_)
			abort();
		if (load16(m->data + 12) == __builtin_bswap16(ETHERTYPE_IP_))
			check4(m->data + ETHER_HDR_LEN_, m->len - ETHER_HDR_LEN_);
		else if (load16(m->data + 12) == __builtin_bswap16(ETHERTYPE_IPV6_))
			check6(m->data + ETHER_HDR_LEN_, m->len - ETHER_HDR_LEN_);
	}
	batch_free(b);
}

static void
count_upcall(void *ctx, const struct mroute_upcall *u)
{
	(void)ctx;
	if (!ipaddr_is_multicast(&u->group) || u->vif >= MROUTE_VIFS)
		abort();
	/* some are answered */
	if (++upcalls % 3 == 0)
		command(commands[upcalls % (sizeof(commands) / sizeof(commands[0]))]);
}

/* A packet of `family` to `to`, a group or us. */
static struct mbuf *
packet(int family, uint8_t source, const char *to, uint8_t proto, const uint8_t *bytes, size_t n)
{
	const unsigned hdrlen = family == AF_INET ? sizeof(struct ip_hdr) : sizeof(struct ip6_hdr);
	struct mbuf *m = m_get((uint32_t)(hdrlen + n));
	struct ipaddr dst;

	ipaddr_aton(to, family, &dst);
	memcpy(m->data + hdrlen, bytes, n);
	if (family == AF_INET) {
		struct ip_hdr *ip = mtod(m, struct ip_hdr *);

		*ip = (struct ip_hdr){ .vhl = 0x45,
			.len = to_be16((uint16_t)m->len),
			.ttl = TTL,
			.proto = proto,
			.src = load32((uint8_t[]){ 10, 0, 0, source }),
			.dst = ipaddr_in(&dst) };
		ip->sum = ip_cksum(ip);
	} else {
		*mtod(m, struct ip6_hdr *) = (struct ip6_hdr){
			.flow = to_be32(UINT32_C(6) << 28),
			.plen = to_be16((uint16_t)n),
			.nxt = proto,
			.hlim = TTL,
			.src = { { 0x20, 1, 0x0d, 0xb8, [15] = source } },
			.dst = *ipaddr_in6(&dst),
		};
	}
	return m;
}

/* It comes in as a frame to everybody's groups, or to us. */
static void
receive(struct ifnet *ifp, int family, struct mbuf *m)
{
	static const uint8_t group_mac[6] = { 1, 0, 0x5e, 1, 1, 1 },
			     group6_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	bool group = (family == AF_INET ? m->data[16] : m->data[24]) >= 224;

	m = m_prepend(m, ETHER_HDR_LEN_);
	memcpy(m->data, group ? family == AF_INET ? group_mac : group6_mac : ifp->if_lladdr, 6);
	memcpy(m->data + 6, "\x02\0\0\0\x09\x09", 6);
	memcpy(m->data + 12, family == AF_INET ? "\x08\0" : "\x86\xdd", 2);
	fuzz_receive(ifp, m);
}

/* A message to us, perhaps made a likely Register of a likely packet. */
static void
hear_pim(int family, uint8_t how, const uint8_t *data, size_t n)
{
	const char *here = family == AF_INET ? "10.0.0.1" : "2001:db8::1";
	const char *group = family == AF_INET ? "239.1.1.1" : "ff1e::1";
	struct mbuf *inner = packet(family, how & 1 ? 5 : how, group, IPPROTO_UDP_, data, n), *m;
	const unsigned hdrlen = family == AF_INET ? sizeof(struct ip_hdr) : sizeof(struct ip6_hdr);
	uint8_t bytes[8 + PIECE_MAX + sizeof(struct ip6_hdr)] = { 0x21 }, *p;
	size_t len = n;

	memcpy(bytes + (how & 0x10 ? 8 : 0), how & 0x10 ? inner->data : data,
	    how & 0x10 ? inner->len : n);
	if (how & 0x10)
		len = 8 + inner->len - (how & 0x60 ? 0 : n / 2);
	m_free(inner);
	m = packet(family, 9, how & 8 ? here : group, IPPROTO_PIM_, bytes, len);
	p = m->data + hdrlen;
	if (len >= 8 && (how & 0x80) == 0) {
		const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
		uint64_t sum = 0;

		if (family == AF_INET6)
			sum = ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_PIM_, 8);
		store16(p + 2, 0);
		store16(p + 2, cksum_fold(cksum_add(sum, p, 8)));
	}
	receive(ifs[0], family, m);
}

static void
step(const uint8_t *data, size_t n)
{
	const uint8_t how = data[0], last = data[n - 1];
	const int family = how & 1 ? AF_INET : AF_INET6;
	const char *group = family == AF_INET ? "239.1.1.1" : "ff1e::1";

	switch (how >> 1 & 3) {
	case 0:
		command(commands[last % (sizeof(commands) / sizeof(commands[0]))]);
		break;
	case 1:
		receive(ifs[how >> 3 & 1], family,
		    packet(family, last & 7, group, IPPROTO_UDP_, data, n));
		break;
	default:
		hear_pim(family, last, data, n);
	}
	sched_run(clock_now() + ((uint64_t)(how >> 4) << 26));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_stack stack;

	upcalls = 0;
	fuzz_begin(&stack);
	for (int i = 0; i < IFS; i++)
		ifs[i] = fuzz_interface(i, transmit);
	command("sysctl net.inet6.ip6.dad_count=0");
	command("ifconfig mem0 inet 10.0.0.1/24");
	command("ifconfig mem1 inet 10.0.1.1/24");
	command("ifconfig mem0 inet6 2001:db8::1/64");
	command("ifconfig mem1 inet6 2001:db8:1::1/64");
	command("mroute register none");
	command(commands[0]);
	command(commands[4]);
	(void)mroute_attach(AF_INET, count_upcall, NULL);
	(void)mroute_attach(AF_INET6, count_upcall, NULL);
	while (len > 0) {
		size_t n = len < PIECE_MAX ? len : PIECE_MAX;

		step(data, n);
		data += n;
		len -= n;
	}
	mroute_detach(AF_INET);
	mroute_detach(AF_INET6);
	command("mroute flush all");
	command("ifconfig pimreg0 destroy");
	for (int i = 0; i < IFS; i++)
		fuzz_end_interface(ifs[i]);
	fuzz_require_bare(&stack);
	fuzz_end(&stack);
	return 0;
}
