/*
 * fpm.h - the Forwarding Plane Manager protocol's listening side: a routing daemon (FRR's zebra
 * with its module dplane_fpm_nl) fills a FIB of a stack.
 *
 *	fpm_door.c	the TCP socket, perhaps in a guest's network namespace; bytes
 *	fpm.c		bytes -> messages; what becomes of routes between two connections
 *	fpm_msg.c	one netlink message, read
 *	fpm_table.c	what the daemon holds
 *	fpm_fib.c	one prefix of the FIB is made equal to that
 *	fpm_cmd.c	the verb
 *
 * One for each FIB of a stack. The routes of a connection that ends stay for net.route.fpm_hold
 * seconds; a new connection has that long to say them again.
 */
#ifndef WARREN_PORT_FPM_H
#define WARREN_PORT_FPM_H

#include "port/fpm_table.h"


struct fpm;

struct fpm_counts {
	uint64_t connections, bytes,
	    messages;       /* messages: of FPM, each with one or more of netlink's */
	uint64_t malformed; /* netlink messages that are not what they say */
	uint64_t broken;    /* connections that were ended since they didn't speak the protocol */
};

/* A guest's interface by its index there, into name (IFNAMSIZ_); false if there is none. */
typedef bool fpm_linux_name(void *ctx, uint32_t linux_index, char *name);

/* --- of curvnet's FIBs ------------------------------------------------------------------------ */

/* NULL and errno: EEXIST, ENOMEM. */
struct fpm *fpm_new(uint8_t fib, fpm_linux_name *linux_name, void *ctx);
/* Its routes leave the FIB, its door is closed. */
void fpm_free(struct fpm *f);
struct fpm *fpm_of(uint8_t fib);

/*
 * The guest's interface `linux_name` is our `ifname` (copied); NULL: is again the one of the same
 * name, as without a word. 0, -ENOMEM, -EINVAL (too long), -ENOENT (nothing to take back).
 */
int fpm_map(struct fpm *f, const char *linux_name, const char *ifname);
/* fn for each such pair, as they were made. */
void fpm_map_foreach(const struct fpm *f,
    void (*fn)(void *ctx, const char *linux_name, const char *ifname), void *ctx);

/* --- a connection ----------------------------------------------------------------------------- */

void fpm_begin(struct fpm *f);
/*
 * Bytes as they come, cut anywhere. 0; -EPROTO and why (a sentence, static): the connection can't
 * go on.
 */
int fpm_input(struct fpm *f, const uint8_t *bytes, size_t len, const char **why);
void fpm_end(struct fpm *f);

bool fpm_is_connected(const struct fpm *f);
uint8_t fpm_fib(const struct fpm *f);
struct fpm_table *fpm_table(const struct fpm *f);
const struct fpm_counts *fpm_counts(const struct fpm *f);

/* --- the socket (fpm_door.c) ------------------------------------------------------------------ */

struct fpm_door;

/*
 * Listen at an address (IPv4 or IPv6; text "ADDR:PORT", "[ADDR]:PORT" or "PORT", which is
 * 127.0.0.1's) for the FIB's daemon; netns as in port/netns.h, NULL = the process's own. Live time
 * only. 0, or -errno with `why` filled.
 */
int fpm_listen(uint8_t fib, const char *address, const char *netns, char *why, size_t why_len);
/* For fpm_free; NULL is allowed. */
void fpm_door_close(struct fpm_door *door);
struct fpm_door *fpm_door(const struct fpm *f);
void fpm_set_door(struct fpm *f, struct fpm_door *door);
/* "127.0.0.1:2620"; the other end's, "" = nobody is connected; the namespace's word, "" = own. */
const char *fpm_door_address(const struct fpm_door *door);
const char *fpm_door_peer(const struct fpm_door *door);
const char *fpm_door_netns(const struct fpm_door *door);

#endif
