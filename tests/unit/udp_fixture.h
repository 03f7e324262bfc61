/*
 * udp_fixture.h - an endpoint of UDP that notes what it has received, for either family; behind
 * inet_fixture.h or inet6_fixture.h.
 */
#ifndef WARREN_TESTS_UNIT_UDP_FIXTURE_H
#define WARREN_TESTS_UNIT_UDP_FIXTURE_H

#include "inet_fixture.h"

#include "inet/udp.h"

/* What an endpoint has received: how often, and the last datagram. */
struct got {
	struct udp_endpoint *ep;
	uint32_t n, len;
	struct ipaddr from, to;
	uint16_t port;
	uint8_t ttl;
	uint8_t first; /* byte */
	int error;
	bool close; /* when one has come */
};

static inline void
got_recv(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	struct got *g = ctx;

	g->n++;
	g->len = m->len;
	g->first = m->len > 0 ? m->data[0] : 0;
	g->from = info->src;
	g->to = info->dst;
	g->ttl = info->ttl;
	g->port = from_port;
	m_free(m);
	if (g->close) {
		udp_close(g->ep);
		g->ep = NULL;
	}
}

static inline void
got_error(void *ctx, int err)
{
	((struct got *)ctx)->error = err;
}

static inline struct udp_endpoint *
open_at(struct got *g, const char *addr, uint16_t port)
{
	const struct ipaddr a = addr_of(addr);

	*g = (struct got){ 0 };
	return g->ep = udp_open(&a, port, got_recv, g);
}

static inline int
connect_to(struct got *g, const char *addr, uint16_t port)
{
	const struct ipaddr a = addr_of(addr);

	return udp_connect(g->ep, &a, port, got_error);
}

/* Takes m. */
static inline int
send_to(struct got *g, struct mbuf *m, const char *addr, uint16_t port)
{
	const struct ipaddr a = addr_of(addr);

	return udp_send(g->ep, m, &a, port);
}

#endif
