/*
 * ctl_proto.h - the words of the control socket, for both of its ends; docs/control-protocol.md
 * explains them.
 */
#ifndef WARREN_CONTROL_CTL_PROTO_H
#define WARREN_CONTROL_CTL_PROTO_H

#include "base/bytes.h"

enum {
	CTL_MAGIC = 0x5752524e, /* "WRRN" */
	CTL_VERSION = 1,
	CTL_HEADER = 8,             /* be32 length of what follows, be32 type */
	CTL_FRAME_MAX = 256 * 1024, /* longest payload either end accepts */
	CTL_CHUNK = 64 * 1024,      /* longest OUT and ERR that the server makes */
	CTL_WORDS_MAX = 4096,       /* words of one command */
	CTL_DONE_LEN = 20,
};

enum ctl_type {
	/* Both: be32 magic, be32 version; the server adds be32 pid and its version's text. */
	CTL_HELLO = 1,
	/*
	 * Client: be32 flags, be32 fib, jail, cwd, be32 argc, argc words (each be32 length, bytes).
	 */
	CTL_RUN = 2,
	/* Client: end the command soon. */
	CTL_CANCEL = 3,
	/* Server: bytes of standard output, of standard error. */
	CTL_OUT = 16,
	CTL_ERR = 17,
	/* Server: be32 status, be64 bytes of output made, be64 bytes of errors made. */
	CTL_DONE = 18,
	/* Server: a text; then it closes. */
	CTL_REFUSED = 19,
};

enum ctl_run_flags { CTL_RUN_JSON = 1 << 0, CTL_RUN_TTY = 1 << 1, CTL_RUN_FLAGS = 3 };

struct ctl_header {
	be32 length, type;
};
_Static_assert(sizeof(struct ctl_header) == CTL_HEADER, "wire");

/*
 * Reads numbers and strings off a payload; once something is missing, everything after is too and
 * bad is set.
 */
struct ctl_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline const uint8_t *
ctl_read(struct ctl_reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->bad || (size_t)(r->end - r->at) < len) {
		r->bad = true;
		return NULL;
	}
	r->at += len;
	return at;
}

static inline uint32_t
ctl_read32(struct ctl_reader *r)
{
	const uint8_t *p = ctl_read(r, 4);

	return p == NULL ? 0 : __builtin_bswap32(load32(p));
}

static inline uint64_t
ctl_read64(struct ctl_reader *r)
{
	uint64_t high = ctl_read32(r);

	return high << 32 | ctl_read32(r);
}

static inline void
ctl_put32(uint8_t *p, uint32_t v)
{
	store32(p, __builtin_bswap32(v));
}

static inline void
ctl_put64(uint8_t *p, uint64_t v)
{
	store64(p, __builtin_bswap64(v));
}

#endif
