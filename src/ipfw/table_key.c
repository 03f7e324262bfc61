/*
 * table_key.c - keys and values of look-up tables, from words and to words.
 *
 *	addr	192.0.2.0/24  2001:db8::/32  host name  80 (the same as 0.0.0.80)
 *	number	80
 *	iface	em0
 *	flow	192.0.2.1,6,1024,198.51.100.1,80: the fields that the table looks at, in this order
 */
#include "ipfw/table_internal.h"

#include "base/bytes.h"
#include "inet/in.h"
#include "inet/ipaddr.h"
#include "kern/verb.h"
#include "net/if.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- keys of what is no prefix ------------------------------------------------ */

/* Sixteen bytes as two words, the first byte on top. */
static void
words_of_bytes(uint64_t w[2], const void *bytes)
{
	const uint8_t *b = bytes;

	w[0] = __builtin_bswap64(load64(b));
	w[1] = __builtin_bswap64(load64(b + 8));
}

static void
bytes_of_words(void *bytes, const uint64_t w[2])
{
	uint8_t *b = bytes;

	store64(b, __builtin_bswap64(w[0]));
	store64(b + 8, __builtin_bswap64(w[1]));
}

void
fw_key_of_name(struct fw_table_key *key, const char *name)
{
	char bytes[16] = "";

	snprintf(bytes, sizeof(bytes), "%s", name);
	*key = (struct fw_table_key){ .kind = FW_KEYED_NAME, .words = 2 };
	words_of_bytes(key->w, bytes);
}

/* Addresses in words 0 to 3 (IPv4 in 0 and 2); ports, protocol and family in word 4. */
void
fw_key_of_flow(struct fw_table_key *key, const struct fw_flow *f, unsigned fields)
{
	*key = (struct fw_table_key){
		.kind = FW_KEYED_FLOW, .plen = (uint8_t)fields, .words = FW_KEY_WORDS
	};
	if (fields & FW_FLOW_SRC && f->family == AF_INET6)
		words_of_bytes(key->w, f->src6.b);
	else if (fields & FW_FLOW_SRC)
		key->w[0] = __builtin_bswap32(f->src);
	if (fields & FW_FLOW_DST && f->family == AF_INET6)
		words_of_bytes(key->w + 2, f->dst6.b);
	else if (fields & FW_FLOW_DST)
		key->w[2] = __builtin_bswap32(f->dst);
	if (fields & (FW_FLOW_SRC | FW_FLOW_DST))
		key->w[4] = (uint64_t)(f->family == AF_INET6) << 40;
	if (fields & FW_FLOW_PROTO)
		key->w[4] |= (uint64_t)f->proto << 32;
	if (fields & FW_FLOW_SPORT)
		key->w[4] |= (uint64_t)f->sport << 16;
	if (fields & FW_FLOW_DPORT)
		key->w[4] |= f->dport;
}

/* --- keys from words ------------------------------------------------------------ */

static bool
key_of_addr(struct fw_table_key *key, const struct ipaddr *a, unsigned plen)
{
	struct in6 masked;

	if (plen > (a->family == AF_INET ? 32u : 128u))
		return false;
	*key = (struct fw_table_key){ .plen = (uint8_t)plen };
	if (a->family == AF_INET) {
		key->kind = FW_KEYED_IP4;
		key->words = 1;
		key->w[0] = __builtin_bswap32(load32(a->b));
		key->w[0] &= UINT32_MAX ^ (uint32_t)(UINT64_C(0xffffffff) >> plen);
		return true;
	}
	memcpy(masked.b, a->b, sizeof(masked.b));
	in6_clear(&masked);
	masked = in6_mask(&masked, plen);
	key->kind = FW_KEYED_IP6;
	key->words = 2;
	words_of_bytes(key->w, masked.b);
	return true;
}

/* "192.0.2.0/24", "2001:db8::1", "www", "80". */
static bool
parse_addr(const char *word, struct fw_table_key *key)
{
	char host[256];
	struct ipaddr a;
	const char *slash = strchr(word, '/');
	size_t len = slash != NULL ? (size_t)(slash - word) : strlen(word);
	uint64_t number, plen;

	if (len >= sizeof(host))
		return false;
	memcpy(host, word, len);
	host[len] = '\0';
	if (verb_number(host, 0, UINT32_MAX, &number)) {
		a = (struct ipaddr){ .family = AF_INET };
		store32(a.b, __builtin_bswap32((uint32_t)number));
	} else if (!ipaddr_resolve(host, AF_UNSPEC, &a)) {
		return false;
	}
	plen = a.family == AF_INET ? 32 : 128;
	if (slash != NULL && !verb_number(slash + 1, 0, plen, &plen))
		return false;
	return key_of_addr(key, &a, (unsigned)plen);
}

