/*
 * lab_report.c - requested beside achieved, as tables and as JSON.
 *
 * Every number is made of integers by lab_unit_text, or is a quotient of two printed to fixed
 * decimals: the same bytes everywhere. Nothing of the real clock is in it.
 */
#include "inet/in.h"
#include "kern/drop.h"
#include "lab/lab_metric.h"
#include "lab/lab_model.h"
#include "lab/lab_series.h"
#include "lab/lab_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
unit(struct lab *lab, enum lab_unit u, double value)
{
	char text[LAB_UNIT_TEXT];

	return lab_strdup(lab, lab_unit_text(u, value, text));
}

/* For the tables: a percentage to two decimals, a time of a ms or more to the us. */
static const char *
rounded(struct lab *lab, enum lab_unit u, double value)
{
	if (u == LAB_SHARE && value >= 0.0001)
		value = (double)(uint64_t)(value * 1e4 + 0.5) / 1e4;
	if (u == LAB_TIME && value >= 1e6)
		value = (double)((uint64_t)(value / 1000 + 0.5) * 1000);
	return unit(lab, u, value);
}

static double
share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

/* --- links ------------------------------------------------------------------------------------ */

static const char *
queue_text(struct lab *lab, const struct pipe_config *c)
{
	return c->queue_bytes != 0 ? unit(lab, LAB_SIZE, (double)c->queue_bytes) :
				     lab_printf(lab, "%" PRIu32, c->queue_packets);
}

static void
way_json(struct lab *lab, struct emitter *e, struct lab_end *end, const struct lab_phase *ph)
{
	uint64_t ns = ph->to_ns - ph->from_ns, out = ph->end.out_bytes - ph->start.out_bytes;
	uint64_t in = ph->end.in_packets - ph->start.in_packets;

	emit_object(e, NULL);
	emit_str(e, "from", NULL, end->name);
	emit_str(e, "to", NULL, lab_end_peer(end)->name);
	emit_uint(e, "from-ns", NULL, ph->from_ns);
	emit_uint(e, "to-ns", NULL, ph->to_ns);
	emit_object(e, "requested");
	if (ph->c.rate_bps != 0)
		emit_uint(e, "rate-bps", NULL, ph->c.rate_bps);
	else
		emit_null(e, "rate-bps");
	emit_uint(e, "delay-ns", NULL, ph->c.delay_ns);
	emit_uint(e, "jitter-ns", NULL, ph->c.jitter_ns);
	emit_num(e, "loss", NULL, ph->c.loss, 6);
	if (ph->c.queue_bytes != 0)
		emit_uint(e, "queue-bytes", NULL, ph->c.queue_bytes);
	else
		emit_uint(e, "queue-packets", NULL, ph->c.queue_packets);
	emit_end(e);
	emit_object(e, "achieved");
	emit_uint(e, "throughput-bps", NULL, lab_rate_of(out, ns));
	emit_num(e, "utilisation", NULL, share(ph->end.busy_ns - ph->start.busy_ns, ns), 6);
	emit_uint(e, "packets", NULL, ph->end.out_packets - ph->start.out_packets);
	emit_uint(e, "bytes", NULL, out);
	emit_uint(e, "offered-packets", NULL, in);
	emit_num(e, "loss", NULL, share(ph->end.drop_loss - ph->start.drop_loss, in), 6);
	emit_uint(e, "drops-loss", NULL, ph->end.drop_loss - ph->start.drop_loss);
	emit_uint(e, "drops-queue", NULL, ph->end.drop_queue - ph->start.drop_queue);
	emit_end(e);
	emit_end(e);
	(void)lab;
}

/* What is of a way's whole run, whatever was changed meanwhile. */
static void
way_total_json(struct emitter *e, const struct lab_end *end)
{
	const struct pipe_stats *st = &end->final;
	double delay = lab_way_delay(end);

	emit_object(e, NULL);
	emit_str(e, "from", NULL, end->name);
	emit_str(e, "to", NULL, lab_end_peer((struct lab_end *)(uintptr_t)end)->name);
	emit_bool(e, "shaped", end->shaped);
	emit_uint(e, "packets", NULL, st->out_packets);
	emit_uint(e, "bytes", NULL, st->out_bytes);
	if (end->shaped) {
		emit_uint(e, "drops-queue", NULL, st->drop_queue);
		emit_uint(e, "drops-loss", NULL, st->drop_loss);
		emit_uint(e, "queue-max", NULL, st->max_queue);
		emit_uint(e, "transit-min-ns", NULL, st->transit_min_ns);
		emit_uint(e, "transit-max-ns", NULL, st->transit_max_ns);
		emit_uint(e, "transit-mean-ns", NULL,
		    st->transit_packets > 0 ? st->transit_sum_ns / st->transit_packets : 0);
		if (delay >= 0)
			emit_uint(e, "delay-ns", NULL, (uint64_t)(delay + 0.5));
		if (st->queueing != NULL && delay_hist_count(st->queueing) > 0) {
			emit_uint(
			    e, "queueing-p50-ns", NULL, delay_hist_quantile(st->queueing, 0.5));
			emit_uint(
			    e, "queueing-p99-ns", NULL, delay_hist_quantile(st->queueing, 0.99));
			emit_uint(e, "queueing-max-ns", NULL, delay_hist_max(st->queueing));
		}
	}
	emit_end(e);
}

