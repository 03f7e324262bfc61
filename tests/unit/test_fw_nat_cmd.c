/*
 * NAT's words (ipfw/nat_cmd.c, nat_redirect.c) and FTP (nat_ftp.c).
 */
#include "nat_fixture.h"

/* --- words --------------------------------------------------------------------------------- */

static void
test_config_is_shown_as_it_can_be_entered_again(void **state)
{
	static const char *const lines[] = {
		"ipfw nat 1 config ip 192.0.2.1",
		"ipfw nat 2 config if mem0 log deny_in same_ports unreg_only skip_global udp_eim reset reverse "
		"proxy_only port_range 2000-3000",
		"ipfw nat 3 config ip 192.0.2.1 redirect_port tcp 10.0.0.5:80 8080 "
		"redirect_port udp 10.0.0.5:100-110 203.0.113.1:200-210 198.51.100.7 "
		"redirect_port tcp 10.0.0.5:1-2 11-12 198.51.100.7:21-22",
		"ipfw nat 4 config ip 192.0.2.1 redirect_port tcp 10.0.0.5:80,10.0.0.6:81 80 "
		"redirect_addr 10.0.0.7,10.0.0.8 203.0.113.1 redirect_addr 10.0.0.9 0.0.0.0",
		"ipfw nat 5 config ip 192.0.2.1 redirect_proto gre 10.0.0.5 "
		"redirect_proto esp 10.0.0.6 203.0.113.1 "
		"redirect_proto 253 10.0.0.6 0.0.0.0 198.51.100.7 redirect_port sctp 10.0.0.5 99",
	};
	char show[64], text[512];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%s\n", lines[i]);
		snprintf(show, sizeof(show), "ipfw nat %u show config", i + 1);
		assert_says(lines[i], text);
		assert_says(show, text);
		assert_says(lines[i], text);
	}
}

static void
test_show_counts_links_by_kind(void **state)
{
	(void)state;
	command("ipfw -q nat 7 config ip " ALIAS);
	command("ipfw -q nat 9 config ip " ALIAS);
	m_free(through(7, udp_to(INSIDE, 1, OUTSIDE, 2), PFIL_OUT));
	m_free(through(7, udp_to(INSIDE, 2, OUTSIDE, 2), PFIL_OUT));
	m_free(through(7, tcp_to(INSIDE, 2, OUTSIDE, 2, SYN, 0, 0, ""), PFIL_OUT));
	m_free(through(7, icmp_to(INSIDE, OUTSIDE, 8, 2, NULL, 0), PFIL_OUT));
	assert_says("ipfw nat 7 show",
	    "nat 7: icmp=1, udp=2, tcp=1, sctp=0, pptp=0, proto=0, frag_id=0 frag_ptr=0 / tot=4\n");
	assert_says("ipfw nat show",
	    "nat 7: icmp=1, udp=2, tcp=1, sctp=0, pptp=0, proto=0, frag_id=0 frag_ptr=0 / tot=4\n"
	    "nat 9: icmp=0, udp=0, tcp=0, sctp=0, pptp=0, proto=0, frag_id=0 frag_ptr=0 / tot=0\n");
	assert_says("ipfw nat 8-20 show",
	    "nat 9: icmp=0, udp=0, tcp=0, sctp=0, pptp=0, proto=0, frag_id=0 frag_ptr=0 / tot=0\n");
}

static void
test_delete_takes_numbers_and_ranges(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 5; i++) {
		char line[64];

		snprintf(line, sizeof(line), "ipfw -q nat %u config ip " ALIAS, i);
		command(line);
	}
	command("ipfw nat 2 delete");
	command("ipfw nat delete 5");
	command("ipfw nat 3-9 delete");
	assert_says("ipfw nat show config", "ipfw nat 1 config ip 192.0.2.1\n");
	assert_fails("ipfw nat 2 delete", 69, "nat 2 does not exist");
	assert_fails("ipfw nat 2 show", 69, "nat 2 does not exist");
	assert_says("ipfw nat 2-9 show", "");
}

