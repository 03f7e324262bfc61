/*
 * option_state.c - options with memory: keep-state and limit, and look-ups in tables.
 *
 *	keep-state [:name]    record-state [:name]    defer-immediate-action
 *	limit src-addr dst-port 5 [:name]    set-limit src-addr tablearg
 *	lookup dst-ip 3    lookup dst-port:0xfff0 services    flow table(calls)
 *
 * A rule makes one state at most, and it does so whatever else it says: never in a block, never
 * negated.
 */
#include "ipfw/language.h"

#include "inet/in.h"
#include "kern/verb.h"

#include <bsd/string.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- names of states ------------------------------------------------------- */

bool
fw_parse_state_name(struct fw_parse *p, bool any_allowed, char name[16])
{
	const char *word = fw_peek(p);

	if (word == NULL || word[0] != ':')
		return true;
	p->at++;
	word++;
	if (strcmp(word, "default") == 0)
		return true;
	if (*word == '\0' || strpbrk(word, "(){},/") != NULL ||
	    (!any_allowed && strcmp(word, "any") == 0))
		return fw_fail(p, "bad state name \":%s\"", word);
	if (strlcpy(name, word, 16) >= 16)
		return fw_fail(p, "state name \":%s\" is too long", word);
	return true;
}

/* --- states ---------------------------------------------------------------- */

static bool
stands_alone(struct fw_parse *p, const char *word)
{
	if (p->in_block)
		return fw_fail(p, "%s can't be part of a block", word);
	if (p->negated)
		return fw_fail(p, "not %s makes no sense", word);
	return true;
}

static struct fw_limit *
begin_state(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	struct fw_limit *limit;

	if (!stands_alone(p, o->word))
		return NULL;
	if (p->has_state) {
		fw_fail(p, "%s: only one keep-state or limit in a rule", o->word);
		return NULL;
	}
	p->has_state = true;
	limit = fw_rule_list(sizeof(*limit));
	in->u.limit = limit;
	if (limit == NULL)
		fw_no_memory(p);
	else
		limit->no_check = o->n != 0;
	return limit;
}

enum fw_made
fw_parse_state(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	struct fw_limit *limit = begin_state(p, o, in);

	return limit != NULL && fw_parse_state_name(p, false, limit->name) ? FW_MADE_INSN :
									     FW_MADE_FAULT;
}

static const struct fw_word limit_masks[] = {
	{ "src-addr", FW_LIMIT_SRC_ADDR },
	{ "src-port", FW_LIMIT_SRC_PORT },
	{ "dst-addr", FW_LIMIT_DST_ADDR },
	{ "dst-port", FW_LIMIT_DST_PORT },
	{ NULL, 0 },
};

static bool
parse_limit(
    struct fw_parse *p, const struct fw_option *o, struct fw_insn *in, struct fw_limit *limit)
{
	uint32_t mask;
	uint64_t max = 0;

	while (fw_peek(p) != NULL && fw_name_find(limit_masks, fw_peek(p), &mask)) {
		limit->mask = (uint8_t)(limit->mask | mask);
		p->at++;
	}
	if (limit->mask == 0)
		return fw_fail(p, "%s needs src-addr, src-port, dst-addr or dst-port before [%s]",
		    o->word, fw_peek(p) ?: "");
	if (fw_take(p, "tablearg"))
		in->flags |= FW_TABLEARG;
	else if (!fw_need_number(p, o->word, 0, UINT32_MAX, &max))
		return false;
	limit->max = (uint32_t)max;
	return fw_parse_state_name(p, false, limit->name);
}

enum fw_made
fw_parse_limit(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	struct fw_limit *limit = begin_state(p, o, in);

	return limit != NULL && parse_limit(p, o, in, limit) ? FW_MADE_INSN : FW_MADE_FAULT;
}

enum fw_made
fw_parse_defer(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	(void)in;
	return stands_alone(p, o->word) ? FW_MADE_INSN : FW_MADE_FAULT;
}

