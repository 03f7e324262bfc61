/*
 * lab_metric.c - the figures that an expectation can ask for: SUBJECT.FIGURE.
 *
 *	bulk.goodput		a flow's
 *	gw:wan.queueing.p99	a way's: out of gw by wan, to the other end of that link
 *	gw.drops.ip.ttl		a node's
 *
 * A figure that counts is the difference of two readings of raw counters, at the window's two ends;
 * a rate divides it by the window. Percentiles are of the whole run, but for pings, whose answers
 * are kept one by one.
 */
#include "lab/lab_metric.h"

#include "kern/drop.h"
#include "lab/lab_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum lab_subject { OF_UDP = 1, OF_PING = 2, OF_REPLAY = 4, OF_WAY = 8, OF_NODE = 16 };

/* How a figure is made of readings {a, b}. */
enum how {
	HOW_COUNT,   /* a */
	HOW_RATE,    /* a bytes over the window */
	HOW_SHARE,   /* a / b */
	HOW_LACK,    /* (a - b) / a: sent and received */
	HOW_MISSING, /* a - b */
	HOW_BUSY,    /* a ns over the window */
	HOW_PEAK,    /* a, of the whole run */
	HOW_TIMES,   /* a histogram */
};

struct lab_metric {
	const char *name;
	unsigned subject;
	enum lab_unit unit;
	enum how how;
	bool needs_pipe;
	void (*read)(const struct lab_expect *x, struct lab_reading *r);
	const struct delay_hist *(*times)(const struct lab_expect *x);
};

/* --- readings --------------------------------------------------------------------------------- */

static void
udp_read_goodput(const struct lab_expect *x, struct lab_reading *r)
{
	struct udp_sink_stats st;

	lab_flow_received(x->flow, &st);
	r->a = st.ip_bytes;
}

static void
udp_read_rate(const struct lab_expect *x, struct lab_reading *r)
{
	uint64_t packets, bytes, errors;

	udp_sender_stats(x->flow->sender, &packets, &bytes, &errors);
	r->a = packets * lab_flow_packet_len(x->flow);
}

static void
udp_read_both(const struct lab_expect *x, struct lab_reading *r)
{
	uint64_t bytes, errors;
	struct udp_sink_stats st;

	udp_sender_stats(x->flow->sender, &r->a, &bytes, &errors);
	/* what was sent to a group is to arrive at each of its sinks */
	r->a *= x->flow->nsinks > 1 ? x->flow->nsinks : 1;
	lab_flow_received(x->flow, &st);
	r->b = st.packets - st.duplicated;
}

static void
udp_read_received(const struct lab_expect *x, struct lab_reading *r)
{
	udp_read_both(x, r);
	r->a = r->b;
}

static void
udp_read_reordered(const struct lab_expect *x, struct lab_reading *r)
{
	struct udp_sink_stats st;

	lab_flow_received(x->flow, &st);
	r->a = st.reordered;
}

static void
udp_read_duplicated(const struct lab_expect *x, struct lab_reading *r)
{
	struct udp_sink_stats st;

	lab_flow_received(x->flow, &st);
	r->a = st.duplicated;
}

static void
udp_read_errors(const struct lab_expect *x, struct lab_reading *r)
{
	uint64_t packets, bytes;

	udp_sender_stats(x->flow->sender, &packets, &bytes, &r->a);
}

static const struct delay_hist *
udp_times(const struct lab_expect *x)
{
	struct udp_sink_stats st;

	lab_flow_received(x->flow, &st);
	return st.delay;
}

static void
ping_read_both(const struct lab_expect *x, struct lab_reading *r)
{
	struct ping_stats st;

	ping_stats(x->flow->ping, &st);
	r->a = st.sent;
	r->b = st.received;
}

static void
ping_read_received(const struct lab_expect *x, struct lab_reading *r)
{
	ping_read_both(x, r);
	r->a = r->b;
}

static void
ping_read_duplicates(const struct lab_expect *x, struct lab_reading *r)
{
	struct ping_stats st;

	ping_stats(x->flow->ping, &st);
	r->a = st.duplicates;
}

