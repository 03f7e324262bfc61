/*
 * print.c - a rule as words again, which make the same rule; and the line that lists it.
 *
 *	00100    12   1008 Mon Nov 23 10:00:00 2026 set 3 prob 0.500000 allow log tag 5
 *	    tcp from { 10.0.0.1 or table(2) } to any dst-port 80 in // comment
 *
 * in one line. Instructions that are no options stand before the others, and in the order of their
 * places (rule.h), so that a place's are a run of them.
 */
#include "ipfw/language.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
fw_put(struct fw_text *t, const char *fmt, ...)
{
	bool fits = t->len < t->room;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(fits ? t->text + t->len : NULL, fits ? t->room - t->len : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n;
}

/* --- body ------------------------------------------------------------------ */

/* A walk over the instructions; what stands at `at` is next. */
struct walk {
	const struct fw_rule *r;
	unsigned at;
	uint8_t proto; /* that services are named for */
};

enum place { PLACE_PROTO, PLACE_SRC, PLACE_SRC_PORT, PLACE_DST, PLACE_OPTION };

static enum place
place_of(const struct fw_insn *in)
{
	if ((in->flags & FW_OPTION) != 0)
		return PLACE_OPTION;
	switch ((enum fw_op)in->op) {
	case FW_OP_PROTO:
	case FW_OP_IP4:
	case FW_OP_IP6:
		return PLACE_PROTO;
	case FW_OP_SRC:
	case FW_OP_SRC6:
	case FW_OP_SRC_SET:
	case FW_OP_SRC_ME:
	case FW_OP_SRC_TABLE:
		return PLACE_SRC;
	case FW_OP_SRC_PORT:
		return PLACE_SRC_PORT;
	case FW_OP_DST:
	case FW_OP_DST6:
	case FW_OP_DST_SET:
	case FW_OP_DST_ME:
	case FW_OP_DST_TABLE:
		return PLACE_DST;
	default:
		return PLACE_OPTION;
	}
}

static void
print_insn(struct fw_text *t, const struct walk *w, const struct fw_insn *in, enum place place)
{
	if (place == PLACE_OPTION) {
		fw_print_option(t, in, w->proto);
		return;
	}
	if ((in->flags & FW_NOT) != 0)
		fw_put(t, "not ");
	if (place == PLACE_PROTO)
		fw_print_protocol(t, in);
	else if (place == PLACE_SRC_PORT)
		fw_print_list(t, in, FW_LIST_PORTS, w->proto);
	else
		fw_print_address(t, in);
}

/* One thing or a block, with a space before it. */
static void
print_block(struct fw_text *t, struct walk *w, enum place place)
{
	const struct fw_insn *in = &w->r->insn[w->at];
	bool is_block = (in->flags & FW_OR) != 0;

	fw_put(t, is_block ? " { " : " ");
	for (;; in++) {
		print_insn(t, w, in, place);
		w->at++;
		if ((in->flags & FW_OR) == 0 || w->at == w->r->n_insns)
			break;
		fw_put(t, " or ");
	}
	if (is_block)
		fw_put(t, " }");
}

static bool
is_at(const struct walk *w, enum place place)
{
	return w->at < w->r->n_insns && place_of(&w->r->insn[w->at]) == place;
}

static void
print_place(struct fw_text *t, struct walk *w, enum place place, const char *none)
{
	if (is_at(w, place))
		print_block(t, w, place);
	else
		fw_put(t, "%s", none);
}

/* "prob" has been said before the action. */
static struct walk
walk_begin(const struct fw_rule *r)
{
	struct walk w = { .r = r, .at = r->n_insns > 0 && r->insn[0].op == FW_OP_PROB };

	for (unsigned i = w.at; i < r->n_insns; i++)
		if (r->insn[i].op == FW_OP_PROTO && (r->insn[i].flags & FW_NOT) == 0)
			w.proto = (uint8_t)r->insn[i].n;
	return w;
}

static void
print_body(struct fw_text *t, const struct fw_rule *r)
{
	struct walk w = walk_begin(r);

	if (!(is_at(&w, PLACE_OPTION) || w.at == r->n_insns) ||
	    (t->flags & FW_PRINT_COMPACT) == 0) {
		print_place(t, &w, PLACE_PROTO, " ip");
		fw_put(t, " from");
		print_place(t, &w, PLACE_SRC, " any");
		print_place(t, &w, PLACE_SRC_PORT, "");
		fw_put(t, " to");
		print_place(t, &w, PLACE_DST, " any");
	}
	while (w.at < r->n_insns)
		print_block(t, &w, PLACE_OPTION);
}

/* --- head ------------------------------------------------------------------ */

/* As the time of last match ctime() would say it, in UTC; blanks of that width if there was none. */
static void
print_time(struct fw_text *t, uint64_t last_ns)
{
	time_t when = (time_t)(last_ns / NS_PER_SEC);
	char text[32];
	struct tm tm;

	if ((t->flags & FW_PRINT_EPOCH) != 0) {
		fw_put(t, "%10" PRIu64 " ", (uint64_t)when);
	} else if (last_ns == 0) {
		fw_put(t, "%25s", "");
	} else {
		gmtime_r(&when, &tm);
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
		fw_put(t, "%s ", text);
	}
}

/* Six decimals, or as many as it takes to read the same chance again. */
static void
print_prob(struct fw_text *t, uint32_t chance)
{
	char text[32];

	for (int decimals = 6; decimals <= 12; decimals++) {
		snprintf(text, sizeof(text), "%.*f", decimals, chance / 2147483648.0);
		if ((uint32_t)(strtod(text, NULL) * 2147483648.0 + 0.5) == chance)
			break;
	}
	fw_put(t, "prob %s ", text);
}

static void
print_head(struct fw_text *t, const struct fw_rule *r, int packets_width, int bytes_width)
{
	if ((t->flags & FW_PRINT_DISABLED) != 0)
		fw_put(t, "# DISABLED ");
	if ((t->flags & FW_PRINT_NO_NUMBER) == 0)
		fw_put(t, "%05u ", r->number);
	if ((t->flags & FW_PRINT_COUNTERS) != 0)
		fw_put(t, "%*" PRIu64 " %*" PRIu64 " ", packets_width, r->count.packets,
		    bytes_width, r->count.bytes);
	if ((t->flags & (FW_PRINT_TIME | FW_PRINT_EPOCH)) != 0)
		print_time(t, r->count.last_ns);
	if ((t->flags & FW_PRINT_SET) != 0)
		fw_put(t, "set %u ", r->set);
	if (r->n_insns > 0 && r->insn[0].op == FW_OP_PROB)
		print_prob(t, r->insn[0].arg);
}

/* --- the whole ------------------------------------------------------------- */

static void
print_rule(struct fw_text *t, const struct fw_rule *r, int packets_width, int bytes_width)
{
	print_head(t, r, packets_width, bytes_width);
	fw_print_action(t, r);
	fw_print_parameters(t, r);
	if (!r->no_body && (t->flags & FW_PRINT_BRIEF) == 0)
		print_body(t, r);
	if (r->comment != NULL)
		fw_put(t, " // %s", r->comment);
}

int
fw_rule_text(const struct fw_rule *r, unsigned flags, char *text, size_t len)
{
	struct fw_text t = { .text = text, .room = len, .flags = flags };

	print_rule(&t, r, 1, 1);
	return (int)t.len;
}

static void
emit_line(
    struct emitter *e, const struct fw_rule *r, unsigned flags, int packets_width, int bytes_width)
{
	char line[1024], *longer = NULL;
	struct fw_text t = { .text = line, .room = sizeof(line), .flags = flags };

	print_rule(&t, r, packets_width, bytes_width);
	if (t.len >= sizeof(line) && (longer = malloc(t.len + 1)) != NULL) {
		t = (struct fw_text){ .text = longer, .room = t.len + 1, .flags = flags };
		print_rule(&t, r, packets_width, bytes_width);
	}
	emit_text(e, "%s", longer != NULL ? longer : line);
	free(longer);
}

/* A part of the rule as a field. */
static void
emit_part(struct emitter *e, const char *name, const struct fw_rule *r, unsigned flags,
    void (*print)(struct fw_text *t, const struct fw_rule *r))
{
	struct fw_text t = { .flags = flags };
	char *text;
	size_t room;

	print(&t, r);
	room = t.len + 1;
	text = malloc(room);
	if (text == NULL)
		return;
	t = (struct fw_text){ .text = text, .room = room, .flags = flags };
	text[0] = '\0';
	print(&t, r);
	emit_str(e, name, NULL, text[0] == ' ' ? text + 1 : text);
	free(text);
}

static void
print_again(struct fw_text *t, const struct fw_rule *r)
{
	print_rule(t, r, 1, 1);
}

static void
emit_fields(struct emitter *e, const struct fw_rule *r, unsigned flags)
{
	emit_uint(e, "number", NULL, r->number);
	emit_uint(e, "set", NULL, r->set);
	emit_bool(e, "enabled", (flags & FW_PRINT_DISABLED) == 0);
	emit_uint(e, "packets", NULL, r->count.packets);
	emit_uint(e, "bytes", NULL, r->count.bytes);
	emit_uint(e, "last-match-ns", NULL, r->count.last_ns);
	if (r->n_insns > 0 && r->insn[0].op == FW_OP_PROB)
		emit_num(e, "prob", NULL, r->insn[0].arg / 2147483648.0, 9);
	emit_part(e, "action", r, 0, fw_print_action);
	emit_bool(e, "log", r->log);
	if (!r->no_body)
		emit_part(e, "body", r, flags & (FW_PRINT_NAMES | FW_PRINT_COMPACT), print_body);
	if (r->comment != NULL)
		emit_str(e, "comment", NULL, r->comment);
	emit_part(e, "rule", r, FW_PRINT_NO_NUMBER, print_again);
}

void
fw_rule_print(
    struct emitter *e, const struct fw_rule *r, unsigned flags, int packets_width, int bytes_width)
{
	if (emitter_form(e) == EMIT_JSON)
		emit_fields(e, r, flags);
	else
		emit_line(e, r, flags, packets_width, bytes_width);
}
