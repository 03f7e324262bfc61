/*
 * linkerset.h - lists that the linker gathers.
 *
 * A room registers what it has (a sysctl, a verb, a drop reason, an initialiser) with a static
 * object in a section of its own; nobody keeps a central list. The order inside a section is the
 * link order and must never decide anything: whoever walks a set sorts it by its own key.
 */
#ifndef WARREN_BASE_LINKERSET_H
#define WARREN_BASE_LINKERSET_H

/* Put a pointer to `object` in the set `set`. Use at file scope. */
#define LINKERSET_ADD(set, object)                                                                 \
	static __typeof__(object) *const __attribute__((used, section("set_" #set)))               \
	linkerset_##set##_##object = &(object)

/* Declare the set before walking it; `type` is the type of the objects. A set may be empty. */
#define LINKERSET_DECLARE(set, type)                                                               \
	extern type *const __start_set_##set[] __attribute__((weak));                              \
	extern type *const __stop_set_##set[] __attribute__((weak))

/* Walk: `p` takes the address of each slot, so the object is `*p`. */
#define LINKERSET_FOREACH(p, set)                                                                  \
	for (p = __start_set_##set; p != NULL && p < __stop_set_##set; p++)

#define LINKERSET_COUNT(set) ((size_t)(__stop_set_##set - __start_set_##set))

#endif