static void
ping_read_errors(const struct lab_expect *x, struct lab_reading *r)
{
	struct ping_stats st;

	ping_stats(x->flow->ping, &st);
	r->a = st.errors;
}

static const struct delay_hist *
ping_times(const struct lab_expect *x)
{
	struct ping_stats st;

	ping_stats(x->flow->ping, &st);
	return st.rtt;
}

static void
replay_read_read(const struct lab_expect *x, struct lab_reading *r)
{
	struct replay_stats st;

	replay_stats(x->flow->replay, &st);
	r->a = st.read;
}

static void
replay_read_sent(const struct lab_expect *x, struct lab_reading *r)
{
	struct replay_stats st;

	replay_stats(x->flow->replay, &st);
	r->a = st.sent;
}

static void
replay_read_bytes(const struct lab_expect *x, struct lab_reading *r)
{
	struct replay_stats st;

	replay_stats(x->flow->replay, &st);
	r->a = st.bytes;
}

static void
replay_read_skipped(const struct lab_expect *x, struct lab_reading *r)
{
	struct replay_stats st;

	replay_stats(x->flow->replay, &st);
	r->a = st.skipped_filter + st.skipped_type;
}

static void
replay_read_errors(const struct lab_expect *x, struct lab_reading *r)
{
	struct replay_stats st;

	replay_stats(x->flow->replay, &st);
	r->a = st.errors;
}

void
lab_way_stats(const struct lab_end *e, struct pipe_stats *st)
{
	struct pipe *p = e->ifp != NULL ? pipe_of(e->ifp) : NULL;

	*st = (struct pipe_stats){};
	if (p != NULL) {
		pipe_stats(p, st);
		return;
	}
	if (e->ifp == NULL)
		return;
	st->in_packets = st->out_packets = e->ifp->if_data.opackets;
	st->in_bytes = st->out_bytes = e->ifp->if_data.obytes;
}

#define WAY_READ(name, expr_a, expr_b)                                                             \
	static void way_read_##name(const struct lab_expect *x, struct lab_reading *r)             \
	{                                                                                          \
		struct pipe_stats st;                                                              \
                                                                                                   \
		lab_way_stats(x->end, &st);                                                        \
		r->a = (expr_a);                                                                   \
		r->b = (expr_b);                                                                   \
	}
WAY_READ(throughput, st.out_bytes, 0)
WAY_READ(packets, st.out_packets, 0)
WAY_READ(offered, st.in_packets, 0)
WAY_READ(drops, st.drop_queue + st.drop_loss, 0)
WAY_READ(drops_queue, st.drop_queue, 0)
WAY_READ(drops_loss, st.drop_loss, 0)
WAY_READ(loss, st.drop_queue + st.drop_loss, st.in_packets)
WAY_READ(busy, st.busy_ns, 0)
WAY_READ(max_queue, st.max_queue, 0)

static const struct delay_hist *
way_queueing(const struct lab_expect *x)
{
	struct pipe_stats st;

	lab_way_stats(x->end, &st);
	return st.queueing;
}

static void
node_read_drops(const struct lab_expect *x, struct lab_reading *r)
{
	if (x->node->prison == NULL)
		return;
	r->a = x->drop != NULL ? drop_get(x->node->prison->vnet, x->drop) :
				 drop_total(x->node->prison->vnet);
}

static void
node_read_forwarded(const struct lab_expect *x, struct lab_reading *r)
{
	if (x->node->prison != NULL)
		r->a = VNET_OF(x->node->prison->vnet, ipstat).forward;
}

