/*
 * probe.c - see probe.h.
 *
 *	[PROTOCOL] SRC[:PORT] -> DST[:PORT] [word …]
 *
 *	words_cut	one list of words
 *	read_ends	protocol and addresses
 *	read_option	flags syn, icmp 8, length 100, in via lan …
 *	build		the bytes: link header, IP, fragment header, upper header
 *
 * Checksums are left zero: no rule looks at them.
 */
#include "ipfw/probe.h"

#include "inet/ip_names.h"
#include "inet6/ip6.h"
#include "ipfw/language.h"
#include "ipfw/packet.h"
#include "net/ethernet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 128, TEXT_MAX = 2048 };
enum { TCP_HDRLEN = 20, UDP_HDRLEN = 8, ICMP_HDRLEN = 8, FRAG_HDRLEN = 8, MSS_OPTION = 4 };

struct ask {
	char text[TEXT_MAX];
	char *word[WORDS_MAX + 1];
	unsigned at;
	char *why;
	size_t why_len;
	/* the ends */
	uint8_t af, proto;
	bool has_proto;
	struct in6 src, dst;
	uint16_t sport, dport;
	/* the headers; 0 = as usual */
	uint32_t length, ttl, tos, id, frag, flow_id, flags, icmp_type, icmp_code, echo_id;
	uint32_t seq, ack, win, mss, fib;
	bool has_flags, has_icmp, more, is_fragment;
	/* the place */
	bool out, layer2;
	const char *ifname, *recv;
	uint8_t mac[2][6];
};

__attribute__((format(printf, 2, 3))) static bool
fail(struct ask *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->why, a->why_len, fmt, ap);
	va_end(ap);
	return false;
}

/* --- words ------------------------------------------------------------------------------------ */

/* All words in one list, NULL behind the last. */
static bool
words_cut(struct ask *a, int argc, char *const argv[])
{
	unsigned n = 0;
	size_t len = 0;
	char *rest, *word;

	for (int i = 0; i < argc; i++) {
		size_t more = strlen(argv[i]);

		if (len + more + 2 > sizeof(a->text))
			return fail(a, "too many words");
		memcpy(a->text + len, argv[i], more);
		len += more;
		a->text[len++] = ' ';
	}
	a->text[len] = '\0';
	for (rest = a->text; (word = strsep(&rest, " \t\r\n")) != NULL;) {
		if (*word == '\0')
			continue;
		if (n == WORDS_MAX)
			return fail(a, "too many words");
		a->word[n++] = word;
	}
	return true;
}

static const char *
next(struct ask *a)
{
	return a->word[a->at] != NULL ? a->word[a->at++] : NULL;
}

static const char *
need(struct ask *a, const char *of)
{
	const char *word = next(a);

	if (word == NULL)
		fail(a, "missing argument for %s", of);
	return word;
}

static bool
need_number(struct ask *a, const char *of, uint64_t max, uint32_t *n)
{
	const char *word = need(a, of);
	uint64_t value;

	if (word == NULL)
		return false;
	if (!verb_number(word, 0, max, &value))
		return fail(
		    a, "%s %.60s: a number of 0 to %llu", of, word, (unsigned long long)max);
	*n = (uint32_t)value;
	return true;
}

/* --- the ends --------------------------------------------------------------------------------- */

static bool
read_port(struct ask *a, const char *word, uint16_t *port)
{
	uint64_t n;

	if (verb_number(word, 0, UINT16_MAX, &n)) {
		*port = (uint16_t)n;
		return true;
	}
	return fw_service_find(word, a->proto, port) ||
	    fail(a, "%.60s: no port of that name", word);
}

/* "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "[2001:db8::1]:80" */
static bool
read_end(struct ask *a, struct in6 *addr, uint16_t *port)
{
	const char *word = need(a, "the address"), *rest = NULL;
	char host[80];
	size_t len;
	uint8_t af;

	if (word == NULL)
		return false;
	len = strlen(word);
	if (word[0] == '[') {
		word++;
		len = strcspn(word, "]");
		rest = word[len] == ']' ? word + len + 1 : NULL;
		if (rest == NULL || (*rest != '\0' && *rest != ':'))
			return fail(a, "bad address \"[%.60s\"", word);
	} else if (strchr(word, ':') != NULL && strchr(word, ':') == strrchr(word, ':')) {
		len = strcspn(word, ":");
		rest = word + len;
	}
	if (len >= sizeof(host))
		return fail(a, "bad address \"%.60s\"", word);
	memcpy(host, word, len);
	host[len] = '\0';
	if (!fw_parse_host(host,
		a->af == AF_INET ? FW_ONLY4 :
		    a->af != 0   ? FW_ONLY6 :
				   FW_EITHER,
		addr, &af))
		return fail(a, "bad %saddress \"%.60s\"",
		    a->af == AF_INET      ? "IPv4 " :
			a->af == AF_INET6 ? "IPv6 " :
					    "",
		    host);
	a->af = af;
	return rest == NULL || *rest == '\0' || read_port(a, rest + 1, port);
}

