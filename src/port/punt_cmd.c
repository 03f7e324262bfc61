/*
 * punt_cmd.c - the verb `punt`.
 *
 *	punt add epair0a tap10		what routing daemons serve goes to tap10's Linux
 *	punt add epair0a tap10 123 161	UDP to these ports too
 *	punt delete epair0a
 *	punt show
 */
#include "port/punt.h"

#include "kern/jail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_MAX = 32 }; /* words of a command */

static const char *
punt_strerror(int error)
{
	switch (-error) {
	case EEXIST:
		return "has a punt already";
	case EINVAL:
		return "not an Ethernet interface";
	case ENOTTY:
		return "not a tap";
	case ENOENT:
		return "has no punt";
	default:
		return verb_strerror(error);
	}
}

static bool
parse_port(const char *word, uint16_t *port)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	*port = (uint16_t)n;
	return word[0] >= '0' && word[0] <= '9' && *end == '\0' && n > 0 && n <= UINT16_MAX;
}

/* punt add interface tap [port ...] */
static int
cmd_add(struct verb_run *v, struct ifnet *ifp)
{
	struct ifnet *tap = if_byname(v->argv[3]);
	uint16_t port[PORTS_MAX];
	struct punt_ports more = { port, 0 };
	int error;

	if (tap == NULL)
		return verb_error(v, 1, "interface %s does not exist", v->argv[3]);
	for (int i = 4; i < v->argc; i++)
		if (!parse_port(v->argv[i], &port[more.n++]))
			return verb_error(v, 1, "%s: not a port", v->argv[i]);
	error = punt_add(ifp, tap, &more);
	return error == 0 ?
	    0 :
	    verb_error(v, 1, "add %s %s: %s", ifp->if_xname, tap->if_xname, punt_strerror(error));
}

static void
show_one(const struct punt_info *info, void *ctx)
{
	struct emitter *e = ctx;

	emit_object(e, NULL);
	emit_str(e, "interface", "%s", info->ifp->if_xname);
	emit_str(e, "tap", " by %s", info->tap->if_xname);
	emit_list(e, "udp");
	for (unsigned i = 0; i < info->more->n; i++)
		emit_uint(e, "", i == 0 ? ", UDP %" PRIu64 : " %" PRIu64, info->more->port[i]);
	emit_end(e);
	emit_text(e, ":");
	emit_uint(e, "to-guest", " %" PRIu64 " to the guest,", info->stats->to_guest);
	emit_uint(e, "from-guest", " %" PRIu64 " from it,", info->stats->from_guest);
	emit_uint(e, "refused", " %" PRIu64 " refused\n", info->stats->refused);
	emit_end(e);
}

static int
punt_run(struct verb_run *v)
{
	const char *word = v->argc > 1 ? v->argv[1] : "show";
	struct ifnet *ifp;
	int error;

	if (strcmp(word, "show") == 0) {
		if (v->argc > 2)
			return verb_usage(v, NULL);
		emit_list(v->out, "punt");
		punt_foreach(show_one, v->out);
		emit_end(v->out);
		return 0;
	}
	if (!(strcmp(word, "add") == 0 && v->argc >= 4 && v->argc <= 4 + PORTS_MAX) &&
	    !(strcmp(word, "delete") == 0 && v->argc == 3))
		return verb_usage(v, NULL);
	if (priv_check(PRIV_NET_CONFIG) != 0)
		return verb_error(v, EXIT_NOPERM_, "%s", verb_strerror(EPERM));
	if ((ifp = if_byname(v->argv[2])) == NULL)
		return verb_error(v, 1, "interface %s does not exist", v->argv[2]);
	if (v->argc > 3)
		return cmd_add(v, ifp);
	error = punt_delete(ifp);
	return error == 0 ? 0 :
			    verb_error(v, 1, "delete %s: %s", ifp->if_xname, punt_strerror(error));
}

VERB_DEFINE(punt, .name = "punt",
    .usage = "punt add interface tap [port ...]\n"
	     "punt delete interface\n"
	     "punt show",
    .summary = "give a Linux guest what is for the router itself", .run = punt_run);