static void
test_config_again_replaces_what_was_said_and_keeps_links(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_port tcp 10.0.0.5:80 80");
	port = alias_port(out(udp_to(INSIDE, 1, OUTSIDE, 2)));
	command("ipfw -q nat 1 config ip 203.0.113.1 deny_in");
	assert_says("ipfw nat 1 show config", "ipfw nat 1 config ip 203.0.113.1 deny_in\n");
	assert_ends(in(udp_to(OUTSIDE, 2, ALIAS, port)), OUTSIDE, 2, INSIDE, 1);
	assert_dropped(in(tcp_to(OUTSIDE, 2, ALIAS, 80, SYN, 0, 0, "")));
}

static void
test_what_is_wrong_is_named_and_changes_nothing(void **state)
{
	static const struct {
		const char *words, *named;
	} wrong[] = {
		{ "", "no address" },
		{ "log", "no address" },
		{ "ip", "ip" },
		{ "ip 300.1.1.1", "300.1.1.1" },
		{ "ip 192.0.2.1 if mem0", "mem0" },
		{ "ip 192.0.2.1 denyin", "denyin" },
		{ "ip 192.0.2.1 port_range 5", "5" },
		{ "ip 192.0.2.1 port_range 9-5", "9-5" },
		{ "ip 192.0.2.1 redirect_port", "redirect_port" },
		{ "ip 192.0.2.1 redirect_port icmp 10.0.0.5:80 80", "icmp" },
		{ "ip 192.0.2.1 redirect_port tcp 10.0.0.5 80", "10.0.0.5" },
		{ "ip 192.0.2.1 redirect_port tcp 10.0.0.5:80-82 80", "80" },
		{ "ip 192.0.2.1 redirect_port tcp 10.0.0.5:0 80", "10.0.0.5:0" },
		{ "ip 192.0.2.1 redirect_port tcp 10.0.0.5:80-82,10.0.0.6:80-82 80-82",
		    "10.0.0.5" },
		{ "ip 192.0.2.1 redirect_port tcp 10.0.0.5:80 80 nobody", "nobody" },
		{ "ip 192.0.2.1 redirect_port tcp 10.0.0.5:80 80 10.1.1.1:5-6", "10.1.1.1:5-6" },
		{ "ip 192.0.2.1 redirect_addr 10.0.0.5", "redirect_addr" },
		{ "ip 192.0.2.1 redirect_addr 10.0.0.5:80 192.0.2.1", "10.0.0.5:80" },
		{ "ip 192.0.2.1 redirect_addr 10.0.0.5,,10.0.0.6 192.0.2.1", "10.0.0.5" },
		{ "ip 192.0.2.1 redirect_proto tcp 10.0.0.5", "tcp" },
		{ "ip 192.0.2.1 redirect_proto gre 10.0.0.5 1.1.1.1 2.2.2.2 3.3.3.3", "3.3.3.3" },
	};
	char line[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "ipfw nat 1 config %s", wrong[i].words);
		assert_fails(line, 65, wrong[i].named);
	}
	assert_fails("ipfw nat 0 config ip 192.0.2.1", 65, "0");
	assert_fails("ipfw nat 65536 config ip 192.0.2.1", 65, "65536");
	assert_fails("ipfw nat", 64, "config");
	assert_fails("ipfw nat 1 frobnicate", 64, "frobnicate");
	assert_says("ipfw -n nat 1 config ip 192.0.2.1 redirect_port tcp 10.0.0.5:http http", "");
	assert_says("ipfw nat show config", "");
}

/* --- through the stack --------------------------------------------------------------------- */

