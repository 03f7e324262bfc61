/*
 * Bytes as frames into an epair's end in a jail with a stack and an address of its own. Whatever
 * they are, they end as drops, deliveries or answers; time goes on behind them, the jail ends,
 * nothing is left.
 *
 * Each frame is two bytes of length and flags (bit 15: to the end's own address; bit 14: some time
 * passes first), then its bytes.
 */
#include "base/log.h"
#include "base/rcu.h"
#include "base/sched.h"
#include "inet/in.h"
#include "kern/jail.h"
#include "net/epair.h"
#include "net/ethernet.h"
#include "net/if_clone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TO_US = 0x8000, LATER = 0x4000, LEN_MASK = 0x07ff };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Forged neighbours are what this is about: nobody need read of each. */
static void
say_nothing(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	(void)ctx, (void)level, (void)now_ns, (void)who, (void)line;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_set_sink(say_nothing, NULL);
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	return 0;
}

/* Send the frames by `from`; `to` is the end in the jail. */
static void
feed(struct ifnet *from, struct ifnet *to, const uint8_t *data, size_t len)
{
	while (len >= 2) {
		uint16_t head = (uint16_t)(data[0] << 8 | data[1]);
		uint32_t n = head & LEN_MASK;
		struct batch b = { .n = 1 };

		data += 2, len -= 2;
		n = n < len ? n : (uint32_t)len;
		if (head & LATER)
			sched_run(clock_now() + NS_PER_SEC);
		b.m[0] = m_from(data, n);
		require(b.m[0] != NULL, "no mbuf");
		if (head & TO_US && n >= 6)
			memcpy(b.m[0]->data, to->if_lladdr, 6);
		if_transmit_batch(from, &b);
		data += n, len -= n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t ours = __builtin_bswap32(0x0a000001);
	struct audit_counts before;
	struct ifnet *a, *b;
	struct prison *jail;
	char leaks[256];

	audit_take(&before);
	jail = prison_create(&prison0, "fuzz", true);
	require(
	    jail != NULL && epair_create(&a, &b) == 0 && if_vmove(b, jail->vnet) == 0, "no stack");
	require(if_up(a) == 0 && in_addr_add(b, ours, 24, 0, 0) == 0, "no address");
	feed(a, b, data, len);
	sched_run(clock_now() + 60 * NS_PER_SEC);
	require(if_clone_destroy(b) == 0 && prison_remove(jail) == 0, "the jail stays");
	rcu_synchronize();
	if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
		require(false, leaks);
	return 0;
}
