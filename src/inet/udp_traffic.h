/*
 * udp_traffic.h - UDP traffic and its measurement: senders, echoes, sinks.
 *
 * A sender puts a header (magic, flow id, sequence number, time of sending) into each payload; a
 * sink reads it and measures: packets, bytes, losses, reordering, one-way delay percentiles. The
 * same is behind `udp send|echo|sink` and a lab's `traffic`.
 */
#ifndef WARREN_INET_UDP_TRAFFIC_H
#define WARREN_INET_UDP_TRAFFIC_H

#include "base/rng.h"
#include "inet/udp.h"

/* Histogram of times with 1/64 relative precision (HDR style), ns. Exact min, max, sum, n. */
struct delay_hist;
struct delay_hist *delay_hist_new(void);
void delay_hist_free(struct delay_hist *h);
void delay_hist_add(struct delay_hist *h, uint64_t ns);
/* q in 0..1: the value at that quantile (nearest rank). 0 when empty. */
uint64_t delay_hist_quantile(const struct delay_hist *h, double q);
uint64_t delay_hist_min(const struct delay_hist *h);
uint64_t delay_hist_max(const struct delay_hist *h);
double delay_hist_mean(const struct delay_hist *h);
uint64_t delay_hist_count(const struct delay_hist *h);
/* Forget all; and take over what another has seen. */
void delay_hist_clear(struct delay_hist *h);
void delay_hist_merge(struct delay_hist *h, const struct delay_hist *other);

enum udp_pattern { UDP_CONSTANT, UDP_POISSON };
struct udp_flow_config {
	struct ipaddr src; /* no family, or any = by route */
	struct ipaddr dst;
	uint16_t sport, dport; /* sport 0 = ephemeral */
	uint32_t flows;        /* spread over this many source ports, round robin; >= 1 */
	/* of the payload plus IP and UDP headers (goodput counts payload + 28 or 48 bytes at IP) */
	uint64_t rate_bps;
	uint32_t size; /* UDP payload bytes, at least UDP_TRAFFIC_MIN */
	enum udp_pattern pattern;
	uint64_t start_ns, stop_ns; /* absolute; stop NS_NEVER */
	uint64_t count;             /* 0 = no limit */
	uint8_t tos, ttl;
	uint8_t fib;
	struct ifnet *mcast_ifp; /* to a group: out by this one; NULL = by route */
	bool no_loop;            /* to a group: members of this stack get no copy */
	const char *name;        /* names the random stream */
};
enum { UDP_TRAFFIC_MIN = 24 };

struct udp_sender;
struct udp_sink;

/*
 * A sender in curvnet, running by itself through sched (its source lies in the stack's domain).
 * NULL with errno.
 */
struct udp_sender *udp_sender_new(const struct udp_flow_config *c);
void udp_sender_free(struct udp_sender *s);
/* fn is called once, in the sender's last event, when all is sent; it may free the sender. */
void udp_sender_on_end(struct udp_sender *s, void (*fn)(void *ctx), void *ctx);
void udp_sender_stats(
    const struct udp_sender *s, uint64_t *packets, uint64_t *bytes, uint64_t *errors);

/*
 * A sink in curvnet on addr (any of its family; a group is joined) and port; counts each flow by
 * the sender's id. NULL with errno.
 */
struct udp_sink *udp_sink_new(const struct ipaddr *addr, uint16_t port, bool echo);
/* On a group, joined on ifp (NULL = by route), from n sources (0 = from all). */
struct udp_sink *udp_sink_new_member(const struct ipaddr *group, uint16_t port, bool echo,
    struct ifnet *ifp, const struct ipaddr *sources, unsigned n);
void udp_sink_free(struct udp_sink *s);
struct udp_sink_stats {
	uint64_t packets, bytes /* payload */, ip_bytes, lost, reordered, duplicated, first_ns,
	    last_ns;
	const struct delay_hist *delay;
};
void udp_sink_stats(const struct udp_sink *s, struct udp_sink_stats *st);
/*
 * Bytes at IP received in [from_ns, to_ns): kept in bins of 100 ms, for rates over a part of the
 * run.
 */
uint64_t udp_sink_bytes_between(const struct udp_sink *s, uint64_t from_ns, uint64_t to_ns);

#endif
