/*
 * bench_ipfw.c - ClassBench's rule sets as ipfw rules, in one stack, on one core.
 *
 *	match_SET_SIZE	ns a packet: which rule matches, asked for 64 packets at a time
 *	linear		ns a rule: the interpreter, which tries one after the other
 *	compile_SET_SIZE	ms
 *	change_SET_10k	us of the upper half to add a rule to 10,000 or delete one, as a whole
 *	forward_SET_SIZE	ns a packet: bench_forward's router with the rules in its way in; what
 *			comes out passes by the first rule. forward_none is without the firewall
 *
 *	bench_ipfw [SET [SIZE]]
 */
#include "bench_rules.h"

#include "base/clock.h"
#include "base/mbuf.h"
#include "inet/ip.h"
#include "ipfw/check.h"
#include "ipfw/classify.h"
#include "kern/kern.h"
#include "kern/verb.h"
#include "net/ethernet.h"

#include <stdarg.h>

enum { TURNS = 201, RING = 1024, FRAME_LEN = 60, FORWARD_SLICES = 600, FORWARD_PACKETS = 4096 };

static struct bench_set set;
static uint64_t sink;

static void
command(const char *line)
{
	char *out = NULL, *err = NULL;

	if (verb_line(NULL, line, false, &out, &err) != 0) {
		fprintf(stderr, "%s: %s", line, err != NULL ? err : "");
		exit(1);
	}
	free(out);
	free(err);
}

static void
say(const char *what, const char *name, const char *size, double value, const char *unit)
{
	char figure[64];

	snprintf(figure, sizeof(figure), "%s_%s_%s", what, name, size);
	bench_say(figure, value, unit);
}

/* --- rules ---------------------------------------------------------------- */

