/*
 * Bytes as ARP packets: frames of 28 bytes and what is left over come in by an Ethernet interface
 * of a small stack, in which an entry waits, one is permanent and one is cached by a route.
 */
#include "fuzz_stack.h"

#include "inet/arp_internal.h"
#include "inet/ip.h"

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
	struct fuzz_stack stack;
	struct ifnet *ifp;

	fuzz_begin(&stack);
	ifp = fuzz_interface(0, fuzz_swallow);
	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
	fuzz_command("arp -s 10.0.0.5 02:00:00:00:00:55 pub");
	fuzz_command("route -q add 10.9.0.0/16 10.0.0.2");
	while (len > 0) {
		size_t n = len < sizeof(struct arp_packet) ? len : sizeof(struct arp_packet);
		struct mbuf *m = m_get((uint32_t)(ETHER_HDR_LEN_ + n));

		memcpy(m->data, ether_broadcast, 6);
		memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x08\x06", 8);
		memcpy(m->data + ETHER_HDR_LEN_, data, n);
		/* a good head half of the time, or nothing would come past the first test */
		if (n == sizeof(struct arp_packet) && (data[0] & 1))
			memcpy(m->data + ETHER_HDR_LEN_, "\0\1\x08\0\6\4\0", 7);
		fuzz_receive(ifp, m);
		send_to(0x0109000a + ((uint32_t)data[0] << 24)); /* 10.9.0.x */
		send_to(0x0000000a | (uint32_t)data[n - 1] << 24);
		data += n;
		len -= n;
	}
	fuzz_end_interface(ifp);
	fuzz_require_bare(&stack);
	fuzz_end(&stack);
	return 0;
}
