/*
 * classify.c - the life of a classifier: built, followed through changes of the chain, freed.
 *
 * Compiled rules are shared by the classifiers of several maps. What a map's own classifier has is the
 * way from a bit to the slot of its rule in this map: where rules went, there is none; rules that came
 * have no bit, and are in a list of slots that every packet tries.
 */
#include "ipfw/chain_internal.h"
#include "ipfw/classify_internal.h"

#include "kern/sysctl.h"

#include <stdlib.h>

/*
 * With so many rules that came, or one in GONE_SHARE that went, the rest is compiled anew beside us; with
 * PENDING_MAX that came we don't go on before that is done.
 */
enum { PENDING_FEW = 32, PENDING_MAX = 512, GONE_SHARE = 4 };

VNET_DEFINE_STATIC(bool, fw_compile) = true;

static uint64_t classifiers_live;
AUDIT_COUNTER(fw_classifier, "fw_classifier", classifiers_live);

/* The same rules in a new map, with a classifier or without. */
static void
compile_changed(const struct sysctl_oid *oid)
{
	struct fw_change *c;

	(void)oid;
	if (VNET(fw_map) == NULL)
		return;
	fw_change_begin();
	if ((c = fw_change_open()) != NULL)
		c->dirty = true;
	fw_change_end();
}

SYSCTL_DEFINE_(net_inet_ip_fw_compile, .name = "net.inet.ip.fw.compile", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_fw_compile, .min = 0, .max = 1,
    .changed = compile_changed, .descr = "compile the rules; 0 = try them one by one");

void
fw_classifier_free(struct fw_classifier *c)
{
	if (c == NULL)
		return;
	fw_compiled_rele(c->compiled);
	vnet_free(c->own);
	vnet_free(c);
	__atomic_fetch_sub(&classifiers_live, 1, __ATOMIC_RELAXED);
}

static void
lines_range(struct fw_classifier *k)
{
	const struct fw_compiled *c = k->compiled;

	for (uint32_t line = 0; line < c->lines; line++) {
		uint32_t first = FW_SLOT_NONE, last = 0, end = (line + 1) * FW_LINE_BITS;

		for (uint32_t pos = line * FW_LINE_BITS; pos < end && pos < c->n; pos++) {
			uint32_t slot = k->key[pos] >> 1;

			if (k->key[pos] == FW_SLOT_NONE)
				continue;
			first = slot < first ? slot : first;
			last = slot > last ? slot : last;
		}
		k->line_first[line] = first;
		k->line_last[line] = last;
	}
}

/* For a map of n rules, of which n_pending are not compiled. Takes compiled. */
static struct fw_classifier *
classifier_new(struct fw_compiled *compiled, uint32_t n_pending)
{
	struct fw_classifier *k = vnet_malloc(sizeof(*k));
	uint32_t keys = fw_keys(compiled);

	if (k != NULL)
		__atomic_fetch_add(&classifiers_live, 1, __ATOMIC_RELAXED);
	if (k == NULL ||
	    (k->own = vnet_malloc((keys + n_pending + 2 * compiled->lines) * sizeof(*k->own))) ==
		NULL) {
		fw_compiled_rele(compiled);
		if (k != NULL) {
			k->compiled = NULL;
			fw_classifier_free(k);
		}
		return NULL;
	}
	k->compiled = compiled;
	k->key = k->own;
	k->pending = k->own + keys;
	k->n_pending = n_pending;
	k->line_first = k->own + keys + n_pending;
	k->line_last = k->line_first + compiled->lines;
	return k;
}

struct fw_classifier *
fw_classifier_build(const struct fw_map *map)
{
	struct fw_compiled *compiled;
	struct fw_classifier *k;

	fw_job_drop();
	compiled = VNET(fw_compile) ? fw_compiled_make(map) : NULL;
	if (compiled == NULL || (k = classifier_new(compiled, 0)) == NULL)
		return NULL;
	memcpy(k->own, compiled->key, fw_keys(compiled) * sizeof(*k->own));
	lines_range(k);
	return k;
}

/*
 * What became of rules, in order: to[i] is the slot of number i in `now`, FW_SLOT_NONE if it went.
 * came[]: slots of those that are new in it; n_came of them.
 */
struct changes {
	uint32_t *to, *came;
	uint32_t n_came;
};

static bool
changes_new(struct changes *ch, uint32_t before, uint32_t now)
{
	ch->n_came = 0;
	ch->to = calloc(before + now, sizeof(*ch->to));
	ch->came = ch->to + before;
	return ch->to != NULL;
}

/* From one map to the next: rules are the same if their address is, so that few of them are read. */
static void
changes_of_map(struct changes *ch, const struct fw_map *before, const struct fw_map *now)
{
	uint32_t j = 0;

	for (uint32_t i = 0; i < before->n; i++) {
		const struct fw_rule *r = before->rule[i];

		while (
		    j < now->n && now->rule[j] != r && fw_rule_key(now->rule[j]) < fw_rule_key(r))
			ch->came[ch->n_came++] = j++;
		ch->to[i] = j < now->n && now->rule[j] == r ? j++ : FW_SLOT_NONE;
	}
	while (j < now->n)
		ch->came[ch->n_came++] = j++;
}

