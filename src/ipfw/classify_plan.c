/*
 * classify_plan.c - a rule taken apart: which field of a packet decides which of its instructions.
 *
 * An instruction, or a block of instructions joined by OR, is compiled when one field decides it.
 * What no field decides (tables, states, chance, options of headers) is left to the interpreter: the
 * rule is then not exact, and its candidates are evaluated in full.
 *
 *	exact		the compiled conditions say neither more nor less than the rule
 *	not exact	they say less: they let pass at least every packet that the rule matches
 */
#include "ipfw/classify_internal.h"

#include <stdlib.h>

/* RST and ACK of a TCP header. */
enum { TCP_ESTABLISHED = 0x04 | 0x10 };

static enum fw_field
iface_field(const struct fw_insn *insn, enum fw_field field)
{
	uint8_t how = insn->u.iface->how;

	return how == FW_IFACE_NAME || how == FW_IFACE_PREFIX ? field : FW_FIELD_NONE;
}

static enum fw_field
insn_field(const struct fw_insn *insn)
{
	if (insn->flags & FW_TABLEARG)
		return FW_FIELD_NONE;
	switch (insn->op) {
	case FW_OP_SRC_PORT:
		return FW_FIELD_SPORT;
	case FW_OP_DST_PORT:
		return FW_FIELD_DPORT;
	case FW_OP_PROTO:
		return FW_FIELD_PROTO;
	case FW_OP_IP4:
	case FW_OP_IP6:
	case FW_OP_IPVER:
	case FW_OP_IN:
	case FW_OP_LAYER2:
	case FW_OP_FRAG:
		return FW_FIELD_SHAPE;
	case FW_OP_ESTABLISHED:
	case FW_OP_TCPFLAGS:
		return FW_FIELD_TCP;
	case FW_OP_ICMPTYPE:
	case FW_OP_ICMP6TYPE:
		return FW_FIELD_ICMP;
	case FW_OP_RECV:
		return iface_field(insn, FW_FIELD_RECV);
	case FW_OP_XMIT:
		return iface_field(insn, FW_FIELD_XMIT);
	case FW_OP_VIA:
		return iface_field(insn, FW_FIELD_VIA);
	case FW_OP_SRC:
	case FW_OP_SRC6:
	case FW_OP_SRC_SET:
		return FW_FIELD_SRC;
	case FW_OP_DST:
	case FW_OP_DST6:
	case FW_OP_DST_SET:
		return FW_FIELD_DST;
	default:
		return FW_FIELD_NONE;
	}
}

/* Instructions of the block that begins here. */
static uint16_t
block_len(const struct fw_rule *r, uint16_t at)
{
	uint16_t end = at;

	while (end + 1 < r->n_insns && (r->insn[end].flags & FW_OR))
		end++;
	return (uint16_t)(end + 1 - at);
}

static enum fw_field
block_field(const struct fw_rule *r, uint16_t at, uint16_t len)
{
	enum fw_field field = insn_field(&r->insn[at]);

	for (uint16_t i = 1; i < len; i++)
		if (insn_field(&r->insn[at + i]) != field)
			return FW_FIELD_NONE;
	return field;
}

/* --- addresses ------------------------------------------------------------ */

static bool
prefix6(const struct in6 *mask)
{
	uint64_t hi = __builtin_bswap64(load64(mask->b)),
		 lo = __builtin_bswap64(load64(mask->b + 8));

	return (~hi & (~hi + 1)) == 0 && (~lo & (~lo + 1)) == 0 && (lo == 0 || ~hi == 0);
}

/* Are all the addresses that it names prefixes? */
static bool
insn_has_prefixes(const struct fw_insn *insn)
{
	if (insn->op == FW_OP_SRC_SET || insn->op == FW_OP_DST_SET)
		return false;
	for (uint32_t i = 0; i < insn->n; i++) {
		if (insn->op == FW_OP_SRC6 || insn->op == FW_OP_DST6) {
			if (!prefix6(&insn->u.net6[i].mask))
				return false;
		} else {
			uint32_t host = ~__builtin_bswap32(insn->u.net[i].mask);

			if ((host & (host + 1)) != 0)
				return false;
		}
	}
	return true;
}

