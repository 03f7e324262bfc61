/*
 * lab_verbs.c - warren run, test, check: lab files from the command line.
 */
#include "cli/cli.h"

#include "base/emitter.h"
#include "lab/lab.h"
#include "port/loop.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

static struct lab *running;

/* ^C: the report tells what has happened so far. */
static void
interrupt(int sig)
{
	(void)sig;
	lab_interrupt(running);
	loop_stop();
}

/* One run, which ^C ends early. */
static int
run_interruptibly(struct lab *lab)
{
	struct sigaction action = { .sa_handler = interrupt }, saved;
	int status;

	running = lab;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, &saved);
	status = lab_run(lab);
	sigaction(SIGINT, &saved, NULL);
	return status;
}

int
cli_run(const struct cli_words *w)
{
	struct cli_lab_words lw;
	struct emitter *e;
	struct lab *lab;
	int status = cli_lab_words(w, "fsOlqo", &lw);

	if (status != 0)
		return status;
	if (lw.nfiles != 1)
		return cli_usage(w);
	status = cli_lab_start(w, &lw, lw.files[0], false, &lab);
	if (status == 0) {
		status = run_interruptibly(lab);
		e = emitter_new(lw.json ? EMIT_JSON : EMIT_TEXT, cli_stdout, NULL);
		if (e != NULL) {
			emit_object(e, NULL);
			lab_report(lab, e);
			emitter_free(e);
		}
	}
	cli_lab_end(lab);
	return status;
}

/* One file's TAP lines. A file that can't be run is one test that failed. */
static int
test_file(const struct cli_words *w, const struct cli_lab_words *lw, const char *file,
    struct emitter *e, int *number)
{
	struct lab *lab;
	int status = cli_lab_start(w, lw, file, lw->out_dir == NULL, &lab);

	if (status == 0) {
		status = lab_run(lab);
		if (lab_tap(lab, e, number) > 0 && status == CLI_YES)
			status = CLI_NO;
		/* 3 and 4: it did not run to its end, so the lines above don't say it all. */
	}
	if (status > CLI_NO) {
		emit_text(e, "not ok %d - %s: %s\n", ++*number, file,
		    status == CLI_WORDS           ? "wrong file" :
			status == CLI_ENVIRONMENT ? "not possible here" :
						    "a fault of warren's");
		emit_flush(e);
	}
	cli_lab_end(lab);
	return status;
}

int
cli_test(const struct cli_words *w)
{
	struct cli_lab_words lw;
	struct emitter *e;
	int number = 0, worst = CLI_YES, status = cli_lab_words(w, "fsOqo", &lw);

	if (status != 0)
		return status;
	if (lw.nfiles == 0)
		return cli_usage(w);
	lw.quiet = true;
	e = emitter_new(lw.json ? EMIT_JSON : EMIT_TEXT, cli_stdout, NULL);
	if (e == NULL)
		return cli_error(w, CLI_ENVIRONMENT, "no memory");
	emit_object(e, NULL);
	emit_list(e, "tests");
	for (int i = 0; i < lw.nfiles; i++) {
		if (lw.nfiles > 1)
			emit_text(e, "# %s\n", lw.files[i]);
		status = test_file(w, &lw, lw.files[i], e, &number);
		emit_flush(e);
		fflush(stdout);
		if (status > worst)
			worst = status;
	}
	emit_end(e);
	emit_int(e, "count", "1..%" PRId64 "\n", number);
	emitter_free(e);
	return worst;
}

int
cli_check(const struct cli_words *w)
{
	struct cli_lab_words lw;
	struct lab *lab;
	int worst = CLI_YES, status = cli_lab_words(w, "qo", &lw);

	if (status != 0)
		return status;
	if (lw.nfiles == 0)
		return cli_usage(w);
	lw.quiet = true;
	for (int i = 0; i < lw.nfiles; i++) {
		status = cli_lab_start(w, &lw, lw.files[i], true, &lab);
		cli_lab_end(lab);
		if (status == 0 && !lw.json)
			printf("%s: ok\n", lw.files[i]);
		if (status > worst)
			worst = status;
	}
	if (lw.json)
		printf("{\"ok\":%s}\n", worst == CLI_YES ? "true" : "false");
	return worst;
}
