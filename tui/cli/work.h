/* Long operations of the daemon with what it says about them on the way: boot, image build,
 * snapshot, restore, clone. Used by their commands and by the tour. */
#ifndef VMDECK_CLI_WORK_H
#define VMDECK_CLI_WORK_H

#include "tui/cli/cli.h"
#include "tui/cli/progress.h"

struct work {
	struct cli *c;
	bool draw;  /* a progress line on stderr */
	bool lines; /* else: a plain line on stdout for each step of a build */
	/* filled meanwhile */
	const char *image;    /* to build */
	const char *snapshot; /* to make, or to restore */
	const char *from;     /* to clone: VM or snapshot */
	char prefix[64];      /* of the clones' names, with the dash */
	int wanted, healthy, failed;
	char vm_id[32], vm_name[64]; /* of the VM that is being booted, once known */
	char last_step[64];
	struct progress progress;
};

/* vm.boot; takes params. SIGINT, SIGTERM and SIGHUP end the wait with -EINTR. */
int work_boot(struct work *w, struct json_object *params, struct json_object **ret, struct err *e);
/* image.build of w->image. */
int work_build(struct work *w, bool force, struct json_object **ret, struct err *e);
/* The same for snapshot.create, vm.restore and vm.clone, whose params name w->snapshot, w->from. */
int work_snapshot(
	struct work *w, struct json_object *params, struct json_object **ret, struct err *e);
int work_restore(
	struct work *w, struct json_object *params, struct json_object **ret, struct err *e);
int work_clone(struct work *w, struct json_object *params, struct json_object **ret, struct err *e);

/* work.c, for work_snapshot.c: subscribes and calls on one connection. */
int work_follow(struct work *w, api_on_event *fn, const char *method, struct json_object *params,
	double limit, struct json_object **ret, struct err *e);

#endif