/*
 * A block about addresses, of which a rule has one of each side compiled. Without NOT, what is no
 * prefix is widened to one; NOT of that would leave packets out.
 */
static bool
plan_address(struct fw_plan *p, enum fw_field field, uint16_t at, uint16_t len)
{
	unsigned side = field - FW_FIELD_SRC;
	bool prefixes = true, inverted = false;

	for (uint16_t i = 0; i < len; i++) {
		prefixes = prefixes && insn_has_prefixes(&p->rule->insn[at + i]);
		inverted = inverted || (p->rule->insn[at + i].flags & FW_NOT);
	}
	if ((p->used >> field & 1) || (inverted && (len > 1 || !prefixes)))
		return false;
	p->used |= (uint16_t)(1u << field);
	p->address[side] = at;
	p->address_n[side] = len;
	return prefixes;
}

/* --- a rule --------------------------------------------------------------- */

static void
plan_rule(struct fw_plan *p, const struct fw_rule *r)
{
	uint8_t blocks[FW_FIELDS] = { 0 };

	p->rule = r;
	p->exact = true;
	for (uint16_t at = 0, len; at < r->n_insns; at += len) {
		enum fw_field field;

		len = block_len(r, at);
		field = block_field(r, at, len);
		if (field == FW_FIELD_NONE)
			p->exact = false;
		else if (field >= FW_FIELDS_SMALL)
			p->exact = plan_address(p, field, at, len) && p->exact;
		else if (blocks[field]++ < FW_BLOCKS_MAX)
			p->used |= (uint16_t)(1u << field);
		else
			p->exact = false;
	}
}

/* --- names of interfaces -------------------------------------------------- */

static int
name_compare(const void *a, const void *b)
{
	const struct fw_name *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (int)y->prefix - (int)x->prefix;
}

static bool
name_fits(const struct fw_name *name, const char *ifname)
{
	return name->prefix ? strncmp(name->name, ifname, name->len) == 0 :
			      strcmp(name->name, ifname) == 0;
}

uint32_t
fw_name_class(const struct fw_name *names, uint32_t n, const char *ifname)
{
	/* In the order of names the last that fits is the longest. */
	for (uint32_t i = n; i-- > 0;)
		if (name_fits(&names[i], ifname))
			return i;
	return n;
}

static bool
insn_names(const struct fw_insn *insn)
{
	enum fw_field field = insn_field(insn);

	return field == FW_FIELD_RECV || field == FW_FIELD_XMIT || field == FW_FIELD_VIA;
}

static struct fw_name
name_of(const struct fw_iface *iface)
{
	struct fw_name name = { .prefix = iface->how == FW_IFACE_PREFIX };

	memcpy(name.name, iface->name, sizeof(name.name) - 1);
	name.len = (uint8_t)strlen(name.name);
	return name;
}

static bool
names_make(struct fw_plans *plans, const struct fw_map *map)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < map->n; i++)
		for (uint16_t j = 0; j < map->rule[i]->n_insns; j++)
			n += insn_names(&map->rule[i]->insn[j]);
	plans->names = calloc(n + 1, sizeof(*plans->names));
	if (plans->names == NULL)
		return false;
	for (uint32_t i = 0; i < map->n; i++)
		for (uint16_t j = 0; j < map->rule[i]->n_insns; j++)
			if (insn_names(&map->rule[i]->insn[j]))
				plans->names[kept++] = name_of(map->rule[i]->insn[j].u.iface);
	qsort(plans->names, n, sizeof(*plans->names), name_compare);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || name_compare(&plans->names[i], &plans->names[i - 1]) != 0)
			plans->names[plans->n_names++] = plans->names[i];
	return true;
}

/* The name class `value` as rules see it: does the pattern of the instruction fit all of its names? */
static bool
name_holds(const struct fw_insn *insn, const struct fw_plans *plans, uint32_t value)
{
	struct fw_name asked = name_of(insn->u.iface);

	if (value >= plans->n_names)
		return false;
	if (!asked.prefix && plans->names[value].prefix)
		return false;
	return name_fits(&asked, plans->names[value].name);
}

/* --- conditions ----------------------------------------------------------- */

