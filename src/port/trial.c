/*
 * trial.c - a capture against a rule file, or against two: the loop over its packets.
 */
#include "port/trial_internal.h"

#include "base/sched.h"
#include "inet6/ip6.h"
#include "net/ethernet.h"
#include "port/capture_file.h"
#include "port/pcapng.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No time of a capture is farther away: what a broken time stamp says can't overflow. */
#define TRIAL_FAR_NS (UINT64_C(1) << 58)

enum { FRAME_MAX = 65535, WRITE_BYTES = 1 << 20, COMMENT_LEN = 512 };

/* Packets with one pair of verdicts. */
struct group {
	struct fw_passage older, newer;
	uint64_t packets, first;
};

struct trial {
	const struct trial_config *c;
	struct emitter *e;
	struct trial_side side[2];
	unsigned nsides;
	pcap_t *pcap;
	uint64_t start_ns;
	struct trial_totals totals;
	char note[PCAP_ERRBUF_SIZE];
	/* --write */
	FILE *out;
	struct pcapng_buf buf;
	bool write_failed;
	/* --diff */
	uint64_t differ;
	struct group *group;
	size_t ngroups, groups_room;
};

__attribute__((format(printf, 2, 3))) static void
say(const struct trial *t, const char *fmt, ...)
{
	char text[PCAP_ERRBUF_SIZE + 512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->c->say(t->c->ctx, text);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
write_out(struct trial *t)
{
	if (t->buf.no_memory || fwrite(t->buf.bytes, 1, t->buf.len, t->out) != t->buf.len)
		t->write_failed = true;
	t->buf.len = 0;
}

/* What DLT_RAW is called in files; the others that are known here have one number. */
static uint16_t
linktype_of(int dlt)
{
	enum { LINKTYPE_RAW = 101 };

	return (uint16_t)(dlt == DLT_RAW ? LINKTYPE_RAW : dlt);
}

static bool
write_begin(struct trial *t)
{
	if (t->c->write == NULL)
		return true;
	t->out = fopen(t->c->write, "wbe");
	if (t->out == NULL) {
		say(t, "%s: %s", t->c->write, strerror(errno));
		return false;
	}
	pcapng_put_section(&t->buf);
	pcapng_put_interface(&t->buf, t->c->in != NULL ? t->c->in : "pcap0",
	    linktype_of(pcap_datalink(t->pcap)), (uint32_t)pcap_snapshot(t->pcap), NULL);
	return true;
}

/* The record as it was read, with what became of it. */
static void
write_packet(struct trial *t, const struct trial_packet *p, const char *otherwise)
{
	const struct trial_side *s = &t->side[0];
	char comment[COMMENT_LEN];
	const struct pcapng_packet record = {
		.when_ns = p->date_ns,
		.bytes = p->frame,
		.caplen = p->caplen,
		.wirelen = p->wirelen,
		.inbound = s->nhops == 0 || s->hop[0].dir == PFIL_IN,
		.comment = comment,
	};

	if (t->out == NULL)
		return;
	if (otherwise != NULL)
		snprintf(comment, sizeof(comment), "%s", otherwise);
	else
		fw_passage_text(trial_outcome(s), comment, sizeof(comment));
	pcapng_put_packet(&t->buf, &record);
	if (t->buf.len > WRITE_BYTES)
		write_out(t);
}

static bool
write_end(struct trial *t)
{
	if (t->out == NULL)
		return true;
	write_out(t);
	if (fclose(t->out) != 0)
		t->write_failed = true;
	pcapng_buf_free(&t->buf);
	if (t->write_failed)
		say(t, "%s: it could not be written", t->c->write);
	return !t->write_failed;
}

/* --- differences ------------------------------------------------------------------------------ */

static bool
is_same_verdict(const struct fw_passage *a, const struct fw_passage *b)
{
	return a->fate == b->fate && a->rule == b->rule && a->by_state == b->by_state &&
	    a->why == b->why && a->action == b->action && a->arg == b->arg;
}

static struct fw_passage
verdict_of(const struct trial_side *s)
{
	return s->nhops > 0 ? *trial_outcome(s) : (struct fw_passage){ .why = "no interface" };
}

static void
group_count(struct trial *t, const struct trial_packet *p)
{
	const struct fw_passage older = verdict_of(&t->side[0]), newer = verdict_of(&t->side[1]);
	struct group *g;

	for (size_t i = 0; i < t->ngroups; i++) {
		g = &t->group[i];
		if (is_same_verdict(&g->older, &older) && is_same_verdict(&g->newer, &newer)) {
			g->packets++;
			return;
		}
	}
	if (t->ngroups == t->groups_room) {
		size_t room = t->groups_room != 0 ? t->groups_room * 2 : 16;

		if ((g = realloc(t->group, room * sizeof(*g))) == NULL)
			return;
		t->group = g;
		t->groups_room = room;
	}
	t->group[t->ngroups++] =
	    (struct group){ .older = older, .newer = newer, .packets = 1, .first = p->number };
}

static void
tell_group(struct emitter *e, const struct group *g)
{
	char text[COMMENT_LEN];

	emit_object(e, NULL);
	emit_uint(e, "packets", "%9" PRIu64, g->packets);
	fw_passage_text(&g->older, text, sizeof(text));
	emit_str(e, "old", "  old: %s\n", text);
	fw_passage_text(&g->newer, text, sizeof(text));
	emit_str(e, "new", "           new: %s", text);
	emit_uint(e, "first", "; first: packet %" PRIu64 "\n", g->first);
	emit_end(e);
}

static void
tell_groups(struct trial *t)
{
	emit_uint(t->e, "differ", "%" PRIu64 " of", t->differ);
	emit_uint(t->e, "packets", " %" PRIu64 " packets differ\n", t->totals.packets);
	emit_list(t->e, "group");
	for (size_t i = 0; i < t->ngroups; i++)
		tell_group(t->e, &t->group[i]);
	emit_end(t->e);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* Bytes of the IP packet at ip, of which `have` are there, without padding; 0: it is none. */
static uint32_t
ip_bytes_of(const uint8_t *ip, uint32_t have, unsigned type)
{
	const struct ip_hdr *ip4 = (const void *)ip;
	const struct ip6_hdr *ip6 = (const void *)ip;
	uint32_t len;

	if (type == ETHERTYPE_IP_) {
		if (have < sizeof(*ip4) || ip4->vhl >> 4 != 4 || ip_hlen(ip4) < sizeof(*ip4) ||
		    ip_hlen(ip4) > have || from_be16(ip4->len) < ip_hlen(ip4))
			return 0;
		len = from_be16(ip4->len);
	} else {
		if (have < IP6_HDRLEN || ip[0] >> 4 != 6)
			return 0;
		len = IP6_HDRLEN + (uint32_t)from_be16(ip6->plen);
		if (len == IP6_HDRLEN) /* a jumbogram says its length elsewhere */
			len = have;
	}
	return len < have ? len : have;
}

static bool
is_asked_for(const struct trial *t)
{
	const struct trial_side *s = &t->side[0];

	if (t->c->only == TRIAL_ALL)
		return true;
	if (s->nhops == 0)
		return false;
	if (t->c->only != TRIAL_RULE)
		return trial_outcome(s)->fate ==
		    (t->c->only == TRIAL_PASSED ? FW_FATE_PASS : FW_FATE_DROP);
	for (unsigned i = 0; i < s->nhops; i++)
		if (fw_story_has(&s->story[i], t->c->only_rule))
			return true;
	return false;
}

/* Both stacks at the packet's own time. */
static void
judge(struct trial *t, const struct trial_packet *p)
{
	uint64_t when_ns = t->start_ns + p->offset_ns;

	if (when_ns < clock_now()) /* a capture's times may step back */
		when_ns = clock_now();
	else if (when_ns > clock_now())
		sched_run(when_ns);
	for (unsigned i = 0; i < t->nsides; i++)
		trial_side_pass(&t->side[i], p, when_ns);
	if (t->side[0].nhops == 0)
		t->totals.nowhere++;
	if (t->nsides == 2) {
		if (trial_sides_agree(&t->side[0], &t->side[1]))
			return;
		t->differ++;
		group_count(t, p);
		trial_tell_difference(t->e, &t->side[0], &t->side[1], p);
		return;
	}
	if (!is_asked_for(t))
		return;
	if (t->c->packets)
		trial_tell_packet(t->e, t->c, &t->side[0], p);
	write_packet(t, p, t->side[0].nhops == 0 ? "met no rule: no interface is known" : NULL);
}

/* A record that no rule is asked about. */
static void
pass_over(struct trial *t, const struct trial_packet *p, uint64_t *counter, const char *why)
{
	(*counter)++;
	t->side[0].nhops = 0;
	if (t->c->only == TRIAL_ALL && t->nsides == 1)
		write_packet(t, p, why);
}

static void
take(struct trial *t, struct trial_packet *p)
{
	unsigned type = 0;
	int skip = capture_link_header(p->dlt, p->frame, p->caplen, &type);
	const bool is_frame = t->c->layer2 && p->dlt == DLT_EN10MB && p->caplen >= ETHER_HDR_LEN_;
	const bool is_ip = skip >= 0 && (type == ETHERTYPE_IP_ || type == ETHERTYPE_IPV6_);

	p->skip = skip > 0 ? (uint32_t)skip : 0;
	p->ip_bytes = is_ip ? ip_bytes_of(p->frame + p->skip, p->caplen - p->skip, type) : 0;
	if (p->caplen > FRAME_MAX || (is_ip && p->ip_bytes == 0))
		pass_over(t, p, &t->totals.malformed, "met no rule: malformed");
	else if (!is_ip && !is_frame)
		pass_over(t, p, &t->totals.not_ip, "met no rule: not IP");
	else
		judge(t, p);
}

static void
take_all(struct trial *t)
{
	struct trial_packet p = { .dlt = pcap_datalink(t->pcap) };
	struct pcap_pkthdr *h;
	uint64_t first = 0;
	int got;

	while ((got = pcap_next_ex(t->pcap, &h, &p.frame)) == 1) {
		p.date_ns = (uint64_t)h->ts.tv_sec * NS_PER_SEC + (uint64_t)h->ts.tv_usec;
		if (p.number++ == 0)
			first = p.date_ns;
		p.offset_ns = p.date_ns > first ? p.date_ns - first : 0;
		if (p.offset_ns > TRIAL_FAR_NS)
			p.offset_ns = TRIAL_FAR_NS;
		p.caplen = h->caplen;
		p.wirelen = h->len > h->caplen ? h->len : h->caplen;
		t->totals.packets++;
		t->totals.bytes += p.wirelen;
		if (p.offset_ns > t->totals.length_ns)
			t->totals.length_ns = p.offset_ns;
		take(t, &p);
	}
	if (got == PCAP_ERROR) {
		snprintf(t->note, sizeof(t->note), "%s", pcap_geterr(t->pcap));
		t->totals.note = t->note;
	}
}

/* --- all -------------------------------------------------------------------------------------- */

static enum trial_result
sides_begin(struct trial *t)
{
	const struct trial_config *c = t->c;
	const bool stories = c->packets || c->only == TRIAL_RULE;
	enum trial_result result;

	t->nsides = 1;
	result = trial_side_begin(&t->side[0], c, c->rules, "old", stories && c->newer == NULL);
	if (result != TRIAL_YES || c->newer == NULL)
		return result;
	t->nsides = 2;
	return trial_side_begin(&t->side[1], c, c->newer, "new", false);
}

static enum trial_result
trial_packets(struct trial *t)
{
	const bool list = t->c->packets || t->nsides == 2;
	enum trial_result result = TRIAL_YES;

	if (!write_begin(t))
		return TRIAL_ENVIRONMENT;
	t->start_ns = clock_now();
	if (list)
		emit_list(t->e, "packet");
	take_all(t);
	if (list)
		emit_end(t->e);
	if (t->nsides == 2) {
		tell_groups(t);
		result = t->differ > 0 ? TRIAL_DIFFERS : TRIAL_YES;
	} else if (trial_tell_totals(t->e, &t->side[0], &t->totals) != 0) {
		say(t, "no memory");
		result = TRIAL_ENVIRONMENT;
	}
	return write_end(t) ? result : TRIAL_ENVIRONMENT;
}

enum trial_result
trial_run(const struct trial_config *c, struct emitter *e)
{
	struct trial_config completed = *c;
	struct trial *t = calloc(1, sizeof(*t));
	char err[PCAP_ERRBUF_SIZE];
	enum trial_result result;

	if (t == NULL) {
		c->say(c->ctx, "no memory");
		return TRIAL_ENVIRONMENT;
	}
	if (c->in == NULL && c->nnets == 0)
		completed.in = "pcap0";
	t->c = &completed;
	t->e = e;
	result = sides_begin(t);
	if (result == TRIAL_YES && (t->pcap = capture_file_open(c->capture, err)) == NULL) {
		say(t, "%s: %s", c->capture, err);
		result = TRIAL_WORDS;
	}
	if (result == TRIAL_YES)
		result = trial_packets(t);
	for (unsigned i = 0; i < t->nsides; i++)
		trial_side_end(&t->side[i]);
	if (t->pcap != NULL)
		pcap_close(t->pcap);
	free(t->group);
	free(t);
	return result;
}
