/*
 * dn_compat.c - the door of programs of other times: a record in, its answer out.
 */
#include "dummynet/dn_compat_internal.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

bool
dn_compat_result(struct dn_answer *a, int error, const char *why, const char *what, uint32_t number)
{
	if (error == 0)
		return true;
	return dn_compat_fail(a, -error, "%s %" PRIu32 ": %s", what, number,
	    why != NULL ? why : verb_strerror(error));
}

void
dn_compat(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *answer)
{
	*answer = (struct dn_answer){ 0 };
	if (rq->option != DN_OPT_DUMMYNET3)
		dn_old_request(rq, layout, answer);
	else if (dn_old_layout(*layout) != NULL)
		dn_compat_fail(answer, EINVAL, "programs of 7 and 8.0 have no such option");
	else
		dn_v3_request(rq, layout, answer);
}

void
dn_answer_free(struct dn_answer *answer)
{
	free(answer->bytes);
	answer->bytes = NULL;
	answer->len = 0;
}
