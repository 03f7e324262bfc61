/*
 * fw_random.h - random rules of the whole grammar, as lines behind "add". The same seed says the same.
 */
#ifndef WARREN_TESTS_UNIT_FW_RANDOM_H
#define WARREN_TESTS_UNIT_FW_RANDOM_H

#include "base/rng.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct random_rule {
	char line[8192];
	size_t len;
	struct rng *rng;
	bool only6; /* behind "ip6", where IPv4 addresses are refused */
};

__attribute__((format(printf, 2, 3))) static void
say_word(struct random_rule *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	m->len += (size_t)vsnprintf(m->line + m->len, sizeof(m->line) - m->len, fmt, ap);
	va_end(ap);
}

static unsigned
upto(struct random_rule *m, unsigned n)
{
	return (unsigned)rng_below(m->rng, n);
}

static bool
one_in(struct random_rule *m, unsigned n)
{
	return upto(m, n) == 0;
}

#define PICK(m, ...)                                                                               \
	((const char *const[]){ __VA_ARGS__ }[upto(                                                \
	    m, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))])

/* item, item … of one kind */
static void
say_list(struct random_rule *m, unsigned most, void (*item)(struct random_rule *m))
{
	unsigned n = one_in(m, 3) ? 1 + upto(m, most) : 1;

	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			say_word(m, one_in(m, 8) ? ", " : ",");
		item(m);
	}
}

static void
say_not(struct random_rule *m)
{
	if (one_in(m, 6))
		say_word(m, "%s", PICK(m, "not ", "! ", "!"));
}

/* A thing, or a block of such. */
static void
say_block(struct random_rule *m, void (*thing)(struct random_rule *m))
{
	bool braces = one_in(m, 5);
	unsigned n = braces ? 1 + upto(m, 3) : 1;

	if (braces)
		say_word(m, "%s", PICK(m, "{ ", "( ", "{", "("));
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			say_word(m, "%s", PICK(m, " or ", " | "));
		say_not(m);
		thing(m);
	}
	if (braces)
		say_word(m, "%s", PICK(m, " }", " )", "}", ")"));
	say_word(m, " ");
}

/* --- addresses and ports --------------------------------------------------- */

static void
say_range(struct random_rule *m)
{
	unsigned lo = upto(m, 65536);

	if (one_in(m, 3))
		say_word(m, "%u-%u", lo, lo + upto(m, 65536 - lo));
	else
		say_word(m, "%u", lo);
}

static void
say_port(struct random_rule *m)
{
	if (one_in(m, 6))
		say_word(m, "%s", PICK(m, "ssh", "http", "domain", "ftp\\\\-data", "ntp"));
	else
		say_range(m);
}

static void
say_net(struct random_rule *m)
{
	say_word(m, "%u.%u.%u.%u", upto(m, 224), upto(m, 256), upto(m, 256), upto(m, 256));
	if (one_in(m, 2))
		say_word(m, "/%u", upto(m, 33));
	else if (one_in(m, 8))
		say_word(m, ":%u.%u.%u.%u", upto(m, 256), upto(m, 256), upto(m, 256), upto(m, 256));
}

static void
say_net6(struct random_rule *m)
{
	say_word(
	    m, "2%03x:%x:%x::%x", upto(m, 4096), upto(m, 65536), upto(m, 65536), upto(m, 65536));
	if (one_in(m, 2))
		say_word(m, "/%u", upto(m, 129));
	else if (one_in(m, 8))
		say_word(m, "/ffff:%x::%x", upto(m, 65536), 1 + upto(m, 65535));
}

static void
say_set_host(struct random_rule *m)
{
	unsigned lo = upto(m, 256);

	if (one_in(m, 3))
		say_word(m, "%u-%u", lo, lo + upto(m, 256 - lo));
	else
		say_word(m, "%u", lo);
}

static void
say_table(struct random_rule *m)
{
	say_word(m, "table(%s", PICK(m, "1", "2", "22", "blocked", "LOCALHOST6"));
	if (one_in(m, 3))
		say_word(m, ",%u", upto(m, 100000));
	say_word(m, ")");
}

