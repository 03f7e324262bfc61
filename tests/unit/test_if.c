/* The life of an interface: into a stack, through changes, to other stacks, out again. */
#include "net_fixture.h"

#include "base/callout.h"
#include "kern/eventhandler.h"
#include "net/bpf.h"
#include "net/lltable.h"

/* A family whose attach fails when it is told to, with a timer that uses the table. */
static struct {
	int attaches, detaches, purges, linkchanges;
	int fail; /* so many attaches to come fail */
	enum af_state state_in_attach, state_in_detach;
	bool data_in_detach;
	int ticks;
} family;

struct family_data {
	struct ifnet *ifp;
	struct callout timer;
};

static void
family_tick(void *arg)
{
	struct family_data *d = arg;

	family.ticks++;
	assert_int_equal(d->ifp->if_afstate[AF_SLOT_INET], AF_READY);
	assert_ptr_equal(d->ifp->if_afdata[AF_SLOT_INET], d);
	callout_reset(&d->timer, NS_PER_MS);
}

static void *
family_attach(struct ifnet *ifp)
{
	struct family_data *d;

	family.attaches++;
	family.state_in_attach = ifp->if_afstate[AF_SLOT_INET];
	assert_null(ifp->if_afdata[AF_SLOT_INET]);
	if (family.fail > 0) {
		family.fail--;
		return NULL;
	}
	d = vnet_malloc(sizeof(*d));
	d->ifp = ifp;
	callout_init(&d->timer, curvnet, family_tick, d);
	callout_reset(&d->timer, NS_PER_MS);
	return d;
}

static void
family_detach(struct ifnet *ifp, void *data)
{
	struct family_data *d = data;

	family.detaches++;
	family.state_in_detach = ifp->if_afstate[AF_SLOT_INET];
	family.data_in_detach = ifp->if_afdata[AF_SLOT_INET] != NULL;
	callout_drain(&d->timer);
	vnet_free(d);
}

static void
family_purge(struct ifnet *ifp)
{
	assert_int_equal(ifp->if_afstate[AF_SLOT_INET], AF_READY);
	family.purges++;
}

static void
family_linkchange(struct ifnet *ifp)
{
	(void)ifp;
	family.linkchanges++;
}

AF_DOMAIN_DEFINE(test_family, .slot = AF_SLOT_INET, .attach = family_attach,
    .detach = family_detach, .purge = family_purge, .linkchange = family_linkchange);

/*
 * What the events said, a letter each: a(rrival) d(eparture) l(laddr) k(link); upper case while
 * renaming.
 */
static char said[64];
static struct event_tag *tags[4];
static char name_at_departure[IFNAMSIZ_], name_at_arrival[IFNAMSIZ_];

static void
hear(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	char letter = *(const char *)ctx;

	(void)arg2;
	assert_ptr_equal(ifp->if_vnet, curvnet);
	if (letter == 'd')
		memcpy(name_at_departure, ifp->if_xname, IFNAMSIZ_);
	if (letter == 'a')
		memcpy(name_at_arrival, ifp->if_xname, IFNAMSIZ_);
	if (ifp->if_flags & IFF_RENAMING_)
		letter = (char)(letter - 'a' + 'A');
	if (strlen(said) < sizeof(said) - 1)
		strncat(said, &letter, 1);
}

static int
if_setup(void **state)
{
	static const char *const events[] = { "ifnet_arrival", "ifnet_departure", "iflladdr_event",
		"iflink_event" };

	net_setup(state);
	memset(&family, 0, sizeof(family));
	for (int i = 0; i < 4; i++)
		event_register(
		    &tags[i], events[i], EVENT_HERE, hear, (char *[]){ "a", "d", "l", "k" }[i], 0);
	said[0] = '\0';
	return 0;
}

static int
if_teardown(void **state)
{
	for (int i = 0; i < 4; i++)
		event_deregister(&tags[i]);
	return net_teardown(state);
}
#define IF_TEST(fn) cmocka_unit_test_setup_teardown(fn, if_setup, if_teardown)

static struct mbuf *last_sent;

static void
driver_transmit(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m) {
		m_free(last_sent);
		last_sent = m;
	}
	b->n = 0;
}

static struct ifnet *
driver_attach(const char *name, int unit)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, name, unit);

	ifp->if_transmit = driver_transmit;
	assert_int_equal(ether_attach(ifp, (const uint8_t[6]){ 2, 0, 0, 1, 0, (uint8_t)unit }), 0);
	return ifp;
}

