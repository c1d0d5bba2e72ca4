/* One VM and the host's registry of VMs: state (one enum, one writer), its folder, its VMM, its
 * agent session, the long operations on it. */
#ifndef VMDECK_VM_VM_H
#define VMDECK_VM_VM_H

#include <ev.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/err.h"
#include "backend/base/flow.h"
#include "backend/base/path.h"
#include "backend/guest/guest.h"
#include "backend/health/health.h"
#include "backend/image/image.h"
#include "backend/net/net.h"
#include "backend/snapshot/snapshot.h"
#include "backend/vm/queue.h"
#include "backend/vm/saver.h"
#include "backend/vm/trail.h"
#include "backend/vmm/vmm.h"

#define VMS_MAX      1024 /* of this host, running or not */
#define VM_ID_BYTES  4
#define VM_ID_CHARS  (2 * VM_ID_BYTES)
#define VM_WAITERS   16 /* callers waiting for one VM's stop */
#define VM_GUEST_CID 3

enum vm_state { VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING, VM_STOPPED, VM_FAILED, VM__COUNT };
extern const char *const vm_state_names[VM__COUNT];

enum vm_origin { VM_BOOTED, VM_RESTORED };

struct vm_host;
struct vm;
struct snap;
struct pool;
struct proof;

/* Somebody who follows a VM (attach, logs -f, a running exec). Unlinks itself with vm_unwatch. */
struct vm_watch {
	struct vm_watch *next, *prev;
	struct vm *vm;
	void (*on_output)(struct vm_watch *w);
	/* The state changed; gone: the VM is being removed, w is unlinked already. */
	void (*on_change)(struct vm_watch *w, bool gone);
};

/* The end of an operation. vm: NULL when there is none (any more). */
typedef void vm_done(void *user, struct vm *vm, int r, const struct err *e);

struct vm_waiter {
	vm_done *done;
	void *user;
};

/* What a VM is made of; kept in vm.json. Strings and vectors are owned. */
struct vm_spec {
	char name[64];
	char image[64], image_build[65];
	const struct vmm_ops *driver;
	char accel[16], vmm_version[64];
	char *kernel, *initrd;
	char **argv;  /* NULL-ended; NULL: the image's shell */
	char **env;   /* NULL-ended "K=V" */
	char **disks; /* NULL-ended, of a boot: a size ("2G") or the path of a raw image */
	uint32_t vcpus, mem_mib;
	bool tty;
	struct net_spec network;
	struct health_spec health;
};
void vm_spec_fini(struct vm_spec *s);

/* A disk: files, the top one its own. */
struct vm_disk {
	char *layers[SNAPSHOT_LAYERS_MAX]; /* owned, top first */
	int count;
	char lowest[8]; /* "raw" or "qcow2"; the others are qcow2 */
	uint64_t size;
};

/* What a restore has seen of its chain. */
struct vm_seen {
	bool dial, serving, output, healthy;
};

/* Of a VM that came from a snapshot. */
struct vm_restored {
	struct snapshot from; /* zeroed when adopted: only what is below is known then */
	char snapshot[64];    /* its name, "" for a booted VM */
	uint8_t id[SNAPSHOT_ID];
	bool temporary; /* the snapshot goes with its last clone */
	bool preloaded; /* it came out of the pool */
	char *state, *memory;
	bool first_exec_due; /* its end is still to be put into the timing */
};

struct vm {
	struct vm_host *host;
	struct vm *next, *prev; /* registry (or the pool), oldest first */
	char id[VM_ID_CHARS + 1];
	struct vm_spec spec;
	enum vm_state state; /* vm_set_state alone writes it */
	char reason[400];
	uint64_t created_ns, started_ns, state_since_ns; /* wall clock */
	uint64_t boot_begin_ns, boot_took_ns;            /* monotonic; request to HELLO_ACK */
	uint8_t instance[WIRE_ID], generation[WIRE_ID];

	char *dir, *run_dir, *vsock_path, *serial_path;
	enum vm_origin origin;
	struct vm_restored restored;
	struct vm_seen seen;
	struct vm_disk disks[VMM_DISKS_MAX];
	int disk_count;
	struct vmm_disk vmm_disks[VMM_DISKS_MAX];
	struct vmm_machine machine; /* what its VMM was when it was started; "" not noted */
	struct vmm_incoming incoming;
	struct vmm_config config;
	struct vmm *vmm;
	struct proof *proof; /* of its published ports, under way; NULL: none */
	struct net *net;     /* NULL: none, or not made yet */
	struct vmm_net vmm_net;
	struct guest_network guest_net;
	struct guest *guest;
	struct health health;
	struct guest_identity identity;
	struct outlog *out;
	struct flow flow;
	struct trail trail;
	struct ticket ticket;
	struct task task;
	struct snap *snap;   /* being taken of this VM */
	bool pooled;         /* waits in the pool: no VM of the operator's yet */
	bool wake_adopted;   /* an earlier daemon paused it for a snapshot: it goes on */
	bool adopting;       /* its monitor has not answered this daemon yet */
	char last_event[48]; /* newest of its events, for the reason of a failure */
	struct vm_waiter boot_waiter, waiters[VM_WAITERS], op_waiter;
	enum vm_state op_to; /* of op_waiter */

