/*
 * state.h - the state of all stacks in a file: what a crash image is to the field (behaviours 26).
 *
 * `savecore FILE` writes it, the tools read it with -M FILE instead of asking a living program. The
 * file is JSON, says its version, and says of every array how large its elements are: so a build
 * whose arrays have other sizes can read it. What the program has once stands at the top, what each
 * stack has in its entry:
 *
 *	{"warren-state": 1, "byte-order": "little",
 *	 "nodes": [{"name", "type", "description", "stack": bool, "hidden": bool}, …]
 *	 "values": {NAME: VALUE, …}				sysctls that all stacks share
 *	 "sections": {"mbuf": …}				what rooms save of the program
 *	 "stacks": [{"id", "jid", "name", "values": {…}, "sections": {"drop": …, "interface": …}}, …]}
 *
 * Numbers of 64 bits and texts are strings; an array is {"size": bytes of an element, "count": n,
 * "bytes": hex digits}.
 */
#ifndef WARREN_KERN_STATE_H
#define WARREN_KERN_STATE_H

#include "base/linkerset.h"
#include "kern/sysctl.h"
#include "kern/verb.h"

#include <jansson.h>

enum { STATE_VERSION = 1 };

/* What a room saves beside its sysctls: a value of its own form; NULL = nothing, or no memory. */
struct state_section {
	const char *name;
	bool per_stack; /* called in each stack, else once */
	json_t *(*save)(void);
};
#define STATE_SECTION_DEFINE(ident, sectionname, each, fn)                                         \
	static const struct state_section state_section_of_##ident = { sectionname, each, fn };    \
	LINKERSET_ADD(state_section, state_section_of_##ident)

struct state;

/*
 * Read a file, or its bytes; NULL with a reason of one line in why. The whole form is checked here,
 * but for the sections, which are their rooms' own. The chosen stack is the host's (jail NULL) or
 * the named jail's.
 */
struct state *state_load(const char *file, const char *jail, char *why, size_t why_len);
struct state *state_parse(
    const char *bytes, size_t len, const char *jail, char *why, size_t why_len);
void state_free(struct state *st);

/* The sysctls of the chosen stack, as sysctl.h has them. An oid lives as long as the state. */
const struct sysctl_oid *state_sysctl_find(const struct state *st, const char *name);
void state_sysctl_foreach(const struct state *st, const char *prefix,
    void (*fn)(const struct sysctl_oid *oid, void *ctx), void *ctx);
/* The value's text; -ENOENT, -EINVAL (an array), -ENAMETOOLONG. */
int state_sysctl_read(const struct state *st, const struct sysctl_oid *oid, char *text, size_t len);
/* An array's bytes as they were, malloc'd; NULL if there is none. */
void *state_sysctl_bytes(const struct state *st, const struct sysctl_oid *oid, size_t *len);
/*
 * An array as elements of our size: longer ones of another build are cut, shorter ones end in
 * zeros. malloc'd; NULL if there is none.
 */
void *state_array(const struct state *st, const char *name, size_t size, size_t *n);

/* A room's section, of the program or of the chosen stack; borrowed, NULL. */
const json_t *state_section(const struct state *st, const char *name);
/* A member that is a whole number of 0 or more, else 0; a member's text, else "". */
uint64_t state_uint(const json_t *object, const char *name);
const char *state_text(const json_t *object, const char *name);

/*
 * For tools with -M: do the words ask for a state? Then they are for this process alone: no daemon
 * is needed, and -j JAIL chooses in the file.
 */
bool state_asked(const struct verb *verb, int argc, char *const argv[]);
/* The tool's -M FILE and -j JAIL (NULL): the state, or NULL after a message (then exit with 1). */
struct state *state_open(struct verb_run *v, const char *file, const char *jail);

#endif
