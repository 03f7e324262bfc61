/*
 * dn_print.c - `pipe show`, `queue show`, `sched show`, in the columns of 1998 and in JSON.
 *
 *	00001: 300.000 Kbit/s    0 ms burst 0
 *	q131073  50 sl. 0 flows (1 buckets) sched 65537 weight 0 lmax 0 pri 0 droptail
 *	 sched 65537 type FIFO flags 0x0 0 buckets 0 active
 *	BKT Prot ___Source IP/port____ ____Dest. IP/port____ Tot_pkt/bytes Pkt/Byte Drp
 *	  0 ip           0.0.0.0/0             0.0.0.0/0      213    19596  0    0   4
 *
 * A pipe shows its hidden FIFO scheduler and flowset, a scheduler the numbers of its flowsets, a
 * queue itself; each with the counters of its flows, as they are now.
 */
#include "dummynet/dn_profile.h"
#include "dummynet/dn_words.h"
#include "inet/in.h"
#include "inet/ip_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_HAVE_MASK = 1, QUEUE_KB_FROM = 8192 };

/* --- the link --------------------------------------------------------------------------------- */

static void
print_rate(struct emitter *e, uint64_t bps)
{
	const double rate = (double)bps;

	if (bps == 0)
		emit_text(e, "unlimited     ");
	else if (bps >= UINT64_C(1000000000))
		emit_text(e, "%7.3f Gbit/s", rate / 1e9);
	else if (bps >= 1000000)
		emit_text(e, "%7.3f Mbit/s", rate / 1e6);
	else if (bps >= 1000)
		emit_text(e, "%7.3f Kbit/s", rate / 1e3);
	else
		emit_text(e, "%7.3f bit/s ", rate);
}

/* Whole milliseconds as ever; what the originals could not say with its decimals. */
static void
print_delay(struct emitter *e, uint64_t ns)
{
	if (ns % 1000000 == 0)
		emit_text(e, " %4" PRIu64 " ms", ns / 1000000);
	else
		emit_text(e, " %4.9g ms", (double)ns / 1e6);
}

static void
print_profile(struct emitter *e, const struct dn_profile *p)
{
	if (p == NULL)
		return;
	emit_object(e, "profile");
	emit_str(e, "name", "\t profile: name \"%s\"", dn_profile_name(p));
	emit_num(e, "loss-level", " loss %f", dn_profile_loss_level(p), 6);
	emit_uint(e, "samples", " samples %" PRIu64 "\n", dn_profile_samples(p));
	emit_end(e);
}

static void
print_link(struct emitter *e, const char *name, const struct dn_sched_view *s)
{
	const struct dn_link_config *link = &s->config->link;

	emit_uint(e, name, "%05" PRIu64 ": ", s->number % (DN_NUMBER_MAX + 1));
	emit_uint(e, "rate-bps", NULL, s->rate_bps);
	if (link->rate_of[0] != '\0')
		emit_str(e, "rate-of", NULL, link->rate_of);
	print_rate(e, s->rate_bps);
	emit_uint(e, "delay-ns", NULL, link->delay_ns);
	print_delay(e, link->delay_ns);
	emit_uint(e, "burst-bytes", " burst %" PRIu64 "\n", link->burst_bytes);
}

/* --- masks ------------------------------------------------------------------------------------ */

static void
hex(struct emitter *e, const char *name, uint32_t value, int digits)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%0*x", digits, value);
	emit_str(e, name, NULL, text);
}

static bool
has_ipv4(const struct dn_mask *m)
{
	return m->src != 0 || m->dst != 0;
}

static bool
has_ipv6(const struct dn_mask *m)
{
	static const struct in6 none;

	return m->flow_id != 0 || memcmp(&m->src6, &none, sizeof(none)) != 0 ||
	    memcmp(&m->dst6, &none, sizeof(none)) != 0;
}

