/*
 * nat_redirect.c - ways in: ports, addresses and protocols that lead to local ends.
 *
 *	redirect_port PROTO LOCAL:PORT[-PORT][,LOCAL:PORT …] [ALIAS:]PORT[-PORT] [REMOTE[:PORT[-PORT]]]
 *	redirect_addr LOCAL[,LOCAL …] ALIAS
 *	redirect_proto PROTO LOCAL [ALIAS [REMOTE]]
 *
 * Several local ends share the load (RFC 2391): each new connection goes to the next one, and stays
 * there by its link. What a local end sends by itself gets the alias of its redirect.
 */
#include "ipfw/nat_internal.h"

#include "inet/in.h"
#include "inet/ip.h"
#include "inet/ip_names.h"
#include "ipfw/names.h"
#include "kern/verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- which one ----------------------------------------------------------------------------- */

static uint32_t
alias_of(const struct nat *n, const struct nat_redirect *r)
{
	return r->alias != 0 ? r->alias : n->alias;
}

/* Is the far end one that the redirect is for? i: which of its ports. */
static bool
is_for_remote(const struct nat_redirect *r, const struct nat_key *k, unsigned i)
{
	return (r->remote == 0 || r->remote == k->far) &&
	    (r->remote_port == 0 || (uint16_t)(r->remote_port + i) == k->far_port);
}

static bool
matches_in(const struct nat *n, const struct nat_redirect *r, const struct nat_key *in)
{
	const unsigned i = (uint16_t)(in->near_port - r->alias_port);

	if (in->near != alias_of(n, r))
		return false;
	switch ((enum nat_redirect_kind)r->kind) {
	case NAT_REDIRECT_PORT:
		return r->proto == in->proto && i < r->ports && is_for_remote(r, in, i);
	case NAT_REDIRECT_PROTO:
		return r->proto == in->proto && is_for_remote(r, in, 0);
	default:
		return true;
	}
}

/* The more it says the more specific it is. */
static int
specific(const struct nat_redirect *r)
{
	return r->kind == NAT_REDIRECT_ADDR ? 0 :
					      2 * (r->kind == NAT_REDIRECT_PORT) + 1 +
		4 * (r->remote != 0) + 8 * (r->remote_port != 0);
}

bool
nat_is_alias(const struct nat *n, uint32_t addr)
{
	const struct nat_redirect *r = n->c.redirects;

	while (r != NULL && alias_of(n, r) != addr)
		r = r->next;
	return addr == n->alias || r != NULL;
}

bool
nat_redirect_in(struct nat *n, const struct nat_key *in, struct nat_key *out)
{
	struct nat_redirect *best = NULL;
	const struct nat_server *server;

	for (struct nat_redirect *r = n->c.redirects; r != NULL; r = r->next)
		if (matches_in(n, r, in) && (best == NULL || specific(r) > specific(best)))
			best = r;
	if (best == NULL || out == NULL)
		return best != NULL;
	server = &best->server[best->turn];
	best->turn = (uint16_t)((best->turn + 1) % best->servers);
	*out = *in;
	out->near = server->addr;
	if (best->kind == NAT_REDIRECT_PORT)
		out->near_port = (uint16_t)(in->near_port - best->alias_port + server->port);
	return true;
}

/* Is this server's the local end? *i: which of the redirect's ports. */
static bool
is_of_server(const struct nat_redirect *r, const struct nat_server *s, const struct nat_key *out,
    unsigned *i)
{
	if (s->addr != out->near)
		return false;
	*i = r->kind == NAT_REDIRECT_PORT ? (uint16_t)(out->near_port - s->port) : 0;
	switch ((enum nat_redirect_kind)r->kind) {
	case NAT_REDIRECT_PORT:
		return r->proto == out->proto && *i < r->ports && is_for_remote(r, out, *i);
	case NAT_REDIRECT_PROTO:
		return r->proto == out->proto && is_for_remote(r, out, 0);
	default:
		return true;
	}
}

