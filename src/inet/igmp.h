/*
 * igmp.h - IGMP (RFC 3376): its counters.
 */
#ifndef WARREN_INET_IGMP_H
#define WARREN_INET_IGMP_H

#include "kern/vnet.h"

struct igmpstat {
	uint64_t rcv_total, rcv_tooshort, rcv_badttl, rcv_badsum, rcv_v1v2_queries, rcv_v3_queries,
	    rcv_badqueries, rcv_gen_queries, rcv_group_queries, rcv_gsr_queries, drop_queries,
	    rcv_nora, rcv_reports, rcv_badreports, rcv_ourreports, snd_reports;
};
VNET_DECLARE(struct igmpstat, igmpstat);
#define V_igmpstat VNET(igmpstat)

#endif
