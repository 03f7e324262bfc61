/*
 * rt_addr.c - addresses and prefixes of any family: made, read, written.
 *
 * rt_addr_make() is the only place where a key of the tables is built: from family, bytes and
 * length, and nothing else (behaviours 18).
 */
#include "route/rib.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool (*rt_resolve_name)(const char *name, int family, struct rt_addr *a);

struct rt_addr
rt_addr_make(int family, const void *addr, unsigned plen)
{
	unsigned bits = family == AF_INET ? 32 : 128, whole;
	struct rt_addr a = { .family = (uint8_t)family };

	if (plen > bits)
		plen = bits;
	a.plen = (uint8_t)plen;
	whole = plen >> 3;
	memcpy(a.addr, addr, whole);
	if (plen & 7)
		a.addr[whole] = (uint8_t)(((const uint8_t *)addr)[whole] & (0xff00 >> (plen & 7)));
	return a;
}

struct rt_addr
rt_mask(int family, unsigned plen)
{
	struct rt_addr a;
	struct in6 ones;

	memset(&ones, 0xff, sizeof(ones));
	a = rt_addr_make(family, &ones, plen);
	a.plen = family == AF_INET ? 32 : 128;
	return a;
}

unsigned
rt_mask_lead(int family, const uint8_t *mask, bool *prefix)
{
	unsigned lead = 0, ones = 0;

	for (unsigned i = 0; i < rib_family_bits(family) / 8; i++) {
		if (lead == 8 * i)
			lead += mask[i] == 0xff ? 8u :
						  (unsigned)__builtin_clz((uint8_t)~mask[i]) - 24;
		ones += (unsigned)__builtin_popcount(mask[i]);
	}
	*prefix = lead == ones;
	return lead;
}

/* Text of either family into raw; its family is returned (0 = neither). */
static int
parse_host(const char *word, int family_hint, struct in6 *raw)
{
	if (family_hint != AF_INET6 && inet_pton(AF_INET, word, raw->b) == 1)
		return AF_INET;
	if (family_hint != AF_INET && in6_aton(word, raw))
		return AF_INET6;
	return 0;
}

bool
rt_addr_parse(const char *word, int family_hint, struct rt_addr *a)
{
	const char *slash = strchr(word, '/');
	size_t len = slash != NULL ? (size_t)(slash - word) : strlen(word);
	struct in6 raw = { { 0 } };
	char host[IN6_TEXT];
	uint64_t plen;
	int family;

	if (strcmp(word, "default") == 0) {
		*a = rt_addr_make(family_hint == 0 ? AF_INET : family_hint, &raw, 0);
		return true;
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, word, len);
	host[len] = '\0';
	family = parse_host(host, family_hint, &raw);
	if (family == 0)
		return false;
	plen = family == AF_INET ? 32 : 128;
	if (slash != NULL && !verb_number(slash + 1, 0, plen, &plen))
		return false;
	*a = rt_addr_make(family, &raw, (unsigned)plen);
	return true;
}

const char *
rt_addr_text(const struct rt_addr *a, char text[RT_ADDR_TEXT])
{
	size_t len;

	if (a->family == 0)
		return strcpy(text, "-");
	if (a->plen == 0 && in6_is_any(rt_addr_in6(a)))
		return strcpy(text, "default");
	if (a->family == AF_INET)
		inet_ntop(AF_INET, a->addr, text, RT_ADDR_TEXT);
	else
		in6_ntoa(rt_addr_in6(a), text);
	len = strlen(text);
	if (a->plen < (a->family == AF_INET ? 32 : 128))
		snprintf(text + len, RT_ADDR_TEXT - len, "/%u", a->plen);
	return text;
}

const char *
rib_dst_text(const struct rtentry *rt, char text[RIB_DST_TEXT])
{
	const uint8_t *mask = radix_mask_of(&rt->rn);
	const int family = rt->dst.family;
	size_t len;

	if (mask == NULL)
		return rt_addr_text(&rt->dst, text);
	inet_ntop(family, rt->rn.key, text, RIB_DST_TEXT);
	len = strlen(text);
	text[len++] = '&';
	if (family == AF_INET)
		snprintf(text + len, RIB_DST_TEXT - len, "0x%x", __builtin_bswap32(load32(mask)));
	else
		inet_ntop(family, mask, text + len, (socklen_t)(RIB_DST_TEXT - len));
	return text;
}

static const struct {
	uint32_t flag;
	char letter;      /* netstat; 0 = none */
	const char *name; /* route get, monitor; NULL = none */
} flag_names[] = {
	{ RTF_UP_, 'U', "UP" },
	{ RTF_GATEWAY_, 'G', "GATEWAY" },
	{ RTF_HOST_, 'H', "HOST" },
	{ RTF_REJECT_, 'R', "REJECT" },
	{ RTF_DYNAMIC_, 'D', "DYNAMIC" },
	{ RTF_MODIFIED_, 'M', "MODIFIED" },
	{ RTF_DONE_, 0, "DONE" },
	{ RTF_LLINFO_, 'L', "LLINFO" },
	{ RTF_STATIC_, 'S', "STATIC" },
	{ RTF_PROTO1_, '1', "PROTO1" },
	{ RTF_PROTO2_, '2', "PROTO2" },
	{ RTF_PROTO3_, '3', "PROTO3" },
	{ RTF_BLACKHOLE_, 'B', "BLACKHOLE" },
	{ RTF_BROADCAST_, 'b', "BROADCAST" },
	{ RTF_PINNED_, 0, "PINNED" },
	{ RTF_LOCAL_, 0, "LOCAL" },
	{ RTF_STICKY_, 0, "STICKY" },
};

const char *
rib_flag_letters(uint32_t flags, char text[RIB_FLAG_LETTERS])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
		if ((flags & flag_names[i].flag) && flag_names[i].letter != 0)
			text[n++] = flag_names[i].letter;
	text[n] = '\0';
	return text;
}

const char *
rib_flag_names(uint32_t flags, char text[RIB_FLAG_NAMES])
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
		if (flags & flag_names[i].flag)
			n += (size_t)snprintf(text + n, RIB_FLAG_NAMES - n, "%s%s",
			    n > 0 ? "," : "", flag_names[i].name);
	return text;
}

const char *
rib_gateway_text(const struct rtentry *rt, char text[RT_ADDR_TEXT])
{
	struct rt_addr host = rt->gateway;

	if (host.family == 0) {
		/* an address of ours shows the link that has it, though packets go through lo0 */
		const struct ifnet *ifp = (rt->nh.flags & RTF_LOCAL_) && rt->nh.ifa != NULL ?
		    rt->nh.ifa->ifp :
		    rt->nh.ifp;

		snprintf(text, RT_ADDR_TEXT, "link#%u", ifp->if_index);
		return text;
	}
	host.plen = host.family == AF_INET ? 32 : 128;
	return rt_addr_text(&host, text);
}
