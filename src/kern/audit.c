/*
 * audit.c - the leak audit: counts of everything that stacks own, taken before and after a
 * scenario.
 */
#include "base/callout.h"
#include "base/emitter.h"
#include "base/mbuf.h"
#include "base/rcu.h"
#include "kern/kern.h"
#include "kern/vnet.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

LINKERSET_DECLARE(audit, const struct audit);

/* The base floor can't register its own. */
AUDIT_DEFINE(mbufs, "mbuf", m_live);
AUDIT_DEFINE(callouts, "callout", callout_live);

static struct sorted_set audits;

static int
audit_name_compare(const void *a, const void *b)
{
	const struct audit *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const struct sorted_set *
audit_list(void)
{
	SORTED_SET_MAKE(&audits, audit, audit_name_compare);
	assert(audits.n <= AUDIT_MAX);
	return &audits;
}

static void
count_all(struct audit_counts *c)
{
	const struct sorted_set *list = audit_list();

	*c = (struct audit_counts){};
	for (size_t i = 0; i < list->n; i++)
		c->n[i] = ((const struct audit *)list->object[i])->live();
}

/*
 * What waits for readers to leave is as good as gone. Freeing one thing may hand on another (an
 * interface its addresses), so: until a round changes nothing.
 */
void
audit_take(struct audit_counts *c)
{
	struct audit_counts last;

	count_all(c);
	do {
		last = *c;
		rcu_synchronize();
		count_all(c);
	} while (memcmp(&last, c, sizeof(last)) != 0);
}

int
audit_compare(const struct audit_counts *before, char *text, size_t len)
{
	const struct sorted_set *list = audit_list();
	struct audit_counts now;
	size_t at = 0;
	int differ = 0;

	if (text != NULL && len > 0)
		text[0] = '\0';
	audit_take(&now);
	for (size_t i = 0; i < list->n; i++) {
		const struct audit *audit = list->object[i];
		int64_t change = (int64_t)(now.n[i] - before->n[i]);
		int wrote;

		if (change == 0)
			continue;
		differ++;
		if (text == NULL || at >= len)
			continue;
		wrote = snprintf(text + at, len - at, "%s%s %+" PRId64, differ > 1 ? ", " : "",
		    audit->name, change);
		at += wrote > 0 ? (size_t)wrote : 0;
	}
	return differ;
}

void
audit_show(struct emitter *e)
{
	const struct sorted_set *list = audit_list();

	emit_object(e, "audit");
	for (size_t i = 0; i < list->n; i++) {
		const struct audit *audit = list->object[i];

		emit_text(e, "%-20s", audit->name);
		emit_uint(e, audit->name, " %12" PRIu64, audit->live());
		emit_text(e, "\n");
	}
	emit_end(e);
}
