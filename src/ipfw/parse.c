/*
 * parse.c - words become a rule.
 *
 *	[number] [set N] [prob P] ACTION [log …] [altq Q] [tag N] …	head, action.c
 *	[PROTO from SRC [PORTS] to DST [PORTS]]				body
 *	[OPTIONS]							option.c
 *	[// comment]
 *
 * Each of PROTO, SRC, DST and an option is one thing or a block { a or not b }. Until all words are
 * read, instructions stand in an array that grows, and own what they point to; then all is put in
 * one piece (rule.c).
 */
#include "ipfw/language.h"

#include "kern/verb.h"
#include "kern/vnet.h"

#include <stdlib.h>
#include <string.h>

static void
discard(const struct fw_insn *in)
{
	fw_insn_release_tables(in);
	fw_insn_free(in);
}

static void
discard_from(struct fw_parse *p, unsigned first)
{
	while (p->n_insns > first)
		discard(&p->insn[--p->n_insns]);
}

/* Takes what the instruction owns, also when there is no room. */
static bool
add_insn(struct fw_parse *p, const struct fw_insn *in)
{
	if (p->n_insns == FW_INSNS_MAX) {
		discard(in);
		return fw_fail(p, "more than %d conditions", FW_INSNS_MAX);
	}
	p->insn[p->n_insns++] = *in;
	return true;
}

/* --- blocks ---------------------------------------------------------------- */

typedef enum fw_made parse_one(struct fw_parse *p, struct fw_insn *in);

/* "not x", "! x", "!x". */
static bool
take_not(struct fw_parse *p)
{
	if (fw_take(p, "not") || fw_take(p, "!"))
		return true;
	if (p->at == p->n || p->word[p->at][0] != '!')
		return false;
	p->word[p->at]++;
	return true;
}

static bool
take_or(struct fw_parse *p)
{
	return fw_take(p, "or") || fw_take(p, "|");
}

/* [not] THING. */
static bool
parse_single(struct fw_parse *p, parse_one *one)
{
	struct fw_insn in = { 0 };
	const char *word;

	p->negated = take_not(p);
	word = fw_peek(p);
	switch (one(p, &in)) {
	case FW_MADE_INSN:
		if (p->negated)
			in.flags ^= FW_NOT;
		return add_insn(p, &in);
	case FW_MADE_ALWAYS:
		p->block_always = true;
		return !p->negated || fw_fail(p, "not %s never matches", word);
	case FW_MADE_FAULT:
		break;
	}
	discard(&in);
	return false;
}

/* A block, or one thing without braces. */
static bool
parse_block(struct fw_parse *p, parse_one *one)
{
	unsigned begin = p->n_insns;

	p->in_block = fw_take(p, "(");
	p->block_always = false;
	do
		if (!parse_single(p, one))
			return false;
	while (p->in_block && take_or(p));
	if (p->in_block && !fw_take(p, ")"))
		return fw_fail(p, "missing } or \"or\" before [%s]", fw_peek(p) ?: "");
	p->in_block = false;
	if (p->block_always)
		discard_from(p, begin);
	for (unsigned i = begin; i + 1 < p->n_insns; i++)
		p->insn[i].flags |= FW_OR;
	return true;
}

/* --- head ------------------------------------------------------------------ */

static bool
parse_number(struct fw_parse *p)
{
	const char *word = fw_peek(p);
	uint64_t number;

	if (word == NULL || word[0] < '0' || word[0] > '9')
		return true;
	if (!fw_need_number(p, "rule number", 0, FW_NUMBER_MAX, &number))
		return false;
	p->rule->number = (uint16_t)number;
	return true;
}

static bool
parse_set(struct fw_parse *p)
{
	uint64_t set;

	if (!fw_take(p, "set"))
		return true;
	if (!fw_need_number(p, "set", 0, FW_SETS - 1, &set))
		return false;
	p->rule->set = (uint8_t)set;
	return true;
}

