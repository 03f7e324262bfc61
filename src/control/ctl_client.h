/*
 * ctl_client.h - the other end: run words in a daemon, copy its output here, return its status.
 */
#ifndef WARREN_CONTROL_CTL_CLIENT_H
#define WARREN_CONTROL_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The daemon's socket: WARREN_SOCKET, else $XDG_RUNTIME_DIR/warren/ctl, else /run/warren/ctl
 * (root), else /tmp/warren-UID/ctl.
 */
const char *ctl_default_path(void);
/*
 * The folder of these without WARREN_SOCKET: ours alone (ctl_server_start makes it, or refuses
 * another's).
 */
const char *ctl_default_folder(void);
/*
 * Status of the verb; 3 with a line on standard error when no daemon answers. ^C sends CANCEL, once
 * more ends at once.
 */
int ctl_client_run(const char *path, const char *jail, int fib, bool json, int argc, char **argv);

/*
 * The same for programs: output goes to the functions (NULL = nowhere), and a daemon that does not
 * answer is a silent 3.
 */
struct ctl_sink {
	void (*out)(void *ctx, const char *bytes, size_t len);
	void (*err)(void *ctx, const char *bytes, size_t len);
	void *ctx;
};
int ctl_client_capture(const char *path, const char *jail, bool json, int argc, char **argv,
    const struct ctl_sink *sink);
/* Does a daemon answer at path? */
bool ctl_client_probe(const char *path);

#endif
