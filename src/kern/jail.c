/*
 * jail.c - prisons: who is in whom, which stack belongs to whom, who may do what.
 *
 * Names are kept in full ("a.b" is b in a), in one tree; ids in another. Both are walked by the
 * upper half only.
 */
#include "kern/jail.h"

#include "base/callout.h"
#include "base/log.h"
#include "kern/jail_internal.h"
#include "kern/kern.h"
#include "kern/verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_CHILDREN_MAX = 999999 };

struct prisonlist prison_head = TAILQ_HEAD_INITIALIZER(prison_head);
struct prison prison0;
__thread struct prison *curprison;
int (*jail_move_interface)(const char *ifname, struct vnet *to);

static int
by_name_compare(const struct prison *a, const struct prison *b)
{
	return strcmp(a->name, b->name);
}

static int
by_jid_compare(const struct prison *a, const struct prison *b)
{
	return a->jid < b->jid ? -1 : a->jid > b->jid;
}

RB_HEAD(prison_names, prison);
RB_HEAD(prison_jids, prison);
RB_TREE_STATIC(prison_names, prison, by_name, by_name_compare)
RB_TREE_STATIC(prison_jids, prison, by_jid, by_jid_compare)

static struct prison_names names = RB_INITIALIZER(&names);
static struct prison_jids jids = RB_INITIALIZER(&jids);
static int next_jid = 1;
static uint64_t prison_count;

/* Ends jails whose last command ended inside their own stack: not there, but a moment later. */
static struct callout reaper;

bool
prison_is_below(const struct prison *pr, const struct prison *from)
{
	for (pr = pr->parent; pr != NULL; pr = pr->parent)
		if (pr == from)
			return true;
	return false;
}

struct prison *
prison_by_jid(int jid)
{
	struct prison key = { .jid = jid };

	return RB_FIND(prison_jids, &jids, &key);
}

/* "b" seen from a is "a.b". False if that is too long for a name. */
static bool
full_name(const struct prison *from, const char *name, char *full)
{
	int n;

	if (from == &prison0)
		n = snprintf(full, PRISON_NAME_MAX, "%s", name);
	else
		n = snprintf(full, PRISON_NAME_MAX, "%s.%s", from->name, name);
	return n > 0 && n < PRISON_NAME_MAX;
}

static struct prison *
by_full_name(const struct prison *from, const char *name)
{
	struct prison key;

	if (!full_name(from, name, key.name))
		return NULL;
	return RB_FIND(prison_names, &names, &key);
}

const char *
prison_own_name(const struct prison *pr)
{
	const char *dot = strrchr(pr->name, '.');

	return dot != NULL ? dot + 1 : pr->name;
}

struct prison *
prison_find(struct prison *from, const char *name_or_jid)
{
	struct prison *pr, *found = NULL;
	uint64_t jid;

	if (from == NULL)
		from = &prison0;
	pr = by_full_name(from, name_or_jid);
	if (pr == NULL && name_or_jid[0] != '0' && verb_number(name_or_jid, 1, INT32_MAX, &jid))
		pr = prison_by_jid((int)jid);
	if (pr != NULL)
		return prison_is_below(pr, from) ? pr : NULL;
	if (strchr(name_or_jid, '.') != NULL)
		return NULL;
	/* The own name of a jail further down will do if there is only one. */
	TAILQ_FOREACH(pr, &prison_head, link) {
		if (strcmp(prison_own_name(pr), name_or_jid) != 0 || !prison_is_below(pr, from))
			continue;
		if (found != NULL)
			return NULL;
		found = pr;
	}
	return found;
}

bool
jailed(const struct prison *pr)
{
	return pr != NULL && pr != &prison0;
}

bool
jailed_without_vnet(const struct prison *pr)
{
	return jailed(pr) && !pr->owns_vnet;
}

int
priv_check(enum priv priv)
{
	const struct prison *pr = curprison;

	if (!jailed(pr))
		return 0;
	if (priv == PRIV_JAIL)
		return pr->children_max > 0 ? 0 : -EPERM;
	if (pr->owns_vnet)
		return 0;
	if (priv == PRIV_NET_RAW)
		return pr->raw_sockets ? 0 : -EPERM;
	return -EPERM;
}

bool
prison_ip4_ok(const struct prison *pr, uint32_t addr)
{
	for (; jailed_without_vnet(pr); pr = pr->parent) {
		if (!pr->ip4_restricted)
			continue;
		for (uint32_t i = 0; i < pr->ip4_n; i++)
			if (pr->ip4[i] == addr)
				return true;
		return false;
	}
	return true;
}

