/*
 * sysctl_verb.c - the tool sysctl.
 *
 * Each word is NAME (a node, or all nodes below it) or NAME=VALUE; -a is all nodes. One struct says
 * how a node is printed, and one function prints it.
 */
#include "kern/state.h"
#include "kern/sysctl.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 8192 };

struct print {
	struct verb_run *v;
	/* -M: instead of the stack */
	const struct state *image;
	bool all;      /* -a: no SYSCTL_SKIP nodes */
	bool equals;   /* -e */
	bool human;    /* -h */
	bool no_name;  /* -n */
	bool no_value; /* -N */
	bool describe; /* -d */
	bool opaque;   /* -o */
	bool hex;      /* -x */
	bool ignore;   /* -i */
	size_t count;  /* nodes seen */
	int status;
};

/* 1234567 as 1,234,567. */
static void
group_digits(const char *plain, char *text, size_t len)
{
	size_t digits = strspn(plain + (plain[0] == '-'), "0123456789"), at = 0;
	const char *p = plain;

	if (*p == '-')
		text[at++] = *p++;
	for (; digits > 0 && at + 2 < len; digits--) {
		text[at++] = *p++;
		if (digits > 1 && digits % 3 == 1)
			text[at++] = ',';
	}
	text[at] = '\0';
}

static bool
is_number(const struct sysctl_oid *oid)
{
	return oid->type == SYSCTL_T_BOOL || oid->type == SYSCTL_T_INT ||
	    oid->type == SYSCTL_T_UINT || oid->type == SYSCTL_T_U64;
}

static void
print_head(const struct print *p, const struct sysctl_oid *oid)
{
	if (!p->no_name)
		emit_text(p->v->out, "%s%s", oid->name, p->equals ? "=" : ": ");
}

