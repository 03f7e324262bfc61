/*
 * reason.h - why an instruction does or doesn't match a packet, in words.
 */
#ifndef WARREN_IPFW_REASON_H
#define WARREN_IPFW_REASON_H

#include "ipfw/packet.h"
#include "ipfw/rule.h"

/*
 * What the rule asks at `failed` (fw_rule_failed) and what the packet has instead: "dst-port 22: it
 * is 80"; of a block, each of its parts. Cut at len.
 */
void fw_reason_failed(const struct fw_rule *r, const struct fw_insn *failed, struct fw_packet *p,
    char *text, size_t len);
/*
 * What the rule, which matches, has found in tables: "table(1) has 10.0.0.1 with value 5"; "" =
 * nothing.
 */
void fw_reason_found(const struct fw_rule *r, struct fw_packet *p, char *text, size_t len);

#endif