static void
links_json(struct lab *lab, struct emitter *e)
{
	struct lab_link *l;
	struct lab_phase *ph;

	emit_list(e, "links");
	STAILQ_FOREACH(l, &lab->links, next)
		for (unsigned side = 0; side < 2; side++)
			STAILQ_FOREACH(ph, &l->end[side].phases, next)
				way_json(lab, e, &l->end[side], ph);
	emit_end(e);
	emit_list(e, "ways");
	STAILQ_FOREACH(l, &lab->links, next)
		for (unsigned side = 0; side < 2; side++)
			way_total_json(e, &l->end[side]);
	emit_end(e);
}

static void
way_row(struct lab *lab, struct lab_table *t, struct lab_end *end, const struct lab_phase *ph)
{
	uint64_t ns = ph->to_ns - ph->from_ns, in = ph->end.in_packets - ph->start.in_packets;
	bool only = STAILQ_FIRST(&end->phases) == ph && STAILQ_NEXT(ph, next) == NULL;
	double delay = lab_way_delay(end);
	const char *name = only ?
	    end->name :
	    lab_printf(lab, "%s (%s - %s)", end->name, unit(lab, LAB_TIME, (double)ph->from_ns),
		unit(lab, LAB_TIME, (double)ph->to_ns));

	lab_table_row(t,
	    (const char *[]){ name,
		ph->c.rate_bps != 0 ? unit(lab, LAB_RATE, (double)ph->c.rate_bps) : "-",
		ph->c.jitter_ns != 0 ?
		    lab_printf(lab, "%s+%s", unit(lab, LAB_TIME, (double)ph->c.delay_ns),
			unit(lab, LAB_TIME, (double)ph->c.jitter_ns)) :
		    unit(lab, LAB_TIME, (double)ph->c.delay_ns),
		unit(lab, LAB_SHARE, ph->c.loss),
		ph->c.rate_bps != 0 ? queue_text(lab, &ph->c) : "-", "|",
		unit(lab, LAB_RATE,
		    (double)lab_rate_of(ph->end.out_bytes - ph->start.out_bytes, ns)),
		ph->c.rate_bps != 0 ?
		    rounded(lab, LAB_SHARE, share(ph->end.busy_ns - ph->start.busy_ns, ns)) :
		    "-",
		only && delay >= 0 ? unit(lab, LAB_TIME, delay) : "-",
		rounded(lab, LAB_SHARE, share(ph->end.drop_loss - ph->start.drop_loss, in)),
		lab_printf(lab, "%" PRIu64, ph->end.drop_queue - ph->start.drop_queue),
		end->final.queueing != NULL && delay_hist_count(end->final.queueing) > 0 ?
		    rounded(lab, LAB_TIME, (double)delay_hist_quantile(end->final.queueing, 0.99)) :
		    "-" });
}

/* Of a big lab only the links that carried something, and not more than people read. */
enum { ROWS_MAX = 60 };

static void
links_text(struct lab *lab, struct emitter *e)
{
	static const char *const head[] = { "way out of", "rate", "delay", "loss", "queue", "|",
		"throughput", "used", "delay", "loss", "queue drops", "queueing p99", NULL };
	struct lab_table *t = lab_table_new(head, "<");
	uint32_t rows = 0, left_out = 0;
	struct lab_link *l;
	struct lab_phase *ph;

	STAILQ_FOREACH(l, &lab->links, next) {
		for (unsigned side = 0; side < 2; side++) {
			STAILQ_FOREACH(ph, &l->end[side].phases, next) {
				if (rows++ < ROWS_MAX)
					way_row(lab, t, &l->end[side], ph);
				else
					left_out++;
			}
		}
	}
	if (rows > 0) {
		emit_text(e, "\nlinks: requested | achieved\n");
		lab_table_print(t, e);
		if (left_out > 0)
			emit_text(e, "  and %" PRIu32 " more ways: see report.json\n", left_out);
	}
	lab_table_free(t);
}

