#include "backend/vm/network.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"

static struct vm *flow_vm(const struct flow *f)
{
	return f->user;
}

/* ---- what the keeper tells ------------------------------------------------------------------- */

static void log_network(struct vm *vm, const char *name)
{
	vm_log_json(vm, name, net_json(vm->net));
}

static void on_done(void *user, int r, const struct err *e)
{
	struct vm *vm = user;
	struct vmm_result res = {r, e};

	if (r == 0)
		log_network(vm, "net.ready");
	flow_event(&vm->flow, VM_FE_NET, &res);
}

static void on_link(void *user)
{
	struct vm *vm = user;
	const char *why;
	bool up = net_up(vm->net, &why);

	if (vm->state != VM_RUNNING && vm->state != VM_PAUSED)
		return; /* it goes with its VMM */
	if (!up)
		log_warn("vm %s (%s): network: %s", vm->spec.name, vm->id, why);
	log_network(vm, up ? "net.up" : "net.down");
}

static const struct net_callbacks net_cb = {.on_done = on_done, .on_link = on_link};

static int open_or_adopt(struct vm *vm, bool adopt, struct err *e)
{
	autofree char *pid_file = xasprintf("%s/vmm.pid", vm->dir);
	struct net_request rq = {.home = vm->host->paths->home,
		.id = vm->id,
		.run_dir = vm->run_dir,
		.pid_file = pid_file,
		.spec = &vm->spec.network};

	return (adopt ? net_adopt : net_open)(&vm->net, vm->host->loop, &rq, &net_cb, vm, e);
}

/* ---- the step -------------------------------------------------------------------------------- */

bool vm_network_skip(const struct flow *f)
{
	return flow_vm(f)->spec.network.mode == NET_NONE;
}

enum flow_verdict vm_network_enter(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	return open_or_adopt(vm, false, &f->err) < 0 ? FLOW_FAIL : FLOW_WAIT;
}

enum flow_verdict vm_network_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev != VM_FE_NET)
		return FLOW_WAIT;
	if (res->r == 0)
		return FLOW_NEXT;
	f->err = *res->e;
	return FLOW_FAIL;
}

void vm_network_undo(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	net_close(vm->net);
	vm->net = NULL;
}

/* A VM that runs keeps what resolvers it has; for a new one none is an error before it starts. */
int vm_network_for_guest(struct vm *vm, const struct guest_network **ret, struct err *e)
{
	struct guest_network *g = &vm->guest_net;
	struct net_dns dns;
	struct err why = {0};

	*ret = NULL;
	if (vm->spec.network.mode == NET_NONE)
		return 0;
	if (net_dns_read("", &dns, &why) < 0) {
		if (vm->state == VM_STARTING)
			return err_set(e, why.code, "%s", why.msg);
		log_warn("vm %s: %s", vm->id, why.msg);
	}
	*g = (struct guest_network){.address = NET_GUEST_IP,
		.bits = NET_GUEST_BITS,
		.gateway = NET_GATEWAY,
		.mtu = NET_MTU};
	for (int i = 0; i < dns.count && i < GUEST_DNS_MAX; i++)
		snprintf(g->dns[g->dns_count++], sizeof(g->dns[0]), "%s", dns.servers[i]);
	snprintf(g->search, sizeof(g->search), "%s", dns.search);
	*ret = g;
	return 0;
}

/* ---- with the VMM ---------------------------------------------------------------------------- */

const struct vmm_net *vm_network_config(struct vm *vm)
{
	if (vm->spec.network.mode == NET_NONE)
		return NULL;
	vm->vmm_net = (struct vmm_net){.mac = NET_MAC, .tap = -1, .netns = -1, .userns = -1};
	if (vm->net) {
		vm->vmm_net.tap = net_tap_fd(vm->net);
		vm->vmm_net.netns = net_netns_fd(vm->net);
		vm->vmm_net.userns = net_userns_fd(vm->net);
	}
	return &vm->vmm_net;
}

void vm_network_given(struct vm *vm)
{
	if (vm->net)
		net_given(vm->net);
}

void vm_network_adopt(struct vm *vm)
{
	struct err e = {0};

	if (vm->spec.network.mode == NET_NONE)
		return;
	if (open_or_adopt(vm, true, &e) < 0)
		log_warn("vm %s: its network is not watched: %s", vm->id, e.msg);
}

