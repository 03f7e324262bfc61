/*
 * action.c - what a rule does, and what it does besides (log, altq, tags): read, written, logged.
 */
#include "ipfw/language.h"
#include "ipfw/nat.h"

#include "kern/verb.h"
#include "inet/ipaddr.h"

#include <bsd/string.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum operand {
	NOTHING,
	NUMBER,   /* 1..65535 */
	TABLEARG, /* the same, or "tablearg" */
	INSTANCE, /* the same, or "global" */
	FIB,
	CODE,
	CODE6,
	PORT,
	NEXT_HOP,
	STATE_NAME,
	DSCP
};

/* Of several words for an action the first is printed. */
static const struct action {
	const char *word;
	uint8_t action; /* enum fw_action */
	enum operand operand;
	const char *log; /* how logs call it */
} actions[] = {
	{ "allow", FW_ACT_ALLOW, NOTHING, "Accept" },
	{ "accept", FW_ACT_ALLOW, NOTHING, NULL },
	{ "pass", FW_ACT_ALLOW, NOTHING, NULL },
	{ "permit", FW_ACT_ALLOW, NOTHING, NULL },
	{ "deny", FW_ACT_DENY, NOTHING, "Deny" },
	{ "drop", FW_ACT_DENY, NOTHING, NULL },
	{ "unreach", FW_ACT_UNREACH, CODE, "Unreach" },
	{ "unreach6", FW_ACT_UNREACH6, CODE6, "Unreach" },
	{ "reset", FW_ACT_RESET, NOTHING, "Reset" },
	{ "reset6", FW_ACT_RESET6, NOTHING, "Reset" },
	{ "count", FW_ACT_COUNT, NOTHING, "Count" },
	{ "skipto", FW_ACT_SKIPTO, TABLEARG, "SkipTo" },
	{ "call", FW_ACT_CALL, TABLEARG, "Call" },
	{ "return", FW_ACT_RETURN, NOTHING, "Return" },
	{ "check-state", FW_ACT_CHECK_STATE, STATE_NAME, "CheckState" },
	{ "pipe", FW_ACT_PIPE, TABLEARG, "Pipe" },
	{ "queue", FW_ACT_QUEUE, TABLEARG, "Queue" },
	{ "divert", FW_ACT_DIVERT, PORT, "Divert" },
	{ "tee", FW_ACT_TEE, PORT, "Tee" },
	{ "fwd", FW_ACT_FWD, NEXT_HOP, "Forward to" },
	{ "forward", FW_ACT_FWD, NEXT_HOP, NULL },
	{ "nat", FW_ACT_NAT, INSTANCE, "Nat" },
	{ "netgraph", FW_ACT_NETGRAPH, TABLEARG, "Netgraph" },
	{ "ngtee", FW_ACT_NGTEE, TABLEARG, "Ngtee" },
	{ "setfib", FW_ACT_SETFIB, FIB, "SetFib" },
	{ "setdscp", FW_ACT_SETDSCP, DSCP, "SetDscp" },
	{ "tcp-setmss", FW_ACT_TCP_SETMSS, NUMBER, "SetMss" },
	{ "reass", FW_ACT_REASS, NOTHING, "Reass" },
	{ "auth", FW_ACT_AUTH, NOTHING, "Auth" },
};
enum { ACTION_WORDS = sizeof(actions) / sizeof(actions[0]), UNREACH_HOST = 1 };

static const struct action *
action_find(const char *word)
{
	for (int i = 0; i < ACTION_WORDS; i++)
		if (strcmp(actions[i].word, word) == 0)
			return &actions[i];
	return NULL;
}

static const struct action *
action_of(uint8_t action)
{
	const struct action *a = actions;

	while (a->action != action)
		a++;
	return a;
}

/* --- operands -------------------------------------------------------------- */

static bool
parse_number(struct fw_parse *p, const char *of, uint64_t min, uint64_t max)
{
	uint64_t n;

	if (!fw_need_number(p, of, min, max, &n))
		return false;
	p->rule->arg = (uint32_t)n;
	return true;
}

static bool
parse_number_or_tablearg(struct fw_parse *p, const char *of, uint64_t min, uint64_t max)
{
	p->rule->by_tablearg = fw_take(p, "tablearg");
	return p->rule->by_tablearg || parse_number(p, of, min, max);
}

/* "global" is a number that no instance has. */
static bool
parse_instance(struct fw_parse *p, const char *of)
{
	if (!fw_take(p, "global"))
		return parse_number_or_tablearg(p, of, 1, UINT16_MAX);
	p->rule->arg = FW_NAT_GLOBAL;
	return true;
}

static bool
parse_named(struct fw_parse *p, const char *of, const struct fw_word *names, uint64_t max)
{
	const char *word = fw_need(p, of);
	uint64_t n;

	if (word == NULL)
		return false;
	if (fw_name_find(names, word, &p->rule->arg))
		return true;
	if (!verb_number(word, 0, max, &n))
		return fw_fail(p, "unknown code \"%s\" for %s", word, of);
	p->rule->arg = (uint32_t)n;
	return true;
}

