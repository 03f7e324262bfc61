/*
 * lab_api.c - warren_lab() of the embedding API, which stands on this floor.
 */
#include "lab/lab.h"
#include "warren.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_FILE = 2, STATUS_ENVIRONMENT = 3 };

static void
report_add(void *ctx, const char *bytes, size_t len)
{
	fwrite(bytes, 1, len, ctx);
}

/* The report as JSON text, malloc'd; NULL without memory. */
static char *
report_text(struct lab *lab)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct emitter *e;

	if (f == NULL)
		return NULL;
	e = emitter_new(EMIT_JSON, report_add, f);
	if (e != NULL) {
		emit_object(e, NULL);
		lab_report(lab, e);
		emitter_free(e);
	}
	fclose(f);
	return text;
}

int
warren_lab(struct warren *w, const char *file, const char *out_dir, uint64_t for_ns, char **report,
    char **err)
{
	const struct lab_options o = {
		.out_dir = out_dir, .for_ns = for_ns, .quiet = true, .no_files = out_dir == NULL
	};
	char *why = NULL;
	struct lab *lab;
	int status;

	(void)w;
	if (report != NULL)
		*report = NULL;
	if (err != NULL)
		*err = NULL;
	lab = lab_parse_file(file, &why);
	if (lab == NULL) {
		status = STATUS_FILE;
	} else if (lab_tunables(lab) != NULL && lab_tunables(lab)[0] != NULL) {
		/* They are for before the start, and the program has started us. */
		if (asprintf(&why, "%s: tunables: give them to warren_open()\n", file) < 0)
			why = NULL;
		status = STATUS_FILE;
	} else if ((status = lab_build(lab, &o, &why)) != 0) {
		status = status == -EPERM || status == -EACCES || status == -ENOMEM ?
		    STATUS_ENVIRONMENT :
		    STATUS_FILE;
	} else {
		status = lab_run(lab);
		if (report != NULL)
			*report = report_text(lab);
	}
	if (lab != NULL)
		lab_free(lab);
	if (err != NULL)
		*err = why;
	else
		free(why);
	return status;
}
