/*
 * in6_policy.c - the policy table of address selection (RFC 6724 2.1), and the tool ip6addrctl.
 *
 * Each stack begins with the RFC's default table. The first change makes one of its own; each
 * change is a new table beside the old one, which goes behind its readers.
 */
#include "inet6/in6_policy.h"

#include "base/rcu.h"
#include "kern/jail.h"
#include "kern/sysctl.h"
#include "kern/verb.h"
#include "route/route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
	struct rcu_head rcu;
	uint32_t n, room;
	struct in6_policy row[];
};

enum { DEFAULT_ROWS = 9 };

/* RFC 6724 2.1, in its order; filled in when the stack starts. */
static const struct {
	struct in6 prefix;
	uint8_t plen, precedence, label;
} defaults[DEFAULT_ROWS] = {
	{ { .b = { [15] = 1 } }, 128, 50, 0 },
	{ { .b = { 0 } }, 0, 40, 1 },
	{ { .b = { [10] = 0xff, [11] = 0xff } }, 96, 35, 4 },
	{ { .b = { 0x20, 0x02 } }, 16, 30, 2 },
	{ { .b = { 0x20, 0x01 } }, 32, 5, 5 },
	{ { .b = { 0xfc } }, 7, 3, 13 },
	{ { .b = { 0 } }, 96, 1, 3 },
	{ { .b = { 0xfe, 0xc0 } }, 10, 1, 11 },
	{ { .b = { 0x3f, 0xfe } }, 16, 1, 12 },
};
VNET_DEFINE_STATIC(struct in6_policy, policy_default[DEFAULT_ROWS]);
VNET_DEFINE_STATIC(struct table *, policy_table); /* NULL = the default one */

VNET_DEFINE_STATIC(uint32_t, policy_max) = 256;
SYSCTL_VNET_UINT(net_inet6_ip6_addrctl_max, "net.inet6.ip6.addrctl_max", SYSCTL_RW, policy_max, 1,
    1 << 16, "rows of the policy table of address selection (ip6addrctl)");

/* --- look-up ------------------------------------------------------------- */

static uint32_t
rows(struct in6_policy **row)
{
	struct table *t = rcu_deref(&VNET(policy_table));

	*row = t == NULL ? VNET(policy_default) : t->row;
	return t == NULL ? DEFAULT_ROWS : t->n;
}

const struct in6_policy *
in6_policy_of(const struct in6 *addr)
{
	struct in6_policy *row, *best = NULL;
	struct in6 bare = *addr;
	uint64_t hi, lo;
	uint32_t n = rows(&row);

	in6_clear(&bare);
	hi = load64(bare.b);
	lo = load64(bare.b + 8);
	for (uint32_t i = 0; i < n; i++)
		if ((((hi ^ row[i].key[0]) & row[i].mask[0]) |
			((lo ^ row[i].key[1]) & row[i].mask[1])) == 0 &&
		    (best == NULL || row[i].plen > best->plen))
			best = &row[i];
	if (best != NULL)
		best->use++;
	return best;
}

/* --- change -------------------------------------------------------------- */

static struct in6_policy
row_make(const struct in6 *prefix, unsigned plen, uint32_t precedence, uint32_t label)
{
	struct in6 ones, key = in6_mask(prefix, plen), mask;

	memset(&ones, 0xff, sizeof(ones));
	mask = in6_mask(&ones, plen);
	return (struct in6_policy){
		.key = { load64(key.b), load64(key.b + 8) },
		.mask = { load64(mask.b), load64(mask.b + 8) },
		.precedence = precedence,
		.label = label,
		.plen = (uint8_t)plen,
	};
}

static struct in6
row_prefix(const struct in6_policy *row)
{
	struct in6 prefix;

	store64(prefix.b, row->key[0]);
	store64(prefix.b + 8, row->key[1]);
	return prefix;
}

static bool
same_prefix(const struct in6_policy *a, const struct in6_policy *b)
{
	return a->plen == b->plen && a->key[0] == b->key[0] && a->key[1] == b->key[1];
}

static void
table_free_late(struct rcu_head *head)
{
	vnet_free(head); /* first in its block */
}

static void
table_publish(struct table *t)
{
	struct table *old = VNET(policy_table);

	rcu_publish(&VNET(policy_table), t);
	if (old != NULL)
		rcu_call(&old->rcu, table_free_late);
}

