/* netisr: dispatch and queues, their bounds and counters, one worker and many. */
#include "kern_fixture.h"

#include "base/mbuf.h"
#include "base/sched.h"
#include "kern/drop.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

/* All that netisr knows of an interface is its stack. */
struct ifnet {
	struct vnet *vnet;
	uint32_t drained;
};

static struct vnet *
vnet_of(const struct ifnet *ifp)
{
	return ifp->vnet;
}

static struct ifnet em0, em1;
static char log_text[1024];
static uint32_t requeue;

/* Writes "first..last" of the packets' lengths, and the stack. */
static void
note(const char *proto, struct batch *b)
{
	char line[64];

	assert_true(b->n > 0);
	batch_foreach(b, m) {
		assert_ptr_equal(m->rcvif, b->m[0]->rcvif);
		assert_ptr_equal(m->rcvif->vnet, curvnet);
	}
	snprintf(line, sizeof(line), "%s:%u", proto, b->m[0]->len);
	strcat(log_text, line);
	if (b->n > 1) {
		snprintf(line, sizeof(line), "-%u", b->m[b->n - 1]->len);
		strcat(log_text, line);
	}
	strcat(log_text, curvnet == vnet0 ? " " : "* ");
}

static void
ip_handler(struct batch *b)
{
	note("ip", b);
	if (requeue > 0) {
		struct mbuf *m = m_get(90 + requeue--);

		m->rcvif = &em0;
		assert_true(netisr_queue(NETISR_IP, m));
		/* The walk that is under way ends first. */
		assert_false(netisr_run());
	}
	batch_free(b);
}

static void
arp_handler(struct batch *b)
{
	note("arp", b);
	batch_free(b);
}

static void
drained(struct ifnet *rcvif, uint32_t n)
{
	rcvif->drained += n;
}

static const struct netisr_handler ip = { .name = "ip",
	.proto = NETISR_IP,
	.policy = NETISR_POLICY_FLOW,
	.handler = ip_handler,
	.drained = drained };
static const struct netisr_handler arp = { .name = "arp",
	.proto = NETISR_ARP,
	.policy = NETISR_POLICY_SOURCE,
	.qlimit = 4,
	.handler = arp_handler };

static int
netisr_setup(void **state)
{
	kern_setup(state);
	netisr_rcvif_vnet = vnet_of;
	em0 = (struct ifnet){ .vnet = vnet0 };
	em1 = (struct ifnet){ .vnet = vnet0 };
	log_text[0] = '\0';
	requeue = 0;
	assert_int_equal(netisr_register(&ip), 0);
	assert_int_equal(netisr_register(&arp), 0);
	return 0;
}
#define NETISR_TEST(fn) cmocka_unit_test_setup_teardown(fn, netisr_setup, kern_teardown)

static struct mbuf *
packet(struct ifnet *rcvif, uint32_t len)
{
	struct mbuf *m = m_get(len);

	m->rcvif = rcvif;
	return m;
}

/* n packets of lengths from, from + 1, … */
static void
fill(struct batch *b, struct ifnet *rcvif, uint32_t from, uint32_t n)
{
	b->n = 0;
	for (uint32_t i = 0; i < n; i++)
		batch_add(b, packet(rcvif, from + i));
}

static struct sysctl_netisr_work
counters(uint32_t proto)
{
	static struct sysctl_netisr_work work[WORKERS_MAX * NETISR_MAXPROT];
	size_t len = sizeof(work);

	assert_int_equal(sysctl_read_opaque(sysctl_find("net.isr.work"), work, &len), 0);
	for (size_t i = 0; i < len / sizeof(work[0]); i++)
		if (work[i].wsid == 0 && work[i].proto == proto)
			return work[i];
	fail();
	return work[0];
}

static void
test_direct_dispatch_handles_a_batch_at_once(void **state)
{
	struct batch b;

	(void)state;
	fill(&b, &em0, 1, 3);
	netisr_dispatch(NETISR_IP, &b);
	assert_int_equal(b.n, 0);
	assert_string_equal(log_text, "ip:1-3 ");
	assert_int_equal(counters(NETISR_IP).dispatched, 3);
	assert_int_equal(counters(NETISR_IP).handled, 3);
	assert_int_equal(counters(NETISR_IP).queued, 0);
	assert_int_equal(em0.drained, 0);
	assert_false(netisr_run());
}