static bool
parse_prob(struct fw_parse *p)
{
	struct fw_insn in = { .op = FW_OP_PROB };
	const char *word;
	char *end;
	double chance;

	if (!fw_take(p, "prob"))
		return true;
	word = fw_need(p, "prob");
	if (word == NULL)
		return false;
	chance = strtod(word, &end);
	/* no "nan", no "inf", no hexadecimal */
	if (*end != '\0' || strspn(word, "0123456789.eE-+") != strlen(word))
		return fw_fail(p, "prob \"%s\" is no number", word);
	if (!(chance >= 0 && chance <= 1))
		return fw_fail(p, "prob %s out of range", word);
	in.arg = (uint32_t)(chance * 0x80000000u + 0.5);
	return add_insn(p, &in);
}

/* --- body ------------------------------------------------------------------ */

static enum fw_made
body_protocol(struct fw_parse *p, struct fw_insn *in)
{
	const char *word = fw_need(p, "protocol");

	return word == NULL ? FW_MADE_FAULT : fw_parse_protocol(p, word, in);
}

static enum fw_made
body_address(struct fw_parse *p, struct fw_insn *in, enum fw_side side)
{
	const char *word = fw_need(p, side == FW_SRC ? "from" : "to");

	if (word == NULL)
		return FW_MADE_FAULT;
	return fw_parse_address(p, word, side, p->ip6_only ? FW_ONLY6 : FW_EITHER, in);
}

static enum fw_made
body_source(struct fw_parse *p, struct fw_insn *in)
{
	return body_address(p, in, FW_SRC);
}

static enum fw_made
body_destination(struct fw_parse *p, struct fw_insn *in)
{
	return body_address(p, in, FW_DST);
}

static enum fw_made
body_ports(struct fw_parse *p, struct fw_insn *in)
{
	const char *word = fw_next(p);

	if (strcmp(word, "any") == 0)
		return FW_MADE_ALWAYS;
	return fw_parse_list(p, word, FW_LIST_PORTS, "port", in) ? FW_MADE_INSN : FW_MADE_FAULT;
}

static enum fw_made
source_ports(struct fw_parse *p, struct fw_insn *in)
{
	in->op = FW_OP_SRC_PORT;
	return body_ports(p, in);
}

/* They are listed with their keyword, so that is how they are kept. */
static enum fw_made
destination_ports(struct fw_parse *p, struct fw_insn *in)
{
	in->op = FW_OP_DST_PORT;
	in->flags = FW_OPTION;
	return body_ports(p, in);
}

static bool
parse_ports(struct fw_parse *p, parse_one *one)
{
	const char *word = fw_peek(p);

	if (word != NULL && (strcmp(word, "not") == 0 || strcmp(word, "!") == 0))
		word = fw_peek_behind(p);
	else if (word != NULL && word[0] == '!')
		word++;
	if (word == NULL || fw_option_find(word) != NULL || !fw_looks_like_ports(word, p->proto))
		return true;
	return parse_single(p, one);
}

static bool
parse_keyword(struct fw_parse *p, const char *word)
{
	if (fw_take(p, word))
		return true;
	if (fw_peek(p) == NULL)
		return fw_fail(p, "missing \"%s\"", word);
	return fw_fail(p, "missing \"%s\" before [%s]", word, fw_peek(p));
}

/* Behind "ip6", addresses are of that family, and names too. */
static bool
parse_protocol(struct fw_parse *p)
{
	unsigned begin = p->n_insns;

	if (!parse_block(p, body_protocol))
		return false;
	p->ip6_only = p->n_insns == begin + 1 && p->insn[begin].op == FW_OP_IP6 &&
	    (p->insn[begin].flags & FW_NOT) == 0;
	return true;
}

static bool
parse_body(struct fw_parse *p)
{
	return parse_protocol(p) && parse_keyword(p, "from") && parse_block(p, body_source) &&
	    parse_ports(p, source_ports) && parse_keyword(p, "to") &&
	    parse_block(p, body_destination) && parse_ports(p, destination_ports);
}

/*
 * Options alone are a rule too, and some of their words are protocols' as well: a body is what has a
 * "from", or begins with a protocol that is nothing else.
 */
