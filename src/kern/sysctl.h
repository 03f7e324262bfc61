/*
 * sysctl.h - named values, typed, with bounds and a description, each beside the code that uses it.
 *
 *	VNET_DEFINE(uint32_t, ip_defttl) = 64;
 *	SYSCTL_VNET_UINT(net_inet_ip_ttl, "net.inet.ip.ttl", SYSCTL_RW, ip_defttl, 1, 255,
 *	    "time to live of packets made here");
 *
 * A name is its place in the tree; nothing else registers nodes. A per-stack node reads and writes
 * the stack of the caller; a value out of bounds is refused, never clamped. SYSCTL_RDTUN: set
 * before start only (`warren -o NAME=VALUE`, lab key `tunables`), then read-only.
 */
#ifndef WARREN_KERN_SYSCTL_H
#define WARREN_KERN_SYSCTL_H

#include "kern/vnet.h"

enum sysctl_type {
	SYSCTL_T_BOOL,
	SYSCTL_T_INT,
	SYSCTL_T_UINT,
	SYSCTL_T_U64,
	SYSCTL_T_STRING,
	SYSCTL_T_OPAQUE
};
enum sysctl_flags {
	SYSCTL_RD = 0,
	SYSCTL_RW = 1,
	SYSCTL_RDTUN = 2,
	SYSCTL_VNET = 4,
	SYSCTL_SKIP = 8 /* not in -a */
};

struct sysctl_oid;

/* A value computed or checked by code. new == NULL: read into text form. */
struct sysctl_req {
	char *text; /* read: write the value's text here */
	size_t text_len;
	const char *set; /* write: the new value's text, else NULL */
	void *opaque;    /* read of an opaque node: points to a buffer that the handler fills */
	size_t
	    opaque_len; /* in: room; out: bytes needed (success even if the room was too small) */
};

struct sysctl_oid {
	const char *name; /* "net.inet.ip.ttl" */
	enum sysctl_type type;
	unsigned flags;
	void *ptr; /* the variable, or its place in the vnet section */
	int64_t min,
	    max; /* INT, UINT; U64: min..max as unsigned with max -1 = no bound; STRING: max = room */
	int (*handler)(
	    const struct sysctl_oid *oid, struct sysctl_req *req); /* instead of ptr; 0 or -errno */
	/* called after a successful change of ptr (curvnet set); optional */
	void (*changed)(const struct sysctl_oid *oid);
	const char *descr;
	uint32_t element; /* OPAQUE: bytes of one element, for those who save the array (state.h) */
};

#define SYSCTL_DEFINE_(ident, ...)                                                                 \
	static const struct sysctl_oid oid_of_##ident = { __VA_ARGS__ };                           \
	LINKERSET_ADD(sysctl, oid_of_##ident)

#define SYSCTL_BOOL(ident, path, fl, var, text)                                                    \
	SYSCTL_DEFINE_(ident, .name = path, .type = SYSCTL_T_BOOL, .flags = (fl), .ptr = &(var),   \
	    .min = 0, .max = 1, .descr = text)
#define SYSCTL_INT(ident, path, fl, var, lo, hi, text)                                             \
	SYSCTL_DEFINE_(ident, .name = path, .type = SYSCTL_T_INT, .flags = (fl), .ptr = &(var),    \
	    .min = lo, .max = hi, .descr = text)
#define SYSCTL_UINT(ident, path, fl, var, lo, hi, text)                                            \
	SYSCTL_DEFINE_(ident, .name = path, .type = SYSCTL_T_UINT, .flags = (fl), .ptr = &(var),   \
	    .min = lo, .max = hi, .descr = text)
#define SYSCTL_U64(ident, path, fl, var, text)                                                     \
	SYSCTL_DEFINE_(ident, .name = path, .type = SYSCTL_T_U64, .flags = (fl), .ptr = &(var),    \
	    .min = 0, .max = -1, .descr = text)
#define SYSCTL_STRING(ident, path, fl, array, text)                                                \
	SYSCTL_DEFINE_(ident, .name = path, .type = SYSCTL_T_STRING, .flags = (fl),                \
	    .ptr = (array), .max = sizeof(array), .descr = text)
/*
 * The same for per-stack variables; `var` is the name given to VNET_DEFINE. BOOL is for `bool`, INT
 * int32_t, UINT uint32_t, U64 uint64_t.
 */
#define SYSCTL_VNET_BOOL(ident, path, fl, var, text)                                               \
	SYSCTL_BOOL(ident, path, (fl) | SYSCTL_VNET, vnet_entry_##var, text)
#define SYSCTL_VNET_INT(ident, path, fl, var, lo, hi, text)                                        \
	SYSCTL_INT(ident, path, (fl) | SYSCTL_VNET, vnet_entry_##var, lo, hi, text)
#define SYSCTL_VNET_UINT(ident, path, fl, var, lo, hi, text)                                       \
	SYSCTL_UINT(ident, path, (fl) | SYSCTL_VNET, vnet_entry_##var, lo, hi, text)
#define SYSCTL_VNET_U64(ident, path, fl, var, text)                                                \
	SYSCTL_U64(ident, path, (fl) | SYSCTL_VNET, vnet_entry_##var, text)
/* Computed: handler, type for printing. */
#define SYSCTL_PROC(ident, path, fl, ty, fn, text)                                                 \
	SYSCTL_DEFINE_(                                                                            \
	    ident, .name = path, .type = (ty), .flags = (fl), .handler = (fn), .descr = text)
/* An array of `elem`, filled by fn. */
#define SYSCTL_ARRAY(ident, path, fl, elem, fn, text)                                              \
	SYSCTL_DEFINE_(ident, .name = path, .type = SYSCTL_T_OPAQUE, .flags = (fl),                \
	    .handler = (fn), .element = sizeof(elem), .descr = text)

const struct sysctl_oid *sysctl_find(const char *name);
/* Read the caller's stack's value as text. 0 or -errno. */
int sysctl_read(const struct sysctl_oid *oid, char *text, size_t len);
/*
 * Set from text. 0; -EPERM read-only; -EINVAL not a value or out of bounds (why, if given, gets a
 * short reason).
 */
int sysctl_write(const struct sysctl_oid *oid, const char *text, char *why, size_t why_len);
/* A start-up tunable, before kern_init's start flag is set. Same errors. */
int sysctl_tune(const char *name, const char *text, char *why, size_t why_len);
/*
 * Opaque nodes: fill buf; *len in: room, out: bytes needed. Success even if the room was too small
 * (then nothing is copied): behaviours 8.
 */
int sysctl_read_opaque(const struct sysctl_oid *oid, void *buf, size_t *len);
/* Is it the node `prefix`, or one below it? Everything is below "". */
bool sysctl_name_is_below(const char *name, const char *prefix);
/* All nodes whose name begins with prefix ("" = all), sorted. */
void sysctl_foreach(
    const char *prefix, void (*fn)(const struct sysctl_oid *oid, void *ctx), void *ctx);

#endif
