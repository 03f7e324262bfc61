/*
 * pcapng.c - see pcapng.h. A block is {type, length, body, length}, everything padded to 4 bytes;
 * options are {code, length, value}, ended by code 0.
 */
#include "port/pcapng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
};
enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_SHB_USERAPPL = 4,
	OPT_IF_NAME = 2,
	OPT_IF_TSRESOL = 9,
	OPT_IF_FILTER = 11,
	OPT_EPB_FLAGS = 2,
};

static bool
reserve(struct pcapng_buf *b, size_t n)
{
	size_t room = b->room != 0 ? b->room : 4096;
	uint8_t *bytes;

	while (room - b->len < n)
		room *= 2;
	if (room == b->room)
		return true;
	if ((bytes = realloc(b->bytes, room)) == NULL) {
		b->no_memory = true;
		return false;
	}
	b->bytes = bytes;
	b->room = room;
	return true;
}

static void
put(struct pcapng_buf *b, const void *bytes, size_t len)
{
	static const uint8_t zero[4];

	if (len == 0 || !reserve(b, len + 3))
		return;
	memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	memcpy(b->bytes + b->len, zero, -len & 3);
	b->len += -len & 3;
}

static void
put32(struct pcapng_buf *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

static void
put_option(struct pcapng_buf *b, uint16_t code, const void *value, size_t len)
{
	const uint16_t head[2] = { code, (uint16_t)len };

	put(b, head, sizeof(head));
	put(b, value, len);
}

static void
put_text_option(struct pcapng_buf *b, uint16_t code, const char *text)
{
	put_option(b, code, text, strnlen(text, UINT16_MAX));
}

/* Begin a block of type; returns where, for block_end. */
static size_t
block_begin(struct pcapng_buf *b, uint32_t type)
{
	size_t at = b->len;

	b->no_memory = false;
	put32(b, type);
	put32(b, 0);
	return at;
}

/* Fill in both lengths; a block that memory cut short is taken back whole. */
static void
block_end(struct pcapng_buf *b, size_t at)
{
	uint32_t len = (uint32_t)(b->len - at + 4);

	if (!b->no_memory)
		put32(b, len);
	if (b->no_memory) {
		b->len = at;
		return;
	}
	memcpy(b->bytes + at + 4, &len, sizeof(len));
}

void
pcapng_put_section(struct pcapng_buf *b)
{
	static const uint16_t version[2] = { 1, 0 };
	static const uint64_t unknown_length = UINT64_MAX;
	size_t at = block_begin(b, BLOCK_SECTION);

	put32(b, BYTE_ORDER_MAGIC);
	put(b, version, sizeof(version));
	put(b, &unknown_length, sizeof(unknown_length));
	put_text_option(b, OPT_SHB_USERAPPL, "warren");
	put_option(b, OPT_END, "", 0);
	block_end(b, at);
}

void
pcapng_put_interface(
    struct pcapng_buf *b, const char *name, uint16_t dlt, uint32_t snaplen, const char *filter)
{
	const uint16_t linktype[2] = { dlt, 0 };
	const uint8_t nanoseconds = 9;
	size_t at = block_begin(b, BLOCK_INTERFACE);

	put(b, linktype, sizeof(linktype));
	put32(b, snaplen);
	put_text_option(b, OPT_IF_NAME, name);
	put_option(b, OPT_IF_TSRESOL, &nanoseconds, 1);
	if (filter != NULL) {
		/* first byte 0: a libpcap expression follows */
		char text[4096] = { 0 };
		int len = snprintf(text + 1, sizeof(text) - 1, "%s", filter);

		/* half an expression would say something else */
		if (len < (int)sizeof(text) - 1)
			put_option(b, OPT_IF_FILTER, text, (size_t)len + 1);
	}
	put_option(b, OPT_END, "", 0);
	block_end(b, at);
}

void
pcapng_put_packet(struct pcapng_buf *b, const struct pcapng_packet *p)
{
	const uint32_t flags = p->inbound ? 1 : 2;
	size_t at = block_begin(b, BLOCK_PACKET);

	put32(b, p->iface);
	put32(b, (uint32_t)(p->when_ns >> 32));
	put32(b, (uint32_t)p->when_ns);
	put32(b, p->caplen);
	put32(b, p->wirelen);
	put(b, p->bytes, p->caplen);
	if (p->comment != NULL)
		put_text_option(b, OPT_COMMENT, p->comment);
	put_option(b, OPT_EPB_FLAGS, &flags, sizeof(flags));
	put_option(b, OPT_END, "", 0);
	block_end(b, at);
}

void
pcapng_buf_free(struct pcapng_buf *b)
{
	free(b->bytes);
	*b = (struct pcapng_buf){ 0 };
}
