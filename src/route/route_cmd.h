/*
 * route_cmd.h - what the files of the tool `route` share.
 */
#ifndef WARREN_ROUTE_ROUTE_CMD_H
#define WARREN_ROUTE_ROUTE_CMD_H

#include "route/route.h"

/* `route monitor`: VERB_PENDING, or an exit status. */
int route_monitor(struct verb_run *v);

/* "255.255.255.0", "default"; a destination without its length. */
const char *route_mask_text(const struct rt_addr *a, char *text, size_t len);
const char *route_dst_text(const struct rt_addr *a, char *text, size_t len);

#endif
