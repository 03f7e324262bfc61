/*
 * pipe_cmd.c - the words for a link's pipe.
 *
 *	ifconfig epair0a link rate 20Mbit/s delay 10ms jitter 1ms loss 0.5% queue 50
 *	ifconfig epair0a -link
 *
 * `link` puts a pipe in the way out of the interface, without a limit and without a delay as yet;
 * the words behind it set one number each and leave the others alone, so they also change a pipe
 * that is there. Each end has its own direction. `ifconfig IF` and `show pipes` print what is set.
 */
#include "dummynet/pipe.h"
#include "kern/show.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- numbers ---------------------------------------------------------------------------------- */

struct unit {
	uint64_t factor;
	const char *name;
};

/* The number in the largest unit that leaves it whole: 20Mbit/s, 10ms, 1500us. */
static const char *
with_unit(uint64_t n, const struct unit *units, char *text, size_t len)
{
	const struct unit *u = units;

	while (u->factor > 1 && (n == 0 || n % u->factor != 0))
		u++;
	snprintf(text, len, "%" PRIu64 "%s", n / u->factor, u->name);
	return text;
}

static const struct unit rate_units[] = {
	{ UINT64_C(1000000000), "Gbit/s" },
	{ 1000000, "Mbit/s" },
	{ 1000, "kbit/s" },
	{ 1, "bit/s" },
};
static const struct unit time_units[] = {
	{ UINT64_C(1000000000), "s" },
	{ 1000000, "ms" },
	{ 1000, "us" },
	{ 1, "ns" },
};
static const struct unit size_units[] = { { 1000000, "MB" }, { 1000, "KB" }, { 1, "B" } };

/* "0.01" or "1%": a probability. */
static bool
parse_loss(const char *word, double *loss)
{
	char *end;
	double value;

	if (word[0] < '0' || word[0] > '9')
		return false;
	errno = 0;
	value = strtod(word, &end);
	if (end == word || errno != 0 || !isfinite(value))
		return false;
	if (*end == '%') {
		value /= 100;
		end++;
	}
	if (*end != '\0' || value > 1)
		return false;
	*loss = value;
	return true;
}

/* --- ifconfig words --------------------------------------------------------------------------- */

static int
fail(struct verb_run *v, const struct ifnet *ifp, const char *word, int error)
{
	if (error == -EINVAL)
		return verb_error(v, 1, "%s: %s: not an end of an epair, or a value out of range",
		    ifp->if_xname, word);
	return verb_error(v, 1, "%s: %s: %s", ifp->if_xname, word,
	    error == -ENOMEM ? "Cannot allocate memory" : "failed");
}

/* The configuration that a word changes; false when there is no pipe yet (`link` comes first). */
static bool
config_of(struct verb_run *v, struct ifnet *ifp, const char *word, struct pipe_config *c)
{
	if (pipe_of(ifp) == NULL) {
		verb_error(v, 1, "%s: %s: there is no link, say 'link %s …' first", ifp->if_xname,
		    word, word);
		return false;
	}
	*c = *pipe_config(pipe_of(ifp));
	return true;
}

static int
apply(struct verb_run *v, struct ifnet *ifp, const char *word, const struct pipe_config *c)
{
	int error = pipe_attach(ifp, c);

	return error != 0 ? fail(v, ifp, word, error) : 0;
}

static int
word_link(struct verb_run *v, struct ifnet *ifp, char **args)
{
	const struct pipe_config none = { 0 };

	(void)args;
	return pipe_of(ifp) != NULL ? 0 : apply(v, ifp, "link", &none);
}

static int
word_no_link(struct verb_run *v, struct ifnet *ifp, char **args)
{
	(void)args;
	if (pipe_of(ifp) == NULL)
		return verb_error(v, 1, "%s: -link: there is no link", ifp->if_xname);
	pipe_detach(ifp);
	return 0;
}

static int
word_rate(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct pipe_config c;

	if (!config_of(v, ifp, "rate", &c))
		return 1;
	if (strcmp(args[0], "unlimited") == 0)
		c.rate_bps = 0;
	else if (!verb_rate(args[0], &c.rate_bps) || c.rate_bps == 0)
		return verb_error(v, 1, "%s: rate %s: not a rate (as 20Mbit/s, or unlimited)",
		    ifp->if_xname, args[0]);
	return apply(v, ifp, "rate", &c);
}

static int
word_delay(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct pipe_config c;

	if (!config_of(v, ifp, "delay", &c))
		return 1;
	if (!verb_duration(args[0], &c.delay_ns))
		return verb_error(
		    v, 1, "%s: delay %s: not a time (as 10ms)", ifp->if_xname, args[0]);
	return apply(v, ifp, "delay", &c);
}

static int
word_jitter(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct pipe_config c;

	if (!config_of(v, ifp, "jitter", &c))
		return 1;
	if (!verb_duration(args[0], &c.jitter_ns))
		return verb_error(
		    v, 1, "%s: jitter %s: not a time (as 1ms)", ifp->if_xname, args[0]);
	return apply(v, ifp, "jitter", &c);
}

static int
word_loss(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct pipe_config c;

	if (!config_of(v, ifp, "loss", &c))
		return 1;
	if (!parse_loss(args[0], &c.loss))
		return verb_error(v, 1, "%s: loss %s: not a probability (as 0.01 or 1%%)",
		    ifp->if_xname, args[0]);
	return apply(v, ifp, "loss", &c);
}

