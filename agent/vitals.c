#include "agent/vitals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/util.h"

#define KIB 1024u
/* The value is all that is wanted of a file; these hold the longest one up to it. */
#define TEXT_MAX 8192

struct reading {
	char *why;
	size_t cap, len;
	char text[TEXT_MAX];
};

printf_like(2, 3) static uint64_t unknown(struct reading *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->len && r->len + 2 < r->cap) {
		strcpy(r->why + r->len, "; ");
		r->len += 2;
	}
	va_start(ap, fmt);
	n = vsnprintf(r->why + r->len, r->cap - r->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		r->len = min_of(r->len + (size_t)n, r->cap - 1);
	return WIRE_VITAL_UNKNOWN;
}

static bool load(struct reading *r, const char *field, const char *path)
{
	ssize_t n = file_slurp(path, r->text, sizeof(r->text));

	if (n >= 0)
		return true;
	unknown(r, "%s: cannot read %s: %s", field, path, strerror((int)-n));
	return false;
}

/* The number after `name` at the start of a line of the loaded text. */
static uint64_t value_of(struct reading *r, const char *field, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = r->text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, n))
			return strtoull(p + n, NULL, 10);
		if (!*p)
			break;
	}
	return unknown(r, "%s: the kernel has no %s", field, name);
}

static uint64_t number_in(struct reading *r, const char *field, const char *path)
{
	return load(r, field, path) ? strtoull(r->text, NULL, 10) : WIRE_VITAL_UNKNOWN;
}

static void read_memory(struct reading *r, struct wire_vitals *v)
{
	if (!load(r, "mem_total, mem_available", "/proc/meminfo"))
		return;
	v->mem_total = value_of(r, "mem_total", "MemTotal:");
	v->mem_available = value_of(r, "mem_available", "MemAvailable:");
	if (v->mem_total != WIRE_VITAL_UNKNOWN)
		v->mem_total *= KIB;
	if (v->mem_available != WIRE_VITAL_UNKNOWN)
		v->mem_available *= KIB;
}

/* "0.12 0.03 0.01 1/73 345": the load with two decimals, runnable/all tasks. */
static void read_load(struct reading *r, struct wire_vitals *v)
{
	unsigned whole, hundredths, runnable;

	if (!load(r, "load_milli, runnable", "/proc/loadavg"))
		return;
	if (sscanf(r->text, "%u.%2u %*s %*s %u/", &whole, &hundredths, &runnable) != 3) {
		unknown(r, "load_milli, runnable: /proc/loadavg is not understood");
		return;
	}
	v->load_milli = (uint64_t)whole * 1000 + (uint64_t)hundredths * 10;
	v->runnable = runnable;
}

/* "cpu  user nice system idle iowait irq softirq steal ..." in ticks since boot. */
static void read_cpu(struct reading *r, struct wire_vitals *v)
{
	uint64_t t[8], tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	char *p = r->text + 4;

	if (!load(r, "cpu_ns, cpu_idle_ns, cpu_steal_ns", "/proc/stat"))
		return;
	if (strncmp(r->text, "cpu ", 4) != 0) {
		unknown(r, "cpu_ns, cpu_idle_ns, cpu_steal_ns: /proc/stat is not understood");
		return;
	}
	for (size_t i = 0; i < countof(t); i++)
		t[i] = strtoull(p, &p, 10) * tick;
	v->cpu_ns = t[0] + t[1] + t[2] + t[5] + t[6];
	v->cpu_idle_ns = t[3] + t[4];
	v->cpu_steal_ns = t[7];
}

/* The numeric entries of /proc; opendir would allocate. */
static uint64_t count_processes(struct reading *r)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t count = 0;
	long n;

	if (fd < 0)
		return unknown(r, "procs: cannot open /proc: %s", strerror(errno));
	while ((n = syscall(SYS_getdents64, fd, r->text, sizeof(r->text))) > 0) {
		for (long at = 0; at < n;) {
			const struct {
				uint64_t ino, off;
				uint16_t len;
				uint8_t type;
				char name[];
			} *d = (const void *)(r->text + at);

			count += d->name[0] >= '1' && d->name[0] <= '9';
			at += d->len;
		}
	}
	close(fd);
	return count;
}

static uint64_t free_bytes(struct reading *r, const char *path)
{
	struct statvfs st;

	if (statvfs(path, &st) < 0)
		return unknown(r, "run_free: cannot look at %s: %s", path, strerror(errno));
	return (uint64_t)st.f_bavail * st.f_frsize;
}

void vitals_read(const struct agent *a, struct wire_vitals *v, char *why, size_t n)
{
	struct reading r = {.why = why, .cap = n};

	*why = 0;
#define X(field, help) v->field = WIRE_VITAL_UNKNOWN;
	WIRE_VITALS(X)
#undef X
	v->uptime_ns = boot_ns();
	read_memory(&r, v);
	read_load(&r, v);
	read_cpu(&r, v);
	v->procs = count_processes(&r);
	v->pids_max = number_in(&r, "pids_max", "/proc/sys/kernel/pid_max");
	if (load(&r, "oom_kills", "/proc/vmstat"))
		v->oom_kills = value_of(&r, "oom_kills", "oom_kill ");
	v->run_free = free_bytes(&r, "/run");
	v->ptys = number_in(&r, "ptys", "/proc/sys/kernel/pty/nr");
	v->out_ring_used = ring_used(&a->output.ring);
	v->execs = execs_running(&a->execs);
	v->why = (struct wire_str){.s = why, .len = (uint16_t)r.len};
}
