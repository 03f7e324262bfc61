/*
 * names.c - words that stand for numbers: protocols, Ethernet types, code points, ICMP codes, users.
 *
 * The services, which are many, have a file of their own (names_services.c).
 */
#include "ipfw/names.h"

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
	uint32_t value;

	if (verb_number(word, 1, 255, &number))
		value = (uint32_t)number;
	else if (!fw_name_find(fw_protocols, word, &value))
		return false;
	*proto = (uint8_t)value;
	return true;
}

/* IANA's numbers. "ip", "ip4" and "ip6" are words of the language, not protocols (parse.c). */
const struct fw_word fw_protocols[] = {
	{ "icmp", 1 },
	{ "igmp", 2 },
	{ "ggp", 3 },
	{ "ipencap", 4 },
	{ "ipip", 4 },
	{ "st", 5 },
	{ "st2", 5 },
	{ "tcp", 6 },
	{ "cbt", 7 },
	{ "egp", 8 },
	{ "igp", 9 },
	{ "bbn-rcc", 10 },
	{ "nvp", 11 },
	{ "pup", 12 },
	{ "argus", 13 },
	{ "emcon", 14 },
	{ "xnet", 15 },
	{ "chaos", 16 },
	{ "udp", 17 },
	{ "mux", 18 },
	{ "dcn", 19 },
	{ "hmp", 20 },
	{ "prm", 21 },
	{ "xns-idp", 22 },
	{ "trunk-1", 23 },
	{ "trunk-2", 24 },
	{ "leaf-1", 25 },
	{ "leaf-2", 26 },
	{ "rdp", 27 },
	{ "irtp", 28 },
	{ "iso-tp4", 29 },
	{ "netblt", 30 },
	{ "mfe-nsp", 31 },
	{ "merit-inp", 32 },
	{ "dccp", 33 },
	{ "3pc", 34 },
	{ "idpr", 35 },
	{ "xtp", 36 },
	{ "ddp", 37 },
	{ "idpr-cmtp", 38 },
	{ "tp++", 39 },
	{ "il", 40 },
	{ "sdrp", 42 },
	{ "ipv6-route", 43 },
	{ "ipv6-frag", 44 },
	{ "idrp", 45 },
	{ "rsvp", 46 },
	{ "gre", 47 },
	{ "dsr", 48 },
	{ "bna", 49 },
	{ "esp", 50 },
	{ "ah", 51 },
	{ "i-nlsp", 52 },
	{ "swipe", 53 },
	{ "narp", 54 },
	{ "mobile", 55 },
	{ "tlsp", 56 },
	{ "skip", 57 },
	{ "ipv6-icmp", 58 },
	{ "icmp6", 58 },
	{ "ipv6-nonxt", 59 },
	{ "ipv6-opts", 60 },
	{ "cftp", 62 },
	{ "sat-expak", 64 },
	{ "kryptolan", 65 },
	{ "rvd", 66 },
	{ "ippc", 67 },
	{ "sat-mon", 69 },
	{ "visa", 70 },
	{ "ipcv", 71 },
	{ "cpnx", 72 },
	{ "cphb", 73 },
	{ "wsn", 74 },
	{ "pvp", 75 },
	{ "br-sat-mon", 76 },
	{ "sun-nd", 77 },
	{ "wb-mon", 78 },
	{ "wb-expak", 79 },
	{ "iso-ip", 80 },
	{ "vmtp", 81 },
	{ "secure-vmtp", 82 },
	{ "vines", 83 },
	{ "ttp", 84 },
	{ "nsfnet-igp", 85 },
	{ "dgp", 86 },
	{ "tcf", 87 },
	{ "eigrp", 88 },
	{ "ospf", 89 },
	{ "ospfigp", 89 },
	{ "sprite-rpc", 90 },
	{ "larp", 91 },
	{ "mtp", 92 },
	{ "ax.25", 93 },
	{ "micp", 95 },
	{ "scc-sp", 96 },
	{ "etherip", 97 },
	{ "encap", 98 },
	{ "gmtp", 100 },
	{ "ifmp", 101 },
	{ "pnni", 102 },
	{ "pim", 103 },
	{ "aris", 104 },
	{ "scps", 105 },
	{ "qnx", 106 },
	{ "a/n", 107 },
	{ "ipcomp", 108 },
	{ "snp", 109 },
	{ "compaq-peer", 110 },
	{ "ipx-in-ip", 111 },
	{ "carp", 112 },
	{ "vrrp", 112 },
	{ "pgm", 113 },
	{ "l2tp", 115 },
	{ "ddx", 116 },
	{ "iatp", 117 },
	{ "stp", 118 },
	{ "srp", 119 },
	{ "uti", 120 },
	{ "smp", 121 },
	{ "sm", 122 },
	{ "ptp", 123 },
	{ "isis", 124 },
	{ "fire", 125 },
	{ "crtp", 126 },
	{ "crudp", 127 },
	{ "sscopmce", 128 },
	{ "iplt", 129 },
	{ "sps", 130 },
	{ "pipe", 131 },
	{ "sctp", 132 },
	{ "fc", 133 },
	{ "rsvp-e2e-ignore", 134 },
	{ "mobility-header", 135 },
	{ "udplite", 136 },
	{ "mpls-in-ip", 137 },
	{ "manet", 138 },
	{ "hip", 139 },
	{ "shim6", 140 },
	{ "wesp", 141 },
	{ "rohc", 142 },
	{ "pfsync", 240 },
	{ "divert", 254 },
	{ NULL, 0 },
};

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
