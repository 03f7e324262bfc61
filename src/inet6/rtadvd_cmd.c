/*
 * rtadvd_cmd.c - the tool rtadvd.
 *
 *	rtadvd start em0 maxinterval 30s prefix 2001:db8:1::/64 valid 2h rdnss 2001:db8::53
 *	rtadvd stop em0
 *	rtadvd show
 *
 * `start` reads the words into a struct rtadv_config; the options of the advertisement are built as
 * they go out. Words behind a prefix, a route, servers or domains belong to these. On an interface
 * that advertises already, `start` replaces all that was said.
 */
#include "inet6/rtadvd.h"

#include "kern/jail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_INTERVAL_S = 1800, /* RFC 4861 6.2.1, as the next two */
	MIN_INTERVAL_S = 3,
	MAX_LIFETIME_S = 9000,
	MAX_REACHABLE_MS = 3600000,
	OPTION_MAX = 1024, /* one option, with its message in 1,280 bytes */
};

/* What is being read. */
struct start {
	struct verb_run *v;
	const char *ifname;
	char **argv; /* the words left */
	int argc;
	struct rtadv_config c;
	bool has_min, has_lifetime;
	uint8_t options[RTADV_OPTIONS_MAX];
	size_t len;
};

/* Options that get their lifetime when all words are read carry this in a reserved field. */
enum { LIFETIME_DEFAULT = 1 };

/* --- words ------------------------------------------------------------------------------------ */

static int
bad(const struct start *st, const char *word, const char *value, const char *wanted)
{
	return verb_error(st->v, EXIT_USAGE_, "%s: %s %s: not %s", st->ifname, word, value, wanted);
}

/* The next word's argument, taken; NULL after a message. */
static const char *
argument(struct start *st, const char *word)
{
	if (st->argc == 0) {
		verb_error(st->v, EXIT_USAGE_, "%s: %s: a value is missing", st->ifname, word);
		return NULL;
	}
	st->argc--;
	return *st->argv++;
}

/* Is the next word this one? Then it is taken. */
static bool
word_is(struct start *st, const char *word)
{
	if (st->argc == 0 || strcmp(st->argv[0], word) != 0)
		return false;
	st->argc--;
	st->argv++;
	return true;
}

/* A duration in whole units of unit_ns, within bounds. */
static int
duration(struct start *st, const char *word, uint64_t unit_ns, uint64_t min, uint64_t max,
    uint64_t *value)
{
	const char *text = argument(st, word);
	char wanted[96];
	uint64_t ns;

	if (text == NULL)
		return EXIT_USAGE_;
	if (verb_duration(text, &ns) && ns % unit_ns == 0 && ns / unit_ns >= min &&
	    ns / unit_ns <= max) {
		*value = ns / unit_ns;
		return 0;
	}
	snprintf(wanted, sizeof(wanted), "a whole time from %" PRIu64 "%s to %" PRIu64 "%s", min,
	    unit_ns == NS_PER_SEC ? "s" : "ms", max, unit_ns == NS_PER_SEC ? "s" : "ms");
	return bad(st, word, text, wanted);
}

/* A lifetime of 32 bits, or "infinite", as it goes out. */
static int
lifetime(struct start *st, const char *word, uint8_t *wire)
{
	uint64_t s = (uint32_t)ND6_INFINITE_LIFETIME;
	be32 value;
	int status = 0;

	if (!word_is(st, "infinite"))
		status = duration(st, word, NS_PER_SEC, 0, (uint32_t)ND6_INFINITE_LIFETIME - 1, &s);
	value = to_be32((uint32_t)s);
	memcpy(wire, &value, sizeof(value));
	return status;
}

static int
number(struct start *st, const char *word, uint64_t min, uint64_t max, uint64_t *value)
{
	const char *text = argument(st, word);
	char wanted[64];

	if (text == NULL)
		return EXIT_USAGE_;
	if (verb_number(text, min, max, value))
		return 0;
	snprintf(wanted, sizeof(wanted), "a number from %" PRIu64 " to %" PRIu64, min, max);
	return bad(st, word, text, wanted);
}

static int
preference(struct start *st, enum nd6_pref *pref)
{
	const char *text = argument(st, "preference");

	if (text == NULL)
		return EXIT_USAGE_;
	for (*pref = ND6_PREF_LOW; *pref <= ND6_PREF_HIGH; (*pref)++)
		if (strcmp(text, nd6_pref_name(*pref)) == 0)
			return 0;
	return bad(st, "preference", text, "high, medium or low");
}

