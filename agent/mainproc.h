/* The guest's main process: a given command, whose end is the guest's, or the image's shell on a
 * terminal, started again whenever it ends. */
#ifndef VMDECK_AGENT_MAINPROC_H
#define VMDECK_AGENT_MAINPROC_H

#include "agent/output.h"

#define MAIN_SHELL    "/bin/sh"
#define MAIN_DRAIN_MS 250
/* A shell that lived shorter than this is not started again at once. */
#define MAIN_RESPAWN_MS 1000

/* The first three as OUT_OPEN's main_state. */
enum main_state { MAIN_NONE = 0, MAIN_RUNNING = 1, MAIN_ENDED = 2, MAIN_DRAINING };

struct agent;

struct mainproc {
	struct agent *agent;
	enum main_state state;
	bool shell, tty;
	uint16_t rows, cols;
	pid_t pid;
	uint64_t started_ns;
	uint8_t how; /* with value: as OUT_MAIN_EXIT */
	int32_t value;
	struct output_source source;
	struct timer timer; /* DRAINING: no data; NONE: the shell's next start */
};

void main_init(struct mainproc *m, struct agent *a);
/* Starts what the first HELLO asks for; later ones find it started. */
void main_start(struct mainproc *m, const struct wire_hello *h);
/* main_start has nothing left to do. */
static inline bool main_was_started(const struct mainproc *m)
{
	return m->started_ns != 0;
}
void main_resize(struct mainproc *m, uint16_t rows, uint16_t cols);
/* SIGHUP to a main process on a terminal, as when a terminal goes away. */
void main_hangup(const struct mainproc *m);
/* pid was reaped. False: not the main process. */
bool main_on_exit(struct mainproc *m, pid_t pid, uint8_t how, int32_t value);
/* It ended, and its last output is still being read. */
static inline bool main_draining(const struct mainproc *m)
{
	return m->state == MAIN_DRAINING;
}
/* As OUT_OPEN wants it. */
uint8_t main_wire_state(const struct mainproc *m);

#endif
