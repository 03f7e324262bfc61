/*
 * netisr_show.c - what netisr exports: the arrays behind net.isr.proto, net.isr.workstream and
 * net.isr.work, and their readers `netstat -Q` and `show netisr`.
 *
 * netstat reads through the sysctls and sizes its arrays by their answers, never by our constants:
 * so it can read what another build has saved (behaviours 26). Exactly WORKERS_MAX workstreams and NETISR_MAXPROT
 * protocols fit (behaviours 28).
 */
#include "kern/netisr_internal.h"
#include "kern/netstat.h"
#include "kern/show.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_M2CPU = 1, FLAG_DRAINED = 2, FLAG_M2FLOW = 4 };

/* Give out an array by the rule of opaque nodes: all of it or nothing, and always its size. */
static int export(struct sysctl_req *req, const void *array, size_t bytes)
{
	if (req->opaque != NULL && req->opaque_len >= bytes)
		memcpy(req->opaque, array, bytes);
	req->opaque_len = bytes;
	return 0;
}

static int
export_proto(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	struct sysctl_netisr_proto array[NETISR_MAXPROT] = {};
	size_t n = 0;

	(void)oid;
	for (uint32_t i = 0; i < NETISR_MAXPROT; i++) {
		const struct netisr_handler *h = netisr_proto[i];

		if (h == NULL)
			continue;
		snprintf(array[n].name, sizeof(array[n].name), "%s", h->name);
		array[n].proto = i;
		array[n].qlimit = netisr_proto_qlimit[i];
		array[n].policy = h->policy;
		array[n].flags = (h->m2cpu != NULL ? FLAG_M2CPU : 0u) |
		    (h->drained != NULL ? FLAG_DRAINED : 0u) |
		    (h->m2flow != NULL ? FLAG_M2FLOW : 0u);
		n++;
	}
	return export(req, array, n * sizeof(array[0]));
}
SYSCTL_PROC(netisr_proto, "net.isr.proto", SYSCTL_RD, SYSCTL_T_OPAQUE, export_proto,
    "array of the registered protocols");

static int
export_workstream(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	struct sysctl_netisr_workstream array[WORKERS_MAX] = {};
	size_t n = 0;

	(void)oid;
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		if (netisr_workstream[i] != NULL) {
			array[n].wsid = i;
			array[n].cpu = i;
			n++;
		}
	return export(req, array, n * sizeof(array[0]));
}
SYSCTL_PROC(netisr_workstream, "net.isr.workstream", SYSCTL_RD, SYSCTL_T_OPAQUE, export_workstream,
    "array of the workstreams");

static struct sysctl_netisr_work
work_read(const struct netisr_workstream *ws, uint32_t proto)
{
	const struct netisr_work *w = &ws->work[proto];

	return (struct sysctl_netisr_work){
		.wsid = ws->id,
		.proto = proto,
		.len = (uint32_t)count_get(&w->len) + w->remote_len,
		.watermark = (uint32_t)count_get(&w->watermark),
		.dispatched = count_get(&w->dispatched),
		.hybrid_dispatched = count_get(&w->hybrid_dispatched),
		.qdrops = count_get(&w->qdrops) + w->remote_qdrops,
		.queued = count_get(&w->queued) + w->remote_queued,
		.handled = count_get(&w->handled),
	};
}

