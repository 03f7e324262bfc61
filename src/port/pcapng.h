/*
 * pcapng.h - the blocks of a pcapng file (draft-ietf-opsawg-pcapng), as bytes in a buffer.
 *
 * libpcap reads the format but can't write it. Native byte order, times in ns (if_tsresol 9).
 */
#ifndef WARREN_PORT_PCAPNG_H
#define WARREN_PORT_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng_buf {
	uint8_t *bytes;
	size_t len, room;
	bool no_memory; /* a block is missing */
};

struct pcapng_packet {
	uint32_t iface;       /* number of its interface block, from 0 */
	uint64_t when_ns;     /* since 1970 */
	const uint8_t *bytes; /* borrowed */
	uint32_t caplen, wirelen;
	bool inbound;
	const char *comment; /* NULL = none */
};

void pcapng_put_section(struct pcapng_buf *b);
/* filter may be NULL. */
void pcapng_put_interface(
    struct pcapng_buf *b, const char *name, uint16_t dlt, uint32_t snaplen, const char *filter);
void pcapng_put_packet(struct pcapng_buf *b, const struct pcapng_packet *p);
void pcapng_buf_free(struct pcapng_buf *b);

#endif
