/*
 * jail_internal.h - what jail.c lets the tools jail and jls use.
 */
#ifndef WARREN_KERN_JAIL_INTERNAL_H
#define WARREN_KERN_JAIL_INTERNAL_H

#include "kern/jail.h"

/* Bits of prison.allow, by the parameters' names behind "allow.". */
enum prison_allow {
	PRISON_ALLOW_SET_HOSTNAME = 1 << 0,
	PRISON_ALLOW_SYSVIPC = 1 << 1,
	PRISON_ALLOW_CHFLAGS = 1 << 2,
	PRISON_ALLOW_MOUNT = 1 << 3,
	PRISON_ALLOW_QUOTAS = 1 << 4,
	PRISON_ALLOW_SOCKET_AF = 1 << 5,
};

/*
 * As prison_create, but neither persistent, and with an id of one's own (0 = the next; never an old
 * one).
 */
struct prison *prison_create_jid(struct prison *parent, const char *name, bool vnet, int jid);
struct prison *prison_by_jid(int jid);
/* Another own name. 0, -EINVAL, -EEXIST, -ENAMETOOLONG (a jail below). */
int prison_rename(struct prison *pr, const char *name);
/* The part of the name behind the last dot. */
const char *prison_own_name(const struct prison *pr);
/* Replace a string of a prison by a copy. 0, -ENOMEM. */
int prison_set_string(char **where, const char *text);
/* Jails that are neither persistent nor have a command end at the next tick. */
void prison_reap_soon(void);

#endif
