/*
 * ifconfig_words.c - the keywords that every interface understands: flags, numbers, names, groups,
 * offload.
 *
 * A keyword has a check, which reads its words and looks at the interface without touching either,
 * and an act. All words of a command are checked before the first acts; so a slip of the pen
 * changes nothing.
 */
#include "net/ifconfig.h"

#include "kern/jail.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"
#include "net/if_clone.h"

#include <errno.h>
#include <string.h>

struct keyword {
	const char *word;
	int nargs;
	/*
	 * 0, or an exit status with the reason said. May be NULL. ifp is NULL when it is yet to be
	 * made.
	 */
	int (*check)(
	    struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args);
	int (*act)(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args);
	uint32_t bits; /* flags or capabilities */
	bool off;
	bool last; /* the interface is not here any more when it has been done */
};

LINKERSET_DECLARE(ifconfig_word, const struct ifconfig_word);

static int
fail(struct ifconfig *c, const char *what, int error)
{
	return verb_error(c->v, 1, "%s: %s", what, strerror(-error));
}

static int
bad_value(struct ifconfig *c, const char *word)
{
	return verb_error(c->v, 1, "%s: bad value", word);
}

/* --- flags --------------------------------------------------------------- */

static int
act_up(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	int error = k->off ? if_down(ifp) : if_up(ifp);

	(void)args;
	return error == 0 ? 0 : fail(c, "ioctl (SIOCSIFFLAGS)", error);
}

static int
act_flag(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	VNET_SCOPE(ifp->if_vnet);

	(void)c, (void)args;
	ifp->if_flags = k->off ? ifp->if_flags & ~k->bits : ifp->if_flags | k->bits;
	if (ifp->if_set_flags != NULL)
		ifp->if_set_flags(ifp);
	return 0;
}

/* The administrator's wish is one more listener. */
static int
act_promisc(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	bool is_on = ifp->if_flags & IFF_PPROMISC_;

	(void)c, (void)args;
	if (is_on == !k->off)
		return 0;
	if_set_promisc(ifp, !k->off);
	ifp->if_flags ^= IFF_PPROMISC_;
	return 0;
}

static int
check_caps(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	(void)args;
	if (ifp != NULL && (ifp->if_capabilities & k->bits) == 0)
		return verb_error(c->v, 1, "%s: %s", k->word, strerror(EOPNOTSUPP));
	return 0;
}

static int
act_caps(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	uint32_t bits = k->bits & ifp->if_capabilities;

	(void)c, (void)args;
	ifp->if_capenable = k->off ? ifp->if_capenable & ~bits : ifp->if_capenable | bits;
	return 0;
}

/* --- numbers ------------------------------------------------------------- */

static int
check_number(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	uint64_t n;

	(void)ifp, (void)k;
	return verb_number(args[0], 0, INT32_MAX, &n) ? 0 : bad_value(c, args[0]);
}

static uint32_t
number(const char *word)
{
	uint64_t n = 0;

	(void)verb_number(word, 0, INT32_MAX, &n);
	return (uint32_t)n;
}

static int
act_mtu(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	int error = if_set_mtu(ifp, number(args[0]));

	(void)k;
	return error == 0 ? 0 : fail(c, "ioctl (set mtu)", error);
}

static int
act_metric(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	(void)c, (void)k;
	ifp->if_metric = number(args[0]);
	return 0;
}

/* net.fibs belongs to a floor above: asked by its name. */
static uint32_t
fibs(void)
{
	const struct sysctl_oid *oid = sysctl_find("net.fibs");
	uint64_t n = 1;
	char text[16];

	if (oid != NULL && sysctl_read(oid, text, sizeof(text)) == 0)
		(void)verb_number(text, 1, UINT8_MAX, &n);
	return (uint32_t)n;
}

static int
check_fib(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	uint64_t n;

	(void)ifp, (void)k;
	if (!verb_number(args[0], 0, UINT32_MAX, &n))
		return bad_value(c, args[0]);
	return n < fibs() ? 0 : fail(c, "ioctl (SIOCSIFFIB)", -EINVAL);
}

