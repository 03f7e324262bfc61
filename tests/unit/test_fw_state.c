/*
 * Dynamic rules (ipfw/state*.c): who is found, how long they live, what limits them.
 */
#include "fw_fixture.h"

static struct test_packet one, two;

static struct fw_packet *
syn(void)
{
	return tcp_packet(&one, "10.0.0.2", 1024, "192.0.2.1", 80, SYN, 0);
}

static struct fw_packet *
forth(uint8_t flags, uint32_t ack)
{
	return tcp_packet(&one, "10.0.0.2", 1024, "192.0.2.1", 80, flags, ack);
}

static struct fw_packet *
back(uint8_t flags, uint32_t ack)
{
	return tcp_packet(&two, "192.0.2.1", 80, "10.0.0.2", 1024, flags, ack);
}

static struct fw_packet *
udp(uint16_t sport)
{
	return flow_packet(&one, 17, "10.0.0.2", sport, "192.0.2.1", 53);
}

/* A state of r that p makes. */
static void
add(struct fw_rule *r, struct fw_packet *p)
{
	assert_int_equal(fw_state_add(r, &r->insn[0], p), 0);
}

static void
establish(struct fw_rule *r)
{
	add(r, syn());
	assert_ptr_equal(fw_state_hit(back(SYN | ACK, 101), ""), r);
	assert_ptr_equal(fw_state_hit(forth(ACK, 501), ""), r);
}

/* Is the flow of p known for `seconds` more, and not longer? Asking doesn't prolong. */
static void
assert_lives(const struct fw_rule *r, double seconds)
{
	char text[64];
	const struct sysctl_oid *oid = sysctl_find("net.inet.ip.fw.dyn_count");

	(void)r;
	pass_s(seconds - 0.5);
	assert_int_equal(fw_state_count(), 1);
	/* within a second of its end it is out of the table */
	pass_s(1.5);
	assert_int_equal(sysctl_read(oid, text, sizeof(text)), 0);
	assert_string_equal(text, "0");
}

static void
end(struct fw_rule *r)
{
	fw_state_forget(r);
	assert_int_equal(fw_state_count(), 0);
	fw_rule_rele(r);
}

static void
test_flow_is_found_in_both_directions(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	assert_null(fw_state_hit(syn(), ""));
	add(r, syn());
	assert_ptr_equal(fw_state_hit(forth(SYN, 0), ""), r);
	assert_ptr_equal(fw_state_hit(back(SYN | ACK, 101), ""), r);
	assert_null(fw_state_hit(tcp_packet(&one, "10.0.0.2", 1025, "192.0.2.1", 80, SYN, 0), ""));
	assert_null(fw_state_hit(tcp_packet(&one, "10.0.0.2", 80, "192.0.2.1", 1024, SYN, 0), ""));
	assert_null(fw_state_hit(flow_packet(&one, 17, "10.0.0.2", 1024, "192.0.2.1", 80), ""));
	end(r);
}

static struct fw_packet *
echo(const char *src, const char *dst, uint16_t id)
{
	struct fw_packet *p = flow_packet(&one, src[0] == '1' ? 1 : 58, src, 0, dst, 0);

	p->echo_id = id;
	return p;
}

static void
test_echoes_of_other_identifiers_are_other_flows(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	add(r, echo("10.0.0.2", "192.0.2.1", 7));
	add(r, echo("2001:db8::2", "2001:db8::1", 7));
	assert_int_equal(fw_state_count(), 2);
	assert_ptr_equal(fw_state_hit(echo("192.0.2.1", "10.0.0.2", 7), ""), r);
	assert_ptr_equal(fw_state_hit(echo("2001:db8::1", "2001:db8::2", 7), ""), r);
	assert_null(fw_state_hit(echo("192.0.2.1", "10.0.0.2", 8), ""));
	assert_null(fw_state_hit(echo("2001:db8::1", "2001:db8::2", 8), ""));
	assert_null(fw_state_hit(echo("192.0.2.1", "10.0.0.2", 0), ""));
	end(r);
}

static void
test_limit_of_echoes_counts_by_identifier_and_lets_go_of_it(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR | FW_LIMIT_SRC_PORT, 1, "");

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		add(r, echo("10.0.0.2", "192.0.2.1", 7));
		assert_int_equal(
		    fw_state_add(r, &r->insn[0], echo("10.0.0.2", "192.0.2.9", 7)), -EDQUOT);
		add(r, echo("10.0.0.2", "192.0.2.1", 8));
		pass_s(6);
	}
	pass_s(10);
	end(r);
}

