/*
 * option_link.c - options about the link: interfaces, Ethernet addresses.
 *
 *	via em0    recv em*    xmit 10.0.0.1    via any    recv table(lans)
 *	MAC 02:00:00:00:00:01 any    MAC any 02:00:00:00:00:00/40    MAC 01:..&01:00:00:00:00:00 any
 *
 * Of the two Ethernet addresses the destination comes first.
 */
#include "ipfw/language.h"

#include "inet/in.h"
#include "kern/verb.h"

#include <bsd/string.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- interfaces ------------------------------------------------------------ */

static bool
parse_iface_table(struct fw_parse *p, const char *word, struct fw_iface *iface)
{
	char name[128];
	size_t len = strlen(word);

	if (len < sizeof("table(x)") - 1 || len - 6 >= sizeof(name) || word[len - 1] != ')')
		return fw_fail(p, "bad table \"%s\"", word);
	memcpy(name, word + 6, len - 7);
	name[len - 7] = '\0';
	if (!fw_parse_table_name(p, name, &iface->table))
		return false;
	iface->how = FW_IFACE_TABLE;
	return true;
}

static bool
parse_iface_name(struct fw_parse *p, const char *word, struct fw_iface *iface)
{
	size_t len = strlen(word);

	iface->how = FW_IFACE_NAME;
	if (len > 0 && word[len - 1] == '*') {
		iface->how = FW_IFACE_PREFIX;
		len--;
	}
	if (strchr(word, ',') != NULL)
		return fw_fail(p, "bad interface \"%s\"", word);
	if (memchr(word, '*', len) != NULL || strpbrk(word, "?[") != NULL)
		return fw_fail(p, "bad interface \"%s\": only a star at its end", word);
	if (len >= sizeof(iface->name))
		return fw_fail(p, "interface \"%s\" is too long", word);
	memcpy(iface->name, word, len);
	return true;
}

enum fw_made
fw_parse_iface(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	const char *word = fw_need(p, o->word);
	struct fw_iface *iface;
	bool good = true;

	if (word == NULL)
		return FW_MADE_FAULT;
	iface = fw_rule_list(sizeof(*iface));
	if (iface == NULL) {
		fw_no_memory(p);
		return FW_MADE_FAULT;
	}
	in->u.iface = iface;
	if (strcmp(word, "any") == 0)
		iface->how = FW_IFACE_ANY;
	else if (fw_is_table(word))
		good = parse_iface_table(p, word, iface);
	else if (in_aton(word, &iface->addr))
		iface->how = FW_IFACE_ADDR;
	else if (isdigit((unsigned char)word[0]))
		good = fw_fail(p, "bad address \"%s\"", word);
	else
		good = parse_iface_name(p, word, iface);
	return good ? FW_MADE_INSN : FW_MADE_FAULT;
}

void
fw_print_iface(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	const struct fw_iface *iface = in->u.iface;
	char text[16];

	(void)proto;
	switch ((enum fw_iface_how)iface->how) {
	case FW_IFACE_ANY:
		fw_put(t, "any");
		return;
	case FW_IFACE_NAME:
		fw_put(t, "%s", iface->name);
		return;
	case FW_IFACE_PREFIX:
		fw_put(t, "%s*", iface->name);
		return;
	case FW_IFACE_ADDR:
		fw_put(t, "%s", in_ntoa(iface->addr, text));
		return;
	case FW_IFACE_TABLE:
		fw_put(t, "table(%s)", fw_table_name(iface->table));
		return;
	}
}

/* --- Ethernet addresses ---------------------------------------------------- */

/* Six hexadecimal bytes; *end behind them. */
static bool
parse_six(const char *word, uint8_t six[6], const char **end)
{
	for (int i = 0; i < 6; i++) {
		char *behind;
		unsigned long byte;

		if (!isxdigit((unsigned char)*word))
			return false;
		byte = strtoul(word, &behind, 16);
		if (byte > 255 || behind > word + 2 || (i < 5 && *behind != ':'))
			return false;
		six[i] = (uint8_t)byte;
		word = i < 5 ? behind + 1 : behind;
	}
	*end = word;
	return true;
}

static bool
parse_mac_mask(const char *word, uint8_t mask[6])
{
	uint64_t len;

	if (*word == '\0') {
		memset(mask, 0xff, 6);
		return true;
	}
	if (*word == '&')
		return parse_six(word + 1, mask, &word) && *word == '\0';
	if (*word != '/' || !verb_number(word + 1, 0, 48, &len))
		return false;
	for (unsigned bit = 0; bit < len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return true;
}

static bool
parse_mac(struct fw_parse *p, const char *word, uint8_t addr[6], uint8_t mask[6])
{
	const char *end;

	if (word == NULL)
		return false;
	if (strcmp(word, "any") == 0)
		return true;
	if (!parse_six(word, addr, &end) || !parse_mac_mask(end, mask))
		return fw_fail(p, "bad MAC address \"%s\"", word);
	for (int i = 0; i < 6; i++)
		addr[i] &= mask[i];
	return true;
}

enum fw_made
fw_parse_mac(struct fw_parse *p, const struct fw_option *o, struct fw_insn *in)
{
	struct fw_mac *mac = fw_rule_list(sizeof(*mac));

	if (mac == NULL) {
		fw_no_memory(p);
		return FW_MADE_FAULT;
	}
	in->u.mac = mac;
	if (!parse_mac(p, fw_need(p, o->word), mac->dst, mac->dst_mask) ||
	    !parse_mac(p, fw_need(p, o->word), mac->src, mac->src_mask))
		return FW_MADE_FAULT;
	return FW_MADE_INSN;
}

static void
print_six(struct fw_text *t, const uint8_t six[6])
{
	fw_put(t, "%02x:%02x:%02x:%02x:%02x:%02x", six[0], six[1], six[2], six[3], six[4], six[5]);
}

/* How many ones the mask begins with; 49: they are not all its ones. */
static unsigned
prefix_of(const uint8_t mask[6])
{
	unsigned len = 0;

	while (len < 48 && (mask[len / 8] & 0x80 >> len % 8) != 0)
		len++;
	for (unsigned bit = len; bit < 48; bit++)
		if ((mask[bit / 8] & 0x80 >> bit % 8) != 0)
			return 49;
	return len;
}

static void
print_mac(struct fw_text *t, const uint8_t addr[6], const uint8_t mask[6])
{
	unsigned len = prefix_of(mask);

	if (len == 0) {
		fw_put(t, "any");
		return;
	}
	print_six(t, addr);
	if (len < 48) {
		fw_put(t, "/%u", len);
	} else if (len > 48) {
		fw_put(t, "&");
		print_six(t, mask);
	}
}

void
fw_print_mac(struct fw_text *t, const struct fw_insn *in, uint8_t proto)
{
	(void)proto;
	print_mac(t, in->u.mac->dst, in->u.mac->dst_mask);
	fw_put(t, " ");
	print_mac(t, in->u.mac->src, in->u.mac->src_mask);
}