static bool
parse_dscp(struct fw_parse *p)
{
	p->rule->by_tablearg = fw_take(p, "tablearg");
	return p->rule->by_tablearg || parse_named(p, "setdscp", fw_dscps, 63);
}

/* Divert's ports have names, and numbers of their own: 1..65535. */
static bool
parse_port(struct fw_parse *p, const char *of)
{
	const char *word = fw_peek(p);
	uint16_t port;

	if (word == NULL || isdigit((unsigned char)word[0]) || strcmp(word, "tablearg") == 0)
		return parse_number_or_tablearg(p, of, 1, UINT16_MAX);
	if (!fw_service_find(word, 0, &port))
		return fw_fail(p, "unknown port \"%s\" for %s", word, of);
	p->rule->arg = port;
	p->at++;
	return true;
}

static bool
parse_next_hop_port(struct fw_parse *p, const char *word)
{
	uint64_t number;
	uint16_t port;

	if (verb_number(word, 1, UINT16_MAX, &number))
		port = (uint16_t)number;
	else if (verb_number(word, 0, UINT64_MAX, &number))
		return fw_fail(p, "port %s out of range", word);
	else if (!fw_service_find(word, 0, &port))
		return fw_fail(p, "bad port \"%s\"", word);
	p->rule->fwd_port = port;
	return true;
}

/* ADDRESS[,port]; a name is an address of now. */
static bool
parse_next_hop(struct fw_parse *p)
{
	const char *word = fw_need(p, "fwd");
	char host[256];
	size_t len;

	if (word == NULL)
		return false;
	len = strcspn(word, ",");
	if (word[len] == ',' && !parse_next_hop_port(p, word + len + 1))
		return false;
	if (len >= sizeof(host))
		return fw_fail(p, "bad address \"%s\"", word);
	memcpy(host, word, len);
	host[len] = '\0';
	p->rule->by_tablearg = strcmp(host, "tablearg") == 0;
	if (!p->rule->by_tablearg &&
	    !fw_parse_host(host, FW_EITHER, &p->rule->fwd_addr, &p->rule->fwd_family))
		return fw_fail(p, "bad address \"%s\"", host);
	return true;
}

static bool
parse_operand(struct fw_parse *p, const struct action *a)
{
	switch (a->operand) {
	case NOTHING:
		return true;
	case NUMBER:
		return parse_number(p, a->word, 1, UINT16_MAX);
	case TABLEARG:
		return parse_number_or_tablearg(p, a->word, 1, UINT16_MAX);
	case INSTANCE:
		return parse_instance(p, a->word);
	case FIB:
		return parse_number_or_tablearg(p, a->word, 0, 15);
	case CODE:
		return parse_named(p, a->word, fw_unreach_codes, 255);
	case CODE6:
		return parse_named(p, a->word, fw_unreach6_codes, 255);
	case PORT:
		return parse_port(p, a->word);
	case NEXT_HOP:
		return parse_next_hop(p);
	case STATE_NAME:
		return fw_parse_state_name(p, true, p->rule->state_name);
	case DSCP:
		return parse_dscp(p);
	}
	return false;
}

/* --- parameters ------------------------------------------------------------ */

static bool
parse_log(struct fw_parse *p)
{
	uint64_t n = 0;

	if (p->rule->log)
		return fw_fail(p, "log is said twice");
	p->rule->log = true;
	p->rule->log_limited = fw_take(p, "logamount");
	if (p->rule->log_limited && !fw_need_number(p, "logamount", 0, UINT32_MAX, &n))
		return false;
	p->rule->logamount = (uint32_t)n;
	return true;
}

static bool
parse_altq(struct fw_parse *p)
{
	const char *word = fw_need(p, "altq");

	if (word == NULL)
		return false;
	if (p->rule->altq[0] != '\0')
		return fw_fail(p, "altq is said twice");
	/* a comma would take the next word of the listing */
	if (strchr(word, ',') != NULL)
		return fw_fail(p, "bad altq \"%s\"", word);
	if (strlcpy(p->rule->altq, word, sizeof(p->rule->altq)) >= sizeof(p->rule->altq))
		return fw_fail(p, "altq \"%s\" is too long", word);
	return true;
}

static bool
parse_tag(struct fw_parse *p, const char *word, uint16_t *tag, bool *by_tablearg)
{
	uint64_t n;

	if (*tag != 0 || *by_tablearg)
		return fw_fail(p, "%s is said twice", word);
	*by_tablearg = fw_take(p, "tablearg");
	if (*by_tablearg) {
		*tag = UINT16_MAX;
		return true;
	}
	if (!fw_need_number(p, word, 1, UINT16_MAX - 1, &n))
		return false;
	*tag = (uint16_t)n;
	return true;
}

static bool
parse_parameters(struct fw_parse *p)
{
	struct fw_rule *r = p->rule;
	bool good = true;

	while (good)
		if (fw_take(p, "log"))
			good = parse_log(p);
		else if (fw_take(p, "altq"))
			good = parse_altq(p);
		else if (fw_take(p, "tag"))
			good = parse_tag(p, "tag", &r->tag, &r->tag_by_tablearg);
		else if (fw_take(p, "untag"))
			good = parse_tag(p, "untag", &r->untag, &r->untag_by_tablearg);
		else
			return true;
	return false;
}

