/*
 * icmp.c - ICMP's way in, and the errors that go out (RFC 792, 1122 section 3.2.2, 1812 section
 * 4.3).
 *
 *	icmp_input	checked -> echo, timestamp, mask: turned around and sent back
 *				error: the protocol of the quoted packet hears of it
 *				redirect: icmp_redirect.c
 *	icmp_error	may there be an error at all? -> rate -> quote, out
 */
#include "inet/icmp.h"

#include "base/log.h"
#include "inet/icmp_redirect.h"
#include "kern/netstat.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <inttypes.h>

DROP_DEFINE(DROP_ICMP_SHORT, "icmp", "tooshort", "message is shorter than its header");
DROP_DEFINE(DROP_ICMP_BADSUM, "icmp", "badsum", "checksum is wrong");
DROP_DEFINE(DROP_ICMP_BADLEN, "icmp", "badlen", "quoted packet is cut");
DROP_DEFINE(DROP_ICMP_BADCODE, "icmp", "badcode", "code is unknown for the type");
DROP_DEFINE(DROP_ICMP_BADADDR, "icmp", "badaddr", "source is no host that could be answered");
DROP_DEFINE(DROP_ICMP_NOTOURS, "icmp", "notours", "error about a packet that is not from here");
DROP_DEFINE(DROP_ICMP_BMCAST, "icmp", "bmcast", "request to a broadcast or multicast address");
DROP_DEFINE(DROP_ICMP_MASK, "icmp", "mask", "address mask requests are not answered");
DROP_DEFINE(DROP_ICMP_LIMIT, "icmp", "limit", "error not sent: net.inet.icmp.icmplim reached");
DROP_DEFINE(DROP_ICMP_NOBUF, "icmp", "nobuf", "no memory for an answer");

VNET_DEFINE(struct icmpstat, icmpstat);

VNET_DEFINE_STATIC(int32_t, icmplim) = 200;
VNET_DEFINE_STATIC(bool, icmplim_output) = true;
VNET_DEFINE_STATIC(bool, icmp_bmcastecho) = false;
VNET_DEFINE_STATIC(bool, icmp_maskrepl) = false;
VNET_DEFINE_STATIC(uint32_t, icmp_quotelen) = 8;
VNET_DEFINE_STATIC(bool, icmp_reply_from_interface) = false;

SYSCTL_VNET_INT(net_inet_icmp_icmplim, "net.inet.icmp.icmplim", SYSCTL_RW, icmplim, 0, INT32_MAX,
    "errors of one kind per second; 0 = no limit");
SYSCTL_VNET_BOOL(net_inet_icmp_icmplim_output, "net.inet.icmp.icmplim_output", SYSCTL_RW,
    icmplim_output, "log when the limit is reached");
SYSCTL_VNET_BOOL(net_inet_icmp_bmcastecho, "net.inet.icmp.bmcastecho", SYSCTL_RW, icmp_bmcastecho,
    "answer echo and timestamp requests to broadcast and multicast addresses");
SYSCTL_VNET_BOOL(net_inet_icmp_maskrepl, "net.inet.icmp.maskrepl", SYSCTL_RW, icmp_maskrepl,
    "answer address mask requests");
SYSCTL_VNET_UINT(net_inet_icmp_quotelen, "net.inet.icmp.quotelen", SYSCTL_RW, icmp_quotelen, 8, 548,
    "bytes behind the IP header that an error quotes, as far as 576 bytes hold them");
SYSCTL_VNET_BOOL(net_inet_icmp_reply_from_interface, "net.inet.icmp.reply_from_interface",
    SYSCTL_RW, icmp_reply_from_interface,
    "errors come from the interface that received the packet, not from the one on the way back");

enum { OPT_EOL = 0, OPT_NOP = 1, OPT_RR = 7, OPT_TS = 68 };
enum { TSTAMP_LEN = 20, MASK_LEN = 12, ERROR_MAX = 576, UNREACH_CODES = 16 };

uint32_t
icmp_ms_of_day(void)
{
	return (uint32_t)((clock_epoch_ns() + clock_now()) / NS_PER_MS % 86400000);
}

void
icmp_finish(struct mbuf *m)
{
	struct icmp_hdr *icmp = mtod(m, struct icmp_hdr *);

	icmp->sum = 0;
	icmp->sum = cksum_fold(cksum_add(0, m->data, m->len));
}

