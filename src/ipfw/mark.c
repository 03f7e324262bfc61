/*
 * mark.c - the numbers that rules put on a packet. They lie in pages, each a tag of the packet.
 */
#include "ipfw/mark.h"

#include "base/mbuf.h"

enum { MARK_PAGE = 0x46574d00, PAGES = 256, PAGE_MARKS = 31 }; /* "FWM" and the page's number */

struct marks {
	uint16_t n, number[PAGE_MARKS];
};

static struct marks *
marks_page(const struct mbuf *m, uint32_t page)
{
	return m_tag_find(m, MARK_PAGE + page);
}

/* Numbers of another stack that the packet has come from. */
static void
marks_forget(struct mbuf *m)
{
	for (uint32_t page = 0; marks_page(m, page) != NULL; page++)
		m_tag_delete(m, MARK_PAGE + page);
}

/* Where number stands; NULL = nowhere. */
static uint16_t *
mark_place(const struct mbuf *m, uint16_t number, struct marks **in)
{
	if (!(m->flags & M_FWTAGS))
		return NULL;
	for (uint32_t page = 0; (*in = marks_page(m, page)) != NULL; page++)
		for (unsigned i = 0; i < (*in)->n; i++)
			if ((*in)->number[i] == number)
				return &(*in)->number[i];
	return NULL;
}

bool
fw_mark_add(struct mbuf *m, uint16_t number)
{
	struct marks *at;
	uint32_t page = 0;

	if (!(m->flags & M_FWTAGS))
		marks_forget(m);
	else if (mark_place(m, number, &at) != NULL)
		return true;
	while ((at = marks_page(m, page)) != NULL && at->n == PAGE_MARKS)
		page++;
	if (at == NULL &&
	    (page == PAGES || (at = m_tag_add(m, MARK_PAGE + page, sizeof(*at))) == NULL))
		return false;
	at->number[at->n++] = number;
	m->flags |= M_FWTAGS;
	return true;
}

void
fw_mark_delete(struct mbuf *m, uint16_t number)
{
	struct marks *in;
	uint16_t *place = mark_place(m, number, &in);

	if (place != NULL)
		*place = in->number[--in->n];
}

static bool
marks_in_range(const struct marks *marks, const struct fw_range *range, unsigned n)
{
	for (unsigned i = 0; i < marks->n; i++)
		for (unsigned k = 0; k < n; k++)
			if (marks->number[i] >= range[k].lo && marks->number[i] <= range[k].hi)
				return true;
	return false;
}

bool
fw_mark_find(const struct mbuf *m, const struct fw_range *range, unsigned n)
{
	const struct marks *marks;

	if (!(m->flags & M_FWTAGS))
		return false;
	for (uint32_t page = 0; (marks = marks_page(m, page)) != NULL; page++)
		if (marks_in_range(marks, range, n))
			return true;
	return false;
}
