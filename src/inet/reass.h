/*
 * reass.h - putting fragments together, of either family: order, limits, time.
 *
 * A family reads where a fragment belongs and checks it by itself (ip_reass.c, inet6/ip6_reass.c);
 * what is the same in both, the queues of pieces, stands here once.
 */
#ifndef WARREN_INET_REASS_H
#define WARREN_INET_REASS_H

#include "base/mbuf.h"
#include "kern/drop.h"

/* Sysctls of the family. */
struct reass_limits {
	uint32_t packets;    /* datagrams of the stack that wait; 0 = take no fragments */
	uint32_t per_source; /* … of one source */
	uint32_t per_bucket; /* … in one bucket of the hash: what a look-up costs at most */
	uint32_t frags;      /* fragments of the stack that wait */
	uint32_t per_packet; /* … of one datagram */
	uint32_t ttl_s;      /* how long a datagram waits */
};

/* A family's queues in a stack: a VNET variable, limits filled in. */
struct reass {
	struct reass_limits limits;
	struct reass_table *table; /* NULL before the first fragment: an idle stack has a pointer */
};

/* What names a datagram: equal bytes, equal datagram. Unused ones are zero. */
struct reass_key {
	uint8_t src[16], dst[16];
	uint32_t id, proto;
};
_Static_assert(sizeof(struct reass_key) == 40, "no padding: it is compared by bytes");

struct reass_frag {
	struct reass_key key;
	uint16_t off, len; /* its data's place in the datagram */
	uint16_t hdr;      /* bytes before its data */
	bool last;
};

struct reass_family {
	uint32_t maxlen; /* of the whole packet, with the first fragment's headers */
	const struct drop_reason *overlap, *dup, *limit, *timeout, *toolong, *ecn, *nobuf, *ifgone;
	/* Traffic class, and the same of a whole packet: headers are the first fragment's. */
	uint8_t (*tos)(const struct mbuf *m);
	void (*finish)(struct mbuf *m, uint8_t tos);
	/* The time of a datagram is over whose first fragment is here: tell the sender. Borrows. */
	void (*timed_out)(const struct mbuf *first);
	/* n fragments are dropped for this reason: for netstat -s. */
	void (*lost)(const struct drop_reason *why, uint32_t n);
};

/* Names and texts of a family's reasons, DROP_prefix_DUP and so on. */
#define REASS_DROPS_DEFINE(prefix, layer)                                                          \
	DROP_DEFINE(                                                                               \
	    DROP_##prefix##_TOOLONG, layer, "fragtoolong", "fragment ends behind 65535 bytes");    \
	DROP_DEFINE(DROP_##prefix##_OVERLAP, layer, "fragoverlap",                                 \
	    "fragments of the datagram overlap (RFC 5722)");                                       \
	DROP_DEFINE(                                                                               \
	    DROP_##prefix##_DUP, layer, "fragdup", "copy of a fragment that is there already");    \
	DROP_DEFINE(DROP_##prefix##_LIMIT, layer, "fraglimit",                                     \
	    "too many datagrams or fragments wait for the rest");                                  \
	DROP_DEFINE(DROP_##prefix##_TIMEOUT, layer, "fragtimeout",                                 \
	    "rest of the datagram did not come in time");                                          \
	DROP_DEFINE(DROP_##prefix##_ECN, layer, "fragecn",                                         \
	    "congestion mark on a datagram that can't carry it (RFC 3168)");                       \
	DROP_DEFINE(DROP_##prefix##_NOBUF, layer, "fragreassnobuf",                                \
	    "no memory to put fragments together");                                                \
	DROP_DEFINE(DROP_##prefix##_IFGONE, layer, "fragifgone",                                   \
	    "interface left while the rest was awaited")
#define REASS_DROPS(prefix)                                                                        \
	.toolong = &DROP_##prefix##_TOOLONG, .overlap = &DROP_##prefix##_OVERLAP,                  \
	.dup = &DROP_##prefix##_DUP, .limit = &DROP_##prefix##_LIMIT,                              \
	.timeout = &DROP_##prefix##_TIMEOUT, .ecn = &DROP_##prefix##_ECN,                          \
	.nobuf = &DROP_##prefix##_NOBUF, .ifgone = &DROP_##prefix##_IFGONE

/* Takes m, a fragment; returns the whole packet that it completes, else NULL. In curvnet. */
struct mbuf *reass_input(struct reass *r, const struct reass_family *family,
    const struct reass_frag *frag, struct mbuf *m);
/* Drop a fragment that can't be used, counted as lost: returns NULL. Takes m. */
struct mbuf *reass_drop(
    const struct reass_family *family, struct mbuf *m, const struct drop_reason *why);

#endif
