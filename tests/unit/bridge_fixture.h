/*
 * bridge_fixture.h - tests of bridges: a bridge0 of interfaces in memory, whose frames are told by
 * their first byte of payload.
 */
#ifndef WARREN_TESTS_UNIT_BRIDGE_FIXTURE_H
#define WARREN_TESTS_UNIT_BRIDGE_FIXTURE_H

#include "net_fixture.h"

#include "base/log.h"
#include "net/if_bridge.h"

enum { PORTS = 4 };

/* mem0 … mem3: what each has sent. */
static struct port {
	struct ifnet *ifp;
	struct mbufq sent;
} ports[PORTS];
static struct ifnet *bridge0;

static void
port_transmit(struct ifnet *ifp, struct batch *b)
{
	struct port *p = ifp->if_softc;

	batch_foreach(b, m)
		mbufq_push(&p->sent, m);
	b->n = 0;
}

static void
port_open(unsigned i)
{
	const uint8_t lladdr[6] = { 2, 0, 0, 0, 1, (uint8_t)(i + 1) };
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", (int)i);

	mbufq_init(&ports[i].sent);
	ports[i].ifp = ifp;
	ifp->if_softc = &ports[i];
	ifp->if_transmit = port_transmit;
	assert_int_equal(ether_attach(ifp, lladdr), 0);
	assert_int_equal(if_up(ifp), 0);
}

static void
port_close(unsigned i)
{
	mbufq_drain(&ports[i].sent);
	if (ports[i].ifp == NULL)
		return;
	if_detach(ports[i].ifp);
	if_free(ports[i].ifp);
	ports[i].ifp = NULL;
}

static void
run(const char *line)
{
	expect_line(line, 0, NULL, "");
}

/* bridge0 up, with mem0 to mem3 as members. */
static int
bridge_setup(void **state)
{
	net_setup(state);
	for (unsigned i = 0; i < PORTS; i++)
		port_open(i);
	run("ifconfig bridge0 create addm mem0 addm mem1 addm mem2 addm mem3 up");
	bridge0 = if_byname("bridge0");
	assert_non_null(bridge0);
	return 0;
}

static int
bridge_teardown(void **state)
{
	for (unsigned i = 0; i < PORTS; i++)
		port_close(i);
	if (if_byname("bridge0") != NULL)
		run("ifconfig bridge0 destroy");
	return net_teardown(state);
}

#define BRIDGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, bridge_setup, bridge_teardown)

/* Station n's address. */
static const uint8_t *
station(unsigned n)
{
	static uint8_t lladdr[4][6];
	static unsigned turn;
	uint8_t *a = lladdr[turn++ % 4];

	memcpy(a, (const uint8_t[6]){ 0x06, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n }, 6);
	return a;
}

static void
receive(struct ifnet *ifp, struct mbuf **m, uint32_t n)
{
	struct batch b = { .n = n };

	for (uint32_t i = 0; i < n; i++) {
		b.m[i] = m[i];
		m[i]->when_ns = clock_now();
	}
	if_receive(ifp, &b);
	assert_int_equal(b.n, 0);
}

/* One frame by a port; `first` names it. */
static void
comes(unsigned port, const uint8_t *dst, const uint8_t *src, uint8_t first)
{
	struct mbuf *m = frame(dst, src, ETHERTYPE_IP_, first, 46);

	receive(ports[port].ifp, &m, 1);
}

/* What a port has sent: the names of the frames, one byte each, forgotten then. */
static const char *
sent(unsigned port)
{
	static char names[PORTS][256];
	struct mbuf *m;
	unsigned n = 0;

	while ((m = mbufq_pop(&ports[port].sent)) != NULL) {
		names[port][n++] = (char)m->data[ETHER_HDR_LEN_];
		m_free(m);
	}
	names[port][n] = '\0';
	return names[port];
}

static void
expect_sent(const char *p0, const char *p1, const char *p2, const char *p3)
{
	assert_string_equal(sent(0), p0);
	assert_string_equal(sent(1), p1);
	assert_string_equal(sent(2), p2);
	assert_string_equal(sent(3), p3);
}

__attribute__((unused)) static uint64_t
drops(const char *dotted)
{
	const struct drop_reason *why = drop_find(dotted);

	assert_non_null(why);
	return drop_get(curvnet, why);
}

/* The last line that was logged. */
static char logged[512];

__attribute__((unused)) static void
catch_log(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who;
	snprintf(logged, sizeof(logged), "%s", line);
}

#endif
