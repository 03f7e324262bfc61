/*
 * nat_fixture.h - tests of NAT: packets are sent through an instance.
 */
#ifndef WARREN_TESTS_UNIT_NAT_FIXTURE_H
#define WARREN_TESTS_UNIT_NAT_FIXTURE_H

#include "fw_fixture.h"
#include "sealed_packets.h"

#include "ipfw/nat.h"

#define INSIDE "10.0.0.2"
#define OUTSIDE "198.51.100.7"
#define ALIAS "192.0.2.1"

/* What fw_nat said last. */
static enum fw_nat_result verdict;

/* Through instance number n; the packet as it is then, NULL if it is dropped. */
static inline struct mbuf *
through(uint32_t n, struct mbuf *m, enum pfil_dir dir)
{
	struct fw_packet p;

	assert_int_equal(fw_packet_read(&p, m, PFIL_INET, dir, lan.ifp), FW_PACKET_OK);
	verdict = fw_nat(n, &p);
	if (verdict == FW_NAT_OK)
		return p.m;
	m_free(p.m);
	return NULL;
}

static inline struct mbuf *
out(struct mbuf *m)
{
	return through(1, m, PFIL_OUT);
}

static inline struct mbuf *
in(struct mbuf *m)
{
	return through(1, m, PFIL_IN);
}

/* m goes from one end to the other, sound; ports 0: not looked at. Frees m. */
static inline void
assert_ends(struct mbuf *m, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	const struct ip_hdr *ip;

	assert_non_null(m);
	ip = mtod(m, const struct ip_hdr *);
	assert_int_equal(ip->src, a4(src));
	assert_int_equal(ip->dst, a4(dst));
	if (sport != 0)
		assert_int_equal(get16(m, 20), sport);
	if (dport != 0)
		assert_int_equal(get16(m, 22), dport);
	assert_sealed(m);
	m_free(m);
}

/* It is dropped. */
static inline void
assert_dropped(const struct mbuf *m)
{
	assert_null(m);
	assert_int_equal(verdict, FW_NAT_DROP);
}

/* The port that the outside sees of a flow from inside. Frees m. */
static inline uint16_t
alias_port(struct mbuf *m)
{
	uint16_t port;

	assert_non_null(m);
	port = get16(m, 20);
	m_free(m);
	return port;
}

/* Links, as sysctl says. */
static inline unsigned
nat_sysctl(const char *name)
{
	char text[32];

	assert_int_equal(sysctl_read(sysctl_find(name), text, sizeof(text)), 0);
	return (unsigned)atoi(text);
}

static inline unsigned
links(void)
{
	return nat_sysctl("net.inet.ip.fw.nat_links");
}

/* A command, and what it says. */
static inline void
assert_says(const char *line, const char *text)
{
	char *out_text = NULL, *err = NULL;

	assert_int_equal(verb_line(NULL, line, false, &out_text, &err), 0);
	assert_string_equal(out_text, text);
	free(out_text);
	free(err);
}

static inline void
assert_fails(const char *line, int status, const char *word)
{
	char *out_text = NULL, *err = NULL;

	assert_int_equal(verb_line(NULL, line, false, &out_text, &err), status);
	if (strstr(err, word) == NULL)
		fail_msg("%s: '%s' does not name %s", line, err, word);
	free(out_text);
	free(err);
}

#endif
