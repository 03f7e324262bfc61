/*
 * udp.c - UDP (RFC 768, RFC 1122 section 4.1): the way of a datagram in and out, for both families.
 *
 *	udp_input	length, checksum -> the endpoint that fits best -> its recv,
 *			or "port unreachable"
 *	udp_send	header, checksum -> the family's output
 *
 * IPv4 joins in at the end of the file, IPv6 in inet6/udp6.c. Endpoints: udp_endpoint.c; what they
 * have to do with groups: udp_group.c.
 */
#include "inet/icmp.h"
#include "inet/udp_internal.h"
#include "kern/sysctl.h"

#include <errno.h>

DROP_DEFINE(DROP_UDP_SHORT, "udp", "tooshort", "datagram is shorter than its header");
DROP_DEFINE(DROP_UDP_BADLEN, "udp", "badlen", "length field does not fit the packet");
DROP_DEFINE(DROP_UDP_BADSUM, "udp", "badsum", "checksum is wrong");
DROP_DEFINE(DROP_UDP_NOSUM, "udp", "nosum", "no checksum, which IPv6 requires");
DROP_DEFINE(DROP_UDP_NOPORT, "udp", "noport", "nobody listens on the port");
DROP_DEFINE(DROP_UDP_NOPORT_BCAST, "udp", "noportbcast",
    "nobody listens on the port of a broadcast or multicast datagram");
DROP_DEFINE(DROP_UDP_NOBUF, "udp", "nobuf", "no memory");

VNET_DEFINE(struct udpstat, udpstat);

VNET_DEFINE_STATIC(bool, udp_blackhole) = false;
VNET_DEFINE_STATIC(bool, udp_checksum) = true;
SYSCTL_VNET_BOOL(net_inet_udp_blackhole, "net.inet.udp.blackhole", SYSCTL_RW, udp_blackhole,
    "don't say port unreachable");
SYSCTL_VNET_BOOL(net_inet_udp_checksum, "net.inet.udp.checksum", SYSCTL_RW, udp_checksum,
    "compute checksums of datagrams made here");
/* --- out -------------------------------------------------------------------------------------- */

/* Put the header before the payload in m. NULL (m freed) without memory. */
static struct mbuf *
prepend_header(const struct udp_endpoint *ep, struct mbuf *m, const struct ipaddr *src,
    const struct ipaddr *dst, uint16_t port)
{
	struct udp_hdr *uh;
	uint64_t sum;

	m = m_prepend(m, sizeof(*uh));
	if (m == NULL)
		return NULL;
	uh = mtod(m, struct udp_hdr *);
	*uh = (struct udp_hdr){
		.sport = to_be16(ep->lport),
		.dport = to_be16(port),
		.len = to_be16((uint16_t)m->len),
	};
	/* Over IPv6 there is no doing without (RFC 8200 8.1). */
	if (VNET(udp_checksum) || ep->family->af != AF_INET) {
		sum = ep->family->pseudo_sum(src, dst, IPPROTO_UDP_, m->len);
		uh->sum = cksum_fold(cksum_add(sum, m->data, m->len));
		if (uh->sum == 0) /* that would say "none" */
			uh->sum = UINT16_MAX;
	}
	return m;
}

/* Why ep can't send m to dst at all: 0 or -errno. */
static int
send_fault(const struct udp_endpoint *ep, const struct mbuf *m, const struct ipaddr *dst)
{
	if (ep->vnet == NULL)
		return -ENETDOWN;
	if (dst->family != ep->family->af)
		return -EAFNOSUPPORT;
	if (ipaddr_is_any(dst))
		return -EDESTADDRREQ;
	return m->len > ep->family->maxpayload - sizeof(struct udp_hdr) ? -EMSGSIZE : 0;
}

