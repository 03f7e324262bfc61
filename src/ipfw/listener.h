/*
 * listener.h - who takes packets that rules send out by a number: divert sockets, hooks of the node
 * ipfw, and the one that is asked about packets that are held.
 *
 * Each stack has its own. A listener is C code: a test, a module, or the door that a program
 * outside has connected to (port/divert_door.c). Upper half and packets' way are one thread.
 */
#ifndef WARREN_IPFW_LISTENER_H
#define WARREN_IPFW_LISTENER_H

#include "base/tree.h"
#include "ipfw/hook.h"

struct fw_listener {
	RB_ENTRY(fw_listener) link;
	struct vnet *vnet; /* where it listens; NULL = nowhere */
	uint8_t kind;      /* FW_ACT_DIVERT, FW_ACT_NETGRAPH, FW_ACT_AUTH */
	uint16_t number;   /* divert port, hook's name; 0 with FW_ACT_AUTH */
	/*
	 * Takes m, and gives it back by fw_reinject() at once, later or never. False: it has no
	 * room, and m is still the caller's. tag->kind tells a copy (TEE, NGTEE); m->data is at the
	 * IP header, with tag->point PFIL_LINK at the Ethernet header. A question (AUTH) is no
	 * packet, but its first bytes: to be freed, and answered by fw_auth_answer(tag->question,
	 * …).
	 */
	bool (*input)(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag);
	/* Its stack ends; it listens no longer. May be NULL. */
	void (*gone)(struct fw_listener *l);
	uint64_t packets, copies; /* that it took; questions count as packets */
	uint64_t back, malformed; /* datagrams of a program (datagram.h) */
};

/* In curvnet. The listener is the caller's until fw_listen_end or gone(). 0; -EADDRINUSE. */
int fw_listen(struct fw_listener *l);
/* Idempotent. */
void fw_listen_end(struct fw_listener *l);

/* In curvnet; NULL = nobody. */
struct fw_listener *fw_listener_of(uint8_t kind, uint16_t number);
/* By kind, then number. */
void fw_listener_foreach(void (*fn)(const struct fw_listener *l, void *ctx), void *ctx);

/* l->input, counted. */
bool fw_listener_input(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag);
/* Hand m to the listener, or drop it: nobody is there, or it has no room. Takes m. */
void fw_listener_give(uint8_t kind, uint32_t number, struct mbuf *m, struct fw_tag *tag);

DROP_DECLARE(DROP_FW_LISTENER);

#endif
