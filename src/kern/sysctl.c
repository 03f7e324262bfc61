/*
 * sysctl.c - the tree of named values: finding, reading, writing, start-up tunables.
 *
 * Nodes stand beside the code that uses them; here they are sorted by name once and found by
 * bisection. The tree's inner nodes exist only as beginnings of names.
 */
#include "kern/sysctl.h"

#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

LINKERSET_DECLARE(sysctl, const struct sysctl_oid);

static struct sorted_set oids;

/* Tunables that were set, with what they were: kern_fini puts that back. */
struct tuned {
	SLIST_ENTRY(tuned) link;
	const struct sysctl_oid *oid;
	size_t bytes;
	uint8_t before[];
};
static SLIST_HEAD(, tuned) tuned_head = SLIST_HEAD_INITIALIZER(tuned_head);

static int
oid_compare(const void *a, const void *b)
{
	const struct sysctl_oid *x = a, *y = b;

	return strcmp(x->name, y->name);
}

const struct sysctl_oid *
sysctl_find(const char *name)
{
	size_t lo = 0, hi;

	SORTED_SET_MAKE(&oids, sysctl, oid_compare);
	hi = oids.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct sysctl_oid *oid = oids.object[mid];
		int c = strcmp(name, oid->name);

		if (c == 0)
			return oid;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool
sysctl_name_is_below(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) != 0)
		return false;
	/* Whole words of the name only: net.inet is no beginning of net.inet6.ip6. */
	return n == 0 || name[n] == '\0' || name[n] == '.' || prefix[n - 1] == '.';
}

void
sysctl_foreach(const char *prefix, void (*fn)(const struct sysctl_oid *oid, void *ctx), void *ctx)
{
	SORTED_SET_MAKE(&oids, sysctl, oid_compare);
	for (size_t i = 0; i < oids.n; i++) {
		const struct sysctl_oid *oid = oids.object[i];

		if (sysctl_name_is_below(oid->name, prefix))
			fn(oid, ctx);
	}
}

/* The variable: the current stack's, or the process's. */
static void *
oid_variable(const struct sysctl_oid *oid)
{
	if (oid->flags & SYSCTL_VNET)
		return curvnet->data + ((uint8_t *)oid->ptr - __start_set_vnet);
	return oid->ptr;
}

static size_t
oid_bytes(const struct sysctl_oid *oid)
{
	switch (oid->type) {
	case SYSCTL_T_BOOL:
		return sizeof(bool);
	case SYSCTL_T_INT:
	case SYSCTL_T_UINT:
		return sizeof(uint32_t);
	case SYSCTL_T_U64:
		return sizeof(uint64_t);
	case SYSCTL_T_STRING:
		return (size_t)oid->max;
	default:
		return 0;
	}
}

int
sysctl_read(const struct sysctl_oid *oid, char *text, size_t len)
{
	const void *p;
	int n;

	if (len == 0)
		return -EINVAL;
	text[0] = '\0';
	if (oid->type == SYSCTL_T_OPAQUE)
		return -EINVAL;
	if (oid->handler != NULL) {
		struct sysctl_req req = { .text = text, .text_len = len };

		return oid->handler(oid, &req);
	}
	p = oid_variable(oid);
	switch (oid->type) {
	case SYSCTL_T_BOOL:
		n = snprintf(text, len, "%d", *(const bool *)p);
		break;
	case SYSCTL_T_INT:
		n = snprintf(text, len, "%" PRId32, *(const int32_t *)p);
		break;
	case SYSCTL_T_UINT:
		n = snprintf(text, len, "%" PRIu32, *(const uint32_t *)p);
		break;
	case SYSCTL_T_U64:
		n = snprintf(text, len, "%" PRIu64, *(const uint64_t *)p);
		break;
	default:
		n = snprintf(text, len, "%s", (const char *)p);
		break;
	}
	return n >= 0 && (size_t)n < len ? 0 : -ENAMETOOLONG;
}

int
sysctl_read_opaque(const struct sysctl_oid *oid, void *buf, size_t *len)
{
	struct sysctl_req req = { .opaque = buf, .opaque_len = *len };
	int error;

	if (oid->type != SYSCTL_T_OPAQUE)
		return -EINVAL;
	error = oid->handler(oid, &req);
	if (error == 0)
		*len = req.opaque_len;
	return error;
}

static int __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why != NULL && why_len > 0)
		vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* A whole number with or without a minus sign. */
