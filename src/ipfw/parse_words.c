/*
 * parse_words.c - the words of a rule.
 *
 * Words come from a shell, a rule file or a program, one a place or all in one. Here they become
 * what the grammar speaks of: a comment is cut off, a comma at the end of a word joins it with the
 * next one, and braces stand alone, whether there was a space at them or not ("{tcp or udp}"); those
 * inside a word stay ("table(1)", "192.0.2.0/24{1,5}"). Parentheses mean the same as braces: both are
 * "(" and ")" here.
 */
#include "ipfw/language.h"

#include "kern/verb.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- messages -------------------------------------------------------------- */

bool
fw_fail(struct fw_parse *p, const char *fmt, ...)
{
	va_list ap;

	if (p->why_len == 0 || p->why[0] != '\0')
		return false;
	va_start(ap, fmt);
	vsnprintf(p->why, p->why_len, fmt, ap);
	va_end(ap);
	/* It quotes words: nothing in them may move somebody's cursor. */
	for (char *c = p->why; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return false;
}

bool
fw_no_memory(struct fw_parse *p)
{
	return fw_fail(p, "no memory");
}

/* --- taking words ---------------------------------------------------------- */

const char *
fw_peek(const struct fw_parse *p)
{
	return p->at < p->n ? p->word[p->at] : NULL;
}

const char *
fw_peek_behind(const struct fw_parse *p)
{
	return p->at + 1 < p->n ? p->word[p->at + 1] : NULL;
}

const char *
fw_next(struct fw_parse *p)
{
	return p->at < p->n ? p->word[p->at++] : NULL;
}

bool
fw_take(struct fw_parse *p, const char *word)
{
	const char *next = fw_peek(p);

	if (next == NULL || strcmp(next, word) != 0)
		return false;
	p->at++;
	return true;
}

const char *
fw_need(struct fw_parse *p, const char *of)
{
	const char *word = fw_next(p);

	if (word == NULL)
		fw_fail(p, "missing argument for %s", of);
	return word;
}

bool
fw_need_number(struct fw_parse *p, const char *of, uint64_t min, uint64_t max, uint64_t *n)
{
	const char *word = fw_need(p, of);

	if (word == NULL)
		return false;
	if (!verb_number(word, 0, UINT64_MAX, n))
		return fw_fail(p, "%s \"%s\" is no number", of, word);
	if (*n < min || *n > max)
		return fw_fail(p, "%s %s out of range", of, word);
	return true;
}

/* --- making words ---------------------------------------------------------- */

static char *
joined(int argc, char *const argv[])
{
	size_t len = 1;
	char *line, *to;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	line = to = calloc(1, len);
	for (int i = 0; line != NULL && i < argc; i++) {
		to = stpcpy(to, argv[i]);
		*to++ = ' ';
	}
	return line;
}

/* How many braces at the word's end close nothing that the word opened. */
static size_t
closing_braces(const char *word, size_t len)
{
	size_t unopened = 0, last = 0, open = 0;

	for (const char *c = word; *c != '\0'; c++)
		if (*c == '{' || *c == '(')
			open++;
		else if ((*c == '}' || *c == ')') && open > 0)
			open--;
		else if (*c == '}' || *c == ')')
			unopened++;
	while (last < len && (word[len - 1 - last] == '}' || word[len - 1 - last] == ')'))
		last++;
	return unopened < last ? unopened : last;
}

static char *
put_word(struct fw_parse *p, char *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	to[len] = '\0';
	p->word[p->n++] = to;
	return to + len + 1;
}

/* One word with its braces apart, at `to`; returns where the next one goes. */
static char *
put_apart(struct fw_parse *p, char *to, const char *word)
{
	size_t len, closing;

	for (; *word == '{' || *word == '('; word++)
		to = put_word(p, to, "(", 1);
	len = strlen(word);
	closing = closing_braces(word, len);
	len -= closing;
	if (len > 0)
		to = put_word(p, to, word, len);
	while (closing-- > 0)
		to = put_word(p, to, ")", 1);
	return to;
}

/*
 * The next word of the line, in place; NULL at its end or at a comment, whose text *comment is then.
 * Behind a comma goes on what follows the space.
 */
static char *
cut_word(char **line, char **comment)
{
	char *word = *line, *end, *more;

	word += strspn(word, " \t\r\n\v\f");
	if (*word == '\0')
		return NULL;
	if (word[0] == '/' && word[1] == '/') {
		*comment = word + 2;
		return NULL;
	}
	end = word + strcspn(word, " \t\r\n\v\f");
	while (end[-1] == ',') {
		more = end + strspn(end, " \t\r\n\v\f");
		if (*more == '\0' || (more[0] == '/' && more[1] == '/'))
			break;
		size_t len = strcspn(more, " \t\r\n\v\f");

		memmove(end, more, len);
		/* what is between now would be read again */
		memset(end + len, ' ', (size_t)(more - end));
		end += len;
	}
	*line = *end == '\0' ? end : end + 1;
	*end = '\0';
	return word;
}

/* Blanks at both ends go, and others are one space each. */
static bool
keep_comment(struct fw_parse *p, char *text)
{
	char *to = text, *begin = text;
	bool blank = true;

	for (; *text != '\0'; text++) {
		bool is_blank = isspace((unsigned char)*text) != 0;

		if (iscntrl((unsigned char)*text) && !is_blank)
			return fw_fail(p, "comment holds what can't be printed");
		if (!is_blank || !blank)
			*to++ = is_blank ? ' ' : *text;
		blank = is_blank;
	}
	if (to > begin && to[-1] == ' ')
		to--;
	*to = '\0';
	if (to - begin > FW_COMMENT_MAX)
		return fw_fail(p, "comment too long (at most %d characters)", FW_COMMENT_MAX);
	p->comment = to > begin ? begin : NULL;
	return true;
}

bool
fw_words(struct fw_parse *p, int argc, char *const argv[])
{
	char *rest, *word, *to, *comment = NULL;
	size_t len;

	p->line = joined(argc, argv);
	if (p->line == NULL)
		return fw_no_memory(p);
	len = strlen(p->line);
	/* a word of k characters may become k words of one */
	p->text = malloc(2 * len + 1);
	p->word = calloc(len + 1, sizeof(*p->word));
	if (p->text == NULL || p->word == NULL)
		return fw_no_memory(p);
	rest = p->line;
	to = p->text;
	while ((word = cut_word(&rest, &comment)) != NULL)
		to = put_apart(p, to, word);
	p->has_comment = comment != NULL;
	return comment == NULL || keep_comment(p, comment);
}
