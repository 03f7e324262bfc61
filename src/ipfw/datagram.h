/*
 * datagram.h - packets as a program behind a door sees them: the header of warren-divert.h, then
 * bytes.
 */
#ifndef WARREN_IPFW_DATAGRAM_H
#define WARREN_IPFW_DATAGRAM_H

#include "ipfw/listener.h"

#include "warren-divert.h"

/* The header for m, which a listener was given with this tag; the bytes are m's. In its stack. */
void fw_datagram_header(
    struct warren_datagram *h, const struct mbuf *m, const struct fw_tag *tag, uint16_t number);

/*
 * What the program behind l has sent: a packet that goes on at its place, or the answer to a
 * question. In l's stack. False: it is none of them (counted); nothing has happened.
 */
bool fw_datagram_input(struct fw_listener *l, const void *bytes, size_t len);

DROP_DECLARE(DROP_FW_DATAGRAM);

#endif
