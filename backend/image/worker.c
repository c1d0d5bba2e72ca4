#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "backend/base/buf.h"
#include "backend/base/jsonx.h"
#include "backend/image/build.h"

struct worker {
	struct job job;
	bool broken; /* nobody reads stdout any more */
};

/* One line, whole or not at all for a reader that is gone. */
static void say(struct worker *w, struct json_object *o)
{
	autofree char *line = xasprintf("%s\n", jsonx_line(o));
	const char *p = line;
	size_t n = strlen(line);

	json_object_put(o);
	while (n && !w->broken) {
		ssize_t r = write(1, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			w->broken = w->job.stop = true;
			return;
		}
		p += r;
		n -= (size_t)r;
	}
}

static void on_progress(void *user, const char *step, uint64_t done, uint64_t total)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "step", step);
	jsonx_add_int(o, "done", (int64_t)done);
	jsonx_add_int(o, "total", (int64_t)total);
	say(user, o);
}

static int usage(struct worker *w, const char *what)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "error", what);
	say(w, o);
	return 2;
}

/* Arguments behind "image-build", which stands in front of them. */
static int parse(int argc, char **argv, const char **name, bool *force)
{
	int i = 1;

	while (i < argc && strcmp(argv[i - 1], "image-build") != 0)
		i++;
	for (; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0)
			*force = true;
		else if (!*name && argv[i][0] != '-')
			*name = argv[i];
		else
			return -EINVAL;
	}
	return *name ? 0 : -EINVAL;
}

int image_worker_main(int argc, char **argv)
{
	struct worker w = {0};
	struct paths paths;
	struct err e = {0};
	const char *name = NULL;
	bool force = false;
	int r;

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	job_init(&w.job, &paths, on_progress, &w);
	w.job.catch_signals = true;
	if (parse(argc, argv, &name, &force) < 0)
		return usage(&w, "usage: vmdeckd --worker image-build NAME [--force]");
	r = paths_find(&paths, &e);
	if (!r)
		r = build_run(&w.job, name, force, &e);
	if (r < 0) {
		usage(&w, e.msg);
	} else {
		struct json_object *o = json_object_new_object();

		jsonx_add_bool(o, "ok", true);
		say(&w, o);
	}
	job_fini(&w.job);
	return r < 0 ? 1 : 0;
}
