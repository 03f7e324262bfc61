/*
 * netstat.h - the tool netstat: one dispatcher, modes and blocks registered by the rooms.
 *
 * kern/netstat.c parses the words once into struct netstat_opts and calls one mode:
 *
 *	netstat -r	the mode with flag 'r' (route)
 *	netstat -i, -I IF, -w N	the mode with flag 'i' (net)
 *	netstat -B	'B' (bpf)	netstat -m	'm' (kern)	netstat -Q	'Q' (kern)
 *	netstat -g	'g'		netstat (none), -a	mode 0: the endpoints ("Active Internet connections")
 *	netstat -rs	the mode with flag 'R': routing's own statistics
 *	netstat -s	all registered blocks, sorted by order of layers and name (family, then name)
 *
 * A block prints itself, title line included:
 *
 *	static void
 *	ip_netstat_stats(struct verb_run *v, const struct netstat_opts *o)
 *	{
 *		emit_object(v->out, "ip");
 *		emit_text(v->out, "ip:\n");
 *		netstat_counter(v->out, o, "received-packets", &V_ipstat.received,
 *		    "# packet{s} received");
 *		emit_end(v->out);
 *	}
 *	NETSTAT_STATS_DEFINE(ip, "ip", AF_INET, ip_netstat_stats);
 */
#ifndef WARREN_KERN_NETSTAT_H
#define WARREN_KERN_NETSTAT_H

#include "base/emitter.h"
#include "base/linkerset.h"
#include "kern/verb.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* AF_LINK of the field; Linux has no such number (its AF_PACKET is used for the same thing). */
enum { AF_LINK_ = 18 };

struct state;

struct netstat_opts {
	bool numeric;        /* -n: no names */
	bool wide;           /* -W */
	bool bytes;          /* -b */
	bool drops;          /* -d */
	bool all;            /* -a */
	bool listening;      /* -L */
	bool timers;         /* -T */
	bool buffers;        /* -x */
	bool no_header;      /* -q without -w */
	bool zero;           /* -z: reset after printing; the verb has checked the privilege */
	int stats;           /* number of -s; 2 hides zeros */
	int family;          /* -f: AF_UNSPEC, AF_INET, AF_INET6 or AF_LINK_ */
	const char *proto;   /* -p, NULL = all */
	const char *ifname;  /* -I, NULL = all */
	uint32_t wait_s;     /* -w N, 0 = not asked for */
	uint32_t wait_times; /* -q N beside -w: so many lines, 0 = for ever */
	const struct state *
	    image; /* -M FILE: read from this instead of the stack; only for those that say they can */
};

struct netstat_mode {
	char flag;        /* 'i', 'r', 'R', 'B', 'g', 'm', 'Q'; 0 = netstat without a mode */
	const char *name; /* the JSON name of its answer: "interface", "route" … */
	/*
	 * Exit status or VERB_PENDING (then v lives on; *o does not: copy what you need, strings
	 * lie in v->argv).
	 */
	int (*run)(struct verb_run *v, const struct netstat_opts *o);
	bool image; /* looks at o->image */
};
#define NETSTAT_MODE_DEFINE(ident, modeflag, modename, fn)                                         \
	static const struct netstat_mode netstat_mode_of_##ident = { modeflag, modename, fn,       \
		false };                                                                           \
	LINKERSET_ADD(netstat_mode, netstat_mode_of_##ident)
#define NETSTAT_IMAGE_MODE_DEFINE(ident, modeflag, modename, fn)                                   \
	static const struct netstat_mode netstat_mode_of_##ident = { modeflag, modename, fn,       \
		true };                                                                            \
	LINKERSET_ADD(netstat_mode, netstat_mode_of_##ident)

struct netstat_stats {
	const char *proto; /* "ip": -p selects by it */
	int family; /* AF_INET, AF_INET6, AF_LINK_; AF_UNSPEC = of no family (printed with all only) */
	void (*run)(struct verb_run *v,
	    const struct netstat_opts *o); /* curvnet is the stack asked about */
	bool image;                        /* looks at o->image */
};
#define NETSTAT_STATS_DEFINE(ident, protoname, fam, fn)                                            \
	static const struct netstat_stats netstat_stats_of_##ident = { protoname, fam, fn,         \
		false };                                                                           \
	LINKERSET_ADD(netstat_stats, netstat_stats_of_##ident)
#define NETSTAT_IMAGE_STATS_DEFINE(ident, protoname, fam, fn)                                      \
	static const struct netstat_stats netstat_stats_of_##ident = { protoname, fam, fn, true }; \
	LINKERSET_ADD(netstat_stats, netstat_stats_of_##ident)

/*
 * One counter of a -s block. Nothing is printed in text with -ss when it is 0; with -z it is set to
 * 0 afterwards. In `text`, # stands for the number, {s} for a plural ending, {y|ies} for singular |
 * plural: "# packet{s} received", "# quer{y|ies} sent", "# fragment{ was|s were} dropped". The line
 * gets its leading tab and its newline here. json may be NULL (text only).
 */
void netstat_counter(struct emitter *e, const struct netstat_opts *o, const char *json,
    uint64_t *counter, const char *text);
/* The same for a value that -z can't reset. */
void netstat_value(struct emitter *e, const struct netstat_opts *o, const char *json,
    uint64_t value, const char *text);
/*
 * Counters by type or number under a title line; those that are 0 are left out, and the title too
 * if all are. names[i] NULL (or names NULL): "#i". -z sets all of them to 0.
 */
void netstat_histogram(struct emitter *e, const struct netstat_opts *o, const char *json,
    const char *title, const char *const *names, uint64_t *hist, unsigned n);
/* "s" or "" and "ies" or "y", for texts of one's own. */
static inline const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}
static inline const char *
plural_ies(uint64_t n)
{
	return n == 1 ? "y" : "ies";
}

#endif
