/*
 * Unit tests of the rule language (ipfw/parse.c and what it calls): every action, option and form,
 * by what is listed of it; every error, by its words.
 */
#include "fw_rules.h"

#include <arpa/inet.h>

enum { AS_IS = FW_PRINT_NO_NUMBER };

/* A line, and how it is listed; NULL: as it is written. */
struct line {
	const char *line, *listed;
};

static void
check_lines(const struct line *l)
{
	for (; l->line != NULL; l++) {
		struct fw_rule *r = rule_of(l->line);
		char *text = rule_listed(r, AS_IS);

		assert_string_equal(text, l->listed != NULL ? l->listed : l->line);
		rule_must_return(l->line, r, AS_IS);
		rule_must_return(l->line, r, AS_IS | FW_PRINT_COMPACT);
		rule_must_return(l->line, r, AS_IS | FW_PRINT_SET);
		rule_must_return(l->line, r, FW_PRINT_NAMES | AS_IS);
		free(text);
		fw_rule_rele(r);
	}
}

struct fault {
	const char *line, *why;
};

static void
check_faults(const struct fault *f)
{
	for (; f->line != NULL; f++) {
		char why[256] = "";
		struct fw_rule *r = rule_try(f->line, why, sizeof(why));

		if (r != NULL)
			print_error("taken: %s\n", f->line);
		assert_null(r);
		assert_string_equal(why, f->why);
		assert_null(strchr(why, '\n'));
	}
}

/* Text that stands behind "from any to any " in the listing as it is written. */
static void
check_options(const char *const *option)
{
	for (; *option != NULL; option++) {
		char line[512], alone[512];

		snprintf(line, sizeof(line), "deny ip from any to any %s", *option);
		snprintf(alone, sizeof(alone), "deny %s", *option);
		check_lines((struct line[]){ { line, NULL }, { alone, line }, { NULL, NULL } });
	}
}

/* --- actions --------------------------------------------------------------- */

#define ANY " ip from any to any"

static void
test_every_action_has_its_words(void **state)
{
	(void)state;
	check_lines((struct line[]){
	    { "allow" ANY, NULL },
	    { "accept all from any to any", "allow" ANY },
	    { "pass" ANY, "allow" ANY },
	    { "permit" ANY, "allow" ANY },
	    { "deny" ANY, NULL },
	    { "drop" ANY, "deny" ANY },
	    { "reject" ANY, NULL },
	    { "unreach host" ANY, "reject" ANY },
	    { "unreach 1" ANY, "reject" ANY },
	    { "unreach filter-prohib" ANY, NULL },
	    { "unreach 13" ANY, "unreach filter-prohib" ANY },
	    { "unreach 200" ANY, NULL },
	    { "unreach6 admin-prohib" ANY, NULL },
	    { "unreach6 2" ANY, NULL },
	    { "unreach6 4" ANY, "unreach6 port" ANY },
	    { "reset" ANY, NULL },
	    { "reset6" ANY, NULL },
	    { "count" ANY, NULL },
	    { "skipto 01001" ANY, "skipto 1001" ANY },
	    { "skipto tablearg" ANY, NULL },
	    { "call 500" ANY, NULL },
	    { "call tablearg" ANY, NULL },
	    { "return" ANY, NULL },
	    { "check-state", NULL },
	    { "check-state :web", NULL },
	    { "check-state :any", NULL },
	    { "check-state :default", "check-state" },
	    { "check-state ip from any to any", "check-state" },
	    { "check-state // comment", NULL },
	    { "pipe 1" ANY, NULL },
	    { "pipe tablearg" ANY, NULL },
	    { "queue 65535" ANY, NULL },
	    { "queue tablearg" ANY, NULL },
	    { "divert 8668" ANY, NULL },
	    { "divert natd" ANY, "divert 8668" ANY },
	    { "divert tablearg" ANY, NULL },
	    { "tee 100" ANY, NULL },
	    { "tee tablearg" ANY, NULL },
	    { "fwd 10.0.0.1" ANY, NULL },
	    { "fwd 10.0.0.1,80" ANY, NULL },
	    { "forward 10.0.0.1,http" ANY, "fwd 10.0.0.1,80" ANY },
	    { "fwd 2001:db8::1,8080" ANY, NULL },
	    { "fwd 2001:db8::1" ANY, NULL },
	    { "fwd tablearg" ANY, NULL },
	    { "fwd tablearg,8000" ANY, NULL },
	    { "nat 123" ANY, NULL },
	    { "nat tablearg" ANY, NULL },
	    { "nat global" ANY, NULL },
	    { "netgraph 61" ANY, NULL },
	    { "netgraph tablearg" ANY, NULL },
	    { "ngtee 61" ANY, NULL },
	    { "ngtee tablearg" ANY, NULL },
	    { "setfib 0" ANY, NULL },
	    { "setfib 15" ANY, NULL },
	    { "setfib tablearg" ANY, NULL },
	    { "setdscp af21" ANY, NULL },
	    { "setdscp 46" ANY, "setdscp ef" ANY },
	    { "setdscp 63" ANY, NULL },
	    { "setdscp tablearg" ANY, NULL },
	    { "tcp-setmss 1400" ANY, NULL },
	    { "reass" ANY, NULL },
	    { "auth" ANY, NULL },
	    { NULL, NULL },
	});
}

