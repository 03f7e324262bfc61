/*
 * state.c - the state file's form: checked as a whole when it is read, so that what asks later
 * meets no surprise.
 */
#include "kern/state.h"

#include "kern/jail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of an element, and of an array: far above any build's. A broken file asks for no more. */
enum { ELEMENT_MAX = 1 << 16, ARRAY_MAX = 1 << 26 };

struct state {
	json_t *root, *stack;
	struct sysctl_oid *oid; /* the file's nodes, names and descriptions borrowed from root */
	size_t oids;
};

/* --- reading ------------------------------------------------------------- */

uint64_t
state_uint(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));

	return n < 0 ? 0 : (uint64_t)n;
}

const char *
state_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

static bool
parse_type(const char *word, enum sysctl_type *type)
{
	static const char *const names[] = {
		[SYSCTL_T_BOOL] = "bool",
		[SYSCTL_T_INT] = "int",
		[SYSCTL_T_UINT] = "uint",
		[SYSCTL_T_U64] = "u64",
		[SYSCTL_T_STRING] = "string",
		[SYSCTL_T_OPAQUE] = "array",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(word, names[i]) == 0) {
			*type = (enum sysctl_type)i;
			return true;
		}
	return false;
}

static bool
is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdef")] == '\0';
}

/* Does the value have the form that its node's type asks for? */
static bool
value_ok(enum sysctl_type type, const json_t *value)
{
	json_int_t size, count, n = json_integer_value(value);
	const char *text;
	uint64_t number;

	switch (type) {
	case SYSCTL_T_BOOL:
		return json_is_integer(value) && (n == 0 || n == 1);
	case SYSCTL_T_INT:
		return json_is_integer(value) && n >= INT32_MIN && n <= INT32_MAX;
	case SYSCTL_T_UINT:
		return json_is_integer(value) && n >= 0 && n <= UINT32_MAX;
	case SYSCTL_T_U64:
		return json_is_string(value) &&
		    verb_number(json_string_value(value), 0, UINT64_MAX, &number);
	case SYSCTL_T_STRING:
		return json_is_string(value);
	default:
		size = json_integer_value(json_object_get(value, "size"));
		count = json_integer_value(json_object_get(value, "count"));
		text = json_string_value(json_object_get(value, "bytes"));
		return size > 0 && size <= ELEMENT_MAX && count >= 0 && text != NULL &&
		    count <= ARRAY_MAX / size && strlen(text) == (size_t)(2 * size * count) &&
		    is_hex(text);
	}
}

/*
 * Texts from a file go to terminals: nothing in them moves a cursor. True if there was something.
 */
static bool
clean_text(char *text)
{
	bool found = false;

	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			*p = '?';
			found = true;
		}
	return found;
}

static int __attribute__((format(printf, 3, 4)))
broken(char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	clean_text(why);
	return -EINVAL;
}

/* Clean all strings; false for a member whose name would need it, or without memory. */
static bool
clean(json_t *value)
{
	const char *name;
	json_t *member;
	bool ok = true;
	char *copy;
	size_t i;

	if (json_is_string(value)) {
		copy = strdup(json_string_value(value));
		ok = copy != NULL && (!clean_text(copy) || json_string_set(value, copy) == 0);
		free(copy);
		return ok;
	}
	json_array_foreach(value, i, member)
		ok &= clean(member);
	json_object_foreach(value, name, member) {
		for (const char *p = name; *p != '\0'; p++)
			ok &= (unsigned char)*p >= ' ' && *p != 0x7f;
		ok &= clean(member);
	}
	return ok;
}

/* All values are a known node's and of its form. */
static int
check_values(const struct state *st, const json_t *values, char *why, size_t why_len)
{
	const char *name;
	json_t *value;

	if (!json_is_object(values))
		return broken(why, why_len, "no values");
	json_object_foreach((json_t *)(uintptr_t)values, name, value) {
		const struct sysctl_oid *oid = state_sysctl_find(st, name);

		if (oid == NULL || !value_ok(oid->type, value))
			return broken(why, why_len, "%.80s: %s", name,
			    oid == NULL ? "a value without a node" : "not a value of its type");
	}
	return 0;
}