static bool
in_ranges(const struct fw_insn *insn, uint32_t value)
{
	for (uint32_t i = 0; i < insn->n; i++)
		if (value >= insn->u.range[i].lo && value <= insn->u.range[i].hi)
			return true;
	return false;
}

static uint32_t
shape_version(uint32_t shape)
{
	const uint32_t ip = shape & FW_SHAPE_IP;

	return ip == FW_SHAPE_IP4 ? 4 : ip == FW_SHAPE_IP6 ? 6 : 0;
}

static bool
insn_holds(const struct fw_insn *insn, const struct fw_plans *plans, uint32_t value)
{
	switch (insn->op) {
	case FW_OP_SRC_PORT:
	case FW_OP_DST_PORT:
		return value != FW_NO_PORT && in_ranges(insn, value);
	case FW_OP_PROTO:
		return value == insn->n;
	case FW_OP_IP4:
		return shape_version(value) == 4;
	case FW_OP_IP6:
		return shape_version(value) == 6;
	case FW_OP_IPVER:
		return shape_version(value) != 0 && shape_version(value) == insn->n;
	case FW_OP_IN:
		return value & FW_SHAPE_IN;
	case FW_OP_LAYER2:
		return value & FW_SHAPE_LAYER2;
	case FW_OP_FRAG:
		return value & FW_SHAPE_LATER;
	case FW_OP_ESTABLISHED:
		return value < 256 && (value & TCP_ESTABLISHED);
	case FW_OP_TCPFLAGS:
		return value < 256 && (value & insn->n) == insn->n && (value & insn->arg) == 0;
	case FW_OP_ICMPTYPE:
		return value < 64 && (insn->u.num >> value & 1);
	case FW_OP_ICMP6TYPE:
		return value >= 256 && value < 512 &&
		    (insn->u.bits[(value - 256) / 64] >> value % 64 & 1);
	default: /* RECV, XMIT, VIA */
		return name_holds(insn, plans, value);
	}
}

bool
fw_cond_holds(const struct fw_cond *c, const struct fw_plans *plans, uint32_t value)
{
	for (unsigned b = 0; b < c->blocks; b++) {
		bool any = false;

		for (uint16_t i = 0; i < c->len[b] && !any; i++) {
			const struct fw_insn *insn = &c->rule->insn[c->block[b] + i];

			any = insn_holds(insn, plans, value) != !!(insn->flags & FW_NOT);
		}
		if (!any)
			return false;
	}
	return true;
}

/* --- the conditions of a field, each once --------------------------------- */

static void
cond_of(struct fw_cond *c, const struct fw_rule *r, enum fw_field field)
{
	*c = (struct fw_cond){ .rule = r };
	for (uint16_t at = 0, len; at < r->n_insns && c->blocks < FW_BLOCKS_MAX; at += len) {
		len = block_len(r, at);
		if (block_field(r, at, len) != field)
			continue;
		c->block[c->blocks] = at;
		c->len[c->blocks++] = len;
	}
}

/* What an instruction of a small field points to. */
static size_t
insn_list(const struct fw_insn *insn, const void **list)
{
	switch (insn->op) {
	case FW_OP_SRC_PORT:
	case FW_OP_DST_PORT:
		*list = insn->u.range;
		return insn->n * sizeof(*insn->u.range);
	case FW_OP_ICMP6TYPE:
		*list = insn->u.bits;
		return 32;
	case FW_OP_RECV:
	case FW_OP_XMIT:
	case FW_OP_VIA:
		*list = insn->u.iface;
		return sizeof(*insn->u.iface);
	default:
		*list = &insn->u.num;
		return sizeof(insn->u.num);
	}
}

static uint64_t
hash_bytes(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len-- > 0)
		h = (h ^ *b++) * 0x100000001b3; /* FNV-1a */
	return h;
}

static uint64_t
cond_hash(const struct fw_cond *c)
{
	uint64_t h = 0xcbf29ce484222325;

	for (unsigned b = 0; b < c->blocks; b++)
		for (uint16_t i = 0; i < c->len[b]; i++) {
			const struct fw_insn *insn = &c->rule->insn[c->block[b] + i];
			const void *list;
			size_t len = insn_list(insn, &list);

			h = hash_bytes(hash_bytes(h, insn, 8), list, len);
		}
	return h;
}