static const struct lab_metric metrics[] = {
	{ "goodput", OF_UDP, LAB_RATE, HOW_RATE, .read = udp_read_goodput },
	{ "rate", OF_UDP, LAB_RATE, HOW_RATE, .read = udp_read_rate },
	{ "sent", OF_UDP, LAB_NUMBER, HOW_COUNT, .read = udp_read_both },
	{ "received", OF_UDP, LAB_NUMBER, HOW_COUNT, .read = udp_read_received },
	{ "lost", OF_UDP, LAB_NUMBER, HOW_MISSING, .read = udp_read_both },
	{ "loss", OF_UDP, LAB_SHARE, HOW_LACK, .read = udp_read_both },
	{ "reordered", OF_UDP, LAB_NUMBER, HOW_COUNT, .read = udp_read_reordered },
	{ "duplicated", OF_UDP, LAB_NUMBER, HOW_COUNT, .read = udp_read_duplicated },
	{ "errors", OF_UDP, LAB_NUMBER, HOW_COUNT, .read = udp_read_errors },
	{ "delay", OF_UDP, LAB_TIME, HOW_TIMES, .times = udp_times },
	{ "sent", OF_PING, LAB_NUMBER, HOW_COUNT, .read = ping_read_both },
	{ "received", OF_PING, LAB_NUMBER, HOW_COUNT, .read = ping_read_received },
	{ "lost", OF_PING, LAB_NUMBER, HOW_MISSING, .read = ping_read_both },
	{ "loss", OF_PING, LAB_SHARE, HOW_LACK, .read = ping_read_both },
	{ "duplicated", OF_PING, LAB_NUMBER, HOW_COUNT, .read = ping_read_duplicates },
	{ "errors", OF_PING, LAB_NUMBER, HOW_COUNT, .read = ping_read_errors },
	{ "rtt", OF_PING, LAB_TIME, HOW_TIMES, .times = ping_times },
	{ "read", OF_REPLAY, LAB_NUMBER, HOW_COUNT, .read = replay_read_read },
	{ "sent", OF_REPLAY, LAB_NUMBER, HOW_COUNT, .read = replay_read_sent },
	{ "bytes", OF_REPLAY, LAB_SIZE, HOW_COUNT, .read = replay_read_bytes },
	{ "skipped", OF_REPLAY, LAB_NUMBER, HOW_COUNT, .read = replay_read_skipped },
	{ "errors", OF_REPLAY, LAB_NUMBER, HOW_COUNT, .read = replay_read_errors },
	{ "throughput", OF_WAY, LAB_RATE, HOW_RATE, .read = way_read_throughput },
	{ "bytes", OF_WAY, LAB_SIZE, HOW_COUNT, .read = way_read_throughput },
	{ "packets", OF_WAY, LAB_NUMBER, HOW_COUNT, .read = way_read_packets },
	{ "offered", OF_WAY, LAB_NUMBER, HOW_COUNT, .read = way_read_offered },
	{ "drops", OF_WAY, LAB_NUMBER, HOW_COUNT, true, way_read_drops, NULL },
	{ "drops.queue", OF_WAY, LAB_NUMBER, HOW_COUNT, true, way_read_drops_queue, NULL },
	{ "drops.loss", OF_WAY, LAB_NUMBER, HOW_COUNT, true, way_read_drops_loss, NULL },
	{ "loss", OF_WAY, LAB_SHARE, HOW_SHARE, true, way_read_loss, NULL },
	{ "utilisation", OF_WAY, LAB_SHARE, HOW_BUSY, true, way_read_busy, NULL },
	{ "queue.max", OF_WAY, LAB_NUMBER, HOW_PEAK, true, way_read_max_queue, NULL },
	{ "queueing", OF_WAY, LAB_TIME, HOW_TIMES, true, NULL, way_queueing },
	{ "forwarded", OF_NODE, LAB_NUMBER, HOW_COUNT, .read = node_read_forwarded },
	{ "drops", OF_NODE, LAB_NUMBER, HOW_COUNT, .read = node_read_drops },
};
enum { NMETRICS = sizeof(metrics) / sizeof(metrics[0]) };

enum lab_unit
lab_metric_unit(const struct lab_metric *m)
{
	return m->unit;
}

bool
lab_metric_counts(const struct lab_metric *m)
{
	return m->how != HOW_TIMES && m->how != HOW_PEAK;
}

bool
lab_metric_is_goodput(const struct lab_metric *m)
{
	return m->read == udp_read_goodput || m->read == udp_read_rate;
}

/* --- `that` ----------------------------------------------------------------------------------- */

