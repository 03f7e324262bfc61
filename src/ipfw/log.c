/*
 * log.c - packets that a rule with `log` has matched: as lines, or for whoever taps ipfw0.
 *
 *	net.inet.ip.fw.verbose=1	"ipfw: 100 Deny TCP 10.0.0.1:1030 10.0.0.2:22 in via em0"
 *	=0				the packet, on the interface ipfw0, if somebody listens there
 *
 * ipfw0 carries nothing: it is there to be tapped. Packets of layer 3 get a link header that says so
 * ("DDDDDD", "SSSSSS", IPv4 or IPv6). Lines are limited by rule; packets are not: a tap has its own
 * filter.
 */
#include "ipfw/hook_internal.h"

#include "base/log.h"
#include "inet/in.h"
#include "inet6/ip6.h"
#include "kern/sysctl.h"
#include "net/bpf.h"
#include "net/ethernet.h"
#include "net/if_clone.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

VNET_DEFINE(bool, fw_verbose) = false;
VNET_DEFINE(uint32_t, fw_verbose_limit) = 0;
VNET_DEFINE_STATIC(uint32_t, fw_refused_lines); /* of packets dropped before any rule */
VNET_DEFINE_STATIC(struct ifnet *, fw_log_if);

SYSCTL_VNET_BOOL(net_inet_ip_fw_verbose, "net.inet.ip.fw.verbose", SYSCTL_RW, fw_verbose,
    "rules with log write lines; else they copy packets to the interface ipfw0");
SYSCTL_VNET_UINT(net_inet_ip_fw_verbose_limit, "net.inet.ip.fw.verbose_limit", SYSCTL_RW,
    fw_verbose_limit, 0, UINT32_MAX,
    "lines of a rule without logamount, from when it is added or reset; 0 = no limit");

DROP_DEFINE_IGNORED(DROP_FW_LOG_IF, "ipfw", "logif", "sent to ipfw0, which leads nowhere");

/* --- lines ------------------------------------------------------------------------------------ */

enum { LINE = 512 };

struct line {
	char text[LINE];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= sizeof(l->text))
		l->len = sizeof(l->text) - 1;
}

/* " 10.0.0.1:1030", " [2001:db8::1]" */
static void
put_end(struct line *l, const struct fw_packet *p, bool src, bool port)
{
	char text[IN6_TEXT];

	if (p->ip == 4)
		put(l, " %s", in_ntoa(src ? p->src : p->dst, text));
	else
		put(l, " [%s]", in6_ntoa(src ? &p->src6 : &p->dst6, text));
	if (port)
		put(l, ":%u", src ? p->sport : p->dport);
}

/* What it is, before its addresses: "TCP", "ICMP:8.0", "P:47". */
static void
put_protocol(struct line *l, const struct fw_packet *p)
{
	const char *icmp = p->ip == 4 ? "ICMP" : "ICMPv6";

	if (p->proto == IPPROTO_TCP_)
		put(l, " TCP");
	else if (p->proto == IPPROTO_UDP_)
		put(l, " UDP");
	else if (p->has_icmp)
		put(l, " %s:%u.%u", icmp, p->icmp_type, p->icmp_code);
	else if (p->proto == (p->ip == 4 ? IPPROTO_ICMP_ : IPPROTO_ICMPV6_))
		put(l, " %s", icmp);
	else
		put(l, " P:%u", p->proto);
}

static void
put_packet(struct line *l, const struct fw_packet *p)
{
	if (p->ip == 0) {
		put(l, " MAC");
		return;
	}
	put_protocol(l, p);
	put_end(l, p, true, p->has_ports);
	put_end(l, p, false, p->has_ports);
}

/* " (frag 17:1480@2960+)": id, length, offset, are there more? */
static void
put_fragment(struct line *l, const struct fw_packet *p)
{
	const uint8_t *ip = p->m->data + p->l3;
	uint32_t len = (uint32_t)p->ip_len + p->l3 - p->l4;
	bool more;

	if (p->ip == 4)
		more = from_be16(((const struct ip_hdr *)(const void *)ip)->off) & IP_MF_;
	else /* its fragment header is not where it can be told, but for the usual place */
		more = ip[6] == IPPROTO_FRAGMENT_ && (ip[IP6_HDRLEN + 3] & IP6F_MORE);
	put(l,
	    p->ip == 4 ? " (frag %" PRIu32 ":%" PRIu32 "@%u%s)" :
			 " (frag %08" PRIx32 ":%" PRIu32 "@%u%s)",
	    p->frag_id, len, p->frag_off, more ? "+" : "");
}

static void
put_where(struct line *l, const struct fw_packet *p)
{
	const struct ifnet *ifp = p->in ? p->recv : p->xmit;

	put(l, " %s", p->in ? "in" : "out");
	if (ifp != NULL)
		put(l, " via %s", ifp->if_xname);
}