static void
say_address(struct random_rule *m)
{
	switch (m->only6 ? 3 * upto(m, 2) : upto(m, 8)) {
	case 0:
		say_word(m, "%s", PICK(m, "me", "me6"));
		break;
	case 1:
		say_table(m);
		break;
	case 2:
		say_word(m, "192.0.%u.%u/24{", upto(m, 256), upto(m, 256));
		say_list(m, 20, say_set_host);
		say_word(m, "}");
		break;
	case 3:
	case 4:
		say_list(m, 5, say_net6);
		break;
	default:
		say_list(m, 5, say_net);
		break;
	}
}

static void
say_protocol(struct random_rule *m)
{
	if (one_in(m, 8))
		say_word(m, "%u", 1 + upto(m, 255));
	else
		say_word(m, "%s",
		    PICK(m, "tcp", "udp", "icmp", "ip4", "ip6", "ipv4", "ipv6", "ipv6-icmp", "esp",
			"gre", "sctp"));
}

/* Was "ip6" alone said since `begin`? */
static bool
says_only6(const struct random_rule *m, size_t begin)
{
	const char *word = m->line + begin + strspn(m->line + begin, "({ ");

	return strncmp(word, "ip", 2) == 0 && strstr(word, " or ") == NULL &&
	    strstr(word, " | ") == NULL && strchr(word, '6') != NULL && word[2] != '4' &&
	    strchr(word, '-') == NULL;
}

static void
say_side(struct random_rule *m)
{
	if (one_in(m, 3))
		say_word(m, "any ");
	else
		say_block(m, say_address);
	if (!one_in(m, 3))
		return;
	if (one_in(m, 6))
		say_word(m, "not ");
	say_list(m, 30, say_port);
	say_word(m, " ");
}

/* --- options --------------------------------------------------------------- */

static void
say_bits(struct random_rule *m, const char *word, const char *const *names)
{
	const char *comma = "";

	say_word(m, "%s ", word);
	for (const char *const *name = names; *name != NULL; name++)
		/* one at least */
		if (one_in(m, 2) || (name[1] == NULL && *comma == '\0')) {
			say_word(m, "%s%s%s", comma, one_in(m, 3) ? "!" : "", *name);
			comma = ",";
		}
}

static void
say_byte(struct random_rule *m)
{
	say_word(m, "%u", upto(m, 256));
}

static void
say_below_64(struct random_rule *m)
{
	say_word(m, "%u", upto(m, 64));
}

static void
say_dscp(struct random_rule *m)
{
	say_word(m, "%s", PICK(m, "be", "ef", "cs1", "af11", "af43", "va", "13", "63"));
}

static void
say_ether_type(struct random_rule *m)
{
	say_word(m, "%s", PICK(m, "ip", "ipv6", "arp", "vlan", "0x88cc", "8847", "0x8100-0x8200"));
}

static void
say_label(struct random_rule *m)
{
	say_word(m, "%u", upto(m, 1 << 20));
}

static void
say_header(struct random_rule *m)
{
	say_word(
	    m, "%s", PICK(m, "frag", "hopopt", "route", "rthdr0", "rthdr2", "dstopt", "ah", "esp"));
}

static void
say_mac(struct random_rule *m)
{
	if (one_in(m, 3)) {
		say_word(m, " any");
		return;
	}
	say_word(m, " %02x:%02x:%02X:%x:%02x:%02x", upto(m, 256), upto(m, 256), upto(m, 256),
	    upto(m, 256), upto(m, 256), upto(m, 256));
	if (one_in(m, 3))
		say_word(m, "/%u", upto(m, 49));
	else if (one_in(m, 3))
		say_word(m, "&ff:%02x:00:ff:%02x:ff", upto(m, 256), upto(m, 256));
}

static void
say_iface(struct random_rule *m)
{
	say_word(m, "%s %s", PICK(m, "recv", "xmit", "via"),
	    PICK(m, "em0", "em1", "em*", "any", "10.0.0.1", "table(lans)", "*", "epair0a"));
}

