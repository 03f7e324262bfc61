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
 * A fragment that the instance can't translate as long as the first one hasn't come: it is to be given
 * to fw_nat_wait, which takes p->m with its tag. It comes back by fw_reinject, or never.
 */
bool fw_nat_must_wait(uint32_t instance, const struct fw_packet *p);
void fw_nat_wait(uint32_t instance, const struct fw_packet *p);
/* A first one has been translated: when it has gone on, those that waited for it are to go. */
bool fw_nat_has_ripe(void);
void fw_nat_release(void);
/*
 * The ends and numbers of a segment made here for a flow become those by which its receiver knows
 * it, whichever side of a NAT it was made for. Without a link it stays as it is.
 */
void fw_nat_segment(struct fw_segment *s);
/* `ipfw nat …`, words behind "nat". Exit status. */
int fw_nat_command(struct verb_run *v, const struct fw_options *o, int argc, char **argv);

#endif
