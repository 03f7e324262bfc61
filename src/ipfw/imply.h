/*
 * imply.h - what an instruction says about others: does any packet that matches one match the
 * other, can any packet match both? For shadow.c.
 *
 * Only what is certain is said: false means "not known". All is about one packet at one moment;
 * what changes while a packet meets the rules is shadow.c's matter.
 */
#ifndef WARREN_IPFW_IMPLY_H
#define WARREN_IPFW_IMPLY_H

#include "ipfw/rule.h"

/* FW_NOT counts, FW_OR doesn't. */
bool fw_insn_implies(const struct fw_insn *a, const struct fw_insn *b);
bool fw_insn_excludes(const struct fw_insn *a, const struct fw_insn *b);

#endif
