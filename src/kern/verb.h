/*
 * verb.h - one command, one place.
 *
 * A room registers its tools beside its data path: VERB_DEFINE(route, …). The command line, a lab
 * file, the control socket, the console, the C API and the tests all execute the same verb with the
 * same words through verb_exec(). A verb runs in the upper half, with curvnet and curprison set to
 * the stack and jail that it is for. It either ends at once, returning its exit status, or stays:
 * it returns VERB_PENDING and later calls verb_finish (ping, tcpdump, commands that wait).
 *
 * argv[0] is the tool's name. Global options (--json, --libxo json, -j JAIL where the tool has it)
 * are taken by verb_exec before the verb sees argv. --json and --libxo json count as the first
 * words behind the tool's name or as the last words; -j JAIL (or -jJAIL) as the first ones, for
 * tools with VERB_HAS_JAIL.
 *
 * Options are parsed with struct verb_opts below, never with getopt(3), whose state is the
 * process's.
 */
#ifndef WARREN_KERN_VERB_H
#define WARREN_KERN_VERB_H

#include "base/emitter.h"
#include "base/linkerset.h"

#include <stdbool.h>
#include <stdint.h>

struct vnet;
struct prison;
struct verb;

enum { VERB_PENDING = -1 };

/* Exit statuses of sysexits(3) that the BSD tools use. */
enum { EXIT_USAGE_ = 64, EXIT_NOHOST_ = 68, EXIT_OSERR_ = 71, EXIT_NOPERM_ = 77 };

struct verb_run {
	const struct verb *verb;
	struct emitter *out; /* standard output of the command */
	int argc;
	char **argv; /* owned by the run */
	struct vnet
	    *vnet; /* the stack; NULLed if it is destroyed meanwhile (the run is cancelled first) */
	struct prison *prison;
	uint8_t fib; /* setfib N */
	bool is_tty; /* the reader is a terminal */
	void *state; /* a pending verb's own */
	void (*cancel)(struct verb_run
		*v); /* pending: the reader went away or pressed ^C: end soon with verb_finish */
	/* the runner's side */
	void (*err)(void *ctx, const char *bytes, size_t len);
	void (*done)(void *ctx, int status);
	void *ctx;
};

struct verb {
	const char *name;    /* the tool: "ifconfig" */
	const char *usage;   /* one or more lines, without "usage: " */
	const char *summary; /* for `help` */
	int (*run)(struct verb_run *v);
	/*
	 * Completion in the console: put words that may follow argv[0..argc-1] through add();
	 * optional.
	 */
	void (*complete)(
	    int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx);
	/*
	 * What a person at a terminal has to say yes to before these words are run: "Are you sure?";
	 * NULL = nothing. Asked by whoever has the terminal; optional.
	 */
	const char *(*question)(int argc, char **argv);
	unsigned flags;
	/*
	 * All option letters of a tool that reads a saved state, M: and j: among them; see
	 * kern/state.h.
	 */
	const char *state_options;
};
enum verb_flags {
	VERB_OWN_EXIT = 1 << 0,     /* takes --json itself */
	VERB_UNPRIVILEGED = 1 << 1, /* never changes anything */
	VERB_HAS_JAIL =
	    1 << 2, /* takes a leading -j JAIL (ifconfig, netstat, route, arp, ndp, sysctl, …) */
};

