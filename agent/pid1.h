/* What PID 1 of a small guest does before anything else: filesystems, console, loopback, modules.
 */
#ifndef VMDECK_AGENT_PID1_H
#define VMDECK_AGENT_PID1_H

#define PID1_RUN_DIR      "/run/vmdeck"
#define PID1_OUTPUT_FIFO  PID1_RUN_DIR "/output"
#define PID1_MODULES      "/etc/vmdeck/modules"
#define PID1_MODULES_LATE "/etc/vmdeck/modules.late"
/* With a network device only; these need not be there. */
#define PID1_MODULES_NET      "/etc/vmdeck/modules.net"
#define PID1_MODULES_NET_LATE "/etc/vmdeck/modules.net.late"
#define PID1_ETC              "/etc"

/* Mounts and console; reads vmdeck.debug from the kernel line into agent_debug (*ret_debug). What
 * fails is said on the console; nothing here ends the guest. */
void pid1_setup(_Bool *ret_debug);

/* modules.c: loads the kernel modules that the file names, one path a line (parameters may follow
 * it), in order; '#' starts a comment. A module that is there already is fine. */
void modules_load(const char *path);
/* The same by a child of lowest priority: drivers that nothing before the first command needs. A
 * file that is not there is fine. */
void modules_load_late(const char *path);

#endif
