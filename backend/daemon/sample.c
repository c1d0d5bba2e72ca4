#include "backend/daemon/sample.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backend/base/file.h"

#define TEXT_MAX 65536

/* Up to n - 1 bytes of a file of /proc; false: it cannot be read. */
static bool read_text(const char *path, char *text, size_t n)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t r = fd < 0 ? -1 : 1;

	while (r > 0 && len < n - 1) {
		r = read(fd, text + len, n - 1 - len);
		len += r > 0 ? (size_t)r : 0;
	}
	text[len] = '\0';
	return r >= 0 && len > 0;
}

/* ---- processors ------------------------------------------------------------------------------ */

/* user nice system idle iowait irq softirq steal; guest time is part of user already. */
static bool parse_cpu(struct sample_cpu *ret, const char *text)
{
	unsigned long long v[8] = {0};
	int n = sscanf(text, "%llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
		&v[4], &v[5], &v[6], &v[7]);

	if (n < 4)
		return false;
	ret->all = 0;
	for (int i = 0; i < n; i++)
		ret->all += v[i];
	ret->busy = ret->all - v[3] - v[4];
	return true;
}

bool sample_cpus_parse(struct sample_cpus *ret, const char *text)
{
	bool total = false;

	ret->count = 0;
	while (text && strncmp(text, "cpu", 3) == 0) {
		const char *values = text + strcspn(text, " \n");

		if (text[3] == ' ')
			total = parse_cpu(&ret->total, values);
		else if (isdigit((unsigned char)text[3]) && ret->count < SAMPLE_CPUS_MAX &&
			 parse_cpu(&ret->core[ret->count], values))
			ret->count++;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return total;
}

bool sample_cpus_read(struct sample_cpus *ret)
{
	char text[TEXT_MAX];

	return read_text("/proc/stat", text, sizeof(text)) && sample_cpus_parse(ret, text);
}

double sample_busy(const struct sample_cpu *before, const struct sample_cpu *now)
{
	/* A processor that was taken out comes back with other counters. */
	if (now->all <= before->all || now->busy < before->busy)
		return -1;
	return min_of(
		100., (double)(now->busy - before->busy) * 100 / (double)(now->all - before->all));
}

bool sample_load(double load[3])
{
	char text[128];

	return read_text("/proc/loadavg", text, sizeof(text)) &&
	       sscanf(text, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3;
}

/* ---- processes ------------------------------------------------------------------------------- */

bool sample_proc_parse(struct sample_proc *ret, const char *text)
{
	const char *p = strrchr(text, ')');
	unsigned long long user, kernel, start, rss;

	/* state, 10 fields, utime, stime, 6 fields, starttime, vsize, rss */
	if (!p || sscanf(p + 1,
			  " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s "
			  "%*s %*s %llu %*s %llu",
			  &user, &kernel, &start, &rss) != 4)
		return false;
	ret->ticks = user + kernel;
	ret->start = start;
	ret->rss = rss * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

bool sample_proc_read(struct sample_proc *ret, pid_t pid)
{
	char path[64], text[2048];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return read_text(path, text, sizeof(text)) && sample_proc_parse(ret, text);
}

double sample_proc_busy(
	const struct sample_proc *before, const struct sample_proc *now, uint64_t elapsed_ns)
{
	double ticks = (double)sysconf(_SC_CLK_TCK);

	if (before->start != now->start || now->ticks < before->ticks || !elapsed_ns)
		return -1;
	return (double)(now->ticks - before->ticks) / ticks * 1e11 / (double)elapsed_ns;
}

uint64_t sample_pss(pid_t pid)
{
	char path[64], text[4096];
	unsigned long long kib;
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (!read_text(path, text, sizeof(text)))
		return SAMPLE_UNKNOWN;
	line = strstr(text, "\nPss:");
	return line && sscanf(line, "\nPss: %llu kB", &kib) == 1 ? kib * 1024 : SAMPLE_UNKNOWN;
}
