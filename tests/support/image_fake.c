#include "tests/support/image_fake.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/file.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void fake_put(const char *path, const void *data, size_t len)
{
	autofree char *dir = xstrdup(path);
	autofd int fd = -1;

	*strrchr(dir, '/') = '\0';
	must(dir_make(dir, 0755, NULL) == 0, dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	must(fd >= 0 && write(fd, data, len) == (ssize_t)len, path);
}

void fake_text(const char *path, const char *text)
{
	fake_put(path, text, strlen(text));
}

uint8_t *fake_elf(size_t size, uint16_t machine, bool pvh)
{
	static const struct {
		Elf64_Nhdr h;
		char name[4];
		uint32_t entry;
	} note = {{4, 4, 18}, "Xen", 0x1000000};
	uint8_t *p = xcalloc(1, size);
	Elf64_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = machine,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = pvh ? 1 : 0};
	Elf64_Phdr ph = {
		.p_type = PT_NOTE, .p_offset = sizeof(h) + sizeof(ph), .p_filesz = sizeof(note)};

	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), &ph, sizeof(ph));
	memcpy(p + sizeof(h) + sizeof(ph), &note, sizeof(note));
	for (size_t i = 4096; i + 8 < size; i += 4096)
		memcpy(p + i, &i, sizeof(i));
	return p;
}

static void add(struct buf *out, const void *p, size_t n)
{
	must(buf_append(out, p, n) == 0, "buf_append");
}

void fake_bzimage(struct buf *out, const void *payload, size_t len)
{
	uint8_t head[2 * 512 + 64] = {0};
	uint32_t at = 64, n = (uint32_t)len;

	head[0x1f1] = 1; /* one setup sector behind the boot sector */
	memcpy(head + 0x202, "HdrS", 4);
	head[0x206] = 0x0f;
	head[0x207] = 0x02;
	memcpy(head + 0x248, &at, 4);
	memcpy(head + 0x24c, &n, 4);
	add(out, head, sizeof(head));
	add(out, payload, len);
	add(out, "tail", 4);
}

void fake_vmlinuz(struct buf *out, const uint8_t *elf, size_t len)
{
	const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
	const size_t block = 8 << 20;
	uint32_t size = (uint32_t)len;
	struct buf b;

	buf_init(&b, 0);
	add(&b, magic, 4);
	for (size_t at = 0; at < len; at += block) {
		size_t n = min_of(block, len - at);
		int bound = LZ4_compressBound((int)n);
		autofree char *packed = xcalloc(1, (size_t)bound);
		int m = LZ4_compress_default((const char *)elf + at, packed, (int)n, bound);
		uint32_t le = (uint32_t)m;

		add(&b, &le, 4);
		add(&b, packed, (size_t)m);
	}
	add(&b, &size, 4);
	fake_bzimage(out, buf_peek(&b), b.len);
	buf_fini(&b);
}

void fake_module(struct buf *out, const char *const *info, bool sign)
{
	static const char names[] = "\0.shstrtab\0.modinfo";
	Elf64_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
		.e_shstrndx = 1};
	Elf64_Shdr s[3] = {{0}, {.sh_name = 1, .sh_type = SHT_STRTAB}, {.sh_name = 11}};
	struct buf text;

	buf_init(&text, 0);
	for (; *info; info++)
		add(&text, *info, strlen(*info) + 1);
	s[1].sh_offset = sizeof(h);
	s[1].sh_size = sizeof(names);
	s[2].sh_type = SHT_PROGBITS;
	s[2].sh_offset = sizeof(h) + sizeof(names);
	s[2].sh_size = text.len;
	h.e_shoff = s[2].sh_offset + text.len;
	add(out, &h, sizeof(h));
	add(out, names, sizeof(names));
	if (text.len)
		add(out, buf_peek(&text), text.len);
	add(out, s, sizeof(s));
	buf_fini(&text);
	if (sign) {
		uint8_t sig[100 + 12] = {0};

		sig[111] = 100;
		add(out, sig, sizeof(sig));
		add(out, "~Module signature appended~\n", 28);
	}
}

