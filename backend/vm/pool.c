#include "backend/vm/pool.h"

#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/vm/birth.h"
#include "backend/vm/restore.h"
#include "backend/vm/snapshot.h"

#define REST_S     0.25 /* quiet time behind the last restore before one is made */
#define GUESS_MIB  48   /* memory of a waiting one before the first was measured */
#define CHECK_S    120.
#define API_S      20.
#define LOAD_S     25.
#define JSON_LIMIT 65536

struct entry {
	bool used;
	char name[64];
	uint8_t id[SNAPSHOT_ID];
	int wanted, failures;
	char why[400];
};

struct pool {
	struct vm_host *host;
	struct entry entries[POOL_SNAPSHOTS];
	struct vm list;    /* head: waiting ones, and the one being made */
	struct vm *making; /* one at a time */
	uint32_t max_mib;
	uint64_t each; /* bytes of the last one that was measured */
	ev_timer rest;
};

static struct entry *find(struct pool *p, const uint8_t id[SNAPSHOT_ID])
{
	for (int i = 0; i < POOL_SNAPSHOTS; i++)
		if (p->entries[i].used && memcmp(p->entries[i].id, id, SNAPSHOT_ID) == 0)
			return &p->entries[i];
	return NULL;
}

#define pool_foreach(p, v) for ((v) = (p)->list.next; (v) != &(p)->list; (v) = (v)->next)

static int count_of(const struct pool *p, const uint8_t id[SNAPSHOT_ID], bool ready_only)
{
	const struct vm *v;
	int n = 0;

	pool_foreach(p, v) n +=
		memcmp(v->restored.id, id, SNAPSHOT_ID) == 0 && (!ready_only || v != p->making);
	return n;
}

static int count_all(const struct pool *p)
{
	const struct vm *v;
	int n = 0;

	pool_foreach(p, v) n++;
	return n;
}

/* ---- in and out of the operator's registry -----------------------------------------------------
 */

static void link_before(struct vm *head, struct vm *vm)
{
	vm->prev->next = vm->next;
	vm->next->prev = vm->prev;
	vm->prev = head->prev;
	vm->next = head;
	vm->prev->next = vm;
	vm->next->prev = vm;
}

static void hide(struct pool *p, struct vm *vm)
{
	link_before(&p->list, vm);
	vm->pooled = true;
	p->host->count--;
}

static void end_one(struct pool *p, struct vm *vm)
{
	if (vm == p->making) {
		p->making = NULL;
		flow_drop(&vm->flow);
		task_cancel(&vm->task);
	}
	if (vm->vmm) {
		vm->vmm->ops->kill(vm->vmm);
		vm->vmm->ops->destroy(vm->vmm);
		vm->vmm = NULL;
	}
	vm_close_session(vm);
	vm_files_remove(vm);
	vm_free(vm);
}

/* ---- making one --------------------------------------------------------------------------------
 */

static void save(const struct pool *p);

static const struct flow_step pool_steps[] = {
	{"check", CHECK_S, restore_check_step, restore_check_event, restore_check_undo, NULL, NULL},
	{"reserve", 0, birth_reserve, NULL, birth_unreserve, NULL, NULL},
	{"spawn", 0, birth_spawn, NULL, birth_kill, NULL, NULL},
	{"api", API_S, restore_api_step, birth_vmm_event, NULL, NULL, NULL},
	{"load", LOAD_S, restore_load_step, birth_op_event, NULL, NULL, NULL},
};

/* Shared pages count by their share: what the host would get back. */
static uint64_t measure(pid_t pid)
{
	autofile FILE *f = NULL;
	char path[64], line[256];
	unsigned long kib;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %lu kB", &kib) == 1)
			return (uint64_t)kib << 10;
	return (uint64_t)GUESS_MIB << 20;
}

static void on_done(struct flow *f, int r)
{
	struct vm *vm = f->user;
	struct pool *p = vm->host->pool;
	struct entry *en = find(p, vm->restored.id);

	p->making = NULL;
	if (r < 0) {
		log_warn("pool of snapshot %s: %s", vm->restored.snapshot, f->err.msg);
		if (en) {
			en->failures++;
			snprintf(en->why, sizeof(en->why), "%s", f->err.msg);
		}
		vm_free(vm);
	} else {
		if (en)
			en->failures = 0;
		p->each = measure(vm->vmm->proc.id.pid);
		vm_log(vm, "pool.ready", "{\"snapshot\":\"%s\",\"ms\":%.1f,\"mib\":%.1f}",
			vm->restored.snapshot, (double)trail_ns(&vm->trail) / 1e6,
			(double)p->each / 1048576.);
	}
	pool_kick(p);
}

