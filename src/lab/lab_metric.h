/*
 * lab_metric.h - a figure's readings and value, for expectations and the report.
 */
#ifndef WARREN_LAB_LAB_METRIC_H
#define WARREN_LAB_LAB_METRIC_H

#include "lab/lab_model.h"

/* Raw counters now. */
void lab_metric_read(const struct lab_expect *x, struct lab_reading *r);
/*
 * Of the readings at both ends of a window; false when there is nothing to say (no answer came, …).
 */
bool lab_metric_value(const struct lab_expect *x, uint64_t window_ns, double *value);
/* Is it made of readings at two moments (so that a window can be cut out)? */
bool lab_metric_counts(const struct lab_metric *m);
/* A flow's rate: without a window it is over the time in which the flow was sending. */
bool lab_metric_is_goodput(const struct lab_metric *m);
/* Counters of a way; those of the interface where there is no pipe. */
void lab_way_stats(const struct lab_end *e, struct pipe_stats *st);

#endif
