/*
 * multicast_cmd.c - the tool mcast: to be in a group by hand, and who is in which.
 *
 *	mcast join GROUP [via IF] [source ADDR[,ADDR]… | except ADDR[,ADDR]…] [for TIME]
 *	mcast show [IF]
 *
 * A membership is there until ^C, or the end of `for`: so a lab's node or a person at the console
 * is a listener for a while. What arrives is counted by `udp sink GROUP:PORT`, which joins by
 * itself.
 */
#include "inet/multicast.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- mcast join ------------------------------------------------------------------------------- */

struct mcast_cmd {
	struct verb_run *v;
	struct mcast_member *member;
	struct callout end;
	struct ipaddr group;
	struct ifnet *ifp;
	enum mcast_mode mode;
	struct ipaddr *sources;
	unsigned nsources;
	uint64_t for_ns;
};

static void
cmd_free(struct mcast_cmd *c)
{
	callout_drain(&c->end);
	mcast_leave(c->member);
	free(c->sources);
	free(c);
}

static void
cmd_finish(void *arg)
{
	struct mcast_cmd *c = arg;
	struct verb_run *v = c->v;
	int status = 0;

	if (mcast_member_ifp(c->member) == NULL)
		status = verb_error(v, 1, "join: the interface has gone");
	cmd_free(c);
	verb_finish(v, status);
}

static void
cmd_cancel(struct verb_run *v)
{
	cmd_finish(v->state);
}

/* "10.0.0.1,10.0.0.2", behind those that were named before. Exit status. */
static int
parse_sources(struct mcast_cmd *c, const char *word, enum mcast_mode mode)
{
	unsigned n = c->nsources + 1;
	struct ipaddr *sources;
	char *copy, *rest, *one;

	if (c->nsources > 0 && c->mode != mode)
		return verb_error(c->v, EXIT_USAGE_, "join: either source or except");
	for (const char *p = word; *p != '\0'; p++)
		n += *p == ',';
	if ((sources = realloc(c->sources, n * sizeof(*sources))) != NULL)
		c->sources = sources;
	copy = rest = strdup(word);
	if (sources == NULL || copy == NULL) {
		free(copy);
		return verb_error(c->v, 1, "join: %s", verb_strerror(ENOMEM));
	}
	c->mode = mode;
	while ((one = strsep(&rest, ",")) != NULL &&
	    ipaddr_resolve(one, c->group.family, &sources[c->nsources]))
		c->nsources++;
	if (one != NULL)
		(void)verb_error(c->v, EXIT_USAGE_, "join: %s: not a source's address", one);
	free(copy);
	return one != NULL ? EXIT_USAGE_ : 0;
}

/* One key and its value. Exit status. */
static int
parse_pair(struct mcast_cmd *c, const char *key, const char *value)
{
	if (strcmp(key, "source") == 0)
		return parse_sources(c, value, MCAST_MODE_INCLUDE);
	if (strcmp(key, "except") == 0)
		return parse_sources(c, value, MCAST_MODE_EXCLUDE);
	if (strcmp(key, "via") == 0) {
		c->ifp = if_byname(value);
		return c->ifp != NULL ?
		    0 :
		    verb_error(c->v, 1, "join: interface %s does not exist", value);
	}
	if (strcmp(key, "for") == 0)
		return verb_duration(value, &c->for_ns) && c->for_ns > 0 ?
		    0 :
		    verb_error(c->v, EXIT_USAGE_, "join: %s: not a time with its unit", value);
	return verb_error(c->v, EXIT_USAGE_, "join: %s: unknown word", key);
}

static int
parse_join(struct mcast_cmd *c)
{
	struct verb_run *v = c->v;
	int status = 0;

	if (v->argc < 3)
		return verb_usage(v, "join: no group");
	if (!ipaddr_resolve(v->argv[2], AF_UNSPEC, &c->group) || !ipaddr_is_multicast(&c->group))
		return verb_error(v, EXIT_USAGE_, "join: %s: not a group's address", v->argv[2]);
	for (int at = 3; at < v->argc && status == 0; at += 2) {
		if (at + 1 == v->argc)
			return verb_error(
			    v, EXIT_USAGE_, "join: %s: a value is missing", v->argv[at]);
		status = parse_pair(c, v->argv[at], v->argv[at + 1]);
	}
	return status;
}

static int
join_failed(struct mcast_cmd *c, int error)
{
	const char *group = c->v->argv[2];

	if (error == EADDRNOTAVAIL && c->ifp == NULL)
		return verb_error(c->v, 1, "join: %s: no interface for it", group);
	return verb_error(c->v, 1, "join: %s: %s", group, verb_strerror(error));
}

