/*
 * `ipfw explain`: packets from words, the rules that they meet, why each does not match, and that
 * asking leaves no trace.
 */
#include "fw_packets.h"

#include "ipfw/packet.h"
#include "ipfw/probe.h"
#include "ipfw/state.h"

#include <stdio.h>

/* What the tool says on one of its streams; free() it. */
static char *
said(const char *line, int status, bool json, bool on_err)
{
	char *out = NULL, *err = NULL;
	int got = verb_line(NULL, line, json, &out, &err);

	if (got != status)
		print_error("%s: %s%s", line, out, err);
	assert_int_equal(got, status);
	free(on_err ? out : err);
	return on_err ? err : out;
}

static void
explains(const char *packet, int status, const char *want)
{
	char line[512], *text;

	snprintf(line, sizeof(line), "ipfw explain '%s'", packet);
	text = said(line, status, false, false);
	assert_string_equal(text, want);
	free(text);
}

/* The only rule does not match the packet, for this reason. */
static void
fails(const char *rule, const char *packet, const char *reason)
{
	char line[512], *text, *found;

	flush_rules();
	add(rule);
	snprintf(line, sizeof(line), "ipfw explain '%s'", packet);
	text = said(line, 1, false, false);
	found = strstr(text, reason);
	if (found == NULL)
		fail_msg("%s\n%s\nno \"%s\" in\n%s", rule, packet, reason, text);
	free(text);
}

static void
refuses(const char *packet, const char *why)
{
	char line[512], want[512], *text;

	snprintf(line, sizeof(line), "ipfw explain %s", packet);
	text = said(line, 65, false, true);
	snprintf(want, sizeof(want), "ipfw: explain: %s\n", why);
	assert_string_equal(text, want);
	free(text);
}

static void
test_each_rule_is_told_and_why_it_does_not_match(void **state)
{
	(void)state;
	router();
	add("100 deny tcp from any to any 22");
	add("200 count ip from any to any via mem0");
	add("300 allow tcp from 10.0.0.0/8 to any setup");
	explains("tcp 10.0.0.1:1234 -> 192.0.2.1:80 in via mem0", 0,
	    "tcp 10.0.0.1:1234 -> 192.0.2.1:80 tcpflags syn in via mem0\n"
	    "    00100 - deny tcp from any to any dst-port 22\n"
	    "            dst-port 22: it is 80\n"
	    "    00200 + count ip from any to any via mem0\n"
	    "    00300 + allow tcp from 10.0.0.0/8 to any setup\n"
	    "passes by rule 300: Accept\n");
	explains("udp 10.0.0.1:1 -> 192.0.2.1:53 out via mem1", 1,
	    "udp 10.0.0.1:1 -> 192.0.2.1:53 out via mem1\n"
	    "    00100 - deny tcp from any to any dst-port 22\n"
	    "            proto tcp: it is udp\n"
	    "    00200 - count ip from any to any via mem0\n"
	    "            via mem0: it is mem1\n"
	    "    00300 - allow tcp from 10.0.0.0/8 to any setup\n"
	    "            proto tcp: it is udp\n"
	    "    65535 + deny ip from any to any\n"
	    "dropped by rule 65535: Deny\n");
}

