/*
 * fw_packets.h - tests of what the firewall does to packets: rules from lines, packets of either
 * family, and the host's stack with two interfaces in memory (inet6_fixture.h).
 */
#ifndef WARREN_TESTS_UNIT_FW_PACKETS_H
#define WARREN_TESTS_UNIT_FW_PACKETS_H

#include "inet6_fixture.h"

#include "base/log.h"
#include "ipfw/check.h"
#include "ipfw/hook.h"
#include "ipfw/nat.h"
#include "net/pfil.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 0x10, URG = 0x20 };

/* --- rules ------------------------------------------------------------------------------------ */

static inline struct fw_rule *
rule_of(const char *line)
{
	const char *open;
	char **argv, why[256] = "";
	struct fw_rule *r;
	int argc;

	assert_int_equal(verb_split(line, &argc, &argv, &open), 0);
	r = fw_rule_parse(argc, argv, why, sizeof(why));
	verb_split_free(argc, argv);
	if (r == NULL)
		fail_msg("%s: %s", line, why);
	return r;
}

/* Into the chain of the host's stack; the chain's reference keeps it. */
static inline struct fw_rule *
add(const char *line)
{
	struct fw_rule *r = rule_of(line);

	assert_int_equal(fw_add(r), 0);
	return r;
}

static inline void
flush_rules(void)
{
	assert_true(fw_flush() >= 0);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* An IP packet around the bytes of its upper layer, from an address of either family to another. */
static inline struct mbuf *
ip_around(const char *src, const char *dst, uint8_t proto, const void *upper, uint32_t len)
{
	bool v6 = strchr(src, ':') != NULL;
	struct mbuf *m = v6 ? packet6(src, dst, proto, len) : packet(a4(src), a4(dst), proto, len);

	memcpy(m->data + (v6 ? 40 : 20), upper, len);
	m->rcvif = lan.ifp;
	m->when_ns = clock_now();
	return m;
}

/* Bytes of the upper layer's header in an IP packet without options and extensions. */
static inline uint8_t *
upper_of(struct mbuf *m)
{
	return m->data + (m->data[0] >> 4 == 4 ? 20 : 40);
}

/* With `n` bytes of options (a multiple of 4) and `data` bytes behind; sums are right. */
static inline struct mbuf *
tcp_with(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags,
    const uint8_t *options, uint32_t n, uint32_t data)
{
	uint8_t th[20 + 40 + 1500] = { 0 };
	const be16 ports[2] = { to_be16(sport), to_be16(dport) };
	struct mbuf *m;
	uint64_t sum;

	memcpy(th, ports, 4);
	store32(th + 4, __builtin_bswap32(1000));
	store32(th + 8, __builtin_bswap32(flags & ACK ? 2000 : 0));
	th[12] = (uint8_t)((20 + n) / 4 << 4);
	th[13] = flags;
	store16(th + 14, __builtin_bswap16(4096));
	memcpy(th + 20, options, n);
	m = ip_around(src, dst, IPPROTO_TCP_, th, 20 + n + data);
	sum = m->data[0] >> 4 == 4 ?
	    ip_pseudo_sum(a4(src), a4(dst), IPPROTO_TCP_, (uint16_t)(20 + n + data)) :
	    ip6_pseudo_sum(&mtod(m, struct ip6_hdr *)->src, &mtod(m, struct ip6_hdr *)->dst,
		IPPROTO_TCP_, 20 + n + data);
	store16(upper_of(m) + 16, cksum_fold(cksum_add(sum, upper_of(m), 20 + n + data)));
	return m;
}

static inline struct mbuf *
tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags)
{
	return tcp_with(src, sport, dst, dport, flags, (const uint8_t *)"", 0, 0);
}

