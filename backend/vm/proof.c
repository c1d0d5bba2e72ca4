#include "backend/vm/proof.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/vm/birth.h"

struct attempt {
	struct proof *of;
	ev_io io;
	struct net_publish port;
	int fd; /* -1: it has answered */
};

struct proof {
	struct vm *vm;
	struct attempt attempts[NET_PUBLISH_MAX];
	int count, open;
	uint64_t begin_ns;
};

static struct vm *flow_vm(const struct flow *f)
{
	return f->user;
}

void vm_proof_free(struct proof *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->count; i++)
		if (p->attempts[i].fd >= 0) {
			ev_io_stop(p->vm->host->loop, &p->attempts[i].io);
			close(p->attempts[i].fd);
		}
	free(p);
}

bool vm_proof_skip(const struct flow *f)
{
	const struct net_spec *s = &flow_vm(f)->spec.network;

	for (int i = 0; i < s->publish_count; i++)
		if (!s->publish[i].udp)
			return false;
	return true;
}

static void log_proof(const struct proof *p, const char *silent)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_int(o, "ports", p->count);
	jsonx_add_int(o, "silent", p->open);
	jsonx_add_str(o, "first_silent", silent);
	json_object_object_add(
		o, "ms", json_object_new_double((double)(mono_ns() - p->begin_ns) / 1e6));
	vm_log_json(p->vm, "net.publish", o);
}

/* Accepted or refused: the guest was reached either way. */
static void on_answer(struct ev_loop *loop, ev_io *w, int revents)
{
	struct attempt *a = container_of(w, struct attempt, io);
	struct proof *p = a->of;

	(void)revents;
	ev_io_stop(loop, w);
	close_fd(&a->fd);
	if (--p->open > 0)
		return;
	log_proof(p, NULL);
	flow_event(&p->vm->flow, VM_FE_PROVED, NULL);
}

static void attempt(struct proof *p, const struct net_publish *port, uint32_t own)
{
	struct attempt *a = &p->attempts[p->count++];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port->host)};
	uint32_t ip = port->ip ? port->ip : port->any_ip ? INADDR_LOOPBACK : own;

	to.sin_addr.s_addr = htonl(ip);
	*a = (struct attempt){.of = p, .port = *port};
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0 ||
		(connect(a->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)) {
		close_fd(&a->fd); /* of loopback: refused at once */
		return;
	}
	p->open++;
	ev_io_init(&a->io, on_answer, a->fd, EV_WRITE);
	ev_io_start(p->vm->host->loop, &a->io);
}

enum flow_verdict vm_proof_enter(struct flow *f)
{
	struct vm *vm = flow_vm(f);
	const struct net_spec *s = &vm->spec.network;
	struct proof *p = xcalloc(1, sizeof(*p));
	uint32_t own = vm->net ? net_address(vm->net) : 0;

	p->vm = vm;
	p->begin_ns = mono_ns();
	vm->proof = p;
	for (int i = 0; i < s->publish_count; i++)
		if (!s->publish[i].udp)
			attempt(p, &s->publish[i], own);
	if (p->open > 0)
		return FLOW_WAIT;
	log_proof(p, NULL);
	return FLOW_NEXT;
}

enum flow_verdict vm_proof_event(struct flow *f, int ev, void *data)
{
	if (ev == VM_FE_EXIT)
		return birth_ended(f, data);
	if (ev != VM_FE_PROVED)
		return FLOW_WAIT;
	vm_proof_undo(f);
	return FLOW_NEXT;
}

enum flow_verdict vm_proof_expired(struct flow *f)
{
	struct proof *p = flow_vm(f)->proof;
	char text[NET_PUBLISH_TEXT] = "";

	for (int i = 0; i < p->count && !text[0]; i++)
		if (p->attempts[i].fd >= 0)
			net_publish_text(&p->attempts[i].port, text);
	log_warn("vm %s (%s): nothing answers at %d of its published ports, the first is %s",
		p->vm->spec.name, p->vm->id, p->open, text);
	log_proof(p, text);
	vm_proof_undo(f);
	return FLOW_NEXT;
}

void vm_proof_undo(struct flow *f)
{
	vm_proof_free(flow_vm(f)->proof);
	flow_vm(f)->proof = NULL;
}
