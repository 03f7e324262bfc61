/*
 * in_names.c - IPv4 addresses and masks as text.
 */
#include "inet/in.h"

#include "inet/ipaddr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool
in_aton(const char *text, uint32_t *addr)
{
	struct in_addr a;

	/* strict: four decimal parts without leading zeros */
	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*addr = a.s_addr;
	return true;
}

const char *
in_ntoa(uint32_t addr, char text[16])
{
	uint8_t b[4];

	memcpy(b, &addr, sizeof(b));
	snprintf(text, 16, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	return text;
}

uint32_t
in_plen_mask(unsigned plen)
{
	return plen == 0 ? 0 : __builtin_bswap32(UINT32_MAX << (32 - (plen < 32 ? plen : 32)));
}

uint32_t
in_class_mask(uint32_t addr)
{
	uint8_t first = (uint8_t)(addr & 0xff);

	return in_plen_mask(first < 128 ? 8 : first < 192 ? 16 : 24);
}

bool
in_mask_parse(const char *text, uint32_t *mask)
{
	uint64_t number;
	uint32_t host;

	if (strncmp(text, "0x", 2) == 0) {
		if (!verb_number(text, 0, UINT32_MAX, &number))
			return false;
		host = (uint32_t)number;
	} else {
		if (!in_aton(text, mask))
			return false;
		host = __builtin_bswap32(*mask);
	}
	*mask = __builtin_bswap32(host);
	/* ones, then zeros */
	return (~host & (~host + 1)) == 0;
}

/* --- hosts: the table is ip_hosts.c's ------------------------------------ */

int
in_hosts_add(const char *name, uint32_t addr)
{
	struct ipaddr a = ipaddr4(addr);

	return ip_hosts_add(name, &a);
}

void
in_hosts_clear(void)
{
	ip_hosts_clear();
}

const char *
in_hosts_name(uint32_t addr)
{
	struct ipaddr a = ipaddr4(addr);

	return ip_hosts_name(&a);
}

bool
in_resolve(const char *name, uint32_t *addr)
{
	struct ipaddr a;

	if (!ipaddr_resolve(name, AF_INET, &a))
		return false;
	*addr = ipaddr_in(&a);
	return true;
}

/* For route/, which lies below names. */
static bool
resolve_rt_addr(const char *name, int family, struct rt_addr *a)
{
	struct ipaddr ip;

	if (!ipaddr_resolve(name, family, &ip))
		return false;
	*a = rt_addr_make(ip.family, ip.b, 128);
	return true;
}

static void
in_names_init(void *arg)
{
	(void)arg;
	rt_resolve_name = resolve_rt_addr;
}
VNET_SYSINIT(in_names, SI_SUB_INET, SI_ORDER_FIRST, in_names_init, NULL);

static void
in_names_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		in_hosts_clear();
}
VNET_SYSUNINIT(in_names, SI_SUB_INET, SI_ORDER_FIRST, in_names_uninit, NULL);
