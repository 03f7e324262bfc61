/*
 * addr.c - protocols and addresses of a rule, read and written.
 *
 *	any  me  me6  table(NAME[,value])
 *	10.0.0.1,10.1.0.0/16,host,10.0.0.5:255.0.0.255		nets; IPv6 likewise: addr/len, addr/mask
 *	192.0.2.0/24{1,5-9}					a set: last bytes of addresses
 *
 * A list is of one family, its first address's. Names are looked up in the hosts table, now.
 */
#include "ipfw/language.h"

#include "inet/in.h"
#include "inet/ip_names.h"
#include "inet/ipaddr.h"
#include "kern/verb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- protocols ------------------------------------------------------------- */

enum fw_made
fw_parse_protocol(struct fw_parse *p, const char *word, struct fw_insn *in)
{
	uint8_t proto;

	if (strcmp(word, "ip") == 0 || strcmp(word, "all") == 0)
		return FW_MADE_ALWAYS;
	if (strcmp(word, "ip4") == 0 || strcmp(word, "ipv4") == 0) {
		in->op = FW_OP_IP4;
		return FW_MADE_INSN;
	}
	if (strcmp(word, "ip6") == 0 || strcmp(word, "ipv6") == 0) {
		in->op = FW_OP_IP6;
		return FW_MADE_INSN;
	}
	if (!fw_protocol_find(word, &proto)) {
		fw_fail(p, "invalid protocol [%s]", word);
		return FW_MADE_FAULT;
	}
	in->op = FW_OP_PROTO;
	in->n = proto;
	if (!p->negated)
		p->proto = proto;
	return FW_MADE_INSN;
}

void
fw_print_protocol(struct fw_text *t, const struct fw_insn *in)
{
	const char *word = in->op == FW_OP_IP4 ? "ip4" :
	    in->op == FW_OP_IP6                ? "ip6" :
						 ip_protocol_name(in->n);

	if (word != NULL)
		fw_put(t, "%s", word);
	else
		fw_put(t, "%u", in->n);
}

/* --- tables ---------------------------------------------------------------- */

bool
fw_is_table(const char *word)
{
	return strncmp(word, "table(", 6) == 0;
}

static bool
parse_value(const char *word, uint32_t *value)
{
	uint64_t n;

	if (verb_number(word, 0, UINT32_MAX, &n))
		*value = (uint32_t)n;
	else if (in_aton(word, value))
		*value = __builtin_bswap32(*value);
	else
		return false;
	return true;
}

bool
fw_parse_table_name(struct fw_parse *p, const char *name, uint16_t *table)
{
	int index = strchr(name, ',') == NULL ? fw_table_ref(name) : -EINVAL;

	if (index < 0)
		return fw_fail(p, "table \"%s\": %s", name, verb_strerror(index));
	*table = (uint16_t)index;
	return true;
}

struct fw_table_match *
fw_parse_table(struct fw_parse *p, const char *word)
{
	struct fw_table_match match = { 0 }, *m;
	size_t len = strlen(word);
	char name[128], *value;

	if (len < sizeof("table(x)") - 1 || len - 6 >= sizeof(name) || word[len - 1] != ')') {
		fw_fail(p, "bad table \"%s\"", word);
		return NULL;
	}
	memcpy(name, word + 6, len - 7);
	name[len - 7] = '\0';
	value = strchr(name, ',');
	if (value != NULL) {
		*value++ = '\0';
		match.by_value = true;
		if (!parse_value(value, &match.value)) {
			fw_fail(p, "bad value \"%s\" of a table", value);
			return NULL;
		}
	}
	if (!fw_parse_table_name(p, name, &match.table))
		return NULL;
	m = fw_rule_list(sizeof(*m));
	if (m == NULL) {
		fw_table_rele(match.table);
		fw_no_memory(p);
		return NULL;
	}
	*m = match;
	return m;
}

void
fw_print_table(struct fw_text *t, const struct fw_table_match *m)
{
	fw_put(t, "table(%s", fw_table_name(m->table));
	if (m->by_value)
		fw_put(t, ",%u", m->value);
	fw_put(t, ")");
}

/* --- hosts ----------------------------------------------------------------- */

