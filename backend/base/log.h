/* Log lines of the daemon: "2026-01-02T03:04:05.678 info msg". Only level >= services logs;
 * libraries return errors. Thread safe. */
#ifndef VMDECK_BASE_LOG_H
#define VMDECK_BASE_LOG_H

#include "backend/base/util.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_, LOG__COUNT };

/* Lines below min are dropped; fd is not owned (default 2). */
void log_setup(int fd, enum log_level min);
void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_debug(...) log_line(LOG_DEBUG_, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO_, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN_, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR_, __VA_ARGS__)

#endif
