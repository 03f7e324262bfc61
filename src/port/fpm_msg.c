/*
 * fpm_msg.c - netlink messages of routes and next hops, read.
 *
 * Attributes that we don't know are passed over, as a kernel would do it; of those that we know the
 * length must be right. Nothing here looks behind the message's end: libmnl's walks stop there.
 */
#include "port/fpm_msg.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

/* The attributes of one message by number; what comes twice counts as it came last. */
enum { ATTRS = 32 };
_Static_assert((int)RTA_NH_ID < ATTRS && (int)NHA_ENCAP < ATTRS, "the table holds what we read");

struct attrs {
	const struct nlattr *at[ATTRS];
};

static int
attr_put(const struct nlattr *attr, void *ctx)
{
	struct attrs *attrs = ctx;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS)
		attrs->at[type] = attr;
	return MNL_CB_OK;
}

/* A number of 32 bits; false if the attribute isn't one. Not there: *value stays. */
static bool
attr_u32(const struct attrs *attrs, unsigned type, uint32_t *value)
{
	const struct nlattr *attr = attrs->at[type];

	if (attr == NULL)
		return true;
	if (mnl_attr_get_payload_len(attr) != sizeof(*value))
		return false;
	*value = load32(mnl_attr_get_payload(attr));
	return true;
}

static unsigned
family_len(int family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* An address of the family; false if the attribute isn't one. Not there: *a stays. */
static bool
attr_addr(const struct attrs *attrs, unsigned type, int family, struct rt_addr *a)
{
	const struct nlattr *attr = attrs->at[type];

	if (attr == NULL)
		return true;
	if (family_len(family) == 0 || mnl_attr_get_payload_len(attr) != family_len(family))
		return false;
	*a = rt_addr_make(family, mnl_attr_get_payload(attr), 128);
	/* a kernel's addresses have no zones: bytes that would mean one are somebody's trick */
	if (family == AF_INET6 && in6_is_scoped(rt_addr_in6(a)))
		in6_clear((struct in6 *)(void *)a->addr);
	return true;
}

/* --- routes ----------------------------------------------------------------------------------- */

static struct fpm_path *
path_new(struct fpm_change *c)
{
	if (c->npaths == FPM_PATHS_MAX) {
		c->left_out++;
		return NULL;
	}
	/* its padding too: ways are compared as bytes */
	memset(&c->path[c->npaths], 0, sizeof(c->path[0]));
	c->path[c->npaths].weight = 1;
	return &c->path[c->npaths++];
}

/* One member of RTA_MULTIPATH: a header of its own, then attributes. */
static bool
path_of_hop(struct fpm_change *c, const struct rtnexthop *hop)
{
	struct attrs attrs = {};
	struct fpm_path *path = path_new(c);

	if (path == NULL)
		return true;
	mnl_attr_parse_payload(hop + 1, hop->rtnh_len - sizeof(*hop), attr_put, &attrs);
	path->linux_index = (uint32_t)hop->rtnh_ifindex;
	path->weight = hop->rtnh_hops + 1u;
	path->unusable = attrs.at[RTA_ENCAP] != NULL || attrs.at[RTA_VIA] != NULL;
	return attr_addr(&attrs, RTA_GATEWAY, c->dst.family, &path->gateway);
}

static bool
paths_of_hops(struct fpm_change *c, const struct nlattr *attr)
{
	const uint8_t *at = mnl_attr_get_payload(attr);
	size_t left = mnl_attr_get_payload_len(attr);

	while (left > 0) {
		const struct rtnexthop *hop = (const void *)at;
		size_t step;

		if (left < sizeof(*hop) || hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left)
			return false;
		if (!path_of_hop(c, hop))
			return false;
		step = RTNH_ALIGN(hop->rtnh_len);
		step = step < left ? step : left;
		at += step;
		left -= step;
	}
	return true;
}

static bool
path_of_route(struct fpm_change *c, const struct attrs *attrs)
{
	struct fpm_path *path;

	if (attrs->at[RTA_GATEWAY] == NULL && attrs->at[RTA_OIF] == NULL &&
	    attrs->at[RTA_VIA] == NULL)
		return true;
	path = path_new(c);
	path->unusable = attrs->at[RTA_ENCAP] != NULL || attrs->at[RTA_VIA] != NULL;
	return attr_addr(attrs, RTA_GATEWAY, c->dst.family, &path->gateway) &&
	    attr_u32(attrs, RTA_OIF, &path->linux_index);
}

static bool
route_form(struct fpm_change *c, uint8_t type)
{
	switch (type) {
	case RTN_UNSPEC: /* a deletion says nothing */
	case RTN_UNICAST:
		c->form = FPM_UNICAST;
		return true;
	case RTN_BLACKHOLE:
		c->form = FPM_BLACKHOLE;
		return true;
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
		c->form = FPM_REJECT;
		return true;
	default:
		return false;
	}
}

static int
decode_route(const struct nlmsghdr *nlh, struct fpm_change *c)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = {};
	struct rt_addr dst;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return -EBADMSG;
	/* labels, multicast, what the kernel keeps for itself */
	if (family_len(rtm->rtm_family) == 0 || !route_form(c, rtm->rtm_type)) {
		c->kind = FPM_NOT_OURS;
		return 0;
	}
	mnl_attr_parse(nlh, sizeof(*rtm), attr_put, &attrs);
	dst = rt_addr_make(rtm->rtm_family, &in6_any_, 128);
	if (rtm->rtm_dst_len > family_len(rtm->rtm_family) * 8 ||
	    (attrs.at[RTA_DST] == NULL && rtm->rtm_dst_len != 0) ||
	    !attr_addr(&attrs, RTA_DST, rtm->rtm_family, &dst))
		return -EBADMSG;
	c->dst = rt_addr_make(rtm->rtm_family, dst.addr, rtm->rtm_dst_len);
	c->protocol = rtm->rtm_protocol;
	c->table = rtm->rtm_table;
	if (!attr_u32(&attrs, RTA_TABLE, &c->table) || !attr_u32(&attrs, RTA_NH_ID, &c->id) ||
	    !attr_addr(&attrs, RTA_PREFSRC, rtm->rtm_family, &c->source))
		return -EBADMSG;
	if (!(attrs.at[RTA_MULTIPATH] != NULL ? paths_of_hops(c, attrs.at[RTA_MULTIPATH]) :
						path_of_route(c, &attrs)))
		return -EBADMSG;
	return 0;
}