/* A number of packets, or a size with its unit. */
static int
word_queue(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct pipe_config c;
	uint64_t n;

	if (!config_of(v, ifp, "queue", &c))
		return 1;
	c.queue_packets = 0;
	c.queue_bytes = 0;
	if (verb_number(args[0], 1, 1000000, &n))
		c.queue_packets = (uint32_t)n;
	else if (!verb_size(args[0], &c.queue_bytes) || c.queue_bytes == 0)
		return verb_error(v, 1,
		    "%s: queue %s: not a number of packets or a size (as 50, 64KB)", ifp->if_xname,
		    args[0]);
	return apply(v, ifp, "queue", &c);
}

IFCONFIG_WORD_DEFINE(pipe_link, "link", 0, word_link);
IFCONFIG_WORD_DEFINE(pipe_no_link, "-link", 0, word_no_link);
IFCONFIG_WORD_DEFINE(pipe_rate, "rate", 1, word_rate);
IFCONFIG_WORD_DEFINE(pipe_delay, "delay", 1, word_delay);
IFCONFIG_WORD_DEFINE(pipe_jitter, "jitter", 1, word_jitter);
IFCONFIG_WORD_DEFINE(pipe_loss, "loss", 1, word_loss);
IFCONFIG_WORD_DEFINE(pipe_queue, "queue", 1, word_queue);

/* --- lists ------------------------------------------------------------------------------------ */

static void
print_config(struct emitter *e, const struct pipe *p)
{
	struct pipe_config c;
	char text[32];

	pipe_config_get(p, &c);
	emit_uint(e, "rate-bps", NULL, c.rate_bps);
	emit_uint(e, "delay-ns", NULL, c.delay_ns);
	emit_uint(e, "jitter-ns", NULL, c.jitter_ns);
	emit_num(e, "loss", NULL, c.loss, 9);
	emit_uint(e, "queue-packets", NULL, c.queue_packets);
	emit_uint(e, "queue-bytes", NULL, c.queue_bytes);
	emit_text(e, "rate %s",
	    c.rate_bps == 0 ? "unlimited" : with_unit(c.rate_bps, rate_units, text, sizeof(text)));
	emit_text(e, " delay %s", with_unit(c.delay_ns, time_units, text, sizeof(text)));
	if (c.jitter_ns != 0)
		emit_text(e, " jitter %s", with_unit(c.jitter_ns, time_units, text, sizeof(text)));
	if (c.loss > 0)
		emit_text(e, " loss %.9g%%", c.loss * 100);
	emit_text(e, " queue %s",
	    c.queue_bytes != 0 ? with_unit(c.queue_bytes, size_units, text, sizeof(text)) : "");
	if (c.queue_bytes == 0)
		emit_text(e, "%u", c.queue_packets);
}

static void
pipe_ifconfig(struct ifnet *ifp, struct emitter *e)
{
	const struct pipe *p = pipe_of(ifp);

	if (p == NULL)
		return;
	emit_object(e, "link");
	emit_text(e, "\tlink: ");
	print_config(e, p);
	emit_text(e, "\n");
	emit_end(e);
}
IFCONFIG_STATUS_DEFINE(pipe, "link", pipe_ifconfig);

static void
show_pipe(struct emitter *e, const struct ifnet *ifp, const struct pipe *p)
{
	struct pipe_stats st;

	pipe_stats(p, &st);
	emit_object(e, NULL);
	emit_str(e, "interface", "%s: ", ifp->if_xname);
	print_config(e, p);
	emit_text(e, "\n");
	emit_uint(e, "in-packets", "\tin %" PRIu64 " packets", st.in_packets);
	emit_uint(e, "in-bytes", " %" PRIu64 " bytes,", st.in_bytes);
	emit_uint(e, "out-packets", " out %" PRIu64 " packets", st.out_packets);
	emit_uint(e, "out-bytes", " %" PRIu64 " bytes,", st.out_bytes);
	emit_uint(e, "dropped-queue", " dropped %" PRIu64 " queue full", st.drop_queue);
	emit_uint(e, "dropped-loss", " %" PRIu64 " lost\n", st.drop_loss);
	emit_uint(e, "queue-max", "\tqueue max %" PRIu64 " packets,", st.max_queue);
	emit_num(e, "queueing-p50-ms", " waiting p50 %.3f ms",
	    (double)delay_hist_quantile(st.queueing, 0.5) / 1e6, 6);
	emit_num(e, "queueing-p99-ms", " p99 %.3f ms",
	    (double)delay_hist_quantile(st.queueing, 0.99) / 1e6, 6);
	emit_num(
	    e, "queueing-max-ms", " max %.3f ms,", (double)delay_hist_max(st.queueing) / 1e6, 6);
	emit_uint(e, "busy-ns", " busy %" PRIu64 " ns\n", st.busy_ns);
	emit_end(e);
}

static int
show_pipes(struct verb_run *v, int argc, char **argv)
{
	struct ifnet *ifp;

	(void)argv;
	if (argc != 0)
		return verb_usage(v, NULL);
	emit_list(v->out, "pipe");
	IF_FOREACH(ifp)
		if (pipe_of(ifp) != NULL)
			show_pipe(v->out, ifp, pipe_of(ifp));
	emit_end(v->out);
	return 0;
}
SHOW_DEFINE(pipes, "pipes", "", show_pipes);
