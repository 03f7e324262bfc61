/*
 * lab_parse.c - what all parts of a lab file are read with, and its nodes.
 */
#include "inet/in.h"
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <stdlib.h>
#include <string.h>

/* --- words ------------------------------------------------------------------------------------ */

void
lab_parse_words(struct ly *y, int id, const char *what, struct lab_wordlist *list)
{
	const char *text;

	if (ly_shape(y, id) == LY_LIST) {
		for (size_t i = 0; i < ly_len(y, id); i++)
			if (ly_value(y, ly_item(y, id, i), what, LY_STRING, 0, 0, &text))
				lab_words_add(y->lab, list, text, ly_line(y, ly_item(y, id, i)));
	} else if (ly_value(y, id, what, LY_STRING, 0, 0, &text)) {
		lab_words_add(y->lab, list, text, ly_line(y, id));
	}
}

/* A command's words must at least be a line that can be split, with a tool that exists. */
static void
check_commands(struct ly *y, const struct lab_wordlist *list)
{
	const struct lab_words *w;

	STAILQ_FOREACH(w, list, next) {
		const char *why;
		char **argv;
		int argc;

		if (verb_split(w->text, &argc, &argv, &why) != 0) {
			ly_fault_line(y, w->line, "'%s': %s", w->text, why);
			continue;
		}
		if (argc == 0)
			ly_fault_line(y, w->line, "an empty command");
		verb_split_free(argc, argv);
	}
}

static void
sysctl_map(struct ly *y, int id, struct lab_wordlist *list)
{
	size_t n;
	struct ly_pair *pair = ly_pairs(y, id, "sysctl", &n);

	for (size_t i = 0; i < n; i++) {
		const char *value;

		if (ly_value(y, pair[i].value, pair[i].key, LY_STRING, 0, 0, &value))
			lab_words_add(y->lab, list, lab_printf(y->lab, "%s=%s", pair[i].key, value),
			    ly_line(y, pair[i].key_id));
	}
	free(pair);
}

bool
lab_parse_net(struct ly *y, int id, const char *what, int af, const char *text, struct lab_net *net)
{
	const char *slash = strchr(text, '/');
	char host[IPADDR_TEXT];
	uint64_t bits;

	if (slash != NULL && (size_t)(slash - text) < sizeof(host)) {
		memcpy(host, text, (size_t)(slash - text));
		host[slash - text] = '\0';
		if (ipaddr_aton(host, af, &net->addr) &&
		    verb_number(slash + 1, 0, net->addr.family == AF_INET ? 32 : 128, &bits)) {
			net->plen = (uint8_t)bits;
			return true;
		}
	}
	net->addr.family = 0;
	ly_fault(y, id, "%s: '%s' is not an address: write it as %s", what, text,
	    af == AF_INET6 ? "2001:db8::1/64" : "10.0.0.1/24");
	return false;
}

struct lab_node *
lab_parse_node(struct ly *y, int id, const char *what, const char *name)
{
	struct lab_node *n = lab_node_find(y->lab, name), *other;

	if (n != NULL)
		return n;
	STAILQ_FOREACH(other, &y->lab->nodes, next) {
		const char *one = other->name;

		if (ly_nearest(name, &one, 1) != NULL) {
			ly_fault(y, id, "%s: there is no node '%s', did you mean '%s'?", what, name,
			    one);
			return NULL;
		}
	}
	ly_fault(y, id, "%s: there is no node '%s'", what, name);
	return NULL;
}

