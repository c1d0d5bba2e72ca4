/* Inside the QEMU driver: what its files share.
 *   qemu.c          the table of operations, one operation at a time
 *   qemu_start.c    from a configuration to a process
 *   qemu_session.c  what the monitor and the process say
 *   qemu_cmd.c      the command line      qemu_detect.c   what this host has */
#ifndef VMDECK_VMM_QEMU_H
#define VMDECK_VMM_QEMU_H

#include "backend/vmm/log_cap.h"
#include "backend/vmm/qmp_io.h"
#include "backend/vmm/vmm.h"

enum qemu_op { QEMU_IDLE, QEMU_START, QEMU_ADOPT, QEMU_PAUSE, QEMU_RESUME, QEMU_OP__COUNT };

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

	/* After SHUTDOWN the process has to end by itself; QEMU 7.2 hangs in monitor_cleanup when
	 * a command was under way at that moment. */
	ev_timer shutdown_limit;
	char shutdown[32]; /* QEMU's reason, "" before */
	bool hung;         /* killed by shutdown_limit */
};

/* qemu.c */
void qemu_op_end(struct qemu *q, int r, const struct err *e);
/* Ends the operation now: calls done, after which q may be freed. */
void qemu_op_deliver(struct qemu *q);
void qemu_make_paths(struct qemu *q);
void qemu_log(struct qemu *q, const char *name, struct json_object *fields); /* takes fields */

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

/* qemu_detect.c */
void qemu_detect(struct vmm_detect *ret);
/* Rate of the time stamp counter for the guest's kernel; exact without waiting because detection
 * took the first sample earlier. */
int qemu_tsc_khz(uint32_t *ret, struct err *e);

#endif