static void
test_deferred_packets_wait_for_the_end_of_the_walk(void **state)
{
	struct batch b;

	(void)state;
	expect_line("sysctl net.isr.dispatch=deferred", 0, NULL, "");
	expect_line("sysctl -n net.isr.direct net.isr.direct_force", 0, "0\n0\n", "");
	fill(&b, &em0, 1, 3);
	netisr_dispatch(NETISR_IP, &b);
	assert_int_equal(b.n, 0);
	assert_string_equal(log_text, "");
	assert_int_equal(counters(NETISR_IP).len, 3);
	assert_true(netisr_run());
	assert_string_equal(log_text, "ip:1-3 ");
	assert_int_equal(em0.drained, 3);
	assert_int_equal(counters(NETISR_IP).queued, 3);
	assert_int_equal(counters(NETISR_IP).watermark, 3);
	assert_int_equal(counters(NETISR_IP).len, 0);
	assert_false(netisr_run());
}

static void
test_hybrid_dispatches_unless_something_waits(void **state)
{
	struct batch b;

	(void)state;
	expect_line("sysctl net.isr.direct_force=0", 0, "net.isr.direct_force: 1 -> 0\n", "");
	expect_line("sysctl net.isr.dispatch", 0, "net.isr.dispatch: hybrid\n", "");
	fill(&b, &em0, 1, 2);
	netisr_dispatch(NETISR_IP, &b);
	assert_int_equal(counters(NETISR_IP).hybrid_dispatched, 2);
	assert_true(netisr_queue(NETISR_IP, packet(&em0, 3)));
	fill(&b, &em0, 4, 2);
	netisr_dispatch(NETISR_IP, &b);
	assert_string_equal(log_text, "ip:1-2 ");
	netisr_run();
	assert_string_equal(log_text, "ip:1-2 ip:3-5 ");
}

static void
test_queue_order_is_kept_over_protocols_and_interfaces(void **state)
{
	(void)state;
	netisr_queue(NETISR_IP, packet(&em0, 1));
	netisr_queue(NETISR_IP, packet(&em0, 2));
	netisr_queue(NETISR_ARP, packet(&em0, 3));
	netisr_queue(NETISR_IP, packet(&em1, 4));
	netisr_queue(NETISR_IP, packet(&em0, 5));
	requeue = 1;
	netisr_run();
	assert_string_equal(log_text, "ip:1-2 arp:3 ip:4 ip:5-91 ");
	assert_int_equal(em0.drained, 4);
	assert_int_equal(em1.drained, 1);
}

static void
test_queued_packets_run_in_the_stack_of_their_interface(void **state)
{
	(void)state;
	em1.vnet = prison_create(NULL, "a", true)->vnet;
	netisr_queue(NETISR_IP, packet(&em0, 1));
	netisr_queue(NETISR_IP, packet(&em1, 2));
	netisr_run();
	assert_string_equal(log_text, "ip:1 ip:2* ");
	assert_ptr_equal(curvnet, vnet0);
}

static void
test_full_queue_refuses_and_counts_and_takes_nothing(void **state)
{
	struct mbuf *m = packet(&em0, 5);
	struct batch b;

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		assert_true(netisr_queue(NETISR_ARP, packet(&em0, i)));
	assert_false(netisr_queue(NETISR_ARP, m));
	assert_int_equal(counters(NETISR_ARP).qdrops, 1);
	m_free(m);
	expect_line("sysctl net.isr.dispatch=deferred", 0, NULL, "");
	fill(&b, &em0, 6, 2);
	netisr_dispatch(NETISR_ARP, &b);
	assert_int_equal(counters(NETISR_ARP).qdrops, 3);
	assert_int_equal(drop_get(vnet0, drop_find("netisr.queue")), 2);
	netisr_run();
	assert_string_equal(log_text, "arp:1-4 ");
}

static void
test_batches_from_the_queue_hold_at_most_a_batch(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 130; i++)
		netisr_queue(NETISR_IP, packet(&em0, i));
	netisr_run();
	assert_string_equal(log_text, "ip:1-64 ip:65-128 ip:129-130 ");
}