bool
fw_parse_action(struct fw_parse *p)
{
	const char *word = fw_next(p);
	const struct action *a;

	if (word == NULL)
		return fw_fail(p, "missing action");
	if (strcmp(word, "reject") == 0) {
		p->rule->action = FW_ACT_UNREACH;
		p->rule->arg = UNREACH_HOST;
		return parse_parameters(p);
	}
	a = action_find(word);
	if (a == NULL)
		return fw_fail(p, "invalid action [%s]", word);
	p->rule->action = a->action;
	return parse_operand(p, a) && parse_parameters(p);
}

/* --- writing --------------------------------------------------------------- */

static void
print_named(struct fw_text *t, const struct fw_word *names, uint32_t value)
{
	const char *word = fw_name_of(names, value);

	if (word != NULL)
		fw_put(t, " %s", word);
	else
		fw_put(t, " %u", value);
}

static void
print_next_hop(struct fw_text *t, const struct fw_rule *r)
{
	fw_put(t, " ");
	if (r->by_tablearg)
		fw_put(t, "tablearg");
	else
		fw_print_host(t, &r->fwd_addr, r->fwd_family);
	if (r->fwd_port != 0)
		fw_put(t, ",%u", r->fwd_port);
}

static void
print_operand(struct fw_text *t, const struct fw_rule *r, enum operand operand)
{
	switch (operand) {
	case NOTHING:
		return;
	case NUMBER:
	case TABLEARG:
	case FIB:
	case PORT:
		if (r->by_tablearg)
			fw_put(t, " tablearg");
		else
			fw_put(t, " %u", r->arg);
		return;
	case INSTANCE:
		if (r->by_tablearg)
			fw_put(t, " tablearg");
		else if (r->arg == FW_NAT_GLOBAL)
			fw_put(t, " global");
		else
			fw_put(t, " %u", r->arg);
		return;
	case CODE:
		print_named(t, fw_unreach_codes, r->arg);
		return;
	case CODE6:
		print_named(t, fw_unreach6_codes, r->arg);
		return;
	case NEXT_HOP:
		print_next_hop(t, r);
		return;
	case STATE_NAME:
		if (r->state_name[0] != '\0')
			fw_put(t, " :%s", r->state_name);
		return;
	case DSCP:
		if (r->by_tablearg)
			fw_put(t, " tablearg");
		else
			print_named(t, fw_dscps, r->arg);
		return;
	}
}

void
fw_print_action(struct fw_text *t, const struct fw_rule *r)
{
	const struct action *a = action_of(r->action);

	if (r->action == FW_ACT_UNREACH && r->arg == UNREACH_HOST) {
		fw_put(t, "reject");
		return;
	}
	fw_put(t, "%s", a->word);
	print_operand(t, r, a->operand);
}

static void
print_tag(struct fw_text *t, const char *word, uint16_t tag, bool by_tablearg)
{
	if (by_tablearg)
		fw_put(t, " %s tablearg", word);
	else if (tag != 0)
		fw_put(t, " %s %u", word, tag);
}

void
fw_print_parameters(struct fw_text *t, const struct fw_rule *r)
{
	if (r->log)
		fw_put(t, " log");
	if (r->log_limited)
		fw_put(t, " logamount %u", r->logamount);
	if (r->altq[0] != '\0')
		fw_put(t, " altq %s", r->altq);
	print_tag(t, "tag", r->tag, r->tag_by_tablearg);
	print_tag(t, "untag", r->untag, r->untag_by_tablearg);
}

/* --- logs ------------------------------------------------------------------ */

static void
log_next_hop(struct fw_text *t, const struct fw_rule *r, uint32_t arg)
{
	struct in6 addr = r->fwd_addr;
	uint8_t family = r->fwd_family;

	if (r->by_tablearg) {
		store32(addr.b, __builtin_bswap32(arg));
		family = AF_INET;
	}
	fw_put(t, family == AF_INET6 && r->fwd_port != 0 ? " [" : " ");
	fw_print_host(t, &addr, family);
	if (r->fwd_port != 0)
		fw_put(t, "%s:%u", family == AF_INET6 ? "]" : "", r->fwd_port);
}

int
fw_action_text(const struct fw_rule *r, uint32_t arg, char *text, size_t len)
{
	struct fw_text t = { .text = text, .room = len };
	const struct action *a = action_of(r->action);

	if (r->action == FW_ACT_UNREACH && arg == UNREACH_HOST)
		fw_put(&t, "Reject");
	else
		fw_put(&t, "%s", a->log);
	if (r->action == FW_ACT_FWD)
		log_next_hop(&t, r, arg);
	else if (a->operand != NOTHING && a->operand != STATE_NAME && r->action != FW_ACT_NAT &&
	    !(r->action == FW_ACT_UNREACH && arg == UNREACH_HOST))
		fw_put(&t, " %u", arg);
	return (int)t.len;
}
