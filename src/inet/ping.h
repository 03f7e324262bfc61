/*
 * ping.h - the engine behind the verbs `ping` and `ping6` and a lab's ping traffic, for both
 * families.
 */
#ifndef WARREN_INET_PING_H
#define WARREN_INET_PING_H

#include "inet/udp_traffic.h"

enum ping_kind { PING_ECHO, PING_TIMESTAMP, PING_MASK /* both of IPv4 only */ };
struct ping_config {
	struct ipaddr src, dst; /* src without a family, or any = by route */
	struct ifnet *ifp;      /* out by this one, which gives dst its zone; NULL = by route */
	enum ping_kind kind;
	uint64_t count; /* 0 = until ping_free */
	uint64_t interval_ns;
	uint64_t wait_ns;  /* for a reply */
	uint64_t start_ns; /* absolute */
	uint64_t stop_ns;  /* no request at or after; NS_NEVER */
	uint32_t size;     /* data bytes, default 56 */
	uint8_t ttl, tos, fib;
	bool df;
	const uint8_t *pattern;
	unsigned pattern_len;
	/* what only the tool ping wants: zero for others */
	uint32_t preload; /* requests that go out at once at the start */
	bool flood;       /* interval_ns, or as soon as a reply comes */
	/* once a reply came, wait for the last one twice the longest rtt, at least 1 s */
	bool short_wait;
	bool record_route; /* IPv4 only */
	bool dont_route;
	bool no_loop;       /* groups: this stack is not asked */
	bool stop_at_first; /* done with the first reply */
	/* sweep_each requests of a size, which grows by step to max; 0 = no sweep */
	uint32_t sweep_max, sweep_step, sweep_each;
};
struct ping;
struct ping_reply {
	struct ipaddr from, to;
	uint16_t seq;
	uint8_t ttl;
	uint32_t bytes;
	uint64_t rtt_ns;
	bool dup;
	uint8_t icmp_type, icmp_code;
	bool is_error;        /* an ICMP error about a request, no reply */
	const struct mbuf *m; /* borrowed, at its IP header */
	unsigned hlen;        /* bytes before its ICMP header */
	bool late, timed;     /* after wait_ns: not counted; rtt_ns is known */
};
/*
 * on_reply (may be NULL) for each answer, on_done (may be NULL) once when all is answered or waited
 * for; ping_free is allowed in on_done. In curvnet. NULL with errno.
 */
struct ping *ping_new(const struct ping_config *c,
    void (*on_reply)(void *ctx, const struct ping_reply *r), void (*on_done)(void *ctx), void *ctx);
void ping_free(struct ping *p);
/* err: a request could not be sent (positive errno). sent (may be NULL): one was. */
void ping_on_send(
    struct ping *p, void (*sent)(void *ctx, uint16_t seq), void (*failed)(void *ctx, int err));
struct ping_stats {
	uint64_t sent, received, duplicates, errors, late;
	uint64_t send_errors;
	double rtt_mean_ns, rtt_stddev_ns;
	const struct delay_hist *rtt;
};
void ping_stats(const struct ping *p, struct ping_stats *st);

#endif
