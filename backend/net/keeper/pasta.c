/* pasta: the way out and in without root. It has to be born on the host, so the process that will
 * be it is forked before this one leaves. Facts: pasta 2023-03 (Debian 12). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backend/base/path.h"
#include "backend/base/str.h"
#include "backend/net/keeper/keeper.h"
#include "backend/net/keeper/link.h"
#include "backend/net/keeper/nat.h"

#define UP_LIMIT_MS 5000 /* normal: 8 */
#define ARGS_MAX    (40 + 2 * NET_PUBLISH_MAX)

struct args {
	char *v[ARGS_MAX];
	int n;
};

static void add(struct args *a, const char *s)
{
	if (a->n < ARGS_MAX - 1)
		a->v[a->n++] = xstrdup(s);
}

/* "-t 127.64.1.2/8080:30000" */
static void add_ports(struct args *a, const struct keeper *k, bool udp)
{
	int count = 0;

	for (int i = 0; i < k->spec.publish_count; i++) {
		const struct net_publish *p = &k->spec.publish[i];
		uint32_t ip = p->ip || p->any_ip ? p->ip : k->address;
		char text[64];

		if (p->udp != udp)
			continue;
		snprintf(text, sizeof(text), "%u.%u.%u.%u/%u:%d", ip >> 24, ip >> 16 & 255,
			ip >> 8 & 255, ip & 255, p->host, NAT_INNER_PORT + i);
		add(a, udp ? "-u" : "-t");
		add(a, p->any_ip ? strchr(text, '/') + 1 : text);
		count++;
	}
	if (count == 0) {
		add(a, udp ? "-u" : "-t");
		add(a, "none");
	}
}

static char *pid_path(const struct keeper *k)
{
	int folder = (int)(strrchr(k->socket, '/') - k->socket);

	return xasprintf("%.*s/pasta.pid", folder, k->socket);
}

static void make_args(struct args *a, const struct keeper *k, pid_t ns_of)
{
	static const char *const fixed[] = {"-f", "-q", "-4", "--config-net", "-I", "up0", "-a",
		"172.30.0.2", "-n", "30", "-g", "172.30.0.1", "--no-map-gw", "-m", "1500", "-T",
		"none", "-U", "none"};
	char pid[16];

	add(a, "pasta");
	for (size_t i = 0; i < countof(fixed); i++)
		add(a, fixed[i]);
	if (geteuid() == 0) { /* it would become nobody, who owns no namespace */
		add(a, "--runas");
		add(a, "0");
	}
	add_ports(a, k, false);
	add_ports(a, k, true);
	/* Names whose it is, for whoever finds it later. */
	add(a, "-P");
	a->v[a->n++] =
		xasprintf("%.*s/pasta.pid", (int)(strrchr(k->socket, '/') - k->socket), k->socket);
	snprintf(pid, sizeof(pid), "%d", (int)ns_of);
	add(a, pid);
}

/* In the child: waits for the word, becomes pasta. Nothing is freed: it is exec or _exit. */
static void child(const struct keeper *k, const char *program, pid_t ns_of, int go, int said)
	__attribute__((noreturn));
static void child(const struct keeper *k, const char *program, pid_t ns_of, int go, int said)
{
	struct args a = {0};
	int null_fd = open("/dev/null", O_RDWR);
	char word;

	make_args(&a, k, ns_of);
	if (read(go, &word, 1) != 1)
		_exit(0); /* the keeper went */
	dup2(null_fd, 0);
	dup2(said, 1);
	dup2(said, 2);
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
	signal(SIGPIPE, SIG_DFL); /* it takes an ignored one for an error */
	execv(program, a.v);
	dprintf(2, "cannot run: %s\n", strerror(errno));
	_exit(127);
}

int pasta_prepare(struct keeper *k, struct err *e)
{
	int go[2] = {-1, -1}, said[2] = {-1, -1};
	pid_t ns_of = getpid();
	char program[256];

	if (path_program("pasta", program, sizeof(program), NULL) < 0)
		return err_set(e, ENOENT,
			"rootless networking needs pasta: 'apt install passt', or use --net "
			"none");
	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(said, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "cannot make a pipe");
	k->pasta = fork();
	if (k->pasta == 0) {
		close(go[1]);
		child(k, program, ns_of, go[0], said[1]);
	}
	close(go[0]);
	close(said[1]);
	k->pasta_go = go[1];
	k->pasta_said = said[0];
	if (k->pasta < 0)
		return err_errno(e, "cannot start pasta");
	k->pasta_fd = (int)syscall(SYS_pidfd_open, k->pasta, 0);
	return k->pasta_fd < 0 ? err_errno(e, "cannot follow pasta") : 0;
}

static int ended(struct keeper *k, struct err *e)
{
	char text[512] = "", safe[300], *line = text;
	ssize_t n = read(k->pasta_said, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	if (strrchr(text, '\n'))
		line = strrchr(text, '\n') + 1;
	return err_set(e, EIO, "pasta ended: %s", str_safe(safe, sizeof(safe), line));
}

int pasta_run(struct keeper *k, struct err *e)
{
	uint64_t until = mono_ns() + (uint64_t)UP_LIMIT_MS * 1000000;
	char trash[8192];

	if (write(k->pasta_go, "x", 1) != 1)
		return err_errno(e, "cannot start pasta");
	while (link_default_route(k->links, NULL) < 0) {
		struct pollfd p[] = {{.fd = nl_socket_get_fd(k->monitor), .events = POLLIN},
			{.fd = k->pasta_fd, .events = POLLIN}};
		uint64_t now = mono_ns();

		if (now >= until || poll(p, 2, (int)((until - now) / 1000000) + 1) == 0)
			return err_set(
				e, ETIMEDOUT, "pasta made no link in %d s", UP_LIMIT_MS / 1000);
		if (p[1].revents)
			return ended(k, e);
		while (recv(p[0].fd, trash, sizeof(trash), MSG_DONTWAIT) > 0)
			; /* that something changed is all there is to know */
	}
	return 0;
}

void pasta_end(struct keeper *k)
{
	if (k->pasta_fd >= 0) {
		autofree char *path = pid_path(k);

		(void)syscall(SYS_pidfd_send_signal, k->pasta_fd, SIGKILL, NULL, 0);
		(void)waitpid(k->pasta, NULL, 0);
		(void)unlink(path);
	}
	close_fd(&k->pasta_fd);
	close_fd(&k->pasta_go);
	close_fd(&k->pasta_said);
}
