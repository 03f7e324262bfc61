/*
 * trial_side.c - a stack under a rule file, and a packet's way through it.
 *
 *	in by lan:  frame (with layer2) -> packet
 *	out by wan: packet -> frame (with layer2)
 *
 * Its interfaces have names and nothing behind them: what is sent there (a keepalive, an answer of
 * the stack's own) is freed.
 */
#include "port/trial_internal.h"

#include "inet/in.h"
#include "inet6/ip6.h"
#include "kern/jail.h"
#include "kern/verb.h"
#include "net/ethernet.h"

#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- interfaces ------------------------------------------------------------------------------- */

static void
swallow(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m)
		m_free(m);
	b->n = 0;
}

/* In curvnet. NULL without memory. */
static struct ifnet *
iface_make(const char *name, unsigned unit)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, (uint8_t)(unit + 1) };
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "trial", (int)unit);

	if (ifp == NULL)
		return NULL;
	snprintf(ifp->if_xname, sizeof(ifp->if_xname), "%s", name);
	ifp->if_transmit = swallow;
	if (ether_attach(ifp, mac) != 0) {
		if_free(ifp);
		return NULL;
	}
	ifp->if_flags |= IFF_RUNNING_;
	return ifp;
}

/* The stack's interface of a name that the user has said, made if need be. False without memory. */
static bool
iface_add(struct trial_side *s, const char *name)
{
	struct ifnet *ifp;

	for (unsigned i = 0; i < s->nifaces; i++)
		if (strcmp(s->iface[i].name, name) == 0)
			return true;
	ifp = if_byname(name);
	s->iface[s->nifaces].name = name;
	s->iface[s->nifaces].is_ours = ifp == NULL;
	s->iface[s->nifaces].ifp = ifp != NULL ? ifp : iface_make(name, s->nifaces);
	return s->iface[s->nifaces++].ifp != NULL;
}

static bool
ifaces_add(struct trial_side *s)
{
	const struct trial_config *c = s->c;

	for (unsigned i = 0; i < c->nnets; i++)
		if (!iface_add(s, c->net[i].ifname))
			return false;
	return (c->in == NULL || iface_add(s, c->in)) && (c->out == NULL || iface_add(s, c->out));
}

static struct ifnet *
iface_of(const struct trial_side *s, const char *name)
{
	for (unsigned i = 0; name != NULL && i < s->nifaces; i++)
		if (strcmp(s->iface[i].name, name) == 0)
			return s->iface[i].ifp;
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static void
say(const struct trial_side *s, const char *text)
{
	s->c->say(s->c->ctx, text);
}

/* Messages, each a line; those of ipfw begin with the file's name and the line's number. */
static void
say_lines(const struct trial_side *s, char *text)
{
	static const char tool[] = "ipfw: ", here[] = "./";
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		if (strncmp(line, tool, sizeof(tool) - 1) == 0)
			line += sizeof(tool) - 1;
		if (s->file[0] != '.' && strncmp(line, here, sizeof(here) - 1) == 0)
			line += sizeof(here) - 1;
		if (*line != '\0')
			say(s, line);
	}
}

/* A line as a command of the stack; its messages are said. */
static int
run_line(struct trial_side *s, const char *line)
{
	char *out = NULL, *err = NULL;
	int status = verb_line(s->prison, line, false, &out, &err);

	if (err != NULL)
		say_lines(s, err);
	free(out);
	free(err);
	return status;
}

static enum trial_result
run_commands(struct trial_side *s)
{
	for (unsigned i = 0; i < s->c->ncommands; i++)
		if (run_line(s, s->c->command[i]) != 0) {
			char text[300];

			snprintf(text, sizeof(text), "%s: the command failed", s->c->command[i]);
			say(s, text);
			return TRIAL_WORDS;
		}
	return TRIAL_YES;
}

/* The tool takes a word for a file if it has a slash; no character of the name means anything. */
static enum trial_result
read_rules(struct trial_side *s)
{
	const size_t len = strlen(s->file);
	char *line = malloc(2 * len + 32), *to;
	int status;

	if (line == NULL)
		return TRIAL_ENVIRONMENT;
	to = stpcpy(line,
	    strchr(s->file, '/') == NULL && strcmp(s->file, "-") != 0 ? "ipfw -q ./" : "ipfw -q ");
	for (const char *from = s->file; *from != '\0'; from++) {
		*to++ = '\\';
		*to++ = *from;
	}
	*to = '\0';
	status = run_line(s, line);
	free(line);
	return status == 0 ? TRIAL_YES : TRIAL_WORDS;
}

static enum trial_result
stack_begin(struct trial_side *s)
{
	const struct fw_map *map;
	enum trial_result result;
	VNET_SCOPE(s->prison->vnet);

	if (!ifaces_add(s) || fw_start() != 0)
		return TRIAL_ENVIRONMENT;
	if (s->c->layer2)
		run_line(s, "sysctl net.link.ether.ipfw=1");
	if ((result = run_commands(s)) != TRIAL_YES || (result = read_rules(s)) != TRIAL_YES)
		return result;
	fw_pass_alone();
	rcu_read_lock();
	map = V_fw_map;
	s->dropped = calloc(map->n, sizeof(*s->dropped));
	rcu_read_unlock();
	return s->dropped != NULL ? TRIAL_YES : TRIAL_ENVIRONMENT;
}

