/* Figures of VMs and of the host over the last minute, from what host.watch sends. Pure. */
#ifndef VMDECK_TUI_CONSOLE_FIGURES_H
#define VMDECK_TUI_CONSOLE_FIGURES_H

#include <json-c/json.h>
#include <stdint.h>

#include "tui/console/ring.h"

enum figure {
	FIGURE_CPU,  /* of the VMM process, % of one core */
	FIGURE_MEM,  /* used in the guest, bytes */
	FIGURE_LOAD, /* of the guest, 1 min */
	FIGURE_PIDS,
	FIGURE_OUT,  /* bytes/s */
	FIGURE_NET,  /* bytes/s, in and out */
	FIGURE_EXEC, /* ms from a request to the guest's ACK; a value an exec */
	FIGURE__COUNT
};

struct figures {
	struct ring ring[FIGURE__COUNT];
	double rss, pss, oom_kills; /* < 0: not known */
	double mem_total;           /* of the guest, bytes; 0: not known */
	uint64_t out_end, at_ns;    /* of the sample before */
	uint64_t net_bytes;         /* of it, too; 0: not known */
};

#define HOST_CPUS_MAX   256
#define HOST_QUEUES_MAX 4

struct deck_host {
	uint64_t at_ns; /* wall clock of the daemon's host; 0: nothing has arrived */
	double cpu, core[HOST_CPUS_MAX]; /* %; < 0: not known */
	int cores;
	struct ring cpu_ring;
	double mem_total, mem_available, disk_total, disk_free; /* bytes */
	double load[3];                                         /* < 0: not known */
	int pid, connections;
	char version[32];
	uint64_t started_ns, seq;
	double rss, daemon_cpu;
	int queues;
	struct deck_queue {
		char name[24];
		int slots, busy, waiting;
	} queue[HOST_QUEUES_MAX];
};

struct model;

/* A HOST of proto.def: what it says of the host, and of the VMs that the model has. The MODEL_
 * changes. */
unsigned model_set_host(struct model *m, struct json_object *host);
/* An event of an exec: how long it took to reach the guest. */
unsigned model_exec(struct model *m, struct json_object *event);

/* "12.3 %", "104 MiB", "0.42", "3.1 KiB/s", "12 ms"; "-" when it is not known. */
char *figure_text(enum figure f, double v, char *out, size_t n);
/* Name, and where its graph ends at the top (0: at the largest value). */
const char *figure_name(enum figure f);
double figure_top(const struct figures *fs, enum figure f, int vcpus);

#endif
