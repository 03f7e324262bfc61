/*
 * multicast_report.c - saying to the routers of a link which groups are heard here: the hosts' part
 * of IGMPv3 (RFC 3376 section 5) and MLDv2 (RFC 3810 section 6), once for both.
 *
 *	mcast_report_change	a group's filter is another: a State-Change Report at once, and
 *				again, robustness - 1 times, at random intervals
 *	mcast_query_heard	a query has come: a Current-State Report after a random delay
 *	mcast_report_link	the link has come: all groups are said as if they were new
 *
 * While an older querier is present the host speaks its version (RFC 3376 7.2, RFC 3810 8.2): one
 * message for a group, without sources, again after a random delay, not at all when somebody else
 * has said it, and a message when the last reporter leaves (RFC 2236 section 3, RFC 2710 section
 * 4).
 *
 * Changes of several groups share one timer and, when it runs out, their messages. What is still to
 * be said of a group: mode_left reports with its filter mode, or of each source in `retx` so many
 * reports whether it is let in (RFC 3376 5.1).
 */
#include "inet/multicast_internal.h"

#include "base/linkerset.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

/* RFC 3376 section 8, RFC 3810 section 9: until a query says otherwise. */
enum { ROBUSTNESS = 2, QUERY_INTERVAL_S = 125, RESPONSE_S = 10 };

LINKERSET_DECLARE(mcast_proto, const struct mcast_proto);

VNET_DEFINE_STATIC(struct rng, mcast_rng);

static void group_answers(void *arg);
static void general_answers(void *arg);
static void change_repeats(void *arg);
static void old_querier_gone(void *arg);

/* In (0, max_ns]: a delay of 0 would bring all hosts' answers at once. */
static uint64_t
random_within(uint64_t max_ns)
{
	struct rng *rng = &VNET(mcast_rng);
	char stream[80];

	if ((rng->s[0] | rng->s[1] | rng->s[2] | rng->s[3]) == 0) {
		snprintf(stream, sizeof(stream), "mcast %s", vnet_name(curvnet));
		rng_seed(rng, rng_process_seed, stream);
	}
	return max_ns == 0 ? 1 : 1 + rng_below(rng, max_ns);
}

static const struct mcast_proto *
proto_of(int family)
{
	const struct mcast_proto *const *p;

	LINKERSET_FOREACH(p, mcast_proto)
		if ((*p)->family == family)
			return *p;
	return NULL;
}

/* Does the interface speak the version that has source filters? */
static bool
is_newest(const struct mcast_if *mi)
{
	return mi->version == mi->proto->newest;
}

static bool
is_heard(const struct mcast_group *g)
{
	return g->filter != &mcast_nobody;
}

bool
mcast_is_reported(const struct mcast_group *g)
{
	const struct mcast_if *mi = g->mi;

	return mi->proto != NULL && !(mi->ifp->if_flags & IFF_LOOPBACK_) &&
	    mi->proto->reported(&g->group);
}

/* --- state, made and unmade ------------------------------------------------------------------- */

static void
forget_queriers(struct mcast_if *mi)
{
	memset(mi->old_until_ns, 0, sizeof(mi->old_until_ns));
	mi->robustness = ROBUSTNESS;
	mi->query_interval_s = QUERY_INTERVAL_S;
	mi->response_ns = RESPONSE_S * NS_PER_SEC;
	mi->version = mi->proto != NULL ? mi->proto->version() : 0;
}

void
mcast_report_if_init(struct mcast_if *mi)
{
	struct vnet *vnet = mi->ifp->if_vnet;

	mi->proto = proto_of(mi->family);
	mi->up = mi->proto != NULL && if_is_usable(mi->ifp);
	callout_init(&mi->old_gone, vnet, old_querier_gone, mi);
	callout_init(&mi->general, vnet, general_answers, mi);
	callout_init(&mi->change, vnet, change_repeats, mi);
	TAILQ_INIT(&mi->changing);
	forget_queriers(mi);
}

void
mcast_report_group_init(struct mcast_group *g)
{
	callout_init(&g->say.answer, g->mi->ifp->if_vnet, group_answers, g);
}

static void
asked_clear(struct mcast_saying *say)
{
	vnet_free(say->asked);
	say->asked = NULL;
	say->nasked = 0;
}

static void
retx_clear(struct mcast_saying *say)
{
	vnet_free(say->retx);
	say->retx = NULL;
	say->nretx = 0;
}

