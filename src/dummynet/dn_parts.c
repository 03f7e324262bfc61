/*
 * dn_parts.c - the schedulers that there are: those that come with Warren, and those that are loaded
 * from a file. They are the process's; in use is what a scheduler of any of its stacks is.
 */
#include "dummynet/dn_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

LINKERSET_DECLARE(dn_sched_part, const struct dn_sched_part);

enum { PARTS_MAX = 64, LOADED_NUMBER_MIN = 64 };

struct known {
	const struct dn_sched_part *part;
	void *handle;    /* of dlopen; NULL: built in */
	bool registered; /* built-in ones stay here when they are unloaded */
	uint32_t used;   /* schedulers of it */
};
static struct known known[PARTS_MAX]; /* by number */
static uint32_t n_known;

static int
known_add(const struct dn_sched_part *part, void *handle)
{
	uint32_t i = n_known;

	if (n_known == PARTS_MAX)
		return -ENOMEM;
	for (; i > 0 && known[i - 1].part->number > part->number; i--)
		known[i] = known[i - 1];
	known[i] = (struct known){ .part = part, .handle = handle, .registered = true };
	n_known++;
	return 0;
}

static void
known_remove(struct known *k)
{
	memmove(k, k + 1, (size_t)(&known[n_known] - (k + 1)) * sizeof(*k));
	n_known--;
}

/* The built-in ones, at the first question. */
static void
known_fill(void)
{
	const struct dn_sched_part *const *p;

	if (n_known > 0)
		return;
	LINKERSET_FOREACH(p, dn_sched_part)
		(void)known_add(*p, NULL);
}

static struct known *
known_find(const char *name)
{
	known_fill();
	for (uint32_t i = 0; i < n_known; i++)
		if (strcasecmp(known[i].part->name, name) == 0)
			return &known[i];
	return NULL;
}

static struct known *
known_bynumber(uint32_t number)
{
	known_fill();
	for (uint32_t i = 0; i < n_known; i++)
		if (known[i].part->number == number)
			return &known[i];
	return NULL;
}

const struct dn_sched_part *
dn_sched_find(const char *name)
{
	const struct known *k = known_find(name);

	return k != NULL && k->registered ? k->part : NULL;
}

const struct dn_sched_part *
dn_sched_bynumber(uint32_t number)
{
	const struct known *k = known_bynumber(number);

	return k != NULL && k->registered ? k->part : NULL;
}

void
dn_sched_foreach(
    void (*fn)(void *ctx, const struct dn_sched_part *part, bool registered, uint32_t used),
    void *ctx)
{
	known_fill();
	for (uint32_t i = 0; i < n_known; i++)
		fn(ctx, known[i].part, known[i].registered, known[i].used);
}

const struct dn_sched_part *
dn_part_fifo(void)
{
	return dn_sched_find("FIFO");
}

/* WF2Q+, or FIFO where that is unloaded. */
const struct dn_sched_part *
dn_part_default(void)
{
	const struct dn_sched_part *part = dn_sched_find("WF2Q+");

	return part != NULL ? part : dn_part_fifo();
}

void
dn_part_ref(const struct dn_sched_part *part)
{
	known_bynumber(part->number)->used++;
}

void
dn_part_rele(const struct dn_sched_part *part)
{
	known_bynumber(part->number)->used--;
}

/* --- loaded and unloaded ---------------------------------------------------------------------- */

/* NULL: nothing is wrong with it. */
static const char *
part_fault(const struct dn_sched_part *part)
{
	if (part == NULL)
		return "it has no dn_sched_part_exported";
	if (part->name == NULL || part->name[0] == '\0' || part->enqueue == NULL ||
	    part->dequeue == NULL)
		return "its scheduler has no name, or no enqueue and dequeue";
	if (part->number < LOADED_NUMBER_MIN)
		return "its scheduler's number is not for loaded ones (64 and above)";
	return NULL;
}

static int
load_file(const char *path, const char **why)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct dn_sched_part *part;
	int error;

	if (handle == NULL) {
		*why = "no such file, or it can't be loaded";
		return -ENOENT;
	}
	part = dlsym(handle, "dn_sched_part_exported");
	if ((*why = part_fault(part)) != NULL) {
		error = -EINVAL;
	} else if (known_find(part->name) != NULL || known_bynumber(part->number) != NULL) {
		*why = "there is a scheduler of that name or number";
		error = -EEXIST;
	} else if ((error = known_add(part, handle)) != 0) {
		*why = "too many schedulers";
	}
	if (error != 0)
		dlclose(handle);
	return error;
}

int
dn_sched_load(const char *name, const char **why)
{
	struct known *k;

	if (strchr(name, '/') != NULL)
		return load_file(name, why);
	if ((k = known_find(name)) == NULL) {
		*why = "there is no such scheduler";
		return -ENOENT;
	}
	if (k->registered) {
		*why = "it is there already";
		return -EEXIST;
	}
	k->registered = true;
	return 0;
}

int
dn_sched_unload(const char *name)
{
	struct known *k = known_find(name);

	if (k == NULL || !k->registered)
		return -ENOENT;
	if (k->used > 0)
		return -EBUSY;
	k->registered = false;
	if (k->handle != NULL) {
		void *handle = k->handle;

		known_remove(k);
		dlclose(handle);
	}
	return 0;
}
