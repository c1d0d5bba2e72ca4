/* A guest (host side) under test and the agent's side of its connections, spoken by the test. */
#ifndef VMDECK_TESTS_FAKE_AGENT_H
#define VMDECK_TESTS_FAKE_AGENT_H

#include "backend/guest/guest.h"
#include "tests/support/looptest.h"

/* What the callbacks of the guest under test have seen. */
struct seen {
	int dial, ready, serving, lost, vitals, output_open, output, main_exit, bye;
	struct wire_hello_ack ack;
	struct wire_serving last_serving;
	char why[256];
	uint8_t how, reason;
	int32_t value;
	struct wire_vitals last;
	char log[65536];                    /* "name fields\n" of each event */
	bool close_in_ready;                /* guest_close from inside on_ready */
	void (*on_output)(struct guest *g); /* further listener, or NULL */
	struct guest *g;
	struct outlog *out;
};

extern const uint8_t fake_generation[WIRE_ID];
/* Of the guests opened after it was set; NULL: none. */
extern const struct guest_network *fake_network;

/* The guest with its outlog in t_dir, listening at t_path("v.sock"). argv: the main process. */
void fake_open(struct seen *s);
void fake_open_main(struct seen *s, const char *const *argv, bool tty);
/* Closes both; the outlog's files stay. */
void fake_close(struct seen *s);
int fake_log_count(const struct seen *s, const char *needle);

/* Dials control, READY, takes HELLO. */
void fake_control(struct peer *p);
/* The same and HELLO_ACK with SERVING; waits until the guest serves. */
void fake_serve(struct seen *s, struct peer *p);
/* Dials output with OUT_OPEN; returns the offset of OUT_RESUME. */
uint64_t fake_output(struct peer *p, uint8_t stream, uint64_t first, uint64_t next, int main_state);
void fake_data(struct peer *p, uint64_t offset, const void *data, size_t n);
/* Reads OUT_STORED frames until offset is stored. */
void fake_stored(struct peer *p, uint64_t offset);

#endif
