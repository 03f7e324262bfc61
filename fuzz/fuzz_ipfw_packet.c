/*
 * Packets under random rules: an input is a few rules, put together of words, then frames that meet
 * them on the way in, through and out of a router, at layer 2 and 3, and through a bridge.
 *
 * Outlets keep what they get, give it back at once or later, changed or not. Nothing may crash, hang or
 * be left behind, whatever the rules lead to.
 */
#include "fuzz_stack.h"

#include "inet/ip.h"
#include "inet6/ip6.h"
#include "ipfw/chain.h"
#include "ipfw/hook.h"

static const char *const actions[] = { "allow", "deny", "count", "reject", "reset", "reset6",
	"unreach6 port", "skipto 5", "skipto tablearg", "call 3", "return", "check-state", "pipe 1",
	"queue 2", "divert 3", "tee 3", "netgraph 4", "ngtee 4", "nat 1", "reass", "setfib 0",
	"setdscp 46", "tcp-setmss 600", "fwd 10.0.1.2", "fwd 10.0.0.1,7", "fwd 2001:db8:1::2",
	"fwd tablearg", "count log tag 5", "count untag 5", "prob 0.5 deny", "allow log",
	"unreach needfrag" };
static const char *const bodies[] = { "ip from any to any", "tcp from any to any",
	"udp from any to any", "icmp from any to any", "ip6 from any to any",
	"ip from table(1) to any", "ip from me to any", "ip from any to me",
	"ip from 10.0.0.0/24{1-9} to any 7", "{ tcp or udp } from any to not me" };
static const char *const options[] = { "", "in", "out", "layer2", "not layer2", "frag", "not frag",
	"keep-state", "limit src-addr 2", "keep-state :x", "setup", "established",
	"tcpoptions mss,!ts", "ipoptions rr", "tcpdatalen 1-9", "tcpmss 1-9000", "icmptypes 8",
	"icmp6types 128", "ext6hdr frag,hopopt", "verrevpath", "versrcreach", "antispoof",
	"tagged 1-9", "diverted", "uid 0", "jail 0", "mac-type ip", "recv mem0", "xmit mem1",
	"lookup dst-port 1", "lookup src-ip 1", "dscp 1-60", "iplen 1-100", "fib 0", "flow-id 1" };

/* What outlets have. */
static struct mbufq kept;
static uint8_t manner; /* of the outlets: bits below */
enum manner { AT_ONCE = 1, CHANGE = 2, LOSE = 4 };

static void
keep(struct mbuf *m)
{
	if ((manner & CHANGE) && (m = m_unshare(m)) != NULL && m->len > 0)
		m->data[(m->len / 2 + manner) % m->len] ^= manner;
	if (m == NULL)
		return;
	if (manner & LOSE)
		m_free(m);
	else if (manner & AT_ONCE)
		fw_reinject(m);
	else
		mbufq_push(&kept, m);
}

static void
keep_pipe(struct mbuf *m, struct fw_tag *tag, uint32_t number, bool queue)
{
	(void)tag, (void)number, (void)queue;
	keep(m);
}

static void
keep_divert(struct mbuf *m, struct fw_tag *tag, uint16_t port, bool tee)
{
	(void)tag, (void)port, (void)tee;
	keep(m);
}

static void
keep_netgraph(struct mbuf *m, struct fw_tag *tag, uint32_t cookie, bool tee)
{
	(void)tag, (void)cookie, (void)tee;
	keep(m);
}

static void
give_back(unsigned n)
{
	struct mbuf *m;

	while (n-- > 0 && (m = mbufq_pop(&kept)) != NULL)
		fw_reinject(m);
}

#define PICK(table, byte) table[(byte) % (sizeof(table) / sizeof(table[0]))]

static void
rule(const uint8_t *b)
{
	char line[256], *out = NULL, *err = NULL;

	/* rules by themselves may be refused: not all words go together */
	snprintf(line, sizeof(line), "ipfw -q add %u %s %s %s %s", b[0] % 8 + 1,
	    PICK(actions, b[1]), PICK(bodies, b[2]), PICK(options, b[3]), PICK(options, b[4]));
	verb_line(NULL, line, false, &out, &err);
	free(out);
	free(err);
}

enum how { MEND = 1, SECOND = 2, PASS_TIME = 4, BACK = 8, TO_GROUP = 16, BATCH = 32, BRIDGED = 64 };

/* The IP header says what is there. */
static void
mend(uint8_t *p, uint32_t len, const struct ifnet *ifp)
{
	struct ip_hdr *ip = (void *)(p + ETHER_HDR_LEN_);
	struct ip6_hdr *ip6 = (void *)ip;

	memcpy(p, ifp->if_lladdr, 6);
	p[6] = 2;
	if (len < ETHER_HDR_LEN_ + sizeof(*ip))
		return;
	if (ip->vhl >> 4 == 6 && len >= ETHER_HDR_LEN_ + IP6_HDRLEN) {
		store16(p + 12, __builtin_bswap16(ETHERTYPE_IPV6_));
		ip6->plen = to_be16((uint16_t)(len - ETHER_HDR_LEN_ - IP6_HDRLEN));
		memcpy(&ip6->dst, "\x20\x01\x0d\xb8\0\1", 6);
		return;
	}
	store16(p + 12, __builtin_bswap16(ETHERTYPE_IP_));
	ip->vhl = (uint8_t)(0x40 | (ip->vhl & 1 ? 5 : 6));
	if (ip_hlen(ip) > len - ETHER_HDR_LEN_)
		ip->vhl = 0x45;
	ip->len = to_be16((uint16_t)(len - ETHER_HDR_LEN_));
	memcpy(&ip->dst, "\x0a\0\1", 3);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
}

