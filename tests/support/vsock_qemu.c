#include "tests/support/vsock_qemu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "backend/base/path.h"
#include "backend/base/util.h"
#include "backend/vmm/tsc.h"

#define DEADLINE_MS 30000
#define VHOST_FD    200
#define RAM_FD      4
#define QMP_FD      3

/* Absolute path of a file of this build ("../" leaves its folder), or false. */
static bool find(const char *name, char out[4096])
{
	char exe[2048];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(out, 4096, "%s/%s", exe, name);
	return access(out, R_OK) == 0;
}

void vq_need(void)
{
	static const char *const files[] = {"vmdeck-vsock.so", "vmdeck-agent",
		"../test-home/images/mini/vmlinux", "../test-home/images/mini/initrd.cpio"};
	const char *no_vm = getenv("DECK_NO_VM");
	char path[4096];
	struct err e = {0};

	if (no_vm && no_vm[0]) {
		print_message("this run is without VMs\n");
		skip();
	}
	for (size_t i = 0; i < countof(files); i++)
		if (!find(files[i], path)) {
			print_message("%s is missing\n", path);
			skip();
		}
	if (path_program("qemu-system-x86_64", path, sizeof(path), &e) < 0) {
		print_message("%s\n", e.msg);
		skip();
	}
}

static void *read_all(const char *path, size_t *ret_n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t n = lseek(fd, 0, SEEK_END);
	void *p = malloc((size_t)n);

	assert_true(fd >= 0 && n > 0 && p);
	assert_int_equal(pread(fd, p, (size_t)n, 0), n);
	close(fd);
	*ret_n = (size_t)n;
	return p;
}

static void pad(FILE *f)
{
	while (ftell(f) % 4)
		fputc(0, f);
}

static void cpio_put(FILE *f, const char *name, unsigned mode, const void *data, size_t n)
{
	fprintf(f, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s", 1, mode, 0, 0, 1,
		0, (unsigned)n, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0, name);
	fputc(0, f);
	pad(f);
	fwrite(data, 1, n, f);
	pad(f);
}

/* The image's first root with this build's agent: the kernel unpacks one archive over another. */
static void write_initrd(const char *path)
{
	FILE *f = fopen(path, "we");
	char from[4096];
	size_t n;
	void *p;

	assert_non_null(f);
	assert_true(find("../test-home/images/mini/initrd.cpio", from));
	p = read_all(from, &n);
	fwrite(p, 1, n, f);
	free(p);
	pad(f);
	assert_true(find("vmdeck-agent", from));
	p = read_all(from, &n);
	cpio_put(f, "init", 0100755, p, n);
	free(p);
	cpio_put(f, "TRAILER!!!", 0, "", 0);
	assert_int_equal(fclose(f), 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(sa.sun_path));
	strcpy(sa.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(sa.sun_path));
	strcpy(sa.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* In the child; the descriptors are above all numbers they go to. */
static void exec_qemu(const struct vq *q, const int fds[3], bool clone)
{
	static const int to[] = {QMP_FD, RAM_FD, VHOST_FD};
	char kernel[4096], so[4096], env[256], append[512], initrd[128], memory[256];
	struct tsc_meter tsc = {0};
	struct err e = {0};
	uint32_t khz = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!find("../test-home/images/mini/vmlinux", kernel) || !find("vmdeck-vsock.so", so))
		_exit(96);
	tsc_meter_start(&tsc);
	if (tsc_meter_khz(&tsc, &khz, &e) < 0)
		_exit(97);
	for (size_t i = 0; i < countof(to); i++)
		dup2(fds[i], to[i]);
	snprintf(env, sizeof(env), "fd=%d ram=%d private=%d path=%s", VHOST_FD, RAM_FD, clone,
		q->vsock);
	setenv("LD_PRELOAD", so, 1);
	setenv("VMDECK_VSOCK", env, 1);
	snprintf(memory, sizeof(memory),
		"memory-backend-file,id=mem,size=%dM,mem-path=/proc/self/fd/%d,share=on", VQ_MIB,
		RAM_FD);
	snprintf(initrd, sizeof(initrd), "%s/initrd", q->dir);
	snprintf(append, sizeof(append),
		"console=ttyS0 quiet panic=-1 mitigations=off no_timer_check cryptomgr.notests "
		"pci=off tsc=reliable tsc_early_khz=%u",
		khz);
	execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "microvm,memory-backend=mem",
		"-nodefaults", "-no-user-config", "-display", "none", "-accel",
		"tcg,thread=multi,tb-size=64", "-cpu", "qemu64,+rdrand", "-m", "128M", "-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-object", memory, "-global", "virtio-mmio.force-legacy=false", "-chardev",
		"socket,id=qmp,fd=3,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
		"-serial", "null", "-device", "vhost-vsock-device,guest-cid=3,vhostfd=200",
		clone ? "-incoming" : "-kernel", clone ? "defer" : kernel,
		clone ? (char *)NULL : "-initrd", initrd, "-append", append, (char *)NULL);
	_exit(99);
}

