/*
 * dn_parse.c - what stands behind `pipe N config`: words -> struct dn_change.
 *
 * A table has a row for each word: for which objects it is, what it needs behind itself, and who
 * reads that. CoDel's and PIE's own words follow theirs (dn_aqm_words.c); those of a scheduler's
 * type are read by its part. Nothing is changed here, so that `ipfw -n` is the same reading.
 */
#include "dummynet/dn_profile.h"
#include "dummynet/dn_words.h"
#include "net/if.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	DELAY_MAX_MS = 10000, /* spec 11.2 */
	QUEUE_BYTES_MIN = 1500,
	QUEUE_BYTES_DEFAULT = 16384,
	QUEUE_PACKETS_DEFAULT = 50,
	BUCKETS_MAX = 65536,     /* as the manual says … */
	BUCKETS_USED_MAX = 1024, /* … and as many are made */
	WEIGHT_MAX = 65536,
	PLR_ONE = 1U << 31,
	PROFILE_BYTES_MAX = 1 << 20,
};
#define BURST_MAX ((UINT64_C(1) << 48) - 1)

const char *const dn_kind_names[DN_KINDS] = { "pipe", "queue", "sched" };

/* What is being read; argv[0] is the next word. */
struct reading {
	struct dn_words *w;
	struct dn_change *c;
	int argc;
	char **argv;
	int error;
};

/* Each gets its word and, if it has one, the argument. False after fail(). */
typedef bool word_read(struct reading *r, const char *word, const char *arg);

static bool fail(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool
fail(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->w->why, sizeof(r->w->why), fmt, ap);
	va_end(ap);
	r->error = -EINVAL;
	return false;
}

static void
step(struct reading *r, int words)
{
	r->argc -= words;
	r->argv += words;
}

/* What is wrong with the next word and what stands behind it. */
static bool
fail_here(struct reading *r, const char *why)
{
	if (r->argc == 1)
		return fail(r, "%.60s: %s", r->argv[0], why);
	return fail(r, "%.60s %.60s: %s", r->argv[0], r->argv[1], why);
}

/* --- the link --------------------------------------------------------------------------------- */

static bool
read_bw(struct reading *r, const char *word, const char *arg)
{
	struct dn_link_config *link = &r->c->sched.link;

	r->c->set |= DN_SET_RATE;
	link->rate_of[0] = '\0';
	link->rate_bps = 0;
	if (strcmp(arg, "unlimited") == 0 || dn_parse_rate(arg, &link->rate_bps))
		return true;
	if (if_byname(arg) == NULL || strlen(arg) >= sizeof(link->rate_of))
		return fail(r, "%s %s: not a rate (as 300Kbit/s), nor an interface that is here",
		    word, arg);
	snprintf(link->rate_of, sizeof(link->rate_of), "%s", arg);
	return true;
}

static bool
read_delay(struct reading *r, const char *word, const char *arg)
{
	uint64_t *ns = &r->c->sched.link.delay_ns;

	if (!dn_parse_time(arg, ns) || *ns > DELAY_MAX_MS * UINT64_C(1000000))
		return fail(r, "%s %s: not a time of 0 to %d ms", word, arg, DELAY_MAX_MS);
	r->c->set |= DN_SET_DELAY;
	return true;
}

static bool
read_burst(struct reading *r, const char *word, const char *arg)
{
	uint64_t *bytes = &r->c->sched.link.burst_bytes;
	bool plain;

	if (!dn_parse_size(arg, bytes, &plain) || *bytes > BURST_MAX)
		return fail(r, "%s %s: not a size of 0 to 2^48-1 bytes (as 64K)", word, arg);
	r->c->set |= DN_SET_BURST;
	return true;
}

/* The whole file; NULL with errno. */
static char *
file_read(const char *path, size_t *len)
{
	char *text = malloc(PROFILE_BYTES_MAX + 1);
	FILE *f = text != NULL ? fopen(path, "re") : NULL;
	int error;

	*len = f != NULL ? fread(text, 1, PROFILE_BYTES_MAX + 1, f) : 0;
	error = f == NULL || ferror(f) ? errno : *len > PROFILE_BYTES_MAX ? EFBIG : 0;
	if (f != NULL)
		fclose(f);
	if (error == 0)
		return text;
	free(text);
	errno = error;
	return NULL;
}

