/*
 * netisr.h - the scheduler of packet work.
 *
 * A protocol registers a handler and a policy. netisr_dispatch hands a batch to it: at once on this
 * worker (direct), or by the protocol's bounded queue of a workstream (deferred), as configured
 * (net.isr.dispatch and the policy). netisr_queue always defers. A workstream is a worker; its
 * queues are drained when the walk that filled them has ended, in the order of queueing, before the
 * clock moves.
 */
#ifndef WARREN_KERN_NETISR_H
#define WARREN_KERN_NETISR_H

#include "base/mbuf.h"
#include "kern/vnet.h"

enum netisr_proto_id {
	NETISR_IP = 1,
	NETISR_IGMP = 2,
	NETISR_RTSOCK = 3,
	NETISR_ARP = 7,
	NETISR_ETHER = 9,
	NETISR_IPV6 = 10,
	NETISR_EPAIR = 12,
	NETISR_FW = 13, /* what the firewall delivers to this stack on the way out */
	NETISR_MAXPROT = 16,
};
enum netisr_policy { NETISR_POLICY_SOURCE = 1, NETISR_POLICY_FLOW = 2, NETISR_POLICY_CPU = 3 };

struct netisr_handler {
	const char *name; /* "ip" */
	enum netisr_proto_id proto;
	enum netisr_policy policy;
	uint32_t qlimit; /* packets a workstream queues; 0 = net.isr.defaultqlimit */
	/*
	 * Takes the packets of a batch; all have the same rcvif, and curvnet is that interface's
	 * stack. For queued packets the batch holds consecutive ones of one rcvif.
	 */
	void (*handler)(struct batch *b);
	/* POLICY_FLOW: fill m->flowid; may be NULL. */
	void (*m2flow)(struct mbuf *m);
	/* POLICY_CPU: the workstream for m. */
	uint32_t (*m2cpu)(struct mbuf *m);
	/*
	 * n packets of rcvif that netisr had taken are out of its hands: queued ones after their
	 * handler ran, purged ones, and those of a deferred netisr_dispatch that found no room. Not
	 * called for a packet that netisr_queue returned false for (it was not taken), nor for
	 * packets dispatched directly. May be NULL.
	 */
	void (*drained)(struct ifnet *rcvif, uint32_t n);
};

/*
 * 0; -EEXIST (slot taken), -EINVAL (proto 0 or >= MAXPROT, no handler). h is borrowed until
 * netisr_unregister or kern_fini. A qlimit above net.isr.maxqlimit is lowered to it, with a log
 * line.
 */
int netisr_register(const struct netisr_handler *h);
void netisr_unregister(const struct netisr_handler *h);

/* Hand on a batch (takes the packets). All have one rcvif whose stack is curvnet. */
void netisr_dispatch(enum netisr_proto_id proto, struct batch *b);

/*
 * Queue one packet for later in its rcvif's stack; false (m NOT taken, counted) when the queue is
 * full.
 */
bool netisr_queue(enum netisr_proto_id proto, struct mbuf *m);

/* Take all packets with this rcvif out of all queues and free them (an interface leaves). */
void netisr_purge(struct ifnet *rcvif);
uint32_t netisr_qlimit(enum netisr_proto_id proto);
int netisr_set_qlimit(enum netisr_proto_id proto, uint32_t qlimit);

/*
 * A worker's workstream: made by kern_init for worker 0, by each further worker's thread behind
 * worker_attach. 0, -ENOMEM.
 */
int netisr_worker_attach(void);
/* Ends it, before worker_detach: its queued packets are freed. */
void netisr_worker_detach(void);
/*
 * Told after a packet was put in another worker's ring, so that it can be woken; NULL = workers
 * poll.
 */
extern void (*netisr_wakeup)(uint32_t worker_id);

/* Take all packets of a stack that ends out of all queues. For kern/vnet.c. */
void netisr_purge_vnet(const struct vnet *vnet);

/* Work off this worker's queues; true if there was anything. sched_drain points here. */
bool netisr_run(void);

/* How the interface's stack is found: net/if.c sets it (kern can't see struct ifnet). */
extern struct vnet *(*netisr_rcvif_vnet)(const struct ifnet *ifp);

/*
 * Exported arrays behind net.isr.proto, net.isr.workstream, net.isr.work (what netstat -Q reads).
 */
struct sysctl_netisr_proto {
	char name[32];
	uint32_t proto, qlimit, policy, flags;
};
struct sysctl_netisr_workstream {
	uint32_t wsid, cpu, flags;
};
struct sysctl_netisr_work {
	uint32_t wsid, proto, len, watermark;
	uint64_t dispatched, hybrid_dispatched, qdrops, queued, handled;
};

#endif
