/*
 * state_life.c - how long a dynamic rule lives, by what its flow says.
 *
 *	TCP, flags seen in both directions
 *	SYN of one side only			dyn_syn_lifetime
 *	SYN of both, at most one FIN		dyn_ack_lifetime, if the acknowledgement isn't old
 *	SYN and FIN of both			dyn_fin_lifetime
 *	RST, or none of the above		dyn_rst_lifetime
 *	UDP					dyn_udp_lifetime
 *	anything else, a parent without states	dyn_short_lifetime
 *
 * Keepalives go out from 20 s before the end of an established TCP flow on, every 5 s, until
 * somebody answers. So FIN's and RST's lifetimes must be shorter than 5 s.
 */
#include "ipfw/state_internal.h"

#include "inet/ip.h"
#include "kern/sysctl.h"

VNET_DEFINE_STATIC(uint32_t, dyn_ack_lifetime) = 300;
VNET_DEFINE_STATIC(uint32_t, dyn_syn_lifetime) = 20;
VNET_DEFINE_STATIC(uint32_t, dyn_fin_lifetime) = 1;
VNET_DEFINE_STATIC(uint32_t, dyn_rst_lifetime) = 1;
VNET_DEFINE_STATIC(uint32_t, dyn_udp_lifetime) = 10;
VNET_DEFINE_STATIC(uint32_t, dyn_short_lifetime) = 5;
VNET_DEFINE_STATIC(bool, dyn_keepalive) = true;

enum { KEEPALIVE_EVERY_S = 5, KEEPALIVE_BEFORE_S = 20, LIFETIME_MAX_S = 14 * 86400 };

SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_ack_lifetime, "net.inet.ip.fw.dyn_ack_lifetime", SYSCTL_RW,
    dyn_ack_lifetime, 1, LIFETIME_MAX_S, "seconds that an established TCP flow may be idle");
SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_syn_lifetime, "net.inet.ip.fw.dyn_syn_lifetime", SYSCTL_RW,
    dyn_syn_lifetime, 1, LIFETIME_MAX_S, "seconds that a TCP flow may be without an answer");
SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_fin_lifetime, "net.inet.ip.fw.dyn_fin_lifetime", SYSCTL_RW,
    dyn_fin_lifetime, 1, KEEPALIVE_EVERY_S - 1, "seconds that a TCP flow lives behind both FINs");
SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_rst_lifetime, "net.inet.ip.fw.dyn_rst_lifetime", SYSCTL_RW,
    dyn_rst_lifetime, 1, KEEPALIVE_EVERY_S - 1, "seconds that a TCP flow lives behind a RST");
SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_udp_lifetime, "net.inet.ip.fw.dyn_udp_lifetime", SYSCTL_RW,
    dyn_udp_lifetime, 1, LIFETIME_MAX_S, "seconds that a UDP flow may be idle");
SYSCTL_VNET_UINT(net_inet_ip_fw_dyn_short_lifetime, "net.inet.ip.fw.dyn_short_lifetime", SYSCTL_RW,
    dyn_short_lifetime, 1, LIFETIME_MAX_S,
    "seconds that other flows, and limits without flows, may be idle");
SYSCTL_VNET_BOOL(net_inet_ip_fw_dyn_keepalive, "net.inet.ip.fw.dyn_keepalive", SYSCTL_RW,
    dyn_keepalive, "keep established TCP flows alive that are about to expire");

/* fw_state.tcp: the header's bits. */
enum { FIN = 1, SYN = 2, RST = 4, BACK = 4, ACK_FLAG = 0x10, FIELD_ACK = 8 };
enum { BOTH_SYN = SYN | SYN << BACK, BOTH_FIN = FIN | FIN << BACK };

static inline bool
is_established(const struct fw_state *s)
{
	return (s->tcp & ~BOTH_FIN) == BOTH_SYN && (s->tcp & BOTH_FIN) != BOTH_FIN;
}

/* Is p's acknowledgement at least as high as the highest of its side? Then it is the highest. */
static bool
acknowledges(struct fw_state *s, const struct fw_packet *p, bool back)
{
	uint32_t ack;

	if (!p->has_tcp || !(p->tcp_flags & ACK_FLAG))
		return false;
	ack = __builtin_bswap32(load32(p->m->data + p->l4 + FIELD_ACK));
	if (s->ack[back] != 0 && (int32_t)(ack - s->ack[back]) < 0)
		return false;
	s->ack[back] = ack;
	return true;
}