/* A protocol before the first address; none: whatever there is no name for. */
static bool
read_protocol(struct ask *a)
{
	const char *word = a->word[a->at];

	if (word == NULL)
		return fail(a, "which packet? (tcp 10.0.0.1:1234 -> 192.0.2.1:80 in via lan)");
	if (strcmp(word, "ip") == 0 || strcmp(word, "ip4") == 0 || strcmp(word, "ip6") == 0) {
		a->af = word[2] == '4' ? AF_INET : word[2] == '6' ? AF_INET6 : 0;
		a->at++;
		return true;
	}
	if (strcmp(word, "icmp6") == 0) {
		a->proto = IPPROTO_ICMPV6_;
		a->has_proto = true;
		a->at++;
		return true;
	}
	a->has_proto = fw_protocol_find(word, &a->proto);
	a->at += a->has_proto;
	return true;
}

static bool
read_ends(struct ask *a)
{
	enum { NOTHING = 253 }; /* RFC 3692: for experiments */
	const char *arrow;

	if (!read_protocol(a) || !read_end(a, &a->src, &a->sport))
		return false;
	arrow = next(a);
	if (arrow == NULL || (strcmp(arrow, "->") != 0 && strcmp(arrow, "to") != 0))
		return fail(a, "\"->\" and an address are missing behind the first one");
	if (!read_end(a, &a->dst, &a->dport))
		return false;
	if (!a->has_proto)
		a->proto = a->sport != 0 || a->dport != 0 ? IPPROTO_TCP_ : NOTHING;
	if ((a->proto == IPPROTO_ICMP_ && a->af == AF_INET6) ||
	    (a->proto == IPPROTO_ICMPV6_ && a->af == AF_INET))
		return fail(a, "icmp is IPv4's, icmp6 is IPv6's");
	return true;
}

/* --- options ---------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	uint8_t flag;
} tcp_flags[] = { { "fin", 1 }, { "syn", 2 }, { "rst", 4 }, { "psh", 8 }, { "ack", 16 },
	{ "urg", 32 } };

/* "syn,ack"; "none" */
static bool
read_flags(struct ask *a)
{
	const char *word = need(a, "flags");

	if (word == NULL)
		return false;
	a->has_flags = true;
	while (*word != '\0' && strcmp(word, "none") != 0) {
		size_t len = strcspn(word, ","), i = 0;

		while (i < 6 &&
		    (strlen(tcp_flags[i].word) != len ||
			strncmp(tcp_flags[i].word, word, len) != 0))
			i++;
		if (i == 6)
			return fail(a, "flags %.60s: fin, syn, rst, psh, ack, urg", word);
		a->flags |= tcp_flags[i].flag;
		word += len + (word[len] == ',');
	}
	return true;
}

/* "type", "type.code", "type code N" */
static bool
read_icmp(struct ask *a)
{
	const char *word = need(a, "icmp"), *dot;
	char type[8];
	uint64_t n, code = 0;

	if (word == NULL)
		return false;
	dot = strchr(word, '.');
	if (snprintf(type, sizeof(type), "%.*s", (int)strcspn(word, "."), word) >=
		(int)sizeof(type) ||
	    !verb_number(type, 0, 255, &n) || (dot != NULL && !verb_number(dot + 1, 0, 255, &code)))
		return fail(a, "icmp %.60s: TYPE or TYPE.CODE, numbers of 0 to 255", word);
	a->has_icmp = true;
	a->icmp_type = (uint32_t)n;
	a->icmp_code = (uint32_t)code;
	return true;
}

static bool
read_mac(struct ask *a)
{
	for (int i = 0; i < 2; i++) {
		const char *word = need(a, "mac");
		unsigned six[6];
		int end = 0;

		if (word == NULL)
			return false;
		if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%n", &six[0], &six[1], &six[2], &six[3],
			&six[4], &six[5], &end) != 6 ||
		    word[end] != '\0')
			return fail(a, "mac %.60s: six bytes as 02:00:00:00:00:01", word);
		for (int b = 0; b < 6; b++)
			a->mac[i][b] = (uint8_t)six[b];
	}
	a->layer2 = true;
	return true;
}

