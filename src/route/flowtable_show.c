/*
 * flowtable_show.c - what is in the flow tables: `show flowtables`, net.inet.flowtable.stats; and
 * by hand: the tool `flow`.
 *
 *	flow insert [-t TABLE] SRC DST [PROTO SPORT DPORT]
 *	flow delete [-t TABLE] SRC DST [PROTO SPORT DPORT]
 *	flow flush [-t TABLE]
 *
 * Another worker may be at work on what is shown: an entry is copied, and the copy counts if the
 * entry was the same before and after. What a copy points to is looked at only while the entry is
 * current.
 */
#include "route/flowtable_internal.h"

#include "kern/jail.h"
#include "kern/show.h"
#include "kern/sysctl.h"
#include "net/generation.h"
#include "route/flow.h"
#include "route/rib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- statistics --------------------------------------------------------------------------- */

/* Tables in the order in which they were made. */
static struct flowtable *
table_first(void)
{
	struct flowtable *ft = LIST_FIRST(&V_flowtable_head);

	while (ft != NULL && LIST_NEXT(ft, link) != NULL)
		ft = LIST_NEXT(ft, link);
	return ft;
}

static struct flowtable *
table_next(struct flowtable *of)
{
	struct flowtable *ft = LIST_FIRST(&V_flowtable_head);

	if (ft == of)
		return NULL;
	while (LIST_NEXT(ft, link) != of)
		ft = LIST_NEXT(ft, link);
	return ft;
}

/* Two lines a table, summed over the workers. */
static int
stats_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	struct flow_stats st;
	size_t at = 0;

	(void)oid;
	if (req->set != NULL)
		return -EPERM;
	req->text[0] = '\0';
	for (struct flowtable *ft = table_first(); ft != NULL && at < req->text_len;
	     ft = table_next(ft)) {
		flowtable_stats(ft, &st);
		at += (size_t)snprintf(req->text + at, req->text_len - at,
		    "\ntable name: %s\ncollisions: %" PRIu64 " allocated: %" PRIu64
		    " misses: %" PRIu64 " max_depth: %" PRIu64 " free_checks: %" PRIu64
		    " frees: %" PRIu64 " hits: %" PRIu64 " lookups: %" PRIu64,
		    ft->name, st.collisions, st.allocated, st.misses, st.max_depth, st.free_checks,
		    st.frees, st.hits, st.lookups);
	}
	return 0;
}
SYSCTL_PROC(net_inet_flowtable_stats, "net.inet.flowtable.stats", SYSCTL_RD | SYSCTL_VNET,
    SYSCTL_T_STRING, stats_sysctl, "counters of the flow tables, summed over the workers");

/* --- show ----------------------------------------------------------------------------------- */