/* From rules that may be gone: by their keys, which are never used again. */
static void
changes_of_keys(struct changes *ch, const uint64_t *keys, uint32_t n, const struct fw_map *now)
{
	uint32_t j = 0;

	for (uint32_t i = 0; i < n; i++) {
		while (j < now->n && fw_rule_key(now->rule[j]) < keys[i])
			ch->came[ch->n_came++] = j++;
		ch->to[i] = j < now->n && fw_rule_key(now->rule[j]) == keys[i] ? j++ : FW_SLOT_NONE;
	}
	while (j < now->n)
		ch->came[ch->n_came++] = j++;
}

/* Rules that were pending and are still there, and those that came: in order. */
static uint32_t
pending_merge(const uint32_t *old, uint32_t n_old, const struct changes *ch, uint32_t *out)
{
	uint32_t n = 0, j = 0;

	for (uint32_t i = 0; i < n_old; i++) {
		uint32_t slot = ch->to[old[i]];

		if (slot == FW_SLOT_NONE)
			continue;
		while (j < ch->n_came && ch->came[j] < slot)
			out[n++] = ch->came[j++];
		out[n++] = slot;
	}
	while (j < ch->n_came)
		out[n++] = ch->came[j++];
	return n;
}

static void
keys_follow(struct fw_classifier *k, const uint32_t *old, const uint32_t *to)
{
	const struct fw_compiled *c = k->compiled;

	memset(k->own, 0xff, fw_keys(c) * sizeof(*k->own));
	for (uint32_t pos = 0; pos < c->n; pos++) {
		uint32_t slot = old[pos] == FW_SLOT_NONE ? FW_SLOT_NONE : to[old[pos] >> 1];

		k->own[pos] = slot == FW_SLOT_NONE ? FW_SLOT_NONE : slot << 1 | (old[pos] & 1);
		k->gone += slot == FW_SLOT_NONE;
	}
}

/* Takes compiled. */
static struct fw_classifier *
classifier_follow(struct fw_compiled *compiled, const uint32_t *old_key,
    const uint32_t *old_pending, uint32_t n_old, const struct changes *ch)
{
	struct fw_classifier *k = classifier_new(compiled, n_old + ch->n_came);

	if (k == NULL)
		return NULL;
	k->n_pending = pending_merge(old_pending, n_old, ch, k->own + fw_keys(compiled));
	keys_follow(k, old_key, ch->to);
	lines_range(k);
	return k;
}

/* With what the job has compiled, if it is done. */
static struct fw_classifier *
follow_job(const struct fw_map *now, bool wait)
{
	struct fw_classifier *k = NULL;
	struct changes ch;
	uint64_t *keys;
	struct fw_compiled *compiled = fw_job_take(wait, &keys);

	if (compiled == NULL)
		return NULL;
	if (changes_new(&ch, compiled->n, now->n)) {
		changes_of_keys(&ch, keys, compiled->n, now);
		k = classifier_follow(compiled, compiled->key, NULL, 0, &ch);
	} else {
		fw_compiled_rele(compiled);
	}
	free(ch.to);
	vnet_free(keys);
	return k;
}

static struct fw_classifier *
follow_map(const struct fw_map *before, const struct fw_map *now)
{
	const struct fw_classifier *old = before->classifier;
	struct fw_classifier *k = NULL;
	struct changes ch;

	if (!changes_new(&ch, before->n, now->n))
		return NULL;
	changes_of_map(&ch, before, now);
	if (old->n_pending + ch.n_came <= PENDING_MAX) {
		__atomic_fetch_add(&old->compiled->refs, 1, __ATOMIC_RELAXED);
		k = classifier_follow(old->compiled, old->key, old->pending, old->n_pending, &ch);
	}
	free(ch.to);
	return k;
}

static bool
is_worn(const struct fw_classifier *k)
{
	return k->n_pending > PENDING_FEW || k->gone > k->compiled->n / GONE_SHARE;
}

struct fw_classifier *
fw_classifier_follow(const struct fw_map *before, const struct fw_map *now)
{
	struct fw_classifier *k;

	if (before->classifier == NULL || !VNET(fw_compile))
		return fw_classifier_build(now);
	k = follow_job(now, false);
	if (k == NULL)
		k = follow_map(before, now);
	if (k == NULL)
		k = follow_job(now, true);
	if (k == NULL || k->n_pending > PENDING_MAX) {
		fw_classifier_free(k);
		return fw_classifier_build(now);
	}
	if (is_worn(k) && !fw_job_is_running())
		fw_job_start(now); /* if it can't, a later change tries again */
	return k;
}

void
fw_classifier_stats(const struct fw_classifier *c, struct fw_classifier_stats *st)
{
	*st = (struct fw_classifier_stats){ .rules = c->compiled->n - c->gone,
		.pending = c->n_pending + c->gone,
		.bytes = c->compiled->bytes + c->compiled->n * sizeof(uint32_t),
		.build_ns = c->compiled->build_ns };
}