bool
prison_ip6_ok(const struct prison *pr, const uint8_t addr[16])
{
	for (; jailed_without_vnet(pr); pr = pr->parent) {
		if (!pr->ip6_restricted)
			continue;
		for (uint32_t i = 0; i < pr->ip6_n; i++)
			if (memcmp(pr->ip6[i], addr, sizeof(pr->ip6[i])) == 0)
				return true;
		return false;
	}
	return true;
}

int
prison_set_string(char **where, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = vnet_malloc(len);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, len);
	vnet_free(*where);
	*where = copy;
	return 0;
}

/*
 * A name that a person can type and a table can show; digits alone would be taken for another's
 * jid.
 */
static bool
name_is_good(const char *name, int jid)
{
	char digits[16];

	if (name[0] == '\0' || strspn(name, "0123456789") == strlen(name)) {
		snprintf(digits, sizeof(digits), "%d", jid);
		return strcmp(name, digits) == 0;
	}
	for (const char *p = name; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("./=,\"'\\*", *p) != NULL)
			return false;
	return true;
}

static void
prison_free(struct prison *pr)
{
	vnet_free(pr->path);
	vnet_free(pr->hostname);
	vnet_free(pr->domainname);
	vnet_free(pr->hostuuid);
	vnet_free(pr);
}

/* The jail, in no list yet. */
static struct prison *
prison_blank(struct prison *parent, int jid)
{
	struct prison *pr = vnet_malloc(sizeof(*pr));

	if (pr == NULL)
		return NULL;
	pr->jid = jid;
	pr->parent = parent;
	pr->vnet = parent->vnet;
	pr->securelevel = parent->securelevel;
	pr->enforce_statfs = 2;
	pr->ip4_saddrsel = pr->ip6_saddrsel = true;
	if (prison_set_string(&pr->path, "/") == 0 && prison_set_string(&pr->hostname, "") == 0 &&
	    prison_set_string(&pr->domainname, "") == 0 &&
	    prison_set_string(&pr->hostuuid, "00000000-0000-0000-0000-000000000000") == 0)
		return pr;
	prison_free(pr);
	return NULL;
}

static void
prison_link(struct prison *pr)
{
	RB_INSERT(prison_names, &names, pr);
	RB_INSERT(prison_jids, &jids, pr);
	TAILQ_INSERT_TAIL(&prison_head, pr, link);
	prison_count++;
	for (struct prison *up = pr->parent; up != NULL; up = up->parent)
		up->children++;
}

static void
prison_unlink(struct prison *pr)
{
	RB_REMOVE(prison_names, &names, pr);
	RB_REMOVE(prison_jids, &jids, pr);
	TAILQ_REMOVE(&prison_head, pr, link);
	prison_count--;
	for (struct prison *up = pr->parent; up != NULL; up = up->parent)
		up->children--;
}

static struct prison *
refuse(int error)
{
	errno = error;
	return NULL;
}

struct prison *
prison_create_jid(struct prison *parent, const char *name, bool vnet, int jid)
{
	char upper[PRISON_NAME_MAX], digits[16];
	struct prison *pr;
	const char *dot;

	if (parent == NULL)
		parent = &prison0;
	if (jid != 0 && jid < next_jid)
		return refuse(prison_by_jid(jid) != NULL ? EEXIST : EINVAL);
	if (jid == 0)
		jid = next_jid;
	snprintf(digits, sizeof(digits), "%d", jid);
	if (name == NULL)
		name = digits;
	if (strlen(name) >= PRISON_NAME_MAX)
		return refuse(EINVAL);
	/* "a.b": b is made in a. */
	dot = strrchr(name, '.');
	if (dot != NULL) {
		snprintf(upper, sizeof(upper), "%.*s", (int)(dot - name), name);
		parent = by_full_name(parent, upper);
		if (parent == NULL)
			return refuse(ENOENT);
		name = dot + 1;
	}
	if (!name_is_good(name, jid))
		return refuse(EINVAL);
	if (by_full_name(parent, name) != NULL)
		return refuse(EEXIST);
	for (const struct prison *up = parent; up != NULL; up = up->parent)
		if (up->children >= up->children_max)
			return refuse(EPERM);
	/* In a jail without a stack of its own there is none to be had (behaviours 46). */
	if (vnet && jailed_without_vnet(parent))
		return refuse(EPERM);

	pr = prison_blank(parent, jid);
	if (pr == NULL)
		return refuse(ENOMEM);
	if (!full_name(parent, name, pr->name)) {
		prison_free(pr);
		return refuse(EINVAL);
	}
	if (vnet) {
		pr->owns_vnet = true;
		pr->vnet = vnet_alloc_for(pr);
		if (pr->vnet == NULL) {
			prison_free(pr);
			return refuse(ENOMEM);
		}
	}
	next_jid = jid + 1;
	prison_link(pr);
	return pr;
}

