/* Commands of the host: a fixed pool of slots, one connection and at most one process each.
 *
 * While the agent does not serve, or is quiesced, WAITING and ACKED read nothing and have no
 * deadline; while it is quiesced, nothing of RUNNING and DRAINING is sent that is not queued yet.
 *
 * state    | from, by                           | deadline            | then
 * ---------+------------------------------------+---------------------+---------------------------
 * FREE     |                                    |                     |
 * PREFACE  | accept (UNIX only)                 | REQUEST_MS          | CONNECT line: WAITING
 * WAITING  | accept                             | REQUEST_MS          | REQ: ACKED or CLOSING
 * ACKED    | REQ accepted                       | GO_MS               | GO: RUNNING or CLOSING
 * RUNNING  | process started                    | none: the host's    | process ends: DRAINING
 * DRAINING | pipes may still hold output        | DRAIN_MS, no data   | all read: CLOSING
 * CLOSING  | EXIT or REFUSED queued             | REFUSED: CLOSE_MS   | sent: FREE
 * LOST     | connection gone, group is hung up  | KILL_MS: SIGKILL    | process ends: FREE
 */
#ifndef VMDECK_AGENT_EXEC_H
#define VMDECK_AGENT_EXEC_H

#include <limits.h>

#include "agent/conn.h"
#include "agent/ring.h"
#include "agent/strpack.h"
#include "agent/user.h"

#define EXEC_REQUEST_MS 10000
#define EXEC_GO_MS      30000
#define EXEC_DRAIN_MS   250
#define EXEC_CLOSE_MS   5000
#define EXEC_KILL_MS    1000

/* Further connections that can be told that all WIRE_EXECS_MAX are taken. */
#define EXEC_SLOTS (WIRE_EXECS_MAX + 8)
/* Two data frames, and room that data never takes for the small ones. */
#define EXEC_RESERVE 8192
#define EXEC_OUT_CAP (2 * (WIRE_HEADER + WIRE_CHUNK) + EXEC_RESERVE)

enum exec_state {
	EXEC_FREE,
	EXEC_PREFACE,
	EXEC_WAITING,
	EXEC_ACKED,
	EXEC_RUNNING,
	EXEC_DRAINING,
	EXEC_CLOSING,
	EXEC_LOST,
};

struct agent;

struct exec {
	struct agent *agent;
	enum exec_state state; /* written by exec_set_state only */
	bool counted;          /* is one of WIRE_EXECS_MAX: from ACK on */
	bool eof;              /* STDIN_EOF came */
	uint8_t id[WIRE_ID];
	uint8_t flags;
	uint16_t rows, cols;
	struct conn conn;
	struct timer timer; /* the deadline of the state */

	/* From ACK to GO. The strings lie in the stdin buffer, which nothing else needs before GO.
	 */
	struct strpack strings; /* cwd, arguments, environment */
	uint16_t argc, envc;
	char path[PATH_MAX];
	struct user user;

	/* From GO on. */
	pid_t pid;        /* 0: none */
	pid_t foreground; /* the terminal's group when the connection was lost */
	struct watch in, out, err;
	struct ring input;
	uint32_t credit; /* stdin bytes taken that the host has not been told of */
	uint8_t how;
	int32_t value;
};

/* Page-aligned, so that a slot's pages can be given back to the kernel. */
struct exec_memory {
	_Alignas(4096) uint8_t in[CONN_IN_CAP];
	uint8_t input[WIRE_STDIN_CREDIT];
	uint8_t out[EXEC_OUT_CAP];
};

struct execs {
	struct agent *agent;
	int listen_slot, null_fd;
	struct timer pause;                  /* no descriptors left: accept again later */
	uint8_t ids[WIRE_EXEC_IDS][WIRE_ID]; /* requests that got GO; a ring */
	uint32_t id_count;
	uint32_t lost; /* since execs_forget_lost; see execs_lost */
	int top;       /* slots from here on are free: looking at each costs a page */
	struct exec slot[EXEC_SLOTS];
	struct exec_memory memory[EXEC_SLOTS];
};

/* The transport must be listening. 0 or -errno. */
int execs_init(struct execs *xs, struct agent *a);
/* The agent serves (again): looks at requests that came meanwhile. */
void execs_serve(struct execs *xs);
/* Drops the connections of commands that run: their host is another machine's now. */
void execs_drop(struct execs *xs);
uint32_t execs_running(const struct execs *xs);
/* Commands that run or wait for GO. */
uint32_t execs_begun(const struct execs *xs);
/* Commands that were ended because their connection was lost while the agent did not serve or was
 * quiesced, or by execs_drop: in a restored copy, those of the former host. Counted since
 * execs_forget_lost. */
uint32_t execs_lost(const struct execs *xs);
void execs_forget_lost(struct execs *xs);
/* Sends and watches anew, as the quiesced state now wants it. */
void execs_pump(struct execs *xs);
/* No frame of a command is half-sent. */
bool execs_drained(const struct execs *xs);
/* Output or EXIT of a command is still on its way to the host. */
bool execs_busy(const struct execs *xs);
/* pid ended and is reaped next: the last moment its number is surely its own. */
void execs_on_zombie(struct execs *xs, pid_t pid);
/* pid was reaped. False: not a command's. */
bool execs_on_exit(struct execs *xs, pid_t pid, uint8_t how, int32_t value);

/* ---- between exec.c, exec_start.c and exec_io.c ---- */

void exec_set_state(struct exec *x, enum exec_state state, uint32_t deadline_ms);
/* The connection is gone or broke the protocol: ends the command too. x may be free afterwards. */
void exec_lost(struct exec *x);
/* Answers REFUSED; x may be free afterwards. */
void exec_refuse(struct exec *x, uint8_t code, const char *why);
/* exec_start.c: REQ and GO. x may be free afterwards. */
void exec_request(struct exec *x, const struct wire_frame *f);
void exec_go(struct exec *x);
/* exec_io.c: a frame for a running command: 0, or -EPROTO. */
int exec_input(struct exec *x, const struct wire_frame *f);
/* Queues what became due (CREDIT, EXIT), sends, sets what is watched. x may be free afterwards. */
void exec_pump(struct exec *x);
/* Watches the agent's ends (stdin, stdout, stderr; -1: none) of the started process: 0 or -errno.
 * The descriptors are taken, also on failure. */
int exec_attach(struct exec *x, const int fd[3]);
void exec_detach(struct exec *x);

#endif
