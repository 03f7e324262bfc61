/*
 * dn_profile.c - delay profiles: a file with some points of a distribution becomes a table of samples,
 * of which each packet draws one.
 *
 *	name wlan		# what `show` calls it
 *	bw 11Mbit/s		# the rate of a link that has it
 *	samples 100		# size of the table
 *	loss-level 0.86		# packets that draw a sample from there on are lost
 *	prob delay		# or `delay prob`: the order of the points' two numbers
 *	0 200			# delay in ms
 *	0.5 200
 *	0.5 300
 *	1 1300
 *
 * Points lie on the inverse of the distribution function, linear between them. Where one probability
 * has two delays, the larger counts. Before the first point its delay holds, behind the last one that
 * one's.
 *
 * Numbers are integers from the reading on (delays in ns, probabilities in 10^-9), so that every
 * machine draws the same.
 */
#include "dummynet/dn_profile.h"

#include "base/clock.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SAMPLES_MIN = 2, SAMPLES_MAX = 1024, SAMPLES_DEFAULT = 100, POINTS_MAX = 1024 };
enum { NAME_SIZE = 32, WORD_SIZE = 64 };
static const uint64_t prob_one = UINT64_C(1000000000);
static const uint64_t delay_max_ns = 3600 * NS_PER_SEC;

struct dn_profile {
	uint32_t refs;
	uint32_t samples;
	uint32_t lost_from;  /* index of the first sample that means loss; samples: none */
	uint64_t loss_level; /* as it was said, in 10^-9 */
	uint64_t rate_bps;
	char name[NAME_SIZE];
	uint64_t delay_ns[];
};

static uint64_t profile_live;
AUDIT_COUNTER(dn_profile, "dn_profile", profile_live);

/* --- reading ---------------------------------------------------------------------------------- */

struct point {
	uint64_t prob, delay_ns;
};

enum order { ORDER_UNKNOWN, PROB_FIRST, DELAY_FIRST };

struct reader {
	const char *at, *end; /* what is left of the text */
	unsigned line;
	char *why;
	size_t why_len;

	char name[NAME_SIZE];
	uint64_t rate_bps, loss_level, samples;
	bool has_rate, has_loss, has_samples;
	enum order order;
	struct point point[POINTS_MAX];
	size_t points;
};

static bool __attribute__((format(printf, 2, 3))) fail(struct reader *r, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(r->why, r->why_len, "line %u: %s", r->line, text);
	return false;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/*
 * The next word of the line into word[WORD_SIZE], cut; "" at its end or before a comment. What can't
 * be printed becomes '?': words are shown to people.
 */
static void
next_word(struct reader *r, char *word)
{
	size_t n = 0;

	while (r->at < r->end && is_space(*r->at))
		r->at++;
	for (; r->at < r->end && *r->at != '\n' && *r->at != '#' && !is_space(*r->at); r->at++)
		if (n < WORD_SIZE - 1)
			word[n++] = (char)(*r->at >= '!' && *r->at <= '~' ? *r->at : '?');
	word[n] = '\0';
}

static void
skip_line(struct reader *r)
{
	while (r->at < r->end && *r->at != '\n')
		r->at++;
	if (r->at < r->end)
		r->at++;
}

/*
 * DIGITS[.DIGITS] in units of 1 / unit, a power of ten; digits that are too small to count are left
 * out. False if it is something else, or above max.
 */
static bool
decimal(const char *word, uint64_t unit, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;
	bool digits = false;

	for (; *word >= '0' && *word <= '9'; word++, digits = true)
		if ((n = n * 10 + (uint64_t)(*word - '0') * unit) > max)
			return false;
	if (*word == '.')
		for (word++; *word >= '0' && *word <= '9'; word++, digits = true)
			n += (uint64_t)(*word - '0') * (unit /= 10);
	*value = n;
	return digits && *word == '\0' && n <= max;
}

static bool
read_point(struct reader *r, const char *first, const char *second)
{
	const bool prob_first = r->order == PROB_FIRST;
	const char *prob = prob_first ? first : second, *delay = prob_first ? second : first;
	struct point *p = &r->point[r->points];

	if (r->order == ORDER_UNKNOWN)
		return fail(r, "%s: say 'prob delay' or 'delay prob' before the points", first);
	if (r->points == POINTS_MAX)
		return fail(r, "more than %d points", POINTS_MAX);
	if (!decimal(prob, prob_one, prob_one, &p->prob))
		return fail(r, "%s: not a probability (0 to 1)", prob);
	if (!decimal(delay, NS_PER_MS, delay_max_ns, &p->delay_ns))
		return fail(r, "%s: not a delay in ms (up to an hour)", delay);
	r->points++;
	return true;
}

static bool
read_order(struct reader *r, const char *first, const char *second)
{
	if (r->order != ORDER_UNKNOWN)
		return fail(r, "the order of the points is said twice");
	r->order = strcasecmp(first, "prob") == 0 ? PROB_FIRST : DELAY_FIRST;
	if (strcasecmp(second, r->order == PROB_FIRST ? "delay" : "prob") != 0)
		return fail(r, "%s %s: it is 'prob delay' or 'delay prob'", first, second);
	return true;
}

static bool
read_name(struct reader *r, const char *arg)
{
	if (r->name[0] != '\0')
		return fail(r, "name is said twice");
	if (strlen(arg) >= NAME_SIZE)
		return fail(r, "%s: a name has at most %d letters", arg, NAME_SIZE - 1);
	memcpy(r->name, arg, strlen(arg) + 1);
	return true;
}

static bool
read_rate(struct reader *r, const char *arg)
{
	if (r->has_rate)
		return fail(r, "bw is said twice");
	r->has_rate = true;
	if (!verb_rate(arg, &r->rate_bps) && !verb_number(arg, 0, UINT64_MAX, &r->rate_bps))
		return fail(r, "%s: not a rate (as 11Mbit/s)", arg);
	return true;
}

static bool
read_samples(struct reader *r, const char *arg)
{
	if (r->has_samples)
		return fail(r, "samples is said twice");
	r->has_samples = true;
	if (!verb_number(arg, SAMPLES_MIN, SAMPLES_MAX, &r->samples))
		return fail(
		    r, "%s: not a number of samples (%d to %d)", arg, SAMPLES_MIN, SAMPLES_MAX);
	return true;
}

static bool
read_loss(struct reader *r, const char *arg)
{
	if (r->has_loss)
		return fail(r, "loss-level is said twice");
	r->has_loss = true;
	if (!decimal(arg, prob_one, prob_one, &r->loss_level))
		return fail(r, "%s: not a loss level (0 to 1)", arg);
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct reader *r, const char *arg);
} words[] = {
	{ "name", read_name },
	{ "bw", read_rate },
	{ "samples", read_samples },
	{ "loss-level", read_loss },
};