static void
test_the_packets_value_is_said_of_every_word(void **state)
{
	static const char *const cases[][3] = {
		{ "allow udp from any to any", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "proto udp: it is tcp" },
		{ "allow ip6 from any to any", "tcp 10.0.0.1:1 -> 10.0.0.2:2", "it is IPv4" },
		{ "allow ip from 10.1.0.0/16 to any", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "src-ip 10.1.0.0/16: it is 10.0.0.1" },
		{ "allow ip from any to not 10.0.0.2", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "not dst-ip 10.0.0.2: it is 10.0.0.2" },
		{ "allow ip from any to 2001:db8::/32", "udp [2001:db9::1]:1 -> [2001:db9::2]:2",
		    "dst-ip6 2001:db8::/32: it is 2001:db9::2" },
		{ "allow ip from 10.0.0.0/24{5-9} to any", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "it is 10.0.0.1" },
		{ "allow ip from any to me", "tcp 10.0.0.5:1 -> 10.0.0.2:2",
		    "dst-ip me: it is 10.0.0.2" },
		{ "allow tcp from any 5 to any", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "src-port 5: it is 1" },
		{ "allow ip from any to any 5", "icmp 10.0.0.1 -> 10.0.0.2", "it has no ports" },
		{ "allow ip from any to any 5", "udp 10.0.0.1 -> 10.0.0.2 frag 80",
		    "a later fragment has no ports" },
		{ "allow ip from any to any out", "udp 10.0.0.1 -> 10.0.0.2", "out: it comes in" },
		{ "allow ip from any to any in", "udp 10.0.0.1 -> 10.0.0.2 out",
		    "in: it goes out" },
		{ "allow ip from any to any layer2", "udp 10.0.0.1 -> 10.0.0.2",
		    "layer2: it is met at layer 3" },
		{ "allow ip from any to any MAC any 02:00:00:00:00:09", "udp 10.0.0.1 -> 10.0.0.2",
		    "there is no link header here" },
		{ "allow ip from any to any recv mem1", "udp 10.0.0.1 -> 10.0.0.2 in via mem0",
		    "recv mem1: it is mem0" },
		{ "allow ip from any to any xmit mem1", "udp 10.0.0.1 -> 10.0.0.2 in via mem0",
		    "xmit mem1: on its way in it has none" },
		{ "allow ip from any to any recv mem1", "udp 10.0.0.1 -> 10.0.0.2 out via mem0",
		    "recv mem1: it was made here" },
		{ "allow ip from any to any frag", "udp 10.0.0.1 -> 10.0.0.2",
		    "it is no fragment" },
		{ "allow ip from any to any frag", "udp 10.0.0.1 -> 10.0.0.2 frag 0+",
		    "it is a first fragment" },
		{ "allow ip from any to any ipid 7-9", "udp 10.0.0.1 -> 10.0.0.2 id 77",
		    "it is 77" },
		{ "allow ip from any to any iplen 1-60", "udp 10.0.0.1 -> 10.0.0.2 length 1400",
		    "iplen 1-60: it is 1400" },
		{ "allow ip from any to any ipttl 1", "udp 10.0.0.1 -> 10.0.0.2 ttl 9",
		    "ipttl 1: it is 9" },
		{ "allow ip from any to any ipprecedence 3", "udp 10.0.0.1 -> 10.0.0.2 tos 224",
		    "it is 7" },
		{ "allow ip from any to any iptos lowdelay", "udp 10.0.0.1 -> 10.0.0.2 tos 2",
		    "it is 0x02" },
		{ "allow ip from any to any dscp ef", "udp 10.0.0.1 -> 10.0.0.2 dscp 10",
		    "it is 10" },
		{ "allow ip from any to any ipoptions rr", "udp 10.0.0.1 -> 10.0.0.2",
		    "it has none" },
		{ "allow icmp from any to any icmptypes 0", "icmp 10.0.0.1 -> 10.0.0.2 icmp 3.1",
		    "icmptypes 0: it is type 3" },
		{ "allow icmp from any to any icmptypes 0", "icmp 10.0.0.1 -> 10.0.0.2 echo-id 7",
		    "type 8 code 0 echo-id 7" },
		{ "allow ip from any to any icmptypes 0", "udp 10.0.0.1 -> 10.0.0.2",
		    "it is no ICMP" },
		{ "allow ip from any to any icmp6types 1", "icmp6 fe80::1 -> fe80::2",
		    "it is type 128" },
		{ "allow tcp from any to any established", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "established: it has tcpflags syn" },
		{ "allow tcp from any to any setup", "tcp 10.0.0.1:1 -> 10.0.0.2:2 flags syn,ack",
		    "setup: it has tcpflags syn,ack" },
		{ "allow tcp from any to any tcpflags fin",
		    "tcp 10.0.0.1:1 -> 10.0.0.2:2 flags none", "it has none" },
		{ "allow ip from any to any tcpoptions sack",
		    "tcp 10.0.0.1:1 -> 10.0.0.2:2 mss 1400", "it has tcpoptions mss" },
		{ "allow ip from any to any tcpseq 5", "tcp 10.0.0.1:1 -> 10.0.0.2:2 seq 6",
		    "it is 6" },
		{ "allow ip from any to any tcpack 5", "tcp 10.0.0.1:1 -> 10.0.0.2:2 ack 7",
		    "it is 7" },
		{ "allow ip from any to any tcpwin 5", "tcp 10.0.0.1:1 -> 10.0.0.2:2 win 99",
		    "it is 99" },
		{ "allow ip from any to any tcpdatalen 5",
		    "tcp 10.0.0.1:1 -> 10.0.0.2:2 length 140", "it is 100" },
		{ "allow ip from any to any tcpmss 5", "tcp 10.0.0.1:1 -> 10.0.0.2:2 mss 1300",
		    "tcpmss 5: it is 1300" },
		{ "allow ip from any to any tcpmss 5", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "it announces none" },
		{ "allow ip from any to any ext6hdr dstopt", "udp fe80::1 -> fe80::2 frag 8",
		    "it has ext6hdr frag" },
		{ "allow ip6 from any to any flow-id 5", "udp fe80::1 -> fe80::2 flow-id 9",
		    "it is 9" },
		{ "allow ip from any to any fib 5", "udp 10.0.0.1 -> 10.0.0.2", "fib 5: it is 0" },
		{ "allow ip from any to any tagged 5", "udp 10.0.0.1 -> 10.0.0.2",
		    "it has no tag" },
		{ "allow ip from any to any diverted", "udp 10.0.0.1 -> 10.0.0.2", "it was not" },
		{ "allow ip from any to any uid 0", "udp 10.0.0.1 -> 10.0.0.2",
		    "of no endpoint here" },
		{ "allow ip from any to any ipsec", "udp 10.0.0.1 -> 10.0.0.2", "ever encrypted" },
		{ "prob 0 allow ip from any to any", "udp 10.0.0.1 -> 10.0.0.2",
		    "chance was against" },
		{ "allow ip from any to any verrevpath", "udp 10.0.0.7 -> 10.0.0.2 in via mem1",
		    "the way back to 10.0.0.7 leads elsewhere" },
		{ "allow ip from any to any versrcreach", "udp 203.0.113.7 -> 10.0.0.2 in via mem1",
		    "there is no route to 203.0.113.7" },
		{ "allow ip from any to any antispoof", "udp 10.0.0.7 -> 10.0.0.2 in via mem1",
		    "10.0.0.7 is of another interface" },
		{ "allow ip from any to any not verrevpath", "udp 10.0.0.7 -> 10.0.0.2 in via mem0",
		    "not verrevpath: it is so" },
		{ "allow { udp or icmp } from any to any", "tcp 10.0.0.1:1 -> 10.0.0.2:2",
		    "proto udp: it is tcp; proto icmp: it is tcp" },
	};

	(void)state;
	router();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fails(cases[i][0], cases[i][1], cases[i][2]);
}

