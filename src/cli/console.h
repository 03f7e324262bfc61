/*
 * console.h - what the console and its line editor share.
 */
#ifndef WARREN_CLI_CONSOLE_H
#define WARREN_CLI_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

struct prison;

struct console {
	bool local; /* stacks of our own in virtual time; else the daemon's */
	bool json;
	char *jail; /* malloc'd; NULL = the host */
	const char *socket;
	int status; /* of the last command */
	bool end;
};

/* Own words of the console, NULL-terminated; `run` is known in virtual time only. */
extern const char *const console_words[];
/* Which words may follow (see complete_words), from wherever the stacks are. */
void console_complete(
    struct console *c, int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx);
/* "r1# ", with the time before it in virtual time. */
void console_prompt(const struct console *c, char *text, size_t len);

/* Set by ^C; the reader clears it. */
extern volatile int console_interrupted;

/* console_edit.c: lines from a terminal, edited, or from whatever standard input is. */
struct console_input;
struct console_input *console_input_new(struct console *c);
/* The next line without its newline, valid until the next call; NULL at the end. "" after ^C. */
const char *console_input_line(struct console_input *in);
void console_input_free(struct console_input *in);

#endif
