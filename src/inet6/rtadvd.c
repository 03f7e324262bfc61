/*
 * rtadvd.c - router advertisements out (RFC 4861 6.2).
 *
 * An interface that advertises has a timer. It sends to all nodes and sets the timer anew: by
 * chance between min_ns and max_ns, sooner for the first three, and sooner when somebody asks
 * (6.2.6), but never within three seconds of the last one. What it says is made afresh each time:
 * from the configuration, from whether the stack forwards, and from the interface's addresses. A
 * prefix that it said before and says no more goes out with lifetime 0 in the next three.
 *
 * Options that would make a message longer than the link's MTU go into another one behind it, for
 * ND messages may not be fragmented (RFC 6980).
 */
#include "inet6/rtadvd.h"

#include "base/log.h"
#include "inet/multicast.h"
#include "inet6/nd6_internal.h"
#include "kern/eventhandler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

DROP_DEFINE(
    DROP_ND6_RS_SOURCE, "nd6", "rs-source", "router solicitation from :: tells a link address");
DROP_DEFINE(DROP_ND6_RS_IGNORED, "nd6", "rs-ignored",
    "router solicitation on an interface that does not advertise");

/* RFC 4861 section 10. */
enum { MAX_INITIAL = 3 };
static const uint64_t max_initial_interval_ns = 16 * NS_PER_SEC;
static const uint64_t min_delay_between_ns = 3 * NS_PER_SEC;
static const uint64_t max_delay_ns = 500 * NS_PER_MS;

enum {
	SAID_MAX = 64, /* prefixes whose withdrawal is told; more just time out */
	WITHDRAWN_TIMES = 3,
};
static const uint64_t log_interval_ns = 60 * NS_PER_SEC;

/* A prefix that hosts have heard from us. */
struct said {
	struct in6 prefix;
	uint8_t plen; /* 0 = a free place */
	uint8_t flags;
	bool current; /* in the message that is being made */
	uint8_t left; /* it is withdrawn: times to say so */
};

/* in6_if.rtadv */
struct rtadv_if {
	struct ifnet *ifp;
	struct rtadv_config c; /* with options of its own */
	struct mcast_member *allrouters;
	struct callout timer;
	unsigned initial; /* of the first three, to come */
	bool waiting;     /* for the link, or the link-local address */
	uint64_t last_ns; /* when it sent last, while sent > 0 */
	uint64_t sent, solicited;
	uint64_t quiet_until_ns; /* differences are not logged */
	struct said said[SAID_MAX];
};

static uint64_t rtadvs_live;
AUDIT_COUNTER(rtadv, "rtadvd", rtadvs_live);

static struct rtadv_if *
rtadv_of(const struct ifnet *ifp)
{
	const struct in6_if *i = in6_if_of(ifp);

	return i == NULL ? NULL : i->rtadv;
}

/* --- prefixes of our own ---------------------------------------------------------------------- */

static bool
is_advertisable(const struct in6_ifaddr *ia)
{
	return !in6_is_linklocal(&ia->addr) && in6_is_any(&ia->dst) && ia->plen > 0 &&
	    ia->plen < 128 &&
	    !(ia->flags & (IN6_IFF_AUTOCONF | IN6_IFF_TEMPORARY | IN6_IFF_DUPLICATED));
}

static bool
is_prefix_option(const uint8_t *o)
{
	return o[0] == ND_OPT_PREFIX && o[1] == sizeof(struct nd_opt_prefix) / 8;
}

/* The option for a prefix among options; NULL. */
static const struct nd_opt_prefix *
find_prefix(const uint8_t *o, size_t len, const struct in6 *prefix, unsigned plen)
{
	for (size_t at = 0; at < len; at += o[at + 1] * 8u) {
		const struct nd_opt_prefix *opt = (const void *)(o + at);

		if (is_prefix_option(o + at) && opt->plen == plen &&
		    in6_equal(&opt->prefix, prefix))
			return opt;
	}
	return NULL;
}

size_t
rtadvd_own_prefixes(const struct ifnet *ifp, uint8_t *buf, size_t room)
{
	const struct in6_ifaddr *ia = NULL;
	size_t len = 0;

	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL) {
		const struct nd_opt_prefix opt = {
			.type = ND_OPT_PREFIX,
			.len = sizeof(opt) / 8,
			.plen = ia->plen,
			.flags = (uint8_t)((ia->no_prefix_route ? 0 : ND_PREFIX_ONLINK) |
			    (ia->plen == 64 ? ND_PREFIX_AUTO : 0)),
			.vltime_s = to_be32(RTADV_VLTIME_S),
			.pltime_s = to_be32(RTADV_PLTIME_S),
			.prefix = in6_mask(&ia->addr, ia->plen),
		};

		if (!is_advertisable(ia) || room - len < sizeof(opt) ||
		    find_prefix(buf, len, &opt.prefix, opt.plen) != NULL)
			continue;
		memcpy(buf + len, &opt, sizeof(opt));
		len += sizeof(opt);
	}
	return len;
}