/* Send a message made here. m->data at the ICMP header. Takes m. */
static void
icmp_send(struct mbuf *m, uint32_t src, uint32_t dst, const struct ip_opts_out *o)
{
	uint8_t type = mtod(m, struct icmp_hdr *)->type;

	icmp_finish(m);
	if (type <= ICMP_MAXTYPE_)
		V_icmpstat.outhist[type]++;
	if (ip_output(m, src, dst, IPPROTO_ICMP_, o) == -EHOSTUNREACH)
		V_icmpstat.noroute++;
}

/* --- errors out ------------------------------------------------------------------------------- */

/* Kinds of errors with a limit of their own: many of one kind don't silence the others. */
enum limit_kind { LIMIT_UNREACH, LIMIT_TIMXCEED, LIMIT_OTHER, LIMIT_KINDS };
static const char *const limit_name[LIMIT_KINDS] = { "unreach", "time exceeded", "error" };

struct limit {
	uint64_t second_ns; /* start of the running second */
	uint32_t n;         /* errors asked for in it */
};
VNET_DEFINE_STATIC(struct limit, icmp_limits[LIMIT_KINDS]);

/*
 * May one more error go out (RFC 1812 4.3.2.8)? Counted by the clock, so it is the same at every
 * run.
 */
static bool
limit_ok(uint8_t type)
{
	enum limit_kind kind = type == ICMP_UNREACH_ ? LIMIT_UNREACH :
	    type == ICMP_TIMXCEED_                   ? LIMIT_TIMXCEED :
						       LIMIT_OTHER;
	struct limit *l = &VNET(icmp_limits)[kind];
	uint32_t max = (uint32_t)VNET(icmplim);
	uint64_t now = clock_now();

	if (max == 0)
		return true;
	if (now - l->second_ns >= NS_PER_SEC) {
		if (l->n > max && VNET(icmplim_output))
			log_msg(LOG_LVL_NOTICE,
			    "Limiting icmp %s response from %" PRIu32 " to %" PRIu32 " packets/sec",
			    limit_name[kind], l->n, max);
		*l = (struct limit){ .second_ns = now };
	}
	return ++l->n <= max;
}

/* Is it the address of one host that could be answered (RFC 1122 3.2.2, RFC 1812 4.3.2.7)? */
static bool
is_answerable(const struct mbuf *m, uint32_t addr)
{
	uint8_t first = (uint8_t)(addr & 0xff);

	if (first == 0 || first >= 224 || (first == 127 && in_local(addr) == NULL))
		return false;
	return m->rcvif == NULL || !in_is_broadcast(addr, m->rcvif);
}

/* RFC 1122 3.2.2: an error must not answer another one, nor what many may have received. */
static bool
error_allowed(const struct mbuf *m, uint8_t type)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	unsigned hlen;

	if (m->len < sizeof(*ip) || (hlen = ip_hlen(ip)) < sizeof(*ip) || m->len < hlen)
		return false;
	if (ip->proto == IPPROTO_ICMP_ && type != ICMP_REDIRECT_) {
		/* Without a type to look at it might be an error. */
		if (m->len < hlen + 1)
			return false;
		switch (m->data[hlen]) {
		case ICMP_ECHOREPLY_:
		case ICMP_ECHO_:
		case ICMP_TSTAMP_:
		case ICMP_TSTAMPREPLY_:
		case ICMP_MASKREQ_:
		case ICMP_MASKREPLY_:
		case 15: /* information request and reply (RFC 792) */
		case 16:
			break;
		default:
			V_icmpstat.oldicmp++;
			return false;
		}
	}
	return (from_be16(ip->off) & IP_OFFMASK_) == 0 && !(m->flags & (M_BCAST | M_MCAST)) &&
	    !in_is_multicast(ip->dst) && ip->dst != 0xffffffff &&
	    (m->rcvif == NULL || !in_is_broadcast(ip->dst, m->rcvif)) && is_answerable(m, ip->src);
}

/*
 * Where an answer to m comes from: the address that was asked, if it is ours; the receiving
 * interface's, if so configured or if m was for everybody; else by route (0), so that it is an
 * address of the interface that the error leaves by (RFC 1812 4.3.2.4).
 */
static uint32_t
reply_source(const struct mbuf *m, bool from_interface)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct in_ifaddr *ia;

	if (in_local(ip->dst) != NULL)
		return ip->dst;
	if (!from_interface || m->rcvif == NULL)
		return 0;
	ia = in_ifaddr_for(m->rcvif, ip->src);
	if (ia == NULL)
		ia = in_ifaddr_first(m->rcvif);
	return ia != NULL ? ia->addr : 0;
}

