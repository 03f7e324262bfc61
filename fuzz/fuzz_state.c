/*
 * Bytes as a saved state: whatever they are, the tools end with 0 or 1, say one line when they
 * refuse, and touch nothing of the living stack.
 */
#include "kern/verb.h"
#include "kern/vnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int memory = -1;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	memory = memfd_create("state", 0);
	return memory < 0;
}

static void
insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void
run(const char *words)
{
	char line[128], *out, *err, *newline;
	int status;

	snprintf(line, sizeof(line), words, memory);
	status = verb_line(NULL, line, false, &out, &err);
	newline = strchr(err, '\n');
	insist(status == 0 || status == 1, "neither yes nor no");
	insist(status == 0 || (newline != NULL && newline[1] == '\0'), "not one line");
	free(out);
	free(err);
	insist(verb_line(NULL, line, true, NULL, NULL) == status, "another answer in JSON");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct audit_counts before;
	char leaks[256];

	audit_take(&before);
	insist(
	    ftruncate(memory, 0) == 0 && pwrite(memory, data, len, 0) == (ssize_t)len, "no file");
	run("netstat -Q -M /proc/self/fd/%d");
	run("netstat -m -M /proc/self/fd/%d");
	run("netstat -iW -M /proc/self/fd/%d");
	run("netstat -s -M /proc/self/fd/%d -j 1");
	run("sysctl -aox -M /proc/self/fd/%d");
	insist(audit_compare(&before, leaks, sizeof(leaks)) == 0, leaks);
	return 0;
}