/* An opaque node's bytes, malloc'd; NULL if they can't be read. */
static uint8_t *
opaque_bytes(const struct print *p, const struct sysctl_oid *oid, size_t *len)
{
	uint8_t *bytes;

	if (p->image != NULL)
		return state_sysctl_bytes(p->image, oid, len);
	/*
	 * Asked with no room it says how much it wants; in between nothing runs that could change
	 * that.
	 */
	*len = 0;
	if (sysctl_read_opaque(oid, NULL, len) != 0 || (bytes = calloc(1, *len + 1)) == NULL)
		return NULL;
	if (sysctl_read_opaque(oid, bytes, len) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

static void
print_opaque(struct print *p, const struct sysctl_oid *oid)
{
	size_t len, shown;
	uint8_t *bytes = opaque_bytes(p, oid, &len);

	if (bytes == NULL)
		return;
	print_head(p, oid);
	shown = p->hex || len < 16 ? len : 16;
	emit_text(p->v->out, "Format:S,%s Length:%zu Dump:0x", oid->name, len);
	for (size_t i = 0; i < shown; i++)
		emit_text(p->v->out, "%02x", bytes[i]);
	emit_text(p->v->out, "%s\n", shown < len ? "..." : "");
	emit_uint(p->v->out, oid->name, NULL, len);
	free(bytes);
}

static void
print_value_text(const struct print *p, const struct sysctl_oid *oid, const char *text)
{
	char number[64];
	int64_t n;

	if (!is_number(oid) || (!p->hex && !p->human)) {
		emit_text(p->v->out, "%s", text);
		return;
	}
	if (p->hex) {
		n = oid->type == SYSCTL_T_U64 ? (int64_t)strtoull(text, NULL, 10) :
						strtoll(text, NULL, 10);
		if (oid->type == SYSCTL_T_U64)
			emit_text(p->v->out, "0x%" PRIx64, (uint64_t)n);
		else
			emit_text(p->v->out, "0x%" PRIx32, (uint32_t)n);
		return;
	}
	group_digits(text, number, sizeof(number));
	emit_text(p->v->out, "%s", number);
}

static void
emit_value(struct emitter *e, const struct sysctl_oid *oid, const char *text)
{
	if (oid->type == SYSCTL_T_INT)
		emit_int(e, oid->name, NULL, strtoll(text, NULL, 10));
	else if (is_number(oid))
		emit_uint(e, oid->name, NULL, strtoull(text, NULL, 10));
	else
		emit_str(e, oid->name, NULL, text);
}

static void
print_node(const struct sysctl_oid *oid, void *ctx)
{
	struct print *p = ctx;
	struct emitter *e = p->v->out;
	char text[VALUE_MAX];
	int error;

	p->count++;
	if (p->all && (oid->flags & SYSCTL_SKIP))
		return;
	if (p->no_value) {
		emit_str(e, oid->name, NULL, oid->descr);
		emit_text(e, "%s\n", oid->name);
		return;
	}
	if (p->describe) {
		print_head(p, oid);
		emit_str(e, oid->name, "%s", oid->descr);
		emit_text(e, "\n");
		return;
	}
	if (oid->type == SYSCTL_T_OPAQUE) {
		if (p->opaque || p->hex)
			print_opaque(p, oid);
		return;
	}
	error = p->image != NULL ? state_sysctl_read(p->image, oid, text, sizeof(text)) :
				   sysctl_read(oid, text, sizeof(text));
	if (error != 0) {
		if (!p->all)
			p->status = verb_error(p->v, 1, "%s: %s", oid->name, verb_strerror(error));
		return;
	}
	print_head(p, oid);
	print_value_text(p, oid, text);
	emit_text(e, "\n");
	emit_value(e, oid, text);
}

static void
set_node(struct print *p, const struct sysctl_oid *oid, const char *value)
{
	struct emitter *e = p->v->out;
	char old[VALUE_MAX], why[160];
	int error;

	if (!(oid->flags & SYSCTL_RW)) {
		p->status = verb_error(p->v, 1, "oid '%s' is read only", oid->name);
		if (oid->flags & SYSCTL_RDTUN)
			verb_error(p->v, 1,
			    "Tunable values are set in /boot/loader.conf (here: -o %s=VALUE at start)",
			    oid->name);
		return;
	}
	if (sysctl_read(oid, old, sizeof(old)) != 0)
		old[0] = '\0';
	error = sysctl_write(oid, value, why, sizeof(why));
	if (error == -EPERM) {
		p->status = verb_error(p->v, 1, "%s: %s", oid->name, verb_strerror(EPERM));
		return;
	}
	if (error != 0) {
		p->status = verb_error(p->v, 1, "%s=%s: %s%s%s", oid->name, value,
		    verb_strerror(error), why[0] != '\0' ? ": " : "", why);
		return;
	}
	print_head(p, oid);
	print_value_text(p, oid, old);
	/* What is shown as new is read back, not repeated. */
	if (sysctl_read(oid, old, sizeof(old)) != 0)
		old[0] = '\0';
	emit_text(e, " -> ");
	print_value_text(p, oid, old);
	emit_text(e, "\n");
	emit_value(e, oid, old);
}

/* All nodes below a name ("" = all). */
static void
print_below(struct print *p, const char *prefix)
{
	if (p->image != NULL)
		state_sysctl_foreach(p->image, prefix, print_node, p);
	else
		sysctl_foreach(prefix, print_node, p);
}

static void
do_word(struct print *p, char *word)
{
	char *value = strchr(word, '=');
	const struct sysctl_oid *oid;
	size_t before = p->count;

	if (value != NULL)
		*value++ = '\0';
	oid = p->image != NULL ? state_sysctl_find(p->image, word) : sysctl_find(word);
	if (value != NULL && p->image != NULL) {
		p->status = verb_error(p->v, 1, "-M: %s: a saved state stays as it is", word);
	} else if (oid != NULL && value != NULL) {
		set_node(p, oid, value);
	} else if (oid != NULL) {
		print_node(oid, p);
	} else {
		if (value == NULL && word[0] != '\0')
			print_below(p, word);
		if (p->count == before && !p->ignore)
			p->status = verb_error(p->v, 1, "unknown oid '%s'", word);
		else if (value != NULL && p->count > before)
			p->status = verb_error(p->v, 1, "oid '%s' isn't a leaf node", word);
	}
}

static int
sysctl_usage(struct verb_run *v)
{
	verb_usage(v, NULL);
	return 1;
}

static const char sysctl_options[] = "Aabdehij:M:NnoqwXx";

static int
sysctl_run(struct verb_run *v)
{
	const char *file = NULL, *jail = NULL;
	struct print p = { .v = v };
	struct state *image = NULL;
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, sysctl_options);
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'A':
			p.all = p.opaque = true;
			break;
		case 'a':
			p.all = true;
			break;
		case 'b':
			return verb_error(
			    v, 1, "-b: raw bytes are not for this output; -x shows them");
		case 'd':
			p.describe = true;
			break;
		case 'e':
			p.equals = true;
			break;
		case 'h':
			p.human = true;
			break;
		case 'i':
			p.ignore = true;
			break;
		case 'j':
			jail = o.arg;
			break;
		case 'M':
			file = o.arg;
			break;
		case 'N':
			p.no_value = true;
			break;
		case 'n':
			p.no_name = true;
			break;
		case 'o':
			p.opaque = true;
			break;
		case 'q':
			/* there are no warnings */
			break;
		case 'w': /* without meaning since long */
			break;
		case 'X':
			p.all = p.hex = true;
			break;
		case 'x':
			p.hex = true;
			break;
		default:
			return sysctl_usage(v);
		}
	}
	if ((p.no_name && p.no_value) || (!p.all && o.ind == v->argc))
		return sysctl_usage(v);
	if (jail != NULL && file == NULL)
		return verb_usage(v, "-j jail stands before the other words");
	if (file != NULL && (image = state_open(v, file, jail)) == NULL)
		return 1;
	p.image = image;
	if (p.all && o.ind == v->argc)
		print_below(&p, "");
	for (int i = o.ind; i < v->argc; i++)
		do_word(&p, v->argv[i]);
	state_free(image);
	return p.status;
}

VERB_DEFINE(sysctl, .name = "sysctl",
    .usage = "sysctl [-j jail] [-dehiNnoqx] name[=value] ...\nsysctl [-j jail] [-dehNnoqx] -a\n"
	     "sysctl -M file [-j jail] [-dehiNnoqx] -a | name ...",
    .summary = "read and set named values of a stack or of the program", .run = sysctl_run,
    .flags = VERB_HAS_JAIL, .state_options = sysctl_options);