static void
changing_remove(struct mcast_group *g)
{
	if (g->say.is_changing)
		TAILQ_REMOVE(&g->mi->changing, g, say.changing);
	g->say.is_changing = false;
}

void
mcast_report_group_stop(struct mcast_group *g)
{
	struct mcast_saying *say = &g->say;

	callout_drain(&say->answer);
	asked_clear(say);
	changing_remove(g);
	retx_clear(say);
	say->mode_left = say->repeats = 0;
	say->last_reporter = false;
}

bool
mcast_report_group_busy(const struct mcast_group *g)
{
	return g->say.mode_left > 0 || g->say.nretx > 0;
}

/* "Cancels all its pending response and retransmission timers" (RFC 3376 7.2.1). */
static void
cancel_all(struct mcast_if *mi)
{
	struct mcast_group *g, *next;

	callout_drain(&mi->general);
	callout_drain(&mi->change);
	for (g = mcast_group_next(mi, NULL); g != NULL; g = next) {
		next = mcast_group_next(mi, g);
		mcast_report_group_stop(g);
		mcast_group_unused(g);
	}
}

void
mcast_report_if_stop(struct mcast_if *mi)
{
	mi->up = false;
	callout_drain(&mi->old_gone);
	cancel_all(mi);
}

bool
mcast_report_if_busy(const struct mcast_if *mi)
{
	return callout_armed(&mi->old_gone);
}

/* --- state changes ---------------------------------------------------------------------------- */

