/* The first line of a host peer, without its end of line. */
#ifndef VMDECK_VSOCK_LINE_H
#define VMDECK_VSOCK_LINE_H

#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_BYTES 32 /* with its end of line (Firecracker's limit) */

enum line {
	LINE_BAD,
	LINE_CONNECT,       /* "CONNECT <port>", any case, further words ignored */
	LINE_MEMORY_STATE,  /* "MEMORY state", exactly */
	LINE_MEMORY_PRIVATE /* "MEMORY private", exactly */
};

/* What the line asks for; *ret_port is set for LINE_CONNECT only. Any bytes. */
enum line line_parse(const char *line, size_t len, uint32_t *ret_port);

#endif