/* The file may say the rate as well; `bw` goes before it. */
static bool
read_profile(struct reading *r, const char *word, const char *arg)
{
	struct dn_link_config *link = &r->c->sched.link;
	char why[120] = "";
	size_t len;
	char *text = file_read(arg, &len);

	if (text == NULL)
		return fail(r, "%s %s: %s", word, arg, verb_strerror(errno));
	dn_profile_rele(link->profile);
	link->profile = dn_profile_parse(text, len, why, sizeof(why));
	free(text);
	if (link->profile == NULL)
		return fail(r, "%s %.60s: %s", word, arg, why);
	r->c->set |= DN_SET_PROFILE;
	return true;
}

static bool
read_no_profile(struct reading *r, const char *word, const char *arg)
{
	(void)word;
	(void)arg;
	dn_profile_rele(r->c->sched.link.profile);
	r->c->sched.link.profile = NULL;
	r->c->set |= DN_SET_PROFILE;
	return true;
}

/* --- the queue -------------------------------------------------------------------------------- */

static bool
read_queue(struct reading *r, const char *word, const char *arg)
{
	struct dn_flowset_config *f = &r->c->flowset;
	uint64_t n;
	bool plain;

	if (!dn_parse_size(arg, &n, &plain))
		return fail(
		    r, "%s %s: not a number of slots or a size (as 50, 64Kbytes)", word, arg);
	if (plain && n > VNET(dn_pipe_slot_limit))
		return fail(r,
		    "%s %s: 1 <= queue size <= %u (net.inet.ip.dummynet.pipe_slot_limit)", word,
		    arg, VNET(dn_pipe_slot_limit));
	if (!plain && (n > VNET(dn_pipe_byte_limit) || (n != 0 && n < QUEUE_BYTES_MIN)))
		return fail(r,
		    "%s %s: %d <= queue size <= %uB (net.inet.ip.dummynet.pipe_byte_limit)", word,
		    arg, QUEUE_BYTES_MIN, VNET(dn_pipe_byte_limit));
	f->queue_packets = plain ? (uint32_t)n : 0;
	f->queue_bytes = plain ? 0 : (uint32_t)n;
	if (n == 0 && plain)
		f->queue_packets = QUEUE_PACKETS_DEFAULT;
	if (n == 0 && !plain)
		f->queue_bytes = QUEUE_BYTES_DEFAULT;
	r->c->set |= DN_SET_LIMIT;
	return true;
}

static bool
read_plr(struct reading *r, const char *word, const char *arg)
{
	double share;

	if (!dn_parse_fraction(arg, &share) || share > 1)
		return fail(r, "%s %s: not a probability of 0 to 1", word, arg);
	r->c->flowset.plr = (uint32_t)(share * PLR_ONE + 0.5);
	r->c->set |= DN_SET_PLR;
	return true;
}

static bool
read_noerror(struct reading *r, const char *word, const char *arg)
{
	(void)word;
	(void)arg;
	r->c->flowset.noerror = true;
	r->c->set |= DN_SET_NOERROR;
	return true;
}

static bool
read_buckets(struct reading *r, const char *word, const char *arg)
{
	uint64_t n;

	if (!verb_number(arg, 1, BUCKETS_MAX, &n))
		return fail(r, "%s %s: not a number of 1 to %d", word, arg, BUCKETS_MAX);
	if (n > BUCKETS_USED_MAX)
		n = BUCKETS_USED_MAX;
	r->c->sched.buckets = r->c->flowset.buckets = (uint32_t)n;
	r->c->set |= DN_SET_BUCKETS;
	return true;
}

/* A queue's mask tells flows apart; that of others, who gets a link of their own. */
static bool
read_mask(struct reading *r, const char *word, const char *arg)
{
	const bool of_flows = r->w->kind == DN_QUEUE;
	struct dn_mask mask = { 0 };
	int used = dn_parse_mask(&mask, r->argc, r->argv, r->w->why, sizeof(r->w->why));

	(void)arg;
	if (used < 0) {
		r->error = -EINVAL;
		return false;
	}
	if (used == 0)
		return fail(
		    r, "%s: of what? (dst-ip, src-ip, dst-port, src-port, proto, all …)", word);
	step(r, used);
	*(of_flows ? &r->c->flowset.mask : &r->c->sched.mask) = mask;
	r->c->set |= of_flows ? DN_SET_FLOW_MASK : DN_SET_SCHED_MASK;
	return true;
}

