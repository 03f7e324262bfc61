/*
 * fpm_messages.h - messages of a routing daemon, made as FRR's dplane_fpm_nl makes them.
 */
#ifndef WARREN_TESTS_UNIT_FPM_MESSAGES_H
#define WARREN_TESTS_UNIT_FPM_MESSAGES_H

#include "port/fpm_msg.h"

#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

/* FPM messages in a row. */
struct fpm_stream {
	size_t len;
	_Alignas(8) uint8_t bytes[1 << 16];
};

/* A message begins behind what is there; fpm_close says its length. */
static inline struct fpm_header *
fpm_open(struct fpm_stream *s)
{
	struct fpm_header *h = (void *)(s->bytes + s->len);

	h->version = FPM_VERSION;
	h->kind = FPM_KIND_NETLINK;
	s->len += sizeof(*h);
	return h;
}

static inline void
fpm_close(struct fpm_stream *s, struct fpm_header *h)
{
	h->len = to_be16((uint16_t)(s->bytes + s->len - (uint8_t *)h));
}

static inline struct nlmsghdr *
fpm_netlink(struct fpm_stream *s, uint16_t type)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(s->bytes + s->len);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	return nlh;
}

static inline void
fpm_done(struct fpm_stream *s, const struct nlmsghdr *nlh)
{
	s->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

static inline struct nlmsghdr *
fpm_route_begin(struct fpm_stream *s, uint16_t type, const struct rt_addr *dst, uint8_t how)
{
	struct nlmsghdr *nlh = fpm_netlink(s, type);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = dst->family;
	rtm->rtm_dst_len = dst->plen;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_OSPF;
	rtm->rtm_type = how;
	mnl_attr_put(nlh, RTA_DST, dst->family == AF_INET ? 4 : 16, dst->addr);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, 20);
	return nlh;
}

static inline void
fpm_put_addr(struct nlmsghdr *nlh, uint16_t type, const struct rt_addr *a)
{
	mnl_attr_put(nlh, type, a->family == AF_INET ? 4 : 16, a->addr);
}

/* RTA_MULTIPATH of two gateways. */
static inline void
fpm_put_hops(struct nlmsghdr *nlh, const struct rt_addr gateway[], const uint32_t index[],
    const uint8_t weight[], unsigned n)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);

	for (unsigned i = 0; i < n; i++) {
		struct rtnexthop *hop = (void *)((uint8_t *)nlh + nlh->nlmsg_len);

		*hop = (struct rtnexthop){ .rtnh_ifindex = (int)index[i],
			.rtnh_hops = (uint8_t)(weight[i] - 1) };
		nlh->nlmsg_len += (uint32_t)sizeof(*hop);
		fpm_put_addr(nlh, RTA_GATEWAY, &gateway[i]);
		hop->rtnh_len = (uint16_t)((uint8_t *)nlh + nlh->nlmsg_len - (uint8_t *)hop);
	}
	mnl_attr_nest_end(nlh, nest);
}

static inline struct nlmsghdr *
fpm_nexthop_begin(struct fpm_stream *s, uint16_t type, int family, uint32_t id)
{
	struct nlmsghdr *nlh = fpm_netlink(s, type);
	struct nhmsg *nhm = mnl_nlmsg_put_extra_header(nlh, sizeof(*nhm));

	nhm->nh_family = (unsigned char)family;
	mnl_attr_put_u32(nlh, NHA_ID, id);
	return nlh;
}

#endif
