/*
 * mroute_fixture.h - tests of multicast forwarding: inet6_fixture.h's stack as a router with three
 * interfaces, and the words for packets to groups. What both families have in common is tested by
 * the same code: the addresses stand in a table.
 */
#ifndef WARREN_TESTS_UNIT_MROUTE_FIXTURE_H
#define WARREN_TESTS_UNIT_MROUTE_FIXTURE_H

#include "inet6_fixture.h"

#include "inet/mroute.h"

/* --- a router with three interfaces ----------------------------------------------------------- */

/* lan (mem0) has the source; wan (mem1) the rendezvous point; dmz (mem2). */
static struct memif dmz;

struct addresses {
	int af;
	const char *source, *source2, *group, *group2, *link_group, *link_source, *here, *rp;
	const char *hdr; /* of the sysctls */
};
static const struct addresses inet = { AF_INET, "10.0.0.2", "10.0.0.3", "239.1.1.1", "239.1.1.2",
	"224.0.0.9", "169.254.1.1", "10.0.0.1", "10.0.1.2", "net.inet.ip" };
static const struct addresses inet6 = { AF_INET6, "2001:db8::2", "2001:db8::3", "ff1e::101",
	"ff1e::2", "ff02::9", "fe80::2", "2001:db8::1", "2001:db8:1::2", "net.inet6.ip6" };
static const struct addresses *F; /* of the family that is tested */

static inline struct mrtstat *
stats(void)
{
	return &VNET(mroute).of[F->af == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6].stat;
}

static inline struct pimstat *
pim(void)
{
	return &VNET(mroute).of[F->af == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6].pim;
}

static inline void
clear(void)
{
	memif_clear(&lan);
	memif_clear(&wan);
	memif_clear(&dmz);
}

static inline int
setup(void **state)
{
	if (inet6_setup(state) != 0)
		return -1;
	memif_open(&wan, 1);
	memif_open(&dmz, 2);
	command("ifconfig mem1 inet 10.0.1.1/24 up");
	command("ifconfig mem2 inet 10.0.2.1/24 up");
	address6(&wan, "2001:db8:1::1", 64, 0);
	address6(&dmz, "2001:db8:2::1", 64, 0);
	neighbour(&wan, "10.0.1.2");
	neighbour6(&wan, "2001:db8:1::2");
	settle6();
	clear();
	return 0;
}

static inline int
setup_inet(void **state)
{
	F = &inet;
	return setup(state);
}

static inline int
setup_inet6(void **state)
{
	F = &inet6;
	return setup(state);
}

static inline int
teardown(void **state)
{
	if (dmz.ifp != NULL)
		memif_close(&dmz);
	return inet6_teardown(state);
}

/* --- packets ---------------------------------------------------------------------------------- */

enum { PAYLOAD = 32 };

/* A packet at its IP header, of 32 bytes of UDP that nobody reads; id is in its last byte. */
static inline struct mbuf *
datagram(const char *source, const char *group, uint8_t ttl, uint8_t id)
{
	struct mbuf *m;

	if (F->af == AF_INET) {
		m = packet(a4(source), a4(group), IPPROTO_UDP_, PAYLOAD);
		mtod(m, struct ip_hdr *)->ttl = ttl;
		resum(m);
	} else {
		m = packet6(source, group, IPPROTO_UDP_, PAYLOAD);
		mtod(m, struct ip6_hdr *)->hlim = ttl;
	}
	m->data[m->len - 1] = id;
	return m;
}

/* Put it into a frame to its group, or to us. */
static inline struct mbuf *
framed(const struct memif *mi, struct mbuf *m)
{
	const struct ip_family *f = ip_family(F->af);
	struct ether_header_ *eh;
	struct ip_info info;

	m->rcvif = NULL;
	f->info(m, 0, &info);
	m = m_prepend(m, ETHER_HDR_LEN_);
	eh = mtod(m, struct ether_header_ *);
	memcpy(eh->src, peer_mac, 6);
	memcpy(eh->dst, mi->ifp->if_lladdr, 6);
	if (ipaddr_is_multicast(&info.dst) && F->af == AF_INET)
		memcpy(eh->dst,
		    (uint8_t[6]){ 1, 0, 0x5e, info.dst.b[1] & 0x7f, info.dst.b[2], info.dst.b[3] },
		    6);
	else if (ipaddr_is_multicast(&info.dst))
		in6_ether_group(ipaddr_in6(&info.dst), eh->dst);
	eh->type = to_be16(F->af == AF_INET ? ETHERTYPE_IP_ : ETHERTYPE_IPV6_);
	m->when_ns = clock_now();
	return m;
}

static inline void
receive(struct memif *mi, struct mbuf *m)
{
	memif_receive(mi, framed(mi, m));
	while (netisr_run())
		continue;
}

static inline void
hear(struct memif *mi, const char *source, const char *group, uint8_t ttl, uint8_t id)
{
	receive(mi, datagram(source, group, ttl, id));
}

static inline unsigned
ttl_of(const struct mbuf *frame)
{
	return F->af == AF_INET ? frame_ip(frame)->ttl : frame_ip6(frame)->hlim;
}

/* The n-th frame that was sent has this id. */
static inline void
assert_sent(const struct memif *mi, unsigned n, uint8_t id)
{
	const struct mbuf *m = mi->sent.head;

	while (n-- > 0 && m != NULL)
		m = m->next;
	assert_non_null(m);
	assert_int_equal(m->data[m->len - 1], id);
}

static inline void
cmd(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	command(line);
}

/* The command fails with this status and these words somewhere in what it says. */
static inline void
refused(int status, const char *says, const char *fmt, ...)
{
	char line[256], *err = NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	assert_int_equal(verb_line(NULL, line, false, NULL, &err), status);
	if (strstr(err, says) == NULL)
		fail_msg("%s: %s", line, err);
	free(err);
}

static inline void
add(void)
{
	cmd("mroute add %s %s from mem0 to mem1,mem2", F->source, F->group);
}

static inline struct mroute_info
info_of(const char *source, const char *group)
{
	const struct ipaddr g = addr_of(group);
	struct ipaddr s = { .family = g.family };
	struct mroute_info info;

	if (source != NULL)
		s = addr_of(source);
	assert_true(mroute_get(&s, &g, &info));
	return info;
}

static inline bool
is_there(const char *source, const char *group)
{
	const struct ipaddr s = addr_of(source), g = addr_of(group);
	struct mroute_info info;

	return mroute_get(&s, &g, &info);
}

/* --- who routes ------------------------------------------------------------------------------- */

struct owner {
	unsigned n, ncache, nwrong, nwhole;
	struct mroute_upcall last;
	uint8_t id;         /* of the packet that came with it */
	const char *answer; /* a command, in the middle of the upcall */
};

static inline void
on_upcall(void *ctx, const struct mroute_upcall *u)
{
	struct owner *o = ctx;

	o->n++;
	o->ncache += u->type == MROUTE_NOCACHE;
	o->nwrong += u->type == MROUTE_WRONGVIF;
	o->nwhole += u->type == MROUTE_WHOLEPKT;
	o->last = *u;
	if (u->m != NULL)
		o->id = u->m->data[u->m->len - 1];
	if (o->answer != NULL)
		command(o->answer);
}

#define EACH(fn)                                                                                   \
	{ #fn "_inet", fn, setup_inet, teardown, NULL },                                           \
	{                                                                                          \
#fn "_inet6", fn, setup_inet6, teardown, NULL                                      \
	}

#endif
