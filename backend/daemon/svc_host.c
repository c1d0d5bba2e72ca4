/* Calls about the host and the daemon itself: hello, events, doctor, daemon.stop. */
#include <errno.h>
#include <unistd.h>

#include "backend/base/jsonx.h"
#include "backend/daemon/daemon.h"
#include "backend/daemon/doctor.h"
#include "backend/daemon/sweep.h"

#define EVENTS_DEFAULT 100

static void handle_hello(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct json_object *o;
	struct err e = {0};
	int64_t theirs = jsonx_int(params, "protocol", 0);

	if (theirs != PROTO_VERSION) {
		err_set(&e, EPROTO, "vmdeckd %s (pid %d) speaks protocol %d, the client %d",
			VMDECK_VERSION, (int)getpid(), PROTO_VERSION, (int)theirs);
		rpc_fail(call, &e);
		return;
	}
	if (jsonx_bool(params, "read_only", false))
		rpc_set_read_only(call);
	o = json_object_new_object();
	jsonx_add_str(o, "version", VMDECK_VERSION);
	jsonx_add_int(o, "protocol", PROTO_VERSION);
	jsonx_add_int(o, "pid", getpid());
	jsonx_add_int(o, "uid", geteuid());
	jsonx_add_str(o, "home", d->paths.home);
	jsonx_add_str(o, "runtime", d->paths.runtime);
	json_object_object_add(o, "started_ns", json_object_new_uint64(d->started_ns));
	json_object_object_add(o, "seq", json_object_new_uint64(events_seq(d->events)));
	rpc_reply(call, o);
}

static void handle_events(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *who = jsonx_str(params, "vm");
	struct json_object *list;
	struct err e = {0};
	struct vm *vm;

	/* A removed VM is found by the id its events carry. */
	if (who && vm_find(&d->vms, who, &vm, NULL) == 0)
		who = vm->id;
	if (events_list(d->events, who, (uint64_t)jsonx_int(params, "since", 0),
		    (int)jsonx_int(params, "limit", EVENTS_DEFAULT), &list, &e) < 0)
		rpc_fail(call, &e);
	else
		rpc_reply(call, list);
}

static void handle_doctor(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);

	(void)params;
	rpc_reply(call, doctor_run(&d->paths));
}

static void handle_sweep(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct json_object *list;
	struct err e = {0};

	(void)params;
	if (sweep_network(&d->paths, true, &list, &e) < 0)
		rpc_fail(call, &e);
	else
		rpc_reply(call, list);
}

static void handle_stop(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);

	(void)params;
	rpc_reply(call, json_object_new_object());
	daemon_stop(d, "request");
}

void svc_host_register(rpc_handler **handlers)
{
	handlers[PROTO_HELLO] = handle_hello;
	handlers[PROTO_EVENT_LIST] = handle_events;
	handlers[PROTO_DOCTOR] = handle_doctor;
	handlers[PROTO_NET_SWEEP] = handle_sweep;
	handlers[PROTO_DAEMON_STOP] = handle_stop;
}
