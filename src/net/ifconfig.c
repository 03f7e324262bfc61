/*
 * ifconfig.c - the tool: which interfaces, which words, in which order.
 *
 *	ifconfig [-a]			print all
 *	ifconfig IF			print one
 *	ifconfig IF create WORDS	make it, then the words; it goes again if one fails
 *	ifconfig IF [FAMILY] WORDS	keywords and addresses, from left to right
 *
 * Keywords are checked before any of them acts, up to the next address: what an address takes only
 * its family knows, by doing it. What a keyword changed before a later one failed is put back.
 */
#include "net/ifconfig.h"

#include "kern/jail.h"
#include "kern/module.h"
#include "net/if_clone.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

LINKERSET_DECLARE(ifconfig_family, const struct ifconfig_family);

/* The link layer as a family: for printing only, its address is set by "ether". */
static bool
family_by_name(const char *name, const struct ifconfig_family **family, int *af)
{
	const struct ifconfig_family *const *p;

	*family = NULL;
	LINKERSET_FOREACH(p, ifconfig_family)
		if (strcmp((*p)->name, name) == 0) {
			*family = *p;
			*af = (*p)->af;
			return true;
		}
	*af = AF_LINK_;
	return strcmp(name, "link") == 0 || strcmp(name, "ether") == 0 ||
	    strcmp(name, "lladdr") == 0;
}

static const struct ifconfig_family *
family_of_address(const char *word)
{
	const struct ifconfig_family *const *p;

	LINKERSET_FOREACH(p, ifconfig_family)
		if ((*p)->is_address != NULL && (*p)->is_address(word))
			return *p;
	return NULL;
}

/* `alias` and its kin may stand before the address; the family wants them behind. */
static bool
is_address_op(const char *word)
{
	static const char *const ops[] = { "alias", "-alias", "add", "delete", "remove" };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(word, ops[i]) == 0)
			return true;
	return false;
}

/* Address words, perhaps behind their family's name. *used = 0 when they are none. */
static int
ifconfig_address(struct ifconfig *c, struct ifnet *ifp, int argc, char **argv, int *used)
{
	const struct ifconfig_family *family = NULL;
	char *swapped[64], *op = NULL;
	int at = 0, af, n, took = 0, status;

	*used = 0;
	if (family_by_name(argv[0], &family, &af) && family != NULL)
		at++;
	if (at < argc && is_address_op(argv[at]))
		op = argv[at++];
	if (at == argc) {
		/*
		 * `ifconfig IF alias` has nothing to add; `ifconfig IF delete` is up to the family.
		 */
		if (op == NULL)
			return 0;
		if (family == NULL && !family_by_name("inet", &family, &af))
			return verb_error(c->v, 1, "'%s' requires argument", op);
		status = family->address(c->v, ifp, 1, &op, &took);
		*used = at;
		return status;
	}
	if (family == NULL)
		family = family_of_address(argv[at]);
	if (family == NULL)
		return op == NULL ? 0 : verb_error(c->v, 1, "%s: bad value", argv[at]);
	n = argc - at;
	if (op == NULL) {
		status = family->address(c->v, ifp, n, argv + at, &took);
		*used = at + took;
		return status;
	}
	if (n + 1 > (int)(sizeof(swapped) / sizeof(swapped[0])))
		return verb_error(c->v, 1, "too many words");
	swapped[0] = argv[at];
	swapped[1] = op;
	memcpy(swapped + 2, argv + at + 1, (size_t)(n - 1) * sizeof(argv[0]));
	status = family->address(c->v, ifp, n + 1, swapped, &took);
	*used = at - 1 + took;
	return status;
}

/* Could argv[0] begin an address? */
static bool
begins_address(const char *word)
{
	const struct ifconfig_family *family;
	int af;

	return (family_by_name(word, &family, &af) && family != NULL) || is_address_op(word) ||
	    family_of_address(word) != NULL;
}

/* All words behind the interface, left to right. */
static int
ifconfig_apply(struct ifconfig *c, struct ifnet *ifp, int argc, char **argv)
{
	int used, status;

	while (argc > 0) {
		status = ifconfig_words_check(c, ifp, argc, argv, &used);
		if (status == 0 && used < argc && !begins_address(argv[used]))
			status = verb_error(c->v, 1, "%s: bad value", argv[used]);
		if (status == 0)
			status = ifconfig_words(c, ifp, used, argv);
		argc -= used;
		argv += used;
		if (status != 0 || argc == 0)
			return status;
		status = ifconfig_address(c, ifp, argc, argv, &used);
		if (status == 0 && used == 0)
			status = verb_error(c->v, 1, "%s: bad value", argv[0]);
		if (status != 0)
			return status;
		argc -= used;
		argv += used;
	}
	return 0;
}