	bool asked_poweroff, got_bye, gone_from_disk;
	bool main_ended;
	uint8_t main_how;
	int32_t main_value;
	char last_words[300]; /* end of the serial console when a boot failed */
	bool have_ack, have_vitals;
	struct wire_hello_ack ack;
	struct wire_vitals vitals;
	char vitals_why[512];
	uint64_t agent_since_ns, vitals_ns; /* wall clock */
	unsigned execs, attached;           /* streams open now */
	struct vm_watch watches;            /* list head */
};

struct vm_host_callbacks {
	/* vm and vm_name: "" when it is about none. */
	void (*on_event)(void *user, const char *vm, const char *vm_name, const char *name,
		const char *fields_json);
	/* The number of VMs that are alive may have changed. */
	void (*on_change)(void *user);
	/* A boot, restore or snapshot ended; strings live during the call. May be NULL. */
	void (*on_timing)(void *user, const struct timing *t);
	/* Of a restore: its first command ended. May be NULL. */
	void (*on_mark)(void *user, const char *kind, const char *id, const struct timing_phase *p);
	/* For tests of health checks: as vm_network_socket, for VMs without a network, too. May be
	 * NULL. */
	health_open_socket *open_socket;
};

struct vm_host {
	struct ev_loop *loop;
	const struct paths *paths;
	struct vm_host_callbacks cb;
	void *user;
	struct saver *saver;
	struct vm vms; /* list head */
	int count;
	struct queue restores, snapshots; /* what shares the processors, and the disk */
	struct snap *snaps;               /* under way, newest first */
	struct pool *pool;
	const char *cloning; /* snapshot whose clones are being started just now; NULL: none */
};

/* Opens the registry on an existing home; adopts or ends what an earlier daemon left (vm_adopt.c).
 */
int vm_host_open(struct vm_host *h, struct ev_loop *loop, const struct paths *p,
	const struct vm_host_callbacks *cb, void *user, struct err *e);
/* Lets go of everything; VMs that run go on running. */
void vm_host_close(struct vm_host *h);
bool vm_host_busy(const struct vm_host *h); /* a VM is alive */

#define vm_foreach(h, v) for ((v) = (h)->vms.next; (v) != &(h)->vms; (v) = (v)->next)

/* By name, id, or unique prefix of either. -ENOENT, or -EINVAL with the candidates. */
int vm_find(struct vm_host *h, const char *text, struct vm **ret, struct err *e);
/* "mini-3": the lowest number not in use. */
void vm_make_name(struct vm_host *h, const char *image, char *out, size_t n);
/* The same with the first free number above *number, which becomes it. */
void vm_next_name(struct vm_host *h, const char *prefix, int *number, char *out, size_t n);
/* -EEXIST when a VM has the name, -EINVAL when it isn't one. */
int vm_check_new_name(struct vm_host *h, const char *name, struct err *e);

/* Boots a new VM; takes spec's insides. done is called once, perhaps before this returns: with the
 * VM when its agent answered HELLO, without when the boot failed (nothing is left then). */
int vm_boot(struct vm_host *h, struct vm_spec *spec, vm_done *done, void *user, struct err *e);
/* A new VM from a snapshot (name: NULL: made from the snapshot's). done as vm_boot's: with the VM
 * when the whole chain is through and the agent answered a probe. */
int vm_restore(struct vm_host *h, const char *snapshot, const char *name,
	const struct net_wish *network, vm_done *done, void *user, struct err *e);
/* A command's EXIT reached the host: the first one after a restore is part of its timing. */
void vm_exec_ended(struct vm *vm, uint64_t began_mono_ns);
/* Asks for power off, kills after timeout s. done: stopped. */
int vm_stop(struct vm *vm, double timeout, vm_done *done, void *user, struct err *e);
/* Ends the VMM now; a boot under way is cancelled. */
int vm_kill(struct vm *vm, vm_done *done, void *user, struct err *e);
int vm_pause(struct vm *vm, vm_done *done, void *user, struct err *e);
int vm_resume(struct vm *vm, vm_done *done, void *user, struct err *e);
/* Removes a stopped or failed VM: registry at once, files in the background. */
int vm_remove(struct vm *vm, struct err *e);

/* Whether a VM of this spec can be checked as the spec says; -EINVAL with what is missing. */
int vm_health_check(const struct vm_host *h, const struct vm_spec *s, struct err *e);

