/*
 * dn_check.c - what may be configured: bounds of ipfw.md 11.2, each with its sentence.
 */
#include "dummynet/dn_internal.h"

#include <errno.h>

#define RATE_MAX UINT64_C(1000000000000000) /* 1 Pbit/s: more is a slip of the pen */
#define DELAY_MAX_NS (10 * NS_PER_SEC)
#define BURST_LIMIT (UINT64_C(1) << 48)
enum { BYTES_MIN = 1500, BUCKETS_MAX = 65536 };
#define PLR_MAX (UINT32_C(1) << 31)

static int
refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return -EINVAL;
}

int
dn_check_number(uint32_t number, const char **why)
{
	if (number == 0 || number > DN_NUMBER_MAX)
		return refuse(why, "numbers are 1 to 65535");
	return 0;
}

int
dn_check_sched(const struct dn_change *c, const char **why)
{
	const struct dn_link_config *link = &c->sched.link;

	if ((c->set & DN_SET_RATE) && link->rate_bps > RATE_MAX)
		return refuse(why, "a bandwidth is at most 1000000 Gbit/s");
	if ((c->set & DN_SET_DELAY) && link->delay_ns > DELAY_MAX_NS)
		return refuse(why, "a delay is at most 10000 ms");
	if ((c->set & DN_SET_BURST) && link->burst_bytes >= BURST_LIMIT)
		return refuse(why, "a burst is less than 2^48 bytes");
	if ((c->set & DN_SET_BUCKETS) && c->sched.buckets > BUCKETS_MAX)
		return refuse(why, "buckets are at most 65536");
	return 0;
}

static int
check_limit(const struct dn_flowset_config *f, const char **why)
{
	if (f->queue_bytes == 0) {
		if (f->queue_packets > VNET(dn_pipe_slot_limit))
			return refuse(why, "more slots than net.inet.ip.dummynet.pipe_slot_limit");
		return 0;
	}
	if (f->queue_bytes > VNET(dn_pipe_byte_limit))
		return refuse(why, "more bytes than net.inet.ip.dummynet.pipe_byte_limit");
	if (f->queue_bytes < BYTES_MIN)
		return refuse(why, "a queue in bytes has at least 1500");
	return 0;
}

/*
 * One word of a flow's share within the part's bound? A part that doesn't know the word passes over it,
 * as the originals do: files of rules give FQ_CODEL's queues weights.
 */
static int
check_word(bool said, uint32_t value, uint32_t max, const char **why, const char *too_much)
{
	return said && max != 0 && value > max ? refuse(why, too_much) : 0;
}

static int
check_share(const struct dn_change *c, const struct dn_sched_part *part, const char **why)
{
	const struct dn_share *share = &c->flowset.share;
	int error;

	if ((error = check_word(c->set & DN_SET_WEIGHT, share->weight, part->max_weight, why,
		 "more weight than its scheduler allows")) != 0)
		return error;
	if ((error = check_word(c->set & DN_SET_MAX_LEN, share->max_len, part->max_max_len, why,
		 "a larger lmax or quantum than its scheduler allows")) != 0)
		return error;
	return check_word(c->set & DN_SET_PRIORITY, share->priority, part->max_priority, why,
	    "a higher priority than its scheduler allows");
}

int
dn_check_flowset(const struct dn_change *c, const struct dn_sched_part *part, const char **why)
{
	const struct dn_flowset_config *f = &c->flowset;
	int error;

	if ((c->set & DN_SET_LIMIT) && (error = check_limit(f, why)) != 0)
		return error;
	if ((c->set & DN_SET_PLR) && f->plr > PLR_MAX)
		return refuse(why, "a loss rate is 0 to 1");
	if ((c->set & DN_SET_BUCKETS) && f->buckets > BUCKETS_MAX)
		return refuse(why, "buckets are at most 65536");
	if ((c->set & DN_SET_AQM) && (*why = dn_aqm_check(&f->aqm)) != NULL)
		return -EINVAL;
	return part != NULL ? check_share(c, part, why) : 0;
}