int
udp_send(struct udp_endpoint *ep, struct mbuf *m, const struct ipaddr *dst, uint16_t port)
{
	struct ip_opts_out o = { .tos = ep->tos, .ttl = ep->ttl };
	const struct ip_family *f = ep->family;
	struct ipaddr src = ep->laddr, group;
	int error;

	if (dst == NULL) {
		dst = &ep->faddr;
		port = ep->fport;
	}
	error = send_fault(ep, m, dst);
	if (error == 0 && ipaddr_is_multicast(dst)) {
		group = *dst;
		dst = &group;
		error = udp_group_way(ep, &group, &o);
	}
	if (error != 0) {
		m_free(m);
		return error;
	}
	VNET_SCOPE(ep->vnet);
	/* The checksum covers the source address, so it has to be known now. */
	if ((ipaddr_is_any(&src) || ipaddr_is_multicast(&src)) &&
	    f->source_for(ep->fib, o.ifp, dst, &src) != 0)
		src = (struct ipaddr){ .family = dst->family };
	m = prepend_header(ep, m, &src, dst, port);
	if (m == NULL) {
		drop_count(&DROP_UDP_NOBUF, 1);
		return -ENOBUFS;
	}
	m->fib = ep->fib;
	V_udpstat.opackets++;
	return f->output(m, &src, dst, IPPROTO_UDP_, &o);
}

/* --- in --------------------------------------------------------------------------------------- */

/* A datagram for everybody goes to every endpoint that it fits. Takes m. */
static void
deliver_to_all(struct mbuf *m, const struct ip_info *info, uint16_t sport, uint16_t dport)
{
	bool group = ipaddr_is_multicast(&info->dst);
	struct udp_endpoint *ep;
	struct udp_walk walk;
	unsigned n = 0;

	udp_walk_begin(&walk, dport);
	while ((ep = udp_walk_next(&walk)) != NULL) {
		struct mbuf *copy;

		if (ep->lport != dport || !udp_endpoint_fits(ep, &info->dst, &info->src, sport) ||
		    (group && !udp_group_accepts(ep, m, info)))
			continue;
		n++;
		if ((copy = m_dup(m)) == NULL) {
			drop_count(&DROP_UDP_NOBUF, 1);
			continue;
		}
		V_udpstat.delivered++;
		m_adj(copy, info->hlen + (uint32_t)sizeof(struct udp_hdr));
		ep->recv(ep->ctx, copy, info, sport);
	}
	udp_walk_end(&walk);
	if (n > 0) {
		m_free(m);
	} else {
		V_udpstat.noportbcast++;
		m_drop(m, &DROP_UDP_NOPORT_BCAST);
	}
}

static inline bool
is_for_everybody(const struct mbuf *m, const struct ipaddr *dst)
{
	return __builtin_expect((m->flags & (M_BCAST | M_MCAST)) != 0, 0) ||
	    ipaddr_is_multicast(dst) ||
	    (dst->family == AF_INET && ipaddr_in(dst) == INADDR_BROADCAST);
}

/* Length and checksum. NULL: right, m is cut to the datagram. */
static const struct drop_reason *
udp_fault(struct mbuf *m, const struct ip_info *info)
{
	const struct udp_hdr *uh = (const void *)(m->data + info->hlen);
	unsigned ulen;

	if (m->len < info->hlen + sizeof(*uh)) {
		V_udpstat.hdrops++;
		return &DROP_UDP_SHORT;
	}
	ulen = from_be16(uh->len);
	if (ulen < sizeof(*uh) || ulen > m->len - info->hlen) {
		V_udpstat.badlen++;
		return &DROP_UDP_BADLEN;
	}
	if (uh->sum == 0) {
		V_udpstat.nosum++;
		if (info->family->af != AF_INET) /* RFC 8200 8.1 */
			return &DROP_UDP_NOSUM;
	} else if (!(m->flags & M_CSUM_OK) &&
	    cksum_fold(cksum_add(
		info->family->pseudo_sum(&info->src, &info->dst, IPPROTO_UDP_, ulen), uh, ulen)) !=
		0) {
		V_udpstat.badsum++;
		return &DROP_UDP_BADSUM;
	}
	m_trim(m, info->hlen + ulen);
	return NULL;
}

