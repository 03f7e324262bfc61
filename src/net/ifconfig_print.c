/*
 * ifconfig_print.c - what ifconfig says about an interface, line by line in the field's order.
 */
#include "net/ifconfig.h"

#include "net/ethernet.h"
#include "net/if_clone.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* By bit, from 0. */
static const char *const flag_name[] = { "UP", "BROADCAST", "DEBUG", "LOOPBACK", "POINTOPOINT",
	"SMART", "RUNNING", "NOARP", "PROMISC", "ALLMULTI", "OACTIVE", "SIMPLEX", "LINK0", "LINK1",
	"LINK2", "MULTICAST", NULL, "PPROMISC", "MONITOR", "STATICARP" };
static const char *const cap_name[] = { "RXCSUM", "TXCSUM", "NETCONS", "VLAN_MTU", "VLAN_HWTAGGING",
	"JUMBO_MTU", "POLLING", "VLAN_HWCSUM", "TSO4", "TSO6", "LRO", "WOL_UCAST", "WOL_MCAST",
	"WOL_MAGIC", NULL, NULL, "VLAN_HWFILTER", NULL, "VLAN_HWTSO", "LINKSTATE" };

#define NAMES(array) array, sizeof(array) / sizeof((array)[0])

void
ifconfig_print_bits(
    struct emitter *e, const char *json, uint32_t bits, const char *const *names, size_t n)
{
	const char *comma = "";

	emit_text(e, "%x<", bits);
	emit_list(e, json);
	for (size_t i = 0; i < n; i++) {
		if (!(bits >> i & 1) || names[i] == NULL)
			continue;
		emit_text(e, "%s", comma);
		emit_str(e, "", "%s", names[i]);
		comma = ",";
	}
	emit_end(e);
	emit_text(e, ">");
}

static uint32_t
visible_flags(const struct ifnet *ifp)
{
	return ifp->if_flags & ((1u << (sizeof(flag_name) / sizeof(flag_name[0]))) - 1);
}

static void
print_head(struct emitter *e, const struct ifnet *ifp)
{
	emit_str(e, "name", "%s", ifp->if_xname);
	emit_text(e, ": flags=");
	emit_uint(e, "flags", NULL, visible_flags(ifp));
	ifconfig_print_bits(e, "flag-names", visible_flags(ifp), NAMES(flag_name));
	emit_uint(e, "metric", " metric %" PRIu64, ifp->if_metric);
	emit_uint(e, "mtu", " mtu %" PRIu64 "\n", ifp->if_mtu);
}

static void
print_addresses(const struct ifconfig *c, const struct ifnet *ifp, int af)
{
	struct emitter *e = c->v->out;
	const struct ifaddr *ifa;

	emit_list(e, "address");
	TAILQ_FOREACH(ifa, &ifp->if_addrs, link) {
		if ((af != AF_UNSPEC && ifa->family != af) || ifa->ops->ifconfig == NULL ||
		    !ifa_visible(ifa))
			continue;
		emit_object(e, NULL);
		ifa->ops->ifconfig(e, ifa);
		emit_end(e);
	}
	emit_end(e);
}

LINKERSET_DECLARE(ifconfig_family, const struct ifconfig_family);

static void
print_families(struct emitter *e, const struct ifnet *ifp, int af)
{
	const struct ifconfig_family *const *p;

	LINKERSET_FOREACH(p, ifconfig_family)
		if ((*p)->status != NULL && (af == AF_UNSPEC || af == (*p)->af))
			(*p)->status(ifp, e);
}

static void
print_media(struct emitter *e, const struct ifnet *ifp)
{
	if (!(ifp->if_capabilities & IFCAP_LINKSTATE) || ifp->if_type != IFT_ETHER_)
		return;
	if (ifp->if_baudrate_bps == UINT64_C(10000000000))
		emit_str(
		    e, "media", "\tmedia: %s\n", "Ethernet 10Gbase-T (10Gbase-T <full-duplex>)");
	else
		emit_str(e, "media", "\tmedia: %s\n", "Ethernet autoselect");
	emit_str(e, "status", "\tstatus: %s\n",
	    ifp->if_link_state == LINK_STATE_UP ? "active" : "no carrier");
}

struct group_print {
	struct emitter *e;
	bool all, any;
};

static void
print_group(const char *group, void *ctx)
{
	struct group_print *p = ctx;

	if (!p->all && strcmp(group, "all") == 0)
		return;
	emit_text(p->e, "%s", p->any ? " " : "\tgroups: ");
	emit_str(p->e, "", "%s", group);
	p->any = true;
}

static void
print_groups(const struct ifconfig *c, const struct ifnet *ifp)
{
	struct group_print p = { .e = c->v->out, .all = c->verbose };

	emit_list(p.e, "groups");
	if_group_foreach(ifp, print_group, &p);
	emit_end(p.e);
	if (p.any)
		emit_text(p.e, "\n");
}

LINKERSET_DECLARE(ifconfig_status, const struct ifconfig_status);

/* Lines of other rooms, by name: the link order must not decide. */
static void
print_others(struct emitter *e, struct ifnet *ifp)
{
	const struct ifconfig_status *const *p, *next, *last = NULL;

	do {
		next = NULL;
		LINKERSET_FOREACH(p, ifconfig_status)
			if ((last == NULL || strcmp((*p)->name, last->name) > 0) &&
			    (next == NULL || strcmp((*p)->name, next->name) < 0))
				next = *p;
		if (next != NULL)
			next->run(ifp, e);
		last = next;
	} while (next != NULL);
}

void
ifconfig_print(const struct ifconfig *c, struct ifnet *ifp, int af)
{
	struct emitter *e = c->v->out;
	char lladdr[18];

	emit_object(e, NULL);
	print_head(e, ifp);
	if (ifp->if_description != NULL)
		emit_str(e, "description", "\tdescription: %s\n", ifp->if_description);
	if (ifp->if_capenable != 0) {
		emit_text(e, "\toptions=");
		ifconfig_print_bits(e, "options", ifp->if_capenable, NAMES(cap_name));
		emit_text(e, "\n");
	}
	if (c->media && ifp->if_capabilities != 0) {
		emit_text(e, "\tcapabilities=");
		ifconfig_print_bits(e, "capabilities", ifp->if_capabilities, NAMES(cap_name));
		emit_text(e, "\n");
	}
	if (ifp->if_addrlen == 6 && (af == AF_UNSPEC || af == AF_LINK_))
		emit_str(e, "ether", "\tether %s\n", ether_ntoa_(ifp->if_lladdr, lladdr));
	print_addresses(c, ifp, af);
	print_families(e, ifp, af);
	if (af == AF_UNSPEC || af == AF_LINK_) {
		print_media(e, ifp);
		if (ifp->if_status != NULL)
			ifp->if_status(ifp, e);
		print_others(e, ifp);
		print_groups(c, ifp);
	}
	if (ifp->if_fib != 0)
		emit_uint(e, "fib", "\tfib: %" PRIu64 "\n", ifp->if_fib);
	if (c->verbose)
		emit_uint(e, "index", "\tindex: %" PRIu64 "\n", ifp->if_index);
	emit_end(e);
}
