/* Kernels of a few bytes for tests that need a real VMM but no guest. */
#ifndef VMDECK_TESTS_PVH_H
#define VMDECK_TESTS_PVH_H

enum pvh_guest {
	PVH_IDLE,  /* writes "hi\n" on the first serial port and halts for good */
	PVH_RESET, /* writes "bye\n" and resets the machine */
	PVH_FLOOD, /* writes 'x' on the serial port for ever */
};

/* Writes an ELF that is booted by its PVH note. 0 or -errno. */
int pvh_write(const char *path, enum pvh_guest guest);

#endif
