/*
 * nd6_stable.c - identifiers that are stable on a link and tell nothing (RFC 7217).
 *
 * RID = F(prefix, interface, counter, secret). F is SipHash-2-4 (Aumasson and Bernstein 2012), a
 * pseudo-random function for short inputs, with the stack's secret as its key. The secret comes of
 * the process's seed: a lab gets the same addresses at every run.
 */
#include "inet6/nd6_rtr.h"

#include "base/rng.h"

#include <stdio.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

/* Of whole words: the last one holds what is left, and the length in its top byte. */
static uint64_t
siphash(const uint64_t key[2], const uint64_t *word, unsigned n)
{
	struct sip s = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};

	for (unsigned i = 0; i < n; i++) {
		s.v3 ^= word[i];
		sip_round(&s);
		sip_round(&s);
		s.v0 ^= word[i];
	}
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static void
secret(uint64_t key[2])
{
	struct rng rng;
	char stream[160];

	snprintf(stream, sizeof(stream), "stable identifiers of %.120s", vnet_name(curvnet));
	rng_seed(&rng, rng_process_seed, stream);
	key[0] = rng_u64(&rng);
	key[1] = rng_u64(&rng);
}

void
nd6_stable_id(const struct ifnet *ifp, struct in6 *a, uint8_t counter)
{
	/* prefix 8, interface 16, counter 1: 25 bytes */
	uint64_t key[2], word[4] = { load64(a->b), 0, 0, UINT64_C(25) << 56 | counter };

	if (ifp->if_addrlen == 6)
		memcpy(&word[1], ifp->if_lladdr, 6);
	else
		memcpy(&word[1], ifp->if_xname, strnlen(ifp->if_xname, sizeof(ifp->if_xname)));
	secret(key);
	store64(a->b + 8, siphash(key, word, 4));
}