static void
test_purge_takes_out_one_interface_and_keeps_the_order_of_the_rest(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 6; i++)
		netisr_queue(NETISR_IP, packet(i % 2 ? &em0 : &em1, i));
	netisr_purge(&em0);
	assert_int_equal(em0.drained, 3);
	assert_int_equal(counters(NETISR_IP).len, 3);
	netisr_run();
	assert_string_equal(log_text, "ip:2-6 ");
	assert_int_equal(m_live(), 0);
}

static void
test_end_of_a_stack_takes_its_packets_out(void **state)
{
	struct prison *pr = prison_create(NULL, "a", true);

	(void)state;
	em1.vnet = pr->vnet;
	netisr_queue(NETISR_IP, packet(&em1, 1));
	netisr_queue(NETISR_IP, packet(&em0, 2));
	prison_remove(pr);
	netisr_run();
	assert_string_equal(log_text, "ip:2 ");
}

static void
test_packets_without_a_handler_are_dropped_and_counted(void **state)
{
	struct mbuf *m = packet(&em0, 1);
	struct batch b;

	(void)state;
	fill(&b, &em0, 1, 2);
	netisr_dispatch(NETISR_IPV6, &b);
	assert_int_equal(drop_get(vnet0, drop_find("netisr.proto")), 2);
	assert_false(netisr_queue(NETISR_IPV6, m));
	m_free(m);
	netisr_queue(NETISR_IP, packet(&em0, 1));
	netisr_unregister(&ip);
	assert_int_equal(m_live(), 0);
	assert_false(netisr_run());
}

static void
test_registration_checks_slot_and_handler(void **state)
{
	struct netisr_handler h = ip;

	(void)state;
	assert_int_equal(netisr_register(&h), -EEXIST);
	h.proto = 0;
	assert_int_equal(netisr_register(&h), -EINVAL);
	h.proto = NETISR_MAXPROT;
	assert_int_equal(netisr_register(&h), -EINVAL);
	h.proto = NETISR_MAXPROT - 1;
	h.handler = NULL;
	assert_int_equal(netisr_register(&h), -EINVAL);
	assert_int_equal(netisr_qlimit(NETISR_IP), 256);
	assert_int_equal(netisr_qlimit(NETISR_ARP), 4);
	assert_int_equal(netisr_qlimit(NETISR_IPV6), 0);
	assert_int_equal(netisr_set_qlimit(NETISR_IP, 10240), 0);
	assert_int_equal(netisr_set_qlimit(NETISR_IP, 10241), -EINVAL);
	assert_int_equal(netisr_set_qlimit(NETISR_IP, 0), -EINVAL);
	assert_int_equal(netisr_set_qlimit(NETISR_IPV6, 5), -ENOENT);
	assert_int_equal(netisr_qlimit(NETISR_IP), 10240);
}

static void
test_scheduler_drains_the_queues(void **state)
{
	(void)state;
	assert_ptr_equal(sched_drain, netisr_run);
}

static void
test_b26_netstat_prints_what_the_exported_arrays_say(void **state)
{
	struct batch b;

	(void)state;
	expect_line("sysctl net.isr.maxprot", 0, "net.isr.maxprot: 16\n", "");
	expect_line(
	    "sysctl net.isr.maxprot=17", 1, "", "sysctl: oid 'net.isr.maxprot' is read only\n");
	fill(&b, &em0, 1, 5);
	netisr_dispatch(NETISR_IP, &b);
	netisr_queue(NETISR_ARP, packet(&em0, 1));
	netisr_run();
	expect_line("netstat -Q", 0,
	    "Configuration:\n"
	    "Setting                        Current        Limit\n"
	    "Thread count                         1            1\n"
	    "Default queue limit                256        10240\n"
	    "Direct dispatch                enabled          n/a\n"
	    "Forced direct dispatch         enabled          n/a\n"
	    "Threads bound to CPUs         disabled          n/a\n"
	    "\n"
	    "Protocols:\n"
	    "Name   Proto QLimit Policy Flags\n"
	    "ip         1    256   flow   -D-\n"
	    "arp        7      4 source   ---\n"
	    "\n"
	    "Workstreams:\n"
	    "WSID CPU   Name     Len WMark   Disp'd  HDisp'd   QDrops   Queued  Handled\n"
	    "   0   0   ip         0     0        5        0        0        0        5\n"
	    "   0   0   arp        0     1        0        0        0        1        1\n",
	    "");
	assert_true(says("netstat -Q", true, "\"protocol\":[{\"name\":\"ip\",\"proto\":1,"));
	assert_true(says("show netisr", false,
	    "CPU  Proto   Len WMark   Max     Disp    HDisp     Drop    Queue\n"
	    "  0     ip     0     0   256        5        0        0        0\n"
	    "       arp     0     1     4        0        0        0        1\n"));
}

