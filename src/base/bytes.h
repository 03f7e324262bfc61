/*
 * bytes.h - numbers on the wire.
 *
 * be16 and be32 are structs, so that a value in network order never mixes with one in host order
 * by accident; they have alignment 1, so a header struct made of them may lie anywhere.
 */
#ifndef WARREN_BASE_BYTES_H
#define WARREN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	uint8_t b[2];
} be16;
typedef struct {
	uint8_t b[4];
} be32;

static inline uint16_t
load16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}
static inline uint32_t
load32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}
static inline uint64_t
load64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}
static inline void
store16(void *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}
static inline void
store32(void *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}
static inline void
store64(void *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Host value of a wire value and back (little-endian hosts only; the build checks that). */
static inline uint16_t
from_be16(be16 v)
{
	return __builtin_bswap16(load16(&v));
}
static inline uint32_t
from_be32(be32 v)
{
	return __builtin_bswap32(load32(&v));
}
static inline be16
to_be16(uint16_t h)
{
	be16 v;
	store16(&v, __builtin_bswap16(h));
	return v;
}
static inline be32
to_be32(uint32_t h)
{
	be32 v;
	store32(&v, __builtin_bswap32(h));
	return v;
}

#endif
