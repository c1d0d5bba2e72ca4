#include "backend/daemon/sweep.h"

#include <dirent.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/net/net.h"
#include "backend/vm/vm.h"

/* Ids of the VMs whose VMM lives, one a line; the caller's. */
static char *living(const struct paths *p)
{
	autofree char *vms = xasprintf("%s/vms", p->home);
	DIR *d = opendir(vms);
	struct dirent *de;
	struct proc_id id;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	while (d && (de = readdir(d))) {
		autofree char *dir = xasprintf("%s/%s", vms, de->d_name);

		if (vm_id_like(de->d_name) && vm_folder_alive(dir, &id))
			fprintf(f, "%s\n", de->d_name);
	}
	if (d)
		closedir(d);
	fclose(f);
	return text;
}

int sweep_network(const struct paths *p, bool remove, struct json_object **ret, struct err *e)
{
	autofree char *used = living(p);

	return net_sweep(p, used, remove, ret, e);
}

static int run(struct task *t, void *arg, struct err *e)
{
	autojson struct json_object *list = NULL;
	int r = sweep_network(arg, true, &list, e);

	(void)t;
	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++)
		log_warn("removed what a VM's network had left: %s",
			jsonx_line(json_object_array_get_idx(list, i)));
	return r;
}

static void on_done(struct task *t, int r, const struct err *e)
{
	(void)t;
	if (r < 0)
		log_warn("what VMs' networks may have left was not looked for: %s", e->msg);
}

void sweep_network_later(struct task *t, struct ev_loop *loop, const struct paths *p)
{
	/* The paths are the daemon's: they outlive the task, which it ends first. */
	(void)task_start(t, loop, true, run, (void *)(uintptr_t)p, NULL, on_done, NULL, NULL);
}
