/*
 * fpm.c - bytes of a routing daemon's connection become messages, messages become changes; and what
 * happens to routes when a connection ends.
 *
 * A daemon that starts again has everything to say anew, and meanwhile packets shall find their
 * way. So routes outlive their connection by net.route.fpm_hold seconds, and what a new connection
 * has not said again after as many goes then. (The protocol has no word for "that was all".)
 */
#include "port/fpm.h"

#include "base/log.h"
#include "kern/kern.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <inttypes.h>

enum { SWEEP_SLICE = 1000 };

/* Names asked for during one input are kept: a million routes go by a handful of interfaces. */
enum { NAMES = 16 };

struct fpm_mapping {
	TAILQ_ENTRY(fpm_mapping) link;
	char linux_name[IFNAMSIZ_];
	char ifname[IFNAMSIZ_];
};

struct fpm {
	LIST_ENTRY(fpm) link; /* of the stack's */
	uint8_t fib;
	bool connected;
	struct fpm_table *table;
	struct fpm_door *door;
	fpm_linux_name *linux_name;
	void *ctx;
	TAILQ_HEAD(, fpm_mapping) mappings;
	struct {
		uint32_t index; /* 0 = free */
		char name[IFNAMSIZ_];
	} names[NAMES];
	struct callout hold;  /* then what was not said again goes */
	struct callout retry; /* then what waits is tried */
	uint64_t swept;       /* since then */
	struct fpm_counts counts;
	uint32_t have; /* bytes of the message under way */
	_Alignas(8) uint8_t message[FPM_MSG_MAX + 1];
};

LIST_HEAD(fpmlist, fpm);
VNET_DEFINE_STATIC(struct fpmlist, fpm_list);
#define V_fpm_list VNET(fpm_list)

VNET_DEFINE_STATIC(uint32_t, fpm_hold_s) = 60;
#define V_fpm_hold_s VNET(fpm_hold_s)
SYSCTL_VNET_UINT(net_route_fpm_hold, "net.route.fpm_hold", SYSCTL_RW, fpm_hold_s, 1, 86400,
    "seconds that a routing daemon's routes stay without being said again by a new connection");

static uint64_t fpm_servers; /* of all stacks; atomic */
AUDIT_COUNTER(fpm, "fpm", fpm_servers);

/* --- interfaces ------------------------------------------------------------------------------- */

static struct fpm_mapping *
mapping_of(const struct fpm *f, const char *linux_name)
{
	struct fpm_mapping *m;

	TAILQ_FOREACH(m, &f->mappings, link)
		if (strcmp(m->linux_name, linux_name) == 0)
			return m;
	return NULL;
}

int
fpm_map(struct fpm *f, const char *linux_name, const char *ifname)
{
	struct fpm_mapping *m = mapping_of(f, linux_name);

	if (strlen(linux_name) >= IFNAMSIZ_ || (ifname != NULL && strlen(ifname) >= IFNAMSIZ_))
		return -EINVAL;
	if (ifname == NULL) {
		if (m == NULL)
			return -ENOENT;
		TAILQ_REMOVE(&f->mappings, m, link);
		vnet_free(m);
		fpm_table_resync(f->table);
		return 0;
	}
	if (m == NULL) {
		if ((m = vnet_malloc(sizeof(*m))) == NULL)
			return -ENOMEM;
		strcpy(m->linux_name, linux_name);
		TAILQ_INSERT_TAIL(&f->mappings, m, link);
	}
	strcpy(m->ifname, ifname);
	fpm_table_resync(f->table);
	return 0;
}

void
fpm_map_foreach(const struct fpm *f,
    void (*fn)(void *ctx, const char *linux_name, const char *ifname), void *ctx)
{
	struct fpm_mapping *m;

	TAILQ_FOREACH(m, &f->mappings, link)
		fn(ctx, m->linux_name, m->ifname);
}

