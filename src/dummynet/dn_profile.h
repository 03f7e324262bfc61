/*
 * dn_profile.h - extra time on the channel, by a distribution (spec 11.6): what a radio link needs
 * to win the channel, repeat a frame, or lose it.
 */
#ifndef WARREN_DUMMYNET_DN_PROFILE_H
#define WARREN_DUMMYNET_DN_PROFILE_H

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

struct dn_profile;

/*
 * Read a profile's text (len bytes). On error NULL and *why "line N: what is wrong" (in a buffer of
 * the caller's). The result has one reference.
 */
struct dn_profile *dn_profile_parse(const char *text, size_t len, char *why, size_t why_len);
struct dn_profile *dn_profile_ref(struct dn_profile *p);
void dn_profile_rele(struct dn_profile *p); /* NULL is allowed */

/* One packet's extra time on the link, ns; *lost: it is lost, after that time. */
uint64_t dn_profile_draw(const struct dn_profile *p, struct rng *rng, bool *lost);
const char *dn_profile_name(const struct dn_profile *p);
uint64_t dn_profile_rate(const struct dn_profile *p); /* the file's bw, bit/s; 0 = none said */
double dn_profile_loss_level(const struct dn_profile *p);
uint32_t dn_profile_samples(const struct dn_profile *p);

#endif
