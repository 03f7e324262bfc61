/*
 * mroute_register.c - the register vif: packets to a rendezvous point in PIM messages, and out of
 * them (RFC 7761 4.4, 4.9.3), for both families.
 *
 *	pimreg		an interface without a link. What multicast forwarding sends by it is put
 *			behind a Register header and sent to the rendezvous point; without one it is
 *			handed up whole, to whoever routes
 *	pim_input	the packet in a Register comes in by pimreg, as if from a link: filter, tap,
 *			forwarding cache
 *
 * All PIM messages are shown to raw listeners first (inet/ip_deliver.c): there a daemon finds the
 * others, and the Null-Registers.
 */
#include "inet/mroute_internal.h"

#include "inet/ip.h"
#include "kern/netisr.h"
#include "net/if_clone.h"

#include <errno.h>
#include <string.h>

DROP_DEFINE(DROP_PIM_TOOSHORT, "pim", "tooshort", "message is shorter than its header");
DROP_DEFINE(DROP_PIM_BADSUM, "pim", "badsum", "checksum is wrong");
DROP_DEFINE(DROP_PIM_BADVERSION, "pim", "badversion", "version is not 2");
DROP_DEFINE(DROP_PIM_BADREGISTER, "pim", "badregister",
    "register to a group, or without a packet to one inside");
DROP_DEFINE(DROP_PIM_NOVIF, "pim", "novif", "register, but this stack has no register vif");
DROP_DEFINE(DROP_PIM_NOROUTE, "pim", "noroute", "no way to the rendezvous point");
DROP_DEFINE(DROP_PIM_NOBUFS, "pim", "nobufs", "no memory for the register header");
DROP_DEFINE(DROP_PIM_NOTFORWARDED, "pim", "notforwarded",
    "sent by the register vif, but not by multicast forwarding");
DROP_DEFINE(DROP_PIM_NORP, "pim", "norp",
    "the register vif has no rendezvous point, and nobody takes the packet");

struct pim_hdr {
	uint8_t vertype; /* version 2, type */
	uint8_t reserved;
	uint16_t sum;
} __attribute__((packed));
struct pim_register_hdr {
	struct pim_hdr h;
	be32 flags; /* border, null */
} __attribute__((packed));
_Static_assert(sizeof(struct pim_register_hdr) == 8, "wire");
enum { PIM_VERSION = 2, PIM_REGISTER = 1 };
#define PIM_NULL_REGISTER UINT32_C(0x40000000)

/* A rendezvous point and the address that speaks to it; any = none, and by route. */
struct register_end {
	struct ipaddr rp, source;
};
struct pimreg {
	struct register_end to[AF_SLOTS];
};
/* What the message costs on an Ethernet: IPv6's header and the register's. */
enum { PIMREG_MTU = 1500 - 40 - 8 };

static struct pimstat *
pim_stat(int family)
{
	return &mroute_state(family)->pim;
}

/*
 * Sum of a message whose sum field is as it is: 0 = right. Of a Register the first 8 bytes alone,
 * and IPv6's pseudo-header says so (RFC 7761 4.9).
 */
static uint16_t
pim_sum(const struct ip_family *f, const struct ipaddr *src, const struct ipaddr *dst,
    const void *pim, uint32_t len)
{
	uint64_t sum = f->icmp_pseudo ? f->pseudo_sum(src, dst, IPPROTO_PIM_, len) : 0;

	return cksum_fold(cksum_add(sum, pim, len));
}

/* --- out -------------------------------------------------------------------------------------- */

/* Takes m, a packet of the family f. */
static void
register_send(const struct ip_family *f, const struct register_end *to, struct mbuf *m)
{
	struct pimstat *st = pim_stat(f->af);
	struct ipaddr source = to->source;
	struct pim_register_hdr *reg;
	struct ip_opts_out o = { 0 };
	struct ip_info info;

	clock_at(m->when_ns);
	if (ipaddr_is_any(&source) && f->source_for(m->fib, NULL, &to->rp, &source) != 0) {
		m_drop(m, &DROP_PIM_NOROUTE);
		return;
	}
	f->info(m, 0, &info);
	o.tos = info.tos;
	if ((m = m_prepend(m, sizeof(*reg))) == NULL) {
		drop_count(&DROP_PIM_NOBUFS, 1);
		return;
	}
	reg = mtod(m, struct pim_register_hdr *);
	*reg = (struct pim_register_hdr){ .h.vertype = PIM_VERSION << 4 | PIM_REGISTER };
	reg->h.sum = pim_sum(f, &source, &to->rp, reg, sizeof(*reg));
	st->sent++;
	st->sent_bytes += m->len;
	(void)f->output(m, &source, &to->rp, IPPROTO_PIM_, &o);
}

