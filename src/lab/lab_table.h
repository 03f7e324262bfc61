/*
 * lab_table.h - a table of text whose columns are as wide as their widest cell.
 */
#ifndef WARREN_LAB_LAB_TABLE_H
#define WARREN_LAB_LAB_TABLE_H

#include "base/emitter.h"

struct lab_table;

/*
 * head: the columns' titles, NULL-terminated, borrowed; align: a character each, '<' = left, else
 * right. NULL without memory.
 */
struct lab_table *lab_table_new(const char *const *head, const char *align);
/* One cell for each column, borrowed until the table is freed. */
void lab_table_row(struct lab_table *t, const char *const *cell);
void lab_table_print(const struct lab_table *t, struct emitter *e);
void lab_table_free(struct lab_table *t);

#endif
