/*
 * jail_verb.c - the tool jail: makes, changes and removes jails.
 *
 * The words are read into struct conf and checked as a whole; only then is anything made or changed. A jail that
 * can't be finished (an interface that isn't there, a start command that fails) is removed again.
 */
#include "base/emitter.h"
#include "kern/jail_internal.h"
#include "kern/verb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTNAME_MAX = 255, PATH_MAX_ = 1023, UNSET = 0, YES = 1, NO = -1 };

/* What the words ask for. Strings lie in the verb's words; NULL and UNSET = not mentioned. */
struct conf {
	const char *jid, *name, *path, *hostname, *domainname, *hostuuid, *hostid;
	const char *securelevel, *children_max, *enforce_statfs;
	const char *ip4, *ip4_addr, *ip6, *ip6_addr, *vnet, *host;
	const char *vnet_interface, *exec_start;
	int8_t persist, raw_sockets, ip4_saddrsel, ip6_saddrsel;
	uint32_t allow_set, allow_clear;
	int command; /* index of its first word, 0 = none */
	/* made of the strings by conf_check */
	uint64_t n_hostid, n_children_max, n_enforce_statfs, n_jid;
	int n_securelevel;
	uint32_t ip4_n, ip4_list[PRISON_IP4_MAX];
	uint32_t ip6_n;
	uint8_t ip6_list[PRISON_IP4_MAX][16];
};

enum kind { KIND_STRING, KIND_WORD /* bare = "new" */, KIND_BOOL, KIND_ALLOW, KIND_READONLY };

static const struct param {
	const char *name;
	enum kind kind;
	size_t at; /* in struct conf, or the bit of allow */
} params[] = {
	{ "allow.chflags", KIND_ALLOW, PRISON_ALLOW_CHFLAGS },
	{ "allow.mount", KIND_ALLOW, PRISON_ALLOW_MOUNT },
	{ "allow.quotas", KIND_ALLOW, PRISON_ALLOW_QUOTAS },
	{ "allow.raw_sockets", KIND_BOOL, offsetof(struct conf, raw_sockets) },
	{ "allow.set_hostname", KIND_ALLOW, PRISON_ALLOW_SET_HOSTNAME },
	{ "allow.socket_af", KIND_ALLOW, PRISON_ALLOW_SOCKET_AF },
	{ "allow.sysvipc", KIND_ALLOW, PRISON_ALLOW_SYSVIPC },
	{ "children.cur", KIND_READONLY, 0 },
	{ "children.max", KIND_STRING, offsetof(struct conf, children_max) },
	{ "cpuset.id", KIND_READONLY, 0 },
	{ "dying", KIND_READONLY, 0 },
	{ "enforce_statfs", KIND_STRING, offsetof(struct conf, enforce_statfs) },
	{ "exec.start", KIND_STRING, offsetof(struct conf, exec_start) },
	{ "host", KIND_WORD, offsetof(struct conf, host) },
	{ "host.domainname", KIND_STRING, offsetof(struct conf, domainname) },
	{ "host.hostid", KIND_STRING, offsetof(struct conf, hostid) },
	{ "host.hostname", KIND_STRING, offsetof(struct conf, hostname) },
	{ "host.hostuuid", KIND_STRING, offsetof(struct conf, hostuuid) },
	{ "ip4", KIND_WORD, offsetof(struct conf, ip4) },
	{ "ip4.addr", KIND_STRING, offsetof(struct conf, ip4_addr) },
	{ "ip4.saddrsel", KIND_BOOL, offsetof(struct conf, ip4_saddrsel) },
	{ "ip6", KIND_WORD, offsetof(struct conf, ip6) },
	{ "ip6.addr", KIND_STRING, offsetof(struct conf, ip6_addr) },
	{ "ip6.saddrsel", KIND_BOOL, offsetof(struct conf, ip6_saddrsel) },
	{ "jid", KIND_STRING, offsetof(struct conf, jid) },
	{ "name", KIND_STRING, offsetof(struct conf, name) },
	{ "parent", KIND_READONLY, 0 },
	{ "path", KIND_STRING, offsetof(struct conf, path) },
	{ "persist", KIND_BOOL, offsetof(struct conf, persist) },
	{ "securelevel", KIND_STRING, offsetof(struct conf, securelevel) },
	{ "vnet", KIND_WORD, offsetof(struct conf, vnet) },
	{ "vnet.interface", KIND_STRING, offsetof(struct conf, vnet_interface) },
};