/* --- active queue management ------------------------------------------------------------------ */

static void
aqm_begin(struct reading *r, enum dn_aqm_kind kind)
{
	dn_aqm_defaults(&r->c->flowset.aqm, kind);
	r->c->set |= DN_SET_AQM;
}

static bool
read_droptail(struct reading *r, const char *word, const char *arg)
{
	(void)word;
	(void)arg;
	aqm_begin(r, DN_AQM_NONE);
	return true;
}

/* w_q/min_th/max_th/max_p */
static bool
red_read(struct dn_aqm_config *aqm, char *text)
{
	uint64_t low, high;
	char *part[4];
	bool plain;
	int n = 0;

	while (n < 4 && (part[n] = strsep(&text, "/")) != NULL)
		n++;
	if (n < 4 || text != NULL || !dn_parse_fraction(part[0], &aqm->red.w_q) ||
	    !dn_parse_fraction(part[3], &aqm->red.max_p) || !dn_parse_size(part[1], &low, &plain) ||
	    !dn_parse_size(part[2], &high, &plain))
		return false;
	if (high > UINT32_MAX || low >= high)
		return false;
	aqm->red.min_th = (uint32_t)low;
	aqm->red.max_th = (uint32_t)high;
	return aqm->red.w_q > 0 && aqm->red.w_q <= 1 && aqm->red.max_p > 0 && aqm->red.max_p <= 1;
}

static bool
read_red(struct reading *r, const char *word, const char *arg)
{
	char text[64];

	aqm_begin(r, word[0] == 'g' ? DN_AQM_GRED : DN_AQM_RED);
	if (snprintf(text, sizeof(text), "%s", arg) >= (int)sizeof(text) ||
	    !red_read(&r->c->flowset.aqm, text))
		return fail(r,
		    "%s %s: not w_q/min_th/max_th/max_p (0 < w_q, max_p <= 1, min_th < max_th)",
		    word, arg);
	r->c->flowset.aqm.red.max_pkt_size = VNET(dn_red_max_pkt_size);
	return true;
}

static bool
read_ecn(struct reading *r, const char *word, const char *arg)
{
	(void)arg;
	if (!(r->c->set & DN_SET_AQM) || r->c->flowset.aqm.kind == DN_AQM_NONE)
		return fail(r, "%s: goes with red, gred, codel or pie, and stands behind it", word);
	r->c->flowset.aqm.ecn = word[0] == 'e';
	return true;
}

/* codel, pie: their own words follow. */
static bool
read_codel(struct reading *r, const char *word, const char *arg)
{
	struct dn_aqm_config *aqm = &r->c->flowset.aqm;
	const char *why = NULL;
	int used;

	(void)arg;
	aqm_begin(r, word[0] == 'c' ? DN_AQM_CODEL : DN_AQM_PIE);
	for (; r->argc > 0; step(r, used)) {
		used = dn_aqm_word(aqm, r->argc, r->argv, &why);
		if (used < 0)
			return fail_here(r, why);
		if (used == 0)
			break;
	}
	return true;
}

/* --- schedulers ------------------------------------------------------------------------------- */

/* Parameters for words to change: defaults, or what the scheduler has. */
static bool
param_begin(struct reading *r, const struct dn_sched_part *part, const void *now)
{
	free(r->c->sched.param);
	r->c->sched.param = NULL;
	r->c->sched.part = part;
	r->c->set |= DN_SET_TYPE;
	if (part->param_size == 0)
		return true;
	if ((r->c->sched.param = calloc(1, part->param_size)) == NULL) {
		r->error = -ENOMEM;
		return fail(r, "%s", verb_strerror(ENOMEM));
	}
	if (now != NULL)
		memcpy(r->c->sched.param, now, part->param_size);
	else if (part->param_init != NULL)
		part->param_init(r->c->sched.param);
	return true;
}

static bool
read_type(struct reading *r, const char *word, const char *arg)
{
	/* the manual's name for it, which never was the program's */
	const char *name = strcasecmp(arg, "wf2qp") == 0 ? "wf2q+" : arg;
	const struct dn_sched_part *part = dn_sched_find(name);

	if (part == NULL)
		return fail(r, "%s %s: no such scheduler is loaded (sched types)", word, arg);
	return param_begin(r, part, NULL);
}