bool
lab_parse_is_list(struct ly *y, int id, const char *what)
{
	if (ly_shape(y, id) == LY_LIST)
		return true;
	ly_fault(y, id, "%s: a list is wanted", what);
	return false;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static bool
is_name(const char *text, size_t most)
{
	size_t n = strlen(text);

	return n > 0 && n <= most && text[0] != '-' &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n &&
	    strspn(text, "0123456789") != n;
}

static void
node_run(struct ly *y, int id, void *obj)
{
	struct lab_node *n = obj;

	lab_parse_words(y, id, "run", &n->run);
}

static void
node_sysctl(struct ly *y, int id, void *obj)
{
	struct lab_node *n = obj;

	sysctl_map(y, id, &n->sysctl);
}

static void
node_forwarding(struct ly *y, int id, void *obj)
{
	struct lab_node *n = obj;
	bool on;

	if (ly_value(y, id, "forwarding", LY_BOOL, 0, 0, &on))
		n->forwarding = on ? LAB_ON : LAB_OFF;
}

static void
node_kind(struct ly *y, int id, void *obj)
{
	struct lab_node *n = obj;
	const char *kind;

	if (!ly_value(y, id, "kind", LY_STRING, 0, 0, &kind))
		return;
	if (strcmp(kind, "router") == 0 || strcmp(kind, "host") == 0) {
		if (n->forwarding == LAB_DEFAULT)
			n->forwarding = kind[0] == 'r' ? LAB_ON : LAB_OFF;
	} else if (strcmp(kind, "switch") == 0 || strcmp(kind, "bridge") == 0) {
		n->is_switch = true; /* containerlab says bridge */
		if (n->forwarding == LAB_DEFAULT)
			n->forwarding = LAB_OFF;
	} else {
		lab_words_add(y->lab, &y->lab->notes,
		    lab_printf(y->lab,
			"kind: %s has no meaning here (router, host, switch): every node is a stack",
			kind),
		    ly_line(y, id));
	}
}

static const struct ly_field node_fields[] = {
	{ "run", .type = LY_CUSTOM, .fn = node_run },
	{ "sysctl", .type = LY_CUSTOM, .fn = node_sysctl },
	{ "forwarding", .type = LY_CUSTOM, .fn = node_forwarding },
	{ "kind", .type = LY_CUSTOM, .fn = node_kind },
};

/*
 * Keys of containerlab's nodes that say what its containers are: named in the report, not refused.
 */
static bool
node_foreign(struct ly *y, const struct ly_pair *p, void *obj)
{
	static const char *const foreign[] = { "image", "type", "group", "startup-config",
		"license", "mgmt-ipv4", "mgmt-ipv6", "ports", "binds", "env", "env-files", "user",
		"entrypoint", "cmd", "labels", "exec", "memory", "cpu", "cpu-set", "position",
		"network-mode", "publish", "startup-delay", "wait-for", "image-pull-policy",
		"restart-policy", "runtime", "dns", "stages", "healthcheck", "extras", "config",
		"auto-remove", "sysctls", "aliases" };

	(void)obj;
	for (unsigned i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (strcmp(p->key, foreign[i]) == 0) {
			lab_words_add(y->lab, &y->lab->notes,
			    lab_printf(y->lab,
				"%s has no meaning here: a node is a stack, not a container",
				p->key),
			    ly_line(y, p->key_id));
			return true;
		}
	}
	return false;
}

static struct lab_node *
node_add(struct ly *y, int key_id, const char *name)
{
	struct lab *lab = y->lab;
	struct lab_node *n = lab_node_find(lab, name);

	if (!is_name(name, PRISON_NAME_MAX - 1)) {
		ly_fault(y, key_id,
		    "'%s' is no name for a node: letters, digits, _ and -, not only "
		    "digits, at most %d",
		    name, PRISON_NAME_MAX - 1);
		return NULL;
	}
	if (n != NULL) {
		ly_fault(y, key_id, "node '%s' is there twice (first on line %u)", name, n->line);
		return NULL;
	}
	if (lab->nnodes >= LAB_MAX_NODES) {
		if (lab->nnodes++ == LAB_MAX_NODES)
			ly_fault(y, key_id, "too many nodes: at most %d", LAB_MAX_NODES);
		return NULL;
	}
	n = lab_alloc(lab, sizeof(*n));
	n->name = name;
	n->line = ly_line(y, key_id);
	n->index = lab->nnodes++;
	STAILQ_INIT(&n->run);
	STAILQ_INIT(&n->sysctl);
	STAILQ_INIT(&n->ends);
	STAILQ_INSERT_TAIL(&lab->nodes, n, next);
	HASH_ADD_KEYPTR(hh, lab->node_by_name, n->name, strlen(n->name), n);
	return n;
}

static void
words_fill(struct lab *lab, struct lab_wordlist *to, const struct lab_wordlist *from, bool many,
    uint32_t i)
{
	const struct lab_words *w;

	STAILQ_FOREACH(w, from, next)
		lab_words_add(lab, to, many ? lab_range_fill(lab, w->text, i) : w->text, w->line);
}

static void
node_parse(struct ly *y, const struct ly_pair *p)
{
	struct lab_node model = {};
	struct lab_range r;

	STAILQ_INIT(&model.run);
	STAILQ_INIT(&model.sysctl);
	ly_map(y, p->value, lab_printf(y->lab, "node %s", p->key), node_fields,
	    sizeof(node_fields) / sizeof(node_fields[0]), &model, node_foreign);
	check_commands(y, &model.run);
	if (!lab_range_parse(y, p->key_id, lab_strdup(y->lab, p->key), &r))
		return;
	for (uint32_t i = 0; i < lab_range_len(&r); i++) {
		struct lab_node *n = node_add(y, p->key_id, lab_range_name(y->lab, &r, i));

		if (n == NULL)
			break;
		n->forwarding = model.forwarding;
		n->is_switch = model.is_switch;
		words_fill(y->lab, &n->run, &model.run, r.many, r.first + i);
		words_fill(y->lab, &n->sysctl, &model.sysctl, r.many, r.first + i);
	}
}

void
lab_parse_nodes(struct ly *y, int id, void *obj)
{
	size_t n;
	struct ly_pair *pair = ly_pairs(y, id, "nodes", &n);

	(void)obj;
	for (size_t i = 0; i < n; i++)
		node_parse(y, &pair[i]);
	free(pair);
}
