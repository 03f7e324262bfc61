/*
 * dn_compat_v3.c - the shaper as FreeBSD 8.1 and later know it: one socket option, whose value is a
 * list of objects.
 *
 *	struct dn_id { uint16_t len; uint8_t type, subtype; uint32_t id; }	heads each of them
 *
 * The first says what to do (config, delete, get, flush) and carries the interface's version; of a
 * config the objects follow that `pipe N config` made: a scheduler, its link, a flow set (N +
 * 131072 for a pipe's own), a profile. What is there is answered in the same objects.
 */
#include "dummynet/dn_compat_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { API_VERSION = 12500000 };
enum { /* types */
	V3_LINK = 1,
	V3_FS = 2,
	V3_SCH = 3,
	V3_PROFILE = 7,
	V3_FLOW = 8,
	V3_TEXT = 9, /* numbers of flow sets */
	V3_CMD_CONFIG = 0x80,
	V3_CMD_DELETE = 0x81,
	V3_CMD_GET = 0x82,
	V3_CMD_FLUSH = 0x83,
};
enum { /* flags of flow sets and schedulers */
	V3_HAVE_MASK = 0x1,
	V3_NOERROR = 0x2,
	V3_QSIZE_BYTES = 0x8,
	V3_HAS_PROFILE = 0x10,
	V3_RED = 0x20,
	V3_GENTLE_RED = 0x40,
};
enum { /* the head of an object */
	ID_LEN = 0,
	ID_TYPE = 2,
	ID_SUBTYPE = 3,
	ID_ID = 4,
	ID_SIZE = 8,
};
enum { LINK_NUMBER = 8, LINK_BANDWIDTH = 12, LINK_DELAY = 16 };
enum {
	FS_NUMBER = 8,
	FS_FLAGS = 12,
	FS_QSIZE = 16,
	FS_PLR = 20,
	FS_BUCKETS = 24,
	FS_MASK = 28,
	FS_SCHED = 84,
	FS_PAR = 88, /* weight, lmax, priority; -1 = as it is */
	FS_W_Q = 104,
	FS_MAX_TH = 108,
	FS_MIN_TH = 112,
	FS_MAX_P = 116,
	FS_SIZE = 120,
};
enum {
	SCH_NUMBER = 8,
	SCH_BUCKETS = 12,
	SCH_FLAGS = 16,
	SCH_NAME = 20,
	SCH_MASK = 36,
	SCH_SIZE = 92
};
enum {
	PROFILE_NAME = 8,
	PROFILE_NUMBER = 40,
	PROFILE_LOSS = 44,
	PROFILE_NSAMPLES = 52,
	PROFILE_SAMPLES = 56,
};
enum {
	FLOW_ID = 8,
	FLOW_PACKETS = 64,
	FLOW_BYTES = 72,
	FLOW_QUEUED = 80,
	FLOW_QUEUED_BYTES = 84,
	FLOW_DROPS = 88
};
enum { DELAY_MAX_MS = 10000, QUEUE_SLOTS = 50, QUEUE_BYTES = 16384, QUEUE_BYTES_MIN = 1500 };
enum { MAX_ID = DN_NUMBER_MAX + 1 };
#define BURST_MAX ((UINT64_C(1) << 48) - 1)

/* --- config ----------------------------------------------------------------------------------- */

/* The objects of one command. */
struct objects {
	const uint8_t *link, *fs, *sch, *profile;
	enum dn_layout *layout;
	struct dn_answer *a;
};

/* A link is four bytes longer where a long has eight. */
static bool
link_layout(struct objects *o, size_t len)
{
	enum dn_layout found = DN_LAYOUT_UNKNOWN;

	for (int i = DN_LAYOUT_3_32; i <= DN_LAYOUT_3_64; i++)
		if (len == dn_v3_layout((enum dn_layout)i)->link_size)
			found = (enum dn_layout)i;
	if (found == DN_LAYOUT_UNKNOWN || (*o->layout != DN_LAYOUT_UNKNOWN && *o->layout != found))
		return dn_compat_fail(o->a, EINVAL,
		    "a link of %zu bytes is none of 8.1 (28, 32), or of another", len);
	*o->layout = found;
	return true;
}