static bool
insn_same(const struct fw_insn *a, const struct fw_insn *b)
{
	const void *x, *y;

	return memcmp(a, b, 8) == 0 && insn_list(a, &x) == insn_list(b, &y) &&
	    memcmp(x, y, insn_list(a, &x)) == 0;
}

static bool
cond_same(const struct fw_cond *a, const struct fw_cond *b)
{
	if (a->blocks != b->blocks)
		return false;
	for (unsigned k = 0; k < a->blocks; k++) {
		if (a->len[k] != b->len[k])
			return false;
		for (uint16_t i = 0; i < a->len[k]; i++)
			if (!insn_same(
				&a->rule->insn[a->block[k] + i], b->rule->insn + b->block[k] + i))
				return false;
	}
	return true;
}

/* Number of the condition; a new one if nobody said it before. Table: numbers + 1, open addressing. */
static uint32_t
cond_file(struct fw_conds *conds, uint32_t *table, uint32_t mask, const struct fw_cond *c)
{
	uint32_t at = (uint32_t)(cond_hash(c) >> 16) & mask;

	while (table[at] != 0 && !cond_same(&conds->cond[table[at] - 1], c))
		at = (at + 1) & mask;
	if (table[at] == 0) {
		conds->cond[conds->n] = *c;
		table[at] = ++conds->n;
	}
	return table[at] - 1;
}

/* which[] of every position with the field's bit -> lists of positions by condition. */
static void
conds_lists(struct fw_conds *conds, const struct fw_plans *plans, const uint32_t *which,
    enum fw_field field)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < conds->n; i++) {
		conds->cond[i].first = at;
		at += conds->cond[i].rules;
		conds->cond[i].rules = 0;
	}
	for (uint32_t pos = 0; pos < plans->n; pos++) {
		struct fw_cond *c;

		if (!(plans->plan[plans->order[pos]].used >> field & 1))
			continue;
		c = &conds->cond[which[pos]];
		conds->position[c->first + c->rules++] = pos;
	}
}

bool
fw_conds_make(struct fw_conds *conds, const struct fw_plans *plans, enum fw_field field)
{
	uint32_t mask = 1, *table, *which;

	while (mask < 2 * plans->n)
		mask *= 2;
	*conds = (struct fw_conds){ .cond = calloc(plans->n, sizeof(*conds->cond)),
		.position = calloc(plans->n, sizeof(*conds->position)) };
	table = calloc(mask--, sizeof(*table));
	which = calloc(plans->n, sizeof(*which));
	if (conds->cond == NULL || conds->position == NULL || table == NULL || which == NULL) {
		free(table);
		free(which);
		fw_conds_free(conds);
		return false;
	}
	for (uint32_t pos = 0; pos < plans->n; pos++) {
		const struct fw_plan *p = &plans->plan[plans->order[pos]];
		struct fw_cond c;

		if (!(p->used >> field & 1))
			continue;
		cond_of(&c, p->rule, field);
		which[pos] = cond_file(conds, table, mask, &c);
		conds->cond[which[pos]].rules++;
	}
	conds_lists(conds, plans, which, field);
	free(table);
	free(which);
	return true;
}

void
fw_conds_free(struct fw_conds *conds)
{
	free(conds->cond);
	free(conds->position);
}

/* --- all rules ------------------------------------------------------------ */

bool
fw_plans_make(struct fw_plans *plans, const struct fw_map *map)
{
	*plans = (struct fw_plans){ .n = map->n, .compiled = (1u << FW_FIELDS) - 1 };
	plans->plan = calloc(map->n, sizeof(*plans->plan));
	plans->order = calloc(map->n, sizeof(*plans->order));
	if (plans->plan == NULL || plans->order == NULL || !names_make(plans, map)) {
		fw_plans_free(plans);
		return false;
	}
	for (uint32_t i = 0; i < map->n; i++)
		plan_rule(&plans->plan[i], map->rule[i]);
	return true;
}

void
fw_plans_free(struct fw_plans *plans)
{
	free(plans->plan);
	free(plans->order);
	free(plans->names);
}
