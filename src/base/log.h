/*
 * log.h - what the stacks have to say to their owner.
 *
 * One line per call, without newline; goes to the sinks (standard error of a daemon, the lab's log,
 * a test's list), with the time and the stack's name where there is one.
 */
#ifndef WARREN_BASE_LOG_H
#define WARREN_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LVL_ERR, LOG_LVL_WARNING, LOG_LVL_NOTICE, LOG_LVL_INFO, LOG_LVL_DEBUG };

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Replace the sink; NULL = standard error. `who` is the current stack's name or "". Returns
 * nothing; ctx is handed through.
 */
typedef void log_sink(
    void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line);
void log_set_sink(log_sink *sink, void *ctx);
/* Lines above this level are not made. Default LOG_LVL_NOTICE. */
void log_set_level(enum log_level level);

/* Gives the name of the current stack for log lines; kern/vnet.c sets it. */
extern const char *(*log_who)(void);

#endif
