/*
 * inet_fixture.h - tests of IPv4's floor: one stack with an interface in memory, or a chain of
 * stacks.
 */
#ifndef WARREN_TESTS_UNIT_INET_FIXTURE_H
#define WARREN_TESTS_UNIT_INET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rcu.h"
#include "base/sched.h"
#include "inet/arp.h"
#include "inet/icmp.h"
#include "inet/udp.h"
#include "kern/sysctl.h"
#include "kern/drop.h"
#include "kern/jail.h"
#include "kern/netisr.h"
#include "kern/verb.h"
#include "memif.h"

#include <errno.h>

static struct memif lan; /* 10.0.0.1/24 of the host; 10.0.0.2 is a known neighbour */
static struct audit_counts inet_before;

static inline uint32_t
a4(const char *text)
{
	uint32_t addr = 0;

	assert_true(in_aton(text, &addr));
	return addr;
}

/* The same for an address of either family; NULL is IPv4's any. */
static inline struct ipaddr
addr_of(const char *text)
{
	struct ipaddr a = { .family = AF_INET };

	assert_true(text == NULL || ipaddr_aton(text, AF_UNSPEC, &a));
	return a;
}

static inline void
command_in(const char *jail, const char *line)
{
	struct prison *pr = jail != NULL ? prison_find(&prison0, jail) : NULL;
	char *out = NULL, *err = NULL;
	int status;

	assert_true(jail == NULL || pr != NULL);
	status = verb_line(pr, line, false, &out, &err);
	if (status != 0)
		print_error("%s: %s", line, err != NULL ? err : "");
	assert_int_equal(status, 0);
	free(out);
	free(err);
}

static inline void
command(const char *line)
{
	command_in(NULL, line);
}

/* A neighbour that needs no asking. */
static inline void
neighbour(struct memif *mi, const char *addr)
{
	struct llentry *lle = arp_entry(mi->ifp, a4(addr));

	assert_non_null(lle);
	lle_timer(lle, 0, NULL);
	lle->flags |= LLE_STATIC;
	lle_resolve(lle, (const uint8_t[6]){ 2, 0, 0, 0, 9, 9 });
}

/*
 * On the floors above inet6 an interface says of itself what IPv6 wants said: not in tests of IPv4.
 * Those of IPv6 define INET6_TESTS.
 */
static inline void
inet6_quiet(void)
{
#ifdef INET6_TESTS
	const bool quiet = false;
#else
	const bool quiet = true;
#endif
	const struct sysctl_oid *oid = sysctl_find("net.inet6.ip6.auto_linklocal");
	char reason[64];

	if (quiet && oid != NULL)
		assert_int_equal(sysctl_write(oid, "0", reason, sizeof(reason)), 0);
}

static inline int
inet_setup(void **state)
{
	(void)state;
	if (worker_attach(0, CLOCK_VIRTUAL) == NULL)
		return -1;
	audit_take(&inet_before);
	kern_init();
	curvnet = vnet0;
	inet6_quiet();
	memif_open(&lan, 0);
	command("ifconfig mem0 inet 10.0.0.1/24");
	neighbour(&lan, "10.0.0.2");
	memif_clear(&lan); /* gratuitous ARP */
	return 0;
}

static inline int
inet_teardown(void **state)
{
	char text[256];
	int differ;

	(void)state;
	command("jail -r all");
	while (netisr_run())
		continue;
	memif_close(&lan);
	rcu_synchronize();
	curvnet = NULL;
	/* A stack keeps a hash or a table until its end: so the count is taken behind it. */
	kern_fini();
	rcu_synchronize();
	differ = audit_compare(&inet_before, text, sizeof(text));
	if (differ != 0)
		print_error("left behind: %s\n", text);
	worker_detach();
	return differ;
}

#define INET_TEST(fn) cmocka_unit_test_setup_teardown(fn, inet_setup, inet_teardown)

static inline uint64_t
drops(const char *dotted)
{
	const struct drop_reason *why = drop_find(dotted);

	assert_non_null(why);
	return drop_get(curvnet, why);
}

/* A packet at its IP header, as if it had come by the interface: payload bytes count up. */
static inline struct mbuf *
packet(uint32_t src, uint32_t dst, uint8_t proto, uint32_t payload)
{
	struct mbuf *m = m_get(20 + payload);
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	*ip = (struct ip_hdr){ .vhl = 0x45,
		.len = to_be16((uint16_t)m->len),
		.id = to_be16(77),
		.ttl = 64,
		.proto = proto,
		.src = src,
		.dst = dst };
	for (uint32_t i = 0; i < payload; i++)
		m->data[20 + i] = (uint8_t)(i * 7 + (i >> 8));
	ip->sum = ip_cksum(ip);
	m->rcvif = lan.ifp;
	return m;
}

static inline void
resum(struct mbuf *m)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	ip->len = to_be16((uint16_t)m->len);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
}

