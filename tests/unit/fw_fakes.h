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
FAKE struct fw_classifier *fw_classifier_build(const struct fw_map *m) { (void)m; return NULL; }
FAKE struct fw_classifier *fw_classifier_follow(const struct fw_map *m, const struct fw_map *n) { (void)m; (void)n; return NULL; }
FAKE void fw_classifier_free(struct fw_classifier *c) { (void)c; }
FAKE int fw_hooks_attach(void) { return 0; }
FAKE void fw_state_forget(struct fw_rule *r) { (void)r; }
FAKE void fw_state_show(struct emitter *e, bool x, int p, int b) { (void)e; (void)x; (void)p; (void)b; }
FAKE struct fw_rule *fw_rule_alloc(unsigned n) { struct fw_rule *r = aligned_alloc(64, (sizeof(*r) + n * sizeof(r->insn[0]) + 63) / 64 * 64); memset(r, 0, sizeof(*r)); r->refs = 1; return r; }
FAKE struct fw_rule *fw_rule_ref(struct fw_rule *r) { r->refs++; return r; }
static void fake_free(struct rcu_head *h) { free((char *)h - offsetof(struct fw_rule, rcu)); }
FAKE void fw_rule_rele(struct fw_rule *r) { if (--r->refs == 0) rcu_call(&r->rcu, fake_free); }
FAKE struct fw_rule *fw_rule_parse(int argc, char *const argv[], char *why, size_t n) {
	struct fw_rule *r = fw_rule_alloc(0); int i = 0;
	if (i < argc && argv[i][0] >= '0' && argv[i][0] <= '9') r->number = (uint16_t)atoi(argv[i++]);
	if (i + 1 < argc && strcmp(argv[i], "set") == 0) { r->set = (uint8_t)atoi(argv[i + 1]); i += 2; }
	if (i >= argc || (strcmp(argv[i], "deny") != 0 && strcmp(argv[i], "allow") != 0)) { snprintf(why, n, "'%s' is no action", i < argc ? argv[i] : ""); fw_rule_rele(r); return NULL; }
	r->action = argv[i][0] == 'd' ? FW_ACT_DENY : FW_ACT_ALLOW;
	return r; }
FAKE void fw_rule_print(struct emitter *e, const struct fw_rule *r, unsigned f, int pw, int bw) {
	if (f & FW_PRINT_DISABLED) emit_text(e, "# DISABLED ");
	emit_uint(e, "number", "%05" PRIu64 " ", r->number);
	if (f & FW_PRINT_COUNTERS) emit_text(e, "%*lu %*lu ", pw, (unsigned long)r->count.packets, bw, (unsigned long)r->count.bytes);
	if (f & FW_PRINT_SET) emit_text(e, "set %u ", r->set);
	emit_str(e, "action", "%s ip from any to any", r->action == FW_ACT_DENY ? "deny" : "allow"); }
#define FAKE_NAMES
FAKE const int fw_protocols[64];
#endif
