/*
 * dn_compat.h - programs of other times: the binary control records of FreeBSD 7's and 8's ipfw.
 *
 * Those programs configured the shaper by socket options whose values are structs of their kernels.
 * Here such a record is a request to today's objects, and is answered in its own layout.
 *
 *	dn_compat.c		which request, of whom
 *	dn_record.c		a stream of them: `dnctl record`
 *	dn_compat_layout.c	where what stands: six layouts, two families, 32 and 64 bits
 *	dn_compat_old.c		releases 7 and 8: struct dn_pipe, struct dn_flow_set
 *	dn_compat_v3.c		from 8.1 on: lists of objects (ipfw3)
 *
 * docs/dummynet-compat.md has the offsets.
 */
#ifndef WARREN_DUMMYNET_DN_COMPAT_H
#define WARREN_DUMMYNET_DN_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of the socket options (level IPPROTO_IP). */
enum dn_option {
	DN_OPT_DUMMYNET3 = 49,
	DN_OPT_CONFIGURE = 60,
	DN_OPT_DEL = 61,
	DN_OPT_FLUSH = 62,
	DN_OPT_GET = 64,
};

/* Who speaks. A request may leave it open; then what its length says, or an earlier one, counts. */
enum dn_layout {
	DN_LAYOUT_UNKNOWN,
	DN_LAYOUT_7_32,
	DN_LAYOUT_7_64,
	DN_LAYOUT_8_32,
	DN_LAYOUT_8_64,
	DN_LAYOUT_3_32,
	DN_LAYOUT_3_64,
	DN_LAYOUTS
};
/* "7-32" … "3-64"; DN_LAYOUT_UNKNOWN: no such name. */
enum dn_layout dn_layout_find(const char *name);

/* setsockopt (get false) or getsockopt. */
struct dn_request {
	uint32_t option;
	bool get;
	const uint8_t *bytes; /* the option's value; of a get what stands in its buffer */
	size_t len;
	size_t room; /* of a get: how much the buffer holds */
};
struct dn_answer {
	int error;      /* 0, or an errno */
	char why[160];  /* what is wrong, for people */
	uint8_t *bytes; /* malloc'd: what a get finds in its buffer */
	size_t len;
};
/*
 * Do what the record says, in curvnet. *layout: who speaks, as far as it is known, and what was
 * learnt of it. Free the answer with dn_answer_free.
 */
void dn_compat(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *answer);
void dn_answer_free(struct dn_answer *answer);

/*
 * A stream of records and its answers: what `dnctl record` reads and writes, and the fuzzer makes.
 * Each has a header of numbers in network order. Returns a malloc'd stream of answers (*out_len
 * bytes), one for each whole record; NULL without memory. *why: a sentence if it ended early, else
 * NULL.
 */
enum { DN_RECORD_MAGIC = 0x444e5243 /* "DNRC" */, DN_RECORD_MAX = 1 << 20 };
struct dn_record_header {
	uint8_t magic[4];
	uint8_t version; /* 1 */
	uint8_t get;
	uint8_t option[2];
	uint8_t error[4];  /* answers: errno */
	uint8_t length[4]; /* bytes behind this: the record; of an error a sentence */
	uint8_t room[4];   /* requests: of a get */
};
uint8_t *dn_record_stream(
    const uint8_t *in, size_t len, enum dn_layout *layout, size_t *out_len, const char **why);

#endif
