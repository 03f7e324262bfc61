/*
 * route_words.c - the words behind `route add`, `get` and the others: destination, gateway,
 * modifiers.
 *
 * A destination without a length is a host or a network by the tool's old rules: by its class and
 * its zeros (IPv4), by an empty interface identifier (IPv6, global unicast).
 */
#include "route/rib.h"
#include "route/route_cmd.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

int
route_usage(struct route_words *w, const char *why)
{
	if (w->where[0] == '\0')
		return verb_usage(w->v, why);
	return verb_error(w->v, EXIT_USAGE_, "%s%s", w->where, why);
}

/* "255.255.255.0", "0xffffff00" or "ffff:ffff::". False if it is none of them. */
static bool
parse_mask(struct route_words *w, const char *word, struct route_late *late)
{
	struct rt_addr mask;
	bool prefix;
	uint64_t number;
	uint32_t wire;

	if (strncmp(word, "0x", 2) == 0) {
		if (!verb_number(word, 0, UINT32_MAX, &number))
			return false;
		wire = __builtin_bswap32((uint32_t)number);
		mask = rt_addr_make(AF_INET, &wire, 32);
	} else if (strpbrk(word, "/%") != NULL || strcmp(word, "default") == 0 ||
	    !rt_addr_parse(word, 0, &mask)) {
		return false;
	}
	late->plen = rt_mask_lead(mask.family, mask.addr, &prefix);
	late->has_gaps = !prefix;
	late->mask_family = mask.family;
	memcpy(w->mask, mask.addr, sizeof(w->mask));
	w->has_mask = true;
	return true;
}

/* "10", "10.1", "10.1.2": the parts of a network number. False for anything else. */
static bool
parse_short_net(const char *word, uint32_t *net)
{
	char text[16], *part, *rest = text;
	uint32_t value = 0;
	uint64_t n;
	int parts = 0;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return false;
	while ((part = strsep(&rest, ".")) != NULL) {
		if (parts == 4 || !verb_number(part, 0, 255, &n))
			return false;
		value = value << 8 | (uint32_t)n;
		parts++;
	}
	*net = value << 8 * (4 - parts);
	return parts < 4;
}

/* The length that a network number has by its class and its zeros, as the tool always guessed. */
static unsigned
guess_plen(uint32_t net)
{
	if (net == 0)
		return 0;
	if (net >> 31 == 0 && (net & 0x00ffffff) == 0)
		return 8;
	if (net >> 30 < 3 && (net & 0x0000ffff) == 0)
		return 16;
	return (net & 0xff) == 0 ? 24 : 32;
}

/* Bits behind the class's network part: none of them set makes it a network. */
static bool
has_host_part(uint32_t addr)
{
	uint32_t host = addr >> 31 == 0 ? 0x00ffffff : addr >> 30 == 2 ? 0x0000ffff : 0x000000ff;

	return (addr & host) != 0;
}

/* :: is the default, a global prefix's own address is its network (RFC 4291 2.5.4), else a host. */
static unsigned
guess_plen6(const struct in6 *a)
{
	if (in6_is_any(a))
		return 0;
	return (a->b[0] & 0xe0) == 0x20 && load64(a->b + 8) == 0 ? 64 : 128;
}

static unsigned
family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* The length of a that was given bare. */
static unsigned
bare_plen(const struct route_words *w, const struct rt_addr *a)
{
	uint32_t net = __builtin_bswap32(load32(a->addr));

	if (a->family == AF_INET6)
		return guess_plen6(rt_addr_in6(a));
	return w->force_net || !has_host_part(net) ? guess_plen(net) : 32;
}

/* The address of a host as typed, or by name. */
static bool
parse_host(const char *word, int family, struct rt_addr *a)
{
	if (strchr(word, '/') != NULL || strcmp(word, "default") == 0)
		return false;
	return rt_addr_parse(word, family, a) ||
	    (rt_resolve_name != NULL && rt_resolve_name(word, family, a));
}

/* Read w->dst into *a; false if it is nothing. w->is_host: it is neither a network nor a default. */
static bool
parse_dst_word(struct route_words *w, const char *slash, struct rt_addr *a)
{
	bool guess = slash == NULL && !w->force_host && !w->has_mask;
	uint64_t plen;
	uint32_t net;

	if (rt_addr_parse(w->dst, w->family, a)) {
		if (guess && a->plen != 0)
			*a = rt_addr_make(a->family, a->addr, bare_plen(w, a));
		w->is_host = slash == NULL && !w->force_net && a->plen == family_bits(a->family);
		return true;
	}
	if (w->family != AF_INET6 && !w->force_host && parse_short_net(w->dst_text, &net)) {
		plen = guess_plen(net);
		if (slash != NULL && !verb_number(slash + 1, 0, 32, &plen))
			return false;
		net = __builtin_bswap32(net);
		*a = rt_addr_make(AF_INET, &net, (unsigned)plen);
		return true;
	}
	w->is_host = true;
	return parse_host(w->dst, w->family, a);
}

