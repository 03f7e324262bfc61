/*
 * lab_check.c - requested beside achieved: the difference is an error past its bound.
 *
 * What was asked of the simulator itself must have been done, whatever the traffic did:
 *
 *	a way's rate	bytes serialised over the time spent at it: one part in a million, and a ns a frame
 *	a way's delay	time in the pipe less queueing and serialisation, mean: a ns
 *			(with jitter: within [delay, delay + jitter])
 *	a way's loss	5 standard deviations of a fair coin, and one frame
 *	a sender's rate	one packet of each flow; Poisson: 5 standard deviations
 *	losses		none without a drop that was counted, somewhere
 *
 * That a flow asks for more than its path carries is no such error: its report shows both.
 */
#include "lab/lab_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
lab_differ(struct lab *lab, const char *fmt, ...)
{
	struct lab_diff *d = lab_alloc(lab, sizeof(*d));
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&d->text, fmt, ap) < 0)
		d->text = NULL;
	va_end(ap);
	STAILQ_INSERT_TAIL(&lab->diffs, d, next);
}

static void
check_loss(struct lab *lab, const struct lab_end *e, const struct lab_phase *ph)
{
	double n = (double)(ph->end.in_packets - ph->start.in_packets);
	double lost = (double)(ph->end.drop_loss - ph->start.drop_loss);
	double bound = 5 * sqrt(n * ph->c.loss * (1 - ph->c.loss)) + 1;
	char asked[LAB_UNIT_TEXT], got[LAB_UNIT_TEXT];

	if (n > 0 && fabs(lost - n * ph->c.loss) > bound)
		lab_differ(lab, "%s: loss %s asked, %s achieved (%.0f of %.0f frames, bound %.0f)",
		    e->name, lab_unit_text(LAB_SHARE, ph->c.loss, asked),
		    lab_unit_text(LAB_SHARE, lost / n, got), lost, n, bound);
}

static void
check_rate(struct lab *lab, const struct lab_end *e, const struct lab_phase *ph)
{
	const struct pipe_stats *st = &e->final;
	unsigned __int128 want;
	uint64_t want_ns, off;
	char asked[LAB_UNIT_TEXT], got[LAB_UNIT_TEXT];

	/*
	 * Only when all that was serialised has been delivered, too: then both counters speak of
	 * the same frames.
	 */
	if (ph->c.rate_bps == 0 || st->out_packets == 0 ||
	    st->in_packets != st->out_packets + st->drop_queue + st->drop_loss)
		return;
	want = (unsigned __int128)st->out_bytes * 8 * NS_PER_SEC / ph->c.rate_bps;
	want_ns = (uint64_t)want;
	off = want_ns > st->busy_ns ? want_ns - st->busy_ns : st->busy_ns - want_ns;
	if (off > want_ns / 1000000 + st->out_packets)
		lab_differ(lab, "%s: rate %s asked, %s achieved", e->name,
		    lab_unit_text(LAB_RATE, (double)ph->c.rate_bps, asked),
		    lab_unit_text(LAB_RATE, (double)lab_rate_of(st->out_bytes, st->busy_ns), got));
}

static void
check_delay(struct lab *lab, const struct lab_end *e, const struct lab_phase *ph)
{
	double delay = lab_way_delay(e);
	char asked[LAB_UNIT_TEXT], got[LAB_UNIT_TEXT];

	if (e->final.out_packets == 0 || delay < 0)
		return;
	if (delay < (double)ph->c.delay_ns - 1 ||
	    delay > (double)(ph->c.delay_ns + ph->c.jitter_ns) + 1)
		lab_differ(lab, "%s: delay %s asked, %s achieved", e->name,
		    lab_unit_text(LAB_TIME, (double)ph->c.delay_ns, asked),
		    lab_unit_text(LAB_TIME, delay, got));
}

/* Mean time in the pipe less queueing and serialisation; negative when it is not known. */
double
lab_way_delay(const struct lab_end *e)
{
	const struct pipe_stats *st = &e->final;
	double queued = 0;

	if (st->transit_packets == 0)
		return -1;
	if (st->queueing != NULL)
		queued = delay_hist_mean(st->queueing) * (double)delay_hist_count(st->queueing);
	return ((double)st->transit_sum_ns - queued - (double)st->busy_ns) /
	    (double)st->transit_packets;
}

static void
check_way(struct lab *lab, const struct lab_end *e)
{
	const struct lab_phase *ph = STAILQ_FIRST(&e->phases);

	if (ph == NULL)
		return;
	/* Totals of a way that was changed are of no one request. */
	if (STAILQ_NEXT(ph, next) == NULL) {
		check_rate(lab, e, ph);
		check_delay(lab, e, ph);
	}
	STAILQ_FOREACH(ph, &e->phases, next)
		check_loss(lab, e, ph);
}

uint64_t
lab_flow_lost(const struct lab_flow *f, uint64_t *sent)
{
	uint64_t packets = 0, bytes, errors, received = 0;

	if (f->kind == LAB_FLOW_UDP && f->sender != NULL) {
		struct udp_sink_stats st;

		udp_sender_stats(f->sender, &packets, &bytes, &errors);
		/* what was sent to a group is to arrive at each of its sinks */
		packets *= f->nsinks > 1 ? f->nsinks : 1;
		lab_flow_received(f, &st);
		received = f->nsinks > 0 ? st.packets - st.duplicated : packets;
	} else if (f->kind == LAB_FLOW_PING && f->ping != NULL) {
		struct ping_stats st;

		ping_stats(f->ping, &st);
		packets = st.sent;
		received = st.received;
	}
	if (sent != NULL)
		*sent = packets;
	return packets > received ? packets - received : 0;
}

static void
check_sender(struct lab *lab, const struct lab_flow *f)
{
	uint64_t packets, bytes, errors, stop = f->stop_ns < lab->end_ns ? f->stop_ns : lab->end_ns;
	char asked[LAB_UNIT_TEXT], got[LAB_UNIT_TEXT];
	double want, bound;

	if (f->kind != LAB_FLOW_UDP || f->sender == NULL || f->count != 0 || stop <= f->start_ns ||
	    lab->interrupted)
		return;
	udp_sender_stats(f->sender, &packets, &bytes, &errors);
	want = (double)f->rate_bps * (double)(stop - f->start_ns) / 8e9 /
	    (double)lab_flow_packet_len(f);
	bound = f->pattern == UDP_POISSON ? 5 * sqrt(want) + f->flows : 1 + f->flows;
	if (fabs((double)packets - want) > bound)
		lab_differ(lab,
		    "%s: rate %s asked, %s sent (%" PRIu64 " packets, %" PRIu64 " refused)",
		    f->name, lab_unit_text(LAB_RATE, (double)f->rate_bps, asked),
		    lab_unit_text(LAB_RATE,
			(double)lab_rate_of(packets * lab_flow_packet_len(f), stop - f->start_ns),
			got),
		    packets, errors);
}

void
lab_check(struct lab *lab)
{
	const struct lab_flow *f;
	struct lab_link *l;
	uint64_t lost = 0;

	STAILQ_FOREACH(l, &lab->links, next)
		for (unsigned side = 0; side < 2; side++)
			check_way(lab, &l->end[side]);
	STAILQ_FOREACH(f, &lab->flows, next) {
		check_sender(lab, f);
		lost += lab_flow_lost(f, NULL);
	}
	if (lost > lab->drops && !lab->interrupted && !lab->opt.live)
		lab_differ(lab,
		    "%" PRIu64 " packets of the traffic were lost, but only %" PRIu64
		    " drops were counted",
		    lost, lab->drops);
}