/* The name of a guest's interface; NULL if there is none of that index. */
static const char *
linux_name(struct fpm *f, uint32_t index)
{
	unsigned at = index % NAMES;

	if (f->names[at].index == index)
		return f->names[at].name;
	f->names[at].index = 0;
	if (!f->linux_name(f->ctx, index, f->names[at].name))
		return NULL;
	f->names[at].index = index;
	return f->names[at].name;
}

static struct ifnet *
interface_of(void *ctx, uint32_t index)
{
	const char *name = linux_name(ctx, index);
	const struct fpm_mapping *m;

	if (name == NULL)
		return NULL;
	m = mapping_of(ctx, name);
	return if_byname(m != NULL ? m->ifname : name);
}

/* Interfaces over there may have other names or indexes by now. */
static void
names_forget(struct fpm *f)
{
	for (unsigned i = 0; i < NAMES; i++)
		f->names[i].index = 0;
}

/* --- messages --------------------------------------------------------------------------------- */

/*
 * The netlink message at the front of `left` bytes, NULL if there is no whole one. (libmnl's own
 * question takes a length beyond 2^31 for a good one.)
 */
static const struct nlmsghdr *
netlink_first(const uint8_t *at, uint32_t left)
{
	const struct nlmsghdr *nlh = (const void *)at;

	return left >= sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) && nlh->nlmsg_len <= left ?
	    nlh :
	    NULL;
}

/*
 * A changed route comes as a deletion and an addition in one message: to do the first would leave
 * packets without a way for a moment.
 */
static bool
is_replaced(const struct fpm_change *now, const struct nlmsghdr *next)
{
	struct fpm_change then;

	return now->kind == FPM_ROUTE_DELETE && next != NULL && fpm_decode(next, &then) == 0 &&
	    then.kind == FPM_ROUTE_ADD && then.table == now->table &&
	    then.protocol == now->protocol && memcmp(&then.dst, &now->dst, sizeof(then.dst)) == 0;
}

static void
message_input(struct fpm *f, const uint8_t *at, uint32_t left)
{
	const struct nlmsghdr *nlh;
	struct fpm_change c;

	f->counts.messages++;
	while ((nlh = netlink_first(at, left)) != NULL) {
		uint32_t step = NLMSG_ALIGN(nlh->nlmsg_len);

		step = step < left ? step : left;
		at += step;
		left -= step;
		if (fpm_decode(nlh, &c) != 0)
			f->counts.malformed++;
		else if (!is_replaced(&c, netlink_first(at, left)))
			fpm_table_apply(f->table, &c);
	}
	f->counts.malformed += left > 0;
}

/* What the message under way still needs; -EPROTO. */
static int
message_missing(const struct fpm *f, const char **why)
{
	const struct fpm_header *h = (const void *)f->message;

	if (f->have < sizeof(*h))
		return (int)(sizeof(*h) - f->have);
	if (h->version != FPM_VERSION)
		*why = "not the protocol's version 1";
	else if (h->kind != FPM_KIND_NETLINK)
		*why = "messages are not netlink's: zebra needs -M dplane_fpm_nl";
	else if (from_be16(h->len) < sizeof(*h))
		*why = "a message is shorter than its header";
	else
		return from_be16(h->len) - (int)f->have;
	return -EPROTO;
}

int
fpm_input(struct fpm *f, const uint8_t *bytes, size_t len, const char **why)
{
	names_forget(f);
	f->counts.bytes += len;
	for (;;) {
		int missing = message_missing(f, why);
		size_t n = (size_t)missing < len ? (size_t)missing : len;

		if (missing < 0) {
			f->counts.broken++;
			return missing;
		}
		if (missing == 0) {
			message_input(f, f->message + sizeof(struct fpm_header),
			    f->have - (uint32_t)sizeof(struct fpm_header));
			f->have = 0;
			continue;
		}
		if (len == 0)
			return 0;
		memcpy(f->message + f->have, bytes, n);
		f->have += (uint32_t)n;
		bytes += n;
		len -= n;
	}
}

/* --- connections come and go ------------------------------------------------------------------ */

