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
 * are taken by verb_exec before the verb sees argv.
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
	struct emitter *out;	/* standard output of the command */
	int argc;
	char **argv;		/* owned by the run */
	struct vnet *vnet;	/* the stack; NULLed if it is destroyed meanwhile (the run is cancelled first) */
	struct prison *prison;
	uint8_t fib;		/* setfib N */
	bool is_tty;		/* the reader is a terminal */
	void *state;		/* a pending verb's own */
	void (*cancel)(struct verb_run *v); /* pending: the reader went away or pressed ^C: end soon with verb_finish */
	/* the runner's side */
	void (*err)(void *ctx, const char *bytes, size_t len);
	void (*done)(void *ctx, int status);
	void *ctx;
};

struct verb {
	const char *name;	/* the tool: "ifconfig" */
	const char *usage;	/* one or more lines, without "usage: " */
	const char *summary;	/* for `help` */
	int (*run)(struct verb_run *v);
	/* Completion in the console: put words that may follow argv[0..argc-1] through add(); optional. */
	void (*complete)(int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx);
	unsigned flags;
};
enum verb_flags {
	VERB_OWN_EXIT = 1 << 0,	/* takes --json itself */
	VERB_UNPRIVILEGED = 1 << 1, /* never changes anything */
};

#define VERB_DEFINE(ident, ...)                                                                    \
	static const struct verb ident##_verb = { __VA_ARGS__ };                                   \
	LINKERSET_ADD(verb, ident##_verb)

const struct verb *verb_find(const char *name);
/* All verbs sorted by name: calls fn for each. */
void verb_foreach(void (*fn)(const struct verb *verb, void *ctx), void *ctx);

struct verb_io {
	emit_sink *out;		/* standard output */
	emit_sink *err;		/* standard error */
	void (*done)(void *ctx, int status); /* called exactly once, perhaps before verb_exec returns */
	void *ctx;
	bool json;
	bool is_tty;
};

/*
 * Run words argv[0..argc-1] (borrowed, copied) in stack `prison` (NULL = the host). Returns the run
 * if it is pending (valid until done was called), else NULL. Unknown tools: "warren: no tool 'x'", status 2… 
 * Handles `jexec J words`, `setfib N words` and `-j J` by itself calling verb_exec in the other place.
 */
struct verb_run *verb_exec(int argc, char *const argv[], struct prison *prison, uint8_t fib, const struct verb_io *io);

/* The reader went away: cancels a pending run; done will be called (perhaps now). */
void verb_cancel(struct verb_run *v);

/* End a pending run: flushes, closes the JSON, calls done, frees v. */
void verb_finish(struct verb_run *v, int status);

/* "tool: text\n" on standard error. verb_error returns `status` (so: return verb_error(v, 1, "…")). */
int verb_error(struct verb_run *v, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "usage: …" on standard error; returns EX_USAGE (64). why may be NULL, else printed first as "tool: why". */
int verb_usage(struct verb_run *v, const char *why);

/* Split a line into words as a shell does (quotes '…' "…", backslash, # comment); -EINVAL with *why set on an open quote. Free with verb_split_free. */
int verb_split(const char *line, int *argc, char ***argv, const char **why);
void verb_split_free(int argc, char **argv);

/* Convenience for tests, labs, the API: run a line to its end if it ends at once; status, and the text (malloc'd, free()) of both streams. A pending verb is cancelled. */
int verb_line(struct prison *prison, const char *line, bool json, char **out, char **err);

/*
 * Numbers with their bounds: whole word, decimal (or 0x), in [min, max]; false otherwise.
 * Used by every verb, so that no command ever reads "10x" as 10.
 */
bool verb_number(const char *word, uint64_t min, uint64_t max, uint64_t *value);
/* Duration with unit "5ms" "1.5s" "100us" "10ns" "2min" "24h" -> ns; rate "100Mbit/s" "1Gbit/s" "64kbit/s" "10MByte/s" -> bits/s; size "64KB"|"64KiB"|"1500B" -> bytes. Units are required. */
bool verb_duration(const char *word, uint64_t *ns);
bool verb_rate(const char *word, uint64_t *bps);
bool verb_size(const char *word, uint64_t *bytes);

#endif