static void
driver_detach(struct ifnet *ifp)
{
	if_detach(ifp);
	if_free(ifp);
	m_free(last_sent);
	last_sent = NULL;
}

static void
test_names_and_indexes_are_found_in_small_and_large_stacks(void **state)
{
	struct ifnet *ifs[300];
	char name[16];

	(void)state;
	for (int i = 0; i < 300; i++)
		ifs[i] = driver_attach("em", i);
	assert_int_equal(curvnet->ifcnt, 301);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "em%d", i);
		assert_ptr_equal(if_byname(name), ifs[i]);
		assert_int_equal(ifs[i]->if_index, i + 2);
		assert_ptr_equal(if_byindex((uint32_t)i + 2), ifs[i]);
	}
	assert_null(if_byname("em300"));
	assert_null(if_byindex(0));
	assert_null(if_byindex(302));
	/* The lowest free index is given next, and the list stays sorted by it. */
	for (int i = 10; i < 20; i++)
		driver_detach(ifs[i]);
	for (int i = 19; i >= 10; i--)
		ifs[i] = driver_attach("em", i);
	assert_int_equal(ifs[19]->if_index, 12);
	struct ifnet *ifp;
	uint32_t last = 0;
	IF_FOREACH(ifp) {
		assert_true(ifp->if_index > last);
		last = ifp->if_index;
	}
	for (int i = 0; i < 300; i++)
		driver_detach(ifs[i]);
	assert_int_equal(curvnet->ifcnt, 1);
}

static void
test_a_name_is_taken_once(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0), *second = if_alloc(IFT_ETHER_, "em", 0);

	(void)state;
	assert_int_equal(if_attach(second), -EEXIST);
	if_free(second);
	driver_detach(em0);
}

static void
test_up_and_down_are_told_to_families_and_listeners(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0);

	(void)state;
	assert_int_equal(if_up(em0), 0);
	assert_int_equal(if_up(em0), 0);
	assert_int_equal(em0->if_flags & (IFF_UP_ | IFF_RUNNING_), IFF_UP_ | IFF_RUNNING_);
	assert_int_equal(if_down(em0), 0);
	assert_int_equal(em0->if_flags & (IFF_UP_ | IFF_RUNNING_), 0);
	assert_int_equal(family.linkchanges, 2);
	if_link_state_change(em0, LINK_STATE_UP);
	if_link_state_change(em0, LINK_STATE_UP);
	assert_string_equal(said, "akkk");
	driver_detach(em0);
	assert_string_equal(said, "akkkd");
}

static void
test_frames_on_an_interface_that_is_down_are_drops(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0);

	(void)state;
	transmit(em0, frame(somebody, em0->if_lladdr, ETHERTYPE_IP_, 0, 46));
	assert_null(last_sent);
	assert_int_equal(drop_get(curvnet, &DROP_IF_DOWN), 1);
	assert_int_equal(em0->if_data.oerrors, 1);
	if_up(em0);
	transmit(em0, frame(somebody, em0->if_lladdr, ETHERTYPE_IP_, 0, 46));
	assert_non_null(last_sent);
	assert_int_equal(em0->if_data.opackets, 1);
	assert_int_equal(em0->if_data.obytes, 60);
	driver_detach(em0);
}

static void
test_b42_a_rename_is_departure_and_arrival_with_a_flag(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0), *em1 = driver_attach("em", 1);

	(void)state;
	said[0] = '\0';
	assert_int_equal(if_rename(em0, "wan"), 0);
	assert_string_equal(said, "DA");
	assert_string_equal(name_at_departure, "em0");
	assert_string_equal(name_at_arrival, "wan");
	assert_false(em0->if_flags & IFF_RENAMING_);
	assert_ptr_equal(if_byname("wan"), em0);
	assert_null(if_byname("em0"));
	assert_int_equal(if_rename(em1, "wan"), -EEXIST);
	assert_int_equal(if_rename(em1, ""), -EINVAL);
	assert_int_equal(if_rename(em1, "a name"), -EINVAL);
	assert_int_equal(if_rename(em1, "sixteen-letters-"), -EINVAL);
	assert_string_equal(em1->if_xname, "em1");
	driver_detach(em0);
	driver_detach(em1);
}