static int
act_fib(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	(void)c, (void)k;
	ifp->if_fib = (uint8_t)number(args[0]);
	return 0;
}

/* --- texts --------------------------------------------------------------- */

static int
check_name(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	(void)ifp, (void)k;
	if (args[0][0] == '\0' || strlen(args[0]) >= IFNAMSIZ_)
		return fail(c, "ioctl (set name)", -EINVAL);
	return if_byname(args[0]) == NULL ? 0 : fail(c, "ioctl (set name)", -EEXIST);
}

static int
act_name(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	int error = if_rename(ifp, args[0]);

	(void)k;
	if (error != 0)
		return fail(c, "ioctl (set name)", error);
	c->print_name = true;
	return 0;
}

static int
check_descr(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	(void)ifp, (void)k;
	return strlen(args[0]) < if_descr_maxlen ? 0 : fail(c, "ioctl (set descr)", -ENAMETOOLONG);
}

static int
act_descr(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	int error = if_set_description(ifp, k->off ? "" : args[0]);

	return error == 0 ? 0 : fail(c, "ioctl (set descr)", error);
}

static int
check_ether(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	uint8_t lladdr[6];

	(void)k;
	if (!ether_aton_(args[0], lladdr))
		return verb_error(c->v, 1, "%s: malformed link-level address", args[0]);
	if ((ifp != NULL && ifp->if_addrlen != sizeof(lladdr)) || lladdr[0] & 1)
		return fail(c, "ioctl (SIOCSIFLLADDR)", -EINVAL);
	return 0;
}

static int
act_ether(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	uint8_t lladdr[6];
	int error;

	(void)k;
	if (!ether_aton_(args[0], lladdr))
		return bad_value(c, args[0]);
	error = if_set_lladdr(ifp, lladdr);
	return error == 0 ? 0 : fail(c, "ioctl (SIOCSIFLLADDR)", error);
}

/* --- groups -------------------------------------------------------------- */

static int
check_group(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	size_t len = strlen(args[0]);
	const char *what = k->off ? " SIOCDIFGROUP" : " SIOCAIFGROUP";

	if (len == 0 || len >= IFNAMSIZ_)
		return verb_error(c->v, 1, "setifgroup: group name must be 1 to %d characters long",
		    IFNAMSIZ_ - 1);
	if (!k->off && args[0][len - 1] >= '0' && args[0][len - 1] <= '9')
		return verb_error(c->v, 1, "setifgroup: group names may not end in a digit");
	if (ifp != NULL && if_in_group(ifp, args[0]) == !k->off)
		return fail(c, what, k->off ? -ENOENT : -EEXIST);
	return 0;
}

static int
act_group(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	int error = k->off ? if_group_delete(ifp, args[0]) : if_group_add(ifp, args[0]);

	return error == 0 ? 0 : fail(c, k->off ? " SIOCDIFGROUP" : " SIOCAIFGROUP", error);
}

/* --- from stack to stack ------------------------------------------------- */

static int
check_vnet(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	struct prison *pr = prison_find(c->v->prison, args[0]);

	if (pr == NULL)
		return verb_error(c->v, 1, "jail \"%s\" not found", args[0]);
	if (!pr->owns_vnet)
		return fail(c, k->off ? "SIOCSIFRVNET" : "SIOCSIFVNET", -EINVAL);
	if (!k->off && (pr->vnet == c->v->vnet || (ifp != NULL && pr->vnet == ifp->if_vnet)))
		return fail(c, "SIOCSIFVNET", -EEXIST);
	if (ifp != NULL && ifp == V_loif)
		return fail(c, "SIOCSIFVNET", -EINVAL);
	return 0;
}