static void
test_actions_name_the_word_that_is_wrong(void **state)
{
	(void)state;
	check_faults((struct fault[]){
	    { "", "missing action" },
	    { "100", "missing action" },
	    { "100 set 3", "missing action" },
	    { "alow ip from any to any", "invalid action [alow]" },
	    { "Allow ip from any to any", "invalid action [Allow]" },
	    { "nat64lsn NAT64 log ip from any to any", "invalid action [nat64lsn]" },
	    { "skipto", "missing argument for skipto" },
	    { "skipto 0" ANY, "skipto 0 out of range" },
	    { "skipto 65536" ANY, "skipto 65536 out of range" },
	    { "skipto next" ANY, "skipto \"next\" is no number" },
	    { "pipe 0" ANY, "pipe 0 out of range" },
	    { "pipe 99999999999999999999" ANY, "pipe \"99999999999999999999\" is no number" },
	    { "divert 0" ANY, "divert 0 out of range" },
	    { "divert nowhere" ANY, "unknown port \"nowhere\" for divert" },
	    { "divert", "missing argument for divert" },
	    { "fwd", "missing argument for fwd" },
	    { "fwd nowhere" ANY, "bad address \"nowhere\"" },
	    { "fwd 10.0.0.1,0" ANY, "port 0 out of range" },
	    { "fwd 10.0.0.1,99999" ANY, "port 99999 out of range" },
	    { "fwd 10.0.0.1,nosuch" ANY, "bad port \"nosuch\"" },
	    { "fwd fe80::1%em0" ANY, "bad address \"fe80::1%em0\"" },
	    { "unreach nowhere" ANY, "unknown code \"nowhere\" for unreach" },
	    { "unreach 256" ANY, "unknown code \"256\" for unreach" },
	    { "setfib 16" ANY, "setfib 16 out of range" },
	    { "setdscp 64" ANY, "unknown code \"64\" for setdscp" },
	    { "tcp-setmss tablearg" ANY, "tcp-setmss \"tablearg\" is no number" },
	    { "check-state in", "check-state takes no conditions" },
	    { "check-state tcp from any to any", "check-state takes no conditions" },
	    { "check-state :", "bad state name \":\"" },
	    { "check-state :abcdefghijklmnop", "state name \":abcdefghijklmnop\" is too long" },
	    { NULL, NULL },
	});
}

/* --- head and parameters --------------------------------------------------- */

static void
test_number_set_and_prob_stand_before_the_action(void **state)
{
	struct fw_rule *r = rule_of("00100 set 31 prob 0.25 deny tcp from any to any");
	char *text;

	(void)state;
	assert_int_equal(r->number, 100);
	assert_int_equal(r->set, 31);
	assert_int_equal(r->insn[0].op, FW_OP_PROB);
	assert_int_equal(r->insn[0].arg, 1u << 29);
	text = rule_listed(r, FW_PRINT_SET);
	assert_string_equal(text, "00100 set 31 prob 0.250000 deny tcp from any to any");
	free(text);
	fw_rule_rele(r);
	check_lines((struct line[]){
	    { "prob 0.500000 deny" ANY, NULL },
	    { "prob 0 deny" ANY, "prob 0.000000 deny" ANY },
	    { "prob 1 deny" ANY, "prob 1.000000 deny" ANY },
	    { "prob 0.1234567891 deny" ANY, "prob 0.123456789 deny" ANY },
	    { "prob 1e-9 deny" ANY, "prob 0.000000001 deny" ANY },
	    { "prob .5 check-state", "prob 0.500000 check-state" },
	    { NULL, NULL },
	});
	check_faults((struct fault[]){
	    { "65536 allow" ANY, "rule number 65536 out of range" },
	    { "88888 deny log ip from any to any", "rule number 88888 out of range" },
	    { "12x allow" ANY, "rule number \"12x\" is no number" },
	    { "set 32 allow" ANY, "set 32 out of range" },
	    { "set", "missing argument for set" },
	    { "prob 1.5 allow" ANY, "prob 1.5 out of range" },
	    { "prob -0.5 allow" ANY, "prob -0.5 out of range" },
	    { "prob nan allow" ANY, "prob \"nan\" is no number" },
	    { "prob 0x1 allow" ANY, "prob \"0x1\" is no number" },
	    { "prob", "missing argument for prob" },
	    { NULL, NULL },
	});
}

static void
test_parameters_stand_behind_the_action(void **state)
{
	(void)state;
	check_lines((struct line[]){
	    { "allow log" ANY, NULL },
	    { "allow log logamount 500" ANY, NULL },
	    { "allow log logamount 0" ANY, NULL },
	    { "allow altq web" ANY, NULL },
	    { "allow tag 5" ANY, NULL },
	    { "allow untag 65534" ANY, NULL },
	    { "allow tag tablearg" ANY, NULL },
	    { "count untag tablearg" ANY, NULL },
	    { "count tag 7 log untag 8 altq q" ANY, "count log altq q tag 7 untag 8" ANY },
	    { "check-state log", NULL },
	    { NULL, NULL },
	});
	check_faults((struct fault[]){
	    { "allow log log" ANY, "log is said twice" },
	    { "allow log logamount" ANY, "logamount \"ip\" is no number" },
	    { "allow tag 0" ANY, "tag 0 out of range" },
	    { "allow tag 65535" ANY, "tag 65535 out of range" },
	    { "allow tag 1 tag 2" ANY, "tag is said twice" },
	    { "allow untag 1 untag tablearg" ANY, "untag is said twice" },
	    { "allow altq", "missing argument for altq" },
	    { "allow altq a,", "bad altq \"a,\"" },
	    { "allow altq a altq b" ANY, "altq is said twice" },
	    { "allow altq a-name-that-is-long" ANY, "altq \"a-name-that-is-long\" is too long" },
	    { NULL, NULL },
	});
}