static void
test_frames_are_explained_where_they_meet_rules(void **state)
{
	(void)state;
	router();
	add("100 allow ip from any to any mac-type arp");
	add("200 allow ip from any to any MAC 02:00:00:00:00:01 any");
	explains("udp 10.0.0.1 -> 10.0.0.2 mac 02:00:00:00:00:01 02:00:00:00:00:02", 0,
	    "udp 10.0.0.1:0 -> 10.0.0.2:0 in layer2\n"
	    "passes: the firewall is off\n");
	command("sysctl net.link.ether.ipfw=1");
	explains("udp 10.0.0.1 -> 10.0.0.2 mac 02:00:00:00:00:01 02:00:00:00:00:02", 0,
	    "udp 10.0.0.1:0 -> 10.0.0.2:0 in layer2\n"
	    "    00100 - allow ip from any to any mac-type 0x0806\n"
	    "            mac-type 0x0806: it is 0x0800\n"
	    "    00200 + allow ip from any to any MAC 02:00:00:00:00:01 any\n"
	    "passes by rule 200: Accept\n");
}

static void
test_values_of_tables_are_said(void **state)
{
	(void)state;
	router();
	command("ipfw -q table 1 add 10.0.0.0/8 5");
	add("100 deny ip from table(1,7) to any");
	add("200 deny ip from any to table(1)");
	add("300 skipto tablearg ip from table(1) to any");
	explains("tcp 10.0.0.1:1 -> 192.0.2.1:80 in via mem0", 1,
	    "tcp 10.0.0.1:1 -> 192.0.2.1:80 tcpflags syn in via mem0\n"
	    "    00100 - deny ip from table(1,7) to any\n"
	    "            src-ip table(1,7): 10.0.0.1 has the value 5\n"
	    "    00200 - deny ip from any to table(1)\n"
	    "            dst-ip table(1): 192.0.2.1 is not in it\n"
	    "    00300 + skipto tablearg ip from table(1) to any\n"
	    "            src-ip table(1): 10.0.0.1 has the value 5\n"
	    "    65535 + deny ip from any to any\n"
	    "dropped by rule 65535: Deny\n");
}