static void
say_lookup(struct random_rule *m)
{
	static const char *const masks[] = { ":255.255.0.0", ":0xff" };
	unsigned by_number = upto(m, 2);

	say_word(m, "lookup %s%s %u",
	    by_number ? PICK(m, "dst-port", "src-port", "uid", "jail", "dscp") :
			PICK(m, "dst-ip", "src-ip"),
	    one_in(m, 3) ? masks[by_number] : "", upto(m, 10));
}

static void
say_flow(struct random_rule *m)
{
	say_word(m, "flow table(%u%s)", upto(m, 10), one_in(m, 3) ? ",5" : "");
}

static void
say_listed(struct random_rule *m)
{
	say_word(m, "%s ",
	    PICK(m, "ipid", "iplen", "ipttl", "tcpwin", "tcpdatalen", "tcpmss", "tagged",
		"src-port", "dst-port"));
	say_list(m, 30, say_range);
}

static void
say_number(struct random_rule *m)
{
	switch (upto(m, 4)) {
	case 0:
		say_word(m, "%s %u", PICK(m, "ipver", "ipversion"), upto(m, 16));
		break;
	case 1:
		say_word(m, "ipprecedence %u", upto(m, 8));
		break;
	case 2:
		say_word(m, "fib %u", upto(m, 16));
		break;
	default:
		say_word(m, "%s %u", PICK(m, "tcpseq", "tcpack", "uid", "gid", "jail"),
		    (unsigned)rng_u64(m->rng));
		break;
	}
}

static void
say_word_alone(struct random_rule *m)
{
	say_word(m, "%s",
	    PICK(m, "in", "out", "layer2", "bridged", "frag", "fragment", "established", "estab",
		"setup", "ip4", "ip6", "ipsec", "verrevpath", "versrcreach", "antispoof",
		"diverted", "diverted-loopback", "diverted-output", "sockarg", "tagged tablearg"));
}

static void
say_map(struct random_rule *m)
{
	switch (upto(m, 6)) {
	case 0:
		say_word(m, "icmptypes ");
		say_list(m, 20, say_below_64);
		break;
	case 1:
		say_word(m, "icmp6types ");
		say_list(m, 20, say_byte);
		break;
	case 2:
		say_word(m, "dscp ");
		say_list(m, 8, say_dscp);
		break;
	case 3:
		say_word(m, "mac-type ");
		say_list(m, 5, say_ether_type);
		break;
	case 4:
		say_word(m, "flow-id ");
		say_list(m, 5, say_label);
		break;
	default:
		say_word(m, "ext6hdr ");
		say_list(m, 5, say_header);
		break;
	}
}

static void
say_flags(struct random_rule *m)
{
	static const char *const tcp[] = { "fin", "syn", "rst", "psh", "ack", "urg", NULL };
	static const char *const opts[] = { "mss", "window", "sack", "ts", "cc", NULL };
	static const char *const ip[] = { "ssrr", "lsrr", "rr", "ts", NULL };
	static const char *const tos[] = { "lowdelay", "throughput", "reliability", "mincost",
		"congestion", NULL };

	switch (upto(m, 4)) {
	case 0:
		say_bits(m, PICK(m, "tcpflags", "tcpflgs"), tcp);
		break;
	case 1:
		say_bits(m, PICK(m, "tcpoptions", "tcpopts"), opts);
		break;
	case 2:
		say_bits(m, PICK(m, "ipoptions", "ipopts"), ip);
		break;
	default:
		say_bits(m, "iptos", tos);
		break;
	}
}

static void
say_option(struct random_rule *m)
{
	switch (upto(m, 10)) {
	case 0:
	case 1:
		say_word_alone(m);
		break;
	case 2:
		say_listed(m);
		break;
	case 3:
		say_number(m);
		break;
	case 4:
		say_map(m);
		break;
	case 5:
		say_flags(m);
		break;
	case 6:
		say_iface(m);
		break;
	case 7:
		if (one_in(m, 4))
			say_flow(m);
		else
			say_lookup(m);
		break;
	case 8:
		say_word(m, "%s ", PICK(m, "src-ip", "dst-ip"));
		say_address(m);
		break;
	default:
		if (one_in(m, 2)) {
			say_word(m, "proto ");
			say_protocol(m);
		} else {
			say_word(m, "%s", PICK(m, "MAC", "mac"));
			say_mac(m);
			say_mac(m);
		}
		break;
	}
}

