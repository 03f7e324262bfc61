/*
 * dn_compat_old.c - the shaper as FreeBSD 7 and 8.0 knew it: pipes, and queues that share one.
 *
 * A pipe's struct has everything, with the flow set of its own FIFO inside; a queue is the same
 * struct with number 0, of which only the flow set counts. Whoever asks what is there gets pipes,
 * then flow sets, each followed by the queues of its flows. Records say all parameters at once, so
 * that nothing keeps its value.
 */
#include "dummynet/dn_compat_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { /* flags of a flow set */
	OLD_HAVE_MASK = 0x1,
	OLD_RED = 0x2,
	OLD_GENTLE_RED = 0x4,
	OLD_QSIZE_BYTES = 0x8,
	OLD_NOERROR = 0x10,
	OLD_PROFILE = 0x20,
	OLD_IS_PIPE = 0x4000, /* in the place of the pointer `next` … */
	OLD_IS_QUEUE = 0x8000,
};
enum { QUEUE_SLOTS = 50, QUEUE_BYTES = 1 << 20, DELAY_MAX_MS = 10000 };
#define BURST_MAX ((UINT64_C(1) << 48) - 1)

/* A record that is being read. */
struct record {
	const struct dn_old_layout *l;
	const uint8_t *pipe, *fs;
	size_t len;
	struct dn_answer *a;
};

/* --- who speaks ------------------------------------------------------------------------------- */

/* By the length of the record, which is that of a struct; or an earlier one told. */
static bool
layout_learn(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *a)
{
	enum dn_layout found = DN_LAYOUT_UNKNOWN;

	for (int i = DN_LAYOUT_7_32; i <= DN_LAYOUT_8_64; i++) {
		const struct dn_old_layout *l = dn_old_layout((enum dn_layout)i);

		if (rq->len == l->pipe.size ||
		    (l->pipe.max_size != 0 && rq->len == l->pipe.max_size))
			found = (enum dn_layout)i;
	}
	if (found == DN_LAYOUT_UNKNOWN)
		return dn_compat_fail(a, EINVAL,
		    "%zu bytes are no record of 7 (280, 352) or 8 (344, 424, 4440, 4520)", rq->len);
	if (*layout != DN_LAYOUT_UNKNOWN && *layout != found)
		return dn_compat_fail(
		    a, EINVAL, "%zu bytes are a record of another release than was said", rq->len);
	*layout = found;
	return true;
}

/* --- config ----------------------------------------------------------------------------------- */

/* Sizes that are not allowed were taken for the default, in silence. */
static void
limit_read(const struct record *r, struct dn_flowset_config *f, uint16_t flags)
{
	const uint32_t qsize = get32(r->fs, r->l->fs.qsize);

	if (flags & OLD_QSIZE_BYTES)
		f->queue_bytes = qsize == 0 || qsize > VNET(dn_pipe_byte_limit) ?
		    VNET(dn_pipe_byte_limit) :
		    qsize;
	else
		f->queue_packets = qsize == 0 || qsize > VNET(dn_pipe_slot_limit) ? QUEUE_SLOTS :
										    qsize;
}

static bool
aqm_read(const struct record *r, struct dn_aqm_config *aqm, uint16_t flags)
{
	dn_aqm_defaults(aqm, DN_AQM_NONE);
	if (!(flags & OLD_RED))
		return true;
	if (!dn_compat_red_get(aqm, flags & OLD_GENTLE_RED, (int32_t)get32(r->fs, r->l->fs.w_q),
		(int32_t)get32(r->fs, r->l->fs.min_th), (int32_t)get32(r->fs, r->l->fs.max_th),
		(int32_t)get32(r->fs, r->l->fs.max_p)))
		return dn_compat_fail(r->a, EINVAL, "RED: not w_q, min_th < max_th, max_p");
	aqm->red.bytes = flags & OLD_QSIZE_BYTES;
	return true;
}

/* What a pipe and a queue have in common. */
static bool
flowset_read(const struct record *r, struct dn_change *c, struct dn_mask *mask)
{
	struct dn_flowset_config *f = &c->flowset;
	const uint16_t flags = get16(r->fs, r->l->fs.flags);
	const uint32_t buckets = get32(r->fs, r->l->fs.buckets);

	*mask = (struct dn_mask){ 0 };
	if ((flags & OLD_HAVE_MASK) && !dn_compat_mask_get(r->fs + r->l->fs.mask, mask))
		return dn_compat_fail(r->a, EINVAL,
		    "mask: can't be told whether it is one of 7.0 or of 7.1 and later");
	if (get32(r->fs, r->l->fs.plr) > INT32_MAX)
		return dn_compat_fail(r->a, EINVAL, "plr: not a probability");
	limit_read(r, f, flags);
	f->plr = dn_compat_plr_get(get32(r->fs, r->l->fs.plr));
	f->noerror = flags & OLD_NOERROR;
	c->set |= DN_SET_LIMIT | DN_SET_PLR | DN_SET_NOERROR | DN_SET_AQM;
	if (buckets > 0 && buckets <= UINT16_MAX + 1) {
		c->sched.buckets = f->buckets = buckets < 1024 ? buckets : 1024;
		c->set |= DN_SET_BUCKETS;
	}
	return aqm_read(r, &f->aqm, flags);
}