/* "frag 1480", "frag 1480+" (more follow), "frag 0+" */
static bool
read_fragment(struct ask *a)
{
	enum { FRAG_MAX = 65528 };
	const char *word = need(a, "frag");
	char text[16];
	uint64_t off;
	size_t len;

	if (word == NULL)
		return false;
	len = strlen(word);
	a->more = len > 0 && word[len - 1] == '+';
	a->is_fragment = true;
	if (len - a->more >= sizeof(text))
		return fail(a, "frag %.60s: an offset in bytes, + if more follow", word);
	memcpy(text, word, len - a->more);
	text[len - a->more] = '\0';
	if (!verb_number(text, 0, FRAG_MAX, &off) || off % 8 != 0)
		return fail(a, "frag %.60s: an offset, a multiple of 8, + if more follow", word);
	a->frag = (uint32_t)off;
	return true;
}

static bool
read_interface(struct ask *a, const char *of, const char **name)
{
	*name = need(a, of);
	if (*name == NULL)
		return false;
	return if_byname(*name) != NULL || fail(a, "%s %.60s: no such interface", of, *name);
}

static const struct {
	const char *word;
	size_t place; /* of the uint32_t in struct ask */
	uint32_t max;
} numbers[] = {
	{ "length", offsetof(struct ask, length), UINT16_MAX },
	{ "iplen", offsetof(struct ask, length), UINT16_MAX },
	{ "ttl", offsetof(struct ask, ttl), UINT8_MAX },
	{ "tos", offsetof(struct ask, tos), UINT8_MAX },
	{ "id", offsetof(struct ask, id), UINT16_MAX },
	{ "flow-id", offsetof(struct ask, flow_id), 0xfffff },
	{ "code", offsetof(struct ask, icmp_code), UINT8_MAX },
	{ "echo-id", offsetof(struct ask, echo_id), UINT16_MAX },
	{ "seq", offsetof(struct ask, seq), UINT32_MAX },
	{ "ack", offsetof(struct ask, ack), UINT32_MAX },
	{ "win", offsetof(struct ask, win), UINT16_MAX },
	{ "mss", offsetof(struct ask, mss), UINT16_MAX },
	{ "fib", offsetof(struct ask, fib), 15 },
};

/* A word that sets TCP's flags by itself. */
static bool
is_flags_word(struct ask *a, const char *word)
{
	enum { SYN = 2, ACK = 16 };

	if (strcmp(word, "setup") == 0)
		a->flags = SYN;
	else if (strcmp(word, "established") == 0)
		a->flags = ACK;
	else
		return false;
	a->has_flags = true;
	return true;
}

static bool
read_option(struct ask *a, const char *word)
{
	uint32_t n;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(word, numbers[i].word) == 0)
			return need_number(a, word, numbers[i].max,
			    (uint32_t *)(void *)((char *)a + numbers[i].place));
	if (strcmp(word, "in") == 0 || strcmp(word, "out") == 0) {
		a->out = word[0] == 'o';
		return true;
	}
	if (strcmp(word, "via") == 0)
		return read_interface(a, word, &a->ifname);
	if (strcmp(word, "xmit") == 0) {
		a->out = true;
		return read_interface(a, word, &a->ifname);
	}
	if (strcmp(word, "recv") == 0)
		return read_interface(a, word, &a->recv);
	if (strcmp(word, "flags") == 0 || strcmp(word, "tcpflags") == 0)
		return read_flags(a);
	if (strcmp(word, "icmp") == 0 || strcmp(word, "type") == 0 ||
	    strcmp(word, "icmptypes") == 0 || strcmp(word, "icmp6types") == 0)
		return read_icmp(a);
	if (strcmp(word, "frag") == 0)
		return read_fragment(a);
	if (strcmp(word, "mac") == 0 || strcmp(word, "MAC") == 0)
		return read_mac(a);
	if (strcmp(word, "layer2") == 0) {
		a->layer2 = true;
		return true;
	}
	if (strcmp(word, "dscp") == 0) {
		if (!need_number(a, word, 63, &n))
			return false;
		a->tos = n << 2;
		return true;
	}
	return is_flags_word(a, word) || fail(a, "unknown word \"%.60s\"", word);
}