/* A rule `nat 1` on the way out and in of a router between two others. */
static void
test_rule_translates_what_the_stack_forwards(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	command_in("n2", "ipfw -q nat 1 config if epair2a same_ports");
	command_in("n2", "ipfw -q add 100 nat 1 ip from any to any via epair2a");
	command_in("n2", "ipfw -q add 200 allow ip from any to any");
	/* n3 knows the way to 10.2.0.1 only */
	command_in("n3", "route delete 10.1.0.0/24");
	assert_int_equal(tool(&t, "n1", "ping -c 2 10.2.0.2"), 0);
	assert_int_equal(tool(&t, "n1", "traceroute -n 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, "10.2.0.2"));
	assert_int_equal(tool(&t, "n1", "ping -c 1 -s 4000 10.2.0.2"), 0);
}

/* `nat global` lets in what an instance knows; a table's 0 is no instance, and not that word. */
static void
test_rules_say_global_and_tables_do_not(void **state)
{
	struct tool t;
	uint64_t before;

	(void)state;
	chain(3);
	command_in("n2", "ipfw -q nat 1 config if epair2a deny_in");
	command_in("n2", "ipfw table 1 add 10.1.0.1 1 10.2.0.2 0");
	command_in("n2", "ipfw -q add 100 nat tablearg ip from table(1) to any out xmit epair2a");
	command_in("n2", "ipfw -q add 110 nat global ip from any to any in recv epair2a");
	command_in("n2", "ipfw -q add 200 allow ip from any to any");
	command_in("n3", "route delete 10.1.0.0/24");
	assert_int_equal(tool(&t, "n1", "ping -c 2 10.2.0.2"), 0);
	command_in("n2", "ipfw -q add 50 nat tablearg ip from table(1) to any in recv epair2a");
	{
		VNET_SCOPE(prison_find(&prison0, "n2")->vnet);
		before = drops("ipfw.nooutlet");
		assert_int_not_equal(tool(&t, "n1", "ping -c 1 -t 1 10.2.0.2"), 0);
		assert_int_equal(drops("ipfw.nooutlet"), before + 1);
	}
}

/* --- FTP ----------------------------------------------------------------------------------- */

static struct mbuf *
client(uint8_t flags, uint32_t seq, uint32_t ack, const char *line)
{
	return out(tcp_to(INSIDE, 1024, OUTSIDE, 21, flags, seq, ack, line));
}

/* The server's answer that acknowledges `ack`; what the client gets to see as acknowledged. */
static uint32_t
server(uint16_t port, uint32_t ack)
{
	struct mbuf *m = in(tcp_to(OUTSIDE, 21, ALIAS, port, ACK, 900, ack, ""));
	uint32_t seen;

	assert_non_null(m);
	assert_sealed(m);
	seen = get32(m, 28);
	m_free(m);
	return seen;
}

static void
test_ftp_port_is_rewritten_and_the_data_connection_comes_in(void **state)
{
	unsigned h[4], p[2];
	struct mbuf *m;
	uint16_t control, data;
	char line[64];
	uint32_t len, grown;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " deny_in");
	control = alias_port(client(SYN, 99, 0, ""));
	m = client(ACK, 100, 900, "PORT 10,0,0,2,4,1\r\n");
	assert_non_null(m);
	assert_sealed(m);
	assert_int_equal(get32(m, 24), 100);
	len = m->len - 40;
	snprintf(line, sizeof(line), "%.*s", (int)len, m->data + 40);
	assert_int_equal(
	    sscanf(line, "PORT %u,%u,%u,%u,%u,%u\r\n", &h[0], &h[1], &h[2], &h[3], &p[0], &p[1]),
	    6);
	assert_true(h[0] == 192 && h[1] == 0 && h[2] == 2 && h[3] == 1);
	data = (uint16_t)(p[0] << 8 | p[1]);
	m_free(m);
	grown = len - 19;

	/* sent again it is the same */
	m = client(ACK, 100, 900, "PORT 10,0,0,2,4,1\r\n");
	assert_int_equal(get32(m, 24), 100);
	assert_memory_equal(m->data + 40, line, len);
	m_free(m);

	/* numbers behind it are moved, those before are not */
	m = client(ACK, 119, 900, "NOOP\r\n");
	assert_int_equal(get32(m, 24), 119 + grown);
	assert_sealed(m);
	m_free(m);
	assert_int_equal(server(control, 100), 100);
	assert_int_equal(server(control, 119 + grown), 119);
	assert_int_equal(server(control, 125 + grown), 125);
	assert_true(server(control, 100 + len - 1) <= 119);

	/* the server opens the data connection; nobody else may */
	assert_dropped(in(tcp_to("203.0.113.9", 20, ALIAS, data, SYN, 0, 0, "")));
	assert_ends(in(tcp_to(OUTSIDE, 20, ALIAS, data, SYN, 0, 0, "")), OUTSIDE, 20, INSIDE, 1025);
	assert_ends(
	    out(tcp_to(INSIDE, 1025, OUTSIDE, 20, SYN | ACK, 0, 0, "")), ALIAS, data, OUTSIDE, 20);
	assert_int_equal(links(), 2);
}

static void
test_ftp_several_commands_add_up(void **state)
{
	uint32_t seq = 100, moved = 0, grown;
	struct mbuf *m;
	uint16_t control;
	char line[64];

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	control = alias_port(client(SYN, 99, 0, ""));
	for (unsigned i = 0; i < 10; i++) {
		snprintf(line, sizeof(line), "EPRT |1|10.0.0.2|%u|\r\n", 5 + i * 500);
		m = client(ACK, seq, 900, line);
		assert_non_null(m);
		assert_sealed(m);
		assert_memory_equal(m->data + 40, "EPRT |1|192.0.2.1|", 18);
		assert_int_equal(get32(m, 24), seq + moved);
		grown = m->len - 40 - (uint32_t)strlen(line);
		m_free(m);
		seq += (uint32_t)strlen(line);
		moved += grown;
		assert_int_equal(server(control, seq + moved), seq);
	}
}

/* A server inside: what it answers, as the client outside sees it. */
static struct mbuf *
answer(uint32_t seq, const char *line)
{
	return out(tcp_to(INSIDE, 21, OUTSIDE, 1024, ACK, seq, 900, line));
}

static void
test_ftp_server_inside_is_reached_by_passive_clients(void **state)
{
	unsigned h[4], p[2], port;
	struct mbuf *m;
	uint16_t data;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " deny_in redirect_port tcp " INSIDE ":21 21");
	assert_ends(in(tcp_to(OUTSIDE, 1024, ALIAS, 21, SYN, 1, 0, "")), OUTSIDE, 1024, INSIDE, 21);
	m = answer(100, "227 Entering Passive Mode (10,0,0,2,4,1).\r\n");
	assert_non_null(m);
	assert_sealed(m);
	m->data[m->len - 1] = '\0';
	assert_int_equal(
	    sscanf((const char *)m->data + 40, "227 Entering Passive Mode (%u,%u,%u,%u,%u,%u).\r",
		&h[0], &h[1], &h[2], &h[3], &p[0], &p[1]),
	    6);
	assert_string_equal((const char *)m->data + m->len - 4, ").\r");
	assert_true(h[0] == 192 && h[1] == 0 && h[2] == 2 && h[3] == 1);
	data = (uint16_t)(p[0] << 8 | p[1]);
	m_free(m);
	/* whom it was told to, and nobody else */
	assert_dropped(in(tcp_to("203.0.113.9", 1025, ALIAS, data, SYN, 0, 0, "")));
	assert_ends(
	    in(tcp_to(OUTSIDE, 1025, ALIAS, data, SYN, 0, 0, "")), OUTSIDE, 1025, INSIDE, 1025);
	assert_ends(out(tcp_to(INSIDE, 1025, OUTSIDE, 1025, SYN | ACK, 0, 1, "")), ALIAS, data,
	    OUTSIDE, 1025);

	m = answer(200, "229 Entering Extended Passive Mode (|||5|)\r\n");
	assert_non_null(m);
	assert_sealed(m);
	assert_int_equal(sscanf((const char *)m->data + 40,
			     "229 Entering Extended Passive Mode (|||%u|)", &port),
	    1);
	m_free(m);
	assert_ends(in(tcp_to(OUTSIDE, 1026, ALIAS, (uint16_t)port, SYN, 0, 0, "")), OUTSIDE, 1026,
	    INSIDE, 5);
}

