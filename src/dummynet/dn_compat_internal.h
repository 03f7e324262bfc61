/*
 * dn_compat_internal.h - what the files of the compatibility decoder share.
 */
#ifndef WARREN_DUMMYNET_DN_COMPAT_INTERNAL_H
#define WARREN_DUMMYNET_DN_COMPAT_INTERNAL_H

#include "base/bytes.h"
#include "dummynet/dn.h"
#include "dummynet/dn_compat.h"
#include "dummynet/dn_profile.h"

/* Offsets within the three structs of releases 7 and 8; 0 = there is no such member. */
struct dn_old_layout {
	struct {
		uint16_t size, max_size; /* with 1024 samples behind it */
		uint16_t number, bandwidth, delay, burst, if_name, flowset;
		uint16_t profile_name, loss_level, nsamples;
	} pipe;
	struct {
		uint16_t size, number, flags, parent, weight, qsize, plr, mask;
		uint16_t buckets, queues, w_q, max_th, min_th, max_p;
	} fs;
	struct {
		uint16_t size, id, packets, bytes, tot_packets, tot_bytes, drops, slot;
	} queue;
};
/* And of the objects of 8.1, which mostly are the same for 32 and 64 bits. */
struct dn_v3_layout {
	uint16_t word; /* bytes of a long */
	uint16_t link_size, link_burst, flow_size;
};
/* NULL if the layout is not of that family. */
const struct dn_old_layout *dn_old_layout(enum dn_layout layout);
const struct dn_v3_layout *dn_v3_layout(enum dn_layout layout);

/* Numbers of the client, whose byte order is ours. */
static inline uint16_t
get16(const uint8_t *p, size_t at)
{
	return load16(p + at);
}
static inline uint32_t
get32(const uint8_t *p, size_t at)
{
	return load32(p + at);
}
static inline void
put16(uint8_t *p, size_t at, uint16_t value)
{
	store16(p + at, value);
}
static inline void
put32(uint8_t *p, size_t at, uint32_t value)
{
	store32(p + at, value);
}
static inline void
put64(uint8_t *p, size_t at, uint64_t value)
{
	store64(p + at, value);
}

/* struct ipfw_flow_id, a mask or a flow; all numbers in host order, IPv6 addresses as they are. */
enum { DN_FLOW_ID_SIZE = 56 };
/* False: it can't be told whether it is of 7.0, which had no room for the fib. */
bool dn_compat_mask_get(const uint8_t *id, struct dn_mask *mask);
void dn_compat_mask_put(uint8_t *id, const struct dn_mask *mask);
void dn_compat_flow_put(uint8_t *id, const struct dn_flow *flow);

/* Scaled numbers: probabilities of 31 bits, RED's of 16. */
uint32_t dn_compat_plr_get(uint32_t plr);
uint32_t dn_compat_plr_put(uint32_t plr);
enum { DN_RED_ONE = 1 << 16 };
/*
 * RED of 16 fractional bits; false: not parameters of RED. Packets or bytes is for others to say.
 */
bool dn_compat_red_get(struct dn_aqm_config *aqm, bool gentle, int32_t w_q, int32_t min_th,
    int32_t max_th, int32_t max_p);

enum { DN_SAMPLES_MAX = 1024 };
/*
 * A profile of samples (ms each) of which those from loss_level on are losses; NULL: not one, or no
 * memory.
 */
struct dn_profile *dn_compat_profile(
    const char name[32], const uint8_t *samples, uint32_t n, int32_t loss_level);

/* Bytes that grow; bad: there was no memory, and nothing more is added. */
struct dn_bytes {
	uint8_t *at;
	size_t len, room;
	bool bad;
};
/* n more bytes, zeroed; NULL without memory. Good until the next call. */
uint8_t *dn_bytes_add(struct dn_bytes *b, size_t n);

/* Fills the answer's error and why; returns false, for callers that return it. */
bool dn_compat_fail(struct dn_answer *a, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The outcome of dn_pipe_config and its like, of `what` `number`. */
bool dn_compat_result(
    struct dn_answer *a, int error, const char *why, const char *what, uint32_t number);

/* dn_compat_old.c */
void dn_old_request(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *answer);
/* dn_compat_v3.c */
void dn_v3_request(const struct dn_request *rq, enum dn_layout *layout, struct dn_answer *answer);

#endif
