/*
 * jls.c - the tool jls: lists jails by their parameters.
 */
#include "base/emitter.h"
#include "kern/jail_internal.h"
#include "kern/verb.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1024 };

enum param_kind { IS_STRING, IS_NUMBER, IS_BOOL };

struct param {
	const char *name;
	enum param_kind kind;
	bool readonly; /* -s leaves it out */
	void (*get)(const struct prison *pr, char *text, size_t len);
};

static void
get_addresses(char *text, size_t len, int family, const void *array, size_t size, uint32_t n)
{
	size_t at = 0;

	for (uint32_t i = 0; i < n && at < len; i++) {
		char word[INET6_ADDRSTRLEN] = "";
		int wrote;

		inet_ntop(family, (const char *)array + i * size, word, sizeof(word));
		wrote = snprintf(text + at, len - at, "%s%s", i > 0 ? "," : "", word);
		at += wrote > 0 ? (size_t)wrote : 0;
	}
}

static void
get_mode(char *text, size_t len, const struct prison *pr, bool restricted, uint32_t n)
{
	const char *mode = pr->owns_vnet || !restricted ? "inherit" : n > 0 ? "new" : "disable";

	/* A jail with its own stack has all addresses that it gives itself. */
	snprintf(text, len, "%s", pr->owns_vnet ? "new" : mode);
}

#define GETTER(ident, ...)                                                                         \
	static void get_##ident(const struct prison *pr, char *text, size_t len)                   \
	{                                                                                          \
		snprintf(text, len, __VA_ARGS__);                                                  \
	}
GETTER(jid, "%d", pr->jid)
GETTER(name, "%s", pr->name)
GETTER(path, "%s", pr->path)
GETTER(hostname, "%s", pr->hostname)
GETTER(domainname, "%s", pr->domainname)
GETTER(hostuuid, "%s", pr->hostuuid)
GETTER(hostid, "%" PRIu32, pr->hostid)
GETTER(securelevel, "%d", pr->securelevel)
GETTER(enforce_statfs, "%d", pr->enforce_statfs)
GETTER(children_cur, "%" PRIu32, pr->children)
GETTER(children_max, "%" PRIu32, pr->children_max)
GETTER(parent, "%d", pr->parent->jid)
GETTER(persist, "%d", pr->persist)
GETTER(dying, "%d", pr->dying)
GETTER(vnet, "%s", pr->owns_vnet ? "new" : "inherit")
GETTER(host, "%s", pr->jid >= 0 ? "new" : "")
GETTER(cpuset, "%d", pr->jid >= 0 ? 1 : 0)
GETTER(saddrsel4, "%d", pr->ip4_saddrsel)
GETTER(saddrsel6, "%d", pr->ip6_saddrsel)
GETTER(raw_sockets, "%d", pr->raw_sockets)
GETTER(set_hostname, "%d", (pr->allow & PRISON_ALLOW_SET_HOSTNAME) != 0)
GETTER(sysvipc, "%d", (pr->allow & PRISON_ALLOW_SYSVIPC) != 0)
GETTER(chflags, "%d", (pr->allow & PRISON_ALLOW_CHFLAGS) != 0)
GETTER(mount, "%d", (pr->allow & PRISON_ALLOW_MOUNT) != 0)
GETTER(quotas, "%d", (pr->allow & PRISON_ALLOW_QUOTAS) != 0)
GETTER(socket_af, "%d", (pr->allow & PRISON_ALLOW_SOCKET_AF) != 0)

static void
get_ip4(const struct prison *pr, char *text, size_t len)
{
	get_mode(text, len, pr, pr->ip4_restricted, pr->ip4_n);
}

static void
get_ip6(const struct prison *pr, char *text, size_t len)
{
	get_mode(text, len, pr, pr->ip6_restricted, pr->ip6_n);
}

static void
get_ip4_addr(const struct prison *pr, char *text, size_t len)
{
	get_addresses(text, len, AF_INET, pr->ip4, sizeof(pr->ip4[0]), pr->ip4_n);
}

static void
get_ip6_addr(const struct prison *pr, char *text, size_t len)
{
	get_addresses(text, len, AF_INET6, pr->ip6, sizeof(pr->ip6[0]), pr->ip6_n);
}