/* "2001:db8::/64" */
static int
prefix(struct start *st, const char *word, struct in6 *a, uint8_t *plen)
{
	const char *text = argument(st, word), *slash;
	char addr[INET6_ADDRSTRLEN];
	uint64_t n;

	if (text == NULL)
		return EXIT_USAGE_;
	slash = strchr(text, '/');
	if (slash == NULL || (size_t)(slash - text) >= sizeof(addr))
		return bad(st, word, text, "a prefix (as 2001:db8::/64)");
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (!in6_aton(addr, a) || !verb_number(slash + 1, 0, 128, &n) || in6_is_multicast(a) ||
	    in6_is_linklocal(a))
		return bad(st, word, text, "a prefix (as 2001:db8::/64)");
	*plen = (uint8_t)n;
	*a = in6_mask(a, *plen);
	return 0;
}

/* n bytes, zeroed, for an option; NULL after a message. */
static uint8_t *
option_new(struct start *st, const char *word, enum nd6_opt type, size_t n)
{
	uint8_t *o = st->options + st->len;

	if (n > OPTION_MAX || n > sizeof(st->options) - st->len) {
		verb_error(st->v, 1, "%s: %s: too much for advertisements", st->ifname, word);
		return NULL;
	}
	memset(o, 0, n);
	o[0] = (uint8_t)type;
	o[1] = (uint8_t)(n / 8);
	st->len += n;
	return o;
}

/* --- options ---------------------------------------------------------------------------------- */

static int
word_prefix(struct start *st)
{
	struct nd_opt_prefix opt = {
		.flags = ND_PREFIX_ONLINK | ND_PREFIX_AUTO,
		.vltime_s = to_be32(RTADV_VLTIME_S),
		.pltime_s = to_be32(RTADV_PLTIME_S),
	};
	bool has_pltime = false;
	uint8_t *o;
	int status = prefix(st, "prefix", &opt.prefix, &opt.plen);

	while (status == 0 && st->argc > 0) {
		if (word_is(st, "valid"))
			status = lifetime(st, "valid", opt.vltime_s.b);
		else if (word_is(st, "preferred"))
			status = lifetime(st, "preferred", opt.pltime_s.b), has_pltime = true;
		else if (word_is(st, "noonlink"))
			opt.flags &= (uint8_t)~ND_PREFIX_ONLINK;
		else if (word_is(st, "noauto"))
			opt.flags &= (uint8_t)~ND_PREFIX_AUTO;
		else
			break;
	}
	if (status != 0)
		return status;
	if (!has_pltime && from_be32(opt.pltime_s) > from_be32(opt.vltime_s))
		opt.pltime_s = opt.vltime_s;
	if (from_be32(opt.pltime_s) > from_be32(opt.vltime_s))
		return verb_error(
		    st->v, EXIT_USAGE_, "%s: prefix: preferred longer than valid", st->ifname);
	/* other than 64 bits: nobody can make addresses of it (RFC 4862 5.5.3 d) */
	if (opt.plen != 64)
		opt.flags &= (uint8_t)~ND_PREFIX_AUTO;
	if ((o = option_new(st, "prefix", ND_OPT_PREFIX, sizeof(opt))) == NULL)
		return 1;
	opt.type = o[0];
	opt.len = o[1];
	memcpy(o, &opt, sizeof(opt));
	return 0;
}

static int
word_route(struct start *st)
{
	struct nd_opt_route *opt;
	enum nd6_pref pref = ND6_PREF_MEDIUM;
	uint8_t plen, wire[4] = { 0 };
	bool has_lifetime = false;
	struct in6 dst;
	size_t bytes;
	int status = prefix(st, "route", &dst, &plen);

	while (status == 0 && st->argc > 0) {
		if (word_is(st, "lifetime"))
			status = lifetime(st, "lifetime", wire), has_lifetime = true;
		else if (word_is(st, "preference"))
			status = preference(st, &pref);
		else
			break;
	}
	if (status != 0)
		return status;
	bytes = plen == 0 ? 0 : plen <= 64 ? 8 : 16;
	opt = (void *)option_new(st, "route", ND_OPT_ROUTE, sizeof(*opt) + bytes);
	if (opt == NULL)
		return 1;
	opt->plen = plen;
	opt->flags = (uint8_t)(nd6_pref_bits(pref) | (has_lifetime ? 0 : LIFETIME_DEFAULT));
	memcpy(&opt->lifetime_s, wire, 4);
	memcpy(opt + 1, &dst, bytes);
	return 0;
}

