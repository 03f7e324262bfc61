/*
 * dn_object.c - schedulers and flowsets by their numbers: configured, linked to each other, deleted.
 *
 *	dn_pipe_config, …	checked as a whole; what isn't there is made; then nothing fails any more
 *	scheduler_apply		its part, mask, link: what waits is put over if it waits elsewhere now
 *	flowset_apply		its scheduler, mask, limits, share
 *
 * What may be said dn_check.c says.
 *
 * While a stack has an object its domain runs one instant at a time (base/sched.h): a packet comes out
 * of a pipe at a time that nobody knew when the batch that brought it began, and must not be behind
 * what the batch does later.
 */
#include "dummynet/dn_internal.h"

#include "dummynet/dn_profile.h"
#include "kern/eventhandler.h"
#include "net/if.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE_STATIC(struct dn_hash, dn_schedulers);
VNET_DEFINE_STATIC(struct dn_hash, dn_flowsets);
LIST_HEAD(dn_flowset_list, dn_flowset);
VNET_DEFINE_STATIC(struct dn_flowset_list, dn_unlinked);
VNET_DEFINE_STATIC(uint32_t, dn_followers); /* schedulers that have an interface's rate */

static uint64_t schedulers_live, flowsets_live; /* atomic */
AUDIT_COUNTER(dn_scheduler, "dummynet scheduler", schedulers_live);
AUDIT_COUNTER(dn_flowset, "dummynet flowset", flowsets_live);

bool
dn_is_used(void)
{
	return __atomic_load_n(&schedulers_live, __ATOMIC_RELAXED) != 0 ||
	    __atomic_load_n(&flowsets_live, __ATOMIC_RELAXED) != 0;
}
static struct event_tag *arrival_tag, *departure_tag, *link_tag;

/* --- by their numbers ------------------------------------------------------------------------- */

struct dn_scheduler *
dn_scheduler_find(uint32_t number)
{
	struct dn_node *n = dn_hash_first(&VNET(dn_schedulers), dn_number_hash(number));

	while (n != NULL && ((struct dn_scheduler *)(void *)n)->number != number)
		n = n->next;
	return (struct dn_scheduler *)(void *)n;
}

struct dn_flowset *
dn_flowset_find(uint32_t number)
{
	struct dn_node *n = dn_hash_first(&VNET(dn_flowsets), dn_number_hash(number));

	while (n != NULL && ((struct dn_flowset *)(void *)n)->number != number)
		n = n->next;
	return (struct dn_flowset *)(void *)n;
}

void
dn_scheduler_foreach(void (*fn)(struct dn_scheduler *s, void *ctx), void *ctx)
{
	const struct dn_hash *h = &VNET(dn_schedulers);

	for (uint32_t i = 0; h->slot != NULL && i <= h->mask; i++)
		for (struct dn_node *n = h->slot[i]; n != NULL; n = n->next)
			fn((struct dn_scheduler *)(void *)n, ctx);
}

void
dn_flowset_foreach(void (*fn)(struct dn_flowset *fs, void *ctx), void *ctx)
{
	const struct dn_hash *h = &VNET(dn_flowsets);

	for (uint32_t i = 0; h->slot != NULL && i <= h->mask; i++)
		for (struct dn_node *n = h->slot[i]; n != NULL; n = n->next)
			fn((struct dn_flowset *)(void *)n, ctx);
}

/* --- flowsets and their scheduler ------------------------------------------------------------- */

static uint32_t
bounded(uint32_t value, uint32_t fallback, uint32_t max)
{
	if (value == 0)
		return fallback;
	return value < max ? value : max;
}

struct dn_share
dn_flowset_share(const struct dn_flowset *fs)
{
	const struct dn_share *said = &fs->config.share;
	const struct dn_sched_part *part = fs->sched->config.part;

	return (struct dn_share){
		.weight = bounded(said->weight, 1, part->max_weight),
		.max_len = bounded(said->max_len, part->default_max_len, part->max_max_len),
		.priority = bounded(said->priority, 0, part->max_priority),
	};
}

/*
 * How long a typical packet takes tells RED how fast an idle queue's average falls. Its thresholds
 * are in what the queue is limited in.
 */
