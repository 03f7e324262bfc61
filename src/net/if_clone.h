/*
 * if_clone.h - interfaces made by name: `ifconfig epair create`, `ifconfig lo1 create`.
 */
#ifndef WARREN_NET_IF_CLONE_H
#define WARREN_NET_IF_CLONE_H

#include "net/if.h"

struct if_clone {
	const char *name;	/* "epair": what precedes the unit */
	int maxunit;
	/* Make unit (curvnet is where); params are words behind `create`, NULL-terminated, may be NULL. *made = the interface whose name is printed. 0 or -errno. */
	int (*create)(int unit, char **params, struct ifnet **made);
	/* Destroy; 0 or -errno (then it stays). The one that loses a race gets -ENXIO before this is called. */
	int (*destroy)(struct ifnet *ifp);
};
#define IF_CLONE_DEFINE(ident, ...)                                                                \
	static struct if_clone ident##_clone = { __VA_ARGS__ };                                    \
	LINKERSET_ADD(if_clone, ident##_clone)

/* "epair3" or "epair" (first free unit). 0 and *made; -EEXIST, -EINVAL (no such cloner), -ENOSPC, … */
int if_clone_create(const char *name, char **params, struct ifnet **made);
/* 0; -EINVAL not a clone; -ENXIO somebody else was first. */
int if_clone_destroy(struct ifnet *ifp);

#endif