static const struct param params[] = {
	{ "jid", IS_NUMBER, true, get_jid },
	{ "name", IS_STRING, false, get_name },
	{ "path", IS_STRING, false, get_path },
	{ "parent", IS_NUMBER, true, get_parent },
	{ "dying", IS_BOOL, true, get_dying },
	{ "persist", IS_BOOL, false, get_persist },
	{ "vnet", IS_STRING, false, get_vnet },
	{ "host", IS_STRING, false, get_host },
	{ "host.hostname", IS_STRING, false, get_hostname },
	{ "host.domainname", IS_STRING, false, get_domainname },
	{ "host.hostuuid", IS_STRING, false, get_hostuuid },
	{ "host.hostid", IS_NUMBER, false, get_hostid },
	{ "ip4", IS_STRING, false, get_ip4 },
	{ "ip4.addr", IS_STRING, false, get_ip4_addr },
	{ "ip4.saddrsel", IS_BOOL, false, get_saddrsel4 },
	{ "ip6", IS_STRING, false, get_ip6 },
	{ "ip6.addr", IS_STRING, false, get_ip6_addr },
	{ "ip6.saddrsel", IS_BOOL, false, get_saddrsel6 },
	{ "securelevel", IS_NUMBER, false, get_securelevel },
	{ "enforce_statfs", IS_NUMBER, false, get_enforce_statfs },
	{ "children.cur", IS_NUMBER, true, get_children_cur },
	{ "children.max", IS_NUMBER, false, get_children_max },
	{ "cpuset.id", IS_NUMBER, true, get_cpuset },
	{ "allow.set_hostname", IS_BOOL, false, get_set_hostname },
	{ "allow.sysvipc", IS_BOOL, false, get_sysvipc },
	{ "allow.raw_sockets", IS_BOOL, false, get_raw_sockets },
	{ "allow.chflags", IS_BOOL, false, get_chflags },
	{ "allow.mount", IS_BOOL, false, get_mount },
	{ "allow.quotas", IS_BOOL, false, get_quotas },
	{ "allow.socket_af", IS_BOOL, false, get_socket_af },
};
enum { NPARAMS = sizeof(params) / sizeof(params[0]) };

struct listing {
	struct verb_run *v;
	bool header, names, pairs, quote, shell, verbose;
	const struct param *column[NPARAMS];
	int columns; /* 0 = the default table */
};

static const struct param *
param_find(const char *name)
{
	for (size_t i = 0; i < NPARAMS; i++)
		if (strcmp(params[i].name, name) == 0)
			return &params[i];
	return NULL;
}

static void
text_of(const struct param *p, const struct prison *pr, char *text)
{
	text[0] = '\0';
	p->get(pr, text, TEXT_MAX);
}

static bool
needs_quotes(const char *text)
{
	return text[0] == '\0' || strpbrk(text, " \t\n\"'\\$`|&;<>()*?[]#~") != NULL;
}

/* So that a shell reads it as one word. */
static void
print_quoted(struct emitter *e, const char *text)
{
	emit_text(e, "'");
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			emit_text(e, "'\\''");
		else
			emit_text(e, "%c", *text);
	}
	emit_text(e, "'");
}

static void
print_value(const struct listing *l, const char *text)
{
	if (l->quote && needs_quotes(text))
		print_quoted(l->v->out, text);
	else
		emit_text(l->v->out, "%s", text[0] != '\0' || l->pairs ? text : "-");
}

/* persist, nopersist, allow.noraw_sockets: as jail reads it back. */
static void
print_bool(struct emitter *e, const char *name, bool on)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;

	emit_text(e, "%.*s%s%s", (int)(last - name), name, on ? "" : "no", last);
}

static void
print_columns(const struct listing *l, const struct prison *pr)
{
	char text[TEXT_MAX];
	bool first = true;

	for (int i = 0; i < l->columns; i++) {
		const struct param *p = l->column[i];

		text_of(p, pr, text);
		/* What can't be set, or says nothing, jail would refuse to read back. */
		if (l->shell &&
		    (p->readonly || text[0] == '\0' ||
			(pr->owns_vnet && strncmp(p->name, "ip", 2) == 0)))
			continue;
		if (!first)
			emit_text(l->v->out, " ");
		first = false;
		if (l->pairs && p->kind == IS_BOOL) {
			print_bool(l->v->out, p->name, text[0] == '1');
			continue;
		}
		if (l->pairs)
			emit_text(l->v->out, "%s=", p->name);
		print_value(l, text);
	}
	emit_text(l->v->out, "\n");
}

static void
print_more_addresses(struct emitter *e, const struct prison *pr, const char *fmt, uint32_t from)
{
	char word[INET6_ADDRSTRLEN];

	for (uint32_t i = from; i < pr->ip4_n; i++) {
		inet_ntop(AF_INET, &pr->ip4[i], word, sizeof(word));
		emit_text(e, fmt, "", word);
	}
	for (uint32_t i = 0; i < pr->ip6_n; i++) {
		inet_ntop(AF_INET6, pr->ip6[i], word, sizeof(word));
		emit_text(e, fmt, "", word);
	}
}