static void
print_mask(struct emitter *e, const struct dn_mask *m)
{
	const uint16_t sport = __builtin_bswap16(m->sport), dport = __builtin_bswap16(m->dport);
	const uint32_t src = __builtin_bswap32(m->src), dst = __builtin_bswap32(m->dst);
	const uint32_t flow_id = __builtin_bswap32(m->flow_id);
	char src6[IN6_TEXT], dst6[IN6_TEXT];

	in6_ntoa(&m->src6, src6);
	in6_ntoa(&m->dst6, dst6);
	emit_object(e, "mask");
	emit_bool(e, "queue", m->per_queue);
	hex(e, "proto", m->proto, 2);
	hex(e, "src-ip", src, 8);
	hex(e, "src-port", sport, 4);
	hex(e, "dst-ip", dst, 8);
	hex(e, "dst-port", dport, 4);
	emit_str(e, "src-ip6", NULL, src6);
	emit_str(e, "dst-ip6", NULL, dst6);
	hex(e, "flow-id", flow_id, 5);
	emit_end(e);
	if (!has_ipv6(m) || has_ipv4(m))
		emit_text(e, "    mask: %s 0x%02x 0x%08x/0x%04x -> 0x%08x/0x%04x\n",
		    m->per_queue ? "queue," : "", m->proto, src, sport, dst, dport);
	if (has_ipv6(m))
		emit_text(e,
		    "    mask: %sproto: 0x%02x, flow_id: 0x%08x,  %s/0x%04x -> %s/0x%04x\n",
		    m->per_queue ? "queue," : "", m->proto, flow_id, src6, sport, dst6, dport);
}

/* --- flows ------------------------------------------------------------------------------------ */

struct row {
	struct dn_flow_view flow;
	uint64_t key; /* the greatest comes first … */
	size_t place; /* … of equal ones the first found */
};
struct flows {
	struct row *row;
	size_t n, room;
	int sort;
};

static uint64_t
sort_key(const struct dn_counters *c, int sort)
{
	const uint64_t values[] = { c->queued_packets, c->queued_bytes, c->packets, c->bytes };

	return sort == 0 ? 0 : sort > 0 ? values[sort - 1] : ~values[-sort - 1];
}

static bool
flow_collect(void *ctx, const struct dn_flow_view *f)
{
	struct flows *all = ctx;

	if (all->n == all->room) {
		size_t room = all->room == 0 ? 64 : 2 * all->room;
		struct row *more = realloc(all->row, room * sizeof(*more));

		if (more == NULL)
			return false;
		all->row = more;
		all->room = room;
	}
	all->row[all->n] = (struct row){ *f, sort_key(&f->count, all->sort), all->n };
	all->n++;
	return true;
}

static int
row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? 1 : -1;
	return x->place < y->place ? -1 : 1;
}

static void
print_flow_counters(struct emitter *e, const struct dn_counters *c)
{
	emit_uint(e, "packets", "%4" PRIu64, c->packets);
	emit_uint(e, "bytes", " %8" PRIu64, c->bytes);
	emit_uint(e, "queued-packets", " %2" PRIu64, c->queued_packets);
	emit_uint(e, "queued-bytes", " %4" PRIu64, c->queued_bytes);
	emit_uint(e, "drops", " %3" PRIu64 "\n", c->drops);
}

static void
print_flow(struct emitter *e, const struct dn_flow_view *v, bool per_queue)
{
	const struct dn_flow *f = &v->flow;
	const bool is6 = f->family == 6;
	const char *name = f->proto == 0 ? "ip" : ip_protocol_name(f->proto);
	char src[IN6_TEXT], dst[IN6_TEXT], number[8];
	unsigned sport = __builtin_bswap16(f->sport), dport = __builtin_bswap16(f->dport);

	snprintf(number, sizeof(number), "%u", f->proto);
	name = name != NULL ? name : number;
	if (is6) {
		in6_ntoa(&f->src6, src);
		in6_ntoa(&f->dst6, dst);
	} else {
		in_ntoa(f->src, src);
		in_ntoa(f->dst, dst);
	}
	emit_object(e, NULL);
	emit_uint(e, "bucket", "%3" PRIu64, v->bucket);
	emit_text(e, "%c", per_queue ? '*' : ' ');
	emit_str(e, "proto", is6 ? "%9s " : "%-4s ", name);
	if (is6)
		emit_uint(e, "flow-id", "%7" PRIu64 "  ", __builtin_bswap32(f->flow_id));
	emit_str(e, "src", is6 ? "%39s" : "%15s", src);
	emit_uint(e, "src-port", "/%-5" PRIu64 " ", sport);
	emit_str(e, "dst", is6 ? " %39s" : "%15s", dst);
	emit_uint(e, "dst-port", "/%-5" PRIu64 " ", dport);
	print_flow_counters(e, &v->count);
	emit_end(e);
}

