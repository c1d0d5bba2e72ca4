/* host.watch: figures of the host, the daemon and the live VMs, measured only while a connection
 * wants them. One timer with the shortest interval asked for; none while nobody watches. */
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backend/base/jsonx.h"
#include "backend/daemon/daemon.h"
#include "backend/daemon/sample.h"
#include "backend/vm/vm.h"
#include "backend/vmm/host_mem.h"

#define INTERVAL_LEAST 100          /* ms */
#define PSS_STEP       (1ull << 20) /* bytes: less comes and goes with whoever shares a page */
#define PSS_BUDGET_NS  2000000      /* of a sample: the loop has other things to do */

/* Of a VM, between two samples. */
struct stats_vm {
	char id[VM_ID_CHARS + 1];
	struct sample_proc proc;
	uint64_t pss;
	bool known, seen;
};

struct stats {
	struct daemon *d;
	unsigned interval_ms;
	ev_timer timer;
	uint64_t at_ns; /* monotonic, of the last sample; 0: there is none */
	struct sample_cpus cpus;
	struct sample_proc self;
	struct stats_vm *vm; /* owned */
	int count;
	char *sent;   /* owned: figures of the VMs, as they were pushed last */
	int pss_next; /* whose turn it is to have its memory counted */
};

/* ---- parts ----------------------------------------------------------------------------------- */

static struct json_object *number(double v)
{
	char text[32];

	if (v < 0)
		return NULL;
	/* One decimal is what is measured; more would only be bytes. */
	snprintf(text, sizeof(text), "%.1f", v);
	return json_object_new_double_s(v, text);
}

static void add_bytes(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, v == SAMPLE_UNKNOWN ? NULL : json_object_new_uint64(v));
}

static void add_cpus(struct stats *s, struct json_object *o)
{
	struct json_object *list = json_object_new_array();
	struct sample_cpus now;
	bool known = sample_cpus_read(&now), pair = known && s->at_ns && s->cpus.count == now.count;

	for (int i = 0; known && i < now.count; i++)
		json_object_array_add(
			list, number(pair ? sample_busy(&s->cpus.core[i], &now.core[i]) : -1));
	json_object_object_add(o, "cpus", list);
	json_object_object_add(
		o, "cpu", number(pair ? sample_busy(&s->cpus.total, &now.total) : -1));
	if (known)
		s->cpus = now;
}

static void add_host(struct stats *s, struct json_object *o)
{
	struct json_object *mem = json_object_new_object(), *disk = json_object_new_object();
	struct json_object *load = json_object_new_array();
	struct host_mem m;
	struct statvfs fs;
	double loads[3];

	if (host_mem_read(&m, NULL) == 0) {
		add_bytes(mem, "total", m.total);
		add_bytes(mem, "available", m.available);
	}
	json_object_object_add(o, "mem", mem);
	for (int i = 0; i < 3 && (i || sample_load(loads)); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%.2f", loads[i]);
		json_object_array_add(load, json_object_new_double_s(loads[i], text));
	}
	json_object_object_add(o, "load", load);
	if (statvfs(s->d->paths.home, &fs) == 0) {
		add_bytes(disk, "total", (uint64_t)fs.f_blocks * fs.f_frsize);
		add_bytes(disk, "free", (uint64_t)fs.f_bavail * fs.f_frsize);
	}
	json_object_object_add(o, "disk", disk);
}

static void add_daemon(struct stats *s, struct json_object *o, uint64_t elapsed)
{
	struct json_object *me = json_object_new_object();
	struct sample_proc now;
	bool known = sample_proc_read(&now, getpid());

	jsonx_add_int(me, "pid", getpid());
	jsonx_add_str(me, "version", VMDECK_VERSION);
	add_bytes(me, "started_ns", s->d->started_ns);
	add_bytes(me, "rss", known ? now.rss : SAMPLE_UNKNOWN);
	jsonx_add_int(me, "connections", s->d->connections);
	add_bytes(me, "seq", events_seq(s->d->events));
	json_object_object_add(me, "cpu",
		number(known && s->at_ns ? sample_proc_busy(&s->self, &now, elapsed) : -1));
	json_object_object_add(o, "daemon", me);
	if (known)
		s->self = now;
}

static void add_queue(struct json_object *list, const char *name, const struct queue *q)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "name", name);
	jsonx_add_int(o, "slots", q->slots);
	jsonx_add_int(o, "busy", q->busy);
	jsonx_add_int(o, "waiting", q->waiting);
	json_object_array_add(list, o);
}

/* ---- VMs ------------------------------------------------------------------------------------- */

static struct stats_vm *stats_find(struct stats *s, const char *id)
{
	struct stats_vm *grown;

	for (int i = 0; i < s->count; i++)
		if (strcmp(s->vm[i].id, id) == 0)
			return &s->vm[i];
	grown = realloc(s->vm, (size_t)(s->count + 1) * sizeof(*grown));
	if (!grown)
		abort();
	s->vm = grown;
	s->vm[s->count] = (struct stats_vm){.pss = SAMPLE_UNKNOWN};
	snprintf(s->vm[s->count].id, sizeof(s->vm[s->count].id), "%s", id);
	return &s->vm[s->count++];
}

static void add_vitals(struct json_object *o, const struct vm *vm)
{
	const struct wire_vitals *v = &vm->vitals;
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"mem_total", v->mem_total},
		{"mem_available", v->mem_available},
		{"load_milli", v->load_milli},
		{"procs", v->procs},
		{"oom_kills", v->oom_kills},
	};

	for (size_t i = 0; vm->have_vitals && i < countof(rows); i++)
		add_bytes(o, rows[i].key,
			rows[i].value == WIRE_VITAL_UNKNOWN ? SAMPLE_UNKNOWN : rows[i].value);
}

