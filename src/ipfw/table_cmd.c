/*
 * table_cmd.c - `ipfw table …`.
 *
 *	table NAME create [type T] [valtype V] [algo A] [limit N] [locked] [missing] [or-flush]
 *	table NAME modify [limit N]
 *	table NAME [atomic] add KEY[/len] [value] [KEY value …]
 *	table NAME [atomic] delete KEY[/len] …
 *	table NAME lookup KEY
 *	table NAME swap NAME2
 *	table NAME lock | unlock | destroy | flush | list | info | detail
 *	table all  destroy | flush | list | info | detail
 *
 * With -q, `add` of what is there already gives it the new value, and `delete` of what is not there is
 * no error; nor is `destroy` of a table that is not there.
 */
#include "ipfw/command.h"
#include "ipfw/table_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- errors ---------------------------------------------------------------- */

static const char *
table_strerror(int error)
{
	switch (-error) {
	case EACCES:
		return "the table is locked";
	case EBUSY:
		return "rules refer to the table";
	case EEXIST:
		return "File exists";
	case EFBIG:
		return "more entries than the other table may have";
	case EINVAL:
		return "tables of different types";
	case ENOSPC:
		return "the table is full";
	case ESRCH:
		return "No such entry";
	default:
		return verb_strerror(error);
	}
}

static int
table_refuse(struct verb_run *v, const char *name, int error)
{
	return verb_error(v, EX_OSERR_, "table %s: %s", name, table_strerror(error));
}

static int
no_such_table(struct verb_run *v, const char *name)
{
	return verb_error(v, EX_UNAVAILABLE_, "table %s does not exist", name);
}

/* The table, made if need be; NULL after a message, *status the exit status. */
static struct fw_table *
table_get(struct verb_run *v, const char *name, int *status)
{
	struct fw_table *t;
	int error = fw_table_make(name, &t);

	if (error == 0)
		return t;
	if (error == -EINVAL && fw_table_is_number(name))
		*status = verb_error(v, EX_DATAERR_,
		    "table %s: numbers of tables end below net.inet.ip.fw.tables_max", name);
	else if (error == -EINVAL)
		*status = verb_error(v, EX_DATAERR_, "'%s' is no name for a table", name);
	else if (error == -ENOSPC)
		*status = verb_error(v, EX_UNAVAILABLE_,
		    "table %s: there are net.inet.ip.fw.tables_max tables", name);
	else
		*status = verb_error(v, EX_OSERR_, "table %s: %s", name, verb_strerror(error));
	return NULL;
}

/* --- create, modify ---------------------------------------------------------- */

static const char *const type_names[] = { "addr", "number", "iface", "flow" };
enum { TYPES = sizeof(type_names) / sizeof(type_names[0]) };

static const struct {
	const char *name;
	unsigned field;
} flow_names[] = {
	{ "src-ip", FW_FLOW_SRC },
	{ "proto", FW_FLOW_PROTO },
	{ "src-port", FW_FLOW_SPORT },
	{ "dst-ip", FW_FLOW_DST },
	{ "dst-port", FW_FLOW_DPORT },
};
enum { FLOW_NAMES = sizeof(flow_names) / sizeof(flow_names[0]) };

static const struct {
	const char *name;
	enum fw_table_valtype type;
} valtypes[] = {
	{ "legacy", FW_VALUE_LEGACY },
	{ "skipto", FW_VALUE_NUMBER },
	{ "pipe", FW_VALUE_NUMBER },
	{ "fib", FW_VALUE_NUMBER },
	{ "nat", FW_VALUE_NUMBER },
	{ "dscp", FW_VALUE_NUMBER },
	{ "tag", FW_VALUE_NUMBER },
	{ "divert", FW_VALUE_NUMBER },
	{ "netgraph", FW_VALUE_NUMBER },
	{ "limit", FW_VALUE_NUMBER },
	{ "mark", FW_VALUE_NUMBER },
	{ "number", FW_VALUE_NUMBER },
	{ "ipv4", FW_VALUE_IP4 },
	{ "ipv6", FW_VALUE_IP6 },
};
enum { VALTYPES = sizeof(valtypes) / sizeof(valtypes[0]) };

/* What `create` and `modify` were told. */
struct create_words {
	uint8_t type, flow, valtype;
	const char *valtype_name;
	uint64_t limit;
	bool locked, missing, or_flush;
};

