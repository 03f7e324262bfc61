/*
 * lab_file.c - a lab file as a whole: read it, its top keys, the order in which the rest is read.
 *
 * Things refer to each other by name (a link to nodes, traffic to endpoints, expectations to all of
 * them), and a file may say them in any order: so the top keys' places are noted first, and read in
 * the order in which they build on each other.
 */
#include "inet/in.h"
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the top keys' values are; 0 = not there. */
struct top {
	const char *name;
	uint64_t seed, for_ns;
	int nodes, links, traffic, timeline, capture, expect, sysctl, tunables, addresses, routes,
	    defaults;
};

#define TOP_PLACE(key)                                                                             \
	static void top_##key(struct ly *y, int id, void *obj)                                     \
	{                                                                                          \
		(void)y;                                                                           \
		((struct top *)obj)->key = id;                                                     \
	}
TOP_PLACE(nodes)
TOP_PLACE(links)
TOP_PLACE(traffic)
TOP_PLACE(timeline)
TOP_PLACE(capture)
TOP_PLACE(expect)
TOP_PLACE(sysctl)
TOP_PLACE(tunables)
TOP_PLACE(addresses)
TOP_PLACE(routes)
TOP_PLACE(defaults)

static bool
topology_other(struct ly *y, const struct ly_pair *p, void *obj)
{
	(void)obj;
	if (strcmp(p->key, "kinds") != 0 && strcmp(p->key, "defaults") != 0 &&
	    strcmp(p->key, "groups") != 0)
		return false;
	lab_words_add(y->lab, &y->lab->notes,
	    lab_printf(y->lab,
		"topology.%s has no meaning here: a node is a stack, not a container", p->key),
	    ly_line(y, p->key_id));
	return true;
}

/* containerlab's form: nodes and links one level deeper. */
static void
top_topology(struct ly *y, int id, void *obj)
{
	static const struct ly_field fields[] = {
		{ "nodes", .type = LY_CUSTOM, .fn = top_nodes },
		{ "links", .type = LY_CUSTOM, .fn = top_links },
	};
	struct top *t = obj, inner = *t;

	ly_map(y, id, "topology", fields, 2, &inner, topology_other);
	if ((inner.nodes != t->nodes && t->nodes != 0) ||
	    (inner.links != t->links && t->links != 0))
		ly_fault(y, id, "nodes and links stand either at the top or below 'topology'");
	t->nodes = inner.nodes;
	t->links = inner.links;
}

static const struct ly_field top_fields[] = {
	{ "name", LY_STRING, offsetof(struct top, name), 0, 0, NULL },
	{ "seed", LY_COUNT, offsetof(struct top, seed), 1, UINT64_MAX, NULL },
	{ "for", LY_DURATION, offsetof(struct top, for_ns), 1,
	    UINT64_C(1000000) * 3600 * NS_PER_SEC, NULL },
	{ "nodes", .type = LY_CUSTOM, .fn = top_nodes },
	{ "links", .type = LY_CUSTOM, .fn = top_links },
	{ "topology", .type = LY_CUSTOM, .fn = top_topology },
	{ "defaults", .type = LY_CUSTOM, .fn = top_defaults },
	{ "addresses", .type = LY_CUSTOM, .fn = top_addresses },
	{ "routes", .type = LY_CUSTOM, .fn = top_routes },
	{ "sysctl", .type = LY_CUSTOM, .fn = top_sysctl },
	{ "tunables", .type = LY_CUSTOM, .fn = top_tunables },
	{ "traffic", .type = LY_CUSTOM, .fn = top_traffic },
	{ "timeline", .type = LY_CUSTOM, .fn = top_timeline },
	{ "capture", .type = LY_CUSTOM, .fn = top_capture },
	{ "expect", .type = LY_CUSTOM, .fn = top_expect },
};

/* containerlab's top keys without a meaning here. */
static bool
top_other(struct ly *y, const struct ly_pair *p, void *obj)
{
	static const char *const foreign[] = { "prefix", "mgmt", "debug" };

	(void)obj;
	for (unsigned i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (strcmp(p->key, foreign[i]) == 0) {
			lab_words_add(y->lab, &y->lab->notes,
			    lab_printf(y->lab,
				"%s has no meaning here: there is no management network", p->key),
			    ly_line(y, p->key_id));
			return true;
		}
	}
	return false;
}

/*
 * A mapping of names and values -> "name=value" words; also as the array that process_start takes.
 */