/* The lifetime behind servers or domains (RFC 8106 5.1, 5.2: at the same place). */
static int
named_lifetime(struct start *st, uint8_t *o)
{
	o[3] = LIFETIME_DEFAULT;
	if (!word_is(st, "lifetime"))
		return 0;
	o[3] = 0;
	return lifetime(st, "lifetime", o + 4);
}

/* "2001:db8::1,2001:db8::2": one option. */
static int
word_rdnss(struct start *st)
{
	const char *text = argument(st, "rdnss"), *from;
	char addr[INET6_ADDRSTRLEN];
	uint8_t *o;
	unsigned n = 1;
	size_t len;

	if (text == NULL)
		return EXIT_USAGE_;
	for (from = text; *from != '\0'; from++)
		n += *from == ',';
	if ((o = option_new(st, "rdnss", ND_OPT_RDNSS, 8 + (size_t)n * 16)) == NULL)
		return 1;
	from = text;
	for (unsigned i = 0; i < n; i++, from += len + 1) {
		struct in6 a;

		len = strcspn(from, ",");
		if (len >= sizeof(addr))
			return bad(st, "rdnss", text, "addresses (as 2001:db8::1,2001:db8::2)");
		memcpy(addr, from, len);
		addr[len] = '\0';
		if (!in6_aton(addr, &a) || in6_is_multicast(&a) || in6_is_any(&a))
			return bad(st, "rdnss", text, "addresses (as 2001:db8::1,2001:db8::2)");
		in6_clear(&a);
		memcpy(o + 8 + 16 * i, &a, 16);
	}
	return named_lifetime(st, o);
}

/* "example.org" as labels (RFC 1035 3.1) into out; returns the bytes, 0 if it is none. */
static size_t
domain_encode(const char *name, size_t len, uint8_t *out, size_t room)
{
	size_t n = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	while (len > 0) {
		const char *dot = memchr(name, '.', len);
		size_t label = dot == NULL ? len : (size_t)(dot - name);

		if (label == 0 || label > 63 || n + label + 2 > room || n + label + 2 > 255)
			return 0;
		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += label;
		len -= dot == NULL ? label : label + 1;
		name += label + 1;
		if (dot != NULL && len == 0)
			return 0;
	}
	if (n == 0)
		return 0;
	out[n++] = 0;
	return n;
}

static int
word_dnssl(struct start *st)
{
	const char *text = argument(st, "dnssl"), *from;
	uint8_t names[OPTION_MAX - 8];
	size_t n = 0, len, one;
	uint8_t *o;

	if (text == NULL)
		return EXIT_USAGE_;
	for (from = text;; from += len + 1) {
		len = strcspn(from, ",");
		one = domain_encode(from, len, names + n, sizeof(names) - n);
		if (one == 0)
			return bad(st, "dnssl", text, "domains (as example.org,example.net)");
		n += one;
		if (from[len] == '\0')
			break;
	}
	if ((o = option_new(st, "dnssl", ND_OPT_DNSSL, (8 + n + 7) / 8 * 8)) == NULL)
		return 1;
	memcpy(o + 8, names, n);
	return named_lifetime(st, o);
}

/* --- start ------------------------------------------------------------------------------------ */

static int
word_maxinterval(struct start *st)
{
	uint64_t s = 0;
	int status = duration(st, "maxinterval", NS_PER_SEC, 4, MAX_INTERVAL_S, &s);

	st->c.max_ns = s * NS_PER_SEC;
	return status;
}

static int
word_mininterval(struct start *st)
{
	uint64_t s = 0;
	int status = duration(
	    st, "mininterval", NS_PER_SEC, MIN_INTERVAL_S, MAX_INTERVAL_S / 4 * 3, &s);

	st->c.min_ns = s * NS_PER_SEC;
	st->has_min = true;
	return status;
}

