/*
 * explain.c - `ipfw explain PACKET`: what the rules would do to a packet, and why.
 *
 *	ipfw explain 'tcp 10.0.0.1:1234 -> 192.0.2.1:80 setup in via lan'
 *
 * The packet is made of the words (probe.c) and walks the rules as one that has come (passage.c),
 * but nothing is counted, no state made or prolonged, nothing logged.
 */
#include "ipfw/command.h"
#include "ipfw/packet.h"
#include "ipfw/passage.h"
#include "ipfw/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EXPLAIN_NO = 1, TEXT_LEN = 512 };

static void
tell_packet(struct emitter *e, const struct fw_probe *probe)
{
	char text[TEXT_LEN];
	struct fw_packet p;

	fw_packet_read(&p, probe->m, probe->point, probe->dir, probe->ifp);
	fw_packet_text(&p, text, sizeof(text));
	emit_str(e, "packet", "%s\n", text);
}

static void
tell_next_hop(struct emitter *e, const struct fw_passage *pg)
{
	if (pg->pipe != 0)
		emit_uint(e, "pipe", "    through pipe %" PRIu64 "\n", pg->pipe);
	if (pg->was_translated)
		emit_text(e, "    nat rewrites it, which is not tried here\n");
	if (emitter_form(e) == EMIT_JSON && pg->was_translated)
		emit_bool(e, "nat", true);
}

static void
tell_verdict(struct emitter *e, const struct fw_passage *pg)
{
	char text[TEXT_LEN];

	emit_str(e, "fate", NULL, fw_fate_word(pg->fate));
	fw_passage_action(pg, text, sizeof(text));
	if (pg->rule != NULL) {
		emit_uint(e, "by", NULL, pg->rule->number);
		emit_str(e, "action", NULL, text);
		emit_bool(e, "by-state", pg->by_state);
	}
	if (pg->why != NULL)
		emit_str(e, "why", NULL, pg->why);
	tell_next_hop(e, pg);
	fw_passage_text(pg, text, sizeof(text));
	emit_str(e, "verdict", "%s\n", text);
}

/* Exit status 0: it passes; 1: it does not. */
static int
explain_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	struct fw_story story = { 0 };
	struct fw_passage pg = { .dry = true, .story = &story };
	struct fw_probe probe;
	char why[160];

	(void)o;
	if (!fw_probe_parse(argc, argv, &probe, why, sizeof(why)))
		return verb_error(v, EX_DATAERR_, "explain: %s", why);
	pg.point = probe.point;
	pg.dir = probe.dir;
	pg.ifp = probe.ifp;
	tell_packet(v->out, &probe);
	fw_story_begin(&story, true);
	rcu_read_lock();
	m_free(fw_pass(&pg, probe.m));
	fw_story_tell(v->out, &story, "    ");
	tell_verdict(v->out, &pg);
	rcu_read_unlock();
	fw_story_free(&story);
	return pg.fate == FW_FATE_DROP ? EXPLAIN_NO : 0;
}

static void
explain_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const first[] = { "tcp", "udp", "icmp", "icmp6", "sctp", "ip" };
	static const char *const others[] = { "in", "out", "via", "recv", "xmit", "setup",
		"established", "flags", "icmp", "length", "ttl", "tos", "dscp", "frag", "layer2",
		"mac", "fib" };
	const struct ifnet *ifp;

	if (argc == 0)
		for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
			add(ctx, first[i]);
	else if (strcmp(argv[argc - 1], "via") == 0 || strcmp(argv[argc - 1], "recv") == 0 ||
	    strcmp(argv[argc - 1], "xmit") == 0)
		IF_FOREACH(ifp)
			add(ctx, ifp->if_xname);
	else if (argc > 3)
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
			add(ctx, others[i]);
}
FW_SUBCOMMAND_DEFINE(explain, .name = "explain", .run = explain_run, .complete = explain_complete,
    .usage =
	"ipfw explain protocol src[:port] -> dst[:port] [in | out] [via IF] [setup] [flags F]\n"
	"     [icmp T.C] [length N] [ttl N] [tos N] [dscp N] [frag N[+]] [fib N] [layer2]\n"
	"     [mac DST SRC] [recv IF] [xmit IF]");
