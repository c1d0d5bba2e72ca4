/* Figures of the kernel, read and taken apart: processors, memory, load, processes. What cannot be
 * read is not known: SAMPLE_UNKNOWN, never a made-up 0. */
#ifndef VMDECK_DAEMON_SAMPLE_H
#define VMDECK_DAEMON_SAMPLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "backend/base/err.h"

#define SAMPLE_CPUS_MAX 512
#define SAMPLE_UNKNOWN  UINT64_MAX

/* Clock ticks since the host started. */
struct sample_cpu {
	uint64_t busy, all;
};

struct sample_cpus {
	struct sample_cpu total, core[SAMPLE_CPUS_MAX];
	int count;
};

/* Text of /proc/stat; false when there is no line of a processor in it. */
bool sample_cpus_parse(struct sample_cpus *ret, const char *text);
bool sample_cpus_read(struct sample_cpus *ret);
/* Busy share between two samples, percent; < 0: not known. */
double sample_busy(const struct sample_cpu *before, const struct sample_cpu *now);

struct sample_proc {
	uint64_t ticks; /* of user and kernel time */
	uint64_t start; /* clock ticks, of struct proc_id */
	uint64_t rss;   /* bytes */
};

/* Text of /proc/PID/stat; its name may hold anything. */
bool sample_proc_parse(struct sample_proc *ret, const char *text);
bool sample_proc_read(struct sample_proc *ret, pid_t pid);
/* Percent of one core between two samples elapsed_ns apart; < 0: not known. */
double sample_proc_busy(
	const struct sample_proc *before, const struct sample_proc *now, uint64_t elapsed_ns);
/* Proportional set size, bytes, or SAMPLE_UNKNOWN. Walks the page tables: milliseconds for GiBs. */
uint64_t sample_pss(pid_t pid);
/* The three load averages; false: not known. */
bool sample_load(double load[3]);

#endif