static void
test_ftp_answers_that_name_no_end_of_ours_stay(void **state)
{
	static const char *const lines[] = {
		"227 Entering Passive Mode (10,0,0,3,4,1)\r\n", /* not the server's own address */
		"227 Entering Passive Mode (10,0,0,2,4,256)\r\n",
		"227 Entering Passive Mode (10,0,0,2,4,1)\r\n220 More\r\n",
		"227 Entering Passive Mode (10,0,0,2,4,1)", /* not whole */
		"229 Entering Extended Passive Mode (|||0|)\r\n",
		"229 Entering Extended Passive Mode (|||70000|)\r\n",
		"229 Entering Extended Passive Mode |||7|\r\n",
		"PORT 10,0,0,2,4,1\r\n", /* servers don't say so */
		"220 Welcome\r\n",
		"227 \r\n\r\n",
	};
	struct mbuf *m;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_port tcp " INSIDE ":21 21");
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		m = answer(100, lines[i]);
		assert_non_null(m);
		assert_int_equal(m->len - 40, strlen(lines[i]));
		assert_memory_equal(m->data + 40, lines[i], strlen(lines[i]));
		assert_sealed(m);
		m_free(m);
	}
	assert_int_equal(links(), 1);
	/* nor do clients answer */
	m = client(ACK, 100, 900, "227 Entering Passive Mode (10,0,0,2,4,1)\r\n");
	assert_memory_equal(m->data + 40, "227 Entering Passive Mode (10,0,0,2,4,1)\r\n", 42);
	m_free(m);
}

