/*
 * auth.h - packets that `auth` rules hold until somebody has judged them.
 *
 *	ipfw add auth tcp from any to me 22 in setup
 *
 * The judge is the stack's listener of the kind FW_ACT_AUTH (listener.h). For each packet it is
 * given a question: a small mbuf with the packet's first bytes, whose tag has the number to answer
 * with. Packets that nobody judges in time, or beyond the number that may wait, are dropped. A
 * packet that passes is accepted, or goes on at the next rule, as net.inet.ip.fw.one_pass says.
 */
#ifndef WARREN_IPFW_AUTH_H
#define WARREN_IPFW_AUTH_H

#include "ipfw/listener.h"

/* A packet that waits; borrowed. */
struct fw_held {
	RB_ENTRY(fw_held) link;
	uint64_t question; /* 1, 2, 3 …: never used again in this stack */
	uint64_t since_ns;
	struct mbuf *m; /* with its tag */
};

struct fw_auth_stats {
	uint64_t asked, passed, blocked; /* questions, and answers of all kinds */
	uint64_t late;                   /* nobody has answered in time */
	uint64_t full;                   /* there were net.inet.ip.fw.auth_max already */
	uint64_t unheard;                /* the judge had no room for the question */
	uint64_t nobody;                 /* there was no judge */
};

/* All in curvnet. */

/* l is the judge from now on, and is asked about what waits already. 0; -EADDRINUSE. */
int fw_auth_listen(struct fw_listener *l);
/* False: nothing of that number waits. The packet may be on its way before this returns. */
bool fw_auth_answer(uint64_t question, bool pass);
/* What waits now; how many there were. */
uint32_t fw_auth_answer_all(bool pass);

uint32_t fw_auth_held(void);
struct fw_auth_stats fw_auth_stats(void);
/* Oldest first. */
void fw_auth_foreach(void (*fn)(const struct fw_held *h, void *ctx), void *ctx);

#endif
