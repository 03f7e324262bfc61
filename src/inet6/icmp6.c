/*
 * icmp6.c - ICMPv6's way in, and the errors that go out (RFC 4443).
 *
 *	icmp6_input	checked, counted -> a message of another room (ND, MLD): to it
 *				echo: turned around and sent back
 *				error: the protocol of the quoted packet hears of it
 *	icmp6_error	may there be an error at all? -> rate -> quote, out
 *
 * Letters and numbers like "e.3" are those of RFC 4443 section 2.4.
 */
#include "inet6/icmp6.h"

#include "kern/sysctl.h"

#include <errno.h>
#include <stdlib.h>

DROP_DEFINE(DROP_ICMP6_SHORT, "icmp6", "tooshort", "message is shorter than its header");
DROP_DEFINE(DROP_ICMP6_BADSUM, "icmp6", "badsum", "checksum is wrong");
DROP_DEFINE(DROP_ICMP6_BADLEN, "icmp6", "badlen", "quoted packet is cut, or none");
DROP_DEFINE(DROP_ICMP6_BADCODE, "icmp6", "badcode", "code is unknown for the type");
DROP_DEFINE(DROP_ICMP6_BADADDR, "icmp6", "badaddr", "source is no node that could be answered");
DROP_DEFINE(DROP_ICMP6_BADMTU, "icmp6", "badmtu",
    "too big, it says, but its MTU is below 1,280 or not below the packet's length");
DROP_DEFINE(DROP_ICMP6_NOTOURS, "icmp6", "notours", "error about a packet that is not from here");
DROP_DEFINE(DROP_ICMP6_NOUPPER, "icmp6", "noupper", "error quotes no header above IPv6");
DROP_DEFINE(DROP_ICMP6_UNKNOWN, "icmp6", "unknown", "type is not known here");
DROP_DEFINE(DROP_ICMP6_NOSOURCE, "icmp6", "nosource", "no address to answer from");
DROP_DEFINE(
    DROP_ICMP6_LIMIT, "icmp6", "limit", "error not sent: net.inet6.icmp6.errppslimit reached");
DROP_DEFINE(DROP_ICMP6_NOBUF, "icmp6", "nobuf", "no memory for an answer");

VNET_DEFINE(struct icmp6stat, icmp6stat);

VNET_DEFINE_STATIC(int32_t, icmp6_errppslimit) = 100;

SYSCTL_VNET_INT(net_inet6_icmp6_errppslimit, "net.inet6.icmp6.errppslimit", SYSCTL_RW,
    icmp6_errppslimit, -1, INT32_MAX,
    "errors and redirects per second, as many of them at once; 0 = none, -1 = no limit");

/* What an error has room for behind its own two headers (RFC 4443 2.4 c). */
enum { QUOTE_MAX = IPV6_MMTU_ - IP6_HDRLEN - (int)sizeof(struct icmp6_hdr) };

LINKERSET_DECLARE(icmp6_message, const struct icmp6_message);

static const struct icmp6_message *by_type[256]; /* written before main */

__attribute__((constructor)) static void
icmp6_message_table(void)
{
	const struct icmp6_message *const *msg;

	LINKERSET_FOREACH(msg, icmp6_message) {
		if (by_type[(*msg)->type] != NULL)
			abort(); /* two rooms want one type: the link order must not decide */
		by_type[(*msg)->type] = *msg;
	}
}

void
icmp6_finish(struct mbuf *m, const struct in6 *src, const struct in6 *dst)
{
	struct icmp6_hdr *icmp = mtod(m, struct icmp6_hdr *);
	uint64_t sum = ip6_pseudo_sum(src, dst, IPPROTO_ICMPV6_, m->len);

	icmp->sum = 0;
	icmp->sum = cksum_fold(cksum_add(sum, m->data, m->len));
	V_icmp6stat.outhist[icmp->type]++;
}

/* Send a message made here. m->data at the ICMPv6 header. Takes m. */
static void
icmp6_send(
    struct mbuf *m, const struct in6 *src, const struct in6 *dst, const struct ip_opts_out *o)
{
	int error;

	icmp6_finish(m, src, dst);
	error = ip6_output(m, src, dst, IPPROTO_ICMPV6_, o);
	if (error == -EHOSTUNREACH || error == -ENETUNREACH)
		V_icmp6stat.noroute++;
}

/*
 * Is it the address of one node (e.6)? An anycast address of ours is known not to be. A link-local
 * one needs its zone, else nobody can say where the node is.
 */
