/*
 * emitter.c - text and JSON out of the same calls.
 *
 * Bytes gather in a buffer and go to the sink when it is full, on emit_flush() and at the end. JSON
 * is one line: commas by counting the members of what is open, names and strings escaped, and a
 * newline when the outermost object closes.
 *
 * What is printed never depends on the locale of an embedding program: printf runs in the C locale.
 */
#include "base/emitter.h"

#include <assert.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 4096, DEPTH_MAX = 64 };

struct emitter {
	emit_sink *sink;
	void *ctx;
	enum emit_form form;
	uint32_t depth; /* open objects and lists */
	struct {
		bool is_list;
		bool has_members;
	} open[DEPTH_MAX];
	size_t len;
	char buffer[BUFFER];
};

struct emitter *
emitter_new(enum emit_form form, emit_sink *sink, void *ctx)
{
	struct emitter *e = malloc(sizeof(*e));

	if (e == NULL)
		return NULL;
	e->form = form;
	e->sink = sink;
	e->ctx = ctx;
	e->depth = 0;
	e->len = 0;
	return e;
}

void
emitter_free(struct emitter *e)
{
	if (e == NULL)
		return;
	while (e->depth > 0)
		emit_end(e);
	emit_flush(e);
	free(e);
}

void
emit_flush(struct emitter *e)
{
	if (e->len > 0)
		e->sink(e->ctx, e->buffer, e->len);
	e->len = 0;
}

enum emit_form
emitter_form(const struct emitter *e)
{
	return e->form;
}

static void
put(struct emitter *e, const char *bytes, size_t len)
{
	if (len > BUFFER - e->len) {
		emit_flush(e);
		if (len > BUFFER) {
			e->sink(e->ctx, bytes, len);
			return;
		}
	}
	memcpy(e->buffer + e->len, bytes, len);
	e->len += len;
}

static inline void
put_char(struct emitter *e, char c)
{
	if (e->len == BUFFER)
		emit_flush(e);
	e->buffer[e->len++] = c;
}

/* Formats come from the callers' textfmt; the compiler checks those of emit_text only. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void
put_vformat(struct emitter *e, const char *fmt, va_list ap)
{
	static locale_t c_locale; /* atomic; "C" is a constant of the C library, never freed */
	locale_t c = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE), before;
	va_list again;
	int len;

	if (c == (locale_t)0) {
		c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
		__atomic_store_n(&c_locale, c, __ATOMIC_RELEASE);
	}
	before = uselocale(c);
	va_copy(again, ap);
	len = vsnprintf(e->buffer + e->len, BUFFER - e->len, fmt, ap);
	if (len >= 0 && (size_t)len < BUFFER - e->len) {
		e->len += (size_t)len;
	} else if (len >= 0) {
		char *whole = malloc((size_t)len + 1);

		if (whole != NULL) {
			vsnprintf(whole, (size_t)len + 1, fmt, again);
			put(e, whole, (size_t)len);
			free(whole);
		}
	}
	va_end(again);
	uselocale(before);
}

static void
put_format(struct emitter *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_vformat(e, fmt, ap);
	va_end(ap);
}

#pragma GCC diagnostic pop

/* Length of the valid UTF-8 sequence at p (RFC 3629), 0 if there is none. p ends with a NUL. */
static size_t
utf8_length(const unsigned char *p)
{
	size_t len;
	unsigned low = 0x80, high = 0xbf; /* of the second byte */

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0; /* else overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* else a surrogate */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f; /* else over U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static void
put_json_string(struct emitter *e, const char *s)
{
	static const char hex[] = "0123456789abcdef";
	/* What has a letter of its own behind a backslash. */
	static const char letters[128] = {
		['"'] = '"',
		['\\'] = '\\',
		['\b'] = 'b',
		['\f'] = 'f',
		['\n'] = 'n',
		['\r'] = 'r',
		['\t'] = 't',
	};
	const unsigned char *p = (const unsigned char *)s, *plain = p;

	put_char(e, '"');
	while (*p != '\0') {
		size_t len = utf8_length(p);

		if (len > 1 || (len == 1 && *p >= 0x20 && letters[*p] == 0)) {
			p += len;
			continue;
		}
		put(e, (const char *)plain, (size_t)(p - plain));
		if (len == 0) {
			put(e, "\xef\xbf\xbd", 3);
		} else if (letters[*p] != 0) {
			put_char(e, '\\');
			put_char(e, letters[*p]);
		} else {
			put(e, "\\u00", 4);
			put_char(e, hex[*p >> 4]);
			put_char(e, hex[*p & 15]);
		}
		plain = ++p;
	}
	put(e, (const char *)plain, (size_t)(p - plain));
	put_char(e, '"');
}