int vm_network_socket(void *user, int family, int type, struct err *e)
{
	struct vm *vm = user;

	if (!vm->net)
		return err_set(e, ENOTCONN, "VM '%s' has no network", vm->spec.name);
	if (family != AF_INET || (type & 0xf) != SOCK_STREAM)
		return err_set(e, EAFNOSUPPORT, "a VM's network has TCP over IPv4 only");
	return net_socket(vm->net, e);
}

int vm_network_check(const struct vm_host *h, const struct net_spec *spec, struct err *e)
{
	const struct vm *v;
	char text[NET_PUBLISH_TEXT];

	vm_foreach(h, v)
	{
		for (int i = 0; vm_alive(v) && i < v->spec.network.publish_count; i++)
			for (int k = 0; k < spec->publish_count; k++)
				if (net_publish_clash(
					    &v->spec.network.publish[i], &spec->publish[k]))
					return err_set(e, EADDRINUSE,
						"cannot publish '%s': VM '%s' has that port",
						net_publish_text(&spec->publish[k], text),
						v->spec.name);
	}
	return 0;
}

/* ---- with a snapshot ------------------------------------------------------------------------- */

char **vm_network_words(const struct vm *vm)
{
	const struct net_spec *s = &vm->spec.network;
	char text[NET_PUBLISH_TEXT], **words;

	if (s->mode == NET_NONE)
		return NULL;
	words = xcalloc((size_t)s->publish_count + 2, sizeof(*words));
	words[0] = xstrdup(net_mode_names[s->mode]);
	for (int i = 0; i < s->publish_count; i++)
		words[i + 1] = xstrdup(net_publish_text(&s->publish[i], text));
	return words;
}

int vm_network_inherit(struct vm_spec *spec, const struct snapshot *s, struct err *e)
{
	struct net_spec *n = &spec->network;

	*n = (struct net_spec){0};
	if (!s->network || !s->network[0])
		return 0;
	if (net_mode_parse(s->network[0], &n->mode, e) < 0)
		return err_wrap(e, -EBADMSG, "snapshot '%s'", s->name);
	for (int i = 1; s->network[i] && n->publish_count < NET_PUBLISH_MAX; i++) {
		struct net_publish *p = &n->publish[n->publish_count];

		if (net_publish_parse(s->network[i], p, e) < 0)
			return err_wrap(e, -EBADMSG, "snapshot '%s'", s->name);
		n->publish_count += !p->ip && !p->any_ip; /* two VMs cannot have the others */
	}
	return 0;
}

int vm_network_wish(struct vm *vm, const struct net_wish *wish, struct err *e)
{
	struct net_spec *n = &vm->spec.network;
	enum net_mode had = n->mode;

	if (wish && wish->mode_said)
		n->mode = wish->spec.mode;
	if (wish && wish->publish_said) {
		memcpy(n->publish, wish->spec.publish, sizeof(n->publish));
		n->publish_count = wish->spec.publish_count;
	}
	if ((had == NET_NONE) != (n->mode == NET_NONE) || (had == NET_NONE && n->publish_count))
		return err_set(e, EINVAL,
			"snapshot '%s' was made of a VM %s a network card, and a restored one has "
			"what "
			"that had",
			vm->restored.snapshot, had == NET_NONE ? "without" : "with");
	return vm_network_check(vm->host, n, e);
}

/* ---- shown ----------------------------------------------------------------------------------- */

static void add_counters(struct json_object *o, int pid)
{
	struct net_counters c;
	struct json_object *t;

	if (pid <= 0 || net_counters_read(pid, &c, NULL) < 0)
		return;
	t = json_object_new_object();
	jsonx_add_int(t, "rx_bytes", (int64_t)c.rx_bytes);
	jsonx_add_int(t, "tx_bytes", (int64_t)c.tx_bytes);
	jsonx_add_int(t, "rx_packets", (int64_t)c.rx_packets);
	jsonx_add_int(t, "tx_packets", (int64_t)c.tx_packets);
	jsonx_add_int(t, "rx_drops", (int64_t)c.rx_drops);
	jsonx_add_int(t, "tx_drops", (int64_t)c.tx_drops);
	json_object_object_add(o, "traffic", t);
}

struct json_object *vm_network_json(struct vm *vm)
{
	struct json_object *o;

	if (vm->spec.network.mode == NET_NONE)
		return NULL;
	if (!vm->net)
		return net_spec_json(&vm->spec.network);
	o = net_json(vm->net);
	add_counters(o, vm->vmm ? vm->vmm->proc.id.pid : 0);
	return o;
}