static bool
link_read(const struct record *r, struct dn_link_config *link)
{
	const struct dn_old_layout *l = r->l;
	const uint32_t rate = get32(r->pipe, l->pipe.bandwidth);
	const uint32_t delay = get32(r->pipe, l->pipe.delay);

	if (rate > INT32_MAX || delay > DELAY_MAX_MS)
		return dn_compat_fail(r->a, EINVAL,
		    "bandwidth %" PRIu32 ", delay %" PRIu32 " ms: out of range", rate, delay);
	link->rate_bps = rate;
	link->delay_ns = delay * UINT64_C(1000000);
	memcpy(link->rate_of, r->pipe + l->pipe.if_name, sizeof(link->rate_of));
	link->rate_of[sizeof(link->rate_of) - 1] = '\0';
	if (l->pipe.burst == 0)
		return true;
	link->burst_bytes = load64(r->pipe + l->pipe.burst);
	if (link->burst_bytes > BURST_MAX)
		return dn_compat_fail(r->a, EINVAL, "burst: 2^48 bytes or more");
	return true;
}

/* Samples stand behind the longer of 8's two records. */
static bool
profile_read(const struct record *r, struct dn_link_config *link)
{
	const struct dn_old_layout *l = r->l;
	const uint32_t n = l->pipe.nsamples != 0 ? get32(r->pipe, l->pipe.nsamples) : 0;

	if (n == 0)
		return true;
	if (r->len != l->pipe.max_size || n > DN_SAMPLES_MAX)
		return dn_compat_fail(
		    r->a, EINVAL, "profile: %" PRIu32 " samples are not there", n);
	link->profile = dn_compat_profile((const char *)r->pipe + l->pipe.profile_name,
	    r->pipe + l->pipe.size, n, (int32_t)get32(r->pipe, l->pipe.loss_level));
	if (link->profile == NULL)
		return dn_compat_fail(r->a, EINVAL, "profile: not a distribution");
	return true;
}

static bool
pipe_config(const struct record *r, uint32_t number)
{
	struct dn_change c = { .set = DN_SET_RATE | DN_SET_DELAY | DN_SET_BURST | DN_SET_PROFILE |
		    DN_SET_SCHED_MASK };
	const char *why = NULL;
	bool ok;

	if (!flowset_read(r, &c, &c.sched.mask) || !link_read(r, &c.sched.link) ||
	    !profile_read(r, &c.sched.link))
		return false;
	ok = dn_compat_result(r->a, dn_pipe_config(number, &c, &why), why, "pipe", number);
	dn_profile_rele(c.sched.link.profile);
	return ok;
}

static bool
queue_config(const struct record *r, uint32_t number)
{
	struct dn_change c = { .set = DN_SET_FLOW_MASK };
	const uint16_t parent = get16(r->fs, r->l->fs.parent);
	const uint32_t weight = get32(r->fs, r->l->fs.weight);
	const char *why = NULL;

	if (!flowset_read(r, &c, &c.flowset.mask))
		return false;
	if (weight > 100)
		return dn_compat_fail(r->a, EINVAL, "weight %" PRIu32 ": not 1 to 100", weight);
	c.flowset.sched = parent;
	c.flowset.share.weight = weight == 0 ? 1 : weight;
	c.set |= DN_SET_WEIGHT | (parent != 0 ? DN_SET_SCHED : 0);
	return dn_compat_result(r->a, dn_queue_config(number, &c, &why), why, "queue", number);
}

/* --- a record --------------------------------------------------------------------------------- */

/* Whose number is it: exactly one of both. */
static bool
numbers_read(const struct record *r, uint32_t *pipe, uint32_t *queue)
{
	*pipe = get32(r->pipe, r->l->pipe.number);
	*queue = get16(r->fs, r->l->fs.number);
	if (*pipe > DN_NUMBER_MAX)
		return dn_compat_fail(r->a, EINVAL,
		    "pipe 0x%08" PRIx32 ": not a number of 1 to %d, in this machine's byte order",
		    *pipe, DN_NUMBER_MAX);
	if ((*pipe != 0) == (*queue != 0))
		return dn_compat_fail(r->a, EINVAL, "%s a pipe's and a queue's number",
		    *pipe != 0 ? "both" : "neither");
	return true;
}