static void
aqm_follow_link(struct dn_flowset *fs)
{
	struct dn_aqm_config *aqm = &fs->config.aqm;
	const uint64_t rate = fs->sched != NULL ? fs->sched->rate_bps : 0;

	if (aqm->kind != DN_AQM_RED && aqm->kind != DN_AQM_GRED)
		return;
	aqm->red.bytes = fs->config.queue_bytes != 0;
	aqm->red.typical_ns = rate == 0 ? 0 : VNET(dn_red_avg_pkt_size) * 8 * NS_PER_SEC / rate;
	if (aqm->red.max_pkt_size == 0)
		aqm->red.max_pkt_size = VNET(dn_red_max_pkt_size);
}

/* Its queues as the flowset and its scheduler are now. */
static void
flowset_follow(struct dn_flowset *fs)
{
	struct dn_flowq *fq;

	aqm_follow_link(fs);
	fs->masked = fs->sched != NULL &&
	    (!dn_mask_is_empty(&fs->config.mask) || fs->sched->masked);
	TAILQ_FOREACH(fq, &fs->queues, of_flowset)
		dn_flowq_follow(fq);
}

static void
flowset_link(struct dn_flowset *fs, struct dn_scheduler *s)
{
	LIST_REMOVE(fs, link);
	fs->sched = s;
	if (s != NULL)
		LIST_INSERT_HEAD(&s->flowsets, fs, link);
	else
		LIST_INSERT_HEAD(&VNET(dn_unlinked), fs, link);
	flowset_follow(fs);
}

/* Those that waited for it. */
static void
scheduler_adopt(struct dn_scheduler *s)
{
	struct dn_flowset *fs, *next;

	LIST_FOREACH_SAFE(fs, &VNET(dn_unlinked), link, next)
		if (fs->config.sched == s->number)
			flowset_link(fs, s);
}

/* The queue that all share stays with another of the scheduler's flowsets, if it has one. */
static void
flowset_leave_shared(struct dn_flowset *fs)
{
	struct dn_flowset *heir = fs->sched != NULL ? LIST_FIRST(&fs->sched->flowsets) : NULL;
	struct dn_flowq *fq, *next;

	if (heir == fs)
		heir = LIST_NEXT(fs, link);
	if (heir == NULL)
		return;
	TAILQ_FOREACH_SAFE(fq, &fs->queues, of_flowset, next)
		if (fq->inst->shared == fq)
			dn_flowq_give(fq, heir);
	/* One of its own goes with it. */
	if (fs->only != NULL && fs->only->fs != fs)
		fs->only = NULL;
}

/* --- made ------------------------------------------------------------------------------------- */

static void
time_is_serial(void)
{
	if (curvnet->domain != NULL)
		sched_domain_set_serial(curvnet->domain, true);
}

/* A part's parameters: as said, or its defaults. False: no memory. */
static bool
param_make(const struct dn_sched_part *part, const void *said, void **param)
{
	*param = NULL;
	if (part->param_size == 0)
		return true;
	if ((*param = vnet_malloc(part->param_size)) == NULL)
		return false;
	if (said != NULL)
		memcpy(*param, said, part->param_size);
	else if (part->param_init != NULL)
		part->param_init(*param);
	return true;
}

static struct dn_scheduler *
scheduler_new(uint32_t number, const struct dn_sched_part *part)
{
	struct dn_scheduler *s = vnet_malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->number = number;
	s->config.part = part;
	LIST_INIT(&s->flowsets);
	TAILQ_INIT(&s->instances);
	if (!param_make(part, NULL, &s->config.param) ||
	    dn_hash_add(&VNET(dn_schedulers), &s->node, dn_number_hash(number)) != 0) {
		vnet_free(s->config.param);
		vnet_free(s);
		return NULL;
	}
	dn_part_ref(part);
	V_dn_stat.schedulers++;
	__atomic_fetch_add(&schedulers_live, 1, __ATOMIC_RELAXED);
	time_is_serial();
	scheduler_adopt(s);
	return s;
}

