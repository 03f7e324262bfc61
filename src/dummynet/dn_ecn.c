/*
 * dn_ecn.c - Congestion Experienced (RFC 3168): a packet whose sender understands is told, not lost.
 *
 * The two bits of ECN are the lowest of IPv4's type of service and of IPv6's traffic class: 0 the
 * sender doesn't understand, 1 and 2 it does (ECT), 3 Congestion Experienced.
 */
#include "dummynet/dn_aqm.h"
#include "dummynet/dn_ip.h"

enum { NOT_ECT = 0, CE = 3 };
enum { CLASS_SHIFT = 4 }; /* of the traffic class's low half in the second byte of IPv6 */

static void
mark4(struct ip_hdr *ip)
{
	const uint16_t was = load16(ip);

	ip->tos |= CE;
	ip->sum = cksum_follow(ip->sum, was, load16(ip));
}

bool
dn_ecn_mark(struct mbuf *m)
{
	const struct dn_ip ip = dn_ip_of(m);
	unsigned ecn;

	if (ip.family == 0)
		return false;
	ecn = ip.header[1] >> (ip.family == 6 ? CLASS_SHIFT : 0) & CE;
	if (ecn == NOT_ECT)
		return false;
	if (ecn == CE) /* somebody has said it before us */
		return true;
	if (!m_writable(m))
		return false;
	if (ip.family == 4)
		mark4((void *)ip.header);
	else
		ip.header[1] |= CE << CLASS_SHIFT;
	return true;
}
