/*
 * route_cmd.h - what the files of the tool `route` share.
 */
#ifndef WARREN_ROUTE_ROUTE_CMD_H
#define WARREN_ROUTE_ROUTE_CMD_H

#include "route/route.h"

/* A command's words, read before anything is changed (route_words.c). */
struct route_words {
	struct verb_run *v;
	const char *command; /* "add" … */
	bool numeric, quiet, verbose, test;
	bool force_host, force_net, interface;
	const char *dst, *gw; /* as typed; dst without its "/len" */
	char dst_text[RT_ADDR_TEXT];
	bool is_host, has_mask;
	uint8_t mask[16]; /* rq.mask points here: one that is no prefix */
	struct rt_request rq;
	int family;        /* 0 = not said */
	const char *where; /* "FILE:3: " of a line of a file, else "" */
	/* get: of which flow; family 0, 0: not said */
	struct rt_addr flow_src;
	uint8_t flow_proto;
	uint16_t flow_sport, flow_dport;
};

/* What stands behind the keywords that need more than a flag. */
struct route_late {
	const char *ifa, *ifp, *src;
	unsigned plen;
	int mask_family; /* of a mask in address form; 0: a length */
	bool has_gaps;   /* of which the mask is no prefix */
};

/* The words behind the command. 0 or an exit status. */
int route_words_parse(struct route_words *w, int argc, char **argv);
/* One keyword at argv[*at]; *at moves to its last word. 0 or an exit status. */
int route_keyword(struct route_words *w, int argc, char **argv, int *at, struct route_late *late);
void route_keyword_complete(void (*add)(void *ctx, const char *word), void *ctx);

/* What is wrong with the words, with the usage behind it; in a file with its place. */
int route_usage(struct route_words *w, const char *why);

/* The words behind `get`: an exit status. */
int route_get(struct route_words *w, int argc, char **argv);
/* `route monitor`: VERB_PENDING, or an exit status. */
int route_monitor(struct verb_run *v);

/* An address without its length, "default". */
const char *route_addr_text(const struct rt_addr *a, char text[RT_ADDR_TEXT]);
/* A route's destination without its length, and its mask: "255.255.255.0", "ffff:ffff::", "default". */
const char *route_dst_text(const struct rtentry *rt, char text[RT_ADDR_TEXT]);
const char *route_mask_text(const struct rtentry *rt, char text[RT_ADDR_TEXT]);

#endif
