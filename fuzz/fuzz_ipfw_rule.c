/*
 * Lines of text as rules in a stack of their own. Whatever they say: a refusal is one line that can
 * be printed; a rule that is taken is listed, and the listing is the same rule again. Nothing is left
 * behind, tables neither.
 */
#include "base/rcu.h"
#include "base/sched.h"
#include "ipfw/rule.h"
#include "kern/jail.h"
#include "kern/vnet.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 16 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	return 0;
}

static void
insist(bool holds, const char *what, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

static struct fw_rule *
parse(char *line, char *why, size_t len)
{
	char *words[] = { line };
	struct fw_rule *r = fw_rule_parse(1, words, why, len);

	if (r != NULL)
		return r;
	insist(why[0] != '\0', "refused without a reason", line);
	for (const char *c = why; *c != '\0'; c++)
		insist(!iscntrl((unsigned char)*c), "the reason can't be printed", line);
	return NULL;
}

static void
must_return(struct fw_rule *r, unsigned flags)
{
	int len = fw_rule_text(r, flags, NULL, 0);
	char *text = calloc(1, (size_t)len + 1), why[256];
	struct fw_rule *again;

	insist(text != NULL, "no memory", "");
	fw_rule_text(r, flags, text, (size_t)len + 1);
	again = parse(text, why, sizeof(why));
	insist(again != NULL, "the listing is refused", text);
	insist(fw_rule_equal(r, again), "the listing is another rule", text);
	fw_rule_rele(again);
	free(text);
}

static void
rule(char *line)
{
	char why[100], text[64];
	struct fw_rule *r = parse(line, why, sizeof(why));

	if (r == NULL)
		return;
	must_return(r, FW_PRINT_SET);
	must_return(r, FW_PRINT_COMPACT);
	must_return(r, FW_PRINT_NO_NUMBER);
	fw_action_text(r, r->arg, text, sizeof(text));
	fw_rule_rele(r);
}

static void
rules(struct vnet *vnet, char *text)
{
	VNET_SCOPE(vnet);
	char *line;

	for (int i = 0; i < LINES_MAX && (line = strsep(&text, "\n")) != NULL; i++)
		rule(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = calloc(1, len + 1), leaks[256];
	struct audit_counts before;
	struct prison *pr;

	audit_take(&before);
	pr = prison_create(NULL, "f", true);
	insist(text != NULL && pr != NULL, "no memory", "");
	/* by hand: strict string checks want a NUL of strndup's source */
	memcpy(text, data, len);
	rules(pr->vnet, text);
	insist(prison_remove(pr) == 0, "the jail does not go", "");
	rcu_synchronize();
	insist(audit_compare(&before, leaks, sizeof(leaks)) == 0, "left behind", leaks);
	free(text);
	return 0;
}
