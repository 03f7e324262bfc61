/*
 * rule.c - the life of a rule: made, compared, held, let go.
 *
 * A rule that the parser made is one piece of memory: what is fixed, the instructions, and behind
 * them the lists that they point to, so that a packet that meets it reads a line or two. A rule that
 * is built by hand has its lists elsewhere; both end in the same way.
 */
#include "ipfw/language.h"

#include "kern/vnet.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

static uint64_t rules;
AUDIT_COUNTER(fw_rule, "fw-rule", rules);

static struct fw_rule *
rule_alloc(size_t bytes)
{
	void *memory = vnet_malloc(bytes + CACHE_LINE);
	uintptr_t line = ((uintptr_t)memory + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1);
	struct fw_rule *r = (struct fw_rule *)line;

	if (memory == NULL)
		return NULL;
	r->memory = memory;
	r->bytes = bytes;
	r->refs = 1;
	__atomic_add_fetch(&rules, 1, __ATOMIC_RELAXED);
	return r;
}

struct fw_rule *
fw_rule_alloc(unsigned n_insns)
{
	struct fw_rule *r = rule_alloc(sizeof(*r) + n_insns * sizeof(r->insn[0]));

	if (r != NULL)
		r->n_insns = (uint16_t)n_insns;
	return r;
}

void *
fw_rule_list(size_t bytes)
{
	return vnet_malloc(bytes);
}

/* --- what instructions hold ------------------------------------------------ */

enum fw_operand
fw_insn_operand(const struct fw_insn *in)
{
	switch ((enum fw_op)in->op) {
	case FW_OP_SRC:
	case FW_OP_DST:
		return FW_OPERAND_NETS;
	case FW_OP_SRC6:
	case FW_OP_DST6:
		return FW_OPERAND_NETS6;
	case FW_OP_SRC_SET:
	case FW_OP_DST_SET:
		return FW_OPERAND_SET;
	case FW_OP_SRC_TABLE:
	case FW_OP_DST_TABLE:
	case FW_OP_LOOKUP:
	case FW_OP_FLOW:
		return FW_OPERAND_TABLE;
	case FW_OP_SRC_PORT:
	case FW_OP_DST_PORT:
	case FW_OP_MAC_TYPE:
	case FW_OP_IPID:
	case FW_OP_IPLEN:
	case FW_OP_IPTTL:
	case FW_OP_TCPWIN:
	case FW_OP_TCPDATALEN:
	case FW_OP_TCPMSS:
	case FW_OP_TAGGED:
		return FW_OPERAND_RANGES;
	case FW_OP_MAC:
		return FW_OPERAND_MAC;
	case FW_OP_RECV:
	case FW_OP_XMIT:
	case FW_OP_VIA:
		return FW_OPERAND_IFACE;
	case FW_OP_ICMP6TYPE:
		return FW_OPERAND_BITS;
	case FW_OP_FLOWID:
		return FW_OPERAND_LABELS;
	case FW_OP_KEEP_STATE:
	case FW_OP_LIMIT:
		return FW_OPERAND_LIMIT;
	default:
		return FW_OPERAND_VALUE;
	}
}

static const struct {
	size_t bytes;
	bool is_list;
} operands[] = {
	[FW_OPERAND_VALUE] = { 0, false },
	[FW_OPERAND_NETS] = { sizeof(struct fw_net), true },
	[FW_OPERAND_NETS6] = { sizeof(struct fw_net6), true },
	[FW_OPERAND_SET] = { sizeof(struct fw_set), false },
	[FW_OPERAND_TABLE] = { sizeof(struct fw_table_match), false },
	[FW_OPERAND_RANGES] = { sizeof(struct fw_range), true },
	[FW_OPERAND_MAC] = { sizeof(struct fw_mac), false },
	[FW_OPERAND_IFACE] = { sizeof(struct fw_iface), false },
	[FW_OPERAND_BITS] = { 4 * sizeof(uint64_t), false },
	[FW_OPERAND_LABELS] = { sizeof(uint32_t), true },
	[FW_OPERAND_LIMIT] = { sizeof(struct fw_limit), false },
};

size_t
fw_operand_bytes(enum fw_operand operand)
{
	return operands[operand].bytes;
}

size_t
fw_insn_bytes(const struct fw_insn *in)
{
	const enum fw_operand operand = fw_insn_operand(in);

	return operands[operand].bytes * (operands[operand].is_list ? in->n : 1u);
}

void
fw_insn_release_tables(const struct fw_insn *in)
{
	const enum fw_operand operand = fw_insn_operand(in);

	if (operand == FW_OPERAND_TABLE && in->u.table != NULL)
		fw_table_rele(in->u.table->table);
	if (operand == FW_OPERAND_IFACE && in->u.iface != NULL &&
	    in->u.iface->how == FW_IFACE_TABLE)
		fw_table_rele(in->u.iface->table);
}

