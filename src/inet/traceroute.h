/*
 * traceroute.h - what traceroute and traceroute6 share: one engine, and what differs by family.
 */
#ifndef WARREN_INET_TRACEROUTE_H
#define WARREN_INET_TRACEROUTE_H

#include "inet/icmp.h"
#include "inet/ipaddr.h"
#include "kern/verb.h"

enum { EXIT_TRACE = 1, TRACE_GATEWAYS_MAX = 8 };

struct trace;

/* A tool of the two. */
struct trace_tool {
	int af;
	const char *name, *opts;
	/* what the tool calls packet length: by default, and how much of it are headers */
	uint32_t len_udp, len_icmp, headers_udp, headers_icmp;
	uint32_t (*max_hops)(void);
	/* letters for the codes of "unreachable" */
	const char *const *mark;
	unsigned nmarks;
	/* Is it the host itself, which doesn't know the protocol? */
	bool (*is_no_protocol)(const struct icmp_hdr *icmp);
	/* Is the packet too big for a link, of which MTU? */
	bool (*is_too_big)(const struct icmp_hdr *icmp, uint32_t *mtu);
	bool source_shown; /* always, not with -s only */
	/* an option that the other tool doesn't have; exit status, 0 = go on */
	int (*option)(struct trace *t, int opt, const char *arg);
};

/* What was asked for. */
struct trace_words {
	const char *host, *source, *ifname; /* in v->argv */
	struct ipaddr src, dst, gateway[TRACE_GATEWAYS_MAX];
	uint32_t first_ttl, max_ttl, nprobes, port, len;
	uint64_t wait_ns, pause_ns;
	uint8_t tos, ngateways;
	bool icmp, numeric, both, summary, df, fixed_port, dont_route;
};

struct trace {
	struct verb_run *v;
	const struct trace_tool *tool;
	const struct ip_family *family;
	struct ip_raw raw;
	struct callout timer;
	struct udp_endpoint *ep; /* holds the port that UDP probes come from; NULL with -I */
	struct trace_words w;
	uint8_t options[4 * TRACE_GATEWAYS_MAX + 4]; /* IPv4: the source route */
	unsigned options_len;
	/* where we are */
	uint32_t ttl, probe; /* the next probe */
	uint16_t id, seq;    /* of the probe that is out */
	uint64_t sent_ns;
	bool waiting;         /* a probe is out */
	bool stepping, again; /* trace_next is running, and is wanted once more */
	bool line_open;
	/* of this line */
	struct ipaddr last_from;
	uint32_t unreachable, lost;
	bool got_there, any_from;
};

/* The run of a tool's verb. */
int trace_tool_run(struct verb_run *v, const struct trace_tool *tool);

/* For the words (traceroute_cmd.c): a trace in a stack starts; and ends with an exit status. */
void trace_start(struct trace *t);
void trace_end(struct trace *t, int status);
uint16_t trace_new_id(void);

#endif
