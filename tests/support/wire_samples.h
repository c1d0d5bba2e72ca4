/* One good frame of every payload of agent/wire.h, so that tests can loop over all of them. */
#ifndef VMDECK_TESTS_WIRE_SAMPLES_H
#define VMDECK_TESTS_WIRE_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/wire.h"

/* Room for any frame. */
#define SAMPLE_CAP (WIRE_HEADER + WIRE_PAYLOAD_MAX)

struct wire_sample {
	uint8_t type;
	/* Encodes the sample: the frame's length or -EMSGSIZE. */
	int (*put)(uint8_t *buf, size_t cap);
	/* Decodes any payload as that type and drops what it says: 0 or -errno. */
	int (*get)(const struct wire_frame *f);
};

extern const struct wire_sample wire_samples[];
extern const size_t wire_sample_count;

/* What the samples of HELLO and REQ say, for tests that change something in it. */
void sample_hello(struct wire_hello *m);
void sample_exec_req(struct wire_exec_req *m);

/* Bytes of the sample's network block behind its first one; it is the end of HELLO. */
#define SAMPLE_NETWORK_LEN (4 + 1 + 4 + 2 + 1 + 12 + 14 + 19)

struct wire_str sample_str(const char *s);
/* The bytes from, from + 1, ... */
void sample_fill(uint8_t *p, size_t n, uint8_t from);
/* The frame of len bytes that an encoder put into buf, which must have that type. */
struct wire_frame sample_frame(const uint8_t *buf, int len, uint8_t type);
/* Encodes the sample of that type into buf, which has SAMPLE_CAP bytes. */
struct wire_frame sample_put(uint8_t *buf, uint8_t type);
/* Decodes the frame as its type says. */
int sample_get(const struct wire_frame *f);

#endif
