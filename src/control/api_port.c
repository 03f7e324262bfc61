/*
 * api_port.c - an Ethernet interface whose other end is a function of the program.
 *
 * It is made in the host's stack and moved to its jail, so it comes home when the jail ends and the
 * program's handle stays good until it closes the port.
 */
#include "warren.h"

#include "base/rng.h"
#include "base/sched.h"
#include "control/api.h"
#include "kern/jail.h"
#include "net/ethernet.h"
#include "net/if.h"
#include "port/loop.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_FRAME_MAX = 65535 };

struct warren_port {
	LIST_ENTRY(warren_port) link;
	struct ifnet *ifp;
	void (*on_frame)(void *ctx, const void *frame, size_t len);
	void *ctx;
};

static LIST_HEAD(, warren_port) ports = LIST_HEAD_INITIALIZER(ports);
static int units;

static void
port_transmit(struct ifnet *ifp, struct batch *b)
{
	struct warren_port *p = ifp->if_softc;

	api_in_handler++;
	batch_foreach(b, m) {
		if (p->on_frame != NULL) {
			clock_at(m->when_ns);
			p->on_frame(p->ctx, m->data, m->len);
		}
		m_free(m);
	}
	api_in_handler--;
	b->n = 0;
}

static void
port_set_flags(struct ifnet *ifp)
{
	if (ifp->if_flags & IFF_UP_)
		ifp->if_flags |= IFF_RUNNING_;
	else
		ifp->if_flags &= ~(uint32_t)IFF_RUNNING_;
}

/* The same address for the same name, jail and seed. */
static void
port_lladdr(const char *jail, const char *name, uint8_t lladdr[6])
{
	char stream[128];
	struct rng rng;
	uint64_t bits;

	snprintf(stream, sizeof(stream), "port:%.63s:%.31s", jail, name);
	rng_seed(&rng, rng_process_seed, stream);
	bits = rng_u64(&rng);
	memcpy(lladdr, &bits, 6);
	lladdr[0] = 0x02;
}

static struct ifnet *
port_attach(struct warren_port *p, const struct prison *prison, const char *name)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "port", units);
	uint8_t lladdr[6];
	int error;

	if (ifp == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	units++;
	snprintf(ifp->if_xname, sizeof(ifp->if_xname), "%s", name);
	ifp->if_softc = p;
	ifp->if_transmit = port_transmit;
	ifp->if_set_flags = port_set_flags;
	ifp->if_capabilities = ifp->if_capenable = IFCAP_VLAN_MTU | IFCAP_JUMBO_MTU;
	port_lladdr(prison->name, name, lladdr);
	VNET_SCOPE(vnet0);
	error = ether_attach(ifp, lladdr);
	if (error == 0 && prison->vnet != vnet0 && (error = if_vmove(ifp, prison->vnet)) != 0)
		ether_detach(ifp);
	if (error != 0) {
		if_free(ifp);
		errno = -error;
		return NULL;
	}
	return ifp;
}

struct warren_port *
warren_port_open(struct warren *w, const char *jail, const char *name,
    void (*on_frame)(void *ctx, const void *frame, size_t len), void *ctx)
{
	const struct prison *prison = &prison0;
	struct warren_port *p;

	(void)w;
	if (name == NULL || name[0] == '\0' || strlen(name) >= IFNAMSIZ_) {
		errno = EINVAL;
		return NULL;
	}
	if (jail != NULL && (prison = prison_find(&prison0, jail)) == NULL) {
		errno = ENOENT;
		return NULL;
	}
	{
		/* if_vmove would find another name for it. */
		VNET_SCOPE(prison->vnet);
		if (if_byname(name) != NULL) {
			errno = EEXIST;
			return NULL;
		}
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->on_frame = on_frame;
	p->ctx = ctx;
	p->ifp = port_attach(p, prison, name);
	if (p->ifp == NULL) {
		int saved = errno;

		free(p);
		errno = saved;
		return NULL;
	}
	LIST_INSERT_HEAD(&ports, p, link);
	return p;
}

int
warren_port_send(struct warren_port *p, const void *frame, size_t len)
{
	struct ifnet *ifp = p->ifp;
	struct batch b = {};
	struct mbuf *m;

	if (len > PORT_FRAME_MAX || len > (size_t)ifp->if_mtu + ETHER_HDR_LEN_ + 4)
		return -EMSGSIZE;
	if ((ifp->if_flags & (IFF_UP_ | IFF_RUNNING_)) != (IFF_UP_ | IFF_RUNNING_))
		return -ENETDOWN;
	clock_update();
	m = m_from(frame, (uint32_t)len);
	if (m == NULL)
		return -ENOBUFS;
	batch_add(&b, m);
	rcu_read_lock();
	if_receive(ifp, &b);
	rcu_read_unlock();
	/* From inside of a handler the walk that called it drains. */
	if (api_in_handler == 0 && sched_drain != NULL)
		while (sched_drain())
			;
	loop_arm();
	return 0;
}

void
warren_port_close(struct warren_port *p)
{
	if (p == NULL)
		return;
	LIST_REMOVE(p, link);
	p->on_frame = NULL;
	{
		VNET_SCOPE(p->ifp->if_vnet);
		ether_detach(p->ifp);
	}
	if_free(p->ifp);
	free(p);
}

void
api_ports_close(void)
{
	struct warren_port *p;

	while ((p = LIST_FIRST(&ports)) != NULL)
		warren_port_close(p);
}