static int
read_nodes(struct state *st, char *why, size_t why_len)
{
	const json_t *nodes = json_object_get(st->root, "nodes");
	size_t n = json_array_size(nodes);

	if (!json_is_array(nodes))
		return broken(why, why_len, "no nodes");
	st->oid = calloc(n + 1, sizeof(*st->oid));
	if (st->oid == NULL)
		return broken(why, why_len, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < n; i++) {
		const json_t *node = json_array_get(nodes, i);
		struct sysctl_oid *oid = &st->oid[i];

		oid->name = state_text(node, "name");
		oid->descr = state_text(node, "description");
		if (json_is_true(json_object_get(node, "stack")))
			oid->flags |= SYSCTL_VNET;
		if (json_is_true(json_object_get(node, "hidden")))
			oid->flags |= SYSCTL_SKIP;
		if (!parse_type(state_text(node, "type"), &oid->type))
			return broken(why, why_len, "node %zu: unknown type", i);
		/* Sorted, as it was saved: that is how a node is found. */
		if (oid->name[0] == '\0' || (i > 0 && strcmp(oid[-1].name, oid->name) >= 0))
			return broken(why, why_len, "node %zu: out of order", i);
	}
	st->oids = n;
	return 0;
}

/* Choose by name or jid; NULL is the host. */
static int
choose_stack(struct state *st, const char *jail, char *why, size_t why_len)
{
	const json_t *stacks = json_object_get(st->root, "stacks");
	json_t *stack;
	size_t i;

	json_array_foreach(stacks, i, stack) {
		const char *name = json_string_value(json_object_get(stack, "name"));
		char jid[24];

		if (name == NULL || !json_is_integer(json_object_get(stack, "jid")))
			return broken(why, why_len, "stack %zu: no name or no jid", i);
		if (check_values(st, json_object_get(stack, "values"), why, why_len) != 0)
			return -EINVAL;
		snprintf(jid, sizeof(jid), "%" PRIu64, state_uint(stack, "jid"));
		if (st->stack == NULL &&
		    (jail == NULL ? strcmp(jid, "0") == 0 :
				    strcmp(jail, name) == 0 || strcmp(jail, jid) == 0))
			st->stack = stack;
	}
	if (st->stack != NULL)
		return 0;
	if (jail == NULL)
		return broken(why, why_len, "the host's stack is not in it");
	return broken(why, why_len, "jail \"%s\" not found in it", jail);
}