/* Each object at most once. */
static bool
object_read(struct objects *o, const uint8_t *object, size_t len)
{
	const uint8_t **place = NULL;
	bool fits = false;

	switch (object[ID_TYPE]) {
	case V3_LINK:
		if (!link_layout(o, len))
			return false;
		place = &o->link;
		fits = true;
		break;
	case V3_FS:
		place = &o->fs;
		fits = len == FS_SIZE;
		break;
	case V3_SCH:
		place = &o->sch;
		fits = len == SCH_SIZE;
		break;
	case V3_PROFILE:
		place = &o->profile;
		fits = len >= PROFILE_SAMPLES &&
		    get32(object, PROFILE_NSAMPLES) <= (len - PROFILE_SAMPLES) / 4;
		break;
	default:
		break;
	}
	if (place == NULL || *place != NULL || !fits)
		return dn_compat_fail(o->a, EINVAL,
		    "an object of type %u and %zu bytes can't be understood", object[ID_TYPE], len);
	*place = object;
	return true;
}

static bool
objects_read(struct objects *o, const uint8_t *at, size_t left)
{
	while (left > 0) {
		const size_t len = left >= ID_SIZE ? get16(at, ID_LEN) : 0;

		if (len < ID_SIZE || len > left)
			return dn_compat_fail(o->a, EINVAL, "the list of objects is cut short");
		if (!object_read(o, at, len))
			return false;
		at += len;
		left -= len;
	}
	return true;
}

static bool
mask_read(const struct objects *o, uint32_t flags, const uint8_t *id, struct dn_mask *mask)
{
	*mask = (struct dn_mask){ 0 };
	if (!(flags & V3_HAVE_MASK) || dn_compat_mask_get(id, mask))
		return true;
	return dn_compat_fail(o->a, EINVAL, "mask: its form can't be told");
}

static bool
link_read(const struct objects *o, struct dn_change *c)
{
	struct dn_link_config *link = &c->sched.link;
	const uint32_t delay = get32(o->link, LINK_DELAY);

	link->rate_bps = get32(o->link, LINK_BANDWIDTH);
	link->delay_ns = delay * UINT64_C(1000000);
	link->burst_bytes = load64(o->link + dn_v3_layout(*o->layout)->link_burst);
	c->set |= DN_SET_RATE | DN_SET_DELAY | DN_SET_BURST;
	if (delay > DELAY_MAX_MS || link->burst_bytes > BURST_MAX)
		return dn_compat_fail(o->a, EINVAL, "delay or burst: out of range");
	return true;
}

static bool
profile_read(const struct objects *o, struct dn_change *c)
{
	c->set |= DN_SET_PROFILE;
	if (o->profile == NULL)
		return true;
	c->sched.link.profile = dn_compat_profile((const char *)o->profile + PROFILE_NAME,
	    o->profile + PROFILE_SAMPLES, get32(o->profile, PROFILE_NSAMPLES),
	    (int32_t)get32(o->profile, PROFILE_LOSS));
	if (c->sched.link.profile == NULL)
		return dn_compat_fail(o->a, EINVAL, "profile: not a distribution");
	return true;
}

/* By name; without one it stays, or becomes the default. */
static bool
sched_read(const struct objects *o, struct dn_change *c)
{
	const uint32_t flags = get32(o->sch, SCH_FLAGS), buckets = get32(o->sch, SCH_BUCKETS);
	char name[17] = "";

	memcpy(name, o->sch + SCH_NAME, 16);
	if (name[0] != '\0') {
		c->sched.part = dn_sched_find(name);
		c->set |= DN_SET_TYPE;
		if (c->sched.part == NULL)
			return dn_compat_fail(o->a, EINVAL, "type %s: no such scheduler", name);
	}
	if (buckets != 0) {
		c->sched.buckets = buckets < 1024 ? buckets : 1024;
		c->set |= DN_SET_BUCKETS;
	}
	c->set |= DN_SET_SCHED_MASK;
	return mask_read(o, flags, o->sch + SCH_MASK, &c->sched.mask);
}