/* All options but the link's own: the configuration wins over the interface's addresses. */
static size_t
gather(const struct rtadv_if *ra, uint8_t *buf, size_t room)
{
	uint8_t own[RTADV_OPTIONS_MAX / 2];
	size_t own_len, len = 0;

	own_len = ra->c.own_prefixes ? rtadvd_own_prefixes(ra->ifp, own, sizeof(own)) : 0;
	for (const uint8_t *o = own; o < own + own_len; o += o[1] * 8) {
		const struct nd_opt_prefix *opt = (const void *)o;

		if (find_prefix(ra->c.options, ra->c.options_len, &opt->prefix, opt->plen) != NULL)
			continue;
		memcpy(buf + len, o, sizeof(*opt));
		len += sizeof(*opt);
	}
	if (ra->c.options_len > 0 && ra->c.options_len <= room - len) {
		memcpy(buf + len, ra->c.options, ra->c.options_len);
		len += ra->c.options_len;
	}
	return len;
}

/* --- one advertisement ------------------------------------------------------------------------ */

/* Messages under way: options are put behind each other, and a full message is sent. */
struct writer {
	const struct rtadv_if *ra;
	struct in6 src;
	bool farewell; /* we cease to be a router */
	uint32_t room;
	struct mbuf *m; /* NULL = no memory: nothing more is said */
};

static void
message_begin(struct writer *w)
{
	const struct rtadv_config *c = &w->ra->c;
	bool router = !w->farewell && V_ip6_forwarding && c->lifetime_s > 0;
	struct mbuf *m = w->m = m_get(w->room);

	if (m == NULL)
		return;
	*mtod(m, struct nd_router_advert *) = (struct nd_router_advert){
		.type = ND_ROUTER_ADVERT_,
		.hlim = c->hlim,
		/* RFC 4191 2.2: a preference says nothing of what is no default router */
		.flags = (uint8_t)((c->managed ? ND_RA_MANAGED : 0) | (c->other ? ND_RA_OTHER : 0) |
		    (router ? nd6_pref_bits(c->pref) : 0)),
		.lifetime_s = to_be16(router ? c->lifetime_s : 0),
		.reachable_ms = to_be32(c->reachable_ms),
		.retrans_ms = to_be32(c->retrans_ms),
	};
	m_trim(m, sizeof(struct nd_router_advert));
	m->len += nd6_rtr_source_option(w->ra->ifp, m->data + m->len);
}

static void
message_end(struct writer *w)
{
	struct in6 all = in6_allnodes;

	if (w->m == NULL)
		return;
	in6_embed(&all, w->ra->ifp->if_index);
	V_rtadvstat.ra_out++;
	nd6_message_send(w->ra->ifp, w->m, &w->src, &all);
	w->m = NULL;
}

/* Room for an option of n bytes at the end; NULL without memory. */
static uint8_t *
option_room(struct writer *w, uint32_t n)
{
	uint8_t *at;

	if (w->m != NULL && w->m->len + n > w->room) {
		message_end(w);
		message_begin(w);
	}
	if (w->m == NULL || w->m->len + n > w->room)
		return NULL;
	at = w->m->data + w->m->len;
	w->m->len += n;
	return at;
}

static void
put_mtu(struct writer *w)
{
	uint8_t *o = w->ra->c.mtu == 0 ? NULL : option_room(w, 8);
	be32 mtu = to_be32(w->ra->c.mtu);

	if (o == NULL)
		return;
	memcpy(o, (const uint8_t[4]){ ND_OPT_MTU, 1 }, 4);
	memcpy(o + 4, &mtu, 4);
}

static void
put_option(struct writer *w, const uint8_t *option)
{
	uint32_t n = option[1] * 8u;
	uint8_t *o = option_room(w, n);

	if (o == NULL)
		return;
	memcpy(o, option, n);
	/* routes, servers and domains have their lifetime at the same place; prefixes live on */
	if (w->farewell && o[0] != ND_OPT_PREFIX)
		store32(o + 4, 0);
}

/* --- prefixes that are withdrawn -------------------------------------------------------------- */

