/*
 * dn_compat_layout.c - where what stands in the records of other times, and what all of them have
 * in common: flow ids, scaled numbers, profiles.
 *
 * The offsets are those that the ABIs of amd64 (64) and i386 (32: a 64-bit number is aligned to
 * four bytes) give to the structs of netinet/ip_dummynet.h in FreeBSD 7.2, 8.0 and 8.1.
 */
#include "dummynet/dn_compat_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both releases have the same flow set. */
#define FS_64                                                                                      \
	{                                                                                          \
		.size = 184, .number = 8, .flags = 10, .parent = 24, .weight = 28, .qsize = 32,    \
		.plr = 36, .mask = 40, .buckets = 96, .queues = 100, .w_q = 120, .max_th = 124,    \
		.min_th = 128, .max_p = 132                                                        \
	}
#define FS_32                                                                                      \
	{                                                                                          \
		.size = 160, .number = 4, .flags = 6, .parent = 12, .weight = 16, .qsize = 20,     \
		.plr = 24, .mask = 28, .buckets = 84, .queues = 88, .w_q = 104, .max_th = 108,     \
		.min_th = 112, .max_p = 116                                                        \
	}

static const struct dn_old_layout old_layouts[] = {
	[DN_LAYOUT_7_32] = {
		.pipe = { .size = 280, .number = 4, .bandwidth = 8, .delay = 12, .if_name = 96,
		    .flowset = 120 },
		.fs = FS_32,
		.queue = { .size = 152, .id = 4, .packets = 68, .bytes = 72, .tot_packets = 80,
		    .tot_bytes = 88, .drops = 96, .slot = 100 },
	},
	[DN_LAYOUT_7_64] = {
		.pipe = { .size = 352, .number = 8, .bandwidth = 12, .delay = 16, .if_name = 136,
		    .flowset = 168 },
		.fs = FS_64,
		.queue = { .size = 176, .id = 8, .packets = 80, .bytes = 84, .tot_packets = 96,
		    .tot_bytes = 104, .drops = 112, .slot = 116 },
	},
	[DN_LAYOUT_8_32] = {
		.pipe = { .size = 344, .max_size = 4440, .number = 4, .bandwidth = 8, .delay = 12,
		    .burst = 92, .if_name = 116, .flowset = 140, .profile_name = 300,
		    .loss_level = 332, .nsamples = 336 },
		.fs = FS_32,
		.queue = { .size = 168, .id = 4, .packets = 68, .bytes = 72, .tot_packets = 92,
		    .tot_bytes = 100, .drops = 108, .slot = 112 },
	},
	[DN_LAYOUT_8_64] = {
		.pipe = { .size = 424, .max_size = 4520, .number = 8, .bandwidth = 12, .delay = 16,
		    .burst = 136, .if_name = 160, .flowset = 192, .profile_name = 376,
		    .loss_level = 408, .nsamples = 412 },
		.fs = FS_64,
		.queue = { .size = 192, .id = 8, .packets = 80, .bytes = 84, .tot_packets = 104,
		    .tot_bytes = 112, .drops = 120, .slot = 124 },
	},
};

static const struct dn_v3_layout v3_layouts[] = {
	[DN_LAYOUT_3_32] = { .word = 4, .link_size = 28, .link_burst = 20, .flow_size = 92 },
	[DN_LAYOUT_3_64] = { .word = 8, .link_size = 32, .link_burst = 24, .flow_size = 96 },
};

const struct dn_old_layout *
dn_old_layout(enum dn_layout layout)
{
	return layout >= DN_LAYOUT_7_32 && layout <= DN_LAYOUT_8_64 ? &old_layouts[layout] : NULL;
}

const struct dn_v3_layout *
dn_v3_layout(enum dn_layout layout)
{
	return layout == DN_LAYOUT_3_32 || layout == DN_LAYOUT_3_64 ? &v3_layouts[layout] : NULL;
}

