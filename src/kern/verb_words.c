/*
 * verb_words.c - what commands are made of: words of a line, options, numbers with bounds and
 * units, and the words for errors.
 */
#include "kern/verb.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One word as it grows. */
struct word {
	char *text;
	size_t len;
	bool any; /* '' is a word too */
};

/* Quoted text up to the closing quote at *p, which is passed over. False at the end of the line. */
static bool
split_quoted(const char **p, struct word *w)
{
	char quote = *(*p)++;

	w->any = true;
	for (; **p != quote; (*p)++) {
		if (**p == '\0')
			return false;
		if (quote == '"' && **p == '\\' && (*p)[1] != '\0' &&
		    strchr("\\\"$`", (*p)[1]) != NULL)
			(*p)++;
		w->text[w->len++] = **p;
	}
	(*p)++;
	return true;
}

/*
 * The next word of the line into *w, whose text has room for the whole line. False on an open
 * quote.
 */
static bool
split_word(const char **p, struct word *w)
{
	w->len = 0;
	w->any = false;
	while (**p != '\0' && strchr(" \t\r\n", **p) != NULL)
		(*p)++;
	if (**p == '#')
		*p += strcspn(*p, "\n");
	if (**p == '\n')
		return split_word(p, w);
	while (**p != '\0' && strchr(" \t\r\n", **p) == NULL) {
		if (**p == '\'' || **p == '"') {
			if (!split_quoted(p, w))
				return false;
			continue;
		}
		if (**p == '\\' && (*p)[1] != '\0')
			(*p)++;
		w->any = true;
		w->text[w->len++] = *(*p)++;
	}
	return true;
}

int
verb_split(const char *line, int *argc, char ***argv, const char **why)
{
	struct word w = { .text = malloc(strlen(line) + 1) };
	/* No line has more words than every second byte, and one NULL. */
	char **words = calloc(strlen(line) / 2 + 2, sizeof(*words));
	const char *reason = NULL;
	int n = 0;

	*argc = 0;
	*argv = NULL;
	if (w.text == NULL || words == NULL)
		reason = "out of memory";
	while (reason == NULL && *line != '\0') {
		if (!split_word(&line, &w)) {
			reason = "a quote is not closed";
		} else if (w.any) {
			w.text[w.len] = '\0';
			if ((words[n++] = strdup(w.text)) == NULL)
				reason = "out of memory";
		}
	}
	free(w.text);
	if (reason != NULL) {
		verb_split_free(n, words);
		if (why != NULL)
			*why = reason;
		return -EINVAL;
	}
	*argc = n;
	*argv = words;
	return 0;
}

void
verb_split_free(int argc, char **argv)
{
	for (int i = 0; argv != NULL && i < argc; i++)
		free(argv[i]);
	free(argv);
}

int
verb_file(struct verb_run *v, const char *path,
    int (*fn)(void *ctx, const char *where, int argc, char **argv), void *ctx)
{
	char *line = NULL, **words, where[300];
	size_t room = 0;
	int status = 0, argc, number = 0;
	const char *why;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return verb_error(v, 1, "cannot open %s: %s", path, strerror(errno));
	while (getline(&line, &room, f) > 0) {
		snprintf(where, sizeof(where), "%.250s:%d: ", path, ++number);
		line[strcspn(line, "\n")] = '\0';
		if (verb_split(line, &argc, &words, &why) != 0) {
			status = verb_error(v, 1, "%s%s", where, why);
			continue;
		}
		if (argc > 0 && fn(ctx, where, argc, words) != 0)
			status = 1;
		verb_split_free(argc, words);
	}
	free(line);
	fclose(f);
	return status;
}

void
verb_opts_init(struct verb_opts *o, struct verb_run *v, int argc, char **argv, const char *spec)
{
	*o = (struct verb_opts){ .v = v, .argc = argc, .argv = argv, .spec = spec, .ind = 1 };
}

/* Step to the next word that holds options. False if there is none. */
static bool
opts_next_word(struct verb_opts *o)
{
	const char *word;

	if (o->ind >= o->argc)
		return false;
	word = o->argv[o->ind];
	if (word[0] != '-' || word[1] == '\0')
		return false;
	o->ind++;
	if (strcmp(word, "--") == 0)
		return false;
	o->next = word + 1;
	return true;
}