/* The next line of the monitor, in a static buffer. */
static const char *take_line(struct vq *q)
{
	static char line[sizeof(q->in) + 1];
	char *end;

	while (!(end = memchr(q->in, '\n', q->in_len))) {
		struct pollfd p = {q->qmp, POLLIN, 0};
		ssize_t n;

		assert_true(q->in_len < sizeof(q->in));
		assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		n = recv(q->qmp, q->in + q->in_len, sizeof(q->in) - q->in_len, 0);
		if (n <= 0)
			fail_msg("QEMU has ended");
		q->in_len += (size_t)n;
	}
	memcpy(line, q->in, (size_t)(end - q->in));
	line[end - q->in] = '\0';
	q->in_len -= (size_t)(end + 1 - q->in);
	memmove(q->in, end + 1, q->in_len);
	return line;
}

/* Notes an event; false: it is none. */
static bool take_event(struct vq *q, const char *line)
{
	const char *status;

	if (!strstr(line, "\"event\": \""))
		return false;
	if (!strstr(line, "\"event\": \"MIGRATION\""))
		return true;
	status = strstr(line, "\"status\": \"");
	assert_non_null(status);
	sscanf(status + 11, "%15[a-z-]", q->migrated);
	return true;
}

static void call_fd(struct vq *q, const char *command, const char *args, int fd)
{
	char text[512], control[CMSG_SPACE(sizeof(int))] = {0};
	int n = snprintf(
		text, sizeof(text), "{\"execute\": \"%s\", \"arguments\": {%s}}\n", command, args);
	struct iovec iov = {text, (size_t)n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	const char *line;

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&m) =
			(struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(q->qmp, &m, MSG_NOSIGNAL), n);
	do
		line = take_line(q);
	while (take_event(q, line));
	if (strncmp(line, "{\"return\"", 9) != 0)
		fail_msg("%s: %s", command, line);
}

void vq_call(struct vq *q, const char *command, const char *args)
{
	call_fd(q, command, args ? args : "", -1);
}

static void start(struct vq *q, const char *dir, int ram_fd, bool clone)
{
	char path[128];
	int fds[3], listener, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	*q = (struct vq){.qmp = -1};
	snprintf(q->dir, sizeof(q->dir), "%s", dir);
	snprintf(q->vsock, sizeof(q->vsock), "%s/v.sock", q->dir);
	snprintf(path, sizeof(path), "%s/initrd", q->dir);
	if (!clone)
		write_initrd(path);
	snprintf(path, sizeof(path), "%s/qmp", q->dir);
	listener = listen_at(path);
	fds[0] = fcntl(listener, F_DUPFD_CLOEXEC, VHOST_FD + 1);
	fds[1] = fcntl(ram_fd, F_DUPFD_CLOEXEC, VHOST_FD + 1);
	fds[2] = fcntl(null, F_DUPFD_CLOEXEC, VHOST_FD + 1);
	q->pid = fork();
	assert_true(q->pid >= 0);
	if (q->pid == 0)
		exec_qemu(q, fds, clone);
	q->pidfd = (int)syscall(SYS_pidfd_open, q->pid, 0);
	for (size_t i = 0; i < countof(fds); i++)
		close(fds[i]);
	close(null);
	close(listener);
	q->qmp = connect_to(path);
	assert_non_null(strstr(take_line(q), "\"QMP\""));
	vq_call(q, "qmp_capabilities", NULL);
	vq_call(q, "migrate-set-capabilities",
		"\"capabilities\": [{\"capability\": \"x-ignore-shared\", \"state\": true}, "
		"{\"capability\": \"events\", \"state\": true}]");
}

void vq_boot(struct vq *q, const char *dir, int ram_fd)
{
	start(q, dir, ram_fd, false);
}

static void wait_migrated(struct vq *q)
{
	while (strcmp(q->migrated, "completed") != 0) {
		const char *line = take_line(q);

		take_event(q, line);
		if (strcmp(q->migrated, "failed") == 0)
			fail_msg("the state cannot be saved or loaded: %s", line);
	}
	q->migrated[0] = '\0';
}