/* "addr", "flow", "flow:src-ip,dst-port". */
static bool
parse_type(const char *word, struct create_words *w)
{
	char text[128], *fields = text, *name;
	int i;

	if (strlen(word) >= sizeof(text))
		return false;
	strcpy(text, word);
	name = strsep(&fields, ":");
	for (i = 0; i < TYPES && strcmp(name, type_names[i]) != 0; i++)
		continue;
	if (i == TYPES || (fields != NULL && i != FW_TABLE_FLOW))
		return false;
	w->type = (uint8_t)i;
	w->flow = fields != NULL ? 0 : FW_FLOW_ALL;
	while ((name = strsep(&fields, ",")) != NULL) {
		for (i = 0; i < FLOW_NAMES && strcmp(name, flow_names[i].name) != 0; i++)
			continue;
		if (i == FLOW_NAMES)
			return false;
		w->flow |= (uint8_t)flow_names[i].field;
	}
	return true;
}

static bool
parse_valtype(const char *word, struct create_words *w)
{
	for (int i = 0; i < VALTYPES; i++)
		if (strcmp(word, valtypes[i].name) == 0) {
			w->valtype = (uint8_t)valtypes[i].type;
			w->valtype_name = valtypes[i].name;
			return true;
		}
	return false;
}

/* There is one way of looking up, whatever it is called elsewhere; one that changes the keys is not it. */
static bool
algo_is_known(const char *word)
{
	return strchr(word, ' ') == NULL && strchr(word, '=') == NULL;
}

/* 0 or an exit status. */
static int
create_words_parse(struct verb_run *v, int argc, char **argv, struct create_words *w)
{
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool good = value != NULL;

		if (strcmp(word, "locked") == 0 || strcmp(word, "missing") == 0 ||
		    strcmp(word, "or-flush") == 0) {
			w->locked |= word[0] == 'l';
			w->missing |= word[0] == 'm';
			w->or_flush |= word[0] == 'o';
			continue;
		}
		if (strcmp(word, "type") == 0)
			good = good && parse_type(value, w);
		else if (strcmp(word, "valtype") == 0)
			good = good && parse_valtype(value, w);
		else if (strcmp(word, "algo") == 0)
			good = good && algo_is_known(value);
		else if (strcmp(word, "limit") == 0)
			good = good && verb_number(value, 0, UINT32_MAX, &w->limit);
		else
			return verb_error(v, EX_USAGE_, "table: what is '%s'?", word);
		if (value == NULL)
			return verb_error(v, EX_USAGE_, "table: %s: which?", word);
		if (!good)
			return verb_error(
			    v, EX_DATAERR_, "table: %s: '%s' is not known", word, value);
		i++;
	}
	return 0;
}

static bool
is_same(const struct fw_table *t, const struct create_words *w)
{
	return t->type == w->type && t->flow == w->flow && t->valtype == w->valtype;
}

/* `create` of one that is there: what `missing` and `or-flush` are for. */
static int
create_again(struct verb_run *v, struct fw_table *t, const struct create_words *w)
{
	if (!w->missing && !w->or_flush)
		return table_refuse(v, t->name, -EEXIST);
	if (!is_same(t, w))
		return verb_error(
		    v, EX_DATAERR_, "table %s: it is there with another type", t->name);
	return w->or_flush && fw_table_flush(t) != 0 ? table_refuse(v, t->name, -EACCES) : 0;
}

static int
table_create(
    struct verb_run *v, const struct fw_options *o, const char *name, int argc, char **argv)
{
	struct create_words w = { .flow = FW_FLOW_ALL, .valtype_name = "legacy" };
	int status = create_words_parse(v, argc, argv, &w);
	struct fw_table *t;

	if (status != 0 || o->test_only)
		return status;
	t = table_get(v, name, &status);
	if (t == NULL)
		return status;
	/* one that a rule has named, or a number's, becomes what is asked for */
	if (t->created || fw_hash_count(t->hash) > 0)
		return create_again(v, t, &w);
	t->created = true;
	t->type = w.type;
	t->flow = w.flow;
	t->valtype = w.valtype;
	snprintf(t->valtype_name, sizeof(t->valtype_name), "%s", w.valtype_name);
	t->limit = (uint32_t)w.limit;
	t->locked = w.locked;
	return 0;
}

static int
table_modify(
    struct verb_run *v, const struct fw_options *o, struct fw_table *t, int argc, char **argv)
{
	struct create_words w = { .limit = t->limit };
	int status;

