/* Inside the QEMU driver: what its files share.
 *   qemu.c          the table of operations, one operation at a time
 *   qemu_start.c    from a configuration to a process
 *   qemu_session.c  what the monitor and the process say
 *   qemu_load.c     a snapshot's device state into a waiting process
 *   qemu_save.c     the device state out of a paused one, beside qemu_freeze.c: its memory
 *   qemu_settle.c   the end of a save that nobody waits for
 *   qemu_cmd.c      the command line      qemu_disks.c    its part about disks
 *   qemu_detect.c   what this host has    qemu_machine.c  what a state fits */
#ifndef VMDECK_VMM_QEMU_H
#define VMDECK_VMM_QEMU_H

#include "backend/vmm/log_cap.h"
#include "backend/vmm/qmp_io.h"
#include "backend/vmm/vmm.h"

enum qemu_op {
	QEMU_IDLE,
	QEMU_START,
	QEMU_ADOPT,
	QEMU_LOAD,
	QEMU_SAVE,
	QEMU_PAUSE,
	QEMU_RESUME,
	QEMU_OP__COUNT
};

/* Whether a migration of former times may be under way; then asked, ended before the answer came,
 * or cancelled. */
enum qemu_settle { QEMU_SETTLED, QEMU_UNSETTLED, QEMU_ASKED, QEMU_ENDED, QEMU_CANCELLED };

struct qemu_save;

struct qemu {
	struct vmm base;
	struct qmp_io qmp;
	char *qmp_path, *pid_path, *serial_path, *log_path,
		*ram_path; /* NULL before the first use */
	struct log_cap serial_cap, log_cap;
	off_t log_from; /* where this process' messages begin in vmm.log */

	/* The operation under way. It ends by qemu_op_end; `end` then calls done from the loop. */
	enum qemu_op op;
	vmm_done *done;
	ev_timer limit, end;
	bool answered, confirmed; /* pause, resume: QEMU returned; its event came */
	bool ending;              /* result and why are set */
	bool lost;                /* the monitor closed; why says it, the process' end may follow */
	int result;
	struct err why;
	uint64_t begin_ns;      /* when it began, CLOCK_MONOTONIC */
	struct qemu_save *save; /* of a save under way */
	enum qemu_settle settle;

	/* After SHUTDOWN the process has to end by itself; QEMU 7.2 hangs in monitor_cleanup when
	 * a command was under way at that moment. */
	ev_timer shutdown_limit;
	char shutdown[32]; /* QEMU's reason, "" before */
	bool hung;         /* killed by shutdown_limit */
	bool *destroyed;   /* of who calls out and looks at q again afterwards; NULL: nobody */
};

/* qemu.c */
void qemu_op_end(struct qemu *q, int r, const struct err *e);
/* Ends the operation now: calls done, after which q may be freed. */
void qemu_op_deliver(struct qemu *q);
void qemu_make_paths(struct qemu *q);
void qemu_log(struct qemu *q, const char *name, struct json_object *fields); /* takes fields */
/* Sends a command of the operation under way; takes args. fn's user is q. A command that cannot be
 * sent is an error of that kind only: -errno with e. */
int qemu_call(struct qemu *q, const char *command, struct json_object *args, int pass_fd,
	qmp_reply *fn, struct err *e);
double qemu_ms_since(uint64_t begin_ns);

/* qemu_start.c */
int qemu_spawn(struct qemu *q, struct err *e);
/* Kills the process and waits for its end (bounded), removes what start made. */
void qemu_undo_start(struct qemu *q);
void qemu_remove_files(struct qemu *q);

/* qemu_session.c */
int qemu_connect(struct qemu *q, struct err *e);
/* Sends the command of the operation under way; called when the monitor is ready. */
void qemu_op_send(struct qemu *q);
void qemu_session_init(struct qemu *q);
void qemu_session_stop(struct qemu *q); /* closes the monitor, stops what watches */
/* The only writer of a VM's state. */
void qemu_set_state(struct qemu *q, enum vmm_state to);
void qemu_on_exit(struct proc *p, int status);

/* qemu_load.c */
/* Fail closed: 0 only when the kernel says that the process cannot write to the snapshot's memory
 * file and has all of it mapped. */
int qemu_load_check(struct qemu *q, struct err *e);
int qemu_load_send(struct qemu *q, struct err *e);
void qemu_load_event(struct qemu *q, const char *status);
/* {"capabilities": ...} for migrate-set-capabilities, the same on both sides; {"fdname": "state"}
 * for getfd; {"uri": "fd:state"} for migrate and migrate-incoming. */
struct json_object *qemu_migrate_capabilities(void);
struct json_object *qemu_migrate_fdname(void);
struct json_object *qemu_migrate_uri(void);
/* Reason of a failed migration in the answer to query-migrate; -EIO with e. */
int qemu_migrate_why(struct json_object *result, struct err *e);

/* qemu_save.c */
int qemu_save_begin(struct qemu *q, const char *state_path, struct frozen *memory, struct err *e);
int qemu_save_send(struct qemu *q, struct err *e);
void qemu_save_event(struct qemu *q, const char *status);
/* What it waits for, for the sentence when that does not come. */
const char *qemu_save_waits(const struct qemu *q);
/* The operation ended with r, or its owner goes (r < 0): hands the memory over, or undoes all. No
 * save under way is fine. */
void qemu_save_end(struct qemu *q, int r);

/* qemu_settle.c: sends the operation's command when nothing of former times is under way. */
int qemu_settle(struct qemu *q, struct err *e);
void qemu_settle_event(struct qemu *q, const char *status);

/* qemu_machine.c */
int qemu_machine(const struct vmm_config *c, struct vmm_machine *ret, struct err *e);

/* qemu_detect.c */
void qemu_detect(struct vmm_detect *ret);
/* Rate of the time stamp counter for the guest's kernel; exact without waiting because detection
 * took the first sample earlier. */
int qemu_tsc_khz(uint32_t *ret, struct err *e);

#endif