/* "p99", "p99.9", "min" … behind the name of a figure that has a distribution. */
static bool
stat_parse(struct lab_expect *x, const char *text)
{
	static const char *const words[] = { "min", "max", "mean" };
	char *end;

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, words[i]) == 0) {
			x->stat = (enum lab_stat)i;
			return true;
		}
	}
	if (text[0] != 'p' || text[1] < '0' || text[1] > '9' || strlen(text) > 12 ||
	    text[1 + strspn(text + 1, "0123456789.")] != '\0')
		return false;
	x->stat = LAB_STAT_QUANTILE;
	x->quantile = strtod(text + 1, &end) / 100;
	return *end == '\0' && x->quantile <= 1;
}

static const struct lab_metric *
metric_find(struct lab_expect *x, unsigned subject, const char *name)
{
	for (unsigned i = 0; i < NMETRICS; i++) {
		const struct lab_metric *m = &metrics[i];
		size_t n = strlen(m->name);

		if (!(m->subject & subject))
			continue;
		if (m->how == HOW_TIMES ? strncmp(m->name, name, n) == 0 && name[n] == '.' &&
			    stat_parse(x, name + n + 1) :
					  strcmp(m->name, name) == 0)
			return m;
		/* A node's drops by their name: gw.drops.ip.ttl. */
		if (subject == OF_NODE && m->read == node_read_drops &&
		    strncmp(name, "drops.", 6) == 0) {
			x->drop_name = name + 6;
			return m;
		}
	}
	return NULL;
}

static void
metric_unknown(struct ly *y, int id, unsigned subject, const char *name)
{
	const char *known[NMETRICS * 2], *near;
	char list[512] = "";
	size_t n = 0, len = 0;

	for (unsigned i = 0; i < NMETRICS; i++) {
		if (!(metrics[i].subject & subject))
			continue;
		known[n++] = metrics[i].name;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s%s",
		    len > 0 ? ", " : "", metrics[i].name,
		    metrics[i].how == HOW_TIMES ? ".min|mean|max|pNN" : "");
	}
	near = ly_nearest(name, known, n);
	if (near != NULL)
		ly_fault(y, id, "that: there is no figure '%s', did you mean '%s'?", name, near);
	else
		ly_fault(y, id, "that: there is no figure '%s'; there are %s", name, list);
}

static unsigned
subject_find(struct ly *y, int id, struct lab_expect *x, const char *name)
{
	static const unsigned of_kind[] = {
		[LAB_FLOW_UDP] = OF_UDP,
		[LAB_FLOW_PING] = OF_PING,
		[LAB_FLOW_REPLAY] = OF_REPLAY,
	};
	struct lab_flow *f;
	const char *one, *near = NULL;

	if (strchr(name, ':') != NULL) {
		x->end = lab_end_find(y->lab, name);
		if (x->end != NULL)
			return OF_WAY;
		ly_fault(y, id, "that: no link has the endpoint '%s'", name);
		return 0;
	}
	if ((x->flow = lab_flow_find(y->lab, name)) != NULL)
		return of_kind[x->flow->kind];
	if ((x->node = lab_node_find(y->lab, name)) != NULL)
		return OF_NODE;
	STAILQ_FOREACH(f, &y->lab->flows, next)
		if (near == NULL && (one = f->name) != NULL)
			near = ly_nearest(name, &one, 1);
	ly_fault(y, id, "that: '%s' is neither traffic nor an endpoint nor a node%s%s%s", name,
	    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
	    near != NULL ? "'?" : "");
	return 0;
}

bool
lab_expect_parse_that(struct ly *y, int id, struct lab_expect *x)
{
	/*
	 * The point behind the subject: an interface's name may hold points (gw:em0.10.throughput).
	 */
	const char *dot = strchr(x->that, '.'), *colon = strchr(x->that, ':');
	unsigned subject;

	while (colon != NULL && dot != NULL &&
	    lab_end_find(y->lab, lab_printf(y->lab, "%.*s", (int)(dot - x->that), x->that)) ==
		NULL &&
	    strchr(dot + 1, '.') != NULL)
		dot = strchr(dot + 1, '.');
	if (dot == NULL || dot == x->that || dot[1] == '\0') {
		ly_fault(y, id,
		    "that: '%s': write it as SUBJECT.FIGURE (bulk.goodput, gw:wan.drops)", x->that);
		return false;
	}
	if (colon != NULL &&
	    lab_end_find(y->lab, lab_printf(y->lab, "%.*s", (int)(dot - x->that), x->that)) == NULL)
		dot = strchr(colon, '.');
	subject = subject_find(y, id, x, lab_printf(y->lab, "%.*s", (int)(dot - x->that), x->that));
	if (subject == 0)
		return false;
	x->metric = metric_find(x, subject, dot + 1);
	if (x->metric == NULL) {
		metric_unknown(y, id, subject, dot + 1);
		return false;
	}
	if (x->metric->needs_pipe && x->end->shape.keys == 0) {
		ly_fault(
		    y, id, "that: %s: this link is not shaped (rate, delay, loss, queue)", x->that);
		return false;
	}
	if ((x->from_ns != NS_NEVER || x->until_ns != NS_NEVER) && subject != OF_PING &&
	    !lab_metric_counts(x->metric)) {
		ly_fault(y, id, "that: %s is of the whole run: from and until don't go with it",
		    x->that);
		return false;
	}
	return true;
}

