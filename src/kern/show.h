/*
 * show.h - the debugger's `show X [HANDLE]` commands, registered by the rooms.
 */
#ifndef WARREN_KERN_SHOW_H
#define WARREN_KERN_SHOW_H

#include "base/emitter.h"
#include "base/linkerset.h"
#include "kern/verb.h"

struct show_command {
	const char *name;  /* "ifnet", "all lltables", "vnet_sysinit" */
	const char *usage; /* words behind the name, "" for none */
	/* argv[0] is the first word behind the name. Exit status. curvnet = the caller's stack. */
	int (*run)(struct verb_run *v, int argc, char **argv);
};
#define SHOW_DEFINE(ident, cmdname, args, fn)                                                      \
	static const struct show_command show_of_##ident = { cmdname, args, fn };                  \
	LINKERSET_ADD(show, show_of_##ident)

/* A handle as people type it: 0x… or decimal. False if it is no number. */
bool show_handle(const char *word, uintptr_t *handle);

#endif