static struct dn_flowset *
flowset_new(uint32_t number, uint32_t sched)
{
	struct dn_flowset *fs = vnet_malloc(sizeof(*fs));

	if (fs == NULL)
		return NULL;
	fs->number = number;
	fs->config.sched = sched;
	fs->config.queue_packets = DN_QUEUE_DEFAULT;
	TAILQ_INIT(&fs->queues);
	if (dn_hash_add(&VNET(dn_flowsets), &fs->node, dn_number_hash(number)) != 0) {
		vnet_free(fs);
		return NULL;
	}
	LIST_INSERT_HEAD(&VNET(dn_unlinked), fs, link);
	V_dn_stat.flowsets++;
	__atomic_fetch_add(&flowsets_live, 1, __ATOMIC_RELAXED);
	time_is_serial();
	flowset_link(fs, dn_scheduler_find(sched));
	return fs;
}

/* --- deleted ---------------------------------------------------------------------------------- */

static void
flowset_delete(struct dn_flowset *fs)
{
	struct dn_flowq *fq, *next;

	flowset_leave_shared(fs);
	TAILQ_FOREACH_SAFE(fq, &fs->queues, of_flowset, next)
		dn_flowq_free(fq, NULL);
	LIST_REMOVE(fs, link);
	dn_hash_remove(&VNET(dn_flowsets), &fs->node);
	vnet_free(fs);
	V_dn_stat.flowsets--;
	__atomic_fetch_sub(&flowsets_live, 1, __ATOMIC_RELAXED);
}

static void
instance_delete(struct dn_instance *inst)
{
	struct dn_flowq *fq, *next;

	LIST_FOREACH_SAFE(fq, &inst->queues, of_instance, next)
		dn_flowq_free(fq, NULL);
	dn_instance_free(inst);
}

static void
link_config_free(struct dn_link_config *link)
{
	if (link->rate_of[0] != '\0')
		VNET(dn_followers)--;
	dn_profile_rele(link->profile);
}

static void
scheduler_delete(struct dn_scheduler *s)
{
	struct dn_instance *inst, *next;
	struct dn_flowset *fs;

	TAILQ_FOREACH_SAFE(inst, &s->instances, link, next)
		instance_delete(inst);
	while ((fs = LIST_FIRST(&s->flowsets)) != NULL)
		flowset_link(fs, NULL);
	dn_hash_remove(&VNET(dn_schedulers), &s->node);
	dn_part_rele(s->config.part);
	link_config_free(&s->config.link);
	vnet_free(s->config.param);
	vnet_free(s);
	V_dn_stat.schedulers--;
	__atomic_fetch_sub(&schedulers_live, 1, __ATOMIC_RELAXED);
}

/* Scheduler, its FIFO twin, and the flowset that `pipe N` in a rule means: they come and go together. */
struct pipe_parts {
	struct dn_scheduler *sched, *fifo;
	struct dn_flowset *fs;
};

static struct pipe_parts
pipe_find(uint32_t number)
{
	return (struct pipe_parts){ dn_scheduler_find(number),
		dn_scheduler_find(number + DN_HIDDEN_SCHED),
		dn_flowset_find(number + DN_HIDDEN_FLOWSET) };
}

static void
pipe_free(const struct pipe_parts *p)
{
	if (p->sched != NULL)
		scheduler_delete(p->sched);
	if (p->fifo != NULL)
		scheduler_delete(p->fifo);
	if (p->fs != NULL)
		flowset_delete(p->fs);
}

static bool
pipe_make(uint32_t number, const struct dn_sched_part *part, struct pipe_parts *p)
{
	p->sched = scheduler_new(number, part);
	p->fifo = scheduler_new(number + DN_HIDDEN_SCHED, dn_part_fifo());
	p->fs = flowset_new(number + DN_HIDDEN_FLOWSET, number + DN_HIDDEN_SCHED);
	if (p->sched != NULL && p->fifo != NULL && p->fs != NULL)
		return true;
	pipe_free(p);
	return false;
}

int
dn_pipe_delete(uint32_t number)
{
	const struct pipe_parts p = pipe_find(number);

	if (number > DN_NUMBER_MAX || p.sched == NULL)
		return -ENOENT;
	pipe_free(&p);
	return 0;
}

