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
	struct rt_request rq;
	int family; /* 0 = not said */
};

/* What stands behind the keywords that need more than a flag. */
struct route_late {
	const char *ifa, *ifp;
	unsigned plen;
};

/* The words behind the command. 0 or an exit status. */
int route_words_parse(struct route_words *w, int argc, char **argv);
/* One keyword at argv[*at]; *at moves to its last word. 0 or an exit status. */
int route_keyword(struct route_words *w, int argc, char **argv, int *at, struct route_late *late);
void route_keyword_complete(void (*add)(void *ctx, const char *word), void *ctx);

/* `route monitor`: VERB_PENDING, or an exit status. */
int route_monitor(struct verb_run *v);

/* "255.255.255.0", "ffff:ffff::", "default"; a destination without its length. */
const char *route_mask_text(const struct rt_addr *a, char text[RT_ADDR_TEXT]);
const char *route_dst_text(const struct rt_addr *a, char text[RT_ADDR_TEXT]);

#endif
