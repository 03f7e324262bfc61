/*
 * in_ifconfig.c - the family "inet" of ifconfig, and how an address looks there and in netstat -i.
 *
 *	ifconfig IF [inet] A[/len] [D] [netmask M] [broadcast B] [alias | add | -alias | delete | remove]
 *	ifconfig IF [inet] A-B[/len] …		a range; B may be the last part alone
 *
 * Without alias the first address of the interface is replaced, as BSD does.
 */
#include "inet/in_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
in_ifaddr_ifconfig(struct emitter *e, const struct ifaddr *ifa)
{
	const struct in_ifaddr *ia = (const struct in_ifaddr *)(const void *)ifa;
	char text[16];

	emit_str(e, "family", NULL, "inet");
	emit_str(e, "address", "\tinet %s", in_ntoa(ia->addr, text));
	if (ia->dst != 0)
		emit_str(e, "destination", " --> %s", in_ntoa(ia->dst, text));
	emit_text(e, " netmask 0x%08x", __builtin_bswap32(ia->mask));
	emit_str(e, "netmask", NULL, in_ntoa(ia->mask, text));
	emit_uint(e, "prefixlen", NULL, in_mask_plen(ia->mask));
	if (ia->broadcast != 0)
		emit_str(e, "broadcast", " broadcast %s", in_ntoa(ia->broadcast, text));
	emit_text(e, "\n");
}

void
in_ifaddr_netstat(const struct ifaddr *ifa, char *network, size_t nlen, char *address, size_t alen)
{
	const struct in_ifaddr *ia = (const struct in_ifaddr *)(const void *)ifa;
	char text[16];

	snprintf(
	    network, nlen, "%s/%u", in_ntoa(ia->addr & ia->mask, text), in_mask_plen(ia->mask));
	snprintf(address, alen, "%s", in_ntoa(ia->addr, text));
}

/* --- words --------------------------------------------------------------- */

enum in_op { IN_OP_SET, IN_OP_ADD, IN_OP_DELETE };

struct in_words {
	uint32_t first, last; /* host order; equal but for a range */
	uint32_t mask, dst, broadcast;
	bool has_mask;
	enum in_op op;
};

static const struct {
	const char *word;
	enum in_op op;
} op_words[] = {
	{ "alias", IN_OP_ADD },
	{ "add", IN_OP_ADD },
	{ "-alias", IN_OP_DELETE },
	{ "delete", IN_OP_DELETE },
	{ "remove", IN_OP_DELETE },
};

static bool
word_is_op(const char *word, enum in_op *op)
{
	for (size_t i = 0; i < sizeof(op_words) / sizeof(op_words[0]); i++)
		if (strcmp(word, op_words[i].word) == 0) {
			*op = op_words[i].op;
			return true;
		}
	return false;
}

/*
 * "A", "A/len", "A-B", "A-B/len". False if it is none; a name is taken only when it stands alone.
 */
static bool
parse_address(const char *word, struct in_words *w)
{
	char text[64], *slash, *dash;
	uint32_t addr;
	uint64_t n;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return in_resolve(word, &addr) &&
		    (w->first = w->last = __builtin_bswap32(addr), true);
	if ((slash = strchr(text, '/')) != NULL) {
		*slash = '\0';
		if (!verb_number(slash + 1, 0, 32, &n))
			return false;
		w->mask = in_plen_mask((unsigned)n);
		w->has_mask = true;
	}
	if (in_resolve(text, &addr)) {
		w->first = w->last = __builtin_bswap32(addr);
		return true;
	}
	if ((dash = strchr(text, '-')) == NULL)
		return false;
	*dash = '\0';
	if (!in_aton(text, &addr))
		return false;
	w->first = __builtin_bswap32(addr);
	if (in_aton(dash + 1, &addr))
		w->last = __builtin_bswap32(addr);
	else if (verb_number(dash + 1, 0, 255, &n))
		w->last = (w->first & 0xffffff00) | (uint32_t)n;
	else
		return false;
	return w->last >= w->first;
}

static bool
in_is_address(const char *word)
{
	struct in_words w = { 0 };

	return parse_address(word, &w);
}

/*
 * One keyword with its argument; *at moves behind what was taken. 0, an exit status, or -1: not
 * ours.
 */
