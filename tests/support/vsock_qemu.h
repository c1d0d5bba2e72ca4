/* Real QEMU with the preloaded library, the project's image and the agent of this build, started
 * and spoken to by the test itself (no driver): what the library does to guest memory is seen from
 * outside, in /proc. Everything has a deadline that fails the test. */
#ifndef VMDECK_TESTS_VSOCK_QEMU_H
#define VMDECK_TESTS_VSOCK_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VQ_MIB  128
#define VQ_SIZE ((size_t)VQ_MIB << 20)
#define VQ_PAGE ((size_t)4096)

struct vq {
	pid_t pid;
	int pidfd, qmp;
	char dir[80], vsock[96]; /* the folder is the caller's */
	char in[16384];          /* of the monitor, not yet taken */
	size_t in_len;
	char migrated[16]; /* status in the last MIGRATION event */
};

/* Skips the test without QEMU or image, and where the run is to be without VMs. */
void vq_need(void);

/* Boots with the file ram_fd as memory; the agent dials dir/v.sock_4990. */
void vq_boot(struct vq *q, const char *dir, int ram_fd);
/* A copy-on-write clone of the file, with the state loaded, and running. */
void vq_clone(struct vq *q, const char *dir, int ram_fd, int state_fd);
/* Kills and reaps; zeroed is fine. */
void vq_end(struct vq *q);

/* One command without arguments, or with (JSON); it must succeed. */
void vq_call(struct vq *q, const char *command, const char *args);
/* Migrates a stopped one to a new memory file, whose descriptor is returned; *size: its bytes. */
int vq_save(struct vq *q, size_t *size);
/* The answer to a first line on the hybrid socket, to its end, in a static buffer. */
const char *vq_line(const struct vq *q, const char *line);

/* The mapping of guest memory: its address, and "rw-s" or "rw-p". There must be one. */
uint64_t vq_map(const struct vq *q, char ret_perms[5]);
/* Memory as the guest has it now, VQ_SIZE bytes; *ret_private: a byte a page, 1: not the file's.
 * The caller frees both; returns the number of private pages. */
size_t vq_memory(const struct vq *q, uint8_t **ret_memory, uint8_t **ret_private);

/* Over the whole of a memory file. */
uint64_t file_hash(int fd);
/* A new memory file with the same content. */
int file_copy(int fd);

#endif