static int
check_form(struct state *st, const char *jail, char *why, size_t why_len)
{
	const json_t *version = json_object_get(st->root, "warren-state");

	if (!json_is_integer(version))
		return broken(why, why_len, "not a saved state");
	if (json_integer_value(version) != STATE_VERSION)
		return broken(why, why_len, "a state of version %" PRId64 "; known is %d",
		    (int64_t)json_integer_value(version), STATE_VERSION);
	if (strcmp(state_text(st->root, "byte-order"),
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big") != 0)
		return broken(why, why_len, "saved on a machine of another byte order");
	if (!clean(st->root))
		return broken(why, why_len, "a name that is no name");
	if (read_nodes(st, why, why_len) != 0)
		return -EINVAL;
	if (check_values(st, json_object_get(st->root, "values"), why, why_len) != 0)
		return -EINVAL;
	return choose_stack(st, jail, why, why_len);
}

/* Takes root; NULL with `error` for the reason. */
static struct state *
state_make(json_t *root, const json_error_t *error, const char *jail, char *why, size_t why_len)
{
	struct state *st;

	if (root == NULL) {
		if (error->line > 0)
			broken(why, why_len, "line %d: %s", error->line, error->text);
		else
			broken(why, why_len, "%s", error->text);
		return NULL;
	}
	st = calloc(1, sizeof(*st));
	if (st == NULL) {
		json_decref(root);
		broken(why, why_len, "%s", strerror(ENOMEM));
		return NULL;
	}
	st->root = root;
	if (check_form(st, jail, why, why_len) == 0)
		return st;
	state_free(st);
	return NULL;
}

struct state *
state_parse(const char *bytes, size_t len, const char *jail, char *why, size_t why_len)
{
	json_error_t error = { .line = -1 };
	json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);

	return state_make(root, &error, jail, why, why_len);
}

struct state *
state_load(const char *file, const char *jail, char *why, size_t why_len)
{
	json_error_t error = { .line = -1 };
	FILE *f = fopen(file, "re");
	json_t *root;

	if (f == NULL) {
		broken(why, why_len, "%s", strerror(errno));
		return NULL;
	}
	root = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
	fclose(f);
	return state_make(root, &error, jail, why, why_len);
}

void
state_free(struct state *st)
{
	if (st == NULL)
		return;
	json_decref(st->root);
	free(st->oid);
	free(st);
}

/* --- sysctls ------------------------------------------------------------- */

const struct sysctl_oid *
state_sysctl_find(const struct state *st, const char *name)
{
	size_t lo = 0, hi = st->oids;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, st->oid[mid].name);

		if (c == 0)
			return &st->oid[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

void
state_sysctl_foreach(const struct state *st, const char *prefix,
    void (*fn)(const struct sysctl_oid *oid, void *ctx), void *ctx)
{
	for (size_t i = 0; i < st->oids; i++)
		if (sysctl_name_is_below(st->oid[i].name, prefix))
			fn(&st->oid[i], ctx);
}

static const json_t *
sysctl_value(const struct state *st, const struct sysctl_oid *oid)
{
	return json_object_get(
	    json_object_get(oid->flags & SYSCTL_VNET ? st->stack : st->root, "values"), oid->name);
}

int
state_sysctl_read(const struct state *st, const struct sysctl_oid *oid, char *text, size_t len)
{
	const json_t *value = sysctl_value(st, oid);
	int n;

	if (value == NULL)
		return -ENOENT;
	if (oid->type == SYSCTL_T_OPAQUE)
		return -EINVAL;
	if (json_is_string(value))
		n = snprintf(text, len, "%s", json_string_value(value));
	else
		n = snprintf(text, len, "%" PRId64, (int64_t)json_integer_value(value));
	return n >= 0 && (size_t)n < len ? 0 : -ENAMETOOLONG;
}

static uint8_t
hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void *
state_sysctl_bytes(const struct state *st, const struct sysctl_oid *oid, size_t *len)
{
	const char *hex = json_string_value(json_object_get(sysctl_value(st, oid), "bytes"));
	uint8_t *bytes;

	if (hex == NULL)
		return NULL;
	*len = strlen(hex) / 2;
	bytes = calloc(1, *len + 1);
	for (size_t i = 0; bytes != NULL && i < *len; i++)
		bytes[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	return bytes;
}

void *
state_array(const struct state *st, const char *name, size_t size, size_t *n)
{
	const struct sysctl_oid *oid = state_sysctl_find(st, name);
	size_t len, theirs;
	uint8_t *bytes, *array;

	*n = 0;
	if (oid == NULL || oid->type != SYSCTL_T_OPAQUE)
		return NULL;
	bytes = state_sysctl_bytes(st, oid, &len);
	if (bytes == NULL)
		return NULL;
	theirs = state_uint(sysctl_value(st, oid), "size");
	array = calloc(len / theirs + 1, size);
	if (array != NULL)
		*n = len / theirs;
	for (size_t i = 0; i < *n; i++)
		memcpy(array + i * size, bytes + i * theirs, theirs < size ? theirs : size);
	free(bytes);
	return array;
}

const json_t *
state_section(const struct state *st, const char *name)
{
	const json_t *own = json_object_get(json_object_get(st->stack, "sections"), name);

	return own != NULL ? own : json_object_get(json_object_get(st->root, "sections"), name);
}

/* --- words --------------------------------------------------------------- */

bool
state_asked(const struct verb *verb, int argc, char *const argv[])
{
	struct verb_opts o;
	int c;

	if (verb->state_options == NULL)
		return false;
	/* --json and --libxo json are not the tool's. */
	while (argc > 1 && strncmp(argv[1], "--", 2) == 0 && argv[1][2] != '\0') {
		int n = argc > 2 && strcmp(argv[1], "--libxo") == 0 ? 2 : 1;

		argc -= n;
		argv += n;
	}
	verb_opts_init(&o, NULL, argc, (char **)(uintptr_t)argv, verb->state_options);
	while ((c = verb_opts_next(&o)) != -1)
		if (c == 'M')
			return true;
	return false;
}

struct state *
state_open(struct verb_run *v, const char *file, const char *jail)
{
	struct state *st;
	char why[256];

	/* A jail has no files of its own here: it would read with the program's rights. */
	if (jailed(v->prison)) {
		verb_error(v, 1, "%s: %s", file, verb_strerror(EPERM));
		return NULL;
	}
	st = state_load(file, jail, why, sizeof(why));
	if (st == NULL)
		verb_error(v, 1, "%s: %s", file, why);
	return st;
}
