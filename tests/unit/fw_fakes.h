/* Stand-ins for rooms of the firewall that are not there yet: the real ones win. */
#ifndef WARREN_TESTS_UNIT_FW_FAKES_H
#define WARREN_TESTS_UNIT_FW_FAKES_H
#include "ipfw/classify.h"
#include "ipfw/hook.h"
#include "ipfw/state.h"
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#define FAKE __attribute__((weak))
FAKE VNET_DEFINE(uint32_t, fw_verbose_limit);
FAKE const char *fw_rule_state_name(const struct fw_rule *r) { (void)r; return NULL; }
FAKE int fw_hooks_attach(void) { return 0; }
#endif
