/*
 * bench_bridge.c - what one stack takes to pass a frame of 64 bytes (60 without its checksum) from one
 * member of a bridge to another, driver memory to driver memory, on one core: learned, looked up,
 * counted at both members and the bridge.
 *
 *	bridge_warm_…	1,000 frames in flight, which stay in the caches
 *	bridge_cold_…	60,000, which don't
 *	…_1_station	between one pair of stations, …_1000_stations: each frame of another
 *	bridge_flood	to all of three other members, for each copy
 *
 * The peer is bench_kernel_forward with a Linux bridge in the middle.
 */
#include "bench_ring.h"

#include "base/clock.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <string.h>

enum { FRAME_LEN = 60, MEMBERS = 4, SLICES = 3000, SLICE_PACKETS = 3008, STATIONS = 1000 };

static struct ring frames;

/* Frames go by as they are: what is sent is received again. Of clones the buffer's owner comes first. */
static void
mem_transmit(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	if (ring == NULL) {
		batch_free(b);
		return;
	}
	/* each batch is another millisecond's, as a bridge expects of frames in such numbers */
	curworker->now_ns += NS_PER_MS;
	ring->sent += b->n;
	batch_foreach(b, m) {
		if (m->owner != m) {
			m_free(m);
			continue;
		}
		m->flags = 0;
		m->when_ns = curworker->now_ns;
		ring_add(ring, m);
	}
	b->n = 0;
}

static void
command(const char *line)
{
	bench_require(verb_line(NULL, line, false, NULL, NULL) == 0);
}

static struct ifnet *
member(int unit)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 1, (uint8_t)unit };
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", unit);
	char line[64];

	bench_require(ifp != NULL);
	ifp->if_transmit = mem_transmit;
	bench_require(ether_attach(ifp, mac) == 0);
	snprintf(line, sizeof(line), "ifconfig mem%d up", unit);
	command(line);
	snprintf(line, sizeof(line), "ifconfig bridge0 addm mem%d", unit);
	command(line);
	return ifp;
}

/* From station i of side 1 to that of side 2. */
static struct mbuf *
frame(uint8_t from_side, uint8_t to_side, uint32_t i)
{
	struct mbuf *m = m_get(FRAME_LEN);

	bench_require(m != NULL);
	memset(m->data, 0, FRAME_LEN);
	m->data[0] = m->data[6] = 2;
	m->data[1] = to_side;
	m->data[7] = from_side;
	store32(m->data + 2, i);
	store32(m->data + 8, i);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_IP_));
	return m;
}

static void
learn(struct ifnet *ifp, uint8_t side, uint32_t n)
{
	ring = NULL;
	for (uint32_t i = 0; i < n; i++) {
		struct batch b = { .n = 1, .m = { frame(side, 9, i) } };

		if_receive(ifp, &b);
	}
}

/* Median ns per frame that was sent. */
static double
measure(struct ifnet *in, uint32_t in_flight, uint32_t stations, uint8_t to_side)
{
	static double ns[SLICES];

	frames.head = frames.count = 0;
	for (uint32_t i = 0; i < in_flight; i++)
		ring_add(&frames, frame(1, to_side, i % stations));
	for (int i = -SLICES / 3; i < SLICES; i++)
		ns[i < 0 ? 0 : i] = ring_slice(in, &frames, SLICE_PACKETS);
	ring_drain(&frames, in_flight);
	ring = NULL;
	return bench_median(ns, SLICES);
}

int
main(void)
{
	struct ifnet *in, *out;

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	curvnet = vnet0;
	command("sysctl net.inet6.ip6.auto_linklocal=0");
	command("ifconfig bridge0 create maxaddr 4000 up");
	in = member(0);
	out = member(1);
	learn(in, 1, STATIONS);
	learn(out, 2, STATIONS);
	bench_say("bridge_warm_1_station", measure(in, 1000, 1, 2), "ns/packet");
	bench_say("bridge_warm_1000_stations", measure(in, 1000, STATIONS, 2), "ns/packet");
	bench_say("bridge_cold_1_station", measure(in, 60000, 1, 2), "ns/packet");
	bench_say("bridge_cold_1000_stations", measure(in, 60000, STATIONS, 2), "ns/packet");
	for (int unit = 2; unit < MEMBERS; unit++)
		member(unit);
	bench_say("bridge_flood", measure(in, 1000, 1, 8), "ns/packet");
	kern_fini();
	return 0;
}
