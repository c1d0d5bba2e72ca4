/* The text of VMDECK_VSOCK: "fd=N [ram=N] [private=0|1] path=PATH", in this order, one space each.
 */
#ifndef VMDECK_VSOCK_ENV_H
#define VMDECK_VSOCK_ENV_H

#include <stdbool.h>

struct env {
	int fd;           /* the descriptor that is the vhost device */
	int ram;          /* the file that is guest memory; -1: not said */
	bool privately;   /* its shared mappings become private; needs ram */
	const char *path; /* of the hybrid socket, the rest of the text */
};

/* False: the text is not of that form (*ret is then of no use). ret->path points into s. */
bool env_parse(const char *s, struct env *ret);

#endif
