/*
 * Any sequence of emits makes JSON that jansson reads, with the strings and numbers that were said.
 */
#include "base/emitter.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct {
	char *bytes;
	size_t len, room;
} out;

static void
sink(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	if (out.len + len + 1 > out.room) {
		out.room = (out.len + len + 1) * 2;
		out.bytes = realloc(out.bytes, out.room);
		if (out.bytes == NULL)
			abort();
	}
	memcpy(out.bytes + out.len, bytes, len);
	out.len += len;
	out.bytes[out.len] = '\0';
}

/* Each byte says what comes next; strings are what follows, up to a NUL. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *input = malloc(len + 1), *p = input, *end = input + len;
	struct emitter *e = emitter_new(EMIT_JSON, sink, NULL);
	size_t members = 0; /* of the outermost list */
	uint32_t depth = 1;
	json_error_t error;
	json_t *root;

	memcpy(input, data, len);
	*end = '\0';
	out.len = 0;
	emit_list(e, NULL);
	while (p < end) {
		uint64_t number = 0;
		char *name = p + 1 < end ? p + 1 : end;

		memcpy(&number, name, (size_t)(end - name) < 8 ? (size_t)(end - name) : 8);
		members += depth == 1 && (*p & 7) != 7;
		switch (*p++ & 7) {
		case 0:
			emit_str(e, name, NULL, name);
			p += strlen(p);
			break;
		case 1:
			emit_uint(e, name, NULL, number);
			break;
		case 2:
			emit_int(e, name, NULL, (int64_t)number);
			break;
		case 3: {
			double value;

			memcpy(&value, &number, sizeof(value));
			emit_num(e, name, NULL, value, (int)(number % 20));
			break;
		}
		case 4:
			emit_bool(e, name, number & 1);
			break;
		case 5:
			if (depth < 60) {
				emit_object(e, name);
				depth++;
			} else {
				emit_null(e, name);
			}
			break;
		case 6:
			if (depth < 60) {
				emit_list(e, name);
				depth++;
			} else {
				emit_null(e, name);
			}
			break;
		default:
			if (depth > 1) {
				emit_end(e);
				depth--;
			}
		}
	}
	emitter_free(e);
	/* A whole number of 20 digits is read as a real. */
	root = json_loadb(out.bytes, out.len, JSON_DECODE_INT_AS_REAL, &error);
	if (root == NULL || out.bytes[out.len - 1] != '\n' ||
	    memchr(out.bytes, '\n', out.len - 1) || json_array_size(root) != members)
		abort();
	json_decref(root);
	free(input);
	return 0;
}