/* False if the worker has it in its hands, or there is no entry. */
static bool
flow_read(const struct flow *f, struct flow *copy)
{
	copy->generation = __atomic_load_n(&f->generation, __ATOMIC_ACQUIRE);
	for (unsigned w = 0; w < FLOW_KEY_WORDS; w++)
		copy->key.word[w] = __atomic_load_n(&f->key.word[w], __ATOMIC_RELAXED);
	copy->nh = __atomic_load_n(&f->nh, __ATOMIC_RELAXED);
	copy->lle = __atomic_load_n(&f->lle, __ATOMIC_RELAXED);
	copy->used_s = __atomic_load_n(&f->used_s, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return copy->generation != 0 &&
	    copy->generation == __atomic_load_n(&f->generation, __ATOMIC_RELAXED);
}

static void
address_show(struct emitter *e, const char *json, const char *fmt, int family, const void *address)
{
	char text[INET6_ADDRSTRLEN];

	emit_str(e, json, fmt, inet_ntop(family, address, text, sizeof(text)));
}

static void
flags_show(struct emitter *e, const char *prefix, uint32_t flags, const char *names)
{
	char text[256];
	size_t n = 0;

	/* "UP,GATEWAY" -> "RTF_UP|RTF_GATEWAY" */
	for (const char *p = names; flags != 0 && *p != '\0' && n + 16 < sizeof(text);) {
		size_t len = strcspn(p, ",");

		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%s%s%.*s", n > 0 ? "|" : "", prefix, (int)len, p);
		p += len + (p[len] == ',');
	}
	text[n] = '\0';
	emit_str(e, strcmp(prefix, "RTF_") == 0 ? "route-flags" : "interface-flags", " %s", text);
}

/* Those that say something about a way out. */
static const char *
if_flag_names(uint32_t flags, char text[64])
{
	snprintf(text, 64, "%s%s%s%s", flags & IFF_UP_ ? "UP," : "",
	    flags & IFF_RUNNING_ ? "RUNNING," : "", flags & IFF_POINTOPOINT_ ? "POINTOPOINT," : "",
	    flags & IFF_BROADCAST_ ? "BROADCAST" : "");
	return text;
}

/* "10.0.0.1", or with ports "10.0.0.9:1024 -> 10.0.0.1:53". */
static void
flow_show_key(struct emitter *e, const struct flowtable *ft, const struct flow_key *k)
{
	const uint16_t *port = (const uint16_t *)(const void *)&k->word[0];
	const uint32_t source = (uint32_t)(k->word[1] >> 32);
	const void *src = ft->family == AF_INET ? (const void *)&source : &k->word[3];
	const uint8_t proto = (uint8_t)(k->word[0] >> 32);

	if (proto == 0) {
		address_show(e, "destination", "  %s", ft->family, &k->word[1]);
		address_show(e, "source", NULL, ft->family, src);
		return;
	}
	address_show(e, "source", "  %s", ft->family, src);
	if (flow_has_ports(proto))
		emit_uint(e, "source-port", ":%" PRIu64, ntohs(port[0]));
	address_show(e, "destination", " -> %s", ft->family, &k->word[1]);
	if (flow_has_ports(proto))
		emit_uint(e, "destination-port", ":%" PRIu64, ntohs(port[1]));
	emit_uint(e, "protocol", " proto %" PRIu64, proto);
}

static void
flow_show_way(struct emitter *e, const struct nexthop *nh)
{
	char names[RIB_FLAG_NAMES], handle[32];

	flags_show(e, "RTF_", nh->flags, rib_flag_names(nh->flags, names));
	if (nh->ifp != NULL) {
		flags_show(e, "IFF_", nh->ifp->if_flags, if_flag_names(nh->ifp->if_flags, names));
		emit_str(e, "interface", " %s", nh->ifp->if_xname);
	}
	snprintf(handle, sizeof(handle), "%p", (const void *)nh->rt);
	emit_str(e, "route", " rt=%s", nh->rt == NULL ? "0" : handle);
}

static void
flow_show(struct emitter *e, const struct flow_part *p, const struct flow *f)
{
	const bool stale = f->generation != generation_now();
	const uint8_t proto = (uint8_t)(f->key.word[0] >> 32);
	char hex[20];

	emit_object(e, NULL);
	flow_show_key(e, p->ft, &f->key);
	emit_text(e, "\n   ");
	emit_bool(e, "stale", stale);
	emit_text(e, "%s%s%s", stale ? " FL_STALE" : "", proto == 6 ? " FL_TCP" : "",
	    proto == 17 ? " FL_UDP" : "");
	if (!stale)
		flow_show_way(e, f->nh);
	emit_text(e, "\n    key=");
	emit_list(e, "key");
	for (unsigned w = 0; w < flow_words(p->ft); w++) {
		snprintf(hex, sizeof(hex), "%016" PRIx64, f->key.word[w]);
		emit_text(e, "%s", w > 0 ? ":" : "");
		emit_str(e, "", "%s", hex);
	}
	emit_end(e);
	emit_uint(e, "hash", " hash=%016" PRIx64, flow_part_hash(p, &f->key));
	emit_uint(e, "idle-s", " idle=%" PRIu64, (uint32_t)(clock_now() / NS_PER_SEC) - f->used_s);
	emit_uint(e, "fib", " fib=%" PRIu64 "\n", flow_key_fib(&f->key));
	emit_end(e);
}

/* The flows of one bucket and those behind it. Returns how many. */
static unsigned
bucket_show(
    struct emitter *e, const struct flow_part *p, const struct flow_block *block, uint32_t at)
{
	unsigned flows = 0;

	do {
		const struct flow_bucket *b = &block->bucket[at];
		struct flow copy;

		for (unsigned s = 0; s < FLOW_SLOTS; s++) {
			const uint32_t index = __atomic_load_n(&b->flow[s], __ATOMIC_RELAXED);

			if (index == 0 || index > block->room ||
			    !flow_read(&block->flow[index], &copy))
				continue;
			flow_show(e, p, &copy);
			flows++;
		}
		at = __atomic_load_n(&b->next, __ATOMIC_RELAXED);
		/* a bucket that went elsewhere meanwhile can't lead round for ever */
	} while (at != 0 && at <= block->mask + block->spares && flows <= block->room);
	return flows;
}

enum { DEPTHS = 16 };

static void
part_show(struct emitter *e, const struct flow_part *p, unsigned worker)
{
	const struct flow_block *block = rcu_deref(&p->block);
	uint64_t depth[DEPTHS + 1] = { 0 };

	emit_object(e, NULL);
	emit_uint(e, "worker", " worker %" PRIu64, worker);
	emit_uint(e, "flows", ": %" PRIu64, p->count);
	emit_uint(e, "max", " of %" PRIu64 " flows", p->max);
	emit_text(e, p->full ? ", takes no new ones\n" : "\n");
	emit_bool(e, "full", p->full);
	emit_list(e, "flow");
	for (uint32_t at = 0; at <= block->mask; at++) {
		unsigned flows = bucket_show(e, p, block, at);

		depth[flows < DEPTHS ? flows : DEPTHS]++;
	}
	emit_end(e);
	emit_text(e, " depth of buckets:");
	emit_list(e, "depth");
	for (unsigned d = 1; d <= DEPTHS; d++) {
		if (depth[d] == 0)
			continue;
		emit_object(e, NULL);
		emit_uint(e, "flows", " %" PRIu64, d);
		emit_uint(e, "buckets", ":%" PRIu64, depth[d]);
		emit_end(e);
	}
	emit_end(e);
	emit_text(e, "\n");
	emit_end(e);
}

static void
table_show(struct emitter *e, const struct flowtable *ft)
{
	emit_object(e, NULL);
	emit_str(e, "name", "table %s", ft->name);
	emit_str(e, "family", " (%s", ft->family == AF_INET ? "inet" : "inet6");
	emit_text(e, "%s)\n", ft->flags & FL_HASH_ALL ? ", FL_HASH_ALL" : "");
	emit_bool(e, "ports", ft->flags & FL_HASH_ALL);
	emit_list(e, "part");
	for (unsigned w = 0; w < WORKERS_MAX; w++) {
		const struct flow_part *p = rcu_deref(&ft->part[w]);

		if (p != NULL)
			part_show(e, p, w);
	}
	emit_end(e);
	emit_end(e);
}

static int
show_flowtables(struct verb_run *v, int argc, char **argv)
{
	struct emitter *e = v->out;
	struct vnet *vnet;

	(void)argv;
	if (argc > 0)
		return verb_error(v, EXIT_USAGE_, "usage: show flowtables");
	emit_list(e, "vnet");
	VNET_FOREACH(vnet) {
		/* A jail's eyes end at its stack; one without a stack sees no routes of others. */
		if (jailed(v->prison) && (vnet != v->vnet || jailed_without_vnet(v->prison)))
			continue;
		VNET_SCOPE(vnet);
		if (table_first() == NULL)
			continue;
		emit_object(e, NULL);
		emit_str(e, "name", "vnet %s\n", vnet_name(vnet));
		emit_list(e, "flowtable");
		for (struct flowtable *ft = table_first(); ft != NULL; ft = table_next(ft))
			table_show(e, ft);
		emit_end(e);
		emit_end(e);
	}
	emit_end(e);
	return 0;
}
SHOW_DEFINE(flowtables, "flowtables", "", show_flowtables);

/* --- the tool -------------------- */

static int
flow_strerror(struct verb_run *v, int error)
{
	switch (-error) {
	case 0:
		return 0;
	case EADDRNOTAVAIL:
		return verb_error(v, 1, "what stays in the stack, or is refused, is no flow");
	case ENETUNREACH:
		return verb_error(v, 1, "no route to the destination");
	case ENOSPC:
		return verb_error(v, 1, "the table takes no new flows");
	default:
		return verb_error(v, 1, "%s", verb_strerror(error));
	}
}

static bool
protocol_read(const char *word, uint8_t *proto)
{
	uint64_t n;

	if (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0)
		*proto = word[0] == 't' ? 6 : 17;
	else if (verb_number(word, 1, 255, &n))
		*proto = (uint8_t)n;
	else
		return false;
	return true;
}

/* PROTO SPORT DPORT, or nothing. Exit status. */
static int
l4_read(struct verb_run *v, const struct flowtable *ft, int argc, char **argv, uint64_t *l4)
{
	uint64_t sport, dport;
	uint16_t ports[2];
	uint8_t proto;

	*l4 = 0;
	if ((argc == 0) == ((ft->flags & FL_HASH_ALL) != 0))
		return verb_error(v, 1, "table %s tells flows apart %s", ft->name,
		    ft->flags & FL_HASH_ALL ? "by their ports too" : "by addresses only");
	if (argc == 0)
		return 0;
	if (argc != 3 || !protocol_read(argv[0], &proto) || !flow_has_ports(proto) ||
	    !verb_number(argv[1], 0, 65535, &sport) || !verb_number(argv[2], 0, 65535, &dport))
		return verb_usage(v, NULL);
	ports[0] = htons((uint16_t)sport);
	ports[1] = htons((uint16_t)dport);
	*l4 = flow_l4(proto, load32(ports),
	    proto == 6      ? FLOW_TCP :
		proto == 17 ? FLOW_UDP :
			      FLOW_OTHER);
	return 0;
}

/* The table that is meant; NULL after a message. */
static struct flowtable *
table_named(struct verb_run *v, const char *name, int family)
{
	struct flowtable *ft = name != NULL ? flowtable_find(name) : flowtable_packets_make(family);

	if (ft == NULL && name != NULL)
		verb_error(v, 1, "%s: no such flow table", name);
	else if (ft == NULL)
		verb_error(v, 1, "%s", verb_strerror(ENOMEM));
	return ft;
}

static int
flow_change(struct verb_run *v, const char *table, bool insert, int argc, char **argv)
{
	struct rt_addr src, dst;
	struct flowtable *ft;
	struct flow_key key;
	uint64_t l4;
	int status;

	if (argc < 2)
		return verb_usage(v, NULL);
	if (!rt_addr_parse(argv[1], 0, &dst) || !rt_addr_parse(argv[0], dst.family, &src) ||
	    src.family != dst.family || dst.plen != rib_family_bits(dst.family) ||
	    src.plen != dst.plen)
		return verb_error(v, 1, "%s %s: not two addresses of one family", argv[0], argv[1]);
	if ((ft = table_named(v, table, dst.family)) == NULL)
		return 1;
	if (ft->family != dst.family)
		return verb_error(v, 1, "table %s is of the other family", ft->name);
	if ((status = l4_read(v, ft, argc - 2, argv + 2, &l4)) != 0)
		return status;
	if (dst.family == AF_INET)
		flow_key4(&key, v->fib, load32(src.addr), load32(dst.addr), l4);
	else
		flow_key6(&key, v->fib, rt_addr_in6(&src), rt_addr_in6(&dst), l4);
	if (insert)
		return flow_strerror(v, flowtable_insert(ft, &key, NULL));
	return flowtable_remove(ft, &key) ? 0 : verb_error(v, 1, "no such flow");
}

static int
flow_flush(struct verb_run *v, const char *table)
{
	struct flowtable *ft;
	uint64_t n = 0;

	if (table != NULL && table_named(v, table, 0) == NULL)
		return 1;
	for (ft = table_first(); ft != NULL; ft = table_next(ft))
		if (table == NULL || strcmp(ft->name, table) == 0)
			n += flowtable_flush(ft);
	emit_uint(v->out, "flushed", "%" PRIu64 " flows gone\n", n);
	return 0;
}

static int
flow_run(struct verb_run *v)
{
	const char *command = v->argc > 1 ? v->argv[1] : "", *table = NULL;
	struct verb_opts o;
	int c;

	if (v->argc < 2)
		return verb_usage(v, NULL);
	verb_opts_init(&o, v, v->argc - 1, v->argv + 1, "t:");
	while ((c = verb_opts_next(&o)) != -1) {
		if (c != 't')
			return verb_usage(v, NULL);
		table = o.arg;
	}
	if (priv_check(PRIV_NET_ROUTE) != 0)
		return verb_error(v, EXIT_NOPERM_, "must be root to alter flow tables");
	if (strcmp(command, "insert") == 0 || strcmp(command, "delete") == 0)
		return flow_change(
		    v, table, command[0] == 'i', v->argc - 1 - o.ind, v->argv + 1 + o.ind);
	if (strcmp(command, "flush") == 0 && v->argc - 1 == o.ind)
		return flow_flush(v, table);
	return verb_usage(v, NULL);
}
VERB_DEFINE(flow, .name = "flow", .run = flow_run,
    .usage = "flow insert [-t TABLE] SRC DST [PROTO SPORT DPORT]\n"
	     "       flow delete [-t TABLE] SRC DST [PROTO SPORT DPORT]\n"
	     "       flow flush [-t TABLE]",
    .summary = "entries of the flow cache by hand", .flags = VERB_HAS_JAIL);
