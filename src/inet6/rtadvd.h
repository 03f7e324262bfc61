/*
 * rtadvd.h - router advertisements out (RFC 4861 6.2): what an interface says, and when.
 */
#ifndef WARREN_INET6_RTADVD_H
#define WARREN_INET6_RTADVD_H

#include "inet6/nd6_rtr.h"

/* What an administrator sets; the names are those of RFC 4861 6.2.1 without "Adv". */
struct rtadv_config {
	uint64_t max_ns, min_ns; /* between two that nobody asked for */
	uint16_t lifetime_s;     /* as a default router; 0 = is none */
	uint8_t hlim;            /* 0 = says nothing of it; so do the next three */
	uint32_t reachable_ms, retrans_ms, mtu;
	bool managed, other;
	enum nd6_pref pref;
	bool own_prefixes; /* those of the interface's addresses come before the options */
	/* Prefixes, routes, servers and domains as they go out: options, one behind the other. */
	const uint8_t *options;
	size_t options_len;
};
enum {
	/* seconds; of prefixes that the administrator says no more about */
	RTADV_VLTIME_S = 2592000,
	RTADV_PLTIME_S = 604800,
	RTADV_OPTIONS_MAX = 8192,
};

/* What is going on, for `rtadvd show`. Borrowed. */
struct rtadv_info {
	const struct ifnet *ifp;
	const struct rtadv_config *config;
	bool is_router; /* forwards: the lifetime is what config says, else 0 */
	uint64_t next_ns, sent, solicited;
};

/*
 * Advertise on ifp as config says (copied), from now on. 0; -EADDRNOTAVAIL (IPv6 is not there),
 * -EINVAL (no Ethernet-like group addresses), -ENOMEM, errors of mcast_join.
 */
int rtadvd_start(struct ifnet *ifp, const struct rtadv_config *config);
/* A last word that says so, and no more. -ENOENT. */
int rtadvd_stop(struct ifnet *ifp);
/* Print what they advertise; only NULL = all interfaces (rtadvd_show.c). */
void rtadvd_show(struct emitter *e, const struct ifnet *only);
/* False if it doesn't advertise. */
bool rtadvd_info(const struct ifnet *ifp, struct rtadv_info *info);

/* Prefix options of the interface's own addresses, as many as fit; returns their bytes. */
size_t rtadvd_own_prefixes(const struct ifnet *ifp, uint8_t *buf, size_t room);

/* Another router's advertisement (6.2.7). True if ifp advertises itself. Borrows all. */
bool rtadvd_heard(const struct ifnet *ifp, const struct in6 *src, const struct nd_router_advert *ra,
    const struct nd6_opts *opts);

void rtadvd_linkchange(struct ifnet *ifp);
void rtadvd_ifdetach(struct in6_if *i);
void rtadvd_forwarding_changed(void);

#endif