static int
act_vnet(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	struct prison *pr = prison_find(c->v->prison, args[0]);
	int error = pr == NULL ? -ENXIO : if_vmove(ifp, k->off ? c->v->vnet : pr->vnet);

	return error == 0 ? 0 : fail(c, k->off ? "SIOCSIFRVNET" : "SIOCSIFVNET", error);
}

/* --- the end ------------------------------------------------------------- */

static int
check_destroy(struct ifconfig *c, const struct ifnet *ifp, const struct keyword *k, char **args)
{
	(void)k, (void)args;
	if (ifp == NULL || ifp->if_cloner == NULL || ifp->if_dunit < ifp->if_cloner->minunit)
		return fail(c, "SIOCIFDESTROY", -EINVAL);
	return 0;
}

static int
act_destroy(struct ifconfig *c, struct ifnet *ifp, const struct keyword *k, char **args)
{
	int error = if_clone_destroy(ifp);

	(void)k, (void)args;
	c->print_name = false;
	return error == 0 ? 0 : fail(c, "SIOCIFDESTROY", error);
}

enum {
	CAP_NETCONS = 1 << 2,
	CAP_HWTAGGING = 1 << 4,
	CAP_POLLING = 1 << 6,
	CAP_VLAN_HWCSUM = 1 << 7,
	CAP_TSO4 = 1 << 8,
	CAP_TSO6 = 1 << 9,
	CAP_LRO = 1 << 10,
	CAP_WOL_UCAST = 1 << 11,
	CAP_WOL_MCAST = 1 << 12,
	CAP_WOL_MAGIC = 1 << 13,
	CAP_VLAN_HWFILTER = 1 << 16,
	CAP_VLAN_HWTSO = 1 << 18,
};

#define FLAG(name, flag)                                                                           \
	{ name, 0, NULL, act_flag, flag, false, false },                                           \
	{                                                                                          \
		"-" name, 0, NULL, act_flag, flag, true, false                                     \
	}
#define CAPS(name, caps)                                                                           \
	{ name, 0, check_caps, act_caps, caps, false, false },                                     \
	{                                                                                          \
		"-" name, 0, check_caps, act_caps, caps, true, false                               \
	}

static const struct keyword keywords[] = {
	{ "up", 0, NULL, act_up, 0, false, false },
	{ "down", 0, NULL, act_up, 0, true, false },
	FLAG("debug", IFF_DEBUG_),
	{ "arp", 0, NULL, act_flag, IFF_NOARP_, true, false },
	{ "-arp", 0, NULL, act_flag, IFF_NOARP_, false, false },
	{ "promisc", 0, NULL, act_promisc, 0, false, false },
	{ "-promisc", 0, NULL, act_promisc, 0, true, false },
	FLAG("monitor", IFF_MONITOR_),
	FLAG("staticarp", IFF_STATICARP_),
	FLAG("link0", IFF_LINK0_),
	FLAG("link1", IFF_LINK1_),
	FLAG("link2", IFF_LINK2_),
	{ "normal", 0, NULL, act_flag, IFF_LINK0_, true, false },
	{ "compress", 0, NULL, act_flag, IFF_LINK0_, false, false },
	{ "noicmp", 0, NULL, act_flag, IFF_LINK1_, false, false },
	{ "mtu", 1, check_number, act_mtu, 0, false, false },
	{ "metric", 1, check_number, act_metric, 0, false, false },
	{ "fib", 1, check_fib, act_fib, 0, false, false },
	{ "name", 1, check_name, act_name, 0, false, false },
	{ "description", 1, check_descr, act_descr, 0, false, false },
	{ "descr", 1, check_descr, act_descr, 0, false, false },
	{ "-description", 0, NULL, act_descr, 0, true, false },
	{ "-descr", 0, NULL, act_descr, 0, true, false },
	{ "ether", 1, check_ether, act_ether, 0, false, false },
	{ "lladdr", 1, check_ether, act_ether, 0, false, false },
	{ "group", 1, check_group, act_group, 0, false, false },
	{ "-group", 1, check_group, act_group, 0, true, false },
	{ "vnet", 1, check_vnet, act_vnet, 0, false, true },
	{ "-vnet", 1, check_vnet, act_vnet, 0, true, true },
	{ "destroy", 0, check_destroy, act_destroy, 0, false, true },
	{ "unplumb", 0, check_destroy, act_destroy, 0, false, true },
	CAPS("rxcsum", IFCAP_RXCSUM),
	CAPS("txcsum", IFCAP_TXCSUM),
	CAPS("netcons", CAP_NETCONS),
	CAPS("polling", CAP_POLLING),
	CAPS("vlanmtu", IFCAP_VLAN_MTU),
	CAPS("vlanhwtag", CAP_HWTAGGING),
	CAPS("vlanhwcsum", CAP_VLAN_HWCSUM),
	CAPS("vlanhwfilter", CAP_VLAN_HWFILTER),
	CAPS("vlanhwtso", CAP_VLAN_HWTSO),
	CAPS("tso", CAP_TSO4 | CAP_TSO6),
	CAPS("tso4", CAP_TSO4),
	CAPS("tso6", CAP_TSO6),
	CAPS("lro", CAP_LRO),
	CAPS("wol", CAP_WOL_UCAST | CAP_WOL_MCAST | CAP_WOL_MAGIC),
	CAPS("wol_ucast", CAP_WOL_UCAST),
	CAPS("wol_mcast", CAP_WOL_MCAST),
	CAPS("wol_magic", CAP_WOL_MAGIC),
};

