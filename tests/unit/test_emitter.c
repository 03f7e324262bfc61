/* One answer in two forms. */
#include "base/emitter.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>

static char got[200000];
static size_t got_len;
static int sink_calls;

static void
sink(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	assert_true(got_len + len < sizeof(got));
	memcpy(got + got_len, bytes, len);
	got_len += len;
	got[got_len] = '\0';
	sink_calls++;
}

static struct emitter *
start(enum emit_form form)
{
	got_len = 0;
	got[0] = '\0';
	sink_calls = 0;
	return emitter_new(form, sink, NULL);
}

static void
say_interface(struct emitter *e)
{
	emit_object(e, NULL);
	emit_list(e, "interface");
	emit_object(e, NULL);
	emit_str(e, "name", "%-5.5s", "epair0a");
	emit_uint(e, "mtu", " %5" PRIu64, 1500);
	emit_int(e, "metric", NULL, -3);
	emit_text(e, "\n");
	emit_num(e, "load", "%.1f%%\n", 12.34, 3);
	emit_bool(e, "up", true);
	emit_null(e, "peer");
	emit_str(e, NULL, "%s\n", "text only");
	emit_end(e);
	emit_object(e, NULL);
	emit_end(e);
	emit_end(e);
	emit_bool(e, "more", false);
	emit_end(e);
}

static void
test_text_shows_fields_by_their_formats_and_no_structure(void **state)
{
	struct emitter *e = start(EMIT_TEXT);

	(void)state;
	assert_int_equal(emitter_form(e), EMIT_TEXT);
	say_interface(e);
	emitter_free(e);
	assert_string_equal(got, "epair  1500\n12.3%\ntext only\n");
}

static void
test_json_shows_names_and_structure_on_one_line(void **state)
{
	struct emitter *e = start(EMIT_JSON);

	(void)state;
	say_interface(e);
	emitter_free(e);
	assert_string_equal(got,
	    "{\"interface\":[{\"name\":\"epair0a\",\"mtu\":1500,\"metric\":-3,"
	    "\"load\":12.340,\"up\":true,\"peer\":null},{}],\"more\":false}\n");
}

static void
test_numbers_reach_their_ends(void **state)
{
	struct emitter *e = start(EMIT_JSON);

	(void)state;
	emit_list(e, NULL);
	emit_uint(e, "", NULL, 0);
	emit_uint(e, "", NULL, UINT64_MAX);
	emit_int(e, "", NULL, INT64_MIN);
	emit_int(e, "", NULL, INT64_MAX);
	emit_num(e, "", NULL, -0.5, 0);
	emit_num(e, "", NULL, 1e20, 1);
	emit_num(e, "", NULL, (double)INFINITY, 1);
	emit_num(e, "", NULL, (double)NAN, 1);
	emitter_free(e);
	assert_string_equal(got,
	    "[0,18446744073709551615,-9223372036854775808,9223372036854775807,-0,"
	    "100000000000000000000.0,null,null]\n");
}

static void
test_strings_are_escaped_and_bad_utf8_is_replaced(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\n\r\t\b\f\x01\x1f\x7f", "\"\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x87",
		    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x87\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "a\xc3", "\"a\xef\xbf\xbd\"" },               /* cut off by the end */
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, /* overlong */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82z", "\"\xef\xbf\xbd\xef\xbf\xbdz\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct emitter *e = start(EMIT_JSON);

		emit_str(e, "", NULL, cases[i].in);
		emitter_free(e);
		got[got_len - 1] = '\0'; /* the newline */
		assert_string_equal(got, cases[i].out);
	}
}

static void
test_what_is_open_is_closed_at_the_end(void **state)
{
	struct emitter *e = start(EMIT_JSON);

	(void)state;
	emit_object(e, NULL);
	emit_list(e, "a");
	emit_object(e, NULL);
	emitter_free(e);
	assert_string_equal(got, "{\"a\":[{}]}\n");
	emitter_free(NULL);
}

static void
test_bytes_wait_for_a_flush_or_a_full_buffer(void **state)
{
	struct emitter *e = start(EMIT_TEXT);

	(void)state;
	emit_text(e, "one");
	assert_int_equal(got_len, 0);
	emit_flush(e);
	assert_string_equal(got, "one");
	for (int i = 0; i < 10000; i++)
		emit_text(e, "%05d\n", i);
	assert_true(sink_calls > 2 && sink_calls < 100);
	emitter_free(e);
	assert_int_equal(got_len, 3 + 60000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(atoi(got + 3 + i * 6), i);
}

static void
test_a_string_longer_than_the_buffer_comes_whole(void **state)
{
	char *longer = malloc(50001);

	(void)state;
	memset(longer, 'x', 50000);
	longer[50000] = '\0';
	for (int form = EMIT_TEXT; form <= EMIT_JSON; form++) {
		struct emitter *e = start((enum emit_form)form);

		emit_str(e, "", "<%s>", longer);
		emitter_free(e);
		assert_int_equal(got_len, form == EMIT_TEXT ? 50002 : 50003);
		assert_memory_equal(got + 1, longer, 50000);
	}
	free(longer);
}

static void
test_the_locale_of_the_program_does_not_show(void **state)
{
	/* Not on every machine; where there is none, the test says little. */
	static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
		"C.UTF-8" };
	struct emitter *e;

	(void)state;
	for (size_t i = 0; i < 4 && setlocale(LC_ALL, names[i]) == NULL; i++)
		;
	e = start(EMIT_JSON);
	emit_num(e, "", NULL, 1234567.25, 2);
	emitter_free(e);
	assert_string_equal(got, "1234567.25\n");
	e = start(EMIT_TEXT);
	emit_num(e, "", "%.2f", 1234567.25, 2);
	emitter_free(e);
	assert_string_equal(got, "1234567.25");
	setlocale(LC_ALL, "C");
}

static void
test_jansson_reads_back_what_was_said(void **state)
{
	struct emitter *e = start(EMIT_JSON);
	json_t *root, *list;
	char every[256];

	(void)state;
	for (int i = 0; i < 127; i++)
		every[i] = (char)(i + 1);
	every[127] = '\0';
	emit_object(e, NULL);
	emit_str(e, every, NULL, every);
	emit_list(e, "deep");
	for (int i = 0; i < 40; i++)
		emit_list(e, NULL);
	emitter_free(e);
	root = json_loads(got, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, every)), every);
	list = json_object_get(root, "deep");
	for (int i = 0; i < 40; i++)
		assert_non_null(list = json_array_get(list, 0));
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_shows_fields_by_their_formats_and_no_structure),
		cmocka_unit_test(test_json_shows_names_and_structure_on_one_line),
		cmocka_unit_test(test_numbers_reach_their_ends),
		cmocka_unit_test(test_strings_are_escaped_and_bad_utf8_is_replaced),
		cmocka_unit_test(test_what_is_open_is_closed_at_the_end),
		cmocka_unit_test(test_bytes_wait_for_a_flush_or_a_full_buffer),
		cmocka_unit_test(test_a_string_longer_than_the_buffer_comes_whole),
		cmocka_unit_test(test_the_locale_of_the_program_does_not_show),
		cmocka_unit_test(test_jansson_reads_back_what_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