/* Those of IPv6 have a wider table of their own behind the others. */
static void
print_flow_table(struct emitter *e, const struct flows *all, bool per_queue, bool is6)
{
	bool titled = false;

	for (size_t i = 0; i < all->n; i++) {
		if ((all->row[i].flow.flow.family == 6) != is6)
			continue;
		if (!titled && is6)
			emit_text(e,
			    "BKT ___Prot___ _flow-id_ ______________Source IPv6/port_______________ "
			    "_______________Dest. IPv6/port_______________ "
			    "Tot_pkt/bytes Pkt/Byte Drp\n");
		else if (!titled)
			emit_text(e,
			    "BKT Prot ___Source IP/port____ ____Dest. IP/port____ "
			    "Tot_pkt/bytes Pkt/Byte Drp\n");
		titled = true;
		print_flow(e, &all->row[i].flow, per_queue);
	}
}

static void
print_flows(struct emitter *e, uint32_t flowset, bool per_queue, int sort)
{
	struct flows all = { .sort = sort };

	dn_flow_walk(flowset, flow_collect, &all);
	if (all.n > 1)
		qsort(all.row, all.n, sizeof(all.row[0]), row_compare);
	emit_list(e, "flows");
	print_flow_table(e, &all, per_queue, false);
	print_flow_table(e, &all, per_queue, true);
	emit_end(e);
	free(all.row);
}

/* --- flowsets --------------------------------------------------------------------------------- */

static void
print_red(struct emitter *e, const struct dn_aqm_config *aqm)
{
	emit_text(e, "\n\t %cRED", aqm->kind == DN_AQM_GRED ? 'G' : ' ');
	emit_num(e, "w_q", " w_q %f", aqm->red.w_q, 6);
	emit_uint(e, "min_th", " min_th %" PRIu64, aqm->red.min_th);
	emit_uint(e, "max_th", " max_th %" PRIu64, aqm->red.max_th);
	emit_num(e, "max_p", " max_p %f", aqm->red.max_p, 6);
	emit_text(e, "%s", aqm->ecn ? " (ecn)" : "");
}

static void
print_codel(struct emitter *e, const struct dn_aqm_config *aqm)
{
	char target[DN_TIME_TEXT], interval[DN_TIME_TEXT];

	emit_uint(e, "target-ns", NULL, aqm->codel.target_ns);
	emit_uint(e, "interval-ns", NULL, aqm->codel.interval_ns);
	emit_text(e, " AQM CoDel target %s interval %s %s",
	    dn_time_text(aqm->codel.target_ns, target),
	    dn_time_text(aqm->codel.interval_ns, interval), aqm->ecn ? "ECN" : "NoECN");
}

static void
print_pie(struct emitter *e, const struct dn_aqm_config *aqm)
{
	char target[DN_TIME_TEXT], tupdate[DN_TIME_TEXT], burst[DN_TIME_TEXT];

	emit_uint(e, "target-ns", NULL, aqm->pie.target_ns);
	emit_uint(e, "tupdate-ns", NULL, aqm->pie.tupdate_ns);
	emit_uint(e, "max_burst-ns", NULL, aqm->pie.max_burst_ns);
	emit_text(e, " AQM type PIE target %s tupdate %s", dn_time_text(aqm->pie.target_ns, target),
	    dn_time_text(aqm->pie.tupdate_ns, tupdate));
	emit_num(e, "alpha", " alpha %g", aqm->pie.alpha, 6);
	emit_num(e, "beta", " beta %g", aqm->pie.beta, 6);
	emit_text(e, " max_burst %s", dn_time_text(aqm->pie.max_burst_ns, burst));
	emit_num(e, "max_ecnth", " max_ecnth %.3g", aqm->pie.max_ecn_prob, 6);
	emit_bool(e, "capdrop", aqm->pie.cap_drop);
	emit_bool(e, "derand", aqm->pie.derandomise);
	emit_text(e, " %s %s TS %s", aqm->ecn ? "ECN" : "NoECN",
	    aqm->pie.cap_drop ? "CapDrop" : "NoCapDrop",
	    aqm->pie.derandomise ? "Derand" : "NoDerand");
}

