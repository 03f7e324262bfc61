/*
 * ctl_server.h - the control socket of a live process: other programs run verbs through it.
 *
 * A Unix stream socket of mode 0600; a peer of another user (SO_PEERCRED, root excepted) is
 * refused. Protocol (docs/control-protocol.md): frames of {be32 length, be32 type}, versioned
 * hello, RUN {jail, fib, json, tty, argv}, OUT, ERR, DONE {status}, CANCEL. A reply that is cut
 * says the needed size.
 */
#ifndef WARREN_CONTROL_CTL_SERVER_H
#define WARREN_CONTROL_CTL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/* Serve path (an existing dead socket is replaced; a live one: -EADDRINUSE). 0 or -errno. */
int ctl_server_start(const char *path);
void ctl_server_stop(void);

/* For the fuzz target and tests: feed a connection's bytes without a socket. */
struct ctl_conn;
struct ctl_conn *ctl_conn_new(void (*out)(void *ctx, const void *bytes, unsigned len), void *ctx);
/* 0, or -EPROTO (close it). */
int ctl_conn_input(struct ctl_conn *c, const void *bytes, unsigned len);
/* A command that still runs is cancelled; out is not called any more. */
void ctl_conn_free(struct ctl_conn *c);

/*
 * How many bytes of output out() has room for now; without it, any number. What does not fit is
 * left out, and the reader learns from DONE how much there was.
 */
void ctl_conn_set_room(struct ctl_conn *c, size_t (*room)(void *ctx));
/* Has it a command that has not ended? */
bool ctl_conn_busy(const struct ctl_conn *c);

#endif
