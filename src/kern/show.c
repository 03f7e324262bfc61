/*
 * show.c - the debugger's verb `show`: the longest registered name among the words decides.
 */
#include "kern/show.h"

#include "kern/drop.h"
#include "kern/eventhandler.h"
#include "kern/jail.h"
#include "kern/kern.h"
#include "kern/vnet.h"

#include <inttypes.h>
#include <string.h>

LINKERSET_DECLARE(show, const struct show_command);

static struct sorted_set commands;

static int
command_compare(const void *a, const void *b)
{
	const struct show_command *x = a, *y = b;

	return strcmp(x->name, y->name);
}

bool
show_handle(const char *word, uintptr_t *handle)
{
	uint64_t n;

	if (!verb_number(word, 0, UINTPTR_MAX, &n))
		return false;
	*handle = (uintptr_t)n;
	return true;
}

/* How many of the words spell the command's name; 0 = they don't. */
static int
words_spell(const char *name, int argc, char **argv)
{
	int n = 0;

	while (n < argc) {
		size_t len = strlen(argv[n]);

		if (strncmp(name, argv[n], len) != 0)
			return 0;
		n++;
		if (name[len] == '\0')
			return n;
		if (name[len] != ' ')
			return 0;
		name += len + 1;
	}
	return 0;
}

static int
list_commands(struct verb_run *v)
{
	struct emitter *e = v->out;

	emit_list(e, "show");
	for (size_t i = 0; i < commands.n; i++) {
		const struct show_command *cmd = commands.object[i];

		emit_object(e, NULL);
		emit_str(e, "name", "show %s", cmd->name);
		emit_text(e, cmd->usage[0] != '\0' ? " " : "");
		emit_str(e, "usage", "%s", cmd->usage);
		emit_text(e, "\n");
		emit_end(e);
	}
	emit_end(e);
	return 0;
}

static int
show_run(struct verb_run *v)
{
	const struct show_command *best = NULL;
	int best_n = 0;

	SORTED_SET_MAKE(&commands, show, command_compare);
	if (v->argc == 1)
		return list_commands(v);
	for (size_t i = 0; i < commands.n; i++) {
		const struct show_command *cmd = commands.object[i];
		int n = words_spell(cmd->name, v->argc - 1, v->argv + 1);

		if (n > best_n) {
			best = cmd;
			best_n = n;
		}
	}
	if (best == NULL)
		return verb_error(v, 1, "no such command: %s (show alone lists all)", v->argv[1]);
	return best->run(v, v->argc - 1 - best_n, v->argv + 1 + best_n);
}
VERB_DEFINE(show, .name = "show", .usage = "show [what [handle]]",
    .summary = "look into the structures of the stacks", .run = show_run,
    .flags = VERB_UNPRIVILEGED | VERB_HAS_JAIL);

static void
show_one_vnet(struct emitter *e, const struct vnet *vnet)
{
	emit_object(e, NULL);
	emit_text(e, "vnet            = %p\n", (const void *)vnet);
	emit_uint(e, "handle", NULL, (uintptr_t)vnet);
	emit_str(e, "name", " vnet_name      = %s\n", vnet_name(vnet));
	emit_uint(e, "id", " vnet_id        = %" PRIu64 "\n", vnet->id);
	emit_uint(e, "ifcnt", " vnet_ifcnt     = %" PRIu64 "\n", vnet->ifcnt);
	emit_uint(e, "sockcnt", " vnet_sockcnt   = %" PRIu64 "\n", vnet->sockcnt);
	emit_text(e, " vnet_data_mem  = %p\n", (const void *)vnet->data);
	/* What is added to the address of a variable's definition to get the stack's own. */
	emit_text(e, " vnet_data_base = 0x%" PRIxPTR "\n",
	    (uintptr_t)vnet->data - (uintptr_t)__start_set_vnet);
	emit_uint(e, "memory", " vnet_memory    = %" PRIu64 "\n\n", vnet_memory_of(vnet));
	emit_end(e);
}

/* Is the stack the prison's, or one of a jail below it? */
static bool
vnet_visible(const struct vnet *vnet, const struct prison *from)
{
	const struct prison *pr;

	for (pr = vnet->prison; pr != NULL; pr = pr->parent)
		if (pr == from)
			return true;
	return vnet == from->vnet || from == &prison0;
}

