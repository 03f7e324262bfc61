/*
 * Unit tests of how rules are listed (ipfw/print.c) and logged (action.c): columns, flags, JSON; and
 * that what is listed is the same rule again, for random rules of the whole grammar and for the rule
 * files that people have published (tests/data/ipfw; all that there are with LONG=1).
 */
#include "fw_rules.h"

#include "fw_random.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <jansson.h>

static void
expect_text(const struct fw_rule *r, unsigned flags, const char *expected)
{
	char *text = rule_listed(r, flags);

	assert_string_equal(text, expected);
	free(text);
}

/* --- the line -------------------------------------------------------------- */

static void
test_a_line_has_the_columns_that_were_asked_for(void **state)
{
	struct fw_rule *r = rule_of("100 set 3 prob 0.5 allow log tcp from any to any 80 // web");

	(void)state;
	r->count.packets = 12;
	r->count.bytes = 3456;
	r->count.last_ns = UINT64_C(1269432000) * 1000000000 + 5;
	expect_text(r, 0, "00100 prob 0.500000 allow log tcp from any to any dst-port 80 // web");
	expect_text(r, FW_PRINT_COUNTERS,
	    "00100 12 3456 prob 0.500000 allow log tcp from any to any dst-port 80 // web");
	expect_text(r, FW_PRINT_SET | FW_PRINT_DISABLED,
	    "# DISABLED 00100 set 3 prob 0.500000 allow log tcp from any to any dst-port 80 // "
	    "web");
	expect_text(r, FW_PRINT_TIME | FW_PRINT_BRIEF,
	    "00100 Wed Mar 24 12:00:00 2010 prob 0.500000 allow log // web");
	expect_text(
	    r, FW_PRINT_EPOCH | FW_PRINT_BRIEF, "00100 1269432000 prob 0.500000 allow log // web");
	expect_text(r, FW_PRINT_NO_NUMBER | FW_PRINT_NAMES,
	    "prob 0.500000 allow log tcp from any to any dst-port http // web");
	r->count.last_ns = 0;
	expect_text(r, FW_PRINT_TIME | FW_PRINT_BRIEF,
	    "00100                          prob 0.500000 allow log // web");
	expect_text(
	    r, FW_PRINT_EPOCH | FW_PRINT_BRIEF, "00100          0 prob 0.500000 allow log // web");
	fw_rule_rele(r);
}

static void
test_a_compact_line_leaves_out_what_is_any(void **state)
{
	static const char *const lines[][2] = {
		{ "allow ip from any to any", "00000 allow" },
		{ "allow ip from any to any in", "00000 allow in" },
		{ "allow tcp from any to any in", "00000 allow tcp from any to any in" },
		{ "allow ip from any to me", "00000 allow ip from any to me" },
		{ "allow ip from any 80 to any", "00000 allow ip from any 80 to any" },
		{ "allow ip from any to any 80", "00000 allow dst-port 80" },
		{ "allow ip4", "00000 allow ip4" },
		{ "count ip from any to any // x", "00000 count // x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct fw_rule *r = rule_of(lines[i][0]);

		expect_text(r, FW_PRINT_COMPACT, lines[i][1]);
		fw_rule_rele(r);
	}
}

static void
test_text_is_cut_but_counted_in_full(void **state)
{
	struct fw_rule *r = rule_of("allow tcp from any to any");
	char text[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(fw_rule_text(r, FW_PRINT_NO_NUMBER, text, sizeof(text)), 25);
	assert_string_equal(text, "allow t");
	assert_int_equal(fw_rule_text(r, FW_PRINT_NO_NUMBER, NULL, 0), 25);
	fw_rule_rele(r);
}

/* --- emitters -------------------------------------------------------------- */

struct said {
	char text[65536];
	size_t len;
};

static void
take_said(void *ctx, const char *bytes, size_t len)
{
	struct said *s = ctx;

	assert_true(s->len + len < sizeof(s->text));
	memcpy(s->text + s->len, bytes, len);
	s->len += len;
	s->text[s->len] = '\0';
}

static void
say(struct said *s, const struct fw_rule *r, enum emit_form form, unsigned flags)
{
	struct emitter *e = emitter_new(form, take_said, s);

	s->len = 0;
	s->text[0] = '\0';
	assert_non_null(e);
	if (form == EMIT_JSON)
		emit_object(e, NULL);
	fw_rule_print(e, r, flags, 6, 8);
	emitter_free(e);
}

static void
test_counters_stand_in_columns(void **state)
{
	struct fw_rule *r = rule_of("65000 deny ip from any to any");
	static struct said s;

	(void)state;
	r->count.packets = 7;
	r->count.bytes = 5000;
	say(&s, r, EMIT_TEXT, FW_PRINT_COUNTERS);
	assert_string_equal(s.text, "65000      7     5000 deny ip from any to any");
	fw_rule_rele(r);
}

static void
test_a_line_may_be_long(void **state)
{
	static char line[40000] = "allow ip from 10.0.0.1";
	static struct said s;
	struct fw_rule *r;

	(void)state;
	for (int i = 0; i < 1000; i++)
		snprintf(line + strlen(line), 32, ",10.100.%d.%d", i / 200, i % 200);
	strcat(line, " to any");
	r = rule_of(line);
	say(&s, r, EMIT_TEXT, FW_PRINT_NO_NUMBER);
	assert_string_equal(s.text, line);
	fw_rule_rele(r);
}

static void
test_json_has_the_parts_of_a_rule(void **state)
{
	struct fw_rule *r = rule_of(
	    "100 set 3 prob 0.25 skipto 500 log tcp from any to 10.0.0.1 80 in // web");
	static struct said s;
	json_t *o;

	(void)state;
	r->count.packets = 12;
	r->count.bytes = 3456;
	say(&s, r, EMIT_JSON, FW_PRINT_DISABLED);
	o = json_loads(s.text, 0, NULL);
	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "number")), 100);
	assert_int_equal(json_integer_value(json_object_get(o, "set")), 3);
	assert_false(json_boolean_value(json_object_get(o, "enabled")));
	assert_int_equal(json_integer_value(json_object_get(o, "packets")), 12);
	assert_int_equal(json_integer_value(json_object_get(o, "bytes")), 3456);
	assert_true(json_real_value(json_object_get(o, "prob")) == 0.25);
	assert_string_equal(json_string_value(json_object_get(o, "action")), "skipto 500");
	assert_true(json_boolean_value(json_object_get(o, "log")));
	assert_string_equal(json_string_value(json_object_get(o, "body")),
	    "tcp from any to 10.0.0.1 dst-port 80 in");
	assert_string_equal(json_string_value(json_object_get(o, "comment")), "web");
	assert_string_equal(json_string_value(json_object_get(o, "rule")),
	    "prob 0.250000 skipto 500 log tcp from any to 10.0.0.1 dst-port 80 in // web");
	json_decref(o);
	fw_rule_rele(r);
}