static void
read_assignments(struct ly *y, int id, const char *what, struct lab_wordlist *list)
{
	size_t n;
	struct ly_pair *pair = ly_pairs(y, id, what, &n);

	for (size_t i = 0; i < n; i++) {
		const char *value;

		if (ly_value(y, pair[i].value, pair[i].key, LY_STRING, 0, 0, &value))
			lab_words_add(y->lab, list, lab_printf(y->lab, "%s=%s", pair[i].key, value),
			    ly_line(y, pair[i].key_id));
	}
	free(pair);
}

static void
read_tunables(struct ly *y, int id)
{
	struct lab *lab = y->lab;
	const struct lab_words *w;
	size_t i = 0;

	read_assignments(y, id, "tunables", &lab->tunable_words);
	STAILQ_FOREACH(w, &lab->tunable_words, next)
		lab->ntunables++;
	lab->tunables = lab_alloc(lab, (lab->ntunables + 1) * sizeof(char *));
	STAILQ_FOREACH(w, &lab->tunable_words, next)
		lab->tunables[i++] = w->text;
}

/*
 * addresses: manual; a word for the families that get them, from 10.0.0.0/8 and 2001:db8::/32; or
 * the networks to take them from.
 */
static void
address_word(struct ly *y, int id, const char *text)
{
	static const struct {
		const char *word;
		bool has[LAB_FAMILIES];
	} words[] = {
		{ "auto", { true, false } },
		{ "ipv4", { true, false } },
		{ "ipv6", { false, true } },
		{ "dual", { true, true } },
	};
	static const char *const pools[LAB_FAMILIES] = { "10.0.0.0/8", "2001:db8::/32" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].word) != 0)
			continue;
		for (unsigned family = 0; family < LAB_FAMILIES; family++)
			if (words[i].has[family])
				lab_address_pool(y, id, pools[family]);
		return;
	}
	lab_address_pool(y, id, text);
}

static void
read_addresses(struct ly *y, int id)
{
	const char *text;

	if (ly_shape(y, id) == LY_LIST) {
		for (size_t i = 0; i < ly_len(y, id); i++)
			if (ly_value(y, ly_item(y, id, i), "addresses", LY_STRING, 0, 0, &text))
				address_word(y, ly_item(y, id, i), text);
	} else if (!ly_value(y, id, "addresses", LY_STRING, 0, 0, &text) ||
	    strcmp(text, "manual") == 0) {
		return;
	} else {
		address_word(y, id, text);
	}
	y->lab->auto_routes = true;
}

static void
read_routes(struct ly *y, int id)
{
	const char *text;

	if (!ly_value(y, id, "routes", LY_STRING, 0, 0, &text))
		return;
	if (strcmp(text, "auto") == 0 || strcmp(text, "manual") == 0)
		y->lab->auto_routes = text[0] == 'a';
	else
		ly_fault(y, id, "routes: '%s' is neither auto nor manual", text);
}

static bool
default_link_key(struct ly *y, const struct ly_pair *p, void *obj)
{
	(void)obj;
	return lab_parse_shape_key(y, p, y->lab->link_shape);
}

static void
default_link(struct ly *y, int id, void *obj)
{
	static const struct ly_field keys[] = {
		{ "rate", .type = LY_CUSTOM },
		{ "delay", .type = LY_CUSTOM },
		{ "jitter", .type = LY_CUSTOM },
		{ "loss", .type = LY_CUSTOM },
		{ "queue", .type = LY_CUSTOM },
	};
	size_t n;
	struct ly_pair *pair = ly_pairs(y, id, "defaults.link", &n);

	for (size_t i = 0; i < n; i++) {
		const char *known[5], *near;

		if (default_link_key(y, &pair[i], obj))
			continue;
		for (unsigned k = 0; k < 5; k++)
			known[k] = keys[k].key;
		near = ly_nearest(pair[i].key, known, 5);
		ly_fault(y, pair[i].key_id, "defaults.link: unknown key '%s'%s%s%s", pair[i].key,
		    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
		    near != NULL ? "'?" : "");
	}
	free(pair);
}

static void
read_defaults(struct ly *y, int id)
{
	static const struct ly_field fields[] = { { "link", .type = LY_CUSTOM,
	    .fn = default_link } };

	ly_map(y, id, "defaults", fields, 1, y->lab, NULL);
}

/* The file's name without folders and endings: what a lab without a name is called. */
static const char *
name_of_file(struct lab *lab, const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash != NULL ? slash + 1 : file;
	size_t n = strcspn(base, ".");

	return n > 0 ? lab_printf(lab, "%.*s", (int)n, base) : "lab";
}

static const char *
folder_of_file(struct lab *lab, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (slash == NULL)
		return "";
	return slash == file ? "/" : lab_printf(lab, "%.*s", (int)(slash - file), file);
}