/* --- flows ------------------------------------------------------------------------------------ */

/* How long a flow was to send. */
static uint64_t
flow_ns(const struct lab *lab, const struct lab_flow *f)
{
	uint64_t stop = f->stop_ns < lab->end_ns ? f->stop_ns : lab->end_ns;

	return stop > f->start_ns ? stop - f->start_ns : 0;
}

static void
times_json(struct emitter *e, const char *name, const struct delay_hist *h)
{
	if (h == NULL || delay_hist_count(h) == 0) {
		emit_null(e, name);
		return;
	}
	emit_object(e, name);
	emit_uint(e, "min-ns", NULL, delay_hist_min(h));
	emit_uint(e, "mean-ns", NULL, (uint64_t)(delay_hist_mean(h) + 0.5));
	emit_uint(e, "p50-ns", NULL, delay_hist_quantile(h, 0.5));
	emit_uint(e, "p95-ns", NULL, delay_hist_quantile(h, 0.95));
	emit_uint(e, "p99-ns", NULL, delay_hist_quantile(h, 0.99));
	emit_uint(e, "max-ns", NULL, delay_hist_max(h));
	emit_end(e);
}

/* Did a link's queue overflow? Then what a flow lost, it lost because it asked for too much. */
static bool
queues_dropped(const struct lab *lab)
{
	const struct lab_link *l;

	STAILQ_FOREACH(l, &lab->links, next)
		if (l->end[0].final.drop_queue > 0 || l->end[1].final.drop_queue > 0)
			return true;
	return false;
}

static void
udp_json(struct lab *lab, struct emitter *e, const struct lab_flow *f)
{
	uint64_t packets, bytes, errors, ns = flow_ns(lab, f), lost = lab_flow_lost(f, NULL);
	struct udp_sink_stats st;

	udp_sender_stats(f->sender, &packets, &bytes, &errors);
	lab_flow_received(f, &st);
	emit_uint(e, "requested-bps", NULL, f->rate_bps);
	emit_uint(e, "sent-bps", NULL, lab_rate_of(packets * lab_flow_packet_len(f), ns));
	emit_uint(e, "goodput-bps", NULL, lab_rate_of(st.ip_bytes, ns));
	emit_uint(e, "sent", NULL, packets);
	emit_uint(e, "refused", NULL, errors);
	emit_uint(e, "received", NULL, st.packets);
	emit_uint(e, "lost", NULL, lost);
	emit_num(e, "loss", NULL, share(lost, packets), 6);
	emit_uint(e, "reordered", NULL, st.reordered);
	emit_uint(e, "duplicated", NULL, st.duplicated);
	emit_bool(e, "more-than-the-path-carries", lost > 0 && queues_dropped(lab));
	times_json(e, "delay", st.delay);
}

static void
flow_json(struct lab *lab, struct emitter *e, const struct lab_flow *f)
{
	static const char *const kinds[] = { "", "udp", "ping", "replay" };
	struct ping_stats ps;
	struct replay_stats rs;
	char text[IPADDR_TEXT];

	emit_object(e, NULL);
	emit_str(e, "name", NULL, f->name);
	emit_str(e, "kind", NULL, kinds[f->kind]);
	emit_str(e, "from", NULL, f->from->name);
	emit_uint(e, "start-ns", NULL, f->start_ns);
	switch (f->kind) {
	case LAB_FLOW_UDP:
		emit_str(e, "to", NULL, ipaddr_ntoa(&f->dst, text));
		udp_json(lab, e, f);
		break;
	case LAB_FLOW_PING:
		ping_stats(f->ping, &ps);
		emit_str(e, "to", NULL, ipaddr_ntoa(&f->dst, text));
		emit_uint(e, "sent", NULL, ps.sent);
		emit_uint(e, "received", NULL, ps.received);
		emit_uint(e, "lost", NULL, lab_flow_lost(f, NULL));
		emit_num(e, "loss", NULL, share(lab_flow_lost(f, NULL), ps.sent), 6);
		emit_uint(e, "duplicated", NULL, ps.duplicates);
		emit_uint(e, "errors", NULL, ps.errors);
		times_json(e, "rtt", ps.rtt);
		break;
	case LAB_FLOW_REPLAY:
		replay_stats(f->replay, &rs);
		emit_str(e, "file", NULL, f->file);
		emit_str(e, "on", NULL, f->on);
		emit_uint(e, "read", NULL, rs.read);
		emit_uint(e, "sent", NULL, rs.sent);
		emit_uint(e, "bytes", NULL, rs.bytes);
		emit_uint(e, "skipped", NULL, rs.skipped_filter + rs.skipped_type);
		emit_uint(e, "errors", NULL, rs.errors);
		emit_bool(e, "done", rs.done);
		break;
	case LAB_FLOW_NONE:
		break;
	}
	emit_end(e);
}