static void
config_or_delete(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *a)
{
	struct record r = { .pipe = rq->bytes, .len = rq->len, .a = a };
	uint32_t pipe, queue;

	if (!layout_learn(rq, layout, a))
		return;
	r.l = dn_old_layout(*layout);
	r.fs = r.pipe + r.l->pipe.flowset;
	if (!numbers_read(&r, &pipe, &queue))
		return;
	if (rq->option == DN_OPT_CONFIGURE)
		(void)(pipe != 0 ? pipe_config(&r, pipe) : queue_config(&r, queue));
	else if (pipe != 0)
		dn_compat_result(a, dn_pipe_delete(pipe), NULL, "pipe", pipe);
	else
		dn_compat_result(a, dn_queue_delete(queue), NULL, "queue", queue);
}

/* --- get -------------------------------------------------------------------------------------- */

struct listing {
	const struct dn_old_layout *l;
	struct dn_bytes *out;
	uint32_t queues; /* of the flow set at hand */
};

/* The value as the member can hold it. */
static uint32_t
clamp(uint64_t value)
{
	return value < INT32_MAX ? (uint32_t)value : INT32_MAX;
}

static bool
put_queue(void *ctx, const struct dn_flow_view *v)
{
	struct listing *g = ctx;
	const struct dn_old_layout *l = g->l;
	uint8_t *q = dn_bytes_add(g->out, l->queue.size);

	if (q == NULL)
		return false;
	dn_compat_flow_put(q + l->queue.id, &v->flow);
	put32(q, l->queue.packets, v->count.queued_packets);
	put32(q, l->queue.bytes, v->count.queued_bytes);
	put64(q, l->queue.tot_packets, v->count.packets);
	put64(q, l->queue.tot_bytes, v->count.bytes);
	put32(q, l->queue.drops, (uint32_t)v->count.drops);
	put32(q, l->queue.slot, v->bucket);
	g->queues++;
	return true;
}

static uint16_t
flags_of(const struct dn_flowset_config *f, const struct dn_mask *mask)
{
	const bool red = f->aqm.kind == DN_AQM_RED || f->aqm.kind == DN_AQM_GRED;

	return (uint16_t)((dn_mask_is_empty(mask) ? 0 : OLD_HAVE_MASK) | (red ? OLD_RED : 0) |
	    (f->aqm.kind == DN_AQM_GRED ? OLD_GENTLE_RED : 0) |
	    (f->queue_bytes != 0 ? OLD_QSIZE_BYTES : 0) | (f->noerror ? OLD_NOERROR : 0));
}

/* A flow set, wherever it stands. Thresholds are scaled here, but not in requests. */
static void
put_flowset(const struct dn_old_layout *l, uint8_t *fs, const struct dn_flowset_config *f,
    const struct dn_mask *mask, uint32_t buckets)
{
	const struct dn_aqm_config *aqm = &f->aqm;

	put16(fs, l->fs.flags, flags_of(f, mask));
	put32(fs, l->fs.weight, f->share.weight);
	put32(fs, l->fs.qsize, f->queue_bytes != 0 ? f->queue_bytes : f->queue_packets);
	put32(fs, l->fs.plr, dn_compat_plr_put(f->plr));
	dn_compat_mask_put(fs + l->fs.mask, mask);
	put32(fs, l->fs.buckets, buckets == 0 ? 1 : buckets);
	if (aqm->kind != DN_AQM_RED && aqm->kind != DN_AQM_GRED)
		return;
	put32(fs, l->fs.w_q, (uint32_t)(aqm->red.w_q * DN_RED_ONE + 0.5));
	put32(fs, l->fs.max_p, (uint32_t)(aqm->red.max_p * DN_RED_ONE + 0.5));
	put32(fs, l->fs.min_th, aqm->red.min_th << 16);
	put32(fs, l->fs.max_th, aqm->red.max_th << 16);
}

static void
put_profile(const struct dn_old_layout *l, uint8_t *pipe, const struct dn_profile *p)
{
	const uint32_t n = p != NULL ? dn_profile_samples(p) : 0;

	if (n == 0 || l->pipe.nsamples == 0)
		return;
	snprintf((char *)pipe + l->pipe.profile_name, 32, "%s", dn_profile_name(p));
	put32(pipe, l->pipe.nsamples, n);
	put32(pipe, l->pipe.loss_level, (uint32_t)(dn_profile_loss_level(p) * n + 0.5));
	put16(pipe + l->pipe.flowset, l->fs.flags,
	    get16(pipe + l->pipe.flowset, l->fs.flags) | OLD_PROFILE);
}