/* --- values ----------------------------------------------------------------------------------- */

void
lab_metric_read(const struct lab_expect *x, struct lab_reading *r)
{
	*r = (struct lab_reading){};
	if (x->metric->read != NULL)
		x->metric->read(x, r);
}

static int
compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The answers of a ping that came within the window, exactly. */
static bool
ping_window_value(const struct lab_expect *x, double *value)
{
	const struct lab_flow *f = x->flow;
	uint64_t *t = malloc((f->nreplies + 1) * sizeof(*t)),
		 from = x->from_ns != NS_NEVER ? x->from_ns : 0;
	unsigned __int128 sum = 0;
	size_t n = 0, rank;

	if (t == NULL)
		return false;
	for (size_t i = 0; i < f->nreplies; i++) {
		if (f->reply[i].at_ns < from || f->reply[i].at_ns >= x->until_ns)
			continue;
		t[n++] = f->reply[i].rtt_ns;
		sum += f->reply[i].rtt_ns;
	}
	if (n > 0) {
		qsort(t, n, sizeof(*t), compare_times);
		/* Nearest rank, as delay_hist_quantile does. */
		rank = (size_t)(x->quantile * (double)n);
		if ((double)rank < x->quantile * (double)n || rank == 0)
			rank++;
		*value = x->stat == LAB_STAT_MIN ? (double)t[0] :
		    x->stat == LAB_STAT_MAX      ? (double)t[n - 1] :
		    x->stat == LAB_STAT_MEAN     ? (double)(uint64_t)((sum + n / 2) / n) :
						   (double)t[rank - 1];
	}
	free(t);
	return n > 0;
}

bool
lab_metric_value(const struct lab_expect *x, uint64_t window_ns, double *value)
{
	uint64_t a = x->at_until.a - x->at_from.a, b = x->at_until.b - x->at_from.b;
	const struct delay_hist *h;

	switch (x->metric->how) {
	case HOW_COUNT:
		*value = (double)a;
		return true;
	case HOW_PEAK:
		*value = (double)x->at_until.a;
		return true;
	case HOW_RATE:
		*value = (double)lab_rate_of(a, window_ns);
		return window_ns > 0;
	case HOW_SHARE:
		*value = b > 0 ? (double)a / (double)b : 0;
		return b > 0;
	case HOW_LACK:
		*value = a > b ? (double)(a - b) / (double)a : 0;
		return a > 0;
	case HOW_MISSING:
		*value = a > b ? (double)(a - b) : 0;
		return true;
	case HOW_BUSY:
		*value = window_ns > 0 ? (double)a / (double)window_ns : 0;
		return window_ns > 0;
	case HOW_TIMES:
		break;
	}
	if (x->from_ns != NS_NEVER || x->until_ns != NS_NEVER)
		return ping_window_value(x, value);
	h = x->metric->times(x);
	if (h == NULL || delay_hist_count(h) == 0)
		return false;
	*value = x->stat == LAB_STAT_MIN ? (double)delay_hist_min(h) :
	    x->stat == LAB_STAT_MAX      ? (double)delay_hist_max(h) :
	    x->stat == LAB_STAT_MEAN     ? delay_hist_mean(h) :
					   (double)delay_hist_quantile(h, x->quantile);
	return true;
}