static const char *
times_text(struct lab *lab, const struct delay_hist *h, double q)
{
	if (h == NULL || delay_hist_count(h) == 0)
		return "-";
	return rounded(lab, LAB_TIME, (double)delay_hist_quantile(h, q));
}

static void
flow_row(struct lab *lab, struct lab_table *t, const struct lab_flow *f)
{
	uint64_t packets, bytes, errors, lost = lab_flow_lost(f, &packets);
	struct udp_sink_stats st;
	struct ping_stats ps;
	struct replay_stats rs;
	const char *loss = rounded(lab, LAB_SHARE, share(lost, packets));

	switch (f->kind) {
	case LAB_FLOW_UDP:
		udp_sender_stats(f->sender, &packets, &bytes, &errors);
		lab_flow_received(f, &st);
		lab_table_row(t,
		    (const char *[]){ f->name, lab_printf(lab, "udp %s > %s", f->from->name, f->to),
			unit(lab, LAB_RATE, (double)f->rate_bps), "|",
			unit(lab, LAB_RATE,
			    (double)lab_rate_of(packets * lab_flow_packet_len(f), flow_ns(lab, f))),
			f->nsinks == 0 ?
			    "no sink" :
			    unit(lab, LAB_RATE, (double)lab_rate_of(st.ip_bytes, flow_ns(lab, f))),
			f->nsinks == 0 ? "-" : loss, times_text(lab, st.delay, 0.5),
			times_text(lab, st.delay, 0.99),
			lost == 0               ? "" :
			    queues_dropped(lab) ? "asked for more than the path carried" :
						  "lost on the way: see drops" });
		break;
	case LAB_FLOW_PING:
		ping_stats(f->ping, &ps);
		lab_table_row(t,
		    (const char *[]){ f->name,
			lab_printf(lab, "ping %s > %s", f->from->name, f->to),
			lab_printf(lab, "every %s", unit(lab, LAB_TIME, (double)f->every_ns)), "|",
			lab_printf(lab, "%" PRIu64 " sent", ps.sent),
			lab_printf(lab, "%" PRIu64 " received", ps.received), loss,
			times_text(lab, ps.rtt, 0.5), times_text(lab, ps.rtt, 0.99), "" });
		break;
	case LAB_FLOW_REPLAY:
		replay_stats(f->replay, &rs);
		lab_table_row(t,
		    (const char *[]){ f->name, lab_printf(lab, "replay on %s", f->on),
			f->rate_pps != 0 ? lab_printf(lab, "%" PRIu64 "pps", f->rate_pps) :
					   "its own times",
			"|", lab_printf(lab, "%" PRIu64 " read", rs.read),
			lab_printf(lab, "%" PRIu64 " sent", rs.sent), "-", "-", "-",
			rs.done ? "" : "cut off by the end" });
		break;
	case LAB_FLOW_NONE:
		break;
	}
}

static void
flows_text(struct lab *lab, struct emitter *e)
{
	static const char *const head[] = { "traffic", "what", "asked", "|", "sent", "arrived",
		"loss", "p50", "p99", "", NULL };
	struct lab_table *t;
	const struct lab_flow *f;

	if (STAILQ_EMPTY(&lab->flows))
		return;
	t = lab_table_new(head, "<<       <");
	STAILQ_FOREACH(f, &lab->flows, next)
		flow_row(lab, t, f);
	emit_text(e,
	    "\ntraffic: requested | achieved (p50, p99: one-way delay of udp, round trip of ping)\n");
	lab_table_print(t, e);
	lab_table_free(t);
}

/* --- nodes, commands, captures, the verdict --------------------------------------------------- */

struct drops_out {
	struct emitter *e;
	const struct lab_node *node;
	bool any;
};

LINKERSET_DECLARE(drop, const struct drop_reason);

