/*
 * ipfw_list.c - `ipfw list` and `ipfw show`: the rules, as they could be typed in again.
 */
#include "ipfw/command.h"
#include "ipfw/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
	struct verb_run *v;
	const struct fw_options *o;
	unsigned flags;
	int packets_width, bytes_width;
	uint32_t shown;
	uint64_t numbers[(FW_NUMBER_MAX + 1) / 64]; /* that words named, by bit */
};

static int
digits(uint64_t n)
{
	return snprintf(NULL, 0, "%" PRIu64, n);
}

/* Rules of a disabled set are to be seen with -S only. */
static bool
is_shown(const struct listing *l, bool enabled)
{
	return enabled || l->o->sets;
}

static int
widen(struct fw_rule *r, bool enabled, void *ctx)
{
	struct listing *l = ctx;
	int packets = digits(r->count.packets), bytes = digits(r->count.bytes);

	if (!is_shown(l, enabled))
		return 0;
	if (packets > l->packets_width)
		l->packets_width = packets;
	if (bytes > l->bytes_width)
		l->bytes_width = bytes;
	return 0;
}

static int
list_one(struct fw_rule *r, bool enabled, void *ctx)
{
	struct listing *l = ctx;

	if (!is_shown(l, enabled))
		return 0;
	l->shown++;
	emit_object(l->v->out, NULL);
	fw_rule_print(l->v->out, r, l->flags | (enabled ? 0u : FW_PRINT_DISABLED), l->packets_width,
	    l->bytes_width);
	emit_text(l->v->out, "\n");
	emit_end(l->v->out);
	return 0;
}

static int
list_selection(struct listing *l, const char *word)
{
	struct fw_selection s;

	if (!fw_selection_parse(word, l->o, &s))
		return verb_error(
		    l->v, EX_DATAERR_, "%s: rule numbers are 1 to 65535, ranges A-B", word);
	for (uint32_t number = s.lo; number <= s.hi; number++)
		l->numbers[number / 64] |= UINT64_C(1) << number % 64;
	if (l->o->only_dynamic)
		return 0;
	l->shown = 0;
	fw_foreach(&s, list_one, l);
	if (l->shown > 0)
		return 0;
	if (s.lo == s.hi)
		return verb_error(l->v, EX_UNAVAILABLE_, "rule %u does not exist", s.lo);
	return verb_error(l->v, EX_UNAVAILABLE_, "no rules in range %u-%u", s.lo, s.hi);
}

/* Each word in turn, as it was asked for; the first status that is not 0. */
static int
list_words(struct listing *l, int argc, char **argv)
{
	int status = 0, one;

	for (int i = 0; i < argc; i++) {
		char *rest = argv[i], *word;

		while ((word = strsep(&rest, ",")) != NULL) {
			one = list_selection(l, word);
			status = status == 0 ? one : status;
		}
	}
	return status;
}

static void
list_states(const struct listing *l, bool all)
{
	const struct fw_state_listing what = { .expired = l->o->expired,
		.sets = l->o->only_sets,
		.numbers = all ? NULL : l->numbers,
		.packets_width = l->packets_width,
		.bytes_width = l->bytes_width };

	fw_state_show(l->v->out, &what);
}

static int
list_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	struct fw_selection all = { .sets = o->only_sets };
	struct listing l = { .v = v, .o = o, .flags = fw_print_flags(o) };
	int status = 0;

	fw_foreach(&all, widen, &l);
	emit_list(v->out, "rule");
	if (argc > 0)
		status = list_words(&l, argc, argv);
	else if (!o->only_dynamic)
		fw_foreach(&all, list_one, &l);
	emit_end(v->out);
	if (o->dynamic || o->only_dynamic)
		list_states(&l, argc == 0);
	return status;
}
FW_SUBCOMMAND_DEFINE(list, .name = "list", .run = list_run,
    .usage = "ipfw [-abcdDeNStT] [set N] {list | show} [number | range ...]");

/* `show` is `-a list`. */
static int
show_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	struct fw_options counted = *o;

	counted.counters = true;
	return list_run(v, &counted, argc, argv);
}
FW_SUBCOMMAND_DEFINE(show, .name = "show", .run = show_run, .usage = "");