/* Behind the bridge's members. */
static const uint8_t stations[2][6] = { { 2, 0, 0, 0, 8, 1 }, { 2, 0, 0, 0, 8, 2 } };

static void
frames(struct ifnet *ifp, const uint8_t *bytes, uint32_t len, unsigned how)
{
	struct batch b = { .n = 0 };

	for (unsigned i = 0; i < (how & BATCH ? 5u : 1u); i++) {
		struct mbuf *m = m_from(bytes, len);

		if (len >= ETHER_HDR_LEN_ && (how & MEND))
			mend(m->data, len, ifp);
		if (len >= ETHER_HDR_LEN_ && (how & (MEND | BRIDGED)) == (MEND | BRIDGED))
			memcpy(m->data, how & SECOND ? stations[0] : stations[1], 6);
		if (len > 6 && (how & TO_GROUP))
			memcpy(m->data, "\xff\xff\xff\xff\xff\xff", 6);
		m->when_ns = clock_now();
		batch_add(&b, m);
	}
	if_receive(ifp, &b);
	while (netisr_run())
		continue;
	if (how & BACK)
		give_back(3);
	while (netisr_run())
		continue;
	if (how & PASS_TIME)
		sched_run(clock_now() + 2 * NS_PER_SEC);
}

/* mem0 and mem1, and the bridge's mem2 and mem3. */
enum { INTERFACES = 4 };

static void
router(struct ifnet *ifp[INTERFACES])
{
	for (int i = 0; i < INTERFACES; i++)
		ifp[i] = fuzz_interface(i, fuzz_swallow);
	fuzz_command("sysctl net.inet6.ip6.dad_count=0");
	fuzz_command("sysctl net.inet6.ip6.forwarding=1");
	fuzz_command("sysctl net.inet.ip.forwarding=1");
	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
	fuzz_command("ifconfig mem1 inet 10.0.1.1/24");
	fuzz_command("ifconfig mem0 inet6 2001:db8::1/64");
	fuzz_command("ifconfig mem1 inet6 2001:db8:1::1/64");
	fuzz_command("ifconfig bridge0 create addm mem2 addm mem3 up");
	fuzz_command("ifconfig bridge0 static mem2 02:00:00:00:08:01 inet 10.0.2.1/24");
	fuzz_command("ifconfig mem2 up");
	fuzz_command("ifconfig mem3 up");
	fuzz_command("ipfw -q table 1 add 0.0.0.0/1 5");
	fuzz_command("ipfw -q table 1 add 2001:db8::/32 10.0.1.2");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_stack stack;
	struct ifnet *ifp[INTERFACES];
	unsigned n = 0;

	fuzz_begin(&stack);
	router(ifp);
	mbufq_init(&kept);
	fw_outlets = (struct fw_outlets){
		.dummynet = keep_pipe, .divert = keep_divert, .netgraph = keep_netgraph
	};
	manner = len > 0 ? data[0] : 0;
	fuzz_command(manner & 8 ? "sysctl net.link.ether.ipfw=1" : "sysctl net.link.ether.ipfw=0");
	/* at layer 2 there too, else the packets in the frames */
	if (manner & 8)
		fuzz_command("sysctl net.link.bridge.ipfw=1");
	fuzz_command(
	    manner & 16 ? "sysctl net.inet.ip.fw.one_pass=0" : "sysctl net.inet.ip.fw.one_pass=1");
	fuzz_command(
	    manner & 32 ? "sysctl net.inet.ip.fw.verbose=1" : "sysctl net.inet.ip.fw.verbose=0");
	for (; len >= 6 && n < (manner >> 6) * 4u + 1; n++, data += 5, len -= 5)
		rule(data + 1);
	fuzz_command("ipfw -q add 65000 allow ip from any to any");
	for (n = 0; len >= 2 && n < 12; n++) {
		uint32_t take = data[1];

		if (take > len - 2)
			take = (uint32_t)len - 2;
		frames(ifp[((data[0] & BRIDGED) != 0) * 2 + ((data[0] & SECOND) != 0)], data + 2,
		    take, data[0]);
		data += 2 + take;
		len -= 2 + take;
	}
	give_back(100);
	mbufq_drain(&kept);
	while (netisr_run())
		continue;
	for (int i = 0; i < INTERFACES; i++)
		fuzz_end_interface(ifp[i]);
	fw_outlets = (struct fw_outlets){ 0 };
	fuzz_end(&stack);
	return 0;
}
