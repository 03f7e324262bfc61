/*
 * A capture file's bytes meet two rule files that look at everything (port/trial.c): with reasons and
 * comments, and as a difference. What the answer counts must add up, and nothing may be left behind.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rcu.h"
#include "kern/vnet.h"
#include "port/trial.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char older[] =
    "disable one_pass\n"
    "nat 1 config ip 192.0.2.1 same_ports\n"
    "table 1 add 10.0.0.0/8 5\n"
    "table 1 add 2001:db8::/32 6\n"
    "add 10 count ip from any to any MAC any 02:00:00:00:00:01 mac-type 0x0800 layer2\n"
    "add 20 count ip from any to any { ipoptions rr or tcpoptions mss,!sack or tcpmss 1-1400 }\n"
    "add 30 count ip from any to any { ipid 5 or iplen 1-60 or ipttl 1 or dscp ef or frag }\n"
    "add 40 count ip from any to any { tcpwin 5 or tcpdatalen 0 or tcpseq 1 or tcpack 2 }\n"
    "add 50 count ip6 from any to any { ext6hdr frag,route or flow-id 5 or icmp6types 128 }\n"
    "add 60 count ip from any to any { lookup dst-port 1 or lookup dscp 1 or not antispoof }\n"
    "add 70 reass ip4 from any to any in\n"
    "add 80 check-state\n"
    "add 90 nat 1 ip4 from any to any out xmit wan\n"
    "add 100 skipto tablearg ip from table(1) to any\n"
    "add 110 setdscp 10 ip from any to any\n"
    "add 120 tcp-setmss 500 tcp from any to any setup\n"
    "add 130 count tag 5 ip from any to any\n"
    "add 140 pipe 1 udp from any to any\n"
    "add 200 allow tcp from any to any setup limit src-addr 2\n"
    "add 210 allow ip from any to any keep-state\n";
static const char newer[] = "add 10 deny tcp from any to any\n"
			    "add 20 allow ip from any to any keep-state\n";

static char rules[64], newer_rules[64], written[64];

/* A file of memory that has a name. */
static int
file_of(const void *bytes, size_t len, char name[64])
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		abort();
	snprintf(name, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void
no_log(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	log_set_sink(no_log, NULL);
	file_of(older, strlen(older), rules);
	file_of(newer, strlen(newer), newer_rules);
	file_of("", 0, written);
	return 0;
}

static void
say(void *ctx, const char *line)
{
	unsigned *lines = ctx;

	if (line[0] == '\0' || strchr(line, '\n') != NULL)
		abort();
	++*lines;
}

static void
discard(void *ctx, const char *bytes, size_t len)
{
	(void)ctx, (void)bytes, (void)len;
}

static void
try_rules(const char *capture, bool diff)
{
	unsigned lines = 0;
	struct trial_config c = { .capture = capture,
		.rules = rules,
		.in = "lan",
		.out = "wan",
		.layer2 = true,
		.say = say,
		.ctx = &lines };
	struct emitter *e = emitter_new(diff ? EMIT_TEXT : EMIT_JSON, discard, NULL);
	enum trial_result result;

	c.newer = diff ? newer_rules : NULL;
	c.packets = c.words = !diff;
	c.write = diff ? NULL : written;
	emit_object(e, NULL);
	result = trial_run(&c, e);
	emitter_free(e);
	if (result == TRIAL_ENVIRONMENT || (result == TRIAL_WORDS) != (lines > 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char capture[64], text[256];
	struct audit_counts before;
	int fd = file_of(data, len, capture);

	audit_take(&before);
	try_rules(capture, false);
	try_rules(capture, true);
	rcu_synchronize();
	close(fd);
	if (audit_compare(&before, text, sizeof(text)) != 0) {
		fprintf(stderr, "left behind: %s\n", text);
		abort();
	}
	return 0;
}
