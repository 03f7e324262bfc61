/*
 * idmap.c - see idmap.h.
 */
#include "net/idmap.h"

#include "kern/vnet.h"

#include <errno.h>

static uint64_t
idmap_word(const struct idmap *map, uint32_t w)
{
	if (w == 0)
		return map->first;
	return w <= map->words ? map->more[w - 1] : 0;
}

/* Exactly `words` words behind the first; keeps what fits. */
static bool
idmap_resize(struct idmap *map, uint32_t words)
{
	uint64_t *more = NULL;

	if (words != 0) {
		more = vnet_malloc(words * sizeof(*more));
		if (more == NULL)
			return false;
		for (uint32_t w = 0; w < words && w < map->words; w++)
			more[w] = map->more[w];
	}
	vnet_free(map->more);
	map->more = more;
	map->words = words;
	return true;
}

/* Room for word w, in powers of two: growing costs O(1) amortised. */
static bool
idmap_grow(struct idmap *map, uint32_t w)
{
	uint32_t words = map->words == 0 ? 1 : map->words;

	if (w <= map->words)
		return true;
	while (words < w)
		words *= 2;
	return idmap_resize(map, words);
}

/*
 * Back to the size that the numbers in use need: so that equal maps have equal sizes, whatever
 * happened before.
 */
static void
idmap_shrink(struct idmap *map)
{
	uint32_t words = map->words, used = map->words;

	while (used > 0 && map->more[used - 1] == 0)
		used--;
	while (words > 0 && used <= words / 2)
		words /= 2;
	if (words != map->words)
		(void)idmap_resize(map, words);
}

uint32_t
idmap_lowest(const struct idmap *map, uint32_t from, uint32_t limit)
{
	uint32_t id = from < map->hint ? map->hint : from;

	while (id < limit) {
		uint64_t free_bits = ~idmap_word(map, id / 64) >> (id % 64);

		if (free_bits != 0) {
			id += (uint32_t)__builtin_ctzll(free_bits);
			return id < limit ? id : UINT32_MAX;
		}
		id = (id / 64 + 1) * 64;
	}
	return UINT32_MAX;
}

int
idmap_take(struct idmap *map, uint32_t id)
{
	uint64_t bit = UINT64_C(1) << (id % 64);
	uint64_t *word;

	if (!idmap_grow(map, id / 64))
		return -ENOMEM;
	word = id < 64 ? &map->first : &map->more[id / 64 - 1];
	if (*word & bit)
		return -EEXIST;
	*word |= bit;
	if (id == map->hint)
		map->hint++;
	return 0;
}

void
idmap_release(struct idmap *map, uint32_t id)
{
	uint64_t bit = UINT64_C(1) << (id % 64);

	if (id < 64)
		map->first &= ~bit;
	else if (id / 64 <= map->words)
		map->more[id / 64 - 1] &= ~bit;
	if (id < map->hint)
		map->hint = id;
	if (map->words != 0 && map->more[map->words - 1] == 0)
		idmap_shrink(map);
}

bool
idmap_empty(const struct idmap *map)
{
	return map->first == 0 && map->words == 0;
}

void
idmap_clear(struct idmap *map)
{
	vnet_free(map->more);
	*map = (struct idmap){};
}
