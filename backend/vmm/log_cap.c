#include "backend/vmm/log_cap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/base/util.h"

#define BLOCK 4096

off_t log_cap_trim(const char *path, off_t cut)
{
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	off_t end;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cut;
	if (st.st_size < cut)
		cut = 0;
	if (st.st_size - cut <= LOG_CAP_MAX)
		return cut;
	end = (st.st_size - LOG_CAP_KEEP) / BLOCK * BLOCK;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) == 0)
		return end;
	return ftruncate(fd, 0) == 0 ? 0 : cut;
}

static void on_changed(struct ev_loop *loop, ev_stat *w, int revents)
{
	struct log_cap *c = container_of(w, struct log_cap, changed);

	(void)revents;
	/* Deaf for a while: a guest that prints all the time costs one look an interval. */
	ev_stat_stop(loop, &c->changed);
	ev_timer_set(&c->rest, LOG_CAP_EVERY, 0.);
	ev_timer_start(loop, &c->rest);
}

static void on_rested(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct log_cap *c = container_of(w, struct log_cap, rest);

	(void)revents;
	c->cut = log_cap_trim(c->changed.path, c->cut);
	ev_stat_start(loop, &c->changed);
}

void log_cap_start(struct log_cap *c, struct ev_loop *loop, const char *path)
{
	*c = (struct log_cap){.loop = loop};
	ev_stat_init(&c->changed, on_changed, path, 0.);
	ev_timer_init(&c->rest, on_rested, 0., 0.);
	on_rested(loop, &c->rest, 0);
}

void log_cap_stop(struct log_cap *c)
{
	if (!c->loop)
		return;
	ev_stat_stop(c->loop, &c->changed);
	ev_timer_stop(c->loop, &c->rest);
	c->loop = NULL;
}