/* What stands before a value: a comma, and its name in an object. */
static void
json_begin(struct emitter *e, const char *name)
{
	uint32_t top = e->depth - 1;

	if (e->depth == 0)
		return;
	if (e->open[top].has_members)
		put_char(e, ',');
	e->open[top].has_members = true;
	if (!e->open[top].is_list) {
		put_json_string(e, name != NULL ? name : "");
		put_char(e, ':');
	}
}

/* A value outside everything is a line of its own. */
static void
json_end(struct emitter *e)
{
	if (e->depth == 0)
		put_char(e, '\n');
}

static void
json_open(struct emitter *e, const char *name, bool is_list)
{
	if (e->form == EMIT_JSON) {
		json_begin(e, name);
		put_char(e, is_list ? '[' : '{');
	}
	assert(e->depth < DEPTH_MAX);
	e->open[e->depth].is_list = is_list;
	e->open[e->depth].has_members = false;
	e->depth++;
}

void
emit_object(struct emitter *e, const char *name)
{
	json_open(e, name, false);
}

void
emit_list(struct emitter *e, const char *name)
{
	json_open(e, name, true);
}

void
emit_end(struct emitter *e)
{
	assert(e->depth > 0);
	e->depth--;
	if (e->form == EMIT_JSON) {
		put_char(e, e->open[e->depth].is_list ? ']' : '}');
		json_end(e);
	}
}

void
emit_text(struct emitter *e, const char *fmt, ...)
{
	va_list ap;

	if (e->form != EMIT_TEXT)
		return;
	va_start(ap, fmt);
	put_vformat(e, fmt, ap);
	va_end(ap);
}

void
emit_bytes(struct emitter *e, const void *bytes, size_t len)
{
	if (e->form == EMIT_TEXT)
		put(e, bytes, len);
}

void
emit_str(struct emitter *e, const char *name, const char *textfmt, const char *value)
{
	if (e->form == EMIT_TEXT) {
		if (textfmt != NULL)
			put_format(e, textfmt, value != NULL ? value : "");
	} else if (value == NULL) {
		emit_null(e, name);
	} else if (name != NULL) {
		json_begin(e, name);
		put_json_string(e, value);
		json_end(e);
	}
}

/* Decimal digits of v, ending before `end`; returns where they start. */
static char *
digits(char *end, uint64_t v)
{
	do
		*--end = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return end;
}

void
emit_uint(struct emitter *e, const char *name, const char *textfmt, uint64_t value)
{
	char room[24], *end = room + sizeof(room), *p;

	if (e->form == EMIT_TEXT) {
		if (textfmt != NULL)
			put_format(e, textfmt, value);
	} else if (name != NULL) {
		p = digits(end, value);
		json_begin(e, name);
		put(e, p, (size_t)(end - p));
		json_end(e);
	}
}

void
emit_int(struct emitter *e, const char *name, const char *textfmt, int64_t value)
{
	char room[24], *end = room + sizeof(room), *p;

	if (e->form == EMIT_TEXT) {
		if (textfmt != NULL)
			put_format(e, textfmt, value);
	} else if (name != NULL) {
		p = digits(end, value < 0 ? -(uint64_t)value : (uint64_t)value);
		if (value < 0)
			*--p = '-';
		json_begin(e, name);
		put(e, p, (size_t)(end - p));
		json_end(e);
	}
}

void
emit_num(struct emitter *e, const char *name, const char *textfmt, double value, int decimals)
{
	if (e->form == EMIT_TEXT) {
		if (textfmt != NULL)
			put_format(e, textfmt, value);
	} else if (!isfinite(value)) {
		emit_null(e, name); /* JSON has no word for it */
	} else if (name != NULL) {
		json_begin(e, name);
		put_format(e, "%.*f", decimals < 0 ? 0 : decimals, value);
		json_end(e);
	}
}

void
emit_bool(struct emitter *e, const char *name, bool value)
{
	if (e->form != EMIT_JSON || name == NULL)
		return;
	json_begin(e, name);
	put(e, value ? "true" : "false", value ? 4 : 5);
	json_end(e);
}

void
emit_null(struct emitter *e, const char *name)
{
	if (e->form != EMIT_JSON || name == NULL)
		return;
	json_begin(e, name);
	put(e, "null", 4);
	json_end(e);
}