static void
test_ftp_leaves_other_lines_alone(void **state)
{
	static const char *const lines[] = {
		"PORT 10,0,0,3,4,1\r\n", /* not the client's own address */
		"PORT 10,0,0,2,4,256\r\n",
		"PORT 10,0,0,2,0,0\r\n",
		"PORT 10,0,0,2,4\r\n",
		"PORT 10,0,0,2,4,1", /* not whole */
		"PORT 10,0,0,2,4,1 and more\r\n",
		"PORT 10,0,0,2,4,1\r\nNOOP\r\n",
		"EPRT |2|2001:db8::1|99|\r\n",
		"EPRT |1|10.0.0.2|0|\r\n",
		"EPRT |1|10.0.0.2|70000|\r\n",
		"EPRT |1|10.0.0.2|99\r\n",
		"USER anonymous\r\n",
		"\r\n",
	};
	struct mbuf *m;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		m = client(ACK, 100, 900, lines[i]);
		assert_non_null(m);
		assert_int_equal(m->len - 40, strlen(lines[i]));
		assert_memory_equal(m->data + 40, lines[i], strlen(lines[i]));
		assert_sealed(m);
		m_free(m);
	}
	/* a broken segment must not become a sound one; another port is not FTP's */
	m = tcp_to(INSIDE, 1024, OUTSIDE, 21, ACK, 100, 900, "PORT 10,0,0,2,4,1\r\n");
	m->data[57] = '2';
	m = out(m);
	assert_int_equal(m->len, 59);
	assert_int_not_equal(transport_sum(m), 0);
	m_free(m);
	m = out(tcp_to(INSIDE, 1024, OUTSIDE, 22, ACK, 100, 900, "PORT 10,0,0,2,4,1\r\n"));
	assert_int_equal(m->len, 59);
	m_free(m);
	assert_int_equal(links(), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_config_is_shown_as_it_can_be_entered_again),
		INET_TEST(test_show_counts_links_by_kind),
		INET_TEST(test_delete_takes_numbers_and_ranges),
		INET_TEST(test_config_again_replaces_what_was_said_and_keeps_links),
		INET_TEST(test_what_is_wrong_is_named_and_changes_nothing),
		INET_TEST(test_rule_translates_what_the_stack_forwards),
		INET_TEST(test_rules_say_global_and_tables_do_not),
		INET_TEST(test_ftp_port_is_rewritten_and_the_data_connection_comes_in),
		INET_TEST(test_ftp_several_commands_add_up),
		INET_TEST(test_ftp_server_inside_is_reached_by_passive_clients),
		INET_TEST(test_ftp_answers_that_name_no_end_of_ours_stay),
		INET_TEST(test_ftp_leaves_other_lines_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
