/*
 * api_dummynet.c - the shaper's records of other times for the program that has the stacks inside
 * (dummynet/dn_compat.h): one that stands in for an old kernel's socket, say.
 */
#include "warren.h"

#include "base/sched.h"
#include "control/api.h"
#include "dummynet/dn_compat.h"
#include "kern/jail.h"
#include "port/loop.h"

#include <errno.h>

int
warren_dummynet_record(struct warren *w, const char *jail, int option, bool get, const void *bytes,
    size_t len, size_t room, unsigned *layout, void **answer, size_t *answer_len)
{
	const struct prison *prison = jail != NULL ? prison_find(&prison0, jail) : &prison0;
	const struct dn_request rq = {
		.option = (uint32_t)option, .get = get, .bytes = bytes, .len = len, .room = room
	};
	enum dn_layout who = *layout < DN_LAYOUTS ? (enum dn_layout) * layout : DN_LAYOUT_UNKNOWN;
	struct dn_answer a;

	(void)w;
	*answer = NULL;
	*answer_len = 0;
	if (prison == NULL)
		return -ENOENT;
	if (api_in_handler > 0)
		return -EBUSY;
	clock_update();
	VNET_SCOPE(prison->vnet);
	dn_compat(&rq, &who, &a);
	loop_arm();
	*layout = who;
	if (a.error != 0 || a.len == 0) {
		dn_answer_free(&a);
		return -a.error;
	}
	*answer = a.bytes;
	*answer_len = a.len;
	return 0;
}
