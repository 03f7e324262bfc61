/*
 * replay_verb.c - warren replay: a firewall's rules tried on a capture.
 */
#include "cli/cli.h"

#include "control/process.h"
#include "kern/verb.h"
#include "net/if.h"
#include "port/trial.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_DIFF = 256,
	OPT_IN,
	OPT_OUT,
	OPT_NET,
	OPT_LAYER2,
	OPT_PACKETS,
	OPT_ONLY,
	OPT_WRITE,
	OPT_SEED,
	OPT_JSON,
	OPT_LIBXO
};

static const struct option long_options[] = {
	{ "diff", no_argument, NULL, OPT_DIFF },
	{ "in", required_argument, NULL, OPT_IN },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "net", required_argument, NULL, OPT_NET },
	{ "layer2", no_argument, NULL, OPT_LAYER2 },
	{ "packets", no_argument, NULL, OPT_PACKETS },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "write", required_argument, NULL, OPT_WRITE },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "libxo", required_argument, NULL, OPT_LIBXO },
	{ NULL, 0, NULL, 0 },
};

struct replay_words {
	const struct cli_words *w;
	struct trial_config c;
	bool diff, json;
	uint64_t seed;
};

/* A name that an interface can have. */
static bool
is_ifname(const char *name)
{
	const size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ_ && strcspn(name, " \t\n/") == len;
}

static int
take_ifname(const struct replay_words *r, const char *of, const char *name, const char **to)
{
	if (!is_ifname(name))
		return cli_error(r->w, CLI_WORDS, "%s %s: not an interface's name", of, name);
	*to = name;
	return 0;
}

/* "10.0.0.0/8=lan", "0.0.0.0/0=wan", "2001:db8::/32=lan"; one address without its length. */
static bool
net_parse(const char *word, struct trial_net *net)
{
	const char *equals = strrchr(word, '=');
	char text[80], *slash;
	uint64_t plen;

	if (equals == NULL || !is_ifname(equals + 1) || (size_t)(equals - word) >= sizeof(text))
		return false;
	memcpy(text, word, (size_t)(equals - word));
	text[equals - word] = '\0';
	if ((slash = strchr(text, '/')) != NULL)
		*slash++ = '\0';
	if (!ipaddr_aton(text, AF_UNSPEC, &net->addr))
		return false;
	plen = net->addr.family == AF_INET ? 32 : 128;
	if (slash != NULL && !verb_number(slash, 0, plen, &plen))
		return false;
	net->plen = (uint8_t)plen;
	net->ifname = equals + 1;
	return true;
}

static int
take_net(struct replay_words *r, const char *word)
{
	if (r->c.nnets == TRIAL_NETS_MAX)
		return cli_error(r->w, CLI_WORDS, "--net: more than %d", TRIAL_NETS_MAX);
	if (!net_parse(word, &r->c.net[r->c.nnets]))
		return cli_error(r->w, CLI_WORDS, "--net %s: not like 10.0.0.0/8=lan", word);
	r->c.nnets++;
	return 0;
}

static int
take_only(struct replay_words *r, const char *word)
{
	uint64_t number;

	if (strcmp(word, "passed") == 0) {
		r->c.only = TRIAL_PASSED;
	} else if (strcmp(word, "dropped") == 0) {
		r->c.only = TRIAL_DROPPED;
	} else if (verb_number(word, 1, UINT16_MAX, &number)) {
		r->c.only = TRIAL_RULE;
		r->c.only_rule = (uint16_t)number;
	} else {
		return cli_error(
		    r->w, CLI_WORDS, "--only %s: passed, dropped or a rule's number", word);
	}
	return 0;
}

static int
take_command(struct replay_words *r, const char *command)
{
	if (r->c.ncommands == TRIAL_COMMANDS_MAX)
		return cli_error(r->w, CLI_WORDS, "-c: more than %d", TRIAL_COMMANDS_MAX);
	r->c.command[r->c.ncommands++] = command;
	return 0;
}

