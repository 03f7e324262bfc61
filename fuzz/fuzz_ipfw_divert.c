/*
 * Bytes as what programs behind the firewall's doors write: a series of datagrams, from the program
 * at a divert port, the one at a hook, and the judge of what is held, in a router whose rules send
 * packets to all three. Whatever comes, nothing may crash, hang or be left behind, and no more is
 * held than the limit.
 *
 * The first byte chooses the rules. Each datagram has a byte that says who writes it and what is
 * mended (enum how), then one with its length / 2.
 */
#include "fuzz_stack.h"

#include "inet/ip.h"
#include "inet6/ip6.h"
#include "ipfw/auth.h"
#include "ipfw/datagram.h"

enum how {
	WRITER = 3,      /* who: divert, hook, judge, a frame that comes in instead */
	MEND_HEADER = 4, /* the header is one, of an interface that is there … */
	MEND_PACKET = 8, /* … the packet too, with a destination that is */
	TO_OTHER = 16,   /* mem1 instead of mem0 */
	PASS_TIME = 32,
	ANSWER_LAST = 64, /* a judge's answer is for the last question */
};
enum { HELD_MAX = 4 };

struct writer {
	struct fw_listener l; /* first */
	uint8_t n;            /* packets that it was given */
};
static struct writer writers[3];
static uint64_t last_question;

/* Some it gives back at once, some it has no room for, the others it loses. */
static bool
writer_input(struct fw_listener *l, struct mbuf *m, struct fw_tag *tag)
{
	struct writer *w = (struct writer *)(void *)l;
	struct warren_datagram h;

	fw_datagram_header(&h, m, tag, l->number);
	if (tag->question != 0)
		last_question = tag->question;
	if (++w->n % 4 == 0)
		return false;
	if (w->n % 4 == 1 && tag->question == 0)
		fw_reinject(m);
	else
		m_free(m);
	return true;
}

static void
writers_begin(void)
{
	static const uint8_t kinds[] = { FW_ACT_DIVERT, FW_ACT_NETGRAPH, FW_ACT_AUTH };

	for (int i = 0; i < 3; i++) {
		writers[i] = (struct writer){ .l = {
						  .kind = kinds[i],
						  .number = kinds[i] == FW_ACT_AUTH ? 0 : 5,
						  .input = writer_input,
					      } };
		if (fw_listen(&writers[i].l) != 0)
			abort();
	}
	last_question = 0;
}

static void
mend_packet(uint8_t *p, size_t len, bool other)
{
	struct ip_hdr *ip = (void *)p;
	struct ip6_hdr *ip6 = (void *)p;

	if (len >= IP6_HDRLEN && p[0] & 1) {
		p[0] = 0x60;
		ip6->plen = to_be16((uint16_t)(len - IP6_HDRLEN));
		memcpy(&ip6->dst, "\x20\x01\x0d\xb8\0\1", 6);
	} else if (len >= sizeof(*ip)) {
		ip->vhl = 0x45;
		ip->len = to_be16((uint16_t)len);
		memcpy(&ip->dst, other ? "\x0a\0\1\2" : "\x0a\0\0\2", 4);
	}
}

static void
mend_header(struct warren_datagram *h, const struct fw_listener *l, size_t packet, unsigned how)
{
	h->version = WARREN_DATAGRAM_VERSION;
	h->kind = l->kind == FW_ACT_AUTH ? WARREN_QUESTION : WARREN_PACKET + (h->kind & 1);
	h->direction = (h->direction & 1) + WARREN_IN;
	h->verdict = (h->verdict & 1) + WARREN_PASS;
	h->flags &= __builtin_bswap16(0x3f);
	h->fib = 0;
	h->length = __builtin_bswap32((uint32_t)packet);
	h->rule = __builtin_bswap16(__builtin_bswap16(h->rule) % 16);
	if (how & ANSWER_LAST)
		h->question = __builtin_bswap64(last_question);
	strcpy(h->recv, how & TO_OTHER ? "mem1" : "mem0");
	strcpy(h->xmit, how & TO_OTHER ? "mem0" : h->xmit[0] & 1 ? "" : "mem1");
}