static void
test_logs_call_actions_by_their_own_names(void **state)
{
	static const struct {
		const char *line;
		uint32_t arg; /* 0: the rule's */
		const char *text;
	} actions[] = { { "allow", 0, "Accept" }, { "deny", 0, "Deny" }, { "reject", 0, "Reject" },
		{ "reset", 0, "Reset" }, { "unreach port", 0, "Unreach 3" },
		{ "unreach6 port", 0, "Unreach 4" }, { "count", 0, "Count" },
		{ "divert 8668", 0, "Divert 8668" }, { "tee 5", 0, "Tee 5" },
		{ "setfib 3", 0, "SetFib 3" }, { "skipto 500", 0, "SkipTo 500" },
		{ "skipto tablearg", 700, "SkipTo 700" }, { "pipe 1", 0, "Pipe 1" },
		{ "queue 2", 0, "Queue 2" }, { "fwd 10.0.0.1", 0, "Forward to 10.0.0.1" },
		{ "fwd 10.0.0.1,80", 0, "Forward to 10.0.0.1:80" },
		{ "fwd tablearg,80", 0x0a000001, "Forward to 10.0.0.1:80" },
		{ "fwd ::1", 0, "Forward to ::1" }, { "fwd ::1,80", 0, "Forward to [::1]:80" },
		{ "netgraph 7", 0, "Netgraph 7" }, { "ngtee 8", 0, "Ngtee 8" },
		{ "nat 3", 0, "Nat" }, { "reass", 0, "Reass" }, { "call 10", 0, "Call 10" } };

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct fw_rule *r = rule_of(actions[i].line);
		char text[64];
		int len = fw_action_text(
		    r, actions[i].arg != 0 ? actions[i].arg : r->arg, text, sizeof(text));

		assert_string_equal(text, actions[i].text);
		assert_int_equal(len, strlen(text));
		fw_rule_rele(r);
	}
}

/* --- random rules ---------------------------------------------------------- */

static void
must_return_in_every_form(const char *line, const struct fw_rule *r)
{
	static const unsigned forms[] = { 0, FW_PRINT_COMPACT, FW_PRINT_SET, FW_PRINT_NAMES,
		FW_PRINT_NO_NUMBER | FW_PRINT_COMPACT };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		rule_must_return(line, r, forms[i]);
}