static struct json_object *vm_figures(struct stats *s, const struct vm *vm, uint64_t elapsed)
{
	struct json_object *o = json_object_new_object();
	struct stats_vm *sv = stats_find(s, vm->id);
	struct sample_proc now;
	struct net_counters net;
	bool known = vm->vmm && vm->vmm->proc.id.pid > 0 &&
		     sample_proc_read(&now, vm->vmm->proc.id.pid) &&
		     now.start == vm->vmm->proc.id.start;

	sv->seen = true;
	jsonx_add_str(o, "id", vm->id);
	json_object_object_add(o, "cpu",
		number(known && sv->known ? sample_proc_busy(&sv->proc, &now, elapsed) : -1));
	add_bytes(o, "rss", known ? now.rss : SAMPLE_UNKNOWN);
	add_bytes(o, "pss", known ? sv->pss : SAMPLE_UNKNOWN);
	add_bytes(o, "out_end", vm->out ? outlog_end(vm->out) : 0);
	if (known && vm->net && net_counters_read(vm->vmm->proc.id.pid, &net, NULL) == 0)
		add_bytes(o, "net_bytes", net.rx_bytes + net.tx_bytes);
	jsonx_add_int(o, "execs", vm->execs);
	add_vitals(o, vm);
	sv->known = known;
	if (known)
		sv->proc = now;
	return o;
}

/* Some VMs in turn, as far as the time goes that may be spent on it. */
static void count_memory(struct stats *s)
{
	uint64_t begin = mono_ns();
	struct vm *vm;

	for (int i = 0; i < s->count && mono_ns() - begin < PSS_BUDGET_NS; i++) {
		struct stats_vm *sv = &s->vm[s->pss_next++ % s->count];

		if (vm_find(&s->d->vms, sv->id, &vm, NULL) < 0 || !vm->vmm ||
			!proc_running(&vm->vmm->proc))
			continue;
		sv->pss = sample_pss(vm->vmm->proc.id.pid);
		if (sv->pss != SAMPLE_UNKNOWN)
			sv->pss = (sv->pss + PSS_STEP - 1) / PSS_STEP * PSS_STEP;
	}
	s->pss_next %= max_of(s->count, 1);
}

static void add_vms(struct stats *s, struct json_object *o, uint64_t elapsed)
{
	struct json_object *list = json_object_new_array();
	struct vm *vm;

	for (int i = 0; i < s->count; i++)
		s->vm[i].seen = false;
	vm_foreach(&s->d->vms, vm) if (vm_alive(vm))
		json_object_array_add(list, vm_figures(s, vm, elapsed));
	for (int i = s->count - 1; i >= 0; i--)
		if (!s->vm[i].seen)
			s->vm[i] = s->vm[--s->count];
	json_object_object_add(o, "vms", list);
	count_memory(s);
}

/* ---- samples --------------------------------------------------------------------------------- */

static struct json_object *sample(struct stats *s)
{
	struct json_object *o = json_object_new_object(), *queues = json_object_new_array();
	uint64_t now = mono_ns(), elapsed = s->at_ns ? now - s->at_ns : 0;

	add_bytes(o, "at_ns", wall_ns());
	jsonx_add_int(o, "interval_ms", s->interval_ms);
	add_cpus(s, o);
	add_host(s, o);
	add_daemon(s, o, elapsed);
	add_queue(queues, "restores", &s->d->vms.restores);
	add_queue(queues, "snapshots", &s->d->vms.snapshots);
	json_object_object_add(o, "queues", queues);
	add_vms(s, o, elapsed);
	s->at_ns = now;
	return o;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct stats *s = w->data;
	autojson struct json_object *o = sample(s);
	const char *vms =
		json_object_to_json_string_ext(jsonx_get(o, "vms"), JSON_C_TO_STRING_PLAIN);
	bool changed = !s->sent || strcmp(s->sent, vms) != 0;

	(void)loop;
	(void)revents;
	rpc_push(s->d->rpc, "host.stats", o, mono_ns(), changed);
	if (changed) {
		free(s->sent);
		s->sent = xstrdup(vms);
	}
}

void svc_watch_close(struct daemon *d)
{
	if (!d->stats)
		return;
	ev_timer_stop(d->loop, &d->stats->timer);
	free(d->stats->vm);
	free(d->stats->sent);
	free(d->stats);
	d->stats = NULL;
}

void svc_watch_interval(struct daemon *d, unsigned interval_ms)
{
	struct stats *s = d->stats;

	if (!interval_ms) {
		svc_watch_close(d);
		return;
	}
	if (!s) {
		s = d->stats = xcalloc(1, sizeof(*s));
		s->d = d;
		ev_init(&s->timer, on_timer);
		s->timer.data = s;
	}
	s->interval_ms = interval_ms;
	ev_timer_stop(d->loop, &s->timer);
	/* A sample right behind another would have no time to tell rates by. */
	ev_timer_set(&s->timer, s->at_ns ? interval_ms / 1e3 : 0, interval_ms / 1e3);
	ev_now_update(d->loop);
	ev_timer_start(d->loop, &s->timer);
}

static void handle_watch(struct rpc_call *call, struct json_object *params)
{
	int64_t ms = jsonx_int(params, "interval_ms", 0);
	struct json_object *o = json_object_new_object();

	ms = ms ? max_of(ms, (int64_t)INTERVAL_LEAST) : 0;
	rpc_watch(call, (unsigned)ms, jsonx_bool(params, "changes_only", false));
	jsonx_add_int(o, "interval_ms", ms);
	rpc_reply(call, o);
}

void svc_watch_register(rpc_handler **handlers)
{
	handlers[PROTO_HOST_WATCH] = handle_watch;
}