static void
print_aqm(struct emitter *e, const struct dn_aqm_config *aqm)
{
	static const char *const names[] = { "droptail", "red", "gred", "codel", "pie" };

	emit_object(e, "aqm");
	emit_str(e, "type", NULL, names[aqm->kind]);
	if (aqm->kind != DN_AQM_NONE)
		emit_bool(e, "ecn", aqm->ecn);
	switch (aqm->kind) {
	case DN_AQM_NONE:
		emit_text(e, "droptail");
		break;
	case DN_AQM_RED:
	case DN_AQM_GRED:
		print_red(e, aqm);
		break;
	case DN_AQM_CODEL:
		print_codel(e, aqm);
		break;
	case DN_AQM_PIE:
		print_pie(e, aqm);
		break;
	}
	emit_end(e);
	emit_text(e, "\n");
}

static void
print_limit(struct emitter *e, const struct dn_flowset_config *c)
{
	emit_uint(e, "queue-packets", NULL, c->queue_bytes == 0 ? c->queue_packets : 0);
	emit_uint(e, "queue-bytes", NULL, c->queue_bytes);
	if (c->queue_bytes == 0)
		emit_text(e, "%3" PRIu32 " sl.", c->queue_packets);
	else if (c->queue_bytes >= QUEUE_KB_FROM)
		emit_text(e, "%" PRIu32 " KB", c->queue_bytes / 1024);
	else
		emit_text(e, "%" PRIu32 " B", c->queue_bytes);
	emit_num(e, "plr", c->plr != 0 ? "plr %f" : NULL, (double)c->plr / (double)(1U << 31), 9);
}

static void
print_flowset(struct emitter *e, const struct dn_flowset_view *f)
{
	const struct dn_flowset_config *c = f->config;

	emit_uint(e, "queue", "q%05" PRIu64 " ", f->number);
	print_limit(e, c);
	emit_uint(e, "active", " %" PRIu64 " flows", f->flows);
	emit_uint(e, "buckets", " (%" PRIu64 " buckets)", f->buckets);
	emit_uint(e, "sched", " sched %" PRIu64, c->sched);
	emit_uint(e, "weight", " weight %" PRIu64, c->share.weight);
	emit_uint(e, "lmax", " lmax %" PRIu64, c->share.max_len);
	emit_uint(e, "priority", " pri %" PRIu64 " ", c->share.priority);
	emit_bool(e, "noerror", c->noerror);
	emit_bool(e, "linked", f->part != NULL);
	emit_uint(e, "packets", NULL, f->count.packets);
	emit_uint(e, "bytes", NULL, f->count.bytes);
	emit_uint(e, "drops", NULL, f->count.drops);
	emit_uint(e, "queued-packets", NULL, f->count.queued_packets);
	emit_uint(e, "queued-bytes", NULL, f->count.queued_bytes);
	print_aqm(e, &c->aqm);
	if (!dn_mask_is_empty(&c->mask))
		print_mask(e, &c->mask);
}

/* --- schedulers ------------------------------------------------------------------------------- */

static void
print_sched(struct emitter *e, const struct dn_sched_view *s)
{
	const struct dn_sched_config *c = s->config;
	const bool has_mask = !dn_mask_is_empty(&c->mask);
	char text[256] = "";

	if (c->part->param_text != NULL)
		c->part->param_text(c->param, text, sizeof(text));
	emit_object(e, "scheduler");
	emit_uint(e, "number", " sched %" PRIu64, s->number);
	emit_str(e, "type", " type %s", c->part->name);
	emit_text(e, " flags 0x%x", has_mask ? FLAG_HAVE_MASK : 0);
	emit_uint(e, "buckets", " %" PRIu64 " buckets", s->buckets);
	emit_uint(e, "active", " %" PRIu64 " active\n", s->instances);
	if (text[0] != '\0') {
		emit_str(e, "parameters", NULL, text);
		emit_text(e, " %s %s\n", c->part->name, text);
	}
	if (has_mask)
		print_mask(e, &c->mask);
	emit_end(e);
}

struct children {
	struct emitter *e;
	uint32_t sched;
	bool any;
};

static bool
print_child(void *ctx, const struct dn_flowset_view *f)
{
	struct children *c = ctx;

	if (f->number > DN_NUMBER_MAX || f->config->sched != c->sched)
		return true;
	if (!c->any)
		emit_text(c->e, "   Children flowsets: ");
	c->any = true;
	emit_uint(c->e, "", "%" PRIu64 " ", f->number);
	return true;
}

