/*
 * in6_policy.h - the policy table of address selection (RFC 6724 2.1).
 */
#ifndef WARREN_INET6_IN6_POLICY_H
#define WARREN_INET6_IN6_POLICY_H

#include "net/in6addr.h"

struct in6_policy {
	uint64_t key[2], mask[2]; /* as loaded from the bytes */
	uint64_t use;             /* look-ups that ended here; worker 0's */
	uint32_t precedence, label;
	uint8_t plen;
};

/* The longest match; an IPv4 address is asked for as ::ffff:a.b.c.d. NULL = none. Borrowed. */
const struct in6_policy *in6_policy_of(const struct in6 *addr);

#endif
