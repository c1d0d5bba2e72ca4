/* Events of a VM as ruled lines in its output pane. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/deck_impl.h"

struct text {
	char *out;
	size_t n;
};

static const char *field(struct json_object *f, const char *key)
{
	const char *s = jsonx_str(f, key);

	return s ? s : "";
}

static void say_create(struct text *t, struct json_object *f)
{
	if (*field(f, "snapshot")) {
		snprintf(t->out, t->n, "restored from snapshot %.63s, %.20s", field(f, "snapshot"),
			field(f, "vmm"));
		return;
	}
	snprintf(t->out, t->n, "boot: image %.40s, %.20s %.10s, %lld vCPU, %lld MiB",
		field(f, "image"), field(f, "vmm"), field(f, "accel"),
		(long long)jsonx_int(f, "vcpus", 0), (long long)jsonx_int(f, "mem_mib", 0));
}

static void say_step(struct text *t, struct json_object *f)
{
	struct json_object *limit = jsonx_get(f, "limit_s");
	double s = limit ? json_object_get_double(limit) : 0;

	if (strcmp(field(f, "flow"), "boot") != 0)
		return; /* the states tell enough */
	snprintf(t->out, t->n, "%.20s %lld of %lld: %.60s", field(f, "flow"),
		(long long)jsonx_int(f, "n", 0), (long long)jsonx_int(f, "of", 0),
		field(f, "step"));
	if (s > 0)
		snprintf(t->out + strlen(t->out), t->n - strlen(t->out), " (limit %g s)", s);
}

static void say_boot(struct text *t, struct json_object *f)
{
	struct json_object *ms = jsonx_get(f, "ms");
	char took[32];

	str_duration(took, sizeof(took), (uint64_t)(ms ? json_object_get_double(ms) * 1e6 : 0));
	snprintf(t->out, t->n, "running: the agent answered %s after the request", took);
}

static void say_restore(struct text *t, struct json_object *f)
{
	struct json_object *ms = jsonx_get(f, "ms");
	char took[32];

	str_duration(took, sizeof(took), (uint64_t)(ms ? json_object_get_double(ms) * 1e6 : 0));
	snprintf(t->out, t->n, "running: healthy %s after the request", took);
}

static void say_restore_failed(struct text *t, struct json_object *f)
{
	snprintf(t->out, t->n, "restore failed: %.180s", field(f, "reason"));
}

static void say_snapshot(struct text *t, struct json_object *f)
{
	struct json_object *ms = jsonx_get(f, "pause_ms");
	char pause[32];

	str_duration(pause, sizeof(pause), (uint64_t)(ms ? json_object_get_double(ms) * 1e6 : 0));
	snprintf(t->out, t->n, "snapshot %.63s: paused %s", field(f, "snapshot"), pause);
}

static void say_snapshot_failed(struct text *t, struct json_object *f)
{
	snprintf(t->out, t->n, "snapshot %.63s failed: %.120s", field(f, "snapshot"),
		field(f, "reason"));
}

static void say_boot_failed(struct text *t, struct json_object *f)
{
	snprintf(t->out, t->n, "boot failed: %.180s", field(f, "reason"));
}

static void say_state(struct text *t, struct json_object *f)
{
	const char *to = field(f, "to"), *from = field(f, "from");

	if (strcmp(from, "starting") == 0)
		return; /* told by vm.boot or vm.restore */
	if (strcmp(to, "running") == 0)
		snprintf(t->out, t->n, "running again");
	else if (*field(f, "reason"))
		snprintf(t->out, t->n, "%.20s: %.180s", to, field(f, "reason"));
	else
		snprintf(t->out, t->n, "%.20s", to);
}

static void say_agent_lost(struct text *t, struct json_object *f)
{
	/* Each connection says so, and then the VM: once is enough. */
	if (!*field(f, "conn"))
		snprintf(t->out, t->n, "agent lost: %.180s", field(f, "why"));
}

static void say_panic(struct text *t, struct json_object *f)
{
	(void)f;
	snprintf(t->out, t->n, "the guest's kernel panicked");
}

static void say_main_exit(struct text *t, struct json_object *f)
{
	snprintf(t->out, t->n, "main process ended: %.10s %lld", field(f, "how"),
		(long long)jsonx_int(f, "value", 0));
}

static void say_gap(struct text *t, struct json_object *f)
{
	char size[32];
	int64_t bytes = jsonx_int(f, "bytes", jsonx_int(f, "lost", 0));

	str_bytes(size, sizeof(size), bytes > 0 ? (uint64_t)bytes : 0);
	snprintf(t->out, t->n, "output is missing here%s%s", bytes > 0 ? ": " : "",
		bytes > 0 ? size : "");
}

/* late: the line belongs behind output that is on its way through another connection. */
static const struct {
	const char *name;
	void (*say)(struct text *t, struct json_object *fields);
	bool late;
} rules[] = {
	{"vm.create", say_create, false},
	{"flow.step", say_step, false},
	{"vm.boot", say_boot, false},
	{"vm.boot.failed", say_boot_failed, false},
	{"vm.restore", say_restore, false},
	{"vm.restore.failed", say_restore_failed, false},
	{"vm.snapshot", say_snapshot, true},
	{"vm.snapshot.failed", say_snapshot_failed, false},
	{"vm.state", say_state, true},
	{"agent.lost", say_agent_lost, true},
	{"guest.panic", say_panic, false},
	{"main.exit", say_main_exit, true},
	{"output.gap", say_gap, false},
};

static bool is_end(const char *name, struct json_object *fields)
{
	const char *to = field(fields, "to");

	return strcmp(name, "vm.state") == 0 &&
	       (strcmp(to, "stopped") == 0 || strcmp(to, "failed") == 0);
}

void decks_event(struct decks *ds, struct json_object *event)
{
	const char *name = jsonx_str(event, "name"), *id = jsonx_str(event, "vm");
	struct deck *d = id ? decks_find(ds, id) : NULL;
	uint64_t wall = (uint64_t)jsonx_int(event, "wall_ns", 0);
	struct json_object *fields = jsonx_get(event, "fields");
	char raw[240] = "", safe[300];
	struct text t = {raw, sizeof(raw)};

	if (!name || !d || !d->tab[TAB_OUTPUT].pane)
		return;
	for (size_t i = 0; i < countof(rules); i++) {
		if (strcmp(rules[i].name, name) != 0)
			continue;
		rules[i].say(&t, fields);
		if (!raw[0])
			return;
		str_safe(safe, sizeof(safe), raw);
		if (rules[i].late)
			tab_rule_late(&d->tab[TAB_OUTPUT], wall, is_end(name, fields), safe);
		else
			tab_rule(&d->tab[TAB_OUTPUT], wall, "%s", safe);
	}
}