/* As ipfw3 bounded it: too little is the default, too much the limit. */
static void
limit_read(struct dn_flowset_config *f, uint32_t flags, uint32_t qsize)
{
	if (flags & V3_QSIZE_BYTES) {
		const uint32_t max = VNET(dn_pipe_byte_limit);

		f->queue_bytes = qsize < QUEUE_BYTES_MIN ? QUEUE_BYTES : qsize > max ? max : qsize;
	} else {
		const uint32_t max = VNET(dn_pipe_slot_limit);

		f->queue_packets = qsize < 1 ? QUEUE_SLOTS : qsize > max ? max : qsize;
	}
}

static bool
aqm_read(const struct objects *o, struct dn_aqm_config *aqm, uint32_t flags)
{
	dn_aqm_defaults(aqm, DN_AQM_NONE);
	if (!(flags & (V3_RED | V3_GENTLE_RED)))
		return true;
	if (!dn_compat_red_get(aqm, flags & V3_GENTLE_RED, (int32_t)get32(o->fs, FS_W_Q),
		(int32_t)get32(o->fs, FS_MIN_TH), (int32_t)get32(o->fs, FS_MAX_TH),
		(int32_t)get32(o->fs, FS_MAX_P)))
		return dn_compat_fail(o->a, EINVAL, "RED: not w_q, min_th < max_th, max_p");
	aqm->red.bytes = flags & V3_QSIZE_BYTES;
	return true;
}

/* Weight and its like: -1 (unsaid) and 0 keep what is. */
static void
share_read(const uint8_t *fs, struct dn_change *c)
{
	uint32_t *const place[] = { &c->flowset.share.weight, &c->flowset.share.max_len,
		&c->flowset.share.priority };
	static const uint32_t bits[] = { DN_SET_WEIGHT, DN_SET_MAX_LEN, DN_SET_PRIORITY };

	for (size_t i = 0; i < 3; i++) {
		const int32_t value = (int32_t)get32(fs, FS_PAR + 4 * i);

		if (value < 0 || (value == 0 && i < 2))
			continue;
		*place[i] = (uint32_t)value;
		c->set |= bits[i];
	}
}

static bool
flowset_read(const struct objects *o, struct dn_change *c)
{
	struct dn_flowset_config *f = &c->flowset;
	const uint32_t flags = get32(o->fs, FS_FLAGS), buckets = get32(o->fs, FS_BUCKETS);

	if (get32(o->fs, FS_PLR) > INT32_MAX)
		return dn_compat_fail(o->a, EINVAL, "plr: not a probability");
	f->plr = dn_compat_plr_get(get32(o->fs, FS_PLR));
	f->noerror = flags & V3_NOERROR;
	limit_read(f, flags, get32(o->fs, FS_QSIZE));
	c->set |= DN_SET_LIMIT | DN_SET_PLR | DN_SET_NOERROR | DN_SET_AQM;
	if (buckets != 0) {
		f->buckets = buckets < 1024 ? buckets : 1024;
		c->set |= DN_SET_BUCKETS;
	}
	return aqm_read(o, &f->aqm, flags);
}