bool
nat_redirect_out(const struct nat *n, const struct nat_key *out, struct nat_key *in, bool *any_port)
{
	const struct nat_redirect *best = NULL;
	unsigned i, of_best = 0;

	for (const struct nat_redirect *r = n->c.redirects; r != NULL; r = r->next)
		for (unsigned s = 0; s < r->servers; s++)
			if (is_of_server(r, &r->server[s], out, &i) &&
			    (best == NULL || specific(r) > specific(best))) {
				best = r;
				of_best = i;
			}
	if (best == NULL)
		return false;
	in->near = alias_of(n, best);
	/* of several servers at one address only one can have a port: it is drawn */
	*any_port = best->kind == NAT_REDIRECT_ADDR && best->servers > 1;
	if (best->kind == NAT_REDIRECT_PORT)
		in->near_port = (uint16_t)(best->alias_port + of_best);
	return true;
}

/* --- words --------------------------------------------------------------------------------- */

static struct nat_redirect *
wrong(char *why, size_t why_len, const char *what, const char *word)
{
	snprintf(why, why_len, "%s: %s", word, what);
	return NULL;
}

static bool
parse_addr(const char *word, size_t len, uint32_t *addr)
{
	char text[64];

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	return in_resolve(text, addr);
}

/* "80", "http", "8000-8010". */
static bool
parse_ports(const char *word, uint8_t proto, uint16_t *first, uint16_t *n)
{
	const char *dash;
	uint64_t lo, hi;
	char text[32];

	*n = 1;
	if (fw_service_find(word, proto, first))
		return *first != 0;
	dash = strchr(word, '-');
	if (dash == NULL) {
		if (!verb_number(word, 1, 65535, &lo))
			return false;
		*first = (uint16_t)lo;
		return true;
	}
	if ((size_t)(dash - word) >= sizeof(text))
		return false;
	memcpy(text, word, (size_t)(dash - word));
	text[dash - word] = '\0';
	if (!verb_number(text, 1, 65535, &lo) || !verb_number(dash + 1, lo, 65535, &hi))
		return false;
	*first = (uint16_t)lo;
	*n = (uint16_t)(hi - lo + 1);
	return true;
}

/* "ADDR:PORTS", "ADDR", and with may_omit "PORTS". What is missing is 0. */
static bool
parse_end(
    const char *word, uint8_t proto, bool may_omit, uint32_t *addr, uint16_t *port, uint16_t *n)
{
	const char *colon = strchr(word, ':');

	*addr = 0;
	*port = *n = 0;
	if (colon != NULL)
		return parse_addr(word, (size_t)(colon - word), addr) &&
		    parse_ports(colon + 1, proto, port, n);
	if (may_omit)
		return parse_ports(word, proto, port, n);
	return parse_addr(word, strlen(word), addr);
}

static struct nat_redirect *
redirect_alloc(unsigned servers)
{
	struct nat_redirect *r = vnet_malloc(sizeof(*r) + servers * sizeof(r->server[0]));

	if (r != NULL)
		r->servers = (uint16_t)servers;
	return r;
}

/*
 * LOCAL, or a list of such. Ports, of all of them: *ports of each; a list has one port each. NULL
 * with why.
 */
static struct nat_redirect *
parse_servers(
    const char *word, uint8_t proto, bool with_ports, uint16_t *ports, char *why, size_t why_len)
{
	struct nat_redirect *r;
	unsigned servers = 1;
	char *list, *item, *rest;
	uint16_t n;

	for (const char *c = word; *c != '\0'; c++)
		servers += *c == ',';
	if (servers > NAT_SERVERS_MAX)
		return wrong(why, why_len, "too many servers", word);
	list = strdup(word);
	r = list != NULL ? redirect_alloc(servers) : NULL;
	if (r == NULL) {
		free(list);
		return wrong(why, why_len, "no memory", word);
	}
	rest = list;
	*ports = 0;
	for (unsigned i = 0; i < servers; i++) {
		struct nat_server *s = &r->server[i];

		item = strsep(&rest, ",");
		if (!parse_end(item, proto, false, &s->addr, &s->port, &n) || s->addr == 0 ||
		    with_ports != (n > 0) || (servers > 1 && n > 1)) {
			free(list);
			vnet_free(r);
			return wrong(why, why_len,
			    with_ports ? "not ADDRESS:PORT[-PORT] or a list of ADDRESS:PORT" :
					 "not an address or a list of addresses",
			    word);
		}
		*ports = n;
	}
	free(list);
	return r;
}

