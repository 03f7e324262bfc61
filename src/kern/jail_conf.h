/*
 * jail_conf.h - the parameters of the tool jail: what its words ask for, checked, and put into a
 * prison.
 */
#ifndef WARREN_KERN_JAIL_CONF_H
#define WARREN_KERN_JAIL_CONF_H

#include "kern/jail.h"
#include "kern/verb.h"

enum { JAIL_UNSET = 0, JAIL_YES = 1, JAIL_NO = -1 };

/* What the words ask for. Strings lie in the verb's words; NULL and JAIL_UNSET = not mentioned. */
struct jail_conf {
	const char *jid, *name, *path, *hostname, *domainname, *hostuuid, *hostid;
	const char *securelevel, *children_max, *enforce_statfs;
	const char *ip4, *ip4_addr, *ip6, *ip6_addr, *vnet, *host;
	const char *vnet_interface, *exec_start;
	int8_t persist, raw_sockets, ip4_saddrsel, ip6_saddrsel;
	uint32_t allow_set, allow_clear;
	int command; /* index of its first word, 0 = none */
	/* made of the strings by jail_conf_check */
	uint64_t n_hostid, n_children_max, n_enforce_statfs, n_jid;
	int n_securelevel;
	uint32_t ip4_n, ip4_list[PRISON_IP4_MAX];
	uint32_t ip6_n;
	uint8_t ip6_list[PRISON_IP4_MAX][16];
};

/* One word, param or param=value (which is cut in place), into *conf. 0 or an exit status. */
int jail_conf_word(struct verb_run *v, struct jail_conf *conf, char *word);

/* Check all values, for a jail that has or will have its own stack or not. 0 or an exit status. */
int jail_conf_check(struct verb_run *v, struct jail_conf *c, bool own_vnet);

/* No jail has an address that the one around it has not. 0 or an exit status. */
int jail_conf_check_addresses(
    struct verb_run *v, const struct jail_conf *c, const struct prison *parent);

/*
 * Put what was asked for into the jail. 0 or -ENOMEM (then some strings may be the new ones
 * already).
 */
int jail_conf_apply(const struct jail_conf *c, struct prison *pr);

#endif
