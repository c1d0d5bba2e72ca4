/* The detach prefix of attach: every key goes to the guest but C-] and the key behind it. No I/O.
 */
#ifndef VMDECK_CLI_PREFIX_H
#define VMDECK_CLI_PREFIX_H

#include <stdbool.h>

#include "backend/base/util.h"

#define PREFIX_KEY  0x1d /* C-] */
#define PREFIX_HELP "C-] d or C-] . detaches, C-] C-] sends C-]"

struct prefix {
	bool pending;
};

enum prefix_event { PREFIX_NONE, PREFIX_DETACH, PREFIX_ASK };

/* Typed bytes in, bytes for the guest out (room for n; in and out may be the same). *ret_n: bytes
 * put out. At DETACH what was typed behind it is dropped. ASK: a key without meaning came after
 * C-]. */
enum prefix_event prefix_feed(
	struct prefix *p, const uint8_t *in, size_t n, uint8_t *out, size_t *ret_n);

#endif
