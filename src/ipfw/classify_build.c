/*
 * classify_build.c - compiling: plans, order, fields, keys; and the memory that it takes.
 */
#include "ipfw/classify_internal.h"

#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

/* Before each piece: what vnet_malloc gave. */
struct piece {
	void *memory;
};

void *
fw_lines_alloc(struct fw_compiled *c, size_t bytes)
{
	size_t room = bytes + sizeof(struct fw_line) + sizeof(struct piece);
	uint8_t *memory = vnet_malloc(room);
	uintptr_t at;

	if (memory == NULL)
		return NULL;
	at = ((uintptr_t)memory + sizeof(struct piece) + sizeof(struct fw_line) - 1) &
	    ~(sizeof(struct fw_line) - 1);
	((struct piece *)at)[-1].memory = memory;
	if (c != NULL)
		c->bytes += room;
	return (void *)at;
}

void
fw_lines_free(void *p)
{
	if (p != NULL)
		vnet_free(((struct piece *)p)[-1].memory);
}

void
fw_sum_make(uint64_t *sum, const struct fw_line *line, uint32_t lines)
{
	memset(sum, 0, (lines + 63) / 64 * sizeof(*sum));
	for (uint32_t l = 0; l < lines; l++) {
		const uint64_t *w = line[l].w;

		if ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) != 0)
			sum[l / 64] |= 1ull << l % 64;
	}
}

/* Is everything that the rule says compiled? Fields may have been given up meanwhile. */
static bool
decided(const struct fw_plan *p, uint16_t compiled)
{
	return p->exact && (p->used & ~compiled) == 0;
}

static bool
compiled_fill(struct fw_compiled *c, struct fw_plans *plans)
{
	if (!fw_plans_order(plans) || !fw_dense_make(c, plans))
		return false;
	c->src = fw_addresses_make(c, plans, FW_FIELD_SRC);
	c->dst = fw_addresses_make(c, plans, FW_FIELD_DST);
	c->key = fw_lines_alloc(c, fw_keys(c) * sizeof(*c->key));
	if (c->src == NULL || c->dst == NULL || c->key == NULL)
		return false;
	memset(c->key, 0xff, fw_keys(c) * sizeof(*c->key));
	for (uint32_t pos = 0; pos < c->n; pos++) {
		uint32_t slot = plans->order[pos];

		c->key[pos] = slot << 1 | !decided(&plans->plan[slot], plans->compiled);
	}
	c->bytes += c->dense.room * sizeof(*c->dense.line);
	c->names = plans->names;
	c->n_names = plans->n_names;
	plans->names = NULL;
	return true;
}

static uint64_t
stopwatch_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct fw_compiled *
fw_compiled_make(const struct fw_map *map)
{
	uint64_t start = stopwatch_ns();
	struct fw_compiled *c = fw_lines_alloc(NULL, sizeof(*c));
	struct fw_plans plans;
	bool ok;

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->n = map->n;
	c->lines = (map->n + FW_LINE_BITS - 1) / FW_LINE_BITS;
	c->sums = (c->lines + 63) / 64;
	c->bytes = sizeof(*c);
	ok = fw_plans_make(&plans, map) && compiled_fill(c, &plans);
	fw_plans_free(&plans);
	if (!ok) {
		fw_compiled_rele(c);
		return NULL;
	}
	c->build_ns = stopwatch_ns() - start;
	return c;
}

void
fw_compiled_rele(struct fw_compiled *c)
{
	if (c == NULL || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	fw_lines_free(c->dense.line);
	fw_addresses_free(c->src);
	fw_addresses_free(c->dst);
	fw_lines_free(c->key);
	free(c->kind);
	free(c->way);
	free(c->recv);
	free(c->xmit);
	free(c->via);
	free(c->names);
	fw_lines_free(c);
}
