/*
 * jail_conf.c - the parameters of the tool jail, in one table.
 */
#include "kern/jail_conf.h"

#include "kern/jail_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { HOSTNAME_MAX = 255, PATH_MAX_ = 1023 };

enum kind { KIND_STRING, KIND_WORD /* bare = "new" */, KIND_BOOL, KIND_ALLOW, KIND_READONLY };

static const struct param {
	const char *name;
	enum kind kind;
	size_t at; /* in struct jail_conf, or the bit of allow */
} params[] = {
	{ "allow.chflags", KIND_ALLOW, PRISON_ALLOW_CHFLAGS },
	{ "allow.mount", KIND_ALLOW, PRISON_ALLOW_MOUNT },
	{ "allow.quotas", KIND_ALLOW, PRISON_ALLOW_QUOTAS },
	{ "allow.raw_sockets", KIND_BOOL, offsetof(struct jail_conf, raw_sockets) },
	{ "allow.set_hostname", KIND_ALLOW, PRISON_ALLOW_SET_HOSTNAME },
	{ "allow.socket_af", KIND_ALLOW, PRISON_ALLOW_SOCKET_AF },
	{ "allow.sysvipc", KIND_ALLOW, PRISON_ALLOW_SYSVIPC },
	{ "children.cur", KIND_READONLY, 0 },
	{ "children.max", KIND_STRING, offsetof(struct jail_conf, children_max) },
	{ "cpuset.id", KIND_READONLY, 0 },
	{ "dying", KIND_READONLY, 0 },
	{ "enforce_statfs", KIND_STRING, offsetof(struct jail_conf, enforce_statfs) },
	{ "exec.start", KIND_STRING, offsetof(struct jail_conf, exec_start) },
	{ "host", KIND_WORD, offsetof(struct jail_conf, host) },
	{ "host.domainname", KIND_STRING, offsetof(struct jail_conf, domainname) },
	{ "host.hostid", KIND_STRING, offsetof(struct jail_conf, hostid) },
	{ "host.hostname", KIND_STRING, offsetof(struct jail_conf, hostname) },
	{ "host.hostuuid", KIND_STRING, offsetof(struct jail_conf, hostuuid) },
	{ "ip4", KIND_WORD, offsetof(struct jail_conf, ip4) },
	{ "ip4.addr", KIND_STRING, offsetof(struct jail_conf, ip4_addr) },
	{ "ip4.saddrsel", KIND_BOOL, offsetof(struct jail_conf, ip4_saddrsel) },
	{ "ip6", KIND_WORD, offsetof(struct jail_conf, ip6) },
	{ "ip6.addr", KIND_STRING, offsetof(struct jail_conf, ip6_addr) },
	{ "ip6.saddrsel", KIND_BOOL, offsetof(struct jail_conf, ip6_saddrsel) },
	{ "jid", KIND_STRING, offsetof(struct jail_conf, jid) },
	{ "name", KIND_STRING, offsetof(struct jail_conf, name) },
	{ "parent", KIND_READONLY, 0 },
	{ "path", KIND_STRING, offsetof(struct jail_conf, path) },
	{ "persist", KIND_BOOL, offsetof(struct jail_conf, persist) },
	{ "securelevel", KIND_STRING, offsetof(struct jail_conf, securelevel) },
	{ "vnet", KIND_WORD, offsetof(struct jail_conf, vnet) },
	{ "vnet.interface", KIND_STRING, offsetof(struct jail_conf, vnet_interface) },
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
			    (!*negated || params[i].kind == KIND_BOOL ||
				params[i].kind == KIND_ALLOW))
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
		*flag = JAIL_YES;
	else if (strcmp(value, "0") == 0 || strcmp(value, "false") == 0)
		*flag = JAIL_NO;
	else
		return -EINVAL;
	return 0;
}

int
jail_conf_word(struct verb_run *v, struct jail_conf *conf, char *word)
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
		return verb_error(
		    v, 1, "%s: %s: Invalid argument: 0 or 1", word, value != NULL ? value : "");
	if (negated)
		flag = JAIL_NO;
	if (param->kind == KIND_BOOL) {
		*((int8_t *)conf + param->at) = flag;
	} else {
		uint32_t *on = flag == JAIL_YES ? &conf->allow_set : &conf->allow_clear;
		uint32_t *off = flag == JAIL_YES ? &conf->allow_clear : &conf->allow_set;

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

/*
 * Check every value for itself. The name of the first bad parameter with what it may be, or NULL.
 */
static const char *
conf_check_values(struct jail_conf *c)
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
conf_restricts_addresses(const struct jail_conf *c)
{
	return c->ip4_addr != NULL || c->ip6_addr != NULL ||
	    (c->ip4 != NULL && strcmp(c->ip4, "inherit") != 0) ||
	    (c->ip6 != NULL && strcmp(c->ip6, "inherit") != 0);
}

int
jail_conf_check(struct verb_run *v, struct jail_conf *c, bool own_vnet)
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

int
jail_conf_check_addresses(
    struct verb_run *v, const struct jail_conf *c, const struct prison *parent)
{
	for (uint32_t i = 0; i < c->ip4_n; i++)
		if (!prison_ip4_ok(parent, c->ip4_list[i]))
			return verb_error(
			    v, 1, "ip4.addr: an address that jail %s does not have", parent->name);
	return 0;
}

int
jail_conf_apply(const struct jail_conf *c, struct prison *pr)
{
	const struct {
		const char *text;
		char **where;
	} strings[] = {
		{ c->path, &pr->path },
		{ c->hostname, &pr->hostname },
		{ c->domainname, &pr->domainname },
		{ c->hostuuid, &pr->hostuuid },
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
	if (c->persist != JAIL_UNSET)
		pr->persist = c->persist == JAIL_YES;
	if (c->raw_sockets != JAIL_UNSET)
		pr->raw_sockets = c->raw_sockets == JAIL_YES;
	if (c->ip4_saddrsel != JAIL_UNSET)
		pr->ip4_saddrsel = c->ip4_saddrsel == JAIL_YES;
	if (c->ip6_saddrsel != JAIL_UNSET)
		pr->ip6_saddrsel = c->ip6_saddrsel == JAIL_YES;
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