static void
test_random_rules_return_from_their_listing(void **state)
{
	unsigned rules = getenv("LONG") != NULL ? 200000 : 5000;
	static struct random_rule m;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "rules");
	m.rng = &rng;
	for (unsigned i = 0; i < rules; i++) {
		struct fw_rule *r = rule_of(random_rule(&m));

		must_return_in_every_form(m.line, r);
		fw_rule_rele(r);
		if (i % 1000 == 0)
			rcu_synchronize();
	}
}

/* --- rules that people have published -------------------------------------- */

/* What in them is no word of this language, and that it is what the message names. */
static const char *const refused[] = {
	"invalid action [nat64lsn]",    /* NAT64 came in 2018 */
	"unrecognised option [mf]",     /* so did flags behind frag */
	"bad address \"$\"",            /* a variable of a shell that was empty */
	"unrecognised option [$]",      /* likewise */
	"missing \"to\" before [$]",    /* likewise */
	"unknown uid \"transmission\"", /* a user of that machine only */
	"invalid protocol [asdfip]",    /* faulty on purpose, and so are these */
	"rule number 65555 out of range", "rule number 88888 out of range",
	"interface \"FORGOT_NUMBER_NOERR\" is too long", "missing action", /* "add" alone */
};

static bool
is_refused_as_known(const char *why)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(why, refused[i]) == 0)
			return true;
	return false;
}

/* The words behind "add" of "ipfw -q add …" or "add …"; NULL: another command. */
static char *
behind_add(char *line)
{
	char *word;

	line[strcspn(line, "\n")] = '\0';
	while ((word = strsep(&line, " ")) != NULL)
		if (strcmp(word, "add") == 0)
			return line != NULL ? line : word + strlen(word);
		else if (strcmp(word, "ipfw") != 0 && word[0] != '-' && word[0] != '\0')
			return NULL;
	return NULL;
}

struct corpus {
	unsigned files, rules, refused;
};

static void
read_rules(struct corpus *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096], copy[4096], why[256], *words;

	assert_non_null(f);
	c->files++;
	while (fgets(line, sizeof(line), f) != NULL) {
		struct fw_rule *r;

		strcpy(copy, line);
		words = behind_add(copy);
		if (words == NULL)
			continue;
		r = fw_rule_parse(1, &words, why, sizeof(why));
		if (r == NULL && !is_refused_as_known(why))
			print_error("%s: %s  %s\n", path, line, why);
		if (r == NULL) {
			assert_true(is_refused_as_known(why));
			c->refused++;
			continue;
		}
		c->rules++;
		must_return_in_every_form(line, r);
		fw_rule_rele(r);
	}
	fclose(f);
}

static bool
read_folder(struct corpus *c, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[1024];

	if (dir == NULL)
		return false;
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || (strcmp(dot, ".ipfw") != 0 && strcmp(dot, ".rules") != 0))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		read_rules(c, path);
	}
	closedir(dir);
	return true;
}

static void
test_published_rules_return_from_their_listing(void **state)
{
	const char *source = getenv("WARREN_SOURCE");
	struct corpus c = { 0 };
	char folder[1024];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/tests/data/ipfw", source != NULL ? source : ".");
	assert_true(read_folder(&c, folder));
	assert_true(c.files >= 10);
	assert_true(c.rules > 150);
}

static void
test_the_larger_collection_of_rules_does_too(void **state)
{
	const char *source = getenv("WARREN_SOURCE"), *data = getenv("WARREN_DATA");
	struct corpus c = { 0 };
	char folder[1024];

	(void)state;
	if (getenv("LONG") == NULL) {
		print_message("skipped: LONG=1 reads it\n");
		skip();
	}
	if (data != NULL)
		snprintf(folder, sizeof(folder), "%s/ipfw", data);
	else
		snprintf(folder, sizeof(folder), "%s/../shared/data/ipfw",
		    source != NULL ? source : ".");
	if (!read_folder(&c, folder)) {
		print_message("skipped: there is no %s\n", folder);
		skip();
	}
	assert_true(c.rules > 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULE_TEST(test_a_line_has_the_columns_that_were_asked_for),
		RULE_TEST(test_a_compact_line_leaves_out_what_is_any),
		RULE_TEST(test_text_is_cut_but_counted_in_full),
		RULE_TEST(test_counters_stand_in_columns),
		RULE_TEST(test_a_line_may_be_long),
		RULE_TEST(test_json_has_the_parts_of_a_rule),
		RULE_TEST(test_logs_call_actions_by_their_own_names),
		RULE_TEST(test_random_rules_return_from_their_listing),
		RULE_TEST(test_published_rules_return_from_their_listing),
		RULE_TEST(test_the_larger_collection_of_rules_does_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