	if (argc != 2 || strcmp(argv[0], "limit") != 0)
		return verb_error(v, EX_USAGE_, "table %s modify: limit N", t->name);
	status = create_words_parse(v, argc, argv, &w);
	if (status == 0 && !o->test_only)
		t->limit = (uint32_t)w.limit;
	return status;
}

/* --- add, delete -------------------------------------------------------------- */

/*
 * A table that nobody has created is of addresses, unless the first key says otherwise: the name of an
 * interface, "em0".
 */
static void
table_guess(struct fw_table *t, const char *word)
{
	struct fw_table_key key;
	char why[128];

	if (t->created || fw_hash_count(t->hash) > 0)
		return;
	t->type = FW_TABLE_ADDR;
	if (!fw_table_key_parse(t, word, &key, why, sizeof(why)) && strpbrk(word, ".:/") == NULL)
		t->type = FW_TABLE_IFACE;
}

/* Words -> changes: a key, with `add` a value behind it. Their number, -1 after a message. */
static int
changes_parse(struct verb_run *v, const struct fw_table *t, bool add, int argc, char **argv,
    struct fw_table_change *c)
{
	char why[200];
	int n = 0;

	for (int i = 0; i < argc; i++, n++) {
		if (!fw_table_key_parse(t, argv[i], &c[n].key, why, sizeof(why))) {
			verb_error(v, 0, "table %s: %s", t->name, why);
			return -1;
		}
		if (!add || i + 1 == argc)
			continue;
		if (!fw_table_value_parse(t, argv[++i], &c[n].value)) {
			verb_error(v, 0, "table %s: '%s' is no value for %s", t->name, argv[i],
			    t->valtype_name);
			return -1;
		}
	}
	return n;
}

/* A line for each change that was refused; the exit status. */
static int
changes_say(struct verb_run *v, const struct fw_options *o, const struct fw_table *t,
    const struct fw_table_change *c, int n, bool add, char **argv)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		if (c[i].error == 0 || (c[i].error == -ESRCH && o->quiet))
			continue;
		status = verb_error(v, EX_OSERR_, "table %s: %s: %s", t->name,
		    argv[add ? 2 * i : i], table_strerror(c[i].error));
	}
	return status;
}

static int
table_change(struct verb_run *v, const struct fw_options *o, struct fw_table *t, bool add,
    bool atomic, int argc, char **argv)
{
	enum fw_table_how how = !add ? FW_TABLE_DELETE : o->quiet ? FW_TABLE_SET : FW_TABLE_ADD;
	struct fw_table_change *c;
	int n, error, status = EX_DATAERR_;

	if (argc == 0)
		return verb_error(
		    v, EX_USAGE_, "table %s %s: which key?", t->name, add ? "add" : "delete");
	if (add)
		table_guess(t, argv[0]);
	c = calloc((size_t)argc, sizeof(*c));
	if (c == NULL)
		return table_refuse(v, t->name, -ENOMEM);
	n = changes_parse(v, t, add, argc, argv, c);
	if (n >= 0 && !o->test_only) {
		error = fw_table_apply(t, how, c, (uint32_t)n, atomic);
		status = changes_say(v, o, t, c, n, add, argv);
		/* of the table as a whole: locked, no memory */
		if (error != 0 && status == 0 && !(error == -ESRCH && o->quiet))
			status = table_refuse(v, t->name, error);
	} else if (n >= 0) {
		status = 0;
	}
	free(c);
	return status;
}

static int
table_add(struct verb_run *v, const struct fw_options *o, const char *name, bool atomic, int argc,
    char **argv)
{
	int status = 0;
	struct fw_table *t = table_get(v, name, &status);

	if (t == NULL)
		return status;
	status = table_change(v, o, t, true, atomic, argc, argv);
	fw_table_tidy(t);
	return status;
}

static int
table_delete(struct verb_run *v, const struct fw_options *o, const char *name, bool atomic,
    int argc, char **argv)
{
	struct fw_table *t = fw_table_by_name(name);
	int status;

	if (t == NULL && (o->quiet || o->test_only))
		return 0;
	if (t == NULL)
		return fw_table_is_number(name) ? table_refuse(v, name, -ESRCH) :
						  no_such_table(v, name);
	status = table_change(v, o, t, false, atomic, argc, argv);
	fw_table_tidy(t);
	return status;
}

/* --- list, info, lookup --------------------------------------------------------- */