static bool
parse_int(const char *text, int64_t *value)
{
	bool minus = text[0] == '-';
	uint64_t n;

	if (!verb_number(text + minus, 0, (uint64_t)INT64_MAX, &n))
		return false;
	*value = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

/* Check the text against type and bounds and put it into the variable at p. 0 or -EINVAL. */
static int
oid_store(const struct sysctl_oid *oid, void *p, const char *text, char *why, size_t why_len)
{
	int64_t n;
	uint64_t u;

	if (oid->type == SYSCTL_T_STRING) {
		if (strlen(text) >= (size_t)oid->max)
			return refuse(
			    why, why_len, "longer than %" PRId64 " characters", oid->max - 1);
		strcpy(p, text);
		return 0;
	}
	if (oid->type == SYSCTL_T_U64) {
		if (!verb_number(text, (uint64_t)oid->min, (uint64_t)oid->max, &u))
			return refuse(why, why_len, "must be a number of %" PRIu64 " to %" PRIu64,
			    (uint64_t)oid->min, (uint64_t)oid->max);
		memcpy(p, &u, sizeof(u));
		return 0;
	}
	if (!parse_int(text, &n) || n < oid->min || n > oid->max)
		return refuse(why, why_len, "must be a number of %" PRId64 " to %" PRId64, oid->min,
		    oid->max);
	switch (oid->type) {
	case SYSCTL_T_BOOL:
		*(bool *)p = n != 0;
		return 0;
	case SYSCTL_T_INT:
		*(int32_t *)p = (int32_t)n;
		return 0;
	case SYSCTL_T_UINT:
		*(uint32_t *)p = (uint32_t)n;
		return 0;
	default:
		return refuse(why, why_len, "can't be written as text");
	}
}

int
sysctl_write(const struct sysctl_oid *oid, const char *text, char *why, size_t why_len)
{
	int error;

	if (why != NULL && why_len > 0)
		why[0] = '\0';
	if (!(oid->flags & SYSCTL_RW)) {
		refuse(why, why_len, "read only");
		return -EPERM;
	}
	/* What is not a stack's own is the host's alone (behaviours 46). */
	if (priv_check(PRIV_SYSCTL_WRITE) != 0 ||
	    (!(oid->flags & SYSCTL_VNET) && curprison != NULL && jailed(curprison))) {
		refuse(why, why_len, "not from this jail");
		return -EPERM;
	}
	if (oid->handler != NULL) {
		char unused[1];
		struct sysctl_req req = { .text = unused, .set = text };

		error = oid->handler(oid, &req);
	} else {
		error = oid_store(oid, oid_variable(oid), text, why, why_len);
	}
	if (error == 0 && oid->changed != NULL)
		oid->changed(oid);
	return error;
}

int
sysctl_tune(const char *name, const char *text, char *why, size_t why_len)
{
	const struct sysctl_oid *oid = sysctl_find(name);
	struct tuned *tuned;
	size_t bytes;
	int error;

	if (why != NULL && why_len > 0)
		why[0] = '\0';
	if (oid == NULL) {
		refuse(why, why_len, "unknown oid");
		return -ENOENT;
	}
	if (!(oid->flags & SYSCTL_RDTUN) || oid->ptr == NULL) {
		refuse(why, why_len, "no tunable");
		return -EPERM;
	}
	if (kern_running) {
		refuse(why, why_len, "set before start only");
		return -EPERM;
	}
	bytes = oid_bytes(oid);
	tuned = malloc(sizeof(*tuned) + bytes);
	if (tuned == NULL)
		return -ENOMEM;
	tuned->oid = oid;
	tuned->bytes = bytes;
	/* A per-stack tunable changes the initial value, which all stacks then start with. */
	memcpy(tuned->before, oid->ptr, bytes);
	error = oid_store(oid, oid->ptr, text, why, why_len);
	if (error != 0)
		free(tuned);
	else
		SLIST_INSERT_HEAD(&tuned_head, tuned, link);
	return error;
}

void
sysctl_fini(void)
{
	struct tuned *tuned;

	/* Latest first, so the oldest value is what stays. */
	while ((tuned = SLIST_FIRST(&tuned_head)) != NULL) {
		SLIST_REMOVE_HEAD(&tuned_head, link);
		memcpy(tuned->oid->ptr, tuned->before, tuned->bytes);
		free(tuned);
	}
}

static bool feature_vimage = true;
SYSCTL_BOOL(kern_features_vimage, "kern.features.vimage", SYSCTL_RD, feature_vimage,
    "many network stacks in one kernel");

static int
sysctl_jailed(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	bool is_jail = curprison != NULL && jailed(curprison);
	bool own_stack = is_jail && curprison->owns_vnet;

	/* The one handler of both: security.jail.jailed, security.jail.vnet. */
	snprintf(req->text, req->text_len, "%d",
	    strcmp(oid->name, "security.jail.vnet") == 0 ? own_stack : is_jail);
	return 0;
}
SYSCTL_PROC(jail_jailed, "security.jail.jailed", SYSCTL_RD, SYSCTL_T_BOOL, sysctl_jailed,
    "the caller is in a jail");
SYSCTL_PROC(jail_vnet, "security.jail.vnet", SYSCTL_RD, SYSCTL_T_BOOL, sysctl_jailed,
    "the caller is in a jail with a network stack of its own");
