/*
 * reject.c - a packet that is denied gets an answer: an ICMP error, or the reset of its connection.
 *
 * No answer to what many may have received, to fragments that don't show what they are, and to ICMP
 * that is no question (RFC 1122 3.2.2, RFC 4443 2.4 e). How many errors a second there may be is
 * icmp.c's and icmp6.c's to say.
 *
 * Errors meet the rules on their way out, like everything that is made here. Resets don't: they
 * carry somebody else's address, and the rules have said that they are to be sent.
 */
#include "ipfw/hook_internal.h"

#include "inet/icmp.h"
#include "inet6/icmp6.h"
#include "ipfw/nat.h"
#include "ipfw/segment.h"

/* --- may there be an answer? ------------------------------------------------------------------ */

/* Of IPv4 (RFC 792, 950, 1256): echo, router solicitation, timestamp, information, mask. */
static bool
is_icmp_query(uint8_t type)
{
	return type == ICMP_ECHO_ || type == 10 || type == ICMP_TSTAMP_ || type == 15 ||
	    type == ICMP_MASKREQ_;
}

/* Echo, membership query, node information query (RFC 4620). */
static bool
is_icmp6_query(uint8_t type)
{
	enum { NODE_INFORMATION_QUERY = 139 };

	return type == ICMP6_ECHO_REQUEST_ || type == MLD_QUERY || type == NODE_INFORMATION_QUERY;
}

/* Did, or would, the frame go to many? The flags know it at layer 3, the frame itself at layer 2. */
static bool
is_for_many_on_link(const struct fw_packet *p)
{
	return (p->m->flags & (M_BCAST | M_MCAST)) || (p->layer2 && (p->m->data[0] & 1));
}

static bool
may_answer4(const struct fw_packet *p)
{
	if (p->proto == IPPROTO_ICMP_ && !(p->has_icmp && is_icmp_query(p->icmp_type)))
		return false;
	return !in_is_multicast(p->dst) && p->dst != INADDR_BROADCAST;
}

static bool
may_answer6(const struct fw_packet *p)
{
	if (p->proto == IPPROTO_ICMPV6_ && !(p->has_icmp && is_icmp6_query(p->icmp_type)))
		return false;
	return !in6_is_multicast(&p->dst6) && !in6_is_multicast(&p->src6) && !in6_is_any(&p->src6);
}

static bool
may_answer(const struct fw_packet *p)
{
	if (p->ip == 0 || p->later_fragment || is_for_many_on_link(p))
		return false;
	return p->ip == 4 ? may_answer4(p) : may_answer6(p);
}

/* --- resets ----------------------------------------------------------------------------------- */

/* What the segment takes of the sequence space: its data, a SYN, a FIN. */
static uint32_t
segment_len(const struct fw_packet *p, const struct tcp_hdr *th)
{
	uint32_t headers = (uint32_t)(p->l4 - p->l3) + (uint32_t)(th->off >> 4) * 4;
	uint32_t data = p->ip_len > headers ? p->ip_len - headers : 0;

	return data + ((th->flags & TH_SYN) != 0) + ((th->flags & TH_FIN) != 0);
}

/* RFC 9293 3.10.7.1: the sequence number that the segment acknowledges; else one that fits it. */
static struct fw_segment
reset_for(const struct fw_packet *p, const struct tcp_hdr *th)
{
	const struct ifnet *link = p->in ? p->recv : p->xmit;
	struct fw_segment r = { .v6 = p->ip == 6,
		.flags = TH_RST,
		.fib = p->m->fib,
		.port = { p->dport, p->sport },
		.addr4 = { p->dst, p->src } };

	if (r.v6) {
		r.addr6[0] = ip6_zoned(&p->dst6, link);
		r.addr6[1] = ip6_zoned(&p->src6, link);
	}
	if (th->flags & TH_ACK) {
		r.seq = from_be32(th->ack);
	} else {
		r.ack = from_be32(th->seq) + segment_len(p, th);
		r.flags |= TH_ACK;
	}
	return r;
}

static void
send_reset(const struct fw_packet *p)
{
	const struct tcp_hdr *th = (const void *)(p->m->data + p->l4);
	struct fw_segment reset;

	if (!p->has_tcp || (th->flags & TH_RST))
		return;
	reset = reset_for(p, th);
	fw_nat_segment(&reset);
	fw_segment_send(&reset);
}

/* --- errors ----------------------------------------------------------------------------------- */

/* At the IP header, as icmp_error wants it. */
static void
send_error(const struct fw_packet *p, uint8_t code)
{
	struct mbuf *m = p->m;
	const uint32_t l2 = p->l3;

	m_adj(m, l2);
	if (p->ip == 4)
		icmp_error(m, ICMP_UNREACH_, code, 0);
	else
		icmp6_error(m, ICMP6_DST_UNREACH_, code, 0);
	m->data -= l2;
	m->len += l2;
}

void
fw_reject(const struct fw_packet *p, enum fw_action action, uint32_t code)
{
	const bool v6 = action == FW_ACT_UNREACH6 || action == FW_ACT_RESET6;

	if (p->ip != (v6 ? 6 : 4) || !may_answer(p))
		return;
	if (action == FW_ACT_RESET || action == FW_ACT_RESET6)
		send_reset(p);
	else
		send_error(p, (uint8_t)code);
}