void
icmp_error(const struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	unsigned hlen, quote;
	struct icmp_hdr *icmp;
	struct mbuf *e;

	clock_at(m->when_ns);
	V_icmpstat.error++;
	if (!error_allowed(m, type))
		return;
	if (!limit_ok(type)) {
		V_icmpstat.limited++;
		drop_count(&DROP_ICMP_LIMIT, 1);
		return;
	}

	hlen = ip_hlen(ip);
	quote = m->len - hlen;
	if (quote > VNET(icmp_quotelen))
		quote = VNET(icmp_quotelen);
	if (quote > ERROR_MAX - sizeof(*ip) - sizeof(*icmp) - hlen)
		quote = ERROR_MAX - (unsigned)sizeof(*ip) - (unsigned)sizeof(*icmp) - hlen;
	e = m_get((uint32_t)sizeof(*icmp) + hlen + quote);
	if (e == NULL) {
		drop_count(&DROP_ICMP_NOBUF, 1);
		return;
	}
	e->when_ns = m->when_ns;
	e->fib = m->fib;
	icmp = mtod(e, struct icmp_hdr *);
	*icmp = (struct icmp_hdr){ .type = type, .code = code };
	if (type == ICMP_REDIRECT_)
		icmp->gateway = arg;
	else if (type == ICMP_PARAMPROB_)
		icmp->param.pointer = (uint8_t)arg;
	else if (type == ICMP_UNREACH_ && code == ICMP_UNREACH_NEEDFRAG_)
		icmp->frag.mtu = to_be16(arg > UINT16_MAX ? UINT16_MAX : (uint16_t)arg);
	memcpy(icmp + 1, ip, hlen + quote);
	icmp_send(e, reply_source(m, VNET(icmp_reply_from_interface)), ip->src, NULL);
}

/* --- requests in, replies out ----------------------------------------------------------------- */

/* Copy the options that a reply takes along, as filled in on the way here; returns their length. */
static unsigned
reply_options(const struct ip_hdr *ip, uint8_t to[40])
{
	const uint8_t *opt = (const uint8_t *)(ip + 1);
	unsigned left = ip_hlen(ip) - (unsigned)sizeof(*ip), len = 0;

	while (left > 0 && opt[0] != OPT_EOL) {
		unsigned n = opt[0] == OPT_NOP ? 1 : left >= 2 ? opt[1] : 0;

		if (n == 0 || n > left || (n < 2 && opt[0] != OPT_NOP))
			break;
		/* RFC 1122 3.2.2.6: record route and timestamp should go on in the reply. */
		if (opt[0] == OPT_RR || opt[0] == OPT_TS) {
			memcpy(to + len, opt, n);
			len += n;
		}
		opt += n;
		left -= n;
	}
	while (len % 4 != 0)
		to[len++] = OPT_EOL;
	return len;
}

/* Send m, a request whose ICMP part has become the reply, back to its sender. Takes m. */
static void
icmp_reflect(struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	struct ip_opts_out o = { .tos = ip->tos };
	uint32_t src = reply_source(m, true), dst = ip->src;
	uint8_t options[40];

	if (!is_answerable(m, dst)) {
		V_icmpstat.badaddr++;
		m_drop(m, &DROP_ICMP_BADADDR);
		return;
	}
	V_icmpstat.reflect++;
	if (hlen > sizeof(*ip)) {
		o.options_len = reply_options(ip, options);
		o.options = options;
	}
	m_adj(m, hlen);
	m->flags = 0;
	m->flowid = 0;
	m->rcvif = NULL;
	m->nh = NULL;
	icmp_send(m, src, dst, &o);
}

/* Was the request for everybody, and are those not answered? */
static bool
refused_bmcast(const struct mbuf *m, uint64_t *counter)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	if (VNET(icmp_bmcastecho))
		return false;
	if (!(m->flags & (M_BCAST | M_MCAST)) && !in_is_multicast(ip->dst) && ip->dst != 0xffffffff)
		return false;
	++*counter;
	return true;
}

/*
 * Echo replies are not limited: a reply is no bigger than its request, every host must answer (RFC
 * 1122 3.2.2.6), and whoever measures a network with a thousand requests a second would find losses
 * that are none.
 */
static void
echo_input(struct mbuf *m, unsigned hlen)
{
	if (refused_bmcast(m, &V_icmpstat.bmcastecho)) {
		m_drop(m, &DROP_ICMP_BMCAST);
		return;
	}
	if ((m = m_unshare(m)) == NULL) {
		drop_count(&DROP_ICMP_NOBUF, 1);
		return;
	}
	m->data[hlen] = ICMP_ECHOREPLY_;
	icmp_reflect(m, hlen);
}

