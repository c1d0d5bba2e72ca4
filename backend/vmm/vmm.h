/* The contract of a VMM driver: one const table of operations, designed against Firecracker and
 * QEMU (facts of both decide it):
 *  - both give a hybrid vsock socket: vsock_path for host-to-guest (CONNECT PORT\n), the driver's
 *    guest dials vsock_path_PORT on the host; the caller listens there before start().
 *  - Firecracker is configured by API calls before InstanceStart and QEMU by its command line, so
 *    configuration is one struct and start() is one asynchronous operation.
 *  - a failed load ends the process on both, so a vmm is never reused.
 *  - on Firecracker 1.16 a bare pause and resume breaks vsock: pause() says so with -EOPNOTSUPP.
 * One operation at a time per vmm (-EBUSY otherwise). Nothing above the drivers knows which one it
 * has, apart from showing its name.
 */
#ifndef VMDECK_VMM_VMM_H
#define VMDECK_VMM_VMM_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/err.h"
#include "backend/base/frozen.h"
#include "backend/base/proc.h"

#define VMM_DISKS_MAX  8
#define VMM_LAYERS_MAX 32

struct vmm;

/* One layer of a disk: the top one is written, those below are only read. */
struct vmm_layer {
	const char *path;
	const char *format; /* "raw", "qcow2" */
};

struct vmm_disk {
	struct vmm_layer layers[VMM_LAYERS_MAX]; /* top first */
	int count;
};

/* A VM that goes on from a snapshot instead of booting. */
struct vmm_incoming {
	const char *state;  /* file with the device state */
	const char *memory; /* file with the guest's memory: mapped copy-on-write, never written */
};

/* A network card, and where the VMM process is to live. The descriptors are the caller's, and need
 * to be open at start() only. */
struct vmm_net {
	const char *mac; /* "02:..." */
	int tap;         /* IFF_TAP|IFF_NO_PI|IFF_VNET_HDR */
	int netns;
	int userns; /* -1: ours */
};

/* Strings are borrowed for the life of the vmm: the owner keeps them. */
struct vmm_config {
	const char *id;      /* 8 hex digits */
	const char *dir;     /* state folder of the VM: "serial.log", "vmm.log",
				"vmm.pid" are made here */
	const char *run_dir; /* runtime folder: qmp.sock or api.sock, v.sock are made here */
	const char *vsock_path;
	const char *kernel; /* uncompressed ELF; kernel, initrd, kernel_args: NULL when incoming */
	const char *initrd;
	const char *kernel_args; /* further ones, or NULL */
	uint32_t vcpus;
	uint32_t mem_mib;
	uint32_t cid;
	const struct vmm_disk *disks; /* in the guest: /dev/vda, vdb, ... */
	int disk_count;
	const struct vmm_incoming *incoming; /* NULL: boot the kernel */
	const struct vmm_net *net;           /* NULL: no network card */
};

/* What a device state fits: it is loaded only into the same. */
struct vmm_machine {
	char version[64]; /* of the VMM program */
	char digest[65]; /* over the machine's definition: devices, processor, memory, disks' number
			  */
	uint32_t tsc_khz; /* rate of this host's time stamp counter */
};

enum vmm_event {
	VMM_EV_RUNNING, /* vCPUs run (also after resume) */
	VMM_EV_PAUSED,
	VMM_EV_POWEROFF, /* the guest asked to power off, halt or (no-reboot) reset */
	VMM_EV_PANIC,
	VMM_EV_EXIT, /* the process is gone; detail: "exit 1: last line of its stderr". Always last.
		      */
};

struct vmm_callbacks {
	/* detail: text for a person, or NULL. May free the vmm only for VMM_EV_EXIT. */
	void (*on_event)(struct vmm *v, enum vmm_event ev, const char *detail);
	/* Progress for the event log: "vmm.spawn", "api.call" with a JSON text of fields. */
	void (*on_log)(struct vmm *v, const char *name, const char *fields_json);
};