static struct nat_redirect *
undo(struct nat_redirect *r, char *why, size_t why_len, const char *what, const char *word)
{
	vnet_free(r);
	return wrong(why, why_len, what, word);
}

/* REMOTE[:PORT[-PORT]], if the next word is one. False: it is none, and no word of ours either. */
static bool
parse_remote(struct nat_redirect *r, int argc, char **argv, int *used)
{
	uint16_t n;

	if (*used >= argc || nat_is_word(argv[*used]))
		return true;
	if (!parse_end(argv[*used], r->proto, false, &r->remote, &r->remote_port, &n) ||
	    (n > 0 && n != r->ports))
		return false;
	++*used;
	return true;
}

/* PROTO LOCAL:PORTS [ALIAS:]PORTS [REMOTE[:PORTS]] */
static struct nat_redirect *
parse_port(int argc, char **argv, int *used, char *why, size_t why_len)
{
	struct nat_redirect *r;
	uint16_t local_ports, alias_ports;
	uint8_t proto;

	if (argc < 3)
		return wrong(why, why_len, "needs protocol, local end and port", "redirect_port");
	if (!fw_protocol_find(argv[0], &proto) ||
	    (proto != IPPROTO_TCP_ && proto != IPPROTO_UDP_ && proto != IPPROTO_SCTP_))
		return wrong(why, why_len, "not tcp, udp or sctp", argv[0]);
	r = parse_servers(argv[1], proto, proto != IPPROTO_SCTP_, &local_ports, why, why_len);
	if (r == NULL)
		return NULL;
	r->kind = NAT_REDIRECT_PORT;
	r->proto = proto;
	if (!parse_end(argv[2], proto, strchr(argv[2], ':') == NULL, &r->alias, &r->alias_port,
		&alias_ports))
		return undo(r, why, why_len, "not [ADDRESS:]PORT[-PORT]", argv[2]);
	if (proto == IPPROTO_SCTP_) /* it keeps its ports */
		for (unsigned i = 0; i < r->servers; i++)
			r->server[i].port = r->alias_port;
	else if (alias_ports != local_ports)
		return undo(r, why, why_len, "as many ports as the local end has", argv[2]);
	r->ports = alias_ports;
	*used = 3;
	if (!parse_remote(r, argc, argv, used))
		return undo(
		    r, why, why_len, "not REMOTE[:PORT[-PORT]] with as many ports", argv[3]);
	return r;
}

/* LOCAL[,LOCAL …] ALIAS */
static struct nat_redirect *
parse_address(int argc, char **argv, int *used, char *why, size_t why_len)
{
	struct nat_redirect *r;
	uint16_t ports;

	if (argc < 2)
		return wrong(why, why_len, "needs local and public address", "redirect_addr");
	if ((r = parse_servers(argv[0], 0, false, &ports, why, why_len)) == NULL)
		return NULL;
	r->kind = NAT_REDIRECT_ADDR;
	if (!in_resolve(argv[1], &r->alias))
		return undo(r, why, why_len, "not an address", argv[1]);
	*used = 2;
	return r;
}

