/*
 * Any text is a delay profile or a sentence with a line's number, and what is drawn of a profile is a
 * delay of at most an hour.
 */
#include "base/clock.h"
#include "dummynet/dn_profile.h"
#include "kern/vnet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
use(struct dn_profile *p)
{
	uint32_t losses = 0;
	struct rng rng;

	rng_seed(&rng, 1, "fuzz");
	for (int i = 0; i < 64; i++) {
		bool lost;

		if (dn_profile_draw(p, &rng, &lost) > 3600 * NS_PER_SEC)
			abort();
		losses += lost;
	}
	if (dn_profile_samples(p) < 2 || dn_profile_samples(p) > 1024 ||
	    dn_profile_loss_level(p) > 1 || (losses > 0 && dn_profile_loss_level(p) == 1) ||
	    strlen(dn_profile_name(p)) > 31)
		abort();
	dn_profile_rele(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint64_t before = vnet_memory();
	char why[128], small[8];
	struct dn_profile *p;

	p = dn_profile_parse((const char *)data, len, why, sizeof(why));
	if (p != NULL)
		use(p);
	else if (strncmp(why, "line ", 5) != 0 || memchr(why, '\0', sizeof(why)) == NULL)
		abort();
	p = dn_profile_parse((const char *)data, len, small, sizeof(small));
	dn_profile_rele(p);
	if (vnet_memory() != before)
		abort();
	return 0;
}
