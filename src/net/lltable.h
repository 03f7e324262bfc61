/*
 * lltable.h - who is where on the link: layer-3 address -> link header, one table per interface and
 * family.
 *
 * The family (ARP in inet/arp.c, ND later) owns the states and the timers; this room owns the
 * entries, their reference counts, the hash, the hold queue and the lists that `arp -a` and `show`
 * print. References (behaviours 10): the table holds one while the entry is linked, an armed timer
 * holds one, each route that caches the entry holds one.
 *
 * The packet side reads without locks: an entry that is LLE_VALID has a complete link header.
 */
#ifndef WARREN_NET_LLTABLE_H
#define WARREN_NET_LLTABLE_H

#include "base/callout.h"
#include "base/mbuf.h"
#include "base/rcu.h"
#include "kern/drop.h"
#include "net/if.h"

enum lle_flags {
	LLE_VALID = 0x0001,  /* header is complete: the fast path may use it */
	LLE_STATIC = 0x0002, /* made by hand, never expires */
	LLE_IFADDR = 0x0004, /* one of our own addresses */
	LLE_PUB = 0x0008,    /* answer for it (proxy) */
	LLE_PROXYONLY = 0x0010,
	LLE_REJECT = 0x0020,
	LLE_BLACKHOLE = 0x0040,
	LLE_LINKED = 0x0080,  /* in its table */
	LLE_DELETED = 0x0100, /* unlinked; holders must look up again */
	LLE_STALE = 0x0200,  /* the header is complete, but the family sees the next packet first */
	LLE_ROUTER = 0x0400, /* ND: the neighbour is a router */
	LLE_IDLE = 0x0800,   /* may be evicted: in its table's queue of such */
	LLE_TRAFFIC = 0x1000, /* made by traffic: counts against its table's limit */
};

struct llentry {
	/* what each packet reads: these 16 bytes are never in two cache lines */
	volatile uint16_t flags; /* enum lle_flags */
	uint8_t header[14];      /* the link header, ready to copy: dst, src, type */
	uint8_t state;           /* the family's: ARP incomplete/reachable, ND states */
	uint8_t asked;           /* requests sent in this burst */
	uint32_t refs;
	struct lltable *table;
	uint8_t addr[16];   /* network order; the first table->addrlen bytes count */
	uint64_t expire_ns; /* 0 = never */
	uint64_t confirmed_ns;
	struct mbufq hold; /* packets that wait for resolution */
	struct callout timer;
	struct llentry *hnext;     /* hash chain */
	TAILQ_ENTRY(llentry) link; /* table's list in order of creation */
	TAILQ_ENTRY(llentry) idle; /* while LLE_IDLE */
	struct rcu_head rcu;
};

TAILQ_HEAD(llehead, llentry);

struct lltable {
	struct ifnet *ifp;
	int family;      /* AF_INET, AF_INET6 */
	uint8_t addrlen; /* 4, 16 */
	struct llehead entries;
	struct llehead idle;          /* make room for new ones at the limit, oldest first */
	uint32_t count;               /* all entries */
	uint32_t from_traffic, limit; /* those that traffic made; made by hand come on top */
	struct llentry **hash;        /* NULL until the first entry; grows */
	uint32_t hash_mask;
	uint64_t hash_key[2];
	LIST_ENTRY(lltable) of_ifp; /* the interface's tables */
	LIST_ENTRY(lltable) all;    /* the stack's tables, for show */
	struct vnet *vnet;          /* of which stack */
	uint32_t refs;              /* its own and one for each llentry alive, linked or not */
	struct rcu_head rcu;
	/* the family's name of an entry's state, for show; may be NULL */
	const char *(*state_text)(const struct llentry *lle);
	/* the family's last word before memory goes; may be NULL */
	void (*entry_free)(struct llentry *lle);
};

LIST_HEAD(lltablehead, lltable);
VNET_DECLARE(struct lltablehead, lltable_head);
#define V_lltable_head VNET(lltable_head)

struct lltable *lltable_new(struct ifnet *ifp, int family, uint32_t limit);
/*
 * Unlinks and releases every entry (cancelled timers give their reference back), then frees the
 * table.
 */
void lltable_free(struct lltable *t);

/* Borrowed, valid in this batch; NULL. addr: network order. */
struct llentry *lla_find(struct lltable *t, const void *addr);
/*
 * Find or make (linked, no state, ethertype put into header, our address as source). At the limit
 * (for_traffic) the oldest idle entry makes room. One that is found or made by hand (!for_traffic)
 * counts no more and is never evicted. NULL: all are in use, or no memory. Borrowed: the table's
 * reference.
 */
struct llentry *lla_create(
    struct lltable *t, const void *addr, uint16_t ethertype, bool for_traffic);
/*
 * May the entry be evicted from now on (behind those that already may), or no more? Those made by
 * hand never may.
 */
void lle_idle(struct llentry *lle, bool idle);
/* Somebody made it his own: it counts no more against the limit, and is never evicted. */
void lle_by_hand(struct llentry *lle);
/*
 * Unlink: held packets dropped, timer cancelled, marked LLE_DELETED, table's reference given back.
 */
void lla_delete(struct llentry *lle);
/* Complete header, nothing to be done before it is used. */
static inline bool
lle_is_ready(const struct llentry *lle)
{
	return (lle->flags & (LLE_VALID | LLE_REJECT | LLE_BLACKHOLE | LLE_DELETED | LLE_STALE)) ==
	    LLE_VALID;
}
struct llentry *lle_ref(struct llentry *lle);
void lle_rele(struct llentry *lle);
/*
 * Arm (delay_ns > 0) or cancel (0) the timer with the reference discipline; fn runs with one
 * reference that it must lle_rele.
 */
void lle_timer(struct llentry *lle, uint64_t delay_ns, void (*fn)(void *lle));
/*
 * The address is now known: complete the header and set LLE_VALID. The caller sends what was held.
 */
void lle_resolve(struct llentry *lle, const uint8_t lladdr[6]);
void lle_unresolve(struct llentry *lle);
/* Queue m behind at most maxhold packets: the oldest is dropped when full (counted). Takes m. */
void lle_hold(
    struct llentry *lle, struct mbuf *m, uint32_t maxhold, const struct drop_reason *overflow);
/* All that waited, to the caller: *q is initialised here. */
void lle_take_held(struct llentry *lle, struct mbufq *q);
/*
 * The header is complete: what waited goes out by the interface, in order. `nobufs` counts packets
 * for whose header there was no memory.
 */
void lle_send_held(struct llentry *lle, const struct drop_reason *nobufs);
uint64_t lle_live(void); /* audit */
/* ifp has another address: it becomes the source in all ready headers. */
void lltable_lladdr_changed(struct ifnet *ifp);
/* ifp leaves: held packets that came in by it forget that. */
void lltable_forget_rcvif(const struct ifnet *ifp);
struct llentry *lle_by_handle(uintptr_t handle);
struct lltable *lltable_by_handle(uintptr_t handle);

#endif
