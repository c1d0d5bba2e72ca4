/* The daemon's insides shared by its services: one object, no globals. */
#ifndef VMDECK_DAEMON_DAEMON_H
#define VMDECK_DAEMON_DAEMON_H

#include "backend/base/path.h"
#include "backend/events/events.h"
#include "backend/rpc/rpc.h"
#include "backend/vm/vm.h"

struct build;
struct stats;
struct verify;

struct daemon {
	struct ev_loop *loop;
	struct paths paths;
	struct events *events;
	struct rpc_server *rpc;
	struct vm_host vms;
	struct build *builds;    /* image builds under way */
	struct verify *verifies; /* snapshots being read against their checksums */
	uint64_t started_ns;     /* wall clock */
	int home_lock;
	int connections;
	bool stop_said; /* the event daemon.stop is out */
	ev_timer idle;  /* ends the daemon when nobody needs it */
	double idle_limit;
	struct task sweep;   /* of what an earlier daemon's VMs have left */
	struct stats *stats; /* what is measured while somebody watches */
	ev_signal sigterm, sigint, sighup;
};

/* Adds an event to the log and sends it to subscribers. vm, vm_name: "" when about none. */
void daemon_event(struct daemon *d, const char *vm, const char *vm_name, const char *name,
	const char *fields_json);
/* Ends the loop; subscribers learn why before their connections end, so that they don't take it for
 * a crash and start another daemon. why: a word. */
void daemon_stop(struct daemon *d, const char *why);
/* Starts or stops the idle clock; call when VMs, builds or connections change. */
void daemon_check_idle(struct daemon *d);

/* Each fills its rows of the handler table. */
void svc_vm_register(rpc_handler **handlers);
void svc_stream_register(rpc_handler **handlers);
void svc_image_register(rpc_handler **handlers);
void svc_snapshot_register(rpc_handler **handlers);
void svc_timing_register(rpc_handler **handlers);
void svc_host_register(rpc_handler **handlers);
void svc_watch_register(rpc_handler **handlers);

/* Begins, changes or ends (0) measuring for watchers. */
void svc_watch_interval(struct daemon *d, unsigned interval_ms);
void svc_watch_close(struct daemon *d);

/* Ends builds under way. */
void svc_image_close(struct daemon *d);
/* The same for verifications. */
void svc_snapshot_close(struct daemon *d);

#endif