static void
test_a_comment_goes_to_the_end(void **state)
{
	struct fw_rule *r;

	(void)state;
	check_lines((struct line[]){
	    { "// only a comment", "count // only a comment" },
	    { "count // only a comment", NULL },
	    { "allow // not alone", "allow ip from any to any // not alone" },
	    { "count" ANY " // of all", NULL },
	    { "count log // x", "count log" ANY " // x" },
	    { "allow" ANY " //near", "allow" ANY " // near" },
	    { "allow" ANY " //   to   the  end ", "allow" ANY " // to the end" },
	    { "allow" ANY " // { ( to // from", NULL },
	    { "allow" ANY " //", "allow" ANY },
	    { "//", "count" ANY },
	    { NULL, NULL },
	});
	r = rule_of("100 // text");
	assert_true(r->no_body);
	assert_int_equal(r->action, FW_ACT_COUNT);
	assert_int_equal(r->number, 100);
	fw_rule_rele(r);
	check_faults((struct fault[]){
	    { "allow // 123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
	      "123456789 1",
		"comment too long (at most 80 characters)" },
	    { "allow // \033[2J", "comment holds what can't be printed" },
	    { "allow tcp from any to any 80, // trailing", "bad port \"\"" },
	    { NULL, NULL },
	});
}

/* --- words ----------------------------------------------------------------- */

static void
test_words_may_come_in_one_or_apart(void **state)
{
	(void)state;
	check_lines((struct line[]){
	    { "'100 allow tcp from any to any 80'", "allow tcp from any to any dst-port 80" },
	    { "allow 'tcp from any' to any 80", "allow tcp from any to any dst-port 80" },
	    { "allow tcp from 10.0.0.1, 10.0.0.2,  10.0.0.3 to any 25, 80",
		"allow tcp from 10.0.0.1,10.0.0.2,10.0.0.3 to any dst-port 25,80" },
	    { "allow {tcp or udp} from any to any", "allow { tcp or udp } from any to any" },
	    { "allow ( tcp | udp ) from any to any", "allow { tcp or udp } from any to any" },
	    { "allow (tcp or !udp) from !me to (table(1) or 10.0.0.0/24{1, 5})",
		"allow { tcp or not udp } from not me to { table(1) or 10.0.0.0/24{1,5} }" },
	    { "allow tcp from ! me to any !established",
		"allow tcp from not me to any not established" },
	    { "allow { in or established }", "allow" ANY " { in or established }" },
	    { "allow { dst-ip 1.2.3.4 or dst-ip 2.3.4.5 }",
		"allow" ANY " { dst-ip 1.2.3.4 or dst-ip 2.3.4.5 }" },
	    { "allow", "allow" ANY },
	    { "allow proto tcp", "allow" ANY " proto tcp" },
	    { "allow ip4", "allow" ANY " ip4" },
	    { "allow proto ip", "allow" ANY },
	    { NULL, NULL },
	});
	check_faults((struct fault[]){
	    { "allow { tcp or udp from any to any", "missing } or \"or\" before [from]" },
	    { "allow { tcp udp } from any to any", "missing } or \"or\" before [udp]" },
	    { "allow tcp or udp from any to any", "missing \"from\" before [or]" },
	    { "allow { in or out", "missing } or \"or\" before []" },
	    { "allow in }", "unrecognised option [)]" },
	    { "allow { { in or out } or frag }", "unrecognised option [(]" },
	    { "allow { in or }", "unrecognised option [)]" },
	    { "allow in or out", "unrecognised option [or]" },
	    { "allow not", "missing option" },
	    { "allow tcp", "missing \"from\"" },
	    { "allow tcp from", "missing argument for from" },
	    { "allow tcp from any", "missing \"to\"" },
	    { "allow tcp from any in to any", "missing \"to\" before [in]" },
	    { "allow tcp from any to", "missing argument for to" },
	    { "deny log asdfip from any to any via ERR", "invalid protocol [asdfip]" },
	    { "allow ip from any to any bogus", "unrecognised option [bogus]" },
	    { "allow ip from any to any frag mf", "unrecognised option [mf]" },
	    { "allow ip from any to any In", "unrecognised option [In]" },
	    { "allow ip from any to any \033[2J", "unrecognised option [?[2J]" },
	    { "allow not ip from any to any", "not ip never matches" },
	    { "allow ip from not any to any", "not any never matches" },
	    { NULL, NULL },
	});
}

/* --- body ------------------------------------------------------------------ */

static void
test_protocols_go_by_name_or_number(void **state)
{
	struct fw_rule *r;

	(void)state;
	check_lines((struct line[]){
	    { "allow all from any to any", "allow" ANY },
	    { "allow tcp from any to any", NULL },
	    { "allow 6 from any to any", "allow tcp from any to any" },
	    { "allow ipv6-icmp from any to any", NULL },
	    { "allow icmp6 from any to any", "allow ipv6-icmp from any to any" },
	    { "allow ipencap from any to any", NULL },
	    { "allow ah from any to any", NULL },
	    { "allow 200 from any to any", NULL },
	    { "allow not tcp from any to any", NULL },
	    { "allow ip4 from any to any", NULL },
	    { "allow ipv4 from any to any", "allow ip4 from any to any" },
	    { "allow ip6 from any to any", NULL },
	    { "allow ipv6 from any to any", "allow ip6 from any to any" },
	    { "allow { tcp or udp or not gre } from any to any", NULL },
	    { "allow { tcp or ip } from any to any", "allow" ANY },
	    { "allow ip from any to any proto udp", NULL },
	    { "allow ip4 from any to any proto 99", NULL },
	    { NULL, NULL },
	});
	r = rule_of("allow ip from any to any");
	assert_int_equal(r->n_insns, 0);
	fw_rule_rele(r);
	check_faults((struct fault[]){
	    { "allow 256 from any to any", "invalid protocol [256]" },
	    { "allow 0 from any to any", "invalid protocol [0]" },
	    { "allow ip from any to any proto foo", "invalid protocol [foo]" },
	    { "allow ip from any to any proto", "missing argument for proto" },
	    { NULL, NULL },
	});
}

