/*
 * stdin_file.c - standard input for tools that read a file: `gunzip -c table.gz | warren route -q -f -`,
 * `warren ipfw -q - < rules`.
 */
#include "cli/stdin_file.h"

#include "cli/cli.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A lone - behind -f, or where ipfw and `dnctl record` have their file: at the end. */
static char **
stdin_word(int argc, char **argv)
{
	bool last_is_file = false;

	for (int i = 1; i < argc; i++) {
		last_is_file = last_is_file || strcmp(argv[i - 1], "ipfw") == 0 ||
		    strcmp(argv[i - 1], "record") == 0;
		if (strcmp(argv[i], "-") != 0)
			continue;
		if (strcmp(argv[i - 1], "-f") == 0 || (last_is_file && i == argc - 1))
			return &argv[i];
	}
	return NULL;
}

/* All of standard input into fd. 0 or -errno. */
static int
copy_to(int fd)
{
	static char room[1 << 16];
	ssize_t n, put;

	while ((n = read(STDIN_FILENO, room, sizeof(room))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (ssize_t done = 0; done < n; done += put)
			if ((put = write(fd, room + done, (size_t)(n - done))) < 0)
				return -errno;
	}
	return 0;
}

char *
stdin_file_make(int argc, char **argv, int *status)
{
	const char *dir = getenv("TMPDIR");
	char **word = stdin_word(argc, argv), *path = NULL;
	int fd, error;

	*status = 0;
	if (word == NULL)
		return NULL;
	if (asprintf(&path, "%s/warren-stdin.XXXXXX", dir != NULL ? dir : "/tmp") < 0)
		path = NULL;
	fd = path == NULL ? -1 : mkstemp(path);
	error = fd < 0 ? -errno : copy_to(fd);
	if (fd >= 0)
		close(fd);
	if (error == 0)
		return *word = path;
	fprintf(stderr, "warren: standard input: %s\n", strerror(-error));
	*status = CLI_ENVIRONMENT;
	if (fd >= 0)
		unlink(path);
	free(path);
	return NULL;
}

void
stdin_file_remove(char *path)
{
	if (path == NULL)
		return;
	unlink(path);
	free(path);
}
