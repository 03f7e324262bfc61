/*
 * ping_cmd.h - what the tools ping and ping6 share: one run of them, its options, and how each
 * family's answers are written down.
 */
#ifndef WARREN_INET_PING_CMD_H
#define WARREN_INET_PING_CMD_H

#include "inet/ping.h"
#include "kern/verb.h"

struct ping_lines;

struct ping_cmd {
	struct verb_run *v;
	struct ping *ping;
	struct ping_config c;
	const struct ping_lines *lines;
	struct callout timeout;
	/* words, in v->argv; NULL = not given */
	const char *host, *source, *ifname;
	int family;          /* asked for, or AF_UNSPEC */
	struct ipaddr shown; /* the source that the first line shows */
	bool audible, missed_audible, quiet, quieter, dots, verbose, names;
	bool size_given, interval_given, mcast_ttl_given;
	uint64_t timeout_ns, missed_max;
	uint8_t pattern[16];
	uint8_t route[40]; /* -R: the route of the reply before */
	unsigned route_len;
};

/* What a family's ping says. The text is that of FreeBSD's ping and ping6. */
struct ping_lines {
	int af;
	uint32_t size; /* of the data, if nobody says */
	void (*head)(struct ping_cmd *c);
	void (*reply)(struct ping_cmd *c, const struct ping_reply *r);
	void (*error)(struct ping_cmd *c, const struct ping_reply *r);
	const char *tool, *stddev; /* of the statistics */
};
#define PING_LINES_DEFINE(ident, ...)                                                              \
	static const struct ping_lines ping_lines_of_##ident = { __VA_ARGS__ };                    \
	LINKERSET_ADD(ping_lines, ping_lines_of_##ident)

/* A run with nothing asked for yet; NULL without memory. Freed by ping_cmd_start or free(). */
struct ping_cmd *ping_cmd_new(struct verb_run *v);
/* An option that both tools have, in the letters of ping. Exit status, 0 = go on. */
int ping_cmd_option(struct ping_cmd *c, int opt, const char *arg);
/* All options are known: look for the host, at rights, go. Takes c. VERB_PENDING or a status. */
int ping_cmd_start(struct ping_cmd *c, const char *host);

/* Does the reply carry what was sent? Says where not. data: behind all headers. */
void ping_print_difference(struct ping_cmd *c, const uint8_t *data, uint32_t len);

#endif
