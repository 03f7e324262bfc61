/*
 * confirm.h - what a tool wants to be asked before it is run.
 */
#ifndef WARREN_CLI_CONFIRM_H
#define WARREN_CLI_CONFIRM_H

#include <stdbool.h>

/*
 * May these words be run? A person at a terminal is asked what their tool says (struct verb's question);
 * of a script, whose standard input is no terminal, yes.
 */
bool confirmed(int argc, char **argv);

#endif
