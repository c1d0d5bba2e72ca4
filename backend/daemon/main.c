/* vmdeckd: wiring, exit code, nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/daemon/daemon.h"
#include "backend/daemon/doctor.h"
#include "backend/daemon/sweep.h"

#define IDLE_LIMIT_S 60.
#define LISTEN_FD_0  3 /* sd_listen_fds(3): first fd of socket activation */

struct options {
	int ready_fd;
	bool doctor, verbose;
};

/* ---- events, idleness ----------------------------------------------------------------------- */

static void on_event_added(void *user, const struct event *ev)
{
	struct daemon *d = user;

	if (d->rpc)
		rpc_publish(d->rpc, ev);
}

void daemon_event(struct daemon *d, const char *vm, const char *vm_name, const char *name,
	const char *fields_json)
{
	events_add(d->events, vm, vm_name, name, fields_json);
}

void daemon_stop(struct daemon *d, const char *why)
{
	char fields[64];

	snprintf(fields, sizeof(fields), "{\"why\":\"%s\"}", why);
	if (!d->stop_said)
		daemon_event(d, "", "", "daemon.stop", fields);
	d->stop_said = true;
	ev_break(d->loop, EVBREAK_ALL);
}

static void on_vm_event(
	void *user, const char *vm, const char *vm_name, const char *name, const char *fields_json)
{
	daemon_event(user, vm, vm_name, name, fields_json);
}

void daemon_check_idle(struct daemon *d)
{
	bool busy = d->connections > 0 || d->builds || d->verifies || vm_host_busy(&d->vms);

	if (d->idle_limit <= 0)
		return;
	ev_timer_stop(d->loop, &d->idle);
	if (busy)
		return;
	ev_timer_set(&d->idle, d->idle_limit, 0.);
	ev_timer_start(d->loop, &d->idle);
}

static void on_timing(void *user, const struct timing *t)
{
	struct daemon *d = user;

	timings_add(d->events, t);
}

static void on_mark(void *user, const char *kind, const char *id, const struct timing_phase *p)
{
	struct daemon *d = user;

	timings_mark(d->events, kind, id, p);
}

static void on_vm_change(void *user)
{
	daemon_check_idle(user);
}

static void on_connections(void *user, int connections)
{
	struct daemon *d = user;

	d->connections = connections;
	daemon_check_idle(d);
}

static void on_watch_change(void *user, unsigned interval_ms)
{
	svc_watch_interval(user, interval_ms);
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	log_info("no VM, no client for a while: good bye");
	daemon_stop(w->data, "idle");
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	log_info("signal %d: good bye; VMs go on running", w->signum);
	daemon_stop(w->data, "signal");
}

static void ignore_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

/* ---- start ---------------------------------------------------------------------------------- */

/* A daemon with hundreds of VMs holds a dozen fds for each. */
static void raise_fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int take_home(struct daemon *d, struct err *e)
{
	autofree char *path = xasprintf("%s/vmdeckd.lock", d->paths.home);
	pid_t holder = 0;
	int r = lock_take(path, false, &d->home_lock, &holder, e);

	if (r == -EAGAIN)
		return err_set(e, EADDRINUSE, "vmdeckd runs already on '%s' (pid %d)",
			d->paths.home, (int)holder);
	return r;
}

static int listen_fd_given(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != getpid() || strtol(n, NULL, 10) < 1)
		return -1;
	fcntl(LISTEN_FD_0, F_SETFD, FD_CLOEXEC);
	return LISTEN_FD_0;
}

static int open_services(struct daemon *d, struct err *e)
{
	static const struct vm_host_callbacks cb = {
		on_vm_event, on_vm_change, on_timing, on_mark, NULL};
	autofree char *db = xasprintf("%s/vmdeck.db", d->paths.home);
	autofree char *sock = xasprintf("%s/daemon.sock", d->paths.runtime);
	struct rpc_config rc = {.path = sock,
		.listen_fd = listen_fd_given(),
		.on_idle_change = on_connections,
		.on_watch_change = on_watch_change,
		.user = d};
	char start[128];
	int r = events_open(&d->events, db, on_event_added, d, e);

	if (r < 0)
		return r;
	rc.events = d->events;
	snprintf(start, sizeof(start), "{\"version\":\"%s\",\"pid\":%d}", VMDECK_VERSION,
		(int)getpid());
	daemon_event(d, "", "", "daemon.start", start);
	svc_vm_register(rc.handlers);
	svc_stream_register(rc.handlers);
	svc_image_register(rc.handlers);
	svc_snapshot_register(rc.handlers);
	svc_timing_register(rc.handlers);
	svc_host_register(rc.handlers);
	svc_watch_register(rc.handlers);
	r = vm_host_open(&d->vms, d->loop, &d->paths, &cb, d, e);
	return r < 0 ? r : rpc_open(&d->rpc, d->loop, &rc, e);
}

static void watch_signal(
	struct daemon *d, ev_signal *w, int sig, void (*fn)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(w, fn, sig);
	w->data = d;
	ev_signal_start(d->loop, w);
}

