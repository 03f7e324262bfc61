/*
 * nat_shift.c - a TCP connection whose text NAT has made longer or shorter: its numbers move.
 *
 * All later numbers of the near end are further on (or back) by the difference, acknowledgements to
 * it go back. Each change is remembered by where it happened, the last three of them, so that what is
 * sent again gets the same numbers.
 */
#include "ipfw/nat_internal.h"

#include <string.h>

enum { SHIFTS = 3 };
enum { TCP_SEQ = 4, TCP_ACK = 8, TCP_FLAGS = 13, TCP_SUM = 16, ACK_FLAG = 0x10 };

/* From `from` on (as the near end counts) numbers are `by` higher than it says. */
struct nat_shift {
	struct {
		uint32_t from;
		int32_t by;
	} at[SHIFTS]; /* the latest first; from == by == 0: nothing as yet */
};

uint32_t
nat_shift_seq(const struct nat_shift *s, uint32_t seq)
{
	for (unsigned i = 0; i < SHIFTS; i++)
		if ((int32_t)(seq - s->at[i].from) >= 0)
			return seq + (uint32_t)s->at[i].by;
	return seq;
}

uint32_t
nat_shift_ack(const struct nat_shift *s, uint32_t ack)
{
	uint32_t near;

	for (unsigned i = 0; i < SHIFTS; i++) {
		if ((int32_t)(ack - (s->at[i].from + (uint32_t)s->at[i].by)) < 0)
			continue;
		near = ack - (uint32_t)s->at[i].by;
		/* in the midst of a longer line: no further than the near end has sent */
		if (i > 0 && (int32_t)(near - s->at[i - 1].from) > 0)
			return s->at[i - 1].from;
		return near;
	}
	return ack;
}

static uint32_t
number_at(const uint8_t *at)
{
	return __builtin_bswap32(load32(at));
}

/* A number of TCP's header becomes another, and the checksum follows. */
static void
set_number(uint8_t *th, unsigned at, uint32_t number)
{
	const be32 new = to_be32(number);

	store16(th + TCP_SUM, nat_sum_fix(load16(th + TCP_SUM), th + at, &new, sizeof(new)));
	memcpy(th + at, &new, sizeof(new));
}

void
nat_shift_packet(const struct nat_shift *s, struct fw_packet *p, enum nat_side side)
{
	uint8_t *th = p->m->data + p->l4;

	if (side == NAT_OUT)
		set_number(th, TCP_SEQ, nat_shift_seq(s, number_at(th + TCP_SEQ)));
	else if (th[TCP_FLAGS] & ACK_FLAG)
		set_number(th, TCP_ACK, nat_shift_ack(s, number_at(th + TCP_ACK)));
}

bool
nat_shift_remember(struct nat_link *l, uint32_t seq, uint32_t len, int32_t by)
{
	struct nat_shift *s = l->shift;

	if (by == 0)
		return true;
	if (s == NULL) {
		if ((s = l->shift = vnet_malloc(sizeof(*s))) == NULL)
			return false;
		/* before the first change: a number that is certainly behind */
		for (unsigned i = 0; i < SHIFTS; i++)
			s->at[i].from = seq;
	}
	if ((int32_t)(seq + len - s->at[0].from) <= 0)
		return true; /* sent again */
	memmove(&s->at[1], &s->at[0], (SHIFTS - 1) * sizeof(s->at[0]));
	s->at[0].from = seq + len;
	s->at[0].by = s->at[1].by + by;
	return true;
}