static bool
is_answerable(const struct in6 *addr)
{
	const struct in6_ifaddr *ia = in6_local(addr);

	return !in6_is_any(addr) && !in6_is_multicast(addr) &&
	    (!in6_is_scoped(addr) || in6_zone(addr) != 0) &&
	    (ia == NULL || !(ia->flags & IN6_IFF_ANYCAST));
}

/* An address of ours from which packets may come. */
static bool
is_our_unicast(const struct in6 *addr)
{
	const struct in6_ifaddr *ia = in6_local(addr);

	return ia != NULL && !(ia->flags & (IN6_IFF_NOTREADY | IN6_IFF_ANYCAST));
}

/* --- errors out ------------------------------------------------------------------------------- */

static enum icmp6_errkind
errkind_of(uint8_t type, uint8_t code)
{
	static const struct {
		uint8_t first, codes; /* of the kinds, by code */
	} kinds[] = {
		[ICMP6_DST_UNREACH_] = { ICMP6_ERR_NOROUTE, ICMP6_UNREACH_PORT + 1 },
		[ICMP6_PACKET_TOO_BIG_] = { ICMP6_ERR_TOOBIG, 1 },
		[ICMP6_TIME_EXCEEDED_] = { ICMP6_ERR_TRANSIT, ICMP6_TIMX_REASS + 1 },
		[ICMP6_PARAM_PROB_] = { ICMP6_ERR_HEADER, ICMP6_PARAM_OPTION + 1 },
	};

	if (type == ND_REDIRECT_)
		return ICMP6_ERR_REDIRECT;
	if (type >= sizeof(kinds) / sizeof(kinds[0]) || code >= kinds[type].codes)
		return ICMP6_ERR_OTHER;
	return (enum icmp6_errkind)(kinds[type].first + code);
}

/*
 * The token bucket of f: errppslimit tokens a second, and room for as many. Instead of tokens it
 * keeps the time at which it will be full again (the "virtual scheduling" form of ITU-T I.371),
 * which needs no timer and follows a changed limit at once.
 */
VNET_DEFINE_STATIC(uint64_t, icmp6_full_ns);

static bool
bucket_take(void)
{
	const int32_t limit = VNET(icmp6_errppslimit);
	const uint64_t now = clock_now();
	uint64_t full = VNET(icmp6_full_ns), token_ns;

	if (limit <= 0)
		return limit < 0;
	token_ns = NS_PER_SEC / (uint32_t)limit;
	if (full < now)
		full = now;
	if (full - now > NS_PER_SEC - token_ns)
		return false;
	VNET(icmp6_full_ns) = full + token_ns;
	return true;
}

bool
icmp6_rate_ok(uint8_t type, uint8_t code)
{
	V_icmp6stat.errhist[errkind_of(type, code)]++;
	if (bucket_take())
		return true;
	V_icmp6stat.toofreq++;
	drop_count(&DROP_ICMP6_LIMIT, 1);
	return false;
}

/*
 * Is m itself an ICMPv6 error or a redirect, or might it be one (e.1, e.2)? A fragment that is not
 * the first isn't: errors fit into 1,280 bytes.
 */
static bool
is_error(const struct mbuf *m)
{
	uint8_t proto, type;
	int off = ip6_upper(m->data, m->len, &proto);

	if (off < 0 || proto != IPPROTO_ICMPV6_)
		return false;
	if ((uint32_t)off >= m->len)
		return true;
	type = m->data[off];
	return !(type & ICMP6_INFORMATIONAL_) || type == ND_REDIRECT_;
}

/* Did many nodes get m (e.3 to e.5)? */
static bool
is_for_many(const struct mbuf *m)
{
	return (m->flags & (M_BCAST | M_MCAST)) ||
	    in6_is_multicast(&mtod(m, struct ip6_hdr *)->dst);
}

/*
 * The two errors that answer even those: a router tells the MTU of the way; and an unknown option
 * whose two highest bits say "10" asks for it (RFC 8200 4.2).
 */
static bool
answers_many(const struct mbuf *m, uint8_t type, uint8_t code, uint32_t pointer)
{
	if (type == ICMP6_PACKET_TOO_BIG_)
		return true;
	return type == ICMP6_PARAM_PROB_ && code == ICMP6_PARAM_OPTION && pointer < m->len &&
	    (m->data[pointer] & 0xc0) == 0x80;
}