/* It becomes the name of a folder. */
static void
check_name(struct ly *y, int id, const char *name)
{
	if (strlen(name) > 64 || name[0] == '.' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		strlen(name))
		ly_fault(y, id,
		    "name: '%s' must do as a file's name: letters, digits, _ . -, at most 64",
		    name);
}

static void
read_top(struct ly *y)
{
	struct lab *lab = y->lab;
	struct top t = {};

	ly_map(y, ly_root(y), "lab", top_fields, sizeof(top_fields) / sizeof(top_fields[0]), &t,
	    top_other);
	lab->name = t.name != NULL ? t.name : name_of_file(lab, y->file);
	if (t.name != NULL)
		check_name(y, ly_root(y), t.name);
	lab->seed = t.seed;
	lab->for_ns = t.for_ns;
	if (t.tunables != 0)
		read_tunables(y, t.tunables);
	if (t.sysctl != 0)
		read_assignments(y, t.sysctl, "sysctl", &lab->sysctl);
	if (t.defaults != 0)
		read_defaults(y, t.defaults);
	if (t.addresses != 0)
		read_addresses(y, t.addresses);
	if (t.routes != 0)
		read_routes(y, t.routes);
	if (t.nodes != 0)
		lab_parse_nodes(y, t.nodes, lab);
	else
		ly_fault(y, ly_root(y), "lab: 'nodes' is missing");
	if (t.links != 0)
		lab_parse_links(y, t.links, lab);
	lab_address_assign(y, lab);
	if (t.traffic != 0)
		lab_parse_flows(y, t.traffic, lab);
	if (t.timeline != 0)
		lab_parse_events(y, t.timeline, lab);
	if (t.capture != 0)
		lab_parse_captures(y, t.capture, lab);
	if (t.expect != 0)
		lab_parse_expects(y, t.expect, lab);
	if (y->nfaults == 0)
		lab_parse_ends(y, lab);
}

static struct lab *
lab_new(const char *file)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	if (lab == NULL)
		return NULL;
	STAILQ_INIT(&lab->nodes);
	STAILQ_INIT(&lab->links);
	STAILQ_INIT(&lab->flows);
	STAILQ_INIT(&lab->events);
	STAILQ_INIT(&lab->captures);
	STAILQ_INIT(&lab->expects);
	STAILQ_INIT(&lab->notes);
	STAILQ_INIT(&lab->sysctl);
	STAILQ_INIT(&lab->tunable_words);
	STAILQ_INIT(&lab->execs);
	STAILQ_INIT(&lab->diffs);
	STAILQ_INIT(&lab->series);
	lab->tunables = lab_alloc(lab, sizeof(char *));
	lab->file = lab_strdup(lab, file);
	lab->folder = folder_of_file(lab, file);
	return lab;
}

struct lab *
lab_parse_text(const char *name, const char *text, size_t len, char **why)
{
	struct lab *lab = lab_new(name);
	struct ly y;

	if (why != NULL)
		*why = NULL;
	if (lab == NULL)
		return NULL;
	if (ly_load(&y, lab, name, text, len)) {
		if (ly_shape(&y, ly_root(&y)) != LY_MAP)
			ly_fault(&y, ly_root(&y), "a lab is a mapping: name, nodes, links …");
		else
			read_top(&y);
	}
	if (y.nfaults > 0) {
		if (why != NULL)
			*why = ly_faults(&y);
		lab_free(lab);
		lab = NULL;
	}
	ly_free(&y);
	return lab;
}

/*
 * The whole file, malloc'd; NULL with errno. One byte more than the limit is enough to see that it
 * is passed.
 */
static char *
read_file(const char *file, size_t *len)
{
	FILE *in = fopen(file, "re");
	char *text;

	if (in == NULL)
		return NULL;
	text = malloc((size_t)LY_MAX_BYTES + 1);
	if (text != NULL) {
		*len = fread(text, 1, (size_t)LY_MAX_BYTES + 1, in);
		if (ferror(in)) {
			free(text);
			text = NULL;
		}
	}
	fclose(in);
	return text;
}

struct lab *
lab_parse_file(const char *file, char **why)
{
	struct lab *lab;
	size_t len = 0;
	char *text = read_file(file, &len);

	if (text == NULL) {
		if (why != NULL && asprintf(why, "%s: %s", file, strerror(errno)) < 0)
			*why = NULL;
		return NULL;
	}
	lab = lab_parse_text(file, text, len, why);
	free(text);
	return lab;
}

const char *
lab_name(const struct lab *lab)
{
	return lab->name;
}

const char *const *
lab_tunables(const struct lab *lab)
{
	return lab->tunables;
}

uint64_t
lab_seed(const struct lab *lab)
{
	return lab->seed;
}
