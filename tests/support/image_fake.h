/* A small kernel package and a static "agent" for image tests: quick, offline, with known content.
 */
#ifndef VMDECK_TESTS_IMAGE_FAKE_H
#define VMDECK_TESTS_IMAGE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/base/buf.h"

#define FAKE_RELEASE "6.1.0-9-test-amd64"
#define FAKE_VMLINUX (1u << 20) /* bytes of the package's kernel unpacked */

/* ELF file of `size` bytes with one PVH note when pvh; machine e.g. EM_X86_64 (caller frees). */
uint8_t *fake_elf(size_t size, uint16_t machine, bool pvh);
/* bzImage around payload bytes as they are. */
void fake_bzimage(struct buf *out, const void *payload, size_t len);
/* The same around elf packed as a legacy LZ4 frame, with its size behind. */
void fake_vmlinuz(struct buf *out, const uint8_t *elf, size_t len);
/* Kernel module with a .modinfo of the given "key=value" texts, ended by NULL; signed: with a fake
 * signature of 100 bytes behind. */
void fake_module(struct buf *out, const char *const *info, bool sign);

void fake_put(const char *path, const void *data, size_t len); /* makes folders */
void fake_text(const char *path, const char *text);

struct fake_package {
	const char *dir;        /* DIR/tree is filled and DIR/kernel.deb built from it */
	const char *no_module;  /* this one is left out */
	const char *extra_need; /* vsock needs this further module, which is there */
	const char *packer;     /* payload's first bytes when not LZ4 */
	bool compressed;        /* modules are NAME.ko.xz */
};
/* Returns the path of the .deb (caller frees). */
char *fake_deb(const struct fake_package *p);

/* libexec/vmdeck-agent in dir, static ELF with `mark` in it. */
void fake_agent_file(const char *dir, const char *mark);

#endif
