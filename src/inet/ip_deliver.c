/*
 * ip_deliver.c - packets that have arrived: the last step of IPv4's way in.
 *
 *	ip_deliver	fragment? -> ip_reass · raw listeners borrow it, one may serve it · the
 *			protocol takes it, or "protocol unreachable" goes back
 *
 * Protocols register in a linker set; the table by number is built once, before main.
 */
#include "inet/icmp.h"
#include "inet/ip.h"

#include <stdlib.h>

DROP_DEFINE(DROP_IP_NOPROTO, "ip", "noproto", "no handler for the protocol");

LINKERSET_DECLARE(ip_protocol, const struct ip_protocol);

static const struct ip_protocol *by_number[256]; /* written before main */

/*
 * Where a walk over the listeners stands. A listener may leave while it is called, or take others
 * with it, or send something that is delivered before it returns: so each walk says what it looks
 * at next.
 */
struct raw_walk {
	struct ip_raw *next;
	struct raw_walk *outer;
};

LIST_HEAD(ip_raw_list, ip_raw);
VNET_DEFINE_STATIC(struct ip_raw_list, ip_raw_list);
VNET_DEFINE_STATIC(struct raw_walk *, ip_raw_walk);
#define V_ip_raw_list VNET(ip_raw_list)
#define V_ip_raw_walk VNET(ip_raw_walk)

__attribute__((constructor)) static void
ip_protocol_table(void)
{
	const struct ip_protocol *const *p;

	LINKERSET_FOREACH(p, ip_protocol) {
		if (by_number[(*p)->proto] != NULL)
			abort(); /* two rooms want one number: the link order must not decide */
		by_number[(*p)->proto] = *p;
	}
}

const struct ip_protocol *
ip_protocol(uint8_t proto)
{
	return by_number[proto];
}

void
ip_raw_attach(struct ip_raw *r)
{
	LIST_INSERT_HEAD(&V_ip_raw_list, r, link);
}

void
ip_raw_detach(struct ip_raw *r)
{
	for (struct raw_walk *w = V_ip_raw_walk; w != NULL; w = w->outer)
		if (w->next == r)
			w->next = LIST_NEXT(r, link);
	LIST_REMOVE(r, link);
}

bool
ip_raw_input(int family, uint8_t proto, const struct mbuf *m, unsigned hlen)
{
	struct raw_walk walk = { LIST_FIRST(&V_ip_raw_list), V_ip_raw_walk };
	struct ip_raw *r;
	bool served = false;

	V_ip_raw_walk = &walk;
	while ((r = walk.next) != NULL) {
		walk.next = LIST_NEXT(r, link);
		if (r->proto == proto && (r->family == 0 ? AF_INET : r->family) == family)
			served |= r->input(r, m, hlen);
	}
	V_ip_raw_walk = walk.outer;
	return served;
}

void
ip_deliver(struct mbuf *m)
{
	const struct ip_protocol *p;
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);
	bool served;

	/* Whatever is made in answer is made at the packet's time, not at the batch's. */
	clock_at(m->when_ns);
	if (__builtin_expect((from_be16(ip->off) & (IP_MF_ | IP_OFFMASK_)) != 0, 0)) {
		m = ip_reass(m);
		if (m == NULL)
			return;
		ip = mtod(m, struct ip_hdr *);
	}

	served = !LIST_EMPTY(&V_ip_raw_list) && ip_raw_input(AF_INET, ip->proto, m, ip_hlen(ip));
	if (__builtin_expect(served, 0)) {
		V_ipstat.delivered++;
		m_free(m);
		return;
	}
	p = by_number[ip->proto];
	if (__builtin_expect(p != NULL && p->input != NULL, 1)) {
		V_ipstat.delivered++;
		p->input(m, ip_hlen(ip));
		return;
	}
	V_ipstat.noproto++;
	icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_PROTOCOL_, 0);
	m_drop(m, &DROP_IP_NOPROTO);
}
