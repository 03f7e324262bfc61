/*
 * Bytes as a stream of records of FreeBSD 7's and 8's ipfw. The first byte says which layout is
 * known beforehand. Each answer has a header that leads to the next, and an error its sentence. What
 * they made is listed; the stack ends with it.
 */
#include "fuzz_stack.h"

#include "base/bytes.h"
#include "dummynet/dn_compat.h"
#include "dummynet/dn_words.h"

static uint32_t
net32(const uint8_t p[4])
{
	return __builtin_bswap32(load32(p));
}

/* Answers lie one behind the other, to the end. */
static void
check_answers(const uint8_t *out, size_t len)
{
	struct dn_record_header h;

	while (len > 0) {
		if (len < sizeof(h))
			abort();
		memcpy(&h, out, sizeof(h));
		if (net32(h.magic) != DN_RECORD_MAGIC || net32(h.length) > len - sizeof(h))
			abort();
		if (net32(h.error) != 0 && net32(h.length) == 0)
			abort(); /* nobody is told why */
		out += sizeof(h) + net32(h.length);
		len -= sizeof(h) + net32(h.length);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum dn_layout layout;
	struct fuzz_stack f;
	const char *why;
	size_t out_len;
	uint8_t *out;

	if (len == 0)
		return 0;
	fuzz_begin(&f);
	layout = (enum dn_layout)(data[0] % DN_LAYOUTS);
	out = dn_record_stream(data + 1, len - 1, &layout, &out_len, &why);
	if (out == NULL)
		abort();
	check_answers(out, out_len);
	free(out);
	fuzz_command("ipfw pipe show");
	fuzz_command("ipfw queue show");
	fuzz_command("ipfw sched show");
	fuzz_end(&f);
	return 0;
}
