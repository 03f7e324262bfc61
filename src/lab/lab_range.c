/*
 * lab_range.c - one entry for many: `r[1-100]`.
 *
 * As a node's name it makes a hundred nodes, as a link's two endpoints as many links
 * ("r[1-99]:right", "r[2-100]:left" is a chain). In the words of such a node {i} stands for its
 * number, {i+1} and {i-1} for its neighbours'. A number written with leading zeros keeps its width:
 * r[001-100].
 */
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
part(struct lab *lab, const char *from, size_t len)
{
	char *p = lab_alloc(lab, len + 1);

	memcpy(p, from, len);
	return p;
}

bool
lab_range_parse(struct ly *y, int id, const char *text, struct lab_range *r)
{
	const char *open = strchr(text, '['), *dash, *close;
	uint64_t first, last;

	*r = (struct lab_range){ .before = text, .after = "" };
	if (open == NULL && strchr(text, ']') == NULL)
		return true;
	dash = open != NULL ? strchr(open, '-') : NULL;
	close = dash != NULL ? strchr(dash, ']') : NULL;
	if (close == NULL || strchr(close, '[') != NULL || strchr(close + 1, ']') != NULL ||
	    !verb_number(
		part(y->lab, open + 1, (size_t)(dash - open) - 1), 0, LAB_MAX_NODES * 10, &first) ||
	    !verb_number(
		part(y->lab, dash + 1, (size_t)(close - dash) - 1), 0, LAB_MAX_NODES * 10, &last)) {
		ly_fault(y, id, "'%s': a range is written as r[1-100]", text);
		return false;
	}
	if (first > last || last - first >= LAB_MAX_NODES) {
		ly_fault(
		    y, id, "'%s': the range is %s", text, first > last ? "backwards" : "too long");
		return false;
	}
	r->before = part(y->lab, text, (size_t)(open - text));
	r->after = lab_strdup(y->lab, close + 1);
	r->many = true;
	r->first = (uint32_t)first;
	r->last = (uint32_t)last;
	r->digits = open[1] == '0' ? (uint32_t)(dash - open) - 1 : 1;
	return true;
}

const char *
lab_range_name(struct lab *lab, const struct lab_range *r, uint32_t i)
{
	if (!r->many)
		return r->before;
	return lab_printf(
	    lab, "%s%0*" PRIu32 "%s", r->before, (int)r->digits, r->first + i, r->after);
}

/* Length of "{i}", "{i+12}" or "{i-1}" at p with its number for index i; 0 if there is none. */
static size_t
placeholder(const char *p, uint32_t i, int64_t *value)
{
	char *end;
	unsigned long n;

	if (p[0] != '{' || p[1] != 'i')
		return 0;
	if (p[2] == '}') {
		*value = i;
		return 3;
	}
	if ((p[2] != '+' && p[2] != '-') || p[3] < '0' || p[3] > '9')
		return 0;
	n = strtoul(p + 3, &end, 10);
	if (*end != '}' || n > INT32_MAX)
		return 0;
	*value = p[2] == '+' ? (int64_t)i + (int64_t)n : (int64_t)i - (int64_t)n;
	return (size_t)(end + 1 - p);
}

const char *
lab_range_fill(struct lab *lab, const char *text, uint32_t i)
{
	size_t len = 0, room = strlen(text) + 1, n;
	int64_t value;
	char *out, *o;

	for (const char *p = text; *p != '\0'; p++)
		len += placeholder(p, i, &value) > 0;
	if (len == 0)
		return text;
	o = out = lab_alloc(lab, room + len * 20);
	for (const char *p = text; *p != '\0';) {
		n = placeholder(p, i, &value);
		if (n > 0) {
			o += snprintf(o, 20, "%" PRId64, value);
			p += n;
		} else {
			*o++ = *p++;
		}
	}
	*o = '\0';
	return out;
}