static int
reason_compare(const void *a, const void *b)
{
	const struct drop_reason *x = *(const struct drop_reason *const *)a;
	const struct drop_reason *y = *(const struct drop_reason *const *)b;
	int layer = strcmp(x->layer, y->layer);

	return layer != 0 ? layer : strcmp(x->name, y->name);
}

/* All drop reasons by layer and name: a set's own order is the linker's. malloc'd. */
static const struct drop_reason **
reasons_sorted(size_t *n)
{
	const struct drop_reason *const *p, **all;

	*n = 0;
	LINKERSET_FOREACH(p, drop)
		(*n)++;
	all = calloc(*n + 1, sizeof(struct drop_reason *));
	*n = 0;
	if (all == NULL)
		return NULL;
	LINKERSET_FOREACH(p, drop)
		all[(*n)++] = *p;
	qsort(all, *n, sizeof(struct drop_reason *), reason_compare);
	return all;
}

static void
drops_report(struct lab *lab, struct emitter *e)
{
	const struct lab_node *n;
	size_t nreasons;
	const struct drop_reason **reason = reasons_sorted(&nreasons);
	bool titled = false;

	emit_list(e, "nodes");
	STAILQ_FOREACH(n, &lab->nodes, next) {
		bool any = false;

		if (n->prison == NULL || drop_total(n->prison->vnet) == 0)
			continue;
		if (!titled)
			emit_text(e, "\ndrops\n");
		titled = true;
		emit_object(e, NULL);
		emit_str(e, "name", "  %s:", n->name);
		emit_object(e, "drops");
		for (size_t i = 0; i < nreasons; i++) {
			uint64_t count = drop_get(n->prison->vnet, reason[i]);
			const char *name;

			if (count == 0)
				continue;
			name = lab_printf(lab, "%s.%s", reason[i]->layer, reason[i]->name);
			emit_text(e, "%s %s ", any ? "," : "", name);
			emit_uint(e, name, "%" PRIu64, count);
			any = true;
		}
		emit_end(e);
		emit_end(e);
		emit_text(e, "\n");
	}
	emit_end(e);
	free(reason);
}

/* Each line of a command's output, indented. */
static void
output_text(struct emitter *e, const char *text)
{
	while (text != NULL && *text != '\0') {
		int n = (int)strcspn(text, "\n");

		emit_text(e, "      %.*s\n", n, text);
		text += n + (text[n] == '\n');
	}
}

static void
commands_report(struct lab *lab, struct emitter *e)
{
	const struct lab_exec *x;
	bool titled = false;

	emit_list(e, "commands");
	STAILQ_FOREACH(x, &lab->execs, next) {
		if (!titled)
			emit_text(e, "\ncommands\n");
		titled = true;
		emit_object(e, NULL);
		emit_uint(e, "at-ns", NULL, x->at_ns);
		emit_uint(e, "end-ns", NULL, x->end_ns);
		emit_text(e, "  %s ", unit(lab, LAB_TIME, (double)x->at_ns));
		emit_str(e, "node", "%s: ", x->node->name);
		emit_str(e, "command", "%s", x->line);
		emit_int(e, "status", NULL, x->status);
		if (!lab_exec_ok(x))
			emit_text(e, "   << exit status %d", x->status);
		emit_text(e, "\n");
		emit_str(e, "output", NULL, x->out != NULL ? x->out : "");
		emit_str(e, "error", NULL, x->err != NULL ? x->err : "");
		output_text(e, x->out);
		output_text(e, x->err);
		emit_end(e);
	}
	emit_end(e);
}

static void
captures_report(struct lab *lab, struct emitter *e)
{
	const struct lab_capture *c;

	emit_list(e, "captures");
	STAILQ_FOREACH(c, &lab->captures, next) {
		if (STAILQ_FIRST(&lab->captures) == c)
			emit_text(e, "\ncaptures\n");
		emit_object(e, NULL);
		emit_str(e, "file", "  %s: ", c->file);
		emit_uint(e, "seen", "%" PRIu64 " seen, ", c->seen);
		emit_uint(e, "written", "%" PRIu64 " written\n", c->written);
		emit_uint(e, "dropped", NULL, c->dropped);
		emit_end(e);
	}
	emit_end(e);
}