static void
write_line(const struct fw_rule *r, uint32_t arg, const struct fw_packet *p)
{
	struct line l = { .len = 0 };
	char action[64];

	if (r != NULL) {
		fw_action_text(r, arg, action, sizeof(action));
		put(&l, "ipfw: %u %s", r->number, action);
	} else {
		put(&l, "ipfw: -1 Refuse");
	}
	put_packet(&l, p);
	put_where(&l, p);
	if (p->fragment)
		put_fragment(&l, p);
	log_msg(LOG_LVL_NOTICE, "%s", l.text);
}

/* --- limits ----------------------------------------------------------------------------------- */

/* How many lines there may be in all; 0 = no limit. */
static uint64_t
limit_of(const struct fw_rule *r)
{
	return r != NULL && r->log_limited ? r->logamount : VNET(fw_verbose_limit);
}

/*
 * May one more line be written? *last: it is the last one. A rule counts down from what it was given
 * when it was added; one that was given nothing has no limit.
 */
static bool
take_line(struct fw_rule *r, bool *last)
{
	uint64_t *left, limit = limit_of(r);

	*last = false;
	if (r == NULL) {
		if (limit != 0 && VNET(fw_refused_lines) >= limit)
			return false;
		*last = ++VNET(fw_refused_lines) == limit;
		return true;
	}
	left = &r->count.log_left;
	if (*left == FW_LOG_UNLIMITED)
		return true;
	if (*left == 0)
		return false;
	*last = --*left == 0;
	return true;
}

static void
log_line(struct fw_rule *r, uint32_t arg, const struct fw_packet *p)
{
	bool last;

	if (!take_line(r, &last))
		return;
	write_line(r, arg, p);
	if (last)
		log_msg(LOG_LVL_NOTICE, "ipfw: limit %" PRIu64 " reached on entry %d", limit_of(r),
		    r != NULL ? r->number : -1);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* The packet as a frame of ipfw0; NULL without memory. */
static struct mbuf *
frame_of(const struct fw_packet *p)
{
	struct mbuf *m;

	if (p->l3 != 0)
		return m_clone(p->m);
	if ((m = m_get(ETHER_HDR_LEN_ + p->m->len)) == NULL)
		return NULL;
	memcpy(m->data, "DDDDDDSSSSSS", 12);
	store16(m->data + 12, __builtin_bswap16(p->ip == 6 ? ETHERTYPE_IPV6_ : ETHERTYPE_IP_));
	memcpy(m->data + ETHER_HDR_LEN_, p->m->data, p->m->len);
	return m;
}

static void
show_packet(struct ifnet *ifp, const struct fw_packet *p)
{
	struct batch one = { .n = 1, .m = { frame_of(p) } };

	if (one.m[0] == NULL)
		return;
	one.m[0]->when_ns = p->m->when_ns;
	ifp->if_data.ipackets++;
	ifp->if_data.ibytes += one.m[0]->len;
	bpf_tap_batch(ifp, &one, p->in ? BPF_IN : BPF_OUT);
	m_free(one.m[0]);
}

void
fw_log(struct fw_rule *r, uint32_t arg, const struct fw_packet *p)
{
	struct ifnet *ifp = VNET(fw_log_if);

	if (VNET(fw_verbose))
		log_line(r, arg, p);
	else if (ifp != NULL && ifp->if_bpf != NULL)
		show_packet(ifp, p);
}

/* --- ipfw0 ------------------------------------------------------------------------------------ */

/* Nobody has business there. */
static void
nowhere(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m)
		m_drop(m, &DROP_FW_LOG_IF);
	b->n = 0;
}

static int
log_if_create(int unit, char **params, struct ifnet **made)
{
	struct ifnet *ifp = if_alloc(IFT_PROPVIRTUAL_, "ipfw", unit);
	int error;

	(void)params;
	if (ifp == NULL)
		return -ENOMEM;
	ifp->if_hdrlen = ETHER_HDR_LEN_; /* frames, to whoever taps it */
	ifp->if_mtu = UINT16_MAX;
	ifp->if_transmit = nowhere;
	ifp->if_input = nowhere;
	for (int af = 0; af < AF_SLOTS; af++)
		ifp->if_output[af] = nowhere;
	if ((error = if_attach(ifp)) != 0) {
		if_free(ifp);
		return error;
	}
	*made = VNET(fw_log_if) = ifp;
	return 0;
}

static int
log_if_destroy(struct ifnet *ifp)
{
	struct ifnet **log_if = &VNET_OF(ifp->if_home_vnet, fw_log_if);

	if (*log_if == ifp)
		*log_if = NULL;
	if_detach(ifp);
	if_free(ifp);
	return 0;
}
/* One for each stack, that comes with its firewall. */
IF_CLONE_DEFINE(
    ipfw, .name = "ipfw", .maxunit = 0, .create = log_if_create, .destroy = log_if_destroy);

int
fw_log_if_attach(void)
{
	struct ifnet *ifp;
	int error = if_clone_create_unit(&clone_of_ipfw, 0, NULL, &ifp);

	return error == -EEXIST ? 0 : error;
}
