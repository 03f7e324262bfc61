/*
 * Bytes as IPv4 packets, in both directions through an instance of NAT.
 *
 * The first byte chooses the instance's configuration. Then packets follow, each behind a byte that
 * says what is done to it and two bytes of length. On request it becomes a packet between the ends
 * that the instance knows, with right checksums: then they must be right behind it, too. What comes
 * in may be for the alias port that was drawn last, or be an ICMP error about the packet that left
 * last. At the end the stack is gone and nothing of it is left.
 */
#include "fuzz_stack.h"

#include "inet/ip.h"
#include "ipfw/nat.h"

enum how {
	COMES_IN = 1,
	MEND = 2,
	KNOWN_ENDS = 4,
	FTP = 8,
	QUOTE = 16,
	PASS_TIME = 32,
	AS_UDP = 64
};

#define INSIDE 0x0200000au
#define OUTSIDE 0x076433c6u
#define ALIAS 0x010200c0u

static const char *const configs[] = {
	"ipfw -q nat 1 config ip 192.0.2.1",
	"ipfw -q nat 1 config ip 192.0.2.1 same_ports deny_in unreg_only",
	"ipfw -q nat 1 config ip 192.0.2.1 udp_eim redirect_port tcp 10.0.0.2:21 21 "
	"redirect_port udp 10.0.0.2:53,10.0.0.3:54 53 redirect_addr 10.0.0.4 192.0.2.4 "
	"redirect_proto gre 10.0.0.5",
	"ipfw -q nat 1 config ip 192.0.2.1 reverse port_range 2000-2010",
};

/* The last packet that left, for errors to quote. */
static uint8_t left[128];
static uint32_t left_len;

static uint16_t
transport_sum(const struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const uint64_t pseudo = ip->proto == IPPROTO_ICMP_ ?
	    0 :
	    ip_pseudo_sum(ip->src, ip->dst, ip->proto, (uint16_t)(m->len - hlen));

	return cksum_fold(cksum_add(pseudo, m->data + hlen, m->len - hlen));
}

/* Offset of the checksum in a header that is there; 0: none. */
static unsigned
sum_at(const struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	if (from_be16(ip->off) & (IP_MF_ | IP_OFFMASK_))
		return 0;
	if (ip->proto == IPPROTO_TCP_ && m->len >= hlen + 20)
		return hlen + 16;
	if (ip->proto == IPPROTO_UDP_ && m->len >= hlen + 8)
		return hlen + 6;
	return ip->proto == IPPROTO_ICMP_ && m->len >= hlen + 8 ? hlen + 2 : 0;
}

static void
known_ends(struct mbuf *m, unsigned how)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	ip->src = how & COMES_IN ? OUTSIDE : INSIDE;
	ip->dst = how & COMES_IN ? ALIAS : OUTSIDE;
	if (how & (FTP | AS_UDP))
		ip->proto = how & FTP ? IPPROTO_TCP_ : IPPROTO_UDP_;
	if (m->len < 24)
		return;
	if (how & FTP)
		store16(m->data + (how & COMES_IN ? 20 : 22), __builtin_bswap16(21));
	if (how & COMES_IN && left_len >= 24)
		memcpy(m->data + 22, left + 20, 2);
}

static void
quote(struct mbuf *m)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	if (m->len < 28 + 28 || left_len < 28)
		return;
	ip->proto = IPPROTO_ICMP_;
	m->data[20] = 3;
	memcpy(m->data + 28, left, left_len < m->len - 28 ? left_len : m->len - 28);
}

/* What makes it a packet; returns the length of its header. */
static unsigned
mend(struct mbuf *m)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);
	unsigned at;

	ip->vhl = 0x45;
	ip->len = to_be16((uint16_t)m->len);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	if (ip->proto == IPPROTO_TCP_ && m->len >= 40)
		m->data[32] = 0x50;
	if ((at = sum_at(m, 20)) != 0) {
		store16(m->data + at, 0);
		store16(m->data + at, transport_sum(m, 20));
	}
	return 20;
}

static void
require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void
check(const struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const unsigned at = sum_at(m, hlen);

	require(from_be16(ip->len) == m->len, "length");
	require(ip_cksum(ip) == 0, "header checksum");
	if (at == 0 || (ip->proto == IPPROTO_UDP_ && load16(m->data + at) == 0))
		return;
	require(transport_sum(m, hlen) == 0, "checksum");
}

static void
packet(const uint8_t *bytes, uint32_t len, unsigned how)
{
	struct mbuf *m = m_from(bytes, len);
	const bool mended = (how & MEND) && len >= 20;
	struct fw_packet p;
	unsigned hlen = 0;

	if (how & PASS_TIME)
		sched_run(clock_now() + 20 * NS_PER_SEC);
	if (mended && (how & KNOWN_ENDS))
		known_ends(m, how);
	if (mended && (how & QUOTE))
		quote(m);
	if (mended)
		hlen = mend(m);
	if (fw_packet_read(&p, m, PFIL_INET, how & COMES_IN ? PFIL_IN : PFIL_OUT, NULL) !=
		FW_PACKET_OK ||
	    p.ip != 4) {
		m_free(m);
		return;
	}
	if (fw_nat(1, &p) == FW_NAT_OK && p.m != NULL) {
		if (mended)
			check(p.m, hlen);
		if (!(how & COMES_IN)) {
			left_len = p.m->len < sizeof(left) ? p.m->len : (uint32_t)sizeof(left);
			memcpy(left, p.m->data, left_len);
		}
	}
	m_free(p.m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_stack f;

	if (len < 1)
		return 0;
	fuzz_begin(&f);
	left_len = 0;
	fuzz_command("sysctl net.inet.ip.fw.nat_max_links=64");
	fuzz_command(configs[data[0] % (sizeof(configs) / sizeof(configs[0]))]);
	data++;
	len--;
	while (len > 3) {
		const unsigned how = data[0];
		uint32_t n = (uint32_t)(data[1] | data[2] << 8) % 1600;

		data += 3;
		len -= 3;
		if (n > len)
			n = (uint32_t)len;
		if (n > 0)
			packet(data, n, how);
		data += n;
		len -= n;
	}
	fuzz_command("ipfw nat 1 delete");
	fuzz_end(&f);
	return 0;
}