static inline struct mbuf *
udp(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint32_t data)
{
	uint8_t uh[8 + 2000] = { 0 };
	const be16 words[3] = { to_be16(sport), to_be16(dport), to_be16((uint16_t)(8 + data)) };
	struct mbuf *m;
	uint64_t sum;

	memcpy(uh, words, 6);
	m = ip_around(src, dst, IPPROTO_UDP_, uh, 8 + data);
	if (m->data[0] >> 4 == 6) {
		sum = ip6_pseudo_sum(&mtod(m, struct ip6_hdr *)->src,
		    &mtod(m, struct ip6_hdr *)->dst, IPPROTO_UDP_, 8 + data);
		store16(upper_of(m) + 6, cksum_fold(cksum_add(sum, upper_of(m), 8 + data)));
	}
	return m;
}

static inline struct mbuf *
icmp(const char *src, const char *dst, uint8_t type, uint8_t code)
{
	uint8_t message[8] = { type, code };
	struct mbuf *m;

	if (strchr(src, ':') != NULL) {
		m = message6(src, dst, type, code, 0);
		m->when_ns = clock_now();
		m->rcvif = lan.ifp;
		return m;
	}
	store16(message + 2, cksum_fold(cksum_add(0, message, 8)));
	return ip_around(src, dst, IPPROTO_ICMP_, message, 8);
}

/* Part of a datagram, behind `off` bytes of it. */
static inline struct mbuf *
fragment(struct mbuf *m, uint32_t off, bool more)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	ip->off = to_be16((uint16_t)(off / 8 | (more ? IP_MF_ : 0)));
	resum(m);
	return m;
}

/* As a frame, to the interface from its neighbour. */
static inline struct mbuf *
framed(struct mbuf *m, const struct memif *to)
{
	const uint16_t type = m->data[0] >> 4 == 4 ? ETHERTYPE_IP_ : ETHERTYPE_IPV6_;

	m = m_prepend(m, ETHER_HDR_LEN_);
	memcpy(m->data, to->ifp->if_lladdr, 6);
	memcpy(m->data + 6, peer_mac, 6);
	store16(m->data + 12, __builtin_bswap16(type));
	return m;
}

/* It comes in by the interface. Takes m, at its IP header. */
static inline void
comes_in(struct memif *mi, struct mbuf *m)
{
	m = framed(m, mi);
	m->when_ns = clock_now();
	memif_receive(mi, m);
	while (netisr_run())
		continue;
}

/* The IP header of the n-th frame that mi has sent, from 0; NULL. */
static inline struct ip_hdr *
went_out(const struct memif *mi, uint32_t n)
{
	struct mbuf *m = mi->sent.head;

	while (m != NULL && n-- > 0)
		m = m->next;
	return m != NULL ? frame_ip(m) : NULL;
}

/* Where a packet is read. */
static inline struct fw_packet
read_at(struct mbuf *m, enum pfil_point point, enum pfil_dir dir, struct ifnet *ifp)
{
	struct fw_packet p;

	assert_int_equal(fw_packet_read(&p, m, point, dir, ifp), FW_PACKET_OK);
	return p;
}

static inline struct fw_packet
read_in(struct mbuf *m)
{
	return read_at(m, m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6, PFIL_IN, lan.ifp);
}

/* --- a router --------------------------------------------------------------------------------- */

/* lan 10.0.0.1/24, wan 10.1.0.1/24 and router6()'s; neighbours .2 on both. */
static inline void
router(void)
{
	router6();
	command("ifconfig mem1 inet 10.1.0.1/24");
	neighbour(&wan, "10.1.0.2");
	command("sysctl net.inet.ip.forwarding=1");
	memif_clear(&lan);
	memif_clear(&wan);
}

/* Lines that were logged. */
static char logged[4096];
static unsigned logged_lines;

static inline void
catch_log(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who;
	snprintf(logged, sizeof(logged), "%s", line);
	logged_lines++;
}

static inline void
log_catch(void)
{
	logged_lines = 0;
	logged[0] = '\0';
	log_set_sink(catch_log, NULL);
}

#endif