static const struct {
	const char *path, *needs;
} modules[] = {
	{"drivers/virtio/virtio_ring", "depends="},
	{"drivers/virtio/virtio", "depends=virtio_ring"},
	{"drivers/virtio/virtio_mmio", "depends=virtio,virtio_ring"},
	{"drivers/block/virtio_blk", "depends=virtio,virtio_ring"},
	{"net/core/failover", "depends="},
	{"drivers/net/net_failover", "depends=failover"},
	{"drivers/net/virtio_net", "depends=virtio_ring,virtio,net_failover"},
	{"net/ipv4/inet_diag", "depends="},
	{"net/ipv4/tcp_diag", "depends=inet_diag"},
	{"drivers/char/hw_random/virtio-rng", "depends=virtio,virtio_ring"},
	{"drivers/virtio/virtio_balloon", "depends=virtio,virtio_ring"},
	{"net/vmw_vsock/vsock", "depends="},
	{"net/vmw_vsock/vmw_vsock_virtio_transport_common", "depends=vsock"},
	{"net/vmw_vsock/vmw_vsock_virtio_transport",
		"depends=virtio,vmw_vsock_virtio_transport_common,virtio_ring,vsock"},
	{"net/unwanted", "depends="},
};

static void put_module(const struct fake_package *p, const char *path, const char *needs)
{
	autofree char *file = xasprintf("%s/tree/lib/modules/" FAKE_RELEASE "/kernel/%s.ko%s",
		p->dir, path, p->compressed ? ".xz" : "");
	autofree char *alias = xasprintf("alias=fake:%s", strrchr(path, '/') + 1);
	const char *info[] = {"license=GPL", alias, needs, NULL};
	struct buf b;

	buf_init(&b, 0);
	fake_module(&b, info, true);
	fake_put(file, buf_peek(&b), b.len);
	buf_fini(&b);
}

static void put_modules(const struct fake_package *p)
{
	for (size_t i = 0; i < countof(modules); i++) {
		const char *name = strrchr(modules[i].path, '/') + 1, *needs = modules[i].needs;
		autofree char *more = NULL;

		if (p->no_module && strcmp(p->no_module, name) == 0)
			continue;
		if (p->extra_need && strcmp(name, "vsock") == 0)
			needs = more = xasprintf("depends=%s", p->extra_need);
		put_module(p, modules[i].path, needs);
	}
	if (p->extra_need) {
		autofree char *path = xasprintf("lib/%s", p->extra_need);

		put_module(p, path, "depends=builtin_one");
	}
}

static void put_kernel(const struct fake_package *p)
{
	autofree char *vmlinuz = xasprintf("%s/tree/boot/vmlinuz-" FAKE_RELEASE, p->dir);
	autofree char *config = xasprintf("%s/tree/boot/config-" FAKE_RELEASE, p->dir);
	autofree char *builtin =
		xasprintf("%s/tree/lib/modules/" FAKE_RELEASE "/modules.builtin", p->dir);
	autofree uint8_t *elf = fake_elf(FAKE_VMLINUX, EM_X86_64, true);
	struct buf b;

	buf_init(&b, 0);
	if (p->packer)
		fake_bzimage(&b, p->packer, strlen(p->packer) + 1);
	else
		fake_vmlinuz(&b, elf, FAKE_VMLINUX);
	fake_put(vmlinuz, buf_peek(&b), b.len);
	buf_fini(&b);
	fake_text(config, "CONFIG_PVH=y\n");
	fake_text(builtin, "kernel/fs/ext4/ext4.ko\nkernel/lib/builtin-one.ko\n");
}

char *fake_deb(const struct fake_package *p)
{
	autofree char *tree = xasprintf("%s/tree", p->dir);
	autofree char *control = xasprintf("%s/tree/DEBIAN/control", p->dir);
	char *deb = xasprintf("%s/kernel.deb", p->dir);
	int status = 0;
	pid_t pid;

	must(tree_remove(tree, NULL) == 0, tree);
	put_kernel(p);
	put_modules(p);
	fake_text(control, "Package: linux-image-" FAKE_RELEASE "\nVersion: 6.1.9-1\n"
			   "Architecture: amd64\nMaintainer: test <test@localhost>\n"
			   "Installed-Size: 2000\nDescription: fake kernel\n");
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execlp("dpkg-deb", "dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, deb,
			(char *)NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0, "dpkg-deb");
	return deb;
}

void fake_agent_file(const char *dir, const char *mark)
{
	autofree char *path = xasprintf("%s/libexec/vmdeck-agent", dir);
	autofree uint8_t *elf = fake_elf(8192, EM_X86_64, false);

	snprintf((char *)elf + 4200, 100, "%s", mark);
	fake_put(path, elf, 8192);
}