/* The parameter called so; *negated for "nopersist", "allow.noraw_sockets". */
static const struct param *
param_find(const char *name, bool *negated)
{
	char plain[64];
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;

	*negated = false;
	for (int attempt = 0; attempt < 2; attempt++) {
		for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
			if (strcmp(params[i].name, name) == 0 &&
			    (!*negated || params[i].kind == KIND_BOOL || params[i].kind == KIND_ALLOW))
				return &params[i];
		if (strncmp(last, "no", 2) != 0)
			return NULL;
		snprintf(plain, sizeof(plain), "%.*s%s", (int)(last - name), name, last + 2);
		name = plain;
		*negated = true;
	}
	return NULL;
}

static int
parse_bool(const char *value, int8_t *flag)
{
	if (value == NULL || strcmp(value, "1") == 0 || strcmp(value, "true") == 0)
		*flag = YES;
	else if (strcmp(value, "0") == 0 || strcmp(value, "false") == 0)
		*flag = NO;
	else
		return -EINVAL;
	return 0;
}

/* One word, param or param=value, into *conf. 0 or an exit status. */
static int
conf_word(struct verb_run *v, struct conf *conf, char *word)
{
	char *value = strchr(word, '=');
	const struct param *param;
	bool negated;
	int8_t flag;

	if (value != NULL)
		*value++ = '\0';
	param = param_find(word, &negated);
	if (param == NULL)
		return verb_error(v, 1, "unknown parameter: %s", word);
	switch (param->kind) {
	case KIND_READONLY:
		return verb_error(v, 1, "%s: read-only parameter", word);
	case KIND_STRING:
		if (value == NULL)
			return verb_error(v, 1, "%s: needs a value", word);
		*(const char **)(void *)((char *)conf + param->at) = value;
		return 0;
	case KIND_WORD:
		*(const char **)(void *)((char *)conf + param->at) = value != NULL ? value : "new";
		return 0;
	default:
		break;
	}
	if ((negated && value != NULL) || parse_bool(value, &flag) != 0)
		return verb_error(v, 1, "%s: %s: Invalid argument: 0 or 1", word,
		    value != NULL ? value : "");
	if (negated)
		flag = NO;
	if (param->kind == KIND_BOOL) {
		*((int8_t *)conf + param->at) = flag;
	} else {
		uint32_t *on = flag == YES ? &conf->allow_set : &conf->allow_clear;
		uint32_t *off = flag == YES ? &conf->allow_clear : &conf->allow_set;

		*on |= (uint32_t)param->at;
		*off &= ~(uint32_t)param->at;
	}
	return 0;
}

/* Comma-separated addresses of a family into an array of `size` bytes each. Their number, or -1. */
static int
parse_addresses(const char *list, int family, void *array, size_t size)
{
	char copy[1024], *rest = copy, *word;
	int n = 0;

	if (strlen(list) >= sizeof(copy))
		return -1;
	strcpy(copy, list);
	if (copy[0] == '\0')
		return 0;
	while ((word = strsep(&rest, ",")) != NULL) {
		if (n == PRISON_IP4_MAX ||
		    inet_pton(family, word, (char *)array + (size_t)n * size) != 1)
			return -1;
		n++;
	}
	return n;
}

static bool
parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	return text == NULL || verb_number(text, min, max, n);
}

