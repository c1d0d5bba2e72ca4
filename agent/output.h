/* The guest's numbered output stream: what the main process and writers of the FIFO write, kept in
 * a ring until the host stored it. A full ring stops reading the writers; nothing is dropped. */
#ifndef VMDECK_AGENT_OUTPUT_H
#define VMDECK_AGENT_OUTPUT_H

#include "agent/link.h"
#include "agent/ring.h"

#define OUTPUT_SMALL_CAP 4096  /* frames that are not data */
#define OUTPUT_INPUT     16384 /* host's input not taken by the main process yet */
#define OUTPUT_SOURCES   2

struct agent;

/* A descriptor whose bytes go into the stream. */
struct output_source {
	struct output *output;
	struct watch w;
	/* Each time bytes came (false) and once at the end (true, already closed). */
	void (*on_data)(void *user, bool end);
	void *user;
};

/* The data frame being sent: header and bytes that are in the ring. */
struct output_frame {
	uint8_t header[WIRE_HEADER + 8];
	size_t header_left;
	uint64_t end; /* offset behind its last byte; sent == end: none is being sent */
};

struct output {
	struct agent *agent;
	struct link link;
	bool resumed; /* the host said where it is: data may flow */
	uint8_t stream[WIRE_ID];
	struct ring ring;
	uint64_t sent;
	struct output_frame frame;
	struct output_source fifo;
	struct output_source *sources[OUTPUT_SOURCES];

	/* The way back: bytes for the main process. */
	struct ring input;
	struct watch input_to; /* -1: nobody takes input */
	uint32_t credit;       /* room the host has not been told of */
	bool main_exit_due;    /* OUT_MAIN_EXIT to be sent on this connection, behind the data */

	uint8_t ring_buf[WIRE_RING], input_buf[OUTPUT_INPUT];
	uint8_t in[CONN_IN_CAP], small[OUTPUT_SMALL_CAP];
};

/* fifo: path to make and read, or NULL. 0 or -errno with the reason said on the console. */
int output_init(struct output *o, struct agent *a, const char *fifo);
/* Dials the host; an earlier connection is dropped. */
void output_dial(struct output *o);
/* The control connection is gone: dials no more until output_dial; a connection that works stays.
 */
void output_hold(struct output *o);
/* As link_close. */
void output_close(struct output *o, uint32_t ms);
/* Adds a descriptor (taken); 0 or -errno. */
int output_attach(struct output *o, struct output_source *s, int fd);
void output_detach(struct output *o, struct output_source *s);
/* The agent's own words in the stream, as far as there is room. */
void output_text(struct output *o, const char *text);
/* Where OUT_INPUT goes (taken); -1 stops it and drops what waits. */
void output_set_input(struct output *o, int fd);
/* The main process ended: tells the host, behind the last byte. */
void output_main_exit(struct output *o);
/* The host has stored all bytes. */
bool output_stored(const struct output *o);
/* The writers wait: for room in the ring, or because the guest is quiesced. */
bool output_blocked(const struct output *o);
/* Nothing is half-sent, and the host has stored all bytes. */
bool output_drained(const struct output *o);
/* The guest is not quiesced any more: dials again if the connection was lost meanwhile. */
void output_thaw(struct output *o);

/* ---- between output.c and output_input.c ---- */

/* Everything that may have become possible: sending, reading the sources, passing input on. */
void output_pump(struct output *o);
/* Gives waiting input to the main process; without one it is dropped, and counted as taken. */
void output_input_write(struct output *o);
/* OUT_INPUT: 0, or -EPROTO when it is more than the credit allows. */
int output_on_input(struct output *o, const struct wire_frame *f);

#endif