static bool
read_line(struct reader *r)
{
	char first[WORD_SIZE], second[WORD_SIZE], third[WORD_SIZE];

	next_word(r, first);
	next_word(r, second);
	next_word(r, third);
	if (first[0] == '\0')
		return true;
	if (second[0] == '\0')
		return fail(r, "%s: something is missing behind it", first);
	if (third[0] != '\0')
		return fail(r, "%s: a line has two words", third);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(first, words[i].name) == 0)
			return words[i].read(r, second);
	if (strcasecmp(first, "prob") == 0 || strcasecmp(first, "delay") == 0)
		return read_order(r, first, second);
	if (first[0] == '.' || (first[0] >= '0' && first[0] <= '9'))
		return read_point(r, first, second);
	return fail(r, "%s: unknown word", first);
}

static bool
read_text(struct reader *r)
{
	for (; r->at < r->end; r->line++) {
		if (!read_line(r))
			return false;
		skip_line(r);
	}
	if (r->points < 2)
		return fail(r, "a profile has at least two points");
	return true;
}

/* --- the table -------------------------------------------------------------------------------- */

static int
compare_points(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->prob != y->prob)
		return x->prob < y->prob ? -1 : 1;
	return x->delay_ns == y->delay_ns ? 0 : x->delay_ns < y->delay_ns ? -1 : 1;
}

/*
 * The delay at probability i / n; *k is the last point at or before it, for the next, greater i. All
 * probabilities times n, so that none is rounded.
 */
static uint64_t
interpolate(const struct point *p, size_t points, size_t *k, uint64_t i, uint64_t n)
{
	const uint64_t at = i * prob_one;
	__int128 rise;

	while (*k + 1 < points && p[*k + 1].prob * n <= at)
		++*k;
	p += *k;
	if (*k + 1 == points || at <= p->prob * n)
		return p->delay_ns;
	rise = (__int128)p[1].delay_ns - p->delay_ns;
	return p->delay_ns +
	    (uint64_t)(int64_t)(rise * (at - p->prob * n) / ((p[1].prob - p->prob) * n));
}

static void
fill(struct dn_profile *p, struct reader *r)
{
	size_t k = 0;

	qsort(r->point, r->points, sizeof(r->point[0]), compare_points);
	for (uint32_t i = 0; i < p->samples; i++)
		p->delay_ns[i] = interpolate(r->point, r->points, &k, i, p->samples);
	/* The first index that is not below level x samples. */
	p->lost_from = (uint32_t)((r->loss_level * p->samples + prob_one - 1) / prob_one);
	p->loss_level = r->loss_level;
	p->rate_bps = r->rate_bps;
	memcpy(p->name, r->name, sizeof(p->name));
}

struct dn_profile *
dn_profile_parse(const char *text, size_t len, char *why, size_t why_len)
{
	struct reader *r = vnet_malloc(sizeof(*r));
	struct dn_profile *p = NULL;

	if (r == NULL) {
		snprintf(why, why_len, "Cannot allocate memory");
		return NULL;
	}
	*r = (struct reader){
		.at = text,
		.end = text + len,
		.line = 1,
		.why = why,
		.why_len = why_len,
		.samples = SAMPLES_DEFAULT,
		.loss_level = prob_one,
	};
	if (read_text(r)) {
		p = vnet_malloc(sizeof(*p) + r->samples * sizeof(p->delay_ns[0]));
		if (p == NULL) {
			snprintf(why, why_len, "Cannot allocate memory");
		} else {
			p->refs = 1;
			p->samples = (uint32_t)r->samples;
			fill(p, r);
			__atomic_fetch_add(&profile_live, 1, __ATOMIC_RELAXED);
		}
	}
	vnet_free(r);
	return p;
}

struct dn_profile *
dn_profile_ref(struct dn_profile *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

void
dn_profile_rele(struct dn_profile *p)
{
	if (p == NULL || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	__atomic_fetch_sub(&profile_live, 1, __ATOMIC_RELAXED);
	vnet_free(p);
}

/* --- packets and people ----------------------------------------------------------------------- */

uint64_t
dn_profile_draw(const struct dn_profile *p, struct rng *rng, bool *lost)
{
	const uint64_t i = rng_below(rng, p->samples);

	*lost = i >= p->lost_from;
	return p->delay_ns[i];
}

const char *
dn_profile_name(const struct dn_profile *p)
{
	return p->name;
}

uint64_t
dn_profile_rate(const struct dn_profile *p)
{
	return p->rate_bps;
}

double
dn_profile_loss_level(const struct dn_profile *p)
{
	return (double)p->loss_level / (double)prob_one;
}

uint32_t
dn_profile_samples(const struct dn_profile *p)
{
	return p->samples;
}
