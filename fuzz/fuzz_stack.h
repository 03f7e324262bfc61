/*
 * fuzz_stack.h - what targets share that feed packets to a stack: the stack, its Ethernet
 * interfaces mem0, mem1 …, commands, and the end, behind which nothing may be left.
 *
 *	fuzz_begin(&f);
 *	ifp = fuzz_interface(0, swallow);
 *	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
 *	… fuzz_receive(ifp, m) …
 *	fuzz_end_interface(ifp);
 *	fuzz_require_bare(&f);
 *	fuzz_end(&f);
 */
#ifndef WARREN_FUZZ_STACK_H
#define WARREN_FUZZ_STACK_H

#include "base/clock.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/sched.h"
#include "kern/netisr.h"
#include "kern/verb.h"
#include "kern/vnet.h"
#include "net/ethernet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What lived before the stack, and in it before it had an interface. */
struct fuzz_stack {
	struct audit_counts outside, bare;
};

/* Forged messages are what this is about: nobody need read of each. */
static inline void
fuzz_say_nothing(
    void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

static inline void
fuzz_begin(struct fuzz_stack *f)
{
	if (worker_attach(0, CLOCK_VIRTUAL) == NULL)
		abort();
	audit_take(&f->outside);
	kern_init();
	log_set_sink(fuzz_say_nothing, NULL);
	audit_take(&f->bare);
}

static inline void
fuzz_require_none_left(const struct audit_counts *before)
{
	char left[256];

	rcu_synchronize();
	if (audit_compare(before, left, sizeof(left)) == 0)
		return;
	fprintf(stderr, "left behind: %s\n", left);
	abort();
}

/* The interfaces have gone, and with them all that they brought. lo0 must have no addresses. */
static inline void
fuzz_require_bare(const struct fuzz_stack *f)
{
	fuzz_require_none_left(&f->bare);
}

/* The stack goes, and with it the rest. */
static inline void
fuzz_end(const struct fuzz_stack *f)
{
	kern_fini();
	fuzz_require_none_left(&f->outside);
	worker_detach();
}

/* An interface whose frames end in `transmit`, which owns them. */
static inline struct ifnet *
fuzz_interface(int unit, void (*transmit)(struct ifnet *ifp, struct batch *b))
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 1, (uint8_t)(unit + 1) };
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", unit);

	if (ifp == NULL)
		abort();
	ifp->if_transmit = transmit;
	if (ether_attach(ifp, mac) != 0)
		abort();
	ifp->if_flags |= IFF_RUNNING_;
	return ifp;
}

static inline void
fuzz_end_interface(struct ifnet *ifp)
{
	ether_detach(ifp);
	if_free(ifp);
}

/* For if_transmit: whole frames, and no longer than the link takes. */
static inline void
fuzz_swallow(struct ifnet *ifp, struct batch *b)
{
	batch_foreach(b, m)
		if (m->len < ETHER_HDR_LEN_ || m->len > ETHER_HDR_LEN_ + ifp->if_mtu)
			abort();
	batch_free(b);
}

/* A command that can't fail. */
static inline void
fuzz_command(const char *line)
{
	if (verb_line(NULL, line, false, NULL, NULL) != 0)
		abort();
}

/* A frame comes in, with all that comes of it at once. Takes m. */
static inline void
fuzz_receive(struct ifnet *ifp, struct mbuf *m)
{
	struct batch b = { .n = 1, .m = { m } };

	m->when_ns = clock_now();
	if_receive(ifp, &b);
	while (netisr_run())
		continue;
}

#endif
