/*
 * complete.h - the words that may follow: for the console's and the shell's Tab.
 */
#ifndef WARREN_CONTROL_COMPLETE_H
#define WARREN_CONTROL_COMPLETE_H

/*
 * Say through add() which words may stand at argv[argc - 1], which is what has been typed of the
 * word so far ("" = nothing yet). Only those that begin so, each once, sorted. The tool's own
 * function looks at the current stack.
 */
void complete_words(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx);

#endif
