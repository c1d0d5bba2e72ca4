/* The VMM drivers in this program, in the order `auto` tries them. Apart from pick.c, so that the
 * daemon for tests can have another table. */
#include "backend/vmm/vmm.h"

const struct vmm_ops *const vmm_drivers[] = {&vmm_firecracker, &vmm_qemu, NULL};