/* Packets carry no zones, so an address with one would never be met: ask for the interface. */
bool
fw_parse_host(const char *word, enum fw_family family, struct in6 *addr, uint8_t *af)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct ipaddr a;

	if (strchr(word, '%') != NULL || !ipaddr_resolve(word, families[family], &a))
		return false;
	if (a.family == AF_INET6 && in6_zone(ipaddr_in6(&a)) != 0)
		return false;
	memset(addr, 0, sizeof(*addr));
	memcpy(addr->b, a.b, a.family == AF_INET ? 4 : 16);
	*af = a.family;
	return true;
}

void
fw_print_host(struct fw_text *t, const struct in6 *addr, uint8_t af)
{
	struct ipaddr a = { .family = af };
	char text[IPADDR_TEXT];
	const char *name;

	memcpy(a.b, addr->b, sizeof(a.b));
	name = (t->flags & FW_PRINT_NAMES) != 0 ? ip_hosts_name(&a) : NULL;
	fw_put(t, "%s", name != NULL ? name : ipaddr_ntoa(&a, text));
}

/* --- lists of networks ----------------------------------------------------- */

/* One of a list; IPv4 in the first four bytes, masks too. */
struct net {
	struct in6 addr, mask;
	uint8_t af;
};

static struct in6
prefix_mask(unsigned plen)
{
	struct in6 ones;

	memset(&ones, 0xff, sizeof(ones));
	return in6_mask(&ones, plen);
}

static bool
parse_width(const char *word, struct net *net)
{
	struct in6 mask;
	uint64_t plen;

	if (verb_number(word, 0, net->af == AF_INET ? 32 : 128, &plen)) {
		net->mask = prefix_mask((unsigned)plen);
		return true;
	}
	if (net->af != AF_INET6 || inet_pton(AF_INET6, word, mask.b) != 1)
		return false;
	net->mask = mask;
	return true;
}

static bool
parse_mask4(const char *word, struct net *net)
{
	uint32_t mask;

	if (net->af != AF_INET || !in_aton(word, &mask))
		return false;
	store32(net->mask.b, mask);
	return true;
}

/* HOST, HOST/WIDTH or HOST:MASK; the text is cut in pieces. */
static bool
parse_net(struct fw_parse *p, char *text, enum fw_family family, struct net *net)
{
	char *width = strchr(text, '/'), *mask = NULL, sign = '/';

	if (width != NULL)
		*width++ = '\0';
	net->mask = prefix_mask(128);
	if (!fw_parse_host(text, family, &net->addr, &net->af)) {
		mask = width == NULL ? strrchr(text, ':') : NULL;
		sign = ':';
		if (mask != NULL)
			*mask++ = '\0';
		if (mask == NULL || !fw_parse_host(text, family, &net->addr, &net->af))
			return fw_fail(p, "bad address \"%s%s%s\"", text, mask != NULL ? ":" : "",
			    mask != NULL ? mask : "");
	}
	if ((width != NULL && !parse_width(width, net)) ||
	    (mask != NULL && !parse_mask4(mask, net)))
		return fw_fail(p, "bad mask \"%s%c%s\"", text, sign, width != NULL ? width : mask);
	for (unsigned i = 0; i < sizeof(net->addr); i++)
		net->addr.b[i] &= net->mask.b[i];
	return true;
}

static bool
add_net(struct fw_insn *in, unsigned i, const struct net *net)
{
	if (in->op == FW_OP_SRC || in->op == FW_OP_DST)
		((struct fw_net *)(uintptr_t)in->u.net)[i] = (struct fw_net){ load32(net->addr.b),
			load32(net->mask.b) };
	else
		((struct fw_net6 *)(uintptr_t)in->u.net6)[i] = (struct fw_net6){ net->addr,
			net->mask };
	return true;
}

static bool
begin_nets(struct fw_parse *p, enum fw_side side, uint8_t af, unsigned n, struct fw_insn *in)
{
	if (af == AF_INET)
		in->op = side == FW_SRC ? FW_OP_SRC : FW_OP_DST;
	else
		in->op = side == FW_SRC ? FW_OP_SRC6 : FW_OP_DST6;
	in->n = (uint16_t)n;
	in->u.net = fw_rule_list(fw_insn_bytes(in));
	return in->u.net != NULL || fw_no_memory(p);
}