bool vm_alive(const struct vm *vm);
struct json_object *vm_to_json(struct vm *vm); /* VM of proto.def; the caller's */

void vm_watch(struct vm *vm, struct vm_watch *w);
void vm_unwatch(struct vm_watch *w); /* also when not linked */

/* ---- between the files of this folder ---- */

/* Checks allowed[from] & to, notes reason (may be NULL), saves, tells watchers and the event log.
 */
void vm_set_state(struct vm *vm, enum vm_state to, const char *reason);
struct vm *vm_new(struct vm_host *h, const char *id);
/* Unlinks and frees; closes sessions; leaves processes and files. Who still waits is told
 * -ECANCELED. */
void vm_free(struct vm *vm);
int vm_make_paths(struct vm *vm, struct err *e);
void vm_log_text(struct vm *vm, const char *name, const char *fields_json);
void vm_log(struct vm *vm, const char *name, const char *fmt_json, ...) printf_like(3, 4);
/* fields are taken. */
void vm_log_json(struct vm *vm, const char *name, struct json_object *fields);
/* Writes vm.json; a failure is logged too. */
int vm_save(struct vm *vm, struct err *e);
int vm_load(struct vm *vm, struct err *e); /* vm.json of vm->dir into vm */
/* For a look from outside: -EBADMSG when a VMM lives in the folder home/vms/ID, so that its VM
 * should be in the registry, but its vm.json cannot be read; e says why, *ret_pid is the VMM's. */
int vm_folder_check(const char *dir, pid_t *ret_pid, struct err *e);
/* Whether the VMM that the folder's pid file names is alive. */
bool vm_folder_alive(const char *dir, struct proc_id *ret);
bool vm_id_like(const char *name);                 /* a folder's name is a VM's id */
void vm_files_remove(struct vm *vm);               /* both folders, in the background */
int vm_open_session(struct vm *vm, struct err *e); /* output log and agent listeners */
void vm_close_session(struct vm *vm);
void vm_setup_config(struct vm *vm); /* vm->config from the spec, disks and snapshot */
void vm_setup_vmm(struct vm *vm);    /* makes vm->vmm from the spec and wires its callbacks */
void vm_end(struct vm *vm, enum vm_state to, const char *reason); /* the VMM is gone */
void vm_wake_waiters(struct vm *vm, int r, const struct err *e);
/* Pause or resume: tells who waits for it. */
void vm_answer_op(struct vm *vm, int r, const struct err *e);
/* The takeover ended well: what was asked of the VM meanwhile begins. */
void vm_begin_held_op(struct vm *vm);
int vm_add_waiter(struct vm *vm, vm_done *done, void *user, struct err *e);
/* A step under way for the screen, NULL: none. place: in a queue, 0: none. */
struct json_object *vm_step_json(const struct flow *f, int place);
void vm_boot_continue(struct vm *vm); /* adoption: wait for HELLO of a boot that was under way */
void vm_adopt_all(struct vm_host *h);

/* The checks of its health follow what the VM is (health.c); vm_health_init once it exists,
 * vm_health_fini before its session is closed. */
void vm_health_init(struct vm *vm);
void vm_health_fini(struct vm *vm);
/* Its state is another one. */
void vm_health_follow(struct vm *vm);
/* It was read from disk by a new daemon. */
void vm_health_adopt(struct vm *vm);
/* Its agent answered HELLO, or its connection broke. */
void vm_health_agent(struct vm *vm, bool there);
/* A copy that cannot be checked as its source was (it has no network) is asked by its agent. */
void vm_health_fit(struct vm *vm);
/* The chain of a restore: its agent answered a probe. */
void vm_health_restored(struct vm *vm, uint64_t rtt_ns);
/* A boot that waits for it begins the checks before the VM is RUNNING. */
void vm_health_begin(struct vm *vm);

/* Events that the flows of a VM wait for (flow_event). */
enum vm_flow_event {
	VM_FE_VMM_DONE, /* data: const struct vmm_result * */
	VM_FE_OP_DONE,  /* what else was under way ended: pause or resume, quiesce or thaw */
	VM_FE_READY,    /* the agent answered HELLO */
	VM_FE_EXIT,     /* the VMM is gone; data: detail text */
	VM_FE_GRANTED,  /* its turn in the queue came */
	VM_FE_TASK,     /* a task ended; data: const struct vmm_result * */
	VM_FE_DIAL,     /* the agent dialled */
	VM_FE_SERVING,  /* the rebind is done */
	VM_FE_OUTPUT,   /* the output is accepted */
	VM_FE_PONG,     /* data: const struct vmm_result * */
	VM_FE_NET,      /* the network is made or not; data: const struct vmm_result * */
	VM_FE_PROVED,   /* all published ports have answered */
	VM_FE_HEALTHY,  /* a check was good */
};
struct vmm_result {
	int r;
	const struct err *e;
};

#endif
