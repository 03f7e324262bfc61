/*
 * hook.h - where the firewall meets the packets' way, and how packets that left it come back.
 *
 *	pfil -> fw_hook -> fw_packet_read, fw_check_batch -> verdict carried out
 *
 * A packet that leaves (pipe, queue, divert, netgraph, NAT, reassembly) carries one kind of tag,
 * struct fw_tag, which says where it was and where in the rules it goes on. fw_reinject() brings it
 * back: behind the rules (one_pass) or at the rule behind the one that sent it out.
 */
#ifndef WARREN_IPFW_HOOK_H
#define WARREN_IPFW_HOOK_H

#include "ipfw/check.h"

struct fw_tag {
	struct fw_ref ref;
	uint8_t kind;              /* enum fw_action that sent it out */
	uint8_t point, dir;        /* enum pfil_point, pfil_dir */
	bool back;                 /* renamed on its way back: the rules go on with it */
	bool pass;                 /* one_pass: no more rules */
	uint16_t port;             /* divert */
	struct ifnet *recv, *xmit; /* referenced; NULL */
};
struct fw_tag *fw_tag_find(const struct mbuf *m);

/*
 * In curvnet, called by the chain when its first map stands: packets meet the rules from now on (as
 * net.inet.ip.fw.enable says). Idempotent. 0 or -errno of pfil_add. They end with the stack.
 */
int fw_hooks_attach(void);

/* Bring a packet with a tag back to where it was. Takes m. In its stack. */
void fw_reinject(struct mbuf *m);

/*
 * Rooms that packets leave for. NULL = not there: such packets are dropped. They take m (with its tag)
 * and give it back by fw_reinject, at once or later.
 */
struct fw_outlets {
	void (*dummynet)(struct mbuf *m, struct fw_tag *tag, uint32_t number, bool queue);
	void (*divert)(struct mbuf *m, struct fw_tag *tag, uint16_t port, bool tee);
	void (*netgraph)(struct mbuf *m, struct fw_tag *tag, uint32_t cookie, bool tee);
	void (*auth)(struct mbuf *m, struct fw_tag *tag);
};
extern struct fw_outlets fw_outlets;

/* In curvnet; net.inet.ip.fw.one_pass and the like. */
VNET_DECLARE(bool, fw_one_pass);
VNET_DECLARE(bool, fw_verbose);
VNET_DECLARE(uint32_t, fw_verbose_limit);

/* Log p for the rule in slot (log.c). */
void fw_log(const struct fw_map *map, uint32_t slot, uint32_t arg, const struct fw_packet *p);
/* Answer p with an ICMP error or a reset (reject.c); p->m stays the caller's. */
void fw_reject(const struct fw_packet *p, enum fw_action action, uint32_t code);

DROP_DECLARE(DROP_FW_DENY);
DROP_DECLARE(DROP_FW_NO_OUTLET);

#endif