int
dn_sched_delete(uint32_t number)
{
	return dn_pipe_delete(number);
}

int
dn_queue_delete(uint32_t number)
{
	struct dn_flowset *fs = dn_flowset_find(number);

	if (number > DN_NUMBER_MAX || fs == NULL)
		return -ENOENT;
	flowset_delete(fs);
	return 0;
}

void
dn_flush(void)
{
	struct dn_hash *flowsets = &VNET(dn_flowsets), *schedulers = &VNET(dn_schedulers);

	/* An empty table has no slots. */
	for (uint32_t i = 0; flowsets->n > 0; i++)
		while (flowsets->n > 0 && flowsets->slot[i] != NULL)
			flowset_delete((struct dn_flowset *)(void *)flowsets->slot[i]);
	for (uint32_t i = 0; schedulers->n > 0; i++)
		while (schedulers->n > 0 && schedulers->slot[i] != NULL)
			scheduler_delete((struct dn_scheduler *)(void *)schedulers->slot[i]);
}

/* --- schedulers configured -------------------------------------------------------------------- */

static void
link_apply(struct dn_link_config *link, uint32_t set, const struct dn_link_config *said)
{
	if (set & DN_SET_RATE) {
		VNET(dn_followers) += (said->rate_of[0] != '\0') - (link->rate_of[0] != '\0');
		link->rate_bps = said->rate_bps;
		memcpy(link->rate_of, said->rate_of, sizeof(link->rate_of));
	}
	if (set & DN_SET_DELAY)
		link->delay_ns = said->delay_ns;
	if (set & DN_SET_BURST)
		link->burst_bytes = said->burst_bytes;
	if (set & DN_SET_PROFILE) {
		struct dn_profile *old = link->profile;

		link->profile = said->profile != NULL ? dn_profile_ref(said->profile) : NULL;
		dn_profile_rele(old);
	}
}

/* Each instance gets the part anew; it has no queues now. Takes param. */
static void
part_replace(struct dn_scheduler *s, const struct dn_sched_part *part, void *param)
{
	struct dn_instance *inst, *next;

	TAILQ_FOREACH(inst, &s->instances, link)
		(void)dn_instance_part(inst, NULL);
	dn_part_rele(s->config.part);
	dn_part_ref(part);
	vnet_free(s->config.param);
	s->config.part = part;
	s->config.param = param;
	TAILQ_FOREACH_SAFE(inst, &s->instances, link, next)
		if (!inst->retired && dn_instance_part(inst, part) != 0)
			dn_instance_retire(inst);
}

/* The same part with other parameters. Takes param. */
static void
param_replace(struct dn_scheduler *s, void *param)
{
	struct dn_instance *inst;

	if (param == NULL)
		return;
	memcpy(s->config.param, param, s->config.part->param_size);
	vnet_free(param);
	if (s->config.part->param_changed == NULL)
		return;
	TAILQ_FOREACH(inst, &s->instances, link)
		if (!inst->retired)
			s->config.part->param_changed(&inst->si);
}

static void
mask_replace(struct dn_scheduler *s, const struct dn_mask *mask)
{
	struct dn_instance *inst, *next;

	TAILQ_FOREACH_SAFE(inst, &s->instances, link, next)
		if (!inst->retired)
			dn_instance_retire(inst);
	s->config.mask = *mask;
	s->masked = !dn_mask_is_empty(mask);
}

static void
instances_catch_up(struct dn_scheduler *s)
{
	struct dn_instance *inst;

	TAILQ_FOREACH(inst, &s->instances, link)
		if (!inst->retired) {
			dn_instance_catch_up(inst, clock_now());
			dn_instance_update(inst);
		}
}

/* The link is another one: its credit begins anew, and its flowsets follow. */
static void
link_changed(struct dn_scheduler *s, const struct ifnet *leaves)
{
	struct dn_instance *inst;
	struct dn_flowset *fs;

	dn_link_follow(s, leaves);
	TAILQ_FOREACH(inst, &s->instances, link)
		if (!inst->retired)
			dn_link_reset(inst, clock_now());
	LIST_FOREACH(fs, &s->flowsets, link)
		flowset_follow(fs);
}