/* Words of the scheduler's type at the front: how many; -1 after fail(). */
static int
part_words(struct reading *r, const struct dn_sched_part *part, void *param)
{
	const char *why = "not understood";
	int used = part->param_word(param, r->argc, r->argv, &why);

	if (used >= 0 && used <= r->argc)
		return used;
	fail_here(r, why);
	return -1;
}

/* Is the next word one of the type that was said? 1 taken, 0 not, -1 after fail(). */
static int
read_part_word(struct reading *r)
{
	const struct dn_sched_config *s = &r->c->sched;
	int used;

	if (!(r->c->set & DN_SET_TYPE) || s->part->param_word == NULL || s->param == NULL)
		return 0;
	used = part_words(r, s->part, s->param);
	if (used > 0)
		step(r, used);
	return used < 0 ? -1 : used > 0;
}

/* `sched 1 config target 7ms`: a word of the type that scheduler 1 has. */
static int
read_word_of_present_type(struct reading *r)
{
	struct dn_sched_view now;

	if (r->w->kind != DN_SCHED || (r->c->set & DN_SET_TYPE) ||
	    !dn_sched_look(r->w->number, &now) || now.config->part == NULL ||
	    now.config->part->param_word == NULL)
		return 0;
	if (!param_begin(r, now.config->part, now.config->param))
		return -1;
	return read_part_word(r);
}

/* `queue 5 config pipe 2`; of a scheduler itself its own number is as good as nothing. */
static bool
read_pipe(struct reading *r, const char *word, const char *arg)
{
	uint64_t n;

	if (!verb_number(arg, 1, DN_NUMBER_MAX, &n))
		return fail(r, "%s %s: not a number of 1 to %d", word, arg, DN_NUMBER_MAX);
	if (r->w->kind == DN_SCHED && n != r->w->number)
		return fail(
		    r, "%s %s: the link of scheduler %u has its number", word, arg, r->w->number);
	if (r->w->kind == DN_QUEUE) {
		r->c->flowset.sched = (uint32_t)n;
		r->c->set |= DN_SET_SCHED;
	}
	return true;
}

static bool
read_share(struct reading *r, const char *word, const char *arg)
{
	struct dn_share *share = &r->c->flowset.share;
	const bool is_weight = word[0] == 'w', is_priority = word[0] == 'p';
	uint64_t n;

	if (!verb_number(arg, !is_priority, is_weight ? WEIGHT_MAX : UINT16_MAX, &n))
		return fail(r, "%s %s: not a number of %d to %d", word, arg, !is_priority,
		    is_weight ? WEIGHT_MAX : UINT16_MAX);
	*(is_weight         ? &share->weight :
		is_priority ? &share->priority :
			      &share->max_len) = (uint32_t)n;
	r->c->set |= is_weight ? DN_SET_WEIGHT : is_priority ? DN_SET_PRIORITY : DN_SET_MAX_LEN;
	return true;
}

/* --- the table -------------------------------------------------------------------------------- */

enum { P = 1 << DN_PIPE, Q = 1 << DN_QUEUE, S = 1 << DN_SCHED };

static const struct word {
	const char *name;
	unsigned kinds;
	const char *arg; /* what must stand behind; NULL: nothing, or it is read by the word */
	word_read *read;
} words[] = {
	{ "bw", P | S, "a rate or an interface", read_bw },
	{ "bandwidth", P | S, "a rate or an interface", read_bw },
	{ "delay", P | S, "a time", read_delay },
	{ "burst", P | S, "a size", read_burst },
	{ "profile", P | S, "a file", read_profile },
	{ "noprofile", P | S, NULL, read_no_profile },
	{ "queue", P | Q, "a number of slots or a size", read_queue },
	{ "plr", P | Q, "a probability", read_plr },
	{ "noerror", P | Q, NULL, read_noerror },
	{ "buckets", P | Q | S, "a number", read_buckets },
	{ "mask", P | Q | S, NULL, read_mask },
	{ "sched_mask", P | S, NULL, read_mask },
	{ "flow_mask", Q, NULL, read_mask },
	{ "droptail", P | Q | S, NULL, read_droptail },
	{ "red", P | Q, "w_q/min_th/max_th/max_p", read_red },
	{ "gred", P | Q, "w_q/min_th/max_th/max_p", read_red },
	{ "codel", P | Q, NULL, read_codel },
	{ "pie", P | Q, NULL, read_codel },
	{ "ecn", P | Q, NULL, read_ecn },
	{ "noecn", P | Q, NULL, read_ecn },
	{ "type", P | S, "a scheduler's name", read_type },
	{ "pipe", Q | S, "a number", read_pipe },
	{ "sched", Q, "a number", read_pipe },
	{ "link", Q | S, "a number", read_pipe },
	{ "weight", Q, "a number", read_share },
	{ "lmax", Q, "a number of bytes", read_share },
	{ "maxlen", Q, "a number of bytes", read_share },
	{ "quantum", Q, "a number of bytes", read_share },
	{ "pri", Q, "a number", read_share },
	{ "priority", Q, "a number", read_share },
};