static bool
read_options(struct ask *a)
{
	const char *word;

	while ((word = next(a)) != NULL)
		if (!read_option(a, word))
			return false;
	/* "recv lan" of a packet that comes in is its interface */
	if (!a->out && a->ifname == NULL)
		a->ifname = a->recv;
	return true;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Bytes of the upper layer's header, which is there whatever length was said. */
static uint32_t
upper_len(const struct ask *a)
{
	if (a->frag != 0)
		return 0;
	switch (a->proto) {
	case IPPROTO_TCP_:
		return TCP_HDRLEN + (a->mss != 0 ? MSS_OPTION : 0);
	case IPPROTO_UDP_:
	case IPPROTO_UDPLITE_:
	case IPPROTO_SCTP_:
		return UDP_HDRLEN;
	case IPPROTO_ICMP_:
	case IPPROTO_ICMPV6_:
		return ICMP_HDRLEN;
	default:
		return 0;
	}
}

static void
put16(uint8_t *p, uint32_t v)
{
	store16(p, __builtin_bswap16((uint16_t)v));
}

static void
put32(uint8_t *p, uint32_t v)
{
	store32(p, __builtin_bswap32(v));
}

/* Without a word about them: the first of a connection. */
static void
build_tcp(const struct ask *a, uint8_t *h)
{
	enum { SYN = 2, WINDOW = 65535, OPT_MSS = 2 };

	put32(h + 4, a->seq);
	put32(h + 8, a->ack);
	h[12] = (uint8_t)((TCP_HDRLEN + (a->mss != 0 ? MSS_OPTION : 0)) / 4 << 4);
	h[13] = (uint8_t)(a->has_flags ? a->flags : SYN);
	put16(h + 14, a->win != 0 ? a->win : WINDOW);
	if (a->mss == 0)
		return;
	h[TCP_HDRLEN] = OPT_MSS;
	h[TCP_HDRLEN + 1] = MSS_OPTION;
	put16(h + TCP_HDRLEN + 2, a->mss);
}

static void
build_upper(const struct ask *a, uint8_t *h, uint32_t len)
{
	enum { ECHO = 8, ECHO6 = 128 };

	if (upper_len(a) == 0)
		return;
	if (a->proto == IPPROTO_ICMP_ || a->proto == IPPROTO_ICMPV6_) {
		/* an echo request, if nothing else was said */
		h[0] = (uint8_t)(a->has_icmp      ? a->icmp_type :
			a->proto == IPPROTO_ICMP_ ? ECHO :
						    ECHO6);
		h[1] = (uint8_t)a->icmp_code;
		put16(h + 4, a->echo_id);
		return;
	}
	put16(h, a->sport);
	put16(h + 2, a->dport);
	if (a->proto == IPPROTO_TCP_)
		build_tcp(a, h);
	else if (a->proto == IPPROTO_UDP_)
		put16(h + 4, len);
}

static uint32_t
ip_len(const struct ask *a)
{
	uint32_t headers = a->af == AF_INET ? sizeof(struct ip_hdr) :
					      IP6_HDRLEN + (a->is_fragment ? FRAG_HDRLEN : 0u);

	headers += upper_len(a);
	return a->length > headers ? a->length : headers;
}

static uint8_t *
build_ip4(const struct ask *a, uint8_t *h, uint32_t len)
{
	struct ip_hdr *ip = (void *)h;

	*ip = (struct ip_hdr){
		.vhl = 0x45,
		.tos = (uint8_t)a->tos,
		.len = to_be16((uint16_t)len),
		.id = to_be16((uint16_t)a->id),
		.off = to_be16((uint16_t)(a->frag / 8 | (a->more ? IP_MF_ : 0))),
		.ttl = (uint8_t)(a->ttl != 0 ? a->ttl : 64),
		.proto = a->proto,
		.src = load32(a->src.b),
		.dst = load32(a->dst.b),
	};
	return h + sizeof(*ip);
}

static uint8_t *
build_ip6(const struct ask *a, uint8_t *h, uint32_t len)
{
	struct ip6_hdr *ip6 = (void *)h;
	struct ip6_frag_hdr *fh = (void *)(h + IP6_HDRLEN);

	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28 | a->tos << 20 | a->flow_id),
		.plen = to_be16((uint16_t)(len - IP6_HDRLEN)),
		.nxt = a->is_fragment ? IPPROTO_FRAGMENT_ : a->proto,
		.hlim = (uint8_t)(a->ttl != 0 ? a->ttl : 64),
		.src = a->src,
		.dst = a->dst,
	};
	if (!a->is_fragment)
		return h + IP6_HDRLEN;
	*fh = (struct ip6_frag_hdr){
		.nxt = a->proto,
		.offlg = to_be16((uint16_t)(a->frag | (a->more ? IP6F_MORE : 0))),
		.id = to_be32(a->id),
	};
	return h + IP6_HDRLEN + FRAG_HDRLEN;
}