static void
test_addresses_have_many_forms(void **state)
{
	struct ipaddr web4, web6;

	(void)state;
	assert_true(ipaddr_aton("192.0.2.80", AF_INET, &web4));
	assert_true(ipaddr_aton("2001:db8::80", AF_INET6, &web6));
	ip_hosts_add("web", &web4);
	ip_hosts_add("web", &web6);
	check_lines((struct line[]){
	    { "allow ip from 10.0.0.1 to 10.0.0.2", NULL },
	    { "allow ip from 10.1.2.3/8 to 10.0.0.2/31",
		"allow ip from 10.0.0.0/8 to 10.0.0.2/31" },
	    { "allow ip from 10.1.2.3/32 to 0.0.0.0/0", "allow ip from 10.1.2.3 to 0.0.0.0/0" },
	    { "allow ip from 10.1.2.3:255.255.0.0 to any", "allow ip from 10.1.0.0/16 to any" },
	    { "allow ip from 10.1.2.3:255.0.255.0 to any",
		"allow ip from 10.0.2.0:255.0.255.0 to any" },
	    { "allow ip from 10.1.2.3:0.0.0.255 to any", "allow ip from 0.0.0.3:0.0.0.255 to any" },
	    { "allow ip from 10.0.0.1,10.1.0.0/16,10.2.0.3:255.255.0.255 to any", NULL },
	    { "allow ip from not 10.0.0.1 to not 10.0.0.2,10.0.0.3", NULL },
	    { "allow ip from ::1 to ff02::/16", NULL },
	    { "allow ip from 2001:db8:2:800::/56 to fe80::/10,ff02::1", NULL },
	    { "allow ip from ::ffff:0.0.0.0/96 to any", NULL },
	    { "allow ip from 2001:db8::5/ffff:ffff::ffff to any",
		"allow ip from 2001:db8::5/ffff:ffff::ffff to any" },
	    { "allow ip from 2001:db8::5/ffff:ffff:: to ::/0",
		"allow ip from 2001:db8::/32 to ::/0" },
	    { "allow ip from me to me6", NULL },
	    { "allow ip from not me to not me6", NULL },
	    { "allow ip6 from me to any", "allow ip6 from me6 to any" },
	    { "allow ip from table(1) to table(22,5)", NULL },
	    { "allow ip from table(blocked) to table(1,10.0.0.1)",
		"allow ip from table(blocked) to table(1,167772161)" },
	    { "allow ip from 192.0.2.0/24{1,5-9} to any", NULL },
	    { "allow ip from 192.0.2.77{1,2,3,200} to 192.0.2.40/29{40,47}",
		"allow ip from 192.0.2.0/24{1-3,200} to 192.0.2.40/29{40,47}" },
	    { "allow ip from 192.0.2.5/32{5} to 192.0.2.0/24{0-255}", NULL },
	    { "allow ip from { 10.0.0.1 or not me or table(2) or ::1 } to any", NULL },
	    { "allow ip from { 10.0.0.1 or any } to any", "allow" ANY },
	    { "allow ip from web to any", "allow ip from 192.0.2.80 to any" },
	    { "allow ip6 from web/64 to any", "allow ip6 from 2001:db8::/64 to any" },
	    { "fwd web,80" ANY, "fwd 192.0.2.80,80" ANY },
	    { NULL, NULL },
	});
	ip_hosts_clear();
	check_faults((struct fault[]){
	    { "allow ip from nowhere to any", "bad address \"nowhere\"" },
	    { "allow ip from web to any", "bad address \"web\"" },
	    { "allow ip from 10.0.0.256 to any", "bad address \"10.0.0.256\"" },
	    { "allow ip from 10.0.0.1/33 to any", "bad mask \"10.0.0.1/33\"" },
	    { "allow ip from 10.0.0.1/ to any", "bad mask \"10.0.0.1/\"" },
	    { "allow ip from 10.0.0.1/255.0.0.0 to any", "bad mask \"10.0.0.1/255.0.0.0\"" },
	    { "allow ip from 10.0.0.1:255.0.0 to any", "bad mask \"10.0.0.1:255.0.0\"" },
	    { "allow ip from ::1/129 to any", "bad mask \"::1/129\"" },
	    { "allow ip from 10.0.0.1,::1 to any", "bad address \"::1\"" },
	    { "allow ip from ::1,10.0.0.1 to any", "bad address \"10.0.0.1\"" },
	    { "allow ip from 10.0.0.1,,10.0.0.2 to any", "bad address \"\"" },
	    { "allow ip from 10.0.0.1,any to any", "bad address \"any\"" },
	    { "allow ip from fe80::1%lo0 to any", "bad address \"fe80::1%lo0\"" },
	    { "allow ip from table() to any", "bad table \"table()\"" },
	    { "allow ip from table(1 to any", "bad table \"table(1\"" },
	    { "allow ip from table(1,x) to any", "bad value \"x\" of a table" },
	    { "allow ip from 192.0.2.0/23{1} to any", "bad mask \"192.0.2.0/23{1}\": 24 to 32" },
	    { "allow ip from 192.0.2.0/29{8} to any",
		"set \"192.0.2.0/29{8}\": 8 is not in 0 to 7" },
	    { "allow ip from 192.0.2.8/29{7} to any",
		"set \"192.0.2.8/29{7}\": 7 is not in 8 to 15" },
	    { "allow ip from 192.0.2.0/24{256} to any",
		"set \"192.0.2.0/24{256}\": 256 is not in 0 to 255" },
	    { "allow ip from 192.0.2.0/24{} to any", "bad set \"192.0.2.0/24{}\"" },
	    { "allow ip from 192.0.2.0/24{9-5} to any", "bad set \"192.0.2.0/24{9-5}\"" },
	    { "allow ip from 192.0.2.0/24{1;2} to any", "bad set \"192.0.2.0/24{1;2}\"" },
	    { "allow ip from ::1{1} to any", "bad address \"::1{1}\"" },
	    { NULL, NULL },
	});
}