static bool
has_body(const struct fw_parse *p)
{
	unsigned at = p->at;
	uint8_t proto;

	for (unsigned i = p->at; i < p->n; i++)
		if (strcmp(p->word[i], "from") == 0)
			return true;
	while (at < p->n &&
	    (strcmp(p->word[at], "(") == 0 || strcmp(p->word[at], "not") == 0 ||
		strcmp(p->word[at], "!") == 0))
		at++;
	return at < p->n && fw_option_find(p->word[at]) == NULL &&
	    (fw_protocol_find(p->word[at], &proto) || strcmp(p->word[at], "ip") == 0 ||
		strcmp(p->word[at], "all") == 0);
}

/* --- options --------------------------------------------------------------- */

static enum fw_made
body_option(struct fw_parse *p, struct fw_insn *in)
{
	const char *word = fw_next(p);
	const struct fw_option *o;

	if (word == NULL) {
		fw_fail(p, "missing option");
		return FW_MADE_FAULT;
	}
	o = fw_option_find(word);
	if (o == NULL) {
		fw_fail(p, "unrecognised option [%s]", word);
		return FW_MADE_FAULT;
	}
	in->op = o->op;
	in->flags = FW_OPTION | (o->inverted ? FW_NOT : 0);
	in->n = o->n;
	in->arg = o->arg;
	return o->parse == NULL ? FW_MADE_INSN : o->parse(p, o, in);
}

static bool
parse_options(struct fw_parse *p)
{
	while (fw_peek(p) != NULL)
		if (!parse_block(p, body_option))
			return false;
	return true;
}

/* --- the whole ------------------------------------------------------------- */

/* "// text" alone, which is how a listing says it too: "count // text". */
static bool
is_comment_only(const struct fw_parse *p)
{
	const struct fw_rule *r = p->rule;

	return fw_peek(p) == NULL && p->comment != NULL && r->action == FW_ACT_COUNT && !r->log &&
	    r->tag == 0 && !r->tag_by_tablearg && r->untag == 0 && !r->untag_by_tablearg &&
	    r->altq[0] == '\0';
}

static bool
parse_conditions(struct fw_parse *p)
{
	unsigned begin = p->n_insns;

	p->rule->no_body = p->rule->action == FW_ACT_CHECK_STATE || is_comment_only(p);
	if (has_body(p) && !parse_body(p))
		return false;
	if (!parse_options(p))
		return false;
	/* generators of rules write "check-state ip from any to any" */
	if (p->rule->action == FW_ACT_CHECK_STATE && p->n_insns > begin)
		return fw_fail(p, "check-state takes no conditions");
	return true;
}

static bool
parse_rule(struct fw_parse *p)
{
	if (!parse_number(p) || !parse_set(p) || !parse_prob(p))
		return false;
	if (fw_peek(p) == NULL && p->has_comment)
		p->rule->action = FW_ACT_COUNT;
	else if (!fw_parse_action(p))
		return false;
	return parse_conditions(p);
}

static struct fw_rule *
finish(struct fw_parse *p)
{
	struct fw_rule *r;
	char *comment = NULL;

	if (p->comment != NULL) {
		comment = fw_rule_list(strlen(p->comment) + 1);
		if (comment == NULL)
			return NULL;
		strcpy(comment, p->comment);
	}
	p->rule->comment = comment;
	r = fw_rule_seal(p->rule, p->insn, p->n_insns);
	if (r == NULL)
		vnet_free(comment);
	else
		p->n_insns = 0;
	return r;
}

struct fw_rule *
fw_rule_parse(int argc, char *const argv[], char *why, size_t why_len)
{
	struct fw_insn insn[FW_INSNS_MAX];
	struct fw_rule fixed = { 0 };
	struct fw_parse p = { .rule = &fixed, .insn = insn, .why = why, .why_len = why_len };
	struct fw_rule *r = NULL;

	if (why_len > 0)
		why[0] = '\0';
	if (fw_words(&p, argc, argv) && parse_rule(&p)) {
		r = finish(&p);
		if (r == NULL)
			fw_no_memory(&p);
	}
	discard_from(&p, 0);
	free(p.word);
	free(p.text);
	free(p.line);
	return r;
}
