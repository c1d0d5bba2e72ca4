/* Findings of doctor: what its files share. */
#ifndef VMDECK_DAEMON_DOCTOR_LIST_H
#define VMDECK_DAEMON_DOCTOR_LIST_H

#include <json-c/json.h>

#include "backend/base/path.h"

/* MISSING: no VM runs without it. WARN: something will not work, or soon. */
enum doctor_status { DOCTOR_FOUND, DOCTOR_MISSING, DOCTOR_WARN, DOCTOR__COUNT };

struct doctor {
	struct json_object *list;
	const struct paths *paths;
};

/* fix: what to do about it, "" or NULL: nothing. */
void doctor_add(struct doctor *d, const char *name, enum doctor_status status, const char *fix,
	const char *fmt, ...) printf_like(5, 6);

/* doctor_host.c: folders, devices, memory, limits. */
void doctor_home(struct doctor *d);
void doctor_runtime(struct doctor *d);
void doctor_devices(struct doctor *d);
void doctor_memory(struct doctor *d);
void doctor_fds(struct doctor *d);
void doctor_pids(struct doctor *d);

/* doctor_needs.c: kernel and filesystem. */
void doctor_needs(struct doctor *d);
/* doctor_net.c: networks of VMs. */
void doctor_network(struct doctor *d);

/* doctor_vms.c: VMMs that run without a VM in the registry. */
void doctor_orphans(struct doctor *d);

#endif