/* NULL without memory. */
static struct mbuf *
build(const struct ask *a)
{
	const uint32_t l2 = a->layer2 ? ETHER_HDR_LEN_ : 0, len = ip_len(a);
	struct mbuf *m = m_get(l2 + len);
	uint8_t *upper;

	if (m == NULL)
		return NULL;
	memset(m->data, 0, m->len);
	if (a->layer2) {
		memcpy(m->data, a->mac, 12);
		put16(m->data + 12, a->af == AF_INET ? ETHERTYPE_IP_ : ETHERTYPE_IPV6_);
	}
	upper = (a->af == AF_INET ? build_ip4 : build_ip6)(a, m->data + l2, len);
	build_upper(a, upper, (uint32_t)(m->data + m->len - upper));
	m->fib = (uint8_t)a->fib;
	return m;
}

static void
place(const struct ask *a, struct fw_probe *probe)
{
	probe->point = a->layer2 ? PFIL_LINK : a->af == AF_INET ? PFIL_INET : PFIL_INET6;
	probe->dir = a->out ? PFIL_OUT : PFIL_IN;
	probe->ifp = a->ifname != NULL ? if_byname(a->ifname) : NULL;
	probe->m->rcvif = a->out ? NULL : probe->ifp;
	if (a->out && a->recv != NULL) {
		probe->m->rcvif = if_byname(a->recv);
		probe->m->flags |= M_FORWARDED;
	}
}

bool
fw_probe_parse(int argc, char *const argv[], struct fw_probe *probe, char *why, size_t why_len)
{
	struct ask a = { .why = why, .why_len = why_len };

	*probe = (struct fw_probe){ .m = NULL };
	if (!words_cut(&a, argc, argv) || !read_ends(&a) || !read_options(&a))
		return false;
	probe->m = build(&a);
	if (probe->m == NULL)
		return fail(&a, "no memory");
	place(&a, probe);
	return true;
}

/* --- the packet again ------------------------------------------------------------------------- */

static void
put_end(struct fw_text *t, const struct fw_packet *p, bool src)
{
	char text[IN6_TEXT];

	if (p->ip == 4)
		fw_put(t, " %s", in_ntoa(src ? p->src : p->dst, text));
	else
		fw_put(
		    t, p->has_ports ? " [%s]" : " %s", in6_ntoa(src ? &p->src6 : &p->dst6, text));
	if (p->has_ports)
		fw_put(t, ":%u", src ? p->sport : p->dport);
}

static void
put_upper(struct fw_text *t, const struct fw_packet *p)
{
	const struct fw_insn flags = { .op = FW_OP_TCPFLAGS, .n = p->tcp_flags & 0x3f };

	if (p->has_tcp && flags.n != 0) {
		fw_put(t, " ");
		fw_print_option(t, &flags, 0);
	}
	if (p->has_icmp)
		fw_put(t, " type %u code %u", p->icmp_type, p->icmp_code);
	if (p->echo_id != 0)
		fw_put(t, " echo-id %u", p->echo_id);
	if (p->fragment)
		fw_put(t, " frag %u", p->frag_off);
}

void
fw_packet_text(const struct fw_packet *p, char *text, size_t len)
{
	struct fw_text t = { .text = text, .room = len };
	const char *name = ip_protocol_name(p->proto);

	text[0] = '\0';
	if (p->ip == 0)
		fw_put(&t, "frame");
	else if (name != NULL)
		fw_put(&t, "%s", name);
	else
		fw_put(&t, "proto %u", p->proto);
	if (p->ip != 0) {
		put_end(&t, p, true);
		fw_put(&t, " ->");
		put_end(&t, p, false);
		put_upper(&t, p);
	}
	fw_put(&t, p->in ? " in" : " out");
	if ((p->in ? p->recv : p->xmit) != NULL)
		fw_put(&t, " via %s", (p->in ? p->recv : p->xmit)->if_xname);
	if (!p->in && p->recv != NULL)
		fw_put(&t, " recv %s", p->recv->if_xname);
	if (p->layer2)
		fw_put(&t, " layer2");
}
