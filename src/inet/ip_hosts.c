/*
 * ip_hosts.c - the process's hosts table: names of addresses of both families, as labs give them.
 *
 * Names come from this table, not from the system's resolver: what a stack says must not depend on
 * the machine on which it runs. Found by name and family, and by address: the first name that an
 * address got. Written and read by the upper half only.
 */
#include "inet/ipaddr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct host {
	struct ipaddr addr; /* key of by_addr */
	bool indexed;       /* stands in the table by address: the first name of its address */
	UT_hash_handle hh, by_addr;
	char key[]; /* the family's byte, then the name */
};

static struct host *hosts_by_name, *hosts_by_addr;

enum { NAME_MAX_ = 255 };

/* Key of a name in a family; its length, 0 = no such name can be. */
static size_t
host_key(const char *name, int family, char key[NAME_MAX_ + 2])
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_)
		return 0;
	key[0] = (char)family;
	memcpy(key + 1, name, len + 1);
	return len + 1;
}

static struct host *
host_find(const char *name, int family)
{
	char key[NAME_MAX_ + 2];
	size_t len = host_key(name, family, key);
	struct host *h = NULL;

	if (len > 0)
		HASH_FIND(hh, hosts_by_name, key, len, h);
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
ip_hosts_add(const char *name, const struct ipaddr *a)
{
	char key[NAME_MAX_ + 2];
	size_t len = host_key(name, a->family, key);
	struct ipaddr looks_like;
	struct host *h, *other;

	if (len == 0 || ip_family(a->family) == NULL || ipaddr_aton(name, AF_UNSPEC, &looks_like))
		return -EINVAL;
	if ((h = host_find(name, a->family)) != NULL)
		host_remove(h);
	h = calloc(1, sizeof(*h) + len + 1);
	if (h == NULL)
		return -ENOMEM;
	h->addr = *a;
	memcpy(h->key, key, len + 1);
	HASH_ADD_KEYPTR(hh, hosts_by_name, h->key, len, h);
	HASH_FIND(by_addr, hosts_by_addr, a, sizeof(*a), other);
	if (other == NULL) {
		HASH_ADD(by_addr, hosts_by_addr, addr, sizeof(h->addr), h);
		h->indexed = true;
	}
	return 0;
}

void
ip_hosts_clear(void)
{
	struct host *h, *next;

	HASH_ITER(hh, hosts_by_name, h, next)
		host_remove(h);
}

const char *
ip_hosts_name(const struct ipaddr *a)
{
	struct host *h;

	HASH_FIND(by_addr, hosts_by_addr, a, sizeof(*a), h);
	return h == NULL ? NULL : h->key + 1;
}

bool
ipaddr_resolve(const char *word, int family, struct ipaddr *a)
{
	const struct host *h = NULL;

	if (ipaddr_aton(word, family, a))
		return true;
	if (family != AF_INET6)
		h = host_find(word, AF_INET);
	if (h == NULL && family != AF_INET)
		h = host_find(word, AF_INET6);
	if (h != NULL)
		*a = h->addr;
	return h != NULL;
}
