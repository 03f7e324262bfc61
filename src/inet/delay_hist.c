/*
 * delay_hist.c - histograms of times with a relative precision of 1/64.
 *
 * As in HdrHistogram (Tene): values below 128 have a bin each; above, every power of two is a row
 * of 64 bins. A row is allocated when the first value falls into it, so that the histogram of a
 * quiet link costs little; adding is one count of leading zeros, two shifts and an increment.
 */
#include "inet/udp_traffic.h"

#include <stdlib.h>

enum {
	BINS_LOG2 = 6,
	BINS = 1 << BINS_LOG2,
	ROWS = 64 - BINS_LOG2 + 1, /* row 0 holds 0 .. 63 */
};

struct delay_hist {
	uint64_t n;
	uint64_t min, max;
	unsigned __int128 sum;
	uint64_t *row[ROWS];
};

struct delay_hist *
delay_hist_new(void)
{
	struct delay_hist *h = calloc(1, sizeof(*h));

	if (h != NULL)
		h->min = UINT64_MAX;
	return h;
}

void
delay_hist_free(struct delay_hist *h)
{
	if (h == NULL)
		return;
	for (unsigned r = 0; r < ROWS; r++)
		free(h->row[r]);
	free(h);
}

/* Value ns lies in bin (ns >> shift) & 63 of row r, where shift is what reduces it to 64 .. 127. */
static inline unsigned
row_of(uint64_t ns)
{
	return ns < BINS ? 0 : (unsigned)(63 - __builtin_clzll(ns)) - BINS_LOG2 + 1;
}

static inline unsigned
row_shift(unsigned r)
{
	return r == 0 ? 0 : r - 1;
}

void
delay_hist_add(struct delay_hist *h, uint64_t ns)
{
	unsigned r = row_of(ns);

	h->n++;
	h->sum += ns;
	if (ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
	if (__builtin_expect(h->row[r] == NULL, 0)) {
		/*
		 * Without memory the value counts in everything but the quantiles, which err
		 * upwards.
		 */
		if ((h->row[r] = calloc(BINS, sizeof(h->row[r][0]))) == NULL)
			return;
	}
	h->row[r][(ns >> row_shift(r)) & (BINS - 1)]++;
}

void
delay_hist_clear(struct delay_hist *h)
{
	for (unsigned r = 0; r < ROWS; r++)
		free(h->row[r]);
	*h = (struct delay_hist){ .min = UINT64_MAX };
}

void
delay_hist_merge(struct delay_hist *h, const struct delay_hist *other)
{
	h->n += other->n;
	h->sum += other->sum;
	h->min = other->min < h->min ? other->min : h->min;
	h->max = other->max > h->max ? other->max : h->max;
	for (unsigned r = 0; r < ROWS; r++) {
		if (other->row[r] == NULL ||
		    (h->row[r] == NULL && (h->row[r] = calloc(BINS, sizeof(h->row[r][0]))) == NULL))
			continue;
		for (unsigned bin = 0; bin < BINS; bin++)
			h->row[r][bin] += other->row[r][bin];
	}
}

/* The middle of a bin, but never outside of what was seen: equal values give that value exactly. */
static uint64_t
bin_value(const struct delay_hist *h, unsigned r, unsigned bin)
{
	unsigned shift = row_shift(r);
	uint64_t low = (uint64_t)(r == 0 ? bin : bin + BINS) << shift;
	uint64_t value = low + ((UINT64_C(1) << shift) >> 1);

	return value < h->min ? h->min : value > h->max ? h->max : value;
}

uint64_t
delay_hist_quantile(const struct delay_hist *h, double q)
{
	uint64_t rank, seen = 0;

	if (h == NULL || h->n == 0)
		return 0;
	if (q <= 0)
		return h->min;
	if (q >= 1)
		return h->max;
	rank = (uint64_t)(q * (double)h->n);
	if ((double)rank < q * (double)h->n || rank == 0)
		rank++;
	for (unsigned r = 0; r < ROWS; r++) {
		if (h->row[r] == NULL)
			continue;
		for (unsigned bin = 0; bin < BINS; bin++) {
			seen += h->row[r][bin];
			if (seen >= rank)
				return bin_value(h, r, bin);
		}
	}
	return h->max;
}

uint64_t
delay_hist_min(const struct delay_hist *h)
{
	return h == NULL || h->n == 0 ? 0 : h->min;
}

uint64_t
delay_hist_max(const struct delay_hist *h)
{
	return h == NULL ? 0 : h->max;
}

double
delay_hist_mean(const struct delay_hist *h)
{
	return h == NULL || h->n == 0 ? 0 : (double)h->sum / (double)h->n;
}

uint64_t
delay_hist_count(const struct delay_hist *h)
{
	return h == NULL ? 0 : h->n;
}