static void
test_a_state_that_is_found_is_said(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1000, "192.0.2.1", 80, SYN);
	struct batch b = { .n = 1, .m = { m } };

	(void)state;
	router();
	add("100 check-state");
	add("200 allow tcp from any to any setup keep-state");
	pfil_run(PFIL_INET, &b, lan.ifp, PFIL_IN);
	m_free(b.n > 0 ? b.m[0] : NULL);
	assert_int_equal(fw_state_count(), 1);
	explains("tcp 192.0.2.1:80 -> 10.0.0.2:1000 flags syn,ack in via mem1", 0,
	    "tcp 192.0.2.1:80 -> 10.0.0.2:1000 tcpflags syn,ack in via mem1\n"
	    "    00100 + check-state\n"
	    "            a state of rule 200, the other way, 20 s left\n"
	    "passes by rule 200: Accept by state\n");
	explains("tcp 192.0.2.1:81 -> 10.0.0.2:1000 flags syn,ack in via mem1", 1,
	    "tcp 192.0.2.1:81 -> 10.0.0.2:1000 tcpflags syn,ack in via mem1\n"
	    "    00100 - check-state\n"
	    "            there is no state\n"
	    "    00200 - allow tcp from any to any setup keep-state\n"
	    "            setup: it has tcpflags syn,ack\n"
	    "    65535 + deny ip from any to any\n"
	    "dropped by rule 65535: Deny\n");
}

static void
test_asking_leaves_no_trace(void **state)
{
	struct fw_rule *first, *last;

	(void)state;
	router();
	first = add("100 count log ip from any to any");
	add("200 prob 0.5 count ip from any to any");
	last = add("300 allow tcp from any to any setup limit src-addr 1");
	log_catch();
	command("sysctl net.inet.ip.fw.verbose=1");
	for (int i = 0; i < 3; i++)
		command("ipfw explain tcp 10.0.0.2:1000 -> 192.0.2.1:80 in via mem0");
	assert_int_equal(first->count.packets + last->count.packets, 0);
	assert_int_equal(first->count.last_ns, 0);
	assert_int_equal(fw_state_count(), 0);
	assert_int_equal(logged_lines, 0);
	log_set_sink(NULL, NULL);
}