static void
test_flow_of_ipv6_is_found_in_both_directions(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	add(r, flow_packet(&one, 17, "2001:db8::1", 9, "2001:db8::2", 53));
	assert_ptr_equal(
	    fw_state_hit(flow_packet(&one, 17, "2001:db8::2", 53, "2001:db8::1", 9), ""), r);
	assert_ptr_equal(
	    fw_state_hit(flow_packet(&one, 17, "2001:db8::1", 9, "2001:db8::2", 53), ""), r);
	assert_null(fw_state_hit(flow_packet(&one, 17, "2001:db8::1", 53, "2001:db8::2", 9), ""));
	assert_null(fw_state_hit(flow_packet(&one, 17, "2001:db8::1", 9, "2001:db8::3", 53), ""));
	end(r);
}

static void
test_what_is_not_ip_makes_no_state(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	flow_packet(&one, 0, "10.0.0.1", 0, "10.0.0.2", 0);
	one.p.ip = 0;
	assert_int_equal(fw_state_add(r, &r->insn[0], &one.p), -EINVAL);
	assert_null(fw_state_hit(&one.p, ""));
	end(r);
}

static void
test_flow_that_is_known_makes_no_second_state(void **state)
{
	struct fw_rule *r = keep_state(100), *other = keep_state(200);

	(void)state;
	add(r, udp(9));
	add(r, udp(9));
	add(other, udp(9));
	assert_int_equal(fw_state_count(), 1);
	assert_ptr_equal(fw_state_hit(udp(9), ""), r);
	end(r);
	fw_rule_rele(other);
}

static void
test_hit_counts_in_state_and_rule(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	add(r, udp(9));
	assert_int_equal(r->count.packets, 0); /* the rule matched: that is counted there */
	assert_ptr_equal(fw_state_hit(udp(9), ""), r);
	assert_ptr_equal(fw_state_hit(udp(9), ""), r);
	assert_int_equal(r->count.packets, 2);
	assert_int_equal(r->count.bytes, 200);
	assert_int_equal(r->count.last_ns, clock_epoch_ns() + clock_now());
	end(r);
}

/* --- lifetimes ----------------------------------------------------------------------------- */

static void
test_opening_tcp_flow_lives_20_seconds(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	add(r, syn());
	assert_lives(r, 20);
	add(r, syn());
	pass_s(15);
	/* one direction only: still opening, and prolonged */
	assert_ptr_equal(fw_state_hit(forth(ACK, 7), ""), r);
	assert_lives(r, 20);
	end(r);
}

static void
test_established_tcp_flow_lives_300_seconds(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	command("sysctl net.inet.ip.fw.dyn_keepalive=0");
	establish(r);
	assert_lives(r, 300);
	/* one FIN changes nothing */
	establish(r);
	assert_ptr_equal(fw_state_hit(forth(FIN | ACK, 501), ""), r);
	assert_lives(r, 300);
	end(r);
}

static void
test_closed_tcp_flow_lives_a_second(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	establish(r);
	assert_ptr_equal(fw_state_hit(forth(FIN | ACK, 501), ""), r);
	assert_ptr_equal(fw_state_hit(back(FIN | ACK, 102), ""), r);
	assert_ptr_equal(fw_state_hit(forth(ACK, 502), ""), r);
	assert_lives(r, 1);
	end(r);
}

static void
test_reset_tcp_flow_lives_a_second(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	establish(r);
	assert_ptr_equal(fw_state_hit(back(RST, 0), ""), r);
	assert_lives(r, 1);
	/* as one does whose beginning was not seen */
	add(r, forth(ACK, 7));
	assert_lives(r, 1);
	end(r);
}

static void
test_udp_lives_10_seconds_and_others_5(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	add(r, udp(9));
	assert_lives(r, 10);
	add(r, udp(9));
	pass_s(9);
	assert_non_null(fw_state_hit(udp(9), ""));
	assert_lives(r, 10);
	add(r, flow_packet(&one, 1, "10.0.0.2", 0, "192.0.2.1", 0));
	assert_lives(r, 5);
	end(r);
}