static void
test_an_address_is_kept_as_packets_have_it(void **state)
{
	struct fw_rule *r = rule_of("allow ip from 10.1.2.3/8 to 192.0.2.64/26{65,100-102}");

	(void)state;
	assert_int_equal(r->n_insns, 2);
	assert_int_equal(r->insn[0].op, FW_OP_SRC);
	assert_int_equal(r->insn[0].n, 1);
	assert_int_equal(r->insn[0].u.net[0].addr, htonl(0x0a000000));
	assert_int_equal(r->insn[0].u.net[0].mask, htonl(0xff000000));
	assert_int_equal(r->insn[1].op, FW_OP_DST_SET);
	assert_int_equal(r->insn[1].u.set->base, htonl(0xc0000240));
	assert_int_equal(r->insn[1].u.set->len, 26);
	/* by their number in the set, not by their last byte */
	assert_int_equal(r->insn[1].u.set->bits[0], 1u << 1 | UINT64_C(7) << 36);
	fw_rule_rele(r);
}

static void
test_ports_are_lists_of_ranges_and_names(void **state)
{
	(void)state;
	check_lines((struct line[]){
	    { "allow tcp from any 80 to any", NULL },
	    { "allow tcp from any to any 80", "allow tcp from any to any dst-port 80" },
	    { "allow tcp from any any to any any", "allow tcp from any to any" },
	    { "allow tcp from any not 80 to any not 443,8000-8080",
		"allow tcp from any not 80 to any not dst-port 443,8000-8080" },
	    { "allow tcp from any !80 to any !443",
		"allow tcp from any not 80 to any not dst-port 443" },
	    { "allow tcp from any 'ftp\\-data-ftp' to any ssh,http",
		"allow tcp from any 20-21 to any dst-port 22,80" },
	    { "allow tcp from any ftp-data to any", "allow tcp from any 20 to any" },
	    { "allow udp from any to any ntp", "allow udp from any to any dst-port 123" },
	    { "allow tcp from any to any 0-65535", "allow tcp from any to any dst-port 0-65535" },
	    { "allow tcp from any to any 0x50", "allow tcp from any to any dst-port 80" },
	    { "allow ip from not me to any 25,53 out",
		"allow ip from not me to any dst-port 25,53 out" },
	    { "allow tcp from { 10.0.0.1 or 10.0.0.2 } 80 to any", NULL },
	    { "allow tcp from any 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,"
	      "25,26,27,28,29,30 to any",
		NULL },
	    { "deny ip from any to any not antispoof in", NULL },
	    { NULL, NULL },
	});
	check_faults((struct fault[]){
	    { "allow tcp from any to any 99999", "port 99999 out of range" },
	    { "allow tcp from any to any 1-70000", "port 70000 out of range" },
	    { "allow tcp from any to any 80x", "bad port \"80x\"" },
	    { "allow tcp from any to any 80-", "bad port \"\"" },
	    { "allow tcp from any to any 80,", "bad port \"\"" },
	    { "allow tcp from any to any 80,nosuch", "bad port \"nosuch\"" },
	    { "allow tcp from any to any 90-80", "port range \"90-80\" is backwards" },
	    { "allow tcp from any { 80 or 81 } to any", "missing \"to\" before [(]" },
	    { "allow tcp from any nosuch to any", "missing \"to\" before [nosuch]" },
	    { "allow tcp from any to any nosuch", "unrecognised option [nosuch]" },
	    { "allow tcp from any to any 10.0.0.1", "bad port \"10.0.0.1\"" },
	    { "allow tcp from any to any not any", "not any never matches" },
	    { "allow tcp from any to any 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
	      "23,24,25,26,27,28,29,30,31",
		"more than 30 entries in port list" },
	    { NULL, NULL },
	});
}

static void
test_names_of_ports_are_those_of_the_protocol(void **state)
{
	struct fw_rule *r = rule_of("deny udp from any 20,53 to any 21-22,520,40000");
	char *text = rule_listed(r, FW_PRINT_NAMES | AS_IS);

	(void)state;
	assert_string_equal(text, "deny udp from any 20,domain to any dst-port 21-22,router,40000");
	free(text);
	fw_rule_rele(r);
	r = rule_of("deny tcp from any 20-25 to any 520");
	text = rule_listed(r, FW_PRINT_NAMES | AS_IS);
	assert_string_equal(text, "deny tcp from any ftp\\-data-smtp to any dst-port 520");
	free(text);
	fw_rule_rele(r);
}

/* --- options --------------------------------------------------------------- */