int
verb_opts_next(struct verb_opts *o)
{
	const char *known;

	o->arg = NULL;
	if ((o->next == NULL || *o->next == '\0') && !opts_next_word(o)) {
		o->next = NULL;
		return -1;
	}
	o->opt = (unsigned char)*o->next++;
	known = o->opt == ':' ? NULL : strchr(o->spec, o->opt);
	if (known == NULL) {
		if (o->v != NULL)
			verb_error(o->v, 0, "illegal option -- %c", o->opt);
		return '?';
	}
	if (known[1] != ':')
		return o->opt;
	if (*o->next != '\0') {
		o->arg = o->argv[o->ind - 1] + (o->next - o->argv[o->ind - 1]);
	} else if (o->ind < o->argc) {
		o->arg = o->argv[o->ind++];
	} else {
		if (o->v != NULL)
			verb_error(o->v, 0, "option requires an argument -- %c", o->opt);
		return '?';
	}
	o->next = NULL;
	return o->opt;
}

bool
verb_number(const char *word, uint64_t min, uint64_t max, uint64_t *value)
{
	unsigned base = 10;
	uint64_t n = 0;

	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		base = 16;
		word += 2;
	}
	if (*word == '\0')
		return false;
	for (; *word != '\0'; word++) {
		unsigned char c = (unsigned char)*word;
		unsigned digit = (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);

		if (!isxdigit(c) || digit >= base)
			return false;
		if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (n < min || n > max)
		return false;
	*value = n;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/*
 * DIGITS[.DIGITS]UNIT in whole units of factor 1; false if it is not, too big, or no whole number.
 */
static bool
number_with_unit(const char *word, const struct unit *units, uint64_t *value)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const struct unit *u;
	unsigned __int128 sum, fraction;

	if (!isdigit((unsigned char)*word))
		return false;
	for (; isdigit((unsigned char)*word); word++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (unsigned)(*word - '0'), &whole))
			return false;
	if (*word == '.') {
		if (!isdigit((unsigned char)*++word))
			return false;
		/* 18 digits are more than any unit can make use of, and still fit. */
		for (; isdigit((unsigned char)*word); word++) {
			if (scale == UINT64_C(1000000000000000000))
				return false;
			scale *= 10;
			part = part * 10 + (unsigned)(*word - '0');
		}
	}
	for (u = units; u->name != NULL && strcmp(u->name, word) != 0; u++)
		continue;
	if (u->name == NULL)
		return false;
	fraction = (unsigned __int128)part * u->factor;
	if (fraction % scale != 0)
		return false;
	sum = (unsigned __int128)whole * u->factor + fraction / scale;
	if (sum > UINT64_MAX)
		return false;
	*value = (uint64_t)sum;
	return true;
}

bool
verb_duration(const char *word, uint64_t *ns)
{
	static const struct unit units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", UINT64_C(1000000000) },
		{ "sec", UINT64_C(1000000000) },
		{ "min", UINT64_C(60000000000) },
		{ "h", UINT64_C(3600000000000) },
		{ "d", UINT64_C(86400000000000) },
		{ NULL, 0 },
	};

	return number_with_unit(word, units, ns);
}

bool
verb_rate(const char *word, uint64_t *bps)
{
	static const struct unit units[] = {
		{ "bit/s", 1 },
		{ "kbit/s", 1000 },
		{ "Kbit/s", 1000 },
		{ "Mbit/s", 1000000 },
		{ "Gbit/s", UINT64_C(1000000000) },
		{ "Tbit/s", UINT64_C(1000000000000) },
		{ "Byte/s", 8 },
		{ "kByte/s", 8000 },
		{ "KByte/s", 8000 },
		{ "MByte/s", 8000000 },
		{ "GByte/s", UINT64_C(8000000000) },
		{ NULL, 0 },
	};

	return number_with_unit(word, units, bps);
}

bool
verb_size(const char *word, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "kB", 1000 },
		{ "KB", 1000 },
		{ "MB", 1000000 },
		{ "GB", UINT64_C(1000000000) },
		{ "KiB", UINT64_C(1) << 10 },
		{ "MiB", UINT64_C(1) << 20 },
		{ "GiB", UINT64_C(1) << 30 },
		{ NULL, 0 },
	};

	return number_with_unit(word, units, bytes);
}

const char *
verb_strerror(int error)
{
	/* Where the BSDs' words differ from the C library's here. */
	static const struct {
		int error;
		const char *text;
	} words[] = {
		{ EADDRNOTAVAIL, "Can't assign requested address" },
		{ EAFNOSUPPORT, "Address family not supported by protocol family" },
		{ EBUSY, "Device busy" },
		{ ENXIO, "Device not configured" },
		{ EOPNOTSUPP, "Operation not supported" },
		{ ERANGE, "Result too large" },
		{ ETIMEDOUT, "Operation timed out" },
	};

	if (error < 0)
		error = -error;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].error == error)
			return words[i].text;
	return strerror(error);
}