static bool
parse_nets(struct fw_parse *p, const char *word, enum fw_side side, enum fw_family family,
    struct fw_insn *in)
{
	unsigned n = 1;
	char text[256];

	for (const char *c = word; *c != '\0'; c++)
		n += *c == ',';
	if (n > FW_LIST_MAX)
		return fw_fail(p, "more than %d addresses in a list", FW_LIST_MAX);
	for (unsigned i = 0; i < n; i++) {
		size_t len = strcspn(word, ",");
		struct net net;

		if (len >= sizeof(text))
			return fw_fail(p, "bad address \"%.60s...\"", word);
		memcpy(text, word, len);
		text[len] = '\0';
		if (!parse_net(p, text, family, &net))
			return false;
		if (i == 0 && !begin_nets(p, side, net.af, n, in))
			return false;
		/* the others are of the first one's family */
		family = net.af == AF_INET ? FW_ONLY4 : FW_ONLY6;
		add_net(in, i, &net);
		word += len + 1;
	}
	return true;
}

/* --- sets ------------------------------------------------------------------ */

static bool
parse_set_base(struct fw_parse *p, const char *word, size_t len, struct fw_set *set)
{
	char text[64], *width;
	struct in6 addr;
	uint64_t plen = 24;
	uint8_t af;

	if (len >= sizeof(text))
		return fw_fail(p, "bad address \"%s\"", word);
	memcpy(text, word, len);
	text[len] = '\0';
	width = strchr(text, '/');
	if (width != NULL)
		*width++ = '\0';
	if (!fw_parse_host(text, FW_ONLY4, &addr, &af))
		return fw_fail(p, "bad address \"%s\"", word);
	if (width != NULL && !verb_number(width, 24, 32, &plen))
		return fw_fail(p, "bad mask \"%s\": 24 to 32", word);
	set->len = (uint8_t)plen;
	set->base = load32(addr.b) & in_plen_mask((unsigned)plen);
	return true;
}

/* "5" or "5-9", the last bytes of addresses; *word behind it. */
static bool
parse_set_range(const char **word, unsigned *lo, unsigned *hi)
{
	char *end;

	if (**word < '0' || **word > '9')
		return false;
	*lo = *hi = (unsigned)strtoul(*word, &end, 10);
	if (*end == '-') {
		if (end[1] < '0' || end[1] > '9')
			return false;
		*hi = (unsigned)strtoul(end + 1, &end, 10);
	}
	*word = end;
	return *lo <= *hi;
}

static bool
parse_set_hosts(struct fw_parse *p, const char *word, const char *list, struct fw_set *set)
{
	unsigned low = ntohl(set->base) & 0xff, lo, hi;
	unsigned high = low + (1u << (32 - set->len)) - 1;

	do {
		list++; /* the brace, or a comma */
		if (!parse_set_range(&list, &lo, &hi))
			return fw_fail(p, "bad set \"%s\"", word);
		if (lo < low || hi > high)
			return fw_fail(p, "set \"%s\": %u is not in %u to %u", word,
			    lo < low ? lo : hi, low, high);
		for (unsigned i = lo - low; i <= hi - low; i++)
			set->bits[i / 64] |= UINT64_C(1) << i % 64;
	} while (*list == ',');
	return strcmp(list, "}") == 0 || fw_fail(p, "bad set \"%s\"", word);
}

static bool
parse_set(struct fw_parse *p, const char *word, enum fw_side side, struct fw_insn *in)
{
	const char *brace = strchr(word, '{');
	struct fw_set *set = fw_rule_list(sizeof(*set));

	if (set == NULL)
		return fw_no_memory(p);
	in->op = side == FW_SRC ? FW_OP_SRC_SET : FW_OP_DST_SET;
	in->u.set = set;
	return parse_set_base(p, word, (size_t)(brace - word), set) &&
	    parse_set_hosts(p, word, brace, set);
}

static bool
set_has(const struct fw_set *set, unsigned i)
{
	return i < 256 && (set->bits[i / 64] >> i % 64 & 1) != 0;
}