/* PROTO LOCAL [ALIAS [REMOTE]] */
static struct nat_redirect *
parse_proto(int argc, char **argv, int *used, char *why, size_t why_len)
{
	struct nat_redirect *r;
	uint16_t ports;
	uint8_t proto;

	if (argc < 2)
		return wrong(why, why_len, "needs protocol and local address", "redirect_proto");
	if (!fw_protocol_find(argv[0], &proto) || proto == IPPROTO_TCP_ || proto == IPPROTO_UDP_ ||
	    proto == IPPROTO_ICMP_)
		return wrong(why, why_len, "not a protocol without ports", argv[0]);
	if ((r = parse_servers(argv[1], 0, false, &ports, why, why_len)) == NULL)
		return NULL;
	r->kind = NAT_REDIRECT_PROTO;
	r->proto = proto;
	*used = 2;
	for (uint32_t *addr = &r->alias; *used < argc && !nat_is_word(argv[*used]);
	     addr = &r->remote) {
		if (*used == 4 || !in_resolve(argv[*used], addr))
			return undo(r, why, why_len, "not an address", argv[*used]);
		++*used;
	}
	return r;
}

struct nat_redirect *
nat_redirect_parse(
    enum nat_redirect_kind kind, int argc, char **argv, int *used, char *why, size_t why_len)
{
	switch (kind) {
	case NAT_REDIRECT_ADDR:
		return parse_address(argc, argv, used, why, why_len);
	case NAT_REDIRECT_PORT:
		return parse_port(argc, argv, used, why, why_len);
	default:
		return parse_proto(argc, argv, used, why, why_len);
	}
}

/* --- and back ------------------------------------------------------------------------------ */

static void
put_ports(FILE *f, uint16_t first, uint16_t n)
{
	if (n > 1)
		fprintf(f, "%u-%u", first, first + n - 1u);
	else
		fprintf(f, "%u", first);
}

static void
put_servers(FILE *f, const struct nat_redirect *r)
{
	char addr[16];

	for (unsigned i = 0; i < r->servers; i++) {
		fprintf(f, "%s%s", i > 0 ? "," : " ", in_ntoa(r->server[i].addr, addr));
		if (r->kind == NAT_REDIRECT_PORT && r->proto != IPPROTO_SCTP_) {
			fputc(':', f);
			put_ports(f, r->server[i].port, r->ports);
		}
	}
}

static void
put_proto(FILE *f, uint8_t proto)
{
	const char *name = ip_protocol_name(proto);

	if (name != NULL)
		fprintf(f, " %s", name);
	else
		fprintf(f, " %u", proto);
}

static void
put_port_redirect(FILE *f, const struct nat_redirect *r)
{
	char addr[16];

	fputc(' ', f);
	if (r->alias != 0)
		fprintf(f, "%s:", in_ntoa(r->alias, addr));
	put_ports(f, r->alias_port, r->ports);
	if (r->remote == 0)
		return;
	fprintf(f, " %s", in_ntoa(r->remote, addr));
	if (r->remote_port != 0) {
		fputc(':', f);
		put_ports(f, r->remote_port, r->ports);
	}
}

static void
put_proto_redirect(FILE *f, const struct nat_redirect *r)
{
	char addr[16];

	if (r->alias != 0 || r->remote != 0)
		fprintf(f, " %s", in_ntoa(r->alias, addr));
	if (r->remote != 0)
		fprintf(f, " %s", in_ntoa(r->remote, addr));
}

char *
nat_redirect_text(const struct nat_redirect *r)
{
	static const char *const names[] = { "redirect_addr", "redirect_port", "redirect_proto" };
	char *text = NULL, addr[16];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fputs(names[r->kind], f);
	if (r->kind != NAT_REDIRECT_ADDR)
		put_proto(f, r->proto);
	put_servers(f, r);
	if (r->kind == NAT_REDIRECT_PORT)
		put_port_redirect(f, r);
	else if (r->kind == NAT_REDIRECT_PROTO)
		put_proto_redirect(f, r);
	else
		fprintf(f, " %s", in_ntoa(r->alias, addr));
	fclose(f);
	return text;
}
