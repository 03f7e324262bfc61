/*
 * lab_parse_links.c - links: two endpoints, or two ranges of them, and a shape for both ways or for
 * one.
 */
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the shape of a link ---------------------------------------------------------------------- */

static bool
shape_value(struct ly *y, int id, enum lab_shape_key key, struct pipe_config *c)
{
	static const uint64_t hour = 3600 * NS_PER_SEC;
	uint64_t number;
	const char *text;

	switch (key) {
	case LAB_SHAPE_RATE:
		return ly_value(
		    y, id, "rate", LY_RATE, 1, UINT64_C(1000000000000000), &c->rate_bps);
	case LAB_SHAPE_DELAY:
		return ly_value(y, id, "delay", LY_DURATION, 0, hour, &c->delay_ns);
	case LAB_SHAPE_JITTER:
		return ly_value(y, id, "jitter", LY_DURATION, 0, hour, &c->jitter_ns);
	case LAB_SHAPE_LOSS:
		return ly_value(y, id, "loss", LY_PERCENT, 0, 0, &c->loss);
	case LAB_SHAPE_QUEUE:
		if (!ly_value(y, id, "queue", LY_STRING, 0, 0, &text))
			return false;
		if (verb_number(text, 1, 1000000, &number)) {
			c->queue_packets = (uint32_t)number;
			c->queue_bytes = 0;
			return true;
		}
		if (verb_size(text, &number) && number >= 64) {
			c->queue_bytes = number;
			c->queue_packets = 0;
			return true;
		}
		ly_fault(y, id,
		    "queue: '%s' is neither a number of packets (50; 1 to 1000000) nor a "
		    "size (64KiB; from 64B)",
		    text);
		return false;
	}
	return false;
}

static const struct {
	const char *name;
	enum lab_shape_key key;
} shape_keys[] = {
	{ "rate", LAB_SHAPE_RATE },
	{ "delay", LAB_SHAPE_DELAY },
	{ "jitter", LAB_SHAPE_JITTER },
	{ "loss", LAB_SHAPE_LOSS },
	{ "queue", LAB_SHAPE_QUEUE },
};

static void
shape_one(struct ly *y, int id, enum lab_shape_key key, struct lab_shape *s)
{
	if (shape_value(y, id, key, &s->c))
		s->keys |= key;
}

bool
lab_parse_shape_key(struct ly *y, const struct ly_pair *p, struct lab_shape shape[2])
{
	static const char *const up_down[] = { "up", "down" };
	struct ly_pair *pair;
	size_t n, k = 0;

	while (k < sizeof(shape_keys) / sizeof(shape_keys[0]) &&
	    strcmp(shape_keys[k].name, p->key) != 0)
		k++;
	if (k == sizeof(shape_keys) / sizeof(shape_keys[0]))
		return false;
	switch (ly_shape(y, p->value)) {
	case LY_SCALAR:
		if (shape_value(y, p->value, shape_keys[k].key, &shape[0].c)) {
			struct pipe_config *c = &shape[1].c;

			shape[0].keys |= shape_keys[k].key;
			shape[1].keys |= shape_keys[k].key;
			shape_value(y, p->value, shape_keys[k].key, c);
		}
		return true;
	case LY_LIST:
		if (ly_len(y, p->value) != 2) {
			ly_fault(y, p->value, "%s: a list is two values, one for each way", p->key);
			return true;
		}
		for (unsigned i = 0; i < 2; i++)
			shape_one(y, ly_item(y, p->value, i), shape_keys[k].key, &shape[i]);
		return true;
	case LY_MAP:
		break;
	}
	pair = ly_pairs(y, p->value, p->key, &n);
	for (size_t i = 0; i < n; i++) {
		unsigned way = 0;

		while (way < 2 && strcmp(pair[i].key, up_down[way]) != 0)
			way++;
		if (way < 2)
			shape_one(y, pair[i].value, shape_keys[k].key, &shape[way]);
		else
			ly_fault(y, pair[i].key_id,
			    "%s: '%s' is no way of a link: up (from the first "
			    "endpoint) or down (to it)",
			    p->key, pair[i].key);
	}
	free(pair);
	return true;
}

/* --- links ------------------------------------------------------------------------------------ */