/* A slice at a time: a full table must not keep packets waiting. */
static void
hold_over(void *arg)
{
	struct fpm *f = arg;

	f->swept += fpm_table_sweep(f->table, SWEEP_SLICE);
	if (fpm_table_stale(f->table) > 0)
		callout_reset(&f->hold, CALLOUT_MIN_NS);
	else if (f->swept > 0)
		log_msg(LOG_LVL_NOTICE, "fpm: fib %u: %" PRIu64 " routes were not said again",
		    f->fib, f->swept);
}

/* What is held now has to be said again. */
static void
hold(struct fpm *f)
{
	f->have = 0;
	fpm_table_begin(f->table);
	f->swept = 0;
	if (fpm_table_routes(f->table) > 0)
		callout_reset(&f->hold, V_fpm_hold_s * NS_PER_SEC);
}

void
fpm_begin(struct fpm *f)
{
	f->connected = true;
	f->counts.connections++;
	hold(f);
}

void
fpm_end(struct fpm *f)
{
	f->connected = false;
	hold(f);
}

/* --- life ------------------------------------------------------------------------------------- */

static void
retry(void *arg)
{
	struct fpm *f = arg;

	names_forget(f);
	fpm_table_retry(f->table);
}

/* Something happened that may let routes in: once for whatever comes together. */
static void
lost(void *ctx)
{
	struct fpm *f = ctx;

	if (!callout_armed(&f->retry))
		callout_reset(&f->retry, CALLOUT_MIN_NS);
}

struct fpm *
fpm_new(uint8_t fib, fpm_linux_name *name, void *ctx)
{
	struct fpm *f;

	if (fpm_of(fib) != NULL) {
		errno = EEXIST;
		return NULL;
	}
	if ((f = vnet_malloc(sizeof(*f))) == NULL ||
	    (f->table = fpm_table_new(fib, interface_of, lost, f)) == NULL) {
		vnet_free(f);
		errno = ENOMEM;
		return NULL;
	}
	f->fib = fib;
	f->linux_name = name;
	f->ctx = ctx;
	TAILQ_INIT(&f->mappings);
	callout_init(&f->hold, curvnet, hold_over, f);
	callout_init(&f->retry, curvnet, retry, f);
	LIST_INSERT_HEAD(&V_fpm_list, f, link);
	__atomic_fetch_add(&fpm_servers, 1, __ATOMIC_RELAXED);
	return f;
}

void
fpm_free(struct fpm *f)
{
	struct fpm_mapping *m;

	fpm_door_close(f->door);
	LIST_REMOVE(f, link);
	fpm_table_free(f->table);
	callout_drain(&f->hold);
	callout_drain(&f->retry);
	while ((m = TAILQ_FIRST(&f->mappings)) != NULL) {
		TAILQ_REMOVE(&f->mappings, m, link);
		vnet_free(m);
	}
	vnet_free(f);
	__atomic_fetch_sub(&fpm_servers, 1, __ATOMIC_RELAXED);
}

struct fpm *
fpm_of(uint8_t fib)
{
	struct fpm *f;

	LIST_FOREACH(f, &V_fpm_list, link)
		if (f->fib == fib)
			return f;
	return NULL;
}

bool
fpm_is_connected(const struct fpm *f)
{
	return f->connected;
}

uint8_t
fpm_fib(const struct fpm *f)
{
	return f->fib;
}

struct fpm_table *
fpm_table(const struct fpm *f)
{
	return f->table;
}

const struct fpm_counts *
fpm_counts(const struct fpm *f)
{
	return &f->counts;
}

struct fpm_door *
fpm_door(const struct fpm *f)
{
	return f->door;
}

void
fpm_set_door(struct fpm *f, struct fpm_door *door)
{
	f->door = door;
}

static void
fpm_uninit(void *arg)
{
	struct fpm *f;

	(void)arg;
	while ((f = LIST_FIRST(&V_fpm_list)) != NULL)
		fpm_free(f);
}
VNET_SYSUNINIT(fpm, SI_SUB_TOP, SI_ORDER_MIDDLE, fpm_uninit, NULL);
