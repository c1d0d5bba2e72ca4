/* vmdeck-agent: PID 1 of a small guest, or an ordinary process with --unix. Wiring, signals,
 * reaping. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/pid1.h"
#include "agent/util.h"

/* Children reaped in one turn at most; more are taken in the next. */
#define REAP_TURN 128

struct options {
	const char *unix_path, *fifo, *network;
};

static struct agent agent;
static struct watch signals = {.fd = -1, .slot = -1};
static struct timer reap_more;
bool agent_debug;

static const char usage[] =
	"usage: vmdeck-agent --unix PATH [--output-fifo PATH] [--network DIR] [--debug]\n"
	"       vmdeck-agent --version | --help\n"
	"\n"
	"The guest side of vmdeck. As PID 1 of a guest it takes no options and speaks vsock.\n"
	"With --unix it is an ordinary process: it listens for commands on PATH and dials\n"
	"PATH_4990 (control) and PATH_4991 (output). With --network it sets up the network\n"
	"that it runs in as the host asks, with resolv.conf in DIR.\n";

static _Noreturn void fatal(const char *what, int error)
{
	say_error("%s: %s", what, strerror(error));
	if (getpid() != 1)
		exit(1);
	say_error("the guest cannot run without it and is powered off");
	power_now();
}

static void reap(void *user)
{
	struct agent *a = user;
	siginfo_t si;

	for (int i = 0; i < REAP_TURN; i++) {
		uint8_t how;

		si.si_pid = 0;
		/* Look first: until it is reaped, the number of a lost command's group is its own.
		 */
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0) {
			if (errno == ECHILD)
				power_on_no_children(&a->power);
			return;
		}
		if (!si.si_pid)
			return;
		how = si.si_code == CLD_EXITED ? WIRE_EXITED : WIRE_SIGNALED;
		execs_on_zombie(&a->execs, si.si_pid);
		waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
		if (!execs_on_exit(&a->execs, si.si_pid, how, si.si_status))
			main_on_exit(&a->main, si.si_pid, how, si.si_status);
		power_on_reaped(&a->power);
	}
	timer_start(&a->loop, &reap_more, 0, reap, a);
}

static void on_signal(void *user, uint32_t events)
{
	struct signalfd_siginfo si[16];
	ssize_t n = read(signals.fd, si, sizeof(si));
	struct agent *a = user;

	(void)events;
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(si[0]); i++) {
		if (si[i].ssi_signo == SIGCHLD)
			reap(a);
		else
			power_begin(&a->power, POWER_GUEST, 0, POWER_GRACE_MS);
	}
}

/* SIGUSR1, SIGUSR2 and SIGTERM are how busybox' halt, poweroff and reboot ask PID 1. */
static void signals_init(struct agent *a)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP};
	sigset_t set;
	int fd, r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < countof(ends) - (a->pid1 ? 1 : 0); i++)
		sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* What was ignored by whoever started us must not be ignored in commands. */
	for (int sig = 1; sig < 32; sig++)
		signal(sig, sig == SIGPIPE ? SIG_IGN : SIG_DFL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		fatal("signalfd", errno);
	r = watch_open(&a->loop, &signals, fd, EPOLLIN, on_signal, a);
	if (r < 0)
		fatal("signals", -r);
}

/* Descriptors 0 to 2 are taken, so that a pipe of a command never is one of them. */
static void stdio_init(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd < 0)
		/* No /dev yet. */
		do
			fd = open("/", O_RDONLY | O_DIRECTORY);
		while (fd >= 0 && fd < 3);
	close_fd(&fd);
}

static void options_parse(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--unix") && i + 1 < argc) {
			o->unix_path = argv[++i];
		} else if (!strcmp(argv[i], "--output-fifo") && i + 1 < argc) {
			o->fifo = argv[++i];
		} else if (!strcmp(argv[i], "--network") && i + 1 < argc) {
			o->network = argv[++i];
		} else if (!strcmp(argv[i], "--debug")) {
			agent_debug = true;
		} else if (!strcmp(argv[i], "--version")) {
			printf("vmdeck-agent %s, protocol %d\n", AGENT_VERSION, WIRE_VERSION);
			exit(0);
		} else if (!strcmp(argv[i], "--help")) {
			fputs(usage, stdout);
			exit(0);
		} else {
			fprintf(stderr, "vmdeck-agent: '%s' is not understood\n%s", argv[i], usage);
			exit(2);
		}
	}
	if (o->unix_path)
		return;
	fprintf(stderr, "vmdeck-agent: not PID 1 of a guest, so --unix PATH is needed\n%s", usage);
	exit(2);
}

/* Up to the first dial; what is missing then can only end the agent. */
static void start(struct agent *a, const struct options *o)
{
	int r = loop_init(&a->loop);

	if (r < 0)
		fatal("event loop", -r);
	signals_init(a);
	identity_init(&a->id);
	identity_read_boot(&a->id);
	power_init(&a->power, a);
	quiesce_init(&a->quiesce, a);
	main_init(&a->main, a);
	control_init(&a->control, a);
	r = output_init(&a->output, a, o->fifo);
	if (r < 0 && !a->pid1)
		exit(1);
	r = transport_listen(&a->transport);
	if (r < 0)
		fatal(o->unix_path ? o->unix_path : "vsock", -r);
	r = execs_init(&a->execs, a);
	if (r < 0)
		fatal("commands", -r);
	say_step("dialling the host");
	control_start(&a->control);
}

int main(int argc, char **argv)
{
	struct options o = {.fifo = NULL};

	agent.pid1 = getpid() == 1;
	stdio_init();
	if (agent.pid1) {
		/* Its arguments are the words of the kernel's line that the kernel does not know.
		 */
		pid1_setup(&agent_debug);
		modules_load(PID1_MODULES);
		o.fifo = PID1_OUTPUT_FIFO;
		o.network = PID1_ETC;
	} else {
		options_parse(&o, argc, argv);
		/* What whoever started us left open is not the commands'. */
		close_range(3, UINT_MAX, 0);
		/* What a command leaves behind is reaped here, as by PID 1. */
		if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
			fatal("subreaper", errno);
	}
	agent.transport = (struct transport){.unix_path = o.unix_path, .listen_fd = -1};
	agent.network.etc = o.network;
	start(&agent, &o);
	loop_run(&agent.loop);
	transport_fini(&agent.transport);
	if (o.fifo)
		unlink(o.fifo);
	return 0;
}