static void
print_default(const struct listing *l, const struct prison *pr)
{
	struct emitter *e = l->v->out;
	char address[INET_ADDRSTRLEN] = "-", id[PRISON_NAME_MAX];

	if (pr->ip4_n > 0)
		inet_ntop(AF_INET, &pr->ip4[0], address, sizeof(address));
	snprintf(id, sizeof(id), "%d", pr->jid);
	if (l->names)
		memcpy(id, pr->name, sizeof(id));
	emit_text(e, l->names ? " %-15.15s" : "%6s ", id);
	emit_text(e, " %-15.15s %-29.29s %.74s\n", address, pr->hostname, pr->path);
	print_more_addresses(e, pr, "%6s  %-15.15s\n", 1);
}

static void
print_verbose(const struct listing *l, const struct prison *pr)
{
	struct emitter *e = l->v->out;

	emit_text(e, "%6d  %-29.29s %.74s\n", pr->jid, pr->hostname, pr->path);
	emit_text(e, "%6s  %-29.29s %.74s\n", "", pr->name, pr->dying ? "DYING" : "ACTIVE");
	emit_text(e, "%6s  %-6d\n", "", 1);
	print_more_addresses(e, pr, "%6s  %-15.15s\n", 0);
}

static void
print_header(const struct listing *l)
{
	struct emitter *e = l->v->out;

	if (l->columns == 0 && l->verbose) {
		emit_text(e,
		    "   JID  Hostname                      Path\n"
		    "        Name                          State\n"
		    "        CPUSetID\n"
		    "        IP Address(es)\n");
	} else if (l->columns == 0) {
		emit_text(e, "%s IP Address      Hostname                      Path\n",
		    l->names ? " JID            " : "   JID ");
	} else if (l->header) {
		for (int i = 0; i < l->columns; i++)
			emit_text(e, "%s%s", i > 0 ? " " : "", l->column[i]->name);
		emit_text(e, "\n");
	}
}

static void
emit_jail(const struct listing *l, const struct prison *pr)
{
	struct emitter *e = l->v->out;
	char text[TEXT_MAX];
	int n = l->columns == 0 ? NPARAMS : l->columns;

	emit_object(e, NULL);
	for (int i = 0; i < n; i++) {
		const struct param *p = l->columns == 0 ? &params[i] : l->column[i];
		uint64_t number;

		text_of(p, pr, text);
		if (p->kind == IS_BOOL)
			emit_bool(e, p->name, text[0] == '1');
		else if (p->kind == IS_NUMBER && verb_number(text, 0, INT64_MAX, &number))
			emit_int(e, p->name, NULL, (int64_t)number);
		else if (p->kind == IS_NUMBER)
			emit_int(e, p->name, NULL, -1); /* a securelevel */
		else
			emit_str(e, p->name, NULL, text);
	}
	emit_end(e);
}

static void
print_jail(const struct listing *l, const struct prison *pr)
{
	emit_jail(l, pr);
	if (l->columns > 0)
		print_columns(l, pr);
	else if (l->verbose)
		print_verbose(l, pr);
	else
		print_default(l, pr);
}

static int
jls_run(struct verb_run *v)
{
	struct listing l = { .v = v };
	const struct prison *pr, *only = NULL;
	const char *jail = NULL;
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "dhj:Nnqsv");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'd': /* dying jails: none is ever seen */
			break;
		case 'h':
			l.header = true;
			break;
		case 'j':
			jail = o.arg;
			break;
		case 'N':
			l.names = true;
			break;
		case 'n':
			l.pairs = true;
			break;
		case 'q':
			l.quote = true;
			break;
		case 's':
			l.shell = l.pairs = l.quote = true;
			break;
		case 'v':
			l.verbose = true;
			break;
		default:
			verb_usage(v, NULL);
			return 1;
		}
	}
	for (int i = o.ind; i < v->argc && l.columns < NPARAMS; i++) {
		const struct param *p = param_find(v->argv[i]);

		if (p == NULL)
			return verb_error(v, 1, "unknown parameter: %s", v->argv[i]);
		l.column[l.columns++] = p;
	}
	if (l.columns == 0 && (l.pairs || l.header))
		for (; l.columns < NPARAMS; l.columns++)
			l.column[l.columns] = &params[l.columns];
	if (jail != NULL && (only = prison_find(v->prison, jail)) == NULL)
		return verb_error(v, 1, "jail \"%s\" not found", jail);
	print_header(&l);
	emit_list(v->out, "jail");
	TAILQ_FOREACH(pr, &prison_head, link)
		if (only != NULL ? pr == only : prison_is_below(pr, v->prison))
			print_jail(&l, pr);
	emit_end(v->out);
	return 0;
}

VERB_DEFINE(jls, .name = "jls", .usage = "jls [-dhNnqsv] [-j jail] [param ...]",
    .summary = "list jails", .run = jls_run, .flags = VERB_UNPRIVILEGED);