static void
test_a_limit_that_is_reached_is_said(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1000, "192.0.2.1", 80, SYN);
	struct batch b = { .n = 1, .m = { m } };
	char *text;

	(void)state;
	router();
	add("100 allow tcp from any to any setup limit src-addr 1");
	pfil_run(PFIL_INET, &b, lan.ifp, PFIL_IN);
	m_free(b.n > 0 ? b.m[0] : NULL);
	text = said("ipfw explain tcp 10.0.0.2:1001 -> 192.0.2.1:80 in via mem0", 1, false, false);
	assert_non_null(strstr(text, "there is no room for its state"));
	assert_non_null(strstr(text, "dropped by rule 100"));
	free(text);
	command("ipfw explain tcp 10.0.0.3:1001 -> 192.0.2.1:80 in via mem0");
	assert_int_equal(fw_state_count(), 2); /* the state and its parent, no more */
}

static void
test_what_goes_elsewhere_is_said(void **state)
{
	(void)state;
	router();
	add("100 pipe 3 udp from any to any");
	add("200 fwd 10.0.0.9 tcp from any to any 80");
	add("300 unreach host tcp from any to any 81");
	add("400 divert 8668 tcp from any to any 82");
	explains("udp 10.0.0.2:1 -> 192.0.2.1:2", 0,
	    "udp 10.0.0.2:1 -> 192.0.2.1:2 in\n"
	    "    00100 + pipe 3 udp from any to any\n"
	    "    through pipe 3\n"
	    "passes by rule 100: Pipe 3\n");
	fails("100 fwd 10.0.0.9 tcp from any to any 81", "tcp 10.0.0.2:1 -> 192.0.2.1:80",
	    "dst-port 81: it is 80");
	explains("tcp 10.0.0.2:1 -> 192.0.2.1:81", 0,
	    "tcp 10.0.0.2:1 -> 192.0.2.1:81 tcpflags syn in\n"
	    "    00100 + fwd 10.0.0.9 tcp from any to any dst-port 81\n"
	    "passes by rule 100: Forward to 10.0.0.9, next hop 10.0.0.9\n");
}

static void
test_the_answer_in_json(void **state)
{
	char *text;

	(void)state;
	router();
	add("100 deny tcp from any to any 22");
	text = said("ipfw explain tcp 10.0.0.1:1 -> 192.0.2.1:80 in via mem0", 1, true, false);
	assert_string_equal(text,
	    "{\"packet\":\"tcp 10.0.0.1:1 -> 192.0.2.1:80 tcpflags syn in via mem0\","
	    "\"rule\":[{\"number\":100,\"rule\":\"deny tcp from any to any dst-port 22\","
	    "\"met\":\"no\",\"why\":\"dst-port 22: it is 80\"},"
	    "{\"number\":65535,\"rule\":\"deny ip from any to any\",\"met\":\"yes\"}],"
	    "\"fate\":\"dropped\",\"by\":65535,\"action\":\"Deny\",\"by-state\":false,"
	    "\"verdict\":\"dropped by rule 65535: Deny\"}\n");
	free(text);
}

static void
test_words_that_are_no_packet_are_named(void **state)
{
	(void)state;
	router();
	refuses("", "which packet? (tcp 10.0.0.1:1234 -> 192.0.2.1:80 in via lan)");
	refuses("tcp", "missing argument for the address");
	refuses("tcp 10.0.0.1", "\"->\" and an address are missing behind the first one");
	refuses("tcp 10.0.0.1 -> 2001:db8::1", "bad IPv4 address \"2001:db8::1\"");
	refuses("tcp 10.0.0.1:99999 -> 10.0.0.2", "99999: no port of that name");
	refuses("tcp [::1 -> ::1", "bad address \"[::1\"");
	refuses("icmp ::1 -> ::1", "icmp is IPv4's, icmp6 is IPv6's");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 flags foo", "flags foo: fin, syn, rst, psh, ack, urg");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 via nowhere", "via nowhere: no such interface");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 ttl 256", "ttl 256: a number of 0 to 255");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 ttl", "missing argument for ttl");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 frag 7",
	    "frag 7: an offset, a multiple of 8, + if more follow");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 mac 1", "mac 1: six bytes as 02:00:00:00:00:01");
	refuses("icmp 10.0.0.1 -> 10.0.0.2 icmp 300",
	    "icmp 300: TYPE or TYPE.CODE, numbers of 0 to 255");
	refuses("tcp 10.0.0.1 -> 10.0.0.2 foo", "unknown word \"foo\"");
}