void
fw_insn_free(const struct fw_insn *in)
{
	if (fw_insn_bytes(in) > 0)
		vnet_free((void *)(uintptr_t)in->u.net);
}

/* --- one piece ------------------------------------------------------------- */

static size_t
aligned(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

struct fw_rule *
fw_rule_seal(const struct fw_rule *fixed, const struct fw_insn *insn, unsigned n_insns)
{
	size_t bytes = sizeof(*fixed) + n_insns * sizeof(*insn);
	struct fw_rule *r;
	uint8_t *list;
	void *memory;

	for (unsigned i = 0; i < n_insns; i++)
		bytes += aligned(fw_insn_bytes(&insn[i]));
	r = rule_alloc(bytes);
	if (r == NULL)
		return NULL;
	memory = r->memory;
	*r = *fixed;
	r->memory = memory;
	r->bytes = bytes;
	r->refs = 1;
	r->n_insns = (uint16_t)n_insns;
	list = (uint8_t *)&r->insn[n_insns];
	for (unsigned i = 0; i < n_insns; i++) {
		size_t len = fw_insn_bytes(&insn[i]);

		r->insn[i] = insn[i];
		if (len == 0)
			continue;
		memcpy(list, insn[i].u.net, len);
		r->insn[i].u.net = (const void *)list;
		fw_insn_free(&insn[i]);
		list += aligned(len);
	}
	return r;
}

/* --- the end --------------------------------------------------------------- */

static bool
lies_inside(const struct fw_rule *r, const void *list)
{
	uintptr_t begin = (uintptr_t)r, at = (uintptr_t)list;

	return at >= begin && at < begin + r->bytes;
}

static void
rule_free(struct rcu_head *h)
{
	struct fw_rule *r = (struct fw_rule *)(void *)((uint8_t *)h -
	    offsetof(struct fw_rule, rcu));

	for (unsigned i = 0; i < r->n_insns; i++)
		if (!lies_inside(r, r->insn[i].u.net))
			fw_insn_free(&r->insn[i]);
	vnet_free((void *)(uintptr_t)r->comment);
	vnet_free(r->memory);
	__atomic_sub_fetch(&rules, 1, __ATOMIC_RELAXED);
}

struct fw_rule *
fw_rule_ref(struct fw_rule *r)
{
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void
fw_rule_rele(struct fw_rule *r)
{
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	/* now, since tables are a stack's, and this one may be gone when the readers are */
	for (unsigned i = 0; i < r->n_insns; i++)
		fw_insn_release_tables(&r->insn[i]);
	rcu_call(&r->rcu, rule_free);
}

/* --- sameness -------------------------------------------------------------- */

static bool
insn_equal(const struct fw_insn *a, const struct fw_insn *b)
{
	size_t bytes = fw_insn_bytes(a);

	if (a->op != b->op || a->flags != b->flags || a->n != b->n || a->arg != b->arg)
		return false;
	if (bytes == 0)
		return a->u.num == b->u.num;
	return memcmp(a->u.net, b->u.net, bytes) == 0;
}

static bool
action_equal(const struct fw_rule *a, const struct fw_rule *b)
{
	return a->action == b->action && a->arg == b->arg && a->by_tablearg == b->by_tablearg &&
	    a->fwd_family == b->fwd_family && a->fwd_port == b->fwd_port &&
	    in6_equal(&a->fwd_addr, &b->fwd_addr) && strcmp(a->state_name, b->state_name) == 0;
}

static bool
parameters_equal(const struct fw_rule *a, const struct fw_rule *b)
{
	return a->log == b->log && a->log_limited == b->log_limited &&
	    a->logamount == b->logamount && a->tag == b->tag && a->untag == b->untag &&
	    a->tag_by_tablearg == b->tag_by_tablearg &&
	    a->untag_by_tablearg == b->untag_by_tablearg && strcmp(a->altq, b->altq) == 0;
}

static bool
comment_equal(const struct fw_rule *a, const struct fw_rule *b)
{
	if (a->comment == NULL || b->comment == NULL)
		return a->comment == b->comment;
	return strcmp(a->comment, b->comment) == 0;
}

bool
fw_rule_equal(const struct fw_rule *a, const struct fw_rule *b)
{
	/* "count // x" and "count ip from any to any // x" do the same, and are listed so with -c */
	if (!action_equal(a, b) || !parameters_equal(a, b) || !comment_equal(a, b) ||
	    a->n_insns != b->n_insns)
		return false;
	for (unsigned i = 0; i < a->n_insns; i++)
		if (!insn_equal(&a->insn[i], &b->insn[i]))
			return false;
	return true;
}
