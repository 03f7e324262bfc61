/*
 * mark.h - the numbers that rules put on a packet (`tag 5`) and look for (`tagged 5`).
 *
 * A packet has any number of them, and loses them when it leaves the stack: M_FWTAGS says that they
 * are this stack's, and no flag of a packet survives a link.
 */
#ifndef WARREN_IPFW_MARK_H
#define WARREN_IPFW_MARK_H

#include "ipfw/rule.h"

struct mbuf;

/* False without memory. A number that is there already is not put there twice. */
bool fw_mark_add(struct mbuf *m, uint16_t number);
void fw_mark_delete(struct mbuf *m, uint16_t number);
/* Is there one in any of the n ranges? */
bool fw_mark_find(const struct mbuf *m, const struct fw_range *range, unsigned n);

#endif
