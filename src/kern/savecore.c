/*
 * savecore.c - the verb savecore: the state of all stacks into a file, for the tools' -M (state.h).
 */
#include "kern/jail.h"
#include "kern/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUE_MAX = 8192 };

LINKERSET_DECLARE(state_section, const struct state_section);

/* A computed value may look at the caller's stack and jail: it is saved with each stack. */
static bool
is_stacks_own(const struct sysctl_oid *oid)
{
	return (oid->flags & SYSCTL_VNET) || (oid->handler != NULL && oid->type != SYSCTL_T_OPAQUE);
}

static json_t *
save_array(const struct sysctl_oid *oid)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 0, size = oid->element != 0 ? oid->element : 1;
	uint8_t *bytes = NULL;
	char *hex = NULL;
	json_t *value = NULL;

	if (sysctl_read_opaque(oid, NULL, &len) == 0 && (bytes = calloc(1, len + 1)) != NULL &&
	    sysctl_read_opaque(oid, bytes, &len) == 0 && (hex = malloc(2 * len + 1)) != NULL) {
		for (size_t i = 0; i < len; i++) {
			hex[2 * i] = digits[bytes[i] >> 4];
			hex[2 * i + 1] = digits[bytes[i] & 15];
		}
		hex[2 * len] = '\0';
		value = json_pack("{s:I, s:I, s:s}", "size", (json_int_t)size, "count",
		    (json_int_t)(len / size), "bytes", hex);
	}
	free(bytes);
	free(hex);
	return value;
}

static json_t *
save_value(const struct sysctl_oid *oid)
{
	char text[VALUE_MAX];

	if (oid->type == SYSCTL_T_OPAQUE)
		return save_array(oid);
	if (sysctl_read(oid, text, sizeof(text)) != 0)
		return NULL;
	if (oid->type == SYSCTL_T_STRING || oid->type == SYSCTL_T_U64)
		return json_string(text);
	return json_integer(strtoll(text, NULL, 10));
}

struct saving {
	json_t *values;
	bool stacks_own;
};

static void
save_node_value(const struct sysctl_oid *oid, void *ctx)
{
	struct saving *s = ctx;
	json_t *value;

	if (is_stacks_own(oid) != s->stacks_own)
		return;
	/* What can't be read now is not in the file: -M says so when asked for it. */
	value = save_value(oid);
	if (value != NULL)
		json_object_set_new(s->values, oid->name, value);
}

static json_t *
save_values(bool stacks_own)
{
	struct saving s = { json_object(), stacks_own };

	sysctl_foreach("", save_node_value, &s);
	return s.values;
}

static void
save_node(const struct sysctl_oid *oid, void *ctx)
{
	static const char *const types[] = { "bool", "int", "uint", "u64", "string", "array" };

	json_array_append_new(ctx,
	    json_pack("{s:s, s:s, s:s, s:b, s:b}", "name", oid->name, "type", types[oid->type],
		"description", oid->descr != NULL ? oid->descr : "", "stack", is_stacks_own(oid),
		"hidden", (oid->flags & SYSCTL_SKIP) != 0));
}

static json_t *
save_sections(bool per_stack)
{
	const struct state_section *const *p;
	json_t *sections = json_object();

	LINKERSET_FOREACH(p, state_section) {
		json_t *value = (*p)->per_stack == per_stack ? (*p)->save() : NULL;

		if (value != NULL)
			json_object_set_new(sections, (*p)->name, value);
	}
	return sections;
}

/* With curvnet and curprison as a command in that stack has them. */
static json_t *
save_stack(struct vnet *vnet)
{
	struct prison *saved = curprison;
	json_t *stack;
	VNET_SCOPE(vnet);

	curprison = vnet->prison != NULL ? vnet->prison : &prison0;
	stack = json_pack("{s:I, s:i, s:s, s:o, s:o}", "id", (json_int_t)vnet->id, "jid",
	    curprison->jid, "name", vnet_name(vnet), "values", save_values(true), "sections",
	    save_sections(true));
	curprison = saved;
	return stack;
}

static json_t *
save_all(void)
{
	json_t *nodes = json_array(), *stacks = json_array(), *root;
	struct vnet *vnet;

	sysctl_foreach("", save_node, nodes);
	VNET_FOREACH(vnet)
		json_array_append_new(stacks, save_stack(vnet));
	root = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "warren-state", STATE_VERSION,
	    "byte-order", __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big", "nodes",
	    nodes, "values", save_values(false), "sections", save_sections(false), "stacks",
	    stacks);
	return root;
}

/* Whole or not at all: beside the file first. 0 or -errno. */
static int
write_file(const char *file, const char *text, size_t len)
{
	char *beside = NULL;
	int error = 0, fd;
	FILE *f;

	if (asprintf(&beside, "%s.new", file) < 0)
		return -ENOMEM;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		free(beside);
		return error;
	}
	if (fwrite(text, 1, len, f) != len)
		error = -errno;
	if (fclose(f) != 0 && error == 0)
		error = -errno;
	if (error == 0 && rename(beside, file) != 0)
		error = -errno;
	if (error != 0)
		unlink(beside);
	free(beside);
	return error;
}

static int
savecore_run(struct verb_run *v)
{
	bool to_output;
	char *text;
	json_t *root;
	size_t len;
	int error = 0;

	if (v->argc != 2 || v->argv[1][0] == '\0')
		return verb_usage(v, NULL);
	to_output = strcmp(v->argv[1], "-") == 0;
	/* All stacks are in it, and a jail has no files here. */
	if (jailed(v->prison))
		return verb_error(v, 1, "%s", verb_strerror(EPERM));
	if (to_output && emitter_form(v->out) == EMIT_JSON)
		return verb_error(v, 1, "-: the state itself is JSON; --json is for a file");
	root = save_all();
	text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	if (text == NULL)
		return verb_error(v, 1, "%s", verb_strerror(ENOMEM));
	len = strlen(text);
	if (to_output) {
		emit_bytes(v->out, text, len);
		emit_text(v->out, "\n");
	} else {
		error = write_file(v->argv[1], text, len);
	}
	free(text);
	if (error != 0)
		return verb_error(v, 1, "%s: %s", v->argv[1], verb_strerror(error));
	emit_uint(v->out, "bytes", NULL, len);
	return 0;
}

VERB_DEFINE(savecore, .name = "savecore", .usage = "savecore file | -",
    .summary = "the state of all stacks into a file, for -M of netstat and sysctl",
    .run = savecore_run);
