/*
 * dn_sysctl.c - net.inet.ip.dummynet.*: limits, and what there is. (expire is in dn_queue.c.)
 *
 * What the original says of its ticks (tick_delta, tick_lost, …) there is nothing to say about: time
 * has no ticks here. hz brings them back for those who compare with it.
 */
#include "dummynet/dn_internal.h"

#include "kern/sysctl.h"

VNET_DEFINE(struct dn_stat, dn_stat);
VNET_DEFINE(uint32_t, dn_pipe_slot_limit) = 100;
VNET_DEFINE(uint32_t, dn_pipe_byte_limit) = 1024 * 1024;
VNET_DEFINE(uint32_t, dn_hash_size) = 64;
VNET_DEFINE(uint32_t, dn_red_lookup_depth) = 256;
VNET_DEFINE(uint32_t, dn_red_avg_pkt_size) = 512;
VNET_DEFINE(uint32_t, dn_red_max_pkt_size) = 1500;
VNET_DEFINE(uint32_t, dn_hz) = 0;
VNET_DEFINE(bool, dn_io_fast) = false;
VNET_DEFINE(uint32_t, dn_flows_max) = 131072;
VNET_DEFINE(uint32_t, dn_catchup_us) = 5000;

#define DN_UINT(name, lo, hi, text)                                                                \
	SYSCTL_VNET_UINT(net_inet_ip_dummynet_##name, "net.inet.ip.dummynet." #name, SYSCTL_RW,    \
	    dn_##name, lo, hi, text)

DN_UINT(pipe_slot_limit, 1, 1000000, "most slots of a queue");
DN_UINT(pipe_byte_limit, 1500, 1 << 30, "most bytes of a queue");
DN_UINT(hash_size, 1, 65536, "buckets of an object with a mask that says no number of them");
SYSCTL_VNET_UINT(net_inet_ip_dummynet_red_lookup_depth, "net.inet.ip.dummynet.red_lookup_depth",
    SYSCTL_RD, dn_red_lookup_depth, 1, 65536,
    "says nothing: how an idle queue's average falls is computed, not looked up in a table");
DN_UINT(red_avg_pkt_size, 1, 65535, "bytes of a typical packet, for RED's idle queues");
DN_UINT(red_max_pkt_size, 1, 65535, "bytes of the longest packet, for RED in bytes");
DN_UINT(hz, 0, 1000000, "deliver at ticks of so many a second; 0: at the exact ns");
DN_UINT(flows_max, 1, 10000000, "most flows that have a queue, or a link of their own, at a time");
DN_UINT(catchup_us, 0, 1000000,
    "after a stall of the process, the microseconds of it that a pipe makes up for (as a burst)");
SYSCTL_VNET_BOOL(net_inet_ip_dummynet_io_fast, "net.inet.ip.dummynet.io_fast", SYSCTL_RW,
    dn_io_fast, "with hz: an idle pipe has saved a tick's worth");

/* --- what there is ---------------------------------------------------------------------------- */

#define DN_COUNT(path, sort, member, text)                                                         \
	SYSCTL_DEFINE_(net_inet_ip_dummynet_##path, .name = "net.inet.ip.dummynet." #path,         \
	    .type = sort, .flags = SYSCTL_RD | SYSCTL_VNET, .ptr = &vnet_entry_dn_stat.member,     \
	    .min = 0, .max = -1, .descr = text)

DN_COUNT(io_pkt, SYSCTL_T_U64, io_pkt, "packets that came");
DN_COUNT(io_pkt_fast, SYSCTL_T_U64, io_pkt_fast, "packets that went back at once");
DN_COUNT(io_pkt_drop, SYSCTL_T_U64, io_pkt_drop, "packets dropped");
DN_COUNT(schk_count, SYSCTL_T_UINT, schedulers, "schedulers (a pipe has two)");
DN_COUNT(si_count, SYSCTL_T_UINT, instances, "schedulers at work");
DN_COUNT(fsk_count, SYSCTL_T_UINT, flowsets, "flowsets (of queues, and one of each pipe)");
DN_COUNT(queue_count, SYSCTL_T_UINT, queues, "flows that have a queue");
