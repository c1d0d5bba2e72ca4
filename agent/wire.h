/* The guest wire protocol: ports, frames, payloads and their order, once, for both sides.
 *
 * Guest bytes and host bytes are both hostile to the other side: every decoder checks lengths and
 * ranges and never allocates. Integers are little-endian; strings are u16 length + bytes, no end.
 *
 * frame = u8 type, u8 0, u16 0, u32 payload length (<= WIRE_PAYLOAD_MAX), payload
 *
 * Connections (stream vsock; as UNIX sockets: the hybrid convention, <path> and <path>_<port>):
 *
 *  control  guest dials host WIRE_PORT_CONTROL, keeps it, redials at once after a reset.
 *           g>h READY              h>g HELLO              g>h HELLO_ACK
 *           then at any time: h>g PING, g>h PONG; g>h VITALS each interval that HELLO or
 *           h>g VITALS_EVERY asked for; h>g POWEROFF, g>h BYE.
 *           Same generation as the guest knows: it is the source resumed. New: a clone or restore;
 *           the agent reseeds, steps the clock, fixes identity and network before HELLO_ACK and
 *           serves nothing (exec: connection accepted, REQ not answered, GO not acted on) until
 *           then. The network is set up at each HELLO that has one.
 *           g>h SERVING follows each HELLO_ACK when commands are taken again and the output is
 *           dialled: the rebind is done.
 *           Before a snapshot: h>g QUIESCE. The agent reads its writers no more, sends what its
 *           ring holds, waits until the host stored it and the console has sent its last byte,
 *           then g>h QUIESCED (or at the limit, saying so). From then on it sends nothing of its
 *           own but answers, and takes no new command (REQ is not answered yet, GO not acted on)
 *           until h>g THAW (the source goes on: answered by g>h THAWED, the clock stepped when it
 *           is off) or HELLO (it is a restored copy, or a new daemon). A lost control connection
 *           or the limit, counted again from QUIESCED, thaws it by itself. Each QUIESCE has one
 *           answer, also when another one, THAW or POWEROFF comes before it is drained.
 *  output   guest dials host WIRE_PORT_OUTPUT after each HELLO_ACK; the newest connection wins.
 *           g>h OUT_OPEN           h>g OUT_RESUME         g>h OUT_DATA...   h>g OUT_STORED...
 *           h>g OUT_INPUT within the credit of g>h OUT_CREDIT; h>g OUT_RESIZE; g>h OUT_MAIN_EXIT.
 *           Bytes are numbered from the agent's start (stream id). The agent keeps a byte in its
 *           ring until OUT_STORED passed it; a full ring stops reading the writers (they block):
 *           nothing is dropped.
 *  exec     host dials guest WIRE_PORT_EXEC, one connection a command.
 *           h>g REQ                g>h ACK | REFUSED      h>g GO
 *           Nothing runs before GO; after GO the host never sends the same request again, and the
 *           agent refuses a request id it has seen GO for (at most once).
 *           g>h STARTED, CREDIT (stdin), STDOUT, STDERR, EXIT (last; then the agent closes). A
 *           command that could not be started after all: no STARTED, a sentence as STDERR, EXIT.
 *           h>g STDIN within credit, STDIN_EOF, RESIZE, SIGNAL. A connection lost before EXIT kills
 *           the command's process group (SIGHUP, then SIGKILL).
 */
#ifndef VMDECK_AGENT_WIRE_H
#define VMDECK_AGENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 3

#define WIRE_CID_HOST     2
#define WIRE_PORT_CONTROL 4990
#define WIRE_PORT_OUTPUT  4991
#define WIRE_PORT_EXEC    4992

#define WIRE_HEADER      8
#define WIRE_PAYLOAD_MAX 65536
#define WIRE_CHUNK       32768 /* bytes of data that a side puts in one data frame at most */

#define WIRE_ARGS_MAX 512
#define WIRE_ENVS_MAX 512
#define WIRE_ID       16 /* generation, stream, exec and instance ids: UUID bytes, never a clock */
#define WIRE_ENTROPY  64
#define WIRE_STR_MAX  4096 /* one string other than an argument or variable */

#define WIRE_DNS_MAX    8
#define WIRE_DNS_LEN    46  /* text of one resolver's address */
#define WIRE_SEARCH_MAX 256 /* all names of the search list */
#define WIRE_WHY_MAX    200 /* why the network could not be set up */

#define WIRE_STDIN_CREDIT 65536   /* first CREDIT of an exec with stdin */
#define WIRE_RING         1048576 /* the agent's output ring, bytes */
#define WIRE_EXECS_MAX    64      /* commands at once; one more is REFUSED EAGAIN */
#define WIRE_EXEC_IDS     1024    /* request ids remembered for at-most-once */
#define WIRE_QUIESCE_MS   60000   /* a longer limit of QUIESCE is taken as this */

