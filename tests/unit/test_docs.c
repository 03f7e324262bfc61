/*
 * The pages of docs/ that list what is registered say what is registered. With WARREN_WRITE_DOCS
 * set they are written anew instead: WARREN_WRITE_DOCS=1 build/tests/unit/test_docs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kern/drop.h"
#include "kern/sysctl.h"
#include "kern/verb.h"
#include "kern/vnet.h"

LINKERSET_DECLARE(drop, const struct drop_reason);

static struct audit_counts before;

static int
setup(void **state)
{
	(void)state;
	if (worker_attach(0, CLOCK_VIRTUAL) == NULL)
		return -1;
	audit_take(&before);
	kern_init();
	return 0;
}

static int
teardown(void **state)
{
	char text[256];
	int differ;

	(void)state;
	kern_fini();
	differ = audit_compare(&before, text, sizeof(text));
	if (differ != 0)
		print_error("left behind: %s\n", text);
	worker_detach();
	return differ;
}

static const char *
page_path(const char *name)
{
	static char path[512];
	const char *root = getenv("WARREN_SOURCE");

	snprintf(path, sizeof(path), "%s/docs/%s", root != NULL ? root : ".", name);
	return path;
}

/* The whole page; free() it. */
static char *
page_read(const char *name)
{
	FILE *f = fopen(page_path(name), "r");
	char *text = calloc(1, 1 << 20);

	if (f == NULL)
		fail_msg("%s is not there", page_path(name));
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/* Takes want. */
static void
page_compare(const char *name, char *want)
{
	char *text, *a, *b;

	if (getenv("WARREN_WRITE_DOCS") != NULL) {
		FILE *f = fopen(page_path(name), "w");

		assert_non_null(f);
		fputs(want, f);
		fclose(f);
	}
	text = page_read(name);
	for (a = text, b = want; *a != '\0' && *a == *b; a++, b++)
		continue;
	if (*a != *b)
		fail_msg(
		    "docs/%s differs from what is registered, behind:\n%.*s\nit says:\n%.80s\nshould be:\n%.80s\n"
		    "(WARREN_WRITE_DOCS=1 tests/unit/test_docs writes it anew)",
		    name, a - text > 80 ? 80 : (int)(a - text), a - (a - text > 80 ? 80 : a - text),
		    a, b);
	free(text);
	free(want);
}

/* A cell of a table: "|" would end it. */
static void
cell(FILE *f, const char *text)
{
	for (; *text != '\0'; text++)
		fprintf(f, *text == '|' ? "\\|" : "%c", *text);
}

static void
sysctl_bounds(FILE *f, const struct sysctl_oid *oid)
{
	if (oid->handler != NULL || oid->type == SYSCTL_T_BOOL || oid->type == SYSCTL_T_OPAQUE)
		return;
	if (oid->type == SYSCTL_T_STRING)
		fprintf(f, "%lld bytes", (long long)oid->max - 1);
	else if (oid->type != SYSCTL_T_U64 || oid->max != -1)
		fprintf(f, "%lld .. %lld", (long long)oid->min, (long long)oid->max);
}

static void
sysctl_row(const struct sysctl_oid *oid, void *ctx)
{
	static const char *const type[] = { "bool", "int", "uint", "u64", "string", "opaque" };
	FILE *f = ctx;
	char value[256] = "";

	if (oid->flags & SYSCTL_SKIP)
		return;
	/* what is computed at a read is not a default */
	if ((oid->flags & (SYSCTL_RW | SYSCTL_RDTUN)) && oid->type != SYSCTL_T_OPAQUE)
		sysctl_read(oid, value, sizeof(value));
	fprintf(f, "| %s | %s | ", oid->name, type[oid->type]);
	cell(f, value);
	fprintf(f, " | ");
	sysctl_bounds(f, oid);
	fprintf(f, " | %s, %s | ",
	    oid->flags & SYSCTL_RW        ? "set" :
		oid->flags & SYSCTL_RDTUN ? "at start" :
					    "read",
	    oid->flags & SYSCTL_VNET ? "stack" : "program");
	cell(f, oid->descr);
	fprintf(f, " |\n");
}

static void
test_the_page_of_sysctls_lists_them_all(void **state)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fprintf(f,
	    "# Sysctls\n\n"
	    "`sysctl -a` prints all values, `sysctl -d NAME` what one means, `sysctl NAME=VALUE` sets it. A value out of its\n"
	    "bounds is refused, never clamped. `set`: at any time; `at start`: with `-o NAME=VALUE` of `warren up`, `run` and\n"
	    "`test` or a lab's `tunables`; `read`: to read only. `stack`: each stack has its own; `program`: one for all.\n"
	    "This page is checked against the program (tests/unit/test_docs.c).\n\n"
	    "| name | type | default | bounds | when, whose | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
	sysctl_foreach("", sysctl_row, f);
	fclose(f);
	page_compare("sysctl.md", text);
}

static int
drop_order(const void *a, const void *b)
{
	const struct drop_reason *x = *(const struct drop_reason *const *)a;
	const struct drop_reason *y = *(const struct drop_reason *const *)b;
	int c = strcmp(x->layer, y->layer);

	return c != 0 ? c : strcmp(x->name, y->name);
}

static void
test_the_page_of_drops_lists_them_all(void **state)
{
	const size_t n = LINKERSET_COUNT(drop);
	const struct drop_reason **sorted = calloc(n, sizeof(*sorted));
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	memcpy(sorted, __start_set_drop, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), drop_order);
	fprintf(f,
	    "# Drops\n\n"
	    "A packet that a stack does not pass on is counted under a name. `netstat -s -p drop` and `show drops` print a\n"
	    "stack's counters, a lab's report those that are not zero, `drop.NAME` is a figure for expectations. A capture with\n"
	    "`drops: true`, and `tcpdump -k`, write the reason beside the packet ([captures.md](captures.md)).\n"
	    "What is *ignored* was not for this stack (another station's frame, a group that nobody here is in): it is counted\n"
	    "and shown, but nothing is lost, and a node's sum, `NODE.drops`, leaves it out.\n"
	    "This page is checked against the program (tests/unit/test_docs.c).\n\n"
	    "| name | meaning |\n| --- | --- |\n");
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "| %s.%s | ", sorted[i]->layer, sorted[i]->name);
		cell(f, sorted[i]->text);
		fprintf(f, "%s |\n", sorted[i]->ignored ? " (ignored)" : "");
	}
	fclose(f);
	free(sorted);
	page_compare("drops.md", text);
}

