/*
 * mroute.h - multicast forwarding, for both families: which packets to groups go on by which
 * interfaces.
 *
 * A vif (virtual interface: the field's word) is an interface that takes part. The forwarding cache
 * says of a source and a group by which vif its packets have to come in and by which ones they go
 * on; it is filled by hand (the tool mroute) or by a routing daemon in the process, which gets the
 * upcalls: a packet without an entry, one by the wrong vif, one that is to be sent to a rendezvous
 * point. So a protocol such as PIM-SM (RFC 7761) finds here what the BSDs' kernels offer it.
 *
 * A family of a stack has nothing of all this, and its packets pay nothing, before its first vif.
 */
#ifndef WARREN_INET_MROUTE_H
#define WARREN_INET_MROUTE_H

#include "inet/ipaddr.h"
#include "kern/drop.h"
#include "net/if.h"

enum { MROUTE_VIFS = 64 }; /* of a family in a stack: sets of them are bits of a uint64_t */

/* --- vifs ------------------------------------------------------------------------------------- */

/*
 * Make ifp a vif; one that is there gets the threshold. What leaves by it must have a time to live
 * above the threshold, 1..255; 0 = as it is, at first 1. The interface then receives all groups.
 * Returns its number; -EINVAL (a loopback interface), -EOPNOTSUPP (no multicast), -ENXIO (it
 * leaves), -ENOSPC, -ENOMEM.
 */
int mroute_vif_add(int family, struct ifnet *ifp, uint8_t threshold);
/*
 * Its entries go with it, and it leaves the sets of the others; so it does when the interface
 * leaves its stack. -ENOENT.
 */
int mroute_vif_delete(int family, const struct ifnet *ifp);
/* Its number; -1. */
int mroute_vif_of(int family, const struct ifnet *ifp);

struct mroute_vif_info {
	unsigned number;
	const struct ifnet *ifp; /* borrowed */
	uint8_t threshold;
	uint64_t ipackets, ibytes, opackets, obytes;
};
/* In order of their numbers; fn non-zero stops and is returned, here and below. */
int mroute_vif_foreach(
    int family, int (*fn)(const struct mroute_vif_info *info, void *ctx), void *ctx);

/* --- the forwarding cache --------------------------------------------------------------------- */

struct mroute_route {
	struct ipaddr source; /* any: all sources that have no entry of their own: (*,G) */
	struct ipaddr group;
	unsigned in;              /* a vif's number */
	uint64_t out;             /* vifs: bits; none = the packets end here, and nobody is asked */
	uint8_t ttl[MROUTE_VIFS]; /* threshold of each way out; 0 = its vif's */
};
/*
 * Add an entry, or change what it says; its counters stay. Packets that wait for it are sent. 0;
 * -EINVAL (no group, or one that stays on its link; a source that is none; in among out), -ENXIO
 * (no such vif), -ENOBUFS (maxentries), -ENOMEM.
 */
int mroute_add(const struct mroute_route *r);
/* -ENOENT. */
int mroute_delete(const struct ipaddr *source, const struct ipaddr *group);
/* All entries, and with vifs also those. */
void mroute_flush(int family, bool vifs);

struct mroute_info {
	struct mroute_route route; /* of a pending one: no out */
	bool pending;              /* packets wait for somebody who knows */
	unsigned waiting;
	uint64_t packets, bytes, wrong; /* wrong: came in by another interface */
};
/* By group, then source. */
int mroute_foreach(int family, int (*fn)(const struct mroute_info *info, void *ctx), void *ctx);
/* One entry, pending or not; false. */
bool mroute_get(const struct ipaddr *source, const struct ipaddr *group, struct mroute_info *info);

/* --- upcalls ---------------------------------------------------------------------------------- */

enum mroute_upcall_type {
	MROUTE_NOCACHE,  /* no entry: the packet waits, net.inet.ip.mroute.pending_ms at most */
	MROUTE_WRONGVIF, /* not by the entry's vif; at most one a wrongvif_interval and entry */
	MROUTE_WHOLEPKT, /* left by the register vif, which has no rendezvous point */
};
struct mroute_upcall {
	enum mroute_upcall_type type;
	struct ipaddr source, group;
	const struct ifnet *ifp; /* by which it came; WHOLEPKT: the register vif. Borrowed */
	unsigned vif;            /* its number */
	const struct mbuf *m;    /* the packet, at its IP header; borrowed; NULL: no memory */
};
const char *mroute_upcall_name(enum mroute_upcall_type type);
/*
 * Who routes: one in a stack and family. It may change vifs and entries from within the call.
 * Others may look on: the event "mroute_upcall", arg1 = struct mroute_upcall.
 */
typedef void mroute_upcall_fn(void *ctx, const struct mroute_upcall *u);
/* 0, -EBUSY. */
int mroute_attach(int family, mroute_upcall_fn *fn, void *ctx);
void mroute_detach(int family);

/* --- the register vif (RFC 7761 4.4) ---------------------------------------------------------- */

/*
 * The interface pimregN: what leaves by it goes to the rendezvous point in PIM Register messages,
 * and the packets of such messages come in by it.
 */
bool mroute_is_register(const struct ifnet *ifp);
/*
 * Registers go to rp (any: nowhere, to the upcall), from source (any: by route). The stack's first
 * pimreg is taken, or made, and is a vif of the family then. 0, or why that can't be, and -EINVAL
 * (not unicast, or of two families).
 */
int mroute_register(int family, const struct ipaddr *rp, const struct ipaddr *source);

/* --- the packet side -------------------------------------------------------------------------- */

struct mroute;
struct mrtstat {
	uint64_t lookups, misses, upcalls, overflows, cleanups, wrongif, notfound, selected;
};
struct pimstat {
	uint64_t received, bytes, tooshort, badsum, badversion, registers, register_bytes, nulls,
	    novif, badregisters, sent, sent_bytes;
};
struct mroute_state {
	struct mroute *mr; /* published; NULL: no vif */
	mroute_upcall_fn *owner;
	void *owner_ctx;
	struct mrtstat stat;
	struct pimstat pim;
};
struct mroute_states {
	struct mroute_state of[AF_SLOTS];
};
VNET_DECLARE(struct mroute_states, mroute);

/* Does the family forward to groups at all? */
static inline bool
mroute_is_on(enum af_slot slot)
{
	return __builtin_expect(VNET(mroute).of[slot].mr != NULL, 0);
}

/*
 * Send packets of one source to one group, which came in by ifp and may be forwarded as far as
 * their addresses tell, where the cache says. The family must be on. Takes them, or with keep sends
 * copies and borrows them: members in this stack get them, or they were made here.
 */
void mroute_forward(struct ifnet *ifp, const struct ipaddr *source, const struct ipaddr *group,
    struct batch *b, bool keep);

/* What a family brings; in a linker set. */
struct mroute_proto {
	int family;
	unsigned ttl_at; /* where its header has the time to live */
	/* may packets to the group be forwarded, may this source's? */
	bool (*group_ok)(const struct ipaddr *group);
	bool (*source_ok)(const struct ipaddr *source);
	/* one off the time to live; m is writable */
	void (*hop)(struct mbuf *m);
	void (*send)(struct ifnet *ifp, struct batch *b);
};
#define MROUTE_PROTO_DEFINE(ident, ...)                                                            \
	static const struct mroute_proto mroute_proto_of_##ident = { __VA_ARGS__ };                \
	LINKERSET_ADD(mroute_proto, mroute_proto_of_##ident)

/* A PIM message of either family; info->hlen bytes before it. Takes m. */
void pim_input(struct mbuf *m, const struct ip_info *info);

#endif