/* A link as one entry of the file says it: two ranges of endpoints, and a shape. */
struct link_entry {
	struct lab *lab;
	int ends_id[2];
	const char *ends[2];
	uint64_t mtu;
	struct lab_shape shape[2];
	const char *shaper[2]; /* words of a pipe of the end's stack, by way */
	/* addresses of the two ends, or, the first alone, of the end that is at no switch */
	struct {
		const char *text[2];
		int id[2];
	} net[LAB_FAMILIES];
	struct ly_pair *ways; /* "a->b" keys: looked at when the endpoints are known */
	size_t nways;
};

static void
link_endpoints(struct ly *y, int id, void *obj)
{
	struct link_entry *le = obj;

	if (ly_shape(y, id) != LY_LIST || ly_len(y, id) != 2) {
		ly_fault(y, id, "endpoints: a list of two is wanted: [\"a:eth0\", \"b:eth0\"]");
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		le->ends_id[i] = ly_item(y, id, i);
		ly_value(y, le->ends_id[i], "endpoints", LY_STRING, 0, 0, &le->ends[i]);
	}
}

static const struct {
	const char *key, *example;
	int af;
} net_keys[LAB_FAMILIES] = {
	[LAB_INET] = { "ipv4", "[10.0.0.1/30, 10.0.0.2/30]", AF_INET },
	[LAB_INET6] = { "ipv6", "[2001:db8::1/64, 2001:db8::2/64]", AF_INET6 },
};

static void
link_net(struct ly *y, int id, struct link_entry *le, unsigned family)
{
	const char *key = net_keys[family].key;

	if (ly_shape(y, id) == LY_SCALAR) {
		le->net[family].id[0] = id;
		ly_value(y, id, key, LY_STRING, 0, 0, &le->net[family].text[0]);
		return;
	}
	if (ly_shape(y, id) != LY_LIST || ly_len(y, id) != 2) {
		ly_fault(y, id, "%s: a list of two is wanted: %s", key, net_keys[family].example);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		le->net[family].id[i] = ly_item(y, id, i);
		ly_value(y, le->net[family].id[i], key, LY_STRING, 0, 0, &le->net[family].text[i]);
	}
}

static void
link_ipv4(struct ly *y, int id, void *obj)
{
	link_net(y, id, obj, LAB_INET);
}

static void
link_ipv6(struct ly *y, int id, void *obj)
{
	link_net(y, id, obj, LAB_INET6);
}

/* The pipe of a link is a FIFO: the type would be that of queues that nobody can fill. */
static void
shaper_check(struct ly *y, int id, const char *words)
{
	const char *at = words != NULL ? words + strspn(words, " ") : "";

	for (; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " "))
		if (strncmp(at, "type ", 5) == 0)
			ly_fault(y, id,
			    "shaper: 'type' is for queues; red, codel or pie keep a link's short");
}

static void
link_shaper(struct ly *y, int id, void *obj)
{
	static const struct ly_field ways[] = {
		{ "up", LY_STRING, offsetof(struct link_entry, shaper[0]), 0, 0, NULL },
		{ "down", LY_STRING, offsetof(struct link_entry, shaper[1]), 0, 0, NULL },
	};
	struct link_entry *le = obj;

	if (ly_shape(y, id) == LY_MAP) {
		ly_map(y, id, "shaper", ways, 2, le, NULL);
		for (unsigned i = 0; i < 2; i++)
			shaper_check(y, id, le->shaper[i]);
		return;
	}
	if (ly_shape(y, id) == LY_LIST && ly_len(y, id) != 2) {
		ly_fault(y, id, "shaper: a list is two texts, one for each way");
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		const int item = ly_shape(y, id) == LY_LIST ? ly_item(y, id, i) : id;

		ly_value(y, item, "shaper", LY_STRING, 0, 0, &le->shaper[i]);
		if (i == 0 || item != id)
			shaper_check(y, item, le->shaper[i]);
	}
}

