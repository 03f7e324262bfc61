/*
 * fuzz_lab.c - any bytes as a lab file: parsed, and built when it is small and touches no file.
 */
#include "control/process.h"
#include "lab/lab_model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
is_small(const struct lab *lab)
{
	const struct lab_flow *f;

	STAILQ_FOREACH(f, &lab->flows, next)
		if (f->kind == LAB_FLOW_REPLAY)
			return false;
	return lab->nnodes <= 20 && lab->nlinks <= 40 && lab->ntunables == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct lab_options o = { .no_files = true, .quiet = true };
	char *why = NULL;
	struct lab *lab = lab_parse_text("fuzz", (const char *)data, len, &why);

	if (lab != NULL && is_small(lab)) {
		process_start(CLOCK_VIRTUAL, 1, NULL, NULL);
		lab_build(lab, &o, &why);
		lab_free(lab);
		process_stop();
	} else {
		lab_free(lab);
	}
	free(why);
	return 0;
}