static int handler_depth;

static void
set_stacked_address(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *parent = arg1;

	(void)arg2;
	assert_true(handler_depth++ < 10);
	if (parent != ctx)
		if_set_lladdr(ctx, parent->if_lladdr);
	else
		if_set_lladdr(parent, parent->if_lladdr);
}

static void
test_b38_a_handler_that_sets_a_stacked_address_ends(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0), *vlan0 = driver_attach("vlan", 0);
	const uint8_t other[6] = { 2, 0, 0, 0, 0, 0x99 };
	struct event_tag *tag = NULL;

	(void)state;
	event_register(
	    &tag, "iflladdr_event", EVENT_HERE, set_stacked_address, vlan0, EVENT_PRI_ANY);
	handler_depth = 0;
	assert_int_equal(if_set_lladdr(em0, other), 0);
	assert_memory_equal(vlan0->if_lladdr, other, 6);
	assert_int_equal(handler_depth, 2);
	assert_int_equal(if_set_lladdr(em0, (const uint8_t[6]){ 1, 0, 0, 0, 0, 1 }), -EINVAL);
	assert_int_equal(if_set_lladdr(V_loif, other), -EINVAL);
	event_deregister(&tag);
	driver_detach(em0);
	driver_detach(vlan0);
}

static void
test_b08_a_buffer_too_small_for_the_description_is_success(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0);
	char text[201], buf[201] = "untouched", longer[1100];
	size_t len = 64;
	bool fits = true;

	(void)state;
	memset(text, 'x', 200);
	text[200] = '\0';
	assert_int_equal(if_get_description(em0, buf, &len, &fits), -ENOMSG);
	assert_int_equal(if_set_description(em0, text), 0);
	assert_int_equal(if_get_description(em0, buf, &len, &fits), 0);
	assert_false(fits);
	assert_int_equal(len, 201);
	assert_string_equal(buf, "untouched");
	assert_int_equal(if_get_description(em0, buf, &len, &fits), 0);
	assert_true(fits);
	assert_string_equal(buf, text);
	memset(longer, 'y', sizeof(longer));
	longer[1024] = '\0';
	assert_int_equal(if_set_description(em0, longer), -ENAMETOOLONG);
	longer[1023] = '\0';
	assert_int_equal(if_set_description(em0, longer), 0);
	if_descr_maxlen = 10;
	assert_int_equal(strlen(em0->if_description), 1023);
	assert_true(says("ifconfig em0", false, longer)); /* once set it can be read */
	if_descr_maxlen = IF_DESCR_DEFAULT_MAX;
	assert_int_equal(if_set_description(em0, ""), 0);
	assert_null(em0->if_description);
	driver_detach(em0);
}

static void
test_b12_a_family_that_fails_is_not_attached_and_can_be_asked_again(void **state)
{
	struct ifnet *em0 = if_alloc(IFT_ETHER_, "em", 0);
	struct prison *jail = prison_create(&prison0, "j", true);

	(void)state;
	em0->if_transmit = driver_transmit;
	said[0] = '\0';
	family.fail = 1;
	assert_int_equal(if_attach(em0), -ENOMEM);
	assert_int_equal(family.state_in_attach, AF_ATTACHING);
	assert_int_equal(em0->if_afstate[AF_SLOT_INET], AF_EMPTY);
	assert_null(em0->if_afdata[AF_SLOT_INET]);
	assert_null(if_byname("em0"));
	assert_string_equal(said, "");
	assert_int_equal(if_attach(em0), 0);
	assert_int_equal(em0->if_afstate[AF_SLOT_INET], AF_READY);
	/*
	 * A move that fails there, and then here too: an interface without the family, no wild
	 * pointer.
	 */
	family.fail = 2;
	assert_int_equal(if_vmove(em0, jail->vnet), -ENOMEM);
	assert_ptr_equal(em0->if_vnet, curvnet);
	assert_ptr_equal(if_byname("em0"), em0);
	assert_int_equal(em0->if_afstate[AF_SLOT_INET], AF_EMPTY);
	assert_null(em0->if_afdata[AF_SLOT_INET]);
	family.fail = 1;
	assert_int_equal(if_up(em0), -ENOMEM);
	assert_false(em0->if_flags & IFF_UP_);
	assert_int_equal(if_up(em0), 0);
	assert_int_equal(em0->if_afstate[AF_SLOT_INET], AF_READY);
	driver_detach(em0);
}

