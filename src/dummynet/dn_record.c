/*
 * dn_record.c - records of other times (dn_compat.h) in a stream, each behind a header of ours, and
 * their answers in another: what a program that stands in for the old socket would send here.
 *
 *	warren dnctl record - < requests > answers
 *	warren dnctl record -l 7-32 requests
 */
#include "dummynet/dn_compat_internal.h"
#include "dummynet/dn_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the stream ------------------------------------------------------------------------------- */

static uint32_t
net32(const uint8_t p[4])
{
	return __builtin_bswap32(load32(p));
}

/* What a get finds in its buffer; or what is wrong, as a sentence. */
static void
put_answer(struct dn_bytes *out, const struct dn_record_header *h, const struct dn_answer *a)
{
	const void *bytes = a->error != 0 ? (const void *)a->why : a->bytes;
	const size_t len = a->error != 0 ? strlen(a->why) : a->len;
	struct dn_record_header back = *h;
	uint8_t *at = dn_bytes_add(out, sizeof(back) + len);

	if (at == NULL)
		return;
	store32(back.error, __builtin_bswap32((uint32_t)a->error));
	store32(back.length, __builtin_bswap32((uint32_t)len));
	store32(back.room, 0);
	memcpy(at, &back, sizeof(back));
	if (len > 0)
		memcpy(at + sizeof(back), bytes, len);
}

static void
run_record(const struct dn_record_header *h, const uint8_t *bytes, enum dn_layout *layout,
    struct dn_bytes *out)
{
	const struct dn_request rq = {
		.option = (uint32_t)h->option[0] << 8 | h->option[1],
		.get = h->get != 0,
		.bytes = bytes,
		.len = net32(h->length),
		.room = net32(h->room),
	};
	struct dn_answer a;

	dn_compat(&rq, layout, &a);
	put_answer(out, h, &a);
	dn_answer_free(&a);
}

uint8_t *
dn_record_stream(
    const uint8_t *in, size_t len, enum dn_layout *layout, size_t *out_len, const char **why)
{
	struct dn_record_header h;
	struct dn_bytes out = { 0 };

	*why = NULL;
	while (len > 0 && *why == NULL && !out.bad) {
		if (len < sizeof(h)) {
			*why = "the last record's header is cut short";
			break;
		}
		memcpy(&h, in, sizeof(h));
		in += sizeof(h);
		len -= sizeof(h);
		if (net32(h.magic) != DN_RECORD_MAGIC || h.version != 1)
			*why = "no record begins here";
		else if (net32(h.length) > len)
			*why = "the last record is cut short";
		else
			run_record(&h, in, layout, &out);
		in += *why == NULL ? net32(h.length) : 0;
		len -= *why == NULL ? net32(h.length) : 0;
	}
	*out_len = out.len;
	if (!out.bad && out.at == NULL)
		out.at = calloc(1, 1);
	if (out.bad) {
		free(out.at);
		return NULL;
	}
	return out.at;
}

/* --- dnctl record ----------------------------------------------------------------------------- */

/* The whole file; NULL after a message. */
static uint8_t *
file_read(struct verb_run *v, const char *path, size_t *len)
{
	uint8_t *bytes = malloc(DN_RECORD_MAX + 1);
	FILE *f = bytes != NULL ? fopen(path, "re") : NULL;
	int error = f == NULL ? errno : 0;

	*len = f != NULL ? fread(bytes, 1, DN_RECORD_MAX + 1, f) : 0;
	if (f != NULL && ferror(f))
		error = EIO;
	if (f != NULL)
		fclose(f);
	if (error == 0 && *len > DN_RECORD_MAX)
		error = EFBIG;
	if (error == 0)
		return bytes;
	free(bytes);
	verb_error(v, 0, "record: %s: %s", path, verb_strerror(error));
	return NULL;
}

int
dn_record_command(struct verb_run *v, int argc, char **argv)
{
	enum dn_layout layout = DN_LAYOUT_UNKNOWN;
	size_t len, out_len;
	const char *why;
	uint8_t *in, *out;

	if (argc == 3 && strcmp(argv[0], "-l") == 0) {
		layout = dn_layout_find(argv[1]);
		if (layout == DN_LAYOUT_UNKNOWN)
			return verb_error(v, EXIT_USAGE_,
			    "record: -l %s: layouts are 7-32, 7-64, 8-32, 8-64, 3-32, 3-64",
			    argv[1]);
		argc -= 2;
		argv += 2;
	}
	if (argc != 1)
		return verb_error(v, EXIT_USAGE_, "record: [-l LAYOUT] FILE");
	if ((in = file_read(v, argv[0], &len)) == NULL)
		return EXIT_OSERR_;
	out = dn_record_stream(in, len, &layout, &out_len, &why);
	free(in);
	if (out != NULL)
		emit_bytes(v->out, out, out_len);
	free(out);
	if (out == NULL)
		why = verb_strerror(ENOMEM);
	return why == NULL ? 0 : verb_error(v, 65 /* EX_DATAERR */, "record: %s", why);
}
