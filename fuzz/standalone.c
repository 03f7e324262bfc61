/*
 * Drives a fuzz target without libFuzzer, so that every build runs the targets as tests.
 *
 * Each file given (or each file of a directory given) is fed as it is, in the order of names; then
 * come pseudo-random mutations of those seeds, the same ones at every run of one seed number. The
 * options are libFuzzer's:
 *
 *	-runs=N			mutations after the seeds (default 10000; 0: seeds only)
 *	-seed=N			start of the series (default 1)
 *	-max_len=N		longest input in bytes (default 4096)
 *	-max_total_time=N	stop after N seconds, and say so (default 0: no limit)
 *
 * The input that kills the target is left in crash-TARGET, to be given again as a file.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct seed {
	uint8_t *data;
	size_t len;
};

static struct {
	struct seed *seed;
	size_t n;
	size_t longest;
} corpus;

static struct {
	unsigned long runs;
	unsigned long seed;
	unsigned long max_len;
	unsigned long max_total_time;
} option = { .runs = 10000, .seed = 1, .max_len = 4096 };

/* The input that is running now, for the crash handler. */
static struct seed running;
static char crash_name[256];

static void
crash_save(void)
{
	int fd;

	if (running.data == NULL)
		return;
	fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return;
	if (write(fd, running.data, running.len) == (ssize_t)running.len)
		dprintf(STDERR_FILENO, "input of %zu bytes left in %s\n", running.len, crash_name);
	close(fd);
}

