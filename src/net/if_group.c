/*
 * if_group.c - groups of interfaces: `ifconfig IF group office`, `ifconfig -g office`.
 *
 * Every interface is in "all" and a cloned one in its cloner's group without anybody having to
 * store it; only what was said by hand takes memory.
 */
#include "net/if.h"
#include "net/if_clone.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct ifgroups {
	uint32_t n;
	bool not_cloners; /* was taken out of its cloner's group */
	char name[][IFNAMSIZ_];
};

static const char *
cloners_group(const struct ifnet *ifp)
{
	if (ifp->if_cloner == NULL || (ifp->if_groups != NULL && ifp->if_groups->not_cloners))
		return NULL;
	return ifp->if_cloner->name;
}

/* Place among those said by hand; n when it isn't there. */
static uint32_t
group_find(const struct ifgroups *g, const char *group)
{
	uint32_t i = 0;

	while (g != NULL && i < g->n && strcmp(g->name[i], group) != 0)
		i++;
	return i;
}

bool
if_in_group(const struct ifnet *ifp, const char *group)
{
	const char *cloners = cloners_group(ifp);

	if (strcmp(group, "all") == 0 || (cloners != NULL && strcmp(group, cloners) == 0))
		return true;
	return ifp->if_groups != NULL && group_find(ifp->if_groups, group) < ifp->if_groups->n;
}

/* A copy with room for n names. */
static struct ifgroups *
groups_resized(const struct ifgroups *old, uint32_t n)
{
	struct ifgroups *g = vnet_malloc(sizeof(*g) + n * sizeof(g->name[0]));

	if (g != NULL && old != NULL) {
		*g = *old;
		memcpy(g->name, old->name, (n < old->n ? n : old->n) * sizeof(g->name[0]));
	}
	return g;
}

static void
groups_replace(struct ifnet *ifp, struct ifgroups *g)
{
	vnet_free(ifp->if_groups);
	ifp->if_groups = g;
}

int
if_group_add(struct ifnet *ifp, const char *group)
{
	size_t len = strlen(group);
	uint32_t n = ifp->if_groups == NULL ? 0 : ifp->if_groups->n;
	struct ifgroups *g;

	if (len == 0 || len >= IFNAMSIZ_ || isdigit((unsigned char)group[len - 1]))
		return -EINVAL;
	if (if_in_group(ifp, group))
		return -EEXIST;
	if (ifp->if_cloner != NULL && strcmp(group, ifp->if_cloner->name) == 0) {
		ifp->if_groups->not_cloners = false;
		return 0;
	}
	g = groups_resized(ifp->if_groups, n + 1);
	if (g == NULL)
		return -ENOMEM;
	memcpy(g->name[n], group, len + 1);
	g->n = n + 1;
	groups_replace(ifp, g);
	return 0;
}

int
if_group_delete(struct ifnet *ifp, const char *group)
{
	const char *cloners = cloners_group(ifp);
	struct ifgroups *g;
	uint32_t i;

	if (strcmp(group, "all") == 0)
		return -EINVAL;
	if (!if_in_group(ifp, group))
		return -ENOENT;
	if (cloners != NULL && strcmp(group, cloners) == 0) {
		if (ifp->if_groups == NULL)
			ifp->if_groups = groups_resized(NULL, 0);
		if (ifp->if_groups == NULL)
			return -ENOMEM;
		ifp->if_groups->not_cloners = true;
		return 0;
	}
	g = ifp->if_groups;
	i = group_find(g, group);
	memmove(g->name[i], g->name[i + 1], (g->n - i - 1) * sizeof(g->name[0]));
	g->n--;
	return 0;
}

void
if_group_foreach(const struct ifnet *ifp, void (*fn)(const char *group, void *ctx), void *ctx)
{
	const char *cloners = cloners_group(ifp);

	fn("all", ctx);
	if (cloners != NULL)
		fn(cloners, ctx);
	for (uint32_t i = 0; ifp->if_groups != NULL && i < ifp->if_groups->n; i++)
		fn(ifp->if_groups->name[i], ctx);
}