static struct netisr_handler slots[NETISR_MAXPROT];

static void
test_b28_all_protocol_slots_can_be_registered_and_exported(void **state)
{
	struct sysctl_netisr_proto array[NETISR_MAXPROT];
	size_t len;

	(void)state;
	for (uint32_t p = 1; p < NETISR_MAXPROT; p++) {
		slots[p] = arp;
		slots[p].name = "slot";
		slots[p].proto = (enum netisr_proto_id)p;
		assert_int_equal(
		    netisr_register(&slots[p]), p == NETISR_IP || p == NETISR_ARP ? -EEXIST : 0);
	}
	len = sizeof(array);
	assert_int_equal(sysctl_read_opaque(sysctl_find("net.isr.proto"), array, &len), 0);
	assert_int_equal(len, (NETISR_MAXPROT - 1) * sizeof(array[0]));
	assert_int_equal(array[14].proto, NETISR_MAXPROT - 1);
	expect_line("sysctl -A", 0, NULL, "");
	expect_line("netstat -Q", 0, NULL, "");
}

/* One protocol, two … to the last free slot: each time the arrays hold exactly so many. */
static void
test_b28_exports_hold_one_to_the_most_protocols(void **state)
{
	struct sysctl_netisr_proto array[NETISR_MAXPROT];
	struct sysctl_netisr_work work[NETISR_MAXPROT];

	(void)state;
	netisr_unregister(&ip);
	netisr_unregister(&arp);
	for (uint32_t n = 1; n < NETISR_MAXPROT; n++) {
		size_t len = sizeof(array), work_len = sizeof(work);

		slots[n] = arp;
		slots[n].proto = (enum netisr_proto_id)n;
		assert_int_equal(netisr_register(&slots[n]), 0);
		assert_int_equal(sysctl_read_opaque(sysctl_find("net.isr.proto"), array, &len), 0);
		assert_int_equal(len, n * sizeof(array[0]));
		assert_int_equal(
		    sysctl_read_opaque(sysctl_find("net.isr.work"), work, &work_len), 0);
		assert_int_equal(work_len, n * sizeof(work[0]));
		assert_int_equal(work[n - 1].proto, n);
		expect_line("sysctl -aox", 0, NULL, "");
		expect_line("netstat -Q", 0, NULL, "");
		expect_line("show netisr", 0, NULL, "");
	}
}

static pthread_barrier_t barrier;

