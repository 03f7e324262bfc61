/*
 * log.c - one line at a time to one sink. A lock is held around the sink, so sinks need none.
 */
#include "base/log.h"

#include "base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *(*log_who)(void);

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink *log_to; /* both under log_lock */
static void *log_ctx;
static enum log_level log_max = LOG_LVL_NOTICE; /* atomic */
static __thread bool log_inside;                /* a sink that logs would wait for itself */

static void
log_to_stderr(enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	static const char *const words[] = { "error: ", "warning: ", "", "", "debug: " };

	fprintf(stderr, "%" PRIu64 ".%06" PRIu64 " %s%s%s%s\n", now_ns / NS_PER_SEC,
	    now_ns % NS_PER_SEC / NS_PER_US, who, who[0] != '\0' ? ": " : "", words[level], line);
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	const char *who;
	uint64_t now_ns;

	if (level > __atomic_load_n(&log_max, __ATOMIC_RELAXED) || log_inside)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	who = log_who != NULL ? log_who() : "";
	now_ns = curworker != NULL ? clock_now() : 0;

	pthread_mutex_lock(&log_lock);
	log_inside = true;
	if (log_to != NULL)
		log_to(log_ctx, level, now_ns, who != NULL ? who : "", line);
	else
		log_to_stderr(level, now_ns, who != NULL ? who : "", line);
	log_inside = false;
	pthread_mutex_unlock(&log_lock);
}

void
log_set_sink(log_sink *sink, void *ctx)
{
	pthread_mutex_lock(&log_lock);
	log_to = sink;
	log_ctx = ctx;
	pthread_mutex_unlock(&log_lock);
}

void
log_set_level(enum log_level level)
{
	__atomic_store_n(&log_max, level, __ATOMIC_RELAXED);
}
