/*
 * dn_mask.c - what of a flow a mask leaves: the name of an instance, and of a queue.
 */
#include "dummynet/dn_internal.h"

bool
dn_mask_is_empty(const struct dn_mask *mask)
{
	return mask->proto == 0 && mask->sport == 0 && mask->dport == 0 && mask->src == 0 &&
	    mask->dst == 0 && mask->flow_id == 0 && in6_is_any(&mask->src6) &&
	    in6_is_any(&mask->dst6) && !mask->per_queue;
}

bool
dn_mask_equal(const struct dn_mask *a, const struct dn_mask *b)
{
	return a->proto == b->proto && a->sport == b->sport && a->dport == b->dport &&
	    a->src == b->src && a->dst == b->dst && a->flow_id == b->flow_id &&
	    in6_equal(&a->src6, &b->src6) && in6_equal(&a->dst6, &b->dst6) &&
	    a->per_queue == b->per_queue;
}

static inline void
in6_and(struct in6 *a, const struct in6 *mask)
{
	for (size_t i = 0; i < sizeof(a->b); i++)
		a->b[i] &= mask->b[i];
}

void
dn_flow_mask(struct dn_flow *f, const struct dn_mask *mask)
{
	f->proto &= mask->proto;
	f->sport &= mask->sport;
	f->dport &= mask->dport;
	if (f->family == 6) {
		f->flow_id &= mask->flow_id;
		in6_and(&f->src6, &mask->src6);
		in6_and(&f->dst6, &mask->dst6);
	} else {
		f->src &= mask->src;
		f->dst &= mask->dst;
	}
}

static inline void
in6_or(struct in6 *a, const struct in6 *b)
{
	for (size_t i = 0; i < sizeof(a->b); i++)
		a->b[i] |= b->b[i];
}

/* What either mask looks at. */
void
dn_flow_mask_both(struct dn_flow *f, const struct dn_mask *a, const struct dn_mask *b)
{
	struct dn_mask both = *a;

	both.proto |= b->proto;
	both.sport |= b->sport;
	both.dport |= b->dport;
	both.src |= b->src;
	both.dst |= b->dst;
	both.flow_id |= b->flow_id;
	in6_or(&both.src6, &b->src6);
	in6_or(&both.dst6, &b->dst6);
	dn_flow_mask(f, &both);
}

bool
dn_flow_equal(const struct dn_flow *a, const struct dn_flow *b)
{
	return a->family == b->family && a->proto == b->proto && a->sport == b->sport &&
	    a->dport == b->dport && a->flow_id == b->flow_id && in6_equal(&a->src6, &b->src6) &&
	    in6_equal(&a->dst6, &b->dst6);
}

/* Of the whole flow, whose unused bytes are 0; keyed by `also`, which nobody outside knows. */
uint64_t
dn_flow_key(const struct dn_flow *f, uint64_t also)
{
	const uint64_t head = (uint64_t)f->family << 56 | (uint64_t)f->proto << 48 |
	    (uint64_t)f->sport << 32 | (uint64_t)f->dport << 16;
	uint64_t h = hash_fold(also ^ head, f->flow_id ^ UINT64_C(0x9e3779b97f4a7c15));

	h = hash_fold(h ^ load64(f->src6.b), also ^ load64(f->src6.b + 8));
	return hash_fold(h ^ load64(f->dst6.b), also ^ load64(f->dst6.b + 8));
}
