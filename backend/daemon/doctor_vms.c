/* Doctor's look at VMs that a daemon has left alone: their VMM lives, their vm.json cannot be read
 * (backend/vm/adopt.c). */
#include <dirent.h>
#include <string.h>

#include "backend/daemon/doctor_list.h"
#include "backend/vm/vm.h"

/* "DIR (pid 7: why)", the first few. */
struct orphans {
	char text[900];
	size_t len;
	int count, left_out;
};

static void look_at(struct orphans *o, const char *dir)
{
	struct err e = {0};
	pid_t pid;
	int n;

	if (vm_folder_check(dir, &pid, &e) == 0)
		return;
	n = snprintf(o->text + o->len, sizeof(o->text) - o->len, "%s%s (pid %d: %.200s)",
		o->len ? "; " : "", dir, (int)pid, e.msg);
	if (n < 0 || (size_t)n >= sizeof(o->text) - o->len) {
		o->text[o->len] = '\0';
		o->left_out++;
	} else {
		o->len += (size_t)n;
	}
	o->count++;
}

void doctor_orphans(struct doctor *d)
{
	autofree char *vms = xasprintf("%s/vms", d->paths->home);
	struct orphans o = {.len = 0};
	DIR *dp = opendir(vms);
	struct dirent *de;

	while (dp && (de = readdir(dp))) {
		autofree char *dir = xasprintf("%s/%s", vms, de->d_name);

		if (vm_id_like(de->d_name))
			look_at(&o, dir);
	}
	if (dp)
		closedir(dp);
	if (!o.count)
		doctor_add(d, "orphans", DOCTOR_FOUND, NULL, "none: every VM that lives is known");
	else
		doctor_add(d, "orphans", DOCTOR_WARN,
			"put its vm.json right (or use the vmdeck that wrote it) and run 'vmdeck "
			"daemon stop', or end it with 'kill PID'; the next daemon does the rest",
			"%d left running: %s%s", o.count, o.text, o.left_out ? "; and more" : "");
}
