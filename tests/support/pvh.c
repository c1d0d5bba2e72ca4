#include "tests/support/pvh.h"

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/util.h"

#define LOAD_AT          0x100000u
#define XEN_PHYS32_ENTRY 18
#define PORT_COM1        0x66, 0xba, 0xf8, 0x03 /* mov dx, 0x3f8 */
#define SAY(c)           0xb0, (c), 0xee        /* mov al, c; out dx, al */

/* 32-bit code, entered in protected mode without paging. */
static const uint8_t code_idle[] = {
	PORT_COM1, SAY('h'), SAY('i'), SAY('\n'), 0xfa, 0xf4, 0xeb, 0xfd}; /* cli; 1: hlt; jmp 1b */
static const uint8_t code_reset[] = {PORT_COM1, SAY('b'), SAY('y'), SAY('e'), SAY('\n'), 0x0f, 0x01,
	0x1d, 0x20, 0, 0x10, 0, 0xcc, /* lidt [LOAD_AT + 0x20]: an empty table; int3 */
	[0x20] = 0, 0, 0, 0, 0, 0};
static const uint8_t code_flood[] = {PORT_COM1, 0xb0, 'x', 0xee, 0xeb, 0xfd}; /* 1: out; jmp 1b */

static const struct {
	const uint8_t *code;
	size_t n;
} guests[] = {
	[PVH_IDLE] = {code_idle, sizeof(code_idle)},
	[PVH_RESET] = {code_reset, sizeof(code_reset)},
	[PVH_FLOOD] = {code_flood, sizeof(code_flood)},
};

struct image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr note, load;
	Elf64_Nhdr nhdr;
	char name[4];
	uint64_t entry;
	uint8_t code[64];
} __attribute__((packed));

int pvh_write(const char *path, enum pvh_guest guest)
{
	struct image im = {
		.ehdr = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				 EV_CURRENT},
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = LOAD_AT,
			.e_phoff = offsetof(struct image, note),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2},
		.note = {.p_type = PT_NOTE,
			.p_offset = offsetof(struct image, nhdr),
			.p_filesz = offsetof(struct image, code) - offsetof(struct image, nhdr),
			.p_memsz = offsetof(struct image, code) - offsetof(struct image, nhdr),
			.p_align = 4},
		.load = {.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_offset = offsetof(struct image, code),
			.p_vaddr = LOAD_AT,
			.p_paddr = LOAD_AT,
			.p_filesz = sizeof(im.code),
			.p_memsz = sizeof(im.code),
			.p_align = 1},
		.nhdr = {4, sizeof(im.entry), XEN_PHYS32_ENTRY},
		.name = {'X', 'e', 'n'},
		.entry = LOAD_AT,
	};

	memcpy(im.code, guests[guest].code, min_of(guests[guest].n, sizeof(im.code)));
	return file_write_atomic(path, &im, sizeof(im), 0600, NULL);
}
