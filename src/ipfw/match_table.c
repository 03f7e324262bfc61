/*
 * match_table.c - instructions that look something up in a table. What is found is the rule's
 * tablearg; if a rule asks twice, the second answer counts.
 */
#include "ipfw/match_internal.h"

#include <sys/socket.h>

void
fw_tablearg_set(struct fw_packet *p, const struct fw_value *v)
{
	p->tablearg = v->number;
	p->has_tablearg = true;
	p->tablearg_addr = v->family == AF_INET6 ? v->addr6 : in6_any_;
}

static bool
found(const struct fw_table_match *t, struct fw_packet *p, const struct fw_value *v)
{
	if (t->by_value && v->number != t->value)
		return false;
	fw_tablearg_set(p, v);
	return true;
}

bool
fw_match_table(const struct fw_table_match *t, struct fw_packet *p, bool src)
{
	struct fw_value v;
	bool is_there = false;

	if (p->ip == 4)
		is_there = fw_table_find4(t->table, src ? p->src : p->dst, &v);
	else if (p->ip == 6)
		is_there = fw_table_find6(t->table, src ? &p->src6 : &p->dst6, &v);
	return is_there && found(t, p, &v);
}

static bool
find_address(
    const struct fw_table_match *t, const struct fw_packet *p, bool src, struct fw_value *v)
{
	if (p->ip == 4)
		return fw_table_find4(
		    t->table, (src ? p->src : p->dst) & (t->masked ? t->mask : UINT32_MAX), v);
	return p->ip == 6 && !t->masked && fw_table_find6(t->table, src ? &p->src6 : &p->dst6, v);
}

static bool
find_number(const struct fw_table_match *t, uint32_t key, struct fw_value *v)
{
	return fw_table_find_number(t->table, key & (t->masked ? t->mask : UINT32_MAX), v);
}

static bool
find_key(const struct fw_table_match *t, const struct fw_packet *p, struct fw_value *v)
{
	switch ((enum fw_key)t->key) {
	case FW_KEY_DST_IP:
		return find_address(t, p, false, v);
	case FW_KEY_SRC_IP:
		return find_address(t, p, true, v);
	case FW_KEY_DST_PORT:
		return p->has_ports && find_number(t, p->dport, v);
	case FW_KEY_SRC_PORT:
		return p->has_ports && find_number(t, p->sport, v);
	case FW_KEY_UID:
		return fw_packet_has_owner(p) && find_number(t, FW_OWNER_UID, v);
	case FW_KEY_JAIL:
		return fw_packet_has_owner(p) && find_number(t, (uint32_t)fw_owner_jail(), v);
	case FW_KEY_DSCP:
		return p->ip != 0 && find_number(t, p->tos >> 2, v);
	}
	return false;
}

bool
fw_match_lookup(const struct fw_table_match *t, struct fw_packet *p)
{
	struct fw_value v;

	return find_key(t, p, &v) && found(t, p, &v);
}

/* What has no ports has 0. */
bool
fw_match_flow(const struct fw_table_match *t, struct fw_packet *p)
{
	const struct fw_flow flow = { .family = p->ip == 4 ? AF_INET : AF_INET6,
		.proto = p->proto,
		.sport = p->sport,
		.dport = p->dport,
		.src = p->src,
		.dst = p->dst,
		.src6 = p->src6,
		.dst6 = p->dst6 };
	struct fw_value v;

	return p->ip != 0 && fw_table_find_flow(t->table, &flow, &v) && found(t, p, &v);
}
