/*
 * ip6_frag.c - cutting a packet made here to the path's size (RFC 8200 section 4.5).
 *
 * What nodes on the way read (hop-by-hop options, a routing header and what stands before it) is in
 * every fragment; then comes the fragment header, then a multiple of eight bytes, but for the last.
 * The first fragment is the packet itself, cut short. A packet that fits is left as it is: a
 * fragment that is the whole packet helps nobody but attackers (RFC 8021). Identifications can't be
 * guessed (RFC 7739): somebody else's fragments must not fit ours. Counting is the caller's.
 */
#include "inet6/ip6_ext.h"

#include "base/rng.h"

#include <errno.h>
#include <stdio.h>

enum { FH_LEN = sizeof(struct ip6_frag_hdr) };

VNET_DEFINE_STATIC(struct rng, ip6_idrng);

static uint32_t
new_id(void)
{
	struct rng *rng = &VNET(ip6_idrng);
	char stream[96];

	if ((rng->s[0] | rng->s[1] | rng->s[2] | rng->s[3]) == 0) {
		snprintf(stream, sizeof(stream), "%s ip6 id", vnet_name(curvnet));
		rng_seed(rng, rng_process_seed, stream);
	}
	return (uint32_t)(rng_u64(rng) >> 32);
}

/* Where the part begins that may be cut. */
static struct ip6_chain
fragmentable(const struct mbuf *m)
{
	struct ip6_chain c = ip6_chain_begin(), end = c;
	unsigned len;

	for (;;) {
		uint8_t proto = m->data[c.named];

		if (proto != IPPROTO_HOPOPTS_ && proto != IPPROTO_ROUTING_ &&
		    proto != IPPROTO_DSTOPTS_)
			return end;
		len = ip6_ext_len(m->data, m->len, c.off, proto);
		if (len == 0)
			return end;
		c = (struct ip6_chain){ .off = c.off + len, .named = c.off };
		if (proto != IPPROTO_DSTOPTS_)
			end = c;
	}
}

/* Write what makes a packet of the headers and data in m a fragment: lengths and fh at c. */
static void
fragment_finish(
    struct mbuf *m, const struct ip6_chain *c, struct ip6_frag_hdr fh, unsigned at, bool more)
{
	fh.offlg = to_be16((uint16_t)(at | (more ? IP6F_MORE : 0)));
	memcpy(m->data + c->off, &fh, FH_LEN);
	m->data[c->named] = IPPROTO_FRAGMENT_;
	mtod(m, struct ip6_hdr *)->plen = to_be16((uint16_t)(m->len - IP6_HDRLEN));
	m->flags |= M_FRAG;
}

/* A fragment with m's headers before c and len bytes of its data from `at` on; NULL: no memory. */
static struct mbuf *
fragment_make(const struct mbuf *m, const struct ip6_chain *c, unsigned at, unsigned len)
{
	struct mbuf *f = m_get(c->off + FH_LEN + len);

	if (f == NULL)
		return NULL;
	memcpy(f->data, m->data, c->off);
	memcpy(f->data + c->off + FH_LEN, m->data + c->off + at, len);
	f->flags = m->flags;
	f->fib = m->fib;
	f->when_ns = m->when_ns;
	f->rcvif = m->rcvif;
	f->nh = m->nh;
	f->flowid = m->flowid;
	return f;
}

/* Cut m behind the first fragment's data and put a fragment header before them; NULL: no memory. */
static struct mbuf *
first_make(struct mbuf *m, const struct ip6_chain *c, unsigned len)
{
	if ((m = m_prepend(m, FH_LEN)) == NULL)
		return NULL;
	memmove(m->data, m->data + FH_LEN, c->off);
	m_trim(m, c->off + FH_LEN + len);
	return m;
}

/* Give up. The datagram is one drop, which the caller counts, however many pieces there were. */
static int
fragment_fail(struct mbuf *m, struct mbufq *made, int error)
{
	mbufq_drain(made);
	m_free(m);
	return error;
}

/* Does the first fragment, with room for so much data, have all headers (RFC 7112 3)? */
static bool
headers_fit(const struct mbuf *m, const struct ip6_chain *c, unsigned room)
{
	uint8_t proto;
	int upper = ip6_upper(m->data, m->len, &proto);

	return upper < 0 || (unsigned)upper + ip6_upper_min(proto) <= c->off + room;
}

int
ip6_fragment(struct mbuf *m, uint32_t mtu, struct mbufq *out)
{
	struct ip6_chain c = fragmentable(m);
	struct ip6_frag_hdr fh = { .nxt = m->data[c.named] };
	unsigned data = m->len - c.off, room, at;
	struct mbufq made;
	struct mbuf *f;

	if (m->len <= mtu) {
		mbufq_push(out, m);
		return 0;
	}
	mbufq_init(&made);
	if (mtu < c.off + FH_LEN + 8)
		return fragment_fail(m, &made, -EMSGSIZE);
	room = (mtu - c.off - FH_LEN) & ~7u;
	if (!headers_fit(m, &c, room))
		return fragment_fail(m, &made, -EMSGSIZE);
	fh.id = to_be32(new_id());

	for (at = room; at < data; at += room) {
		unsigned len = data - at < room ? data - at : room;

		f = fragment_make(m, &c, at, len);
		if (f == NULL)
			return fragment_fail(m, &made, -ENOBUFS);
		fragment_finish(f, &c, fh, at, at + len < data);
		mbufq_push(&made, f);
	}
	if ((m = first_make(m, &c, room)) == NULL)
		return fragment_fail(NULL, &made, -ENOBUFS);
	fragment_finish(m, &c, fh, 0, true);
	mbufq_push(out, m);
	while ((f = mbufq_pop(&made)) != NULL)
		mbufq_push(out, f);
	return 0;
}
