/*
 * if_show.c - the debugger's view of interfaces (behaviours 31).
 */
#include "net/if.h"

#include "kern/jail.h"
#include "kern/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int
show_ifnets(struct verb_run *v, int argc, char **argv)
{
	struct emitter *e = v->out;
	struct vnet *vnet;
	struct ifnet *ifp;
	char text[32];

	(void)argv;
	if (argc != 0)
		return verb_error(v, EXIT_USAGE_, "usage: show ifnets");
	emit_list(e, "vnet");
	VNET_FOREACH(vnet) {
		/* A jail's eyes end at its stack. */
		if (jailed(v->prison) && vnet != v->vnet)
			continue;
		VNET_SCOPE(vnet);
		emit_object(e, NULL);
		snprintf(text, sizeof(text), "%p", (void *)vnet);
		emit_str(e, "handle", "vnet=%s", text);
		emit_str(e, "name", " (%s)\n", vnet_name(vnet));
		emit_list(e, "ifnet");
		IF_FOREACH(ifp) {
			emit_object(e, NULL);
			emit_str(e, "name", "  %s", ifp->if_xname);
			snprintf(text, sizeof(text), "%p", (void *)ifp);
			emit_str(e, "handle", " ifp=%s\n", text);
			emit_end(e);
		}
		emit_end(e);
		emit_end(e);
	}
	emit_end(e);
	return 0;
}
SHOW_DEFINE(ifnets, "ifnets", "", show_ifnets);
SHOW_DEFINE(all_ifnets, "all ifnets", "", show_ifnets);

static void
say_pointer(struct emitter *e, const char *name, const void *p)
{
	char text[32];

	snprintf(text, sizeof(text), "%p", p);
	emit_text(e, "   %s = ", name);
	emit_str(e, name, "%s\n", p == NULL ? "0" : text);
}

static void
say_number(struct emitter *e, const char *name, int64_t value)
{
	emit_text(e, "   %s = ", name);
	emit_int(e, name, "%" PRId64 "\n", value);
}

static void
say_bits(struct emitter *e, const char *name, uint32_t bits)
{
	emit_text(e, "   %s = ", name);
	emit_uint(e, name, "%08" PRIx64 "\n", bits);
}

static void
say_string(struct emitter *e, const char *name, const char *value)
{
	emit_text(e, "   %s = ", name);
	emit_str(e, name, "%s\n", value);
}

/* What the driver and not the administrator sets: a word of its own in the field's struct. */
enum { DRIVERS_FLAGS = IFF_RUNNING_ | IFF_OACTIVE_ };

/*
 * Every field of the field's listing is there; those that this house does otherwise (a link-layer
 * companion struct, a driver's queue, ALTQ) are always zero.
 */
static void
ifnet_show(struct emitter *e, const struct ifnet *ifp)
{
	emit_object(e, "ifnet");
	say_string(e, "if_xname", ifp->if_xname);
	say_pointer(e, "ifp", ifp);
	say_string(e, "if_dname", ifp->if_dname);
	say_number(e, "if_dunit", ifp->if_dunit);
	say_string(e, "if_description", ifp->if_description == NULL ? "" : ifp->if_description);
	say_number(e, "if_index", ifp->if_index);
	say_number(e, "if_refcount", ifp->if_refs);
	say_pointer(e, "if_softc", ifp->if_softc);
	say_pointer(e, "if_l2com", NULL);
	say_pointer(e, "if_vnet", ifp->if_vnet);
	say_pointer(e, "if_home_vnet", ifp->if_home_vnet);
	say_number(e, "if_pcount", ifp->if_pcount);
	say_bits(e, "if_flags", ifp->if_flags & ~(uint32_t)DRIVERS_FLAGS);
	say_bits(e, "if_drv_flags", ifp->if_flags & DRIVERS_FLAGS);
	say_bits(e, "if_capabilities", ifp->if_capabilities);
	say_bits(e, "if_capenable", ifp->if_capenable);
	say_number(e, "if_mtu", ifp->if_mtu);
	say_number(e, "if_link_state", ifp->if_link_state);
	say_number(e, "if_fib", ifp->if_fib);
	say_pointer(e, "if_snd.ifq_head", ifp->if_snd.head);
	say_pointer(
	    e, "if_snd.ifq_tail", ifp->if_snd.head == NULL ? NULL : (const void *)ifp->if_snd.tail);
	say_number(e, "if_snd.ifq_len", ifp->if_snd.len);
	say_number(e, "if_snd.ifq_maxlen", ifp->if_snd_maxlen);
	say_number(e, "if_snd.ifq_drops", (int64_t)ifp->if_snd_drops);
	say_pointer(e, "if_snd.ifq_drv_head", NULL);
	say_pointer(e, "if_snd.ifq_drv_tail", NULL);
	say_number(e, "if_snd.ifq_drv_len", 0);
	say_number(e, "if_snd.ifq_drv_maxlen", 0);
	say_number(e, "if_snd.altq_type", 0);
	say_bits(e, "if_snd.altq_flags", 0);
	emit_end(e);
}

static int
show_ifnet(struct verb_run *v, int argc, char **argv)
{
	struct ifnet *ifp;
	uintptr_t handle;

	if (argc != 1)
		return verb_error(v, EXIT_USAGE_, "usage: show ifnet HANDLE | NAME");
	ifp = if_byname(argv[0]);
	if (ifp == NULL && show_handle(argv[0], &handle))
		ifp = if_by_handle(handle);
	if (ifp == NULL || (jailed(v->prison) && ifp->if_vnet != v->vnet))
		return verb_error(v, 1, "%s: no such ifnet", argv[0]);
	ifnet_show(v->out, ifp);
	return 0;
}
SHOW_DEFINE(ifnet, "ifnet", "HANDLE | NAME", show_ifnet);