static int make_one(struct pool *p, struct entry *en, struct err *e)
{
	struct snapshot s = {0};
	struct vm *vm;
	int r = snap_check_at_rest(p->host, en->name, e);

	if (r == 0)
		r = snapshot_load(p->host->paths, en->name, &s, e);
	if (r == 0 && memcmp(s.id, en->id, SNAPSHOT_ID) != 0)
		r = err_set(e, ENOENT, "snapshot '%s' is another one now", en->name);
	if (r == 0)
		r = restore_new(p->host, &s, "pool", &vm, e);
	snapshot_fini(&s);
	if (r != 0)
		return r;
	hide(p, vm);
	p->making = vm;
	birth_begin(vm, NULL, NULL);
	flow_init(&vm->flow, p->host->loop, "pool", pool_steps, countof(pool_steps), NULL, on_done,
		vm);
	flow_start(&vm->flow);
	return 0;
}

static bool has_room(const struct pool *p, struct entry *en)
{
	uint64_t each = p->each ? p->each : (uint64_t)GUESS_MIB << 20;
	uint64_t after = (uint64_t)(count_all(p) + 1) * each;

	if (after <= (uint64_t)p->max_mib << 20)
		return true;
	snprintf(en->why, sizeof(en->why),
		"%u MiB are allowed for waiting VMMs, and one takes %u MiB", p->max_mib,
		(unsigned)(each >> 20));
	return false;
}

static struct entry *most_wanting(struct pool *p)
{
	struct entry *best = NULL;
	int missing = 0;

	for (int i = 0; i < POOL_SNAPSHOTS; i++) {
		struct entry *en = &p->entries[i];
		int n = en->used && en->failures < POOL_RETRY_LIMIT
				? en->wanted - count_of(p, en->id, false)
				: 0;

		if (n > missing && has_room(p, en)) {
			best = en;
			missing = n;
		}
	}
	return best;
}

static void on_rest(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct pool *p = container_of(w, struct pool, rest);
	struct entry *en;
	struct err e = {0};
	int r;

	(void)loop;
	(void)revents;
	if (p->making || p->host->restores.busy || p->host->restores.waiting)
		return; /* the end of each kicks again */
	en = most_wanting(p);
	if (!en)
		return;
	en->why[0] = '\0';
	r = make_one(p, en, &e);
	if (r == 0 || r == -EBUSY) /* the snapshot's end kicks again */
		return;
	if (r == -ENOENT) { /* removed while no daemon looked */
		*en = (struct entry){0};
		save(p);
	} else {
		en->failures++;
		snprintf(en->why, sizeof(en->why), "%s", e.msg);
	}
	pool_kick(p);
}

void pool_kick(struct pool *p)
{
	if (!p)
		return;
	ev_timer_stop(p->host->loop, &p->rest);
	ev_now_update(p->host->loop);
	ev_timer_set(&p->rest, REST_S, 0.);
	ev_timer_start(p->host->loop, &p->rest);
}

/* ---- what is wanted, kept for the next daemon ---------------------------------------------------
 */

static void save(const struct pool *p)
{
	autojson struct json_object *o = json_object_new_object();
	autofree char *path = xasprintf("%s/pools.json", p->host->paths->home);
	struct json_object *a = json_object_new_array();
	char hex[2 * SNAPSHOT_ID + 1];
	struct err e;

	jsonx_add_int(o, "max_mib", p->max_mib);
	for (int i = 0; i < POOL_SNAPSHOTS; i++) {
		const struct entry *en = &p->entries[i];
		struct json_object *row;

		if (!en->used)
			continue;
		row = json_object_new_object();
		hex_encode(hex, en->id, SNAPSHOT_ID);
		jsonx_add_str(row, "snapshot", en->name);
		jsonx_add_str(row, "id", hex);
		jsonx_add_int(row, "count", en->wanted);
		json_object_array_add(a, row);
	}
	json_object_object_add(o, "pools", a);
	if (saver_write(p->host->saver, path, jsonx_line(o), &e) < 0)
		log_error("%s", e.msg);
}

static void load_row(struct pool *p, struct json_object *row, int i)
{
	const char *name = jsonx_str(row, "snapshot"), *id = jsonx_str(row, "id");
	int64_t count = jsonx_int(row, "count", 0);
	struct entry *en = &p->entries[i];

	if (!name || !id || count < 1 || count > POOL_MAX ||
		str_check_name("snapshot name", name, NULL) < 0 ||
		hex_decode(en->id, SNAPSHOT_ID, id) < 0)
		return;
	snprintf(en->name, sizeof(en->name), "%s", name);
	en->wanted = (int)count;
	en->used = true;
}

