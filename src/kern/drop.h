/*
 * drop.h - packets never make errors, they make drops.
 *
 * A room names each reason for which it drops a packet:
 *
 *	DROP_DEFINE(DROP_IP_TTL, "ip", "ttl", "time to live exceeded in transit");
 *	…
 *	m_drop(m, &DROP_IP_TTL);
 *
 * m_drop counts it in the packet's stack (curvnet) under "ip.ttl", shows it to whoever traces
 * drops (a capture writes it as the packet's comment) and frees the packet.
 */
#ifndef WARREN_KERN_DROP_H
#define WARREN_KERN_DROP_H

#include "base/mbuf.h"
#include "kern/vnet.h"

struct drop_reason {
	const char *layer; /* "ip" */
	const char *name;  /* "ttl": unique with the layer */
	const char *text;  /* for people: "time to live exceeded in transit" */
	uint64_t *entry;   /* the per-stack counter's place in the section */
	bool ignored;      /* it was not for us: counted and traced, but nothing is lost */
};

#define DROP_DEFINE(ident, layer, name, text)                                                      \
	VNET_DEFINE(uint64_t, ident##_count);                                                      \
	const struct drop_reason ident = { layer, name, text, &vnet_entry_##ident##_count,         \
		false };                                                                           \
	LINKERSET_ADD(drop, ident)
/* The same for what a stack rightly ignores: other stations' frames, groups that it is not in. */
#define DROP_DEFINE_IGNORED(ident, layer, name, text)                                              \
	VNET_DEFINE(uint64_t, ident##_count);                                                      \
	const struct drop_reason ident = { layer, name, text, &vnet_entry_##ident##_count, true }; \
	LINKERSET_ADD(drop, ident)
#define DROP_DECLARE(ident) extern const struct drop_reason ident

/* Count, trace, free. Takes m. */
void m_drop(struct mbuf *m, const struct drop_reason *why);

/* Count and trace n more drops for which no packet exists (any more). */
void drop_count(const struct drop_reason *why, uint64_t n);

/* The counter in a stack, and the sum of all of a stack's counters but those of what it ignored. */
uint64_t drop_get(const struct vnet *vnet, const struct drop_reason *why);
uint64_t drop_total(const struct vnet *vnet);
/* By "layer.name"; NULL if there is none. */
const struct drop_reason *drop_find(const char *dotted);

/*
 * Tracers see each drop just before the packet is freed (curvnet and m->rcvif say where; m->data
 * points where the dropping layer had it). m is NULL for drops told by drop_count. At most 8.
 */
typedef void drop_tracer(void *ctx, const struct mbuf *m, const struct drop_reason *why);
int drop_trace_add(drop_tracer *fn, void *ctx);
void drop_trace_remove(drop_tracer *fn, void *ctx);

/*
 * `netstat -s -p drop` / `show drops`: all non-zero (or all) counters of the current stack, sorted
 * by layer and name.
 */
void drop_show(struct emitter *e, bool all);
/* The same of a saved state (state.h). */
struct state;
void drop_show_saved(struct emitter *e, const struct state *image, bool all);
/* `netstat -sz`: all counters of the current stack. */
void drop_zero(void);

#endif
