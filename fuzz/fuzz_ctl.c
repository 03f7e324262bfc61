/*
 * fuzz_ctl.c - bytes into a conversation of the control socket, in one piece and in two.
 *
 * What is left behind must be nothing: a command that waits goes with its conversation. Words that
 * the bytes make up are run, so a folder of our own keeps their files together.
 */
#include "control/ctl_server.h"
#include "control/process.h"

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/warren-fuzz-XXXXXX";
static int home; /* the fuzzer's own files lie where it was started */

/* Only if nothing was made in it. */
static void
clean(void)
{
	rmdir(folder);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home < 0 || mkdtemp(folder) == NULL)
		err(3, "%s", folder);
	atexit(clean);
	return 0;
}

static void
count(void *ctx, const void *bytes, unsigned len)
{
	(void)bytes;
	*(size_t *)ctx += len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t answered = 0, half = size > 0 ? data[0] % size : 0;
	struct ctl_conn *c;
	const char *why;

	if (chdir(folder) != 0)
		err(3, "%s", folder);
	if (process_start(CLOCK_VIRTUAL, 1, NULL, &why) != 0)
		errx(4, "%s", why);
	c = ctl_conn_new(count, &answered);
	if (c == NULL)
		errx(3, "no memory");
	if (ctl_conn_input(c, data, (unsigned)half) == 0)
		(void)ctl_conn_input(c, data + half, (unsigned)(size - half));
	ctl_conn_free(c);
	process_stop();
	if (fchdir(home) != 0)
		err(3, "fchdir");
	return 0;
}
