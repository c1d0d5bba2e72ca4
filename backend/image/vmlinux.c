#include "backend/image/vmlinux.h"

#include <elf.h>
#include <errno.h>
#include <lz4.h>
#include <stdbool.h>
#include <string.h>

/* Setup header of a bzImage, offsets in the file: the kernel's Documentation/x86/boot.rst. */
enum {
	SETUP_SECTS_AT = 0x1f1,
	MAGIC_AT = 0x202, /* "HdrS" */
	VERSION_AT = 0x206,
	PAYLOAD_OFFSET_AT = 0x248, /* from the end of the setup sectors */
	PAYLOAD_LENGTH_AT = 0x24c,
	HEADER_END = 0x250,
	VERSION_WITH_PAYLOAD = 0x208,
};

#define SECTOR          512
#define LZ4_BLOCK_MAX   (8u * 1024 * 1024) /* of the legacy frame, uncompressed */
#define NOTE_PHYS32     18                 /* XEN_ELFNOTE_PHYS32_ENTRY: where PVH begins */
#define PAYLOAD_SIZE_AT 4                  /* from its end: le32, bytes unpacked */

static const struct {
	const char *name;
	uint8_t magic[4];
	size_t len;
} packers[] = {
	{"LZ4", {0x02, 0x21, 0x4c, 0x18}, 4},
	{"gzip", {0x1f, 0x8b}, 2},
	{"xz", {0xfd, '7', 'z', 'X'}, 4},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4},
	{"bzip2", {'B', 'Z', 'h'}, 3},
	{"LZMA", {0x5d, 0x00, 0x00}, 3},
	{"LZO", {0x89, 'L', 'Z', 'O'}, 4},
};

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int damaged(struct err *e)
{
	err_set(e, EBADMSG, "the kernel image is damaged: download it again");
	return -EBADMSG;
}

static int no_kernel(struct err *e, const char *why)
{
	err_set(e, ENOEXEC, "%s", why);
	return -ENOEXEC;
}

/* The compressed payload inside the bzImage. */
static int find_payload(
	const uint8_t *z, size_t len, const uint8_t **ret, size_t *ret_len, struct err *e)
{
	uint64_t sects, at, n;

	if (len < HEADER_END || memcmp(z + MAGIC_AT, "HdrS", 4) != 0 ||
		(z[VERSION_AT] | z[VERSION_AT + 1] << 8) < VERSION_WITH_PAYLOAD)
		return no_kernel(e, "the kernel is no x86 bzImage");
	sects = z[SETUP_SECTS_AT] ? z[SETUP_SECTS_AT] : 4;
	at = (sects + 1) * SECTOR + le32(z + PAYLOAD_OFFSET_AT);
	n = le32(z + PAYLOAD_LENGTH_AT);
	if (at > len || n > len - at || n < 4 + PAYLOAD_SIZE_AT)
		return damaged(e);
	*ret = z + at;
	*ret_len = (size_t)n;
	return 0;
}

static int check_packer(const uint8_t *p, struct err *e)
{
	for (size_t i = 0; i < countof(packers); i++) {
		if (memcmp(p, packers[i].magic, packers[i].len) != 0)
			continue;
		if (i == 0)
			return 0;
		return err_set(e, EOPNOTSUPP,
			"the kernel is compressed by %s, vmdeck unpacks LZ4 only: use Debian's "
			"linux-image-cloud-amd64",
			packers[i].name);
	}
	return err_set(e, EOPNOTSUPP, "the kernel is compressed by something unknown");
}

/* Legacy LZ4 frame: magic, then {le32 packed size, packed bytes} for each 8 MiB. */
static int unpack(const uint8_t *p, size_t n, uint8_t *out, size_t want, struct err *e)
{
	size_t done = 0;

	while (n) {
		uint32_t packed;
		int got;

		if (n < 4)
			return damaged(e);
		packed = le32(p);
		if (packed > n - 4 || packed > (uint32_t)LZ4_compressBound(LZ4_BLOCK_MAX))
			return damaged(e);
		got = LZ4_decompress_safe((const char *)p + 4, (char *)out + done, (int)packed,
			(int)min_of(want - done, (size_t)LZ4_BLOCK_MAX));
		if (got <= 0)
			return damaged(e);
		done += (size_t)got;
		p += 4 + packed;
		n -= 4 + packed;
	}
	return done == want ? 0 : damaged(e);
}

/* Whether the notes hold Xen's PHYS32_ENTRY: what QEMU and Firecracker boot by PVH. */
static bool has_pvh_note(const uint8_t *p, size_t n)
{
	while (n >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		uint64_t name, desc;

		memcpy(&h, p, sizeof(h));
		name = ((uint64_t)h.n_namesz + 3) & ~3ull;
		desc = ((uint64_t)h.n_descsz + 3) & ~3ull;
		if (name > n - sizeof(h) || desc > n - sizeof(h) - name)
			return false;
		if (h.n_type == NOTE_PHYS32 && h.n_namesz == 4 &&
			memcmp(p + sizeof(h), "Xen", 4) == 0)
			return true;
		p += sizeof(h) + name + desc;
		n -= (size_t)(sizeof(h) + name + desc);
	}
	return false;
}

static int check_elf(const uint8_t *p, size_t len, struct err *e)
{
	Elf64_Ehdr h;

	if (len < sizeof(h) || memcmp(p, ELFMAG, SELFMAG) != 0 || p[EI_CLASS] != ELFCLASS64)
		return no_kernel(e, "the kernel image holds no 64-bit ELF file");
	memcpy(&h, p, sizeof(h));
	if (h.e_machine != EM_X86_64)
		return no_kernel(e, "the kernel is not for x86-64");
	for (unsigned i = 0; i < h.e_phnum; i++) {
		uint64_t at = h.e_phoff + (uint64_t)i * sizeof(Elf64_Phdr);
		Elf64_Phdr ph;

		if (h.e_phoff > len || at > len - sizeof(ph))
			return damaged(e);
		memcpy(&ph, p + at, sizeof(ph));
		if (ph.p_offset > len || ph.p_filesz > len - ph.p_offset)
			return damaged(e);
		if (ph.p_type == PT_NOTE && has_pvh_note(p + ph.p_offset, (size_t)ph.p_filesz))
			return 0;
	}
	return no_kernel(e, "the kernel has no PVH entry (CONFIG_PVH)");
}

int vmlinux_unpack(const uint8_t *zimage, size_t len, uint8_t **ret, size_t *ret_len, struct err *e)
{
	const uint8_t *payload = NULL;
	autofree uint8_t *out = NULL;
	size_t n = 0, want;
	int r = find_payload(zimage, len, &payload, &n, e);

	if (!r)
		r = check_packer(payload, e);
	if (r < 0)
		return r;
	want = le32(payload + n - PAYLOAD_SIZE_AT);
	if (!want || want > VMLINUX_MAX)
		return damaged(e);
	out = xcalloc(1, want);
	r = unpack(payload + 4, n - 4 - PAYLOAD_SIZE_AT, out, want, e);
	if (!r)
		r = check_elf(out, want, e);
	if (r < 0)
		return r;
	*ret = steal_ptr(&out);
	*ret_len = want;
	return 0;
}
