/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Logging: lines `time level module message key=value ...` to stderr or a file, and a ring of the
 * last lines of all levels that ASSERT dumps.  Never waits for a reader of stderr: what a full pipe
 * does not take is lost, and counted in the next line that it takes.  The message text is stable,
 * data goes into keys.  No user code and no prompt above LOG_TRACE.  Thread: any (one mutex
 * inside). */
#include "engine/base/status.h"

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE } log_level;

/* Default: LOG_WARN to stderr. */
void log_set_level(log_level level);
/* Opens `path` for appending (created 0600) and sends lines there instead of stderr.  When it has
 * LIMIT_LOG_FILE_BYTES it becomes `path`.1 (the one before goes), and stderr moves along if it is
 * that file, too. */
status log_set_file(const char *path, err *e) MUST_USE;
/* Also called with each line of level <= max (from the thread that logs); NULL removes it. */
void log_set_sink(void (*sink)(void *ud, log_level level, const char *line), void *ud,
                  log_level max);
bool log_level_parse(const char *name, log_level *out); /* "error" ... "trace" */
bool log_enabled(log_level level);
void log_write(log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);
void log_dump_ring(FILE *to);

#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...) log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...) log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)
#define log_trace(module, ...) log_write(LOG_TRACE, module, __VA_ARGS__)
