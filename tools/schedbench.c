/*
 * schedbench.c - drives a scheduler of dummynet alone: what it costs, and whether it is fair.
 *
 *	schedbench --part QFQ --flows 1000 --weights 1-100 --sizes imix
 *
 * Two runs of the same traffic. In the first nobody looks and time is taken, beside a null
 * scheduler in turns; in the second sched_judge.c watches each packet, and the fluid of GPS runs
 * beside it. The exit status is 1 when a packet was lost or a bound broken. docs/schedulers.md.
 */
#include "sched_judge.h"

#include <dlfcn.h>
#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WEIGHTS_MAX = 1024, TURNS = 20 };

struct options {
	struct rig_spec spec;
	uint64_t packets;
	uint32_t rows; /* flows to print */
	uint32_t weights[WEIGHTS_MAX];
};

static const char usage[] =
    "usage: schedbench [option ...]\n"
    "  --part NAME|/FILE.so   FIFO, WF2Q+ (default), RR, QFQ, PRIO, or a part in a file\n"
    "  --flows N              1000\n"
    "  --weights A-B|A,B,...  at random in a range (1-100), or in turns\n"
    "  --priorities N         at random below N (1)\n"
    "  --lmax N               RR: bytes of the quantum (the part's default)\n"
    "  --sizes N|A-B|each:A-B|imix\n"
    "                         bytes (40-1500); each: flows have longest packets of their own\n"
    "  --arrivals saturated|bursts|poisson\n"
    "                         (saturated) bursts: --burst N packets in the mean (8), --load X of\n"
    "                         the link (0.95), --limit N packets in a queue (50)\n"
    "  --backlog N            saturated: packets of each flow (2)\n"
    "  --drops P              a policy drops packets with this probability as they leave (0)\n"
    "  --packets N            1000000\n"
    "  --rows N               flows to print, the unhappiest first (10)\n"
    "  --seed N               1\n";

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("schedbench: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

/* --- options ---------------------------------------------------------------------------------- */

static uint64_t
number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n < min || n > max)
		fail("--%s %s: not a number from %" PRIu64 " to %" PRIu64, option, text, min, max);
	return n;
}

static double
fraction(const char *option, const char *text, double max)
{
	char *end;
	const double x = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !isfinite(x) || x < 0 || x > max)
		fail("--%s %s: not a number from 0 to %g", option, text, max);
	return x;
}

/* "A-B", or "A" for both. */
static void
range(const char *option, const char *text, uint32_t max, uint32_t *from, uint32_t *to)
{
	char *copy = strdup(text), *dash = copy != NULL ? strchr(copy, '-') : NULL;

	if (copy == NULL)
		fail("no memory");
	if (dash != NULL)
		*dash = '\0';
	*from = (uint32_t)number(option, copy, 1, max);
	*to = dash != NULL ? (uint32_t)number(option, dash + 1, *from, max) : *from;
	free(copy);
}

static void
take_weights(struct options *o, const char *text)
{
	char *copy = strdup(text), *rest = copy, *word;

	if (strchr(text, ',') == NULL) {
		range("weights", text, 65536, &o->spec.min_weight, &o->spec.max_weight);
		o->spec.weights = NULL;
	} else {
		o->spec.nweights = 0;
		while ((word = strsep(&rest, ",")) != NULL) {
			if (o->spec.nweights == WEIGHTS_MAX)
				fail("--weights: more than %d", WEIGHTS_MAX);
			o->weights[o->spec.nweights++] = (uint32_t)number(
			    "weights", word, 1, 65536);
		}
		o->spec.weights = o->weights;
	}
	free(copy);
}

static void
take_sizes(struct rig_spec *s, const char *text)
{
	if (strcmp(text, "imix") == 0) {
		s->sizes = SIZES_IMIX;
		return;
	}
	s->sizes = SIZES_RANGE;
	if (strncmp(text, "each:", 5) == 0) {
		s->sizes = SIZES_EACH;
		text += 5;
	}
	range("sizes", text, 65535, &s->min_size, &s->max_size);
}