static int
show_vnets(struct verb_run *v, int argc, char **argv)
{
	struct vnet *vnet;

	(void)argc;
	(void)argv;
	emit_list(v->out, "vnet");
	VNET_FOREACH(vnet)
		if (vnet_visible(vnet, v->prison))
			show_one_vnet(v->out, vnet);
	emit_end(v->out);
	return 0;
}
SHOW_DEFINE(vnets, "vnets", "", show_vnets);
SHOW_DEFINE(all_vnets, "all vnets", "", show_vnets);

static int
show_vnet(struct verb_run *v, int argc, char **argv)
{
	struct vnet *vnet = NULL;
	uintptr_t handle;

	if (argc != 1)
		return verb_error(v, 1, "usage: show vnet HANDLE");
	if (show_handle(argv[0], &handle))
		vnet = vnet_by_handle(handle);
	if (vnet == NULL || !vnet_visible(vnet, v->prison))
		return verb_error(v, 1, "vnet %s: no such handle", argv[0]);
	emit_list(v->out, "vnet");
	show_one_vnet(v->out, vnet);
	emit_end(v->out);
	return 0;
}
SHOW_DEFINE(vnet, "vnet", "HANDLE", show_vnet);

static int
show_sysinit(struct verb_run *v, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	vnet_show_sysinit(v->out, false);
	return 0;
}
SHOW_DEFINE(sysinit, "vnet_sysinit", "", show_sysinit);

static int
show_sysuninit(struct verb_run *v, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	vnet_show_sysinit(v->out, true);
	return 0;
}
SHOW_DEFINE(sysuninit, "vnet_sysuninit", "", show_sysuninit);

static int
show_audit(struct verb_run *v, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	audit_show(v->out);
	return 0;
}
SHOW_DEFINE(counts, "audit", "", show_audit);

static int
show_events(struct verb_run *v, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	event_show(v->out);
	return 0;
}
SHOW_DEFINE(events, "events", "", show_events);

static int
show_drops(struct verb_run *v, int argc, char **argv)
{
	drop_show(v->out, argc > 0 && strcmp(argv[0], "all") == 0);
	return 0;
}
SHOW_DEFINE(drops, "drops", "[all]", show_drops);

static void
show_one_prison(struct emitter *e, const struct prison *pr)
{
	emit_object(e, NULL);
	emit_text(e, "prison %p:\n", (const void *)pr);
	emit_uint(e, "handle", NULL, (uintptr_t)pr);
	emit_int(e, "jid", " jid             = %" PRId64 "\n", pr->jid);
	emit_str(e, "name", " name            = %s\n", pr->name);
	emit_text(e, " parent          = %p\n", (const void *)pr->parent);
	emit_text(e, " vnet            = %p (%s)\n", (const void *)pr->vnet,
	    pr->owns_vnet ? "own" : "inherited");
	emit_bool(e, "vnet", pr->owns_vnet);
	emit_str(e, "path", " path            = %s\n", pr->path);
	emit_str(e, "hostname", " host.hostname   = %s\n", pr->hostname);
	emit_uint(e, "children-cur", " children.cur    = %" PRIu64 "\n", pr->children);
	emit_uint(e, "children-max", " children.max    = %" PRIu64 "\n", pr->children_max);
	emit_text(e, " flags           =%s%s%s\n", pr->persist ? " persist" : "",
	    pr->owns_vnet ? " vnet" : "", pr->dying ? " dying" : "");
	emit_uint(e, "ip4s", " ip4s            = %" PRIu64 "\n", pr->ip4_n);
	emit_end(e);
}

static int
show_prison(struct verb_run *v, int argc, char **argv)
{
	uintptr_t handle = 0;
	struct prison *pr;
	bool found = argc == 0;

	if (argc > 0 && !show_handle(argv[0], &handle))
		return verb_error(v, 1, "prison %s: no such handle", argv[0]);
	emit_list(v->out, "prison");
	/* The host's jail is seen from the host only. */
	if (v->prison == &prison0 && (argc == 0 || handle == (uintptr_t)&prison0)) {
		show_one_prison(v->out, &prison0);
		found = true;
	}
	TAILQ_FOREACH(pr, &prison_head, link)
		if ((argc == 0 || handle == (uintptr_t)pr) && prison_is_below(pr, v->prison)) {
			show_one_prison(v->out, pr);
			found = true;
		}
	emit_end(v->out);
	return found ? 0 : verb_error(v, 1, "prison %s: no such handle", argv[0]);
}
SHOW_DEFINE(prison, "prison", "[HANDLE]", show_prison);
SHOW_DEFINE(all_prisons, "all prisons", "", show_prison);