static void
test_end_of_life_is_exact(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	pass_s(0.3);
	add(r, udp(9));
	pass_s(9.999);
	assert_ptr_equal(fw_state_hit(udp(9), ""), r);
	pass_s(10.001);
	assert_int_equal(fw_state_count(), 1); /* the wheel has not come by */
	assert_null(fw_state_hit(udp(9), ""));
	/* and its flow may begin anew beside it */
	add(r, udp(9));
	assert_ptr_equal(fw_state_hit(udp(9), ""), r);
	end(r);
}

static void
test_old_acknowledgement_does_not_prolong(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	command("sysctl net.inet.ip.fw.dyn_keepalive=0");
	establish(r);
	pass_s(200);
	assert_ptr_equal(fw_state_hit(forth(ACK, 500), ""), r);
	assert_lives(r, 100);
	establish(r);
	pass_s(200);
	assert_ptr_equal(fw_state_hit(forth(ACK, 501), ""), r);
	assert_lives(r, 300);
	/* each side has its own numbers, and they come round */
	add(r, syn());
	assert_non_null(fw_state_hit(back(SYN | ACK, 0xfffffff0), ""));
	assert_non_null(fw_state_hit(forth(ACK, 5), ""));
	pass_s(200);
	assert_ptr_equal(fw_state_hit(back(ACK, 3), ""), r);
	assert_lives(r, 300);
	end(r);
}

static void
test_lifetimes_are_sysctls_with_bounds(void **state)
{
	struct fw_rule *r = keep_state(100);
	char why[64];

	(void)state;
	command("sysctl net.inet.ip.fw.dyn_udp_lifetime=700"); /* more than a turn of the wheel */
	add(r, udp(9));
	assert_lives(r, 700);
	assert_int_equal(
	    sysctl_write(sysctl_find("net.inet.ip.fw.dyn_fin_lifetime"), "5", why, sizeof(why)),
	    -EINVAL);
	assert_int_equal(
	    sysctl_write(sysctl_find("net.inet.ip.fw.dyn_rst_lifetime"), "5", why, sizeof(why)),
	    -EINVAL);
	assert_int_equal(
	    sysctl_write(sysctl_find("net.inet.ip.fw.dyn_buckets"), "100", why, sizeof(why)),
	    -EINVAL);
	assert_int_equal(
	    sysctl_write(sysctl_find("net.inet.ip.fw.dyn_buckets"), "131072", why, sizeof(why)),
	    -EINVAL);
	end(r);
}

/* --- names --------------------------------------------------------------------------------- */

static void
test_names_tell_states_apart_and_any_means_all(void **state)
{
	struct fw_rule *plain = keep_state(100), *in = state_rule(200, 0, 0, "IN"),
		       *out = state_rule(300, 0, 0, "a_name_of_15_ch");

	(void)state;
	assert_null(fw_state_hit(udp(9), "IN"));
	add(in, udp(9));
	assert_null(fw_state_hit(udp(9), ""));
	assert_null(fw_state_hit(udp(9), "OUT"));
	assert_ptr_equal(fw_state_hit(udp(9), "IN"), in);
	assert_ptr_equal(fw_state_hit(udp(9), "any"), in);
	add(plain, udp(9));
	add(out, udp(9));
	assert_int_equal(fw_state_count(), 3);
	assert_ptr_equal(fw_state_hit(udp(9), ""), plain);
	assert_ptr_equal(fw_state_hit(udp(9), "a_name_of_15_ch"), out);
	fw_state_forget(plain);
	fw_state_forget(in);
	assert_ptr_equal(fw_state_hit(udp(9), "any"), out);
	end(out);
	fw_rule_rele(plain);
	fw_rule_rele(in);
}

static void
test_names_are_limited(void **state)
{
	struct fw_rule *r;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 257; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		r = state_rule(1, 0, 0, name);
		assert_int_equal(fw_state_add(r, &r->insn[0], udp(9)), i < 256 ? 0 : -ENOSPC);
		fw_state_forget(r);
		fw_rule_rele(r);
	}
}

/* --- limits -------------------------------------------------------------------------------- */

static int
add_limited(struct fw_rule *r, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	return fw_state_add(r, &r->insn[0], flow_packet(&one, 17, src, sport, dst, dport));
}

static void
test_limit_counts_by_source_address(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR, 2, "");

	(void)state;
	assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), 0);
	assert_int_equal(add_limited(r, "10.0.0.2", 2, "192.0.2.2", 53), 0);
	assert_int_equal(add_limited(r, "10.0.0.2", 3, "192.0.2.3", 54), -EDQUOT);
	/* what is there already goes on */
	assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), 0);
	assert_int_equal(add_limited(r, "10.0.0.3", 3, "192.0.2.3", 54), 0);
	assert_int_equal(fw_state_count(), 5); /* three flows, two parents */
	end(r);
}