static void
say_prefix(struct rtadv_if *ra, const struct nd_opt_prefix *opt)
{
	struct said *s, *room = NULL;

	for (s = ra->said; s < ra->said + SAID_MAX; s++) {
		if (s->plen == opt->plen && in6_equal(&s->prefix, &opt->prefix))
			break;
		if (s->plen == 0 && room == NULL)
			room = s;
	}
	if (s == ra->said + SAID_MAX && (s = room) == NULL)
		return;
	*s = (struct said){
		.prefix = opt->prefix, .plen = opt->plen, .flags = opt->flags, .current = true
	};
}

/* The prefixes among options are what we say now; each other one is withdrawn. */
static void
put_withdrawn(struct rtadv_if *ra, struct writer *w, const uint8_t *options, size_t len)
{
	struct said *s;

	for (s = ra->said; s < ra->said + SAID_MAX; s++)
		s->current = false;
	for (const uint8_t *o = options; o < options + len; o += o[1] * 8)
		if (is_prefix_option(o))
			say_prefix(ra, (const void *)o);
	for (s = ra->said; s < ra->said + SAID_MAX; s++) {
		struct nd_opt_prefix opt = { .type = ND_OPT_PREFIX, .len = sizeof(opt) / 8 };

		if (s->plen == 0 || s->current)
			continue;
		opt.plen = s->plen;
		opt.flags = s->flags;
		opt.prefix = s->prefix;
		put_option(w, (const uint8_t *)&opt);
		s->left = s->left == 0 ? WITHDRAWN_TIMES - 1 : (uint8_t)(s->left - 1);
		if (s->left == 0)
			s->plen = 0;
	}
}

/* --- when ------------------------------------------------------------------------------------- */

/* The address it sends from; NULL = it can't send now. */
static const struct in6_ifaddr *
source_of(const struct ifnet *ifp)
{
	const struct in6_ifaddr *ia = in6_linklocal(ifp);

	if (ia == NULL || (ia->flags & IN6_IFF_NOTREADY) || !if_is_usable(ifp) ||
	    !nd6_is_active(ifp))
		return NULL;
	return ia;
}

/* Send all there is to say. False: it can't now. */
static bool
advertise(struct rtadv_if *ra, bool farewell)
{
	const struct in6_ifaddr *src = source_of(ra->ifp);
	uint8_t options[RTADV_OPTIONS_MAX * 2];
	struct writer w = { .ra = ra, .farewell = farewell };
	size_t len;

	if (src == NULL)
		return false;
	w.src = src->addr;
	w.room = in6_ifmtu(ra->ifp) - IP6_HDRLEN;
	len = gather(ra, options, sizeof(options));
	message_begin(&w);
	put_mtu(&w);
	for (const uint8_t *o = options; o < options + len; o += o[1] * 8)
		put_option(&w, o);
	put_withdrawn(ra, &w, options, len);
	ra->last_ns = clock_now();
	ra->sent++;
	message_end(&w);
	return true;
}

static void
rtadv_tick(void *arg)
{
	struct rtadv_if *ra = arg;
	uint64_t interval_ns = ra->c.min_ns + nd6_random_ns(ra->c.max_ns - ra->c.min_ns + 1);

	ra->waiting = !advertise(ra, false);
	if (ra->waiting)
		return; /* the link or the address tells when */
	if (ra->initial > 0 && --ra->initial > 0 && interval_ns > max_initial_interval_ns)
		interval_ns = max_initial_interval_ns;
	callout_reset(&ra->timer, interval_ns);
}

/* Send soon: within half a second, but three seconds behind the last (6.2.6). */
static void
rtadv_hasten(struct rtadv_if *ra)
{
	uint64_t now = clock_now(), delay_ns = nd6_random_ns(max_delay_ns),
		 when_ns = now + delay_ns;

	if (ra->sent > 0 && when_ns < ra->last_ns + min_delay_between_ns)
		when_ns = ra->last_ns + min_delay_between_ns + delay_ns;
	if (!callout_armed(&ra->timer) || ra->timer.when_ns > when_ns)
		callout_reset(&ra->timer, when_ns - now);
}

/* There is news: it is said soon, and two times more. */
static void
rtadv_news(struct rtadv_if *ra)
{
	ra->initial = MAX_INITIAL;
	rtadv_hasten(ra);
}

/* --- begin and end ---------------------------------------------------------------------------- */

static void
rtadv_free(struct rtadv_if *ra)
{
	callout_stop(&ra->timer);
	mcast_leave(ra->allrouters);
	vnet_free((void *)(uintptr_t)ra->c.options);
	vnet_free(ra);
	__atomic_fetch_sub(&rtadvs_live, 1, __ATOMIC_RELAXED);
}

