/*
 * classify.c - the life of a classifier: built, followed through changes of the chain, freed.
 *
 * Compiled rules are shared by the classifiers of several maps. What a map's own classifier has is the
 * way from a bit to the slot of its rule in this map: where rules went, there is none; rules that came
 * have no bit, and are in a list of slots that every packet tries.
 */
#include "ipfw/classify_internal.h"

#include "kern/sysctl.h"

#include <stdlib.h>

/* So many rules may have come, and one in so many gone, before the rest is compiled anew. */
enum { PENDING_MAX = 64, GONE_SHARE = 4 };

VNET_DEFINE_STATIC(bool, fw_compile) = true;

static uint64_t classifiers_live;

static uint64_t
fw_classifiers_live(void)
{
	return __atomic_load_n(&classifiers_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(fw_classifier, "fw_classifier", fw_classifiers_live);

SYSCTL_VNET_BOOL(net_inet_ip_fw_compile, "net.inet.ip.fw.compile", SYSCTL_RW, fw_compile,
    "compile the rules; 0 = from the next change of rules on, try them one by one");

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
	struct fw_compiled *compiled = VNET(fw_compile) ? fw_compiled_make(map) : NULL;
	struct fw_classifier *k;

	if (compiled == NULL || (k = classifier_new(compiled, 0)) == NULL)
		return NULL;
	memcpy(k->own, compiled->key, fw_keys(compiled) * sizeof(*k->own));
	lines_range(k);
	return k;
}

/*
 * to[slot of before] = slot of now, FW_SLOT_NONE if the rule went; both maps are in one order. How
 * many came: their slots in came[], which may be NULL.
 */
static uint32_t
maps_compare(const struct fw_map *before, const struct fw_map *now, uint32_t *to, uint32_t *came)
{
	uint32_t n = 0, j = 0;

	for (uint32_t i = 0; i < before->n; i++) {
		const struct fw_rule *r = before->rule[i];
		uint32_t k = j;

		while (k < now->n && now->rule[k] != r &&
		    (now->rule[k]->number < r->number ||
			(now->rule[k]->number == r->number && now->rule[k]->id < r->id)))
			k++;
		for (; j < k; j++, n++)
			if (came != NULL)
				came[n] = j;
		to[i] = j < now->n && now->rule[j] == r ? j++ : FW_SLOT_NONE;
	}
	for (; j < now->n; j++, n++)
		if (came != NULL)
			came[n] = j;
	return n;
}

/* Rules that `old` has pending and `now` still has, and those that came: in order. */
static uint32_t
pending_merge(const struct fw_classifier *old, const uint32_t *to, const uint32_t *came,
    uint32_t n_came, uint32_t *out)
{
	uint32_t n = 0, j = 0;

	for (uint32_t i = 0; i < old->n_pending; i++) {
		uint32_t slot = to[old->pending[i]];

		if (slot == FW_SLOT_NONE)
			continue;
		while (j < n_came && came[j] < slot)
			out[n++] = came[j++];
		out[n++] = slot;
	}
	while (j < n_came)
		out[n++] = came[j++];
	return n;
}

static void
keys_follow(struct fw_classifier *k, const struct fw_classifier *old, const uint32_t *to)
{
	const struct fw_compiled *c = k->compiled;

	memset(k->own, 0xff, fw_keys(c) * sizeof(*k->own));
	for (uint32_t pos = 0; pos < c->n; pos++) {
		uint32_t key = old->key[pos];
		uint32_t slot = key == FW_SLOT_NONE ? FW_SLOT_NONE : to[key >> 1];

		k->own[pos] = slot == FW_SLOT_NONE ? FW_SLOT_NONE : slot << 1 | (key & 1);
		k->gone += slot == FW_SLOT_NONE;
	}
}

struct fw_classifier *
fw_classifier_follow(const struct fw_map *before, const struct fw_map *now)
{
	const struct fw_classifier *old = before->classifier;
	struct fw_classifier *k = NULL;
	uint32_t *to, *came, n_came;

	if (old == NULL || !VNET(fw_compile))
		return fw_classifier_build(now);
	to = calloc(before->n + now->n, sizeof(*to));
	if (to == NULL)
		return NULL;
	came = to + before->n;
	n_came = maps_compare(before, now, to, came);
	if (old->n_pending + n_came <= PENDING_MAX) {
		__atomic_fetch_add(&old->compiled->refs, 1, __ATOMIC_RELAXED);
		k = classifier_new(old->compiled, old->n_pending + n_came);
	}
	if (k != NULL) {
		k->n_pending = pending_merge(
		    old, to, came, n_came, k->own + fw_keys(k->compiled));
		keys_follow(k, old, to);
		lines_range(k);
	}
	free(to);
	if (k != NULL && k->gone <= k->compiled->n / GONE_SHARE)
		return k;
	fw_classifier_free(k);
	return fw_classifier_build(now);
}

void
fw_classifier_stats(const struct fw_classifier *c, struct fw_classifier_stats *st)
{
	*st = (struct fw_classifier_stats){ .rules = c->compiled->n - c->gone,
		.pending = c->n_pending + c->gone,
		.bytes = c->compiled->bytes + c->compiled->n * sizeof(uint32_t),
		.build_ns = c->compiled->build_ns };
}
