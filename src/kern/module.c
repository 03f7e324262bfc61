/*
 * module.c - built-in modules under the file "kernel", and the tools kldstat, kldload and
 * kldunload.
 *
 * Rooms say their modules' names with MODULE_DEFINE. Plug-in files are not loaded yet: asking for
 * one is answered as if there were no such file.
 */
#include "kern/module.h"

#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

LINKERSET_DECLARE(module, const struct module);

uint64_t module_requests;
static struct sorted_set modules;

/* The kernel's file: everything that is linked. */
enum { KERNEL_ID = 1 };
extern char __executable_start[] __attribute__((weak));
extern char end[] __attribute__((weak));

static int
module_compare(const void *a, const void *b)
{
	const struct module *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const struct sorted_set *
module_list(void)
{
	SORTED_SET_MAKE(&modules, module, module_compare);
	return &modules;
}

const struct module *
module_find(const char *name)
{
	const struct sorted_set *list = module_list();

	for (size_t i = 0; i < list->n; i++) {
		const struct module *m = list->object[i];

		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

int
module_request(const char *name)
{
	if (module_find(name) != NULL)
		return 0;
	module_requests++;
	return -ENOENT;
}

/* A path or file name as a module's: its last part, without ".ko" or ".so". */
static void
file_module(const char *file, char *name, size_t len)
{
	const char *slash = strrchr(file, '/');
	size_t n;

	strncpy(name, slash != NULL ? slash + 1 : file, len - 1);
	name[len - 1] = '\0';
	n = strlen(name);
	if (n > 3 && (strcmp(name + n - 3, ".ko") == 0 || strcmp(name + n - 3, ".so") == 0))
		name[n - 3] = '\0';
}

static int
kldload_file(struct verb_run *v, const char *file, bool if_absent, bool verbose)
{
	char name[64];
	int error;

	file_module(file, name, sizeof(name));
	if (strcmp(name, "kernel") == 0 || module_find(name) != NULL) {
		if (!if_absent)
			return verb_error(v, 1, "can't load %s: %s", file, verb_strerror(EEXIST));
		if (verbose)
			emit_text(v->out, "%s is already loaded\n", file);
		return 0;
	}
	error = module_request(name);
	return error == 0 ? 0 : verb_error(v, 1, "can't load %s: %s", file, verb_strerror(error));
}

static int
kldload_run(struct verb_run *v)
{
	bool if_absent = false, verbose = false, quiet = false;
	struct verb_opts o;
	int c, status = 0;

	verb_opts_init(&o, v, v->argc, v->argv, "nqv");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'n':
			if_absent = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			verb_usage(v, NULL);
			return 1;
		}
	}
	if (o.ind == v->argc) {
		verb_usage(v, NULL);
		return 1;
	}
	if (v->prison != &prison0)
		return verb_error(v, 1, "can't load %s: %s", v->argv[o.ind], verb_strerror(EPERM));
	for (int i = o.ind; i < v->argc; i++)
		if (kldload_file(v, v->argv[i], if_absent, verbose && !quiet) != 0)
			status = 1;
	return status;
}
VERB_DEFINE(kldload, .name = "kldload", .usage = "kldload [-nqv] file ...",
    .summary = "load a module", .run = kldload_run);

static int
kldunload_run(struct verb_run *v)
{
	bool by_id = false;
	struct verb_opts o;
	uint64_t id;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "fvin");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'f':
		case 'v':
		case 'n':
			break;
		case 'i':
			by_id = true;
			break;
		default:
			verb_usage(v, NULL);
			return 1;
		}
	}
	if (o.ind == v->argc) {
		verb_usage(v, NULL);
		return 1;
	}
	if (v->prison != &prison0)
		return verb_error(v, 1, "can't unload file: %s", verb_strerror(EPERM));
	/* The one file there is can't go: so the first word decides. */
	if (by_id ? verb_number(v->argv[o.ind], 0, INT32_MAX, &id) && id == KERNEL_ID :
		    strcmp(v->argv[o.ind], "kernel") == 0)
		return verb_error(v, 1, "can't unload file: %s", verb_strerror(EBUSY));
	if (by_id)
		return verb_error(
		    v, 1, "can't find file with id %s: %s", v->argv[o.ind], verb_strerror(ENOENT));
	return verb_error(v, 1, "can't find file %s: %s", v->argv[o.ind], verb_strerror(ENOENT));
}
VERB_DEFINE(kldunload, .name = "kldunload",
    .usage = "kldunload [-fv] [-i] id ...\nkldunload [-fv] [-n] name ...",
    .summary = "unload a module", .run = kldunload_run);

