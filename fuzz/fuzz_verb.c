/*
 * Lines of text as commands in a jail with a stack of its own, where everything is linked that
 * moves no bytes outside. Whatever they do, it ends with the jail: the leak audit must find
 * nothing.
 */
#include "base/sched.h"
#include "kern/jail.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 16 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	return 0;
}

static void
insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = calloc(1, len + 1), *rest = text, *line, leaks[256];
	struct audit_counts before;
	struct prison *pr;

	audit_take(&before);
	pr = prison_create(NULL, "f", true);
	insist(text != NULL && pr != NULL, "no memory");
	/* by hand: strict string checks want a NUL of strndup's source */
	memcpy(text, data, len);
	pr->children_max = 4;
	for (int i = 0; i < LINES_MAX && (line = strsep(&rest, "\n")) != NULL; i++) {
		verb_line(pr, line, i % 2 != 0, NULL, NULL);
		insist(curvnet == vnet0 && curprison == &prison0, "left in another stack or jail");
	}
	sched_run(clock_now() + 30 * NS_PER_SEC);
	insist(prison_remove(pr) == 0, "the jail does not go");
	insist(audit_compare(&before, leaks, sizeof(leaks)) == 0, leaks);
	free(text);
	return 0;
}