/* r: 0, or -errno with e filled. */
typedef void vmm_done(struct vmm *v, int r, const struct err *e);

/* WAITING: the process and its monitor are there, no state is loaded yet (incoming only). */
enum vmm_state {
	VMM_NEW,
	VMM_STARTING,
	VMM_WAITING,
	VMM_RUNNING,
	VMM_PAUSED,
	VMM_GONE,
	VMM__COUNT
};

struct vmm_ops;

/* Drivers embed this first. */
struct vmm {
	const struct vmm_ops *ops;
	struct ev_loop *loop;
	const struct vmm_config *config;
	struct vmm_callbacks cb;
	void *user;
	enum vmm_state state; /* written by the driver only */
	struct proc proc;
};

struct vmm_detect {
	bool found;        /* can run here */
	char program[256]; /* absolute path, or "" */
	char version[64];
	char accel[16]; /* "tcg", "kvm" */
	char why[256];  /* when not found: what is missing and what to do; else a remark or "" */
};

struct vmm_ops {
	const char *name; /* "qemu", "firecracker" */
	/* Looks at this host; quick (one --version process at most, answer cached by path+mtime).
	 */
	void (*detect)(struct vmm_detect *ret);
	/* Makes a vmm that is not started. Never fails but for memory. */
	struct vmm *(*create)(void);
	/* Spawns and brings the guest to its first instruction (RUNNING), or, with config.incoming,
	 * the monitor to its first answer (WAITING); done is called from the loop. An error here or
	 * in done leaves no process and no file. Deadline is the caller's: cancel by destroy. */
	int (*start)(struct vmm *v, vmm_done *done, struct err *e);
	/* Takes over a running one after a daemon restart (vmm.pid in dir); done when its monitor
	 * answered; state is then RUNNING, PAUSED or WAITING. -ESRCH: not alive. After a failure
	 * the process may live: kill ends it. */
	int (*adopt)(struct vmm *v, vmm_done *done, struct err *e);
	/* WAITING -> PAUSED: loads incoming->state. After a failure the process is of no use: kill
	 * it. */
	int (*load)(struct vmm *v, vmm_done *done, struct err *e);
	/* PAUSED stays PAUSED: writes the device state to a new file at state_path and freezes the
	 * guest's memory as it is now: *memory (NONE before, filled when done says 0, the caller's
	 * to end; must live until then) keeps that content while the VM runs on after resume. A
	 * failure leaves a VM that can be resumed, and no file. */
	int (*save)(struct vmm *v, const char *state_path, struct frozen *memory, vmm_done *done,
		struct err *e);
	/* What a state saved by a VM of this configuration fits, or needs, on this host now. Starts
	 * no process but perhaps --version (cached). */
	int (*machine)(const struct vmm_config *c, struct vmm_machine *ret, struct err *e);
	int (*pause)(struct vmm *v, vmm_done *done, struct err *e);
	int (*resume)(struct vmm *v, vmm_done *done, struct err *e);
	/* Ends the process at once (SIGKILL by pidfd); VMM_EV_EXIT follows. What is in dir and
	 * run_dir then is the owner's to remove. No-op without a process. */
	void (*kill)(struct vmm *v);
	/* Frees; leaves the process running (the daemon goes, the VM stays). NULL is fine. */
	void (*destroy)(struct vmm *v);
};

extern const struct vmm_ops vmm_qemu;
extern const struct vmm_ops vmm_firecracker;

/* NULL-ended table of the drivers in this program, in the order `auto` tries them. */
extern const struct vmm_ops *const vmm_drivers[];

/* "auto" or a driver's name. -ENOENT: no such driver (names those there are); -ENODEV: it cannot
 * run here, with why. */
int vmm_pick(
	const char *name, const struct vmm_ops **ret, struct vmm_detect *ret_detect, struct err *e);

/* Sets up the common part; drivers call it from start/adopt callers' side once. */
void vmm_setup(struct vmm *v, struct ev_loop *loop, const struct vmm_config *config,
	const struct vmm_callbacks *cb, void *user);

#endif