enum dn_layout
dn_layout_find(const char *name)
{
	static const char *const names[] = { "", "7-32", "7-64", "8-32", "8-64", "3-32", "3-64" };

	for (int i = DN_LAYOUT_7_32; i < DN_LAYOUTS; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum dn_layout)i;
	return DN_LAYOUT_UNKNOWN;
}

/* --- flow ids --------------------------------------------------------------------------------- */

enum {
	ID_DST = 0,
	ID_SRC = 4,
	ID_DPORT = 8,
	ID_SPORT = 10,
	ID_FIB = 12,
	ID_PROTO = 13,
	ID_FLAGS = 14,
	ID_TYPE = 15, /* 4, 6 */
	ID_DST6 = 16,
	ID_SRC6 = 32,
	ID_FLOW_ID = 48,
	ID_EXTRA = 52, /* each queue of its own */
	/* before 7.1 there was no fib, and all three stood a byte further to the front */
	ID_PROTO_70 = 12,
	ID_TYPE_70 = 14,
};

bool
dn_compat_mask_get(const uint8_t *id, struct dn_mask *mask)
{
	const bool early = id[ID_PROTO_70] != 0 || id[ID_TYPE_70] != 0;

	if (early && (id[ID_PROTO] != 0 || id[ID_TYPE] != 0))
		return false;
	*mask = (struct dn_mask){
		.proto = id[early ? ID_PROTO_70 : ID_PROTO],
		.dport = __builtin_bswap16(get16(id, ID_DPORT)),
		.sport = __builtin_bswap16(get16(id, ID_SPORT)),
		.dst = __builtin_bswap32(get32(id, ID_DST)),
		.src = __builtin_bswap32(get32(id, ID_SRC)),
		.flow_id = __builtin_bswap32(get32(id, ID_FLOW_ID) & 0xfffff),
		.per_queue = get32(id, ID_EXTRA) != 0,
	};
	memcpy(&mask->dst6, id + ID_DST6, sizeof(mask->dst6));
	memcpy(&mask->src6, id + ID_SRC6, sizeof(mask->src6));
	return true;
}

void
dn_compat_mask_put(uint8_t *id, const struct dn_mask *mask)
{
	static const struct in6 none;
	const bool is4 = mask->src != 0 || mask->dst != 0;
	const bool is6 = mask->flow_id != 0 || memcmp(&mask->src6, &none, sizeof(none)) != 0 ||
	    memcmp(&mask->dst6, &none, sizeof(none)) != 0;

	put32(id, ID_DST, __builtin_bswap32(mask->dst));
	put32(id, ID_SRC, __builtin_bswap32(mask->src));
	put16(id, ID_DPORT, __builtin_bswap16(mask->dport));
	put16(id, ID_SPORT, __builtin_bswap16(mask->sport));
	id[ID_PROTO] = mask->proto;
	/* what the programs print: one form only, and that of IPv4 if both are there */
	id[ID_TYPE] = is4 ? 4 : is6 ? 6 : 0;
	memcpy(id + ID_DST6, &mask->dst6, sizeof(mask->dst6));
	memcpy(id + ID_SRC6, &mask->src6, sizeof(mask->src6));
	put32(id, ID_FLOW_ID, __builtin_bswap32(mask->flow_id));
	put32(id, ID_EXTRA, mask->per_queue ? UINT32_MAX : 0);
}

void
dn_compat_flow_put(uint8_t *id, const struct dn_flow *flow)
{
	put16(id, ID_DPORT, __builtin_bswap16(flow->dport));
	put16(id, ID_SPORT, __builtin_bswap16(flow->sport));
	id[ID_PROTO] = flow->proto;
	id[ID_TYPE] = flow->family;
	if (flow->family == 6) {
		memcpy(id + ID_DST6, &flow->dst6, sizeof(flow->dst6));
		memcpy(id + ID_SRC6, &flow->src6, sizeof(flow->src6));
		put32(id, ID_FLOW_ID, __builtin_bswap32(flow->flow_id));
	} else {
		put32(id, ID_DST, __builtin_bswap32(flow->dst));
		put32(id, ID_SRC, __builtin_bswap32(flow->src));
	}
}