static int
export_work(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	struct sysctl_netisr_work *array = calloc(WORKERS_MAX * NETISR_MAXPROT, sizeof(*array));
	size_t n = 0;

	(void)oid;
	if (array == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		for (uint32_t p = 0; netisr_workstream[i] != NULL && p < NETISR_MAXPROT; p++)
			if (netisr_proto[p] != NULL)
				array[n++] = work_read(netisr_workstream[i], p);
	export(req, array, n * sizeof(array[0]));
	free(array);
	return 0;
}
SYSCTL_PROC(netisr_work, "net.isr.work", SYSCTL_RD, SYSCTL_T_OPAQUE, export_work,
    "array of the counters of each protocol on each workstream");

static const char *const policies[] = { "default", "source", "flow", "cpu" };

static const char *
policy_name(uint32_t policy)
{
	return policy < sizeof(policies) / sizeof(policies[0]) ? policies[policy] : "-";
}

/* An opaque node's whole array, malloc'd; NULL if there is none. *n elements of `size` bytes. */
static void *
fetch(const char *name, size_t size, size_t *n)
{
	const struct sysctl_oid *oid = sysctl_find(name);
	size_t len = 0;
	void *array;

	*n = 0;
	if (oid == NULL || sysctl_read_opaque(oid, NULL, &len) != 0)
		return NULL;
	array = calloc(1, len + 1);
	if (array != NULL && sysctl_read_opaque(oid, array, &len) == 0)
		*n = len / size;
	return array;
}

static uint64_t
fetch_number(const char *name)
{
	const struct sysctl_oid *oid = sysctl_find(name);
	char text[32];

	if (oid == NULL || sysctl_read(oid, text, sizeof(text)) != 0)
		return 0;
	return strtoull(text, NULL, 10);
}

static void
print_limit(
    struct emitter *e, const char *label, const char *json, uint64_t current, uint64_t limit)
{
	emit_text(e, "%-25s", label);
	emit_uint(e, json, " %12" PRIu64, current);
	emit_text(e, " %12" PRIu64 "\n", limit);
}

static void
print_switch(struct emitter *e, const char *label, const char *json, const char *sysctl)
{
	bool on = fetch_number(sysctl) != 0;

	emit_text(e, "%-25s %12s %12s\n", label, on ? "enabled" : "disabled", "n/a");
	emit_bool(e, json, on);
}

static void
print_configuration(struct emitter *e)
{
	int64_t maxthreads = (int64_t)fetch_number("net.isr.maxthreads");

	emit_object(e, "configuration");
	emit_text(e, "Configuration:\n%-25s %12s %12s\n", "Setting", "Current", "Limit");
	print_limit(e, "Thread count", "thread-count", fetch_number("net.isr.numthreads"),
	    maxthreads < 1 ? 1 : (uint64_t)maxthreads);
	print_limit(e, "Default queue limit", "default-queue-limit",
	    fetch_number("net.isr.defaultqlimit"), fetch_number("net.isr.maxqlimit"));
	print_switch(e, "Direct dispatch", "direct-dispatch", "net.isr.direct");
	print_switch(e, "Forced direct dispatch", "forced-direct-dispatch", "net.isr.direct_force");
	print_switch(e, "Threads bound to CPUs", "threads-bound", "net.isr.bindthreads");
	emit_end(e);
}

static void
print_protocols(struct emitter *e, const struct sysctl_netisr_proto *array, size_t n)
{
	emit_text(e, "\nProtocols:\n%-6s %5s %6s %-6s %-5s\n", "Name", "Proto", "QLimit", "Policy",
	    "Flags");
	emit_list(e, "protocol");
	for (size_t i = 0; i < n; i++) {
		const struct sysctl_netisr_proto *p = &array[i];

		emit_object(e, NULL);
		emit_str(e, "name", "%-6s", p->name);
		emit_uint(e, "proto", " %5" PRIu64, p->proto);
		emit_uint(e, "queue-limit", " %6" PRIu64, p->qlimit);
		emit_str(e, "policy", " %6s", policy_name(p->policy));
		emit_text(e, "   %c%c%c\n", p->flags & FLAG_M2CPU ? 'C' : '-',
		    p->flags & FLAG_DRAINED ? 'D' : '-', p->flags & FLAG_M2FLOW ? 'F' : '-');
		emit_end(e);
	}
	emit_end(e);
}

static const char *
proto_name(const struct sysctl_netisr_proto *array, size_t n, uint32_t proto)
{
	for (size_t i = 0; i < n; i++)
		if (array[i].proto == proto)
			return array[i].name;
	return "-";
}

static void
print_work(struct emitter *e, const struct sysctl_netisr_work *w, const char *name, uint32_t cpu)
{
	emit_object(e, NULL);
	emit_uint(e, "workstream", "%4" PRIu64, w->wsid);
	emit_uint(e, "cpu", " %3" PRIu64, cpu);
	emit_text(e, "   ");
	emit_str(e, "name", "%-6s", name);
	emit_uint(e, "length", " %5" PRIu64, w->len);
	emit_uint(e, "watermark", " %5" PRIu64, w->watermark);
	emit_uint(e, "dispatched", " %8" PRIu64, w->dispatched);
	emit_uint(e, "hybrid-dispatched", " %8" PRIu64, w->hybrid_dispatched);
	emit_uint(e, "queue-drops", " %8" PRIu64, w->qdrops);
	emit_uint(e, "queued", " %8" PRIu64, w->queued);
	emit_uint(e, "handled", " %8" PRIu64, w->handled);
	emit_text(e, "\n");
	emit_end(e);
}

static int
netstat_q(struct verb_run *v, const struct netstat_opts *o)
{
	size_t protos, streams, works;
	struct sysctl_netisr_proto *proto = fetch("net.isr.proto", sizeof(*proto), &protos);
	struct sysctl_netisr_workstream *ws = fetch("net.isr.workstream", sizeof(*ws), &streams);
	struct sysctl_netisr_work *work = fetch("net.isr.work", sizeof(*work), &works);
	struct emitter *e = v->out;

	(void)o;
	emit_object(e, "netisr");
	print_configuration(e);
	print_protocols(e, proto, protos);
	emit_text(e, "\nWorkstreams:\n%4s %3s %2s%-6s %5s %5s %8s %8s %8s %8s %8s\n", "WSID", "CPU",
	    "", "Name", "Len", "WMark", "Disp'd", "HDisp'd", "QDrops", "Queued", "Handled");
	emit_list(e, "workstream");
	for (size_t i = 0; i < streams; i++)
		for (size_t j = 0; j < works; j++)
			if (work[j].wsid == ws[i].wsid)
				print_work(e, &work[j], proto_name(proto, protos, work[j].proto),
				    ws[i].cpu);
	emit_end(e);
	emit_end(e);
	free(proto);
	free(ws);
	free(work);
	return 0;
}
NETSTAT_MODE_DEFINE(netisr, 'Q', "netisr", netstat_q);

static int
show_netisr(struct verb_run *v, int argc, char **argv)
{
	struct emitter *e = v->out;

	(void)argc;
	(void)argv;
	emit_text(e, "%3s %6s %5s %5s %5s %8s %8s %8s %8s\n", "CPU", "Proto", "Len", "WMark", "Max",
	    "Disp", "HDisp", "Drop", "Queue");
	emit_list(e, "netisr");
	for (uint32_t i = 0; i < WORKERS_MAX; i++) {
		bool first = true;

		for (uint32_t p = 0; netisr_workstream[i] != NULL && p < NETISR_MAXPROT; p++) {
			struct sysctl_netisr_work w;
			char cpu[8] = "";

			if (netisr_proto[p] == NULL)
				continue;
			w = work_read(netisr_workstream[i], p);
			if (first)
				snprintf(cpu, sizeof(cpu), "%u", i);
			first = false;
			emit_object(e, NULL);
			emit_uint(e, "cpu", NULL, i);
			emit_text(e, "%3s", cpu);
			emit_str(e, "proto", " %6s", netisr_proto[p]->name);
			emit_uint(e, "length", " %5" PRIu64, w.len);
			emit_uint(e, "watermark", " %5" PRIu64, w.watermark);
			emit_uint(e, "max", " %5" PRIu64, netisr_proto_qlimit[p]);
			emit_uint(e, "dispatched", " %8" PRIu64, w.dispatched);
			emit_uint(e, "hybrid-dispatched", " %8" PRIu64, w.hybrid_dispatched);
			emit_uint(e, "queue-drops", " %8" PRIu64, w.qdrops);
			emit_uint(e, "queued", " %8" PRIu64, w.queued);
			emit_text(e, "\n");
			emit_end(e);
		}
	}
	emit_end(e);
	return 0;
}
SHOW_DEFINE(netisr, "netisr", "", show_netisr);