void vq_clone(struct vq *q, const char *dir, int ram_fd, int state_fd)
{
	char perms[5];

	start(q, dir, ram_fd, true);
	vq_map(q, perms);
	assert_string_equal(perms, "rw-p");
	assert_int_equal(lseek(state_fd, 0, SEEK_SET), 0);
	call_fd(q, "getfd", "\"fdname\": \"state\"", state_fd);
	vq_call(q, "migrate-incoming", "\"uri\": \"fd:state\"");
	wait_migrated(q);
	vq_call(q, "cont", NULL);
}

int vq_save(struct vq *q, size_t *size)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	assert_true(fd >= 0);
	call_fd(q, "getfd", "\"fdname\": \"state\"", fd);
	vq_call(q, "migrate", "\"uri\": \"fd:state\"");
	wait_migrated(q);
	*size = (size_t)lseek(fd, 0, SEEK_END);
	return fd;
}

void vq_end(struct vq *q)
{
	if (q->pid <= 0)
		return;
	syscall(SYS_pidfd_send_signal, q->pidfd, SIGKILL, NULL, 0);
	assert_int_equal(waitpid(q->pid, NULL, 0), q->pid);
	close(q->pidfd);
	close(q->qmp);
	q->pid = 0;
}

const char *vq_line(const struct vq *q, const char *line)
{
	static char answer[300];
	int fd = connect_to(q->vsock);
	size_t n = 0;
	ssize_t r;

	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	do {
		struct pollfd p = {fd, POLLIN, 0};

		assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		r = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
		assert_true(r >= 0);
		n += (size_t)r;
	} while (r > 0);
	answer[n] = '\0';
	close(fd);
	return answer;
}

uint64_t vq_map(const struct vq *q, char ret_perms[5])
{
	char path[64], line[512];
	uint64_t found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", q->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;
		char perms[5];

		/* Of that size nothing else is a file's. */
		if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) != 3 || to - from != VQ_SIZE ||
			!strstr(line, "memfd:"))
			continue;
		assert_int_equal(found, 0);
		found = from;
		memcpy(ret_perms, perms, sizeof(perms));
	}
	fclose(f);
	assert_true(found != 0);
	return found;
}

static int open_proc(const struct vq *q, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", q->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

size_t vq_memory(const struct vq *q, uint8_t **ret_memory, uint8_t **ret_private)
{
	const size_t pages = VQ_SIZE / VQ_PAGE;
	uint64_t *map = calloc(pages, sizeof(*map));
	uint8_t *memory = malloc(VQ_SIZE), *private = calloc(pages, 1);
	int mem_fd = open_proc(q, "mem"), map_fd = open_proc(q, "pagemap");
	char perms[5];
	uint64_t at = vq_map(q, perms);
	size_t n = 0;

	assert_true(map && memory && private);
	assert_int_equal(pread(map_fd, map, pages * sizeof(*map), (off_t)(at / VQ_PAGE * 8)),
		pages * sizeof(*map));
	assert_int_equal(pread(mem_fd, memory, VQ_SIZE, (off_t)at), VQ_SIZE);
	for (size_t i = 0; i < pages; i++) {
		/* 63 present, 62 swapped, 61 of a file */
		private[i] = (map[i] >> 62) != 0 && (map[i] >> 61 & 1) == 0;
		n += private[i];
	}
	close(mem_fd);
	close(map_fd);
	free(map);
	*ret_memory = memory;
	*ret_private = private;
	return n;
}

static uint64_t *map_file(int fd)
{
	uint64_t *p = mmap(NULL, VQ_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED || !p)
		abort();
	return p;
}

uint64_t file_hash(int fd)
{
	uint64_t *p = map_file(fd), h = 1469598103934665603u;

	for (size_t i = 0; i < VQ_SIZE / sizeof(*p); i++)
		h = (h ^ p[i]) * 1099511628211u;
	munmap(p, VQ_SIZE);
	return h;
}

int file_copy(int fd)
{
	int to = memfd_create("copy", MFD_CLOEXEC);
	uint64_t *p = map_file(fd);

	assert_int_equal(ftruncate(to, (off_t)VQ_SIZE), 0);
	for (size_t at = 0; at < VQ_SIZE; at += VQ_PAGE)
		/* Only what is not zero, so that the copy is as sparse as the file. */
		if (((char *)p)[at] != 0 ||
			memcmp((char *)p + at, (char *)p + at + 1, VQ_PAGE - 1) != 0)
			assert_int_equal(pwrite(to, (char *)p + at, VQ_PAGE, (off_t)at), VQ_PAGE);
	munmap(p, VQ_SIZE);
	return to;
}