static void
print_set(struct fw_text *t, const struct fw_set *set)
{
	unsigned low = ntohl(set->base) & 0xff;
	char text[16], sign = '{';

	fw_put(t, "%s/%u", in_ntoa(set->base, text), set->len);
	for (unsigned i = 0; i < 256; i++) {
		unsigned last = i;

		if (!set_has(set, i))
			continue;
		while (set_has(set, last + 1))
			last++;
		fw_put(t, "%c%u", sign, low + i);
		if (last > i)
			fw_put(t, "%c%u", last > i + 1 ? '-' : ',', low + last);
		sign = ',';
		i = last;
	}
	fw_put(t, "}");
}

/* --- any of them ----------------------------------------------------------- */

static enum fw_made
made(bool good)
{
	return good ? FW_MADE_INSN : FW_MADE_FAULT;
}

enum fw_made
fw_parse_address(struct fw_parse *p, const char *word, enum fw_side side, enum fw_family family,
    struct fw_insn *in)
{
	if (strcmp(word, "any") == 0)
		return FW_MADE_ALWAYS;
	if (strcmp(word, "me") == 0 || (strcmp(word, "me6") == 0 && family != FW_ONLY4)) {
		in->op = side == FW_SRC ? FW_OP_SRC_ME : FW_OP_DST_ME;
		in->n = word[2] == '6' || family == FW_ONLY6 ? 6 : 0;
		return FW_MADE_INSN;
	}
	if (fw_is_table(word)) {
		in->op = side == FW_SRC ? FW_OP_SRC_TABLE : FW_OP_DST_TABLE;
		in->u.table = fw_parse_table(p, word);
		return made(in->u.table != NULL);
	}
	if (strchr(word, '{') != NULL && family != FW_ONLY6)
		return made(parse_set(p, word, side, in));
	return made(parse_nets(p, word, side, family, in));
}

static void
print_net4(struct fw_text *t, const struct fw_net *net)
{
	struct in6 addr = { 0 };
	uint32_t mask = ntohl(net->mask);
	unsigned plen = (unsigned)__builtin_popcount(mask);
	char text[16];

	if (plen == 32) {
		store32(addr.b, net->addr);
		fw_print_host(t, &addr, AF_INET);
		return;
	}
	fw_put(t, "%s", in_ntoa(net->addr, text));
	if (net->mask == in_plen_mask(plen))
		fw_put(t, "/%u", plen);
	else
		fw_put(t, ":%s", in_ntoa(net->mask, text));
}

static void
print_net6(struct fw_text *t, const struct fw_net6 *net)
{
	unsigned plen = (unsigned)(__builtin_popcountll(load64(net->mask.b)) +
	    __builtin_popcountll(load64(net->mask.b + 8)));
	struct in6 prefix = prefix_mask(plen);
	char text[INET6_ADDRSTRLEN];

	if (plen == 128) {
		fw_print_host(t, &net->addr, AF_INET6);
		return;
	}
	/* a mask is no address, and neither has a zone */
	fw_put(t, "%s", inet_ntop(AF_INET6, net->addr.b, text, sizeof(text)));
	if (in6_equal(&net->mask, &prefix))
		fw_put(t, "/%u", plen);
	else
		fw_put(t, "/%s", inet_ntop(AF_INET6, net->mask.b, text, sizeof(text)));
}

void
fw_print_address(struct fw_text *t, const struct fw_insn *in)
{
	switch ((enum fw_op)in->op) {
	case FW_OP_SRC_ME:
	case FW_OP_DST_ME:
		fw_put(t, in->n == 6 ? "me6" : "me");
		return;
	case FW_OP_SRC_TABLE:
	case FW_OP_DST_TABLE:
		fw_print_table(t, in->u.table);
		return;
	case FW_OP_SRC_SET:
	case FW_OP_DST_SET:
		print_set(t, in->u.set);
		return;
	default:
		break;
	}
	for (unsigned i = 0; i < in->n; i++) {
		if (i > 0)
			fw_put(t, ",");
		if (in->op == FW_OP_SRC || in->op == FW_OP_DST)
			print_net4(t, &in->u.net[i]);
		else
			print_net6(t, &in->u.net6[i]);
	}
}