static const struct ly_field link_fields[] = {
	{ "endpoints", .type = LY_CUSTOM, .fn = link_endpoints },
	{ "mtu", LY_COUNT, offsetof(struct link_entry, mtu), 72, 65535, NULL },
	{ "ipv4", .type = LY_CUSTOM, .fn = link_ipv4 },
	{ "ipv6", .type = LY_CUSTOM, .fn = link_ipv6 },
	{ "shaper", .type = LY_CUSTOM, .fn = link_shaper },
	/* Read through lab_parse_shape_key; here for "did you mean". */
	{ "rate", .type = LY_CUSTOM },
	{ "delay", .type = LY_CUSTOM },
	{ "jitter", .type = LY_CUSTOM },
	{ "loss", .type = LY_CUSTOM },
	{ "queue", .type = LY_CUSTOM },
};
enum { LINK_OWN_FIELDS = 5, LINK_FIELDS = sizeof(link_fields) / sizeof(link_fields[0]) };

static void
unknown_link_key(struct ly *y, const struct ly_pair *p, const char *what)
{
	const char *known[LINK_FIELDS], *nearest;

	for (unsigned i = 0; i < LINK_FIELDS; i++)
		known[i] = link_fields[i].key;
	nearest = ly_nearest(p->key, known, LINK_FIELDS);
	ly_fault(y, p->key_id, "%s: unknown key '%s'%s%s%s", what, p->key,
	    nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
	    nearest != NULL ? "'?" : "");
}

static bool
link_other(struct ly *y, const struct ly_pair *p, void *obj)
{
	struct link_entry *le = obj;

	if (lab_parse_shape_key(y, p, le->shape))
		return true;
	if (strstr(p->key, "->") != NULL) {
		struct ly_pair *w = reallocarray(le->ways, le->nways + 1, sizeof(*w));

		if (w != NULL) {
			le->ways = w;
			w[le->nways++] = *p;
		}
		return true;
	}
	/* containerlab's extended form: what its containers are told about a link. */
	if (strcmp(p->key, "vars") == 0 || strcmp(p->key, "labels") == 0) {
		lab_words_add(y->lab, &y->lab->notes,
		    lab_printf(y->lab, "%s of a link has no meaning here", p->key),
		    ly_line(y, p->key_id));
		return true;
	}
	unknown_link_key(y, p, "link");
	return true;
}

/* "wan" of "gw:wan" -> the node's name is cut off; false with a fault when it has no such form. */
static bool
end_split(struct ly *y, int id, const char *text, const char **node, const char **ifname)
{
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0' || strchr(colon + 1, ':') != NULL) {
		ly_fault(y, id, "endpoint '%s': write it as NODE:INTERFACE", text);
		return false;
	}
	*node = lab_printf(y->lab, "%.*s", (int)(colon - text), text);
	*ifname = colon + 1;
	if (strlen(*ifname) >= IFNAMSIZ_ ||
	    strspn(*ifname, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		strlen(*ifname)) {
		ly_fault(y, id,
		    "endpoint '%s': '%s' is no interface name: letters, digits, _ . -, at most %d",
		    text, *ifname, IFNAMSIZ_ - 1);
		return false;
	}
	return true;
}

static bool
end_attach(struct ly *y, int id, const char *text, struct lab_end *e)
{
	const char *node, *ifname;
	struct lab_end *other = lab_end_find(y->lab, text);

	if (!end_split(y, id, text, &node, &ifname))
		return false;
	e->node = lab_node_find(y->lab, node);
	if (e->node == NULL && (strcmp(node, "host") == 0 || strcmp(node, "mgmt-net") == 0)) {
		ly_fault(y, id,
		    "endpoint '%s': a link to the machine itself is not possible in a lab", text);
		return false;
	}
	if (e->node == NULL) {
		struct lab_node *n;
		const char *near = NULL, *one;

		STAILQ_FOREACH(n, &y->lab->nodes, next)
			if (near == NULL && (one = n->name) != NULL)
				near = ly_nearest(node, &one, 1);
		ly_fault(y, id, "a link to nowhere: there is no node '%s'%s%s%s", node,
		    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
		    near != NULL ? "'?" : "");
		return false;
	}
	if (other != NULL) {
		ly_fault(y, id, "endpoint '%s' is used twice (first on line %u)", text,
		    other->link->line);
		return false;
	}
	if (strcmp(ifname, "lo0") == 0) {
		ly_fault(y, id, "endpoint '%s': lo0 is the stack's own", text);
		return false;
	}
	e->name = text;
	e->ifname = ifname;
	return true;
}

