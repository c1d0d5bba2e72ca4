/* Random guests and host peers against the mux: one interpreter of bytes for the seeded test and
 * the fuzzer. */
#ifndef VMDECK_TESTS_VSOCK_STORM_H
#define VMDECK_TESTS_VSOCK_STORM_H

#include <stddef.h>
#include <stdint.h>

/* What a storm did, to see that it reached something. */
struct storm_count {
	unsigned packets, broken, opened, dialled, resets;
};

/* Does what data says, checking after each step that everything is within its limits. Aborts when
 * something is not. */
void storm_run(const uint8_t *data, size_t n, struct storm_count *count);

#endif