static void
entry_print(struct verb_run *v, const struct fw_options *o, const struct fw_table *t,
    const struct fw_table_entry *e)
{
	char key[FW_TABLE_KEY_TEXT], value[FW_TABLE_VALUE_TEXT];

	emit_object(v->out, NULL);
	emit_str(v->out, "key", "%s", fw_table_key_text(e, key));
	emit_str(v->out, "value", " %s\n", fw_table_value_text(t, e, o->as_ip, value));
	emit_end(v->out);
}

/* with_header: one of all, of which those without entries are not shown. */
static int
table_list(
    struct verb_run *v, const struct fw_options *o, const struct fw_table *t, bool with_header)
{
	struct fw_table_entry **list;
	uint32_t n;

	if (with_header && fw_hash_count(t->hash) == 0)
		return 0;
	list = fw_table_sorted(t, &n);
	if (list == NULL && fw_hash_count(t->hash) > 0)
		return table_refuse(v, t->name, -ENOMEM);
	emit_object(v->out, NULL);
	emit_str(v->out, "table", with_header ? "---table(%s)---\n" : NULL, t->name);
	emit_str(v->out, "type", NULL, type_names[t->type]);
	emit_list(v->out, "entry");
	for (uint32_t i = 0; i < n; i++)
		entry_print(v, o, t, list[i]);
	emit_end(v->out);
	emit_end(v->out);
	free(list);
	return 0;
}

static void
table_info(struct verb_run *v, const struct fw_table *t)
{
	struct emitter *e = v->out;

	emit_object(e, NULL);
	emit_str(e, "table", "--- table(%s), set(0) ---\n", t->name);
	emit_uint(e, "index", " kindex: %" PRIu64, t->index);
	emit_str(e, "type", ", type: %s", type_names[t->type]);
	if (t->type == FW_TABLE_FLOW && t->flow != FW_FLOW_ALL) {
		const char *sep = ":";

		for (int i = 0; i < FLOW_NAMES; i++)
			if (t->flow & flow_names[i].field) {
				emit_text(e, "%s%s", sep, flow_names[i].name);
				sep = ",";
			}
	}
	emit_bool(e, "locked", t->locked);
	emit_text(e, t->locked ? ", locked\n" : "\n");
	emit_uint(e, "references", " references: %" PRIu64, t->refs);
	emit_str(e, "valtype", ", valtype: %s\n", t->valtype_name);
	emit_text(e, " algorithm: %s:hash\n", type_names[t->type]);
	emit_uint(e, "items", " items: %" PRIu64, fw_hash_count(t->hash));
	emit_uint(e, "size", ", size: %" PRIu64 "\n", fw_hash_size(t->hash));
	if (t->limit != 0)
		emit_uint(e, "limit", " limit: %" PRIu64 "\n", t->limit);
	emit_end(e);
}

static int
table_lookup(
    struct verb_run *v, const struct fw_options *o, const struct fw_table *t, int argc, char **argv)
{
	struct fw_table_entry *e;
	struct fw_table_key key;
	char why[200];

	if (argc != 1)
		return verb_error(v, EX_USAGE_, "table %s lookup: one key", t->name);
	if (!fw_table_key_parse(t, argv[0], &key, why, sizeof(why)))
		return verb_error(v, EX_DATAERR_, "table %s: %s", t->name, why);
	e = fw_table_answer(t, &key);
	if (e == NULL)
		return verb_error(
		    v, EX_UNAVAILABLE_, "table %s: %s: No such entry", t->name, argv[0]);
	emit_list(v->out, "entry");
	entry_print(v, o, t, e);
	emit_end(v->out);
	return 0;
}

/* --- the sub-command ------------------------------------------------------------- */

static int
table_swap(struct verb_run *v, const struct fw_options *o, struct fw_table *t, const char *other)
{
	struct fw_table *b = fw_table_by_name(other);
	int error;

	if (b == NULL)
		return no_such_table(v, other);
	error = o->test_only ? 0 : fw_table_swap(t, b);
	return error == 0 ? 0 : table_refuse(v, t->name, error);
}

/* What is done to one table that is there, and to each of all. */
static int
table_whole(
    struct verb_run *v, const struct fw_options *o, struct fw_table *t, const char *word, bool all)
{
	int error = 0;

	if (strcmp(word, "list") == 0)
		return table_list(v, o, t, all);
	if (strcmp(word, "info") == 0 || strcmp(word, "detail") == 0) {
		table_info(v, t);
		return 0;
	}
	if (o->test_only)
		return 0;
	if (strcmp(word, "flush") == 0 && (error = fw_table_flush(t)) == 0)
		fw_table_tidy(t);
	if (strcmp(word, "destroy") == 0)
		error = fw_table_destroy(t);
	return error == 0 ? 0 : table_refuse(v, t->name, error);
}

