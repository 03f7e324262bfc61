/*
 * emitter.h - one answer, two forms.
 *
 * A verb says its answer once, field by field; the emitter makes of it the traditional text or,
 * with
 * --json, JSON. Text-only words go through emit_text; a field has a JSON name and a printf format
 * for its text form (NULL = not in the text; name NULL = not in the JSON). Structure (object, list)
 * shows in JSON only.
 *
 *	emit_list(e, "interface");
 *	emit_object(e, NULL);				an element of the list
 *	emit_str(e, "name", "%-5.5s", ifp->if_xname);
 *	emit_uint(e, "mtu", " %5" PRIu64, ifp->if_mtu);
 *	emit_text(e, "\n");
 *	emit_end(e);
 *	emit_end(e);
 *
 * The answer of a verb in JSON is one object {...} with a newline; opening and closing it is the
 * verb mechanism's work (kern/verb.h). JSON strings are valid UTF-8: other bytes become U+FFFD.
 */
#ifndef WARREN_BASE_EMITTER_H
#define WARREN_BASE_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum emit_form { EMIT_TEXT, EMIT_JSON };

struct emitter;

/* Receives the bytes as they come. */
typedef void emit_sink(void *ctx, const char *bytes, size_t len);

struct emitter *emitter_new(enum emit_form form, emit_sink *sink, void *ctx);
/* Closes what is open, flushes and frees. */
void emitter_free(struct emitter *e);
/* Hand over what is buffered so far (a line of ping must not wait). */
void emit_flush(struct emitter *e);
enum emit_form emitter_form(const struct emitter *e);

void emit_text(struct emitter *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Bytes as they are (a capture on standard output); nothing in JSON form. */
void emit_bytes(struct emitter *e, const void *bytes, size_t len);

/* Open an object or a list under name (NULL inside a list); close the innermost. */
void emit_object(struct emitter *e, const char *name);
void emit_list(struct emitter *e, const char *name);
void emit_end(struct emitter *e);

/*
 * Fields. textfmt must hold exactly one conversion of the kind named, or be NULL. In a list the
 * name isn't shown, but NULL still means not in the JSON: give "".
 */
void emit_str(struct emitter *e, const char *name, const char *textfmt, const char *value); /* %s */
void emit_uint(struct emitter *e, const char *name, const char *textfmt,
    uint64_t value); /* PRIu64 or PRIx64 */
void emit_int(struct emitter *e, const char *name, const char *textfmt, int64_t value); /* PRId64 */
/* A number with decimals; JSON gets `decimals` of them. textfmt: %f kinds. */
void emit_num(struct emitter *e, const char *name, const char *textfmt, double value, int decimals);
void emit_bool(struct emitter *e, const char *name, bool value); /* JSON only */
void emit_null(struct emitter *e, const char *name);             /* JSON only */

#endif