static void *
idle_worker(void *arg)
{
	assert_non_null(worker_attach((uint32_t)(uintptr_t)arg, CLOCK_VIRTUAL));
	assert_int_equal(netisr_worker_attach(), 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	netisr_worker_detach();
	worker_detach();
	return NULL;
}

static void
check_with_workers(uint32_t n)
{
	struct sysctl_netisr_workstream ws[WORKERS_MAX];
	pthread_t thread[WORKERS_MAX];
	size_t len = sizeof(ws), protos;
	char expected[16];

	pthread_barrier_init(&barrier, NULL, n);
	for (uint32_t i = 1; i < n; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, idle_worker, (void *)(uintptr_t)i), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(sysctl_read_opaque(sysctl_find("net.isr.workstream"), ws, &len), 0);
	assert_int_equal(len, n * sizeof(ws[0]));
	assert_int_equal(ws[n - 1].wsid, n - 1);
	snprintf(expected, sizeof(expected), "%u\n", n);
	expect_line("sysctl -n net.isr.numthreads", 0, expected, "");
	expect_line("sysctl -A", 0, NULL, "");
	expect_line("netstat -Q", 0, NULL, "");
	expect_line("show netisr", 0, NULL, "");
	len = 0;
	assert_int_equal(sysctl_read_opaque(sysctl_find("net.isr.proto"), NULL, &len), 0);
	protos = len / sizeof(struct sysctl_netisr_proto);
	len = 0;
	assert_int_equal(sysctl_read_opaque(sysctl_find("net.isr.work"), NULL, &len), 0);
	assert_int_equal(len, n * protos * sizeof(struct sysctl_netisr_work));
	pthread_barrier_wait(&barrier);
	for (uint32_t i = 1; i < n; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&barrier);
}

static void
test_b28_exports_hold_one_to_the_most_workers(void **state)
{
	(void)state;
	check_with_workers(1);
	check_with_workers(2);
	check_with_workers(WORKERS_MAX - 1);
	check_with_workers(WORKERS_MAX);
	/* and with a full table of protocols, where the array of both is as large as it gets */
	for (uint32_t p = 1; p < NETISR_MAXPROT; p++) {
		slots[p] = arp;
		slots[p].proto = (enum netisr_proto_id)p;
		netisr_register(&slots[p]);
	}
	check_with_workers(1);
	check_with_workers(WORKERS_MAX);
}

/* Packets that belong on worker 1, sent from worker 0. */
enum { CROSSING = 1000 };
static uint32_t crossed, out_of_order;
static uint32_t stop_worker; /* atomic */

static uint32_t
to_worker_1(struct mbuf *m)
{
	(void)m;
	return 1;
}

static void
crossing_handler(struct batch *b)
{
	batch_foreach(b, m)
		if (m->len != ++crossed || curworker->id != 1)
			out_of_order++;
	batch_free(b);
}

static const struct netisr_handler crossing = { .name = "crossing",
	.proto = NETISR_ETHER,
	.policy = NETISR_POLICY_CPU,
	.qlimit = 100,
	.handler = crossing_handler,
	.m2cpu = to_worker_1 };

static void *
busy_worker(void *arg)
{
	(void)arg;
	worker_attach(1, CLOCK_VIRTUAL);
	netisr_worker_attach();
	pthread_barrier_wait(&barrier);
	while (!__atomic_load_n(&stop_worker, __ATOMIC_ACQUIRE))
		netisr_run();
	while (netisr_run())
		continue;
	netisr_worker_detach();
	worker_detach();
	return NULL;
}

static void
test_packets_cross_to_another_worker_in_order(void **state)
{
	pthread_t thread;

	(void)state;
	crossed = out_of_order = 0;
	stop_worker = 0;
	assert_int_equal(netisr_register(&crossing), 0);
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, busy_worker, NULL), 0);
	pthread_barrier_wait(&barrier);
	for (uint32_t i = 1; i <= CROSSING; i++) {
		struct mbuf *m = packet(&em0, i);

		while (!netisr_queue(NETISR_ETHER, m))
			sched_yield();
	}
	__atomic_store_n(&stop_worker, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(crossed, CROSSING);
	assert_int_equal(out_of_order, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NETISR_TEST(test_direct_dispatch_handles_a_batch_at_once),
		NETISR_TEST(test_deferred_packets_wait_for_the_end_of_the_walk),
		NETISR_TEST(test_hybrid_dispatches_unless_something_waits),
		NETISR_TEST(test_queue_order_is_kept_over_protocols_and_interfaces),
		NETISR_TEST(test_queued_packets_run_in_the_stack_of_their_interface),
		NETISR_TEST(test_full_queue_refuses_and_counts_and_takes_nothing),
		NETISR_TEST(test_batches_from_the_queue_hold_at_most_a_batch),
		NETISR_TEST(test_purge_takes_out_one_interface_and_keeps_the_order_of_the_rest),
		NETISR_TEST(test_end_of_a_stack_takes_its_packets_out),
		NETISR_TEST(test_packets_without_a_handler_are_dropped_and_counted),
		NETISR_TEST(test_registration_checks_slot_and_handler),
		NETISR_TEST(test_scheduler_drains_the_queues),
		NETISR_TEST(test_b26_netstat_prints_what_the_exported_arrays_say),
		NETISR_TEST(test_b28_all_protocol_slots_can_be_registered_and_exported),
		NETISR_TEST(test_b28_exports_hold_one_to_the_most_protocols),
		NETISR_TEST(test_b28_exports_hold_one_to_the_most_workers),
		NETISR_TEST(test_packets_cross_to_another_worker_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
