/*
 * set.c - sets of rules: rules move between them, and a set can be switched off.
 *
 * Each of these is a change of the chain like any other (chain.c): packets see all of it or nothing.
 */
#include "ipfw/chain_internal.h"

#include <errno.h>

/* Give each rule the set that fn says (its own one: nothing changes); the default rule stays. */
static int
change_sets(uint8_t (*fn)(const struct fw_rule *r, uint32_t a, uint32_t b), uint32_t a, uint32_t b)
{
	struct fw_change *c;
	int end, error = 0;

	fw_change_begin();
	c = fw_change_open();
	if (c == NULL)
		error = -ENOMEM;
	for (uint32_t i = 0; c != NULL && i + 1 < c->n; i++) {
		struct fw_rule *r = c->entry[i].rule;
		uint8_t set = fn(r, a, b);

		c->dirty = c->dirty || set != r->set;
		r->set = set;
	}
	end = fw_change_end();
	return error != 0 ? error : end;
}

static uint8_t
moved_rule(const struct fw_rule *r, uint32_t number, uint32_t set)
{
	return r->number == number ? (uint8_t)set : r->set;
}

static uint8_t
moved_set(const struct fw_rule *r, uint32_t from, uint32_t to)
{
	return r->set == from ? (uint8_t)to : r->set;
}

static uint8_t
swapped_set(const struct fw_rule *r, uint32_t a, uint32_t b)
{
	return r->set == a ? (uint8_t)b : r->set == b ? (uint8_t)a : r->set;
}

int
fw_move_rules(uint16_t number, uint8_t set)
{
	if (number == FW_NUMBER_MAX || set >= FW_SETS)
		return -EINVAL;
	return change_sets(moved_rule, number, set);
}

int
fw_move_set(uint8_t from, uint8_t to)
{
	if (from >= FW_SETS || to >= FW_SETS)
		return -EINVAL;
	return change_sets(moved_set, from, to);
}

int
fw_swap_sets(uint8_t a, uint8_t b)
{
	if (a >= FW_SETS || b >= FW_SETS)
		return -EINVAL;
	return change_sets(swapped_set, a, b);
}

int
fw_set_enable(uint32_t disable, uint32_t enable)
{
	struct fw_change *c;
	uint32_t disabled;
	int end, error = 0;

	if (disable & enable || disable >> FW_SET_RESERVED & 1)
		return -EINVAL;
	fw_change_begin();
	c = fw_change_open();
	if (c == NULL) {
		error = -ENOMEM;
	} else {
		disabled = (c->disabled | disable) & ~enable;
		c->dirty = c->dirty || disabled != c->disabled;
		c->disabled = disabled;
	}
	end = fw_change_end();
	return error != 0 ? error : end;
}
