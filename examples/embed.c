/*
 * embed.c - stacks inside a program of one's own: two routers in virtual time, and a wire that is a
 * function of this program.
 *
 *	cc embed.c $(pkg-config --cflags --libs warren) -o embed && ./embed
 */
#include <warren.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct warren *w;

/* One command; its output is printed. What fails ends the program. */
static void
run(const char *jail, const char *line)
{
	char *out, *err;
	int status = warren_exec(w, jail, line, &out, &err);

	printf("%s# %s\n%s", jail != NULL ? jail : "host", line, out);
	if (status != 0) {
		fprintf(stderr, "%s(exit status %d)\n", err, status);
		exit(1);
	}
	free(out);
	free(err);
}

/*
 * Our end of r2's second interface: every frame that leaves there is counted. A handler may send
 * frames back with warren_port_send(), but runs no commands.
 */
static void
on_frame(void *ctx, const void *frame, size_t len)
{
	unsigned *frames = ctx;

	(void)frame;
	(void)len;
	++*frames;
}

int
main(void)
{
	const char *why = NULL;
	struct warren_port *port;
	unsigned frames = 0;

	w = warren_open(
	    &(struct warren_options){ .clock = WARREN_VIRTUAL, .seed = 1, .error = &why });
	if (w == NULL) {
		fprintf(stderr, "embed: %s\n", why);
		return 1;
	}

	run(NULL, "jail -c name=r1 vnet persist");
	run(NULL, "jail -c name=r2 vnet persist");
	run(NULL, "ifconfig epair create");
	run(NULL, "ifconfig epair0a vnet r1");
	run(NULL, "ifconfig epair0b vnet r2");
	run("r1", "ifconfig epair0a inet 10.0.0.1/24 up");
	run("r2", "ifconfig epair0b inet 10.0.0.2/24 up");
	run("r1", "ping -c 3 10.0.0.2");

	port = warren_port_open(w, "r2", "wire0", on_frame, &frames);
	if (port == NULL) {
		perror("embed: wire0");
		return 1;
	}
	run("r2", "ifconfig wire0 inet 192.0.2.1/24 up");
	/* Nobody answers there: five echo requests, and the questions who 192.0.2.9 is. */
	(void)warren_exec(w, "r2", "ping -c 5 192.0.2.9", NULL, NULL);
	printf("%u frames left through wire0; the clock stands at %.3f s\n", frames,
	    (double)warren_now(w) / 1e9);

	warren_port_close(port);
	warren_close(w);
	return frames > 0 ? 0 : 1;
}