static void
hand_up(const struct ip_family *f, const struct ifnet *ifp, struct mbuf *m)
{
	struct mroute_upcall u = { .type = MROUTE_WHOLEPKT, .ifp = ifp, .m = m };
	int vif = mroute_vif_of(f->af, ifp);
	struct ip_info info;

	clock_at(m->when_ns);
	f->info(m, 0, &info);
	u.source = info.src;
	u.group = info.dst;
	u.vif = (unsigned)vif;
	if (vif >= 0 && mroute_tell(&u))
		m_free(m);
	else
		m_drop(m, &DROP_PIM_NORP);
}

static const struct ip_family *
family_of(const struct mbuf *m)
{
	return ip_family(m->len > 0 && m->data[0] >> 4 == 4 ? AF_INET : AF_INET6);
}

/* if_transmit: there is no link header. Takes the batch. */
static void
pimreg_transmit(struct ifnet *ifp, struct batch *b)
{
	struct pimreg *reg = ifp->if_softc;

	batch_foreach(b, m) {
		const struct ip_family *f = family_of(m);
		const struct register_end *to = &reg->to[mroute_slot(f->af)];

		if (!(m->flags & M_FORWARDED))
			m_drop(m, &DROP_PIM_NOTFORWARDED);
		else if (ipaddr_is_any(&to->rp))
			hand_up(f, ifp, m);
		else
			register_send(f, to, m);
	}
	b->n = 0;
}

/* --- in --------------------------------------------------------------------------------------- */

/* if_input: packets of one family. */
static void
pimreg_input(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	netisr_dispatch(family_of(b->m[0])->af == AF_INET ? NETISR_IP : NETISR_IPV6, b);
}

static struct ifnet *
pimreg_of(int family)
{
	const struct mroute *mr = mroute_state(family)->mr;

	for (unsigned i = 0; mr != NULL && i < MROUTE_VIFS; i++)
		if (mr->vif[i] != NULL && mroute_is_register(mr->vif[i]->ifp))
			return mr->vif[i]->ifp;
	return NULL;
}

/* Is there a packet of the family to a group behind the headers? */
static bool
inner_ok(const struct mbuf *m, unsigned off, const struct ip_family *f)
{
	struct mbuf inner = *m;
	struct ip_info info;

	inner.data += off;
	inner.len -= off;
	if (inner.len < f->hdrlen || inner.data[0] >> 4 != (f->af == AF_INET ? 4 : 6))
		return false;
	f->info(&inner, 0, &info);
	return ipaddr_is_multicast(&info.dst);
}

/* Takes m, whose register header has been checked. */
static void
register_input(struct mbuf *m, const struct ip_info *outer)
{
	const struct ip_family *f = outer->family;
	struct pimstat *st = pim_stat(f->af);
	const unsigned off = outer->hlen + (unsigned)sizeof(struct pim_register_hdr);
	const struct pim_register_hdr *reg = (const void *)(m->data + outer->hlen);
	struct ifnet *ifp = pimreg_of(f->af);
	struct batch one = { .n = 1, .m = { m } };

	st->registers++;
	st->register_bytes += m->len - outer->hlen;
	if (from_be32(reg->flags) & PIM_NULL_REGISTER) {
		st->nulls++;
		m_free(m);
		return;
	}
	if (ipaddr_is_multicast(&outer->dst) || !inner_ok(m, off, f)) {
		st->badregisters++;
		m_drop(m, &DROP_PIM_BADREGISTER);
		return;
	}
	if (ifp == NULL) {
		st->novif++;
		m_drop(m, &DROP_PIM_NOVIF);
		return;
	}
	m_adj(m, off);
	m->rcvif = ifp;
	m->fib = ifp->if_fib;
	m->flags = M_MCAST;
	m->flowid = 0;
	m->nh = NULL;
	if_receive(ifp, &one);
}

/*
 * What is wrong with a message, NULL = nothing. The sum of a whole Register is right, too: others
 * send it so.
 */