struct prison *
prison_create(struct prison *parent, const char *name, bool vnet)
{
	struct prison *pr = prison_create_jid(parent, name, vnet, 0);

	if (pr != NULL)
		pr->persist = true;
	return pr;
}

int
prison_rename(struct prison *pr, const char *name)
{
	char full[PRISON_NAME_MAX], below[PRISON_NAME_MAX];
	size_t old_len = strlen(pr->name);
	struct prison *other;

	if (strcmp(name, prison_own_name(pr)) == 0)
		return 0;
	if (strlen(name) >= PRISON_NAME_MAX || !name_is_good(name, pr->jid) ||
	    !full_name(pr->parent, name, full))
		return -EINVAL;
	if (by_full_name(pr->parent, name) != NULL)
		return -EEXIST;
	TAILQ_FOREACH(other, &prison_head, link)
		if (prison_is_below(other, pr) &&
		    strlen(full) + strlen(other->name + old_len) >= PRISON_NAME_MAX)
			return -ENAMETOOLONG;
	/* Those below keep their own names: only the beginning of the full one changes. */
	TAILQ_FOREACH(other, &prison_head, link) {
		if (!prison_is_below(other, pr))
			continue;
		RB_REMOVE(prison_names, &names, other);
		memcpy(below, other->name + old_len, strlen(other->name + old_len) + 1);
		strcpy(other->name, full);
		strcat(other->name, below); /* the length was checked above */
		RB_INSERT(prison_names, &names, other);
	}
	RB_REMOVE(prison_names, &names, pr);
	memcpy(pr->name, full, sizeof(full));
	RB_INSERT(prison_names, &names, pr);
	return 0;
}

/* A jail in pr that nobody is in. */
static struct prison *
prison_leaf(const struct prison *pr)
{
	struct prison *other;

	TAILQ_FOREACH_REVERSE(other, &prison_head, prisonlist, link)
		if (other->children == 0 && prison_is_below(other, pr))
			return other;
	return NULL;
}

static void
prison_end(struct prison *pr)
{
	pr->dying = true;
	verb_cancel_prison(pr);
	if (pr->owns_vnet)
		vnet_destroy(pr->vnet);
	prison_unlink(pr);
	prison_free(pr);
}

int
prison_remove(struct prison *pr)
{
	if (pr == &prison0)
		return -EPERM;
	/*
	 * Its own end, asked for by something that runs in it: it would pull away the ground below
	 * itself.
	 */
	if (pr->dying || pr->pinned || curprison == pr ||
	    (curprison != NULL && prison_is_below(curprison, pr)) ||
	    (pr->owns_vnet && curvnet == pr->vnet))
		return -EBUSY;
	while (pr->children > 0)
		prison_end(prison_leaf(pr));
	prison_end(pr);
	return 0;
}

static void
reap(void *arg)
{
	struct prison *pr, *next;

	(void)arg;
	for (pr = TAILQ_FIRST(&prison_head); pr != NULL; pr = next) {
		next = TAILQ_NEXT(pr, link);
		if (pr->persist || pr->procs > 0 || pr->dying)
			continue;
		if (prison_remove(pr) == 0)
			next = TAILQ_FIRST(&prison_head); /* its children went too */
	}
}

void
prison_reap_soon(void)
{
	callout_reset(&reaper, 0);
}

AUDIT_COUNTER(prisons, "prison", prison_count);

void
prison_init(void)
{
	static char path[] = "/", hostname[] = "host", empty[] = "";
	static char uuid[] = "00000000-0000-0000-0000-000000000000";

	prison0 = (struct prison){
		.name = "0",
		.path = path,
		.hostname = hostname,
		.domainname = empty,
		.hostuuid = uuid,
		.owns_vnet = true,
		.persist = true,
		.raw_sockets = true,
		.children_max = HOST_CHILDREN_MAX,
		.securelevel = -1,
		.ip4_saddrsel = true,
		.ip6_saddrsel = true,
		.allow = UINT32_MAX,
	};
	callout_init(&reaper, NULL, reap, NULL);
}

void
prison_fini(void)
{
	callout_stop(&reaper);
	curprison = &prison0;
	curvnet = vnet0;
	while (!TAILQ_EMPTY(&prison_head)) {
		struct prison *last = TAILQ_LAST(&prison_head, prisonlist);

		last->pinned = false;
		prison_remove(last);
	}
	next_jid = 1;
}
