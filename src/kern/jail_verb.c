/*
 * jail_verb.c - the tool jail: makes, changes and removes jails.
 *
 * The words are read into struct jail_conf and checked as a whole; only then is anything made or
 * changed. A jail that can't be finished (an interface that isn't there, a start command that
 * fails) is removed again.
 */
#include "base/emitter.h"
#include "kern/jail_conf.h"
#include "kern/jail_internal.h"
#include "kern/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * vnet.interface=a,b: from the caller's stack into `to`; NULL only looks whether they could go. 0
 * or an exit status.
 */
static int
move_interfaces(struct verb_run *v, const char *list, struct vnet *to)
{
	char name[64];

	while (*list != '\0') {
		size_t n = strcspn(list, ",");
		int error = jail_move_interface == NULL ? -ENXIO : -ENAMETOOLONG;

		snprintf(name, sizeof(name), "%.*s", (int)n, list);
		if (jail_move_interface != NULL && n < sizeof(name))
			error = jail_move_interface(name, to);
		if (error != 0)
			return verb_error(
			    v, 1, "vnet.interface: %s: %s", name, verb_strerror(error));
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
	int next; /* index of the command to run next */
	struct verb_run *child;
	bool starting; /* inside verb_exec: done only takes notes */
	bool child_done;
	bool start_failed; /* exec.start did: the jail goes, even a persistent one */
	int status;
	char *text; /* with --json: what the commands said */
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

/*
 * Run the commands that are left. VERB_PENDING, or the exit status of the last one (then job is
 * freed).
 */
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
		job->child = verb_exec(
		    job->command[i].argc, job->command[i].argv, pr, job->v->fib, &io);
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
start_commands(struct verb_run *v, const struct jail_conf *c, struct prison *pr)
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
		if ((job->command[1].argv[job->command[1].argc++] = strdup(
			 v->argv[c->command + i])) == NULL) {
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
conf_target(const struct jail_conf *c)
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
	case EINVAL:
		return "a name is no number and shorter than 64, a jid is above all before it";
	default:
		return verb_strerror(error);
	}
}

static int
jail_create(struct verb_run *v, struct jail_conf *c, bool print_jid, bool verbose)
{
	bool own_vnet = c->vnet != NULL && strcmp(c->vnet, "new") == 0;
	struct prison *pr;
	int status;

	if (c->persist != JAIL_YES && c->command == 0)
		return verb_error(v, 1, "a new jail needs persist or a command");
	/* Else the jail would be there, and stay if it persists, without its command. */
	if (c->command != 0 && verb_find(v->argv[c->command]) == NULL)
		return verb_error(
		    v, 1, "execvp: %s: %s", v->argv[c->command], verb_strerror(ENOENT));
	status = jail_conf_check(v, c, own_vnet);
	/* An interface loses its addresses on the way: none sets out unless all can go. */
	if (status == 0 && c->vnet_interface != NULL)
		status = move_interfaces(v, c->vnet_interface, NULL);
	if (status != 0)
		return status;
	pr = prison_create_jid(v->prison, c->name, own_vnet, (int)c->n_jid);
	if (pr == NULL && errno == EEXIST)
		return verb_error(v, 1, "jail \"%s\" already exists", conf_target(c));
	if (pr == NULL)
		return verb_error(v, 1, "'%s': %s", conf_target(c) != NULL ? conf_target(c) : "",
		    create_reason(errno));
	status = jail_conf_check_addresses(v, c, pr->parent);
	if (status == 0 && jail_conf_apply(c, pr) != 0)
		status = verb_error(v, 1, "%s: %s", pr->name, verb_strerror(ENOMEM));
	if (status == 0 && c->vnet_interface != NULL)
		status = move_interfaces(v, c->vnet_interface, pr->vnet);
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
jail_modify(struct verb_run *v, struct jail_conf *c, struct prison *pr, bool print_jid)
{
	int error, status;

	if (c->vnet != NULL && (strcmp(c->vnet, "new") == 0) != pr->owns_vnet)
		return verb_error(v, 1, "vnet: can't be changed");
	if (c->command != 0 || c->exec_start != NULL)
		return verb_error(v, 1, "commands are for new jails: use jexec");
	if (c->persist == JAIL_NO && pr->persist &&
	    (pr->pinned || (pr->procs == 0 && v->prison == pr)))
		return verb_error(v, 1, "%s: %s", pr->name, verb_strerror(EBUSY));
	status = jail_conf_check(v, c, pr->owns_vnet);
	if (status == 0)
		status = jail_conf_check_addresses(v, c, pr->parent);
	if (status == 0 && c->vnet_interface != NULL)
		status = move_interfaces(v, c->vnet_interface, NULL);
	if (status != 0)
		return status;
	if (c->jid != NULL && c->name != NULL && (error = prison_rename(pr, c->name)) != 0)
		return error == -EEXIST ?
		    verb_error(v, 1, "jail \"%s\" already exists", c->name) :
		    verb_error(v, 1, "name: %s: %s", c->name, verb_strerror(error));
	if (jail_conf_apply(c, pr) != 0)
		return verb_error(v, 1, "%s: %s", pr->name, verb_strerror(ENOMEM));
	if (c->vnet_interface != NULL)
		status = move_interfaces(v, c->vnet_interface, pr->vnet);
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
conf_read(struct verb_run *v, struct jail_conf *conf, int first)
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
		status = jail_conf_word(v, conf, v->argv[i]);
		if (status != 0)
			return status;
	}
	return 0;
}

/* jail PATH HOSTNAME IP COMMAND…, as it was before there were parameters. */
static int
conf_read_old(struct verb_run *v, struct jail_conf *conf, int first)
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
	struct jail_conf conf = {};
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
		return conf_target(&conf) == NULL ?
		    verb_error(v, 1, "-m needs jid or name") :
		    verb_error(v, 1, "jail \"%s\" not found", conf_target(&conf));
	return jail_create(v, &conf, print_jid, verbose);
}

VERB_DEFINE(jail, .name = "jail",
    .usage = "jail [-iqv] -c | -m | -cm parameter[=value] ... [command=command ...]\n"
	     "jail [-qv] -r jail ... | all\n"
	     "jail [-i] [-n name] [-s level] path hostname ip[,...] command ...",
    .summary = "make, change and remove jails", .run = jail_run);
