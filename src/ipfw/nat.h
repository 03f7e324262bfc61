/*
 * nat.h - address translation: `nat N config`, and what it does to a packet.
 */
#ifndef WARREN_IPFW_NAT_H
#define WARREN_IPFW_NAT_H

#include "ipfw/packet.h"

struct fw_segment;
struct verb_run;
struct fw_options;

enum fw_nat_result {
	FW_NAT_OK /* translated, or left as it is */,
	FW_NAT_DROP,
	FW_NAT_NONE /* no such instance */
};
/* Number of `nat global`: whichever instance has a link for the packet. */
enum { FW_NAT_GLOBAL = 0 };

/*
 * Translate p->m, which is IPv4 and whose buffer becomes writable (p->m may be replaced; NULL: no
 * memory, freed). p is read anew by the caller.
 */
enum fw_nat_result fw_nat(uint32_t instance, struct fw_packet *p);
/*
 * The ends and numbers of a segment made here for a flow become those by which its receiver knows
 * it, whichever side of a NAT it was made for. Without a link it stays as it is.
 */
void fw_nat_segment(struct fw_segment *s);
/* `ipfw nat …`, words behind "nat". Exit status. */
int fw_nat_command(struct verb_run *v, const struct fw_options *o, int argc, char **argv);

#endif
