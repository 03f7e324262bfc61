/*
 * lab_build.c - from a lab's words to stacks, links, addresses, traffic and captures.
 *
 * Domains (base/sched.h): nodes that are joined by a link without any delay happen together, so
 * they share a domain that goes one instant at a time; all others have a domain of their own, and
 * the least delay of the links between domains says how far each may run ahead.
 */
#include "inet6/in6.h"
#include "kern/sysctl.h"
#include "lab/lab_model.h"
#include "net/epair.h"
#include "net/if_bridge.h"
#include "net/if_clone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int
lab_fail(struct lab *lab, char **why, int err, unsigned line, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (why != NULL) {
		free(*why);
		if (text == NULL || asprintf(why, "%s:%u: %s", lab->file, line, text) < 0)
			*why = NULL;
	}
	free(text);
	return err;
}

bool
lab_node_forwards(const struct lab_node *n)
{
	return n->forwarding == LAB_ON || (n->forwarding == LAB_DEFAULT && n->nends >= 2);
}

/* --- domains ---------------------------------------------------------------------------------- */

/*
 * Least time a frame needs through a way that is shaped like this; as pipe_lookahead, before there
 * is a pipe.
 */
static bool
has_delay(const struct lab_shape *s)
{
	return s->c.delay_ns > 0 ||
	    (s->c.rate_bps > 0 && s->c.rate_bps <= UINT64_C(14) * 8 * NS_PER_SEC);
}

static uint32_t
group_of(struct lab_node **node, uint32_t i)
{
	while (node[i]->group != i) {
		node[i]->group = node[node[i]->group]->group;
		i = node[i]->group;
	}
	return i;
}

static int
domains_make(struct lab *lab)
{
	struct lab_node **node = calloc(lab->nnodes + 1, sizeof(struct lab_node *)), *n;
	struct lab_link *l;
	uint32_t *size = calloc(lab->nnodes + 1, sizeof(*size));
	int error = node != NULL && size != NULL ? 0 : -ENOMEM;

	if (error == 0) {
		STAILQ_FOREACH(n, &lab->nodes, next) {
			node[n->index] = n;
			n->group = n->index;
		}
		STAILQ_FOREACH(l, &lab->links, next) {
			uint32_t a = group_of(node, l->end[0].node->index),
				 b = group_of(node, l->end[1].node->index);

			if (has_delay(&l->end[0].shape) && has_delay(&l->end[1].shape))
				continue;
			/* The lower number stays: the first node of a group names it. */
			node[a < b ? b : a]->group = a < b ? a : b;
		}
		STAILQ_FOREACH(n, &lab->nodes, next)
			size[group_of(node, n->index)]++;
		STAILQ_FOREACH(n, &lab->nodes, next) {
			uint32_t g = group_of(node, n->index);

			n->domain = g == n->index ? sched_domain_new(size[g] > 1) : node[g]->domain;
			if (n->domain == NULL)
				error = -ENOMEM;
		}
	}
	free(node);
	free(size);
	return error;
}

/*
 * Asks what is really there, not what the file says: commands can make links between stacks, too,
 * and one without a pipe couples two domains so that everything must go one instant at a time.
 */
