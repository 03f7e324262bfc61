/*
 * Bytes as router advertisements and solicitations, behind right IPv6 headers and with right sums,
 * to a stack that believes them on one interface and advertises on it, too. Between them time
 * passes, so that what was learned also ends.
 */
#include "base/log.h"
#include "base/sched.h"
#include "inet6/nd6_rtr.h"
#include "kern/netisr.h"
#include "net/ethernet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t mac[6] = { 2, 0, 0, 0, 1, 1 };
enum { LIMIT = 4, MESSAGE_MAX = 300 };

static void
transmit(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m)
		if (m->len < ETHER_HDR_LEN_ || m->len > ETHER_HDR_LEN_ + 1500)
			abort();
	batch_free(b);
}

static void
command(const char *line)
{
	char *err;

	if (verb_line(NULL, line, false, NULL, &err) != 0)
		abort();
	free(err);
}

static void
quiet(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

/* n bytes: the sender's last byte, whose top bit says which message, then all behind its sum. */
static void
receive(struct ifnet *ifp, const uint8_t *data, size_t n)
{
	const uint32_t message = n - 1 < 4 ? 8 : (uint32_t)(4 + n - 1);
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + IP6_HDRLEN + message);
	struct ip6_hdr *ip6 = (void *)(m->data + ETHER_HDR_LEN_);
	struct icmp6_hdr *icmp = (void *)(ip6 + 1);
	struct batch b = { .n = 1, .m = { m } };
	struct in6 src = { { 0xfe, 0x80 } }, dst = { { 0xff, 2 } };

	memcpy(m->data, "\x33\x33\0\0\0\1\2\0\0\0\x09\x09\x86\xdd", ETHER_HDR_LEN_);
	src.b[15] = data[0];
	dst.b[15] = 1;
	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28),
		.plen = to_be16((uint16_t)message),
		.nxt = IPPROTO_ICMPV6_,
		.hlim = 255,
		.src = src,
		.dst = dst,
	};
	memset(icmp, 0, message);
	memcpy(&icmp->data, data + 1, n - 1);
	icmp->type = data[0] & 0x80 ? ND_ROUTER_SOLICIT_ : ND_ROUTER_ADVERT_;
	icmp->sum = cksum_fold(
	    cksum_add(ip6_pseudo_sum(&src, &dst, IPPROTO_ICMPV6_, message), icmp, message));
	if_receive(ifp, &b);
	while (netisr_run())
		;
}

static void
check(const struct ifnet *ifp)
{
	const struct nd6_router *r;
	const struct nd6_prefix *pr;
	const struct nd6_route *way;
	struct in6_ifaddr *ia = NULL;
	unsigned routers = 0, prefixes = 0, routes = 0, addresses = 0;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		routers++;
	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		prefixes++;
	TAILQ_FOREACH(way, &V_nd6_routes, link)
		routes += way->plen > 0;
	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL)
		addresses += (ia->flags & (IN6_IFF_AUTOCONF | IN6_IFF_TEMPORARY)) ==
		    IN6_IFF_AUTOCONF;
	if (routers > LIMIT || prefixes > LIMIT || routes > LIMIT || addresses > LIMIT)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct audit_counts before;
	struct ifnet *ifp;
	char text[256];

	worker_attach(0, CLOCK_VIRTUAL);
	audit_take(&before);
	kern_init();
	log_set_sink(quiet, NULL);
	ifp = if_alloc(IFT_ETHER_, "mem", 0);
	ifp->if_transmit = transmit;
	if (ether_attach(ifp, mac) != 0)
		abort();
	ifp->if_flags |= IFF_RUNNING_;
	command("sysctl net.inet6.ip6.maxifdefrouters=4 net.inet6.ip6.maxifprefixes=4 "
		"net.inet6.ip6.maxifroutes=4 net.inet6.ip6.use_tempaddr=1");
	command("ifconfig mem0 inet6 accept_rtadv up");
	command("rtadvd start mem0 prefix 2001:db8::/64");
	/* a byte says how long the message is, and how much time passes */
	while (len > 1) {
		size_t n = data[0] < len - 1 ? data[0] : len - 1;

		if (n > MESSAGE_MAX)
			n = MESSAGE_MAX;
		if (n > 0)
			receive(ifp, data + 1, n);
		check(ifp);
		sched_run(clock_now() + (UINT64_C(1) << (data[0] & 31)) * NS_PER_US);
		check(ifp);
		data += n + 1;
		len -= n + 1;
	}
	ether_detach(ifp);
	if_free(ifp);
	rcu_synchronize();
	kern_fini();
	rcu_synchronize();
	if (audit_compare(&before, text, sizeof(text)) != 0)
		abort();
	worker_detach();
	return 0;
}