static void
written(struct fw_listener *l, uint8_t *bytes, size_t len, unsigned how)
{
	struct warren_datagram *h = (void *)bytes;

	if (len > sizeof(*h) && (how & MEND_PACKET)) {
		const size_t l2 = how & MEND_HEADER &&
			(__builtin_bswap16(h->flags) & WARREN_FRAME) && len > sizeof(*h) + 14 ?
		    14 :
		    0;

		if (l2 != 0)
			memcpy(bytes + sizeof(*h) + 12, "\x08\0", 2);
		mend_packet(bytes + sizeof(*h) + l2, len - sizeof(*h) - l2, how & TO_OTHER);
	}
	if (len >= sizeof(*h) && (how & MEND_HEADER))
		mend_header(h, l, len - sizeof(*h), how);
	fw_datagram_input(l, bytes, len);
}

static void
comes_in(struct ifnet *ifp, uint8_t *bytes, size_t len, unsigned how)
{
	if (len > ETHER_HDR_LEN_) {
		memcpy(bytes, ifp->if_lladdr, 6);
		memcpy(bytes + 12, "\x08\0", 2);
		mend_packet(bytes + ETHER_HDR_LEN_, len - ETHER_HDR_LEN_, how & TO_OTHER);
		if (len >= ETHER_HDR_LEN_ + 20) {
			struct ip_hdr *ip = (void *)(bytes + ETHER_HDR_LEN_);

			ip->sum = 0;
			ip->sum = ip->vhl == 0x45 ? ip_cksum(ip) : 0;
			if (ip->vhl >> 4 == 6)
				memcpy(bytes + 12, "\x86\xdd", 2);
		}
	}
	fuzz_receive(ifp, m_from(bytes, (uint32_t)len));
}

static void
router(struct ifnet *ifp[2], uint8_t rules)
{
	static const char *const lines[] = { "ipfw -q add 2 divert 5 ip from any to any in",
		"ipfw -q add 3 tee 5 ip from any to any out",
		"ipfw -q add 4 netgraph 5 ip from any to any",
		"ipfw -q add 5 auth ip from any to any in",
		"ipfw -q add 6 auth ip from any to any out", "sysctl net.link.ether.ipfw=1",
		"sysctl net.inet.ip.fw.one_pass=0",
		"ipfw -q add 7 count ip from any to any diverted keep-state" };

	for (int i = 0; i < 2; i++)
		ifp[i] = fuzz_interface(i, fuzz_swallow);
	fuzz_command("sysctl net.inet6.ip6.dad_count=0");
	fuzz_command("sysctl net.inet6.ip6.forwarding=1");
	fuzz_command("sysctl net.inet.ip.forwarding=1");
	fuzz_command("sysctl net.inet.ip.fw.auth_max=4");
	fuzz_command("ifconfig mem0 inet 10.0.0.1/24");
	fuzz_command("ifconfig mem1 inet 10.0.1.1/24");
	fuzz_command("ifconfig mem0 inet6 2001:db8::1/64");
	fuzz_command("ifconfig mem1 inet6 2001:db8:1::1/64");
	fuzz_command("arp -s 10.0.0.2 2:0:0:0:9:9");
	fuzz_command("arp -s 10.0.1.2 2:0:0:0:9:9");
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (rules >> i & 1)
			fuzz_command(lines[i]);
	fuzz_command("ipfw -q add 65000 allow ip from any to any");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_stack stack;
	struct ifnet *ifp[2];

	if (len == 0)
		return 0;
	fuzz_begin(&stack);
	router(ifp, data[0]);
	writers_begin();
	for (data++, len--; len >= 2;) {
		_Alignas(8) uint8_t bytes[512];
		unsigned how = data[0];
		size_t take = (size_t)data[1] * 2;

		if (take > len - 2)
			take = len - 2;
		memcpy(bytes, data + 2, take);
		if ((how & WRITER) < 3)
			written(&writers[how & WRITER].l, bytes, take, how);
		else
			comes_in(ifp[(how & TO_OTHER) != 0], bytes, take, how);
		while (netisr_run())
			continue;
		if (how & PASS_TIME)
			sched_run(clock_now() + 3 * NS_PER_SEC);
		if (fw_auth_held() > HELD_MAX)
			abort();
		data += 2 + take;
		len -= 2 + take;
	}
	for (int i = 0; i < 3; i++)
		fw_listen_end(&writers[i].l);
	for (int i = 0; i < 2; i++)
		fuzz_end_interface(ifp[i]);
	fuzz_end(&stack);
	return 0;
}