/* --- scaled numbers --------------------------------------------------------------------------- */

/* Theirs is 1 at 2^31 - 1, ours at 2^31. */
uint32_t
dn_compat_plr_get(uint32_t plr)
{
	return plr >= INT32_MAX ? UINT32_C(1) << 31 : plr;
}

uint32_t
dn_compat_plr_put(uint32_t plr)
{
	return plr > INT32_MAX ? INT32_MAX : plr;
}

bool
dn_compat_red_get(struct dn_aqm_config *aqm, bool gentle, int32_t w_q, int32_t min_th,
    int32_t max_th, int32_t max_p)
{
	if (w_q <= 0 || w_q > DN_RED_ONE || max_p <= 0 || max_p > DN_RED_ONE || min_th < 0 ||
	    min_th >= max_th)
		return false;
	dn_aqm_defaults(aqm, gentle ? DN_AQM_GRED : DN_AQM_RED);
	aqm->red.w_q = (double)w_q / DN_RED_ONE;
	aqm->red.max_p = (double)max_p / DN_RED_ONE;
	aqm->red.min_th = (uint32_t)min_th;
	aqm->red.max_th = (uint32_t)max_th;
	aqm->red.max_pkt_size = VNET(dn_red_max_pkt_size);
	return true;
}

/* --- profiles --------------------------------------------------------------------------------- */

/* A name as one word, which is what a profile's text can say. */
static void
name_word(char word[33], const char name[32])
{
	size_t n = 0;

	for (; n < 32 && name[n] > ' ' && name[n] < 0x7f && name[n] != '#'; n++)
		word[n] = name[n];
	word[n] = '\0';
}

/* i / n with nine decimals, never more than it is. */
static void
put_share(FILE *f, uint32_t i, uint32_t n)
{
	const uint64_t share = UINT64_C(1000000000) * i / n;

	fprintf(f, "%u.%09u", (unsigned)(share / 1000000000), (unsigned)(share % 1000000000));
}

/*
 * As text, since a profile is read from nothing else: sample i of n is the delay at probability
 * i/n.
 */
struct dn_profile *
dn_compat_profile(const char name[32], const uint8_t *samples, uint32_t n, int32_t loss_level)
{
	struct dn_profile *p = NULL;
	char *text = NULL, word[33], why[120];
	size_t len = 0;
	FILE *f;

	if (n < 2 || n > DN_SAMPLES_MAX || loss_level < 0 || (uint32_t)loss_level > n ||
	    (f = open_memstream(&text, &len)) == NULL)
		return NULL;
	name_word(word, name);
	if (word[0] != '\0')
		fprintf(f, "name %s\n", word);
	fprintf(f, "samples %u\nloss-level ", n);
	put_share(f, (uint32_t)loss_level, n);
	fprintf(f, "\nprob delay\n");
	for (uint32_t i = 0; i <= n; i++) {
		put_share(f, i, n);
		fprintf(f, " %u\n", get32(samples, 4 * (size_t)(i < n ? i : n - 1)) & INT32_MAX);
	}
	if (fclose(f) == 0)
		p = dn_profile_parse(text, len, why, sizeof(why));
	free(text);
	return p;
}

/* --- bytes that grow, answers ----------------------------------------------------------------- */

uint8_t *
dn_bytes_add(struct dn_bytes *b, size_t n)
{
	if (!b->bad && b->room - b->len < n) {
		size_t room = 2 * b->room + n + 1024;
		uint8_t *more = realloc(b->at, room);

		b->bad = more == NULL;
		if (more != NULL) {
			b->at = more;
			b->room = room;
		}
	}
	if (b->bad)
		return NULL;
	memset(b->at + b->len, 0, n);
	b->len += n;
	return b->at + b->len - n;
}

bool
dn_compat_fail(struct dn_answer *a, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	a->error = error;
	return false;
}