/* Which way does "a->b" mean? Names of nodes or of endpoints. -1 = none of this link. */
static int
way_of(struct lab_link *l, const char *key, const char **from, const char **to)
{
	const char *arrow = strstr(key, "->");
	size_t n = (size_t)(arrow - key);

	while (n > 0 && key[n - 1] == ' ')
		n--;
	arrow += 2;
	while (*arrow == ' ')
		arrow++;
	*from = key;
	*to = arrow;
	for (int way = 0; way < 2; way++) {
		const struct lab_end *a = &l->end[way], *b = &l->end[1 - way];

		if (((strlen(a->node->name) == n && strncmp(a->node->name, key, n) == 0) ||
			(strlen(a->name) == n && strncmp(a->name, key, n) == 0)) &&
		    (strcmp(b->node->name, arrow) == 0 || strcmp(b->name, arrow) == 0))
			return way;
	}
	return -1;
}

static void
link_ways(struct ly *y, const struct link_entry *le, struct lab_link *l)
{
	for (size_t w = 0; w < le->nways; w++) {
		const char *from, *to;
		int way = way_of(l, le->ways[w].key, &from, &to);
		struct lab_shape both[2] = {};
		struct ly_pair *pair;
		size_t n;

		if (way < 0) {
			ly_fault(y, le->ways[w].key_id,
			    "'%s' is no way of this link: '%s->%s' is one", le->ways[w].key,
			    l->end[0].node->name, l->end[1].node->name);
			continue;
		}
		both[0] = both[1] = l->end[way].shape;
		pair = ly_pairs(y, le->ways[w].value, le->ways[w].key, &n);
		for (size_t i = 0; i < n; i++) {
			if (ly_shape(y, pair[i].value) != LY_SCALAR)
				ly_fault(y, pair[i].value, "%s: one value is wanted in one way",
				    pair[i].key);
			else if (!lab_parse_shape_key(y, &pair[i], both))
				unknown_link_key(y, &pair[i], le->ways[w].key);
		}
		free(pair);
		l->end[way].shape = both[0];
	}
}

static void
end_finish(struct lab *lab, struct lab_link *l, unsigned side, const struct lab_shape *shape)
{
	struct lab_end *e = &l->end[side];

	e->link = l;
	e->shape = *shape;
	STAILQ_INIT(&e->phases);
	STAILQ_INSERT_TAIL(&e->node->ends, e, of_node);
	e->node->nends++;
	HASH_ADD_KEYPTR(hh, lab->end_by_name, e->name, strlen(e->name), e);
}

/* A pipe of the end's own stack stands in its way out: commands of the node, behind its own. */
static void
end_shaper(struct lab *lab, const struct lab_end *e, const char *words)
{
	const unsigned number = LAB_SHAPER_FIRST + e->node->nends - 1;

	lab_words_add(lab, &e->node->run, lab_printf(lab, "dnctl pipe %u config %s", number, words),
	    e->link->line);
	lab_words_add(lab, &e->node->run, lab_printf(lab, "ifconfig %s pipe %u", e->ifname, number),
	    e->link->line);
}

/* Addresses of a family as the entry says them: of both ends, or of the one that is at no switch. */
static void
link_addresses(struct ly *y, const struct link_entry *le, struct lab_link *l, unsigned f)
{
	const bool is_one = le->net[f].text[0] != NULL && le->net[f].text[1] == NULL;
	const bool at_switch = l->end[0].node->is_switch || l->end[1].node->is_switch;

	if (le->net[f].text[0] == NULL)
		return;
	if (is_one != at_switch || (l->end[0].node->is_switch && l->end[1].node->is_switch)) {
		ly_fault(y, le->net[f].id[0],
		    at_switch ? "%s: a switch has no address: one is wanted, of the other end" :
				"%s: a list of two is wanted: %s",
		    net_keys[f].key, net_keys[f].example);
		return;
	}
	for (unsigned i = 0; i < (is_one ? 1 : 2); i++)
		lab_parse_net(y, le->net[f].id[i], net_keys[f].key, net_keys[f].af,
		    le->net[f].text[i], &l->end[is_one ? l->end[0].node->is_switch : i].net[f]);
}

