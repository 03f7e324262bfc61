/*
 * auth_cmd.c - `ipfw auth …`: what waits to be judged, and judging it by hand.
 *
 *	ipfw auth show
 *	ipfw auth pass 12
 *	ipfw auth block all
 */
#include "ipfw/auth.h"
#include "inet/ip_names.h"
#include "ipfw/command.h"
#include "ipfw/names.h"

#include "base/bytes.h"
#include "inet/in.h"
#include "ipfw/packet.h"

#include <inttypes.h>
#include <string.h>

/* --- show ------------------------------------------------------------------------------------- */

static void
show_stats(struct emitter *e)
{
	const struct fw_auth_stats s = fw_auth_stats();

	emit_str(e, "judge", "auth: %s",
	    fw_listener_of(FW_ACT_AUTH, 0) != NULL ? "somebody listens" : "nobody listens");
	emit_uint(e, "held", ", %" PRIu64 " held\n", fw_auth_held());
	emit_uint(e, "asked", "\tpackets: %" PRIu64 " asked about", s.asked);
	emit_uint(e, "passed", ", %" PRIu64 " passed", s.passed);
	emit_uint(e, "blocked", ", %" PRIu64 " blocked\n", s.blocked);
	emit_uint(e, "late", "\tdropped: %" PRIu64 " not answered in time", s.late);
	emit_uint(e, "full", ", %" PRIu64 " beyond the limit", s.full);
	emit_uint(e, "unheard", ", %" PRIu64 " not heard of", s.unheard);
	emit_uint(e, "nobody", ", %" PRIu64 " while nobody listened\n", s.nobody);
}

static void
show_end(struct emitter *e, const struct fw_packet *p, bool src)
{
	char text[IN6_TEXT];

	if (p->ip == 4)
		in_ntoa(src ? p->src : p->dst, text);
	else
		in6_ntoa(src ? &p->src6 : &p->dst6, text);
	emit_str(e, src ? "src" : "dst", " %s", text);
	if (p->has_ports)
		emit_uint(e, src ? "sport" : "dport", " %" PRIu64, src ? p->sport : p->dport);
}

static void
show_packet(struct emitter *e, const struct fw_packet *p)
{
	const char *proto = ip_protocol_name(p->proto);

	if (p->ip == 0) {
		emit_uint(e, "ether-type", " type 0x%04" PRIx64, p->ether_type);
		return;
	}
	if (proto != NULL)
		emit_str(e, "proto", " %s", proto);
	else
		emit_uint(e, "proto", " proto %" PRIu64, p->proto);
	show_end(e, p, true);
	emit_text(e, " ->");
	show_end(e, p, false);
}

static void
show_held(const struct fw_held *h, void *ctx)
{
	const struct fw_tag *tag = fw_tag_find(h->m);
	struct ifnet *ifp = fw_place_if(tag->dir == PFIL_IN ? &tag->recv : &tag->xmit);
	struct emitter *e = ctx;
	struct fw_packet p;

	emit_object(e, NULL);
	emit_uint(e, "id", "%" PRIu64, h->question);
	emit_uint(e, "age-ms", " (%" PRIu64 " ms)", (clock_now() - h->since_ns) / NS_PER_MS);
	emit_uint(e, "rule", " rule %05" PRIu64, tag->ref.number);
	emit_str(e, "direction", " %s", tag->dir == PFIL_IN ? "in" : "out");
	if (ifp != NULL)
		emit_str(e, "interface", " via %s", ifp->if_xname);
	if (fw_packet_read(&p, h->m, (enum pfil_point)tag->point, (enum pfil_dir)tag->dir, ifp) ==
	    FW_PACKET_OK)
		show_packet(e, &p);
	emit_uint(e, "bytes", " %" PRIu64 " bytes\n", h->m->len);
	emit_end(e);
}

static int
auth_show(struct verb_run *v)
{
	emit_object(v->out, "auth");
	show_stats(v->out);
	emit_list(v->out, "packet");
	fw_auth_foreach(show_held, v->out);
	emit_end(v->out);
	emit_end(v->out);
	return 0;
}

/* --- pass, block ------------------------------------------------------------------------------ */

static int
auth_answer(struct verb_run *v, const struct fw_options *o, bool pass, const char *word)
{
	uint64_t id;

	if (strcmp(word, "all") == 0) {
		if (!o->test_only)
			fw_auth_answer_all(pass);
		return 0;
	}
	if (!verb_number(word, 1, UINT64_MAX, &id))
		return verb_error(
		    v, EX_DATAERR_, "auth: %s: not the number of a packet, nor all", word);
	if (o->test_only || fw_auth_answer(id, pass))
		return 0;
	return verb_error(v, EX_UNAVAILABLE_, "auth: packet %s is not held", word);
}

static int
auth_run(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "show") == 0)
		return auth_show(v);
	if (argc == 2 && strcmp(argv[0], "pass") == 0)
		return auth_answer(v, o, true, argv[1]);
	if (argc == 2 && strcmp(argv[0], "block") == 0)
		return auth_answer(v, o, false, argv[1]);
	return verb_error(v, EX_USAGE_, "auth: show, pass ID, block ID");
}

static void
auth_complete(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx)
{
	static const char *const words[] = { "block", "pass", "show" };

	if (argc == 0)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			add(ctx, words[i]);
	else if (argc == 1 && strcmp(argv[0], "show") != 0)
		add(ctx, "all");
}

FW_SUBCOMMAND_DEFINE(auth, .name = "auth", .run = auth_run,
    .usage = "ipfw auth show\n"
	     "ipfw auth {pass | block} {id | all}",
    .complete = auth_complete);