/* With its own space: mostly there is none. */
void
fw_print_state(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	if (in->u.limit->name[0] != '\0')
		fw_put(t, " :%s", in->u.limit->name);
}

void
fw_print_limit(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	for (const struct fw_word *mask = limit_masks; mask->word != NULL; mask++)
		if ((in->u.limit->mask & mask->value) != 0)
			fw_put(t, " %s", mask->word);
	if ((in->flags & FW_TABLEARG) != 0)
		fw_put(t, " tablearg");
	else
		fw_put(t, " %u", in->u.limit->max);
	fw_print_state(t, in, proto);
}

/* --- look-ups -------------------------------------------------------------- */

static const struct fw_word keys[] = {
	{ "dst-ip", FW_KEY_DST_IP },
	{ "src-ip", FW_KEY_SRC_IP },
	{ "dst-port", FW_KEY_DST_PORT },
	{ "src-port", FW_KEY_SRC_PORT },
	{ "uid", FW_KEY_UID },
	{ "jail", FW_KEY_JAIL },
	{ "dscp", FW_KEY_DSCP },
	{ NULL, 0 },
};

static bool
is_address(uint8_t key)
{
	return key == FW_KEY_DST_IP || key == FW_KEY_SRC_IP;
}

/* KEY or KEY:MASK. */
static bool
parse_key(struct fw_parse *p, const char *word, struct fw_table_match *m)
{
	size_t len = strcspn(word, ":");
	char key[16] = "";
	uint32_t value;
	uint64_t mask = 0;

	if (len < sizeof(key))
		memcpy(key, word, len);
	if (!fw_name_find(keys, key, &value))
		return fw_fail(p, "bad lookup key \"%s\"", word);
	m->key = (uint8_t)value;
	if (word[len] == '\0')
		return true;
	m->masked = true;
	if (is_address(m->key) ? in_aton(word + len + 1, &m->mask) :
				 verb_number(word + len + 1, 0, UINT32_MAX, &mask)) {
		if (!is_address(m->key))
			m->mask = (uint32_t)mask;
		return true;
	}
	return fw_fail(p, "bad mask of lookup key \"%s\"", word);
}

static bool
parse_lookup(struct fw_parse *p, const char *of, struct fw_table_match *m)
{
	const char *word = fw_need(p, of);

	if (word == NULL || !parse_key(p, word, m))
		return false;
	word = fw_need(p, of);
	return word != NULL && fw_parse_table_name(p, word, &m->table);
}

/* The table is referenced by the instruction as soon as that has it. */
enum fw_made
fw_parse_lookup(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	struct fw_table_match *m = fw_rule_list(sizeof(*m));

	if (m != NULL && parse_lookup(p, o->word, m)) {
		in->u.table = m;
		return FW_MADE_INSN;
	}
	if (m == NULL)
		fw_no_memory(p);
	vnet_free(m);
	return FW_MADE_FAULT;
}

void
fw_print_lookup(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	const struct fw_table_match *m = in->u.table;
	char text[16];

	(void)proto;
	fw_put(t, "%s", fw_name_of(keys, m->key));
	if (m->masked && is_address(m->key))
		fw_put(t, ":%s", in_ntoa(m->mask, text));
	else if (m->masked)
		fw_put(t, ":0x%x", m->mask);
	fw_put(t, " %s", fw_table_name(m->table));
}

enum fw_made
fw_parse_flow(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);

	if (word == NULL)
		return FW_MADE_FAULT;
	if (!fw_is_table(word)) {
		fw_fail(p, "flow needs table(NAME) before [%s]", word);
		return FW_MADE_FAULT;
	}
	in->u.table = fw_parse_table(p, word);
	return in->u.table != NULL ? FW_MADE_INSN : FW_MADE_FAULT;
}

void
fw_print_flow(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	fw_print_table(t, in->u.table);
}
