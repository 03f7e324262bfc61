/*
 * in_names.c - IPv4 addresses as text, and the names of hosts.
 *
 * Names come from one table of the process, not from the system's resolver: what a stack says must
 * not depend on the machine on which it runs.
 */
#include "inet/in.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

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

/* --- hosts --------------------------------------------------------------- */

struct host {
	uint32_t addr;
	bool indexed; /* stands in the table by address: the first name of its address */
	UT_hash_handle hh, by_addr;
	char name[];
};

/* Written and read by the upper half only. */
static struct host *hosts_by_name, *hosts_by_addr;

static struct host *
host_find(const char *name)
{
	struct host *h;

	HASH_FIND_STR(hosts_by_name, name, h);
	return h;
}

static void
host_remove(struct host *h)
{
	HASH_DEL(hosts_by_name, h);
	if (h->indexed)
		HASH_DELETE(by_addr, hosts_by_addr, h);
	free(h);
}

int
in_hosts_add(const char *name, uint32_t addr)
{
	struct host *h, *other;
	uint32_t looks_like;
	size_t len = strlen(name);

	if (len == 0 || in_aton(name, &looks_like))
		return -EINVAL;
	if ((h = host_find(name)) != NULL)
		host_remove(h);
	h = calloc(1, sizeof(*h) + len + 1);
	if (h == NULL)
		return -ENOMEM;
	h->addr = addr;
	memcpy(h->name, name, len + 1);
	HASH_ADD_KEYPTR(hh, hosts_by_name, h->name, len, h);
	HASH_FIND(by_addr, hosts_by_addr, &addr, sizeof(addr), other);
	if (other == NULL) {
		HASH_ADD(by_addr, hosts_by_addr, addr, sizeof(h->addr), h);
		h->indexed = true;
	}
	return 0;
}

void
in_hosts_clear(void)
{
	struct host *h, *next;

	HASH_ITER(hh, hosts_by_name, h, next)
		host_remove(h);
}

const char *
in_hosts_name(uint32_t addr)
{
	struct host *h;

	HASH_FIND(by_addr, hosts_by_addr, &addr, sizeof(addr), h);
	return h == NULL ? NULL : h->name;
}

bool
in_resolve(const char *name, uint32_t *addr)
{
	struct host *h;

	if (in_aton(name, addr))
		return true;
	if ((h = host_find(name)) == NULL)
		return false;
	*addr = h->addr;
	return true;
}

static void
in_names_init(void *arg)
{
	(void)arg;
	rt_resolve_name = in_resolve;
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
