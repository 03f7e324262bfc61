/*
 * lab.h - a network in a file, and its run.
 *
 *	lab_parse	YAML -> struct lab (names, words, numbers with units; FILE:LINE: what is wrong)
 *	lab_build	stacks, links, traffic, captures in a started process
 *	lab_run		virtual time from event to event, the timeline in between, expectations at the end
 *	lab_report	requested beside achieved, as a table and as JSON
 */
#ifndef WARREN_LAB_LAB_H
#define WARREN_LAB_LAB_H

#include "base/emitter.h"

#include <stdbool.h>
#include <stdint.h>

struct lab;

/*
 * Parse; NULL with *why = malloc'd "FILE:LINE: what is wrong" (one line per fault, as many as were
 * found).
 */
struct lab *lab_parse_file(const char *file, char **why);
struct lab *lab_parse_text(const char *name, const char *text, size_t len, char **why);
/* Takes down what lab_build made; before process_stop(). */
void lab_free(struct lab *lab);

/*
 * What process_start() must be told before lab_build(): the file's tunables (NULL-terminated) and
 * seed (0 = none given).
 */
const char *lab_name(const struct lab *lab);
const char *const *lab_tunables(const struct lab *lab);
uint64_t lab_seed(const struct lab *lab);

struct lab_options {
	const char *
	    out_dir; /* captures and report.json go here; NULL = the file's `name`.out in the current directory */
	uint64_t for_ns;    /* 0 = as the file says, else until all traffic has ended */
	uint64_t seed;      /* 0 = the file's, else 1 */
	bool live;          /* warren up */
	bool quiet;         /* no status line */
	bool no_files;      /* write nothing (tests, fuzzing) */
	uint32_t max_batch; /* 0 = BATCH_MAX; tests compare 1 with 64 */
};

/* Needs process_start() before. 0; -errno with *why. */
int lab_build(struct lab *lab, const struct lab_options *o, char **why);
/* 0 all expectations hold, 1 some don't; 2, 3, 4 as DESIGN.md. */
int lab_run(struct lab *lab);
/* End a run early, from a signal handler: lab_run() judges and reports what there is. */
void lab_interrupt(struct lab *lab);
void lab_report(struct lab *lab, struct emitter *e);
/* TAP lines of the expectations; returns how many failed. */
int lab_tap(struct lab *lab, struct emitter *e, int *number);

#endif