static int
word_lifetime(struct start *st)
{
	uint64_t s = 0;
	int status = duration(st, "lifetime", NS_PER_SEC, 0, MAX_LIFETIME_S, &s);

	st->c.lifetime_s = (uint16_t)s;
	st->has_lifetime = true;
	return status;
}

static int
word_hoplimit(struct start *st)
{
	uint64_t n = 0;
	int status = number(st, "hoplimit", 0, 255, &n);

	st->c.hlim = (uint8_t)n;
	return status;
}

static int
word_reachable(struct start *st)
{
	uint64_t ms = 0;
	int status = duration(st, "reachable", NS_PER_MS, 0, MAX_REACHABLE_MS, &ms);

	st->c.reachable_ms = (uint32_t)ms;
	return status;
}

static int
word_retrans(struct start *st)
{
	uint64_t ms = 0;
	int status = duration(st, "retrans", NS_PER_MS, 0, MAX_REACHABLE_MS, &ms);

	st->c.retrans_ms = (uint32_t)ms;
	return status;
}

static int
word_mtu(struct start *st)
{
	uint64_t n = 0;
	int status = number(st, "mtu", IPV6_MMTU_, 65535, &n);

	st->c.mtu = (uint32_t)n;
	return status;
}

static int
word_managed(struct start *st)
{
	st->c.managed = true;
	return 0;
}

static int
word_other(struct start *st)
{
	st->c.other = true;
	return 0;
}

static int
word_preference(struct start *st)
{
	return preference(st, &st->c.pref);
}

static int
word_noprefix(struct start *st)
{
	st->c.own_prefixes = false;
	return 0;
}

static const struct {
	const char *word;
	int (*take)(struct start *st);
} start_words[] = {
	{ "maxinterval", word_maxinterval },
	{ "mininterval", word_mininterval },
	{ "lifetime", word_lifetime },
	{ "hoplimit", word_hoplimit },
	{ "reachable", word_reachable },
	{ "retrans", word_retrans },
	{ "mtu", word_mtu },
	{ "managed", word_managed },
	{ "other", word_other },
	{ "preference", word_preference },
	{ "noprefix", word_noprefix },
	{ "prefix", word_prefix },
	{ "route", word_route },
	{ "rdnss", word_rdnss },
	{ "dnssl", word_dnssl },
};
enum { START_WORDS = sizeof(start_words) / sizeof(start_words[0]) };

static int
start_word(struct start *st)
{
	for (unsigned i = 0; i < START_WORDS; i++)
		if (word_is(st, start_words[i].word))
			return start_words[i].take(st);
	return verb_error(st->v, EXIT_USAGE_, "%s: %s: no such word", st->ifname, st->argv[0]);
}

/* What the words left open (RFC 4861 6.2.1; lifetimes: RFC 4191 2.3, RFC 8106 5.1). */
static void
fill_in(struct start *st)
{
	uint64_t max_s = st->c.max_ns / NS_PER_SEC, three_s = max_s * 3;
	be32 life;

	if (!st->has_min)
		st->c.min_ns = max_s >= 9 ? st->c.max_ns / 3 : st->c.max_ns / 4 * 3;
	if (!st->has_lifetime)
		st->c.lifetime_s = (uint16_t)three_s;
	for (uint8_t *o = st->options; o < st->options + st->len; o += o[1] * 8) {
		if (o[0] == ND_OPT_PREFIX || !(o[3] & LIFETIME_DEFAULT))
			continue;
		o[3] &= (uint8_t)~LIFETIME_DEFAULT;
		life = to_be32(o[0] == ND_OPT_ROUTE ? st->c.lifetime_s : (uint32_t)three_s);
		memcpy(o + 4, &life, sizeof(life));
	}
	st->c.options = st->options;
	st->c.options_len = st->len;
}

/* What contradicts itself: a message and the status, or 0. */
static int
check(const struct start *st, const struct ifnet *ifp)
{
	if (st->c.min_ns > st->c.max_ns / 4 * 3)
		return verb_error(st->v, EXIT_USAGE_,
		    "%s: mininterval is more than three quarters of maxinterval", st->ifname);
	if (st->c.lifetime_s > 0 && st->c.lifetime_s * NS_PER_SEC < st->c.max_ns)
		return verb_error(
		    st->v, EXIT_USAGE_, "%s: lifetime is shorter than maxinterval", st->ifname);
	if (st->c.mtu > ifp->if_mtu)
		return verb_error(st->v, EXIT_USAGE_, "%s: mtu %u: the interface has %u",
		    st->ifname, st->c.mtu, ifp->if_mtu);
	return 0;
}