static bool
is_whole(const char *word)
{
	static const char *const words[] = { "list", "info", "detail", "flush", "destroy" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* `table all …`. */
static int
table_all(struct verb_run *v, const struct fw_options *o, const char *word)
{
	int status = 0, one;

	if (!is_whole(word))
		return verb_error(v, EX_USAGE_, "table all: list, info, flush or destroy");
	emit_list(v->out, "tables");
	for (struct fw_table *t = fw_table_next(NULL), *next; t != NULL; t = next) {
		next = fw_table_next(t);
		one = table_whole(v, o, t, word, true);
		status = status == 0 ? one : status;
	}
	emit_end(v->out);
	return status;
}

/* Words for a table that has to be there. */
static int
table_known(struct verb_run *v, const struct fw_options *o, const char *name, int argc, char **argv)
{
	struct fw_table *t = fw_table_by_name(name);
	int status;

	if (t == NULL && strcmp(argv[0], "destroy") == 0 && o->quiet)
		return 0;
	/* a number that nobody has used is an empty table */
	if (t == NULL && is_whole(argv[0]) && fw_table_is_number(name) &&
	    (t = table_get(v, name, &status)) == NULL)
		return status;
	if (t == NULL)
		return no_such_table(v, name);
	if (is_whole(argv[0])) {
		emit_list(v->out, "tables");
		status = table_whole(v, o, t, argv[0], false);
		emit_end(v->out);
		if ((t = fw_table_by_name(name)) != NULL)
			fw_table_tidy(t);
		return status;
	}
	if (strcmp(argv[0], "swap") == 0 && argc == 2)
		return table_swap(v, o, t, argv[1]);
	if (strcmp(argv[0], "lookup") == 0)
		return table_lookup(v, o, t, argc - 1, argv + 1);
	if (strcmp(argv[0], "modify") == 0)
		return table_modify(v, o, t, argc - 1, argv + 1);
	if (strcmp(argv[0], "lock") == 0 || strcmp(argv[0], "unlock") == 0) {
		t->locked = o->test_only ? t->locked : argv[0][0] == 'l';
		return 0;
	}
	return verb_error(v, EX_USAGE_, "table %s: what is '%s'?", name, argv[0]);
}

static int
table_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	const char *name = argv[0];
	bool atomic;

	if (argc < 2)
		return verb_error(v, EX_USAGE_, "table: which one, and what of it?");
	if (strcmp(name, "all") == 0)
		return table_all(v, o, argv[1]);
	argc--;
	argv++;
	atomic = strcmp(argv[0], "atomic") == 0;
	if (atomic && argc < 2)
		return verb_error(v, EX_USAGE_, "table %s atomic: add or delete", name);
	argc -= atomic;
	argv += atomic;
	if (strcmp(argv[0], "add") == 0)
		return table_add(v, o, name, atomic, argc - 1, argv + 1);
	if (strcmp(argv[0], "delete") == 0)
		return table_delete(v, o, name, atomic, argc - 1, argv + 1);
	if (atomic)
		return verb_error(v, EX_USAGE_, "table %s atomic: add or delete", name);
	if (strcmp(argv[0], "create") == 0)
		return table_create(v, o, name, argc - 1, argv + 1);
	return table_known(v, o, name, argc, argv);
}

static void
table_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "create", "destroy", "modify", "add", "delete",
		"atomic", "flush", "list", "info", "detail", "lookup", "lock", "unlock", "swap" };

	(void)argv;
	if (argc == 0) {
		add(ctx, "all");
		for (struct fw_table *t = fw_table_next(NULL); t != NULL; t = fw_table_next(t))
			add(ctx, t->name);
	}
	for (size_t i = 0; argc == 1 && i < sizeof(words) / sizeof(words[0]); i++)
		add(ctx, words[i]);
}

FW_SUBCOMMAND_DEFINE(table, .name = "table", .run = table_run, .complete = table_complete,
    .usage =
	"ipfw table NAME create [type T] [valtype V] [algo A] [limit N] [locked] [missing] [or-flush]\n"
	"ipfw [-q] table NAME [atomic] add key[/len] [value] [key value ...]\n"
	"ipfw [-q] table NAME [atomic] delete key[/len] ...\n"
	"ipfw table NAME {lookup key | swap NAME | modify limit N | lock | unlock}\n"
	"ipfw [-i] table {NAME | all} {list | info | flush | destroy}");