static int
take_option(struct replay_words *r, int c)
{
	switch (c) {
	case 'r':
		r->c.rules = optarg;
		return 0;
	case 'c':
		return take_command(r, optarg);
	case 'v':
		r->c.packets = r->c.words = true;
		return 0;
	case OPT_DIFF:
		r->diff = true;
		return 0;
	case OPT_IN:
		return take_ifname(r, "--in", optarg, &r->c.in);
	case OPT_OUT:
		return take_ifname(r, "--out", optarg, &r->c.out);
	case OPT_NET:
		return take_net(r, optarg);
	case OPT_LAYER2:
		r->c.layer2 = true;
		return 0;
	case OPT_PACKETS:
		r->c.packets = true;
		return 0;
	case OPT_ONLY:
		return take_only(r, optarg);
	case OPT_WRITE:
		r->c.write = optarg;
		return 0;
	case OPT_SEED:
		return verb_number(optarg, 1, UINT64_MAX, &r->seed) ?
		    0 :
		    cli_error(r->w, CLI_WORDS, "--seed %s: not a number of 1 or more", optarg);
	case OPT_LIBXO:
		if (strncmp(optarg, "json", 4) != 0)
			return cli_error(r->w, CLI_WORDS, "--libxo %s: only json is known", optarg);
		r->json = true;
		return 0;
	default: /* --json */
		r->json = true;
		return 0;
	}
}

/* The files, in the order in which they stand behind the options. */
static int
take_files(struct replay_words *r, int n, char **file)
{
	if (r->diff && (r->c.packets || r->c.write != NULL || r->c.only != TRIAL_ALL))
		return cli_error(
		    r->w, CLI_WORDS, "--diff lists what differs: no --packets, --only, --write");
	if (r->diff && r->c.rules == NULL && n == 3) {
		r->c.rules = file[0];
		r->c.newer = file[1];
		r->c.capture = file[2];
		return 0;
	}
	if (r->diff || r->c.rules == NULL || n != 1)
		return cli_usage(r->w);
	r->c.capture = file[0];
	return 0;
}

static int
words_parse(struct replay_words *r)
{
	const struct cli_words *w = r->w;
	int c, status;

	optind = 0; /* begin anew: glibc's way to say so */
	while ((c = getopt_long(w->argc, w->argv, ":r:c:v", long_options, NULL)) != -1) {
		const char *word = w->argv[optind - 1];

		if (c == ':') {
			cli_error(w, CLI_WORDS, "%s: a value is missing", word);
			return cli_usage(w);
		}
		if (c == '?') {
			cli_error(w, CLI_WORDS, "unknown option %s", word);
			return cli_usage(w);
		}
		status = take_option(r, c);
		if (status != 0)
			return status;
	}
	return take_files(r, w->argc - optind, w->argv + optind);
}

static void
say_line(void *ctx, const char *line)
{
	(void)ctx;
	fflush(stdout);
	fprintf(stderr, "%s\n", line);
}

static int
status_of(enum trial_result result)
{
	static const int status[] = {
		[TRIAL_YES] = CLI_YES,
		[TRIAL_DIFFERS] = CLI_NO,
		[TRIAL_WORDS] = CLI_WORDS,
		[TRIAL_ENVIRONMENT] = CLI_ENVIRONMENT,
	};

	return status[result];
}

int
cli_replay(const struct cli_words *w)
{
	struct replay_words r = { .w = w, .json = w->json, .c = { .say = say_line } };
	int status = words_parse(&r);
	enum trial_result result;
	const char *why = NULL;
	struct emitter *e;

	if (status != 0)
		return status;
	if (process_start(CLOCK_VIRTUAL, r.seed, NULL, &why) != 0)
		return cli_error(w, CLI_FAULT, "%s", why);
	e = emitter_new(r.json ? EMIT_JSON : EMIT_TEXT, cli_stdout, NULL);
	if (e == NULL) {
		process_stop();
		return cli_error(w, CLI_ENVIRONMENT, "no memory");
	}
	emit_object(e, NULL);
	result = trial_run(&r.c, e);
	emitter_free(e);
	process_stop();
	return status_of(result);
}