static void
verdict_report(struct lab *lab, struct emitter *e)
{
	const struct lab_expect *x;
	const struct lab_diff *d;
	const struct lab_words *w;

	emit_list(e, "expectations");
	STAILQ_FOREACH(x, &lab->expects, next) {
		if (STAILQ_FIRST(&lab->expects) == x)
			emit_text(e, "\nexpectations\n");
		emit_object(e, NULL);
		emit_bool(e, "holds", x->holds);
		emit_text(e, "  %s  ", x->holds ? "ok    " : "NOT OK");
		emit_str(e, "expected", "%s", lab_expect_text(lab, x));
		emit_str(e, "found", ": %s\n", x->why != NULL ? x->why : "");
		emit_uint(e, "line", NULL, x->line);
		emit_end(e);
	}
	emit_end(e);
	emit_list(e, "differences");
	STAILQ_FOREACH(d, &lab->diffs, next) {
		if (STAILQ_FIRST(&lab->diffs) == d)
			emit_text(e, "\nnot as requested\n");
		emit_text(e, "  %s\n", d->text != NULL ? d->text : "?");
		emit_object(e, NULL);
		emit_str(e, "text", NULL, d->text);
		emit_end(e);
	}
	emit_end(e);
	emit_list(e, "notes");
	STAILQ_FOREACH(w, &lab->notes, next) {
		if (STAILQ_FIRST(&lab->notes) == w)
			emit_text(e, "\nnotes\n");
		emit_text(e, "  line %u: %s\n", w->line, w->text);
		emit_object(e, NULL);
		emit_uint(e, "line", NULL, w->line);
		emit_str(e, "text", NULL, w->text);
		emit_end(e);
	}
	emit_end(e);
}

void
lab_report(struct lab *lab, struct emitter *e)
{
	const struct lab_flow *f;

	if (lab->built != LAB_RAN)
		return;
	emit_str(e, "name", "%s: ", lab->name);
	emit_uint(e, "seed", "seed %" PRIu64 ", ", lab->opt.seed);
	emit_uint(e, "simulated-ns", NULL, lab->stopped_ns);
	emit_text(e, "%s simulated, ", unit(lab, LAB_TIME, (double)lab->stopped_ns));
	emit_uint(e, "packet-hops", "%" PRIu64 " packet-hops, ", lab->hops);
	emit_uint(e, "drops", "%" PRIu64 " drops\n", lab->drops);
	emit_bool(e, "interrupted", lab->interrupted);
	emit_bool(e, "ok", lab->nfailed == 0);
	if (emitter_form(e) == EMIT_JSON) {
		links_json(lab, e);
		emit_list(e, "traffic");
		STAILQ_FOREACH(f, &lab->flows, next)
			flow_json(lab, e, f);
		emit_end(e);
	} else {
		links_text(lab, e);
		flows_text(lab, e);
	}
	lab_series_report(lab, e);
	drops_report(lab, e);
	commands_report(lab, e);
	captures_report(lab, e);
	verdict_report(lab, e);
	if (lab->nfailed > 0)
		emit_text(e, "\n%" PRIu32 " failed\n", lab->nfailed);
}

/* --- TAP -------------------------------------------------------------------------------------- */

static void
tap_line(struct lab *lab, struct emitter *e, int *number, bool ok, unsigned line, const char *what,
    const char *why)
{
	emit_text(e, "%sok %d - %s: %s\n", ok ? "" : "not ", ++*number, lab->name, what);
	if (!ok)
		emit_text(e, "# %s:%u: %s\n", lab->file, line, why);
}

int
lab_tap(struct lab *lab, struct emitter *e, int *number)
{
	const struct lab_expect *x;
	const struct lab_exec *c;
	const struct lab_diff *d;
	int failed = 0;

	STAILQ_FOREACH(x, &lab->expects, next) {
		tap_line(lab, e, number, x->holds, x->line, lab_expect_text(lab, x),
		    x->why != NULL ? x->why : "");
		failed += !x->holds;
	}
	STAILQ_FOREACH(c, &lab->execs, next) {
		if (lab_exec_ok(c))
			continue;
		tap_line(lab, e, number, false, c->at_line,
		    lab_printf(lab, "%s: %s", c->node->name, c->line),
		    lab_printf(lab, "exit status %d: %s", c->status, lab_exec_why(c)));
		failed++;
	}
	tap_line(lab, e, number, STAILQ_EMPTY(&lab->diffs), 1, "achieved as requested",
	    STAILQ_EMPTY(&lab->diffs) ? "" : STAILQ_FIRST(&lab->diffs)->text);
	STAILQ_FOREACH(d, &lab->diffs, next) {
		if (d != STAILQ_FIRST(&lab->diffs))
			emit_text(e, "# %s\n", d->text);
		failed++;
	}
	return failed;
}