static int daemon_init(struct daemon *d, struct err *e)
{
	const char *idle = getenv("VMDECK_IDLE_EXIT");
	int r;

	*d = (struct daemon){.home_lock = -1, .started_ns = wall_ns()};
	d->idle_limit = idle ? strtod(idle, NULL) : IDLE_LIMIT_S;
	d->loop = ev_loop_new(EVFLAG_AUTO);
	ev_init(&d->idle, on_idle);
	d->idle.data = d;
	r = paths_find(&d->paths, e);
	if (!r)
		r = paths_make(&d->paths, e);
	if (!r)
		r = take_home(d, e);
	if (r < 0)
		return r;
	raise_fd_limit();
	signal(SIGPIPE, SIG_IGN);
	watch_signal(d, &d->sigterm, SIGTERM, on_signal);
	watch_signal(d, &d->sigint, SIGINT, on_signal);
	watch_signal(d, &d->sighup, SIGHUP, ignore_signal); /* outlives the terminal */
	return open_services(d, e);
}

/* Who starts a daemon makes the folders under the first lock; who runs one by hand has the second.
 */
static void tidy_runtime(const struct paths *p)
{
	autofree char *starter = xasprintf("%s/daemon.lock", p->home);
	autofree char *home = xasprintf("%s/vmdeckd.lock", p->home);
	autofd int a = -1, b = -1;

	if (lock_take(starter, false, &a, NULL, NULL) == 0 &&
		lock_take(home, false, &b, NULL, NULL) == 0)
		paths_unmake(p);
}

/* The socket goes last: a client that comes meanwhile waits for the next daemon instead of meeting
 * a home that is still locked. */
static void daemon_fini(struct daemon *d)
{
	bool served = d->rpc != NULL;

	rpc_drain(d->rpc);
	task_cancel(&d->sweep);
	svc_watch_close(d);
	svc_image_close(d);
	svc_snapshot_close(d);
	vm_host_close(&d->vms);
	if (d->events && !d->stop_said)
		daemon_event(d, "", "", "daemon.stop", NULL);
	events_close(d->events);
	close_fd(&d->home_lock);
	rpc_close(d->rpc);
	if (served)
		tidy_runtime(&d->paths);
	ev_loop_destroy(d->loop);
}

/* The client that started us waits for one line: "ready", or why not. */
static void tell_starter(int fd, const char *text)
{
	if (fd < 0)
		return;
	(void)!dprintf(fd, "%s\n", text);
	close(fd);
}

static int run_daemon(const struct options *o)
{
	struct daemon d;
	struct err e = {0};
	int r;

	log_setup(2, o->verbose ? LOG_DEBUG_ : LOG_INFO_);
	r = daemon_init(&d, &e);
	if (r < 0) {
		log_error("%s", e.msg);
		tell_starter(o->ready_fd, e.msg);
	} else {
		log_info("vmdeckd %s: home %s, socket %s/daemon.sock", VMDECK_VERSION, d.paths.home,
			d.paths.runtime);
		tell_starter(o->ready_fd, "ready");
		daemon_check_idle(&d);
		sweep_network_later(&d.sweep, d.loop, &d.paths);
		ev_run(d.loop, 0);
	}
	daemon_fini(&d);
	return r < 0 ? 1 : 0;
}

/* ---- command line --------------------------------------------------------------------------- */

static int print_doctor(void)
{
	autojson struct json_object *checks = NULL;
	struct paths p;
	struct err e = {0};

	if (paths_find(&p, &e) < 0) {
		fprintf(stderr, "vmdeckd: %s\n", e.msg);
		return 1;
	}
	checks = doctor_run(&p);
	puts(jsonx_line(checks));
	return 0;
}

static void usage(FILE *f)
{
	fputs("usage: vmdeckd [--verbose] [--doctor] [--version]\n"
	      "The daemon of vmdeck; 'vmdeck' starts it on demand, log lines go to stderr.\n"
	      "  --doctor        print what this host has and lacks, as JSON, and exit\n"
	      "  --ready-fd N    write \"ready\" or an error line to this fd once listening\n"
	      "  --verbose       debug lines too\n",
		f);
}

static int parse_args(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"ready-fd", required_argument, NULL, 'r'},
		{"doctor", no_argument, NULL, 'd'}, {"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			o->ready_fd = (int)strtol(optarg, NULL, 10);
			fcntl(o->ready_fd, F_SETFD, FD_CLOEXEC);
			break;
		case 'd':
			o->doctor = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			puts("vmdeckd " VMDECK_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct options o = {.ready_fd = -1};
	int r;

	if (argc >= 3 && strcmp(argv[1], "--worker") == 0 && strcmp(argv[2], "image-build") == 0)
		return image_worker_main(argc - 2, argv + 2);
	r = parse_args(argc, argv, &o);
	if (r >= 0)
		return r;
	return o.doctor ? print_doctor() : run_daemon(&o);
}
