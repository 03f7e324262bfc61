/*
 * ctl_client.h - the other end: run words in a daemon, copy its output here, return its status.
 */
#ifndef WARREN_CONTROL_CTL_CLIENT_H
#define WARREN_CONTROL_CTL_CLIENT_H

#include <stdbool.h>

/* The daemon's socket: WARREN_SOCKET, else $XDG_RUNTIME_DIR/warren/ctl, else /run/warren/ctl (root), else /tmp/warren-UID/ctl. */
const char *ctl_default_path(void);
/* Status of the verb; 3 with a line on standard error when no daemon answers. ^C sends CANCEL, once more ends at once. */
int ctl_client_run(const char *path, const char *jail, int fib, bool json, int argc, char **argv);

#endif
