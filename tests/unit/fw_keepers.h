/*
 * fw_keepers.h - tests of packets that leave the rules: outlets that keep what they are given, or
 * give it back at once.
 */
#ifndef WARREN_TESTS_UNIT_FW_KEEPERS_H
#define WARREN_TESTS_UNIT_FW_KEEPERS_H

#include "fw_packets.h"

/* Outlets that keep what they get, or give it back at once. */
static struct mbufq kept;
static unsigned copies_kept;
static bool at_once;
static uint32_t last_number;

static void
keep(struct mbuf *m, uint32_t number)
{
	assert_null(m->rcvif); /* whatever it came by may go */
	last_number = number;
	if (at_once)
		fw_reinject(m);
	else
		mbufq_push(&kept, m);
}

static void
keep_pipe(struct mbuf *m, struct fw_tag *tag, uint32_t number, bool queue)
{
	assert_int_equal(tag->kind, queue ? FW_ACT_QUEUE : FW_ACT_PIPE);
	keep(m, number);
}

static void
keep_copy_or(struct mbuf *m, uint32_t number, bool tee)
{
	copies_kept += tee;
	if (tee)
		mbufq_push(&kept, m);
	else
		keep(m, number);
}

static void
keep_divert(struct mbuf *m, struct fw_tag *tag, uint16_t port, bool tee)
{
	assert_int_equal(tag->kind, tee ? FW_ACT_TEE : FW_ACT_DIVERT);
	keep_copy_or(m, port, tee);
}

static void
keep_netgraph(struct mbuf *m, struct fw_tag *tag, uint32_t cookie, bool tee)
{
	assert_int_equal(tag->kind, tee ? FW_ACT_NGTEE : FW_ACT_NETGRAPH);
	keep_copy_or(m, cookie, tee);
}

static void
keep_auth(struct mbuf *m, struct fw_tag *tag)
{
	assert_int_equal(tag->kind, FW_ACT_AUTH);
	keep(m, 0);
}

static const struct fw_outlets keepers = {
	.dummynet = keep_pipe,
	.divert = keep_divert,
	.netgraph = keep_netgraph,
	.auth = keep_auth,
};

/* Where there is no NAT: instance 7 translates nothing. */
__attribute__((weak)) enum fw_nat_result
fw_nat(uint32_t instance, struct fw_packet *p)
{
	(void)p;
	return instance == 7 ? FW_NAT_OK : FW_NAT_NONE;
}

static int
outlets_setup(void **state)
{
	fw_outlets = keepers;
	mbufq_init(&kept);
	copies_kept = 0;
	at_once = false;
	return inet6_setup(state);
}

static int
outlets_teardown(void **state)
{
	mbufq_drain(&kept);
	fw_outlets = (struct fw_outlets){ 0 };
	return inet6_teardown(state);
}
#define OUTLET_TEST(fn) cmocka_unit_test_setup_teardown(fn, outlets_setup, outlets_teardown)

static void
give_back_one(void)
{
	fw_reinject(mbufq_pop(&kept));
	while (netisr_run())
		continue;
}

static void
give_back(void)
{
	struct mbuf *m;

	while ((m = mbufq_pop(&kept)) != NULL)
		fw_reinject(m);
	while (netisr_run())
		continue;
}

#endif