/* --- next hops -------------------------------------------------------------------------------- */

static int
decode_group(struct fpm_change *c, const struct nlattr *attr)
{
	const struct nexthop_grp *grp = mnl_attr_get_payload(attr);
	size_t n = mnl_attr_get_payload_len(attr) / sizeof(*grp);

	if (n == 0 || mnl_attr_get_payload_len(attr) % sizeof(*grp) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		if (i >= FPM_PATHS_MAX) {
			c->left_out = (uint32_t)(n - i);
			break;
		}
		c->member[c->nmembers++] = (struct fpm_member){ .id = grp[i].id,
			.weight = grp[i].weight + 1u };
	}
	return 0;
}

static int
decode_nexthop(const struct nlmsghdr *nlh, struct fpm_change *c)
{
	const struct nhmsg *nhm = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = {};
	struct fpm_path *path;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nhm))
		return -EBADMSG;
	mnl_attr_parse(nlh, sizeof(*nhm), attr_put, &attrs);
	if (!attr_u32(&attrs, NHA_ID, &c->id) || c->id == 0)
		return -EBADMSG;
	if (c->kind == FPM_NEXTHOP_DELETE)
		return 0;
	if (attrs.at[NHA_GROUP] != NULL)
		return decode_group(c, attrs.at[NHA_GROUP]);
	if (attrs.at[NHA_BLACKHOLE] != NULL) {
		c->form = FPM_BLACKHOLE;
		return 0;
	}
	path = path_new(c);
	path->unusable = attrs.at[NHA_ENCAP] != NULL;
	if (!attr_addr(&attrs, NHA_GATEWAY, nhm->nh_family, &path->gateway) ||
	    !attr_u32(&attrs, NHA_OIF, &path->linux_index))
		return -EBADMSG;
	return 0;
}

int
fpm_decode(const struct nlmsghdr *nlh, struct fpm_change *c)
{
	/* the paths themselves are filled as they are counted */
	memset(c, 0, offsetof(struct fpm_change, path));
	switch (nlh->nlmsg_type) {
	case RTM_NEWROUTE:
		c->kind = FPM_ROUTE_ADD;
		return decode_route(nlh, c);
	case RTM_DELROUTE:
		c->kind = FPM_ROUTE_DELETE;
		return decode_route(nlh, c);
	case RTM_NEWNEXTHOP:
		c->kind = FPM_NEXTHOP_ADD;
		return decode_nexthop(nlh, c);
	case RTM_DELNEXTHOP:
		c->kind = FPM_NEXTHOP_DELETE;
		return decode_nexthop(nlh, c);
	default:
		c->kind = FPM_NOT_OURS;
		return 0;
	}
}