static void
timestamp_input(struct mbuf *m, unsigned hlen)
{
	be32 now = to_be32(icmp_ms_of_day());

	if (m->data[hlen + 1] != 0) {
		V_icmpstat.badcode++;
		m_drop(m, &DROP_ICMP_BADCODE);
		return;
	}
	if (m->len < hlen + TSTAMP_LEN) {
		V_icmpstat.badlen++;
		m_drop(m, &DROP_ICMP_BADLEN);
		return;
	}
	if (refused_bmcast(m, &V_icmpstat.bmcasttstamp)) {
		m_drop(m, &DROP_ICMP_BMCAST);
		return;
	}
	if ((m = m_unshare(m)) == NULL) {
		drop_count(&DROP_ICMP_NOBUF, 1);
		return;
	}
	m->data[hlen] = ICMP_TSTAMPREPLY_;
	memcpy(m->data + hlen + 12, &now, sizeof(now)); /* received */
	memcpy(m->data + hlen + 16, &now, sizeof(now)); /* transmitted */
	icmp_reflect(m, hlen);
}

/* RFC 950; off unless asked for (RFC 1122 3.2.2.9). */
static void
mask_input(struct mbuf *m, unsigned hlen)
{
	const struct in_ifaddr *ia;

	if (!VNET(icmp_maskrepl) || m->rcvif == NULL) {
		m_drop(m, &DROP_ICMP_MASK);
		return;
	}
	if (m->len < hlen + MASK_LEN) {
		V_icmpstat.badlen++;
		m_drop(m, &DROP_ICMP_BADLEN);
		return;
	}
	ia = in_ifaddr_for(m->rcvif, mtod(m, struct ip_hdr *)->src);
	if (ia == NULL || (m = m_unshare(m)) == NULL) {
		if (ia == NULL)
			m_drop(m, &DROP_ICMP_MASK);
		else
			drop_count(&DROP_ICMP_NOBUF, 1);
		return;
	}
	m->data[hlen] = ICMP_MASKREPLY_;
	store32(m->data + hlen + 8, ia->mask);
	icmp_reflect(m, hlen);
}

/* --- errors in -------------------------------------------------------------------------------- */

/* Is the code defined for the type? */
static bool
code_ok(const struct icmp_hdr *icmp)
{
	switch (icmp->type) {
	case ICMP_UNREACH_:
		return icmp->code < UNREACH_CODES;
	case ICMP_TIMXCEED_:
		return icmp->code <= 1;
	case ICMP_PARAMPROB_:
		return icmp->code <= 2;
	default:
		return icmp->code == 0;
	}
}

/* Tell the protocol of the quoted packet. Takes m. */
static void
error_input(struct mbuf *m, unsigned hlen)
{
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	const struct ip_hdr *inner = (const void *)(icmp + 1);
	unsigned len = m->len - hlen;
	const struct ip_protocol *p;

	if (!code_ok(icmp)) {
		V_icmpstat.badcode++;
		m_drop(m, &DROP_ICMP_BADCODE);
		return;
	}
	if (len < sizeof(*icmp) + sizeof(*inner) || ip_hlen(inner) < sizeof(*inner) ||
	    len < sizeof(*icmp) + ip_hlen(inner) + 8) {
		V_icmpstat.badlen++;
		m_drop(m, &DROP_ICMP_BADLEN);
		return;
	}
	/* A blind forger must at least know an address of ours (RFC 5927). */
	if (in_local(inner->src) == NULL) {
		m_drop(m, &DROP_ICMP_NOTOURS);
		return;
	}
	p = ip_protocol(inner->proto);
	if (p != NULL && p->ctlinput != NULL)
		p->ctlinput(icmp->type, icmp->code,
		    icmp->type == ICMP_UNREACH_ && icmp->code == ICMP_UNREACH_NEEDFRAG_ ?
			from_be16(icmp->frag.mtu) :
			0,
		    inner, len - sizeof(*icmp));
	m_free(m);
}