/* Takes param: of the part, or NULL if nothing was said. Never fails. */
static void
scheduler_apply(struct dn_scheduler *s, const struct dn_change *c, const struct dn_sched_part *part,
    void *param)
{
	const bool new_part = part != s->config.part;
	const bool new_mask = (c->set & DN_SET_SCHED_MASK) &&
	    !dn_mask_equal(&c->sched.mask, &s->config.mask);
	struct dn_holding h = { 0 };

	instances_catch_up(s);
	if (new_part || new_mask)
		dn_take_scheduler(&h, s);
	if (new_mask)
		mask_replace(s, &c->sched.mask);
	if (new_part)
		part_replace(s, part, param);
	else
		param_replace(s, param);
	if (c->set & DN_SET_BUCKETS)
		s->config.buckets = c->sched.buckets;
	link_apply(&s->config.link, c->set, &c->sched.link);
	link_changed(s, NULL);
	dn_put_back(&h);
	instances_catch_up(s);
}

static void flowset_apply(struct dn_flowset *fs, const struct dn_change *c);

/* Which words are the flowset's. */
enum {
	SET_FLOWSET = DN_SET_FLOW_MASK | DN_SET_WEIGHT | DN_SET_MAX_LEN | DN_SET_PRIORITY |
	    DN_SET_LIMIT | DN_SET_PLR | DN_SET_NOERROR | DN_SET_AQM,
};

static int
pipe_apply(struct pipe_parts *p, uint32_t number, const struct dn_change *c,
    const struct dn_sched_part *part)
{
	const bool said = part != NULL && (c->set & DN_SET_TYPE);
	struct dn_change fs_change = *c;
	void *param = NULL;

	if (said && !param_make(part, c->sched.param, &param))
		return -ENOMEM;
	if (p->sched == NULL && !pipe_make(number, part, p)) {
		vnet_free(param);
		return -ENOMEM;
	}
	fs_change.set &= SET_FLOWSET;
	scheduler_apply(p->sched, c, part, param);
	scheduler_apply(p->fifo, c, p->fifo->config.part, NULL);
	flowset_apply(p->fs, &fs_change);
	return 0;
}

/* What type the scheduler is to have. */
static const struct dn_sched_part *
part_said(const struct dn_change *c, const struct dn_scheduler *s)
{
	if ((c->set & DN_SET_TYPE) && c->sched.part != NULL)
		return c->sched.part;
	return s != NULL ? s->config.part : dn_part_default();
}

int
dn_pipe_config(uint32_t number, const struct dn_change *c, const char **why)
{
	struct pipe_parts p = pipe_find(number);
	const struct dn_sched_part *part = part_said(c, p.sched);
	int error;

	if (part == NULL || dn_part_fifo() == NULL) {
		*why = "no scheduler is loaded that it could have";
		return -EINVAL;
	}
	if ((error = dn_check_number(number, why)) != 0 || (error = dn_check_sched(c, why)) != 0 ||
	    (error = dn_check_flowset(c, dn_part_fifo(), why)) != 0)
		return error;
	return pipe_apply(&p, number, c, part);
}

int
dn_sched_config(uint32_t number, const struct dn_change *c, const char **why)
{
	struct dn_change only = *c;

	only.set &= ~(uint32_t)SET_FLOWSET;
	return dn_pipe_config(number, &only, why);
}

/* --- flowsets configured ---------------------------------------------------------------------- */

static void
limit_apply(struct dn_flowset_config *f, const struct dn_flowset_config *said)
{
	f->queue_bytes = said->queue_bytes;
	f->queue_packets = said->queue_packets != 0 ? said->queue_packets : DN_QUEUE_DEFAULT;
}

