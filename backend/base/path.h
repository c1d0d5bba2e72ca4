/* Where things live (DESIGN 2): home for state, runtime directory for sockets, helper programs.
 *
 *   home     $VMDECK_HOME, else /var/lib/vmdeck (root), else $XDG_STATE_HOME/vmdeck, else
 *            ~/.local/state/vmdeck.  images/NAME/ kernels/VERSION/ vms/ID/ vmdeck.db daemon.log
 *            daemon.lock (of who starts the daemon) vmdeckd.lock (of the daemon)
 *   runtime  $VMDECK_RUNTIME, else with $VMDECK_HOME set BASE/vmdeck-<hash of home>, else
 *            BASE/vmdeck (BASE: /run for root, else $XDG_RUNTIME_DIR, else /tmp/vmdeck-<uid>).
 *            daemon.sock vms/ID/{v.sock,v.sock_PORT,qmp.sock}
 *   helpers  vmdeckd, vmdeck-agent, vmdeck-vsock.so: $VMDECK_LIBEXEC, the folder of the running
 *            program, ../lib/vmdeck beside it.
 */
#ifndef VMDECK_BASE_PATH_H
#define VMDECK_BASE_PATH_H

#include <stdbool.h>

#include "backend/base/err.h"

#define SOCKET_PATH_MAX  107 /* sun_path without its end */
#define SOCKET_PORT_ROOM 11  /* "_4294967295" behind the hybrid vsock path */

struct paths {
	char home[512];
	char runtime[100];
	bool runtime_given; /* $VMDECK_RUNTIME: the operator's folder, not ours to remove */
};

/* Finds both folders; makes nothing. -ENAMETOOLONG names the path and the limit when a VM's
 * hybrid socket path would not fit. */
int paths_find(struct paths *p, struct err *e);

/* Makes home (0700) and runtime (0700, owned by us, not a symbolic link: else -EPERM). */
int paths_make(const struct paths *p, struct err *e);

/* Removes runtime/vms and, unless it was given, runtime, when they are empty. For a daemon that
 * ends, while it holds home/daemon.lock: who makes them and then starts a daemon holds it too. */
void paths_unmake(const struct paths *p);

/* Absolute path of a helper program or library into out; -ENOENT names where it was looked for. */
int path_helper(const char *name, char *out, size_t n, struct err *e);

/* Path of an ordinary program in $PATH into out; -ENOENT "qemu-system-x86_64: not found in PATH".
 */
int path_program(const char *name, char *out, size_t n, struct err *e);

#endif