/* Number N of all objects, with what ipfw3 adds for a pipe's own. */
static bool
pipe_config(const struct objects *o, uint32_t number)
{
	struct dn_change c = { 0 };
	const char *why = NULL;
	bool ok = flowset_read(o, &c) && sched_read(o, &c) && link_read(o, &c) &&
	    profile_read(o, &c);

	if (ok &&
	    (get32(o->fs, FS_NUMBER) != number + DN_HIDDEN_FLOWSET ||
		get32(o->link, LINK_NUMBER) != number))
		ok = dn_compat_fail(o->a, EINVAL, "pipe: link and flow set have other numbers");
	if (ok)
		ok = dn_compat_result(o->a, dn_pipe_config(number, &c, &why), why, "pipe", number);
	dn_profile_rele(c.sched.link.profile);
	return ok;
}

static bool
sched_config(const struct objects *o, uint32_t number)
{
	struct dn_change c = { 0 };
	const char *why = NULL;

	return sched_read(o, &c) &&
	    dn_compat_result(o->a, dn_sched_config(number, &c, &why), why, "sched", number);
}

static bool
queue_config(const struct objects *o, uint32_t number)
{
	struct dn_change c = { .set = DN_SET_FLOW_MASK };
	const uint32_t sched = get32(o->fs, FS_SCHED);
	const char *why = NULL;

	if (!flowset_read(o, &c) ||
	    !mask_read(o, get32(o->fs, FS_FLAGS), o->fs + FS_MASK, &c.flowset.mask))
		return false;
	share_read(o->fs, &c);
	if (sched > DN_NUMBER_MAX)
		return dn_compat_fail(o->a, EINVAL, "queue: of scheduler %" PRIu32 "?", sched);
	c.flowset.sched = sched;
	c.set |= sched != 0 ? DN_SET_SCHED : 0;
	return dn_compat_result(o->a, dn_queue_config(number, &c, &why), why, "queue", number);
}

/* Which of the three commands was it? */
static bool
config(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *a)
{
	struct objects o = { .layout = layout, .a = a };
	uint32_t number;

	if (!objects_read(&o, rq->bytes + ID_SIZE, rq->len - ID_SIZE))
		return false;
	number = o.sch != NULL ? get32(o.sch, SCH_NUMBER) :
	    o.fs != NULL       ? get32(o.fs, FS_NUMBER) :
				 0;
	if (number == 0 || number > DN_NUMBER_MAX)
		return dn_compat_fail(
		    a, EINVAL, "number %" PRIu32 ": not 1 to %d", number, DN_NUMBER_MAX);
	if (o.sch != NULL && o.link != NULL && o.fs != NULL)
		return pipe_config(&o, number);
	if (o.link != NULL || o.profile != NULL)
		return dn_compat_fail(a, EINVAL, "a link without its scheduler and flow set");
	return o.sch != NULL ? sched_config(&o, number) : queue_config(&o, number);
}

/* --- delete ----------------------------------------------------------------------------------- */

static bool
delete_one(struct dn_answer *a, uint8_t subtype, uint32_t number)
{
	if (number == 0 || number > DN_NUMBER_MAX)
		return dn_compat_fail(
		    a, EINVAL, "number %" PRIu32 ": not 1 to %d", number, DN_NUMBER_MAX);
	switch (subtype) {
	case V3_LINK:
		return dn_compat_result(a, dn_pipe_delete(number), NULL, "pipe", number);
	case V3_FS:
		return dn_compat_result(a, dn_queue_delete(number), NULL, "queue", number);
	case V3_SCH:
		return dn_compat_result(a, dn_sched_delete(number), NULL, "sched", number);
	default:
		return dn_compat_fail(a, EINVAL, "objects of type %u can't be deleted", subtype);
	}
}

/*
 * Numbers are longs. One of four bytes is of 32 bits. Of eight, an upper half of 0 means one of 64
 * bits, since there is no number 0; anything else is two of 32 bits.
 */