static void load(struct pool *p)
{
	autofree char *path = xasprintf("%s/pools.json", p->host->paths->home), *text = NULL;
	autojson struct json_object *o = NULL;
	struct json_object *a;
	int64_t max_mib;
	size_t len;

	if (file_read(path, JSON_LIMIT, &text, &len, NULL) < 0 ||
		jsonx_parse(text, len, &o, NULL) < 0)
		return;
	max_mib = jsonx_int(o, "max_mib", POOL_MAX_MIB);
	if (max_mib >= 16 && max_mib <= 1 << 20)
		p->max_mib = (uint32_t)max_mib;
	a = jsonx_get(o, "pools");
	if (!json_object_is_type(a, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(a) && i < POOL_SNAPSHOTS; i++)
		load_row(p, json_object_array_get_idx(a, i), (int)i);
}

struct pool *pool_open(struct vm_host *h)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->host = h;
	p->list.next = p->list.prev = &p->list;
	p->max_mib = POOL_MAX_MIB;
	ev_init(&p->rest, on_rest);
	load(p);
	pool_kick(p);
	return p;
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	ev_timer_stop(p->host->loop, &p->rest);
	while (p->list.next != &p->list)
		end_one(p, p->list.next);
	free(p);
}

/* ---- asked for ----------------------------------------------------------------------------------
 */

static void trim(struct pool *p, const uint8_t id[SNAPSHOT_ID], int keep)
{
	struct vm *v = p->list.next;

	while (v != &p->list) {
		struct vm *next = v->next;

		if (memcmp(v->restored.id, id, SNAPSHOT_ID) == 0 && keep-- <= 0)
			end_one(p, v);
		v = next;
	}
}

int pool_set(struct pool *p, const struct snapshot *s, int count, uint32_t max_mib, struct err *e)
{
	struct entry *en = find(p, s->id);
	int others = 0;

	if (s->network && count > 0)
		return err_set(e, ENOTSUP,
			"snapshot '%s' has a network card: no pool can be kept of it, its clones "
			"are "
			"started when they are asked for",
			s->name);
	for (int i = 0; i < POOL_SNAPSHOTS; i++) {
		others += p->entries[i].used && &p->entries[i] != en ? p->entries[i].wanted : 0;
		if (!en && !p->entries[i].used)
			en = &p->entries[i];
	}
	if (!en)
		return err_set(e, ENOSPC, "%d snapshots have a pool already: turn one off",
			POOL_SNAPSHOTS);
	if (others + count > POOL_MAX)
		return err_set(e, ENOSPC, "at most %d VMMs may wait, the other pools have %d",
			POOL_MAX, others);
	*en = (struct entry){.used = count > 0, .wanted = count};
	snprintf(en->name, sizeof(en->name), "%s", s->name);
	memcpy(en->id, s->id, SNAPSHOT_ID);
	if (max_mib)
		p->max_mib = max_mib;
	trim(p, s->id, count);
	save(p);
	pool_kick(p);
	return 0;
}

struct vm *pool_take(struct pool *p, const uint8_t id[SNAPSHOT_ID], const char *name)
{
	struct vm *v;

	if (!p)
		return NULL;
	pool_foreach(p, v)
	{
		if (v == p->making || memcmp(v->restored.id, id, SNAPSHOT_ID) != 0)
			continue;
		link_before(&p->host->vms, v);
		p->host->count++;
		v->pooled = false;
		v->restored.preloaded = true;
		snprintf(v->spec.name, sizeof(v->spec.name), "%s", name);
		return v;
	}
	return NULL;
}

void pool_drop(struct pool *p, const uint8_t id[SNAPSHOT_ID])
{
	struct entry *en = p ? find(p, id) : NULL;

	if (!p) /* before it was opened: it will find the snapshot gone */
		return;
	trim(p, id, 0);
	if (!en)
		return;
	*en = (struct entry){0};
	save(p);
}

void pool_info(const struct pool *p, const uint8_t id[SNAPSHOT_ID], struct pool_info *ret)
{
	const struct entry *en = find((struct pool *)(uintptr_t)p, id);

	*ret = (struct pool_info){0};
	if (!en)
		return;
	ret->wanted = en->wanted;
	ret->ready = count_of(p, id, true);
	ret->idle_bytes = (uint64_t)ret->ready * p->each;
	snprintf(ret->why, sizeof(ret->why), "%s", en->why);
}

void pool_lost(struct vm *vm, const char *detail)
{
	struct pool *p = vm->host->pool;
	struct entry *en = find(p, vm->restored.id);

	log_warn("pool of snapshot %s: a waiting VMM ended: %s", vm->restored.snapshot, detail);
	if (en) {
		en->failures++;
		snprintf(en->why, sizeof(en->why), "a waiting VMM ended: %.300s", detail);
	}
	end_one(p, vm);
	pool_kick(p);
}
