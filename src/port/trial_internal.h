/*
 * trial_internal.h - a packet of a trial and a stack that judges it; for port/trial*.c only.
 */
#ifndef WARREN_PORT_TRIAL_INTERNAL_H
#define WARREN_PORT_TRIAL_INTERNAL_H

#include "ipfw/passage.h"
#include "port/trial.h"

/* A record of the capture. */
struct trial_packet {
	uint64_t number;    /* from 1 */
	uint64_t offset_ns; /* since the first */
	uint64_t date_ns;   /* since 1970 */
	int dlt;
	const uint8_t *frame; /* all of it, borrowed */
	uint32_t caplen, wirelen;
	uint32_t skip;     /* bytes before the network layer */
	uint32_t ip_bytes; /* of the IP packet that are there, without padding; 0: none */
};

/* Frame in, packet in, packet out, frame out. */
enum { TRIAL_HOPS = 4, TRIAL_IFS_MAX = TRIAL_NETS_MAX + 2, TRIAL_FATES = FW_FATE_WAIT + 1 };

/* A stack under one rule file. */
struct trial_side {
	const struct trial_config *c;
	const char *file;
	struct prison *prison;
	struct {
		const char *name;
		struct ifnet *ifp;
		bool is_ours;
	} iface[TRIAL_IFS_MAX];
	unsigned nifaces;
	bool wants_stories;
	/* the packet at hand: what it met */
	struct fw_passage hop[TRIAL_HOPS];
	struct fw_story story[TRIAL_HOPS];
	unsigned nhops;
	struct mbuf *m; /* as it is now; NULL: it waits or is gone */
	/* totals */
	uint64_t packets[TRIAL_FATES], bytes[TRIAL_FATES];
	uint64_t *dropped; /* by slot of the rule that did it */
	uint64_t faulty;   /* dropped, but by no rule */
};

/* --- trial_side.c --------------------------------------------------------------------------- */

/*
 * The stack, its interfaces, the commands, the rules. Ends with side_end in any case. TRIAL_YES, or
 * what was said to the user.
 */
enum trial_result trial_side_begin(struct trial_side *s, const struct trial_config *c,
    const char *file, const char *name, bool wants_stories);
void trial_side_end(struct trial_side *s);
/*
 * The packet's way: hop[0..nhops-1], the last of which says what became of it. nhops 0: no
 * interface is known for it.
 */
void trial_side_pass(struct trial_side *s, const struct trial_packet *p, uint64_t when_ns);
static inline const struct fw_passage *
trial_outcome(const struct trial_side *s)
{
	return &s->hop[s->nhops - 1];
}
/*
 * Does the same become of the packet at hand on both sides: answers, bytes, pipes, next hops too?
 */
bool trial_sides_agree(const struct trial_side *a, const struct trial_side *b);

/* --- trial_report.c ------------------------------------------------------------------------- */

struct trial_totals {
	uint64_t packets, bytes, not_ip, malformed, nowhere, length_ns;
	const char *note; /* what is odd about the file; NULL */
};

/* One packet, with the rules that it met. */
void trial_tell_packet(struct emitter *e, const struct trial_config *c, const struct trial_side *s,
    const struct trial_packet *p);
/* One line, and where each of two sides sends it. */
void trial_tell_difference(struct emitter *e, const struct trial_side *older,
    const struct trial_side *newer, const struct trial_packet *p);
/* Totals and rules. 0 or -ENOMEM. */
int trial_tell_totals(
    struct emitter *e, const struct trial_side *s, const struct trial_totals *totals);

#endif
