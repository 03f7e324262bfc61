/*
 * in6addr.c - IPv6 addresses: masks, well-known groups, text with zones.
 */
#include "net/in6addr.h"

#include "kern/verb.h"
#include "net/if.h"

#include <arpa/inet.h>
#include <stdio.h>

const struct in6 in6_any_;
const struct in6 in6_loopback_ = { .b = { [15] = 1 } };
const struct in6 in6_allnodes = { .b = { 0xff, 2, [15] = 1 } };
const struct in6 in6_allrouters = { .b = { 0xff, 2, [15] = 2 } };

unsigned
in6_scope(const struct in6 *a)
{
	if (in6_is_multicast(a))
		return in6_mc_scope(a);
	return in6_is_linklocal(a) || in6_is_loopback(a) ? 2 : 14;
}

struct in6
in6_mask(const struct in6 *a, unsigned plen)
{
	struct in6 r = { { 0 } };
	unsigned whole = plen >> 3;

	memcpy(r.b, a->b, whole);
	if (plen & 7)
		r.b[whole] = (uint8_t)(a->b[whole] & (0xff00 >> (plen & 7)));
	return r;
}

bool
in6_match(const struct in6 *a, const struct in6 *b, unsigned plen)
{
	struct in6 x = in6_mask(a, plen), y = in6_mask(b, plen);

	return in6_equal(&x, &y);
}

struct in6
in6_solicited_node(const struct in6 *a, uint32_t ifindex)
{
	struct in6 g = { .b = { 0xff, 2, [11] = 1, [12] = 0xff, a->b[13], a->b[14], a->b[15] } };

	in6_embed(&g, ifindex);
	return g;
}

void
in6_eui64(struct in6 *a, const uint8_t lladdr[6])
{
	memcpy(a->b + 8, lladdr, 3);
	a->b[8] ^= 2;
	a->b[11] = 0xff;
	a->b[12] = 0xfe;
	memcpy(a->b + 13, lladdr + 3, 3);
}

bool
in6_aton(const char *text, struct in6 *a)
{
	const char *percent = strchr(text, '%');
	char host[INET6_ADDRSTRLEN];
	const struct ifnet *ifp;
	size_t len = percent != NULL ? (size_t)(percent - text) : strlen(text);
	uint64_t index;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET6, host, a->b) != 1)
		return false;
	/* on the wire and in text the zone's place is empty */
	if (in6_zone(a) != 0)
		return false;
	if (percent == NULL)
		return true;
	if (!in6_is_scoped(a))
		return false;
	if ((ifp = if_byname(percent + 1)) != NULL)
		index = ifp->if_index;
	else if (!verb_number(percent + 1, 1, IN6_ZONE_MAX, &index))
		return false;
	if (index > IN6_ZONE_MAX)
		return false;
	in6_embed(a, (uint32_t)index);
	return true;
}

const char *
in6_ntoa(const struct in6 *a, char text[IN6_TEXT])
{
	struct in6 bare = *a;
	uint32_t zone = in6_clear(&bare);
	const struct ifnet *ifp;
	size_t len;

	inet_ntop(AF_INET6, bare.b, text, IN6_TEXT);
	if (zone == 0)
		return text;
	len = strlen(text);
	if (curvnet != NULL && (ifp = if_byindex(zone)) != NULL)
		snprintf(text + len, IN6_TEXT - len, "%%%s", ifp->if_xname);
	else
		snprintf(text + len, IN6_TEXT - len, "%%%u", zone);
	return text;
}
