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
	const char *group; /* -g */
	bool print_name;   /* the words gave the interface a name that the caller can't know */
};

/*
 * All lines about ifp, an element of the list "interface"; af != AF_UNSPEC: only what belongs to
 * that family.
 */
void ifconfig_print(const struct ifconfig *c, struct ifnet *ifp, int af);

/* "21<PERFORMNUD,AUTO_LINKLOCAL>" in text, a list of names in JSON; names by bit, from 0. */
void ifconfig_print_bits(
    struct emitter *e, const char *json, uint32_t bits, const char *const *names, size_t n);

/*
 * Check the keywords that argv begins with, changing nothing: *used = how many words they are; it
 * stops before the first that is none. ifp is NULL when the interface is yet to be made. Exit
 * status.
 */
int ifconfig_words_check(
    struct ifconfig *c, const struct ifnet *ifp, int argc, char **argv, int *used);
/* Do them: argc words that were checked. Stops at the first that fails. */
int ifconfig_words(struct ifconfig *c, struct ifnet *ifp, int argc, char **argv);

/*
 * A room whose words change more than an interface's own fields: what it has, and back to that.
 * save gives NULL when there is nothing of the room's, or no memory.
 */
struct ifconfig_undo {
	void *(*save)(const struct ifnet *ifp);
	void (*restore)(struct ifnet *ifp, const void *saved);
	void (*forget)(void *saved);
};
#define IFCONFIG_UNDO_DEFINE(ident, ...)                                                           \
	static const struct ifconfig_undo ifu_of_##ident = { __VA_ARGS__ };                        \
	LINKERSET_ADD(ifconfig_undo, ifu_of_##ident)
enum { IFCONFIG_UNDO_ROOMS = 8 };

/* What keywords change, to put it back when a later one fails. */
struct ifconfig_saved {
	const struct vnet *vnet;
	uint32_t flags, mtu, metric, capenable;
	uint8_t fib, lladdr[6];
	char name[IFNAMSIZ_];
	char *description;
	uint32_t family_flags[AF_SLOTS]; /* in the order of the families' linker set */
	void *room[IFCONFIG_UNDO_ROOMS]; /* in the order of the rooms' linker set */
};
void ifconfig_save(struct ifconfig_saved *s, const struct ifnet *ifp);
void ifconfig_restore(struct ifconfig_saved *s, struct ifnet *ifp);
void ifconfig_forget(struct ifconfig_saved *s);

#endif