static void
emit_sources(struct emitter *e, const struct ipaddr *sources, unsigned n, const char *before)
{
	char text[IPADDR_TEXT];

	emit_list(e, "source");
	for (unsigned i = 0; i < n; i++) {
		emit_text(e, "%s", i == 0 ? before : ",");
		emit_str(e, "", "%s", ipaddr_ntoa(&sources[i], text));
	}
	emit_end(e);
}

static const char *
mode_name(enum mcast_mode mode)
{
	return mode == MCAST_MODE_INCLUDE ? "include" : "exclude";
}

static void
print_joined(const struct mcast_cmd *c)
{
	struct emitter *e = c->v->out;
	char text[IPADDR_TEXT];

	emit_str(e, "group", "joined %s", ipaddr_ntoa(mcast_member_group(c->member), text));
	emit_str(e, "interface", " on %s", mcast_member_ifp(c->member)->if_xname);
	emit_str(e, "mode", NULL, mode_name(c->mode));
	emit_sources(
	    e, c->sources, c->nsources, c->mode == MCAST_MODE_INCLUDE ? " from " : " except ");
	emit_text(e, "\n");
	emit_flush(e);
}

static int
run_join(struct verb_run *v)
{
	struct mcast_cmd *c = calloc(1, sizeof(*c));
	int status;

	if (c == NULL)
		return verb_error(v, 1, "join: %s", verb_strerror(ENOMEM));
	c->v = v;
	c->mode = MCAST_MODE_EXCLUDE;
	callout_init(&c->end, curvnet, cmd_finish, c);
	status = parse_join(c);
	if (status == 0) {
		c->member = mcast_join_filter(c->ifp, &c->group, c->mode, c->sources, c->nsources);
		if (c->member == NULL)
			status = join_failed(c, errno);
	}
	if (status != 0) {
		cmd_free(c);
		return status;
	}
	print_joined(c);
	if (c->for_ns != 0)
		callout_reset(&c->end, c->for_ns);
	v->state = c;
	v->cancel = cmd_cancel;
	return VERB_PENDING;
}

/* --- mcast show ------------------------------------------------------------------------------- */

struct show_walk {
	struct emitter *e;
	const struct ifnet *ifp;
};

static int
show_group(const struct mcast_info *info, void *ctx)
{
	const struct show_walk *w = ctx;
	char text[IPADDR_TEXT];

	emit_object(w->e, NULL);
	emit_str(w->e, "interface", "%-15s", w->ifp->if_xname);
	emit_str(w->e, "group", " %-39s", ipaddr_ntoa(&info->group, text));
	emit_uint(w->e, "members", " %7" PRIu64, info->members);
	emit_str(w->e, "mode", " %s", mode_name(info->mode));
	emit_bool(w->e, "reported", info->reports);
	emit_sources(w->e, info->sources, info->nsources, " ");
	emit_text(w->e, "\n");
	emit_end(w->e);
	return 0;
}

static int
run_show(struct verb_run *v)
{
	const char *name = v->argc > 2 ? v->argv[2] : NULL;
	struct ifnet *ifp;

	if (v->argc > 3)
		return verb_usage(v, NULL);
	if (name != NULL && if_byname(name) == NULL)
		return verb_error(v, 1, "show: interface %s does not exist", name);
	emit_text(v->out, "%-15s %-39s %7s %s\n", "Interface", "Group", "Members", "Mode");
	emit_list(v->out, "multicast");
	IF_FOREACH(ifp) {
		struct show_walk w = { v->out, ifp };

		if (name != NULL && strcmp(name, ifp->if_xname) != 0)
			continue;
		mcast_foreach(ifp, AF_INET, show_group, &w);
		mcast_foreach(ifp, AF_INET6, show_group, &w);
	}
	emit_end(v->out);
	return 0;
}

static int
mcast_run(struct verb_run *v)
{
	if (v->argc > 1 && strcmp(v->argv[1], "join") == 0)
		return run_join(v);
	if (v->argc > 1 && strcmp(v->argv[1], "show") == 0)
		return run_show(v);
	return verb_usage(v, NULL);
}
VERB_DEFINE(mcast, .name = "mcast",
    .usage = "mcast [-j JAIL] join GROUP [via INTERFACE] [source ADDR[,ADDR]... | except "
	     "ADDR[,ADDR]...]\n"
	     "                        [for TIME]\n"
	     "       mcast [-j JAIL] show [INTERFACE]",
    .summary = "listen to a multicast group, or show who does", .run = mcast_run,
    .flags = VERB_HAS_JAIL);