static void
test_limit_counts_by_what_its_mask_says(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_DST_ADDR | FW_LIMIT_DST_PORT, 1, ""),
		       *port = state_rule(200, FW_LIMIT_SRC_PORT, 1, "other"),
		       *six = state_rule(300, FW_LIMIT_DST_ADDR, 1, "six");

	(void)state;
	assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), 0);
	assert_int_equal(add_limited(r, "10.0.0.3", 1, "192.0.2.1", 53), -EDQUOT);
	assert_int_equal(add_limited(r, "10.0.0.3", 1, "192.0.2.1", 54), 0);
	assert_int_equal(add_limited(r, "10.0.0.3", 1, "192.0.2.2", 53), 0);
	assert_int_equal(add_limited(port, "10.0.0.2", 1, "192.0.2.1", 53), 0);
	assert_int_equal(add_limited(port, "10.0.0.9", 1, "192.0.2.9", 59), -EDQUOT);
	assert_int_equal(add_limited(port, "10.0.0.9", 2, "192.0.2.9", 59), 0);
	assert_int_equal(add_limited(six, "2001:db8::1", 1, "2001:db8::2", 2), 0);
	assert_int_equal(add_limited(six, "2001:db8::3", 1, "2001:db8::2", 3), -EDQUOT);
	assert_int_equal(add_limited(six, "2001:db8::3", 1, "2001:db8::4", 3), 0);
	fw_state_forget(r);
	fw_state_forget(port);
	end(six);
	fw_rule_rele(port);
	fw_rule_rele(r);
}

static void
test_limit_of_zero_drops_all(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR, 0, "");

	(void)state;
	assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), -EDQUOT);
	assert_int_equal(fw_state_count(), 0);
	end(r);
}

static void
test_limit_may_come_from_a_table(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR, 0, "");

	(void)state;
	r->insn[0].flags |= FW_TABLEARG;
	flow_packet(&one, 17, "10.0.0.2", 1, "192.0.2.1", 53)->tablearg = 1;
	assert_int_equal(fw_state_add(r, &r->insn[0], &one.p), 0);
	flow_packet(&one, 17, "10.0.0.2", 2, "192.0.2.1", 53)->tablearg = 1;
	assert_int_equal(fw_state_add(r, &r->insn[0], &one.p), -EDQUOT);
	end(r);
}

static void
test_flow_that_ended_makes_room_in_its_limit(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR, 1, "");

	(void)state;
	assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), 0);
	pass_s(9);
	assert_int_equal(add_limited(r, "10.0.0.2", 2, "192.0.2.1", 53), -EDQUOT);
	pass_s(2);
	assert_int_equal(fw_state_count(), 1); /* the parent is left, for dyn_short_lifetime */
	assert_int_equal(add_limited(r, "10.0.0.2", 2, "192.0.2.1", 53), 0);
	pass_s(11);
	assert_int_equal(fw_state_count(), 1);
	pass_s(6);
	assert_int_equal(fw_state_count(), 0);
	end(r);
}

static void
test_limit_says_so_once_a_second(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR, 0, "");

	(void)state;
	log_catch();
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), -EDQUOT);
	assert_int_equal(logged_lines, 1);
	assert_non_null(strstr(logged, "rule 100: too many entries"));
	pass_s(1);
	assert_int_equal(add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53), -EDQUOT);
	assert_int_equal(logged_lines, 2);
	log_set_sink(NULL, NULL);
	end(r);
}

/* --- bounds -------------------------------------------------------------------------------- */

static void
test_flood_stays_within_dyn_max_and_warns_once_a_second(void **state)
{
	struct fw_rule *r = keep_state(100);
	unsigned refused = 0;

	(void)state;
	log_catch();
	for (unsigned i = 0; i < 50000; i++) {
		int error = fw_state_add(r, &r->insn[0], udp((uint16_t)i));

		assert_true(error == 0 || error == -ENOSPC);
		refused += error != 0;
		assert_true(fw_state_count() <= 4096);
	}
	assert_int_equal(fw_state_count(), 4096);
	assert_int_equal(refused, 50000 - 4096);
	assert_int_equal(logged_lines, 1);
	assert_non_null(strstr(logged, "dyn_max"));
	/* who is in the table is not disturbed, and when they end there is room again */
	assert_ptr_equal(fw_state_hit(udp(17), ""), r);
	pass_s(11.1);
	assert_int_equal(fw_state_count(), 0);
	add(r, udp(1));
	log_set_sink(NULL, NULL);
	end(r);
}

