/*
 * dn_words.h - the words of pipes, queues and schedulers: read (dn_parse*.c), said (dn_print.c),
 * and the commands around them (dn_cmd.c).
 */
#ifndef WARREN_DUMMYNET_DN_WORDS_H
#define WARREN_DUMMYNET_DN_WORDS_H

#include "dummynet/dn.h"
#include "kern/verb.h"

enum dn_kind { DN_PIPE, DN_QUEUE, DN_SCHED, DN_KINDS };
extern const char *const dn_kind_names[DN_KINDS]; /* "pipe", … */

/* --- dn_parse.c ------------------------------------------------------------------------------- */

/* What stands behind `pipe N config`, as it was read. */
struct dn_words {
	enum dn_kind kind;
	uint32_t number;
	struct dn_change change; /* its scheduler's param and profile are ours */
	char why[200];           /* what is wrong: the word, and what it should be */
};
/*
 * Read the words behind `config`. Whatever it returns, dn_words_free() afterwards. 0; -EINVAL,
 * -ENOMEM with w->why. Words of the type that scheduler `number` has may stand without `type`.
 */
int dn_words_read(struct dn_words *w, enum dn_kind kind, uint32_t number, int argc, char **argv);
void dn_words_free(struct dn_words *w);
/* All words that may stand there, for completion. */
void dn_words_each(enum dn_kind kind, void (*add)(void *ctx, const char *word), void *ctx);

/* --- dn_parse_value.c ------------------------------------------------------------------------- */

/*
 * "300Kbit/s", "10Kbytes", "10Mb", "30Byte/s", "500" (bit/s): K, M and G are powers of 1000, and a
 * capital B that begins no "Bit" is a byte.
 */
bool dn_parse_rate(const char *word, uint64_t *bps);
/* "5ms", "1.5ms", "100us", "2s"; ms if nothing is said. */
bool dn_parse_time(const char *word, uint64_t *ns);
/* "1500", "64K", "30kB", "1Mbytes": powers of 1024; *plain: no unit was said. */
bool dn_parse_size(const char *word, uint64_t *n, bool *plain);
/* "0.5": nothing else behind it. */
bool dn_parse_fraction(const char *word, double *value);
/*
 * Members of a mask at argv, up to a word that is none. How many words it took; 0: none is there;
 * -1 with a reason in why.
 */
int dn_parse_mask(struct dn_mask *mask, int argc, char **argv, char *why, size_t why_len);

/* --- dn_print.c ------------------------------------------------------------------------------- */

struct dn_range {
	uint32_t low, high;
};
enum { DN_SORT_MAX = 4 };
/* What of a listing is asked for. */
struct dn_show {
	enum dn_kind kind;
	const struct dn_range *range;
	unsigned nranges; /* 0 = all */
	int sort; /* flows by 1 packets, 2 bytes waiting, 3 packets, 4 bytes of all; -n: least first */
};
/* How many objects were shown. */
unsigned dn_show(struct emitter *e, const struct dn_show *what);
/* The scheduler's parts: `sched types`. */
void dn_show_types(struct emitter *e);

/* --- dn_cmd.c --------------------------------------------------------------------------------- */

struct dn_options {
	bool test_only; /* -n: read the words, do nothing */
	bool quiet;     /* -q */
	int sort;       /* -s */
};
/* The words behind `ipfw pipe` (queue, sched). An exit status. */
int dn_command(
    struct verb_run *v, enum dn_kind kind, const struct dn_options *o, int argc, char **argv);
/* What may follow words argv[0..argc-1] behind `pipe`. */
void dn_command_complete(
    enum dn_kind kind, int argc, char **argv, void (*add)(void *ctx, const char *word), void *ctx);
/* dn_record.c: the words behind `dnctl record`. An exit status. */
int dn_record_command(struct verb_run *v, int argc, char **argv);

/* Lines of `ipfw -h`. */
extern const char dn_usage_pipe[], dn_usage_queue[], dn_usage_sched[];

#endif
