/*
 * fw_fixture.h - tests of states and NAT: rules and packets made by hand.
 */
#ifndef WARREN_TESTS_UNIT_FW_FIXTURE_H
#define WARREN_TESTS_UNIT_FW_FIXTURE_H

#include "inet_fixture.h"

#include "base/log.h"
#include "ipfw/packet.h"
#include "ipfw/rule.h"
#include "ipfw/state.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 0x10 };

/* A rule with one instruction that makes states; "" = the default name. */
static inline struct fw_rule *
state_rule(uint16_t number, unsigned mask, uint32_t max, const char *name)
{
	struct fw_rule *r = fw_rule_alloc(1);
	struct fw_limit *l = fw_rule_list(sizeof(*l));

	assert_non_null(r);
	assert_non_null(l);
	*l = (struct fw_limit){ .mask = (uint8_t)mask, .max = max };
	snprintf(l->name, sizeof(l->name), "%s", name);
	r->number = number;
	r->id = number;
	r->insn[0].op = mask != 0 ? FW_OP_LIMIT : FW_OP_KEEP_STATE;
	r->insn[0].u.limit = l;
	return r;
}

static inline struct fw_rule *
keep_state(uint16_t number)
{
	return state_rule(number, 0, 0, "");
}

/* A packet as fw_packet_read would say it; addresses of either family. Its TCP header is here. */
struct test_packet {
	struct fw_packet p;
	struct mbuf m;
	uint8_t tcp[20];
};

static inline struct fw_packet *
flow_packet(struct test_packet *t, uint8_t proto, const char *src, uint16_t sport, const char *dst,
    uint16_t dport)
{
	struct ipaddr a = addr_of(src), b = addr_of(dst);

	*t = (struct test_packet){ .p = { .ip = a.family == AF_INET ? 4 : 6,
				       .proto = proto,
				       .ip_len = 100,
				       .has_ports = proto == 6 || proto == 17,
				       .sport = sport,
				       .dport = dport } };
	if (a.family == AF_INET) {
		t->p.src = load32(a.b);
		t->p.dst = load32(b.b);
	} else {
		memcpy(&t->p.src6, a.b, 16);
		memcpy(&t->p.dst6, b.b, 16);
	}
	t->m.data = t->tcp;
	t->p.m = &t->m;
	return &t->p;
}

static inline struct fw_packet *
tcp_packet(struct test_packet *t, const char *src, uint16_t sport, const char *dst, uint16_t dport,
    uint8_t flags, uint32_t ack)
{
	const be32 number = to_be32(ack);

	flow_packet(t, 6, src, sport, dst, dport);
	t->p.has_tcp = true;
	t->p.tcp_flags = flags;
	memcpy(t->tcp + 8, &number, sizeof(number));
	return &t->p;
}

/* Lines that were logged. */
static char logged[4096];
static unsigned logged_lines;

static inline void
catch_log(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx;
	(void)level;
	(void)now_ns;
	(void)who;
	snprintf(logged, sizeof(logged), "%s", line);
	logged_lines++;
}

static inline void
log_catch(void)
{
	logged_lines = 0;
	log_set_sink(catch_log, NULL);
}

static inline void
pass_s(double seconds)
{
	sched_run(clock_now() + (uint64_t)(seconds * 1e9));
}

#endif
