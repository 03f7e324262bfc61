/*
 * Bytes as what a routing daemon says: the first byte of the input chooses where the stream is cut,
 * the rest is the stream, over two connections with time between them. Whatever comes, the table
 * holds no more than its limits, what it holds is what the FIB has or waits, and nothing is left
 * behind.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/sched.h"
#include "port/fpm.h"
#include "../tests/unit/memif.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROUTES = 64, NEXTHOPS = 16 };

static struct memif lan, wan;

static void
command(const char *line)
{
	char *err;

	if (verb_line(NULL, line, false, NULL, &err) != 0)
		abort();
	free(err);
}

static void
quiet(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

/* Indexes as in the seeds, which a real zebra has said: 2 and 3 are its links. */
static bool
guest_name(void *ctx, uint32_t index, char *name)
{
	(void)ctx;
	if (index != 2 && index != 3)
		return false;
	strcpy(name, index == 2 ? "mem0" : "mem1");
	return true;
}

static void
connection(struct fpm *f, const uint8_t *data, size_t len, size_t cut)
{
	const char *why = NULL;

	fpm_begin(f);
	if (fpm_input(f, data, cut, &why) == 0)
		(void)fpm_input(f, data + cut, len - cut, &why);
	if (fpm_table_routes(fpm_table(f)) > ROUTES || fpm_table_nexthops(fpm_table(f)) > NEXTHOPS)
		abort();
	fpm_end(f);
}

/* Each of ours in the FIB is one that is held; so an empty table means none. */
static int
is_ours(struct rtentry *rt, void *ctx)
{
	*(uint64_t *)ctx += (rt->nh.flags & RTF_PROTO1_) != 0;
	return 0;
}

static uint64_t
count_ours(void)
{
	uint64_t n = 0;

	rib_walk(0, AF_INET, is_ours, &n);
	rib_walk(0, AF_INET6, is_ours, &n);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct audit_counts before;
	struct fpm *f;
	char text[256];
	size_t cut;

	if (len == 0)
		return 0;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	log_set_sink(quiet, NULL);
	audit_take(&before);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	command("ifconfig mem0 inet 10.2.0.1/24");
	command("ifconfig mem1 inet 10.1.0.1/24");
	command("ifconfig mem0 inet6 2001:db8:2::1/64 no_dad");
	command("ifconfig mem1 inet6 2001:db8:1::1/64 no_dad");
	command("sysctl net.route.fpm_maxroutes=64");
	command("sysctl net.route.fpm_maxnexthops=16");
	if ((f = fpm_new(0, guest_name, NULL)) == NULL)
		abort();
	cut = (len - 1) * data[0] / 255;
	connection(f, data + 1, len - 1, cut);
	sched_run(clock_now() + 30 * NS_PER_SEC);
	command("ifconfig mem1 inet 10.1.0.1 -alias");
	connection(f, data + 1, cut, cut / 2);
	sched_run(clock_now() + 120 * NS_PER_SEC);
	if (fpm_table_routes(fpm_table(f)) != 0 || count_ours() != 0)
		abort();
	connection(f, data + 1, len - 1, 0);
	fpm_free(f);
	if (count_ours() != 0)
		abort();
	memif_close(&lan);
	memif_close(&wan);
	if (audit_compare(&before, text, sizeof(text)) != 0)
		abort();
	kern_fini();
	worker_detach();
	return 0;
}
