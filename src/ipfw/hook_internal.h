/*
 * hook_internal.h - a batch at one hook, between the rooms that carry verdicts out: hook.c, leave.c,
 * effect.c, forward.c.
 */
#ifndef WARREN_IPFW_HOOK_INTERNAL_H
#define WARREN_IPFW_HOOK_INTERNAL_H

#include "ipfw/hook.h"

/*
 * Packets of one hook and interface. What passes is collected in `out`, in order, and goes on when
 * all are done, or before something else is made of one behind it.
 */
struct fw_round {
	struct fw_doer doer; /* first */
	enum pfil_point point;
	enum pfil_dir dir;
	struct ifnet *ifp;
	const struct fw_map *map;
	struct batch out;
	struct mbufq copies; /* of tee: m->nh is the struct fw_packet whose turn they wait for */
};

void fw_round_begin(struct fw_round *round, const struct fw_map *map, enum pfil_point point,
    enum pfil_dir dir, struct ifnet *ifp);
/* What was collected goes on behind the firewall. */
void fw_round_flush(struct fw_round *round);
/* One packet's verdict, whatever it leads to: p->m is taken, or collected. */
void fw_carry_out(struct fw_round *round, struct fw_packet *p, struct fw_verdict *v);

/* The hook's function and argument, which name it to pfil. */
void fw_hook(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir);
static inline void *
fw_hook_ctx(enum pfil_point point)
{
	return (void *)(uintptr_t)point;
}
/* Is the firewall on at the point? */
bool fw_hook_is_on(enum pfil_point point);

/*
 * p leaves by the outlet of v's action. True: it has come back already (p->m, as it was), and goes on
 * at once. False: taken. What was collected has gone on.
 */
bool fw_leave(const struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v);
/*
 * p leaves until NAT has seen its first fragment, and comes back to v's rule itself. Takes p->m.
 */
void fw_leave_for_first(
    const struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v);
/* A copy that tee has made leaves. Takes m. */
void fw_leave_copy(struct mbuf *m);

/* Actions that don't end the search (effect.c). */
void fw_effect(
    struct fw_doer *d, const struct fw_map *map, const struct fw_effect *e, struct fw_packet *p);
/* A tag for p at the rule that says e; in m, a copy of p->m or itself. NULL without memory. */
struct fw_tag *fw_tag_place(struct mbuf *m, const struct fw_round *round, const struct fw_packet *p,
    const struct fw_rule *r, uint32_t slot, uint8_t kind);

/* The next hop of v instead of the route's (forward.c). Takes p->m. */
void fw_forward(struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v);
void fw_forward_init(void); /* once for the process */

/* ipfw0 comes with the firewall and goes with the stack (log.c). 0 or -errno. */
int fw_log_if_attach(void);

DROP_DECLARE(DROP_FW_NOMEM);
DROP_DECLARE(DROP_FW_NOROUTE);
DROP_DECLARE(DROP_FW_BADPACKET);

#endif
