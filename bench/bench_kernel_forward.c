/*
 * bench_kernel_forward.c - the peer of bench_forward: the Linux kernel forwarding between two veth
 * pairs.
 *
 * Runs inside the sender's network namespace, which bench/run.py has prepared. Sends frames of 60
 * bytes into a veth by AF_PACKET in large sendmmsg calls; the kernel forwards each on this very CPU
 * before the call returns. The cost of sending alone is measured with frames for another station,
 * which the router's kernel drops first thing, and subtracted.
 *
 *	bench_kernel_forward IFNAME ROUTER_MAC [bridge]
 *
 * With `bridge` the frames are for a station behind a bridge, the peer of bench_bridge; those that it
 * drops first thing are from nobody.
 */
#include "bench.h"

#include "base/bytes.h"
#include "inet/ip.h"
#include "net/ethernet.h"

#include <linux/if.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_LEN = 60, BURST = 256, ROUNDS = 1, PAIRS = 1501 };

static uint16_t
header_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += load16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static const uint8_t sender[6] = { 2, 0, 0, 0, 9, 9 };

/* ns per frame sent to mac. */
static double
send_all(int fd, const uint8_t mac[6], const uint8_t from[6])
{
	static uint8_t frames[BURST][FRAME_LEN];
	struct iovec iov[BURST];
	struct mmsghdr msg[BURST];
	uint64_t start, sent = 0;

	memset(msg, 0, sizeof(msg));
	for (uint32_t i = 0; i < BURST; i++) {
		uint8_t *p = frames[i];

		memset(p, 0, FRAME_LEN);
		memcpy(p, mac, 6);
		memcpy(p + 6, from, 6);
		p[12] = 0x08;
		p[14] = 0x45;
		p[17] = 46;
		p[22] = 64;
		p[23] = 17;
		store32(p + 26, __builtin_bswap32(0x0a010002));
		store32(p + 30, __builtin_bswap32(0x0a030001 + i));
		store16(p + 24, header_sum(p + 14));
		iov[i] = (struct iovec){ p, FRAME_LEN };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	start = bench_now_ns();
	for (int r = 0; r < ROUNDS; r++) {
		int n = sendmmsg(fd, msg, BURST, 0);

		if (n > 0)
			sent += (uint64_t)n;
	}
	return (double)(bench_now_ns() - start) / (double)sent;
}

int
main(int argc, char **argv)
{
	static const uint8_t nobody[6] = { 2, 0xff, 0xff, 0xff, 0xff, 0xff }, nobody_at_all[6];
	struct sockaddr_ll ll = { .sll_family = AF_PACKET };
	struct ifreq ifr = { 0 };
	unsigned mac[6];
	uint8_t router[6];
	cpu_set_t cpus;
	double with[PAIRS], without[PAIRS];
	int one = 1, fd;

	const bool bridge = argc == 4 && strcmp(argv[3], "bridge") == 0;

	bench_require(argc == 3 || bridge);
	bench_require(sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3],
			  &mac[4], &mac[5]) == 6);
	for (int i = 0; i < 6; i++)
		router[i] = (uint8_t)mac[i];
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	bench_require(fd >= 0);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[1]);
	bench_require(ioctl(fd, SIOCGIFINDEX, &ifr) == 0);
	ll.sll_ifindex = ifr.ifr_ifindex;
	bench_require(bind(fd, (struct sockaddr *)&ll, sizeof(ll)) == 0);
	bench_require(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) == 0);
	/* in turn, so that a change of the machine's speed meets both */
	for (int i = 0; i < PAIRS; i++) {
		send_all(fd, router, sender);
		with[i] = send_all(fd, router, sender);
		without[i] = bridge ? send_all(fd, router, nobody_at_all) :
				      send_all(fd, nobody, sender);
		with[i] -= without[i];
	}
	if (!bridge)
		bench_say("kernel_send", bench_median(without, PAIRS), "ns/packet");
	bench_say(
	    bridge ? "kernel_bridge" : "kernel_forward", bench_median(with, PAIRS), "ns/packet");
	close(fd);
	return 0;
}