static void
test_table_grows_with_its_states_and_goes_with_the_last(void **state)
{
	struct fw_rule *r = keep_state(100);
	const struct sysctl_oid *oid = sysctl_find("net.inet.ip.fw.curr_dyn_buckets");
	const uint64_t before = vnet_memory();
	char text[32];

	(void)state;
	command("sysctl net.inet.ip.fw.dyn_max=100000");
	command("sysctl net.inet.ip.fw.dyn_buckets=4");
	for (unsigned i = 0; i < 60000; i++)
		add(r, udp((uint16_t)i));
	assert_int_equal(sysctl_read(oid, text, sizeof(text)), 0);
	assert_string_equal(text, "60000");
	for (unsigned i = 0; i < 60000; i++)
		assert_ptr_equal(fw_state_hit(udp((uint16_t)i), ""), r);
	pass_s(12);
	assert_int_equal(fw_state_count(), 0);
	rcu_synchronize();
	assert_int_equal(vnet_memory(), before + 0 * sizeof(*r));
	assert_int_equal(sysctl_read(oid, text, sizeof(text)), 0);
	assert_string_equal(text, "4");
	end(r);
}

static void
test_no_memory_is_said_and_nothing_is_half_made(void **state)
{
	struct fw_rule *r = state_rule(100, FW_LIMIT_SRC_ADDR, 5, "");
	unsigned failed = 0;

	(void)state;
	for (unsigned n = 1; n < 10; n++) {
		vnet_malloc_fail_at(n);
		failed += add_limited(r, "10.0.0.2", 1, "192.0.2.1", 53) == -ENOMEM;
		vnet_malloc_fail_at(0);
		assert_int_equal(fw_state_count() % 2, 0);
		fw_state_forget(r);
		pass_s(2);
	}
	assert_true(failed >= 3);
	end(r);
}

static void
test_states_end_with_their_rule_only(void **state)
{
	struct fw_rule *r = keep_state(100), *other = state_rule(200, FW_LIMIT_SRC_ADDR, 100, "");

	(void)state;
	for (uint16_t i = 0; i < 50; i++) {
		add(r, udp(i));
		assert_int_equal(add_limited(other, "10.0.0.9", i, "192.0.2.1", 53), 0);
	}
	assert_int_equal(fw_state_count(), 101);
	fw_state_forget(r);
	assert_int_equal(fw_state_count(), 51);
	assert_null(fw_state_hit(udp(3), ""));
	assert_ptr_equal(
	    fw_state_hit(flow_packet(&one, 17, "10.0.0.9", 3, "192.0.2.1", 53), ""), other);
	end(other);
	fw_rule_rele(r);
}

static void
test_states_end_with_their_stack(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	command("jail -c name=j vnet persist");
	{
		VNET_SCOPE(vnet_of("j"));
		for (uint16_t i = 0; i < 50; i++)
			add(r, udp(i));
		assert_int_equal(fw_state_count(), 50);
	}
	assert_int_equal(fw_state_count(), 0);
	command("jail -r j");
	assert_int_equal(r->states, 0);
	fw_rule_rele(r);
}

/* A stack that is not asked for states allocates nothing. */
static void
test_hit_without_states_is_nothing(void **state)
{
	const uint64_t before = vnet_memory();

	(void)state;
	assert_null(fw_state_hit(udp(9), ""));
	assert_null(fw_state_hit(udp(9), "any"));
	fw_state_prefetch(udp(9), 1);
	assert_int_equal(vnet_memory(), before);
}

/* --- keepalives ---------------------------------------------------------------------------- */

struct tcp_hdr_seen {
	be16 sport, dport;
	be32 seq, ack;
	uint8_t off, flags;
};

