#include "backend/image/mini.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/image/cpio.h"
#include "backend/image/run.h"

#define APPLETS_MAX (64 * 1024)

static const struct {
	const char *path;
	mode_t mode;
} dirs[] = {
	{".", 0755}, /* the kernel makes its root writable for all */
	{"bin", 0755},
	{"dev", 0755},
	{"etc", 0755},
	{"etc/vmdeck", 0755},
	{"lib", 0755},
	{"lib/modules", 0755},
	{"mnt", 0755},
	{"proc", 0555},
	{"root", 0700},
	{"run", 0755},
	{"sys", 0555},
	{"tmp", 01777},
	{"usr", 0755},
	{"var", 0755},
	{"var/log", 0755},
	{"var/tmp", 01777},
};

static const struct {
	const char *path, *target;
} links[] = {
	{"sbin", "bin"}, /* the kernel calls /sbin/modprobe */
	{"usr/bin", "../bin"},
	{"usr/sbin", "../bin"},
	{"var/run", "../run"},
	{"etc/mtab", "../proc/self/mounts"},
};

static const struct {
	const char *path, *text;
} files[] = {
	{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
		       "nobody:x:65534:65534:nobody:/:/bin/false\n"},
	{"etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
	{"etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	{"etc/shells", "/bin/sh\n"},
	{"etc/os-release", "NAME=\"vmdeck mini\"\nPRETTY_NAME=\"vmdeck mini\"\nID=vmdeck-mini\n"},
	{"etc/profile", "export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
			"export TERM=\"${TERM:-xterm}\"\n"
			"PS1='\\u@\\h:\\w\\$ '\n"
			"alias ll='ls -l'\n"},
};

/* Loaded by the agent before anything else: the way to the host. Each costs about 10 ms emulated,
 * so drivers of devices that a guest may not have come after. */
static const char *const boot_modules[] = {"virtio_mmio", "vmw_vsock_virtio_transport", NULL};
static const char *const late_modules[] = {"virtio_blk", "virtio_rng", "virtio_balloon", NULL};
/* Where there is a network device: the driver before HELLO, which sets the network up; what ends
 * the connections of a restored copy after it. */
static const char *const net_modules[] = {"virtio_net", NULL};
static const char *const net_late_modules[] = {"tcp_diag", NULL};

/* Names of busybox that mean something else here: PID 1 is the agent. */
static const char *const no_applets[] = {"busybox", "init", "linuxrc"};

void mini_fini(struct mini *m)
{
	if (!m)
		return;
	free(m->agent);
	free(m->busybox);
	free(m->applets);
	*m = (struct mini){0};
}

/* A program that runs where there is no library: ELF of this machine without an interpreter. */
static bool is_static(const char *p, size_t len)
{
	Elf64_Ehdr h;

	if (len < sizeof(h) || memcmp(p, ELFMAG, SELFMAG) != 0 || p[EI_CLASS] != ELFCLASS64)
		return false;
	memcpy(&h, p, sizeof(h));
	if (h.e_machine != EM_X86_64 || h.e_phoff > len ||
		(len - h.e_phoff) / sizeof(Elf64_Phdr) < h.e_phnum)
		return false;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, p + h.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int load_agent(struct mini *m, struct err *e)
{
	char path[4096];
	int r = path_helper("vmdeck-agent", path, sizeof(path), e);

	if (!r)
		r = file_read(path, MINI_PROGRAM_MAX, &m->agent, &m->agent_len, e);
	if (!r && !is_static(m->agent, m->agent_len))
		r = err_set(
			e, ENOEXEC, "'%s' is no static x86-64 program: install vmdeck again", path);
	return r;
}

static int load_busybox(struct job *j, struct mini *m, struct err *e)
{
	char path[4096];
	const char *const argv[] = {path, "--list", NULL};
	int r = path_program("busybox", path, sizeof(path), e);

	if (r < 0)
		return err_set(e, ENOENT, "busybox was not found: install package busybox-static");
	r = file_read(path, MINI_PROGRAM_MAX, &m->busybox, &m->busybox_len, e);
	if (!r && !is_static(m->busybox, m->busybox_len))
		r = err_set(e, ENOEXEC,
			"'%s' is no static x86-64 program: install package busybox-static", path);
	return r < 0 ? r : run_capture(j, argv, APPLETS_MAX, &m->applets, e);
}

int mini_load(struct job *j, struct mini *m, struct err *e)
{
	int r;

	memset(m, 0, sizeof(*m));
	r = load_agent(m, e);
	return r < 0 ? r : load_busybox(j, m, e);
}

/* What is the same in every mini of this program. */
static void add_fixed(struct cpio *c)
{
	for (size_t i = 0; i < countof(dirs); i++)
		cpio_dir(c, dirs[i].path, dirs[i].mode);
	for (size_t i = 0; i < countof(links); i++)
		cpio_link(c, links[i].path, links[i].target);
	for (size_t i = 0; i < countof(files); i++)
		cpio_file(c, files[i].path, 0644, files[i].text, strlen(files[i].text));
	/* The kernel opens the console for /init before anyone has mounted /dev. */
	cpio_chardev(c, "dev/console", 0600, 5, 1);
	cpio_chardev(c, "dev/null", 0666, 1, 3);
}

static bool is_applet(const char *name)
{
	if (!*name || strchr(name, '/'))
		return false;
	for (size_t i = 0; i < countof(no_applets); i++)
		if (strcmp(name, no_applets[i]) == 0)
			return false;
	return true;
}

static void add_programs(struct cpio *c, const struct mini *m)
{
	autofree char *list = xstrdup(m->applets);
	char *save = NULL;

	cpio_file(c, "init", 0755, m->agent, m->agent_len);
	cpio_file(c, "bin/busybox", 0755, m->busybox, m->busybox_len);
	for (char *s = strtok_r(list, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		autofree char *path = xasprintf("bin/%s", s);

		if (is_applet(s))
			cpio_link(c, path, "busybox");
	}
}

/* A folder and those above it, each once. */
static void add_dirs_of(struct cpio *c, const char *path, struct buf *seen)
{
	for (const char *s = path; (s = strchr(s, '/')); s++) {
		autofree char *dir = xasprintf("%.*s", (int)(s - path), path);
		autofree char *mark = xasprintf("\n%s\n", dir);

		if (seen->len && memmem(buf_peek(seen), seen->len, mark, strlen(mark)))
			continue;
		cpio_dir(c, dir, 0755);
		(void)!buf_append(seen, mark, strlen(mark)); /* no limit: cannot fail */
	}
}

static void add_module_files(
	struct cpio *c, struct kernel *k, const struct buf *dep, const struct buf *alias)
{
	autofree char *root = xasprintf("lib/modules/%s", k->release);
	autofree char *dep_path = xasprintf("%s/modules.dep", root);
	autofree char *alias_path = xasprintf("%s/modules.alias", root);
	const char known[] = "\nlib\n\nlib/modules\n";
	struct buf seen;

	buf_init(&seen, 0);
	(void)!buf_append(&seen, known, sizeof(known) - 1);
	for (size_t i = 0; i < k->modules.n; i++) {
		const struct module *mod = &k->modules.v[i];
		autofree char *path = xasprintf("%s/%s", root, mod->path);

		add_dirs_of(c, path, &seen);
		cpio_file(c, path, 0644, mod->data, modules_unsigned_len(mod));
	}
	cpio_file(c, dep_path, 0644, buf_peek(dep), dep->len);
	cpio_file(c, alias_path, 0644, buf_peek(alias), alias->len);
	buf_fini(&seen);
}

/* Paths in the guest, one a line, in the order to load; without those of skip. */
static int put_list(struct kernel *k, const char *const *names, const struct buf *skip,
	struct buf *out, struct err *e)
{
	size_t order[MODULES_MAX], n = 0;
	int r = modules_order(&k->modules, names, order, &n, e);

	for (size_t i = 0; i < n && !r; i++) {
		autofree char *line =
			xasprintf("/lib/modules/%s/%s\n", k->release, k->modules.v[order[i]].path);

		if (!skip || !memmem(buf_peek(skip), skip->len, line, strlen(line)))
			r = buf_append(out, line, strlen(line));
	}
	return r;
}

struct texts {
	struct buf boot, late, net, net_late, dep, alias;
};

static int make_texts(struct kernel *k, struct texts *t, struct err *e)
{
	int r = put_list(k, boot_modules, NULL, &t->boot, e);

	if (!r && !t->boot.len)
		r = err_set(e, ENOENT, "kernel %s has no modules for vsock", k->release);
	if (!r)
		r = put_list(k, late_modules, &t->boot, &t->late, e);
	if (!r)
		r = put_list(k, net_modules, &t->boot, &t->net, e);
	if (!r)
		r = put_list(k, net_late_modules, &t->boot, &t->net_late, e);
	if (!r)
		r = modules_put_dep(&k->modules, &t->dep);
	return r < 0 ? r : modules_put_alias(&k->modules, &t->alias);
}

int mini_write(const struct mini *m, struct kernel *k, struct buf *out, struct err *e)
{
	struct texts t;
	struct cpio c;
	int r;

	memset(&t, 0, sizeof(t));
	cpio_init(&c);
	r = make_texts(k, &t, e);
	if (!r) {
		add_fixed(&c);
		add_programs(&c, m);
		add_module_files(&c, k, &t.dep, &t.alias);
		cpio_file(&c, "etc/vmdeck/modules", 0644, buf_peek(&t.boot), t.boot.len);
		cpio_file(&c, "etc/vmdeck/modules.late", 0644, buf_peek(&t.late), t.late.len);
		cpio_file(&c, "etc/vmdeck/modules.net", 0644, buf_peek(&t.net), t.net.len);
		cpio_file(&c, "etc/vmdeck/modules.net.late", 0644, buf_peek(&t.net_late),
			t.net_late.len);
		r = cpio_write(&c, out, e);
	}
	cpio_fini(&c);
	buf_fini(&t.boot);
	buf_fini(&t.late);
	buf_fini(&t.net);
	buf_fini(&t.net_late);
	buf_fini(&t.dep);
	buf_fini(&t.alias);
	return r;
}

static int put_names(const char *const *names, struct buf *out)
{
	int r = 0;

	for (; *names && !r; names++)
		r = buf_printf(out, "%s\n", *names);
	return r;
}

int mini_config(char out[HASH_HEX], struct err *e)
{
	struct cpio c;
	struct buf b;
	int r;

	buf_init(&b, 0);
	cpio_init(&c);
	add_fixed(&c);
	r = cpio_write(&c, &b, e);
	if (!r)
		r = put_names(boot_modules, &b);
	if (!r)
		r = put_names(late_modules, &b);
	if (!r)
		r = put_names(net_modules, &b);
	if (!r)
		r = put_names(net_late_modules, &b);
	if (!r)
		r = hash_bytes(buf_peek(&b), b.len, out, e);
	cpio_fini(&c);
	buf_fini(&b);
	return r;
}