/* An empty one; NULL without memory. */
static struct table *
table_new(uint32_t room)
{
	struct table *t = vnet_malloc(sizeof(*t) + room * sizeof(t->row[0]));

	if (t != NULL)
		t->room = room;
	return t;
}

/* With one row more, or without `but`: the present rows beside the present table. */
static struct table *
table_copy(uint32_t more, const struct in6_policy *but)
{
	struct in6_policy *row;
	uint32_t n = rows(&row);
	struct table *t = table_new(n + more);

	for (uint32_t i = 0; t != NULL && i < n; i++)
		if (&row[i] != but)
			t->row[t->n++] = row[i];
	return t;
}

/* t without the room that it has too much; as it is if there is no memory. Takes t. */
static struct table *
table_fit(struct table *t)
{
	struct table *fit = table_new(t->n);

	if (fit == NULL)
		return t;
	memcpy(fit->row, t->row, t->n * sizeof(t->row[0]));
	fit->n = t->n;
	vnet_free(t);
	return fit;
}

static struct in6_policy *
row_find(struct in6_policy *row, uint32_t n, const struct in6_policy *wanted)
{
	for (uint32_t i = 0; i < n; i++)
		if (same_prefix(&row[i], wanted))
			return &row[i];
	return NULL;
}

static int
table_add(struct table *t, const struct in6_policy *new)
{
	if (row_find(t->row, t->n, new) != NULL)
		return -EEXIST;
	if (t->n == t->room || t->n >= VNET(policy_max))
		return -ENOBUFS;
	t->row[t->n++] = *new;
	return 0;
}

static int
policy_add(const struct in6_policy *new)
{
	struct table *t = table_copy(1, NULL);
	int error = t == NULL ? -ENOMEM : table_add(t, new);

	if (error == 0)
		table_publish(t);
	else
		vnet_free(t);
	return error;
}

static int
policy_delete(const struct in6_policy *wanted)
{
	struct in6_policy *row, *found;
	uint32_t n = rows(&row);
	struct table *t;

	if ((found = row_find(row, n, wanted)) == NULL)
		return -ESRCH;
	if ((t = table_copy(0, found)) == NULL)
		return -ENOMEM;
	table_publish(t);
	return 0;
}

static void
policy_init(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < DEFAULT_ROWS; i++)
		VNET(policy_default)
	[i] = row_make(
	    &defaults[i].prefix, defaults[i].plen, defaults[i].precedence, defaults[i].label);
}
VNET_SYSINIT(in6_policy, SI_SUB_INET6, SI_ORDER_FIRST, policy_init, NULL);

static void
policy_uninit(void *arg)
{
	(void)arg;
	table_publish(NULL);
}
VNET_SYSUNINIT(in6_policy, SI_SUB_INET6, SI_ORDER_FIRST, policy_uninit, NULL);

/* --- the tool ------------------------------------------------------------ */

/* PREFIX [PRECEDENCE LABEL]; where says the line of a file. Exit status. */
static int
parse_row(struct verb_run *v, const char *where, int argc, char **argv, struct in6_policy *row)
{
	uint64_t precedence = 0, label = 0;
	struct rt_addr prefix;

	if (strchr(argv[0], ':') == NULL || !rt_addr_parse(argv[0], AF_INET6, &prefix))
		return verb_error(v, 1, "%s%s: bad prefix", where, argv[0]);
	if (argc > 1 && !verb_number(argv[1], 0, INT32_MAX, &precedence))
		return verb_error(v, 1, "%s%s: bad precedence", where, argv[1]);
	if (argc > 2 && !verb_number(argv[2], 0, INT32_MAX, &label))
		return verb_error(v, 1, "%s%s: bad label", where, argv[2]);
	*row = row_make(rt_addr_in6(&prefix), prefix.plen, (uint32_t)precedence, (uint32_t)label);
	return 0;
}

static int
show_rows(struct verb_run *v)
{
	struct emitter *e = v->out;
	struct in6_policy *row;
	uint32_t n = rows(&row);
	char text[IN6_TEXT], prefix[IN6_TEXT + 4];

	emit_text(e, "%-30s %5s %5s %8s\n", "Prefix", "Prec", "Label", "Use");
	emit_list(e, "policy");
	for (uint32_t i = 0; i < n; i++) {
		struct in6 key = row_prefix(&row[i]);

		snprintf(prefix, sizeof(prefix), "%s/%u", in6_ntoa(&key, text), row[i].plen);
		emit_object(e, NULL);
		emit_str(e, "prefix", "%-30s", prefix);
		emit_uint(e, "precedence", " %5" PRIu64, row[i].precedence);
		emit_uint(e, "label", " %5" PRIu64, row[i].label);
		emit_uint(e, "use", " %8" PRIu64 "\n", row[i].use);
		emit_end(e);
	}
	emit_end(e);
	return 0;
}

