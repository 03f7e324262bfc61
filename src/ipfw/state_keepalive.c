/*
 * state_keepalive.c - asks both ends of a silent TCP flow whether they are still there.
 *
 * An empty segment whose number is one below the expected one must be answered with an
 * acknowledgement (RFC 9293 3.10.7.4, 3.8.4), and the answer prolongs the flow's dynamic rule. What
 * each end expects is what it has acknowledged last. The segment carries the other end's address as
 * its source, or what NAT makes of it: the flow may be known here by addresses of the other side.
 */
#include "ipfw/nat.h"
#include "ipfw/segment.h"
#include "ipfw/state_internal.h"

#include "inet/ip.h"
#include "inet6/ip6.h"

/* What the end `to` gets; its number is the one that is expected. */
static struct fw_segment
segment_to(const struct state_flow *f, const uint32_t ack[2], int to)
{
	const int from = !to;

	return (struct fw_segment){ .v6 = f->v6,
		.flags = TH_ACK,
		.fib = f->fib,
		.port = { f->port[from], f->port[to] },
		.addr4 = { f->addr4[from], f->addr4[to] },
		.addr6 = { f->addr6[from], f->addr6[to] },
		.seq = ack[to],
		.ack = ack[from] };
}

/* Nobody answers here: stacks have no TCP of their own. A link-local end has no zone. */
static bool
is_asked(const struct fw_segment *s)
{
	if (s->v6)
		return !in6_is_scoped(&s->addr6[1]) && in6_local(&s->addr6[1]) == NULL;
	return in_local(s->addr4[1]) == NULL;
}

void
state_keepalive(const struct state_flow *f, const uint32_t ack[2])
{
	struct fw_segment s;

	if (ack[0] == 0 || ack[1] == 0)
		return; /* not all is known that a segment must say */
	for (int to = 0; to < 2; to++) {
		s = segment_to(f, ack, to);
		fw_nat_segment(&s);
		s.seq--;
		if (is_asked(&s))
			fw_segment_send(&s);
	}
}
