/*
 * words.c - the words before the tool.
 */
#include "cli/cli.h"

#include "control/ctl_client.h"
#include "kern/verb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int __attribute__((format(printf, 2, 3))) refuse(char **why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(why, fmt, ap) < 0)
		*why = NULL;
	va_end(ap);
	return -EINVAL;
}

/*
 * The value of option `name` ("-j", "--jail") if argv[*at] is it: "-j J", "-jJ", "--jail J",
 * "--jail=J". 1 and *at on its last word; 0 if it is another word; -EINVAL without a value.
 */
static int
option_value(int argc, char **argv, int *at, const char *name, const char **value, char **why)
{
	const char *word = argv[*at];
	size_t len = strlen(name);

	if (strncmp(word, name, len) != 0)
		return 0;
	if (word[len] == '\0') {
		if (*at + 1 >= argc)
			return refuse(why, "%s: a value is missing", name);
		*value = argv[++*at];
		return 1;
	}
	if (name[1] == '-' && word[len] != '=')
		return 0;
	*value = word + len + (name[1] == '-');
	if ((*value)[0] == '\0')
		return refuse(why, "%s: a value is missing", name);
	return 1;
}

/*
 * One option of those before the tool. 1 if taken (*at on its last word), 0 if it is none, -EINVAL.
 */
static int
option(int argc, char **argv, int *at, struct cli_words *w, char **why)
{
	const char *word = argv[*at], *value = NULL;
	uint64_t number;
	int taken;

	if (strcmp(word, "--json") == 0) {
		w->json = true;
		return 1;
	}
	if (strncmp(word, "--libxo:", 8) == 0) {
		value = word + 8;
		taken = 1;
	} else {
		taken = option_value(argc, argv, at, "--libxo", &value, why);
	}
	if (taken != 0) {
		if (taken > 0 && strncmp(value, "json", 4) != 0)
			return refuse(why, "--libxo %s: only json is known", value);
		w->json = true;
		return taken;
	}
	if ((taken = option_value(argc, argv, at, "--jail", &w->jail, why)) != 0 ||
	    (taken = option_value(argc, argv, at, "-j", &w->jail, why)) != 0 ||
	    (taken = option_value(argc, argv, at, "--socket", &w->socket, why)) != 0)
		return taken;
	if ((taken = option_value(argc, argv, at, "--fib", &value, why)) != 0) {
		if (taken > 0 && !verb_number(value, 0, 15, &number))
			return refuse(why, "--fib %s: not a number of 0 to 15", value);
		if (taken > 0)
			w->fib = (uint8_t)number;
		return taken;
	}
	return 0;
}

/* The verb that the program is called as: a link's name, or NULL. */
static const struct verb *
called_as(const char *path)
{
	const char *name;

	if (path == NULL)
		return NULL;
	name = strrchr(path, '/');
	name = name == NULL ? path : name + 1;
	return strcmp(name, "warren") == 0 ? NULL : verb_find(name);
}

/* Does the tool say by itself for which jail it is? Then the environment's is not asked. */
static bool
names_its_jail(const struct cli_words *w)
{
	const struct verb *verb = w->argc > 0 ? verb_find(w->argv[0]) : NULL;

	return verb != NULL && (verb->flags & VERB_HAS_JAIL) && w->argc > 1 &&
	    strncmp(w->argv[1], "-j", 2) == 0;
}

static char help_word[] = "help", version_word[] = "version";

int
cli_words(int argc, char **argv, struct cli_words *w, char **why)
{
	static char *help[] = { help_word, NULL }, *version[] = { version_word, NULL };
	const struct verb *as = called_as(argc > 0 ? argv[0] : NULL);
	const char *env = getenv("WARREN_JAIL");
	int at = 1;

	*w = (struct cli_words){ .socket = ctl_default_path() };
	if (as != NULL) {
		w->argc = argc;
		w->argv = argv;
		/* A link is called by a path; the tool is called by its name. */
		argv[0] = strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1;
	}
	for (; as == NULL && at < argc; at++) {
		int taken;

		if (argv[at][0] != '-' || argv[at][1] == '\0')
			break;
		if (strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "--help") == 0) {
			w->argc = 1;
			w->argv = help;
			return 0;
		}
		if (strcmp(argv[at], "-V") == 0 || strcmp(argv[at], "--version") == 0) {
			w->argc = 1;
			w->argv = version;
			return 0;
		}
		taken = option(argc, argv, &at, w, why);
		if (taken < 0)
			return taken;
		if (taken == 0)
			return refuse(why, "unknown option %s", argv[at]);
	}
	if (as == NULL) {
		w->argc = argc > at ? argc - at : 0;
		w->argv = argv + (argc > at ? at : argc);
	}
	if (w->jail == NULL && env != NULL && env[0] != '\0' && !names_its_jail(w))
		w->jail = env;
	return 0;
}