static void
test_every_option_lists_as_it_was_written(void **state)
{
	(void)state;
	check_options((const char *const[]){ "in", "out", "layer2", "not layer2", "MAC any any",
	    "MAC 02:00:00:00:00:01 any", "MAC any 02:00:00:00:00:00/40",
	    "MAC 01:00:00:00:00:00&01:00:00:00:00:00 02:0a:0b:0c:0d:0e", "mac-type 0x0800",
	    "mac-type 0x86dd,0x8863-0x8864", "recv em0", "xmit em0", "via em0", "via em*", "via *",
	    "recv any", "via 10.0.0.1", "recv table(3)", "via firewall9:eth1", "not via lo0",
	    "proto tcp", "not proto 99", "ip4", "ip6", "not ip6", "src-ip 10.0.0.0/8,10.1.2.3",
	    "dst-ip me", "src-ip6 2001:db8::/32", "dst-ip6 me6", "src-ip table(1)",
	    "dst-ip table(name,7)", "not dst-ip 192.0.2.0/24{1,3}", "src-port 80", "dst-port 1-5,9",
	    "not src-port 80", "lookup dst-ip 1", "lookup src-ip names", "lookup dst-port 2",
	    "lookup src-port 2", "lookup uid 2", "lookup jail 2", "lookup dscp 2",
	    "lookup dst-ip:255.255.255.0 1", "lookup dst-port:0xfff0 1", "not lookup uid 3",
	    "flow table(3)", "flow table(calls,7)", "not flow table(calls)", "frag", "not frag",
	    "ipid 0-100,5", "iplen 1500", "ipttl 1-5", "ipver 4", "ipprecedence 7",
	    "iptos lowdelay", "iptos lowdelay,!throughput,reliability,mincost,!congestion",
	    "dscp be", "dscp af11,ef,63", "not dscp cs1", "ipoptions ssrr",
	    "ipoptions ssrr,!lsrr,rr,!ts", "icmptypes 0,3,8,11", "icmptypes 63",
	    "icmp6types 1,128,255", "established", "not established", "setup", "not setup",
	    "tcpflags fin,!syn", "tcpflags fin,syn,!rst,psh,ack,urg",
	    "tcpoptions mss,!window,sack,!ts,cc", "tcpseq 4294967295", "tcpack 0", "tcpwin 0",
	    "tcpwin 100-200,65535", "tcpdatalen 0-5", "tcpmss 536-1460", "ext6hdr frag",
	    "ext6hdr frag,hopopt,route,rthdr0,rthdr2,dstopt,ah,esp", "flow-id 1,1048575", "fib 0",
	    "fib 15", "tagged 5", "tagged 1-10,50", "tagged tablearg", "not tagged 3", "diverted",
	    "diverted-loopback", "diverted-output", "ipsec", "verrevpath", "not verrevpath in",
	    "versrcreach", "antispoof", "uid 1000", "gid 0", "jail 3", "sockarg", "keep-state",
	    "keep-state :web", "record-state", "record-state :x defer-immediate-action",
	    "limit src-addr 5", "limit src-addr 0",
	    "limit src-addr src-port dst-addr dst-port 4294967295 :abcdefghijklmno",
	    "limit dst-port tablearg", "set-limit dst-addr 2", "set-limit src-addr tablearg :y",
	    "{ in or not established or tcpflags syn }", "in recv em0 setup keep-state",
	    "{ src-ip 10.0.0.1 or dst-port 80 } { in or via em1 }", NULL });
}

static void
test_options_have_synonyms(void **state)
{
	static const char *const synonyms[][2] = { { "bridged", "layer2" }, { "not in", "out" },
		{ "not out", "in" }, { "mac any any", "MAC any any" },
		{ "MAC 2:0:0:0:0:1 AA:BB:CC:DD:EE:FF", "MAC 02:00:00:00:00:01 aa:bb:cc:dd:ee:ff" },
		{ "MAC 02:00:00:00:00:01/48 02:00:00:00:00:01/0", "MAC 02:00:00:00:00:01 any" },
		{ "MAC 02:00:00:00:00:0f&ff:ff:ff:ff:ff:f0 any", "MAC 02:00:00:00:00:00/44 any" },
		{ "mac-type ip", "mac-type 0x0800" }, { "mac-type ipv4", "mac-type 0x0800" },
		{ "mac-type ipv6,arp,rarp,vlan,loop,trail,at,atalk,aarp",
		    "mac-type 0x86dd,0x0806,0x8035,0x8100,0x9000,0x1000,0x809b,0x809b,0x80f3" },
		{ "mac-type pppoe_disc,pppoe_sess,ipx_8022,ipx_8023,ipx_ii,ipx_snap,ipx,ns",
		    "mac-type 0x8863,0x8864,0x00e0,0x0000,0x8137,0x8137,0x8137,0x0600" },
		{ "mac-type 806", "mac-type 0x0806" }, { "ipv4", "ip4" }, { "ipv6", "ip6" },
		{ "proto ipv4", "ip4" }, { "proto ip6", "ip6" },
		{ "src-ip4 10.0.0.1", "src-ip 10.0.0.1" }, { "src-ipv4 me", "src-ip me" },
		{ "src-ipv6 ::1", "src-ip6 ::1" }, { "src-ip ::1", "src-ip6 ::1" },
		{ "src-ip6 me", "src-ip6 me6" }, { "dst-ip4 10.0.0.1", "dst-ip 10.0.0.1" },
		{ "dst-ipv4 10.0.0.1", "dst-ip 10.0.0.1" }, { "dst-ipv6 ::1", "dst-ip6 ::1" },
		{ "dst-ip6 table(1)", "dst-ip table(1)" }, { "fragment", "frag" },
		{ "ipversion 4", "ipver 4" }, { "iptos ecntransport", "iptos mincost" },
		{ "ipopts rr", "ipoptions rr" }, { "icmptype 8,0,8", "icmptypes 0,8" },
		{ "icmp6type 135", "icmp6types 135" }, { "estab", "established" },
		{ "tcpflags syn,!ack", "setup" }, { "tcpflgs fin", "tcpflags fin" },
		{ "tcpopts maxseg,timestamp", "tcpoptions mss,ts" }, { "uid root", "uid 0" },
		{ "gid wheel", "gid 0" }, { "dscp 46,cs0", "dscp be,ef" },
		{ "flow-id 0xfffff", "flow-id 1048575" }, { "tcpseq 0x10", "tcpseq 16" },
		{ "keep-state :default", "keep-state" },
		{ "defer-action", "defer-immediate-action" },
		{ "skip-action", "defer-immediate-action" }, { "dst-port any", "" },
		{ "dst-ip any", "" }, { "{ in or dst-ip any }", "" } };

	(void)state;
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
		char line[512], listed[512];

		snprintf(line, sizeof(line), "deny ip from any to any %s", synonyms[i][0]);
		snprintf(listed, sizeof(listed), "deny ip from any to any%s%s",
		    synonyms[i][1][0] != '\0' ? " " : "", synonyms[i][1]);
		check_lines((struct line[]){ { line, listed }, { NULL, NULL } });
	}
}