/* The destination with what was said about its length. 0 or an exit status. */
static int
parse_dst(struct route_words *w, const struct route_late *late)
{
	const char *slash = strchr(w->dst, '/');
	size_t len = slash != NULL ? (size_t)(slash - w->dst) : strlen(w->dst);
	struct rt_addr a;
	unsigned plen;

	if (len >= sizeof(w->dst_text))
		return verb_error(w->v, EXIT_NOHOST_, "%sbad address: %s", w->where, w->dst);
	memcpy(w->dst_text, w->dst, len);
	w->dst_text[len] = '\0';
	if (!parse_dst_word(w, slash, &a))
		return verb_error(w->v, EXIT_NOHOST_, "%sbad address: %s", w->where, w->dst);
	plen = a.plen;
	if (w->has_mask) {
		plen = late->plen;
		w->is_host = false;
		if (late->mask_family != 0 && late->mask_family != a.family)
			return verb_error(
			    w->v, 1, "%s%s: the netmask is of another family", w->where, w->dst);
	}
	if (w->force_host) {
		plen = family_bits(a.family);
		w->is_host = true;
	}
	if (plen > family_bits(a.family))
		return verb_error(
		    w->v, 1, "%sprefixlen %u: too long for %s", w->where, plen, w->dst);
	if (w->has_mask && late->has_gaps && !w->force_host) {
		w->rq.mask = w->mask;
		plen = family_bits(a.family);
	}
	w->rq.dst = rt_addr_make(a.family, a.addr, plen);
	return 0;
}

/* An address of ours of any family, by looking for its host route. */
static struct ifaddr *
find_ifa(const struct route_words *w, const char *word)
{
	struct rt_addr a;
	struct rtentry *rt;

	if (!parse_host(word, 0, &a))
		return NULL;
	rt = rib_exact(w->rq.fib, &a);
	return rt != NULL && (rt->nh.flags & RTF_LOCAL_) ? rt->nh.ifa : NULL;
}

/* The gateway, or with -interface the interface's name or address. 0 or an exit status. */
static int
parse_gateway(struct route_words *w)
{
	struct ifaddr *ifa;

	if (w->gw == NULL)
		return 0;
	if (w->interface) {
		w->rq.ifp = if_byname(w->gw);
		if (w->rq.ifp == NULL && (ifa = find_ifa(w, w->gw)) != NULL) {
			w->rq.ifp = ifa->ifp;
			w->rq.ifa = ifa;
		}
		if (w->rq.ifp == NULL)
			return verb_error(w->v, 1, "%s%s: no such interface", w->where, w->gw);
		return 0;
	}
	if (!parse_host(w->gw, w->rq.dst.family, &w->rq.gateway))
		return verb_error(w->v, EXIT_NOHOST_, "%sbad address: %s", w->where, w->gw);
	return 0;
}

enum word_kind { WORD_FLAG, WORD_CLEAR, WORD_OTHER, WORD_NOT_HERE };

