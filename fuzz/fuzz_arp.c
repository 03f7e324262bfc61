/*
 * Bytes as ARP packets: frames of 28 bytes and what is left over come in by an Ethernet interface
 * of a small stack, in which an entry waits, one is permanent and one is cached by a route.
 */
#include "base/log.h"
#include "inet/arp_internal.h"
#include "inet/ip.h"
#include "kern/netisr.h"
#include "net/ethernet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t mac[6] = { 2, 0, 0, 0, 1, 1 };

static void
transmit(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m)
		if (m->len < ETHER_HDR_LEN_)
			abort();
	batch_free(b);
}

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

static void
send_to(uint32_t dst)
{
	struct mbuf *m = m_get(8);

	if (m != NULL)
		(void)ip_output(m, 0, dst, 200, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct audit_counts before;
	struct ifnet *ifp;
	char text[256];

	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	log_set_sink(quiet, NULL);
	audit_take(&before);
	ifp = if_alloc(IFT_ETHER_, "mem", 0);
	ifp->if_transmit = transmit;
	if (ether_attach(ifp, mac) != 0)
		abort();
	ifp->if_flags |= IFF_RUNNING_;
	command("ifconfig mem0 inet 10.0.0.1/24");
	command("arp -s 10.0.0.5 02:00:00:00:00:55 pub");
	command("route -q add 10.9.0.0/16 10.0.0.2");
	while (len > 0) {
		size_t n = len < sizeof(struct arp_packet) ? len : sizeof(struct arp_packet);
		struct mbuf *m = m_get((uint32_t)(ETHER_HDR_LEN_ + n));
		struct batch b = { .n = 1, .m = { m } };

		memcpy(m->data, ether_broadcast, 6);
		memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x08\x06", 8);
		memcpy(m->data + ETHER_HDR_LEN_, data, n);
		/* a good head half of the time, or nothing would come past the first test */
		if (n == sizeof(struct arp_packet) && (data[0] & 1))
			memcpy(m->data + ETHER_HDR_LEN_, "\0\1\x08\0\6\4\0", 7);
		if_receive(ifp, &b);
		while (netisr_run())
			;
		send_to(0x0109000a + ((uint32_t)data[0] << 24)); /* 10.9.0.x */
		send_to(0x0000000a | (uint32_t)data[n - 1] << 24);
		data += n;
		len -= n;
	}
	ether_detach(ifp);
	if_free(ifp);
	rcu_synchronize();
	if (audit_compare(&before, text, sizeof(text)) != 0)
		abort();
	kern_fini();
	worker_detach();
	return 0;
}