/* The error itself, from its ICMPv6 header on; NULL without memory. */
static struct mbuf *
error_make(const struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg)
{
	const uint32_t quote = m->len < QUOTE_MAX ? m->len : QUOTE_MAX;
	struct mbuf *e = m_get((uint32_t)sizeof(struct icmp6_hdr) + quote);
	struct icmp6_hdr *icmp;

	if (e == NULL)
		return NULL;
	e->when_ns = m->when_ns;
	e->fib = m->fib;
	icmp = mtod(e, struct icmp6_hdr *);
	*icmp = (struct icmp6_hdr){ .type = type, .code = code, .data = to_be32(arg) };
	memcpy(icmp + 1, m->data, quote);
	return e;
}

/*
 * Where it comes from (RFC 4443 2.2): the address that was asked, if it is ours; else what any
 * packet to its destination would come from.
 */
static bool
error_source(const struct mbuf *m, const struct in6 *to, struct in6 *src)
{
	*src = ip6_zoned(&mtod(m, struct ip6_hdr *)->dst, m->rcvif);
	return is_our_unicast(src) || ip6_source_for(m->fib, NULL, to, src) == 0;
}

void
icmp6_error(const struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg)
{
	struct in6 src, to;
	struct mbuf *e;

	clock_at(m->when_ns);
	V_icmp6stat.error++;
	if (m->len < sizeof(struct ip6_hdr))
		return;
	to = ip6_zoned(&mtod(m, struct ip6_hdr *)->src, m->rcvif);
	if (is_error(m)) {
		V_icmp6stat.canterror++;
		return;
	}
	if (!is_answerable(&to) || (is_for_many(m) && !answers_many(m, type, code, arg)))
		return;
	if (!icmp6_rate_ok(type, code))
		return;
	if (!error_source(m, &to, &src)) {
		V_icmp6stat.noroute++;
		drop_count(&DROP_ICMP6_NOSOURCE, 1);
		return;
	}
	if ((e = error_make(m, type, code, arg)) == NULL) {
		drop_count(&DROP_ICMP6_NOBUF, 1);
		return;
	}
	icmp6_send(e, &src, &to, NULL);
}

/* --- echo ------------------------------------------------------------------------------------- */

/*
 * Where the reply comes from (RFC 4443 4.2): the address that was asked; for a group's or an
 * anycast one, a unicast address of the interface that the request came by.
 */
static bool
echo_source(const struct mbuf *m, const struct ip_info *info, struct in6 *src)
{
	const struct in6_ifaddr *ia;

	*src = *ipaddr_in6(&info->dst);
	if (is_our_unicast(src))
		return true;
	ia = in6_select_source(m->rcvif, ipaddr_in6(&info->src));
	if (ia == NULL || (ia->ifa.ifp != m->rcvif && !(m->rcvif->if_flags & IFF_LOOPBACK_)))
		return false;
	*src = ia->addr;
	return true;
}

/* Answer a request, with its own data. Not limited: see icmp.c. Takes m. */
static void
echo_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	const struct ip_opts_out o = { .tos = info->tos };
	const struct in6 *to = ipaddr_in6(&info->src);
	struct in6 src;

	if (m->data[off + 1] != 0) {
		V_icmp6stat.badcode++;
		m_drop(m, &DROP_ICMP6_BADCODE);
		return;
	}
	if (!is_answerable(to)) {
		m_drop(m, &DROP_ICMP6_BADADDR);
		return;
	}
	if (!echo_source(m, info, &src)) {
		m_drop(m, &DROP_ICMP6_NOSOURCE);
		return;
	}
	if ((m = m_unshare(m)) == NULL) {
		drop_count(&DROP_ICMP6_NOBUF, 1);
		return;
	}
	V_icmp6stat.reflect++;
	m_adj(m, off);
	m->data[0] = ICMP6_ECHO_REPLY_;
	m->flags = 0;
	m->flowid = 0;
	m->rcvif = NULL;
	m->nh = NULL;
	icmp6_send(m, &src, to, &o);
}

/* --- errors in -------------------------------------------------------------------------------- */

/*
 * Is the code defined for the type? "Too big" has none that counts (RFC 4443 3.2); of types that
 * nobody has defined yet any may be (a).
 */
static bool
code_ok(const struct icmp6_hdr *icmp)
{
	static const uint8_t last[] = {
		[ICMP6_DST_UNREACH_] = 8, /* RFC 8883 */
		[ICMP6_PACKET_TOO_BIG_] = 255,
		[ICMP6_TIME_EXCEEDED_] = ICMP6_TIMX_REASS,
		[ICMP6_PARAM_PROB_] = 10, /* RFC 8883 */
	};

	return icmp->type == 0 || icmp->type >= sizeof(last) || icmp->code <= last[icmp->type];
}

/*
 * A link on the way has this MTU, says a router (RFC 8201 4). An MTU that no link may have, or that
 * the packet fits, is a lie. False: m was dropped.
 */
