/*
 * rtadvd_show.c - what `rtadvd show` prints: the options are read as they go out.
 */
#include "inet6/rtadvd.h"

#include <inttypes.h>
#include <stdio.h>

/* One lifetime, of 32 bits. */
static void
show_seconds(struct emitter *e, const char *json, const char *word, uint32_t s)
{
	emit_uint(e, json, NULL, s);
	if (s == (uint32_t)ND6_INFINITE_LIFETIME)
		emit_text(e, " %s infinite", word);
	else
		emit_text(e, " %s %us", word, s);
}

static void
show_address(struct emitter *e, const char *json, const char *word, const struct in6 *a, int plen)
{
	char text[IN6_TEXT], whole[IN6_TEXT + 8];

	in6_ntoa(a, text);
	if (plen < 0)
		snprintf(whole, sizeof(whole), "%s", text);
	else
		snprintf(whole, sizeof(whole), "%s/%d", text, plen);
	emit_text(e, "%s", word);
	emit_str(e, json, "%s", whole);
}

static void
show_prefix(struct emitter *e, const uint8_t *o)
{
	const struct nd_opt_prefix *opt = (const void *)o;

	emit_object(e, NULL);
	show_address(e, "prefix", "\tprefix ", &opt->prefix, opt->plen);
	show_seconds(e, "valid", "valid", from_be32(opt->vltime_s));
	show_seconds(e, "preferred", "preferred", from_be32(opt->pltime_s));
	emit_bool(e, "onlink", opt->flags & ND_PREFIX_ONLINK);
	emit_bool(e, "auto", opt->flags & ND_PREFIX_AUTO);
	emit_text(e, "%s%s\n", opt->flags & ND_PREFIX_ONLINK ? "" : " noonlink",
	    opt->flags & ND_PREFIX_AUTO ? "" : " noauto");
	emit_end(e);
}

static void
show_route(struct emitter *e, const uint8_t *o)
{
	struct nd6_route_info info = { 0 };

	(void)nd6_route_option(o, &info);
	emit_object(e, NULL);
	show_address(e, "route", "\troute ", &info.dst, info.plen);
	show_seconds(e, "lifetime", "lifetime", info.lifetime_s);
	emit_str(e, "preference", " preference %s\n", nd6_pref_name(info.pref));
	emit_end(e);
}

static void
show_rdnss(struct emitter *e, const uint8_t *o)
{
	emit_object(e, NULL);
	emit_list(e, "servers");
	for (unsigned at = 8; at < o[1] * 8u; at += 16)
		show_address(e, "", at == 8 ? "\trdnss " : ",", (const void *)(o + at), -1);
	emit_end(e);
	show_seconds(e, "lifetime", "lifetime", __builtin_bswap32(load32(o + 4)));
	emit_text(e, "\n");
	emit_end(e);
}

static void
show_dnssl(struct emitter *e, const uint8_t *o)
{
	const uint8_t *p = o + 8, *end = o + o[1] * 8;
	const char *before = "\tdnssl ";
	char name[256];

	emit_object(e, NULL);
	emit_list(e, "domains");
	for (; p < end && *p != 0; p++) {
		size_t n = 0;

		for (const char *dot = ""; *p != 0; p += *p + 1, dot = ".")
			n += (size_t)snprintf(
			    name + n, sizeof(name) - n, "%s%.*s", dot, *p, (const char *)p + 1);
		emit_text(e, "%s", before);
		emit_str(e, "", "%s", name);
		before = ",";
	}
	emit_end(e);
	show_seconds(e, "lifetime", "lifetime", __builtin_bswap32(load32(o + 4)));
	emit_text(e, "\n");
	emit_end(e);
}

/* The options of one kind, as a list. */
static void
show_kind(struct emitter *e, const char *json, enum nd6_opt type, const uint8_t *options,
    size_t len, void (*show)(struct emitter *e, const uint8_t *o))
{
	emit_list(e, json);
	for (const uint8_t *o = options; o < options + len; o += o[1] * 8)
		if (o[0] == type)
			show(e, o);
	emit_end(e);
}

static void
show_timing(struct emitter *e, const struct rtadv_info *info)
{
	const struct rtadv_config *c = info->config;

	emit_uint(e, "maxinterval", ": maxinterval %" PRIu64 "s", c->max_ns / NS_PER_SEC);
	emit_uint(e, "mininterval", " mininterval %" PRIu64 "s", c->min_ns / NS_PER_SEC);
	emit_uint(e, "lifetime", " lifetime %" PRIu64 "s", c->lifetime_s);
	emit_uint(e, "hoplimit", " hoplimit %" PRIu64, c->hlim);
	emit_uint(e, "reachable-ms", c->reachable_ms != 0 ? " reachable %" PRIu64 "ms" : NULL,
	    c->reachable_ms);
	emit_uint(
	    e, "retrans-ms", c->retrans_ms != 0 ? " retrans %" PRIu64 "ms" : NULL, c->retrans_ms);
	emit_uint(e, "mtu", c->mtu != 0 ? " mtu %" PRIu64 : NULL, c->mtu);
	emit_bool(e, "managed", c->managed);
	emit_bool(e, "other", c->other);
	emit_text(e, "%s%s", c->managed ? " managed" : "", c->other ? " other" : "");
	emit_str(e, "preference", " preference %s\n", nd6_pref_name(c->pref));
}

static void
show_interface(struct emitter *e, const struct rtadv_info *info)
{
	const struct rtadv_config *c = info->config;
	uint8_t own[RTADV_OPTIONS_MAX];
	size_t own_len = c->own_prefixes ? rtadvd_own_prefixes(info->ifp, own, sizeof(own)) : 0;

	emit_object(e, NULL);
	emit_str(e, "interface", "%s", info->ifp->if_xname);
	show_timing(e, info);
	emit_bool(e, "default-router", info->is_router && c->lifetime_s > 0);
	if (!info->is_router && c->lifetime_s > 0)
		emit_text(e, "\tno default router: net.inet6.ip6.forwarding is 0\n");
	show_kind(e, "own-prefixes", ND_OPT_PREFIX, own, own_len, show_prefix);
	show_kind(e, "prefixes", ND_OPT_PREFIX, c->options, c->options_len, show_prefix);
	show_kind(e, "routes", ND_OPT_ROUTE, c->options, c->options_len, show_route);
	show_kind(e, "rdnss", ND_OPT_RDNSS, c->options, c->options_len, show_rdnss);
	show_kind(e, "dnssl", ND_OPT_DNSSL, c->options, c->options_len, show_dnssl);
	emit_uint(e, "sent", "\tsent %" PRIu64, info->sent);
	emit_uint(e, "solicitations", ", solicitations %" PRIu64, info->solicited);
	if (info->next_ns == NS_NEVER)
		emit_text(e, ", waits for the link\n");
	else
		emit_num(e, "next", ", next in %.3f s\n",
		    (double)(info->next_ns - clock_now()) / 1e9, 3);
	emit_end(e);
}

void
rtadvd_show(struct emitter *e, const struct ifnet *only)
{
	struct rtadv_info info;
	struct ifnet *ifp;

	emit_list(e, "rtadvd");
	IF_FOREACH(ifp)
		if ((only == NULL || ifp == only) && rtadvd_info(ifp, &info))
			show_interface(e, &info);
	emit_end(e);
}