/* 0 or -errno. */
static int
rtadv_new(struct ifnet *ifp, struct rtadv_if **out)
{
	struct rtadv_if *ra = vnet_malloc(sizeof(*ra));
	struct in6 group = in6_allrouters;
	struct ipaddr a;

	if (ra == NULL)
		return -ENOMEM;
	in6_embed(&group, ifp->if_index);
	a = ipaddr6(&group);
	ra->ifp = ifp;
	if ((ra->allrouters = mcast_join(ifp, &a)) == NULL) {
		vnet_free(ra);
		return -errno;
	}
	callout_init(&ra->timer, curvnet, rtadv_tick, ra);
	__atomic_fetch_add(&rtadvs_live, 1, __ATOMIC_RELAXED);
	*out = ra;
	return 0;
}

int
rtadvd_start(struct ifnet *ifp, const struct rtadv_config *config)
{
	struct in6_if *i = in6_if_of(ifp);
	uint8_t *options = NULL;
	int error;

	if (i == NULL)
		return -EADDRNOTAVAIL;
	if (!(ifp->if_flags & IFF_MULTICAST_) || (ifp->if_flags & IFF_LOOPBACK_))
		return -EINVAL;
	if (config->options_len > 0) {
		if ((options = vnet_malloc(config->options_len)) == NULL)
			return -ENOMEM;
		memcpy(options, config->options, config->options_len);
	}
	if (i->rtadv == NULL && (error = rtadv_new(ifp, &i->rtadv)) != 0) {
		vnet_free(options);
		return error;
	}
	vnet_free((void *)(uintptr_t)i->rtadv->c.options);
	i->rtadv->c = *config;
	i->rtadv->c.options = options;
	rtadv_news(i->rtadv);
	return 0;
}

int
rtadvd_stop(struct ifnet *ifp)
{
	struct rtadv_if *ra = rtadv_of(ifp);

	if (ra == NULL)
		return -ENOENT;
	if (ra->sent > 0)
		(void)advertise(ra, true);
	in6_if_of(ifp)->rtadv = NULL;
	rtadv_free(ra);
	return 0;
}

bool
rtadvd_info(const struct ifnet *ifp, struct rtadv_info *info)
{
	const struct rtadv_if *ra = rtadv_of(ifp);

	if (ra == NULL)
		return false;
	*info = (struct rtadv_info){
		.ifp = ifp,
		.config = &ra->c,
		.is_router = V_ip6_forwarding,
		.next_ns = callout_armed(&ra->timer) ? ra->timer.when_ns : NS_NEVER,
		.sent = ra->sent,
		.solicited = ra->solicited,
	};
	return true;
}

void
rtadvd_linkchange(struct ifnet *ifp)
{
	struct rtadv_if *ra = rtadv_of(ifp);

	if (ra != NULL && if_is_usable(ifp))
		rtadv_news(ra);
}

void
rtadvd_ifdetach(struct in6_if *i)
{
	struct rtadv_if *ra = i->rtadv;

	i->rtadv = NULL;
	if (ra != NULL)
		rtadv_free(ra);
}

void
rtadvd_forwarding_changed(void)
{
	struct ifnet *ifp;

	IF_FOREACH(ifp)
		if (rtadv_of(ifp) != NULL)
			rtadv_news(rtadv_of(ifp));
}

/* The link-local address is ready, or the prefixes of the interface are others. */
static void
address_changed(void *ctx, void *arg1, void *arg2)
{
	struct rtadv_if *ra = rtadv_of(arg1);
	const struct ifaddr *ifa = arg2;

	(void)ctx;
	if (ra != NULL && ifa->family == AF_INET6 && (ra->waiting || ra->c.own_prefixes) &&
	    source_of(arg1) != NULL)
		rtadv_news(ra);
}

static struct event_tag *address_tag;

static void
rtadvd_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_register(
		    &address_tag, "ifaddr_event", EVENT_HERE, address_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(rtadvd, SI_SUB_INET6, SI_ORDER_FIRST, rtadvd_init, NULL);

static void
rtadvd_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&address_tag);
}
VNET_SYSUNINIT(rtadvd, SI_SUB_INET6, SI_ORDER_FIRST, rtadvd_uninit, NULL);

/* --- who asks --------------------------------------------------------------------------------- */

/* What is wrong with a solicitation (RFC 4861 6.1.1); NULL = nothing. */
static const struct drop_reason *
rs_fault(const struct mbuf *m, unsigned off, const struct ip_info *info, struct nd6_opts *opts)
{
	const size_t least = sizeof(struct icmp6_hdr);
	const struct drop_reason *why = nd6_message_fault(m, off, info, least);

	if (why != NULL)
		return why;
	if (!nd6_options(m->data + off + least, m->len - off - least, opts))
		return &DROP_ND6_OPTIONS;
	if (ipaddr_is_any(&info->src) && opts->lladdr[ND_OPT_SOURCE_LL] != NULL)
		return &DROP_ND6_RS_SOURCE;
	return NULL;
}