static void
crash_signal(int sig)
{
	crash_save();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
crash_watch(const char *program)
{
	const char *slash = strrchr(program, '/');

	snprintf(crash_name, sizeof(crash_name), "crash-%s", slash != NULL ? slash + 1 : program);
	signal(SIGABRT, crash_signal);
	if (__sanitizer_set_death_callback != NULL) {
		__sanitizer_set_death_callback(crash_save);
		return;
	}
	signal(SIGSEGV, crash_signal);
	signal(SIGBUS, crash_signal);
	signal(SIGFPE, crash_signal);
	signal(SIGILL, crash_signal);
}

/* Feeds a copy of exactly len bytes, so that a sanitizer sees a read past the end. Borrows data. */
static void
feed(const uint8_t *data, size_t len)
{
	running.data = malloc(len > 0 ? len : 1);
	if (running.data == NULL)
		err(1, "malloc");
	if (len > 0)
		memcpy(running.data, data, len);
	running.len = len;
	LLVMFuzzerTestOneInput(running.data, len);
	free(running.data);
	running = (struct seed){};
}

static void
corpus_add_file(const char *path)
{
	struct seed s = {};
	struct stat st;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(2, "%s", path);
	s.data = malloc((size_t)st.st_size + 1);
	if (s.data == NULL)
		err(1, "malloc");
	while ((got = read(fd, s.data + s.len, (size_t)st.st_size - s.len)) > 0)
		s.len += (size_t)got;
	if (got < 0)
		err(2, "%s", path);
	close(fd);

	corpus.seed = reallocarray(corpus.seed, corpus.n + 1, sizeof(*corpus.seed));
	if (corpus.seed == NULL)
		err(1, "realloc");
	corpus.seed[corpus.n++] = s;
	if (s.len > corpus.longest)
		corpus.longest = s.len;
}

/* By bytes, not by the locale's order: the series of mutations must not depend on the machine. */
static int
entry_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
corpus_add(const char *path)
{
	struct dirent **entry;
	struct stat st;
	int n;

	if (stat(path, &st) < 0)
		err(2, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		corpus_add_file(path);
		return;
	}
	n = scandir(path, &entry, NULL, entry_compare);
	if (n < 0)
		err(2, "%s", path);
	for (int i = 0; i < n; i++) {
		char *child;

		if (entry[i]->d_name[0] != '.') {
			if (asprintf(&child, "%s/%s", path, entry[i]->d_name) < 0)
				err(1, "asprintf");
			corpus_add(child);
			free(child);
		}
		free(entry[i]);
	}
	free(entry);
}

/* splitmix64 (Steele, Lea, Flood 2014): enough here, and the same on every machine. */
static uint64_t
rng_next(void)
{
	static uint64_t state;
	static int started;
	uint64_t z;

	if (!started) {
		state = option.seed;
		started = 1;
	}
	z = (state += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static size_t
rng_below(size_t n)
{
	return n > 0 ? (size_t)(rng_next() % n) : 0;
}

/* Numbers that length and count fields are most often wrong at. */
static const uint32_t edge[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff };

/* One change in place. Returns the new length, max at most. */
static size_t
mutate_once(uint8_t *data, size_t len, size_t max)
{
	size_t at = rng_below(len);
	size_t n;

	switch (rng_below(8)) {
	case 0: /* flip a bit */
		if (len > 0)
			data[at] ^= (uint8_t)(1u << rng_below(8));
		return len;
	case 1: /* another byte */
		if (len > 0)
			data[at] = (uint8_t)rng_next();
		return len;
	case 2: /* an edge number, big-endian, 1, 2 or 4 bytes wide */
		n = (size_t)1 << rng_below(3);
		if (at + n <= len) {
			uint32_t v = edge[rng_below(sizeof(edge) / sizeof(edge[0]))];

			for (size_t i = 0; i < n; i++)
				data[at + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
		}
		return len;
	case 3: /* one more or less */
		if (len > 0)
			data[at] = (uint8_t)(data[at] + (rng_below(2) ? 1 : -1));
		return len;
	case 4: /* cut short */
		return rng_below(len + 1);
	case 5: /* take bytes out */
		n = rng_below(len - at + 1);
		memmove(data + at, data + at + n, len - at - n);
		return len - n;
	case 6: /* put random bytes in */
		n = rng_below(16);
		if (len + n > max)
			return len;
		memmove(data + at + n, data + at, len - at);
		for (size_t i = 0; i < n; i++)
			data[at + i] = (uint8_t)rng_next();
		return len + n;
	default: /* overwrite with a piece of another seed */
		if (corpus.n > 0) {
			const struct seed *s = &corpus.seed[rng_below(corpus.n)];
			size_t from = rng_below(s->len);

			n = rng_below(s->len - from + 1);
			if (at + n > max)
				n = max - at;
			memcpy(data + at, s->data + from, n);
			if (at + n > len)
				len = at + n;
		}
		return len;
	}
}

static size_t
mutate(uint8_t *data, size_t max)
{
	size_t changes = 1 + rng_below(5);
	size_t len;

	if (corpus.n > 0) {
		const struct seed *s = &corpus.seed[rng_below(corpus.n)];

		len = s->len < max ? s->len : max;
		memcpy(data, s->data, len);
	} else {
		len = rng_below(max + 1);
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)rng_next();
	}
	while (changes-- > 0)
		len = mutate_once(data, len, max);
	return len;
}

static int
option_number(const char *arg, const char *name, unsigned long *value)
{
	size_t n = strlen(name);
	char *end;

	if (strncmp(arg, name, n) != 0)
		return 0;
	*value = strtoul(arg + n, &end, 10);
	if (arg[n] == '\0' || *end != '\0')
		errx(2, "%s: not a number", arg);
	return 1;
}

int
main(int argc, char **argv)
{
	unsigned long done;
	uint8_t *buffer;
	time_t start = time(NULL);

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			corpus_add(argv[i]);
		else if (!option_number(argv[i], "-runs=", &option.runs) &&
		    !option_number(argv[i], "-seed=", &option.seed) &&
		    !option_number(argv[i], "-max_len=", &option.max_len) &&
		    !option_number(argv[i], "-max_total_time=", &option.max_total_time))
			errx(2, "%s: unknown option", argv[i]);
	}
	crash_watch(argv[0]);

	for (size_t i = 0; i < corpus.n; i++)
		feed(corpus.seed[i].data, corpus.seed[i].len);

	if (corpus.longest > option.max_len)
		option.max_len = corpus.longest;
	buffer = malloc(option.max_len + 1);
	if (buffer == NULL)
		err(1, "malloc");
	for (done = 0; done < option.runs; done++) {
		if (option.max_total_time > 0 &&
		    time(NULL) - start >= (time_t)option.max_total_time)
			break;
		feed(buffer, mutate(buffer, option.max_len));
	}
	printf("%zu seeds and %lu of %lu mutations\n", corpus.n, done, option.runs);

	free(buffer);
	for (size_t i = 0; i < corpus.n; i++)
		free(corpus.seed[i].data);
	free(corpus.seed);
	return 0;
}
