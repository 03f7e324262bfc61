/*
 * A capture file's bytes are replayed into a stack that forwards: received as they are, received as
 * if addressed to it, and through its routes with mapped addresses. Nothing may be left behind.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/sched.h"
#include "kern/jail.h"
#include "kern/vnet.h"
#include "port/pcap.h"
#include "../tests/unit/memif.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct memif lan, wan;

static void
command(struct prison *pr, const char *line)
{
	char *out = NULL, *err = NULL;

	if (verb_line(pr, line, false, &out, &err) != 0) {
		fprintf(stderr, "%s: %s", line, err);
		abort();
	}
	free(out);
	free(err);
}

static void
no_log(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx;
	(void)level;
	(void)now_ns;
	(void)who;
	(void)line;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	log_set_sink(no_log, NULL);
	return 0;
}

static void
replay_file(const char *path, unsigned how)
{
	struct replay_config c = { .file = path, .ifp = lan.ifp, .rate_pps = 1000, .count = 5000 };
	const char *why = NULL;
	struct replay *r;
	struct replay_stats st;

	c.set_dst_mac = how != 0;
	c.route = how == 2;
	if (how == 2)
		c.map[c.nmaps++] = (struct replay_map){ ipaddr4(0), ipaddr4(0x0000010a), 16 };
	memcpy(c.next_mac, lan.ifp->if_lladdr, 6);
	if ((r = replay_new(&c, &why)) == NULL) {
		if (why == NULL || strchr(why, '\n') != NULL)
			abort();
		return;
	}
	sched_run(clock_now() + 6 * NS_PER_SEC);
	replay_stats(r, &st);
	if (!st.done || st.read != st.sent + st.errors + st.skipped_filter + st.skipped_type)
		abort();
	replay_free(r);
}

/* A router of its own for each input: a stack keeps its tables until its end. */
static struct prison *
router_new(void)
{
	struct prison *pr = prison_create(&prison0, "router", true);

	if (pr == NULL)
		abort();
	curvnet = pr->vnet;
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	command(pr, "ifconfig mem0 inet 10.0.0.1/24 up");
	command(pr, "ifconfig mem1 inet 10.1.0.1/24 mtu 576 up");
	command(pr, "arp -s 10.1.0.2 02:00:00:00:09:09");
	command(pr, "route add default 10.1.0.2");
	command(pr, "sysctl net.inet.ip.forwarding=1");
	return pr;
}

static void
router_free(struct prison *pr)
{
	memif_close(&lan);
	memif_close(&wan);
	curvnet = vnet0;
	if (prison_remove(pr) != 0)
		abort();
	rcu_synchronize();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct audit_counts before;
	struct prison *pr;
	char path[64], text[256];

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	audit_take(&before);
	pr = router_new();
	for (unsigned how = 0; how < 3; how++)
		replay_file(path, how);
	router_free(pr);
	close(fd);
	if (audit_compare(&before, text, sizeof(text)) != 0) {
		fprintf(stderr, "left behind: %s\n", text);
		abort();
	}
	return 0;
}
