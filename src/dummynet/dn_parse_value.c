/*
 * dn_parse_value.c - numbers of the shaper's words, with the units that people have written behind
 * them since 1998, and masks.
 *
 * The originals read a number and passed over what they didn't know behind it. Here the same forms
 * are read to their end, exactly, and anything else is refused.
 */
#include "dummynet/dn_words.h"

#include "base/bytes.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
is_one_of(const char *word, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcasecmp(word, *names) == 0)
			return true;
	return false;
}

/* --- rates, times, sizes ---------------------------------------------------------------------- */

bool
dn_parse_rate(const char *word, uint64_t *bps)
{
	static const char *const names[] = { "", "b", "b/s", "bps", "bit", "bits", "bit/s",
		"bits/s", "byte", "bytes", "byte/s", "bytes/s", NULL };
	const int digits = (int)strspn(word, "0123456789.");
	const char *unit = word + digits;
	char text[64], scale[2] = "";
	bool bytes;

	if (digits == 0 || digits > 40)
		return false;
	if (*unit != '\0' && strchr("kKmMgG", *unit) != NULL)
		scale[0] = (char)toupper((unsigned char)*unit++);
	if (!is_one_of(unit, names))
		return false;
	bytes = (unit[0] == 'B' && tolower((unsigned char)unit[1]) != 'i') ||
	    strncasecmp(unit, "by", 2) == 0;
	snprintf(text, sizeof(text), "%.*s%s%s", digits, word, scale, bytes ? "Byte/s" : "bit/s");
	return verb_rate(text, bps);
}

bool
dn_parse_time(const char *word, uint64_t *ns)
{
	char text[64];

	if (word[strspn(word, "0123456789.")] != '\0')
		return verb_duration(word, ns);
	return snprintf(text, sizeof(text), "%sms", word) < (int)sizeof(text) &&
	    verb_duration(text, ns);
}

bool
dn_parse_size(const char *word, uint64_t *n, bool *plain)
{
	static const char *const names[] = { "", "b", "byte", "bytes", NULL };
	static const char scales[] = "kmgt";
	const size_t digits = strspn(word, "0123456789");
	const char *unit = word + digits, *scale;
	char text[24];
	unsigned shift = 0;

	if (digits == 0 || digits >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)digits, word);
	*plain = *unit == '\0';
	scale = *plain ? NULL : strchr(scales, tolower((unsigned char)*unit));
	if (scale != NULL) {
		shift = 10 * (unsigned)(scale - scales + 1);
		unit++;
	}
	if (!is_one_of(unit, names) || !verb_number(text, 0, UINT64_MAX >> shift, n))
		return false;
	*n <<= shift;
	return true;
}

bool
dn_parse_fraction(const char *word, double *value)
{
	char *end;

	/* strtod() reads hexadecimal, nan and inf, too. */
	if ((!isdigit((unsigned char)word[0]) && word[0] != '.') ||
	    word[strspn(word, "0123456789.eE+-")] != '\0')
		return false;
	*value = strtod(word, &end);
	return *end == '\0' && end != word && isfinite(*value);
}

/* --- masks ------------------------------------------------------------------------------------ */

/* A member of a mask: where it lies, and how wide it is. */
struct member {
	const char *name;
	size_t offset;
	unsigned bits;
};
static const struct member members[] = {
	{ "dst-ip", offsetof(struct dn_mask, dst), 32 },
	{ "src-ip", offsetof(struct dn_mask, src), 32 },
	{ "dst-ip6", offsetof(struct dn_mask, dst6), 128 },
	{ "dst-ipv6", offsetof(struct dn_mask, dst6), 128 },
	{ "src-ip6", offsetof(struct dn_mask, src6), 128 },
	{ "src-ipv6", offsetof(struct dn_mask, src6), 128 },
	{ "flow-id", offsetof(struct dn_mask, flow_id), 20 },
	{ "dst-port", offsetof(struct dn_mask, dport), 16 },
	{ "src-port", offsetof(struct dn_mask, sport), 16 },
	{ "proto", offsetof(struct dn_mask, proto), 8 },
};

static const struct member *
member_find(const char *word)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strcmp(word, members[i].name) == 0)
			return &members[i];
	return NULL;
}

/* The value's low bits in network order. */
static void
member_set(struct dn_mask *mask, const struct member *member, uint32_t value)
{
	void *place = (char *)mask + member->offset;

	if (member->bits == 8)
		*(uint8_t *)place = (uint8_t)value;
	else if (member->bits == 16)
		*(uint16_t *)place = __builtin_bswap16((uint16_t)value);
	else
		*(uint32_t *)place = __builtin_bswap32(value);
}

/* The first len bits: of an IPv6 address a mask is the length of a prefix. */
static void
prefix_set(struct dn_mask *mask, const struct member *member, unsigned len)
{
	uint8_t *bytes = (uint8_t *)mask + member->offset;

	for (unsigned i = 0; i < 16; i++, len -= len < 8 ? len : 8)
		bytes[i] = len < 8 ? (uint8_t)(0xff00U >> len) : 0xff;
}

/* "0xffff0000", or "/16", which means the 16 low bits (of an IPv6 address the 16 first ones). */
static bool
member_read(struct dn_mask *mask, const struct member *member, const char *word)
{
	const bool is_length = word[0] == '/';
	const uint64_t all = (UINT64_C(1) << (member->bits & 63)) - 1;
	uint64_t n;

	if (is_length || member->bits == 128) {
		if (!verb_number(word + is_length, 0, member->bits, &n))
			return false;
		if (member->bits == 128)
			prefix_set(mask, member, (unsigned)n);
		else
			member_set(mask, member, (uint32_t)((UINT64_C(1) << n) - 1));
		return true;
	}
	if (!verb_number(word, 0, all, &n))
		return false;
	member_set(mask, member, (uint32_t)n);
	return true;
}

static void
mask_all(struct dn_mask *mask)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].bits == 128)
			prefix_set(mask, &members[i], 128);
		else
			member_set(
			    mask, &members[i], (uint32_t)((UINT64_C(1) << members[i].bits) - 1));
}

int
dn_parse_mask(struct dn_mask *mask, int argc, char **argv, char *why, size_t why_len)
{
	const struct member *member;
	int i;

	for (i = 0; i < argc; i += 2) {
		/* the one or the other ends a mask */
		if (strcmp(argv[i], "all") == 0) {
			mask_all(mask);
			return i + 1;
		}
		if (strcmp(argv[i], "queue") == 0 &&
		    (i + 1 == argc || !isdigit((unsigned char)argv[i + 1][0]))) {
			mask->per_queue = true;
			return i + 1;
		}
		if ((member = member_find(argv[i])) == NULL)
			break;
		if (i + 1 == argc || !member_read(mask, member, argv[i + 1])) {
			snprintf(why, why_len,
			    "mask: %s%s%.60s: not a mask of %u bits (as 0x%s, or /%u)", argv[i],
			    i + 1 == argc ? "" : " ", i + 1 == argc ? "" : argv[i + 1],
			    member->bits, member->bits == 8 ? "ff" : "ffff", member->bits / 2);
			return -1;
		}
	}
	return i;
}
