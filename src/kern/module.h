/*
 * module.h - what is built in, by the names of the field (kldstat -m if_lo), and what can be
 * loaded.
 */
#ifndef WARREN_KERN_MODULE_H
#define WARREN_KERN_MODULE_H

#include "base/linkerset.h"

#include <stdint.h>

struct module {
	const char *name; /* "if_lo" */
};
#define MODULE_DEFINE(ident, modname)                                                              \
	static const struct module module_of_##ident = { modname };                                \
	LINKERSET_ADD(module, module_of_##ident)

/* Built in or loaded? */
const struct module *module_find(const char *name);
/*
 * Ask for a module by name: 0 if it is there (now); -ENOENT if there is no such file. Each real
 * request is counted (module_requests).
 */
int module_request(const char *name);
extern uint64_t module_requests;

#endif
