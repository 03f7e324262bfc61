/*
 * ifconfig.h - between the parser of ifconfig and its printer.
 */
#ifndef WARREN_NET_IFCONFIG_H
#define WARREN_NET_IFCONFIG_H

#include "kern/netstat.h"
#include "net/if.h"

/* One call of ifconfig. */
struct ifconfig {
	struct verb_run *v;
	bool all, names_only, only_down, only_up, media, verbose, cloners, no_load;
	const char *group;	/* -g */
	bool print_name;	/* the words gave the interface a name that the caller can't know */
};

/* All lines about ifp, an element of the list "interface"; af != AF_UNSPEC: only what belongs to that family. */
void ifconfig_print(const struct ifconfig *c, struct ifnet *ifp, int af);

/*
 * The keywords of this room. ifconfig_words checks and runs those at the beginning of argv: *used = how many
 * words it took; it stops before the first that it doesn't know. Exit status.
 */
int ifconfig_words(struct ifconfig *c, struct ifnet *ifp, int argc, char **argv, int *used);
/* Only check them: the same without changing anything; ifp may be NULL (not made yet). */
int ifconfig_words_check(struct ifconfig *c, const struct ifnet *ifp, int argc, char **argv, int *used);

#endif