static int
row_error(struct verb_run *v, const char *where, const char *prefix, int error)
{
	if (error == -EEXIST)
		return verb_error(v, 1, "%s%s: policy already in table", where, prefix);
	if (error == -ESRCH)
		return verb_error(v, 1, "%s%s: policy not in table", where, prefix);
	return error == 0 ? 0 : verb_error(v, 1, "%s%s: %s", where, prefix, verb_strerror(error));
}

static int
add_row(struct verb_run *v, char **argv)
{
	struct in6_policy row;
	int status = parse_row(v, "", 3, argv, &row);

	return status != 0 ? status : row_error(v, "", argv[0], policy_add(&row));
}

static int
delete_row(struct verb_run *v, char **argv)
{
	struct in6_policy row;
	int status = parse_row(v, "", 1, argv, &row);

	return status != 0 ? status : row_error(v, "", argv[0], policy_delete(&row));
}

/* An empty table: not the default one. */
static int
flush_rows(struct verb_run *v)
{
	struct table *t = table_new(0);

	if (t == NULL)
		return verb_error(v, 1, "%s", verb_strerror(ENOMEM));
	table_publish(t);
	return 0;
}

/* "PREFIX PRECEDENCE LABEL" a line, # begins a comment. */
static int
read_line(struct verb_run *v, const char *where, char *line, struct table *t)
{
	struct in6_policy row;
	const char *why;
	char **words;
	int argc, status = 0;

	line[strcspn(line, "#\n")] = '\0';
	if (verb_split(line, &argc, &words, &why) != 0)
		return verb_error(v, 1, "%s%s", where, why);
	if (argc != 0 && argc != 3)
		status = verb_error(v, 1, "%sbad line: %s", where, line);
	else if (argc == 3 && (status = parse_row(v, where, argc, words, &row)) == 0)
		status = row_error(v, where, words[0], table_add(t, &row));
	verb_split_free(argc, words);
	return status;
}

static int
read_file(struct verb_run *v, const char *path, FILE *f, struct table *t)
{
	char *line = NULL, where[300];
	size_t room = 0;
	int status = 0, number = 0;

	while (status == 0 && getline(&line, &room, f) > 0) {
		snprintf(where, sizeof(where), "%.250s:%d: ", path, ++number);
		status = read_line(v, where, line, t);
	}
	free(line);
	return status;
}

/* The file's rows are the table from now on, or nothing changes. */
static int
install_file(struct verb_run *v, const char *path)
{
	FILE *f = fopen(path, "re");
	struct table *t;
	int status;

	if (f == NULL)
		return verb_error(v, 1, "cannot open %s: %s", path, strerror(errno));
	t = table_new(VNET(policy_max));
	status = t == NULL ? verb_error(v, 1, "%s", verb_strerror(ENOMEM)) :
			     read_file(v, path, f, t);
	fclose(f);
	if (status == 0)
		table_publish(table_fit(t));
	else
		vnet_free(t);
	return status;
}

static int
ip6addrctl_run(struct verb_run *v)
{
	int argc = v->argc - 1;
	char **argv = v->argv + 1;
	const char *word = argc == 0 ? "show" : argv[0];

	if (argc <= 1 && strcmp(word, "show") == 0)
		return show_rows(v);
	if (priv_check(PRIV_NET_CONFIG) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	if (argc == 4 && strcmp(word, "add") == 0)
		return add_row(v, argv + 1);
	if (argc == 2 && strcmp(word, "delete") == 0)
		return delete_row(v, argv + 1);
	if (argc == 1 && strcmp(word, "flush") == 0)
		return flush_rows(v);
	if (argc == 2 && strcmp(word, "install") == 0)
		return install_file(v, argv[1]);
	return verb_usage(v, NULL);
}

VERB_DEFINE(ip6addrctl, .name = "ip6addrctl",
    .usage = "ip6addrctl [show]\n"
	     "ip6addrctl add prefix precedence label\n"
	     "ip6addrctl delete prefix\n"
	     "ip6addrctl flush\n"
	     "ip6addrctl install filename",
    .summary = "see and change the policy of choosing IPv6 addresses", .run = ip6addrctl_run,
    .flags = VERB_HAS_JAIL);
