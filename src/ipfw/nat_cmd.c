/*
 * nat_cmd.c - the words `ipfw nat …`.
 *
 *	ipfw nat N config {ip ADDRESS | if INTERFACE} [options] [redirects]
 *	ipfw nat [N[-M]] show [config]
 *	ipfw nat N[-M] delete
 */
#include "ipfw/nat_internal.h"

#include "inet/in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	unsigned option;
} options[] = {
	{ "log", NAT_OPT_LOG },
	{ "deny_in", NAT_OPT_DENY_IN },
	{ "same_ports", NAT_OPT_SAME_PORTS },
	{ "unreg_only", NAT_OPT_UNREG_ONLY },
	{ "skip_global", NAT_OPT_SKIP_GLOBAL },
	{ "udp_eim", NAT_OPT_UDP_EIM },
	{ "reset", NAT_OPT_RESET },
	{ "reverse", NAT_OPT_REVERSE },
	{ "proxy_only", NAT_OPT_PROXY_ONLY },
};
static const char *const redirects[] = { [NAT_REDIRECT_ADDR] = "redirect_addr",
	[NAT_REDIRECT_PORT] = "redirect_port",
	[NAT_REDIRECT_PROTO] = "redirect_proto" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned
option_of(const char *word)
{
	for (size_t i = 0; i < COUNT(options); i++)
		if (strcmp(word, options[i].word) == 0)
			return options[i].option;
	return 0;
}

static int
redirect_of(const char *word)
{
	for (size_t i = 0; i < COUNT(redirects); i++)
		if (strcmp(word, redirects[i]) == 0)
			return (int)i;
	return -1;
}

bool
nat_is_word(const char *word)
{
	return option_of(word) != 0 || redirect_of(word) >= 0 || strcmp(word, "ip") == 0 ||
	    strcmp(word, "if") == 0 || strcmp(word, "port_range") == 0;
}

/* --- config -------------------------------------------------------------------------------- */

/* What is being read. */
struct reading {
	struct verb_run *v;
	struct nat_config *c;
	struct nat_redirect **end; /* where the next redirect goes */
	unsigned n_redirects;
	int argc;
	char **argv;
};

/* The word behind this one, NULL after a message. */
static const char *
argument(struct reading *r)
{
	if (r->argc >= 2)
		return r->argv[1];
	verb_error(r->v, EX_DATAERR_, "nat: %s: a word is missing", r->argv[0]);
	return NULL;
}

/* Each returns how many words it took; 0 after a message. */
static int
read_alias(struct reading *r)
{
	const bool is_if = strcmp(r->argv[0], "if") == 0;
	const char *word = argument(r);

	if (word == NULL)
		return 0;
	if (r->c->alias != 0 || r->c->ifname[0] != '\0') {
		verb_error(
		    r->v, EX_DATAERR_, "nat: %s %s: the address is said twice", r->argv[0], word);
		return 0;
	}
	if (is_if && strlen(word) < sizeof(r->c->ifname)) {
		snprintf(r->c->ifname, sizeof(r->c->ifname), "%s", word);
		return 2;
	}
	if (!is_if && in_resolve(word, &r->c->alias) && r->c->alias != 0)
		return 2;
	verb_error(r->v, EX_DATAERR_, "nat: %s: not an %s", word,
	    is_if ? "interface's name" : "IPv4 address");
	return 0;
}

static int
read_port_range(struct reading *r)
{
	const char *word = argument(r), *dash = word != NULL ? strchr(word, '-') : NULL;
	uint64_t lo, hi;
	char text[8];

	if (word == NULL)
		return 0;
	if (dash != NULL && (size_t)(dash - word) < sizeof(text)) {
		snprintf(text, sizeof(text), "%.*s", (int)(dash - word), word);
		if (verb_number(text, 1, 65535, &lo) && verb_number(dash + 1, lo, 65535, &hi)) {
			r->c->port_lo = (uint16_t)lo;
			r->c->port_hi = (uint16_t)hi;
			return 2;
		}
	}
	verb_error(r->v, EX_DATAERR_, "nat: port_range %s: not PORT-PORT", word);
	return 0;
}

static int
read_redirect(struct reading *r, enum nat_redirect_kind kind)
{
	struct nat_redirect *redirect;
	char why[160];
	int used = 0;

	if (++r->n_redirects > NAT_REDIRECTS_MAX) {
		verb_error(r->v, EX_DATAERR_, "nat: more than %d redirects", NAT_REDIRECTS_MAX);
		return 0;
	}
	redirect = nat_redirect_parse(kind, r->argc - 1, r->argv + 1, &used, why, sizeof(why));
	if (redirect == NULL) {
		verb_error(r->v, EX_DATAERR_, "nat: %s", why);
		return 0;
	}
	*r->end = redirect;
	r->end = &redirect->next;
	return used + 1;
}

static int
read_word(struct reading *r)
{
	const char *word = r->argv[0];
	const int kind = redirect_of(word);

	if (kind >= 0)
		return read_redirect(r, (enum nat_redirect_kind)kind);
	if (option_of(word) != 0) {
		r->c->options |= option_of(word);
		return 1;
	}
	if (strcmp(word, "port_range") == 0)
		return read_port_range(r);
	if (strcmp(word, "ip") == 0 || strcmp(word, "if") == 0)
		return read_alias(r);
	verb_error(r->v, EX_DATAERR_, "nat: unknown word '%s'", word);
	return 0;
}

/* False after a message. */
static bool
read_config(struct verb_run *v, struct nat_config *c, int argc, char **argv)
{
	struct reading r = { .v = v, .c = c, .end = &c->redirects, .argc = argc, .argv = argv };

	while (r.argc > 0) {
		const int used = read_word(&r);

		if (used == 0)
			return false;
		r.argc -= used;
		r.argv += used;
	}
	if (c->alias == 0 && c->ifname[0] == '\0' && !(c->options & NAT_OPT_PROXY_ONLY)) {
		verb_error(v, EX_DATAERR_, "nat: no address: ip ADDRESS or if INTERFACE");
		return false;
	}
	return true;
}

/* --- show ---------------------------------------------------------------------------------- */

static void
show_config(struct emitter *e, const struct nat *n)
{
	char addr[16], text[32];

	emit_uint(e, "nat", "ipfw nat %" PRIu64 " config", n->number);
	if (n->c.ifname[0] != '\0')
		emit_str(e, "if", " if %s", n->c.ifname);
	else if (n->c.alias != 0)
		emit_str(e, "ip", " ip %s", in_ntoa(n->c.alias, addr));
	for (size_t i = 0; i < COUNT(options); i++)
		if (n->c.options & options[i].option) {
			emit_text(e, " %s", options[i].word);
			emit_bool(e, options[i].word, true);
		}
	if (n->c.port_lo != 0) {
		snprintf(text, sizeof(text), "%u-%u", n->c.port_lo, n->c.port_hi);
		emit_str(e, "port_range", " port_range %s", text);
	}
	emit_list(e, "redirects");
	for (const struct nat_redirect *r = n->c.redirects; r != NULL; r = r->next) {
		char *words = nat_redirect_text(r);

		emit_str(e, "", " %s", words != NULL ? words : "");
		free(words);
	}
	emit_end(e);
	emit_text(e, "\n");
}

static void
show_links(struct emitter *e, const struct nat *n)
{
	emit_uint(e, "nat", "nat %" PRIu64 ":", n->number);
	emit_uint(e, "icmp", " icmp=%" PRIu64 ",", n->links[NAT_ICMP]);
	emit_uint(e, "udp", " udp=%" PRIu64 ",", n->links[NAT_UDP]);
	emit_uint(e, "tcp", " tcp=%" PRIu64 ",", n->links[NAT_TCP]);
	emit_uint(e, "sctp", " sctp=%" PRIu64 ",", n->links[NAT_SCTP]);
	emit_uint(e, "pptp", " pptp=%" PRIu64 ",", 0);
	emit_uint(e, "proto", " proto=%" PRIu64 ",", n->links[NAT_PROTO]);
	emit_uint(e, "frag_id", " frag_id=%" PRIu64, n->links[NAT_FRAG]);
	emit_uint(e, "frag_ptr", " frag_ptr=%" PRIu64, n->n_early);
	emit_uint(e, "tot", " / tot=%" PRIu64 "\n", n->nlinks);
}

/* Numbers lo to hi; 0, 0 = all. */
struct range {
	uint32_t lo, hi;
};

static int
show(struct verb_run *v, const struct range *range, bool config)
{
	const struct nat *n;
	unsigned shown = 0;

	emit_list(v->out, "nat");
	if (V_nat_stack != NULL)
		LIST_FOREACH(n, &V_nat_stack->all, link) {
			if (range->hi != 0 && (n->number < range->lo || n->number > range->hi))
				continue;
			shown++;
			emit_object(v->out, NULL);
			(config ? show_config : show_links)(v->out, n);
			emit_end(v->out);
		}
	emit_end(v->out);
	if (shown == 0 && range->hi != 0 && range->lo == range->hi)
		return verb_error(v, EX_UNAVAILABLE_, "nat %u does not exist", range->lo);
	return 0;
}

static int delete (struct verb_run *v, const struct range *range)
{
	struct nat *n, *next;
	unsigned deleted = 0;

	for (n = V_nat_stack != NULL ? LIST_FIRST(&V_nat_stack->all) : NULL; n != NULL; n = next) {
		next = LIST_NEXT(n, link);
		if (n->number < range->lo || n->number > range->hi)
			continue;
		deleted++;
		nat_delete(n);
	}
	if (deleted == 0)
		return verb_error(v, EX_UNAVAILABLE_, "nat %u does not exist", range->lo);
	return 0;
}

/* --- the command --------------------------------------------------------------------------- */

/* "5", "5-9". */
static bool
read_range(const char *word, struct range *range)
{
	const char *dash = strchr(word, '-');
	uint64_t lo, hi;
	char text[8];

	if (dash == NULL) {
		if (!verb_number(word, 1, NAT_NUMBER_MAX, &lo))
			return false;
		*range = (struct range){ (uint32_t)lo, (uint32_t)lo };
		return true;
	}
	if ((size_t)(dash - word) >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(dash - word), word);
	if (!verb_number(text, 1, NAT_NUMBER_MAX, &lo) ||
	    !verb_number(dash + 1, lo, NAT_NUMBER_MAX, &hi))
		return false;
	*range = (struct range){ (uint32_t)lo, (uint32_t)hi };
	return true;
}

static int
configure(struct verb_run *v, const struct fw_options *o, uint32_t number, int argc, char **argv)
{
	struct nat_config c = { 0 };

	if (!read_config(v, &c, argc, argv)) {
		nat_config_free(&c);
		return EX_DATAERR_;
	}
	if (o->test_only) {
		nat_config_free(&c);
		return 0;
	}
	if (nat_configure(number, &c) != 0) {
		nat_config_free(&c);
		return verb_error(v, EX_OSERR_, "nat %u: %s", number, verb_strerror(ENOMEM));
	}
	if (!o->quiet)
		show_config(v->out, nat_find(number));
	return 0;
}

int
fw_nat_command(struct verb_run *v, const struct fw_options *o, int argc, char **argv)
{
	struct range range = { 0, 0 };
	const char *word;

	/* "nat 5 delete" and "nat delete 5" are the same */
	if (argc >= 2 && !read_range(argv[0], &range) && read_range(argv[1], &range)) {
		word = argv[0];
		argv[0] = argv[1];
		argv[1] = (char *)(uintptr_t)word;
	}
	if (argc > 0 && read_range(argv[0], &range)) {
		argc--;
		argv++;
	}
	if (argc == 0)
		return verb_error(v, EX_USAGE_, "nat: config, show or delete");
	word = argv[0];
	if (strcmp(word, "show") == 0 || strcmp(word, "list") == 0) {
		if (argc > 2 || (argc == 2 && strcmp(argv[1], "config") != 0))
			return verb_error(v, EX_USAGE_, "nat: show [config]");
		return show(v, &range, argc == 2);
	}
	if (range.hi == 0)
		return verb_error(
		    v, EX_DATAERR_, "nat: %s: not a number from 1 to %d", word, NAT_NUMBER_MAX);
	if (strcmp(word, "delete") == 0 && argc == 1)
		return o->test_only ? 0 : delete (v, &range);
	if (strcmp(word, "config") == 0 && range.lo == range.hi)
		return configure(v, o, range.lo, argc - 1, argv + 1);
	return verb_error(v, EX_USAGE_, "nat: unknown word '%s'", word);
}
FW_SUBCOMMAND_DEFINE(nat, .name = "nat", .run = fw_nat_command,
    .usage =
	"ipfw nat N config {ip ADDRESS | if IFACE} [log] [deny_in] [same_ports] [unreg_only] [reset]\n"
	"         [reverse] [proxy_only] [skip_global] [udp_eim] [port_range A-B]\n"
	"         [redirect_port PROTO LOCAL:PORT[-PORT][,...] [ALIAS:]PORT[-PORT] [REMOTE[:PORT[-PORT]]]]\n"
	"         [redirect_addr LOCAL[,...] ALIAS] [redirect_proto PROTO LOCAL [ALIAS [REMOTE]]]\n"
	"ipfw nat [N[-M]] show [config]\n"
	"ipfw nat N[-M] delete");
