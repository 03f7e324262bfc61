/*
 * env.c - the tools under their own names, and the words that may follow, for shells.
 *
 *	eval "$(warren env)"		sh, bash, zsh
 *	warren env --shell fish | source
 *
 * The links lie beside the default socket, in a folder that is ours alone: whoever can write into a
 * folder on PATH can run anything as us.
 */
#include "cli/cli.h"

#include "base/emitter.h"
#include "control/complete.h"
#include "control/ctl_client.h"
#include "kern/verb.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct links {
	char folder[PATH_MAX];
	char program[PATH_MAX];
	int error;
};

/* Make a folder for us alone, or see that the one that is there is so. 0 or an errno. */
static int
private_folder(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return errno;
	if (lstat(path, &st) != 0)
		return errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0 ? 0 : EPERM;
}

static void
link_make(struct links *l, const char *name)
{
	char path[PATH_MAX + 64], temporary[PATH_MAX + 96], there[PATH_MAX];
	ssize_t n;

	if (l->error != 0)
		return;
	snprintf(path, sizeof(path), "%s/%s", l->folder, name);
	n = readlink(path, there, sizeof(there) - 1);
	if (n >= 0) {
		there[n] = '\0';
		if (strcmp(there, l->program) == 0)
			return;
	}
	/* Replaced in one step: a shell may be looking. */
	snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
	if (symlink(l->program, temporary) != 0 || rename(temporary, path) != 0)
		l->error = errno;
}

static void
link_make_verb(const struct verb *verb, void *ctx)
{
	link_make(ctx, verb->name);
}

/* Links to tools that this program doesn't have (an older one had them). */
static void
links_prune(const struct links *l)
{
	DIR *dir = opendir(l->folder);
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && verb_find(d->d_name) == NULL &&
		    strcmp(d->d_name, "warren") != 0)
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	if (dir != NULL)
		closedir(dir);
}

static int
links_make(struct links *l)
{
	const char *base = ctl_default_folder();
	ssize_t n = readlink("/proc/self/exe", l->program, sizeof(l->program) - 1);

	if (n < 0)
		return errno;
	l->program[n] = '\0';
	snprintf(l->folder, sizeof(l->folder), "%s/bin", base);
	l->error = private_folder(base);
	if (l->error == 0)
		l->error = private_folder(l->folder);
	if (l->error == 0) {
		links_prune(l);
		link_make(l, "warren");
		verb_foreach(link_make_verb, l);
	}
	return l->error;
}

/*
 * Between single quotes, as sh, csh and fish read them; fish knows \' inside, the others close and
 * open again.
 */
static void
print_quoted(const char *text, bool fish)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs(fish ? "\\'" : "'\\''", stdout);
		else if (*text == '\\' && fish)
			fputs("\\\\", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

enum shell { SHELL_SH, SHELL_CSH, SHELL_FISH, SHELL_UNKNOWN };

static enum shell
shell_of(const char *path)
{
	static const struct {
		const char *name;
		enum shell shell;
	} known[] = {
		{ "sh", SHELL_SH },
		{ "bash", SHELL_SH },
		{ "dash", SHELL_SH },
		{ "zsh", SHELL_SH },
		{ "ksh", SHELL_SH },
		{ "ash", SHELL_SH },
		{ "mksh", SHELL_SH },
		{ "csh", SHELL_CSH },
		{ "tcsh", SHELL_CSH },
		{ "fish", SHELL_FISH },
	};
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].shell;
	return SHELL_UNKNOWN;
}

int
cli_env(const struct cli_words *w)
{
	const char *env = getenv("SHELL");
	/* A shell that we don't know is most likely one that reads sh's words. */
	enum shell shell = env != NULL ? shell_of(env) : SHELL_SH;
	struct links l = {};
	bool json = w->json;
	int error;

	for (int i = 1; i < w->argc; i++) {
		if (strcmp(w->argv[i], "--shell") == 0 && i + 1 < w->argc) {
			shell = shell_of(w->argv[++i]);
			if (shell == SHELL_UNKNOWN)
				return cli_error(
				    w, CLI_WORDS, "--shell %s: sh, csh or fish", w->argv[i]);
		} else if (strcmp(w->argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(w->argv[i], "--libxo") == 0 && i + 1 < w->argc) {
			json = true;
			i++;
		} else {
			return cli_usage(w);
		}
	}
	error = links_make(&l);
	if (error != 0)
		return cli_error(w, CLI_ENVIRONMENT, "%s: %s", l.folder, strerror(error));
	if (json) {
		struct emitter *e = emitter_new(EMIT_JSON, cli_stdout, NULL);

		if (e == NULL)
			return CLI_ENVIRONMENT;
		emit_object(e, NULL);
		emit_str(e, "path", NULL, l.folder);
		emitter_free(e);
		return CLI_YES;
	}
	switch (shell) {
	case SHELL_CSH:
		fputs("setenv PATH ", stdout);
		print_quoted(l.folder, false);
		fputs(":\"$PATH\";\n", stdout);
		break;
	case SHELL_FISH:
		fputs("set -gx PATH ", stdout);
		print_quoted(l.folder, true);
		fputs(" $PATH;\n", stdout);
		break;
	default:
		fputs("export PATH=", stdout);
		print_quoted(l.folder, false);
		fputs(":\"$PATH\";\n", stdout);
		break;
	}
	return CLI_YES;
}

static void
print_word(void *ctx, const char *word)
{
	(void)ctx;
	puts(word);
}

static void
print_bytes(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	fwrite(bytes, 1, len, stdout);
}

/*
 * `warren complete WORD…`: for share/completion. The daemon knows its interfaces and jails; without
 * one there are still the names of tools.
 */
int
cli_complete(const struct cli_words *w)
{
	const struct ctl_sink sink = { .out = print_bytes };
	const char *first = w->argc > 1 ? w->argv[1] : "";

	if (w->argc <= 2)
		for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
			if (strncmp(v->name, first, strlen(first)) == 0)
				puts(v->name);
	if (w->argc > 2 && cli_verb_find(first) != NULL)
		return CLI_YES; /* files: the shell's own business */
	if (ctl_client_capture(w->socket, w->jail, false, w->argc, w->argv, &sink) != 0 &&
	    w->argc <= 2)
		complete_words(w->argc - 1, w->argv + 1, print_word, NULL);
	return CLI_YES;
}
