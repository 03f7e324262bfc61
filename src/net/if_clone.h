/*
 * if_clone.h - interfaces made by name: `ifconfig epair create`, `ifconfig lo1 create`.
 */
#ifndef WARREN_NET_IF_CLONE_H
#define WARREN_NET_IF_CLONE_H

#include "net/if.h"

struct if_clone {
	const char *name; /* "epair": what precedes the unit */
	int maxunit;
	/*
	 * Make unit (curvnet is where); params are words behind `create`, NULL-terminated, may be
	 * NULL. *made = the interface whose name is printed. 0 or -errno.
	 */
	int (*create)(int unit, char **params, struct ifnet **made);
	/*
	 * Destroy; 0 or -errno (then it stays). The one that loses a race gets -ENXIO before this
	 * is called.
	 */
	int (*destroy)(struct ifnet *ifp);
	int minunit; /* units below it are made by the stack itself and can't be destroyed by name (lo0) */
	/*
	 * The names that a unit takes, when they are not NAME + UNIT (epair: two); false when i is
	 * past the last.
	 */
	bool (*unit_name)(int unit, int i, char name[IFNAMSIZ_]);
};
#define IF_CLONE_DEFINE(ident, ...)                                                                \
	static struct if_clone clone_of_##ident = { __VA_ARGS__ };                                 \
	LINKERSET_ADD(if_clone, clone_of_##ident)

/*
 * "epair3" or "epair" (first free unit). 0 and *made; -EEXIST, -EINVAL (no such cloner), -ENOSPC, …
 */
int if_clone_create(const char *name, char **params, struct ifnet **made);
/* The same by cloner; unit -1 = the first free one. */
int if_clone_create_unit(struct if_clone *ifc, int unit, char **params, struct ifnet **made);
/* The cloner for "epair" or "epair3" (*unit 3, or -1 without a number); NULL if there is none. */
struct if_clone *if_clone_match(const char *name, int *unit);
/*
 * Why the last create failed, where the driver knows more than its error says ("/dev/net/tun:
 * Operation not permitted: …"); "" otherwise. ifconfig prints it instead of the error's text.
 */
extern char if_clone_why[192];
/* All cloners, sorted by name. */
void if_clone_foreach(void (*fn)(const struct if_clone *ifc, void *ctx), void *ctx);
/* 0; -EINVAL not a clone; -ENXIO somebody else was first. */
int if_clone_destroy(struct ifnet *ifp);

#endif
