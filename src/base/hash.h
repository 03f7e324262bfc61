/*
 * hash.h - the mixing step that the hash tables share.
 */
#ifndef WARREN_BASE_HASH_H
#define WARREN_BASE_HASH_H

#include <stdint.h>

/*
 * Both halves of a product of 128 bits, folded (as in Wang Yi's wyhash): every bit of a and b is in
 * every bit of it. With a key XORed into a and b that nobody outside knows, nobody can choose values
 * that meet.
 */
static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