static void
rs_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	struct rtadv_if *ra = rtadv_of(m->rcvif);
	struct nd6_opts opts;
	const struct drop_reason *why = rs_fault(m, off, info, &opts);

	if (why != NULL) {
		V_icmp6stat.badrs++;
		m_drop(m, why);
		return;
	}
	if (ra == NULL) {
		V_rtadvstat.rs_ignored++;
		m_drop(m, &DROP_ND6_RS_IGNORED);
		return;
	}
	clock_at(m->when_ns);
	V_rtadvstat.rs_in++;
	ra->solicited++;
	if (!ipaddr_is_any(&info->src))
		nd6_heard(m->rcvif, ipaddr_in6(&info->src), opts.lladdr[ND_OPT_SOURCE_LL],
		    ND6_FROM_RS, false);
	if (!ra->waiting)
		rtadv_hasten(ra);
	m_free(m);
}
ICMP6_MESSAGE_DEFINE(router_solicit, .type = ND_ROUTER_SOLICIT_, .input = rs_input);

/* --- what other routers say ------------------------------------------------------------------- */

/* The first thing in which another router contradicts us. */
struct difference {
	char what[IN6_TEXT + 64]; /* "" = none */
	uint64_t theirs, ours;
};

static void
compare(struct difference *d, const char *what, uint64_t theirs, uint64_t ours)
{
	if (theirs == ours || d->what[0] != '\0')
		return;
	snprintf(d->what, sizeof(d->what), "%s", what);
	d->theirs = theirs;
	d->ours = ours;
}

/* Where 0 means that nothing is said. */
static void
compare_said(struct difference *d, const char *what, uint64_t theirs, uint64_t ours)
{
	if (theirs != 0 && ours != 0)
		compare(d, what, theirs, ours);
}

static void
compare_prefixes(struct difference *d, const struct rtadv_if *ra, const struct nd6_opts *opts)
{
	uint8_t ours[RTADV_OPTIONS_MAX * 2];
	size_t len = gather(ra, ours, sizeof(ours));
	char text[IN6_TEXT], what[sizeof(d->what)];

	for (const uint8_t *o = NULL; (o = nd6_option_next(opts, o)) != NULL;) {
		const struct nd_opt_prefix *theirs = (const void *)o, *our;

		if (!is_prefix_option(o) ||
		    (our = find_prefix(ours, len, &theirs->prefix, theirs->plen)) == NULL)
			continue;
		in6_ntoa(&theirs->prefix, text);
		snprintf(what, sizeof(what), "valid lifetime of %s/%u", text, theirs->plen);
		compare(d, what, from_be32(theirs->vltime_s), from_be32(our->vltime_s));
		snprintf(what, sizeof(what), "preferred lifetime of %s/%u", text, theirs->plen);
		compare(d, what, from_be32(theirs->pltime_s), from_be32(our->pltime_s));
	}
}

bool
rtadvd_heard(const struct ifnet *ifp, const struct in6 *src, const struct nd_router_advert *his,
    const struct nd6_opts *opts)
{
	struct rtadv_if *ra = rtadv_of(ifp);
	struct difference d = { 0 };
	char text[IN6_TEXT];

	if (ra == NULL)
		return false;
	compare_said(&d, "hop limit", his->hlim, ra->c.hlim);
	compare(&d, "managed flag", (his->flags & ND_RA_MANAGED) != 0, ra->c.managed);
	compare(&d, "other flag", (his->flags & ND_RA_OTHER) != 0, ra->c.other);
	compare_said(&d, "reachable time", from_be32(his->reachable_ms), ra->c.reachable_ms);
	compare_said(&d, "retransmission time", from_be32(his->retrans_ms), ra->c.retrans_ms);
	compare_said(&d, "MTU", opts->mtu, ra->c.mtu);
	compare_prefixes(&d, ra, opts);
	if (d.what[0] == '\0')
		return true;
	V_rtadvstat.inconsistent++;
	if (clock_now() < ra->quiet_until_ns)
		return true;
	ra->quiet_until_ns = clock_now() + log_interval_ns;
	log_msg(LOG_LVL_WARNING,
	    "rtadvd: %s: router %s advertises %s %" PRIu64 ", we advertise %" PRIu64, ifp->if_xname,
	    in6_ntoa(src, text), d.what, d.theirs, d.ours);
	return true;
}