/* Every interface comes from a driver if_NAME: ask for it when it isn't here (behaviours 29). */
static void
ifconfig_load(const struct ifconfig *c, const char *name)
{
	char module[64];
	size_t n = strlen(name);
	int unit;

	while (n > 0 && isdigit((unsigned char)name[n - 1]))
		n--;
	if (c->no_load || n == 0 || n > sizeof(module) - 4 || if_clone_match(name, &unit) != NULL)
		return;
	snprintf(module, sizeof(module), "if_%.*s", (int)n, name);
	(void)module_request(module);
}

static int
ifconfig_create(struct ifconfig *c, const char *name, int argc, char **argv)
{
	struct ifnet *ifp;
	int error, used, unit, status;

	if (priv_check(PRIV_NET_CONFIG) != 0)
		return verb_error(c->v, 1, "SIOCIFCREATE2: %s", strerror(EPERM));
	status = ifconfig_words_check(c, NULL, argc, argv, &used);
	if (status != 0)
		return status;
	error = if_clone_create(name, argv, &ifp);
	if (error != 0 && if_clone_why[0] != '\0')
		return verb_error(c->v, 1, "%s: %s", name, if_clone_why);
	if (error != 0)
		return verb_error(c->v, 1, "SIOCIFCREATE2: %s", strerror(-error));
	if (if_clone_match(name, &unit) != NULL && unit < 0)
		c->print_name = true;
	/* The interface may be gone, or elsewhere, when the words are done. */
	if_ref(ifp);
	status = ifconfig_apply(c, ifp, argc, argv);
	if (status != 0)
		(void)if_clone_destroy(ifp);
	else if (c->print_name)
		emit_str(c->v->out, "name", "%s\n", ifp->if_xname);
	if_rele(ifp);
	return status;
}

/* `ifconfig IF -vnet J` is said here about an interface that is there. */
static struct ifnet *
ifconfig_reclaim(struct ifconfig *c, const char *name, int argc, char **argv)
{
	struct prison *pr;

	if (argc < 2 || strcmp(argv[0], "-vnet") != 0)
		return NULL;
	pr = prison_find(c->v->prison, argv[1]);
	if (pr == NULL || !pr->owns_vnet)
		return NULL;
	VNET_SCOPE(pr->vnet);
	return if_byname(name);
}

static int
ifconfig_change(struct ifconfig *c, struct ifnet *ifp, int argc, char **argv)
{
	struct ifconfig_saved saved;
	int status;

	if (priv_check(PRIV_NET_CONFIG) != 0)
		return verb_error(c->v, 1, "%s: %s", argv[0], strerror(EPERM));
	ifconfig_save(&saved, ifp);
	if_ref(ifp);
	status = ifconfig_apply(c, ifp, argc, argv);
	if (status != 0)
		ifconfig_restore(&saved, ifp);
	else if (c->print_name)
		emit_str(c->v->out, "name", "%s\n", ifp->if_xname);
	ifconfig_forget(&saved);
	if_rele(ifp);
	return status;
}

static void
ifconfig_print_one(const struct ifconfig *c, struct ifnet *ifp, int af)
{
	emit_list(c->v->out, "interface");
	ifconfig_print(c, ifp, af);
	emit_end(c->v->out);
}

static int
ifconfig_one(struct ifconfig *c, int argc, char **argv)
{
	const struct ifconfig_family *family;
	const char *name = argv[0];
	struct ifnet *ifp = if_byname(name);
	int af;

	argc--, argv++;
	if (argc > 0 && (strcmp(argv[0], "create") == 0 || strcmp(argv[0], "plumb") == 0)) {
		ifconfig_load(c, name);
		return ifconfig_create(c, name, argc - 1, argv + 1);
	}
	if (ifp == NULL)
		ifp = ifconfig_reclaim(c, name, argc, argv);
	if (ifp == NULL) {
		ifconfig_load(c, name);
		return verb_error(c->v, 1, "interface %s does not exist", name);
	}
	if (argc == 0) {
		ifconfig_print_one(c, ifp, AF_UNSPEC);
		return 0;
	}
	if (argc == 1 && family_by_name(argv[0], &family, &af)) {
		ifconfig_print_one(c, ifp, af);
		return 0;
	}
	return ifconfig_change(c, ifp, argc, argv);
}

static bool
ifconfig_wanted(const struct ifconfig *c, const struct ifnet *ifp)
{
	bool up = ifp->if_flags & IFF_UP_;

	return !(c->only_down && up) && !(c->only_up && !up);
}