static bool
parse_number(const char *word, struct fw_table_key *key)
{
	*key = (struct fw_table_key){ .kind = FW_KEYED_NUMBER, .words = 1 };
	return verb_number(word, 0, UINT32_MAX, &key->w[0]);
}

static bool
parse_iface(const char *word, struct fw_table_key *key)
{
	if (word[0] == '\0' || strlen(word) >= IFNAMSIZ_ || strpbrk(word, "/ ,") != NULL)
		return false;
	fw_key_of_name(key, word);
	return true;
}

/* An address of a flow; both are of one family. */
static bool
flow_addr(const char *word, struct fw_flow *f, uint32_t *addr, struct in6 *addr6)
{
	struct ipaddr a;

	if (!ipaddr_resolve(word, AF_UNSPEC, &a))
		return false;
	if (f->family != 0 && f->family != a.family)
		return false;
	f->family = (uint8_t)a.family;
	if (a.family == AF_INET)
		*addr = load32(a.b);
	else
		memcpy(addr6->b, a.b, sizeof(addr6->b));
	in6_clear(addr6);
	return true;
}

static bool
flow_port(const char *word, uint16_t *port)
{
	uint64_t n;

	if (!verb_number(word, 0, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

static bool
flow_field(const char *word, unsigned field, struct fw_flow *f)
{
	uint64_t proto;

	switch (field) {
	case FW_FLOW_SRC:
		return flow_addr(word, f, &f->src, &f->src6);
	case FW_FLOW_DST:
		return flow_addr(word, f, &f->dst, &f->dst6);
	case FW_FLOW_SPORT:
		return flow_port(word, &f->sport);
	case FW_FLOW_DPORT:
		return flow_port(word, &f->dport);
	default:
		if (!verb_number(word, 0, UINT8_MAX, &proto))
			return false;
		f->proto = (uint8_t)proto;
		return true;
	}
}

/* In the order in which they are written. */
static const unsigned flow_order[] = { FW_FLOW_SRC, FW_FLOW_PROTO, FW_FLOW_SPORT, FW_FLOW_DST,
	FW_FLOW_DPORT };
enum { FLOW_FIELDS = sizeof(flow_order) / sizeof(flow_order[0]) };

static bool
parse_flow(const char *word, unsigned fields, struct fw_table_key *key)
{
	char text[FW_TABLE_KEY_TEXT], *rest = text, *part;
	struct fw_flow f = { 0 };

	if (strlen(word) >= sizeof(text))
		return false;
	strcpy(text, word);
	for (int i = 0; i < FLOW_FIELDS; i++) {
		if (!(fields & flow_order[i]))
			continue;
		part = strsep(&rest, ",");
		if (part == NULL || !flow_field(part, flow_order[i], &f))
			return false;
	}
	if (rest != NULL)
		return false;
	fw_key_of_flow(key, &f, fields);
	return true;
}

bool
fw_table_key_parse(
    const struct fw_table *t, const char *word, struct fw_table_key *key, char *why, size_t len)
{
	static const char *const what[] = { "no address, prefix, number or known host",
		"no number of 32 bits", "no name of an interface",
		"not the fields of a flow that the table has" };
	bool good = t->type == FW_TABLE_ADDR ? parse_addr(word, key) :
	    t->type == FW_TABLE_NUMBER       ? parse_number(word, key) :
	    t->type == FW_TABLE_IFACE        ? parse_iface(word, key) :
					       parse_flow(word, t->flow, key);

	if (!good)
		snprintf(why, len, "'%s' is %s", word, what[t->type]);
	return good;
}

/* --- values ----------------------------------------------------------------------- */

bool
fw_table_value_parse(const struct fw_table *t, const char *word, struct fw_value *value)
{
	struct ipaddr a;
	uint64_t n;

	*value = (struct fw_value){ 0 };
	if (t->valtype <= FW_VALUE_NUMBER && verb_number(word, 0, UINT32_MAX, &n)) {
		value->number = (uint32_t)n;
		return true;
	}
	if (t->valtype == FW_VALUE_NUMBER ||
	    !ipaddr_resolve(word,
		t->valtype == FW_VALUE_IP4     ? AF_INET :
		    t->valtype == FW_VALUE_IP6 ? AF_INET6 :
						 AF_UNSPEC,
		&a))
		return false;
	value->family = (uint8_t)a.family;
	if (a.family == AF_INET)
		value->number = __builtin_bswap32(load32(a.b));
	else
		memcpy(value->addr6.b, a.b, sizeof(value->addr6.b));
	return true;
}

const char *
fw_table_value_text(const struct fw_table *t, const struct fw_table_entry *e, bool as_ip,
    char text[FW_TABLE_VALUE_TEXT])
{
	const struct fw_value *v = &e->value;
	char addr[IN6_TEXT];

	if (v->family == AF_INET6)
		snprintf(text, FW_TABLE_VALUE_TEXT, "%s", in6_ntoa(&v->addr6, addr));
	else if (as_ip || t->valtype == FW_VALUE_IP4)
		snprintf(
		    text, FW_TABLE_VALUE_TEXT, "%s", in_ntoa(__builtin_bswap32(v->number), addr));
	else
		snprintf(text, FW_TABLE_VALUE_TEXT, "%" PRIu32, v->number);
	return text;
}

/* --- keys to words ------------------------------------------------------------------ */

static void
print_addr(char *text, size_t len, const uint64_t *w, bool is_ip6)
{
	char addr[IN6_TEXT];
	struct in6 a;

	if (!is_ip6) {
		snprintf(text, len, "%s", in_ntoa(__builtin_bswap32((uint32_t)w[0]), addr));
		return;
	}
	bytes_of_words(a.b, w);
	snprintf(text, len, "%s", in6_ntoa(&a, addr));
}

static void
flow_text(const struct fw_table_entry *e, char *text, size_t len)
{
	bool is_ip6 = e->w[4] >> 40 & 1;
	size_t at = 0;

	for (int i = 0; i < FLOW_FIELDS; i++) {
		if (!(e->plen & flow_order[i]))
			continue;
		if (at > 0)
			at += (size_t)snprintf(text + at, len - at, ",");
		if (flow_order[i] == FW_FLOW_SRC)
			print_addr(text + at, len - at, e->w, is_ip6);
		else if (flow_order[i] == FW_FLOW_DST)
			print_addr(text + at, len - at, e->w + 2, is_ip6);
		else if (flow_order[i] == FW_FLOW_PROTO)
			snprintf(text + at, len - at, "%u", (unsigned)(e->w[4] >> 32 & 0xff));
		else if (flow_order[i] == FW_FLOW_SPORT)
			snprintf(text + at, len - at, "%u", (unsigned)(e->w[4] >> 16 & 0xffff));
		else
			snprintf(text + at, len - at, "%u", (unsigned)(e->w[4] & 0xffff));
		at += strlen(text + at);
	}
}

const char *
fw_table_key_text(const struct fw_table_entry *e, char text[FW_TABLE_KEY_TEXT])
{
	size_t n;

	switch (e->kind) {
	case FW_KEYED_IP4:
	case FW_KEYED_IP6:
		print_addr(text, FW_TABLE_KEY_TEXT, e->w, e->kind == FW_KEYED_IP6);
		n = strlen(text);
		snprintf(text + n, FW_TABLE_KEY_TEXT - n, "/%u", e->plen);
		break;
	case FW_KEYED_NUMBER:
		snprintf(text, FW_TABLE_KEY_TEXT, "%" PRIu64, e->w[0]);
		break;
	case FW_KEYED_NAME:
		bytes_of_words(text, e->w);
		text[16] = '\0';
		break;
	default:
		flow_text(e, text, FW_TABLE_KEY_TEXT);
	}
	return text;
}

struct fw_table_entry *
fw_table_answer(const struct fw_table *t, const struct fw_table_key *key)
{
	if (key->kind == FW_KEYED_IP4)
		return fw_hash_longest4(t->hash, (uint32_t)key->w[0]);
	if (key->kind == FW_KEYED_IP6)
		return fw_hash_longest6(t->hash, key->w[0], key->w[1]);
	return fw_hash_find(t->hash, key);
}