/* X(NAME, value, payload) */
#define WIRE_FRAMES(X)                                                                             \
	X(READY, 0x01, "ready")                                                                    \
	X(HELLO, 0x02, "hello")                                                                    \
	X(HELLO_ACK, 0x03, "hello_ack")                                                            \
	X(PING, 0x04, "u64 nonce")                                                                 \
	X(PONG, 0x05, "u64 nonce, u64 uptime ns, u32 execs running")                               \
	X(VITALS, 0x06, "vitals")                                                                  \
	X(VITALS_EVERY, 0x07, "u32 interval ms, 0 = off")                                          \
	X(POWEROFF, 0x08, "u8 0 power off, 1 reboot; u32 grace ms for processes")                  \
	X(BYE, 0x09, "u8 reason: 0 asked, 1 main process ended, 2 guest asked; i32 main status")   \
	X(SERVING, 0x0a, "serving")                                                                \
	X(QUIESCE, 0x0b, "u32 limit ms")                                                           \
	X(QUIESCED, 0x0c, "quiesced")                                                              \
	X(THAW, 0x0d, "u64 host CLOCK_REALTIME ns")                                                \
	X(THAWED, 0x0e,                                                                            \
		"u8 1 it was quiesced until now, 0 its limit had passed; i64 clock step ns")       \
	X(OUT_OPEN, 0x20, "out_open")                                                              \
	X(OUT_RESUME, 0x21, "u64 offset: first byte the host has not stored")                      \
	X(OUT_DATA, 0x22, "u64 offset, bytes")                                                     \
	X(OUT_STORED, 0x23, "u64 offset: all before it is stored")                                 \
	X(OUT_INPUT, 0x24, "bytes for the main process' stdin or terminal")                        \
	X(OUT_CREDIT, 0x25, "u32 further input bytes the host may send")                           \
	X(OUT_RESIZE, 0x26, "u16 rows, u16 cols")                                                  \
	X(OUT_MAIN_EXIT, 0x27, "u8 how, i32 value (as EXIT): the main process ended")              \
	X(REQ, 0x40, "exec_req")                                                                   \
	X(ACK, 0x41, "")                                                                           \
	X(REFUSED, 0x42, "u8 exit code as podman (125/126/127), str why")                          \
	X(GO, 0x43, "")                                                                            \
	X(STARTED, 0x44, "u32 guest pid")                                                          \
	X(CREDIT, 0x45, "u32 further stdin bytes the host may send")                               \
	X(STDIN, 0x46, "bytes")                                                                    \
	X(STDIN_EOF, 0x47, "")                                                                     \
	X(STDOUT, 0x48, "bytes (terminal output when tty)")                                        \
	X(STDERR, 0x49, "bytes")                                                                   \
	X(RESIZE, 0x4a, "u16 rows, u16 cols")                                                      \
	X(SIGNAL, 0x4b, "u8 signal number, to the command's process group")                        \
	X(EXIT, 0x4c, "u8 how, i32 value: exit code or signal number")

enum wire_type {
#define X(name, value, payload) WIRE_##name = value,
	WIRE_FRAMES(X)
#undef X
};

enum wire_exit_how {
	WIRE_EXITED = 0,
	WIRE_SIGNALED = 1,
	WIRE_NOT_STARTED = 2 /* value: 126/127 */
};

/* A frame inside the reader's buffer: valid until the next wire_feed/wire_next of that reader. */
struct wire_frame {
	uint8_t type;
	uint32_t len;
	const uint8_t *payload;
};

/* Incremental parser over a caller-owned buffer of WIRE_HEADER + WIRE_PAYLOAD_MAX bytes or more. */
struct wire_reader {
	uint8_t *buf;
	size_t cap, head, len;
};

void wire_reader_init(struct wire_reader *r, void *buf, size_t cap);
/* Room to read into (always > 0 after wire_next returned 0); commit what was read. */
uint8_t *wire_room(struct wire_reader *r, size_t *ret_n);
void wire_commit(struct wire_reader *r, size_t n);
/* 1: *ret_frame is the next frame (consumed at the next call). 0: more bytes needed. -EPROTO:
 * length over the limit, reserved bytes set, or unknown type: give the connection up. */
int wire_next(struct wire_reader *r, struct wire_frame *ret_frame);
/* Writes a header into out[WIRE_HEADER]. */
void wire_header(uint8_t *out, uint8_t type, uint32_t len);
/* "OUT_DATA" or NULL. */
const char *wire_type_name(uint8_t type);

