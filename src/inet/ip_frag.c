/*
 * ip_frag.c - cutting a datagram to a link's size (RFC 791 section 3.2).
 *
 * The first fragment is the packet itself, cut short; each other one is a new packet with a copy of
 * the header, of the options that ask for it by their copy flag, and of its part of the data. All
 * but the last carry a multiple of eight bytes. Whether the packet may be cut at all (DF) is the
 * caller's question, and so is the counting.
 */
#include "inet/ip.h"

#include <errno.h>

enum { OPT_EOL = 0, OPT_NOP = 1, OPT_COPIED = 0x80 };

/*
 * Write the header of all fragments but the first to `to`: that of ip without the options that stay
 * behind. Returns its length, padded to words. Options that are malformed end the copying.
 */
static unsigned
header_of_rest(const struct ip_hdr *ip, uint8_t to[60])
{
	const uint8_t *opt = (const uint8_t *)(ip + 1);
	unsigned left = ip_hlen(ip) - (unsigned)sizeof(*ip), len = sizeof(*ip);

	memcpy(to, ip, sizeof(*ip));
	while (left > 0 && opt[0] != OPT_EOL) {
		unsigned n = opt[0] == OPT_NOP ? 1 : left >= 2 ? opt[1] : 0;

		if (n == 0 || n > left || (n == 1 && opt[0] != OPT_NOP))
			break;
		/* A no-op is kept too, so that what it aligned stays aligned. */
		if (opt[0] == OPT_NOP || (opt[0] & OPT_COPIED)) {
			memcpy(to + len, opt, n);
			len += n;
		}
		opt += n;
		left -= n;
	}
	/* Only no-ops left over: nothing that needs room. */
	while (len > sizeof(*ip) && to[len - 1] == OPT_NOP && to[len - 2] == OPT_NOP)
		len--;
	if (len == sizeof(*ip) + 1 && to[sizeof(*ip)] == OPT_NOP)
		len--;
	while (len % 4 != 0)
		to[len++] = OPT_EOL;
	((struct ip_hdr *)(void *)to)->vhl = (uint8_t)(0x40 | len / 4);
	return len;
}

static void
header_finish(struct mbuf *m, unsigned off)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	ip->len = to_be16((uint16_t)m->len);
	ip->off = to_be16((uint16_t)off);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
}

/* A fragment with the header hdr and len bytes of m's data from `at` on; NULL without memory. */
static struct mbuf *
fragment_make(const struct mbuf *m, const uint8_t *hdr, unsigned hlen, unsigned at, unsigned len)
{
	struct mbuf *f = m_get(hlen + len);

	if (f == NULL)
		return NULL;
	memcpy(f->data, hdr, hlen);
	memcpy(f->data + hlen, m->data + at, len);
	f->flags = m->flags;
	f->fib = m->fib;
	f->when_ns = m->when_ns;
	f->rcvif = m->rcvif;
	f->nh = m->nh;
	f->flowid = m->flowid;
	return f;
}

/* Give up. The datagram is one drop, which the caller counts, however many pieces there were. */
static int
fragment_fail(struct mbuf *m, struct mbufq *made, int error)
{
	mbufq_drain(made);
	m_free(m);
	return error;
}

int
ip_fragment(struct mbuf *m, uint32_t mtu, struct mbufq *out)
{
	struct mbufq made;
	struct mbuf *f;
	uint8_t rest[60];
	unsigned hlen, rest_hlen, total, at, first, room, off, more;

	mbufq_init(&made);
	m = m_unshare(m);
	if (m == NULL)
		return -ENOBUFS;
	hlen = ip_hlen(mtod(m, struct ip_hdr *));
	rest_hlen = header_of_rest(mtod(m, struct ip_hdr *), rest);
	off = from_be16(mtod(m, struct ip_hdr *)->off);
	total = m->len;
	if (mtu < hlen + 8 || total < hlen)
		return fragment_fail(m, &made, -EMSGSIZE);
	/* A fragment that is cut again keeps its place, and its last piece keeps MF. */
	more = off & IP_MF_;
	first = (mtu - hlen) & ~7u;
	room = (mtu - rest_hlen) & ~7u;
	m->flags |= M_FRAG;

	for (at = hlen + first; at < total; at += room) {
		unsigned len = total - at < room ? total - at : room;

		f = fragment_make(m, rest, rest_hlen, at, len);
		if (f == NULL)
			return fragment_fail(m, &made, -ENOBUFS);
		header_finish(f,
		    ((off & IP_OFFMASK_) + (at - hlen) / 8) | (at + len < total ? IP_MF_ : more));
		mbufq_push(&made, f);
	}
	if (made.len > 0) {
		m_trim(m, hlen + first);
		more = IP_MF_;
	}
	header_finish(m, (off & (IP_OFFMASK_ | IP_DF_)) | more);
	mbufq_push(out, m);
	while ((f = mbufq_pop(&made)) != NULL)
		mbufq_push(out, f);
	return 0;
}