static bool
too_big_input(struct mbuf *m, const struct ip6_hdr *inner, uint32_t mtu)
{
	if (mtu < IPV6_MMTU_ || mtu >= IP6_HDRLEN + (uint32_t)from_be16(inner->plen)) {
		m_drop(m, &DROP_ICMP6_BADMTU);
		return false;
	}
	if (ip6_pmtu_learn(&inner->dst, mtu))
		V_icmp6stat.pmtuchg++;
	return true;
}

/*
 * The quoted packet of an error, its addresses with their zones; NULL and *why if it is none that
 * left here. A blind forger must at least know an address of ours (RFC 4443 5.2, RFC 5927).
 */
static struct ip6_hdr *
quoted(struct mbuf *m, unsigned off, const struct drop_reason **why)
{
	const struct icmp6_hdr *icmp = (const void *)(m->data + off);
	struct ip6_hdr *inner = (void *)(m->data + off + sizeof(*icmp));

	if (!code_ok(icmp)) {
		V_icmp6stat.badcode++;
		*why = &DROP_ICMP6_BADCODE;
		return NULL;
	}
	if (m->len < off + sizeof(*icmp) + sizeof(*inner) || inner->flow.b[0] >> 4 != 6) {
		V_icmp6stat.badlen++;
		*why = &DROP_ICMP6_BADLEN;
		return NULL;
	}
	inner->src = ip6_zoned(&inner->src, m->rcvif);
	inner->dst = ip6_zoned(&inner->dst, m->rcvif);
	if (in6_local(&inner->src) == NULL) {
		*why = &DROP_ICMP6_NOTOURS;
		return NULL;
	}
	return inner;
}

/* Tell IPv6, then the protocol of the quoted packet (a, d). Takes m. */
static void
error_input(struct mbuf *m, unsigned off)
{
	const struct drop_reason *why;
	const struct icmp6_hdr *icmp;
	const struct ip6_protocol *p;
	struct ip6_hdr *inner;
	uint8_t proto;
	size_t len;
	int upper;

	if ((m = m_unshare(m)) == NULL) {
		drop_count(&DROP_ICMP6_NOBUF, 1);
		return;
	}
	if ((inner = quoted(m, off, &why)) == NULL) {
		m_drop(m, why);
		return;
	}
	icmp = (const void *)(m->data + off);
	if (icmp->type == ICMP6_PACKET_TOO_BIG_ && !too_big_input(m, inner, from_be32(icmp->data)))
		return;
	len = m->len - off - sizeof(*icmp);
	upper = ip6_upper(inner, len, &proto);
	if (upper < 0 || (size_t)upper > len) {
		m_drop(m, &DROP_ICMP6_NOUPPER);
		return;
	}
	p = ip6_protocol(proto);
	if (p != NULL && p->ctlinput != NULL)
		p->ctlinput(
		    icmp->type, icmp->code, from_be32(icmp->data), inner, (unsigned)upper, len);
	m_free(m);
}

/* --- the way in ------------------------------------------------------------------------------- */

/* True if m may go on, else it is taken. */
static bool
icmp6_is_sane(struct mbuf *m, unsigned off)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	uint32_t len = m->len - off;
	uint64_t sum;

	if (m->len < off + sizeof(struct icmp6_hdr)) {
		V_icmp6stat.tooshort++;
		m_drop(m, &DROP_ICMP6_SHORT);
		return false;
	}
	sum = ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_ICMPV6_, len);
	if (cksum_fold(cksum_add(sum, m->data + off, len)) != 0) {
		V_icmp6stat.checksum++;
		m_drop(m, &DROP_ICMP6_BADSUM);
		return false;
	}
	return true;
}

static void
icmp6_input(struct mbuf *m, unsigned off)
{
	struct ip_info info;
	uint8_t type;

	if (!icmp6_is_sane(m, off))
		return;
	type = m->data[off];
	V_icmp6stat.inhist[type]++;
	ip6_info(m, off, &info);
	if (by_type[type] != NULL)
		by_type[type]->input(m, off, &info);
	else if (!(type & ICMP6_INFORMATIONAL_))
		error_input(m, off);
	else if (type == ICMP6_ECHO_REQUEST_)
		echo_input(m, off, &info);
	else if (type == ICMP6_ECHO_REPLY_) /* the raw listeners have had it */
		m_free(m);
	else /* b */
		m_drop(m, &DROP_ICMP6_UNKNOWN);
}
IP6_PROTOCOL_DEFINE(icmp6, .proto = IPPROTO_ICMPV6_, .input = icmp6_input);