static int
ifconfig_all(struct ifconfig *c, int argc, char **argv)
{
	const struct ifconfig_family *family;
	struct ifnet *ifp;
	int af = AF_UNSPEC;

	if (argc > 1 || (argc == 1 && !family_by_name(argv[0], &family, &af)))
		return verb_usage(c->v, "-a prints; words to change something need an interface");
	emit_list(c->v->out, "interface");
	IF_FOREACH(ifp)
		if (ifconfig_wanted(c, ifp))
			ifconfig_print(c, ifp, af);
	emit_end(c->v->out);
	return 0;
}

static int
ifconfig_names(const struct ifconfig *c)
{
	struct emitter *e = c->v->out;
	struct ifnet *ifp;
	bool any = false;

	emit_list(e, "names");
	IF_FOREACH(ifp) {
		if (!ifconfig_wanted(c, ifp))
			continue;
		emit_text(e, any ? " " : "");
		emit_str(e, "", "%s", ifp->if_xname);
		any = true;
	}
	emit_end(e);
	if (any)
		emit_text(e, "\n");
	return 0;
}

static int
ifconfig_group(const struct ifconfig *c)
{
	struct emitter *e = c->v->out;
	struct ifnet *ifp;
	bool any = false;

	emit_list(e, "names");
	IF_FOREACH(ifp)
		if (if_in_group(ifp, c->group)) {
			emit_str(e, "", "%s\n", ifp->if_xname);
			any = true;
		}
	emit_end(e);
	/* A group is there as long as it has members. */
	return any ? 0 : verb_error(c->v, 1, "group %s does not exist", c->group);
}

struct cloner_print {
	struct emitter *e;
	bool any;
};

static void
print_cloner(const struct if_clone *ifc, void *ctx)
{
	struct cloner_print *p = ctx;

	emit_text(p->e, p->any ? " " : "");
	emit_str(p->e, "", "%s", ifc->name);
	p->any = true;
}

static int
ifconfig_cloners(const struct ifconfig *c)
{
	struct cloner_print p = { .e = c->v->out };

	emit_list(p.e, "cloners");
	if_clone_foreach(print_cloner, &p);
	emit_end(p.e);
	emit_text(p.e, "\n");
	return 0;
}

static int
ifconfig_options(struct ifconfig *c, int *ind)
{
	struct verb_opts o;
	int ch;

	verb_opts_init(&o, c->v, c->v->argc, c->v->argv, "adg:lmnuvCLk");
	while ((ch = verb_opts_next(&o)) != -1) {
		switch (ch) {
		case 'a':
			c->all = true;
			break;
		case 'd':
			c->only_down = true;
			break;
		case 'g':
			c->group = o.arg;
			break;
		case 'l':
			c->names_only = true;
			break;
		case 'm':
			c->media = true;
			break;
		case 'n':
			c->no_load = true;
			break;
		case 'u':
			c->only_up = true;
			break;
		case 'v':
			c->verbose = true;
			break;
		case 'C':
			c->cloners = true;
			break;
		case 'L': /* lifetimes and keys are printed where there are any */
		case 'k':
			break;
		default:
			return verb_usage(c->v, NULL);
		}
	}
	*ind = o.ind;
	return 0;
}

static int
ifconfig_run(struct verb_run *v)
{
	struct ifconfig c = { .v = v };
	int ind = 0, status = ifconfig_options(&c, &ind);
	int argc = v->argc - ind;
	char **argv = v->argv + ind;

	if (status != 0)
		return status;
	if (c.cloners)
		return argc > 0 ? verb_usage(v, NULL) : ifconfig_cloners(&c);
	if (c.group != NULL)
		return argc > 0 ? verb_usage(v, NULL) : ifconfig_group(&c);
	if (c.names_only)
		return argc > 0 ? verb_usage(v, NULL) : ifconfig_names(&c);
	if (c.all || argc == 0)
		return ifconfig_all(&c, argc, argv);
	if (c.only_down || c.only_up)
		return verb_usage(v, "-d and -u go with -a or -l");
	return ifconfig_one(&c, argc, argv);
}

static void
ifconfig_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "up", "down", "create", "destroy", "inet", "inet6",
		"mtu", "ether", "name", "description", "group", "vnet", "promisc", "metric" };
	struct ifnet *ifp;

	(void)argv;
	if (argc == 1) {
		IF_FOREACH(ifp)
			add(ctx, ifp->if_xname);
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		add(ctx, words[i]);
}

VERB_DEFINE(ifconfig, .name = "ifconfig",
    .usage = "ifconfig [-Lkmnv] interface [create] [family] [address [dest_address]] [parameters]\n"
	     "ifconfig interface destroy\n"
	     "ifconfig [-a] [-Lkmv] [-d] [-u] [family]\n"
	     "ifconfig -l [-d] [-u]\n"
	     "ifconfig -g group\n"
	     "ifconfig -C",
    .summary = "configure and print interfaces", .run = ifconfig_run, .complete = ifconfig_complete,
    .flags = VERB_HAS_JAIL);
