/*
 * ports.c - lists of 16-bit numbers and ranges: ports, Ethernet types, lengths, tags.
 *
 *	25,80-90,ftp\-data		'-' in a name is escaped, if the whole is not a name anyway
 *	arp,0x0800-0x08ff		Ethernet types are hexadecimal, with 0x or without
 */
#include "ipfw/language.h"

#include "kern/verb.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* One end of a range, without backslashes. */
static bool
name_or_number(const char *word, enum fw_list_kind kind, uint8_t proto, uint64_t *number)
{
	uint32_t value;
	uint16_t port;
	char *end;

	if (kind == FW_LIST_ETHER_TYPES) {
		if (fw_name_find(fw_ether_types, word, &value)) {
			*number = value;
			return true;
		}
		*number = strtoul(word, &end, 16);
		return isxdigit((unsigned char)word[0]) && *end == '\0';
	}
	if (kind == FW_LIST_PORTS &&
	    (fw_service_find(word, proto, &port) || fw_service_find(word, 0, &port))) {
		*number = port;
		return true;
	}
	return verb_number(word, 0, UINT64_MAX, number);
}

static void
unescape(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (from[i] != '\\')
			*to++ = from[i];
	*to = '\0';
}

/* Length of the text before the '-' that parts two ends; len if there is none. */
static size_t
first_end(const char *word, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (word[i] == '-' && word[i - 1] != '\\')
			return i;
	return len;
}

struct list {
	struct fw_parse *p;
	enum fw_list_kind kind;
	const char *of; /* for messages */
};

static bool
parse_end(const struct list *l, const char *word, size_t len, uint16_t *value)
{
	char text[64];
	uint64_t number;

	if (len >= sizeof(text))
		return fw_fail(l->p, "bad %s \"%.*s\"", l->of, (int)sizeof(text), word);
	unescape(text, word, len);
	if (!name_or_number(text, l->kind, l->p->proto, &number))
		return fw_fail(l->p, "bad %s \"%s\"", l->of, text);
	if (number > UINT16_MAX)
		return fw_fail(l->p, "%s %s out of range", l->of, text);
	*value = (uint16_t)number;
	return true;
}

static bool
is_name(const struct list *l, const char *word, size_t len, uint16_t *port)
{
	char text[64];

	if (l->kind != FW_LIST_PORTS || len >= sizeof(text))
		return false;
	unescape(text, word, len);
	return fw_service_find(text, l->p->proto, port) || fw_service_find(text, 0, port);
}

static bool
parse_range(const struct list *l, const char *word, size_t len, struct fw_range *r)
{
	size_t first = first_end(word, len);

	if (is_name(l, word, len, &r->lo)) {
		r->hi = r->lo;
		return true;
	}
	if (!parse_end(l, word, first, &r->lo))
		return false;
	r->hi = r->lo;
	if (first == len)
		return true;
	if (!parse_end(l, word + first + 1, len - first - 1, &r->hi))
		return false;
	return r->lo <= r->hi ||
	    fw_fail(l->p, "%s range \"%.*s\" is backwards", l->of, (int)len, word);
}

bool
fw_parse_list(struct fw_parse *p, const char *word, enum fw_list_kind kind, const char *of,
    struct fw_insn *in)
{
	const struct list l = { p, kind, of };
	struct fw_range *range;
	unsigned n = 1;

	for (const char *c = word; *c != '\0'; c++)
		n += *c == ',';
	if (n > FW_RANGES_MAX)
		return fw_fail(p, "more than %d entries in %s list", FW_RANGES_MAX, of);
	range = fw_rule_list(n * sizeof(*range));
	if (range == NULL)
		return fw_no_memory(p);
	in->n = (uint16_t)n;
	in->u.range = range;
	for (unsigned i = 0; i < n; i++) {
		size_t len = strcspn(word, ",");

		if (!parse_range(&l, word, len, &range[i]))
			return false;
		word += len + 1;
	}
	return true;
}

bool
fw_looks_like_ports(const char *word, uint8_t proto)
{
	size_t len = strcspn(word, ",");
	char text[64];
	uint16_t port;

	if (isdigit((unsigned char)word[0]) || strcmp(word, "any") == 0)
		return true;
	if (len >= sizeof(text))
		return false;
	unescape(text, word, len);
	if (fw_service_find(text, proto, &port) || fw_service_find(text, 0, &port))
		return true;
	unescape(text, word, first_end(word, len));
	return fw_service_find(text, proto, &port) || fw_service_find(text, 0, &port);
}

/* --- writing --------------------------------------------------------------- */

static void
print_port_name(struct fw_text *t, const char *name)
{
	for (; *name != '\0'; name++)
		fw_put(t, *name == '-' ? "\\%c" : "%c", *name);
}

static void
print_number(struct fw_text *t, uint16_t n, enum fw_list_kind kind, uint8_t proto)
{
	const char *name = kind == FW_LIST_PORTS && (t->flags & FW_PRINT_NAMES) != 0 ?
	    fw_service_of(n, proto) :
	    NULL;

	if (name != NULL)
		print_port_name(t, name);
	else
		fw_put(t, kind == FW_LIST_ETHER_TYPES ? "0x%04x" : "%u", n);
}

void
fw_print_list(struct fw_text *t, const struct fw_insn *in, enum fw_list_kind kind, uint8_t proto)
{
	for (unsigned i = 0; i < in->n; i++) {
		const struct fw_range *r = &in->u.range[i];

		if (i > 0)
			fw_put(t, ",");
		print_number(t, r->lo, kind, proto);
		if (r->lo == r->hi)
			continue;
		fw_put(t, "-");
		print_number(t, r->hi, kind, proto);
	}
}