/* Payloads. The structs point into the frame they were decoded from, or, for encoding, to the
 * caller's memory. Encoders write header + payload into out and return the whole length, or
 * -EMSGSIZE when cap or a limit is passed, -EINVAL for a NUL byte inside a string. Decoders return
 * 0 or -EPROTO; trailing bytes, a NUL byte in a string and values out of range are errors. READY
 * and HELLO of another protocol version: -EPROTONOSUPPORT with only `version` filled. */
struct wire_str {
	const char *s; /* not NUL-ended when decoded */
	uint16_t len;
};

struct wire_ready {
	uint32_t version;
	uint8_t boot[WIRE_ID];       /* the guest kernel's boot id */
	uint8_t generation[WIRE_ID]; /* the last HELLO's; all zero after a boot */
	uint64_t uptime_ns;
	struct wire_str agent; /* version text */
};

/* The guest's one network interface, as it shall be after HELLO. Addresses in network order. */
struct wire_network {
	uint8_t present; /* 0: none is asked for, the rest is zero; nothing is touched */
	uint8_t address[4];
	uint8_t bits;       /* of the address' network */
	uint8_t gateway[4]; /* all zero: no default route is made */
	uint16_t mtu;       /* 0: left as it is */
	/* resolv.conf: IPv4 or IPv6 texts; none: the file is left as it is. */
	struct wire_str dns[WIRE_DNS_MAX];
	uint8_t dns_count;
	struct wire_str search; /* names with blanks between, or empty */
};

struct wire_hello {
	uint32_t version;
	uint8_t instance[WIRE_ID];
	uint8_t generation[WIRE_ID];
	uint64_t wall_ns; /* host CLOCK_REALTIME */
	uint8_t entropy[WIRE_ENTROPY];
	uint32_t vitals_ms; /* 0 = off */
	uint8_t tty;        /* main process on a terminal */
	uint16_t rows, cols;
	struct wire_str hostname;
	struct wire_str argv[WIRE_ARGS_MAX]; /* main process; none: the image's shell, respawned */
	uint16_t argc;
	struct wire_str env[WIRE_ENVS_MAX]; /* K=V for the main process and every exec */
	uint16_t envc;
	struct wire_network net;
};

enum wire_network_state {
	WIRE_NETWORK_NONE = 0, /* not asked for */
	WIRE_NETWORK_DONE = 1,
	WIRE_NETWORK_FAILED = 2 /* all that could be done is done */
};

enum wire_verdict { WIRE_BOOTED = 0, WIRE_RESUMED = 1, WIRE_RESTORED = 2 };

struct wire_hello_ack {
	uint8_t generation[WIRE_ID];
	uint8_t verdict;
	uint32_t rng_us, clock_us, identity_us, sockets_us, total_us; /* time each step took */
	int64_t clock_step_ns; /* guest wall clock before the step minus the host's */
	uint64_t uptime_ns;
	uint8_t network; /* enum wire_network_state */
	uint32_t network_us;
	struct wire_str network_why; /* what failed, or empty */
};

struct wire_serving {
	uint32_t execs;   /* commands accepted before this HELLO that still run */
	uint32_t dropped; /* commands of the former host that were ended: the verdict is RESTORED */
	uint32_t us;      /* since HELLO came */
};

struct wire_quiesced {
	uint8_t drained; /* 1: nothing is half-sent or unstored; 0: the limit came first */
	uint32_t us;     /* since QUIESCE came */
	uint32_t execs;  /* commands that run, or wait for GO */
	uint64_t next;   /* offset of the next output byte */
};

#define WIRE_VITAL_UNKNOWN UINT64_MAX /* with the reason in `why` */
/* X(field, help) */
#define WIRE_VITALS(X)                                                                             \
	X(mem_total, "MemTotal, bytes")                                                            \
	X(mem_available, "MemAvailable, bytes")                                                    \
	X(load_milli, "1 min load average x 1000")                                                 \
	X(runnable, "runnable tasks")                                                              \
	X(procs, "processes")                                                                      \
	X(pids_max, "kernel.pid_max")                                                              \
	X(oom_kills, "oom_kill of /proc/vmstat")                                                   \
	X(cpu_ns, "busy time of all vCPUs, ns")                                                    \
	X(cpu_idle_ns, "idle time of all vCPUs, ns")                                               \
	X(cpu_steal_ns, "steal time, ns")                                                          \
	X(run_free, "free bytes of /run")                                                          \
	X(ptys, "pseudo terminals in use")                                                         \
	X(out_ring_used, "bytes of output not stored by the host yet")                             \
	X(execs, "commands running by the agent")