void
lab_update_lookahead(struct lab *lab)
{
	uint64_t least = NS_NEVER;
	struct vnet *vnet;

	(void)lab;
	VNET_FOREACH(vnet) {
		struct ifnet *ifp;

		VNET_SCOPE(vnet);
		IF_FOREACH(ifp) {
			struct ifnet *peer = epair_peer(ifp);
			uint64_t ns;

			if (peer == NULL || peer->if_vnet == NULL ||
			    peer->if_vnet->domain == vnet->domain)
				continue;
			ns = pipe_of(ifp) != NULL ? pipe_lookahead(pipe_of(ifp)) : 0;
			if (ns < least)
				least = ns;
		}
	}
	sched_set_lookahead(least);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int
node_make(struct lab *lab, struct lab_node *n, char **why)
{
	/*
	 * Nobody has an address twice by chance here, and traffic may begin at once; a link that
	 * nobody uses IPv6 on carries nothing of it.
	 */
	static const char *const preset[] = { "net.inet6.ip6.dad_count",
		"net.inet6.ip6.auto_linklocal" };
	uint32_t loopback = htonl(0x7f000001);
	struct ifnet *lo;
	char reason[256] = "";
	int error = 0;

	n->prison = prison_create(&prison0, n->name, true);
	if (n->prison == NULL)
		return lab_fail(lab, why, -errno, n->line, "node %s: %s", n->name, strerror(errno));
	n->prison->persist = n->prison->pinned = true;
	n->prison->vnet->domain = n->domain;
	VNET_SCOPE(n->prison->vnet);
	lo = if_byname("lo0");
	if (lo != NULL && (error = if_up(lo)) == 0)
		error = in_addr_add(lo, loopback, 8, 0, 0);
	if (error != 0)
		return lab_fail(
		    lab, why, error, n->line, "node %s: lo0: %s", n->name, strerror(-error));
	V_ip_forwarding = V_ip6_forwarding = lab_node_forwards(n);
	for (size_t i = 0; i < sizeof(preset) / sizeof(preset[0]) && error == 0; i++)
		error = sysctl_write(sysctl_find(preset[i]), "0", reason, sizeof(reason));
	if (error != 0)
		return lab_fail(lab, why, error, n->line, "node %s: %s", n->name, reason);
	return 0;
}

static int
sysctl_apply(struct lab *lab, struct lab_node *n, const struct lab_wordlist *list, char **why)
{
	const struct lab_words *w;

	VNET_SCOPE(n->prison->vnet);
	STAILQ_FOREACH(w, list, next) {
		const char *equals = strchr(w->text, '=');
		const char *name = lab_printf(lab, "%.*s", (int)(equals - w->text), w->text);
		const struct sysctl_oid *oid = sysctl_find(name);
		char reason[256] = "";
		int error = oid == NULL ? -ENOENT :
					  sysctl_write(oid, equals + 1, reason, sizeof(reason));

		if (error != 0)
			return lab_fail(lab, why, -EINVAL, w->line, "sysctl %s: %s", w->text,
			    oid == NULL           ? "there is no such name" :
				reason[0] != '\0' ? reason :
						    strerror(-error));
	}
	return 0;
}

/*
 * Were the tunables set when the process started? They can't be set now; to run without would be to
 * lie.
 */
static int
tunables_check(struct lab *lab, char **why)
{
	const struct lab_words *w;

	STAILQ_FOREACH(w, &lab->tunable_words, next) {
		const char *equals = strchr(w->text, '=');
		const char *name = lab_printf(lab, "%.*s", (int)(equals - w->text), w->text);
		const struct sysctl_oid *oid = sysctl_find(name);
		char now[256] = "";

		if (oid == NULL)
			return lab_fail(
			    lab, why, -EINVAL, w->line, "tunables: there is no '%s'", name);
		if (sysctl_read(oid, now, sizeof(now)) != 0 || strcmp(now, equals + 1) != 0)
			return lab_fail(lab, why, -EINVAL, w->line,
			    "tunables: %s is %s in this process and "
			    "can be set at its start only",
			    name, now);
	}
	return 0;
}

static int
node_run_lines(struct lab *lab, struct lab_node *n, char **why)
{
	const struct lab_words *w;

	STAILQ_FOREACH(w, &n->run, next) {
		struct lab_exec *x = lab_exec_start(lab, n, w->text, w->line, 0);

		/* What takes time goes on when the lab runs; how it ends is seen then. */
		if (x->run != NULL)
			continue;
		if (!lab_exec_ok(x))
			return lab_fail(lab, why, -EINVAL, w->line,
			    "node %s: %s: %s (exit status %d)", n->name, w->text, lab_exec_why(x),
			    x->status);
		/* Silence is what a set-up line should be: it leaves no trace in the report. */
		free(x->out);
		free(x->err);
		STAILQ_REMOVE(&lab->execs, x, lab_exec, next);
	}
	return 0;
}

/* Nodes by their names, as ping and route take them: the first address of each, by family. */
static int
hosts_add(struct lab *lab)
{
	const struct lab_node *n;
	int error = 0;

	STAILQ_FOREACH(n, &lab->nodes, next) {
		struct ipaddr a;

		if (error == 0 && lab_node_address(n, AF_INET, &a))
			error = ip_hosts_add(n->name, &a);
		if (error == 0 && lab_node_address(n, AF_INET6, &a))
			error = ip_hosts_add(n->name, &a);
	}
	return error == -EINVAL ? 0 : error;
}

/* --- captures --------------------------------------------------------------------------------- */

static void
capture_nowhere(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
}

static bool
lab_several(const struct lab_wordlist *list)
{
	return !STAILQ_EMPTY(list) && STAILQ_NEXT(STAILQ_FIRST(list), next) != NULL;
}

static int
capture_open(struct lab *lab, struct lab_capture *c, char **why)
{
	const char *reason = NULL;
	struct capture_config cc = {
		.filter = c->filter,
		.snaplen = c->snaplen,
		.max_packets = c->max_packets,
		.drops = c->drops,
		.flush = lab->opt.live,
		/* loopbacks among others: libpcap's readers want one link type in a file */
		.as_ethernet = c->everything || lab_several(&c->on),
	};

	if (lab->out_dir != NULL)
		cc.file = lab_printf(lab, "%s/%s", lab->out_dir, c->file);
	else
		cc.sink = capture_nowhere;
	c->cap = capture_new(&cc, &reason);
	if (c->cap == NULL)
		return lab_fail(lab, why, -EINVAL, c->line, "capture %s: %s", c->file,
		    reason != NULL ? reason : "cannot be made");
	return 0;
}

static int
capture_attach(struct lab *lab, struct lab_capture *c, char **why)
{
	const struct lab_words *w;
	struct lab_link *l;
	int error;

	if (c->everything) {
		STAILQ_FOREACH(l, &lab->links, next)
			for (unsigned side = 0; side < 2; side++)
				if ((error = capture_add(c->cap, l->end[side].ifp)) != 0)
					return lab_fail(lab, why, error, c->line, "capture %s: %s",
					    c->file, strerror(-error));
		return 0;
	}
	STAILQ_FOREACH(w, &c->on, next) {
		const char *colon = strchr(w->text, ':');
		struct lab_node *n = lab_node_find(
		    lab, lab_printf(lab, "%.*s", (int)(colon - w->text), w->text));
		struct ifnet *ifp;

		VNET_SCOPE(n->prison->vnet);
		ifp = if_byname(colon + 1);
		if (ifp == NULL)
			return lab_fail(lab, why, -EINVAL, w->line,
			    "capture %s: node %s has no interface %s", c->file, n->name, colon + 1);
		if ((error = capture_add(c->cap, ifp)) != 0)
			return lab_fail(lab, why, error, w->line, "capture %s: %s: %s", c->file,
			    w->text, strerror(-error));
	}
	return 0;
}

/* Are all its interfaces links' ends, so that it can begin before the first command? */
static bool
capture_is_early(const struct lab *lab, const struct lab_capture *c)
{
	const struct lab_words *w;

	STAILQ_FOREACH(w, &c->on, next)
		if (strcmp(w->text, "*") != 0 && lab_end_find(lab, w->text) == NULL)
			return false;
	return true;
}

static int
captures_build(struct lab *lab, bool early, char **why)
{
	struct lab_capture *c;
	int error;

	STAILQ_FOREACH(c, &lab->captures, next) {
		if (capture_is_early(lab, c) != early)
			continue;
		if ((error = capture_open(lab, c, why)) != 0 ||
		    (error = capture_attach(lab, c, why)) != 0)
			return error;
	}
	return 0;
}

static int
out_dir_make(struct lab *lab, char **why)
{
	const char *dir = lab->opt.out_dir;

	if (lab->opt.no_files)
		return 0;
	if (dir != NULL ? asprintf(&lab->out_dir, "%s", dir) < 0 :
			  asprintf(&lab->out_dir, "%s.out", lab->name) < 0) {
		lab->out_dir = NULL;
		return -ENOMEM;
	}
	if (mkdir(lab->out_dir, 0777) != 0 && errno != EEXIST)
		return lab_fail(lab, why, -errno, 1, "cannot make the folder %s: %s", lab->out_dir,
		    strerror(errno));
	return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* A switch: bridge0 of all its links' ends, which are up. */
static int
switch_make(struct lab *lab, struct lab_node *n, char **why)
{
	struct ifnet *bridge = NULL;
	struct lab_end *e;
	int error;

	VNET_SCOPE(n->prison->vnet);
	error = if_clone_create("bridge0", NULL, &bridge);
	STAILQ_FOREACH(e, &n->ends, of_node) {
		if (error == 0)
			error = bridge_member_add(bridge, e->ifp);
		if (error == 0)
			error = if_up(e->ifp);
		if (error != 0)
			return lab_fail(lab, why, error, e->link->line, "switch %s: %s: %s",
			    n->name, e->ifname,
			    error == -EINVAL ? "all links of a switch have the same mtu" :
					       strerror(-error));
	}
	if (error == 0)
		error = if_up(bridge);
	return error == 0 ?
	    0 :
	    lab_fail(lab, why, error, n->line, "switch %s: %s", n->name, strerror(-error));
}

static int
build_network(struct lab *lab, char **why)
{
	struct lab_node *n;
	struct lab_link *l;
	int error = domains_make(lab);

	STAILQ_FOREACH(n, &lab->nodes, next)
		if (error == 0)
			error = node_make(lab, n, why);
	/* before there are interfaces: some say what new ones are like */
	STAILQ_FOREACH(n, &lab->nodes, next)
		if (error == 0 && (error = sysctl_apply(lab, n, &lab->sysctl, why)) == 0)
			error = sysctl_apply(lab, n, &n->sysctl, why);
	STAILQ_FOREACH(l, &lab->links, next)
		if (error == 0)
			error = lab_link_build(lab, l, why);
	STAILQ_FOREACH(n, &lab->nodes, next)
		if (error == 0 && n->is_switch)
			error = switch_make(lab, n, why);
	return error == 0 ? captures_build(lab, true, why) : error;
}

int
lab_build(struct lab *lab, const struct lab_options *o, char **why)
{
	static const struct lab_options none;
	struct lab_node *n;
	int error;

	if (why != NULL)
		*why = NULL;
	lab->opt = o != NULL ? *o : none;
	lab->built = LAB_BUILT;
	if (lab->opt.seed == 0)
		lab->opt.seed = lab->seed != 0 ? lab->seed : 1;
	rng_process_seed = lab->opt.seed;
	sched_max_batch = lab->opt.max_batch > 0 && lab->opt.max_batch < BATCH_MAX ?
	    lab->opt.max_batch :
	    BATCH_MAX;
	if (lab->opt.for_ns != 0)
		lab->end_ns = lab->opt.for_ns;
	else if (lab->for_ns != 0)
		lab->end_ns = lab->for_ns;
	else if (lab->opt.live)
		lab->end_ns = NS_NEVER;
	error = tunables_check(lab, why);
	if (error == 0)
		error = out_dir_make(lab, why);
	if (error == 0)
		error = build_network(lab, why);
	if (error == 0)
		error = lab_address_apply(lab, why);
	if (error == 0)
		error = hosts_add(lab);
	STAILQ_FOREACH(n, &lab->nodes, next)
		if (error == 0)
			error = node_run_lines(lab, n, why);
	if (error == 0)
		error = hosts_add(lab);
	if (error == 0)
		error = captures_build(lab, false, why);
	if (error == 0)
		error = lab_traffic_build(lab, why);
	if (error == 0)
		error = lab_expect_build(lab, why);
	if (error == 0)
		error = lab_timeline_build(lab, why);
	if (error == 0)
		lab_update_lookahead(lab);
	if (error != 0 && why != NULL && *why == NULL)
		lab_fail(lab, why, error, 1, "%s", strerror(-error));
	return error;
}

static void
link_take_down(struct lab_link *l)
{
	struct ifnet *a = l->end[0].ifp;

	if (a == NULL)
		return;
	if (!(a->if_flags & IFF_DYING_)) {
		VNET_SCOPE(a->if_vnet);
		if_clone_destroy(a);
	}
	for (unsigned side = 0; side < 2; side++) {
		if (l->end[side].ifp != NULL)
			if_rele(l->end[side].ifp);
		l->end[side].ifp = NULL;
	}
}

void
lab_captures_end(struct lab *lab)
{
	struct lab_capture *c;

	STAILQ_FOREACH(c, &lab->captures, next) {
		if (c->cap == NULL)
			continue;
		capture_counts(c->cap, &c->seen, &c->written, &c->dropped);
		c->error = capture_free(c->cap);
		c->cap = NULL;
	}
}

void
lab_release(struct lab *lab)
{
	struct lab_link *l;
	struct lab_node *n;

	if (lab->built == LAB_NOT_BUILT)
		return;
	lab_exec_free(lab);
	lab_timeline_free(lab);
	lab_traffic_free(lab);
	lab_captures_end(lab);
	STAILQ_FOREACH(l, &lab->links, next)
		link_take_down(l);
	STAILQ_FOREACH(n, &lab->nodes, next) {
		if (n->prison == NULL)
			continue;
		n->prison->pinned = false;
		prison_remove(n->prison);
	}
	/* The first node of a group owns its domain. */
	STAILQ_FOREACH(n, &lab->nodes, next)
		if (n->domain != NULL && n->group == n->index)
			sched_domain_free(n->domain);
	ip_hosts_clear();
	sched_max_batch = BATCH_MAX;
	free(lab->out_dir);
	lab->out_dir = NULL;
	lab->built = LAB_NOT_BUILT;
}
