/* The image mini: an initramfs of busybox, the agent as /init, and the modules that reach the host.
 */
#ifndef VMDECK_IMAGE_MINI_H
#define VMDECK_IMAGE_MINI_H

#include "backend/base/buf.h"
#include "backend/base/hash.h"
#include "backend/image/kernel.h"

#define MINI_PROGRAM_MAX (64u * 1024 * 1024)

struct mini {
	char *agent, *busybox; /* owned: the programs' bytes */
	size_t agent_len, busybox_len;
	char *applets; /* owned: names of busybox, one a line */
};

/* Reads agent and busybox. -ENOENT: missing (says which package); -ENOEXEC: not a static x86-64
 * program. End it by mini_fini, also after a failure. */
int mini_load(struct job *j, struct mini *m, struct err *e);
/* Accepts NULL and zeroed. */
void mini_fini(struct mini *m);

/* Writes the initramfs into out (empty). The same parts give the same bytes. */
int mini_write(const struct mini *m, struct kernel *k, struct buf *out, struct err *e);

/* Hash of what this program puts into mini besides kernel, busybox and agent. */
int mini_config(char out[HASH_HEX], struct err *e);

#endif