static bool
delete_list(const struct dn_request *rq, enum dn_layout layout, struct dn_answer *a)
{
	const struct dn_v3_layout *l = dn_v3_layout(layout);
	const uint8_t *at = rq->bytes + ID_SIZE;
	const size_t left = rq->len - ID_SIZE;
	size_t word = l != NULL ? l->word : left % 8 != 0 || left == 0 || get32(at, 4) != 0 ? 4 : 8;

	if (left == 0 || left % word != 0)
		return dn_compat_fail(a, EINVAL, "delete: %zu bytes are no list of numbers", left);
	for (size_t i = 0; i < left; i += word) {
		if (word == 8 && get32(at, i + 4) != 0)
			return dn_compat_fail(a, EINVAL, "delete: a number of more than 32 bits");
		if (!delete_one(a, rq->bytes[ID_SUBTYPE], get32(at, i)))
			return false;
	}
	return true;
}

/* --- get -------------------------------------------------------------------------------------- */

struct listing {
	const struct dn_v3_layout *l;
	const struct dn_request *rq;
	uint8_t subtype;
	uint32_t parent, count; /* of flows at hand */
	struct dn_bytes out;
};

/* An object with its head; NULL without memory. */
static uint8_t *
object_add(struct listing *g, uint8_t type, size_t len, uint32_t id)
{
	uint8_t *object = dn_bytes_add(&g->out, len);

	if (object == NULL)
		return NULL;
	put16(object, ID_LEN, (uint16_t)len);
	object[ID_TYPE] = type;
	put32(object, ID_ID, id);
	return object;
}

/* Is the number in one of the ranges that were asked for, if any were? */
static bool
is_asked(const struct listing *g, uint32_t number)
{
	const struct dn_request *rq = g->rq;
	const size_t end = get16(rq->bytes, ID_LEN);

	for (size_t at = ID_SIZE; at + 8 <= end; at += 8)
		if (number >= get32(rq->bytes, at) && number <= get32(rq->bytes, at + 4))
			return true;
	return end < ID_SIZE + 8;
}

static bool
put_flow(void *ctx, const struct dn_flow_view *v)
{
	struct listing *g = ctx;
	uint8_t *flow = object_add(g, V3_FLOW, g->l->flow_size, v->bucket);

	if (flow == NULL)
		return false;
	dn_compat_flow_put(flow + FLOW_ID, &v->flow);
	put64(flow, FLOW_PACKETS, v->count.packets);
	put64(flow, FLOW_BYTES, v->count.bytes);
	put32(flow, FLOW_QUEUED, v->count.queued_packets);
	put32(flow, FLOW_QUEUED_BYTES, v->count.queued_bytes);
	put32(flow, FLOW_DROPS, (uint32_t)v->count.drops);
	return true;
}

/* `number`: as this list calls it; of a pipe that of the hidden scheduler. */
static void
put_link(struct listing *g, const struct dn_sched_view *s)
{
	const struct dn_link_config *config = &s->config->link;
	uint8_t *link = object_add(g, V3_LINK, g->l->link_size, 0);

	if (link == NULL)
		return;
	put32(link, LINK_NUMBER, s->number);
	put32(link, LINK_BANDWIDTH, s->rate_bps < UINT32_MAX ? (uint32_t)s->rate_bps : UINT32_MAX);
	put32(link, LINK_DELAY, (uint32_t)(config->delay_ns / 1000000));
	put64(link, g->l->link_burst, config->burst_bytes);
}

static void
put_profile(struct listing *g, const struct dn_sched_view *s)
{
	const struct dn_profile *p = s->config->link.profile;
	const uint32_t n = p != NULL ? dn_profile_samples(p) : 0;
	uint8_t *profile = n != 0 ?
	    object_add(g, V3_PROFILE, PROFILE_SAMPLES + 4 * DN_SAMPLES_MAX, 0) :
	    NULL;

	if (profile == NULL)
		return;
	snprintf((char *)profile + PROFILE_NAME, 32, "%s", dn_profile_name(p));
	put32(profile, PROFILE_NUMBER, s->number);
	put32(profile, PROFILE_LOSS, (uint32_t)(dn_profile_loss_level(p) * n + 0.5));
	put32(profile, PROFILE_NSAMPLES, n);
}