/* The frames of lan: how many are keepalives to dst with these numbers? All must be sound. */
static unsigned
keepalives(const char *dst, uint32_t seq, uint32_t ack)
{
	unsigned n = 0;

	for (const struct mbuf *m = lan.sent.head; m != NULL; m = m->next) {
		const struct ip_hdr *ip = frame_ip(m);
		const struct tcp_hdr_seen *th = (const void *)(ip + 1);

		assert_int_equal(ip->proto, 6);
		assert_int_equal(from_be16(ip->len), 40);
		assert_int_equal(
		    cksum_fold(cksum_add(ip_pseudo_sum(ip->src, ip->dst, 6, 20), th, 20)), 0);
		assert_int_equal(th->flags, ACK);
		n += ip->dst == a4(dst) && from_be32(th->seq) == seq && from_be32(th->ack) == ack;
	}
	return n;
}

static void
test_keepalives_go_to_both_ends_every_5_seconds_before_the_end(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	command("route add 192.0.2.0/24 10.0.0.2");
	establish(r);
	pass_s(279);
	assert_int_equal(lan.sent.len, 0);
	pass_s(2);
	assert_int_equal(lan.sent.len, 2);
	/* one below what each has acknowledged */
	assert_int_equal(keepalives("10.0.0.2", 500, 101), 1);
	assert_int_equal(keepalives("192.0.2.1", 100, 501), 1);
	pass_s(25);
	assert_int_equal(lan.sent.len, 8);
	assert_int_equal(fw_state_count(), 0);
	end(r);
}

static void
test_answered_keepalives_hold_the_flow(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	establish(r);
	for (unsigned i = 0; i < 10; i++) {
		pass_s(282);
		assert_int_equal(fw_state_count(), 1);
		assert_ptr_equal(fw_state_hit(forth(ACK, 501), ""), r);
		memif_clear(&lan);
	}
	end(r);
}

static void
test_only_established_tcp_flows_are_kept_alive(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	command("route add 192.0.2.0/24 10.0.0.2");
	add(r, udp(9));
	add(r, syn());
	add(r, tcp_packet(&one, "10.0.0.2", 2, "192.0.2.1", 80, ACK, 5));
	pass_s(400);
	assert_int_equal(lan.sent.len, 0);
	command("sysctl net.inet.ip.fw.dyn_keepalive=0");
	establish(r);
	pass_s(400);
	assert_int_equal(lan.sent.len, 0);
	end(r);
}

static void
test_keepalive_passes_the_filter_unseen_and_asks_nobody_here(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	/* 10.0.0.1 is this stack's own */
	add(r, tcp_packet(&one, "10.0.0.2", 7, "10.0.0.1", 80, SYN, 0));
	assert_non_null(
	    fw_state_hit(tcp_packet(&one, "10.0.0.1", 80, "10.0.0.2", 7, SYN | ACK, 101), ""));
	assert_non_null(
	    fw_state_hit(tcp_packet(&one, "10.0.0.2", 7, "10.0.0.1", 80, ACK, 501), ""));
	pass_s(281);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(keepalives("10.0.0.2", 500, 101), 1);
	assert_true(lan.sent.head->flags & M_PASSED_PFIL);
	end(r);
}

static void
test_keepalives_of_ipv6(void **state)
{
	struct fw_rule *r = keep_state(100);

	(void)state;
	command("ifconfig mem0 inet6 2001:db8::1/64 no_dad");
	pass_s(3);
	memif_clear(&lan);
	add(r, tcp_packet(&one, "2001:db8::7", 7, "2001:db8::1", 80, SYN, 0));
	assert_non_null(fw_state_hit(
	    tcp_packet(&one, "2001:db8::1", 80, "2001:db8::7", 7, SYN | ACK, 101), ""));
	assert_non_null(
	    fw_state_hit(tcp_packet(&one, "2001:db8::7", 7, "2001:db8::1", 80, ACK, 501), ""));
	pass_s(281);
	/* it asks for the neighbour: the segment waits there */
	assert_true(lan.sent.len > 0);
	assert_int_equal(load16(lan.sent.head->data + 12), __builtin_bswap16(0x86dd));
	end(r);
}

/* --- through the stack --------------------------------------------------------------------- */