struct wire_vitals {
	uint64_t uptime_ns;
#define X(field, help) uint64_t field;
	WIRE_VITALS(X)
#undef X
	struct wire_str why; /* "mem_total: cannot read /proc/meminfo; ..." for unknown fields */
};

struct wire_out_open {
	uint8_t stream[WIRE_ID];     /* new at each agent start */
	uint8_t generation[WIRE_ID]; /* as known by the guest */
	uint64_t first;              /* oldest byte in the ring */
	uint64_t next;               /* offset of the next byte to be written */
	uint8_t main_state;          /* 0 not started, 1 running, 2 ended */
};

enum wire_req_flags { WIRE_REQ_STDIN = 1, WIRE_REQ_TTY = 2 };

struct wire_exec_req {
	uint8_t id[WIRE_ID];
	uint8_t flags;
	uint16_t rows, cols;
	struct wire_str cwd;  /* empty: / */
	struct wire_str user; /* empty: root; name or UID[:GID] */
	struct wire_str argv[WIRE_ARGS_MAX];
	uint16_t argc; /* >= 1 */
	struct wire_str env[WIRE_ENVS_MAX];
	uint16_t envc;
};

int wire_put_ready(void *out, size_t cap, const struct wire_ready *m);
int wire_get_ready(const struct wire_frame *f, struct wire_ready *m);
int wire_put_hello(void *out, size_t cap, const struct wire_hello *m);
int wire_get_hello(const struct wire_frame *f, struct wire_hello *m);
int wire_put_hello_ack(void *out, size_t cap, const struct wire_hello_ack *m);
int wire_get_hello_ack(const struct wire_frame *f, struct wire_hello_ack *m);
int wire_put_serving(void *out, size_t cap, const struct wire_serving *m);
int wire_get_serving(const struct wire_frame *f, struct wire_serving *m);
int wire_put_quiesced(void *out, size_t cap, const struct wire_quiesced *m);
int wire_get_quiesced(const struct wire_frame *f, struct wire_quiesced *m);
int wire_put_thawed(void *out, size_t cap, uint8_t in_time, int64_t clock_step_ns);
int wire_get_thawed(const struct wire_frame *f, uint8_t *in_time, int64_t *clock_step_ns);
int wire_put_vitals(void *out, size_t cap, const struct wire_vitals *m);
int wire_get_vitals(const struct wire_frame *f, struct wire_vitals *m);
int wire_put_out_open(void *out, size_t cap, const struct wire_out_open *m);
int wire_get_out_open(const struct wire_frame *f, struct wire_out_open *m);
int wire_put_exec_req(void *out, size_t cap, const struct wire_exec_req *m);
int wire_get_exec_req(const struct wire_frame *f, struct wire_exec_req *m);
int wire_put_refused(void *out, size_t cap, uint8_t code, const char *why);
int wire_get_refused(const struct wire_frame *f, uint8_t *ret_code, struct wire_str *ret_why);

/* Small fixed payloads. put: like above; get: 0 or -EPROTO. */
int wire_put_empty(void *out, size_t cap, uint8_t type);
int wire_put_u32(void *out, size_t cap, uint8_t type, uint32_t v);
int wire_get_u32(const struct wire_frame *f, uint32_t *v);
int wire_put_u64(void *out, size_t cap, uint8_t type, uint64_t v);
int wire_get_u64(const struct wire_frame *f, uint64_t *v);
int wire_put_pong(void *out, size_t cap, uint64_t nonce, uint64_t uptime_ns, uint32_t execs);
int wire_get_pong(
	const struct wire_frame *f, uint64_t *nonce, uint64_t *uptime_ns, uint32_t *execs);
int wire_put_size(void *out, size_t cap, uint8_t type, uint16_t rows, uint16_t cols);
int wire_get_size(const struct wire_frame *f, uint16_t *rows, uint16_t *cols);
int wire_put_exit(void *out, size_t cap, uint8_t type, uint8_t how, int32_t value);
int wire_get_exit(const struct wire_frame *f, uint8_t *how, int32_t *value);
int wire_put_poweroff(void *out, size_t cap, uint8_t what, uint32_t grace_ms);
int wire_get_poweroff(const struct wire_frame *f, uint8_t *what, uint32_t *grace_ms);
int wire_put_u8(void *out, size_t cap, uint8_t type, uint8_t v);
int wire_get_u8(const struct wire_frame *f, uint8_t *v);
/* OUT_DATA: offset + bytes. get: *ret_data points into the frame. */
int wire_put_out_data(void *out, size_t cap, uint64_t offset, const void *data, size_t n);
int wire_get_out_data(
	const struct wire_frame *f, uint64_t *offset, const uint8_t **ret_data, uint32_t *ret_n);

#endif