static void
members_apply(struct dn_flowset_config *f, uint32_t set, const struct dn_flowset_config *said)
{
	if (set & DN_SET_FLOW_MASK)
		f->mask = said->mask;
	if (set & DN_SET_BUCKETS)
		f->buckets = said->buckets;
	if (set & DN_SET_WEIGHT)
		f->share.weight = said->share.weight;
	if (set & DN_SET_MAX_LEN)
		f->share.max_len = said->share.max_len;
	if (set & DN_SET_PRIORITY)
		f->share.priority = said->share.priority;
	if (set & DN_SET_LIMIT)
		limit_apply(f, said);
	if (set & DN_SET_PLR)
		f->plr = said->plr;
	if (set & DN_SET_NOERROR)
		f->noerror = said->noerror;
	if (set & DN_SET_AQM)
		f->aqm = said->aqm;
	if (set & DN_SET_SCHED)
		f->sched = said->sched;
}

/* Never fails. */
static void
flowset_apply(struct dn_flowset *fs, const struct dn_change *c)
{
	const bool new_mask = (c->set & DN_SET_FLOW_MASK) &&
	    !dn_mask_equal(&c->flowset.mask, &fs->config.mask);
	const bool new_sched = (c->set & DN_SET_SCHED) && c->flowset.sched != fs->config.sched;
	struct dn_holding h = { 0 };

	if (new_sched)
		flowset_leave_shared(fs);
	if (new_mask || new_sched)
		dn_take_flowset(&h, fs);
	members_apply(&fs->config, c->set, &c->flowset);
	if (new_sched)
		flowset_link(fs, dn_scheduler_find(fs->config.sched));
	else
		flowset_follow(fs);
	dn_put_back(&h);
}

int
dn_queue_config(uint32_t number, const struct dn_change *c, const char **why)
{
	struct dn_flowset *fs = dn_flowset_find(number);
	const struct dn_scheduler *s;
	uint32_t sched;
	int error;

	if ((error = dn_check_number(number, why)) != 0)
		return error;
	if (fs == NULL && !(c->set & DN_SET_SCHED)) {
		*why = "a new queue needs a pipe or sched";
		return -EINVAL;
	}
	sched = c->set & DN_SET_SCHED ? c->flowset.sched : fs->config.sched;
	s = dn_scheduler_find(sched);
	if ((error = dn_check_number(sched, why)) != 0 ||
	    (error = dn_check_flowset(c, s != NULL ? s->config.part : NULL, why)) != 0)
		return error;
	if (fs == NULL && (fs = flowset_new(number, sched)) == NULL)
		return -ENOMEM;
	flowset_apply(fs, c);
	return 0;
}

/* --- interfaces that give their rate ---------------------------------------------------------- */

static void
rate_follow(struct dn_scheduler *s, void *ctx)
{
	const uint64_t before = s->rate_bps;

	if (s->config.link.rate_of[0] == '\0')
		return;
	instances_catch_up(s);
	dn_link_follow(s, ctx);
	if (s->rate_bps != before)
		link_changed(s, ctx);
	instances_catch_up(s);
}

static void
if_comes(void *ctx, void *arg1, void *arg2)
{
	(void)ctx, (void)arg1, (void)arg2;
	if (VNET(dn_followers) > 0)
		dn_scheduler_foreach(rate_follow, NULL);
}

static void
if_leaves(void *ctx, void *arg1, void *arg2)
{
	(void)ctx, (void)arg2;
	if (VNET(dn_followers) > 0)
		dn_scheduler_foreach(rate_follow, arg1);
}

/* --- stacks ----------------------------------------------------------------------------------- */

static void
objects_init(void *arg)
{
	(void)arg;
	LIST_INIT(&VNET(dn_unlinked));
	event_register(&arrival_tag, "ifnet_arrival", EVENT_HERE, if_comes, NULL, EVENT_PRI_ANY);
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, if_leaves, NULL, EVENT_PRI_ANY);
	event_register(&link_tag, "iflink_event", EVENT_HERE, if_comes, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(dn_objects, SI_SUB_FIREWALL, SI_ORDER_FIRST, objects_init, NULL);

/* Behind the firewall's end, when nobody gives packets any more. */
static void
objects_uninit(void *arg)
{
	(void)arg;
	dn_flush();
	dn_expire_stop();
}
VNET_SYSUNINIT(dn_objects, SI_SUB_FIREWALL, SI_ORDER_FIRST, objects_uninit, NULL);