/* The packet that words make, as it is read again. */
static void
reads(const char *words, const char *want)
{
	char why[200] = "", text[300], *word[1] = { (char *)(uintptr_t)words };
	struct fw_probe probe;
	struct fw_packet p;

	if (!fw_probe_parse(1, word, &probe, why, sizeof(why)))
		fail_msg("%s: %s", words, why);
	assert_int_equal(
	    fw_packet_read(&p, probe.m, probe.point, probe.dir, probe.ifp), FW_PACKET_OK);
	fw_packet_text(&p, text, sizeof(text));
	assert_string_equal(text, want);
	m_free(probe.m);
}

static void
test_words_make_the_packet_that_they_say(void **state)
{
	(void)state;
	router();
	reads("tcp 10.0.0.1:1 -> 10.0.0.2:http established",
	    "tcp 10.0.0.1:1 -> 10.0.0.2:80 tcpflags ack in");
	reads("udp [2001:db8::1]:53 -> [2001:db8::2]:5 out via mem1 recv mem0",
	    "udp [2001:db8::1]:53 -> [2001:db8::2]:5 out via mem1 recv mem0");
	reads("icmp 10.0.0.1 -> 10.0.0.2", "icmp 10.0.0.1 -> 10.0.0.2 type 8 code 0 in");
	reads("icmp 10.0.0.1 -> 10.0.0.2 icmp 0", "icmp 10.0.0.1 -> 10.0.0.2 type 0 code 0 in");
	reads("icmp6 ::1 -> ::2 type 3 code 1", "ipv6-icmp ::1 -> ::2 type 3 code 1 in");
	reads("47 10.0.0.1 -> 10.0.0.2", "gre 10.0.0.1 -> 10.0.0.2 in");
	reads("ip 10.0.0.1 to 10.0.0.2", "proto 253 10.0.0.1 -> 10.0.0.2 in");
	reads("10.0.0.1 -> 10.0.0.2:80", "tcp 10.0.0.1:0 -> 10.0.0.2:80 tcpflags syn in");
	reads("udp 10.0.0.1 -> 10.0.0.2 frag 1480+ out", "udp 10.0.0.1 -> 10.0.0.2 frag 1480 out");
	reads(
	    "sctp 10.0.0.1:7 -> 10.0.0.2:8 recv mem0", "sctp 10.0.0.1:7 -> 10.0.0.2:8 in via mem0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_each_rule_is_told_and_why_it_does_not_match),
		INET6_TEST(test_the_packets_value_is_said_of_every_word),
		INET6_TEST(test_frames_are_explained_where_they_meet_rules),
		INET6_TEST(test_values_of_tables_are_said),
		INET6_TEST(test_a_state_that_is_found_is_said),
		INET6_TEST(test_asking_leaves_no_trace),
		INET6_TEST(test_a_limit_that_is_reached_is_said),
		INET6_TEST(test_what_goes_elsewhere_is_said),
		INET6_TEST(test_the_answer_in_json),
		INET6_TEST(test_words_that_are_no_packet_are_named),
		INET6_TEST(test_words_make_the_packet_that_they_say),
	};

	return cmocka_run_group_tests_name("ipfw/explain", tests, NULL, NULL);
}
