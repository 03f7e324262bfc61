/*
 * mld.h - MLD (RFC 3810): its counters.
 */
#ifndef WARREN_INET6_MLD_H
#define WARREN_INET6_MLD_H

#include "kern/vnet.h"

struct mldstat {
	uint64_t rcv_total, rcv_tooshort, rcv_badhlim, rcv_badsrc, rcv_nora, rcv_v1_queries,
	    rcv_v2_queries, rcv_badqueries, rcv_gen_queries, rcv_group_queries, rcv_gsr_queries,
	    drop_queries, rcv_reports, rcv_badreports, rcv_ourreports, snd_reports, snd_dones;
};
VNET_DECLARE(struct mldstat, mldstat);
#define V_mldstat VNET(mldstat)

#endif
