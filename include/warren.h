/*
 * warren.h - many BSD-style network stacks inside your program.
 *
 *	struct warren *w = warren_open(&(struct warren_options){ .clock = WARREN_VIRTUAL, .seed = 1 });
 *	warren_exec(w, NULL, "jail -c name=r1 vnet persist", NULL, NULL);
 *	warren_exec(w, "r1", "ifconfig lo0 inet 127.0.0.1/8 up", NULL, NULL);
 *	char *text;
 *	int status = warren_exec(w, "r1", "ping -c 1 127.0.0.1", &text, NULL);
 *	free(text);
 *	warren_close(w);
 *
 * Everything is done with the words of the command line: a verb is the same from here, from a lab
 * file and from the shell. One instance per process; all calls from one thread.
 */
#ifndef WARREN_H
#define WARREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct warren;

enum warren_clock { WARREN_LIVE, WARREN_VIRTUAL };

struct warren_options {
	enum warren_clock clock;
	uint64_t seed;               /* 0 = 1 */
	const char *const *tunables; /* "net.fibs=4", …, NULL-terminated; NULL = none */
	const char *control_socket;  /* live: serve this path; NULL = none */
	const char **error;          /* where warren_open says why it failed; may be NULL */
};

/* NULL on failure (errno set, *error). */
struct warren *warren_open(const struct warren_options *o);
void warren_close(struct warren *w);

/*
 * Run one command line in the jail (NULL = the host stack). Waits until it ends: in virtual time by
 * running the stacks, in live time by turning the loop. Returns its exit status, -errno when it
 * could not be run; *out and *err (each may be NULL) get malloc'd text.
 */
int warren_exec(struct warren *w, const char *jail, const char *line, char **out, char **err);
/* The same with --json. */
int warren_exec_json(struct warren *w, const char *jail, const char *line, char **out, char **err);

/* Virtual: run for `ns` of simulated time. Live: turn the loop for so long. */
int warren_run_for(struct warren *w, uint64_t ns);
uint64_t warren_now(const struct warren *w);

/*
 * Live, with your own loop: one descriptor to poll for reading, and what to call then (never
 * waits).
 */
int warren_fd(struct warren *w);
void warren_process(struct warren *w);

/*
 * Run a lab file as `warren run` does; the report (JSON text, malloc'd) if report is not NULL. 0
 * expectations hold, 1 not, 2 file wrong (text in *err), 3, 4.
 */
int warren_lab(struct warren *w, const char *file, const char *out_dir, uint64_t for_ns,
    char **report, char **err);

/*
 * A port of your own: an Ethernet interface `name` in a jail whose frames you give and take.
 * on_frame is called for each frame that leaves (borrowed bytes).
 */
struct warren_port;
struct warren_port *warren_port_open(struct warren *w, const char *jail, const char *name,
    void (*on_frame)(void *ctx, const void *frame, size_t len), void *ctx);
int warren_port_send(struct warren_port *p, const void *frame,
    size_t len); /* into the stack; 0, -ENETDOWN, -EMSGSIZE, -ENOBUFS */
void warren_port_close(struct warren_port *p);

/*
 * Packets of the firewall for you: those of a divert port, of a hook of the node ipfw, or questions
 * about packets that are held (number 0). on_datagram gets what a program outside would read
 * (warren-divert.h; borrowed bytes), in virtual time too. What you write back goes on behind its
 * rule; from inside of on_datagram, when that has returned. Don't close it from there. NULL with
 * errno: ENOENT no such jail, EADDRINUSE, EINVAL, ENOMEM.
 */
enum warren_divert_for { WARREN_FOR_DIVERT, WARREN_FOR_HOOK, WARREN_FOR_AUTH };
struct warren_divert;
struct warren_divert *warren_divert_open(struct warren *w, const char *jail,
    enum warren_divert_for what, unsigned number,
    void (*on_datagram)(void *ctx, const void *bytes, size_t len), void *ctx);
/* 0; -EINVAL no datagram by its length, -ENETDOWN its stack has ended, -ENOMEM. */
int warren_divert_write(struct warren_divert *d, const void *bytes, size_t len);
void warren_divert_close(struct warren_divert *d);

/*
 * The shaper for programs of FreeBSD 7 and 8: a value of the socket options by which their ipfw
 * configured it, and the answer to a get in the same layout (docs/dummynet-compat.md). *layout is
 * 0 at first and keeps who speaks between calls. 0; -errno, also what the record asked for could
 * not be done; -ENOENT no such jail, with nothing in *answer. *answer is malloc'd, NULL if empty.
 */
int warren_dummynet_record(struct warren *w, const char *jail, int option, bool get,
    const void *bytes, size_t len, size_t room, unsigned *layout, void **answer,
    size_t *answer_len);

const char *warren_version(void);

#ifdef __cplusplus
}
#endif
#endif