static const struct {
	const char *word;
	enum word_kind kind;
	uint32_t flag; /* FLAG sets, CLEAR clears it */
	bool argument;
} route_keywords[] = {
	{ "static", WORD_FLAG, RTF_STATIC_, false },
	{ "nostatic", WORD_CLEAR, RTF_STATIC_, false },
	{ "reject", WORD_FLAG, RTF_REJECT_, false },
	{ "noreject", WORD_CLEAR, RTF_REJECT_, false },
	{ "blackhole", WORD_FLAG, RTF_BLACKHOLE_, false },
	{ "noblackhole", WORD_CLEAR, RTF_BLACKHOLE_, false },
	{ "proto1", WORD_FLAG, RTF_PROTO1_, false },
	{ "proto2", WORD_FLAG, RTF_PROTO2_, false },
	{ "proto3", WORD_FLAG, RTF_PROTO3_, false },
	{ "sticky", WORD_FLAG, RTF_STICKY_, false },
	{ "nosticky", WORD_CLEAR, RTF_STICKY_, false },
	{ "llinfo", WORD_FLAG, RTF_LLINFO_, false },
	{ "net", WORD_OTHER, 0, false },
	{ "host", WORD_OTHER, 0, false },
	{ "inet", WORD_OTHER, 0, false },
	{ "4", WORD_OTHER, 0, false },
	{ "inet6", WORD_OTHER, 0, false },
	{ "6", WORD_OTHER, 0, false },
	{ "iface", WORD_OTHER, 0, false },
	{ "interface", WORD_OTHER, 0, false },
	{ "link", WORD_OTHER, 0, false },
	{ "gateway", WORD_OTHER, 0, true },
	{ "netmask", WORD_OTHER, 0, true },
	{ "prefixlen", WORD_OTHER, 0, true },
	{ "ifa", WORD_OTHER, 0, true },
	{ "ifp", WORD_OTHER, 0, true },
	{ "mtu", WORD_OTHER, 0, true },
	{ "expire", WORD_OTHER, 0, true },
	{ "weight", WORD_OTHER, 0, true },
	{ "fib", WORD_OTHER, 0, true },
	{ "src", WORD_OTHER, 0, true },
	{ "proto", WORD_OTHER, 0, true },
	{ "sport", WORD_OTHER, 0, true },
	{ "dport", WORD_OTHER, 0, true },
	/* nothing here would heed them */
	{ "xresolve", WORD_NOT_HERE, 0, false },
	{ "cloning", WORD_NOT_HERE, 0, false },
	{ "genmask", WORD_NOT_HERE, 0, true },
	{ "hopcount", WORD_NOT_HERE, 0, true },
	{ "recvpipe", WORD_NOT_HERE, 0, true },
	{ "sendpipe", WORD_NOT_HERE, 0, true },
	{ "ssthresh", WORD_NOT_HERE, 0, true },
	{ "rtt", WORD_NOT_HERE, 0, true },
	{ "rttvar", WORD_NOT_HERE, 0, true },
	{ "lock", WORD_NOT_HERE, 0, false },
	{ "lockrest", WORD_NOT_HERE, 0, false },
};

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = { { "icmp", 1 }, { "tcp", 6 }, { "udp", 17 }, { "icmp6", 58 }, { "sctp", 132 } };

static bool
parse_proto(const char *word, uint8_t *proto)
{
	uint64_t n;

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(word, protocols[i].name) == 0)
			return *proto = protocols[i].number, true;
	if (!verb_number(word, 0, 255, &n))
		return false;
	*proto = (uint8_t)n;
	return true;
}

/* -src, -proto, -sport, -dport: the flow whose way `get` shows. 0 or an exit status. */
static int
keyword_flow(struct route_words *w, const char *word, const char *arg, struct route_late *late)
{
	uint64_t n = 0;

	if (w->command != NULL && strcmp(w->command, "get") != 0)
		return verb_error(w->v, EXIT_USAGE_, "%s-%s: only for get", w->where, word);
	if (strcmp(word, "src") == 0) {
		late->src = arg;
		return 0;
	}
	if (strcmp(word, "proto") == 0)
		return parse_proto(arg, &w->flow_proto) ?
		    0 :
		    verb_error(w->v, 1, "%sproto %s: no such protocol", w->where, arg);
	if (!verb_number(arg, 0, UINT16_MAX, &n))
		return verb_error(w->v, 1, "%s%s %s: bad value: 0 to 65535", w->where, word, arg);
	*(word[0] == 's' ? &w->flow_sport : &w->flow_dport) = (uint16_t)n;
	return 0;
}

static bool
is_flow_word(const char *word)
{
	return strcmp(word, "src") == 0 || strcmp(word, "proto") == 0 ||
	    strcmp(word, "sport") == 0 || strcmp(word, "dport") == 0;
}