/* The last frame that lan has sent; fails if there were not `n` of them. */
static inline struct mbuf *
sent_one_of(uint32_t n)
{
	struct mbuf *m = lan.sent.head;

	assert_int_equal(lan.sent.len, n);
	while (m->next != NULL)
		m = m->next;
	return m;
}

static inline struct icmp_hdr *
frame_icmp(const struct mbuf *m)
{
	struct ip_hdr *ip = frame_ip(m);

	assert_int_equal(ip->proto, IPPROTO_ICMP_);
	assert_int_equal(ip_cksum(ip), 0);
	assert_int_equal(
	    cksum_fold(cksum_add(0, (uint8_t *)ip + ip_hlen(ip), from_be16(ip->len) - ip_hlen(ip))),
	    0);
	return (struct icmp_hdr *)(void *)((uint8_t *)ip + ip_hlen(ip));
}

/* --- tools that stay ----------------------------------------------------- */

struct tool {
	struct verb_run *run;
	char out[65536], err[4096];
	size_t out_len, err_len;
	int status;
	bool done;
};

static inline void
tool_append(char *text, size_t *len, size_t room, const char *bytes, size_t n)
{
	if (*len + n >= room)
		n = room - 1 - *len;
	memcpy(text + *len, bytes, n);
	*len += n;
	text[*len] = '\0';
}

static inline void
tool_out(void *ctx, const char *bytes, size_t len)
{
	struct tool *t = ctx;

	tool_append(t->out, &t->out_len, sizeof(t->out), bytes, len);
}

static inline void
tool_err(void *ctx, const char *bytes, size_t len)
{
	struct tool *t = ctx;

	tool_append(t->err, &t->err_len, sizeof(t->err), bytes, len);
}

static inline void
tool_done(void *ctx, int status)
{
	struct tool *t = ctx;

	t->status = status;
	t->done = true;
}

static inline void
tool_start(struct tool *t, const char *jail, const char *line, bool json)
{
	struct verb_io io = {
		.out = tool_out, .err = tool_err, .done = tool_done, .ctx = t, .json = json
	};
	const char *why;
	char **argv;
	int argc;

	*t = (struct tool){ 0 };
	assert_int_equal(verb_split(line, &argc, &argv, &why), 0);
	t->run = verb_exec(argc, argv, jail != NULL ? prison_find(&prison0, jail) : NULL, 0, &io);
	verb_split_free(argc, argv);
}

/* Let time pass until the tool has ended; at most an hour. */
static inline void
tool_wait(struct tool *t)
{
	uint64_t until = clock_now() + 3600 * NS_PER_SEC;

	while (!t->done && clock_now() < until)
		sched_run(clock_now() + NS_PER_MS);
	assert_true(t->done);
}

static inline int
tool(struct tool *t, const char *jail, const char *line)
{
	tool_start(t, jail, line, false);
	tool_wait(t);
	return t->status;
}

/* --- a chain of stacks --------------------------------------------------- */

/*
 * Jails n1 … nN, linked by epairs: between nK and nK+1 lies 10.K.0.0/24 with 10.K.0.1 at nK and
 * 10.K.0.2 at nK+1. All but the ends forward; everybody knows the way.
 */
static inline void
chain(unsigned n)
{
	char line[160], jail[16], next[16];

	for (unsigned k = 1; k <= n; k++) {
		snprintf(line, sizeof(line), "jail -c name=n%u vnet persist", k);
		command(line);
	}
	for (unsigned k = 1; k < n; k++) {
		snprintf(jail, sizeof(jail), "n%u", k);
		snprintf(next, sizeof(next), "n%u", k + 1);
		snprintf(line, sizeof(line), "ifconfig epair%u create", k);
		command(line);
		snprintf(line, sizeof(line), "ifconfig epair%ua vnet %s", k, jail);
		command(line);
		snprintf(line, sizeof(line), "ifconfig epair%ub vnet %s", k, next);
		command(line);
		snprintf(line, sizeof(line), "ifconfig epair%ua inet 10.%u.0.1/24 up", k, k);
		command_in(jail, line);
		snprintf(line, sizeof(line), "ifconfig epair%ub inet 10.%u.0.2/24 up", k, k);
		command_in(next, line);
	}
	for (unsigned k = 1; k <= n; k++) {
		snprintf(jail, sizeof(jail), "n%u", k);
		if (k > 1 && k < n)
			command_in(jail, "sysctl net.inet.ip.forwarding=1");
		for (unsigned to = 1; to < n; to++) {
			if (to == k || to + 1 == k)
				continue;
			if (to > k)
				snprintf(
				    line, sizeof(line), "route add 10.%u.0.0/24 10.%u.0.2", to, k);
			else
				snprintf(line, sizeof(line), "route add 10.%u.0.0/24 10.%u.0.1", to,
				    k - 1);
			command_in(jail, line);
		}
	}
	sched_run(clock_now() + NS_PER_SEC);
}

static inline struct vnet *
vnet_of(const char *jail)
{
	struct prison *pr = prison_find(&prison0, jail);

	assert_non_null(pr);
	return pr->vnet;
}

#endif
