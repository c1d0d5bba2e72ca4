/* The host's side of agent/wire.h for tests: starts `vmdeck-agent-host --unix` as a real process
 * and talks to it, blocking, every wait with a deadline. Failures are cmocka assertions. */
#ifndef VMDECK_TESTS_AGENT_CLIENT_H
#define VMDECK_TESTS_AGENT_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/wire.h"

/* Generous: the machine may be busy with other builds. */
#define CLIENT_MS 30000

/* One framed connection. */
struct peer {
	int fd; /* -1: closed */
	struct wire_reader in;
	uint8_t buf[WIRE_HEADER + WIRE_PAYLOAD_MAX];
};

void peer_init(struct peer *p, int fd);
void peer_close(struct peer *p);
/* The next frame: 1, 0 at the end of the stream, -ETIMEDOUT after ms. */
int peer_next(struct peer *p, struct wire_frame *f, int ms);
/* The next frame must be of that type. */
void peer_expect(struct peer *p, uint8_t type, struct wire_frame *f);
/* The agent must close within CLIENT_MS; frames before that are read and dropped. */
void peer_expect_end(struct peer *p);
void peer_send(struct peer *p, const void *data, size_t n);
/* A frame of that type with these payload bytes. */
void peer_put(struct peer *p, uint8_t type, const void *payload, size_t n);

struct agent_proc {
	char dir[64], path[96], fifo[96];
	pid_t pid;
	int control_fd, output_fd; /* listeners */
	struct peer control, output;
	uint64_t stored;                    /* output: first byte not stored yet */
	struct wire_serving serving;        /* the last one */
	struct wire_network net;            /* put into each HELLO */
	char network_why[WIRE_WHY_MAX + 1]; /* of the last HELLO_ACK, whose own is gone */
};

/* Somebody dials the listener within ms. */
bool peer_waits(int listener, int ms);
/* A listening UNIX socket at path + suffix. */
int listen_at(const char *path, const char *suffix);
/* Starts the agent; does not answer it yet. */
void agent_start(struct agent_proc *a);
/* The same for one that sets up the network it runs in; etc: its folder of resolv.conf. */
void agent_start_network(struct agent_proc *a, const char *etc);
/* Waits for READY, answers HELLO, waits for HELLO_ACK and SERVING. generation: any byte. argv NULL:
 * the shell. */
void agent_hello(struct agent_proc *a, uint8_t generation, const char *const *argv, bool tty,
	struct wire_hello_ack *ret);
/* Waits for the output connection and resumes it at a->stored. */
void agent_output(struct agent_proc *a, struct wire_out_open *ret);
/* agent_start, agent_hello with a sleeping main process, agent_output. */
void agent_up(struct agent_proc *a);
/* SIGTERM, waits for the end, removes the folder; asserts that it ended well. */
void agent_stop(struct agent_proc *a);
/* Waits for the end of a process: true when it is gone (or a zombie of somebody) within ms. */
bool pid_gone(pid_t pid, int ms);

struct exec_spec {
	const char *const *argv;
	const char *const *env;
	const char *cwd, *user;
	bool in, tty;
	uint16_t rows, cols;
	const uint8_t *id; /* NULL: a fresh one */
};

/* Connects to the agent's socket and says nothing. */
void exec_connect_raw(const struct agent_proc *a, struct peer *p);
/* Connects to the exec port: CONNECT and OK. */
void exec_connect(const struct agent_proc *a, struct peer *p);
void exec_send_req(struct peer *p, const struct exec_spec *s);
/* Connects, REQ, ACK, GO, STARTED (and the first CREDIT): the guest pid. */
pid_t exec_start(const struct agent_proc *a, struct peer *p, const struct exec_spec *s);

struct exec_result {
	uint8_t how;
	int32_t value;
	size_t out_len, err_len; /* all that came; the texts keep the first bytes of it */
	char out[8192], err[2048];
};

/* Collects until EXIT and the end of the stream. */
void exec_finish(struct peer *p, struct exec_result *r);
/* exec_start and exec_finish without stdin. */
void exec_run(const struct agent_proc *a, const struct exec_spec *s, struct exec_result *r);
/* `sh -c script`, which must print `out` and exit 0. */
void exec_expect(const struct agent_proc *a, const char *script, const char *out);
/* REQ must be refused with that code; the sentence goes to why. */
void exec_expect_refused(struct peer *p, uint8_t code, char *why, size_t n);
/* Reads STDOUT frames until the text came. */
void exec_wait_text(struct peer *p, const char *text);

#endif