static int
keyword_other(struct route_words *w, const char *word, const char *arg, struct route_late *late)
{
	uint64_t n = 0;

	if (is_flow_word(word))
		return keyword_flow(w, word, arg, late);
	if (strcmp(word, "net") == 0)
		w->force_net = true;
	else if (strcmp(word, "host") == 0)
		w->force_host = true;
	else if (strcmp(word, "inet") == 0 || strcmp(word, "4") == 0)
		w->family = AF_INET;
	else if (strcmp(word, "inet6") == 0 || strcmp(word, "6") == 0)
		w->family = AF_INET6;
	else if (strcmp(word, "iface") == 0 || strcmp(word, "interface") == 0 ||
	    strcmp(word, "link") == 0)
		w->interface = true;
	else if (strcmp(word, "gateway") == 0)
		w->gw = arg;
	else if (strcmp(word, "ifa") == 0)
		late->ifa = arg;
	else if (strcmp(word, "ifp") == 0)
		late->ifp = arg;
	else if (strcmp(word, "netmask") == 0) {
		if (!parse_mask(w, arg, late))
			return verb_error(w->v, 1, "%snetmask %s: not a mask", w->where, arg);
	} else if (strcmp(word, "prefixlen") == 0) {
		if (!verb_number(arg, 0, 128, &n))
			return verb_error(w->v, 1, "%sprefixlen %s: bad value", w->where, arg);
		late->plen = (unsigned)n;
		late->mask_family = 0;
		late->has_gaps = false;
		w->has_mask = true;
	} else if (strcmp(word, "mtu") == 0) {
		if (!verb_number(arg, 72, 65535, &n))
			return verb_error(
			    w->v, 1, "%smtu %s: bad value: 72 to 65535", w->where, arg);
		w->rq.mtu = (uint32_t)n;
	} else if (strcmp(word, "expire") == 0) {
		if (!verb_number(arg, 1, UINT32_MAX, &n))
			return verb_error(
			    w->v, 1, "%sexpire %s: bad value: seconds from now", w->where, arg);
		w->rq.expire_ns = clock_now() + n * NS_PER_SEC;
	} else if (strcmp(word, "weight") == 0) {
		if (!verb_number(arg, 1, 0xffffff, &n))
			return verb_error(w->v, 1, "%sweight %s: bad value", w->where, arg);
		w->rq.weight = (uint32_t)n;
	} else {
		if (!verb_number(arg, 0, rt_numfibs - 1, &n))
			return verb_error(w->v, 1, "%sfib %s: bad value: FIBs are 0 to %u",
			    w->where, arg, rt_numfibs - 1);
		w->rq.fib = (uint8_t)n;
	}
	return 0;
}

int
route_keyword(struct route_words *w, int argc, char **argv, int *at, struct route_late *late)
{
	const size_t n = sizeof(route_keywords) / sizeof(route_keywords[0]);
	const char *word = argv[*at] + 1, *arg = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(word, route_keywords[i].word) == 0)
			break;
	if (i == n) {
		char why[80];

		snprintf(why, sizeof(why), "bad keyword: %.60s", word);
		return route_usage(w, why);
	}
	if (route_keywords[i].argument) {
		if (*at + 1 >= argc)
			return verb_error(
			    w->v, EXIT_USAGE_, "%s-%s requires argument", w->where, word);
		arg = argv[++*at];
	}
	switch (route_keywords[i].kind) {
	case WORD_FLAG:
		w->rq.flags |= route_keywords[i].flag;
		return 0;
	case WORD_CLEAR:
		w->rq.flags &= ~route_keywords[i].flag;
		return 0;
	case WORD_OTHER:
		return keyword_other(w, word, arg, late);
	default:
		return verb_error(w->v, 1, "%s-%s: not supported here", w->where, word);
	}
}

int
route_words_parse(struct route_words *w, int argc, char **argv)
{
	struct route_late late = { 0 };
	int status;

	for (int at = 0; at < argc; at++) {
		if (argv[at][0] == '-') {
			if ((status = route_keyword(w, argc, argv, &at, &late)) != 0)
				return status;
		} else if (w->dst == NULL) {
			w->dst = argv[at];
		} else if (w->gw == NULL) {
			w->gw = argv[at];
		} else if (w->has_mask || !parse_mask(w, argv[at], &late)) {
			return verb_error(
			    w->v, EXIT_USAGE_, "%s%s: one word too many", w->where, argv[at]);
		}
	}
	if (w->dst == NULL)
		return route_usage(w, "no destination");
	if ((status = parse_dst(w, &late)) != 0 || (status = parse_gateway(w)) != 0)
		return status;
	if (late.ifp != NULL && (w->rq.ifp = if_byname(late.ifp)) == NULL)
		return verb_error(w->v, 1, "%s%s: no such interface", w->where, late.ifp);
	if (late.src != NULL && !parse_host(late.src, w->rq.dst.family, &w->flow_src))
		return verb_error(w->v, EXIT_NOHOST_, "%sbad address: %s", w->where, late.src);
	if (late.ifa != NULL && (w->rq.ifa = find_ifa(w, late.ifa)) == NULL)
		return verb_error(
		    w->v, 1, "%s%s: not an address of this stack", w->where, late.ifa);
	return 0;
}

void
route_keyword_complete(void (*add)(void *ctx, const char *word), void *ctx)
{
	char word[24];

	for (size_t i = 0; i < sizeof(route_keywords) / sizeof(route_keywords[0]); i++) {
		if (route_keywords[i].kind == WORD_NOT_HERE)
			continue;
		snprintf(word, sizeof(word), "-%s", route_keywords[i].word);
		add(ctx, word);
	}
}