static const struct drop_reason *
pim_fault(const struct mbuf *m, const struct ip_info *info)
{
	struct pimstat *st = pim_stat(info->family->af);
	const struct pim_hdr *pim = (const void *)(m->data + info->hlen);
	const uint32_t len = m->len - info->hlen;
	bool is_register;

	if (len < sizeof(*pim))
		return st->tooshort++, &DROP_PIM_TOOSHORT;
	is_register = (pim->vertype & 15) == PIM_REGISTER;
	if (is_register && len < sizeof(struct pim_register_hdr))
		return st->tooshort++, &DROP_PIM_TOOSHORT;
	if (pim->vertype >> 4 != PIM_VERSION)
		return st->badversion++, &DROP_PIM_BADVERSION;
	if (is_register &&
	    pim_sum(info->family, &info->src, &info->dst, pim, sizeof(struct pim_register_hdr)) ==
		0)
		return NULL;
	if (pim_sum(info->family, &info->src, &info->dst, pim, len) != 0)
		return st->badsum++, &DROP_PIM_BADSUM;
	return NULL;
}

void
pim_input(struct mbuf *m, const struct ip_info *info)
{
	struct pimstat *st = pim_stat(info->family->af);
	const struct drop_reason *why = pim_fault(m, info);

	st->received++;
	st->bytes += m->len - info->hlen;
	if (why != NULL)
		m_drop(m, why);
	else if ((m->data[info->hlen] & 15) == PIM_REGISTER)
		register_input(m, info);
	else
		m_free(m); /* it was for the listeners */
}

/* --- the interface ---------------------------------------------------------------------------- */

bool
mroute_is_register(const struct ifnet *ifp)
{
	return ifp->if_transmit == pimreg_transmit;
}

static int
pimreg_create(int unit, char **params, struct ifnet **made)
{
	struct ifnet *ifp = if_alloc(IFT_PROPVIRTUAL_, "pimreg", unit);
	int error;

	(void)params;
	if (ifp == NULL)
		return -ENOMEM;
	if ((ifp->if_softc = vnet_malloc(sizeof(struct pimreg))) == NULL) {
		if_free(ifp);
		return -ENOMEM;
	}
	ifp->if_mtu = PIMREG_MTU;
	ifp->if_flags = IFF_RUNNING_;
	for (int af = 0; af < AF_SLOTS; af++)
		ifp->if_output[af] = if_transmit_batch;
	ifp->if_transmit = pimreg_transmit;
	ifp->if_input = pimreg_input;
	error = if_attach(ifp);
	if (error != 0) {
		vnet_free(ifp->if_softc);
		if_free(ifp);
		return error;
	}
	*made = ifp;
	return 0;
}

static int
pimreg_destroy(struct ifnet *ifp)
{
	if_detach(ifp);
	vnet_free(ifp->if_softc);
	if_free(ifp);
	return 0;
}
IF_CLONE_DEFINE(
    pimreg, .name = "pimreg", .maxunit = 32767, .create = pimreg_create, .destroy = pimreg_destroy);

/* The stack's first one, up; *made: there was none. 0 or -errno. */
static int
pimreg_get(struct ifnet **found, bool *made)
{
	struct ifnet *ifp;
	int error;

	*found = NULL;
	*made = false;
	IF_FOREACH(ifp)
		if (mroute_is_register(ifp)) {
			*found = ifp;
			return 0;
		}
	error = if_clone_create_unit(&clone_of_pimreg, -1, NULL, &ifp);
	if (error != 0)
		return error;
	*found = ifp;
	*made = true;
	if ((error = if_up(ifp)) != 0)
		(void)if_clone_destroy(ifp);
	return error;
}

int
mroute_register(int family, const struct ipaddr *rp, const struct ipaddr *source)
{
	struct register_end *to;
	struct ifnet *ifp;
	bool made;
	int error;

	if ((!ipaddr_is_any(rp) && rp->family != family) || ipaddr_is_multicast(rp) ||
	    (!ipaddr_is_any(source) && source->family != family) || ipaddr_is_multicast(source))
		return -EINVAL;
	if ((error = pimreg_get(&ifp, &made)) != 0)
		return error;
	if ((error = mroute_vif_add(family, ifp, 0)) < 0) {
		if (made)
			(void)if_clone_destroy(ifp);
		return error;
	}
	to = &((struct pimreg *)ifp->if_softc)->to[mroute_slot(family)];
	*to = (struct register_end){ *rp, *source };
	to->source.family = (uint8_t)family;
	return 0;
}