struct line {
	char text[512];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
put(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	l->len += (size_t)vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
}

static void
put_net(struct line *l, uint32_t addr, unsigned len)
{
	if (len == 0)
		put(l, "any");
	else
		put(l, "%u.%u.%u.%u/%u", addr >> 24, addr >> 16 & 0xff, addr >> 8 & 0xff,
		    addr & 0xff, len);
}

static void
put_ports(struct line *l, const uint16_t port[2])
{
	if (port[0] == port[1])
		put(l, " %u", port[0]);
	else if (port[0] != 0 || port[1] != 65535)
		put(l, " %u-%u", port[0], port[1]);
}

static void
put_flags(struct line *l, const struct bench_rule *b)
{
	static const char *const name[] = { "fin", "syn", "rst", "psh", "ack", "urg" };
	const char *before = " tcpflags ";

	for (unsigned i = 0; i < 6; i++) {
		if (!(b->flags_mask >> i & 1))
			continue;
		put(l, "%s%s%s", before, b->flags >> i & 1 ? "" : "!", name[i]);
		before = ",";
	}
}

/* "2 allow tcp from 10.0.0.0/8 to any 80 tcpflags !syn" */
static void
rule_line(struct line *l, const struct bench_rule *b, uint32_t i)
{
	l->len = 0;
	put(l, "ipfw -q add %u allow ", i + 2);
	if (b->proto_mask == 0)
		put(l, "ip");
	else
		put(l, "%u", b->proto);
	put(l, " from ");
	put_net(l, b->src, b->src_len);
	put_ports(l, b->sport);
	put(l, " to ");
	put_net(l, b->dst, b->dst_len);
	put_ports(l, b->dport);
	put_flags(l, b);
}

/* Rule 1 lets pass what goes out; rule 2 + i is number i of the set; the last lets pass the rest. */
static void
rules_load(void)
{
	struct line l;

	command("ipfw -q -f flush");
	fw_change_begin();
	command("ipfw -q add 1 allow ip from any to any out");
	for (uint32_t i = 0; i < set.n; i++) {
		rule_line(&l, &set.rule[i], i);
		command(l.text);
	}
	command("ipfw -q add 65000 allow ip from any to any");
	bench_require(fw_change_end() == 0);
}

static struct fw_packet
packet_of(const struct bench_header *h)
{
	static struct mbuf m;
	bool tcp = h->proto == 6, udp = h->proto == 17;

	return (struct fw_packet){ .m = &m,
		.in = true,
		.ip = 4,
		.proto = h->proto,
		.has_ports = tcp || udp,
		.has_tcp = tcp,
		.has_icmp = h->proto == 1,
		.tcp_flags = tcp ? h->flags : 0,
		.sport = tcp || udp ? h->sport : 0,
		.dport = tcp || udp ? h->dport : 0,
		.src = __builtin_bswap32(h->src),
		.dst = __builtin_bswap32(h->dst) };
}

/* --- matching alone ------------------------------------------------------- */

/* What the classifier says is the first match that all rules, tried in order, say. */
static void
match_check(const struct fw_classifier *c)
{
	struct fw_candidates k;
	bool decided;

	for (uint32_t i = 0; i < set.headers; i += 37) {
		struct fw_packet packet = packet_of(&set.header[i]);
		const struct fw_packet *p = &packet;
		uint32_t first = 0;

		while (first < set.n && !bench_rule_matches(&set.rule[first], &set.header[i]))
			first++;
		fw_classify(c, &p, 1, &k);
		bench_require(fw_candidate(&k, 0, &decided) == first + 1);
		bench_require(decided);
	}
}

static uint64_t
match_slice(void *ctx, uint32_t from, uint32_t n)
{
	static struct fw_candidates k[64];
	static struct fw_packet packet[64];
	const struct fw_packet *p[64];
	uint64_t ns = 0;

	for (uint32_t i = from; i < from + n; i += 64) {
		for (uint32_t j = 0; j < 64; j++) {
			packet[j] = packet_of(&set.header[i + j]);
			p[j] = &packet[j];
		}
		ns -= bench_now_ns();
		fw_classify(ctx, p, 64, k);
		for (uint32_t j = 0; j < 64; j++) {
			bool decided;

			sink += fw_candidate(&k[j], 0, &decided);
		}
		ns += bench_now_ns();
	}
	return ns;
}

static uint64_t rules_tried;

static uint64_t
linear_slice(void *ctx, uint32_t from, uint32_t n)
{
	uint64_t start = bench_now_ns();

	for (uint32_t i = from; i < from + n; i++) {
		struct fw_packet p = packet_of(&set.header[i]);
		struct fw_verdict v;

		fw_check(ctx, &p, 0, NULL, NULL, &v);
		rules_tried += v.slot + 1;
	}
	return bench_now_ns() - start;
}

static void
linear(void)
{
	double ns;

	command("sysctl net.inet.ip.fw.compile=0");
	rules_tried = 0;
	ns = bench_slices(SLICE_HEADERS, linear_slice, V_fw_map);
	bench_say("linear", ns * SLICE_HEADERS * SLICE_ROUNDS / (double)rules_tried, "ns/rule");
	command("sysctl net.inet.ip.fw.compile=1");
}

/* --- changes -------------------------------------------------------------- */

static double
compile_ms(void)
{
	struct fw_classifier_stats st;
	double ms[5];

	for (int i = 0; i < 5; i++) {
		command("sysctl net.inet.ip.fw.compile=0");
		command("sysctl net.inet.ip.fw.compile=1");
		fw_classifier_stats(V_fw_map->classifier, &st);
		ms[i] = (double)st.build_ns * 1e-6;
	}
	return bench_median(ms, 5);
}

static double
change_us(void)
{
	static double us[TURNS];
	const struct fw_selection added = { .lo = 60000, .hi = 60000 };

	for (int i = 0; i < TURNS; i++) {
		uint64_t start = bench_now_ns();

		if (i % 2 == 0)
			command("ipfw -q add 60000 deny tcp from 10.0.0.1 to any 80");
		else
			bench_require(fw_delete(&added) == 1);
		us[i] = (double)(bench_now_ns() - start) * 1e-3;
		rcu_poll();
	}
	return bench_median(us, TURNS);
}

/* --- forwarding ----------------------------------------------------------- */

static struct mbuf *ring[RING];
static uint32_t ring_head, ring_count;
static uint64_t frames_sent;
static bool ring_open;

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 1, 1 };

/* The driver's way out: the frame is what it was, and will be received again. */
static void
mem_transmit(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	if (!ring_open) {
		batch_free(b);
		return;
	}
	frames_sent += b->n;
	batch_foreach(b, m) {
		struct ip_hdr *ip = (struct ip_hdr *)(void *)(m->data + ETHER_HDR_LEN_);

		memcpy(m->data, router_mac, 6);
		ip->ttl = 64;
		ip->sum = (uint16_t)((ip->sum + 0xfffeu) %
		    0xffff); /* minus one, of the upper byte */
		m->flags = 0;
		m->len = FRAME_LEN;
		ring[(ring_head + ring_count++) % RING] = m;
	}
	b->n = 0;
}

static struct ifnet *
mem_interface(int unit, const uint8_t mac[6])
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", unit);

	bench_require(ifp != NULL);
	ifp->if_transmit = mem_transmit;
	bench_require(ether_attach(ifp, mac) == 0);
	ifp->if_flags |= IFF_RUNNING_;
	return ifp;
}