enum trial_result
trial_side_begin(struct trial_side *s, const struct trial_config *c, const char *file,
    const char *name, bool wants_stories)
{
	enum trial_result result;

	*s = (struct trial_side){ .c = c, .file = file, .wants_stories = wants_stories };
	s->prison = prison_create(&prison0, name, true);
	result = s->prison != NULL ? stack_begin(s) : TRIAL_ENVIRONMENT;
	if (result == TRIAL_ENVIRONMENT)
		say(s, "no memory");
	return result;
}

static void
stack_end(struct trial_side *s)
{
	VNET_SCOPE(s->prison->vnet);

	m_free(s->m);
	for (unsigned i = 0; i < s->nifaces; i++) {
		struct ifnet *ifp = s->iface[i].ifp;

		if (ifp == NULL || !s->iface[i].is_ours)
			continue;
		ether_detach(ifp);
		if_free(ifp);
	}
}

void
trial_side_end(struct trial_side *s)
{
	if (s->prison == NULL)
		return;
	stack_end(s);
	prison_remove(s->prison);
	for (unsigned i = 0; i < TRIAL_HOPS; i++)
		fw_story_free(&s->story[i]);
	free(s->dropped);
	*s = (struct trial_side){ .c = s->c };
}

/* --- where it comes from, where it goes ------------------------------------------------------- */

/* Source or destination of the packet at m->data. */
static struct ipaddr
address_of(const struct mbuf *m, bool src)
{
	if (m->data[0] >> 4 == 4)
		return ipaddr4(src ? mtod(m, const struct ip_hdr *)->src :
				     mtod(m, const struct ip_hdr *)->dst);
	return ipaddr6(
	    src ? &mtod(m, const struct ip6_hdr *)->src : &mtod(m, const struct ip6_hdr *)->dst);
}

static bool
is_in_net(const struct ipaddr *a, const struct trial_net *net)
{
	const unsigned whole = net->plen / 8, rest = net->plen % 8;

	if (a->family != net->addr.family || memcmp(a->b, net->addr.b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ net->addr.b[whole]) >> (8 - rest)) == 0;
}

/* The interface of the longest network that holds a; NULL. */
static struct ifnet *
iface_behind(const struct trial_side *s, const struct ipaddr *a)
{
	const struct trial_net *best = NULL;

	for (unsigned i = 0; i < s->c->nnets; i++)
		if (is_in_net(a, &s->c->net[i]) && (best == NULL || s->c->net[i].plen > best->plen))
			best = &s->c->net[i];
	return best != NULL ? iface_of(s, best->ifname) : NULL;
}

static bool
is_of_stack(const struct ipaddr *a)
{
	return a->family == AF_INET ? in_local(ipaddr_in(a)) != NULL :
				      in6_local(ipaddr_in6(a)) != NULL;
}

/* The packet at m->data. NULL: it was made here, or nobody knows. */
static struct ifnet *
way_in(const struct trial_side *s, const struct mbuf *m)
{
	const struct ipaddr src = address_of(m, true);
	struct ifnet *ifp;

	if (is_of_stack(&src))
		return NULL;
	ifp = iface_behind(s, &src);
	return ifp != NULL ? ifp : iface_of(s, s->c->in);
}

/* NULL: it stays here, or nobody knows. */
static struct ifnet *
way_out(const struct trial_side *s, const struct mbuf *m)
{
	const struct fw_passage *in = s->nhops > 0 ? trial_outcome(s) : NULL;
	struct ipaddr dst = address_of(m, false);
	struct ifnet *ifp;

	if (in != NULL && in->fwd_family != 0)
		dst = in->fwd_family == AF_INET ? ipaddr4(load32(in->fwd_addr.b)) :
						  ipaddr6(&in->fwd_addr);
	if (ipaddr_is_multicast(&dst) || is_of_stack(&dst) ||
	    (dst.family == AF_INET && ipaddr_in(&dst) == UINT32_MAX))
		return NULL;
	ifp = iface_behind(s, &dst);
	return ifp != NULL ? ifp : iface_of(s, s->c->out);
}

/* --- the way ---------------------------------------------------------------------------------- */

/* One hook. False: that was the packet's way. */
static bool
pass(struct trial_side *s, enum pfil_point point, enum pfil_dir dir, struct ifnet *ifp)
{
	struct fw_passage *pg = &s->hop[s->nhops];

	pg->point = point;
	pg->dir = dir;
	pg->ifp = ifp;
	pg->dry = false;
	pg->story = NULL;
	if (s->wants_stories) {
		pg->story = &s->story[s->nhops];
		fw_story_begin(pg->story, s->c->words);
	}
	s->nhops++;
	s->m = fw_pass(pg, s->m);
	return pg->fate == FW_FATE_PASS;
}

