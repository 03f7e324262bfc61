/*
 * hook.h - where the firewall meets the packets' way, and how packets that left it come back.
 *
 *	pfil -> fw_hook -> fw_packet_read, fw_check_batch -> verdict carried out
 *
 * A packet that leaves (pipe, queue, divert, netgraph, an answer that is waited for) carries one kind
 * of tag, struct fw_tag, which says where it was and where in the rules it goes on. fw_reinject()
 * takes the tag off and brings it back: behind the rules (one_pass) or at the rule behind the one
 * that sent it out.
 */
#ifndef WARREN_IPFW_HOOK_H
#define WARREN_IPFW_HOOK_H

#include "ipfw/check.h"
#include "kern/drop.h"

/*
 * An interface that may be gone when it is asked for: compared, never looked into, until
 * fw_place_if() says that it is still there.
 */
struct fw_place {
	const struct ifnet *ifp;
	uint32_t index;
};
struct ifnet *fw_place_if(const struct fw_place *place); /* in curvnet; NULL */

/* While a packet has it, m->rcvif is NULL: it is here. */
struct fw_tag {
	struct fw_ref ref;
	uint8_t kind;       /* enum fw_action that sent it out */
	uint8_t point, dir; /* enum pfil_point, pfil_dir */
	bool pass;          /* one_pass: no more rules when it is back */
	bool on_link;       /* out: it had no next hop, it goes to its destination on the link */
	uint16_t port;      /* divert */
	uint32_t arg;       /* what the rule says: a pipe, a hook */
	uint32_t full_len;  /* of a question: bytes of the packet that is asked about … */
	uint64_t question;  /* … and its number (auth.h); 0 = it is a packet */
	struct fw_place recv, xmit;
	bool state_checked;    /* as in struct fw_packet, … */
	char state_name[16];   /* … */
	uint8_t calls, called; /* … */
	uint16_t call[FW_CALL_DEPTH];
};
struct fw_tag *fw_tag_find(const struct mbuf *m);
/* For who makes a packet that is to come "back" (divert). NULL without memory. */
struct fw_tag *fw_tag_make(struct mbuf *m);

/*
 * In curvnet, called by the chain when its first map stands: packets meet the rules from now on (as
 * net.inet.ip.fw.enable says). Idempotent. 0 or -errno of pfil_add. They end with the stack.
 */
int fw_hooks_attach(void);

/*
 * Bring a packet with a tag back to where it was; it may have been changed meanwhile, its IP header
 * included. Takes m. In its stack, at the time at which it is back.
 */
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

/* Log p for the rule (log.c); NULL: dropped before any rule. */
void fw_log(struct fw_rule *r, uint32_t arg, const struct fw_packet *p);
/* What a rule's count.log_left begins with when there is no limit. */
#define FW_LOG_UNLIMITED UINT64_MAX
/* Answer p with an ICMP error or a reset (reject.c); p->m stays the caller's. */
void fw_reject(const struct fw_packet *p, enum fw_action action, uint32_t code);

DROP_DECLARE(DROP_FW_DENY);
DROP_DECLARE(DROP_FW_NO_OUTLET);

#endif