static void
take_arrivals(struct rig_spec *s, const char *text)
{
	if (strcmp(text, "saturated") == 0)
		s->arrivals = ARRIVE_SATURATED;
	else if (strcmp(text, "bursts") == 0 || strcmp(text, "poisson") == 0)
		s->arrivals = ARRIVE_BURSTS;
	else
		fail("--arrivals %s: saturated, bursts or poisson", text);
	if (strcmp(text, "poisson") == 0)
		s->burst = 1;
}

static const struct dn_sched_part *
part_of(const char *name)
{
	const struct dn_sched_part *part;
	void *handle;

	if (strchr(name, '/') == NULL) {
		if ((part = rig_part(name)) == NULL)
			fail("--part %s: no such scheduler", name);
		return part;
	}
	if ((handle = dlopen(name, RTLD_NOW)) == NULL)
		fail("--part %s", dlerror());
	if ((part = dlsym(handle, "dn_sched_part_exported")) == NULL)
		fail("--part %s: it has no dn_sched_part_exported", name);
	return part;
}

static void
take_option(struct options *o, const char *name, const char *value)
{
	struct rig_spec *s = &o->spec;

	if (strcmp(name, "part") == 0)
		s->part = part_of(value);
	else if (strcmp(name, "flows") == 0)
		s->flows = (uint32_t)number(name, value, 1, 1000000);
	else if (strcmp(name, "weights") == 0)
		take_weights(o, value);
	else if (strcmp(name, "priorities") == 0)
		s->levels = (uint32_t)number(name, value, 1, 64);
	else if (strcmp(name, "lmax") == 0)
		s->max_len = (uint32_t)number(name, value, 1, 65535);
	else if (strcmp(name, "sizes") == 0)
		take_sizes(s, value);
	else if (strcmp(name, "arrivals") == 0)
		take_arrivals(s, value);
	else if (strcmp(name, "burst") == 0)
		s->burst = (uint32_t)number(name, value, 1, 100000);
	else if (strcmp(name, "load") == 0)
		s->load = fraction(name, value, 100);
	else if (strcmp(name, "limit") == 0)
		s->limit = (uint32_t)number(name, value, 1, 100000);
	else if (strcmp(name, "backlog") == 0)
		s->backlog = (uint32_t)number(name, value, 1, 10000);
	else if (strcmp(name, "drops") == 0)
		s->aqm_drops = fraction(name, value, 0.99);
	else if (strcmp(name, "packets") == 0)
		o->packets = number(name, value, 1, UINT64_C(1) << 40);
	else if (strcmp(name, "rows") == 0)
		o->rows = (uint32_t)number(name, value, 0, UINT32_MAX);
	else
		s->seed = number(name, value, 0, UINT64_MAX);
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const char *const names[] = { "part", "flows", "weights", "priorities", "lmax",
		"sizes", "arrivals", "burst", "load", "limit", "backlog", "drops", "packets",
		"rows", "seed" };
	enum { N = sizeof(names) / sizeof(names[0]) };
	struct option options[N + 2] = { { 0 } };
	int at;

	for (int i = 0; i < N; i++)
		options[i] = (struct option){ names[i], required_argument, NULL, 'o' };
	options[N] = (struct option){ "help", no_argument, NULL, 'h' };
	for (int c; (c = getopt_long(argc, argv, "h", options, &at)) != -1;) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (c != 'o') {
			fputs(usage, stderr);
			exit(2);
		}
		take_option(o, names[at], optarg);
	}
	if (optind != argc)
		fail("%s: not an option", argv[optind]);
	if (o->spec.part->flags & DN_SCHED_OWN_QUEUES)
		fail("%s tells flows apart by itself: nothing to drive here", o->spec.part->name);
	if (o->spec.load <= 0)
		fail("--load 0: nothing would come");
	if (o->spec.part->max_weight != 0 && o->spec.weights == NULL &&
	    o->spec.max_weight > o->spec.part->max_weight)
		fail("%s has weights up to %u", o->spec.part->name, o->spec.part->max_weight);
}

/* --- time ------------------------------------------------------------------------------------- */

static double
turn(struct rig *r, uint64_t packets)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	rig_run(r, packets);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	    (double)packets;
}