static int
rtadvd_cmd_start(struct verb_run *v, int argc, char **argv)
{
	struct start st = {
		.v = v,
		.ifname = argv[0],
		.argv = argv + 1,
		.argc = argc - 1,
		.c = { .max_ns = 600 * NS_PER_SEC, .hlim = 64, .own_prefixes = true },
	};
	struct ifnet *ifp = if_byname(argv[0]);
	int status, error;

	if (ifp == NULL)
		return verb_error(v, 1, "interface %s does not exist", argv[0]);
	while (st.argc > 0)
		if ((status = start_word(&st)) != 0)
			return status;
	fill_in(&st);
	if ((status = check(&st, ifp)) != 0)
		return status;
	if ((error = rtadvd_start(ifp, &st.c)) != 0)
		return verb_error(v, 1, "%s: %s", argv[0],
		    error == -EINVAL ? "can't reach a group on this link" : verb_strerror(error));
	if (st.c.lifetime_s > 0 && !V_ip6_forwarding)
		return verb_error(v, 0,
		    "%s: no default router as long as net.inet6.ip6.forwarding is 0", argv[0]);
	return 0;
}

/* --- stop ------------------------------------------------------------------------------------- */

static int
rtadvd_cmd_stop(struct verb_run *v, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		struct ifnet *ifp = if_byname(argv[i]);

		if (ifp == NULL)
			return verb_error(v, 1, "interface %s does not exist", argv[i]);
		if (rtadvd_stop(ifp) != 0)
			return verb_error(v, 1, "%s: does not advertise", argv[i]);
	}
	return 0;
}

/* --- show ------------------------------------------------------------------------------------- */

static int
rtadvd_cmd_show(struct verb_run *v, int argc, char **argv)
{
	struct rtadv_info info;
	struct ifnet *only = NULL;

	if (argc > 1)
		return verb_usage(v, NULL);
	if (argc == 1 && (only = if_byname(argv[0])) == NULL)
		return verb_error(v, 1, "interface %s does not exist", argv[0]);
	if (only != NULL && !rtadvd_info(only, &info))
		return verb_error(v, 1, "%s: does not advertise", argv[0]);
	rtadvd_show(v->out, only);
	return 0;
}

/* --- the tool --------------------------------------------------------------------------------- */

static int
rtadvd_run(struct verb_run *v)
{
	const char *word = v->argc > 1 ? v->argv[1] : "show";
	int argc = v->argc > 1 ? v->argc - 2 : 0;
	char **argv = v->argv + v->argc - argc;

	if (strcmp(word, "show") == 0)
		return rtadvd_cmd_show(v, argc, argv);
	if (argc == 0 || (strcmp(word, "start") != 0 && strcmp(word, "stop") != 0))
		return verb_usage(v, NULL);
	if (priv_check(PRIV_NET_CONFIG) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	return strcmp(word, "start") == 0 ? rtadvd_cmd_start(v, argc, argv) :
					    rtadvd_cmd_stop(v, argc, argv);
}

static void
rtadvd_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const commands[] = { "start", "stop", "show" };
	struct ifnet *ifp;

	(void)argv;
	if (argc == 1) {
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
			add(ctx, commands[i]);
		return;
	}
	IF_FOREACH(ifp)
		add(ctx, ifp->if_xname);
}

VERB_DEFINE(rtadvd, .name = "rtadvd",
    .usage = "rtadvd start interface [maxinterval time] [mininterval time] [lifetime time]\n"
	     "             [hoplimit n] [reachable time] [retrans time] [mtu n] [managed] [other]\n"
	     "             [preference high|medium|low] [noprefix]\n"
	     "             [prefix net/len [valid time] [preferred time] [noonlink] [noauto]] ...\n"
	     "             [route net/len [lifetime time] [preference high|medium|low]] ...\n"
	     "             [rdnss address[,address] [lifetime time]] ...\n"
	     "             [dnssl domain[,domain] [lifetime time]] ...\n"
	     "rtadvd stop interface ...\n"
	     "rtadvd show [interface]",
    .summary = "send router advertisements", .run = rtadvd_run, .complete = rtadvd_complete);
