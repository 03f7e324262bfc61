/*
 * sched_fq_codel.c - FQ_CODEL: sched_fq.c's flows, each with a queue under CoDel (aqm_codel.c).
 */
#include "dummynet/sched_fq.h"

static void
fq_codel_param_init(void *param)
{
	fq_param_init(param, DN_AQM_CODEL);
}

static const struct dn_sched_part fq_codel = FQ_PART("FQ_CODEL", 6, fq_codel_param_init);
DN_SCHED_DEFINE(fq_codel);