static void
put_sched(struct listing *g, const struct dn_sched_view *s)
{
	uint8_t *sch = object_add(g, V3_SCH, SCH_SIZE, s->instances);

	if (sch == NULL)
		return;
	sch[ID_SUBTYPE] = (uint8_t)s->config->part->number;
	put32(sch, SCH_NUMBER, s->number);
	put32(sch, SCH_BUCKETS, s->buckets);
	put32(sch, SCH_FLAGS, dn_mask_is_empty(&s->config->mask) ? 0 : V3_HAVE_MASK);
	snprintf((char *)sch + SCH_NAME, 16, "%s", s->config->part->name);
	dn_compat_mask_put(sch + SCH_MASK, &s->config->mask);
}

static void
put_red(uint8_t *fs, const struct dn_aqm_config *aqm)
{
	put32(fs, FS_W_Q, (uint32_t)(aqm->red.w_q * DN_RED_ONE + 0.5));
	put32(fs, FS_MAX_P, (uint32_t)(aqm->red.max_p * DN_RED_ONE + 0.5));
	put32(fs, FS_MIN_TH, aqm->red.min_th);
	put32(fs, FS_MAX_TH, aqm->red.max_th);
}

static void
put_flowset(struct listing *g, const struct dn_flowset_view *f)
{
	const struct dn_flowset_config *c = f->config;
	const bool red = c->aqm.kind == DN_AQM_RED || c->aqm.kind == DN_AQM_GRED;
	uint8_t *fs = object_add(g, V3_FS, FS_SIZE, f->flows);

	if (fs == NULL)
		return;
	put32(fs, FS_NUMBER, f->number);
	put32(fs, FS_FLAGS,
	    (dn_mask_is_empty(&c->mask) ? 0u : V3_HAVE_MASK) | (c->noerror ? V3_NOERROR : 0u) |
		(c->queue_bytes != 0 ? V3_QSIZE_BYTES : 0u) | (red ? V3_RED : 0u) |
		(c->aqm.kind == DN_AQM_GRED ? V3_GENTLE_RED : 0u));
	put32(fs, FS_QSIZE, c->queue_bytes != 0 ? c->queue_bytes : c->queue_packets);
	put32(fs, FS_PLR, dn_compat_plr_put(c->plr));
	put32(fs, FS_BUCKETS, f->buckets);
	dn_compat_mask_put(fs + FS_MASK, &c->mask);
	put32(fs, FS_SCHED, c->sched);
	put32(fs, FS_PAR, c->share.weight);
	put32(fs, FS_PAR + 4, c->share.max_len);
	put32(fs, FS_PAR + 8, c->share.priority);
	if (red)
		put_red(fs, &c->aqm);
}

/* Pipes by their hidden schedulers, which is how their numbers were asked for, too. */
static bool
put_pipe(void *ctx, const struct dn_sched_view *s)
{
	struct listing *g = ctx;
	const uint32_t flowset = s->number - DN_HIDDEN_SCHED + DN_HIDDEN_FLOWSET;
	struct dn_flowset_view f;

	if (s->number <= DN_HIDDEN_SCHED || !is_asked(g, s->number))
		return true;
	put_link(g, s);
	put_profile(g, s);
	if (dn_flowset_look(flowset, &f))
		put_flowset(g, &f);
	put_sched(g, s);
	dn_flow_walk(flowset, put_flow, g);
	return !g->out.bad;
}

static bool
put_child(void *ctx, const struct dn_flowset_view *f)
{
	struct listing *g = ctx;
	uint8_t *number;

	if (f->number > DN_NUMBER_MAX || f->config->sched != g->parent)
		return true;
	if ((number = dn_bytes_add(&g->out, 4)) == NULL)
		return false;
	put32(number, 0, f->number);
	g->count++;
	return true;
}