static void
put_link(const struct dn_old_layout *l, uint8_t *pipe, const struct dn_sched_view *s)
{
	const struct dn_link_config *link = &s->config->link;

	put16(pipe, 0, OLD_IS_PIPE);
	put32(pipe, l->pipe.bandwidth, clamp(link->rate_of[0] != '\0' ? 0 : s->rate_bps));
	put32(pipe, l->pipe.delay, clamp(link->delay_ns / 1000000));
	memcpy(pipe + l->pipe.if_name, link->rate_of, sizeof(link->rate_of));
	if (l->pipe.burst != 0)
		put64(pipe, l->pipe.burst, link->burst_bytes);
}

/* Pipe N is the hidden FIFO scheduler of N. */
static bool
put_pipe(void *ctx, const struct dn_sched_view *s)
{
	struct listing *g = ctx;
	const struct dn_old_layout *l = g->l;
	const uint32_t number = s->number - DN_HIDDEN_SCHED;
	const size_t at = g->out->len;
	struct dn_flowset_view f;
	uint8_t *pipe;

	if (s->number <= DN_HIDDEN_SCHED || !dn_flowset_look(number + DN_HIDDEN_FLOWSET, &f))
		return true;
	if ((pipe = dn_bytes_add(g->out, l->pipe.size)) == NULL)
		return false;
	put_link(l, pipe, s);
	put32(pipe, l->pipe.number, number);
	put_flowset(l, pipe + l->pipe.flowset, f.config, &s->config->mask, s->buckets);
	put16(pipe + l->pipe.flowset, l->fs.parent, (uint16_t)number);
	put_profile(l, pipe, s->config->link.profile);
	g->queues = 0;
	dn_flow_walk(f.number, put_queue, g);
	if (!g->out->bad) /* it may have moved */
		put32(g->out->at + at, l->pipe.flowset + l->fs.queues, g->queues);
	return !g->out->bad;
}

static bool
put_queues_flowset(void *ctx, const struct dn_flowset_view *f)
{
	struct listing *g = ctx;
	const struct dn_old_layout *l = g->l;
	const size_t at = g->out->len;
	uint8_t *fs;

	if (f->number > DN_NUMBER_MAX)
		return true;
	if ((fs = dn_bytes_add(g->out, l->fs.size)) == NULL)
		return false;
	put16(fs, 0, OLD_IS_QUEUE);
	put_flowset(l, fs, f->config, &f->config->mask, f->buckets);
	put16(fs, l->fs.number, (uint16_t)f->number);
	put16(fs, l->fs.parent, (uint16_t)f->config->sched);
	g->queues = 0;
	dn_flow_walk(f->number, put_queue, g);
	if (!g->out->bad)
		put32(g->out->at + at, l->fs.queues, g->queues);
	return !g->out->bad;
}

/*
 * As much as the buffer holds: a program that finds it full asks again with a larger one. Nothing
 * in the request says of which release it is.
 */
static void
get(const struct dn_request *rq, enum dn_layout layout, struct dn_answer *a)
{
	struct dn_bytes out = { 0 };
	struct listing g = { .l = dn_old_layout(layout), .out = &out };

	if (g.l == NULL) {
		dn_compat_fail(a, EINVAL,
		    "of 7 or 8, 32 or 64 bits? Configure something first, or say -l 7-32 … 8-64");
		return;
	}
	dn_sched_walk(put_pipe, &g);
	dn_flowset_walk(put_queues_flowset, &g);
	if (out.bad)
		dn_compat_fail(a, ENOMEM, "no memory");
	a->bytes = out.at;
	a->len = out.bad ? 0 : out.len < rq->room ? out.len : rq->room;
}

void
dn_old_request(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *answer)
{
	if (rq->option == DN_OPT_FLUSH && !rq->get)
		dn_flush();
	else if (rq->option == DN_OPT_GET && rq->get)
		get(rq, *layout, answer);
	else if (!rq->get && (rq->option == DN_OPT_CONFIGURE || rq->option == DN_OPT_DEL))
		config_or_delete(rq, layout, answer);
	else
		dn_compat_fail(answer, EINVAL, "option %" PRIu32 " is not for %s", rq->option,
		    rq->get ? "getsockopt" : "setsockopt");
}
