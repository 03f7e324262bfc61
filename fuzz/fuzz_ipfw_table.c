/*
 * Lines of text as `ipfw table` commands. What a table then has is listed in order, and each entry's own
 * text names it again; the stack ends with all of it.
 */
#include "fuzz_stack.h"

#include "ipfw/table_internal.h"

enum { LINES_MAX = 64 };

int LLVMFuzzerInitialize(int *argc, char ***argv);

static void
insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void
check_table(const struct fw_table *t)
{
	uint32_t n;
	struct fw_table_entry **list = fw_table_sorted(t, &n);

	insist(n == fw_hash_count(t->hash), "an entry is not in the list");
	for (uint32_t i = 0; i < n; i++) {
		char text[FW_TABLE_KEY_TEXT], why[200];
		struct fw_table_key key;

		insist(i == 0 || fw_entry_compare(list[i - 1], list[i]) < 0, "out of order");
		insist(
		    fw_table_key_parse(t, fw_table_key_text(list[i], text), &key, why, sizeof(why)),
		    "a listed key can't be read");
		insist(fw_hash_find(t->hash, &key) == list[i], "a listed key is another one");
	}
	free(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = calloc(1, len + 1), *rest = text, *line, command[1024];
	struct fuzz_stack f;

	fuzz_begin(&f);
	insist(text != NULL, "no memory");
	memcpy(text, data, len);
	for (int i = 0; i < LINES_MAX && (line = strsep(&rest, "\n")) != NULL; i++) {
		snprintf(
		    command, sizeof(command), "ipfw %s table %s", i % 4 == 3 ? "-q" : "-i", line);
		verb_line(NULL, command, i % 8 == 7, NULL, NULL);
	}
	for (struct fw_table *t = fw_table_next(NULL); t != NULL; t = fw_table_next(t))
		check_table(t);
	fuzz_end(&f);
	free(text);
	return 0;
}
