/*
 * netisr_show.c - what netisr exports: the arrays behind net.isr.proto, net.isr.workstream and
 * net.isr.work, and their readers `netstat -Q` and `show netisr`.
 *
 * netstat reads through the sysctls and sizes its arrays by their answers, never by our constants:
 * so it can read what another build has saved (behaviours 26). Exactly WORKERS_MAX workstreams and
 * NETISR_MAXPROT protocols fit (behaviours 28).
 */
#include "kern/netisr_internal.h"
#include "kern/netstat.h"
#include "kern/show.h"
#include "kern/state.h"
#include "kern/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_M2CPU = 1, FLAG_DRAINED = 2, FLAG_M2FLOW = 4 };
/* Far above any build's: the most that is believed of a saved state. */
enum { ISR_MAXPROT_MAX = 1 << 16 };

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
SYSCTL_ARRAY(netisr_proto, "net.isr.proto", SYSCTL_RD, struct sysctl_netisr_proto, export_proto,
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
SYSCTL_ARRAY(netisr_workstream, "net.isr.workstream", SYSCTL_RD, struct sysctl_netisr_workstream,
    export_workstream, "array of the workstreams");

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
SYSCTL_ARRAY(netisr_work, "net.isr.work", SYSCTL_RD, struct sysctl_netisr_work, export_work,
    "array of the counters of each protocol on each workstream");

static const char *const policies[] = { "default", "source", "flow", "cpu" };

static const char *
policy_name(uint32_t policy)
{
	return policy < sizeof(policies) / sizeof(policies[0]) ? policies[policy] : "-";
}

/*
 * What netstat prints: the arrays of this program or of a saved state, and the program's limits.
 * Nothing of it is sized by our own NETISR_MAXPROT and WORKERS_MAX.
 */
struct isr {
	const struct state *image; /* NULL = this program */
	uint64_t maxprot;
	struct sysctl_netisr_proto *proto;
	struct sysctl_netisr_workstream *ws;
	struct sysctl_netisr_work *work;
	size_t protos, streams, works;
	const struct sysctl_netisr_proto **by_number; /* maxprot of them */
};

/* A whole array, malloc'd; NULL if there is none. *n elements of `size` bytes. */
static void *
fetch(const struct isr *isr, const char *name, size_t size, size_t *n)
{
	const struct sysctl_oid *oid;
	size_t len = 0;
	void *array;

	if (isr->image != NULL)
		return state_array(isr->image, name, size, n);
	*n = 0;
	oid = sysctl_find(name);
	if (oid == NULL || sysctl_read_opaque(oid, NULL, &len) != 0)
		return NULL;
	array = calloc(1, len + 1);
	if (array != NULL && sysctl_read_opaque(oid, array, &len) == 0)
		*n = len / size;
	return array;
}

static uint64_t
fetch_number(const struct isr *isr, const char *name)
{
	const struct sysctl_oid *oid = isr->image != NULL ? state_sysctl_find(isr->image, name) :
							    sysctl_find(name);
	char text[32];
	int error = -ENOENT;

	if (oid != NULL)
		error = isr->image != NULL ?
		    state_sysctl_read(isr->image, oid, text, sizeof(text)) :
		    sysctl_read(oid, text, sizeof(text));
	return error == 0 ? strtoull(text, NULL, 10) : 0;
}

static bool
has_stream(const struct isr *isr, uint32_t wsid)
{
	for (size_t i = 0; i < isr->streams; i++)
		if (isr->ws[i].wsid == wsid)
			return true;
	return false;
}

/* Do the arrays belong together? NULL, or what is wrong. */
static const char *
isr_check(struct isr *isr)
{
	if (isr->maxprot < 1 || isr->maxprot > ISR_MAXPROT_MAX)
		return "net.isr.maxprot: not a number of protocols";
	if (isr->proto == NULL || isr->ws == NULL || isr->work == NULL)
		return "net.isr: an array is missing";
	isr->by_number = calloc(isr->maxprot, sizeof(struct sysctl_netisr_proto *));
	if (isr->by_number == NULL)
		return strerror(ENOMEM);
	for (size_t i = 0; i < isr->protos; i++) {
		struct sysctl_netisr_proto *p = &isr->proto[i];

		if (p->proto >= isr->maxprot || isr->by_number[p->proto] != NULL)
			return "net.isr.proto: a protocol's number is too high or there twice";
		p->name[sizeof(p->name) - 1] = '\0';
		for (char *c = p->name; *c != '\0'; c++)
			if (!isgraph((unsigned char)*c))
				*c = '?';
		isr->by_number[p->proto] = p;
	}
	if (isr->works > isr->streams * isr->maxprot)
		return "net.isr.work: more entries than protocols on workstreams";
	for (size_t i = 0; i < isr->works; i++)
		if (isr->work[i].proto >= isr->maxprot ||
		    isr->by_number[isr->work[i].proto] == NULL ||
		    !has_stream(isr, isr->work[i].wsid))
			return "net.isr.work: an entry of no protocol or workstream";
	return NULL;
}

static const char *
isr_read(struct isr *isr)
{
	isr->maxprot = fetch_number(isr, "net.isr.maxprot");
	isr->proto = fetch(isr, "net.isr.proto", sizeof(*isr->proto), &isr->protos);
	isr->ws = fetch(isr, "net.isr.workstream", sizeof(*isr->ws), &isr->streams);
	isr->work = fetch(isr, "net.isr.work", sizeof(*isr->work), &isr->works);
	return isr_check(isr);
}

static void
isr_clear(struct isr *isr)
{
	free(isr->proto);
	free(isr->ws);
	free(isr->work);
	free(isr->by_number);
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
print_switch(struct emitter *e, const char *label, const char *json, bool on)
{
	emit_text(e, "%-25s %12s %12s\n", label, on ? "enabled" : "disabled", "n/a");
	emit_bool(e, json, on);
}

static void
print_configuration(struct emitter *e, const struct isr *isr)
{
	int64_t maxthreads = (int64_t)fetch_number(isr, "net.isr.maxthreads");

	emit_object(e, "configuration");
	emit_text(e, "Configuration:\n%-25s %12s %12s\n", "Setting", "Current", "Limit");
	print_limit(e, "Thread count", "thread-count", fetch_number(isr, "net.isr.numthreads"),
	    maxthreads < 1 ? 1 : (uint64_t)maxthreads);
	print_limit(e, "Default queue limit", "default-queue-limit",
	    fetch_number(isr, "net.isr.defaultqlimit"), fetch_number(isr, "net.isr.maxqlimit"));
	print_switch(
	    e, "Direct dispatch", "direct-dispatch", fetch_number(isr, "net.isr.direct") != 0);
	print_switch(e, "Forced direct dispatch", "forced-direct-dispatch",
	    fetch_number(isr, "net.isr.direct_force") != 0);
	print_switch(e, "Threads bound to CPUs", "threads-bound",
	    fetch_number(isr, "net.isr.bindthreads") != 0);
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
	struct isr isr = { .image = o->image };
	const char *wrong = isr_read(&isr);
	struct emitter *e = v->out;

	if (wrong != NULL) {
		isr_clear(&isr);
		return verb_error(v, 1, "%s", wrong);
	}
	emit_object(e, "netisr");
	print_configuration(e, &isr);
	print_protocols(e, isr.proto, isr.protos);
	emit_text(e, "\nWorkstreams:\n%4s %3s %2s%-6s %5s %5s %8s %8s %8s %8s %8s\n", "WSID", "CPU",
	    "", "Name", "Len", "WMark", "Disp'd", "HDisp'd", "QDrops", "Queued", "Handled");
	emit_list(e, "workstream");
	for (size_t i = 0; i < isr.streams; i++)
		for (size_t j = 0; j < isr.works; j++)
			if (isr.work[j].wsid == isr.ws[i].wsid)
				print_work(e, &isr.work[j], isr.by_number[isr.work[j].proto]->name,
				    isr.ws[i].cpu);
	emit_end(e);
	emit_end(e);
	isr_clear(&isr);
	return 0;
}
NETSTAT_IMAGE_MODE_DEFINE(netisr, 'Q', "netisr", netstat_q);

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
