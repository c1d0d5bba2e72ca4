/* The host side of one guest's agent: control and output connections (the guest dials in on the
 * hybrid sockets), health by PING, vitals, the stored output stream. Owns the two listeners. */
#ifndef VMDECK_GUEST_GUEST_H
#define VMDECK_GUEST_GUEST_H

#include <ev.h>
#include <stdbool.h>

#include "agent/wire.h"
#include "backend/base/err.h"
#include "backend/guest/outlog.h"

struct guest;

#define GUEST_DNS_MAX WIRE_DNS_MAX

/* The guest's network interface and resolv.conf. May be changed between two HELLOs: each one says
 * what is here then. */
struct guest_network {
	char address[16]; /* IPv4 text; prefix length in bits */
	uint8_t bits;
	char gateway[16];                          /* IPv4 text, or "": no default route */
	uint16_t mtu;                              /* 0: as it is */
	char dns[GUEST_DNS_MAX][WIRE_DNS_LEN + 1]; /* none: resolv.conf is left as it is */
	int dns_count;
	char search[WIRE_SEARCH_MAX + 1]; /* names with blanks between, or "" */
};

/* What the guest is told in HELLO; strings and vectors are borrowed for the life of the guest. */
struct guest_identity {
	uint8_t instance[WIRE_ID];
	uint8_t generation[WIRE_ID];
	const char *hostname;
	const char *const *argv; /* NULL-ended; NULL: the image's shell */
	const char *const *env;  /* NULL-ended "K=V"; NULL: none */
	bool tty;
	uint16_t rows, cols;
	uint32_t vitals_ms;
	const struct guest_network *network; /* NULL: none */
};

struct guest_callbacks {
	/* The agent dialled the control connection; nothing is known of it yet. May be NULL. */
	void (*on_dial)(struct guest *g);
	/* HELLO_ACK arrived: the guest is itself and serves. Also after each reconnect.
	 * ack->network_why is the guest's own text and valid during the call. */
	void (*on_ready)(struct guest *g, const struct wire_hello_ack *ack);
	/* SERVING arrived: commands are taken, the output is dialled (the rebind is done). May be
	 * NULL. */
	void (*on_serving)(struct guest *g, const struct wire_serving *s);
	/* The output connection was accepted: the guest was told where to go on. May be NULL. */
	void (*on_output_open)(struct guest *g);
	/* The control connection broke (reset, pause, end), or a new one came to nothing (protocol
	 * version, silence); why: a sentence, for people only. It may come back. */
	void (*on_lost)(struct guest *g, const char *why);
	/* The agent speaks another version of the protocol: it will never be ready. May be NULL. */
	void (*on_incompatible)(struct guest *g, const struct err *e);
	/* At most ten a second, however many the guest sends. v->why is the guest's own text. */
	void (*on_vitals)(struct guest *g, const struct wire_vitals *v);
	/* The stored stream grew (outlog_end tells how far): wake followers. */
	void (*on_output)(struct guest *g);
	/* The main process ended; what it wrote is stored. A new daemon is told again. */
	void (*on_main_exit)(struct guest *g, uint8_t how, int32_t value);
	/* The guest says it powers off. reason as WIRE_BYE. */
	void (*on_bye)(struct guest *g, uint8_t reason, int32_t main_status);
	/* For the event log: agent.dial, epoch.publish, epoch.ack, output.accept, output.gap, ...
	 */
	void (*on_log)(struct guest *g, const char *name, const char *fields_json);
};

/* Listens on <vsock_path>_4990 and _4991 (stale sockets are replaced). out is borrowed. -E2BIG: the
 * command and environment do not fit in HELLO; -EINVAL: the network; -ENAMETOOLONG: the path. */
int guest_open(struct guest **ret, struct ev_loop *loop, const char *vsock_path,
	const struct guest_identity *id, struct outlog *out, const struct guest_callbacks *cb,
	void *user, struct err *e);
/* Closes connections and listeners, unlinks the sockets; a ping, quiesce or thaw under way is
 * answered -ENOTCONN, no other callback comes. May be called in a callback of this guest. NULL is
 * fine. */
void guest_close(struct guest *g);
void *guest_user(const struct guest *g);

bool guest_connected(const struct guest *g);

typedef void guest_pong(
	void *user, int r, uint64_t rtt_ns, uint64_t guest_uptime_ns, uint32_t execs);
/* Health without a fork: a few PINGs at a time (else -EBUSY), answered within timeout s or
 * -ETIMEDOUT; -ENOTCONN when the connection broke meanwhile. */
int guest_ping(struct guest *g, double timeout, guest_pong *done, void *user, struct err *e);

typedef void guest_quiesced(void *user, int r, const struct wire_quiesced *q, const struct err *e);
/* Before a snapshot: QUIESCE, answered within limit s (the agent is told the same limit; a little
 * more is waited for its answer). r: 0 with q (which may say that it was not drained), -ETIMEDOUT,
 * -ENOTCONN; q and e are valid during the call. One at a time: -EBUSY. The caller thaws in every
 * case. */
int guest_quiesce(struct guest *g, double limit, guest_quiesced *done, void *user, struct err *e);
typedef void guest_thawed(void *user, int r, bool in_time, int64_t clock_step_ns);
/* THAW with the host's time; done is called within limit s. */
int guest_thaw(struct guest *g, double limit, guest_thawed *done, void *user, struct err *e);
/* Asks for power off; the guest answers BYE and ends. -ENOTCONN when no agent is connected. */
int guest_poweroff(struct guest *g, bool reboot, uint32_t grace_ms, struct err *e);
int guest_set_vitals(struct guest *g, uint32_t interval_ms, struct err *e);

/* Bytes for the main process. Returns how many were taken (0: no credit or queue full;
 * on_input_room of the waiter is called when there is room again), or -ENOTCONN. */
ssize_t guest_input(struct guest *g, const void *data, size_t n);
typedef void guest_input_room(void *user);
/* Asks for one call when guest_input takes bytes again (also after a reconnect). cancel: fn NULL
 * with the same user. */
void guest_want_input(struct guest *g, guest_input_room *fn, void *user);
void guest_resize(struct guest *g, uint16_t rows, uint16_t cols);

#endif