/* The endpoint that a filter has chosen. NULL: none, or nobody is there. */
static struct udp_endpoint *
endpoint_instead(const struct mbuf *m, const struct ip_info *info, uint16_t sport, uint16_t dport)
{
	const struct udp_instead *in = m_tag_find(m, UDP_TAG_INSTEAD);

	if (!(m->flags & M_NEXTHOP) || in == NULL)
		return NULL;
	return udp_endpoint_for(&in->addr, in->port != 0 ? in->port : dport, &info->src, sport);
}

void
udp_input(struct mbuf *m, const struct ip_info *info)
{
	const struct udp_hdr *uh = (const void *)(m->data + info->hlen);
	const struct drop_reason *why;
	struct udp_endpoint *ep;
	uint16_t sport;

	V_udpstat.ipackets++;
	if ((why = udp_fault(m, info)) != NULL) {
		m_drop(m, why);
		return;
	}
	sport = from_be16(uh->sport);
	if (is_for_everybody(m, &info->dst)) {
		deliver_to_all(m, info, sport, from_be16(uh->dport));
		return;
	}
	ep = endpoint_instead(m, info, sport, from_be16(uh->dport));
	if (ep == NULL)
		ep = udp_endpoint_for(&info->dst, from_be16(uh->dport), &info->src, sport);
	if (ep == NULL) {
		V_udpstat.noport++;
		if (!VNET(udp_blackhole))
			info->family->port_unreachable(m);
		m_drop(m, &DROP_UDP_NOPORT);
		return;
	}
	V_udpstat.delivered++;
	m_adj(m, info->hlen + (uint32_t)sizeof(*uh));
	ep->recv(ep->ctx, m, info, sport);
}

void
udp_error(const struct ipaddr *src, const struct ipaddr *dst, const struct udp_hdr *uh, int error)
{
	struct udp_endpoint *ep;

	ep = udp_endpoint_for(src, from_be16(uh->sport), dst, from_be16(uh->dport));
	/* Only who has one partner can tell whom the error is about. */
	if (ep != NULL && !ipaddr_is_any(&ep->faddr) && ep->error_fn != NULL)
		ep->error_fn(ep->ctx, -error);
}

/* --- IPv4 ------------------------------------------------------------------------------------- */

static void
udp_input4(struct mbuf *m, unsigned hlen)
{
	struct ip_info info;

	ip_info4(m, hlen, &info);
	udp_input(m, &info);
}

/* The errno value that an ICMP error stands for (RFC 1122 4.1.3.3); 0 = nothing to tell. */
static int
error_of(uint8_t type, uint8_t code)
{
	/* by code of "unreachable" */
	static const uint8_t unreach[] = { EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, ECONNREFUSED,
		EMSGSIZE, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED,
		ECONNREFUSED, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EHOSTUNREACH,
		EHOSTUNREACH };

	if (type == ICMP_UNREACH_ && code < sizeof(unreach))
		return unreach[code];
	return type == ICMP_PARAMPROB_ ? ENOPROTOOPT : 0;
}

static void
udp_ctlinput4(uint8_t type, uint8_t code, uint16_t mtu, const struct ip_hdr *inner, size_t len)
{
	const struct udp_hdr *uh = (const void *)((const uint8_t *)inner + ip_hlen(inner));
	struct ipaddr src = ipaddr4(inner->src), dst = ipaddr4(inner->dst);
	int error = error_of(type, code);

	(void)mtu;
	if (error != 0 && len >= ip_hlen(inner) + sizeof(*uh))
		udp_error(&src, &dst, uh, error);
}
IP_PROTOCOL_DEFINE(udp, .proto = IPPROTO_UDP_, .input = udp_input4, .ctlinput = udp_ctlinput4);
