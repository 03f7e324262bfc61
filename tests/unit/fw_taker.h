/*
 * fw_taker.h - a listener for tests: it keeps what it is given, gives it back at once, or has no
 * room.
 */
#ifndef WARREN_TESTS_UNIT_FW_TAKER_H
#define WARREN_TESTS_UNIT_FW_TAKER_H

#include "fw_packets.h"

#include "ipfw/datagram.h"
#include "ipfw/listener.h"

struct taker {
	struct fw_listener l; /* first */
	struct mbufq got;
	bool full, at_once, gone;
};

static inline bool
taker_input(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag)
{
	struct taker *t = (struct taker *)(void *)l;

	assert_null(m->rcvif);
	assert_ptr_equal(tag, fw_tag_find(m));
	if (t->full)
		return false;
	if (t->at_once)
		fw_reinject(m);
	else
		mbufq_push(&t->got, m);
	return true;
}

static inline void
taker_gone(struct fw_listener *l)
{
	((struct taker *)(void *)l)->gone = true;
}

static inline void
taker_make(struct taker *t, uint8_t kind, uint16_t number)
{
	*t = (struct taker){
		.l = { .kind = kind, .number = number, .input = taker_input, .gone = taker_gone }
	};
	mbufq_init(&t->got);
}

static inline void
taker_listen(struct taker *t, uint8_t kind, uint16_t number)
{
	taker_make(t, kind, number);
	assert_int_equal(fw_listen(&t->l), 0);
}

static inline void
taker_end(struct taker *t)
{
	fw_listen_end(&t->l);
	mbufq_drain(&t->got);
}

static inline void
settle(void)
{
	while (netisr_run())
		continue;
}

/* All that it has goes back. */
static inline void
taker_give_back(struct taker *t)
{
	struct mbuf *m;

	while ((m = mbufq_pop(&t->got)) != NULL)
		fw_reinject(m);
	settle();
}

/* A datagram of lan's neighbour for wan's. */
static inline void
passes_through(uint32_t data)
{
	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, data));
}

/* --- as a program sees it --------------------------------------------------------------------- */

struct datagram {
	struct warren_datagram h;
	uint8_t packet[2048];
	uint32_t len; /* of the packet */
};

/* The first packet that t has, which it loses by that. */
static inline struct datagram
datagram_of(struct taker *t)
{
	struct mbuf *m = mbufq_pop(&t->got);
	struct datagram d;

	assert_non_null(m);
	assert_true(m->len <= sizeof(d.packet));
	fw_datagram_header(&d.h, m, fw_tag_find(m), t->l.number);
	d.len = m->len;
	memcpy(d.packet, m->data, m->len);
	m_free(m);
	return d;
}

/* The program writes it. */
static inline bool
datagram_write(struct taker *t, struct datagram *d)
{
	uint8_t bytes[sizeof(d->h) + sizeof(d->packet)];
	bool good;

	memcpy(bytes, &d->h, sizeof(d->h));
	memcpy(bytes + sizeof(d->h), d->packet, d->len);
	good = fw_datagram_input(&t->l, bytes, sizeof(d->h) + d->len);
	settle();
	return good;
}

#endif