static const struct keyword *
keyword_find(const char *word)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(keywords[i].word, word) == 0)
			return &keywords[i];
	return NULL;
}

/* Another room's. */
static const struct ifconfig_word *
word_find(const char *word)
{
	const struct ifconfig_word *const *p;

	LINKERSET_FOREACH(p, ifconfig_word)
		if (strcmp((*p)->word, word) == 0)
			return *p;
	return NULL;
}

/*
 * How many words the keyword argv[0] takes with its own; 0 = it is none, -1 = too few are there
 * (said).
 */
static int
words_needed(struct ifconfig *c, int argc, char **argv)
{
	const struct keyword *k = keyword_find(argv[0]);
	const struct ifconfig_word *w = k == NULL ? word_find(argv[0]) : NULL;
	int nargs;

	if (k == NULL && w == NULL)
		return 0;
	nargs = k != NULL ? k->nargs : w->nargs;
	if (argc <= nargs) {
		verb_error(c->v, 1, "'%s' requires argument", argv[0]);
		return -1;
	}
	return 1 + nargs;
}

int
ifconfig_words_check(struct ifconfig *c, const struct ifnet *ifp, int argc, char **argv, int *used)
{
	*used = 0;
	while (*used < argc) {
		char **word = argv + *used;
		int n = words_needed(c, argc - *used, word), status = 0;
		const struct keyword *k;

		if (n <= 0)
			return n == 0 ? 0 : 1;
		*used += n;
		k = keyword_find(word[0]);
		if (k != NULL && k->check != NULL)
			status = k->check(c, ifp, k, word + 1);
		if (status == 0 && k != NULL && k->last && *used < argc)
			status = verb_error(
			    c->v, 1, "%s: nothing can follow '%s'", argv[*used], word[0]);
		if (status != 0)
			return status;
	}
	return 0;
}

int
ifconfig_words(struct ifconfig *c, struct ifnet *ifp, int argc, char **argv)
{
	int status = 0;

	for (int at = 0; status == 0 && at < argc;) {
		char **word = argv + at;
		const struct keyword *k = keyword_find(word[0]);
		const struct ifconfig_word *w = k == NULL ? word_find(word[0]) : NULL;

		at += 1 + (k != NULL ? k->nargs : w->nargs);
		if (k != NULL)
			status = k->act(c, ifp, k, word + 1);
		else
			status = w->run(c->v, ifp, word + 1);
	}
	return status;
}
