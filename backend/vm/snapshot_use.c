/* Which VM maps which snapshot, and the end of those that none does. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/vm/pool.h"
#include "backend/vm/snapshot.h"

#define NAMES_SHOWN 5

const struct vm *snap_user(
	const struct vm_host *h, const uint8_t id[SNAPSHOT_ID], const struct vm *after)
{
	const struct vm *v;

	for (v = after ? after->next : h->vms.next; v != &h->vms; v = v->next)
		if (v->origin == VM_RESTORED && vm_alive(v) &&
			memcmp(v->restored.id, id, SNAPSHOT_ID) == 0)
			return v;
	return NULL;
}

int snap_check_unused(
	const struct vm_host *h, const char *name, const uint8_t id[SNAPSHOT_ID], struct err *e)
{
	const struct vm *v = NULL;
	char names[360] = "";
	int n = 0;

	while ((v = snap_user(h, id, v)))
		if (n++ < NAMES_SHOWN)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s'%s'",
				n > 1 ? ", " : "", v->spec.name);
	if (!n)
		return 0;
	return err_set(e, EBUSY, "snapshot '%s' is mapped by %d live VM%s: %s%s; stop %s first",
		name, n, n == 1 ? "" : "s", names, n > NAMES_SHOWN ? ", ..." : "",
		n == 1 ? "it" : "them");
}

static void remove_files(
	struct vm_host *h, const char *name, const uint8_t id[SNAPSHOT_ID], const char *why)
{
	struct json_object *o = json_object_new_object();
	autofree char *trash = NULL;
	struct err e = {0};

	if (id)
		pool_drop(h->pool, id);
	jsonx_add_str(o, "snapshot", name);
	jsonx_add_str(o, "why", why);
	if (snapshot_remove(h->paths, name, &trash, &e) < 0) {
		log_error("%s", e.msg);
		jsonx_add_str(o, "error", e.msg);
	} else {
		saver_remove(h->saver, trash);
	}
	h->cb.on_event(h->user, "", "", "snapshot.remove", jsonx_line(o));
	json_object_put(o);
}

int snap_check_at_rest(const struct vm_host *h, const char *name, struct err *e)
{
	const struct snap *making = NULL;

	while ((making = snap_next(h, making)))
		if (strcmp(snap_name(making), name) == 0)
			return err_set(e, EBUSY, "snapshot '%s' is being made: wait for it", name);
	return 0;
}

int snap_remove(struct vm_host *h, const char *name, struct err *e)
{
	struct snapshot s = {0};
	int r = str_check_name("snapshot name", name, e);

	if (r == 0)
		r = snap_check_at_rest(h, name, e);
	if (r < 0)
		return r;
	r = snapshot_load(h->paths, name, &s, e);
	if (r == -ENOENT)
		return r;
	if (r < 0) { /* damaged: nobody can have restored it since */
		remove_files(h, name, NULL, "asked for; it was damaged");
		return 0;
	}
	r = snap_check_unused(h, name, s.id, e);
	if (r == 0)
		remove_files(h, name, s.id, "asked for");
	snapshot_fini(&s);
	return r;
}

void snap_drop_temporary(struct vm_host *h, const char *name, const uint8_t id[SNAPSHOT_ID])
{
	struct snapshot s = {0};

	if (h->cloning && strcmp(h->cloning, name) == 0)
		return; /* more clones of it are about to begin */
	if (snap_user(h, id, NULL) || snapshot_load(h->paths, name, &s, NULL) < 0)
		return;
	if (s.temporary && memcmp(s.id, id, SNAPSHOT_ID) == 0)
		remove_files(h, name, id, "its last clone ended");
	snapshot_fini(&s);
}

void snap_drop_if_temporary(struct vm_host *h, const char *name)
{
	struct snapshot s = {0};

	if (snapshot_load(h->paths, name, &s, NULL) < 0)
		return;
	if (s.temporary && !snap_user(h, s.id, NULL))
		remove_files(h, name, s.id, "no clone came of it");
	snapshot_fini(&s);
}

/* ---- what an earlier daemon left ---------------------------------------------------------------
 */

static void on_unfinished(void *user, const char *name, const char *source_id, bool running)
{
	struct vm_host *h = user;
	struct json_object *o = json_object_new_object();
	struct vm *vm = NULL;
	struct vm *v;

	vm_foreach(h, v) if (strcmp(v->id, source_id) == 0) vm = v;
	if (vm)
		vm->wake_adopted = running;
	jsonx_add_str(o, "snapshot", name);
	h->cb.on_event(h->user, vm ? vm->id : "", vm ? vm->spec.name : "", "snapshot.rollback",
		jsonx_line(o));
	json_object_put(o);
}

struct unused {
	struct vm_host *host;
	char (*names)[64];
	size_t n;
};

static void on_each(void *user, const struct snapshot *s, const struct err *e)
{
	struct unused *u = user;

	if (e || !s->temporary || snap_user(u->host, s->id, NULL) || u->n == SNAPSHOTS_MAX)
		return;
	snprintf(u->names[u->n++], 64, "%s", s->name);
}

void snap_sweep(struct vm_host *h)
{
	struct unused u = {.host = h, .names = xcalloc(SNAPSHOTS_MAX, 64)};
	struct err e = {0};

	if (snapshot_sweep(h->paths, on_unfinished, h, &e) < 0 ||
		snapshot_each(h->paths, on_each, &u, &e) < 0)
		log_error("%s", e.msg);
	for (size_t i = 0; i < u.n; i++)
		remove_files(h, u.names[i], NULL, "no clone of it is left");
	free(u.names);
}
