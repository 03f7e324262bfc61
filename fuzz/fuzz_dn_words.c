/*
 * Lines of text as commands of the shaper: `ipfw pipe|queue|sched …`. A refusal is one line that can
 * be printed and has a status; what is there afterwards is listed as text and as JSON; a packet goes
 * to each of the first pipes and queues. The stack ends with all of it.
 */
#include "fuzz_stack.h"

#include "dummynet/dn_words.h"

#include <ctype.h>

enum { LINES_MAX = 32 };

static void
insist(bool holds, const char *what, const char *line)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, line);
	abort();
}

/* The words may name a file: not those of this machine. */
static bool
is_harmless(const char *line)
{
	return strstr(line, "load") == NULL && strstr(line, "profile") == NULL;
}

static void
command(const char *words, bool json)
{
	static const char *const kinds[] = { "pipe", "queue", "sched" };
	char line[1024], *out, *err;
	int status;

	snprintf(line, sizeof(line), "ipfw %s %.900s", kinds[(unsigned char)words[0] % 3],
	    words + (words[0] != '\0'));
	status = verb_line(NULL, line, json, &out, &err);
	insist(
	    (status == 0) == (err[0] == '\0'), "a status without a reason, or the reverse", line);
	insist(err[0] == '\0' || strchr(err, '\n') == err + strlen(err) - 1, "not one line", line);
	for (const char *c = err; *c != '\0'; c++)
		insist(*c == '\n' || !iscntrl((unsigned char)*c), "can't be printed", line);
	free(out);
	free(err);
}

static void
deliver(const struct dn_door *door, struct batch *b)
{
	(void)door;
	batch_free(b);
}

/* An IPv4 UDP packet for pipe or queue n. */
static void
packet(uint32_t n, bool queue, const struct dn_door *door)
{
	static const uint8_t ip[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10,
		0, 0, 2, 0x10, 0, 0x20, 0, 0, 8, 0, 0 };
	struct mbuf *m = m_from(ip, sizeof(ip));

	if (m == NULL)
		abort();
	m->when_ns = clock_now();
	dn_input(m, n, queue, door);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct dn_door door = { .name = "fuzz", .deliver = deliver };
	char *text = calloc(1, len + 1), *rest = text, *line;
	struct fuzz_stack f;

	fuzz_begin(&f);
	if (text == NULL)
		abort();
	memcpy(text, data, len);
	for (int i = 0; i < LINES_MAX && (line = strsep(&rest, "\n")) != NULL; i++)
		if (is_harmless(line))
			command(line, i % 4 == 3);
	for (uint32_t n = 1; n < 4; n++) {
		packet(n, false, &door);
		packet(n, true, &door);
	}
	for (int i = 0; i < 6; i++) {
		char show[] = "pshow";

		show[0] = (char)(show[0] + i);
		command(show, i >= 3);
	}
	dn_door_close(&door);
	fuzz_end(&f);
	free(text);
	return 0;
}
