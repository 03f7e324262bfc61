/*
 * stdin_file.h - standard input for tools that read a file.
 */
#ifndef WARREN_CLI_STDIN_FILE_H
#define WARREN_CLI_STDIN_FILE_H

/*
 * Tools run in the daemon, which has another standard input. Where argv says `-f -`, `ipfw -` or `dnctl record -`, what comes from
 * ours is put in a file whose name replaces the `-`; a path that stdin_file_remove takes when the
 * tool has ended. NULL: nothing was to be done, or *status says why it can't be (after a message).
 */
char *stdin_file_make(int argc, char **argv, int *status);
void stdin_file_remove(char *path);

#endif