static void
say_state(struct random_rule *m)
{
	if (one_in(m, 2)) {
		say_word(m, "%s", PICK(m, "keep-state", "record-state"));
	} else {
		say_word(m, "%s %s ", PICK(m, "limit", "set-limit"),
		    PICK(m, "src-addr", "dst-addr", "src-addr dst-port", "src-port dst-addr"));
		if (one_in(m, 5))
			say_word(m, "tablearg");
		else
			say_word(m, "%u", upto(m, 100000));
	}
	say_word(m, "%s %s", PICK(m, "", "", " :web", " :default", " :ABC_1"),
	    PICK(m, "", "", "", "defer-immediate-action "));
}

/* --- the rule -------------------------------------------------------------- */

static void
say_action(struct random_rule *m)
{
	if (one_in(m, 2))
		say_word(m, "%s ", PICK(m, "allow", "deny", "pass", "drop", "count", "reject"));
	else if (one_in(m, 3))
		say_word(m, "%s %s ",
		    PICK(m, "skipto", "call", "pipe", "queue", "divert", "tee", "nat", "netgraph",
			"ngtee", "setfib", "setdscp", "fwd"),
		    "tablearg");
	else if (one_in(m, 2))
		say_word(m, "%s %u ",
		    PICK(m, "skipto", "call", "pipe", "queue", "divert", "tee", "nat", "netgraph",
			"ngtee", "tcp-setmss"),
		    1 + upto(m, 65535));
	else
		say_word(m, "%s ",
		    PICK(m, "unreach port", "unreach 77", "unreach6 address", "reset", "reset6",
			"return", "nat global", "setfib 3", "setdscp af12", "setdscp 17", "reass",
			"auth", "fwd 10.1.2.3", "forward 10.1.2.3,8080", "fwd 2001:db8::1,80",
			"fwd 2001:db8::5"));
}

static void
say_parameters(struct random_rule *m)
{
	if (one_in(m, 6))
		say_word(m, "log ");
	else if (one_in(m, 6))
		say_word(m, "log logamount %u ", upto(m, 1000));
	if (one_in(m, 8))
		say_word(m, "tag %u ", 1 + upto(m, 65534));
	if (one_in(m, 8))
		say_word(m, "untag tablearg ");
	if (one_in(m, 12))
		say_word(m, "altq q%u ", upto(m, 10));
}

/* A line behind "add", in m->line until the next. */
static const char *
random_rule(struct random_rule *m)
{
	m->len = 0;
	m->line[0] = '\0';
	if (one_in(m, 3))
		say_word(m, "%u ", 1 + upto(m, 65534));
	if (one_in(m, 6))
		say_word(m, "set %u ", upto(m, 32));
	if (one_in(m, 8))
		say_word(m, "prob %.9f ", rng_double(m->rng));
	if (one_in(m, 20)) {
		say_word(m, "%s ", PICK(m, "check-state", "check-state :web", "check-state :any"));
	} else {
		say_action(m);
		say_parameters(m);
		if (!one_in(m, 5)) {
			size_t begin = m->len;

			if (one_in(m, 3))
				say_word(m, "%s ", PICK(m, "ip", "all"));
			else
				say_block(m, say_protocol);
			m->only6 = says_only6(m, begin);
			say_word(m, "from ");
			say_side(m);
			say_word(m, "to ");
			say_side(m);
			m->only6 = false;
		}
		for (unsigned n = upto(m, 4); n > 0; n--)
			say_block(m, say_option);
		if (one_in(m, 6))
			say_state(m);
	}
	if (one_in(m, 5))
		say_word(m, "// number %u, { or not }", upto(m, 1000));
	return m->line;
}

#endif