static void
test_b11_detach_drains_the_familys_timer_with_the_state_already_empty(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0);

	(void)state;
	sched_run(10 * NS_PER_MS + 1);
	assert_true(family.ticks >= 10);
	driver_detach(em0);
	assert_int_equal(family.purges, 1);
	assert_int_equal(family.detaches, 1);
	assert_int_equal(family.state_in_detach, AF_EMPTY);
	assert_false(family.data_in_detach);
	sched_run(20 * NS_PER_MS); /* lo0's timer goes on, em0's is gone: ASan would see it */
}

static void
test_moving_loses_addresses_families_and_queued_packets_and_keeps_the_name(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);
	struct bpf_listener listener = { .tap = NULL };
	struct ifnet *a, *b;

	(void)state;
	pair_up(&a, &b);
	said[0] = '\0';
	assert_int_equal(bpf_attach(&listener, b), 0);
	listener.tap = NULL;
	bpf_detach(&listener);
	transmit(a, frame_to_peer(a, 0));
	assert_int_equal(if_vmove(b, jail->vnet), 0);
	assert_int_equal(drop_get(vnet0, &DROP_IF_GONE), 1);
	assert_ptr_equal(b->if_vnet, jail->vnet);
	assert_ptr_equal(b->if_home_vnet, vnet0);
	assert_false(b->if_flags & IFF_UP_);
	assert_string_equal(b->if_xname, "epair0b");
	assert_null(if_byname("epair0b"));
	assert_int_equal(family.purges, 1);
	assert_int_equal(if_vmove(b, jail->vnet), -EEXIST);
	/* and where the name is taken, the driver's with the first free unit */
	struct ifnet *mine = if_alloc(IFT_ETHER_, "em", 0);
	mine->if_transmit = driver_transmit;
	snprintf(mine->if_xname, sizeof(mine->if_xname), "epair0b");
	assert_int_equal(if_attach(mine), 0);
	assert_int_equal(if_vmove(b, vnet0), 0);
	assert_string_equal(b->if_xname, "epair0");
	driver_detach(mine);
	if_clone_destroy(a);
}

static void
test_when_a_stack_ends_guests_go_home_and_clones_end(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);
	struct ifnet *em0 = driver_attach("em", 0), *a, *b, *c, *d;

	(void)state;
	assert_int_equal(epair_create(&a, &b), 0);
	assert_int_equal(if_vmove(em0, jail->vnet), 0);
	assert_int_equal(if_vmove(b, jail->vnet), 0);
	{
		VNET_SCOPE(jail->vnet);
		assert_int_equal(epair_create(&c, &d), 0);
		assert_string_equal(c->if_xname,
		    "epair1a"); /* units are a stack's own, but a guest has this name */
		assert_int_equal(if_rename(c, "inside"), 0);
		assert_int_equal(if_rename(d, "outside"), 0);
	}
	assert_int_equal(if_vmove(d, vnet0), 0);
	assert_int_equal(prison_remove(jail), 0);
	assert_ptr_equal(em0->if_vnet, vnet0);
	assert_ptr_equal(b->if_vnet, vnet0);
	assert_null(if_byname("outside"));
	assert_int_equal(curvnet->ifcnt, 4);
	driver_detach(em0);
	if_clone_destroy(b);
}

/* Both ends left the stack that made them: it ends, they stay where they are. */
static void
test_an_interface_that_outlives_its_home_is_at_home_where_it_is(void **state)
{
	struct prison *maker = prison_create(&prison0, "maker", true),
		      *user = prison_create(&prison0, "user", true);
	struct ifnet *a, *b, *x, *y;

	(void)state;
	{
		VNET_SCOPE(maker->vnet);
		assert_int_equal(epair_create(&a, &b), 0);
	}
	assert_int_equal(epair_create(&x, &y), 0);
	assert_int_equal(if_vmove(a, user->vnet), 0);
	assert_int_equal(if_rename(x, "x"), 0);
	assert_int_equal(if_rename(y, "y"), 0);
	assert_int_equal(if_vmove(b, vnet0), 0);
	assert_int_equal(prison_remove(maker), 0);
	assert_ptr_equal(a->if_home_vnet, user->vnet);
	assert_ptr_equal(b->if_home_vnet, vnet0);
	/* Destroying it frees no unit of its new home, which is x's. */
	assert_int_equal(if_clone_destroy(b), 0);
	assert_int_equal(epair_create(&a, &b), 0);
	assert_int_equal(a->if_dunit, 1);
	if_clone_destroy(a);
	if_clone_destroy(x);
}

