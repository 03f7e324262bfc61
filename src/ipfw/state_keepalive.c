/*
 * state_keepalive.c - asks both ends of a silent TCP flow whether they are still there.
 *
 * An empty segment whose number is one below the expected one must be answered with an
 * acknowledgement (RFC 9293 3.10.7.4, 3.8.4), and the answer prolongs the flow's dynamic rule. What
 * each end expects is what it has acknowledged last. The segment passes this stack's filter unseen
 * (M_PASSED_PFIL); it carries the other end's address as its source.
 */
#include "ipfw/state_internal.h"

#include "inet/ip.h"
#include "inet6/ip6.h"

#include <string.h>

enum { TCP_HLEN = 20, TCP_ACK_FLAG = 0x10 };

struct tcp_segment {
	be16 sport, dport;
	be32 seq, ack;
	uint8_t off, flags;
	be16 win;
	uint16_t sum;
	be16 urp;
} __attribute__((packed));
_Static_assert(sizeof(struct tcp_segment) == TCP_HLEN, "wire");

/* What the end `to` gets. */
static struct mbuf *
segment_to(const struct state_flow *f, const uint32_t ack[2], int to)
{
	const int from = !to;
	struct mbuf *m = m_get(TCP_HLEN);
	struct tcp_segment *th;
	uint64_t sum;

	if (m == NULL)
		return NULL;
	th = mtod(m, struct tcp_segment *);
	*th = (struct tcp_segment){ .sport = to_be16(f->port[from]),
		.dport = to_be16(f->port[to]),
		.seq = to_be32(ack[to] - 1),
		.ack = to_be32(ack[from]),
		.off = (TCP_HLEN / 4) << 4,
		.flags = TCP_ACK_FLAG };
	sum = f->v6 ? ip6_pseudo_sum(&f->addr6[from], &f->addr6[to], IPPROTO_TCP_, TCP_HLEN) :
		      ip_pseudo_sum(f->addr4[from], f->addr4[to], IPPROTO_TCP_, TCP_HLEN);
	th->sum = cksum_fold(cksum_add(sum, th, TCP_HLEN));
	m->fib = f->fib;
	m->flags |= M_PASSED_PFIL;
	return m;
}

static void
send_to(const struct state_flow *f, const uint32_t ack[2], int to)
{
	struct mbuf *m = segment_to(f, ack, to);

	if (m == NULL)
		return;
	if (f->v6)
		ip6_output(m, &f->addr6[!to], &f->addr6[to], IPPROTO_TCP_, NULL);
	else
		ip_output(m, f->addr4[!to], f->addr4[to], IPPROTO_TCP_, NULL);
}

/* Nobody answers here: stacks have no TCP of their own. A link-local end has no zone. */
static bool
is_asked(const struct state_flow *f, int to)
{
	if (f->v6)
		return !in6_is_scoped(&f->addr6[to]) && in6_local(&f->addr6[to]) == NULL;
	return in_local(f->addr4[to]) == NULL;
}

void
state_keepalive(const struct state_flow *f, const uint32_t ack[2])
{
	if (ack[0] == 0 || ack[1] == 0)
		return; /* not all is known that a segment must say */
	for (int to = 0; to < 2; to++)
		if (is_asked(f, to))
			send_to(f, ack, to);
}
