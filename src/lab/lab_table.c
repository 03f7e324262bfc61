/*
 * lab_table.c - a table of text.
 */
#include "lab/lab_table.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 16 };

struct lab_table {
	const char *align;
	unsigned columns;
	size_t rows; /* the head is the first */
	const char **cell;
};

struct lab_table *
lab_table_new(const char *const *head, const char *align)
{
	struct lab_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->align = align;
	while (head[t->columns] != NULL && t->columns < COLUMNS_MAX)
		t->columns++;
	lab_table_row(t, head);
	return t;
}

void
lab_table_row(struct lab_table *t, const char *const *cell)
{
	const char **bigger;

	if (t == NULL)
		return;
	bigger = reallocarray(t->cell, (t->rows + 1) * t->columns, sizeof(char *));
	if (bigger == NULL)
		return;
	t->cell = bigger;
	memcpy(t->cell + t->rows * t->columns, cell, t->columns * sizeof(char *));
	t->rows++;
}

/* Width as people see it: a byte of a UTF-8 sequence behind its first takes no room. */
static int
width_of(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void
lab_table_print(const struct lab_table *t, struct emitter *e)
{
	int width[COLUMNS_MAX] = {};
	size_t aligned = t != NULL ? strlen(t->align) : 0;

	for (size_t r = 0; t != NULL && r < t->rows; r++)
		for (unsigned c = 0; c < t->columns; c++)
			if (width_of(t->cell[r * t->columns + c]) > width[c])
				width[c] = width_of(t->cell[r * t->columns + c]);
	for (size_t r = 0; t != NULL && r < t->rows; r++) {
		for (unsigned c = 0; c < t->columns; c++) {
			const char *text = t->cell[r * t->columns + c];
			bool left = c < aligned && t->align[c] == '<', last = c + 1 == t->columns;
			int pad = width[c] - width_of(text);

			/* No blanks at a line's end. */
			if (last && text[0] == '\0')
				continue;
			emit_text(
			    e, "  %*s%s%*s", left ? 0 : pad, "", text, left && !last ? pad : 0, "");
		}
		emit_text(e, "\n");
	}
}

void
lab_table_free(struct lab_table *t)
{
	if (t == NULL)
		return;
	free(t->cell);
	free(t);
}