static void
icmp_input(struct mbuf *m, unsigned hlen)
{
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);

	if (m->len < hlen + sizeof(*icmp)) {
		V_icmpstat.tooshort++;
		m_drop(m, &DROP_ICMP_SHORT);
		return;
	}
	if (cksum_fold(cksum_add(0, icmp, m->len - hlen)) != 0) {
		V_icmpstat.checksum++;
		m_drop(m, &DROP_ICMP_BADSUM);
		return;
	}
	if (icmp->type <= ICMP_MAXTYPE_)
		V_icmpstat.inhist[icmp->type]++;
	switch (icmp->type) {
	case ICMP_ECHO_:
		echo_input(m, hlen);
		break;
	case ICMP_TSTAMP_:
		timestamp_input(m, hlen);
		break;
	case ICMP_MASKREQ_:
		mask_input(m, hlen);
		break;
	case ICMP_UNREACH_:
	case ICMP_SOURCEQUENCH_:
	case ICMP_TIMXCEED_:
	case ICMP_PARAMPROB_:
		error_input(m, hlen);
		break;
	case ICMP_REDIRECT_:
		icmp_redirect_input(m, hlen);
		break;
	default: /* replies: the raw listeners have had them */
		m_free(m);
		break;
	}
}
IP_PROTOCOL_DEFINE(icmp, .proto = IPPROTO_ICMP_, .input = icmp_input);

/* --- netstat -s -p icmp ----------------------------------------------------------------------- */

static const char *const icmp_names[ICMP_MAXTYPE_ + 1] = {
	[ICMP_ECHOREPLY_] = "echo reply",
	[ICMP_UNREACH_] = "destination unreachable",
	[ICMP_SOURCEQUENCH_] = "source quench",
	[ICMP_REDIRECT_] = "routing redirect",
	[ICMP_ECHO_] = "echo",
	[9] = "router advertisement",
	[10] = "router solicitation",
	[ICMP_TIMXCEED_] = "time exceeded",
	[ICMP_PARAMPROB_] = "parameter problem",
	[ICMP_TSTAMP_] = "time stamp",
	[ICMP_TSTAMPREPLY_] = "time stamp reply",
	[15] = "information request",
	[16] = "information request reply",
	[ICMP_MASKREQ_] = "address mask request",
	[ICMP_MASKREPLY_] = "address mask reply",
	[30] = "icmp traceroute",
	[31] = "datagram conversion error",
	[32] = "mobile host redirect",
	[33] = "IPv6 where-are-you",
	[34] = "IPv6 i-am-here",
	[35] = "mobile registration req",
	[36] = "mobile registration reply",
	[40] = "icmp photuris",
};

static void
icmp_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct icmpstat *st = &V_icmpstat;
	struct emitter *e = v->out;

	emit_object(e, "icmp");
	emit_text(e, "icmp:\n");
	netstat_counter(e, o, "icmp-calls", &st->error, "# call{s} to icmp_error");
	netstat_counter(e, o, "errors-not-from-message", &st->oldicmp,
	    "# error{s} not generated in response to an icmp message");
	netstat_counter(e, o, "errors-limited", &st->limited,
	    "# error{s} not generated because of the rate limit");
	netstat_histogram(
	    e, o, "output-histogram", "Output", icmp_names, st->outhist, ICMP_MAXTYPE_ + 1);
	netstat_counter(
	    e, o, "dropped-bad-code", &st->badcode, "# message{s} with bad code fields");
	netstat_counter(
	    e, o, "dropped-too-short", &st->tooshort, "# message{s} less than the minimum length");
	netstat_counter(
	    e, o, "dropped-bad-checksum", &st->checksum, "# message{s} with bad checksum");
	netstat_counter(e, o, "dropped-bad-length", &st->badlen, "# message{s} with bad length");
	netstat_counter(
	    e, o, "dropped-multicast-echo", &st->bmcastecho, "# multicast echo requests ignored");
	netstat_counter(e, o, "dropped-multicast-timestamp", &st->bmcasttstamp,
	    "# multicast timestamp requests ignored");
	netstat_histogram(
	    e, o, "input-histogram", "Input", icmp_names, st->inhist, ICMP_MAXTYPE_ + 1);
	netstat_counter(e, o, "sent-packets", &st->reflect, "# message response{s} generated");
	netstat_counter(
	    e, o, "discard-invalid-return-address", &st->badaddr, "# invalid return address{es}");
	netstat_counter(e, o, "discard-no-route", &st->noroute, "# no return route{s}");
	emit_text(e, "\tICMP address mask responses are %s\n",
	    VNET(icmp_maskrepl) ? "enabled" : "disabled");
	emit_bool(e, "icmp-address-responses", VNET(icmp_maskrepl));
	emit_end(e);
}
NETSTAT_STATS_DEFINE(icmp, "icmp", AF_INET, icmp_stats);
