/*
 * multicast_record.c - reports of IGMPv3 and MLDv2 as they are written: one format but for the
 * length of an address (RFC 3376 4.2, RFC 3810 5.2).
 *
 *	type, reserved, sum, reserved, number of records		8 bytes
 *	record: type, length of auxiliary data (0), number of sources,	4 bytes
 *		group, sources …
 *
 * A report is as long as the link takes. A record that doesn't fit behind others begins a new one;
 * one that fits in none goes on in the next (RFC 3376 4.2.16), unless it says who is excluded:
 * there a second record would take the first one back, so it holds as many sources as there is room
 * for, the first ones in order, hence the same ones each time.
 */
#include "inet/multicast_internal.h"

#include "base/bytes.h"

#include <string.h>

enum { REPORT_HEAD = 8, RECORD_HEAD = 4, REPORT_MAX = 65535 };

void
mcast_report_begin(struct mcast_report *r, struct mcast_if *mi)
{
	uint32_t mtu = mi->ifp->if_mtu < REPORT_MAX ? mi->ifp->if_mtu : REPORT_MAX;

	*r = (struct mcast_report){ .mi = mi, .limit = mtu - mi->proto->overhead };
}

static void
report_flush(struct mcast_report *r)
{
	uint8_t *head;

	if (r->m == NULL)
		return;
	head = r->m->data;
	memset(head, 0, REPORT_HEAD);
	head[0] = r->mi->proto->report_type;
	store16(head + 6, __builtin_bswap16((uint16_t)r->nrecords));
	r->mi->proto->send(r->mi, r->m);
	r->m = NULL;
	r->nrecords = 0;
}

/* A report with room for another record of this many bytes; false without memory. */
static bool
report_room(struct mcast_report *r, uint32_t bytes)
{
	if (r->m != NULL && r->m->len + bytes <= r->limit)
		return true;
	report_flush(r);
	/* the head is written when the number of records is known */
	if ((r->m = m_get(r->limit)) != NULL)
		m_trim(r->m, REPORT_HEAD);
	return r->m != NULL;
}

/* An address as packets have it: without its zone. */
static void
put_address(struct mcast_report *r, const struct ipaddr *a)
{
	struct ipaddr wire = *a;

	if (wire.family == AF_INET6)
		in6_clear((struct in6 *)(void *)wire.b);
	memcpy(r->m->data + r->m->len, wire.b, r->mi->proto->addrlen);
	r->m->len += r->mi->proto->addrlen;
}

/* Open the record; room is there. */
static void
record_open(struct mcast_report *r)
{
	r->record = r->m->len;
	r->nsources = 0;
	memset(r->m->data + r->record, 0, RECORD_HEAD);
	r->m->data[r->record] = (uint8_t)r->type;
	r->m->len += RECORD_HEAD;
	put_address(r, r->group);
	r->nrecords++;
}

static bool
is_exclude(enum mcast_record type)
{
	return type == MCAST_IS_EX || type == MCAST_TO_EX;
}

void
mcast_record_begin(
    struct mcast_report *r, enum mcast_record type, const struct ipaddr *group, unsigned n)
{
	r->type = type;
	r->group = group;
	r->lost = !report_room(r, RECORD_HEAD + (1 + n) * r->mi->proto->addrlen);
	if (!r->lost)
		record_open(r);
}

void
mcast_record_source(struct mcast_report *r, const struct ipaddr *source)
{
	if (r->lost)
		return;
	if (r->m->len + r->mi->proto->addrlen > r->limit) {
		r->lost = is_exclude(r->type);
		if (r->lost)
			return;
		mcast_record_end(r);
		r->lost = !report_room(r, RECORD_HEAD + 2u * r->mi->proto->addrlen);
		if (r->lost)
			return;
		record_open(r);
	}
	put_address(r, source);
	r->nsources++;
}

void
mcast_record_end(struct mcast_report *r)
{
	if (r->m != NULL)
		store16(r->m->data + r->record + 2, __builtin_bswap16((uint16_t)r->nsources));
}

void
mcast_report_end(struct mcast_report *r)
{
	report_flush(r);
}