static void
print_children(struct emitter *e, uint32_t sched)
{
	struct children c = { .e = e, .sched = sched };

	emit_list(e, "flowsets");
	dn_flowset_walk(print_child, &c);
	emit_end(e);
	if (c.any)
		emit_text(e, "\n");
}

/* --- listings --------------------------------------------------------------------------------- */

struct listing {
	struct emitter *e;
	const struct dn_show *what;
	unsigned shown;
};

static bool
is_asked(const struct listing *l, uint32_t number)
{
	const struct dn_show *what = l->what;

	for (unsigned i = 0; i < what->nranges; i++)
		if (number >= what->range[i].low && number <= what->range[i].high)
			return true;
	return what->nranges == 0;
}

/* Pipe N: the hidden FIFO scheduler with its flowset. */
static bool
list_pipe(void *ctx, const struct dn_sched_view *s)
{
	struct listing *l = ctx;
	const uint32_t number = s->number - DN_HIDDEN_SCHED;
	struct dn_flowset_view f;

	if (s->number <= DN_HIDDEN_SCHED || !is_asked(l, number))
		return true;
	l->shown++;
	emit_object(l->e, NULL);
	print_link(l->e, "pipe", s);
	print_profile(l->e, s->config->link.profile);
	if (dn_flowset_look(number + DN_HIDDEN_FLOWSET, &f))
		print_flowset(l->e, &f);
	print_sched(l->e, s);
	print_flows(l->e, number + DN_HIDDEN_FLOWSET, false, l->what->sort);
	emit_end(l->e);
	return true;
}

static bool
list_sched(void *ctx, const struct dn_sched_view *s)
{
	struct listing *l = ctx;

	if (s->number > DN_NUMBER_MAX || !is_asked(l, s->number))
		return true;
	l->shown++;
	emit_object(l->e, NULL);
	print_link(l->e, "sched", s);
	print_profile(l->e, s->config->link.profile);
	print_sched(l->e, s);
	print_children(l->e, s->number);
	emit_uint(l->e, "packets", NULL, s->count.packets);
	emit_uint(l->e, "bytes", NULL, s->count.bytes);
	emit_uint(l->e, "drops", NULL, s->count.drops);
	emit_uint(l->e, "queued-packets", NULL, s->count.queued_packets);
	emit_uint(l->e, "queued-bytes", NULL, s->count.queued_bytes);
	emit_end(l->e);
	return true;
}

static bool
list_queue(void *ctx, const struct dn_flowset_view *f)
{
	struct listing *l = ctx;

	if (f->number > DN_NUMBER_MAX || !is_asked(l, f->number))
		return true;
	l->shown++;
	emit_object(l->e, NULL);
	print_flowset(l->e, f);
	print_flows(l->e, f->number, f->config->mask.per_queue, l->what->sort);
	emit_end(l->e);
	return true;
}

unsigned
dn_show(struct emitter *e, const struct dn_show *what)
{
	static const char *const names[DN_KINDS] = { "pipes", "queues", "schedulers" };
	struct listing l = { .e = e, .what = what };

	emit_list(e, names[what->kind]);
	switch (what->kind) {
	case DN_PIPE:
		dn_sched_walk(list_pipe, &l);
		break;
	case DN_SCHED:
		dn_sched_walk(list_sched, &l);
		break;
	default:
		dn_flowset_walk(list_queue, &l);
		break;
	}
	emit_end(e);
	return l.shown;
}

static void
print_type(void *ctx, const struct dn_sched_part *part, bool registered, uint32_t used)
{
	struct emitter *e = ctx;

	emit_object(e, NULL);
	emit_uint(e, "number", "%3" PRIu64, part->number);
	emit_str(e, "name", " %-10s", part->name);
	emit_bool(e, "loaded", registered);
	emit_text(e, "%-9s", registered ? "loaded" : "unloaded");
	emit_uint(e, "used", " used by %" PRIu64 "\n", used);
	emit_end(e);
}

void
dn_show_types(struct emitter *e)
{
	emit_list(e, "types");
	dn_sched_foreach(print_type, e);
	emit_end(e);
}
