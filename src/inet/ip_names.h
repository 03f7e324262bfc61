/*
 * ip_names.h - protocols above IP by name. The table is the program's own: a rule, a listing mean the
 * same on every machine, whatever its /etc/protocols says. "ip", "ip4" and "ip6" are none.
 */
#ifndef WARREN_INET_IP_NAMES_H
#define WARREN_INET_IP_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* NULL: it has none. */
const char *ip_protocol_name(uint32_t proto);
/* False: no such name. */
bool ip_protocol_find(const char *name, uint8_t *proto);

#endif