static bool
pass_packet(struct trial_side *s, enum pfil_dir dir, struct ifnet *ifp)
{
	return pass(s, s->m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6, dir, ifp);
}

/* In as a frame, whose link header comes off. */
static bool
pass_frame_in(struct trial_side *s, const struct trial_packet *p, struct ifnet *ifp)
{
	if (!pass(s, PFIL_LINK, PFIL_IN, ifp) || p->ip_bytes == 0)
		return false;
	m_adj(s->m, p->skip);
	return true;
}

/* Out as a frame, with the link header that it came with. */
static void
pass_frame_out(struct trial_side *s, const struct trial_packet *p, struct ifnet *ifp)
{
	s->m = m_prepend(s->m, p->skip);
	if (s->m == NULL)
		return;
	memcpy(s->m->data, p->frame, p->skip);
	pass(s, PFIL_LINK, PFIL_OUT, ifp);
}

/* From the interface on by which it comes in, NULL: it is made here. */
static void
pass_all(struct trial_side *s, const struct trial_packet *p, bool frames, struct ifnet *recv)
{
	struct ifnet *xmit;

	if (frames && recv != NULL) {
		if (!pass_frame_in(s, p, recv))
			return;
	} else if (frames) {
		m_adj(s->m, p->skip);
	}
	if (recv != NULL && !pass_packet(s, PFIL_IN, recv))
		return;
	xmit = way_out(s, s->m);
	if (xmit == NULL)
		return;
	if (recv != NULL)
		s->m->flags |= M_FORWARDED;
	if (pass_packet(s, PFIL_OUT, xmit) && frames)
		pass_frame_out(s, p, xmit);
}

static void
count(struct trial_side *s, const struct trial_packet *p)
{
	const struct fw_passage *last;

	if (s->nhops == 0)
		return;
	last = trial_outcome(s);
	s->packets[last->fate]++;
	s->bytes[last->fate] += p->wirelen;
	if (last->fate != FW_FATE_DROP)
		return;
	if (last->rule != NULL)
		s->dropped[last->slot]++;
	else
		s->faulty++;
}

void
trial_side_pass(struct trial_side *s, const struct trial_packet *p, uint64_t when_ns)
{
	const bool frames = s->c->layer2 && p->dlt == DLT_EN10MB;
	const uint32_t skip = frames ? 0 : p->skip;
	struct ifnet *recv;
	VNET_SCOPE(s->prison->vnet);

	m_free(s->m);
	s->nhops = 0;
	s->m = m_from(p->frame + skip, p->ip_bytes != 0 ? p->skip - skip + p->ip_bytes : p->caplen);
	if (s->m == NULL)
		return;
	s->m->when_ns = when_ns;
	if (p->ip_bytes == 0) { /* a frame that is not IP */
		recv = iface_of(s, s->c->in);
	} else {
		m_adj(s->m, p->skip - skip);
		recv = way_in(s, s->m);
		s->m->data -= p->skip - skip;
		s->m->len += p->skip - skip;
	}
	s->m->rcvif = recv;
	s->m->fib = recv != NULL ? recv->if_fib : 0;
	if (recv != NULL || p->ip_bytes != 0)
		pass_all(s, p, frames, recv);
	count(s, p);
}

/* --- two sides -------------------------------------------------------------------------------- */

/* Does the sender hear of it? */
static bool
is_answered(const struct fw_passage *pg)
{
	return pg->rule != NULL &&
	    (pg->action == FW_ACT_UNREACH || pg->action == FW_ACT_UNREACH6 ||
		pg->action == FW_ACT_RESET || pg->action == FW_ACT_RESET6);
}

static bool
hops_agree(const struct fw_passage *a, const struct fw_passage *b)
{
	return a->pipe == b->pipe && a->fwd_family == b->fwd_family &&
	    (a->fwd_family == 0 ||
		(in6_equal(&a->fwd_addr, &b->fwd_addr) && a->fwd_port == b->fwd_port));
}

static bool
bytes_agree(const struct mbuf *a, const struct mbuf *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->len == b->len && a->fib == b->fib && memcmp(a->data, b->data, a->len) == 0;
}

bool
trial_sides_agree(const struct trial_side *a, const struct trial_side *b)
{
	const struct fw_passage *x, *y;

	if (a->nhops == 0 || b->nhops == 0)
		return a->nhops == b->nhops;
	x = trial_outcome(a);
	y = trial_outcome(b);
	if (x->fate != y->fate)
		return false;
	if (x->fate == FW_FATE_DROP)
		return is_answered(x) == is_answered(y) &&
		    (!is_answered(x) || (x->action == y->action && x->arg == y->arg));
	if (x->fate == FW_FATE_LEAVE && (x->action != y->action || x->arg != y->arg))
		return false;
	if (a->nhops != b->nhops || !bytes_agree(a->m, b->m))
		return false;
	for (unsigned i = 0; i < a->nhops; i++)
		if (!hops_agree(&a->hop[i], &b->hop[i]))
			return false;
	return true;
}
