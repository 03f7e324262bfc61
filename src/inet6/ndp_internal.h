/*
 * ndp_internal.h - what the rooms of the tool ndp share; for inet6/ndp*.c only.
 */
#ifndef WARREN_INET6_NDP_INTERNAL_H
#define WARREN_INET6_NDP_INTERNAL_H

#include "inet6/nd6_internal.h"

enum { NDP_TIME = 40 };
/* "1d2h3m4s", from ns: what has begun counts as a second. */
const char *ndp_time_text(uint64_t ns, char text[NDP_TIME]);
/* The interface that a word names, if it has IPv6; NULL after a message. */
struct ifnet *ndp_interface(struct verb_run *v, const char *word);

/* ndp_cmd.c's address column: a name unless numeric. */
const char *ndp_host_text(const struct in6 *addr, bool numeric, char text[IN6_TEXT]);

/* ndp_lists.c: exit statuses. */
int ndp_show_prefixes(struct verb_run *v, bool numeric);
int ndp_show_routers(struct verb_run *v, bool numeric);
int ndp_default_interface(struct verb_run *v, int argc, char **argv);
/* -i IF [flags and numbers] */
int ndp_show_interface(struct verb_run *v, const char *name, int argc, char **argv);

#endif
