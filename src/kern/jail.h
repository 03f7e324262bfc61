/*
 * jail.h - names for stacks, and who may do what in them.
 *
 * A prison is a jail; prison0 is the host. A jail made with `vnet` owns a stack; one without
 * inherits its parent's and is a classic jail: it sees the stack's interfaces and routes filtered
 * to its own addresses and may not configure them (behaviours 46). Jails nest.
 */
#ifndef WARREN_KERN_JAIL_H
#define WARREN_KERN_JAIL_H

#include "base/tree.h"
#include "kern/vnet.h"

enum { PRISON_NAME_MAX = 64, PRISON_IP4_MAX = 16 };

struct prison {
	int jid;                    /* 0 = host; ids are not reused while the process lives */
	char name[PRISON_NAME_MAX]; /* full: "a.b" is jail b in jail a */
	char *path, *hostname, *domainname, *hostuuid;
	uint32_t hostid;
	struct prison *parent;
	struct vnet *vnet; /* own, or the parent's */
	bool owns_vnet;
	bool persist;
	bool pinned; /* somebody holds on to it (a lab to its nodes): it can't be removed */
	bool dying;
	bool raw_sockets; /* allow.raw_sockets */
	uint32_t children_max, children;
	uint32_t ip4_n; /* classic jail: its IPv4 addresses, network order */
	uint32_t ip4[PRISON_IP4_MAX];
	bool ip4_restricted; /* ip4=new or addresses given */
	int securelevel, enforce_statfs;
	uint32_t ip6_n; /* the same for IPv6 */
	uint8_t ip6[PRISON_IP4_MAX][16];
	bool ip6_restricted;
	bool ip4_saddrsel, ip6_saddrsel;
	uint32_t allow;           /* allow.* other than raw_sockets, kern/jail.c's bits */
	uint32_t procs;           /* commands that keep it alive: command= of jail */
	TAILQ_ENTRY(prison) link; /* all jails by jid */
	RB_ENTRY(prison) by_name, by_jid;
};

TAILQ_HEAD(prisonlist, prison);
extern struct prisonlist prison_head; /* without prison0 */
extern struct prison prison0;
extern __thread struct prison *curprison;

/* By name (full dotted or own) or by jid in decimal; NULL if there is none below `from`. */
struct prison *prison_find(struct prison *from, const char *name_or_jid);

/* Is it a jail in `from`, at any depth (not `from` itself)? */
bool prison_is_below(const struct prison *pr, const struct prison *from);

/* Is a jail at all; and: is a jail without a stack of its own (that is: restricted). */
bool jailed(const struct prison *pr);
bool jailed_without_vnet(const struct prison *pr);

enum priv {
	PRIV_NET_CONFIG,
	PRIV_NET_ROUTE,
	PRIV_NET_RAW,
	PRIV_FIREWALL,
	PRIV_SYSCTL_WRITE,
	PRIV_VNET,
	PRIV_JAIL
};
/* 0 or -EPERM for curprison (behaviours 46). */
int priv_check(enum priv priv);
/* Classic jail: may it see / use this IPv4 address (network order)? Others: always true. */
bool prison_ip4_ok(const struct prison *pr, uint32_t addr);
bool prison_ip6_ok(const struct prison *pr, const uint8_t addr[16]); /* the same for IPv6 */

/*
 * Move interface ifname of the current stack into another: vnet.interface of `jail`. net/if.c sets
 * it, since interfaces live above this floor. 0 or -errno. With `to` NULL nothing is moved: could
 * it be?
 */
extern int (*jail_move_interface)(const char *ifname, struct vnet *to);

/*
 * C form of `jail -c name=… vnet persist`: returns the jail or NULL with errno (EEXIST, EINVAL,
 * ENOMEM, EPERM).
 */
struct prison *prison_create(struct prison *parent, const char *name, bool vnet);
/* `jail -r`: with its children; interfaces moved in go home. 0, -EBUSY … */
int prison_remove(struct prison *pr);

#endif