static void
test_promiscuous_listeners_are_counted(void **state)
{
	struct ifnet *em0 = driver_attach("em", 0);

	(void)state;
	assert_int_equal(if_set_promisc(em0, false), -EINVAL);
	if_set_promisc(em0, true);
	if_set_promisc(em0, true);
	if_set_promisc(em0, false);
	assert_true(em0->if_flags & IFF_PROMISC_);
	if_set_promisc(em0, false);
	assert_false(em0->if_flags & IFF_PROMISC_);
	driver_detach(em0);
}

static void
test_b31_show_ifnets_and_ifnet(void **state)
{
	static const char *const fields[] = { "if_xname = em0", "if_dunit = 0",
		"if_description = uplink", "if_index = 2", "if_refcount = 1", "if_softc",
		"if_l2com", "if_vnet = 0x", "if_home_vnet = 0x", "if_pcount = 0",
		"if_flags = 00008802", "if_drv_flags = 00000000", "if_capabilities = 00000000",
		"if_capenable", "if_snd.ifq_head", "if_snd.ifq_tail", "if_snd.ifq_len = 0",
		"if_snd.ifq_maxlen = 50", "if_snd.ifq_drops = 0", "if_snd.ifq_drv_head",
		"if_snd.ifq_drv_len", "if_snd.altq_type", "if_snd.altq_flags" };
	struct prison *jail = prison_create(&prison0, "j", true);
	struct ifnet *em0 = driver_attach("em", 0);
	char line[64], *out, *err;

	(void)state;
	if_set_description(em0, "uplink");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_true(says("show ifnet em0", false, fields[i]));
	/* A handle printed in the list is taken by show ifnet. */
	assert_true(says("show all ifnets", false, "vnet=0x"));
	assert_true(says("show ifnets", false, "(j)\n  lo0 ifp=0x"));
	snprintf(line, sizeof(line), "show ifnet %p", (void *)em0);
	assert_true(says(line, false, "if_xname = em0"));
	assert_int_equal(verb_line(NULL, "show ifnet 0x123", false, &out, &err), 1);
	assert_string_equal(err, "show: 0x123: no such ifnet\n");
	free(out);
	free(err);
	assert_true(says("show ifnet em0", true, "\"if_mtu\":1500"));
	(void)jail;
	driver_detach(em0);
}

static void
test_ten_thousand_pairs_in_one_stack_come_and_go(void **state)
{
	enum { PAIRS = 10000 };
	static struct ifnet *a[PAIRS];
	struct ifnet *b;

	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		assert_int_equal(epair_create(&a[i], &b), 0);
		assert_int_equal(a[i]->if_dunit, i);
	}
	assert_ptr_equal(if_byname("epair9999a"), a[PAIRS - 1]);
	for (int i = 0; i < PAIRS; i++)
		assert_int_equal(if_clone_destroy(a[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IF_TEST(test_names_and_indexes_are_found_in_small_and_large_stacks),
		IF_TEST(test_a_name_is_taken_once),
		IF_TEST(test_up_and_down_are_told_to_families_and_listeners),
		IF_TEST(test_frames_on_an_interface_that_is_down_are_drops),
		IF_TEST(test_b42_a_rename_is_departure_and_arrival_with_a_flag),
		IF_TEST(test_b38_a_handler_that_sets_a_stacked_address_ends),
		IF_TEST(test_b08_a_buffer_too_small_for_the_description_is_success),
		IF_TEST(test_b12_a_family_that_fails_is_not_attached_and_can_be_asked_again),
		IF_TEST(test_b11_detach_drains_the_familys_timer_with_the_state_already_empty),
		IF_TEST(test_moving_loses_addresses_families_and_queued_packets_and_keeps_the_name),
		IF_TEST(test_when_a_stack_ends_guests_go_home_and_clones_end),
		IF_TEST(test_an_interface_that_outlives_its_home_is_at_home_where_it_is),
		IF_TEST(test_promiscuous_listeners_are_counted),
		IF_TEST(test_b31_show_ifnets_and_ifnet),
		NET_TEST(test_ten_thousand_pairs_in_one_stack_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