static struct ifnet *
router(void)
{
	struct ifnet *in = mem_interface(0, router_mac);

	mem_interface(1, (const uint8_t[6]){ 2, 0, 0, 0, 1, 2 });
	command("ifconfig mem0 inet 10.1.0.1/24");
	command("ifconfig mem1 inet 10.2.0.1/24");
	command("arp -s 10.2.0.2 02:00:00:00:02:02");
	command("route add default 10.2.0.2");
	command("sysctl net.inet.ip.forwarding=1");
	return in;
}

/* Is it an address that routers forward, and none of ours? */
static bool
is_ordinary(uint32_t addr)
{
	unsigned first = addr >> 24;

	return first != 0 && first != 10 && first != 127 && first < 224;
}

static struct mbuf *
frame(const struct bench_header *h)
{
	struct mbuf *m = m_get(FRAME_LEN);
	struct ip_hdr *ip;

	bench_require(m != NULL);
	memset(m->data, 0, m->len);
	memcpy(m->data, router_mac, 6);
	m->data[12] = 8;
	ip = (struct ip_hdr *)(void *)(m->data + ETHER_HDR_LEN_);
	ip->vhl = 0x45;
	ip->len = to_be16(46);
	ip->ttl = 64;
	ip->proto = h->proto;
	ip->src = __builtin_bswap32(h->src);
	ip->dst = __builtin_bswap32(h->dst);
	ip->sum = ip_cksum(ip);
	store16(ip + 1, __builtin_bswap16(h->sport));
	store16((uint8_t *)(ip + 1) + 2, __builtin_bswap16(h->dport));
	if (h->proto == 6) {
		m->data[ETHER_HDR_LEN_ + 32] = 5 << 4;
		m->data[ETHER_HDR_LEN_ + 33] = h->flags;
	}
	return m;
}

/* RING packets of the trace are in flight. */
static void
ring_fill(void)
{
	ring_head = ring_count = 0;
	for (uint32_t i = 0; ring_count < RING; i = (i + 7) % set.headers)
		if (is_ordinary(set.header[i].src) && is_ordinary(set.header[i].dst))
			ring[ring_count++] = frame(&set.header[i]);
	ring_open = true;
}

static void
ring_drain(void)
{
	ring_open = false;
	bench_require(ring_count == RING); /* all of them came through */
	for (uint32_t i = 0; i < RING; i++)
		m_free(ring[(ring_head + i) % RING]);
}

static double
forward_ns(struct ifnet *in)
{
	double least = 0;

	ring_fill();
	for (int slice = 0; slice < FORWARD_SLICES; slice++) {
		uint64_t start = bench_now_ns(), before = frames_sent;
		double ns;

		for (uint32_t done = 0; done < FORWARD_PACKETS; done += BATCH_MAX) {
			struct batch b = { .n = BATCH_MAX };

			for (uint32_t i = 0; i < BATCH_MAX; i++)
				b.m[i] = ring[(ring_head + i) % RING];
			ring_head += BATCH_MAX;
			ring_count -= BATCH_MAX;
			if_receive(in, &b);
		}
		ns = (double)(bench_now_ns() - start) / (double)(frames_sent - before);
		least = least == 0 || ns < least ? ns : least;
	}
	ring_drain();
	return least;
}

/* --- all ------------------------------------------------------------------ */

static void
measure(struct ifnet *in, const char *name, const char *size)
{
	bench_set_load(&set, name, size);
	rules_load();
	bench_require(V_fw_map->classifier != NULL);
	match_check(V_fw_map->classifier);
	say("match", name, size, bench_slices(set.headers, match_slice, V_fw_map->classifier),
	    "ns/packet");
	say("compile", name, size, compile_ms(), "ms");
	say("forward", name, size, forward_ns(in), "ns/packet");
	if (strcmp(size, "10k") == 0)
		say("change", name, size, change_us(), "us");
	else if (strcmp(size, "1k") == 0 && strcmp(name, "acl1") == 0)
		linear();
}

int
main(int argc, char **argv)
{
	struct ifnet *in;

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	VNET_SCOPE(vnet0);
	in = router();
	bench_set_load(&set, "acl1", "100");
	if (argc == 1)
		bench_say("forward_none", forward_ns(in), "ns/packet");
	for (unsigned s = 0; s < sizeof(bench_set_names) / sizeof(bench_set_names[0]); s++)
		for (unsigned z = 0; z < sizeof(bench_set_sizes) / sizeof(bench_set_sizes[0]); z++)
			if ((argc < 2 || strcmp(argv[1], bench_set_names[s]) == 0) &&
			    (argc < 3 || strcmp(argv[2], bench_set_sizes[z]) == 0))
				measure(in, bench_set_names[s], bench_set_sizes[z]);
	return sink == 0;
}