static void
verb_is_on_the_page(const struct verb *verb, void *ctx)
{
	const char *page = ctx, *line = verb->usage != NULL ? verb->usage : "";
	char want[256];

	snprintf(want, sizeof(want), "\n## %s\n", verb->name);
	if (strstr(page, want) == NULL)
		fail_msg("docs/commands.md has no section on %s", verb->name);
	snprintf(want, sizeof(want), "| [%s](#%s) |", verb->name, verb->name);
	if (strstr(page, want) == NULL)
		fail_msg("the table of docs/commands.md lacks %s", verb->name);
	while (*line != '\0') {
		size_t blank = strspn(line, " "), len = strcspn(line + blank, "\n");

		snprintf(want, sizeof(want), "%.*s\n", (int)len, line + blank);
		if (strstr(page, want) == NULL)
			fail_msg(
			    "docs/commands.md: %s is called in another way: %s", verb->name, want);
		line += blank + len;
		line += *line == '\n';
	}
}

static void
test_the_page_of_commands_has_every_verb_and_how_it_is_called(void **state)
{
	char *page = page_read("commands.md");

	(void)state;
	verb_foreach(verb_is_on_the_page, page);
	free(page);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_the_page_of_sysctls_lists_them_all),
		T(test_the_page_of_drops_lists_them_all),
		T(test_the_page_of_commands_has_every_verb_and_how_it_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
