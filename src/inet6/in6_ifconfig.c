/*
 * in6_ifconfig.c - the family "inet6" of ifconfig, and how an address looks there and in netstat -i.
 */
#include "inet6/in6_internal.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	uint32_t flag;
	const char *name;
} state_names[] = {
	{ IN6_IFF_ANYCAST, "anycast" },
	{ IN6_IFF_TENTATIVE, "tentative" },
	{ IN6_IFF_DUPLICATED, "duplicated" },
	{ IN6_IFF_DETACHED, "detached" },
	{ IN6_IFF_DEPRECATED, "deprecated" },
	{ IN6_IFF_AUTOCONF, "autoconf" },
	{ IN6_IFF_TEMPORARY, "temporary" },
	{ IN6_IFF_PREFER_SOURCE, "prefer_source" },
};

/* Seconds left, or "infty". */
static void
emit_lifetime(struct emitter *e, const char *key, const char *text, uint64_t until_ns)
{
	uint64_t now = clock_now();

	if (until_ns == NS_NEVER) {
		emit_text(e, " %s infty", key);
		return;
	}
	emit_uint(e, key, text, until_ns > now ? (until_ns - now) / NS_PER_SEC : 0);
}

void
in6_ifaddr_ifconfig(struct emitter *e, const struct ifaddr *ifa)
{
	const struct in6_ifaddr *ia = (const struct in6_ifaddr *)(const void *)ifa;
	char text[IN6_TEXT];

	emit_str(e, "family", NULL, "inet6");
	emit_str(e, "address", "\tinet6 %s", in6_ntoa(&ia->addr, text));
	if (!in6_is_any(&ia->dst))
		emit_str(e, "destination", " --> %s", in6_ntoa(&ia->dst, text));
	emit_uint(e, "prefixlen", " prefixlen %" PRIu64, ia->plen);
	emit_list(e, "flags");
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
		if (ia->flags & state_names[i].flag)
			emit_str(e, "", " %s", state_names[i].name);
	emit_end(e);
	if (in6_zone(&ia->addr) != 0)
		emit_uint(e, "scopeid", " scopeid 0x%" PRIx64, in6_zone(&ia->addr));
	if (ia->expire_ns != NS_NEVER || ia->deprecate_ns != NS_NEVER) {
		emit_lifetime(e, "pltime", " pltime %" PRIu64, ia->deprecate_ns);
		emit_lifetime(e, "vltime", " vltime %" PRIu64, ia->expire_ns);
	}
	emit_text(e, "\n");
}

void
in6_ifaddr_netstat(const struct ifaddr *ifa, char *network, size_t nlen, char *address, size_t alen)
{
	const struct in6_ifaddr *ia = (const struct in6_ifaddr *)(const void *)ifa;
	struct in6 net = in6_mask(&ia->addr, ia->plen);
	char text[IN6_TEXT];

	snprintf(network, nlen, "%s/%u", in6_ntoa(&net, text), ia->plen);
	snprintf(address, alen, "%s", in6_ntoa(&ia->addr, text));
}
