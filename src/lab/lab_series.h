/*
 * lab_series.h - pipes and queues of the nodes' shapers over time: how long they were, how long a
 * packet took, what was dropped, in even steps.
 */
#ifndef WARREN_LAB_LAB_SERIES_H
#define WARREN_LAB_LAB_SERIES_H

#include "lab/lab_model.h"

/* The next time to look; NS_NEVER as long as no node has a pipe or queue. */
uint64_t lab_series_next(const struct lab *lab, uint64_t now);
/* Look, if it is time. */
void lab_series_read(struct lab *lab, uint64_t now);
/* The longest delay of any pipe that is there: what waits for nothing else is out then. */
uint64_t lab_series_delay(struct lab *lab);
/* Do packets wait in any of them? */
bool lab_series_busy(struct lab *lab);
/* The report's part. */
void lab_series_report(struct lab *lab, struct emitter *e);
void lab_series_free(struct lab *lab);

#endif
