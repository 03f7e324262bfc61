/*
 * sched_fq_pie.c - FQ_PIE: sched_fq.c's flows, each with a queue under PIE (aqm_pie.c).
 */
#include "dummynet/sched_fq.h"

static void
fq_pie_param_init(void *param)
{
	fq_param_init(param, DN_AQM_PIE);
}

static const struct dn_sched_part fq_pie = FQ_PART("FQ_PIE", 7, fq_pie_param_init);
DN_SCHED_DEFINE(fq_pie);