static void
print_modules(struct emitter *e)
{
	const struct sorted_set *list = module_list();

	emit_text(e, "\tContains modules:\n\t\t Id Name\n");
	emit_list(e, "modules");
	for (size_t i = 0; i < list->n; i++) {
		emit_object(e, NULL);
		emit_uint(e, "id", "\t\t%3" PRIu64, i + 1);
		emit_str(e, "name", " %s", ((const struct module *)list->object[i])->name);
		emit_text(e, "\n");
		emit_end(e);
	}
	emit_end(e);
}

static void
print_kernel(struct emitter *e, bool verbose)
{
	size_t size = (size_t)(end - __executable_start);

	emit_text(e, "Id Refs Address%*s Size     Name\n", (int)sizeof(void *) * 2 - 5, "");
	emit_list(e, "file");
	emit_object(e, NULL);
	emit_uint(e, "id", "%2" PRIu64, KERNEL_ID);
	emit_uint(e, "refs", " %4" PRIu64, module_list()->n + 1);
	emit_text(e, " 0x%0*" PRIxPTR, (int)sizeof(void *) * 2, (uintptr_t)__executable_start);
	emit_uint(e, "size", " %-8" PRIx64, size);
	emit_str(e, "name", " %s", "kernel");
	emit_text(e, "\n");
	if (verbose)
		print_modules(e);
	emit_end(e);
	emit_end(e);
}

static int
print_module(struct verb_run *v, const char *name, bool quiet)
{
	const struct sorted_set *list = module_list();
	struct emitter *e = v->out;

	for (size_t i = 0; i < list->n; i++) {
		const struct module *m = list->object[i];

		if (strcmp(m->name, name) != 0)
			continue;
		if (quiet)
			return 0;
		emit_text(e, "Id  Refs Name\n");
		emit_object(e, "module");
		emit_uint(e, "id", "%3" PRIu64, i + 1);
		emit_uint(e, "refs", " %4" PRIu64, 1);
		emit_str(e, "name", " %s", m->name);
		emit_text(e, "\n");
		emit_end(e);
		return 0;
	}
	return quiet ? 1 :
		       verb_error(v, 1, "can't find module %s: %s", name, verb_strerror(ENOENT));
}

static int
kldstat_run(struct verb_run *v)
{
	bool quiet = false, verbose = false;
	const char *module = NULL, *file = NULL, *id = NULL;
	struct verb_opts o;
	uint64_t number;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "i:m:n:qv");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'i':
			id = o.arg;
			break;
		case 'm':
			module = o.arg;
			break;
		case 'n':
			file = o.arg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			verb_usage(v, NULL);
			return 1;
		}
	}
	if (o.ind != v->argc) {
		verb_usage(v, NULL);
		return 1;
	}
	if (module != NULL)
		return print_module(v, module, quiet);
	if (file != NULL && strcmp(file, "kernel") != 0)
		return quiet ?
		    1 :
		    verb_error(v, 1, "can't find file %s: %s", file, verb_strerror(ENOENT));
	if (id != NULL && (!verb_number(id, 0, INT32_MAX, &number) || number != KERNEL_ID))
		return quiet ?
		    1 :
		    verb_error(v, 1, "can't find file with id %s: %s", id, verb_strerror(ENOENT));
	if (!quiet)
		print_kernel(v->out, verbose);
	return 0;
}
VERB_DEFINE(kldstat, .name = "kldstat",
    .usage = "kldstat [-qv] [-i id] [-n file]\nkldstat [-q] [-m module]",
    .summary = "list the modules that are there", .run = kldstat_run, .flags = VERB_UNPRIVILEGED);