#define VERB_DEFINE(ident, ...)                                                                    \
	static const struct verb verb_of_##ident = { __VA_ARGS__ };                                \
	LINKERSET_ADD(verb, verb_of_##ident)

const struct verb *verb_find(const char *name);
/* All verbs sorted by name: calls fn for each. */
void verb_foreach(void (*fn)(const struct verb *verb, void *ctx), void *ctx);

/*
 * The FIB (setfib N) of the verb that is being run on this thread, for what has no run at hand:
 * net.my_fibnum.
 */
extern __thread uint8_t verb_fib;

struct verb_io {
	emit_sink *out; /* standard output */
	emit_sink *err; /* standard error */
	void (*done)(
	    void *ctx, int status); /* called exactly once, perhaps before verb_exec returns */
	void *ctx;
	bool json;
	bool is_tty;
};

/*
 * Run words argv[0..argc-1] (borrowed, copied) in stack `prison` (NULL = the host). Returns the run
 * if it is pending (valid until done was called), else NULL. Unknown tools: "warren: no tool 'x'",
 * status 2… Handles `jexec J words`, `setfib N words` and `-j J` by itself calling verb_exec in the
 * other place.
 */
struct verb_run *verb_exec(
    int argc, char *const argv[], struct prison *prison, uint8_t fib, const struct verb_io *io);

/* The reader went away: cancels a pending run; done will be called (perhaps now). */
void verb_cancel(struct verb_run *v);

/*
 * A stack or a jail ends: cancels its pending runs; of one that takes its time, vnet and prison
 * become NULL. For kern/vnet.c and kern/jail.c.
 */
void verb_cancel_vnet(struct vnet *vnet);
void verb_cancel_prison(struct prison *prison);

/* End a pending run: flushes, closes the JSON, calls done, frees v. */
void verb_finish(struct verb_run *v, int status);

/*
 * "tool: text\n" on standard error. verb_error returns `status` (so: return verb_error(v, 1, "…")).
 */
int verb_error(struct verb_run *v, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * What the BSDs call an errno (EBUSY is "Device busy", ENXIO "Device not configured"); its sign
 * doesn't matter.
 */
const char *verb_strerror(int error);
/*
 * "usage: …" on standard error; returns EX_USAGE (64). why may be NULL, else printed first as
 * "tool: why".
 */
int verb_usage(struct verb_run *v, const char *why);

/*
 * Options as getopt(3) of the BSDs reads them, with its state in a struct: letters in clusters,
 * `x:` takes an argument (rest of the word, or the next word), the first word that is no option
 * ends them, and so does `--`; a lone `-` is an operand. A leading '+' or ':' in spec means nothing
 * special.
 *
 *	struct verb_opts o;
 *	int c;
 *
 *	verb_opts_init(&o, v, v->argc, v->argv, "ni:");
 *	while ((c = verb_opts_next(&o)) != -1)
 *		switch (c) {
 *		case 'n': numeric = true; break;
 *		case 'i': ifname = o.arg; break;
 *		default: return verb_usage(v, NULL);
 *		}
 *	argc -= o.ind; argv += o.ind;		operands: v->argv[o.ind] .. v->argv[v->argc - 1]
 */
struct verb_opts {
	struct verb_run *v; /* who gets the messages; NULL = nobody */
	int argc;
	char **argv;
	const char *spec;
	const char *next; /* rest of a cluster */
	char *arg;        /* argument of the option just returned, else NULL */
	int ind;          /* next word; at the end: the first operand */
	int opt;          /* the letter just met, also a bad one */
};
/* argv[0] is passed over. Borrows argv and spec. */
void verb_opts_init(
    struct verb_opts *o, struct verb_run *v, int argc, char **argv, const char *spec);
/*
 * The next option's letter; -1 behind the last; '?' for an unknown letter or a missing argument,
 * after "tool: illegal option -- x" or "tool: option requires an argument -- x" on standard error.
 */
int verb_opts_next(struct verb_opts *o);

/*
 * Split a line into words as a shell does (quotes '…' "…", backslash, # comment); -EINVAL with *why
 * set on an open quote. Free with verb_split_free.
 */
int verb_split(const char *line, int *argc, char ***argv, const char **why);
void verb_split_free(int argc, char **argv);
/*
 * A file of commands: fn for each line that has words, with "FILE:3: " for messages. All lines are
 * read, whatever becomes of them: 0 if fn always returned 0, else 1 (after a message).
 */
int verb_file(struct verb_run *v, const char *path,
    int (*fn)(void *ctx, const char *where, int argc, char **argv), void *ctx);

/*
 * Convenience for tests, labs, the API: run a line to its end if it ends at once; status, and the
 * text (malloc'd, free()) of both streams. A pending verb is cancelled.
 */
int verb_line(struct prison *prison, const char *line, bool json, char **out, char **err);

/*
 * Numbers with their bounds: whole word, decimal (or 0x), in [min, max]; false otherwise.
 * Used by every verb, so that no command ever reads "10x" as 10.
 */
bool verb_number(const char *word, uint64_t min, uint64_t max, uint64_t *value);
/*
 * A value that is no whole number of ns, bit/s or bytes is refused. KB, MB, GB are powers of 1000,
 * KiB, MiB, GiB of 1024.
 */
/*
 * Duration with unit "5ms" "1.5s" "100us" "10ns" "2min" "24h" -> ns; rate "100Mbit/s" "1Gbit/s"
 * "64kbit/s" "10MByte/s" -> bits/s; size "64KB"|"64KiB"|"1500B" -> bytes. Units are required.
 */
bool verb_duration(const char *word, uint64_t *ns);
bool verb_rate(const char *word, uint64_t *bps);
bool verb_size(const char *word, uint64_t *bytes);

#endif
