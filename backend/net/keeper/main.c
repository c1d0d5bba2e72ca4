/* vmdeck-net: keeps the network of one VM. Started by the daemon with a SOCK_SEQPACKET socket as
 * descriptor 3, on which the request is the first message (net.h, request in net.c). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backend/base/jsonx.h"
#include "backend/net/keeper/keeper.h"
#include "backend/net/keeper/orphans.h"
#include "backend/net/scm.h"

#define CONTROL_FD      3
#define REQUEST_LIMIT_S 60 /* it may wait for other networks to be undone */
#define SETUP_LIMIT_S   10 /* normal: 0.03 */

static void init(struct keeper *k)
{
	*k = (struct keeper){.id_fd = -1,
		.address_fd = -1,
		.host_ns = -1,
		.netns = -1,
		.userns = -1,
		.tap = -1,
		.pasta_fd = -1,
		.pasta_go = -1,
		.pasta_said = -1,
		.control = CONTROL_FD,
		.listener = -1,
		.vmm = {.pidfd = -1}};
	for (size_t i = 0; i < countof(k->publish_fds); i++)
		k->publish_fds[i] = -1;
}

static int read_request(struct keeper *k, struct err *e)
{
	struct pollfd p = {.fd = k->control, .events = POLLIN};
	autojson struct json_object *o = NULL;
	char text[SCM_TEXT_MAX];
	int fds[SCM_FDS_MAX], count;
	ssize_t n;

	if (poll(&p, 1, REQUEST_LIMIT_S * 1000) != 1)
		return err_set(e, ETIMEDOUT, "no request came");
	n = scm_recv(k->control, text, fds, &count);
	if (n <= 0)
		return err_set(e, EPIPE, "no request came");
	if (jsonx_parse(text, (size_t)n, &o, e) < 0 ||
		net_spec_read(jsonx_get(o, "network"), &k->spec, e) < 0)
		return -EINVAL;
	if (!jsonx_str(o, "home") || !jsonx_str(o, "id") || !jsonx_str(o, "socket") ||
		!jsonx_str(o, "pid_file") || k->spec.mode == NET_NONE)
		return err_set(e, EINVAL, "an incomplete request");
	k->home = xstrdup(jsonx_str(o, "home"));
	k->id = xstrdup(jsonx_str(o, "id"));
	k->socket = xstrdup(jsonx_str(o, "socket"));
	k->pid_file = xstrdup(jsonx_str(o, "pid_file"));
	snprintf(k->link, sizeof(k->link), KEEPER_LINK_PREFIX "%.8s", k->id);
	orphans_tag(k->tag, sizeof(k->tag), k->id, k->home);
	return 0;
}

/* For the daemons after this one. */
static int listen_for_daemons(struct keeper *k, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(k->socket) >= sizeof(a.sun_path) || !strchr(k->socket, '/'))
		return err_set(e, ENAMETOOLONG, "'%s' is too long for a socket", k->socket);
	strcpy(a.sun_path, k->socket);
	(void)unlink(k->socket);
	k->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->listener < 0 || bind(k->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(k->listener, 4) < 0)
		return err_errno(e, "cannot listen at '%s'", k->socket);
	return 0;
}

static void fini(struct keeper *k)
{
	if (k->loop)
		ev_loop_destroy(k->loop);
	free(k->home);
	free(k->id);
	free(k->socket);
	free(k->pid_file);
}

static int check(const char *mode, const char *home, const char *run_dir)
{
	const char *step = "mode";
	struct err e = {0};
	struct keeper k;
	int r;

	init(&k);
	k.control = -1;
	k.home = xstrdup(home);
	k.id = xasprintf("%08x", (unsigned)getpid());
	k.socket = xasprintf("%s/net.sock", run_dir);
	snprintf(k.link, sizeof(k.link), KEEPER_LINK_PREFIX "%s", k.id);
	orphans_tag(k.tag, sizeof(k.tag), k.id, home);
	r = net_mode_parse(mode, &k.spec.mode, &e);
	/* A host of its own: that one is left as it is. pasta has to see the real one. */
	if (r == 0 && k.spec.mode == NET_BRIDGED && unshare(CLONE_NEWNET) < 0)
		r = err_errno(&e, "cannot make a network namespace");
	alarm(SETUP_LIMIT_S);
	if (r == 0)
		r = keeper_setup(&k, &step, &e);
	keeper_undo(&k);
	if (r < 0)
		printf("%s: %s\n", step, e.msg);
	fini(&k);
	return r < 0;
}

static int keep(void)
{
	const char *step = "request";
	struct err e = {0};
	struct keeper k;
	int r;

	init(&k);
	(void)fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	r = read_request(&k, &e);
	if (r == 0)
		r = listen_for_daemons(&k, &e);
	alarm(SETUP_LIMIT_S); /* what hangs here is ended by it; the daemon sees the end */
	if (r == 0)
		r = keeper_setup(&k, &step, &e);
	alarm(0);
	k.loop = ev_loop_new(EVFLAG_NOSIGMASK);
	if (r == 0)
		keeper_serve(&k);
	alarm(SETUP_LIMIT_S);
	keeper_undo(&k);
	if (r < 0)
		keeper_send_error(&k, step, &e);
	if (k.listener >= 0)
		(void)unlink(k.socket);
	fini(&k);
	return r < 0;
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 1)
		return keep();
	if (argc >= 4 && strcmp(argv[1], "orphans") == 0)
		return orphans_main(argv[2], argv[3], argc > 4 && strcmp(argv[4], "remove") == 0);
	if (argc == 5 && strcmp(argv[1], "check") == 0)
		return check(argv[2], argv[3], argv[4]);
	fprintf(stderr, "vmdeck-net: vmdeckd starts it for each VM that has a network\n");
	return 2;
}