static unsigned
retx_find(const struct mcast_saying *say, const struct ipaddr *source, bool *found)
{
	unsigned lo = 0, hi = say->nretx;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (ipaddr_compare(&say->retx[mid].source, source) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < say->nretx && ipaddr_equal(&say->retx[lo].source, source);
	return lo;
}

/* The source's change is to be said in so many reports. Room has been made. */
static void
retx_put(struct mcast_saying *say, const struct ipaddr *source, unsigned left)
{
	bool found;
	unsigned i = retx_find(say, source, &found);

	if (!found) {
		memmove(&say->retx[i + 1], &say->retx[i], (say->nretx - i) * sizeof(say->retx[0]));
		say->retx[i].source = *source;
		say->nretx++;
	}
	say->retx[i].left = left;
}

static bool
retx_reserve(struct mcast_saying *say, unsigned more)
{
	struct mcast_retx *retx = vnet_malloc((say->nretx + more) * sizeof(*retx) + 1);

	if (retx == NULL)
		return false;
	if (say->nretx > 0)
		memcpy(retx, say->retx, say->nretx * sizeof(*retx));
	vnet_free(say->retx);
	say->retx = retx;
	return true;
}

/* The sources of a that b doesn't list. */
static void
retx_put_difference(struct mcast_saying *say, const struct mcast_filter *a,
    const struct mcast_filter *b, unsigned left)
{
	for (unsigned i = 0; i < a->n; i++)
		if (mcast_filter_accepts(b, &a->source[i]) != (b->mode == MCAST_MODE_INCLUDE))
			retx_put(say, &a->source[i], left);
}

/* RFC 3376 5.1: what the difference between two filters adds to what is to be said. */
static void
change_note(struct mcast_group *g, const struct mcast_filter *old)
{
	struct mcast_saying *say = &g->say;
	unsigned robustness = g->mi->robustness;

	if (old->mode != g->filter->mode) {
		say->mode_left = robustness;
		retx_clear(say);
		return;
	}
	if (!retx_reserve(say, old->n + g->filter->n)) {
		/* the filter as a whole says it too */
		say->mode_left = robustness;
		return;
	}
	retx_put_difference(say, old, g->filter, robustness);
	retx_put_difference(say, g->filter, old, robustness);
}

/* One report fewer is to come. */
static void
change_said(struct mcast_saying *say)
{
	unsigned kept = 0;

	if (say->mode_left > 0)
		say->mode_left--;
	for (unsigned i = 0; i < say->nretx; i++)
		if (--say->retx[i].left > 0)
			say->retx[kept++] = say->retx[i];
	say->nretx = kept;
	if (kept == 0)
		retx_clear(say);
}

static void
filter_record(
    struct mcast_report *r, const struct mcast_group *g, enum mcast_record in, enum mcast_record ex)
{
	const struct mcast_filter *f = g->filter;

	mcast_record_begin(r, f->mode == MCAST_MODE_INCLUDE ? in : ex, &g->group, f->n);
	for (unsigned i = 0; i < f->n; i++)
		mcast_record_source(r, &f->source[i]);
	mcast_record_end(r);
}

/* The sources with something to be said that are let in now (ALLOW), or not (BLOCK). */
static void
retx_record(struct mcast_report *r, const struct mcast_group *g, enum mcast_record type)
{
	const struct mcast_saying *say = &g->say;
	bool wanted = type == MCAST_ALLOW;
	unsigned n = 0;

	for (unsigned i = 0; i < say->nretx; i++)
		n += mcast_filter_accepts(g->filter, &say->retx[i].source) == wanted;
	if (n == 0)
		return;
	mcast_record_begin(r, type, &g->group, n);
	for (unsigned i = 0; i < say->nretx; i++)
		if (mcast_filter_accepts(g->filter, &say->retx[i].source) == wanted)
			mcast_record_source(r, &say->retx[i].source);
	mcast_record_end(r);
}

static void
change_say(struct mcast_report *r, struct mcast_group *g)
{
	if (g->say.mode_left > 0) {
		filter_record(r, g, MCAST_TO_IN, MCAST_TO_EX);
	} else {
		retx_record(r, g, MCAST_ALLOW);
		retx_record(r, g, MCAST_BLOCK);
	}
	change_said(&g->say);
}

/* Into the list of those that have more to say, or out of it. */
static void
change_queue(struct mcast_group *g)
{
	struct mcast_if *mi = g->mi;

	if (!mcast_report_group_busy(g)) {
		changing_remove(g);
		return;
	}
	if (!g->say.is_changing)
		TAILQ_INSERT_TAIL(&mi->changing, g, say.changing);
	g->say.is_changing = true;
	if (!callout_armed(&mi->change))
		callout_reset(&mi->change, random_within(mi->proto->unsolicited_ns));
}

/* The timer of an interface: all groups that have more to say, say it again. */
static void
change_repeats(void *arg)
{
	struct mcast_if *mi = arg;
	struct mcast_group *g, *next;
	struct mcast_report r;

	mcast_report_begin(&r, mi);
	TAILQ_FOREACH(g, &mi->changing, say.changing)
		change_say(&r, g);
	mcast_report_end(&r);
	for (g = TAILQ_FIRST(&mi->changing); g != NULL; g = next) {
		next = TAILQ_NEXT(g, say.changing);
		change_queue(g);
		mcast_group_unused(g);
	}
	mcast_if_unused(mi);
}

/* --- the old versions ------------------------------------------------------------------------- */

static void
old_report(struct mcast_group *g)
{
	struct mcast_if *mi = g->mi;

	g->say.last_reporter = true;
	if (g->say.repeats > 0) {
		g->say.repeats--;
		callout_reset(&g->say.answer, random_within(mi->proto->old_unsolicited_ns));
	}
	mi->proto->send_old(mi, &g->group);
}

static void
old_join(struct mcast_group *g)
{
	g->say.repeats = g->mi->robustness - 1;
	old_report(g);
}

static void
old_leave(struct mcast_group *g)
{
	bool said = g->say.last_reporter;

	mcast_report_group_stop(g);
	if (said)
		g->mi->proto->send_leave(g->mi, &g->group);
}

static void
old_change(struct mcast_group *g, const struct mcast_filter *old)
{
	bool was = old != &mcast_nobody, is = is_heard(g);

	if (is && !was)
		old_join(g);
	else if (was && !is)
		old_leave(g);
}

void
mcast_report_heard(struct ifnet *ifp, const struct ipaddr *group)
{
	struct mcast_if *mi = mcast_if_of(ifp, group->family);
	struct mcast_group *g = mi != NULL ? mcast_group_find(mi, group) : NULL;

	if (g == NULL || is_newest(mi))
		return;
	callout_stop(&g->say.answer);
	g->say.repeats = 0;
	g->say.last_reporter = false;
}

/* --- what there is to say --------------------------------------------------------------------- */

void
mcast_report_change(struct mcast_group *g, const struct mcast_filter *old)
{
	struct mcast_report r;

	if (!g->mi->up || !mcast_is_reported(g))
		return;
	if (!is_newest(g->mi)) {
		old_change(g, old);
		return;
	}
	change_note(g, old);
	mcast_report_begin(&r, g->mi);
	change_say(&r, g);
	mcast_report_end(&r);
	change_queue(g);
}

void
mcast_report_all(struct mcast_if *mi)
{
	struct mcast_report r;
	struct mcast_group *g;

	if (!mi->up)
		return;
	mcast_report_begin(&r, mi);
	MCAST_GROUP_FOREACH(g, mi)
	{
		if (!mcast_is_reported(g) || !is_heard(g))
			continue;
		if (!is_newest(mi)) {
			old_join(g);
			continue;
		}
		change_note(g, &mcast_nobody);
		change_say(&r, g);
		change_queue(g);
	}
	mcast_report_end(&r);
}

void
mcast_report_link(struct mcast_if *mi)
{
	bool up = mi->proto != NULL && if_is_usable(mi->ifp);

	if (up == mi->up)
		return;
	if (!up) {
		/* when it comes back it may be another link, with other queriers */
		mcast_report_if_stop(mi);
		forget_queriers(mi);
		mcast_if_unused(mi);
		return;
	}
	mi->up = true;
	mcast_report_all(mi);
}

/* --- whom we speak to ------------------------------------------------------------------------- */

/* Speak the version of the oldest querier present; look again when the next one is gone. */
static void
version_choose(struct mcast_if *mi)
{
	uint64_t now = clock_now(), next = NS_NEVER;
	unsigned version = mi->proto->version();

	for (unsigned v = mi->proto->newest; v-- > 1;) {
		if (mi->old_until_ns[v] <= now)
			continue;
		if (v < version)
			version = v;
		if (mi->old_until_ns[v] < next)
			next = mi->old_until_ns[v];
	}
	if (next == NS_NEVER)
		callout_stop(&mi->old_gone);
	else
		callout_reset(&mi->old_gone, next - now);
	if (version == mi->version)
		return;
	mi->version = version;
	cancel_all(mi);
}

static void
old_querier_gone(void *arg)
{
	struct mcast_if *mi = arg;

	version_choose(mi);
	mcast_if_unused(mi);
}

void
mcast_report_versions(int family)
{
	struct ifnet *ifp;

	IF_FOREACH(ifp) {
		struct mcast_if *mi = mcast_if_of(ifp, family);

		if (mi == NULL || mi->proto == NULL)
			continue;
		version_choose(mi);
		mcast_if_unused(mi);
	}
}

/* RFC 3376 8.12, RFC 3810 9.12: Older Version Querier Present Timeout. */
static void
querier_note(struct mcast_if *mi, const struct mcast_query *q)
{
	mi->response_ns = q->max_ns;
	if (q->version == mi->proto->newest) {
		mi->robustness = q->robustness != 0 ? q->robustness : ROBUSTNESS;
		if (q->query_interval_s != 0)
			mi->query_interval_s = q->query_interval_s;
		return;
	}
	mi->old_until_ns[q->version] = clock_now() +
	    mi->robustness * (uint64_t)mi->query_interval_s * NS_PER_SEC + mi->response_ns;
	version_choose(mi);
}

/* --- queries and answers ---------------------------------------------------------------------- */

/* A Current-State Record for the sources that were asked for, if any is let in (RFC 3376 5.2). */
static void
asked_record(struct mcast_report *r, const struct mcast_group *g)
{
	const struct mcast_saying *say = &g->say;
	unsigned n = 0;

	for (unsigned i = 0; i < say->nasked; i++)
		n += mcast_filter_accepts(g->filter, &say->asked[i]);
	if (n == 0)
		return;
	mcast_record_begin(r, MCAST_IS_IN, &g->group, n);
	for (unsigned i = 0; i < say->nasked; i++)
		if (mcast_filter_accepts(g->filter, &say->asked[i]))
			mcast_record_source(r, &say->asked[i]);
	mcast_record_end(r);
}

/* A group's timer. */
static void
group_answers(void *arg)
{
	struct mcast_group *g = arg;
	struct mcast_report r;

	if (!is_heard(g))
		return;
	if (!is_newest(g->mi)) {
		old_report(g);
		return;
	}
	mcast_report_begin(&r, g->mi);
	if (g->say.nasked > 0)
		asked_record(&r, g);
	else
		filter_record(&r, g, MCAST_IS_IN, MCAST_IS_EX);
	mcast_report_end(&r);
	asked_clear(&g->say);
}

/* An interface's timer: the answer to a General Query. */
static void
general_answers(void *arg)
{
	struct mcast_if *mi = arg;
	struct mcast_report r;
	struct mcast_group *g;

	mcast_report_begin(&r, mi);
	MCAST_GROUP_FOREACH(g, mi)
	{
		if (!is_heard(g) || !mcast_is_reported(g))
			continue;
		filter_record(&r, g, MCAST_IS_IN, MCAST_IS_EX);
		asked_clear(&g->say);
	}
	mcast_report_end(&r);
}

/* More sources are asked for; too many, or no memory: the group as such. */
static void
asked_add(struct mcast_group *g, const struct mcast_query *q)
{
	struct mcast_saying *say = &g->say;
	uint8_t len = g->mi->proto->addrlen;
	struct ipaddr *asked = NULL;
	unsigned n = say->nasked;

	if (n + q->nsources <= mcast_maxgrpsrc(g->mi->family))
		asked = vnet_malloc((n + q->nsources) * sizeof(*asked));
	if (asked == NULL) {
		asked_clear(say);
		return;
	}
	if (n > 0)
		memcpy(asked, say->asked, n * sizeof(*asked));
	for (unsigned i = 0; i < q->nsources; i++) {
		struct ipaddr a = { .family = (uint8_t)g->mi->family };
		unsigned at = 0;

		memcpy(a.b, q->sources + (size_t)i * len, len);
		while (at < n && ipaddr_compare(&asked[at], &a) < 0)
			at++;
		if (at < n && ipaddr_equal(&asked[at], &a))
			continue;
		memmove(&asked[at + 1], &asked[at], (n - at) * sizeof(*asked));
		asked[at] = a;
		n++;
	}
	vnet_free(say->asked);
	say->asked = asked;
	say->nasked = n;
}

/* RFC 3376 5.2, rules 3 to 5: a query for a group. */
static void
query_group(struct mcast_group *g, const struct mcast_query *q, uint64_t delay_ns)
{
	struct mcast_saying *say = &g->say;
	bool pending = callout_armed(&say->answer);

	if (q->nsources == 0 || (pending && say->nasked == 0))
		asked_clear(say);
	else
		asked_add(g, q);
	if (!pending || say->answer.when_ns > clock_now() + delay_ns)
		callout_reset(&say->answer, delay_ns);
}

static void
query_newest(struct mcast_if *mi, const struct mcast_query *q)
{
	uint64_t delay_ns = random_within(q->max_ns);
	struct mcast_group *g;

	/* rules 1 and 2 */
	if (callout_armed(&mi->general) && mi->general.when_ns <= clock_now() + delay_ns)
		return;
	if (ipaddr_is_any(&q->group)) {
		callout_reset(&mi->general, delay_ns);
		return;
	}
	g = mcast_group_find(mi, &q->group);
	if (g != NULL && is_heard(g) && mcast_is_reported(g))
		query_group(g, q, delay_ns);
}

/* RFC 2236 section 3: each group has its own delay; a timer that runs out in time is left alone. */
static void
query_old(struct mcast_if *mi, const struct mcast_query *q)
{
	struct mcast_group *g;

	MCAST_GROUP_FOREACH(g, mi)
	{
		struct callout *answer = &g->say.answer;

		if (!is_heard(g) || !mcast_is_reported(g) ||
		    (!ipaddr_is_any(&q->group) && !ipaddr_equal(&q->group, &g->group)))
			continue;
		if (!callout_armed(answer) || answer->when_ns - clock_now() > q->max_ns)
			callout_reset(answer, random_within(q->max_ns));
	}
}

/* One more query in this second. */
static bool
query_in_limit(struct mcast_if *mi)
{
	uint64_t second = clock_now() / NS_PER_SEC;

	if (second != mi->limit_second)
		mi->limit_count = 0;
	mi->limit_second = second;
	return mi->limit_count++ < mi->proto->query_limit();
}

bool
mcast_query_heard(struct ifnet *ifp, const struct mcast_query *q)
{
	struct mcast_if *mi = mcast_if_of(ifp, q->group.family);

	/* who is in no group has nothing to say */
	if (mi == NULL || mi->proto == NULL || !mi->up)
		return true;
	if (!query_in_limit(mi))
		return false;
	querier_note(mi, q);
	if (is_newest(mi))
		query_newest(mi, q);
	else
		query_old(mi, q);
	return true;
}
