#include "backend/base/log.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

/* One sink per process by nature (stderr or the daemon's log file), set once at start. */
static int sink_fd = 2;
static enum log_level sink_min = LOG_INFO_;

static const char *const level_names[] = {
	[LOG_DEBUG_] = "debug",
	[LOG_INFO_] = "info",
	[LOG_WARN_] = "warn",
	[LOG_ERROR_] = "error",
};
_Static_assert(countof(level_names) == LOG__COUNT, "a name for each level");

void log_setup(int fd, enum log_level min)
{
	sink_fd = fd;
	sink_min = min;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1200];
	struct timespec ts;
	struct tm tm;
	va_list ap;
	size_t n;

	if (level < sink_min)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(
		line + n, sizeof(line) - n, ".%03ld %s ", ts.tv_nsec / 1000000, level_names[level]);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	/* One write: lines of several threads don't mix. A full disk must not stop the daemon. */
	if (write(sink_fd, line, n) < 0)
		return;
}