static void
test_options_name_the_word_that_is_wrong(void **state)
{
	(void)state;
	check_faults((struct fault[]){
	    { "deny MAC any", "missing argument for MAC" },
	    { "deny MAC 02:00:00:00:00 any", "bad MAC address \"02:00:00:00:00\"" },
	    { "deny MAC 02:00:00:00:00:01/49 any", "bad MAC address \"02:00:00:00:00:01/49\"" },
	    { "deny MAC 02:00:00:00:00:01:02 any", "bad MAC address \"02:00:00:00:00:01:02\"" },
	    { "deny MAC 002:00:00:00:00:01 any", "bad MAC address \"002:00:00:00:00:01\"" },
	    { "deny mac-type foo", "bad mac-type \"foo\"" },
	    { "deny mac-type 10000", "mac-type 10000 out of range" },
	    { "deny via", "missing argument for via" },
	    { "deny via an-interface-name", "interface \"an-interface-name\" is too long" },
	    { "deny via em0,em1", "bad interface \"em0,em1\"" },
	    { "deny via table(lans,5)", "table \"lans,5\": Invalid argument" },
	    { "deny lookup uid a,b", "table \"a,b\": Invalid argument" },
	    { "deny via e*0", "bad interface \"e*0\": only a star at its end" },
	    { "deny via em?", "bad interface \"em?\": only a star at its end" },
	    { "deny via 10.0.0", "bad address \"10.0.0\"" },
	    { "deny via table()", "bad table \"table()\"" },
	    { "deny src-ip6 10.0.0.1", "bad address \"10.0.0.1\"" },
	    { "deny src-ip4 ::1", "bad address \"::1\"" },
	    { "deny dst-ip4 me6", "bad address \"me6\"" },
	    { "deny dst-ip", "missing argument for dst-ip" },
	    { "deny src-port 65536", "port 65536 out of range" },
	    { "deny lookup dst 1", "bad lookup key \"dst\"" },
	    { "deny lookup dst-ip", "missing argument for lookup" },
	    { "deny lookup dst-ip:24 1", "bad mask of lookup key \"dst-ip:24\"" },
	    { "deny flow calls", "flow needs table(NAME) before [calls]" },
	    { "deny flow", "missing argument for flow" },
	    { "deny flow table()", "bad table \"table()\"" },
	    { "deny iplen big", "bad iplen \"big\"" },
	    { "deny ipttl 70000", "ipttl 70000 out of range" },
	    { "deny ipver 16", "ipver 16 out of range" },
	    { "deny ipprecedence 8", "ipprecedence 8 out of range" },
	    { "deny iptos fast", "unknown iptos \"fast\"" },
	    { "deny iptos lowdelay,", "unknown iptos \"\"" },
	    { "deny tcpflags syn,!syn", "tcpflags \"syn\" both set and clear" },
	    { "deny tcpflags", "missing argument for tcpflags" },
	    { "deny ext6hdr !frag", "unknown ext6hdr \"!frag\"" },
	    { "deny icmptypes 64", "icmptypes 64 out of range" },
	    { "deny icmptypes 0-8", "bad icmptypes \"0-8\"" },
	    { "deny icmp6types 256", "icmp6types 256 out of range" },
	    { "deny dscp ab", "bad dscp \"ab\"" },
	    { "deny flow-id 1048576", "bad flow label \"1048576\"" },
	    { "deny tcpseq 4294967296", "tcpseq 4294967296 out of range" },
	    { "deny uid transmission", "unknown uid \"transmission\"" },
	    { "deny fib", "missing argument for fib" },
	    { "deny fib 65536", "fib 65536 out of range" },
	    { "allow keep-state keep-state", "keep-state: only one keep-state or limit in a rule" },
	    { "allow keep-state limit src-addr 1",
		"limit: only one keep-state or limit in a rule" },
	    { "allow not keep-state", "not keep-state makes no sense" },
	    { "allow { in or keep-state }", "keep-state can't be part of a block" },
	    { "allow { in or defer-action }", "defer-action can't be part of a block" },
	    { "allow keep-state :any", "bad state name \":any\"" },
	    { "allow limit 5", "limit needs src-addr, src-port, dst-addr or dst-port before [5]" },
	    { "allow limit src-addr", "missing argument for limit" },
	    { "allow limit src-addr many", "limit \"many\" is no number" },
	    { NULL, NULL },
	});
}

