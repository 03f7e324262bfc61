/*
 * segment.c - empty segments of TCP that the firewall sends in another's name.
 *
 * They pass this stack's rules unseen (M_PASSED_PFIL): whoever sends one has been told to by a rule.
 */
#include "ipfw/segment.h"

#include "inet/ip.h"
#include "inet6/ip6.h"
#include "kern/drop.h"

DROP_DEFINE(DROP_FW_SEGMENT_NOMEM, "ipfw", "segmentnomem", "no memory for a reset or a keepalive");

static uint64_t
pseudo_sum(const struct fw_segment *s, uint32_t len)
{
	return s->v6 ? ip6_pseudo_sum(&s->addr6[0], &s->addr6[1], IPPROTO_TCP_, len) :
		       ip_pseudo_sum(s->addr4[0], s->addr4[1], IPPROTO_TCP_, (uint16_t)len);
}

void
fw_segment_send(const struct fw_segment *s)
{
	struct tcp_hdr th = { .sport = to_be16(s->port[0]),
		.dport = to_be16(s->port[1]),
		.seq = to_be32(s->seq),
		.ack = to_be32(s->ack),
		.off = sizeof(th) / 4 << 4,
		.flags = s->flags };
	struct mbuf *m;

	th.sum = cksum_fold(cksum_add(pseudo_sum(s, sizeof(th)), &th, sizeof(th)));
	if ((m = m_from(&th, sizeof(th))) == NULL) {
		drop_count(&DROP_FW_SEGMENT_NOMEM, 1);
		return;
	}
	m->fib = s->fib;
	m->flags |= M_PASSED_PFIL;
	if (s->v6)
		ip6_output(m, &s->addr6[0], &s->addr6[1], IPPROTO_TCP_, NULL);
	else
		ip_output(m, s->addr4[0], s->addr4[1], IPPROTO_TCP_, NULL);
}