/* Seconds that a TCP flow lives from now on; 0 = as before. */
static uint32_t
tcp_lifetime(struct fw_state *s, const struct fw_packet *p, bool back)
{
	s->tcp |= (uint8_t)((p->tcp_flags & (FIN | SYN | RST)) << (back ? BACK : 0));
	if (is_established(s))
		return acknowledges(s, p, back) ? VNET(dyn_ack_lifetime) : 0;
	if (s->tcp == SYN)
		return VNET(dyn_syn_lifetime);
	return s->tcp == (BOTH_SYN | BOTH_FIN) ? VNET(dyn_fin_lifetime) : VNET(dyn_rst_lifetime);
}

/* When the wheel is to look at s: its end, or when it wants the first keepalive. */
static uint64_t
due_ns(const struct fw_state *s)
{
	const uint64_t now = clock_now();
	int64_t left_ms = (int32_t)(s->expire_ms - state_now_ms());

	if (is_established(s) && VNET(dyn_keepalive))
		left_ms -= KEEPALIVE_BEFORE_S * 1000;
	return left_ms > 0 ? now + (uint64_t)left_ms * NS_PER_MS : now;
}

static inline void
prolong(struct fw_states *t, struct fw_state *s, uint32_t seconds, uint32_t now_ms)
{
	const uint32_t old = s->expire_ms;

	__atomic_store_n(&s->expire_ms, now_ms + seconds * 1000, __ATOMIC_RELAXED);
	if (__builtin_expect((int32_t)(s->expire_ms - old) >= 0, 1))
		return; /* the wheel learns it when it looks */
	fw_wheel_remove(&t->wheel, &s->due);
	fw_wheel_add(&t->wheel, &s->due, due_ns(s));
}

void
state_watch(struct fw_states *t, struct fw_state *s)
{
	fw_wheel_add(&t->wheel, &s->due, due_ns(s));
}

void
state_prolong(
    struct fw_states *t, struct fw_state *s, const struct fw_packet *p, bool back, uint32_t now_ms)
{
	const uint8_t proto = state_proto(s);
	uint32_t seconds;

	if (proto == IPPROTO_TCP_)
		seconds = tcp_lifetime(s, p, back);
	else
		seconds = proto == IPPROTO_UDP_ ? VNET(dyn_udp_lifetime) : VNET(dyn_short_lifetime);
	if (seconds != 0)
		prolong(t, s, seconds, now_ms);
}

void
state_prolong_parent(struct fw_states *t, struct fw_state *parent)
{
	prolong(t, parent, VNET(dyn_short_lifetime), state_now_ms());
}

/* Every 5 s until the end; then the flow's end. */
static uint64_t
next_keepalive_ns(const struct fw_state *s)
{
	const uint32_t left_ms = s->expire_ms - state_now_ms();
	const uint32_t pause_ms = KEEPALIVE_EVERY_S * 1000;

	return clock_now() + (left_ms < pause_ms ? left_ms : pause_ms) * NS_PER_MS;
}

void
state_due(struct fw_wheel *w, struct fw_wheel_entry *e)
{
	struct fw_states *t = (struct fw_states *)(void *)w;
	struct fw_state *s = (struct fw_state *)(void *)((uint8_t *)e -
	    offsetof(struct fw_state, due));
	const uint64_t when = due_ns(s);
	const uint32_t ack[2] = { s->ack[0], s->ack[1] };
	struct state_flow flow;

	if (!state_is_live(s, state_now_ms())) {
		if (state_is_parent(s) && s->children > 0) {
			state_prolong_parent(t, s);
			state_watch(t, s);
			return;
		}
		state_leave_parent(t, s);
		state_end(t, s);
	} else if (when > clock_now()) {
		fw_wheel_add(w, e, when);
	} else {
		fw_wheel_add(w, e, next_keepalive_ns(s));
		state_flow_of(s, &flow);
		state_keepalive(&flow, ack);
	}
}