/* An object of 64 KiB at most: beyond, the rest of them is left out. */
static void
put_children(struct listing *g, uint32_t sched)
{
	const size_t at = g->out.len, most = (UINT16_MAX - ID_SIZE) / 4;

	g->parent = sched;
	g->count = 0;
	if (object_add(g, V3_TEXT, ID_SIZE, 0) == NULL)
		return;
	dn_flowset_walk(put_child, g);
	if (g->out.bad)
		return;
	if (g->count > most) {
		g->out.len = at + ID_SIZE + 4 * most;
		g->count = (uint32_t)most;
	}
	put16(g->out.at + at, ID_LEN, (uint16_t)(ID_SIZE + 4 * g->count));
}

static bool
put_scheduler(void *ctx, const struct dn_sched_view *s)
{
	struct listing *g = ctx;

	if (s->number > DN_NUMBER_MAX || !is_asked(g, s->number))
		return true;
	put_link(g, s);
	put_sched(g, s);
	put_profile(g, s);
	put_children(g, s->number);
	return !g->out.bad;
}

static bool
put_queue(void *ctx, const struct dn_flowset_view *f)
{
	struct listing *g = ctx;

	if (f->number > DN_NUMBER_MAX || !is_asked(g, f->number))
		return true;
	put_flowset(g, f);
	dn_flow_walk(f->number, put_flow, g);
	return !g->out.bad;
}

/* The head says how long the whole is; a buffer that is shorter gets nothing but the head. */
static bool
get(const struct dn_request *rq, enum dn_layout layout, struct dn_answer *a)
{
	struct listing g = { .l = dn_v3_layout(layout), .rq = rq };
	const uint8_t subtype = rq->bytes[ID_SUBTYPE];

	if (g.l == NULL)
		return dn_compat_fail(
		    a, EINVAL, "of 32 or 64 bits? Configure a pipe first, or say -l 3-32 or 3-64");
	if (subtype != V3_LINK && subtype != V3_FS && subtype != V3_SCH)
		return dn_compat_fail(a, EINVAL, "objects of type %u can't be listed", subtype);
	object_add(&g, V3_CMD_GET, ID_SIZE, 0);
	if (subtype == V3_FS)
		dn_flowset_walk(put_queue, &g);
	else
		dn_sched_walk(subtype == V3_LINK ? put_pipe : put_scheduler, &g);
	a->bytes = g.out.at;
	if (g.out.bad)
		return dn_compat_fail(a, ENOMEM, "no memory");
	g.out.at[ID_SUBTYPE] = subtype;
	put32(g.out.at, ID_ID, (uint32_t)g.out.len);
	a->len = g.out.len <= rq->room ? g.out.len : rq->room < ID_SIZE ? 0 : ID_SIZE;
	return true;
}

/* --- a request -------------------------------------------------------------------------------- */

void
dn_v3_request(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *a)
{
	const size_t len = rq->len >= ID_SIZE ? get16(rq->bytes, ID_LEN) : 0;
	const uint8_t type = len >= ID_SIZE ? rq->bytes[ID_TYPE] : 0;

	if (len < ID_SIZE || len > rq->len) {
		dn_compat_fail(a, EINVAL, "no object at the start");
		return;
	}
	if (get32(rq->bytes, ID_ID) != API_VERSION) {
		dn_compat_fail(a, EINVAL, "interface version %" PRIu32 ", not %d",
		    get32(rq->bytes, ID_ID), API_VERSION);
		return;
	}
	if (type == V3_CMD_GET && rq->get)
		get(rq, *layout, a);
	else if (type == V3_CMD_CONFIG && !rq->get && len == ID_SIZE)
		config(rq, layout, a);
	else if (type == V3_CMD_DELETE && !rq->get && len == rq->len)
		delete_list(rq, *layout, a);
	else if (type == V3_CMD_FLUSH && !rq->get)
		dn_flush();
	else
		dn_compat_fail(a, EINVAL, "command 0x%x is not for %s", type,
		    rq->get ? "getsockopt" : "setsockopt");
}