static const struct word *
word_find(const char *name)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(name, words[i].name) == 0)
			return &words[i];
	return NULL;
}

static bool
unknown_word(struct reading *r, const char *name)
{
	const struct dn_sched_part *part = dn_sched_find(name);

	if (part != NULL)
		return fail(r, "%s: is a type of scheduler: sched N config type %s", name, name);
	return fail(r, "unknown word '%.60s'", name);
}

/* "weight: is for queues", "bw: is for pipes and schedulers". */
static bool
wrong_kind(struct reading *r, const struct word *word)
{
	static const char *const names[] = { [P] = "pipes",
		[Q] = "queues",
		[S] = "schedulers",
		[P | Q] = "pipes and queues",
		[P | S] = "pipes and schedulers",
		[Q | S] = "queues and schedulers" };

	return fail(r, "%s: is for %s", word->name, names[word->kinds]);
}

static bool
read_word(struct reading *r)
{
	const char *name = r->argv[0], *arg = r->argc > 1 ? r->argv[1] : NULL;
	const struct word *word = word_find(name);

	if (word == NULL)
		return unknown_word(r, name);
	if (!(word->kinds & (1U << r->w->kind)))
		return wrong_kind(r, word);
	if (word->arg != NULL && arg == NULL)
		return fail(r, "%s: needs %s", name, word->arg);
	step(r, word->arg != NULL ? 2 : 1);
	return word->read(r, name, arg);
}

/* What only the whole command says: is RED's unit bytes, does a profile's rate count? */
static bool
finish(struct reading *r)
{
	struct dn_link_config *link = &r->c->sched.link;
	struct dn_aqm_config *aqm = &r->c->flowset.aqm;
	const char *why;

	if (link->profile != NULL && !(r->c->set & DN_SET_RATE) &&
	    dn_profile_rate(link->profile) != 0) {
		link->rate_bps = dn_profile_rate(link->profile);
		r->c->set |= DN_SET_RATE;
	}
	if (!(r->c->set & DN_SET_AQM))
		return true;
	if (aqm->kind == DN_AQM_RED || aqm->kind == DN_AQM_GRED)
		aqm->red.bytes = r->c->flowset.queue_bytes != 0;
	why = dn_aqm_check(aqm);
	return why == NULL || fail(r, "%s", why);
}

int
dn_words_read(struct dn_words *w, enum dn_kind kind, uint32_t number, int argc, char **argv)
{
	struct reading r = { .w = w, .c = &w->change, .argc = argc, .argv = argv };
	int taken;

	*w = (struct dn_words){ .kind = kind, .number = number };
	while (r.argc > 0) {
		if ((taken = read_part_word(&r)) < 0)
			return r.error;
		if (taken == 0 && word_find(r.argv[0]) == NULL &&
		    (taken = read_word_of_present_type(&r)) < 0)
			return r.error;
		if (taken == 0 && !read_word(&r))
			return r.error;
	}
	return finish(&r) ? 0 : r.error;
}

void
dn_words_free(struct dn_words *w)
{
	free(w->change.sched.param);
	w->change.sched.param = NULL;
	dn_profile_rele(w->change.sched.link.profile);
	w->change.sched.link.profile = NULL;
}

void
dn_words_each(enum dn_kind kind, void (*add)(void *ctx, const char *word), void *ctx)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].kinds & (1U << kind))
			add(ctx, words[i].name);
}