static void
test_stateful_router_lets_answers_in_and_lists_its_states(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	command_in("n2", "ipfw -q add 100 check-state");
	command_in("n2", "ipfw -q add 200 allow ip from 10.1.0.0/24 to any in keep-state");
	command_in("n2", "ipfw -q add 300 allow udp from 10.2.0.2 to any limit src-addr 1 :back");
	assert_int_not_equal(tool(&t, "n3", "ping -c 1 -t 1 10.1.0.1"), 0);
	assert_int_equal(tool(&t, "n1", "ping -c 2 10.2.0.2"), 0);
	assert_int_equal(tool(&t, "n2", "ipfw -d list"), 0);
	/* two requests and two answers, on their ways in and out */
	assert_non_null(strstr(t.out,
	    "## Dynamic rules (1):\n"
	    "00200 8 672 (5s) STATE icmp 10.1.0.1 "));
	assert_int_equal(tool(&t, "n2", "ipfw -D list"), 0);
	assert_ptr_equal(strstr(t.out, "## Dynamic rules (1):\n00200 8 672 "), t.out);
	assert_int_equal(tool(&t, "n2", "ipfw -D list 300"), 0);
	assert_string_equal(t.out, "## Dynamic rules (0):\n"); /* of other rules */
	assert_int_equal(tool(&t, "n2", "ipfw -d list 100,200-300"), 0);
	assert_non_null(strstr(t.out, "## Dynamic rules (1):\n00200 8 672 "));
	assert_int_equal(tool(&t, "n2", "ipfw -a list 200"), 0);
	assert_non_null(strstr(t.out, "00200 8 672 "));
	pass_s(7);
	assert_int_equal(tool(&t, "n3", "traceroute -n -q 1 -m 2 10.1.0.1"), 0);
	assert_int_equal(tool(&t, "n2", "ipfw -de list"), 0);
	assert_non_null(strstr(t.out, " PARENT 1 udp 10.2.0.2 0 <-> 0.0.0.0 0\n"));
	assert_non_null(strstr(t.out, " LIMIT udp 10.2.0.2 "));
	assert_non_null(strstr(t.out, " :back\n"));
	/* they live on when the set is disabled, and end with the rule */
	command_in("n2", "ipfw set disable 0");
	{
		VNET_SCOPE(vnet_of("n2"));
		assert_int_equal(fw_state_count(), 2);
	}
	command_in("n2", "ipfw delete 300");
	{
		VNET_SCOPE(vnet_of("n2"));
		assert_int_equal(fw_state_count(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_flow_is_found_in_both_directions),
		INET_TEST(test_flow_of_ipv6_is_found_in_both_directions),
		INET_TEST(test_echoes_of_other_identifiers_are_other_flows),
		INET_TEST(test_limit_of_echoes_counts_by_identifier_and_lets_go_of_it),
		INET_TEST(test_what_is_not_ip_makes_no_state),
		INET_TEST(test_flow_that_is_known_makes_no_second_state),
		INET_TEST(test_hit_counts_in_state_and_rule),
		INET_TEST(test_opening_tcp_flow_lives_20_seconds),
		INET_TEST(test_established_tcp_flow_lives_300_seconds),
		INET_TEST(test_closed_tcp_flow_lives_a_second),
		INET_TEST(test_reset_tcp_flow_lives_a_second),
		INET_TEST(test_udp_lives_10_seconds_and_others_5),
		INET_TEST(test_end_of_life_is_exact),
		INET_TEST(test_old_acknowledgement_does_not_prolong),
		INET_TEST(test_lifetimes_are_sysctls_with_bounds),
		INET_TEST(test_names_tell_states_apart_and_any_means_all),
		INET_TEST(test_names_are_limited),
		INET_TEST(test_limit_counts_by_source_address),
		INET_TEST(test_limit_counts_by_what_its_mask_says),
		INET_TEST(test_limit_of_zero_drops_all),
		INET_TEST(test_limit_may_come_from_a_table),
		INET_TEST(test_flow_that_ended_makes_room_in_its_limit),
		INET_TEST(test_limit_says_so_once_a_second),
		INET_TEST(test_flood_stays_within_dyn_max_and_warns_once_a_second),
		INET_TEST(test_table_grows_with_its_states_and_goes_with_the_last),
		INET_TEST(test_no_memory_is_said_and_nothing_is_half_made),
		INET_TEST(test_states_end_with_their_rule_only),
		INET_TEST(test_states_end_with_their_stack),
		INET_TEST(test_hit_without_states_is_nothing),
		INET_TEST(test_keepalives_go_to_both_ends_every_5_seconds_before_the_end),
		INET_TEST(test_answered_keepalives_hold_the_flow),
		INET_TEST(test_only_established_tcp_flows_are_kept_alive),
		INET_TEST(test_keepalive_passes_the_filter_unseen_and_asks_nobody_here),
		INET_TEST(test_keepalives_of_ipv6),
		INET_TEST(test_stateful_router_lets_answers_in_and_lists_its_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