static bool
link_add(struct ly *y, int id, const struct link_entry *le, const char *const name[2], bool first)
{
	struct lab *lab = y->lab;
	struct lab_link *l;

	if (lab->nlinks >= LAB_MAX_LINKS) {
		ly_fault(y, id, "too many links: at most %d", LAB_MAX_LINKS);
		return false;
	}
	l = lab_alloc(lab, sizeof(*l));
	l->line = ly_line(y, id);
	l->mtu = (uint32_t)le->mtu;
	l->index = lab->nlinks;
	for (unsigned i = 0; i < 2; i++) {
		if (!end_attach(y, le->ends_id[i], name[i], &l->end[i]))
			return false;
		l->end[i].link = l;
	}
	if (strcmp(l->end[0].name, l->end[1].name) == 0) {
		ly_fault(y, le->ends_id[1],
		    "endpoint '%s' is used twice: at both ends of this link", name[1]);
		return false;
	}
	for (unsigned i = 0; i < 2; i++) {
		end_finish(lab, l, i, &le->shape[i]);
		if (le->shaper[i] != NULL)
			end_shaper(lab, &l->end[i], le->shaper[i]);
	}
	for (unsigned f = 0; f < LAB_FAMILIES; f++)
		link_addresses(y, le, l, f);
	if (first)
		link_ways(y, le, l);
	lab->nlinks++;
	STAILQ_INSERT_TAIL(&lab->links, l, next);
	return true;
}

/* A key that makes sense for one link only; NULL = none was given. */
static const char *
link_single_key(const struct link_entry *le)
{
	if (le->nways > 0)
		return le->ways[0].key;
	for (unsigned f = 0; f < LAB_FAMILIES; f++)
		if (le->net[f].text[0] != NULL)
			return net_keys[f].key;
	return NULL;
}

static void
link_parse(struct ly *y, int id)
{
	struct lab *lab = y->lab;
	struct link_entry le = { .lab = lab, .shape = { lab->link_shape[0], lab->link_shape[1] } };
	struct lab_range r[2];
	const char *only_one;

	ly_map(y, id, "link", link_fields, LINK_OWN_FIELDS, &le, link_other);
	if (le.ends[0] == NULL || le.ends[1] == NULL) {
		if (le.ends_id[0] == 0)
			ly_fault(y, id, "link: 'endpoints' is missing");
	} else if (lab_range_parse(y, le.ends_id[0], le.ends[0], &r[0]) &&
	    lab_range_parse(y, le.ends_id[1], le.ends[1], &r[1])) {
		uint32_t n[2] = { lab_range_len(&r[0]), lab_range_len(&r[1]) };
		uint32_t most = n[0] > n[1] ? n[0] : n[1];

		if (n[0] != n[1] && n[0] != 1 && n[1] != 1) {
			ly_fault(y, id,
			    "ranges of %" PRIu32 " and of %" PRIu32 " don't go together", n[0],
			    n[1]);
			most = 0;
		}
		if (most > 1 && (only_one = link_single_key(&le)) != NULL) {
			ly_fault(y, id, "a range of links takes no '%s'", only_one);
			most = 0;
		}
		for (uint32_t i = 0; i < most; i++) {
			/* A single end beside a range takes {i}: ["hub:p{i}", "leaf[1-8]:up"]. */
			uint32_t number = (n[0] > 1 ? r[0].first : r[1].first) + i;
			const char *name[2];

			for (unsigned e = 0; e < 2; e++)
				name[e] = n[e] > 1 ?
				    lab_range_name(lab, &r[e], i) :
				    lab_range_fill(lab, lab_range_name(lab, &r[e], 0), number);
			if (!link_add(y, id, &le, name, i == 0))
				break;
		}
	}
	free(le.ways);
}

void
lab_parse_links(struct ly *y, int id, void *obj)
{
	(void)obj;
	if (ly_shape(y, id) != LY_LIST) {
		ly_fault(y, id, "links: a list is wanted");
		return;
	}
	for (size_t i = 0; i < ly_len(y, id); i++)
		link_parse(y, ly_item(y, id, i));
}
