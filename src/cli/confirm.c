/*
 * confirm.c - "Are you sure? [yn]".
 */
#include "cli/confirm.h"

#include "kern/verb.h"

#include <stdio.h>
#include <unistd.h>

bool
confirmed(int argc, char **argv)
{
	const struct verb *verb = verb_find(argv[0]);
	const char *question = NULL;
	char answer[16];

	if (verb != NULL && verb->question != NULL && isatty(STDIN_FILENO))
		question = verb->question(argc, argv);
	while (question != NULL) {
		printf("%s [yn] ", question);
		fflush(stdout);
		if (fgets(answer, sizeof(answer), stdin) == NULL)
			return false;
		if (answer[0] == 'n' || answer[0] == 'N')
			return false;
		if (answer[0] == 'y' || answer[0] == 'Y')
			return true;
	}
	return true;
}