static bool
is_one_of(const char *text, const char *a, const char *b, const char *c)
{
	return text == NULL || strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

static bool
too_long(const char *text, size_t max)
{
	return text != NULL && strlen(text) > max;
}

static bool
parse_securelevel(const char *text, int *level)
{
	uint64_t n = 1;
	bool minus;

	if (text == NULL)
		return true;
	minus = text[0] == '-';
	if (!verb_number(text + minus, minus ? 1 : 0, minus ? 1 : 3, &n))
		return false;
	*level = minus ? -1 : (int)n;
	return true;
}

/* Check every value for itself. The name of the first bad parameter with what it may be, or NULL. */
static const char *
conf_check_values(struct conf *c)
{
	int n;

	if (!parse_number(c->jid, 1, INT32_MAX, &c->n_jid))
		return "jid: a number above 0";
	if (!parse_number(c->hostid, 0, UINT32_MAX, &c->n_hostid))
		return "host.hostid: a number";
	if (!parse_number(c->children_max, 0, INT32_MAX, &c->n_children_max))
		return "children.max: a number";
	if (!parse_number(c->enforce_statfs, 0, 2, &c->n_enforce_statfs))
		return "enforce_statfs: 0, 1 or 2";
	if (!parse_securelevel(c->securelevel, &c->n_securelevel))
		return "securelevel: -1 to 3";
	if (too_long(c->hostname, HOSTNAME_MAX))
		return "host.hostname: at most 255 characters";
	if (too_long(c->domainname, HOSTNAME_MAX))
		return "host.domainname: at most 255 characters";
	if (too_long(c->hostuuid, 63))
		return "host.hostuuid: at most 63 characters";
	if (too_long(c->path, PATH_MAX_))
		return "path: at most 1023 characters";
	if (!is_one_of(c->ip4, "new", "inherit", "disable"))
		return "ip4: new, inherit or disable";
	if (!is_one_of(c->ip6, "new", "inherit", "disable"))
		return "ip6: new, inherit or disable";
	if (!is_one_of(c->vnet, "new", "inherit", "inherit"))
		return "vnet: new or inherit";
	if (!is_one_of(c->host, "new", "new", "new"))
		return "host: only new";
	if (c->ip4_addr != NULL) {
		n = parse_addresses(c->ip4_addr, AF_INET, c->ip4_list, sizeof(c->ip4_list[0]));
		if (n < 0)
			return "ip4.addr: at most 16 IPv4 addresses, separated by commas";
		c->ip4_n = (uint32_t)n;
	}
	if (c->ip6_addr != NULL) {
		n = parse_addresses(c->ip6_addr, AF_INET6, c->ip6_list, sizeof(c->ip6_list[0]));
		if (n < 0)
			return "ip6.addr: at most 16 IPv6 addresses, separated by commas";
		c->ip6_n = (uint32_t)n;
	}
	return NULL;
}

static bool
conf_restricts_addresses(const struct conf *c)
{
	return c->ip4_addr != NULL || c->ip6_addr != NULL ||
	    (c->ip4 != NULL && strcmp(c->ip4, "inherit") != 0) ||
	    (c->ip6 != NULL && strcmp(c->ip6, "inherit") != 0);
}

/* Check the values together, for a jail that has or will have its own stack or not. 0 or an exit status. */
static int
conf_check(struct verb_run *v, struct conf *c, bool own_vnet)
{
	const char *bad = conf_check_values(c);

	if (bad != NULL)
		return verb_error(v, 1, "Invalid argument: %s", bad);
	if (own_vnet && conf_restricts_addresses(c))
		return verb_error(v, 1, "vnet jails cannot have IP address restrictions");
	if (!own_vnet && c->vnet_interface != NULL)
		return verb_error(v, 1, "vnet.interface: the jail has no stack of its own");
	return 0;
}

/* No jail has an address that the one around it has not. 0 or an exit status. */
static int
conf_check_addresses(struct verb_run *v, const struct conf *c, const struct prison *parent)
{
	for (uint32_t i = 0; i < c->ip4_n; i++)
		if (!prison_ip4_ok(parent, c->ip4_list[i]))
			return verb_error(v, 1, "ip4.addr: an address that jail %s does not have",
			    parent->name);
	return 0;
}

/* Put what was asked for into the jail. 0 or -ENOMEM (then some strings may be the new ones already). */
static int
conf_apply(const struct conf *c, struct prison *pr)
{
	const struct { const char *text; char **where; } strings[] = {
		{ c->path, &pr->path }, { c->hostname, &pr->hostname },
		{ c->domainname, &pr->domainname }, { c->hostuuid, &pr->hostuuid },
	};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (strings[i].text != NULL &&
		    prison_set_string(strings[i].where, strings[i].text) != 0)
			return -ENOMEM;
	if (c->hostid != NULL)
		pr->hostid = (uint32_t)c->n_hostid;
	if (c->securelevel != NULL)
		pr->securelevel = c->n_securelevel;
	if (c->children_max != NULL)
		pr->children_max = (uint32_t)c->n_children_max;
	if (c->enforce_statfs != NULL)
		pr->enforce_statfs = (int)c->n_enforce_statfs;
	if (c->persist != UNSET)
		pr->persist = c->persist == YES;
	if (c->raw_sockets != UNSET)
		pr->raw_sockets = c->raw_sockets == YES;
	if (c->ip4_saddrsel != UNSET)
		pr->ip4_saddrsel = c->ip4_saddrsel == YES;
	if (c->ip6_saddrsel != UNSET)
		pr->ip6_saddrsel = c->ip6_saddrsel == YES;
	pr->allow = (pr->allow | c->allow_set) & ~c->allow_clear;
	if (c->ip4 != NULL) {
		pr->ip4_restricted = strcmp(c->ip4, "inherit") != 0;
		pr->ip4_n = 0;
	}
	if (c->ip6 != NULL) {
		pr->ip6_restricted = strcmp(c->ip6, "inherit") != 0;
		pr->ip6_n = 0;
	}
	if (c->ip4_addr != NULL) {
		pr->ip4_restricted = true;
		pr->ip4_n = c->ip4_n;
		memcpy(pr->ip4, c->ip4_list, sizeof(pr->ip4));
	}
	if (c->ip6_addr != NULL) {
		pr->ip6_restricted = true;
		pr->ip6_n = c->ip6_n;
		memcpy(pr->ip6, c->ip6_list, sizeof(pr->ip6));
	}
	return 0;
}

/* vnet.interface=a,b: from the caller's stack into the jail's. 0 or an exit status. */
static int
move_interfaces(struct verb_run *v, struct prison *pr, const char *list)
{
	char name[64];

	while (*list != '\0') {
		size_t n = strcspn(list, ",");
		int error = jail_move_interface == NULL ? -ENXIO : -ENAMETOOLONG;

		snprintf(name, sizeof(name), "%.*s", (int)n, list);
		if (jail_move_interface != NULL && n < sizeof(name))
			error = jail_move_interface(name, pr->vnet);
		if (error != 0)
			return verb_error(v, 1, "vnet.interface: %s: %s", name, verb_strerror(error));
		list += n;
		list += *list == ',';
	}
	return 0;
}

/* The commands of a new jail while they run: exec.start, then command=. */
struct job {
	struct verb_run *v;
	int jid;
	struct {
		int argc;
		char **argv;
	} command[2];
	int next;		/* index of the command to run next */
	struct verb_run *child;
	bool starting;		/* inside verb_exec: done only takes notes */
	bool child_done;
	bool start_failed;	/* exec.start did: the jail goes, even a persistent one */
	int status;
	char *text;		/* with --json: what the commands said */
	size_t text_len;
};

static void
job_free(struct job *job)
{
	for (int i = 0; i < 2; i++)
		verb_split_free(job->command[i].argc, job->command[i].argv);
	free(job->text);
	free(job);
}

static void
child_out(void *ctx, const char *bytes, size_t len)
{
	struct job *job = ctx;
	char *grown;

	if (emitter_form(job->v->out) == EMIT_TEXT) {
		emit_text(job->v->out, "%.*s", (int)len, bytes);
		emit_flush(job->v->out);
		return;
	}
	grown = realloc(job->text, job->text_len + len + 1);
	if (grown == NULL)
		return;
	job->text = grown;
	memcpy(grown + job->text_len, bytes, len);
	job->text_len += len;
	grown[job->text_len] = '\0';
}

static void
child_err(void *ctx, const char *bytes, size_t len)
{
	struct job *job = ctx;

	if (job->v->err != NULL)
		job->v->err(job->v->ctx, bytes, len);
}

static int job_run(struct job *job);

static void
child_done(void *ctx, int status)
{
	struct job *job = ctx;
	struct verb_run *v = job->v;

	job->child_done = true;
	job->child = NULL;
	job->status = status;
	job->start_failed = status != 0 && job->next == 1;
	if (job->starting)
		return;
	status = job_run(job);
	if (status != VERB_PENDING)
		verb_finish(v, status);
}

/* The commands are over: the jail goes too unless it is to stay. Frees job. Its exit status. */
static int
job_end(struct job *job)
{
	struct prison *pr = prison_by_jid(job->jid);
	int status = job->status;

	if (job->text != NULL)
		emit_str(job->v->out, "output", NULL, job->text);
	if (pr != NULL && !pr->dying) {
		pr->procs--;
		if (job->start_failed)
			pr->persist = false;
		/* Not at once where the command ended inside the jail's own stack. */
		if (!pr->persist && prison_remove(pr) == -EBUSY)
			prison_reap_soon();
	}
	job_free(job);
	return status;
}

/* Run the commands that are left. VERB_PENDING, or the exit status of the last one (then job is freed). */
static int
job_run(struct job *job)
{
	const struct verb_io io = { child_out, child_err, child_done, job, false, job->v->is_tty };
	struct prison *pr;

	while (job->status == 0 && job->next < 2) {
		int i = job->next++;

		if (job->command[i].argc == 0)
			continue;
		pr = prison_by_jid(job->jid);
		if (pr == NULL || pr->dying)
			break;
		job->child_done = false;
		job->starting = true;
		job->child = verb_exec(job->command[i].argc, job->command[i].argv, pr, job->v->fib, &io);
		job->starting = false;
		if (!job->child_done)
			return VERB_PENDING;
		job->child = NULL;
	}
	return job_end(job);
}

static void
job_cancel(struct verb_run *v)
{
	struct job *job = v->state;

	job->next = 2;
	if (job->child != NULL)
		verb_cancel(job->child);
}

/* Start exec.start and command= in the jail. Exit status or VERB_PENDING. */
static int
start_commands(struct verb_run *v, const struct conf *c, struct prison *pr)
{
	struct job *job = calloc(1, sizeof(*job));
	const char *why = NULL;
	int n = c->command != 0 ? v->argc - c->command : 0;

	if (job == NULL)
		goto fail;
	job->v = v;
	job->jid = pr->jid;
	if (c->exec_start != NULL &&
	    verb_split(c->exec_start, &job->command[0].argc, &job->command[0].argv, &why) != 0)
		goto fail;
	job->command[1].argv = calloc((size_t)n + 1, sizeof(char *));
	if (job->command[1].argv == NULL)
		goto fail;
	for (int i = 0; i < n; i++)
		if ((job->command[1].argv[job->command[1].argc++] =
		    strdup(v->argv[c->command + i])) == NULL) {
			job->command[1].argc--;
			goto fail;
		}
	pr->procs++;
	v->state = job;
	v->cancel = job_cancel;
	return job_run(job);

fail:
	if (job != NULL)
		job_free(job);
	prison_remove(pr);
	return verb_error(v, 1, "exec.start: %s", why != NULL ? why : verb_strerror(ENOMEM));
}

/* What of the words names the jail: "5" for jid=5. NULL if nothing does. */
static const char *
conf_target(const struct conf *c)
{
	return c->jid != NULL ? c->jid : c->name;
}

static const char *
create_reason(int error)
{
	switch (error) {
	case EPERM:
		return "prison limit exceeded, or no stack of one's own to be had here";
	case ENOENT:
		return "the jail that it is to be in does not exist";
	default:
		return verb_strerror(error);
	}
}

static int
jail_create(struct verb_run *v, struct conf *c, bool print_jid, bool verbose)
{
	bool own_vnet = c->vnet != NULL && strcmp(c->vnet, "new") == 0;
	struct prison *pr;
	int status;

	if (c->persist != YES && c->command == 0)
		return verb_error(v, 1, "a new jail needs persist or a command");
	status = conf_check(v, c, own_vnet);
	if (status != 0)
		return status;
	pr = prison_create_jid(v->prison, c->name, own_vnet, (int)c->n_jid);
	if (pr == NULL && errno == EEXIST)
		return verb_error(v, 1, "jail \"%s\" already exists", conf_target(c));
	if (pr == NULL)
		return verb_error(v, 1, "%s: %s", c->name != NULL ? c->name : "new jail",
		    create_reason(errno));
	status = conf_check_addresses(v, c, pr->parent);
	if (status == 0 && conf_apply(c, pr) != 0)
		status = verb_error(v, 1, "%s: %s", pr->name, verb_strerror(ENOMEM));
	if (status == 0 && c->vnet_interface != NULL)
		status = move_interfaces(v, pr, c->vnet_interface);
	if (status != 0) {
		prison_remove(pr);
		return status;
	}
	if (print_jid)
		emit_int(v->out, "jid", "%" PRId64 "\n", pr->jid);
	if (verbose)
		emit_text(v->out, "%s: created\n", pr->name);
	if (c->exec_start == NULL && c->command == 0)
		return 0;
	return start_commands(v, c, pr);
}

static int
jail_modify(struct verb_run *v, struct conf *c, struct prison *pr, bool print_jid)
{
	int error, status;

	if (c->vnet != NULL && (strcmp(c->vnet, "new") == 0) != pr->owns_vnet)
		return verb_error(v, 1, "vnet: can't be changed");
	if (c->command != 0 || c->exec_start != NULL)
		return verb_error(v, 1, "commands are for new jails: use jexec");
	if (c->persist == NO && pr->persist && pr->procs == 0 && v->prison == pr)
		return verb_error(v, 1, "%s: %s", pr->name, verb_strerror(EBUSY));
	status = conf_check(v, c, pr->owns_vnet);
	if (status == 0)
		status = conf_check_addresses(v, c, pr->parent);
	if (status != 0)
		return status;
	if (c->jid != NULL && c->name != NULL && (error = prison_rename(pr, c->name)) != 0)
		return error == -EEXIST ? verb_error(v, 1, "jail \"%s\" already exists", c->name) :
		    verb_error(v, 1, "name: %s: %s", c->name, verb_strerror(error));
	if (conf_apply(c, pr) != 0)
		return verb_error(v, 1, "%s: %s", pr->name, verb_strerror(ENOMEM));
	if (c->vnet_interface != NULL)
		status = move_interfaces(v, pr, c->vnet_interface);
	if (print_jid)
		emit_int(v->out, "jid", "%" PRId64 "\n", pr->jid);
	/* Nothing keeps it any more. */
	if (!pr->persist && pr->procs == 0)
		prison_remove(pr);
	return status;
}

static int
jail_remove_all(struct verb_run *v, bool verbose)
{
	struct prison *pr, *next;

	for (pr = TAILQ_FIRST(&prison_head); pr != NULL; pr = next) {
		char name[PRISON_NAME_MAX];

		next = TAILQ_NEXT(pr, link);
		/* The outermost take the others with them. */
		if (pr->parent != v->prison)
			continue;
		memcpy(name, pr->name, sizeof(name));
		if (prison_remove(pr) != 0)
			return verb_error(v, 1, "jail \"%s\": %s", name, verb_strerror(EBUSY));
		if (verbose)
			emit_text(v->out, "%s: removed\n", name);
		next = TAILQ_FIRST(&prison_head);
	}
	return 0;
}

static int
jail_remove(struct verb_run *v, int first, bool verbose)
{
	int status = 0;

	for (int i = first; i < v->argc; i++) {
		struct prison *pr;
		char name[PRISON_NAME_MAX];
		int error;

		if (strcmp(v->argv[i], "all") == 0 || strcmp(v->argv[i], "*") == 0) {
			status |= jail_remove_all(v, verbose);
			continue;
		}
		pr = prison_find(v->prison, v->argv[i]);
		if (pr == NULL) {
			status = verb_error(v, 1, "jail \"%s\" not found", v->argv[i]);
			continue;
		}
		memcpy(name, pr->name, sizeof(name));
		error = prison_remove(pr);
		if (error != 0)
			status = verb_error(v, 1, "jail \"%s\": %s", name, verb_strerror(error));
		else if (verbose)
			emit_text(v->out, "%s: removed\n", name);
	}
	return status;
}

/* The words behind the options into *conf. 0 or an exit status. */
static int
conf_read(struct verb_run *v, struct conf *conf, int first)
{
	for (int i = first; i < v->argc; i++) {
		int status;

		if (strncmp(v->argv[i], "command=", 8) == 0) {
			/* The rest of the words are the command's. */
			memmove(v->argv[i], v->argv[i] + 8, strlen(v->argv[i] + 8) + 1);
			if (v->argv[i][0] == '\0')
				return verb_error(v, 1, "command: needs a value");
			conf->command = i;
			return 0;
		}
		status = conf_word(v, conf, v->argv[i]);
		if (status != 0)
			return status;
	}
	return 0;
}

/* jail PATH HOSTNAME IP COMMAND…, as it was before there were parameters. */
static int
conf_read_old(struct verb_run *v, struct conf *conf, int first)
{
	if (v->argc - first < 4)
		return verb_usage(v, NULL);
	conf->path = v->argv[first];
	conf->hostname = v->argv[first + 1];
	conf->ip4_addr = v->argv[first + 2];
	conf->command = first + 3;
	return 0;
}

static int
jail_run(struct verb_run *v)
{
	bool create = false, modify = false, removing = false, print_jid = false, verbose = false;
	struct conf conf = {};
	struct prison *pr = NULL;
	struct verb_opts o;
	int c, status;

	verb_opts_init(&o, v, v->argc, v->argv, "cdf:hiJ:lmn:qrs:U:u:v");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'c':
			create = true;
			break;
		case 'i':
			print_jid = true;
			break;
		case 'm':
			modify = true;
			break;
		case 'n':
			conf.name = o.arg;
			break;
		case 'r':
			removing = true;
			break;
		case 's':
			conf.securelevel = o.arg;
			break;
		case 'v':
			verbose = true;
			break;
		case 'd': /* dying jails: none is ever seen */
		case 'l': /* a clean environment: commands have none */
		case 'q':
			break;
		case 'h':
			return verb_error(v, 1, "-h: host names are not resolved; use ip4.addr");
		case 'f':
		case 'J':
			return verb_error(v, 1, "-%c: files are not read or written here", c);
		case 'U':
		case 'u':
			return verb_error(v, 1, "-%c: there are no users in a jail", c);
		default:
			return verb_usage(v, NULL);
		}
	}
	if (priv_check(PRIV_JAIL) != 0)
		return verb_error(v, 1, "%s", verb_strerror(EPERM));
	if (removing) {
		if (create || modify || o.ind == v->argc)
			return verb_usage(v, NULL);
		return jail_remove(v, o.ind, verbose);
	}
	if (o.ind == v->argc)
		return verb_usage(v, NULL);
	status = create || modify ? conf_read(v, &conf, o.ind) : conf_read_old(v, &conf, o.ind);
	if (status != 0)
		return status;
	if (conf_target(&conf) != NULL)
		pr = prison_find(v->prison, conf_target(&conf));
	if (pr != NULL && modify)
		return jail_modify(v, &conf, pr, print_jid);
	if (modify && !create)
		return conf_target(&conf) == NULL ? verb_error(v, 1, "-m needs jid or name") :
		    verb_error(v, 1, "jail \"%s\" not found", conf_target(&conf));
	return jail_create(v, &conf, print_jid, verbose);
}

VERB_DEFINE(jail, .name = "jail",
    .usage = "jail [-iqv] -c | -m | -cm parameter[=value] ... [command=command ...]\n"
	     "jail [-qv] -r jail ... | all\n"
	     "jail [-i] [-n name] [-s level] path hostname ip[,...] command ...",
    .summary = "make, change and remove jails", .run = jail_run);
