/* A driver for tests only: the "VM" is the agent as an ordinary process of this host, over UNIX
 * sockets with the hybrid convention. It lets the daemon, its crashes and its clients be tested in
 * milliseconds; what only a real VM shows (boot, vsock, PID 1) is tested with QEMU. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "backend/base/path.h"
#include "backend/vmm/vmm.h"

struct process_vm {
	struct vmm base;
	ev_timer answer;
	vmm_done *done;
	enum vmm_state to;
};

extern const struct vmm_ops vmm_process;

static struct process_vm *of(struct vmm *v)
{
	return container_of(v, struct process_vm, base);
}

static void detect(struct vmm_detect *ret)
{
	*ret = (struct vmm_detect){.found = true, .version = "test", .accel = "process"};
}

static void on_exit_event(struct proc *proc, int status)
{
	struct process_vm *p = proc->user;
	char text[80];

	p->base.state = VMM_GONE;
	proc_status_text(text, sizeof(text), status);
	p->base.cb.on_event(&p->base, VMM_EV_EXIT, text);
}

static void on_answer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct process_vm *p = container_of(w, struct process_vm, answer);
	vmm_done *done = p->done;

	(void)loop;
	(void)revents;
	p->done = NULL;
	p->base.state = p->to;
	if (done)
		done(&p->base, 0, NULL);
}

static int answer_later(struct vmm *v, vmm_done *done, enum vmm_state to)
{
	struct process_vm *p = of(v);

	p->done = done;
	p->to = to;
	ev_timer_init(&p->answer, on_answer, 0., 0.);
	ev_timer_start(v->loop, &p->answer);
	return 0;
}

static int start(struct vmm *v, vmm_done *done, struct err *e)
{
	char program[600], fifo[600], pid_file[600], log[600];
	const char *argv[] = {
		program, "--unix", v->config->vsock_path, "--output-fifo", fifo, NULL};
	struct proc_fd fds[] = {{-1, 1}, {-1, 2}};
	struct proc_spec spec = {.argv = argv, .fds = fds, .fd_count = 2, .pid_file = pid_file};
	int r = path_helper("vmdeck-agent-host", program, sizeof(program), e);

	if (r < 0)
		return r;
	snprintf(fifo, sizeof(fifo), "%s/output.fifo", v->config->run_dir);
	snprintf(pid_file, sizeof(pid_file), "%s/vmm.pid", v->config->dir);
	snprintf(log, sizeof(log), "%s/serial.log", v->config->dir);
	fds[0].from = fds[1].from = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	r = proc_spawn(&v->proc, v->loop, &spec, on_exit_event, of(v), e);
	close(fds[0].from);
	if (r < 0)
		return r;
	v->cb.on_log(v, "vmm.spawn", "{}");
	return answer_later(v, done, VMM_RUNNING);
}

/* As pause left it: in the state T of /proc/PID/stat. */
static bool stopped(pid_t pid)
{
	autofile FILE *f = NULL;
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	return f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1 && state == 'T';
}

static int adopt(struct vmm *v, vmm_done *done, struct err *e)
{
	char pid_file[600];
	struct proc_id id;
	int r;

	snprintf(pid_file, sizeof(pid_file), "%s/vmm.pid", v->config->dir);
	r = proc_read_pid_file(pid_file, &id);
	if (r < 0)
		return err_set(e, -r, "no pid file");
	r = proc_adopt(&v->proc, v->loop, id, on_exit_event, of(v), e);
	return r < 0 ? r : answer_later(v, done, stopped(id.pid) ? VMM_PAUSED : VMM_RUNNING);
}

static int pause_vm(struct vmm *v, vmm_done *done, struct err *e)
{
	(void)e;
	proc_signal(&v->proc, SIGSTOP);
	return answer_later(v, done, VMM_PAUSED);
}

static int resume_vm(struct vmm *v, vmm_done *done, struct err *e)
{
	(void)e;
	proc_signal(&v->proc, SIGCONT);
	return answer_later(v, done, VMM_RUNNING);
}

/* A process of this host has no device state. */
static int load(struct vmm *v, vmm_done *done, struct err *e)
{
	(void)v;
	(void)done;
	return err_set(e, EOPNOTSUPP, "process: an ordinary process has no state to load");
}

static int save(
	struct vmm *v, const char *state_path, struct frozen *memory, vmm_done *done, struct err *e)
{
	(void)v;
	(void)state_path;
	(void)memory;
	(void)done;
	return err_set(e, EOPNOTSUPP, "process: an ordinary process has no state to save");
}

static int machine(const struct vmm_config *c, struct vmm_machine *ret, struct err *e)
{
	(void)c;
	(void)e;
	*ret = (struct vmm_machine){.version = "test", .tsc_khz = 1000000};
	memset(ret->digest, '0', sizeof(ret->digest) - 1);
	return 0;
}

static void kill_vm(struct vmm *v)
{
	proc_signal(&v->proc, SIGKILL);
}

static void destroy(struct vmm *v)
{
	if (!v)
		return;
	if (v->loop)
		ev_timer_stop(v->loop, &of(v)->answer);
	proc_forget(&v->proc);
	free(of(v));
}

static struct vmm *create(void)
{
	struct process_vm *p = xcalloc(1, sizeof(*p));

	p->base.ops = &vmm_process;
	return &p->base;
}

const struct vmm_ops vmm_process = {
	.name = "process",
	.detect = detect,
	.create = create,
	.start = start,
	.adopt = adopt,
	.load = load,
	.save = save,
	.machine = machine,
	.pause = pause_vm,
	.resume = resume_vm,
	.kill = kill_vm,
	.destroy = destroy,
};

/* Takes the place of backend/vmm/drivers.c in the daemon for tests. */
const struct vmm_ops *const vmm_drivers[] = {&vmm_process, NULL};
