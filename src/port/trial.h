/*
 * trial.h - a rule file tried on a capture: what would become of each packet, and why (`warren
 * replay`).
 *
 * The rules are read into a stack of its own, with all that their file sets. Each packet of the
 * capture then meets them at its own time, in virtual time: states end when they would have ended.
 *
 * Where a packet comes from and goes to. The stack is a router that knows its interfaces by the
 * networks behind them: a packet comes in by the interface of its source and goes out by that of
 * its destination, and meets the rules twice. An address that no network holds is behind `in`, or
 * `out`. Without an interface to go out by, and for groups, broadcasts and the stack's own
 * addresses, a packet only comes in; what the stack itself has sent, or what comes from nobody
 * knows where, only goes out. Nothing but the rules decides: no route is asked, no time to live
 * counted, no neighbour looked for.
 */
#ifndef WARREN_PORT_TRIAL_H
#define WARREN_PORT_TRIAL_H

#include "base/emitter.h"
#include "inet/ipaddr.h"

enum { TRIAL_NETS_MAX = 64, TRIAL_COMMANDS_MAX = 32 };

struct trial_net {
	struct ipaddr addr;
	uint8_t plen;
	const char *ifname;
};

enum trial_only { TRIAL_ALL, TRIAL_DROPPED, TRIAL_PASSED, TRIAL_RULE };

/* All borrowed. */
struct trial_config {
	const char *capture;
	const char *rules;
	const char *newer;    /* compare `rules` with these; NULL */
	const char *in, *out; /* NULL: none; with no networks either, `in` is "pcap0" */
	struct trial_net net[TRIAL_NETS_MAX];
	unsigned nnets;
	const char *command[TRIAL_COMMANDS_MAX]; /* for the stack, before the rules */
	unsigned ncommands;
	bool layer2;  /* Ethernet frames meet the rules as frames too */
	bool packets; /* tell of each packet … */
	bool words;   /* … and of each rule why it doesn't match */
	enum trial_only only;
	uint16_t only_rule;
	const char *write; /* pcapng whose comments say what became of each packet; NULL */
	/* a line for the user, without a newline */
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

enum trial_result { TRIAL_YES, TRIAL_DIFFERS, TRIAL_WORDS, TRIAL_ENVIRONMENT };

/*
 * In a process that has started in virtual time. The answer goes to e, what is wrong to c->say.
 * TRIAL_WORDS: a file that can't be read; TRIAL_ENVIRONMENT: no memory, nothing can be written.
 */
enum trial_result trial_run(const struct trial_config *c, struct emitter *e);

#endif