static void
test_a_rule_has_a_most(void **state)
{
	char line[8192] = "deny", why[256];
	struct fw_rule *r;

	(void)state;
	for (int i = 0; i < 256; i++)
		strcat(line, " in");
	r = rule_of(line);
	assert_int_equal(r->n_insns, 256);
	fw_rule_rele(r);
	strcat(line, " in");
	assert_null(rule_try(line, why, sizeof(why)));
	assert_string_equal(why, "more than 256 conditions");
	strcpy(line, "deny src-ip 1.1.1.1");
	for (int i = 0; i < 1024; i++)
		strcat(line, ",1.1.1");
	assert_null(rule_try(line, why, sizeof(why)));
	assert_string_equal(why, "more than 1024 addresses in a list");
}

/* --- life ------------------------------------------------------------------ */

static void
test_an_equal_rule_says_the_same(void **state)
{
	static const char *const others[] = { "deny tcp from any to 10.0.0.2 80",
		"allow udp from any to 10.0.0.2 80", "allow tcp from any to 10.0.0.3 80",
		"allow tcp from any to 10.0.0.2 81", "allow tcp from any to 10.0.0.2 80 in",
		"allow log tcp from any to 10.0.0.2 80", "allow tag 1 tcp from any to 10.0.0.2 80",
		"allow tcp from any to 10.0.0.2 80 // c", "allow tcp from any to not 10.0.0.2 80" };
	struct fw_rule *a = rule_of("100 allow tcp from any to 10.0.0.2 80");
	struct fw_rule *b = rule_of("200 set 4 pass 6 from any to 10.0.0.2 dst-port http");

	(void)state;
	assert_true(fw_rule_equal(a, b));
	fw_rule_rele(b);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		b = rule_of(others[i]);
		assert_false(fw_rule_equal(a, b));
		fw_rule_rele(b);
	}
	fw_rule_rele(a);
}

static void
test_a_rule_lives_while_somebody_holds_it(void **state)
{
	struct fw_rule *r = rule_of("allow ip from table(1) to any 80");
	struct audit_counts before;

	(void)state;
	audit_take(&before);
	assert_ptr_equal(fw_rule_ref(r), r);
	fw_rule_rele(r);
	assert_int_equal(audit_compare(&before, NULL, 0), 0);
	assert_int_equal(r->insn[1].u.range[0].lo, 80);
	fw_rule_rele(r);
	/* that it is gone, and its table, is for the teardown to find */
}

static void
test_a_rule_of_hand_made_lists_is_freed_with_them(void **state)
{
	struct fw_rule *r = fw_rule_alloc(2);
	struct fw_net *net = fw_rule_list(sizeof(*net));
	char *text;

	(void)state;
	*net = (struct fw_net){ htonl(0x0a000000), htonl(0xff000000) };
	r->insn[0] = (struct fw_insn){ .op = FW_OP_SRC, .n = 1, .u.net = net };
	r->insn[1] = (struct fw_insn){ .op = FW_OP_IN, .flags = FW_OPTION | FW_NOT };
	text = rule_listed(r, AS_IS);
	assert_string_equal(text, "allow ip from 10.0.0.0/8 to any out");
	free(text);
	fw_rule_rele(r);
}

/* Each allocation fails once: the rule is refused, and nothing is left (the teardown looks). */
static void
test_no_memory_refuses_and_leaves_nothing(void **state)
{
	const char *line = "100 allow log tcp from { 10.0.0.1,10.0.0.2 or table(5) } 80 to "
			   "192.0.2.0/24{5} in recv table(6) MAC any any lookup uid 7 icmp6types 1 "
			   "flow-id 5 limit src-addr 5 // comment";
	char why[256];

	(void)state;
	for (uint64_t n = 1;; n++) {
		struct fw_rule *r;

		vnet_malloc_fail_at(n);
		r = rule_try(line, why, sizeof(why));
		if (vnet_malloc_fail_pending()) {
			vnet_malloc_fail_at(0);
			assert_non_null(r);
			fw_rule_rele(r);
			assert_true(n > 10);
			return;
		}
		assert_null(r);
		assert_true(strlen(why) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULE_TEST(test_every_action_has_its_words),
		RULE_TEST(test_actions_name_the_word_that_is_wrong),
		RULE_TEST(test_number_set_and_prob_stand_before_the_action),
		RULE_TEST(test_parameters_stand_behind_the_action),
		RULE_TEST(test_a_comment_goes_to_the_end),
		RULE_TEST(test_words_may_come_in_one_or_apart),
		RULE_TEST(test_protocols_go_by_name_or_number),
		RULE_TEST(test_addresses_have_many_forms),
		RULE_TEST(test_an_address_is_kept_as_packets_have_it),
		RULE_TEST(test_ports_are_lists_of_ranges_and_names),
		RULE_TEST(test_names_of_ports_are_those_of_the_protocol),
		RULE_TEST(test_every_option_lists_as_it_was_written),
		RULE_TEST(test_options_have_synonyms),
		RULE_TEST(test_options_name_the_word_that_is_wrong),
		RULE_TEST(test_a_rule_has_a_most),
		RULE_TEST(test_an_equal_rule_says_the_same),
		RULE_TEST(test_a_rule_lives_while_somebody_holds_it),
		RULE_TEST(test_a_rule_of_hand_made_lists_is_freed_with_them),
		RULE_TEST(test_no_memory_refuses_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
