/*
 * names.c - words that stand for numbers: Ethernet types, code points, ICMP codes, users.
 *
 * The services, which are many, have a file of their own (names_services.c); protocols are named where
 * they live (inet/ip_names.c).
 */
#include "ipfw/names.h"

#include "inet/ip_names.h"
#include "kern/verb.h"

#include <stddef.h>
#include <string.h>

bool
fw_name_find(const struct fw_word *names, const char *word, uint32_t *value)
{
	for (; names->word != NULL; names++)
		if (strcmp(names->word, word) == 0) {
			*value = names->value;
			return true;
		}
	return false;
}

const char *
fw_name_of(const struct fw_word *names, uint32_t value)
{
	for (; names->word != NULL; names++)
		if (names->value == value)
			return names->word;
	return NULL;
}

bool
fw_protocol_find(const char *word, uint8_t *proto)
{
	uint64_t number;

	if (!verb_number(word, 1, 255, &number))
		return ip_protocol_find(word, proto);
	*proto = (uint8_t)number;
	return true;
}

const struct fw_word fw_ether_types[] = {
	{ "ip", 0x0800 },
	{ "ipv4", 0x0800 },
	{ "ipv6", 0x86dd },
	{ "arp", 0x0806 },
	{ "rarp", 0x8035 },
	{ "vlan", 0x8100 },
	{ "loop", 0x9000 },
	{ "trail", 0x1000 },
	{ "at", 0x809b },
	{ "atalk", 0x809b },
	{ "aarp", 0x80f3 },
	{ "pppoe_disc", 0x8863 },
	{ "pppoe_sess", 0x8864 },
	{ "ipx_8022", 0x00e0 },
	{ "ipx_8023", 0x0000 },
	{ "ipx_ii", 0x8137 },
	{ "ipx_snap", 0x8137 },
	{ "ipx", 0x8137 },
	{ "ns", 0x0600 },
	{ NULL, 0 },
};

/* RFC 2474, 2597, 3246, 5865. */
const struct fw_word fw_dscps[] = {
	{ "be", 0 },
	{ "cs0", 0 },
	{ "cs1", 8 },
	{ "af11", 10 },
	{ "af12", 12 },
	{ "af13", 14 },
	{ "cs2", 16 },
	{ "af21", 18 },
	{ "af22", 20 },
	{ "af23", 22 },
	{ "cs3", 24 },
	{ "af31", 26 },
	{ "af32", 28 },
	{ "af33", 30 },
	{ "cs4", 32 },
	{ "af41", 34 },
	{ "af42", 36 },
	{ "af43", 38 },
	{ "cs5", 40 },
	{ "va", 44 },
	{ "ef", 46 },
	{ "cs6", 48 },
	{ "cs7", 56 },
	{ NULL, 0 },
};

/* RFC 792, 1122 3.2.2.1, 1812 5.2.7.1. */
const struct fw_word fw_unreach_codes[] = {
	{ "net", 0 },
	{ "host", 1 },
	{ "protocol", 2 },
	{ "port", 3 },
	{ "needfrag", 4 },
	{ "srcfail", 5 },
	{ "net-unknown", 6 },
	{ "host-unknown", 7 },
	{ "isolated", 8 },
	{ "net-prohib", 9 },
	{ "host-prohib", 10 },
	{ "tosnet", 11 },
	{ "toshost", 12 },
	{ "filter-prohib", 13 },
	{ "host-precedence", 14 },
	{ "precedence-cutoff", 15 },
	{ NULL, 0 },
};

/* RFC 4443 3.1. */
const struct fw_word fw_unreach6_codes[] = {
	{ "no-route", 0 },
	{ "admin-prohib", 1 },
	{ "address", 3 },
	{ "port", 4 },
	{ NULL, 0 },
};

/* Those that every BSD has by the same number; others are said by number. */
const struct fw_word fw_users[] = {
	{ "root", 0 },
	{ "toor", 0 },
	{ "daemon", 1 },
	{ "operator", 2 },
	{ "bin", 3 },
	{ "tty", 4 },
	{ "kmem", 5 },
	{ "games", 7 },
	{ "news", 8 },
	{ "man", 9 },
	{ "sshd", 22 },
	{ "smmsp", 25 },
	{ "mailnull", 26 },
	{ "bind", 53 },
	{ "unbound", 59 },
	{ "proxy", 62 },
	{ "uucp", 66 },
	{ "pop", 68 },
	{ "www", 80 },
	{ "ntpd", 123 },
	{ "nobody", 65534 },
	{ NULL, 0 },
};

const struct fw_word fw_groups[] = {
	{ "wheel", 0 },
	{ "daemon", 1 },
	{ "kmem", 2 },
	{ "sys", 3 },
	{ "tty", 4 },
	{ "operator", 5 },
	{ "mail", 6 },
	{ "bin", 7 },
	{ "news", 8 },
	{ "man", 9 },
	{ "games", 13 },
	{ "ftp", 14 },
	{ "staff", 20 },
	{ "sshd", 22 },
	{ "guest", 31 },
	{ "bind", 53 },
	{ "unbound", 59 },
	{ "proxy", 62 },
	{ "uucp", 66 },
	{ "dialer", 68 },
	{ "network", 69 },
	{ "www", 80 },
	{ "ntpd", 123 },
	{ "nogroup", 65533 },
	{ "nobody", 65534 },
	{ NULL, 0 },
};
