/*
 * process.c - the process as a whole: start and end of all floors, once, in order.
 *
 * Up: worker 0 and its clock, the seed, the tunables (while they still may be set), the kernel
 * floor. Down: the kernel floor with all its stacks, the loop, the worker. Between the two
 * everything may be started again: a test program does it a hundred times.
 */
#include "control/process.h"

#include "base/rng.h"
#include "kern/sysctl.h"
#include "kern/vnet.h"
#include "port/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool running;
static char why_text[512];

/* "net.fibs=4". 0 or -EINVAL, -ENOMEM with the reason in why_text. */
static int
tunable_set(const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	char reason[256] = "";
	char *name;
	int error;

	if (equals == NULL || equals == assignment) {
		snprintf(why_text, sizeof(why_text), "%s: not NAME=VALUE", assignment);
		return -EINVAL;
	}
	name = strndup(assignment, (size_t)(equals - assignment));
	if (name == NULL) {
		snprintf(why_text, sizeof(why_text), "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	error = sysctl_tune(name, equals + 1, reason, sizeof(reason));
	if (error != 0)
		snprintf(why_text, sizeof(why_text), "%s: %s", assignment,
		    reason[0] != '\0' ? reason : strerror(-error));
	free(name);
	return error == 0 ? 0 : -EINVAL;
}

int
process_start(enum clock_mode mode, uint64_t seed, const char *const *tunables, const char **why)
{
	int error = 0;

	if (why != NULL)
		*why = why_text;
	if (running || worker_attach(0, mode) == NULL) {
		snprintf(why_text, sizeof(why_text), "already started");
		return -EBUSY;
	}
	rng_process_seed = seed != 0 ? seed : 1;
	for (; error == 0 && tunables != NULL && *tunables != NULL; tunables++)
		error = tunable_set(*tunables);
	/* With a bad tunable too: the kernel's end is what puts the good ones before it back. */
	kern_init();
	running = true;
	if (error != 0)
		process_stop();
	return error;
}

void
process_stop(void)
{
	if (!running)
		return;
	kern_fini();
	loop_fini();
	worker_detach();
	running = false;
}
