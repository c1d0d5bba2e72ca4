/* VMs of qemu_vm.h that boot the real image mini, with their agent's host side (agent_client.h). */
#ifndef VMDECK_TESTS_MINI_VM_H
#define VMDECK_TESTS_MINI_VM_H

#include "tests/support/agent_client.h"
#include "tests/support/qemu_vm.h"

struct mini_image {
	char kernel[4200], initrd[4200];
};

/* The image of this build, made when it is missing or old (as the end-to-end tests do, in the same
 * place); skips the test without QEMU, or when it cannot be made. */
void mini_need(struct mini_image *ret);

/* Listens where vm's agent will dial. Before the start. */
void mini_listen(struct agent_proc *a, const struct qemu_vm *vm);
/* HELLO with that generation; returns ms until it was answered. The output's connections wait: the
 * main process says nothing. */
double mini_hello(struct agent_proc *a, uint8_t generation);
void mini_close(struct agent_proc *a);

/* An empty qcow2 image that names no base. */
void mini_qcow2(const char *path, uint64_t size);

#endif