/* The least of some turns, the null scheduler's and the part's alternately. */
static void
print_cost(const struct options *o)
{
	struct rig_spec spec = o->spec;
	const uint64_t packets = o->packets / TURNS + 1;
	double best[2] = { DBL_MAX, DBL_MAX };
	struct rig rig[2];

	for (int i = 0; i < 2; i++) {
		spec.part = i == 0 ? NULL : o->spec.part;
		if (!rig_init(&rig[i], &spec, NULL))
			fail("no memory");
	}
	for (int n = 0; n < TURNS; n++)
		for (int i = 0; i < 2; i++)
			best[i] = fmin(best[i], turn(&rig[i], packets));
	printf("%.1f ns a packet above a null scheduler (%.1f with the traffic's own cost)\n",
	    best[1] - best[0], best[1]);
	rig_end(&rig[0]);
	rig_end(&rig[1]);
}

/* --- fairness --------------------------------------------------------------------------------- */

static const struct judge *sorting;

static double
unhappiness(uint32_t flow)
{
	return fmax(sorting->flow[flow].lag, sorting->flow[flow].lead);
}

static int
by_unhappiness(const void *a, const void *b)
{
	const double x = unhappiness(*(const uint32_t *)a), y = unhappiness(*(const uint32_t *)b);

	return (x < y) - (x > y);
}

static void
print_flows(const struct judge *j, uint32_t rows)
{
	uint32_t *order = calloc(j->flows, sizeof(*order));

	if (order == NULL)
		fail("no memory");
	for (uint32_t i = 0; i < j->flows; i++)
		order[i] = i;
	sorting = j;
	qsort(order, j->flows, sizeof(*order), by_unhappiness);
	if (rows > 0)
		printf(
		    "\n  flow weight prio lmax    packets          bytes            GPS   worst lag"
		    "  worst lead\n");
	for (uint32_t k = 0; k < rows && k < j->flows; k++) {
		const uint32_t i = order[k];
		const struct rig_flow *f = &j->rig->flow[i];

		printf("%6u %6u %4u %4u %10" PRIu64 " %14" PRIu64 " %14.0f %11.0f %11.0f\n", i,
		    f->share.weight, f->share.priority, f->longest, j->flow[i].packets,
		    j->flow[i].served, gps_served(&j->gps, i), j->flow[i].lag, j->flow[i].lead);
	}
	free(order);
}

static void
print_measures(const struct judge *j)
{
	printf("\n");
	for (int i = 0; i < M_COUNT; i++) {
		const struct measure *m = &j->measure[i];

		if (m->promised)
			printf("%-8s  worst %.1f %% of its bound, %.3f of %.3f (flow %u): %s\n",
			    m->name, 100 * m->worst, m->value, m->bound, m->flow,
			    measure_is_kept(m) ? "kept" : "BROKEN");
	}
	printf("%" PRIu64 " packets came, %" PRIu64 " left or were dropped: %s\n", j->arrived,
	    j->gone,
	    j->fault != NULL          ? j->fault :
		j->arrived == j->gone ? "nothing lost, all in order" :
					"SOME ARE LOST");
}

static bool
judged(const struct options *o)
{
	struct judge j;
	struct rig r;
	bool content;

	if (!judge_init(&j, o->spec.flows, true) || !rig_init(&r, &o->spec, &j.watch))
		fail("no memory");
	judge_begin(&j, &r);
	rig_run(&r, o->packets);
	print_flows(&j, o->rows);
	rig_drain(&r);
	print_measures(&j);
	content = judge_is_content(&j);
	rig_end(&r);
	judge_end(&j);
	return content;
}

int
main(int argc, char **argv)
{
	static struct options o = {
		.spec = {
			.flows = 1000,
			.min_weight = 1,
			.max_weight = 100,
			.levels = 1,
			.sizes = SIZES_RANGE,
			.min_size = 40,
			.max_size = 1500,
			.arrivals = ARRIVE_SATURATED,
			.backlog = 2,
			.burst = 8,
			.load = 0.95,
			.limit = 50,
			.seed = 1,
		},
		.packets = 1000000,
		.rows = 10,
	};

	o.spec.part = part_of("WF2Q+");
	read_options(&o, argc, argv);
	printf("%s, %u flows, %" PRIu64 " packets, seed %" PRIu64 "\n", o.spec.part->name,
	    o.spec.flows, o.packets, o.spec.seed);
	print_cost(&o);
	return judged(&o) ? 0 : 1;
}
