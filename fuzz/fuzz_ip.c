/*
 * Bytes as IPv4 packets into a stack that has addresses, two interfaces and forwards.
 *
 * An input is a series of packets, each behind two bytes: where it comes from and what is done to
 * it, then its length. Lengths and header checksums are mended on request, so that what lies behind
 * the first checks is reached; packets of one input meet in reassembly, in redirects and at a UDP
 * port. At the end the stack is gone and nothing of it is left.
 */
#include "fuzz_stack.h"

#include "inet/icmp.h"
#include "inet/udp.h"

enum how {
	FROM_SECOND = 1,
	MEND_SUM = 2,
	MEND_LEN = 4,
	MEND_ICMP = 8,
	PASS_TIME = 16,
	LINK_BCAST = 32,
	HOST = 64
};

static void
echo(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	udp_send(*(struct udp_endpoint **)ctx, m, &info->src, from_port);
}

static void
packet(struct ifnet *ifp, const uint8_t *bytes, uint32_t len, unsigned how)
{
	struct mbuf *m = m_from(bytes, len);
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);
	struct batch b = { .n = 1, .m = { m } };

	if (len >= sizeof(*ip)) {
		unsigned hlen;

		if (how & MEND_LEN) {
			ip->vhl = (uint8_t)(0x40 | (ip->vhl & 0xf));
			ip->len = to_be16((uint16_t)len);
		}
		hlen = ip_hlen(ip);
		if ((how & MEND_ICMP) && hlen + 8 <= len) {
			store16(m->data + hlen + 2, 0);
			store16(m->data + hlen + 2,
			    cksum_fold(cksum_add(0, m->data + hlen, len - hlen)));
		}
		if ((how & MEND_SUM) && hlen >= sizeof(*ip) && hlen <= len) {
			ip->sum = 0;
			ip->sum = ip_cksum(ip);
		}
	}
	m->rcvif = ifp;
	m->when_ns = clock_now();
	if (how & LINK_BCAST)
		m->flags |= M_BCAST;
	ip_input(&b);
	while (netisr_run())
		continue;
	/* Two minutes at most in one input: what times out must have its turn. */
	if (how & PASS_TIME)
		sched_run(clock_now() + 11 * NS_PER_SEC);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct ipaddr any = { .family = AF_INET };
	struct udp_endpoint *ep;
	struct fuzz_stack stack;
	struct ifnet *ifp[2];
	unsigned n = 0;

	fuzz_begin(&stack);
	for (int i = 0; i < 2; i++)
		ifp[i] = fuzz_interface(i, fuzz_swallow);
	fuzz_command("ifconfig lo0 inet 127.0.0.1/8");
	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
	fuzz_command("ifconfig mem1 inet 10.0.1.1/24");
	fuzz_command("route add default 10.0.1.2");
	fuzz_command("sysctl net.inet.ip.sourceroute=1");
	fuzz_command("sysctl net.inet.ip.accept_sourceroute=1");
	fuzz_command("sysctl net.inet.icmp.maskrepl=1");
	fuzz_command("sysctl net.inet.icmp.bmcastecho=1");
	ep = udp_open(&any, 7, echo, &ep);
	if (ep == NULL)
		abort();

	/* A router unless the first packet says host: hosts listen to redirects. */
	fuzz_command(len > 0 && (data[0] & HOST) ? "sysctl net.inet.ip.forwarding=0" :
						   "sysctl net.inet.ip.forwarding=1");
	while (len >= 2 && n++ < 16) {
		uint32_t take = data[1];

		if (take > len - 2)
			take = (uint32_t)len - 2;
		packet(ifp[data[0] & FROM_SECOND], data + 2, take, data[0]);
		data += 2 + take;
		len -= 2 + take;
	}

	udp_close(ep);
	for (int i = 0; i < 2; i++)
		fuzz_end_interface(ifp[i]);
	fuzz_end(&stack);
	return 0;
}
