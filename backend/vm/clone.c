#include "backend/vm/clone.h"

#include <errno.h>
#include <string.h>

#include "backend/base/str.h"
#include "backend/vm/snapshot.h"

#define PREFIX_MAX 50

struct clone;

struct clone_one {
	struct clone *of;
	int index;
};

struct clone {
	struct vm_host *host;
	char snapshot[64], prefix[PREFIX_MAX + 1];
	int count, left;
	struct clone_result *results;
	struct clone_one *ones;
	struct net_wish network;
	clone_done *done;
	void *user;
};

static void finish(struct clone *c, int r, const struct err *e)
{
	c->done(c->user, c->snapshot, c->results, r < 0 ? 0 : c->count, r, e);
	free(c->results);
	free(c->ones);
	free(c);
}

static void one_ended(struct clone *c)
{
	if (--c->left == 0)
		finish(c, 0, NULL);
}

static void on_restored(void *user, struct vm *vm, int r, const struct err *e)
{
	struct clone_one *one = user;
	struct clone_result *res = &one->of->results[one->index];

	if (r < 0)
		res->why = *e;
	else
		snprintf(res->id, sizeof(res->id), "%s", vm->id);
	one_ended(one->of);
}

static void start_all(struct clone *c)
{
	int number = 0; /* goes on behind one that failed at once, whose name is free again */

	/* One that fails at once must not take the snapshot from those behind it. */
	c->host->cloning = c->snapshot;
	c->left = c->count + 1; /* one for this function: some may end while others begin */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): `left` keeps c until the last line */
	for (int i = 0; i < c->count; i++) {
		struct clone_result *res = &c->results[i];

		vm_next_name(c->host, c->prefix, &number, res->name, sizeof(res->name));
		if (vm_restore(c->host, c->snapshot, res->name, &c->network, on_restored,
			    &c->ones[i], &res->why) < 0)
			one_ended(c);
	}
	c->host->cloning = NULL;
	snap_drop_if_temporary(c->host, c->snapshot); /* when none came to life */
	one_ended(c);
}

static void on_snapshot(void *user, const char *name, int r, const struct err *e)
{
	struct clone *c = user;

	(void)name;
	if (r < 0)
		finish(c, r, e);
	else
		start_all(c);
}

static void temporary_name(const struct vm *vm, char out[64])
{
	uint8_t raw[3];
	char hex[2 * sizeof(raw) + 1];

	random_bytes(raw, sizeof(raw));
	hex_encode(hex, raw, sizeof(raw));
	snprintf(out, 64, "%.48s.clone-%s", vm->spec.name, hex);
}

/* What the text stands for: a VM of exactly this name or id, a snapshot, then a prefix of a VM. */
static int find(struct vm_host *h, const char *from, struct vm **ret_vm, struct snapshot *ret,
	struct err *e)
{
	struct err no_vm = {0};
	struct vm *vm = NULL;
	int r = vm_find(h, from, &vm, &no_vm);

	*ret_vm = NULL;
	if (r == 0 && (strcmp(vm->spec.name, from) == 0 || strcmp(vm->id, from) == 0)) {
		*ret_vm = vm;
		return 0;
	}
	if (snapshot_load(h->paths, from, ret, e) == 0)
		return 0;
	if (e->code != ENOENT)
		return -e->code;
	if (r == 0) {
		*ret_vm = vm;
		return 0;
	}
	if (no_vm.code == EINVAL)
		return err_set(e, EINVAL, "%s", no_vm.msg);
	return err_set(e, ENOENT,
		"no VM and no snapshot is named '%.64s': see 'vmdeck ls' and 'vmdeck snapshots'",
		from);
}

static int check_room(const struct vm_host *h, int count, struct err *e)
{
	if (h->count + count > VMS_MAX)
		return err_set(e, ENOSPC, "%d VMs exist, %d more are not allowed: remove some",
			h->count, count);
	return 0;
}

int vm_clone(struct vm_host *h, const char *from, const char *prefix, int count,
	const struct net_wish *network, clone_done *done, void *user, struct err *e)
{
	struct snap_request req = {.temporary = true};
	struct err why = {0};
	struct snapshot s = {0};
	struct vm *vm;
	struct clone *c;
	int r = find(h, from, &vm, &s, &why);

	if (r == 0 && prefix)
		r = str_check_name("name prefix", prefix, &why);
	if (r == 0)
		r = check_room(h, count, &why);
	if (r < 0) {
		snapshot_fini(&s);
		return err_set(e, -r, "%s", why.msg);
	}
	c = xcalloc(1, sizeof(*c));
	*c = (struct clone){
		.host = h, .count = count, .network = *network, .done = done, .user = user};
	c->results = xcalloc((size_t)count, sizeof(*c->results));
	c->ones = xcalloc((size_t)count, sizeof(*c->ones));
	for (int i = 0; i < count; i++)
		c->ones[i] = (struct clone_one){.of = c, .index = i};
	snprintf(c->prefix, sizeof(c->prefix), "%.50s",
		prefix ? prefix
		: vm   ? vm->spec.name
		       : s.name);
	if (!vm) {
		snprintf(c->snapshot, sizeof(c->snapshot), "%s", s.name);
		snapshot_fini(&s);
		start_all(c);
		return 0;
	}
	temporary_name(vm, c->snapshot);
	req.name = c->snapshot;
	r = snap_take(vm, &req, on_snapshot, c, e);
	if (r < 0) {
		free(c->results);
		free(c->ones);
		free(c);
	}
	return r;
}