static int
parse_keyword(struct verb_run *v, int argc, char **argv, int *at, struct in_words *w)
{
	const char *word = argv[*at];
	bool is_mask = strcmp(word, "netmask") == 0;

	if (word_is_op(word, &w->op)) {
		*at += 1;
		return 0;
	}
	if (!is_mask && strcmp(word, "broadcast") != 0)
		return -1;
	if (*at + 1 >= argc)
		return verb_error(v, 1, "'%s' requires argument", word);
	if (is_mask && !in_mask_parse(argv[*at + 1], &w->mask))
		return verb_error(
		    v, 1, "netmask %s: Invalid argument: not a contiguous mask", argv[*at + 1]);
	if (!is_mask && !in_resolve(argv[*at + 1], &w->broadcast))
		return verb_error(v, 1, "broadcast %s: bad value", argv[*at + 1]);
	w->has_mask |= is_mask;
	*at += 2;
	return 0;
}

static int
parse_words(
    struct verb_run *v, struct ifnet *ifp, int argc, char **argv, int *used, struct in_words *w)
{
	const struct in_ifaddr *first;
	int at = 0, status;

	/* the operation may stand first: `inet delete A` */
	while (at < argc && word_is_op(argv[at], &w->op))
		at++;
	*used = at;
	if (at == argc && w->op == IN_OP_DELETE && (first = in_ifaddr_first(ifp)) != NULL) {
		/* which one is not said: the first */
		w->first = w->last = __builtin_bswap32(first->addr);
		return 0;
	}
	if (at == argc && w->op == IN_OP_DELETE)
		return verb_error(v, 1, "ioctl (SIOCDIFADDR): %s", verb_strerror(EADDRNOTAVAIL));
	if (at == argc)
		return verb_error(v, 1, "'%s' requires argument", argv[at - 1]);
	if (!parse_address(argv[at], w))
		return verb_error(v, 1, "%s: bad value", argv[at]);
	*used = ++at;
	if (at < argc && in_resolve(argv[at], &w->dst)) {
		if (!(ifp->if_flags & IFF_POINTOPOINT_))
			return verb_error(v, 1,
			    "%s: %s: Invalid argument: the interface has no other end",
			    ifp->if_xname, argv[at]);
		at++;
	}
	while (at < argc) {
		status = parse_keyword(v, argc, argv, &at, w);
		if (status == -1)
			break;
		if (status != 0)
			return status;
	}
	*used = at;
	if (!w->has_mask)
		w->mask = in_class_mask(__builtin_bswap32(w->first));
	return 0;
}

static int
do_delete(struct verb_run *v, struct ifnet *ifp, const struct in_words *w)
{
	char text[16];
	int error = 0;

	for (uint64_t a = w->first; a <= w->last; a++)
		if (in_ifaddr_exact(ifp, __builtin_bswap32((uint32_t)a)) == NULL)
			error = -EADDRNOTAVAIL;
	for (uint64_t a = w->first; error == 0 && a <= w->last; a++)
		error = in_addr_delete(ifp, __builtin_bswap32((uint32_t)a));
	if (error == 0)
		return 0;
	return verb_error(v, 1, "%s: inet %s: ioctl (SIOCDIFADDR): %s", ifp->if_xname,
	    in_ntoa(__builtin_bswap32(w->first), text), verb_strerror(error));
}

static int
do_add(struct verb_run *v, struct ifnet *ifp, const struct in_words *w)
{
	struct in_ifaddr *old = w->op == IN_OP_SET ? in_ifaddr_first(ifp) : NULL;
	struct in_ifaddr saved = { 0 };
	unsigned plen = in_mask_plen(w->mask);
	char text[16];
	uint64_t a;
	int error = 0;

	if (old != NULL) {
		saved = *old;
		(void)in_addr_delete(ifp, old->addr);
	}
	for (a = w->first; error == 0 && a <= w->last; a++)
		error = in_addr_add(
		    ifp, __builtin_bswap32((uint32_t)a), plen, w->dst, w->broadcast);
	if (error == 0)
		return 0;
	/* as it was */
	for (a -= 1; a-- > w->first;)
		(void)in_addr_delete(ifp, __builtin_bswap32((uint32_t)a));
	if (old != NULL)
		(void)in_addr_add(
		    ifp, saved.addr, in_mask_plen(saved.mask), saved.dst, saved.broadcast);
	return verb_error(v, 1, "%s: inet %s: ioctl (SIOCAIFADDR): %s", ifp->if_xname,
	    in_ntoa(__builtin_bswap32(w->first), text), verb_strerror(error));
}

static int
in_address(struct verb_run *v, struct ifnet *ifp, int argc, char **argv, int *used)
{
	struct in_words w = { 0 };
	int status;

	*used = 0;
	if (argc == 0)
		return 0;
	status = parse_words(v, ifp, argc, argv, used, &w);
	if (status != 0)
		return status;
	return w.op == IN_OP_DELETE ? do_delete(v, ifp, &w) : do_add(v, ifp, &w);
}

IFCONFIG_FAMILY_DEFINE(
    inet, .name = "inet", .af = AF_INET, .address = in_address, .is_address = in_is_address);
